/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* exits.c - how the program ended, or why it never ran, comes back as it was. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"

EVERYWHERE(every_exit_code_comes_back)
{
	/* All of them in one place; a sample elsewhere, since the way back is the same. */
	const int step = place->user && !place->bare ? 1 : 37;

	for (int code = 0; code < 256; code += step) {
		char text[8];
		struct ran ran;

		(void)snprintf(text, sizeof(text), "%d", code);
		ran = run_guest(place, "exit", text, NULL);
		EXPECT_INT(ran.kind, BV_EXITED_CODE);
		EXPECT_INT(ran.number, code);
		EXPECT_STR(ran.outcome, code == 0 ? "Completed" : "Failed");
	}
}

EVERYWHERE(every_fatal_signal_comes_back)
{
	static const int fatal[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,
				    SIGBUS,  SIGFPE,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
				    SIGPIPE, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM,
				    SIGPROF, SIGIO,   SIGPWR,  SIGSYS,  34,      64};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
		char text[8];
		struct ran ran;

		(void)snprintf(text, sizeof(text), "%d", fatal[i]);
		ran = run_guest(place, "raise", text, NULL);
		EXPECT_THAT(ran.kind == BV_EXITED_SIGNAL, "signal %d came back as %s %d", fatal[i],
			    ran.outcome, ran.number);
		EXPECT_INT(ran.number, fatal[i]);
		EXPECT_STR(ran.outcome, fatal[i] == SIGSYS ? "Denied" : "Failed");
		/* Nobody asked for a core, and there is none. */
		EXPECT(ran.report.body.has_core_dumped && !ran.report.body.core_dumped);
	}
}

static void expect_never_ran(const struct ran *ran, int sys_errno)
{
	EXPECT_STR(ran->outcome, "Failed");
	EXPECT_INT(ran->kind, BV_EXITED_NOT_STARTED);
	EXPECT(ran->report.body.has_exec_failure && !ran->report.body.has_exit &&
	       !ran->report.body.has_usage);
	EXPECT(bv_str_is(ran->report.body.exec_failure.step, "exec"));
	EXPECT_INT(ran->report.body.exec_failure.sys_errno, sys_errno);
	EXPECT(find_fact(ran, "workload_launched") == NULL);
	EXPECT_UINT(ran->report.body.findings.count, 0);
}

EVERYWHERE(a_missing_program_is_told_with_its_errno)
{
	struct ran ran = run_spec(program_spec(place, in_place(place, "nothing"), 0, NULL));

	expect_never_ran(&ran, ENOENT);
}

EVERYWHERE(a_file_of_no_format_is_told_with_its_errno)
{
	const char *path = make_file(place, "noise", "this is no program\n");
	struct ran ran;

	EXPECT(chmod(path, 0755) == 0);
	ran = run_spec(program_spec(place, path, 0, NULL));
	expect_never_ran(&ran, ENOEXEC);
}

EVERYWHERE(a_file_without_the_bit_is_told_with_its_errno)
{
	struct ran ran = run_spec(
		program_spec(place, make_file(place, "plain", "#!/bin/sh\n"), 0, NULL));

	expect_never_ran(&ran, EACCES);
}

EVERYWHERE(a_directory_is_told_with_its_errno)
{
	struct ran ran = run_spec(program_spec(place, make_dir(place, "folder"), 0, NULL));

	expect_never_ran(&ran, EACCES);
}

EVERYWHERE(a_missing_interpreter_is_named)
{
	const char *path = make_file(place, "script", "#!/nowhere/interpreter -x\n");
	struct ran ran;

	EXPECT(chmod(path, 0755) == 0);
	ran = run_spec(program_spec(place, path, 0, NULL));
	expect_never_ran(&ran, ENOENT);
	EXPECT(strstr(ran.report.body.exec_failure.message.data, "/nowhere/interpreter") != NULL);
}

/* The control for all of the above: the same way, but with a program. */
EVERYWHERE(a_program_that_is_there_runs)
{
	struct ran ran = run_guest(place, "out", "here\n", NULL);

	EXPECT_STR(ran.outcome, "Completed");
	EXPECT_STR(ran.out, "here\n");
	EXPECT(find_fact(&ran, "workload_launched") != NULL);
	EXPECT(ran.report.body.has_usage && ran.report.body.usage.has_wall_micros);
	EXPECT(!ran.report.body.has_exec_failure);
	EXPECT_UINT(ran.report.body.findings.count, ran.report.body.admitted.count);
}

/* A script's interpreter is the guest, which gets the script's path as its argument. */
EVERYWHERE(a_script_finds_its_interpreter)
{
	char content[300];
	const char *path;
	struct ran ran;

	(void)snprintf(content, sizeof(content), "#!%s stat\n", place->guest);
	path = make_file(place, "script", content);
	EXPECT(chmod(path, 0755) == 0);
	ran = run_spec(program_spec(place, path, 0, NULL));
	(void)snprintf(content, sizeof(content), "stat %s: ok", path);
	EXPECT_SAID(&ran, content);
}

EVERYWHERE(a_link_to_the_program_works_as_the_program)
{
	const char *first = in_place(place, "first"), *second = in_place(place, "second");
	const char *args[] = {"exit", "9"};
	struct ran ran;

	EXPECT(symlink(place->guest, first) == 0 && symlink("first", second) == 0);
	ran = run_spec(program_spec(place, second, 2, args));
	EXPECT_INT(ran.kind, BV_EXITED_CODE);
	EXPECT_INT(ran.number, 9);
}

EVERYWHERE(time_and_cpu_are_measured)
{
	struct ran slept = run_guest(place, "sleep", "300", NULL);
	struct ran spun = run_guest(place, "spin", "0.2", NULL);

	EXPECT(slept.report.body.usage.wall_micros >= 300000 &&
	       slept.report.body.usage.wall_micros < 20000000);
	EXPECT(slept.report.body.usage.user_micros + slept.report.body.usage.system_micros <
	       200000);
	EXPECT(spun.report.body.usage.user_micros + spun.report.body.usage.system_micros >= 190000);
	EXPECT_INT(spun.report.body.budget.cpu_micros.finding, BV_FINDING_NO_LIMIT);
	EXPECT_INT(spun.report.body.budget.resident_bytes.finding, BV_FINDING_NO_LIMIT);
	EXPECT(spun.report.body.budget.resident_bytes.observed_usage > 0);
	EXPECT_UINT(spun.report.body.budget.process_count.observed_usage, 1);
	EXPECT_UINT(spun.report.body.budget.handle_count.observed_usage, 3);
}
