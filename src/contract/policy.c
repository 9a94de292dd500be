/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * policy.c - the policy gate: workload, controls and budgets, and what its other parts share.
 */
#include "policy_gate.h"
#include "budget.h"
#include "value.h"

/* ---- shared ---------------------------------------------------------------------------------- */

const char *bv__gate_where(struct bv__gate *gate, const struct bv_path *path)
{
	bv__path_text(path, gate->where, sizeof gate->where);
	return gate->where;
}

enum bv_code bv__gate_memory(struct bv__gate *gate)
{
	return bv_fail(gate->err, BV_E_MEMORY, "", "the spec needs more memory than it may have");
}

static bool has_nul(struct bv_str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0')
			return true;
	return false;
}

enum bv_code bv__gate_text(struct bv__gate *gate, const struct bv_path *path, struct bv_str text)
{
	if (text.len == 0)
		return bv__refuse(gate, path, "", "this text is empty");
	if (has_nul(text))
		return bv__refuse(gate, path, "", "this text holds a NUL byte");
	return BV_OK;
}

static enum bv_code refuse_path(struct bv_error *err, const char *where, struct bv_str path,
				const char *what, const char *remedy)
{
	return bv_fail_remedy(err, BV_E_INVALID_POLICY, where, remedy, "the path '%.*s' %s",
			      (int)(path.len < 120 ? path.len : 120), path.data, what);
}

enum bv_code bv_policy_path(struct bv_arena *arena, struct bv_str path, const char *where,
			    struct bv_str *ret_path, struct bv_error *err)
{
	struct bv_str normal;
	char *out;

	if (path.len == 0)
		return bv_fail_remedy(err, BV_E_INVALID_POLICY, where, "write it from / on",
				      "this path is empty");
	if (has_nul(path))
		return refuse_path(err, where, path, "holds a NUL byte", "");
	if (path.data[0] != '/')
		return refuse_path(err, where, path, "is not absolute", "write it from / on");
	if (path.len > BV_LIMIT_PATH_BYTES)
		return refuse_path(err, where, path, "is longer than any path can be", "");

	normal = bv_arena_copy(arena, BV_STR("/"));
	out = bv_arena_alloc(arena, path.len + 1);
	if (normal.data == NULL || out == NULL)
		return bv_fail(err, BV_E_MEMORY, where, "no memory for a path");

	normal = (struct bv_str){out, 0};
	for (size_t at = 0; at < path.len;) {
		size_t len = 0;

		if (path.data[at] == '/') {
			at++;
			continue;
		}
		while (at + len < path.len && path.data[at + len] != '/')
			len++;
		if ((len == 1 && path.data[at] == '.') ||
		    (len == 2 && path.data[at] == '.' && path.data[at + 1] == '.'))
			return refuse_path(err, where, path, "has a component '.' or '..'",
					   "write the path without them; realpath prints it");
		out[normal.len++] = '/';
		__builtin_memcpy(out + normal.len, path.data + at, len);
		normal.len += len;
		at += len;
	}
	if (normal.len == 0)
		out[normal.len++] = '/';
	out[normal.len] = '\0';
	*ret_path = normal;
	return BV_OK;
}

enum bv_code bv__gate_path(struct bv__gate *gate, const struct bv_path *path, struct bv_str text,
			   struct bv_str *ret_path)
{
	return bv_policy_path(gate->arena, text, bv__gate_where(gate, path), ret_path, gate->err);
}

bool bv_path_covers(struct bv_str root, struct bv_str path)
{
	if (root.len == 1)
		return true;
	if (path.len < root.len || __builtin_memcmp(root.data, path.data, root.len) != 0)
		return false;
	return path.len == root.len || path.data[root.len] == '/';
}

bool bv_path_is_shown_root(struct bv_str path)
{
	return bv_path_covers(BV_STR(BV_SHOWN_ROOT), path);
}

/* ---- workload -------------------------------------------------------------------------------- */

static enum bv_code gate_process(struct bv__gate *gate, struct bv_process_workload *process)
{
	const struct bv_path workload = {NULL, "workload", 0}, top = {&workload, "Process", 0};
	const struct bv_path exe = {&top, "exe", 0}, args = {&top, "args", 0};
	enum bv_code code;

