/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * plan.c - the planner.
 */
#include "plan.h"
#include "budget.h"
#include "canon.h"
#include "policy.h"
#include "support.h"
#include "value.h"

struct planner {
	const struct bv_backend *backend;
	struct bv_arena *arena;
	struct bv_error *err;
	struct bv_boundary_spec spec; /* in normal form */
	struct bv_profile profile;
	struct bv_requirement *requirements; /* capabilities, then controls */
	struct bv_verdict *verdicts;         /* one for each */
	size_t count;
	struct bv_boundary_plan *plan;
};

enum bv_code bv_backend_find(const struct bv_backend *const *backends, size_t count,
			     const char *name, const struct bv_backend **ret_backend,
			     struct bv_error *err)
{
	uint8_t memory[1024];
	struct bv_arena arena;
	struct bv_str names;

	for (size_t i = 0; i < count; i++)
		if (bv_str_is(bv_str_from(name), backends[i]->id)) {
			if (ret_backend != NULL)
				*ret_backend = backends[i];
			return BV_OK;
		}
	bv_arena_init(&arena, memory, sizeof memory);
	names = bv_arena_copy(&arena, BV_STR("use one of"));
	for (size_t i = 0; i < count && names.data != NULL; i++)
		names = bv_arena_format(&arena, "%s%s %s", names.data, i == 0 ? "" : ",",
					backends[i]->id);
	return bv_fail_remedy(err, BV_E_UNKNOWN_BACKEND, "backend",
			      names.data == NULL ? "" : names.data, "there is no backend '%s'",
			      name);
}

static enum bv_code refuse_memory(const struct planner *planner)
{
	return bv_fail(planner->err, BV_E_MEMORY, "",
		       "the plan needs more memory than it may have");
}

/* Probes and checks that what came can be written: a plan of it must hash the same everywhere. */
static enum bv_code probe(const struct bv_backend *backend, struct bv_arena *arena,
			  struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	enum bv_code code;

	__builtin_memset(ret_snapshot, 0, sizeof *ret_snapshot);
	code = backend->probe(backend->self, arena, ret_snapshot, err);
	if (code == BV_OK)
		code = bv_value_check(&bv_profile_snapshot_type, ret_snapshot, BV_E_PROFILE, err);
	if (code == BV_OK && !bv_str_is(ret_snapshot->backend, backend->id))
		return bv_fail(err, BV_E_PROFILE, "profile.backend",
			       "the probe of %s answers as %.*s", backend->id,
			       (int)(ret_snapshot->backend.len < 32 ? ret_snapshot->backend.len
								    : 32),
			       ret_snapshot->backend.data);
	return code;
}

/* ---- support --------------------------------------------------------------------------------- */

static struct bv_verdict classify(const struct planner *planner,
				  const struct bv_requirement *requirement)
{
	const struct bv_backend *backend = planner->backend;

	if (backend->classify == NULL)
		return bv_verdict_ceiling(requirement, &planner->profile);
	return backend->classify(backend->self, requirement, &planner->profile);
}

static enum bv_code classify_all(struct planner *planner)
{
	const struct bv_capability_list *capabilities = &planner->spec.capabilities;
	const struct bv_host_control_list *controls = &planner->spec.controls;

	planner->count = capabilities->count + controls->count;
	planner->requirements = bv_arena_array(planner->arena, planner->count,
					       sizeof planner->requirements[0]);
	planner->verdicts = bv_arena_array(planner->arena, planner->count,
					   sizeof planner->verdicts[0]);
	if (planner->requirements == NULL || planner->verdicts == NULL)
		return refuse_memory(planner);

