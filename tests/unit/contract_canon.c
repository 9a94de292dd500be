/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_canon.c - the writer and the strict reader of canonical MessagePack. */
#include "contract_helpers.h"

/* ---- writer ---------------------------------------------------------------------------------- */

TEST(encoder_counts_past_a_full_buffer_without_writing)
{
	uint8_t data[4] = {0xee, 0xee, 0xee, 0xee};
	struct bv_writer writer = {.data = data, .capacity = 2};
	const struct bv_env_entry entry = env_literal(BV_STR("A"), BV_STR("x"));

	bv_canon_encode(&writer, &bv_env_entry_type, &entry);
	EXPECT(writer.len > writer.capacity);
	EXPECT_UINT(writer.len, bv_canon_size(&bv_env_entry_type, &entry));
	EXPECT_UINT(data[0], 0x82);
	EXPECT_UINT(data[1], 0xa4);
	EXPECT_UINT(data[2], 0xee);
	EXPECT_UINT(data[3], 0xee);
}

TEST(measuring_and_writing_agree_at_every_capacity)
{
	const struct bv_host_control control = control_capture(true, false, true);
	const struct bv_str whole = bytes_of(&bv_host_control_type, &control);

	for (size_t capacity = 0; capacity <= whole.len + 1; capacity++) {
		uint8_t data[128];
		struct bv_writer writer = {.data = data, .capacity = capacity};
		const size_t written = capacity < whole.len ? capacity : whole.len;

		memset(data, 0xee, sizeof data);
		bv_canon_encode(&writer, &bv_host_control_type, &control);
		EXPECT_UINT(writer.len, whole.len);
		EXPECT_BYTES(data, written, whole.data, written);
		EXPECT_UINT(data[written], 0xee);
	}
}

TEST(hashing_a_value_is_hashing_its_bytes_whatever_its_size)
{
	for (size_t len = 0; len < 5000; len = len * 3 / 2 + 1) {
		char *text = bv_arena_alloc(arena_reset(), len);
		const struct bv_workload workload = {.tag = BV_WORKLOAD_WASM,
						     .u.wasm = {.module_ref = {text, len}}};
		const struct bv_str bytes = bytes_of(&bv_workload_type, &workload);
		struct bv_digest direct, of_bytes;

		bv_canon_hash(&bv_workload_type, &workload, &direct);
		bv_hash_bytes(bytes.data, bytes.len, &of_bytes);
		EXPECT_THAT(bv_digest_equal(&direct, &of_bytes), "hashes differ at length %zu",
			    len);
	}
}

/* ---- reader: what is refused ------------------------------------------------------------------ */

