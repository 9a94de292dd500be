/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sim.c - the simulated backend.
 */
#include "sim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/budget.h"
#include "contract/hash.h"
#include "contract/plan.h"
#include "contract/report.h"
#include "contract/support.h"

enum { SIGNAL_KILL = 9, STREAM_COUNT = 2, DEFAULT_CAPTURE_BYTES = 1 << 20 };

struct sim_stream {
	bool captured;
	const char *text;
	size_t size_bytes, kept_bytes, forwarded_bytes;
	bool deaf, done;
};

struct bv_backend_run {
	struct bv_sim *sim;
	const struct bv_boundary_plan *plan;
	struct bv_backend_options options;
	enum bv_backend_state state;
	struct sim_stream streams[STREAM_COUNT];
	int killed_by; /* signal number, 0 for none */
	bool kill_asked;
	int fd;
};

static bool lies(const struct bv_sim *sim, enum bv_sim_lie lie)
{
	return sim != NULL && (sim->lies & (uint32_t)lie) != 0;
}

/* ---- probe and profile ----------------------------------------------------------------------- */

static void sim_budget(struct bv_budget_profile *ret_profile)
{
	static const struct {
		uint64_t available;
		const char *mechanism;
	} rows[BV_DIMENSION_COUNT] = {
		[BV_DIMENSION_WALL] = {60000000, "sim_timer"},
		[BV_DIMENSION_CPU] = {60000000, "sim_cpu_accountant"},
		[BV_DIMENSION_RESIDENT] = {UINT64_C(1) << 32, "sim_mem_accountant"},
		[BV_DIMENSION_PROCESSES] = {64, "sim_process_table"},
		[BV_DIMENSION_HANDLES] = {1024, "sim_descriptor_table"},
		[BV_DIMENSION_STORAGE] = {UINT64_C(1) << 32, "sim_storage_quota"},
		[BV_DIMENSION_NETWORK] = {UINT64_C(1) << 30, "sim_network_meter"},
	};
	struct bv_budget_availability *const cells[BV_DIMENSION_COUNT] = {
		&ret_profile->wall_micros,    &ret_profile->cpu_micros,
		&ret_profile->resident_bytes, &ret_profile->process_count,
		&ret_profile->handle_count,   &ret_profile->storage_bytes,
		&ret_profile->network_bytes,
	};

	for (size_t d = 0; d < BV_DIMENSION_COUNT; d++)
		*cells[d] = (struct bv_budget_availability){
			.available = rows[d].available,
			.enforcement = BV_ENFORCED,
			.evidence = 1u << BV_CLAIM_RESOURCE_USAGE,
			.mechanism = bv_str_from(rows[d].mechanism),
		};
}

static enum bv_code sim_probe(void *self, struct bv_arena *arena,
			      struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	struct bv_sim *sim = self;
	const unsigned int count = sim == NULL ? 0 : ++sim->probe_count;
	struct bv_text_pair *facts = bv_arena_array(arena, 3, sizeof *facts);
	struct bv_text_pair first;

	if (facts == NULL)
		return bv_fail(err, BV_E_MEMORY, "profile", "no memory for the probe");
	facts[0] = (struct bv_text_pair){BV_STR("backend"), BV_STR("sim")};
	facts[1] = (struct bv_text_pair){BV_STR("confinement"), BV_STR("simulated")};
	*ret_snapshot = (struct bv_profile_snapshot){.backend = BV_STR("sim"),
						     .probed = {facts, 2}};
	sim_budget(&ret_snapshot->budget);
	if (lies(sim, BV_SIM_DRIFT)) {
		facts[2] = (struct bv_text_pair){BV_STR("weather"),
						 bv_arena_format(arena, "%u", count)};
		ret_snapshot->probed.count = 3;
	}
	if (lies(sim, BV_SIM_MALFORMED_PROBE)) {
		first = facts[0];
		facts[0] = facts[1];
		facts[1] = first;
	}
	return BV_OK;
}

static void sim_profile(void *self, const struct bv_profile_snapshot *snapshot,
			const struct bv_execution_options *execution,
			struct bv_profile *ret_profile)
{
	(void)self;
	(void)snapshot;
	(void)execution;
	for (size_t kind = 0; kind < BV_KIND_COUNT; kind++) {
		ret_profile->ceiling[kind] = (struct bv_verdict){
			.enforcement = BV_ENFORCED,
			.evidence = (1u << (BV_CLAIM_MECHANISM_ATTESTATION + 1)) - 1,
		};
		ret_profile->primitive[kind] = "none/no-confinement";
		ret_profile->reason[kind] = "";
		ret_profile->remedy[kind] = "";
	}
	ret_profile->primitive[BV_KIND_LAUNCH] = "host_spawn";
	ret_profile->primitive[BV_KIND_CAPTURE] = "host_pipe";
}