	for (size_t i = 0; i < planner->count; i++) {
		struct bv_requirement *requirement = &planner->requirements[i];

		if (i < capabilities->count)
			*requirement = (struct bv_requirement){
				.tag = BV_REQ_CAPABILITY, .u.capability = capabilities->items[i]};
		else
			*requirement = (struct bv_requirement){
				.tag = BV_REQ_HOST_CONTROL,
				.u.control = controls->items[i - capabilities->count]};
		planner->verdicts[i] = classify(planner, requirement);
	}
	return BV_OK;
}

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static enum bv_code refuse_unsupported(const struct planner *planner,
				       const struct bv_requirement *requirement)
{
	const enum bv_requirement_kind kind = bv_kind_of(requirement);
	const char *name = bv_kind_name(kind), *id = planner->backend->id,
		   *grade = bv_grade_text(requirement);
	const char *reason = or_empty(planner->profile.reason[kind]),
		   *remedy = or_empty(planner->profile.remedy[kind]);

	/* The kind would be held: then it is the grade that is not. */
	if (planner->profile.ceiling[kind].enforcement != BV_UNSUPPORTED && grade[0] != '\0')
		return bv_fail_remedy(planner->err, BV_E_UNSUPPORTED, name,
				      "ask for another grade of it",
				      "%s can hold %s here, but not as %s", id, name, grade);
	return bv_fail_remedy(planner->err, BV_E_UNSUPPORTED, name,
			      remedy[0] != '\0'
				      ? remedy
				      : "drop the requirement, or run where it can be held",
			      "%s cannot hold %s here%s%s", id, name, reason[0] != '\0' ? ": " : "",
			      reason);
}

static enum bv_code check_support(const struct planner *planner)
{
	for (size_t i = 0; i < planner->count; i++)
		if (planner->verdicts[i].enforcement == BV_UNSUPPORTED)
			return refuse_unsupported(planner, &planner->requirements[i]);
	return BV_OK;
}

/* ---- evidence -------------------------------------------------------------------------------- */

/* Evidence comes from the control it is about, not from whoever happens to promise the same claim. */
static enum bv_code check_claim(const struct planner *planner, enum bv_evidence_claim claim,
				enum bv_requirement_kind kind, const char *where)
{
	const char *name = bv_name_of(&bv_evidence_claim_type, (uint32_t)claim);

	for (size_t i = 0; i < planner->count; i++) {
		if (bv_kind_of(&planner->requirements[i]) != kind)
			continue;
		if ((planner->verdicts[i].evidence >> claim & 1) != 0)
			return BV_OK;
		return bv_fail_remedy(planner->err, BV_E_EVIDENCE, where,
				      "drop the demand, or use another backend",
				      "%s holds %s but yields no %s", planner->backend->id,
				      bv_kind_name(kind), name);
	}
	return bv_fail_remedy(
		planner->err, BV_E_EVIDENCE, where, "add the control, or drop the demand",
		"%s is demanded, and the control %s that would yield it is not asked for", name,
		bv_kind_name(kind));
}

static enum bv_code check_evidence(const struct planner *planner)
{
	const struct bv_evidence_requirements *evidence = &planner->spec.evidence;
	enum bv_code code = BV_OK;

	if (evidence->require_captured_streams)
		code = check_claim(planner, BV_CLAIM_CAPTURED_STREAMS, BV_KIND_CAPTURE,
				   "evidence.require_captured_streams");
	if (code == BV_OK && evidence->require_exit_status)
		code = check_claim(planner, BV_CLAIM_TERMINAL_OUTCOME, BV_KIND_LAUNCH,
				   "evidence.require_exit_status");
	return code;
}

/* ---- minimum enforcement --------------------------------------------------------------------- */

static enum bv_min_guarantee minimum_of(const struct bv_execution_options *execution,
					enum bv_requirement_kind kind)
{
	for (size_t i = 0; i < execution->minimum_for.count; i++)
		if (execution->minimum_for.items[i].kind == kind)
			return execution->minimum_for.items[i].guarantee;
	return execution->has_minimum ? execution->minimum : BV_MIN_MEDIATED;
}

static bool is_too_weak(const struct planner *planner, size_t index)
{
	const enum bv_requirement_kind kind = bv_kind_of(&planner->requirements[index]);

	return bv_enforcement_strength(planner->verdicts[index].enforcement) <
	       bv_guarantee_strength(minimum_of(&planner->spec.execution, kind));
}

/* Names everything that is too weak, because whoever mends one wants to know of the others. */
static enum bv_code check_minimums(const struct planner *planner)
{
	struct bv_str names = {"", 0};
	const char *reason = "", *remedy = "";

