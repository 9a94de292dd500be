/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lowering.h - the order in which the actions of a boundary are carried out, and digests of it.
 *
 * Two digests are easily confused.  That of a schedule, here, covers a map with a `domain` in it.
 * What protocol 1 calls h_l is BLAKE3 of the canonical bytes of `struct bv_lowering`, which is
 * bv_canon_hash(&bv_lowering_type, ...).
 */
#ifndef BV_CONTRACT_LOWERING_H
#define BV_CONTRACT_LOWERING_H

#include "types.h"

/* The order of setup; the numbers are wire format. */
enum bv_phase {
	BV_PHASE_NAMESPACE_CREATE,
	BV_PHASE_FS_SETUP,
	BV_PHASE_PRIVILEGE_DROP,
	BV_PHASE_FD_HYGIENE,
	BV_PHASE_POLICY_INSTALL,
	BV_PHASE_LAUNCH,
	BV_PHASE_OBSERVE,
	BV_PHASE_TEARDOWN,
};

struct bv_primitive {
	struct bv_str id;
	uint32_t version;
	enum bv_phase phase;
	uint32_t covers; /* set over enum bv_requirement_kind */
	struct bv_str_list prerequisites;
	struct bv_str_list conflicts;
};

struct bv_schedule_entry {
	struct bv_str id;
	uint32_t version;
	enum bv_phase phase;
	struct bv_digest param_digest;
	struct bv_digest decl_digest;
};

struct bv_schedule {
	struct bv_schedule_entry *entries;
	size_t count;
};

/*
 * Orders primitives by phase, then prerequisites, then id.  The result does not depend on the order
 * they come in.  BV_E_ARGUMENT, with `where` the primitive at fault, for one there twice, a
 * conflict, a prerequisite that is missing or of a later phase, a cycle.
 */
enum bv_code bv_schedule_compile(struct bv_arena *arena, const struct bv_primitive *primitives,
				 size_t count, struct bv_schedule *ret_schedule,
				 struct bv_error *err);

void bv_schedule_digest(const struct bv_schedule *schedule, struct bv_digest *ret_digest);

/* The order of the lists inside does not matter.  BV_E_MEMORY or BV_OK. */
enum bv_code bv_primitive_digest(struct bv_arena *scratch, const struct bv_primitive *primitive,
				 struct bv_digest *ret_digest, struct bv_error *err);

/* Of no parameters at all: the one every entry carries. */
void bv_primitive_param_digest(struct bv_digest *ret_digest);

const char *bv_phase_name(enum bv_phase phase);

#endif
