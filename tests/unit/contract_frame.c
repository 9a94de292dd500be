/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_frame.c - the launch envelope, and launch bodies, in the reference's bytes (spec/linux.md 1.14). */
#include "contract_helpers.h"

#include "contract/frame.h"
#include "contract/lowering.h"

#define FRAME_EMPTY                                                                                \
	"42565a4c4e434831010000000000af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
#define FRAME_HELLO                                                                                    \
	"42565a4c4e434831010005000000ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f" \
	"68656c6c6f"

static struct bv_str framed(uint16_t version, struct bv_str body)
{
	uint8_t *bytes = bv_arena_alloc(arena_now(), BV_FRAME_HEADER_SIZE + body.len);

	EXPECT(bv_frame_seal(version, body.data, body.len, bytes));
	memcpy(bytes + BV_FRAME_HEADER_SIZE, body.data, body.len);
	return (struct bv_str){(const char *)bytes, BV_FRAME_HEADER_SIZE + body.len};
}

static void expect_digest(const struct bv_digest *digest, const char *expected)
{
	char hex[65];

	bv_digest_hex(digest, hex);
	EXPECT_STR(hex, expected);
}

TEST(frames_are_the_reference_s)
{
	const struct bv_str empty = framed(1, BV_STR("")), hello = framed(1, BV_STR("hello"));
	struct bv_frame frame;

	EXPECT_STR(hex_of(empty.data, empty.len), FRAME_EMPTY);
	EXPECT_STR(hex_of(hello.data, hello.len), FRAME_HELLO);
	EXPECT_UINT(bv_frame_open(empty.data, empty.len, &frame), BV_FRAME_OK);
	EXPECT_UINT(frame.body_bytes, 0);
	EXPECT_UINT(bv_frame_open(hello.data, hello.len, &frame), BV_FRAME_OK);
	EXPECT_BYTES(frame.body, frame.body_bytes, "hello", 5);
	EXPECT_UINT(frame.version, 1);
}

TEST(a_frame_of_protocol_2_differs_in_its_version_only)
{
	const struct bv_str one = framed(1, BV_STR("hello")), two = framed(2, BV_STR("hello"));
	struct bv_frame frame;

	for (size_t i = 0; i < one.len; i++)
		EXPECT_THAT((one.data[i] != two.data[i]) == (i == 8), "byte %zu", i);
	EXPECT_UINT(bv_frame_open(two.data, two.len, &frame), BV_FRAME_OK);
	EXPECT_UINT(frame.version, 2);
}

TEST(rejects_come_in_their_order)
{
	char bytes[64];
	struct bv_frame frame;
	const struct bv_str hello = framed(1, BV_STR("hello"));

	/* Everything wrong at once, mended from the front. */
	memset(bytes, 0xff, sizeof bytes);
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 45, &frame)), "Truncated");
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 51, &frame)), "BadMagic");
	memcpy(bytes, hello.data, 8);
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 51, &frame)), "UnsupportedVersion");
	EXPECT_UINT(frame.version, 0xffff);
	memcpy(bytes, hello.data, 10);
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 51, &frame)), "LengthMismatch");
	memcpy(bytes, hello.data, 14);
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 51, &frame)), "DigestMismatch");
	memcpy(bytes, hello.data, 51);
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 51, &frame)), "");
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 50, &frame)), "LengthMismatch");
	EXPECT_STR(bv_frame_reject_name(bv_frame_open(bytes, 52, &frame)), "LengthMismatch");
}

TEST(every_single_bit_of_a_frame_counts)
{
	const struct bv_str hello = framed(1, BV_STR("hello"));
	char bytes[64];
	struct bv_frame frame;

	for (size_t i = 0; i < hello.len * 8; i++) {
		enum bv_frame_reject reject;

		memcpy(bytes, hello.data, hello.len);
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
		reject = bv_frame_open(bytes, hello.len, &frame);
		EXPECT_THAT(reject != BV_FRAME_OK, "bit %zu of byte %zu", i % 8, i / 8);
	}
}

/* ---- bodies of protocol 1 --------------------------------------------------------------------- */

