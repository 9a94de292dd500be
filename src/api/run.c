/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Runs: rechecked, started, watched, sealed. */
#include "api.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "contract/plan.h"
#include "contract/report.h"
#include "contract/value.h"

struct bv_run {
	struct bv_arena arena;
	const struct bv_backend *backend;
	struct bv_boundary_plan plan;
	struct bv_profile_snapshot snapshot; /* of the second probe */
	struct bv__recording recording;      /* has the attempt's id */
	char attempt_hex[65];
	struct bv_backend_run *run; /* NULL when an earlier run answers */
	bv_output_fn output;
	void *context;
	bool ended;
	uint64_t started_unix_micros;
};

static ptrdiff_t forward(void *context, int stream, const void *data, size_t size_bytes)
{
	struct bv_run *run = context;

	/* Gone when the run is freed before its end: then it is drained and nobody listens. */
	if (!run->output)
		return (ptrdiff_t)size_bytes;
	return run->output(run->context, stream == 0 ? BV_STDOUT : BV_STDERR, data, size_bytes);
}

/* ---- Secrets --------------------------------------------------------------------------------- */

static const struct bv_env_entry_list *environment_of(const struct bv_boundary_plan *plan)
{
	static const struct bv_env_entry_list none = {NULL, 0};

	for (size_t i = 0; i < plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &plan->admitted.items[i].requirement;

		if (requirement->tag == BV_REQ_CAPABILITY &&
		    requirement->u.capability.tag == BV_CAP_ENVIRONMENT)
			return &requirement->u.capability.u.environment.policy.u.entries;
	}
	return &none;
}

/* One for each lease of the plan; borrowed from `secrets`. */
static enum bv_code gather_secrets(struct bv_run *run, const struct bv__secrets *secrets,
				   struct bv_backend_options *options, struct bv_error *err)
{
	const struct bv_env_entry_list *entries = environment_of(&run->plan);
	struct bv_backend_secret *list = bv_arena_array(&run->arena, entries->count, sizeof *list);
	size_t count = 0;

	if (!list)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for secrets");
	for (size_t i = 0; i < entries->count; i++) {
		const struct bv_env_source *source = &entries->items[i].source;
		const struct bv__secret *secret;

		if (source->tag != BV_ENV_SECRET_LEASE)
			continue;
		secret = bv__secrets_find(secrets, source->u.lease);
		if (!secret)
			return bv_fail_remedy(
				err, BV_E_ARGUMENT, "secret",
				"give it with bv_spec_secret, or --secret NAME=FILE",
				"there is no value for the secret '%s' of the variable %s",
				source->u.lease.data, entries->items[i].name.data);
		list[count++] = (struct bv_backend_secret){.name = source->u.lease,
							   .value = secret->value,
							   .size_bytes = secret->size_bytes};
	}
	options->secrets = list;
	options->secret_count = count;
	return BV_OK;
}

/* ---- Start ----------------------------------------------------------------------------------- */

struct copying {
	const struct bv_plan *plan;
	struct bv_run *run;
};

static enum bv_code copy_and_recheck(struct bv_arena *arena, void *context, struct bv_error *err)
{
	const struct copying *copying = context;
	struct bv_run *run = copying->run;
	enum bv_code code = bv_value_copy(arena, &bv_boundary_plan_type, &copying->plan->value,
					  &run->plan, err);

	if (code == BV_OK)
		code = bv_plan_recheck(run->backend, &run->plan, arena, &run->snapshot, err);
	return code;
}

static enum bv_code make_attempt(struct bv_run *run, struct bv_error *err)
{
	struct timespec now;
	ssize_t n;

	do {
		n = getrandom(run->recording.attempt.bytes, sizeof run->recording.attempt.bytes, 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof run->recording.attempt.bytes)
		return bv_fail(err, BV_E_SYSTEM, "attempt", "the kernel gives no random bytes");
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	run->started_unix_micros = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return BV_OK;
}

/* The journal's files, out of the workload's reach. */
static enum bv_code gather_own_files(struct bv_run *run, struct bv_backend_options *options,
				     struct bv_error *err)
{
	struct bv_str *files = bv_arena_array(&run->arena, BV_JOURNAL_FILES, sizeof *files);

	if (!run->recording.journal)
		return BV_OK;
	if (!files)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a run");
	for (int i = 0; i < BV_JOURNAL_FILES; i++)
		files[i] = bv_str_from(bv__journal_file(run->recording.journal, i));
	options->own_files = files;
	options->own_file_count = BV_JOURNAL_FILES;
	return BV_OK;
}

static enum bv_code gate(void *context, const struct bv_backend_bound *bound, struct bv_error *err)
{
	struct bv_run *run = context;

