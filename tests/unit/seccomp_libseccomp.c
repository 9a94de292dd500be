/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_libseccomp.c - the filter written by libseccomp, and compared with ours call by call.
 *
 * A second opinion on the compiler, on the numbers, and on how the lists come together: the rows are
 * the same, the programs are made by people who have done so for longer.  The baseline with what
 * the run's policies add is one program of theirs, the strict set another, and what both say holds,
 * as it would in a kernel that has them stacked.
 */
#include <errno.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf_sim.h"
#include "linux/seccomp_filter.h"
#include "test.h"

enum { THEIRS_MAX = 4096 };

struct row {
	const char *name;
	int error; /* 0: allowed */
};

static const struct row baseline[] = {
#define BV_DENY(call, error, why) {#call, error},
#define BV_DENY_WHEN(call, error, when, why)
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
	{"clone3", ENOSYS},
	{"openat2", ENOSYS},
};

static const struct row shared[] = {
	{"shmget", ENOSYS},     {"shmat", ENOSYS},  {"shmctl", ENOSYS}, {"semget", ENOSYS},
	{"semop", ENOSYS},      {"semctl", ENOSYS}, {"msgget", ENOSYS}, {"msgsnd", ENOSYS},
	{"semtimedop", ENOSYS}, {"msgrcv", ENOSYS}, {"msgctl", ENOSYS}, {"mq_open", ENOSYS},
	{"mq_unlink", ENOSYS},
};

static const struct row strict[] = {
#define BV_STRICT(call) {#call, 0},
#define BV_STRICT_DENY(call, error, why) {#call, error},
#include "linux/seccomp_strict.def"
};

struct program {
	struct sock_filter insns[THEIRS_MAX];
	size_t count;
};

/* ---- rules ---------------------------------------------------------------------------------------- */

/* The architecture the rules are for. */
static uint32_t token;

static void add(scmp_filter_ctx context, uint32_t action, const char *name, unsigned int count,
		const struct scmp_arg_cmp *comparisons)
{
	const int number = seccomp_syscall_resolve_name_arch(token, name);

	/* Newer than their table, or of another architecture. */
	if (number < 0)
		return;
	/* By the native number, which they translate. */
	EXPECT_THAT(seccomp_rule_add_array(context, action, seccomp_syscall_resolve_name(name),
					   count, comparisons) == 0,
		    "%s", name);
}

static void add_when(scmp_filter_ctx context, uint32_t action, const char *name,
		     struct scmp_arg_cmp comparison)
{
	add(context, action, name, 1, &comparison);
}

/* Where any of these bits of the argument is set. */
static void add_any_bit(scmp_filter_ctx context, uint32_t action, const char *name,
			unsigned int argument, uint64_t bits)
{
	for (unsigned int bit = 0; bit < 64; bit++)
		if (bits >> bit & 1)
			add_when(context, action, name,
				 SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, UINT64_C(1) << bit,
					    UINT64_C(1) << bit));
}

/* Where the low half of the argument is this. */
static struct scmp_arg_cmp low_is(unsigned int argument, uint32_t value)
{
	return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, 0xffffffff, value);
}

/* They take no rule that says what holds without it, which is `otherwise`. */
static void add_rows(scmp_filter_ctx context, uint32_t otherwise, const struct row *rows,
		     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint32_t action = rows[i].error == 0
						? SCMP_ACT_ALLOW
						: SCMP_ACT_ERRNO((uint32_t)rows[i].error);

		if (action != otherwise)
			add(context, action, rows[i].name, 0, NULL);
	}
}

