/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_plan.c - the planner: what it refuses, in which order, and what it admits. */
#include "contract_helpers.h"

#include "contract/json.h"
#include "contract/policy.h"
#include "contract/support.h"

#include "contract_reference.h"

/* ---- a backend to order ----------------------------------------------------------------------- */

/* Everything Enforced with every claim, but for what a test changes. */
struct machine {
	struct bv_profile profile;
	struct bv_budget_profile budget;
	struct bv_text_map facts;
	bool runs_nothing, probe_fails;
	unsigned int probes, profiles;
	const struct bv_execution_options *seen_execution;
};

static enum bv_code machine_probe(void *self, struct bv_arena *arena,
				  struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	struct machine *machine = self;

	(void)arena;
	machine->probes++;
	if (machine->probe_fails)
		return bv_fail(err, BV_E_SYSTEM, "machine", "it cannot be looked at");
	*ret_snapshot = (struct bv_profile_snapshot){.backend = S("machine"),
						     .probed = machine->facts,
						     .budget = machine->budget};
	return BV_OK;
}

static void machine_profile(void *self, const struct bv_profile_snapshot *snapshot,
			    const struct bv_execution_options *execution,
			    struct bv_profile *ret_profile)
{
	struct machine *machine = self;

	(void)snapshot;
	machine->profiles++;
	machine->seen_execution = execution;
	*ret_profile = machine->profile;
}

static bool machine_runs(void *self, const struct bv_workload *workload)
{
	return !((struct machine *)self)->runs_nothing && workload->tag == BV_WORKLOAD_PROCESS;
}

static struct bv_backend backend_of(struct machine *machine)
{
	const struct bv_budget_availability cell = {1000, BV_ENFORCED,
						    1u << BV_CLAIM_RESOURCE_USAGE, S("meter")};

	memset(machine, 0, sizeof *machine);
	for (size_t kind = 0; kind < BV_KIND_COUNT; kind++) {
		machine->profile.ceiling[kind] = (struct bv_verdict){BV_ENFORCED, 0x3ff};
		machine->profile.primitive[kind] = "thing";
	}
	machine->budget = (struct bv_budget_profile){cell, cell, cell, cell, cell, cell, cell};
	return (struct bv_backend){.id = "machine",
				   .self = machine,
				   .probe = machine_probe,
				   .profile = machine_profile,
				   .runs = machine_runs};
}

static enum bv_code plan_with(const struct bv_backend *backend, const struct bv_boundary_spec *spec,
			      struct bv_error *err)
{
	struct bv_boundary_plan plan;

	return bv_plan_boundary(backend, spec, arena_now(), &plan, err);
}

/* ---- order of refusals ------------------------------------------------------------------------ */

/* Everything wrong at once; mended from the front, each refusal is the next. */
TEST(the_first_failure_answers_in_the_documented_order)
{
	struct machine machine;
	struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();

	spec_add_capability(&spec, cap_network_none());
	spec_add_capability(&spec, cap_network_none());
	spec_budgets(&spec, 0, BV_MIN_ENFORCED);
	spec.budgets.process_count.limit = UINT64_MAX;
	spec.evidence.require_captured_streams = true;
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_minimum = true,
						       .minimum = BV_MIN_ENFORCED};
	machine.runs_nothing = true;
	machine.probe_fails = true;
	machine.profile.ceiling[BV_KIND_NETWORK_DENY_ALL].enforcement = BV_UNSUPPORTED;
	machine.budget.cpu_micros.enforcement = BV_MEDIATED;

	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_INVALID_POLICY, "capabilities[1]",
		     "twice");
	spec.capabilities.count = 1;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_BUDGET_INVALID, "budgets.process_count",
		     "counts to");
	spec.budgets.process_count.limit = 0;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_WORKLOAD, "workload",
		     "machine cannot run a Process");
	machine.runs_nothing = false;
	EXPECT_UINT(machine.probes, 0);
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_SYSTEM, "machine",
		     "cannot be looked at");
	machine.probe_fails = false;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_UNSUPPORTED, "NetworkDenyAll",
		     "cannot hold NetworkDenyAll");
	machine.profile.ceiling[BV_KIND_NETWORK_DENY_ALL].enforcement = BV_MEDIATED;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_EVIDENCE,
		     "evidence.require_captured_streams", "CaptureStreams");
	spec_add_control(&spec, control_capture(true, false, false));
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_MINIMUM, "execution.minimum",
		     "NetworkDenyAll");
	machine.profile.ceiling[BV_KIND_NETWORK_DENY_ALL].enforcement = BV_ENFORCED;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_BUDGET_REFUSED, "budgets.wall_micros",
		     "0 is below 1");
	spec_budgets(&spec, 1001, BV_MIN_MEDIATED);
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_BUDGET_REFUSED, "budgets.wall_micros",
		     "above 1000");
	spec_budgets(&spec, 1000, BV_MIN_MEDIATED);
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_MINIMUM, "execution.minimum",
		     "cpu_micros");
	machine.budget.cpu_micros.enforcement = BV_ENFORCED;
	EXPECT_OK(plan_with(&backend, &spec, err));
}

