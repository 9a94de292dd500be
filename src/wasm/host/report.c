/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * report.c - the report of a run: what the boundary saw, and what the helper in it said.
 *
 * The boundary's word counts: how the helper ended is the kernel's to tell.  What only the helper can
 * know is taken from it as a workload's own words, and carries their source.
 */
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "contract/budget.h"
#include "contract/report.h"
#include "contract/support.h"
#include "contract/value.h"
#include "wasm/wasi/wasi.h"

enum { OWN_FACTS = 8 };

struct reporting {
	const struct bv__wasm_run *run;
	struct bv_arena *arena;
	struct bv_report_body *body;
	bool full;
};

/* ---- facts ----------------------------------------------------------------------------------- */

static void put_fact(struct reporting *reporting, const char *kind, enum bv_fact_source source,
		     struct bv_str detail)
{
	struct bv_observed_fact_list *facts = &reporting->body->observed;

	reporting->full |= detail.data == NULL;
	facts->items[facts->count++] = (struct bv_observed_fact){.kind = bv_str_from(kind),
								 .detail = detail,
								 .has_source = true,
								 .source = source};
}

static bool make_room(struct reporting *reporting)
{
	struct bv_observed_fact_list *facts = &reporting->body->observed;
	struct bv_observed_fact *more = bv_arena_array(reporting->arena, facts->count + OWN_FACTS,
						       sizeof *more);

	if (more == NULL)
		return false;
	if (facts->count > 0)
		memcpy(more, facts->items, facts->count * sizeof *more);
	facts->items = more;
	return true;
}

static void report_module(struct reporting *reporting)
{
	const struct bv__wasm_run *run = reporting->run;
	const struct bv_wasm_workload *wasm = &run->plan->workload.u.wasm;
	struct bv_arena *arena = reporting->arena;
	char hex[65];

	bv_digest_hex(&run->module.digest, hex);
	put_fact(reporting, "wasm_module", BV_SOURCE_HOST,
		 bv_arena_utf8(arena,
			       bv_arena_format(arena, "%s, %llu bytes, BLAKE3 %s",
					       wasm->module_ref.data,
					       (unsigned long long)run->module.size_bytes, hex)));
	put_fact(reporting, "wasm_engine", BV_SOURCE_HOST,
		 bv_arena_format(arena, "%s, %s%s", BV_WASM_ENGINE,
				 wasm->has_engine && wasm->engine == BV_WASM_INTERPRETED
					 ? "interpreted: no executable memory"
					 : "compiled to machine code",
				 wasm->has_deterministic && wasm->deterministic ? ", deterministic"
										: ""));
	if (run->from_cache)
		put_fact(reporting, "wasm_code", BV_SOURCE_HOST,
			 BV_STR("kept from an earlier run"));
	else
		put_fact(reporting, "wasm_code", BV_SOURCE_HOST,
			 bv_arena_format(arena, "compiled in %llu us to %llu bytes",
					 (unsigned long long)(run->compile_ns / 1000),
					 (unsigned long long)run->code_bytes));
}

/*
 * What the engine has counted.  Between two calls a register has the count, so of a guest that a timer
 * stopped it is that of the last call: no less was used.
 */
static void report_fuel(struct reporting *reporting)
{
	const struct bv_wasm_workload *wasm = &reporting->run->plan->workload.u.wasm;
	const struct wasm_result *result = &reporting->run->result;
	struct bv_arena *arena = reporting->arena;
	const bool least = result->end == WASM_END_WALL || result->end == WASM_END_CPU;
	const unsigned long long used = result->fuel_used, limit = wasm->has_fuel ? wasm->fuel : 0;
	struct bv_str text;

	if (result->end == WASM_END_NONE)
		text = BV_STR("not known: it was killed while it ran");
	else if (wasm->has_fuel)
		text = bv_arena_format(arena, "%s%llu of %llu units of " BV_WASM_ENGINE,
				       least ? "at least " : "", used, limit);
	else
		text = bv_arena_format(arena, "%s%llu units of " BV_WASM_ENGINE ", no limit",
				       least ? "at least " : "", used);
	put_fact(reporting, "wasm_fuel", BV_SOURCE_GUEST, text);
}

