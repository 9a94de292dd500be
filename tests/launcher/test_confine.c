/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol 1 confines: the two tests of the reference's public harness (spec/linux.md 5.1), with
 * the disk for an oracle, and what the boundary of each action lets through.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "test.h"

static struct outcome outcome;

static const char secret[] = "TOP-SECRET-MARKER";
static const char escaped[] = "ESCAPE-MARKER";
static const char control[] = "IN-ROOT-MARKER";

/* The same act with and without the Landlock action; nothing else differs. */
static void play_escape(const struct scratch *scratch, bool confined)
{
	struct launch launch;

	scratch_write(scratch, "ro/input", control, 0644);
	scratch_write(scratch, "out/secret", secret, 0644);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(scratch, "ro/probe"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(scratch, "ro"));
	launch_slot_path(&launch, 16, "WriteRoot", scratch_path(scratch, "rw"));
	if (confined)
		launch_landlock(&launch);
	launch_args(&launch, "copy", scratch_path(scratch, "out/secret"),
		    scratch_path(scratch, "rw/exfil"), "create",
		    scratch_path(scratch, "out/escape"), escaped, "copy",
		    scratch_path(scratch, "ro/input"), scratch_path(scratch, "rw/control"), NULL);
	launch_run(&launch, &outcome);
	launch_clear(&launch);
}

static bool holds(const char *text, const char *marker)
{
	return text != NULL && strstr(text, marker) != NULL;
}

TEST(a_confined_workload_neither_reads_the_secret_nor_writes_outside_but_works_inside)
{
	struct scratch scratch;

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	play_escape(&scratch, true);
	expect_success(&outcome);
	EXPECT(!holds(scratch_read(&scratch, "rw/exfil"), secret));
	EXPECT(!holds(scratch_read(&scratch, "out/escape"), escaped));
	EXPECT(holds(scratch_read(&scratch, "rw/control"), control));
	EXPECT(outcome_has_line(&outcome, "ConfinementPhaseResolved"));
	EXPECT(outcome_has_line(&outcome, "# confinement=Applied installed=true"));
	EXPECT_STR(outcome_last_line(&outcome), "ExecSucceeded");
	scratch_close(&scratch);
}

TEST(the_same_escape_lands_without_the_landlock_action)
{
	struct scratch scratch;

	scratch_open(&scratch);
	play_escape(&scratch, false);
	expect_success(&outcome);
	EXPECT(holds(scratch_read(&scratch, "rw/exfil"), secret));
	EXPECT(holds(scratch_read(&scratch, "out/escape"), escaped));
	EXPECT(holds(scratch_read(&scratch, "rw/control"), control));
	EXPECT(outcome_has_line(&outcome, "# confinement=NotRequired installed=false"));
	EXPECT(!outcome_has_text(&outcome, "installed=true"));
	EXPECT(outcome_has_line(&outcome, "# roots=declared_without_landlock unconfined"));
	EXPECT_STR(outcome_last_line(&outcome), "ExecSucceeded");
	scratch_close(&scratch);
}

/* As the reference's host lays it out for a shell: system directories from slot 20 on. */
static void add_system_roots(struct launch *launch)
{
	static const char *const directories[] = {"/usr", "/lib",  "/lib64",
						  "/bin", "/sbin", "/etc"};
	uint32_t index = 20;

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
		if (access(directories[i], R_OK | X_OK) == 0)
			launch_slot_path(launch, index++, "ReadRoot", directories[i]);
	}
}

TEST(a_shell_is_confined_as_the_reference_host_would_have_it)
{
	char script[1024];
	struct scratch scratch;
	struct launch launch;

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	SKIP_UNLESS(access("/bin/sh", X_OK) == 0, "/bin/sh is not here");
	for (int confined = 0; confined <= 1; confined++) {
		scratch_open(&scratch);
		scratch_write(&scratch, "rw/input", control, 0644);
		scratch_write(&scratch, "out/secret", secret, 0644);
		snprintf(script, sizeof(script),
			 "cat %s/out/secret > %s/rw/exfil; echo %s > %s/out/escape; "
			 "cat %s/rw/input > %s/rw/control; exit 0",
			 scratch.dir, scratch.dir, escaped, scratch.dir, scratch.dir, scratch.dir);
		launch_init(&launch);
		launch_exe(&launch, "/bin/sh");
		launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, "rw"));
		add_system_roots(&launch);
		if (confined)
			launch_landlock(&launch);
		launch.plan.argc = 0;
		launch_args(&launch, "/bin/sh", "-c", script, NULL);
		launch_env(&launch, "PATH", "/usr/bin:/bin");
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		EXPECT(holds(scratch_read(&scratch, "rw/exfil"), secret) != confined);
		EXPECT(holds(scratch_read(&scratch, "out/escape"), escaped) != confined);
		EXPECT(holds(scratch_read(&scratch, "rw/control"), control));
		EXPECT(outcome_has_text(&outcome, confined ? "installed=true" : "installed=false"));
		launch_clear(&launch);
		scratch_close(&scratch);
	}
}

