/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * journal.h - the durable record of attempts: appended, chained, signed, never changed.
 *
 * One SQLite database.  Table `event` is the journal: every record's hash covers every other
 * column of it and the hash before, so that nothing can be changed, left out, moved or put in
 * between without its showing.  Table `attempt` says where each attempt stands; it follows from the
 * records, and bv__journal_verify holds it to them.
 *
 * A journal may be shared by the threads of a process: appends that come while another is being
 * made durable share the next commit.  Reading opens a connection of its own and never waits.
 */
#ifndef BV_JOURNAL_JOURNAL_H
#define BV_JOURNAL_JOURNAL_H

#include "contract/event.h"
#include "contract/hash.h"

enum {
	BV_JOURNAL_BUSY_MS = 10000,     /* how long another writer is waited for */
	BV_JOURNAL_RESERVE = 256 << 10, /* kept free for the report, besides what its plan takes */
	BV_JOURNAL_PAYLOAD_MAX = 64 << 20,
	BV_JOURNAL_KEY_MAX = 200, /* bytes of an idempotency key */
	BV_STORE_BYTES = 16,      /* of a journal's own random id */
};

struct bv_journal; /* one open journal */

struct bv__journal_options {
	const char *path;
	const char *key_path; /* NULL: the path and ".key" */
	bool read_only;       /* must be there; nothing is written */
	bool keep_values;     /* literal environment values are stored too */
	unsigned int busy_ms; /* 0: BV_JOURNAL_BUSY_MS */
};

/*
 * Opens, or makes, with its directory and its key.  BV_E_BUSY while another process keeps it
 * locked, BV_E_JOURNAL when it is damaged, foreign, newer than this code or cannot be written.
 */
enum bv_code bv__journal_open(const struct bv__journal_options *options,
			      struct bv_journal **ret_journal, struct bv_error *err);
void bv__journal_close(struct bv_journal *journal);

const char *bv__journal_path(const struct bv_journal *journal);
bool bv__journal_keeps_values(const struct bv_journal *journal);
const uint8_t *bv__journal_store(const struct bv_journal *journal); /* BV_STORE_BYTES of them */

/* Everything a workload must not reach: the database, what is kept beside it, the key. */
enum bv__journal_part {
	BV_JOURNAL_DATABASE,
	BV_JOURNAL_WAL,
	BV_JOURNAL_SHM,
	BV_JOURNAL_BLOBS, /* a directory */
	BV_JOURNAL_KEY,
	BV_JOURNAL_FILES,
};
const char *bv__journal_file(const struct bv_journal *journal, int index);

/* ---- records --------------------------------------------------------------------------------- */

/* One row of the chain.  Store-wide records (anchors) have an attempt of zeros. */
struct bv__record {
	uint64_t seq; /* from 1, without a gap */
	struct bv_digest attempt;
	uint16_t kind; /* enum bv_event_kind */
	uint16_t version;
	uint64_t at_us;         /* Unix time in microseconds, as the clock said: it may step back */
	const uint8_t *payload; /* canonical bytes; NULL once removed */
	size_t payload_bytes;
	struct bv_digest payload_digest;
	struct bv_digest prev;
	struct bv_digest hash;
};

/* The hash before the first record of a store, and the hash of any record. */
void bv__chain_genesis(const uint8_t store[BV_STORE_BYTES], struct bv_digest *ret_hash);
void bv__chain_hash(const uint8_t store[BV_STORE_BYTES], const struct bv__record *record,
		    struct bv_digest *ret_hash);

/* ---- where an attempt stands ----------------------------------------------------------------- */

enum bv__attempt_state {
	BV_ATTEMPT_STARTED,     /* durable or not, nothing has run */
	BV_ATTEMPT_BOUND,       /* it may run */
	BV_ATTEMPT_REPORTED,    /* ended, and told */
	BV_ATTEMPT_ROLLED_BACK, /* lost with its host; what was left is swept */
	BV_ATTEMPT_REFUSED,     /* contradictory: needs a person */
	BV_ATTEMPT_RESOLVED,    /* which it had */
	BV_ATTEMPT_DENIED,      /* never started: the request was refused */
	BV_ATTEMPT_STATE_COUNT,
};

enum { BV_PROGRAM_SIZE = 256 };

