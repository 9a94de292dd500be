/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_report.c - seals, events, and the simulated backend from plan to sealed report. */
#include "contract_helpers.h"

#include "contract/event.h"
#include "contract/json.h"
#include "contract/report.h"
#include "contract/support.h"

/* ---- one simulated run ------------------------------------------------------------------------ */

struct witness {
	struct bv_sim_recorder recorder;
	unsigned int effects;
	char kinds[256];
};

static void record(struct bv_sim_recorder *recorder, const char *kind, const char *detail)
{
	struct witness *witness = (struct witness *)recorder;

	EXPECT(detail[0] != '\0');
	witness->effects++;
	strcat(witness->kinds, kind);
	strcat(witness->kinds, " ");
}

static struct bv_boundary_spec spec_captured(void)
{
	struct bv_boundary_spec spec = spec_launch();

	spec_add_control(&spec, control_capture(true, true, false));
	spec_add_capability(&spec, cap_network_none());
	return spec;
}

static struct bv_boundary_plan plan_for(const struct bv_backend *backend,
					const struct bv_boundary_spec *spec)
{
	struct bv_boundary_plan plan;

	EXPECT_OK(bv_plan_boundary(backend, spec, arena_now(), &plan, err));
	return plan;
}

static const struct bv_backend_options quiet = {.attempt = {{1, 2, 3}}};

static void step_to_the_end(const struct bv_backend *backend, struct bv_backend_run *run)
{
	enum bv_backend_state state = BV_BACKEND_STARTING;

	for (int i = 0; i < 10 && state != BV_BACKEND_ENDED; i++)
		EXPECT_OK(backend->step(run, &state, err));
	EXPECT_UINT(state, BV_BACKEND_ENDED);
}

static struct bv_boundary_report run_to_report(const struct bv_backend *backend,
					       const struct bv_boundary_plan *plan)
{
	struct bv_boundary_report report;
	struct bv_backend_run *run = NULL;
	struct bv_report_body body;

	EXPECT_OK(backend->start(backend->self, plan, &quiet, &run, err));
	step_to_the_end(backend, run);
	EXPECT_OK(backend->finish(run, arena_now(), &body, err));
	backend->free_run(run);
	EXPECT_OK(bv_report_seal(arena_now(), &body, &report, err));
	return report;
}

TEST(an_honest_run_seals_and_verifies_the_same_every_time)
{
	const struct bv_backend backend = bv_sim_backend;
	struct bv_boundary_spec spec = spec_captured();
	struct bv_boundary_report report, again;
	struct bv_boundary_plan plan;

	spec_budgets(&spec, 64, BV_MIN_MEDIATED);
	plan = plan_for(&backend, &spec);
	EXPECT_UINT(plan.admitted.count, 3);
	report = run_to_report(&backend, &plan);
	again = run_to_report(&backend, &plan);
	EXPECT_UINT(report.body.outcome, BV_OUTCOME_COMPLETED);
	EXPECT(bv_digest_equal(&report.body_hash, &again.body_hash));
	EXPECT_OK(bv_report_check(arena_now(), &report, err));
	EXPECT_OK(bv_report_check_plan(&report, &plan, &quiet.attempt, err));
	/* Sorted findings: then the hash is that of the stored bytes. */
	{
		struct bv_digest stored;

		bv_canon_hash(&bv_report_body_type, &report.body, &stored);
		EXPECT(bv_digest_equal(&stored, &report.body_hash));
	}
}

TEST(a_sealed_report_survives_bytes_and_json)
{
	const struct bv_backend backend = bv_sim_backend;
	const struct bv_boundary_spec spec = spec_captured();
	const struct bv_boundary_plan plan = plan_for(&backend, &spec);
	struct bv_boundary_report report = run_to_report(&backend, &plan), decoded;
	const struct bv_str bytes = bytes_of(&bv_boundary_report_type, &report);
	const struct bv_str json = bv_json_text(arena_now(), &bv_boundary_report_type, &report,
						BV_JSON_PRETTY);

	decode_ok(&bv_boundary_report_type, bytes, &decoded);
	EXPECT_OK(bv_report_check(arena_now(), &decoded, err));
	EXPECT_OK(bv_json_decode(arena_now(), &bv_boundary_report_type, json.data, json.len,
				 &decoded, err));
	EXPECT_OK(bv_report_check(arena_now(), &decoded, err));
	EXPECT(bv_str_equal(bytes_of(&bv_boundary_report_type, &decoded), bytes));
}

