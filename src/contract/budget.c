/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * budget.c - minimums, admission and witnesses of the seven limits.
 */
#include "budget.h"
#include "canon.h"
#include "support.h"

/* ---- records by dimension -------------------------------------------------------------------- */

const char *bv_dimension_name(enum bv_dimension dimension)
{
	return bv_name_of(&bv_budget_requirements_type, dimension);
}

static const void *member_of(const struct bv_type *type, const void *record,
			     enum bv_dimension dimension)
{
	bv_assert(type->row_count == BV_DIMENSION_COUNT && (size_t)dimension < BV_DIMENSION_COUNT);
	if (!bv_row_present(&type->rows[dimension], record))
		return NULL;
	return (const uint8_t *)record + type->rows[dimension].offset;
}

const struct bv_budget_request *bv_budget_request_in(const struct bv_budget_requirements *budgets,
						     enum bv_dimension dimension)
{
	return member_of(&bv_budget_requirements_type, budgets, dimension);
}

const struct bv_admitted_budget *bv_budget_admitted_in(const struct bv_admitted_budgets *budgets,
						       enum bv_dimension dimension)
{
	return member_of(&bv_admitted_budgets_type, budgets, dimension);
}

const struct bv_budget_availability *bv_budget_available_in(const struct bv_budget_profile *profile,
							    enum bv_dimension dimension)
{
	return member_of(&bv_budget_profile_type, profile, dimension);
}

const struct bv_budget_witness *bv_budget_witness_in(const struct bv_budget_witnesses *witnesses,
						     enum bv_dimension dimension)
{
	return member_of(&bv_budget_witnesses_type, witnesses, dimension);
}

static struct bv_budget_witness *witness_in(struct bv_budget_witnesses *witnesses,
					    enum bv_dimension dimension)
{
	bv_assert((size_t)dimension < BV_DIMENSION_COUNT);
	return (struct bv_budget_witness *)(void *)((uint8_t *)witnesses +
						    bv_budget_witnesses_type.rows[dimension]
							    .offset);
}

struct bv_budget_availability *bv_budget_availability_in(struct bv_budget_profile *profile,
							 enum bv_dimension dimension)
{
	bv_assert((size_t)dimension < BV_DIMENSION_COUNT);
	return (struct bv_budget_availability *)(void *)((uint8_t *)profile +
							 bv_budget_profile_type.rows[dimension]
								 .offset);
}

void bv_profile_hold_no_budget(struct bv_budget_profile *ret_profile)
{
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++)
		*bv_budget_availability_in(ret_profile,
					   (enum bv_dimension)d) = (struct bv_budget_availability){
			.available = UINT64_MAX,
			.enforcement = BV_UNSUPPORTED,
			.mechanism = BV_STR("none/no-budget-enforcement"),
		};
}

/* ---- minimums -------------------------------------------------------------------------------- */

static void raise_to(uint64_t *least, uint64_t floor)
{
	if (*least < floor)
		*least = floor;
}

static void raise_by(uint64_t *least, uint64_t more)
{
	if (!bv_add(*least, more, least))
		*least = UINT64_MAX;
}

static void minimums_of_control(const struct bv_host_control *control, uint64_t *least)
{
	const struct bv_std_streams *streams = &control->u.capture.streams;

	switch (control->tag) {
	case BV_CONTROL_LAUNCH:
		raise_to(&least[BV_DIMENSION_WALL], 1);
		raise_to(&least[BV_DIMENSION_CPU], 1);
		raise_to(&least[BV_DIMENSION_RESIDENT], 1);
		raise_to(&least[BV_DIMENSION_PROCESSES], 1);
		return;
	case BV_CONTROL_CAPTURE:
		raise_by(&least[BV_DIMENSION_HANDLES], (uint64_t)streams->stdout_stream +
							       streams->stderr_stream +
							       streams->stdin_stream);
		return;
	case BV_CONTROL_TEMP_ROOT:
	case BV_CONTROL_COMMIT_ARTIFACT:
		raise_to(&least[BV_DIMENSION_STORAGE], 1);
		return;
	case BV_CONTROL_EXPOSE_PATH:
		if (control->u.expose.access == BV_FS_WRITE ||
		    control->u.expose.access == BV_FS_READ_WRITE)
			raise_to(&least[BV_DIMENSION_STORAGE], 1);
		return;
	case BV_CONTROL_DISCARD_ARTIFACT:
	case BV_CONTROL_KILL:
	case BV_CONTROL_LIST_OUTPUTS:
		return;
	}
	bv_assert(false);
}

