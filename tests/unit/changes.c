/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of staged directories that were kept: given back, committed in part or whole, and killed at
 * every moment of it.
 */
#include "changes_world.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int mode_of(const char *name)
{
	char file[256];
	struct stat seen;

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	return stat(file, &seen) == 0 ? (int)(seen.st_mode & 07777) : -1;
}

static void expect_all_done(void)
{
	char file[256];
	struct stat seen;

	EXPECT_STR(text_at("changed"), "after");
	EXPECT_STR(text_at("gone"), "-");
	EXPECT_STR(text_at("made/in"), "inner");
	EXPECT_STR(text_at("taken/more"), "more");
	EXPECT_STR(link_at("link"), "made/in");
	(void)snprintf(file, sizeof file, "%s/changed", host);
	EXPECT(stat(file, &seen) == 0 && (seen.st_mode & 0777) == 0640 &&
	       seen.st_mtim.tv_sec == 1000000000);
	EXPECT_INT(mode_of("marked"), 0640);
	EXPECT_INT(mode_of("open"), 0755);
	EXPECT_STR(text_at("marked"), "as it is");
	EXPECT_STR(text_at("open/new"), "fresh");
}

TEST(kept_changes_are_listed_and_committed)
{
	struct bv_journal *journal;
	struct bv_changes *changes;

	begin_changes();
	journal = open_scratch_journal();
	changes = changes_of(journal);
	EXPECT_THAT(changes != NULL, "%s", err.message);
	EXPECT_UINT(bv_changes_count(changes), 9);
	EXPECT_STR(text_at("changed"), "before");
	OK(bv_changes_commit(changes, &err));
	bv_changes_free(changes);
	expect_all_done();
	EXPECT(changes_of(journal) == NULL);
	EXPECT_INT(err.code, BV_E_STATE);
	bv__journal_close(journal);
}

TEST(some_changes_are_committed_and_the_others_wait)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	char made[128];
	const char *const paths[] = {made};

	begin_changes();
	journal = open_scratch_journal();
	changes = changes_of(journal);
	(void)snprintf(made, sizeof made, "%s/mad", host);
	FAILS(bv_changes_choose(changes, paths, 1, &err), BV_E_ARGUMENT);
	(void)snprintf(made, sizeof made, "%s/made/in", host);
	OK(bv_changes_choose(changes, paths, 1, &err));
	OK(bv_changes_commit(changes, &err));
	bv_changes_free(changes);
	EXPECT_STR(text_at("made/in"), "inner");
	EXPECT_STR(text_at("changed"), "before");
	EXPECT_STR(text_at("gone"), "old");
	changes = changes_of(journal);
	EXPECT_UINT(bv_changes_count(changes), 7);
	OK(bv_changes_commit(changes, &err));
	bv_changes_free(changes);
	expect_all_done();
	bv__journal_close(journal);
}

/* What a first commit put into a directory is no change that the host made of it. */
TEST(an_entry_first_and_the_directorys_rights_later)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	char path[128];
	const char *const paths[] = {path};

	begin_changes();
	journal = open_scratch_journal();
	changes = changes_of(journal);
	(void)snprintf(path, sizeof path, "%s/open/new", host);
	OK(bv_changes_choose(changes, paths, 1, &err));
	OK(bv_changes_commit(changes, &err));
	bv_changes_free(changes);
	EXPECT_STR(text_at("open/new"), "fresh");
	EXPECT_INT(mode_of("open"), 0700);
	changes = changes_of(journal);
	OK(bv_changes_commit(changes, &err));
	bv_changes_free(changes);
	expect_all_done();
	bv__journal_close(journal);
}

TEST(rights_the_host_gave_meanwhile_are_a_conflict)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	char path[128];

	begin_changes();
	(void)snprintf(path, sizeof path, "%s/open", host);
	EXPECT(chmod(path, 0711) == 0);
	journal = open_scratch_journal();
	changes = changes_of(journal);
	FAILS(bv_changes_commit(changes, &err), BV_E_CONFLICT);
	EXPECT_INT(mode_of("open"), 0711);
	bv_changes_free(changes);
	bv__journal_close(journal);
}

