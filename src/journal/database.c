/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * database.c - opens the journal's database, or makes it, and believes nothing it finds there.
 */
#include "database.h"
#include "blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	APPLICATION_ID = 0x42564a31, /* "BVJ1" */
	FORMAT_VERSION = 1,
	/* Address space for what is decoded; pages are taken as they are used. */
	SCRATCH_BYTES = 64 << 20,
	TAIL_RECORDS = 16, /* looked at on every opening; `journal verify` looks at all */
};

static const char *const texts[BV_SQL_COUNT] = {
	[BV_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[BV_SQL_COMMIT] = "COMMIT",
	[BV_SQL_ROLLBACK] = "ROLLBACK",
	[BV_SQL_SAVE] = "SAVEPOINT one",
	[BV_SQL_KEEP] = "RELEASE one",
	[BV_SQL_UNDO] = "ROLLBACK TO one",
	[BV_SQL_SYNC_FULL] = "PRAGMA synchronous=FULL",
	[BV_SQL_SYNC_LATER] = "PRAGMA synchronous=NORMAL",
	[BV_SQL_HEAD] = "SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1",
	[BV_SQL_INSERT] = "INSERT INTO event(" BV__RECORD_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?)",
	[BV_SQL_ATTEMPT] = "SELECT " BV__ATTEMPT_COLUMNS " FROM attempt WHERE id=?",
	[BV_SQL_ATTEMPT_PUT] = "INSERT INTO attempt(" BV__ATTEMPT_COLUMNS ")"
			       " VALUES(?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET"
			       " ended_us=excluded.ended_us, state=excluded.state,"
			       " outcome=excluded.outcome, exit_kind=excluded.exit_kind,"
			       " exit_number=excluded.exit_number, program=excluded.program,"
			       " idem_key=excluded.idem_key, plan_id=excluded.plan_id,"
			       " request=excluded.request",
	[BV_SQL_BY_KEY] = "SELECT " BV__ATTEMPT_COLUMNS
			  " FROM attempt WHERE idem_key=? ORDER BY seq DESC LIMIT 1",
	[BV_SQL_TAIL] = "SELECT seq, kind FROM event ORDER BY seq DESC",
	[BV_SQL_RECORD] = "SELECT " BV__RECORD_COLUMNS " FROM event WHERE seq=?",
	[BV_SQL_KEPT_PUT] = "INSERT OR REPLACE INTO kept(attempt, id, name, digest, size, state)"
			    " VALUES(?,?,?,?,?,?)",
};

static const char elsewhere[] = "name another with --journal PATH, or do without: --journal none";

/* ---- errors ---------------------------------------------------------------------------------- */

enum bv_code bv__sql_fail(sqlite3 *db, int status, const char *what, struct bv_error *err)
{
	const int sys_errno = db != NULL ? sqlite3_system_errno(db) : 0;
	enum bv_code code;

	switch (status & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return bv_fail_remedy(err, BV_E_BUSY, "journal",
				      "wait for it to finish, or name another with --journal PATH",
				      "%s: another program keeps the journal locked", what);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return bv_fail_remedy(
			err, BV_E_JOURNAL, "journal",
			"look with bvisor journal verify, move it away, or name another",
			"%s: the journal is damaged (%s)", what, sqlite3_errstr(status & 0xff));
	case SQLITE_FULL:
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal",
				      "free some space where the journal is, or name another",
				      "%s: the disk of the journal is full", what);
	default:
		break;
	}
	code = bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere, "%s: %s", what,
			      db != NULL && sqlite3_errcode(db) != SQLITE_OK
				      ? sqlite3_errmsg(db)
				      : sqlite3_errstr(status));
	if (err != NULL)
		err->sys_errno = sys_errno;
	return code;
}

/* ---- statements ------------------------------------------------------------------------------ */

