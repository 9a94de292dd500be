/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What was written to staged directories: listed, committed, kept for later or forgotten.
 *
 * With a journal a decision is recorded before anything is written.  All changes of a run are one
 * artifact, "/changes", whose bytes are the value that describes them; the files' own are kept beside it
 * only when somebody is to decide later.
 */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/event.h"
#include "journal/dispose.h"
#include "linux/stage.h"

struct bv_changes {
	struct bv_stage *stage;
	struct bv_journal *journal; /* NULL: nothing is recorded */
	struct bv__attempt attempt;
	bool recorded; /* the journal knows them: as `artifact`, of these bytes */
	bool kept;     /* and can give them back */
	bool settled;
	struct bv_digest artifact, content;
	bool *chosen; /* by number; NULL: all */
	char path[2 * BV_STAGE_PATH_SIZE];
};

static enum bv_code no_memory(struct bv_error *err)
{
	return bv_fail(err, BV_E_MEMORY, "changes", "there is no memory for so many changes");
}

struct bv_changes *bv__changes_new(struct bv_stage *stage, struct bv_journal *journal,
				   const struct bv_digest *attempt, const struct bv_digest *plan_id)
{
	struct bv_changes *changes = calloc(1, sizeof *changes);

	if (!changes)
		return NULL;
	changes->stage = stage;
	changes->journal = journal;
	changes->attempt.id = *attempt;
	changes->attempt.plan_id = *plan_id;
	return changes;
}

void bv__changes_drop(struct bv_stage *stage)
{
	bv__stage_free(stage);
}

void bv_changes_free(struct bv_changes *changes)
{
	if (!changes)
		return;
	bv__stage_free(changes->stage);
	free(changes->chosen);
	free(changes);
}

/* ---- Showing --------------------------------------------------------------------------------- */

size_t bv_changes_count(const struct bv_changes *changes)
{
	return changes->stage->change_count;
}

uint64_t bv_changes_size(const struct bv_changes *changes)
{
	return changes->stage->size_bytes;
}

static const char *problem_text(enum bv_stage_problem problem)
{
	switch (problem) {
	case BV_STAGE_FINE:
		break;
	case BV_STAGE_SPECIAL:
		return "a device, FIFO or socket";
	case BV_STAGE_SET_ID:
		return "it would run as its owner or group";
	case BV_STAGE_TOO_LONG:
		return "its path is too long";
	case BV_STAGE_CONFLICT:
		return "changed on the host since the run began";
	}
	return "";
}

struct bv_change bv_changes_at(struct bv_changes *changes, size_t index)
{
	static const enum bv_change_kind kinds[BV_STAGE_KIND_COUNT] = {
		[BV_STAGE_ADDED] = BV_CHANGE_ADDED,
		[BV_STAGE_MODIFIED] = BV_CHANGE_MODIFIED,
		[BV_STAGE_REMOVED] = BV_CHANGE_REMOVED,
		[BV_STAGE_REPLACED] = BV_CHANGE_REPLACED,
		[BV_STAGE_ATTRIBUTES] = BV_CHANGE_ATTRIBUTES,
	};
	static const enum bv_change_type types[] = {
		[BV_STAGE_FILE] = BV_CHANGED_FILE,
		[BV_STAGE_DIRECTORY] = BV_CHANGED_DIRECTORY,
		[BV_STAGE_SYMLINK] = BV_CHANGED_LINK,
		[BV_STAGE_OTHER] = BV_CHANGED_OTHER,
	};
	const uint32_t number = changes->stage->changes[index];
	const struct bv_stage_node *node = &changes->stage->nodes[number];

	bv__stage_host_path(changes->stage, number, changes->path);
	return (struct bv_change){
		.kind = kinds[node->kind],
		.type = types[node->type],
		.path = changes->path,
		.size_bytes = node->size_bytes,
		.mode = node->mode,
		.problem = problem_text((enum bv_stage_problem)node->problem),
	};
}

/* ---- Keeping --------------------------------------------------------------------------------- */

struct describing {
	const struct bv_stage *stage;
	struct bv_str bytes;
};

static enum bv_code describe(struct bv_arena *arena, void *context, struct bv_error *err)
{
	struct describing *describing = context;
	struct bv_change_set set;
	enum bv_code code = bv__stage_describe(describing->stage, arena, &set, err);

