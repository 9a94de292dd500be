/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sys.h - the system calls that C libraries do not wrap, one function each.
 *
 * Every function returns -1 and sets errno like the C library's own, touches no memory but its
 * arguments, and may be called between clone and exec.  sys.c alone calls syscall(2).  Structures
 * and constants newer than Debian 12's kernel headers are defined here under our own names.
 */
#ifndef BV_LINUX_SYS_H
#define BV_LINUX_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sock_fprog;
struct rusage;

/* ---- processes -------------------------------------------------------------------------------- */

/* struct clone_args of linux/sched.h, size 88 (Linux 5.7). */
struct bv_clone_args {
	uint64_t flags;
	uint64_t pidfd; /* address of an int */
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};

enum {
	BV_CLONE_VM = 0x00000100,
	BV_CLONE_VFORK = 0x00004000,
	BV_CLONE_PIDFD = 0x00001000,
	BV_CLONE_NEWNS = 0x00020000,
	BV_CLONE_NEWCGROUP = 0x02000000,
	BV_CLONE_NEWUTS = 0x04000000,
	BV_CLONE_NEWIPC = 0x08000000,
	BV_CLONE_NEWUSER = 0x10000000,
	BV_CLONE_NEWPID = 0x20000000,
	BV_CLONE_NEWNET = 0x40000000,
};

#define BV_CLONE_INTO_CGROUP 0x200000000ULL

/*
 * Linux 5.3; used for every process of ours.  Returns as fork(2) does, the child on a copy of the
 * caller's stack, so CLONE_VM is refused (EINVAL) here.
 */
pid_t bv_sys_clone3(const struct bv_clone_args *args);

/* clone(2), for where clone3 is answered with ENOSYS (default container profiles).  `pidfd` may be NULL. */
pid_t bv_sys_clone(uint64_t flags, int *pidfd);

/* clone3, and clone where clone3 is ENOSYS and the flags allow.  exit_signal is SIGCHLD. */
pid_t bv_sys_fork(uint64_t flags, int cgroup_fd, int *ret_pidfd);

/*
 * Runs `entry(argument)` in a child that shares this memory while the caller waits (vfork), on
 * `stack`; `entry` must exec or _exit.  Linux 5.2 for the pidfd.  Used so that a large host is never copied.
 */
pid_t bv_sys_spawn(int (*entry)(void *argument), void *argument, void *stack, size_t stack_size,
		   int *ret_pidfd);

/* The same without waiting and with more clone flags: a helper that lives beside its caller.  It
 * shares errno too, so it may only make calls that cannot fail. */
pid_t bv_sys_spawn_beside(uint64_t flags, int (*entry)(void *argument), void *argument, void *stack,
			  size_t stack_size, int *ret_pidfd);

int bv_sys_pidfd_open(pid_t pid);                           /* Linux 5.3 */
int bv_sys_pidfd_send_signal(int pidfd, int signal_number); /* Linux 5.1 */
/* SIGKILL to a child that was not reaped yet: by descriptor, by its number where that is refused. */
int bv_sys_kill_child(pid_t pid, int pidfd);
int bv_sys_execveat(int fd, const char *path, char *const argv[], char *const envp[],
		    int flags);                             /* 3.19 */
int bv_sys_kcmp_file(pid_t a, pid_t b, int fd_a, int fd_b); /* Linux 3.5 */

/* ---- descriptors ------------------------------------------------------------------------------- */

enum { BV_CLOSE_RANGE_CLOEXEC = 4 };
int bv_sys_close_range(unsigned int first, unsigned int last, unsigned int flags); /* Linux 5.9 */

struct bv_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

enum {
	BV_RESOLVE_NO_XDEV = 0x01,
	BV_RESOLVE_NO_MAGICLINKS = 0x02,
	BV_RESOLVE_NO_SYMLINKS = 0x04,
	BV_RESOLVE_BENEATH = 0x08,
	BV_RESOLVE_IN_ROOT = 0x10,
};
int bv_sys_openat2(int dir_fd, const char *path, const struct bv_open_how *how); /* Linux 5.6 */

/* Linux 2.4; used where directories are read in the kernel's own form, which C libraries name differently. */
ssize_t bv_sys_getdents64(int fd, void *data, size_t size_bytes);

enum { BV_RENAME_NOREPLACE = 1 };
int bv_sys_renameat2(int from_dir, const char *from, int to_dir, const char *to,
		     unsigned int flags); /* Linux 3.15 */

enum { BV_MFD_NOEXEC_SEAL = 8, BV_MFD_EXEC = 16 };
int bv_sys_memfd_create(const char *name, unsigned int flags);               /* Linux 3.17 */
ssize_t bv_sys_getrandom(void *data, size_t size_bytes, unsigned int flags); /* Linux 3.17 */

/* ---- mounts -------------------------------------------------------------------------------------- */

enum {
	BV_OPEN_TREE_CLONE = 1,
	BV_OPEN_TREE_CLOEXEC = 02000000,
	BV_AT_RECURSIVE = 0x8000,
	BV_AT_EMPTY_PATH = 0x1000,
	BV_MOVE_MOUNT_F_EMPTY_PATH = 4,
	BV_MOVE_MOUNT_T_EMPTY_PATH = 0x40,
};
int bv_sys_open_tree(int dir_fd, const char *path, unsigned int flags); /* Linux 5.2 */
int bv_sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags);

