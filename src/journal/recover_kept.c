/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * recover_kept.c - decisions about artifacts that were not carried out to their end.
 *
 * Whoever holds the lock of decisions knows that nobody else is carrying one out.  What is right is
 * for bv__reconcile to say; here it is only looked at and done.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blobs.h"
#include "contract/canon.h"
#include "database.h"
#include "dispose.h"
#include "linux/sys.h"
#include "promote.h"

struct settling {
	struct bv_journal *journal;
	struct bv_arena *arena;
	struct bv__attempt attempt;
	struct bv__kept_list kept;
	/* By the index of `kept`: the decision that is open, and its item. */
	const struct bv_decision_event **decisions;
	const struct bv_decided_item **items;
	struct bv__outcome *outcomes;
	struct bv_swept *swept;
	size_t count, failed;
	const char *refusal; /* NULL: none */
};

static bool is_open(const struct bv__kept *kept)
{
	return kept->state == BV_KEPT_PROMOTING || kept->state == BV_KEPT_PROMOTING_PARTLY ||
	       kept->state == BV_KEPT_DISCARDING;
}

/* The last decision about each is the one that is open. */
static enum bv_code take_decision(void *context, const struct bv__record *record,
				  struct bv_error *err)
{
	struct settling *s = context;
	struct bv_decision_event *event;
	enum bv_code code;

	if (record->kind != BV_EVENT_DECISION)
		return BV_OK;
	event = bv_arena_alloc(s->arena, sizeof *event);
	if (event == NULL)
		return bv_fail(err, BV_E_MEMORY, "journal", "no memory for recovery");
	code = bv_canon_decode(s->arena, &bv_decision_event_type, record->payload,
			       record->payload_bytes, event, err);
	for (size_t i = 0; code == BV_OK && i < event->items.count; i++) {
		for (size_t k = 0; k < s->kept.count; k++) {
			if (!bv_digest_equal(&s->kept.items[k].id, &event->items.items[i].artifact))
				continue;
			s->decisions[k] = event;
			s->items[k] = &event->items.items[i];
		}
	}
	return code;
}

/* ---- one artifact ---------------------------------------------------------------------------- */

static void settle_as(struct settling *s, const struct bv__kept *kept, const char *failure,
		      const char *result)
{
	s->outcomes[s->count] = (struct bv__outcome){kept->id, BV_COMMIT_DURABLE, failure};
	s->swept[s->count++] = (struct bv_swept){BV_STR("artifact"), bv_str_from(kept->name),
						 bv_arena_copy(s->arena, bv_str_from(result))};
}

/*
 * The directory that was decided about, whose path had no link in it: one that has come there since
 * leads elsewhere, and then the directory is gone.  0, or the error with which it cannot be reached.
 */
static int open_directory(const struct bv_decision_event *decision, int *ret_dir)
{
	static const struct bv_open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};

	*ret_dir = decision->has_directory
			   ? bv_sys_openat2(AT_FDCWD, decision->directory.data, &how)
			   : -1;
	if (*ret_dir >= 0)
		return 0;
	return decision->has_directory && errno != ELOOP && errno != ENOTDIR ? errno : ENOENT;
}

static enum bv_code finish(struct settling *s, const struct bv__kept *kept,
			   struct bv__promotion *promotion, const char *why)
{
	struct bv_error error = {.code = BV_OK};
	enum bv_code code = bv__promote_prepare(promotion, &error);

	if (code == BV_OK)
		code = bv__promote_place(promotion, &error);
	settle_as(s, kept,
		  code == BV_OK ? NULL : bv_arena_copy(s->arena, bv_str_from(error.message)).data,
		  code == BV_OK ? why : error.message);
	return code;
}

static enum bv_code settle_file(struct settling *s, size_t index, struct bv_error *err)
{
	const struct bv__kept *kept = &s->kept.items[index];
	const struct bv_decision_event *decision = s->decisions[index];
	const struct bv_decided_item *item = s->items[index];
	struct bv__promotion promotion = {
		.journal = s->journal,
		.target = item->has_target ? item->target.data : "",
		.artifact = kept->id,
		.content = kept->content,
		.size_bytes = kept->size_bytes,
		.mode = item->has_mode ? item->mode : 0600,
		.replace = decision->replace,
		.durability = decision->durability,
	};
	struct bv__reality reality = {.decided = true,
				      .action = BV_DISPOSE_PROMOTE,
				      .replace = decision->replace};
	const char *why = "";
	enum bv_code code = BV_OK;
	int unreachable = open_directory(decision, &promotion.dir);

