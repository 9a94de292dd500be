/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The guest's descriptors: what each is, and what may be done with it. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the table --------------------------------------------------------------------------------- */

static struct wasi_entry *find(const struct wasi *wasi, uint32_t fd)
{
	if (fd >= wasi->entry_count || wasi->entries[fd].kind == WASI_KIND_FREE)
		return NULL;
	return &wasi->entries[fd];
}

static uint32_t check(struct wasi_call *call, const struct wasi_entry *entry, uint64_t rights,
		      unsigned int access, const char *path)
{
	/* First: what lacks is then known to be the boundary's doing, whatever rights the guest kept. */
	if (access & WASI_ACCESS_WRITE & ~entry->access) {
		wasi_denied(call, WASI_DENIED_WRITE, entry, path);
		return WASI_EROFS;
	}
	if (access & WASI_ACCESS_READ & ~entry->access) {
		wasi_denied(call, WASI_DENIED_READ, entry, path);
		return WASI_EACCES;
	}
	return (rights & ~entry->rights) == 0 ? WASI_SUCCESS : WASI_ENOTCAPABLE;
}

uint32_t wasi_entry_get(struct wasi_call *call, uint32_t fd, uint64_t rights, unsigned int access,
			struct wasi_entry **ret)
{
	*ret = find(call->wasi, fd);
	return *ret ? check(call, *ret, rights, access, NULL) : WASI_EBADF;
}

uint32_t wasi_directory_get(struct wasi_call *call, uint32_t fd, uint64_t rights,
			    unsigned int access, const char *path, struct wasi_entry **ret)
{
	*ret = find(call->wasi, fd);
	if (!*ret)
		return WASI_EBADF;
	if ((*ret)->kind != WASI_KIND_DIRECTORY)
		return WASI_ENOTDIR;
	return check(call, *ret, rights, access, path);
}

uint32_t wasi_entry_new(struct wasi *wasi, uint32_t *ret_fd, struct wasi_entry **ret)
{
	uint32_t fd = 0;

	while (fd < wasi->limits.handles && fd < wasi->entry_count &&
	       wasi->entries[fd].kind != WASI_KIND_FREE)
		fd++;
	if (fd >= wasi->limits.handles) {
		wasi->seen.handles_reached = true;
		return WASI_EMFILE;
	}
	wasi->entries[fd] = (struct wasi_entry){.fd = -1, .listing = {.fd = -1}};
	*ret_fd = fd;
	*ret = &wasi->entries[fd];
	return WASI_SUCCESS;
}

void wasi_entry_added(struct wasi *wasi, uint32_t fd)
{
	if (fd >= wasi->entry_count)
		wasi->entry_count = fd + 1;
	wasi->open_count++;
	if (wasi->open_count > wasi->seen.handles_peak)
		wasi->seen.handles_peak = wasi->open_count;
}

void wasi_entry_clear(struct wasi *wasi, struct wasi_entry *entry)
{
	struct stat file;
	const bool is_file = entry->kind == WASI_KIND_FILE && fstat(entry->fd, &file) == 0;

	wasi_listing_clear(&entry->listing);
	/* What a file system has to say at the end it says to fd_sync; the descriptor is gone anyway. */
	if (entry->owned)
		(void)close(entry->fd);
	free(entry->path);
	*entry = (struct wasi_entry){.fd = -1, .listing = {.fd = -1}};
	wasi->open_count--;
	if (is_file)
		wasi_closed(wasi, &file);
}

/* ---- functions --------------------------------------------------------------------------------- */

uint32_t wasi_fd_close(struct wasi_call *call)
{
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &entry);

	if (!error)
		wasi_entry_clear(call->wasi, entry);
	return error;
}

uint32_t wasi_fd_renumber(struct wasi_call *call)
{
	struct wasi_entry *from, *to;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &from);

	/* Only onto an open one, as the standard has it: a guest cannot pick numbers. */
	if (!error)
		error = wasi_entry_get(call, wasi_arg32(call, 1), 0, 0, &to);
	if (error || from == to)
		return error;
	wasi_entry_clear(call->wasi, to);
	*to = *from;
	*from = (struct wasi_entry){.fd = -1, .listing = {.fd = -1}};
	return WASI_SUCCESS;
}

