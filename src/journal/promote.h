/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * promote.h - kept bytes become a file in a directory that somebody named, and nowhere else.
 *
 * First beside its place, under a name that tells whose it is, synced; then by one rename.  No link
 * is followed on the way there, and nothing gives way unless that was asked for.
 */
#ifndef BV_JOURNAL_PROMOTE_H
#define BV_JOURNAL_PROMOTE_H

#include "reconcile.h"
#include "journal.h"

struct bv__promotion {
	const struct bv_journal *journal;
	int dir;            /* the directory that was named */
	const char *target; /* below it */
	struct bv_digest artifact, content;
	uint64_t size_bytes;
	uint32_t mode;
	bool replace;
	enum bv_commit_durability durability; /* what was asked for, and then what was reached */
};

/* Whether a name may be a target at all: parts that are names, none of them "..". */
bool bv__promote_name_fits(const char *target);

/* What is at the target now.  BV_E_SYSTEM when that cannot be told. */
enum bv_code bv__promote_look(const struct bv__promotion *promotion, enum bv__at_target *ret_target,
			      struct bv_error *err);

/* Writes it beside its place, making the directories that are missing; again is as good as once. */
enum bv_code bv__promote_prepare(struct bv__promotion *promotion, struct bv_error *err);
/* BV_E_CONFLICT when something is there that may not give way. */
enum bv_code bv__promote_place(struct bv__promotion *promotion, struct bv_error *err);
/* Afterwards, whatever became of it: removes what is left beside its place. */
void bv__promote_forget(const struct bv__promotion *promotion);

#endif