static bool sim_runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	(void)workload;
	return true;
}

/* ---- execution ------------------------------------------------------------------------------- */

static void simulate_effects(const struct bv_sim *sim)
{
	static const struct {
		enum bv_sim_lie lie;
		const char *kind, *detail;
	} effects[] = {
		{BV_SIM_SILENT_READ, "secret_served", "secret.key"},
		{BV_SIM_SILENT_NET, "socket_opened", "10.0.0.1:443"},
		{BV_SIM_SILENT_WRITE, "write_outside", "/etc/passwd"},
		{BV_SIM_SILENT_SPAWN, "child_spawned", "4242"},
		{BV_SIM_SILENT_ORPHAN, "orphan_pid", "9001"},
		{BV_SIM_SILENT_FD, "fd_leaked", "7"},
		{BV_SIM_SILENT_COMMIT, "artifact_committed", "out.bin"},
		{BV_SIM_SILENT_DENIAL, "denied", "NetworkDenyAll"},
		{BV_SIM_DEEPER_MECHANISM, "depth", "none/no-confinement"},
	};

	if (sim == NULL || sim->recorder == NULL)
		return;
	for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++)
		if (lies(sim, effects[i].lie))
			sim->recorder->effect(sim->recorder, effects[i].kind, effects[i].detail);
}

static const struct bv_host_control *admitted_control(const struct bv_boundary_plan *plan,
						      enum bv_requirement_kind kind)
{
	for (size_t i = 0; i < plan->admitted.count; i++)
		if (bv_kind_of(&plan->admitted.items[i].requirement) == kind)
			return &plan->admitted.items[i].requirement.u.control;
	return NULL;
}

static void open_stream(struct sim_stream *stream, const char *text, bool captured,
			const struct bv_execution_options *execution)
{
	const uint64_t limit = execution->has_capture_limit_bytes ? execution->capture_limit_bytes
								  : DEFAULT_CAPTURE_BYTES;

	stream->text = text == NULL ? "" : text;
	stream->size_bytes = strlen(stream->text);
	stream->captured = captured;
	if (captured)
		stream->kept_bytes = stream->size_bytes < limit ? stream->size_bytes
								: (size_t)limit;
}

static enum bv_code sim_start(void *self, const struct bv_boundary_plan *plan,
			      const struct bv_backend_options *options,
			      struct bv_backend_run **ret_run, struct bv_error *err)
{
	struct bv_sim *sim = self;
	const struct bv_host_control *capture = admitted_control(plan, BV_KIND_CAPTURE);
	struct bv_backend_run *run;

	if (lies(sim, BV_SIM_START_FAILS))
		return bv_fail(err, BV_E_SYSTEM, "sim",
			       "the simulation refuses to start, as it was told to");
	if (options->gate != NULL) {
		enum bv_code code = options->gate(options->context,
						  &(struct bv_backend_bound){.processes = {0}},
						  err);

		if (code != BV_OK)
			return code;
	}
	run = calloc(1, sizeof *run);
	if (run == NULL)
		return bv_fail(err, BV_E_MEMORY, "sim", "no memory for a run");
	run->sim = sim;
	run->plan = plan;
	run->options = *options;
	/* Polls readable for ever: there is always something to step. */
	run->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (run->fd < 0) {
		free(run);
		return bv_fail(err, BV_E_SYSTEM, "sim", "/dev/null cannot be opened");
	}
	open_stream(&run->streams[0], sim == NULL ? NULL : sim->stdout_text,
		    capture != NULL && capture->u.capture.streams.stdout_stream, &plan->execution);
	open_stream(&run->streams[1], sim == NULL ? NULL : sim->stderr_text,
		    capture != NULL && capture->u.capture.streams.stderr_stream, &plan->execution);
	*ret_run = run;
	return BV_OK;
}

static int sim_fd(struct bv_backend_run *run)
{
	return run->fd;
}

static void forward(struct bv_backend_run *run, int number)
{
	struct sim_stream *stream = &run->streams[number];

	while (!stream->deaf && run->options.output != NULL &&
	       stream->forwarded_bytes < stream->size_bytes) {
		const size_t left = stream->size_bytes - stream->forwarded_bytes;
		const ptrdiff_t taken = run->options.output(run->options.context, number,
							    stream->text + stream->forwarded_bytes,
							    left);

		if (taken == 0)
			return;
		if (taken < 0)
			stream->deaf = true;
		else
			stream->forwarded_bytes += (size_t)taken < left ? (size_t)taken : left;
	}
	stream->done = true;
}