static void minimums_of_capability(const struct bv_capability *capability, uint64_t *least)
{
	switch (capability->tag) {
	case BV_CAP_FILESYSTEM:
	case BV_CAP_ENVIRONMENT:
		return;
	case BV_CAP_NETWORK:
		if (capability->u.network.policy.tag == BV_NET_ALLOW_LIST)
			raise_to(&least[BV_DIMENSION_NETWORK], 1);
		return;
	case BV_CAP_CHILD_SPAWN:
		if (capability->u.spawn.policy != BV_SPAWN_DENY_NEW_TASKS)
			raise_to(&least[BV_DIMENSION_PROCESSES], 2);
		return;
	case BV_CAP_INHERITED_FDS:
		if (capability->u.fds.policy.tag == BV_FDS_ONLY)
			raise_by(&least[BV_DIMENSION_HANDLES],
				 capability->u.fds.policy.u.fds.count);
		return;
	}
	bv_assert(false);
}

void bv_budget_minimums(const struct bv_boundary_spec *spec, struct bv_minimums *ret_minimums)
{
	uint64_t *least = ret_minimums->least;
	bool launches = false;

	*ret_minimums = (struct bv_minimums){{0}};
	for (size_t i = 0; i < spec->controls.count; i++) {
		launches = launches || spec->controls.items[i].tag == BV_CONTROL_LAUNCH;
		minimums_of_control(&spec->controls.items[i], least);
	}
	for (size_t i = 0; i < spec->capabilities.count; i++)
		minimums_of_capability(&spec->capabilities.items[i], least);
	if (launches)
		raise_by(&least[BV_DIMENSION_HANDLES], 3); /* the standard streams */
}

/* ---- admission ------------------------------------------------------------------------------- */

struct bv_budget_answer bv_budget_decide(
	const struct bv_budget_question questions[BV_DIMENSION_COUNT])
{
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++)
		if (questions[d].stated && questions[d].limit < questions[d].minimum)
			return (struct bv_budget_answer){BV_BUDGET_BELOW_MINIMUM,
							 (enum bv_dimension)d};

	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const struct bv_budget_question *q = &questions[d];

		if (!q->stated)
			continue;
		if (q->limit > q->available)
			return (struct bv_budget_answer){BV_BUDGET_OVER_CAPACITY,
							 (enum bv_dimension)d};
		if (q->guarantee_held < q->guarantee_wanted)
			return (struct bv_budget_answer){BV_BUDGET_GUARANTEE_TOO_WEAK,
							 (enum bv_dimension)d};
		if ((q->evidence_wanted & ~q->evidence_held) != 0)
			return (struct bv_budget_answer){BV_BUDGET_EVIDENCE_MISSING,
							 (enum bv_dimension)d};
	}
	return (struct bv_budget_answer){BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT};
}

/* The backend's own words, where it has any. */
static const char *or_else(const char *const *texts, enum bv_dimension dimension,
			   const char *otherwise)
{
	const char *text = texts != NULL ? texts[dimension] : NULL;

	return text != NULL && text[0] != '\0' ? text : otherwise;
}

