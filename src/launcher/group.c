/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* group.c - the launcher's side of the run's control group. */
#include "group.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/cgroup.h"
#include "linux/sys.h"

pid_t group_fork(uint64_t flags, int group_fd, int *ret_pidfd)
{
	char number[32];
	pid_t pid = bv_sys_fork(flags, group_fd, ret_pidfd);

	if (pid >= 0 || group_fd < 0 || errno != ENOSYS)
		return pid;
	pid = bv_sys_fork(flags, -1, ret_pidfd);
	if (pid <= 0)
		return pid;
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	if (bv__group_put(group_fd, "cgroup.procs", number) != 0) {
		const int saved = errno;

		(void)bv_sys_kill_child(pid, *ret_pidfd);
		(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
		close(*ret_pidfd);
		errno = saved;
		return -1;
	}
	return pid;
}

void group_remove(int group_fd)
{
	char self[64], target[PATH_MAX];
	ssize_t length;

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", group_fd);
	length = readlink(self, target, sizeof(target) - 1);
	if (length <= 0)
		return;
	target[length] = '\0';
	/* What cannot be removed is swept at the next start of bvisor. */
	if (rmdir(target) != 0)
		errno = 0;
}
