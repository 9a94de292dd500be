/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * budgets.c - what the launcher holds by its clock and by looking, however it is used up.
 *
 * Each limit is met from outside too: by what /proc says of the processes while they run, and by
 * whether any is left.  The same deed without the limit is not stopped.  The machine may be busy, so
 * it is seconds that are waited for; but what uses twenty times its limit is never within it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "linux/cgroup.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

enum { MIB = 1 << 20, SECOND_US = 1000000, LOOK_MS = 10 };

static const char *mark_of(const struct place *place)
{
	static char mark[64];

	(void)snprintf(mark, sizeof(mark), "mark-%d-%d%d", (int)getpid(), place->user, place->bare);
	return mark;
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool all_gone(const char *mark)
{
	for (int i = 0; i < 300; i++) {
		if (count_processes(mark) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

/* ---- seen from outside ----------------------------------------------------------------------- */

struct outside {
	uint64_t cpu_us;       /* of those that live */
	uint64_t memory_bytes; /* their own, shared pages once for each */
};

static struct outside sum;

static void add_process(pid_t pid)
{
	char path[64], line[512];
	unsigned long user = 0, system = 0, kib;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "RssAnon: %lu kB", &kib) == 1 ||
		    sscanf(line, "RssShmem: %lu kB", &kib) == 1)
			sum.memory_bytes += kib * 1024;
	}
	if (file != NULL)
		fclose(file);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file != NULL && fgets(line, sizeof(line), file) != NULL && strrchr(line, ')') != NULL &&
	    sscanf(strrchr(line, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &system) == 2)
		sum.cpu_us += (user + system) * (SECOND_US / 100);
	if (file != NULL)
		fclose(file);
}

static struct outside look_outside(const char *mark)
{
	sum = (struct outside){0, 0};
	each_process(mark, add_process);
	return sum;
}

/* Steps the run to its end while looking; the most that was seen. */
static struct outside watch_run(struct bv_run *run, const char *mark)
{
	struct outside most = {0, 0};

	while (!await_end(run, LOOK_MS)) {
		const struct outside now = look_outside(mark);

		if (now.cpu_us > most.cpu_us)
			most.cpu_us = now.cpu_us;
		if (now.memory_bytes > most.memory_bytes)
			most.memory_bytes = now.memory_bytes;
	}
	return most;
}

/* A spec with a wall limit, so that nothing goes on for ever when what is tested fails. */
static struct bv_spec *deed(const struct place *place, const char *verb, const char *word)
{
	struct bv_spec *spec = guest_spec(place, verb, word, ",", "out", mark_of(place), NULL);

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 30 * SECOND_US, err));
	return spec;
}

static void expect_stopped(const struct ran *ran, enum bv_limit limit)
{
	EXPECT_THAT(ran->report.body.has_stopped_by, "%s", bv_report_summary(ran->handle));
	EXPECT_THAT(ran->report.body.stopped_by == limit, "%s", bv_report_summary(ran->handle));
	EXPECT_STR(ran->outcome, limit == BV_LIMIT_WALL ? "Timeout" : "Killed");
	EXPECT_INT(ran->kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran->number, SIGKILL);
}

/* ---- processor time -------------------------------------------------------------------------- */

/* Stopped for its processor time, neither early nor late. */
static void expect_cpu_held(const struct place *place, struct bv_spec *spec, bool seen_whole)
{
	const char *mark = mark_of(place);
	const uint64_t limit = 400000;
	const uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
	const double began = now_s();
	const struct bv_budget_witness *witness;
	struct outside most;
	struct bv_run *run;
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_CPU, limit, err));
	run = start_spec(spec, NULL);
	most = watch_run(run, mark);
	ran = finish_run(run);
	expect_stopped(&ran, BV_LIMIT_CPU);
	EXPECT(all_gone(mark));
	/* So much time has to pass before so much can have been used. */
	EXPECT((now_s() - began) * (double)cpus > 0.3);
	if (seen_whole)
		EXPECT_THAT(most.cpu_us < limit + 2 * SECOND_US, "%llu us seen from outside",
			    (unsigned long long)most.cpu_us);
	witness = &ran.report.body.budget.cpu_micros;
	EXPECT_UINT(witness->admitted_limit, limit);
	EXPECT(witness->observed_usage >= limit);
	EXPECT(witness->finding == BV_FINDING_LIMIT_REACHED ||
	       witness->finding == BV_FINDING_MEDIATED_OVERSHOOT ||
	       /* A machine that let the launcher wait says so, and by how much. */
	       (witness->finding == BV_FINDING_ENFORCEMENT_FAULT &&
		witness->supplied_guarantee.u.mediated.sample_interval_micros > 5000));
}

