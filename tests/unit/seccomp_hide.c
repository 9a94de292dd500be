/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_hide.c - what would hide open files is refused, and nothing else changes. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>

#include "bpf_sim.h"
#include "linux/seccomp_filter.h"
#include "linux/seccomp_rules.h"
#include "test.h"

enum { ROOM = BV_SECCOMP_PROGRAM_MAX + 32, CLOSE_RANGE = 436 };

static const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						.sockets = BV_SOCKETS_LOCAL};
static struct sock_filter plain[ROOM], held[ROOM];
static size_t plain_count, held_count;

static void make_programs(void)
{
	EXPECT(bv_seccomp_compile(&launch, plain, ROOM, &plain_count, NULL) == BV_OK);
	memcpy(held, plain, sizeof(plain));
	held_count = plain_count;
	EXPECT(bv_seccomp_refuse_hiding(held, ROOM, &held_count, NULL) == BV_OK);
	EXPECT(bpf_sim_check(held, held_count));
}

static bool is_refused(const struct seccomp_data *data)
{
	const struct bpf_result before = bpf_sim_run(plain, plain_count, data);
	const struct bpf_result after = bpf_sim_run(held, held_count, data);

	EXPECT(before.valid && after.valid);
	if (before.action == after.action)
		return false;
	EXPECT_UINT(before.action, SECCOMP_RET_ALLOW);
	EXPECT_UINT(after.action, SECCOMP_RET_ERRNO | EPERM);
	return true;
}

static bool refuses(int number, uint64_t first, uint64_t second, uint64_t third)
{
	return is_refused(&(struct seccomp_data){.nr = number,
						 .arch = BV_NATIVE_ARCH,
						 .args = {first, second, third}});
}

TEST(a_process_stays_dumpable)
{
	make_programs();
	EXPECT(refuses(SYS_prctl, PR_SET_DUMPABLE, 0, 0));
	EXPECT(refuses(SYS_prctl, UINT64_C(1) << 32 | PR_SET_DUMPABLE, 0, 0));
	EXPECT(refuses(SYS_prctl, PR_SET_DUMPABLE, 2, 0));
	EXPECT(!refuses(SYS_prctl, PR_SET_DUMPABLE, 1, 0));
	EXPECT(!refuses(SYS_prctl, PR_GET_DUMPABLE, 0, 0));
	EXPECT(!refuses(SYS_prctl, PR_SET_NAME, 0, 0));
}

TEST(threads_have_no_descriptors_of_their_own)
{
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD;

	make_programs();
	EXPECT(refuses(SYS_clone, thread, 0, 0));
	EXPECT(!refuses(SYS_clone, thread | CLONE_FILES, 0, 0));
	EXPECT(!refuses(SYS_clone, 17, 0, 0));
	EXPECT(!refuses(SYS_clone, CLONE_VM | CLONE_VFORK | 17, 0, 0));
	EXPECT(refuses(SYS_unshare, CLONE_FILES, 0, 0));
	EXPECT(refuses(SYS_unshare, CLONE_FILES | CLONE_FS, 0, 0));
	EXPECT(!refuses(SYS_unshare, CLONE_FS, 0, 0));
	EXPECT(refuses(CLOSE_RANGE, 3, UINT32_MAX, 2));
	EXPECT(refuses(CLOSE_RANGE, 3, UINT32_MAX, 6));
	EXPECT(!refuses(CLOSE_RANGE, 3, UINT32_MAX, 0));
	EXPECT(!refuses(CLOSE_RANGE, 3, UINT32_MAX, 4));
}

TEST(no_other_call_changes)
{
	static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
					  AUDIT_ARCH_ARM, 0};

	make_programs();
	for (int number = -1; number < 700; number++)
		for (size_t arch = 0; arch < sizeof arches / sizeof arches[0]; arch++)
			for (int bit = 0; bit < 32; bit++) {
				const uint64_t word = UINT64_C(1) << bit;
				const struct seccomp_data data = {.nr = number,
								  .arch = arches[arch],
								  .args = {word, word, word}};

				if (arches[arch] == BV_NATIVE_ARCH &&
				    (number == SYS_clone || number == SYS_unshare ||
				     number == SYS_prctl || number == CLOSE_RANGE))
					continue;
				EXPECT_THAT(!is_refused(&data), "call %d", number);
			}
}

TEST(too_little_room_is_said)
{
	make_programs();
	held_count = plain_count;
	EXPECT(bv_seccomp_refuse_hiding(held, plain_count + 1, &held_count, NULL) == BV_E_MEMORY);
	EXPECT_UINT(held_count, plain_count);
}