static enum bv_code sim_step(struct bv_backend_run *run, enum bv_backend_state *ret_state,
			     struct bv_error *err)
{
	switch (run->state) {
	case BV_BACKEND_STARTING:
		simulate_effects(run->sim);
		run->state = BV_BACKEND_RUNNING;
		break;
	case BV_BACKEND_RUNNING:
		if (lies(run->sim, BV_SIM_CRASH))
			return bv_fail(err, BV_E_SYSTEM, "sim",
				       "the simulation crashed, as it was told to");
		for (int number = 0; number < STREAM_COUNT; number++)
			forward(run, number);
		if (run->streams[0].done && run->streams[1].done)
			run->state = BV_BACKEND_ENDED;
		break;
	case BV_BACKEND_ENDED:
		break;
	}
	*ret_state = run->state;
	return BV_OK;
}

static enum bv_code sim_input(struct bv_backend_run *run, const void *data, size_t size_bytes,
			      size_t *ret_taken_bytes, struct bv_error *err)
{
	(void)run;
	(void)err;
	*ret_taken_bytes = data == NULL ? 0 : size_bytes; /* read and forgotten */
	return BV_OK;
}

static bool sim_input_ready(struct bv_backend_run *run)
{
	return run->state != BV_BACKEND_ENDED;
}

static void sim_resume(struct bv_backend_run *run)
{
	(void)run; /* the next step offers the output again */
}

static enum bv_code sim_resize(struct bv_backend_run *run, uint16_t rows, uint16_t columns,
			       struct bv_error *err)
{
	(void)rows;
	(void)columns;
	if (!run->plan->execution.has_terminal)
		return bv_fail(err, BV_E_STATE, "terminal", "this run has no terminal");
	return BV_OK;
}

static enum bv_code sim_signal(struct bv_backend_run *run, int signal_number, struct bv_error *err)
{
	if (run->state == BV_BACKEND_ENDED)
		return bv_fail(err, BV_E_STATE, "sim", "the run has ended");
	if (run->killed_by == 0)
		run->killed_by = signal_number;
	return BV_OK;
}

static enum bv_code sim_kill(struct bv_backend_run *run, struct bv_error *err)
{
	(void)err;
	if (run->state != BV_BACKEND_ENDED) {
		run->killed_by = SIGNAL_KILL;
		run->kill_asked = true;
	}
	return BV_OK;
}

static void sim_free(struct bv_backend_run *run)
{
	if (run == NULL)
		return;
	close(run->fd);
	free(run);
}

static const void *sim_output(struct bv_backend_run *run, int stream, size_t *ret_size_bytes)
{
	if (stream < 0 || stream >= STREAM_COUNT || !run->streams[stream].captured ||
	    lies(run->sim, BV_SIM_MISSING_CLAIMS)) {
		*ret_size_bytes = 0;
		return NULL;
	}
	*ret_size_bytes = run->streams[stream].kept_bytes;
	return run->streams[stream].text;
}

/* ---- the report ------------------------------------------------------------------------------ */

static void report_end(const struct bv_backend_run *run, struct bv_report_body *body)
{
	const int code = run->sim == NULL ? 0 : run->sim->exit_code;

	body->has_exit = true;
	body->exit = (struct bv_exit_status){.tag = BV_EXIT_CODE, .u.code = code};
	body->outcome = code == 0 ? BV_OUTCOME_COMPLETED : BV_OUTCOME_FAILED;
	if (run->killed_by != 0) {
		body->exit = (struct bv_exit_status){.tag = BV_EXIT_SIGNAL,
						     .u.signal = run->killed_by};
		body->outcome = run->kill_asked ? BV_OUTCOME_KILLED : BV_OUTCOME_FAILED;
	}
	if (lies(run->sim, BV_SIM_WRONG_OUTCOME)) {
		body->exit = (struct bv_exit_status){.tag = BV_EXIT_CODE, .u.code = 0};
		body->outcome = BV_OUTCOME_COMPLETED;
	}
}

static bool report_requirements(const struct bv_backend_run *run, struct bv_arena *arena,
				struct bv_report_body *body)
{
	const struct bv_admitted_requirement_list *admitted = &run->plan->admitted;

	body->admitted.items = bv_arena_array(arena, admitted->count,
					      sizeof body->admitted.items[0]);
	if (body->admitted.items == NULL)
		return false;
	for (size_t i = 0; i < admitted->count; i++) {
		body->admitted.items[i] = admitted->items[i];
		body->admitted.items[i].mechanism = lies(run->sim, BV_SIM_DEEPER_MECHANISM)
							    ? BV_STR("sim:landlock+private_root")
							    : BV_STR("sim:honest:no-confinement");
	}
	body->admitted.count = admitted->count;
	return bv_report_held(arena, body);
}

static bool report_launch(const struct bv_backend_run *run, struct bv_arena *arena,
			  struct bv_report_body *body)
{
	const struct bv_workload *workload = &run->plan->workload;
	const bool process = workload->tag == BV_WORKLOAD_PROCESS;
	const struct bv_str what = process ? workload->u.process.exe : workload->u.wasm.module_ref;
	struct bv_observed_fact *fact = bv_arena_array(arena, 1, sizeof *fact);

