/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * read.c - attempts and records for those who only look.
 */
#include "database.h"

#include <stdlib.h>
#include <string.h>

static void close_database(sqlite3 **db)
{
	(void)sqlite3_close(*db); /* only read from */
}
#define BV_CLOSE_DB __attribute__((cleanup(close_database)))

static enum bv_code fail_read(sqlite3 *db, int status, struct bv_error *err)
{
	return bv__sql_fail(db, status, "the journal cannot be read", err);
}

/* ---- attempts -------------------------------------------------------------------------------- */

/* An outcome's name, or a state's; case does not matter. */
static bool has_outcome(const struct bv__attempt *attempt, const char *wanted)
{
	if (attempt->has_outcome &&
	    strcasecmp(bv_name_of(&bv_outcome_type, attempt->outcome), wanted) == 0)
		return true;
	return strcasecmp(bv__attempt_state_name(attempt->state), wanted) == 0;
}

static bool has_id(const struct bv__attempt *attempt, const char *digits)
{
	char hex[65];

	bv_digest_hex(&attempt->id, hex);
	return strncmp(hex, digits, strlen(digits)) == 0;
}

static bool passes(const struct bv__filter *filter, const struct bv__attempt *attempt)
{
	return (filter->since_us == 0 || attempt->started_us >= filter->since_us) &&
	       (filter->until_us == 0 || attempt->started_us < filter->until_us) &&
	       (filter->outcome == NULL || has_outcome(attempt, filter->outcome)) &&
	       (filter->program == NULL || strstr(attempt->program, filter->program) != NULL) &&
	       (filter->id == NULL || has_id(attempt, filter->id));
}

enum bv_code bv__list_on(sqlite3 *db, const struct bv__filter *filter, bv__attempt_fn fn,
			 void *context, struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	uint64_t told = 0;
	int status = sqlite3_prepare_v2(db,
					"SELECT " BV__ATTEMPT_COLUMNS
					" FROM attempt ORDER BY seq DESC",
					-1, &rows, NULL);

	while (status == SQLITE_OK || status == SQLITE_ROW) {
		struct bv__attempt attempt;

		status = sqlite3_step(rows);
		if (status != SQLITE_ROW)
			break;
		if (!bv__column_attempt(rows, &attempt))
			return bv_fail(err, BV_E_INTEGRITY, "attempt",
				       "one of the table is malformed");
		if (!passes(filter, &attempt))
			continue;
		if (!fn(context, &attempt) || ++told == filter->most)
			return BV_OK;
	}
	return status == SQLITE_DONE ? BV_OK : fail_read(db, status, err);
}

enum bv_code bv__journal_list(const struct bv_journal *journal, const struct bv__filter *filter,
			      bv__attempt_fn fn, void *context, struct bv_error *err)
{
	BV_CLOSE_DB sqlite3 *db = NULL;
	enum bv_code code = bv__database_read(journal, &db, err);

	return code == BV_OK ? bv__list_on(db, filter, fn, context, err) : code;
}

struct finding {
	struct bv__attempt *attempt;
	int count;
};

static bool note(void *context, const struct bv__attempt *attempt)
{
	struct finding *finding = context;

	*finding->attempt = *attempt;
	return ++finding->count < 2;
}

enum bv_code bv__journal_find(const struct bv_journal *journal, const char *id,
			      struct bv__attempt *ret_attempt, struct bv_error *err)
{
	struct finding finding = {ret_attempt, 0};
	const struct bv__filter filter = {.id = id};
	enum bv_code code;

	if (id == NULL || id[0] == '\0')
		return bv_fail(err, BV_E_ARGUMENT, "attempt", "the id of the attempt is empty");
	code = bv__journal_list(journal, &filter, note, &finding, err);
	if (code != BV_OK)
		return code;
	if (finding.count == 0)
		return bv_fail_remedy(err, BV_E_ARGUMENT, "attempt", "bvisor journal ls lists them",
				      "the journal has no attempt '%.*s'", 64, id);
	if (finding.count > 1)
		return bv_fail_remedy(err, BV_E_ARGUMENT, "attempt", "write more digits of it",
				      "more than one attempt starts with '%.*s'", 64, id);
	return BV_OK;
}

/* ---- records --------------------------------------------------------------------------------- */