static void report_usage(struct reporting *reporting)
{
	const struct bv__wasm_run *run = reporting->run;
	const struct wasm_result *result = &run->result;
	struct bv_arena *arena = reporting->arena;

	if (!run->has_result) {
		put_fact(reporting, "wasm_result", BV_SOURCE_HOST,
			 BV_STR("the helper left nothing that could be read"));
		return;
	}
	report_fuel(reporting);
	put_fact(
		reporting, "wasm_lock", BV_SOURCE_GUEST,
		result->stage >= WASM_STAGE_LOCKED
			? BV_STR("before the first instruction: no new code, the granted directories, no network")
			: BV_STR("not reached"));
	if (result->end == WASM_END_NONE)
		return;
	put_fact(reporting, "wasm_memory", BV_SOURCE_GUEST,
		 bv_arena_format(arena, "%llu of %llu bytes",
				 (unsigned long long)result->memory_bytes,
				 (unsigned long long)run->guest_memory_bytes));
	put_fact(reporting, "wasi_calls", BV_SOURCE_GUEST,
		 bv_arena_format(arena, "%llu, %llu refused", (unsigned long long)result->calls,
				 (unsigned long long)result->denied_calls));
	if (result->end == WASM_END_TRAP || result->end == WASM_END_STACK)
		put_fact(reporting, "wasm_trap", BV_SOURCE_GUEST,
			 bv_arena_utf8(arena, bv_str_from(result->message)));
}

/* ---- what WASI refused ----------------------------------------------------------------------- */

static const struct bv_requirement *find_requirement(const struct bv_boundary_plan *plan,
						     enum bv_requirement_kind kind)
{
	for (size_t i = 0; i < plan->admitted.count; i++)
		if (bv_kind_of(&plan->admitted.items[i].requirement) == kind)
			return &plan->admitted.items[i].requirement;
	return NULL;
}

static const char *const reasons[] = {
	[WASI_DENIED_OUTSIDE] = "leads out of its directory",
	[WASI_DENIED_READ] = "its directory is not granted for reading",
	[WASI_DENIED_WRITE] = "its directory is not granted for writing",
	[WASI_DENIED_ACROSS] = "between directories that are granted differently",
	[WASI_DENIED_KIND] = "a device, a pipe with a name or a socket",
	[WASI_DENIED_HOST] = "the boundary refused it",
	[WASI_DENIED_NETWORK] = "there is no network",
};

_Static_assert(sizeof reasons / sizeof *reasons == WASI_DENIAL_REASON_COUNT, "one for each");

static void report_denied(struct reporting *reporting)
{
	const struct bv__wasm_run *run = reporting->run;
	const struct wasm_result *result = &run->result;
	struct bv_denied_attempt_list *list = &reporting->body->denied;
	struct bv_denied_attempt *more = bv_arena_array(reporting->arena,
							list->count + result->denied_count,
							sizeof *more);

	if (more == NULL) {
		reporting->full = true;
		return;
	}
	if (list->count > 0)
		memcpy(more, list->items, list->count * sizeof *more);
	list->items = more;
	for (uint32_t i = 0; i < result->denied_count; i++) {
		const struct wasm_denied *denied = &result->denied[i];
		const struct bv_requirement *requirement = find_requirement(
			run->plan, denied->reason == WASI_DENIED_NETWORK ? BV_KIND_NETWORK_DENY_ALL
									 : BV_KIND_FILESYSTEM);
		const char *why = denied->reason < WASI_DENIAL_REASON_COUNT
					  ? reasons[denied->reason]
					  : "refused";
		struct bv_str detail = bv_arena_utf8(
			reporting->arena,
			bv_arena_format(reporting->arena, "%s%s%s%s: %s", denied->function,
					denied->path[0] != '\0' ? " '" : "", denied->path,
					denied->path[0] != '\0' ? "'" : "", why));

		if (requirement == NULL)
			continue;
		reporting->full |= detail.data == NULL;
		list->items[list->count++] = (struct bv_denied_attempt){
			.requirement = *requirement,
			.detail = detail,
			.has_count = true,
			.count = denied->count,
			.has_source = true,
			.source = BV_SOURCE_GUEST,
		};
	}
}

/* ---- how it ended ---------------------------------------------------------------------------- */

static void stop(struct bv_report_body *body, enum bv_outcome outcome, enum bv_limit limit)
{
	body->outcome = outcome;
	body->has_stopped_by = true;
	body->stopped_by = limit;
	body->has_exit = false;
}

static void refuse(struct bv_report_body *body, struct bv_str message)
{
	body->outcome = BV_OUTCOME_UNSUPPORTED;
	body->has_exit = false;
	body->has_stopped_by = false;
	body->has_exec_failure = true;
	body->exec_failure = (struct bv_exec_failure){BV_STR("module"), 0, message};
}