TEST(planning_probes_once_even_when_it_refuses_later)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();

	EXPECT_OK(plan_with(&backend, &spec, err));
	EXPECT_UINT(machine.probes, 1);
	EXPECT_UINT(machine.profiles, 1);
	spec_budgets(&spec, 0, BV_MIN_MEDIATED);
	EXPECT_UINT(plan_with(&backend, &spec, NULL), BV_E_BUDGET_REFUSED);
	EXPECT_UINT(machine.probes, 2);
}

TEST(the_backend_sees_the_layers_left_out_and_nothing_when_none_is)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();

	spec.has_execution = true;
	EXPECT_OK(plan_with(&backend, &spec, err));
	EXPECT(machine.seen_execution == NULL);
	spec.execution.has_without = true;
	spec.execution.without = 1u << BV_LAYER_LANDLOCK;
	EXPECT_OK(plan_with(&backend, &spec, err));
	EXPECT(machine.seen_execution != NULL);
}

TEST(a_refusal_says_why_and_how_to_mend_it)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();
	struct bv_error failure;

	spec_add_capability(&spec, cap_network_none());
	machine.profile.ceiling[BV_KIND_NETWORK_DENY_ALL].enforcement = BV_UNSUPPORTED;
	machine.profile.reason[BV_KIND_NETWORK_DENY_ALL] = "there is no netns";
	machine.profile.remedy[BV_KIND_NETWORK_DENY_ALL] = "load a kernel with one";
	EXPECT_UINT(plan_with(&backend, &spec, &failure), BV_E_UNSUPPORTED);
	EXPECT_STR(failure.message, "machine cannot hold NetworkDenyAll here: there is no netns");
	EXPECT_STR(failure.remedy, "load a kernel with one");
	machine.profile.reason[BV_KIND_NETWORK_DENY_ALL] =
		machine.profile.remedy[BV_KIND_NETWORK_DENY_ALL] = NULL;
	EXPECT_UINT(plan_with(&backend, &spec, &failure), BV_E_UNSUPPORTED);
	EXPECT_STR(failure.message, "machine cannot hold NetworkDenyAll here");
	EXPECT(failure.remedy[0] != '\0');
}

TEST(backends_are_found_by_name_and_the_others_suggested)
{
	const struct bv_backend *const known[] = {&bv_sim_backend, &bv_macos_backend};
	const struct bv_backend *found = NULL;
	struct bv_error failure;

	EXPECT_OK(bv_backend_find(known, 2, "macos", &found, err));
	EXPECT(found == &bv_macos_backend);
	EXPECT_UINT(bv_backend_find(known, 2, "mac", &found, &failure), BV_E_UNKNOWN_BACKEND);
	EXPECT_STR(failure.message, "there is no backend 'mac'");
	EXPECT_STR(failure.remedy, "use one of sim, macos");
}

/* ---- grades ---------------------------------------------------------------------------------- */

