/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The path_ functions but path_open: names made, moved, removed and asked about. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "linux/sys.h"

/* One of the two ends of a rename or a link, or the one of anything else. */
struct end {
	size_t fd_at; /* the arguments with its directory */
	size_t path_at;
	uint64_t right;
	struct wasi_entry *dir;
	char path[PATH_MAX];
	struct wasi_place place;
};

/* To be cleared whether it succeeds or not. */
static uint32_t get_end(struct wasi_call *call, struct end *end)
{
	uint32_t error = wasi_text(call, wasi_arg32(call, end->path_at),
				   wasi_arg32(call, end->path_at + 1), end->path);

	if (!error)
		error = wasi_directory_get(call, wasi_arg32(call, end->fd_at), end->right,
					   WASI_ACCESS_WRITE, end->path, &end->dir);
	return error ? error : wasi_place_find(call, end->dir, end->path, &end->place);
}

static bool look(const struct wasi_place *place, struct stat *ret)
{
	return fstatat(place->fd, place->name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- one end ----------------------------------------------------------------------------------- */

uint32_t wasi_path_create_directory(struct wasi_call *call)
{
	struct end end = {.fd_at = 0, .path_at = 1, .right = WASI_RIGHT_PATH_CREATE_DIRECTORY};
	uint32_t error = get_end(call, &end);

	if (!error)
		error = wasi_made_check(call->wasi);
	if (!error && mkdirat(end.place.fd, end.place.spelled, 0777) != 0)
		error = wasi_errno_of(call, end.dir, end.path);
	if (!error)
		wasi_made(call->wasi);
	wasi_place_clear(&end.place);
	return error;
}

static uint32_t remove_call(struct wasi_call *call, uint64_t right, int flags)
{
	struct end end = {.fd_at = 0, .path_at = 1, .right = right};
	struct stat before;
	bool looked = false;
	uint32_t error = get_end(call, &end);

	if (!error) {
		looked = look(&end.place, &before);
		if (unlinkat(end.place.fd, end.place.spelled, flags) != 0)
			error = wasi_errno_of(call, end.dir, end.path);
	}
	if (!error && looked)
		wasi_removed(call->wasi, &before);
	wasi_place_clear(&end.place);
	return error;
}

uint32_t wasi_path_unlink_file(struct wasi_call *call)
{
	return remove_call(call, WASI_RIGHT_PATH_UNLINK_FILE, 0);
}

uint32_t wasi_path_remove_directory(struct wasi_call *call)
{
	return remove_call(call, WASI_RIGHT_PATH_REMOVE_DIRECTORY, AT_REMOVEDIR);
}

/* The standard's tests want it said before that something is there, which Linux says first. */
static bool is_no_directory(const struct wasi_place *place)
{
	struct stat file;

	return place->slash && look(place, &file) && !S_ISDIR(file.st_mode);
}

uint32_t wasi_path_symlink(struct wasi_call *call)
{
	char target[PATH_MAX];
	struct end end = {.fd_at = 2, .path_at = 3, .right = WASI_RIGHT_PATH_SYMLINK};
	uint32_t error = wasi_text(call, wasi_arg32(call, 0), wasi_arg32(call, 1), target);

	if (!error)
		error = get_end(call, &end);
	if (!error)
		error = wasi_target_check(call, end.dir, &end.place, target);
	if (!error)
		error = wasi_made_check(call->wasi);
	if (!error && symlinkat(target, end.place.fd, end.place.spelled) != 0)
		error = errno == EEXIST && is_no_directory(&end.place)
				? WASI_ENOTDIR
				: wasi_errno_of(call, end.dir, end.path);
	if (!error)
		wasi_made(call->wasi);
	wasi_place_clear(&end.place);
	return error;
}

/* ---- what is there ----------------------------------------------------------------------------- */

/* The file that arguments 0, 2 and 3 name, the flags of 1 saying whether a link is followed. */
static uint32_t get_object(struct wasi_call *call, uint64_t right, unsigned int access,
			   struct wasi_entry **ret_dir, char ret_path[PATH_MAX], int *ret_fd)
{
	const uint32_t lookup = wasi_arg32(call, 1);
	uint32_t error = wasi_text(call, wasi_arg32(call, 2), wasi_arg32(call, 3), ret_path);

	if (error)
		return error;
	if (lookup & ~(uint32_t)WASI_LOOKUP_FOLLOW)
		return WASI_EINVAL;
	error = wasi_directory_get(call, wasi_arg32(call, 0), right, access, ret_path, ret_dir);
	if (error)
		return error;
	return wasi_object_find(call, *ret_dir, ret_path,
				lookup & WASI_LOOKUP_FOLLOW ? 0 : O_NOFOLLOW, ret_fd);
}

uint32_t wasi_path_filestat_get(struct wasi_call *call)
{
	char path[PATH_MAX];
	struct wasi_entry *dir;
	struct stat file;
	uint8_t *to;
	int fd;
	uint32_t error = get_object(call, WASI_RIGHT_PATH_FILESTAT_GET, WASI_ACCESS_READ, &dir,
				    path, &fd);

	if (error)
		return error;
	if (!wasi_range(call, wasi_arg32(call, 4), WASI_SIZE_FILESTAT, &to))
		error = WASI_EFAULT;
	else if (fstat(fd, &file) != 0)
		error = wasi_errno_of(call, dir, path);
	else
		wasi_filestat_put(to, &file);
	(void)close(fd); /* O_PATH */
	return error;
}

uint32_t wasi_path_filestat_set_times(struct wasi_call *call)
{
	char path[PATH_MAX];
	struct timespec times[2];
	struct wasi_entry *dir;
	int fd;
	uint32_t error = wasi_times(call->wasi, wasi_arg64(call, 4), wasi_arg64(call, 5),
				    wasi_arg32(call, 6), times);

	if (!error)
		error = get_object(call, WASI_RIGHT_PATH_FILESTAT_SET_TIMES, WASI_ACCESS_WRITE,
				   &dir, path, &fd);
	if (error)
		return error;
	if (utimensat(fd, "", times, AT_EMPTY_PATH) != 0)
		error = wasi_errno_of(call, dir, path);
	(void)close(fd); /* O_PATH */
	return error;
}

uint32_t wasi_path_readlink(struct wasi_call *call)
{
	const uint32_t size_bytes = wasi_arg32(call, 4);
	char path[PATH_MAX], target[PATH_MAX];
	struct wasi_entry *dir;
	uint8_t *to, *room;
	ssize_t got;
	int fd;
	uint32_t error = wasi_text(call, wasi_arg32(call, 1), wasi_arg32(call, 2), path);

	if (!error)
		error = wasi_directory_get(call, wasi_arg32(call, 0), WASI_RIGHT_PATH_READLINK,
					   WASI_ACCESS_READ, path, &dir);

	if (!error && (!wasi_range(call, wasi_arg32(call, 3), size_bytes, &to) ||
		       !wasi_range(call, wasi_arg32(call, 5), 4, &room)))
		error = WASI_EFAULT;
	if (!error)
		error = wasi_object_find(call, dir, path, O_NOFOLLOW, &fd);
	if (error)
		return error;
	got = readlinkat(fd, "", target, sizeof(target));
	/* ENOENT: by descriptor, this is how Linux says that it is no link. */
	if (got < 0)
		error = errno == ENOENT ? WASI_EINVAL : wasi_errno_of(call, dir, path);
	(void)close(fd); /* O_PATH */
	if (error)
		return error;
	if ((size_t)got > size_bytes)
		got = (ssize_t)size_bytes;
	memcpy(to, target, (size_t)got);
	return wasi_store32(call, wasi_arg32(call, 5), (uint32_t)got);
}

/* ---- two ends ---------------------------------------------------------------------------------- */

/*
 * A file must not become readable, or writable, by getting a name in another directory: both ends have
 * to be writable, and of the same access.
 */
static uint32_t check_ends(struct wasi_call *call, const struct end *from, const struct end *to)
{
	if (from->dir->access == to->dir->access)
		return WASI_SUCCESS;
	wasi_denied(call, WASI_DENIED_ACROSS, to->dir, to->path);
	return WASI_EXDEV;
}

static uint32_t get_ends(struct wasi_call *call, struct end *from, struct end *to)
{
	uint32_t error = get_end(call, from);

	if (!error)
		error = get_end(call, to);
	return error ? error : check_ends(call, from, to);
}

uint32_t wasi_path_rename(struct wasi_call *call)
{
	struct end from = {.fd_at = 0, .path_at = 1, .right = WASI_RIGHT_PATH_RENAME_SOURCE};
	struct end to = {.fd_at = 3, .path_at = 4, .right = WASI_RIGHT_PATH_RENAME_TARGET};
	struct stat moved, replaced;
	bool replaces = false;
	uint32_t error = get_ends(call, &from, &to);

	if (!error) {
		/* Two names of one file: the kernel does nothing. */
		replaces = look(&to.place, &replaced) && look(&from.place, &moved) &&
			   (replaced.st_dev != moved.st_dev || replaced.st_ino != moved.st_ino);
		if (bv_sys_renameat2(from.place.fd, from.place.spelled, to.place.fd,
				     to.place.spelled, 0) != 0)
			error = wasi_errno_of(call, from.dir, from.path);
	}
	if (!error && replaces)
		wasi_removed(call->wasi, &replaced);
	wasi_place_clear(&from.place);
	wasi_place_clear(&to.place);
	return error;
}

/* Only files and symbolic links get a second name. */
static uint32_t check_linked(struct wasi_call *call, const struct end *from)
{
	struct stat file;

	if (!look(&from->place, &file))
		return wasi_errno_of(call, from->dir, from->path);
	if (S_ISDIR(file.st_mode))
		return WASI_EPERM;
	if (from->place.slash)
		return WASI_ENOTDIR;
	if (S_ISREG(file.st_mode) || S_ISLNK(file.st_mode))
		return WASI_SUCCESS;
	wasi_denied(call, WASI_DENIED_KIND, from->dir, from->path);
	return WASI_EACCES;
}

uint32_t wasi_path_link(struct wasi_call *call)
{
	struct end from = {.fd_at = 0, .path_at = 2, .right = WASI_RIGHT_PATH_LINK_SOURCE};
	struct end to = {.fd_at = 4, .path_at = 5, .right = WASI_RIGHT_PATH_LINK_TARGET};
	uint32_t error;

	/* Linux has no way to link what a link leads to that could not lead out. */
	if (wasi_arg32(call, 1) != 0)
		return WASI_EINVAL;
	error = get_ends(call, &from, &to);
	if (!error)
		error = check_linked(call, &from);
	if (!error)
		error = wasi_made_check(call->wasi);
	if (!error && linkat(from.place.fd, from.place.name, to.place.fd, to.place.spelled, 0) != 0)
		error = wasi_errno_of(call, to.dir, to.path);
	if (!error)
		wasi_made(call->wasi);
	wasi_place_clear(&from.place);
	wasi_place_clear(&to.place);
	return error;
}
