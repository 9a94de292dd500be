/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * verify.c - whether every record is what was written, and the table of attempts what follows.
 *
 * One pass in the order of the chain and one over the attempts: linear, in constant memory.
 */
#include "blobs.h"
#include "database.h"

#include <string.h>

#include "contract/canon.h"
#include "contract/report.h"

enum { LOOKS_APART = 1024 }; /* records between two words about progress */

struct walk {
	const struct bv_journal *journal;
	const struct bv__verify_options *options;
	struct bv__verified *found;
	struct bv_arena *scratch;
	uint64_t last_us, total;
	uint64_t to_sign; /* the last record that a signature has to follow */
	uint64_t pruned,
		pruned_before; /* records by decision, of attempts that had ended by then */
};

static enum bv_code wrong(const struct bv__record *record, const char *what, struct bv_error *err)
{
	struct bv_arena arena;
	char text[64];
	enum bv_code code;

	bv_arena_init(&arena, text, sizeof text);
	code = bv_fail(err, BV_E_INTEGRITY,
		       bv_arena_format(&arena, "record %llu", (unsigned long long)record->seq).data,
		       "%s", what);
	return code;
}

/* ---- one record ------------------------------------------------------------------------------ */

static enum bv_code check_chain(const struct walk *walk, const struct bv__record *record,
				struct bv_error *err)
{
	struct bv_digest digest;

	if (record->seq != walk->found->records + 1)
		return wrong(record, "records before it are missing, or it is out of place", err);
	if (!bv_digest_equal(&record->prev, &walk->found->head))
		return wrong(record, "it does not follow the record before it", err);
	bv__chain_hash(walk->journal->store, record, &digest);
	if (!bv_digest_equal(&digest, &record->hash))
		return wrong(record, "its hash does not recompute", err);
	if (record->version != BV_EVENT_PAYLOAD_VERSION)
		return wrong(record, "its version is not known", err);
	if (record->payload == NULL)
		return BV_OK;
	bv_hash_bytes(record->payload, record->payload_bytes, &digest);
	if (!bv_digest_equal(&digest, &record->payload_digest))
		return wrong(record, "its contents were altered", err);
	return BV_OK;
}

static enum bv_code check_anchor(struct walk *walk, const struct bv__record *record,
				 const struct bv_anchor_event *anchor, struct bv_error *err)
{
	const struct bv_digest *wanted = walk->options->public_key;

	if (!bv_digest_equal(&anchor->head, &record->prev))
		return wrong(record, "the anchor is about another record", err);
	if (wanted != NULL && !bv_digest_equal(&anchor->public_key, wanted))
		return wrong(record, "the anchor is signed with another key", err);
	if (!bv__anchor_holds(walk->journal->store, record->seq - 1, record->at_us, anchor))
		return wrong(record, "the signature of the anchor is wrong", err);
	walk->found->anchors++;
	walk->found->anchored_seq = record->seq - 1;
	walk->found->public_key = anchor->public_key;
	return BV_OK;
}

static void note_pruned(struct walk *walk, const struct bv_pruned_event *pruned)
{
	walk->pruned += pruned->records;
	if (pruned->before_unix_micros > walk->pruned_before)
		walk->pruned_before = pruned->before_unix_micros;
}

static enum bv_code check_contents(struct walk *walk, const struct bv__record *record,
				   struct bv_error *err)
{
	const struct bv_type *type = bv_event_type(record->kind);
	struct bv_report_event *report;
	void *value;

