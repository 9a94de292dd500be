/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* kept.c - the fold of what was kept, and its table. */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/canon.h"
#include "database.h"

const char *bv__kept_state_name(enum bv__kept_state state)
{
	static const char *const names[BV_KEPT_STATE_COUNT] = {
		[BV_KEPT_STAGED] = "Staged",
		[BV_KEPT_PROMOTING] = "Committing",
		[BV_KEPT_PROMOTING_PARTLY] = "Committing",
		[BV_KEPT_DISCARDING] = "Discarding",
		[BV_KEPT_PROMOTED] = "Committed",
		[BV_KEPT_DISCARDED] = "Discarded",
		[BV_KEPT_RETAINED] = "Retained",
		[BV_KEPT_REFUSED] = "Refused",
		[BV_KEPT_FAILED] = "Failed",
	};

	return names[state];
}

bool bv__kept_is_artifact(const struct bv__kept *kept)
{
	return kept->name[0] != '/' || strcmp(kept->name, BV_KEPT_CHANGES) == 0;
}

void bv__kept_clear(struct bv__kept_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].name);
	free(list->items);
	*list = (struct bv__kept_list){NULL, 0, 0, false};
}

struct bv__kept *bv__kept_find(const struct bv__kept_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	}
	return NULL;
}

/* Where `id` is, or would be. */
static size_t place_of(const struct bv__kept_list *list, const struct bv_digest *id)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (memcmp(list->items[middle].id.bytes, id->bytes, sizeof id->bytes) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct bv__kept *find_id(const struct bv__kept_list *list, const struct bv_digest *id)
{
	const size_t at = place_of(list, id);

	return at < list->count && bv_digest_equal(&list->items[at].id, id) ? &list->items[at]
									    : NULL;
}

/* Takes a copy of the name.  False when there is no memory. */
static bool insert(struct bv__kept_list *list, const struct bv__kept *kept, struct bv_str name)
{
	const size_t at = place_of(list, &kept->id);
	char *copy = strndup(name.data, name.len);

	if (copy != NULL && list->count == list->capacity) {
		const size_t capacity = list->capacity == 0 ? 16 : 2 * list->capacity;
		struct bv__kept *larger = realloc(list->items, capacity * sizeof *larger);

		if (larger != NULL) {
			list->items = larger;
			list->capacity = capacity;
		}
	}
	if (copy == NULL || list->count == list->capacity) {
		free(copy);
		return false;
	}
	if (at < list->count)
		memmove(&list->items[at + 1], &list->items[at],
			(list->count - at) * sizeof *list->items);
	list->items[at] = *kept;
	list->items[at].name = copy;
	list->count++;
	return true;
}

/* ---- the fold -------------------------------------------------------------------------------- */

static enum bv_code no_memory(struct bv_error *err)
{
	return bv_fail(err, BV_E_MEMORY, "journal", "no memory for what was kept");
}

static enum bv_code fold_kept(struct bv__kept_list *list, const struct bv_digest *attempt,
			      const struct bv_kept_event *event, struct bv_error *err)
{
	for (size_t i = 0; i < event->blobs.count; i++) {
		const struct bv_kept_blob *blob = &event->blobs.items[i];
		struct bv__kept kept = {.content = blob->content_hash,
					.size_bytes = blob->size_bytes,
					.dirty = true};

		/* A name says where bytes are in the attempt: a NUL in it would say it twice. */
		if (blob->name.len == 0 || memchr(blob->name.data, '\0', blob->name.len) != NULL)
			return bv_fail(err, BV_E_STATE, "journal", "something kept has no name");
		bv_artifact_id(attempt, blob->name, &blob->content_hash, &kept.id);
		if (find_id(list, &kept.id) != NULL)
			return bv_fail(err, BV_E_STATE, "journal", "'%.*s' was kept already",
				       (int)(blob->name.len < 100 ? blob->name.len : 100),
				       blob->name.data);
		if (!insert(list, &kept, blob->name))
			return no_memory(err);
	}
	return BV_OK;
}

static bool is_open(const struct bv__kept *kept)
{
	return kept->state == BV_KEPT_PROMOTING || kept->state == BV_KEPT_PROMOTING_PARTLY ||
	       kept->state == BV_KEPT_DISCARDING;
}

static enum bv_code decide(const struct bv__kept_list *list, struct bv__kept *kept,
			   enum bv_disposition_action action, struct bv_error *err)
{
	if (is_open(kept))
		return bv_fail_remedy(
			err, BV_E_BUSY, "artifact",
			"wait for it, or settle what died with bvisor journal recover",
			"'%s' is being %s by another decision", kept->name,
			kept->state == BV_KEPT_DISCARDING ? "discarded" : "committed");
	if (kept->state == BV_KEPT_DISCARDED)
		return bv_fail(err, BV_E_STATE, "artifact", "'%s' was discarded", kept->name);
	switch (action) {
	case BV_DISPOSE_PROMOTE:
		kept->state = list->partly && strcmp(kept->name, BV_KEPT_CHANGES) == 0
				      ? BV_KEPT_PROMOTING_PARTLY
				      : BV_KEPT_PROMOTING;
		break;
	case BV_DISPOSE_RETAIN:
		kept->state = BV_KEPT_RETAINED;
		break;
	case BV_DISPOSE_DISCARD:
		kept->state = BV_KEPT_DISCARDING;
		break;
	case BV_DISPOSE_REFUSE:
		kept->state = BV_KEPT_REFUSED;
		break;
	}
	return BV_OK;
}

/* With all changes go the files they were kept with. */
static void discard_parts(struct bv__kept_list *list)
{
	static const char below[] = BV_KEPT_CHANGES "/";

	for (size_t i = 0; i < list->count; i++) {
		if (strncmp(list->items[i].name, below, sizeof below - 1) != 0)
			continue;
		list->items[i].state = BV_KEPT_DISCARDED;
		list->items[i].dirty = true;
	}
}

static enum bv_code fold_disposition(struct bv__kept_list *list,
				     const struct bv_disposition_event *event, struct bv_error *err)
{
	struct bv__kept *kept = find_id(list, &event->artifact);
	enum bv_code code = BV_OK;

	if (kept == NULL)
		return bv_fail(err, BV_E_STATE, "journal",
			       "nothing of that identity was kept of the attempt");
	if (event->phase.tag == BV_PHASE_DECIDED)
		code = decide(list, kept, event->phase.u.decided.action, err);
	else if (!is_open(kept))
		code = bv_fail(err, BV_E_STATE, "journal",
			       "'%s' has an outcome, and nothing was decided about it", kept->name);
	else if (event->phase.tag == BV_PHASE_FAILED)
		kept->state = BV_KEPT_FAILED;
	else if (kept->state == BV_KEPT_DISCARDING)
		kept->state = BV_KEPT_DISCARDED;
	else
		kept->state = kept->state == BV_KEPT_PROMOTING ? BV_KEPT_PROMOTED : BV_KEPT_STAGED;
	kept->dirty = true;
	if (kept->state == BV_KEPT_DISCARDED && strcmp(kept->name, BV_KEPT_CHANGES) == 0)
		discard_parts(list);
	return code;
}

enum bv_code bv__kept_fold(struct bv__kept_list *list, struct bv_arena *scratch,
			   const struct bv__record *record, struct bv_error *err)
{
	union {
		struct bv_kept_event kept;
		struct bv_decision_event decision;
		struct bv_disposition_event disposition;
	} event;
	enum bv_code code;

	if (record->kind != BV_EVENT_KEPT && record->kind != BV_EVENT_DECISION &&
	    record->kind != BV_EVENT_DISPOSITION)
		return BV_OK;
	code = bv_canon_decode(scratch, bv_event_type(record->kind), record->payload,
			       record->payload_bytes, &event, err);
	if (code != BV_OK)
		return code;
	switch (record->kind) {
	case BV_EVENT_KEPT:
		return fold_kept(list, &record->attempt, &event.kept, err);
	case BV_EVENT_DECISION:
		list->partly = event.decision.has_partly && event.decision.partly;
		return BV_OK;
	default:
		return fold_disposition(list, &event.disposition, err);
	}
}

/* ---- the table ------------------------------------------------------------------------------- */

bool bv__kept_exists(sqlite3 *db)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;

	return sqlite3_prepare_v2(db, "SELECT 1 FROM kept LIMIT 1", -1, &row, NULL) == SQLITE_OK;
}

