/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * decode.c - canonical MessagePack to values, for bytes nobody vouches for.
 *
 * Only what encode.c would write is accepted, so decoding and encoding again gives the same bytes.
 */
#include "canon.h"
#include "path.h"

struct reader {
	const uint8_t *data;
	size_t size_bytes;
	size_t at;
	size_t start; /* where the value being read begins, for messages */
	struct bv_arena *arena;
	struct bv_error *err;
	char where[BV_WHERE_SIZE];
};

/* Fails with the path of the part at fault.  Ends in the code, so that compilers see it is not BV_OK. */
#define refuse(reader, path, code, ...)                                                            \
	((void)bv_fail((reader)->err, code, where(reader, path), __VA_ARGS__), (code))

static enum bv_code decode(struct reader *reader, const struct bv_type *type, uint8_t *value,
			   const struct bv_path *path);

static const char *where(struct reader *reader, const struct bv_path *path)
{
	bv__path_text(path, reader->where, sizeof reader->where);
	return reader->where;
}

static enum bv_code refuse_memory(struct reader *reader, const struct bv_path *path)
{
	return refuse(reader, path, BV_E_MEMORY, "the value needs more memory than it may have");
}

static enum bv_code refuse_spelling(struct reader *reader, const struct bv_path *path)
{
	return refuse(reader, path, BV_E_NOT_CANONICAL, "not in its shortest form at byte %zu",
		      reader->start);
}

static size_t left_bytes(const struct reader *reader)
{
	return reader->size_bytes - reader->at;
}

/* The first byte of the next value. */
static enum bv_code read_marker(struct reader *reader, const struct bv_path *path,
				uint8_t *ret_marker)
{
	reader->start = reader->at;
	if (left_bytes(reader) == 0)
		return refuse(reader, path, BV_E_DECODE, "ends at byte %zu, before it is whole",
			      reader->at);
	*ret_marker = reader->data[reader->at++];
	return BV_OK;
}

static enum bv_code read_big_endian(struct reader *reader, const struct bv_path *path, size_t count,
				    uint64_t *ret_value)
{
	uint64_t value = 0;

	if (left_bytes(reader) < count)
		return refuse(reader, path, BV_E_DECODE, "ends at byte %zu, before it is whole",
			      reader->size_bytes);
	for (size_t i = 0; i < count; i++)
		value = value << 8 | reader->data[reader->at++];
	*ret_value = value;
	return BV_OK;
}

static enum bv_code refuse_kind(struct reader *reader, const struct bv_path *path,
				const char *wanted, uint8_t marker)
{
	return refuse(reader, path, BV_E_DECODE, "expected %s at byte %zu, found marker 0x%llx",
		      wanted, reader->start, (unsigned long long)marker);
}

static enum bv_code read_unsigned(struct reader *reader, const struct bv_path *path, uint64_t limit,
				  uint64_t *ret_value)
{
	/* Below these a shorter form exists. */
	static const uint64_t least[] = {0x80, 0x100, 0x10000, 0x100000000};
	uint8_t marker;
	uint64_t value;
	enum bv_code code = read_marker(reader, path, &marker);

	if (code != BV_OK)
		return code;
	if (marker < 0x80) {
		value = marker;
	} else if (marker >= 0xcc && marker <= 0xcf) {
		code = read_big_endian(reader, path, (size_t)1 << (marker - 0xcc), &value);
		if (code != BV_OK)
			return code;
		if (value < least[marker - 0xcc])
			return refuse_spelling(reader, path);
	} else {
		return refuse_kind(reader, path, "an unsigned integer", marker);
	}
	if (value > limit)
		return refuse(reader, path, BV_E_DECODE, "%llu at byte %zu is above %llu",
			      (unsigned long long)value, reader->start, (unsigned long long)limit);
	*ret_value = value;
	return BV_OK;
}

static enum bv_code read_i32(struct reader *reader, const struct bv_path *path, int32_t *ret_value)
{
	/* Above these a shorter form exists. */
	static const int64_t most[] = {-33, INT8_MIN - 1, INT16_MIN - 1};
	const uint8_t marker = left_bytes(reader) == 0 ? 0 : reader->data[reader->at];
	uint64_t bits;
	int64_t value;
	enum bv_code code;

