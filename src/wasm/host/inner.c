/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * inner.c - the plans of the boundaries that the helpers run in.
 *
 * The caller's plan, held for another program: every directory it grants is granted to the helper,
 * every limit holds for the helper, and beyond that the helper has less than any native program.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/policy.h"
#include "run.h"
#include "wasm/wasi/wasi.h"

enum {
	ARGS_FIXED = 24,
	PREOPENS_MAX = 60,                  /* OPTIONS_PREOPENS_MAX, under two names, and more */
	HELPER_BYTES = 4 << 20,             /* what the helper needs beside the guest's memory */
	COMPILE_CPU_MICROS = 120 * 1000000, /* an interpreter of 16 MB takes thirty seconds */
	COMPILE_WALL_MICROS = 600 * 1000000,
	HANDLES_DEFAULT = 1000,
};

static const uint64_t compile_memory_bytes = UINT64_C(2) << 30;
static const uint64_t memory_most_bytes = UINT64_C(4) << 30;

struct inner {
	struct bv__wasm_run *run;
	struct bv_boundary_plan *plan;
	struct bv_str_list args;
	size_t args_capacity;
	bool full;
	struct bv_error *err;
};

static enum bv_code refuse_memory(const struct inner *inner)
{
	return bv_fail(inner->err, BV_E_MEMORY, "launch", "no memory for a run");
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void put_text(struct inner *inner, struct bv_str text)
{
	if (text.data == NULL || inner->args.count == inner->args_capacity)
		inner->full = true;
	else
		inner->args.items[inner->args.count++] = text;
}

static void put(struct inner *inner, const char *name, uint64_t value)
{
	put_text(inner,
		 bv_arena_format(&inner->run->arena, "%s=%llu", name, (unsigned long long)value));
}

static void put_path(struct inner *inner, const char *name, struct bv_str path)
{
	put_text(inner, bv_arena_format(&inner->run->arena, "%s=%s", name, path.data));
}

static bool open_args(struct inner *inner, size_t count)
{
	inner->args.items = bv_arena_array(&inner->run->arena, count, sizeof *inner->args.items);
	inner->args_capacity = count;
	return inner->args.items != NULL;
}

/* ---- preopened directories ------------------------------------------------------------------- */

struct preopens {
	struct preopen {
		struct bv_str path;  /* the guest's name of it */
		unsigned int access; /* of enum wasi_access */
	} items[PREOPENS_MAX];
	size_t count;
};

static unsigned int access_of(enum bv_fs_access access)
{
	switch (access) {
	case BV_FS_READ:
		return WASI_ACCESS_READ;
	case BV_FS_WRITE:
		return WASI_ACCESS_WRITE;
	case BV_FS_READ_WRITE:
		return WASI_ACCESS_READ | WASI_ACCESS_WRITE;
	case BV_FS_EXECUTE: /* no plan of ours has it */
		break;
	}
	return 0;
}

/* Where the boundary has what the guest knows by that name. */
static struct bv_str inside(struct bv_str path)
{
	return path.len == 1 ? BV_STR(BV_SHOWN_ROOT) : path;
}

/* Whether it may be shown is the boundary's to say, which knows where the path leads. */
static enum bv_code add_preopen(const struct inner *inner, struct preopens *preopens,
				struct bv_str path, unsigned int access)
{
	for (size_t i = 0; i < preopens->count; i++) {
		if (!bv_str_equal(preopens->items[i].path, path))
			continue;
		preopens->items[i].access |= access;
		return BV_OK;
	}
	if (preopens->count == PREOPENS_MAX)
		return bv_fail(inner->err, BV_E_INVALID_POLICY, "capabilities",
			       "more than %d directories are granted to a WebAssembly guest",
			       (int)PREOPENS_MAX);
	preopens->items[preopens->count++] = (struct preopen){path, access};
	return BV_OK;
}

static enum bv_code gather_one(const struct inner *inner, struct preopens *preopens,
			       const struct bv_requirement *requirement)
{
	const struct bv_host_control *control = &requirement->u.control;
	const struct bv_fs_capability *files = &requirement->u.capability.u.filesystem;
	enum bv_code code = BV_OK;

	if (requirement->tag == BV_REQ_HOST_CONTROL && control->tag == BV_CONTROL_EXPOSE_PATH)
		return add_preopen(inner, preopens, control->u.expose.dest,
				   access_of(control->u.expose.access));
	if (requirement->tag == BV_REQ_HOST_CONTROL && control->tag == BV_CONTROL_TEMP_ROOT)
		return add_preopen(inner, preopens, BV_STR("/tmp"),
				   WASI_ACCESS_READ | WASI_ACCESS_WRITE);
	if (requirement->tag != BV_REQ_CAPABILITY ||
	    requirement->u.capability.tag != BV_CAP_FILESYSTEM)
		return BV_OK;
	for (size_t i = 0; code == BV_OK && i < files->scope.roots.count; i++)
		code = add_preopen(inner, preopens, files->scope.roots.items[i],
				   access_of(files->access));
	return code;
}

/* The working directory, which relative paths are looked up in: what covers it says what it may. */
static unsigned int access_at(const struct preopens *preopens, struct bv_str path)
{
	unsigned int access = 0;
	size_t longest = 0;

	for (size_t i = 0; i < preopens->count; i++) {
		const struct preopen *item = &preopens->items[i];

		/* What is shown as "/" is a directory like others: below it lies only what is in it. */
		if (item->path.len == 1 ? path.len != 1 : !bv_path_covers(item->path, path))
			continue;
		if (item->path.len <= longest)
			continue;
		longest = item->path.len;
		access = item->access;
	}
	return access;
}

static const char *const names[] = {"", "read", "write",
				    "both"}; /* by the bits of enum wasi_access */

/* What is granted below the working directory, by the names it has from there. */
static void put_below(struct inner *inner, const struct preopens *preopens, struct bv_str cwd)
{
	const size_t skipped = cwd.len == 1 ? 1 : cwd.len + 1;

	for (size_t i = 0; i < preopens->count; i++) {
		const struct preopen *item = &preopens->items[i];

		if (!bv_path_covers(cwd, item->path) || item->path.len <= skipped)
			continue;
		put_path(inner, "name", bv_str_from(item->path.data + skipped));
		put_path(inner, names[item->access], item->path);
	}
}

static void put_preopens(struct inner *inner, const struct preopens *preopens)
{
	const struct bv_execution_options *execution = &inner->run->plan->execution;
	struct bv_str cwd = {NULL, 0};
	unsigned int access = 0;

	if (inner->run->plan->has_execution && execution->has_cwd)
		cwd = execution->cwd;
	else if (preopens->count > 0)
		cwd = preopens->items[0].path;
	if (cwd.data != NULL)
		access = access_at(preopens, cwd);
	if (access != 0) {
		put_text(inner, BV_STR("name=."));
		put_path(inner, names[access], inside(cwd));
	} else if (cwd.data != NULL) {
		put_below(inner, preopens, cwd);
	}
	for (size_t i = 0; i < preopens->count; i++) {
		put_path(inner, "name", preopens->items[i].path);
		put_path(inner, names[preopens->items[i].access], inside(preopens->items[i].path));
	}
}

/* ---- what is held ---------------------------------------------------------------------------- */

static void admit(struct bv_admitted_requirement_list *list, struct bv_requirement requirement)
{
	list->items[list->count++] = (struct bv_admitted_requirement){
		.requirement = requirement,
		.enforcement = BV_ENFORCED,
		.mechanism = BV_STR("wasm:helper:Enforced"),
	};
}

static void admit_capability(struct bv_admitted_requirement_list *list,
			     struct bv_capability capability)
{
	admit(list, (struct bv_requirement){.tag = BV_REQ_CAPABILITY, .u.capability = capability});
}

static void admit_control(struct bv_admitted_requirement_list *list, struct bv_host_control control)
{
	admit(list, (struct bv_requirement){.tag = BV_REQ_HOST_CONTROL, .u.control = control});
}

/* One task, and the descriptors the host hands over: more strictly than any plan asks for. */
static enum bv_code admit_helper(const struct inner *inner, const int *fds, size_t fd_count,
				 struct bv_admitted_requirement_list *list)
{
	uint32_t *numbers = bv_arena_array(&inner->run->arena, fd_count, sizeof *numbers);

