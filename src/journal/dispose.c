/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* dispose.c - decisions about artifacts, from the record to the bytes and back. */
#include "dispose.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs.h"
#include "contract/canon.h"
#include "database.h"
#include "linux/sys.h"
#include "promote.h"

/* ---- records --------------------------------------------------------------------------------- */

static enum bv_code no_memory(struct bv_error *err)
{
	return bv_fail(err, BV_E_MEMORY, "artifact", "no memory for so many artifacts");
}

static struct bv_str encode_phase(struct bv_arena *arena, const struct bv__attempt *attempt,
				  const struct bv_digest *artifact,
				  const struct bv_disposition_phase *phase)
{
	const struct bv_disposition_event event = {attempt->plan_id, attempt->id, *artifact,
						   *phase};

	return bv_canon_bytes(arena, &bv_disposition_event_type, &event);
}

static enum bv_code append(struct bv_journal *journal, const struct bv__attempt *attempt,
			   const struct bv__entry *entries, size_t count, struct bv_error *err)
{
	struct bv__append append = {.attempt = attempt->id,
				    .entries = entries,
				    .count = count,
				    .durable = true};

	for (size_t i = 0; i < count; i++) {
		if (entries[i].payload.data == NULL)
			return no_memory(err);
	}
	return bv__journal_append(journal, &append, err);
}

enum bv_code bv__dispose_decide(struct bv_journal *journal, const struct bv__decision *decision,
				struct bv_error *err)
{
	const struct bv_disposition_phase decided = {.tag = BV_PHASE_DECIDED,
						     .u.decided.action = decision->action};
	struct bv_decision_event event = {
		.principal = (uint32_t)geteuid(),
		.host = {(uint32_t)getpid(), bv__process_start_ticks(getpid())},
		.action = decision->action,
		.durability = decision->durability,
		.replace = decision->replace,
		.items = {(struct bv_decided_item *)(uintptr_t)decision->items, decision->count},
		.has_directory = decision->directory != NULL,
		.has_changes = decision->changes != NULL,
		.changes = {(uint32_t *)(uintptr_t)decision->changes, decision->change_count},
		.has_partly = decision->partly,
		.partly = decision->partly,
	};
	struct bv__entry *entries;
	struct bv_arena arena;
	size_t count = 0;
	enum bv_code code = bv__scratch_map(&arena, err);

	if (code != BV_OK)
		return code;
	entries = bv_arena_array(&arena, decision->count + 2, sizeof *entries);
	if (decision->directory != NULL)
		event.directory = bv_str_from(decision->directory);
	bv__host_place(&arena, &event.place);
	if (entries != NULL && decision->kept.data != NULL)
		entries[count++] = (struct bv__entry){BV_EVENT_KEPT, decision->kept};
	if (entries != NULL)
		entries[count++] = (struct bv__entry){
			BV_EVENT_DECISION, bv_canon_bytes(&arena, &bv_decision_event_type, &event)};
	for (size_t i = 0; entries != NULL && i < decision->count; i++)
		entries[count++] = (struct bv__entry){BV_EVENT_DISPOSITION,
						      encode_phase(&arena, decision->attempt,
								   &decision->items[i].artifact,
								   &decided)};
	code = entries != NULL ? append(journal, decision->attempt, entries, count, err)
			       : no_memory(err);
	bv__scratch_unmap(&arena);
	return code;
}

static struct bv_str encode_outcome(struct bv_arena *arena, const struct bv__attempt *attempt,
				    const struct bv__outcome *outcome)
{
	struct bv_disposition_phase phase = {.tag = BV_PHASE_APPLIED,
					     .u.applied.durability = outcome->reached};

	if (outcome->failure != NULL)
		phase = (struct bv_disposition_phase){
			.tag = BV_PHASE_FAILED,
			.u.failed.reason = bv_arena_utf8(arena, bv_str_from(outcome->failure))};
	return encode_phase(arena, attempt, &outcome->artifact, &phase);
}

enum bv_code bv__dispose_settle(struct bv_journal *journal, const struct bv__attempt *attempt,
				const struct bv__outcome *outcomes, size_t count,
				struct bv_error *err)
{
	struct bv__entry *entries;
	struct bv_arena arena;
	enum bv_code code = bv__scratch_map(&arena, err);

	if (code != BV_OK)
		return code;
	entries = bv_arena_array(&arena, count + 1, sizeof *entries);
	for (size_t i = 0; entries != NULL && i < count; i++)
		entries[i] = (struct bv__entry){BV_EVENT_DISPOSITION,
						encode_outcome(&arena, attempt, &outcomes[i])};
	code = entries != NULL ? append(journal, attempt, entries, count, err) : no_memory(err);
	bv__scratch_unmap(&arena);
	return code;
}

