/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * schema.h - descriptors of every type in schema.def, for code that walks values without knowing
 * them: encoder, decoder, JSON, ordering, copying, documentation.
 *
 *     bv_canon_encode(&writer, &bv_boundary_plan_type, &plan);
 *
 * No type contains itself, so a walk is never deeper than the schema is.
 */
#ifndef BV_CONTRACT_SCHEMA_H
#define BV_CONTRACT_SCHEMA_H

#include "types.h"

enum bv_form {
	BV_FORM_ENUM,
	BV_FORM_UNION,
	BV_FORM_RECORD,
	BV_FORM_TUPLE,
};

enum bv_presence {
	BV_PRESENCE_MUST,
	BV_PRESENCE_NIL,
	BV_PRESENCE_EXTRA,
};

enum bv_shape {
	BV_SHAPE_UNIT, /* a constant or a variant without content */
	BV_SHAPE_SCALAR,
	BV_SHAPE_ENUM,
	BV_SHAPE_SET,
	BV_SHAPE_NEST,
	BV_SHAPE_LIST,
	BV_SHAPE_SCALARS,
	BV_SHAPE_ENUMS,
	BV_SHAPE_TEXTS,
};

/* Lower case, because schema.c pastes the names of schema.def to them. */
enum bv_scalar {
	BV_SCALAR_u8,
	BV_SCALAR_u16,
	BV_SCALAR_u32,
	BV_SCALAR_u64,
	BV_SCALAR_i32,
	BV_SCALAR_bool,
	BV_SCALAR_str,
	BV_SCALAR_digest,
};

/* A constant of an enum, a variant of a union, a field of a record or tuple. */
struct bv_row {
	const char *wire;
	const char *doc;
	const struct bv_type *type; /* of ENUM, SET, NEST, LIST, ENUMS; else NULL */
	uint32_t offset;
	uint32_t has_offset; /* of has_<member>, unless MUST */
	uint32_t wire_len;
	enum bv_shape shape;
	enum bv_scalar scalar; /* of SCALAR and SCALARS */
	enum bv_presence presence;
};

struct bv_type {
	const char *name; /* "bv_boundary_plan" */
	const char *doc;
	const struct bv_row *rows;
	size_t row_count;
	size_t size_bytes;
	enum bv_form form;
};

/* Every list struct of types.h has this layout. */
struct bv_any_list {
	void *items;
	size_t count;
};

#define BV_DECLARE_TYPE extern const struct bv_type BV_PASTE(BV_T, _type);
#define BV_ENUM(doc) BV_DECLARE_TYPE
#define BV_ENUM_END
#define BV_UNION(doc) BV_DECLARE_TYPE
#define BV_UNION_END
#define BV_UNIT(constant, wire, doc)
#define BV_CASE(constant, wire, shape, type, member, doc)
#define BV_RECORD(doc) BV_DECLARE_TYPE
#define BV_RECORD_END
#define BV_TUPLE(doc) BV_DECLARE_TYPE
#define BV_TUPLE_END
#define BV_EMPTY(doc) BV_DECLARE_TYPE
#define BV_FIELD(presence, shape, type, member, doc)
#define BV_FIELD_AS(presence, shape, type, member, wire, doc)

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
#undef BV_DECLARE_TYPE

/* Every type, in the order of schema.def; NULL ends the list. */
extern const struct bv_type *const bv_types[];

/* The wire name of a constant or a tag: bv_name_of(&bv_outcome_type, BV_OUTCOME_KILLED). */
const char *bv_name_of(const struct bv_type *type, uint32_t constant);

/* False when there is no constant, variant or field of that name. */
bool bv_row_find(const struct bv_type *type, struct bv_str wire, uint32_t *ret_index);

/* The row whose name is most like `wire`; NULL when none is near enough to suggest. */
const char *bv_row_nearest(const struct bv_type *type, struct bv_str wire);

/* Bytes of one element of a SCALAR, SCALARS, NEST, LIST, ENUM or ENUMS row in memory. */
size_t bv_row_element_size(const struct bv_row *row);

/* Reading and writing members by descriptor. */
bool bv_row_present(const struct bv_row *row, const void *value);
void bv_row_set_present(const struct bv_row *row, void *value);
uint32_t bv_load_u32(const void *memory); /* an enum, a set, a tag */
void bv_store_u32(void *memory, uint32_t constant);
uint64_t bv_load_scalar(enum bv_scalar scalar, const void *memory); /* u8 to u64, bool */
struct bv_any_list bv_load_list(const void *memory);

#endif
