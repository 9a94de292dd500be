/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_live.c - the filter in the kernel: each call of the baseline is made and must be refused
 * with the errno the table says; harmless ones are made without it too, to see a difference.
 *
 * The arguments are wrong on purpose, so that a call the filter let through would still change
 * nothing and be seen by another errno.
 */
#include <errno.h>
#include <linux/audit.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seccomp_attempt.h"
#include "test.h"

/* LeakSanitizer traces its own process at exit, which is what the filter forbids. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static const struct attempt baseline[] = {
	{"ptrace", SYS_ptrace, {0}, EPERM, true}, /* PTRACE_TRACEME */
	{"process_vm_readv", SYS_process_vm_readv, {BAD, 0, 0, 0, 0, BAD}, EPERM, true},
	{"process_vm_writev", SYS_process_vm_writev, {BAD, 0, 0, 0, 0, BAD}, EPERM, true},
	{"process_madvise", 440, {BAD, 0, 0, 0, BAD}, EPERM, true},
	{"pidfd_getfd", 438, {BAD, 0, BAD}, EPERM, true},
	{"kcmp", SYS_kcmp, {BAD, BAD, BAD}, EPERM, false},
	{"bpf", SYS_bpf, {BAD, 0, 0}, EPERM, false},
	{"perf_event_open", SYS_perf_event_open, {0, 0, BAD, BAD, BAD}, EPERM, false},
	{"userfaultfd", SYS_userfaultfd, {BAD}, EPERM, false},
	{"io_uring_setup", 425, {0, 0}, ENOSYS, false},
	{"io_uring_enter", 426, {BAD, 0, 0, 0, 0, 0}, ENOSYS, false},
	{"io_uring_register", 427, {BAD, 0, 0, 0}, ENOSYS, false},
	{"keyctl", SYS_keyctl, {BAD, 0, 0, 0, 0}, ENOSYS, false},
	{"add_key", SYS_add_key, {0, 0, 0, 0, 0}, ENOSYS, false},
	{"request_key", SYS_request_key, {0, 0, 0, 0}, ENOSYS, false},
	{"fanotify_init", SYS_fanotify_init, {BAD, BAD}, EPERM, false},
	{"fanotify_mark", SYS_fanotify_mark, {BAD, BAD, 0, BAD, 0}, EPERM, false},
	{"open_by_handle_at", SYS_open_by_handle_at, {BAD, 0, 0}, EPERM, false},
	{"name_to_handle_at", SYS_name_to_handle_at, {BAD, NOWHERE, 0, 0, BAD}, ENOSYS, true},
	{"move_pages", SYS_move_pages, {0, 0, 0, 0, 0, 0}, ENOSYS, false},
	{"migrate_pages", SYS_migrate_pages, {BAD, 0, 0, 0}, ENOSYS, false},
	{"mbind", SYS_mbind, {1, 0, BAD, 0, 0, 0}, ENOSYS, false},
	{"set_mempolicy", SYS_set_mempolicy, {BAD, 0, 0}, ENOSYS, false},
	{"set_mempolicy_home_node", 450, {1, 0, 0, 0}, ENOSYS, false},
	{"get_mempolicy", SYS_get_mempolicy, {0, 0, 0, 0, BAD}, ENOSYS, false},
	{"setns", SYS_setns, {BAD, 0}, EPERM, true},
	{"unshare", SYS_unshare, {CLONE_NEWUSER | 1}, EPERM, true},
	{"unshare of an unknown flag", SYS_unshare, {1L << 40}, EPERM, true},
	{"clone into a user namespace",
	 SYS_clone,
	 {CLONE_NEWUSER | CLONE_FS | SIGCHLD},
	 EPERM,
	 true},
	{"clone3", 435, {0, 0}, ENOSYS, false},
	{"chroot", SYS_chroot, {NOWHERE}, EPERM, true},
	{"pivot_root", SYS_pivot_root, {NOWHERE, NOWHERE}, EPERM, false},
	{"mount", SYS_mount, {NOWHERE, NOWHERE, NOWHERE, 0, 0}, EPERM, true},
	{"umount2", SYS_umount2, {NOWHERE, BAD}, EPERM, true},
	{"open_tree", 428, {BAD, NOWHERE, BAD}, EPERM, true},
	{"open_tree_attr", 467, {BAD, NOWHERE, BAD, 0, 0}, EPERM, true},
	{"move_mount", 429, {BAD, NOWHERE, BAD, NOWHERE, BAD}, EPERM, false},
	{"fsopen", 430, {NOWHERE, BAD}, EPERM, false},
	{"fsconfig", 431, {BAD, 0, 0, 0, 0}, EPERM, true},
	{"fsmount", 432, {BAD, BAD, BAD}, EPERM, false},
	{"fspick", 433, {BAD, NOWHERE, BAD}, EPERM, false},
	{"mount_setattr", 442, {BAD, NOWHERE, BAD, 0, 0}, EPERM, true},
	{"statmount", 457, {0, 0, 0, BAD}, ENOSYS, false},
	{"listmount", 458, {0, 0, 0, BAD}, ENOSYS, false},
	{"listns", 470, {0, 0, 0, BAD}, ENOSYS, false},
	{"init_module", SYS_init_module, {0, 0, 0}, EPERM, false},
	{"finit_module", SYS_finit_module, {BAD, 0, BAD}, EPERM, false},
	{"delete_module", SYS_delete_module, {0, 0}, EPERM, false},
	{"kexec_load", SYS_kexec_load, {0, BAD, 0, BAD}, EPERM, false},
	{"kexec_file_load", SYS_kexec_file_load, {BAD, BAD, 0, 0, BAD}, EPERM, false},
	{"reboot", SYS_reboot, {0, 0, 0, 0}, EPERM, false},
	{"swapon", SYS_swapon, {NOWHERE, BAD}, EPERM, false},
	{"swapoff", SYS_swapoff, {NOWHERE}, EPERM, false},
	{"acct", SYS_acct, {NOWHERE}, EPERM, false},
	{"quotactl", SYS_quotactl, {BAD, 0, 0, 0}, EPERM, false},
	{"quotactl_fd", 443, {BAD, BAD, 0, 0}, EPERM, true},
	{"syslog", SYS_syslog, {BAD, 0, 0}, EPERM, false},
	{"settimeofday", SYS_settimeofday, {BAD, BAD}, EPERM, true},
	{"clock_settime", SYS_clock_settime, {BAD, 0}, EPERM, true},
	{"adjtimex", SYS_adjtimex, {0}, EPERM, true},
	{"clock_adjtime", SYS_clock_adjtime, {BAD, 0}, EPERM, true},
	{"sethostname", SYS_sethostname, {0, BAD}, EPERM, false},
	{"setdomainname", SYS_setdomainname, {0, BAD}, EPERM, false},
	{"vhangup", SYS_vhangup, {0}, EPERM, false},
