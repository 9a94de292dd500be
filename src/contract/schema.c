/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * schema.c - the descriptor rows, made from the same schema.def as the structs they describe.
 */
#include "schema.h"

#define BV_PRESENT_MUST(member) BV_PRESENCE_MUST, 0
#define BV_PRESENT_NIL(member) BV_PRESENCE_NIL, offsetof(struct BV_T, has_##member)
#define BV_PRESENT_EXTRA(member) BV_PRESENCE_EXTRA, offsetof(struct BV_T, has_##member)

/* Which of the two names the descriptor needs: the scalar's, or the other type's. */
#define BV_ROW_SCALAR(scalar_, type_) BV_SHAPE_SCALAR, scalar_, NULL
#define BV_ROW_SCALARS(scalar_, type_) BV_SHAPE_SCALARS, scalar_, NULL
#define BV_ROW_ENUM(scalar_, type_) BV_SHAPE_ENUM, BV_SCALAR_u32, &type_
#define BV_ROW_SET(scalar_, type_) BV_SHAPE_SET, BV_SCALAR_u32, &type_
#define BV_ROW_NEST(scalar_, type_) BV_SHAPE_NEST, BV_SCALAR_u32, &type_
#define BV_ROW_LIST(scalar_, type_) BV_SHAPE_LIST, BV_SCALAR_u32, &type_
#define BV_ROW_ENUMS(scalar_, type_) BV_SHAPE_ENUMS, BV_SCALAR_u32, &type_
#define BV_ROW_TEXTS(scalar_, type_) BV_SHAPE_TEXTS, BV_SCALAR_str, NULL

#define BV_ROW_(wire_, doc_, offset_, presence_, has_, shape_, scalar_, type_)                     \
	{.wire = wire_,                                                                            \
	 .doc = doc_,                                                                              \
	 .type = type_,                                                                            \
	 .offset = offset_,                                                                        \
	 .has_offset = has_,                                                                       \
	 .wire_len = sizeof(wire_) - 1,                                                            \
	 .shape = shape_,                                                                          \
	 .scalar = scalar_,                                                                        \
	 .presence = presence_},
/* Once more, so that the pairs above become arguments of their own. */
#define BV_ROW(...) BV_ROW_(__VA_ARGS__)

#define BV_OPEN_ROWS(doc_)                                                                         \
	static const char BV_PASTE(BV_T, _doc)[] = doc_;                                           \
	static const struct bv_row BV_PASTE(BV_T, _rows)[] = {
#define BV_STRING_(text) #text
#define BV_STRING(text) BV_STRING_(text)
#define BV_CLOSE_ROWS(form_, what)                                                                 \
	}                                                                                          \
	;                                                                                          \
	const struct bv_type BV_PASTE(BV_T, _type) = {                                             \
		.name = BV_STRING(BV_T),                                                           \
		.doc = BV_PASTE(BV_T, _doc),                                                       \
		.rows = BV_PASTE(BV_T, _rows),                                                     \
		.row_count = sizeof BV_PASTE(BV_T, _rows) / sizeof BV_PASTE(BV_T, _rows)[0],       \
		.size_bytes = sizeof(what BV_T),                                                   \
		.form = form_,                                                                     \
	};

#define BV_ENUM(doc) BV_OPEN_ROWS(doc)
#define BV_ENUM_END                                                                                \
	BV_CLOSE_ROWS(BV_FORM_ENUM, enum)                                                          \
	_Static_assert(sizeof(enum BV_T) == sizeof(uint32_t), "enums are read as 32 bits");
#define BV_UNION(doc) BV_OPEN_ROWS(doc)
#define BV_UNION_END                                                                               \
	BV_CLOSE_ROWS(BV_FORM_UNION, struct)                                                       \
	_Static_assert(offsetof(struct BV_T, tag) == 0, "the tag comes first");                    \
	_Static_assert(sizeof(enum BV_PASTE(BV_T, _tag)) == sizeof(uint32_t),                      \
		       "tags are read as 32 bits");
#define BV_UNIT(constant, wire_, doc_)                                                             \
	{.wire = wire_, .doc = doc_, .wire_len = sizeof(wire_) - 1, .shape = BV_SHAPE_UNIT},
