/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * journal.h - a durable record of what ran, that shows when somebody changed it.
 *
 *     bv_journal_open(&(struct bv_journal_options){.path = path}, &journal, &err);
 *     bv_run_start(plan, &(struct bv_run_options){.journal = journal}, &run, &err);
 *
 * With a journal, an attempt is durable before its program can run, and its report before
 * bv_run_finish hands it out.  One journal may be used by several threads, and by several processes
 * at once: they take turns in writing.  It has to outlive the runs that use it.
 *
 * Clean as C99 and as C++11.
 */
#ifndef BVISOR_JOURNAL_H
#define BVISOR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bvisor/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bv_journal;
struct bv_report;

struct bv_journal_options {
	const char *path;     /* NULL: bv_journal_default_path() */
	const char *key_path; /* NULL: the path and ".key" */
	bool read_only;       /* it must be there, and nothing is written */
	bool keep_values;     /* store literal environment values too; never those of secrets */
	unsigned int busy_ms; /* how long to wait for other writers; 0: 10 s */
	bool leave_lost;      /* settle nothing: bv_journal_recover is called next, and tells */
};

/*
 * Opens a journal, or makes it, with its directory and key.  What hosts that died left running is
 * ended first, and recorded.  BV_E_BUSY while another program keeps it locked,
 * BV_E_JOURNAL when it is damaged, not a journal, or cannot be written.
 */
BV_API enum bv_code bv_journal_open(const struct bv_journal_options *options,
				    struct bv_journal **ret_journal, struct bv_error *err);
BV_API void bv_journal_close(struct bv_journal *journal);

/* $XDG_STATE_HOME/bvisor/journal.db, or below ~/.local/state; malloc'd, freed with bv_free. */
BV_API enum bv_code bv_journal_default_path(char **ret_path, struct bv_error *err);
BV_API const char *bv_journal_path(const struct bv_journal *journal);

/* ---- Looking ----------------------------------------------------------------------------------- */

struct bv_journal_attempt {
	const char *id;      /* 64 hex digits */
	const char *outcome; /* of its report; or "Started", "Running", "RolledBack", "NeedsPerson",
				"Resolved", "Refused" */
	const char *program;
	const char *idempotency_key;                     /* empty: none */
	uint64_t started_unix_micros, ended_unix_micros; /* the latter 0 while it has no end */
	int exit_kind;                                   /* enum bv_exit_kind of bvisor.h */
	int exit_number;
};

struct bv_journal_filter {
	uint64_t since_unix_micros, until_unix_micros; /* 0: no bound */
	const char *outcome;                           /* as above, or NULL */
	const char *program;                           /* a part of its path, or NULL */
	const char *id;                                /* its first digits, or NULL */
	uint64_t most;                                 /* 0: all */
};

/* Newest first; a callback that returns false ends it.  `filter` may be NULL. */
typedef bool (*bv_journal_attempt_fn)(void *context, const struct bv_journal_attempt *attempt);
BV_API enum bv_code bv_journal_list(const struct bv_journal *journal,
				    const struct bv_journal_filter *filter,
				    bv_journal_attempt_fn fn, void *context, struct bv_error *err);

struct bv_journal_record {
	uint64_t seq;
	const char *attempt; /* 64 hex digits; zeros for what concerns the whole journal */
	const char *kind;    /* "started", "report", ... */
	uint64_t at_unix_micros;
	const char *hash; /* 64 hex digits */
	const char *json; /* the contents; NULL once they were removed */
};

/* In the order they were written.  `attempt` is an id's first digits; NULL: every record. */
typedef bool (*bv_journal_record_fn)(void *context, const struct bv_journal_record *record);
BV_API enum bv_code bv_journal_records(const struct bv_journal *journal, const char *attempt,
				       bv_journal_record_fn fn, void *context,
				       struct bv_error *err);

/* The sealed report of the attempt whose id starts so. */
BV_API enum bv_code bv_journal_report(const struct bv_journal *journal, const char *attempt,
				      struct bv_report **ret_report, struct bv_error *err);

/* ---- Showing to others ------------------------------------------------------------------------ */

/* Told how far it is; false breaks off. */
typedef bool (*bv_journal_progress_fn)(void *context, uint64_t done, uint64_t total);

struct bv_journal_verify_options {
	const char *public_key; /* 64 hex digits every signature must be of; NULL: any */
	const char *anchor;     /* a line of bv_journal_anchor kept elsewhere; NULL: none */
	bv_journal_progress_fn progress;
	void *context;
};

struct bv_journal_verified {
	uint64_t records, attempts, anchors;
	uint64_t removed;      /* records whose contents were removed by decision */
	uint64_t clock_steps;  /* how often the clock went back from one record to the next */
	uint64_t anchored_seq; /* the last record under a signature */
	char head[65];         /* hash of the last record */
	char public_key[65];   /* of the last signature; empty: none */
};

/*
 * Recomputes everything.  BV_E_INTEGRITY, `where` naming the record, at the first thing that does
 * not hold.  What it cannot see without an anchor kept elsewhere: that records after some
 * signature were cut off, or the whole journal put back to an earlier state of itself.
 */
BV_API enum bv_code bv_journal_verify(const struct bv_journal *journal,
				      const struct bv_journal_verify_options *options,
				      struct bv_journal_verified *ret_verified,
				      struct bv_error *err);

/* The last signature as one line, to be kept where the journal's writer cannot reach; malloc'd. */
BV_API enum bv_code bv_journal_anchor(const struct bv_journal *journal, char **ret_line,
				      struct bv_error *err);

/*
 * Writes the journal as one file that bvisor-verify checks without bvisor (docs/format.md).
 * `attempt` not NULL: only the proof that the report of that one is in the journal.
 */
BV_API enum bv_code bv_journal_export(const struct bv_journal *journal, int fd, const char *attempt,
				      bv_journal_progress_fn progress, void *context,
				      struct bv_error *err);

/* ---- Keeping ----------------------------------------------------------------------------------- */

struct bv_journal_recovered {
	const char *attempt; /* 64 hex digits */
	const char *verdict; /* "RolledBack", or "Unfinished": something could not be ended */
	const char *reason;
	bool executed; /* whether its program may have run */
	size_t swept, failed;
};
typedef void (*bv_journal_recovered_fn)(void *context,
					const struct bv_journal_recovered *recovered);

/* Settles attempts whose host is gone; bv_journal_open does the same.  `fn` may be NULL. */
BV_API enum bv_code bv_journal_recover(struct bv_journal *journal, bv_journal_recovered_fn fn,
				       void *context, struct bv_error *err);

/* A person's word on an attempt that recovery could not settle. */
BV_API enum bv_code bv_journal_resolve(struct bv_journal *journal, const char *attempt,
				       const char *note, struct bv_error *err);

/* Removes the contents, not the hashes, of attempts that ended before; says so in the journal. */
BV_API enum bv_code bv_journal_prune(struct bv_journal *journal, uint64_t before_unix_micros,
				     uint64_t *ret_attempts, struct bv_error *err);

#ifdef __cplusplus
}
#endif
#endif
