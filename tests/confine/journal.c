/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Real runs whose host is killed at every single write and sync of its journal.  Whatever the
 * moment, what is found afterwards fits together (spec/wasm-sim-host.md 3.9).
 *
 * BVISOR_ALL_KILLS=1 tries every moment; otherwise every so many.
 */
#include "confine.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/journal_faults.h"
#include "journal/journal.h"

static struct bv_error err;

#define OK(call) EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err.where, err.message)

static const struct way {
	const char *name, *script;
	const char *outcome;
	uint64_t wall_us;
} ways[] = {
	{"ok", "echo >marker; exit 0", "Completed", 0},
	{"fail", "echo >marker; exit 3", "Failed", 0},
	{"timeout", "echo >marker; exec sleep 987654", "Timeout", 100000},
};

/* The host: says on `ack` that it has the report, if it lives so long. */
static void host(const struct place *place, const struct way *way, const char *journal_path,
		 const char *granted, unsigned long kill_at, int ack)
{
	struct bv_spec *spec = program_spec(place, "/bin/sh", 2,
					    (const char *const[]){"-c", way->script});
	struct bv_run_options options = {.output = NULL};
	struct bv_report *report = NULL;
	struct bv_journal *journal = NULL;
	enum bv_run_state state = BV_RUN_STARTING;
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	OK(bv_spec_runtime(spec, BV_USE_RUNTIME_SYSTEM, &err));
	OK(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, granted, &err));
	OK(bv_spec_cwd(spec, granted, &err));
	OK(bv_spec_output(spec, granted, 0, &err));
	if (way->wall_us != 0)
		OK(bv_spec_budget(spec, BV_BUDGET_WALL, way->wall_us, &err));
	OK(bv_plan_make(spec, "linux", &plan, &err));
	faults.operations = 0;
	faults.kill_at = kill_at;
	OK(bv_journal_open(&(struct bv_journal_options){.path = journal_path}, &journal, &err));
	options.journal = journal;
	OK(bv_run_start(plan, &options, &run, &err));
	while (state != BV_RUN_ENDED) {
		OK(bv_run_step(run, &state, &err));
		if (state != BV_RUN_ENDED)
			OK(bv_run_wait(run, -1, &err));
	}
	OK(bv_run_finish(run, &report, &err));
	EXPECT_STR(bv_report_outcome(report), way->outcome);
	EXPECT(write(ack, "r", 1) == 1);
	bv_run_free(run);
	bv_journal_close(journal);
	_exit(0);
}

struct kinds {
	unsigned int started, bound, reports, verdicts, kept, count;
};

static bool count_kind(void *context, const struct bv_journal_record *record)
{
	struct kinds *kinds = context;

	kinds->started += strcmp(record->kind, "started") == 0;
	kinds->bound += strcmp(record->kind, "bound") == 0;
	kinds->reports += strcmp(record->kind, "report") == 0;
	kinds->verdicts += strcmp(record->kind, "recovery") == 0;
	kinds->kept += strcmp(record->kind, "kept") == 0;
	kinds->count++;
	return true;
}

static bool has_an_end(void *context, const struct bv_journal_attempt *attempt)
{
	(void)context;
	EXPECT_THAT(strcmp(attempt->outcome, "Started") != 0 &&
			    strcmp(attempt->outcome, "Running") != 0,
		    "an attempt is still %s", attempt->outcome);
	return true;
}

static void look(const char *journal_path, struct kinds *ret_kinds)
{
	struct bv_journal *journal = NULL;
	struct bv_journal_verified found;

	*ret_kinds = (struct kinds){0};
	OK(bv_journal_open(&(struct bv_journal_options){.path = journal_path}, &journal, &err));
	OK(bv_journal_list(journal, NULL, has_an_end, NULL, &err));
	OK(bv_journal_verify(journal, &(struct bv_journal_verify_options){0}, &found, &err));
	OK(bv_journal_records(journal, NULL, count_kind, ret_kinds, &err));
	bv_journal_close(journal);
}

/* Files on their way into what is kept; whoever settled the attempt took them away. */
static unsigned int half_written(const char *journal_path)
{
	char path[300];
	const struct dirent *entry;
	unsigned int count = 0;
	DIR *stream;

	(void)snprintf(path, sizeof path, "%s.blobs", journal_path);
	stream = opendir(path);
	while (stream != NULL && (entry = readdir(stream)) != NULL)
		count += strncmp(entry->d_name, ".new-", 5) == 0;
	if (stream != NULL)
		closedir(stream);
	return count;
}

/* Whether the host was killed, that is, whether there was such a moment at all. */
static bool kill_at(const struct place *place, const struct way *way, unsigned long moment)
{
	char journal_path[256], name[64];
	const char *granted, *marker;
	struct kinds first, second;
	int ack[2], status = 0;
	char said;
	bool has_report, ran;
	pid_t pid;

	(void)snprintf(name, sizeof name, "%s-%lu", way->name, moment);
	granted = make_dir(place, name);
	/* In a directory of its own: anybody may write the place. */
	(void)snprintf(journal_path, sizeof journal_path, "%s/%s.d/j.db", place->dir, name);
	EXPECT(pipe(ack) == 0);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0)
		host(place, way, journal_path, granted, moment, ack[1]);
	close(ack[1]);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_THAT((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
			    (WIFEXITED(status) && WEXITSTATUS(status) == 0),
		    "%s, moment %lu: the host ended with %#x", way->name, moment,
		    (unsigned int)status);
	has_report = read(ack[0], &said, 1) == 1;
	close(ack[0]);
	look(journal_path, &first);
	(void)snprintf(name, sizeof name, "%s-%lu/marker", way->name, moment);
	marker = in_place(place, name);
	ran = file_exists(marker);
	/* I-1: it ran only after that was durable. */
	EXPECT_THAT(!ran || first.bound == 1, "%s, moment %lu: it ran, and nobody wrote so down",
		    way->name, moment);
	/* I-2: nothing of it lives. */
	for (int i = 0; i < 200 && count_processes("987654") > 0; i++)
		usleep(10000);
	EXPECT_INT(count_processes("987654"), 0);
	/* Whoever had the report finds it; I-7: and there is one end. */
	EXPECT_THAT(!has_report || first.reports == 1, "%s, moment %lu: a report was lost",
		    way->name, moment);
	EXPECT_UINT(first.reports + first.verdicts, first.started);
	/* What it left is kept with its report, or not at all; that the bytes are there, verifying saw. */
	EXPECT_UINT(first.kept, first.reports);
	EXPECT_UINT(half_written(journal_path), 0);
	EXPECT(first.started <= 1);
	/* I-5: doing it again changes nothing. */
	look(journal_path, &second);
	EXPECT_UINT(second.count, first.count);
	return WIFSIGNALED(status);
}

static void sweep(const struct place *place, const struct way *way)
{
	const unsigned long step = getenv("BVISOR_ALL_KILLS") ? 1 : 17;
	unsigned long moment = 1, killed = 0;

	while (kill_at(place, way, moment)) {
		moment += step;
		killed++;
	}
	fprintf(stderr, "%s, %s: killed at %lu of about %lu moments\n", place->name, way->name,
		killed, moment);
	EXPECT(moment > 30);
}

EVERYWHERE_WITHIN(a_host_killed_at_any_moment_leaves_a_journal_that_fits, 1200)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		sweep(place, &ways[i]);
}
