/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * event.h - the durable events: their numbers, and the types of their payloads.
 *
 * A payload is the canonical bytes of its type: bv_canon_encode and bv_canon_decode do the rest.
 */
#ifndef BV_CONTRACT_EVENT_H
#define BV_CONTRACT_EVENT_H

#include "schema.h"

/* Category 0xE in the top four bits, the event in the rest. */
enum bv_event_kind {
	BV_EVENT_STARTED = 0xe001,
	BV_EVENT_REPORT = 0xe002,
	BV_EVENT_RECOVERY = 0xe003,
	BV_EVENT_DISPOSITION = 0xe004,
	/* Not of the reference: type numbers from 0x101 on. */
	BV_EVENT_REQUEST = 0xe101,
	BV_EVENT_BOUND = 0xe102,
	BV_EVENT_RECOVERY_INTENT = 0xe103,
	BV_EVENT_RECOVERY_RESULT = 0xe104,
	BV_EVENT_RESOLUTION = 0xe105,
	BV_EVENT_ANCHOR = 0xe106,
	BV_EVENT_REFUSED = 0xe107,
	BV_EVENT_PRUNED = 0xe108,
	BV_EVENT_KEPT = 0xe109,
	BV_EVENT_DECISION = 0xe10a,
	BV_EVENT_REMOVED = 0xe10b,
};

enum { BV_EVENT_PAYLOAD_VERSION = 1 };

/* NULL for a number that is no event of ours. */
const struct bv_type *bv_event_type(uint16_t kind);

/* "started", "report", ... for people; "?" for a number that is no event of ours. */
const char *bv_event_name(uint16_t kind);

/* Identity of an artifact: this attempt's, at this place, with these bytes. */
void bv_artifact_id(const struct bv_digest *attempt, struct bv_str slot,
		    const struct bv_digest *content, struct bv_digest *ret_id);

#endif
