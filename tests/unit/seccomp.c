/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp.c - the filter's programs, judged on a simulator.
 *
 * Every number, every policy and every architecture bvisor has a table for is tried on any machine;
 * what is expected comes from seccomp_oracle.h, which shares nothing with the filter's tables.
 */
#include "linux/seccomp_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>

#include "bpf_sim.h"
#include "seccomp_judge.h"
#include "test.h"

/* ---- every number ------------------------------------------------------------------------------- */

static void check_every_number(const struct judged *program)
{
	static const uint64_t zero[6];
	static const uint64_t odd[6] = {0xdeadbeef00000007, 0x1234567800000003, 99, 4, 5, 6};
	static const uint32_t far[] = {0x3fffffff, 0x40000000, 0x40000000 + 1024, 0x7fffffff,
				       0x80000000, 0xfffffffe, 0xffffffff};

	for (uint32_t number = 0; number < 1024; number++) {
		judge_expects(program, number, zero);
		judge_expects(program, number, odd);
		/* The same through x32. */
		judge_expects(program, number | BV_SYSCALL_X32_BIT, zero);
		judge_expects(program, number | BV_SYSCALL_X32_BIT, odd);
	}
	for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
		judge_expects(program, far[i], zero);
}

TEST(every_number_gets_what_its_policy_says_on_every_architecture)
{
	judge_each_program(check_every_number);
}

static void check_foreign(const struct judged *program)
{
	const uint32_t refused = program->launch.notify ? SECCOMP_RET_USER_NOTIF
							: SECCOMP_RET_ERRNO | ENOSYS;
	struct seccomp_data data = {.arch = program->arch->compat};

	for (int number = -1; number < 1024; number++) {
		data.nr = number;
		EXPECT_UINT(judge_run(program, &data), refused);
		EXPECT_INT(bv__seccomp_judge_for(program->arch->arch, &program->launch, &data)
				   .sys_errno,
			   ENOSYS);
	}
}

TEST(every_call_through_the_32_bit_abi_of_the_machine_is_enosys)
{
	judge_each_program(check_foreign);
}

static void check_other_machines(const struct judged *program)
{
	static const uint32_t others[] = {0,
					  AUDIT_ARCH_X86_64,
					  AUDIT_ARCH_I386,
					  AUDIT_ARCH_AARCH64,
					  AUDIT_ARCH_ARM,
					  AUDIT_ARCH_RISCV64,
					  AUDIT_ARCH_RISCV32,
					  AUDIT_ARCH_S390X,
					  AUDIT_ARCH_X86_64 ^ 1,
					  UINT32_MAX};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (others[i] == program->arch->arch || others[i] == program->arch->compat)
			continue;
		for (int number = 0; number < 512; number++) {
			const struct seccomp_data data = {.nr = number, .arch = others[i]};

			EXPECT_UINT(judge_run(program, &data), SECCOMP_RET_KILL_PROCESS);
		}
	}
}

TEST(a_call_of_an_architecture_the_machine_cannot_have_kills)
{
	judge_each_program(check_other_machines);
}

/* ---- arguments ---------------------------------------------------------------------------------- */

static void check_clone_bits(const struct judged *program)
{
	/* fork, posix_spawn, pthread_create, none of these */
	static const uint64_t bases[] = {0x1200011, 0x4111, 0x3d0f00, 0};
	const uint32_t calls[] = {program->arch->arch == AUDIT_ARCH_X86_64 ? 56 : 220,
				  program->arch->arch == AUDIT_ARCH_X86_64 ? 272 : 97};

	for (size_t base = 0; base < sizeof bases / sizeof bases[0]; base++)
		for (unsigned int bit = 0; bit < 64; bit++)
			for (size_t call = 0; call < 2; call++) {
				const uint64_t args[6] = {bases[base] ^ (UINT64_C(1) << bit)};

				judge_expects(program, calls[call], args);
			}
}

TEST(clone_and_unshare_are_judged_by_each_flag)
{
	judge_each_program(check_clone_bits);
}

