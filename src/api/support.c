/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a machine can hold, for people who ask before they have a spec. */
#include "api.h"

#include <stdlib.h>

#include "contract/plan.h"
#include "contract/support.h"
#include "contract/value.h"
#include "report/text.h"

struct probing {
	const struct bv_backend *backend;
	const struct bv_boundary_spec *spec; /* NULL: any */
	struct bv_support *support;
};

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static bool fill_requirement(struct bv_arena *arena, const struct bv_profile *profile,
			     const char *backend, enum bv_requirement_kind kind,
			     struct bv_support_row *row)
{
	const struct bv_verdict *verdict = &profile->ceiling[kind];
	struct bv_str evidence = bv_evidence_text(arena, verdict->evidence);
	struct bv_str mechanism = bv_arena_format(arena, "%s:%s", backend,
						  or_empty(profile->primitive[kind]));

	*row = (struct bv_support_row){
		.requirement = bv_kind_name(kind),
		.verdict = bv_enforcement_name(verdict->enforcement),
		.mechanism = verdict->enforcement == BV_UNSUPPORTED ? "" : mechanism.data,
		.evidence = evidence.data,
		.reason = or_empty(profile->reason[kind]),
		.remedy = or_empty(profile->remedy[kind]),
	};
	return evidence.data && mechanism.data;
}

static bool fill_budget(struct bv_arena *arena, const struct bv_budget_profile *budgets,
			const struct bv_profile *profile, enum bv_dimension dimension,
			struct bv_support_row *row)
{
	const struct bv_budget_availability *available = bv_budget_available_in(budgets, dimension);
	struct bv_str name = bv_arena_format(arena, "Budget %s", bv__text_dimension(dimension));
	struct bv_str mechanism = bv_arena_copy(arena, available->mechanism);
	struct bv_str evidence = bv_evidence_text(arena, available->evidence);
	const bool enforced = available->enforcement == BV_ENFORCED;

	*row = (struct bv_support_row){
		.requirement = name.data,
		.verdict = bv_enforcement_name(available->enforcement),
		.mechanism = mechanism.data,
		.evidence = evidence.data,
		/* They may be about another spec than this one. */
		.reason = enforced ? "" : or_empty(profile->budget_reason[dimension]),
		.remedy = enforced ? "" : or_empty(profile->budget_remedy[dimension]),
	};
	return name.data && mechanism.data && evidence.data;
}

static enum bv_code probe(struct bv_arena *arena, void *context, struct bv_error *err)
{
	const struct probing *probing = context;
	const struct bv_backend *backend = probing->backend;
	struct bv_support *support = probing->support;
	const struct bv_boundary_spec *spec = probing->spec;
	struct bv_execution_options execution = {0};
	struct bv_budget_profile budgets;
	struct bv_profile profile = {0};
	bool filled = true;
	enum bv_code code = backend->probe(backend->self, arena, &support->snapshot, err);

	if (code == BV_OK)
		code = bv_value_check(&bv_profile_snapshot_type, &support->snapshot, BV_E_PROFILE,
				      err);
	if (code != BV_OK)
		return code;
	/* What can be kept apart is asked for together with being kept apart. */
	if (spec && spec->has_execution)
		execution = spec->execution;
	execution.has_stage = execution.stage = true;
	backend->profile(backend->self, &support->snapshot, &execution, &profile);
	bv_backend_budgets(backend, &support->snapshot, spec, &budgets);
	for (unsigned int i = 0; i < BV_KIND_COUNT; i++)
		filled &= fill_requirement(arena, &profile, backend->id,
					   (enum bv_requirement_kind)i, &support->rows[i]);
	for (unsigned int i = 0; i < BV_DIMENSION_COUNT; i++)
		filled &= fill_budget(arena, &budgets, &profile, (enum bv_dimension)i,
				      &support->rows[BV_KIND_COUNT + i]);
	return filled ? BV_OK
		      : bv_fail(err, BV_E_MEMORY, "", "there is no memory for a support table");
}

enum bv_code bv_support_probe(const char *backend, const struct bv_spec *spec,
			      struct bv_support **ret_support, struct bv_error *err)
{
	struct probing probing = {0};
	enum bv_code code;

	if (!ret_support)
		return bv_fail(err, BV_E_ARGUMENT, "", "there is nowhere to put the support table");
	probing.support = calloc(1, sizeof *probing.support);
	if (!probing.support)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a support table");
	if (spec)
		probing.spec = &spec->value;
	code = bv__backend_find(backend, &probing.backend, err);
	if (code == BV_OK)
		code = bv__memory_make(&probing.support->arena, probe, &probing, err);
	if (code != BV_OK) {
		bv_support_free(probing.support);
		return code;
	}
	*ret_support = probing.support;
	return BV_OK;
}

void bv_support_free(struct bv_support *support)
{
	if (!support)
		return;
	bv__memory_unmap(&support->arena);
	free(support);
}

size_t bv_support_row_count(const struct bv_support *support)
{
	return sizeof support->rows / sizeof *support->rows;
}

struct bv_support_row bv_support_row(const struct bv_support *support, size_t index)
{
	static const struct bv_support_row none = {"", "", "", "", "", ""};

	return index < bv_support_row_count(support) ? support->rows[index] : none;
}

size_t bv_support_fact_count(const struct bv_support *support)
{
	return support->snapshot.probed.count;
}

/* Facts of a probe are NUL-terminated: every backend makes them with bv_arena_ or of literals. */
const char *bv_support_fact(const struct bv_support *support, size_t index, const char **ret_value)
{
	if (index >= support->snapshot.probed.count)
		return NULL;
	*ret_value = support->snapshot.probed.items[index].value.data;
	return support->snapshot.probed.items[index].key.data;
}
