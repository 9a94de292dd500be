/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * support.h - kinds of requirements, and verdicts on them.
 *
 * Strength is Unsupported < Mediated < Enforced, the reverse of the order of declaration, which
 * only sorts.  Verdicts meet at the weaker of both and the evidence common to both.
 */
#ifndef BV_CONTRACT_SUPPORT_H
#define BV_CONTRACT_SUPPORT_H

#include "backend.h"

/* The cell of the support table a requirement falls in.  Grades inside it do not count. */
enum bv_requirement_kind bv_kind_of(const struct bv_requirement *requirement);

const char *bv_kind_name(enum bv_requirement_kind kind);
const char *bv_enforcement_name(enum bv_enforcement enforcement);

unsigned int bv_enforcement_strength(enum bv_enforcement enforcement); /* 0, 1, 2 */
unsigned int bv_guarantee_strength(enum bv_min_guarantee guarantee);   /* 1, 2 */

enum bv_enforcement bv_enforcement_meet(enum bv_enforcement a, enum bv_enforcement b);
struct bv_verdict bv_verdict_meet(struct bv_verdict a, struct bv_verdict b);

/*
 * The ceiling of the requirement's kind, and Unsupported for a grade no backend honours: a root
 * that does not cover what lies below it.  What a backend without `classify` answers, and where
 * one with it may start.
 */
struct bv_verdict bv_verdict_ceiling(const struct bv_requirement *requirement,
				     const struct bv_profile *profile);

/* "TerminalOutcome, CapturedStreams"; "" for none.  data NULL when the arena is full. */
struct bv_str bv_evidence_text(struct bv_arena *arena, uint32_t evidence);

/* The grade that decides beside the kind: "Atomic", "recursive false"; "" where there is none. */
const char *bv_grade_text(const struct bv_requirement *requirement);

#endif