static struct bv_verdict only_best_effort(void *self, const struct bv_requirement *requirement,
					  const struct bv_profile *profile)
{
	(void)self;
	if (bv_kind_of(requirement) == BV_KIND_KILL &&
	    requirement->u.control.u.kill.guarantee == BV_KILL_ATOMIC)
		return (struct bv_verdict){.enforcement = BV_UNSUPPORTED};
	return bv_verdict_ceiling(requirement, profile);
}

TEST(a_grade_the_backend_does_not_hold_is_refused_though_it_holds_the_kind)
{
	struct machine machine;
	struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();

	spec_add_control(&spec, control_of(BV_CONTROL_KILL));
	EXPECT_OK(plan_with(&backend, &spec, err));
	backend.classify = only_best_effort;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_UNSUPPORTED, "Kill",
		     "can hold Kill here, but not as Atomic");
	spec.controls.items[1].u.kill.guarantee = BV_KILL_BEST_EFFORT;
	EXPECT_OK(plan_with(&backend, &spec, err));
}

TEST(a_root_without_what_lies_below_is_refused_where_nobody_honours_it)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();

	spec_add_capability(&spec, cap_files(BV_FS_READ, "/a"));
	EXPECT_OK(plan_with(&backend, &spec, err));
	spec.capabilities.items[0].u.filesystem.recursive = false;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_UNSUPPORTED, "Filesystem",
		     "not as recursive false");
}

/* ---- evidence -------------------------------------------------------------------------------- */

TEST(evidence_comes_from_its_own_control)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();

	/* Kill promises TerminalOutcome too; that must not stand in for the launch. */
	spec.evidence.require_exit_status = true;
	spec_add_control(&spec, control_of(BV_CONTROL_KILL));
	machine.profile.ceiling[BV_KIND_LAUNCH].evidence = 0;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_EVIDENCE, "evidence.require_exit_status",
		     "yields no TerminalOutcome");
	machine.profile.ceiling[BV_KIND_LAUNCH].evidence = 1u << BV_CLAIM_TERMINAL_OUTCOME;
	EXPECT_OK(plan_with(&backend, &spec, err));
	spec.evidence.require_captured_streams = true;
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_EVIDENCE,
		     "evidence.require_captured_streams",
		     "the control CaptureStreams that would yield it is not asked for");
	spec_add_control(&spec, control_capture(false, true, false));
	EXPECT_OK(plan_with(&backend, &spec, err));
}

/* ---- minimum enforcement ---------------------------------------------------------------------- */

TEST(what_is_only_mediated_is_named_all_of_it_with_the_first_reason)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();
	struct bv_error failure;

	spec_add_capability(&spec, cap_files(BV_FS_READ, "/a"));
	spec_add_capability(&spec, cap_files(BV_FS_WRITE, "/b"));
	spec_add_control(&spec, control_of(BV_CONTROL_KILL));
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_minimum = true,
						       .minimum = BV_MIN_ENFORCED};
	machine.profile.ceiling[BV_KIND_FILESYSTEM].enforcement = BV_MEDIATED;
	machine.profile.reason[BV_KIND_FILESYSTEM] = "names stay visible";
	machine.profile.remedy[BV_KIND_FILESYSTEM] = "allow namespaces";
	machine.profile.ceiling[BV_KIND_KILL].enforcement = BV_MEDIATED;
	EXPECT_UINT(plan_with(&backend, &spec, &failure), BV_E_MINIMUM);
	EXPECT_STR(failure.message,
		   "only Mediated by machine: Filesystem, Kill: names stay visible");
	EXPECT_STR(failure.remedy, "allow namespaces");

	/* One kind may be let off, or be the only one that must be. */
	spec.execution.has_minimum_for = true;
	spec.execution.minimum_for = (struct bv_kind_minimum_list)LIST(struct bv_kind_minimum,
								       {BV_KIND_FILESYSTEM,
									BV_MIN_MEDIATED});
	EXPECT_UINT(plan_with(&backend, &spec, &failure), BV_E_MINIMUM);
	EXPECT_STR(failure.message, "only Mediated by machine: Kill");
	spec.execution.has_minimum = false;
	EXPECT_OK(plan_with(&backend, &spec, err));
	spec.execution.minimum_for.items[0].guarantee = BV_MIN_ENFORCED;
	EXPECT_UINT(plan_with(&backend, &spec, &failure), BV_E_MINIMUM);
	EXPECT_STR(failure.message, "only Mediated by machine: Filesystem: names stay visible");
}

