/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * export.c - the journal, or the proof of one report, as one file that src/verify can check.
 *
 * docs/format.md describes it.  Numbers are big-endian.
 */
#include "database.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 << 10, LOOKS_APART = 1024 };

struct out {
	int fd;
	uint8_t buffer[BUFFER_BYTES];
	size_t used;
	struct bv_hash hash;
	int sys_errno; /* of the first write that failed; 0 while all is well */
};

static void flush(struct out *out)
{
	size_t at = 0;

	while (at < out->used && out->sys_errno == 0) {
		ssize_t wrote = write(out->fd, out->buffer + at, out->used - at);

		if (wrote < 0 && errno != EINTR)
			out->sys_errno = errno;
		if (wrote > 0)
			at += (size_t)wrote;
	}
	out->used = 0;
}

static void put(struct out *out, const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;

	bv_hash_update(&out->hash, data, size_bytes);
	while (size_bytes > 0) {
		const size_t room = sizeof out->buffer - out->used;
		const size_t part = size_bytes < room ? size_bytes : room;

		memcpy(out->buffer + out->used, bytes, part);
		out->used += part;
		bytes += part;
		size_bytes -= part;
		if (out->used == sizeof out->buffer)
			flush(out);
	}
}

static void put_number(struct out *out, uint64_t number, int bytes)
{
	uint8_t digits[8];

	for (int i = 0; i < bytes; i++)
		digits[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
	put(out, digits, (size_t)bytes);
}

static void put_digest(struct out *out, const struct bv_digest *digest)
{
	put(out, digest->bytes, sizeof digest->bytes);
}

/* ---- what is written ------------------------------------------------------------------------- */

struct exporting {
	const struct bv_journal *journal;
	struct out out;
	bool headed, proves, done;
	const struct bv_digest *attempt;
	uint64_t count, total;
	struct bv_digest head;
	bv__progress_fn progress;
	void *context;
};

static void put_header(struct exporting *exporting, uint64_t first, const struct bv_digest *before)
{
	struct out *out = &exporting->out;

	put(out, "bvisor-journal\0\1", 16);
	put(out, exporting->journal->store, BV_STORE_BYTES);
	put_number(out, first, 8);
	put_digest(out, before);
	exporting->head = *before;
	exporting->headed = true;
}

static void put_record(struct exporting *exporting, const struct bv__record *record, bool whole)
{
	struct out *out = &exporting->out;
	const bool has_payload = whole && record->payload != NULL;

	put(out, "R", 1);
	put_number(out, record->seq, 8);
	put_digest(out, &record->attempt);
	put_number(out, record->kind, 2);
	put_number(out, record->version, 2);
	put_number(out, record->at_us, 8);
	put_digest(out, &record->payload_digest);
	put_digest(out, &record->prev);
	put_digest(out, &record->hash);
	put_number(out, has_payload ? record->payload_bytes : UINT32_MAX, 4);
	if (has_payload)
		put(out, record->payload, record->payload_bytes);
	exporting->head = record->hash;
	exporting->count++;
}

static void put_end(struct exporting *exporting)
{
	struct out *out = &exporting->out;
	struct bv_digest digest;

	put(out, "E", 1);
	put_number(out, exporting->count, 8);
	put_digest(out, &exporting->head);
	bv_hash_final(&out->hash, &digest);
	put_digest(out, &digest);
	flush(out);
}

static enum bv_code export_record(void *context, const struct bv__record *record,
				  struct bv_error *err)
{
	struct exporting *exporting = context;
	/* A proof holds the contents of the report and of the signature, and of nobody else's records. */
	const bool whole = !exporting->proves || record->kind == BV_EVENT_ANCHOR ||
			   bv_digest_equal(&record->attempt, exporting->attempt);

	if (exporting->done)
		return BV_OK;
	if (!exporting->headed)
		put_header(exporting, record->seq, &record->prev);
	put_record(exporting, record, whole);
	exporting->done = exporting->proves && record->kind == BV_EVENT_ANCHOR;
	if (exporting->out.sys_errno != 0) {
		(void)bv_fail(err, BV_E_SYSTEM, "export", "the export cannot be written");
		if (err != NULL)
			err->sys_errno = exporting->out.sys_errno;
		return BV_E_SYSTEM;
	}
	if (exporting->progress != NULL && exporting->count % LOOKS_APART == 0 &&
	    !exporting->progress(exporting->context, exporting->count, exporting->total))
		return bv_fail(err, BV_E_STATE, "export", "the export was broken off");
	return BV_OK;
}

struct report_place {
	uint64_t seq;
};

static enum bv_code find_report(void *context, const struct bv__record *record,
				struct bv_error *err)
{
	struct report_place *place = context;

	(void)err;
	if (record->kind == BV_EVENT_REPORT)
		place->seq = record->seq;
	return BV_OK;
}

static enum bv_code count_records(const struct bv_journal *journal, uint64_t *ret_total,
				  struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;
	sqlite3 *db = NULL;
	enum bv_code code = bv__database_read(journal, &db, err);
	int status;

	if (code != BV_OK)
		return code;
	status = sqlite3_prepare_v2(db, "SELECT max(seq) FROM event", -1, &row, NULL);
	if (status == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
		*ret_total = (uint64_t)sqlite3_column_int64(row, 0);
	(void)sqlite3_finalize(row); /* before its database; only read */
	row = NULL;
	(void)sqlite3_close(db);
	return BV_OK;
}

enum bv_code bv__journal_export(const struct bv_journal *journal, int fd,
				const struct bv_digest *attempt, bv__progress_fn progress,
				void *context, struct bv_error *err)
{
	struct report_place place = {0};
	struct exporting exporting = {.journal = journal,
				      .out = {.fd = fd},
				      .proves = attempt != NULL,
				      .attempt = attempt,
				      .progress = progress,
				      .context = context};
	struct bv_digest genesis;
	enum bv_code code = BV_OK;

	bv_hash_init(&exporting.out.hash);
	if (attempt != NULL) {
		code = bv__journal_records(journal, attempt, 0, 0, find_report, &place, err);
		if (code == BV_OK && place.seq == 0)
			code = bv_fail(err, BV_E_STATE, "export", "the attempt has no report");
	} else {
		code = count_records(journal, &exporting.total, err);
	}
	if (code == BV_OK)
		code = bv__journal_records(journal, NULL, place.seq, 0, export_record, &exporting,
					   err);
	if (code != BV_OK)
		return code;
	if (exporting.proves && !exporting.done)
		return bv_fail(err, BV_E_STATE, "export", "no signature covers the report yet");
	if (!exporting.headed) {
		bv__chain_genesis(journal->store, &genesis);
		put_header(&exporting, 1, &genesis);
	}
	put_end(&exporting);
	if (exporting.out.sys_errno != 0) {
		code = bv_fail(err, BV_E_SYSTEM, "export", "the export cannot be written");
		if (err != NULL)
			err->sys_errno = exporting.out.sys_errno;
	}
	return code;
}
