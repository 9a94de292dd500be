/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_live_strict.c - the strict set in the kernel: each call it does without is made and must be
 * refused as the table says; most are made without the filter too, and must be answered otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seccomp_attempt.h"
#include "test.h"

static const struct attempt strict[] = {
	{"shmget", SYS_shmget, {0, 0, 0}, ENOSYS, true},
	{"shmat", SYS_shmat, {BAD, 0, 0}, ENOSYS, true},
	{"shmdt", SYS_shmdt, {1}, ENOSYS, true},
	{"shmctl", SYS_shmctl, {BAD, BAD, 0}, ENOSYS, true},
	{"semget", SYS_semget, {0, 0, 0}, ENOSYS, true},
	{"semop", SYS_semop, {BAD, 0, 0}, ENOSYS, true},
	{"semtimedop", SYS_semtimedop, {BAD, 0, 0, 0}, ENOSYS, true},
	{"semctl", SYS_semctl, {BAD, 0, BAD, 0}, ENOSYS, true},
	{"msgget", SYS_msgget, {0x7ffeabcd, 0}, ENOSYS, true},
	{"msgsnd", SYS_msgsnd, {BAD, 0, 0, 0}, ENOSYS, true},
	{"msgrcv", SYS_msgrcv, {BAD, 0, 0, 0, 0}, ENOSYS, true},
	{"msgctl", SYS_msgctl, {BAD, BAD, 0}, ENOSYS, true},
	{"mq_open", SYS_mq_open, {NOWHERE, 0, 0, 0}, ENOSYS, true},
	{"mq_unlink", SYS_mq_unlink, {NOWHERE}, ENOSYS, true},
	{"mq_timedsend", SYS_mq_timedsend, {BAD, 0, 0, 0, 0}, ENOSYS, true},
	{"mq_timedreceive", SYS_mq_timedreceive, {BAD, 0, 0, 0, 0}, ENOSYS, true},
	{"mq_notify", SYS_mq_notify, {BAD, 0}, ENOSYS, true},
	{"mq_getsetattr", SYS_mq_getsetattr, {BAD, 0, 0}, ENOSYS, true},
	{"io_setup", SYS_io_setup, {0, 0}, ENOSYS, true},
	{"io_destroy", SYS_io_destroy, {0}, ENOSYS, true},
	{"io_submit", SYS_io_submit, {0, BAD, 0}, ENOSYS, true},
	{"io_cancel", SYS_io_cancel, {0, 0, 0}, ENOSYS, true},
	{"io_getevents", SYS_io_getevents, {0, 0, 0, 0, 0}, ENOSYS, true},
	{"io_pgetevents", SYS_io_pgetevents, {0, 0, 0, 0, 0, 0}, ENOSYS, false},
	{"vmsplice", SYS_vmsplice, {BAD, 0, 1, BAD}, ENOSYS, true},
	{"remap_file_pages", SYS_remap_file_pages, {0, 0, BAD, 0, 0}, ENOSYS, true},
	{"memfd_secret", 447, {BAD}, ENOSYS, false},
	{"unshare of nothing harmful", SYS_unshare, {CLONE_FS}, EPERM, true},
	{"sync", SYS_sync, {0}, EPERM, false},
	{"syncfs", SYS_syncfs, {BAD}, EPERM, true},
	{"setgroups", SYS_setgroups, {BAD, 0}, EPERM, false},
	{"capset", SYS_capset, {0, 0}, EPERM, true},
	{"setfsuid", SYS_setfsuid, {BAD}, EPERM, true},
	{"setfsgid", SYS_setfsgid, {BAD}, EPERM, true},
	{"sched_setscheduler", SYS_sched_setscheduler, {0, BAD, 0}, EPERM, true},
	{"sched_setparam", SYS_sched_setparam, {0, 0}, EPERM, true},
	{"sched_setattr", SYS_sched_setattr, {0, 0, 0}, EPERM, true},
	{"ioprio_set", SYS_ioprio_set, {BAD, 0, 0}, EPERM, true},
	{"ioprio_get", SYS_ioprio_get, {BAD, 0}, EPERM, true},
	{"process_mrelease", 448, {BAD, BAD}, EPERM, true},
	{"get_robust_list", SYS_get_robust_list, {0, 0, 0}, EPERM, true},
	{"futex_waitv", 449, {0, 0, 0, 0, 0}, ENOSYS, false},
	{"futex_wake", 454, {0, 0, 0, 0}, ENOSYS, false},
	{"futex_wait", 455, {0, 0, 0, 0, 0, 0}, ENOSYS, false},
	{"futex_requeue", 456, {0, 0, 0, 0}, ENOSYS, false},
	{"rseq_slice_yield", 471, {0}, ENOSYS, false},
	{"cachestat", 451, {BAD, 0, 0, 0}, ENOSYS, false},
	{"setxattrat", 463, {BAD, 0, 0, 0, 0, 0}, ENOSYS, false},
	{"getxattrat", 464, {BAD, 0, 0, 0, 0, 0}, ENOSYS, false},
	{"listxattrat", 465, {BAD, 0, 0, 0, 0}, ENOSYS, false},
	{"removexattrat", 466, {BAD, 0, 0, 0}, ENOSYS, false},
	{"file_getattr", 468, {BAD, 0, 0, 0, 0}, ENOSYS, false},
	{"file_setattr", 469, {BAD, 0, 0, 0, 0}, ENOSYS, false},
	{"lsm_get_self_attr", 459, {0, 0, 0, 0}, ENOSYS, false},
	{"lsm_set_self_attr", 460, {0, 0, 0, 0}, ENOSYS, false},
	{"lsm_list_modules", 461, {0, 0, 0}, ENOSYS, false},
#ifdef __x86_64__
	{"set_thread_area", SYS_set_thread_area, {0}, ENOSYS, false},
	{"get_thread_area", SYS_get_thread_area, {0}, ENOSYS, false},
	{"epoll_ctl_old", SYS_epoll_ctl_old, {0}, ENOSYS, false},
	{"epoll_wait_old", SYS_epoll_wait_old, {0}, ENOSYS, false},
	{"getpmsg", SYS_getpmsg, {0}, ENOSYS, false},
	{"putpmsg", SYS_putpmsg, {0}, ENOSYS, false},
	{"afs_syscall", SYS_afs_syscall, {0}, ENOSYS, false},
	{"tuxcall", SYS_tuxcall, {0}, ENOSYS, false},
	{"security", SYS_security, {0}, ENOSYS, false},
	{"vserver", SYS_vserver, {0}, ENOSYS, false},
#endif
	{"SIOCGIFCONF", SYS_ioctl, {BAD, 0x8912, 0}, ENOTTY, true},
	{"FS_IOC_GETFLAGS", SYS_ioctl, {BAD, 0x80086601, 0}, ENOTTY, true},
	{"a request of nobody", SYS_ioctl, {BAD, 0x7fffffff, 0}, ENOTTY, true},
	{"PR_SET_KEEPCAPS", SYS_prctl, {PR_SET_KEEPCAPS, 0}, EINVAL, true},
	{"PR_SET_UNALIGN of no machine of ours", SYS_prctl, {PR_SET_UNALIGN, BAD}, EINVAL, false},
	{"SO_ATTACH_FILTER", SYS_setsockopt, {BAD, SOL_SOCKET, 26, 0, 0}, ENOPROTOOPT, true},
	{"SO_ATTACH_BPF", SYS_setsockopt, {BAD, SOL_SOCKET, 50, 0, 0}, ENOPROTOOPT, true},
	{"SO_ATTACH_REUSEPORT_CBPF",
	 SYS_setsockopt,
	 {BAD, SOL_SOCKET, 51, 0, 0},
	 ENOPROTOOPT,
	 true},
	{"TCP_ULP", SYS_setsockopt, {BAD, 6, 31, 0, 0}, ENOPROTOOPT, true},
	{"UDP_ENCAP", SYS_setsockopt, {BAD, 17, 100, 0, 0}, ENOPROTOOPT, true},
	{"an option of netlink", SYS_setsockopt, {BAD, 270, 1, 0, 0}, ENOPROTOOPT, true},
};

