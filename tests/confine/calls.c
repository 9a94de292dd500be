/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* calls.c - what the system call filter of a real run refuses, in the baseline and the strict set. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

enum { WORKS = 0 };

/* A deed of guest_doors.c, what the workload hears of it, and the name it has in the report. */
struct door {
	const char *name;
	int baseline, strict; /* errno */
	int bare; /* errno without namespaces, when it is another in the baseline; or 0 */
	const char *reported; /* how the denial begins */
	bool no_control;      /* a kernel may do without it */
};

static const struct door doors[] = {
#ifdef __x86_64__
	{"x32", ENOSYS, ENOSYS, 0, "getppid (x32 1073741934): Made through another ABI", true},
	{"i386", ENOSYS, ENOSYS, 0, "getppid (i386 64): Made through another ABI", true},
#endif
	{"io_uring", ENOSYS, ENOSYS, 0, "io_uring_setup (", true},
	{"personality", EPERM, EPERM, 0, "personality (", false},
	{"namespace", EPERM, EPERM, 0, "clone (", false},
	{"netlink", EAFNOSUPPORT, EAFNOSUPPORT, EACCES, "socket (", false},
	{"keys", ENOSYS, ENOSYS, 0, "keyctl (", false},
	{"future", ENOSYS, ENOSYS, 0, "? (", true},
	{"queue", WORKS, ENOSYS, ENOSYS, "msgget (", false},
	{"aio", WORKS, ENOSYS, 0, "io_setup (", false},
	{"vmsplice", WORKS, ENOSYS, 0, "vmsplice (", false},
	{"scheduler", WORKS, EPERM, 0, "sched_setscheduler (", false},
	{"timing", WORKS, EINVAL, 0, "prctl (", false},
	{"socket-filter", WORKS, ENOPROTOOPT, 0, "setsockopt (", false},
};

enum { DOOR_COUNT = sizeof(doors) / sizeof(doors[0]) };

static const char *went(const char *door, int sys_errno)
{
	static char lines[4][80];
	static unsigned int turn;
	char *line = lines[turn++ % 4];

	if (sys_errno == WORKS)
		(void)snprintf(line, sizeof(lines[0]), "door %s: ok", door);
	else
		(void)snprintf(line, sizeof(lines[0]), "door %s: %d", door, sys_errno);
	return line;
}

static struct ran try_door(const struct place *place, const struct door *door, bool strict)
{
	struct bv_spec *spec = guest_spec(place, "door", door->name, ",", "door", door->name, NULL);

	SURE(bv_spec_syscalls(spec, strict ? BV_USE_SYSCALLS_STRICT : BV_USE_SYSCALLS_BASELINE,
			      err));
	return run_spec(spec);
}

static void expect_door(const struct place *place, const struct door *door, bool strict)
{
	const int expected = place->bare && door->bare != 0 ? door->bare
			     : strict                       ? door->strict
							    : door->baseline;
	const struct ran ran = try_door(place, door, strict);
	const struct bv_denied_attempt *denied = find_denied(&ran, door->reported);

	EXPECT_SAID(&ran, went(door->name, expected));
	EXPECT_THAT((denied != NULL) == (expected != WORKS), "%s strict %d: %s", door->name, strict,
		    ran.report.body.denied.count > 0 ? ran.report.body.denied.items[0].detail.data
						     : "nothing was told");
	EXPECT(denied == NULL || denied->count == 2);
	EXPECT_STR(ran.outcome, "Completed");
}

EVERYWHERE_WITHIN(every_door_is_shut_as_its_set_says_and_told, 120)
{
	for (size_t i = 0; i < DOOR_COUNT; i++) {
		expect_door(place, &doors[i], false);
		expect_door(place, &doors[i], true);
	}
}

/* The same deeds, free: or their refusal inside would say nothing. */
TEST(without_a_boundary_every_door_is_open)
{
	char command[400];

	for (size_t i = 0; i < DOOR_COUNT; i++) {
		if (doors[i].no_control ||
		    (strcmp(doors[i].name, "namespace") == 0 && place_lacks(false) != NULL))
			continue;
		(void)snprintf(command, sizeof(command), "'%s' door %s | grep -qx 'door %s: ok'",
			       getenv("BVISOR_GUEST_BIN"), doors[i].name, doors[i].name);
		EXPECT_THAT(system(command) == 0, "%s", doors[i].name);
	}
}

static bool is_open(const char *door)
{
	char command[400];

	(void)snprintf(command, sizeof(command), "'%s' door %s | grep -qx 'door %s: ok'",
		       getenv("BVISOR_GUEST_BIN"), door, door);
	return system(command) == 0;
}

TEST(without_a_boundary_calls_of_i386_work)
{
	SKIP_UNLESS(is_open("i386"), "no i386 calls in this kernel");
}

