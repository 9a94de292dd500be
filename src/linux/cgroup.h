/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cgroup.h - control groups, version 2 (Linux 4.5; cgroup.kill 5.14, CLONE_INTO_CGROUP 5.7).
 *
 * Each run is born in a group of its own, a leaf with a random name in a directory `bvisor` that was
 * delegated to whoever runs bvisor.  Whoever still holds a leaf's descriptor holds a lock on it; a
 * leaf without a holder is what a killed host left behind, and the next start sweeps it.
 */
#ifndef BV_LINUX_CGROUP_H
#define BV_LINUX_CGROUP_H

#include <limits.h>
#include <sys/types.h>

#include "contract/base.h"

/* ---- where groups can be made: cgroup_find.c --------------------------------------------------- */

enum bv_controller {
	BV_CONTROLLER_CPU = 1,
	BV_CONTROLLER_MEMORY = 2,
	BV_CONTROLLER_PIDS = 4,
	BV_CONTROLLERS_ALL = 7,
};

struct bv_cgroup_place {
	char path[PATH_MAX];  /* the directory of leaves; empty: there is none */
	unsigned int enabled; /* enum bv_controller, for the leaves */
	const char *why_not;  /* static text, where path is empty */
};

/*
 * Finds the place, makes its directory and enables what controllers it can.  In this order: the
 * directory BVISOR_CGROUP names; for an ordinary user the nearest group above this process that is
 * its own; for root the nearest delegated one (xattr trusted.delegate, systemd 236), else the root
 * of the hierarchy.  Where a group of its own must be empty for that (no-internal-process rule) and
 * everyone in it is this user's, they are moved into a child of it.
 */
void bv__cgroup_find(struct bv_cgroup_place *ret_place);

/* Whether `granted` (a canonical path) lies in a control group file system of this mount namespace, or above one. */
bool bv__cgroup_shown_by(struct bv_str granted);

/* cgroup_systemd.c: whether the user's own systemd says that this unit of its has Delegate=yes. */
bool bv__systemd_delegates(const char *unit);

/* "cpu memory pids", or "none", of a set over enum bv_controller. */
const char *bv__controllers_text(unsigned int set);

/* ---- one run's group: cgroup.c ---------------------------------------------------------------------- */

struct bv_cgroup {
	int fd;              /* the leaf, locked; -1: none */
	char path[PATH_MAX]; /* where it is */
};

/* What the kernel is to hold; UINT64_MAX: no limit. */
struct bv_cgroup_limits {
	uint64_t memory_bytes;
	uint64_t tasks;
};

/* Makes a leaf in `place`, after sweeping what nobody holds.  The result is owned by the caller. */
enum bv_code bv__cgroup_make(const char *place, const struct bv_cgroup_limits *limits,
			     struct bv_cgroup *ret_group, struct bv_error *err);

/* Kills every member: one act where there is cgroup.kill, else frozen first.  0 or -1. */
int bv__cgroup_kill(int group_fd);

/* Kills what is left, waits for it at most `timeout_ms`, removes the leaf and closes it.  Whether it is gone. */
bool bv__cgroup_remove(struct bv_cgroup *group, int timeout_ms);

/* Removes the leaves in `place` that nobody holds; how many there were. */
int bv__cgroup_sweep(const char *place);

/* Counters of a leaf; a file that this kernel lacks leaves `has_` false. */
struct bv_cgroup_counters {
	bool has_cpu_micros, has_memory_peak, has_oom_kills, has_tasks_peak, has_tasks_refused;
	uint64_t cpu_micros;
	uint64_t memory_peak; /* bytes; Linux 5.19 */
	uint64_t oom_kills;
	uint64_t tasks_peak; /* Linux 6.1 */
	uint64_t tasks_refused;
};
void bv__cgroup_read(int group_fd, struct bv_cgroup_counters *ret_counters);

/* How many processes are in there, as far as they fit into 4 KiB of numbers; -1: it cannot be read. */
int bv__cgroup_count(int group_fd, pid_t *ret_first);

/* ---- shared: cgroup_file.c; the launcher has it too -------------------------------------------------- */

/* A whole small file of a group into `text`, NUL-terminated.  Its length, or -1 with errno. */
ssize_t bv__group_get(int group_fd, const char *file, char *text, size_t size_bytes);
/* One write.  0, or -1 with errno. */
int bv__group_put(int group_fd, const char *file, const char *text);
/* The number behind `key` in "key number" lines; false when there is none. */
bool bv__group_number(const char *text, const char *key, uint64_t *ret_number);
/* cgroup.kill, or frozen and killed one by one.  0, or -1 with errno. */
int bv__group_kill(int group_fd);

/* ---- parts of cgroup_find.c, for tests ------------------------------------------------------------------ */

/* Decodes \040 and the like of /proc/self/mountinfo in place. */
void bv__mountinfo_unescape(char *text);
/* The first cgroup2 mount of a mountinfo text: its root in the hierarchy and where it is.  Cuts up `text`. */
bool bv__cgroup2_mount(char *text, const char **ret_root, const char **ret_point);
/* The path behind "0::" of /proc/self/cgroup.  Cuts up `text`.  NULL: none. */
const char *bv__cgroup2_own(char *text);

#endif