TEST(a_minimum_binds_stated_budgets_and_no_others)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();
	struct bv_error failure;

	machine.budget.wall_micros.enforcement = machine.budget.network_bytes
							 .enforcement = BV_MEDIATED;
	machine.budget.cpu_micros.enforcement = BV_UNSUPPORTED;
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_minimum = true,
						       .minimum = BV_MIN_ENFORCED};
	EXPECT_OK(plan_with(&backend, &spec, err));
	spec.budgets.has_wall_micros = spec.budgets.has_network_bytes = true;
	spec.budgets.wall_micros.limit = spec.budgets.network_bytes.limit = 5;
	EXPECT_UINT(plan_with(&backend, &spec, &failure), BV_E_MINIMUM);
	EXPECT_STR(failure.message, "budgets only Mediated by machine: wall_micros, network_bytes");
	spec.has_execution = false;
	EXPECT_OK(plan_with(&backend, &spec, err));
}

/* ---- the plan -------------------------------------------------------------------------------- */

static struct bv_boundary_plan plan_ok(const struct bv_backend *backend,
				       const struct bv_boundary_spec *spec)
{
	struct bv_boundary_plan plan;

	EXPECT_OK(bv_plan_boundary(backend, spec, arena_now(), &plan, err));
	return plan;
}

TEST(a_plan_carries_what_was_admitted_by_what_and_how_strongly)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();
	struct bv_boundary_plan plan;
	char id[65];

	spec_add_control(&spec, control_of(BV_CONTROL_KILL));
	spec_add_capability(&spec, cap_network_none());
	spec.budgets.has_wall_micros = true;
	spec.budgets.wall_micros.limit = 7;
	machine.profile.ceiling[BV_KIND_KILL].enforcement = BV_MEDIATED;
	machine.profile.primitive[BV_KIND_NETWORK_DENY_ALL] = "empty_netns";
	machine.profile.primitive[BV_KIND_LAUNCH] = NULL;
	plan = plan_ok(&backend, &spec);
	EXPECT_UINT(plan.schema_version, 1);
	EXPECT_STR(plan.backend.data, "machine");
	EXPECT_UINT(plan.admitted.count, 3);
	EXPECT_STR(plan.admitted.items[0].mechanism.data, "machine:empty_netns:Enforced");
	EXPECT_STR(plan.admitted.items[1].mechanism.data, "machine:none/no-confinement:Enforced");
	EXPECT_STR(plan.admitted.items[2].mechanism.data, "machine:thing:Mediated");
	EXPECT_UINT(plan.admitted.items[2].enforcement, BV_MEDIATED);
	EXPECT(plan.budgets.has_wall_micros && !plan.budgets.has_cpu_micros && !plan.has_execution);
	EXPECT(!plan.evidence.require_exit_status && !plan.evidence.require_captured_streams);
	EXPECT_STR(plan.workload.u.process.exe.data, "/bin/true");
	EXPECT_OK(bv_plan_check_id(&plan, err));
	bv_digest_hex(&plan.plan_id, id);
	EXPECT_UINT(strlen(id), 64);
}

TEST(a_plan_carries_evidence_and_the_way_to_run)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	struct bv_boundary_spec spec = spec_launch();
	struct bv_boundary_plan plan;

	spec.evidence.require_exit_status = true;
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_cwd = true, .cwd = S("/w")};
	plan = plan_ok(&backend, &spec);
	EXPECT(plan.evidence.require_exit_status && !plan.evidence.require_captured_streams);
	EXPECT(plan.has_execution && plan.execution.has_cwd);
	EXPECT_STR(plan.execution.cwd.data, "/w");
}

