/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "promote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blobs.h"
#include "linux/sys.h"

enum { PASSING_SIZE = 48 };

static const struct bv_open_how below = {
	.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	.resolve = BV_RESOLVE_BENEATH | BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
};

static enum bv_code fail(const struct bv__promotion *promotion, const char *what,
			 struct bv_error *err)
{
	const int sys_errno = errno;
	const size_t len = strlen(promotion->target);

	(void)bv_fail(err, BV_E_SYSTEM, "commit", "%s '%.*s'", what, (int)(len < 110 ? len : 110),
		      promotion->target);
	if (err != NULL)
		err->sys_errno = sys_errno;
	return BV_E_SYSTEM;
}

bool bv__promote_name_fits(const char *target)
{
	const size_t len = strlen(target);

	if (len == 0 || len >= PATH_MAX)
		return false;
	for (const char *part = target; part != NULL; part = strchr(part, '/')) {
		size_t part_len;

		part += part != target;
		part_len = strcspn(part, "/");
		if (part_len == 0 || part_len > NAME_MAX || (part_len == 1 && part[0] == '.') ||
		    (part_len == 2 && part[0] == '.' && part[1] == '.'))
			return false;
	}
	return true;
}

/* The last part of the target. */
static const char *name_of(const struct bv__promotion *promotion)
{
	const char *slash = strrchr(promotion->target, '/');

	return slash != NULL ? slash + 1 : promotion->target;
}

static void passing_name(const struct bv__promotion *promotion, char ret_name[PASSING_SIZE])
{
	char hex[65];

	bv_digest_hex(&promotion->artifact, hex);
	(void)snprintf(ret_name, PASSING_SIZE, ".bvisor-%.32s", hex);
}

/* Opens the directory of the first `len` bytes of the target; none is the one that was named. */
static int open_parent(const struct bv__promotion *promotion, size_t len)
{
	char path[PATH_MAX];

	memcpy(path, len != 0 ? promotion->target : ".", len != 0 ? len : 1);
	path[len != 0 ? len : 1] = '\0';
	return bv_sys_openat2(promotion->dir, path, &below);
}

static size_t parent_bytes(const struct bv__promotion *promotion)
{
	const char *name = name_of(promotion);

	return name == promotion->target ? 0 : (size_t)(name - promotion->target) - 1;
}

/* As above, making what is missing. */
static int make_parent(const struct bv__promotion *promotion)
{
	const char *slash = promotion->target;
	size_t above = 0;

	while ((slash = strchr(slash, '/')) != NULL) {
		const size_t len = (size_t)(slash - promotion->target);
		char part[NAME_MAX + 1];
		int dir = open_parent(promotion, above), made;
		const size_t start = above != 0 ? above + 1 : 0;

		if (dir < 0)
			return -1;
		memcpy(part, promotion->target + start, len - start);
		part[len - start] = '\0';
		made = mkdirat(dir, part, 0777);
		if (made == 0 && promotion->durability != BV_COMMIT_BEST_EFFORT && fsync(dir) != 0)
			made = -2;
		if (made != 0 && (made == -2 || errno != EEXIST)) {
			const int saved = errno;

			close(dir);
			errno = saved;
			return -1;
		}
		close(dir);
		above = len;
		slash++;
	}
	return open_parent(promotion, above);
}

