/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* lower_output.c - which directory of the host, or of what is staged, the run's artifacts are in. */
#include <sys/stat.h>

#include "contract/policy.h"
#include "lower.h"

enum { DEFAULT_LIMIT_BYTES = 1 << 30 };

static enum bv_code refuse(struct bv_lowering_state *state, struct bv_str path, const char *why,
			   const char *remedy)
{
	return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "execution.output_dir", remedy,
			      "no artifacts can be left in '%.*s': %s",
			      (int)(path.len < 100 ? path.len : 100), path.data, why);
}

/* What is behind `above` of `path`, which it covers. */
static struct bv_str rest_of(struct bv_str above, struct bv_str path)
{
	size_t skipped = above.len;

	while (skipped < path.len && path.data[skipped] == '/')
		skipped++;
	return skipped < path.len ? (struct bv_str){path.data + skipped, path.len - skipped}
				  : BV_STR(".");
}

/* The nearest mount that is staged. */
static bool find_staged(const struct bv_launch_root *root, struct bv_str path, uint32_t *ret_mount)
{
	bool found = false;

	for (size_t i = 0; i < root->mounts.count; i++) {
		const struct bv_launch_mount *mount = &root->mounts.items[i];

		/* Parents come first. */
		if (mount->has_staged && mount->staged && bv_path_covers(mount->dest, path)) {
			*ret_mount = (uint32_t)i;
			found = true;
		}
	}
	return found;
}

enum bv_code bv__lower_output(struct bv_lowering_state *state)
{
	struct bv_lowered_output *output = &state->out->output;
	const struct bv_launch_root *root = &state->out->body.work.root;
	struct bv_str path = state->execution->output_dir;
	const struct bv_grant *grant;
	struct bv_seen seen;

	if (!state->execution->has_output_dir)
		return BV_OK;
	grant = bv__grants_cover(&state->grants, path);
	/* Written by way of a link of the host's. */
	if (grant == NULL && bv__resolve(state->arena, path, NULL, &seen) == 0) {
		path = seen.path;
		grant = bv__grants_cover(&state->grants, path);
	}
	if (grant == NULL || (grant->effective & BV_RIGHT_WRITE) == 0)
		return refuse(state, path, "the program may not write there",
			      "grant it, or a directory above it, with --write");
	if ((grant->seen.mode & S_IFMT) != S_IFDIR)
		return refuse(state, path, "it is a file", "name a directory");
	*output = (struct bv_lowered_output){
		.path = bv_arena_copy(state->arena, rest_of(grant->dest, path)),
		.root = grant->seen,
		.staged = bv__lower_stages(state),
		.limit_bytes = state->execution->has_output_dir_limit_bytes
				       ? state->execution->output_dir_limit_bytes
				       : DEFAULT_LIMIT_BYTES,
	};
	if (output->path.data == NULL)
		return bv_fail(state->err, BV_E_MEMORY, "execution.output_dir",
			       "no memory for a path");
	if (!output->staged)
		return BV_OK;
	if (!find_staged(root, path, &output->mount))
		return refuse(state, path, "it is not in a staged directory",
			      "name one that is granted for writing");
	output->path = bv_arena_copy(state->arena,
				     rest_of(root->mounts.items[output->mount].dest, path));
	return output->path.data != NULL ? BV_OK
					 : bv_fail(state->err, BV_E_MEMORY, "execution.output_dir",
						   "no memory for a path");
}