TEST(a_plan_s_id_is_the_hash_of_its_bytes_with_the_id_zero)
{
	const struct bv_backend backend = bv_sim_backend;
	const struct bv_boundary_spec spec = spec_launch();
	struct bv_boundary_plan plan = plan_ok(&backend, &spec);
	const struct bv_digest id = plan.plan_id;
	struct bv_digest hash;
	struct bv_str bytes;

	memset(&plan.plan_id, 0, sizeof plan.plan_id);
	bytes = bytes_of(&bv_boundary_plan_type, &plan);
	bv_hash_bytes(bytes.data, bytes.len, &hash);
	EXPECT(bv_digest_equal(&id, &hash));
}

TEST(equal_requests_have_equal_plans_byte_for_byte)
{
	const struct bv_backend backend = bv_sim_backend;
	struct bv_boundary_spec one = spec_launch(), two = spec_launch();
	struct bv_boundary_plan plan_one, plan_two;

	spec_add_capability(&one, cap_files(BV_FS_READ, "/a"));
	spec_add_capability(&one, cap_files(BV_FS_WRITE, "/a"));
	spec_add_capability(&one, cap_network_none());
	spec_add_control(&one, control_capture(true, false, false));
	spec_add_control(&one, control_capture(false, true, false));
	spec_add_capability(&two, cap_network_none());
	spec_add_capability(&two, cap_files(BV_FS_READ_WRITE, "//a/"));
	spec_add_control(&two, control_capture(true, true, false));
	two.has_execution = true;
	two.execution = (struct bv_execution_options){.has_terminal = true, .terminal = false};
	plan_one = plan_ok(&backend, &one);
	plan_two = plan_ok(&backend, &two);
	EXPECT(bv_digest_equal(&plan_one.plan_id, &plan_two.plan_id));
	EXPECT(bv_str_equal(bytes_of(&bv_boundary_plan_type, &plan_one),
			    bytes_of(&bv_boundary_plan_type, &plan_two)));
	two.workload.u.process.exe = BV_STR("/bin/false");
	plan_two = plan_ok(&backend, &two);
	EXPECT(!bv_digest_equal(&plan_one.plan_id, &plan_two.plan_id));
}

TEST(every_part_of_a_plan_is_bound_by_its_id)
{
	const struct bv_backend backend = bv_sim_backend;
	struct bv_boundary_spec spec = spec_launch();
	struct bv_boundary_plan plan, altered;
	struct bv_error failure;

	spec_budgets(&spec, 50, BV_MIN_MEDIATED);
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_cwd = true, .cwd = S("/w")};
	plan = plan_ok(&backend, &spec);
#define EXPECT_ALTERED(change)                                                                     \
	do {                                                                                       \
		EXPECT_OK(                                                                         \
			bv_value_copy(arena_now(), &bv_boundary_plan_type, &plan, &altered, err)); \
		EXPECT_OK(bv_plan_check_id(&altered, err));                                        \
		change;                                                                            \
		EXPECT_UINT(bv_plan_check_id(&altered, &failure), BV_E_PLAN);                      \
		EXPECT_UINT(bv_plan_recheck(&backend, &altered, arena_now(), NULL, &failure),      \
			    BV_E_PLAN);                                                            \
	} while (0)
	EXPECT_ALTERED(altered.plan_id.bytes[31] ^= 1);
	EXPECT_ALTERED(altered.schema_version = 2);
	EXPECT_ALTERED(altered.backend = BV_STR("linux"));
	EXPECT_ALTERED(altered.profile.probed.items[0].value = BV_STR("else"));
	EXPECT_ALTERED(altered.profile.budget.wall_micros.available++);
	EXPECT_ALTERED(altered.admitted.count = 0);
	EXPECT_ALTERED(altered.admitted.items[0].enforcement = BV_MEDIATED);
	EXPECT_ALTERED(altered.workload.u.process.exe = BV_STR("/bin/sh"));
	EXPECT_ALTERED(altered.budgets.has_wall_micros = false);
	EXPECT_ALTERED(altered.budgets.cpu_micros.effective_limit++);
	EXPECT_ALTERED(altered.evidence.require_exit_status = true);
	EXPECT_ALTERED(altered.execution.cwd = BV_STR("/"));
	EXPECT_ALTERED(altered.has_execution = false);
	/* What cannot even be written is refused before anything is hashed. */
	EXPECT_OK(bv_value_copy(arena_now(), &bv_boundary_plan_type, &plan, &altered, err));
	altered.admitted.items[0].enforcement = (enum bv_enforcement)9;
	EXPECT_FAILS(bv_plan_recheck(&backend, &altered, arena_now(), NULL, err), BV_E_PLAN,
		     "admitted[0].enforcement", "none of the known names");
}

