/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sample.h - what the launcher sees of a living tree through /proc.
 *
 * The names of processes and of what they map are the workload's to choose, and it chooses them to
 * mislead: the readers below take text of any kind and never more of it than there is.  Pure.
 */
#ifndef BV_LAUNCHER_SAMPLE_H
#define BV_LAUNCHER_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- sample_parse.c: what the files of /proc say --------------------------------------------- */

/* /proc/<pid>/stat */
struct sample_stat {
	char state;
	pid_t parent;
	uint32_t threads;
	uint64_t faults;       /* pages it asked for, its own only */
	uint64_t ticks;        /* processor time, its own only */
	uint64_t waited_ticks; /* of the children it waited for, and theirs */
	uint64_t start;        /* tells it from others of its number */
	uint64_t pages;        /* resident, of any kind; 0 once it has none or is about to end */
};
bool sample_stat(const char *text, size_t size, struct sample_stat *ret_stat);

/* /proc/<pid>/status, in bytes; all 0 of a process that has no memory any more. */
struct sample_status {
	uint64_t anonymous, shared, swapped, tables;
};
void sample_status(const char *text, size_t size, struct sample_status *ret_status);

/* /proc/<pid>/smaps_rollup: its share of pages that several have, in bytes.  False where it does not
 * tell the kinds apart (before Linux 5.4). */
struct sample_share {
	uint64_t anonymous, shared; /* what is swapped is among the anonymous */
};
bool sample_rollup(const char *text, size_t size, struct sample_share *ret_share);

/* One line of /proc/<pid>/smaps. */
enum sample_map_line {
	SAMPLE_MAP_OTHER,
	SAMPLE_MAP_BEGINS,
	SAMPLE_MAP_SHARE,
	SAMPLE_MAP_ANONYMOUS
};
struct sample_map {
	uint32_t device_major, device_minor;
	uint64_t inode;
	uint64_t bytes; /* of SHARE and ANONYMOUS */
};
enum sample_map_line sample_map_line(const char *line, size_t size, struct sample_map *map);

/* /proc/<pid>/schedstat, nanoseconds: ran, and could have. */
bool sample_schedstat(const char *text, size_t size, uint64_t *ret_ran, uint64_t *ret_waited);

/* /proc/sysvipc/shm, msg and sem. */
enum sample_table { SAMPLE_SEGMENTS, SAMPLE_QUEUES, SAMPLE_SEMAPHORES, SAMPLE_TABLES };
/* Bytes that all those of whole lines hold. */
uint64_t sample_table(enum sample_table table, const char *text, size_t size);

/* The next number of a list with blanks between; false at its end. */
bool sample_next(const char **at, const char *end, uint64_t *ret_number);

/* "0-3,6" of /sys/devices/system/cpu/online: how many; 0 where it cannot be read. */
uint64_t sample_processors(const char *text, size_t size);

#endif
