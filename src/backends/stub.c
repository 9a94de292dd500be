/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stub.c - backends for platforms that have none yet.  They probe, refuse, and never start anything.
 */
#include "backends.h"

#include "contract/budget.h"

static const char *name_of(const void *self)
{
	return ((const struct bv_str *)self)->data;
}

static enum bv_code stub_probe(void *self, struct bv_arena *arena,
			       struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	/* In key order.  The values are those of the reference, whose snapshot hash ours equals. */
	static const char *const facts[][2] = {{"confinement", "unimplemented"},
					       {"scaffolding", "true"}};
	struct bv_text_pair *pairs = bv_arena_array(arena, 2, sizeof *pairs);

	(void)err;
	if (pairs == NULL)
		return bv_fail(err, BV_E_MEMORY, "profile", "no memory for the probe");
	for (size_t i = 0; i < 2; i++)
		pairs[i] = (struct bv_text_pair){bv_str_from(facts[i][0]),
						 bv_str_from(facts[i][1])};
	*ret_snapshot = (struct bv_profile_snapshot){
		.backend = *(const struct bv_str *)self,
		.probed = {pairs, 2},
	};
	bv_profile_hold_no_budget(&ret_snapshot->budget);
	return BV_OK;
}

static void stub_profile(void *self, const struct bv_profile_snapshot *snapshot,
			 const struct bv_execution_options *execution,
			 struct bv_profile *ret_profile)
{
	(void)snapshot;
	(void)execution;
	for (unsigned int kind = 0; kind < BV_KIND_COUNT; kind++) {
		ret_profile->ceiling[kind] = (struct bv_verdict){.enforcement = BV_UNSUPPORTED};
		ret_profile->primitive[kind] = "none/unimplemented";
		ret_profile->reason[kind] = name_of(self)[0] == 'm'
						    ? "bvisor has no backend for macOS yet"
						    : "bvisor has no backend for Windows yet";
		ret_profile->remedy[kind] = "run it on Linux, in a virtual machine if need be";
	}
}

/* That nothing is held is told requirement by requirement, which says more than a refusal here. */
static bool stub_runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	(void)workload;
	return true;
}

static struct bv_str macos = {"macos", 5};
static struct bv_str windows = {"windows", 7};

const struct bv_backend bv_macos_backend = {
	.id = "macos",
	.self = &macos,
	.probe = stub_probe,
	.profile = stub_profile,
	.runs = stub_runs,
};

const struct bv_backend bv_windows_backend = {
	.id = "windows",
	.self = &windows,
	.probe = stub_probe,
	.profile = stub_profile,
	.runs = stub_runs,
};
