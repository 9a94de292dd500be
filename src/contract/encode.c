/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * encode.c - values to canonical MessagePack.
 *
 * Encoding cannot fail: what a value can hold can be written.
 */
#include "canon.h"

static void encode(struct bv_writer *writer, const struct bv_type *type, const uint8_t *value);

/*
 * Nearly all of what is written is a name of a few bytes.  A call of memcpy costs several times as
 * much as copying one: musl's begins with a string instruction, which is slow to start.
 */
static void put_bytes(uint8_t *to, const uint8_t *from, size_t count)
{
	if (count > 32) {
		__builtin_memcpy(to, from, count);
		return;
	}
	for (; count >= 8; count -= 8, to += 8, from += 8)
		__builtin_memcpy(to, from, 8);
	for (; count > 0; count--)
		*to++ = *from++;
}

void bv_put_raw(struct bv_writer *writer, const void *data, size_t size_bytes)
{
	if (writer->hash != NULL && size_bytes > writer->capacity - writer->len) {
		bv_hash_update(writer->hash, writer->data, writer->len);
		writer->len = 0;
		if (size_bytes > writer->capacity) {
			bv_hash_update(writer->hash, data, size_bytes);
			return;
		}
	}
	if (writer->len < writer->capacity && size_bytes != 0) {
		const size_t free_bytes = writer->capacity - writer->len;

		put_bytes(writer->data + writer->len, data,
			  size_bytes < free_bytes ? size_bytes : free_bytes);
	}
	writer->len += size_bytes;
}

/* A marker byte and `count` big-endian bytes of `value`. */
static void put_marked(struct bv_writer *writer, unsigned int marker, uint64_t value, size_t count)
{
	uint8_t bytes[9];

	if (count == 0 && writer->len < writer->capacity) {
		writer->data[writer->len++] = (uint8_t)marker;
		return;
	}
	bytes[0] = (uint8_t)marker;
	for (size_t i = 0; i < count; i++)
		bytes[1 + i] = (uint8_t)(value >> (8 * (count - 1 - i)));
	bv_put_raw(writer, bytes, 1 + count);
}

void bv_put_nil(struct bv_writer *writer)
{
	put_marked(writer, 0xc0, 0, 0);
}

void bv_put_bool(struct bv_writer *writer, bool value)
{
	put_marked(writer, value ? 0xc3 : 0xc2, 0, 0);
}

void bv_put_unsigned(struct bv_writer *writer, uint64_t value)
{
	if (value < 0x80)
		put_marked(writer, (unsigned int)value, 0, 0);
	else if (value <= UINT8_MAX)
		put_marked(writer, 0xcc, value, 1);
	else if (value <= UINT16_MAX)
		put_marked(writer, 0xcd, value, 2);
	else if (value <= UINT32_MAX)
		put_marked(writer, 0xce, value, 4);
	else
		put_marked(writer, 0xcf, value, 8);
}

void bv_put_signed(struct bv_writer *writer, int64_t value)
{
	const uint64_t bits = (uint64_t)value;

	if (value >= 0)
		bv_put_unsigned(writer, bits);
	else if (value >= -32)
		put_marked(writer, (uint8_t)bits, 0, 0);
	else if (value >= INT8_MIN)
		put_marked(writer, 0xd0, bits, 1);
	else if (value >= INT16_MIN)
		put_marked(writer, 0xd1, bits, 2);
	else if (value >= INT32_MIN)
		put_marked(writer, 0xd2, bits, 4);
	else
		put_marked(writer, 0xd3, bits, 8);
}

void bv_put_str(struct bv_writer *writer, struct bv_str text)
{
	bv_assert((uint64_t)text.len <= UINT32_MAX);
	if (text.len < 32)
		put_marked(writer, 0xa0 | (unsigned int)text.len, 0, 0);
	else if (text.len <= UINT8_MAX)
		put_marked(writer, 0xd9, text.len, 1);
	else if (text.len <= UINT16_MAX)
		put_marked(writer, 0xda, text.len, 2);
	else
		put_marked(writer, 0xdb, text.len, 4);
	bv_put_raw(writer, text.data, text.len);
}

static void put_count(struct bv_writer *writer, size_t count, unsigned int fix, unsigned int marker)
{
	bv_assert((uint64_t)count <= UINT32_MAX);
	if (count < 16)
		put_marked(writer, fix | (unsigned int)count, 0, 0);
	else if (count <= UINT16_MAX)
		put_marked(writer, marker, count, 2);
	else
		put_marked(writer, marker + 1, count, 4);
}

void bv_put_array(struct bv_writer *writer, size_t count)
{
	put_count(writer, count, 0x90, 0xdc);
}

void bv_put_map(struct bv_writer *writer, size_t count)
{
	put_count(writer, count, 0x80, 0xde);
}

void bv_put_digest(struct bv_writer *writer, const struct bv_digest *digest)
{
	bv_put_array(writer, sizeof digest->bytes);
	for (size_t i = 0; i < sizeof digest->bytes; i++)
		bv_put_unsigned(writer, digest->bytes[i]);
}

static void put_wire(struct bv_writer *writer, const struct bv_row *row)
{
	bv_put_str(writer, (struct bv_str){row->wire, row->wire_len});
}

static void put_constant(struct bv_writer *writer, const struct bv_type *type, uint32_t constant)
{
	bv_assert(constant < type->row_count);
	put_wire(writer, &type->rows[constant]);
}

static void put_set(struct bv_writer *writer, const struct bv_type *type, uint32_t set)
{
	size_t count = 0;

	bv_assert(type->row_count == 32 || set >> type->row_count == 0);
	for (uint32_t rest = set; rest != 0; rest &= rest - 1)
		count++;
	bv_put_array(writer, count);
	for (size_t i = 0; i < type->row_count; i++)
		if ((set >> i & 1) != 0)
			put_wire(writer, &type->rows[i]);
}

