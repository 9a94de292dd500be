/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lower_own.c - keeps what bvisor itself believes or keeps out of every workload's reach.
 */
#include "lower.h"

#include "contract/policy.h"
#include "probe.h"
#include "resolve.h"

/*
 * What bvisor remembers of this machine is believed by later runs, so no workload may write it, even
 * where the directory above it is granted.
 */
static void deny_own_memory(struct bv_lowering_state *state)
{
	struct bv_seen seen;
	char path[PATH_MAX];

	if (bv__probe_directory(path) &&
	    bv__resolve(state->arena, bv_arena_copy(state->arena, bv_str_from(path)), NULL,
			&seen) == 0)
		state->denied[state->denied_count++] = seen.path;
}

/* What the caller keeps about runs: the same holds for it. */
static void deny_own_files(struct bv_lowering_state *state)
{
	for (size_t i = 0; i < state->options->own_file_count; i++) {
		struct bv_seen seen;

		if (bv__resolve(state->arena, state->options->own_files[i], NULL, &seen) == 0)
			state->denied[state->denied_count++] = seen.path;
	}
}

/*
 * Without namespaces nothing below a granted root can be covered, so such a root is not granted.  A
 * root caller's workload is another user, whom the files' own mode keeps out.
 */
enum bv_code bv__lower_keep_own(struct bv_lowering_state *state)
{
	if (state->out->layers.namespaces || state->out->layers.root)
		return BV_OK;
	for (size_t i = 0; i < state->options->own_file_count; i++) {
		struct bv_seen seen;

		if (bv__resolve(state->arena, state->options->own_files[i], NULL, &seen) != 0)
			continue;
		for (size_t j = 0; j < state->grants.count; j++) {
			const struct bv_str root = state->grants.items[j].seen.path;

			if (bv_path_covers(root, seen.path))
				return bv_fail_remedy(
					state->err, BV_E_UNSUPPORTED, "journal",
					"keep it elsewhere with --journal PATH, do without with --journal none, or grant less",
					"without namespaces the journal cannot be kept from a program that is granted '%.*s'",
					(int)(root.len < 100 ? root.len : 100), root.data);
		}
	}
	return BV_OK;
}

void bv__lower_deny_own(struct bv_lowering_state *state)
{
	deny_own_memory(state);
	deny_own_files(state);
}