	return bv__record_gate(&run->recording, bound, err);
}

static enum bv_code keep(void *context, int fd, uint64_t most, struct bv_digest *ret_content,
			 uint64_t *ret_size_bytes, struct bv_error *err)
{
	struct bv_run *run = context;

	return bv__record_keep(&run->recording, fd, most, ret_content, ret_size_bytes, err);
}

static void take_options(struct bv_run *run, const struct bv_run_options *options,
			 struct bv_backend_options *backend_options)
{
	if (!options)
		return;
	run->output = options->output;
	run->context = options->context;
	run->recording.journal = options->journal;
	run->recording.key = options->idempotency_key;
	run->recording.keeps_output = options->keep_output;
	backend_options->terminal_rows = options->terminal_rows;
	backend_options->terminal_columns = options->terminal_columns;
}

/* Records the start, then makes it. */
static enum bv_code launch(struct bv_run *run, struct bv_backend_options *options,
			   struct bv_error *err)
{
	struct bv_arena scratch = {0};
	enum bv_code code = bv__memory_map(&scratch, BV_RECORD_SCRATCH_BYTES, err);

	if (code == BV_OK)
		code = bv__record_start(&run->recording, &run->plan, &scratch, err);
	/* Only needed within that call. */
	run->recording.key = NULL;
	bv__memory_unmap(&scratch);
	run->ended = run->recording.repeated;
	if (code != BV_OK || run->ended)
		return code;
	options->output = run->output ? forward : NULL;
	options->context = run;
	options->attempt = run->recording.attempt;
	options->gate = run->recording.journal ? gate : NULL;
	options->keep = run->recording.journal ? keep : NULL;
	return run->backend->start(run->backend->self, &run->plan, options, &run->run, err);
}

static enum bv_code start(struct bv_run *run, const struct bv_plan *plan,
			  const struct bv_run_options *options, struct bv_error *err)
{
	struct copying copying = {plan, run};
	struct bv_backend_options backend_options = {0};
	enum bv_code code;

	if (!run->backend->start)
		return bv_fail_remedy(err, BV_E_STATE, "backend", "run it on another backend",
				      "the backend %s plans, and never runs anything",
				      run->backend->id);
	take_options(run, options, &backend_options);
	if (!run->recording.journal &&
	    (run->recording.keeps_output ||
	     (plan->value.has_execution && plan->value.execution.has_output_dir)))
		return bv_fail_remedy(
			err, BV_E_ARGUMENT, "journal", "give a journal, or keep nothing",
			"what a program leaves is kept beside a journal, and there is none");
	if (run->recording.key && !run->recording.journal)
		return bv_fail_remedy(err, BV_E_ARGUMENT, "idempotency-key", "give a journal",
				      "without a journal nobody knows what ran before");
	code = bv__memory_make(&run->arena, copy_and_recheck, &copying, err);
	if (code == BV_OK)
		code = make_attempt(run, err);
	if (code == BV_OK)
		code = gather_secrets(run, &plan->secrets, &backend_options, err);
	if (code == BV_OK)
		code = gather_own_files(run, &backend_options, err);
	if (code == BV_OK)
		code = launch(run, &backend_options, err);
	bv_digest_hex(&run->recording.attempt, run->attempt_hex);
	return code;
}

/* What a request is answered with; not that something here is missing or broken. */
static bool is_refusal(enum bv_code code)
{
	return code != BV_E_MEMORY && code != BV_E_JOURNAL && code != BV_E_BUSY &&
	       code != BV_E_SYSTEM && code != BV_E_LAUNCHER;
}

enum bv_code bv_run_start(const struct bv_plan *plan, const struct bv_run_options *options,
			  struct bv_run **ret_run, struct bv_error *err)
{
	char reason[sizeof(struct bv_error)];
	struct bv_error why = {0};
	struct bv_run *run;
	enum bv_code code;

	if (!plan || !ret_run)
		return bv_fail(err, BV_E_ARGUMENT, "", "there is no plan to run");
	run = calloc(1, sizeof *run);
	if (!run)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a run");
	run->backend = plan->backend;
	run->recording.reserve.fd = run->recording.blobs.dir = -1;
	code = start(run, plan, options, &why);
	if (code != BV_OK) {
		if (run->recording.journal && !run->recording.started && is_refusal(code))
			(void)bv__record_refusal(run->recording.journal,
						 bv__record_program(&plan->value), &why,
						 NULL); /* it is refused, recorded or not */
		if (err)
			*err = why;
		(void)snprintf(reason, sizeof reason, "it could not be started: %s", why.message);
		bv__record_abandon(&run->recording, &run->plan, reason);
		bv__memory_unmap(&run->arena);
		free(run);
		return code;
	}
	*ret_run = run;
	return BV_OK;
}

const char *bv_run_attempt(const struct bv_run *run)
{
	return run->attempt_hex;
}

bool bv_run_repeated(const struct bv_run *run)
{
	return run->recording.repeated;
}

/* ---- Watch ----------------------------------------------------------------------------------- */

int bv_run_fd(const struct bv_run *run)
{
	return run->run ? run->backend->fd(run->run) : -1;
}

enum bv_code bv_run_step(struct bv_run *run, enum bv_run_state *ret_state, struct bv_error *err)
{
	enum bv_backend_state state = BV_BACKEND_ENDED;

