/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_judge.h - the filter's programs for every architecture and policy, run on the simulator
 * and held to the oracle.
 */
#ifndef BV_TEST_SECCOMP_JUDGE_H
#define BV_TEST_SECCOMP_JUDGE_H

#include "linux/seccomp_filter.h"
#include "seccomp_oracle.h"

struct judge_arch {
	const char *name;
	uint32_t arch, compat;
	oracle_function *oracle;
};

/* Spawn, sockets, shared, notify, set: every combination. */
enum { JUDGE_POLICIES = 3 * 2 * 2 * 2 * 2 };

struct judged {
	struct bv_launch_seccomp launch;
	const struct judge_arch *arch;
	struct sock_filter insns[BV_SECCOMP_PROGRAM_MAX];
	size_t count;
};

struct bv_launch_seccomp judge_policy(size_t index);

/* NULL is this machine's own architecture. */
const struct judge_arch *judge_find_arch(const char *name);
void judge_compile(struct judged *program, const struct judge_arch *arch,
		   const struct bv_launch_seccomp *launch);

/* Runs `check` on the program of every architecture and policy. */
void judge_each_program(void (*check)(const struct judged *program));

/* What the program says; a broken program fails the test. */
uint32_t judge_run(const struct judged *program, const struct seccomp_data *data);

/* Whether it says what the oracle says of this call of its own architecture. */
bool judge_agrees(const struct judged *program, uint32_t number, const uint64_t args[6]);

/* The same, and so does what the launcher judges by; or the test fails. */
void judge_expects(const struct judged *program, uint32_t number, const uint64_t args[6]);

/*
 * Arguments that some check asks for, with and without a litter of bits: the same sequence in every
 * test process, so that a failure can be had again.
 */
void judge_arguments(uint64_t ret_args[6]);

#endif