static void check_arguments(const struct judged *program)
{
	uint64_t args[6];

	for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++) {
		static const uint64_t zero[6];

		if (!program->arch->oracle(&program->launch, number, zero).depends_on_arguments)
			continue;
		for (int round = 0; round < 400; round++) {
			judge_arguments(args);
			judge_expects(program, number, args);
		}
	}
}

TEST(calls_judged_by_their_arguments_are_not_deceived_by_any_of_thousands)
{
	judge_each_program(check_arguments);
}

#ifdef __x86_64__
static int errno_of(const struct bv_launch_seccomp *launch, int number, uint64_t a, uint64_t b,
		    uint64_t c)
{
	const struct seccomp_data data = {.nr = number,
					  .arch = AUDIT_ARCH_X86_64,
					  .args = {a, b, c}};
	static struct judged program;
	uint32_t action;

	judge_compile(&program, judge_find_arch("x86_64"), launch);
	action = judge_run(&program, &data);
	return action == SECCOMP_RET_ALLOW ? 0 : (int)(action & SECCOMP_RET_DATA);
}

TEST(garbage_above_the_low_half_hides_no_ioctl)
{
	const struct bv_launch_seccomp launch = judge_policy(2);

	EXPECT_INT(errno_of(&launch, 16, 0, 0x5412, 0), EPERM);
	EXPECT_INT(errno_of(&launch, 16, 0, 0x100005412, 0), EPERM);
	EXPECT_INT(errno_of(&launch, 16, 0, 0xffffffff0000541c, 0), EPERM);
	EXPECT_INT(errno_of(&launch, 16, 0, 0x5413, 0), 0); /* TIOCGWINSZ */
	EXPECT_INT(errno_of(&launch, 16, 0, 0x541200000000, 0), 0);
}

TEST(sockets_of_a_private_network_are_tcp_udp_and_local)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL};

	EXPECT_INT(errno_of(&launch, 41, 1, 1, 0), 0);
	EXPECT_INT(errno_of(&launch, 41, 2, 1 | 02000000 | 04000, 6), 0);
	EXPECT_INT(errno_of(&launch, 41, 10, 2, 17), 0);
	EXPECT_INT(errno_of(&launch, 41, 0xdead00000002, 1, 0), 0); /* the kernel sees AF_INET */
	EXPECT_INT(errno_of(&launch, 41, 0x200000010, 3, 0), EAFNOSUPPORT); /* and AF_NETLINK */
	EXPECT_INT(errno_of(&launch, 41, 17, 3, 0), EAFNOSUPPORT);
	EXPECT_INT(errno_of(&launch, 41, 40, 1, 0), EAFNOSUPPORT);
	EXPECT_INT(errno_of(&launch, 41, 2, 3, 1), ESOCKTNOSUPPORT);
	EXPECT_INT(errno_of(&launch, 41, 2, 3 | 02000000, 1), ESOCKTNOSUPPORT);
	EXPECT_INT(errno_of(&launch, 41, 2, 2, 1), EPROTONOSUPPORT);
	EXPECT_INT(errno_of(&launch, 41, 2, 1, 262), EPROTONOSUPPORT);
}

TEST(without_sockets_only_connected_pairs_remain)
{
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_NONE};

	for (uint64_t family = 0; family < 64; family++)
		EXPECT_INT(errno_of(&launch, 41, family, 1, 0), EACCES);
	EXPECT_INT(errno_of(&launch, 53, 1, 1, 0), 0);
	EXPECT_INT(errno_of(&launch, 53, 1, 5 | 02000000, 0), 0);
	EXPECT_INT(errno_of(&launch, 53, 1, 2, 0), EACCES); /* could be connected elsewhere */
	EXPECT_INT(errno_of(&launch, 53, 1, 3, 0), EACCES); /* which the kernel takes for 2 */
	EXPECT_INT(errno_of(&launch, 53, 30, 1, 0), EAFNOSUPPORT);
}