#ifdef __x86_64__
	{"iopl", SYS_iopl, {BAD}, EPERM, true},
	{"ioperm", SYS_ioperm, {BAD, BAD, 0}, EPERM, true},
	{"modify_ldt", SYS_modify_ldt, {0, 0, 0}, ENOSYS, false},
	{"uselib", SYS_uselib, {NOWHERE}, ENOSYS, false},
	{"_sysctl", SYS__sysctl, {0}, ENOSYS, false},
	{"sysfs", SYS_sysfs, {BAD, 0, 0}, ENOSYS, false},
	{"ustat", SYS_ustat, {0, 0}, ENOSYS, true},
	{"create_module", SYS_create_module, {0, 0}, ENOSYS, false},
	{"get_kernel_syms", SYS_get_kernel_syms, {0}, ENOSYS, false},
	{"query_module", SYS_query_module, {0}, ENOSYS, false},
	{"chmod to set-user-id", SYS_chmod, {NOWHERE, 04755}, EPERM, true},
	{"creat of a set-user-id file", SYS_creat, {NOWHERE, 04755}, EPERM, true},
	{"open of a new set-user-id file", SYS_open, {NOWHERE, 0101, 04755}, EPERM, true},
	{"mknod of a character device", SYS_mknod, {NOWHERE, S_IFCHR | 0600, 0x103}, EPERM, true},
	{"a call of x32", 0x40000000L + SYS_getpid, {0}, ENOSYS, false},
