/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stage_saved.c - changes as a value that outlives the file system they were made in, and back.
 *
 * Names may hold any byte, and values of the contract are text: what is not UTF-8 is written %XX.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "spawn.h"
#include "stage.h"
#include "sys.h"

enum { LIST_BYTES_MAX = 64 << 10, VALUE_BYTES_MAX = 64 << 10, SAVED_BYTES_MAX = 256 << 20 };

static enum bv_code no_memory(struct bv_error *err)
{
	return bv_fail(err, BV_E_MEMORY, "changes", "no memory for so many changes");
}

/* ---- names of the contract ---------------------------------------------------------------------- */

static const enum bv_delta_kind kinds[BV_STAGE_KIND_COUNT] = {
	[BV_STAGE_ADDED] = BV_DELTA_ADDED,           [BV_STAGE_MODIFIED] = BV_DELTA_MODIFIED,
	[BV_STAGE_REMOVED] = BV_DELTA_REMOVED,       [BV_STAGE_REPLACED] = BV_DELTA_REPLACED,
	[BV_STAGE_ATTRIBUTES] = BV_DELTA_ATTRIBUTES,
};

enum bv_delta_kind bv__stage_delta_kind(const struct bv_stage_node *node)
{
	return kinds[node->kind];
}

static uint8_t kind_of(enum bv_delta_kind kind)
{
	for (unsigned int i = BV_STAGE_ADDED; i < BV_STAGE_KIND_COUNT; i++) {
		if (kinds[i] == kind)
			return (uint8_t)i;
	}
	return BV_STAGE_SAME;
}

enum bv_delta_type bv__stage_delta_type(const struct bv_stage_node *node)
{
	static const enum bv_delta_type types[] = {
		[BV_STAGE_FILE] = BV_DELTA_FILE,
		[BV_STAGE_DIRECTORY] = BV_DELTA_DIRECTORY,
		[BV_STAGE_SYMLINK] = BV_DELTA_SYMLINK,
		[BV_STAGE_OTHER] = BV_DELTA_OTHER,
	};

	return types[node->type];
}

/* ---- spelling -------------------------------------------------------------------------------- */

