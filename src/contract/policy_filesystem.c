/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * policy_filesystem.c - the policy gate on filesystem roots and on how the workload is run.
 *
 * Roots are gathered by what may be done there: read here and written there is ReadWrite, and each
 * access comes once.  Execute stays apart, because no access implies another.
 */
#include "policy_gate.h"
#include "support.h"
#include "value.h"

/* ---- roots ----------------------------------------------------------------------------------- */

static bool grants_access(enum bv_fs_access access, enum bv_fs_access wanted)
{
	return access == wanted ||
	       (access == BV_FS_READ_WRITE && (wanted == BV_FS_READ || wanted == BV_FS_WRITE));
}

/* Every root of the spec with this access, normal, sorted, each once. */
static enum bv_code gather(struct bv__gate *gate, enum bv_fs_access access, bool recursive,
			   struct bv_str_list *ret_roots)
{
	const struct bv_capability_list *given = &gate->spec->capabilities;
	const struct bv_path top = {NULL, "capabilities", 0};
	size_t room = 0, count = 0, unique = 0;

	for (size_t i = 0; i < given->count; i++)
		if (given->items[i].tag == BV_CAP_FILESYSTEM)
			room += given->items[i].u.filesystem.scope.roots.count;
	ret_roots->items = bv_arena_array(gate->arena, room, sizeof ret_roots->items[0]);
	if (ret_roots->items == NULL)
		return bv__gate_memory(gate);

	for (size_t i = 0; i < given->count; i++) {
		const struct bv_fs_capability *filesystem = &given->items[i].u.filesystem;
		const struct bv_path path = {&top, NULL, i}, fs = {&path, "Filesystem", 0};
		const struct bv_path scope = {&fs, "scope", 0}, roots = {&scope, "roots", 0};

		if (given->items[i].tag != BV_CAP_FILESYSTEM ||
		    filesystem->recursive != recursive ||
		    !grants_access(filesystem->access, access))
			continue;
		for (size_t j = 0; j < filesystem->scope.roots.count; j++) {
			const struct bv_path root = {&roots, NULL, j};
			enum bv_code code = bv__gate_path(gate, &root,
							  filesystem->scope.roots.items[j],
							  &ret_roots->items[count++]);

			if (code == BV_OK && gate->normal->workload.tag == BV_WORKLOAD_WASM &&
			    bv_path_is_shown_root(ret_roots->items[count - 1]))
				code = bv__refuse(gate, &root, "choose another place",
						  BV_SHOWN_ROOT_REFUSED);
			if (code != BV_OK)
				return code;
		}
	}
	if (count > BV_LIMIT_ROOTS)
		return bv__refuse(gate, &top, "grant a common directory instead",
				  "%zu filesystem roots of one access, and %d is the most", count,
				  BV_LIMIT_ROOTS);
	if (!bv_str_sort(gate->arena, ret_roots->items, count))
		return bv__gate_memory(gate);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || !bv_str_equal(ret_roots->items[i], ret_roots->items[unique - 1]))
			ret_roots->items[unique++] = ret_roots->items[i];
	ret_roots->count = unique;
	return BV_OK;
}

/* Moves what is in both into a list of its own.  All are sorted. */
static bool split_common(struct bv_arena *arena, struct bv_str_list *a, struct bv_str_list *b,
			 struct bv_str_list *ret_common)
{
	size_t at_a = 0, at_b = 0, kept_a = 0, kept_b = 0;

	ret_common->count = 0;
	ret_common->items = bv_arena_array(arena, a->count, sizeof a->items[0]);
	if (ret_common->items == NULL)
		return false;
	while (at_a < a->count || at_b < b->count) {
		const int order = at_a == a->count ? 1
				  : at_b == b->count
					  ? -1
					  : bv_str_compare(a->items[at_a], b->items[at_b]);

		if (order == 0) {
			ret_common->items[ret_common->count++] = a->items[at_a++];
			at_b++;
		} else if (order < 0) {
			a->items[kept_a++] = a->items[at_a++];
		} else {
			b->items[kept_b++] = b->items[at_b++];
		}
	}
	a->count = kept_a;
	b->count = kept_b;
	return true;
}

