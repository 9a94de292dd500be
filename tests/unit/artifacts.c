/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is kept beside a journal, from inside: bytes, decisions, and what recovery makes of every
 * combination of what was recorded and what is there.
 *
 * BVISOR_ALL_KILLS=1 kills at every moment of a ceremony; otherwise at every so many.
 */
#include "attempts.h"
#include "codes.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/canon.h"
#include "contract/report.h"
#include "journal/blobs.h"
#include "journal/dispose.h"

static struct bv_error err;
static const char *const dir = scratch.dir, *const path = scratch.path;
static char to[96];

/* ---- an attempt that left files ---------------------------------------------------------------- */

static struct bv_journal *new_journal(void)
{
	scratch_make();
	(void)snprintf(to, sizeof to, "%s/to", dir);
	EXPECT(mkdir(to, 0755) == 0);
	return open_scratch_journal();
}

struct left {
	const char *name, *text;
};

static void keep_files(struct bv_journal *journal, const struct bv_digest *id,
		       const struct left *files, size_t count, struct bv_staged_artifact *artifacts,
		       struct bv_kept_blob *kept, struct bv__blobs *blobs)
{
	OK(bv__blobs_begin(journal, id, blobs, &err));
	for (size_t i = 0; i < count; i++) {
		struct bv__blob blob;

		OK(bv__blobs_put(blobs, files[i].text, strlen(files[i].text), &blob, &err));
		kept[i] = (struct bv_kept_blob){bv_str_from(files[i].name), blob.digest,
						blob.size_bytes};
		artifacts[i] = (struct bv_staged_artifact){.content_hash = blob.digest,
							   .name = kept[i].name,
							   .has_size_bytes = true,
							   .size_bytes = blob.size_bytes,
							   .has_mode = true,
							   .mode = 0751};
		bv_artifact_id(id, kept[i].name, &blob.digest, &artifacts[i].artifact_id);
	}
	OK(bv__blobs_seal(blobs, &err));
}

/* Everything a run would write, at once. */
static void add_attempt(struct bv_journal *journal, unsigned int number, const struct left *files,
			size_t count)
{
	const struct bv_digest id = attempt_id(number);
	struct bv_staged_artifact artifacts[8];
	struct bv_kept_blob kept[8];
	const struct bv_kept_event kept_event = {{kept, count}};
	struct bv__blobs blobs;

	keep_files(journal, &id, files, count, artifacts, kept, &blobs);
	append_attempt(journal, number, &(struct bv_staged_artifact_list){artifacts, count},
		       &kept_event);
	bv__blobs_end(&blobs);
}

static struct bv__attempt attempt_of(const struct bv_journal *journal, unsigned int number)
{
	const struct bv_digest id = attempt_id(number);
	struct bv__attempt attempt;
	char hex[65];

	bv_digest_hex(&id, hex);
	OK(bv__journal_find(journal, hex, &attempt, &err));
	return attempt;
}

static const char *state_of(const struct bv_journal *journal, unsigned int number, const char *name)
{
	const struct bv_digest id = attempt_id(number);
	struct bv__kept_list list;
	const struct bv__kept *kept;
	const char *state;

	OK(bv__journal_kept(journal, &id, &list, &err));
	kept = bv__kept_find(&list, name);
	state = kept != NULL ? bv__kept_state_name(kept->state) : "not there";
	bv__kept_clear(&list);
	return state;
}

static enum bv_code commit(struct bv_journal *journal, unsigned int number, const char *name,
			   bool replace)
{
	const struct bv__attempt attempt = attempt_of(journal, number);
	const struct bv__chosen chosen = {&name, name != NULL ? 1 : 0};
	const struct bv__commit_order order = {to, BV_COMMIT_DURABLE, replace};

	return bv__dispose_commit(journal, &attempt, &chosen, &order, NULL, NULL, &err);
}

static enum bv_code discard(struct bv_journal *journal, unsigned int number, const char *name)
{
	const struct bv__attempt attempt = attempt_of(journal, number);
	const struct bv__chosen chosen = {&name, name != NULL ? 1 : 0};

