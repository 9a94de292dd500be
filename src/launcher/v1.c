/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Launcher protocol 1, the coordinator: checks the plan, prepares all the child will need, and
 * creates it (spec/linux.md 3.2).
 *
 * The order of the checks is the reference's, because hosts and their tests read it off the
 * transcript.  Until the child is created nothing outside this process has changed.
 */
#include "launcher/v1.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/sys.h"

enum {
	ARENA_FLOOR_BYTES = 64 << 10,
	/* An argument of one byte takes a string, its copy, and two pointers. */
	ARENA_BYTES_PER_FRAME_BYTE = 64,
};

static int make_arena(struct bv_v1_launch *launch)
{
	const size_t size = ARENA_FLOOR_BYTES +
			    launch->launcher->frame.len * ARENA_BYTES_PER_FRAME_BYTE;
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return bv__v1_fault_errno(launch->transcript, errno);
	bv_arena_init(&launch->arena, base, size);
	return 0;
}

static int make_pipes(struct bv_v1_launch *launch)
{
	int go[2], status[2];

	if (pipe2(go, O_CLOEXEC) != 0 || pipe2(status, O_CLOEXEC) != 0)
		return bv__v1_fault_errno(launch->transcript, errno);
	launch->child.go_fd = go[0];
	launch->child.go_write_fd = go[1];
	launch->child.status_read_fd = status[0];
	launch->child.status_fd = status[1];
	return 0;
}

/*
 * Hashing the frame left the end of it, where the environment is, in frames of the stack that are
 * dead now.  Deeper than anything called so far went.
 */
static __attribute__((noinline)) void wipe_dead_stack(void)
{
	char dead[32 << 10];

	explicit_bzero(dead, sizeof(dead));
}

/* From the bytes to HandlesVerified. */
static int verify(struct bv_v1_launch *launch, struct bv_launch_body *body)
{
	int code = bv__v1_check_channels(launch);

	if (code == 0)
		code = make_arena(launch);
	if (code == 0)
		code = bv__v1_decode(launch, body);
	/* Decoding copied all of it; secrets need not be here twice. */
	bv_launcher_forget_frame(launch->launcher);
	wipe_dead_stack();
	if (code != 0)
		return code;
	(void)close(launch->launcher->plan_fd); /* only read */

	code = bv__v1_check_identity(launch);
	if (code != 0)
		return code;
	bv__v1_state(launch->transcript, BV_STATE_IDENTITY_VERIFIED);
	code = bv__v1_check_plan(launch);
	if (code != 0)
		return code;
	bv__v1_state(launch->transcript, BV_STATE_PLAN_VERIFIED);
	code = bv__v1_check_handles(launch);
	if (code != 0)
		return code;
	bv__v1_state(launch->transcript, BV_STATE_HANDLES_VERIFIED);
	return 0;
}

/* Everything the child will only use.  Opens descriptors, so it comes after the slots were seen. */
static int prepare(struct bv_v1_launch *launch)
{
	int code = bv__v1_make_ruleset(launch);

	if (code == 0)
		code = bv__v1_make_filter(launch);
	if (code == 0)
		code = bv__v1_check_requests(launch);
	if (code == 0)
		code = bv__v1_check_beyond_reference(launch);
	if (code == 0)
		code = bv__v1_make_vectors(launch);
	if (code == 0)
		code = make_pipes(launch);
	if (code == 0)
		code = bv__v1_list_strangers(launch);
	if (code == 0) {
		int tasks = bv_launcher_task_count();

		if (tasks != 1)
			code = bv__v1_fault_tasks(launch->transcript, tasks);
	}
	launch->child.user_namespace = launch->body->target.has_user_namespace;
	launch->child.launcher_pid = getpid();
	return code;
}

static int enter_cgroup(const struct bv_v1_launch *launch)
{
	char text[16];
	struct bv_arena scratch;
	struct bv_str pid;
	int fd = openat(launch->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	ssize_t put;

	if (fd < 0)
		return -1;
	bv_arena_init(&scratch, text, sizeof(text));
	pid = bv_arena_format(&scratch, "%d", launch->pid);
	put = write(fd, pid.data, pid.len);
	(void)close(fd); /* the write has told */
	return put == (ssize_t)pid.len ? 0 : -1;
}

/*
 * clone3, or clone where a container's filter does not know clone3.  The child waits for the first
 * release before it does anything, so moving it into its control group then is as good as birth.
 */
static int create(struct bv_v1_launch *launch)
{
	const struct bv_launch_target *target = &launch->body->target;
	const uint64_t namespaces = (target->has_user_namespace ? BV_CLONE_NEWUSER : 0) |
				    (target->has_network_namespace ? BV_CLONE_NEWNET : 0);
	const bool grouped = launch->cgroup_fd >= 0;
	const struct bv_clone_args args = {
		.flags = namespaces | BV_CLONE_PIDFD | (grouped ? BV_CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&launch->pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = grouped ? (uint64_t)launch->cgroup_fd : 0,
	};
	bool by_clone = false;

	launch->pid = bv_sys_clone3(&args);
	if (launch->pid < 0 && errno == ENOSYS) {
		by_clone = true;
		launch->pid = bv_sys_clone(namespaces | BV_CLONE_PIDFD, &launch->pidfd);
	}
	if (launch->pid == 0)
		child_v1(&launch->child);
	if (launch->pid < 0)
		return bv__v1_fault_errno(launch->transcript, errno);

	bv__v1_state(launch->transcript, BV_STATE_CHILD_CREATED);
	bv__v1_note_number(launch->transcript,
			   by_clone ? "mechanism=clone child_pid=" : "mechanism=clone3 child_pid=",
			   launch->pid);
	if (grouped && by_clone && enter_cgroup(launch) != 0) {
		int saved = errno;

		(void)bv__v1_kill(launch);
		return bv__v1_fault_errno(launch->transcript, saved);
	}
	if (grouped)
		bv__v1_note(launch->transcript, by_clone ? "cgroup_placement=moved_before_release"
							 : "cgroup_placement=clone_into_cgroup");
	return 0;
}

int bv_launcher_v1(struct bv_launcher *launcher, struct bv_v1_transcript *transcript)
{
	struct bv_launch_body body;
	struct bv_v1_launch launch = {
		.launcher = launcher,
		.transcript = transcript,
		.cgroup_fd = -1,
		.pidfd = -1,
		.child = {.go_fd = -1, .status_fd = -1, .exe_fd = -1, .ruleset_fd = -1},
	};
	int code;

	if (transcript->state < 0)
		bv__v1_state(transcript, BV_STATE_LAUNCHER_STARTED);
	code = verify(&launch, &body);
	if (code == 0)
		code = prepare(&launch);
	if (code == 0)
		code = create(&launch);
	if (code == 0)
		code = bv__v1_watch(&launch);
	bv_assert(bv__v1_ended(transcript));
	return code;
}
