/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_lowering.c - schedules: order, refusals, digests. */
#include "contract_helpers.h"

#include "contract/lowering.h"

static struct bv_primitive primitive(const char *id, enum bv_phase phase)
{
	return (struct bv_primitive){.id = bv_str_from(id), .version = 1, .phase = phase};
}

static void expect_order(const struct bv_primitive *primitives, size_t count, const char *expected)
{
	struct bv_schedule schedule;
	struct bv_str names = BV_STR("");

	EXPECT_OK(bv_schedule_compile(arena_now(), primitives, count, &schedule, err));
	for (size_t i = 0; i < schedule.count; i++)
		names = bv_arena_format(arena_now(), "%s%s%.*s", names.data, i == 0 ? "" : " ",
					(int)schedule.entries[i].id.len,
					schedule.entries[i].id.data);
	EXPECT_STR(names.data, expected);
}

TEST(independent_primitives_go_by_phase_then_id)
{
	const struct bv_primitive primitives[] = {primitive("z_launch", BV_PHASE_LAUNCH),
						  primitive("m_policy", BV_PHASE_POLICY_INSTALL),
						  primitive("a_ns", BV_PHASE_NAMESPACE_CREATE)};
	const struct bv_primitive ties[] = {primitive("c", BV_PHASE_LAUNCH),
					    primitive("a", BV_PHASE_LAUNCH),
					    primitive("b", BV_PHASE_LAUNCH)};

	expect_order(primitives, 3, "a_ns m_policy z_launch");
	expect_order(ties, 3, "a b c");
	expect_order(NULL, 0, "");
}

TEST(a_prerequisite_goes_first_within_its_phase)
{
	struct bv_str needs[] = {S("zzz_first")};
	struct bv_primitive primitives[] = {primitive("aaa_second", BV_PHASE_LAUNCH),
					    primitive("zzz_first", BV_PHASE_LAUNCH)};

	primitives[0].prerequisites = (struct bv_str_list){needs, 1};
	expect_order(primitives, 2, "zzz_first aaa_second");
}

TEST(what_cannot_be_ordered_is_refused_by_name)
{
	struct bv_str other[] = {S("a")}, absent[] = {S("absent")}, late[] = {S("late")};
	struct bv_primitive twice[] = {primitive("dup", BV_PHASE_LAUNCH),
				       primitive("dup", BV_PHASE_OBSERVE)};
	struct bv_primitive needy[] = {primitive("needs", BV_PHASE_LAUNCH)};
	struct bv_primitive foes[] = {primitive("z", BV_PHASE_LAUNCH),
				      primitive("a", BV_PHASE_LAUNCH)};
	struct bv_primitive early[] = {primitive("early", BV_PHASE_NAMESPACE_CREATE),
				       primitive("late", BV_PHASE_LAUNCH)};
	struct bv_schedule schedule;

	needy[0].prerequisites = (struct bv_str_list){absent, 1};
	foes[0].conflicts = (struct bv_str_list){other, 1};
	early[0].prerequisites = (struct bv_str_list){late, 1};
	EXPECT_FAILS(bv_schedule_compile(arena_now(), twice, 2, &schedule, err), BV_E_ARGUMENT,
		     "dup", "is there twice");
	EXPECT_FAILS(bv_schedule_compile(arena_now(), needy, 1, &schedule, err), BV_E_ARGUMENT,
		     "needs", "needs what is not there: absent");
	EXPECT_FAILS(bv_schedule_compile(arena_now(), foes, 2, &schedule, err), BV_E_ARGUMENT, "a",
		     "conflicts with z");
	EXPECT_FAILS(bv_schedule_compile(arena_now(), early, 2, &schedule, err), BV_E_ARGUMENT,
		     "early", "needs one of a later phase: late");
}

TEST(a_cycle_is_refused_and_its_members_named)
{
	struct bv_str a[] = {S("a")}, b[] = {S("b")};
	struct bv_primitive primitives[] = {primitive("b", BV_PHASE_LAUNCH),
					    primitive("a", BV_PHASE_LAUNCH),
					    primitive("free", BV_PHASE_LAUNCH)};
	struct bv_schedule schedule;

	primitives[0].prerequisites = (struct bv_str_list){a, 1};
	primitives[1].prerequisites = (struct bv_str_list){b, 1};
	EXPECT_FAILS(bv_schedule_compile(arena_now(), primitives, 3, &schedule, err), BV_E_ARGUMENT,
		     "", "wait for each other: a, b");
	primitives[1].prerequisites = (struct bv_str_list){a, 1};
	EXPECT_FAILS(bv_schedule_compile(arena_now(), primitives + 1, 1, &schedule, err),
		     BV_E_ARGUMENT, "", "wait for each other: a");
}

TEST(a_declaration_s_digest_depends_on_content_not_on_order)
{
	struct bv_str xy[] = {S("x"), S("y")}, yxy[] = {S("y"), S("x"), S("y")};
	struct bv_primitive one = primitive("p", BV_PHASE_LAUNCH), two = one;
	struct bv_digest digest_one, digest_two;

	one.prerequisites = one.conflicts = (struct bv_str_list){xy, 2};
	two.prerequisites = two.conflicts = (struct bv_str_list){yxy, 3};
	EXPECT_OK(bv_primitive_digest(arena_now(), &one, &digest_one, err));
	EXPECT_OK(bv_primitive_digest(arena_now(), &two, &digest_two, err));
	EXPECT(bv_digest_equal(&digest_one, &digest_two));
	two.version = 2;
	EXPECT_OK(bv_primitive_digest(arena_now(), &two, &digest_two, err));
	EXPECT(!bv_digest_equal(&digest_one, &digest_two));
	/* What the caller gave is not sorted under its hands. */
	EXPECT_STR(yxy[0].data, "y");
}

TEST(the_schedule_does_not_depend_on_the_order_of_its_input)
{
	struct bv_primitive primitives[5];
	struct bv_str needs[] = {S("e")};
	struct bv_digest first, digest;
	struct random random = {random_seed(11)};
	struct bv_schedule schedule;

	for (unsigned int i = 0; i < 5; i++)
		primitives[i] = primitive((const char *[]){"a", "b", "c", "d", "e"}[i],
					  i % 2 ? BV_PHASE_FS_SETUP : BV_PHASE_LAUNCH);
	primitives[0].prerequisites = (struct bv_str_list){needs, 1};
	EXPECT_OK(bv_schedule_compile(arena_now(), primitives, 5, &schedule, err));
	bv_schedule_digest(&schedule, &first);
	for (int round = 0; round < 50; round++) {
		const size_t i = (size_t)random_below(&random, 5),
			     j = (size_t)random_below(&random, 5);
		const struct bv_primitive swap = primitives[i];

		primitives[i] = primitives[j];
		primitives[j] = swap;
		EXPECT_OK(bv_schedule_compile(arena_now(), primitives, 5, &schedule, err));
		bv_schedule_digest(&schedule, &digest);
		EXPECT(bv_digest_equal(&first, &digest));
	}
}

TEST(phases_have_the_reference_s_names_and_numbers)
{
	static const char *const names[] = {"NamespaceCreate", "FsSetup",       "PrivilegeDrop",
					    "FdHygiene",       "PolicyInstall", "Launch",
					    "Observe",         "Teardown"};

	for (unsigned int i = 0; i < 8; i++)
		EXPECT_STR(bv_phase_name((enum bv_phase)i), names[i]);
}
