/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v1.h - what the parts of launcher protocol 1 share.
 *
 * One launch is a straight line: v1_plan.c decides from the bytes alone, v1_handles.c looks at the
 * descriptors, v1_policy.c makes the Landlock ruleset and the filter, v1.c creates the child and
 * watches it, v1_child.c is the child.  Every stage returns 0 to go on, or the exit code after it
 * has written the refusal or the fault itself: a transcript ends in exactly one terminal.
 */
#ifndef BV_LAUNCHER_V1_H
#define BV_LAUNCHER_V1_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "contract/types.h"
#include "launcher/launcher.h"

/* ---- transcript (spec/linux.md 1.9, 1.10) -------------------------------------------------------- */

struct bv_v1_transcript {
	int fd;
	int state; /* the last one written, -1 before the first */
};

/* Writes a state.  Breaking the order of 1.10 is a fault of ours and ends the process. */
void bv__v1_state(struct bv_v1_transcript *transcript, enum bv_launcher_state state);
bool bv__v1_ended(const struct bv_v1_transcript *transcript);

void bv__v1_note(struct bv_v1_transcript *transcript, const char *text);
void bv__v1_note_number(struct bv_v1_transcript *transcript, const char *text, int64_t number);
/* `value` may be somebody else's: control characters come out as '?', and it is cut to a line. */
void bv__v1_note_text(struct bv_v1_transcript *transcript, const char *text, const char *value);

/* Each ends the transcript and returns the exit code. */
int bv__v1_refuse(struct bv_v1_transcript *transcript, enum bv_launcher_refusal reason,
		  const char *why);
int bv__v1_refuse_number(struct bv_v1_transcript *transcript, enum bv_launcher_refusal reason,
			 const char *why, int64_t number);
int bv__v1_fault_text(struct bv_v1_transcript *transcript, const char *text, const char *value);
int bv__v1_fault_errno(struct bv_v1_transcript *transcript, int sys_errno);
/* `tasks` is what bv_launcher_task_count returned, errno included. */
int bv__v1_fault_tasks(struct bv_v1_transcript *transcript, int tasks);

/* ---- one launch ------------------------------------------------------------------------------------ */

enum {
	BV_V1_SLOTS_MAX = 1024,       /* the usual soft limit of descriptors */
	BV_V1_FILTER_MAX = 64,        /* instructions; the longest filter has half of that */
	BV_V1_LANDLOCK_ABI_FLOOR = 3, /* below it truncate(2) cannot be denied */
};

struct bv_v1_actions {
	bool scrub;
	bool landlock;
	bool seccomp;
	bool exec;
};

/* What the child does: finished before it exists, and only read by it. */
struct bv_v1_child_plan {
	int go_fd;     /* one byte lets it start, a second one lets it exec */
	int status_fd; /* struct bv_v1_message */
	/* The launcher's ends of the two; the child's copies would hide the launcher's death. */
	int go_write_fd;
	int status_read_fd;
	int exe_fd;
	int ruleset_fd; /* -1: no Landlock */
	bool user_namespace;
	pid_t launcher_pid;
	const struct sock_fprog *filter; /* NULL: none */

	/* Everything open that the workload must not have, for kernels without close_range. */
	const int *close_list;
	size_t close_count;

	char *const *argv;
	char *const *envp;
};

struct bv_v1_launch {
	struct bv_launcher *launcher;
	struct bv_v1_transcript *transcript;
	struct bv_arena arena; /* of the decoded body, argv and envp */
	const struct bv_launch_body *body;
	struct bv_v1_actions actions;
	int cgroup_fd; /* -1: none */
	pid_t pid;
	int pidfd;
	struct sock_filter filter[BV_V1_FILTER_MAX];
	struct sock_fprog program;
	struct bv_v1_child_plan child;
};

/* v1_plan.c */
int bv__v1_decode(struct bv_v1_launch *launch, struct bv_launch_body *body);
int bv__v1_check_identity(struct bv_v1_launch *launch);
int bv__v1_check_plan(struct bv_v1_launch *launch);
int bv__v1_check_requests(struct bv_v1_launch *launch); /* R9, F6 */
/*
 * What the reference takes and we do not.  Last of all checks, so that a plan with two faults is
 * refused for the one its host expects to hear of.
 */
int bv__v1_check_beyond_reference(struct bv_v1_launch *launch);
int bv__v1_make_vectors(struct bv_v1_launch *launch); /* argv, envp */

/* v1_handles.c */
int bv__v1_check_channels(struct bv_v1_launch *launch);
int bv__v1_check_handles(struct bv_v1_launch *launch);
int bv__v1_list_strangers(struct bv_v1_launch *launch);

/* v1_policy.c */
int bv__v1_make_ruleset(struct bv_v1_launch *launch);
int bv__v1_make_filter(struct bv_v1_launch *launch);

/* v1_watch.c: from the child's creation to its end.  Emits everything after ChildCreated's notes. */
int bv__v1_watch(struct bv_v1_launch *launch);

/* Kills the child and what shares its process group, reaps it, and returns its wait status. */
int bv__v1_kill(struct bv_v1_launch *launch);

/* ---- the child (v1_child.c) -------------------------------------------------------------------------- */

enum bv_v1_message_kind {
	BV_V1_RESOLVED = 1, /* step: the enum bv_launcher_state of a phase that is now in force */
	BV_V1_FAILED,       /* step: enum bv_step; sys_errno */
	BV_V1_EXEC,         /* the next thing is execveat: end of file means it worked */
};

/* One write, shorter than PIPE_BUF: arrives whole or not at all. */
struct bv_v1_message {
	uint32_t kind;
	uint32_t step;
	int32_t sys_errno;
	uint32_t reserved;
};

_Noreturn void child_v1(const struct bv_v1_child_plan *plan);

#endif
