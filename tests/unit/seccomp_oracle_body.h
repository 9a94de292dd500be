/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_oracle_body.h - see seccomp_oracle.h.  The including file brings __NR_ numbers, and defines
 * ORACLE and ORACLE_KNOWS(number).
 */
#include "seccomp_oracle.h"

#include <errno.h>

static const struct expectation allowed = {0};

static struct expectation denied(int error)
{
	return (struct expectation){.sys_errno = error};
}

static struct expectation by_arguments(bool deny, int error)
{
	return (struct expectation){.sys_errno = deny ? error : 0, .depends_on_arguments = true};
}

static struct expectation judge_clone(const struct bv_launch_seccomp *launch, uint64_t flags)
{
	/* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
	const bool isolates = (flags & 0x7e020000) != 0;
	const bool thread = (flags & 0x10000) != 0;

	if (launch->spawn == BV_SPAWN_DENY_NEW_TASKS)
		return denied(EPERM);
	if (launch->spawn == BV_SPAWN_ALLOW_THREADS)
		return by_arguments(isolates || !thread, EPERM);
	return by_arguments(isolates, EPERM);
}

static struct expectation judge_socket(const struct bv_launch_seccomp *launch, uint32_t family,
				       uint32_t type, uint32_t protocol)
{
	if (launch->sockets == BV_SOCKETS_NONE)
		return denied(EACCES);
	type %= 16;
	if (family == 1)
		return by_arguments(type != 1 && type != 2 && type != 5, ESOCKTNOSUPPORT);
	if (family != 2 && family != 10)
		return by_arguments(true, EAFNOSUPPORT);
	if (type != 1 && type != 2)
		return by_arguments(true, ESOCKTNOSUPPORT);
	return by_arguments(protocol != 0 && protocol != 6 && protocol != 17, EPROTONOSUPPORT);
}

static struct expectation judge_socketpair(const struct bv_launch_seccomp *launch, uint32_t family,
					   uint32_t type)
{
	if (family != 1)
		return by_arguments(true, EAFNOSUPPORT);
	type %= 16;
	if (launch->sockets == BV_SOCKETS_NONE)
		return by_arguments(type != 1 && type != 5, EACCES);
	return by_arguments(type != 1 && type != 2 && type != 5, ESOCKTNOSUPPORT);
}

static struct expectation judge_ioctl(uint32_t request)
{
	switch (request) {
	case 0x5412: /* TIOCSTI */
	case 0x541c: /* TIOCLINUX */
	case 0x541d: /* TIOCCONS */
	case 0x5423: /* TIOCSETD */
	case 0xaa00: /* USERFAULTFD_IOC_NEW */
		return by_arguments(true, EPERM);
	}
	return by_arguments(false, 0);
}

/* What is denied only where ids are the host's; `handled` false: not one of these. */
static struct expectation judge_shared(uint32_t number, const uint64_t args[6], bool *handled)
{
	const uint32_t first = (uint32_t)args[0];
	const uint32_t second = (uint32_t)args[1];

	*handled = true;
	switch (number) {
	case __NR_kill:
		return by_arguments(first == 0xffffffff, EPERM);
	case __NR_setpriority:
		return by_arguments(first == 2 || second != 0, EPERM);
	case __NR_ioprio_set:
		return by_arguments(first == 3 || second != 0, EPERM);
	case __NR_sched_setaffinity:
	case __NR_sched_setscheduler:
	case __NR_sched_setparam:
	case __NR_sched_setattr:
	case __NR_prlimit64:
		return by_arguments(first != 0, EPERM);
	case __NR_shmget:
	case __NR_shmat:
	case __NR_shmctl:
	case __NR_semget:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_semctl:
	case __NR_msgget:
	case __NR_msgsnd:
	case __NR_msgrcv:
	case __NR_msgctl:
	case __NR_mq_open:
	case __NR_mq_unlink:
		return denied(ENOSYS);
	}
	*handled = false;
	return allowed;
}

