/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* changes_world.h - a directory of the host, and kept changes of it that no run made. */
#ifndef BV_TEST_CHANGES_WORLD_H
#define BV_TEST_CHANGES_WORLD_H

#include "attempts.h"
#include "codes.h"

#include <bvisor/bvisor.h>

extern struct bv_error err; /* what OK and FAILS look at */
extern char host[96];       /* the directory */

/* The host as it was, and in a scratch journal what somebody may make of it: changes_world.c has a table. */
void begin_changes(void);
/* NULL, and `err` says why not. */
struct bv_changes *changes_of(struct bv_journal *journal);

/* What is below the directory; "-" for no file, until the next call. */
void put_text(const char *name, const char *text);
const char *text_at(const char *name);
const char *link_at(const char *name);

#endif