#endif
	{"lookup_dcookie", SYS_lookup_dcookie, {0, 0, 0}, ENOSYS, false},
	{"nfsservctl", SYS_nfsservctl, {0}, ENOSYS, false},
	{"TIOCSTI", SYS_ioctl, {BAD, TIOCSTI, 0}, EPERM, true},
	{"TIOCSTI behind garbage", SYS_ioctl, {BAD, 0x100000000L | TIOCSTI, 0}, EPERM, true},
	{"TIOCLINUX", SYS_ioctl, {BAD, TIOCLINUX, 0}, EPERM, true},
	{"TIOCSETD", SYS_ioctl, {BAD, TIOCSETD, 0}, EPERM, true},
	{"TIOCCONS", SYS_ioctl, {BAD, TIOCCONS, 0}, EPERM, true},
	{"USERFAULTFD_IOC_NEW", SYS_ioctl, {BAD, 0xaa00, 0}, EPERM, true},
	{"mknodat of a character device", SYS_mknodat, {BAD, NOWHERE, S_IFCHR, 0x103}, EPERM, true},
	{"mknodat of a block device", SYS_mknodat, {BAD, NOWHERE, S_IFBLK, 0x700}, EPERM, true},
	{"fchmod to set-group-id", SYS_fchmod, {BAD, 02755}, EPERM, true},
	{"fchmodat to set-user-id", SYS_fchmodat, {BAD, NOWHERE, 04755}, EPERM, true},
	{"fchmodat2 to set-user-id", 452, {BAD, NOWHERE, 04755, 0}, EPERM, true},
	{"openat of a new set-user-id file", SYS_openat, {BAD, NOWHERE, 0101, 04755}, EPERM, true},
	{"openat of a nameless set-user-id file",
	 SYS_openat,
	 {BAD, NOWHERE, 020200002, 04755},
	 EPERM,
	 true},
	{"openat2", 437, {BAD, NOWHERE, NOWHERE, 24}, ENOSYS, false},
	{"personality", SYS_personality, {0x0040000}, EPERM, true}, /* ADDR_NO_RANDOMIZE */
	{"a memory file that can be executed", SYS_memfd_create, {NOWHERE, 0}, EACCES, true},
	{"PR_SET_MM", SYS_prctl, {PR_SET_MM, BAD, 0, 0, BAD}, EPERM, true},
	{"a second listener", SYS_seccomp, {1, 8 | 16, 0}, EPERM, true},
	{"a call of the future", BV_SYSCALL_NEWEST + 1, {0}, ENOSYS, false},
	{"a netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, EAFNOSUPPORT, true},
	{"a raw socket", SYS_socket, {AF_INET, SOCK_RAW, 255}, ESOCKTNOSUPPORT, true},
};

TEST(no_call_of_the_baseline_is_left_out_here)
{
	static const char *const rows[] = {
#define BV_DENY(call, error, why) #call,
#define BV_DENY_WHEN(call, error, when, why) #call,
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool here = false, tried = false;

		for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++)
			here |= strcmp(bv_syscall_name(ATTEMPT_ARCH, number), rows[i]) == 0;
		for (size_t j = 0; j < sizeof baseline / sizeof baseline[0]; j++)
			tried |= strcmp(bv_syscall_name(ATTEMPT_ARCH, (uint32_t)baseline[j].number),
					rows[i]) == 0;
		EXPECT_THAT(tried == here, "%s", rows[i]);
	}
}

