/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* attest.c - what is wrong with a boundary is seen in what /proc says of it. */
#include "linux/attest.h"

#include <string.h>

#include "test.h"

static struct bv_arena arena;

static void begin(void)
{
	static uint8_t memory[1 << 20];

	bv_arena_init(&arena, memory, sizeof(memory));
}

TEST(a_status_field_is_found_by_its_whole_name)
{
	const struct bv_str status = BV_STR(
		"Name:\tx\nUid:\t1\t2\t3\t4\nSeccomp:\t2\nSeccomp_filters:\t1\nGroups:\t \nLast:\t9");

	EXPECT(bv_str_is(bv__status_field(status, "Seccomp"), "2"));
	EXPECT(bv_str_is(bv__status_field(status, "Seccomp_filters"), "1"));
	EXPECT(bv_str_is(bv__status_field(status, "Uid"), "1\t2\t3\t4"));
	EXPECT_UINT(bv__status_field(status, "Groups").len, 0);
	EXPECT(bv_str_is(bv__status_field(status, "Last"), "9"));
	EXPECT_UINT(bv__status_field(status, "Missing").len, 0);
}

static const char *judge(const char *lines)
{
	static struct bv_launch_mount mounts[] = {
		{.source = {"/srv/a b", 8}, .dest = {"/srv/a b", 8}, .directory = true},
		{.source = {"/out", 4}, .dest = {"/out", 4}, .directory = true, .writable = true},
		{.source = {"/usr", 4}, .dest = {"/usr", 4}, .directory = true, .executable = true},
		{.source = {"/dev/null", 9},
		 .dest = {"/dev/null", 9},
		 .writable = true,
		 .node = true},
	};
	static struct bv_str masked[] = {{"/out/hidden", 11}};
	const struct bv_launch_root root = {.mounts = {mounts, 4}, .masked = {masked, 1}};
	size_t count;

	return bv__mounts_wrong(&arena, bv_str_from(lines), &root, &count);
}

static const char *unmapped(const char *lines)
{
	static struct bv_launch_mount mounts[] = {
		{.dest = {"/srv/a b", 8}, .idmapped = true},
		{.dest = {"/out", 4}, .idmapped = true},
		{.dest = {"/usr", 4}},
	};
	const struct bv_launch_root root = {.mounts = {mounts, 3}};

	return bv__mounts_unmapped(&arena, bv_str_from(lines), &root).data;
}

#define MOUNT(point, options) "36 35 98:0 /x " point " " options " shared:1 - ext4 /dev/x rw\n"
#define GOOD_ROOT MOUNT("/", "ro,nosuid,nodev")
#define GOOD_SRV MOUNT("/srv/a\\040b", "ro,nosuid,nodev,noexec")
#define GOOD_OUT MOUNT("/out", "rw,nosuid,nodev,noexec")
#define GOOD_USR MOUNT("/usr", "ro,nosuid,nodev")
#define GOOD_NULL MOUNT("/dev/null", "rw,nosuid,noexec")
#define GOOD_REST MOUNT("/tmp", "rw,nosuid,nodev") MOUNT("/proc", "rw,nosuid,nodev")

TEST(mounts_whose_owners_are_not_mapped_are_named)
{
	begin();
	EXPECT_STR(unmapped(GOOD_ROOT MOUNT("/srv/a\\040b", "ro,nosuid,idmapped")
				    MOUNT("/out", "rw,idmapped,nosuid") GOOD_USR),
		   "");
	EXPECT_STR(unmapped(GOOD_ROOT GOOD_SRV MOUNT("/out", "rw,idmapped,nosuid") GOOD_USR),
		   "/srv/a b");
	/* What such a mount brought along is not mapped, ever. */
	EXPECT_STR(unmapped(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR MOUNT("/out/sub", "rw")),
		   "/srv/a b, /out");
}

TEST(a_root_that_is_not_as_planned_is_seen)
{
	begin();
	EXPECT_STR(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST), NULL);
	EXPECT_STR(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST
				 MOUNT("/out/hidden", "ro,nosuid")),
		   NULL);
	EXPECT_STR(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST
				 MOUNT("/usr/sub", "ro,nosuid,nodev")),
		   NULL);
	/* One thing wrong at a time. */
	EXPECT(judge("") != NULL && judge("nonsense\n") != NULL);
	EXPECT(judge(GOOD_ROOT GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST) != NULL);
	EXPECT(judge(MOUNT("/", "rw,nosuid,nodev")
			     GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST) != NULL);
	EXPECT(judge(GOOD_ROOT MOUNT("/srv/a\\040b", "rw,nosuid,nodev,noexec")
			     GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST) != NULL);
	EXPECT(judge(GOOD_ROOT MOUNT("/srv/a\\040b", "ro,nosuid,nodev")
			     GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST) != NULL);
	EXPECT(judge(GOOD_ROOT MOUNT("/srv/a\\040b", "ro,nodev,noexec")
			     GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST) != NULL);
	EXPECT(judge(GOOD_ROOT MOUNT("/srv/a\\040b", "ro,nosuid,noexec")
			     GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST) != NULL);
	EXPECT(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST
			     MOUNT("/home", "ro,nosuid,nodev")) != NULL);
	EXPECT(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST
			     MOUNT("/usr/sub", "rw,nosuid,nodev")) != NULL);
	EXPECT(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST MOUNT("/out/hidden",
										    "rw,nosuid")) !=
	       NULL);
	EXPECT(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST
			     MOUNT("/outside", "rw,nosuid,nodev")) != NULL);
}

