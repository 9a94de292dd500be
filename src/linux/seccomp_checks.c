/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_checks.c - the checks of arguments that rows of the three lists name.
 *
 * The kernel reads many arguments as 32-bit values while registers have 64 bits.  A check that
 * compared all of the register would be passed by putting anything into the upper half, so each
 * looks at the bits the kernel looks at, and no more.
 */
#include "linux/seccomp_rules.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

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

	LEVEL_IP = 0,
	LEVEL_TCP = 6,
	LEVEL_UDP = 17,
	LEVEL_IPV6 = 41,
	ATTACH_FILTER = 26, /* SO_ATTACH_: programs, classic and not */
	ATTACH_BPF = 50,
	ATTACH_REUSEPORT_CBPF = 51,
	ATTACH_REUSEPORT_EBPF = 52,
	TCP_REPAIR_OPTION = 19,
	TCP_ULP_OPTION = 31,
	UDP_CORK_OPTION = 1,
	UDP_SEGMENT_OPTION = 103,
	UDP_GRO_OPTION = 104,
};

#define IOCTL_USERFAULTFD_NEW 0xaa00u /* Linux 6.1, on /dev/userfaultfd */

#define ALL_BITS 0xffffffffu
#define TO(outcome) BV_OUTCOME_##outcome
#define STEP(number) (BV_RULE_INDIRECT | (number))
/* One step: look at the lower half of an argument, and in LOOK_HIGH at the upper. */
#define LOOK_AT(argument_, high_, mask_, otherwise_, ...)                                          \
	{                                                                                          \
		.argument = (argument_), .high = (high_), .mask = (mask_),                         \
		.otherwise = (otherwise_), .cases = (const struct bv_seccomp_case[]){__VA_ARGS__}, \
		.case_count = sizeof((const struct bv_seccomp_case[]){__VA_ARGS__}) /              \
			      sizeof(struct bv_seccomp_case)                                       \
	}
#define LOOK(argument_, mask_, otherwise_, ...)                                                    \
	LOOK_AT(argument_, false, mask_, otherwise_, __VA_ARGS__)
#define LOOK_HIGH(argument_, otherwise_, ...)                                                      \
	LOOK_AT(argument_, true, ALL_BITS, otherwise_, __VA_ARGS__)

#define LOOK_IN(argument_, otherwise_, cases_)                                                     \
	{                                                                                          \
		.argument = (argument_), .mask = ALL_BITS, .otherwise = (otherwise_),              \
		.cases = (cases_), .case_count = sizeof(cases_) / sizeof((cases_)[0])              \
	}

static const struct bv_seccomp_case strict_requests[] = {
#define BV_STRICT_REQUEST(name, number) {(number), TO(ALLOW)},
#include "linux/seccomp_strict.def"
};

static const struct bv_seccomp_case strict_options[] = {
#define BV_STRICT_OPTION(name, number) {(number), TO(ALLOW)},
#include "linux/seccomp_strict.def"
};

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
	/* What the baseline refuses keeps its errno; what is left is nobody's. */
	[BV_CHECK_strict_ioctl] = {2,
				   {
					   LOOK_IN(1, STEP(1), strict_requests),
					   LOOK(1, ALL_BITS, TO(STRICT_ENOTTY),
						{TIOCSTI, TO(BASELINE_EPERM)},
						{TIOCLINUX, TO(BASELINE_EPERM)},
						{TIOCSETD, TO(BASELINE_EPERM)},
						{TIOCCONS, TO(BASELINE_EPERM)},
						{IOCTL_USERFAULTFD_NEW, TO(BASELINE_EPERM)}),
				   }},
	[BV_CHECK_strict_prctl] = {2,
				   {
					   LOOK_IN(0, STEP(1), strict_options),
					   LOOK(0, ALL_BITS, TO(STRICT_EINVAL),
						{PR_SET_MM, TO(BASELINE_EPERM)}),
				   }},
	[BV_CHECK_strict_setsockopt] =
		{4,
		 {
			 LOOK(1, ALL_BITS, TO(STRICT_ENOPROTOOPT), {SOL_SOCKET, STEP(1)},
			      {LEVEL_TCP, STEP(2)}, {LEVEL_UDP, STEP(3)}, {LEVEL_IP, TO(ALLOW)},
			      {LEVEL_IPV6, TO(ALLOW)}),
			 LOOK(2, ALL_BITS, TO(ALLOW), {ATTACH_FILTER, TO(STRICT_ENOPROTOOPT)},
			      {ATTACH_BPF, TO(STRICT_ENOPROTOOPT)},
			      {ATTACH_REUSEPORT_CBPF, TO(STRICT_ENOPROTOOPT)},
			      {ATTACH_REUSEPORT_EBPF, TO(STRICT_ENOPROTOOPT)}),
			 LOOK(2, ALL_BITS, TO(ALLOW), {TCP_REPAIR_OPTION, TO(STRICT_ENOPROTOOPT)},
			      {TCP_ULP_OPTION, TO(STRICT_ENOPROTOOPT)}),
			 LOOK(2, ALL_BITS, TO(STRICT_ENOPROTOOPT), {UDP_CORK_OPTION, TO(ALLOW)},
			      {UDP_SEGMENT_OPTION, TO(ALLOW)}, {UDP_GRO_OPTION, TO(ALLOW)}),
		 }},
};
/* clang-format on */