	if (marker < 0xd0 || marker == 0xd3 || (marker > 0xd3 && marker < 0xe0)) {
		code = read_unsigned(reader, path, INT32_MAX, &bits);
		if (code == BV_OK)
			*ret_value = (int32_t)bits;
		return code;
	}
	reader->start = reader->at++;
	if (marker >= 0xe0) {
		*ret_value = (int32_t)marker - 0x100;
		return BV_OK;
	}
	code = read_big_endian(reader, path, (size_t)1 << (marker - 0xd0), &bits);
	if (code != BV_OK)
		return code;
	value = (int64_t)bits;
	if ((bits >> ((8u << (marker - 0xd0)) - 1)) != 0)
		value -= (int64_t)1 << (8u << (marker - 0xd0));
	if (value > most[marker - 0xd0])
		return refuse_spelling(reader, path);
	*ret_value = (int32_t)value;
	return BV_OK;
}

/* The text stays where it is in the input. */
static enum bv_code read_text(struct reader *reader, const struct bv_path *path,
			      struct bv_str *ret_text)
{
	static const uint64_t least[] = {32, 0x100, 0x10000};
	uint8_t marker;
	uint64_t len;
	enum bv_code code = read_marker(reader, path, &marker);

	if (code != BV_OK)
		return code;
	if (marker >= 0xa0 && marker <= 0xbf) {
		len = marker & 0x1f;
	} else if (marker >= 0xd9 && marker <= 0xdb) {
		code = read_big_endian(reader, path, (size_t)1 << (marker - 0xd9), &len);
		if (code != BV_OK)
			return code;
		if (len < least[marker - 0xd9])
			return refuse_spelling(reader, path);
	} else {
		return refuse_kind(reader, path, "a string", marker);
	}
	if (len > left_bytes(reader))
		return refuse(reader, path, BV_E_DECODE,
			      "a string of %llu bytes at byte %zu, but only %zu follow",
			      (unsigned long long)len, reader->start, left_bytes(reader));
	*ret_text = (struct bv_str){(const char *)reader->data + reader->at, (size_t)len};
	if (!bv_utf8_valid(*ret_text))
		return refuse(reader, path, BV_E_DECODE, "the string at byte %zu is not UTF-8",
			      reader->start);
	reader->at += (size_t)len;
	return BV_OK;
}

/* Header of an array (fix 0x90, marker 0xdc) or a map (0x80, 0xde). */
static enum bv_code read_count(struct reader *reader, const struct bv_path *path, bool map,
			       size_t *ret_count)
{
	const uint8_t fix = map ? 0x80 : 0x90, wide = map ? 0xde : 0xdc;
	uint8_t marker;
	uint64_t count;
	enum bv_code code = read_marker(reader, path, &marker);

	if (code != BV_OK)
		return code;
	if ((marker & 0xf0) == fix) {
		count = marker & 0x0f;
	} else if (marker == wide || marker == wide + 1) {
		code = read_big_endian(reader, path, marker == wide ? 2 : 4, &count);
		if (code != BV_OK)
			return code;
		if (count < (marker == wide ? 16u : 0x10000u))
			return refuse_spelling(reader, path);
	} else {
		return refuse_kind(reader, path, map ? "a map" : "an array", marker);
	}
	*ret_count = (size_t)count;
	return BV_OK;
}

static enum bv_code keep_text(struct reader *reader, const struct bv_path *path, struct bv_str text,
			      struct bv_str *ret_copy)
{
	*ret_copy = bv_arena_copy(reader->arena, text);
	return ret_copy->data == NULL ? refuse_memory(reader, path) : BV_OK;
}

static enum bv_code read_constant(struct reader *reader, const struct bv_type *type,
				  const struct bv_path *path, uint32_t *ret_constant)
{
	struct bv_str name;
	enum bv_code code = read_text(reader, path, &name);

	if (code != BV_OK)
		return code;
	if (!bv_row_find(type, name, ret_constant))
		return refuse(reader, path, BV_E_DECODE,
			      "'%.*s' at byte %zu is not one of the known names",
			      (int)(name.len < 64 ? name.len : 64), name.data, reader->start);
	return BV_OK;
}

static enum bv_code decode_digest(struct reader *reader, const struct bv_path *path,
				  struct bv_digest *ret_digest)
{
	size_t count;
	uint64_t byte;
	enum bv_code code = read_count(reader, path, false, &count);

	if (code != BV_OK)
		return code;
	if (count != sizeof ret_digest->bytes)
		return refuse(reader, path, BV_E_DECODE, "a digest of %zu bytes at byte %zu", count,
			      reader->start);
	for (size_t i = 0; i < count; i++) {
		code = read_unsigned(reader, path, UINT8_MAX, &byte);
		if (code != BV_OK)
			return code;
		ret_digest->bytes[i] = (uint8_t)byte;
	}
	return BV_OK;
}

