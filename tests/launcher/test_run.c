/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol 1 runs what it was told to, as it was told, and tells the truth about how it went:
 * descriptors, environment, signals, streams, exec failures, ends (spec/linux.md 5.3-5.7, 9).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "test.h"

static struct outcome outcome;
static struct launch launch;

static void run_and_clear(void)
{
	launch_run(&launch, &outcome);
	launch_clear(&launch);
}

/* ---- S: the skeleton ----------------------------------------------------------------------------------- */

TEST(the_workload_is_another_process_than_the_launcher)
{
	struct running running;

	launch_init(&launch);
	launch_args(&launch, "ids", NULL);
	launch_start(&launch, &running, &outcome);
	launch_finish(&running, &outcome);
	expect_success(&outcome);
	EXPECT(outcome_child(&outcome) > 1);
	EXPECT(outcome_child(&outcome) != running.pid);
	EXPECT(outcome_out_has(&outcome, "sid-is-pid=1"));
	launch_clear(&launch);
}

TEST(undeclared_descriptors_are_closed_and_do_not_stop_the_launch)
{
	/* Beyond 255 and with gaps, because a list or a fixed band would miss some of them. */
	static const int numbers[] = {3, 9, 30, 50, 63, 99, 100, 256, 511, 900};
	int ends[2];
	char byte;

	EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	launch_init(&launch);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		launch_stranger(&launch, numbers[i], ends[1]);
	launch_args(&launch, "fds", "exists", "/proc/self/fd/30", "exists", "/proc/self/fd/1",
		    "say", "30", "leak", NULL);
	run_and_clear();
	/* Its last act writes to descriptor 30, fails, and exits 9. */
	EXPECT(outcome_has_line(&outcome, "# exit=code:9"));
	EXPECT_STR(outcome.out, "fds: 0 1 2\nexists=2\nexists=0\n");
	/* The host's own look: nothing came, and nobody holds the other end. */
	close(ends[1]);
	EXPECT_INT(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

TEST(descriptors_are_closed_without_close_range_too)
{
	static char rule[32];
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int error = 1; error <= 38; error += 37) {
		snprintf(rule, sizeof(rule), "syscall:436:%d", error);
		launch_init(&launch);
		launch_stranger(&launch, 9, null_fd);
		launch_stranger(&launch, 300, null_fd);
		launch_stranger(&launch, 700, null_fd);
		launch_wrap(&launch, rule, NULL);
		launch_args(&launch, "fds", NULL);
		run_and_clear();
		expect_success(&outcome);
		EXPECT_STR(outcome.out, "fds: 0 1 2\n");
	}
	close(null_fd);
}

TEST(a_script_keeps_its_own_descriptor_and_nothing_else)
{
	struct scratch scratch;
	static char script[512];
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	scratch_open(&scratch);
	snprintf(script, sizeof(script), "#!%s/ro/probe fds\n", scratch.dir);
	scratch_write(&scratch, "ro/script", script, 0755);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/script"));
	launch_stranger(&launch, 9, null_fd);
	run_and_clear();
	EXPECT_STR(outcome.out, "fds: 0 1 2 10\n");
	close(null_fd);
	scratch_close(&scratch);
}

/* ---- C: streams ---------------------------------------------------------------------------------------- */

TEST(the_streams_carry_the_workloads_bytes_and_nothing_of_the_launcher)
{
	for (int run = 0; run < 5; run++) {
		launch_init(&launch);
		launch_args(&launch, "say", "1", "OUT", "say", "2", "ERR", NULL);
		run_and_clear();
		expect_success(&outcome);
		EXPECT_STR(outcome.out, "OUT");
		EXPECT_STR(outcome.err, "ERR");
	}
}

TEST(a_quarter_megabyte_of_output_arrives_whole)
{
	launch_init(&launch);
	launch_args(&launch, "out", "262144", "X", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_UINT(outcome.out_bytes, 262144);
	for (size_t i = 0; i < outcome.out_bytes; i++) {
		if (outcome.out[i] != 'X')
			test_fail(__FILE__, __LINE__, "byte %zu is %#x", i, outcome.out[i]);
	}
}

TEST(standard_input_is_what_the_host_placed_there)
{
	int ends[2];

	EXPECT(pipe2(ends, O_CLOEXEC) == 0);
	EXPECT(write(ends[1], "from the host", 13) == 13);
	close(ends[1]);
	launch_init(&launch);
	launch.stdin_fd = ends[0];
	launch_args(&launch, "cat", "/proc/self/fd/0", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "from the host");
	close(ends[0]);
}

TEST(a_closed_standard_input_becomes_dev_null_and_not_a_descriptor_of_ours)
{
	launch_init(&launch);
	launch.close_stdin = true;
	launch_args(&launch, "link", "/proc/self/fd/0", "fds", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "link:/dev/null\nfds: 0 1 2\n");
}

/* ---- E: environment, and what else is inherited -------------------------------------------------------- */

TEST(the_environment_is_the_declared_one_in_its_order)
{
	launch_init(&launch);
	launch_env(&launch, "ZED", "last letter first");
	launch_env(&launch, "MARKER", "a=b");
	launch_env(&launch, "EMPTY", "");
	launch_args(&launch, "env", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "env:ZED=last letter first\nenv:MARKER=a=b\nenv:EMPTY=\n");

	launch_init(&launch);
	launch_args(&launch, "env", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "");
}

TEST(arguments_arrive_as_they_are)
{
	static char long_text[100001];

	memset(long_text, 'y', sizeof(long_text) - 1);
	launch_init(&launch);
	launch_args(&launch, "args", "", "two words", "\xc3\xa9\n", long_text, NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT(strncmp(outcome.out, "arg:\narg:two words\narg:\xc3\xa9\n\narg:yyyy", 35) == 0);
	EXPECT_UINT(outcome.out_bytes, 5 + 14 + 8 + 4 + 100000 + 1);
}

TEST(signals_the_host_ignores_or_blocks_are_as_usual_in_the_workload)
{
	launch_init(&launch);
	launch.ignore_signals = true;
	launch_args(&launch, "dispositions", "cat", "/proc/self/status", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT(outcome_out_has(&outcome, "not-default:\n"));
	EXPECT(outcome_out_has(&outcome, "SigBlk:\t0000000000000000\n"));
	EXPECT(outcome_out_has(&outcome, "SigIgn:\t0000000000000000\n"));
}

TEST(no_run_can_gain_privileges)
{
	launch_init(&launch);
	launch_args(&launch, "prctl", "cat", "/proc/self/status", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT(outcome_out_has(&outcome, "no-new-privs=1"));
	EXPECT(outcome_out_has(&outcome, "CapEff:\t0000000000000000\n"));
	EXPECT(outcome_out_has(&outcome, "CapPrm:\t0000000000000000\n"));
	EXPECT(outcome_out_has(&outcome, "CapAmb:\t0000000000000000\n"));
	if (geteuid() == 0) {
		EXPECT(outcome_out_has(&outcome, "CapBnd:\t0000000000000000\n"));
		EXPECT(outcome_out_has(&outcome, "securebits=47"));
	}
}

/* ---- exec truth ------------------------------------------------------------------------------------------ */

static void expect_exec_failure(int error)
{
	char note[64];

	snprintf(note, sizeof(note), "# child errno=%d", error);
	expect_faulted(&outcome,
		       "LauncherStarted IdentityVerified PlanVerified HandlesVerified "
		       "ChildCreated IdentityPhaseResolved VisibilityPhaseResolved "
		       "AmbientAuthorityPhaseResolved ConfinementPhaseResolved ReadyToExec "
		       "SetupFaulted");
	EXPECT_THAT(outcome_has_line(&outcome, note), "no '%s' in:\n%s", note, outcome.transcript);
	EXPECT(outcome_has_line(&outcome, "# child step=exec"));
	EXPECT(!outcome_has_text(&outcome, "exec=confirmed"));
	EXPECT(process_gone(outcome_child(&outcome)));
}

TEST(what_cannot_be_executed_is_a_fault_with_its_errno)
{
	static const struct {
		const char *text;
		unsigned int mode;
		int error;
	} rows[] = {
		{"this is no program\n", 0755, ENOEXEC},
		{"", 0755, ENOEXEC},
		{"\x7f"
		 "ELF and then nothing",
		 0755, ENOEXEC},
		{"this is no program\n", 0644, EACCES},
		{"#!/nowhere/interpreter\n", 0755, ENOENT},
		{"#!/tmp\n", 0755, EACCES},
	};
	struct scratch scratch;

	scratch_open(&scratch);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scratch_write(&scratch, "ro/file", rows[i].text, rows[i].mode);
		launch_init(&launch);
		launch_exe(&launch, scratch_path(&scratch, "ro/file"));
		run_and_clear();
		expect_exec_failure(rows[i].error);
	}
	/* The same file, when it can be executed, is. */
	EXPECT(chmod(scratch_path(&scratch, "ro/probe"), 0644) == 0);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	run_and_clear();
	expect_exec_failure(EACCES);
	EXPECT(chmod(scratch_path(&scratch, "ro/probe"), 0755) == 0);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	run_and_clear();
	expect_success(&outcome);
	scratch_close(&scratch);
}

TEST(an_executable_outside_the_roots_is_a_fault_and_not_a_success)
{
	struct scratch scratch;

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, "rw"));
	launch_landlock(&launch);
	run_and_clear();
	expect_exec_failure(EACCES);
	EXPECT(outcome_has_text(&outcome, "installed=true"));
	scratch_close(&scratch);
}

/* Each step of the child, taken away. */
TEST(a_step_that_fails_is_named_and_ends_the_launch)
{
	static const struct {
		int number, error;
		const char *step;
		bool landlock, seccomp;
	} rows[] = {
		{SYS_setsid, 1, "session", false, false},
		{SYS_prlimit64, 22, "limits", false, false},
		{SYS_capset, 1, "capabilities", false, false},
		{446, 1, "landlock", true, false},
		{SYS_seccomp, 22, "seccomp", false, true},
		{SYS_execveat, 38, "exec", false, false},
	};
	static char rule[32];
	char note[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch scratch;

		if (rows[i].landlock && landlock_abi() < 3)
			continue;
		scratch_open(&scratch);
		snprintf(rule, sizeof(rule), "syscall:%d:%d", rows[i].number, rows[i].error);
		launch_init(&launch);
		launch_wrap(&launch, rule, NULL);
		if (rows[i].landlock) {
			launch_slot_path(&launch, 15, "ReadRoot", "/");
			launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, "out"));
			launch_landlock(&launch);
		}
		if (rows[i].seccomp)
			launch_seccomp(&launch, true, false);
		launch_args(&launch, "create", scratch_path(&scratch, "out/ran"), "x", NULL);
		run_and_clear();
		EXPECT_INT(outcome_exit(&outcome), 4);
		EXPECT_INT(outcome_terminals(&outcome), 1);
		EXPECT_STR(outcome_last_line(&outcome), "SetupFaulted");
		snprintf(note, sizeof(note), "# child step=%s\n# child errno=%d\n", rows[i].step,
			 rows[i].error);
		EXPECT_THAT(outcome_has_text(&outcome, note), "no '%s' in:\n%s", note,
			    outcome.transcript);
		EXPECT(!outcome_has_text(&outcome, "installed=true") ||
		       rows[i].number == SYS_execveat);
		EXPECT(scratch_read(&scratch, "out/ran") == NULL);
		EXPECT(process_gone(outcome_child(&outcome)));
		scratch_close(&scratch);
	}
}

