/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * storage.h - the limit on storage beside the living boundary.
 *
 * What the boundary's own file systems hold the kernel bounds (v2_storage.c).  What places of the host
 * grow by is looked at (v2_growth.c): the whole of it from time to time, and at once when the file
 * systems there have lost as much as is left of the limit.
 */
#ifndef BV_LAUNCHER_STORAGE_H
#define BV_LAUNCHER_STORAGE_H

#include "limits.h"

struct growth;

struct growth_sum {
	uint64_t bytes, inodes;
};

enum growth_verdict {
	GROWTH_RESTS,
	GROWTH_GOES_ON, /* to be called again at once: a look is done in parts */
	GROWTH_OVER,    /* the limit is exceeded */
	GROWTH_HIDDEN, /* the workload has put something where it cannot be seen, however much it is */
	GROWTH_BLIND, /* no look can be taken any more */
};

/* Opens the places; NULL with errno. */
struct growth *growth_new(struct bv_arena *arena, const struct bv_launch_storage *asked);

/* The program runs. */
void growth_start(struct growth *growth, uint64_t now);

/* Does what is due; `own` is what the boundary's own file systems hold. */
enum growth_verdict growth_step(struct growth *growth, struct launch *launch,
				struct growth_sum own);

/* A last look, for a while at most, once nothing runs any more; and what the looks were. */
void growth_finish(struct growth *growth, bool killed, struct bv_record_storage *record);

/* As of the last whole look that was no mistake. */
struct growth_sum growth_known(const struct growth *growth);

#endif
