/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* attest_mounts.c - judges the mounts of a boundary by what its /proc/PID/mountinfo says of them. */
#include "attest.h"

#include <string.h>

static bool next_word(struct bv_str *line, struct bv_str *ret_word)
{
	size_t len = 0;

	while (len < line->len && line->data[len] != ' ')
		len++;
	*ret_word = (struct bv_str){line->data, len};
	line->data += len < line->len ? len + 1 : len;
	line->len -= len < line->len ? len + 1 : len;
	return len > 0;
}

/* "\040" is how the kernel writes a blank in a path. */
static struct bv_str unescape(struct bv_arena *arena, struct bv_str text)
{
	char *out = bv_arena_alloc(arena, text.len + 1);
	size_t len = 0;

	if (out == NULL)
		return (struct bv_str){NULL, 0};
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\\' && i + 3 < text.len) {
			out[len++] = (char)((text.data[i + 1] - '0') << 6 |
					    (text.data[i + 2] - '0') << 3 |
					    (text.data[i + 3] - '0'));
			i += 3;
		} else {
			out[len++] = text.data[i];
		}
	}
	return (struct bv_str){out, len};
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse_mount(struct bv_arena *arena, struct bv_str line, struct bv_mount_line *ret_mount)
{
	struct bv_str word;

	if (!next_word(&line, &ret_mount->id) || !next_word(&line, &ret_mount->parent))
		return false;
	if (!next_word(&line, &ret_mount->device) || !next_word(&line, &word))
		return false;
	ret_mount->root = unescape(arena, word);
	if (!next_word(&line, &word))
		return false;
	ret_mount->point = unescape(arena, word);
	if (ret_mount->root.data == NULL || ret_mount->point.data == NULL ||
	    !next_word(&line, &ret_mount->options))
		return false;
	/* Optional fields, ended by a hyphen. */
	do {
		if (!next_word(&line, &word))
			return false;
	} while (!bv_str_is(word, "-"));
	return next_word(&line, &ret_mount->type);
}

static bool has_option(struct bv_str options, const char *wanted)
{
	const size_t wanted_len = strlen(wanted);
	size_t at = 0;

	while (at < options.len) {
		const char *comma = memchr(options.data + at, ',', options.len - at);
		const size_t len = comma != NULL ? (size_t)(comma - options.data) - at
						 : options.len - at;

		if (len == wanted_len && memcmp(options.data + at, wanted, len) == 0)
			return true;
		at += len + 1;
	}
	return false;
}

static bool covers(struct bv_str root, struct bv_str path)
{
	return path.len >= root.len && memcmp(path.data, root.data, root.len) == 0 &&
	       (path.len == root.len || path.data[root.len] == '/');
}

/* What is no grant: the root, and what was made for it. */
static const char *judge_own_mount(const struct bv_mount_line *line,
				   const struct bv_launch_root *root)
{
	if (bv_str_is(line->point, "/"))
		return has_option(line->options, "ro") ? NULL : "the private root is writable";
	if (bv_str_is(line->point, "/tmp") || bv_str_is(line->point, "/proc"))
		return NULL;
	/* What lies below staged directories, out of sight under /proc. */
	if (root->has_stage && covers(BV_STR("/proc"), line->point))
		return has_option(line->options, "ro")
			       ? NULL
			       : "a staged directory of the host is writable";
	return "a mount nobody planned is there";
}

