/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * outer.c - on a worse machine bvisor does what it still can, says what it cannot, and never guesses.
 *
 * Each test makes its own process worse first: a system call is answered with an error as an outer
 * sandbox would, or user namespaces are used up.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

enum { CLONE3 = 435, OPENAT2 = 437, LANDLOCK_CREATE = 444, PIDFD_OPEN = 434 };

/* From here on this process and its children get `error` for that call. */
static void take_away(unsigned int number, unsigned int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

/* As a container without CAP_SYS_ADMIN is run by default: no new namespace by any call. */
static void take_away_namespaces(void)
{
	/* clone with any CLONE_NEW flag, the first argument. */
	const uint32_t all = 0x7e020000u;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLONE3, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, all, 1, 2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static const char *fact_of(const struct bv_support *support, const char *name)
{
	for (size_t i = 0; i < bv_support_fact_count(support); i++) {
		const char *value = NULL;

		if (strcmp(bv_support_fact(support, i, &value), name) == 0)
			return value;
	}
	return "";
}

static struct bv_support *look(void)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_support *support = NULL;

	EXPECT_THAT(bv_support_probe("linux", NULL, &support, &err) == BV_OK, "%s: %s", err.where,
		    err.message);
	return support;
}

static struct bv_support_row row_of(const struct bv_support *support, const char *requirement)
{
	struct bv_support_row none;

	for (size_t i = 0; i < bv_support_row_count(support); i++) {
		if (strcmp(bv_support_row(support, i).requirement, requirement) == 0)
			return bv_support_row(support, i);
	}
	memset(&none, 0, sizeof(none));
	test_fail(__FILE__, __LINE__, "no row %s", requirement);
	return none;
}

EVERYWHERE(without_clone3_everything_goes_on_as_before)
{
	struct bv_support *support;
	struct ran ran;

	take_away(CLONE3, ENOSYS);
	support = look();
	EXPECT_STR(fact_of(support, "clone3"), "no: ENOSYS at clone3");
	if (place_lacks(false) == NULL) {
		EXPECT_STR(fact_of(support, "namespaces"), "yes");
		EXPECT_STR(row_of(support, "Filesystem").verdict, "Enforced");
	}
	ran = run_guest(place, "fork", ",", "thread", ",", "exit", "5", NULL);
	EXPECT_SAID(&ran, "fork : ok");
	EXPECT_INT(ran.number, 5);
}

/* An older Landlock alone holds no files, and then nothing is started. */
static bool nothing_is_started(const struct place *place)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_spec *spec;

	if (landlock_abi() >= BARE_LANDLOCK_ABI)
		return false;
	spec = guest_spec(place, "exit", "0", NULL);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_UNSUPPORTED);
	EXPECT(why.message[0] != '\0' && why.remedy[0] != '\0');
	return true;
}

EVERYWHERE(inside_a_container_files_are_mediated_and_the_rest_holds)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_support *support;
	struct bv_spec *spec;
	struct ran ran;

	if (place->bare)
		return;
	take_away_namespaces();
	support = look();
	EXPECT_STR(fact_of(support, "namespaces"), "no: EPERM at clone");
	EXPECT_STR(fact_of(support, "outer_seccomp"), "2");
	EXPECT(strstr(row_of(support, "TempRoot").reason, "outer sandbox") != NULL);
	EXPECT(row_of(support, "TempRoot").remedy[0] != '\0');
	EXPECT_STR(row_of(support, "NetworkDenyAll").verdict, "Enforced");
	if (nothing_is_started(place))
		return;
	EXPECT_STR(row_of(support, "Filesystem").verdict, "Mediated");
	spec = guest_spec(place, "exit", "0", NULL);
	EXPECT_INT(bv_spec_require_enforced(spec, NULL, &why), BV_OK);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_MINIMUM);
	ran = run_guest(place, "read", "/etc/passwd", ",", "ids", ",", "exit", "3", NULL);
	EXPECT_SAID(&ran, "read /etc/passwd: 13");
	EXPECT(strstr(ran.out, "ids 0 ") == NULL);
	EXPECT_INT(ran.number, 3);
}

EVERYWHERE(without_landlock_the_mounts_still_hold)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_support *support;
	struct ran ran;

	take_away(LANDLOCK_CREATE, ENOSYS);
	support = look();
	EXPECT_STR(fact_of(support, "landlock_abi"), "0");
	EXPECT_STR(row_of(support, "Filesystem").verdict,
		   place_lacks(false) == NULL ? "Enforced" : "Unsupported");
	EXPECT(strstr(row_of(support, "Filesystem").mechanism, "landlock") == NULL);
	if (place->bare) {
		struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);

		/* Neither mounts nor Landlock: there is nothing to bound files with. */
		EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_UNSUPPORTED);
		return;
	}
	ran = run_guest(place, "read", "/etc/passwd", ",", "exit", "3", NULL);
	EXPECT_SAID(&ran, "read /etc/passwd: 2");
	EXPECT_INT(ran.number, 3);
}

EVERYWHERE(without_openat2_nothing_is_started)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_plan *plan = NULL;

	take_away(OPENAT2, ENOSYS);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_UNSUPPORTED);
	EXPECT(why.message[0] != '\0');
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

EVERYWHERE(with_user_namespaces_used_up_the_reason_is_named)
{
	struct bv_support *support;
	char map[64];
	struct ran ran;

	if (place->bare || geteuid() == 0)
		return;
	/* A user namespace of our own may be told to hold no other. */
	(void)snprintf(map, sizeof(map), "%u %u 1", geteuid(), geteuid());
	EXPECT(unshare(CLONE_NEWUSER) == 0 && put("/proc/self/setgroups", "deny") &&
	       put("/proc/self/uid_map", map));
	EXPECT(put("/proc/self/gid_map", map) && put("/proc/sys/user/max_user_namespaces", "0"));
	support = look();
	EXPECT_STR(fact_of(support, "namespaces"), "no: ENOSPC at clone");
	EXPECT(strstr(row_of(support, "TempRoot").reason, "max_user_namespaces") != NULL);
	if (nothing_is_started(place))
		return;
	ran = run_guest(place, "read", "/etc/passwd", ",", "exit", "3", NULL);
	EXPECT_SAID(&ran, "read /etc/passwd: 13");
	EXPECT_INT(ran.number, 3);
}

/* A "root" that is mapped alone could only run the workload as itself. */
EVERYWHERE(a_root_without_another_id_starts_nothing)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_spec *spec;
	char map[64], group_map[64];

	if (place->bare || geteuid() == 0)
		return;
	(void)snprintf(map, sizeof(map), "0 %u 1", geteuid());
	(void)snprintf(group_map, sizeof(group_map), "0 %u 1", getegid());
	EXPECT(unshare(CLONE_NEWUSER) == 0 && put("/proc/self/setgroups", "deny") &&
	       put("/proc/self/uid_map", map));
	EXPECT(put("/proc/self/gid_map", group_map) && geteuid() == 0);
	spec = guest_spec(place, "exit", "0", NULL);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_UNSUPPORTED);
	EXPECT(strstr(why.message, "user 0") != NULL);
}

/* What was remembered of a good machine must not be believed on a worse one. */
EVERYWHERE(a_probe_is_not_remembered_across_machines)
{
	struct bv_support *support = look();

	(void)place;
	EXPECT_STR(fact_of(support, "clone3"), "yes");
	bv_support_free(support);
	take_away(CLONE3, ENOSYS);
	support = look();
	EXPECT_STR(fact_of(support, "clone3"), "no: ENOSYS at clone3");
}
