/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * policy_gate.h - what the parts of the policy gate share.
 */
#ifndef BV_CONTRACT_POLICY_GATE_H
#define BV_CONTRACT_POLICY_GATE_H

#include "path.h"
#include "policy.h"

struct bv__gate {
	struct bv_arena *arena;
	const struct bv_boundary_spec *spec;
	struct bv_boundary_spec *normal;
	struct bv_error *err;
	char where[BV_WHERE_SIZE];
};

const char *bv__gate_where(struct bv__gate *gate, const struct bv_path *path);
enum bv_code bv__gate_memory(struct bv__gate *gate);

#define bv__refuse(gate, path, remedy, ...)                                                        \
	((void)bv_fail_remedy((gate)->err, BV_E_INVALID_POLICY, bv__gate_where(gate, path),        \
			      remedy, __VA_ARGS__),                                                \
	 BV_E_INVALID_POLICY)

/* Not empty, no NUL. */
enum bv_code bv__gate_text(struct bv__gate *gate, const struct bv_path *path, struct bv_str text);
enum bv_code bv__gate_path(struct bv__gate *gate, const struct bv_path *path, struct bv_str text,
			   struct bv_str *ret_path);

/* The parts, in the order they run.  Each writes its part of the normal form. */
enum bv_code bv__gate_capabilities(struct bv__gate *gate);
enum bv_code bv__gate_filesystem(struct bv__gate *gate);
enum bv_code bv__gate_controls(struct bv__gate *gate);
enum bv_code bv__gate_execution(struct bv__gate *gate);

/* Whether exactly this path is a root of the normal form. */
bool bv__gate_grants(const struct bv__gate *gate, struct bv_str path);

/* How many capabilities the gathered roots become at most, one for each access and depth. */
enum { BV__FILESYSTEM_CAPABILITIES = 8 };

#endif
