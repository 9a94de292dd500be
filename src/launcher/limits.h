/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * limits.h - the limits this launcher holds itself, beside the living boundary.
 *
 * Time by its own clock, so that a host that is busy elsewhere cannot make a limit late; processor
 * time by the control group's clock, and where there is no group by looking at the tree, as memory
 * and tasks where nothing in the kernel holds them.  Whatever is limited, what was used is told.
 */
#ifndef BV_LAUNCHER_LIMITS_H
#define BV_LAUNCHER_LIMITS_H

#include "contract/backend.h"
#include "v2.h"

/* Before anything is started.  0, or -1 with errno: a limit could not be held here. */
int launch_limits_prepare(struct launch *launch);

/* PID 1's view of the inside; takes the descriptors, of which any may be -1. */
void launch_limits_take(struct launch *launch, const int view[VIEW_COUNT]);

/* The program runs. */
void launch_limits_start(struct launch *launch);

/* How long there is nothing to do, in nanoseconds; negative: for ever. */
int64_t launch_limits_idle_ns(const struct launch *launch);

/* Does what is due. */
void launch_limits_step(struct launch *launch);

/* SIGTERM for the main process, and the kill after the grace; at once where there is none. */
void launch_stop(struct launch *launch);

/* What was used, just before the end is told. */
void launch_send_usage(struct launch *launch);

/* ---- v2_storage.c: storage -------------------------------------------------------------------- */

/* Before anything is started.  0, or -1 with errno. */
int launch_storage_prepare(struct launch *launch);
/* Whether something of it is held by looking. */
bool launch_storage_is_sampled(const struct launch *launch);
void launch_storage_start(struct launch *launch);
/* When the next step is due, by launch_now_ns; 0: never. */
uint64_t launch_storage_at(const struct launch *launch);
/* Does what is due; false where the workload can be seen no more. */
bool launch_storage_step(struct launch *launch, uint64_t now);
/* What is used now, for the report. */
void launch_storage_look(struct launch *launch);

/* For it, of v2_limits.c: tells the host, and ends the run. */
void launch_reach(struct launch *launch, enum bv_dimension dimension, uint64_t usage);

/* ---- v2_tasks.c: tasks asked for before they are made ----------------------------------------- */

/* Whether the filter is to ask for them. */
bool launch_counts_tasks(const struct launch *launch);

/* Takes a notification if it asks for a task.  While launch_tasks_at() is not 0 no other may be read. */
bool launch_answer_task(struct launch *launch, const struct seccomp_notif *call);
uint64_t launch_tasks_at(void);
void launch_tasks_step(struct launch *launch);

/* For it, of v2_limits.c. */
struct sampler *launch_sampler(struct launch *launch); /* NULL: nothing can be seen */
void launch_saw_tasks(struct launch *launch, uint64_t count);
void launch_refused_task(struct launch *launch);
uint64_t launch_own_ns(void);

#endif
