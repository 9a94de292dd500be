/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol 1 from the child's creation to its end.
 *
 * The child tells each phase as it comes into force, and its state is written then.  Only the last
 * one waits: a protocol 1 host takes ExecSucceeded for "completed", so it comes when the workload
 * has ended, behind how it ended; that it was executed is told by a note, at once.
 */
#include "launcher/v1.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/sys.h"

static const char *const step_names[BV_STEP_COUNT] = {
#define STEP_NAME(constant, name, text) [constant] = (name),
	BV_STEPS(STEP_NAME)
#undef STEP_NAME
};

int bv__v1_kill(struct bv_v1_launch *launch)
{
	int status = 0;

	bv_assert(launch->pid > 1);
	/* First the group it leads, if it got that far, while its number cannot be another's. */
	(void)kill(-launch->pid, SIGKILL);
	(void)bv_sys_pidfd_send_signal(launch->pidfd, SIGKILL);
	(void)bv_sys_wait4(launch->pid, &status, 0, NULL); /* ours, and not yet reaped */
	return status;
}

static int host_gone(struct bv_v1_launch *launch)
{
	(void)bv__v1_kill(launch);
	return bv__v1_fault_text(launch->transcript, "the host is gone; the workload was killed",
				 "");
}

/*
 * Waits until `fd` can be read or has ended.  False when the host is gone instead: it holds its end
 * of the control channel as long as it lives.
 */
static bool wait_for(struct bv_v1_launch *launch, int fd)
{
	struct pollfd waits[] = {
		{.fd = fd, .events = POLLIN},
		{.fd = launch->launcher->control_fd, .events = 0},
	};

	for (;;) {
		if (poll(waits, 2, -1) < 0) {
			bv_assert(errno == EINTR || errno == ENOMEM);
			continue;
		}
		if (waits[0].revents != 0)
			return true;
		if (waits[1].revents != 0)
			return false;
	}
}

enum reception {
	RECEIVED,
	ENDED,
	HOST_GONE,
};

static enum reception receive(struct bv_v1_launch *launch, struct bv_v1_message *ret_message)
{
	ssize_t got;