/* The same deed, and nobody stops it: seen from outside to use twice what is the limit elsewhere. */
static void expect_cpu_used(const struct place *place, struct bv_spec *spec)
{
	const char *mark = mark_of(place);
	struct bv_run *run = start_spec(spec, NULL);
	struct ran ran;

	for (;;) {
		EXPECT_THAT(!await_end(run, LOOK_MS), "it ended by itself");
		if (look_outside(mark).cpu_us > 800000)
			break;
	}
	SURE(bv_run_kill(run, err));
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT(!ran.report.body.has_stopped_by);
	/* What was not waited for was seen. */
	EXPECT(ran.report.body.budget.cpu_micros.observed_usage > 300000);
	EXPECT(all_gone(mark));
}

#define CPU_IS_HELD(name, verb, word, seen_whole)                                                  \
	EVERYWHERE_WITHIN(cpu_is_held_in_##name, 150)                                              \
	{                                                                                          \
		expect_cpu_held(place, deed(place, verb, word), seen_whole);                       \
	}

CPU_IS_HELD(threads, "burn-threads", "8", true)
CPU_IS_HELD(processes, "burn-processes", "8", true)
CPU_IS_HELD(daemons, "burn-daemons", "4", true)
CPU_IS_HELD(children_of_a_stopped_process, "burn-stopped", "4", true)
CPU_IS_HELD(short_lived_children, "burn-short", "2", false)
CPU_IS_HELD(children_nobody_waits_for, "burn-unwaited", "2", false)

/* They say how much they used by their own clocks, and end by themselves at five times the limit. */
CPU_IS_HELD(threads_beside_a_sleeper, "burn-beside-sleepers", "2", false)

EVERYWHERE_WITHIN(threads_beside_a_sleeper_use_what_they_say, 150)
{
	struct ran ran = run_spec(deed(place, "burn-beside-sleepers", "2"));

	EXPECT_SAID(&ran, "burnt");
	EXPECT_STR(ran.outcome, "Completed");
}

EVERYWHERE_WITHIN(what_is_held_is_really_used_otherwise, 150)
{
	expect_cpu_used(place, deed(place, "burn-threads", "8"));
	expect_cpu_used(place, deed(place, "burn-daemons", "4"));
}

/* /proc/<pid>/stat has the name in the middle, and the name is the workload's to choose. */
EVERYWHERE_WITHIN(a_hostile_name_hides_no_processor_time, 150)
{
	struct bv_spec *spec = guest_spec(place, "call-itself", ") R 1 (1) Z 0", ",",
					  "burn-processes", "4", ",", "out", mark_of(place), NULL);

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 30 * SECOND_US, err));
	expect_cpu_held(place, spec, true);
}

EVERYWHERE(a_run_within_its_cpu_limit_is_not_touched)
{
	struct bv_spec *spec = deed(place, "spin", "0.2");
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_CPU, 10 * SECOND_US, err));
	ran = run_spec(spec);
	EXPECT_STR(ran.outcome, "Completed");
	EXPECT_INT(ran.report.body.budget.cpu_micros.finding, BV_FINDING_WITHIN_LIMIT);
	EXPECT(ran.report.body.budget.cpu_micros.observed_usage >= 190000);
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { LIMIT_MIB = 64, MUCH_MIB = 1000, MOST_MIB = 600 };

static struct bv_spec *filling(const struct place *place, const char *verb, const char *word,
			       const char *other)
{
	struct bv_spec *spec = guest_spec(place, verb, word, other ? other : ",",
					  other ? "," : "out", other ? "out" : mark_of(place),
					  other ? mark_of(place) : NULL, NULL);

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 40 * SECOND_US, err));
	if (other)
		SURE(bv_spec_tmp(spec, (uint64_t)2 * MUCH_MIB * MIB, err));
	return spec;
}

