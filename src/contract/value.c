/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * value.c - order, copies and checks over descriptors.
 */
#include "value.h"
#include "path.h"

/* ---- order ----------------------------------------------------------------------------------- */

static int compare_unsigned(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_scalar(enum bv_scalar scalar, const void *a, const void *b)
{
	int order;

	switch (scalar) {
	case BV_SCALAR_u8:
	case BV_SCALAR_u16:
	case BV_SCALAR_u32:
	case BV_SCALAR_u64:
	case BV_SCALAR_bool:
		return compare_unsigned(bv_load_scalar(scalar, a), bv_load_scalar(scalar, b));
	case BV_SCALAR_i32:
		return (*(const int32_t *)a > *(const int32_t *)b) -
		       (*(const int32_t *)a < *(const int32_t *)b);
	case BV_SCALAR_str:
		return bv_str_compare(*(const struct bv_str *)a, *(const struct bv_str *)b);
	case BV_SCALAR_digest:
		order = __builtin_memcmp(a, b, sizeof(struct bv_digest));
		return (order > 0) - (order < 0);
	}
	bv_assert(false);
	return 0;
}

/* As lists of their members in order: the first constant only one has decides, unless it is the end. */
static int compare_sets(uint32_t a, uint32_t b)
{
	while (a != 0 && b != 0) {
		const uint32_t first_a = a & (0 - a), first_b = b & (0 - b);

		if (first_a != first_b)
			return first_a < first_b ? -1 : 1;
		a ^= first_a;
		b ^= first_b;
	}
	return (a != 0) - (b != 0);
}

static int compare_texts(const struct bv_text_map *a, const struct bv_text_map *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++) {
		int order = bv_str_compare(a->items[i].key, b->items[i].key);

		if (order == 0)
			order = bv_str_compare(a->items[i].value, b->items[i].value);
		if (order != 0)
			return order;
	}
	return compare_unsigned(a->count, b->count);
}

static int compare_lists(const struct bv_row *row, const void *a, const void *b)
{
	const struct bv_any_list list_a = bv_load_list(a), list_b = bv_load_list(b);
	const size_t element_bytes = bv_row_element_size(row);

	for (size_t i = 0; i < list_a.count && i < list_b.count; i++) {
		const uint8_t *element_a = (const uint8_t *)list_a.items + i * element_bytes;
		const uint8_t *element_b = (const uint8_t *)list_b.items + i * element_bytes;
		const int order = row->shape == BV_SHAPE_SCALARS
					  ? compare_scalar(row->scalar, element_a, element_b)
					  : bv_value_compare(row->type, element_a, element_b);

		if (order != 0)
			return order;
	}
	return compare_unsigned(list_a.count, list_b.count);
}

static int compare_content(const struct bv_row *row, const uint8_t *a, const uint8_t *b)
{
	a += row->offset;
	b += row->offset;
	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return 0;
	case BV_SHAPE_SCALAR:
		return compare_scalar(row->scalar, a, b);
	case BV_SHAPE_ENUM:
		return compare_unsigned(bv_load_u32(a), bv_load_u32(b));
	case BV_SHAPE_SET:
		return compare_sets(bv_load_u32(a), bv_load_u32(b));
	case BV_SHAPE_NEST:
		return bv_value_compare(row->type, a, b);
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		return compare_lists(row, a, b);
	case BV_SHAPE_TEXTS:
		return compare_texts((const struct bv_text_map *)a, (const struct bv_text_map *)b);
	}
	bv_assert(false);
	return 0;
}

int bv_value_compare(const struct bv_type *type, const void *a, const void *b)
{
	int order = 0;

	if (type->form == BV_FORM_ENUM || type->form == BV_FORM_UNION) {
		const uint32_t tag = bv_load_u32(a);

		order = compare_unsigned(tag, bv_load_u32(b));
		if (order != 0 || type->form == BV_FORM_ENUM)
			return order;
		return compare_content(&type->rows[tag], a, b);
	}
	for (size_t i = 0; order == 0 && i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];
		const bool present = bv_row_present(row, a);

		order = compare_unsigned(present, bv_row_present(row, b));
		if (order == 0 && present)
			order = compare_content(row, a, b);
	}
	return order;
}

