/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol 1's workload between clone and exec.
 *
 * The async-signal-safe zone, like child.c: only child_*, bv_sys_* and the names in
 * tools/child-symbols.txt; the input is one finished struct bv_v1_child_plan.  The table at the end
 * is the order of steps and its documentation.  A step that fails ends the process.
 */
#include "launcher/v1.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "linux/sys.h"

enum {
	CAPABILITY_COUNT = 64,
	SIGNAL_KILL = 9,
	SECUREBITS_LOCKED = 0x2f, /* NOROOT, NO_SETUID_FIXUP, no KEEP_CAPS: each with its lock */
	AMBIENT = 47,             /* PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL */
	AMBIENT_CLEAR_ALL = 4,
};

static int child_v1_tell(const struct bv_v1_child_plan *plan, enum bv_v1_message_kind kind,
			 uint32_t step, int sys_errno)
{
	const struct bv_v1_message message = {.kind = kind, .step = step, .sys_errno = sys_errno};

	return write(plan->status_fd, &message, sizeof(message)) == (ssize_t)sizeof(message) ? 0
											     : -1;
}

/* One byte from the launcher; its death is an end of file, and ours. */
static int child_v1_await(const struct bv_v1_child_plan *plan)
{
	char byte;

	for (;;) {
		ssize_t got = read(plan->go_fd, &byte, 1);

		if (got == 1)
			return 0;
		if (got == 0)
			errno = EPIPE;
		else if (errno == EINTR)
			continue;
		return -1;
	}
}

/* The launcher writes our id maps, and /proc/<pid> is the user's own only while we are dumpable. */
static int child_v1_born(const struct bv_v1_child_plan *plan)
{
	if (close(plan->go_write_fd) != 0 || close(plan->status_read_fd) != 0)
		return -1;
	if (plan->user_namespace && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
		return -1;
	if (child_v1_tell(plan, BV_V1_RESOLVED, BV_STATE_CHILD_CREATED, 0) != 0)
		return -1;
	return child_v1_await(plan);
}

static int child_v1_session(const struct bv_v1_child_plan *plan)
{
	if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGNAL_KILL, 0, 0, 0) != 0)
		return -1;
	if (getppid() != plan->launcher_pid) {
		/* It died before the line above, so no signal will come. */
		errno = EPIPE;
		return -1;
	}
	return 0;
}

static int child_v1_signals(const struct bv_v1_child_plan *plan)
{
	(void)plan;
	return bv_sys_reset_signals();
}

/* One byte: too small for a dump file, and a pipe handler is not started for exactly 1. */
static int child_v1_limits(const struct bv_v1_child_plan *plan)
{
	const struct rlimit core = {1, 1};

	(void)plan;
	/* EPERM: the hard limit is 0 already, and only root may raise it again. */
	return setrlimit(RLIMIT_CORE, &core) != 0 && errno != EPERM ? -1 : 0;
}