	if (code != BV_OK)
		return code;
	describing->bytes = bv_canon_bytes(arena, &bv_change_set_type, &set);
	return describing->bytes.data ? BV_OK : no_memory(err);
}

static bool has_content(const struct bv_stage *stage, uint32_t node)
{
	return stage->nodes[node].type == BV_STAGE_FILE &&
	       stage->nodes[node].problem == BV_STAGE_FINE &&
	       stage->nodes[node].kind != BV_STAGE_REMOVED &&
	       stage->nodes[node].kind != BV_STAGE_ATTRIBUTES;
}

enum bv_code bv_changes_open(struct bv_changes *changes, size_t index, int *ret_fd,
			     struct bv_error *err)
{
	const struct bv_stage *stage = changes->stage;
	const uint32_t node = index < stage->change_count ? stage->changes[index] : 0;
	int dir, fd = -1;

	if (index >= stage->change_count || !has_content(stage, node))
		return bv_fail(err, BV_E_STATE, "changes", "this change has no contents to read");
	if (stage->saved)
		return bv__blob_open(changes->journal, &stage->contents[node].digest, ret_fd, err);
	dir = bv__stage_open_upper(stage, stage->nodes[node].parent);
	if (dir >= 0)
		fd = bv__stage_open_own(dir, bv__stage_name(stage, node), 0);
	if (dir >= 0)
		close(dir);
	if (fd < 0)
		return bv_fail(err, BV_E_SYSTEM, "changes", "what was written cannot be read");
	*ret_fd = fd;
	return BV_OK;
}

static enum bv_code keep_content(struct bv_changes *changes, size_t number, struct bv__blobs *blobs,
				 struct bv_kept_blob *ret_blob, struct bv_error *err)
{
	const struct bv_stage *stage = changes->stage;
	const uint32_t node = stage->changes[number];
	const uint64_t size = stage->nodes[node].size_bytes;
	struct bv__blob blob;
	enum bv_code code;
	int fd = -1;

	if (size > BV_STAGE_DIGEST_BYTES_MAX)
		return bv_fail_remedy(err, BV_E_STATE, "changes", "commit or discard them now",
				      "a file among the changes is too long to be kept");
	code = bv_changes_open(changes, number, &fd, err);
	if (code == BV_OK)
		code = bv__blobs_copy(blobs, fd, size, &blob, err);
	if (fd >= 0)
		close(fd);
	if (code != BV_OK)
		return code;
	ret_blob->content_hash = blob.digest;
	ret_blob->size_bytes = blob.size_bytes;
	return BV_OK;
}

/* Keeps the value that describes them, and knows them by it from then on. */
static enum bv_code keep_value(struct bv_changes *changes, struct bv_str bytes,
			       struct bv__blobs *blobs, struct bv_kept_blob *ret_blob,
			       struct bv_error *err)
{
	struct bv__blob blob;
	enum bv_code code = bv__blobs_put(blobs, bytes.data, bytes.len, &blob, err);

	if (code != BV_OK)
		return code;
	*ret_blob = (struct bv_kept_blob){BV_STR(BV_KEPT_CHANGES), blob.digest, blob.size_bytes};
	changes->content = blob.digest;
	bv_artifact_id(&changes->attempt.id, ret_blob->name, &blob.digest, &changes->artifact);
	return BV_OK;
}

/* Puts the value, unless it is recorded, and with `contents` the files, where bytes are kept; makes
 * the record of it. */
static enum bv_code keep_bytes(struct bv_changes *changes, bool contents, struct bv__blobs *blobs,
			       struct bv_arena *arena, struct bv_str *ret_record,
			       struct bv_error *err)
{
	const struct bv_stage *stage = changes->stage;
	struct describing describing = {stage, {NULL, 0}};
	struct bv_kept_event event = {{NULL, 0}};
	enum bv_code code = bv__memory_make(arena, describe, &describing, err);

