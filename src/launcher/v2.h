/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2.h - protocol 2 inside the launcher: the parts that run before the boundary's first process is
 * made and beside it, where allocation is allowed.
 */
#ifndef BV_LAUNCHER_V2_H
#define BV_LAUNCHER_V2_H

#include <linux/seccomp.h>

#include "boundary.h"

struct launch {
	int control_fd; /* the host's end of the world */
	uint64_t sequence;
	struct bv_arena *arena;
	const struct bv_launch_work *work;
	struct child_plan plan;

	int group_fd;     /* the run's control group, or -1 */
	int channel_fd;   /* our end of plan.channel_fd */
	int exec_read_fd; /* our end of plan.exec_fd */
	int idmap_fd;     /* a user namespace for idmapped mounts, or -1 */
	int host_pidfd;   /* -1 when the host could not be watched that way */

	/* The boundary's first process: PID 1 of the namespaces, or the workload itself. */
	pid_t first_pid;
	int first_pidfd;
	int workload_pidfd;
	int listener_fd;

	bool installed;
	bool executed;
	bool killed;
	bool faulted;
	bool main_ended;
	bool tree_gone;
	struct boundary_usage usage;
	int main_status;
	uint64_t exec_ns, end_ns;

	struct limits *limits;   /* limits.h */
	struct storage *storage; /* v2_storage.c */
};

/* ---- v2.c: talking to the host.  A host that is gone makes these do nothing; the watch sees it. -- */

uint64_t launch_now_ns(void);
void launch_send(struct launch *launch, enum bv_record_type type, const void *payload,
		 size_t size_bytes);
/* The same with a descriptor, unless that is -1. */
void launch_send_fd(struct launch *launch, enum bv_record_type type, const void *payload,
		    size_t size_bytes, int fd);
void launch_state(struct launch *launch, enum bv_launcher_state state);
/* A failed step before anything of the workload ran; ends in BV_STATE_SETUP_FAULTED. */
void launch_fault(struct launch *launch, enum bv_step step, int sys_errno, uint32_t index);
/* A plan this launcher will not carry out; ends in BV_STATE_SETUP_REFUSED. */
void launch_refuse(struct launch *launch, enum bv_launcher_refusal reason, const char *detail);

/* ---- v2_setup.c: the work to a finished child plan ---------------------------------------------- */

/* Checks that the work makes sense on its own; NULL, or what is wrong with it. */
const char *launch_check(const struct bv_launch_work *work);

/* Fills launch->plan.  0, or -1 with the step that failed and errno. */
int launch_prepare(struct launch *launch, enum bv_step *ret_step, uint32_t *ret_index);

/* ---- v2_spawn.c: the boundary's first process ------------------------------------------------------ */

/* A user namespace that maps owner 0 to the workload's ids and everyone else to themselves. */
int launch_make_idmap(const struct bv_launch_namespaces *namespaces);

/* Clones the first process, maps its ids and releases it.  0, or -1 with the step and errno. */
int launch_spawn(struct launch *launch, enum bv_step *ret_step);

/* ---- v2_guard.c ------------------------------------------------------------------------------------ */

/* Where nothing else would end the tree with this process: returns in a child that a guard watches,
 * and that watches the guard as it would the host.  0, or -1 with errno. */
int launch_guard(const struct launch *launch);

/* ---- v2_watch.c: until nothing is left --------------------------------------------------------------- */

/* Watches host, boundary and filter until the first process is gone.  Reaps it. */
void launch_watch(struct launch *launch);

/* Kills and reaps all children of this subreaper until none is left. */
void launch_kill_orphans(const struct launch *launch);

/* Once nothing is left and all is said: removes the control group when the host hangs up. */
void launch_leave(struct launch *launch);

/* Kills the whole tree and does not wait for it. */
void launch_kill(struct launch *launch);

/* v2_storage.c: takes the file systems of /tmp and of staged directories, and tells what was stored. */
void launch_keep_storage(struct launch *launch, const int view[VIEW_COUNT]);
void launch_send_storage(struct launch *launch);

/* v2_denied.c: answers one notification of the filter and counts it. */
void launch_answer_denied(struct launch *launch);
void launch_send_denied_totals(struct launch *launch);

#endif
