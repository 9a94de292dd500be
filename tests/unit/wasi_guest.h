/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wasi_guest.h - a guest without an engine: its memory is a buffer, its calls are ours.
 *
 * It has three directories: 3 "rw", 4 "ro" and 5 "wo", beside each other in `base`, where there is
 * also "outside" with a secret.  What it did is looked at by plain calls on paths below `base`.
 */
#ifndef BV_TEST_WASI_GUEST_H
#define BV_TEST_WASI_GUEST_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "wasm/wasi/abi.h"
#include "wasm/wasi/wasi.h"

enum { RW = 3, RO = 4, WO = 5, FIRST_FREE = 6, MEMORY_SIZE = 1 << 16, RESULT = 1 << 10 };

#define ALL_RIGHTS ((uint64_t)WASI_RIGHTS_FILE | WASI_RIGHTS_DIRECTORY)
#define READ_RIGHTS                                                                                \
	((uint64_t)WASI_RIGHT_FD_READ | WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL |                  \
	 WASI_RIGHT_FD_FILESTAT_GET | WASI_RIGHT_FD_READDIR | WASI_RIGHT_FD_FILESTAT_SET_TIMES)
#define WRITE_RIGHTS                                                                               \
	(READ_RIGHTS | WASI_RIGHTS_CHANGE | WASI_RIGHT_FD_FDSTAT_SET_FLAGS | WASI_RIGHT_FD_SYNC |  \
	 WASI_RIGHT_FD_DATASYNC | WASI_RIGHT_FD_ADVISE)

struct guest {
	struct wasi *wasi;
	uint8_t *memory; /* exactly MEMORY_SIZE, on the heap: a sanitizer sees a byte too many */
	uint64_t memory_bytes;
	char base[32];
	char path[512]; /* what guest_path made last */
	uint32_t text_at;
	/* Of the last call: */
	uint64_t charge;
	bool exited;
	bool expired;
	uint32_t exit_code;
};

/* Unlimited, no streams, no deadline; three directories. */
struct wasi_config guest_config(void);
/* Makes the directories, and the guest. NULL: guest_config. */
void guest_open(struct guest *guest, const struct wasi_config *config);
void guest_close(struct guest *guest);

uint32_t guest_invoke(struct guest *guest, const char *name, size_t count, const uint64_t *args);
/* CALL(&guest, "fd_close", fd): the errno. */
#define CALL(guest, name, ...)                                                                     \
	guest_invoke((guest), (name), sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t),        \
		     (uint64_t[]){__VA_ARGS__})

/* Puts text into the memory, where the last few such do not overlap: the offset. */
uint32_t guest_text(struct guest *guest, const char *text);
/* The same as two arguments: offset and length. */
#define TEXT(guest, text) guest_text((guest), (text)), strlen(text)

uint32_t guest_get32(const struct guest *guest, uint32_t offset);
uint64_t guest_get64(const struct guest *guest, uint32_t offset);

/* `name` below base, for plain calls; good until the next. */
const char *guest_path(struct guest *guest, const char *name);
/* Makes a file with this content, by plain calls. */
void guest_make(struct guest *guest, const char *name, const char *content);
/* Its content; "" when there is none. */
const char *guest_content(struct guest *guest, const char *name);
bool guest_exists(struct guest *guest, const char *name);

/* path_open with links followed; *ret_fd only on success. */
uint32_t guest_open_file(struct guest *guest, uint32_t dir, const char *path, uint32_t oflags,
			 uint64_t rights, uint32_t *ret_fd);
/* fd_write and fd_read of one buffer. */
uint32_t guest_write(struct guest *guest, uint32_t fd, const char *text, uint32_t *ret_bytes);
uint32_t guest_read(struct guest *guest, uint32_t fd, uint32_t size_bytes, char *ret_text);

struct wasi_report guest_report(const struct guest *guest);
/* Whether the report lists a denial of this function, path and reason. */
bool guest_denied(const struct guest *guest, const char *function, const char *path,
		  enum wasi_denial_reason reason);

#endif
