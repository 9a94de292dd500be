/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Plans: made, shown, written. */
#include "api.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/plan.h"
#include "contract/support.h"
#include "report/text.h"
#include "wasm/host/module.h"

static struct bv_verdict classify(const struct bv_backend *backend,
				  const struct bv_requirement *requirement,
				  const struct bv_profile *profile)
{
	return backend->classify ? backend->classify(backend->self, requirement, profile)
				 : bv_verdict_ceiling(requirement, profile);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* What holds for the files beyond the roots that were named. */
static struct bv_str with_execution(struct bv_arena *arena, struct bv_str detail,
				    const struct bv_boundary_plan *plan)
{
	static const char *const sets[] = {
		[BV_RUNTIME_NONE] = "no runtime files",
		[BV_RUNTIME_LIBRARIES] = "runtime: system libraries",
		[BV_RUNTIME_SYSTEM] = "runtime: system libraries and programs",
	};
	const struct bv_execution_options *execution = &plan->execution;
	enum bv_runtime_set set = plan->has_execution && execution->has_runtime
					  ? execution->runtime
					  : BV_RUNTIME_LIBRARIES;
	/* A guest needs nothing of the host's to start. */
	struct bv_str text = plan->workload.tag == BV_WORKLOAD_WASM
				     ? detail
				     : bv_arena_format(arena, "%s; %s", detail.data, sets[set]);

	for (size_t i = 0;
	     plan->has_execution && execution->has_deny && text.data && i < execution->deny.count;
	     i++)
		text = bv_arena_format(arena, "%s%s%s", text.data, i == 0 ? "; denied: " : ", ",
				       execution->deny.items[i].data);
	return text;
}

static const char *reason_of(const struct bv_profile *profile, enum bv_requirement_kind kind)
{
	return profile->reason[kind] ? profile->reason[kind] : "";
}

/*
 * The row of all requirements from `first` on that are of one kind and held alike: they follow each
 * other, because a plan is sorted.  Returns how many; 0 when the arena is full.
 */
static size_t make_row(struct bv_plan *plan, struct bv_arena *arena,
		       const struct bv_profile *profile, size_t first, struct bv_plan_row *row)
{
	const struct bv_admitted_requirement *items = plan->value.admitted.items;
	const struct bv_admitted_requirement *admitted = &items[first];
	const enum bv_requirement_kind kind = bv_kind_of(&admitted->requirement);
	struct bv_verdict verdict = classify(plan->backend, &admitted->requirement, profile);
	struct bv_str evidence = bv_evidence_text(arena, verdict.evidence);
	struct bv_str detail = bv__text_requirement(arena, &admitted->requirement);
	size_t count = 1;

	for (; detail.data && first + count < plan->value.admitted.count; count++) {
		const struct bv_admitted_requirement *next = &items[first + count];
		struct bv_str more;

		if (bv_kind_of(&next->requirement) != kind ||
		    !bv_str_equal(next->mechanism, admitted->mechanism))
			break;
		more = bv__text_requirement(arena, &next->requirement);
		if (!more.data)
			return 0;
		detail = bv_arena_format(arena, "%s, %s", detail.data, more.data);
	}
	if (detail.data && kind == BV_KIND_FILESYSTEM)
		detail = with_execution(arena, detail, &plan->value);
	if (detail.data && admitted->enforcement != BV_ENFORCED && *reason_of(profile, kind))
		detail = bv_arena_format(arena, "%s%sweaker because %s", detail.data,
					 detail.len ? "; " : "", reason_of(profile, kind));
	*row = (struct bv_plan_row){
		.requirement = bv_kind_name(kind),
		.detail = detail.data,
		.verdict = bv_enforcement_name(admitted->enforcement),
		.mechanism = admitted->mechanism.data,
		.evidence = evidence.data,
	};
	return detail.data && evidence.data ? count : 0;
}

static bool make_budget_row(const struct bv_plan *plan, struct bv_arena *arena,
			    enum bv_dimension dimension, struct bv_plan_row *row)
{
	const struct bv_admitted_budget *admitted = bv_budget_admitted_in(&plan->value.budgets,
									  dimension);
	struct bv_str name = bv_arena_format(arena, "Budget %s", bv__text_dimension(dimension));
	struct bv_str limit = bv__text_amount(arena, dimension, admitted->effective_limit);
	struct bv_str evidence = bv_evidence_text(arena, admitted->promised_evidence);

	*row = (struct bv_plan_row){
		.requirement = name.data,
		.detail = limit.data,
		.verdict = bv_enforcement_name(admitted->selected_guarantee),
		.mechanism = admitted->mechanism.data,
		.evidence = evidence.data,
	};
	return name.data && limit.data && evidence.data;
}

static bool make_rows(struct bv_plan *plan, struct bv_arena *arena)
{
	const size_t most = plan->value.admitted.count + BV_DIMENSION_COUNT;
	struct bv_profile profile = {0};

	plan->rows = bv_arena_array(arena, most, sizeof *plan->rows);
	if (!plan->rows)
		return false;
	plan->backend->profile(plan->backend->self, &plan->value.profile,
			       plan->value.has_execution ? &plan->value.execution : NULL, &profile);
	for (size_t i = 0, taken; i < plan->value.admitted.count; i += taken) {
		taken = make_row(plan, arena, &profile, i, &plan->rows[plan->row_count++]);
		if (taken == 0)
			return false;
	}
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		if (!bv_budget_admitted_in(&plan->value.budgets, (enum bv_dimension)d))
			continue;
		if (!make_budget_row(plan, arena, (enum bv_dimension)d,
				     &plan->rows[plan->row_count++]))
			return false;
	}
	return true;
}

