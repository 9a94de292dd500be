/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * report.h - sealing reports, and believing them.
 */
#ifndef BV_CONTRACT_REPORT_H
#define BV_CONTRACT_REPORT_H

#include "types.h"

enum { BV_REPORT_SCHEMA_VERSION = 1 };

/* A finding for each requirement that the body says was admitted: it was held.  False without memory. */
bool bv_report_held(struct bv_arena *arena, struct bv_report_body *body);

/*
 * Sorts the findings of `body` in place and seals a report that shares everything else with it.
 * `scratch` is needed for sorting only.  BV_E_ARGUMENT for a body that cannot be written.
 */
enum bv_code bv_report_seal(struct bv_arena *scratch, struct bv_report_body *body,
			    struct bv_boundary_report *ret_report, struct bv_error *err);

/* BLAKE3 of the body with its findings sorted, which it need not be.  BV_E_MEMORY or BV_OK. */
enum bv_code bv_report_compute_hash(struct bv_arena *scratch, const struct bv_report_body *body,
				    struct bv_digest *ret_hash, struct bv_error *err);

/* BV_E_INTEGRITY when body_hash does not recompute or the schema version is not ours. */
enum bv_code bv_report_check(struct bv_arena *scratch, const struct bv_boundary_report *report,
			     struct bv_error *err);

/* BV_E_INTEGRITY when the report is of another plan, or names another backend or attempt. */
enum bv_code bv_report_check_plan(const struct bv_boundary_report *report,
				  const struct bv_boundary_plan *plan,
				  const struct bv_digest *attempt_or_null, struct bv_error *err);

#endif
