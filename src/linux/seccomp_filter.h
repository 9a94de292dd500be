/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_filter.h - the system call filter every workload runs under.
 *
 * The rules are the rows of seccomp_baseline.def, seccomp_policy.def and, where the strict set is
 * asked for, seccomp_strict.def.  The BPF program, the errno the launcher answers a notification with and the words a report uses all come from them,
 * so they cannot disagree.  Nothing here allocates.  docs/seccomp.md lists what is denied and why.
 *
 * Not called seccomp.h: this folder is on the include path as "linux", and <linux/seccomp.h> is the
 * kernel's.
 */
#ifndef BV_LINUX_SECCOMP_FILTER_H
#define BV_LINUX_SECCOMP_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "contract/types.h"

enum {
	/* rseq_slice_yield, Linux 7.0.  Above it, and in gaps below it, every call is ENOSYS. */
	BV_SYSCALL_NEWEST = 471,
	BV_SYSCALL_LIMIT = BV_SYSCALL_NEWEST + 1,

	/* Set in the number of a call made through the x32 ABI of x86_64. */
	BV_SYSCALL_X32_BIT = 0x40000000,

	/*
	 * Instructions that any policy's program fits into; the tests hold us to it.  The longest
	 * is 380: allowed and denied numbers of the strict set alternate, and two of its calls
	 * compare an argument with some thirty values.
	 */
	BV_SECCOMP_PROGRAM_MAX = 512,
};

/* Why a call is denied: what in the spec, or that no spec can have it. */
enum bv_seccomp_origin {
	BV_SECCOMP_BASELINE, /* refused to every workload */
	BV_SECCOMP_SPAWN,    /* the ChildSpawn capability */
	BV_SECCOMP_NETWORK,  /* the Network capability */
	BV_SECCOMP_SHARED,   /* reaches the host by a process or IPC id, for want of namespaces */
	BV_SECCOMP_FOREIGN,  /* made through another ABI: i386, x32, 32-bit ARM or RISC-V */
	BV_SECCOMP_UNKNOWN,  /* newer than this bvisor, or no call at all */
	BV_SECCOMP_STRICT,   /* not in the strict set, which was asked for */
};

struct bv_seccomp_verdict {
	bool allowed;
	/* The rest means nothing when allowed. */
	bool told; /* under notify: the launcher is asked.  Else the errno is returned silently */
	int sys_errno; /* what the workload gets; 0 if it is killed */
	enum bv_seccomp_origin origin;
};

/*
 * Writes the program that enforces `launch` into insns[0 .. *ret_count).
 *
 * A call allowed or denied whatever its arguments is decided by a binary search over the number:
 * eleven instructions, thirteen in the strict set, jumps on the number and the architecture alone.
 * The kernel (since 5.11)
 * follows such a program once for each number at installation, remembers for which it is certain
 * to allow, and does not run it for those again.
 *
 * BV_E_ARGUMENT for a spawn or socket policy that is none; BV_E_MEMORY if `capacity` is too small,
 * which BV_SECCOMP_PROGRAM_MAX never is.
 */
enum bv_code bv_seccomp_compile(const struct bv_launch_seccomp *launch, struct sock_filter *insns,
				size_t capacity, size_t *ret_count, struct bv_error *err);

/* What that program says to this call.  Pure. */
struct bv_seccomp_verdict bv_seccomp_judge(const struct bv_launch_seccomp *launch,
					   const struct seccomp_data *data);

/*
 * The errno to answer a notification with, never 0: a call that reached the launcher was denied,
 * so one that is not found denied here is answered EPERM, and never continued.
 */
int bv_seccomp_errno(const struct bv_launch_seccomp *launch, const struct seccomp_data *data);

/*
 * Whether this number is a call with a name there.  What is none is denied whatever the policy, and
 * there are more such numbers than anybody wants to be told of one by one.
 */
bool bv_seccomp_knows(uint32_t arch, uint32_t number);

/* ---- seccomp_tasks.c: tasks counted by the launcher ---- */

/*
 * Puts before the program of `launch`, which has notify, that the launcher is asked for each task it
 * would let be made.  BV_E_MEMORY if there is no room for ten instructions more.
 */
enum bv_code bv_seccomp_ask_for_tasks(const struct bv_launch_seccomp *launch,
				      struct sock_filter *insns, size_t capacity, size_t *count,
				      struct bv_error *err);

/* Whether a notification asks for that: an allowed call that makes a task, and nothing else. */
bool bv_seccomp_makes_task(const struct bv_launch_seccomp *launch, const struct seccomp_data *data);

/* ---- seccomp_hide.c: memory and open files looked at by the launcher ---- */

/* Whether a limit is held by looking at what processes have open: memory, or what places of the host grow by. */
bool bv_seccomp_forbids_hiding(const struct bv_launch_limits *limits);

/*
 * Puts before a program, and before what asks for tasks, that nobody may hide what it has open: threads
 * have no descriptors of their own, and a process stays dumpable.  EPERM, and nobody is told of it.
 * BV_E_MEMORY if there is no room for twenty instructions more.
 */
enum bv_code bv_seccomp_refuse_hiding(struct sock_filter *insns, size_t capacity, size_t *count,
				      struct bv_error *err);

/* The same for a program of another architecture than this one: tests judge all on one machine. */
enum bv_code bv__seccomp_compile_for(uint32_t arch, const struct bv_launch_seccomp *launch,
				     struct sock_filter *insns, size_t capacity, size_t *ret_count,
				     struct bv_error *err);
struct bv_seccomp_verdict bv__seccomp_judge_for(uint32_t arch,
						const struct bv_launch_seccomp *launch,
						const struct seccomp_data *data);

/* ---- words: seccomp_text.c; the launcher does without ---- */

/* "ptrace"; "?" for a number that is none.  x32 numbers are named after the call they stand for. */
const char *bv_syscall_name(uint32_t arch, uint32_t number);

/* "x86_64", "x32", "i386", "aarch64", "arm", "riscv64", "riscv32", "?". */
const char *bv_syscall_abi(uint32_t arch, uint32_t number);

/* "baseline", "ChildSpawn", "Network", "shared-ids", "foreign-abi", "unknown-call", "strict". */
const char *bv_seccomp_origin_name(enum bv_seccomp_origin origin);

/* Why this call is denied, as a phrase; "" if it is not.  Static. */
const char *bv_seccomp_why(const struct bv_launch_seccomp *launch, const struct seccomp_data *data);

#endif