	if (type == NULL)
		return wrong(record, "its kind is not known", err);
	if (!bv__kind_stands_unsigned(record->kind) && record->kind != BV_EVENT_ANCHOR)
		walk->to_sign = record->seq;
	if (record->payload == NULL) {
		static const struct bv_digest of_the_store;

		/* Decisions to remove contents are about attempts; so signatures never go. */
		if (bv_digest_equal(&record->attempt, &of_the_store))
			return wrong(record, "its contents are missing", err);
		walk->found->removed++;
		return BV_OK;
	}
	walk->scratch->used = 0;
	value = bv_arena_alloc(walk->scratch, type->size_bytes);
	if (value == NULL || bv_canon_decode(walk->scratch, type, record->payload,
					     record->payload_bytes, value, NULL) != BV_OK)
		return wrong(record, "its contents cannot be read", err);
	if (record->kind == BV_EVENT_ANCHOR)
		return check_anchor(walk, record, value, err);
	if (record->kind == BV_EVENT_PRUNED)
		note_pruned(walk, value);
	report = value;
	if (record->kind == BV_EVENT_REPORT &&
	    (bv_report_check(walk->scratch, &report->report, NULL) != BV_OK ||
	     !report->report.body.has_attempt ||
	     !bv_digest_equal(&report->report.body.attempt, &record->attempt)))
		return wrong(record, "the report's seal does not hold, or it is of another attempt",
			     err);
	return BV_OK;
}

static enum bv_code check_record(void *context, const struct bv__record *record,
				 struct bv_error *err)
{
	struct walk *walk = context;
	enum bv_code code = check_chain(walk, record, err);

	if (code == BV_OK)
		code = check_contents(walk, record, err);
	if (code != BV_OK)
		return code;
	if (walk->options->anchor_seq == record->seq &&
	    !bv_digest_equal(&record->hash, &walk->options->anchor_hash))
		return wrong(record, "it is another than the anchor kept elsewhere says", err);
	walk->found->clock_steps += record->at_us < walk->last_us;
	walk->last_us = record->at_us;
	walk->found->records++;
	walk->found->head = record->hash;
	if (walk->options->progress != NULL && walk->found->records % LOOKS_APART == 0 &&
	    !walk->options->progress(walk->options->context, walk->found->records, walk->total))
		return bv_fail(err, BV_E_STATE, "journal", "the verification was broken off");
	return BV_OK;
}

/* ---- the attempts ---------------------------------------------------------------------------- */

struct folding {
	struct bv__attempt attempt;
	struct bv__kept_list kept;
	struct bv_arena *scratch;
	bool removed;
};

static enum bv_code fold_record(void *context, const struct bv__record *record,
				struct bv_error *err)
{
	struct folding *folding = context;
	enum bv_code code;

	/* What was removed can no longer be followed; what it led to is in the table alone. */
	folding->removed |= record->payload == NULL;
	if (folding->removed)
		return BV_OK;
	folding->scratch->used = 0;
	code = bv__attempt_fold(&folding->attempt, folding->scratch, record, err);
	folding->scratch->used = 0;
	return code == BV_OK ? bv__kept_fold(&folding->kept, folding->scratch, record, err) : code;
}

static bool same_attempt(const struct bv__attempt *a, const struct bv__attempt *b)
{
	return a->seq == b->seq && a->started_us == b->started_us && a->ended_us == b->ended_us &&
	       a->state == b->state && a->has_outcome == b->has_outcome &&
	       (!a->has_outcome || a->outcome == b->outcome) && a->exit_kind == b->exit_kind &&
	       a->exit_number == b->exit_number && strcmp(a->program, b->program) == 0 &&
	       strcmp(a->idempotency_key, b->idempotency_key) == 0 &&
	       bv_digest_equal(&a->plan_id, &b->plan_id) &&
	       bv_digest_equal(&a->request, &b->request);
}

static bool same_kept(const struct bv__kept_list *a, const struct bv__kept_list *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++) {
		const struct bv__kept *one = &a->items[i], *other = &b->items[i];

		same = bv_digest_equal(&one->id, &other->id) &&
		       bv_digest_equal(&one->content, &other->content) &&
		       one->size_bytes == other->size_bytes && one->state == other->state &&
		       strcmp(one->name, other->name) == 0;
	}
	return same;
}

struct attempts {
	const struct walk *walk;
	sqlite3 *db;
	struct bv_arena *scratch;
	uint64_t count;
	enum bv_code code;
	struct bv_error *err;
};

