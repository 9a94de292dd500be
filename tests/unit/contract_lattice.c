/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_lattice.c - kinds, and the laws of verdicts, over all there are. */
#include "contract_helpers.h"

#include "contract/support.h"

#include "contract_reference.h"

static const enum bv_enforcement all[] = {BV_ENFORCED, BV_MEDIATED, BV_UNSUPPORTED};

static unsigned int strength(enum bv_enforcement enforcement)
{
	return bv_enforcement_strength(enforcement);
}

TEST(meet_of_enforcement_is_commutative_associative_idempotent_and_the_weaker)
{
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < 3; b++) {
			const enum bv_enforcement meet = bv_enforcement_meet(all[a], all[b]);
			const unsigned int weaker = strength(all[a]) < strength(all[b])
							    ? strength(all[a])
							    : strength(all[b]);

			EXPECT_UINT(meet, bv_enforcement_meet(all[b], all[a]));
			EXPECT_UINT(strength(meet), weaker);
			for (size_t c = 0; c < 3; c++)
				EXPECT_UINT(bv_enforcement_meet(meet, all[c]),
					    bv_enforcement_meet(all[a],
								bv_enforcement_meet(all[b],
										    all[c])));
		}
	for (size_t a = 0; a < 3; a++) {
		EXPECT_UINT(bv_enforcement_meet(all[a], all[a]), all[a]);
		EXPECT_UINT(bv_enforcement_meet(all[a], BV_UNSUPPORTED), BV_UNSUPPORTED);
		EXPECT_UINT(bv_enforcement_meet(all[a], BV_ENFORCED), all[a]);
	}
}

TEST(strength_is_the_reverse_of_declaration)
{
	EXPECT_UINT(strength(BV_ENFORCED), 2);
	EXPECT_UINT(strength(BV_MEDIATED), 1);
	EXPECT_UINT(strength(BV_UNSUPPORTED), 0);
	EXPECT_UINT(bv_guarantee_strength(BV_MIN_ENFORCED), 2);
	EXPECT_UINT(bv_guarantee_strength(BV_MIN_MEDIATED), 1);
}

static bool same(struct bv_verdict a, struct bv_verdict b)
{
	return a.enforcement == b.enforcement && a.evidence == b.evidence;
}

TEST(meet_of_verdicts_keeps_the_laws_over_every_verdict_of_three_claims)
{
	struct bv_verdict v[24];

	for (unsigned int i = 0; i < 24; i++)
		v[i] = (struct bv_verdict){all[i % 3], i / 3};
	for (size_t a = 0; a < 24; a++) {
		EXPECT(same(bv_verdict_meet(v[a], v[a]), v[a]));
		for (size_t b = 0; b < 24; b++) {
			const struct bv_verdict meet = bv_verdict_meet(v[a], v[b]);

			EXPECT(same(meet, bv_verdict_meet(v[b], v[a])));
			EXPECT((meet.evidence & ~v[a].evidence) == 0 &&
			       (meet.evidence & ~v[b].evidence) == 0);
			for (size_t c = 0; c < 24; c++)
				EXPECT(same(bv_verdict_meet(meet, v[c]),
					    bv_verdict_meet(v[a], bv_verdict_meet(v[b], v[c]))));
		}
	}
}

/* One requirement of each kind, in the order of the kinds. */
static void one_of_each(struct bv_requirement ret_requirements[BV_KIND_COUNT])
{
	static uint32_t fd = 3;
	static struct bv_net_dest peer = {S("h"), 443};
	const struct bv_capability capabilities[] = {
		cap_files(BV_FS_READ, "/a"),
		cap_network_none(),
		{.tag = BV_CAP_NETWORK,
		 .u.network.policy = {.tag = BV_NET_ALLOW_LIST, .u.peers = {&peer, 1}}},
		cap_spawn(BV_SPAWN_DENY_NEW_TASKS),
		cap_spawn(BV_SPAWN_ALLOW_THREADS),
		cap_spawn(BV_SPAWN_ALLOW_DESCENDANTS),
		cap_env(0, NULL),
		{.tag = BV_CAP_INHERITED_FDS},
		cap_fds(1, &fd),
	};

	for (size_t i = 0; i < 9; i++)
		ret_requirements[i] = (struct bv_requirement){.tag = BV_REQ_CAPABILITY,
							      .u.capability = capabilities[i]};
	for (unsigned int tag = 0; tag < 8; tag++)
		ret_requirements[9 + tag] = (struct bv_requirement){
			.tag = BV_REQ_HOST_CONTROL,
			.u.control = control_of((enum bv_host_control_tag)tag)};
}

TEST(each_of_the_seventeen_kinds_has_its_requirement)
{
	struct bv_requirement requirements[BV_KIND_COUNT];

	EXPECT_UINT(BV_KIND_COUNT, 17);
	one_of_each(requirements);
	for (unsigned int kind = 0; kind < BV_KIND_COUNT; kind++)
		EXPECT_STR(bv_kind_name(bv_kind_of(&requirements[kind])),
			   bv_kind_name((enum bv_requirement_kind)kind));
}

