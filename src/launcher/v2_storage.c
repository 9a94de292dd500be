/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_storage.c - what the boundary's own file systems hold, from before the program runs until nothing of
 * the workload is left, and the limit on storage.
 *
 * The file systems are held by descriptor, because with the boundary's mount namespace they would be gone.
 * That of staged directories goes on to the host, which looks at the changes.  The kernel keeps each
 * of them to its size, so of these it is only told how full they were.
 */
#include "storage.h"

#include <errno.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "contract/backend.h"
#include "contract/base.h"

enum { INTERVAL_NS = 5000000, STORES_MAX = 2 };

/* A file system of the boundary's own, as it was before the program ran. */
struct store {
	int fd;
	uint32_t full; /* enum bv_storage_full */
	uint64_t base_bytes, base_inodes;
};

struct storage {
	struct store stores[STORES_MAX];
	size_t store_count;
	const struct bv_launch_storage *asked; /* NULL: no limit */
	struct growth *growth;                 /* NULL: nothing of the host is written to */
	uint64_t look_at;                      /* by launch_now_ns; 0: never */
	struct bv_record_storage record;
};

/* A workload may remove even what was there before it. */
static uint64_t above(uint64_t used, uint64_t base)
{
	return used > base ? used - base : 0;
}

static void raise_to(uint64_t *peak, uint64_t value)
{
	if (value > *peak)
		*peak = value;
}

static uint64_t used_bytes(const struct statfs *now)
{
	return ((uint64_t)now->f_blocks - (uint64_t)now->f_bfree) * (uint64_t)now->f_bsize;
}

static uint64_t used_inodes(const struct statfs *now)
{
	return (uint64_t)now->f_files - (uint64_t)now->f_ffree;
}

int launch_storage_prepare(struct launch *launch)
{
	struct storage *storage = bv_arena_alloc(launch->arena, sizeof(*storage));

	if (storage == NULL) {
		errno = ENOMEM;
		return -1;
	}
	*storage = (struct storage){.asked = NULL};
	launch->storage = storage;
	if (!launch->work->has_limits || !launch->work->limits.has_storage)
		return 0;
	storage->asked = &launch->work->limits.storage;
	if (storage->asked->places.count + storage->asked->fds.count == 0)
		return 0;
	storage->growth = growth_new(launch->arena, storage->asked);
	return storage->growth != NULL ? 0 : -1;
}

bool launch_storage_is_sampled(const struct launch *launch)
{
	return launch->storage->growth != NULL;
}

void launch_keep_storage(struct launch *launch, const int view[VIEW_COUNT])
{
	/* That of staged directories last. */
	static const struct {
		enum boundary_view view;
		uint32_t full;
	} stores[STORES_MAX] = {
		{VIEW_TMP, BV_STORAGE_TMP_FULL},
		{VIEW_STAGE, BV_STORAGE_STAGE_FULL},
	};
	struct storage *storage = launch->storage;

	for (size_t i = 0; i < STORES_MAX; i++) {
		const int fd = view[stores[i].view];
		struct statfs now;

		if (fd < 0 || fstatfs(fd, &now) != 0)
			continue;
		storage->stores[storage->store_count++] = (struct store){fd, stores[i].full,
									 used_bytes(&now),
									 used_inodes(&now)};
	}
}

/* What the boundary's own file systems hold now. */
static struct growth_sum look_at_stores(struct storage *storage)
{
	struct bv_record_storage *record = &storage->record;
	struct growth_sum sum = {0, 0};

	record->limit_bytes = record->limit_inodes = 0;
	for (size_t i = 0; i < storage->store_count; i++) {
		const struct store *store = &storage->stores[i];
		struct statfs now;

		if (fstatfs(store->fd, &now) != 0)
			continue;
		record->limit_bytes += (uint64_t)now.f_blocks * (uint64_t)now.f_bsize -
				       store->base_bytes;
		record->limit_inodes += (uint64_t)now.f_files - store->base_inodes;
		sum.bytes += above(used_bytes(&now), store->base_bytes);
		sum.inodes += above(used_inodes(&now), store->base_inodes);
		if (now.f_bfree == 0 || now.f_ffree == 0)
			record->full |= store->full;
	}
	record->used_bytes = sum.bytes;
	record->used_inodes = sum.inodes;
	return sum;
}

static void raise_peak(struct storage *storage, struct growth_sum own)
{
	struct growth_sum grown = {0, 0};

	if (storage->growth != NULL)
		grown = growth_known(storage->growth);
	raise_to(&storage->record.peak_bytes, own.bytes + grown.bytes);
	raise_to(&storage->record.peak_inodes, own.inodes + grown.inodes);
}

void launch_storage_look(struct launch *launch)
{
	raise_peak(launch->storage, look_at_stores(launch->storage));
}

void launch_storage_start(struct launch *launch)
{
	struct storage *storage = launch->storage;

	if (storage->asked == NULL || (storage->store_count == 0 && storage->growth == NULL))
		return;
	storage->look_at = launch->exec_ns + INTERVAL_NS;
	if (storage->growth != NULL)
		growth_start(storage->growth, launch->exec_ns);
}

uint64_t launch_storage_at(const struct launch *launch)
{
	return launch->storage->look_at;
}

bool launch_storage_step(struct launch *launch, uint64_t now)
{
	struct storage *storage = launch->storage;
	struct growth_sum own;
	enum growth_verdict verdict;

	if (storage->look_at == 0 || now < storage->look_at)
		return true;
	own = look_at_stores(storage);
	storage->look_at = now + INTERVAL_NS;
	if (storage->growth == NULL) {
		raise_peak(storage, own);
		return true;
	}
	verdict = growth_step(storage->growth, launch, own);
	if (verdict == GROWTH_BLIND)
		return false;
	if (verdict == GROWTH_GOES_ON)
		storage->look_at = now;
	raise_peak(storage, own);
	storage->record.hidden = verdict == GROWTH_HIDDEN;
	if (verdict == GROWTH_OVER || verdict == GROWTH_HIDDEN)
		launch_reach(launch, BV_DIMENSION_STORAGE, storage->record.peak_bytes);
	return true;
}

void launch_send_storage(struct launch *launch)
{
	const bool staged = launch->work->has_root && launch->work->root.has_stage;
	struct storage *storage = launch->storage;

	if (storage->store_count == 0 && storage->asked == NULL)
		return;
	if (storage->growth != NULL)
		growth_finish(storage->growth, launch->killed, &storage->record);
	raise_peak(storage, look_at_stores(storage));
	/* Of two the second is that of staged directories. */
	launch_send_fd(launch, BV_RECORD_STORAGE, &storage->record, sizeof(storage->record),
		       staged && storage->store_count > 0
			       ? storage->stores[storage->store_count - 1].fd
			       : -1);
}
