/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_json.c - JSON in and out. */
#include "contract_helpers.h"

#include "contract/json.h"

static struct bv_str text_of(const struct bv_type *type, const void *value,
			     enum bv_json_style style)
{
	const struct bv_str text = bv_json_text(arena_now(), type, value, style);

	EXPECT(text.data != NULL);
	return text;
}

TEST(a_value_is_laid_out_for_reading)
{
	const struct bv_budget_request request = {.limit = UINT64_MAX,
						  .evidence = 1u << BV_CLAIM_RESOURCE_USAGE |
							      1u << BV_CLAIM_PROCESS_TREE};
	const struct bv_capability fds = cap_fds(2, (const uint32_t[]){9, 3});
	const struct bv_path_set none = {{NULL, 0}};

	EXPECT_STR(text_of(&bv_budget_request_type, &request, BV_JSON_PRETTY).data,
		   "{\n"
		   "  \"limit\": 18446744073709551615,\n"
		   "  \"guarantee\": \"Mediated\",\n"
		   "  \"evidence\": [\"ResourceUsage\", \"ProcessTree\"]\n"
		   "}");
	EXPECT_STR(text_of(&bv_capability_type, &fds, BV_JSON_PRETTY).data,
		   "{\n"
		   "  \"InheritedFds\": {\n"
		   "    \"policy\": {\n"
		   "      \"Only\": [\n"
		   "        9,\n"
		   "        3\n"
		   "      ]\n"
		   "    }\n"
		   "  }\n"
		   "}");
	EXPECT_STR(text_of(&bv_capability_type, &fds, BV_JSON_COMPACT).data,
		   "{\"InheritedFds\":{\"policy\":{\"Only\":[9,3]}}}");
	EXPECT_STR(text_of(&bv_path_set_type, &none, BV_JSON_PRETTY).data, "{\n  \"roots\": []\n}");
}

TEST(absent_is_null_only_where_the_key_stays)
{
	const struct bv_capture_refs refs = {.has_stderr_ref = true, .stderr_ref = S("x")};
	const struct bv_execution_options options = {.has_terminal = true, .terminal = false};
	const struct bv_empty empty = {0};

	EXPECT_STR(text_of(&bv_capture_refs_type, &refs, BV_JSON_COMPACT).data,
		   "{\"stdout\":null,\"stderr\":\"x\"}");
	EXPECT_STR(text_of(&bv_execution_options_type, &options, BV_JSON_COMPACT).data,
		   "{\"terminal\":false}");
	EXPECT_STR(text_of(&bv_empty_type, &empty, BV_JSON_PRETTY).data, "{}");
}

TEST(a_digest_is_lower_case_hex)
{
	struct bv_staged_artifact artifact = {.name = S("n")};

	artifact.artifact_id.bytes[0] = 0xab;
	artifact.content_hash.bytes[31] = 0x0f;
	EXPECT_STR(
		text_of(&bv_staged_artifact_type, &artifact, BV_JSON_COMPACT).data,
		"{\"artifact_id\":\"ab00000000000000000000000000000000000000000000000000000000000000\","
		"\"content_hash\":\"000000000000000000000000000000000000000000000000000000000000000f\","
		"\"name\":\"n\"}");
}

TEST(what_a_terminal_would_obey_is_escaped)
{
	const struct bv_path_set set = {TEXTS(S("\"\\/\b\f\n\r\t\x01\x1b[2J\x7f"),
					      S("\xc2\x9b\xe2\x80\xae\xef\xbb\xbf"),
					      S("\xc3\xa9\xf0\x9f\x98\x80"), S("a\0b"))};

	EXPECT_STR(text_of(&bv_path_set_type, &set, BV_JSON_COMPACT).data,
		   "{\"roots\":[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001b[2J\\u007f\","
		   "\"\\u009b\\u202e\\ufeff\",\"\xc3\xa9\xf0\x9f\x98\x80\",\"a\\u0000b\"]}");
}

