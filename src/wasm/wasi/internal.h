/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * internal.h - what the files of this folder share.
 *
 * A function of the standard takes the call and answers with an errno of the standard; so does
 * nearly every helper, 0 being success.
 */
#ifndef BV_WASM_WASI_INTERNAL_H
#define BV_WASM_WASI_INTERNAL_H

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "contract/base.h"

#include "abi.h"
#include "wasi.h"

enum wasi_kind {
	WASI_KIND_FREE, /* no descriptor */
	WASI_KIND_STREAM,
	WASI_KIND_FILE,
	WASI_KIND_DIRECTORY,
};

/* A listing under way: the block of entries last read, so that a cookie in it needs no seek. */
struct wasi_listing {
	int fd; /* -1: none yet */
	uint8_t *block;
	size_t block_bytes;
	uint64_t block_cookie; /* where the block begins */
};

/* A descriptor of the guest. */
struct wasi_entry {
	enum wasi_kind kind;
	unsigned int access; /* of the preopened directory it came through */
	int fd;              /* of a directory O_PATH; of a stream the caller's, or -1 */
	bool owned;          /* to be closed with it */
	unsigned int stream; /* which of the three */
	uint64_t rights;
	uint64_t rights_inheriting;
	uint16_t flags;           /* of the guest: WASI_FDFLAG_* */
	const char *preopen_name; /* NULL: it is none */
	char *path;               /* as the guest knows it, cut; for denials.  NULL: not known */
	dev_t dev; /* of a file or a directory, and of the preopened one it came through */
	ino_t ino;
	dev_t root_dev;
	ino_t root_ino;
	struct wasi_listing listing;
};

/* A stream as it was handed over. */
struct wasi_stream {
	bool whole; /* a write may be long: it never blocks, or not for others */
	bool pipe;
	uint8_t filetype;
	struct wasi_stream_report seen;
};

/* Strings laid out as args_get and environ_get want them. */
struct wasi_strings {
	char *text;
	size_t text_bytes;
	size_t count;
};

struct wasi {
	const struct wasi_function *current; /* what is being called */
	struct wasi_strings args;
	struct wasi_strings env;
	struct wasi_strings names; /* of the preopened directories */
	struct wasi_entry *entries;
	uint32_t entry_count; /* slots in use lie below it */
	uint32_t open_count;
	struct wasi_stream streams[WASI_STREAM_COUNT];
	struct wasi_limits limits;
	uint64_t deadline_ns;
	bool deterministic;
	uint64_t clock_ns;
	uint64_t random_state;
	struct wasi_report seen;
	struct wasi_denial denials[WASI_DENIALS_MAX];
	void (*on_denied)(const struct wasi_denial *denial, size_t index);
};

static inline uint32_t wasi_arg32(const struct wasi_call *call, size_t index)
{
	return (uint32_t)call->args[index];
}

static inline uint64_t wasi_arg64(const struct wasi_call *call, size_t index)
{
	return call->args[index];
}

/* ---- memory.c: the guest's memory ------------------------------------------------------------------ */

/* Whether `size_bytes` from `offset` lie inside, and where: the one place that says so. */
bool wasi_range(const struct wasi_call *call, uint64_t offset, uint64_t size_bytes, uint8_t **ret);

uint16_t wasi_get16(const uint8_t *from);
uint32_t wasi_get32(const uint8_t *from);
uint64_t wasi_get64(const uint8_t *from);
void wasi_put16(uint8_t *to, uint16_t value);
void wasi_put32(uint8_t *to, uint32_t value);
void wasi_put64(uint8_t *to, uint64_t value);

/* One value at an offset the guest gave: WASI_EFAULT where it does not fit. */
uint32_t wasi_store32(const struct wasi_call *call, uint32_t offset, uint32_t value);
uint32_t wasi_store64(const struct wasi_call *call, uint32_t offset, uint64_t value);

/*
 * A string of the guest, copied and ended with NUL: UTF-8, not empty, no NUL inside, shorter than
 * PATH_MAX.
 */