/* By the kernel not a byte more is had; by looking it is seen soon, and said how late. */
static void expect_memory_witness(const struct bv_budget_witness *witness)
{
	const uint64_t limit = (uint64_t)LIMIT_MIB * MIB;

	EXPECT_UINT(witness->admitted_limit, limit);
	if (kernel_controls(BV_CONTROLLER_MEMORY)) {
		EXPECT_INT(witness->supplied_guarantee.tag, BV_GUARANTEE_HARD);
		EXPECT_INT(witness->finding, BV_FINDING_LIMIT_REACHED);
		EXPECT_THAT(witness->observed_usage > limit / 2 && witness->observed_usage <= limit,
			    "%llu bytes", (unsigned long long)witness->observed_usage);
		return;
	}
	EXPECT(witness->observed_usage > limit);
	EXPECT(witness->finding == BV_FINDING_MEDIATED_OVERSHOOT ||
	       witness->finding == BV_FINDING_ENFORCEMENT_FAULT ||
	       witness->finding == BV_FINDING_LIMIT_REACHED);
}

/* The most that was seen from outside, which counts shared pages several times. */
static uint64_t exceed_memory(const struct place *place, const char *verb, const char *word,
			      const char *other)
{
	const char *mark = mark_of(place);
	struct bv_spec *spec = filling(place, verb, word, other);
	struct outside most;
	struct bv_run *run;
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, (uint64_t)LIMIT_MIB * MIB, err));
	run = start_spec(spec, NULL);
	most = watch_run(run, mark);
	ran = finish_run(run);
	expect_stopped(&ran, BV_LIMIT_RESIDENT);
	EXPECT_THAT(!said(&ran, "filled"), "%s %s went through", verb, word);
	EXPECT_THAT(most.memory_bytes < (uint64_t)MOST_MIB * MIB, "%s: %llu MiB seen from outside",
		    verb, (unsigned long long)most.memory_bytes / MIB);
	expect_memory_witness(&ran.report.body.budget.resident_bytes);
	EXPECT(all_gone(mark));
	return most.memory_bytes;
}

static void expect_memory_held(const struct place *place, const char *verb, const char *word,
			       const char *other)
{
	(void)exceed_memory(place, verb, word, other);
}

/* Memory that hardly anybody shares (a few pages of a parent): none is to be seen beyond the kernel's limit. */
static void expect_own_memory_held(const struct place *place, const char *verb, const char *word)
{
	const uint64_t seen = exceed_memory(place, verb, word, NULL);

	if (kernel_controls(BV_CONTROLLER_MEMORY))
		EXPECT_THAT(seen <= (uint64_t)(LIMIT_MIB + 1) * MIB, "%llu bytes seen from outside",
			    (unsigned long long)seen);
}

/* `limited`: and within its limit all the same.  Else the control: nothing stands in its way. */
static void expect_memory_had(const struct place *place, const char *verb, const char *word,
			      const char *other, bool limited)
{
	struct bv_spec *spec = filling(place, verb, word, other);
	struct ran ran;

	if (limited)
		SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, (uint64_t)LIMIT_MIB * MIB, err));
	ran = run_spec(spec);
	EXPECT_THAT(said(&ran, "filled"), "%s %s: %s", verb, word, bv_report_summary(ran.handle));
	if (!limited)
		return;
	EXPECT_INT(ran.report.body.budget.resident_bytes.finding, BV_FINDING_WITHIN_LIMIT);
	EXPECT_THAT(ran.report.body.budget.resident_bytes.observed_usage > (uint64_t)8 * MIB,
		    "%s: only %llu KiB were seen", verb,
		    (unsigned long long)ran.report.body.budget.resident_bytes.observed_usage /
			    1024);
}

/* What is too much is held, what is not is let be, and without a limit nothing stands in its way. */
static void expect_all_of_it_counts(const struct place *place, const char *verb,
				    const char *too_much)
{
	expect_memory_held(place, verb, too_much, NULL);
	expect_memory_had(place, verb, "40", NULL, true);
	expect_memory_had(place, verb, "200", NULL, false);
}

EVERYWHERE_WITHIN(anonymous_memory_is_held, 120)
{
	expect_own_memory_held(place, "fill", "1000");
	expect_memory_had(place, "fill", "40", NULL, true);
	expect_memory_had(place, "fill", "200", NULL, false);
}

EVERYWHERE_WITHIN(many_small_processes_are_held_together, 120)
{
	expect_own_memory_held(place, "fill-processes", "1000");
	expect_memory_had(place, "fill-processes", "32", NULL, true);
	expect_memory_had(place, "fill-processes", "160", NULL, false);
}

EVERYWHERE_WITHIN(a_shared_mapping_counts_once, 120)
{
	expect_memory_had(place, "fill-shared", "40", NULL, true);
	expect_memory_held(place, "fill-shared", "1000", NULL);
}