struct bv__attempt {
	struct bv_digest id;
	uint64_t seq; /* of its first record; 0: there is none */
	uint64_t started_us, ended_us;
	enum bv__attempt_state state;
	bool has_outcome;
	enum bv_outcome outcome;
	int exit_kind; /* 0 unknown, 1 code, 2 signal, 3 never executed */
	int exit_number;
	char program[BV_PROGRAM_SIZE];
	char idempotency_key[BV_JOURNAL_KEY_MAX + 1]; /* empty: none */
	struct bv_digest plan_id;
	struct bv_digest request;
};

const char *bv__attempt_state_name(enum bv__attempt_state state);

/*
 * Moves `attempt` on by one record of it.  BV_E_STATE for what may not follow: a second start, a
 * second report, anything after the end.  `scratch` holds what is decoded.
 */
enum bv_code bv__attempt_fold(struct bv__attempt *attempt, struct bv_arena *scratch,
			      const struct bv__record *record, struct bv_error *err);

/* ---- appending ------------------------------------------------------------------------------- */

struct bv__entry {
	uint16_t kind;
	struct bv_str payload;
};

struct bv__append {
	struct bv_digest attempt;
	const struct bv__entry *entries; /* all or none of them */
	size_t count;
	/*
	 * Whether they survive a loss of power when bv__journal_append returns.  Otherwise they survive
	 * this process, and everything durable that comes after them makes them durable.
	 */
	bool durable;
	/* NULL, or what has to hold at the moment of appending; other code's error makes it fail. */
	enum bv_code (*check)(struct bv_journal *journal, void *context, struct bv_error *err);
	void *context;
	/* NULL, or room that is given up when the disk is full. */
	struct bv__reserve *reserve;

	/* append.c's own. */
	struct bv__append *next;
	bool done;
	enum bv_code code;
	struct bv_error error;
};

enum bv_code bv__journal_append(struct bv_journal *journal, struct bv__append *append,
				struct bv_error *err);

/* Inside a check: the newest attempt with that idempotency key, if there is one. */
enum bv_code bv__journal_find_key(struct bv_journal *journal, const char *key, bool *ret_found,
				  struct bv__attempt *ret_attempt, struct bv_error *err);

/*
 * Inside a check: whether signed records say that an attempt with that key and request was reported.
 * BV_E_JOURNAL when the table alone does, BV_E_STATE when gc removed what they said.
 */
enum bv_code bv__attempt_prove(struct bv_journal *journal, const struct bv__attempt *attempt,
			       struct bv_error *err);

/* Room on the disk of the journal, so that what it is kept for can always be written. */
struct bv__reserve {
	int fd; /* -1: none */
};
enum bv_code bv__reserve_take(const struct bv_journal *journal, size_t size_bytes,
			      struct bv__reserve *ret_reserve, struct bv_error *err);
void bv__reserve_release(struct bv__reserve *reserve);

/* Writes bytes that the journal could not take beside it.  Where, or an empty text. */
void bv__journal_spill(const struct bv_journal *journal, const struct bv_digest *attempt,
		       struct bv_str bytes, char *ret_path, size_t size_bytes);

/* ---- reading --------------------------------------------------------------------------------- */

struct bv__filter {
	uint64_t since_us, until_us; /* 0: no bound */
	const char *outcome;         /* NULL, an outcome's name, or a state's */
	const char *program;         /* NULL, or a part of its path */
	const char *id;              /* NULL, or the first digits of an attempt id */
	uint64_t most;               /* 0: all */
};

/* Newest first.  A callback that returns false ends the listing. */
typedef bool (*bv__attempt_fn)(void *context, const struct bv__attempt *attempt);
enum bv_code bv__journal_list(const struct bv_journal *journal, const struct bv__filter *filter,
			      bv__attempt_fn fn, void *context, struct bv_error *err);

/* The one attempt whose id starts so.  BV_E_ARGUMENT when there is none, or more than one. */
enum bv_code bv__journal_find(const struct bv_journal *journal, const char *id,
			      struct bv__attempt *ret_attempt, struct bv_error *err);

/* In order of the chain; attempt NULL: all of them.  `from` and `to` bound seq, 0 does not. */
typedef enum bv_code (*bv__record_fn)(void *context, const struct bv__record *record,
				      struct bv_error *err);
enum bv_code bv__journal_records(const struct bv_journal *journal, const struct bv_digest *attempt,
				 uint64_t from, uint64_t to, bv__record_fn fn, void *context,
				 struct bv_error *err);

