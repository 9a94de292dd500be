/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* resolve.c - what a host path means: the place it leads to, and the links on the way. */
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys.h"

/* As many as the kernel follows. */
enum { LINKS_MAX = 40 };

struct walk {
	char done[PATH_MAX]; /* canonical so far; empty means "/" */
	size_t done_len;
	char rest[2 * PATH_MAX]; /* still to go, from rest_at */
	size_t rest_at, rest_len;
	unsigned int links;
};

struct bv_str bv__absolute(struct bv_arena *arena, struct bv_str path)
{
	char here[PATH_MAX];

	if (path.len > 0 && path.data[0] == '/')
		return bv_arena_copy(arena, path);
	if (getcwd(here, sizeof(here)) == NULL)
		return (struct bv_str){NULL, 0};
	errno = ENOMEM;
	return bv_arena_format(arena, "%s/%.*s", strcmp(here, "/") == 0 ? "" : here, (int)path.len,
			       path.data);
}

int bv__path_compare(struct bv_str a, struct bv_str b)
{
	const size_t shorter = a.len < b.len ? a.len : b.len;

	for (size_t i = 0; i < shorter; i++) {
		int x = a.data[i] == '/' ? 0 : (unsigned char)a.data[i];
		int y = b.data[i] == '/' ? 0 : (unsigned char)b.data[i];

		if (x != y)
			return x - y;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

/* The next component, or length 0 at the end. */
static struct bv_str next_part(struct walk *walk)
{
	size_t start;

	while (walk->rest_at < walk->rest_len && walk->rest[walk->rest_at] == '/')
		walk->rest_at++;
	start = walk->rest_at;
	while (walk->rest_at < walk->rest_len && walk->rest[walk->rest_at] != '/')
		walk->rest_at++;
	return (struct bv_str){walk->rest + start, walk->rest_at - start};
}

static void step_up(struct walk *walk)
{
	while (walk->done_len > 0 && walk->done[--walk->done_len] != '/')
		;
	walk->done[walk->done_len] = '\0';
}

static int step_down(struct walk *walk, struct bv_str part)
{
	if (walk->done_len + 1 + part.len >= sizeof(walk->done))
		return ENAMETOOLONG;
	walk->done[walk->done_len] = '/';
	memcpy(walk->done + walk->done_len + 1, part.data, part.len);
	walk->done_len += 1 + part.len;
	walk->done[walk->done_len] = '\0';
	return 0;
}

/* Puts a link's text in front of what is still to go. */
static int take_link(struct walk *walk, const char *target, size_t target_len)
{
	const size_t left = walk->rest_len - walk->rest_at;

	if (++walk->links > LINKS_MAX)
		return ELOOP;
	if (target_len + left >= sizeof(walk->rest))
		return ENAMETOOLONG;
	memmove(walk->rest + target_len, walk->rest + walk->rest_at, left);
	memcpy(walk->rest, target, target_len);
	walk->rest_at = 0;
	walk->rest_len = target_len + left;
	if (target[0] == '/') {
		walk->done_len = 0;
		walk->done[0] = '\0';
	} else {
		step_up(walk);
	}
	return 0;
}

static int walk_links(struct bv_arena *arena, struct walk *walk, const struct bv_link_sink *sink)
{
	char target[PATH_MAX];
	int problem;

	for (;;) {
		const struct bv_str part = next_part(walk);
		ssize_t got;

		if (part.len == 0)
			return 0;
		if (bv_str_is(part, "."))
			continue;
		if (bv_str_is(part, "..")) {
			step_up(walk);
			continue;
		}
		problem = step_down(walk, part);
		if (problem != 0)
			return problem;
		got = readlink(walk->done, target, sizeof(target));
		if (got < 0 && errno != EINVAL)
			return errno;
		if (got < 0)
			continue;
		if ((size_t)got == sizeof(target))
			return ENAMETOOLONG;
		if (sink != NULL) {
			struct bv_str where = bv_arena_copy(arena, (struct bv_str){walk->done,
										   walk->done_len});
			struct bv_str text = bv_arena_copy(arena,
							   (struct bv_str){target, (size_t)got});

			if (where.data == NULL || text.data == NULL)
				return ENOMEM;
			sink->add(sink->context, where, text);
		}
		problem = take_link(walk, target, (size_t)got);
		if (problem != 0)
			return problem;
	}
}

/* Opens what the walk arrived at, following nothing. */
static int open_place(const char *path, bool walked)
{
	const struct bv_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};
	int fd = bv_sys_openat2(AT_FDCWD, path, &how);

	/* Until every container runtime lets openat2 through.  The launcher, which opens the place
	 * once more and compares, still refuses what was swapped in between. */
	if (walked && fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd;
}

/* 0 or an errno; closes `fd`. */
static int look_at(struct bv_arena *arena, int fd, struct bv_str path, struct bv_seen *ret_seen)
{
	struct stat seen;
	const int problem = fstat(fd, &seen) != 0 ? errno : 0;

	close(fd);
	if (problem != 0)
		return problem;
	*ret_seen = (struct bv_seen){
		.path = bv_arena_copy(arena, path),
		.device = seen.st_dev,
		.inode = seen.st_ino,
		.mode = seen.st_mode,
		.uid = seen.st_uid,
		.gid = seen.st_gid,
	};
	return ret_seen->path.data != NULL ? 0 : ENOMEM;
}

/* Whether every byte of the path means a name: no "//", no "." or "..", no slash at the end. */
static bool is_plain(struct bv_str path)
{
	for (size_t i = 0; i < path.len; i++) {
		if (path.data[i] != '/')
			continue;
		if (i + 1 == path.len || path.data[i + 1] == '/' || path.data[i + 1] == '.')
			return false;
	}
	return true;
}

int bv__resolve(struct bv_arena *arena, struct bv_str path, const struct bv_link_sink *sink,
		struct bv_seen *ret_seen)
{
	struct walk walk;
	int fd, problem;

	bv_assert(path.len > 0 && path.data[0] == '/');
	if (path.len >= PATH_MAX)
		return ENAMETOOLONG;
	if (memchr(path.data, '\0', path.len) != NULL)
		return EINVAL;
	memcpy(walk.rest, path.data, path.len);
	walk.rest[path.len] = '\0';
	/* Most paths have no link in them, and then one call says so.  Any error is found again below. */
	if (is_plain(path)) {
		fd = open_place(walk.rest, false);
		if (fd >= 0)
			return look_at(arena, fd, path, ret_seen);
	}
	walk.rest_len = path.len;
	walk.rest_at = walk.done_len = walk.links = 0;
	walk.done[0] = '\0';
	problem = walk_links(arena, &walk, sink);
	if (problem != 0)
		return problem;
	if (walk.done_len == 0) {
		memcpy(walk.done, "/", sizeof("/"));
		walk.done_len = 1;
	}
	fd = open_place(walk.done, true);
	if (fd < 0)
		return errno == ELOOP ? ESTALE : errno;
	return look_at(arena, fd, (struct bv_str){walk.done, walk.done_len}, ret_seen);
}
