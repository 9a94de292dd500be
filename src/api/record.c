/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a run writes into a journal, and when: each step durable before the next may happen. */
#include "api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "contract/value.h"

/* ---- Values that are not kept ---------------------------------------------------------------- */

static bool withhold_from(const struct bv_requirement *requirement)
{
	struct bv_env_entry_list *entries;
	bool any = false;

	if (requirement->tag != BV_REQ_CAPABILITY ||
	    requirement->u.capability.tag != BV_CAP_ENVIRONMENT)
		return false;
	entries = (struct bv_env_entry_list *)(uintptr_t)&requirement->u.capability.u.environment
			  .policy.u.entries;
	for (size_t i = 0; i < entries->count; i++) {
		if (entries->items[i].source.tag != BV_ENV_LITERAL)
			continue;
		entries->items[i].source = (struct bv_env_source){.tag = BV_ENV_WITHHELD};
		any = true;
	}
	return any;
}

static bool withhold_from_admitted(const struct bv_admitted_requirement_list *admitted)
{
	bool any = false;

	for (size_t i = 0; i < admitted->count; i++)
		any |= withhold_from(&admitted->items[i].requirement);
	return any;
}

enum bv_code bv__record_withhold(const struct bv__recording *recording, struct bv_arena *arena,
				 struct bv_report_body *body, struct bv_error *err)
{
	struct bv_report_body copy;
	enum bv_code code;

	if (!recording->journal || bv__journal_keeps_values(recording->journal))
		return BV_OK;
	/* The backend's facts may be the plan's own memory. */
	code = bv_value_copy(arena, &bv_report_body_type, body, &copy, err);
	if (code != BV_OK)
		return code;
	(void)withhold_from_admitted(&copy.admitted);
	for (size_t i = 0; i < copy.denied.count; i++)
		(void)withhold_from(&copy.denied.items[i].requirement);
	for (size_t i = 0; i < copy.findings.count; i++) {
		const struct bv_boundary_finding *finding = &copy.findings.items[i];

		(void)withhold_from(finding->tag == BV_FINDING_NO_CONFINEMENT
					    ? &finding->u.unconfined.requirement
					    : &finding->u.admitted.requirement);
	}
	*body = copy;
	return BV_OK;
}

/* ---- What was asked -------------------------------------------------------------------------- */

static void put_limits(struct bv_writer *writer, const struct bv_admitted_budgets *budgets)
{
	struct bv_admitted_budgets asked = *budgets;
	struct bv_admitted_budget *const each[] = {
		&asked.wall_micros,   &asked.cpu_micros,   &asked.resident_bytes,
		&asked.process_count, &asked.handle_count, &asked.storage_bytes,
		&asked.network_bytes,
	};

	for (size_t i = 0; i < sizeof each / sizeof *each; i++)
		*each[i] = (struct bv_admitted_budget){
			.effective_limit = each[i]->effective_limit,
			.required_guarantee = each[i]->required_guarantee,
			.required_evidence = each[i]->required_evidence,
		};
	bv_canon_encode(writer, &bv_admitted_budgets_type, &asked);
}

/* The same for the same request, whatever the machine has learnt in between. */
static void digest_request(const struct bv_boundary_plan *plan, struct bv_digest *ret_digest)
{
	struct bv_hash_writer hasher;

	bv_hash_writer_open(&hasher);
	bv_put_str(&hasher.writer, plan->backend);
	bv_canon_encode(&hasher.writer, &bv_workload_type, &plan->workload);
	bv_put_array(&hasher.writer, plan->admitted.count);
	for (size_t i = 0; i < plan->admitted.count; i++)
		bv_canon_encode(&hasher.writer, &bv_requirement_type,
				&plan->admitted.items[i].requirement);
	put_limits(&hasher.writer, &plan->budgets);
	bv_canon_encode(&hasher.writer, &bv_evidence_requirements_type, &plan->evidence);
	bv_put_bool(&hasher.writer, plan->has_execution);
	if (plan->has_execution)
		bv_canon_encode(&hasher.writer, &bv_execution_options_type, &plan->execution);
	bv_hash_writer_close(&hasher, ret_digest);
}

