/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* database.h - what the files of the journal share of SQLite; nothing else includes its header. */
#ifndef BV_JOURNAL_DATABASE_H
#define BV_JOURNAL_DATABASE_H

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>

#include "journal.h"
#include "kept.h"

/* Statements that are used for every append, kept prepared. */
enum bv__statement {
	BV_SQL_BEGIN,
	BV_SQL_COMMIT,
	BV_SQL_ROLLBACK,
	BV_SQL_SAVE,
	BV_SQL_KEEP,
	BV_SQL_UNDO,
	BV_SQL_SYNC_FULL,
	BV_SQL_SYNC_LATER,
	BV_SQL_HEAD,
	BV_SQL_INSERT,
	BV_SQL_ATTEMPT,
	BV_SQL_ATTEMPT_PUT,
	BV_SQL_BY_KEY,
	BV_SQL_KEPT_PUT,
	BV_SQL_TAIL,
	BV_SQL_RECORD,
	BV_SQL_COUNT,
};

struct bv_journal {
	sqlite3 *db;
	sqlite3_stmt *statements[BV_SQL_COUNT];
	uint8_t store[BV_STORE_BYTES];
	char files[BV_JOURNAL_FILES][PATH_MAX]; /* by enum bv__journal_part */
	bool read_only, keep_values;
	int syncs; /* what synchronous is set to: 1 FULL, 0 NORMAL, -1 unknown */
	unsigned int busy_ms;
	struct bv__signer signer;
	struct bv_arena scratch;
	/* The database and its log, as they were when they were opened. */
	struct {
		uint64_t device, inode;
	} opened[2];
	/* The head this process left; what is before it was looked at. */
	bool has_known;
	struct bv_digest known;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t turn;
	bool leading; /* one of the threads is committing for all */
	struct bv__append *first, *last;
	/* Set by a failed write or sync: from then on nothing here can be called durable. */
	bool poisoned;
	struct bv_error poison;
};

/* files.c: gives the files their names, and makes the directories above them unless only reading. */
enum bv_code bv__files_name(struct bv_journal *journal, const struct bv__journal_options *options,
			    struct bv_error *err);
/* Makes the database's file if it is missing, and holds all of them to be ours alone. */
enum bv_code bv__files_check(const struct bv_journal *journal, struct bv_error *err);
enum bv_code bv__files_check_to_read(const struct bv_journal *journal, struct bv_error *err);
enum bv_code bv__files_missing(const char *path, struct bv_error *err);
/* What is written into a file that has lost its name is lost with it. */
void bv__files_note(struct bv_journal *journal);
bool bv__files_moved(const struct bv_journal *journal);

/* schema.c: whether a database has our tables and nothing else; and makes, in a transaction, what it lacks. */
enum bv__schema {
	BV_SCHEMA_OURS,
	BV_SCHEMA_WITHOUT_KEPT, /* from before there were artifacts, or the making was cut short */
	BV_SCHEMA_FOREIGN,
};
enum { BV_SCHEMA_ODD_SIZE = 80 };
/* What is wrong with a foreign one, as a clause that names it, is in `ret_odd`. */
enum bv_code bv__schema_check(sqlite3 *db, enum bv__schema *ret_schema,
			      char ret_odd[BV_SCHEMA_ODD_SIZE], struct bv_error *err);
enum bv_code bv__schema_make(sqlite3 *db, struct bv_error *err);

/*
 * tail.c: finds the last signature, 0 where there is none, and holds the records after it to be of kinds that
 * may stand there.  `check` also holds that signature to be ours: what is signed next covers them, and nobody
 * else can have signed.
 */
enum bv_code bv__tail_find_anchor(struct bv_journal *journal, uint64_t *ret_seq,
				  struct bv_error *err);
enum bv_code bv__tail_check(struct bv_journal *journal, struct bv_error *err);
/* Whether a record of that kind is ever the last without a signature. */
bool bv__kind_stands_unsigned(uint16_t kind);

/* The error for what SQLite said; BV_E_BUSY, or BV_E_JOURNAL. */
enum bv_code bv__sql_fail(sqlite3 *db, int status, const char *what, struct bv_error *err);

/* Borrowed, reset and without values; NULL when it cannot be prepared. */
sqlite3_stmt *bv__sql(struct bv_journal *journal, enum bv__statement statement);

/* Runs a statement that yields no row. */
int bv__sql_do(struct bv_journal *journal, enum bv__statement statement);

/* Room for whatever is decoded; pages are taken as they are used. */
enum bv_code bv__scratch_map(struct bv_arena *ret_arena, struct bv_error *err);
void bv__scratch_unmap(struct bv_arena *arena);

/* A connection for reading what is committed.  Closed with sqlite3_close. */
enum bv_code bv__database_read(const struct bv_journal *journal, sqlite3 **ret_db,
			       struct bv_error *err);

/* read.c: the same as the functions of journal.h, on a connection with a transaction of its own. */
enum bv_code bv__list_on(sqlite3 *db, const struct bv__filter *filter, bv__attempt_fn fn,
			 void *context, struct bv_error *err);
enum bv_code bv__records_on(sqlite3 *db, const struct bv_digest *attempt, uint64_t from,
			    uint64_t to, bv__record_fn fn, void *context, struct bv_error *err);

/* Columns of a row.  False when a digest is none: the row was altered. */
bool bv__column_digest(sqlite3_stmt *row, int column, struct bv_digest *ret_digest);
bool bv__column_record(sqlite3_stmt *row, struct bv__record *ret_record);
bool bv__column_attempt(sqlite3_stmt *row, struct bv__attempt *ret_attempt);
#define BV__RECORD_COLUMNS "seq, attempt, kind, version, at_us, payload, payload_digest, prev, hash"
#define BV__ATTEMPT_COLUMNS                                                                        \
	"id, seq, started_us, ended_us, state, outcome, exit_kind, exit_number, program, "         \
	"idem_key, plan_id, request"

/* append.c: one transaction for a list of appends, outside the queue.  Used by the queue. */
enum bv_code bv__append_alone(struct bv_journal *journal, struct bv__append *append,
			      struct bv_error *err);

static inline void bv__statement_end(sqlite3_stmt **statement)
{
	/* Its error, if any, was told by the last step. */
	(void)sqlite3_finalize(*statement);
}
#define BV_FINALIZE __attribute__((cleanup(bv__statement_end)))

/* Of table `kept`: an artifact, not a stream, that waits for a decision or for its end. */
#define BV__UNDECIDED                                                                              \
	"kept.state IN (0, 1, 2, 3, 6, 8) AND"                                                     \
	" (kept.name NOT LIKE '/%' OR kept.name = '" BV_KEPT_CHANGES "')"

/* kept.c: the table of what was kept, where there is one. */
bool bv__kept_exists(sqlite3 *db);
bool bv__kept_any_open(sqlite3 *db); /* whether a decision about one has no outcome yet */
enum bv_code bv__kept_load(sqlite3 *db, const struct bv_digest *attempt,
			   struct bv__kept_list *ret_list, struct bv_error *err);
enum bv_code bv__kept_store(struct bv_journal *journal, const struct bv_digest *attempt,
			    struct bv__kept_list *list, struct bv_error *err);
enum bv_code bv__kept_refers(sqlite3 *db, const struct bv_digest *digest, bool *ret_refers,
			     struct bv_error *err);
/* Attempts with a row of the table that meets the condition, newest first. */
enum bv_code bv__kept_attempts(const struct bv_journal *journal, const char *condition,
			       bv__kept_attempt_fn fn, void *context, struct bv_error *err);

#endif