bool bv__kept_any_open(sqlite3 *db)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;

	return sqlite3_prepare_v2(db, "SELECT 1 FROM kept WHERE state IN (1, 2, 3) LIMIT 1", -1,
				  &row, NULL) == SQLITE_OK &&
	       sqlite3_step(row) == SQLITE_ROW;
}

enum bv_code bv__kept_load(sqlite3 *db, const struct bv_digest *attempt,
			   struct bv__kept_list *ret_list, struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	enum bv_code code = BV_OK;
	int status;

	*ret_list = (struct bv__kept_list){NULL, 0, 0, false};
	if (!bv__kept_exists(db))
		return BV_OK;
	status = sqlite3_prepare_v2(db,
				    "SELECT id, name, digest, size, state FROM kept"
				    " WHERE attempt=? ORDER BY id",
				    -1, &rows, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_bind_blob(rows, 1, attempt->bytes, 32, SQLITE_STATIC);
	while (code == BV_OK && (status == SQLITE_OK || status == SQLITE_ROW)) {
		struct bv__kept kept = {.dirty = false};
		sqlite3_int64 state;

		status = sqlite3_step(rows);
		if (status != SQLITE_ROW)
			break;
		state = sqlite3_column_int64(rows, 4);
		kept.size_bytes = (uint64_t)sqlite3_column_int64(rows, 3);
		kept.state = (enum bv__kept_state)state;
		if (!bv__column_digest(rows, 0, &kept.id) ||
		    !bv__column_digest(rows, 2, &kept.content) || state < 0 ||
		    state >= BV_KEPT_STATE_COUNT || sqlite3_column_text(rows, 1) == NULL)
			code = bv_fail(err, BV_E_INTEGRITY, "artifact",
				       "one of the table is malformed");
		else if (!insert(ret_list, &kept,
				 bv_str_from((const char *)sqlite3_column_text(rows, 1))))
			code = no_memory(err);
	}
	if (code == BV_OK && status != SQLITE_DONE)
		code = bv__sql_fail(db, status, "the journal cannot be read", err);
	if (code != BV_OK)
		bv__kept_clear(ret_list);
	return code;
}

enum bv_code bv__kept_store(struct bv_journal *journal, const struct bv_digest *attempt,
			    struct bv__kept_list *list, struct bv_error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct bv__kept *kept = &list->items[i];
		sqlite3_stmt *row;
		int status = SQLITE_ERROR;

		if (!kept->dirty)
			continue;
		row = bv__sql(journal, BV_SQL_KEPT_PUT);
		if (row != NULL) {
			/* Binding can only run out of memory, and then the step fails. */
			(void)sqlite3_bind_blob(row, 1, attempt->bytes, 32, SQLITE_STATIC);
			(void)sqlite3_bind_blob(row, 2, kept->id.bytes, 32, SQLITE_STATIC);
			(void)sqlite3_bind_text(row, 3, kept->name, -1, SQLITE_STATIC);
			(void)sqlite3_bind_blob(row, 4, kept->content.bytes, 32, SQLITE_STATIC);
			(void)sqlite3_bind_int64(row, 5, (sqlite3_int64)kept->size_bytes);
			(void)sqlite3_bind_int(row, 6, (int)kept->state);
			status = sqlite3_step(row);
			(void)sqlite3_reset(row); /* says the same again */
		}
		if (status != SQLITE_DONE)
			return bv__sql_fail(journal->db, sqlite3_extended_errcode(journal->db),
					    "the journal cannot be written", err);
		kept->dirty = false;
	}
	return BV_OK;
}