static void close_keeping_errno(int fd)
{
	const int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

/* ---- looking --------------------------------------------------------------------------------- */

enum bv_code bv__promote_look(const struct bv__promotion *promotion, enum bv__at_target *ret_target,
			      struct bv_error *err)
{
	int dir = open_parent(promotion, parent_bytes(promotion)), fd;
	struct bv__blob found;
	struct stat seen;
	enum bv_code code;

	*ret_target = BV_TARGET_NOTHING;
	if (dir < 0)
		/* Where the way there is another thing, so is what is at its end. */
		return errno == ENOENT ? BV_OK : fail(promotion, "cannot look at", err);
	if (fstatat(dir, name_of(promotion), &seen, AT_SYMLINK_NOFOLLOW) != 0) {
		close_keeping_errno(dir);
		return errno == ENOENT ? BV_OK : fail(promotion, "cannot look at", err);
	}
	*ret_target = BV_TARGET_OTHER;
	if (!S_ISREG(seen.st_mode) || (uint64_t)seen.st_size != promotion->size_bytes) {
		close(dir);
		return BV_OK;
	}
	fd = openat(dir, name_of(promotion),
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close_keeping_errno(dir);
	if (fd < 0)
		return fail(promotion, "cannot read", err);
	code = bv__blob_pour(fd, -1, promotion->size_bytes, &found, err);
	close(fd);
	if (code == BV_OK && bv_digest_equal(&found.digest, &promotion->content))
		*ret_target = BV_TARGET_SAME;
	/* It grew while it was read. */
	return code == BV_E_STATE ? BV_OK : code;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum bv_code write_passing(struct bv__promotion *promotion, int from, int to,
				  struct bv_error *err)
{
	struct bv_error why = {.code = BV_OK};
	struct bv__blob found;
	enum bv_code code = bv__blob_pour(from, to, promotion->size_bytes, &found, &why);

	if (code == BV_E_JOURNAL) {
		errno = why.sys_errno;
		return fail(promotion, "cannot write", err);
	}
	if (code == BV_E_STATE ||
	    (code == BV_OK && (found.size_bytes != promotion->size_bytes ||
			       !bv_digest_equal(&found.digest, &promotion->content))))
		return bv_fail_remedy(err, BV_E_INTEGRITY, "commit",
				      "look with bvisor journal verify",
				      "the kept bytes were altered");
	if (code != BV_OK) {
		if (err != NULL)
			*err = why;
		return code;
	}
	/* Never a program that runs as its owner. */
	if (fchmod(to, promotion->mode & 0777) != 0)
		return fail(promotion, "cannot set the permissions of", err);
	if (fdatasync(to) == 0)
		return BV_OK;
	if (promotion->durability != BV_COMMIT_BEST_EFFORT)
		return fail(promotion, "cannot bring to stable storage", err);
	return BV_OK;
}

enum bv_code bv__promote_prepare(struct bv__promotion *promotion, struct bv_error *err)
{
	char passing[PASSING_SIZE];
	int from = -1, to = -1, dir;
	enum bv_code code = bv__blob_open(promotion->journal, &promotion->content, &from, err);

	if (code != BV_OK)
		return code;
	dir = make_parent(promotion);
	passing_name(promotion, passing);
	/* What an interrupted commit of the same artifact left. */
	if (dir >= 0 && unlinkat(dir, passing, 0) != 0 && errno != ENOENT) {
		code = fail(promotion, "something is in the way beside", err);
	} else if (dir >= 0) {
		to = openat(dir, passing, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
		code = to >= 0 ? write_passing(promotion, from, to, err)
			       : fail(promotion, "cannot write", err);
	} else {
		code = fail(promotion, "cannot reach the directory of", err);
	}
	if (to >= 0 && close(to) != 0 && code == BV_OK)
		code = fail(promotion, "cannot write", err);
	if (to >= 0 && code != BV_OK)
		(void)unlinkat(dir, passing, 0); /* its name tells whose it is */
	close_keeping_errno(from);
	close_keeping_errno(dir);
	return code;
}

/* By one rename, or where the file system cannot promise a free name by a link. */
static int move(int dir, const char *from, const char *to, bool replace)
{
	if (replace)
		return renameat(dir, from, dir, to);
	if (bv_sys_renameat2(dir, from, dir, to, BV_RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(dir, from, dir, to, 0) != 0)
		return -1;
	return unlinkat(dir, from, 0);
}

enum bv_code bv__promote_place(struct bv__promotion *promotion, struct bv_error *err)
{
	int dir = open_parent(promotion, parent_bytes(promotion));
	char passing[PASSING_SIZE];
	enum bv_code code = BV_OK;

	passing_name(promotion, passing);
	if (dir < 0)
		return fail(promotion, "cannot reach the directory of", err);
	if (move(dir, passing, name_of(promotion), promotion->replace) != 0) {
		code = fail(promotion, "cannot put in its place", err);
		if (err != NULL && err->sys_errno == EEXIST)
			code = bv_fail_remedy(
				err, BV_E_CONFLICT, "commit",
				"name another directory, or replace it with --replace",
				"there is a '%.*s' already", 110, promotion->target);
	} else if (fsync(dir) != 0) {
		/* It is in its place; what is asked for beyond that decides whether this is enough. */
		if (promotion->durability != BV_COMMIT_BEST_EFFORT)
			code = fail(promotion, "cannot bring to stable storage", err);
	}
	close(dir);
	return code;
}

void bv__promote_forget(const struct bv__promotion *promotion)
{
	int dir = open_parent(promotion, parent_bytes(promotion));
	char passing[PASSING_SIZE];

	passing_name(promotion, passing);
	if (dir < 0)
		return;
	(void)unlinkat(dir, passing, 0); /* usually it is not there any more */
	close(dir);
}