TEST(threads_are_told_from_processes)
{
	const struct bv_launch_seccomp threads = {.spawn = BV_SPAWN_ALLOW_THREADS};
	const struct bv_launch_seccomp none = {.spawn = BV_SPAWN_DENY_NEW_TASKS};
	const uint64_t pthread = 0x3d0f00;

	EXPECT_INT(errno_of(&threads, 56, pthread, 0, 0), 0);
	EXPECT_INT(errno_of(&threads, 56, 0x1200011, 0, 0), EPERM); /* fork */
	EXPECT_INT(errno_of(&threads, 56, 0x4111, 0, 0), EPERM);    /* posix_spawn */
	EXPECT_INT(errno_of(&threads, 56, pthread | 0x10000000, 0, 0), EPERM);
	EXPECT_INT(errno_of(&threads, 56, UINT64_C(0x1000000000000) | 17, 0, 0), EPERM);
	EXPECT_INT(errno_of(&threads, 57, 0, 0, 0), EPERM);
	EXPECT_INT(errno_of(&threads, 58, 0, 0, 0), EPERM);
	EXPECT_INT(errno_of(&threads, 435, 0, 0, 0), ENOSYS);
	EXPECT_INT(errno_of(&none, 56, pthread, 0, 0), EPERM);
	EXPECT_INT(errno_of(&none, 435, 0, 0, 0), ENOSYS);
}
#endif

/* ---- the program -------------------------------------------------------------------------------- */

static void check_speed(const struct judged *program)
{
	static const uint64_t zero[6];
	const uint32_t arch = program->arch->arch;

	EXPECT(bpf_sim_check(program->insns, program->count));
	for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++) {
		const struct expectation expected = program->arch->oracle(&program->launch, number,
									  zero);
		const struct seccomp_data data = {.nr = (int)number, .arch = arch};
		const bool certain = expected.sys_errno == 0 && !expected.depends_on_arguments;

		EXPECT_THAT(bpf_sim_constant_allow(program->insns, program->count, arch, number) ==
				    certain,
			    "%s call %u", program->arch->name, number);
		if (certain) {
			const struct bpf_result result = bpf_sim_run(program->insns, program->count,
								     &data);

			EXPECT_THAT(result.steps <= (program->launch.has_syscalls ? 13 : 11),
				    "call %u takes %u steps", number, result.steps);
		}
	}
}

TEST(allowed_calls_take_few_steps_and_the_kernel_need_not_run_them)
{
	judge_each_program(check_speed);
}

static void check_child_can_exec(const struct judged *program)
{
	static const char *const needed[] = {"execve",  "execveat", "write",
					     "sendmsg", "close",    "exit_group"};
	const uint32_t arch = program->arch->arch;

	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		uint32_t number = 0;

		while (number < BV_SYSCALL_LIMIT &&
		       strcmp(bv_syscall_name(arch, number), needed[i]) != 0)
			number++;
		EXPECT_THAT(number < BV_SYSCALL_LIMIT, "no number for %s", needed[i]);
		EXPECT_THAT(bpf_sim_constant_allow(program->insns, program->count, arch, number),
			    "%s", needed[i]);
	}
}

TEST(what_the_child_does_between_filter_and_exec_is_always_allowed)
{
	judge_each_program(check_child_can_exec);
}

static void check_room(const struct bv_launch_seccomp *launch)
{
	struct sock_filter insns[BV_SECCOMP_PROGRAM_MAX + 1];
	struct bv_error err = {0};
	size_t count = 12345, full;

	EXPECT_INT(bv_seccomp_compile(launch, insns, BV_SECCOMP_PROGRAM_MAX, &full, &err), BV_OK);
	for (size_t capacity = 0; capacity < full; capacity++) {
		memset(insns, 0xee, sizeof insns);
		EXPECT_INT(bv_seccomp_compile(launch, insns, capacity, &count, &err), BV_E_MEMORY);
		EXPECT_UINT(count, 12345);
		EXPECT_UINT(insns[capacity].code, 0xeeee);
		EXPECT_UINT(insns[capacity].k, 0xeeeeeeee);
	}
	EXPECT_INT(bv_seccomp_compile(launch, insns, full, &count, &err), BV_OK);
	EXPECT_UINT(count, full);
}