static struct expectation judge_number(const struct bv_launch_seccomp *launch, uint32_t number,
				       const uint64_t args[6])
{
	const uint32_t first = (uint32_t)args[0];
	const uint32_t second = (uint32_t)args[1];
	const uint32_t third = (uint32_t)args[2];
	struct expectation shared;
	bool handled;

	if (launch->shared) {
		shared = judge_shared(number, args, &handled);
		if (handled)
			return shared;
	}

	switch (number) {
	case __NR_clone:
		return judge_clone(launch, args[0]);
	case __NR_clone3:
		return (struct expectation){.sys_errno = ENOSYS,
					    .silent = launch->spawn != BV_SPAWN_DENY_NEW_TASKS};
	case __NR_socket:
		return judge_socket(launch, first, second, third);
	case __NR_socketpair:
		return judge_socketpair(launch, first, second);
	case __NR_ioctl:
		return judge_ioctl(second);
	case __NR_unshare:
		return by_arguments((args[0] & ~UINT64_C(0x50f00)) != 0, EPERM);
	case __NR_personality:
		return by_arguments(first != 0 && first != 0xffffffff, EPERM);
	case __NR_memfd_create:
		return by_arguments((second & 8) == 0, EACCES);
	case __NR_prctl:
		return by_arguments(first == 35, EPERM);
	case __NR_seccomp:
		return by_arguments(first == 1 && (second & 8) != 0, EPERM);
	case __NR_mknodat:
		return by_arguments((third & 0xf000) == 0x2000 || (third & 0xf000) == 0x6000 ||
					    (third & 06000) != 0,
				    EPERM);
	case __NR_fchmod:
		return by_arguments((second & 06000) != 0, EPERM);
	case __NR_fchmodat:
	case 452: /* fchmodat2 */
		return by_arguments((third & 06000) != 0, EPERM);
	case __NR_openat:
		return by_arguments((third & 020000100) != 0 && (args[3] & 06000) != 0, EPERM);
	case 437: /* openat2 */
		return (struct expectation){.sys_errno = ENOSYS, .silent = true};
#ifdef __NR_mknod
	case __NR_mknod:
		return by_arguments((second & 0xf000) == 0x2000 || (second & 0xf000) == 0x6000 ||
					    (second & 06000) != 0,
				    EPERM);
	case __NR_chmod:
	case __NR_creat:
		return by_arguments((second & 06000) != 0, EPERM);
	case __NR_open:
		return by_arguments((second & 020000100) != 0 && (third & 06000) != 0, EPERM);
#endif
#ifdef __NR_fork
	case __NR_fork:
	case __NR_vfork:
		return launch->spawn == BV_SPAWN_ALLOW_DESCENDANTS ? allowed : denied(EPERM);
#endif

	case __NR_ptrace:
	case __NR_process_vm_readv:
	case __NR_process_vm_writev:
	case 440: /* process_madvise */
	case 438: /* pidfd_getfd */
	case __NR_kcmp:
	case __NR_bpf:
	case __NR_perf_event_open:
	case __NR_userfaultfd:
	case __NR_fanotify_init:
	case __NR_fanotify_mark:
	case __NR_open_by_handle_at:
	case __NR_setns:
	case __NR_chroot:
	case __NR_pivot_root:
	case __NR_mount:
	case __NR_umount2:
	case 428: /* open_tree */
	case 429: /* move_mount */
	case 430: /* fsopen */
	case 431: /* fsconfig */
	case 432: /* fsmount */
	case 433: /* fspick */
	case 442: /* mount_setattr */
	case 467: /* open_tree_attr */
	case __NR_init_module:
	case __NR_finit_module:
	case __NR_delete_module:
	case __NR_kexec_load:
	case __NR_kexec_file_load:
	case __NR_reboot:
	case __NR_swapon:
	case __NR_swapoff:
	case __NR_acct:
	case __NR_quotactl:
	case 443: /* quotactl_fd */
	case __NR_syslog:
	case __NR_settimeofday:
	case __NR_clock_settime:
	case __NR_adjtimex:
	case __NR_clock_adjtime:
	case __NR_sethostname:
	case __NR_setdomainname:
	case __NR_vhangup:
#ifdef __NR_iopl
	case __NR_iopl:
	case __NR_ioperm:
#endif
		return denied(EPERM);

	case 425: /* io_uring_setup */
	case 426: /* io_uring_enter */
	case 427: /* io_uring_register */
	case __NR_keyctl:
	case __NR_add_key:
	case __NR_request_key:
	case __NR_name_to_handle_at:
	case __NR_lookup_dcookie:
	case __NR_nfsservctl:
	case __NR_move_pages:
	case __NR_migrate_pages:
	case __NR_mbind:
	case __NR_set_mempolicy:
	case __NR_get_mempolicy:
	case 450: /* set_mempolicy_home_node */
	case 457: /* statmount */
	case 458: /* listmount */
	case 470: /* listns */
#ifdef __NR_modify_ldt
	case __NR_modify_ldt:
	case __NR_uselib:
	case __NR__sysctl:
	case __NR_sysfs:
	case __NR_ustat:
	case __NR_create_module:
	case __NR_get_kernel_syms:
	case __NR_query_module:
#endif
		return denied(ENOSYS);
	}
	return allowed;
}

#include "seccomp_oracle_strict.h"

struct expectation ORACLE(const struct bv_launch_seccomp *launch, uint32_t number,
			  const uint64_t args[6]) {
	struct expectation expected;

	if (!ORACLE_KNOWS(number))
		return denied(ENOSYS);
	expected = judge_number(launch, number, args);
	if (launch->has_syscalls && launch->syscalls == BV_SYSCALLS_STRICT)
		expected = judge_strict(expected, number, args);
	return expected;
}
