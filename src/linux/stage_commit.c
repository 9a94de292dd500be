/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stage_commit.c - makes what was staged real.
 *
 * Everything new is first written beside its place under a temporary name, whole directories too, and
 * brought to stable storage; only then things are put in place, each by one rename; then what was to go is
 * removed, and attributes are set last.  Whenever this is interrupted, every file is either the old
 * one or the new one, and what is left over is named ".bvisor-".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/base.h"
#include "stage.h"
#include "sys.h"

enum {
	SYNCED_ONE_BY_ONE = 64, /* up to so many; a whole file system is the cheaper then */
	NAME_SIZE = 40,
	SHOWN_BYTES = 110,
	CLOCK_TOLERANCE_NS = 1000000, /* two clocks are not read at once */
};

struct aside {
	uint32_t node, temporary;
};

struct commit {
	struct bv_stage *stage;
	struct bv_error *err;
	uint32_t *prepared; /* nodes that were written beside their places, in order */
	size_t prepared_count, placed_count;
	struct aside *asides; /* what they replaced, or what is to go */
	size_t aside_count;
	uint32_t last_temporary;
	bool one_by_one;
	/* The directory worked in last. */
	uint32_t dir_node;
	int host_dir, upper_dir;
	char *block;
};

/* ---- telling ------------------------------------------------------------------------------------ */

static const char *shown_path(const struct bv_stage *stage, uint32_t node,
			      char ret_text[3 * SHOWN_BYTES + 8])
{
	char path[2 * BV_STAGE_PATH_SIZE];
	struct bv_arena arena;
	struct bv_str text;
	size_t len;

	bv__stage_host_path(stage, node, path);
	len = strlen(path);
	/* The end tells more than the beginning. */
	text = len <= SHOWN_BYTES ? (struct bv_str){path, len}
				  : (struct bv_str){path + len - SHOWN_BYTES, (size_t)SHOWN_BYTES};
	bv_arena_init(&arena, ret_text, 3 * SHOWN_BYTES + 8);
	text = bv_arena_utf8(&arena, text);
	return text.data != NULL ? text.data : "?";
}

static enum bv_code fail_at(const struct commit *commit, uint32_t node, const char *what)
{
	const int saved = errno;
	_Alignas(16) char text[3 * SHOWN_BYTES + 8];

	bv_fail(commit->err, BV_E_SYSTEM, "commit", "%s '%s'%s", what,
		shown_path(commit->stage, node, text),
		commit->placed_count > 0 ? ", after others were put in place" : "");
	if (commit->err != NULL)
		commit->err->sys_errno = saved;
	return BV_E_SYSTEM;
}

static enum bv_code fail_changed(struct commit *commit, uint32_t node)
{
	_Alignas(16) char text[3 * SHOWN_BYTES + 8];

	commit->stage->nodes[node].problem = BV_STAGE_CONFLICT;
	return bv_fail_remedy(commit->err, BV_E_CONFLICT, "commit",
			      "look at both, and run it again",
			      "'%s' changed on the host meanwhile%s",
			      shown_path(commit->stage, node, text),
			      commit->placed_count > 0 ? ", after others were put in place" : "");
}

/* ---- directories --------------------------------------------------------------------------------- */

static void leave_directory(struct commit *commit)
{
	if (commit->host_dir >= 0)
		close(commit->host_dir);
	if (commit->upper_dir >= 0)
		close(commit->upper_dir);
	commit->host_dir = commit->upper_dir = -1;
	commit->dir_node = BV_STAGE_NO_NODE;
}

/* Opens the host's side of directory `node`, and ours with `upper`.  0, or -1 with errno. */
static int enter_directory(struct commit *commit, uint32_t node, bool upper)
{
	if (commit->dir_node != node) {
		leave_directory(commit);
		commit->host_dir = bv__stage_open_host(commit->stage, node, true);
		commit->dir_node = node;
	}
	if (commit->stage->saved != NULL)
		upper = false; /* there is none any more */
	if (upper && commit->upper_dir < 0 && commit->host_dir >= 0)
		commit->upper_dir = bv__stage_open_upper(commit->stage, node);
	if (commit->host_dir >= 0 && (!upper || commit->upper_dir >= 0))
		return 0;
	commit->dir_node = BV_STAGE_NO_NODE;
	return -1;
}