static void put_texts(struct bv_writer *writer, const struct bv_text_map *map)
{
	bv_put_map(writer, map->count);
	for (size_t i = 0; i < map->count; i++) {
		bv_put_str(writer, map->items[i].key);
		bv_put_str(writer, map->items[i].value);
	}
}

static void put_scalar(struct bv_writer *writer, enum bv_scalar scalar, const void *memory)
{
	switch (scalar) {
	case BV_SCALAR_u8:
	case BV_SCALAR_u16:
	case BV_SCALAR_u32:
	case BV_SCALAR_u64:
		bv_put_unsigned(writer, bv_load_scalar(scalar, memory));
		return;
	case BV_SCALAR_i32:
		bv_put_signed(writer, *(const int32_t *)memory);
		return;
	case BV_SCALAR_bool:
		bv_put_bool(writer, *(const bool *)memory);
		return;
	case BV_SCALAR_str:
		bv_put_str(writer, *(const struct bv_str *)memory);
		return;
	case BV_SCALAR_digest:
		bv_put_digest(writer, memory);
		return;
	}
	bv_assert(false);
}

static void put_list(struct bv_writer *writer, const struct bv_row *row, const void *memory)
{
	const struct bv_any_list list = bv_load_list(memory);
	const size_t element_bytes = bv_row_element_size(row);
	const uint8_t *element = list.items;

	bv_put_array(writer, list.count);
	for (size_t i = 0; i < list.count; i++, element += element_bytes) {
		if (row->shape == BV_SHAPE_SCALARS)
			put_scalar(writer, row->scalar, element);
		else
			encode(writer, row->type, element);
	}
}

static void put_content(struct bv_writer *writer, const struct bv_row *row, const uint8_t *value)
{
	const uint8_t *memory = value + row->offset;

	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return;
	case BV_SHAPE_SCALAR:
		put_scalar(writer, row->scalar, memory);
		return;
	case BV_SHAPE_ENUM:
		put_constant(writer, row->type, bv_load_u32(memory));
		return;
	case BV_SHAPE_SET:
		put_set(writer, row->type, bv_load_u32(memory));
		return;
	case BV_SHAPE_NEST:
		encode(writer, row->type, memory);
		return;
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		put_list(writer, row, memory);
		return;
	case BV_SHAPE_TEXTS:
		put_texts(writer, (const struct bv_text_map *)memory);
		return;
	}
	bv_assert(false);
}

static void encode_record(struct bv_writer *writer, const struct bv_type *type,
			  const uint8_t *value)
{
	size_t count = 0;

	for (size_t i = 0; i < type->row_count; i++)
		if (type->rows[i].presence != BV_PRESENCE_EXTRA ||
		    bv_row_present(&type->rows[i], value))
			count++;
	bv_put_map(writer, count);

	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];
		const bool present = bv_row_present(row, value);

		if (!present && row->presence == BV_PRESENCE_EXTRA)
			continue;
		put_wire(writer, row);
		if (present)
			put_content(writer, row, value);
		else
			bv_put_nil(writer);
	}
}

static void encode(struct bv_writer *writer, const struct bv_type *type, const uint8_t *value)
{
	const struct bv_row *row;

	switch (type->form) {
	case BV_FORM_ENUM:
		put_constant(writer, type, bv_load_u32(value));
		return;
	case BV_FORM_UNION:
		bv_assert(bv_load_u32(value) < type->row_count);
		row = &type->rows[bv_load_u32(value)];
		if (row->shape != BV_SHAPE_UNIT)
			bv_put_map(writer, 1);
		put_wire(writer, row);
		put_content(writer, row, value);
		return;
	case BV_FORM_RECORD:
		encode_record(writer, type, value);
		return;
	case BV_FORM_TUPLE:
		bv_put_array(writer, type->row_count);
		for (size_t i = 0; i < type->row_count; i++)
			put_content(writer, &type->rows[i], value);
		return;
	}
	bv_assert(false);
}

void bv_canon_encode(struct bv_writer *writer, const struct bv_type *type, const void *value)
{
	encode(writer, type, value);
}

size_t bv_canon_size(const struct bv_type *type, const void *value)
{
	struct bv_writer writer = {.data = NULL};

	encode(&writer, type, value);
	return writer.len;
}

struct bv_str bv_canon_bytes(struct bv_arena *arena, const struct bv_type *type, const void *value)
{
	struct bv_writer writer = {.capacity = bv_canon_size(type, value)};

	writer.data = bv_arena_alloc(arena, writer.capacity);
	if (writer.data == NULL)
		return (struct bv_str){NULL, 0};
	encode(&writer, type, value);
	bv_assert(writer.len == writer.capacity);
	return (struct bv_str){(const char *)writer.data, writer.len};
}

void bv_hash_writer_open(struct bv_hash_writer *hasher)
{
	bv_hash_init(&hasher->hash);
	hasher->writer = (struct bv_writer){
		.data = hasher->buffer,
		.capacity = sizeof hasher->buffer,
		.hash = &hasher->hash,
	};
}

void bv_hash_writer_close(struct bv_hash_writer *hasher, struct bv_digest *ret_digest)
{
	bv_hash_update(&hasher->hash, hasher->buffer, hasher->writer.len);
	bv_hash_final(&hasher->hash, ret_digest);
}

void bv_canon_hash(const struct bv_type *type, const void *value, struct bv_digest *ret_digest)
{
	struct bv_hash_writer hasher;

	bv_hash_writer_open(&hasher);
	encode(&hasher.writer, type, value);
	bv_hash_writer_close(&hasher, ret_digest);
}
