/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* broken.c - a launcher that breaks its word is found out, and the run still ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"

static void copy_to(const char *from, const char *path, const char *append)
{
	char command[800];

	EXPECT(from != NULL);
	(void)snprintf(command, sizeof(command), "cp '%s' '%s' && printf '%s' >>'%s'", from, path,
		       append, path);
	EXPECT(system(command) == 0);
}

/* Has the fake launcher play a script; the real one stays beside it for the probe. */
static struct bv_run *start_fake(const struct place *place, const char *script)
{
	const char *fake = in_place(place, "fake");

	if (!file_exists(fake)) {
		copy_to(getenv("BVISOR_LAUNCHER_BIN"), in_place(place, "launcher"), "");
		copy_to(getenv("BVISOR_FAKE_BIN"), fake, "");
	}
	EXPECT(setenv("BVISOR_LAUNCHER_BIN", fake, 1) == 0);
	return start_spec(guest_spec(place, script, NULL), NULL);
}

static struct ran run_fake(const struct place *place, const char *script)
{
	struct bv_run *run = start_fake(place, script);

	EXPECT_THAT(await_end(run, 10000), "with '%s' the run does not end", script);
	return finish_run(run);
}

static void expect_fault(const struct ran *ran, const char *script)
{
	EXPECT_THAT(strcmp(ran->outcome, "SupervisorFault") == 0, "'%s' came out as %s", script,
		    ran->outcome);
	EXPECT(!ran->report.body.has_exit && !ran->report.body.has_usage);
	EXPECT(find_fact(ran, "supervisor_fault") != NULL);
	EXPECT(find_fact(ran, "workload_launched") == NULL);
	EXPECT_STR(ran->out, "");
}

EVERYWHERE(a_launcher_that_breaks_its_protocol_is_a_supervisor_fault)
{
	static const char *const scripts[] = {"silent", "crash", "noise", "early-exec",
					      "early-exit"};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct ran ran = run_fake(place, scripts[i]);

		expect_fault(&ran, scripts[i]);
	}
}

EVERYWHERE(a_workload_without_its_layers_is_never_released)
{
	struct ran ran = run_fake(place, "unconfined");

	expect_fault(&ran, "unconfined");
	EXPECT(ran.report.body.has_attestations);
	EXPECT(!ran.report.body.attestations.items[0].holds);
	ran = run_fake(place, "nobody");
	expect_fault(&ran, "nobody");
}

EVERYWHERE(a_refusal_and_a_fault_are_told_as_such)
{
	struct ran ran = run_fake(place, "refuse");

	EXPECT_STR(ran.outcome, "Unsupported");
	EXPECT(strstr(ran.report.body.exec_failure.message.data, "no mood for it") != NULL);
	ran = run_fake(place, "fault");
	EXPECT_STR(ran.outcome, "Unsupported");
	EXPECT(bv_str_is(ran.report.body.exec_failure.step, "mount-bind"));
	EXPECT_INT(ran.report.body.exec_failure.sys_errno, EPERM);
	EXPECT_INT(ran.kind, BV_EXITED_NOT_STARTED);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

EVERYWHERE(a_launcher_that_does_not_end_is_ended)
{
	struct timespec start;
	struct ran ran;

	clock_gettime(CLOCK_MONOTONIC, &start);
	ran = run_fake(place, "linger");
	EXPECT_STR(ran.outcome, "Unsupported");
	EXPECT(seconds_since(&start) < 6);
}

EVERYWHERE(a_launcher_that_stalls_can_be_killed)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_run *run = start_fake(place, "stall");
	struct ran ran;

	EXPECT(!await_end(run, 300));
	EXPECT_INT(bv_run_kill(run, &err), BV_OK);
	EXPECT(await_end(run, 5000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "SupervisorFault");
	/* And by freeing alone. */
	run = start_fake(place, "stall");
	bv_run_free(run);
}

EVERYWHERE(a_launcher_others_can_change_is_not_started)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_plan *plan = NULL;
	const char *loose = in_place(place, "loose");

	copy_to(getenv("BVISOR_LAUNCHER_BIN"), loose, "");
	EXPECT(chmod(loose, 0777) == 0 && setenv("BVISOR_LAUNCHER_BIN", loose, 1) == 0);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_E_LAUNCHER);
	EXPECT(err.remedy[0] != '\0');
	EXPECT(setenv("BVISOR_LAUNCHER_BIN", "/nowhere/launcher", 1) == 0);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_E_LAUNCHER);
	/* A launcher that cannot probe is none. */
	EXPECT(setenv("BVISOR_LAUNCHER_BIN", "/bin/true", 1) == 0);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_E_LAUNCHER);
}

EVERYWHERE(a_changed_machine_is_not_run_on)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	const char *other = in_place(place, "other");
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
	/* Another launcher than the plan was made with: one byte more is another digest. */
	copy_to(getenv("BVISOR_LAUNCHER_BIN"), other, "x");
	EXPECT(setenv("BVISOR_LAUNCHER_BIN", other, 1) == 0);
	EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_PROFILE);
	EXPECT(strstr(err.message, "launcher") != NULL || strstr(err.where, "launcher") != NULL);
}
