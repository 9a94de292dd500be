/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * backend.c - what WebAssembly guests can be held to on this machine.
 *
 * There are two walls.  The first is WASI: a guest can name nothing but what it was given.  Behind it
 * stands the boundary of the Linux backend, in which the helper runs, and a cell is as strong as that
 * one is here: the engine is software too.
 */
#include "backend.h"

#include "contract/support.h"
#include "linux/backend.h"
#include "linux/budgets.h"
#include "linux/facts.h"
#include "linux/spawn.h"
#include "run.h"

#define FACT_ENGINE "wasm_engine"
#define WITHOUT_LANDLOCK "wasi_preopens+private_root"

/* ---- probe ----------------------------------------------------------------------------------- */

static const char *find_engine(void)
{
	static const char *const helpers[] = {BV_WASM_RUN_HELPER, BV_WASM_COMPILE_HELPER};
	struct bv_launcher_file file;

	for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++) {
		if (bv__helper_open(helpers[i], &file, NULL) != BV_OK)
			return "none";
		bv__launcher_close(&file);
	}
	return BV_WASM_ENGINE;
}

static enum bv_code probe(void *self, struct bv_arena *arena,
			  struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	const struct bv_backend *native = bv__backend_linux();
	struct bv_text_map *facts = &ret_snapshot->probed;
	struct bv_text_pair *more;
	enum bv_code code = native->probe(native->self, arena, ret_snapshot, err);

	(void)self;
	if (code != BV_OK)
		return code;
	more = bv_arena_array(arena, facts->count + 1, sizeof *more);
	if (more == NULL)
		return bv_fail(err, BV_E_MEMORY, "probe",
			       "no memory for the facts of this machine");
	/* Sorted, and this is behind all of Linux'. */
	for (size_t i = 0; i < facts->count; i++)
		more[i] = facts->items[i];
	more[facts->count] = (struct bv_text_pair){BV_STR(FACT_ENGINE), bv_str_from(find_engine())};
	facts->items = more;
	facts->count++;
	ret_snapshot->backend = BV_STR("wasm");
	return BV_OK;
}

static bool has_engine(const struct bv_profile_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->probed.count; i++)
		if (bv_str_is(snapshot->probed.items[i].key, FACT_ENGINE))
			return !bv_str_is(snapshot->probed.items[i].value, "none");
	return false;
}

/* ---- profile --------------------------------------------------------------------------------- */

static const struct {
	enum bv_requirement_kind kind;
	const char *primitive;
} walls[] = {
	{BV_KIND_FILESYSTEM, "wasi_preopens+boundary"},
	{BV_KIND_NETWORK_DENY_ALL, "wasi_no_sockets+boundary"},
	{BV_KIND_SPAWN_DENY, "one_instance+boundary"},
	{BV_KIND_SPAWN_THREADS, "one_instance+boundary"},
	{BV_KIND_SPAWN_DESCENDANTS, "one_instance+boundary"},
	{BV_KIND_ENVIRONMENT, "wasi_environ+boundary"},
	{BV_KIND_FDS_NONE, "wasi_streams+boundary"},
	{BV_KIND_LAUNCH, "wasmtime+boundary"},
	{BV_KIND_TEMP_ROOT, "wasi_preopens+private_tmpfs"},
	{BV_KIND_EXPOSE_PATH, "wasi_preopens+bind_mount"},
};

static void absent(struct bv_profile *profile, enum bv_requirement_kind kind, const char *reason,
		   const char *remedy)
{
	profile->ceiling[kind] = (struct bv_verdict){BV_UNSUPPORTED, 0};
	profile->primitive[kind] = "none";
	profile->reason[kind] = reason;
	profile->remedy[kind] = remedy;
}

