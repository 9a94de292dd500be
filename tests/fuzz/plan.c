/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * plan.c - fuzzes the policy gate and the planner with whatever decodes as a spec.
 *
 * What is refused is refused with a place and a reason.  What is admitted is planned the same
 * twice, has an id that recomputes, can be written and read, and its normal form is its own.
 * The first byte chooses canonical bytes or JSON.
 */
#include "fuzz.h"

#include <string.h>

#include "contract/budget.h"
#include "contract/canon.h"
#include "contract/json.h"
#include "contract/plan.h"
#include "contract/policy.h"
#include "contract/value.h"

enum { ARENA_SIZE = 8 << 20 };

/* Holds everything but an allow-list, some of it weakly. */
static enum bv_code probe(void *self, struct bv_arena *arena,
			  struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	const struct bv_budget_availability strong = {UINT64_MAX, BV_ENFORCED, 0x3ff,
						      BV_STR("strong")};
	const struct bv_budget_availability weak = {1 << 20, BV_MEDIATED, 0, BV_STR("weak")};

	(void)self;
	(void)arena;
	(void)err;
	*ret_snapshot = (struct bv_profile_snapshot){
		.backend = BV_STR("fuzz"),
		.budget = {strong, strong, strong, strong, weak, weak, weak},
	};
	return BV_OK;
}

static void profile(void *self, const struct bv_profile_snapshot *snapshot,
		    const struct bv_execution_options *execution, struct bv_profile *ret_profile)
{
	(void)self;
	(void)snapshot;
	(void)execution;
	memset(ret_profile, 0, sizeof(*ret_profile));
	for (size_t kind = 0; kind < BV_KIND_COUNT; kind++)
		ret_profile->ceiling[kind] = (struct bv_verdict){BV_ENFORCED, 0x3ff};
	ret_profile->ceiling[BV_KIND_NETWORK_ALLOW_LIST] = (struct bv_verdict){BV_UNSUPPORTED, 0};
	ret_profile->ceiling[BV_KIND_KILL] = (struct bv_verdict){BV_MEDIATED, 0};
}

static bool runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	return workload->tag == BV_WORKLOAD_PROCESS;
}

static const struct bv_backend backend = {.id = "fuzz",
					  .probe = probe,
					  .profile = profile,
					  .runs = runs};

static void expect_refusal(enum bv_code code, const struct bv_error *err)
{
	bv_assert(code != BV_OK && err->code == code && err->message[0] != '\0');
	bv_assert(code == BV_E_MEMORY || err->where[0] != '\0');
}

static void plan_spec(struct bv_arena *arena, const struct bv_boundary_spec *spec)
{
	struct bv_boundary_plan plan, again;
	struct bv_boundary_spec normal, normal_again;
	struct bv_error err;
	struct bv_str bytes;
	enum bv_code code;

	memset(&err, 0, sizeof(err));
	code = bv_policy_normalise(arena, spec, &normal, &err);
	if (code != BV_OK) {
		expect_refusal(code, &err);
		return;
	}
	bv_assert(bv_policy_normalise(arena, &normal, &normal_again, NULL) == BV_OK);
	bv_assert(bv_value_compare(&bv_boundary_spec_type, &normal, &normal_again) == 0);

	code = bv_plan_boundary(&backend, spec, arena, &plan, &err);
	if (code != BV_OK) {
		expect_refusal(code, &err);
		return;
	}
	bv_assert(bv_plan_check_id(&plan, NULL) == BV_OK);
	bv_assert(bv_plan_recheck(&backend, &plan, arena, NULL, NULL) == BV_OK);
	bv_assert(bv_plan_boundary(&backend, &normal, arena, &again, NULL) == BV_OK);
	bv_assert(bv_digest_equal(&plan.plan_id, &again.plan_id));
	bytes = bv_canon_bytes(arena, &bv_boundary_plan_type, &plan);
	bv_assert(bytes.data != NULL);
	bv_assert(bv_canon_decode(arena, &bv_boundary_plan_type, bytes.data, bytes.len, &again,
				  NULL) == BV_OK);
	bv_assert(bv_plan_check_id(&again, NULL) == BV_OK);
}

void bv_fuzz_one(const uint8_t *data, size_t size_bytes)
{
	static uint8_t memory[ARENA_SIZE];
	struct bv_boundary_spec spec;
	struct bv_arena arena;
	enum bv_code code;

	/* A short input cannot fill the arena: then no answer below is for want of memory. */
	if (size_bytes == 0 || size_bytes > 1 << 14)
		return;
	bv_arena_init(&arena, memory, sizeof(memory));
	if ((data[0] & 1) == 0)
		code = bv_canon_decode(&arena, &bv_boundary_spec_type, data + 1, size_bytes - 1,
				       &spec, NULL);
	else
		code = bv_json_decode(&arena, &bv_boundary_spec_type, (const char *)data + 1,
				      size_bytes - 1, &spec, NULL);
	if (code == BV_OK)
		plan_spec(&arena, &spec);
}