TEST(findings_are_sealed_sorted_and_checked_in_any_order)
{
	const struct bv_backend backend = bv_sim_backend;
	const struct bv_boundary_spec spec = spec_captured();
	const struct bv_boundary_plan plan = plan_for(&backend, &spec);
	struct bv_boundary_report report = run_to_report(&backend, &plan);
	struct bv_boundary_finding *items = report.body.findings.items, swap = items[0];
	size_t used;

	EXPECT(report.body.findings.count >= 3);
	for (size_t i = 1; i < report.body.findings.count; i++)
		EXPECT(bv_value_compare(&bv_boundary_finding_type, &items[i - 1], &items[i]) <= 0);
	items[0] = items[2];
	items[2] = swap;
	used = arena_now()->used;
	EXPECT_OK(bv_report_check(arena_now(), &report, err));
	EXPECT_UINT(arena_now()->used, used);
	EXPECT(bv_value_compare(&bv_boundary_finding_type, &items[2], &swap) == 0);
	/* Any other list is hashed as it stands. */
	{
		const struct bv_admitted_requirement first = report.body.admitted.items[0];

		report.body.admitted.items[0] = report.body.admitted.items[1];
		report.body.admitted.items[1] = first;
		EXPECT_FAILS(bv_report_check(arena_now(), &report, err), BV_E_INTEGRITY,
			     "body_hash", "altered");
	}
}

TEST(every_field_of_a_report_is_bound_by_its_hash)
{
	struct random random = {random_seed(31)};
	unsigned int altered = 0;

	for (int round = 0; round < 400; round++) {
		struct bv_boundary_report report, decoded;
		struct bv_report_body body;
		struct bv_str bytes;
		uint8_t *damaged;

		arena_reset();
		random_value(&random, &bv_report_body_type, &body);
		body.schema_version = 1;
		EXPECT_OK(bv_report_seal(arena_now(), &body, &report, err));
		EXPECT_OK(bv_report_check(arena_now(), &report, err));
		bytes = bytes_of(&bv_boundary_report_type, &report);
		damaged = bv_arena_alloc(arena_now(), bytes.len);
		memcpy(damaged, bytes.data, bytes.len);
		damaged[random_below(&random, bytes.len)] ^= (uint8_t)(1u
								       << random_below(&random, 8));
		if (bv_canon_decode(arena_now(), &bv_boundary_report_type, damaged, bytes.len,
				    &decoded, NULL) != BV_OK)
			continue;
		altered++;
		EXPECT_STR(bv_code_name(bv_report_check(arena_now(), &decoded, NULL)), "integrity");
	}
	EXPECT_THAT(altered > 50, "only %u of 400 damaged reports decoded: this tests nothing",
		    altered);
}

TEST(a_report_that_cannot_be_written_is_not_sealed)
{
	struct bv_report_body body = {.schema_version = 1, .backend = S("\xff")};
	struct bv_boundary_report report;

	EXPECT_FAILS(bv_report_seal(arena_now(), &body, &report, err), BV_E_ARGUMENT, "backend",
		     "not UTF-8");
	body.backend = BV_STR("x");
	body.outcome = (enum bv_outcome)99;
	EXPECT_FAILS(bv_report_seal(arena_now(), &body, &report, err), BV_E_ARGUMENT, "outcome",
		     "none of the known");
}