static const struct {
	const char *what;
	const struct bv_type *type;
	const char *hex;
	enum bv_code code;
	const char *where;
} refused[] = {
	/* endings */
	{"nothing at all", &bv_enforcement_type, "", BV_E_DECODE, ""},
	{"a cut string", &bv_enforcement_type, "a84d6564", BV_E_DECODE, ""},
	{"a trailing byte", &bv_enforcement_type, "a84d65646961746564c0", BV_E_DECODE, ""},
	{"a cut length", &bv_enforcement_type, "d9", BV_E_DECODE, ""},
	/* names */
	{"an unknown name", &bv_enforcement_type, "a84d656469617465ff", BV_E_DECODE, ""},
	{"another case", &bv_enforcement_type, "a86d65646961746564", BV_E_DECODE, ""},
	{"an index for a name", &bv_enforcement_type, "01", BV_E_DECODE, ""},
	{"a map for a unit", &bv_net_policy_type, "81a744656e79416c6cc0", BV_E_DECODE, ""},
	{"a unit that has content", &bv_net_policy_type, "a9416c6c6f774c697374", BV_E_DECODE, ""},
	{"two variants", &bv_net_policy_type, "82a9416c6c6f774c69737490a9416c6c6f774c69737490",
	 BV_E_DECODE, ""},
	{"no variant", &bv_net_policy_type, "80", BV_E_DECODE, ""},
	/* shortest forms */
	{"str8 for a short name", &bv_enforcement_type, "d9084d65646961746564", BV_E_NOT_CANONICAL,
	 ""},
	{"str16 for a short name", &bv_enforcement_type, "da00084d65646961746564",
	 BV_E_NOT_CANONICAL, ""},
	{"str32 for a short name", &bv_enforcement_type, "db000000084d65646961746564",
	 BV_E_NOT_CANONICAL, ""},
	{"map16 for one key", &bv_spawn_capability_type,
	 "de0001a6706f6c696379ac44656e794e65775461736b73", BV_E_NOT_CANONICAL, ""},
	{"array16 for an empty list", &bv_path_set_type, "81a5726f6f7473dc0000", BV_E_NOT_CANONICAL,
	 "roots"},
	{"array32 for an empty list", &bv_path_set_type, "81a5726f6f7473dd00000000",
	 BV_E_NOT_CANONICAL, "roots"},
	{"uint8 for 5", &bv_net_dest_type, "82a4686f7374a168a4706f7274cc05", BV_E_NOT_CANONICAL,
	 "port"},
	{"uint16 for 255", &bv_net_dest_type, "82a4686f7374a168a4706f7274cd00ff",
	 BV_E_NOT_CANONICAL, "port"},
	{"uint32 for 65535", &bv_net_dest_type, "82a4686f7374a168a4706f7274ce0000ffff",
	 BV_E_NOT_CANONICAL, "port"},
	{"uint64 for 5", &bv_net_dest_type, "82a4686f7374a168a4706f7274cf0000000000000005",
	 BV_E_NOT_CANONICAL, "port"},
	{"int8 for 5", &bv_exit_status_type, "81a4436f6465d005", BV_E_NOT_CANONICAL, "Code"},
	{"int8 for -1", &bv_exit_status_type, "81a4436f6465d0ff", BV_E_NOT_CANONICAL, "Code"},
	{"int16 for -128", &bv_exit_status_type, "81a4436f6465d1ff80", BV_E_NOT_CANONICAL, "Code"},
	{"int32 for -32768", &bv_exit_status_type, "81a4436f6465d2ffff8000", BV_E_NOT_CANONICAL,
	 "Code"},
	{"int64", &bv_exit_status_type, "81a4436f6465d3ffffffffffffffff", BV_E_DECODE, "Code"},
	/* ranges and kinds */
	{"a port above 65535", &bv_net_dest_type, "82a4686f7374a168a4706f7274ce00010000",
	 BV_E_DECODE, "port"},
	{"a negative port", &bv_net_dest_type, "82a4686f7374a168a4706f7274ff", BV_E_DECODE, "port"},
	{"a float", &bv_net_dest_type, "82a4686f7374a168a4706f7274cb4014000000000000", BV_E_DECODE,
	 "port"},
	{"a code above 2^31-1", &bv_exit_status_type, "81a4436f6465ce80000000", BV_E_DECODE,
	 "Code"},
	{"nil for a bool", &bv_std_streams_type, "83a67374646f7574c0a6737464657272c3a5737464696ec2",
	 BV_E_DECODE, "stdout"},
	{"1 for true", &bv_std_streams_type, "83a67374646f757401a6737464657272c3a5737464696ec2",
	 BV_E_DECODE, "stdout"},
	{"binary for a string", &bv_net_dest_type, "82a4686f7374c40168a4706f727405", BV_E_DECODE,
	 "host"},
	/* records */
	{"an array for a record", &bv_spawn_capability_type, "91ac44656e794e65775461736b73",
	 BV_E_DECODE, ""},
	{"an unknown key", &bv_spawn_capability_type,
	 "82a6706f6c696379ac44656e794e65775461736b73a16100", BV_E_DECODE, ""},
	{"a key twice", &bv_net_dest_type, "82a4686f7374a168a4686f7374a168", BV_E_NOT_CANONICAL,
	 ""},
	{"keys out of order", &bv_net_dest_type, "82a4706f727405a4686f7374a168", BV_E_DECODE, ""},
	{"a missing key", &bv_net_dest_type, "81a4686f7374a168", BV_E_DECODE, ""},
	{"more keys than there are", &bv_net_dest_type, "83a4686f7374a168a4706f727405", BV_E_DECODE,
	 ""},
	{"a number for a key", &bv_net_dest_type, "8205a168a4706f727405", BV_E_DECODE, ""},
	{"nil for what is left out", &bv_observed_fact_type,
	 "83a46b696e64a161a664657461696ca162a6736f75726365c0", BV_E_DECODE, "source"},
	{"a key left out that stays", &bv_capture_refs_type, "81a67374646f7574c0", BV_E_DECODE, ""},
	/* sets, maps, digests, lists */
	{"a set out of order", &bv_budget_request_type,
	 "83a56c696d697400a967756172616e746565a84d65646961746564a865766964656e636592af4e6574776f726b"
	 "4163746976697479af5465726d696e616c4f7574636f6d65",
	 BV_E_NOT_CANONICAL, "evidence[1]"},
	{"a name twice in a set", &bv_budget_request_type,
	 "83a56c696d697400a967756172616e746565a84d65646961746564a865766964656e636592af4e6574776f726b"
	 "4163746976697479af4e6574776f726b4163746976697479",
	 BV_E_NOT_CANONICAL, "evidence[1]"},
	{"a map out of order", &bv_probe_facts_type, "81a5666163747382a162a0a161a0",
	 BV_E_NOT_CANONICAL, "facts[1]"},
	{"a map key twice", &bv_probe_facts_type, "81a5666163747382a161a0a161a0",
	 BV_E_NOT_CANONICAL, "facts[1]"},
	{"a map that cannot be there", &bv_probe_facts_type, "81a56661637473dfffffffff",
	 BV_E_DECODE, "facts"},
	{"a list that cannot be there", &bv_path_set_type, "81a5726f6f7473ddffffffffa0",
	 BV_E_DECODE, "roots"},
	{"a list longer than its bytes", &bv_net_policy_type, "81a9416c6c6f774c69737493a0a0",
	 BV_E_DECODE, "AllowList"},
	{"a tuple of three", &bv_launch_target_type,
	 "83a46172677690a4656e76709193a161a162a163a86578655f736c6f7405", BV_E_DECODE, "envp[0]"},
	{"a deep path", &bv_boundary_spec_type,
	 "85a8776f726b6c6f616481a45761736d81aa6d6f64756c655f726566a16dac6361706162696c697469657391"
	 "81ac496e68657269746564466473"
	 "81a6706f6c69637981a44f6e6c799203ff",
	 BV_E_DECODE, "capabilities[0].InheritedFds.policy.Only[1]"},
	/* text */
	{"an overlong slash", &bv_path_set_type, "81a5726f6f747391a2c0af", BV_E_DECODE, "roots[0]"},
	{"a surrogate", &bv_path_set_type, "81a5726f6f747391a3eda080", BV_E_DECODE, "roots[0]"},
	{"beyond Unicode", &bv_path_set_type, "81a5726f6f747391a4f4908080", BV_E_DECODE,
	 "roots[0]"},
	{"half a character", &bv_path_set_type, "81a5726f6f747391a1c3", BV_E_DECODE, "roots[0]"},
	{"a lone continuation", &bv_path_set_type, "81a5726f6f747391a180", BV_E_DECODE, "roots[0]"},
};

