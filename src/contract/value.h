/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * value.h - what can be done with a value of any type: order, copy, check.
 */
#ifndef BV_CONTRACT_VALUE_H
#define BV_CONTRACT_VALUE_H

#include "schema.h"

/*
 * The derived order: field by field, variants before their content, lists element by element with
 * a shorter one before those it begins, absent before present.  -1, 0 or 1; 0 exactly when the
 * canonical bytes are equal.
 */
int bv_value_compare(const struct bv_type *type, const void *a, const void *b);

/*
 * Sorts in place; equal elements keep their places among themselves.  False when `scratch` is too
 * small; then nothing was moved.
 */
typedef int (*bv_order_fn)(const void *context, const void *a, const void *b);
bool bv_sort(struct bv_arena *scratch, struct bv_any_list list, size_t element_bytes,
	     bv_order_fn order, const void *context);
bool bv_value_sort(struct bv_arena *scratch, const struct bv_type *type, void *items, size_t count);
bool bv_str_sort(struct bv_arena *scratch, struct bv_str *items, size_t count);

/* A copy that shares nothing with `value`; strings are NUL-terminated.  BV_E_MEMORY or BV_OK. */
enum bv_code bv_value_copy(struct bv_arena *arena, const struct bv_type *type, const void *value,
			   void *ret_copy, struct bv_error *err);

/*
 * Whether a value made by hand can be written at all: constants known, text UTF-8, maps in order.
 * Fails with `code` and the path of what is wrong.
 */
enum bv_code bv_value_check(const struct bv_type *type, const void *value, enum bv_code code,
			    struct bv_error *err);

#endif
