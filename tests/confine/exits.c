/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* exits.c - how the program ended, or why it never ran, comes back as it was. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Nobody trusts the program, and it is the program that names its interpreter. */
static void expect_no_way_to(const struct place *place, const char *script, const char *secret)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	EXPECT(chmod(script, 0755) == 0);
	EXPECT_INT(bv_plan_make(program_spec(place, script, 0, NULL), "linux", &plan, &err), BV_OK);
	EXPECT_THAT(bv_run_start(plan, NULL, &run, &err) == BV_E_INVALID_POLICY, "%s: %s", script,
		    err.message);
	EXPECT_THAT(strstr(err.message, secret) != NULL, "%s", err.message);
}

EVERYWHERE(an_interpreter_is_no_way_to_what_was_not_granted)
{
	const char *secret = make_file(place, "secret", "SECRET\n"), *hidden;
	const char *folder = make_dir(place, "folder"), *fifo = in_place(place, "fifo");
	const char *env = in_place(place, "env");
	char content[400];
	struct ran ran;

	/* Only its owner's; open, but where only its owner gets; a directory; a FIFO. */
	EXPECT(chmod(secret, 0700) == 0 && mkfifo(fifo, 0777) == 0);
	(void)make_dir(place, "closed");
	hidden = make_file(place, "closed/open", "SECRET\n");
	EXPECT(chmod(hidden, 0755) == 0 && chmod(in_place(place, "closed"), 0700) == 0);
	(void)snprintf(content, sizeof(content), "#!%s\n", secret);
	expect_no_way_to(place, make_file(place, "direct", content), secret);
	(void)snprintf(content, sizeof(content), "#!%s\n", hidden);
	expect_no_way_to(place, make_file(place, "below", content), hidden);
	(void)snprintf(content, sizeof(content), "#!%s\n", folder);
	expect_no_way_to(place, make_file(place, "directory", content), folder);
	(void)snprintf(content, sizeof(content), "#!%s\n", fifo);
	expect_no_way_to(place, make_file(place, "pipe", content), fifo);
	/* An "env" of the attacker's own, which gets the path as its argument. */
	EXPECT(symlink(place->guest, env) == 0);
	(void)snprintf(content, sizeof(content), "#!%s %s\n", env, secret);
	expect_no_way_to(place, make_file(place, "argument", content), secret);
	/* The word behind an option of env(1) is no program. */
	(void)snprintf(content, sizeof(content), "#!%s -u %s\n", env, secret);
	{
		const char *script = make_file(place, "option", content);

		EXPECT(chmod(script, 0755) == 0);
		ran = run_spec(program_spec(place, script, 0, NULL));
		for (size_t i = 0; i < ran.report.body.observed.count; i++)
			EXPECT(strstr(ran.report.body.observed.items[i].detail.data, secret) ==
			       NULL);
	}
}

/* What the caller grants is the caller's word. */
EVERYWHERE(an_interpreter_that_was_granted_runs)
{
	struct bv_error err = {.code = BV_OK};
	const char *own = in_place(place, "closed/own");
	char command[800], content[300];
	struct bv_spec *spec;
	const char *script;
	struct ran ran;

	(void)make_dir(place, "closed");
	(void)snprintf(command, sizeof(command), "cp '%s' '%s'", place->guest, own);
	EXPECT(system(command) == 0 && chmod(own, 0700) == 0);
	(void)snprintf(content, sizeof(content), "#!%s stat\n", own);
	script = make_file(place, "script", content);
	expect_no_way_to(place, script, own);
	spec = program_spec(place, script, 0, NULL);
	EXPECT_INT(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_EXECUTE, own, &err), BV_OK);
	ran = run_spec(spec);
	(void)snprintf(content, sizeof(content), "stat %s: ok", script);
	/* A root without namespaces runs it as somebody it is closed to. */
	if (place->bare && geteuid() == 0)
		EXPECT_INT(ran.kind, BV_EXITED_NOT_STARTED);
	else
		EXPECT_SAID(&ran, content);
}

/* An ELF file's interpreter has none of its own, whatever it says. */
EVERYWHERE(the_interpreter_of_an_interpreter_is_not_granted)
{
	const char *loader = in_place(place, "ld"),
		   *secret = make_file(place, "secret", "SECRET\n");
	/* Short names for both, to fit in where the real one stands. */
	char short_loader[28], short_secret[28];
	static char image[1 << 20];
	char *name;
	FILE *file;
	size_t size;
	struct ran ran;

	if ((file = fopen("/bin/true", "re")) == NULL)
		SKIP("there is no /bin/true");
	size = fread(image, 1, sizeof(image), file);
	(void)fclose(file);
	name = memmem(image, size, "/lib64/ld-linux-x86-64.so.2", 28);
	if (name == NULL)
		SKIP("/bin/true does not name /lib64/ld-linux-x86-64.so.2");
	(void)snprintf(short_loader, sizeof(short_loader), "/tmp/bv-ld-%d", (int)getpid());
	(void)snprintf(short_secret, sizeof(short_secret), "/tmp/bv-key-%d", (int)getpid());
	EXPECT(symlink(loader, short_loader) == 0 && symlink(secret, short_secret) == 0);
	strcpy(name, short_secret);
	file = fopen(loader, "we");
	EXPECT(file != NULL && fwrite(image, 1, size, file) == size && fclose(file) == 0);
	EXPECT(chmod(loader, 0755) == 0);
	strcpy(name, short_loader);
	file = fopen(in_place(place, "program"), "we");
	EXPECT(file != NULL && fwrite(image, 1, size, file) == size && fclose(file) == 0);
	EXPECT(chmod(in_place(place, "program"), 0755) == 0);
	ran = run_spec(program_spec(place, in_place(place, "program"), 0, NULL));
	EXPECT(unlink(short_loader) == 0 && unlink(short_secret) == 0);
	for (size_t i = 0; i < ran.report.body.observed.count; i++)
		EXPECT(strstr(ran.report.body.observed.items[i].detail.data, secret) == NULL);
	EXPECT(find_fact(&ran, "interpreter") != NULL);
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
