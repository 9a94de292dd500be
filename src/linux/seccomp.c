/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp.c - decides what a workload may call: the rows of seccomp_baseline.def and
 * seccomp_policy.def, and the checks of arguments they name.
 *
 * The kernel reads many arguments as 32-bit values while registers have 64 bits.  A check that
 * compared all of the register would be passed by putting anything into the upper half, so each
 * looks at the bits the kernel looks at, and no more.
 */
#include "linux/seccomp_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

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

/* ---- checks ---------------------------------------------------------------------------------- */

enum {
	/* CLONE_NEWTIME is not among them: for clone(2) that bit belongs to the exit signal. */
	NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
	/* Only harmless flags are listed, so that what later kernels add is refused. */
	UNSHARE_HARMLESS = CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND |
			   CLONE_VM,

	FILTER_NEW_LISTENER = 8, /* SECCOMP_FILTER_FLAG_NEW_LISTENER, there an unsigned long */
	FLAG_NOEXEC_SEAL = 8,    /* MFD_NOEXEC_SEAL, Linux 6.3 */
	SET_ID = S_ISUID | S_ISGID,
	/* Without these flags open looks at no mode, and what lies there is left over from others. */
	MAKES_FILE = O_CREAT | (O_TMPFILE & ~O_DIRECTORY),
	SOCKET_TYPE = 0xf, /* SOCK_TYPE_MASK: the rest are SOCK_CLOEXEC and SOCK_NONBLOCK */
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	IOPRIO_USER = 3,
	PRIORITY_USER = 2,
};

#define IOCTL_USERFAULTFD_NEW 0xaa00u /* Linux 6.1, on /dev/userfaultfd */

#define ALL_BITS 0xffffffffu
#define TO(outcome) BV_OUTCOME_##outcome
#define STEP(number) (BV_RULE_INDIRECT | (number))
/* One step: look at the lower half of an argument, and in LOOK_HIGH at the upper. */
#define LOOK_AT(argument_, high_, mask_, otherwise_, ...)                                          \
	{                                                                                          \
		.argument = (argument_), .high = (high_), .mask = (mask_),                         \
		.otherwise = (otherwise_), .cases = {__VA_ARGS__},                                 \
		.case_count = sizeof((const struct bv_seccomp_case[]){__VA_ARGS__}) /              \
			      sizeof(struct bv_seccomp_case)                                       \
	}
#define LOOK(argument_, mask_, otherwise_, ...)                                                    \
	LOOK_AT(argument_, false, mask_, otherwise_, __VA_ARGS__)
#define LOOK_HIGH(argument_, otherwise_, ...)                                                      \
	LOOK_AT(argument_, true, ALL_BITS, otherwise_, __VA_ARGS__)