TEST(a_report_of_another_plan_backend_or_attempt_is_told_apart)
{
	const struct bv_backend backend = bv_sim_backend;
	struct bv_boundary_spec spec = spec_captured(), other_spec = spec_captured();
	const struct bv_digest other_attempt = {{9}};
	struct bv_boundary_plan plan, other, renamed;
	struct bv_boundary_report report;

	other_spec.workload.u.process.exe = BV_STR("/bin/false");
	plan = plan_for(&backend, &spec);
	other = plan_for(&backend, &other_spec);
	report = run_to_report(&backend, &plan);
	EXPECT_OK(bv_report_check_plan(&report, &plan, NULL, err));
	EXPECT_FAILS(bv_report_check_plan(&report, &other, NULL, err), BV_E_INTEGRITY,
		     "body.plan_id", "another plan");
	EXPECT_FAILS(bv_report_check_plan(&report, &plan, &other_attempt, err), BV_E_INTEGRITY,
		     "body.attempt", "another attempt");
	renamed = plan;
	renamed.backend = BV_STR("linux");
	EXPECT_FAILS(bv_report_check_plan(&report, &renamed, NULL, err), BV_E_INTEGRITY,
		     "body.backend", "another backend");
	report.body.schema_version = 2;
	EXPECT_FAILS(bv_report_check(arena_now(), &report, err), BV_E_INTEGRITY,
		     "body.schema_version", "version 2");
}

/* ---- events ---------------------------------------------------------------------------------- */

TEST(the_four_events_round_trip)
{
	const struct bv_backend backend = bv_sim_backend;
	const struct bv_boundary_spec spec = spec_captured();
	const struct bv_boundary_plan plan = plan_for(&backend, &spec);
	const struct bv_boundary_report report = run_to_report(&backend, &plan);
	const struct bv_started_event started = {.plan = plan,
						 .has_attempt = true,
						 .attempt = {{4}}};
	const struct bv_report_event reported = {.report = report};
	const struct bv_recovery_event recovered = {
		.plan_id = plan.plan_id,
		.classification = BV_RECOVERY_ROLLED_BACK,
		.quarantined = LIST(struct bv_quarantine_record, {S("process"), S("pidfd:7")})};
	const struct bv_disposition_event disposed = {.plan_id = plan.plan_id,
						      .phase = {.tag = BV_PHASE_FAILED,
								.u.failed = {S("disk full")}}};
	const struct {
		uint16_t kind;
		const void *value;
	} events[] = {{BV_EVENT_STARTED, &started},
		      {BV_EVENT_REPORT, &reported},
		      {BV_EVENT_RECOVERY, &recovered},
		      {BV_EVENT_DISPOSITION, &disposed}};

	for (size_t i = 0; i < 4; i++) {
		const struct bv_type *type = bv_event_type(events[i].kind);
		static _Alignas(16) uint8_t decoded[8192];

		EXPECT(type != NULL && type->size_bytes <= sizeof decoded);
		decode_ok(type, bytes_of(type, events[i].value), decoded);
		EXPECT_INT(bv_value_compare(type, events[i].value, decoded), 0);
		EXPECT_UINT(events[i].kind, 0xe001 + i);
	}
	EXPECT(bv_event_type(0xe000) == NULL);
	EXPECT(bv_event_type(0xe005) == NULL);
}