/* Merge sort: lists may be as long as whoever wrote them liked. */
bool bv_sort(struct bv_arena *scratch, struct bv_any_list list, size_t element_bytes,
	     bv_order_fn order, const void *context)
{
	const size_t count = list.count;
	uint8_t *from = list.items, *to = bv_arena_array(scratch, count, element_bytes);

	if (to == NULL)
		return false;
	for (size_t width = 1; width < count; width *= 2) {
		uint8_t *swap;

		for (size_t start = 0; start < count; start += 2 * width) {
			const size_t middle = start + width < count ? start + width : count;
			const size_t end = middle + width < count ? middle + width : count;
			size_t left = start, right = middle;

			for (size_t at = start; at < end; at++) {
				const bool take_left = left < middle &&
						       (right == end ||
							order(context, from + left * element_bytes,
							      from + right * element_bytes) <= 0);

				__builtin_memcpy(to + at * element_bytes,
						 from + (take_left ? left++ : right++) *
								 element_bytes,
						 element_bytes);
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	if (from != (uint8_t *)list.items)
		__builtin_memcpy(list.items, from, count * element_bytes);
	return true;
}

static int order_values(const void *context, const void *a, const void *b)
{
	return bv_value_compare(context, a, b);
}

bool bv_value_sort(struct bv_arena *scratch, const struct bv_type *type, void *items, size_t count)
{
	return bv_sort(scratch, (struct bv_any_list){items, count}, type->size_bytes, order_values,
		       type);
}

static int order_texts(const void *context, const void *a, const void *b)
{
	(void)context;
	return bv_str_compare(*(const struct bv_str *)a, *(const struct bv_str *)b);
}

bool bv_str_sort(struct bv_arena *scratch, struct bv_str *items, size_t count)
{
	return bv_sort(scratch, (struct bv_any_list){items, count}, sizeof *items, order_texts,
		       NULL);
}

/* ---- copies ---------------------------------------------------------------------------------- */

static bool copy_value(struct bv_arena *arena, const struct bv_type *type, const uint8_t *from,
		       uint8_t *to);

static bool copy_text(struct bv_arena *arena, const struct bv_str *from, struct bv_str *to)
{
	*to = bv_arena_copy(arena, *from);
	return to->data != NULL;
}

static bool copy_texts(struct bv_arena *arena, const struct bv_text_map *from,
		       struct bv_text_map *to)
{
	to->count = from->count;
	to->items = bv_arena_array(arena, from->count, sizeof to->items[0]);
	if (to->items == NULL)
		return false;
	for (size_t i = 0; i < from->count; i++)
		if (!copy_text(arena, &from->items[i].key, &to->items[i].key) ||
		    !copy_text(arena, &from->items[i].value, &to->items[i].value))
			return false;
	return true;
}

/* One element in memory, not counting what it points to. */
static bool copy_element(struct bv_arena *arena, const struct bv_row *row, const uint8_t *from,
			 uint8_t *to)
{
	if (row->type != NULL && row->shape != BV_SHAPE_SET)
		return copy_value(arena, row->type, from, to);
	if (row->shape != BV_SHAPE_SET && row->scalar == BV_SCALAR_str)
		return copy_text(arena, (const struct bv_str *)from, (struct bv_str *)to);
	__builtin_memcpy(to, from, bv_row_element_size(row));
	return true;
}

static bool copy_list(struct bv_arena *arena, const struct bv_row *row, const uint8_t *from,
		      uint8_t *to)
{
	const struct bv_any_list source = bv_load_list(from);
	const size_t element_bytes = bv_row_element_size(row);
	const struct bv_any_list copy = {bv_arena_array(arena, source.count, element_bytes),
					 source.count};

	if (copy.items == NULL)
		return false;
	for (size_t i = 0; i < source.count; i++)
		if (!copy_element(arena, row, (const uint8_t *)source.items + i * element_bytes,
				  (uint8_t *)copy.items + i * element_bytes))
			return false;
	__builtin_memcpy(to, &copy, sizeof copy);
	return true;
}

static bool copy_content(struct bv_arena *arena, const struct bv_row *row, const uint8_t *from,
			 uint8_t *to)
{
	from += row->offset;
	to += row->offset;
	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return true;
	case BV_SHAPE_SCALAR:
	case BV_SHAPE_ENUM:
	case BV_SHAPE_SET:
	case BV_SHAPE_NEST:
		return copy_element(arena, row, from, to);
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		return copy_list(arena, row, from, to);
	case BV_SHAPE_TEXTS:
		return copy_texts(arena, (const struct bv_text_map *)from,
				  (struct bv_text_map *)to);
	}
	bv_assert(false);
	return false;
}

static bool copy_value(struct bv_arena *arena, const struct bv_type *type, const uint8_t *from,
		       uint8_t *to)
{
	if (type->form == BV_FORM_ENUM || type->form == BV_FORM_UNION) {
		const uint32_t tag = bv_load_u32(from);

		bv_assert(tag < type->row_count);
		bv_store_u32(to, tag);
		return type->form == BV_FORM_ENUM ||
		       copy_content(arena, &type->rows[tag], from, to);
	}
	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];

		if (!bv_row_present(row, from))
			continue;
		bv_row_set_present(row, to);
		if (!copy_content(arena, row, from, to))
			return false;
	}
	return true;
}

