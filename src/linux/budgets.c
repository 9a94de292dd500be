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
		       "linux:sampled_cpu_time,interval=5ms*load");
}

static struct bv_holding hold_memory(const struct bv_profile_snapshot *snapshot,
				     const struct bv_layers *layers)
{
	const uint64_t cpus = bv__fact_number(snapshot, BV_FACT_CPUS);
	const uint64_t most = bv__fact_number(snapshot, BV_FACT_MEMORY);

	if (layers->group_memory)
		return held(BV_HOLDER_GROUP, BV_ENFORCED, most, USAGE,
			    "linux:cgroup_memory_max,exact,swap=0,oom=whole_tree");
	/* Measured: sixteen processes that fill memory at once leave the launcher a processor every 20 ms. */
	return sampled(most, BV_SAMPLE_OVERSHOOT_BYTES * (cpus ? cpus : 1),
		       "linux:sampled_memory,interval=5ms*load,overshoot<=64MiB*cpus");
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
	return sampled(most, 1024, "linux:sampled_tasks,interval=5ms*load");
}

/*
 * What is written lies in file systems of the boundary's own, whose sizes add up to no more than the
 * limit; else it is looked at.  Without namespaces it always is: Landlock does not keep anyone from
 * storing something in attributes of files that are the caller's own or everybody's.
 */
static struct bv_holding hold_storage(const struct bv_profile_snapshot *snapshot,
				      const struct bv_layers *layers)
{
	struct bv_holding holding;

	if (layers->namespaces && !layers->writes_host)
		return held(BV_HOLDER_SIZE, BV_ENFORCED, bv__fact_number(snapshot, BV_FACT_MEMORY),
			    USAGE, "linux:private_tmpfs_size,granularity=page,inodes<=bytes/4096");
	holding = sampled(
		INT64_MAX, BV_STORAGE_OVERSHOOT_BYTES,
		"linux:sampled_storage,interval>=50ms+20*walk,overshoot<=256MiB,each_file=rlimit_fsize");
	holding.exactness.sample_interval_micros = BV_STORAGE_INTERVAL_US;
	return holding;
}

/* ---- what may be written to ------------------------------------------------------------------ */

static bool is_write(enum bv_fs_access access)
{
	return access == BV_FS_WRITE || access == BV_FS_READ_WRITE;
}

static bool capability_writes(const struct bv_capability *capability, bool staged)
{
	if (capability->tag == BV_CAP_FILESYSTEM)
		return !staged && is_write(capability->u.filesystem.access) &&
		       capability->u.filesystem.scope.roots.count > 0;
	/* What they lead to is not known before they are there. */
	return capability->tag == BV_CAP_INHERITED_FDS &&
	       capability->u.fds.policy.tag == BV_FDS_ONLY &&
	       capability->u.fds.policy.u.fds.count > 0;
}

static bool control_writes(const struct bv_host_control *control, bool staged)
{
	return !staged && control->tag == BV_CONTROL_EXPOSE_PATH &&
	       is_write(control->u.expose.access);
}

static bool is_staged(const struct bv_execution_options *execution, const struct bv_layers *layers)
{
	return layers->overlay && execution->has_stage && execution->stage;
}

bool bv__spec_writes_host(const struct bv_boundary_spec *spec, const struct bv_layers *layers)
{
	const bool staged = spec->has_execution && is_staged(&spec->execution, layers);

	for (size_t i = 0; i < spec->capabilities.count; i++) {
		if (capability_writes(&spec->capabilities.items[i], staged))
			return true;
	}
	for (size_t i = 0; i < spec->controls.count; i++) {
		if (control_writes(&spec->controls.items[i], staged))
			return true;
	}
	return false;
}

bool bv__plan_writes_host(const struct bv_boundary_plan *plan, const struct bv_layers *layers)
{
	const bool staged = plan->has_execution && is_staged(&plan->execution, layers);

	for (size_t i = 0; i < plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &plan->admitted.items[i].requirement;

		if (requirement->tag == BV_REQ_CAPABILITY
			    ? capability_writes(&requirement->u.capability, staged)
			    : control_writes(&requirement->u.control, staged))
			return true;
	}
	return false;
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
		return hold_storage(snapshot, layers);
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
	struct bv_layers layers = bv__layers_of(snapshot, spec != NULL && spec->has_execution
								  ? &spec->execution
								  : NULL);

	(void)self;
	layers.writes_host = spec != NULL && bv__spec_writes_host(spec, &layers);
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++)
		*bv_budget_availability_in(ret_budgets, (enum bv_dimension)d) =
			bv__holding(snapshot, &layers, (enum bv_dimension)d).is;
}
