/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* v2_spawn.c - creates the boundary's first process and maps its user and group ids. */
#include "v2.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"
#include "linux/sys.h"

/* Writes a file of /proc/<pid>; one write, as the kernel demands of id maps. */
static int write_proc(pid_t pid, const char *name, const char *data)
{
	char path[64];
	size_t length = strlen(data);
	ssize_t written;
	int fd, saved;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	written = write(fd, data, length);
	saved = errno;
	close(fd);
	errno = saved;
	return written == (ssize_t)length ? 0 : -1;
}

static int map_ids(pid_t pid, const struct bv_launch_namespaces *ns)
{
	char map[64];

	/* An ordinary user may map its own group only after giving up setgroups(2). */
	if (geteuid() != 0 && write_proc(pid, "setgroups", "deny") != 0)
		return -1;
	(void)snprintf(map, sizeof(map), "%u %u 1\n", (unsigned)ns->gid_inside,
		       (unsigned)ns->gid_outside);
	if (write_proc(pid, "gid_map", map) != 0)
		return -1;
	(void)snprintf(map, sizeof(map), "%u %u 1\n", (unsigned)ns->uid_inside,
		       (unsigned)ns->uid_outside);
	return write_proc(pid, "uid_map", map);
}

/*
 * On disk 0 <-> the workload's id; every other owner stays who it is, so that stat still tells the
 * truth about them.  The workload's own kernel id owns nothing on disk and is left out.
 */
static void owner_map(char *out, size_t size, uint32_t outside)
{
	(void)snprintf(out, size, "0 %u 1\n1 1 %u\n%u %u %u\n", outside, outside - 1, outside + 1,
		       outside + 1, 4294967294U - outside);
}

/* Keeps a user namespace alive until it has been opened. */
static int hold_namespace(void *unused)
{
	(void)unused;
	/* A launcher that dies takes it along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;)
		pause();
	return 0;
}

int launch_make_idmap(const struct bv_launch_namespaces *namespaces)
{
	/* Shares our memory, which spares copying it for a process that only has to exist. */
	static char stack[4096] __attribute__((aligned(16)));
	char map[128], path[64];
	int pidfd = -1, fd = -1, saved;
	pid_t pid = bv_sys_spawn_beside(BV_CLONE_NEWUSER, hold_namespace, NULL, stack,
					sizeof(stack), &pidfd);

	if (pid < 0)
		return -1;
	owner_map(map, sizeof(map), namespaces->gid_outside);
	if (write_proc(pid, "gid_map", map) == 0) {
		owner_map(map, sizeof(map), namespaces->uid_outside);
		if (write_proc(pid, "uid_map", map) == 0) {
			(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
	}
	saved = errno;
	/* It is reaped with everything else, or by whoever outlives us. */
	(void)bv_sys_kill_child(pid, pidfd);
	close(pidfd);
	errno = saved;
	return fd;
}

static uint64_t clone_flags(const struct bv_launch_work *work)
{
	uint64_t flags = 0;

	if (work->has_namespaces) {
		flags = BV_CLONE_NEWUSER | BV_CLONE_NEWNS | BV_CLONE_NEWPID | BV_CLONE_NEWIPC |
			BV_CLONE_NEWUTS | BV_CLONE_NEWCGROUP;
		if (work->namespaces.network)
			flags |= BV_CLONE_NEWNET;
	}
	return flags;
}

int launch_spawn(struct launch *launch, enum bv_step *ret_step)
{
	const char go = 'g';
	pid_t pid;

	*ret_step = BV_STEP_CLONE;
	/* Whatever is orphaned inside comes back to us where there is no PID 1 of its own. */
	if (!launch->plan.namespaces && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return -1;
	/* An ordinary user may write the id maps of a dumpable process only; the child inherits this and
	 * gives it up as soon as it is mapped, before anything untrusted exists. */
	if (launch->plan.namespaces && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
		return -1;
	pid = group_fork(clone_flags(launch->work), launch->group_fd, &launch->first_pidfd);
	if (pid != 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (pid < 0)
		return -1;
	if (pid == 0) {
		if (launch->plan.namespaces)
			child_init(&launch->plan);
		child_workload(&launch->plan);
	}
	launch->first_pid = pid;
	if (!launch->plan.namespaces)
		launch->workload_pidfd = launch->first_pidfd;
	/* The streams are the workload's: held here too, they would not end with it. */
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	/* Only the inside holds these now, so that their end of file means what it says. */
	close(launch->plan.exec_fd);
	close(launch->plan.channel_fd);
	launch->plan.exec_fd = launch->plan.channel_fd = -1;
	if (!launch->plan.namespaces)
		return 0;
	*ret_step = BV_STEP_USER_MAP;
	if (map_ids(pid, &launch->work->namespaces) != 0)
		return -1;
	return send(launch->channel_fd, &go, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}