	if (unreachable != 0 && unreachable != ENOENT) {
		s->failed++; /* the next recovery may reach it */
		return BV_OK;
	}
	if (unreachable != 0 || !bv__promote_name_fits(promotion.target)) {
		settle_as(s, kept, "its directory is gone", "its directory is gone");
	} else {
		code = bv__promote_look(&promotion, &reality.target, err);
		reality.kept = bv__blob_check(s->journal, &kept->content, kept->size_bytes, NULL) ==
			       BV_OK;
		switch (code == BV_OK ? bv__reconcile(&reality, &why) : BV_RECONCILE_SETTLED) {
		case BV_RECONCILE_APPLIED:
			settle_as(s, kept, NULL, why);
			break;
		case BV_RECONCILE_PROMOTE:
			(void)finish(s, kept, &promotion, why); /* what became of it is recorded */
			break;
		case BV_RECONCILE_FAILED:
			settle_as(s, kept, why, why);
			break;
		case BV_RECONCILE_REFUSE:
			s->refusal = why;
			break;
		case BV_RECONCILE_SETTLED:
		case BV_RECONCILE_DISCARD:
			break;
		}
		bv__promote_forget(&promotion);
	}
	if (promotion.dir >= 0)
		close(promotion.dir);
	return code;
}

static enum bv_code settle_one(struct settling *s, size_t index, struct bv_error *err)
{
	static const char interrupted[] = "it was interrupted: some changes may be in place";
	const struct bv__kept *kept = &s->kept.items[index];
	enum bv_code code;

	if (kept->state == BV_KEPT_DISCARDING) {
		code = bv__blob_discard(s->journal, &kept->content, err);
		if (code == BV_OK)
			settle_as(s, kept, NULL, "it was discarded");
		return code;
	}
	/* Deciding anew finds what is in place already: nothing is written to workspaces here. */
	if (strcmp(kept->name, BV_KEPT_CHANGES) == 0) {
		settle_as(s, kept, interrupted, interrupted);
		return BV_OK;
	}
	if (s->decisions[index] == NULL)
		return bv_fail(err, BV_E_JOURNAL, "journal",
			       "an artifact is being committed, and no decision says where to");
	return settle_file(s, index, err);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

static enum bv_code write_outcome(struct settling *s, const char **ret_reason, struct bv_error *err)
{
	static const char stopped[] =
		"a decision about its artifacts was not carried out to its end";
	const bool refused = s->refusal != NULL;
	const struct bv_recovery_result_event result = {.reason = bv_str_from(refused ? s->refusal
										      : stopped),
							.executed = true,
							.swept = {s->swept,
								  refused ? 0 : s->count}};
	const struct bv_recovery_event verdict = {.plan_id = s->attempt.plan_id,
						  .classification = refused ? BV_RECOVERY_REFUSED
									    : BV_RECOVERY_COMPLETED,
						  .has_attempt = true,
						  .attempt = s->attempt.id};
	const struct bv__entry entries[2] = {
		{BV_EVENT_RECOVERY_RESULT,
		 bv_canon_bytes(s->arena, &bv_recovery_result_event_type, &result)},
		{BV_EVENT_RECOVERY, bv_canon_bytes(s->arena, &bv_recovery_event_type, &verdict)}};
	struct bv__append append = {.attempt = s->attempt.id,
				    .entries = entries,
				    .count = 2,
				    .durable = true};

	*ret_reason = refused ? s->refusal : stopped;
	if (entries[0].payload.data == NULL || entries[1].payload.data == NULL)
		return bv_fail(err, BV_E_MEMORY, "journal", "no memory for recovery");
	return bv__journal_append(s->journal, &append, err);
}

static enum bv_code settle(struct settling *s, bv__recovered_fn fn, void *context,
			   struct bv_error *err)
{
	const char *reason = "";
	enum bv_code code = bv__journal_kept(s->journal, &s->attempt.id, &s->kept, err);
	size_t open = 0;