/* Seven processes that each have 45 MiB by the usual count: 45 MiB, until they write. */
EVERYWHERE_WITHIN(a_fork_of_a_large_process_is_no_use_of_memory, 120)
{
	expect_memory_had(place, "fill-fork", "45", NULL, true);
	expect_memory_held(place, "fill-fork-written", "60", NULL);
	expect_memory_had(place, "fill-fork-written", "60", NULL, false);
}

/* Copies that end while they are counted leave their share to the others; a vfork has no copy at all. */
EVERYWHERE_WITHIN(copies_that_come_and_go_are_no_use_of_memory, 120)
{
	expect_memory_had(place, "fill-fork-often", "45", NULL, true);
	expect_memory_had(place, "fill-vfork-often", "45", NULL, true);
}

EVERYWHERE_WITHIN(memory_files_count_without_being_mapped, 120)
{
	if (!has_sealed_memory_files()) {
		struct ran ran = run_spec(filling(place, "fill-memory-file", "1", NULL));

		EXPECT_SAID(&ran, "no file");
		return;
	}
	expect_all_of_it_counts(place, "fill-memory-file", "1000");
}

/* Only where nobody looks may it hide. */
static void expect_hiding_is_no_use(const struct place *place, const char *verb)
{
	struct ran ran = run_spec(filling(place, verb, "200", NULL));

	EXPECT_SAID(&ran, "hidden");
	EXPECT_SAID(&ran, "filled");
	expect_memory_held(place, verb, "1000", NULL);
	expect_memory_had(place, verb, "40", NULL, true);
}

EVERYWHERE_WITHIN(what_a_process_has_open_cannot_be_hidden_from_looks, 120)
{
	if (!has_sealed_memory_files())
		return;
	expect_hiding_is_no_use(place, "fill-hidden");
	expect_hiding_is_no_use(place, "fill-beside");
}

EVERYWHERE_WITHIN(what_is_stored_in_memory_counts, 120)
{
	/* Without namespaces neither is the boundary's own. */
	if (place->bare)
		return;
	expect_memory_held(place, "fill-file", "/tmp/a", "1000");
	expect_memory_held(place, "fill-file", "/dev/shm/a", "1000");
	expect_memory_had(place, "fill-file", "/dev/shm/a", "200", false);
	expect_memory_held(place, "fill-mapped", "/tmp/a", "1000");
	expect_memory_had(place, "fill-mapped", "/tmp/a", "40", true);
}

EVERYWHERE_WITHIN(system_v_segments_count, 120)
{
	if (place->bare)
		return;
	expect_all_of_it_counts(place, "fill-segment", "1000");
	expect_all_of_it_counts(place, "fill-last-segments", "1000");
}

/* What the kernel keeps for them nobody has mapped, and they outlive whoever made them. */
EVERYWHERE_WITHIN(semaphores_and_queues_count, 120)
{
	/* There a group refuses more of them. */
	if (place->bare || kernel_controls(BV_CONTROLLER_MEMORY))
		return;
	expect_all_of_it_counts(place, "fill-semaphores", "1000");
	expect_all_of_it_counts(place, "fill-queues", "400");
}

EVERYWHERE_WITHIN(memory_of_a_process_without_its_first_thread_counts, 120)
{
	expect_all_of_it_counts(place, "fill-without-first-thread", "1000");
}

/* ---- tasks and descriptors ------------------------------------------------------------------- */

EVERYWHERE(the_most_tasks_at_once_are_told)
{
	/* Sixteen children for a third of a second, and their parent. */
	for (uint64_t limit = 17; limit <= 40; limit += 23) {
		struct bv_spec *spec = deed(place, "fill-processes", "16");
		const struct bv_budget_witness *witness;
		struct ran ran;

		SURE(bv_spec_budget(spec, BV_BUDGET_PROCESSES, limit, err));
		ran = run_spec(spec);
		EXPECT_SAID(&ran, "filled");
		witness = &ran.report.body.budget.process_count;
		EXPECT_UINT(witness->observed_usage, 17);
		EXPECT_INT(witness->finding,
			   limit == 17 ? BV_FINDING_LIMIT_REACHED : BV_FINDING_WITHIN_LIMIT);
		/* It reached the limit, and nothing ended it there. */
		EXPECT(!ran.report.body.has_stopped_by);
	}
}

