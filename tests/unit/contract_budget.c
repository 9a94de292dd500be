/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_budget.c - minimums, the decision, witnesses. */
#include "contract_helpers.h"

#include "contract/budget.h"

static const struct bv_budget_question fits = {
	.stated = true,
	.limit = 10,
	.minimum = 1,
	.available = 20,
	.guarantee_wanted = 1,
	.guarantee_held = 2,
	.evidence_wanted = 0,
	.evidence_held = 4,
};

static struct bv_budget_answer decide_with(unsigned int dimension,
					   struct bv_budget_question question)
{
	struct bv_budget_question questions[BV_DIMENSION_COUNT];

	for (size_t d = 0; d < BV_DIMENSION_COUNT; d++)
		questions[d] = fits;
	questions[dimension] = question;
	return bv_budget_decide(questions);
}

#define EXPECT_ANSWER(answer_, failure_, dimension_)                                               \
	do {                                                                                       \
		const struct bv_budget_answer answer = (answer_);                                  \
		EXPECT_UINT(answer.failure, failure_);                                             \
		EXPECT_UINT(answer.dimension, dimension_);                                         \
	} while (0)

TEST(every_bound_is_inclusive_in_every_dimension)
{
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		struct bv_budget_question q = fits;

		q.limit = 20;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
		q.limit = 21;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_OVER_CAPACITY, d);
		q.limit = q.available = UINT64_MAX;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
		q.available = UINT64_MAX - 1;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_OVER_CAPACITY, d);
		q = fits;
		q.limit = q.minimum = 5;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
		q.limit = 4;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_BELOW_MINIMUM, d);
		q = fits;
		q.limit = q.minimum = q.available = 0; /* deny all is a limit like another */
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
		q = fits;
		q.guarantee_held = 1;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
		q.guarantee_wanted = 2;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_GUARANTEE_TOO_WEAK, d);
		q = fits;
		q.evidence_wanted = 4;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
		q.evidence_wanted = 6;
		EXPECT_ANSWER(decide_with(d, q), BV_BUDGET_EVIDENCE_MISSING, d);
	}
}

TEST(what_is_not_stated_is_not_judged)
{
	const struct bv_budget_question hopeless = {.stated = false,
						    .limit = 9,
						    .minimum = 10,
						    .available = 0};

	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++)
		EXPECT_ANSWER(decide_with(d, hopeless), BV_BUDGET_ADMITTED, BV_DIMENSION_COUNT);
}

TEST(minimums_come_first_then_dimension_by_dimension_capacity_guarantee_evidence)
{
	struct bv_budget_question questions[BV_DIMENSION_COUNT];

	for (size_t d = 0; d < BV_DIMENSION_COUNT; d++)
		questions[d] = (struct bv_budget_question){.stated = true,
							   .limit = 1,
							   .minimum = 2,
							   .guarantee_wanted = 2,
							   .evidence_wanted = 1};
	EXPECT_ANSWER(bv_budget_decide(questions), BV_BUDGET_BELOW_MINIMUM, BV_DIMENSION_WALL);
	for (size_t d = 0; d + 1 < BV_DIMENSION_COUNT; d++)
		questions[d].minimum = 0;
	EXPECT_ANSWER(bv_budget_decide(questions), BV_BUDGET_BELOW_MINIMUM, BV_DIMENSION_NETWORK);
	questions[BV_DIMENSION_NETWORK].minimum = 0;
	EXPECT_ANSWER(bv_budget_decide(questions), BV_BUDGET_OVER_CAPACITY, BV_DIMENSION_WALL);
	questions[BV_DIMENSION_WALL].available = 1;
	EXPECT_ANSWER(bv_budget_decide(questions), BV_BUDGET_GUARANTEE_TOO_WEAK, BV_DIMENSION_WALL);
	questions[BV_DIMENSION_WALL].guarantee_held = 2;
	EXPECT_ANSWER(bv_budget_decide(questions), BV_BUDGET_EVIDENCE_MISSING, BV_DIMENSION_WALL);
	questions[BV_DIMENSION_WALL].evidence_held = 1;
	EXPECT_ANSWER(bv_budget_decide(questions), BV_BUDGET_OVER_CAPACITY, BV_DIMENSION_CPU);
}