/* The newest anchor; `fn` is not called when there is none. */
enum bv_code bv__journal_last_anchor(const struct bv_journal *journal, bv__record_fn fn,
				     void *context, struct bv_error *err);

/* The bytes of the record of that kind of an attempt, malloc'd.  BV_E_STATE when there is none. */
enum bv_code bv__journal_payload(const struct bv_journal *journal, const struct bv_digest *attempt,
				 uint16_t kind, struct bv_str *ret_bytes, struct bv_error *err);

/* ---- anchors --------------------------------------------------------------------------------- */

struct bv__signer {
	bool loaded;
	struct bv_digest public_key;
	uint8_t secret[64]; /* as libsodium has it */
};

/*
 * Reads the key, with its public half beside it in PATH.pub.  Where there is none it is made, mode 0600, if
 * `make`; to what was signed already another key is none.
 */
enum bv_code bv__signer_load(const char *path, bool make, struct bv__signer *ret_signer,
			     struct bv_error *err);
void bv__signer_wipe(struct bv__signer *signer);

/* Signs that the chain of `store` had `head` as its record number `seq` at that time. */
void bv__anchor_sign(const struct bv__signer *signer, const uint8_t store[BV_STORE_BYTES],
		     uint64_t seq, uint64_t at_us, const struct bv_digest *head,
		     struct bv_anchor_event *ret_anchor);
bool bv__anchor_holds(const uint8_t store[BV_STORE_BYTES], uint64_t seq, uint64_t at_us,
		      const struct bv_anchor_event *anchor);

/* ---- verifying, exporting -------------------------------------------------------------------- */

/* Called now and then with how far it is; false breaks off. */
typedef bool (*bv__progress_fn)(void *context, uint64_t done, uint64_t total);

struct bv__verify_options {
	const struct bv_digest *public_key; /* NULL: any key an anchor carries */
	/* An anchor kept elsewhere: the record at `anchor_seq` must have this hash.  0: none. */
	uint64_t anchor_seq;
	struct bv_digest anchor_hash;
	bv__progress_fn progress;
	void *context;
};

struct bv__verified {
	uint64_t records, attempts, anchors, removed, clock_steps;
	uint64_t blobs, blob_bytes; /* kept beside it; what two attempts share counts twice */
	uint64_t anchored_seq;      /* the last record under a signature */
	struct bv_digest head;
	struct bv_digest public_key; /* of the last anchor */
};

/* BV_E_INTEGRITY, `where` naming the record, at the first thing that does not hold. */
enum bv_code bv__journal_verify(const struct bv_journal *journal,
				const struct bv__verify_options *options,
				struct bv__verified *ret_verified, struct bv_error *err);

/*
 * Writes the journal to `fd` in the format of docs/format.md.  attempt not NULL: only what proves
 * the report of that one.
 */
enum bv_code bv__journal_export(const struct bv_journal *journal, int fd,
				const struct bv_digest *attempt, bv__progress_fn progress,
				void *context, struct bv_error *err);

/* Removes contents (not hashes) of attempts that ended before; says so in a record of its own. */
enum bv_code bv__journal_prune(struct bv_journal *journal, uint64_t before_us,
			       uint64_t *ret_attempts, struct bv_error *err);

/* ---- recovery -------------------------------------------------------------------------------- */

/* This process, and where its number means something. */
void bv__host_place(struct bv_arena *arena, struct bv_host_place *ret_place);
uint64_t bv__process_start_ticks(int pid); /* 0: there is no such process */

struct bv__recovered {
	struct bv_digest attempt;
	enum bv_recovery_classification classification;
	bool executed;
	const char *reason;
	size_t swept, failed;
};
typedef void (*bv__recovered_fn)(void *context, const struct bv__recovered *recovered);

/*
 * Settles every attempt whose host is gone: kills what is left of it, and records what was done.
 * Attempts of hosts that live, or that cannot be seen from here, are left alone.  Doing it again
 * changes nothing.  `fn` may be NULL.
 */
enum bv_code bv__journal_recover(struct bv_journal *journal, bv__recovered_fn fn, void *context,
				 struct bv_error *err);

/* Ends a refusal. */
enum bv_code bv__journal_resolve(struct bv_journal *journal, const struct bv_digest *attempt,
				 struct bv_str note, struct bv_error *err);

/* The time, by the wall clock. */
uint64_t bv__now_us(void);

#endif
