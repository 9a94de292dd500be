/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_oracle_strict.h - the strict set, written a second time; part of seccomp_oracle_body.h.
 *
 * Requests and options are those of the C library's headers where these have them.
 */
#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/prctl.h>

static bool is_strict_request(uint32_t request)
{
	static const uint32_t requests[] = {/* a terminal's settings */
					    TCGETS, TCSETS, TCSETSW, TCSETSF, 0x802c542a,
					    0x402c542b, 0x402c542c, 0x402c542d, TCSBRK, TCSBRKP,
					    TCXONC, TCFLSH,
					    /* whose it is, and its size */
					    TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY,
					    TIOCGWINSZ, TIOCSWINSZ,
					    /* pseudo-terminals */
					    TIOCPKT, TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER,
					    /* any descriptor */
					    FIONREAD, FIONBIO, FIOASYNC, FIOCLEX, FIONCLEX,
					    TIOCOUTQ, FICLONE};

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		if (requests[i] == request)
			return true;
	return false;
}

static bool is_strict_option(uint32_t option)
{
	switch (option) {
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_GET_DUMPABLE:
	case PR_SET_DUMPABLE:
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_GET_SECCOMP:
	case PR_SET_SECCOMP:
	case PR_CAPBSET_READ:
	case PR_GET_SECUREBITS:
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
	case PR_SET_CHILD_SUBREAPER:
	case PR_GET_CHILD_SUBREAPER:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
	case PR_SVE_SET_VL:
	case PR_SVE_GET_VL:
	case PR_GET_SPECULATION_CTRL:
	case PR_PAC_RESET_KEYS:
	case PR_SET_TAGGED_ADDR_CTRL:
	case PR_GET_TAGGED_ADDR_CTRL:
	case 63:         /* PR_SME_SET_VL */
	case 64:         /* PR_SME_GET_VL */
	case 65:         /* PR_SET_MDWE */
	case 66:         /* PR_GET_MDWE */
	case 69:         /* PR_RISCV_V_SET_CONTROL */
	case 70:         /* PR_RISCV_V_GET_CONTROL */
	case 71:         /* PR_RISCV_SET_ICACHE_FLUSH_CTX */
	case 74:         /* PR_GET_SHADOW_STACK_STATUS */
	case 75:         /* PR_SET_SHADOW_STACK_STATUS */
	case 76:         /* PR_LOCK_SHADOW_STACK_STATUS */
	case 0x41555856: /* PR_GET_AUXV */
	case PR_SET_VMA:
		return true;
	}
	return false;
}

static bool is_strict_sockopt(uint32_t level, uint32_t option)
{
	switch (level) {
	case 0:  /* SOL_IP */
	case 41: /* SOL_IPV6 */
		return true;
	case 1: /* SOL_SOCKET; not SO_ATTACH_FILTER, _BPF, _REUSEPORT_CBPF, _REUSEPORT_EBPF */
		return option != 26 && option != 50 && option != 51 && option != 52;
	case 6: /* SOL_TCP; not TCP_REPAIR, TCP_ULP */
		return option != 19 && option != 31;
	case 17: /* SOL_UDP: UDP_CORK, UDP_SEGMENT, UDP_GRO */
		return option == 1 || option == 103 || option == 104;
	}
	return false;
}