/* An entry that comes later takes nothing of what they tell: that is the host's private file in there. */
TEST(rights_the_host_gave_before_it_put_something_in_are_a_conflict)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	char path[128];

	for (int owner = 0; owner < 2; owner++) {
		begin_changes();
		(void)snprintf(path, sizeof path, "%s/open", host);
		if (owner == 0)
			EXPECT(chmod(path, 0711) == 0);
		else if (geteuid() != 0 || chown(path, 12345, (gid_t)-1) != 0)
			break;
		put_text("open/private", "theirs");
		journal = open_scratch_journal();
		changes = changes_of(journal);
		FAILS(bv_changes_commit(changes, &err), BV_E_CONFLICT);
		EXPECT_INT(mode_of("open"), owner == 0 ? 0711 : 0700);
		bv_changes_free(changes);
		bv__journal_close(journal);
		scratch_remove();
	}
}

TEST(what_the_host_changed_meanwhile_is_not_written_over)
{
	struct bv_journal *journal;
	struct bv_changes *changes;

	begin_changes();
	put_text("changed", "theirs");
	journal = open_scratch_journal();
	changes = changes_of(journal);
	FAILS(bv_changes_commit(changes, &err), BV_E_CONFLICT);
	bv_changes_free(changes);
	EXPECT_STR(text_at("changed"), "theirs");
	EXPECT_STR(text_at("made/in"), "-");
	/* The others can be had. */
	changes = changes_of(journal);
	EXPECT(changes != NULL);
	OK(bv_changes_discard(changes, &err));
	bv_changes_free(changes);
	EXPECT(changes_of(journal) == NULL);
	bv__journal_close(journal);
}

TEST(another_directory_in_the_place_of_the_staged_one_is_refused)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	char other[128];

	begin_changes();
	(void)snprintf(other, sizeof other, "%s.other", host);
	EXPECT(rename(host, other) == 0 && mkdir(host, 0755) == 0);
	journal = open_scratch_journal();
	EXPECT(changes_of(journal) == NULL);
	EXPECT_INT(err.code, BV_E_CONFLICT);
	EXPECT(rmdir(host) == 0 && symlink(other, host) == 0);
	EXPECT(changes_of(journal) == NULL);
	EXPECT(unlink(host) == 0 && rename(other, host) == 0);
	changes = changes_of(journal);
	EXPECT(changes != NULL);
	bv_changes_free(changes);
	bv__journal_close(journal);
}

TEST(altered_bytes_of_changes_are_never_committed)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	struct bv_digest digest;
	char hex[65], file[256];

	begin_changes();
	bv_hash_bytes("inner", 5, &digest);
	bv_digest_hex(&digest, hex);
	(void)snprintf(file, sizeof file, "%s.blobs/%s", scratch.path, hex);
	EXPECT(truncate(file, 3) == 0);
	journal = open_scratch_journal();
	changes = changes_of(journal);
	FAILS(bv_changes_commit(changes, &err), BV_E_INTEGRITY);
	bv_changes_free(changes);
	EXPECT_STR(text_at("changed"), "before");
	EXPECT_STR(text_at("made/in"), "-");
	bv__journal_close(journal);
}

/* ---- killed ------------------------------------------------------------------------------------ */

static void commit_all(struct bv_journal *journal)
{
	struct bv_changes *changes = changes_of(journal);

	if (changes == NULL || bv_changes_commit(changes, &err) != BV_OK)
		_exit(1);
}

TEST_WITHIN(a_commit_of_changes_killed_at_any_moment_can_be_finished, 300)
{
	const unsigned long step = getenv("BVISOR_ALL_KILLS") != NULL ? 1 : 3;
	unsigned long n = 1;
	bool ended = false;

	for (; !ended; n += step) {
		struct bv_journal *journal;
		struct bv_changes *changes;

		begin_changes();
		ended = killed_at(n, commit_all);
		/* Every file is the old one or the new one, whatever the moment. */
		EXPECT(strcmp(text_at("changed"), "before") == 0 ||
		       strcmp(text_at("changed"), "after") == 0);
		EXPECT(strcmp(text_at("made/in"), "-") == 0 ||
		       strcmp(text_at("made/in"), "inner") == 0);
		journal = open_scratch_journal();
		OK(bv__journal_recover(journal, NULL, NULL, &err));
		changes = changes_of(journal);
		EXPECT_THAT(changes != NULL || err.code == BV_E_STATE, "killed at %lu: %s", n,
			    err.message);
		if (changes != NULL)
			EXPECT_THAT(bv_changes_commit(changes, &err) == BV_OK,
				    "killed at %lu, finishing it: %s", n, err.message);
		bv_changes_free(changes);
		expect_all_done();
		bv__journal_close(journal);
		scratch_remove();
		EXPECT(n < 1000);
	}
	EXPECT(n > 10); /* it was killed at all */
}
