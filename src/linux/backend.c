/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* backend.c - the Linux backend's functions, gathered. */
#include "backend.h"

#include "budgets.h"
#include "facts.h"
#include "probe.h"
#include "run.h"

static bool runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	return workload->tag == BV_WORKLOAD_PROCESS;
}

static const struct bv_backend linux_backend = {
	.id = "linux",
	.probe = bv__linux_probe,
	.profile = bv__linux_profile,
	.budgets = bv__linux_budgets,
	.classify = bv__linux_classify,
	.runs = runs,
	.start = bv__run_start,
	.fd = bv__run_fd,
	.step = bv__run_step,
	.input = bv__run_input,
	.input_ready = bv__run_input_ready,
	.resume = bv__run_resume,
	.resize = bv__run_resize,
	.signal = bv__run_signal,
	.kill = bv__run_kill,
	.finish = bv__run_finish,
	.output = bv__run_output,
	.free_run = bv__run_free,
	.stop = bv__run_stop,
	.take_stage = bv__run_take_stage,
};

const struct bv_backend *bv__backend_linux(void)
{
	return &linux_backend;
}