/* ---- drift ----------------------------------------------------------------------------------- */

TEST(an_unchanged_machine_is_found_unchanged)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	const struct bv_boundary_spec spec = spec_launch();
	struct bv_profile_snapshot fresh;
	struct bv_boundary_plan plan;

	machine.facts = (struct bv_text_map)LIST(struct bv_text_pair, {S("a"), S("1")},
						 {S("c"), S("3")});
	plan = plan_ok(&backend, &spec);
	EXPECT_OK(bv_plan_recheck(&backend, &plan, arena_now(), &fresh, err));
	EXPECT_INT(bv_value_compare(&bv_profile_snapshot_type, &fresh, &plan.profile), 0);
	EXPECT_UINT(machine.probes, 2);
}

TEST(the_first_fact_that_changed_is_named)
{
	struct machine machine;
	const struct bv_backend backend = backend_of(&machine);
	const struct bv_boundary_spec spec = spec_launch();
	struct bv_text_pair before[] = {{S("a"), S("1")}, {S("c"), S("3")}};
	struct bv_text_pair other[] = {{S("a"), S("1")}, {S("c"), S("4")}};
	struct bv_text_pair more[] = {{S("a"), S("1")}, {S("b"), S("2")}, {S("c"), S("3")}};
	struct bv_text_pair last[] = {{S("a"), S("1")}, {S("c"), S("3")}, {S("d"), S("5")}};
	struct bv_boundary_plan plan;

	machine.facts = (struct bv_text_map){before, 2};
	plan = plan_ok(&backend, &spec);
#define EXPECT_DRIFT(items, count, where, message)                                                 \
	machine.facts = (struct bv_text_map){items, count};                                        \
	EXPECT_FAILS(bv_plan_recheck(&backend, &plan, arena_now(), NULL, err), BV_E_PROFILE,       \
		     where, message)
	EXPECT_DRIFT(other, 2, "profile.probed.c", "this fact is another ('3', now '4')");
	EXPECT_DRIFT(more, 3, "profile.probed.b", "this fact is new ('', now '2')");
	EXPECT_DRIFT(before + 1, 1, "profile.probed.a", "this fact is gone ('1', now '')");
	EXPECT_DRIFT(before, 1, "profile.probed.c", "this fact is gone ('3', now '')");
	EXPECT_DRIFT(last, 3, "profile.probed.d", "this fact is new");
	EXPECT_DRIFT(NULL, 0, "profile.probed.a", "this fact is gone");
	machine.facts = (struct bv_text_map){before, 2};
	machine.budget.resident_bytes.available = 999;
	EXPECT_FAILS(bv_plan_recheck(&backend, &plan, arena_now(), NULL, err), BV_E_PROFILE,
		     "profile.budget",
		     "resident_bytes was Enforced up to 1000, now Enforced up to 999");
	machine.budget.resident_bytes.available = 1000;
	EXPECT_OK(bv_plan_recheck(&backend, &plan, arena_now(), NULL, err));
}

TEST(a_plan_is_for_the_backend_it_was_made_for)
{
	struct machine machine;
	struct bv_backend backend = backend_of(&machine);
	const struct bv_boundary_spec spec = spec_launch();
	const struct bv_boundary_plan plan = plan_ok(&backend, &spec);

	EXPECT_FAILS(bv_plan_recheck(&bv_sim_backend, &plan, arena_now(), NULL, err), BV_E_PLAN,
		     "backend", "a plan made for machine is offered to sim");
	backend.id = "engine";
	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_PROFILE, "profile.backend",
		     "answers as machine");
}

TEST(a_probe_that_cannot_be_written_is_no_basis_for_a_plan)
{
	struct bv_sim sim = {.lies = BV_SIM_MALFORMED_PROBE};
	const struct bv_backend backend = bv_sim_make(&sim);
	const struct bv_boundary_spec spec = spec_launch();

	EXPECT_FAILS(plan_with(&backend, &spec, err), BV_E_PROFILE, "probed[1]", "out of order");
}

