/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What was written to staged directories: listed, committed or forgotten. */
#include "api.h"

#include <stdlib.h>

#include "linux/stage.h"

struct bv_changes {
	struct bv_stage *stage;
	char path[2 * BV_STAGE_PATH_SIZE];
};

struct bv_changes *bv__changes_new(struct bv_stage *stage)
{
	struct bv_changes *changes = calloc(1, sizeof *changes);

	if (changes)
		changes->stage = stage;
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
	free(changes);
}

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

enum bv_code bv_changes_commit(struct bv_changes *changes, struct bv_error *err)
{
	if (!changes)
		return bv_fail(err, BV_E_ARGUMENT, "", "there are no changes to commit");
	return bv__stage_commit(changes->stage, err);
}