static void profile(void *self, const struct bv_profile_snapshot *snapshot,
		    const struct bv_execution_options *execution, struct bv_profile *ret_profile)
{
	const struct bv_backend *native = bv__backend_linux();
	bool one_wall = false;

	(void)self;
	native->profile(native->self, snapshot, execution, ret_profile);
	/* Mounts know reading or nothing: then roots to be written alone have one wall. */
	if (bv_str_is(bv_str_from(ret_profile->primitive[BV_KIND_FILESYSTEM]), "private_root"))
		one_wall = ret_profile->ceiling[BV_KIND_FILESYSTEM].enforcement != BV_UNSUPPORTED;
	for (size_t i = 0; i < sizeof walls / sizeof *walls; i++) {
		const enum bv_requirement_kind kind = walls[i].kind;

		if (ret_profile->ceiling[kind].enforcement != BV_UNSUPPORTED)
			ret_profile->primitive[kind] = walls[i].primitive;
	}
	if (one_wall)
		ret_profile->primitive[BV_KIND_FILESYSTEM] = WITHOUT_LANDLOCK;
	/* WASI tells what it refused. */
	if (ret_profile->ceiling[BV_KIND_FILESYSTEM].enforcement != BV_UNSUPPORTED)
		ret_profile->ceiling[BV_KIND_FILESYSTEM].evidence |= 1u << BV_CLAIM_DENIED_ATTEMPTS;
	/* A guest makes no task: what it may never do is held whoever hunts for the helper's descendants. */
	for (int kind = BV_KIND_SPAWN_DENY; kind <= BV_KIND_SPAWN_DESCENDANTS; kind++) {
		if (ret_profile->ceiling[kind].enforcement != BV_MEDIATED)
			continue;
		ret_profile->ceiling[kind].enforcement = BV_ENFORCED;
		ret_profile->reason[kind] = ret_profile->remedy[kind] = "";
	}
	absent(ret_profile, BV_KIND_FDS_ONLY,
	       "a WebAssembly guest has no numbers of host descriptors",
	       "grant the directory that the file lies in");
	if (has_engine(snapshot))
		return;
	for (int kind = 0; kind < BV_KIND_COUNT; kind++)
		absent(ret_profile, (enum bv_requirement_kind)kind,
		       "this bvisor was built without its WebAssembly engine",
		       "install Rust 1.95 or newer and cmake, then build bvisor again (tools/build-wasm)");
}

/* The same plan holds the helper, where there is one. */
static void budgets(void *self, const struct bv_profile_snapshot *snapshot,
		    const struct bv_boundary_spec *spec, struct bv_budget_profile *ret_budgets)
{
	(void)self;
	if (has_engine(snapshot))
		bv__linux_budgets(NULL, snapshot, spec, ret_budgets);
	else
		bv_profile_hold_no_budget(ret_budgets);
}

static struct bv_verdict classify(void *self, const struct bv_requirement *requirement,
				  const struct bv_profile *profile_)
{
	const struct bv_backend *native = bv__backend_linux();
	struct bv_verdict verdict = native->classify(native->self, requirement, profile_);
	const char *primitive = profile_->primitive[BV_KIND_FILESYSTEM];

	(void)self;
	if (requirement->tag != BV_REQ_CAPABILITY ||
	    requirement->u.capability.tag != BV_CAP_FILESYSTEM)
		return verdict;
	switch (requirement->u.capability.u.filesystem.access) {
	case BV_FS_EXECUTE: /* there is nothing that a guest could execute */
		return (struct bv_verdict){BV_UNSUPPORTED, 0};
	case BV_FS_WRITE:
		if (verdict.enforcement == BV_ENFORCED &&
		    bv_str_is(bv_str_from(primitive), WITHOUT_LANDLOCK))
			verdict.enforcement = BV_MEDIATED;
		break;
	case BV_FS_READ:
	case BV_FS_READ_WRITE:
		break;
	}
	return verdict;
}

static bool runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	return workload->tag == BV_WORKLOAD_WASM;
}

static const struct bv_backend wasm_backend = {
	.id = "wasm",
	.probe = probe,
	.profile = profile,
	.budgets = budgets,
	.classify = classify,
	.runs = runs,
	.start = bv__wasm_start,
	.fd = bv__wasm_fd,
	.step = bv__wasm_step,
	.input = bv__wasm_input,
	.input_ready = bv__wasm_input_ready,
	.resume = bv__wasm_resume,
	.resize = bv__wasm_resize,
	.signal = bv__wasm_signal,
	.kill = bv__wasm_kill,
	.finish = bv__wasm_report,
	.output = bv__wasm_output,
	.free_run = bv__wasm_free,
	.stop = bv__wasm_stop,
	.take_stage = bv__wasm_take_stage,
};

const struct bv_backend *bv__backend_wasm(void)
{
	return &wasm_backend;
}