enum { STRICT_COUNT = sizeof strict / sizeof strict[0] };

static const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						.sockets = BV_SOCKETS_LOCAL,
						.has_syscalls = true,
						.syscalls = BV_SYSCALLS_STRICT};

/* A kernel's probes are served whatever a filter says (Linux 6.14), and kill anybody else. */
static bool passes_all_filters(const char *name)
{
	return strcmp(name, "uretprobe") == 0 || strcmp(name, "uprobe") == 0;
}

TEST(no_call_the_strict_set_does_without_is_left_out_here)
{
	static const char *const rows[] = {
#define BV_STRICT_DENY(call, error, why) #call,
#define BV_STRICT_WHEN(call, check, errors, when, why) #call,
#include "linux/seccomp_strict.def"
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool here = false, tried = passes_all_filters(rows[i]);

		for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++)
			here |= strcmp(bv_syscall_name(ATTEMPT_ARCH, number), rows[i]) == 0;
		for (size_t j = 0; j < STRICT_COUNT; j++)
			tried |= strcmp(bv_syscall_name(ATTEMPT_ARCH, (uint32_t)strict[j].number),
					rows[i]) == 0;
		EXPECT_THAT(tried || !here, "%s", rows[i]);
	}
}

TEST(every_call_the_strict_set_does_without_is_refused_as_the_table_says)
{
	install_filter(&launch, 0);
	attempt_refusals(strict, STRICT_COUNT);
}

TEST(without_the_strict_set_they_are_answered_otherwise)
{
	attempt_controls(strict, STRICT_COUNT);
}

TEST(with_the_baseline_alone_they_are_answered_otherwise_too)
{
	struct bv_launch_seccomp loose = launch;

	loose.has_syscalls = false;
	install_filter(&loose, 0);
	for (size_t i = 0; i < STRICT_COUNT; i++)
		if (strict[i].control)
			EXPECT_THAT(attempt_once(&strict[i]) != strict[i].sys_errno, "%s",
				    strict[i].name);
}

/* Once each: tests/programs has the rest. */
TEST(what_ordinary_programs_do_goes_on)
{
	char path[] = "/proc/self/status", name[16];
	int ends[2], count = 0, status = -1;
	pid_t pid;

	install_filter(&launch, 0);
	EXPECT(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], "four", 4) == 4);
	EXPECT(ioctl(ends[0], FIONREAD, &count) == 0 && count == 4);
	EXPECT(prctl(PR_SET_NAME, "renamed", 0, 0, 0) == 0);
	EXPECT(prctl(PR_GET_NAME, name, 0, 0, 0) == 0);
	EXPECT_STR(name, "renamed");
	EXPECT(open(path, O_RDONLY | O_CLOEXEC) >= 0);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	EXPECT(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)) == 0);
	EXPECT(sched_getaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){0}) == 0);
	pid = fork();
	if (pid == 0)
		_exit(7);
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
	EXPECT_INT(WEXITSTATUS(status), 7);
}