	for (size_t i = 0; i < planner->count; i++) {
		const enum bv_requirement_kind kind = bv_kind_of(&planner->requirements[i]);
		const bool repeated = i != 0 && is_too_weak(planner, i - 1) &&
				      bv_kind_of(&planner->requirements[i - 1]) == kind;

		if (!is_too_weak(planner, i) || repeated)
			continue;
		if (names.len == 0) {
			reason = or_empty(planner->profile.reason[kind]);
			remedy = or_empty(planner->profile.remedy[kind]);
		}
		names = bv_arena_format(planner->arena, "%s%s%s", names.data,
					names.len == 0 ? "" : ", ", bv_kind_name(kind));
		if (names.data == NULL)
			return refuse_memory(planner);
	}
	if (names.len == 0)
		return BV_OK;
	return bv_fail_remedy(planner->err, BV_E_MINIMUM, "execution.minimum",
			      remedy[0] != '\0'
				      ? remedy
				      : "accept Mediated for it, or run where it can be enforced",
			      "only Mediated by %s: %s%s%s", planner->backend->id, names.data,
			      reason[0] != '\0' ? ": " : "", reason);
}

static enum bv_code check_budget_minimums(const struct planner *planner)
{
	const struct bv_execution_options *execution = &planner->spec.execution;
	struct bv_str names = {"", 0};
	const char *reason = "", *remedy = "";

	if (!execution->has_minimum || execution->minimum != BV_MIN_ENFORCED)
		return BV_OK;
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const struct bv_admitted_budget *budget = bv_budget_admitted_in(
			&planner->plan->budgets, (enum bv_dimension)d);

		if (budget == NULL || budget->selected_guarantee == BV_ENFORCED)
			continue;
		if (names.len == 0) {
			reason = or_empty(planner->profile.budget_reason[d]);
			remedy = or_empty(planner->profile.budget_remedy[d]);
		}
		names = bv_arena_format(planner->arena, "%s%s%s", names.data,
					names.len == 0 ? "" : ", ",
					bv_dimension_name((enum bv_dimension)d));
		if (names.data == NULL)
			return refuse_memory(planner);
	}
	if (names.len == 0)
		return BV_OK;
	return bv_fail_remedy(planner->err, BV_E_MINIMUM, "execution.minimum",
			      remedy[0] != '\0'
				      ? remedy
				      : "leave the limit out, or run where it can be enforced",
			      "budgets only Mediated by %s: %s%s%s", planner->backend->id,
			      names.data, reason[0] != '\0' ? ": " : "", reason);
}

/* ---- assembly -------------------------------------------------------------------------------- */

static enum bv_code admit_requirements(const struct planner *planner)
{
	struct bv_admitted_requirement_list *admitted = &planner->plan->admitted;

	admitted->items = bv_arena_array(planner->arena, planner->count, sizeof admitted->items[0]);
	if (admitted->items == NULL)
		return refuse_memory(planner);
	for (size_t i = 0; i < planner->count; i++) {
		const struct bv_requirement *requirement = &planner->requirements[i];
		const char *primitive = planner->profile.primitive[bv_kind_of(requirement)];
		const enum bv_enforcement enforcement = planner->verdicts[i].enforcement;
		const struct bv_str mechanism = bv_arena_format(planner->arena, "%s:%s:%s",
								planner->backend->id,
								primitive == NULL
									? "none/no-confinement"
									: primitive,
								bv_enforcement_name(enforcement));

		if (mechanism.data == NULL)
			return refuse_memory(planner);
		admitted->items[admitted->count++] = (struct bv_admitted_requirement){
			.requirement = *requirement,
			.enforcement = enforcement,
			.mechanism = mechanism,
		};
	}
	return BV_OK;
}

static enum bv_code assemble(const struct planner *planner)
{
	struct bv_boundary_plan *plan = planner->plan;
	enum bv_code code;

