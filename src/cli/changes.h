/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* changes.h - what a run wrote to staged directories: shown, and decided upon. */
#ifndef BV_CLI_CHANGES_H
#define BV_CLI_CHANGES_H

#include "options.h"

/*
 * Shows the changes on standard error and does with them what was asked for; on a terminal the user is
 * the one to ask.  `ended_well` is whether the program exited with 0, `may_ask` whether there is still
 * somebody to answer.  `attempt` is whose they are when there is a journal to keep them for later, else
 * NULL.  0, or -1 when they should have been committed or kept and were not.
 */
int cli_changes_settle(struct bv_changes *changes, enum cli_commit commit, bool ended_well,
		       bool may_ask, const char *attempt);

/* Commits what is chosen; and shows all of them on standard output.  0, or -1 after saying why not. */
int cli_changes_commit(struct bv_changes *changes);
void cli_changes_list(struct bv_changes *changes);
/* And, line by line, of those at or below the paths, or of all: how many they were. */
size_t cli_changes_diff(struct bv_changes *changes, char *const *paths, size_t count);

/* A name as one line that hides nothing: control characters, line ends, bytes that are no UTF-8 and
 * what turns the direction of writing are spelled out. */
void cli_show_name(const char *name, char *ret_text, size_t size_bytes);

#endif
