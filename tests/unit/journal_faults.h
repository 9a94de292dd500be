/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * journal_faults.h - the disk and the clock below SQLite, counted and made to fail.
 *
 * The program's own fdatasync, pwrite64, renameat and the like take the place of the C library's for
 * the shared SQLite too; what is not counted or made to fail is passed on.
 */
#ifndef BV_TEST_JOURNAL_FAULTS_H
#define BV_TEST_JOURNAL_FAULTS_H

#include <stdbool.h>

struct faults {
	int fail_sync_errno, fail_write_errno; /* 0: none */
	bool no_sync;                          /* a disk that says it has synced, and has not */
	bool no_directory_sync;                /* the same of names alone */
	long clock_offset_s;
	unsigned int sync_us; /* what a sync takes longer than it would */
	unsigned long syncs;
	/* Every write, truncation, sync, renaming and removal; at `kill_at` the process is killed before it is done. */
	unsigned long operations, kill_at;
};

extern struct faults faults;

#endif
