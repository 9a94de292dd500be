/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * budgets.h - who holds each of the seven limits on this machine, for one spec.
 *
 * Chosen once, at planning, from the snapshot and from what the spec grants and leaves out; the same
 * choice decides what is lowered and what the report may say.  The mechanism's text is where its
 * granularity and its overshoot are told.
 */
#ifndef BV_LINUX_BUDGETS_H
#define BV_LINUX_BUDGETS_H

#include "contract/budget.h"
#include "facts.h"

enum bv_holder {
	BV_HOLDER_NONE,
	BV_HOLDER_TIMER,  /* the launcher's clock, and a kill */
	BV_HOLDER_GROUP,  /* the control group: the kernel refuses or kills, or counts exactly */
	BV_HOLDER_RLIMIT, /* the kernel refuses */
	BV_HOLDER_SIZE, /* the kernel refuses: nothing is written to but file systems of fixed size */
	BV_HOLDER_SAMPLING, /* the launcher looks at the tree from time to time, and kills */
	BV_HOLDER_ABSENCE,  /* there is nothing to use up */
};

struct bv_holding {
	enum bv_holder holder;
	struct bv_budget_availability is;
	struct bv_guarantee_mediated exactness; /* of SAMPLING */
};

/* The longest time between two looks at the tree, and what is assumed that a run can use up in it. */
enum {
	BV_SAMPLE_INTERVAL_US = 5000,
	BV_SAMPLE_OVERSHOOT_BYTES = 64 << 20, /* by each processor */
	/* Of storage: as long as looking at all of it takes, and paced by that. */
	BV_STORAGE_INTERVAL_US = 50000,
	BV_STORAGE_OVERSHOOT_BYTES = 256 << 20,
};

/* Whether a spec, or an admitted plan, lets files of the host themselves be written to. */
bool bv__spec_writes_host(const struct bv_boundary_spec *spec, const struct bv_layers *layers);
bool bv__plan_writes_host(const struct bv_boundary_plan *plan, const struct bv_layers *layers);

struct bv_holding bv__holding(const struct bv_profile_snapshot *snapshot,
			      const struct bv_layers *layers, enum bv_dimension dimension);

/* `budgets` of struct bv_backend. */
void bv__linux_budgets(void *self, const struct bv_profile_snapshot *snapshot,
		       const struct bv_boundary_spec *spec, struct bv_budget_profile *ret_budgets);

#endif