static int child_v1_no_new_privs(const struct bv_v1_child_plan *plan)
{
	(void)plan;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int child_v1_capabilities(const struct bv_v1_child_plan *plan)
{
	/* Without CAP_SETPCAP the first two are refused.  Nothing is lost then: no_new_privs keeps
	 * exec from giving back what the last line drops.  Born in a user namespace we have it. */
	for (int number = 0; number < CAPABILITY_COUNT; number++) {
		if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EINVAL &&
		    (errno != EPERM || plan->user_namespace))
			return -1;
	}
	if (prctl(PR_SET_SECUREBITS, SECUREBITS_LOCKED, 0, 0, 0) != 0 &&
	    (errno != EPERM || plan->user_namespace))
		return -1;
	if (prctl(AMBIENT, AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return -1;
	if (bv_sys_drop_capabilities() != 0)
		return -1;
	if (child_v1_tell(plan, BV_V1_RESOLVED, BV_STATE_IDENTITY_PHASE_RESOLVED, 0) != 0)
		return -1;
	/* What is visible was decided at birth: an empty network namespace, or the host's all. */
	return child_v1_tell(plan, BV_V1_RESOLVED, BV_STATE_VISIBILITY_PHASE_RESOLVED, 0);
}

/* Ascending insertion; `kept` has room for all five. */
static void child_v1_keep(unsigned int *kept, size_t count, int fd)
{
	size_t at = count;

	while (at > 0 && kept[at - 1] > (unsigned int)fd) {
		kept[at] = kept[at - 1];
		at--;
	}
	kept[at] = (unsigned int)fd;
}

static int child_v1_close_gaps(const unsigned int *kept, size_t count)
{
	unsigned int next = 3;

	for (size_t i = 0; i < count; i++) {
		if (kept[i] > next && bv_sys_close_range(next, kept[i] - 1, 0) != 0)
			return -1;
		next = kept[i] + 1;
	}
	return bv_sys_close_range(next, ~0U, 0);
}

static int child_v1_fds(const struct bv_v1_child_plan *plan)
{
	unsigned int kept[4];
	size_t count = 0;

	/* All but a script's exe_fd are close-on-exec, so the workload gets none of them. */
	child_v1_keep(kept, count++, plan->go_fd);
	child_v1_keep(kept, count++, plan->status_fd);
	child_v1_keep(kept, count++, plan->exe_fd);
	if (plan->ruleset_fd >= 0)
		child_v1_keep(kept, count++, plan->ruleset_fd);
	if (plan->close_list != NULL) {
		for (size_t i = 0; i < plan->close_count; i++)
			(void)close(
				plan->close_list[i]); /* Linux has closed it, whatever it says */
	} else if (child_v1_close_gaps(kept, count) != 0) {
		return -1;
	}
	return child_v1_tell(plan, BV_V1_RESOLVED, BV_STATE_AMBIENT_AUTHORITY_PHASE_RESOLVED, 0);
}

static int child_v1_landlock(const struct bv_v1_child_plan *plan)
{
	if (plan->ruleset_fd < 0)
		return 0;
	if (bv_sys_landlock_restrict_self(plan->ruleset_fd, 0) != 0)
		return -1;
	return close(plan->ruleset_fd);
}

static int child_v1_seccomp(const struct bv_v1_child_plan *plan)
{
	if (plan->filter != NULL && bv_sys_seccomp_filter(0, plan->filter) != 0)
		return -1;
	return child_v1_tell(plan, BV_V1_RESOLVED, BV_STATE_CONFINEMENT_PHASE_RESOLVED, 0);
}

static int child_v1_exec(const struct bv_v1_child_plan *plan)
{
	if (child_v1_await(plan) != 0 || child_v1_tell(plan, BV_V1_EXEC, BV_STEP_EXEC, 0) != 0)
		return -1;
	bv_sys_execveat(plan->exe_fd, "", plan->argv, plan->envp, BV_AT_EMPTY_PATH);
	return -1;
}

static const struct {
	enum bv_step step;
	int (*run)(const struct bv_v1_child_plan *plan);
} child_v1_steps[] = {
	/* Until the maps are written, and the control group is entered, nothing may happen. */
	{BV_STEP_USER_MAP, child_v1_born},
	{BV_STEP_SESSION, child_v1_session},
	{BV_STEP_SIGNALS, child_v1_signals},
	{BV_STEP_LIMITS, child_v1_limits},
	/* Before capabilities go: the kernel wants one of the two for Landlock and a filter. */
	{BV_STEP_NO_NEW_PRIVS, child_v1_no_new_privs},
	{BV_STEP_CAPABILITIES, child_v1_capabilities},
	{BV_STEP_FDS, child_v1_fds},
	{BV_STEP_LANDLOCK, child_v1_landlock},
	/* Last: only write, read and execveat follow, and the filter allows them. */
	{BV_STEP_SECCOMP, child_v1_seccomp},
	{BV_STEP_EXEC, child_v1_exec},
};

_Noreturn void child_v1(const struct bv_v1_child_plan *plan)
{
	for (size_t i = 0; i < sizeof(child_v1_steps) / sizeof(child_v1_steps[0]); i++) {
		if (child_v1_steps[i].run(plan) != 0) {
			/* If the launcher is gone there is no one to tell. */
			(void)child_v1_tell(plan, BV_V1_FAILED, child_v1_steps[i].step, errno);
			_exit(127);
		}
	}
	__builtin_trap();
}
