/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * json_out.c - values to JSON.
 */
#include "json.h"

struct printer {
	struct bv_writer *writer;
	enum bv_json_style style;
	size_t depth;
};

static void print_value(struct printer *printer, const struct bv_type *type, const uint8_t *value);

static void print(struct printer *printer, const char *text)
{
	const struct bv_str what = bv_str_from(text);

	bv_put_raw(printer->writer, what.data, what.len);
}

static void print_line(struct printer *printer)
{
	if (printer->style == BV_JSON_COMPACT)
		return;
	print(printer, "\n");
	for (size_t i = 0; i < printer->depth; i++)
		print(printer, "  ");
}

/* Before each element; `first` is of the enclosing list or object. */
static void print_next(struct printer *printer, bool first)
{
	if (!first)
		print(printer, ",");
	print_line(printer);
}

static void open(struct printer *printer, const char *bracket)
{
	print(printer, bracket);
	printer->depth++;
}

static void close(struct printer *printer, const char *bracket, bool empty)
{
	printer->depth--;
	if (!empty)
		print_line(printer);
	print(printer, bracket);
}

static void print_number(struct printer *printer, uint64_t value)
{
	char digits[21];
	size_t at = sizeof digits;

	digits[--at] = '\0';
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	print(printer, digits + at);
}

static void print_escape(struct printer *printer, uint32_t code_unit)
{
	char escape[7] = "\\u0000";

	for (size_t i = 0; i < 4; i++)
		escape[5 - i] = "0123456789abcdef"[code_unit >> (4 * i) & 15];
	print(printer, escape);
}

/*
 * What a terminal or an editor would obey instead of showing: control characters, and those that
 * turn the direction of text or start a line.
 */
static bool is_obeyed(uint32_t code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
	       code_point == 0xfeff || (code_point >= 0x200e && code_point <= 0x200f) ||
	       (code_point >= 0x2028 && code_point <= 0x202e) ||
	       (code_point >= 0x2066 && code_point <= 0x2069);
}

static void print_text(struct printer *printer, struct bv_str text)
{
	static const char shorts[] =
		"\"\"\\\\\bb\ff\nn\rr\tt"; /* character, letter of its escape */

	print(printer, "\"");
	for (size_t at = 0; at < text.len;) {
		uint32_t code_point = 0xfffd;
		const size_t len = bv_utf8_next(text, at, &code_point);
		size_t i = 0;

		while (i < sizeof shorts - 1 && (uint8_t)shorts[i] != code_point)
			i += 2;
		if (i < sizeof shorts - 1) {
			const char escape[3] = {'\\', shorts[i + 1], '\0'};

			print(printer, escape);
		} else if (len == 0 || is_obeyed(code_point)) {
			print_escape(printer, code_point);
		} else {
			bv_put_raw(printer->writer, text.data + at, len);
		}
		at += len == 0 ? 1 : len;
	}
	print(printer, "\"");
}

static void print_name(struct printer *printer, const char *name)
{
	print(printer, "\"");
	print(printer, name);
	print(printer, "\"");
}

static void print_key(struct printer *printer, const char *name)
{
	print_name(printer, name);
	print(printer, printer->style == BV_JSON_COMPACT ? ":" : ": ");
}

static void print_digest(struct printer *printer, const struct bv_digest *digest)
{
	char hex[65];

	bv_digest_hex(digest, hex);
	print_name(printer, hex);
}

static void print_scalar(struct printer *printer, enum bv_scalar scalar, const void *memory)
{
	int64_t number;

	switch (scalar) {
	case BV_SCALAR_u8:
	case BV_SCALAR_u16:
	case BV_SCALAR_u32:
	case BV_SCALAR_u64:
		print_number(printer, bv_load_scalar(scalar, memory));
		return;
	case BV_SCALAR_i32:
		number = *(const int32_t *)memory;
		if (number < 0)
			print(printer, "-");
		print_number(printer, (uint64_t)(number < 0 ? -number : number));
		return;
	case BV_SCALAR_bool:
		print(printer, *(const bool *)memory ? "true" : "false");
		return;
	case BV_SCALAR_str:
		print_text(printer, *(const struct bv_str *)memory);
		return;
	case BV_SCALAR_digest:
		print_digest(printer, memory);
		return;
	}
	bv_assert(false);
}

