/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * witness.c - what was seen of each of the seven budgets.
 *
 * The kernel's own counters where there is a control group; what nobody measured stays unknown.
 */
#include "budgets.h"
#include "run.h"

struct witnessing {
	const struct bv_backend_run *run;
	struct bv_budget_witnesses *witnesses;
};

static void put(const struct witnessing *witnessing, enum bv_dimension dimension, uint64_t usage,
		bool reached, const char *mechanism)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_measurement measured = {
		.usage = usage,
		.reached = reached,
		.mechanism = bv_str_from(mechanism),
		.mediated = bv__holding(&run->plan->profile, &run->lowered.layers, dimension)
				    .exactness,
	};

	bv_budget_witness(&run->plan->budgets, dimension, &measured, witnessing->witnesses);
}

static void witness_cpu(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	uint64_t used;

	if (run->counters.has_cpu_micros) {
		put(witnessing, BV_DIMENSION_CPU, run->counters.cpu_micros, false,
		    "linux:cgroup_cpu_usage");
		return;
	}
	if (!bv_add(run->exit.user_us, run->exit.system_us, &used))
		used = UINT64_MAX;
	put(witnessing, BV_DIMENSION_CPU, used, false, "linux:rusage_of_reaped");
}

/* A peak that this kernel does not keep (before 5.19) is known only where the limit was reached. */
static void witness_memory(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_cgroup_counters *counters = &run->counters;
	const bool reached = counters->has_oom_kills && counters->oom_kills > 0;

	if (counters->has_memory_peak)
		put(witnessing, BV_DIMENSION_RESIDENT, counters->memory_peak, reached,
		    "linux:cgroup_memory_peak");
	else if (reached)
		put(witnessing, BV_DIMENSION_RESIDENT,
		    run->plan->budgets.resident_bytes.effective_limit, reached,
		    "linux:cgroup_memory_events");
}

static void witness_tasks(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_cgroup_counters *counters = &run->counters;
	const bool reached = counters->has_tasks_refused && counters->tasks_refused > 0;
	/* The boundary's PID 1 is a member, and not the workload's. */
	const uint64_t own = run->lowered.layers.namespaces ? 1 : 0;

	if (counters->has_tasks_peak)
		put(witnessing, BV_DIMENSION_PROCESSES,
		    counters->tasks_peak > own ? counters->tasks_peak - own : 0, reached,
		    "linux:cgroup_pids_peak");
	else if (reached)
		put(witnessing, BV_DIMENSION_PROCESSES,
		    run->plan->budgets.process_count.effective_limit, reached,
		    "linux:cgroup_pids_events");
}

void bv__run_witness(const struct bv_backend_run *run, struct bv_budget_witnesses *ret_witnesses)
{
	const struct witnessing witnessing = {run, ret_witnesses};

	bv_budget_witness_none(&run->plan->budgets, ret_witnesses);
	if (!run->has_exit)
		return;
	put(&witnessing, BV_DIMENSION_WALL, run->exit.wall_ns / 1000, run->wall_fired,
	    "linux:monotonic_clock");
	witness_cpu(&witnessing);
	witness_memory(&witnessing);
	witness_tasks(&witnessing);
	/* There was no socket that led anywhere. */
	put(&witnessing, BV_DIMENSION_NETWORK, 0, false, "linux:no_network");
}
