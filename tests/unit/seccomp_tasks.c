/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_tasks.c - the filter asks for every task that may be made, and changes nothing else. */
#include "linux/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "bpf_sim.h"
#include "linux/seccomp_rules.h"
#include "test.h"

enum { ROOM = BV_SECCOMP_PROGRAM_MAX + 16 };

static struct sock_filter plain[ROOM], asking[ROOM];
static size_t plain_count, asking_count;

static void make_programs(const struct bv_launch_seccomp *launch)
{
	EXPECT(bv_seccomp_compile(launch, plain, ROOM, &plain_count, NULL) == BV_OK);
	memcpy(asking, plain, sizeof(plain));
	asking_count = plain_count;
	EXPECT(bv_seccomp_ask_for_tasks(launch, asking, ROOM, &asking_count, NULL) == BV_OK);
	EXPECT(bpf_sim_check(asking, asking_count));
}

static struct bv_launch_seccomp policy_of(enum bv_spawn_policy spawn)
{
	return (struct bv_launch_seccomp){.spawn = spawn,
					  .sockets = BV_SOCKETS_LOCAL,
					  .notify = true,
					  .shared = true};
}

/* What both programs say; and whether it is the same, but for being asked. */
static bool is_asked(const struct bv_launch_seccomp *launch, const struct seccomp_data *data)
{
	const struct bpf_result before = bpf_sim_run(plain, plain_count, data);
	const struct bpf_result after = bpf_sim_run(asking, asking_count, data);
	const bool asked = bv_seccomp_makes_task(launch, data);

	EXPECT(before.valid && after.valid);
	if (asked) {
		EXPECT_UINT(before.action, SECCOMP_RET_ALLOW);
		EXPECT_UINT(after.action, SECCOMP_RET_USER_NOTIF);
	} else {
		EXPECT_THAT(before.action == after.action, "call %d: 0x%x became 0x%x", data->nr,
			    before.action, after.action);
	}
	return asked;
}

static bool asks_for(const struct bv_launch_seccomp *launch, int number, uint64_t flags)
{
	const struct seccomp_data data = {.nr = number,
					  .arch = BV_NATIVE_ARCH,
					  .args = {flags, 1, 2, 3, 4, 5}};

	return is_asked(launch, &data);
}

TEST(each_task_that_may_be_made_is_asked_for)
{
	const struct bv_launch_seccomp launch = policy_of(BV_SPAWN_ALLOW_DESCENDANTS);
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

	make_programs(&launch);
	EXPECT(asks_for(&launch, SYS_clone, 17));
	EXPECT(asks_for(&launch, SYS_clone, thread));
	EXPECT(asks_for(&launch, SYS_clone, CLONE_VM | CLONE_VFORK | 17));
	/* The kernel does not look at the upper half, so it hides nothing there. */
	EXPECT(asks_for(&launch, SYS_clone, UINT64_C(0xffffffff00000000) | 17));
#ifdef SYS_fork
	EXPECT(asks_for(&launch, SYS_fork, 0));
	EXPECT(asks_for(&launch, SYS_vfork, 0));
#endif
	/* What is denied stays denied. */
	EXPECT(!asks_for(&launch, SYS_clone, CLONE_NEWUSER | 17));
	EXPECT(!asks_for(&launch, SYS_clone, thread | CLONE_NEWNS));
	EXPECT(!asks_for(&launch, SYS_clone3, 17));
	EXPECT(!asks_for(&launch, SYS_read, 0));
	EXPECT(!asks_for(&launch, SYS_ptrace, 0));
}

TEST(where_only_threads_may_be_made_only_they_are_asked_for)
{
	const struct bv_launch_seccomp launch = policy_of(BV_SPAWN_ALLOW_THREADS);
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

	make_programs(&launch);
	EXPECT(asks_for(&launch, SYS_clone, thread));
	EXPECT(!asks_for(&launch, SYS_clone, 17));
#ifdef SYS_fork
	EXPECT(!asks_for(&launch, SYS_fork, 0));
	EXPECT(!asks_for(&launch, SYS_vfork, 0));
#endif
}

TEST(where_none_may_be_made_nothing_changes)
{
	const struct bv_launch_seccomp launch = policy_of(BV_SPAWN_DENY_NEW_TASKS);

	make_programs(&launch);
	EXPECT_UINT(asking_count, plain_count);
	EXPECT(!asks_for(&launch, SYS_clone, 17));
}

/* Every number, every single flag, every ABI this machine has. */
TEST(nothing_else_changes)
{
	static const enum bv_spawn_policy policies[] = {BV_SPAWN_DENY_NEW_TASKS,
							BV_SPAWN_ALLOW_THREADS,
							BV_SPAWN_ALLOW_DESCENDANTS};
	static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
					  AUDIT_ARCH_ARM, 0};

	for (size_t p = 0; p < 3; p++) {
		const struct bv_launch_seccomp launch = policy_of(policies[p]);

		make_programs(&launch);
		for (uint32_t number = 0; number < 1200; number++) {
			for (int bit = -1; bit < 64; bit++) {
				struct seccomp_data data = {.nr = (int)number,
							    .args = {bit < 0 ? 0
									     : UINT64_C(1) << bit}};

				for (size_t a = 0; a < 5; a++) {
					data.arch = arches[a];
					(void)is_asked(&launch, &data);
				}
				data.arch = AUDIT_ARCH_X86_64;
				data.nr = (int)(number | BV_SYSCALL_X32_BIT);
				EXPECT(!is_asked(&launch, &data));
			}
		}
	}
}

TEST(a_program_that_has_no_room_is_refused)
{
	const struct bv_launch_seccomp launch = policy_of(BV_SPAWN_ALLOW_DESCENDANTS);

	make_programs(&launch);
	EXPECT_INT(bv_seccomp_ask_for_tasks(&launch, plain, plain_count + 9, &plain_count, NULL),
		   BV_E_MEMORY);
}
