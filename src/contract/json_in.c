/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * json_in.c - JSON to values.
 *
 * The descriptors drive it: there is no tree in between, nothing is read that has no place, and it
 * never goes deeper than the type does.
 */
#include "json.h"
#include "path.h"
#include "value.h"

struct reader {
	struct bv_str text;
	size_t at;
	struct bv_arena *arena;
	struct bv_error *err;
	char where[BV_WHERE_SIZE];
};

struct position {
	size_t line, column;
};

/* Fails with path, line and column.  Ends in the code, so that compilers see it is not BV_OK. */
#define refuse(reader, path, offset, remedy, format, ...)                                          \
	((void)bv_fail_remedy((reader)->err, BV_E_DECODE, where(reader, path), remedy,             \
			      "line %zu, column %zu: " format, position_of(reader, offset).line,   \
			      position_of(reader, offset).column, __VA_ARGS__),                    \
	 BV_E_DECODE)

static enum bv_code read_value(struct reader *reader, const struct bv_type *type, uint8_t *value,
			       const struct bv_path *path);

static const char *where(struct reader *reader, const struct bv_path *path)
{
	bv__path_text(path, reader->where, sizeof reader->where);
	return reader->where;
}

static struct position position_of(const struct reader *reader, size_t offset)
{
	struct position position = {1, 1};

	for (size_t i = 0; i < offset && i < reader->text.len; i++) {
		if (reader->text.data[i] == '\n')
			position = (struct position){position.line + 1, 1};
		else if (((uint8_t)reader->text.data[i] & 0xc0) != 0x80)
			position.column++;
	}
	return position;
}

static enum bv_code refuse_memory(struct reader *reader, const struct bv_path *path)
{
	((void)bv_fail(reader->err, BV_E_MEMORY, where(reader, path),
		       "the value needs more memory than it may have"));
	return BV_E_MEMORY;
}

/* The next byte, 0 at the end: NUL is no JSON. */
static char peek(const struct reader *reader)
{
	return reader->at < reader->text.len ? reader->text.data[reader->at] : '\0';
}

static void skip_space(struct reader *reader)
{
	while (peek(reader) == ' ' || peek(reader) == '\t' || peek(reader) == '\n' ||
	       peek(reader) == '\r')
		reader->at++;
}

static enum bv_code refuse_here(struct reader *reader, const struct bv_path *path,
				const char *wanted)
{
	size_t len = 0;

	if (reader->at >= reader->text.len)
		return refuse(reader, path, reader->at, "", "the text ends where %s belongs",
			      wanted);
	/* Enough to see what it is: up to the next character that ends a word. */
	while (len < 20 && reader->at + len < reader->text.len &&
	       (len == 0 || ((uint8_t)reader->text.data[reader->at + len] > ' ' &&
			     reader->text.data[reader->at + len] != ',' &&
			     reader->text.data[reader->at + len] != ']' &&
			     reader->text.data[reader->at + len] != '}')))
		len++;
	return refuse(reader, path, reader->at, "", "expected %s, found '%.*s'", wanted, (int)len,
		      reader->text.data + reader->at);
}

static enum bv_code expect(struct reader *reader, const struct bv_path *path, char wanted,
			   const char *name)
{
	skip_space(reader);
	if (peek(reader) != wanted)
		return refuse_here(reader, path, name);
	reader->at++;
	return BV_OK;
}

/* After an element: true when another follows, having read the comma; else the bracket was read. */
static enum bv_code read_separator(struct reader *reader, const struct bv_path *path, char bracket,
				   bool *ret_more)
{
	skip_space(reader);
	*ret_more = peek(reader) == ',';
	if (!*ret_more && peek(reader) != bracket)
		return refuse_here(reader, path, bracket == '}' ? "',' or '}'" : "',' or ']'");
	reader->at++;
	if (!*ret_more)
		return BV_OK;
	skip_space(reader);
	if (peek(reader) == bracket)
		return refuse_here(reader, path, "another element after ','");
	return BV_OK;
}

/* After an opening bracket: whether there is anything inside. */
static bool read_empty(struct reader *reader, char bracket)
{
	skip_space(reader);
	if (peek(reader) != bracket)
		return false;
	reader->at++;
	return true;
}