TEST(a_child_that_is_killed_on_the_way_did_not_execute)
{
	static const int calls[] = {SYS_setsid, SYS_capset, SYS_execveat};
	static char rule[32];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		snprintf(rule, sizeof(rule), "kill:%d", calls[i]);
		launch_init(&launch);
		launch_wrap(&launch, rule, NULL);
		run_and_clear();
		EXPECT_INT(outcome_terminals(&outcome), 1);
		EXPECT_STR(outcome.out, "");
		if (calls[i] == SYS_execveat) {
			/* Between the word and the deed nobody can tell; the signal is told. */
			EXPECT(outcome_has_line(&outcome, "# exit=signal:31"));
			continue;
		}
		EXPECT_INT(outcome_exit(&outcome), 4);
		EXPECT_STR(outcome_last_line(&outcome), "SetupFaulted");
		EXPECT(outcome_has_text(&outcome, "# child signal=31\n# child errno=-1\n"));
	}
}

TEST(without_clone3_clone_does)
{
	launch_init(&launch);
	launch.plan.user_namespace = launch.plan.network_namespace = userns_works();
	launch_wrap(&launch, "syscall:435:38", NULL);
	launch_args(&launch, "fds", NULL);
	run_and_clear();
	expect_success(&outcome);
	EXPECT(outcome_has_text(&outcome, "# mechanism=clone child_pid="));
	EXPECT_STR(outcome.out, "fds: 0 1 2\n");
}

