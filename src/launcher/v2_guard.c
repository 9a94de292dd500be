/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_guard.c - a second pair of eyes where neither a PID namespace nor a control group is there.
 *
 * Without them the tree is held together by its subreaper alone, and a launcher that is killed would
 * leave it to the host's init.  So two processes watch over it: the guard, which the host knows as
 * the launcher, and the launcher proper, its child.  Each is told by the kernel when the other dies,
 * and ends the tree.
 */
#include "v2.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/sys.h"

static _Noreturn void guard(const struct launch *launch, pid_t launcher)
{
	int status = 0;

	/* Everything that was opened for the run is the launcher's to close. */
	if (bv_sys_close_range(0, ~0U, 0) != 0)
		_exit(127);
	/* Orphans of the tree come here only once the launcher is gone. */
	while (bv_sys_wait4(launcher, &status, __WALL, NULL) < 0 && errno == EINTR)
		;
	launch_kill_orphans(launch);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int launch_guard(const struct launch *launch)
{
	int pidfd = -1;
	pid_t pid;

	if (launch->work->has_namespaces || launch->group_fd >= 0)
		return 0;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return -1;
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid < 0)
		return -1;
	if (pid > 0)
		guard(launch, pid);
	return 0;
}