/* The decision against its definition, over every combination of small values. */
TEST(the_decision_is_its_definition_exhaustively)
{
	for (uint32_t bits = 0; bits < 1u << 15; bits++) {
		const struct bv_budget_question q = {
			.stated = (bits & 1) != 0,
			.limit = bits >> 1 & 3,
			.minimum = bits >> 3 & 3,
			.available = bits >> 5 & 3,
			.guarantee_wanted = 1 + (bits >> 7 & 1),
			.guarantee_held = (bits >> 8 & 3) % 3,
			.evidence_wanted = bits >> 10 & 3,
			.evidence_held = bits >> 12 & 3,
		};
		const bool admitted = !q.stated ||
				      (q.minimum <= q.limit && q.limit <= q.available &&
				       q.guarantee_wanted <= q.guarantee_held &&
				       (q.evidence_wanted | q.evidence_held) == q.evidence_held);

		EXPECT_UINT(decide_with(bits % BV_DIMENSION_COUNT, q).failure == BV_BUDGET_ADMITTED,
			    admitted);
	}
}

/* ---- minimums -------------------------------------------------------------------------------- */

TEST(nothing_asked_needs_nothing_and_a_launch_needs_its_floors)
{
	static const uint64_t launched[] = {1, 1, 1, 1, 3, 0, 0};
	struct bv_boundary_spec spec = spec_launch();
	struct bv_minimums minimums;

	bv_budget_minimums(&spec, &minimums);
	EXPECT_BYTES(minimums.least, sizeof minimums.least, launched, sizeof launched);
	spec.controls.count = 0;
	bv_budget_minimums(&spec, &minimums);
	for (size_t d = 0; d < BV_DIMENSION_COUNT; d++)
		EXPECT_UINT(minimums.least[d], 0);
}

TEST(streams_descriptors_tasks_storage_and_network_raise_the_floors)
{
	static const uint64_t expected[] = {1, 1, 1, 2, 7, 1, 1};
	struct bv_boundary_spec spec = spec_launch();
	struct bv_minimums minimums;

	spec_add_control(&spec, control_capture(true, true, false));
	spec_add_control(&spec, control_of(BV_CONTROL_TEMP_ROOT));
	spec_add_capability(&spec, cap_fds(2, (const uint32_t[]){9, 9}));
	spec_add_capability(&spec, cap_spawn(BV_SPAWN_ALLOW_DESCENDANTS));
	spec_add_capability(&spec,
			    (struct bv_capability){.tag = BV_CAP_NETWORK,
						   .u.network.policy.tag = BV_NET_ALLOW_LIST});
	bv_budget_minimums(&spec, &minimums);
	EXPECT_BYTES(minimums.least, sizeof minimums.least, expected, sizeof expected);
}

TEST(a_sum_of_minimums_stops_at_the_largest_number)
{
	struct bv_boundary_spec spec = spec_launch();
	struct bv_minimums minimums;
	struct bv_capability endless = cap_fds(0, NULL);

	endless.u.fds.policy.u.fds.count = SIZE_MAX; /* only counted, never looked into */
	spec_add_capability(&spec, endless);
	spec_add_capability(&spec, endless);
	bv_budget_minimums(&spec, &minimums);
	EXPECT_UINT(minimums.least[BV_DIMENSION_HANDLES],
		    sizeof(size_t) == 8 ? UINT64_MAX : 2 * (uint64_t)SIZE_MAX + 3);
}

/* ---- admission ------------------------------------------------------------------------------- */

static struct bv_budget_profile profile_of(uint64_t available, enum bv_enforcement enforcement)
{
	const struct bv_budget_availability cell = {available, enforcement,
						    1u << BV_CLAIM_RESOURCE_USAGE, S("sample")};

	return (struct bv_budget_profile){cell, cell, cell, cell, cell, cell, cell};
}