/* data NULL when the arena is full. */
static struct bv_str spell(struct bv_arena *arena, const char *bytes, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const struct bv_str text = {bytes, len};
	char *out = bv_arena_alloc(arena, 3 * len + 1);
	size_t used = 0;

	for (size_t at = 0; out != NULL && at < len;) {
		uint32_t code_point;
		const size_t taken = bv_utf8_next(text, at, &code_point);

		if (taken == 0 || bytes[at] == '%' || bytes[at] == '\0') {
			out[used++] = '%';
			out[used++] = hex[(unsigned char)bytes[at] >> 4];
			out[used++] = hex[(unsigned char)bytes[at] & 15];
			at++;
		} else {
			memcpy(out + used, bytes + at, taken);
			used += taken;
			at += taken;
		}
	}
	return (struct bv_str){out, used};
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* NUL-terminated. data NULL when the arena is full, or it is no spelling of bytes. */
static struct bv_str unspell(struct bv_arena *arena, struct bv_str text)
{
	char *out = bv_arena_alloc(arena, text.len + 1);
	size_t used = 0;

	for (size_t at = 0; out != NULL && at < text.len; at++) {
		if (text.data[at] != '%') {
			out[used++] = text.data[at];
			continue;
		}
		if (text.len - at < 3 || digit(text.data[at + 1]) < 0 ||
		    digit(text.data[at + 2]) < 0)
			return (struct bv_str){NULL, 0};
		out[used++] = (char)(digit(text.data[at + 1]) << 4 | digit(text.data[at + 2]));
		at += 2;
	}
	if (out != NULL)
		out[used] = '\0';
	return (struct bv_str){out, used};
}

/* ---- describing ------------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
	return bv_str_compare(((const struct bv_text_pair *)a)->key,
			      ((const struct bv_text_pair *)b)->key);
}

/* The attributes of users that `fd` has; false when they do not fit. */
static bool describe_attributes(int fd, struct bv_arena *arena, struct bv_text_map *ret_attributes)
{
	char *memory = malloc((size_t)LIST_BYTES_MAX + VALUE_BYTES_MAX);
	char *value = memory != NULL ? memory + LIST_BYTES_MAX : NULL;
	const ssize_t bytes = memory != NULL ? flistxattr(fd, memory, LIST_BYTES_MAX) : 0;
	size_t count = 0;
	bool fits = memory != NULL;

	*ret_attributes = (struct bv_text_map){NULL, 0};
	for (const char *at = memory; bytes > 0 && at < memory + bytes; at += strlen(at) + 1)
		count += bv__stage_is_user_attribute(at);
	if (count > 0)
		ret_attributes->items = bv_arena_array(arena, count, sizeof *ret_attributes->items);
	fits &= count == 0 || ret_attributes->items != NULL;
	for (const char *at = memory; fits && count > 0 && at < memory + bytes;
	     at += strlen(at) + 1) {
		struct bv_text_pair *pair = &ret_attributes->items[ret_attributes->count];
		ssize_t got;

		if (!bv__stage_is_user_attribute(at))
			continue;
		got = fgetxattr(fd, at, value, VALUE_BYTES_MAX);
		fits = got >= 0;
		if (!fits)
			break;
		*pair = (struct bv_text_pair){spell(arena, at, strlen(at)),
					      spell(arena, value, (size_t)got)};
		fits = pair->key.data != NULL && pair->value.data != NULL;
		ret_attributes->count++;
	}
	free(memory);
	if (ret_attributes->count > 1)
		qsort(ret_attributes->items, ret_attributes->count, sizeof *ret_attributes->items,
		      by_key);
	return fits;
}

/* What only the file system knows of a change: times, attributes, where a link leads. */
static bool describe_entry(const struct bv_stage *stage, uint32_t index, struct bv_arena *arena,
			   struct bv_change_node *ret_node)
{
	const struct bv_stage_node *node = &stage->nodes[index];
	const char *name = bv__stage_name(stage, index);
	int dir = node->parent != BV_STAGE_NO_NODE ? bv__stage_open_upper(stage, node->parent) : -1;
	char target[BV_STAGE_PATH_SIZE];
	struct stat seen;
	int fd = -1;
	bool fine = true;

	if (dir >= 0 && fstatat(dir, name, &seen, AT_SYMLINK_NOFOLLOW) == 0) {
		ret_node->modified_s = (uint64_t)seen.st_mtim.tv_sec;
		ret_node->modified_ns = (uint32_t)seen.st_mtim.tv_nsec;
	}
	if (dir >= 0 && node->type == BV_STAGE_SYMLINK) {
		const ssize_t len = readlinkat(dir, name, target, sizeof target);

		fine = len >= 0;
		if (fine)
			ret_node->target = spell(arena, target, (size_t)len);
		ret_node->has_target = fine && ret_node->target.data != NULL;
		fine = ret_node->has_target;
	} else if (node->type == BV_STAGE_FILE || node->type == BV_STAGE_DIRECTORY) {
		fd = dir >= 0 ? bv__stage_open_own(dir, name, 0)
			      : bv__stage_open_upper(stage, index);
		fine = fd < 0 || describe_attributes(fd, arena, &ret_node->attributes);
		ret_node->has_attributes = ret_node->attributes.count > 0;
	}
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	return fine;
}

static bool describe_node(const struct bv_stage *stage, uint32_t index, struct bv_arena *arena,
			  struct bv_change_node *ret_node)
{
	const struct bv_stage_node *node = &stage->nodes[index];
	const char *name = bv__stage_name(stage, index);

	*ret_node = (struct bv_change_node){
		.name = spell(arena, name, strlen(name)),
		.root = node->root,
		.type = bv__stage_delta_type(node),
		.mode = node->mode,
		.size_bytes = node->size_bytes,
		.merged = node->merged,
		.opaque = node->opaque,
		.has_parent = node->parent != BV_STAGE_NO_NODE,
		.parent = node->parent,
		.has_kind = node->kind != BV_STAGE_SAME,
		.kind = bv__stage_delta_kind(node),
		.has_problem = node->problem != BV_STAGE_FINE,
		.problem = (enum bv_change_problem)(node->problem - 1),
		.has_content_hash = stage->contents[index].known,
		.content_hash = stage->contents[index].digest,
	};
	if (!ret_node->has_problem)
		ret_node->problem = BV_CHANGE_SPECIAL;
	if (ret_node->name.data == NULL)
		return false;
	return node->problem != BV_STAGE_FINE || node->kind == BV_STAGE_REMOVED ||
	       (node->kind == BV_STAGE_SAME && !node->merged) ||
	       describe_entry(stage, index, arena, ret_node);
}

enum bv_code bv__stage_describe(const struct bv_stage *stage, struct bv_arena *arena,
				struct bv_change_set *ret_set, struct bv_error *err)
{
	_Static_assert((int)BV_STAGE_CONFLICT - 1 == (int)BV_CHANGE_CONFLICT &&
			       (int)BV_STAGE_SPECIAL - 1 == (int)BV_CHANGE_SPECIAL &&
			       (int)BV_STAGE_FILE == (int)BV_DELTA_FILE &&
			       (int)BV_STAGE_OTHER == (int)BV_DELTA_OTHER,
		       "problems and types are numbered alike");

	*ret_set = (struct bv_change_set){
		.began_s = (uint64_t)stage->began.tv_sec,
		.began_ns = (uint32_t)stage->began.tv_nsec,
		.clock_ns = (uint64_t)stage->clock_ns,
		.roots = {bv_arena_array(arena, stage->root_count, sizeof *ret_set->roots.items),
			  stage->root_count},
		.nodes = {bv_arena_array(arena, stage->node_count, sizeof *ret_set->nodes.items),
			  stage->node_count},
	};
	if (ret_set->roots.items == NULL || ret_set->nodes.items == NULL)
		return no_memory(err);
	for (size_t i = 0; i < stage->root_count; i++) {
		struct stat seen;

		if (fstat(stage->roots[i].host_fd, &seen) != 0)
			return bv__fail_errno(err, BV_E_SYSTEM, "changes",
					      "a staged directory cannot be looked at");
		ret_set->roots.items[i] = (struct bv_change_root){
			spell(arena, stage->roots[i].path, strlen(stage->roots[i].path)),
			seen.st_dev, seen.st_ino};
		if (ret_set->roots.items[i].path.data == NULL)
			return no_memory(err);
	}
	for (uint32_t i = 0; i < stage->node_count; i++) {
		if (!describe_node(stage, i, arena, &ret_set->nodes.items[i]))
			return no_memory(err);
	}
	return BV_OK;
}

/* ---- restoring ------------------------------------------------------------------------------- */

static enum bv_code malformed(struct bv_error *err)
{
	return bv_fail(err, BV_E_INTEGRITY, "changes", "the kept changes are malformed");
}

static enum bv_code restore_root(struct bv_stage *stage, const struct bv_change_root *root,
				 struct bv_error *err)
{
	static const struct bv_open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};
	struct bv_stage_root *restored = &stage->roots[stage->root_count++];
	const struct bv_str path = unspell(&stage->saved_memory, root->path);
	struct stat seen;

	*restored = (struct bv_stage_root){.host_fd = -1, .upper_fd = -1};
	if (path.data == NULL || strlen(path.data) != path.len || path.data[0] != '/')
		return malformed(err);
	restored->path = strdup(path.data);
	if (restored->path == NULL)
		return no_memory(err);
	restored->host_fd = bv_sys_openat2(AT_FDCWD, restored->path, &how);
	if (restored->host_fd < 0 || fstat(restored->host_fd, &seen) != 0 ||
	    seen.st_dev != root->device || seen.st_ino != root->inode)
		return bv_fail_remedy(
			err, BV_E_CONFLICT, "changes", "put it back, or discard the changes",
			"a staged directory is not there any more, or is another one");
	return BV_OK;
}