TEST(a_read_root_reads_and_runs_but_is_not_written)
{
	struct scratch scratch;
	struct launch launch;

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	scratch_write(&scratch, "ro/input", control, 0666);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
	launch_landlock(&launch);
	launch_args(&launch, "cat", scratch_path(&scratch, "ro/input"), "create",
		    scratch_path(&scratch, "ro/input"), "x", "create",
		    scratch_path(&scratch, "ro/new"), "x", NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "IN-ROOT-MARKERcreate=13\ncreate=13\n");
	EXPECT_STR(scratch_read(&scratch, "ro/input"), control);
	EXPECT(scratch_read(&scratch, "ro/new") == NULL);
	launch_clear(&launch);
	scratch_close(&scratch);
}

TEST(many_roots_of_both_kinds_hold_at_once)
{
	static const char *const directories[] = {"r1", "r2", "w1", "w2", "none"};
	struct scratch scratch;
	struct launch launch;
	char name[32];

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
	for (uint32_t i = 0; i < 5; i++) {
		EXPECT(mkdir(scratch_path(&scratch, directories[i]), 0755) == 0);
		snprintf(name, sizeof(name), "%s/f", directories[i]);
		scratch_write(&scratch, name, directories[i], 0644);
		if (i < 4)
			launch_slot_path(&launch, 30 + i, i < 2 ? "ReadRoot" : "WriteRoot",
					 scratch_path(&scratch, directories[i]));
	}
	launch_landlock(&launch);
	for (size_t i = 0; i < 5; i++) {
		static char paths[5][128];

		snprintf(paths[i], sizeof(paths[i]), "%s/%s/f", scratch.dir, directories[i]);
		launch_args(&launch, "cat", paths[i], "create", paths[i], "n", NULL);
	}
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "r1create=13\nr2create=13\n"
				"w1create=0\ncreate-write=0\nw2create=0\ncreate-write=0\n"
				"cat=13\ncreate=13\n");
	launch_clear(&launch);
	scratch_close(&scratch);
}

static void furnish(const struct scratch *scratch, const char *directory)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/f", directory);
	scratch_write(scratch, name, "f", 0644);
	snprintf(name, sizeof(name), "%s/g", directory);
	scratch_write(scratch, name, "g", 0644);
	snprintf(name, sizeof(name), "%s/d", directory);
	EXPECT(mkdir(scratch_path(scratch, name), 0755) == 0);
	snprintf(name, sizeof(name), "%s/e", directory);
	EXPECT(mkdir(scratch_path(scratch, name), 0755) == 0);
}

TEST(every_change_is_allowed_below_a_write_root_and_none_elsewhere)
{
	struct scratch scratch;
	struct launch launch;

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	for (int confined = 0; confined <= 1; confined++) {
		static const char *const names[2][3] = {{"free-w", "free-r", "free-o"},
							{"w", "r", "o"}};
		const char *const *name = names[confined];

		for (size_t i = 0; i < 3; i++) {
			EXPECT(mkdir(scratch_path(&scratch, name[i]), 0755) == 0);
			furnish(&scratch, name[i]);
		}
		launch_init(&launch);
		launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
		launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
		launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, name[0]));
		launch_slot_path(&launch, 17, "ReadRoot", scratch_path(&scratch, name[1]));
		if (confined)
			launch_landlock(&launch);
		launch_args(&launch, "changes", scratch_path(&scratch, name[0]), "changes",
			    scratch_path(&scratch, name[1]), "changes",
			    scratch_path(&scratch, name[2]), NULL);
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		EXPECT_STR(
			outcome.out,
			confined ? "changes:0000000000\nchanges:AAAAAAAAAA\nchanges:AAAAAAAAAA\n"
				 : "changes:0000000000\nchanges:0000000000\nchanges:0000000000\n");
		launch_clear(&launch);
	}
	EXPECT(scratch_read(&scratch, "w/new-file") != NULL);
	EXPECT(scratch_read(&scratch, "r/new-file") == NULL);
	EXPECT_STR(scratch_read(&scratch, "r/f"), "f");
	EXPECT_STR(scratch_read(&scratch, "o/f"), "f");
	scratch_close(&scratch);
}

