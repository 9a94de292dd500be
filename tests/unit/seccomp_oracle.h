/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_oracle.h - what the filter should say, written a second time.
 *
 * It shares nothing with src/linux/seccomp*: numbers are those of the kernel's headers, or written
 * out where Debian 12's are too old; decisions are one switch.  seccomp_oracle_body.h is compiled
 * once for each numbering.
 */
#ifndef BV_TEST_SECCOMP_ORACLE_H
#define BV_TEST_SECCOMP_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/types.h"

struct expectation {
	int sys_errno; /* 0: allowed */
	bool silent;   /* an errno even under notify */
	bool depends_on_arguments;
	bool strict; /* denied for want of a place in the strict set */
};

typedef struct expectation oracle_function(const struct bv_launch_seccomp *launch, uint32_t number,
					   const uint64_t args[6]);

#ifdef __x86_64__
oracle_function oracle_x86_64;
#endif
oracle_function oracle_aarch64;
oracle_function oracle_riscv64;

#endif