TEST(every_escape_is_read)
{
	static const char text[] =
		" {\"roots\" :\t[ \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\u0000z\" ]\r\n} ";
	static const char expected[] = "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0z";
	struct bv_path_set set;

	EXPECT_OK(bv_json_decode(arena_now(), &bv_path_set_type, text, sizeof text - 1, &set, err));
	EXPECT_UINT(set.roots.count, 1);
	EXPECT_BYTES(set.roots.items[0].data, set.roots.items[0].len, expected,
		     sizeof expected - 1);
	EXPECT_UINT((uint8_t)set.roots.items[0].data[set.roots.items[0].len], 0);
}

TEST(keys_and_sets_and_maps_may_come_in_any_order)
{
	static const char text[] =
		"{\"evidence\":[\"ProcessTree\",\"TerminalOutcome\"],\"guarantee\":"
		"\"Enforced\",\"limit\":18446744073709551615}";
	static const char facts[] = "{\"facts\":{\"b\":\"2\",\"a\":\"1\",\"\":\"0\"}}";
	struct bv_budget_request request;
	struct bv_probe_facts probe;

	EXPECT_OK(bv_json_decode(arena_now(), &bv_budget_request_type, text, strlen(text), &request,
				 err));
	EXPECT_UINT(request.limit, UINT64_MAX);
	EXPECT_UINT(request.guarantee, BV_MIN_ENFORCED);
	EXPECT_UINT(request.evidence,
		    1u << BV_CLAIM_PROCESS_TREE | 1u << BV_CLAIM_TERMINAL_OUTCOME);

	EXPECT_OK(bv_json_decode(arena_now(), &bv_probe_facts_type, facts, strlen(facts), &probe,
				 err));
	EXPECT_UINT(probe.facts.count, 3);
	EXPECT_STR(probe.facts.items[0].key.data, "");
	EXPECT_STR(probe.facts.items[2].key.data, "b");
}

/* ---- refusals -------------------------------------------------------------------------------- */

