/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* kernel_text.c - what is read out of texts of the kernel: control groups, mounts, devices. */
#include <stdio.h>

#include "linux/attest.h"
#include "linux/cgroup.h"
#include "test.h"

static bool mount_of(const char *text, const char **root, const char **point)
{
	static char copy[4096];

	(void)snprintf(copy, sizeof(copy), "%s", text);
	return bv__cgroup2_mount(copy, root, point);
}

TEST(the_hierarchy_is_found_wherever_it_is_mounted)
{
	const char *root = NULL, *point = NULL;

	EXPECT(mount_of("25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
			"29 25 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			&root, &point));
	EXPECT_STR(root, "/");
	EXPECT_STR(point, "/sys/fs/cgroup");
	/* A hybrid machine, a container that sees a part, a blank in the path. */
	EXPECT(mount_of("31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
			"32 30 0:28 /user\\040one /my\\040groups rw - cgroup2 none rw\n",
			&root, &point));
	EXPECT_STR(root, "/user one");
	EXPECT_STR(point, "/my groups");
	/* Version 1 alone; nothing; a mount whose name only looks like it. */
	EXPECT(!mount_of("31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", &root,
			 &point));
	EXPECT(!mount_of("", &root, &point));
	EXPECT(!mount_of("31 30 0:27 / /cgroup2 rw - tmpfs cgroup2 rw\n", &root, &point));
}

TEST(the_own_group_is_the_line_of_version_2)
{
	char hybrid[] = "4:memory:/other\n1:name=systemd:/unit\n0::/user.slice/mine\n";
	char old[] = "4:memory:/other\n10::/ten\n";
	char outside[] = "0::\n";

	EXPECT_STR(bv__cgroup2_own(hybrid), "/user.slice/mine");
	EXPECT(bv__cgroup2_own(old) == NULL);
	EXPECT(bv__cgroup2_own(outside) == NULL);
}

TEST(an_escape_is_three_octal_digits)
{
	char text[] = "a\\040b\\011c\\134d\\9e\\04", plain[] = "/sys/fs/cgroup";

	bv__mountinfo_unescape(text);
	EXPECT_STR(text, "a b\tc\\d\\9e\\04");
	bv__mountinfo_unescape(plain);
	EXPECT_STR(plain, "/sys/fs/cgroup");
}

TEST(a_number_is_found_by_its_whole_key)
{
	static const char text[] = "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n";
	uint64_t number = 99;

	EXPECT(bv__group_number(text, "oom", &number));
	EXPECT_UINT(number, 3);
	EXPECT(bv__group_number(text, "oom_kill", &number));
	EXPECT_UINT(number, 4);
	EXPECT(!bv__group_number(text, "kill", &number));
	EXPECT(!bv__group_number(text, "oom_", &number));
	EXPECT(!bv__group_number("oom", "oom", &number));
	/* A file of one number has no key. */
	EXPECT(bv__group_number("33554432\n", "", &number));
	EXPECT_UINT(number, 33554432);
	EXPECT(!bv__group_number("max\n", "", &number));
}

TEST(a_member_is_known_by_the_name_of_the_leaf)
{
	static const char leaf[] = "/sys/fs/cgroup/bvisor/run-0123";

	EXPECT(bv__is_member(BV_STR("0::/bvisor/run-0123\n"), leaf));
	EXPECT(bv__is_member(BV_STR("1:name=systemd:/\n0::/../bvisor/run-0123"), leaf));
	EXPECT(!bv__is_member(BV_STR("0::/bvisor/run-0124\n"), leaf));
	EXPECT(!bv__is_member(BV_STR("0::/bvisor/other-run-0123\n"), leaf));
	EXPECT(!bv__is_member(BV_STR("0::/bvisor/run-0123/below\n"), leaf));
	EXPECT(!bv__is_member(BV_STR("7:pids:/bvisor/run-0123\n0::/\n"), leaf));
	EXPECT(!bv__is_member(BV_STR(""), leaf));
}

TEST(any_device_but_the_loopback_is_one_too_many)
{
#define HEADING                                                                                    \
	"Inter-|   Receive                 |  Transmit\n"                                          \
	" face |bytes    packets errs drop|bytes    packets\n"

	EXPECT(bv__only_loopback(BV_STR(HEADING)));
	EXPECT(bv__only_loopback(BV_STR(HEADING "    lo:       0       0    0    0        0\n")));
	EXPECT(!bv__only_loopback(BV_STR(HEADING "    lo:  0  0\n  eth0: 12 1\n")));
	EXPECT(!bv__only_loopback(BV_STR(HEADING "  eth0: 12 1\n")));
	EXPECT(!bv__only_loopback(BV_STR(HEADING "   lo0: 12 1\n")));
	EXPECT(!bv__only_loopback(BV_STR(HEADING "    lo: 1\n    lo: 1\n")));
}

TEST(controllers_are_named_in_one_order)
{
	EXPECT_STR(bv__controllers_text(0), "none");
	EXPECT_STR(bv__controllers_text(BV_CONTROLLER_PIDS | BV_CONTROLLER_MEMORY), "memory pids");
	EXPECT_STR(bv__controllers_text(BV_CONTROLLERS_ALL), "cpu memory pids");
}
