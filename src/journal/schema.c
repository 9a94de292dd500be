/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * schema.c - the tables of the journal, and whether a database has these and nothing else that counts.
 *
 * A trigger that somebody added could swallow records that are then said to be durable, and a view in the
 * place of a table could show what was never written.
 */
#include "database.h"

#include <stdio.h>
#include <string.h>

enum whose {
	OURS,
	/* Follows from the records, as `attempt` does; journals from before there were artifacts lack it. */
	OF_KEPT,
	/* What ANALYZE and PRAGMA optimize make: it tells the planner how much there is, and so how fast an
	 * answer comes, never which.  Nobody can put a trigger on it. */
	OF_SQLITE,
};

/* By name.  The text is what SQLite keeps of the statement, to the letter. */
static const struct part {
	const char *name;
	enum whose whose;
	const char *sql;
} parts[] = {
	{"attempt", OURS,
	 "CREATE TABLE attempt(id BLOB PRIMARY KEY, seq INTEGER NOT NULL, started_us INTEGER NOT NULL,"
	 " ended_us INTEGER NOT NULL, state INTEGER NOT NULL, outcome INTEGER,"
	 " exit_kind INTEGER NOT NULL, exit_number INTEGER NOT NULL, program TEXT NOT NULL,"
	 " idem_key TEXT, plan_id BLOB NOT NULL, request BLOB NOT NULL) STRICT"},
	{"attempt_key", OURS,
	 "CREATE INDEX attempt_key ON attempt(idem_key) WHERE idem_key IS NOT NULL"},
	{"attempt_open", OURS, "CREATE INDEX attempt_open ON attempt(state) WHERE state < 2"},
	{"attempt_seq", OURS, "CREATE INDEX attempt_seq ON attempt(seq)"},
	{"event", OURS,
	 "CREATE TABLE event(seq INTEGER PRIMARY KEY, attempt BLOB NOT NULL, kind INTEGER NOT NULL,"
	 " version INTEGER NOT NULL, at_us INTEGER NOT NULL, payload BLOB,"
	 " payload_digest BLOB NOT NULL, prev BLOB NOT NULL, hash BLOB NOT NULL) STRICT"},
	{"event_attempt", OURS, "CREATE INDEX event_attempt ON event(attempt, seq)"},
	{"event_kept", OURS,
	 "CREATE TRIGGER event_kept BEFORE DELETE ON event BEGIN"
	 " SELECT raise(ABORT, 'records are never deleted'); END"},
	/* 0xE001, 0xE002, 0xE101, 0xE102: once for an attempt, whatever the code above thinks. */
	{"event_once", OURS,
	 "CREATE UNIQUE INDEX event_once ON event(attempt, kind)"
	 " WHERE kind IN (57345, 57346, 57601, 57602)"},
	/* Contents may go, by decision; what the chain is made of may not. */
	{"event_unchanged", OURS,
	 "CREATE TRIGGER event_unchanged BEFORE UPDATE ON event WHEN NOT (NEW.payload IS NULL"
	 " AND NEW.seq = OLD.seq AND NEW.attempt = OLD.attempt AND NEW.kind = OLD.kind"
	 " AND NEW.version = OLD.version AND NEW.at_us = OLD.at_us"
	 " AND NEW.payload_digest = OLD.payload_digest AND NEW.prev = OLD.prev"
	 " AND NEW.hash = OLD.hash) BEGIN SELECT raise(ABORT, 'records are never changed'); END"},
	{"kept", OF_KEPT,
	 "CREATE TABLE kept(attempt BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL,"
	 " digest BLOB NOT NULL, size INTEGER NOT NULL, state INTEGER NOT NULL,"
	 " PRIMARY KEY(attempt, id)) STRICT, WITHOUT ROWID"},
	{"kept_digest", OF_KEPT, "CREATE INDEX kept_digest ON kept(digest)"},
	{"kept_open", OF_KEPT, "CREATE INDEX kept_open ON kept(attempt) WHERE state IN (1, 2, 3)"},
	{"meta", OURS,
	 "CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID"},
	{"sqlite_stat1", OF_SQLITE, "CREATE TABLE sqlite_stat1(tbl,idx,stat)"},
	{"sqlite_stat4", OF_SQLITE, "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"},
};
enum { PARTS = sizeof parts / sizeof *parts };

