/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * budget.h - seven limits: what a spec needs at least, what a machine can hold, what was seen.
 *
 * A limit left out is no limit.  Nothing is ever clamped: a limit is held as asked or refused.
 */
#ifndef BV_CONTRACT_BUDGET_H
#define BV_CONTRACT_BUDGET_H

#include "backend.h"

const char *bv_dimension_name(enum bv_dimension dimension); /* "wall_micros" */

/* One dimension of a record; NULL where no limit was asked for. */
const struct bv_budget_request *bv_budget_request_in(const struct bv_budget_requirements *budgets,
						     enum bv_dimension dimension);
const struct bv_admitted_budget *bv_budget_admitted_in(const struct bv_admitted_budgets *budgets,
						       enum bv_dimension dimension);
const struct bv_budget_availability *bv_budget_available_in(const struct bv_budget_profile *profile,
							    enum bv_dimension dimension);
const struct bv_budget_witness *bv_budget_witness_in(const struct bv_budget_witnesses *witnesses,
						     enum bv_dimension dimension);

/* The same to fill in. */
struct bv_budget_availability *bv_budget_availability_in(struct bv_budget_profile *profile,
							 enum bv_dimension dimension);

/* The profile of a machine that can hold none of them. */
void bv_profile_hold_no_budget(struct bv_budget_profile *ret_profile);

/* What any run of the spec needs; sums stop at the largest number. */
struct bv_minimums {
	uint64_t least[BV_DIMENSION_COUNT];
};
void bv_budget_minimums(const struct bv_boundary_spec *spec, struct bv_minimums *ret_minimums);

/* ---- the decision ---------------------------------------------------------------------------- */

enum bv_budget_failure {
	BV_BUDGET_ADMITTED,
	BV_BUDGET_BELOW_MINIMUM,
	BV_BUDGET_OVER_CAPACITY,
	BV_BUDGET_GUARANTEE_TOO_WEAK,
	BV_BUDGET_EVIDENCE_MISSING,
};

struct bv_budget_question {
	bool stated; /* false: no limit, and nothing else here counts */
	uint64_t limit, minimum, available;
	unsigned int guarantee_wanted, guarantee_held; /* strengths */
	uint32_t evidence_wanted, evidence_held;
};

struct bv_budget_answer {
	enum bv_budget_failure failure;
	enum bv_dimension dimension; /* of the failure */
};

/*
 * First every minimum, then dimension by dimension capacity, guarantee, evidence; the first failure
 * answers.  All bounds are inclusive.
 */
struct bv_budget_answer bv_budget_decide(
	const struct bv_budget_question questions[BV_DIMENSION_COUNT]);

/*
 * Decides and says why not.  The strings of the result are those of `profile`, which it borrows.
 * `backend` names who is asked, for the message; `why` (may be NULL) has the backend's reasons.
 */
enum bv_code bv_budget_admit(const struct bv_budget_requirements *requested,
			     const struct bv_budget_profile *profile,
			     const struct bv_minimums *minimums, const struct bv_profile *why,
			     const char *backend, struct bv_admitted_budgets *ret_admitted,
			     struct bv_error *err);

/* ---- what was seen --------------------------------------------------------------------------- */

struct bv_measurement {
	uint64_t usage;
	bool reached;                          /* the kernel refused more, or it was ended there */
	struct bv_str mechanism;               /* who measured, where no limit was asked for */
	struct bv_guarantee_mediated mediated; /* how exact, where the limit is only mediated */
};

/* Every dimension unmeasured: usage is unknown, and said to be. */
void bv_budget_witness_none(const struct bv_admitted_budgets *admitted,
			    struct bv_budget_witnesses *ret_witnesses);

/* One of them measured after all. */
void bv_budget_witness(const struct bv_admitted_budgets *admitted, enum bv_dimension dimension,
		       const struct bv_measurement *measurement,
		       struct bv_budget_witnesses *witnesses);

#endif
