/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_strict.c - the strict set: that its list is whole, takes away and never gives, and that
 * the judge of seccomp.c would notice any single row that is wrong.
 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>

#include "linux/seccomp_rules.h"
#include "seccomp_judge.h"
#include "test.h"

enum kind { KIND_IN, KIND_WHEN, KIND_OUT };

static const struct {
	enum bv_syscall_row call;
	enum kind kind;
} strict[] = {
#define BV_STRICT(call) {BV_ROW_##call, KIND_IN},
#define BV_STRICT_WHEN(call, check, errors, when, why) {BV_ROW_##call, KIND_WHEN},
#define BV_STRICT_DENY(call, error, why) {BV_ROW_##call, KIND_OUT},
#include "linux/seccomp_strict.def"
};

enum { STRICT_COUNT = sizeof strict / sizeof strict[0] };

/* Refused to every run, whatever the arguments. */
static const enum bv_syscall_row refused[] = {
#define BV_DENY(call, error, why) BV_ROW_##call,
#define BV_DENY_WHEN(call, error, when, why)
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
	BV_ROW_clone3,
	BV_ROW_openat2,
};

static const char *const names[] = {
#define BV_SYSCALL(name, x86_64, i386, aarch64, riscv64) #name,
#include "linux/syscalls.def"
#undef BV_SYSCALL
};

static bool is_called_here(size_t row)
{
	return bv__syscall_numbers[row][BV_SYSCALLS_X86_64] >= 0 ||
	       bv__syscall_numbers[row][BV_SYSCALLS_AARCH64] >= 0 ||
	       bv__syscall_numbers[row][BV_SYSCALLS_RISCV64] >= 0;
}

TEST(every_call_is_in_the_strict_set_or_out_of_it_by_a_row_of_its_own)
{
	for (size_t row = 0; row < BV_SYSCALL_ROW_COUNT; row++) {
		int count = 0;

		for (size_t i = 0; i < STRICT_COUNT; i++)
			count += strict[i].call == row;
		for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
			count += refused[i] == row;
		EXPECT_THAT(count == (is_called_here(row) ? 1 : 0), "%s has %d rows", names[row],
			    count);
	}
}

/* A check of the strict set replaces the baseline's; it must not meet one of a policy. */
TEST(no_policy_looks_at_arguments_that_the_strict_set_looks_at)
{
	static const enum bv_syscall_row checked[] = {
#define BV_DENY_FOR(condition, origin, call, error, why)
#define BV_CHECK_FOR(condition, origin, call, check, errors, when, why) BV_ROW_##call,
#include "linux/seccomp_policy.def"
#undef BV_DENY_FOR
#undef BV_CHECK_FOR
	};

	for (size_t i = 0; i < STRICT_COUNT; i++)
		for (size_t j = 0; j < sizeof checked / sizeof checked[0]; j++)
			EXPECT_THAT(strict[i].kind != KIND_WHEN || strict[i].call != checked[j],
				    "%s", names[strict[i].call]);
}

/* ---- arguments ---------------------------------------------------------------------------------- */

static uint32_t number_of(const struct judged *program, enum bv_syscall_row row)
{
	const struct bv_seccomp_arch *arch = bv__seccomp_find_arch(program->arch->arch);

	return (uint32_t)bv__syscall_numbers[row][arch->table];
}

/* A value, its neighbours, and it with each bit turned, above the low half too. */
static void expect_around(const struct judged *program, enum bv_syscall_row row, size_t argument,
			  uint64_t value)
{
	uint64_t args[6] = {3, 3, 3, 3, 3, 3};

	for (uint64_t delta = 0; delta < 3; delta++) {
		args[argument] = value + delta - 1;
		judge_expects(program, number_of(program, row), args);
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		args[argument] = value ^ UINT64_C(1) << bit;
		judge_expects(program, number_of(program, row), args);
	}
}

static void check_requests_and_options(const struct judged *program)
{
	/* Not the rows of the list, which may lack one; below are those between 0x5400 and 0x54ff. */
	static const uint32_t requests[] = {0x802c542a, 0x402c542b, 0x402c542c, 0x402c542d,
					    0x80045430, 0x40045431, 0x40049409, 0xaa00};
	static const uint32_t options[] = {0x41555856, 0x53564d41, 0x59616d61};

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		expect_around(program, BV_ROW_ioctl, 1, requests[i]);
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		expect_around(program, BV_ROW_prctl, 0, options[i]);
	for (uint64_t low = 0; low < 256; low++) {
		/* Every request of terminals, every option with a small number. */
		const uint64_t request[6] = {0, 0x5400 + low}, option[6] = {low};

		judge_expects(program, number_of(program, BV_ROW_ioctl), request);
		judge_expects(program, number_of(program, BV_ROW_prctl), option);
	}
	/* One bit away from those. */
	expect_around(program, BV_ROW_ioctl, 1, 0x5412);
	expect_around(program, BV_ROW_prctl, 0, 35);
}

TEST(each_request_and_option_is_decided_by_all_its_bits)
{
	judge_each_program(check_requests_and_options);
}

static void check_socket_options(const struct judged *program)
{
	for (uint64_t level = 0; level < 64; level++)
		for (uint64_t option = 0; option < 128; option++) {
			const uint64_t args[6] = {3, level | level << 33, option | option << 40};

			judge_expects(program, number_of(program, BV_ROW_setsockopt), args);
		}
}

TEST(socket_options_are_decided_by_level_and_name)
{
	judge_each_program(check_socket_options);
}

/* ---- what the set is to the rest ---------------------------------------------------------------- */

