/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * types.h - the C structs of every type in schema.def.
 *
 * A block named bv_x makes `enum bv_x` or `struct bv_x`, a union also `enum bv_x_tag`, and each
 * of them `struct bv_x_list {items, count}`.  A member that may be absent has `bool has_<member>`
 * before it, and its value means nothing while that is false.
 */
#ifndef BV_CONTRACT_TYPES_H
#define BV_CONTRACT_TYPES_H

#include "base.h"

#define BV_PASTE_(a, b) a##b
#define BV_PASTE(a, b) BV_PASTE_(a, b)

/* First reading: constants. */
#define BV_ENUM(doc) enum BV_T {
#define BV_ENUM_END                                                                                \
	}                                                                                          \
	;
#define BV_UNION(doc) enum BV_PASTE(BV_T, _tag) {
#define BV_UNION_END                                                                               \
	}                                                                                          \
	;
#define BV_UNIT(constant, wire, doc) constant,
#define BV_CASE(constant, wire, shape, type, member, doc) constant,
#define BV_RECORD(doc)
#define BV_RECORD_END
#define BV_TUPLE(doc)
#define BV_TUPLE_END
#define BV_EMPTY(doc)
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

/* Second reading: structs.  `type` may be `bool`, a macro: it is pasted before it can expand. */
#define BV_C_u8 uint8_t
#define BV_C_u16 uint16_t
#define BV_C_u32 uint32_t
#define BV_C_u64 uint64_t
#define BV_C_i32 int32_t
#define BV_C_bool bool
#define BV_C_str struct bv_str
#define BV_C_digest struct bv_digest

#define BV_HAS_MUST(member)
#define BV_HAS_NIL(member) bool has_##member;
#define BV_HAS_EXTRA(member) bool has_##member;

#define BV_C_SCALAR(scalar, aggregate, list, member) scalar member;
#define BV_C_ENUM(scalar, aggregate, list, member) enum aggregate member;
#define BV_C_SET(scalar, aggregate, list, member) uint32_t member;
#define BV_C_NEST(scalar, aggregate, list, member) struct aggregate member;
#define BV_C_LIST(scalar, aggregate, list, member) struct BV_PASTE(aggregate, _list) member;
#define BV_C_ENUMS(scalar, aggregate, list, member) struct BV_PASTE(aggregate, _list) member;
#define BV_C_SCALARS(scalar, aggregate, list, member) struct list member;
#define BV_C_TEXTS(scalar, aggregate, list, member) struct bv_text_map member;

#define BV_ENUM(doc)                                                                               \
	struct BV_PASTE(BV_T, _list) {                                                             \
		enum BV_T *items;                                                                  \
		size_t count;                                                                      \
	};
#define BV_ENUM_END
#define BV_UNIT(constant, wire, doc)

#define BV_CLOSE_STRUCT                                                                            \
	}                                                                                          \
	;                                                                                          \
	struct BV_PASTE(BV_T, _list) {                                                             \
		struct BV_T *items;                                                                \
		size_t count;                                                                      \
	};
#define BV_RECORD(doc) struct BV_T {
#define BV_RECORD_END BV_CLOSE_STRUCT
#define BV_TUPLE(doc) struct BV_T {
#define BV_TUPLE_END BV_CLOSE_STRUCT
#define BV_EMPTY(doc)                                                                              \
	struct BV_T {                                                                              \
		uint8_t nothing;                                                                   \
		BV_CLOSE_STRUCT
/* `nothing` is there because a union of units alone would have no member. */
#define BV_UNION(doc)                                                                              \
	struct BV_T {                                                                              \
		enum BV_PASTE(BV_T, _tag) tag;                                                     \
		union {                                                                            \
			uint8_t nothing;
#define BV_UNION_END                                                                               \
	}                                                                                          \
	u;                                                                                         \
	BV_CLOSE_STRUCT
#define BV_CASE(constant, wire, shape, type, member, doc)                                          \
	BV_C_##shape(BV_C_##type, type, bv_##type##_list, member)
#define BV_FIELD(presence, shape, type, member, doc)                                               \
	BV_HAS_##presence(member) BV_C_##shape(BV_C_##type, type, bv_##type##_list, member)
#define BV_FIELD_AS(presence, shape, type, member, wire, doc)                                      \
	BV_HAS_##presence(member) BV_C_##shape(BV_C_##type, type, bv_##type##_list, member)

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
#undef BV_CLOSE_STRUCT

#endif
