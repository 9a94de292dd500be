/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * selftest.c - tests that the framework itself can fail.
 *
 * Run as it is, it passes.  tools/test-selftest sets BVISOR_SELFTEST_BROKEN, runs the tests named
 * broken_* one by one and expects each to fail: a framework that finds everything fine is worse
 * than none.
 */
#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define BROKEN(name, seconds) TEST_WITHIN(broken_##name, seconds)

static bool broken_wanted(void)
{
	return getenv("BVISOR_SELFTEST_BROKEN") != NULL;
}

TEST(an_expectation_that_holds_is_silent)
{
	EXPECT(1 + 1 == 2);
	EXPECT_INT(-1, -1);
	EXPECT_UINT(0xffu, 255);
	EXPECT_STR("a", "a");
	EXPECT_STR(NULL, NULL);
	EXPECT_BYTES("ab", 2, "abc", 2);
	EXPECT_BYTES("", 0, "", 0);
}

TEST(each_test_has_a_process_of_its_own_part_1)
{
	EXPECT_INT(setenv("BVISOR_SELFTEST_LEAK", "1", 1), 0);
}

TEST(each_test_has_a_process_of_its_own_part_2)
{
	EXPECT(getenv("BVISOR_SELFTEST_LEAK") == NULL);
}

TEST(output_of_a_test_does_not_disturb_the_tap_stream)
{
	const char line[] = "not ok 99 - this is on standard error\n";

	if (broken_wanted())
		EXPECT_INT(write(STDOUT_FILENO, line, sizeof line - 1), sizeof line - 1);
}

BROKEN(expect, 10)
{
	EXPECT(!broken_wanted());
}

BROKEN(int, 10)
{
	EXPECT_INT(broken_wanted(), 0);
}

BROKEN(uint, 10)
{
	EXPECT_UINT(broken_wanted(), 0);
}

BROKEN(str, 10)
{
	EXPECT_STR(broken_wanted() ? "a" : "b", "b");
}

BROKEN(str_null, 10)
{
	EXPECT_STR(broken_wanted() ? NULL : "b", "b");
}

BROKEN(bytes, 10)
{
	EXPECT_BYTES(broken_wanted() ? "ax" : "ab", 2, "ab", 2);
}

BROKEN(bytes_length, 10)
{
	EXPECT_BYTES("ab", broken_wanted() ? 1 : 2, "ab", 2);
}

BROKEN(grandchild, 10)
{
	/* The test itself exits with 0: what its child found has to count all the same. */
	if (fork() == 0) {
		EXPECT(!broken_wanted());
		_exit(0);
	}
}

BROKEN(signal, 10)
{
	if (broken_wanted())
		raise(SIGSEGV);
}

BROKEN(exit_code, 10)
{
	if (broken_wanted())
		_exit(3);
}

/* A test may not pretend to be skipped by its exit code. */
BROKEN(false_skip, 10)
{
	if (broken_wanted())
		_exit(77);
}

BROKEN(timeout, 1)
{
	if (broken_wanted())
		pause();
}

BROKEN(daemon, 10)
{
	if (broken_wanted() && fork() == 0) {
		setsid();
		pause();
	}
}

BROKEN(must_run, 10)
{
	/* Run with BVISOR_MUST_RUN=landlock. */
	if (broken_wanted())
		SKIP("landlock is not there");
}
