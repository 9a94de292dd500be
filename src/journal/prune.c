/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * prune.c - removes the contents of old records by decision, and says so.
 *
 * Hashes, times and kinds stay, so that the chain verifies as before; what the contents were can no
 * longer be told from the journal.
 */
#include "database.h"

#include <unistd.h>

#include "contract/canon.h"

static enum bv_code fail(struct bv_journal *journal, struct bv_error *err)
{
	return bv__sql_fail(journal->db, sqlite3_extended_errcode(journal->db),
			    "the journal cannot be written", err);
}

/*
 * What is not over, needs a person, or left artifacts that nobody decided about stays as it is:
 * undecided bytes go by a decision about them alone.
 */
#define BV__OVER                                                                                   \
	"state IN (2, 3, 5, 6) AND ended_us < ?1 AND NOT EXISTS (SELECT 1 FROM kept WHERE"         \
	" kept.attempt=attempt.id AND " BV__UNDECIDED ")"

static enum bv_code count(const struct bv_journal *journal, uint64_t before_us,
			  struct bv_pruned_event *event, struct bv_error *err)
{
	static const char text[] = "SELECT count(DISTINCT attempt), count(*) FROM event WHERE"
				   " payload IS NOT NULL AND attempt IN"
				   " (SELECT id FROM attempt WHERE " BV__OVER ")";
	sqlite3_stmt *row = NULL;
	sqlite3 *db = NULL;
	enum bv_code code = bv__database_read(journal, &db, err);
	int status;

	if (code != BV_OK)
		return code;
	status = sqlite3_prepare_v2(db, text, -1, &row, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_bind_int64(row, 1, (sqlite3_int64)before_us);
	if (status == SQLITE_OK)
		status = sqlite3_step(row);
	if (status == SQLITE_ROW) {
		event->attempts = (uint64_t)sqlite3_column_int64(row, 0);
		event->records = (uint64_t)sqlite3_column_int64(row, 1);
	} else {
		code = bv__sql_fail(db, status, "the journal cannot be read", err);
	}
	(void)sqlite3_finalize(row); /* told above */
	(void)sqlite3_close(db);     /* only read from */
	return code;
}

/* Runs inside the transaction that appends the record which tells of it. */
static enum bv_code prune(struct bv_journal *journal, void *context, struct bv_error *err)
{
	static const char text[] = "UPDATE event SET payload=NULL WHERE payload IS NOT NULL AND"
				   " attempt IN (SELECT id FROM attempt WHERE " BV__OVER ")";
	const struct bv_pruned_event *event = context;
	static const char of_kept[] = "DELETE FROM kept WHERE attempt IN"
				      " (SELECT id FROM attempt WHERE " BV__OVER ")";
	BV_FINALIZE sqlite3_stmt *row = NULL, *kept = NULL;

	if (sqlite3_prepare_v2(journal->db, text, -1, &row, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(row, 1, (sqlite3_int64)event->before_unix_micros) != SQLITE_OK ||
	    sqlite3_step(row) != SQLITE_DONE)
		return fail(journal, err);
	/* Another process ended an attempt between counting and now, or pruned itself. */
	if ((uint64_t)sqlite3_changes64(journal->db) != event->records)
		return bv_fail_remedy(err, BV_E_BUSY, "journal", "do it again",
				      "the journal changed while its old records were counted");
	if (sqlite3_prepare_v2(journal->db, of_kept, -1, &kept, NULL) != SQLITE_OK ||
	    sqlite3_bind_int64(kept, 1, (sqlite3_int64)event->before_unix_micros) != SQLITE_OK ||
	    sqlite3_step(kept) != SQLITE_DONE)
		return fail(journal, err);
	return BV_OK;
}

enum bv_code bv__journal_prune(struct bv_journal *journal, uint64_t before_us,
			       uint64_t *ret_attempts, struct bv_error *err)
{
	uint8_t bytes[256];
	struct bv_writer writer = {.data = bytes, .capacity = sizeof bytes};
	struct bv_pruned_event event = {.principal = (uint32_t)geteuid(),
					.before_unix_micros = before_us};
	struct bv__entry entry = {.kind = BV_EVENT_PRUNED};
	struct bv__append append = {
		.entries = &entry, .count = 1, .durable = true, .check = prune, .context = &event};
	enum bv_code code = count(journal, before_us, &event, err);

	*ret_attempts = event.attempts;
	if (code != BV_OK || event.records == 0)
		return code;
	bv_canon_encode(&writer, &bv_pruned_event_type, &event);
	bv_assert(writer.len <= sizeof bytes);
	entry.payload = (struct bv_str){(const char *)bytes, writer.len};
	return bv__journal_append(journal, &append, err);
}