/* ---- Making ---------------------------------------------------------------------------------- */

struct planning {
	const struct bv_spec *spec;
	struct bv_plan *plan;
	bool has_digest;
	struct bv_digest digest; /* of the module as it is now */
};

/* A path alone would let another module run than the one that was looked at. */
static enum bv_code pin_module(struct planning *planning, struct bv_error *err)
{
	const struct bv_workload *workload = &planning->spec->value.workload;
	struct bv__wasm_module module;
	enum bv_code code;

	if (workload->tag != BV_WORKLOAD_WASM || workload->u.wasm.has_digest ||
	    workload->u.wasm.module_ref.len == 0 ||
	    strcmp(planning->plan->backend->id, "wasm") != 0)
		return BV_OK;
	code = bv__wasm_module_read(workload->u.wasm.module_ref.data, &module, err);
	if (code != BV_OK)
		return code;
	close(module.fd);
	planning->digest = module.digest;
	planning->has_digest = true;
	return BV_OK;
}

static enum bv_code decide(struct bv_arena *arena, void *context, struct bv_error *err)
{
	struct planning *planning = context;
	struct bv_plan *plan = planning->plan;
	struct bv_boundary_spec spec = planning->spec->value;
	enum bv_code code;

	if (planning->has_digest) {
		spec.workload.u.wasm.has_digest = true;
		spec.workload.u.wasm.digest = planning->digest;
	}
	code = bv_plan_boundary(plan->backend, &spec, arena, &plan->value, err);

	if (code != BV_OK)
		return code;
	bv_digest_hex(&plan->value.plan_id, plan->id);
	plan->row_count = 0;
	return make_rows(plan, arena)
		       ? BV_OK
		       : bv_fail(err, BV_E_MEMORY, "", "there is no memory for a plan");
}

enum bv_code bv_plan_make(const struct bv_spec *spec, const char *backend,
			  struct bv_plan **ret_plan, struct bv_error *err)
{
	struct bv_plan *plan;
	struct planning planning;
	enum bv_code code;

	if (!spec || !ret_plan)
		return bv_fail(err, BV_E_ARGUMENT, "", "there is no spec to plan");
	plan = calloc(1, sizeof *plan);
	if (!plan)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a plan");
	planning = (struct planning){.spec = spec, .plan = plan};
	if (!backend && spec->value.workload.tag == BV_WORKLOAD_WASM)
		backend = "wasm";
	code = bv__backend_find(backend, &plan->backend, err);
	if (code == BV_OK)
		code = pin_module(&planning, err);
	if (code == BV_OK)
		code = bv__memory_make(&plan->arena, decide, &planning, err);
	if (code == BV_OK)
		code = bv__secrets_copy(&spec->secrets, &plan->secrets, err);
	if (code != BV_OK) {
		bv_plan_free(plan);
		return code;
	}
	*ret_plan = plan;
	return BV_OK;
}

void bv_plan_free(struct bv_plan *plan)
{
	if (!plan)
		return;
	bv__secrets_wipe(&plan->secrets);
	bv__memory_unmap(&plan->arena);
	free(plan);
}

/* ---- Looking --------------------------------------------------------------------------------- */

size_t bv_plan_row_count(const struct bv_plan *plan)
{
	return plan->row_count;
}

struct bv_plan_row bv_plan_row(const struct bv_plan *plan, size_t index)
{
	static const struct bv_plan_row none = {"", "", "", "", ""};

	return index < plan->row_count ? plan->rows[index] : none;
}

const char *bv_plan_id(const struct bv_plan *plan)
{
	return plan->id;
}

const char *bv_plan_backend(const struct bv_plan *plan)
{
	return plan->backend->id;
}

enum bv_code bv_plan_to_json(const struct bv_plan *plan, char **ret_text, struct bv_error *err)
{
	return bv__json_out(&bv_boundary_plan_type, &plan->value, ret_text, err);
}

enum bv_code bv_plan_to_bytes(const struct bv_plan *plan, void **ret_data, size_t *ret_size_bytes,
			      struct bv_error *err)
{
	return bv__bytes_out(&bv_boundary_plan_type, &plan->value, ret_data, ret_size_bytes, err);
}
