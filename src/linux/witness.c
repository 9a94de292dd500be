/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * witness.c - what was seen of each of the seven budgets.
 *
 * The kernel's own counters where there are some, else what the launcher saw when it looked; what
 * nobody measured stays unknown.
 */
#include <unistd.h>

#include "budgets.h"
#include "contract/support.h"
#include "run.h"

struct witnessing {
	const struct bv_backend_run *run;
	struct bv_budget_witnesses *witnesses;
};

static bool was_reached(const struct bv_backend_run *run, enum bv_dimension dimension)
{
	return (run->transcript.reached >> dimension & 1) != 0;
}

bool bv__run_out_of_memory(const struct bv_backend_run *run)
{
	return run->counters.has_oom_kills && run->counters.oom_kills > 0;
}

/* What was promised, told with the time that really passed between two looks. */
static struct bv_guarantee_mediated exactness_of(const struct bv_backend_run *run,
						 const struct bv_holding *holding,
						 enum bv_dimension dimension)
{
	const uint64_t cpus = bv__fact_number(&run->plan->profile, BV_FACT_CPUS);
	const uint64_t grace = run->lowered.body.work.limits.grace_micros;
	struct bv_guarantee_mediated exactness = holding->exactness;

	const uint64_t longest_us = dimension == BV_DIMENSION_STORAGE ? run->storage.longest_us
								      : run->usage.longest_us;

	if (holding->holder == BV_HOLDER_SAMPLING && longest_us > 0)
		exactness.sample_interval_micros = longest_us;
	/* Who is given time to clean up uses time. */
	if (dimension == BV_DIMENSION_CPU)
		exactness.max_overshoot += grace * (cpus > 0 ? cpus : 1);
	return exactness;
}

static void put(const struct witnessing *witnessing, enum bv_dimension dimension, uint64_t usage,
		bool reached, const char *mechanism)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_holding holding = bv__holding(&run->plan->profile, &run->lowered.layers,
						      dimension);
	const struct bv_measurement measured = {
		.usage = usage,
		.reached = reached || was_reached(run, dimension),
		.mechanism = bv_str_from(mechanism),
		.mediated = exactness_of(run, &holding, dimension),
	};

	bv_budget_witness(&run->plan->budgets, dimension, &measured, witnessing->witnesses);
}

static void witness_memory(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_cgroup_counters *counters = &run->counters;
	const struct bv_admitted_budget *budget = bv_budget_admitted_in(&run->plan->budgets,
									BV_DIMENSION_RESIDENT);
	uint64_t peak = run->usage.memory_bytes;

	if (counters->has_memory_peak) {
		put(witnessing, BV_DIMENSION_RESIDENT, counters->memory_peak,
		    bv__run_out_of_memory(run), "linux:cgroup_memory_peak");
		return;
	}
	/* A peak that this kernel does not keep (before 5.19) is known where the limit was reached. */
	if (bv__run_out_of_memory(run) && budget != NULL) {
		put(witnessing, BV_DIMENSION_RESIDENT, budget->effective_limit, true,
		    "linux:cgroup_memory_events");
		return;
	}

	/* Over before the first look: then it is what its largest process had, files it mapped included. */
	if (run->usage.looks == 0 && !bv_mul(run->exit.max_rss_kib, 1024, &peak))
		return;
	if (run->usage.looks == 0 && budget != NULL && peak > budget->effective_limit)
		return;
	put(witnessing, BV_DIMENSION_RESIDENT, peak, false, "linux:sampled_memory");
}

/* A limit that refuses stops usage at itself: who stands there has reached it. */
static bool stands_at(const struct bv_admitted_budget *budget, uint64_t peak)
{
	return budget != NULL && peak >= budget->effective_limit;
}

static void witness_tasks(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_cgroup_counters *counters = &run->counters;
	const struct bv_admitted_budget *budget = bv_budget_admitted_in(&run->plan->budgets,
									BV_DIMENSION_PROCESSES);
	const bool refused = run->usage.tasks_refused > 0 ||
			     (counters->has_tasks_refused && counters->tasks_refused > 0);
	/* The boundary's PID 1 is a member, and not the workload's. */
	const uint64_t own = run->lowered.layers.namespaces ? 1 : 0;
	const uint64_t group_peak = counters->tasks_peak > own ? counters->tasks_peak - own : 0;

	if (counters->has_tasks_peak)
		put(witnessing, BV_DIMENSION_PROCESSES, group_peak,
		    refused || stands_at(budget, group_peak), "linux:cgroup_pids_peak");
	else
		put(witnessing, BV_DIMENSION_PROCESSES, run->usage.tasks,
		    refused || stands_at(budget, run->usage.tasks), "linux:sampled_tasks");
}

static void witness_handles(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_admitted_budget *budget = bv_budget_admitted_in(&run->plan->budgets,
									BV_DIMENSION_HANDLES);

	put(witnessing, BV_DIMENSION_HANDLES, run->usage.handles,
	    stands_at(budget, run->usage.handles), "linux:sampled_handles,each_process");
}

/*
 * Whether a file system that has its size from the limit was seen full.  A /tmp that was given a smaller one
 * is not the limit.
 */
static bool is_full(const struct bv_backend_run *run, const struct bv_admitted_budget *budget)
{
	const struct bv_launch_root *root = &run->lowered.body.work.root;
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const bool tmp_is_limit = root->tmp_bytes + page > budget->effective_limit &&
				  root->tmp_inodes >= bv__storage_inodes(root->tmp_bytes);

	return (run->storage.full & BV_STORAGE_STAGE_FULL) != 0 ||
	       ((run->storage.full & BV_STORAGE_TMP_FULL) != 0 && tmp_is_limit);
}

/* Without a limit nobody looks at what places of the host grow by. */
static void witness_storage(const struct witnessing *witnessing)
{
	const struct bv_backend_run *run = witnessing->run;
	const struct bv_admitted_budget *budget = bv_budget_admitted_in(&run->plan->budgets,
									BV_DIMENSION_STORAGE);
	const uint64_t peak = run->storage.peak_bytes;

	if (!run->has_storage || (budget == NULL && run->lowered.layers.writes_host))
		return;
	put(witnessing, BV_DIMENSION_STORAGE, peak,
	    budget != NULL && (is_full(run, budget) || stands_at(budget, peak)),
	    "linux:sampled_statfs");
}

void bv__run_witness(const struct bv_backend_run *run, struct bv_budget_witnesses *ret_witnesses)
{
	const struct witnessing witnessing = {run, ret_witnesses};

	bv_budget_witness_none(&run->plan->budgets, ret_witnesses);
	/* A limit of memory may keep it from starting. */
	if (!run->has_exit && bv__run_out_of_memory(run))
		witness_memory(&witnessing);
	if (!run->has_exit)
		return;
	put(&witnessing, BV_DIMENSION_WALL, run->exit.wall_ns / 1000, run->wall_fired,
	    "linux:monotonic_clock");
	put(&witnessing, BV_DIMENSION_CPU, run->usage.cpu_us, false,
	    run->counters.has_cpu_micros ? "linux:cgroup_cpu_usage" : "linux:sampled_cpu_time");
	witness_memory(&witnessing);
	witness_tasks(&witnessing);
	witness_handles(&witnessing);
	witness_storage(&witnessing);
	/* There was no socket that led anywhere. */
	put(&witnessing, BV_DIMENSION_NETWORK, 0, false, "linux:no_network");
}
