/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bpf_sim.h - runs a seccomp program on a system call that is not made.
 *
 * Every instruction the kernel accepts in a seccomp filter is understood; anything else, a jump out of
 * the program included, is a broken program and never a verdict.
 */
#ifndef BV_TEST_BPF_SIM_H
#define BV_TEST_BPF_SIM_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_result {
	bool valid;
	uint32_t action;    /* SECCOMP_RET_ and data */
	unsigned int steps; /* instructions run, the return included */
};

/* What the kernel checks before it accepts a program. */
bool bpf_sim_check(const struct sock_filter *insns, size_t count);

struct bpf_result bpf_sim_run(const struct sock_filter *insns, size_t count,
			      const struct seccomp_data *data);

/*
 * Whether the kernel finds at installation that this number is allowed whatever the arguments, and
 * so never runs the program for it: it follows only returns, JA, AND and comparisons of number
 * and architecture (Linux 5.11, kernel/seccomp.c, seccomp_is_const_allow).
 */
bool bpf_sim_constant_allow(const struct sock_filter *insns, size_t count, uint32_t arch,
			    uint32_t number);

#endif
