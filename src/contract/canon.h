/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * canon.h - canonical MessagePack: one spelling for every value, so that equal values hash equally.
 *
 * A record is a map with its keys in the order of schema.def, a unit variant a string, a variant
 * with content a map of one, a set and a tuple an array, a digest an array of 32 integers.
 * Integers and lengths are in their shortest form.  No floats, no binary strings, no extensions.
 */
#ifndef BV_CONTRACT_CANON_H
#define BV_CONTRACT_CANON_H

#include "hash.h"
#include "schema.h"

/*
 * Where bytes go.  `len` keeps counting past a full buffer, of which nothing beyond `capacity` is
 * written: the same call measures (capacity 0) and writes.  With `hash` the buffer is emptied into
 * it whenever it is full, and never overflows.
 */
struct bv_writer {
	uint8_t *data;
	size_t len;
	size_t capacity;
	struct bv_hash *hash;
};

/* `value` is an object of `type` whose strings are UTF-8: see bv_value_check. */
void bv_canon_encode(struct bv_writer *writer, const struct bv_type *type, const void *value);

/* The number of bytes it takes; and BLAKE3 of them, without a buffer of that size. */
size_t bv_canon_size(const struct bv_type *type, const void *value);
void bv_canon_hash(const struct bv_type *type, const void *value, struct bv_digest *ret_digest);

/* Encodes into the arena. data NULL when it is full. */
struct bv_str bv_canon_bytes(struct bv_arena *arena, const struct bv_type *type, const void *value);

/*
 * Reads exactly one value and nothing after it.  Another spelling than the canonical one is
 * BV_E_NOT_CANONICAL, anything else that is wrong BV_E_DECODE, and a value larger than the arena
 * BV_E_MEMORY; `where` of the error is the path of the part at fault.  Strings are NUL-terminated
 * copies in the arena, so `data` is not needed afterwards.  On failure `ret_value` means nothing.
 */
enum bv_code bv_canon_decode(struct bv_arena *arena, const struct bv_type *type, const void *data,
			     size_t size_bytes, void *ret_value, struct bv_error *err);

/* For bytes that no type describes: preimages of digests. */
void bv_put_nil(struct bv_writer *writer);
void bv_put_bool(struct bv_writer *writer, bool value);
void bv_put_unsigned(struct bv_writer *writer, uint64_t value);
void bv_put_signed(struct bv_writer *writer, int64_t value);
void bv_put_str(struct bv_writer *writer, struct bv_str text);
void bv_put_array(struct bv_writer *writer, size_t count);
void bv_put_map(struct bv_writer *writer, size_t count);
void bv_put_digest(struct bv_writer *writer, const struct bv_digest *digest);

/* Bytes as they are, for every kind of writer. */
void bv_put_raw(struct bv_writer *writer, const void *data, size_t size_bytes);

/* A hash whose input is written: open, put, close. */
struct bv_hash_writer {
	struct bv_writer writer;
	struct bv_hash hash;
	uint8_t buffer[1024];
};
void bv_hash_writer_open(struct bv_hash_writer *hasher);
void bv_hash_writer_close(struct bv_hash_writer *hasher, struct bv_digest *ret_digest);

#endif
