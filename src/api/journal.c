/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The exported functions of journal.h. */
#include "api.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/json.h"

/* ---- Opening --------------------------------------------------------------------------------- */

enum bv_code bv_journal_default_path(char **ret_path, struct bv_error *err)
{
	const char *state = secure_getenv("XDG_STATE_HOME");
	const char *home = secure_getenv("HOME");
	char path[PATH_MAX];
	int len;

	/* The convention says that a relative one is no answer. */
	if (state && state[0] == '/')
		len = snprintf(path, sizeof path, "%s/bvisor/journal.db", state);
	else if (home && home[0] == '/')
		len = snprintf(path, sizeof path, "%s/.local/state/bvisor/journal.db", home);
	else
		return bv_fail_remedy(
			err, BV_E_JOURNAL, "journal",
			"set HOME, name one with --journal PATH, or do without: --journal none",
			"there is no place for a journal: neither XDG_STATE_HOME nor HOME is set");
	*ret_path = len > 0 && (size_t)len < sizeof path ? strdup(path) : NULL;
	return *ret_path ? BV_OK
			 : bv_fail(err, BV_E_MEMORY, "journal",
				   "there is no memory for the path of the journal");
}

enum bv_code bv_journal_open(const struct bv_journal_options *options,
			     struct bv_journal **ret_journal, struct bv_error *err)
{
	struct bv__journal_options inner = {.path = NULL};
	struct bv_journal *journal = NULL;
	char *path = NULL;
	enum bv_code code = BV_OK;

	if (options)
		inner = (struct bv__journal_options){options->path, options->key_path,
						     options->read_only, options->keep_values,
						     options->busy_ms};
	if (!inner.path) {
		code = bv_journal_default_path(&path, err);
		inner.path = path;
	}
	if (code == BV_OK)
		code = bv__journal_open(&inner, &journal, err);
	if (code == BV_OK && !inner.read_only && !(options && options->leave_lost))
		code = bv__journal_recover(journal, NULL, NULL, err);
	free(path);
	if (code != BV_OK) {
		bv__journal_close(journal);
		return code;
	}
	*ret_journal = journal;
	return BV_OK;
}

void bv_journal_close(struct bv_journal *journal)
{
	bv__journal_close(journal);
}

const char *bv_journal_path(const struct bv_journal *journal)
{
	return bv__journal_path(journal);
}

enum bv_code bv_journal_refused(struct bv_journal *journal, const char *program,
				const struct bv_error *why, struct bv_error *err)
{
	if (!journal || !why)
		return bv_fail(err, BV_E_ARGUMENT, "journal", "nothing is to be recorded");
	return bv__record_refusal(journal, bv_str_from(program ? program : ""), why, err);
}

/* ---- Attempts -------------------------------------------------------------------------------- */

struct listing {
	bv_journal_attempt_fn fn;
	void *context;
};

static bool list_one(void *context, const struct bv__attempt *attempt)
{
	static const int kinds[] = {BV_EXITED_UNKNOWN, BV_EXITED_CODE, BV_EXITED_SIGNAL,
				    BV_EXITED_NOT_STARTED};
	const struct listing *listing = context;
	char hex[65];
	const struct bv_journal_attempt shown = {
		.id = hex,
		.outcome = attempt->has_outcome ? bv_name_of(&bv_outcome_type, attempt->outcome)
						: bv__attempt_state_name(attempt->state),
		.program = attempt->program,
		.idempotency_key = attempt->idempotency_key,
		.started_unix_micros = attempt->started_us,
		.ended_unix_micros = attempt->ended_us,
		.exit_kind = kinds[attempt->exit_kind & 3],
		.exit_number = attempt->exit_number,
	};

	bv_digest_hex(&attempt->id, hex);
	return listing->fn(listing->context, &shown);
}

enum bv_code bv_journal_list(const struct bv_journal *journal,
			     const struct bv_journal_filter *filter, bv_journal_attempt_fn fn,
			     void *context, struct bv_error *err)
{
	struct listing listing = {fn, context};
	struct bv__filter inner = {0};

	if (filter)
		inner = (struct bv__filter){filter->since_unix_micros,
					    filter->until_unix_micros,
					    filter->outcome,
					    filter->program,
					    filter->id,
					    filter->most};
	return bv__journal_list(journal, &inner, list_one, &listing, err);
}

