/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_text.c - names of system calls, and why one was denied: for reports, not for deciding.
 */
#include "linux/seccomp_rules.h"

static const char *const syscall_names[BV_SYSCALL_ROW_COUNT] = {
#define BV_SYSCALL(name, x86_64, i386, aarch64, riscv64) [BV_ROW_##name] = #name,
#include "linux/syscalls.def"
#undef BV_SYSCALL
};

struct reason {
	uint16_t call; /* enum bv_syscall_row */
	uint8_t condition;
	enum bv_seccomp_origin origin;
	const char *why;
};

/* clone3 is the one call that is only refused in order that another is made. */
#define BV_SECCOMP_QUIET BV_SECCOMP_BASELINE

static const struct reason reasons[] = {
#define BV_DENY(call_, error, why_) {BV_ROW_##call_, BV_WHEN_ALWAYS, BV_SECCOMP_BASELINE, why_},
#define BV_DENY_WHEN(call_, error, when, why_)                                                     \
	{BV_ROW_##call_, BV_WHEN_ALWAYS, BV_SECCOMP_BASELINE, why_},
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
#define BV_DENY_FOR(condition_, origin_, call_, error, why_)                                       \
	{BV_ROW_##call_, BV_WHEN_##condition_, BV_SECCOMP_##origin_, why_},
#define BV_CHECK_FOR(condition_, origin_, call_, check, errors, when, why_)                        \
	{BV_ROW_##call_, BV_WHEN_##condition_, BV_SECCOMP_##origin_, why_},
#include "linux/seccomp_policy.def"
#undef BV_DENY_FOR
#undef BV_CHECK_FOR
#define BV_NOT_STRICT "Not in the strict set: "
#define BV_STRICT_WHEN(call_, check, errors, when, why_)                                           \
	{BV_ROW_##call_, BV_WHEN_ALWAYS, BV_SECCOMP_STRICT, BV_NOT_STRICT why_},
#define BV_STRICT_DENY(call_, error, why_)                                                         \
	{BV_ROW_##call_, BV_WHEN_ALWAYS, BV_SECCOMP_STRICT, BV_NOT_STRICT why_},
#include "linux/seccomp_strict.def"
};

const char *bv_syscall_name(uint32_t arch, uint32_t number)
{
	const size_t row = bv__seccomp_find_row(arch, number);

	return row < BV_SYSCALL_ROW_COUNT ? syscall_names[row] : "?";
}

const char *bv_syscall_abi(uint32_t arch, uint32_t number)
{
	switch (arch) {
	case AUDIT_ARCH_X86_64:
		return number & BV_SYSCALL_X32_BIT && number != UINT32_MAX ? "x32" : "x86_64";
	case AUDIT_ARCH_I386:
		return "i386";
	case AUDIT_ARCH_AARCH64:
		return "aarch64";
	case AUDIT_ARCH_ARM:
		return "arm";
	case AUDIT_ARCH_RISCV64:
		return "riscv64";
	case AUDIT_ARCH_RISCV32:
		return "riscv32";
	}
	return "?";
}

const char *bv_seccomp_origin_name(enum bv_seccomp_origin origin)
{
	switch (origin) {
	case BV_SECCOMP_BASELINE:
		return "baseline";
	case BV_SECCOMP_SPAWN:
		return "ChildSpawn";
	case BV_SECCOMP_NETWORK:
		return "Network";
	case BV_SECCOMP_SHARED:
		return "shared-ids";
	case BV_SECCOMP_FOREIGN:
		return "foreign-abi";
	case BV_SECCOMP_UNKNOWN:
		return "unknown-call";
	case BV_SECCOMP_STRICT:
		return "strict";
	}
	return "?";
}

const char *bv_seccomp_why(const struct bv_launch_seccomp *launch, const struct seccomp_data *data)
{
	const struct bv_seccomp_verdict verdict = bv_seccomp_judge(launch, data);
	size_t row;

	if (verdict.allowed)
		return "";
	if (verdict.origin == BV_SECCOMP_FOREIGN)
		return "Made through another ABI, where numbers and arguments mean something else";
	if (verdict.origin == BV_SECCOMP_UNKNOWN)
		return "Not a call this bvisor knows, so nobody has judged it";
	row = bv__seccomp_find_row(data->arch, (uint32_t)data->nr);
	for (size_t i = sizeof reasons / sizeof reasons[0]; i-- > 0;)
		if (reasons[i].call == row && reasons[i].origin == verdict.origin &&
		    bv__seccomp_applies(launch, (enum bv_seccomp_condition)reasons[i].condition))
			return reasons[i].why;
	/* A call nobody has judged yet. */
	return verdict.origin == BV_SECCOMP_STRICT ? "Not in the strict set" : "";
}
