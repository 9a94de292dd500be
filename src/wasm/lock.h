/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lock.h - the helper's own confinement, inside the boundary it was started in.
 *
 * Taken in the last moment before the guest: from then on there is no new code in the process, no
 * path but below the preopened directories, no network, and no other process.  What the boundary
 * around it allows beyond that, because the helper had to be started, is gone.
 */
#ifndef BV_WASM_LOCK_H
#define BV_WASM_LOCK_H

#include <stdbool.h>
#include <stddef.h>

struct lock_root {
	int fd; /* of the directory, O_PATH */
	bool read, write;
};

/*
 * No memory of this process can become executable any more; all that already is stays.  0 or -1.
 * `answer` is what mprotect says to who tries: LOCK_KILLS, or LOCK_PRETENDS, which is for the compiler: it
 * makes what it compiled executable although nobody here runs it.
 */
enum lock_answer { LOCK_KILLS, LOCK_PRETENDS };
int lock_code(enum lock_answer how);

/* Landlock with a rule for each root, where the kernel has it; then the system call filter.  0 or -1. */
int lock_all(const struct lock_root *roots, size_t count);

#endif