/* Written by hand from the rules of canon.h: these bytes never change. */
TEST(what_was_kept_has_these_bytes)
{
#define TWOS "\x02\x02\x02\x02\x02\x02\x02\x02"
	static const char kept_bytes[] = "\x81\xa5"
					 "blobs"
					 "\x91\x83\xa4"
					 "name"
					 "\xa1"
					 "a"
					 "\xac"
					 "content_hash"
					 "\xdc\x00\x20" TWOS TWOS TWOS TWOS "\xaa"
					 "size_bytes"
					 "\x05";
	static const char artifact_bytes[] = "\x85\xab"
					     "artifact_id"
					     "\xdc\x00\x20" TWOS TWOS TWOS TWOS "\xac"
					     "content_hash"
					     "\xdc\x00\x20" TWOS TWOS TWOS TWOS "\xa4"
					     "name"
					     "\xa1"
					     "a"
					     "\xaa"
					     "size_bytes"
					     "\x05"
					     "\xa4"
					     "mode"
					     "\xcd\x01\xa4";
	static const char left_bytes[] = "\x82\xa4"
					 "name"
					 "\xa1"
					 "l"
					 "\xa5"
					 "cause"
					 "\xa4"
					 "Link";
	struct bv_digest twos;
	struct bv_kept_blob blob = {.name = S("a"), .size_bytes = 5};
	struct bv_staged_artifact artifact = {.name = S("a"),
					      .has_size_bytes = true,
					      .size_bytes = 5,
					      .has_mode = true,
					      .mode = 0644};
	const struct bv_left_out left = {.name = S("l"), .cause = BV_LEFT_LINK};
	const struct bv_kept_event kept = {{&blob, 1}};
	struct bv_str bytes;

	memset(twos.bytes, 2, sizeof twos.bytes);
	blob.content_hash = artifact.artifact_id = artifact.content_hash = twos;
	bytes = bytes_of(&bv_kept_event_type, &kept);
	EXPECT_BYTES(bytes.data, bytes.len, kept_bytes, sizeof kept_bytes - 1);
	bytes = bytes_of(&bv_staged_artifact_type, &artifact);
	EXPECT_BYTES(bytes.data, bytes.len, artifact_bytes, sizeof artifact_bytes - 1);
	bytes = bytes_of(&bv_left_out_type, &left);
	EXPECT_BYTES(bytes.data, bytes.len, left_bytes, sizeof left_bytes - 1);
	EXPECT_UINT(BV_EVENT_KEPT, 0xe109);
	EXPECT_UINT(BV_EVENT_DECISION, 0xe10a);
	EXPECT_UINT(BV_EVENT_REMOVED, 0xe10b);
#undef TWOS
}

TEST(an_artifact_s_identity_is_attempt_place_and_bytes)
{
	const struct bv_digest a = {{1}}, b = {{2}};
	struct bv_digest id, other;

	bv_artifact_id(&a, BV_STR("out"), &b, &id);
	bv_artifact_id(&a, BV_STR("out"), &b, &other);
	EXPECT(bv_digest_equal(&id, &other));
	bv_artifact_id(&b, BV_STR("out"), &b, &other);
	EXPECT(!bv_digest_equal(&id, &other));
	bv_artifact_id(&a, BV_STR("out2"), &b, &other);
	EXPECT(!bv_digest_equal(&id, &other));
	bv_artifact_id(&a, BV_STR("out"), &a, &other);
	EXPECT(!bv_digest_equal(&id, &other));
}

/* ---- the simulation, honest and lying ---------------------------------------------------------- */

TEST(the_simulated_snapshot_is_the_reference_s)
{
	struct bv_profile_snapshot snapshot;
	struct bv_digest digest;
	char hex[65];

	EXPECT_OK(bv_sim_backend.probe(NULL, arena_now(), &snapshot, err));
	EXPECT_UINT(bv_canon_size(&bv_profile_snapshot_type, &snapshot), 778);
	bv_canon_hash(&bv_profile_snapshot_type, &snapshot, &digest);
	bv_digest_hex(&digest, hex);
	EXPECT_STR(hex, "939176660a5a4257bcceb63a97920dea911c8099bbca6bd897de337725c52dbb");
	bv_canon_hash(&bv_budget_profile_type, &snapshot.budget, &digest);
	bv_digest_hex(&digest, hex);
	EXPECT_STR(hex, "236b6770509eb2c28bc5ebf726e4196f33eb08e93f3aa9306b4711339f2f34f0");
}

