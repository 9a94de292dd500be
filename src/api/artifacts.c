/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What runs left, as journal.h shows it. */
#include "api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/dispose.h"

enum { BLOCK_BYTES = 64 << 10 };

/* ---- Showing --------------------------------------------------------------------------------- */

struct shown {
	char attempt[65], id[65], content[65];
	struct bv_artifact artifact;
};

static void show(const struct bv_digest *attempt, const struct bv__kept *kept, struct shown *shown)
{
	bv_digest_hex(attempt, shown->attempt);
	bv_digest_hex(&kept->id, shown->id);
	bv_digest_hex(&kept->content, shown->content);
	shown->artifact = (struct bv_artifact){
		.attempt = shown->attempt,
		.id = shown->id,
		.name = kept->name,
		.content_hash = shown->content,
		.size_bytes = kept->size_bytes,
		.state = bv__kept_is_artifact(kept) ? bv__kept_state_name(kept->state) : "Kept",
		.undecided = bv__kept_is_artifact(kept) &&
			     (kept->state == BV_KEPT_STAGED || kept->state == BV_KEPT_RETAINED ||
			      kept->state == BV_KEPT_FAILED),
	};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct bv__kept *)a)->name, ((const struct bv__kept *)b)->name);
}

struct listing {
	const struct bv_journal *journal;
	bv_artifact_fn fn;
	void *context;
	bool undecided_only, enough;
	enum bv_code code;
	struct bv_error *err;
};

static bool list_attempt(void *context, const struct bv_digest *attempt)
{
	static const char part[] = BV_KEPT_CHANGES "/";
	struct listing *listing = context;
	struct bv__kept_list list = {NULL, 0, 0, false};

	listing->code = bv__journal_kept(listing->journal, attempt, &list, listing->err);
	if (listing->code == BV_OK && list.count > 1)
		qsort(list.items, list.count, sizeof *list.items, by_name);
	for (size_t i = 0; listing->code == BV_OK && !listing->enough && i < list.count; i++) {
		struct shown shown;

		show(attempt, &list.items[i], &shown);
		if (strncmp(shown.artifact.name, part, sizeof part - 1) != 0 &&
		    (shown.artifact.undecided || !listing->undecided_only))
			listing->enough = !listing->fn(listing->context, &shown.artifact);
	}
	bv__kept_clear(&list);
	return listing->code == BV_OK && !listing->enough;
}