sqlite3_stmt *bv__sql(struct bv_journal *journal, enum bv__statement statement)
{
	sqlite3_stmt **kept = &journal->statements[statement];

	if (*kept == NULL && sqlite3_prepare_v3(journal->db, texts[statement], -1,
						SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK)
		return NULL;
	/* What it returns is the error of the run before, which was told then. */
	(void)sqlite3_reset(*kept);
	(void)sqlite3_clear_bindings(*kept);
	return *kept;
}

int bv__sql_do(struct bv_journal *journal, enum bv__statement statement)
{
	sqlite3_stmt *prepared = bv__sql(journal, statement);
	int status;

	if (prepared == NULL)
		return sqlite3_errcode(journal->db);
	do {
		status = sqlite3_step(prepared);
	} while (status == SQLITE_ROW);
	(void)sqlite3_reset(prepared); /* says the same again */
	return status == SQLITE_DONE ? SQLITE_OK : status;
}

bool bv__column_digest(sqlite3_stmt *row, int column, struct bv_digest *ret_digest)
{
	const void *bytes = sqlite3_column_blob(row, column);

	if (bytes == NULL || sqlite3_column_bytes(row, column) != (int)sizeof ret_digest->bytes)
		return false;
	memcpy(ret_digest->bytes, bytes, sizeof ret_digest->bytes);
	return true;
}

bool bv__column_record(sqlite3_stmt *row, struct bv__record *ret_record)
{
	const sqlite3_int64 kind = sqlite3_column_int64(row, 2);
	const sqlite3_int64 version = sqlite3_column_int64(row, 3);

	*ret_record = (struct bv__record){
		.seq = (uint64_t)sqlite3_column_int64(row, 0),
		.kind = (uint16_t)kind,
		.version = (uint16_t)version,
		.at_us = (uint64_t)sqlite3_column_int64(row, 4),
		.payload = sqlite3_column_blob(row, 5),
		.payload_bytes = (size_t)sqlite3_column_bytes(row, 5),
	};
	return kind >= 0 && kind <= UINT16_MAX && version >= 0 && version <= UINT16_MAX &&
	       bv__column_digest(row, 1, &ret_record->attempt) &&
	       bv__column_digest(row, 6, &ret_record->payload_digest) &&
	       bv__column_digest(row, 7, &ret_record->prev) &&
	       bv__column_digest(row, 8, &ret_record->hash);
}

static void copy_text(char *to, size_t size_bytes, const unsigned char *text)
{
	(void)snprintf(to, size_bytes, "%s", text != NULL ? (const char *)text : "");
}

bool bv__column_attempt(sqlite3_stmt *row, struct bv__attempt *ret_attempt)
{
	const sqlite3_int64 state = sqlite3_column_int64(row, 4);
	const sqlite3_int64 outcome = sqlite3_column_int64(row, 5);

	*ret_attempt = (struct bv__attempt){
		.seq = (uint64_t)sqlite3_column_int64(row, 1),
		.started_us = (uint64_t)sqlite3_column_int64(row, 2),
		.ended_us = (uint64_t)sqlite3_column_int64(row, 3),
		.state = (enum bv__attempt_state)state,
		.has_outcome = sqlite3_column_type(row, 5) != SQLITE_NULL,
		.outcome = (enum bv_outcome)outcome,
		.exit_kind = sqlite3_column_int(row, 6),
		.exit_number = sqlite3_column_int(row, 7),
	};
	copy_text(ret_attempt->program, sizeof ret_attempt->program, sqlite3_column_text(row, 8));
	copy_text(ret_attempt->idempotency_key, sizeof ret_attempt->idempotency_key,
		  sqlite3_column_text(row, 9));
	return state >= 0 && state < BV_ATTEMPT_STATE_COUNT && outcome >= 0 &&
	       (size_t)outcome < bv_outcome_type.row_count &&
	       bv__column_digest(row, 0, &ret_attempt->id) &&
	       bv__column_digest(row, 10, &ret_attempt->plan_id) &&
	       bv__column_digest(row, 11, &ret_attempt->request);
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool pragma_number(sqlite3 *db, const char *text, sqlite3_int64 *ret_number, int *ret_status)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;

	*ret_status = sqlite3_prepare_v2(db, text, -1, &row, NULL);
	if (*ret_status == SQLITE_OK)
		*ret_status = sqlite3_step(row);
	if (*ret_status != SQLITE_ROW)
		return false;
	*ret_number = sqlite3_column_int64(row, 0);
	return true;
}

/* Whether it is one of ours; version 0 where there is nothing in it yet. */
static enum bv_code look(sqlite3 *db, const char *path, sqlite3_int64 *ret_version,
			 struct bv_error *err)
{
	sqlite3_int64 application, version, tables;
	int status;

	if (!pragma_number(db, "PRAGMA application_id", &application, &status) ||
	    !pragma_number(db, "PRAGMA user_version", &version, &status) ||
	    !pragma_number(db, "SELECT count(*) FROM sqlite_schema", &tables, &status))
		return bv__sql_fail(db, status, "the journal cannot be read", err);
	if (application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0))
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "'%s' is a database, but no journal of bvisor", path);
	if (version > FORMAT_VERSION)
		return bv_fail_remedy(
			err, BV_E_JOURNAL, "journal",
			"use the bvisor that made it, or name another with --journal",
			"'%s' was made by a newer bvisor (format %d; this one knows %d)", path,
			(int)version, (int)FORMAT_VERSION);
	*ret_version = application == 0 ? 0 : version;
	return BV_OK;
}