struct bv_str bv__record_program(const struct bv_boundary_plan *plan)
{
	return plan->workload.tag == BV_WORKLOAD_PROCESS ? plan->workload.u.process.exe
							 : plan->workload.u.wasm.module_ref;
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* Whether it stood once; what that record said may have been removed. */
static enum bv_code note_bound(void *context, const struct bv__record *record,
			       struct bv_error *unused)
{
	bool *bound = context;

	(void)unused; /* nothing to fail at */
	*bound = *bound || record->kind == BV_EVENT_BOUND;
	return BV_OK;
}

/* Inside the transaction that would record the start: what the key was used for before. */
static enum bv_code check_key(struct bv_journal *journal, void *context, struct bv_error *err)
{
	struct bv__recording *recording = context;
	struct bv__attempt first;
	bool found = false, bound = false;
	enum bv_code code = bv__journal_find_key(journal, recording->key, &found, &first, err);

	if (code != BV_OK || !found)
		return code;
	if (!bv_digest_equal(&first.request, &recording->request))
		return bv_fail_remedy(err, BV_E_CONFLICT, "idempotency-key", "choose another key",
				      "the key '%s' was used for another request", recording->key);
	switch (first.state) {
	case BV_ATTEMPT_REPORTED:
		/* Or somebody could pass off as done what never ran. */
		code = bv__attempt_prove(journal, &first, err);
		if (code != BV_OK)
			return code;
		recording->repeated = true;
		recording->attempt = first.id;
		return BV_E_STATE;
	case BV_ATTEMPT_STARTED:
	case BV_ATTEMPT_BOUND:
		return bv_fail_remedy(err, BV_E_BUSY, "idempotency-key", "ask again later",
				      "the run with the key '%s' has not ended", recording->key);
	default:
		break;
	}
	code = bv__journal_records(journal, &first.id, 0, 0, note_bound, &bound, err);
	if (code != BV_OK)
		return code;
	/* Lost before it could run: then this is the first that may. */
	if (first.state == BV_ATTEMPT_ROLLED_BACK && !bound)
		return BV_OK;
	return bv_fail_remedy(err, BV_E_STATE, "idempotency-key",
			      "look with bvisor journal show, then choose another key",
			      "the run with the key '%s' was lost and may have done its work",
			      recording->key);
}

/* What a long list of what was left may add to the report. */
static size_t room_for_left(const struct bv_boundary_plan *plan)
{
	enum { ROOM_FOR_ARTIFACTS = 2 << 20, ROOM_FOR_DELTA = 4 << 20 };
	const struct bv_execution_options *options = &plan->execution;

	if (!plan->has_execution)
		return 0;
	return (options->has_output_dir ? (size_t)ROOM_FOR_ARTIFACTS : 0) +
	       (options->has_delta ? (size_t)ROOM_FOR_DELTA : 0);
}

static enum bv_code encode_start(struct bv__recording *recording,
				 const struct bv_boundary_plan *plan, struct bv_arena *arena,
				 struct bv__entry entries[2], struct bv_error *err)
{
	struct bv_started_event started = {.has_attempt = true, .attempt = recording->attempt};
	struct bv_request_event request = {
		.program = bv__record_program(plan),
		.backend = plan->backend,
		.plan_id = plan->plan_id,
		.request_digest = recording->request,
		.principal = (uint32_t)geteuid(),
		.host = {(uint32_t)getpid(), bv__process_start_ticks(getpid())},
		.host_version = BV_STR(BVISOR_VERSION),
		.has_idempotency_key = recording->key != NULL,
	};
	enum bv_code code = bv_value_copy(arena, &bv_boundary_plan_type, plan, &started.plan, err);