	if (process->exe.len == 0)
		return bv__refuse(gate, &exe, "name the program to run, by its full path",
				  "there is no program to run");
	if (process->exe.data[process->exe.len - 1] == '/')
		return bv__refuse(gate, &exe, "name the file, without a slash at the end",
				  "'%.*s' names a directory",
				  (int)(process->exe.len < 120 ? process->exe.len : 120),
				  process->exe.data);
	code = bv__gate_path(gate, &exe, process->exe, &process->exe);
	for (size_t i = 0; code == BV_OK && i < process->args.count; i++)
		if (has_nul(process->args.items[i]))
			code = bv__refuse(
				gate, (&(struct bv_path){&args, NULL, i}), "",
				"an argument holds a NUL byte, which no program can be given");
	return code;
}

static enum bv_code gate_workload(struct bv__gate *gate)
{
	struct bv_workload *workload = &gate->normal->workload;
	const struct bv_path top = {NULL, "workload", 0}, wasm = {&top, "Wasm", 0};

	switch (workload->tag) {
	case BV_WORKLOAD_PROCESS:
		return gate_process(gate, &workload->u.process);
	case BV_WORKLOAD_WASM:
		return bv__gate_text(gate, &(struct bv_path){&wasm, "module_ref", 0},
				     workload->u.wasm.module_ref);
	}
	bv_assert(false);
	return BV_E_INVALID_POLICY;
}

/* ---- controls -------------------------------------------------------------------------------- */

static enum bv_code gate_capture(struct bv__gate *gate, const struct bv_path *path,
				 const struct bv_capture_control *capture,
				 struct bv_host_control *merged)
{
	const struct bv_std_streams *streams = &capture->streams;
	struct bv_std_streams *all = &merged->u.capture.streams;

	if (!streams->stdout_stream && !streams->stderr_stream && !streams->stdin_stream)
		return bv__refuse(gate, path, "choose a stream, or drop the control",
				  "capture of streams without a stream");
	all->stdout_stream = all->stdout_stream || streams->stdout_stream;
	all->stderr_stream = all->stderr_stream || streams->stderr_stream;
	all->stdin_stream = all->stdin_stream || streams->stdin_stream;
	return BV_OK;
}

static enum bv_code gate_expose(struct bv__gate *gate, const struct bv_path *up,
				struct bv_expose_path_control *expose, size_t count)
{
	const struct bv_path path = {up, "ExposePath", 0};
	const struct bv_path source = {&path, "source", 0}, dest = {&path, "dest", 0};
	const struct bv_host_control_list *controls = &gate->normal->controls;
	enum bv_code code = bv__gate_path(gate, &source, expose->source, &expose->source);

	if (code == BV_OK)
		code = bv__gate_path(gate, &dest, expose->dest, &expose->dest);
	if (code != BV_OK)
		return code;
	/* A WebAssembly guest has names of directories and no root: "/" is one of them. */
	if (expose->dest.len == 1 && gate->normal->workload.tag != BV_WORKLOAD_WASM)
		return bv__refuse(gate, &dest, "choose a directory below /",
				  "nothing can be shown at / itself");
	for (size_t i = 0; i < count; i++)
		if (controls->items[i].tag == BV_CONTROL_EXPOSE_PATH &&
		    bv_str_equal(controls->items[i].u.expose.dest, expose->dest))
			return bv__refuse(gate, &dest, "choose another place",
					  "two paths are shown at one place");
	if (gate->normal->workload.tag == BV_WORKLOAD_WASM && bv_path_is_shown_root(expose->dest))
		return bv__refuse(gate, &dest, "choose another place", BV_SHOWN_ROOT_REFUSED);
	if (bv__gate_grants(gate, expose->dest))
		return bv__refuse(gate, &dest, "choose another place",
				  "a path is shown where a granted root already is");
	return BV_OK;
}

static enum bv_code refuse_repeated(struct bv__gate *gate, const struct bv_path *path,
				    const struct bv_host_control *first,
				    const struct bv_host_control *second)
{
	const char *name = bv_name_of(&bv_host_control_type, (uint32_t)first->tag);

	if (bv_value_compare(&bv_host_control_type, first, second) == 0)
		return bv__refuse(gate, path, "ask for it once", "%s is asked for twice", name);
	return bv__refuse(gate, path, "choose one of them",
			  "%s is asked for in two ways that contradict", name);
}

enum bv_code bv__gate_controls(struct bv__gate *gate)
{
	struct bv_host_control_list *controls = &gate->normal->controls;
	const struct bv_path top = {NULL, "controls", 0};
	size_t seen_at[8] = {0}; /* 1 + place in the normal list */
	size_t kept = 0, exposed = 0;

