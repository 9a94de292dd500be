/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * usage.h - how much of the host's storage some places take: files, and directories with all in them.
 *
 * Counted are allocated blocks, not lengths, and every file once, however many names it has and however
 * often it is met.  No link is followed; what is mounted in a directory belongs to it.  Others may
 * change what is being counted, so a round is no moment: each file is counted as it was when it was met.
 * A round can be done in parts.
 */
#ifndef BV_LINUX_USAGE_H
#define BV_LINUX_USAGE_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct bv_usage_sum {
	uint64_t bytes, inodes;
	uint64_t longest_bytes; /* of regular files, as they are read */
	uint64_t unseen; /* that could not be looked at although the workload may change them */
};

enum bv_usage_progress { BV_USAGE_MORE, BV_USAGE_WHOLE, BV_USAGE_NO_MEMORY };

struct bv_usage_walk {
	const int *places; /* descriptors, kept by the caller */
	size_t place_count;

	/* The round under way, or the last one. */
	struct bv_usage_sum found;
	char unseen[256]; /* the first of those, as far as it fits */

	/* ---- inside ---- */
	size_t next_place;
	int place;
	DIR *listing;
	char path[PATH_MAX]; /* of what is listed, from the place */
	struct {
		char *text; /* directories still to be listed: paths, each behind a NUL */
		size_t bytes, capacity;
	} pending;
	struct bv_usage_met {
		struct bv_usage_file {
			uint64_t device, inode;
		} * items;
		size_t count, capacity;
	} met;
	struct bv_usage_device {
		uint64_t device;
		bool stores; /* not one that the kernel makes up (proc, sysfs, ...) */
	} devices[32];
	size_t device_count;
};

void bv__usage_init(struct bv_usage_walk *walk, const int *places, size_t place_count);
void bv__usage_clear(struct bv_usage_walk *walk);

/* A new round. */
void bv__usage_begin(struct bv_usage_walk *walk);

/* Counts a file that was met elsewhere, such as one without a name. */
enum bv_usage_progress bv__usage_add(struct bv_usage_walk *walk, const struct stat *seen);

/* Goes on until CLOCK_MONOTONIC is `until_ns`, or the round is whole. */
enum bv_usage_progress bv__usage_step(struct bv_usage_walk *walk, uint64_t until_ns);

#endif
