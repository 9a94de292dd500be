/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* lower.c - turns an admitted plan into the launch plan of one run: layers, identity, filter. */
#include "lower.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "budgets.h"
#include "contract/canon.h"
#include "ids.h"
#include "sys.h"

enum {
	FACTS_FIRST = 32,
	FACT_TEXT_MAX = 4096,
	UID_INSIDE = 1000, /* a root caller's workload sees itself as this ordinary user */
	CAPTURE_DEFAULT_BYTES = 1 << 20,
};

void bv__lower_observe(struct bv_lowering_state *state, const char *kind, const char *format, ...)
{
	struct bv_observed_fact_list *list = &state->out->observed;
	char text[FACT_TEXT_MAX];
	va_list args;
	int len;

	if (list->count == state->observed_capacity) {
		size_t capacity = state->observed_capacity ? state->observed_capacity * 2
							   : FACTS_FIRST;
		struct bv_observed_fact *larger = bv_arena_array(state->arena, capacity,
								 sizeof(*larger));

		if (larger == NULL) {
			state->grants.full = true;
			return;
		}
		if (list->count > 0)
			memcpy(larger, list->items, list->count * sizeof(*larger));
		list->items = larger;
		state->observed_capacity = capacity;
	}
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		return;
	list->items[list->count++] = (struct bv_observed_fact){
		.kind = bv_str_from(kind),
		/* Paths may hold any bytes; a report is UTF-8. */
		.detail = bv_arena_utf8(state->arena, bv_str_from(text)),
		.has_source = true,
		.source = BV_SOURCE_HOST,
	};
}

/* ---- what the plan asks for ------------------------------------------------------------------ */

static enum bv_spawn_policy spawn_policy(const struct bv_boundary_plan *plan)
{
	for (size_t i = 0; i < plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &plan->admitted.items[i].requirement;

		if (requirement->tag == BV_REQ_CAPABILITY &&
		    requirement->u.capability.tag == BV_CAP_CHILD_SPAWN)
			return requirement->u.capability.u.spawn.policy;
	}
	/* Nothing said about tasks: they may come and go, within the boundary as always. */
	return BV_SPAWN_ALLOW_DESCENDANTS;
}

static void read_controls(struct bv_lowering_state *state)
{
	struct bv_lowered *out = state->out;

	for (size_t i = 0; i < state->plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &state->plan->admitted.items[i]
								    .requirement;
		const struct bv_host_control *control = &requirement->u.control;

		if (requirement->tag != BV_REQ_HOST_CONTROL)
			continue;
		if (control->tag == BV_CONTROL_CAPTURE) {
			out->captures_stdout |= control->u.capture.streams.stdout_stream;
			out->captures_stderr |= control->u.capture.streams.stderr_stream;
			out->captures_stdin |= control->u.capture.streams.stdin_stream;
		} else if (control->tag == BV_CONTROL_TEMP_ROOT) {
			state->wants_tmp = true;
			if (control->u.temp_root.has_size_bytes)
				state->tmp_bytes = control->u.temp_root.size_bytes;
			if (control->u.temp_root.has_inodes)
				state->tmp_inodes = control->u.temp_root.inodes;
		}
	}
	out->terminal = state->execution->has_terminal && state->execution->terminal;
	out->stdin_relay = state->execution->has_stdin_source &&
			   state->execution->stdin_source.tag == BV_STDIN_RELAY;
	out->capture_limit = state->execution->has_capture_limit_bytes
				     ? state->execution->capture_limit_bytes
				     : CAPTURE_DEFAULT_BYTES;
	out->output_limit = state->execution->has_output_limit_bytes
				    ? state->execution->output_limit_bytes
				    : UINT64_MAX;
}

/* ---- who it runs as -------------------------------------------------------------------------- */

/* An id nobody else has, drawn anew for every run, so that runs cannot reach each other by it. */
static enum bv_code draw_id(const struct bv_profile_snapshot *machine, uint32_t *ret_id,
			    struct bv_error *err)
{
	const struct bv_str ids = bv__fact_text(machine, BV_FACT_PRIVATE_IDS);
	struct bv_id_range range;
	uint64_t draw;

	if (!bv__private_ids_of(ids, &range))
		return bv_fail_remedy(err, BV_E_UNSUPPORTED, "identity",
				      "run bvisor as an ordinary user",
				      "user 0 has no other id here to run the workload as");
	if (bv_sys_getrandom(&draw, sizeof(draw), 0) != (ssize_t)sizeof(draw))
		return bv_fail(err, BV_E_SYSTEM, "identity", "no random number for a user id");
	*ret_id = range.first + (uint32_t)(draw % range.count);
	return BV_OK;
}

static enum bv_code lower_identity(struct bv_lowering_state *state)
{
	struct bv_launch_work *work = &state->out->body.work;
	const struct bv_layers *layers = &state->out->layers;
	uint32_t uid = geteuid(), gid = getegid();

	if (layers->root) {
		enum bv_code code = draw_id(&state->plan->profile, &uid, state->err);

		if (code != BV_OK)
			return code;
		gid = uid;
	} else if (uid == 0 || gid == 0) {
		return bv_fail_remedy(state->err, BV_E_UNSUPPORTED, "identity",
				      "run bvisor with an ordinary group",
				      "group 0 would be the workload's");
	}
	if (layers->namespaces) {
		work->has_namespaces = true;
		work->namespaces = (struct bv_launch_namespaces){
			.network = layers->netns,
			.uid_inside = layers->root ? UID_INSIDE : uid,
			.uid_outside = uid,
			.gid_inside = layers->root ? UID_INSIDE : gid,
			.gid_outside = gid,
			.idmap = layers->idmap,
			.hostname = BV_STR("bvisor"),
		};
	} else if (layers->root) {
		work->has_drop_to_uid = work->has_drop_to_gid = true;
		work->drop_to_uid = uid;
		work->drop_to_gid = gid;
	}
	bv__lower_observe(state, "workload_user", "uid %u gid %u of the host%s", (unsigned int)uid,
			  (unsigned int)gid,
			  layers->namespaces
				  ? ", in a user namespace of its own without any capability"
				  : "");
	/* Whoever wonders why a granted file cannot be used finds it here. */
	if (layers->root && !layers->idmap)
		bv__lower_observe(
			state, "owner_map",
			"none: files of user 0 are to the workload like any other user's");
	return BV_OK;
}

