/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * canon.c - fuzzes the decoder of canonical MessagePack.
 *
 * Whatever is accepted has to encode to exactly the bytes that were read: there is one spelling.
 */
#include "fuzz.h"

#include <string.h>

#include "contract/canon.h"

enum { ARENA_SIZE = 1 << 20, BYTES_SIZE = 1 << 18 };

void bv_fuzz_one(const uint8_t *data, size_t size_bytes)
{
	static uint8_t memory[ARENA_SIZE];
	static uint8_t bytes[BYTES_SIZE];
	struct bv_writer writer = {.data = bytes, .capacity = sizeof(bytes)};
	const struct bv_type *type;
	union fuzz_value value;
	struct bv_arena arena;
	struct bv_error err;

	if (size_bytes == 0 || size_bytes > FUZZ_INPUT_MAX)
		return;
	type = fuzz_types[data[0] % FUZZ_TYPE_COUNT];
	bv_assert(type->size_bytes <= sizeof(value));
	bv_arena_init(&arena, memory, sizeof(memory));
	memset(&err, 0, sizeof(err));
	if (bv_canon_decode(&arena, type, data + 1, size_bytes - 1, &value, &err) != BV_OK) {
		bv_assert(err.code != BV_OK);
		bv_assert(err.message[0] != '\0');
		return;
	}
	bv_canon_encode(&writer, type, &value);
	bv_assert(writer.len == size_bytes - 1);
	bv_assert(memcmp(bytes, data + 1, writer.len) == 0);
	bv_assert(bv_canon_size(type, &value) == writer.len);
}
