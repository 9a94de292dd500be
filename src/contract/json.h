/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * json.h - the same values as JSON, for people and for other languages.
 *
 * A record is an object, a unit variant its name, a variant with content an object of one key, a
 * set a list of names, a digest 64 lower-case hex digits.  What is absent has no key, except where
 * canonical bytes keep the key too: there it is null.  Integers are written whole, up to 2^64-1.
 * Reading what was written gives the same value, bit for bit.
 */
#ifndef BV_CONTRACT_JSON_H
#define BV_CONTRACT_JSON_H

#include "canon.h"

enum bv_json_style {
	BV_JSON_PRETTY,  /* two spaces a level */
	BV_JSON_COMPACT, /* one line, no space */
};

/* No newline at the end.  Control and direction characters are escaped: it may go to a terminal. */
void bv_json_encode(struct bv_writer *writer, const struct bv_type *type, const void *value,
		    enum bv_json_style style);

/* The same, NUL-terminated in the arena. data NULL when it is full. */
struct bv_str bv_json_text(struct bv_arena *arena, const struct bv_type *type, const void *value,
			   enum bv_json_style style);

/*
 * Reads exactly one value, in strict JSON (RFC 8259, UTF-8).  Keys may come in any order; one that
 * is unknown, missing or there twice is refused, and the nearest known one suggested.  The error
 * says line, column and path.  Strings are NUL-terminated copies in the arena.  On failure
 * `ret_value` means nothing.
 */
enum bv_code bv_json_decode(struct bv_arena *arena, const struct bv_type *type, const char *text,
			    size_t size_bytes, void *ret_value, struct bv_error *err);

#endif
