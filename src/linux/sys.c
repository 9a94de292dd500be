/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The one file that calls syscall(2).  Nothing here allocates, locks or retries unless it says so. */
#include "sys.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { KERNEL_SIGNAL_COUNT = 64, LANDLOCK_RULE_PATH_BENEATH = 1, LANDLOCK_CREATE_VERSION = 1 };

pid_t bv_sys_clone3(const struct bv_clone_args *args)
{
	if (args->flags & BV_CLONE_VM) {
		errno = EINVAL;
		return -1;
	}
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

pid_t bv_sys_clone(uint64_t flags, int *pidfd)
{
#if defined(__x86_64__)
	return (pid_t)syscall(SYS_clone, flags | (uint64_t)SIGCHLD, 0, pidfd, 0, 0);
#elif defined(__aarch64__) || defined(__riscv)
	/* These order tls before child_tid; both are unused here, so the call is the same. */
	return (pid_t)syscall(SYS_clone, flags | (uint64_t)SIGCHLD, 0, pidfd, 0, 0);
#else
#error "write down the argument order of clone(2) here"
#endif
}

pid_t bv_sys_fork(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	int pidfd = -1;
	struct bv_clone_args args = {
		.flags = flags | BV_CLONE_PIDFD | (cgroup_fd >= 0 ? BV_CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	pid_t pid = bv_sys_clone3(&args);

	if (pid < 0 && errno == ENOSYS && cgroup_fd < 0)
		pid = bv_sys_clone(flags | BV_CLONE_PIDFD, &pidfd);
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

#if defined(__x86_64__)
/*
 * clone(2) with a new stack needs its return path in assembly: the child must not return through
 * a frame that its parent, sharing the memory, still uses.
 */
static long clone_on_stack(unsigned long flags, void *stack_top, int *pidfd, int (*entry)(void *),
			   void *argument)
{
	long result;
	register void *tls_unused __asm__("r8") = NULL;
	register void *child_tid_unused __asm__("r10") = NULL;
	register int (*child_entry)(void *) __asm__("r12") = entry;
	register void *child_argument __asm__("r13") = argument;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(result)
			 : "a"((long)SYS_clone), "D"(flags), "S"(stack_top), "d"(pidfd),
			   "r"(child_tid_unused), "r"(tls_unused), "r"(child_entry),
			   "r"(child_argument), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory", "cc");
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}
#else
extern int clone(int (*entry)(void *), void *stack, int flags, void *argument, ...);
static long clone_on_stack(unsigned long flags, void *stack_top, int *pidfd, int (*entry)(void *),
			   void *argument)
{
	return clone(entry, stack_top, (int)flags, argument, pidfd);
}
#endif

pid_t bv_sys_spawn_beside(uint64_t flags, int (*entry)(void *argument), void *argument, void *stack,
			  size_t stack_size, int *ret_pidfd)
{
	uintptr_t top = ((uintptr_t)stack + stack_size) & ~(uintptr_t)15;

	/* No exit signal until it has executed its program (the kernel then makes it SIGCHLD), so it is
	 * waited for with __WALL. */
	return (pid_t)clone_on_stack((unsigned long)flags | BV_CLONE_VM | BV_CLONE_PIDFD,
				     (void *)top, ret_pidfd, entry, argument);
}

pid_t bv_sys_spawn(int (*entry)(void *argument), void *argument, void *stack, size_t stack_size,
		   int *ret_pidfd)
{
	return bv_sys_spawn_beside(BV_CLONE_VFORK, entry, argument, stack, stack_size, ret_pidfd);
}

int bv_sys_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int bv_sys_pidfd_send_signal(int pidfd, int signal_number)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

int bv_sys_kill_child(pid_t pid, int pidfd)
{
	if (bv_sys_pidfd_send_signal(pidfd, SIGKILL) == 0 || errno == ESRCH)
		return 0;
	return kill(pid, SIGKILL);
}

int bv_sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
}

int bv_sys_kcmp_file(pid_t a, pid_t b, int fd_a, int fd_b)
{
	return (int)syscall(SYS_kcmp, a, b, 0 /* KCMP_FILE */, fd_a, fd_b);
}

int bv_sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

int bv_sys_openat2(int dir_fd, const char *path, const struct bv_open_how *how)
{
	return (int)syscall(SYS_openat2, dir_fd, path, how, sizeof(*how));
}

ssize_t bv_sys_getdents64(int fd, void *data, size_t size_bytes)
{
	return (ssize_t)syscall(SYS_getdents64, fd, data, size_bytes);
}

int bv_sys_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned int flags)
{
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int bv_sys_memfd_create(const char *name, unsigned int flags)
{
	return (int)syscall(SYS_memfd_create, name, flags);
}

ssize_t bv_sys_getrandom(void *data, size_t size_bytes, unsigned int flags)
{
	return (ssize_t)syscall(SYS_getrandom, data, size_bytes, flags);
}

int bv_sys_open_tree(int dir_fd, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

int bv_sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

int bv_sys_mount_setattr(int dir_fd, const char *path, unsigned int flags,
			 const struct bv_mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, dir_fd, path, flags, attr, sizeof(*attr));
}

int bv_sys_fsopen(const char *type, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

int bv_sys_fsconfig(int fs_fd, unsigned int command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs_fd, command, key, value, 0);
}

int bv_sys_fsmount(int fs_fd, unsigned int flags, unsigned int attributes)
{
	return (int)syscall(SYS_fsmount, fs_fd, flags, attributes);
}

int bv_sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int bv_sys_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

int bv_sys_landlock_create_ruleset(const struct bv_landlock_ruleset_attr *attr, int abi)
{
	/* An older kernel refuses a larger structure whose tail is not zero, so it is shown no tail. */
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;

	return (int)syscall(SYS_landlock_create_ruleset, attr, size, 0);
}

int bv_sys_landlock_add_path(int ruleset_fd, int parent_fd, uint64_t allowed_access)
{
	const struct bv_landlock_path_beneath_attr rule = {allowed_access, parent_fd};

	return (int)syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule,
			    0);
}

int bv_sys_landlock_restrict_self(int ruleset_fd, uint32_t flags)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset_fd, flags);
}

