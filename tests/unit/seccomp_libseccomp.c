/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_libseccomp.c - the baseline written by libseccomp, and compared with ours call by call.
 *
 * A second opinion on the compiler and on the numbers: the rows are the same, the program is made
 * by people who have done so for longer.
 */
#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf_sim.h"
#include "linux/seccomp_filter.h"
#include "test.h"

enum { THEIRS_MAX = 4096 };

static const struct {
	const char *name;
	int error;
} rows[] = {
#define BV_DENY(call, error, why) {#call, error},
#define BV_DENY_WHEN(call, error, when, why)
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
	{"clone3", ENOSYS},
	{"openat2", ENOSYS},
};

static void add_by_argument(scmp_filter_ctx context)
{
	static const unsigned int requests[] = {TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS, 0xaa00};
	static const unsigned int devices[] = {S_IFCHR, S_IFBLK};
	static const unsigned int makes[] = {0100, 020000000}; /* O_CREAT, O_TMPFILE by itself */
	const int fchmodat2 = seccomp_syscall_resolve_name("fchmodat2");
	const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(ioctl), 1,
					SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i])) == 0);
	for (size_t i = 0; i < 2; i++) {
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(mknod), 1,
					SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, devices[i])) == 0);
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(mknodat), 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, devices[i])) == 0);
	}
	for (unsigned int bit = S_ISGID; bit <= S_ISUID; bit *= 2) {
		const struct scmp_arg_cmp second = SCMP_A1(SCMP_CMP_MASKED_EQ, bit, bit);
		const struct scmp_arg_cmp third = SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit);
		const struct scmp_arg_cmp fourth = SCMP_A3(SCMP_CMP_MASKED_EQ, bit, bit);

		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(chmod), 1, second) == 0);
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(fchmod), 1, second) == 0);
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(creat), 1, second) == 0);
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(mknod), 1, second) == 0);
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(fchmodat), 1, third) == 0);
		EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(mknodat), 1, third) == 0);
		if (fchmodat2 >= 0)
			EXPECT(seccomp_rule_add(context, eperm, fchmodat2, 1, third) == 0);
		for (size_t i = 0; i < 2; i++) {
			EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(open), 2,
						SCMP_A1(SCMP_CMP_MASKED_EQ, makes[i], makes[i]),
						third) == 0);
			EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(openat), 2,
						SCMP_A2(SCMP_CMP_MASKED_EQ, makes[i], makes[i]),
						fourth) == 0);
		}
	}
	/* CLONE_NEW flags, one rule each. */
	for (unsigned int bit = 0; bit < 32; bit++)
		if (0x7e020000U >> bit & 1)
			EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(clone), 1,
						SCMP_A0(SCMP_CMP_MASKED_EQ, UINT64_C(1) << bit,
							UINT64_C(1) << bit)) == 0);
	for (unsigned int bit = 0; bit < 64; bit++)
		if (!(UINT64_C(0x50f00) >> bit & 1))
			EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(unshare), 1,
						SCMP_A0(SCMP_CMP_MASKED_EQ, UINT64_C(1) << bit,
							UINT64_C(1) << bit)) == 0);
	EXPECT(seccomp_rule_add(context, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(memfd_create), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, 8, 0)) == 0);
	EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(prctl), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 35)) == 0);
	EXPECT(seccomp_rule_add(context, eperm, SCMP_SYS(seccomp), 2,
				SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, 1),
				SCMP_A1(SCMP_CMP_MASKED_EQ, 8, 8)) == 0);
}

static size_t make_theirs(struct sock_filter theirs[THEIRS_MAX])
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
	const int fd = memfd_create("theirs", MFD_CLOEXEC);
	ssize_t size;

	EXPECT(context != NULL && fd >= 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const int number = seccomp_syscall_resolve_name(rows[i].name);

		/* Newer than their table, or of another architecture. */
		if (number < 0)
			continue;
		EXPECT(seccomp_rule_add(context, SCMP_ACT_ERRNO((uint32_t)rows[i].error), number,
					0) == 0);
	}
	add_by_argument(context);
	EXPECT(seccomp_export_bpf(context, fd) == 0);
	size = pread(fd, theirs, THEIRS_MAX * sizeof theirs[0], 0);
	EXPECT(size > 0 && size < (ssize_t)(THEIRS_MAX * sizeof theirs[0]));
	seccomp_release(context);
	(void)close(fd); /* read already */
	return (size_t)size / sizeof theirs[0];
}

TEST(libseccomp_would_decide_the_same)
{
	static const uint64_t values[] = {0,
					  1,
					  8,
					  9,
					  35,
					  0x5412,
					  0x541c,
					  0x5413,
					  0xaa00,
					  0x2000,
					  0x6180,
					  0x8000,
					  0x11,
					  0x3d0f00,
					  0x10000000,
					  0x20011,
					  0100,
					  020200002,
					  02755,
					  0x40000000,
					  0x100005412,
					  0x500000023,
					  UINT64_C(1) << 63};
	enum { VALUES = sizeof values / sizeof values[0] };
	const struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_ALLOW_DESCENDANTS,
						 .sockets = BV_SOCKETS_LOCAL};
	static struct sock_filter theirs[THEIRS_MAX];
	struct sock_filter ours[BV_SECCOMP_PROGRAM_MAX];
	const size_t their_count = make_theirs(theirs);
	size_t our_count, compared = 0;

	EXPECT(bv_seccomp_compile(&launch, ours, BV_SECCOMP_PROGRAM_MAX, &our_count, NULL) ==
	       BV_OK);
	for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++) {
		const char *name = bv_syscall_name(AUDIT_ARCH_X86_64, number);

		/* Sockets and personality would take them many rules, and say nothing new. */
		if (strcmp(name, "socket") == 0 || strcmp(name, "socketpair") == 0 ||
		    strcmp(name, "personality") == 0 || seccomp_syscall_resolve_name(name) < 0)
			continue;
		EXPECT_INT(seccomp_syscall_resolve_name(name), number);
		compared++;
		for (size_t i = 0; i < VALUES * VALUES; i++) {
			const struct seccomp_data data = {.nr = (int)number,
							  .arch = AUDIT_ARCH_X86_64,
							  .args = {values[i % VALUES],
								   values[i / VALUES],
								   values[i % VALUES],
								   values[i / VALUES]}};
			const struct bpf_result we = bpf_sim_run(ours, our_count, &data);
			const struct bpf_result they = bpf_sim_run(theirs, their_count, &data);

			EXPECT(we.valid && they.valid);
			EXPECT_THAT(we.action == they.action,
				    "%s(0x%llx, 0x%llx): 0x%x, theirs 0x%x", name,
				    (unsigned long long)data.args[0],
				    (unsigned long long)data.args[1], we.action, they.action);
		}
	}
	EXPECT(compared > 340);
}
