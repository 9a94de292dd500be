/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * plan.h - what would be enforced, decided before anything runs, or why not.
 */
#ifndef BV_CONTRACT_PLAN_H
#define BV_CONTRACT_PLAN_H

#include "backend.h"

enum { BV_PLAN_SCHEMA_VERSION = 1 };

/* The backend of that name.  BV_E_UNKNOWN_BACKEND names the known ones.  `ret_backend` may be NULL. */
enum bv_code bv_backend_find(const struct bv_backend *const *backends, size_t count,
			     const char *name, const struct bv_backend **ret_backend,
			     struct bv_error *err);

/*
 * Decides.  The first failure answers, in this order: the policy gate (BV_E_INVALID_POLICY,
 * BV_E_BUDGET_INVALID), workload against backend (BV_E_WORKLOAD), one probe, every requirement
 * against the profile (BV_E_UNSUPPORTED), evidence (BV_E_EVIDENCE), the minimum for requirements
 * (BV_E_MINIMUM), budgets (BV_E_BUDGET_REFUSED), the minimum for budgets (BV_E_MINIMUM).
 *
 * The plan lives in `arena` and shares nothing with `spec`.  Equal requests on an unchanged machine
 * give equal plans.
 */
enum bv_code bv_plan_boundary(const struct bv_backend *backend, const struct bv_boundary_spec *spec,
			      struct bv_arena *arena, struct bv_boundary_plan *ret_plan,
			      struct bv_error *err);

/* The budgets a spec (NULL: any) can have on a machine, whoever answers: the backend, or the snapshot. */
void bv_backend_budgets(const struct bv_backend *backend,
			const struct bv_profile_snapshot *snapshot,
			const struct bv_boundary_spec *spec, struct bv_budget_profile *ret_budgets);

/* BLAKE3 of the plan's canonical bytes with plan_id zero. */
void bv_plan_compute_id(const struct bv_boundary_plan *plan, struct bv_digest *ret_id);

/* BV_E_PLAN when the plan's own id is another, or its schema version is not ours. */
enum bv_code bv_plan_check_id(const struct bv_boundary_plan *plan, struct bv_error *err);

/*
 * Just before a run: BV_E_PLAN when the plan was altered or made for another backend; BV_E_PROFILE
 * when a fresh probe, kept in `ret_snapshot` (may be NULL), differs from the plan's, naming the
 * first fact that changed.
 */
enum bv_code bv_plan_recheck(const struct bv_backend *backend, const struct bv_boundary_plan *plan,
			     struct bv_arena *arena, struct bv_profile_snapshot *ret_snapshot,
			     struct bv_error *err);

#endif