	if (!run->ended) {
		enum bv_code code = run->backend->step(run->run, &state, err);

		if (code != BV_OK)
			return code;
	}
	switch (state) {
	case BV_BACKEND_STARTING:
		*ret_state = BV_RUN_STARTING;
		break;
	case BV_BACKEND_RUNNING:
		*ret_state = BV_RUN_RUNNING;
		break;
	case BV_BACKEND_ENDED:
		run->ended = true;
		*ret_state = BV_RUN_ENDED;
		break;
	}
	return BV_OK;
}

enum bv_code bv_run_wait(struct bv_run *run, int timeout_ms, struct bv_error *err)
{
	struct pollfd waiting = {.fd = bv_run_fd(run), .events = POLLIN};
	enum bv_code code;

	/* An interruption is as good as something to do: the caller may have a handler to answer to. */
	if (run->ended || waiting.fd < 0 || poll(&waiting, 1, timeout_ms) >= 0 || errno == EINTR)
		return BV_OK;
	code = bv_fail(err, BV_E_SYSTEM, "poll", "cannot wait for the run");
	if (err)
		err->sys_errno = errno;
	return code;
}

static enum bv_code refuse_ended(struct bv_error *err)
{
	return bv_fail(err, BV_E_STATE, "run", "the run has ended");
}

enum bv_code bv_run_input(struct bv_run *run, const void *data, size_t size_bytes,
			  size_t *ret_taken_bytes, struct bv_error *err)
{
	if (run->ended)
		return refuse_ended(err);
	return run->backend->input(run->run, data, size_bytes, ret_taken_bytes, err);
}

bool bv_run_input_ready(const struct bv_run *run)
{
	return !run->ended && run->backend->input_ready(run->run);
}

void bv_run_resume(struct bv_run *run)
{
	if (!run->ended)
		run->backend->resume(run->run);
}

enum bv_code bv_run_resize(struct bv_run *run, unsigned short rows, unsigned short columns,
			   struct bv_error *err)
{
	return run->ended ? refuse_ended(err) : run->backend->resize(run->run, rows, columns, err);
}

enum bv_code bv_run_signal(struct bv_run *run, int signal_number, struct bv_error *err)
{
	return run->ended ? refuse_ended(err) : run->backend->signal(run->run, signal_number, err);
}

enum bv_code bv_run_kill(struct bv_run *run, struct bv_error *err)
{
	/* What has ended is as dead as was wished for. */
	return run->ended ? BV_OK : run->backend->kill(run->run, err);
}

enum bv_code bv_run_stop(struct bv_run *run, struct bv_error *err)
{
	if (run->ended)
		return BV_OK;
	return run->backend->stop ? run->backend->stop(run->run, err)
				  : run->backend->kill(run->run, err);
}

/* ---- End ------------------------------------------------------------------------------------- */

static enum bv_code seal(struct bv_arena *arena, void *context, struct bv_error *err)
{
	struct bv_report *report = ((struct bv_report **)context)[0];
	struct bv_run *run = ((struct bv_run **)context)[1];
	struct bv_report_body body = {0};
	enum bv_code code = run->backend->finish(run->run, arena, &body, err);

	if (code != BV_OK)
		return code;
	/* Which plan, which attempt, on which machine: the runner's to say, whatever the backend says. */
	body.schema_version = BV_REPORT_SCHEMA_VERSION;
	body.has_attempt = true;
	body.attempt = run->recording.attempt;
	if (!body.has_started_unix_micros) {
		body.has_started_unix_micros = true;
		body.started_unix_micros = run->started_unix_micros;
	}
	code = bv_value_copy(arena, &bv_profile_snapshot_type, &run->snapshot, &body.profile, err);
	if (code == BV_OK)
		code = bv__record_withhold(&run->recording, arena, &body, err);
	if (code == BV_OK)
		code = bv_report_seal(arena, &body, &report->value, err);
	if (code == BV_OK)
		code = bv_report_check_plan(&report->value, &run->plan, &run->recording.attempt,
					    err);
	return code;
}

static enum bv_code keep_output(const struct bv_run *run, struct bv_report *report,
				struct bv_error *err)
{
	for (int i = 0; i < 2; i++) {
		size_t size = 0;
		const void *data = run->backend->output(run->run, i, &size);

		if (size == 0)
			continue;
		report->output[i] = malloc(size);
		if (!report->output[i])
			return bv_fail(err, BV_E_MEMORY, "",
				       "there is no memory for %zu bytes of output", size);
		memcpy(report->output[i], data, size);
		report->output_bytes[i] = size;
	}
	return BV_OK;
}

/* The last step: whoever has the report, the journal has it too. */
static enum bv_code record(struct bv_run *run, const struct bv_report *report, struct bv_error *err)
{
	struct bv_arena scratch = {0};
	enum bv_code code;