TEST(a_grant_of_tmp_lies_upon_the_private_one)
{
	static struct bv_launch_mount mounts[] = {
		{.source = {"/tmp", 4}, .dest = {"/tmp", 4}, .directory = true},
	};
	const struct bv_launch_root root = {.mounts = {mounts, 1}};
	const char *const own = "50 36 0:9 / /tmp rw,nosuid,nodev,noexec - tmpfs none rw\n";
	const char *const granted = "60 50 8:1 /tmp /tmp ro,nosuid,nodev,noexec - ext4 /dev/x rw\n";
	const char *const open = "60 50 8:1 /tmp /tmp rw,nosuid,nodev,noexec - ext4 /dev/x rw\n";
	struct bv_str text;
	size_t count;

	begin();
	/* In either order: the kernel promises none. */
	text = bv_arena_format(&arena, "%s%s%s", GOOD_ROOT, own, granted);
	EXPECT_STR(bv__mounts_wrong(&arena, text, &root, &count), NULL);
	text = bv_arena_format(&arena, "%s%s%s", GOOD_ROOT, granted, own);
	EXPECT_STR(bv__mounts_wrong(&arena, text, &root, &count), NULL);
	text = bv_arena_format(&arena, "%s%s%s", GOOD_ROOT, own, open);
	EXPECT(bv__mounts_wrong(&arena, text, &root, &count) != NULL);
	text = bv_arena_format(&arena, "%s%s", GOOD_ROOT, own);
	EXPECT(bv__mounts_wrong(&arena, text, &root, &count) != NULL);
}

static const char *judge_staged(const char *lines)
{
	static struct bv_launch_mount mounts[] = {
		{.source = {"/out", 4},
		 .dest = {"/out", 4},
		 .directory = true,
		 .writable = true,
		 .has_staged = true,
		 .staged = true},
	};
	const struct bv_launch_root root = {.mounts = {mounts, 1}, .has_stage = true};
	size_t count;

	return bv__mounts_wrong(&arena, bv_str_from(lines), &root, &count);
}

#define OVERLAY(point) "36 35 0:9 / " point " rw,nosuid,nodev,noexec - overlay none rw\n"

TEST(a_staged_directory_that_is_the_hosts_own_is_seen)
{
	begin();
	EXPECT_STR(judge_staged(GOOD_ROOT GOOD_REST OVERLAY("/out")
					MOUNT("/proc/0/lower", "ro,nosuid,nodev")),
		   NULL);
	EXPECT_STR(judge_staged(
			   GOOD_ROOT GOOD_REST GOOD_OUT MOUNT("/proc/0/lower", "ro,nosuid,nodev")),
		   "a staged directory is the host's own");
	EXPECT(judge_staged(GOOD_ROOT GOOD_REST OVERLAY("/out")
				    MOUNT("/proc/0/lower", "rw,nosuid,nodev")) != NULL);
	/* Nothing lies there when nothing is staged, and no line may end before its type. */
	EXPECT(judge(GOOD_ROOT GOOD_SRV GOOD_OUT GOOD_USR GOOD_NULL GOOD_REST
			     MOUNT("/proc/0/lower", "ro,nosuid,nodev")) != NULL);
	EXPECT(judge_staged("36 35 0:9 / /out rw,nosuid shared:1\n") != NULL);
}

TEST(a_limit_that_is_not_as_planned_is_seen)
{
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max core file size        1                    1                    bytes     \n"
		"Max stack size            8388608              unlimited            bytes     \n"
		"Max open files            64                   64                   files     \n";
	struct bv_launch_rlimit planned[] = {{4, 1, 1}, {3, 8388608, UINT64_MAX}, {7, 64, 64}};
	struct bv_launch_rlimit_list list = {planned, 3};

	EXPECT_STR(bv__limits_wrong(bv_str_from(limits), &list), NULL);
	planned[2].soft = 63;
	EXPECT_STR(bv__limits_wrong(bv_str_from(limits), &list), "Max open files");
	planned[2] = (struct bv_launch_rlimit){6, 5, 5};
	EXPECT_STR(bv__limits_wrong(bv_str_from(limits), &list), "Max processes");
	planned[2] = (struct bv_launch_rlimit){99, 5, 5};
	EXPECT_STR(bv__limits_wrong(bv_str_from(limits), &list), "an unknown limit");
}