static enum bv_code refuse_budget(struct bv_budget_answer answer,
				  const struct bv_budget_question *q, const struct bv_profile *why,
				  const char *backend, struct bv_error *err)
{
	const char *const *reasons = why != NULL ? why->budget_reason : NULL;
	const char *const *remedies = why != NULL ? why->budget_remedy : NULL;
	const char *reason = or_else(reasons, answer.dimension, "");
	const char *colon = reason[0] != '\0' ? ": " : "";
	const char *name = bv_dimension_name(answer.dimension);
	char where[BV_WHERE_SIZE] = "budgets.";

	for (size_t i = 0; name[i] != '\0'; i++)
		where[8 + i] = name[i];

	switch (answer.failure) {
	case BV_BUDGET_ADMITTED:
		return BV_OK;
	case BV_BUDGET_BELOW_MINIMUM:
		return bv_fail_remedy(err, BV_E_BUDGET_REFUSED, where,
				      "raise the limit, or leave it out",
				      "a limit of %llu is below %llu, the least this spec needs",
				      (unsigned long long)q->limit, (unsigned long long)q->minimum);
	case BV_BUDGET_OVER_CAPACITY:
		return bv_fail_remedy(err, BV_E_BUDGET_REFUSED, where,
				      "lower the limit, or leave it out",
				      "a limit of %llu is above %llu, the most %s can hold here",
				      (unsigned long long)q->limit,
				      (unsigned long long)q->available, backend);
	case BV_BUDGET_GUARANTEE_TOO_WEAK:
		if (q->guarantee_held == 0)
			return bv_fail_remedy(
				err, BV_E_BUDGET_REFUSED, where,
				or_else(remedies, answer.dimension,
					"leave the limit out, or run where it can be held"),
				"%s cannot hold this limit here%s%s", backend, colon, reason);
		return bv_fail_remedy(
			err, BV_E_BUDGET_REFUSED, where,
			or_else(remedies, answer.dimension,
				"accept Mediated for this limit, or run where it can be enforced"),
			"%s can only mediate this limit here, and Enforced is asked for%s%s",
			backend, colon, reason);
	case BV_BUDGET_EVIDENCE_MISSING:
		return bv_fail_remedy(err, BV_E_BUDGET_REFUSED, where,
				      "ask for less evidence of this limit",
				      "%s cannot yield the evidence asked for", backend);
	}
	bv_assert(false);
	return BV_E_BUDGET_REFUSED;
}

enum bv_code bv_budget_admit(const struct bv_budget_requirements *requested,
			     const struct bv_budget_profile *profile,
			     const struct bv_minimums *minimums, const struct bv_profile *why,
			     const char *backend, struct bv_admitted_budgets *ret_admitted,
			     struct bv_error *err)
{
	struct bv_budget_question questions[BV_DIMENSION_COUNT] = {{0}};
	struct bv_budget_answer answer;
	struct bv_digest profile_digest;

	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const struct bv_budget_request *request = bv_budget_request_in(
			requested, (enum bv_dimension)d);
		const struct bv_budget_availability *has = bv_budget_available_in(
			profile, (enum bv_dimension)d);

		if (request == NULL)
			continue;
		questions[d] = (struct bv_budget_question){
			.stated = true,
			.limit = request->limit,
			.minimum = minimums->least[d],
			.available = has->available,
			.guarantee_wanted = bv_guarantee_strength(request->guarantee),
			.guarantee_held = bv_enforcement_strength(has->enforcement),
			.evidence_wanted = request->evidence,
			.evidence_held = has->evidence,
		};
	}
	answer = bv_budget_decide(questions);
	if (answer.failure != BV_BUDGET_ADMITTED)
		return refuse_budget(answer, &questions[answer.dimension], why, backend, err);

	*ret_admitted = (struct bv_admitted_budgets){0};
	bv_canon_hash(&bv_budget_profile_type, profile, &profile_digest);
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const struct bv_row *row = &bv_admitted_budgets_type.rows[d];
		const struct bv_budget_request *request = bv_budget_request_in(
			requested, (enum bv_dimension)d);
		const struct bv_budget_availability *has = bv_budget_available_in(
			profile, (enum bv_dimension)d);

		if (request == NULL)
			continue;
		bv_row_set_present(row, ret_admitted);
		*(struct bv_admitted_budget *)(void *)((uint8_t *)ret_admitted +
						       row->offset) = (struct bv_admitted_budget){
			.effective_limit = request->limit,
			.required_guarantee = request->guarantee,
			.selected_guarantee = has->enforcement,
			.required_evidence = request->evidence,
			.promised_evidence = has->evidence,
			.mechanism = has->mechanism,
			.profile_digest = profile_digest,
		};
	}
	return BV_OK;
}