uint32_t wasi_text(const struct wasi_call *call, uint32_t offset, uint32_t size_bytes,
		   char ret[PATH_MAX]);

struct wasi_buffers {
	struct iovec items[WASI_IOVECS_MAX];
	int count;
	size_t total_bytes;
};

/* Buffers of a read or a write: empty ones left out, WASI_IO_BYTES_MAX together. */
uint32_t wasi_buffers_get(const struct wasi_call *call, uint32_t offset, uint32_t count,
			  struct wasi_buffers *ret);
/* Leaves out the first `size_bytes`, or all but these. */
void wasi_buffers_skip(struct wasi_buffers *buffers, size_t size_bytes);
void wasi_buffers_cut(struct wasi_buffers *buffers, size_t size_bytes);

/* ---- table.c: the guest's descriptors -------------------------------------------------------------- */

/*
 * The descriptor a call names, if it is open, was opened through a directory of such `access` and has
 * these `rights`.  What access lacks is a denial, what rights lack is the guest's own doing.
 */
uint32_t wasi_entry_get(struct wasi_call *call, uint32_t fd, uint64_t rights, unsigned int access,
			struct wasi_entry **ret);
/* The same for `path` below it; it has to be a directory. */
uint32_t wasi_directory_get(struct wasi_call *call, uint32_t fd, uint64_t rights,
			    unsigned int access, const char *path, struct wasi_entry **ret);
/* The lowest free number and its empty entry; it counts once it is filled and added. */
uint32_t wasi_entry_new(struct wasi *wasi, uint32_t *ret_fd, struct wasi_entry **ret);
void wasi_entry_added(struct wasi *wasi, uint32_t fd);
/* Closes what it holds; the slot is free. */
void wasi_entry_clear(struct wasi *wasi, struct wasi_entry *entry);

/* ---- path.c: names to files, beneath a directory --------------------------------------------------- */

/* Opens what the whole `path` names with openat2: -1 and errno as ever, an escape being EXDEV. */
int wasi_open_beneath(int dir_fd, const char *path, int flags);
/* What its errno is to the guest, an escape being a denial. */
uint32_t wasi_beneath_errno(struct wasi_call *call, const struct wasi_entry *dir, const char *path);

/* Where a name is to be made or removed: its parent, looked up, and the last component. */
struct wasi_place {
	int fd;
	bool owned;
	char name[NAME_MAX + 1];
	char spelled[NAME_MAX + 2]; /* with a slash behind it where the guest wrote any */
	bool slash;                 /* it did, or it is "." or "..": only a directory will do */
};

uint32_t wasi_place_find(struct wasi_call *call, const struct wasi_entry *dir, const char *path,
			 struct wasi_place *ret);
void wasi_place_clear(struct wasi_place *place);

/* Any file, by O_PATH; `flags` are O_DIRECTORY and O_NOFOLLOW. */
uint32_t wasi_object_find(struct wasi_call *call, const struct wasi_entry *dir, const char *path,
			  int flags, int *ret_fd);

/* Whether a symbolic link in `place` may have this target: not absolute, and not climbing out. */
uint32_t wasi_target_check(struct wasi_call *call, const struct wasi_entry *dir,
			   const struct wasi_place *place, const char *target);

/* ---- denied.c: what was refused; errno ------------------------------------------------------------- */

/* The guest's name of `path` below `dir`, either of which may be NULL, cut where it is long. */
void wasi_name_put(char ret[WASI_DENIED_PATH_SIZE], const struct wasi_entry *dir, const char *path);
void wasi_denied(struct wasi_call *call, enum wasi_denial_reason reason,
		 const struct wasi_entry *dir, const char *path);
/* The standard's number for one of this host. */
uint32_t wasi_errno_from(int host_errno);
/* The same for errno after a system call on `path`: what the kernel refused is a denial. */
uint32_t wasi_errno_of(struct wasi_call *call, const struct wasi_entry *dir, const char *path);

