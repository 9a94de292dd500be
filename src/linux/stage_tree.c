/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stage_tree.c - removes, or looks through, a directory tree of the host, one directory at a time.
 *
 * Each directory is opened by its path below the one we hold, without following anything: a tree that is
 * rearranged meanwhile makes this fail, and never reach elsewhere.  However deep it is, one path and one
 * descriptor are all that is held.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage.h"
#include "sys.h"

static const struct bv_open_how below = {
	.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	.resolve = BV_RESOLVE_BENEATH | BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS |
		   BV_RESOLVE_NO_XDEV,
};

static DIR *open_below(int dir, const char *path)
{
	int fd = bv_sys_openat2(dir, path, &below);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;

	if (stream == NULL && fd >= 0)
		close(fd);
	return stream;
}

static void close_keeping_errno(DIR *stream)
{
	const int saved = errno;

	closedir(stream);
	errno = saved;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Goes down one name, if the path stays short enough. */
static int append(char *path, const char *name)
{
	const size_t len = strlen(path), more = strlen(name);

	if (len + 1 + more >= BV_STAGE_PATH_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	path[len] = '/';
	memcpy(path + len + 1, name, more + 1);
	return 0;
}

/*
 * Empties the directory at `path` of all but directories that are not empty: 1 with the path of one of
 * those, 0 when nothing is left, -1 with errno.
 */
static int empty(int dir, char *path)
{
	DIR *stream = open_below(dir, path);
	const struct dirent *entry;
	int result = stream == NULL ? -1 : 0;

	while (result == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
		if (is_dots(entry->d_name) || unlinkat(dirfd(stream), entry->d_name, 0) == 0 ||
		    errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			result = -1;
		} else if (unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR) != 0) {
			result = errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
			if (result == 1 && append(path, entry->d_name) != 0)
				result = -1;
		}
	}
	if (result == 0 && errno != 0)
		result = -1;
	if (stream != NULL)
		close_keeping_errno(stream);
	return result;
}

int bv__stage_remove_tree(int dir, const char *name)
{
	char path[BV_STAGE_PATH_SIZE];

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (strlen(name) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, name, strlen(name) + 1);
	for (;;) {
		const int more = empty(dir, path);
		char *slash;

		if (more < 0)
			return -1;
		if (more > 0)
			continue;
		/* The one above is looked at again, and there this one is empty. */
		slash = strrchr(path, '/');
		if (slash == NULL)
			return unlinkat(dir, name, AT_REMOVEDIR);
		*slash = '\0';
	}
}

/* ---- looking for changes ------------------------------------------------------------------------------ */

/* Directories still to be looked at, as paths one after the other. */
struct pending {
	char *text;
	size_t bytes, capacity;
};

static int push(struct pending *pending, const char *path, const char *name)
{
	const size_t need = strlen(path) + 1 + strlen(name) + 1;

	if (need > BV_STAGE_PATH_SIZE) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (pending->text == NULL || pending->capacity - pending->bytes < need) {
		const size_t wanted = 2 * pending->capacity + need;
		char *larger = realloc(pending->text, wanted);

		if (larger == NULL)
			return -1;
		pending->text = larger;
		pending->capacity = wanted;
	}
	/* Read from its end, so the NUL is in front. */
	pending->text[pending->bytes] = '\0';
	memcpy(pending->text + pending->bytes + 1, path, strlen(path));
	pending->text[pending->bytes + 1 + strlen(path)] = '/';
	memcpy(pending->text + pending->bytes + 2 + strlen(path), name, strlen(name));
	pending->bytes += need;
	return 0;
}

static bool pop(struct pending *pending, char ret_path[BV_STAGE_PATH_SIZE])
{
	size_t start = pending->bytes;

	if (start == 0)
		return false;
	while (pending->text[start - 1] != '\0')
		start--;
	memcpy(ret_path, pending->text + start, pending->bytes - start);
	ret_path[pending->bytes - start] = '\0';
	pending->bytes = start - 1;
	return true;
}

static int look_into(const struct bv_stage *stage, int dir, const char *path,
		     struct pending *pending)
{
	DIR *stream = open_below(dir, path);
	const struct dirent *entry;
	int result = stream == NULL ? -1 : 0;

	while (result == 0 && (errno = 0, entry = readdir(stream)) != NULL) {
		struct stat seen;

		if (is_dots(entry->d_name))
			continue;
		if (fstatat(dirfd(stream), entry->d_name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
			result = -1;
		else if (bv__stage_is_new(stage, &seen.st_ctim))
			result = 1;
		else if (S_ISDIR(seen.st_mode))
			result = push(pending, path, entry->d_name);
	}
	if (result == 0 && errno != 0)
		result = -1;
	if (stream != NULL)
		close_keeping_errno(stream);
	return result;
}

int bv__stage_tree_changed(const struct bv_stage *stage, int dir, const char *name, bool top)
{
	struct pending pending = {.text = NULL};
	char path[BV_STAGE_PATH_SIZE];
	struct stat seen;
	int result = 0;

	if (fstatat(dir, name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (top && bv__stage_is_new(stage, &seen.st_ctim))
		return 1;
	if (!S_ISDIR(seen.st_mode))
		return 0;
	if (strlen(name) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, name, strlen(name) + 1);
	do {
		result = look_into(stage, dir, path, &pending);
	} while (result == 0 && pop(&pending, path));
	free(pending.text);
	return result;
}