/* ---- strings --------------------------------------------------------------------------------- */

static enum bv_code read_hex4(struct reader *reader, const struct bv_path *path, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	for (size_t i = 0; i < 4; i++, reader->at++) {
		const char digit = peek(reader);

		if (digit >= '0' && digit <= '9')
			unit = unit << 4 | (uint32_t)(digit - '0');
		else if (digit >= 'a' && digit <= 'f')
			unit = unit << 4 | (uint32_t)(digit - 'a' + 10);
		else if (digit >= 'A' && digit <= 'F')
			unit = unit << 4 | (uint32_t)(digit - 'A' + 10);
		else
			return refuse_here(reader, path, "four hex digits after \\u");
	}
	*ret_unit = unit;
	return BV_OK;
}

/* After "\u": one code point, which may take a second escape. */
static enum bv_code read_unicode(struct reader *reader, const struct bv_path *path,
				 uint32_t *ret_code_point)
{
	const size_t start = reader->at;
	uint32_t high = 0, low = 0;
	enum bv_code code = read_hex4(reader, path, &high);

	if (code != BV_OK)
		return code;
	if (high < 0xd800 || high > 0xdfff) {
		*ret_code_point = high;
		return BV_OK;
	}
	if (high <= 0xdbff && reader->text.len - reader->at >= 2 &&
	    reader->text.data[reader->at] == '\\' && reader->text.data[reader->at + 1] == 'u') {
		reader->at += 2;
		code = read_hex4(reader, path, &low);
		if (code != BV_OK)
			return code;
		if (low >= 0xdc00 && low <= 0xdfff) {
			*ret_code_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
			return BV_OK;
		}
	}
	return refuse(reader, path, start, "", "half of a surrogate pair%s", "");
}