/* ---- ends --------------------------------------------------------------------------------------------------- */

TEST_WITHIN(every_exit_code_is_told, 120)
{
	static char text[8];
	char note[32];

	for (int code = 0; code <= 255; code++) {
		snprintf(text, sizeof(text), "%d", code);
		launch_init(&launch);
		launch_args(&launch, "exit", text, NULL);
		run_and_clear();
		expect_success(&outcome);
		snprintf(note, sizeof(note), "# exit=code:%d", code);
		EXPECT_THAT(outcome_has_line(&outcome, note), "no '%s' in:\n%s", note,
			    outcome.transcript);
	}
}

TEST(every_fatal_signal_is_told)
{
	static char text[8];
	char note[32];

	for (int number = 1; number <= 64; number++) {
		if (number == SIGCHLD || number == SIGCONT || number == SIGURG ||
		    number == SIGWINCH || number == SIGSTOP || number == SIGTSTP ||
		    number == SIGTTIN || number == SIGTTOU || number == 32 || number == 33)
			continue;
		snprintf(text, sizeof(text), "%d", number);
		launch_init(&launch);
		launch_args(&launch, "signal", text, NULL);
		run_and_clear();
		expect_success(&outcome);
		snprintf(note, sizeof(note), "# exit=signal:%d", number);
		EXPECT_THAT(outcome_has_line(&outcome, note), "no '%s' in:\n%s", note,
			    outcome.transcript);
	}
}

