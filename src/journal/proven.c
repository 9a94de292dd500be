/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * proven.c - whether the records of one attempt, and not the table alone, say how it ended.
 *
 * The tables are believed between two verifications.  Where that would pass off as done what never ran, the
 * records are asked: from the first of the attempt to the signature after its report.
 */
#include "database.h"

#include <string.h>

#include "contract/canon.h"

struct proving {
	struct bv_journal *journal;
	const struct bv_digest *id;
	struct bv__attempt found; /* what its records say */
	uint64_t seq;             /* of the record before; 0: none yet */
	struct bv_digest head;
	bool whole, is_signed, removed; /* by gc: nothing tells any more what it was */
};

static bool follows(const struct proving *proving, const struct bv__record *record)
{
	struct bv_digest digest;

	if (proving->seq != 0 &&
	    (record->seq != proving->seq + 1 || !bv_digest_equal(&record->prev, &proving->head)))
		return false;
	bv__chain_hash(proving->journal->store, record, &digest);
	if (!bv_digest_equal(&digest, &record->hash))
		return false;
	if (record->payload == NULL)
		return true;
	bv_hash_bytes(record->payload, record->payload_bytes, &digest);
	return bv_digest_equal(&digest, &record->payload_digest);
}

static bool is_ours(const struct proving *proving, const struct bv__record *record)
{
	const struct bv_journal *journal = proving->journal;
	struct bv_arena scratch = journal->scratch;
	struct bv_anchor_event anchor;

	scratch.used = 0;
	return record->payload != NULL &&
	       bv_canon_decode(&scratch, &bv_anchor_event_type, record->payload,
			       record->payload_bytes, &anchor, NULL) == BV_OK &&
	       bv_digest_equal(&anchor.head, &record->prev) &&
	       bv_digest_equal(&anchor.public_key, &journal->signer.public_key) &&
	       bv__anchor_holds(journal->store, record->seq - 1, record->at_us, &anchor);
}

static enum bv_code prove(void *context, const struct bv__record *record, struct bv_error *err)
{
	struct proving *proving = context;

	proving->whole = proving->whole && follows(proving, record);
	proving->seq = record->seq;
	proving->head = record->hash;
	if (record->kind == BV_EVENT_ANCHOR)
		proving->is_signed = is_ours(proving, record);
	if (!proving->whole || !bv_digest_equal(&record->attempt, proving->id))
		return BV_OK;
	proving->removed = proving->removed || record->payload == NULL;
	if (proving->removed)
		return BV_OK;
	proving->journal->scratch.used = 0;
	return bv__attempt_fold(&proving->found, &proving->journal->scratch, record, err);
}

/* The signature after the attempt's report; 0: there is none. */
static uint64_t find_signature(sqlite3 *db, const struct bv_digest *id)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;

	if (sqlite3_prepare_v2(
		    db,
		    "SELECT seq FROM event WHERE kind=?2 AND seq > (SELECT seq FROM event"
		    " WHERE attempt=?1 AND kind=57346) ORDER BY seq LIMIT 1",
		    -1, &row, NULL) != SQLITE_OK ||
	    sqlite3_bind_blob(row, 1, id->bytes, 32, SQLITE_STATIC) != SQLITE_OK ||
	    sqlite3_bind_int(row, 2, BV_EVENT_ANCHOR) != SQLITE_OK ||
	    sqlite3_step(row) != SQLITE_ROW)
		return 0;
	return (uint64_t)sqlite3_column_int64(row, 0);
}

enum bv_code bv__attempt_prove(struct bv_journal *journal, const struct bv__attempt *attempt,
			       struct bv_error *err)
{
	struct proving proving = {.journal = journal, .id = &attempt->id, .whole = true};
	const struct bv__attempt *found = &proving.found;
	const uint64_t last = find_signature(journal->db, &attempt->id);
	enum bv_code code = BV_OK;

	if (last != 0)
		code = bv__records_on(journal->db, NULL, attempt->seq, last, prove, &proving, err);
	if (code != BV_OK)
		return code;
	if (proving.whole && proving.is_signed && proving.removed)
		return bv_fail_remedy(err, BV_E_STATE, "idempotency-key", "choose another key",
				      "the run with the key '%s' was done once, and its report was"
				      " removed by bvisor journal gc",
				      attempt->idempotency_key);
	if (proving.whole && proving.is_signed && found->seq == attempt->seq &&
	    found->state == BV_ATTEMPT_REPORTED &&
	    bv_digest_equal(&found->request, &attempt->request) &&
	    strcmp(found->idempotency_key, attempt->idempotency_key) == 0)
		return BV_OK;
	return bv_fail_remedy(err, BV_E_JOURNAL, "journal",
			      "look with bvisor journal verify, and name another until then",
			      "the records do not say what the table of attempts does");
}
