/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A report for people: how it ended first, then what was held and by what, what was refused, what
 * it consumed, and the seal.
 */
#include "words.h"

#include "contract/support.h"

static void put_head(struct bv_writer *writer, struct bv_arena *scratch,
		     const struct bv_report_body *body)
{
	char hex[65];

	if (body->outcome != BV_OUTCOME_SUPERVISOR_FAULT)
		bv__put(writer, "The program ");
	bv__put_plain(writer, bv__text_summary(scratch, body));
	bv__put(writer, ".\n\n  outcome   %s\n", bv_name_of(&bv_outcome_type, body->outcome));
	bv__put(writer, "  backend   ");
	bv__put_plain(writer, body->backend);
	bv_digest_hex(&body->plan_id, hex);
	bv__put(writer, "\n  plan      %s\n", hex);
	if (body->has_attempt) {
		bv_digest_hex(&body->attempt, hex);
		bv__put(writer, "  attempt   %s\n", hex);
	}
}

static void put_requirement(struct bv_writer *writer, struct bv_arena *scratch,
			    const struct bv_requirement *requirement)
{
	struct bv_writer measure = {0};

	bv__put(writer, "%s", bv_kind_name(bv_kind_of(requirement)));
	bv__put_requirement(&measure, scratch, requirement);
	if (measure.len > 0) {
		bv__put(writer, ": ");
		bv__put_requirement(writer, scratch, requirement);
	}
}

static void put_admitted(struct bv_writer *writer, struct bv_arena *scratch,
			 const struct bv_report_body *body)
{
	if (body->admitted.count == 0)
		return;
	bv__put(writer, "\nHeld\n");
	for (size_t i = 0; i < body->admitted.count; i++) {
		const struct bv_admitted_requirement *admitted = &body->admitted.items[i];

		bv__put(writer, "  ");
		put_requirement(writer, scratch, &admitted->requirement);
		bv__put(writer, "\n      by ");
		bv__put_plain(writer, admitted->mechanism);
		bv__put(writer, "\n");
	}
}

static void put_unconfined(struct bv_writer *writer, struct bv_arena *scratch,
			   const struct bv_report_body *body)
{
	bool any = false;

	for (size_t i = 0; i < body->findings.count; i++) {
		const struct bv_boundary_finding *finding = &body->findings.items[i];

		if (finding->tag != BV_FINDING_NO_CONFINEMENT)
			continue;
		bv__put(writer, "%s  ", any ? "" : "\nNot held\n");
		put_requirement(writer, scratch, &finding->u.unconfined.requirement);
		bv__put(writer, "\n");
		any = true;
	}
}

static void put_denied(struct bv_writer *writer, const struct bv_report_body *body)
{
	if (body->denied.count > 0)
		bv__put(writer, "\nRefused while it ran\n");
	for (size_t i = 0; i < body->denied.count; i++) {
		const struct bv_denied_attempt *denied = &body->denied.items[i];

		bv__put(writer, "  ");
		bv__put_plain(writer, denied->detail);
		if (denied->has_count && denied->count > 1)
			bv__put(writer, "; %llu times", (unsigned long long)denied->count);
		bv__put(writer, " (%s)\n", bv_kind_name(bv_kind_of(&denied->requirement)));
	}
}

static void put_budget(struct bv_writer *writer, struct bv_arena *scratch,
		       enum bv_dimension dimension, const struct bv_budget_witness *witness)
{
	static const char *const findings[] = {
		[BV_FINDING_WITHIN_LIMIT] = "within the limit",
		[BV_FINDING_LIMIT_REACHED] = "the limit was reached",
		[BV_FINDING_MEDIATED_OVERSHOOT] = "over the limit, by no more than declared",
		[BV_FINDING_ENFORCEMENT_FAULT] = "OVER THE LIMIT, by more than was promised",
		[BV_FINDING_UNAVAILABLE] = "not measured",
		[BV_FINDING_NO_LIMIT] = "no limit asked",
	};
	bool limited = witness->finding != BV_FINDING_NO_LIMIT &&
		       witness->admitted_limit != UINT64_MAX;

	bv__put(writer, "  %-10s ", bv__text_dimension(dimension));
	if (witness->finding == BV_FINDING_UNAVAILABLE)
		bv__put(writer, "unknown");
	else
		bv__put_plain(writer,
			      bv__text_measured(scratch, dimension, witness->observed_usage));
	if (limited) {
		bv__put(writer, " of ");
		bv__put_plain(writer, bv__text_amount(scratch, dimension, witness->admitted_limit));
	}
	bv__put(writer, ", %s\n", findings[witness->finding]);
}

static void put_budgets(struct bv_writer *writer, struct bv_arena *scratch,
			const struct bv_report_body *body)
{
	struct bv_budget_witnesses witnesses =
		body->budget; /* bv_budget_witness_in gives no const */

	bv__put(writer, "\nLimits and use\n");
	for (unsigned int i = 0; i < BV_DIMENSION_COUNT; i++) {
		enum bv_dimension dimension = (enum bv_dimension)i;

		put_budget(writer, scratch, dimension, bv_budget_witness_in(&witnesses, dimension));
	}
}

