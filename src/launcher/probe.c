/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.c - tries this machine instead of asking it.
 *
 * A version number or a switch in /proc says what the kernel could do; an outer sandbox, a security
 * module or a container may still refuse it.  So every mechanism is really used, in the order the
 * boundary itself uses it, by a process that is thrown away.  The text of a "no" names the step,
 * because that is what tells a missing kernel feature from a forbidden one.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/canon.h"
#include "launcher.h"

void probe_report(int fd, const char *step)
{
	struct probe_result result = {.sys_errno = errno};

	if (step != NULL)
		strncpy(result.step, step, sizeof(result.step) - 1);
	/* A reader that is gone has stopped caring. */
	if (write(fd, &result, sizeof(result)) < 0)
		_exit(1);
}

static void probe_says(struct probe_result *result, int sys_errno, const char *step)
{
	*result = (struct probe_result){.sys_errno = sys_errno};
	strncpy(result->step, step, sizeof(result->step) - 1);
}

void probe_collect(int fd, pid_t pid, struct probe_result *ret_result)
{
	struct pollfd ready = {fd, POLLIN, 0};
	int status = 0;
	int polled;

	do {
		polled = poll(&ready, 1, PROBE_TIMEOUT_MS);
	} while (polled < 0 && errno == EINTR);
	if (polled <= 0)
		probe_says(ret_result, ETIMEDOUT, "answering at all");
	else if (read(fd, ret_result, sizeof(*ret_result)) != (ssize_t)sizeof(*ret_result))
		probe_says(ret_result, 0, "surviving it");
	ret_result->step[PROBE_STEP_SIZE - 1] = '\0';
	(void)kill(pid, SIGKILL);
	(void)bv_sys_wait4(pid, &status, __WALL, NULL);
}
/* In name order, as the facts are. */
static const struct {
	const char *name;
	probe_fn *run;
} probes[] = {
	{"attest", probe_attest},
	{"cgroup_join", probe_cgroup_join},
	{"clone3", probe_clone3},
	{"close_range", probe_close_range},
	{"idmap", probe_idmap},
	{"idmap_tmpfs", probe_idmap_tmpfs},
	{"landlock", probe_landlock},
	{"memfd_noexec", probe_memfd_noexec},
	{"memfd_seals", probe_memfd_seals},
	{"namespaces", probe_namespaces},
	{"netns", probe_netns},
	{"nproc", probe_nproc},
	{"openat2", probe_openat2},
	{"overlay", probe_overlay},
	{"pidfd", probe_pidfd},
	{"seccomp_filter", probe_seccomp},
	{"seccomp_notify", probe_seccomp_notify},
	{"subreaper", probe_subreaper},
};

enum { PROBE_COUNT = sizeof(probes) / sizeof(probes[0]) };

static void probe_run(probe_fn *run, struct probe_result *ret_result)
{
	int answer[2], pidfd = -1;
	pid_t pid;

	if (pipe2(answer, O_CLOEXEC) != 0) {
		probe_says(ret_result, errno, "making a pipe");
		return;
	}
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(answer[0]);
		errno = 0;
		probe_report(answer[1], run());
		_exit(0);
	}
	close(answer[1]);
	if (pid < 0)
		probe_says(ret_result, errno, "fork");
	else
		probe_collect(answer[0], pid, ret_result);
	if (pidfd >= 0)
		close(pidfd);
	close(answer[0]);
}

/* musl names no error numbers; these are the ones a refusal comes with. */
static const char *errno_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{EPERM, "EPERM"},           {ENOENT, "ENOENT"}, {EAGAIN, "EAGAIN"},
		{ENOMEM, "ENOMEM"},         {EACCES, "EACCES"}, {EBUSY, "EBUSY"},
		{EINVAL, "EINVAL"},         {ENOSPC, "ENOSPC"}, {ENOSYS, "ENOSYS"},
		{EOPNOTSUPP, "EOPNOTSUPP"}, {EUSERS, "EUSERS"}, {ETIMEDOUT, "ETIMEDOUT"},
		{EXDEV, "EXDEV"},           {ENODEV, "ENODEV"}, {EROFS, "EROFS"},
		{EFAULT, "EFAULT"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == number)
			return names[i].name;
	}
	return NULL;
}

static struct bv_str fact_text(struct bv_arena *arena, const struct probe_result *result)
{
	const char *name = errno_name(result->sys_errno);

	if (result->step[0] == '\0')
		return BV_STR("yes");
	if (result->sys_errno == 0)
		return bv_arena_format(arena, "no: failed at %s", result->step);
	if (name == NULL)
		return bv_arena_format(arena, "no: errno %d at %s", result->sys_errno,
				       result->step);
	return bv_arena_format(arena, "no: %s at %s", name, result->step);
}

int bv_launcher_probe(void)
{
	static uint8_t memory[16384];
	struct bv_text_pair pairs[PROBE_COUNT];
	struct bv_probe_facts facts = {.facts = {pairs, PROBE_COUNT}};
	struct bv_arena arena;
	struct bv_str bytes;

	bv_arena_init(&arena, memory, sizeof(memory));
	/* A host that ignores SIGCHLD hands that on, and then nothing could be waited for. */
	if (bv_sys_reset_signals() != 0)
		return BV_LAUNCHER_EXIT_FAULTED;
	for (size_t i = 0; i < PROBE_COUNT; i++) {
		struct probe_result result;

		probe_run(probes[i].run, &result);
		pairs[i] = (struct bv_text_pair){bv_str_from(probes[i].name),
						 fact_text(&arena, &result)};
	}
	bytes = bv_canon_bytes(&arena, &bv_probe_facts_type, &facts);
	if (bytes.data == NULL)
		return BV_LAUNCHER_EXIT_FAULTED;
	for (size_t at = 0; at < bytes.len;) {
		ssize_t wrote = write(1, bytes.data + at, bytes.len - at);

		if (wrote < 0)
			return BV_LAUNCHER_EXIT_FAULTED;
		at += (size_t)wrote;
	}
	return BV_LAUNCHER_EXIT_OK;
}