/* The reference's canonical policy bytes start with family and variant: two bytes that are a kind. */
TEST(two_policies_have_one_kind_exactly_when_family_and_variant_agree)
{
	struct bv_requirement requirements[BV_KIND_COUNT];

	one_of_each(requirements);
	for (size_t a = 1; a < 9; a++)
		for (size_t b = 1; b < 9; b++) {
			const struct bv_str bytes_a = reference_policy(
				&requirements[a].u.capability);
			const struct bv_str bytes_b = reference_policy(
				&requirements[b].u.capability);

			EXPECT_UINT(memcmp(bytes_a.data, bytes_b.data, 2) == 0,
				    bv_kind_of(&requirements[a]) == bv_kind_of(&requirements[b]));
		}
}

TEST(different_policies_have_different_canonical_bytes_and_aliases_the_same)
{
	const struct bv_env_entry ab[] = {env_literal(BV_STR("A"), BV_STR("1")),
					  env_literal(BV_STR("B"), BV_STR("2"))};
	const struct bv_env_entry ba[] = {ab[1], ab[0]};
	const struct bv_env_entry joined[2][1] = {{env_literal(BV_STR("AB"), BV_STR("C"))},
						  {env_literal(BV_STR("A"), BV_STR("BC"))}};
	const struct bv_capability distinct[] = {
		{.tag = BV_CAP_INHERITED_FDS},
		cap_fds(0, NULL),
		cap_fds(1, (const uint32_t[]){3}),
		cap_fds(2, (const uint32_t[]){3, 4}),
		cap_spawn(BV_SPAWN_DENY_NEW_TASKS),
		cap_spawn(BV_SPAWN_ALLOW_THREADS),
		cap_spawn(BV_SPAWN_ALLOW_DESCENDANTS),
		cap_env(0, NULL),
		cap_env(1, ab),
		cap_env(2, ab),
		cap_env(1, joined[0]),
		cap_env(1, joined[1]),
		cap_network_none(),
	};
	const size_t count = sizeof distinct / sizeof distinct[0];

	for (size_t a = 0; a < count; a++)
		for (size_t b = 0; b < count; b++)
			EXPECT_UINT(bv_str_equal(reference_policy(&distinct[a]),
						 reference_policy(&distinct[b])),
				    a == b);
	EXPECT(bv_str_equal(
		reference_policy(&(struct bv_capability){
			.tag = BV_CAP_ENVIRONMENT, .u.environment = cap_env(2, ab).u.environment}),
		reference_policy(
			&(struct bv_capability){.tag = BV_CAP_ENVIRONMENT,
						.u.environment = cap_env(2, ba).u.environment})));
}

TEST(a_root_without_what_lies_below_is_not_held_whatever_the_ceiling_says)
{
	struct bv_profile profile = {0};
	struct bv_requirement requirement = {.tag = BV_REQ_CAPABILITY,
					     .u.capability = cap_files(BV_FS_READ, "/a")};

	profile.ceiling[BV_KIND_FILESYSTEM] = (struct bv_verdict){BV_ENFORCED, 3};
	EXPECT_UINT(bv_verdict_ceiling(&requirement, &profile).enforcement, BV_ENFORCED);
	requirement.u.capability.u.filesystem.recursive = false;
	EXPECT_UINT(bv_verdict_ceiling(&requirement, &profile).enforcement, BV_UNSUPPORTED);
	EXPECT_UINT(bv_verdict_ceiling(&requirement, &profile).evidence, 0);
}

TEST(evidence_is_named_in_order)
{
	EXPECT_STR(bv_evidence_text(arena_now(), 0).data, "");
	EXPECT_STR(bv_evidence_text(arena_now(),
				    1u << BV_CLAIM_PROCESS_TREE | 1u << BV_CLAIM_TERMINAL_OUTCOME)
			   .data,
		   "TerminalOutcome, ProcessTree");
}

TEST(the_grade_of_a_requirement_is_named)
{
	struct bv_requirement requirements[BV_KIND_COUNT];
	static const char *const expected[BV_KIND_COUNT] = {
		[BV_KIND_FILESYSTEM] = "Read",
		[BV_KIND_TEMP_ROOT] = "PrivateToBoundary",
		[BV_KIND_EXPOSE_PATH] = "PrivateToBoundary",
		[BV_KIND_COMMIT_ARTIFACT] = "Atomic",
		[BV_KIND_KILL] = "Atomic",
	};

	one_of_each(requirements);
	for (size_t kind = 0; kind < BV_KIND_COUNT; kind++)
		EXPECT_STR(bv_grade_text(&requirements[kind]),
			   expected[kind] == NULL ? "" : expected[kind]);
}