/* ---- storage.c: what is stored ------------------------------------------------------------------------- */

/* Whether a file may grow to `end`, or by `size_bytes`, which is the larger. */
uint32_t wasi_storage_check(struct wasi *wasi, const struct stat *before, uint64_t end,
			    uint64_t size_bytes);
/* What became of it after so much was written: more blocks, or fewer. */
void wasi_storage_changed(struct wasi *wasi, const struct stat *before, const struct stat *after,
			  uint64_t written_bytes);
uint32_t wasi_made_check(struct wasi *wasi);
void wasi_made(struct wasi *wasi);
/* A name is gone; with it the file, if this was its last and the guest has it not open. */
void wasi_removed(struct wasi *wasi, const struct stat *what);
/* A file was closed, and perhaps it had no name any more. */
void wasi_closed(struct wasi *wasi, const struct stat *what);

/* ---- time.c --------------------------------------------------------------------------------------- */

uint64_t wasi_now(clockid_t clock);
/* Whether the deadline is past, and then says so in the call and the report. */
bool wasi_expired(struct wasi_call *call);
/* A clock as the guest sees it. */
uint32_t wasi_clock_read(struct wasi *wasi, uint32_t clock, uint64_t *ret);
/* The times that a set_times call asks for. */
uint32_t wasi_times(struct wasi *wasi, uint64_t atim, uint64_t mtim, uint32_t flags,
		    struct timespec ret[2]);

/* ---- stream.c -------------------------------------------------------------------------------------- */

void wasi_stream_open(struct wasi *wasi, unsigned int stream, int fd);
uint32_t wasi_stream_read(struct wasi_call *call, struct wasi_entry *entry,
			  struct wasi_buffers *buffers, uint64_t *ret_bytes);
uint32_t wasi_stream_write(struct wasi_call *call, struct wasi_entry *entry,
			   struct wasi_buffers *buffers, uint64_t *ret_bytes);

/* ---- file.c ---------------------------------------------------------------------------------------- */

uint8_t wasi_filetype(mode_t mode);
void wasi_filestat_put(uint8_t to[WASI_SIZE_FILESTAT], const struct stat *from);

/* ---- listing.c ------------------------------------------------------------------------------------- */

void wasi_listing_clear(struct wasi_listing *listing);

/* ---- the functions of the standard, by file -------------------------------------------------------- */

typedef uint32_t wasi_implementation(struct wasi_call *call);

/* process.c */
wasi_implementation wasi_args_get, wasi_args_sizes_get, wasi_environ_get, wasi_environ_sizes_get,
	wasi_proc_exit, wasi_proc_raise, wasi_sched_yield, wasi_random_get, wasi_sock_accept,
	wasi_sock_recv, wasi_sock_send, wasi_sock_shutdown;
/* time.c, poll.c */
wasi_implementation wasi_clock_res_get, wasi_clock_time_get, wasi_poll_oneoff;
/* table.c */
wasi_implementation wasi_fd_close, wasi_fd_fdstat_get, wasi_fd_fdstat_set_flags,
	wasi_fd_fdstat_set_rights, wasi_fd_prestat_get, wasi_fd_prestat_dir_name, wasi_fd_renumber;
/* file.c */
wasi_implementation wasi_fd_advise, wasi_fd_allocate, wasi_fd_datasync, wasi_fd_filestat_get,
	wasi_fd_filestat_set_size, wasi_fd_filestat_set_times, wasi_fd_pread, wasi_fd_pwrite,
	wasi_fd_read, wasi_fd_seek, wasi_fd_sync, wasi_fd_tell, wasi_fd_write;
/* listing.c */
wasi_implementation wasi_fd_readdir;
/* open.c, tree.c */
wasi_implementation wasi_path_open;
wasi_implementation wasi_path_create_directory, wasi_path_filestat_get,
	wasi_path_filestat_set_times, wasi_path_link, wasi_path_readlink,
	wasi_path_remove_directory, wasi_path_rename, wasi_path_symlink, wasi_path_unlink_file;

#endif