enum bv_code bv_artifacts_list(const struct bv_journal *journal, const char *attempt,
			       bv_artifact_fn fn, void *context, struct bv_error *err)
{
	struct listing listing = {.journal = journal,
				  .fn = fn,
				  .context = context,
				  .undecided_only = !attempt,
				  .err = err};
	struct bv__attempt found;
	enum bv_code code;

	if (attempt) {
		code = bv__journal_find(journal, attempt, &found, err);
		if (code == BV_OK)
			(void)list_attempt(&listing, &found.id); /* its code is looked at */
	} else {
		code = bv__journal_undecided(journal, list_attempt, &listing, err);
	}
	return code == BV_OK ? listing.code : code;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static enum bv_code fail_system(struct bv_error *err, const char *what)
{
	const int sys_errno = errno;

	(void)bv_fail(err, BV_E_SYSTEM, "artifact", "%s", what);
	if (err)
		err->sys_errno = sys_errno;
	return BV_E_SYSTEM;
}

static enum bv_code write_all(int fd, const char *data, size_t size_bytes, struct bv_error *err)
{
	while (size_bytes > 0) {
		const ssize_t wrote = write(fd, data, size_bytes);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return fail_system(err, "the bytes cannot be written");
		data += wrote;
		size_bytes -= (size_t)wrote;
	}
	return BV_OK;
}

static enum bv_code pass_on(int from, int to, struct bv_error *err)
{
	char *block = malloc(BLOCK_BYTES);
	enum bv_code code = BV_OK;

	if (!block)
		return bv_fail(err, BV_E_MEMORY, "artifact", "there is no memory to read bytes");
	while (code == BV_OK) {
		const ssize_t got = read(from, block, BLOCK_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			code = fail_system(err, "the kept bytes cannot be read");
		if (got <= 0)
			break;
		code = write_all(to, block, (size_t)got, err);
	}
	free(block);
	return code;
}

enum bv_code bv_artifacts_read(const struct bv_journal *journal, const char *attempt,
			       const char *name, int fd, struct bv_error *err)
{
	struct bv__kept_list list = {NULL, 0, 0, false};
	const struct bv__kept *kept = NULL;
	struct bv__attempt found;
	int from = -1;
	enum bv_code code = bv__journal_find(journal, attempt, &found, err);

	if (code == BV_OK && !name)
		code = bv_fail(err, BV_E_ARGUMENT, "artifact", "no artifact is named");
	if (code == BV_OK)
		code = bv__journal_kept(journal, &found.id, &list, err);
	if (code != BV_OK)
		return code;
	kept = bv__kept_find(&list, name);
	if (!kept)
		code = bv_fail_remedy(err, BV_E_ARGUMENT, "artifact",
				      "bvisor artifacts ls ATTEMPT lists them",
				      "the attempt left no artifact '%.*s'", 110, name);
	else if (kept->state == BV_KEPT_DISCARDED)
		code = bv_fail(err, BV_E_STATE, "artifact", "'%.*s' was discarded", 110, name);
	if (code == BV_OK)
		code = bv__blob_check(journal, &kept->content, kept->size_bytes, err);
	if (code == BV_OK)
		code = bv__blob_open(journal, &kept->content, &from, err);
	if (code == BV_OK)
		code = pass_on(from, fd, err);
	if (from >= 0)
		close(from);
	bv__kept_clear(&list);
	return code;
}

/* ---- Deciding -------------------------------------------------------------------------------- */

struct settling {
	const struct bv__attempt *attempt;
	bool committing;
	bv_artifact_settled_fn fn;
	void *context;
};

static void settled(void *context, const struct bv__kept *kept, enum bv_commit_durability reached,
		    const struct bv_error *error)
{
	const struct settling *settling = context;
	struct shown shown;

	(void)reached;
	show(&settling->attempt->id, kept, &shown);
	shown.artifact.state = error                  ? bv__kept_state_name(BV_KEPT_FAILED)
			       : settling->committing ? bv__kept_state_name(BV_KEPT_PROMOTED)
						      : bv__kept_state_name(BV_KEPT_DISCARDED);
	shown.artifact.undecided = error != NULL;
	settling->fn(settling->context, &shown.artifact, error);
}

enum bv_code bv_artifacts_commit(struct bv_journal *journal, const char *attempt,
				 const struct bv_artifacts_order *order, bv_artifact_settled_fn fn,
				 void *context, struct bv_error *err)
{
	static const enum bv_commit_durability durabilities[] = {
		[BV_COMMIT_AS_DURABLE] = BV_COMMIT_DURABLE,
		[BV_COMMIT_AS_ATOMIC] = BV_COMMIT_ATOMIC,
		[BV_COMMIT_AS_BEST_EFFORT] = BV_COMMIT_BEST_EFFORT,
	};
	struct bv__attempt found;
	struct settling settling = {&found, true, fn, context};
	struct bv__chosen chosen;
	struct bv__commit_order inner;
	enum bv_code code;

	if (!order || !order->directory)
		return bv_fail(err, BV_E_ARGUMENT, "directory", "no directory is named");
	code = bv__journal_find(journal, attempt, &found, err);
	if (code != BV_OK)
		return code;
	chosen = (struct bv__chosen){order->names, order->count};
	inner = (struct bv__commit_order){order->directory, durabilities[order->durability],
					  order->replace};
	return bv__dispose_commit(journal, &found, &chosen, &inner, fn ? settled : NULL, &settling,
				  err);
}

enum bv_code bv_artifacts_discard(struct bv_journal *journal, const char *attempt,
				  const char *const *names, size_t count, bv_artifact_settled_fn fn,
				  void *context, struct bv_error *err)
{
	const struct bv__chosen chosen = {names, count};
	struct bv__attempt found;
	struct settling settling = {&found, false, fn, context};
	enum bv_code code = bv__journal_find(journal, attempt, &found, err);

	return code == BV_OK ? bv__dispose_discard(journal, &found, &chosen, fn ? settled : NULL,
						   &settling, err)
			     : code;
}

enum bv_code bv_journal_sweep(struct bv_journal *journal, uint64_t *ret_files, uint64_t *ret_bytes,
			      struct bv_error *err)
{
	return bv__blobs_sweep(journal, ret_files, ret_bytes, err);
}
