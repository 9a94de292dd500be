/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * tail.c - what may stand after the last signature.
 *
 * Everything that ends an attempt, and everything after, is signed in the transaction that writes it.
 * So a report without a signature over it was put there by somebody without the key, and the next
 * signature must not cover it.  What an attempt writes before its end does stand unsigned.
 */
#include "database.h"

#include "contract/canon.h"

bool bv__kind_stands_unsigned(uint16_t kind)
{
	return kind == BV_EVENT_STARTED || kind == BV_EVENT_REQUEST || kind == BV_EVENT_BOUND ||
	       kind == BV_EVENT_RECOVERY_INTENT;
}

static enum bv_code damaged(uint64_t seq, const char *what, struct bv_error *err)
{
	return bv_fail_remedy(err, BV_E_JOURNAL, "journal",
			      "look with bvisor journal verify, and name another until then",
			      "record %llu of the journal %s", (unsigned long long)seq, what);
}

enum bv_code bv__tail_find_anchor(struct bv_journal *journal, uint64_t *ret_seq,
				  struct bv_error *err)
{
	sqlite3_stmt *row = bv__sql(journal, BV_SQL_TAIL);
	int status = row != NULL ? sqlite3_step(row) : SQLITE_ERROR;
	enum bv_code code = BV_OK;

	*ret_seq = 0;
	for (; code == BV_OK && status == SQLITE_ROW; status = sqlite3_step(row)) {
		const uint64_t seq = (uint64_t)sqlite3_column_int64(row, 0);
		const sqlite3_int64 kind = sqlite3_column_int64(row, 1);

		if (kind == BV_EVENT_ANCHOR) {
			*ret_seq = seq;
			break;
		}
		if (kind < 0 || kind > UINT16_MAX || !bv__kind_stands_unsigned((uint16_t)kind))
			code = damaged(seq,
				       "is of a kind that is signed, and no signature covers it",
				       err);
	}
	if (code == BV_OK && status != SQLITE_ROW && status != SQLITE_DONE)
		code = bv__sql_fail(journal->db, sqlite3_extended_errcode(journal->db),
				    "the journal cannot be read", err);
	if (row != NULL)
		(void)sqlite3_reset(row); /* only read */
	return code;
}

static enum bv_code check_anchor(struct bv_journal *journal, const struct bv__record *record,
				 struct bv_error *err)
{
	struct bv_anchor_event anchor;

	journal->scratch.used = 0;
	if (record->payload == NULL ||
	    bv_canon_decode(&journal->scratch, &bv_anchor_event_type, record->payload,
			    record->payload_bytes, &anchor, NULL) != BV_OK ||
	    !bv_digest_equal(&anchor.head, &record->prev) ||
	    !bv__anchor_holds(journal->store, record->seq - 1, record->at_us, &anchor))
		return damaged(record->seq, "is a signature that does not hold", err);
	if (!bv_digest_equal(&anchor.public_key, &journal->signer.public_key))
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal.key",
				      "give it back its key, or name another with --journal PATH",
				      "the journal was signed with another key than '%s'",
				      journal->files[BV_JOURNAL_KEY]);
	return BV_OK;
}

enum bv_code bv__tail_check(struct bv_journal *journal, struct bv_error *err)
{
	struct bv__record record;
	sqlite3_stmt *row;
	uint64_t seq;
	enum bv_code code = bv__tail_find_anchor(journal, &seq, err);

	if (code != BV_OK || seq == 0)
		return code;
	row = bv__sql(journal, BV_SQL_RECORD);
	if (row == NULL || sqlite3_bind_int64(row, 1, (sqlite3_int64)seq) != SQLITE_OK ||
	    sqlite3_step(row) != SQLITE_ROW)
		code = bv__sql_fail(journal->db, sqlite3_extended_errcode(journal->db),
				    "the journal cannot be read", err);
	else if (!bv__column_record(row, &record))
		code = bv__sql_fail(NULL, SQLITE_CORRUPT, "a record is malformed", err);
	else
		code = check_anchor(journal, &record, err);
	if (row != NULL)
		(void)sqlite3_reset(row); /* only read */
	return code;
}
