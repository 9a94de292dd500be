/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* staging.h - staged runs for tests, and looks at what comes of them. */
#ifndef BV_TESTS_CONFINE_STAGING_H
#define BV_TESTS_CONFINE_STAGING_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confine.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s (%s)", #call, err_.where, err_.message,   \
			    strerror(err_.sys_errno));                                             \
	} while (0)

#define STAGED(name) STAGED_WITHIN(name, TEST_TIMEOUT_S)
#define STAGED_WITHIN(name, seconds)                                                               \
	static void body_##name(const struct place *place);                                        \
	TEST_WITHIN(name, seconds)                                                                 \
	{                                                                                          \
		SKIP_UNLESS(staging_lacks() == NULL, staging_lacks());                             \
		everywhere(body_##name);                                                           \
	}                                                                                          \
	static void body_##name(const struct place *place)

struct staged {
	struct bv_report *report;
	struct bv_changes *changes;
	int status;
};

/* ---- doing it ---------------------------------------------------------------------------------- */

/* The command of a shell, which has to succeed. */
void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A staged run of a script in `dir`, which it may read and write; every program may be used. */
struct bv_spec *script_spec(const struct place *place, const char *dir, const char *script);
struct staged finish(struct bv_run *run);
struct staged run_staged(struct bv_spec *spec);
/* Of a script, which has to succeed. */
struct staged run_script(const struct place *place, const char *dir, const char *script);
void forget(struct staged *staged);

/* ---- looking at it ----------------------------------------------------------------------------- */

/* All that matters of a tree, one line an entry: name, type, rights, target, content; to be freed. */
char *manifest(const char *dir);
void expect_same(const char *one, const char *other);
/* The change at `dir`/`name`; its path is overwritten by the next. */
struct bv_change find_change(struct staged *staged, const char *dir, const char *name);
void expect_change(struct staged *staged, const char *dir, const char *name,
		   enum bv_change_kind kind, enum bv_change_type type);
/* What is left behind by a commit that was interrupted. */
bool has_leftovers(const char *dir);

#endif