/* On one line: sets are short. */
static void print_set(struct printer *printer, const struct bv_type *type, uint32_t set)
{
	bool first = true;

	print(printer, "[");
	for (uint32_t i = 0; i < type->row_count; i++) {
		if ((set >> i & 1) == 0)
			continue;
		if (!first)
			print(printer, printer->style == BV_JSON_COMPACT ? "," : ", ");
		print_name(printer, bv_name_of(type, i));
		first = false;
	}
	print(printer, "]");
}

static void print_list(struct printer *printer, const struct bv_row *row, const void *memory)
{
	const struct bv_any_list list = bv_load_list(memory);
	const size_t element_bytes = bv_row_element_size(row);

	open(printer, "[");
	for (size_t i = 0; i < list.count; i++) {
		const uint8_t *element = (const uint8_t *)list.items + i * element_bytes;

		print_next(printer, i == 0);
		if (row->shape == BV_SHAPE_SCALARS)
			print_scalar(printer, row->scalar, element);
		else
			print_value(printer, row->type, element);
	}
	close(printer, "]", list.count == 0);
}

static void print_texts(struct printer *printer, const struct bv_text_map *map)
{
	open(printer, "{");
	for (size_t i = 0; i < map->count; i++) {
		print_next(printer, i == 0);
		print_text(printer, map->items[i].key);
		print(printer, printer->style == BV_JSON_COMPACT ? ":" : ": ");
		print_text(printer, map->items[i].value);
	}
	close(printer, "}", map->count == 0);
}

static void print_content(struct printer *printer, const struct bv_row *row, const uint8_t *value)
{
	const uint8_t *memory = value + row->offset;

	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return;
	case BV_SHAPE_SCALAR:
		print_scalar(printer, row->scalar, memory);
		return;
	case BV_SHAPE_ENUM:
	case BV_SHAPE_NEST:
		print_value(printer, row->type, memory);
		return;
	case BV_SHAPE_SET:
		print_set(printer, row->type, bv_load_u32(memory));
		return;
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		print_list(printer, row, memory);
		return;
	case BV_SHAPE_TEXTS:
		print_texts(printer, (const struct bv_text_map *)memory);
		return;
	}
	bv_assert(false);
}

static void print_record(struct printer *printer, const struct bv_type *type, const uint8_t *value)
{
	bool first = true;

	open(printer, "{");
	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];
		const bool present = bv_row_present(row, value);

		if (!present && row->presence == BV_PRESENCE_EXTRA)
			continue;
		print_next(printer, first);
		first = false;
		print_key(printer, row->wire);
		if (present)
			print_content(printer, row, value);
		else
			print(printer, "null");
	}
	close(printer, "}", first);
}

static void print_variant(struct printer *printer, const struct bv_type *type, const uint8_t *value)
{
	const struct bv_row *row;

	bv_assert(bv_load_u32(value) < type->row_count);
	row = &type->rows[bv_load_u32(value)];
	if (row->shape == BV_SHAPE_UNIT) {
		print_name(printer, row->wire);
		return;
	}
	open(printer, "{");
	print_next(printer, true);
	print_key(printer, row->wire);
	print_content(printer, row, value);
	close(printer, "}", false);
}

static void print_value(struct printer *printer, const struct bv_type *type, const uint8_t *value)
{
	switch (type->form) {
	case BV_FORM_ENUM:
		print_name(printer, bv_name_of(type, bv_load_u32(value)));
		return;
	case BV_FORM_UNION:
		print_variant(printer, type, value);
		return;
	case BV_FORM_RECORD:
		print_record(printer, type, value);
		return;
	case BV_FORM_TUPLE:
		open(printer, "[");
		for (size_t i = 0; i < type->row_count; i++) {
			print_next(printer, i == 0);
			print_content(printer, &type->rows[i], value);
		}
		close(printer, "]", false);
		return;
	}
	bv_assert(false);
}

void bv_json_encode(struct bv_writer *writer, const struct bv_type *type, const void *value,
		    enum bv_json_style style)
{
	struct printer printer = {.writer = writer, .style = style};

	print_value(&printer, type, value);
}

struct bv_str bv_json_text(struct bv_arena *arena, const struct bv_type *type, const void *value,
			   enum bv_json_style style)
{
	struct bv_writer writer = {.data = NULL};

	bv_json_encode(&writer, type, value, style);
	writer.capacity = writer.len;
	writer.len = 0;
	writer.data = bv_arena_alloc(arena, writer.capacity + 1);
	if (writer.data == NULL)
		return (struct bv_str){NULL, 0};
	bv_json_encode(&writer, type, value, style);
	bv_assert(writer.len == writer.capacity);
	return (struct bv_str){(const char *)writer.data, writer.len};
}