static int write_identity(sqlite3 *db, const uint8_t store[BV_STORE_BYTES])
{
	BV_FINALIZE sqlite3_stmt *put = NULL;
	int status = sqlite3_prepare_v2(db, "INSERT INTO meta VALUES('store', ?)", -1, &put, NULL);

	if (status == SQLITE_OK)
		status = sqlite3_bind_blob(put, 1, store, BV_STORE_BYTES, SQLITE_STATIC);
	if (status == SQLITE_OK && sqlite3_step(put) != SQLITE_DONE)
		status = sqlite3_errcode(db);
	if (status == SQLITE_OK)
		status = sqlite3_exec(db, "PRAGMA application_id=1112951345; PRAGMA user_version=1",
				      NULL, NULL, NULL);
	return status;
}

static enum bv_code fill(struct bv_journal *journal, struct bv_error *err)
{
	uint8_t store[BV_STORE_BYTES];
	sqlite3_int64 version = 0;
	int status = bv__sql_do(journal, BV_SQL_BEGIN);
	enum bv_code code;

	if (status != SQLITE_OK)
		return bv__sql_fail(journal->db, status, "the journal cannot be made", err);
	/* Another process may have been quicker. */
	code = look(journal->db, journal->files[0], &version, err);
	if (code == BV_OK && version == 0) {
		if (getrandom(store, sizeof store, 0) != (ssize_t)sizeof store)
			code = bv_fail(err, BV_E_SYSTEM, "journal",
				       "the kernel gives no random bytes");
		if (code == BV_OK)
			code = bv__schema_make(journal->db, err);
		if (code == BV_OK)
			status = write_identity(journal->db, store);
		if (code == BV_OK && status != SQLITE_OK)
			code = bv__sql_fail(journal->db, status, "the journal cannot be made", err);
	}
	if (code == BV_OK) {
		status = bv__sql_do(journal, BV_SQL_COMMIT);
		if (status != SQLITE_OK)
			code = bv__sql_fail(journal->db, status, "the journal cannot be made", err);
	}
	if (code != BV_OK)
		(void)bv__sql_do(journal, BV_SQL_ROLLBACK); /* the first error is the one to tell */
	return code;
}

static int configure(sqlite3 *db, unsigned int busy_ms)
{
	(void)sqlite3_busy_timeout(db, (int)busy_ms);
	/* The next opening finds the log again: putting it into the database is not for a short run to do. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	/* What is longer is no record, and not worth the memory. */
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, BV_JOURNAL_PAYLOAD_MAX + (1 << 20));
	/*
	 * A short run is usually alone, and whoever is alone reads the whole log first: it is kept so short
	 * that this costs less than a sync.
	 */
	return sqlite3_exec(db,
			    "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
			    "PRAGMA wal_autocheckpoint=256",
			    NULL, NULL, NULL);
}