TEST(every_call_of_the_baseline_is_refused_as_the_table_says)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL};

	install_filter(&launch, 0);
	attempt_refusals(baseline, sizeof baseline / sizeof baseline[0]);
}

TEST(the_strict_set_refuses_every_call_of_the_baseline_alike)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL,
						 .has_syscalls = true,
						 .syscalls = BV_SYSCALLS_STRICT};

	install_filter(&launch, 0);
	attempt_refusals(baseline, sizeof baseline / sizeof baseline[0]);
}

TEST(without_the_filter_the_harmless_ones_are_answered_otherwise)
{
	attempt_controls(baseline, sizeof baseline / sizeof baseline[0]);
}

#ifdef __x86_64__
static long getpid_of_i386(void)
{
	long result = 20;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

TEST(calls_of_i386_are_enosys_and_work_without_the_filter)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL};

	SKIP_UNLESS(getpid_of_i386() == getpid(), "no i386 calls in this kernel");
	install_filter(&launch, 0);
	EXPECT_INT(getpid_of_i386(), -ENOSYS);
}
#endif

static void *return_argument(void *argument)
{
	return argument;
}

static bool thread_works(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, return_argument, NULL) == 0 &&
	       pthread_join(thread, NULL) == 0;
}

/* 0 or the errno of fork. */
static int fork_once(void)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno;
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

TEST(threads_and_processes_work_where_descendants_are_allowed)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL};

	install_filter(&launch, 0);
	EXPECT(thread_works());
	EXPECT_INT(fork_once(), 0);
}

TEST(threads_alone_work_where_only_threads_are_allowed)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_THREADS,
						 .sockets = BV_SOCKETS_LOCAL};

	install_filter(&launch, 0);
	EXPECT(thread_works());
	EXPECT_INT(fork_once(), EPERM);
}

TEST(nothing_is_created_where_new_tasks_are_denied)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_DENY_NEW_TASKS,
						 .sockets = BV_SOCKETS_LOCAL};

	install_filter(&launch, 0);
	EXPECT(!thread_works());
	EXPECT_INT(fork_once(), EPERM);
}

/* 0 or the errno of socket. */
static int socket_once(int family, int type, int protocol)
{
	const int fd = socket(family, type, protocol);

	if (fd < 0)
		return errno;
	(void)close(fd); /* nothing was written to it */
	return 0;
}

TEST(no_socket_is_made_where_there_are_none_and_connected_pairs_are)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_NONE};
	int pair[2];

	EXPECT_INT(socket_once(AF_UNIX, SOCK_DGRAM, 0), 0);
	install_filter(&launch, 0);
	EXPECT_INT(socket_once(AF_UNIX, SOCK_DGRAM, 0), EACCES);
	EXPECT_INT(socket_once(AF_UNIX, SOCK_STREAM, 0), EACCES);
	EXPECT_INT(socket_once(AF_INET, SOCK_STREAM, 0), EACCES);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == -1 && errno == EACCES);
}

TEST(local_sockets_work_where_they_lead_nowhere)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL};

	SKIP_UNLESS(socket_once(AF_INET, SOCK_STREAM, 0) == 0, "no network in this kernel");
	install_filter(&launch, 0);
	EXPECT_INT(socket_once(AF_UNIX, SOCK_DGRAM, 0), 0);
	EXPECT_INT(socket_once(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6), 0);
	EXPECT_INT(socket_once(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 17), 0);
	EXPECT_INT(socket_once(AF_INET, SOCK_STREAM, 262), EPROTONOSUPPORT); /* MPTCP */
}