TEST(a_planner_without_memory_says_memory)
{
	const struct bv_backend backend = bv_sim_backend;
	struct bv_boundary_spec spec = spec_launch();
	bool passed = false;

	spec_add_capability(&spec, cap_files(BV_FS_READ, "/a"));
	for (size_t size = 0; size < 60000 && !passed; size += 16) {
		static uint8_t memory[60000];
		struct bv_boundary_plan plan;
		struct bv_arena arena;
		enum bv_code code;

		bv_arena_init(&arena, memory, size);
		code = bv_plan_boundary(&backend, &spec, &arena, &plan, NULL);
		EXPECT_THAT(code == BV_OK || code == BV_E_MEMORY, "%s at %zu bytes",
			    bv_code_name(code), size);
		passed = code == BV_OK;
	}
	EXPECT(passed);
}

/* ---- the backends that refuse ------------------------------------------------------------------ */

TEST(platforms_without_a_backend_refuse_every_requirement)
{
	const struct bv_backend *const stubs[] = {&bv_macos_backend, &bv_windows_backend};

	for (size_t i = 0; i < 2; i++) {
		struct bv_boundary_spec spec = spec_launch();

		EXPECT_FAILS(plan_with(stubs[i], &spec, err), BV_E_UNSUPPORTED, "LaunchWorkload",
			     i == 0 ? "no backend for macOS" : "no backend for Windows");
		spec_add_capability(&spec, cap_files(BV_FS_READ, "/a"));
		EXPECT_FAILS(plan_with(stubs[i], &spec, err), BV_E_UNSUPPORTED, "Filesystem",
			     stubs[i]->id);
		EXPECT(stubs[i]->start == NULL);
	}
}

TEST(profiles_are_deterministic)
{
	const struct bv_backend *const backends[] = {&bv_macos_backend, &bv_windows_backend,
						     &bv_sim_backend};

	for (size_t i = 0; i < 3; i++) {
		struct bv_profile_snapshot one, two;
		struct bv_profile profile_one, profile_two;

		EXPECT_OK(backends[i]->probe(backends[i]->self, arena_now(), &one, err));
		EXPECT_OK(backends[i]->probe(backends[i]->self, arena_now(), &two, err));
		EXPECT_INT(bv_value_compare(&bv_profile_snapshot_type, &one, &two), 0);
		memset(&profile_one, 0, sizeof profile_one);
		memset(&profile_two, 0, sizeof profile_two);
		backends[i]->profile(backends[i]->self, &one, NULL, &profile_one);
		backends[i]->profile(backends[i]->self, &one, NULL, &profile_two);
		EXPECT_BYTES(&profile_one, sizeof profile_one, &profile_two, sizeof profile_two);
	}
}

TEST(the_inert_reference_refuses_at_its_floor)
{
	const struct bv_backend inert = reference_inert();
	struct bv_boundary_spec spec = spec_launch();

	spec_add_capability(&spec, cap_files(BV_FS_READ_WRITE, NULL));
	EXPECT_FAILS(plan_with(&inert, &spec, err), BV_E_UNSUPPORTED, "Filesystem",
		     "inert cannot hold Filesystem");
	spec = spec_launch();
	spec_budgets(&spec, 0, BV_MIN_MEDIATED);
	EXPECT_FAILS(plan_with(&inert, &spec, err), BV_E_BUDGET_REFUSED, "budgets.wall_micros",
		     "0 is below 1");
	spec_budgets(&spec, 64, BV_MIN_MEDIATED);
	EXPECT_FAILS(plan_with(&inert, &spec, err), BV_E_BUDGET_REFUSED, "budgets.wall_micros",
		     "inert cannot hold");
	spec.workload = (struct bv_workload){.tag = BV_WORKLOAD_WASM,
					     .u.wasm = {.module_ref = S("m")}};
	EXPECT_FAILS(plan_with(&inert, &spec, err), BV_E_WORKLOAD, "workload",
		     "inert cannot run a Wasm workload");
}
