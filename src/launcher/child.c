/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * child.c - the workload's process between fork and exec.
 *
 * The async-signal-safe zone: only child_*, bv_sys_* and the names in tools/child-symbols.txt; the
 * input is one finished struct child_plan.  The table at the end is the order of steps and its
 * documentation.  A step that fails ends the process: nothing is retried, nothing is best effort.
 */
#include "boundary.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "linux/sys.h"

enum {
	SECUREBITS_LOCKED =
		0xef, /* NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE and all four locks */
	CAPABILITY_COUNT = 64,
	PR_CAP_AMBIENT_NUMBER = 47,
	PR_CAP_AMBIENT_CLEAR = 4,
};

int child_send_all(const struct child_plan *plan, const struct boundary_message *message,
		   const int *fds, size_t fd_count)
{
	struct iovec part = {(void *)(uintptr_t)message, sizeof(*message)};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(BOUNDARY_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = (socklen_t)CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
		packet.msg_control = &control;
		packet.msg_controllen = (socklen_t)CMSG_SPACE(fd_count * sizeof(int));
	}
	return sendmsg(plan->channel_fd, &packet, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int child_send(const struct child_plan *plan, const struct boundary_message *message, int fd)
{
	return child_send_all(plan, message, &fd, fd >= 0 ? 1 : 0);
}

_Noreturn void child_fail(const struct child_plan *plan, enum bv_step step, uint32_t index)
{
	const struct boundary_message fault = {.type = BOUNDARY_FAULT,
					       .step = step,
					       .sys_errno = errno,
					       .index = index};

	/* If the launcher is gone there is no one to tell, and this process is about to be killed. */
	(void)child_send(plan, &fault, -1);
	_exit(127);
}

int child_await_release(const struct child_plan *plan)
{
	char byte;

	for (;;) {
		ssize_t got = recv(plan->channel_fd, &byte, 1, 0);

		if (got == 1)
			return 0;
		if (got == 0)
			errno = EPIPE;
		else if (errno == EINTR)
			continue;
		return -1;
	}
}

int child_close_others(const struct child_plan *plan, const int *keep, size_t keep_count)
{
	unsigned int next = 3;

	(void)plan;
	for (size_t i = 0; i < keep_count; i++) {
		unsigned int kept = (unsigned int)keep[i];

		if (kept > next && bv_sys_close_range(next, kept - 1, 0) != 0)
			return -1;
		if (kept >= next)
			next = kept + 1;
	}
	return bv_sys_close_range(next, ~0U, 0);
}

static int child_session(const struct child_plan *plan)
{
	(void)plan;
	return setsid() < 0 ? -1 : 0;
}

static int child_signals(const struct child_plan *plan)
{
	(void)plan;
	/* Without namespaces the launcher is the parent, and its death must be ours. */
	if (!plan->namespaces && prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) != 0)
		return -1;
	return bv_sys_reset_signals();
}

static int child_terminal(const struct child_plan *plan)
{
	return plan->terminal ? ioctl(0, TIOCSCTTY, 0) : 0;
}

static int child_limits(const struct child_plan *plan)
{
	umask(plan->umask);
	for (size_t i = 0; i < plan->limit_count; i++) {
		if (setrlimit((__typeof__(RLIMIT_NOFILE))plan->limits[i].resource,
			      &plan->limits[i].value) != 0)
			child_fail(plan, BV_STEP_LIMITS, (uint32_t)i);
	}
	return 0;
}

/* Inserts `fd` into ascending `keep`; the list has room for every plan. */
static size_t child_keep(int *keep, size_t count, int fd)
{
	size_t at = count;

	if (fd < 3)
		return count;
	while (at > 0 && keep[at - 1] > fd) {
		keep[at] = keep[at - 1];
		at--;
	}
	keep[at] = fd;
	return count + 1;
}

static int child_fds(const struct child_plan *plan)
{
	int keep[BV_LAUNCH_FDS_MAX + 4];
	size_t count = 0;

	for (size_t i = 0; i < plan->fd_count; i++) {
		if (fcntl((int)plan->fds[i], F_SETFD, 0) != 0)
			child_fail(plan, BV_STEP_FDS, (uint32_t)i);
		count = child_keep(keep, count, (int)plan->fds[i]);
	}
	/* These are close-on-exec, so the workload gets none of them. */
	count = child_keep(keep, count, plan->channel_fd);
	count = child_keep(keep, count, plan->exec_fd);
	count = child_keep(keep, count, plan->ruleset_fd);
	count = child_keep(keep, count, plan->exe_fd);
	return child_close_others(plan, keep, count);
}

static int child_no_new_privs(const struct child_plan *plan)
{
	(void)plan;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Without namespaces a root caller's workload becomes someone else; in namespaces init already did. */
static int child_identity(const struct child_plan *plan)
{
	if (!plan->drop_ids)
		return 0;
	if (bv_sys_setgroups(0, NULL) != 0 || bv_sys_setresgid(plan->gid) != 0 ||
	    bv_sys_setresuid(plan->uid) != 0)
		return -1;
	/* The change of ids cleared it. */
	return prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);
}

/*
 * Dropping from the bounding set and locking securebits need CAP_SETPCAP, which an ordinary user
 * without namespaces does not have; it has nothing to drop either, and no_new_privs keeps it so.
 */
static int child_bounding_set(const struct child_plan *plan)
{
	(void)plan;
	for (int number = 0; number < CAPABILITY_COUNT; number++) {
		if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) {
			if (errno == EINVAL || errno == EPERM)
				break;
			return -1;
		}
	}
	return 0;
}