TEST(what_is_stated_is_admitted_as_asked_and_the_rest_left_out)
{
	const struct bv_budget_profile profile = profile_of(100, BV_ENFORCED);
	const struct bv_minimums none = {{0}};
	struct bv_budget_requirements requested = {
		.has_cpu_micros = true,
		.cpu_micros = {64, BV_MIN_MEDIATED, 1u << BV_CLAIM_RESOURCE_USAGE},
	};
	struct bv_admitted_budgets admitted;
	struct bv_digest digest;

	EXPECT_OK(bv_budget_admit(&requested, &profile, &none, NULL, "sim", &admitted, err));
	bv_canon_hash(&bv_budget_profile_type, &profile, &digest);
	EXPECT(!admitted.has_wall_micros && !admitted.has_network_bytes && admitted.has_cpu_micros);
	EXPECT_UINT(admitted.cpu_micros.effective_limit, 64);
	EXPECT_UINT(admitted.cpu_micros.required_guarantee, BV_MIN_MEDIATED);
	EXPECT_UINT(admitted.cpu_micros.selected_guarantee, BV_ENFORCED);
	EXPECT_UINT(admitted.cpu_micros.required_evidence, 1u << BV_CLAIM_RESOURCE_USAGE);
	EXPECT_STR(admitted.cpu_micros.mechanism.data, "sample");
	EXPECT(bv_digest_equal(&admitted.cpu_micros.profile_digest, &digest));
	EXPECT(bv_budget_admitted_in(&admitted, BV_DIMENSION_WALL) == NULL);
	EXPECT(bv_budget_admitted_in(&admitted, BV_DIMENSION_CPU) == &admitted.cpu_micros);
}

TEST(a_refused_budget_names_dimension_numbers_and_remedy)
{
	const struct bv_budget_profile mediated = profile_of(100, BV_MEDIATED);
	const struct bv_budget_profile nothing = profile_of(100, BV_UNSUPPORTED);
	const struct bv_minimums minimums = {{[BV_DIMENSION_HANDLES] = 5}};
	struct bv_budget_requirements requested = {.has_handle_count = true,
						   .handle_count = {4, BV_MIN_MEDIATED, 0}};
	struct bv_admitted_budgets admitted;

	EXPECT_FAILS(bv_budget_admit(&requested, &mediated, &minimums, NULL, "sim", &admitted, err),
		     BV_E_BUDGET_REFUSED, "budgets.handle_count", "a limit of 4 is below 5");
	requested.handle_count.limit = 101;
	EXPECT_FAILS(bv_budget_admit(&requested, &mediated, &minimums, NULL, "sim", &admitted, err),
		     BV_E_BUDGET_REFUSED, "budgets.handle_count",
		     "a limit of 101 is above 100, the most sim can hold");
	requested.handle_count = (struct bv_budget_request){9, BV_MIN_ENFORCED, 0};
	EXPECT_FAILS(bv_budget_admit(&requested, &mediated, &minimums, NULL, "sim", &admitted, err),
		     BV_E_BUDGET_REFUSED, "budgets.handle_count", "can only mediate this limit");
	EXPECT_FAILS(bv_budget_admit(&requested, &nothing, &minimums, NULL, "sim", &admitted, err),
		     BV_E_BUDGET_REFUSED, "budgets.handle_count",
		     "sim cannot hold this limit here");
	requested.handle_count = (struct bv_budget_request){9, BV_MIN_MEDIATED,
							    1u << BV_CLAIM_PROCESS_TREE};
	EXPECT_FAILS(bv_budget_admit(&requested, &mediated, &minimums, NULL, "sim", &admitted, err),
		     BV_E_BUDGET_REFUSED, "budgets.handle_count", "cannot yield the evidence");
}

TEST(a_machine_that_holds_no_budget_says_so_in_all_seven)
{
	struct bv_budget_profile profile;

	bv_profile_hold_no_budget(&profile);
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const struct bv_budget_availability *cell = bv_budget_available_in(
			&profile, (enum bv_dimension)d);

		EXPECT_UINT(cell->available, UINT64_MAX);
		EXPECT_UINT(cell->enforcement, BV_UNSUPPORTED);
		EXPECT_UINT(cell->evidence, 0);
	}
}

/* ---- witnesses ------------------------------------------------------------------------------- */

static struct bv_admitted_budgets budgets_of(enum bv_enforcement enforcement)
{
	const struct bv_admitted_budget budget = {
		.effective_limit = 64,
		.selected_guarantee = enforcement,
		.promised_evidence = 1u << BV_CLAIM_RESOURCE_USAGE | 1u << BV_CLAIM_PROCESS_TREE,
		.mechanism = S("sample"),
	};

	return (struct bv_admitted_budgets){.has_wall_micros = true,
					    .wall_micros = budget,
					    .has_process_count = true,
					    .process_count = budget};
}