static bool is_name(struct bv_str name)
{
	return name.len > 0 && strlen(name.data) == name.len && strchr(name.data, '/') == NULL &&
	       strcmp(name.data, ".") != 0 && strcmp(name.data, "..") != 0;
}

/* Everything that is used as a number or a name later on. */
static bool fits(const struct bv_stage *stage, const struct bv_change_node *saved, uint32_t index,
		 struct bv_str name)
{
	if (index < stage->root_count)
		return !saved->has_parent && name.len == 0 && saved->root == index &&
		       saved->type == BV_DELTA_DIRECTORY;
	return saved->has_parent && saved->parent < index && saved->root < stage->root_count &&
	       stage->nodes[saved->parent].root == saved->root &&
	       stage->nodes[saved->parent].type == BV_STAGE_DIRECTORY && is_name(name) &&
	       (!saved->has_problem || saved->problem <= BV_CHANGE_CONFLICT);
}

static enum bv_code restore_node(struct bv_stage *stage, const struct bv_change_node *saved,
				 uint32_t index, struct bv_error *err)
{
	const struct bv_str name = unspell(&stage->saved_memory, saved->name);
	struct bv_stage_saved *kept = &stage->saved[index];
	struct bv_stage_node *node;
	const uint32_t parent = saved->has_parent ? saved->parent : BV_STAGE_NO_NODE;

	if (name.data == NULL || !fits(stage, saved, index, name))
		return malformed(err);
	if (bv__stage_add_node(stage, parent, saved->root, name.data) != index)
		return no_memory(err);
	node = &stage->nodes[index];
	node->kind = saved->has_kind ? kind_of(saved->kind) : BV_STAGE_SAME;
	node->type = (uint8_t)saved->type; /* numbered alike: asserted above */
	node->mode = saved->mode;
	node->size_bytes = saved->size_bytes;
	node->merged = saved->merged;
	node->opaque = saved->opaque;
	node->problem = saved->has_problem ? (uint8_t)(saved->problem + 1) : BV_STAGE_FINE;
	if (parent != BV_STAGE_NO_NODE) {
		struct bv_stage_node *above = &stage->nodes[parent];

		above->entered |= node->kind != BV_STAGE_SAME;
		if (above->count == 0)
			above->first = index;
		if (above->first + above->count != index)
			return malformed(err);
		above->count++;
	}
	*kept = (struct bv_stage_saved){
		.modified = {.tv_sec = (time_t)saved->modified_s, .tv_nsec = saved->modified_ns},
	};
	stage->contents[index] = (struct bv_stage_content){saved->content_hash,
							   saved->has_content_hash};
	if (saved->has_target) {
		kept->target = unspell(&stage->saved_memory, saved->target).data;
		if (kept->target == NULL)
			return malformed(err);
	}
	if (!saved->has_attributes)
		return BV_OK;
	kept->attributes = bv_arena_array(&stage->saved_memory, saved->attributes.count,
					  sizeof *kept->attributes);
	if (kept->attributes == NULL)
		return no_memory(err);
	for (size_t i = 0; i < saved->attributes.count; i++) {
		const struct bv_text_pair *pair = &saved->attributes.items[i];

		kept->attributes[i] = (struct bv_text_pair){unspell(&stage->saved_memory,
								    pair->key),
							    unspell(&stage->saved_memory,
								    pair->value)};
		if (kept->attributes[i].key.data == NULL ||
		    kept->attributes[i].value.data == NULL ||
		    !bv__stage_is_user_attribute(kept->attributes[i].key.data))
			return malformed(err);
	}
	kept->attribute_count = saved->attributes.count;
	return BV_OK;
}

