/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * spawn.h - finds the launcher, knows it by its digest, and starts it without copying its host.
 */
#ifndef BV_LINUX_SPAWN_H
#define BV_LINUX_SPAWN_H

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "contract/base.h"

/* The launcher's file, opened once: what is digested is what is executed. */
struct bv_launcher_file {
	int fd;
	char path[PATH_MAX];
	struct stat seen;
};

/*
 * BVISOR_LAUNCHER_BIN, then beside this program, then beside libbvisor, then where it is installed.
 * BV_E_LAUNCHER when there is none, or when somebody else could change it.
 */
enum bv_code bv__launcher_open(struct bv_launcher_file *ret_file, struct bv_error *err);
void bv__launcher_close(struct bv_launcher_file *file);

/* Another program of bvisor's, which lies beside the launcher; closed as one.  BV_E_UNSUPPORTED: it is not there. */
enum bv_code bv__helper_open(const char *name, struct bv_launcher_file *ret_file,
			     struct bv_error *err);

/* BLAKE3 of the file; BV_E_LAUNCHER when this build knows another digest. */
enum bv_code bv__launcher_digest(const struct bv_launcher_file *file, struct bv_digest *ret_digest,
				 struct bv_error *err);

enum { BV_SPAWN_FDS_MAX = 72 };

struct bv_spawn {
	int exe_fd;
	char *const *argv;
	char *const *envp;
	/* Descriptor `from` of this process becomes `to`; nothing else is handed on. */
	struct bv_spawn_fd {
		int from, to;
	} fds[BV_SPAWN_FDS_MAX];
	size_t fd_count;
};

/*
 * Starts the program in a session of its own, all signals blocked.  It
 * is waited for with __WALL.
 */
enum bv_code bv__spawn(const struct bv_spawn *spawn, pid_t *ret_pid, int *ret_pidfd,
		       struct bv_error *err);

/* bv_fail for a call that set errno. */
enum bv_code bv__fail_errno(struct bv_error *err, enum bv_code code, const char *where,
			    const char *what);

/* All of it, or false with errno. */
bool bv__write_all(int fd, const void *data, size_t size_bytes);

#endif
