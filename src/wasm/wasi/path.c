/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Names to files, beneath a directory.
 *
 * The kernel resolves every component, in one call that cannot leave the directory: openat2 with
 * RESOLVE_BENEATH.  What exists is opened whole (O_PATH) and then used by descriptor.  What is to be
 * made or removed is named by its parent, opened so, and one last component; of the calls that take
 * that (mkdirat, unlinkat, renameat2, linkat, symlinkat) none follows a link there, slash behind it or not.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "linux/sys.h"

int wasi_open_beneath(int dir_fd, const char *path, int flags)
{
	const struct bv_open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? 0666 : 0,
		.resolve = BV_RESOLVE_BENEATH | BV_RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	/* EAGAIN: something was renamed while "..": the kernel cannot say whether it is beneath. */
	for (int tries = 0; tries < 16; tries++) {
		fd = bv_sys_openat2(dir_fd, path, &how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

uint32_t wasi_beneath_errno(struct wasi_call *call, const struct wasi_entry *dir, const char *path)
{
	if (errno != EXDEV)
		return wasi_errno_of(call, dir, path);
	wasi_denied(call, WASI_DENIED_OUTSIDE, dir, path);
	return WASI_EPERM;
}

uint32_t wasi_object_find(struct wasi_call *call, const struct wasi_entry *dir, const char *path,
			  int flags, int *ret_fd)
{
	const int fd = wasi_open_beneath(dir->fd, path, O_PATH | flags);

	if (fd < 0)
		return wasi_beneath_errno(call, dir, path);
	*ret_fd = fd;
	return WASI_SUCCESS;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Splits `path`, which is not empty: the parent, "" where it is the directory itself, and the rest. */
static uint32_t split(const char *path, char ret_parent[PATH_MAX], struct wasi_place *ret)
{
	size_t end = strlen(path);
	size_t begin;

	while (end > 0 && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin > 0 && path[begin - 1] != '/')
		begin--;
	if (end - begin > NAME_MAX)
		return WASI_ENAMETOOLONG;
	memcpy(ret->name, path + begin, end - begin);
	ret->name[end - begin] = '\0';
	memcpy(ret->spelled, ret->name, end - begin + 1);
	ret->slash = path[end] == '/';
	if (ret->slash)
		memcpy(ret->spelled + (end - begin), "/", 2);
	memcpy(ret_parent, path, begin);
	ret_parent[begin] = '\0';
	return WASI_SUCCESS;
}

uint32_t wasi_place_find(struct wasi_call *call, const struct wasi_entry *dir, const char *path,
			 struct wasi_place *ret)
{
	char parent[PATH_MAX];
	uint32_t error;

	*ret = (struct wasi_place){.fd = dir->fd};
	if (path[0] == '/') {
		wasi_denied(call, WASI_DENIED_OUTSIDE, dir, path);
		return WASI_EPERM;
	}
	error = split(path, parent, ret);
	if (error)
		return error;
	/*
	 * The kernel refuses to make, move or remove these, but only after it has looked: whether ".." is
	 * still beneath is asked first.
	 */
	if (is_dots(ret->name)) {
		int fd = -1;

		error = wasi_object_find(call, dir, path, O_DIRECTORY, &fd);
		if (error)
			return error;
		(void)close(fd); /* only looked at */
		ret->slash = true;
	}
	if (parent[0]) {
		ret->fd = wasi_open_beneath(dir->fd, parent, O_PATH | O_DIRECTORY);
		if (ret->fd < 0)
			return wasi_beneath_errno(call, dir, path);
		ret->owned = true;
	}
	return WASI_SUCCESS;
}

void wasi_place_clear(struct wasi_place *place)
{
	if (place->owned)
		(void)close(place->fd); /* O_PATH: nothing to lose */
	place->owned = false;
}

/* Whether one can go up `count` times from `place` and is still beneath the preopened directory. */
static uint32_t can_climb(const struct wasi_entry *dir, const struct wasi_place *place,
			  unsigned int count, bool *ret)
{
	int fd = place->fd;
	uint32_t error = WASI_SUCCESS;

	*ret = true;
	while (count-- > 0) {
		struct stat here;
		int up;

		if (fstat(fd, &here) != 0) {
			error = wasi_errno_from(errno);
			break;
		}
		if (here.st_dev == dir->root_dev && here.st_ino == dir->root_ino) {
			*ret = false;
			break;
		}
		up = bv_sys_openat2(fd, "..",
				    &(struct bv_open_how){.flags = O_PATH | O_DIRECTORY |
								   O_CLOEXEC});
		if (up < 0) {
			error = wasi_errno_from(errno);
			break;
		}
		if (fd != place->fd)
			(void)close(fd); /* O_PATH */
		fd = up;
	}
	if (fd != place->fd)
		(void)close(fd); /* O_PATH */
	return error;
}

/*
 * Resolution would not follow such a link out anyway; this is for whoever looks at the files later,
 * on the host.  ".." is only understood at the beginning, where it goes up real directories: behind a
 * name that may be a link, or become one, nobody can say where it leads.  A link that is moved
 * afterwards can still climb out, so what collects from a directory must not follow links either.
 */
uint32_t wasi_target_check(struct wasi_call *call, const struct wasi_entry *dir,
			   const struct wasi_place *place, const char *target)
{
	const char *at = target;
	unsigned int ups = 0;
	bool leading = true;
	bool inside = target[0] != '/';
	uint32_t error = WASI_SUCCESS;

	while (inside && *at) {
		const size_t len = strcspn(at, "/");

		if (len == 2 && memcmp(at, "..", 2) == 0) {
			inside = leading;
			ups++;
		} else if (len > 0 && !(len == 1 && at[0] == '.')) {
			leading = false;
		}
		at += len;
		at += strspn(at, "/");
	}
	if (inside && ups > 0)
		error = can_climb(dir, place, ups, &inside);
	if (!error && !inside) {
		wasi_denied(call, WASI_DENIED_OUTSIDE, NULL, target);
		error = WASI_EPERM;
	}
	return error;
}