/* ---- which ----------------------------------------------------------------------------------- */

static bool is_undecided(const struct bv__kept *kept)
{
	return bv__kept_is_artifact(kept) &&
	       (kept->state == BV_KEPT_STAGED || kept->state == BV_KEPT_RETAINED ||
		kept->state == BV_KEPT_FAILED);
}

static enum bv_code fail_name(const char *name, struct bv_error *err)
{
	const size_t len = strlen(name);

	return bv_fail_remedy(err, BV_E_ARGUMENT, "artifact",
			      "bvisor artifacts ls ATTEMPT lists them",
			      "the attempt left no artifact '%.*s'", (int)(len < 110 ? len : 110),
			      name);
}

/* The chosen of the list, each once, as pointers into it; malloc'd.  Changes only with `changes`. */
static enum bv_code choose(const struct bv__kept_list *list, const struct bv__chosen *chosen,
			   bool changes, struct bv__kept ***ret_items, size_t *ret_count,
			   struct bv_error *err)
{
	struct bv__kept **items = calloc(list->count + 1, sizeof *items);
	size_t count = 0;

	if (items == NULL)
		return no_memory(err);
	for (size_t i = 0; i < chosen->count; i++) {
		const struct bv__kept *kept = bv__kept_find(list, chosen->names[i]);

		if (kept == NULL || !bv__kept_is_artifact(kept) ||
		    (!changes && kept->name[0] == '/')) {
			free(items);
			return fail_name(chosen->names[i], err);
		}
	}
	for (size_t i = 0; i < list->count; i++) {
		struct bv__kept *kept = &list->items[i];
		bool wanted = chosen->count == 0 && is_undecided(kept);

		for (size_t j = 0; !wanted && j < chosen->count; j++)
			wanted = strcmp(chosen->names[j], kept->name) == 0;
		if (wanted && (changes || kept->name[0] != '/'))
			items[count++] = kept;
	}
	*ret_items = items;
	*ret_count = count;
	if (count > 0)
		return BV_OK;
	free(items);
	*ret_items = NULL;
	return bv_fail_remedy(err, BV_E_STATE, "artifact", "bvisor artifacts ls ATTEMPT lists them",
			      "the attempt left nothing that is undecided");
}

/* ---- committing ------------------------------------------------------------------------------ */

struct committing {
	struct bv_journal *journal;
	const struct bv__attempt *attempt;
	const struct bv__commit_order *order;
	struct bv__kept **kept;
	size_t count;
	char directory[PATH_MAX]; /* canonical */
	int dir;
	struct bv__promotion *promotions;
	struct bv__outcome *outcomes;
	struct bv_error *errors; /* code BV_OK: none */
	struct bv_decided_item *items;
};

/* The report knows the permissions. */
static enum bv_code read_modes(struct committing *c, struct bv_error *err)
{
	struct bv_report_event event;
	struct bv_str bytes = {NULL, 0};
	struct bv_arena arena;
	enum bv_code code = bv__scratch_map(&arena, err);

	if (code != BV_OK)
		return code;
	code = bv__journal_payload(c->journal, &c->attempt->id, BV_EVENT_REPORT, &bytes, err);
	if (code == BV_OK)
		code = bv_canon_decode(&arena, &bv_report_event_type, bytes.data, bytes.len, &event,
				       err);
	for (size_t i = 0; code == BV_OK && i < c->count; i++) {
		const struct bv_staged_artifact_list *artifacts = &event.report.body.artifacts;

		c->promotions[i].mode = 0600;
		for (size_t j = 0; j < artifacts->count; j++) {
			if (artifacts->items[j].has_mode &&
			    bv_digest_equal(&artifacts->items[j].artifact_id, &c->kept[i]->id))
				c->promotions[i].mode = artifacts->items[j].mode;
		}
	}
	free((void *)(uintptr_t)bytes.data);
	bv__scratch_unmap(&arena);
	return code;
}

static enum bv_code open_directory(struct committing *c, struct bv_error *err)
{
	static const struct bv_open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};
	const char *given = c->order->directory;
	int sys_errno;

	/* Once it is canonical no link may come into it, now or when recovery carries this on. */
	if (realpath(given, c->directory) != NULL && bv_utf8_valid(bv_str_from(c->directory)))
		c->dir = bv_sys_openat2(AT_FDCWD, c->directory, &how);
	if (c->dir >= 0)
		return BV_OK;
	sys_errno = errno;
	(void)bv_fail_remedy(err, BV_E_ARGUMENT, "directory",
			     "make it first; its path has to be UTF-8",
			     "artifacts cannot be committed to '%.*s'", 110, given);
	if (err != NULL)
		err->sys_errno = sys_errno;
	return BV_E_ARGUMENT;
}