	if (numbers == NULL)
		return refuse_memory(inner);
	for (size_t i = 0; i < fd_count; i++)
		numbers[i] = (uint32_t)fds[i];
	admit_capability(list, (struct bv_capability){.tag = BV_CAP_CHILD_SPAWN,
						      .u.spawn.policy = BV_SPAWN_DENY_NEW_TASKS});
	admit_capability(list,
			 (struct bv_capability){.tag = BV_CAP_INHERITED_FDS,
						.u.fds.policy = {.tag = BV_FDS_ONLY,
								 .u.fds = {numbers, fd_count}}});
	return BV_OK;
}

static bool is_replaced(const struct bv_requirement *requirement)
{
	return requirement->tag == BV_REQ_CAPABILITY &&
	       (requirement->u.capability.tag == BV_CAP_CHILD_SPAWN ||
		requirement->u.capability.tag == BV_CAP_INHERITED_FDS);
}

static enum bv_code begin(struct inner *inner, size_t requirement_count)
{
	struct bv_boundary_plan *plan = inner->plan;
	const struct bv_boundary_plan *outer = inner->run->plan;

	*plan = *outer;
	plan->admitted.items = bv_arena_array(&inner->run->arena, requirement_count,
					      sizeof *plan->admitted.items);
	plan->admitted.count = 0;
	if (plan->admitted.items == NULL)
		return refuse_memory(inner);
	plan->has_execution = true;
	if (!outer->has_execution)
		plan->execution = (struct bv_execution_options){0};
	/* It is a static program, and an ordinary one. */
	plan->execution.has_runtime = true;
	plan->execution.runtime = BV_RUNTIME_NONE;
	/* Its own filter, taken before the guest runs, allows a third of the strict set. */
	plan->execution.has_syscalls = false;
	return BV_OK;
}

static enum bv_code end(struct inner *inner, const char *helper)
{
	struct bv_str exe = bv_arena_copy(&inner->run->arena, bv_str_from(helper));