/* A new database is not in WAL mode, and turning it on does not wait for others by itself. */
static int turn_on_wal(sqlite3 *db, unsigned int busy_ms)
{
	const struct timespec moment = {0, 5000000};
	int status;

	for (unsigned int waited = 0;; waited += 5) {
		status = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
		if ((status & 0xff) != SQLITE_BUSY || waited >= busy_ms)
			return status;
		(void)nanosleep(&moment, NULL);
	}
}

/* Characters that mean something in a URI are the workload's or the user's to choose. */
static void put_uri(const char *path, char *ret_uri, size_t size_bytes)
{
	size_t used = (size_t)snprintf(ret_uri, size_bytes, "file:");

	for (const unsigned char *p = (const unsigned char *)path; *p && used + 32 < size_bytes;
	     p++)
		used += (size_t)snprintf(ret_uri + used, size_bytes - used,
					 strchr("/-._", *p) || (*p >= '0' && *p <= '9') ||
							 ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
						 ? "%c"
						 : "%%%02x",
					 *p);
	(void)snprintf(ret_uri + used, size_bytes - used, "?immutable=1");
}

/* Also from a medium that cannot be written, where SQLite finds no place for its locks. */
static int open_to_read(const char *path, unsigned int busy_ms, sqlite3 **ret_db)
{
	char uri[3 * PATH_MAX + 64], wal[PATH_MAX + 8];
	sqlite3 *db = NULL;
	sqlite3_int64 unused;
	struct stat st;
	int status = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

	if (status == SQLITE_OK)
		status = configure(db, busy_ms);
	if (status == SQLITE_OK)
		(void)pragma_number(db, "SELECT count(*) FROM sqlite_schema", &unused, &status);
	(void)snprintf(wal, sizeof wal, "%s-wal", path);
	if ((status & 0xff) == SQLITE_CANTOPEN && access(path, R_OK) == 0 &&
	    (stat(wal, &st) != 0 || st.st_size == 0)) {
		(void)sqlite3_close(db); /* nothing was opened that closing could lose */
		put_uri(path, uri, sizeof uri);
		status = sqlite3_open_v2(uri, &db,
					 SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
						 SQLITE_OPEN_URI,
					 NULL);
		if (status == SQLITE_OK)
			status = configure(db, busy_ms);
	}
	*ret_db = db;
	return status == SQLITE_ROW ? SQLITE_OK : status;
}

enum bv_code bv__database_read(const struct bv_journal *journal, sqlite3 **ret_db,
			       struct bv_error *err)
{
	int status = open_to_read(journal->files[0], journal->busy_ms, ret_db);
	enum bv_code code = BV_OK;

	if (status != SQLITE_OK) {
		code = bv__sql_fail(*ret_db, status, "the journal cannot be read", err);
		(void)sqlite3_close(*ret_db); /* only read from */
		*ret_db = NULL;
	}
	return code;
}

/* A journal from before there were artifacts gets their table. */
static enum bv_code add_kept(struct bv_journal *journal, struct bv_error *err)
{
	int status = bv__sql_do(journal, BV_SQL_BEGIN);
	enum bv_code code = BV_OK;

	if (status == SQLITE_OK)
		code = bv__schema_make(journal->db, err);
	if (status == SQLITE_OK && code == BV_OK)
		status = bv__sql_do(journal, BV_SQL_COMMIT);
	if (status != SQLITE_OK)
		code = bv__sql_fail(journal->db, status, "the journal cannot be made", err);
	if (code != BV_OK)
		(void)bv__sql_do(journal, BV_SQL_ROLLBACK); /* the first error is told */
	return code;
}

static enum bv_code check_schema(struct bv_journal *journal, struct bv_error *err)
{
	enum bv__schema schema = BV_SCHEMA_FOREIGN;
	char odd[BV_SCHEMA_ODD_SIZE];
	enum bv_code code = bv__schema_check(journal->db, &schema, odd, err);

