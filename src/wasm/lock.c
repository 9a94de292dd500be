/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* lock.c - the helper's own confinement. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/sys.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum {
	ACCESS_READ = BV_LANDLOCK_READ_FILE | BV_LANDLOCK_READ_DIR,
	/* What nobody is given: running files, devices, sockets, pipes with a name. */
	ACCESS_WRITE = BV_LANDLOCK_WRITE_FILE | BV_LANDLOCK_REMOVE_DIR | BV_LANDLOCK_REMOVE_FILE |
		       BV_LANDLOCK_MAKE_DIR | BV_LANDLOCK_MAKE_REG | BV_LANDLOCK_MAKE_SYM |
		       BV_LANDLOCK_REFER | BV_LANDLOCK_TRUNCATE,
};

/* ---- files ----------------------------------------------------------------------------------- */

static int lock_files(const struct lock_root *roots, size_t count)
{
	const int abi = bv_sys_landlock_abi();
	const struct bv_landlock_ruleset_attr known = bv_landlock_known(abi);
	int ruleset, result = 0;

	/* A kernel without it: the boundary's own mounts and the filter below are what is left. */
	if (abi < 1)
		return 0;
	ruleset = bv_sys_landlock_create_ruleset(&known, abi);
	if (ruleset < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const uint64_t access = (roots[i].read ? (uint64_t)ACCESS_READ : 0) |
					(roots[i].write ? (uint64_t)ACCESS_WRITE : 0);

		result = bv_sys_landlock_add_path(ruleset, roots[i].fd,
						  access & known.handled_access_fs);
	}
	if (result == 0)
		result = bv_sys_landlock_restrict_self(ruleset, 0);
	close(ruleset);
	return result;
}

/* ---- system calls ---------------------------------------------------------------------------- */

/* Whatever its arguments.  What WASI is made of, and what the C library and the engine need of memory. */
static const uint16_t allowed[] = {
	SYS_read,           SYS_write,           SYS_readv,
	SYS_writev,         SYS_pread64,         SYS_pwrite64,
	SYS_preadv,         SYS_pwritev,         SYS_lseek,
	SYS_close,          SYS_fstat,           SYS_newfstatat,
	SYS_statx,          SYS_getdents64,      SYS_openat2,
	SYS_ftruncate,      SYS_fallocate,       SYS_fadvise64,
	SYS_fsync,          SYS_fdatasync,       SYS_utimensat,
	SYS_mkdirat,        SYS_unlinkat,        SYS_renameat2,
	SYS_linkat,         SYS_symlinkat,       SYS_readlinkat,
	SYS_poll,           SYS_ppoll,           SYS_clock_gettime,
	SYS_clock_getres,   SYS_clock_nanosleep, SYS_nanosleep,
	SYS_getrandom,      SYS_sched_yield,     SYS_munmap,
	SYS_mremap,         SYS_madvise,         SYS_brk,
	SYS_futex,          SYS_rt_sigreturn,    SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_sigaltstack,     SYS_restart_syscall,
	SYS_exit,           SYS_exit_group,
};

/* Of fcntl: no owner, whom the kernel would send signals to. */
static const uint16_t allowed_fcntl[] = {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC};

enum {
	ALLOWED_COUNT = sizeof allowed / sizeof *allowed,
	FCNTL_COUNT = sizeof allowed_fcntl / sizeof *allowed_fcntl,
	PROGRAM_MAX = ALLOWED_COUNT + FCNTL_COUNT + 32,
	ARGUMENT_PROT = offsetof(struct seccomp_data, args[2]),
};

struct program {
	struct sock_filter code[PROGRAM_MAX];
	unsigned short length;
};

static void put(struct program *program, struct sock_filter instruction)
{
	program->code[program->length++] = instruction;
}

static void load(struct program *program, uint32_t offset)
{
	put(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void answer(struct program *program, uint32_t action)
{
	put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Calls of another machine's numbers, and the x32 ones, would be judged by the wrong list. */
static void put_head(struct program *program)
{
	load(program, offsetof(struct seccomp_data, arch));
	put(program,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	answer(program, SECCOMP_RET_KILL_PROCESS);
	load(program, offsetof(struct seccomp_data, nr));
}

/* mmap and mprotect in one: both have the protection as their third argument. */
static void put_protection(struct program *program, uint32_t executable, uint32_t otherwise)
{
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0));
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4));
	load(program, ARGUMENT_PROT);
	put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
	answer(program, executable);
	answer(program, SECCOMP_RET_ALLOW);
	answer(program, otherwise);
}

static int install(struct program *program)
{
	struct sock_fprog filter = {program->length, program->code};

	return bv_sys_seccomp_filter(0, &filter);
}

int lock_code(enum lock_answer how)
{
	/* An error of 0 is success, and the call is not made. */
	const uint32_t refusal = how == LOCK_KILLS ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO;
	struct program program = {.length = 0};

	/* A second lock where the kernel has it (6.3): it also refuses what was written to before. */
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L) != 0 && errno != EINVAL)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		return -1;
	put_head(&program);
	/* pkey_mprotect and shmat would be other ways. */
	put(&program,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pkey_mprotect, 2, 0));
	put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_shmat, 1, 0));
	put(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
	answer(&program, SECCOMP_RET_KILL_PROCESS);
	put_protection(&program, refusal, SECCOMP_RET_ALLOW);
	return install(&program);
}

static int lock_calls(void)
{
	struct program program = {.length = 0};

	put_head(&program);
	put(&program,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, FCNTL_COUNT + 3));
	load(&program, offsetof(struct seccomp_data, args[1]));
	for (size_t i = 0; i < FCNTL_COUNT; i++)
		put(&program,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed_fcntl[i],
						 (uint8_t)(FCNTL_COUNT - i), 0));
	answer(&program, SECCOMP_RET_KILL_PROCESS);
	answer(&program, SECCOMP_RET_ALLOW);
	/* Jumps are short: each call has its own two instructions' way to the answer. */
	for (size_t i = 0; i < ALLOWED_COUNT; i++)
		put(&program,
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
						 (uint8_t)(ALLOWED_COUNT - 1 - i + 7), 0));
	put_protection(&program, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_PROCESS);
	answer(&program, SECCOMP_RET_ALLOW);
	return install(&program);
}

int lock_all(const struct lock_root *roots, size_t count)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || lock_files(roots, count) != 0)
		return -1;
	return lock_calls();
}