	if (!wait_for(launch, launch->child.status_read_fd))
		return HOST_GONE;
	do {
		got = read(launch->child.status_read_fd, ret_message, sizeof(*ret_message));
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return ENDED;
	/* A pipe takes and gives so little only whole. */
	bv_assert(got == (ssize_t)sizeof(*ret_message));
	return RECEIVED;
}

static bool release(struct bv_v1_launch *launch)
{
	const char byte = 1;

	return write(launch->child.go_write_fd, &byte, 1) == 1;
}

/* ---- user namespace (3.8) --------------------------------------------------------------------------- */

static bool write_proc(pid_t pid, const char *name, struct bv_str text)
{
	char space[64];
	struct bv_arena scratch;
	struct bv_str path;
	ssize_t put;
	int fd;

	bv_arena_init(&scratch, space, sizeof(space));
	path = bv_arena_format(&scratch, "/proc/%d/%s", pid, name);
	fd = open(path.data, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	put = write(fd, text.data, text.len);
	(void)close(fd); /* the write has told */
	return put == (ssize_t)text.len;
}

static bool write_map(pid_t pid, const char *name, unsigned int outside)
{
	char space[32];
	struct bv_arena scratch;

	bv_arena_init(&scratch, space, sizeof(space));
	return write_proc(pid, name, bv_arena_format(&scratch, "0 %u 1\n", outside));
}

/* setgroups comes before gid_map: an unprivileged caller may write the map only once it is denied. */
static bool write_maps(pid_t pid)
{
	return write_map(pid, "uid_map", geteuid()) &&
	       write_proc(pid, "setgroups", BV_STR("deny")) && write_map(pid, "gid_map", getegid());
}

/* Born, mapped, released. */
static int let_start(struct bv_v1_launch *launch)
{
	const struct bv_launch_target *target = &launch->body->target;
	struct bv_v1_message born;

	switch (receive(launch, &born)) {
	case HOST_GONE:
		return host_gone(launch);
	case ENDED:
		born.kind = BV_V1_FAILED;
		break;
	case RECEIVED:
		break;
	}
	if (born.kind == BV_V1_RESOLVED &&
	    (!target->has_user_namespace || write_maps(launch->pid)) && release(launch)) {
		if (target->has_user_namespace)
			bv__v1_note(launch->transcript, "user_namespace=mapped child_uid0_egid0");
		if (target->has_network_namespace)
			bv__v1_note(launch->transcript,
				    "network_namespace=empty_netns child_isolated");
		return 0;
	}
	(void)bv__v1_kill(launch);
	if (target->has_user_namespace)
		bv__v1_note(launch->transcript, "user_namespace=map_write_failed fail_closed");
	return bv__v1_fault_text(launch->transcript, "the child could not be started", "");
}

/* ---- setup and exec --------------------------------------------------------------------------------- */

static int setup_failed(struct bv_v1_launch *launch, const struct bv_v1_message *message)
{
	bv_assert(message->step < BV_STEP_COUNT);
	(void)bv__v1_kill(launch);
	bv__v1_note_text(launch->transcript, "child step=", step_names[message->step]);
	bv__v1_note_number(launch->transcript, "child errno=", message->sys_errno);
	bv__v1_state(launch->transcript, BV_STATE_SETUP_FAULTED);
	return BV_LAUNCHER_EXIT_FAULTED;
}

/* End of file without the word that exec is next: something killed it on the way. */
static int died_in_setup(struct bv_v1_launch *launch)
{
	int status = bv__v1_kill(launch);

	if (WIFSIGNALED(status))
		bv__v1_note_number(launch->transcript, "child signal=", WTERMSIG(status));
	bv__v1_note(launch->transcript, "child errno=-1");
	bv__v1_state(launch->transcript, BV_STATE_SETUP_FAULTED);
	return BV_LAUNCHER_EXIT_FAULTED;
}

static void confinement_resolved(struct bv_v1_launch *launch)
{
	const struct bv_v1_actions *actions = &launch->actions;

	if (actions->seccomp)
		bv__v1_note(launch->transcript, "seccomp=denylist_installed mode=filter");
	bv__v1_note(launch->transcript, actions->landlock || actions->seccomp
						? "confinement=Applied installed=true"
						: "confinement=NotRequired installed=false");
	bv__v1_state(launch->transcript, BV_STATE_CONFINEMENT_PHASE_RESOLVED);
	bv__v1_state(launch->transcript, BV_STATE_READY_TO_EXEC);
	/* If it died meanwhile, its end of file comes next and says so. */
	(void)release(launch);
}

/* 0 when the workload was executed. */
static int follow_setup(struct bv_v1_launch *launch)
{
	struct bv_v1_message message;
	bool exec_next = false;

	for (;;) {
		switch (receive(launch, &message)) {
		case HOST_GONE:
			return host_gone(launch);
		case ENDED:
			return exec_next ? 0 : died_in_setup(launch);
		case RECEIVED:
			break;
		}
		switch ((enum bv_v1_message_kind)message.kind) {
		case BV_V1_FAILED:
			return setup_failed(launch, &message);
		case BV_V1_EXEC:
			exec_next = true;
			break;
		case BV_V1_RESOLVED:
			if (message.step == BV_STATE_CONFINEMENT_PHASE_RESOLVED)
				confinement_resolved(launch);
			else
				bv__v1_state(launch->transcript,
					     (enum bv_launcher_state)message.step);
			break;
		}
	}
}

/* Nobody needs the plan any more, and environments hold secrets. */
static void forget_plan(struct bv_v1_launch *launch)
{
	explicit_bzero(launch->arena.base, launch->arena.used);
	(void)munmap(launch->arena.base, launch->arena.size);
	launch->arena = (struct bv_arena){NULL, 0, 0};
	launch->body = NULL;
}

static int follow_workload(struct bv_v1_launch *launch)
{
	int status = 0;

	bv__v1_note(launch->transcript, "exec=confirmed");
	forget_plan(launch);
	if (!wait_for(launch, launch->pidfd))
		return host_gone(launch);
	if (bv_sys_wait4(launch->pid, &status, 0, NULL) != launch->pid)
		return bv__v1_fault_errno(launch->transcript, errno);
	if (WIFSIGNALED(status))
		bv__v1_note_number(launch->transcript, "exit=signal:", WTERMSIG(status));
	else
		bv__v1_note_number(launch->transcript, "exit=code:", WEXITSTATUS(status));
	bv__v1_state(launch->transcript, BV_STATE_EXEC_SUCCEEDED);
	return BV_LAUNCHER_EXIT_OK;
}

int bv__v1_watch(struct bv_v1_launch *launch)
{
	int code;

	/* Or the child's end would never show. */
	(void)close(launch->child.go_fd);
	(void)close(launch->child.status_fd);
	code = let_start(launch);
	if (code == 0)
		code = follow_setup(launch);
	if (code == 0)
		code = follow_workload(launch);
	return code;
}
