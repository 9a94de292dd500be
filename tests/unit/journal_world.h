/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* journal_world.h - a journal and things to put into it, for the tests of the journal from inside. */
#ifndef BV_TEST_JOURNAL_WORLD_H
#define BV_TEST_JOURNAL_WORLD_H

#include "attempts.h"
#include "codes.h"

extern struct bv_error err;   /* what OK and FAILS look at */
extern struct bv_arena arena; /* what is made here lives there */

/* A scratch directory, and an empty arena. */
void new_place(void);

struct bv_journal *open_with(unsigned int busy_ms, bool read_only);
struct bv_journal *open_journal(void);
struct bv_str started(const struct bv_digest *id);
struct bv_str request(const char *key, const struct bv_host_process *host);
struct bv_host_process here(void);
struct bv_str report_of(const struct bv_digest *id);
enum bv_code put(struct bv_journal *journal, const struct bv_digest *id, uint16_t kind,
		 struct bv_str payload, bool durable);
void start_attempt(struct bv_journal *journal, unsigned int number);
struct bv_str bound_to(int pid);
void run_attempt(struct bv_journal *journal, unsigned int number);
enum bv_code verify(const struct bv_journal *journal, struct bv__verified *ret_found);
uint64_t count_whole(void);
enum bv__attempt_state state_of(unsigned int number);

/* Puts the log into the database, so that all is in one file. */
void empty_the_log(void);

#endif
