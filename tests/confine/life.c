/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* life.c - a run ends when it must, and takes everything with it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

/* A word in the arguments of every process of one run, so that they are found from outside. */
static const char *mark_of(const struct place *place)
{
	static char mark[64];

	(void)snprintf(mark, sizeof(mark), "mark-%d-%d%d", (int)getpid(), place->user, place->bare);
	return mark;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Whether no process with the mark is left within a second. */
static bool all_gone(const char *mark)
{
	for (int i = 0; i < 100; i++) {
		if (count_processes(mark) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

EVERYWHERE(a_daemon_neither_holds_the_run_nor_outlives_it)
{
	const char *mark = mark_of(place);
	struct timespec start;
	struct ran ran;

	clock_gettime(CLOCK_MONOTONIC, &start);
	ran = run_guest(place, "daemon", "30", ",", "exit", "4", ",", "out", mark, NULL);
	EXPECT_THAT(seconds_since(&start) < 10, "the run waited for the daemon");
	EXPECT_SAID(&ran, "daemon left");
	EXPECT_INT(ran.number, 4);
	EXPECT(all_gone(mark));
	/* Nothing held the pipe any more, so it was read to its end. */
	EXPECT(ran.report.body.streams.items[0].complete);
	EXPECT(!said(&ran, "daemon lived on"));
}

static int count_storm(void)
{
	FILE *names = popen("cat /proc/[0-9]*/comm 2>/dev/null", "re");
	char name[64];
	int count = 0;

	while (names != NULL && fgets(name, sizeof(name), names) != NULL)
		count += strcmp(name, "bvisor-storm\n") == 0;
	EXPECT(names != NULL);
	pclose(names);
	return count;
}

EVERYWHERE(a_storm_of_processes_does_not_outlive_the_run)
{
	struct bv_spec *spec;
	struct ran ran;

	spec = guest_spec(place, "storm", "60", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 500000, err));
	/* Or it takes the machine's last process id, and everybody else's fork with it. */
	SURE(bv_spec_budget(spec, BV_BUDGET_PROCESSES, 1500 / (uint64_t)test_patience(), err));
	ran = run_spec(spec);
	EXPECT_STR(ran.outcome, "Timeout");
	EXPECT_INT(count_storm(), 0);
}

EVERYWHERE(the_wall_limit_ends_the_run_and_says_so)
{
	const char *mark = mark_of(place);
	struct bv_spec *spec = guest_spec(place, "daemon", "30", ",", "sleep", "30000", ",", "out",
					  mark, NULL);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 400000, err));
	ran = run_spec(spec);
	EXPECT_STR(ran.outcome, "Timeout");
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran.number, SIGKILL);
	EXPECT_INT(ran.report.body.budget.wall_micros.finding, BV_FINDING_LIMIT_REACHED);
	EXPECT_INT(ran.report.body.budget.wall_micros.supplied_guarantee.tag, BV_GUARANTEE_HARD);
	EXPECT_UINT(ran.report.body.budget.wall_micros.admitted_limit, 400000);
	EXPECT(ran.report.body.budget.wall_micros.observed_usage >= 400000);
	EXPECT(ran.report.body.budget.wall_micros.observed_usage < 5000000);
	EXPECT(all_gone(mark));
}

EVERYWHERE(a_run_within_its_wall_limit_is_not_touched)
{
	struct bv_spec *spec = guest_spec(place, "sleep", "50", ",", "exit", "6", NULL);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 20000000, err));
	ran = run_spec(spec);
	EXPECT_INT(ran.number, 6);
	EXPECT_INT(ran.report.body.budget.wall_micros.finding, BV_FINDING_WITHIN_LIMIT);
}