	if (code == BV_OK && schema == BV_SCHEMA_WITHOUT_KEPT)
		code = add_kept(journal, err);
	if (code == BV_OK && schema == BV_SCHEMA_FOREIGN)
		code = bv_fail_remedy(
			err, BV_E_JOURNAL, "journal",
			"find out who made it so, or name another with --journal PATH",
			"the journal '%s' has other tables than bvisor makes: %s",
			journal->files[0], odd);
	return code;
}

static enum bv_code open_database(struct bv_journal *journal, struct bv_error *err)
{
	const char *path = journal->files[0];
	sqlite3_int64 version = 0;
	enum bv_code code;
	int status;

	if (journal->read_only) {
		code = bv__files_check_to_read(journal, err);
		if (code != BV_OK)
			return code;
		status = open_to_read(path, journal->busy_ms, &journal->db);
		return status == SQLITE_OK ? BV_OK
					   : bv__sql_fail(journal->db, status,
							  "the journal cannot be read", err);
	}
	code = bv__files_check(journal, err);
	if (code != BV_OK)
		return code;
	status = sqlite3_open_v2(path, &journal->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
				 NULL);
	if (status == SQLITE_OK)
		status = configure(journal->db, journal->busy_ms);
	if (status != SQLITE_OK)
		return bv__sql_fail(journal->db, status, "the journal cannot be opened", err);
	if (sqlite3_db_readonly(journal->db, "main") == 1)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "the journal '%s' cannot be written", path);
	code = look(journal->db, path, &version, err);
	if (code != BV_OK)
		return code;
	if (version == 0) {
		status = turn_on_wal(journal->db, journal->busy_ms);
		if (status == SQLITE_OK)
			code = fill(journal, err);
	}
	if (code == BV_OK && status != SQLITE_OK)
		code = bv__sql_fail(journal->db, status, "the journal cannot be made", err);
	if (code == BV_OK)
		code = check_schema(journal, err);
	/* Again, with those that SQLite made meanwhile. */
	if (code == BV_OK)
		code = bv__files_check(journal, err);
	if (code == BV_OK)
		bv__files_note(journal);
	return code;
}

static enum bv_code read_store(struct bv_journal *journal, struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *row = NULL;
	sqlite3_int64 version = 0;
	enum bv_code code = look(journal->db, journal->files[0], &version, err);
	int status;

	if (code != BV_OK)
		return code;
	if (version == 0)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "there is nothing in '%s'", journal->files[0]);
	status = sqlite3_prepare_v2(journal->db, "SELECT value FROM meta WHERE key='store'", -1,
				    &row, NULL);
	if (status == SQLITE_OK)
		status = sqlite3_step(row);
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		return bv__sql_fail(journal->db, status, "the journal cannot be read", err);
	if (status == SQLITE_DONE || sqlite3_column_bytes(row, 0) != BV_STORE_BYTES)
		return bv__sql_fail(NULL, SQLITE_CORRUPT, "the journal has lost its own id", err);
	memcpy(journal->store, sqlite3_column_blob(row, 0), BV_STORE_BYTES);
	return BV_OK;
}

/* The last records: what a crash or a clumsy hand would have damaged. */
static enum bv_code check_tail(struct bv_journal *journal, struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	struct bv__record after = {.seq = 0};
	int status = sqlite3_prepare_v2(journal->db,
					"SELECT " BV__RECORD_COLUMNS
					" FROM event ORDER BY seq DESC LIMIT ?",
					-1, &rows, NULL);

	if (status == SQLITE_OK)
		status = sqlite3_bind_int(rows, 1, TAIL_RECORDS);
	while (status == SQLITE_OK || status == SQLITE_ROW) {
		struct bv__record record;
		struct bv_digest digest, hash;

		status = sqlite3_step(rows);
		if (status != SQLITE_ROW)
			break;
		if (!bv__column_record(rows, &record))
			return bv__sql_fail(NULL, SQLITE_CORRUPT, "a record is malformed", err);
		bv__chain_hash(journal->store, &record, &hash);
		if (record.payload != NULL)
			bv_hash_bytes(record.payload, record.payload_bytes, &digest);
		if (!bv_digest_equal(&hash, &record.hash) ||
		    (record.payload != NULL && !bv_digest_equal(&digest, &record.payload_digest)) ||
		    (after.seq != 0 &&
		     (after.seq != record.seq + 1 || !bv_digest_equal(&after.prev, &record.hash))))
			return bv_fail_remedy(
				err, BV_E_JOURNAL, "journal",
				"look with bvisor journal verify, and name another until then",
				"record %llu of the journal was altered",
				(unsigned long long)record.seq);
		after = record;
	}
	return status == SQLITE_DONE
		       ? BV_OK
		       : bv__sql_fail(journal->db, status, "the journal cannot be read", err);
}