TEST(an_honest_simulation_reports_how_its_workload_ended)
{
	struct bv_sim sim = {.exit_code = 3,
			     .stdout_text = "out",
			     .stderr_text = "error",
			     .wall_micros = 90};
	const struct bv_backend backend = bv_sim_make(&sim);
	struct bv_boundary_spec spec = spec_captured();
	struct bv_boundary_report report;
	struct bv_boundary_plan plan;
	struct bv_digest digest;

	spec.budgets.has_wall_micros = true;
	spec.budgets.wall_micros.limit = 50;
	plan = plan_for(&backend, &spec);
	report = run_to_report(&backend, &plan);
	EXPECT_UINT(report.body.outcome, BV_OUTCOME_FAILED);
	EXPECT(report.body.has_exit && report.body.exit.tag == BV_EXIT_CODE);
	EXPECT_INT(report.body.exit.u.code, 3);
	EXPECT_UINT(report.body.streams.count, 2);
	bv_hash_str(BV_STR("error"), &digest);
	EXPECT(bv_digest_equal(&report.body.streams.items[1].content_hash, &digest));
	EXPECT_STR(report.body.captured.stdout_ref.data, "inline:3b");
	EXPECT_UINT(report.body.budget.wall_micros.finding, BV_FINDING_LIMIT_REACHED);
	EXPECT_UINT(report.body.budget.cpu_micros.finding, BV_FINDING_UNAVAILABLE);
	EXPECT_STR(report.body.observed.items[0].detail.data, "sim launched process /bin/true");
	EXPECT_STR(report.body.admitted.items[0].mechanism.data, "sim:honest:no-confinement");
	sim.wall_micros = 40;
	report = run_to_report(&backend, &plan);
	EXPECT_UINT(report.body.budget.wall_micros.finding, BV_FINDING_WITHIN_LIMIT);
}

struct reader {
	size_t room, got;
	char text[32];
};

static ptrdiff_t take(void *context, int stream, const void *data, size_t size_bytes)
{
	struct reader *reader = context;
	const size_t taken = size_bytes < reader->room ? size_bytes : reader->room;

	EXPECT_INT(stream, 0);
	memcpy(reader->text + reader->got, data, taken);
	reader->got += taken;
	reader->room = 0;
	return (ptrdiff_t)taken;
}

TEST(a_simulated_run_waits_for_its_reader)
{
	struct bv_sim sim = {.stdout_text = "hello"};
	const struct bv_backend backend = bv_sim_make(&sim);
	const struct bv_boundary_spec spec = spec_captured();
	const struct bv_boundary_plan plan = plan_for(&backend, &spec);
	struct reader reader = {.room = 2};
	const struct bv_backend_options options = {.output = take, .context = &reader};
	struct bv_backend_run *run = NULL;
	enum bv_backend_state state = BV_BACKEND_STARTING;
	const void *text;
	size_t kept;

	EXPECT_OK(backend.start(backend.self, &plan, &options, &run, err));
	for (int i = 0; i < 5; i++)
		EXPECT_OK(backend.step(run, &state, err));
	EXPECT_UINT(state, BV_BACKEND_RUNNING);
	EXPECT_FAILS(backend.finish(run, arena_now(), &(struct bv_report_body){0}, err), BV_E_STATE,
		     "sim", "has not ended");
	reader.room = 9;
	backend.resume(run);
	step_to_the_end(&backend, run);
	EXPECT_STR(reader.text, "hello");
	text = backend.output(run, 0, &kept);
	EXPECT_BYTES(text, kept, "hello", 5);
	backend.free_run(run);
}

TEST(a_killed_simulation_was_killed)
{
	struct bv_sim sim = {.exit_code = 0};
	const struct bv_backend backend = bv_sim_make(&sim);
	const struct bv_boundary_spec spec = spec_captured();
	const struct bv_boundary_plan plan = plan_for(&backend, &spec);
	struct bv_backend_run *run = NULL;
	struct bv_report_body body;

	EXPECT_OK(backend.start(backend.self, &plan, &quiet, &run, err));
	EXPECT_OK(backend.kill(run, err));
	step_to_the_end(&backend, run);
	EXPECT_OK(backend.finish(run, arena_now(), &body, err));
	EXPECT_UINT(body.outcome, BV_OUTCOME_KILLED);
	EXPECT_UINT(body.exit.tag, BV_EXIT_SIGNAL);
	EXPECT_INT(body.exit.u.signal, 9);
	backend.free_run(run);
}