	if (code != BV_OK)
		return code;
	s->decisions = bv_arena_array(s->arena, s->kept.count + 1, sizeof(*s->decisions));
	s->items = bv_arena_array(s->arena, s->kept.count + 1, sizeof(*s->items));
	s->outcomes = bv_arena_array(s->arena, s->kept.count + 1, sizeof *s->outcomes);
	s->swept = bv_arena_array(s->arena, s->kept.count + 1, sizeof *s->swept);
	if (s->decisions == NULL || s->items == NULL || s->outcomes == NULL || s->swept == NULL)
		return bv_fail(err, BV_E_MEMORY, "journal", "no memory for recovery");
	code = bv__journal_records(s->journal, &s->attempt.id, 0, 0, take_decision, s, err);
	for (size_t i = 0; code == BV_OK && s->refusal == NULL && i < s->kept.count; i++) {
		if (!is_open(&s->kept.items[i]))
			continue;
		open++;
		code = settle_one(s, i, err);
	}
	if (code != BV_OK || open == 0)
		return code;
	/* What was done so far is recorded in any case: a refusal is about what is left. */
	if (s->count > 0)
		code = bv__dispose_settle(s->journal, &s->attempt, s->outcomes, s->count, err);
	if (code == BV_OK && (s->refusal != NULL || s->failed == 0))
		code = write_outcome(s, &reason, err);
	if (code == BV_OK && fn != NULL)
		fn(context, &(struct bv__recovered){s->attempt.id,
						    s->refusal != NULL ? BV_RECOVERY_REFUSED
								       : BV_RECOVERY_COMPLETED,
						    true, reason, s->count, s->failed});
	return code;
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct found {
	struct bv_digest *attempts;
	size_t count, capacity;
	bool full;
};

static bool note_attempt(void *context, const struct bv_digest *attempt)
{
	struct found *found = context;

	if (found->count == found->capacity) {
		const size_t capacity = found->capacity == 0 ? 16 : 2 * found->capacity;
		struct bv_digest *larger = realloc(found->attempts, capacity * sizeof *larger);

		found->full = larger == NULL;
		if (found->full)
			return false;
		found->attempts = larger;
		found->capacity = capacity;
	}
	found->attempts[found->count++] = *attempt;
	return true;
}

static enum bv_code find_open(const struct bv_journal *journal, struct found *found,
			      struct bv_error *err)
{
	enum bv_code code;

	found->count = 0;
	/* Those that were refused wait for a person. */
	code = bv__kept_attempts(journal, "kept.state IN (1, 2, 3) AND attempt.state IN (2, 5)",
				 note_attempt, found, err);
	return code == BV_OK && found->full
		       ? bv_fail(err, BV_E_MEMORY, "journal", "no memory for recovery")
		       : code;
}

enum bv_code bv__dispose_recover(struct bv_journal *journal, bv__recovered_fn fn, void *context,
				 struct bv_error *err)
{
	struct found found = {NULL, 0, 0, false};
	struct bv_arena arena = {0};
	int lock = -1;
	enum bv_code code = find_open(journal, &found, err);

	if (code == BV_OK && found.count > 0)
		code = bv__blobs_decide_alone(journal, false, &lock, err);
	/* Somebody is at it, and alive. */
	if (code != BV_OK || found.count == 0) {
		free(found.attempts);
		return code == BV_E_BUSY ? BV_OK : code;
	}
	/* Looked at again: whoever had the lock before may have settled it. */
	code = find_open(journal, &found, err);
	if (code == BV_OK)
		code = bv__scratch_map(&arena, err);
	for (size_t i = 0; code == BV_OK && i < found.count; i++) {
		struct settling s = {.journal = journal, .arena = &arena};
		char hex[65];

		arena.used = 0;
		bv_digest_hex(&found.attempts[i], hex);
		code = bv__journal_find(journal, hex, &s.attempt, err);
		if (code == BV_OK)
			code = settle(&s, fn, context, err);
		bv__kept_clear(&s.kept);
	}
	bv__scratch_unmap(&arena);
	close(lock);
	free(found.attempts);
	return code;
}

enum bv_code bv__dispose_resolve(struct bv_journal *journal, const struct bv__attempt *attempt,
				 struct bv_str resolution, struct bv_str note, struct bv_error *err)
{
	struct bv__kept_list kept;
	struct bv__entry *entries;
	struct bv_arena arena;
	size_t count = 0;
	enum bv_code code = bv__journal_kept(journal, &attempt->id, &kept, err);

	if (code != BV_OK)
		return code;
	code = bv__scratch_map(&arena, err);
	if (code != BV_OK) {
		bv__kept_clear(&kept);
		return code;
	}
	entries = bv_arena_array(&arena, kept.count + 1, sizeof *entries);
	if (entries != NULL)
		entries[count++] = (struct bv__entry){BV_EVENT_RESOLUTION, resolution};
	for (size_t i = 0; entries != NULL && i < kept.count; i++) {
		struct bv_disposition_event event = {.plan_id = attempt->plan_id,
						     .attempt = attempt->id,
						     .artifact = kept.items[i].id,
						     .phase = {.tag = BV_PHASE_FAILED,
							       .u.failed.reason = note}};

		if (is_open(&kept.items[i]))
			entries[count++] = (struct bv__entry){
				BV_EVENT_DISPOSITION,
				bv_canon_bytes(&arena, &bv_disposition_event_type, &event)};
	}
	for (size_t i = 0; entries != NULL && i < count; i++)
		entries = entries[i].payload.data != NULL ? entries : NULL;
	if (entries != NULL)
		code = bv__journal_append(journal,
					  &(struct bv__append){.attempt = attempt->id,
							       .entries = entries,
							       .count = count,
							       .durable = true},
					  err);
	else
		code = bv_fail(err, BV_E_MEMORY, "journal", "no memory for recovery");
	bv__scratch_unmap(&arena);
	bv__kept_clear(&kept);
	return code;
}