/* ---- Records --------------------------------------------------------------------------------- */

struct showing {
	bv_journal_record_fn fn;
	void *context;
	bool enough;
	const struct bv__record *record;
	char *json;
};

static enum bv_code decode_record(struct bv_arena *arena, void *context, struct bv_error *err)
{
	struct showing *showing = context;
	const struct bv__record *record = showing->record;
	const struct bv_type *type = bv_event_type(record->kind);
	void *value = type ? bv_arena_alloc(arena, type->size_bytes) : NULL;
	struct bv_str text;
	enum bv_code code;

	if (!type)
		return bv_fail(err, BV_E_INTEGRITY, "journal", "record %llu is of an unknown kind",
			       (unsigned long long)record->seq);
	if (!value)
		return bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
	code = bv_canon_decode(arena, type, record->payload, record->payload_bytes, value, err);
	if (code != BV_OK)
		return code;
	text = bv_json_text(arena, type, value, BV_JSON_COMPACT);
	showing->json = text.data ? strdup(text.data) : NULL;
	return showing->json
		       ? BV_OK
		       : bv_fail(err, BV_E_MEMORY, "journal", "there is no memory for a record");
}

static enum bv_code show_record(void *context, const struct bv__record *record,
				struct bv_error *err)
{
	struct showing *showing = context;
	struct bv_arena arena = {0};
	char attempt[65], hash[65];
	struct bv_journal_record shown = {.seq = record->seq,
					  .attempt = attempt,
					  .kind = bv_event_name(record->kind),
					  .at_unix_micros = record->at_us,
					  .hash = hash};
	enum bv_code code = BV_OK;

	if (showing->enough)
		return BV_OK;
	showing->record = record;
	showing->json = NULL;
	if (record->payload)
		code = bv__memory_make(&arena, decode_record, showing, err);
	if (code != BV_OK)
		return code;
	shown.json = showing->json;
	bv_digest_hex(&record->attempt, attempt);
	bv_digest_hex(&record->hash, hash);
	showing->enough = !showing->fn(showing->context, &shown);
	free(showing->json);
	bv__memory_unmap(&arena);
	return BV_OK;
}

enum bv_code bv_journal_records(const struct bv_journal *journal, const char *attempt,
				bv_journal_record_fn fn, void *context, struct bv_error *err)
{
	struct showing showing = {.fn = fn, .context = context};
	struct bv__attempt found;
	enum bv_code code = BV_OK;

	if (attempt)
		code = bv__journal_find(journal, attempt, &found, err);
	if (code != BV_OK)
		return code;
	return bv__journal_records(journal, attempt ? &found.id : NULL, 0, 0, show_record, &showing,
				   err);
}

struct reading {
	struct bv_str bytes;
	struct bv_report *report;
};

static enum bv_code decode_report(struct bv_arena *arena, void *context, struct bv_error *err)
{
	struct reading *reading = context;
	struct bv_report_event event;
	enum bv_code code = bv_canon_decode(arena, &bv_report_event_type, reading->bytes.data,
					    reading->bytes.len, &event, err);

	if (code == BV_OK)
		reading->report->value = event.report;
	return code;
}

enum bv_code bv_journal_report(const struct bv_journal *journal, const char *attempt,
			       struct bv_report **ret_report, struct bv_error *err)
{
	struct bv_report *report = calloc(1, sizeof *report);
	struct reading reading = {.report = report};
	struct bv__attempt found;
	enum bv_code code;

	if (!report)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a report");
	code = bv__journal_find(journal, attempt, &found, err);
	if (code == BV_OK)
		code = bv__journal_payload(journal, &found.id, BV_EVENT_REPORT, &reading.bytes,
					   err);
	if (code == BV_OK)
		code = bv__memory_make(&report->arena, decode_report, &reading, err);
	free((void *)(uintptr_t)reading.bytes.data);
	if (code == BV_OK)
		code = bv__report_finish(report, err);
	if (code != BV_OK) {
		bv_report_free(report);
		return code;
	}
	*ret_report = report;
	return BV_OK;
}

/* ---- Verifying ------------------------------------------------------------------------------- */

