/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lower_growth.c - which places of the host the workload may write to, and what they held before.
 *
 * Asked only under a limit on storage: the launcher then looks at what these places grow by.
 */
#include "lower.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "contract/policy.h"
#include "usage.h"

#define WHERE "budgets.storage_bytes"

struct growth {
	struct bv_lowering_state *state;
	struct bv_launch_storage *storage;
	int *fds; /* of the places */
	struct bv_usage_walk walk;
};

/* What may be written to and is the host's own. */
static bool is_place(const struct bv_grant *grant)
{
	return (grant->effective & BV_RIGHT_WRITE) != 0 &&
	       (S_ISDIR(grant->seen.mode) || S_ISREG(grant->seen.mode));
}

/* What lies in another place is looked at with it. */
static bool is_inside(const struct bv_grants *grants, size_t index)
{
	const struct bv_str path = grants->items[index].seen.path;

	for (size_t i = 0; i < grants->count; i++) {
		const struct bv_str other = grants->items[i].seen.path;

		if (i != index && is_place(&grants->items[i]) && bv_path_covers(other, path) &&
		    (i < index || !bv_str_equal(other, path)))
			return true;
	}
	return false;
}

static enum bv_code open_place(struct growth *growth, const struct bv_seen *place)
{
	struct bv_launch_place_list *places = &growth->storage->places;
	const int fd = openat(AT_FDCWD, place->path.data, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat seen;

	if (fd >= 0)
		growth->fds[places->count] = fd;
	if (fd < 0 || fstat(fd, &seen) != 0 || (uint64_t)seen.st_dev != place->device ||
	    (uint64_t)seen.st_ino != place->inode) {
		if (fd >= 0)
			close(fd);
		return bv_fail_remedy(growth->state->err, BV_E_INVALID_POLICY, WHERE,
				      "run it again, or grant something else",
				      "'%.*s' was exchanged while it was looked at",
				      (int)(place->path.len < 120 ? place->path.len : 120),
				      place->path.data);
	}
	places->items[places->count++] = (struct bv_launch_place){place->path, place->device,
								  place->inode};
	return BV_OK;
}

static enum bv_code open_places(struct growth *growth)
{
	const struct bv_lowering_state *state = growth->state;
	const struct bv_grants *grants = &state->grants;
	enum bv_code code = BV_OK;

	/* What is staged is written elsewhere. */
	if (state->out->layers.namespaces && bv__lower_stages(state))
		return BV_OK;
	for (size_t i = 0; code == BV_OK && i < grants->count; i++) {
		if (is_place(&grants->items[i]) && !is_inside(grants, i))
			code = open_place(growth, &grants->items[i].seen);
	}
	return code;
}

/* Files that are written by descriptor, wherever they lie. */
static bool add_inherited(struct growth *growth)
{
	const struct bv_u32_list *inherited = &growth->state->out->body.work.exec.fds;
	struct bv_u32_list *fds = &growth->storage->fds;

	for (size_t i = 0; i < inherited->count; i++) {
		const int flags = fcntl((int)inherited->items[i], F_GETFL);
		struct stat seen;

		if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY ||
		    fstat((int)inherited->items[i], &seen) != 0 || !S_ISREG(seen.st_mode))
			continue;
		if (bv__usage_add(&growth->walk, &seen) == BV_USAGE_NO_MEMORY)
			return false;
		fds->items[fds->count++] = inherited->items[i];
	}
	return true;
}

/* All that the file systems of the places can hold; UINT64_MAX where one does not say. */
static uint64_t capacity_of(const struct growth *growth)
{
	const struct bv_launch_place_list *places = &growth->storage->places;
	uint64_t sum = 0;

	for (size_t i = 0; i < places->count; i++) {
		struct statfs seen;
		uint64_t bytes;
		bool known = false;

		for (size_t k = 0; k < i && !known; k++)
			known = places->items[k].device == places->items[i].device;
		if (known)
			continue;
		if (fstatfs(growth->fds[i], &seen) != 0 || seen.f_blocks == 0 ||
		    !bv_mul((uint64_t)seen.f_blocks, (uint64_t)seen.f_bsize, &bytes) ||
		    !bv_add(sum, bytes, &sum))
			return UINT64_MAX;
	}
	return sum;
}

static enum bv_code measure(struct growth *growth)
{
	struct bv_launch_storage *storage = growth->storage;
	const struct bv_usage_sum *found = &growth->walk.found;
	const uint64_t most = capacity_of(growth);

	if (storage->places.count > 0 && storage->limit_bytes > most)
		return bv_fail_remedy(
			growth->state->err, BV_E_BUDGET_REFUSED, WHERE,
			"lower the limit, or leave it out",
			"a limit of %llu is above %llu, all that the file systems of what is granted can hold",
			(unsigned long long)storage->limit_bytes, (unsigned long long)most);
	if (!add_inherited(growth) || bv__usage_step(&growth->walk, UINT64_MAX) != BV_USAGE_WHOLE)
		return bv_fail(growth->state->err, BV_E_MEMORY, WHERE,
			       "no memory to look at what is granted for writing");
	if (found->unseen > 0)
		return bv_fail_remedy(
			growth->state->err, BV_E_UNSUPPORTED, WHERE,
			"make it readable, stage what is granted (--stage), or leave the limit out",
			"what is granted for writing cannot be looked at, so its growth cannot be limited: %s",
			growth->walk.unseen);
	storage->base_bytes = found->bytes;
	storage->base_inodes = found->inodes;
	growth->state->longest_file = found->longest_bytes;
	if (storage->places.count + storage->fds.count > 0)
		bv__lower_observe(
			growth->state, "storage_places",
			"%zu, and %zu descriptors, of the host: %llu bytes in %llu inodes before the run",
			storage->places.count, storage->fds.count,
			(unsigned long long)storage->base_bytes,
			(unsigned long long)storage->base_inodes);
	return BV_OK;
}

enum bv_code bv__lower_growth(struct bv_lowering_state *state)
{
	struct bv_launch_limits *limits = &state->out->body.work.limits;
	struct growth growth = {.state = state, .storage = &limits->storage};
	struct bv_launch_storage *storage = growth.storage;
	enum bv_code code;

	if (!state->plan->budgets.has_storage_bytes)
		return BV_OK;
	limits->has_storage = true;
	storage->limit_bytes = state->plan->budgets.storage_bytes.effective_limit;
	storage->limit_inodes = bv__storage_inodes(storage->limit_bytes);
	storage->places.items = bv_arena_array(state->arena, state->grants.count + 1,
					       sizeof(*storage->places.items));
	storage->fds.items = bv_arena_array(state->arena, state->out->body.work.exec.fds.count + 1,
					    sizeof(*storage->fds.items));
	growth.fds = bv_arena_array(state->arena, state->grants.count + 1, sizeof(*growth.fds));
	if (storage->places.items == NULL || storage->fds.items == NULL || growth.fds == NULL)
		return bv_fail(state->err, BV_E_MEMORY, WHERE, "no memory for the limit");
	code = open_places(&growth);
	bv__usage_init(&growth.walk, growth.fds, storage->places.count);
	if (code == BV_OK)
		code = measure(&growth);
	bv__usage_clear(&growth.walk);
	for (size_t i = 0; i < storage->places.count; i++)
		close(growth.fds[i]);
	return code;
}
