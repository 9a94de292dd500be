/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * test.h - the test framework: TEST, EXPECT and SKIP.
 *
 *     TEST(a_full_arena_returns_null)
 *     {
 *             EXPECT(bv_arena_alloc(&arena, 1) == NULL);
 *             EXPECT_UINT(arena.used, 16);
 *     }
 *
 * Link with test_main.c.  Every test runs in its own child, because confinement cannot be taken
 * back, with a minute to finish; the first expectation that does not hold ends it.  An expectation
 * in a process that the test forked counts too.  A test that leaves processes behind has failed.
 *
 * The program prints TAP on standard output; what a test itself prints goes to standard error.
 * Arguments choose the tests whose name contains one of them, --list names them all.
 *
 * SKIP is for what this host lacks and for nothing else.  BVISOR_MUST_RUN=landlock,userns turns a
 * skip whose reason has one of these words into a failure; BVISOR_MUST_RUN=all does it for all.
 * BVISOR_TEST_PATIENCE=5 makes time limits that only guard against hanging five times longer.
 */
#ifndef BV_TEST_H
#define BV_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
	unsigned int timeout_s;
	struct test_case *next;
};

enum { TEST_TIMEOUT_S = 60 };

void test_register(struct test_case *test);

/* At least 1: what a time limit that only guards against hanging is multiplied with. */
int test_patience(void);

/* Both end the calling process. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *file, int line, const char *why);

void test_expect_str(const char *file, int line, const char *text, const char *actual,
		     const char *expected);
void test_expect_bytes(const char *file, int line, const char *text, const void *actual,
		       size_t actual_bytes, const void *expected, size_t expected_bytes);

#define TEST(name) TEST_WITHIN(name, TEST_TIMEOUT_S)

/* For the few tests that need more, or should have less, than a minute. */
#define TEST_WITHIN(name_, seconds)                                                                \
	static void test_##name_(void);                                                            \
	static struct test_case test_case_##name_ = {#name_, test_##name_, (seconds), NULL};       \
	__attribute__((constructor)) static void test_register_##name_(void)                       \
	{                                                                                          \
		test_register(&test_case_##name_);                                                 \
	}                                                                                          \
	static void test_##name_(void)

#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, "expected %s", #condition);                  \
	} while (0)

/* For a loop or a table: says which row as well. */
#define EXPECT_THAT(condition, ...)                                                                \
	do {                                                                                       \
		if (!(condition))                                                                  \
			test_fail(__FILE__, __LINE__, __VA_ARGS__);                                \
	} while (0)

#define EXPECT_INT(actual, expected)                                                               \
	do {                                                                                       \
		const long long actual_ = (long long)(actual);                                     \
		const long long expected_ = (long long)(expected);                                 \
		if (actual_ != expected_)                                                          \
			test_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #actual,        \
				  actual_, expected_);                                             \
	} while (0)

#define EXPECT_UINT(actual, expected)                                                              \
	do {                                                                                       \
		const unsigned long long actual_ = (unsigned long long)(actual);                   \
		const unsigned long long expected_ = (unsigned long long)(expected);               \
		if (actual_ != expected_)                                                          \
			test_fail(__FILE__, __LINE__,                                              \
				  "%s is %llu (0x%llx), expected %llu (0x%llx)", #actual, actual_, \
				  actual_, expected_, expected_);                                  \
	} while (0)

/* NUL-terminated text; either may be NULL. */
#define EXPECT_STR(actual, expected)                                                               \
	test_expect_str(__FILE__, __LINE__, #actual, (actual), (expected))

#define EXPECT_BYTES(actual, actual_bytes, expected, expected_bytes)                               \
	test_expect_bytes(__FILE__, __LINE__, #actual, (actual), (actual_bytes), (expected),       \
			  (expected_bytes))

#define SKIP(why) test_skip(__FILE__, __LINE__, (why))

#define SKIP_UNLESS(condition, why)                                                                \
	do {                                                                                       \
		if (!(condition))                                                                  \
			SKIP(why);                                                                 \
	} while (0)

#endif