static enum bv_code decode_bool(struct reader *reader, const struct bv_path *path, bool *ret_value)
{
	uint8_t marker;
	enum bv_code code = read_marker(reader, path, &marker);

	if (code != BV_OK)
		return code;
	if (marker != 0xc2 && marker != 0xc3)
		return refuse_kind(reader, path, "true or false", marker);
	*ret_value = marker == 0xc3;
	return BV_OK;
}

static enum bv_code decode_scalar(struct reader *reader, enum bv_scalar scalar, void *memory,
				  const struct bv_path *path)
{
	struct bv_str text;
	uint64_t value = 0;
	enum bv_code code;

	switch (scalar) {
	case BV_SCALAR_u8:
		code = read_unsigned(reader, path, UINT8_MAX, &value);
		*(uint8_t *)memory = (uint8_t)value;
		return code;
	case BV_SCALAR_u16:
		code = read_unsigned(reader, path, UINT16_MAX, &value);
		*(uint16_t *)memory = (uint16_t)value;
		return code;
	case BV_SCALAR_u32:
		code = read_unsigned(reader, path, UINT32_MAX, &value);
		*(uint32_t *)memory = (uint32_t)value;
		return code;
	case BV_SCALAR_u64:
		return read_unsigned(reader, path, UINT64_MAX, memory);
	case BV_SCALAR_i32:
		return read_i32(reader, path, memory);
	case BV_SCALAR_bool:
		return decode_bool(reader, path, memory);
	case BV_SCALAR_str:
		code = read_text(reader, path, &text);
		return code == BV_OK ? keep_text(reader, path, text, memory) : code;
	case BV_SCALAR_digest:
		return decode_digest(reader, path, memory);
	}
	bv_assert(false);
	return BV_E_DECODE;
}

static enum bv_code decode_set(struct reader *reader, const struct bv_type *type, void *memory,
			       const struct bv_path *path)
{
	uint32_t set = 0, constant;
	size_t count;
	enum bv_code code = read_count(reader, path, false, &count);

	for (size_t i = 0; code == BV_OK && i < count; i++) {
		const struct bv_path step = {path, NULL, i};

		code = read_constant(reader, type, &step, &constant);
		if (code == BV_OK && set >> constant != 0)
			code = refuse(reader, &step, BV_E_NOT_CANONICAL,
				      "a set out of order, or one name twice, at byte %zu",
				      reader->start);
		else if (code == BV_OK)
			set |= (uint32_t)1 << constant;
	}
	if (code == BV_OK)
		bv_store_u32(memory, set);
	return code;
}

static enum bv_code decode_texts(struct reader *reader, struct bv_text_map *ret_map,
				 const struct bv_path *path)
{
	struct bv_str key, value;
	size_t count;
	enum bv_code code = read_count(reader, path, true, &count);

	if (code != BV_OK)
		return code;
	if (count > left_bytes(reader) / 2)
		return refuse(reader, path, BV_E_DECODE,
			      "a map of %zu entries at byte %zu, but only %zu bytes follow", count,
			      reader->start, left_bytes(reader));
	ret_map->items = bv_arena_array(reader->arena, count, sizeof ret_map->items[0]);
	if (ret_map->items == NULL)
		return refuse_memory(reader, path);
	ret_map->count = count;

	for (size_t i = 0; i < count; i++) {
		const struct bv_path step = {path, NULL, i};

		code = read_text(reader, &step, &key);
		if (code == BV_OK && i != 0 && bv_str_compare(ret_map->items[i - 1].key, key) >= 0)
			code = refuse(reader, &step, BV_E_NOT_CANONICAL,
				      "a key out of order, or there twice, at byte %zu",
				      reader->start);
		if (code == BV_OK)
			code = keep_text(reader, &step, key, &ret_map->items[i].key);
		if (code == BV_OK)
			code = read_text(reader, &step, &value);
		if (code == BV_OK)
			code = keep_text(reader, &step, value, &ret_map->items[i].value);
		if (code != BV_OK)
			return code;
	}
	return BV_OK;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static size_t least_bytes_of_row(const struct bv_row *row);

/* The fewest bytes a value of this type takes: how many of a claimed list can be there at all. */
static size_t least_bytes(const struct bv_type *type)
{
	size_t least = 1, smallest = SIZE_MAX;

	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];
		const size_t key = type->form == BV_FORM_TUPLE ? 0 : 1 + (size_t)row->wire_len;
		const size_t content = row->presence == BV_PRESENCE_NIL ? 1
									: least_bytes_of_row(row);

		if (type->form == BV_FORM_ENUM || type->form == BV_FORM_UNION)
			smallest = key + content < smallest ? key + content : smallest;
		else if (row->presence != BV_PRESENCE_EXTRA)
			least += key + content;
	}
	return smallest == SIZE_MAX ? least : smallest;
}