/* ---- layers ---------------------------------------------------------------------------------- */

static void observe_layers(struct bv_lowering_state *state)
{
	const struct bv_layers *layers = &state->out->layers;

	bv__lower_observe(state, "layers", "%s%s%s, seccomp%s",
			  layers->namespaces ? "user, mount, PID, IPC, UTS and cgroup namespaces"
					     : "no namespaces",
			  layers->netns ? ", network namespace" : "",
			  layers->landlock ? ", Landlock" : "",
			  layers->notify ? " with denials told" : "");
	if (layers->landlock)
		bv__lower_observe(state, "landlock", "ABI %d", layers->landlock_abi);
	bv__lower_observe(state, "syscalls", "%s",
			  layers->strict ? "strict: only what ordinary programs need"
					 : "baseline: all but what no run gets");
}

static void lower_landlock(struct bv_lowering_state *state)
{
	struct bv_launch_work *work = &state->out->body.work;
	struct bv_landlock_ruleset_attr known;

	if (!state->out->layers.landlock)
		return;
	known = bv_landlock_known(state->out->layers.landlock_abi);
	work->has_landlock = true;
	work->landlock.handled_fs = known.handled_access_fs;
	work->landlock.handled_net = known.handled_access_net;
	work->landlock.scoped = known.scoped;
}

void bv__lower_seal(struct bv_lowered *lowered)
{
	bv_canon_hash(&bv_launch_work_type, &lowered->body.work, &lowered->body.h_l);
}

static bool is_sampled(const struct bv_lowering_state *state, enum bv_dimension dimension)
{
	return bv_budget_admitted_in(&state->plan->budgets, dimension) != NULL &&
	       bv__holding(&state->plan->profile, &state->out->layers, dimension).holder ==
		       BV_HOLDER_SAMPLING;
}

/* What the launcher holds of the budgets; the rest is the kernel's, by limits and the control group. */
static void lower_watch(struct bv_lowering_state *state)
{
	const struct bv_admitted_budgets *budgets = &state->plan->budgets;
	struct bv_launch_work *work = &state->out->body.work;
	struct bv_launch_limits *limits = &work->limits;

	work->has_limits = true;
	limits->interval_micros = BV_SAMPLE_INTERVAL_US;
	if (state->execution->has_grace_micros)
		limits->grace_micros = state->execution->grace_micros;
	limits->has_wall_micros = budgets->has_wall_micros;
	limits->wall_micros = budgets->wall_micros.effective_limit;
	limits->has_cpu_micros = budgets->has_cpu_micros;
	limits->cpu_micros = budgets->cpu_micros.effective_limit;
	limits->has_resident_bytes = is_sampled(state, BV_DIMENSION_RESIDENT);
	limits->resident_bytes = budgets->resident_bytes.effective_limit;
	limits->has_process_count = is_sampled(state, BV_DIMENSION_PROCESSES);
	limits->process_count = budgets->process_count.effective_limit;
}

enum bv_code bv__lower(struct bv_arena *arena, const struct bv_boundary_plan *plan,
		       const struct bv_backend_options *options, struct bv_lowered *ret_lowered,
		       struct bv_error *err)
{
	static const struct bv_execution_options none;
	struct bv_lowering_state state = {
		.arena = arena,
		.plan = plan,
		.options = options,
		.execution = plan->has_execution ? &plan->execution : &none,
		.out = ret_lowered,
		.err = err,
	};
	struct bv_launch_work *work = &ret_lowered->body.work;
	enum bv_code code;

	memset(ret_lowered, 0, sizeof(*ret_lowered));
	ret_lowered->layers = bv__layers_of(&plan->profile, state.execution);
	ret_lowered->layers.writes_host = bv__plan_writes_host(plan, &ret_lowered->layers);
	bv__grants_init(&state.grants, arena);
	read_controls(&state);
	observe_layers(&state);
	lower_watch(&state);
	code = lower_identity(&state);
	lower_landlock(&state);
	if (code == BV_OK)
		code = bv__lower_files(&state);
	if (code != BV_OK || ret_lowered->exe_errno != 0)
		return code;
	work->seccomp.spawn = spawn_policy(plan);
	work->seccomp.notify = ret_lowered->layers.notify;
	work->seccomp.shared = !ret_lowered->layers.namespaces;
	work->seccomp.has_syscalls = ret_lowered->layers.strict;
	work->seccomp.syscalls = BV_SYSCALLS_STRICT;
	work->seccomp.has_beneath = options->beneath;
	work->seccomp.beneath = options->beneath;
	work->attest = true;
	code = bv__lower_exec(&state);
	if (code != BV_OK)
		return code;
	if (state.grants.full)
		return bv_fail(err, BV_E_MEMORY, "launch",
			       "the launch plan needs more memory than it may have");
	ret_lowered->body.attempt_id = options->attempt;
	ret_lowered->body.plan_id = plan->plan_id;
	bv_canon_hash(&bv_profile_snapshot_type, &plan->profile, &ret_lowered->body.h_p);
	return BV_OK;
}
