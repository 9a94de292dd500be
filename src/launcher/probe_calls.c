/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe_calls.c - single calls, and what needs no namespace: filters, Landlock, descriptors, waiting,
 * control groups.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"
#include "linux/cgroup.h"
#include "linux/ids.h"

/* ---- seccomp and Landlock -------------------------------------------------------------------- */

/* Does `action` to getpriority(2), which nothing here needs, and lets everything else through. */
static int filter_getpriority(uint32_t action, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return bv_sys_seccomp_filter(flags, &program);
}

const char *probe_seccomp(void)
{
	if (filter_getpriority(SECCOMP_RET_ERRNO | EXDEV, 0) < 0)
		return "loading a filter";
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) >= 0 || errno != EXDEV)
		return "being refused by it";
	return NULL;
}

/* The child of a filtered process: its call must come back with the answer given to the listener. */
static _Noreturn void make_the_call(void)
{
	errno = 0;
	_exit(getpriority(PRIO_PROCESS, 0) < 0 && errno == EXDEV ? 0 : 1);
}

static const char *answer_one(int listener)
{
	struct seccomp_notif request;
	struct seccomp_notif_resp response;

	memset(&request, 0, sizeof(request));
	if (bv_sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
		return "receiving a notification";
	memset(&response, 0, sizeof(response));
	response.id = request.id;
	response.error = -EXDEV;
	return bv_sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 ? NULL
										: "answering it";
}

const char *probe_seccomp_notify(void)
{
	int listener = filter_getpriority(SECCOMP_RET_USER_NOTIF, BV_SECCOMP_FLAG_NEW_LISTENER);
	int pidfd = -1, status = -1;
	const char *step;
	pid_t pid;

	if (listener < 0)
		return "loading a filter with a listener";
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid < 0)
		return "fork";
	if (pid == 0)
		make_the_call();
	step = answer_one(listener);
	if (step != NULL)
		return step;
	errno = 0;
	if (bv_sys_wait4(pid, &status, __WALL, NULL) != pid || status != 0)
		return "the answer reaching the caller";
	return NULL;
}

const char *probe_landlock(void)
{
	const int abi = bv_sys_landlock_abi();
	const struct bv_landlock_ruleset_attr attr = bv_landlock_known(abi);
	int fd, ruleset = bv_sys_landlock_create_ruleset(&attr, abi);

	if (ruleset < 0)
		return "creating a ruleset";
	/* Without this the refusal below would prove nothing. */
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "reading a file before";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    bv_sys_landlock_restrict_self(ruleset, 0) != 0)
		return "entering the ruleset";
	if (open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) {
		errno = 0;
		return "being refused by it";
	}
	return NULL;
}

/* ---- single calls ---------------------------------------------------------------------------- */

/* The child of a trial, to be looked at or killed: a trial that fails half-way leaves nobody behind. */
static _Noreturn void wait_for_end(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent)
		pause();
	_exit(1);
}

const char *probe_clone3(void)
{
	int pidfd = -1;
	struct bv_clone_args args = {.flags = BV_CLONE_PIDFD,
				     .pidfd = (uint64_t)(uintptr_t)&pidfd,
				     .exit_signal = SIGCHLD};
	pid_t pid = bv_sys_clone3(&args);

	if (pid < 0)
		return "clone3";
	if (pid == 0)
		_exit(0);
	(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
	return NULL;
}

const char *probe_pidfd(void)
{
	const pid_t self = getpid();
	int pidfd = -1;
	pid_t pid = bv_sys_clone(BV_CLONE_PIDFD, &pidfd);
	struct pollfd ended;

	if (pid < 0)
		return "clone with CLONE_PIDFD";
	if (pid == 0)
		wait_for_end(self);
	if (bv_sys_pidfd_send_signal(pidfd, SIGKILL) != 0)
		return "pidfd_send_signal";
	ended = (struct pollfd){pidfd, POLLIN, 0};
	errno = 0;
	return poll(&ended, 1, PROBE_TIMEOUT_MS / 2) == 1 ? NULL : "polling a pidfd";
}

const char *probe_close_range(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 100);

	if (fd < 0)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || bv_sys_close_range((unsigned int)fd, (unsigned int)fd, 0) != 0)
		return "close_range";
	errno = 0;
	return fcntl(fd, F_GETFD) < 0 ? NULL : "closing by it";
}

const char *probe_openat2(void)
{
	const struct bv_open_how how = {.flags = O_PATH | O_CLOEXEC,
					.resolve = BV_RESOLVE_NO_MAGICLINKS};

	return bv_sys_openat2(AT_FDCWD, "/", &how) >= 0 ? NULL : "openat2";
}

const char *probe_memfd_seals(void)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = bv_sys_memfd_create("probe", 3 | BV_MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = bv_sys_memfd_create("probe", 3);
	if (fd < 0)
		return "memfd_create";
	return fcntl(fd, F_ADD_SEALS, seals) == 0 ? NULL : "sealing";
}

/* What the host does before it lets a workload run: look at its descriptors and namespaces. */
const char *probe_attest(void)
{
	struct bv_id_range private_ids;
	const bool root = geteuid() == 0;
	const pid_t self = getpid();
	char path[64], target[64], byte = 0;
	int ready[2], pidfd = -1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return "making a pipe";
	if (root && !bv__private_ids(&private_ids)) {
		errno = 0;
		return "finding an id that is nobody's";
	}
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid < 0)
		return "fork";
	if (pid == 0) {
		/* As the workload is then: someone else's, and dumpable again. */
		if ((root && (bv_sys_setresgid(private_ids.first) != 0 ||
			      bv_sys_setresuid(private_ids.first) != 0)) ||
		    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || write(ready[1], &byte, 1) != 1)
			_exit(1);
		wait_for_end(self);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		errno = 0;
		return "becoming the private id";
	}
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if (open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0)
		return "reading /proc/<pid>/fd";
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return readlink(path, target, sizeof(target)) > 0 ? NULL : "reading /proc/<pid>/ns";
}

/* The descriptor the host says is a group to try; -1. */
static int trial_group(void)
{
	const char *text = getenv(BV_ENV_CGROUP);

	return text != NULL && text[0] == '3' && text[1] == '\0' && fcntl(3, F_GETFD) >= 0 ? 3 : -1;
}

/* As a run does it: born in the group, seen in it, its time counted, all of it killed in one act. */
const char *probe_cgroup_join(void)
{
	const int group = trial_group();
	const pid_t self = getpid();
	char text[4096], member[32];
	struct pollfd ended;
	uint64_t micros;
	int pidfd = -1;
	pid_t pid;

	if (group < 0) {
		errno = ENOENT;
		return "finding a control group";
	}
	pid = group_fork(0, group, &pidfd);
	if (pid < 0)
		return "being born in it";
	if (pid == 0)
		wait_for_end(self);
	snprintf(member, sizeof(member), "%d\n", (int)pid);
	errno = 0;
	if (bv__group_get(group, "cgroup.procs", text, sizeof(text)) <= 0 ||
	    strcmp(text, member) != 0)
		return "being a member";
	if (bv__group_get(group, "cpu.stat", text, sizeof(text)) <= 0 ||
	    !bv__group_number(text, "usage_usec", &micros))
		return "its clock (cpu.stat)";
	if (bv__group_kill(group) != 0)
		return "killing it";
	ended = (struct pollfd){pidfd, POLLIN, 0};
	errno = 0;
	return poll(&ended, 1, PROBE_TIMEOUT_MS / 2) == 1 ? NULL : "its end";
}

const char *probe_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? NULL : "prctl";
}