static const char *judge_mount(const struct bv_mount_line *line, const struct bv_launch_root *root,
			       bool *seen)
{
	const struct bv_launch_mount *planned = NULL;

	if (!has_option(line->options, "nosuid"))
		return "a mount honours set-user-id programs";
	for (size_t i = 0; i < root->masked.count; i++) {
		if (bv_str_equal(root->masked.items[i], line->point))
			return has_option(line->options, "ro") ? NULL
							       : "a denied path is not covered";
	}
	/* The innermost planned mount the line belongs to: its own, or a submount it brought along. */
	for (size_t i = 0; i < root->mounts.count; i++) {
		if (!covers(root->mounts.items[i].dest, line->point))
			continue;
		planned = &root->mounts.items[i];
		if (bv_str_equal(planned->dest, line->point))
			seen[i] = true;
	}
	if (planned == NULL)
		return judge_own_mount(line, root);
	if (planned->has_staged && planned->staged && !bv_str_is(line->type, "overlay"))
		return "a staged directory is the host's own";
	if (!planned->writable && !has_option(line->options, "ro"))
		return "a read-only grant is writable";
	if (!planned->executable && !has_option(line->options, "noexec"))
		return "files of a grant can be executed that must not be";
	if (!planned->node && !has_option(line->options, "nodev"))
		return "device nodes of a grant can be opened";
	return NULL;
}

bool bv__mountinfo_next(struct bv_arena *arena, struct bv_str *mountinfo,
			struct bv_mount_line *ret_mount)
{
	const char *end = memchr(mountinfo->data, '\n', mountinfo->len);
	struct bv_str line = {mountinfo->data,
			      end != NULL ? (size_t)(end - mountinfo->data) : mountinfo->len};

	if (mountinfo->len == 0)
		return false;
	mountinfo->data += line.len + (end != NULL);
	mountinfo->len -= line.len + (end != NULL);
	return parse_mount(arena, line, ret_mount);
}

/*
 * Where /tmp itself is granted, the private one lies beneath the grant, out of sight.  Its id; of
 * length 0 where nothing lies upon another.
 */
static struct bv_str find_beneath(struct bv_arena *arena, struct bv_str mountinfo)
{
	struct bv_str below = mountinfo;
	struct bv_mount_line lower, upper;

	while (bv__mountinfo_next(arena, &below, &lower)) {
		struct bv_str above = mountinfo;

		if (!bv_str_is(lower.point, "/tmp"))
			continue;
		while (bv__mountinfo_next(arena, &above, &upper)) {
			if (bv_str_is(upper.point, "/tmp") && bv_str_equal(upper.parent, lower.id))
				return lower.id;
		}
	}
	return BV_STR("");
}

const char *bv__mounts_wrong(struct bv_arena *arena, struct bv_str mountinfo,
			     const struct bv_launch_root *root, size_t *ret_count)
{
	const struct bv_str beneath = find_beneath(arena, mountinfo);
	bool *seen = bv_arena_array(arena, root->mounts.count + 1, sizeof(*seen));

	*ret_count = 0;
	if (seen == NULL)
		return "no memory to look";
	while (mountinfo.len > 0) {
		struct bv_mount_line line;
		const char *wrong;

		if (!bv__mountinfo_next(arena, &mountinfo, &line))
			return "its mounts cannot be read";
		wrong = bv_str_equal(line.id, beneath) ? judge_own_mount(&line, root)
						       : judge_mount(&line, root, seen);
		if (wrong != NULL)
			return wrong;
		++*ret_count;
	}
	for (size_t i = 0; i < root->mounts.count; i++) {
		if (!seen[i])
			return "a planned mount is missing";
	}
	return *ret_count > 0 ? NULL : "its mounts cannot be read";
}

struct bv_str bv__mounts_unmapped(struct bv_arena *arena, struct bv_str mountinfo,
				  const struct bv_launch_root *root)
{
	struct bv_str list = BV_STR("");
	struct bv_mount_line line;

	while (bv__mountinfo_next(arena, &mountinfo, &line)) {
		const struct bv_str point = bv_arena_utf8(arena, line.point);

		for (size_t i = 0; i < root->mounts.count; i++) {
			if (!root->mounts.items[i].idmapped ||
			    has_option(line.options, "idmapped") ||
			    !bv_str_equal(root->mounts.items[i].dest, line.point))
				continue;
			if (point.data != NULL && list.data != NULL)
				list = bv_arena_format(arena, "%s%s%s", list.data,
						       list.len > 0 ? ", " : "", point.data);
		}
	}
	return list;
}