/* clang-format off: a table, {number of steps, {steps}} */
const struct bv_seccomp_check bv__seccomp_checks[BV_CHECK_COUNT] = {
	[BV_CHECK_clone] = {1,
			    {
				    LOOK(0, NEW_NAMESPACES, TO(BASELINE_EPERM), {0, TO(ALLOW)}),
			    }},
	[BV_CHECK_clone_thread] =
		{2,
		 {
			 LOOK(0, NEW_NAMESPACES, TO(BASELINE_EPERM), {0, STEP(1)}),
			 /* The kernel itself wants CLONE_VM and CLONE_SIGHAND with it. */
			 LOOK(0, CLONE_THREAD, TO(ALLOW), {0, TO(SPAWN_EPERM)}),
		 }},
	[BV_CHECK_unshare] =
		{2,
		 {
			 LOOK(0, ~(uint32_t)UNSHARE_HARMLESS, TO(BASELINE_EPERM), {0, STEP(1)}),
			 /* An unsigned long, and later kernels may give the upper half a meaning. */
			 LOOK_HIGH(0, TO(BASELINE_EPERM), {0, TO(ALLOW)}),
		 }},
	[BV_CHECK_ioctl] = {1,
			    {
				    LOOK(1, ALL_BITS, TO(ALLOW), {TIOCSTI, TO(BASELINE_EPERM)},
					 {TIOCLINUX, TO(BASELINE_EPERM)},
					 {TIOCSETD, TO(BASELINE_EPERM)},
					 {TIOCCONS, TO(BASELINE_EPERM)},
					 {IOCTL_USERFAULTFD_NEW, TO(BASELINE_EPERM)}),
			    }},
	[BV_CHECK_chmod] = {1, {LOOK(1, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)})}},
	[BV_CHECK_fchmod] = {1, {LOOK(1, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)})}},
	[BV_CHECK_fchmodat] = {1, {LOOK(2, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)})}},
	[BV_CHECK_fchmodat2] = {1, {LOOK(2, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)})}},
	[BV_CHECK_creat] = {1, {LOOK(1, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)})}},
	[BV_CHECK_open] = {2,
			   {
				   LOOK(1, MAKES_FILE, STEP(1), {0, TO(ALLOW)}),
				   LOOK(2, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)}),
			   }},
	[BV_CHECK_openat] = {2,
			     {
				     LOOK(2, MAKES_FILE, STEP(1), {0, TO(ALLOW)}),
				     LOOK(3, SET_ID, TO(BASELINE_EPERM), {0, TO(ALLOW)}),
			     }},
	/* The kernel takes 16 bits of the mode; the kind of file is among them. */
	[BV_CHECK_mknod] = {2,
			    {
				    LOOK(1, SET_ID, TO(BASELINE_EPERM), {0, STEP(1)}),
				    LOOK(1, S_IFMT, TO(ALLOW), {S_IFCHR, TO(BASELINE_EPERM)},
					 {S_IFBLK, TO(BASELINE_EPERM)}),
			    }},
	[BV_CHECK_mknodat] = {2,
			      {
				      LOOK(2, SET_ID, TO(BASELINE_EPERM), {0, STEP(1)}),
				      LOOK(2, S_IFMT, TO(ALLOW), {S_IFCHR, TO(BASELINE_EPERM)},
					   {S_IFBLK, TO(BASELINE_EPERM)}),
			      }},
	[BV_CHECK_personality] = {1,
				  {
					  LOOK(0, ALL_BITS, TO(BASELINE_EPERM), {0, TO(ALLOW)},
					       {0xffffffff, TO(ALLOW)}),
				  }},
	[BV_CHECK_memfd_create] = {1,
				   {
					   LOOK(1, FLAG_NOEXEC_SEAL, TO(ALLOW),
						{0, TO(BASELINE_EACCES)}),
				   }},
	[BV_CHECK_prctl] = {1,
			    {
				    LOOK(0, ALL_BITS, TO(ALLOW), {PR_SET_MM, TO(BASELINE_EPERM)}),
			    }},
	[BV_CHECK_seccomp] =
		{2,
		 {
			 LOOK(0, ALL_BITS, TO(ALLOW), {SECCOMP_SET_MODE_FILTER, STEP(1)}),
			 LOOK(1, FILTER_NEW_LISTENER, TO(BASELINE_EPERM), {0, TO(ALLOW)}),
		 }},
	/* Family first: a raw netlink socket is refused for what it is. */
	[BV_CHECK_socket_local] =
		{4,
		 {
			 LOOK(0, ALL_BITS, TO(NETWORK_EAFNOSUPPORT), {AF_UNIX, STEP(1)},
			      {AF_INET, STEP(2)}, {AF_INET6, STEP(2)}),
			 LOOK(1, SOCKET_TYPE, TO(NETWORK_ESOCKTNOSUPPORT), {SOCK_STREAM, TO(ALLOW)},
			      {SOCK_DGRAM, TO(ALLOW)}, {SOCK_SEQPACKET, TO(ALLOW)}),
			 LOOK(1, SOCKET_TYPE, TO(NETWORK_ESOCKTNOSUPPORT), {SOCK_STREAM, STEP(3)},
			      {SOCK_DGRAM, STEP(3)}),
			 LOOK(2, ALL_BITS, TO(NETWORK_EPROTONOSUPPORT), {0, TO(ALLOW)},
			      {PROTOCOL_TCP, TO(ALLOW)}, {PROTOCOL_UDP, TO(ALLOW)}),
		 }},
	[BV_CHECK_socketpair_connected] =
		{2,
		 {
			 LOOK(0, ALL_BITS, TO(NETWORK_EAFNOSUPPORT), {AF_UNIX, STEP(1)}),
			 LOOK(1, SOCKET_TYPE, TO(NETWORK_EACCES), {SOCK_STREAM, TO(ALLOW)},
			      {SOCK_SEQPACKET, TO(ALLOW)}),
		 }},
	[BV_CHECK_socketpair_local] =
		{2,
		 {
			 LOOK(0, ALL_BITS, TO(NETWORK_EAFNOSUPPORT), {AF_UNIX, STEP(1)}),
			 LOOK(1, SOCKET_TYPE, TO(NETWORK_ESOCKTNOSUPPORT), {SOCK_STREAM, TO(ALLOW)},
			      {SOCK_DGRAM, TO(ALLOW)}, {SOCK_SEQPACKET, TO(ALLOW)}),
		 }},
	[BV_CHECK_kill_all] = {1,
			       {
				       LOOK(0, ALL_BITS, TO(ALLOW), {0xffffffff, TO(SHARED_EPERM)}),
			       }},
	/* For a user, 0 is not the caller alone but every process of the user. */
	[BV_CHECK_setpriority_self] = {2,
				       {
					       LOOK(0, ALL_BITS, STEP(1),
						    {PRIORITY_USER, TO(SHARED_EPERM)}),
					       LOOK(1, ALL_BITS, TO(SHARED_EPERM), {0, TO(ALLOW)}),
				       }},
	[BV_CHECK_ioprio_self] = {2,
				  {
					  LOOK(0, ALL_BITS, STEP(1),
					       {IOPRIO_USER, TO(SHARED_EPERM)}),
					  LOOK(1, ALL_BITS, TO(SHARED_EPERM), {0, TO(ALLOW)}),
				  }},
	[BV_CHECK_first_zero] = {1,
				 {
					 LOOK(0, ALL_BITS, TO(SHARED_EPERM), {0, TO(ALLOW)}),
				 }},
};
/* clang-format on */

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
	return BV_OK;
}

/* ---- judging --------------------------------------------------------------------------------- */

/* As bv__seccomp_make_rules, for one number: a notification is answered without making all. */
static uint8_t find_rule(enum bv_syscall_table table, const struct bv_launch_seccomp *launch,
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
