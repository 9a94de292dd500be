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

/*
 * Records that a request was refused, with the error that says why: for refusals before bv_run_start,
 * which records its own.  The attempt it is shown as never started.
 */
BV_API enum bv_code bv_journal_refused(struct bv_journal *journal, const char *program,
				       const struct bv_error *why, struct bv_error *err);

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
	uint64_t blobs;        /* files kept beside it, each read and found to be what it was */
	uint64_t blob_bytes;   /* what two attempts share counts twice in both */
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

/* ---- Artifacts: what runs left, and what becomes of it ---------------------------------------- */

struct bv_artifact {
	const char *attempt; /* 64 hex digits */
	const char *id;      /* 64 hex digits; of this attempt's, at this place, with these bytes */
	const char *name; /* below the output directory; any UTF-8.  "/changes" are those of staged
				directories, "/stdout" and "/stderr" captured output */
	const char *content_hash; /* 64 hex digits */
	uint64_t size_bytes;
	/* "Kept" of captured output; "Staged", "Committing", "Discarding", "Committed", "Discarded", "Retained", "Refused", or
	 * "Failed": a decision could not be carried out, and another one may be made */
	const char *state;
	bool undecided; /* somebody has yet to commit or discard it */
};

/* Strings live until the callback returns; false ends the listing.  `attempt` NULL: of all attempts
 * what is undecided; else everything of the attempt whose id starts so. */
typedef bool (*bv_artifact_fn)(void *context, const struct bv_artifact *artifact);
BV_API enum bv_code bv_artifacts_list(const struct bv_journal *journal, const char *attempt,
				      bv_artifact_fn fn, void *context, struct bv_error *err);

/* Writes the bytes to `fd`.  BV_E_INTEGRITY, before anything is written, when they were altered. */
BV_API enum bv_code bv_artifacts_read(const struct bv_journal *journal, const char *attempt,
				      const char *name, int fd, struct bv_error *err);

enum bv_durability {
	BV_COMMIT_AS_DURABLE,     /* on stable storage before it counts as done */
	BV_COMMIT_AS_ATOMIC,      /* each file whole or not at all; durable besides */
	BV_COMMIT_AS_BEST_EFFORT, /* durable where the file system can sync */
};

struct bv_artifacts_order {
	const char *const *names; /* which; `count` 0: all that are undecided */
	size_t count;
	const char
		*directory; /* where they go, which has to be there; nothing outside is touched */
	enum bv_durability durability;
	bool replace; /* files that are there give way; otherwise that is BV_E_CONFLICT */
};

/* Told of each once its outcome is durable: `error` NULL, or why it could not be done. */
typedef void (*bv_artifact_settled_fn)(void *context, const struct bv_artifact *artifact,
				       const struct bv_error *error);

/*
 * Commits artifacts that are files.  The decision is durable before anything is written; nothing is
 * put in its place before all of them are written beside theirs, and when one cannot be, none is.
 * Permissions are those the file had, less set-user-id and its like.  `fn` may be NULL.
 * BV_E_BUSY while another process decides; BV_E_ARGUMENT for a name that is not there.
 */
BV_API enum bv_code bv_artifacts_commit(struct bv_journal *journal, const char *attempt,
					const struct bv_artifacts_order *order,
					bv_artifact_settled_fn fn, void *context,
					struct bv_error *err);

/* Removes what was kept, changes too; files that were committed stay.  `count` 0: all undecided. */
BV_API enum bv_code bv_artifacts_discard(struct bv_journal *journal, const char *attempt,
					 const char *const *names, size_t count,
					 bv_artifact_settled_fn fn, void *context,
					 struct bv_error *err);

/*
 * The changes of staged directories that were kept (bv_changes_keep), less those that are in their places
 * already; freed with bv_changes_free before the journal is closed.  What the host changed since the
 * run began is in conflict, however long that was ago.  BV_E_STATE when none were kept, or when they
 * were committed or discarded; BV_E_CONFLICT when a staged directory is another one now.
 */
struct bv_changes;
BV_API enum bv_code bv_journal_changes(struct bv_journal *journal, const char *attempt,
				       struct bv_changes **ret_changes, struct bv_error *err);

/* ---- Keeping ----------------------------------------------------------------------------------- */

struct bv_journal_recovered {
	const char *attempt; /* 64 hex digits */
	/* "RolledBack"; "Completed": decisions about artifacts were carried out to their end;
	 * "CanonicalRefusal": a person has to look; "Unfinished": something could not be ended */
	const char *verdict;
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

/*
 * Removes the contents, not the hashes, of attempts that ended before; says so in the journal.
 * Attempts that left artifacts nobody decided about stay as they are.
 */
BV_API enum bv_code bv_journal_prune(struct bv_journal *journal, uint64_t before_unix_micros,
				     uint64_t *ret_attempts, struct bv_error *err);

/*
 * Removes kept bytes that nothing refers to any more: of pruned attempts, and of hosts that died.
 * The journal says which, before they go.  BV_E_BUSY while some are being added.
 */
BV_API enum bv_code bv_journal_sweep(struct bv_journal *journal, uint64_t *ret_files,
				     uint64_t *ret_bytes, struct bv_error *err);

#ifdef __cplusplus
}
#endif
#endif
