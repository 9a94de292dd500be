/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_storage.c - what the boundary's own file systems held when nothing of the workload was left.
 *
 * They are held by descriptor from before the program runs, because with the boundary's mount
 * namespace they would be gone.  That of staged directories goes on to the host, which looks at the
 * changes.
 */
#include "v2.h"

#include <sys/statfs.h>
#include <unistd.h>

static uint64_t used_bytes(const struct statfs *now)
{
	return ((uint64_t)now->f_blocks - (uint64_t)now->f_bfree) * (uint64_t)now->f_bsize;
}

static uint64_t used_inodes(const struct statfs *now)
{
	return (uint64_t)now->f_files - (uint64_t)now->f_ffree;
}

/* A workload may remove even what was there before it. */
static uint64_t above(uint64_t used, uint64_t base)
{
	return used > base ? used - base : 0;
}

void launch_keep_storage(struct launch *launch, const int view[VIEW_COUNT])
{
	/* That of staged directories last. */
	static const enum boundary_view stores[] = {VIEW_TMP, VIEW_STAGE};

	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		struct launch_storage *storage = &launch->storage[launch->storage_count];
		const int fd = view[stores[i]];
		struct statfs now;

		if (fd < 0 || fstatfs(fd, &now) != 0)
			continue;
		*storage = (struct launch_storage){fd, used_bytes(&now), used_inodes(&now)};
		launch->storage_count++;
	}
}

void launch_send_storage(struct launch *launch)
{
	const bool staged = launch->work->has_root && launch->work->root.has_stage;
	struct bv_record_storage record = {0};

	if (launch->storage_count == 0)
		return;
	for (size_t i = 0; i < launch->storage_count; i++) {
		const struct launch_storage *storage = &launch->storage[i];
		struct statfs now;

		if (fstatfs(storage->fd, &now) != 0)
			return;
		record.limit_bytes += (uint64_t)now.f_blocks * (uint64_t)now.f_bsize -
				      storage->base_bytes;
		record.limit_inodes += (uint64_t)now.f_files - storage->base_inodes;
		record.used_bytes += above(used_bytes(&now), storage->base_bytes);
		record.used_inodes += above(used_inodes(&now), storage->base_inodes);
		if (now.f_bfree == 0 || now.f_ffree == 0)
			record.full = 1;
	}
	/* Of two the second is that of staged directories. */
	launch_send_fd(launch, BV_RECORD_STORAGE, &record, sizeof(record),
		       staged ? launch->storage[launch->storage_count - 1].fd : -1);
}
