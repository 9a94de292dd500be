/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Damage to a good frame: every byte of it, changed every way one bit can be and to both extremes,
 * is refused and creates no child.  And with the envelope made good again, whatever the damage now
 * means, the launcher ends in order: one terminal, its own exit codes, nothing left behind.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "test.h"

static struct outcome outcome;
static struct launch launch;
static struct scratch scratch;

/* A frame with everything in it that protocol 1 has. */
static void make_launch(void)
{
	launch_init(&launch);
	launch_exe(&launch, scratch_path(&scratch, "ro/probe"));
	launch_slot_path(&launch, 15, "ReadRoot", scratch_path(&scratch, "ro"));
	launch_slot_path(&launch, 16, "WriteRoot", scratch_path(&scratch, "rw"));
	if (landlock_abi() >= 3)
		launch_landlock(&launch);
	launch_seccomp(&launch, true, true);
	launch.plan.user_namespace = launch.plan.network_namespace = userns_works();
	launch_env(&launch, "K", "V");
	launch_args(&launch, "create", "rw/witness", "x", NULL);
	launch.plan.argv[2].data = scratch_path(&scratch, "rw/witness");
	launch.plan.argv[2].len = strlen(launch.plan.argv[2].data);
}

TEST(the_golden_frame_is_accepted)
{
	scratch_open(&scratch);
	make_launch();
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	EXPECT_STR(scratch_read(&scratch, "rw/witness"), "x");
	launch_clear(&launch);
	scratch_close(&scratch);
}

TEST_WITHIN(no_frame_with_one_byte_changed_creates_a_child, 600)
{
	static const uint8_t extremes[] = {0x00, 0xff};
	struct wire wire;
	size_t tried = 0;

	scratch_open(&scratch);
	make_launch();
	wire_open(&wire);
	wire_body(&wire, &launch.plan);
	wire_frame(&wire);
	launch.frame = wire.data;
	launch.frame_bytes = wire.len;
	for (size_t at = 0; at < wire.len; at++) {
		const uint8_t good = wire.data[at];

		for (unsigned int way = 0; way < 10; way++) {
			const unsigned int flipped = good ^ 1U << way;
			const uint8_t bad = way < 8 ? (uint8_t)(flipped & 0xff) : extremes[way - 8];

			if (bad == good)
				continue;
			wire.data[at] = bad;
			launch_run(&launch, &outcome);
			if (outcome_exit(&outcome) != 3)
				test_fail(__FILE__, __LINE__, "byte %zu as %#x:\n%s", at, bad,
					  outcome.transcript);
			expect_refused(&outcome, "LauncherStarted SetupRefused", "PlanInvalid");
			tried++;
		}
		wire.data[at] = good;
	}
	EXPECT(scratch_read(&scratch, "rw/witness") == NULL);
	EXPECT(tried > wire.len * 8);
	/* And it was the damage: the same frame is still good. */
	launch_run(&launch, &outcome);
	expect_success(&outcome);
	wire_close(&wire);
	launch_clear(&launch);
	scratch_close(&scratch);
}

TEST_WITHIN(no_damage_behind_a_right_envelope_upsets_the_launcher, 600)
{
	struct wire wire;
	uint8_t good[WIRE_HEADER_BYTES + 4096];
	size_t body;

	scratch_open(&scratch);
	make_launch();
	wire_open(&wire);
	wire_body(&wire, &launch.plan);
	body = wire.len;
	EXPECT(body <= sizeof(good));
	memcpy(good, wire.data, body);
	for (size_t at = 0; at < body; at++) {
		static const uint8_t flips[] = {0x01, 0x80, 0x10};

		for (size_t i = 0; i < sizeof(flips); i++) {
			int code;

			memcpy(wire.data, good, body);
			wire.data[at] ^= flips[i];
			wire.len = body;
			wire_frame(&wire);
			launch.frame = wire.data;
			launch.frame_bytes = wire.len;
			launch_run(&launch, &outcome);
			code = outcome_exit(&outcome);
			EXPECT_THAT(code == 0 || code == 3 || code == 4,
				    "body byte %zu: status %#x:\n%s", at,
				    (unsigned int)outcome.status, outcome.transcript);
			EXPECT_THAT(outcome_terminals(&outcome) == 1, "body byte %zu:\n%s", at,
				    outcome.transcript);
			EXPECT_THAT(code != 3 || !outcome_has_text(&outcome, "ChildCreated"),
				    "body byte %zu:\n%s", at, outcome.transcript);
		}
	}
	wire_close(&wire);
	launch_clear(&launch);
	scratch_close(&scratch);
}

TEST_WITHIN(no_frame_cut_short_creates_a_child, 120)
{
	struct wire wire;

	scratch_open(&scratch);
	make_launch();
	wire_open(&wire);
	wire_body(&wire, &launch.plan);
	wire_frame(&wire);
	launch.frame = wire.data;
	for (size_t len = 0; len < wire.len; len++) {
		launch.frame_bytes = len;
		launch_run(&launch, &outcome);
		expect_refused(&outcome, "LauncherStarted SetupRefused", "PlanInvalid");
	}
	EXPECT(scratch_read(&scratch, "rw/witness") == NULL);
	wire_close(&wire);
	launch_clear(&launch);
	scratch_close(&scratch);
}