enum bv_code bv_value_copy(struct bv_arena *arena, const struct bv_type *type, const void *value,
			   void *ret_copy, struct bv_error *err)
{
	__builtin_memset(ret_copy, 0, type->size_bytes);
	if (!copy_value(arena, type, value, ret_copy))
		return bv_fail(err, BV_E_MEMORY, "", "no memory for a copy");
	return BV_OK;
}

/* ---- checks ---------------------------------------------------------------------------------- */

struct check {
	enum bv_code code;
	struct bv_error *err;
};

static enum bv_code check_value(const struct check *check, const struct bv_type *type,
				const uint8_t *value, const struct bv_path *path);

static enum bv_code check_fails(const struct check *check, const struct bv_path *path,
				const char *what)
{
	char where[BV_WHERE_SIZE];

	bv__path_text(path, where, sizeof where);
	return bv_fail(check->err, check->code, where, "%s", what);
}

static enum bv_code check_text(const struct check *check, struct bv_str text,
			       const struct bv_path *path)
{
	if ((uint64_t)text.len > UINT32_MAX || (text.len != 0 && text.data == NULL))
		return check_fails(check, path, "this is no text");
	return bv_utf8_valid(text) ? BV_OK : check_fails(check, path, "this text is not UTF-8");
}

static enum bv_code check_texts(const struct check *check, const struct bv_text_map *map,
				const struct bv_path *path)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct bv_path step = {path, NULL, i};
		enum bv_code code = check_text(check, map->items[i].key, &step);

		if (code == BV_OK)
			code = check_text(check, map->items[i].value, &step);
		if (code != BV_OK)
			return code;
		if (i != 0 && bv_str_compare(map->items[i - 1].key, map->items[i].key) >= 0)
			return check_fails(check, &step,
					   "this key is out of order, or there twice");
	}
	return BV_OK;
}

static enum bv_code check_list(const struct check *check, const struct bv_row *row,
			       const uint8_t *memory, const struct bv_path *path)
{
	const struct bv_any_list list = bv_load_list(memory);
	const size_t element_bytes = bv_row_element_size(row);
	enum bv_code code = BV_OK;

	if ((uint64_t)list.count > UINT32_MAX || (list.count != 0 && list.items == NULL))
		return check_fails(check, path, "this is no list");
	for (size_t i = 0; code == BV_OK && i < list.count; i++) {
		const uint8_t *element = (const uint8_t *)list.items + i * element_bytes;
		const struct bv_path step = {path, NULL, i};

		if (row->shape != BV_SHAPE_SCALARS)
			code = check_value(check, row->type, element, &step);
		else if (row->scalar == BV_SCALAR_str)
			code = check_text(check, *(const struct bv_str *)(const void *)element,
					  &step);
	}
	return code;
}

static enum bv_code check_content(const struct check *check, const struct bv_row *row,
				  const uint8_t *value, const struct bv_path *up)
{
	const struct bv_path path = {up, row->wire, 0};
	const void *memory = value + row->offset;

	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return BV_OK;
	case BV_SHAPE_SCALAR:
		return row->scalar == BV_SCALAR_str
			       ? check_text(check, *(const struct bv_str *)memory, &path)
			       : BV_OK;
	case BV_SHAPE_ENUM:
	case BV_SHAPE_NEST:
		return check_value(check, row->type, memory, &path);
	case BV_SHAPE_SET:
		if (row->type->row_count < 32 && bv_load_u32(memory) >> row->type->row_count != 0)
			return check_fails(check, &path, "this set holds what has no name");
		return BV_OK;
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		return check_list(check, row, memory, &path);
	case BV_SHAPE_TEXTS:
		return check_texts(check, memory, &path);
	}
	bv_assert(false);
	return BV_E_ARGUMENT;
}

static enum bv_code check_value(const struct check *check, const struct bv_type *type,
				const uint8_t *value, const struct bv_path *path)
{
	enum bv_code code = BV_OK;

	if (type->form == BV_FORM_ENUM || type->form == BV_FORM_UNION) {
		const uint32_t tag = bv_load_u32(value);

		if (tag >= type->row_count)
			return check_fails(check, path, "this is none of the known names");
		return type->form == BV_FORM_ENUM
			       ? BV_OK
			       : check_content(check, &type->rows[tag], value, path);
	}
	for (size_t i = 0; code == BV_OK && i < type->row_count; i++)
		if (bv_row_present(&type->rows[i], value))
			code = check_content(check, &type->rows[i], value, path);
	return code;
}

enum bv_code bv_value_check(const struct bv_type *type, const void *value, enum bv_code code,
			    struct bv_error *err)
{
	const struct check check = {code, err};

	return check_value(&check, type, value, NULL);
}
