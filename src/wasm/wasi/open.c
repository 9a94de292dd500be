/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * path_open.
 *
 * What is there is looked at before it is opened (O_PATH does not open a device, and does not wake the
 * other end of a FIFO), opened without waiting, and looked at again: only regular files and
 * directories come out of it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a call asks for, and step by step what it gets. */
struct opening {
	struct wasi_call *call;
	const struct wasi_entry *dir;
	char path[PATH_MAX];
	bool follow;
	uint32_t oflags;
	uint32_t fdflags;
	uint64_t rights;
	uint64_t inheriting;
	int fd;
	struct stat file;
};

/* How the host has to open a regular file. */
static int host_flags(const struct opening *opening)
{
	const bool writes = (opening->rights & WASI_RIGHT_FD_WRITE) ||
			    (opening->oflags & WASI_OFLAG_TRUNC);
	const bool reads = (opening->rights & WASI_RIGHT_FD_READ) ||
			   (!writes && (opening->dir->access & WASI_ACCESS_READ));
	/* Without any right it is opened for what is allowed, and nothing can be done with it. */
	int flags = writes && reads ? O_RDWR : reads ? O_RDONLY : O_WRONLY;

	flags |= O_NONBLOCK | O_NOCTTY | (opening->follow ? 0 : O_NOFOLLOW);
	if (opening->fdflags & WASI_FDFLAG_APPEND)
		flags |= O_APPEND;
	if (opening->fdflags & (WASI_FDFLAG_SYNC | WASI_FDFLAG_RSYNC))
		flags |= O_SYNC;
	else if (opening->fdflags & WASI_FDFLAG_DSYNC)
		flags |= O_DSYNC;
	return flags;
}

/* Opens a regular file; nothing else, should it have been put there meanwhile. */
static uint32_t open_regular(struct opening *opening, int flags)
{
	const int fd = wasi_open_beneath(opening->dir->fd, opening->path, flags);

	if (fd < 0)
		return wasi_beneath_errno(opening->call, opening->dir, opening->path);
	if (fstat(fd, &opening->file) == 0 && S_ISREG(opening->file.st_mode)) {
		opening->fd = fd;
		return WASI_SUCCESS;
	}
	(void)close(fd); /* never used */
	wasi_denied(opening->call, WASI_DENIED_KIND, opening->dir, opening->path);
	return WASI_EACCES;
}

static uint32_t create(struct opening *opening)
{
	const int exclusive = opening->oflags & WASI_OFLAG_EXCL ? O_EXCL : 0;
	uint32_t error = wasi_made_check(opening->call->wasi);

	if (!error)
		error = open_regular(opening, host_flags(opening) | O_CREAT | exclusive);
	if (!error)
		wasi_made(opening->call->wasi);
	return error;
}

static uint32_t open_existing(struct opening *opening)
{
	struct wasi *wasi = opening->call->wasi;
	const struct stat before = opening->file;
	const int truncate = opening->oflags & WASI_OFLAG_TRUNC ? O_TRUNC : 0;
	uint32_t error = open_regular(opening, host_flags(opening) | truncate);

	if (!error && before.st_dev == opening->file.st_dev &&
	    before.st_ino == opening->file.st_ino)
		wasi_storage_changed(wasi, &before, &opening->file, 0);
	return error;
}

/* `found` is what is there; taken when it is a directory. */
static uint32_t open_found(struct opening *opening, int *found)
{
	const bool changes = (opening->rights & WASI_RIGHT_FD_WRITE) ||
			     (opening->oflags & (WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC));

	if (fstat(*found, &opening->file) != 0)
		return wasi_errno_of(opening->call, opening->dir, opening->path);
	if ((opening->oflags & WASI_OFLAG_CREAT) && (opening->oflags & WASI_OFLAG_EXCL))
		return WASI_EEXIST;
	switch (opening->file.st_mode & S_IFMT) {
	case S_IFDIR:
		if (changes)
			return WASI_EISDIR;
		opening->fd = *found;
		*found = -1;
		return WASI_SUCCESS;
	case S_IFREG:
		return open_existing(opening);
	case S_IFLNK: /* and not to be followed */
		return WASI_ELOOP;
	default:
		wasi_denied(opening->call, WASI_DENIED_KIND, opening->dir, opening->path);
		return WASI_EACCES;
	}
}

static uint32_t open_path(struct opening *opening)
{
	const int only = opening->oflags & WASI_OFLAG_DIRECTORY ? O_DIRECTORY : 0;
	/* O_EXCL never follows. */
	const bool exclusive = (opening->oflags & WASI_OFLAG_CREAT) &&
			       (opening->oflags & WASI_OFLAG_EXCL);
	int found;
	uint32_t error;

	if ((opening->oflags & WASI_OFLAG_CREAT) && only)
		return WASI_EINVAL;
	found = wasi_open_beneath(opening->dir->fd, opening->path,
				  O_PATH | only | (opening->follow && !exclusive ? 0 : O_NOFOLLOW));
	if (found < 0 && errno == ENOENT && (opening->oflags & WASI_OFLAG_CREAT))
		return create(opening);
	if (found < 0)
		return wasi_beneath_errno(opening->call, opening->dir, opening->path);
	error = open_found(opening, &found);
	if (found >= 0)
		(void)close(found); /* O_PATH */
	return error;
}

