/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* report_left.c - the part of a report about what the run left: artifacts, and changes in staged
 * directories. */
#include <string.h>

#include "contract/event.h"
#include "run.h"

enum { DELTA_NAMED_MAX = 10000 };

static bool put_artifacts(const struct bv_backend_run *run, struct bv_arena *arena,
			  struct bv_report_body *body)
{
	const struct bv_output *output = run->output;

	body->artifacts.items = bv_arena_array(arena, output->count, sizeof *body->artifacts.items);
	if (body->artifacts.items == NULL)
		return false;
	for (size_t i = 0; i < output->count; i++) {
		const struct bv_output_file *file = &output->files[i];
		struct bv_staged_artifact *artifact = &body->artifacts.items[body->artifacts.count];

		if (!file->kept)
			continue;
		body->artifacts.count++;
		*artifact = (struct bv_staged_artifact){
			.content_hash = file->content,
			.name = bv_str_from(file->name),
			.has_size_bytes = true,
			.size_bytes = file->size_bytes,
			.has_mode = true,
			.mode = file->mode,
		};
		bv_artifact_id(&run->options.attempt, artifact->name, &file->content,
			       &artifact->artifact_id);
	}
	return true;
}

static bool put_left_out(const struct bv_output *output, struct bv_arena *arena,
			 struct bv_report_body *body)
{
	body->left_out.items = bv_arena_array(arena, output->left_count,
					      sizeof *body->left_out.items);
	if (body->left_out.items == NULL)
		return false;
	for (size_t i = 0; i < output->left_count; i++)
		body->left_out.items[i] = (struct bv_left_out){.name = bv_str_from(
								       output->left[i].name),
							       .cause = output->left[i].cause};
	body->left_out.count = output->left_count;
	body->has_left_out = output->left_count != 0;
	body->has_left_out_more = output->left_more != 0;
	body->left_out_more = output->left_more;
	return true;
}

/* ---- changes ----------------------------------------------------------------------------------- */

static bool put_change(const struct bv_stage *stage, uint32_t index, struct bv_arena *arena,
		       struct bv_delta_entry *ret_entry)
{
	const struct bv_stage_node *node = &stage->nodes[index];
	char path[2 * BV_STAGE_PATH_SIZE];

	bv__stage_host_path(stage, index, path);
	*ret_entry = (struct bv_delta_entry){
		.kind = bv__stage_delta_kind(node),
		.type = bv__stage_delta_type(node),
		.path = bv_arena_utf8(arena, bv_str_from(path)),
		.mode = node->mode,
		.size_bytes = node->size_bytes,
		/* Of a directory it is no content. */
		.has_content_hash = stage->contents[index].known &&
				    node->type != BV_STAGE_DIRECTORY,
		.content_hash = stage->contents[index].digest,
	};
	return ret_entry->path.data != NULL;
}

static bool put_delta(const struct bv_stage *stage, struct bv_arena *arena,
		      struct bv_report_body *body)
{
	const size_t count = stage->change_count < DELTA_NAMED_MAX ? stage->change_count
								   : DELTA_NAMED_MAX;

	body->delta.items = bv_arena_array(arena, count, sizeof *body->delta.items);
	if (body->delta.items == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!put_change(stage, stage->changes[i], arena, &body->delta.items[i]))
			return false;
	}
	body->has_delta = true;
	body->delta.count = count;
	body->has_delta_more = stage->change_count > count;
	body->delta_more = stage->change_count - count;
	return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

void bv__run_collect(struct bv_backend_run *run)
{
	const bool delta = run->plan->has_execution && run->plan->execution.has_delta &&
			   run->plan->execution.delta;

	/* A program that never ran left nothing; one whose launcher was killed took it along. */
	if (!run->has_exec)
		return;
	if (run->output != NULL && run->output_error.code == BV_OK) {
		if (run->lowered.output.staged && run->stage_error.code != BV_OK)
			run->output_error = run->stage_error;
		else
			(void)bv__output_collect(run->output, &run->lowered, run->stage,
						 &run->options, &run->output_error);
	}
	if (delta && run->stage != NULL && run->stage_error.code == BV_OK)
		(void)bv__stage_digest(run->stage, &run->stage_error);
}

bool bv__run_report_left(const struct bv_backend_run *run, struct bv_arena *arena,
			 struct bv_report_body *body)
{
	if (run->output != NULL && run->output_error.code == BV_OK &&
	    (!put_artifacts(run, arena, body) || !put_left_out(run->output, arena, body)))
		return false;
	return run->stage == NULL || run->stage->contents == NULL ||
	       put_delta(run->stage, arena, body);
}
