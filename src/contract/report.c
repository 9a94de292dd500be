/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * report.c - the seal.
 *
 * Findings are hashed in derived order, whatever order they are stored in; we store them sorted, so
 * that the hash is that of the stored bytes.
 */
#include "report.h"
#include "canon.h"
#include "value.h"

static bool is_sorted(const struct bv_boundary_finding_list *findings)
{
	for (size_t i = 1; i < findings->count; i++)
		if (bv_value_compare(&bv_boundary_finding_type, &findings->items[i - 1],
				     &findings->items[i]) > 0)
			return false;
	return true;
}

static enum bv_code sort_findings(struct bv_arena *scratch,
				  struct bv_boundary_finding_list *findings, struct bv_error *err)
{
	if (!is_sorted(findings) &&
	    !bv_value_sort(scratch, &bv_boundary_finding_type, findings->items, findings->count))
		return bv_fail(err, BV_E_MEMORY, "findings", "no memory to sort %zu findings",
			       findings->count);
	return BV_OK;
}

enum bv_code bv_report_compute_hash(struct bv_arena *scratch, const struct bv_report_body *body,
				    struct bv_digest *ret_hash, struct bv_error *err)
{
	const size_t used = scratch->used;
	struct bv_report_body sorted = *body;
	enum bv_code code = BV_OK;

	if (!is_sorted(&body->findings)) {
		sorted.findings.items = bv_arena_array(scratch, body->findings.count,
						       sizeof body->findings.items[0]);
		if (sorted.findings.items == NULL)
			return bv_fail(err, BV_E_MEMORY, "findings",
				       "no memory to sort %zu findings", body->findings.count);
		__builtin_memcpy(sorted.findings.items, body->findings.items,
				 body->findings.count * sizeof body->findings.items[0]);
		code = sort_findings(scratch, &sorted.findings, err);
	}
	if (code == BV_OK)
		bv_canon_hash(&bv_report_body_type, &sorted, ret_hash);
	scratch->used = used;
	return code;
}

enum bv_code bv_report_seal(struct bv_arena *scratch, struct bv_report_body *body,
			    struct bv_boundary_report *ret_report, struct bv_error *err)
{
	const size_t used = scratch->used;
	enum bv_code code = bv_value_check(&bv_report_body_type, body, BV_E_ARGUMENT, err);

	if (code == BV_OK)
		code = sort_findings(scratch, &body->findings, err);
	scratch->used = used;
	if (code != BV_OK)
		return code;
	ret_report->body = *body;
	bv_canon_hash(&bv_report_body_type, body, &ret_report->body_hash);
	return BV_OK;
}

enum bv_code bv_report_check(struct bv_arena *scratch, const struct bv_boundary_report *report,
			     struct bv_error *err)
{
	struct bv_digest hash;
	enum bv_code code;

	if (report->body.schema_version != BV_REPORT_SCHEMA_VERSION)
		return bv_fail_remedy(err, BV_E_INTEGRITY, "body.schema_version",
				      "read it with the version of bvisor that wrote it",
				      "a report of schema version %u, and %d is known",
				      (unsigned int)report->body.schema_version,
				      BV_REPORT_SCHEMA_VERSION);
	code = bv_report_compute_hash(scratch, &report->body, &hash, err);
	if (code != BV_OK)
		return code;
	if (!bv_digest_equal(&hash, &report->body_hash))
		return bv_fail_remedy(
			err, BV_E_INTEGRITY, "body_hash", "do not rely on this report",
			"the report was altered after it was sealed: its hash does not recompute");
	return BV_OK;
}

enum bv_code bv_report_check_plan(const struct bv_boundary_report *report,
				  const struct bv_boundary_plan *plan,
				  const struct bv_digest *attempt_or_null, struct bv_error *err)
{
	const struct bv_report_body *body = &report->body;

	if (!bv_digest_equal(&body->plan_id, &plan->plan_id))
		return bv_fail(err, BV_E_INTEGRITY, "body.plan_id",
			       "this report is of another plan");
	if (!bv_str_equal(body->backend, plan->backend))
		return bv_fail(err, BV_E_INTEGRITY, "body.backend",
			       "this report is of another backend than the plan");
	if (attempt_or_null != NULL &&
	    (!body->has_attempt || !bv_digest_equal(&body->attempt, attempt_or_null)))
		return bv_fail(err, BV_E_INTEGRITY, "body.attempt",
			       "this report is of another attempt");
	return BV_OK;
}

bool bv_report_held(struct bv_arena *arena, struct bv_report_body *body)
{
	const struct bv_admitted_requirement_list *admitted = &body->admitted;

	body->findings.count = 0;
	body->findings.items = bv_arena_array(arena, admitted->count,
					      sizeof(*body->findings.items));
	if (body->findings.items == NULL)
		return false;
	for (size_t i = 0; i < admitted->count; i++)
		body->findings.items[body->findings.count++] = (struct bv_boundary_finding){
			.tag = BV_FINDING_REQUIREMENT_ADMITTED,
			.u.admitted = {admitted->items[i].requirement,
				       admitted->items[i].enforcement},
		};
	return true;
}