static size_t least_bytes_of_row(const struct bv_row *row)
{
	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return 0;
	case BV_SHAPE_SCALAR:
		return row->scalar == BV_SCALAR_digest ? 35 : 1;
	case BV_SHAPE_ENUM:
	case BV_SHAPE_NEST:
		return least_bytes(row->type);
	case BV_SHAPE_SET:
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
	case BV_SHAPE_TEXTS:
		return 1;
	}
	bv_assert(false);
	return 1;
}

static enum bv_code decode_list(struct reader *reader, const struct bv_row *row, void *memory,
				const struct bv_path *path)
{
	const size_t element_bytes = bv_row_element_size(row);
	struct bv_any_list list;
	size_t count, least;
	enum bv_code code = read_count(reader, path, false, &count);

	if (code != BV_OK)
		return code;
	least = row->shape == BV_SHAPE_SCALARS ? 1 : least_bytes(row->type);
	if (count > left_bytes(reader) / least)
		return refuse(reader, path, BV_E_DECODE,
			      "a list of %zu at byte %zu, but only %zu bytes follow", count,
			      reader->start, left_bytes(reader));
	list = (struct bv_any_list){bv_arena_array(reader->arena, count, element_bytes), count};
	if (list.items == NULL)
		return refuse_memory(reader, path);

	for (size_t i = 0; i < count; i++) {
		uint8_t *element = (uint8_t *)list.items + i * element_bytes;
		const struct bv_path step = {path, NULL, i};

		if (row->shape == BV_SHAPE_SCALARS)
			code = decode_scalar(reader, row->scalar, element, &step);
		else
			code = decode(reader, row->type, element, &step);
		if (code != BV_OK)
			return code;
	}
	__builtin_memcpy(memory, &list, sizeof list);
	return BV_OK;
}

/* ---- records, unions, tuples ----------------------------------------------------------------- */

static enum bv_code decode_content(struct reader *reader, const struct bv_row *row, uint8_t *value,
				   const struct bv_path *path)
{
	uint8_t *memory = value + row->offset;
	uint32_t constant;
	enum bv_code code;

	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return BV_OK;
	case BV_SHAPE_SCALAR:
		return decode_scalar(reader, row->scalar, memory, path);
	case BV_SHAPE_ENUM:
		code = read_constant(reader, row->type, path, &constant);
		if (code == BV_OK)
			bv_store_u32(memory, constant);
		return code;
	case BV_SHAPE_SET:
		return decode_set(reader, row->type, memory, path);
	case BV_SHAPE_NEST:
		return decode(reader, row->type, memory, path);
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		return decode_list(reader, row, memory, path);
	case BV_SHAPE_TEXTS:
		return decode_texts(reader, (struct bv_text_map *)memory, path);
	}
	bv_assert(false);
	return BV_E_DECODE;
}

static enum bv_code refuse_key(struct reader *reader, const struct bv_type *type, struct bv_str key,
			       size_t next, const struct bv_path *path)
{
	const int shown = (int)(key.len < 64 ? key.len : 64);
	uint32_t known;

	if (!bv_row_find(type, key, &known))
		return refuse(reader, path, BV_E_DECODE, "the key '%.*s' at byte %zu is not known",
			      shown, key.data, reader->start);
	if (known < next)
		return refuse(reader, path, BV_E_NOT_CANONICAL,
			      "the key '%.*s' at byte %zu is out of order or there twice", shown,
			      key.data, reader->start);
	return refuse(reader, path, BV_E_DECODE,
		      "the key '%s' is missing, or out of order, before byte %zu",
		      type->rows[next].wire, reader->start);
}

/*
 * Keys come in the order of the rows, and only those that may be absent are skipped: `next` only
 * ever grows, so every key is taken once at most.
 */