TEST(states_are_told_while_they_happen_and_the_launcher_stays_until_the_end)
{
	struct running running;
	char link[64], target[256];
	ssize_t got;

	launch_init(&launch);
	launch_args(&launch, "sleep", "700", "say", "1", "done", NULL);
	launch_start(&launch, &running, &outcome);
	launch_await(&running, &outcome, "# exec=confirmed");
	EXPECT(outcome_has_line(&outcome, "ReadyToExec"));
	EXPECT(!outcome_has_line(&outcome, "ExecSucceeded"));
	EXPECT_STR(outcome.out, "");
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)outcome_child(&outcome));
	got = readlink(link, target, sizeof(target) - 1);
	EXPECT_THAT(got > 0, "readlink %s: %s", link, strerror(errno));
	target[got] = '\0';
	EXPECT(strstr(target, "probe") != NULL);
	launch_finish(&running, &outcome);
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "done");
	launch_clear(&launch);
}

TEST(when_the_host_is_gone_the_workload_is_killed)
{
	struct running running;
	pid_t child;

	launch_init(&launch);
	launch_args(&launch, "sleep", "20000", NULL);
	launch_start(&launch, &running, &outcome);
	launch_await(&running, &outcome, "# exec=confirmed");
	child = outcome_child(&outcome);
	EXPECT(process_exists(child));
	close(running.control_fd);
	running.control_fd = -1;
	EXPECT(process_gone(child));
	launch_finish(&running, &outcome);
	EXPECT_INT(outcome_exit(&outcome), 4);
	launch_clear(&launch);
}

TEST(when_the_launcher_is_killed_the_workload_goes_too)
{
	struct running running;
	pid_t child;

	launch_init(&launch);
	launch_args(&launch, "sleep", "20000", NULL);
	launch_start(&launch, &running, &outcome);
	launch_await(&running, &outcome, "# exec=confirmed");
	child = outcome_child(&outcome);
	EXPECT(process_exists(child));
	EXPECT(kill(running.pid, SIGKILL) == 0);
	EXPECT(process_gone(child));
	launch_finish(&running, &outcome);
	/* A host that knows only states must not take this for success. */
	EXPECT_INT(outcome_terminals(&outcome), 0);
	launch_clear(&launch);
}

/* ---- secrets --------------------------------------------------------------------------------------------- */

static const char private_value[] = "hunter2-in-the-launcher";

/* Whether any readable memory of the process holds the text. */
static bool memory_holds(pid_t pid, const char *text)
{
	static char data[1 << 20];
	char path[64], line[512];
	FILE *maps;
	int memory;
	bool found = false;
	size_t looked_at = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT(maps != NULL && memory >= 0);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx r", &from, &to) != 2)
			continue;
		looked_at++;
		/* Steps overlap by a page, so that no text is cut in two. */
		for (; from < to; from += sizeof(data) - 4096) {
			const size_t part = to - from < sizeof(data) ? to - from : sizeof(data);

			if (pread(memory, data, part, (off_t)from) == (ssize_t)part &&
			    memmem(data, part, text, strlen(text)) != NULL)
				found = true;
			if (part == to - from)
				break;
		}
	}
	fclose(maps);
	close(memory);
	EXPECT(looked_at >= 3);
	return found;
}

