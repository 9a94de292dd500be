/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_attempt.h - system calls made for real, under a filter and without, and how they end. */
#ifndef BV_TEST_SECCOMP_ATTEMPT_H
#define BV_TEST_SECCOMP_ATTEMPT_H

#include <linux/audit.h>

#include "linux/seccomp_filter.h"

#if defined(__x86_64__)
#define ATTEMPT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ATTEMPT_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define ATTEMPT_ARCH AUDIT_ARCH_RISCV64
#endif

/* Arguments that are wrong on purpose. */
#define BAD ((long)-1)
#define NOWHERE ((long)"/nonexistent/nowhere")

struct attempt {
	const char *name;
	long number;
	long args[6];
	int sys_errno;
	bool control; /* harmless, and answered otherwise where there is no filter, whoever asks */
};

/* 0, or the errno. */
int attempt_once(const struct attempt *attempt);

/* Each gets its errno: to be called under a filter. */
void attempt_refusals(const struct attempt *attempts, size_t count);

/* Each that is a control ends otherwise, in a child of its own; skips the test under a filter. */
void attempt_controls(const struct attempt *attempts, size_t count);

/* For good.  Returns a listener where `flags` ask for one; skips where the kernel has no filters. */
int install_filter(const struct bv_launch_seccomp *launch, unsigned long flags);

#endif