	return bv__dispose_discard(journal, &attempt, &chosen, NULL, NULL, &err);
}

static enum bv_code verify(const struct bv_journal *journal, uint64_t *ret_blobs)
{
	const struct bv__verify_options options = {.progress = NULL};
	struct bv__verified found;
	const enum bv_code code = bv__journal_verify(journal, &options, &found, &err);

	if (ret_blobs != NULL)
		*ret_blobs = found.blobs;
	return code;
}

/* The path of `name` below the directory that files are committed to; until the next call. */
static const char *at(const char *name)
{
	static char file[256];

	(void)snprintf(file, sizeof file, "%s/%s", to, name);
	return file;
}

/* What is in a file there; "-" when there is none. */
static const char *text_at(const char *name)
{
	return text_in(at(name));
}

static void put_text(const char *name, const char *text)
{
	FILE *stream = fopen(at(name), "w");

	EXPECT(stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

static void blob_path(const char *text, char ret_path[256])
{
	struct bv_digest digest;
	char hex[65];

	bv_hash_bytes(text, strlen(text), &digest);
	bv_digest_hex(&digest, hex);
	(void)snprintf(ret_path, 256, "%s.blobs/%s", path, hex);
}

static bool blob_there(const char *text)
{
	char file[256];

	blob_path(text, file);
	return access(file, F_OK) == 0;
}

static void lose_blob(const char *text)
{
	char file[256];

	blob_path(text, file);
	EXPECT(unlink(file) == 0);
}

static const struct left two[] = {{"a", "alpha"}, {"d/b", "beta"}};

/* A journal with one attempt, which left both. */
static struct bv_journal *new_journal_with_two(void)
{
	struct bv_journal *journal = new_journal();

	add_attempt(journal, 1, two, 2);
	return journal;
}

/* ---- keeping ----------------------------------------------------------------------------------- */

TEST(bytes_are_kept_once_and_read_back)
{
	struct bv_journal *journal = new_journal_with_two();
	uint64_t blobs;
	char file[256];
	struct stat seen;

	add_attempt(journal, 2, two, 2);
	(void)snprintf(file, sizeof file, "%s.blobs", path);
	EXPECT_UINT(entries_in(file, ""), 2);
	EXPECT(stat(file, &seen) == 0 && (seen.st_mode & 0777) == 0700);
	blob_path("alpha", file);
	EXPECT(stat(file, &seen) == 0 && (seen.st_mode & 0777) == 0600 && seen.st_size == 5);
	OK(verify(journal, &blobs));
	EXPECT_UINT(blobs, 4);
	EXPECT_STR(state_of(journal, 1, "d/b"), "Staged");
	bv__journal_close(journal);
}

TEST(every_altered_bit_of_kept_bytes_shows)
{
	struct bv_journal *journal = new_journal_with_two();
	char file[256];
	int fd;

	blob_path("alpha", file);
	EXPECT(chmod(file, 0600) == 0);
	fd = open(file, O_RDWR);
	EXPECT(fd >= 0);
	for (off_t bit = 0; bit < 5 * 8; bit++) {
		uint8_t byte;

		EXPECT(pread(fd, &byte, 1, bit / 8) == 1);
		byte ^= (uint8_t)(1u << (bit % 8));
		EXPECT(pwrite(fd, &byte, 1, bit / 8) == 1);
		FAILS(verify(journal, NULL), BV_E_INTEGRITY);
		byte ^= (uint8_t)(1u << (bit % 8));
		EXPECT(pwrite(fd, &byte, 1, bit / 8) == 1);
	}
	OK(verify(journal, NULL));
	EXPECT(ftruncate(fd, 4) == 0);
	FAILS(verify(journal, NULL), BV_E_INTEGRITY);
	EXPECT(ftruncate(fd, 0) == 0 && pwrite(fd, "alphabet", 8, 0) == 8);
	FAILS(verify(journal, NULL), BV_E_INTEGRITY);
	close(fd);
	EXPECT(unlink(file) == 0);
	FAILS(verify(journal, NULL), BV_E_INTEGRITY);
	EXPECT(symlink("/etc/hostname", file) == 0);
	FAILS(verify(journal, NULL), BV_E_INTEGRITY);
	/* The same bytes again mend it. */
	EXPECT(unlink(file) == 0);
	add_attempt(journal, 2, two, 2);
	OK(verify(journal, NULL));
	bv__journal_close(journal);
}

TEST(a_forged_table_of_what_was_kept_shows)
{
	static const char *const forgeries[] = {"UPDATE kept SET state=5",
						"UPDATE kept SET name='c' WHERE name='a'",
						"DELETE FROM kept WHERE name='a'",
						"UPDATE kept SET size=size+1",
						"UPDATE kept SET attempt=zeroblob(32)"};

	for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
		struct bv_journal *journal = new_journal_with_two();
		sqlite3 *db = NULL;

		EXPECT(sqlite3_open(path, &db) == SQLITE_OK &&
		       sqlite3_exec(db, forgeries[i], NULL, NULL, NULL) == SQLITE_OK);
		(void)sqlite3_close(db); /* what counts was committed */
		FAILS(verify(journal, NULL), BV_E_INTEGRITY);
		bv__journal_close(journal);
		scratch_remove();
	}
}

/* ---- deciding ---------------------------------------------------------------------------------- */

TEST(a_commit_puts_files_in_place_and_says_so)
{
	struct bv_journal *journal = new_journal_with_two();
	struct stat seen;

	OK(commit(journal, 1, NULL, false));
	EXPECT_STR(text_at("a"), "alpha");
	EXPECT_STR(text_at("d/b"), "beta");
	EXPECT(stat(at("a"), &seen) == 0 && (seen.st_mode & 07777) == 0751);
	EXPECT_STR(state_of(journal, 1, "a"), "Committed");
	EXPECT_UINT(entries_in(to, ".bvisor"), 0);
	OK(verify(journal, NULL));
	FAILS(commit(journal, 1, NULL, false), BV_E_STATE);
	/* Explicitly it may be had again. */
	FAILS(commit(journal, 1, "a", false), BV_E_CONFLICT);
	OK(commit(journal, 1, "a", true));
	FAILS(commit(journal, 1, "c", false), BV_E_ARGUMENT);
	bv__journal_close(journal);
}

TEST(nothing_gives_way_unless_asked_and_then_nothing_is_decided)
{
	struct bv_journal *journal = new_journal_with_two();

	put_text("a", "mine");
	FAILS(commit(journal, 1, NULL, false), BV_E_CONFLICT);
	EXPECT_STR(text_at("a"), "mine");
	EXPECT_STR(text_at("d/b"), "-");
	EXPECT_STR(state_of(journal, 1, "a"), "Staged");
	OK(commit(journal, 1, NULL, true));
	EXPECT_STR(text_at("a"), "alpha");
	bv__journal_close(journal);
}

TEST(no_link_in_the_destination_leads_elsewhere)
{
	struct bv_journal *journal = new_journal_with_two();
	char link[256], target[300], outside[256];

	(void)snprintf(outside, sizeof outside, "%s/outside", dir);
	(void)snprintf(link, sizeof link, "%s/d", to);
	EXPECT(mkdir(outside, 0755) == 0 && symlink(outside, link) == 0);
	FAILS(commit(journal, 1, "d/b", true), BV_E_SYSTEM);
	EXPECT_UINT(entries_in(outside, ""), 0);
	/* Control: without the link the very same commit goes through. */
	EXPECT(unlink(link) == 0);
	OK(commit(journal, 1, "d/b", true));
	/* The last part gives way itself, and not what it leads to. */
	(void)snprintf(target, sizeof target, "%s/victim", outside);
	EXPECT(close(open(target, O_WRONLY | O_CREAT, 0600)) == 0);
	(void)snprintf(link, sizeof link, "%s/a", to);
	EXPECT(symlink(target, link) == 0);
	OK(commit(journal, 1, "a", true));
	EXPECT_STR(text_at("a"), "alpha");
	EXPECT(truncate(target, 0) == 0);
	bv__journal_close(journal);
}

TEST(altered_bytes_are_never_committed)
{
	struct bv_journal *journal = new_journal_with_two();
	char file[256];

	blob_path("beta", file);
	EXPECT(truncate(file, 3) == 0);
	FAILS(commit(journal, 1, NULL, false), BV_E_INTEGRITY);
	EXPECT_STR(text_at("a"), "-");
	EXPECT_STR(text_at("d/b"), "-");
	EXPECT_STR(state_of(journal, 1, "a"), "Failed");
	EXPECT_STR(state_of(journal, 1, "d/b"), "Failed");
	EXPECT_UINT(entries_in(to, ".bvisor"), 0);
	/* What failed may be decided anew. */
	OK(commit(journal, 1, "a", false));
	bv__journal_close(journal);
}

TEST(discarding_removes_bytes_nothing_else_is)
{
	struct bv_journal *journal = new_journal_with_two();
	static const struct left shared[] = {{"x", "alpha"}};
	uint64_t blobs;

	add_attempt(journal, 2, shared, 1);
	OK(discard(journal, 1, NULL));
	EXPECT_STR(state_of(journal, 1, "a"), "Discarded");
	EXPECT(blob_there("alpha") && !blob_there("beta"));
	OK(verify(journal, &blobs));
	EXPECT_UINT(blobs, 1);
	FAILS(commit(journal, 1, "a", false), BV_E_STATE);
	FAILS(discard(journal, 1, "a"), BV_E_STATE);
	OK(discard(journal, 2, "x"));
	EXPECT(!blob_there("alpha"));
	bv__journal_close(journal);
}

TEST(collection_takes_only_what_was_decided_about)
{
	struct bv_journal *journal = new_journal_with_two();
	uint64_t attempts, files, bytes;

	OK(bv__journal_prune(journal, UINT64_MAX >> 1, &attempts, &err));
	EXPECT_UINT(attempts, 0);
	OK(bv__blobs_sweep(journal, &files, &bytes, &err));
	EXPECT_UINT(files, 0);
	OK(commit(journal, 1, NULL, false));
	OK(bv__journal_prune(journal, UINT64_MAX >> 1, &attempts, &err));
	EXPECT_UINT(attempts, 1);
	OK(bv__blobs_sweep(journal, &files, &bytes, &err));
	EXPECT_UINT(files, 2);
	EXPECT_UINT(bytes, 9);
	EXPECT(!blob_there("alpha"));
	OK(verify(journal, NULL));
	EXPECT_STR(text_at("a"), "alpha");
	bv__journal_close(journal);
}

TEST(nothing_is_collected_while_others_add)
{
	struct bv_journal *journal = new_journal();
	const struct bv_digest id = attempt_id(1);
	struct bv__blobs blobs;
	struct bv__blob blob;
	uint64_t files, bytes;

	OK(bv__blobs_begin(journal, &id, &blobs, &err));
	OK(bv__blobs_put(&blobs, "alpha", 5, &blob, &err));
	OK(bv__blobs_seal(&blobs, &err));
	FAILS(bv__blobs_sweep(journal, &files, &bytes, &err), BV_E_BUSY);
	EXPECT(blob_there("alpha"));
	bv__blobs_end(&blobs);
	OK(bv__blobs_sweep(journal, &files, &bytes, &err));
	EXPECT_UINT(files, 1);
	bv__journal_close(journal);
}

TEST(two_who_decide_take_turns)
{
	struct bv_journal *journal = new_journal_with_two();
	int status, lock;
	pid_t child;

	OK(bv__blobs_decide_alone(journal, true, &lock, &err));
	FAILS(commit(journal, 1, NULL, false), BV_E_BUSY);
	FAILS(discard(journal, 1, NULL), BV_E_BUSY);
	EXPECT_STR(state_of(journal, 1, "a"), "Staged");
	close(lock);
	child = fork();
	if (child == 0) {
		struct bv_journal *mine = open_scratch_journal();
		enum bv_code code = discard(mine, 1, "a");

		_exit(code == BV_OK ? 0 : code == BV_E_STATE ? 1 : 2);
	}
	const enum bv_code code = commit(journal, 1, "a", false);

	EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
	/* Whoever came first, the other saw it: a discarded one is not committed after. */
	EXPECT(WEXITSTATUS(status) == 0);
	EXPECT(code == BV_OK || code == BV_E_STATE);
	EXPECT_STR(text_at("a"), code == BV_OK ? "alpha" : "-");
	OK(verify(journal, NULL));
	bv__journal_close(journal);
}

/* ---- what recovery makes of it ----------------------------------------------------------------- */

/* A decision whose process died before it did anything. */
static void decide_only(struct bv_journal *journal, const char *name,
			enum bv_disposition_action action)
{
	const struct bv__attempt attempt = attempt_of(journal, 1);
	struct bv__kept_list list;
	const struct bv__kept *kept;

	OK(bv__journal_kept(journal, &attempt.id, &list, &err));
	kept = bv__kept_find(&list, name);
	EXPECT(kept != NULL);

	const struct bv_decided_item item = {.artifact = kept->id,
					     .content_hash = kept->content,
					     .name = bv_str_from(kept->name),
					     .has_target = true,
					     .target = bv_str_from(kept->name),
					     .has_mode = true,
					     .mode = 0640};
	const struct bv__decision decision = {.attempt = &attempt,
					      .action = action,
					      .durability = BV_COMMIT_DURABLE,
					      .directory = to,
					      .items = &item,
					      .count = 1};

	OK(bv__dispose_decide(journal, &decision, &err));
	bv__kept_clear(&list);
}

struct told {
	unsigned int count, refused;
};

static void note(void *context, const struct bv__recovered *recovered)
{
	struct told *told = context;

	told->count++;
	told->refused += recovered->classification == BV_RECOVERY_REFUSED;
}

static struct told recover(struct bv_journal *journal)
{
	struct told told = {0, 0}, again = {0, 0};

	OK(bv__journal_recover(journal, note, &told, &err));
	OK(bv__journal_recover(journal, note, &again, &err));
	EXPECT_UINT(again.count, 0); /* I-5 */
	return told;
}

TEST(an_interrupted_commit_is_carried_out_to_its_end)
{
	struct bv_journal *journal = new_journal_with_two();

	decide_only(journal, "d/b", BV_DISPOSE_PROMOTE);
	EXPECT_UINT(recover(journal).count, 1);
	EXPECT_STR(text_at("d/b"), "beta");
	EXPECT_STR(state_of(journal, 1, "d/b"), "Committed");
	EXPECT_STR(state_of(journal, 1, "a"), "Staged");
	OK(verify(journal, NULL));
	bv__journal_close(journal);
}

TEST(what_is_in_its_place_already_is_only_recorded)
{
	struct bv_journal *journal = new_journal_with_two();

	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	put_text("a", "alpha");
	lose_blob("alpha");
	EXPECT_UINT(recover(journal).refused, 0);
	EXPECT_STR(state_of(journal, 1, "a"), "Committed");
	bv__journal_close(journal);
}

TEST(a_commit_whose_bytes_are_lost_fails_and_is_not_tried_for_ever)
{
	struct bv_journal *journal = new_journal_with_two();

	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	lose_blob("alpha");
	EXPECT_UINT(recover(journal).count, 1);
	EXPECT_STR(state_of(journal, 1, "a"), "Failed");
	EXPECT_STR(text_at("a"), "-");
	bv__journal_close(journal);
}

TEST(an_interrupted_discard_is_carried_out_to_its_end)
{
	struct bv_journal *journal = new_journal_with_two();

	decide_only(journal, "a", BV_DISPOSE_DISCARD);
	EXPECT_UINT(recover(journal).count, 1);
	EXPECT_STR(state_of(journal, 1, "a"), "Discarded");
	EXPECT(!blob_there("alpha"));
	OK(verify(journal, NULL));
	bv__journal_close(journal);
}

TEST(what_contradicts_its_decision_waits_for_a_person)
{
	struct bv_journal *journal = new_journal_with_two();
	struct bv__attempt attempt;
	struct told told;

	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	put_text("a", "somebody else's");
	told = recover(journal);
	EXPECT_UINT(told.refused, 1);
	EXPECT_STR(text_at("a"), "somebody else's");
	attempt = attempt_of(journal, 1);
	EXPECT_STR(bv__attempt_state_name(attempt.state), "NeedsPerson");
	FAILS(commit(journal, 1, "a", true), BV_E_STATE);
	FAILS(commit(journal, 1, "d/b", true), BV_E_STATE);
	OK(verify(journal, NULL));
	OK(bv__journal_resolve(journal, &attempt.id, BV_STR("kept theirs"), &err));
	EXPECT_STR(state_of(journal, 1, "a"), "Failed");
	EXPECT_UINT(recover(journal).count, 0);
	OK(discard(journal, 1, NULL));
	OK(verify(journal, NULL));
	bv__journal_close(journal);
}

TEST(the_decision_of_one_who_lives_is_left_alone)
{
	struct bv_journal *journal = new_journal_with_two(), *other;
	struct told told = {0, 0};
	int lock;

	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	OK(bv__blobs_decide_alone(journal, true, &lock, &err));
	other = open_scratch_journal();
	OK(bv__journal_recover(other, note, &told, &err));
	EXPECT_UINT(told.count, 0);
	EXPECT_STR(text_at("a"), "-");
	close(lock);
	OK(bv__journal_recover(other, note, &told, &err));
	EXPECT_UINT(told.count, 1);
	EXPECT_STR(text_at("a"), "alpha");
	bv__journal_close(other);
	bv__journal_close(journal);
}

TEST(a_directory_that_is_gone_fails_the_commit)
{
	struct bv_journal *journal = new_journal_with_two();

	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	EXPECT(rmdir(to) == 0);
	EXPECT_UINT(recover(journal).count, 1);
	EXPECT_STR(state_of(journal, 1, "a"), "Failed");
	bv__journal_close(journal);
}

TEST(a_link_in_the_place_of_the_directory_leads_recovery_nowhere)
{
	struct bv_journal *journal = new_journal_with_two();
	char outside[256];

	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	(void)snprintf(outside, sizeof outside, "%s/outside", dir);
	EXPECT(rename(to, outside) == 0 && symlink(outside, to) == 0);
	EXPECT_UINT(recover(journal).count, 1);
	EXPECT_STR(state_of(journal, 1, "a"), "Failed");
	EXPECT_UINT(entries_in(outside, ""), 0);
	/* Control: the directory itself would have got it. */
	EXPECT(unlink(to) == 0 && rename(outside, to) == 0);
	decide_only(journal, "a", BV_DISPOSE_PROMOTE);
	EXPECT_UINT(recover(journal).count, 1);
	EXPECT_STR(text_at("a"), "alpha");
	bv__journal_close(journal);
}

/* ---- killed at every moment --------------------------------------------------------------------- */

static void commit_both(struct bv_journal *journal)
{
	if (commit(journal, 1, NULL, false) != BV_OK)
		_exit(1);
}

static void discard_both(struct bv_journal *journal)
{
	if (discard(journal, 1, NULL) != BV_OK)
		_exit(1);
}

static void keep_more(struct bv_journal *journal)
{
	static const struct left more[] = {{"e", "gamma"}, {"f", "delta"}};

	add_attempt(journal, 2, more, 2);
}

static void check_commit(struct bv_journal *journal, unsigned long n)
{
	for (size_t i = 0; i < 2; i++) {
		const char *state = state_of(journal, 1, two[i].name);
		const char *text = text_at(two[i].name);

		/* Not begun, or done: never half, and never in place without a record that says so. */
		EXPECT_THAT(strcmp(state, "Staged") == 0 ? strcmp(text, "-") == 0
							 : strcmp(state, "Committed") == 0 &&
								   strcmp(text, two[i].text) == 0,
			    "killed at %lu, '%s' is %s and holds '%s'", n, two[i].name, state,
			    text);
	}
	EXPECT_UINT(entries_in(to, ".bvisor"), 0);
}

static void check_discard(struct bv_journal *journal, unsigned long n)
{
	for (size_t i = 0; i < 2; i++) {
		const char *state = state_of(journal, 1, two[i].name);

		EXPECT_THAT(blob_there(two[i].text) == (strcmp(state, "Staged") == 0),
			    "killed at %lu, '%s' is %s, and its bytes are%s there", n, two[i].name,
			    state, blob_there(two[i].text) ? "" : " not");
	}
}

static void check_keep(struct bv_journal *journal, unsigned long n)
{
	const struct bv_digest id = attempt_id(2);
	struct bv__kept_list list;
	uint64_t files, bytes;

	OK(bv__journal_kept(journal, &id, &list, &err));
	EXPECT_THAT(list.count == 0 || list.count == 2, "killed at %lu, %zu are kept", n,
		    list.count);
	EXPECT(list.count == 0 || (blob_there("gamma") && blob_there("delta")));
	OK(bv__blobs_sweep(journal, &files, &bytes, &err));
	EXPECT(blob_there("gamma") == (list.count == 2));
	bv__kept_clear(&list);
}

static void kill_everywhere(void (*act)(struct bv_journal *),
			    void (*check)(struct bv_journal *, unsigned long))
{
	const unsigned long step = getenv("BVISOR_ALL_KILLS") != NULL ? 1 : 3;
	bool ended = false;
	unsigned long n = 1;

	for (; !ended; n += step) {
		struct bv_journal *journal = new_journal_with_two();

		bv__journal_close(journal);
		ended = killed_at(n, act);
		journal = open_scratch_journal();
		(void)recover(journal);
		check(journal, n);
		OK(verify(journal, NULL));
		bv__journal_close(journal);
		scratch_remove();
		EXPECT(n < 1000);
	}
	EXPECT(n > 10); /* it was killed at all */
}

TEST_WITHIN(a_commit_killed_at_any_moment_is_whole_or_was_never_begun, 300)
{
	kill_everywhere(commit_both, check_commit);
}

TEST_WITHIN(a_discard_killed_at_any_moment_is_whole_or_was_never_begun, 300)
{
	kill_everywhere(discard_both, check_discard);
}

TEST_WITHIN(keeping_killed_at_any_moment_keeps_all_or_nothing, 300)
{
	kill_everywhere(keep_more, check_keep);
}

/* ---- a failing disk ----------------------------------------------------------------------------- */

TEST(a_full_disk_at_the_destination_commits_nothing)
{
	struct bv_journal *journal = new_journal();
	static char large[200 << 10];
	const struct left files[] = {{"small", "x"}, {"large", large}};

	memset(large, 'l', sizeof large - 1);
	add_attempt(journal, 1, files, 2);
	if (mount("none", to, "tmpfs", 0, "size=64k") != 0)
		SKIP("no file system of a few bytes can be mounted here");
	FAILS(commit(journal, 1, NULL, false), BV_E_SYSTEM);
	EXPECT_INT(err.sys_errno, ENOSPC);
	EXPECT_UINT(entries_in(to, ""), 0);
	EXPECT_STR(state_of(journal, 1, "small"), "Failed");
	EXPECT(umount(to) == 0);
	OK(commit(journal, 1, NULL, false));
	EXPECT_STR(text_at("small"), "x");
	bv__journal_close(journal);
}