enum bv_code bv__journal_kept(const struct bv_journal *journal, const struct bv_digest *attempt,
			      struct bv__kept_list *ret_list, struct bv_error *err)
{
	sqlite3 *db = NULL;
	enum bv_code code = bv__database_read(journal, &db, err);

	if (code == BV_OK)
		code = bv__kept_load(db, attempt, ret_list, err);
	(void)sqlite3_close(db); /* only read from */
	return code;
}

/* Whether anything that is not discarded, nor about to be, is these bytes. */
enum bv_code bv__kept_refers(sqlite3 *db, const struct bv_digest *digest, bool *ret_refers,
			     struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;
	int status = sqlite3_prepare_v2(
		db, "SELECT 1 FROM kept WHERE digest=? AND state NOT IN (3, 5) LIMIT 1", -1, &row,
		NULL);

	if (status == SQLITE_OK)
		status = sqlite3_bind_blob(row, 1, digest->bytes, 32, SQLITE_STATIC);
	if (status == SQLITE_OK)
		status = sqlite3_step(row);
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		return bv__sql_fail(db, status, "the journal cannot be read", err);
	*ret_refers = status == SQLITE_ROW;
	return BV_OK;
}

enum bv_code bv__kept_attempts(const struct bv_journal *journal, const char *condition,
			       bv__kept_attempt_fn fn, void *context, struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	char text[512];
	sqlite3 *db = NULL;
	enum bv_code code = bv__database_read(journal, &db, err);
	bool more = true;
	int status;

	if (code != BV_OK)
		return code;
	if (!bv__kept_exists(db)) {
		(void)sqlite3_close(db); /* only read from */
		return BV_OK;
	}
	(void)snprintf(
		text, sizeof text,
		"SELECT DISTINCT kept.attempt FROM kept JOIN attempt ON attempt.id=kept.attempt"
		" WHERE %s ORDER BY attempt.seq DESC",
		condition);
	status = sqlite3_prepare_v2(db, text, -1, &rows, NULL);
	while (code == BV_OK && more && (status == SQLITE_OK || status == SQLITE_ROW)) {
		struct bv_digest attempt;

		status = sqlite3_step(rows);
		if (status != SQLITE_ROW)
			break;
		if (bv__column_digest(rows, 0, &attempt))
			more = fn(context, &attempt);
		else
			code = bv__sql_fail(NULL, SQLITE_CORRUPT, "an artifact is malformed", err);
	}
	if (code == BV_OK && more && status != SQLITE_DONE)
		code = bv__sql_fail(db, status, "the journal cannot be read", err);
	sqlite3_finalize(rows); /* before its database; told above */
	rows = NULL;
	(void)sqlite3_close(db); /* only read from */
	return code;
}

enum bv_code bv__journal_undecided(const struct bv_journal *journal, bv__kept_attempt_fn fn,
				   void *context, struct bv_error *err)
{
	return bv__kept_attempts(journal, BV__UNDECIDED, fn, context, err);
}