static void temporary_name(const struct commit *commit, uint32_t number, char ret_name[NAME_SIZE])
{
	(void)snprintf(ret_name, NAME_SIZE, ".bvisor-%08x-%u", commit->stage->token, number);
}

/* ---- what may be done ----------------------------------------------------------------------------- */

static bool is_change(const struct bv_stage_node *node)
{
	return node->kind != BV_STAGE_SAME && node->problem == BV_STAGE_FINE && !node->left;
}

/* Whether the host has, or had, something at its place: inside a new directory it has not. */
static bool is_beside_hosts(const struct bv_stage *stage, uint32_t node)
{
	const uint32_t parent = stage->nodes[node].parent;

	return parent == BV_STAGE_NO_NODE || stage->nodes[parent].merged;
}

/* A directory that stays and only gets other entries is not made anew. */
static bool is_made(const struct bv_stage_node *node)
{
	return is_change(node) && node->kind != BV_STAGE_REMOVED &&
	       node->kind != BV_STAGE_ATTRIBUTES && !node->merged;
}

/* Whether a directory has the rights that it had when the run began, or those that it is to get. */
static bool has_its_rights(const struct bv_stage *stage, uint32_t index, int fd)
{
	const struct bv_stage_node *node = &stage->nodes[index];
	const struct bv_stage_content *before = &stage->contents[index];
	struct bv_digest found;
	struct stat seen;

	if (before->known && bv__stage_digest_rights(fd, &found) &&
	    bv_digest_equal(&found, &before->digest))
		return true;
	return stage->saved != NULL && fstat(fd, &seen) == 0 &&
	       (seen.st_mode & 01777) == (node->mode & 01777U) &&
	       bv__stage_has_attributes(&stage->saved[index], fd);
}

/*
 * An entry that an earlier commit of these changes put into a directory is no change of it.  But whoever puts
 * an entry in sets the same times, so that only the rights themselves tell what the host gave meanwhile.
 */