/* The helper ended by itself; what with, it says. */
static void judge(struct reporting *reporting)
{
	const struct wasm_result *result = &reporting->run->result;
	struct bv_report_body *body = reporting->body;
	const int code = body->exit.u.code;

	switch ((enum wasm_end)result->end) {
	case WASM_END_EXIT:
		/* Of an exit code the kernel hands on eight bits; who says another one is not believed. */
		if ((int)(result->exit_code & 0xff) == code)
			body->exit.u.code = (int32_t)result->exit_code;
		body->outcome = body->exit.u.code == 0 ? BV_OUTCOME_COMPLETED : BV_OUTCOME_FAILED;
		break;
	case WASM_END_TRAP:
	case WASM_END_STACK:
		body->outcome = BV_OUTCOME_FAILED;
		body->has_exit = code != WASM_EXIT_STOPPED;
		break;
	case WASM_END_FUEL:
		stop(body, BV_OUTCOME_KILLED, BV_LIMIT_FUEL);
		break;
	case WASM_END_WALL:
		stop(body, BV_OUTCOME_TIMEOUT, BV_LIMIT_WALL);
		break;
	case WASM_END_CPU:
		stop(body, BV_OUTCOME_KILLED, BV_LIMIT_CPU);
		break;
	case WASM_END_REFUSED:
		refuse(body, bv_arena_utf8(reporting->arena, bv_str_from(result->message)));
		break;
	case WASM_END_NONE:
	case WASM_END_RETURN:
	case WASM_END_COUNT:
		break;
	}
}

static void report_outcome(struct reporting *reporting)
{
	const struct bv__wasm_run *run = reporting->run;
	struct bv_report_body *body = reporting->body;

	/* Killed, by whomever: the boundary knows by whom. */
	if (run->phase == BV_WASM_RUNNING) {
		if (run->has_result && body->has_exit && body->exit.tag == BV_EXIT_CODE)
			judge(reporting);
		return;
	}
	if (run->has_result && run->result.end == WASM_END_REFUSED)
		refuse(body, bv_arena_utf8(reporting->arena, bv_str_from(run->result.message)));
	else if (body->has_stopped_by)
		refuse(body,
		       bv_arena_format(
			       reporting->arena,
			       "compiling it takes more than it may: the compiler's own %s limit",
			       bv_name_of(&bv_limit_type, (uint32_t)body->stopped_by)));
	else if (!run->kill_asked && body->outcome != BV_OUTCOME_SUPERVISOR_FAULT)
		refuse(body, BV_STR("the compiler broke off without saying why"));
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* The inner plan's are ours; the caller's are what is reported against. */
static void report_budgets(struct reporting *reporting)
{
	const struct bv__wasm_run *run = reporting->run;
	struct bv_report_body *body = reporting->body;
	struct bv_budget_witnesses seen = body->budget;

	bv_budget_witness_none(&run->plan->budgets, &body->budget);
	if (run->phase != BV_WASM_RUNNING)
		return;
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const enum bv_dimension dimension = (enum bv_dimension)d;
		const struct bv_budget_witness *witness = bv_budget_witness_in(&seen, dimension);
		struct bv_measurement measured = {
			.usage = witness->observed_usage,
			.reached = witness->finding == BV_FINDING_LIMIT_REACHED ||
				   (body->has_stopped_by &&
				    body->stopped_by == (enum bv_limit)dimension),
			.mechanism = witness->mechanism,
		};

		if (witness->supplied_guarantee.tag == BV_GUARANTEE_MEDIATED)
			measured.mediated = witness->supplied_guarantee.u.mediated;
		if (dimension == BV_DIMENSION_STORAGE && run->has_result &&
		    witness->finding == BV_FINDING_UNAVAILABLE) {
			measured.usage = run->result.storage_bytes;
			measured.reached = run->result.storage_reached != 0;
			measured.mechanism = BV_STR("wasm:wasi_storage");
		} else if (witness->finding == BV_FINDING_UNAVAILABLE) {
			continue;
		}
		bv_budget_witness(&run->plan->budgets, dimension, &measured, &body->budget);
	}
}

static void report_requirements(struct reporting *reporting)
{
	struct bv_report_body *body = reporting->body;
	/* As the boundary says it: held only if there was something to hold it against. */
	const bool held = reporting->run->phase == BV_WASM_RUNNING && body->findings.count > 0;

	body->admitted = reporting->run->plan->admitted;
	body->findings.count = 0;
	if (held && !bv_report_held(reporting->arena, body))
		reporting->full = true;
}

enum bv_code bv__wasm_finish(struct bv__wasm_run *run, struct bv_arena *arena,
			     struct bv_report_body *ret_body, struct bv_error *err)
{
	struct bv_report_body body = {0};
	struct reporting reporting = {run, arena, &body, false};
	enum bv_code code = run->native->finish(run->under, arena, &body, err);

	if (code != BV_OK)
		return code;
	body.plan_id = run->plan->plan_id;
	body.backend = run->plan->backend;
	body.profile = run->plan->profile;
	if (!make_room(&reporting))
		return bv_fail(err, BV_E_MEMORY, "report", "no memory for a report");
	report_outcome(&reporting);
	report_module(&reporting);
	if (run->phase == BV_WASM_RUNNING) {
		report_usage(&reporting);
		report_denied(&reporting);
	}
	report_budgets(&reporting);
	report_requirements(&reporting);
	if (reporting.full)
		return bv_fail(err, BV_E_MEMORY, "report", "no memory for a report");
	return bv_value_copy(arena, &bv_report_body_type, &body, ret_body, err);
}