EVERYWHERE(threads_are_tasks)
{
	struct bv_spec *spec = guest_spec(place, "burn-threads", "5", NULL);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, SECOND_US, err));
	ran = run_spec(spec);
	EXPECT_STR(ran.outcome, "Timeout");
	EXPECT_UINT(ran.report.body.budget.process_count.observed_usage, 6);
}

EVERYWHERE(the_most_descriptors_of_a_process_are_told)
{
	char hold_ms[16];

	/* Where a look costs much, they are far between. */
	(void)snprintf(hold_ms, sizeof(hold_ms), "%d", 400 * test_patience());
	for (uint64_t limit = 20; limit <= 300; limit += 280) {
		struct bv_spec *spec = guest_spec(place, "open", "100", ",", "sleep", hold_ms,
						  NULL);
		const struct bv_budget_witness *witness;
		struct ran ran;

		SURE(bv_spec_budget(spec, BV_BUDGET_HANDLES, limit, err));
		ran = run_spec(spec);
		EXPECT_SAID(&ran, limit == 20 ? "opened 17" : "opened 100");
		witness = &ran.report.body.budget.handle_count;
		EXPECT_UINT(witness->observed_usage, limit == 20 ? 20 : 103);
		EXPECT_INT(witness->finding,
			   limit == 20 ? BV_FINDING_LIMIT_REACHED : BV_FINDING_WITHIN_LIMIT);
	}
}

/* ---- time ------------------------------------------------------------------------------------ */

/* After its start nobody here does anything any more, and the limit is held all the same. */
EVERYWHERE(the_wall_limit_needs_no_host_that_steps)
{
	const char *mark = mark_of(place);

	for (int limited = 0; limited < 2; limited++) {
		const char *up = limited ? "second is up\n" : "first is up\n";
		struct bv_spec *spec = guest_spec(place, "daemon", "30", ",", "out", up, ",",
						  "sleep", "30000", ",", "out", mark, NULL);
		struct bv_run *run;
		struct ran ran;
		int left = 1;

		if (limited)
			SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 700000, err));
		run = start_spec(spec, &gathering);
		await_output(run, up);
		EXPECT(count_processes(mark) >= 1);
		for (int i = 0; i < (limited ? 500 : 150) && left > 0; i++) {
			usleep(10000);
			left = count_processes(mark);
		}
		EXPECT_THAT((left == 0) == limited, "%d processes are left", left);
		if (!limited)
			SURE(bv_run_kill(run, err));
		EXPECT(await_end(run, 10000));
		ran = finish_run(run);
		EXPECT_STR(ran.outcome, limited ? "Timeout" : "Killed");
		EXPECT(all_gone(mark));
	}
}

/* ---- grace ----------------------------------------------------------------------------------- */

static struct bv_spec *gracious(const struct place *place, const char *verb, uint64_t grace_us)
{
	const char *work = make_dir(place, verb);
	struct bv_spec *spec;
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/%s/unfinished", place->dir, verb);
	make_file(place, path + strlen(place->dir) + 1, "left behind\n");
	spec = guest_spec(place, verb, path, ",", "out", mark_of(place), NULL);
	SURE(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, work, err));
	SURE(bv_spec_grace(spec, grace_us, err));
	return spec;
}

static bool is_unfinished(const struct place *place, const char *verb)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/%s/unfinished", place->dir, verb);
	return file_exists(path);
}

EVERYWHERE(in_its_grace_a_program_cleans_up)
{
	struct bv_spec *spec = gracious(place, "clean-up", 20 * SECOND_US);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 400000, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "working");
	/* Its own end, and no success all the same. */
	EXPECT_STR(ran.outcome, "Timeout");
	EXPECT_INT(ran.kind, BV_EXITED_CODE);
	EXPECT_INT(ran.number, 7);
	EXPECT_STR(bv_report_limit(ran.handle), "wall");
	EXPECT(!is_unfinished(place, "clean-up"));
	EXPECT_INT(ran.report.body.budget.wall_micros.finding, BV_FINDING_LIMIT_REACHED);
	EXPECT(ran.report.body.budget.wall_micros.observed_usage < 15 * SECOND_US);
	EXPECT(all_gone(mark_of(place)));
}

EVERYWHERE(without_a_grace_it_does_not)
{
	struct bv_spec *spec = gracious(place, "clean-up", 0);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 400000, err));
	ran = run_spec(spec);
	expect_stopped(&ran, BV_LIMIT_WALL);
	EXPECT(is_unfinished(place, "clean-up"));
}