static int child_capabilities(const struct child_plan *plan)
{
	(void)plan;
	if (prctl(PR_SET_SECUREBITS, SECUREBITS_LOCKED, 0, 0, 0) != 0 && errno != EPERM)
		return -1;
	if (prctl(PR_CAP_AMBIENT_NUMBER, PR_CAP_AMBIENT_CLEAR, 0, 0, 0) != 0 && errno != EINVAL)
		return -1;
	return bv_sys_drop_capabilities();
}

static int child_landlock(const struct child_plan *plan)
{
	if (plan->ruleset_fd < 0)
		return 0;
	if (bv_sys_landlock_restrict_self(plan->ruleset_fd, 0) != 0)
		return -1;
	return close(plan->ruleset_fd);
}

static int child_cwd(const struct child_plan *plan)
{
	return chdir(plan->cwd);
}

static int child_attest(const struct child_plan *plan)
{
	const struct boundary_message installed = {.type = BOUNDARY_INSTALLED};

	if (!plan->attest)
		return 0;
	/* The host reads /proc/<pid>/fd and ns as the same user; a process that is not dumpable
	 * belongs to root there.  exec would make it dumpable in a moment anyway. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || child_send(plan, &installed, -1) != 0)
		return -1;
	return child_await_release(plan);
}

static int child_seccomp(const struct child_plan *plan)
{
	const struct boundary_message listening = {.type = BOUNDARY_LISTENER};
	/* Once the launcher looks at a call, only death interrupts it, or a signal would make it count
	 * twice.  Linux 5.19; before, nothing but the count differs. */
	int listener = bv_sys_seccomp_filter(plan->filter_flags |
						     BV_SECCOMP_FLAG_WAIT_KILLABLE_RECV,
					     &plan->filter);

	if (listener < 0 && errno == EINVAL)
		listener = bv_sys_seccomp_filter(plan->filter_flags, &plan->filter);
	if (listener < 0)
		return -1;
	if (!(plan->filter_flags & BV_SECCOMP_FLAG_NEW_LISTENER))
		return 0;
	if (child_send(plan, &listening, listener) != 0)
		return -1;
	return close(listener);
}

static int child_exec(const struct child_plan *plan)
{
	struct boundary_about about;
	struct timespec now;
	struct stat seen;

	if (plan->exe_fd < 0) {
		if (stat(plan->exe_path, &seen) != 0)
			return -1;
		if (seen.st_dev != plan->exe_device || seen.st_ino != plan->exe_inode) {
			errno = ESTALE;
			return -1;
		}
	}
	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return -1;
	about.now_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	if (write(plan->exec_fd, &about, sizeof(about)) != (ssize_t)sizeof(about))
		return -1;
	if (plan->exe_fd >= 0)
		bv_sys_execveat(plan->exe_fd, "", plan->argv, plan->envp, BV_AT_EMPTY_PATH);
	else
		execve(plan->exe_path, plan->argv, plan->envp);
	return -1;
}

static const struct {
	enum bv_step step;
	int (*run)(const struct child_plan *plan);
} child_steps[] = {
	{BV_STEP_SESSION, child_session},
	{BV_STEP_SIGNALS, child_signals},
	{BV_STEP_TERMINAL, child_terminal},
	{BV_STEP_LIMITS, child_limits},
	{BV_STEP_FDS, child_fds},
	/* Before ids change: afterwards nothing can gain anything, whatever follows. */
	{BV_STEP_NO_NEW_PRIVS, child_no_new_privs},
	{BV_STEP_CAPABILITIES, child_bounding_set},
	{BV_STEP_IDENTITY, child_identity},
	/* As the workload's own user, so that it lands only where that user may. */
	{BV_STEP_CWD, child_cwd},
	{BV_STEP_CAPABILITIES, child_capabilities},
	/* After mounts: Landlock forbids changing them. */
	{BV_STEP_LANDLOCK, child_landlock},
	/* Only sendmsg, recv, prctl, close, write, stat and execve follow, and every filter allows them. */
	{BV_STEP_SECCOMP, child_seccomp},
	/* With every layer in place, so that the host can see them all, the filter too. */
	{BV_STEP_ATTEST, child_attest},
	{BV_STEP_EXEC, child_exec},
};

_Noreturn void child_workload(const struct child_plan *plan)
{
	for (size_t i = 0; i < sizeof(child_steps) / sizeof(child_steps[0]); i++) {
		if (child_steps[i].run(plan) != 0)
			child_fail(plan, child_steps[i].step, 0);
	}
	__builtin_trap();
}