static void keep_roots(struct bv__gate *gate, enum bv_fs_access access, bool recursive,
		       struct bv_str_list roots)
{
	struct bv_capability_list *kept = &gate->normal->capabilities;

	kept->items[kept->count++] = (struct bv_capability){
		.tag = BV_CAP_FILESYSTEM,
		.u.filesystem =
			{
				.access = access,
				.scope = {.roots = roots},
				.recursive = recursive,
				.confinement = BV_FS_DECLARED_ROOTS_ONLY,
			},
	};
}

enum bv_code bv__gate_filesystem(struct bv__gate *gate)
{
	const struct bv_capability_list *given = &gate->spec->capabilities;
	const size_t others = gate->normal->capabilities.count;
	bool asked = false;

	for (int recursive = 0; recursive < 2; recursive++) {
		struct bv_str_list roots[4] = {{NULL, 0}};
		static const enum bv_fs_access simple[] = {BV_FS_READ, BV_FS_WRITE, BV_FS_EXECUTE};

		for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++) {
			enum bv_code code = gather(gate, simple[i], recursive != 0,
						   &roots[simple[i]]);

			if (code != BV_OK)
				return code;
		}
		if (!split_common(gate->arena, &roots[BV_FS_READ], &roots[BV_FS_WRITE],
				  &roots[BV_FS_READ_WRITE]))
			return bv__gate_memory(gate);
		for (unsigned int access = 0; access < 4; access++)
			if (roots[access].count != 0)
				keep_roots(gate, (enum bv_fs_access)access, recursive != 0,
					   roots[access]);
	}
	/* Confinement without a single root is a request too: nothing at all is granted. */
	for (size_t i = 0; i < given->count; i++)
		asked = asked || given->items[i].tag == BV_CAP_FILESYSTEM;
	if (asked && gate->normal->capabilities.count == others)
		keep_roots(gate, BV_FS_READ, true, (struct bv_str_list){NULL, 0});
	return BV_OK;
}

bool bv__gate_grants(const struct bv__gate *gate, struct bv_str path)
{
	const struct bv_capability_list *capabilities = &gate->normal->capabilities;

	for (size_t i = 0; i < capabilities->count; i++) {
		const struct bv_str_list *roots = &capabilities->items[i].u.filesystem.scope.roots;

		if (capabilities->items[i].tag != BV_CAP_FILESYSTEM)
			continue;
		for (size_t j = 0; j < roots->count; j++)
			if (bv_str_equal(roots->items[j], path))
				return true;
	}
	return false;
}

/* ---- execution ------------------------------------------------------------------------------- */

static const struct bv_path top = {NULL, "execution", 0};

static enum bv_code gate_deny(struct bv__gate *gate, struct bv_execution_options *execution)
{
	const struct bv_path list = {&top, "deny", 0};
	const struct bv_workload *workload = &gate->normal->workload;
	struct bv_str_list *deny = &execution->deny;
	size_t unique = 0;

	if (deny->count > BV_LIMIT_DENIED)
		return bv__refuse(gate, &list, "deny a common directory instead",
				  "more than %d denied paths", BV_LIMIT_DENIED);
	for (size_t i = 0; i < deny->count; i++) {
		const struct bv_path path = {&list, NULL, i};
		enum bv_code code = bv__gate_path(gate, &path, deny->items[i], &deny->items[i]);

		if (code != BV_OK)
			return code;
		if (deny->items[i].len == 1)
			return bv__refuse(gate, &path, "deny less",
					  "with / denied nothing is left");
		if (bv__gate_grants(gate, deny->items[i]))
			return bv__refuse(gate, &path, "drop the grant or the denial",
					  "this path is granted and denied");
		if (workload->tag == BV_WORKLOAD_PROCESS &&
		    bv_path_covers(deny->items[i], workload->u.process.exe))
			return bv__refuse(gate, &path, "drop the denial, or run another program",
					  "the program to run is denied");
	}
	if (!bv_str_sort(gate->arena, deny->items, deny->count))
		return bv__gate_memory(gate);
	for (size_t i = 0; i < deny->count; i++)
		if (i == 0 || !bv_str_equal(deny->items[i], deny->items[unique - 1]))
			deny->items[unique++] = deny->items[i];
	deny->count = unique;
	execution->has_deny = execution->has_deny && unique != 0;
	return BV_OK;
}