TEST(what_was_not_measured_is_unknown_and_claims_no_usage)
{
	const struct bv_admitted_budgets admitted = budgets_of(BV_ENFORCED);
	struct bv_budget_witnesses witnesses;

	bv_budget_witness_none(&admitted, &witnesses);
	EXPECT_UINT(witnesses.wall_micros.admitted_limit, 64);
	EXPECT_UINT(witnesses.wall_micros.supplied_guarantee.tag, BV_GUARANTEE_HARD);
	EXPECT_UINT(witnesses.wall_micros.finding, BV_FINDING_UNAVAILABLE);
	EXPECT_UINT(witnesses.wall_micros.observed_usage, 0);
	EXPECT_UINT(witnesses.wall_micros.evidence, 1u << BV_CLAIM_PROCESS_TREE);
	EXPECT_STR(witnesses.wall_micros.mechanism.data, "sample");
	/* No limit was asked of the others. */
	EXPECT_UINT(witnesses.cpu_micros.admitted_limit, UINT64_MAX);
	EXPECT_UINT(witnesses.cpu_micros.finding, BV_FINDING_UNAVAILABLE);
	EXPECT_OK(bv_value_check(&bv_budget_witnesses_type, &witnesses, BV_E_ARGUMENT, err));
}

TEST(what_was_measured_is_within_the_limit_or_reached_it)
{
	const struct bv_admitted_budgets admitted = budgets_of(BV_ENFORCED);
	struct bv_budget_witnesses witnesses;
	static const struct {
		uint64_t usage;
		enum bv_budget_finding finding;
	} cases[] = {{0, BV_FINDING_WITHIN_LIMIT},
		     {64, BV_FINDING_WITHIN_LIMIT},
		     {65, BV_FINDING_LIMIT_REACHED}};

	for (size_t i = 0; i < 3; i++) {
		const struct bv_measurement measurement = {.usage = cases[i].usage};

		bv_budget_witness_none(&admitted, &witnesses);
		bv_budget_witness(&admitted, BV_DIMENSION_WALL, &measurement, &witnesses);
		EXPECT_UINT(witnesses.wall_micros.finding, cases[i].finding);
		EXPECT_UINT(witnesses.wall_micros.observed_usage, cases[i].usage);
		EXPECT((witnesses.wall_micros.evidence >> BV_CLAIM_RESOURCE_USAGE & 1) != 0);
		EXPECT_UINT(witnesses.process_count.finding, BV_FINDING_UNAVAILABLE);
	}
}

TEST(a_mediated_limit_may_be_overshot_by_what_was_declared_and_no_more)
{
	const struct bv_admitted_budgets admitted = budgets_of(BV_MEDIATED);
	struct bv_budget_witnesses witnesses;
	struct bv_measurement measurement = {.usage = 74,
					     .mediated = {.sample_interval_micros = 5,
							  .max_overshoot = 10}};

	bv_budget_witness_none(&admitted, &witnesses);
	bv_budget_witness(&admitted, BV_DIMENSION_WALL, &measurement, &witnesses);
	EXPECT_UINT(witnesses.wall_micros.finding, BV_FINDING_MEDIATED_OVERSHOOT);
	EXPECT_UINT(witnesses.wall_micros.supplied_guarantee.u.mediated.max_overshoot, 10);
	measurement.usage = 75;
	bv_budget_witness(&admitted, BV_DIMENSION_WALL, &measurement, &witnesses);
	EXPECT_UINT(witnesses.wall_micros.finding, BV_FINDING_ENFORCEMENT_FAULT);
	measurement.usage = UINT64_MAX;
	measurement.mediated.max_overshoot = UINT64_MAX;
	bv_budget_witness(&admitted, BV_DIMENSION_WALL, &measurement, &witnesses);
	EXPECT_UINT(witnesses.wall_micros.finding, BV_FINDING_MEDIATED_OVERSHOOT);
}

TEST(usage_without_a_limit_is_reported_all_the_same)
{
	const struct bv_admitted_budgets admitted = {.has_wall_micros = false};
	const struct bv_measurement measurement = {.usage = 5, .mechanism = S("clock")};
	struct bv_budget_witnesses witnesses;

	bv_budget_witness_none(&admitted, &witnesses);
	bv_budget_witness(&admitted, BV_DIMENSION_CPU, &measurement, &witnesses);
	EXPECT_UINT(witnesses.cpu_micros.finding, BV_FINDING_NO_LIMIT);
	EXPECT_UINT(witnesses.cpu_micros.observed_usage, 5);
	EXPECT_STR(witnesses.cpu_micros.mechanism.data, "clock");
}