	if (code != BV_OK)
		return code;
	event.blobs.items = calloc(stage->change_count + 1, sizeof *event.blobs.items);
	if (!event.blobs.items)
		return no_memory(err);
	if (!changes->recorded)
		code = keep_value(changes, describing.bytes, blobs,
				  &event.blobs.items[event.blobs.count++], err);
	for (size_t i = 0; contents && code == BV_OK && i < stage->change_count; i++) {
		struct bv_kept_blob *kept = &event.blobs.items[event.blobs.count];

		if (!has_content(stage, stage->changes[i]))
			continue;
		kept->name = bv_arena_format(arena, BV_KEPT_CHANGES "/%zu", i);
		code = kept->name.data ? keep_content(changes, i, blobs, kept, err)
				       : no_memory(err);
		event.blobs.count++;
	}
	if (code == BV_OK)
		code = bv__blobs_seal(blobs, err);
	if (code == BV_OK) {
		*ret_record = bv_canon_bytes(arena, &bv_kept_event_type, &event);
		code = ret_record->data ? BV_OK : no_memory(err);
	}
	free(event.blobs.items);
	return code;
}

static enum bv_code keep(struct bv_changes *changes, struct bv_error *err)
{
	struct bv__entry entry = {.kind = BV_EVENT_KEPT};
	struct bv__append append = {.attempt = changes->attempt.id,
				    .entries = &entry,
				    .count = 1,
				    .durable = true};
	struct bv_arena arena = {0};
	struct bv__blobs blobs = {.dir = -1};
	enum bv_code code = bv__stage_digest(changes->stage, err);

	if (code == BV_OK)
		code = bv__blobs_begin(changes->journal, &changes->attempt.id, &blobs, err);
	if (code == BV_OK)
		code = keep_bytes(changes, true, &blobs, &arena, &entry.payload, err);
	if (code == BV_OK)
		code = bv__journal_append(changes->journal, &append, err);
	bv__blobs_end(&blobs);
	bv__memory_unmap(&arena);
	if (code == BV_OK)
		changes->recorded = changes->kept = true;
	return code;
}

enum bv_code bv_changes_keep(struct bv_changes *changes, struct bv_error *err)
{
	if (!changes->journal)
		return bv_fail_remedy(err, BV_E_STATE, "changes", "run it with a journal",
				      "without a journal changes cannot be kept");
	if (changes->recorded || changes->settled)
		return bv_fail(err, BV_E_STATE, "changes",
			       "these changes were decided about already");
	return keep(changes, err);
}

/* ---- Deciding -------------------------------------------------------------------------------- */

/* Whether `path` is, or lies below, `chosen`. */
static bool is_covered(const char *chosen, const char *path)
{
	const size_t len = strlen(chosen);

	return strncmp(chosen, path, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/' || (len > 0 && chosen[len - 1] == '/'));
}

enum bv_code bv_changes_choose(struct bv_changes *changes, const char *const *paths, size_t count,
			       struct bv_error *err)
{
	const size_t all = bv_changes_count(changes);

	free(changes->chosen);
	changes->chosen = count > 0 ? calloc(all + 1, sizeof *changes->chosen) : NULL;
	if (count > 0 && !changes->chosen)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		bool any = false;

		for (size_t k = 0; k < all; k++) {
			if (!is_covered(paths[i], bv_changes_at(changes, k).path))
				continue;
			changes->chosen[k] = any = true;
		}
		if (!any)
			return bv_fail(err, BV_E_ARGUMENT, "changes",
				       "nothing was changed at '%.*s'", 110, paths[i]);
	}
	return BV_OK;
}

/* The numbers of the chosen, for the record; malloc'd. */
static enum bv_code number_chosen(const struct bv_changes *changes, uint32_t **ret_numbers,
				  size_t *ret_count, struct bv_error *err)
{
	const size_t all = bv_changes_count(changes);

	*ret_numbers = NULL;
	*ret_count = 0;
	if (!changes->chosen)
		return BV_OK;
	*ret_numbers = calloc(all + 1, sizeof **ret_numbers);
	if (!*ret_numbers)
		return no_memory(err);
	for (size_t i = 0; i < all; i++) {
		if (changes->chosen[i])
			(*ret_numbers)[(*ret_count)++] = (uint32_t)i;
	}
	return BV_OK;
}

