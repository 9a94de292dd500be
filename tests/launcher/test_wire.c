/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests' own encoder against the golden vectors of spec/linux.md 1.14. */
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "wire.h"

static void expect_hex(const void *data, size_t len, const char *hex)
{
	static uint8_t wanted[8192];
	size_t count = wire_unhex(hex, wanted, sizeof(wanted));

	EXPECT_BYTES(data, len, wanted, count);
}

static void expect_hash(const struct wire *wire, const char *hex)
{
	uint8_t digest[32];

	wire_hash(wire->data, wire->len, digest);
	expect_hex(digest, sizeof(digest), hex);
}

TEST(the_harness_frames_bodies_as_the_golden_vectors_say)
{
	struct wire wire;

	wire_open(&wire);
	wire_frame(&wire);
	expect_hex(wire.data, wire.len,
		   "42565a4c4e43483101000000000"
		   "0af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
	wire.len = 5;
	memcpy(wire.data, "hello", 5);
	wire_frame(&wire);
	expect_hex(
		wire.data, wire.len,
		"42565a4c4e434831010005000000ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c562"
		"4a67200f68656c6c6f");
	wire_close(&wire);
}

TEST(the_harness_writes_targets_as_the_golden_vectors_say)
{
	struct wire_plan plan = {.argv = {{"a", 1}}, .argc = 1, .exe_slot = 10};
	struct wire wire;

	wire_open(&wire);
	wire_target(&wire, &plan);
	expect_hex(wire.data, wire.len, "83a46172677691a161a4656e767090a86578655f736c6f740a");
	plan.user_namespace = plan.network_namespace = plan.seccomp = true;
	plan.deny_new_tasks = plan.deny_inet_sockets = true;
	wire_target(&wire, &plan);
	expect_hex(
		wire.data, wire.len,
		"86a46172677691a161a4656e767090a86578655f736c6f740aae757365725f6e616d65737061636580b1"
		"6e6574776f726b5f6e616d65737061636580a7736563636f6d7082ae64656e795f6e65775f7461736b73"
		"c3b164656e795f696e65745f736f636b657473c3");
	plan.user_namespace = plan.network_namespace = plan.seccomp = false;
	plan.env_count = 1;
	plan.names[0].data = "K";
	plan.values[0].data = "V";
	plan.names[0].len = plan.values[0].len = 1;
	wire_target(&wire, &plan);
	expect_hex(wire.data, wire.len,
		   "83a46172677691a161a4656e76709192a14ba156a86578655f736c6f740a");
	wire_close(&wire);
}

TEST(the_harness_writes_lowerings_as_the_golden_vectors_say)
{
	const struct wire_entry scrub = {"linux.ambient.scrub.v1", 1, 3, false};
	const struct wire_entry landlock = {"linux.landlock.apply.v1", 1, 4, false};
	const struct wire_entry seccomp = {"linux.seccomp.apply.v1", 1, 4, false};
	const struct wire_entry exec = {"linux.exec.v1", 1, 5, false};
	const struct {
		struct wire_entry entries[4];
		size_t count, bytes;
		const char *digest;
	} rows[] = {
		{{scrub, exec},
		 2,
		 353,
		 "45ebdb00c0b3fc0155602b286a3771cc2d76f2c93cbd89d0bb253902a6016013"},
		{{scrub, landlock, exec},
		 3,
		 530,
		 "21dd2e44a6ca62828023ebfd8b917414af30d9f4f69073cea7afe0551c517c8b"},
		{{scrub, seccomp, exec},
		 3,
		 528,
		 "ee086c7b1b8cea1376d1e4a5c912a58aea4ef14a3ec43caac1a8184fd3436e09"},
		{{scrub, landlock, seccomp, exec},
		 4,
		 705,
		 "c35f53161dd9daf806275f0b10caa8e534cd1c68671352273ed3deeee5ea353b"},
		{{scrub},
		 0,
		 10,
		 "cda1dde5865f6d3b67a407c833ff36769b415785165896792a622013e83d0ea1"},
	};
	struct wire wire;

	wire_open(&wire);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_plan plan = {.entry_count = rows[i].count};

		memcpy(plan.entries, rows[i].entries, sizeof(rows[i].entries));
		wire_lowering(&wire, &plan);
		EXPECT_UINT(wire.len, rows[i].bytes);
		expect_hash(&wire, rows[i].digest);
	}
	wire_close(&wire);
}

TEST(the_harness_writes_the_frozen_body_of_476_bytes)
{
	uint8_t h_l[32];
	const struct wire_plan plan = {
		.attempt_id = 7,
		.plan_id = 1,
		.h_a = 2,
		.h_p = 3,
		.h_l = h_l,
		.slots = {{0, "TargetExe", "Regular", false},
			  {1, "ReadRoot", "Directory", false},
			  {2, "Stdout", "Pipe", true}},
		.slot_count = 3,
		.argv = {{"prog", 4}},
		.argc = 1,
		.names = {{"K", 1}},
		.values = {{"V", 1}},
		.env_count = 1,
		.exe_slot = 0,
	};
	struct wire wire;

	wire_unhex("b51dd6e8ee23c64344f49be5193ee5c40669bb54fb1f6f75b2b92f137b542a19", h_l,
		   sizeof(h_l));
	wire_open(&wire);
	wire_body(&wire, &plan);
	EXPECT_UINT(wire.len, 476);
	expect_hash(&wire, "f982af786aa15f4435d5f01676838a8320665f025f986f7477644a705f857d0d");
	wire_close(&wire);
}
