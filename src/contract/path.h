/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * path.h - where in a value a reader is, said the way people write it: "capabilities[2].policy".
 *
 * A chain of steps on the stack of the walk; nothing is built until something is wrong.
 */
#ifndef BV_CONTRACT_PATH_H
#define BV_CONTRACT_PATH_H

#include "base.h"

struct bv_path {
	const struct bv_path *up; /* NULL at the top */
	const char *name;         /* NULL: an element of a list */
	size_t index;
};

/* NUL-terminated, cut at the end if need be; "" at the top. */
void bv__path_text(const struct bv_path *path, char *ret_text, size_t size_bytes);

#endif