/* Calls that are denied with EPERM by bits of one argument. */
static void add_by_bits(scmp_filter_ctx context)
{
	static const struct {
		const char *name;
		unsigned int argument;
		uint64_t bits;
	} rows[] = {
		{"chmod", 1, 06000},
		{"fchmod", 1, 06000},
		{"creat", 1, 06000},
		{"mknod", 1, 06000},
		{"fchmodat", 2, 06000},
		{"mknodat", 2, 06000},
		{"fchmodat2", 2, 06000},
		{"clone", 0, 0x7e020000},
		{"unshare", 0, ~UINT64_C(0x50f00)},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		add_any_bit(context, SCMP_ACT_ERRNO(EPERM), rows[i].name, rows[i].argument,
			    rows[i].bits);
}

static void add_by_argument(scmp_filter_ctx context)
{
	static const unsigned int requests[] = {TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS, 0xaa00};
	static const unsigned int devices[] = {S_IFCHR, S_IFBLK};
	static const unsigned int makes[] = {0100, 020000000}; /* O_CREAT, O_TMPFILE by itself */
	const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
	const struct scmp_arg_cmp listener[] = {low_is(0, 1), SCMP_A1(SCMP_CMP_MASKED_EQ, 8, 8)};

	add_by_bits(context);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		add_when(context, eperm, "ioctl", low_is(1, requests[i]));
	for (size_t i = 0; i < 2; i++) {
		add_when(context, eperm, "mknod", SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, devices[i]));
		add_when(context, eperm, "mknodat",
			 SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, devices[i]));
		for (unsigned int bit = S_ISGID; bit <= S_ISUID; bit *= 2) {
			const struct scmp_arg_cmp open[] = {SCMP_A1(SCMP_CMP_MASKED_EQ, makes[i],
								    makes[i]),
							    SCMP_A2(SCMP_CMP_MASKED_EQ, bit, bit)};
			const struct scmp_arg_cmp openat[] = {SCMP_A2(SCMP_CMP_MASKED_EQ, makes[i],
								      makes[i]),
							      SCMP_A3(SCMP_CMP_MASKED_EQ, bit,
								      bit)};

			add(context, eperm, "open", 2, open);
			add(context, eperm, "openat", 2, openat);
		}
	}
	add_when(context, SCMP_ACT_ERRNO(EACCES), "memfd_create",
		 SCMP_A1(SCMP_CMP_MASKED_EQ, 8, 0));
	add_when(context, eperm, "prctl", low_is(0, 35));
	add(context, eperm, "seccomp", 2, listener);
}

static void add_policy(scmp_filter_ctx context, const struct bv_launch_seccomp *launch)
{
	static const char *const own[] = {"sched_setaffinity", "sched_setscheduler",
					  "sched_setparam", "sched_setattr", "prlimit64"};
	const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);

	if (launch->spawn != BV_SPAWN_ALLOW_DESCENDANTS) {
		add(context, eperm, "fork", 0, NULL);
		add(context, eperm, "vfork", 0, NULL);
	}
	if (launch->spawn == BV_SPAWN_DENY_NEW_TASKS)
		add(context, eperm, "clone", 0, NULL);
	if (launch->spawn == BV_SPAWN_ALLOW_THREADS)
		add_when(context, eperm, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, 0x10000, 0));
	if (!launch->shared)
		return;
	add_rows(context, SCMP_ACT_ALLOW, shared, sizeof shared / sizeof shared[0]);
	add_when(context, eperm, "kill", low_is(0, UINT32_MAX));
	add_when(context, eperm, "setpriority", low_is(0, 2));
	add_any_bit(context, eperm, "setpriority", 1, UINT32_MAX);
	add_when(context, eperm, "ioprio_set", low_is(0, 3));
	add_any_bit(context, eperm, "ioprio_set", 1, UINT32_MAX);
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		add_any_bit(context, eperm, own[i], 0, UINT32_MAX);
}

static void add_strict(scmp_filter_ctx context)
{
	static const uint32_t requests[] = {
#define BV_STRICT_REQUEST(name, number) number,
#include "linux/seccomp_strict.def"
	};
	static const uint32_t options[] = {
#define BV_STRICT_OPTION(name, number) number,
#include "linux/seccomp_strict.def"
	};

	add_rows(context, SCMP_ACT_ERRNO(ENOSYS), strict, sizeof strict / sizeof strict[0]);
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		add_when(context, SCMP_ACT_ALLOW, "ioctl", low_is(1, requests[i]));
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		add_when(context, SCMP_ACT_ALLOW, "prctl", low_is(0, options[i]));
}

static scmp_filter_ctx begin(uint32_t otherwise)
{
	scmp_filter_ctx context = seccomp_init(otherwise);

	EXPECT(context != NULL);
	EXPECT(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0);
	if (token != seccomp_arch_native()) {
		EXPECT(seccomp_arch_add(context, token) == 0);
		EXPECT(seccomp_arch_remove(context, seccomp_arch_native()) == 0);
	}
	return context;
}

static void finish(scmp_filter_ctx context, struct program *ret_theirs)
{
	const int fd = memfd_create("theirs", MFD_CLOEXEC);
	ssize_t size;

	EXPECT(fd >= 0 && seccomp_export_bpf(context, fd) == 0);
	size = pread(fd, ret_theirs->insns, sizeof ret_theirs->insns, 0);
	EXPECT(size > 0 && size < (ssize_t)sizeof ret_theirs->insns);
	ret_theirs->count = (size_t)size / sizeof ret_theirs->insns[0];
	seccomp_release(context);
	(void)close(fd); /* read already */
}

/* ---- comparing ------------------------------------------------------------------------------------ */