enum bv_code bv__records_on(sqlite3 *db, const struct bv_digest *attempt, uint64_t from,
			    uint64_t to, bv__record_fn fn, void *context, struct bv_error *err)
{
	static const char of_all[] = "SELECT " BV__RECORD_COLUMNS
				     " FROM event WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
	static const char of_one[] = "SELECT " BV__RECORD_COLUMNS
				     " FROM event WHERE attempt=?3 AND seq BETWEEN ?1 AND ?2"
				     " ORDER BY seq";
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	enum bv_code code = BV_OK;
	int status = sqlite3_prepare_v2(db, attempt != NULL ? of_one : of_all, -1, &rows, NULL);

	if (status == SQLITE_OK)
		status = sqlite3_bind_int64(rows, 1, (sqlite3_int64)from);
	if (status == SQLITE_OK)
		status = sqlite3_bind_int64(rows, 2, to != 0 ? (sqlite3_int64)to : INT64_MAX);
	if (status == SQLITE_OK && attempt != NULL)
		status = sqlite3_bind_blob(rows, 3, attempt->bytes, 32, SQLITE_STATIC);
	while (code == BV_OK && (status == SQLITE_OK || status == SQLITE_ROW)) {
		struct bv__record record;

		status = sqlite3_step(rows);
		if (status != SQLITE_ROW)
			break;
		if (bv__column_record(rows, &record))
			code = fn(context, &record, err);
		else
			code = bv_fail(err, BV_E_INTEGRITY, "journal", "record %llu is malformed",
				       (unsigned long long)record.seq);
	}
	if (code != BV_OK)
		return code;
	if (status == SQLITE_TOOBIG)
		return bv_fail(err, BV_E_INTEGRITY, "journal",
			       "a record is larger than any can be");
	return status == SQLITE_DONE ? BV_OK : fail_read(db, status, err);
}

enum bv_code bv__journal_records(const struct bv_journal *journal, const struct bv_digest *attempt,
				 uint64_t from, uint64_t to, bv__record_fn fn, void *context,
				 struct bv_error *err)
{
	BV_CLOSE_DB sqlite3 *db = NULL;
	enum bv_code code = bv__database_read(journal, &db, err);

	return code == BV_OK ? bv__records_on(db, attempt, from, to, fn, context, err) : code;
}

enum bv_code bv__journal_last_anchor(const struct bv_journal *journal, bv__record_fn fn,
				     void *context, struct bv_error *err)
{
	BV_CLOSE_DB sqlite3 *db = NULL;
	BV_FINALIZE sqlite3_stmt *row = NULL;
	struct bv__record record;
	enum bv_code code = bv__database_read(journal, &db, err);
	int status;

	if (code != BV_OK)
		return code;
	status = sqlite3_prepare_v2(db,
				    "SELECT " BV__RECORD_COLUMNS
				    " FROM event WHERE kind=? ORDER BY seq DESC LIMIT 1",
				    -1, &row, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_bind_int(row, 1, BV_EVENT_ANCHOR);
	if (status == SQLITE_OK)
		status = sqlite3_step(row);
	if (status == SQLITE_DONE)
		return BV_OK;
	if (status != SQLITE_ROW)
		return fail_read(db, status, err);
	return bv__column_record(row, &record)
		       ? fn(context, &record, err)
		       : bv__sql_fail(NULL, SQLITE_CORRUPT, "a record is malformed", err);
}

struct wanting {
	uint16_t kind;
	bool found;
	struct bv_str *bytes;
};

static enum bv_code take_payload(void *context, const struct bv__record *record,
				 struct bv_error *err)
{
	struct wanting *wanting = context;
	char *copy;

	if (record->kind != wanting->kind || wanting->found)
		return BV_OK;
	wanting->found = true;
	if (record->payload == NULL)
		return bv_fail(err, BV_E_STATE, "journal",
			       "the contents of this record were removed by decision");
	copy = malloc(record->payload_bytes + 1);
	if (copy == NULL)
		return bv_fail(err, BV_E_MEMORY, "journal", "no memory for a record");
	memcpy(copy, record->payload, record->payload_bytes);
	*wanting->bytes = (struct bv_str){copy, record->payload_bytes};
	return BV_OK;
}

enum bv_code bv__journal_payload(const struct bv_journal *journal, const struct bv_digest *attempt,
				 uint16_t kind, struct bv_str *ret_bytes, struct bv_error *err)
{
	struct wanting wanting = {kind, false, ret_bytes};
	enum bv_code code = bv__journal_records(journal, attempt, 0, 0, take_payload, &wanting,
						err);

	if (code == BV_OK && !wanting.found)
		code = bv_fail(err, BV_E_STATE, "journal", "the attempt has no record '%s'",
			       bv_event_name(kind));
	return code;
}