	if (inner->full || exe.data == NULL)
		return refuse_memory(inner);
	inner->plan->workload = (struct bv_workload){.tag = BV_WORKLOAD_PROCESS,
						     .u.process = {exe, inner->args}};
	return BV_OK;
}

/* ---- the compiler's -------------------------------------------------------------------------- */

static struct bv_admitted_budget budget(uint64_t limit)
{
	return (struct bv_admitted_budget){
		.effective_limit = limit,
		.required_guarantee = BV_MIN_MEDIATED,
		.selected_guarantee = BV_ENFORCED,
		.mechanism = BV_STR("wasm:compiler"),
	};
}

/* What a caller gives a run to end in, a compiler may have too, and no more. */
static void limit_compiler(const struct bv_boundary_plan *outer, struct bv_boundary_plan *plan)
{
	uint64_t wall = COMPILE_WALL_MICROS;

	if (outer->budgets.has_wall_micros && outer->budgets.wall_micros.effective_limit < wall)
		wall = outer->budgets.wall_micros.effective_limit;
	plan->budgets = (struct bv_admitted_budgets){
		.has_wall_micros = true,
		.wall_micros = budget(wall),
		.has_cpu_micros = true,
		.cpu_micros = budget(COMPILE_CPU_MICROS),
		.has_resident_bytes = true,
		.resident_bytes = budget(compile_memory_bytes),
	};
}

enum bv_code bv__wasm_plan_compile(struct bv__wasm_run *run, const char *helper,
				   struct bv_error *err)
{
	struct inner inner = {.run = run, .plan = &run->inner, .err = err};
	const struct bv_wasm_workload *wasm = &run->plan->workload.u.wasm;
	const int fds[] = {run->module.fd, run->code_fd, run->result_fd};
	struct bv_admitted_requirement_list *admitted = &run->inner.admitted;
	enum bv_code code = begin(&inner, 10);