static bool is_touched(const struct commit *commit, const struct bv_stage_node *node,
		       const char *name, const struct stat *seen)
{
	int fd;
	bool same;

	if (!bv__stage_is_new(commit->stage, &seen->st_ctim))
		return false;
	if (!node->entered || !S_ISDIR(seen->st_mode))
		return true;
	fd = openat(commit->host_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	same = fd >= 0 &&
	       has_its_rights(commit->stage, (uint32_t)(node - commit->stage->nodes), fd);
	if (fd >= 0)
		close(fd);
	return !same;
}

static bool changed_meanwhile(const struct commit *commit, struct bv_stage_node *node,
			      const char *name)
{
	const int dir = commit->host_dir;
	struct stat seen;

	if (fstatat(dir, name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
		return errno != ENOENT ||
		       (node->kind != BV_STAGE_ADDED && node->kind != BV_STAGE_REMOVED);
	node->host_inode = seen.st_ino;
	switch ((enum bv_stage_kind)node->kind) {
	case BV_STAGE_ADDED:
		return true;
	case BV_STAGE_REMOVED:
		return bv__stage_tree_changed(commit->stage, dir, name, true) != 0;
	case BV_STAGE_REPLACED:
		/* Of a directory hidden by another each entry is a change of its own. */
		return node->merged ? is_touched(commit, node, name, &seen)
				    : bv__stage_tree_changed(commit->stage, dir, name, true) != 0;
	case BV_STAGE_MODIFIED:
	case BV_STAGE_ATTRIBUTES:
		return is_touched(commit, node, name, &seen);
	case BV_STAGE_SAME:
	case BV_STAGE_KIND_COUNT:
		break;
	}
	return false;
}

static enum bv_code check_clock(const struct commit *commit)
{
	if (bv__stage_clock() + CLOCK_TOLERANCE_NS >= commit->stage->clock_ns)
		return BV_OK;
	return bv_fail_remedy(
		commit->err, BV_E_CONFLICT, "commit", "run it again",
		"the clock was set back since the run began, and so nothing tells what changed meanwhile");
}

static enum bv_code check_all(struct commit *commit)
{
	struct bv_stage *stage = commit->stage;
	uint32_t first = BV_STAGE_NO_NODE;
	enum bv_code code = check_clock(commit);
	size_t count = 0;

	for (uint32_t i = 0; code == BV_OK && i != BV_STAGE_NO_NODE; i = bv__stage_next(stage, i)) {
		struct bv_stage_node *node = &stage->nodes[i];

		if (is_change(node) && is_beside_hosts(stage, i) &&
		    node->parent != BV_STAGE_NO_NODE &&
		    (enter_directory(commit, node->parent, false) != 0 ||
		     changed_meanwhile(commit, node, bv__stage_name(stage, i))))
			node->problem = BV_STAGE_CONFLICT;
		if (node->problem != BV_STAGE_CONFLICT || node->left)
			continue;
		if (count++ == 0)
			first = i;
	}
	leave_directory(commit);
	if (count == 0)
		return code;
	code = fail_changed(commit, first);
	if (count > 1 && commit->err != NULL) {
		_Alignas(16) char text[3 * SHOWN_BYTES + 8];

		bv_fail_remedy(commit->err, code, "commit", "look at both, and run it again",
			       "%zu places changed on the host meanwhile, the first of them '%s'",
			       count, shown_path(stage, first, text));
	}
	return code;
}

/* ---- writing beside ------------------------------------------------------------------------------- */

/* The file that was written, or what was saved of it. */
static int open_source(const struct commit *commit, uint32_t index)
{
	const struct bv_stage *stage = commit->stage;

	if (stage->saved == NULL)
		return bv__stage_open_own(commit->upper_dir, bv__stage_name(stage, index), 0);
	errno = ENOENT;
	return stage->contents[index].known
		       ? stage->open_content(stage->content_context, &stage->contents[index].digest)
		       : -1;
}

/* Its attributes, and with `seen` of its own when it was written to. */
static int copy_attributes(const struct commit *commit, uint32_t index, int from, int to,
			   struct stat *seen)
{
	const struct bv_stage *stage = commit->stage;

	if (stage->saved == NULL)
		return bv__stage_copy_attributes(from, to);
	if (seen != NULL)
		seen->st_mtim = stage->saved[index].modified;
	return bv__stage_put_attributes(&stage->saved[index], to);
}

static int copy_file(const struct commit *commit, uint32_t index, const char *under)
{
	const struct bv_stage_node *node = &commit->stage->nodes[index];
	const char *name = bv__stage_name(commit->stage, index);
	int from = open_source(commit, index), to = -1, result = -1, saved;
	struct stat seen;

	if (from >= 0 && fstat(from, &seen) == 0 && S_ISREG(seen.st_mode))
		to = openat(commit->host_dir, under,
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to >= 0) {
		result = bv__stage_copy_content(commit->block, from, to, seen.st_size);
		if (result == 0)
			result = copy_attributes(commit, index, from, to, &seen);
		if (result == 0 && node->kind == BV_STAGE_MODIFIED)
			result = bv__stage_keep_access_list(commit->host_dir, name, to);
		if (result == 0)
			result = fchmod(to, node->mode & 0777);
		if (result == 0)
			result = futimens(to, (const struct timespec[2]){{.tv_nsec = UTIME_OMIT},
									 seen.st_mtim});
		if (result == 0 && commit->one_by_one)
			result = fsync(to);
	}
	saved = errno;
	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0)
		return -1;
	errno = saved;
	return result;
}

static int copy_link(const struct commit *commit, uint32_t index, const char *under)
{
	const char *name = bv__stage_name(commit->stage, index);
	char target[BV_STAGE_PATH_SIZE];
	ssize_t len;

	if (commit->stage->saved != NULL)
		return symlinkat(commit->stage->saved[index].target, commit->host_dir, under);
	len = readlinkat(commit->upper_dir, name, target, sizeof(target) - 1);
	if (len < 0)
		return -1;
	target[len] = '\0';
	return symlinkat(target, commit->host_dir, under);
}

static enum bv_code prepare_one(struct commit *commit, uint32_t index)
{
	struct bv_stage_node *node = &commit->stage->nodes[index];
	const char *under = bv__stage_name(commit->stage, index);
	char temporary[NAME_SIZE];
	int result = enter_directory(commit, node->parent, true);

	if (result == 0 && is_beside_hosts(commit->stage, index)) {
		node->temporary = ++commit->last_temporary;
		temporary_name(commit, node->temporary, temporary);
		under = temporary;
		commit->prepared[commit->prepared_count++] = index;
	}
	if (result == 0) {
		switch ((enum bv_stage_type)node->type) {
		case BV_STAGE_FILE:
			result = copy_file(commit, index, under);
			break;
		case BV_STAGE_SYMLINK:
			result = copy_link(commit, index, under);
			break;
		case BV_STAGE_DIRECTORY:
			result = mkdirat(commit->host_dir, under, 0700);
			break;
		case BV_STAGE_OTHER:
			break;
		}
	}
	return result == 0 ? BV_OK : fail_at(commit, index, "cannot write");
}

/* Whether it is what check_all looked at: whoever may write beside it may have put another there. */
static bool is_the_same(const struct bv_stage_node *node, int fd)
{
	struct stat seen;

	return node->parent == BV_STAGE_NO_NODE ||
	       (fstat(fd, &seen) == 0 && seen.st_ino == node->host_inode);
}

/* And, as far as that is known, still has the rights that were looked at. */
static bool is_as_found(const struct bv_stage *stage, uint32_t index, int fd)
{
	const bool known = stage->contents != NULL && stage->contents[index].known;

	return is_the_same(&stage->nodes[index], fd) &&
	       (!known || has_its_rights(stage, index, fd));
}

/* Whether a name that could not be opened leads to something else than it did. */
static bool leads_elsewhere(int sys_errno)
{
	return sys_errno == ENOENT || sys_errno == ENOTDIR || sys_errno == ELOOP;
}

static int finish_directory(const struct commit *commit, uint32_t index, bool temporary)
{
	const struct bv_stage_node *node = &commit->stage->nodes[index];
	const bool restored = commit->stage->saved != NULL;
	int from = restored ? -1 : bv__stage_open_upper(commit->stage, index);
	int to = bv__stage_open_host(commit->stage, index, temporary);
	struct stat seen;
	int result = -1, saved;

	if (!temporary &&
	    (to < 0 ? leads_elsewhere(errno) : !is_as_found(commit->stage, index, to)))
		errno = ESTALE;
	else if ((restored || from >= 0) && to >= 0 &&
		 copy_attributes(commit, index, from, to, NULL) == 0 && fstat(to, &seen) == 0)
		/* The set-group-id bit of a directory is the host's: it came with the place. */
		result = fchmod(to, (seen.st_mode & S_ISGID) | (node->mode & 01777));
	if (result == 0 && commit->one_by_one)
		result = fsync(to);
	saved = errno;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	errno = saved;
	return result;
}

static enum bv_code prepare_all(struct commit *commit)
{
	struct bv_stage *stage = commit->stage;
	enum bv_code code = BV_OK;

	for (size_t i = 0; code == BV_OK && i < stage->change_count; i++) {
		if (is_made(&stage->nodes[stage->changes[i]]))
			code = prepare_one(commit, stage->changes[i]);
	}
	leave_directory(commit);
	/* What lies deeper has a higher number, so a directory is closed to its owner after its entries are made. */
	for (uint32_t i = stage->node_count; code == BV_OK && i-- > 0;) {
		if (stage->nodes[i].type == BV_STAGE_DIRECTORY && is_made(&stage->nodes[i]) &&
		    finish_directory(commit, i, true) != 0)
			code = fail_at(commit, i, "cannot write");
	}
	return code;
}

/* ---- putting in place ------------------------------------------------------------------------------ */

/* Moves only to a name that is free, where the file system can promise that. */
static int move(int dir, const char *from, const char *to)
{
	struct stat seen;

	if (bv_sys_renameat2(dir, from, dir, to, BV_RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(dir, to, &seen, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dir, from, dir, to);
}

static int set_aside(struct commit *commit, uint32_t index, const char *name)
{
	struct aside *aside = &commit->asides[commit->aside_count];
	char other[NAME_SIZE];

	*aside = (struct aside){index, ++commit->last_temporary};
	temporary_name(commit, aside->temporary, other);
	if (move(commit->host_dir, name, other) != 0)
		return -1;
	commit->aside_count++;
	return 0;
}

static void put_back(struct commit *commit, const char *name)
{
	const int saved = errno;
	char other[NAME_SIZE];

	temporary_name(commit, commit->asides[--commit->aside_count].temporary, other);
	/* If even this fails it is still there, under the other name. */
	if (move(commit->host_dir, other, name) != 0)
		commit->aside_count++;
	errno = saved;
}

static enum bv_code place_one(struct commit *commit, uint32_t index)
{
	struct bv_stage_node *node = &commit->stage->nodes[index];
	const char *name = bv__stage_name(commit->stage, index);
	char temporary[NAME_SIZE];
	struct stat seen;
	bool aside = false;

	if (enter_directory(commit, node->parent, false) != 0)
		return fail_at(commit, index, "cannot put in its place");
	/* Looked at when all were; only what happened since then is to be found out. */
	if (changed_meanwhile(commit, node, name))
		return fail_changed(commit, index);
	temporary_name(commit, node->temporary, temporary);
	if (node->kind == BV_STAGE_REPLACED &&
	    fstatat(commit->host_dir, name, &seen, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (S_ISDIR(seen.st_mode) || node->type == BV_STAGE_DIRECTORY)) {
		if (set_aside(commit, index, name) != 0)
			return fail_at(commit, index, "cannot put in its place");
		aside = true;
	}
	if ((node->kind == BV_STAGE_ADDED || aside
		     ? move(commit->host_dir, temporary, name)
		     : renameat(commit->host_dir, temporary, commit->host_dir, name)) != 0) {
		if (aside)
			put_back(commit, name);
		return errno == EEXIST ? fail_changed(commit, index)
				       : fail_at(commit, index, "cannot put in its place");
	}
	node->temporary = 0;
	commit->placed_count++;
	return BV_OK;
}

static enum bv_code remove_one(struct commit *commit, uint32_t index)
{
	struct bv_stage_node *node = &commit->stage->nodes[index];
	const char *name = bv__stage_name(commit->stage, index);
	char other[NAME_SIZE];
	struct stat seen;

	if (enter_directory(commit, node->parent, false) != 0)
		return fail_at(commit, index, "cannot remove");
	if (fstatat(commit->host_dir, name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? BV_OK : fail_at(commit, index, "cannot remove");
	if (!S_ISDIR(seen.st_mode)) {
		if (bv__stage_is_new(commit->stage, &seen.st_ctim))
			return fail_changed(commit, index);
		return unlinkat(commit->host_dir, name, 0) == 0
			       ? BV_OK
			       : fail_at(commit, index, "cannot remove");
	}
	/* Out of everybody's way first, so that nothing is added to it while it goes. */
	if (set_aside(commit, index, name) != 0)
		return fail_at(commit, index, "cannot remove");
	temporary_name(commit, commit->asides[commit->aside_count - 1].temporary, other);
	if (bv__stage_tree_changed(commit->stage, commit->host_dir, other, false) != 0) {
		put_back(commit, name);
		return fail_changed(commit, index);
	}
	return BV_OK;
}

/*
 * Opens the file that check_all looked at; -1 with ESTALE for what somebody put in its place.  That is found
 * out before it is opened for real: to open a device or a FIFO is to do something with it.
 */
static int open_found(const struct commit *commit, uint32_t index)
{
	const char *name = bv__stage_name(commit->stage, index);
	int found = openat(commit->host_dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -1, saved;
	struct stat seen;
	char path[64];

	if (found < 0) {
		errno = leads_elsewhere(errno) ? ESTALE : errno;
		return -1;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	if (!is_the_same(&commit->stage->nodes[index], found) || fstat(found, &seen) != 0 ||
	    !S_ISREG(seen.st_mode) || bv__stage_is_new(commit->stage, &seen.st_ctim))
		errno = ESTALE;
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	saved = errno;
	close(found);
	errno = saved;
	return fd;
}

static enum bv_code set_attributes(struct commit *commit, uint32_t index)
{
	const struct bv_stage_node *node = &commit->stage->nodes[index];
	const char *name = bv__stage_name(commit->stage, index);
	const bool restored = commit->stage->saved != NULL;
	int from, to, result = -1, saved;
	struct stat seen = {0};

	if (node->type == BV_STAGE_DIRECTORY) {
		if (finish_directory(commit, index, false) == 0)
			return BV_OK;
		return errno == ESTALE ? fail_changed(commit, index)
				       : fail_at(commit, index, "cannot set the attributes of");
	}
	if (enter_directory(commit, node->parent, true) != 0)
		return fail_at(commit, index, "cannot set the attributes of");
	from = restored ? -1 : bv__stage_open_own(commit->upper_dir, name, 0);
	to = open_found(commit, index);
	if (to >= 0 && (restored || (from >= 0 && fstat(from, &seen) == 0))) {
		result = copy_attributes(commit, index, from, to, &seen);
		if (result == 0)
			result = fchmod(to, node->mode & 0777);
		if (result == 0)
			result = futimens(to, (const struct timespec[2]){{.tv_nsec = UTIME_OMIT},
									 seen.st_mtim});
		if (result == 0 && commit->one_by_one)
			result = fsync(to);
	}
	saved = errno;
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	errno = saved;
	if (result == 0)
		return BV_OK;
	return errno == ESTALE ? fail_changed(commit, index)
			       : fail_at(commit, index, "cannot set the attributes of");
}

static enum bv_code place_all(struct commit *commit)
{
	const struct bv_stage *stage = commit->stage;
	enum bv_code code = BV_OK;

	for (size_t i = 0; code == BV_OK && i < commit->prepared_count; i++)
		code = place_one(commit, commit->prepared[i]);
	for (size_t i = 0; code == BV_OK && i < stage->change_count; i++) {
		const struct bv_stage_node *node = &stage->nodes[stage->changes[i]];

		if (is_change(node) && node->kind == BV_STAGE_REMOVED)
			code = remove_one(commit, stage->changes[i]);
	}
	leave_directory(commit);
	for (uint32_t i = stage->node_count; code == BV_OK && i-- > 0;) {
		const struct bv_stage_node *node = &stage->nodes[i];

		if (is_change(node) && (node->kind == BV_STAGE_ATTRIBUTES ||
					(node->kind == BV_STAGE_REPLACED && node->merged)))
			code = set_attributes(commit, i);
	}
	return code;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

/* Removes what was set aside, at the very end. */
static enum bv_code drop_asides(struct commit *commit)
{
	enum bv_code code = BV_OK;
	char name[NAME_SIZE];

	for (size_t i = 0; i < commit->aside_count; i++) {
		const uint32_t node = commit->asides[i].node;

		temporary_name(commit, commit->asides[i].temporary, name);
		if ((enter_directory(commit, commit->stage->nodes[node].parent, false) != 0 ||
		     bv__stage_remove_tree(commit->host_dir, name) != 0) &&
		    code == BV_OK)
			code = fail_at(commit, node, "cannot remove all of");
	}
	leave_directory(commit);
	return code;
}

/* After a failure: what was to go comes back, what was replaced goes, what was prepared goes too.  What
 * even this cannot do is left under a name that says whose it is. */
static void undo(struct commit *commit)
{
	char name[NAME_SIZE];

	leave_directory(commit);
	while (commit->aside_count > 0) {
		const struct aside *aside = &commit->asides[--commit->aside_count];
		const struct bv_stage_node *node = &commit->stage->nodes[aside->node];

		temporary_name(commit, aside->temporary, name);
		if (enter_directory(commit, node->parent, false) != 0)
			continue;
		if (node->kind == BV_STAGE_REMOVED)
			(void)move(commit->host_dir, name,
				   bv__stage_name(commit->stage, aside->node));
		else
			(void)bv__stage_remove_tree(commit->host_dir, name);
	}
	for (size_t i = 0; i < commit->prepared_count; i++) {
		struct bv_stage_node *node = &commit->stage->nodes[commit->prepared[i]];

		temporary_name(commit, node->temporary, name);
		if (node->temporary != 0 && enter_directory(commit, node->parent, false) == 0)
			(void)bv__stage_remove_tree(commit->host_dir, name);
		node->temporary = 0;
	}
	leave_directory(commit);
}

static enum bv_code sync_all(const struct commit *commit)
{
	const struct bv_stage *stage = commit->stage;

	for (size_t i = 0; i < stage->root_count; i++) {
		if (syncfs(stage->roots[i].host_fd) != 0)
			return fail_at(commit, (uint32_t)i, "cannot bring to stable storage");
	}
	return BV_OK;
}

/* The directories whose entries changed. */
static enum bv_code sync_directories(const struct commit *commit)
{
	const struct bv_stage *stage = commit->stage;
	uint32_t last = BV_STAGE_NO_NODE;

	for (size_t i = 0; i < stage->change_count; i++) {
		const uint32_t parent = stage->nodes[stage->changes[i]].parent;
		int fd;

		if (parent == last || parent == BV_STAGE_NO_NODE || !stage->nodes[parent].merged)
			continue;
		last = parent;
		fd = bv__stage_open_host(stage, parent, false);
		/* A directory that its owner may not read any more was synced when it got so. */
		if (fd < 0 && errno == EACCES)
			continue;
		if (fd < 0 || fsync(fd) != 0) {
			if (fd >= 0)
				close(fd);
			return fail_at(commit, parent, "cannot bring to stable storage");
		}
		close(fd);
	}
	return BV_OK;
}

static enum bv_code carry_out(struct commit *commit)
{
	enum bv_code code = check_all(commit);

	if (code == BV_OK)
		code = prepare_all(commit);
	if (code == BV_OK && !commit->one_by_one)
		code = sync_all(commit);
	if (code == BV_OK)
		code = place_all(commit);
	if (code != BV_OK) {
		/* The first thing that went wrong is the one to be told. */
		undo(commit);
		return code;
	}
	code = drop_asides(commit);
	if (code == BV_OK)
		code = commit->one_by_one ? sync_directories(commit) : sync_all(commit);
	return code;
}

enum bv_code bv__stage_commit(struct bv_stage *stage, struct bv_error *err)
{
	struct commit commit = {
		.stage = stage,
		.err = err,
		.one_by_one = stage->change_count <= SYNCED_ONE_BY_ONE,
		.dir_node = BV_STAGE_NO_NODE,
		.host_dir = -1,
		.upper_dir = -1,
		.prepared = calloc(stage->change_count + 1, sizeof(*commit.prepared)),
		.asides = calloc(stage->change_count + 1, sizeof(*commit.asides)),
		.block = malloc(BV_STAGE_COPY_BYTES),
	};
	enum bv_code code = BV_OK;

	if (stage->committed)
		code = bv_fail(err, BV_E_STATE, "commit", "these changes were committed already");
	else if (commit.prepared == NULL || commit.asides == NULL || commit.block == NULL)
		code = bv_fail(err, BV_E_MEMORY, "commit", "no memory to commit the changes");
	/* Of a program that never ran nothing was listed. */
	if (code == BV_OK && stage->node_count > 0)
		code = carry_out(&commit);
	/* What is half done cannot be done again: its own traces would look like somebody else's. */
	if (code == BV_OK || commit.placed_count > 0)
		stage->committed = true;
	free(commit.prepared);
	free(commit.asides);
	free(commit.block);
	return code;
}