TEST(every_other_spelling_is_refused_with_its_place)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const struct bv_str bytes = unhex(refused[i].hex);
		struct bv_error err = {.code = BV_OK};
		uint8_t value[4096];
		enum bv_code code;

		EXPECT(refused[i].type->size_bytes <= sizeof value);
		code = bv_canon_decode(arena_now(), refused[i].type, bytes.data, bytes.len, value,
				       &err);
		EXPECT_THAT(code == refused[i].code, "%s: %s, expected %s (%s)", refused[i].what,
			    bv_code_name(code), bv_code_name(refused[i].code), err.message);
		EXPECT_THAT(strcmp(err.where, refused[i].where) == 0,
			    "%s: at '%s', expected '%s' (%s)", refused[i].what, err.where,
			    refused[i].where, err.message);
		EXPECT_THAT(err.message[0] != '\0', "%s: no message", refused[i].what);
	}
}

TEST(a_digest_is_neither_binary_nor_of_another_length)
{
	struct bv_staged_artifact artifact = {.name = BV_STR("n")};
	const struct bv_str good = bytes_of(&bv_staged_artifact_type, &artifact);
	struct bv_error err;
	char *binary = bv_arena_alloc(arena_now(), good.len);

	/* The key artifact_id takes 1 + 12 bytes; then comes dc 00 20. */
	EXPECT_UINT((uint8_t)good.data[13], 0xdc);
	memcpy(binary, good.data, good.len);
	binary[15] = 31;
	EXPECT_STR(bv_code_name(bv_canon_decode(arena_now(), &bv_staged_artifact_type, binary,
						good.len, &artifact, &err)),
		   "decode-error");
	binary[13] = (char)0xc4;
	binary[14] = 32;
	EXPECT_STR(bv_code_name(bv_canon_decode(arena_now(), &bv_staged_artifact_type, binary,
						good.len, &artifact, &err)),
		   "decode-error");
	EXPECT_STR(err.where, "artifact_id");
}