TEST(without_a_boundary_calls_of_x32_work)
{
	SKIP_UNLESS(is_open("x32"), "no x32 calls in this kernel");
}

TEST(without_a_boundary_io_uring_works)
{
	SKIP_UNLESS(is_open("io_uring"), "no io_uring in this kernel");
}

/* Typing into a terminal not one's own takes privilege, or a kernel that still allows it. */
TEST(without_a_boundary_a_terminal_can_be_typed_into)
{
	SKIP_UNLESS(is_open("tiocsti"), "no TIOCSTI here for this user");
}

EVERYWHERE(nobody_types_into_the_terminal_it_was_given)
{
	for (int strict = 0; strict < 2; strict++) {
		struct bv_spec *spec = guest_spec(place, "door", "tiocsti", NULL);
		struct ran ran;

		SURE(bv_spec_terminal(spec, true, err));
		SURE(bv_spec_syscalls(spec,
				      strict ? BV_USE_SYSCALLS_STRICT : BV_USE_SYSCALLS_BASELINE,
				      err));
		ran = run_spec(spec);
		/* EPERM; and where it makes the terminal raw, nothing turns a newline into two. */
		EXPECT_THAT(strncmp(ran.out, "door tiocsti: 1\n", 16) == 0, "%s", ran.out);
		EXPECT(find_denied(&ran, "ioctl (") != NULL);
		EXPECT(strstr(find_denied(&ran, "ioctl (")->detail.data, "Types into terminals") !=
		       NULL);
	}
}

EVERYWHERE(plan_and_report_say_which_set_is_in_force)
{
	static const char *const mechanisms[] = {"linux:launcher+seccomp_baseline:Enforced",
						 "linux:launcher+seccomp_strict:Enforced"};
	static const char *const facts[] = {"baseline: ", "strict: "};

	for (int strict = 0; strict < 2; strict++) {
		struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
		struct bv_plan *plan = NULL;
		const struct bv_observed_fact *fact;
		bool planned = false;
		struct ran ran;

		if (strict)
			SURE(bv_spec_syscalls(spec, BV_USE_SYSCALLS_STRICT, err));
		SURE(bv_plan_make(spec, "linux", &plan, err));
		for (size_t i = 0; i < bv_plan_row_count(plan); i++)
			planned |= strcmp(bv_plan_row(plan, i).mechanism, mechanisms[strict]) == 0;
		EXPECT(planned);
		bv_plan_free(plan);
		ran = run_spec(spec);
		EXPECT(report_contains(&ran, mechanisms[strict]));
		fact = find_fact(&ran, "syscalls");
		EXPECT(fact != NULL &&
		       strncmp(fact->detail.data, facts[strict], strlen(facts[strict])) == 0);
	}
}

/* Spawn and socket policies go on to decide about what the strict set lists. */
EVERYWHERE(the_strict_set_gives_back_nothing_a_policy_took)
{
	struct bv_spec *spec = guest_spec(place, "fork", ",", "thread", ",", "door", "netlink",
					  NULL);
	struct ran ran;

	SURE(bv_spec_syscalls(spec, BV_USE_SYSCALLS_STRICT, err));
	SURE(bv_spec_spawn(spec, BV_SPAWN_NONE, err));
	ran = run_spec(spec);
	EXPECT(!said(&ran, "fork : ok") && !said(&ran, "thread : ok"));
	EXPECT_INT(find_denied(&ran, "clone (")->requirement.u.capability.tag, BV_CAP_CHILD_SPAWN);
	EXPECT_INT(find_denied(&ran, "socket (")->requirement.u.capability.tag, BV_CAP_NETWORK);

	spec = guest_spec(place, "fork", ",", "thread", NULL);
	SURE(bv_spec_syscalls(spec, BV_USE_SYSCALLS_STRICT, err));
	SURE(bv_spec_spawn(spec, BV_SPAWN_THREADS, err));
	ran = run_spec(spec);
	EXPECT(!said(&ran, "fork : ok"));
	EXPECT_SAID(&ran, "thread : ok");
}

/* A program that makes up numbers must not thereby hide the one it wants hidden. */
EVERYWHERE(no_flood_of_other_denials_hides_one)
{
	struct ran ran = run_guest(place, "calls", "1000", "300", ",", "calls", "1073741824", "300",
				   ",", "door", "personality", NULL);
	const struct bv_denied_attempt *unknown = find_denied(&ran, "? (x86_64 1000)");

	EXPECT_SAID(&ran, "calls 1000: ok");
	EXPECT_SAID(&ran, went("personality", EPERM));
	EXPECT(find_denied(&ran, "personality (") != NULL);
	/* What has no name of its own is counted together. */
	EXPECT(unknown != NULL);
	EXPECT_UINT(unknown->count, 300);
	EXPECT(find_denied(&ran, "open (x32 ") != NULL &&
	       find_denied(&ran, "shutdown (x32 ") != NULL);
}