static enum bv_code decode_record(struct reader *reader, const struct bv_type *type, uint8_t *value,
				  const struct bv_path *path)
{
	size_t count, next = 0;
	struct bv_str key;
	enum bv_code code = read_count(reader, path, true, &count);

	for (size_t i = 0; code == BV_OK && i < count; i++) {
		const struct bv_row *row;
		uint32_t index;

		code = read_text(reader, path, &key);
		if (code != BV_OK)
			return code;
		if (!bv_row_find(type, key, &index))
			return refuse_key(reader, type, key, next, path);
		while (next < index && type->rows[next].presence == BV_PRESENCE_EXTRA)
			next++;
		if (next != index)
			return refuse_key(reader, type, key, next, path);

		row = &type->rows[next++];
		if (row->presence == BV_PRESENCE_NIL && left_bytes(reader) != 0 &&
		    reader->data[reader->at] == 0xc0) {
			reader->at++;
			continue;
		}
		bv_row_set_present(row, value);
		code = decode_content(reader, row, value, &(struct bv_path){path, row->wire, 0});
	}
	while (code == BV_OK && next < type->row_count &&
	       type->rows[next].presence == BV_PRESENCE_EXTRA)
		next++;
	if (code == BV_OK && next < type->row_count)
		return refuse(reader, path, BV_E_DECODE, "the key '%s' is missing at byte %zu",
			      type->rows[next].wire, reader->at);
	return code;
}

static enum bv_code decode_union(struct reader *reader, const struct bv_type *type, uint8_t *value,
				 const struct bv_path *path)
{
	const bool map = left_bytes(reader) != 0 && (reader->data[reader->at] & 0xf0) == 0x80;
	const struct bv_row *row;
	uint32_t tag;
	size_t count = 1;
	enum bv_code code = BV_OK;

	if (map)
		code = read_count(reader, path, true, &count);
	if (code == BV_OK && count != 1)
		return refuse(reader, path, BV_E_DECODE,
			      "a variant is a map of one, not of %zu, at byte %zu", count,
			      reader->start);
	if (code == BV_OK)
		code = read_constant(reader, type, path, &tag);
	if (code != BV_OK)
		return code;

	row = &type->rows[tag];
	if (map == (row->shape == BV_SHAPE_UNIT))
		return refuse(reader, path, BV_E_DECODE, "'%s' at byte %zu %s", row->wire,
			      reader->start, map ? "has no content" : "lacks its content");
	bv_store_u32(value, tag);
	return decode_content(reader, row, value, &(struct bv_path){path, row->wire, 0});
}

static enum bv_code decode_tuple(struct reader *reader, const struct bv_type *type, uint8_t *value,
				 const struct bv_path *path)
{
	size_t count;
	enum bv_code code = read_count(reader, path, false, &count);

	if (code == BV_OK && count != type->row_count)
		return refuse(reader, path, BV_E_DECODE,
			      "an array of %zu at byte %zu, where %zu belong", count, reader->start,
			      type->row_count);
	for (size_t i = 0; code == BV_OK && i < count; i++)
		code = decode_content(reader, &type->rows[i], value,
				      &(struct bv_path){path, type->rows[i].wire, 0});
	return code;
}

static enum bv_code decode(struct reader *reader, const struct bv_type *type, uint8_t *value,
			   const struct bv_path *path)
{
	uint32_t constant;
	enum bv_code code;

	switch (type->form) {
	case BV_FORM_ENUM:
		code = read_constant(reader, type, path, &constant);
		if (code == BV_OK)
			bv_store_u32(value, constant);
		return code;
	case BV_FORM_UNION:
		return decode_union(reader, type, value, path);
	case BV_FORM_RECORD:
		return decode_record(reader, type, value, path);
	case BV_FORM_TUPLE:
		return decode_tuple(reader, type, value, path);
	}
	bv_assert(false);
	return BV_E_DECODE;
}

enum bv_code bv_canon_decode(struct bv_arena *arena, const struct bv_type *type, const void *data,
			     size_t size_bytes, void *ret_value, struct bv_error *err)
{
	struct reader reader = {.data = data, .size_bytes = size_bytes, .arena = arena, .err = err};
	enum bv_code code;

	__builtin_memset(ret_value, 0, type->size_bytes);
	code = decode(&reader, type, ret_value, NULL);
	if (code == BV_OK && left_bytes(&reader) != 0)
		code = refuse(&reader, NULL, BV_E_DECODE,
			      "%zu bytes follow the value, from byte %zu", left_bytes(&reader),
			      reader.at);
	return code;
}