static void put_streams(struct bv_writer *writer, const struct bv_report_body *body)
{
	char hex[65];

	if (body->has_streams && body->streams.count > 0)
		bv__put(writer, "\nStreams\n");
	for (size_t i = 0; body->has_streams && i < body->streams.count; i++) {
		const struct bv_stream_record *stream = &body->streams.items[i];

		bv_digest_hex(&stream->content_hash, hex);
		bv__put(writer, "  ");
		bv__put_plain(writer, stream->name);
		bv__put(writer, ": %llu bytes written, %llu kept%s\n      BLAKE3 %s\n",
			(unsigned long long)stream->total_bytes,
			(unsigned long long)stream->kept_bytes,
			stream->complete ? "" : ", not read to its end", hex);
	}
}

static void put_left(struct bv_writer *writer, const struct bv_report_body *body)
{
	char hex[65];

	if (body->artifacts.count > 0)
		bv__put(writer, "\nArtifacts\n");
	for (size_t i = 0; i < body->artifacts.count; i++) {
		const struct bv_staged_artifact *artifact = &body->artifacts.items[i];

		bv_digest_hex(&artifact->content_hash, hex);
		bv__put(writer, "  ");
		bv__put_plain(writer, artifact->name);
		bv__put(writer, ": %llu bytes\n      BLAKE3 %s\n",
			(unsigned long long)artifact->size_bytes, hex);
	}
	if (body->has_left_out)
		bv__put(writer, "\nLeft out of them\n");
	for (size_t i = 0; body->has_left_out && i < body->left_out.count; i++) {
		bv__put(writer, "  ");
		bv__put_plain(writer, body->left_out.items[i].name);
		bv__put(writer, ": %s\n", bv__text_left_out(body->left_out.items[i].cause));
	}
	if (body->has_left_out_more)
		bv__put(writer, "  and %llu more\n", (unsigned long long)body->left_out_more);
}

static void put_delta(struct bv_writer *writer, const struct bv_report_body *body)
{
	char hex[65];

	if (body->has_delta)
		bv__put(writer, "\nChanged in staged directories\n");
	for (size_t i = 0; body->has_delta && i < body->delta.count; i++) {
		const struct bv_delta_entry *entry = &body->delta.items[i];

		bv__put(writer, "  %s ", bv_name_of(&bv_delta_kind_type, entry->kind));
		bv__put_plain(writer, entry->path);
		bv__put(writer, " (%s)\n", bv_name_of(&bv_delta_type_type, entry->type));
		if (!entry->has_content_hash)
			continue;
		bv_digest_hex(&entry->content_hash, hex);
		bv__put(writer, "      %llu bytes, BLAKE3 %s\n",
			(unsigned long long)entry->size_bytes, hex);
	}
	if (body->has_delta_more)
		bv__put(writer, "  and %llu more\n", (unsigned long long)body->delta_more);
}

static void put_evidence(struct bv_writer *writer, const struct bv_text_map *evidence)
{
	for (size_t i = 0; i < evidence->count; i++) {
		bv__put(writer, "      ");
		bv__put_plain(writer, evidence->items[i].key);
		bv__put(writer, " ");
		bv__put_plain(writer, evidence->items[i].value);
		bv__put(writer, "\n");
	}
}

static void put_attestations(struct bv_writer *writer, const struct bv_report_body *body)
{
	if (body->has_attestations && body->attestations.count > 0)
		bv__put(writer, "\nRead back from the kernel before it was executed\n");
	for (size_t i = 0; body->has_attestations && i < body->attestations.count; i++) {
		const struct bv_attestation *attestation = &body->attestations.items[i];

		bv__put(writer, "  ");
		bv__put_plain(writer, attestation->layer);
		bv__put(writer, ": %s\n", attestation->holds ? "holds" : "DOES NOT HOLD");
		put_evidence(writer, &attestation->evidence);
	}
}

static void put_observed(struct bv_writer *writer, const struct bv_report_body *body)
{
	if (body->observed.count > 0)
		bv__put(writer, "\nSeen\n");
	for (size_t i = 0; i < body->observed.count; i++) {
		const struct bv_observed_fact *fact = &body->observed.items[i];

		bv__put(writer, "  ");
		bv__put_plain(writer, fact->kind);
		bv__put(writer, ": ");
		bv__put_plain(writer, fact->detail);
		if (fact->has_source)
			bv__put(writer, " (%s)", bv_name_of(&bv_fact_source_type, fact->source));
		bv__put(writer, "\n");
	}
}

void bv__text_report(struct bv_writer *writer, struct bv_arena *scratch,
		     const struct bv_boundary_report *report)
{
	const struct bv_report_body *body = &report->body;
	char hex[65];

	put_head(writer, scratch, body);
	put_budgets(writer, scratch, body);
	put_denied(writer, body);
	put_streams(writer, body);
	put_left(writer, body);
	put_delta(writer, body);
	put_admitted(writer, scratch, body);
	put_unconfined(writer, scratch, body);
	put_attestations(writer, body);
	put_observed(writer, body);
	bv_digest_hex(&report->body_hash, hex);
	bv__put(writer, "\nSeal %s\n", hex);
}