/* Durable before anything is written.  Of changes nobody kept, the value is kept with it. */
static enum bv_code decide(struct bv_changes *changes, enum bv_disposition_action action,
			   bool partly, struct bv_error *err)
{
	struct bv_decided_item item = {.name = BV_STR(BV_KEPT_CHANGES)};
	struct bv__decision decision = {.attempt = &changes->attempt,
					.action = action,
					.durability = BV_COMMIT_DURABLE,
					.partly = partly,
					.items = &item,
					.count = 1};
	struct bv__blobs blobs = {.dir = -1};
	struct bv_arena arena = {0};
	uint32_t *numbers = NULL;
	enum bv_code code = number_chosen(changes, &numbers, &decision.change_count, err);

	decision.changes = numbers;
	if (code == BV_OK && !changes->recorded) {
		code = bv__stage_digest(changes->stage, err);
		if (code == BV_OK)
			code = bv__blobs_begin(changes->journal, &changes->attempt.id, &blobs, err);
		if (code == BV_OK)
			code = keep_bytes(changes, false, &blobs, &arena, &decision.kept, err);
	}
	item.artifact = changes->artifact;
	item.content_hash = changes->content;
	if (code == BV_OK)
		code = bv__dispose_decide(changes->journal, &decision, err);
	changes->recorded |= code == BV_OK;
	bv__blobs_end(&blobs);
	bv__memory_unmap(&arena);
	free(numbers);
	return code;
}

static enum bv_code settle(const struct bv_changes *changes, const char *failure,
			   struct bv_error *err)
{
	const struct bv__outcome outcome = {changes->artifact, BV_COMMIT_DURABLE, failure};

	return bv__dispose_settle(changes->journal, &changes->attempt, &outcome, 1, err);
}

/* Bytes that were kept are looked at before anything is decided about them. */
static enum bv_code check_contents(const struct bv_changes *changes, struct bv_error *err)
{
	const struct bv_stage *stage = changes->stage;
	enum bv_code code = BV_OK;

	for (size_t i = 0; code == BV_OK && stage->saved && i < stage->change_count; i++) {
		const uint32_t node = stage->changes[i];

		if (has_content(stage, node) && !stage->nodes[node].left)
			code = bv__blob_check(changes->journal, &stage->contents[node].digest,
					      stage->nodes[node].size_bytes, err);
	}
	return code;
}

static enum bv_code commit_recorded(struct bv_changes *changes, bool partly, struct bv_error *err)
{
	struct bv_error why = {0}, other = {0};
	int lock = -1;
	enum bv_code code = bv__blobs_decide_alone(changes->journal, true, &lock, err), settled;

	if (code == BV_OK)
		code = check_contents(changes, err);
	if (code == BV_OK)
		code = decide(changes, BV_DISPOSE_PROMOTE, partly && changes->kept, err);
	if (code == BV_OK) {
		code = bv__stage_commit(changes->stage, &why);
		settled = settle(changes, code == BV_OK ? NULL : why.message, &other);
		/* What went wrong first is the one to tell. */
		if (code == BV_OK && settled != BV_OK)
			why = other;
		code = code != BV_OK ? code : settled;
		if (code != BV_OK && err)
			*err = why;
	}
	if (lock >= 0)
		close(lock);
	/* So that what stood in the way can be looked at, and the decision made again. */
	if (code != BV_OK && changes->recorded && !changes->kept)
		(void)keep(changes,
			   NULL); /* then they are lost, which the first error is worse than */
	return code;
}

enum bv_code bv_changes_commit(struct bv_changes *changes, struct bv_error *err)
{
	size_t left = 0;
	enum bv_code code = BV_OK;

	if (!changes)
		return bv_fail(err, BV_E_ARGUMENT, "", "there are no changes to commit");
	if (changes->chosen)
		code = bv__stage_choose(changes->stage, changes->chosen, &left, err);
	if (code != BV_OK)
		return code;
	/* Of a program that changed nothing there is nothing to record. */
	code = changes->journal && bv_changes_count(changes) > 0
		       ? commit_recorded(changes, left > 0, err)
		       : bv__stage_commit(changes->stage, err);
	changes->settled |= code == BV_OK;
	return code;
}

enum bv_code bv_changes_discard(struct bv_changes *changes, struct bv_error *err)
{
	const char *const name = BV_KEPT_CHANGES;
	const struct bv__chosen chosen = {&name, 1};
	int lock = -1;
	enum bv_code code;

	if (!changes)
		return bv_fail(err, BV_E_ARGUMENT, "", "there are no changes to discard");
	free(changes->chosen);
	changes->chosen = NULL;
	if (!changes->journal || changes->settled || bv_changes_count(changes) == 0)
		return BV_OK;
	if (changes->recorded)
		return bv__dispose_discard(changes->journal, &changes->attempt, &chosen, NULL, NULL,
					   err);
	code = bv__blobs_decide_alone(changes->journal, true, &lock, err);
	if (code == BV_OK)
		code = decide(changes, BV_DISPOSE_DISCARD, false, err);
	if (code == BV_OK)
		code = settle(changes, NULL, err);
	if (code == BV_OK)
		code = bv__blob_discard(changes->journal, &changes->content, err);
	if (lock >= 0)
		close(lock);
	changes->settled = code == BV_OK;
	return code;
}