/* What was kept, and whether it is still there as it was. */
static enum bv_code check_kept(struct attempts *attempts, const struct bv__attempt *attempt,
			       const struct folding *folding)
{
	struct bv__verified *found = attempts->walk->found;
	struct bv__kept_list kept;
	enum bv_code code = bv__kept_load(attempts->db, &attempt->id, &kept, attempts->err);
	char hex[65];

	bv_digest_hex(&attempt->id, hex);
	if (code == BV_OK && !folding->removed && !same_kept(&folding->kept, &kept))
		code = bv_fail(attempts->err, BV_E_INTEGRITY, "attempt",
			       "what was kept of attempt %.*s does not follow from its records", 16,
			       hex);
	for (size_t i = 0; code == BV_OK && i < kept.count; i++) {
		if (kept.items[i].state == BV_KEPT_DISCARDED ||
		    kept.items[i].state == BV_KEPT_DISCARDING)
			continue;
		code = bv__blob_check(attempts->walk->journal, &kept.items[i].content,
				      kept.items[i].size_bytes, attempts->err);
		found->blobs++;
		found->blob_bytes += kept.items[i].size_bytes;
		if (code == BV_OK && attempts->walk->options->progress != NULL &&
		    !attempts->walk->options->progress(attempts->walk->options->context,
						       found->records, attempts->walk->total))
			code = bv_fail(attempts->err, BV_E_STATE, "journal",
				       "the verification was broken off");
	}
	bv__kept_clear(&kept);
	return code;
}

