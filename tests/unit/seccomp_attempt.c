/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_attempt.c - see seccomp_attempt.h. */
#include "seccomp_attempt.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

int attempt_once(const struct attempt *a)
{
	const long result = syscall(a->number, a->args[0], a->args[1], a->args[2], a->args[3],
				    a->args[4], a->args[5]);

	/* A child by a clone that should have been refused. */
	if (result == 0 && a->number == SYS_clone)
		_exit(0);
	if (result > 0 && a->number == SYS_clone)
		(void)waitpid((pid_t)result, NULL, __WALL); /* whatever it says */
	return result == -1 ? errno : 0;
}

void attempt_refusals(const struct attempt *attempts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const int got = attempt_once(&attempts[i]);

		EXPECT_THAT(got == attempts[i].sys_errno, "%s: errno %d, expected %d",
			    attempts[i].name, got, attempts[i].sys_errno);
	}
}

/* A container's own filter would answer first. */
static bool filtered_already(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
}

void attempt_controls(const struct attempt *attempts, size_t count)
{
	SKIP_UNLESS(!filtered_already(), "these tests run under a seccomp filter of their own");
	for (size_t i = 0; i < count; i++) {
		int status = 0;
		pid_t pid;

		if (!attempts[i].control)
			continue;
		pid = fork(); /* a child each: some of them work */
		EXPECT(pid >= 0);
		if (pid == 0)
			_exit(attempt_once(&attempts[i]) == attempts[i].sys_errno ? 1 : 0);
		EXPECT_INT(waitpid(pid, &status, 0), pid);
		EXPECT_THAT(status == 0, "%s: already refused without a filter", attempts[i].name);
	}
}

int install_filter(const struct bv_launch_seccomp *launch, unsigned long flags)
{
	struct sock_filter insns[BV_SECCOMP_PROGRAM_MAX];
	struct sock_fprog program = {.filter = insns};
	struct bv_error err = {0};
	size_t count = 0;
	long fd;

	EXPECT_THAT(bv_seccomp_compile(launch, insns, BV_SECCOMP_PROGRAM_MAX, &count, &err) ==
			    BV_OK,
		    "%s", err.message);
	program.len = (unsigned short)count;
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	SKIP_UNLESS(fd >= 0 || errno != ENOSYS, "seccomp is not in this kernel");
	EXPECT_THAT(fd >= 0, "seccomp: %s", strerror(errno));
	return (int)fd;
}
