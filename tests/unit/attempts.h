/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* attempts.h - a journal with attempts that left something, without anything having run. */
#ifndef BV_TEST_ATTEMPTS_H
#define BV_TEST_ATTEMPTS_H

#include <stdio.h>

#include "journal/journal.h"

/* A new directory, and the path of a journal in it; gone when the test ends. */
struct scratch {
	char dir[64], path[96];
};
extern struct scratch scratch;
void scratch_make(void);
void scratch_remove(void);

struct bv_journal *open_scratch_journal(void);

struct bv_digest attempt_id(unsigned int number);

/* Everything a run would write, in one append; the bytes are there already. */
void append_attempt(struct bv_journal *journal, unsigned int number,
		    const struct bv_staged_artifact_list *artifacts,
		    const struct bv_kept_event *kept);

/* How many names in a directory begin so. */
unsigned int entries_in(const char *directory, const char *prefix);

/* What is in a file; "-" when there is none.  Until the next call. */
const char *text_in(const char *file);

/* Runs `act` in a process that is killed at its n-th write, sync, renaming or removal; whether it
 * came to its end. */
bool killed_at(unsigned long n, void (*act)(struct bv_journal *));

#endif
