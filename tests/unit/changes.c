/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of staged directories that were kept: given back, committed in part or whole, and killed at
 * every moment of it.  The value that describes them is written here by hand, as docs/reference has it.
 */
#include "attempts.h"
#include "codes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bvisor/bvisor.h>
#include <bvisor/journal.h>

#include "contract/canon.h"
#include "journal/blobs.h"

static struct bv_error err;
static char host[96];

enum { NODES = 8 };

/* host/
 *   changed   "before" -> "after"      gone      removed
 *   made/     new, with `in`, "inner"  link      new, to "made/in"
 *   taken/    there before, with `more`, "more" */
static const struct {
	const char *name, *text, *target;
	int parent;
	enum bv_delta_type type;
	int kind; /* -1: the same */
	bool merged;
} wanted[NODES] = {
	{"", NULL, NULL, -1, BV_DELTA_DIRECTORY, -1, true},
	{"changed", "after", NULL, 0, BV_DELTA_FILE, BV_DELTA_MODIFIED, false},
	{"gone", NULL, NULL, 0, BV_DELTA_FILE, BV_DELTA_REMOVED, false},
	{"link", NULL, "made/in", 0, BV_DELTA_SYMLINK, BV_DELTA_ADDED, false},
	{"made", NULL, NULL, 0, BV_DELTA_DIRECTORY, BV_DELTA_ADDED, false},
	{"taken", NULL, NULL, 0, BV_DELTA_DIRECTORY, -1, true},
	{"in", "inner", NULL, 4, BV_DELTA_FILE, BV_DELTA_ADDED, false},
	{"more", "more", NULL, 5, BV_DELTA_FILE, BV_DELTA_ADDED, false},
};