static const struct {
	const struct bv_type *type;
	const char *text, *where, *message, *remedy;
} refused[] = {
	/* shape of the text */
	{&bv_net_dest_type, "", "", "line 1, column 1: the text ends where an object belongs", ""},
	{&bv_net_dest_type, "  \n ", "", "line 2, column 2: the text ends", ""},
	{&bv_net_dest_type, "[]", "", "line 1, column 1: expected an object, found '['", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":1} x", "",
	 "line 1, column 23: expected nothing more, found 'x'", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":1,}", "",
	 "line 1, column 22: expected another element after ',', found '}'", ""},
	{&bv_net_dest_type, "{\"host\":\"h\" \"port\":1}", "",
	 "line 1, column 13: expected ',' or '}', found '\"port\":1'", ""},
	{&bv_net_dest_type, "{\"host\" \"h\"}", "", "line 1, column 9: expected ':'", ""},
	{&bv_net_dest_type, "{host:1}", "", "line 1, column 2: expected a string", ""},
	{&bv_net_dest_type, "{'host':1}", "", "line 1, column 2: expected a string", ""},
	{&bv_net_dest_type, "{\"host\":\"h", "host", "line 1, column 9: this string has no end",
	 ""},
	{&bv_net_dest_type, "{\"host\":\"h\\", "host", "line 1, column 9: this string has no end",
	 ""},
	{&bv_net_dest_type, "\xef\xbb\xbf{}", "", "line 1, column 1: a byte order mark",
	 "save the text without it"},
	{&bv_net_dest_type, "{\"host\":\"\xff\"}", "", "line 1, column 10: this is not UTF-8",
	 "save the text as UTF-8"},
	{&bv_net_dest_type, "{\"host\":\"a\nb\"}", "host",
	 "line 1, column 11: a control character in a string",
	 "write it as an escape, such as \\n"},
	{&bv_net_dest_type, "{\"host\":\"\\x41\"}", "host", "line 1, column 11: expected one of",
	 ""},
	{&bv_net_dest_type, "{\"host\":\"\\u12\"}", "host", "four hex digits", ""},
	{&bv_net_dest_type, "{\"host\":\"\\ud83d\"}", "host", "half of a surrogate pair", ""},
	{&bv_net_dest_type, "{\"host\":\"\\ud83d\\u0041\"}", "host", "half of a surrogate pair",
	 ""},
	{&bv_net_dest_type, "{\"host\":\"\\ude00\"}", "host", "half of a surrogate pair", ""},
	{&bv_net_dest_type, "{\"host\":\"\\ud83d\\ue000\"}", "host", "half of a surrogate pair",
	 ""},
	/* keys */
	{&bv_net_dest_type, "{\"host\":\"h\",\"prot\":1}", "",
	 "line 1, column 13: the key 'prot' is not known", "did you mean 'port'?"},
	{&bv_net_dest_type, "{\"host\":\"h\",\"banana\":1}", "", "the key 'banana' is not known",
	 ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"host\":\"h\"}", "",
	 "line 1, column 13: the key 'host' is there twice", "name it once"},
	{&bv_net_dest_type, "{\"host\":\"h\"}", "", "line 1, column 12: the key 'port' is missing",
	 "add the key"},
	{&bv_capture_refs_type, "{\"stdout\":null}", "", "the key 'stderr' is missing",
	 "add the key"},
	{&bv_observed_fact_type, "{\"kind\":\"\",\"detail\":\"\",\"source\":null}", "source",
	 "null does not belong here", "leave the key out"},
	{&bv_probe_facts_type, "{\"facts\":{\"a\":\"1\",\"\\u0061\":\"2\"}}", "facts",
	 "the key 'a' is there twice", "name it once"},
	/* numbers */
	{&bv_net_dest_type, "{\"host\":\"h\",\n \"port\":65536}", "port",
	 "line 2, column 9: this number is above 65535", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":-1}", "port", "a number below 0", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":1.0}", "port",
	 "only whole numbers belong here", "write it out, without point or exponent"},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":1e2}", "port",
	 "only whole numbers belong here", "write it out, without point or exponent"},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":007}", "port", "needless zero", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":+7}", "port",
	 "expected a whole number, found '+7'", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":\"7\"}", "port",
	 "expected a whole number, found '\"7\"'", ""},
	{&bv_net_dest_type, "{\"host\":\"h\",\"port\":0x1}", "", "expected ',' or '}', found 'x1'",
	 ""},
	{&bv_budget_request_type, "{\"limit\":18446744073709551616}", "limit",
	 "this number is above 18446744073709551615", ""},
	{&bv_budget_request_type, "{\"limit\":99999999999999999999999}", "limit",
	 "this number is above", ""},
	{&bv_exit_status_type, "{\"Code\":2147483648}", "Code", "this number is above 2147483647",
	 ""},
	{&bv_exit_status_type, "{\"Code\":-2147483649}", "Code", "this number is above 2147483648",
	 ""},
	{&bv_exit_status_type, "{\"Code\":-0}", "Code", "there is no negative zero", "write 0"},
	{&bv_exit_status_type, "{\"Code\":-}", "Code", "expected a whole number", ""},
	/* names and variants */
	{&bv_spawn_capability_type, "{\"policy\":\"DenyNewTask\"}", "policy",
	 "the name 'DenyNewTask' is not known", "did you mean 'DenyNewTasks'?"},
	{&bv_net_policy_type, "\"denyall\"", "", "the variant 'denyall' is not known",
	 "did you mean 'DenyAll'?"},
	{&bv_net_policy_type, "{\"DenyAll\":null}", "", "'DenyAll' has no content",
	 "write the name alone"},
	{&bv_net_policy_type, "\"AllowList\"", "", "'AllowList' lacks its content",
	 "write an object with this one key"},
	{&bv_net_policy_type, "{}", "", "expected a string, found '}'", ""},
	{&bv_exit_status_type, "{\"Code\":1,\"Signal\":2}", "", "'Code' stands alone",
	 "choose one variant"},
	{&bv_budget_request_type, "{\"evidence\":[\"ProcessTree\",\"ProcessTree\"]}", "evidence",
	 "'ProcessTree' is there twice", "name it once"},
	/* the rest */
	{&bv_std_streams_type, "{\"stdout\":1}", "stdout", "expected true or false, found '1'", ""},
	{&bv_std_streams_type, "{\"stdout\":True}", "stdout",
	 "expected true or false, found 'True'", ""},
	{&bv_path_set_type, "{\"roots\":[\"/a\",7]}", "roots[1]", "expected a string, found '7'",
	 ""},
	{&bv_path_set_type, "{\"roots\":[\"/a\",]}", "roots", "another element after ','", ""},
	{&bv_path_set_type, "{\"roots\":\"/a\"}", "roots", "expected a list", ""},
	{&bv_staged_artifact_type, "{\"artifact_id\":\"00\"}", "artifact_id",
	 "64 lower-case hex digits", ""},
	{&bv_staged_artifact_type,
	 "{\"artifact_id\":\"AB00000000000000000000000000000000000000000000000000000000000000\"}",
	 "artifact_id", "64 lower-case hex digits", ""},
	{&bv_launch_target_type, "{\"envp\":[[\"a\"]]}", "envp[0]", "a list of 1, where 2 belong",
	 ""},
	{&bv_launch_target_type, "{\"envp\":[[\"a\",\"b\",\"c\"]]}", "envp[0]",
	 "a list of more than 2", ""},
};