static size_t put_utf8(char *out, uint32_t code_point)
{
	if (code_point < 0x80) {
		out[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		out[0] = (char)(0xc0 | code_point >> 6);
		out[1] = (char)(0x80 | (code_point & 0x3f));
		return 2;
	}
	if (code_point < 0x10000) {
		out[0] = (char)(0xe0 | code_point >> 12);
		out[1] = (char)(0x80 | (code_point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code_point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code_point >> 18);
	out[1] = (char)(0x80 | (code_point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code_point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code_point & 0x3f));
	return 4;
}

/* After a backslash. */
static enum bv_code read_escape(struct reader *reader, const struct bv_path *path,
				uint32_t *ret_code_point)
{
	static const char shorts[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

	if (peek(reader) == 'u') {
		reader->at++;
		return read_unicode(reader, path, ret_code_point);
	}
	for (size_t i = 0; i < sizeof shorts - 1; i += 2)
		if (peek(reader) == shorts[i]) {
			*ret_code_point = (uint8_t)shorts[i + 1];
			reader->at++;
			return BV_OK;
		}
	return refuse_here(reader, path, "one of \"\\/bfnrtu after a backslash");
}

/* A copy in the arena.  Escapes only ever get shorter, so the raw length is room enough. */
static enum bv_code read_text(struct reader *reader, const struct bv_path *path,
			      struct bv_str *ret_text)
{
	size_t raw = 0, len = 0;
	char *out;
	enum bv_code code;

	skip_space(reader);
	if (peek(reader) != '"')
		return refuse_here(reader, path, "a string");
	reader->at++;
	while (reader->at + raw < reader->text.len && reader->text.data[reader->at + raw] != '"')
		raw += reader->text.data[reader->at + raw] == '\\' ? 2 : 1;
	if (raw >= reader->text.len - reader->at)
		return refuse(reader, path, reader->at - 1, "", "this string has no end%s", "");
	out = bv_arena_alloc(reader->arena, raw + 1);
	if (out == NULL)
		return refuse_memory(reader, path);

	while (peek(reader) != '"') {
		uint32_t code_point = 0;

		if ((uint8_t)peek(reader) < 0x20)
			return refuse(reader, path, reader->at,
				      "write it as an escape, such as \\n",
				      "a control character in a string%s", "");
		if (peek(reader) != '\\') {
			out[len++] = reader->text.data[reader->at++];
			continue;
		}
		reader->at++;
		code = read_escape(reader, path, &code_point);
		if (code != BV_OK)
			return code;
		len += put_utf8(out + len, code_point);
	}
	reader->at++;
	bv_assert(len <= raw);
	*ret_text = (struct bv_str){out, len};
	return BV_OK;
}

/* ---- scalars --------------------------------------------------------------------------------- */

static enum bv_code refuse_name(struct reader *reader, const struct bv_path *path, size_t start,
				const struct bv_type *type, struct bv_str name, const char *what)
{
	const char *nearest = bv_row_nearest(type, name);
	struct bv_str remedy = {"", 0};

	if (nearest != NULL)
		remedy = bv_arena_format(reader->arena, "did you mean '%s'?", nearest);
	return refuse(reader, path, start, remedy.data == NULL ? "" : remedy.data,
		      "%s '%.*s' is not known", what, (int)(name.len < 64 ? name.len : 64),
		      name.data);
}

static enum bv_code read_constant(struct reader *reader, const struct bv_type *type,
				  const struct bv_path *path, const char *what,
				  uint32_t *ret_constant)
{
	const size_t used = reader->arena->used;
	struct bv_str name = {NULL, 0};
	size_t start;
	enum bv_code code;

	skip_space(reader);
	start = reader->at;
	code = read_text(reader, path, &name);
	if (code == BV_OK && !bv_row_find(type, name, ret_constant))
		return refuse_name(reader, path, start, type, name, what);
	reader->arena->used = used;
	return code;
}

/* Digits, without sign: magnitude at most `limit`. */
static enum bv_code read_digits(struct reader *reader, const struct bv_path *path, uint64_t limit,
				uint64_t *ret_value)
{
	const size_t start = reader->at;
	uint64_t value = 0;

	if (peek(reader) < '0' || peek(reader) > '9')
		return refuse_here(reader, path, "a whole number");
	while (peek(reader) >= '0' && peek(reader) <= '9') {
		const uint64_t digit = (uint64_t)(peek(reader) - '0');

		if (!bv_mul(value, 10, &value) || !bv_add(value, digit, &value) || value > limit)
			return refuse(reader, path, start, "", "this number is above %llu",
				      (unsigned long long)limit);
		reader->at++;
	}
	if (reader->text.data[start] == '0' && reader->at - start > 1)
		return refuse(reader, path, start, "", "a number starts with a needless zero%s",
			      "");
	if (peek(reader) == '.' || peek(reader) == 'e' || peek(reader) == 'E')
		return refuse(reader, path, start, "write it out, without point or exponent",
			      "only whole numbers belong here%s", "");
	*ret_value = value;
	return BV_OK;
}

static enum bv_code read_unsigned(struct reader *reader, const struct bv_path *path, uint64_t limit,
				  uint64_t *ret_value)
{
	skip_space(reader);
	if (peek(reader) == '-')
		return refuse(reader, path, reader->at, "",
			      "a number below 0, and 0 is the least%s", "");
	return read_digits(reader, path, limit, ret_value);
}

static enum bv_code read_i32(struct reader *reader, const struct bv_path *path, int32_t *ret_value)
{
	uint64_t magnitude = 0;
	bool negative;
	enum bv_code code;

	skip_space(reader);
	negative = peek(reader) == '-';
	if (negative)
		reader->at++;
	code = read_digits(reader, path, negative ? (uint64_t)INT32_MAX + 1 : INT32_MAX,
			   &magnitude);
	if (code == BV_OK && negative && magnitude == 0)
		return refuse(reader, path, reader->at - 1, "write 0",
			      "there is no negative zero%s", "");
	*ret_value = (int32_t)(negative ? -(int64_t)magnitude : (int64_t)magnitude);
	return code;
}

static bool read_word(struct reader *reader, struct bv_str word)
{
	const size_t left = reader->text.len - reader->at;

	if (left < word.len ||
	    __builtin_memcmp(reader->text.data + reader->at, word.data, word.len) != 0)
		return false;
	reader->at += word.len;
	return true;
}

static enum bv_code read_bool(struct reader *reader, const struct bv_path *path, bool *ret_value)
{
	skip_space(reader);
	*ret_value = read_word(reader, BV_STR("true"));
	if (*ret_value || read_word(reader, BV_STR("false")))
		return BV_OK;
	return refuse_here(reader, path, "true or false");
}

static enum bv_code read_digest(struct reader *reader, const struct bv_path *path,
				struct bv_digest *ret_digest)
{
	const size_t used = reader->arena->used;
	struct bv_str text = {NULL, 0};
	size_t start;
	enum bv_code code;

	skip_space(reader);
	start = reader->at;
	code = read_text(reader, path, &text);
	if (code != BV_OK)
		return code;
	for (size_t i = 0; i < 64; i++) {
		const char digit = text.len == 64 ? text.data[i] : '?';
		const bool decimal = digit >= '0' && digit <= '9';
		uint8_t *byte = &ret_digest->bytes[i / 2];

		if (!decimal && (digit < 'a' || digit > 'f'))
			return refuse(reader, path, start, "",
				      "a digest is 64 lower-case hex digits%s", "");
		*byte = (uint8_t)(*byte << 4 | (decimal ? digit - '0' : digit - 'a' + 10));
	}
	reader->arena->used = used;
	return BV_OK;
}

static enum bv_code read_scalar(struct reader *reader, enum bv_scalar scalar, void *memory,
				const struct bv_path *path)
{
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
		return read_bool(reader, path, memory);
	case BV_SCALAR_str:
		return read_text(reader, path, memory);
	case BV_SCALAR_digest:
		return read_digest(reader, path, memory);
	}
	bv_assert(false);
	return BV_E_DECODE;
}

/* ---- lists, sets, maps ------------------------------------------------------------------------ */

/* Room for one more element.  Twice as much each time, so what is left behind is bounded. */
static bool grow(struct bv_arena *arena, struct bv_any_list *list, size_t *capacity,
		 size_t element_bytes)
{
	void *items;

	if (list->count < *capacity)
		return true;
	*capacity = *capacity == 0 ? 4 : *capacity * 2;
	items = bv_arena_array(arena, *capacity, element_bytes);
	if (items == NULL)
		return false;
	if (list->count != 0)
		__builtin_memcpy(items, list->items, list->count * element_bytes);
	list->items = items;
	return true;
}

static enum bv_code read_list(struct reader *reader, const struct bv_row *row, void *memory,
			      const struct bv_path *path)
{
	const size_t element_bytes = bv_row_element_size(row);
	struct bv_any_list list = {NULL, 0};
	size_t capacity = 0;
	bool more;
	enum bv_code code = expect(reader, path, '[', "a list");

	if (code != BV_OK)
		return code;
	for (more = !read_empty(reader, ']'); more;) {
		const struct bv_path step = {path, NULL, list.count};
		uint8_t *element;

		if (!grow(reader->arena, &list, &capacity, element_bytes))
			return refuse_memory(reader, path);
		element = (uint8_t *)list.items + list.count * element_bytes;
		if (row->shape == BV_SHAPE_SCALARS)
			code = read_scalar(reader, row->scalar, element, &step);
		else
			code = read_value(reader, row->type, element, &step);
		list.count++;
		if (code == BV_OK)
			code = read_separator(reader, path, ']', &more);
		if (code != BV_OK)
			return code;
	}
	__builtin_memcpy(memory, &list, sizeof list);
	return BV_OK;
}

static enum bv_code read_set(struct reader *reader, const struct bv_type *type, void *memory,
			     const struct bv_path *path)
{
	uint32_t set = 0, constant = 0;
	bool more;
	enum bv_code code = expect(reader, path, '[', "a list of names");

	if (code != BV_OK)
		return code;
	for (more = !read_empty(reader, ']'); more;) {
		const size_t start = reader->at;

		code = read_constant(reader, type, path, "the name", &constant);
		if (code == BV_OK && (set >> constant & 1) != 0)
			code = refuse(reader, path, start, "name it once", "'%s' is there twice",
				      bv_name_of(type, constant));
		if (code == BV_OK)
			code = read_separator(reader, path, ']', &more);
		if (code != BV_OK)
			return code;
		set |= (uint32_t)1 << constant;
	}
	bv_store_u32(memory, set);
	return BV_OK;
}

static int order_keys(const void *context, const void *a, const void *b)
{
	(void)context;
	return bv_str_compare(((const struct bv_text_pair *)a)->key,
			      ((const struct bv_text_pair *)b)->key);
}

static enum bv_code read_texts(struct reader *reader, void *memory, const struct bv_path *path)
{
	struct bv_any_list list = {NULL, 0};
	struct bv_text_pair *pairs;
	size_t capacity = 0;
	bool more;
	enum bv_code code = expect(reader, path, '{', "an object");

	if (code != BV_OK)
		return code;
	for (more = !read_empty(reader, '}'); more;) {
		struct bv_text_pair *pair;

		if (!grow(reader->arena, &list, &capacity, sizeof *pair))
			return refuse_memory(reader, path);
		pair = (struct bv_text_pair *)list.items + list.count++;
		code = read_text(reader, path, &pair->key);
		if (code == BV_OK)
			code = expect(reader, path, ':', "':'");
		if (code == BV_OK)
			code = read_text(reader, &(struct bv_path){path, pair->key.data, 0},
					 &pair->value);
		if (code == BV_OK)
			code = read_separator(reader, path, '}', &more);
		if (code != BV_OK)
			return code;
	}
	if (!bv_sort(reader->arena, list, sizeof *pairs, order_keys, NULL))
		return refuse_memory(reader, path);
	pairs = list.items;
	for (size_t i = 1; i < list.count; i++)
		if (bv_str_equal(pairs[i - 1].key, pairs[i].key))
			return refuse(reader, path, reader->at, "name it once",
				      "the key '%.*s' is there twice",
				      (int)(pairs[i].key.len < 64 ? pairs[i].key.len : 64),
				      pairs[i].key.data);
	__builtin_memcpy(memory, &list, sizeof list);
	return BV_OK;
}

/* ---- records, unions, tuples ------------------------------------------------------------------ */

static enum bv_code read_content(struct reader *reader, const struct bv_row *row, uint8_t *value,
				 const struct bv_path *path)
{
	uint8_t *memory = value + row->offset;

	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return BV_OK;
	case BV_SHAPE_SCALAR:
		return read_scalar(reader, row->scalar, memory, path);
	case BV_SHAPE_ENUM:
	case BV_SHAPE_NEST:
		return read_value(reader, row->type, memory, path);
	case BV_SHAPE_SET:
		return read_set(reader, row->type, memory, path);
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		return read_list(reader, row, memory, path);
	case BV_SHAPE_TEXTS:
		return read_texts(reader, memory, path);
	}
	bv_assert(false);
	return BV_E_DECODE;
}

static enum bv_code read_field(struct reader *reader, const struct bv_row *row, uint8_t *value,
			       const struct bv_path *up)
{
	const struct bv_path path = {up, row->wire, 0};
	size_t start;

	skip_space(reader);
	start = reader->at;
	if (row->presence != BV_PRESENCE_MUST && read_word(reader, BV_STR("null"))) {
		if (row->presence == BV_PRESENCE_NIL)
			return BV_OK;
		return refuse(reader, &path, start, "leave the key out",
			      "null does not belong here%s", "");
	}
	bv_row_set_present(row, value);
	return read_content(reader, row, value, &path);
}

static enum bv_code read_record(struct reader *reader, const struct bv_type *type, uint8_t *value,
				const struct bv_path *path)
{
	uint64_t seen = 0;
	bool more;
	enum bv_code code = expect(reader, path, '{', "an object");

	if (code != BV_OK)
		return code;
	for (more = !read_empty(reader, '}'); more;) {
		uint32_t index = 0;
		size_t start;

		skip_space(reader);
		start = reader->at;
		code = read_constant(reader, type, path, "the key", &index);
		if (code == BV_OK && (seen >> index & 1) != 0)
			code = refuse(reader, path, start, "name it once",
				      "the key '%s' is there twice", type->rows[index].wire);
		if (code == BV_OK)
			code = expect(reader, path, ':', "':'");
		if (code == BV_OK)
			code = read_field(reader, &type->rows[index], value, path);
		if (code == BV_OK)
			code = read_separator(reader, path, '}', &more);
		if (code != BV_OK)
			return code;
		seen |= (uint64_t)1 << index;
	}
	for (size_t i = 0; i < type->row_count; i++)
		if ((seen >> i & 1) == 0 && type->rows[i].presence != BV_PRESENCE_EXTRA)
			return refuse(reader, path, reader->at - 1, "add the key",
				      "the key '%s' is missing", type->rows[i].wire);
	return BV_OK;
}

static enum bv_code read_union(struct reader *reader, const struct bv_type *type, uint8_t *value,
			       const struct bv_path *path)
{
	const struct bv_row *row;
	uint32_t tag = 0;
	size_t start;
	bool object, more = false;
	enum bv_code code;

	skip_space(reader);
	object = peek(reader) == '{';
	if (object)
		reader->at++;
	skip_space(reader);
	start = reader->at;
	code = read_constant(reader, type, path, "the variant", &tag);
	if (code != BV_OK)
		return code;

	row = &type->rows[tag];
	bv_store_u32(value, tag);
	if (!object && row->shape != BV_SHAPE_UNIT)
		return refuse(reader, path, start, "write an object with this one key",
			      "'%s' lacks its content", row->wire);
	if (!object)
		return BV_OK;
	if (row->shape == BV_SHAPE_UNIT)
		return refuse(reader, path, start, "write the name alone", "'%s' has no content",
			      row->wire);
	code = expect(reader, path, ':', "':'");
	if (code == BV_OK)
		code = read_content(reader, row, value, &(struct bv_path){path, row->wire, 0});
	if (code == BV_OK)
		code = read_separator(reader, path, '}', &more);
	if (code == BV_OK && more)
		return refuse(reader, path, reader->at, "choose one variant",
			      "'%s' stands alone in its object", row->wire);
	return code;
}

static enum bv_code read_tuple(struct reader *reader, const struct bv_type *type, uint8_t *value,
			       const struct bv_path *path)
{
	bool more = true;
	enum bv_code code = expect(reader, path, '[', "a list");

	for (size_t i = 0; code == BV_OK && i < type->row_count; i++) {
		const struct bv_path step = {path, NULL, i};

		if (!more)
			return refuse(reader, path, reader->at - 1, "",
				      "a list of %zu, where %zu belong", i, type->row_count);
		code = read_content(reader, &type->rows[i], value, &step);
		if (code == BV_OK)
			code = read_separator(reader, path, ']', &more);
	}
	if (code == BV_OK && more)
		return refuse(reader, path, reader->at, "", "a list of more than %zu",
			      type->row_count);
	return code;
}

static enum bv_code read_value(struct reader *reader, const struct bv_type *type, uint8_t *value,
			       const struct bv_path *path)
{
	uint32_t constant = 0;
	enum bv_code code;

	switch (type->form) {
	case BV_FORM_ENUM:
		code = read_constant(reader, type, path, "the name", &constant);
		if (code == BV_OK)
			bv_store_u32(value, constant);
		return code;
	case BV_FORM_UNION:
		return read_union(reader, type, value, path);
	case BV_FORM_RECORD:
		return read_record(reader, type, value, path);
	case BV_FORM_TUPLE:
		return read_tuple(reader, type, value, path);
	}
	bv_assert(false);
	return BV_E_DECODE;
}

static enum bv_code check_encoding(struct reader *reader)
{
	uint32_t code_point;

	for (size_t at = 0; at < reader->text.len;) {
		const size_t len = bv_utf8_next(reader->text, at, &code_point);

		if (len == 0)
			return refuse(reader, NULL, at, "save the text as UTF-8",
				      "this is not UTF-8%s", "");
		if (at == 0 && code_point == 0xfeff)
			return refuse(reader, NULL, at, "save the text without it",
				      "a byte order mark%s", "");
		at += len;
	}
	return BV_OK;
}

enum bv_code bv_json_decode(struct bv_arena *arena, const struct bv_type *type, const char *text,
			    size_t size_bytes, void *ret_value, struct bv_error *err)
{
	struct reader reader = {.text = {text, size_bytes}, .arena = arena, .err = err};
	enum bv_code code = check_encoding(&reader);

	__builtin_memset(ret_value, 0, type->size_bytes);
	if (code == BV_OK)
		code = read_value(&reader, type, ret_value, NULL);
	if (code != BV_OK)
		return code;
	skip_space(&reader);
	if (reader.at < reader.text.len)
		return refuse_here(&reader, NULL, "nothing more");
	return BV_OK;
}
