/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_judge.c - see seccomp_judge.h. */
#include "seccomp_judge.h"

#include <linux/audit.h>
#include <string.h>

#include "bpf_sim.h"
#include "test.h"

static const struct judge_arch arches[] = {
#ifdef __x86_64__
	{"x86_64", AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, oracle_x86_64},
#endif
	{"aarch64", AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, oracle_aarch64},
	{"riscv64", AUDIT_ARCH_RISCV64, AUDIT_ARCH_RISCV32, oracle_riscv64},
};

enum { ARCH_COUNT = sizeof arches / sizeof arches[0] };

struct bv_launch_seccomp judge_policy(size_t index)
{
	return (struct bv_launch_seccomp){
		.spawn = (enum bv_spawn_policy)(index % 3),
		.sockets = (enum bv_socket_policy)(index / 3 % 2),
		.shared = index / 6 % 2 != 0,
		.notify = index / 12 % 2 != 0,
		.has_syscalls = index / 24 != 0,
		.syscalls = BV_SYSCALLS_STRICT,
	};
}

const struct judge_arch *judge_find_arch(const char *name)
{
	for (size_t i = 0; i < ARCH_COUNT; i++)
		if (strcmp(arches[i].name, name) == 0)
			return &arches[i];
	return NULL;
}

void judge_compile(struct judged *program, const struct judge_arch *arch,
		   const struct bv_launch_seccomp *launch)
{
	struct bv_error err = {0};

	program->launch = *launch;
	program->arch = arch;
	EXPECT_THAT(bv__seccomp_compile_for(arch->arch, launch, program->insns,
					    BV_SECCOMP_PROGRAM_MAX, &program->count, &err) == BV_OK,
		    "%s", err.message);
}

void judge_each_program(void (*check)(const struct judged *program))
{
	static struct judged program;

	for (size_t arch = 0; arch < ARCH_COUNT; arch++)
		for (size_t i = 0; i < JUDGE_POLICIES; i++) {
			const struct bv_launch_seccomp launch = judge_policy(i);

			judge_compile(&program, &arches[arch], &launch);
			check(&program);
		}
}

uint32_t judge_run(const struct judged *program, const struct seccomp_data *data)
{
	const struct bpf_result result = bpf_sim_run(program->insns, program->count, data);

	EXPECT(result.valid);
	return result.action;
}

static uint32_t action_of(const struct judged *program, const struct expectation *expected)
{
	if (expected->sys_errno == 0)
		return SECCOMP_RET_ALLOW;
	if (program->launch.notify && !expected->silent)
		return SECCOMP_RET_USER_NOTIF;
	return SECCOMP_RET_ERRNO | (uint32_t)expected->sys_errno;
}

static struct seccomp_data call_of(const struct judged *program, uint32_t number,
				   const uint64_t args[6])
{
	struct seccomp_data data = {.nr = (int)number, .arch = program->arch->arch};

	memcpy(data.args, args, sizeof data.args);
	return data;
}

bool judge_agrees(const struct judged *program, uint32_t number, const uint64_t args[6])
{
	const struct seccomp_data data = call_of(program, number, args);
	const struct expectation expected = program->arch->oracle(&program->launch, number, args);

	return judge_run(program, &data) == action_of(program, &expected);
}

void judge_expects(const struct judged *program, uint32_t number, const uint64_t args[6])
{
	const struct seccomp_data data = call_of(program, number, args);
	const struct bv_launch_seccomp *launch = &program->launch;
	const struct expectation expected = program->arch->oracle(launch, number, args);
	const struct bv_seccomp_verdict verdict = bv__seccomp_judge_for(data.arch, launch, &data);
	const uint32_t action = judge_run(program, &data);

	EXPECT_THAT(action == action_of(program, &expected),
		    "%s call %u (%s) args %llx %llx %llx, spawn %d sockets %d shared %d notify %d "
		    "strict %d: 0x%x, expected 0x%x",
		    program->arch->name, number, bv_syscall_name(data.arch, number),
		    (unsigned long long)args[0], (unsigned long long)args[1],
		    (unsigned long long)args[2], (int)launch->spawn, (int)launch->sockets,
		    launch->shared, launch->notify, launch->has_syscalls, action,
		    action_of(program, &expected));
	EXPECT_THAT(verdict.allowed == (expected.sys_errno == 0), "call %u", number);
	EXPECT_THAT(verdict.allowed || verdict.sys_errno == expected.sys_errno, "call %u", number);
	EXPECT_THAT(verdict.allowed || verdict.told == !expected.silent, "call %u", number);
	EXPECT_THAT(verdict.allowed || (verdict.origin == BV_SECCOMP_STRICT) == expected.strict,
		    "call %u is laid to %s", number, bv_seccomp_origin_name(verdict.origin));
}

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t next_argument(void)
{
	static const uint32_t telling[] = {
		0,          1,          2,          3,          5,         6,       8,
		9,          10,         16,         17,         19,        26,      31,
		35,         38,         40,         41,         44,        50,      51,
		52,         103,        0x5412,     0x541c,     0x541d,    0x5423,  0xaa00,
		0x5401,     0x2000,     0x6000,     0x8000,     0x21b4,    0x61b4,  0x12000,
		0x80001,    0x800,      0x80802,    0x80005,    0x10000,   0x20000, 0x802c542a,
		0x40049409, 0x10000000, 0x7fffffff, 0x80000000, 0xffffffff};
	uint64_t value = telling[next_random() % (sizeof telling / sizeof telling[0])];

	if (next_random() % 8 == 0)
		value ^= UINT64_C(1) << next_random() % 32;
	if (next_random() % 2)
		value |= next_random() << 32;
	return value;
}

void judge_arguments(uint64_t ret_args[6])
{
	for (size_t i = 0; i < 6; i++)
		ret_args[i] = next_argument();
}
