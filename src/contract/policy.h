/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * policy.h - whether a spec means anything, and its one normal form.
 *
 * The whole spec is looked at: texts, paths, environment, contradictions, things said twice.  What
 * is said in several harmless ways becomes one: roots are gathered by access, paths lose double
 * slashes, lists are sorted, defaults that were written out are left out.  So equal requests have
 * equal bytes, and equal plan ids.
 */
#ifndef BV_CONTRACT_POLICY_H
#define BV_CONTRACT_POLICY_H

#include "types.h"

/* Where lists come from people, they end somewhere. */
enum {
	BV_LIMIT_ENV_ENTRIES = 256,
	BV_LIMIT_ENV_BYTES = 131072,
	BV_LIMIT_PATH_BYTES = 4095,
	BV_LIMIT_ROOTS = 4096,
	BV_LIMIT_DENIED = 1024,
	BV_LIMIT_EXPOSED = 256,
	BV_LIMIT_FDS = 1024,
	BV_LIMIT_PEERS = 1024,
	BV_LIMIT_CAPTURE_BYTES = 1 << 30,
};

/*
 * BV_E_INVALID_POLICY, or BV_E_BUDGET_INVALID, with the path of what is wrong.  The result shares
 * nothing with `spec`; it lives in `arena`, as does what was needed to make it.
 */
enum bv_code bv_policy_normalise(struct bv_arena *arena, const struct bv_boundary_spec *spec,
				 struct bv_boundary_spec *ret_normal, struct bv_error *err);

/*
 * The normal form of an absolute path: no double slash, none at the end.  BV_E_INVALID_POLICY for
 * what is relative, too long, holds a NUL, or has a component "." or "..".
 */
enum bv_code bv_policy_path(struct bv_arena *arena, struct bv_str path, const char *where,
			    struct bv_str *ret_path, struct bv_error *err);

/* Whether `path` is `root` or lies below it; both in normal form. */
bool bv_path_covers(struct bv_str root, struct bv_str path);

/*
 * Where a boundary has what a WebAssembly guest is shown as "/", because nothing can be mounted at its own.
 * Kept for that: whatever else were there could be used with the rights of either.
 */
#define BV_SHOWN_ROOT "/.bvisor-wasm-root"
#define BV_SHOWN_ROOT_REFUSED                                                                      \
	"'" BV_SHOWN_ROOT "' is kept for what a WebAssembly guest is shown as /"
bool bv_path_is_shown_root(struct bv_str path);

#endif