TEST(launch_targets_are_the_reference_s)
{
	struct bv_name_value pairs[] = {{S("K"), S("V")}};
	struct bv_launch_target target = {.argv = TEXTS(S("a")), .exe_slot = 10}, decoded;
	static const char *const expected[] = {
		"83a46172677691a161a4656e767090a86578655f736c6f740a",
		"84a46172677691a161a4656e767090a86578655f736c6f740aae757365725f6e616d65737061636580",
		"85a46172677691a161a4656e767090a86578655f736c6f740aae757365725f6e616d65737061636580"
		"b16e6574776f726b5f6e616d65737061636580",
		"86a46172677691a161a4656e767090a86578655f736c6f740aae757365725f6e616d65737061636580"
		"b16e6574776f726b5f6e616d65737061636580a7736563636f6d7082ae64656e795f6e65775f7461736b73c3"
		"b164656e795f696e65745f736f636b657473c3",
		"83a46172677691a161a4656e76709192a14ba156a86578655f736c6f740a",
	};

	for (size_t i = 0; i < 5; i++) {
		struct bv_str bytes;

		target.has_user_namespace = i >= 1 && i <= 3;
		target.has_network_namespace = i >= 2 && i <= 3;
		target.has_seccomp = i == 3;
		target.seccomp = (struct bv_seccomp_request){true, true};
		if (i == 4)
			target.envp = (struct bv_name_value_list){pairs, 1};
		bytes = bytes_of(&bv_launch_target_type, &target);
		EXPECT_STR(hex_of(bytes.data, bytes.len), expected[i]);
		decode_ok(&bv_launch_target_type, unhex(expected[i]), &decoded);
		EXPECT_INT(bv_value_compare(&bv_launch_target_type, &target, &decoded), 0);
	}
}

static const struct {
	const char *id, *decl;
	enum bv_phase phase;
} primitives[] = {
	{"linux.ambient.scrub.v1",
	 "55c68f81a7ecbb3830712622c2b5490fad03ed33501aa8e9b5c297c4de4896c8", BV_PHASE_FD_HYGIENE},
	{"linux.landlock.apply.v1",
	 "76132118bf6908e42884ac30b996cdd39b53f276f9eabe282ffadf280752afd9",
	 BV_PHASE_POLICY_INSTALL},
	{"linux.seccomp.apply.v1",
	 "ca52aa781e56a889c9999827298f7e47873e62a13dc962a44f22c79a7bdce213",
	 BV_PHASE_POLICY_INSTALL},
	{"linux.exec.v1", "080aad718b052e719d56d6f6cd7c708ddee95a5f18804dcc476fd3f741bf51eb",
	 BV_PHASE_LAUNCH},
};

static struct bv_schedule schedule_of(unsigned int set)
{
	struct bv_primitive chosen[4];
	struct bv_schedule schedule;
	size_t count = 0;

	for (size_t i = 4; i-- > 0;)
		if ((set >> i & 1) != 0)
			chosen[count++] = (struct bv_primitive){.id = bv_str_from(primitives[i].id),
								.version = 1,
								.phase = primitives[i].phase};
	EXPECT_OK(bv_schedule_compile(arena_now(), chosen, count, &schedule, err));
	return schedule;
}

TEST(declarations_of_the_four_actions_are_the_reference_s)
{
	const struct bv_schedule schedule = schedule_of(15);
	struct bv_digest param;

	bv_primitive_param_digest(&param);
	expect_digest(&param, "ea3edcc02058275577fc3446d4abc7dc5a2168948e9b20c64306fcb5c2a95610");
	EXPECT_UINT(schedule.count, 4);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_STR(schedule.entries[i].id.data, primitives[i].id);
		expect_digest(&schedule.entries[i].decl_digest, primitives[i].decl);
		EXPECT(bv_digest_equal(&schedule.entries[i].param_digest, &param));
	}
}

