/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* words.h - what the files of the text share. */
#ifndef BV_REPORT_WORDS_H
#define BV_REPORT_WORDS_H

#include "text.h"

/* Of what others chose, only what is short and ours goes through `format`. */
void bv__put(struct bv_writer *writer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Text of others, without control characters. */
void bv__put_plain(struct bv_writer *writer, struct bv_str text);

/* What exactly it asks for, of any length; the arena is for amounts only. */
void bv__put_requirement(struct bv_writer *writer, struct bv_arena *arena,
			 const struct bv_requirement *requirement);

/* The text `put` writes, NUL-terminated in the arena. data NULL when that is full. */
struct bv_str bv__text_make(struct bv_arena *arena,
			    void (*put)(struct bv_writer *, struct bv_arena *, const void *),
			    const void *what);

/* "9.5 ms": near enough for people. */
struct bv_str bv__text_measured(struct bv_arena *arena, enum bv_dimension dimension,
				uint64_t amount);

const char *bv__text_signal(int number); /* "SIGSEGV"; "" for one without a name */

#endif