TEST(a_device_below_a_read_root_takes_no_commands)
{
	struct scratch scratch;
	struct launch launch;

	SKIP_UNLESS(landlock_abi() >= 5, "landlock ABI 5 is not here");
	scratch_open(&scratch);
	for (int confined = 0; confined <= 1; confined++) {
		launch_init(&launch);
		launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
		launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
		launch_slot_path(&launch, 16, "ReadRoot", "/dev");
		if (confined)
			launch_landlock(&launch);
		launch_args(&launch, "ioctl", "/dev/null", NULL);
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		/* EACCES; ENOTTY is the device's own answer. */
		EXPECT_STR(outcome.out,
			   confined ? "ioctl-open=0\nioctl=13\n" : "ioctl-open=0\nioctl=25\n");
		launch_clear(&launch);
	}
	scratch_close(&scratch);
}

TEST(a_write_root_makes_no_device_nodes)
{
	struct scratch scratch;
	struct launch launch;
	static char device[128];

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
	launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, "rw"));
	launch_landlock(&launch);
	snprintf(device, sizeof(device), "%s/rw/null", scratch.dir);
	launch_args(&launch, "mknod", device, NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	/* Landlock's EACCES as root with capabilities, EPERM without: both are a no. */
	EXPECT(outcome_out_has(&outcome, "mknod-char=13\n") ||
	       outcome_out_has(&outcome, "mknod-char=1\n"));
	EXPECT(outcome_out_has(&outcome, "mknod-whiteout=13\n"));
	EXPECT(outcome_out_has(&outcome, "mknod-fifo=0\n"));
	launch_clear(&launch);
	scratch_close(&scratch);
}

TEST(a_script_under_a_read_root_runs_by_its_descriptor)
{
	struct scratch scratch;
	struct launch launch;
	static char script[512];

	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	snprintf(script, sizeof(script), "#!%s/ro/probe args\n", scratch.dir);
	scratch_write(&scratch, "ro/script", script, 0755);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/script"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
	launch_landlock(&launch);
	launch_args(&launch, "first", NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "arg:/dev/fd/10\narg:first\n");
	launch_clear(&launch);
	scratch_close(&scratch);
}

/* ---- filter -------------------------------------------------------------------------------------- */

TEST(deny_new_tasks_denies_processes_and_threads)
{
	struct launch launch;
	static char clone3[16];

	snprintf(clone3, sizeof(clone3), "%d", 435);
	for (int denied = 0; denied <= 1; denied++) {
		launch_init(&launch);
		if (denied)
			launch_seccomp(&launch, true, false);
		launch_args(&launch, "fork", "fork-syscall", "thread", "syscall", clone3, "0", "0",
			    "0", "syscall", "41", "1", "1", "0", "cat", "/proc/self/status", NULL);
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		EXPECT(outcome_out_has(&outcome, denied ? "fork=1\n" : "fork=0\n"));
		EXPECT(outcome_out_has(&outcome, denied ? "fork-syscall=1\n" : "fork-syscall=0\n"));
		EXPECT(outcome_out_has(&outcome, denied ? "thread=1\n" : "thread=0\n"));
		/* 22: clone3 was reached, and did not like a NULL argument. */
		EXPECT(outcome_out_has(&outcome, denied ? "syscall-435=1\n" : "syscall-435=22\n"));
		EXPECT(outcome_out_has(&outcome, denied ? "Seccomp:\t2\n" : "Seccomp:\t0\n"));
		EXPECT(outcome_has_line(&outcome, "# seccomp=denylist_installed mode=filter") ==
		       denied);
		EXPECT(outcome_has_text(&outcome, "installed=true") == denied);
#if defined(__x86_64__)
		EXPECT(outcome_out_has(&outcome, "syscall-41=0\n"));
#endif
		launch_clear(&launch);
	}
}