/* NULL without memory: it is only for reports. */
static char *name_of(const struct opening *opening)
{
	char *name = malloc(WASI_DENIED_PATH_SIZE);

	if (name)
		wasi_name_put(name, opening->dir, opening->path);
	return name;
}

static void fill(const struct opening *opening, struct wasi_entry *ret)
{
	const bool is_dir = S_ISDIR(opening->file.st_mode);
	uint64_t rights = opening->rights & (is_dir ? WASI_RIGHTS_DIRECTORY : WASI_RIGHTS_FILE);

	if (!(rights & WASI_RIGHT_FD_WRITE))
		rights &= ~(uint64_t)WASI_RIGHTS_CHANGE;
	*ret = (struct wasi_entry){
		.kind = is_dir ? WASI_KIND_DIRECTORY : WASI_KIND_FILE,
		.access = opening->dir->access,
		.fd = opening->fd,
		.owned = true,
		.rights = rights,
		.rights_inheriting = is_dir ? opening->inheriting : 0,
		.flags = (uint16_t)opening->fdflags,
		.path = name_of(opening),
		.dev = opening->file.st_dev,
		.ino = opening->file.st_ino,
		.root_dev = opening->dir->root_dev,
		.root_ino = opening->dir->root_ino,
		.listing = {.fd = -1},
	};
}

/* What the directory must allow for that. */
static unsigned int access_needed(const struct opening *opening)
{
	unsigned int access = 0;

	if (opening->rights & (WASI_RIGHT_FD_READ | WASI_RIGHT_FD_READDIR))
		access |= WASI_ACCESS_READ;
	if ((opening->rights & WASI_RIGHT_FD_WRITE) ||
	    (opening->oflags & (WASI_OFLAG_CREAT | WASI_OFLAG_EXCL | WASI_OFLAG_TRUNC)))
		access |= WASI_ACCESS_WRITE;
	return access;
}

static uint64_t rights_needed(const struct opening *opening)
{
	uint64_t rights = WASI_RIGHT_PATH_OPEN;

	if (opening->oflags & WASI_OFLAG_CREAT)
		rights |= WASI_RIGHT_PATH_CREATE_FILE;
	if (opening->oflags & WASI_OFLAG_TRUNC)
		rights |= WASI_RIGHT_PATH_FILESTAT_SET_SIZE;
	return rights;
}

static uint32_t parse(struct wasi_call *call, struct opening *ret)
{
	const uint64_t known = WASI_RIGHTS_FILE | WASI_RIGHTS_DIRECTORY;
	const uint32_t lookup = wasi_arg32(call, 1);

	ret->call = call;
	ret->follow = lookup & WASI_LOOKUP_FOLLOW;
	ret->oflags = wasi_arg32(call, 4);
	/* Guests ask for all there are, and for more. */
	ret->rights = wasi_arg64(call, 5) & known;
	ret->inheriting = wasi_arg64(call, 6) & known;
	ret->fdflags = wasi_arg32(call, 7);
	ret->fd = -1;
	if ((lookup & ~(uint32_t)WASI_LOOKUP_FOLLOW) ||
	    (ret->oflags & ~(uint32_t)WASI_OFLAGS_ALL) ||
	    (ret->fdflags & ~(uint32_t)WASI_FDFLAGS_ALL))
		return WASI_EINVAL;
	return wasi_text(call, wasi_arg32(call, 2), wasi_arg32(call, 3), ret->path);
}

uint32_t wasi_path_open(struct wasi_call *call)
{
	const uint32_t result = wasi_arg32(call, 8);
	struct opening opening;
	struct wasi_entry *dir, *entry;
	uint32_t fd;
	uint8_t *room;
	uint32_t error = parse(call, &opening);

	if (error)
		return error;
	if (!wasi_range(call, result, 4, &room))
		return WASI_EFAULT;
	error = wasi_directory_get(call, wasi_arg32(call, 0), rights_needed(&opening),
				   access_needed(&opening), opening.path, &dir);
	if (error)
		return error;
	if ((opening.rights | opening.inheriting) & ~dir->rights_inheriting)
		return WASI_ENOTCAPABLE;
	opening.dir = dir;
	/* A slot first: otherwise a file might be made, and no descriptor. */
	error = wasi_entry_new(call->wasi, &fd, &entry);
	if (!error)
		error = open_path(&opening);
	if (error)
		return error;
	fill(&opening, entry);
	wasi_entry_added(call->wasi, fd);
	return wasi_store32(call, result, fd);
}