/* Fills what is known before anything is decided, and refuses what is known to fail. */
static enum bv_code prepare_records(struct committing *c, struct bv_error *err)
{
	enum bv_code code = BV_OK;

	for (size_t i = 0; code == BV_OK && i < c->count; i++) {
		const struct bv__kept *kept = c->kept[i];
		enum bv__at_target there = BV_TARGET_NOTHING;

		c->promotions[i] = (struct bv__promotion){
			.journal = c->journal,
			.dir = c->dir,
			.target = kept->name,
			.artifact = kept->id,
			.content = kept->content,
			.size_bytes = kept->size_bytes,
			.mode = c->promotions[i].mode,
			.replace = c->order->replace,
			.durability = c->order->durability,
		};
		c->outcomes[i] = (struct bv__outcome){kept->id, c->order->durability, NULL};
		c->items[i] = (struct bv_decided_item){.artifact = kept->id,
						       .content_hash = kept->content,
						       .name = bv_str_from(kept->name),
						       .has_target = true,
						       .target = bv_str_from(kept->name),
						       .has_mode = true,
						       .mode = c->promotions[i].mode};
		if (!bv__promote_name_fits(kept->name))
			return bv_fail(err, BV_E_ARGUMENT, "artifact",
				       "the name of an artifact is no path below a directory");
		if (!c->order->replace)
			code = bv__promote_look(&c->promotions[i], &there, err);
		if (code == BV_OK && there != BV_TARGET_NOTHING)
			code = bv_fail_remedy(
				err, BV_E_CONFLICT, "commit",
				"name another directory, or replace it with --replace",
				"there is a '%.*s' already", 110, kept->name);
	}
	return code;
}

/* What `failed` failed with; the others could not because of it. */
static void fail_all(struct committing *c, size_t failed)
{
	for (size_t i = 0; i < c->count; i++) {
		if (i != failed && c->errors[i].code == BV_OK)
			bv_fail(&c->errors[i], BV_E_STATE, "commit",
				"another artifact of the same decision could not be committed");
	}
}

/* Returns how many are in their places. */
static size_t carry_out(struct committing *c)
{
	size_t done = 0;
	bool fine = true;

	for (size_t i = 0; fine && i < c->count; i++) {
		fine = bv__promote_prepare(&c->promotions[i], &c->errors[i]) == BV_OK;
		if (!fine)
			fail_all(c, i);
	}
	for (size_t i = 0; fine && i < c->count; i++)
		done += bv__promote_place(&c->promotions[i], &c->errors[i]) == BV_OK;
	for (size_t i = 0; i < c->count; i++) {
		if (c->errors[i].code != BV_OK) {
			c->outcomes[i].failure = c->errors[i].message;
			bv__promote_forget(&c->promotions[i]);
		}
		c->outcomes[i].reached = c->promotions[i].durability;
	}
	return done;
}

static enum bv_code decide_and_carry_out(struct committing *c, bv__disposed_fn fn, void *context,
					 struct bv_error *err)
{
	const struct bv__decision decision = {.attempt = c->attempt,
					      .action = BV_DISPOSE_PROMOTE,
					      .durability = c->order->durability,
					      .replace = c->order->replace,
					      .directory = c->directory,
					      .items = c->items,
					      .count = c->count};
	enum bv_code code = bv__dispose_decide(c->journal, &decision, err);

	if (code != BV_OK)
		return code;
	(void)carry_out(c);
	code = bv__dispose_settle(c->journal, c->attempt, c->outcomes, c->count, err);
	if (code != BV_OK)
		return code;
	for (size_t i = 0; i < c->count; i++) {
		const bool failed = c->errors[i].code != BV_OK;

		if (fn != NULL)
			fn(context, c->kept[i], c->promotions[i].durability,
			   failed ? &c->errors[i] : NULL);
		/* The one that made the others fail is the one to tell. */
		if (failed && (code == BV_OK || code == BV_E_STATE)) {
			code = c->errors[i].code;
			if (err != NULL)
				*err = c->errors[i];
		}
	}
	return code;
}