static bool check_attempt(void *context, const struct bv__attempt *attempt)
{
	struct attempts *attempts = context;
	struct folding folding = {.scratch = attempts->scratch};
	char hex[65];

	attempts->count++;
	attempts->code = bv__records_on(attempts->db, &attempt->id, 0, 0, fold_record, &folding,
					attempts->err);
	bv_digest_hex(&attempt->id, hex);
	if (attempts->code == BV_OK && !folding.removed && !same_attempt(&folding.attempt, attempt))
		attempts->code = bv_fail(
			attempts->err, BV_E_INTEGRITY, "attempt",
			"where attempt %.*s stands does not follow from its records", 16, hex);
	if (attempts->code == BV_OK && folding.removed &&
	    (attempt->ended_us == 0 || attempt->ended_us >= attempts->walk->pruned_before))
		attempts->code = bv_fail(
			attempts->err, BV_E_INTEGRITY, "attempt",
			"contents of attempt %.*s are missing, and no decision removed them", 16,
			hex);
	if (attempts->code == BV_OK)
		attempts->code = check_kept(attempts, attempt, &folding);
	bv__kept_clear(&folding.kept);
	return attempts->code == BV_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum bv_code ask(sqlite3 *db, const char *question, sqlite3_int64 *ret_number, bool *ret_ok,
			struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;
	int status = sqlite3_prepare_v2(db, question, -1, &row, NULL);

	if (status == SQLITE_OK)
		status = sqlite3_step(row);
	if (status != SQLITE_ROW)
		return bv__sql_fail(db, status, "the journal cannot be read", err);
	*ret_number = sqlite3_column_int64(row, 0);
	*ret_ok = sqlite3_column_type(row, 0) != SQLITE_TEXT ||
		  strcmp((const char *)sqlite3_column_text(row, 0), "ok") == 0;
	return BV_OK;
}

/* SQLite's own look at its pages, how many records there are, and whether all are accounted for. */
static enum bv_code look(sqlite3 *db, uint64_t *ret_total, struct bv_error *err)
{
	static const char orphans[] = "SELECT count(*) FROM event WHERE attempt != zeroblob(32) AND"
				      " NOT EXISTS (SELECT 1 FROM attempt WHERE id=event.attempt)";
	static const char strays[] = "SELECT count(*) FROM kept WHERE"
				     " NOT EXISTS (SELECT 1 FROM attempt WHERE id=kept.attempt)";
	sqlite3_int64 total = 0, orphaned = 0, unused;
	enum bv__schema schema = BV_SCHEMA_FOREIGN;
	bool whole = true, ok;
	char odd[BV_SCHEMA_ODD_SIZE];
	enum bv_code code = bv__schema_check(db, &schema, odd, err);

	if (code == BV_OK && schema == BV_SCHEMA_FOREIGN)
		code = bv_fail(err, BV_E_INTEGRITY, "journal",
			       "it has other tables than bvisor makes: %s", odd);
	/* Not the quick one: an index that lacks a row hides it from whoever asks by that index. */
	if (code == BV_OK)
		code = ask(db, "PRAGMA integrity_check(1)", &unused, &whole, err);
	if (code == BV_OK && !whole)
		code = bv_fail(err, BV_E_INTEGRITY, "journal", "the database's pages are damaged");
	if (code == BV_OK)
		code = ask(db, "SELECT max(seq) FROM event", &total, &ok, err);
	if (code == BV_OK)
		code = ask(db, orphans, &orphaned, &ok, err);
	if (code == BV_OK && orphaned != 0)
		code = bv_fail(err, BV_E_INTEGRITY, "attempt",
			       "the table of attempts lacks some that have records");
	if (code == BV_OK && bv__kept_exists(db))
		code = ask(db, strays, &orphaned, &ok, err);
	if (code == BV_OK && orphaned != 0)
		code = bv_fail(err, BV_E_INTEGRITY, "attempt",
			       "something was kept of attempts that are not there");
	*ret_total = (uint64_t)total;
	return code;
}

/* What only the end tells. */
static enum bv_code check_whole(const struct walk *walk, struct bv_error *err)
{
	if (walk->to_sign > walk->found->anchored_seq)
		return bv_fail(
			err, BV_E_INTEGRITY, "journal",
			"record %llu is of a kind that is signed, and no signature covers it",
			(unsigned long long)walk->to_sign);
	if (walk->found->removed != walk->pruned)
		return bv_fail(err, BV_E_INTEGRITY, "journal",
			       "%llu records have no contents, and decisions removed those of %llu",
			       (unsigned long long)walk->found->removed,
			       (unsigned long long)walk->pruned);
	return BV_OK;
}

static enum bv_code verify_on(sqlite3 *db, struct walk *walk, struct attempts *attempts,
			      struct bv_error *err)
{
	static const struct bv__filter everything;
	const uint64_t anchor_seq = walk->options->anchor_seq;
	/* One snapshot for all of it: others may append meanwhile. */
	int status = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	enum bv_code code;

	if (status != SQLITE_OK)
		return bv__sql_fail(db, status, "the journal cannot be read", err);
	code = look(db, &walk->total, err);
	if (code == BV_OK)
		code = bv__records_on(db, NULL, 0, 0, check_record, walk, err);
	if (code == BV_OK && walk->found->records < anchor_seq)
		code = bv_fail(
			err, BV_E_INTEGRITY, "journal",
			"it ends at record %llu, and an anchor kept elsewhere knows record %llu",
			(unsigned long long)walk->found->records, (unsigned long long)anchor_seq);
	if (code == BV_OK)
		code = check_whole(walk, err);
	if (code == BV_OK)
		code = bv__list_on(db, &everything, check_attempt, attempts, err);
	return code == BV_OK ? attempts->code : code;
}

enum bv_code bv__journal_verify(const struct bv_journal *journal,
				const struct bv__verify_options *options,
				struct bv__verified *ret_verified, struct bv_error *err)
{
	struct bv_arena scratch;
	struct walk walk = {.journal = journal,
			    .options = options,
			    .found = ret_verified,
			    .scratch = &scratch};
	struct attempts attempts = {.walk = &walk, .scratch = &scratch, .err = err};
	enum bv_code code;

	*ret_verified = (struct bv__verified){0};
	bv__chain_genesis(journal->store, &ret_verified->head);
	/* Not the journal's own: another thread may be appending. */
	code = bv__scratch_map(&scratch, err);
	if (code != BV_OK)
		return code;
	code = bv__database_read(journal, &attempts.db, err);
	if (code == BV_OK)
		code = verify_on(attempts.db, &walk, &attempts, err);
	(void)sqlite3_close(attempts.db); /* only read from */
	bv__scratch_unmap(&scratch);
	ret_verified->attempts = attempts.count;
	return code;
}
