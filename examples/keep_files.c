/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * keep_files.c - what a program leaves is kept, looked at, and only then put where it belongs.
 *
 *     cc -std=c99 keep_files.c $(pkg-config --cflags --libs bvisor) -o keep_files
 *     mkdir out results
 *     ./keep_files runs.db out results /bin/sh -c 'echo 42 >answer'
 *
 * The program may write to OUT; its files there are kept beside the journal with their digests in its
 * report.  Those of at most a million bytes are committed to RESULTS, the others are discarded.
 */
#include <stdio.h>
#include <string.h>

#include <bvisor/bvisor.h>
#include <bvisor/journal.h>

enum { NAMES_MAX = 64, NAME_BYTES = 256, LARGEST_BYTES = 1000000 };

struct chosen {
	char text[NAMES_MAX][NAME_BYTES];
	const char *names[NAMES_MAX];
	size_t count;
};

static int refused(const struct bv_error *err)
{
	fprintf(stderr, "keep_files: %s: %s; %s\n", err->where, err->message, err->remedy);
	return 125;
}

/* Names are the program's: this looks at sizes alone, and prints none of them. */
static bool choose(void *context, const struct bv_artifact *artifact)
{
	struct chosen *chosen = (struct chosen *)context;

	if (!artifact->undecided || artifact->size_bytes > LARGEST_BYTES ||
	    strlen(artifact->name) >= NAME_BYTES)
		return true;
	memcpy(chosen->text[chosen->count], artifact->name, strlen(artifact->name) + 1);
	chosen->names[chosen->count] = chosen->text[chosen->count];
	return ++chosen->count < NAMES_MAX;
}

static enum bv_code run_to_end(struct bv_run *run, struct bv_report **ret_report,
			       struct bv_error *err)
{
	enum bv_run_state state = BV_RUN_STARTING;

	while (state != BV_RUN_ENDED) {
		enum bv_code code = bv_run_step(run, &state, err);

		if (code == BV_OK && state != BV_RUN_ENDED)
			code = bv_run_wait(run, -1, err);
		if (code != BV_OK)
			return code;
	}
	return bv_run_finish(run, ret_report, err);
}

static enum bv_code settle(struct bv_journal *journal, const char *attempt, const char *results,
			   struct bv_error *err)
{
	static struct chosen chosen;
	struct bv_artifacts_order order;
	enum bv_code code = bv_artifacts_list(journal, attempt, choose, &chosen, err);

	memset(&order, 0, sizeof order);
	order.names = chosen.names;
	order.count = chosen.count;
	order.directory = results;
	if (code == BV_OK && chosen.count > 0)
		code = bv_artifacts_commit(journal, attempt, &order, NULL, NULL, err);
	if (code == BV_OK)
		code = bv_artifacts_discard(journal, attempt, NULL, 0, NULL, NULL, err);
	/* Nothing was left that nobody decided about. */
	return code == BV_E_STATE ? BV_OK : code;
}

int main(int argc, char **argv)
{
	struct bv_journal_options where;
	struct bv_run_options options;
	struct bv_error err;
	struct bv_journal *journal = NULL;
	struct bv_report *report = NULL;
	struct bv_spec *spec = bv_spec_new();
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	int status = 0;

	memset(&err, 0, sizeof err);
	memset(&where, 0, sizeof where);
	memset(&options, 0, sizeof options);
	if (argc < 5 || spec == NULL) {
		fprintf(stderr, "usage: keep_files JOURNAL OUT RESULTS PROGRAM [ARG...]\n");
		bv_spec_free(spec);
		return 125;
	}
	where.path = argv[1];
	if (bv_journal_open(&where, &journal, &err) != BV_OK)
		status = refused(&err);
	options.journal = journal;
	if (status == 0 &&
	    (bv_spec_program(spec, argv[4], (size_t)argc - 5, (const char *const *)argv + 5,
			     &err) != BV_OK ||
	     bv_spec_runtime(spec, BV_USE_RUNTIME_SYSTEM, &err) != BV_OK ||
	     bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, argv[2], &err) != BV_OK ||
	     bv_spec_output(spec, argv[2], 0, &err) != BV_OK ||
	     bv_spec_cwd(spec, argv[2], &err) != BV_OK ||
	     bv_plan_make(spec, NULL, &plan, &err) != BV_OK ||
	     bv_run_start(plan, &options, &run, &err) != BV_OK ||
	     run_to_end(run, &report, &err) != BV_OK ||
	     settle(journal, bv_run_attempt(run), argv[3], &err) != BV_OK))
		status = refused(&err);
	else if (status == 0)
		fprintf(stderr, "keep_files: it %s and left %lu files\n", bv_report_summary(report),
			(unsigned long)bv_report_artifact_count(report));
	bv_report_free(report);
	bv_run_free(run);
	bv_plan_free(plan);
	bv_spec_free(spec);
	bv_journal_close(journal);
	return status;
}
