/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * event.c - payload types by event number, and artifact ids.
 */
#include "event.h"
#include "hash.h"

static const struct {
	uint16_t kind;
	const struct bv_type *type;
	const char *name;
} events[] = {
	{BV_EVENT_STARTED, &bv_started_event_type, "started"},
	{BV_EVENT_REPORT, &bv_report_event_type, "report"},
	{BV_EVENT_RECOVERY, &bv_recovery_event_type, "recovery"},
	{BV_EVENT_DISPOSITION, &bv_disposition_event_type, "disposition"},
	{BV_EVENT_REQUEST, &bv_request_event_type, "request"},
	{BV_EVENT_BOUND, &bv_bound_event_type, "bound"},
	{BV_EVENT_RECOVERY_INTENT, &bv_recovery_intent_event_type, "recovery-intent"},
	{BV_EVENT_RECOVERY_RESULT, &bv_recovery_result_event_type, "recovery-result"},
	{BV_EVENT_RESOLUTION, &bv_resolution_event_type, "resolution"},
	{BV_EVENT_ANCHOR, &bv_anchor_event_type, "anchor"},
	{BV_EVENT_REFUSED, &bv_refused_event_type, "refused"},
	{BV_EVENT_PRUNED, &bv_pruned_event_type, "pruned"},
	{BV_EVENT_KEPT, &bv_kept_event_type, "kept"},
	{BV_EVENT_DECISION, &bv_decision_event_type, "decision"},
	{BV_EVENT_REMOVED, &bv_removed_event_type, "removed"},
};

enum { EVENT_COUNT = sizeof events / sizeof *events };

const struct bv_type *bv_event_type(uint16_t kind)
{
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if (events[i].kind == kind)
			return events[i].type;
	}
	return NULL;
}

const char *bv_event_name(uint16_t kind)
{
	for (size_t i = 0; i < EVENT_COUNT; i++) {
		if (events[i].kind == kind)
			return events[i].name;
	}
	return "?";
}

void bv_artifact_id(const struct bv_digest *attempt, struct bv_str slot,
		    const struct bv_digest *content, struct bv_digest *ret_id)
{
	struct bv_digest parts[3] = {*attempt, {{0}}, *content};

	bv_hash_str(slot, &parts[1]);
	bv_hash_bytes(parts, sizeof parts, ret_id);
}
