/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Whose the files of a journal have to be, and what they must not be. */
#include "journal_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const parts[] = {"", "-wal", "-shm", "-journal", ".key", ".blobs"};

static void make_one(void)
{
	struct bv_journal *journal;

	new_place();
	journal = open_journal();
	run_attempt(journal, 1);
	bv__journal_close(journal);
}

static const char *part(size_t index)
{
	static char name[128];

	(void)snprintf(name, sizeof name, "%s%s", scratch.path, parts[index]);
	return name;
}

static enum bv_code open_again(bool read_only)
{
	struct bv_journal *journal = NULL;
	const enum bv_code code = bv__journal_open(
		&(struct bv__journal_options){.path = scratch.path, .read_only = read_only},
		&journal, &err);

	bv__journal_close(journal);
	return code;
}

/* Who writes it says what recovery kills and where it writes. */
TEST(a_journal_of_another_user_is_not_written)
{
	if (geteuid() != 0)
		SKIP("only root can make it another user's");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		make_one();
		if (access(part(i), F_OK) != 0)
			EXPECT(close(open(part(i), O_WRONLY | O_CREAT, 0600)) == 0);
		OK(open_again(false));
		EXPECT(chown(part(i), 12345, (gid_t)-1) == 0);
		EXPECT_THAT(open_again(false) == BV_E_JOURNAL, "%s of another user is taken",
			    parts[i]);
		scratch_remove();
	}
	make_one();
	EXPECT(chown(scratch.dir, 12345, (gid_t)-1) == 0);
	FAILS(open_again(false), BV_E_JOURNAL);
	/* Looking at it is harmless. */
	OK(open_again(true));
}

TEST(a_journal_where_anybody_may_rename_is_not_written)
{
	make_one();
	EXPECT(chmod(scratch.dir, 0777) == 0);
	FAILS(open_again(false), BV_E_JOURNAL);
	EXPECT(chmod(scratch.dir, 01777) == 0);
	OK(open_again(false));
}

static enum bv_code open_at(const char *path)
{
	struct bv_journal *journal = NULL;
	const enum bv_code code = bv__journal_open(&(struct bv__journal_options){.path = path},
						   &journal, &err);

	bv__journal_close(journal);
	return code;
}

/* Who may rename what is above it puts an empty journal in its place, and every key is free again. */
TEST(a_journal_below_a_directory_where_anybody_may_rename_is_not_written)
{
	char above[96], path[128];

	new_place();
	(void)snprintf(above, sizeof above, "%s/above", scratch.dir);
	(void)snprintf(path, sizeof path, "%s/sub/deeper/j.db", above);
	EXPECT(mkdir(above, 0700) == 0);
	OK(open_at(path));
	EXPECT(chmod(above, 0777) == 0);
	FAILS(open_at(path), BV_E_JOURNAL);
	EXPECT(strstr(err.message, "/above'") != NULL); /* it says which */
	EXPECT(chmod(above, 01777) == 0);
	OK(open_at(path));
	EXPECT(chmod(above, 0775) == 0); /* docs/journal.md says who is trusted then */
	OK(open_at(path));
	if (geteuid() == 0) {
		EXPECT(chown(above, 12345, (gid_t)-1) == 0);
		FAILS(open_at(path), BV_E_JOURNAL);
	}
}

TEST(a_journal_is_not_found_by_a_link_that_anybody_may_turn)
{
	char dir[96], at[128], path[144];

	new_place();
	(void)snprintf(dir, sizeof dir, "%s/open", scratch.dir);
	(void)snprintf(at, sizeof at, "%s/link", dir);
	EXPECT(mkdir(dir, 0700) == 0 && symlink("..", at) == 0);
	(void)snprintf(path, sizeof path, "%s/./link/j.db", dir);
	OK(open_at(path));
	EXPECT(chmod(dir, 0777) == 0);
	FAILS(open_at(path), BV_E_JOURNAL);
	EXPECT(chmod(dir, 01777) == 0);
	OK(open_at(path));
	if (geteuid() == 0) {
		EXPECT(lchown(at, 12345, (gid_t)-1) == 0);
		FAILS(open_at(path), BV_E_JOURNAL);
	}
	EXPECT(unlink(at) == 0 && symlink("link", at) == 0);
	FAILS(open_at(path), BV_E_JOURNAL); /* it ends */
}

/* Or it would lie there for its maker alone, in the way of whose directory it is. */
TEST(no_directory_is_made_in_another_users)
{
	char dir[96], made[128], path[160];

	if (geteuid() != 0)
		SKIP("only root can make it another user's");
	new_place();
	(void)snprintf(dir, sizeof dir, "%s/home", scratch.dir);
	(void)snprintf(made, sizeof made, "%s/.local", dir);
	(void)snprintf(path, sizeof path, "%s/state/bvisor/j.db", made);
	EXPECT(mkdir(dir, 0755) == 0 && chown(dir, 12345, (gid_t)-1) == 0);
	FAILS(open_at(path), BV_E_JOURNAL);
	EXPECT(access(made, F_OK) != 0);
}

TEST(what_is_no_file_is_refused_at_once)
{
	static const char *const ways[] = {"mkfifo \"$FILE\"", "ln -s /dev/zero \"$FILE\"",
					   "mkdir \"$FILE\"", "ln -s missing \"$FILE\""};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		for (size_t way = 0; way < 4; way++) {
			/* Of what is kept a directory is right. */
			if (way == 2 && strcmp(parts[i], ".blobs") == 0)
				continue;
			make_one();
			(void)remove(part(i)); /* it may not be there */
			EXPECT(setenv("FILE", part(i), 1) == 0);
			EXPECT_INT(system(ways[way]), 0);
			EXPECT_THAT(open_again(false) == BV_E_JOURNAL, "%s as in %s is taken",
				    parts[i], ways[way]);
			if (i < 3 && way < 3)
				EXPECT_THAT(open_again(true) == BV_E_JOURNAL, "%s as in %s is read",
					    parts[i], ways[way]);
			scratch_remove();
		}
	}
}

TEST(a_journal_with_two_names_is_not_written)
{
	char other[128];

	make_one();
	(void)snprintf(other, sizeof other, "%s.other", scratch.path);
	EXPECT(link(scratch.path, other) == 0);
	FAILS(open_again(false), BV_E_JOURNAL);
	EXPECT(unlink(other) == 0);
	OK(open_again(false));
}

TEST(what_is_no_database_or_of_a_newer_format_is_refused)
{
	static const struct {
		off_t at;
		const char *bytes;
		size_t count;
	} changes[] = {{0, "X", 1},
		       {16, "\x01\x00", 2},
		       {60, "\x00\x00\x00\x02", 4},
		       {68, "NONE", 4}};

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		int fd;

		make_one();
		empty_the_log();
		fd = open(scratch.path, O_WRONLY);
		EXPECT(fd >= 0 &&
		       pwrite(fd, changes[i].bytes, changes[i].count, changes[i].at) > 0);
		close(fd);
		EXPECT_THAT(open_again(false) == BV_E_JOURNAL, "change %zu is taken", i);
		scratch_remove();
	}
	/* All zeros, and larger than any disk. */
	make_one();
	empty_the_log();
	EXPECT(truncate(scratch.path, 0) == 0 && truncate(scratch.path, 1LL << 40) == 0);
	FAILS(open_again(false), BV_E_JOURNAL);
	FAILS(open_again(true), BV_E_JOURNAL);
}