TEST(a_value_larger_than_its_arena_is_refused_as_memory)
{
	const struct bv_capability env = cap_env(2, (const struct bv_env_entry[]){
							    env_literal(BV_STR("A"), BV_STR("x")),
							    env_literal(BV_STR("B"), BV_STR("y")),
						    });
	const struct bv_str bytes = bytes_of(&bv_capability_type, &env);
	struct bv_capability read;

	for (size_t size = 0; size < 4096; size += 16) {
		uint8_t small[4096];
		struct bv_arena arena;
		enum bv_code code;

		bv_arena_init(&arena, small, size);
		code = bv_canon_decode(&arena, &bv_capability_type, bytes.data, bytes.len, &read,
				       NULL);
		if (code == BV_OK) {
			EXPECT(size > 100);
			return;
		}
		EXPECT_STR(bv_code_name(code), "memory");
	}
	EXPECT(false);
}

TEST(decoded_text_is_a_terminated_copy)
{
	char bytes[] = "\x81\xa5roots\x91\xa3/ab";
	struct bv_path_set set;

	decode_ok(&bv_path_set_type, (struct bv_str){bytes, sizeof bytes - 1}, &set);
	memset(bytes, 0, sizeof bytes);
	EXPECT_STR(set.roots.items[0].data, "/ab");
}

TEST(the_message_says_at_which_byte)
{
	struct bv_spawn_capability spawn;
	const struct bv_str bytes = unhex("81a6706f6c696379ad44656e794e65775461736b7373");

	EXPECT_FAILS(bv_canon_decode(arena_now(), &bv_spawn_capability_type, bytes.data, bytes.len,
				     &spawn, err),
		     BV_E_DECODE, "policy", "byte 8");
}

TEST(no_type_contains_itself_and_none_is_deeper_than_paths_can_say)
{
	/* Each step of a walk is one row; a cycle would never end, and this counts to the end. */
	size_t deepest = 0;
	struct frame {
		const struct bv_type *type;
		size_t next;
	} stack[64];

	for (size_t t = 0; bv_types[t] != NULL; t++) {
		size_t depth = 0;

		stack[depth++] = (struct frame){bv_types[t], 0};
		while (depth != 0) {
			struct frame *top = &stack[depth - 1];
			const struct bv_row *row;

			if (top->next == top->type->row_count) {
				depth--;
				continue;
			}
			row = &top->type->rows[top->next++];
			EXPECT_THAT(row->type != bv_types[t], "%s contains itself",
				    bv_types[t]->name);
			if (row->type == NULL)
				continue;
			EXPECT_THAT(depth < 16, "%s is deeper than 16", bv_types[t]->name);
			stack[depth++] = (struct frame){row->type, 0};
			deepest = depth > deepest ? depth : deepest;
		}
	}
	EXPECT(deepest >= 6);
	/* Two path steps a type at most: a name and an index.  path.c has room for 32. */
	EXPECT(2 * deepest <= 32);
}

TEST(names_are_short_unique_and_few_enough_for_bit_sets)
{
	for (size_t t = 0; bv_types[t] != NULL; t++) {
		const struct bv_type *type = bv_types[t];

		EXPECT_THAT(type->row_count <= (type->form == BV_FORM_ENUM ? 31 : 64),
			    "%s has too many rows", type->name);
		for (size_t i = 0; i < type->row_count; i++) {
			const struct bv_row *row = &type->rows[i];

			EXPECT_UINT(row->wire_len, strlen(row->wire));
			EXPECT_THAT(row->wire_len > 0 && row->wire_len < 32, "%s.%s", type->name,
				    row->wire);
			EXPECT_THAT(row->doc[0] != '\0', "%s.%s is not described", type->name,
				    row->wire);
			for (size_t j = 0; j < i; j++)
				EXPECT_THAT(strcmp(row->wire, type->rows[j].wire) != 0,
					    "%s.%s is there twice", type->name, row->wire);
		}
	}
}