static uint32_t run(const struct program *program, const struct seccomp_data *data)
{
	const struct bpf_result result = bpf_sim_run(program->insns, program->count, data);

	EXPECT(result.valid);
	return result.action;
}

struct comparison {
	struct program ours, theirs, their_strict;
	bool strict;
	uint32_t arch;
	size_t compared;
};

static void compare(const struct comparison *c, const char *name, const struct seccomp_data *data)
{
	const bool listed = strcmp(name, "ioctl") == 0 || strcmp(name, "prctl") == 0;
	const uint32_t we = run(&c->ours, data);
	uint32_t they = run(&c->theirs, data);
	const bool by_set = c->strict && they == SCMP_ACT_ALLOW;

	if (by_set)
		they = run(&c->their_strict, data);
	/* What is in neither list has an errno of its own, which would take them many rules. */
	if (by_set && listed && they != SCMP_ACT_ALLOW)
		they = SCMP_ACT_ERRNO(name[0] == 'i' ? ENOTTY : EINVAL);
	EXPECT_THAT(we == they, "0x%x strict %d: %s(0x%llx, 0x%llx): 0x%x, theirs 0x%x", c->arch,
		    c->strict, name, (unsigned long long)data->args[0],
		    (unsigned long long)data->args[1], we, they);
}

/* Sockets and personality would take them many rules, and say nothing new. */
static bool is_left_out(const char *name)
{
	return strcmp(name, "socket") == 0 || strcmp(name, "socketpair") == 0 ||
	       strcmp(name, "personality") == 0 || strcmp(name, "setsockopt") == 0;
}

static void compare_all(struct comparison *c)
{
	static const uint64_t values[] = {
		0,          1,          2,      3,           8,           9,
		35,         15,         0x5412, 0x541c,      0x5413,      0xaa00,
		0x2000,     0x6180,     0x8000, 0x11,        0x3d0f00,    0x10000000,
		0x20011,    0100,       02755,  020200002,   0x40049409,  0x40000000,
		0xffffffff, 0x53564d41, 77,     0x100005412, 0x500000023, UINT64_C(1) << 63};
	enum { VALUES = sizeof values / sizeof values[0] };

	c->compared = 0;
	for (uint32_t number = 0; number < BV_SYSCALL_LIMIT; number++) {
		const char *name = bv_syscall_name(c->arch, number);

		if (is_left_out(name) || seccomp_syscall_resolve_name_arch(token, name) < 0)
			continue;
		EXPECT_INT(seccomp_syscall_resolve_name_arch(token, name), number);
		c->compared++;
		for (size_t i = 0; i < VALUES * VALUES; i++) {
			const struct seccomp_data data = {.nr = (int)number,
							  .arch = c->arch,
							  .args = {values[i % VALUES],
								   values[i / VALUES],
								   values[i % VALUES],
								   values[i / VALUES]}};

			compare(c, name, &data);
		}
	}
}

static void compare_policies(uint32_t arch, uint32_t their_token, size_t least)
{
	static struct comparison c;

	c.arch = arch;
	token = their_token;
	for (unsigned int i = 0; i < 3 * 2 * 2; i++) {
		const struct bv_launch_seccomp launch = {.spawn = (enum bv_spawn_policy)(i % 3),
							 .sockets = BV_SOCKETS_LOCAL,
							 .shared = i / 3 % 2 != 0,
							 .has_syscalls = i / 6 != 0,
							 .syscalls = BV_SYSCALLS_STRICT};
		scmp_filter_ctx context = begin(SCMP_ACT_ALLOW);

		add_rows(context, SCMP_ACT_ALLOW, baseline, sizeof baseline / sizeof baseline[0]);
		add_by_argument(context);
		add_policy(context, &launch);
		finish(context, &c.theirs);
		context = begin(SCMP_ACT_ERRNO(ENOSYS));
		add_strict(context);
		finish(context, &c.their_strict);
		c.strict = launch.has_syscalls;
		EXPECT(bv__seccomp_compile_for(arch, &launch, c.ours.insns, BV_SECCOMP_PROGRAM_MAX,
					       &c.ours.count, NULL) == BV_OK);
		compare_all(&c);
		EXPECT_THAT(c.compared > least, "only %zu compared", c.compared);
	}
}

TEST(libseccomp_would_decide_the_same_on_x86_64)
{
	compare_policies(AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, 340);
}

TEST(libseccomp_would_decide_the_same_on_aarch64)
{
	compare_policies(AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64, 290);
}

TEST(libseccomp_would_decide_the_same_on_riscv64)
{
	compare_policies(AUDIT_ARCH_RISCV64, SCMP_ARCH_RISCV64, 290);
}
