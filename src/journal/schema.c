/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * schema.c - the tables of the journal, and whether a database has these and nothing else.
 *
 * A trigger that somebody added could swallow records that are then said to be durable, and a view in the
 * place of a table could show what was never written.
 */
#include "database.h"

#include <stdio.h>
#include <string.h>

const char bv__schema[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE event(seq INTEGER PRIMARY KEY, attempt BLOB NOT NULL, kind INTEGER NOT NULL,"
	" version INTEGER NOT NULL, at_us INTEGER NOT NULL, payload BLOB,"
	" payload_digest BLOB NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL) STRICT;"
	"CREATE INDEX event_attempt ON event(attempt, seq);"
	/* 0xE001, 0xE002, 0xE101, 0xE102: once for an attempt, whatever the code above thinks. */
	"CREATE UNIQUE INDEX event_once ON event(attempt, kind)"
	" WHERE kind IN (57345, 57346, 57601, 57602);"
	"CREATE TRIGGER event_kept BEFORE DELETE ON event BEGIN"
	" SELECT raise(ABORT, 'records are never deleted'); END;"
	/* Contents may go, by decision; what the chain is made of may not. */
	"CREATE TRIGGER event_unchanged BEFORE UPDATE ON event WHEN NOT (NEW.payload IS NULL"
	" AND NEW.seq = OLD.seq AND NEW.attempt = OLD.attempt AND NEW.kind = OLD.kind"
	" AND NEW.version = OLD.version AND NEW.at_us = OLD.at_us"
	" AND NEW.payload_digest = OLD.payload_digest AND NEW.prev = OLD.prev"
	" AND NEW.hash = OLD.hash) BEGIN SELECT raise(ABORT, 'records are never changed'); END;"
	"CREATE TABLE attempt(id BLOB PRIMARY KEY, seq INTEGER NOT NULL, started_us INTEGER NOT NULL,"
	" ended_us INTEGER NOT NULL, state INTEGER NOT NULL, outcome INTEGER,"
	" exit_kind INTEGER NOT NULL, exit_number INTEGER NOT NULL, program TEXT NOT NULL,"
	" idem_key TEXT, plan_id BLOB NOT NULL, request BLOB NOT NULL) STRICT;"
	"CREATE INDEX attempt_seq ON attempt(seq);"
	"CREATE INDEX attempt_open ON attempt(state) WHERE state < 2;"
	"CREATE INDEX attempt_key ON attempt(idem_key) WHERE idem_key IS NOT NULL;";

/* Follows from the records, as `attempt` does.  Journals from before there were artifacts lack it. */
const char bv__schema_kept[] =
	"CREATE TABLE IF NOT EXISTS kept(attempt BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL,"
	" digest BLOB NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL,"
	" PRIMARY KEY(attempt, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS kept_digest ON kept(digest);"
	"CREATE INDEX IF NOT EXISTS kept_open ON kept(attempt) WHERE state IN (1, 2, 3);";

/* Every part in a fixed order; the text is what SQLite keeps of the statement that made it. */
static const char parts[] = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
			    " ORDER BY type, name";

static int make_ours(bool with_kept, sqlite3 **ret_db)
{
	int status = sqlite3_open_v2(":memory:", ret_db,
				     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					     SQLITE_OPEN_NOMUTEX,
				     NULL);

	if (status == SQLITE_OK)
		status = sqlite3_exec(*ret_db, bv__schema, NULL, NULL, NULL);
	if (status == SQLITE_OK && with_kept)
		status = sqlite3_exec(*ret_db, bv__schema_kept, NULL, NULL, NULL);
	return status;
}

static bool same_row(sqlite3_stmt *one, sqlite3_stmt *other)
{
	bool same = true;

	for (int i = 0; same && i < 4; i++) {
		const int bytes = sqlite3_column_bytes(one, i);

		same = sqlite3_column_type(one, i) == SQLITE_TEXT &&
		       bytes == sqlite3_column_bytes(other, i) &&
		       memcmp(sqlite3_column_text(one, i), sqlite3_column_text(other, i),
			      (size_t)bytes) == 0;
	}
	return same;
}

static enum bv_code compare(sqlite3_stmt *found, sqlite3_stmt *ours, bool *ret_same)
{
	int found_status, ours_status;

	*ret_same = false;
	do {
		found_status = sqlite3_step(found);
		ours_status = sqlite3_step(ours);
	} while (found_status == SQLITE_ROW && ours_status == SQLITE_ROW && same_row(found, ours));
	if ((found_status != SQLITE_ROW && found_status != SQLITE_DONE) ||
	    (ours_status != SQLITE_ROW && ours_status != SQLITE_DONE))
		return BV_E_JOURNAL;
	*ret_same = found_status == SQLITE_DONE && ours_status == SQLITE_DONE;
	return BV_OK;
}

enum bv_code bv__schema_check(sqlite3 *db, bool *ret_same, struct bv_error *err)
{
	sqlite3_stmt *found = NULL, *ours = NULL;
	sqlite3 *own = NULL;
	int status = make_ours(bv__kept_exists(db), &own);
	enum bv_code code = BV_OK;

	*ret_same = false;
	if (status == SQLITE_OK)
		status = sqlite3_prepare_v2(own, parts, -1, &ours, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_prepare_v2(db, parts, -1, &found, NULL);
	if (status == SQLITE_OK)
		code = compare(found, ours, ret_same);
	if (status != SQLITE_OK || code != BV_OK)
		code = bv__sql_fail(db, status != SQLITE_OK ? status : sqlite3_errcode(db),
				    "the journal's tables cannot be looked at", err);
	/* Only read from; told above. */
	(void)sqlite3_finalize(found);
	(void)sqlite3_finalize(ours);
	(void)sqlite3_close(own);
	return code;
}