	plan->schema_version = BV_PLAN_SCHEMA_VERSION;
	plan->backend = bv_arena_copy(planner->arena, bv_str_from(planner->backend->id));
	if (plan->backend.data == NULL)
		return refuse_memory(planner);
	code = admit_requirements(planner);
	if (code != BV_OK)
		return code;
	plan->workload = planner->spec.workload;
	plan->evidence = planner->spec.evidence;
	plan->has_execution = planner->spec.has_execution;
	plan->execution = planner->spec.execution;
	/* A backend may answer with anything: what cannot be written must not get an id. */
	code = bv_value_check(&bv_boundary_plan_type, plan, BV_E_PROFILE, planner->err);
	if (code == BV_OK)
		bv_plan_compute_id(plan, &plan->plan_id);
	return code;
}

void bv_backend_budgets(const struct bv_backend *backend,
			const struct bv_profile_snapshot *snapshot,
			const struct bv_boundary_spec *spec, struct bv_budget_profile *ret_budgets)
{
	if (backend->budgets != NULL)
		backend->budgets(backend->self, snapshot, spec, ret_budgets);
	else
		*ret_budgets = snapshot->budget;
}

enum bv_code bv_plan_boundary(const struct bv_backend *backend, const struct bv_boundary_spec *spec,
			      struct bv_arena *arena, struct bv_boundary_plan *ret_plan,
			      struct bv_error *err)
{
	struct planner planner = {.backend = backend, .arena = arena, .err = err, .plan = ret_plan};
	struct bv_budget_profile budgets;
	struct bv_minimums minimums;
	enum bv_code code = bv_policy_normalise(arena, spec, &planner.spec, err);

	if (code != BV_OK)
		return code;
	__builtin_memset(ret_plan, 0, sizeof *ret_plan);
	if (!backend->runs(backend->self, &planner.spec.workload))
		return bv_fail_remedy(err, BV_E_WORKLOAD, "workload", "use a backend that can",
				      "%s cannot run a %s workload", backend->id,
				      bv_name_of(&bv_workload_type,
						 (uint32_t)planner.spec.workload.tag));
	code = probe(backend, arena, &ret_plan->profile, err);
	if (code != BV_OK)
		return code;
	backend->profile(backend->self, &ret_plan->profile,
			 planner.spec.has_execution ? &planner.spec.execution : NULL,
			 &planner.profile);

	code = classify_all(&planner);
	if (code == BV_OK)
		code = check_support(&planner);
	if (code == BV_OK)
		code = check_evidence(&planner);
	if (code == BV_OK)
		code = check_minimums(&planner);
	if (code != BV_OK)
		return code;

	bv_budget_minimums(&planner.spec, &minimums);
	for (int d = 0; d < BV_DIMENSION_COUNT; d++)
		if (minimums.least[d] < planner.profile.budget_least[d])
			minimums.least[d] = planner.profile.budget_least[d];
	bv_backend_budgets(backend, &ret_plan->profile, &planner.spec, &budgets);
	code = bv_budget_admit(&planner.spec.budgets, &budgets, &minimums, &planner.profile,
			       backend->id, &ret_plan->budgets, err);
	if (code == BV_OK)
		code = check_budget_minimums(&planner);
	if (code == BV_OK)
		code = assemble(&planner);
	return code;
}

/* ---- identity and drift ---------------------------------------------------------------------- */

void bv_plan_compute_id(const struct bv_boundary_plan *plan, struct bv_digest *ret_id)
{
	struct bv_boundary_plan unnamed = *plan;

	unnamed.plan_id = (struct bv_digest){{0}};
	bv_canon_hash(&bv_boundary_plan_type, &unnamed, ret_id);
}

enum bv_code bv_plan_check_id(const struct bv_boundary_plan *plan, struct bv_error *err)
{
	struct bv_digest id;

	if (plan->schema_version != BV_PLAN_SCHEMA_VERSION)
		return bv_fail_remedy(err, BV_E_PLAN, "schema_version",
				      "plan again with this version of bvisor",
				      "a plan of schema version %u, and %d is known",
				      (unsigned int)plan->schema_version, BV_PLAN_SCHEMA_VERSION);
	bv_plan_compute_id(plan, &id);
	if (!bv_digest_equal(&id, &plan->plan_id))
		return bv_fail_remedy(
			err, BV_E_PLAN, "plan_id", "plan again",
			"the plan was altered after it was made: its id does not recompute");
	return BV_OK;
}