EVERYWHERE(kill_ends_the_whole_tree)
{
	const char *mark = mark_of(place);
	struct bv_run *run = start_spec(guest_spec(place, "daemon", "30", ",", "out", "up\n", ",",
						   "sleep", "30000", ",", "out", mark, NULL),
					&gathering);
	struct ran ran;

	await_output(run, "up");
	EXPECT(count_processes(mark) >= 2);
	SURE(bv_run_kill(run, err));
	EXPECT(await_end(run, 5000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran.number, SIGKILL);
	EXPECT(all_gone(mark));
}

EVERYWHERE(a_run_killed_before_it_ran_ends_too)
{
	struct bv_run *run = start_spec(guest_spec(place, "sleep", "30000", NULL), NULL);
	struct ran ran;

	SURE(bv_run_kill(run, err));
	EXPECT(await_end(run, 5000));
	ran = finish_run(run);
	EXPECT_THAT(strcmp(ran.outcome, "Killed") == 0, "%s: %s", ran.outcome,
		    bv_report_summary(ran.handle));
}

EVERYWHERE(freeing_a_run_leaves_nothing)
{
	const char *mark = mark_of(place);
	struct bv_run *run = start_spec(guest_spec(place, "daemon", "30", ",", "out", "up\n", ",",
						   "sleep", "30000", ",", "out", mark, NULL),
					&gathering);

	await_output(run, "up");
	bv_run_free(run);
	EXPECT(all_gone(mark));
	/* Not even a zombie of ours. */
	EXPECT(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
}

/* The host is killed by something it cannot see coming; whatever it started must not go on. */
EVERYWHERE(nothing_outlives_a_host_that_was_killed)
{
	const char *mark = mark_of(place);
	int ready[2];
	char byte;
	pid_t host;

	EXPECT(pipe(ready) == 0);
	host = fork();
	EXPECT(host >= 0);
	if (host == 0) {
		struct bv_run *run = start_spec(guest_spec(place, "daemon", "30", ",", "out",
							   "up\n", ",", "sleep", "30000", ",",
							   "out", mark, NULL),
						&gathering);

		await_output(run, "up");
		EXPECT(write(ready[1], "r", 1) == 1);
		(void)await_end(run, 60000);
		_exit(0);
	}
	close(ready[1]);
	EXPECT(read(ready[0], &byte, 1) == 1);
	EXPECT(count_processes(mark) >= 2);
	EXPECT(kill(host, SIGKILL) == 0 && waitpid(host, NULL, 0) == host);
	EXPECT_THAT(all_gone(mark), "%d processes outlived their host", count_processes(mark));
}

static void read_text(const char *path, char *text, size_t size_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	EXPECT(fd >= 0 && read(fd, text, size_bytes - 1) > 0);
	close(fd);
}

/* The same for the launcher: its parent is this process, so it can be found. */
EVERYWHERE(nothing_outlives_a_launcher_that_was_killed)
{
	const char *mark = mark_of(place);
	struct bv_run *run = start_spec(guest_spec(place, "daemon", "30", ",", "out", "up\n", ",",
						   "sleep", "30000", ",", "out", mark, NULL),
					&gathering);
	char path[64], text[64] = "";
	struct ran ran;

	await_output(run, "up");
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	read_text(path, text, sizeof(text));
	EXPECT(kill((pid_t)atoi(text), SIGKILL) == 0);
	EXPECT(await_end(run, 5000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "SupervisorFault");
	EXPECT(!ran.report.body.has_exit);
	EXPECT(find_fact(&ran, "workload_fate") != NULL);
	EXPECT(all_gone(mark));
}

/* As on a machine that is slow to end a storm: what it says then is waited for. */
EVERYWHERE(a_launcher_that_is_late_still_says_how_it_ended)
{
	struct bv_spec *spec = guest_spec(place, "out", "up\n", ",", "sleep", "30000", NULL);
	char path[64], text[64] = "";
	struct bv_run *run;
	struct ran ran;
	bool ended = false;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 500000, err));
	run = start_spec(spec, &gathering);
	await_output(run, "up");
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	read_text(path, text, sizeof(text));
	EXPECT(kill((pid_t)atoi(text), SIGSTOP) == 0);
	/* The limit, a second that the host's own clock gives it, one to obey, and more.  Where it is only the
	 * guard above the launcher it has ended by then. */
	for (int i = 0; i < 7 && !ended; i++)
		ended = await_end(run, 500);
	EXPECT(kill((pid_t)atoi(text), SIGCONT) == 0);
	EXPECT(await_end(run, 5000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Timeout");
}

/* The launcher proper may have a guard above it: whichever of them dies, the other ends the tree. */
EVERYWHERE(nothing_outlives_the_guarded_launcher_either)
{
	const char *mark = mark_of(place);
	struct bv_run *run = start_spec(guest_spec(place, "daemon", "30", ",", "out", "up\n", ",",
						   "sleep", "30000", ",", "out", mark, NULL),
					&gathering);
	char path[64], text[64] = "";
	pid_t launcher, child = 0;

	await_output(run, "up");
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	read_text(path, text, sizeof(text));
	launcher = (pid_t)atoi(text);
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)launcher,
		       (int)launcher);
	read_text(path, text, sizeof(text));
	/* PID 1 of the boundary comes after a helper; the workload, or the guarded launcher, comes before
	 * its orphans. */
	for (char *next = text, *end;; next = end) {
		const long pid = strtol(next, &end, 10);

		if (end == next || (place->bare && child != 0))
			break;
		child = (pid_t)pid;
	}
	EXPECT(child > 1 && kill(child, SIGKILL) == 0);
	EXPECT(await_end(run, 5000));
	(void)finish_run(run);
	EXPECT(all_gone(mark));
}

EVERYWHERE(a_signal_reaches_the_program)
{
	struct bv_run *run = start_spec(guest_spec(place, "await", "10", NULL), &gathering);
	struct ran ran;

	await_output(run, "waiting");
	SURE(bv_run_signal(run, SIGUSR1, err));
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_SAID(&ran, "caught 10");
	EXPECT_STR(ran.outcome, "Completed");
}

EVERYWHERE(two_runs_at_once_do_not_meet)
{
	struct bv_run *runs[8];

	for (int i = 0; i < 8; i++) {
		char code[8];

		(void)snprintf(code, sizeof(code), "%d", 10 + i);
		runs[i] = start_spec(guest_spec(place, "fork", ",", "sleep", "100", ",", "exit",
						code, NULL),
				     NULL);
	}
	for (int i = 7; i >= 0; i--) {
		struct ran ran;

		EXPECT(await_end(runs[i], 20000));
		ran = finish_run(runs[i]);
		EXPECT_SAID(&ran, "fork : ok");
		EXPECT_INT(ran.number, 10 + i);
	}
}