TEST(a_program_that_does_not_fit_is_refused_and_nothing_is_written_outside)
{
	/* The first, without jumps that are too far, and the last, with. */
	for (size_t i = 0; i < JUDGE_POLICIES; i += JUDGE_POLICIES - 1) {
		const struct bv_launch_seccomp launch = judge_policy(i);

		check_room(&launch);
	}
}

TEST(a_policy_that_is_none_is_refused)
{
	struct sock_filter insns[BV_SECCOMP_PROGRAM_MAX];
	struct bv_launch_seccomp launch = {.spawn = (enum bv_spawn_policy)3};
	struct bv_error err = {0};
	size_t count;

	EXPECT_INT(bv_seccomp_compile(&launch, insns, BV_SECCOMP_PROGRAM_MAX, &count, &err),
		   BV_E_ARGUMENT);
	EXPECT_STR(err.where, "seccomp.spawn");
	launch = (struct bv_launch_seccomp){.sockets = (enum bv_socket_policy)2};
	EXPECT_INT(bv_seccomp_compile(&launch, insns, BV_SECCOMP_PROGRAM_MAX, &count, &err),
		   BV_E_ARGUMENT);
	EXPECT_STR(err.where, "seccomp.sockets");
	launch = (struct bv_launch_seccomp){.has_syscalls = true,
					    .syscalls = (enum bv_syscall_set)2};
	EXPECT_INT(bv_seccomp_compile(&launch, insns, BV_SECCOMP_PROGRAM_MAX, &count, &err),
		   BV_E_ARGUMENT);
	EXPECT_STR(err.where, "seccomp.syscalls");
}

#ifdef __x86_64__
TEST(a_notification_is_never_answered_with_success)
{
	for (size_t i = 0; i < JUDGE_POLICIES; i++) {
		const struct bv_launch_seccomp launch = judge_policy(i);

		for (int number = 0; number < 600; number++) {
			const struct seccomp_data native = {.nr = number,
							    .arch = AUDIT_ARCH_X86_64};
			const struct seccomp_data foreign = {.nr = number, .arch = AUDIT_ARCH_I386};
			const struct seccomp_data absurd = {.nr = number, .arch = 1};

			EXPECT(bv_seccomp_errno(&launch, &native) > 0);
			EXPECT_INT(bv_seccomp_errno(&launch, &foreign), ENOSYS);
			EXPECT_INT(bv_seccomp_errno(&launch, &absurd), EPERM);
		}
	}
}

/* ---- words -------------------------------------------------------------------------------------- */

static enum bv_seccomp_origin origin_of(const struct bv_launch_seccomp *launch, uint32_t arch,
					uint32_t number)
{
	const struct seccomp_data data = {.nr = (int)number, .arch = arch};
	const struct bv_seccomp_verdict verdict = bv_seccomp_judge(launch, &data);

	EXPECT(!verdict.allowed);
	return verdict.origin;
}

TEST(a_denial_is_laid_to_what_asked_for_it)
{
	const struct bv_launch_seccomp narrow = {.spawn = BV_SPAWN_DENY_NEW_TASKS,
						 .sockets = BV_SOCKETS_NONE,
						 .shared = true};
	const struct bv_launch_seccomp local = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						.sockets = BV_SOCKETS_LOCAL};

	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 101), BV_SECCOMP_BASELINE);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 56), BV_SECCOMP_SPAWN);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 435), BV_SECCOMP_SPAWN);
	EXPECT_INT(origin_of(&local, AUDIT_ARCH_X86_64, 435), BV_SECCOMP_BASELINE);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 41), BV_SECCOMP_NETWORK);
	EXPECT_INT(origin_of(&local, AUDIT_ARCH_X86_64, 41), BV_SECCOMP_NETWORK);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 29), BV_SECCOMP_SHARED);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_I386, 20), BV_SECCOMP_FOREIGN);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 0x40000000), BV_SECCOMP_FOREIGN);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 400), BV_SECCOMP_UNKNOWN);
	EXPECT_INT(origin_of(&narrow, AUDIT_ARCH_X86_64, 9999), BV_SECCOMP_UNKNOWN);
}

