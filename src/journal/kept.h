/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * kept.h - what the records say of each thing that was kept: whose it is and what was decided.
 *
 * Table `kept` holds it for quick answers.  It follows from the records alone, as the table of
 * attempts does, and bv__journal_verify holds it to them.
 */
#ifndef BV_JOURNAL_KEPT_H
#define BV_JOURNAL_KEPT_H

#include "journal.h"

enum bv__kept_state {
	BV_KEPT_STAGED,           /* nothing was decided */
	BV_KEPT_PROMOTING,        /* decided, and not yet done */
	BV_KEPT_PROMOTING_PARTLY, /* the same, of some changes among others */
	BV_KEPT_DISCARDING,
	BV_KEPT_PROMOTED,
	BV_KEPT_DISCARDED, /* and so refers to no bytes any more */
	BV_KEPT_RETAINED,
	BV_KEPT_REFUSED,
	BV_KEPT_FAILED, /* as staged, after a decision that could not be carried out */
	BV_KEPT_STATE_COUNT,
};

/* The changes of staged directories are one artifact; its parts are named below it. */
#define BV_KEPT_CHANGES "/changes"

struct bv__kept {
	struct bv_digest id; /* ArtifactId */
	struct bv_digest content;
	uint64_t size_bytes;
	enum bv__kept_state state;
	char *name; /* as in the record 0xE109 */
	bool dirty; /* not yet in the table */
};

/* All of one attempt, in the order of ids. */
struct bv__kept_list {
	struct bv__kept *items;
	size_t count, capacity;
	bool partly; /* of the decision read last */
};

const char *bv__kept_state_name(enum bv__kept_state state);

/* Whether a person may decide about it: an artifact, or all changes; not streams, nor parts. */
bool bv__kept_is_artifact(const struct bv__kept *kept);

/* Those of an attempt, from the table. */
enum bv_code bv__journal_kept(const struct bv_journal *journal, const struct bv_digest *attempt,
			      struct bv__kept_list *ret_list, struct bv_error *err);
void bv__kept_clear(struct bv__kept_list *list);

/* NULL when there is none of that name. */
struct bv__kept *bv__kept_find(const struct bv__kept_list *list, const char *name);

/* Calls `fn` with each attempt that has something undecided; false ends it. */
typedef bool (*bv__kept_attempt_fn)(void *context, const struct bv_digest *attempt);
enum bv_code bv__journal_undecided(const struct bv_journal *journal, bv__kept_attempt_fn fn,
				   void *context, struct bv_error *err);

/*
 * Moves the list on by one record of its attempt.  BV_E_STATE for what may not follow; BV_E_BUSY for
 * a decision about what another decision is being carried out for.
 */
enum bv_code bv__kept_fold(struct bv__kept_list *list, struct bv_arena *scratch,
			   const struct bv__record *record, struct bv_error *err);

#endif
