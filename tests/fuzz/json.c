/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * json.c - fuzzes the JSON reader and writer.
 *
 * Whatever is accepted, written again in either style and read once more, is the same value: it has
 * the same canonical bytes.
 */
#include "fuzz.h"

#include <string.h>

#include "contract/canon.h"
#include "contract/json.h"

enum { ARENA_SIZE = 1 << 20, BYTES_SIZE = 1 << 18 };

static uint8_t memory[2][ARENA_SIZE];
static uint8_t bytes[2][BYTES_SIZE];
static uint8_t text[BYTES_SIZE];

static size_t encode(const struct bv_type *type, const union fuzz_value *value, uint8_t *ret_bytes)
{
	struct bv_writer writer = {.data = ret_bytes, .capacity = BYTES_SIZE};

	bv_canon_encode(&writer, type, value);
	bv_assert(writer.len <= BYTES_SIZE);
	return writer.len;
}

static void write_and_read(const struct bv_type *type, const union fuzz_value *value,
			   size_t size_bytes, enum bv_json_style style)
{
	struct bv_writer writer = {.data = text, .capacity = sizeof(text)};
	struct bv_arena arena;
	union fuzz_value again;

	bv_json_encode(&writer, type, value, style);
	if (writer.len > sizeof(text))
		return; /* escaped and indented it may be longer than this target wants to read */
	bv_arena_init(&arena, memory[1], sizeof(memory[1]));
	bv_assert(bv_json_decode(&arena, type, (const char *)text, writer.len, &again, NULL) ==
		  BV_OK);
	bv_assert(encode(type, &again, bytes[1]) == size_bytes);
	bv_assert(memcmp(bytes[0], bytes[1], size_bytes) == 0);
}

void bv_fuzz_one(const uint8_t *data, size_t size_bytes)
{
	const struct bv_type *type;
	union fuzz_value value;
	struct bv_arena arena;
	struct bv_error err;
	size_t canonical;

	if (size_bytes == 0 || size_bytes > FUZZ_INPUT_MAX)
		return;
	type = fuzz_types[data[0] % FUZZ_TYPE_COUNT];
	bv_assert(type->size_bytes <= sizeof(value));
	bv_arena_init(&arena, memory[0], sizeof(memory[0]));
	memset(&err, 0, sizeof(err));
	if (bv_json_decode(&arena, type, (const char *)data + 1, size_bytes - 1, &value, &err) !=
	    BV_OK) {
		bv_assert(err.code != BV_OK);
		bv_assert(err.message[0] != '\0');
		return;
	}
	canonical = encode(type, &value, bytes[0]);
	write_and_read(type, &value, canonical, BV_JSON_COMPACT);
	write_and_read(type, &value, canonical, BV_JSON_PRETTY);
}
