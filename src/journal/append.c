/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * append.c - the only place that writes records.
 *
 * Threads that come while one commits wait in a queue; the next to be woken commits for all of them
 * at once, so that however many runs end together, the disk is waited for once.  No thread is made
 * for it.  Between processes SQLite's own lock decides who writes.
 *
 * After a write or a sync that failed for another reason than a lock or a full disk, nobody knows
 * what is on the disk, and trying again would only make the failure invisible: the journal is
 * poisoned, and says so to everyone from then on.
 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/canon.h"

/* Where the chain stands within a transaction. */
struct writing {
	struct bv_journal *journal;
	uint64_t seq;
	struct bv_digest head;
	bool ended; /* an attempt came to its end, or the store itself changed: worth a signature */
	int status; /* what SQLite said of the step that failed */
};

static enum bv_code fail_sql(struct bv_journal *journal, const char *what, struct bv_error *err)
{
	return bv__sql_fail(journal->db, sqlite3_extended_errcode(journal->db), what, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static enum bv_code find_head(struct writing *writing, struct bv_error *err)
{
	sqlite3_stmt *row = bv__sql(writing->journal, BV_SQL_HEAD);
	int status = row != NULL ? sqlite3_step(row) : SQLITE_ERROR;
	enum bv_code code = BV_OK;

	if (status == SQLITE_DONE) {
		writing->seq = 0;
		bv__chain_genesis(writing->journal->store, &writing->head);
	} else if (status == SQLITE_ROW) {
		writing->seq = (uint64_t)sqlite3_column_int64(row, 0);
		if (!bv__column_digest(row, 1, &writing->head))
			code = bv__sql_fail(NULL, SQLITE_CORRUPT, "a record is malformed", err);
	} else {
		code = fail_sql(writing->journal, "the journal cannot be read", err);
	}
	if (row != NULL)
		(void)sqlite3_reset(row); /* only read */
	/* Others wrote since: what they left is about to come under our signature. */
	if (code == BV_OK && (!writing->journal->has_known ||
			      !bv_digest_equal(&writing->journal->known, &writing->head)))
		code = bv__tail_check(writing->journal, err);
	return code;
}

static enum bv_code insert(struct writing *writing, const struct bv__record *record,
			   struct bv_error *err)
{
	sqlite3_stmt *row = bv__sql(writing->journal, BV_SQL_INSERT);
	int status = SQLITE_ERROR;

	if (row != NULL) {
		/* Binding can only run out of memory, and then the step fails. */
		(void)sqlite3_bind_int64(row, 1, (sqlite3_int64)record->seq);
		(void)sqlite3_bind_blob(row, 2, record->attempt.bytes, 32, SQLITE_STATIC);
		(void)sqlite3_bind_int(row, 3, record->kind);
		(void)sqlite3_bind_int(row, 4, record->version);
		(void)sqlite3_bind_int64(row, 5, (sqlite3_int64)record->at_us);
		(void)sqlite3_bind_blob64(row, 6, record->payload, record->payload_bytes,
					  SQLITE_STATIC);
		(void)sqlite3_bind_blob(row, 7, record->payload_digest.bytes, 32, SQLITE_STATIC);
		(void)sqlite3_bind_blob(row, 8, record->prev.bytes, 32, SQLITE_STATIC);
		(void)sqlite3_bind_blob(row, 9, record->hash.bytes, 32, SQLITE_STATIC);
		status = sqlite3_step(row);
		(void)sqlite3_reset(row); /* says the same again */
	}
	if (status == SQLITE_DONE)
		return BV_OK;
	if ((status & 0xff) == SQLITE_CONSTRAINT)
		return bv_fail(err, BV_E_STATE, "journal", "the attempt has a record '%s' already",
			       bv_event_name(record->kind));
	return bv__sql_fail(writing->journal->db, status, "the journal cannot be written", err);
}

/* One record more; `record` comes back whole. */
static enum bv_code chain(struct writing *writing, struct bv__record *record, struct bv_error *err)
{
	enum bv_code code;

	record->seq = writing->seq + 1;
	record->version = BV_EVENT_PAYLOAD_VERSION;
	record->prev = writing->head;
	bv_hash_bytes(record->payload, record->payload_bytes, &record->payload_digest);
	bv__chain_hash(writing->journal->store, record, &record->hash);
	code = insert(writing, record, err);
	if (code == BV_OK) {
		writing->seq = record->seq;
		writing->head = record->hash;
	}
	return code;
}

/* Steps a statement that finds one attempt or none. */
static enum bv_code read_attempt(struct bv_journal *journal, sqlite3_stmt *row, bool *ret_found,
				 struct bv__attempt *ret_attempt, struct bv_error *err)
{
	const int status = row != NULL ? sqlite3_step(row) : SQLITE_ERROR;
	enum bv_code code = BV_OK;

	*ret_found = status == SQLITE_ROW;
	if (*ret_found && !bv__column_attempt(row, ret_attempt))
		code = bv__sql_fail(NULL, SQLITE_CORRUPT, "an attempt is malformed", err);
	else if (status != SQLITE_ROW && status != SQLITE_DONE)
		code = fail_sql(journal, "the journal cannot be read", err);
	if (row != NULL)
		(void)sqlite3_reset(row); /* only read */
	return code;
}

static enum bv_code load_attempt(struct bv_journal *journal, const struct bv_digest *id,
				 struct bv__attempt *ret_attempt, struct bv_error *err)
{
	sqlite3_stmt *row = bv__sql(journal, BV_SQL_ATTEMPT);
	bool found;

	*ret_attempt = (struct bv__attempt){.seq = 0};
	if (row != NULL)
		(void)sqlite3_bind_blob(row, 1, id->bytes, 32, SQLITE_STATIC);
	return read_attempt(journal, row, &found, ret_attempt, err);
}

static enum bv_code store_attempt(struct bv_journal *journal, const struct bv__attempt *attempt,
				  struct bv_error *err)
{
	sqlite3_stmt *row = bv__sql(journal, BV_SQL_ATTEMPT_PUT);
	int status;

	if (row == NULL)
		return fail_sql(journal, "the journal cannot be written", err);
	(void)sqlite3_bind_blob(row, 1, attempt->id.bytes, 32, SQLITE_STATIC);
	(void)sqlite3_bind_int64(row, 2, (sqlite3_int64)attempt->seq);
	(void)sqlite3_bind_int64(row, 3, (sqlite3_int64)attempt->started_us);
	(void)sqlite3_bind_int64(row, 4, (sqlite3_int64)attempt->ended_us);
	(void)sqlite3_bind_int(row, 5, (int)attempt->state);
	if (attempt->has_outcome)
		(void)sqlite3_bind_int(row, 6, (int)attempt->outcome);
	(void)sqlite3_bind_int(row, 7, attempt->exit_kind);
	(void)sqlite3_bind_int(row, 8, attempt->exit_number);
	(void)sqlite3_bind_text(row, 9, attempt->program, -1, SQLITE_STATIC);
	if (attempt->idempotency_key[0] != '\0')
		(void)sqlite3_bind_text(row, 10, attempt->idempotency_key, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(row, 11, attempt->plan_id.bytes, 32, SQLITE_STATIC);
	(void)sqlite3_bind_blob(row, 12, attempt->request.bytes, 32, SQLITE_STATIC);
	status = sqlite3_step(row);
	(void)sqlite3_reset(row); /* says the same again */
	return status == SQLITE_DONE
		       ? BV_OK
		       : bv__sql_fail(journal->db, status, "the journal cannot be written", err);
}

enum bv_code bv__journal_find_key(struct bv_journal *journal, const char *key, bool *ret_found,
				  struct bv__attempt *ret_attempt, struct bv_error *err)
{
	sqlite3_stmt *row = bv__sql(journal, BV_SQL_BY_KEY);

	if (row != NULL)
		(void)sqlite3_bind_text(row, 1, key, -1, SQLITE_STATIC);
	/* What cannot be read may be the run that was asked for: then it is not run again. */
	return read_attempt(journal, row, ret_found, ret_attempt, err);
}

/* ---- one append, one anchor ------------------------------------------------------------------ */

static bool is_zero(const struct bv_digest *digest)
{
	static const struct bv_digest zero;

	return bv_digest_equal(digest, &zero);
}

/* The table of what was kept follows as well; most records say nothing of it. */
static enum bv_code fold_kept(struct bv_journal *journal, const struct bv__record *record,
			      struct bv__kept_list *kept, bool *loaded, struct bv_error *err)
{
	enum bv_code code = BV_OK;

	if (record->kind != BV_EVENT_KEPT && record->kind != BV_EVENT_DECISION &&
	    record->kind != BV_EVENT_DISPOSITION)
		return BV_OK;
	if (!*loaded)
		code = bv__kept_load(journal->db, &record->attempt, kept, err);
	*loaded = true;
	journal->scratch.used = 0;
	return code == BV_OK ? bv__kept_fold(kept, &journal->scratch, record, err) : code;
}

static enum bv_code write_entries(struct writing *writing, struct bv__append *append)
{
	struct bv_journal *journal = writing->journal;
	const bool of_attempt = !is_zero(&append->attempt);
	struct bv__kept_list kept = {NULL, 0, 0, false};
	struct bv__attempt attempt;
	bool loaded = false;
	enum bv_code code = BV_OK;

	if (append->check != NULL)
		code = append->check(journal, append->context, &append->error);
	if (code == BV_OK && of_attempt)
		code = load_attempt(journal, &append->attempt, &attempt, &append->error);
	for (size_t i = 0; code == BV_OK && i < append->count; i++) {
		struct bv__record record = {
			.attempt = append->attempt,
			.kind = append->entries[i].kind,
			.at_us = bv__now_us(),
			.payload = (const uint8_t *)append->entries[i].payload.data,
			.payload_bytes = append->entries[i].payload.len,
		};

		code = chain(writing, &record, &append->error);
		journal->scratch.used = 0;
		if (code == BV_OK && of_attempt)
			code = bv__attempt_fold(&attempt, &journal->scratch, &record,
						&append->error);
		if (code == BV_OK && of_attempt)
			code = fold_kept(journal, &record, &kept, &loaded, &append->error);
	}
	if (code == BV_OK && of_attempt)
		code = store_attempt(journal, &attempt, &append->error);
	if (code == BV_OK && loaded)
		code = bv__kept_store(journal, &append->attempt, &kept, &append->error);
	bv__kept_clear(&kept);
	if (code == BV_OK && (!of_attempt || attempt.ended_us != 0))
		writing->ended = true;
	return code;
}

/* Of one append all or nothing is kept, whatever becomes of the others. */
static enum bv_code write_one(struct writing *writing, struct bv__append *append)
{
	const struct writing before = *writing;
	struct bv_journal *journal = writing->journal;
	int status = bv__sql_do(journal, BV_SQL_SAVE);
	int failed;

	append->code = status == SQLITE_OK
			       ? write_entries(writing, append)
			       : fail_sql(journal, "the journal cannot be written", &append->error);
	if (append->code == BV_OK) {
		writing->status = bv__sql_do(journal, BV_SQL_KEEP);
		return writing->status == SQLITE_OK ? BV_OK : BV_E_JOURNAL;
	}
	failed = sqlite3_extended_errcode(journal->db);
	*writing = before;
	writing->status = failed;
	/* A full disk or a failed read ends the whole transaction, and then there is nothing to undo. */
	if (sqlite3_get_autocommit(journal->db) != 0)
		return BV_E_JOURNAL;
	if (bv__sql_do(journal, BV_SQL_UNDO) != SQLITE_OK ||
	    bv__sql_do(journal, BV_SQL_KEEP) != SQLITE_OK)
		return BV_E_JOURNAL;
	return append->code == BV_E_JOURNAL ? BV_E_JOURNAL : BV_OK;
}

/* Signs what stands before it. */
static enum bv_code write_anchor(struct writing *writing, struct bv_error *err)
{
	struct bv_journal *journal = writing->journal;
	struct bv__record record = {.kind = BV_EVENT_ANCHOR, .at_us = bv__now_us()};
	struct bv_anchor_event anchor;
	uint8_t bytes[1024];
	struct bv_writer writer = {.data = bytes, .capacity = sizeof bytes};

	bv__anchor_sign(&journal->signer, journal->store, writing->seq, record.at_us,
			&writing->head, &anchor);
	bv_canon_encode(&writer, &bv_anchor_event_type, &anchor);
	bv_assert(writer.len <= sizeof bytes);
	record.payload = bytes;
	record.payload_bytes = writer.len;
	return chain(writing, &record, err);
}

/* ---- the transaction ------------------------------------------------------------------------- */

static int set_syncing(struct bv_journal *journal, bool syncs)
{
	int status = SQLITE_OK;

	if (journal->syncs != (int)syncs)
		status = bv__sql_do(journal, syncs ? BV_SQL_SYNC_FULL : BV_SQL_SYNC_LATER);
	if (status == SQLITE_OK)
		journal->syncs = syncs;
	return status;
}

/* SQLite's own word on why a transaction came to nothing. */
struct failure {
	int status;
	bool full;
	struct bv_error error;
};

static bool write_all(struct writing *writing, struct bv__append *list, struct failure *failure)
{
	struct bv_journal *journal = writing->journal;
	bool any = false;
	enum bv_code code = find_head(writing, &failure->error);

	for (struct bv__append *append = list; append != NULL && code == BV_OK;
	     append = append->next) {
		code = write_one(writing, append);
		any |= code == BV_OK && append->code == BV_OK;
		if (code != BV_OK) {
			failure->error = append->error;
			failure->status = writing->status;
		}
	}
	if (code == BV_OK && any && writing->ended) {
		code = write_anchor(writing, &failure->error);
		failure->status = sqlite3_extended_errcode(journal->db);
	}
	return code == BV_OK;
}

/* Whether what was committed is what whoever opens the journal next will find. */
static bool is_where_it_was(const struct writing *writing, struct failure *failure)
{
	struct bv_journal *journal = writing->journal;

	journal->has_known = true;
	journal->known = writing->head;
	if (!bv__files_moved(journal))
		return true;
	failure->status = SQLITE_IOERR;
	(void)bv_fail_remedy(&failure->error, BV_E_JOURNAL, "journal",
			     "put it back, or start anew with another",
			     "the journal was moved, replaced or removed while it was open");
	return false;
}

/* What the last failed write to the log failed with. */
static int log_errno(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	int sys_errno = 0;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK &&
	    file != NULL && file->pMethods != NULL)
		(void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &sys_errno);
	return sys_errno;
}

/* No room, whichever way it is told: SQLite takes a quota, and an index that cannot grow, for a fault. */
static bool is_full(sqlite3 *db, int status)
{
	return (status & 0xff) == SQLITE_FULL || status == SQLITE_IOERR_SHMSIZE ||
	       (status == SQLITE_IOERR_WRITE && log_errno(db) == EDQUOT);
}

/* False when nothing of the list can be relied on, and `failure` says why. */
static bool commit(struct bv_journal *journal, struct bv__append *list, struct failure *failure)
{
	struct writing writing = {.journal = journal};
	bool durable = false;

	for (struct bv__append *append = list; append != NULL; append = append->next)
		durable |= append->durable;
	failure->status = set_syncing(journal, durable);
	if (failure->status == SQLITE_OK)
		failure->status = bv__sql_do(journal, BV_SQL_BEGIN);
	if (failure->status != SQLITE_OK) {
		(void)fail_sql(journal, "the journal cannot be written", &failure->error);
		return false;
	}
	if (write_all(&writing, list, failure)) {
		failure->status = bv__sql_do(journal, BV_SQL_COMMIT);
		if (failure->status == SQLITE_OK)
			return is_where_it_was(&writing, failure);
		failure->status = sqlite3_extended_errcode(journal->db);
		(void)fail_sql(journal, "the journal cannot be written", &failure->error);
	}
	failure->full = is_full(journal->db, failure->status);
	(void)bv__sql_do(journal,
			 BV_SQL_ROLLBACK); /* may be over already; the first error is told */
	return false;
}

static void poison(struct bv_journal *journal, const struct bv_error *why)
{
	journal->poisoned = true;
	journal->poison = *why;
}

/* Makes the list durable, or says to each of it why not. */
static void commit_list(struct bv_journal *journal, struct bv__append *list)
{
	struct failure failure = {.status = SQLITE_OK};
	bool committed = commit(journal, list, &failure);
	bool released = false;

	if (!committed && failure.full) {
		for (struct bv__append *append = list; append != NULL; append = append->next) {
			released |= append->reserve != NULL && append->reserve->fd >= 0;
			if (append->reserve != NULL)
				bv__reserve_release(append->reserve);
		}
		/* That is what it was kept for. */
		if (released)
			committed = commit(journal, list, &failure);
	}
	if (committed)
		return;
	/* Otherwise nothing was written, and it was said so. */
	if ((failure.status & 0xff) != SQLITE_BUSY && (failure.status & 0xff) != SQLITE_LOCKED &&
	    !failure.full)
		poison(journal, &failure.error);
	for (struct bv__append *append = list; append != NULL; append = append->next) {
		append->code = failure.error.code != BV_OK ? failure.error.code : BV_E_JOURNAL;
		append->error = failure.error;
	}
}

enum bv_code bv__append_alone(struct bv_journal *journal, struct bv__append *append,
			      struct bv_error *err)
{
	append->next = NULL;
	commit_list(journal, append);
	if (append->code != BV_OK && err != NULL)
		*err = append->error;
	return append->code;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static enum bv_code refuse_poisoned(const struct bv_journal *journal, struct bv_error *err)
{
	return bv_fail_remedy(err, BV_E_JOURNAL, "journal",
			      "mend what is wrong with the disk, then start anew",
			      "a write failed before (%s), and what is on the disk is not known",
			      journal->poison.message);
}

enum bv_code bv__journal_append(struct bv_journal *journal, struct bv__append *append,
				struct bv_error *err)
{
	append->next = NULL;
	append->done = false;
	if (journal->read_only)
		return bv_fail(err, BV_E_STATE, "journal", "the journal was opened for reading");
	for (size_t i = 0; i < append->count; i++) {
		if (append->entries[i].payload.len > BV_JOURNAL_PAYLOAD_MAX)
			return bv_fail(err, BV_E_ARGUMENT, "journal",
				       "the contents of a record '%s' are too large",
				       bv_event_name(append->entries[i].kind));
	}
	(void)pthread_mutex_lock(&journal->lock); /* not recursive, not robust: cannot fail */
	if (journal->last != NULL)
		journal->last->next = append;
	else
		journal->first = append;
	journal->last = append;
	while (!append->done && journal->leading)
		(void)pthread_cond_wait(&journal->turn, &journal->lock);
	if (!append->done) {
		struct bv__append *list = journal->first;
		const bool poisoned = journal->poisoned;

		journal->first = journal->last = NULL;
		journal->leading = true;
		(void)pthread_mutex_unlock(&journal->lock);
		if (!poisoned)
			commit_list(journal, list);
		(void)pthread_mutex_lock(&journal->lock);
		journal->leading = false;
		for (struct bv__append *one = list, *next; one != NULL; one = next) {
			next = one->next; /* its owner may be gone with it as soon as it is done */
			if (poisoned)
				one->code = refuse_poisoned(journal, &one->error);
			one->done = true;
		}
		(void)pthread_cond_broadcast(&journal->turn);
	}
	(void)pthread_mutex_unlock(&journal->lock);
	if (append->code != BV_OK && err != NULL)
		*err = append->error;
	return append->code;
}

/* ---- room ------------------------------------------------------------------------------------ */

enum bv_code bv__reserve_take(const struct bv_journal *journal, size_t size_bytes,
			      struct bv__reserve *ret_reserve, struct bv_error *err)
{
	char directory[PATH_MAX], name[PATH_MAX + 64];
	const char *above;
	int fd;

	ret_reserve->fd = -1;
	(void)snprintf(directory, sizeof directory, "%s", journal->files[0]);
	above = dirname(directory);
	/* Without a name: it is gone with this process, however that ends. */
	fd = open(above, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
		(void)snprintf(name, sizeof name, "%s/.bvisor-reserve-%d-%llx", above,
			       (int)getpid(), (unsigned long long)bv__now_us());
		fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)unlink(name); /* a name left behind is no harm */
	}
	/* A file system that cannot reserve is no reason to refuse: then a full disk is told at the end. */
	if (fd < 0 || (fallocate(fd, 0, 0, (off_t)size_bytes) != 0 && errno != EOPNOTSUPP)) {
		const int sys_errno = errno;

		if (fd >= 0)
			close(fd);
		(void)bv_fail_remedy(err, BV_E_JOURNAL, "journal",
				     "free some space where the journal is, or name another",
				     "there is no room to keep for the report");
		if (err != NULL)
			err->sys_errno = sys_errno;
		return BV_E_JOURNAL;
	}
	ret_reserve->fd = fd;
	return BV_OK;
}

void bv__reserve_release(struct bv__reserve *reserve)
{
	if (reserve->fd >= 0)
		close(reserve->fd); /* and with it, its blocks */
	reserve->fd = -1;
}

void bv__journal_spill(const struct bv_journal *journal, const struct bv_digest *attempt,
		       struct bv_str bytes, char *ret_path, size_t size_bytes)
{
	char hex[65];
	size_t at = 0;
	int fd, len;

	bv_digest_hex(attempt, hex);
	len = snprintf(ret_path, size_bytes, "%s-unrecorded-%.16s", journal->files[0], hex);
	fd = len > 0 && (size_t)len < size_bytes
		     ? open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)
		     : -1;
	while (fd >= 0 && at < bytes.len) {
		ssize_t wrote = write(fd, bytes.data + at, bytes.len - at);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			break;
		at += (size_t)wrote;
	}
	if (fd < 0 || at < bytes.len || fsync(fd) != 0) {
		if (fd >= 0)
			(void)unlink(ret_path); /* half a report is none */
		ret_path[0] = '\0';
	}
	if (fd >= 0)
		close(fd);
}