#define BV_CASE(constant, wire_, shape, type, member, doc)                                         \
	BV_ROW(wire_, doc, offsetof(struct BV_T, u.member), BV_PRESENCE_MUST, 0,                   \
	       BV_ROW_##shape(BV_SCALAR_##type, type##_type))
#define BV_RECORD(doc) BV_OPEN_ROWS(doc)
#define BV_RECORD_END BV_CLOSE_ROWS(BV_FORM_RECORD, struct)
#define BV_TUPLE(doc) BV_OPEN_ROWS(doc)
#define BV_TUPLE_END BV_CLOSE_ROWS(BV_FORM_TUPLE, struct)
#define BV_EMPTY(doc_)                                                                             \
	const struct bv_type BV_PASTE(BV_T, _type) = {                                             \
		.name = BV_STRING(BV_T),                                                           \
		.doc = doc_,                                                                       \
		.size_bytes = sizeof(struct BV_T),                                                 \
		.form = BV_FORM_RECORD,                                                            \
	};
#define BV_FIELD(presence, shape, type, member, doc)                                               \
	BV_ROW(#member, doc, offsetof(struct BV_T, member), BV_PRESENT_##presence(member),         \
	       BV_ROW_##shape(BV_SCALAR_##type, type##_type))
#define BV_FIELD_AS(presence, shape, type, member, wire_, doc)                                     \
	BV_ROW(wire_, doc, offsetof(struct BV_T, member), BV_PRESENT_##presence(member),           \
	       BV_ROW_##shape(BV_SCALAR_##type, type##_type))

#include "schema.def"

#undef BV_ENUM
#undef BV_ENUM_END
#undef BV_UNION
#undef BV_UNION_END
#undef BV_UNIT
#undef BV_CASE
#undef BV_RECORD
#undef BV_RECORD_END
#undef BV_TUPLE
#undef BV_TUPLE_END
#undef BV_EMPTY
#undef BV_FIELD
#undef BV_FIELD_AS

#define BV_LIST_TYPE &BV_PASTE(BV_T, _type),
#define BV_ENUM(doc) BV_LIST_TYPE
#define BV_ENUM_END
#define BV_UNION(doc) BV_LIST_TYPE
#define BV_UNION_END
#define BV_UNIT(constant, wire, doc)
#define BV_CASE(constant, wire, shape, type, member, doc)
#define BV_RECORD(doc) BV_LIST_TYPE
#define BV_RECORD_END
#define BV_TUPLE(doc) BV_LIST_TYPE
#define BV_TUPLE_END
#define BV_EMPTY(doc) BV_LIST_TYPE
#define BV_FIELD(presence, shape, type, member, doc)
#define BV_FIELD_AS(presence, shape, type, member, wire, doc)

const struct bv_type *const bv_types[] = {
#include "schema.def"
	NULL,
};

const char *bv_name_of(const struct bv_type *type, uint32_t constant)
{
	bv_assert(constant < type->row_count);
	return type->rows[constant].wire;
}

bool bv_row_find(const struct bv_type *type, struct bv_str wire, uint32_t *ret_index)
{
	for (size_t i = 0; i < type->row_count; i++)
		if (type->rows[i].wire_len == wire.len &&
		    __builtin_memcmp(type->rows[i].wire, wire.data, wire.len) == 0) {
			*ret_index = (uint32_t)i;
			return true;
		}
	return false;
}

const char *bv_row_nearest(const struct bv_type *type, struct bv_str wire)
{
	const char *nearest = NULL;
	/* Farther than a third of its letters, and at least two, a name is another word. */
	size_t best = (wire.len < 6 ? 6 : wire.len) / 3 + 1;

	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_str name = {type->rows[i].wire, type->rows[i].wire_len};
		const size_t distance = bv_text_distance(wire, name);

		if (distance < best) {
			best = distance;
			nearest = type->rows[i].wire;
		}
	}
	return nearest;
}

static size_t scalar_size(enum bv_scalar scalar)
{
	switch (scalar) {
	case BV_SCALAR_u8:
		return sizeof(uint8_t);
	case BV_SCALAR_u16:
		return sizeof(uint16_t);
	case BV_SCALAR_u32:
		return sizeof(uint32_t);
	case BV_SCALAR_u64:
		return sizeof(uint64_t);
	case BV_SCALAR_i32:
		return sizeof(int32_t);
	case BV_SCALAR_bool:
		return sizeof(bool);
	case BV_SCALAR_str:
		return sizeof(struct bv_str);
	case BV_SCALAR_digest:
		return sizeof(struct bv_digest);
	}
	bv_assert(false);
	return 0;
}

size_t bv_row_element_size(const struct bv_row *row)
{
	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return 0;
	case BV_SHAPE_SCALAR:
	case BV_SHAPE_SCALARS:
		return scalar_size(row->scalar);
	case BV_SHAPE_NEST:
	case BV_SHAPE_LIST:
	case BV_SHAPE_ENUM:
	case BV_SHAPE_ENUMS:
		return row->type->size_bytes;
	case BV_SHAPE_SET:
		return sizeof(uint32_t);
	case BV_SHAPE_TEXTS:
		return sizeof(struct bv_text_pair);
	}
	bv_assert(false);
	return 0;
}

bool bv_row_present(const struct bv_row *row, const void *value)
{
	bool present = true;

	if (row->presence != BV_PRESENCE_MUST)
		__builtin_memcpy(&present, (const uint8_t *)value + row->has_offset,
				 sizeof present);
	return present;
}

void bv_row_set_present(const struct bv_row *row, void *value)
{
	const bool present = true;

	if (row->presence != BV_PRESENCE_MUST)
		__builtin_memcpy((uint8_t *)value + row->has_offset, &present, sizeof present);
}

uint32_t bv_load_u32(const void *memory)
{
	uint32_t constant;

	__builtin_memcpy(&constant, memory, sizeof constant);
	return constant;
}

void bv_store_u32(void *memory, uint32_t constant)
{
	__builtin_memcpy(memory, &constant, sizeof constant);
}

uint64_t bv_load_scalar(enum bv_scalar scalar, const void *memory)
{
	switch (scalar) {
	case BV_SCALAR_u8:
		return *(const uint8_t *)memory;
	case BV_SCALAR_u16:
		return *(const uint16_t *)memory;
	case BV_SCALAR_u32:
		return *(const uint32_t *)memory;
	case BV_SCALAR_u64:
		return *(const uint64_t *)memory;
	case BV_SCALAR_bool:
		return *(const bool *)memory;
	case BV_SCALAR_i32:
	case BV_SCALAR_str:
	case BV_SCALAR_digest:
		break;
	}
	bv_assert(false);
	return 0;
}

struct bv_any_list bv_load_list(const void *memory)
{
	struct bv_any_list list;

	__builtin_memcpy(&list, memory, sizeof list);
	return list;
}