struct bv_landlock_ruleset_attr bv_landlock_known(int abi)
{
	struct bv_landlock_ruleset_attr known = {0, 0, 0};

	if (abi >= 1)
		known.handled_access_fs = BV_LANDLOCK_REFER - 1;
	if (abi >= 2)
		known.handled_access_fs |= BV_LANDLOCK_REFER;
	if (abi >= 3)
		known.handled_access_fs |= BV_LANDLOCK_TRUNCATE;
	if (abi >= 4)
		known.handled_access_net = BV_LANDLOCK_BIND_TCP | BV_LANDLOCK_CONNECT_TCP;
	if (abi >= 5)
		known.handled_access_fs |= BV_LANDLOCK_IOCTL_DEV;
	if (abi >= 6)
		known.scoped = BV_LANDLOCK_SCOPE_ABSTRACT_UNIX | BV_LANDLOCK_SCOPE_SIGNAL;
	if (abi >= 9)
		known.handled_access_fs |= BV_LANDLOCK_RESOLVE_UNIX;
	return known;
}

int bv_sys_seccomp_filter(unsigned int flags, const struct sock_fprog *program)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

int bv_sys_ioctl(int fd, unsigned long request, void *argument)
{
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

int bv_sys_drop_capabilities(void)
{
	/* Version 3: two words each of effective, permitted, inheritable. */
	const struct {
		uint32_t version;
		int32_t pid;
	} header = {0x20080522, 0};
	const uint32_t none[6] = {0, 0, 0, 0, 0, 0};

	return (int)syscall(SYS_capset, &header, none);
}

int bv_sys_setresuid(uid_t id)
{
	return (int)syscall(SYS_setresuid, id, id, id);
}

int bv_sys_setresgid(gid_t id)
{
	return (int)syscall(SYS_setresgid, id, id, id);
}

int bv_sys_setgroups(size_t count, const gid_t *groups)
{
	return (int)syscall(SYS_setgroups, count, groups);
}

pid_t bv_sys_wait4(pid_t pid, int *ret_status, int options, struct rusage *ret_usage)
{
	for (;;) {
		/* The kernel's struct rusage is the C library's first 144 bytes; musl pads it further. */
		pid_t got = (pid_t)syscall(SYS_wait4, pid, ret_status, options, ret_usage);

		if (got >= 0 || errno != EINTR)
			return got;
	}
}

int bv_sys_reset_signals(void)
{
	/* struct sigaction as the kernel has it; all zero is SIG_DFL, no flags, empty mask. */
	const uint64_t by_default[4] = {0, 0, 0, 0};
	const uint64_t empty_mask = 0;

	for (int number = 1; number <= KERNEL_SIGNAL_COUNT; number++) {
		if (number == SIGKILL || number == SIGSTOP)
			continue;
		if (syscall(SYS_rt_sigaction, number, by_default, NULL, sizeof(empty_mask)) != 0)
			return -1;
	}
	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty_mask, NULL, sizeof(empty_mask));
}
