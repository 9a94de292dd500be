/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is stored below the preopened directories.
 *
 * Counted is by how much files have grown in what they occupy, by the blocks the kernel tells of before
 * and after a call: so a hole costs nothing until it is filled, in a file that was there before too,
 * and what is cut off or removed is given back, though never below nothing.  Where blocks do not make up
 * the length, because a file system allocates long after a write (ZFS, some over a network), or for
 * holes, the length counts too, as far as it was written.  Blocks are only known afterwards, so before a call it is the length
 * that must fit; what is used can pass the limit by what one call rounds up to blocks.
 */
#include "internal.h"

enum { BLOCK_BYTES = 512 }; /* what st_blocks counts, whatever the file system uses */

static uint64_t occupied(const struct stat *file)
{
	return (uint64_t)file->st_blocks * BLOCK_BYTES;
}

uint32_t wasi_storage_check(struct wasi *wasi, const struct stat *before, uint64_t end,
			    uint64_t size_bytes)
{
	const uint64_t limit = wasi->limits.storage_bytes;
	const uint64_t used = wasi->seen.storage_bytes;
	const uint64_t room = used < limit ? limit - used : 0;
	const uint64_t size = (uint64_t)before->st_size;
	const uint64_t longer = end > size ? end - size : 0;

	if (limit == WASI_UNLIMITED || (longer > size_bytes ? longer : size_bytes) <= room)
		return WASI_SUCCESS;
	wasi->seen.storage_reached = true;
	return WASI_ENOSPC;
}

static void give_back(struct wasi *wasi, uint64_t size_bytes)
{
	const uint64_t used = wasi->seen.storage_bytes;

	wasi->seen.storage_bytes = used > size_bytes ? used - size_bytes : 0;
}

void wasi_storage_changed(struct wasi *wasi, const struct stat *before, const struct stat *after,
			  uint64_t written_bytes)
{
	const uint64_t then = occupied(before);
	const uint64_t now = occupied(after);
	uint64_t grown = 0;

	if (after->st_size > before->st_size && now < (uint64_t)after->st_size)
		grown = (uint64_t)(after->st_size - before->st_size);
	if (grown > written_bytes)
		grown = written_bytes;
	if (now > then && now - then > grown)
		grown = now - then;
	if (now < then)
		give_back(wasi, then - now);
	wasi->seen.storage_bytes += grown;
	if (wasi->seen.storage_bytes > wasi->seen.storage_peak_bytes)
		wasi->seen.storage_peak_bytes = wasi->seen.storage_bytes;
}

uint32_t wasi_made_check(struct wasi *wasi)
{
	if (wasi->seen.entries < wasi->limits.entries)
		return WASI_SUCCESS;
	wasi->seen.entries_reached = true;
	return WASI_ENOSPC;
}

void wasi_made(struct wasi *wasi)
{
	wasi->seen.entries++;
}

static bool is_open(const struct wasi *wasi, const struct stat *what)
{
	for (uint32_t i = 0; i < wasi->entry_count; i++) {
		const struct wasi_entry *entry = &wasi->entries[i];

		if (entry->kind == WASI_KIND_FILE && entry->dev == what->st_dev &&
		    entry->ino == what->st_ino)
			return true;
	}
	return false;
}

void wasi_removed(struct wasi *wasi, const struct stat *what)
{
	if (wasi->seen.entries > 0)
		wasi->seen.entries--;
	if (S_ISREG(what->st_mode) && what->st_nlink == 1 && !is_open(wasi, what))
		give_back(wasi, occupied(what));
}

void wasi_closed(struct wasi *wasi, const struct stat *what)
{
	if (what->st_nlink == 0 && !is_open(wasi, what))
		give_back(wasi, occupied(what));
}
