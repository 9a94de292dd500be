/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * child_init.c - PID 1 of the boundary (async-signal-safe zone, see child.c).
 *
 * It builds the private root, forks the workload, reaps everything, reports how the main process
 * ended, and ends; the kernel then kills whatever is left.  The launcher's death kills it, and with
 * it everything.
 */
#include "boundary.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/sys.h"

static void child_become(const struct child_plan *plan)
{
	if (!plan->become_ids)
		return;
	if ((plan->setgroups_allowed && bv_sys_setgroups(0, NULL) != 0) ||
	    bv_sys_setresgid(plan->gid) != 0 || bv_sys_setresuid(plan->uid) != 0)
		child_fail(plan, BV_STEP_IDENTITY, 0);
}

/* Everything but the channel is the workload's business. */
static void child_close_for_init(const struct child_plan *plan)
{
	const int keep[1] = {plan->channel_fd};

	/* The standard streams too: a pipe held here would look like output still to come. */
	if (close(0) != 0 || close(1) != 0 || close(2) != 0 ||
	    child_close_others(plan, keep, 1) != 0)
		child_fail(plan, BV_STEP_FDS, 0);
}

static uint64_t child_microseconds(struct timeval value)
{
	return (uint64_t)value.tv_sec * 1000000U + (uint64_t)value.tv_usec;
}

void child_usage(struct boundary_usage *ret_usage)
{
	struct rusage usage;

	memset(&usage, 0, sizeof(usage));
	(void)getrusage(RUSAGE_CHILDREN, &usage);
	ret_usage->user_us = child_microseconds(usage.ru_utime);
	ret_usage->system_us = child_microseconds(usage.ru_stime);
	ret_usage->max_rss_kib = (uint64_t)usage.ru_maxrss;
	ret_usage->minor_faults = (uint64_t)usage.ru_minflt;
	ret_usage->major_faults = (uint64_t)usage.ru_majflt;
	ret_usage->voluntary_switches = (uint64_t)usage.ru_nvcsw;
	ret_usage->involuntary_switches = (uint64_t)usage.ru_nivcsw;
}

static _Noreturn void child_reap(const struct child_plan *plan, pid_t workload)
{
	for (;;) {
		int status;
		pid_t pid = bv_sys_wait4(-1, &status, __WALL, NULL);

		if (pid == workload) {
			const struct boundary_message ended = {.type = BOUNDARY_MAIN_EXIT,
							       .status = status};

			(void)child_send(plan, &ended, -1);
			/* What outlives the main process does not outlive the boundary. */
			kill(-1, SIGKILL);
		} else if (pid < 0) {
			/* ECHILD: nobody is left, and every one of them has been counted.  Said before the end,
			 * because taking the namespaces down takes longer than many a workload runs. */
			struct boundary_message gone = {.type = BOUNDARY_TREE_GONE};

			child_usage(&gone.usage);
			(void)child_send(plan, &gone, -1);
			_exit(0);
		}
	}
}

/* Names the workload to the launcher, with the view as far as there is one. */
static int child_name(const struct child_plan *plan, int pidfd, const int view[VIEW_COUNT])
{
	struct boundary_message born = {.type = BOUNDARY_WORKLOAD};
	int fds[BOUNDARY_FDS_MAX] = {pidfd};
	size_t count = 1;

	for (unsigned int i = 0; i < VIEW_COUNT; i++) {
		if (view[i] < 0)
			continue;
		fds[count++] = view[i];
		born.index |= 1U << i;
	}
	return child_send_all(plan, &born, fds, count);
}

_Noreturn void child_init(const struct child_plan *plan)
{
	int view[VIEW_COUNT] = {-1, -1, -1, -1, -1, -1};
	pid_t workload;
	int pidfd = -1;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NAME, "bvisor-init", 0, 0, 0) != 0)
		child_fail(plan, BV_STEP_CLONE, 0);
	/* The launcher may have died before the line above; then the channel says so. */
	if (child_await_release(plan) != 0)
		child_fail(plan, BV_STEP_USER_MAP, 0);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		child_fail(plan, BV_STEP_USER_MAP, 1);
	child_become(plan);
	/* A change of ids clears the death signal. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || setsid() < 0)
		child_fail(plan, BV_STEP_SESSION, 1);
	if (plan->root)
		child_build_root(plan, view);
	if (plan->hostname[0] != '\0' &&
	    sethostname(plan->hostname, __builtin_strlen(plan->hostname)) != 0)
		child_fail(plan, BV_STEP_HOSTNAME, 0);

	workload = bv_sys_fork(0, -1, &pidfd);
	if (workload < 0)
		child_fail(plan, BV_STEP_FORK, 0);
	if (workload == 0)
		child_workload(plan);
	if (child_name(plan, pidfd, view) != 0)
		child_fail(plan, BV_STEP_FORK, 1);
	child_close_for_init(plan);
	child_reap(plan, workload);
}