	_Static_assert(BV_CONTROL_LIST_OUTPUTS < sizeof seen_at / sizeof seen_at[0],
		       "one for each tag");

	/* Kept ones move to the front of the copy, which never overtakes the one looked at. */
	for (size_t i = 0; i < controls->count; i++) {
		const struct bv_path path = {&top, NULL, i};
		struct bv_host_control control = controls->items[i];
		struct bv_host_control *first =
			seen_at[control.tag] == 0 ? NULL
						  : &controls->items[seen_at[control.tag] - 1];
		enum bv_code code = BV_OK;

		if (control.tag == BV_CONTROL_CAPTURE)
			code = gate_capture(gate, &path, &control.u.capture,
					    first != NULL ? first : &control);
		else if (control.tag == BV_CONTROL_EXPOSE_PATH && ++exposed > BV_LIMIT_EXPOSED)
			code = bv__refuse(gate, &path, "", "more than %d paths are shown",
					  BV_LIMIT_EXPOSED);
		else if (control.tag == BV_CONTROL_EXPOSE_PATH)
			code = gate_expose(gate, &path, &control.u.expose, kept);
		else if (first != NULL)
			code = refuse_repeated(gate, &path, first, &control);
		else if (control.tag == BV_CONTROL_TEMP_ROOT &&
			 control.u.temp_root.has_size_bytes && control.u.temp_root.size_bytes == 0)
			code = bv__refuse(gate, &path, "leave the size out, or drop the control",
					  "a temporary directory that may hold nothing");
		else if (control.tag == BV_CONTROL_TEMP_ROOT && control.u.temp_root.has_inodes &&
			 control.u.temp_root.inodes == 0)
			code = bv__refuse(gate, &path, "leave the number out, or drop the control",
					  "a temporary directory that may hold no file");
		if (code != BV_OK)
			return code;
		if (first != NULL && control.tag == BV_CONTROL_CAPTURE)
			continue;
		controls->items[kept++] = control;
		seen_at[control.tag] = kept;
	}
	controls->count = kept;
	if (seen_at[BV_CONTROL_LAUNCH] == 0)
		return bv__refuse(gate, &top, "add the control LaunchWorkload",
				  "nothing asks for the workload to be launched");
	return BV_OK;
}

/* ---- budgets --------------------------------------------------------------------------------- */

static enum bv_code gate_budgets(struct bv__gate *gate)
{
	static const enum bv_dimension counts[] = {BV_DIMENSION_PROCESSES, BV_DIMENSION_HANDLES};
	const struct bv_path top = {NULL, "budgets", 0};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		const struct bv_budget_request *request = bv_budget_request_in(
			&gate->normal->budgets, counts[i]);
		const struct bv_path path = {&top, bv_dimension_name(counts[i]), 0};

		if (request != NULL && request->limit > UINT32_MAX)
			return bv_fail_remedy(gate->err, BV_E_BUDGET_INVALID,
					      bv__gate_where(gate, &path),
					      "leave the limit out if none is meant",
					      "no machine counts to %llu",
					      (unsigned long long)request->limit);
	}
	return BV_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

enum bv_code bv_policy_normalise(struct bv_arena *arena, const struct bv_boundary_spec *spec,
				 struct bv_boundary_spec *ret_normal, struct bv_error *err)
{
	struct bv__gate gate = {.arena = arena, .spec = spec, .normal = ret_normal, .err = err};
	enum bv_code code = bv_value_check(&bv_boundary_spec_type, spec, BV_E_INVALID_POLICY, err);

	if (code == BV_OK)
		code = bv_value_copy(arena, &bv_boundary_spec_type, spec, ret_normal, err);
	if (code == BV_OK)
		code = gate_workload(&gate);
	if (code == BV_OK)
		code = bv__gate_capabilities(&gate);
	if (code == BV_OK)
		code = bv__gate_filesystem(&gate);
	if (code == BV_OK)
		code = bv__gate_controls(&gate);
	if (code == BV_OK)
		code = gate_budgets(&gate);
	if (code == BV_OK)
		code = bv__gate_execution(&gate);
	if (code != BV_OK)
		return code;

	if (!bv_value_sort(arena, &bv_capability_type, ret_normal->capabilities.items,
			   ret_normal->capabilities.count) ||
	    !bv_value_sort(arena, &bv_host_control_type, ret_normal->controls.items,
			   ret_normal->controls.count))
		return bv__gate_memory(&gate);
	return BV_OK;
}