	if (fact == NULL)
		return false;
	fact->kind = BV_STR("workload_launched");
	fact->detail = bv_arena_format(arena, "sim launched %s %.*s", process ? "process" : "wasm",
				       (int)what.len, what.data);
	fact->has_source = true;
	fact->source = BV_SOURCE_HOST;
	body->observed.items = fact;
	body->observed.count = 1;
	return fact->detail.data != NULL;
}

static bool report_streams(const struct bv_backend_run *run, struct bv_arena *arena,
			   struct bv_report_body *body)
{
	static const char *const names[STREAM_COUNT] = {"stdout", "stderr"};

	if (lies(run->sim, BV_SIM_MISSING_CLAIMS))
		return true;
	body->streams.items = bv_arena_array(arena, STREAM_COUNT, sizeof body->streams.items[0]);
	if (body->streams.items == NULL)
		return false;
	for (int i = 0; i < STREAM_COUNT; i++) {
		const struct sim_stream *stream = &run->streams[i];
		struct bv_stream_record *record = &body->streams.items[body->streams.count];
		bool *has_ref = i == 0 ? &body->captured.has_stdout_ref
				       : &body->captured.has_stderr_ref;
		struct bv_str *ref = i == 0 ? &body->captured.stdout_ref
					    : &body->captured.stderr_ref;

		if (!stream->captured)
			continue;
		body->streams.count++;
		*record = (struct bv_stream_record){
			.name = bv_str_from(names[i]),
			.total_bytes = stream->size_bytes,
			.kept_bytes = stream->kept_bytes,
			.forwarded_bytes = stream->forwarded_bytes,
			.complete = true,
		};
		bv_hash_bytes(stream->text, stream->size_bytes, &record->content_hash);
		bv_hash_bytes(stream->text, stream->kept_bytes, &record->kept_hash);
		*has_ref = true;
		*ref = bv_arena_format(arena, "inline:%zub", stream->kept_bytes);
		if (ref->data == NULL)
			return false;
	}
	body->has_streams = body->streams.count != 0;
	return true;
}

static enum bv_code sim_finish(struct bv_backend_run *run, struct bv_arena *arena,
			       struct bv_report_body *ret_body, struct bv_error *err)
{
	const struct bv_measurement wall = {.usage = run->sim == NULL ? 0 : run->sim->wall_micros,
					    .mechanism = BV_STR("sim_timer")};
	const struct bv_measurement processes = {.usage = run->sim == NULL
								  ? 0
								  : run->sim->peak_processes,
						 .mechanism = BV_STR("sim_process_table")};
	enum bv_code code;

	if (run->state != BV_BACKEND_ENDED)
		return bv_fail(err, BV_E_STATE, "sim", "the run has not ended");
	*ret_body = (struct bv_report_body){
		.schema_version = BV_REPORT_SCHEMA_VERSION,
		.plan_id = run->plan->plan_id,
		.backend = run->plan->backend,
		.has_attempt = true,
		.attempt = run->options.attempt,
	};
	if (lies(run->sim, BV_SIM_WRONG_PLAN))
		ret_body->plan_id.bytes[0] ^= 1;
	code = sim_probe(run->sim, arena, &ret_body->profile, err);
	if (code != BV_OK)
		return code;
	report_end(run, ret_body);
	bv_budget_witness_none(&run->plan->budgets, &ret_body->budget);
	bv_budget_witness(&run->plan->budgets, BV_DIMENSION_WALL, &wall, &ret_body->budget);
	if (processes.usage != 0)
		bv_budget_witness(&run->plan->budgets, BV_DIMENSION_PROCESSES, &processes,
				  &ret_body->budget);
	if (!report_requirements(run, arena, ret_body) || !report_launch(run, arena, ret_body) ||
	    !report_streams(run, arena, ret_body))
		return bv_fail(err, BV_E_MEMORY, "sim", "no memory for a report");
	return BV_OK;
}

#define SIM_FUNCTIONS                                                                              \
	.id = "sim", .probe = sim_probe, .profile = sim_profile, .runs = sim_runs,                 \
	.start = sim_start, .fd = sim_fd, .step = sim_step, .input = sim_input,                    \
	.input_ready = sim_input_ready, .resume = sim_resume, .resize = sim_resize,                \
	.signal = sim_signal, .kill = sim_kill, .finish = sim_finish, .output = sim_output,        \
	.free_run = sim_free

const struct bv_backend bv_sim_backend = {SIM_FUNCTIONS};

struct bv_backend bv_sim_make(struct bv_sim *sim)
{
	return (struct bv_backend){SIM_FUNCTIONS, .self = sim};
}