/* Names come from whoever made the database. */
static void tell(char ret_odd[BV_SCHEMA_ODD_SIZE], const char *name, const char *what)
{
	char shown[48];
	size_t len = 0;

	for (; name != NULL && name[len] != '\0' && len < sizeof shown - 1; len++)
		shown[len] = (char)(name[len] > ' ' && name[len] <= '~' ? name[len] : '?');
	shown[len] = '\0';
	(void)snprintf(ret_odd, BV_SCHEMA_ODD_SIZE, "'%s' %s", shown, what);
}

/* Notes which of ours are there, tables before what belongs to them; false when there is anything else. */
static bool match(sqlite3_stmt *rows, bool ret_there[PARTS], char ret_odd[BV_SCHEMA_ODD_SIZE],
		  int *ret_status)
{
	size_t at = 0;

	while ((*ret_status = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(rows, 0);
		const char *sql = (const char *)sqlite3_column_text(rows, 1);

		while (name != NULL && at < PARTS && strcmp(parts[at].name, name) < 0)
			at++;
		if (name == NULL || at == PARTS || strcmp(parts[at].name, name) != 0) {
			tell(ret_odd, name, "is not one of them");
			return false;
		}
		if (sql == NULL || strcmp(parts[at].sql, sql) != 0) {
			tell(ret_odd, name, "is another one");
			return false;
		}
		ret_there[at++] = true;
	}
	return true;
}

static enum bv_code look(sqlite3 *db, bool ret_there[PARTS], bool *ret_ours,
			 char ret_odd[BV_SCHEMA_ODD_SIZE], struct bv_error *err)
{
	/* What SQLite makes by itself for a key has no text, and no life without its table. */
	static const char text[] = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL OR"
				   " name NOT GLOB 'sqlite_autoindex_*' ORDER BY name";
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	int status = sqlite3_prepare_v2(db, text, -1, &rows, NULL);

	*ret_ours = false;
	memset(ret_there, 0, PARTS * sizeof *ret_there);
	if (status == SQLITE_OK)
		*ret_ours = match(rows, ret_there, ret_odd, &status);
	return status == SQLITE_DONE || status == SQLITE_ROW
		       ? BV_OK
		       : bv__sql_fail(db, status, "the journal's tables cannot be looked at", err);
}

enum bv_code bv__schema_check(sqlite3 *db, enum bv__schema *ret_schema,
			      char ret_odd[BV_SCHEMA_ODD_SIZE], struct bv_error *err)
{
	bool there[PARTS], ours, all = true;
	enum bv_code code = look(db, there, &ours, ret_odd, err);

	for (size_t i = 0; code == BV_OK && ours && i < PARTS; i++) {
		all &= there[i] || parts[i].whose == OF_SQLITE;
		ours = there[i] || parts[i].whose != OURS;
		if (!ours)
			tell(ret_odd, parts[i].name, "is missing");
	}
	*ret_schema = !ours ? BV_SCHEMA_FOREIGN : all ? BV_SCHEMA_OURS : BV_SCHEMA_WITHOUT_KEPT;
	return code;
}

enum bv_code bv__schema_make(sqlite3 *db, struct bv_error *err)
{
	char odd[BV_SCHEMA_ODD_SIZE];
	bool there[PARTS], ours;
	int status = SQLITE_OK;
	enum bv_code code = look(db, there, &ours, odd, err);

	/* A table comes before what belongs to it, by its name. */
	for (size_t i = 0; code == BV_OK && status == SQLITE_OK && i < PARTS; i++) {
		if (!there[i] && parts[i].whose != OF_SQLITE)
			status = sqlite3_exec(db, parts[i].sql, NULL, NULL, NULL);
	}
	if (status != SQLITE_OK)
		code = bv__sql_fail(db, status, "the journal cannot be made", err);
	return code;
}
