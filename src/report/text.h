/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * text.h - plans and reports in words.
 *
 * What a workload or a path may have chosen is made harmless for a terminal.
 */
#ifndef BV_REPORT_TEXT_H
#define BV_REPORT_TEXT_H

#include "contract/budget.h"
#include "contract/canon.h"

/* What exactly a requirement asks for: "read /srv/a, /srv/b".  data NULL when the arena is full. */
struct bv_str bv__text_requirement(struct bv_arena *arena,
				   const struct bv_requirement *requirement);

/* "10 s", "256 MiB", "32": exact, in the largest unit that is. */
struct bv_str bv__text_amount(struct bv_arena *arena, enum bv_dimension dimension, uint64_t amount);

/* "wall", "cpu", "memory": how people call a dimension. */
const char *bv__text_left_out(enum bv_left_out_cause cause);
const char *bv__text_dimension(enum bv_dimension dimension);

/* The end in one sentence, without its subject: "exited with code 3". */
struct bv_str bv__text_summary(struct bv_arena *arena, const struct bv_report_body *body);

/* The whole report, several lines. */
void bv__text_report(struct bv_writer *writer, struct bv_arena *scratch,
		     const struct bv_boundary_report *report);

#endif
