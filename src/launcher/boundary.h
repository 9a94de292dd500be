/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * boundary.h - what the launcher's parts share when they build a protocol 2 boundary.
 *
 * setup.c makes one finished struct child_plan while allocation is still allowed; init.c (PID 1 of
 * the boundary) and child*.c (the workload until exec) only read it.  All of its text is
 * NUL-terminated.
 */
#ifndef BV_LAUNCHER_BOUNDARY_H
#define BV_LAUNCHER_BOUNDARY_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "contract/types.h"
#include "linux/records.h"

enum {
	/* A grant holds a descriptor while mounts are made; 160 leaves room under a soft limit of 1024. */
	BV_LAUNCH_MOUNTS_MAX = 160,
	BV_LAUNCH_FILTER_MAX = 2048, /* instructions; the kernel's own ceiling is 4096 */
	BV_LAUNCH_FDS_MAX = 64,
};

/* Places below the private file system of staged directories, as paths from the private root. */
struct child_stage {
	const char *dir, *lower, *upper, *work;
};

struct child_mount {
	const char *source;
	const char *dest; /* without the leading '/' */
	uint64_t device, inode;
	uint64_t access;     /* Landlock rights; 0: no rule */
	uint64_t attributes; /* MOUNT_ATTR_ */
	int tree_fd;         /* already cloned by the launcher, or -1 */
	bool directory;
	const struct child_stage *stage; /* NULL: the host's directory itself is shown */
};

struct child_link {
	const char *path; /* without the leading '/' */
	const char *target;
};

struct child_rule {
	const char *path; /* without the leading '/' */
	uint64_t access;
};

struct child_limit {
	int resource;
	struct rlimit value;
};

struct child_plan {
	/* The inner end of the boundary channel: messages up, the two releases down. */
	int channel_fd;
	/* Held by the workload alone and close-on-exec: a fault or one byte, then end of file. */
	int exec_fd;
	int ruleset_fd; /* -1: no Landlock */

	bool namespaces;
	bool become_ids; /* in namespaces as root: take inside ids */
	bool setgroups_allowed;
	uint32_t uid, gid; /* to become; in namespaces the inside ids */
	bool drop_ids;     /* without namespaces as root */
	const char *hostname;

	bool root; /* a private root is built */
	const struct child_mount *mounts;
	size_t mount_count;
	const struct child_link *links;
	size_t link_count;
	const struct child_rule *rules;
	size_t rule_count;
	const char *const *masked; /* without the leading '/' */
	size_t masked_count;
	/* Decimal.  Of /tmp NULL where it lies in the file system of staged directories, of that where nothing
	 * is staged. */
	const char *tmp_size, *tmp_inodes, *stage_size, *stage_inodes;
	/* Landlock rights on the private /tmp and /proc, and on the root's own directories. */
	uint64_t tmp_access, proc_access, root_access;

	const struct child_limit *limits;
	size_t limit_count;
	mode_t umask;

	bool terminal;
	const char *cwd;
	const uint32_t *fds; /* ascending */
	size_t fd_count;

	bool attest;
	struct sock_fprog filter;
	unsigned int filter_flags; /* SECCOMP_FILTER_FLAG_ */

	bool tables; /* the launcher has to see what System V IPC holds */

	const char *exe_path;
	int exe_fd; /* -1: by path */
	uint64_t exe_device, exe_inode;
	char *const *argv;
	char *const *envp;
};

/* ---- boundary channel: SOCK_SEQPACKET between launcher and what lives inside ------------------ */

enum boundary_message_type {
	BOUNDARY_FAULT = 1, /* a step of init or of the workload before exec failed */
	/* Carries the workload's pidfd, and what of enum boundary_view there is: a set of those is `index`. */
	BOUNDARY_WORKLOAD,
	BOUNDARY_LISTENER,  /* carries the filter's notification descriptor */
	BOUNDARY_INSTALLED, /* every layer is in place; waits for a release */
	BOUNDARY_MAIN_EXIT, /* the workload's main process ended */
	BOUNDARY_TREE_GONE, /* PID 1 has reaped everyone; carries what they used */
};

/* What a tree used, in the units of struct bv_record_exit. */
struct boundary_usage {
	uint64_t user_us, system_us, max_rss_kib, minor_faults, major_faults;
	uint64_t voluntary_switches, involuntary_switches;
};

struct boundary_message {
	uint32_t type;
	uint32_t step;
	int32_t sys_errno;
	uint32_t index;
	int32_t status; /* MAIN_EXIT */
	uint32_t reserved;
	struct boundary_usage usage; /* TREE_GONE */
};

/*
 * What goes through exec_fd just before the program: when that was, by CLOCK_MONOTONIC.  The launcher
 * may be late to read it, and a run does not begin when somebody looks.
 */
struct boundary_about {
	uint64_t now_ns;
};

/* Descriptors of a message, in order. */
enum { BOUNDARY_FDS_MAX = 7 };

/*
 * What PID 1 lets the launcher see of the inside: its /proc, the file systems of /tmp and of staged
 * directories as far as each is one of its own, and the tables of System V IPC, which show those of
 * whoever opened them.
 */
enum boundary_view {
	VIEW_PROC,
	VIEW_TMP,
	VIEW_STAGE,
	VIEW_SEGMENTS,
	VIEW_QUEUES,
	VIEW_SEMAPHORES,
	VIEW_COUNT
};

/* ---- child zone (child*.c, init.c): nothing allocates, nothing returns to the launcher -------- */

_Noreturn void child_workload(const struct child_plan *plan);
_Noreturn void child_init(const struct child_plan *plan);

/* Reports a failed step with errno and ends this process with 127. */
_Noreturn void child_fail(const struct child_plan *plan, enum bv_step step, uint32_t index);

/* Sends one message, with a descriptor when fd >= 0.  0, or -1 with errno. */
int child_send(const struct child_plan *plan, const struct boundary_message *message, int fd);
int child_send_all(const struct child_plan *plan, const struct boundary_message *message,
		   const int *fds, size_t fd_count);

/* What this process's reaped children used, all descendants they reaped included. */
void child_usage(struct boundary_usage *ret_usage);

/* Waits for the launcher's next release; -1 when the launcher is gone. */
int child_await_release(const struct child_plan *plan);

/* Builds the private root and enters it.  Leaves open what the launcher is to see; -1 where there is none. */
void child_build_root(const struct child_plan *plan, int ret_view[VIEW_COUNT]);

/* A new filesystem instance; `size` and `inodes` are tmpfs options and may be NULL. */
int child_new_fs(const char *type, const char *mode, const char *size, const char *inodes,
		 unsigned int attributes);

/* Mounts `tree` at `path` below `root`, which is made where it is missing. */
int child_attach(int root, int tree, const char *path, bool directory);

/* child_stage.c: the file system of staged directories, put where /proc will cover it. */
int child_stage_open(const struct child_plan *plan, int root);
/* Its part that is /tmp. */
int child_stage_tmp(int root);
/* What is to be shown at a staged mount instead of the host's `tree`, which is used up. */
int child_stage_over(const struct child_plan *plan, int root, const struct child_mount *mount,
		     int tree);

/* Opens `mount` in this mount namespace, checks that it is what the host saw, and clones its tree. */
int child_open_tree(const struct child_mount *mount, int idmap_fd);

/* Closes everything above 2 but the plan's own descriptors and those in `keep` (ascending). */
int child_close_others(const struct child_plan *plan, const int *keep, size_t keep_count);

#endif