enum bv_code bv__dispose_commit(struct bv_journal *journal, const struct bv__attempt *attempt,
				const struct bv__chosen *chosen,
				const struct bv__commit_order *order, bv__disposed_fn fn,
				void *context, struct bv_error *err)
{
	struct committing c = {.journal = journal, .attempt = attempt, .order = order, .dir = -1};
	struct bv__kept_list list = {NULL, 0, 0, false};
	int lock = -1;
	enum bv_code code = bv__blobs_decide_alone(journal, true, &lock, err);

	if (code == BV_OK)
		code = bv__journal_kept(journal, &attempt->id, &list, err);
	if (code == BV_OK)
		code = choose(&list, chosen, false, &c.kept, &c.count, err);
	if (code == BV_OK) {
		c.promotions = calloc(c.count + 1, sizeof *c.promotions);
		c.outcomes = calloc(c.count + 1, sizeof *c.outcomes);
		c.errors = calloc(c.count + 1, sizeof *c.errors);
		c.items = calloc(c.count + 1, sizeof *c.items);
		code = c.promotions != NULL && c.outcomes != NULL && c.errors != NULL &&
				       c.items != NULL
			       ? open_directory(&c, err)
			       : no_memory(err);
	}
	if (code == BV_OK)
		code = read_modes(&c, err);
	if (code == BV_OK)
		code = prepare_records(&c, err);
	if (code == BV_OK)
		code = decide_and_carry_out(&c, fn, context, err);
	if (c.dir >= 0)
		close(c.dir);
	if (lock >= 0)
		close(lock);
	free(c.kept);
	free(c.promotions);
	free(c.outcomes);
	free(c.errors);
	free(c.items);
	bv__kept_clear(&list);
	return code;
}

/* ---- discarding ------------------------------------------------------------------------------ */

/* Of changes the bytes of the parts, which lose their claim with the record. */
static enum bv_code remove_parts(struct bv_journal *journal, const struct bv__kept_list *list,
				 struct bv_error *err)
{
	enum bv_code code = BV_OK;

	for (size_t i = 0; code == BV_OK && i < list->count; i++) {
		if (strncmp(list->items[i].name, BV_KEPT_CHANGES, sizeof BV_KEPT_CHANGES - 1) == 0)
			code = bv__blob_discard(journal, &list->items[i].content, err);
	}
	return code;
}

static enum bv_code discard(struct bv_journal *journal, const struct bv__attempt *attempt,
			    const struct bv__kept_list *list, struct bv__kept **kept, size_t count,
			    struct bv_decided_item *items, struct bv__outcome *outcomes,
			    struct bv_error *err)
{
	const struct bv__decision decision = {.attempt = attempt,
					      .action = BV_DISPOSE_DISCARD,
					      .durability = BV_COMMIT_DURABLE,
					      .items = items,
					      .count = count};
	bool changes = false;
	enum bv_code code;

	for (size_t i = 0; i < count; i++) {
		items[i] = (struct bv_decided_item){.artifact = kept[i]->id,
						    .content_hash = kept[i]->content,
						    .name = bv_str_from(kept[i]->name)};
		outcomes[i] = (struct bv__outcome){kept[i]->id, BV_COMMIT_DURABLE, NULL};
		changes |= strcmp(kept[i]->name, BV_KEPT_CHANGES) == 0;
	}
	code = bv__dispose_decide(journal, &decision, err);
	/* What cannot be removed now is removed by the next recovery: it stays decided. */
	for (size_t i = 0; code == BV_OK && i < count; i++)
		code = bv__blob_discard(journal, &kept[i]->content, err);
	if (code == BV_OK)
		code = bv__dispose_settle(journal, attempt, outcomes, count, err);
	if (code == BV_OK && changes)
		code = remove_parts(journal, list, err);
	return code;
}

enum bv_code bv__dispose_discard(struct bv_journal *journal, const struct bv__attempt *attempt,
				 const struct bv__chosen *chosen, bv__disposed_fn fn, void *context,
				 struct bv_error *err)
{
	struct bv__kept_list list = {NULL, 0, 0, false};
	struct bv_decided_item *items = NULL;
	struct bv__outcome *outcomes = NULL;
	struct bv__kept **kept = NULL;
	size_t count = 0;
	int lock = -1;
	enum bv_code code = bv__blobs_decide_alone(journal, true, &lock, err);

	if (code == BV_OK)
		code = bv__journal_kept(journal, &attempt->id, &list, err);
	if (code == BV_OK)
		code = choose(&list, chosen, true, &kept, &count, err);
	if (code == BV_OK) {
		items = calloc(count + 1, sizeof *items);
		outcomes = calloc(count + 1, sizeof *outcomes);
		code = items != NULL && outcomes != NULL
			       ? discard(journal, attempt, &list, kept, count, items, outcomes, err)
			       : no_memory(err);
	}
	for (size_t i = 0; code == BV_OK && fn != NULL && i < count; i++)
		fn(context, kept[i], BV_COMMIT_DURABLE, NULL);
	if (lock >= 0)
		close(lock);
	free(items);
	free(outcomes);
	free(kept);
	bv__kept_clear(&list);
	return code;
}