static void check_takes_away(const struct judged *program)
{
	static struct judged other;
	struct bv_launch_seccomp launch = program->launch;
	uint64_t args[6];

	if (!launch.has_syscalls)
		return;
	launch.has_syscalls = false;
	judge_compile(&other, program->arch, &launch);
	for (uint32_t number = 0; number < 1024; number++)
		for (int round = 0; round < 20; round++) {
			struct seccomp_data data = {.nr = (int)number, .arch = program->arch->arch};

			judge_arguments(args);
			memcpy(data.args, args, sizeof args);
			if (judge_run(program, &data) == SECCOMP_RET_ALLOW)
				EXPECT_THAT(judge_run(&other, &data) == SECCOMP_RET_ALLOW,
					    "only the strict set allows call %u", number);
		}
}

TEST(nothing_is_allowed_in_the_strict_set_that_the_baseline_refuses)
{
	judge_each_program(check_takes_away);
}

static void check_named_baseline(const struct judged *program)
{
	static struct judged other;
	struct bv_launch_seccomp launch = program->launch;

	if (launch.has_syscalls)
		return;
	launch.has_syscalls = true;
	launch.syscalls = BV_SYSCALLS_BASELINE;
	judge_compile(&other, program->arch, &launch);
	EXPECT_UINT(other.count, program->count);
	EXPECT(memcmp(other.insns, program->insns, program->count * sizeof program->insns[0]) == 0);
}

TEST(the_baseline_by_name_is_what_no_set_at_all_is)
{
	judge_each_program(check_named_baseline);
}

#ifdef __x86_64__
static struct bv_seccomp_verdict judge(const struct bv_launch_seccomp *launch, int number,
				       uint64_t first, uint64_t second, const char **ret_why)
{
	const struct seccomp_data data = {.nr = number,
					  .arch = AUDIT_ARCH_X86_64,
					  .args = {first, second}};

	*ret_why = bv_seccomp_why(launch, &data);
	return bv_seccomp_judge(launch, &data);
}

TEST(a_denial_is_laid_to_the_strict_set_only_where_nothing_else_denies)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_DENY_NEW_TASKS,
						 .sockets = BV_SOCKETS_NONE,
						 .has_syscalls = true,
						 .syscalls = BV_SYSCALLS_STRICT};
	const char *why;

	EXPECT_INT(judge(&launch, 206, 0, 0, &why).origin, BV_SECCOMP_STRICT); /* io_setup */
	EXPECT_STR(why, "Not in the strict set: Asynchronous files of old, for databases; had many "
			"holes");
	EXPECT_INT(judge(&launch, 16, 0, 0x8912, &why).sys_errno, ENOTTY); /* SIOCGIFCONF */
	EXPECT(strncmp(why, "Not in the strict set: Every driver", 35) == 0);
	EXPECT_INT(judge(&launch, 16, 0, 0x5412, &why).origin, BV_SECCOMP_BASELINE); /* TIOCSTI */
	EXPECT_INT(judge(&launch, 101, 0, 0, &why).origin, BV_SECCOMP_BASELINE);     /* ptrace */
	EXPECT_INT(judge(&launch, 57, 0, 0, &why).origin, BV_SECCOMP_SPAWN);         /* fork */
	EXPECT_INT(judge(&launch, 41, 1, 1, &why).origin, BV_SECCOMP_NETWORK);       /* socket */
	EXPECT_INT(judge(&launch, 600, 0, 0, &why).origin, BV_SECCOMP_UNKNOWN);
	EXPECT(judge(&launch, 0, 0, 0, &why).allowed && *why == '\0');
	EXPECT_STR(bv_seccomp_origin_name(BV_SECCOMP_STRICT), "strict");
}
#endif

/* ---- the judge ---------------------------------------------------------------------------------- */

/* Whether any arguments show that this number is not decided as the oracle says. */
static bool is_noticed(const struct judged *program, uint32_t number)
{
	uint64_t args[6] = {0};

	if (!judge_agrees(program, number, args))
		return true;
	/* Two arguments have to be right at once for some; and a miss would be no proof. */
	for (int round = 0; round < 50000; round++) {
		judge_arguments(args);
		if (!judge_agrees(program, number, args))
			return true;
	}
	return false;
}

static void check_each_mutation(const struct judged *program)
{
	static const uint8_t instead[] = {BV_OUTCOME_ALLOW, BV_OUTCOME_STRICT_ENOSYS,
					  BV_OUTCOME_STRICT_EPERM};
	const struct bv_seccomp_arch *arch = bv__seccomp_find_arch(program->arch->arch);
	static struct judged mutant;
	uint8_t rules[BV_SYSCALL_LIMIT];

	/* One policy of each set: what is tried is the judge. */
	if (program->launch.spawn != BV_SPAWN_ALLOW_DESCENDANTS || program->launch.notify ||
	    program->launch.sockets != BV_SOCKETS_LOCAL || program->launch.shared)
		return;
	mutant = *program;
	EXPECT(bv__seccomp_make_rules(arch, &program->launch, rules, NULL) == BV_OK);
	for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++)
		for (size_t i = 0; i < sizeof instead; i++) {
			const uint8_t right = rules[number];
			const int error = bv__seccomp_outcomes[instead[i]].sys_errno;

			if (!(right & BV_RULE_INDIRECT) &&
			    bv__seccomp_outcomes[right].sys_errno == error)
				continue; /* the same to a program */
			rules[number] = instead[i];
			EXPECT(bv__seccomp_write(arch, false, rules, mutant.insns,
						 BV_SECCOMP_PROGRAM_MAX, &mutant.count,
						 NULL) == BV_OK);
			EXPECT_THAT(is_noticed(&mutant, number), "%s call %u made %d",
				    program->arch->name, number, error);
			rules[number] = right;
		}
}

TEST(a_single_wrong_row_would_be_noticed)
{
	judge_each_program(check_each_mutation);
}
