/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp.c - decides what a workload may call, by the rows of seccomp_baseline.def,
 * seccomp_policy.def and seccomp_strict.def.
 */
#include "linux/seccomp_filter.h"

#include <errno.h>

#include "linux/seccomp_rules.h"

const struct bv_seccomp_verdict bv__seccomp_outcomes[BV_OUTCOME_COUNT] = {
#define BV_OUTCOME_ROW(name, error, why, tell)                                                     \
	[BV_OUTCOME_##name] = {.allowed = BV_OUTCOME_##name == BV_OUTCOME_ALLOW,                   \
			       .told = (tell),                                                     \
			       .sys_errno = (error),                                               \
			       .origin = BV_SECCOMP_##why},
	BV_SECCOMP_OUTCOMES(BV_OUTCOME_ROW)
#undef BV_OUTCOME_ROW
};

const int16_t bv__syscall_numbers[BV_SYSCALL_ROW_COUNT][4] = {
#define BV_SYSCALL(name, x86_64, i386, aarch64, riscv64)                                           \
	[BV_ROW_##name] = {x86_64, i386, aarch64, riscv64},
#include "linux/syscalls.def"
#undef BV_SYSCALL
};

/* ---- rows ------------------------------------------------------------------------------------ */

struct rule_row {
	uint16_t call; /* enum bv_syscall_row */
	uint8_t condition;
	uint8_t rule;
};

static const struct rule_row rows[] = {
#define BV_DENY(call_, error, why) {BV_ROW_##call_, BV_WHEN_ALWAYS, BV_OUTCOME_BASELINE_##error},
#define BV_DENY_WHEN(call_, error, when, why)                                                      \
	{BV_ROW_##call_, BV_WHEN_ALWAYS, BV_RULE_INDIRECT | BV_CHECK_##call_},
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
#define BV_DENY_FOR(condition_, origin, call_, error, why)                                         \
	{BV_ROW_##call_, BV_WHEN_##condition_, BV_OUTCOME_##origin##_##error},
#define BV_CHECK_FOR(condition_, origin, call_, check, errors, when, why)                          \
	{BV_ROW_##call_, BV_WHEN_##condition_, BV_RULE_INDIRECT | BV_CHECK_##check},
#include "linux/seccomp_policy.def"
#undef BV_DENY_FOR
#undef BV_CHECK_FOR
};

/* Beside them: what the strict set says of each call. */
static const struct {
	uint16_t call;
	uint8_t rule;
} strict_rows[] = {
#define BV_STRICT(call_) {BV_ROW_##call_, BV_OUTCOME_ALLOW},
#define BV_STRICT_WHEN(call_, check, errors, when, why)                                            \
	{BV_ROW_##call_, BV_RULE_INDIRECT | BV_CHECK_##check},
#define BV_STRICT_DENY(call_, error, why) {BV_ROW_##call_, BV_OUTCOME_STRICT_##error},
#include "linux/seccomp_strict.def"
};

static bool is_strict(const struct bv_launch_seccomp *launch)
{
	return launch->has_syscalls && launch->syscalls != BV_SYSCALLS_BASELINE;
}

/*
 * What holds of a call the strict set was asked for.  A denial stands, and keeps its errno.  Only
 * where the set lists a call may a check of its arguments let it pass; a check of the set's own
 * repeats the one of the baseline, and no policy has one for the same call.
 */
static uint8_t combine(uint8_t rule, uint8_t strict)
{
	const bool denied = !(rule & BV_RULE_INDIRECT) && rule != BV_OUTCOME_ALLOW;

	return denied || strict == BV_OUTCOME_ALLOW ? rule : strict;
}

bool bv__seccomp_applies(const struct bv_launch_seccomp *launch,
			 enum bv_seccomp_condition condition)
{
	switch (condition) {
	case BV_WHEN_ALWAYS:
		return true;
	case BV_WHEN_SPAWN_NONE:
		return launch->spawn == BV_SPAWN_DENY_NEW_TASKS;
	case BV_WHEN_SPAWN_THREADS:
		return launch->spawn == BV_SPAWN_ALLOW_THREADS;
	case BV_WHEN_SOCKETS_NONE:
		return launch->sockets == BV_SOCKETS_NONE;
	case BV_WHEN_SOCKETS_LOCAL:
		return launch->sockets == BV_SOCKETS_LOCAL;
	case BV_WHEN_SHARED:
		return launch->shared;
	case BV_WHEN_NOT_BENEATH:
		return !launch->has_beneath || !launch->beneath;
	}
	return true; /* no such condition: denying is the safe reading */
}

static const struct bv_seccomp_arch arches[] = {
	{AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, BV_SYSCALLS_X86_64},
	{AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, BV_SYSCALLS_AARCH64},
	{AUDIT_ARCH_RISCV64, AUDIT_ARCH_RISCV32, BV_SYSCALLS_RISCV64},
};

const struct bv_seccomp_arch *bv__seccomp_find_arch(uint32_t arch)
{
	for (size_t i = 0; i < sizeof arches / sizeof arches[0]; i++)
		if (arches[i].arch == arch)
			return &arches[i];
	return NULL;
}

/* Leaves of the rules what the strict set leaves. */
static void take_away(enum bv_syscall_table table, uint8_t rules[BV_SYSCALL_LIMIT])
{
	uint8_t strict[BV_SYSCALL_LIMIT];

	for (size_t i = 0; i < BV_SYSCALL_LIMIT; i++)
		strict[i] = BV_OUTCOME_STRICT_ENOSYS;
	for (size_t i = 0; i < sizeof strict_rows / sizeof strict_rows[0]; i++) {
		const int16_t number = bv__syscall_numbers[strict_rows[i].call][table];

		if (number >= 0)
			strict[number] = strict_rows[i].rule;
	}
	for (size_t i = 0; i < BV_SYSCALL_LIMIT; i++)
		rules[i] = combine(rules[i], strict[i]);
}

size_t bv__seccomp_find_row(uint32_t arch, uint32_t number)
{
	const struct bv_seccomp_arch *known = bv__seccomp_find_arch(arch);
	const enum bv_syscall_table table = known ? known->table : BV_SYSCALLS_I386;

	if (known == NULL && arch != AUDIT_ARCH_I386)
		return BV_SYSCALL_ROW_COUNT;
	if (arch == AUDIT_ARCH_X86_64)
		number &= ~(uint32_t)BV_SYSCALL_X32_BIT;
	if (number >= BV_SYSCALL_LIMIT)
		return BV_SYSCALL_ROW_COUNT;
	for (size_t i = 0; i < BV_SYSCALL_ROW_COUNT; i++)
		if (bv__syscall_numbers[i][table] == (int16_t)number)
			return i;
	return BV_SYSCALL_ROW_COUNT;
}

bool bv_seccomp_knows(uint32_t arch, uint32_t number)
{
	return bv__seccomp_find_row(arch, number) < BV_SYSCALL_ROW_COUNT;
}

enum bv_code bv__seccomp_make_rules(const struct bv_seccomp_arch *arch,
				    const struct bv_launch_seccomp *launch,
				    uint8_t ret_rules[BV_SYSCALL_LIMIT], struct bv_error *err)
{
	if (launch->spawn > BV_SPAWN_ALLOW_DESCENDANTS)
		return bv_fail(err, BV_E_ARGUMENT, "seccomp.spawn", "%u is no spawn policy",
			       (unsigned int)launch->spawn);
	if (launch->sockets > BV_SOCKETS_LOCAL)
		return bv_fail(err, BV_E_ARGUMENT, "seccomp.sockets", "%u is no socket policy",
			       (unsigned int)launch->sockets);
	if (launch->has_syscalls && launch->syscalls > BV_SYSCALLS_STRICT)
		return bv_fail(err, BV_E_ARGUMENT, "seccomp.syscalls",
			       "%u is no set of system calls", (unsigned int)launch->syscalls);

	for (size_t i = 0; i < BV_SYSCALL_LIMIT; i++)
		ret_rules[i] = BV_OUTCOME_UNKNOWN_ENOSYS;
	for (size_t i = 0; i < BV_SYSCALL_ROW_COUNT; i++) {
		const int16_t number = bv__syscall_numbers[i][arch->table];

		if (number >= 0)
			ret_rules[number] = BV_OUTCOME_ALLOW;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const int16_t number = bv__syscall_numbers[rows[i].call][arch->table];

		if (number >= 0 &&
		    bv__seccomp_applies(launch, (enum bv_seccomp_condition)rows[i].condition))
			ret_rules[number] = rows[i].rule;
	}
	if (is_strict(launch))
		take_away(arch->table, ret_rules);
	return BV_OK;
}

/* ---- judging --------------------------------------------------------------------------------- */

static uint8_t find_strict(enum bv_syscall_table table, uint32_t number)
{
	for (size_t i = 0; i < sizeof strict_rows / sizeof strict_rows[0]; i++)
		if (bv__syscall_numbers[strict_rows[i].call][table] == (int32_t)number)
			return strict_rows[i].rule;
	return BV_OUTCOME_STRICT_ENOSYS;
}

static uint8_t find_listed(enum bv_syscall_table table, const struct bv_launch_seccomp *launch,
			   uint32_t number)
{
	for (size_t i = sizeof rows / sizeof rows[0]; i-- > 0;)
		if (bv__syscall_numbers[rows[i].call][table] == (int32_t)number &&
		    bv__seccomp_applies(launch, (enum bv_seccomp_condition)rows[i].condition))
			return rows[i].rule;
	for (size_t i = 0; i < BV_SYSCALL_ROW_COUNT; i++)
		if (bv__syscall_numbers[i][table] == (int32_t)number)
			return BV_OUTCOME_ALLOW;
	return BV_OUTCOME_UNKNOWN_ENOSYS;
}

/* As bv__seccomp_make_rules, for one number: a notification is answered without making all. */
static uint8_t find_rule(enum bv_syscall_table table, const struct bv_launch_seccomp *launch,
			 uint32_t number)
{
	const uint8_t rule = find_listed(table, launch, number);

	return is_strict(launch) ? combine(rule, find_strict(table, number)) : rule;
}

static uint8_t judge_arguments(const struct bv_seccomp_check *check,
			       const struct seccomp_data *data)
{
	uint8_t go = BV_RULE_INDIRECT;

	while (go & BV_RULE_INDIRECT) {
		const struct bv_seccomp_step *step = &check->steps[go & ~BV_RULE_INDIRECT];
		const uint64_t argument = data->args[step->argument];
		const uint32_t value = (uint32_t)(step->high ? argument >> 32 : argument) &
				       step->mask;

		bv_assert((go & ~BV_RULE_INDIRECT) < check->step_count);
		go = step->otherwise;
		for (size_t i = 0; i < step->case_count; i++)
			if (step->cases[i].value == value) {
				go = step->cases[i].go;
				break;
			}
	}
	return go;
}

static uint8_t judge_outcome(const struct bv_seccomp_arch *arch,
			     const struct bv_launch_seccomp *launch,
			     const struct seccomp_data *data)
{
	const uint32_t number = (uint32_t)data->nr;
	uint8_t rule;

	if (data->arch != arch->arch)
		return data->arch == arch->compat ? BV_OUTCOME_FOREIGN_ENOSYS : BV_OUTCOME_KILL;
	/* The program needs no rule of its own for x32: to it these are just large numbers. */
	if (data->arch == AUDIT_ARCH_X86_64 && number & BV_SYSCALL_X32_BIT && number != UINT32_MAX)
		return BV_OUTCOME_FOREIGN_ENOSYS;
	if (number >= BV_SYSCALL_LIMIT)
		return BV_OUTCOME_UNKNOWN_ENOSYS;
	rule = find_rule(arch->table, launch, number);
	if (rule & BV_RULE_INDIRECT)
		rule = judge_arguments(&bv__seccomp_checks[rule & ~BV_RULE_INDIRECT], data);
	return rule;
}

struct bv_seccomp_verdict bv__seccomp_judge_for(uint32_t arch,
						const struct bv_launch_seccomp *launch,
						const struct seccomp_data *data)
{
	const struct bv_seccomp_arch *known = bv__seccomp_find_arch(arch);

	bv_assert(known != NULL);
	return bv__seccomp_outcomes[judge_outcome(known, launch, data)];
}

struct bv_seccomp_verdict bv_seccomp_judge(const struct bv_launch_seccomp *launch,
					   const struct seccomp_data *data)
{
	return bv__seccomp_judge_for(BV_NATIVE_ARCH, launch, data);
}

int bv_seccomp_errno(const struct bv_launch_seccomp *launch, const struct seccomp_data *data)
{
	const struct bv_seccomp_verdict verdict = bv_seccomp_judge(launch, data);

	return verdict.sys_errno != 0 ? verdict.sys_errno : EPERM;
}