	if (code != BV_OK)
		return code;
	if (!bv__journal_keeps_values(recording->journal))
		request.values_withheld = withhold_from_admitted(&started.plan.admitted);
	if (recording->key)
		request.idempotency_key = bv_str_from(recording->key);
	bv__host_place(arena, &request.place);
	entries[0] = (struct bv__entry){BV_EVENT_STARTED,
					bv_canon_bytes(arena, &bv_started_event_type, &started)};
	entries[1] = (struct bv__entry){BV_EVENT_REQUEST,
					bv_canon_bytes(arena, &bv_request_event_type, &request)};
	return entries[0].payload.data && entries[1].payload.data
		       ? BV_OK
		       : bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
}

static enum bv_code check_key_text(const char *key, struct bv_error *err)
{
	const size_t len = strlen(key);

	if (len == 0 || len > BV_JOURNAL_KEY_MAX || !bv_utf8_valid(bv_str_from(key)))
		return bv_fail_remedy(err, BV_E_ARGUMENT, "idempotency-key",
				      "use a short name, such as a UUID",
				      "an idempotency key is text of 1 to %d bytes",
				      (int)BV_JOURNAL_KEY_MAX);
	return BV_OK;
}

enum bv_code bv__record_start(struct bv__recording *recording, const struct bv_boundary_plan *plan,
			      struct bv_arena *arena, struct bv_error *err)
{
	struct bv__entry entries[2];
	struct bv__append append = {.entries = entries, .count = 2};
	struct bv_error why = {0};
	enum bv_code code = BV_OK;

	recording->reserve.fd = -1;
	if (!recording->journal)
		return BV_OK;
	if (recording->key)
		code = check_key_text(recording->key, err);
	if (code != BV_OK)
		return code;
	digest_request(plan, &recording->request);
	code = encode_start(recording, plan, arena, entries, err);
	if (code == BV_OK)
		code = bv__reserve_take(recording->journal,
					BV_JOURNAL_RESERVE + 2 * entries[0].payload.len +
						room_for_left(plan),
					&recording->reserve, err);
	if (code != BV_OK)
		return code;
	append.attempt = recording->attempt;
	if (recording->key) {
		append.check = check_key;
		append.context = recording;
	}
	code = bv__journal_append(recording->journal, &append, &why);
	if (recording->repeated) {
		bv__reserve_release(&recording->reserve);
		return BV_OK;
	}
	recording->started = code == BV_OK;
	if (code != BV_OK && err)
		*err = why;
	return code;
}

enum bv_code bv__record_gate(struct bv__recording *recording, const struct bv_backend_bound *bound,
			     struct bv_error *err)
{
	struct bv_host_process processes[3];
	struct bv_bound_event event = {.processes = {processes, 0},
				       .groups = bound->groups,
				       .directories = bound->directories};
	_Alignas(16) uint8_t memory[16 << 10];
	struct bv__entry entry = {.kind = BV_EVENT_BOUND};
	struct bv__append append = {.attempt = recording->attempt,
				    .entries = &entry,
				    .count = 1,
				    .durable = true};
	struct bv_arena arena;

