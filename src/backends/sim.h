/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sim.h - a backend that runs nothing, deterministic, and able to lie on order.
 *
 *     struct bv_sim sim = {.lies = BV_SIM_SILENT_NET, .recorder = &recorder};
 *     struct bv_backend backend = bv_sim_make(&sim);
 *
 * What "really" happens is told to the recorder, which belongs to the test and which the backend
 * cannot read or reset: so the one that lies is not the one that judges.
 */
#ifndef BV_BACKENDS_SIM_H
#define BV_BACKENDS_SIM_H

#include "backends.h"

enum bv_sim_lie {
	/* Claims Enforced, does the forbidden thing, and leaves it out of the report. */
	BV_SIM_SILENT_READ = 1 << 0,
	BV_SIM_SILENT_NET = 1 << 1,
	BV_SIM_SILENT_WRITE = 1 << 2,
	BV_SIM_SILENT_SPAWN = 1 << 3,
	BV_SIM_SILENT_ORPHAN = 1 << 4,
	BV_SIM_SILENT_FD = 1 << 5,
	BV_SIM_SILENT_COMMIT = 1 << 6,
	BV_SIM_SILENT_DENIAL = 1 << 7,
	/* Names a mechanism that was never there. */
	BV_SIM_DEEPER_MECHANISM = 1 << 8,
	/* Says Completed and 0 whatever the workload did. */
	BV_SIM_WRONG_OUTCOME = 1 << 9,
	/* Captures, and keeps neither the streams nor their digests. */
	BV_SIM_MISSING_CLAIMS = 1 << 10,
	/* Reports another plan's id; another body than was sealed is the test's own to make. */
	BV_SIM_WRONG_PLAN = 1 << 11,
	/* Every probe finds another machine. */
	BV_SIM_DRIFT = 1 << 12,
	/* Answers a probe with what cannot be written: keys out of order. */
	BV_SIM_MALFORMED_PROBE = 1 << 13,
	/* Refuses to start; gives up in the middle. */
	BV_SIM_START_FAILS = 1 << 14,
	BV_SIM_CRASH = 1 << 15,
};

/* Write-only for the backend. */
struct bv_sim_recorder {
	void (*effect)(struct bv_sim_recorder *recorder, const char *kind, const char *detail);
};

struct bv_sim {
	uint32_t lies;                    /* set of enum bv_sim_lie */
	struct bv_sim_recorder *recorder; /* may be NULL */

	/* How the simulated workload behaves. */
	int exit_code;
	const char *stdout_text, *stderr_text; /* may be NULL */
	uint64_t wall_micros, peak_processes;

	unsigned int probe_count; /* how often the machine was looked at */
};

/* `sim` is borrowed, by the backend and by its runs. */
struct bv_backend bv_sim_make(struct bv_sim *sim);

#endif