/* The wire's h_l and the schedule's own digest are two things. */
TEST(lowering_digests_are_the_reference_s)
{
	static const struct {
		unsigned int set;
		size_t size_bytes;
		const char *wire, *schedule;
	} cases[] = {
		{9, 353, "45ebdb00c0b3fc0155602b286a3771cc2d76f2c93cbd89d0bb253902a6016013",
		 "783ce0d38e7e4156d87f2977e8d78d8f90313a16cda3b6b195288e941bac4694"},
		{11, 530, "21dd2e44a6ca62828023ebfd8b917414af30d9f4f69073cea7afe0551c517c8b", NULL},
		{13, 528, "ee086c7b1b8cea1376d1e4a5c912a58aea4ef14a3ec43caac1a8184fd3436e09", NULL},
		{15, 705, "c35f53161dd9daf806275f0b10caa8e534cd1c68671352273ed3deeee5ea353b", NULL},
		{0, 10, "cda1dde5865f6d3b67a407c833ff36769b415785165896792a622013e83d0ea1",
		 "b51dd6e8ee23c64344f49be5193ee5c40669bb54fb1f6f75b2b92f137b542a19"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct bv_schedule schedule = schedule_of(cases[i].set);
		struct bv_lowering_entry entries[4];
		const struct bv_lowering lowering = {{entries, schedule.count}};
		struct bv_digest digest;

		for (size_t j = 0; j < schedule.count; j++)
			entries[j] = (struct bv_lowering_entry){schedule.entries[j].id,
								schedule.entries[j].version,
								(uint8_t)schedule.entries[j].phase,
								schedule.entries[j].param_digest,
								schedule.entries[j].decl_digest};
		EXPECT_UINT(bv_canon_size(&bv_lowering_type, &lowering), cases[i].size_bytes);
		bv_canon_hash(&bv_lowering_type, &lowering, &digest);
		expect_digest(&digest, cases[i].wire);
		bv_schedule_digest(&schedule, &digest);
		if (cases[i].schedule != NULL)
			expect_digest(&digest, cases[i].schedule);
	}
}

static struct bv_digest filled(uint8_t byte)
{
	struct bv_digest digest;

	memset(digest.bytes, byte, sizeof digest.bytes);
	return digest;
}

TEST(the_frozen_launch_body_is_the_reference_s)
{
	const struct bv_schedule empty = schedule_of(0);
	struct bv_launch_body body = {
		.attempt_id = filled(7),
		.plan_id = filled(1),
		.h_a = filled(2),
		.h_p = filled(3),
		.descriptor_table = LIST(struct bv_slot,
					 {0, BV_ROLE_TARGET_EXE, {BV_SLOT_REGULAR, false}},
					 {1, BV_ROLE_READ_ROOT, {BV_SLOT_DIRECTORY, false}},
					 {2, BV_ROLE_STDOUT, {BV_SLOT_PIPE, true}}),
		.target = {.argv = TEXTS(S("prog")),
			   .envp = LIST(struct bv_name_value, {S("K"), S("V")})},
	};
	struct bv_launch_body decoded;
	struct bv_str bytes, frame;
	struct bv_digest digest;

	bv_schedule_digest(&empty, &body.h_l);
	bytes = bytes_of(&bv_launch_body_type, &body);
	EXPECT_UINT(bytes.len, 476);
	bv_hash_str(bytes, &digest);
	expect_digest(&digest, "f982af786aa15f4435d5f01676838a8320665f025f986f7477644a705f857d0d");
	frame = framed(1, bytes);
	EXPECT(strncmp(hex_of(frame.data, frame.len),
		       "42565a4c4e4348310100dc010000f982af786aa15f4435d5f01676838a8320665f025f986f7477644a705f857d0d",
		       92) == 0);
	decode_ok(&bv_launch_body_type, bytes, &decoded);
	EXPECT_INT(bv_value_compare(&bv_launch_body_type, &body, &decoded), 0);
}

/* Golden bytes, written by hand: a set of system calls is one more key, and none is none. */
TEST(a_set_of_system_calls_is_a_key_at_the_end)
{
	const struct bv_execution_options execution = {.has_syscalls = true,
						       .syscalls = BV_SYSCALLS_STRICT};
	struct bv_launch_seccomp launch = {.spawn = BV_SPAWN_DENY_NEW_TASKS,
					   .sockets = BV_SOCKETS_LOCAL,
					   .notify = true};
	struct bv_launch_seccomp decoded;
	struct bv_str bytes = bytes_of(&bv_launch_seccomp_type, &launch);

	EXPECT_STR(
		hex_of(bytes.data, bytes.len),
		"84a5737061776eac44656e794e65775461736b73a7736f636b657473a54c6f63616ca66e6f746966"
		"79c3a6736861726564c2");
	launch.has_syscalls = true;
	launch.syscalls = BV_SYSCALLS_STRICT;
	bytes = bytes_of(&bv_launch_seccomp_type, &launch);
	EXPECT_STR(
		hex_of(bytes.data, bytes.len),
		"85a5737061776eac44656e794e65775461736b73a7736f636b657473a54c6f63616ca66e6f746966"
		"79c3a6736861726564c2a873797363616c6c73a6537472696374");
	decode_ok(&bv_launch_seccomp_type, bytes, &decoded);
	EXPECT_INT(bv_value_compare(&bv_launch_seccomp_type, &launch, &decoded), 0);
	bytes = bytes_of(&bv_execution_options_type, &execution);
	EXPECT_STR(hex_of(bytes.data, bytes.len), "81a873797363616c6c73a6537472696374");
}

/* Golden bytes: what the launcher is told to hold, a grace, and the limit that ended a run. */
TEST(limits_of_the_launcher_are_keys_of_their_own)
{
	const struct bv_launch_limits limits = {.interval_micros = 5000,
						.grace_micros = 1,
						.has_cpu_micros = true,
						.cpu_micros = 2};
	const struct bv_execution_options execution = {.has_grace_micros = true, .grace_micros = 3};
	struct bv_launch_limits decoded;
	struct bv_str bytes = bytes_of(&bv_launch_limits_type, &limits);

	EXPECT_STR(hex_of(bytes.data, bytes.len),
		   "83af696e74657276616c5f6d6963726f73cd1388ac67726163655f6d6963726f7301"
		   "aa6370755f6d6963726f7302");
	decode_ok(&bv_launch_limits_type, bytes, &decoded);
	EXPECT_INT(bv_value_compare(&bv_launch_limits_type, &limits, &decoded), 0);
	bytes = bytes_of(&bv_execution_options_type, &execution);
	EXPECT_STR(hex_of(bytes.data, bytes.len), "81ac67726163655f6d6963726f7303");
}

/* Golden bytes: what is told of a limit on storage. */
TEST(places_that_are_written_to_are_keys_of_their_own)
{
	struct bv_launch_place place = {BV_STR("/w"), 5, 6};
	uint32_t fd = 7;
	const struct bv_launch_limits limits = {
		.has_storage = true,
		.storage = {.limit_bytes = 1,
			    .limit_inodes = 2,
			    .base_bytes = 3,
			    .base_inodes = 4,
			    .places = {&place, 1},
			    .fds = {&fd, 1}},
	};
	struct bv_launch_limits decoded;
	struct bv_str bytes = bytes_of(&bv_launch_limits_type, &limits);

	EXPECT_STR(
		hex_of(bytes.data, bytes.len),
		"83af696e74657276616c5f6d6963726f7300ac67726163655f6d6963726f7300a773746f7261676586"
		"ab6c696d69745f627974657301ac6c696d69745f696e6f64657302aa626173655f627974657303ab62"
		"6173655f696e6f64657304a6706c616365739183a470617468a22f77a664657669636505a5696e6f64"
		"6506a36664739107");
	decode_ok(&bv_launch_limits_type, bytes, &decoded);
	EXPECT_INT(bv_value_compare(&bv_launch_limits_type, &limits, &decoded), 0);
}

/* Added for WebAssembly; a module named by its path alone encodes as it always did. */
TEST(what_a_module_is_run_with_keeps_its_bytes)
{
	const struct bv_workload bare = {.tag = BV_WORKLOAD_WASM,
					 .u.wasm = {.module_ref = BV_STR("m")}};
	struct bv_workload full = bare;
	struct bv_workload decoded;
	struct bv_str args[] = {BV_STR("a")};
	struct bv_str bytes;

	full.u.wasm.has_args = full.u.wasm.has_digest = full.u.wasm.has_engine = true;
	full.u.wasm.has_fuel = full.u.wasm.has_deterministic = true;
	full.u.wasm.args = (struct bv_str_list){args, 1};
	full.u.wasm.engine = BV_WASM_INTERPRETED;
	full.u.wasm.fuel = 7;
	full.u.wasm.deterministic = true;
	bytes = bytes_of(&bv_workload_type, &bare);
	EXPECT_STR(hex_of(bytes.data, bytes.len), "81a45761736d81aa6d6f64756c655f726566a16d");
	bytes = bytes_of(&bv_workload_type, &full);
	EXPECT_STR(
		hex_of(bytes.data, bytes.len),
		"81a45761736d86aa6d6f64756c655f726566a16da46172677391a161a6646967657374"
		"dc00200000000000000000000000000000000000000000000000000000000000000000"
		"a6656e67696e65ab496e746572707265746564a46675656c07ad64657465726d696e6973746963c3");
	decode_ok(&bv_workload_type, bytes, &decoded);
	EXPECT_INT(bv_value_compare(&bv_workload_type, &full, &decoded), 0);
}

/* The names a report has for limits are those of the budgets, in their order; fuel is no budget. */
TEST(a_limit_is_a_dimension_by_another_name)
{
	static const char *const names[] = {"Wall",    "Cpu",     "Resident", "Processes",
					    "Handles", "Storage", "Network"};
	_Static_assert((int)BV_LIMIT_WALL == (int)BV_DIMENSION_WALL &&
			       (int)BV_LIMIT_NETWORK == (int)BV_DIMENSION_NETWORK &&
			       (int)BV_LIMIT_PROCESSES == (int)BV_DIMENSION_PROCESSES,
		       "one numbering");

	EXPECT_UINT(bv_limit_type.row_count, BV_DIMENSION_COUNT + 1);
	EXPECT_STR(bv_name_of(&bv_limit_type, BV_LIMIT_FUEL), "Fuel");
	for (unsigned int d = 0; d < BV_DIMENSION_COUNT; d++)
		EXPECT_STR(bv_name_of(&bv_limit_type, d), names[d]);
}

TEST(attempt_and_admission_placeholders_are_the_reference_s)
{
	static const struct {
		struct bv_str domain;
		const char *expected;
	} cases[] = {
		{{"bvisor.attempt.v1", 18},
		 "4d04c96204905a536f7cf9b7d79f3621ebf8a706f18d68df6eb98e5189f4f339"},
		{{"bvisor.h_a.v1", 14},
		 "c828d09831502c94bd48a0f75bb27788ff4f234982b88a177243071fa2dc23db"},
	};
	const struct bv_digest plan_id = filled(1);

	for (size_t i = 0; i < 2; i++) {
		struct bv_hash hash;
		struct bv_digest digest;

		bv_hash_init(&hash);
		bv_hash_update(&hash, cases[i].domain.data,
			       cases[i].domain.len); /* the NUL is part of it */
		bv_hash_update(&hash, plan_id.bytes, sizeof plan_id.bytes);
		bv_hash_final(&hash, &digest);
		expect_digest(&digest, cases[i].expected);
	}
}

TEST(preimages_of_the_lowering_digests_are_the_reference_s)
{
	/* Hashing the documented bytes gives the digest the code gives: so those are its bytes. */
	const struct bv_str params = unhex(
		"82a6646f6d61696eba627669736f722e7072696d69746976652d706172616d732e7631"
		"a6706172616d73c0");
	const struct bv_str exec_decl = unhex(
		"87a6646f6d61696eb8627669736f722e7072696d69746976652d6465636c2e7631a26964ad6c696e75782e"
		"657865632e7631a776657273696f6e01a5706861736505a6636f7665727390ad70726572657175697369746573"
		"90a9636f6e666c6963747390");
	struct bv_digest digest;

	bv_hash_str(params, &digest);
	expect_digest(&digest, "ea3edcc02058275577fc3446d4abc7dc5a2168948e9b20c64306fcb5c2a95610");
	bv_hash_str(exec_decl, &digest);
	expect_digest(&digest, primitives[3].decl);
}