TEST(every_denial_can_be_explained_and_no_permission_is)
{
	static const uint64_t odd[6] = {7, 0x5412, 0x2000, 4, 5, 6};

	for (size_t i = 0; i < JUDGE_POLICIES; i++) {
		const struct bv_launch_seccomp launch = judge_policy(i);

		for (int number = 0; number < 600; number++) {
			struct seccomp_data data = {.nr = number, .arch = AUDIT_ARCH_X86_64};

			for (int round = 0; round < 2; round++) {
				const bool allowed = bv_seccomp_judge(&launch, &data).allowed;

				EXPECT_THAT((bv_seccomp_why(&launch, &data)[0] == '\0') == allowed,
					    "call %d", number);
				memcpy(data.args, odd, sizeof odd);
			}
		}
	}
}

TEST(calls_and_abis_have_names)
{
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_X86_64, 101), "ptrace");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_X86_64, 0x40000000 | 41), "socket");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_X86_64, 471), "rseq_slice_yield");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_X86_64, 400), "?");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_X86_64, UINT32_MAX), "?");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_I386, 102), "socketcall");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_I386, 5), "open");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_AARCH64, 117), "ptrace");
	EXPECT_STR(bv_syscall_name(AUDIT_ARCH_ARM, 1), "?");
	EXPECT_STR(bv_syscall_abi(AUDIT_ARCH_X86_64, 0x40000000), "x32");
	EXPECT_STR(bv_syscall_abi(AUDIT_ARCH_X86_64, 0), "x86_64");
	EXPECT_STR(bv_syscall_abi(AUDIT_ARCH_I386, 0), "i386");
	EXPECT_STR(bv_syscall_abi(1, 0), "?");
	EXPECT_STR(bv_seccomp_origin_name(BV_SECCOMP_SPAWN), "ChildSpawn");
}

/* Every "#define __NR_name number" of a header is what we call that number. */
static void compare_header(const char *path, uint32_t arch)
{
	FILE *file = fopen(path, "re");
	unsigned int number, count = 0;
	char line[256], name[128];

	SKIP_UNLESS(file, "no kernel headers with system call numbers");
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "#define __NR_%127s %u", name, &number) != 2)
			continue;
		if (number < BV_SYSCALL_LIMIT)
			EXPECT_STR(bv_syscall_name(arch, number), name);
		count++;
	}
	(void)fclose(file); /* opened for reading */
	EXPECT(count > 300);
}

TEST(names_are_those_of_the_kernel_headers)
{
	compare_header("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", AUDIT_ARCH_X86_64);
	compare_header("/usr/include/x86_64-linux-gnu/asm/unistd_32.h", AUDIT_ARCH_I386);
}
#endif

/* ---- the simulator itself ----------------------------------------------------------------------- */

TEST(the_simulator_refuses_programs_the_kernel_would_refuse)
{
	const struct sock_filter no_return[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}};
	const struct sock_filter far_jump[] = {{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0},
					       {BPF_RET | BPF_K, 0, 0, 0}};
	const struct sock_filter outside[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64},
					      {BPF_RET | BPF_K, 0, 0, 0}};
	const struct sock_filter fine[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 4},
					   {BPF_JMP | BPF_JSET | BPF_K, 0, 1, 2},
					   {BPF_RET | BPF_K, 0, 0, 7},
					   {BPF_RET | BPF_K, 0, 0, 9}};
	struct seccomp_data data = {.arch = 6};

	EXPECT(!bpf_sim_check(no_return, 1));
	EXPECT(!bpf_sim_check(far_jump, 2));
	EXPECT(!bpf_sim_check(outside, 2));
	EXPECT(!bpf_sim_run(no_return, 1, &data).valid);
	EXPECT(!bpf_sim_run(far_jump + 1, 0, &data).valid);
	EXPECT(bpf_sim_check(fine, 4));
	EXPECT_UINT(bpf_sim_run(fine, 4, &data).action, 7);
	data.arch = 4;
	EXPECT_UINT(bpf_sim_run(fine, 4, &data).action, 9);
	EXPECT_UINT(bpf_sim_run(fine, 4, &data).steps, 3);
}