static uint8_t filetype_of(const struct wasi *wasi, const struct wasi_entry *entry)
{
	if (entry->kind == WASI_KIND_STREAM)
		return wasi->streams[entry->stream].filetype;
	return entry->kind == WASI_KIND_FILE ? WASI_FILETYPE_REGULAR_FILE : WASI_FILETYPE_DIRECTORY;
}

uint32_t wasi_fd_fdstat_get(struct wasi_call *call)
{
	struct wasi_entry *entry;
	uint8_t *to;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &entry);

	if (error)
		return error;
	if (!wasi_range(call, wasi_arg32(call, 1), WASI_SIZE_FDSTAT, &to))
		return WASI_EFAULT;
	memset(to, 0, WASI_SIZE_FDSTAT);
	to[0] = filetype_of(call->wasi, entry);
	wasi_put16(to + 2, entry->flags);
	wasi_put64(to + 8, entry->rights);
	wasi_put64(to + 16, entry->rights_inheriting);
	return WASI_SUCCESS;
}

uint32_t wasi_fd_fdstat_set_flags(struct wasi_call *call)
{
	const uint32_t flags = wasi_arg32(call, 1);
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_FDSTAT_SET_FLAGS,
					0, &entry);

	if (error)
		return error;
	if (flags & ~(uint32_t)WASI_FDFLAGS_ALL)
		return WASI_EINVAL;
	/* Linux sets these when a file is opened, and ignores them afterwards. */
	if ((flags ^ entry->flags) & WASI_FDFLAGS_SYNCING)
		return WASI_ENOTSUP;
	if ((flags & WASI_FDFLAG_APPEND) && entry->kind != WASI_KIND_FILE)
		return WASI_EINVAL;
	/* O_NONBLOCK stays: it is ours.  The guest's is only looked at where a stream would wait. */
	if (entry->kind == WASI_KIND_FILE &&
	    fcntl(entry->fd, F_SETFL, O_NONBLOCK | (flags & WASI_FDFLAG_APPEND ? O_APPEND : 0)) !=
		    0)
		return wasi_errno_from(errno);
	entry->flags = (uint16_t)flags;
	return WASI_SUCCESS;
}

uint32_t wasi_fd_fdstat_set_rights(struct wasi_call *call)
{
	const uint64_t rights = wasi_arg64(call, 1);
	const uint64_t inheriting = wasi_arg64(call, 2);
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &entry);

	if (error)
		return error;
	if ((rights & ~entry->rights) || (inheriting & ~entry->rights_inheriting))
		return WASI_ENOTCAPABLE;
	entry->rights = rights;
	entry->rights_inheriting = inheriting;
	return WASI_SUCCESS;
}

static uint32_t preopen_get(struct wasi_call *call, const char **ret_name)
{
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &entry);

	if (error)
		return error;
	*ret_name = entry->preopen_name;
	return *ret_name ? WASI_SUCCESS : WASI_EBADF;
}

uint32_t wasi_fd_prestat_get(struct wasi_call *call)
{
	const char *name;
	uint8_t *to;
	uint32_t error = preopen_get(call, &name);

	if (error)
		return error;
	if (!wasi_range(call, wasi_arg32(call, 1), WASI_SIZE_PRESTAT, &to))
		return WASI_EFAULT;
	memset(to, 0, WASI_SIZE_PRESTAT); /* the tag of a directory is 0 */
	wasi_put32(to + 4, (uint32_t)strlen(name));
	return WASI_SUCCESS;
}

uint32_t wasi_fd_prestat_dir_name(struct wasi_call *call)
{
	const uint32_t room = wasi_arg32(call, 2);
	const char *name;
	uint8_t *to;
	uint32_t error = preopen_get(call, &name);

	if (error)
		return error;
	if (room < strlen(name))
		return WASI_ENAMETOOLONG;
	if (!wasi_range(call, wasi_arg32(call, 1), room, &to))
		return WASI_EFAULT;
	if (name[0])
		memcpy(to, name, strlen(name));
	return WASI_SUCCESS;
}
