/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* limits.c - budgets are held exactly where the plan says so, and refused where they cannot be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "confine.h"
#include "linux/cgroup.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

EVERYWHERE(exactly_as_many_tasks_as_allowed_can_live_at_once)
{
	/* There the kernel would count everything of that user, so bvisor counts. */
	const bool asked = place->bare && geteuid() != 0 && !kernel_controls(BV_CONTROLLER_PIDS);

	for (int limit = 2; limit <= 9; limit += 7) {
		struct bv_spec *spec = guest_spec(place, "tasks", "40", NULL);
		char line[40];
		struct ran ran;

		SURE(bv_spec_budget(spec, BV_BUDGET_PROCESSES, (uint64_t)limit, err));
		ran = run_spec(spec);
		(void)snprintf(line, sizeof(line), "tasks %d then %d", limit, EAGAIN);
		EXPECT_SAID(&ran, line);
		EXPECT_INT(ran.report.body.budget.process_count.supplied_guarantee.tag,
			   asked ? BV_GUARANTEE_MEDIATED : BV_GUARANTEE_HARD);
		if (asked)
			EXPECT_INT(ran.report.body.budget.process_count.finding,
				   BV_FINDING_LIMIT_REACHED);
	}
}

EVERYWHERE(without_a_limit_tasks_are_not_limited)
{
	struct ran ran = run_guest(place, "tasks", "40", NULL);

	EXPECT_SAID(&ran, "tasks 40");
}

/* Two runs at once share no count: each has a user or a user namespace of its own. */
EVERYWHERE(neighbours_do_not_use_up_the_tasks)
{
	struct bv_spec *spec;
	struct bv_run *one, *other;
	struct ran ran;

	one = start_spec(guest_spec(place, "tasks", "30", ",", "sleep", "500", NULL), NULL);
	spec = guest_spec(place, "tasks", "10", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_PROCESSES, 5, err));
	other = start_spec(spec, NULL);
	EXPECT(await_end(other, 20000) && await_end(one, 20000));
	ran = finish_run(other);
	EXPECT(strstr(ran.out, "tasks 5 then") != NULL);
	ran = finish_run(one);
	EXPECT_SAID(&ran, "tasks 30");
}

EVERYWHERE(handles_are_bounded_for_each_process)
{
	struct bv_spec *spec = guest_spec(place, "open", "1000", NULL);
	struct ran ran;

	SURE(bv_spec_budget(spec, BV_BUDGET_HANDLES, 20, err));
	ran = run_spec(spec);
	/* The standard three are among them. */
	EXPECT_SAID(&ran, "opened 17");
	EXPECT_INT(ran.report.body.budget.handle_count.supplied_guarantee.tag, BV_GUARANTEE_HARD);
}

EVERYWHERE(more_handles_than_the_host_has_are_refused)
{
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct rlimit files;

	EXPECT(getrlimit(RLIMIT_NOFILE, &files) == 0);
	SURE(bv_spec_budget(spec, BV_BUDGET_HANDLES, (uint64_t)files.rlim_max + 1, err));
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_BUDGET_REFUSED);
}

EVERYWHERE(limits_are_read_back_before_the_program_runs)
{
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	const struct bv_attestation_list *attested;
	struct ran ran;
	bool found = false;

	SURE(bv_spec_budget(spec, BV_BUDGET_HANDLES, 64, err));
	ran = run_spec(spec);
	attested = &ran.report.body.attestations;
	for (size_t i = 0; i < attested->count; i++) {
		EXPECT_THAT(attested->items[i].holds, "the layer '%s' does not hold",
			    attested->items[i].layer.data);
		for (size_t e = 0; e < attested->items[i].evidence.count; e++) {
			const struct bv_text_pair *pair = &attested->items[i].evidence.items[e];

			found |= bv_str_is(pair->key, "open files") && bv_str_is(pair->value, "64");
		}
	}
	EXPECT(found);
	/* Two more where the run has a control group: that, and that nobody was left in it. */
	EXPECT(attested->count == (place->bare ? 3 : 5) ||
	       attested->count == (place->bare ? 5 : 7));
}