	for (size_t i = 0; i < 3; i++) {
		if (bound->processes[i] > 0)
			processes[event.processes.count++] = (struct bv_host_process){
				(uint32_t)bound->processes[i],
				bv__process_start_ticks(bound->processes[i])};
	}
	bv_arena_init(&arena, memory, sizeof memory);
	bv__host_place(&arena, &event.place);
	entry.payload = bv_canon_bytes(&arena, &bv_bound_event_type, &event);
	if (!entry.payload.data)
		return bv_fail(err, BV_E_MEMORY, "journal",
			       "the boundary has more parts than a record holds");
	return bv__journal_append(recording->journal, &append, err);
}

/* ---- Refusal --------------------------------------------------------------------------------- */

enum bv_code bv__record_refusal(struct bv_journal *journal, struct bv_str program,
				const struct bv_error *why, struct bv_error *err)
{
	_Alignas(16) uint8_t memory[16 << 10];
	struct bv_arena arena;
	struct bv_refused_event event = {.code = bv_str_from(bv_code_name(why->code)),
					 .principal = (uint32_t)geteuid()};
	struct bv__entry entry = {.kind = BV_EVENT_REFUSED};
	struct bv__append append = {.entries = &entry, .count = 1, .durable = true};

	bv_arena_init(&arena, memory, sizeof memory);
	/* A path may be as long as the kernel takes; its beginning tells which. */
	event.program = bv_arena_utf8(&arena,
				      (struct bv_str){program.data,
						      program.len < 1024 ? program.len : 1024});
	event.where = bv_arena_utf8(&arena, bv_str_from(why->where));
	event.message = bv_arena_utf8(&arena, bv_str_from(why->message));
	entry.payload = bv_canon_bytes(&arena, &bv_refused_event_type, &event);
	if (!entry.payload.data)
		return bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
	if (getrandom(append.attempt.bytes, sizeof append.attempt.bytes, 0) !=
	    (ssize_t)sizeof append.attempt.bytes)
		return bv_fail(err, BV_E_SYSTEM, "attempt", "the kernel gives no random bytes");
	return bv__journal_append(journal, &append, err);
}

/* ---- End ------------------------------------------------------------------------------------- */

static enum bv_code tell_lost(struct bv__recording *recording, struct bv_str bytes,
			      const struct bv_error *why, struct bv_error *err)
{
	char path[BV_REMEDY_SIZE];
	enum bv_code code;

	/* The room was for the report, wherever that goes. */
	bv__reserve_release(&recording->reserve);
	bv__journal_spill(recording->journal, &recording->attempt, bytes, path, sizeof path);
	if (path[0])
		code = bv_fail_remedy(
			err, why->code, "journal", path,
			"the program ran, and its report is not in the journal but in a file beside it: %s",
			why->message);
	else
		code = bv_fail_remedy(err, why->code, "journal", why->remedy,
				      "the program ran, and its report is not in the journal: %s",
				      why->message);
	if (err)
		err->sys_errno = why->sys_errno;
	return code;
}

enum bv_code bv__record_keep(struct bv__recording *recording, int fd, uint64_t most,
			     struct bv_digest *ret_content, uint64_t *ret_size_bytes,
			     struct bv_error *err)
{
	struct bv__blob blob;
	enum bv_code code = BV_OK;

	if (recording->blobs.dir < 0)
		code = bv__blobs_begin(recording->journal, &recording->attempt, &recording->blobs,
				       err);
	if (code == BV_OK)
		code = bv__blobs_copy(&recording->blobs, fd, most, &blob, err);
	if (code != BV_OK)
		return code;
	*ret_content = blob.digest;
	*ret_size_bytes = blob.size_bytes;
	return BV_OK;
}

static enum bv_code keep_streams(struct bv__recording *recording, const struct bv_report *report,
				 struct bv_kept_event *kept, struct bv_error *err)
{
	static const char *const names[2] = {"/stdout", "/stderr"};
	enum bv_code code = BV_OK;

	for (size_t i = 0; recording->keeps_output && code == BV_OK && i < 2; i++) {
		struct bv__blob blob;

		if (report->output_bytes[i] == 0)
			continue;
		if (recording->blobs.dir < 0)
			code = bv__blobs_begin(recording->journal, &recording->attempt,
					       &recording->blobs, err);
		if (code == BV_OK)
			code = bv__blobs_put(&recording->blobs, report->output[i],
					     report->output_bytes[i], &blob, err);
		if (code == BV_OK)
			kept->blobs.items[kept->blobs.count++] = (struct bv_kept_blob){
				bv_str_from(names[i]), blob.digest, blob.size_bytes};
	}
	return code;
}

/* The bytes of the record about what was kept; of length 0 where nothing was. */
static enum bv_code encode_kept(struct bv__recording *recording, struct bv_arena *arena,
				const struct bv_report *report, struct bv_str *ret_bytes,
				struct bv_error *err)
{
	const struct bv_staged_artifact_list *artifacts = &report->value.body.artifacts;
	struct bv_kept_event kept = {{NULL, 0}};
	enum bv_code code;

