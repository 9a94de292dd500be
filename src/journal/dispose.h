/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * dispose.h - what becomes of artifacts: decided durably, carried out, and then recorded as done.
 *
 * Whoever dies in between leaves a decision without an outcome, which bv__dispose_recover settles by
 * looking at what is there.
 */
#ifndef BV_JOURNAL_DISPOSE_H
#define BV_JOURNAL_DISPOSE_H

#include "kept.h"

/* Which artifacts of an attempt: those of these names, or with none all that are undecided. */
struct bv__chosen {
	const char *const *names;
	size_t count;
};

struct bv__commit_order {
	const char *directory; /* where they go: there already, and nothing outside is touched */
	enum bv_commit_durability durability;
	bool replace; /* files that are there give way; directories never */
};

/* Told of each artifact once it is settled: `error` NULL, or why it could not be carried out. */
typedef void (*bv__disposed_fn)(void *context, const struct bv__kept *kept,
				enum bv_commit_durability reached, const struct bv_error *error);

/*
 * Commits files.  Nothing is put in its place before all of them are written beside theirs; when
 * one cannot be, none is.  The error is that of the first that failed.
 */
enum bv_code bv__dispose_commit(struct bv_journal *journal, const struct bv__attempt *attempt,
				const struct bv__chosen *chosen,
				const struct bv__commit_order *order, bv__disposed_fn fn,
				void *context, struct bv_error *err);

/* Removes the kept bytes, of files and of changes; files that were committed stay where they are. */
enum bv_code bv__dispose_discard(struct bv_journal *journal, const struct bv__attempt *attempt,
				 const struct bv__chosen *chosen, bv__disposed_fn fn, void *context,
				 struct bv_error *err);

/* ---- for those who carry out decisions themselves --------------------------------------------- */

struct bv__decision {
	const struct bv__attempt *attempt;
	enum bv_disposition_action action;
	enum bv_commit_durability durability;
	bool replace, partly;
	const char *directory;   /* NULL: none */
	struct bv_str kept;      /* bytes of a record 0xE109 that goes first; data NULL: none */
	const uint32_t *changes; /* NULL: all */
	size_t change_count;
	const struct bv_decided_item *items;
	size_t count;
};

/* Records it, durably; BV_E_BUSY or BV_E_STATE when it may not be decided now. */
enum bv_code bv__dispose_decide(struct bv_journal *journal, const struct bv__decision *decision,
				struct bv_error *err);

/* What became of one of its items; `failure` NULL: it was done. */
struct bv__outcome {
	struct bv_digest artifact;
	enum bv_commit_durability reached;
	const char *failure;
};
enum bv_code bv__dispose_settle(struct bv_journal *journal, const struct bv__attempt *attempt,
				const struct bv__outcome *outcomes, size_t count,
				struct bv_error *err);

/* ---- recovery --------------------------------------------------------------------------------- */

/* Settles decisions whose process is gone; part of bv__journal_recover. */
enum bv_code bv__dispose_recover(struct bv_journal *journal, bv__recovered_fn fn, void *context,
				 struct bv_error *err);

/* Records that what an attempt was refused for came to nothing, with the person's words. */
enum bv_code bv__dispose_resolve(struct bv_journal *journal, const struct bv__attempt *attempt,
				 struct bv_str resolution, struct bv_str note,
				 struct bv_error *err);

#endif
