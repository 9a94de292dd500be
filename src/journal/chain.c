/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * chain.c - what a record's hash covers, and how records move an attempt along.
 *
 * docs/format.md has the bytes; src/verify reads them by that alone.
 */
#include "journal.h"

#include <stdio.h>
#include <string.h>

#include "contract/canon.h"

static const char domain[] = "bvisor.journal.v1";

/* Big-endian, fixed width: no two records have the same preimage. */
static void put_number(struct bv_hash *hash, uint64_t number, int bytes)
{
	uint8_t digits[8];

	for (int i = 0; i < bytes; i++)
		digits[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
	bv_hash_update(hash, digits, (size_t)bytes);
}

void bv__chain_genesis(const uint8_t store[BV_STORE_BYTES], struct bv_digest *ret_hash)
{
	struct bv_hash hash;

	bv_hash_init(&hash);
	bv_hash_update(&hash, domain, sizeof domain); /* with its NUL */
	bv_hash_update(&hash, store, BV_STORE_BYTES);
	bv_hash_final(&hash, ret_hash);
}

void bv__chain_hash(const uint8_t store[BV_STORE_BYTES], const struct bv__record *record,
		    struct bv_digest *ret_hash)
{
	struct bv_hash hash;

	bv_hash_init(&hash);
	bv_hash_update(&hash, domain, sizeof domain);
	bv_hash_update(&hash, store, BV_STORE_BYTES);
	put_number(&hash, record->seq, 8);
	bv_hash_update(&hash, record->attempt.bytes, sizeof record->attempt.bytes);
	put_number(&hash, record->kind, 2);
	put_number(&hash, record->version, 2);
	put_number(&hash, record->at_us, 8);
	bv_hash_update(&hash, record->payload_digest.bytes, sizeof record->payload_digest.bytes);
	bv_hash_update(&hash, record->prev.bytes, sizeof record->prev.bytes);
	bv_hash_final(&hash, ret_hash);
}

const char *bv__attempt_state_name(enum bv__attempt_state state)
{
	static const char *const names[BV_ATTEMPT_STATE_COUNT] = {
		[BV_ATTEMPT_STARTED] = "Started",     [BV_ATTEMPT_BOUND] = "Running",
		[BV_ATTEMPT_REPORTED] = "Reported",   [BV_ATTEMPT_ROLLED_BACK] = "RolledBack",
		[BV_ATTEMPT_REFUSED] = "NeedsPerson", [BV_ATTEMPT_RESOLVED] = "Resolved",
		[BV_ATTEMPT_DENIED] = "Refused",
	};

	return names[state];
}

/* ---- the fold -------------------------------------------------------------------------------- */

static enum bv_code refuse(const struct bv__attempt *attempt, const struct bv__record *record,
			   struct bv_error *err)
{
	return bv_fail(err, BV_E_STATE, "journal",
		       "a record '%s' may not follow in an attempt that is %s",
		       bv_event_name(record->kind),
		       attempt->seq == 0 ? "not there" : bv__attempt_state_name(attempt->state));
}

static void copy_str(char *to, size_t size_bytes, struct bv_str text)
{
	size_t len = text.len < size_bytes ? text.len : size_bytes - 1;

	/* Cut between characters, not within one. */
	while (len < text.len && len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
		len--;
	if (len > 0)
		memcpy(to, text.data, len);
	to[len] = '\0';
}

static bool is_open(const struct bv__attempt *attempt)
{
	return attempt->seq != 0 &&
	       (attempt->state == BV_ATTEMPT_STARTED || attempt->state == BV_ATTEMPT_BOUND);
}

static void begin(struct bv__attempt *attempt, const struct bv__record *record,
		  enum bv__attempt_state state)
{
	attempt->id = record->attempt;
	attempt->seq = record->seq;
	attempt->started_us = record->at_us;
	attempt->state = state;
}

static void end(struct bv__attempt *attempt, const struct bv__record *record,
		enum bv__attempt_state state)
{
	attempt->state = state;
	attempt->ended_us = record->at_us;
}

static void fold_report(struct bv__attempt *attempt, const struct bv_report_body *body)
{
	attempt->has_outcome = true;
	attempt->outcome = body->outcome;
	if (body->has_exec_failure)
		attempt->exit_kind = 3;
	else if (body->has_exit) {
		attempt->exit_kind = body->exit.tag == BV_EXIT_CODE ? 1 : 2;
		attempt->exit_number = body->exit.tag == BV_EXIT_CODE ? body->exit.u.code
								      : body->exit.u.signal;
	}
}

/* The two that carry what the table shows, and the one that decides. */
union decoded {
	struct bv_request_event request;
	struct bv_refused_event refused;
	struct bv_report_event report;
	struct bv_recovery_event recovery;
};

static enum bv_code decode(struct bv_arena *scratch, const struct bv__record *record,
			   union decoded *ret_decoded, struct bv_error *err)
{
	const struct bv_type *type = bv_event_type(record->kind);

	if (record->payload == NULL)
		return bv_fail(err, BV_E_STATE, "journal",
			       "the contents of record %llu were removed",
			       (unsigned long long)record->seq);
	return bv_canon_decode(scratch, type, record->payload, record->payload_bytes, ret_decoded,
			       err);
}

static enum bv_code fold_recovery(struct bv__attempt *attempt, const struct bv__record *record,
				  const struct bv_recovery_event *recovery, struct bv_error *err)
{
	switch (recovery->classification) {
	case BV_RECOVERY_ROLLED_BACK:
		if (!is_open(attempt))
			return refuse(attempt, record, err);
		end(attempt, record, BV_ATTEMPT_ROLLED_BACK);
		break;
	case BV_RECOVERY_REFUSED:
		if (attempt->seq == 0 || attempt->state == BV_ATTEMPT_REFUSED)
			return refuse(attempt, record, err);
		end(attempt, record, BV_ATTEMPT_REFUSED);
		break;
	case BV_RECOVERY_COMPLETED:
		/* Something was left of an attempt that had ended: its end stays what it was. */
		if (attempt->seq == 0 || (attempt->state != BV_ATTEMPT_REPORTED &&
					  attempt->state != BV_ATTEMPT_RESOLVED))
			return refuse(attempt, record, err);
		break;
	}
	return BV_OK;
}

static enum bv_code fold_decoded(struct bv__attempt *attempt, struct bv_arena *scratch,
				 const struct bv__record *record, struct bv_error *err)
{
	union decoded decoded;
	enum bv_code code = decode(scratch, record, &decoded, err);

	if (code != BV_OK)
		return code;
	switch (record->kind) {
	case BV_EVENT_REQUEST:
		if (!is_open(attempt) || attempt->program[0] != '\0')
			return refuse(attempt, record, err);
		copy_str(attempt->program, sizeof attempt->program, decoded.request.program);
		attempt->plan_id = decoded.request.plan_id;
		attempt->request = decoded.request.request_digest;
		if (decoded.request.has_idempotency_key)
			copy_str(attempt->idempotency_key, sizeof attempt->idempotency_key,
				 decoded.request.idempotency_key);
		return BV_OK;
	case BV_EVENT_REFUSED:
		if (attempt->seq != 0)
			return refuse(attempt, record, err);
		begin(attempt, record, BV_ATTEMPT_DENIED);
		attempt->ended_us = record->at_us;
		copy_str(attempt->program, sizeof attempt->program, decoded.refused.program);
		return BV_OK;
	case BV_EVENT_REPORT:
		if (!is_open(attempt))
			return refuse(attempt, record, err);
		end(attempt, record, BV_ATTEMPT_REPORTED);
		fold_report(attempt, &decoded.report.report.body);
		return BV_OK;
	default:
		return fold_recovery(attempt, record, &decoded.recovery, err);
	}
}

enum bv_code bv__attempt_fold(struct bv__attempt *attempt, struct bv_arena *scratch,
			      const struct bv__record *record, struct bv_error *err)
{
	switch (record->kind) {
	case BV_EVENT_STARTED:
		if (attempt->seq != 0)
			return refuse(attempt, record, err);
		begin(attempt, record, BV_ATTEMPT_STARTED);
		return BV_OK;
	case BV_EVENT_BOUND:
		if (attempt->seq == 0 || attempt->state != BV_ATTEMPT_STARTED)
			return refuse(attempt, record, err);
		attempt->state = BV_ATTEMPT_BOUND;
		return BV_OK;
	case BV_EVENT_REQUEST:
	case BV_EVENT_REFUSED:
	case BV_EVENT_REPORT:
	case BV_EVENT_RECOVERY:
		return fold_decoded(attempt, scratch, record, err);
	case BV_EVENT_KEPT:
	case BV_EVENT_DECISION:
	case BV_EVENT_DISPOSITION:
		return attempt->seq != 0 && (attempt->state == BV_ATTEMPT_REPORTED ||
					     attempt->state == BV_ATTEMPT_RESOLVED)
			       ? BV_OK
			       : refuse(attempt, record, err);
	case BV_EVENT_RECOVERY_INTENT:
		/* Of two who recover at once, the later finds that it is over. */
		return is_open(attempt) ? BV_OK : refuse(attempt, record, err);
	case BV_EVENT_RECOVERY_RESULT:
		return attempt->seq != 0 ? BV_OK : refuse(attempt, record, err);
	case BV_EVENT_RESOLUTION:
		if (attempt->seq == 0 || attempt->state != BV_ATTEMPT_REFUSED)
			return refuse(attempt, record, err);
		attempt->state = BV_ATTEMPT_RESOLVED;
		return BV_OK;
	default:
		return bv_fail(err, BV_E_STATE, "journal",
			       "a record of kind %u belongs to no attempt",
			       (unsigned int)record->kind);
	}
}