enum bv_code bv__scratch_map(struct bv_arena *ret_arena, struct bv_error *err)
{
	void *base = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return bv_fail(err, BV_E_MEMORY, "journal", "no memory for a journal");
	bv_arena_init(ret_arena, base, SCRATCH_BYTES);
	return BV_OK;
}

void bv__scratch_unmap(struct bv_arena *arena)
{
	if (arena->base != NULL)
		(void)munmap(arena->base, arena->size); /* cannot fail for what mmap gave */
	arena->base = NULL;
}

/* A key is made for a journal that nothing is signed in; what was signed is of a key that exists. */
static enum bv_code load_signer(struct bv_journal *journal, struct bv_error *err)
{
	uint64_t anchor;
	enum bv_code code = bv__tail_find_anchor(journal, &anchor, err);

	if (code == BV_OK)
		code = bv__signer_load(journal->files[BV_JOURNAL_KEY], anchor == 0,
				       &journal->signer, err);
	return code == BV_OK ? bv__tail_check(journal, err) : code;
}

enum bv_code bv__journal_open(const struct bv__journal_options *options,
			      struct bv_journal **ret_journal, struct bv_error *err)
{
	struct bv_journal *journal = calloc(1, sizeof *journal);
	enum bv_code code;

	if (journal == NULL)
		return bv_fail(err, BV_E_MEMORY, "journal", "no memory for a journal");
	/* With default attributes these cannot fail. */
	(void)pthread_mutex_init(&journal->lock, NULL);
	(void)pthread_cond_init(&journal->turn, NULL);
	journal->read_only = options->read_only;
	journal->keep_values = options->keep_values;
	journal->syncs = -1;
	journal->busy_ms = options->busy_ms != 0 ? options->busy_ms : BV_JOURNAL_BUSY_MS;
	code = bv__scratch_map(&journal->scratch, err);
	if (code == BV_OK)
		code = bv__files_name(journal, options, err);
	if (code == BV_OK)
		code = open_database(journal, err);
	if (code == BV_OK)
		code = read_store(journal, err);
	if (code == BV_OK && !journal->read_only)
		code = bv__blobs_prepare(journal, err);
	if (code == BV_OK && !journal->read_only)
		code = check_tail(journal, err);
	if (code == BV_OK && !journal->read_only)
		code = load_signer(journal, err);
	if (code != BV_OK) {
		bv__journal_close(journal);
		return code;
	}
	*ret_journal = journal;
	return BV_OK;
}

void bv__journal_close(struct bv_journal *journal)
{
	if (journal == NULL)
		return;
	for (int i = 0; i < BV_SQL_COUNT; i++)
		(void)sqlite3_finalize(journal->statements[i]); /* told before */
	/* Whatever counts was committed; closing adds nothing to it. */
	(void)sqlite3_close(journal->db);
	bv__signer_wipe(&journal->signer);
	(void)pthread_mutex_destroy(&journal->lock);
	(void)pthread_cond_destroy(&journal->turn);
	bv__scratch_unmap(&journal->scratch);
	free(journal);
}

const char *bv__journal_path(const struct bv_journal *journal)
{
	return journal->files[0];
}

bool bv__journal_keeps_values(const struct bv_journal *journal)
{
	return journal->keep_values;
}

const uint8_t *bv__journal_store(const struct bv_journal *journal)
{
	return journal->store;
}

const char *bv__journal_file(const struct bv_journal *journal, int index)
{
	return journal->files[index];
}

uint64_t bv__now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}
