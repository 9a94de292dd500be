/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * fd_readdir.
 *
 * A cookie is what the file system itself says of an entry's place (d_off), so it holds as long as the
 * directory does, however many entries it has and whatever is removed meanwhile.  The block of entries
 * last read is kept: a guest whose buffer ended in the middle of one goes on there without a seek,
 * which before Linux 6.6 counts wrongly on tmpfs once something was removed.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/sys.h"

/* Holds the longest entry sixteen times; one for each directory that is being read. */
enum { BLOCK_BYTES = 4608, HEADER_BYTES = 19, CHARGE_SHIFT = 2 };

/* An entry of getdents64: inode and cookie of 8 bytes, length of 2, type of 1, name. */
struct dirent_view {
	uint64_t ino;
	uint64_t cookie;
	uint16_t size_bytes;
	unsigned char type;
	const char *name;
};

void wasi_listing_clear(struct wasi_listing *listing)
{
	if (listing->fd >= 0)
		(void)close(listing->fd); /* only read from */
	free(listing->block);
	*listing = (struct wasi_listing){.fd = -1};
}

/* The entry at `at`, of the kernel's own making. */
static struct dirent_view view(const struct wasi_listing *listing, size_t at)
{
	const uint8_t *from = listing->block + at;
	struct dirent_view ret = {.type = from[18], .name = (const char *)from + HEADER_BYTES};

	memcpy(&ret.ino, from, sizeof(ret.ino));
	memcpy(&ret.cookie, from + 8, sizeof(ret.cookie));
	memcpy(&ret.size_bytes, from + 16, sizeof(ret.size_bytes));
	bv_assert(ret.size_bytes > HEADER_BYTES && ret.size_bytes <= listing->block_bytes - at);
	return ret;
}

/* Opens it and goes to `cookie`: *ret_at is where in the block, at its end if the next has to be read. */
static uint32_t go_to(struct wasi_listing *listing, int dir_fd, uint64_t cookie, size_t *ret_at)
{
	size_t at = 0;

	if (cookie > INT64_MAX)
		return WASI_EINVAL;
	if (listing->fd < 0)
		listing->fd = wasi_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY);
	if (listing->fd < 0)
		return wasi_errno_from(errno);
	if (!listing->block)
		listing->block = malloc(BLOCK_BYTES);
	if (!listing->block)
		return WASI_ENOMEM;
	*ret_at = 0;
	/* From the beginning everything is looked at anew. */
	if (cookie != 0 && listing->block_bytes > 0 && cookie == listing->block_cookie)
		return WASI_SUCCESS;
	while (cookie != 0 && at < listing->block_bytes) {
		const struct dirent_view entry = view(listing, at);

		at += entry.size_bytes;
		*ret_at = at;
		if (entry.cookie == cookie)
			return WASI_SUCCESS;
	}
	if (lseek(listing->fd, (off_t)cookie, SEEK_SET) < 0)
		return wasi_errno_from(errno);
	listing->block_bytes = 0;
	listing->block_cookie = cookie;
	*ret_at = 0;
	return WASI_SUCCESS;
}

/* The next block, behind the present one; at the end of the directory it is empty. */
static uint32_t read_block(struct wasi_listing *listing, uint64_t cookie)
{
	const ssize_t got = bv_sys_getdents64(listing->fd, listing->block, BLOCK_BYTES);

	listing->block_bytes = got > 0 ? (size_t)got : 0;
	listing->block_cookie = cookie;
	return got < 0 ? wasi_errno_from(errno) : WASI_SUCCESS;
}

static uint8_t filetype(const struct wasi_entry *dir, const struct dirent_view *entry)
{
	struct stat file;

	/* DT_ is S_IF shifted; 0 where the file system does not say. */
	if (entry->type)
		return wasi_filetype((mode_t)entry->type << 12);
	if (fstatat(dir->fd, entry->name, &file, AT_SYMLINK_NOFOLLOW) != 0)
		return WASI_FILETYPE_UNKNOWN;
	return wasi_filetype(file.st_mode);
}

/* As much of an entry as there is room for; returns how much. */
static size_t put_entry(const struct wasi_entry *dir, const struct dirent_view *entry, uint8_t *to,
			size_t room)
{
	const size_t name_bytes = strlen(entry->name);
	const size_t head_bytes = room < WASI_SIZE_DIRENT ? room : WASI_SIZE_DIRENT;
	const size_t rest = room - head_bytes;
	const size_t tail_bytes = rest < name_bytes ? rest : name_bytes;
	uint8_t head[WASI_SIZE_DIRENT] = {0};

	wasi_put64(head, entry->cookie);
	/* What lies above a directory is not the guest's to know, not by its number either. */
	wasi_put64(head + 8, strcmp(entry->name, "..") == 0 ? (uint64_t)dir->ino : entry->ino);
	wasi_put32(head + 16, (uint32_t)name_bytes);
	head[20] = filetype(dir, entry);
	memcpy(to, head, head_bytes);
	memcpy(to + head_bytes, entry->name, tail_bytes);
	return head_bytes + tail_bytes;
}

/* Fills `to`: less than all of it only at the end of the directory. */
static uint32_t list(struct wasi_call *call, struct wasi_entry *dir, uint64_t cookie, uint8_t *to,
		     size_t size_bytes, size_t *ret_bytes)
{
	struct wasi_listing *listing = &dir->listing;
	size_t at = 0, used = 0;
	uint32_t error = go_to(listing, dir->fd, cookie, &at);

	while (!error && used < size_bytes) {
		struct dirent_view entry;

		if (at == listing->block_bytes) {
			error = wasi_expired(call) ? WASI_EINTR : read_block(listing, cookie);
			if (error || listing->block_bytes == 0)
				break;
			at = 0;
		}
		entry = view(listing, at);
		at += entry.size_bytes;
		cookie = entry.cookie;
		used += put_entry(dir, &entry, to + used, size_bytes - used);
	}
	*ret_bytes = used;
	return error;
}

uint32_t wasi_fd_readdir(struct wasi_call *call)
{
	const uint32_t size_bytes = wasi_arg32(call, 2);
	const uint32_t result = wasi_arg32(call, 4);
	struct wasi_entry *dir;
	uint8_t *to, *room;
	size_t used;
	uint32_t error = wasi_directory_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_READDIR,
					    WASI_ACCESS_READ, NULL, &dir);

	if (error)
		return error;
	if (!wasi_range(call, wasi_arg32(call, 1), size_bytes, &to) ||
	    !wasi_range(call, result, 4, &room))
		return WASI_EFAULT;
	error = list(call, dir, wasi_arg64(call, 3), to, size_bytes, &used);
	if (error)
		return error;
	call->charge += used >> CHARGE_SHIFT;
	return wasi_store32(call, result, (uint32_t)used);
}