static bool is_asked_for(const struct bv__gate *gate, enum bv_requirement_kind kind)
{
	struct bv_requirement requirement;

	for (size_t i = 0; i < gate->normal->capabilities.count; i++) {
		requirement = (struct bv_requirement){
			.tag = BV_REQ_CAPABILITY,
			.u.capability = gate->normal->capabilities.items[i]};
		if (bv_kind_of(&requirement) == kind)
			return true;
	}
	for (size_t i = 0; i < gate->normal->controls.count; i++) {
		requirement = (struct bv_requirement){.tag = BV_REQ_HOST_CONTROL,
						      .u.control = gate->normal->controls.items[i]};
		if (bv_kind_of(&requirement) == kind)
			return true;
	}
	return false;
}

/* Entries that say what holds anyway are dropped. */
static enum bv_code gate_minimums(struct bv__gate *gate, struct bv_execution_options *execution)
{
	const struct bv_path path = {&top, "minimum_for", 0};
	const enum bv_min_guarantee general = execution->has_minimum ? execution->minimum
								     : BV_MIN_MEDIATED;
	struct bv_kind_minimum_list *minimums = &execution->minimum_for;
	uint32_t seen = 0;
	size_t kept = 0;

	for (size_t i = 0; i < minimums->count; i++) {
		const struct bv_kind_minimum minimum = minimums->items[i];
		const struct bv_path step = {&path, NULL, i};

		if ((seen >> minimum.kind & 1) != 0)
			return bv__refuse(gate, &step, "say it once", "two minimums for %s",
					  bv_kind_name(minimum.kind));
		if (!is_asked_for(gate, minimum.kind))
			return bv__refuse(gate, &step, "ask for it, or drop the minimum",
					  "a minimum for %s, which the spec does not ask for",
					  bv_kind_name(minimum.kind));
		seen |= (uint32_t)1 << minimum.kind;
		if (minimum.guarantee != general)
			minimums->items[kept++] = minimum;
	}
	minimums->count = kept;
	if (!bv_value_sort(gate->arena, &bv_kind_minimum_type, minimums->items, kept))
		return bv__gate_memory(gate);
	execution->has_minimum_for = execution->has_minimum_for && kept != 0;
	execution->has_minimum = execution->has_minimum && execution->minimum != BV_MIN_MEDIATED;
	return BV_OK;
}

static enum bv_code gate_streams(struct bv__gate *gate, struct bv_execution_options *execution)
{
	const struct bv_path limit = {&top, "capture_limit_bytes", 0};

	execution->has_terminal = execution->has_terminal && execution->terminal;
	execution->has_stdin_source = execution->has_stdin_source &&
				      execution->stdin_source.tag != BV_STDIN_EMPTY;
	if (execution->has_terminal && execution->has_stdin_source)
		return bv__refuse(gate, (&(struct bv_path){&top, "stdin_source", 0}),
				  "drop one of the two",
				  "standard input is to be a terminal and a relay");
	if (!execution->has_capture_limit_bytes)
		return BV_OK;
	if (execution->capture_limit_bytes > BV_LIMIT_CAPTURE_BYTES)
		return bv__refuse(gate, &limit, "forward the output instead of keeping it",
				  "%llu bytes of each stream are to be kept, and %d is the most",
				  (unsigned long long)execution->capture_limit_bytes,
				  BV_LIMIT_CAPTURE_BYTES);
	if (!is_asked_for(gate, BV_KIND_CAPTURE))
		return bv__refuse(gate, &limit, "add the control CaptureStreams, or drop the limit",
				  "a capture limit, and nothing is to be captured");
	return BV_OK;
}