/* ---- From the journal ------------------------------------------------------------------------ */

static int open_content(void *context, const struct bv_digest *digest)
{
	int fd = -1;

	return bv__blob_open(context, digest, &fd, NULL) == BV_OK ? fd : -1;
}

struct restoring {
	struct bv_journal *journal;
	const void *data;
	size_t size_bytes;
	struct bv_stage *stage;
};

static enum bv_code restore(struct bv_arena *arena, void *context, struct bv_error *err)
{
	struct restoring *restoring = context;
	struct bv_change_set set;
	enum bv_code code = bv_canon_decode(arena, &bv_change_set_type, restoring->data,
					    restoring->size_bytes, &set, err);

	return code == BV_OK ? bv__stage_restore(&set, open_content, restoring->journal,
						 &restoring->stage, err)
			     : code;
}

/* All of it, malloc'd. */
static enum bv_code read_blob(const struct bv_journal *journal, const struct bv__kept *kept,
			      void **ret_data, struct bv_error *err)
{
	uint8_t *data = malloc(kept->size_bytes + 1);
	size_t used = 0;
	int fd = -1;
	enum bv_code code = bv__blob_check(journal, &kept->content, kept->size_bytes, err);

	if (code == BV_OK && !data)
		code = no_memory(err);
	if (code == BV_OK)
		code = bv__blob_open(journal, &kept->content, &fd, err);
	while (code == BV_OK && used < kept->size_bytes) {
		const ssize_t got = pread(fd, data + used, kept->size_bytes - used, (off_t)used);

		if (got <= 0)
			code = bv_fail(err, BV_E_INTEGRITY, "changes",
				       "the kept changes cannot be read");
		else
			used += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (code != BV_OK) {
		free(data);
		data = NULL;
	}
	*ret_data = data;
	return code;
}

static enum bv_code restore_kept(struct bv_journal *journal, const struct bv__attempt *attempt,
				 const struct bv__kept *kept, struct bv_changes **ret_changes,
				 struct bv_error *err)
{
	struct restoring restoring = {.journal = journal, .size_bytes = kept->size_bytes};
	struct bv_changes *changes;
	struct bv_arena arena = {0};
	void *data = NULL;
	enum bv_code code = read_blob(journal, kept, &data, err);

	restoring.data = data;
	if (code == BV_OK)
		code = bv__memory_make(&arena, restore, &restoring, err);
	bv__memory_unmap(&arena);
	free(data);
	if (code != BV_OK)
		return code;
	changes = bv__changes_new(restoring.stage, journal, &attempt->id, &attempt->plan_id);
	if (!changes) {
		bv__stage_free(restoring.stage);
		return no_memory(err);
	}
	changes->recorded = changes->kept = true;
	changes->artifact = kept->id;
	changes->content = kept->content;
	*ret_changes = changes;
	return BV_OK;
}

enum bv_code bv_journal_changes(struct bv_journal *journal, const char *attempt,
				struct bv_changes **ret_changes, struct bv_error *err)
{
	struct bv__kept_list list = {NULL, 0, 0, false};
	const struct bv__kept *kept = NULL;
	struct bv__attempt found;
	enum bv_code code = bv__journal_find(journal, attempt, &found, err);

	if (code == BV_OK)
		code = bv__journal_kept(journal, &found.id, &list, err);
	if (code != BV_OK)
		return code;
	kept = bv__kept_find(&list, BV_KEPT_CHANGES);
	if (!kept)
		code = bv_fail(err, BV_E_STATE, "changes", "no changes of the attempt were kept");
	else if (kept->state == BV_KEPT_PROMOTED || kept->state == BV_KEPT_DISCARDED)
		code = bv_fail(err, BV_E_STATE, "changes", "the changes of the attempt were %s",
			       kept->state == BV_KEPT_PROMOTED ? "committed" : "discarded");
	if (code == BV_OK)
		code = restore_kept(journal, &found, kept, ret_changes, err);
	bv__kept_clear(&list);
	return code;
}
