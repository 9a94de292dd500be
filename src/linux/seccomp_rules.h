/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_rules.h - what seccomp.c, seccomp_compile.c and seccomp_text.c share: the form of rules.
 *
 * A rule is one byte: a final outcome, or a check.  A check is a short list of steps; each looks
 * at one half of one argument, masked, and goes on by its value to an outcome or a later step.
 */
#ifndef BV_LINUX_SECCOMP_RULES_H
#define BV_LINUX_SECCOMP_RULES_H

#include <linux/audit.h>

#include "linux/seccomp_filter.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define BV_NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define BV_NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define BV_NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
#error "bvisor has no system call table for this architecture: without one there is no filter"
#endif

/* Outcome, errno, origin, whether the launcher is told under notify. */
#define BV_SECCOMP_OUTCOMES(X)                                                                     \
	X(ALLOW, 0, BASELINE, false)                                                               \
	X(KILL, 0, FOREIGN, false)                                                                 \
	X(QUIET_ENOSYS, ENOSYS, BASELINE, false)                                                   \
	X(BASELINE_EPERM, EPERM, BASELINE, true)                                                   \
	X(BASELINE_EACCES, EACCES, BASELINE, true)                                                 \
	X(BASELINE_ENOSYS, ENOSYS, BASELINE, true)                                                 \
	X(SPAWN_EPERM, EPERM, SPAWN, true)                                                         \
	X(SPAWN_ENOSYS, ENOSYS, SPAWN, true)                                                       \
	X(NETWORK_EACCES, EACCES, NETWORK, true)                                                   \
	X(NETWORK_EAFNOSUPPORT, EAFNOSUPPORT, NETWORK, true)                                       \
	X(NETWORK_ESOCKTNOSUPPORT, ESOCKTNOSUPPORT, NETWORK, true)                                 \
	X(NETWORK_EPROTONOSUPPORT, EPROTONOSUPPORT, NETWORK, true)                                 \
	X(SHARED_EPERM, EPERM, SHARED, true)                                                       \
	X(SHARED_ENOSYS, ENOSYS, SHARED, true)                                                     \
	X(STRICT_EPERM, EPERM, STRICT, true)                                                       \
	X(STRICT_ENOSYS, ENOSYS, STRICT, true)                                                     \
	X(STRICT_EINVAL, EINVAL, STRICT, true)                                                     \
	X(STRICT_ENOTTY, ENOTTY, STRICT, true)                                                     \
	X(STRICT_ENOPROTOOPT, ENOPROTOOPT, STRICT, true)                                           \
	X(FOREIGN_ENOSYS, ENOSYS, FOREIGN, true)                                                   \
	X(UNKNOWN_ENOSYS, ENOSYS, UNKNOWN, true)

enum bv_seccomp_outcome {
#define BV_OUTCOME_ROW(name, error, origin, told) BV_OUTCOME_##name,
	BV_SECCOMP_OUTCOMES(BV_OUTCOME_ROW)
#undef BV_OUTCOME_ROW
		BV_OUTCOME_COUNT
};

extern const struct bv_seccomp_verdict bv__seccomp_outcomes[BV_OUTCOME_COUNT];

/* Set in a rule: a check, by number.  Set in where a step goes on: a step, by number. */
enum { BV_RULE_INDIRECT = 0x80 };

enum { BV_CHECK_STEPS = 5 };

struct bv_seccomp_case {
	uint32_t value;
	uint8_t go; /* outcome, or BV_RULE_INDIRECT | a later step */
};

struct bv_seccomp_step {
	uint8_t argument;
	bool high; /* the upper half of it */
	uint32_t mask;
	uint8_t case_count;
	uint8_t otherwise;
	const struct bv_seccomp_case *cases;
};

struct bv_seccomp_check {
	uint8_t step_count;
	struct bv_seccomp_step steps[BV_CHECK_STEPS];
};

/* clang-format off */
#define BV_SECCOMP_CHECKS(X)                                                                       \
	X(clone) X(clone_thread) X(unshare) X(ioctl) X(mknod) X(mknodat) X(personality) X(prctl)   \
	X(memfd_create) X(seccomp) X(socket_local) X(socketpair_connected) X(socketpair_local)     \
	X(chmod) X(fchmod) X(fchmodat) X(fchmodat2) X(creat) X(open) X(openat) X(kill_all)         \
	X(setpriority_self) X(ioprio_self) X(first_zero) X(strict_ioctl) X(strict_prctl)           \
	X(strict_setsockopt)
/* clang-format on */

enum bv_seccomp_check_id {
#define BV_CHECK_ROW(name) BV_CHECK_##name,
	BV_SECCOMP_CHECKS(BV_CHECK_ROW)
#undef BV_CHECK_ROW
		BV_CHECK_COUNT
};

extern const struct bv_seccomp_check bv__seccomp_checks[BV_CHECK_COUNT];

/* Column of syscalls.def. */
enum bv_syscall_table {
	BV_SYSCALLS_X86_64,
	BV_SYSCALLS_I386,
	BV_SYSCALLS_AARCH64,
	BV_SYSCALLS_RISCV64,
};

enum bv_syscall_row {
#define BV_SYSCALL(name, x86_64, i386, aarch64, riscv64) BV_ROW_##name,
#include "linux/syscalls.def"
#undef BV_SYSCALL
	BV_SYSCALL_ROW_COUNT
};

extern const int16_t bv__syscall_numbers[BV_SYSCALL_ROW_COUNT][4];

enum bv_seccomp_condition {
	BV_WHEN_ALWAYS,
	BV_WHEN_SPAWN_NONE,
	BV_WHEN_SPAWN_THREADS,
	BV_WHEN_SOCKETS_NONE,
	BV_WHEN_SOCKETS_LOCAL,
	BV_WHEN_SHARED,
	BV_WHEN_NOT_BENEATH,
};

bool bv__seccomp_applies(const struct bv_launch_seccomp *launch,
			 enum bv_seccomp_condition condition);

struct bv_seccomp_arch {
	uint32_t arch;
	uint32_t compat; /* the 32-bit ABI the same kernel serves */
	enum bv_syscall_table table;
};

/* NULL: not one of ours. */
const struct bv_seccomp_arch *bv__seccomp_find_arch(uint32_t arch);

/* The row of syscalls.def, or BV_SYSCALL_ROW_COUNT. */
size_t bv__seccomp_find_row(uint32_t arch, uint32_t number);

/* The rule of every number below the limit.  BV_E_ARGUMENT for a policy that is none. */
enum bv_code bv__seccomp_make_rules(const struct bv_seccomp_arch *arch,
				    const struct bv_launch_seccomp *launch,
				    uint8_t ret_rules[BV_SYSCALL_LIMIT], struct bv_error *err);

/* Writes the program of these rules: bv_seccomp_compile without the policy. */
enum bv_code bv__seccomp_write(const struct bv_seccomp_arch *arch, bool notify,
			       const uint8_t rules[BV_SYSCALL_LIMIT], struct sock_filter *insns,
			       size_t capacity, size_t *ret_count, struct bv_error *err);

/* Puts instructions before a program; their jumps to just behind themselves go on with it. */
enum bv_code bv__seccomp_put_before(const struct sock_filter *first, size_t first_count,
				    struct sock_filter *insns, size_t capacity, size_t *count,
				    struct bv_error *err);

#endif
