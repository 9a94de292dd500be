/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a spec runs: a program or a module, and its arguments. */
#include "api.h"

#include <limits.h>

static struct bv_str_list keep_args(struct bv_spec *spec, size_t count, const char *const *args)
{
	struct bv_str_list kept = {bv_arena_array(&spec->arena, count, sizeof *kept.items), count};

	for (size_t i = 0; i < count; i++)
		kept.items[i] = bv__spec_keep(spec, bv_str_from(args[i]));
	return kept;
}

enum bv_code bv_spec_program(struct bv_spec *spec, const char *path, size_t arg_count,
			     const char *const *args, struct bv_error *err)
{
	struct bv_workload workload = {.tag = BV_WORKLOAD_PROCESS};
	char whole[2 * PATH_MAX];
	enum bv_code code = bv__spec_begin_program(spec, path, arg_count, args, whole, err);

	if (code != BV_OK)
		return code;
	workload.u.process.exe = bv__spec_keep(spec, bv_str_from(whole));
	workload.u.process.args = keep_args(spec, arg_count, args);
	spec->value.workload = workload;
	return BV_OK;
}

static enum bv_code refuse_null(struct bv_error *err, const char *what)
{
	return bv_fail(err, BV_E_ARGUMENT, what, "there is no spec");
}

/* What was said of it before the module itself stays. */
static struct bv_wasm_workload *wasm(struct bv_spec *spec)
{
	if (spec->value.workload.tag != BV_WORKLOAD_WASM)
		spec->value.workload = (struct bv_workload){.tag = BV_WORKLOAD_WASM};
	return &spec->value.workload.u.wasm;
}

enum bv_code bv_spec_wasm(struct bv_spec *spec, const char *path, size_t arg_count,
			  const char *const *args, struct bv_error *err)
{
	char whole[2 * PATH_MAX];
	enum bv_code code = bv__spec_begin_program(spec, path, arg_count, args, whole, err);

	if (code != BV_OK)
		return code;
	wasm(spec)->module_ref = bv__spec_keep(spec, bv_str_from(whole));
	wasm(spec)->has_args = arg_count > 0;
	wasm(spec)->args = keep_args(spec, arg_count, args);
	wasm(spec)->has_digest = false;
	return BV_OK;
}

enum bv_code bv_spec_wasm_engine(struct bv_spec *spec, enum bv_wasm engine, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "engine");
	wasm(spec)->has_engine = true;
	wasm(spec)->engine = engine == BV_USE_WASM_INTERPRETED ? BV_WASM_INTERPRETED
							       : BV_WASM_COMPILED;
	return BV_OK;
}

enum bv_code bv_spec_wasm_fuel(struct bv_spec *spec, uint64_t units, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "fuel");
	wasm(spec)->has_fuel = true;
	wasm(spec)->fuel = units;
	return BV_OK;
}

enum bv_code bv_spec_wasm_deterministic(struct bv_spec *spec, bool deterministic,
					struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "deterministic");
	wasm(spec)->has_deterministic = true;
	wasm(spec)->deterministic = deterministic;
	return BV_OK;
}