	if (code != BV_OK)
		return code;
	/* No file, no variable, no input: a compiler needs its module. */
	admit_capability(admitted, (struct bv_capability){.tag = BV_CAP_FILESYSTEM,
							  .u.filesystem = {.recursive = true}});
	admit_capability(admitted, (struct bv_capability){.tag = BV_CAP_NETWORK});
	admit_capability(admitted, (struct bv_capability){.tag = BV_CAP_ENVIRONMENT});
	admit_control(admitted, (struct bv_host_control){.tag = BV_CONTROL_LAUNCH});
	admit_control(admitted, (struct bv_host_control){.tag = BV_CONTROL_KILL});
	code = admit_helper(&inner, fds, 3, admitted);
	if (code != BV_OK)
		return code;
	run->inner.execution = (struct bv_execution_options){
		.has_runtime = true,
		.runtime = BV_RUNTIME_NONE,
		.has_without = run->plan->has_execution && run->plan->execution.has_without,
		.without = run->plan->execution.without,
	};
	limit_compiler(run->plan, &run->inner);
	if (!open_args(&inner, ARGS_FIXED))
		return refuse_memory(&inner);
	put(&inner, "module", (uint64_t)run->module.fd);
	put(&inner, "code", (uint64_t)run->code_fd);
	put(&inner, "result", (uint64_t)run->result_fd);
	put(&inner, "interpreted", wasm->has_engine && wasm->engine == BV_WASM_INTERPRETED);
	put(&inner, "deterministic", wasm->has_deterministic && wasm->deterministic);
	put_text(&inner, BV_STR("--"));
	return end(&inner, helper);
}

/* ---- the guest's ----------------------------------------------------------------------------- */

uint64_t bv__wasm_guest_memory(const struct bv_boundary_plan *plan)
{
	const uint64_t limit = plan->budgets.resident_bytes.effective_limit;

	if (!plan->budgets.has_resident_bytes)
		return memory_most_bytes;
	return limit > 2 * (uint64_t)HELPER_BYTES ? limit - HELPER_BYTES : limit / 2;
}

/* The kill stands a little behind the helper's own timers, which say more. */
static void put_off(bool has, struct bv_admitted_budget *limit)
{
	uint64_t later = limit->effective_limit / 20;

	/* Of a short limit a twentieth is less than a busy machine takes to run a handler. */
	if (has && bv_add(limit->effective_limit, later < 20000 ? 20000 : later, &later))
		limit->effective_limit = later;
}

static void put_limits(struct inner *inner)
{
	const struct bv_boundary_plan *plan = inner->run->plan;
	const struct bv_wasm_workload *wasm = &plan->workload.u.wasm;
	const struct bv_admitted_budgets *budgets = &plan->budgets;
	const uint64_t handles = budgets->has_handle_count ? budgets->handle_count.effective_limit
							   : HANDLES_DEFAULT;

	inner->run->guest_memory_bytes = bv__wasm_guest_memory(plan);
	put(inner, "interpreted", wasm->has_engine && wasm->engine == BV_WASM_INTERPRETED);
	put(inner, "deterministic", wasm->has_deterministic && wasm->deterministic);
	put(inner, "memory", inner->run->guest_memory_bytes);
	put(inner, "fuel", wasm->has_fuel ? wasm->fuel : UINT64_MAX);
	put(inner, "wall", budgets->has_wall_micros ? budgets->wall_micros.effective_limit : 0);
	put(inner, "cpu", budgets->has_cpu_micros ? budgets->cpu_micros.effective_limit : 0);
	put(inner, "handles", handles < WASI_HANDLES_MAX ? handles : WASI_HANDLES_MAX);
	put(inner, "storage",
	    budgets->has_storage_bytes ? budgets->storage_bytes.effective_limit : UINT64_MAX);
}

static void put_guest(struct inner *inner)
{
	const struct bv_wasm_workload *wasm = &inner->run->plan->workload.u.wasm;
	const char *slash = strrchr(wasm->module_ref.data, '/');

	put_text(inner, BV_STR("--"));
	put_text(inner, slash != NULL ? bv_str_from(slash + 1) : wasm->module_ref);
	for (size_t i = 0; wasm->has_args && i < wasm->args.count; i++)
		put_text(inner, wasm->args.items[i]);
}

enum bv_code bv__wasm_plan_run(struct bv__wasm_run *run, const char *helper, struct bv_error *err)
{
	struct inner inner = {.run = run, .plan = &run->inner, .err = err};
	const struct bv_admitted_requirement_list *asked = &run->plan->admitted;
	const struct bv_wasm_workload *wasm = &run->plan->workload.u.wasm;
	const int fds[] = {run->code_fd, run->result_fd};
	struct preopens preopens = {.count = 0};
	enum bv_code code = begin(&inner, asked->count + 2);

	for (size_t i = 0; code == BV_OK && i < asked->count; i++) {
		code = gather_one(&inner, &preopens, &asked->items[i].requirement);
		if (!is_replaced(&asked->items[i].requirement))
			run->inner.admitted.items[run->inner.admitted.count++] = asked->items[i];
	}
	if (code == BV_OK)
		code = admit_helper(&inner, fds, 2, &run->inner.admitted);
	if (code != BV_OK)
		return code;
	put_off(run->inner.budgets.has_wall_micros, &run->inner.budgets.wall_micros);
	put_off(run->inner.budgets.has_cpu_micros, &run->inner.budgets.cpu_micros);
	if (!open_args(&inner,
		       ARGS_FIXED + 4 * PREOPENS_MAX + 4 + (wasm->has_args ? wasm->args.count : 0)))
		return refuse_memory(&inner);
	put(&inner, "code", (uint64_t)run->code_fd);
	put(&inner, "result", (uint64_t)run->result_fd);
	put_limits(&inner);
	put_preopens(&inner, &preopens);
	put_guest(&inner);
	return end(&inner, helper);
}