	if (!run->recording.journal)
		return BV_OK;
	code = bv__memory_map(&scratch, BV_RECORD_SCRATCH_BYTES, err);
	if (code == BV_OK)
		code = bv__record_report(&run->recording, &scratch, report, err);
	bv__memory_unmap(&scratch);
	return code;
}

enum bv_code bv_run_finish(struct bv_run *run, struct bv_report **ret_report, struct bv_error *err)
{
	struct bv_report *report;
	enum bv_code code;

	if (!run->ended)
		return bv_fail_remedy(err, BV_E_STATE, "run", "step it until it says BV_RUN_ENDED",
				      "the run has not ended");
	if (run->recording.repeated)
		return bv_journal_report(run->recording.journal, run->attempt_hex, ret_report, err);
	report = calloc(1, sizeof *report);
	if (!report)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a report");
	code = bv__memory_make(&report->arena, seal, (void *[]){report, run}, err);
	if (code == BV_OK)
		code = bv__report_finish(report, err);
	if (code == BV_OK)
		code = keep_output(run, report, err);
	if (code == BV_OK)
		code = record(run, report, err);
	if (code != BV_OK) {
		bv_report_free(report);
		return code;
	}
	*ret_report = report;
	return BV_OK;
}

enum bv_code bv_run_changes(struct bv_run *run, struct bv_changes **ret_changes,
			    struct bv_error *err)
{
	struct bv_stage *stage = NULL;
	enum bv_code code;

	/* What was answered from the journal ran another time. */
	if (!run->ended || !run->run || !run->backend->take_stage)
		return bv_fail(err, BV_E_STATE, "run",
			       run->ended ? "nothing was staged" : "the run has not ended");
	code = run->backend->take_stage(run->run, &stage, err);
	if (code != BV_OK)
		return code;
	*ret_changes = bv__changes_new(stage, run->recording.journal, &run->recording.attempt,
				       &run->plan.plan_id);
	if (*ret_changes)
		return BV_OK;
	bv__changes_drop(stage);
	return bv_fail(err, BV_E_MEMORY, "", "there is no memory for changes");
}

/* Nothing of a workload may outlive the handle of its run. */
static void kill_and_wait(struct bv_run *run)
{
	enum bv_run_state state = BV_RUN_RUNNING;

	run->output = NULL;
	bv_run_resume(run);
	/* Errors end the waiting: then the launcher sees its host's end of the channel close, and kills. */
	if (bv_run_kill(run, NULL) != BV_OK)
		return;
	while (bv_run_step(run, &state, NULL) == BV_OK && state != BV_RUN_ENDED) {
		if (bv_run_wait(run, -1, NULL) != BV_OK)
			return;
	}
}

void bv_run_free(struct bv_run *run)
{
	if (!run)
		return;
	if (!run->ended)
		kill_and_wait(run);
	if (run->run)
		run->backend->free_run(run->run);
	bv__record_abandon(&run->recording, &run->plan, "its host gave it up");
	bv__memory_unmap(&run->arena);
	free(run);
}

enum bv_code bv_run_confined(const struct bv_spec *spec, struct bv_report **ret_report,
			     struct bv_error *err)
{
	enum bv_run_state state = BV_RUN_STARTING;
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	enum bv_code code;

	if (!ret_report)
		return bv_fail(err, BV_E_ARGUMENT, "", "there is nowhere to put the report");
	code = bv_plan_make(spec, NULL, &plan, err);
	if (code == BV_OK)
		code = bv_run_start(plan, NULL, &run, err);
	bv_plan_free(plan);
	if (code != BV_OK)
		return code;
	for (;;) {
		code = bv_run_step(run, &state, err);
		if (code != BV_OK || state == BV_RUN_ENDED)
			break;
		code = bv_run_wait(run, -1, err);
		if (code != BV_OK)
			break;
	}
	if (code == BV_OK)
		code = bv_run_finish(run, ret_report, err);
	bv_run_free(run);
	return code;
}