/* What the recorder saw, the report is silent about: whoever compares the two has caught it. */
TEST(every_silent_lie_happens_and_is_not_reported)
{
	static const struct {
		uint32_t lie;
		const char *kind;
	} cases[] = {
		{BV_SIM_SILENT_READ, "secret_served "},
		{BV_SIM_SILENT_NET, "socket_opened "},
		{BV_SIM_SILENT_WRITE, "write_outside "},
		{BV_SIM_SILENT_SPAWN, "child_spawned "},
		{BV_SIM_SILENT_ORPHAN, "orphan_pid "},
		{BV_SIM_SILENT_FD, "fd_leaked "},
		{BV_SIM_SILENT_COMMIT, "artifact_committed "},
		{BV_SIM_SILENT_DENIAL, "denied "},
	};
	const struct bv_boundary_spec spec = spec_captured();

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct witness witness = {{record}, 0, ""}, honest_witness = {{record}, 0, ""};
		struct bv_sim liar = {.lies = cases[i].lie, .recorder = &witness.recorder};
		struct bv_sim honest = {.recorder = &honest_witness.recorder};
		const struct bv_backend lying = bv_sim_make(&liar), telling = bv_sim_make(&honest);
		const struct bv_boundary_plan plan = plan_for(&lying, &spec);
		const struct bv_boundary_report lied = run_to_report(&lying, &plan);
		const struct bv_boundary_report told = run_to_report(&telling, &plan);

		EXPECT_STR(witness.kinds, cases[i].kind);
		EXPECT_UINT(honest_witness.effects, 0);
		/* The two reports are one and the same: from the report alone nobody can tell. */
		EXPECT(bv_digest_equal(&lied.body_hash, &told.body_hash));
		EXPECT_UINT(lied.body.denied.count + lied.body.artifacts.count, 0);
	}
}

TEST(every_other_lie_shows_where_it_should)
{
	struct bv_sim sim = {.exit_code = 7, .stdout_text = "x"};
	const struct bv_backend backend = bv_sim_make(&sim);
	const struct bv_boundary_spec spec = spec_captured();
	const struct bv_boundary_plan plan = plan_for(&backend, &spec);
	struct bv_boundary_report report;
	struct bv_backend_run *run = NULL;
	enum bv_backend_state state;

	sim.lies = BV_SIM_WRONG_OUTCOME;
	report = run_to_report(&backend, &plan);
	EXPECT_UINT(report.body.outcome, BV_OUTCOME_COMPLETED);
	sim.lies = BV_SIM_MISSING_CLAIMS;
	report = run_to_report(&backend, &plan);
	EXPECT(!report.body.has_streams && !report.body.captured.has_stdout_ref);
	sim.lies = BV_SIM_DEEPER_MECHANISM;
	report = run_to_report(&backend, &plan);
	EXPECT_STR(report.body.admitted.items[0].mechanism.data, "sim:landlock+private_root");
	sim.lies = BV_SIM_WRONG_PLAN;
	report = run_to_report(&backend, &plan);
	EXPECT_FAILS(bv_report_check_plan(&report, &plan, NULL, err), BV_E_INTEGRITY,
		     "body.plan_id", "another plan");
	sim.lies = BV_SIM_DRIFT;
	EXPECT_FAILS(bv_plan_recheck(&backend, &plan, arena_now(), NULL, err), BV_E_PROFILE,
		     "profile.probed.weather", "is new");
	sim.lies = BV_SIM_START_FAILS;
	EXPECT_FAILS(backend.start(backend.self, &plan, &quiet, &run, err), BV_E_SYSTEM, "sim",
		     "refuses to start");
	EXPECT(run == NULL);
	sim.lies = BV_SIM_CRASH;
	EXPECT_OK(backend.start(backend.self, &plan, &quiet, &run, err));
	EXPECT_OK(backend.step(run, &state, err));
	EXPECT_FAILS(backend.step(run, &state, err), BV_E_SYSTEM, "sim", "crashed");
	EXPECT_FAILS(backend.finish(run, arena_now(), &report.body, err), BV_E_STATE, "sim",
		     "has not ended");
	backend.free_run(run);
}