/* Whether ordinary programs call it. */
static bool is_in_strict_set(uint32_t number)
{
	switch (number) {
	case __NR_read:
	case __NR_write:
	case __NR_close:
	case __NR_fstat:
	case __NR_lseek:
	case __NR_mmap:
	case __NR_mprotect:
	case __NR_munmap:
	case __NR_brk:
	case __NR_rt_sigaction:
	case __NR_rt_sigprocmask:
	case __NR_rt_sigreturn:
	case __NR_ioctl:
	case __NR_pread64:
	case __NR_pwrite64:
	case __NR_readv:
	case __NR_writev:
	case __NR_sched_yield:
	case __NR_mremap:
	case __NR_msync:
	case __NR_mincore:
	case __NR_madvise:
	case __NR_dup:
	case __NR_nanosleep:
	case __NR_getitimer:
	case __NR_setitimer:
	case __NR_getpid:
	case __NR_sendfile:
	case __NR_socket:
	case __NR_connect:
	case __NR_accept:
	case __NR_sendto:
	case __NR_recvfrom:
	case __NR_sendmsg:
	case __NR_recvmsg:
	case __NR_shutdown:
	case __NR_bind:
	case __NR_listen:
	case __NR_getsockname:
	case __NR_getpeername:
	case __NR_socketpair:
	case __NR_setsockopt:
	case __NR_getsockopt:
	case __NR_clone:
	case __NR_execve:
	case __NR_exit:
	case __NR_wait4:
	case __NR_kill:
	case __NR_uname:
	case __NR_fcntl:
	case __NR_flock:
	case __NR_fsync:
	case __NR_fdatasync:
	case __NR_truncate:
	case __NR_ftruncate:
	case __NR_getcwd:
	case __NR_chdir:
	case __NR_fchdir:
	case __NR_fchmod:
	case __NR_fchown:
	case __NR_umask:
	case __NR_gettimeofday:
	case __NR_getrlimit:
	case __NR_getrusage:
	case __NR_sysinfo:
	case __NR_times:
	case __NR_getuid:
	case __NR_getgid:
	case __NR_setuid:
	case __NR_setgid:
	case __NR_geteuid:
	case __NR_getegid:
	case __NR_setpgid:
	case __NR_getppid:
	case __NR_setsid:
	case __NR_setreuid:
	case __NR_setregid:
	case __NR_getgroups:
	case __NR_setresuid:
	case __NR_getresuid:
	case __NR_setresgid:
	case __NR_getresgid:
	case __NR_getpgid:
	case __NR_getsid:
	case __NR_capget:
	case __NR_rt_sigpending:
	case __NR_rt_sigtimedwait:
	case __NR_rt_sigqueueinfo:
	case __NR_rt_sigsuspend:
	case __NR_sigaltstack:
	case __NR_personality:
	case __NR_statfs:
	case __NR_fstatfs:
	case __NR_getpriority:
	case __NR_setpriority:
	case __NR_sched_getparam:
	case __NR_sched_getscheduler:
	case __NR_sched_get_priority_max:
	case __NR_sched_get_priority_min:
	case __NR_sched_rr_get_interval:
	case __NR_mlock:
	case __NR_munlock:
	case __NR_mlockall:
	case __NR_munlockall:
	case __NR_prctl:
	case __NR_setrlimit:
	case __NR_gettid:
	case __NR_readahead:
	case __NR_setxattr:
	case __NR_lsetxattr:
	case __NR_fsetxattr:
	case __NR_getxattr:
	case __NR_lgetxattr:
	case __NR_fgetxattr:
	case __NR_listxattr:
	case __NR_llistxattr:
	case __NR_flistxattr:
	case __NR_removexattr:
	case __NR_lremovexattr:
	case __NR_fremovexattr:
	case __NR_tkill:
	case __NR_futex:
	case __NR_sched_setaffinity:
	case __NR_sched_getaffinity:
	case __NR_getdents64:
	case __NR_set_tid_address:
	case __NR_restart_syscall:
	case __NR_fadvise64:
	case __NR_timer_create:
	case __NR_timer_settime:
	case __NR_timer_gettime:
	case __NR_timer_getoverrun:
	case __NR_timer_delete:
	case __NR_clock_gettime:
	case __NR_clock_getres:
	case __NR_clock_nanosleep:
	case __NR_exit_group:
	case __NR_epoll_ctl:
	case __NR_tgkill:
	case __NR_waitid:
	case __NR_inotify_add_watch:
	case __NR_inotify_rm_watch:
	case __NR_openat:
	case __NR_mkdirat:
	case __NR_mknodat:
	case __NR_fchownat:
	case __NR_newfstatat:
	case __NR_unlinkat:
	case __NR_renameat:
	case __NR_linkat:
	case __NR_symlinkat:
	case __NR_readlinkat:
	case __NR_fchmodat:
	case __NR_faccessat:
	case __NR_pselect6:
	case __NR_ppoll:
	case __NR_set_robust_list:
	case __NR_splice:
	case __NR_tee:
	case __NR_sync_file_range:
	case __NR_utimensat:
	case __NR_epoll_pwait:
	case __NR_timerfd_create:
	case __NR_fallocate:
	case __NR_timerfd_settime:
	case __NR_timerfd_gettime:
	case __NR_accept4:
	case __NR_signalfd4:
	case __NR_eventfd2:
	case __NR_epoll_create1:
	case __NR_dup3:
	case __NR_pipe2:
	case __NR_inotify_init1:
	case __NR_preadv:
	case __NR_pwritev:
	case __NR_rt_tgsigqueueinfo:
	case __NR_recvmmsg:
	case __NR_prlimit64:
	case __NR_sendmmsg:
	case __NR_getcpu:
	case __NR_sched_getattr:
	case __NR_renameat2:
	case __NR_seccomp:
	case __NR_getrandom:
	case __NR_memfd_create:
	case __NR_execveat:
	case __NR_membarrier:
	case __NR_mlock2:
	case __NR_copy_file_range:
	case __NR_preadv2:
	case __NR_pwritev2:
	case __NR_pkey_mprotect:
	case __NR_pkey_alloc:
	case __NR_pkey_free:
	case __NR_statx:
	case __NR_rseq:
	case 424: /* pidfd_send_signal */
	case 434: /* pidfd_open */
	case 436: /* close_range */
	case 439: /* faccessat2 */
	case 441: /* epoll_pwait2 */
	case 444: /* landlock_create_ruleset */
	case 445: /* landlock_add_rule */
	case 446: /* landlock_restrict_self */
	case 452: /* fchmodat2 */
	case 453: /* map_shadow_stack */
	case 462: /* mseal */
		return true;
#ifdef __NR_arch_prctl
	/* Of x86 alone, or spelled anew for later machines. */
	case __NR_open:
	case __NR_stat:
	case __NR_lstat:
	case __NR_poll:
	case __NR_access:
	case __NR_pipe:
	case __NR_select:
	case __NR_dup2:
	case __NR_pause:
	case __NR_alarm:
	case __NR_fork:
	case __NR_vfork:
	case __NR_getdents:
	case __NR_rename:
	case __NR_mkdir:
	case __NR_rmdir:
	case __NR_creat:
	case __NR_link:
	case __NR_unlink:
	case __NR_symlink:
	case __NR_readlink:
	case __NR_chmod:
	case __NR_chown:
	case __NR_lchown:
	case __NR_getpgrp:
	case __NR_utime:
	case __NR_mknod:
	case __NR_arch_prctl:
	case __NR_time:
	case __NR_epoll_create:
	case __NR_epoll_wait:
	case __NR_utimes:
	case __NR_inotify_init:
	case __NR_futimesat:
	case __NR_signalfd:
	case __NR_eventfd:
		return true;
#endif
	}
	return false;
}