static enum bv_code refuse_fact(struct bv_error *err, struct bv_str name, const char *how,
				struct bv_str before, struct bv_str after)
{
	char where[BV_WHERE_SIZE] = "profile.probed.";
	size_t len = 15;

	for (size_t i = 0; i < name.len && len + 1 < sizeof where; i++)
		where[len++] = name.data[i];
	return bv_fail_remedy(
		err, BV_E_PROFILE, where, "plan again",
		"the machine changed since it was planned for: this fact %s ('%.*s', now '%.*s')",
		how, (int)(before.len < 60 ? before.len : 60), before.data,
		(int)(after.len < 60 ? after.len : 60), after.data);
}

/* Both maps are sorted, so the first place where they part is the first fact that changed. */
static enum bv_code compare_facts(const struct bv_text_map *before, const struct bv_text_map *after,
				  struct bv_error *err)
{
	const struct bv_str nothing = {"", 0};

	const size_t common = before->count < after->count ? before->count : after->count;

	for (size_t i = 0; i < common; i++) {
		const struct bv_text_pair *old = &before->items[i], *new = &after->items[i];
		const int order = bv_str_compare(old->key, new->key);

		if (order < 0)
			return refuse_fact(err, old->key, "is gone", old->value, nothing);
		if (order > 0)
			return refuse_fact(err, new->key, "is new", nothing, new->value);
		if (!bv_str_equal(old->value, new->value))
			return refuse_fact(err, old->key, "is another", old->value, new->value);
	}
	if (before->count > common)
		return refuse_fact(err, before->items[common].key, "is gone",
				   before->items[common].value, nothing);
	if (after->count > common)
		return refuse_fact(err, after->items[common].key, "is new", nothing,
				   after->items[common].value);
	return BV_OK;
}

static enum bv_code compare_snapshots(const struct bv_profile_snapshot *before,
				      const struct bv_profile_snapshot *after, struct bv_error *err)
{
	enum bv_code code = compare_facts(&before->probed, &after->probed, err);

	for (unsigned int d = 0; code == BV_OK && d < BV_DIMENSION_COUNT; d++) {
		const struct bv_budget_availability *old = bv_budget_available_in(
			&before->budget, (enum bv_dimension)d);
		const struct bv_budget_availability *new = bv_budget_available_in(
			&after->budget, (enum bv_dimension)d);

		if (bv_value_compare(&bv_budget_availability_type, old, new) != 0)
			return bv_fail_remedy(
				err, BV_E_PROFILE, "profile.budget", "plan again",
				"the machine changed since it was planned for: %s was %s up to %llu, "
				"now %s up to %llu",
				bv_dimension_name((enum bv_dimension)d),
				bv_enforcement_name(old->enforcement),
				(unsigned long long)old->available,
				bv_enforcement_name(new->enforcement),
				(unsigned long long)new->available);
	}
	return code;
}

enum bv_code bv_plan_recheck(const struct bv_backend *backend, const struct bv_boundary_plan *plan,
			     struct bv_arena *arena, struct bv_profile_snapshot *ret_snapshot,
			     struct bv_error *err)
{
	struct bv_profile_snapshot fresh;
	enum bv_code code = bv_value_check(&bv_boundary_plan_type, plan, BV_E_PLAN, err);

	if (code == BV_OK)
		code = bv_plan_check_id(plan, err);
	if (code != BV_OK)
		return code;
	if (!bv_str_is(plan->backend, backend->id) ||
	    !bv_str_is(plan->profile.backend, backend->id))
		return bv_fail_remedy(err, BV_E_PLAN, "backend", "plan again for this backend",
				      "a plan made for %.*s is offered to %s",
				      (int)(plan->backend.len < 32 ? plan->backend.len : 32),
				      plan->backend.data, backend->id);
	code = probe(backend, arena, &fresh, err);
	if (code == BV_OK)
		code = compare_snapshots(&plan->profile, &fresh, err);
	/* The snapshots hold nothing else; so if it said nothing, the bytes are equal. */
	bv_assert(code != BV_OK ||
		  bv_value_compare(&bv_profile_snapshot_type, &plan->profile, &fresh) == 0);
	if (code == BV_OK && ret_snapshot != NULL)
		*ret_snapshot = fresh;
	return code;
}