static void put_text(const char *name, const char *text)
{
	char file[256];
	FILE *stream;

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	stream = fopen(file, "w");
	EXPECT(stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

static const char *text_at(const char *name)
{
	char file[256];

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	return text_in(file);
}

static const char *link_at(const char *name)
{
	static char target[64];
	char file[256];
	ssize_t len;

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	len = readlink(file, target, sizeof target - 1);
	target[len > 0 ? len : 0] = '\0';
	return target;
}

static void fill_nodes(struct bv_change_node nodes[NODES])
{
	for (size_t i = 0; i < NODES; i++) {
		nodes[i] = (struct bv_change_node){
			.name = bv_str_from(wanted[i].name),
			.type = wanted[i].type,
			.mode = wanted[i].type == BV_DELTA_DIRECTORY ? 0755 : 0640,
			.merged = wanted[i].merged,
			.modified_s = 1000000000,
			.has_parent = wanted[i].parent >= 0,
			.parent = (uint32_t)(wanted[i].parent >= 0 ? wanted[i].parent : 0),
			.has_kind = wanted[i].kind >= 0,
			.kind = (enum bv_delta_kind)(wanted[i].kind >= 0 ? wanted[i].kind : 0),
			.has_target = wanted[i].target != NULL,
		};
		if (wanted[i].target != NULL)
			nodes[i].target = bv_str_from(wanted[i].target);
		if (wanted[i].text == NULL)
			continue;
		nodes[i].size_bytes = strlen(wanted[i].text);
		nodes[i].has_content_hash = true;
		bv_hash_bytes(wanted[i].text, strlen(wanted[i].text), &nodes[i].content_hash);
	}
}

static void keep_set(struct bv_journal *journal, const struct bv_change_set *set)
{
	static uint8_t memory[1 << 20];
	const struct bv_digest id = attempt_id(1);
	const struct bv_staged_artifact_list none = {NULL, 0};
	struct bv_kept_blob kept[NODES + 1];
	struct bv_kept_event event = {{kept, 0}};
	struct bv__blobs blobs;
	struct bv__blob blob;
	struct bv_arena arena;
	struct bv_str bytes;

	bv_arena_init(&arena, memory, sizeof memory);
	bytes = bv_canon_bytes(&arena, &bv_change_set_type, set);
	OK(bv__blobs_begin(journal, &id, &blobs, &err));
	OK(bv__blobs_put(&blobs, bytes.data, bytes.len, &blob, &err));
	kept[event.blobs.count++] = (struct bv_kept_blob){BV_STR("/changes"), blob.digest,
							  blob.size_bytes};
	for (size_t i = 0; i < NODES; i++) {
		if (wanted[i].text == NULL)
			continue;
		OK(bv__blobs_put(&blobs, wanted[i].text, strlen(wanted[i].text), &blob, &err));
		kept[event.blobs.count++] = (struct bv_kept_blob){
			bv_arena_format(&arena, "/changes/%zu", i), blob.digest, blob.size_bytes};
	}
	OK(bv__blobs_seal(&blobs, &err));
	append_attempt(journal, 1, &none, &event);
	bv__blobs_end(&blobs);
}

/* The host as it was, and what somebody may make of it. */
static void begin(void)
{
	struct bv_journal *journal;
	struct bv_change_node nodes[NODES];
	struct bv_change_root root = {.path = {host, 0}};
	struct bv_change_set set = {.roots = {&root, 1}, .nodes = {nodes, NODES}};
	struct timespec now, boot;
	char file[256];
	struct stat seen;

	scratch_make();
	(void)snprintf(host, sizeof host, "%s/host", scratch.dir);
	(void)snprintf(file, sizeof file, "%s/taken", host);
	EXPECT(mkdir(host, 0755) == 0 && mkdir(file, 0755) == 0);
	put_text("changed", "before");
	put_text("gone", "old");
	/* What was there was there before. */
	(void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	EXPECT(stat(host, &seen) == 0);
	root = (struct bv_change_root){bv_str_from(host), seen.st_dev, seen.st_ino};
	EXPECT(clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	       clock_gettime(CLOCK_BOOTTIME, &boot) == 0);
	set.began_s = (uint64_t)now.tv_sec;
	set.began_ns = (uint32_t)now.tv_nsec;
	set.clock_ns = (uint64_t)((now.tv_sec - boot.tv_sec) * 1000000000L + now.tv_nsec -
				  boot.tv_nsec);
	(void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	fill_nodes(nodes);
	journal = open_scratch_journal();
	keep_set(journal, &set);
	bv__journal_close(journal);
}

static struct bv_changes *changes_of(struct bv_journal *journal)
{
	const struct bv_digest id = attempt_id(1);
	struct bv_changes *changes = NULL;
	char hex[65];

	bv_digest_hex(&id, hex);
	if (bv_journal_changes(journal, hex, &changes, &err) != BV_OK)
		return NULL;
	return changes;
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
}

TEST(kept_changes_are_listed_and_committed)
{
	struct bv_journal *journal;
	struct bv_changes *changes;

	begin();
	journal = open_scratch_journal();
	changes = changes_of(journal);
	EXPECT_THAT(changes != NULL, "%s", err.message);
	EXPECT_UINT(bv_changes_count(changes), 6);
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

	begin();
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
	EXPECT_UINT(bv_changes_count(changes), 4);
	OK(bv_changes_commit(changes, &err));
	bv_changes_free(changes);
	expect_all_done();
	bv__journal_close(journal);
}

TEST(what_the_host_changed_meanwhile_is_not_written_over)
{
	struct bv_journal *journal;
	struct bv_changes *changes;

	begin();
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
	char other[128];

	begin();
	(void)snprintf(other, sizeof other, "%s.other", host);
	EXPECT(rename(host, other) == 0 && mkdir(host, 0755) == 0);
	journal = open_scratch_journal();
	EXPECT(changes_of(journal) == NULL);
	EXPECT_INT(err.code, BV_E_CONFLICT);
	EXPECT(rmdir(host) == 0 && symlink(other, host) == 0);
	EXPECT(changes_of(journal) == NULL);
	EXPECT(unlink(host) == 0 && rename(other, host) == 0);
	EXPECT(changes_of(journal) != NULL);
	bv__journal_close(journal);
}

TEST(altered_bytes_of_changes_are_never_committed)
{
	struct bv_journal *journal;
	struct bv_changes *changes;
	struct bv_digest digest;
	char hex[65], file[256];

	begin();
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

		begin();
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
