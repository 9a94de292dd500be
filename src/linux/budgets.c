/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* budgets.c - who holds each of the seven limits on this machine, for one spec. */
#include "budgets.h"

#include "contract/schema.h"

enum { USAGE = 1u << BV_CLAIM_RESOURCE_USAGE };

static struct bv_holding held(enum bv_holder holder, enum bv_enforcement enforcement,
			      uint64_t available, uint32_t evidence, const char *mechanism)
{
	return (struct bv_holding){.holder = holder,
				   .is = {.available = available,
					  .enforcement = enforcement,
					  .evidence = evidence,
					  .mechanism = bv_str_from(mechanism)}};
}

static struct bv_holding sampled(uint64_t available, uint64_t overshoot, const char *mechanism)
{
	struct bv_holding holding = held(BV_HOLDER_SAMPLING, BV_MEDIATED, available, USAGE,
					 mechanism);

	holding.exactness = (struct bv_guarantee_mediated){BV_SAMPLE_INTERVAL_US, overshoot};
	return holding;
}

/*
 * The launcher asks the group's own clock when the limit can be reached at the earliest, and not
 * later: nothing the tree does escapes the count, and what can be used beyond it is what all
 * processors can do until the launcher runs.
 */
static struct bv_holding hold_cpu(const struct bv_profile_snapshot *snapshot,
				  const struct bv_layers *layers)
{
	const uint64_t longest = INT64_MAX / 1000;
	const uint64_t cpus = bv__fact_number(snapshot, BV_FACT_CPUS);

	if (layers->group)
		return held(BV_HOLDER_GROUP, BV_ENFORCED, longest, USAGE,
			    "linux:cgroup_cpu_usage,granularity=1ms,overshoot<=2ms*cpus");
	return sampled(longest, 2 * BV_SAMPLE_INTERVAL_US * (cpus ? cpus : 1) + 20000,
		       "linux:sampled_cpu_time,interval<=5ms");
}

static struct bv_holding hold_memory(const struct bv_profile_snapshot *snapshot,
				     const struct bv_layers *layers)
{
	const uint64_t most = bv__fact_number(snapshot, BV_FACT_MEMORY);

	if (layers->group_memory)
		return held(BV_HOLDER_GROUP, BV_ENFORCED, most, USAGE,
			    "linux:cgroup_memory_max,exact,swap=0,oom=whole_tree");
	return sampled(most, BV_SAMPLE_OVERSHOOT_BYTES, "linux:sampled_memory,interval<=5ms");
}

/* One's own user id, or user namespace (Linux 5.14): nobody else counts in. */
static struct bv_holding hold_tasks(const struct bv_profile_snapshot *snapshot,
				    const struct bv_layers *layers)
{
	const uint64_t pids = bv__fact_number(snapshot, BV_FACT_PID_MAX);
	/* PID 1 of the boundary, and the launcher. */
	const uint64_t most = pids > 2 ? pids - 2 : 0;

	if (layers->group_pids)
		return held(BV_HOLDER_GROUP, BV_ENFORCED, most, USAGE,
			    "linux:cgroup_pids_max,exact");
	if (layers->root)
		return held(BV_HOLDER_RLIMIT, BV_ENFORCED, most, USAGE,
			    "linux:rlimit_nproc_private_user,exact");
	if (layers->namespaces && bv__fact_holds(snapshot, BV_FACT_NPROC))
		return held(BV_HOLDER_RLIMIT, BV_ENFORCED, most, USAGE,
			    "linux:rlimit_nproc_user_namespace,exact");
	/* The filter asks for each; what is beyond the limit then are those let through at one time that
	 * were not there yet when they were counted. */
	if (layers->notify)
		return sampled(most, 32, "linux:seccomp_asked_for_tasks,refused_at_limit");
	return sampled(most, 1024, "linux:sampled_tasks,interval<=5ms");
}

struct bv_holding bv__holding(const struct bv_profile_snapshot *snapshot,
			      const struct bv_layers *layers, enum bv_dimension dimension)
{
	switch (dimension) {
	case BV_DIMENSION_WALL:
		/* A timer counts nanoseconds in 63 bits. */
		return held(BV_HOLDER_TIMER, BV_ENFORCED, INT64_MAX / 1000, USAGE,
			    "linux:monotonic_timer,granularity=1ms");
	case BV_DIMENSION_CPU:
		return hold_cpu(snapshot, layers);
	case BV_DIMENSION_RESIDENT:
		return hold_memory(snapshot, layers);
	case BV_DIMENSION_PROCESSES:
		return hold_tasks(snapshot, layers);
	case BV_DIMENSION_HANDLES:
		return held(BV_HOLDER_RLIMIT, BV_ENFORCED,
			    bv__fact_number(snapshot, BV_FACT_NOFILE_HARD), USAGE,
			    "linux:rlimit_nofile,exact,each_process");
	case BV_DIMENSION_STORAGE:
		return held(BV_HOLDER_NONE, BV_UNSUPPORTED, INT64_MAX, 0, "linux:none");
	case BV_DIMENSION_NETWORK:
		/* Every plan this backend admits denies the network, so what passes is 0 under any limit. */
		return held(BV_HOLDER_ABSENCE, BV_ENFORCED, INT64_MAX, USAGE, "linux:no_network");
	case BV_DIMENSION_COUNT:
		break;
	}
	bv_assert(false);
	return held(BV_HOLDER_NONE, BV_UNSUPPORTED, 0, 0, "linux:none");
}

void bv__linux_budgets(void *self, const struct bv_profile_snapshot *snapshot,
		       const struct bv_boundary_spec *spec, struct bv_budget_profile *ret_budgets)
{
	const struct bv_layers layers = bv__layers_of(snapshot, spec != NULL && spec->has_execution
									? &spec->execution
									: NULL);

	(void)self;
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++)
		*bv_budget_availability_in(ret_budgets, (enum bv_dimension)d) =
			bv__holding(snapshot, &layers, (enum bv_dimension)d).is;
}