struct bv_mount_attr {
	uint64_t attr_set;
	uint64_t attr_clr;
	uint64_t propagation;
	uint64_t userns_fd;
};

enum {
	BV_MOUNT_ATTR_RDONLY = 1,
	BV_MOUNT_ATTR_NOSUID = 2,
	BV_MOUNT_ATTR_NODEV = 4,
	BV_MOUNT_ATTR_NOEXEC = 8,
	BV_MOUNT_ATTR_IDMAP = 0x00100000,
};
int bv_sys_mount_setattr(int dir_fd, const char *path, unsigned int flags,
			 const struct bv_mount_attr *attr); /* Linux 5.12 */

enum {
	BV_FSOPEN_CLOEXEC = 1,
	BV_FSMOUNT_CLOEXEC = 1,
	BV_FSCONFIG_SET_FLAG = 0,
	BV_FSCONFIG_SET_STRING = 1,
	BV_FSCONFIG_CMD_CREATE = 6,
};
int bv_sys_fsopen(const char *type, unsigned int flags); /* Linux 5.2 */
int bv_sys_fsconfig(int fs_fd, unsigned int command, const char *key, const char *value);
int bv_sys_fsmount(int fs_fd, unsigned int flags, unsigned int attributes);
int bv_sys_pivot_root(const char *new_root, const char *put_old);

/* ---- Landlock (Linux 5.13, ABI 1) ------------------------------------------------------------------ */

struct bv_landlock_ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4, Linux 6.7 */
	uint64_t scoped;             /* ABI 6, Linux 6.12 */
};

struct bv_landlock_path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

enum {
	BV_LANDLOCK_EXECUTE = 1 << 0,
	BV_LANDLOCK_WRITE_FILE = 1 << 1,
	BV_LANDLOCK_READ_FILE = 1 << 2,
	BV_LANDLOCK_READ_DIR = 1 << 3,
	BV_LANDLOCK_REMOVE_DIR = 1 << 4,
	BV_LANDLOCK_REMOVE_FILE = 1 << 5,
	BV_LANDLOCK_MAKE_CHAR = 1 << 6,
	BV_LANDLOCK_MAKE_DIR = 1 << 7,
	BV_LANDLOCK_MAKE_REG = 1 << 8,
	BV_LANDLOCK_MAKE_SOCK = 1 << 9,
	BV_LANDLOCK_MAKE_FIFO = 1 << 10,
	BV_LANDLOCK_MAKE_BLOCK = 1 << 11,
	BV_LANDLOCK_MAKE_SYM = 1 << 12,
	BV_LANDLOCK_REFER = 1 << 13,        /* ABI 2, Linux 5.19 */
	BV_LANDLOCK_TRUNCATE = 1 << 14,     /* ABI 3, Linux 6.2 */
	BV_LANDLOCK_IOCTL_DEV = 1 << 15,    /* ABI 5, Linux 6.10 */
	BV_LANDLOCK_RESOLVE_UNIX = 1 << 16, /* ABI 9, Linux 7.1 */

	BV_LANDLOCK_BIND_TCP = 1 << 0, /* ABI 4 */
	BV_LANDLOCK_CONNECT_TCP = 1 << 1,

	BV_LANDLOCK_SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
	BV_LANDLOCK_SCOPE_SIGNAL = 1 << 1,
};

/* The live ABI, 0 where there is no Landlock. */
int bv_sys_landlock_abi(void);
/* `abi` decides how much of `attr` this kernel is shown. */
int bv_sys_landlock_create_ruleset(const struct bv_landlock_ruleset_attr *attr, int abi);
int bv_sys_landlock_add_path(int ruleset_fd, int parent_fd, uint64_t allowed_access);
int bv_sys_landlock_restrict_self(int ruleset_fd, uint32_t flags);

/* The rights of the filesystem, network and scope families an ABI knows. */
struct bv_landlock_ruleset_attr bv_landlock_known(int abi);

/* ---- seccomp, capabilities ------------------------------------------------------------------------- */

enum { BV_SECCOMP_FLAG_NEW_LISTENER = 8, BV_SECCOMP_FLAG_WAIT_KILLABLE_RECV = 32 };
/* Linux 3.17; NEW_LISTENER 5.0.  Returns the listener, or 0. */
int bv_sys_seccomp_filter(unsigned int flags, const struct sock_fprog *program);

/* ioctl(2) with a request of its full width: musl's takes an int, into which these do not fit. */
int bv_sys_ioctl(int fd, unsigned long request, void *argument);

/* Empties effective, permitted and inheritable. */
int bv_sys_drop_capabilities(void);

/* setresuid and friends on this thread alone: C libraries broadcast theirs to all threads. */
int bv_sys_setresuid(uid_t id);
int bv_sys_setresgid(gid_t id);
int bv_sys_setgroups(size_t count, const gid_t *groups);

/* wait4(2), retried on EINTR. */
pid_t bv_sys_wait4(pid_t pid, int *ret_status, int options, struct rusage *ret_usage);

/* rt_sigaction back to SIG_DFL for every signal but SIGKILL and SIGSTOP, then an empty mask. */
int bv_sys_reset_signals(void);

#endif
