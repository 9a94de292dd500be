/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_base.c - text, memory, numbers, errors. */
#include "contract_helpers.h"

TEST(an_arena_hands_out_zeroed_aligned_memory_until_it_is_full)
{
	uint8_t memory[100];
	struct bv_arena arena;
	uint8_t *first, *second;

	memset(memory, 0xff, sizeof memory);
	bv_arena_init(&arena, memory + 3, 64);
	first = bv_arena_alloc(&arena, 1);
	second = bv_arena_alloc(&arena, 16);
	EXPECT(first != NULL && second != NULL);
	EXPECT_UINT((uintptr_t)first % 16, 0);
	EXPECT_UINT((uintptr_t)second % 16, 0);
	EXPECT(second - first == 16);
	EXPECT_UINT(first[0], 0);
	EXPECT(bv_arena_alloc(&arena, 33) == NULL);
	EXPECT(bv_arena_alloc(&arena, SIZE_MAX) == NULL);
	EXPECT(bv_arena_alloc(&arena, SIZE_MAX - 15) == NULL);
	EXPECT(bv_arena_array(&arena, SIZE_MAX / 2, 4) == NULL);
	EXPECT(bv_arena_array(&arena, SIZE_MAX, 0) != NULL);
}

TEST(an_arena_without_memory_has_none)
{
	struct bv_arena arena;
	uint8_t memory[4];

	bv_arena_init(&arena, NULL, 0);
	EXPECT(bv_arena_alloc(&arena, 1) == NULL);
	bv_arena_init(&arena, memory, sizeof memory);
	EXPECT(bv_arena_alloc(&arena, 1) == NULL);
}

TEST(a_copy_ends_in_a_nul_and_an_empty_one_is_not_null)
{
	const struct bv_str empty = {NULL, 0};
	const struct bv_str copy = bv_arena_copy(arena_reset(), empty);

	EXPECT_STR(copy.data, "");
	EXPECT_STR(bv_arena_copy(arena_now(), BV_STR("ab")).data, "ab");
}

TEST(formatting_knows_every_conversion_it_promises)
{
	EXPECT_STR(bv_arena_format(arena_reset(), "%s|%.*s|%d|%d|%u|%zu|%llu|%llx|%c|%%", "ab", 2,
				   "xyz", -2147483647 - 1, 7, 4294967295u, (size_t)12,
				   18446744073709551615ull, 0xdeadbeefull, 'q')
			   .data,
		   "ab|xy|-2147483648|7|4294967295|12|18446744073709551615|deadbeef|q|%");
	EXPECT_STR(bv_arena_format(arena_now(), "%.*s", 5, "ab").data, "ab");
	EXPECT_STR(bv_arena_format(arena_now(), "%d %llu", 0, 0ull).data, "0 0");
}

TEST(text_is_compared_by_bytes_with_the_shorter_first)
{
	EXPECT_INT(bv_str_compare(BV_STR("a"), BV_STR("ab")), -1);
	EXPECT_INT(bv_str_compare(BV_STR("b"), BV_STR("ab")), 1);
	EXPECT_INT(bv_str_compare(BV_STR("\xff"), BV_STR("a")), 1);
	EXPECT_INT(bv_str_compare(BV_STR(""), BV_STR("")), 0);
	EXPECT(bv_str_equal((struct bv_str){NULL, 0}, BV_STR("")));
	EXPECT(bv_str_is(BV_STR("abc"), "abc"));
	EXPECT(!bv_str_is(BV_STR("abc"), "ab"));
}

TEST(utf8_is_what_the_standard_says)
{
	static const char *const good[] = {"",
					   "a",
					   "\xc2\x80",
					   "\xdf\xbf",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xee\x80\x80",
					   "\xef\xbf\xbf",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xc2",
					  "\xc2\x41",
					  "\xe0\x80\x80",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xed\xbf\xbf",
					  "\xe2\x82",
					  "\xf0\x80\x80\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xf8\x88\x80\x80\x80",
					  "\xff",
					  "a\xfe"};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		EXPECT_THAT(bv_utf8_valid(bv_str_from(good[i])), "good[%zu]", i);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_THAT(!bv_utf8_valid(bv_str_from(bad[i])), "bad[%zu]", i);
	EXPECT_STR(bv_arena_utf8(arena_reset(), BV_STR("a\xff"
						       "b\xe2\x82\xc3\xa9"))
			   .data,
		   "a\xef\xbf\xbd"
		   "b\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9");
}

TEST(sums_and_products_that_do_not_fit_leave_the_result_alone)
{
	uint64_t result = 7;

	EXPECT(!bv_add(UINT64_MAX, 1, &result) && result == 7);
	EXPECT(!bv_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &result) && result == 7);
	EXPECT(bv_add(UINT64_MAX - 1, 1, &result) && result == UINT64_MAX);
	EXPECT(bv_mul(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &result) &&
	       result == UINT64_MAX - UINT32_MAX);
	EXPECT(bv_mul(0, UINT64_MAX, &result) && result == 0);
}

TEST(an_error_is_one_line_of_valid_text_whatever_it_quotes)
{
	struct bv_error err;
	char long_text[600];

	EXPECT(bv_fail(NULL, BV_E_DECODE, "x", "no error to fill") == BV_E_DECODE);
	EXPECT(bv_fail_remedy(&err, BV_E_STATE, "run", "wait", "a\n%s\x1b[2J",
			      "\t\x7f\xc2\x9b\xff") == BV_E_STATE);
	EXPECT_STR(err.message, "a?????"
				"??[2J");
	EXPECT_STR(err.where, "run");
	EXPECT_STR(err.remedy, "wait");
	EXPECT_INT(err.sys_errno, 0);

	/* 255 bytes end in the middle of a character: all of it goes. */
	for (size_t i = 0; i + 3 < sizeof long_text; i += 3)
		memcpy(long_text + i, "\xe2\x82\xac", 4);
	(void)bv_fail(&err, BV_E_STATE, long_text, "x%s", long_text);
	EXPECT(bv_utf8_valid(bv_str_from(err.message)));
	EXPECT_UINT(strlen(err.message), 1 + 3 * 84);
	EXPECT(bv_utf8_valid(bv_str_from(err.where)));
	EXPECT_UINT(strlen(err.where), 93);
}

TEST(every_code_has_a_name_of_its_own)
{
	for (int i = 0; i < BV_CODE_COUNT; i++)
		for (int j = 0; j < i; j++)
			EXPECT(strcmp(bv_code_name((enum bv_code)i),
				      bv_code_name((enum bv_code)j)) != 0);
	EXPECT_STR(bv_code_name(BV_OK), "ok");
	EXPECT_STR(bv_code_name(BV_E_LAUNCHER), "launcher");
	EXPECT_STR(bv_code_name(BV_CODE_COUNT), "?");
	EXPECT_STR(bv_code_name((enum bv_code) - 1), "?");
}

TEST(near_names_are_near)
{
	EXPECT_UINT(bv_text_distance(BV_STR("kitten"), BV_STR("sitting")), 3);
	EXPECT_UINT(bv_text_distance(BV_STR(""), BV_STR("abc")), 3);
	EXPECT_UINT(bv_text_distance(BV_STR("abc"), BV_STR("abc")), 0);
	EXPECT_STR(bv_row_nearest(&bv_outcome_type, BV_STR("Complete")), "Completed");
	EXPECT(bv_row_nearest(&bv_outcome_type, BV_STR("Banana")) == NULL);
}