/* What no program that asks for it could have been allowed; the rest a kernel may lack. */
static bool is_eperm_in_strict(uint32_t number)
{
	switch (number) {
	case __NR_unshare:
	case __NR_sync:
	case __NR_syncfs:
	case __NR_setgroups:
	case __NR_capset:
	case __NR_setfsuid:
	case __NR_setfsgid:
	case __NR_sched_setscheduler:
	case __NR_sched_setparam:
	case __NR_sched_setattr:
	case __NR_ioprio_set:
	case __NR_ioprio_get:
	case __NR_get_robust_list:
	case 448: /* process_mrelease */
		return true;
	}
	return false;
}

static struct expectation without(bool deny, int error)
{
	return (struct expectation){.sys_errno = deny ? error : 0,
				    .depends_on_arguments = true,
				    .strict = deny};
}

/* `other` is what holds where the strict set is not asked for. */
static struct expectation judge_strict(struct expectation other, uint32_t number,
				       const uint64_t args[6])
{
	if (other.sys_errno != 0 && !other.depends_on_arguments)
		return other;
	if (!is_in_strict_set(number))
		return (struct expectation){.sys_errno = is_eperm_in_strict(number) ? EPERM
										    : ENOSYS,
					    .strict = true};
	/* Denied by its arguments already: then by whatever denied it. */
	if (other.sys_errno != 0)
		return other;
	switch (number) {
	case __NR_ioctl:
		return without(!is_strict_request((uint32_t)args[1]), ENOTTY);
	case __NR_prctl:
		return without(!is_strict_option((uint32_t)args[0]), EINVAL);
	case __NR_setsockopt:
		return without(!is_strict_sockopt((uint32_t)args[1], (uint32_t)args[2]),
			       ENOPROTOOPT);
	}
	return other;
}
