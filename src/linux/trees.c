/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * trees.c - whether a directory shows the host's root, or what the kernel keeps among files.
 *
 * The name says nothing: links lead to /, and / and a procfs can be mounted anywhere.  So it is asked which
 * directories of which file systems are to be seen there.
 */
#include "trees.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest.h"
#include "contract/policy.h"

/* Some ten thousand mounts. */
enum { TABLE_MAX = 4 << 20 };

static const char whole[] = "the host's / is in it";
static const char kernel[] = "the host's /proc, /dev or /sys is in it";
static const char unknown[] = "the mounts of this machine cannot be listed";

/* Directories that are refused wherever they are mounted. */
static const char *const own[] = {"/", "/proc", "/dev", "/sys"};

enum { OWN_COUNT = sizeof own / sizeof *own };

struct tree {
	struct bv_mount_line own[OWN_COUNT]; /* what is mounted there; id of length 0: nothing */
	struct bv_str path;
};

static bool is_kernels(struct bv_str type)
{
	static const char *const types[] = {"proc",    "sysfs",   "devtmpfs", "devpts",
					    "debugfs", "tracefs", "configfs", "securityfs"};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (bv_str_is(type, types[i]))
			return true;
	return false;
}

/* Which directory of the line's file system is seen at, or below, the path; length 0: none. */
static struct bv_str part_seen(struct bv_arena *arena, const struct bv_mount_line *line,
			       struct bv_str path)
{
	const size_t above = line->point.len == 1 ? 0 : line->point.len;
	const size_t rest = path.len == 1 ? 0 : path.len - above;

	if (!bv_path_covers(line->point, path))
		return bv_path_covers(path, line->point) ? line->root : BV_STR("");
	if (rest == 0)
		return line->root;
	return bv_arena_format(arena, "%.*s%.*s", line->root.len == 1 ? 0 : (int)line->root.len,
			       line->root.data, (int)rest, path.data + above);
}

static const char *judge(struct bv_arena *arena, const struct tree *tree,
			 const struct bv_mount_line *line)
{
	const struct bv_str part = part_seen(arena, line, tree->path);

	if (part.data == NULL)
		return unknown;
	if (part.len == 0)
		return NULL;
	if (is_kernels(line->type))
		return kernel;
	/* Where / is no mount, what is mounted below could be it. */
	if (tree->own[0].id.len == 0 && !bv_path_covers(line->point, tree->path))
		return unknown;
	for (size_t i = 0; i < OWN_COUNT; i++) {
		const struct bv_mount_line *place = &tree->own[i];

		if (place->id.len == 0 || !bv_str_equal(place->device, line->device))
			continue;
		if (bv_path_covers(part, place->root))
			return i == 0 ? whole : kernel;
		if (i != 0 && bv_path_covers(place->root, part))
			return kernel;
	}
	return NULL;
}

const char *bv__mounts_unfit(struct bv_arena *arena, struct bv_str mountinfo, struct bv_str path)
{
	struct tree tree = {.path = path};
	struct bv_str again = mountinfo;
	struct bv_mount_line line;
	const char *why = NULL;

	for (size_t i = 0; i < OWN_COUNT; i++)
		if (bv_path_covers(bv_str_from(own[i]), path) && (i > 0 || path.len == 1))
			return i == 0 ? whole : kernel;
	while (mountinfo.len > 0) {
		if (!bv__mountinfo_next(arena, &mountinfo, &line))
			return unknown;
		/* The last one lies on top. */
		for (size_t i = 0; i < OWN_COUNT; i++)
			if (bv_str_is(line.point, own[i]))
				tree.own[i] = line;
	}
	while (why == NULL && again.len > 0) {
		if (!bv__mountinfo_next(arena, &again, &line))
			return unknown;
		why = judge(arena, &tree, &line);
	}
	return why;
}

/* The caller's arena is for what stays; a table of mounts can be long. */
static const char *look_at_mounts(char *text, struct bv_str path)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	const size_t got = table != NULL ? fread(text, 1, TABLE_MAX, table) : 0;
	const bool all = table != NULL && got < TABLE_MAX && ferror(table) == 0;
	struct bv_arena arena;

	if (table != NULL)
		fclose(table);
	if (!all)
		return unknown;
	bv_arena_init(&arena, text + TABLE_MAX, 4 * (size_t)TABLE_MAX);
	return bv__mounts_unfit(&arena, (struct bv_str){text, got}, path);
}

const char *bv__tree_unfit(struct bv_arena *arena, const struct bv_seen *seen)
{
	struct bv_seen root;
	const char *why;
	char *text;

	if (bv__resolve(arena, BV_STR("/"), NULL, &root) != 0)
		return unknown;
	if (root.device == seen->device && root.inode == seen->inode)
		return whole;
	text = malloc(5 * (size_t)TABLE_MAX);
	if (text == NULL)
		return unknown;
	why = look_at_mounts(text, seen->path);
	free(text);
	return why;
}