TEST(without_namespaces_others_are_out_of_reach_by_id)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_NONE,
						 .shared = true};
	const pid_t parent = getppid();

	EXPECT(syscall(SYS_semget, 0x7fffabcd, 0, 0) == -1 && errno != ENOSYS);
	install_filter(&launch, 0);
	EXPECT(syscall(SYS_semget, 0x7fffabcd, 0, 0) == -1 && errno == ENOSYS);
	EXPECT(syscall(SYS_kill, -1, 0) == -1 && errno == EPERM);
	EXPECT(syscall(SYS_kill, getpid(), 0) == 0);
	EXPECT(syscall(SYS_setpriority, 0, parent, 0) == -1 && errno == EPERM);
	EXPECT(syscall(SYS_setpriority, 2, 0, 0) == -1 && errno == EPERM);
	EXPECT(syscall(SYS_setpriority, 0, 0, 1) == 0);
	EXPECT(syscall(SYS_prlimit64, parent, 0, NULL, NULL) == -1 && errno == EPERM);
	EXPECT(syscall(SYS_prlimit64, 0, 0, NULL, NULL) == 0);
	EXPECT(syscall(SYS_sched_setaffinity, parent, 0, NULL) == -1 && errno == EPERM);
}

/* ---- notifications ------------------------------------------------------------------------------- */

static int send_fd(int socket_fd, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	return sendmsg(socket_fd, &message, 0) == 1 ? 0 : -1;
}

static int receive_fd(int socket_fd)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	int fd = -1;

	if (recvmsg(socket_fd, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL)
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	return fd;
}

/* What the workload tries under notify; clone3 and what is allowed are not told. */
static _Noreturn void notified_child(int socket_fd, const struct bv_launch_seccomp *launch)
{
	const int listener = install_filter(launch, SECCOMP_FILTER_FLAG_NEW_LISTENER);

	if (send_fd(socket_fd, listener) != 0)
		_exit(10);
	(void)close(listener); /* the parent has it */
	if (syscall(435, NULL, 0) != -1 || errno != ENOSYS)
		_exit(11);
	if (syscall(SYS_ptrace, 0, 0, 0, 0) != -1 || errno != EPERM)
		_exit(12);
	if (syscall(SYS_keyctl, -1L, 0, 0, 0, 0) != -1 || errno != ENOSYS)
		_exit(13);
	if (socket(AF_NETLINK, SOCK_RAW, 0) != -1 || errno != EAFNOSUPPORT)
		_exit(14);
	if (getppid() <= 0)
		_exit(15);
	/* With a listener above, no filter below may have one: it could answer "continue". */
	if (syscall(SYS_seccomp, 1L, SECCOMP_FILTER_FLAG_NEW_LISTENER, NULL) != -1 ||
	    errno != EPERM)
		_exit(16);
	_exit(0);
}

TEST_WITHIN(the_launcher_is_told_of_denials_and_answers_each_with_its_errno, 20)
{
	static const long expected[] = {SYS_ptrace, SYS_keyctl, SYS_socket, SYS_seccomp};
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL,
						 .notify = true};
	int pair[2], listener, status = -1;
	size_t told = 0;
	pid_t pid;

	EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0)
		notified_child(pair[1], &launch);
	(void)close(pair[1]); /* or its end would not be seen */
	listener = receive_fd(pair[0]);
	EXPECT(listener >= 0);
	for (;;) {
		struct pollfd wait = {.fd = listener, .events = POLLIN};
		struct seccomp_notif call = {0};
		struct seccomp_notif_resp answer = {0};

		EXPECT(poll(&wait, 1, 10000) == 1);
		if (!(wait.revents & POLLIN))
			break; /* POLLHUP: nobody is left under the filter */
		EXPECT(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0);
		EXPECT(told < sizeof expected / sizeof expected[0]);
		EXPECT_INT(call.data.nr, expected[told]);
		told++;
		answer.id = call.id;
		answer.error = -bv_seccomp_errno(&launch, &call.data);
		EXPECT(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0);
	}
	EXPECT_INT(waitpid(pid, &status, 0), pid);
	EXPECT_INT(status, 0);
	EXPECT_UINT(told, sizeof expected / sizeof expected[0]);
}