static bool from_hex(const char *text, size_t bytes, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < bytes * 2; i++) {
		const char c = text[i];
		const int digit = c >= '0' && c <= '9'   ? c - '0'
				  : c >= 'a' && c <= 'f' ? c - 'a' + 10
				  : c >= 'A' && c <= 'F' ? c - 'A' + 10
							 : -1;

		if (digit < 0)
			return false;
		ret_bytes[i / 2] = (uint8_t)((i % 2 == 0 ? 0 : ret_bytes[i / 2] << 4) | digit);
	}
	return true;
}

static void put_hex(const uint8_t *bytes, size_t count, char *ret_text)
{
	for (size_t i = 0; i < count; i++)
		(void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

struct anchor_line {
	uint8_t store[BV_STORE_BYTES];
	unsigned long long seq, at_us;
	struct bv_anchor_event anchor;
};

static bool read_anchor(const char *text, struct anchor_line *ret_line)
{
	char store[33], head[65], key[65], r[65], s[65];

	return sscanf(text,
		      "bvisor-anchor 1 %32[0-9a-f] %llu %64[0-9a-f] %llu %64[0-9a-f] %64[0-9a-f]%64[0-9a-f]",
		      store, &ret_line->seq, head, &ret_line->at_us, key, r, s) == 7 &&
	       from_hex(store, BV_STORE_BYTES, ret_line->store) &&
	       from_hex(head, 32, ret_line->anchor.head.bytes) &&
	       from_hex(key, 32, ret_line->anchor.public_key.bytes) &&
	       from_hex(r, 32, ret_line->anchor.signature_r.bytes) &&
	       from_hex(s, 32, ret_line->anchor.signature_s.bytes);
}

static enum bv_code use_anchor(const struct bv_journal *journal, const char *text,
			       struct bv__verify_options *options, struct bv_error *err)
{
	struct anchor_line line;

	if (!read_anchor(text, &line) || line.seq == 0)
		return bv_fail_remedy(err, BV_E_ARGUMENT, "anchor",
				      "give a line that bvisor journal anchor wrote",
				      "this is not an anchor");
	if (memcmp(line.store, bv__journal_store(journal), BV_STORE_BYTES) != 0)
		return bv_fail(err, BV_E_INTEGRITY, "anchor", "the anchor is of another journal");
	if (!bv__anchor_holds(line.store, line.seq, line.at_us, &line.anchor))
		return bv_fail(err, BV_E_INTEGRITY, "anchor",
			       "the signature of the anchor is wrong");
	options->anchor_seq = line.seq;
	options->anchor_hash = line.anchor.head;
	return BV_OK;
}

enum bv_code bv_journal_verify(const struct bv_journal *journal,
			       const struct bv_journal_verify_options *options,
			       struct bv_journal_verified *ret_verified, struct bv_error *err)
{
	struct bv__verify_options inner = {0};
	struct bv__verified found = {0};
	struct bv_digest key;
	enum bv_code code = BV_OK;

	if (options) {
		inner.progress = options->progress;
		inner.context = options->context;
		if (options->public_key) {
			if (strlen(options->public_key) != 64 ||
			    !from_hex(options->public_key, 32, key.bytes))
				return bv_fail(err, BV_E_ARGUMENT, "public-key",
					       "a public key is 64 hexadecimal digits");
			inner.public_key = &key;
		}
		if (options->anchor)
			code = use_anchor(journal, options->anchor, &inner, err);
	}
	if (code == BV_OK)
		code = bv__journal_verify(journal, &inner, &found, err);
	*ret_verified = (struct bv_journal_verified){.records = found.records,
						     .attempts = found.attempts,
						     .anchors = found.anchors,
						     .removed = found.removed,
						     .clock_steps = found.clock_steps,
						     .anchored_seq = found.anchored_seq,
						     .blobs = found.blobs,
						     .blob_bytes = found.blob_bytes};
	bv_digest_hex(&found.head, ret_verified->head);
	if (found.anchors > 0)
		bv_digest_hex(&found.public_key, ret_verified->public_key);
	return code;
}

static enum bv_code decode_anchor(const struct bv__record *record, struct bv_anchor_event *ret,
				  struct bv_error *err)
{
	_Alignas(16) uint8_t memory[4096];
	struct bv_arena arena;

	bv_arena_init(&arena, memory, sizeof memory);
	return bv_canon_decode(&arena, &bv_anchor_event_type, record->payload,
			       record->payload_bytes, ret, err);
}

struct anchoring {
	const uint8_t *store;
	char line[512];
};

static enum bv_code note_anchor(void *context, const struct bv__record *record,
				struct bv_error *err)
{
	struct anchoring *anchoring = context;
	struct bv_anchor_event anchor;
	char store[2 * BV_STORE_BYTES + 1], head[65], key[65], r[65], s[65];
	enum bv_code code = decode_anchor(record, &anchor, err);

	if (code != BV_OK)
		return code;
	put_hex(anchoring->store, BV_STORE_BYTES, store);
	bv_digest_hex(&anchor.head, head);
	bv_digest_hex(&anchor.public_key, key);
	bv_digest_hex(&anchor.signature_r, r);
	bv_digest_hex(&anchor.signature_s, s);
	(void)snprintf(anchoring->line, sizeof anchoring->line,
		       "bvisor-anchor 1 %s %llu %s %llu %s %s%s\n", store,
		       (unsigned long long)record->seq - 1, head, (unsigned long long)record->at_us,
		       key, r, s);
	return BV_OK;
}

enum bv_code bv_journal_anchor(const struct bv_journal *journal, char **ret_line,
			       struct bv_error *err)
{
	struct anchoring anchoring = {bv__journal_store(journal), ""};
	enum bv_code code = bv__journal_last_anchor(journal, note_anchor, &anchoring, err);

	if (code == BV_OK && !anchoring.line[0])
		code = bv_fail(err, BV_E_STATE, "journal", "nothing in the journal is signed yet");
	if (code != BV_OK)
		return code;
	*ret_line = strdup(anchoring.line);
	return *ret_line ? BV_OK : bv_fail(err, BV_E_MEMORY, "journal", "there is no memory");
}

enum bv_code bv_journal_export(const struct bv_journal *journal, int fd, const char *attempt,
			       bv_journal_progress_fn progress, void *context, struct bv_error *err)
{
	struct bv__attempt found;
	enum bv_code code = BV_OK;

	if (attempt)
		code = bv__journal_find(journal, attempt, &found, err);
	return code == BV_OK ? bv__journal_export(journal, fd, attempt ? &found.id : NULL, progress,
						  context, err)
			     : code;
}

/* ---- Keeping --------------------------------------------------------------------------------- */

struct recovering {
	bv_journal_recovered_fn fn;
	void *context;
};

static void tell_recovered(void *context, const struct bv__recovered *recovered)
{
	const struct recovering *recovering = context;
	char hex[65];
	const struct bv_journal_recovered shown = {
		.attempt = hex,
		.verdict = recovered->failed > 0 ? "Unfinished"
						 : bv_name_of(&bv_recovery_classification_type,
							      recovered->classification),
		.reason = recovered->reason,
		.executed = recovered->executed,
		.swept = recovered->swept,
		.failed = recovered->failed,
	};

	bv_digest_hex(&recovered->attempt, hex);
	recovering->fn(recovering->context, &shown);
}

enum bv_code bv_journal_recover(struct bv_journal *journal, bv_journal_recovered_fn fn,
				void *context, struct bv_error *err)
{
	struct recovering recovering = {fn, context};

	return bv__journal_recover(journal, fn ? tell_recovered : NULL, &recovering, err);
}

enum bv_code bv_journal_resolve(struct bv_journal *journal, const char *attempt, const char *note,
				struct bv_error *err)
{
	struct bv__attempt found;
	enum bv_code code = bv__journal_find(journal, attempt, &found, err);

	if (code == BV_OK && (!note || !bv_utf8_valid(bv_str_from(note))))
		code = bv_fail(err, BV_E_ARGUMENT, "note", "the note is not text");
	return code == BV_OK ? bv__journal_resolve(journal, &found.id, bv_str_from(note), err)
			     : code;
}

enum bv_code bv_journal_prune(struct bv_journal *journal, uint64_t before_unix_micros,
			      uint64_t *ret_attempts, struct bv_error *err)
{
	return bv__journal_prune(journal, before_unix_micros, ret_attempts, err);
}