TEST(deny_inet_sockets_leaves_no_way_to_a_socket_of_the_host)
{
	struct launch launch;
	static char numbers[4][16];
	static const int calls[] = {SYS_socket, 425, 426, 427};

	for (int i = 0; i < 4; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%d", calls[i]);
	for (int denied = 0; denied <= 1; denied++) {
		char line[96];

		launch_init(&launch);
		if (denied)
			launch_seccomp(&launch, false, true);
		for (int i = 0; i < 4; i++)
			launch_args(&launch, "syscall", numbers[i], "1", "1", "0", NULL);
		launch_args(&launch, "socketpair", "1", "1", "socketpair", "1", "5", "socketpair",
			    "1", "2", "socketpair", "1", "3", "socketpair", "1", "524289",
			    "socketpair", "30", "1", "fork", NULL);
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		for (int i = 0; i < 4; i++) {
			snprintf(line, sizeof(line), "syscall-%s=1\n", numbers[i]);
			if (denied)
				EXPECT_THAT(outcome_out_has(&outcome, line), "no %s in %s", line,
					    outcome.out);
		}
		EXPECT(outcome_out_has(&outcome, "socketpair-1-1=0\n"));
		EXPECT(outcome_out_has(&outcome, "socketpair-1-5=0\n"));
		EXPECT(outcome_out_has(&outcome, "socketpair-1-524289=0\n"));
		EXPECT(outcome_out_has(&outcome,
				       denied ? "socketpair-1-2=1\n" : "socketpair-1-2=0\n"));
		EXPECT(outcome_out_has(&outcome,
				       denied ? "socketpair-1-3=1\n" : "socketpair-1-3=0\n"));
		if (denied)
			EXPECT(outcome_out_has(&outcome, "socketpair-30-1=1\n"));
		EXPECT(outcome_out_has(&outcome, "fork=0\n"));
		launch_clear(&launch);
	}
}

#if defined(__x86_64__)
TEST(x32_numbers_do_not_slip_past_the_filter)
{
	struct launch launch;

	for (int denied = 0; denied <= 1; denied++) {
		launch_init(&launch);
		/* A kernel without x32 says ENOSYS itself.  So an older filter says 77 to x32's getpid
		 * and socket; of two that answer with an error, the newer one's is taken. */
		launch_wrap(&launch, "syscall:1073741863:77", "syscall:1073741865:77", NULL);
		if (denied)
			launch_seccomp(&launch, true, true);
		launch_args(&launch, "syscall", "0x40000027", "0", "0", "0", "syscall",
			    "0x40000029", "1", "1", "0", NULL);
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		EXPECT_STR(outcome.out, denied ? "syscall-0x40000027=38\nsyscall-0x40000029=38\n"
					       : "syscall-0x40000027=77\nsyscall-0x40000029=77\n");
		launch_clear(&launch);
	}
}
#endif

/* ---- namespaces ------------------------------------------------------------------------------------- */

TEST(a_mapped_child_is_user_0_of_its_own_namespace_without_capabilities)
{
	char map[64];
	struct launch launch;

	SKIP_UNLESS(userns_works(), "userns is not to be had here");
	launch_init(&launch);
	launch.plan.user_namespace = true;
	launch_args(&launch, "ids", "cat", "/proc/self/uid_map", "cat", "/proc/self/gid_map", "cat",
		    "/proc/self/setgroups", "cat", "/proc/self/status", NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT(outcome_has_line(&outcome, "# user_namespace=mapped child_uid0_egid0"));
	EXPECT(outcome_out_has(&outcome, "uid=0 gid=0"));
	snprintf(map, sizeof(map), "%10u %10u %10u\n", 0U, geteuid(), 1U);
	EXPECT_THAT(outcome_out_has(&outcome, map), "no '%s' in:\n%s", map, outcome.out);
	snprintf(map, sizeof(map), "%10u %10u %10u\n", 0U, getegid(), 1U);
	EXPECT_THAT(outcome_out_has(&outcome, map), "no '%s' in:\n%s", map, outcome.out);
	EXPECT(outcome_out_has(&outcome, "deny\n"));
	EXPECT(outcome_out_has(&outcome, "CapEff:\t0000000000000000\n"));
	EXPECT(outcome_out_has(&outcome, "CapPrm:\t0000000000000000\n"));
	EXPECT(outcome_out_has(&outcome, "CapBnd:\t0000000000000000\n"));
	launch_clear(&launch);
}

TEST(a_child_without_the_request_stays_in_the_hosts_user_namespace)
{
	char host[64], line[96];
	struct launch launch;
	ssize_t got = readlink("/proc/self/ns/user", host, sizeof(host) - 1);

	EXPECT(got > 0);
	host[got] = '\0';
	for (int asked = 0; asked <= (userns_works() ? 1 : 0); asked++) {
		launch_init(&launch);
		launch.plan.user_namespace = asked != 0;
		launch_args(&launch, "link", "/proc/self/ns/user", NULL);
		launch_run(&launch, &outcome);
		expect_success(&outcome);
		snprintf(line, sizeof(line), "link:%s\n", host);
		EXPECT(outcome_out_has(&outcome, line) == !asked);
		EXPECT(outcome_has_text(&outcome, "user_namespace=") == (asked != 0));
		launch_clear(&launch);
	}
}

TEST(a_map_that_cannot_be_written_runs_nothing)
{
	struct launch launch;
	struct scratch scratch;

	SKIP_UNLESS(userns_works(), "userns is not to be had here");
	scratch_open(&scratch);
	launch_init(&launch);
	launch.plan.user_namespace = true;
	launch_wrap(&launch, "ro-proc", NULL);
	launch_args(&launch, "create", scratch_path(&scratch, "out/ran"), "x", NULL);
	launch_run(&launch, &outcome);
	expect_faulted(&outcome, "LauncherStarted IdentityVerified PlanVerified HandlesVerified "
				 "ChildCreated SetupFaulted");
	EXPECT(outcome_has_line(&outcome, "# user_namespace=map_write_failed fail_closed"));
	EXPECT(scratch_read(&scratch, "out/ran") == NULL);
	EXPECT(process_gone(outcome_child(&outcome)));
	launch_clear(&launch);

	/* Read-only /proc by itself is no hindrance. */
	launch_init(&launch);
	launch_wrap(&launch, "ro-proc", NULL);
	launch_args(&launch, "create", scratch_path(&scratch, "out/ran"), "x", NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT_STR(scratch_read(&scratch, "out/ran"), "x");
	launch_clear(&launch);
	scratch_close(&scratch);
}

TEST(an_isolated_child_has_the_loopback_device_alone)
{
	struct launch launch;
	int lines = 0;

	SKIP_UNLESS(userns_works(), "userns is not to be had here");
	launch_init(&launch);
	launch.plan.user_namespace = launch.plan.network_namespace = true;
	launch_seccomp(&launch, false, true);
	launch_args(&launch, "cat", "/proc/self/net/dev", NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT(outcome_has_line(&outcome, "# network_namespace=empty_netns child_isolated"));
	for (const char *at = outcome.out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	EXPECT_INT(lines, 3); /* two of header, one device */
	EXPECT(outcome_out_has(&outcome, "lo:"));
	launch_clear(&launch);
}

TEST(everything_at_once_works)
{
	struct scratch scratch;
	struct launch launch;

	SKIP_UNLESS(userns_works(), "userns is not to be had here");
	SKIP_UNLESS(landlock_abi() >= 3, "landlock ABI 3 is not here");
	scratch_open(&scratch);
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
	launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, "rw"));
	launch.plan.user_namespace = launch.plan.network_namespace = true;
	launch_landlock(&launch);
	launch_seccomp(&launch, true, true);
	launch_args(&launch, "create", scratch_path(&scratch, "rw/ours"), "x", "create",
		    scratch_path(&scratch, "out/escape"), "x", "fork", "fds", NULL);
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT_STR(outcome.out, "create=0\ncreate-write=0\ncreate=13\nfork=1\nfds: 0 1 2\n");
	EXPECT_STR(outcome_states(&outcome),
		   "LauncherStarted IdentityVerified PlanVerified HandlesVerified ChildCreated "
		   "IdentityPhaseResolved VisibilityPhaseResolved AmbientAuthorityPhaseResolved "
		   "ConfinementPhaseResolved ReadyToExec ExecSucceeded");
	launch_clear(&launch);
	scratch_close(&scratch);
}