TEST(the_launcher_forgets_the_plan_once_it_was_carried_out)
{
	struct running running;
	struct stat seen;
	char path[64];

	launch_init(&launch);
	launch_env(&launch, "PASSWORD", private_value);
	launch_args(&launch, "sleep", "500", "env", NULL);
	launch_start(&launch, &running, &outcome);
	launch_await(&running, &outcome, "# exec=confirmed");
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)running.pid);
	EXPECT(stat(path, &seen) == 0);
	/* Not the user's, who therefore cannot read it: the launcher is not dumpable. */
	EXPECT_UINT(seen.st_uid, 0);
	if (geteuid() == 0) {
		/* It may still be on its way from the note to the wiping. */
		for (int i = 0; i < 50 && memory_holds(running.pid, private_value); i++)
			usleep(2000);
		EXPECT(!memory_holds(running.pid, private_value));
		/* The search can find: the workload has it. */
		EXPECT(memory_holds(outcome_child(&outcome), private_value));
	}
	launch_finish(&running, &outcome);
	expect_success(&outcome);
	EXPECT(outcome_out_has(&outcome, private_value));
	launch_clear(&launch);
}

TEST(a_process_the_workload_leaves_behind_does_not_hold_up_the_launcher)
{
	struct running running;

	launch_init(&launch);
	launch_args(&launch, "linger", "300", "exit", "3", NULL);
	launch_start(&launch, &running, &outcome);
	launch_finish(&running, &outcome);
	expect_success(&outcome);
	EXPECT(outcome_has_line(&outcome, "# exit=code:3"));
	launch_clear(&launch);
}

/* ---- cgroup ---------------------------------------------------------------------------------------------- */

/* Makes a group of our own in the version 2 hierarchy; false where that is not ours to do. */
static bool make_group(char *path, size_t size)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, size, "%s/cgroup.procs", roots[i]);
		if (access(path, R_OK) != 0)
			continue;
		snprintf(path, size, "%s/bvisor-test-%d", roots[i], (int)getpid());
		if (mkdir(path, 0755) == 0)
			return true;
	}
	return false;
}

TEST(a_child_is_born_in_its_control_group_and_moved_there_without_clone3)
{
	char path[128], line[160];
	bool as_told;

	SKIP_UNLESS(make_group(path, sizeof(path)), "cgroup version 2 is not ours here");
	snprintf(line, sizeof(line), "0::%s\n", strrchr(path, '/'));
	for (int fallback = 0; fallback <= 1; fallback++) {
		launch_init(&launch);
		launch_slot_path(&launch, 17, "CgroupDir", path);
		if (fallback)
			launch_wrap(&launch, "syscall:435:38", NULL);
		launch_args(&launch, "cat", "/proc/self/cgroup", NULL);
		run_and_clear();
		as_told = outcome_exit(&outcome) == 0 && outcome_out_has(&outcome, line) &&
			  outcome_has_line(&outcome,
					   fallback ? "# cgroup_placement=moved_before_release"
						    : "# cgroup_placement=clone_into_cgroup");
		if (!as_told) {
			rmdir(path);
			test_fail(__FILE__, __LINE__, "fallback %d:\n%s%s", fallback,
				  outcome.transcript, outcome.out);
		}
	}
	EXPECT(rmdir(path) == 0);
}

TEST(a_cgroup_slot_that_is_no_control_group_is_a_fault)
{
	launch_init(&launch);
	launch_slot_path(&launch, 17, "CgroupDir", "/usr");
	run_and_clear();
	expect_faulted(
		&outcome,
		"LauncherStarted IdentityVerified PlanVerified HandlesVerified SetupFaulted");
	EXPECT_STR(outcome_last_line(&outcome),
		   "# fault: launcher OS fault: Bad file descriptor (os error 9)");

	launch_init(&launch);
	launch_slot_path(&launch, 17, "CgroupDir", "/usr");
	launch_wrap(&launch, "syscall:435:38", NULL);
	run_and_clear();
	expect_faulted(&outcome, "LauncherStarted IdentityVerified PlanVerified HandlesVerified "
				 "ChildCreated SetupFaulted");
	EXPECT(process_gone(outcome_child(&outcome)));
}