TEST(every_fault_is_refused_with_path_line_column_and_remedy)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct bv_error err = {.code = BV_OK};
		static uint8_t value[8192];
		enum bv_code code;

		EXPECT(refused[i].type->size_bytes <= sizeof value);
		code = bv_json_decode(arena_now(), refused[i].type, refused[i].text,
				      strlen(refused[i].text), value, &err);
		EXPECT_THAT(code == BV_E_DECODE, "%s is %s", refused[i].text, bv_code_name(code));
		EXPECT_THAT(strcmp(err.where, refused[i].where) == 0, "%s: at '%s', expected '%s'",
			    refused[i].text, err.where, refused[i].where);
		EXPECT_THAT(strstr(err.message, refused[i].message) != NULL,
			    "%s: '%s', expected '%s'", refused[i].text, err.message,
			    refused[i].message);
		EXPECT_THAT(strcmp(err.remedy, refused[i].remedy) == 0,
			    "%s: remedy '%s', expected '%s'", refused[i].text, err.remedy,
			    refused[i].remedy);
	}
}

TEST(a_nul_byte_is_no_json)
{
	struct bv_net_dest dest;

	EXPECT_FAILS(bv_json_decode(arena_now(), &bv_net_dest_type, "{\0}", 3, &dest, err),
		     BV_E_DECODE, "", "line 1, column 2");
	EXPECT_FAILS(bv_json_decode(arena_now(), &bv_net_dest_type, "{\"host\":\"a\0b\"}", 14,
				    &dest, err),
		     BV_E_DECODE, "host", "a control character");
}

TEST(columns_count_characters_not_bytes)
{
	struct bv_net_dest dest;

	EXPECT_FAILS(bv_json_decode(arena_now(), &bv_net_dest_type,
				    "{\"host\":\"\xc3\xa9\xc3\xa9\" x}",
				    strlen("{\"host\":\"\xc3\xa9\xc3\xa9\" x}"), &dest, err),
		     BV_E_DECODE, "", "line 1, column 14");
}

TEST(an_arena_that_is_too_small_is_said_to_be)
{
	static const char text[] = "{\"roots\":[\"/a\",\"/b\",\"/c\",\"/d\",\"/e\"]}";
	struct bv_path_set set;
	uint8_t memory[512];
	bool read = false;

	for (size_t size = 0; size <= sizeof memory; size += 16) {
		struct bv_arena arena;
		enum bv_code code;

		bv_arena_init(&arena, memory, size);
		code = bv_json_decode(&arena, &bv_path_set_type, text, sizeof text - 1, &set, NULL);
		EXPECT(code == BV_OK || code == BV_E_MEMORY);
		EXPECT(!read || code == BV_OK);
		read = code == BV_OK;
	}
	EXPECT(read);
	EXPECT_UINT(set.roots.count, 5);
}

TEST(invalid_text_is_shown_as_such_rather_than_passed_on)
{
	/* bv_value_check refuses it, but whoever prints an error must not print garbage. */
	const struct bv_path_set set = {TEXTS(S("a\xff\xc3"))};

	EXPECT_STR(text_of(&bv_path_set_type, &set, BV_JSON_COMPACT).data,
		   "{\"roots\":[\"a\\ufffd\\ufffd\"]}");
	EXPECT_FAILS(bv_value_check(&bv_path_set_type, &set, BV_E_ARGUMENT, err), BV_E_ARGUMENT,
		     "roots[0]", "not UTF-8");
}
