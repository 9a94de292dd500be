/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * event.c - payload types by event number, and artifact ids.
 */
#include "event.h"
#include "hash.h"

const struct bv_type *bv_event_type(uint16_t kind)
{
	switch (kind) {
	case BV_EVENT_STARTED:
		return &bv_started_event_type;
	case BV_EVENT_REPORT:
		return &bv_report_event_type;
	case BV_EVENT_RECOVERY:
		return &bv_recovery_event_type;
	case BV_EVENT_DISPOSITION:
		return &bv_disposition_event_type;
	}
	return NULL;
}

void bv_artifact_id(const struct bv_digest *attempt, struct bv_str slot,
		    const struct bv_digest *content, struct bv_digest *ret_id)
{
	struct bv_digest parts[3] = {*attempt, {{0}}, *content};

	bv_hash_str(slot, &parts[1]);
	bv_hash_bytes(parts, sizeof parts, ret_id);
}