EVERYWHERE(who_ignores_it_is_killed_when_the_grace_is_over)
{
	struct bv_spec *spec = gracious(place, "defy-end", 600000);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 400000, err));
	ran = run_spec(spec);
	expect_stopped(&ran, BV_LIMIT_WALL);
	EXPECT(ran.report.body.budget.wall_micros.observed_usage >= 1000000);
	EXPECT(ran.report.body.budget.wall_micros.observed_usage < 10 * SECOND_US);
	EXPECT(all_gone(mark_of(place)));
}

EVERYWHERE(out_of_cpu_time_there_is_a_grace_too)
{
	struct bv_spec *spec = gracious(place, "clean-up-burning", 20 * SECOND_US);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_CPU, 300000, err));
	ran = run_spec(spec);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT_STR(bv_report_limit(ran.handle), "cpu");
	EXPECT_INT(ran.kind, BV_EXITED_CODE);
	EXPECT_INT(ran.number, 7);
	EXPECT(!is_unfinished(place, "clean-up-burning"));
}

EVERYWHERE(the_grace_is_no_grace_for_memory)
{
	struct bv_spec *spec = guest_spec(place, "fill-at-end", "x", ",", "out", mark_of(place),
					  NULL);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_WALL, 400000, err));
	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, (uint64_t)LIMIT_MIB * MIB, err));
	SURE(bv_spec_grace(spec, 30 * SECOND_US, err));
	ran = run_spec(spec);
	EXPECT_STR(ran.outcome, "Timeout");
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran.number, SIGKILL);
	EXPECT(!said(&ran, "filled"));
	EXPECT(ran.report.body.budget.wall_micros.observed_usage < 15 * SECOND_US);
	EXPECT(ran.report.body.budget.resident_bytes.finding != BV_FINDING_WITHIN_LIMIT);
}

EVERYWHERE(a_caller_that_stops_a_run_gives_it_its_grace)
{
	struct bv_run *run = start_spec(gracious(place, "clean-up", 20 * SECOND_US), &gathering);
	struct ran ran;

	await_output(run, "working");
	SURE(bv_run_stop(run, err));
	SURE(bv_run_stop(run, err));
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT(bv_report_limit(ran.handle) == NULL);
	EXPECT_INT(ran.kind, BV_EXITED_CODE);
	EXPECT_INT(ran.number, 7);
	EXPECT(!is_unfinished(place, "clean-up"));
}

EVERYWHERE(a_caller_that_kills_gives_none)
{
	struct bv_run *run = start_spec(gracious(place, "defy-end", 30 * SECOND_US), &gathering);
	struct ran ran;

	await_output(run, "working");
	SURE(bv_run_stop(run, err));
	EXPECT(!await_end(run, 300));
	SURE(bv_run_kill(run, err));
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran.number, SIGKILL);
	EXPECT(all_gone(mark_of(place)));
}

EVERYWHERE(without_a_grace_to_stop_is_to_kill)
{
	struct bv_run *run = start_spec(gracious(place, "clean-up", 0), &gathering);
	struct ran ran;

	await_output(run, "working");
	SURE(bv_run_stop(run, err));
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT(is_unfinished(place, "clean-up"));
}

/* ---- what stands behind it ------------------------------------------------------------------- */

static bool is_attested(const struct ran *ran, const char *key, const char *value)
{
	const struct bv_attestation_list *attested = &ran->report.body.attestations;

	for (size_t i = 0; i < attested->count; i++) {
		for (size_t e = 0; e < attested->items[i].evidence.count; e++) {
			const struct bv_text_pair *pair = &attested->items[i].evidence.items[e];

			if (bv_str_is(pair->key, key))
				return attested->items[i].holds && bv_str_is(pair->value, value);
		}
	}
	return false;
}

EVERYWHERE(the_kernel_stands_behind_the_launcher_for_each_process)
{
	struct bv_spec *spec = deed(place, "exit", "0");
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_CPU, 3 * SECOND_US, err));
	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, (uint64_t)LIMIT_MIB * MIB, err));
	ran = run_spec(spec);
	EXPECT(is_attested(&ran, "cpu time", "5"));
	if (ran.report.body.budget.resident_bytes.supplied_guarantee.tag == BV_GUARANTEE_MEDIATED)
		EXPECT(is_attested(&ran, "data size", "1073741824"));
}