	*ret_bytes = (struct bv_str){NULL, 0};
	kept.blobs.items = bv_arena_array(arena, artifacts->count + 2, sizeof *kept.blobs.items);
	if (!kept.blobs.items)
		return bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
	for (size_t i = 0; recording->blobs.dir >= 0 && i < artifacts->count; i++)
		kept.blobs.items[kept.blobs.count++] = (struct bv_kept_blob){
			artifacts->items[i].name, artifacts->items[i].content_hash,
			artifacts->items[i].size_bytes};
	code = keep_streams(recording, report, &kept, err);
	if (code == BV_OK && kept.blobs.count > 0)
		code = bv__blobs_seal(&recording->blobs, err);
	if (code != BV_OK || kept.blobs.count == 0)
		return code;
	*ret_bytes = bv_canon_bytes(arena, &bv_kept_event_type, &kept);
	return ret_bytes->data
		       ? BV_OK
		       : bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
}

/* The report is recorded, and what was left is not kept. */
static enum bv_code tell_not_kept(const struct bv_error *why, struct bv_error *err)
{
	bv_fail_remedy(
		err, why->code, "journal", why->remedy,
		"the program ran and its report is in the journal, but what it left is not kept: %s",
		why->message);
	if (err)
		err->sys_errno = why->sys_errno;
	return why->code;
}

enum bv_code bv__record_report(struct bv__recording *recording, struct bv_arena *arena,
			       const struct bv_report *report, struct bv_error *err)
{
	struct bv_report_event event = {report->value};
	struct bv__entry entries[2] = {{BV_EVENT_REPORT,
					bv_canon_bytes(arena, &bv_report_event_type, &event)},
				       {.kind = BV_EVENT_KEPT}};
	struct bv__append append = {.attempt = recording->attempt,
				    .entries = entries,
				    .count = 1,
				    .durable = true,
				    .reserve = &recording->reserve};
	struct bv_error why = {0}, not_kept = {0};
	enum bv_code code;

	if (!recording->journal || recording->ended)
		return BV_OK;
	if (!entries[0].payload.data)
		return bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
	code = encode_kept(recording, arena, report, &entries[1].payload, &not_kept);
	if (code == BV_OK && entries[1].payload.data)
		append.count = 2;
	code = bv__journal_append(recording->journal, &append, &why);
	bv__blobs_end(&recording->blobs);
	if (code != BV_OK)
		return tell_lost(recording,
				 bv_canon_bytes(arena, &bv_boundary_report_type, &report->value),
				 &why, err);
	recording->ended = true;
	bv__reserve_release(&recording->reserve);
	return not_kept.code == BV_OK ? BV_OK : tell_not_kept(&not_kept, err);
}

void bv__record_abandon(struct bv__recording *recording, const struct bv_boundary_plan *plan,
			const char *reason)
{
	const struct bv_recovery_result_event result = {.reason = bv_str_from(reason)};
	const struct bv_recovery_event verdict = {.plan_id = plan->plan_id,
						  .classification = BV_RECOVERY_ROLLED_BACK,
						  .has_attempt = true,
						  .attempt = recording->attempt};
	_Alignas(16) uint8_t memory[4096];
	struct bv__entry entries[2];
	struct bv__append append = {.attempt = recording->attempt,
				    .entries = entries,
				    .count = 2,
				    .durable = true,
				    .reserve = &recording->reserve};
	struct bv_arena arena;

	if (recording->started && !recording->ended) {
		bv_arena_init(&arena, memory, sizeof memory);
		entries[0] = (struct bv__entry){BV_EVENT_RECOVERY_RESULT,
						bv_canon_bytes(&arena,
							       &bv_recovery_result_event_type,
							       &result)};
		entries[1] = (struct bv__entry){BV_EVENT_RECOVERY,
						bv_canon_bytes(&arena, &bv_recovery_event_type,
							       &verdict)};
		/* If it cannot be written, the next opening finds the attempt without an end and settles it. */
		if (entries[0].payload.data && entries[1].payload.data)
			(void)bv__journal_append(recording->journal, &append, NULL);
		recording->ended = true;
	}
	bv__blobs_end(&recording->blobs);
	bv__reserve_release(&recording->reserve);
}