static enum bv_code allocate(struct bv_stage *stage, const struct bv_change_set *set,
			     struct bv_error *err)
{
	void *room = mmap(NULL, SAVED_BYTES_MAX, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return no_memory(err);
	bv_arena_init(&stage->saved_memory, room, SAVED_BYTES_MAX);
	stage->roots = calloc(set->roots.count + 1, sizeof *stage->roots);
	stage->saved = calloc(set->nodes.count + 1, sizeof *stage->saved);
	stage->contents = calloc(set->nodes.count + 1, sizeof *stage->contents);
	if (stage->roots == NULL || stage->saved == NULL || stage->contents == NULL)
		return no_memory(err);
	if (bv_sys_getrandom(&stage->token, sizeof stage->token, 0) != (ssize_t)sizeof stage->token)
		return bv_fail(err, BV_E_SYSTEM, "changes", "no random number for a name");
	return BV_OK;
}

enum bv_code bv__stage_restore(const struct bv_change_set *set,
			       int (*open_content)(void *context, const struct bv_digest *digest),
			       void *context, struct bv_stage **ret_stage, struct bv_error *err)
{
	struct bv_stage *stage = calloc(1, sizeof *stage);
	enum bv_code code;

	if (stage == NULL)
		return no_memory(err);
	stage->began = (struct timespec){.tv_sec = (time_t)set->began_s, .tv_nsec = set->began_ns};
	stage->clock_ns = (int64_t)set->clock_ns;
	stage->open_content = open_content;
	stage->content_context = context;
	code = allocate(stage, set, err);
	for (size_t i = 0; code == BV_OK && i < set->roots.count; i++)
		code = restore_root(stage, &set->roots.items[i], err);
	if (code == BV_OK && set->nodes.count < set->roots.count)
		code = malformed(err);
	for (uint32_t i = 0; code == BV_OK && i < set->nodes.count; i++)
		code = restore_node(stage, &set->nodes.items[i], i, err);
	if (code == BV_OK) {
		bv__stage_forget_done(stage);
		code = bv__stage_gather(stage, err);
	}
	if (code != BV_OK) {
		bv__stage_free(stage);
		return code;
	}
	*ret_stage = stage;
	return BV_OK;
}

void bv__stage_free_saved(struct bv_stage *stage)
{
	if (stage->saved_memory.base != NULL)
		(void)munmap(stage->saved_memory.base, stage->saved_memory.size);
	free(stage->saved);
}

/* ---- what is in its place already -------------------------------------------------------------- */

static bool host_has_content(int dir, const char *name, const struct bv_stage_content *content,
			     uint64_t size_bytes)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct bv_digest found;
	struct stat seen;
	bool same = false;