static enum bv_code gate_grace(struct bv__gate *gate, struct bv_execution_options *execution)
{
	const uint64_t most = 3600 * UINT64_C(1000000);

	execution->has_grace_micros = execution->has_grace_micros && execution->grace_micros != 0;
	if (execution->has_grace_micros && execution->grace_micros > most)
		return bv__refuse(gate, (&(struct bv_path){&top, "grace_micros", 0}),
				  "raise the limit instead",
				  "a grace of more than an hour is none");
	return BV_OK;
}

/* Who keeps changes apart wants to see them; a plan that cannot show them is not what was meant. */
static enum bv_code gate_stage(struct bv__gate *gate, struct bv_execution_options *execution)
{
	const struct bv_path path = {&top, "stage", 0};

	execution->has_stage = execution->has_stage && execution->stage;
	if (execution->has_stage && !is_asked_for(gate, BV_KIND_LIST_OUTPUTS))
		return bv__refuse(gate, &path, "add the control ListOutputs, or drop the option",
				  "changes are to be kept apart, and nothing asks to list them");
	return BV_OK;
}

/* The same for files that are to be collected; and only what is kept apart can be told from the rest. */
static enum bv_code gate_output(struct bv__gate *gate, struct bv_execution_options *execution)
{
	const struct bv_path at = {&top, "output_dir", 0};
	enum bv_code code = BV_OK;

	execution->has_delta = execution->has_delta && execution->delta;
	execution->has_output_dir_limit_bytes = execution->has_output_dir_limit_bytes &&
						execution->has_output_dir;
	if (execution->has_delta && !execution->has_stage)
		return bv__refuse(gate, (&(struct bv_path){&top, "delta", 0}),
				  "stage what it writes (--stage), or drop the option",
				  "changes are to be listed, and nothing is kept apart to compare");
	if (!execution->has_output_dir)
		return BV_OK;
	code = bv__gate_path(gate, &at, execution->output_dir, &execution->output_dir);
	if (code == BV_OK && !is_asked_for(gate, BV_KIND_LIST_OUTPUTS))
		return bv__refuse(gate, &at, "add the control ListOutputs, or drop the option",
				  "artifacts are to be left, and nothing asks to list them");
	return code;
}

static bool says_something(const struct bv_execution_options *execution)
{
	for (size_t i = 0; i < bv_execution_options_type.row_count; i++)
		if (bv_row_present(&bv_execution_options_type.rows[i], execution))
			return true;
	return false;
}

enum bv_code bv__gate_execution(struct bv__gate *gate)
{
	enum { NAMESPACES = 1u << BV_LAYER_NAMESPACES, NETNS = 1u << BV_LAYER_NETWORK_NAMESPACE };
	struct bv_execution_options *execution = &gate->normal->execution;
	enum bv_code code = BV_OK;

	if (!gate->normal->has_execution)
		return BV_OK;
	if (execution->has_cwd)
		code = bv__gate_path(gate, &(struct bv_path){&top, "cwd", 0}, execution->cwd,
				     &execution->cwd);
	if (code == BV_OK)
		code = gate_streams(gate, execution);
	if (code == BV_OK)
		code = gate_deny(gate, execution);
	if (code == BV_OK)
		code = gate_minimums(gate, execution);
	if (code == BV_OK)
		code = gate_grace(gate, execution);
	if (code == BV_OK)
		code = gate_stage(gate, execution);
	if (code == BV_OK)
		code = gate_output(gate, execution);
	if (code != BV_OK)
		return code;

	execution->has_runtime = execution->has_runtime &&
				 execution->runtime != BV_RUNTIME_LIBRARIES;
	execution->has_syscalls = execution->has_syscalls &&
				  execution->syscalls != BV_SYSCALLS_BASELINE;
	/* Without any namespace there is no network namespace either. */
	if ((execution->without & NAMESPACES) != 0)
		execution->without &= ~(uint32_t)NETNS;
	execution->has_without = execution->has_without && execution->without != 0;
	gate->normal->has_execution = says_something(execution);
	return BV_OK;
}