/* ---- witnesses ------------------------------------------------------------------------------- */

enum { USAGE_CLAIM = 1u << BV_CLAIM_RESOURCE_USAGE };

static struct bv_guarantee_profile supplied(enum bv_enforcement enforcement,
					    const struct bv_guarantee_mediated *mediated)
{
	if (enforcement == BV_ENFORCED)
		return (struct bv_guarantee_profile){.tag = BV_GUARANTEE_HARD};
	return (struct bv_guarantee_profile){.tag = BV_GUARANTEE_MEDIATED, .u.mediated = *mediated};
}

static enum bv_budget_finding finding_of(uint64_t limit, uint64_t usage, bool reached,
					 const struct bv_guarantee_profile *guarantee)
{
	if (usage <= limit)
		return reached ? BV_FINDING_LIMIT_REACHED : BV_FINDING_WITHIN_LIMIT;
	if (guarantee->tag == BV_GUARANTEE_HARD)
		return BV_FINDING_LIMIT_REACHED;
	if (usage - limit <= guarantee->u.mediated.max_overshoot)
		return BV_FINDING_MEDIATED_OVERSHOOT;
	return BV_FINDING_ENFORCEMENT_FAULT;
}

void bv_budget_witness_none(const struct bv_admitted_budgets *admitted,
			    struct bv_budget_witnesses *ret_witnesses)
{
	static const struct bv_guarantee_mediated unknown = {0, 0};

	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const struct bv_admitted_budget *budget = bv_budget_admitted_in(
			admitted, (enum bv_dimension)d);
		struct bv_budget_witness *witness = witness_in(ret_witnesses, (enum bv_dimension)d);

		*witness = (struct bv_budget_witness){
			.admitted_limit = UINT64_MAX,
			.required_guarantee = BV_MIN_MEDIATED,
			.supplied_guarantee = supplied(BV_UNSUPPORTED, &unknown),
			.finding = BV_FINDING_UNAVAILABLE,
		};
		if (budget == NULL)
			continue;
		witness->admitted_limit = budget->effective_limit;
		witness->required_guarantee = budget->required_guarantee;
		witness->supplied_guarantee = supplied(budget->selected_guarantee, &unknown);
		witness->mechanism = budget->mechanism;
		/* Usage was promised, perhaps, but this report does not carry it. */
		witness->evidence = budget->promised_evidence & ~(uint32_t)USAGE_CLAIM;
	}
}

void bv_budget_witness(const struct bv_admitted_budgets *admitted, enum bv_dimension dimension,
		       const struct bv_measurement *measurement,
		       struct bv_budget_witnesses *witnesses)
{
	const struct bv_admitted_budget *budget = bv_budget_admitted_in(admitted, dimension);
	struct bv_budget_witness *witness = witness_in(witnesses, dimension);

	witness->observed_usage = measurement->usage;
	witness->evidence |= USAGE_CLAIM;
	if (budget == NULL) {
		witness->mechanism = measurement->mechanism;
		witness->finding = BV_FINDING_NO_LIMIT;
		return;
	}
	witness->supplied_guarantee = supplied(budget->selected_guarantee, &measurement->mediated);
	witness->finding = finding_of(budget->effective_limit, measurement->usage,
				      measurement->reached, &witness->supplied_guarantee);
}