	if (fd >= 0 && content->known && fstat(fd, &seen) == 0 && S_ISREG(seen.st_mode) &&
	    (uint64_t)seen.st_size == size_bytes && bv__stage_digest_fd(fd, &found))
		same = bv_digest_equal(&found, &content->digest);
	if (fd >= 0)
		close(fd);
	return same;
}

static bool directory_has_attributes(const struct bv_stage_saved *saved, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const bool same = fd >= 0 && bv__stage_has_attributes(saved, fd);

	if (fd >= 0)
		close(fd);
	return same;
}

static bool is_done(const struct bv_stage *stage, uint32_t index, int dir)
{
	const struct bv_stage_node *node = &stage->nodes[index];
	const char *name = bv__stage_name(stage, index);
	char target[BV_STAGE_PATH_SIZE];
	struct stat seen;
	ssize_t len;

	if (fstatat(dir, name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
		return node->kind == BV_STAGE_REMOVED && errno == ENOENT;
	switch ((enum bv_stage_type)node->type) {
	case BV_STAGE_FILE:
		if (node->kind == BV_STAGE_ATTRIBUTES)
			return S_ISREG(seen.st_mode) &&
			       (seen.st_mode & 0777) == (node->mode & 0777u) &&
			       seen.st_mtim.tv_sec == stage->saved[index].modified.tv_sec &&
			       seen.st_mtim.tv_nsec == stage->saved[index].modified.tv_nsec;
		return node->kind != BV_STAGE_REMOVED &&
		       (seen.st_mode & 0777) == (node->mode & 0777u) &&
		       host_has_content(dir, name, &stage->contents[index], node->size_bytes);
	case BV_STAGE_SYMLINK:
		len = node->kind != BV_STAGE_REMOVED && S_ISLNK(seen.st_mode)
			      ? readlinkat(dir, name, target, sizeof target)
			      : -1;
		return len >= 0 && stage->saved[index].target != NULL &&
		       (size_t)len == strlen(stage->saved[index].target) &&
		       memcmp(target, stage->saved[index].target, (size_t)len) == 0;
	case BV_STAGE_DIRECTORY:
		/* The rights are what is set last. */
		if (node->kind == BV_STAGE_ATTRIBUTES)
			return S_ISDIR(seen.st_mode) &&
			       (seen.st_mode & 01777) == (node->mode & 01777u) &&
			       directory_has_attributes(&stage->saved[index], dir, name);
		/* Made anew with the rights it was to get; its entries are looked at each by itself. */
		return (node->kind == BV_STAGE_ADDED ||
			(node->kind == BV_STAGE_REPLACED && !node->merged)) &&
		       S_ISDIR(seen.st_mode) && bv__stage_is_new(stage, &seen.st_ctim);
	case BV_STAGE_OTHER:
		break;
	}
	return false;
}

void bv__stage_forget_done(struct bv_stage *stage)
{
	/* Directories come before their entries, which are then beside the host's. */
	for (uint32_t i = (uint32_t)stage->root_count; i < stage->node_count; i++) {
		struct bv_stage_node *node = &stage->nodes[i];
		int dir;

		if (node->kind == BV_STAGE_SAME || node->problem != BV_STAGE_FINE ||
		    !stage->nodes[node->parent].merged)
			continue;
		dir = bv__stage_open_host(stage, node->parent, false);
		if (dir < 0)
			continue;
		if (is_done(stage, i, dir)) {
			node->kind = BV_STAGE_SAME;
			node->merged = node->type == BV_STAGE_DIRECTORY;
		}
		close(dir);
	}
}

/* ---- some of them ------------------------------------------------------------------------------ */

enum bv_code bv__stage_choose(struct bv_stage *stage, const bool *chosen, size_t *ret_left,
			      struct bv_error *err)
{
	bool *with = calloc((size_t)stage->node_count + 1, sizeof *with);

	*ret_left = 0;
	if (with == NULL)
		return no_memory(err);
	for (size_t i = 0; i < stage->change_count; i++)
		with[stage->changes[i]] = chosen[i];
	/* With a directory goes what is below it, which has higher numbers. */
	for (uint32_t i = 0; i < stage->node_count; i++) {
		const uint32_t parent = stage->nodes[i].parent;

		with[i] |= parent != BV_STAGE_NO_NODE && with[parent];
		stage->nodes[i].left = !with[i];
	}
	/* And what something lies in has to be made first. */
	for (uint32_t i = 0; i < stage->node_count; i++) {
		for (uint32_t at = stage->nodes[i].parent; with[i] && at != BV_STAGE_NO_NODE;
		     at = stage->nodes[at].parent) {
			if (!stage->nodes[at].merged || stage->nodes[at].kind == BV_STAGE_REPLACED)
				stage->nodes[at].left = false;
		}
	}
	for (size_t i = 0; i < stage->change_count; i++)
		*ret_left += stage->nodes[stage->changes[i]].left &&
			     stage->nodes[stage->changes[i]].problem == BV_STAGE_FINE;
	free(with);
	return BV_OK;
}
