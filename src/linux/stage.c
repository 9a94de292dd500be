/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stage.c - the tree of what a run wrote to staged directories. */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "spawn.h"
#include "sys.h"

enum {
	NODES_MAX = 8 << 20,
	NAMES_BYTES_MAX = 512 << 20,
	TICK_WAIT_NS = 500000,
	TICKS_WAITED = 200,
};

static const struct bv_open_how below = {
	.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	.resolve = BV_RESOLVE_BENEATH | BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS |
		   BV_RESOLVE_NO_XDEV,
};

/* ---- time ------------------------------------------------------------------------------------- */

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

int64_t bv__stage_clock(void)
{
	int64_t best = INT64_MAX, offset = 0;

	/* The shortest of a few looks is the one that nothing came between. */
	for (int i = 0; i < 5; i++) {
		struct timespec before, now, after;

		clock_gettime(CLOCK_BOOTTIME, &before);
		clock_gettime(CLOCK_REALTIME, &now);
		clock_gettime(CLOCK_BOOTTIME, &after);
		if (ns_of(&after) - ns_of(&before) >= best)
			continue;
		best = ns_of(&after) - ns_of(&before);
		offset = ns_of(&now) - ns_of(&before);
	}
	return offset;
}

/*
 * Files are stamped by a clock that stands still for a few milliseconds, or since 6.13 by the exact one
 * where somebody has looked since.  Once the coarse clock is past what the exact one says now, what was
 * changed before cannot be mistaken for what is changed from now on.
 */
static enum bv_code remember_time(struct bv_stage *stage, struct bv_error *err)
{
	const struct timespec wait = {.tv_nsec = TICK_WAIT_NS};
	struct timespec first;

	stage->clock_ns = bv__stage_clock();
	clock_gettime(CLOCK_REALTIME, &first);
	for (int i = 0; i < TICKS_WAITED; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &stage->began);
		if (ns_of(&stage->began) > ns_of(&first))
			return BV_OK;
		(void)nanosleep(&wait, NULL); /* interrupted is as good */
	}
	return bv_fail(err, BV_E_SYSTEM, "execution.stage",
		       "the clock of this machine stands still");
}

bool bv__stage_is_new(const struct bv_stage *stage, const struct timespec *changed)
{
	/* A file system that keeps whole seconds, or two of them, rounds down. */
	if (changed->tv_nsec == 0)
		return changed->tv_sec + 2 > stage->began.tv_sec;
	return ns_of(changed) >= ns_of(&stage->began);
}

/* ---- begin ------------------------------------------------------------------------------------ */

static enum bv_code open_root(const struct bv_launch_mount *mount, struct bv_stage_root *root,
			      struct bv_error *err)
{
	static const struct bv_open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};
	struct stat seen;

	root->path = strndup(mount->source.data, mount->source.len);
	if (root->path == NULL)
		return bv_fail(err, BV_E_MEMORY, "execution.stage",
			       "no memory for the staged directories");
	root->host_fd = bv_sys_openat2(AT_FDCWD, root->path, &how);
	if (root->host_fd < 0 || fstat(root->host_fd, &seen) != 0)
		return bv__fail_errno(err, BV_E_SYSTEM, "execution.stage",
				      "a staged directory cannot be read");
	if (seen.st_dev != mount->device || seen.st_ino != mount->inode)
		return bv_fail_remedy(err, BV_E_SYSTEM, "execution.stage", "run it again",
				      "a staged directory changed since the plan was made");
	return BV_OK;
}

enum bv_code bv__stage_begin(const struct bv_launch_root *root, struct bv_stage **ret_stage,
			     struct bv_error *err)
{
	struct bv_stage *stage;
	enum bv_code code = BV_OK;

	*ret_stage = NULL;
	if (!root->has_stage)
		return BV_OK;
	stage = calloc(1, sizeof(*stage));
	if (stage != NULL)
		stage->roots = calloc(root->mounts.count, sizeof(*stage->roots));
	if (stage == NULL || stage->roots == NULL) {
		free(stage);
		return bv_fail(err, BV_E_MEMORY, "execution.stage",
			       "no memory for the staged directories");
	}
	for (size_t i = 0; code == BV_OK && i < root->mounts.count; i++) {
		const struct bv_launch_mount *mount = &root->mounts.items[i];
		struct bv_stage_root *staged = &stage->roots[stage->root_count];

		if (!mount->has_staged || !mount->staged)
			continue;
		stage->root_count++;
		*staged = (struct bv_stage_root){.host_fd = -1,
						 .upper_fd = -1,
						 .mount = (uint32_t)i};
		code = open_root(mount, staged, err);
	}
	if (code == BV_OK && bv_sys_getrandom(&stage->token, sizeof(stage->token), 0) !=
				     (ssize_t)sizeof(stage->token))
		code = bv_fail(err, BV_E_SYSTEM, "execution.stage", "no random number for a name");
	if (code == BV_OK)
		code = remember_time(stage, err);
	if (code != BV_OK) {
		bv__stage_free(stage);
		return code;
	}
	*ret_stage = stage;
	return BV_OK;
}

void bv__stage_free(struct bv_stage *stage)
{
	if (stage == NULL)
		return;
	for (size_t i = 0; i < stage->root_count; i++) {
		if (stage->roots[i].host_fd >= 0)
			close(stage->roots[i].host_fd);
		if (stage->roots[i].upper_fd >= 0)
			close(stage->roots[i].upper_fd);
		free(stage->roots[i].path);
	}
	free(stage->roots);
	free(stage->nodes);
	free(stage->names);
	free(stage->changes);
	free(stage->contents);
	bv__stage_free_saved(stage);
	free(stage);
}

/* ---- names and paths --------------------------------------------------------------------------- */

const char *bv__stage_name(const struct bv_stage *stage, uint32_t node)
{
	return stage->names + stage->nodes[node].name;
}

/* Copies before `end`, where there is room; the new end, or NULL. */
static char *put_before(char *end, const char *start, const char *text, bool slash)
{
	const size_t len = strlen(text);

	if ((size_t)(end - start) < len + slash)
		return NULL;
	if (slash)
		*--end = '/';
	end -= len;
	memcpy(end, text, len);
	return end;
}

bool bv__stage_path(const struct bv_stage *stage, uint32_t node, bool temporary,
		    char ret_path[BV_STAGE_PATH_SIZE])
{
	char *end = ret_path + BV_STAGE_PATH_SIZE - 1;
	char *at = end;

	*end = '\0';
	if (stage->nodes[node].parent == BV_STAGE_NO_NODE) {
		memcpy(ret_path, ".", 2);
		return true;
	}
	while (at != NULL && stage->nodes[node].parent != BV_STAGE_NO_NODE) {
		const char *name = bv__stage_name(stage, node);
		char other[40];

		if (temporary && stage->nodes[node].temporary != 0) {
			(void)snprintf(other, sizeof(other), ".bvisor-%08x-%u", stage->token,
				       stage->nodes[node].temporary);
			name = other;
		}
		at = put_before(at, ret_path, name, at != end);
		node = stage->nodes[node].parent;
	}
	if (at == NULL)
		return false;
	memmove(ret_path, at, (size_t)(end - at) + 1);
	return true;
}

void bv__stage_host_path(const struct bv_stage *stage, uint32_t node,
			 char ret_path[2 * BV_STAGE_PATH_SIZE])
{
	const char *root = stage->roots[stage->nodes[node].root].path;
	char rest[BV_STAGE_PATH_SIZE];
	const bool whole = bv__stage_path(stage, node, false, rest);

	if (stage->nodes[node].parent == BV_STAGE_NO_NODE)
		rest[0] = '\0';
	(void)snprintf(ret_path, 2 * BV_STAGE_PATH_SIZE, "%s%s%s",
		       strcmp(root, "/") == 0 && rest[0] != '\0' ? "" : root,
		       rest[0] != '\0' || !whole ? "/" : "", whole ? rest : "?");
}

int bv__stage_open_upper(const struct bv_stage *stage, uint32_t node)
{
	char path[BV_STAGE_PATH_SIZE];

	if (!bv__stage_path(stage, node, false, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return bv_sys_openat2(stage->roots[stage->nodes[node].root].upper_fd, path, &below);
}

int bv__stage_open_host(const struct bv_stage *stage, uint32_t node, bool temporary)
{
	char path[BV_STAGE_PATH_SIZE];

	if (!bv__stage_path(stage, node, temporary, path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return bv_sys_openat2(stage->roots[stage->nodes[node].root].host_fd, path, &below);
}

/* The file system is ours alone and goes when we let go of it, so a mode may be changed to read it. */
static bool let_be_read(int dir, const char *name)
{
	char path[64];
	struct stat seen;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool changed;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	changed = fd >= 0 && fstat(fd, &seen) == 0 &&
		  (S_ISREG(seen.st_mode) || S_ISDIR(seen.st_mode)) &&
		  chmod(path, S_ISDIR(seen.st_mode) ? 0700 : 0400) == 0;
	if (fd >= 0)
		close(fd);
	return changed;
}

int bv__stage_open_own(int dir, const char *name, int flags)
{
	/* Not blocking, should it be a FIFO after all. */
	const int how = flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = openat(dir, name, how);

	if (fd < 0 && errno == EACCES && let_be_read(dir, name))
		fd = openat(dir, name, how);
	return fd;
}

/* ---- nodes ------------------------------------------------------------------------------------- */

static bool grow(void **items, size_t count, size_t capacity, size_t most, size_t element_bytes,
		 size_t *ret_capacity)
{
	size_t wanted = capacity != 0 ? capacity * 2 : 256;
	void *larger;

	if (count < capacity)
		return true;
	if (count >= most)
		return false;
	if (wanted > most)
		wanted = most;
	larger = realloc(*items, wanted * element_bytes);
	if (larger == NULL)
		return false;
	*items = larger;
	*ret_capacity = wanted;
	return true;
}

static enum bv_code no_memory(struct bv_error *err)
{
	return bv_fail(err, BV_E_MEMORY, "changes", "no memory to list so many changes");
}

uint32_t bv__stage_add_node(struct bv_stage *stage, uint32_t parent, uint16_t root,
			    const char *name)
{
	const size_t len = strlen(name) + 1;
	size_t capacity = stage->node_capacity;
	void *nodes = stage->nodes, *names = stage->names;

	if (!grow(&nodes, stage->node_count, capacity, NODES_MAX, sizeof(*stage->nodes), &capacity))
		return BV_STAGE_NO_NODE;
	stage->nodes = nodes;
	stage->node_capacity = (uint32_t)capacity;
	while (stage->names_capacity - stage->names_bytes < len) {
		if (!grow(&names, stage->names_capacity, stage->names_capacity, NAMES_BYTES_MAX, 1,
			  &stage->names_capacity))
			return BV_STAGE_NO_NODE;
		stage->names = names;
	}
	memcpy(stage->names + stage->names_bytes, name, len);
	stage->nodes[stage->node_count] = (struct bv_stage_node){
		.parent = parent, .root = root, .name = (uint32_t)stage->names_bytes};
	stage->names_bytes += len;
	return stage->node_count++;
}

uint32_t bv__stage_next(const struct bv_stage *stage, uint32_t node)
{
	if (stage->nodes[node].count > 0)
		return stage->nodes[node].first;
	for (;;) {
		const uint32_t parent = stage->nodes[node].parent;

		if (parent == BV_STAGE_NO_NODE)
			/* Roots come first, one after the other. */
			return node + 1 < stage->root_count ? node + 1 : BV_STAGE_NO_NODE;
		if (node + 1 < stage->nodes[parent].first + stage->nodes[parent].count)
			return node + 1;
		node = parent;
	}
}

/* ---- what an entry is ---------------------------------------------------------------------------- */

static uint8_t type_of(mode_t mode)
{
	return S_ISREG(mode)   ? BV_STAGE_FILE
	       : S_ISDIR(mode) ? BV_STAGE_DIRECTORY
	       : S_ISLNK(mode) ? BV_STAGE_SYMLINK
			       : BV_STAGE_OTHER;
}

static bool same_links(int upper, int host, const char *name)
{
	char ours[BV_STAGE_PATH_SIZE], theirs[BV_STAGE_PATH_SIZE];
	const ssize_t our_len = readlinkat(upper, name, ours, sizeof(ours));
	const ssize_t their_len = readlinkat(host, name, theirs, sizeof(theirs));

	return our_len >= 0 && our_len == their_len && memcmp(ours, theirs, (size_t)our_len) == 0;
}

static bool same_rights(const struct stat *one, const struct stat *other, mode_t which)
{
	return ((one->st_mode ^ other->st_mode) & which) == 0;
}

static enum bv_stage_kind compare_files(int upper, const struct stat *ours, int host,
					const struct stat *theirs, const char *name)
{
	enum bv_stage_kind kind = BV_STAGE_MODIFIED;
	int our_fd = bv__stage_open_own(upper, name, 0);
	int their_fd = openat(host, name,
			      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (our_fd >= 0 && their_fd >= 0 && bv__stage_same_content(our_fd, ours, their_fd, theirs))
		kind = same_rights(ours, theirs, 0777) &&
				       ns_of(&ours->st_mtim) == ns_of(&theirs->st_mtim) &&
				       bv__stage_same_attributes(our_fd, their_fd)
			       ? BV_STAGE_SAME
			       : BV_STAGE_ATTRIBUTES;
	if (our_fd >= 0)
		close(our_fd);
	if (their_fd >= 0)
		close(their_fd);
	return kind;
}

/*
 * Whether it was the host's once and is missing there now because somebody else removed it.  A file that
 * was copied before it was changed says so still under another name; but then nobody else has touched
 * the directory it is in.
 */
static bool was_taken_away(const struct bv_stage *stage, uint8_t type, int upper, int host,
			   const char *name)
{
	int fd = bv__stage_open_own(upper, name, 0);
	const bool copied = fd >= 0 && bv__stage_has_mark(fd, "user.overlay.origin", 0);
	struct stat seen;

	if (fd >= 0)
		close(fd);
	return copied && (type == BV_STAGE_DIRECTORY || fstat(host, &seen) != 0 ||
			  bv__stage_is_new(stage, &seen.st_ctim));
}

static void judge_directory(struct bv_stage_node *node, int upper, const struct stat *ours,
			    int host, const struct stat *theirs, const char *name)
{
	int our_fd = bv__stage_open_own(upper, name, O_DIRECTORY), their_fd;

	node->opaque = our_fd >= 0 && bv__stage_has_mark(our_fd, "user.overlay.opaque", 'y');
	if (theirs != NULL && S_ISDIR(theirs->st_mode)) {
		node->merged = true;
		/* Neither copied from it nor made in its place: then it was not there yet. */
		if (our_fd >= 0 && !node->opaque &&
		    !bv__stage_has_mark(our_fd, "user.overlay.origin", 0))
			node->problem = BV_STAGE_CONFLICT;
		their_fd = openat(host, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		node->kind = node->opaque ? BV_STAGE_REPLACED
			     : same_rights(ours, theirs, 01777) &&
					     (our_fd < 0 || their_fd < 0 ||
					      bv__stage_same_attributes(our_fd, their_fd))
				     ? BV_STAGE_SAME
				     : BV_STAGE_ATTRIBUTES;
		if (their_fd >= 0)
			close(their_fd);
	}
	if (our_fd >= 0)
		close(our_fd);
}

/* `ours` and `theirs` are NULL where there is none; at least one is there. */
static void judge(const struct bv_stage *stage, struct bv_stage_node *node, int upper,
		  const struct stat *ours, int host, const struct stat *theirs, const char *name)
{
	const bool removed = ours == NULL ||
			     (S_ISCHR(ours->st_mode) && ours->st_rdev == makedev(0, 0));
	const struct stat *shown = removed ? theirs : ours;

	node->kind = removed          ? BV_STAGE_REMOVED
		     : theirs == NULL ? BV_STAGE_ADDED
				      : BV_STAGE_REPLACED;
	if (shown == NULL) {
		/* Removed by the workload and, meanwhile, by somebody else. */
		node->kind = BV_STAGE_SAME;
		return;
	}
	node->type = type_of(shown->st_mode);
	node->mode = (uint16_t)(shown->st_mode & 07777);
	node->size_bytes = S_ISREG(shown->st_mode) ? (uint64_t)shown->st_size : 0;
	if (removed)
		return;
	if (node->type == BV_STAGE_OTHER) {
		node->problem = BV_STAGE_SPECIAL;
	} else if (node->type == BV_STAGE_DIRECTORY) {
		judge_directory(node, upper, ours, host, theirs, name);
	} else if (theirs != NULL && S_ISREG(ours->st_mode) && S_ISREG(theirs->st_mode)) {
		node->kind = (uint8_t)compare_files(upper, ours, host, theirs, name);
	} else if (theirs != NULL && S_ISLNK(ours->st_mode) && S_ISLNK(theirs->st_mode)) {
		node->kind = same_links(upper, host, name) ? BV_STAGE_SAME : BV_STAGE_MODIFIED;
	}
	if (node->type == BV_STAGE_FILE && (node->mode & 06000) != 0)
		node->problem = BV_STAGE_SET_ID;
	/* Where there is no directory of the host's there is nobody else either, unless it went too. */
	if (theirs == NULL && node->type <= BV_STAGE_DIRECTORY && host >= 0 &&
	    was_taken_away(stage, node->type, upper, host, name))
		node->problem = BV_STAGE_CONFLICT;
}

/* ---- listing ------------------------------------------------------------------------------------- */

struct names {
	char *text;
	size_t bytes, capacity;
	char **sorted;
	size_t count;
};

/* Appends the names in a directory.  0, or -1 with errno. */
static int read_names(int dir, struct names *names)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
	int result = stream == NULL ? -1 : 0;

	if (stream == NULL && copy >= 0)
		close(copy);
	for (const struct dirent *entry;
	     result == 0 && (errno = 0, entry = readdir(stream)) != NULL;) {
		const size_t len = strlen(entry->d_name) + 1;
		void *text = names->text;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		while (result == 0 && names->capacity - names->bytes < len)
			result = grow(&text, names->capacity, names->capacity, NAMES_BYTES_MAX, 1,
				      &names->capacity)
					 ? 0
					 : -1;
		names->text = text;
		if (result != 0) {
			errno = ENOMEM;
			break;
		}
		memcpy(names->text + names->bytes, entry->d_name, len);
		names->bytes += len;
		names->count++;
	}
	if (result == 0 && errno != 0)
		result = -1;
	if (stream != NULL) {
		const int saved = errno;

		closedir(stream);
		errno = saved;
	}
	return result;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts them, each once. */
static bool sort_names(struct names *names)
{
	char *at = names->text;
	size_t kept = 0;

	names->sorted = calloc(names->count + 1, sizeof(*names->sorted));
	if (names->sorted == NULL)
		return false;
	for (size_t i = 0; i < names->count; i++) {
		names->sorted[i] = at;
		at += strlen(at) + 1;
	}
	qsort(names->sorted, names->count, sizeof(*names->sorted), by_text);
	for (size_t i = 0; i < names->count; i++) {
		if (kept == 0 || strcmp(names->sorted[kept - 1], names->sorted[i]) != 0)
			names->sorted[kept++] = names->sorted[i];
	}
	names->count = kept;
	return true;
}

/* Adds and judges the entries of directory `node`, all in one row. */
static enum bv_code add_entries(struct bv_stage *stage, uint32_t node, const struct names *names,
				int upper, int host, struct bv_error *err)
{
	const uint16_t root = stage->nodes[node].root;
	const uint32_t first = stage->node_count;

	for (size_t i = 0; i < names->count; i++) {
		if (bv__stage_add_node(stage, node, root, names->sorted[i]) == BV_STAGE_NO_NODE)
			return no_memory(err);
	}
	stage->nodes[node].first = first;
	stage->nodes[node].count = (uint32_t)names->count;
	for (uint32_t i = 0; i < names->count; i++) {
		struct stat ours, theirs;
		const char *name = names->sorted[i];
		const bool has_ours = fstatat(upper, name, &ours, AT_SYMLINK_NOFOLLOW) == 0;
		const bool has_theirs = host >= 0 &&
					fstatat(host, name, &theirs, AT_SYMLINK_NOFOLLOW) == 0;
		char path[BV_STAGE_PATH_SIZE];

		if (!has_ours && !has_theirs)
			continue;
		judge(stage, &stage->nodes[first + i], upper, has_ours ? &ours : NULL, host,
		      has_theirs ? &theirs : NULL, name);
		if (!bv__stage_path(stage, first + i, false, path))
			stage->nodes[first + i].problem = BV_STAGE_TOO_LONG;
	}
	return BV_OK;
}

static enum bv_code list_directory(struct bv_stage *stage, uint32_t node, struct bv_error *err)
{
	struct names names = {.text = NULL};
	enum bv_code code = BV_OK;
	int upper = bv__stage_open_upper(stage, node);
	int host = stage->nodes[node].merged ? bv__stage_open_host(stage, node, false) : -1;

	/* What was a directory a moment ago and is none, or may not be read. */
	if (stage->nodes[node].merged && host < 0)
		stage->nodes[node].problem = BV_STAGE_CONFLICT;
	if (upper < 0 || read_names(upper, &names) != 0 ||
	    (stage->nodes[node].opaque && host >= 0 && read_names(host, &names) != 0))
		code = bv__fail_errno(err, BV_E_SYSTEM, "changes", "a directory cannot be listed");
	else if (!sort_names(&names))
		code = no_memory(err);
	if (code == BV_OK)
		code = add_entries(stage, node, &names, upper, host, err);
	free(names.sorted);
	free(names.text);
	if (upper >= 0)
		close(upper);
	if (host >= 0)
		close(host);
	return code;
}

static bool is_listed(const struct bv_stage_node *node)
{
	return node->type == BV_STAGE_DIRECTORY && node->kind != BV_STAGE_REMOVED &&
	       node->problem != BV_STAGE_TOO_LONG;
}

enum bv_code bv__stage_gather(struct bv_stage *stage, struct bv_error *err)
{
	size_t count = 0;

	for (uint32_t i = 0; i < stage->node_count; i++)
		count += stage->nodes[i].kind != BV_STAGE_SAME;
	stage->changes = calloc(count + 1, sizeof(*stage->changes));
	if (stage->changes == NULL)
		return no_memory(err);
	for (uint32_t i = 0; i != BV_STAGE_NO_NODE; i = bv__stage_next(stage, i)) {
		const struct bv_stage_node *node = &stage->nodes[i];

		stage->kinds[node->kind]++;
		if (node->kind == BV_STAGE_SAME)
			continue;
		stage->changes[stage->change_count++] = i;
		if (node->kind != BV_STAGE_REMOVED && node->kind != BV_STAGE_ATTRIBUTES)
			stage->size_bytes += node->size_bytes;
	}
	return BV_OK;
}

static int open_upper_root(struct bv_stage_root *root, int storage_fd)
{
	char name[16];
	int dir;

	(void)snprintf(name, sizeof(name), "%u", root->mount);
	dir = openat(storage_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -1;
	root->upper_fd = bv__stage_open_own(dir, "upper", O_DIRECTORY);
	close(dir);
	return root->upper_fd >= 0 ? 0 : -1;
}

enum bv_code bv__stage_list(struct bv_stage *stage, int storage_fd, struct bv_error *err)
{
	enum bv_code code = BV_OK;

	for (size_t i = 0; i < stage->root_count; i++) {
		uint32_t node;

		if (open_upper_root(&stage->roots[i], storage_fd) != 0)
			return bv__fail_errno(err, BV_E_SYSTEM, "changes",
					      "what was written cannot be looked at");
		node = bv__stage_add_node(stage, BV_STAGE_NO_NODE, (uint16_t)i, "");
		if (node == BV_STAGE_NO_NODE)
			return no_memory(err);
		stage->nodes[node].type = BV_STAGE_DIRECTORY;
		stage->nodes[node].merged = true;
	}
	/* Every directory adds its entries at the end, and is come to in its turn. */
	for (uint32_t i = 0; code == BV_OK && i < stage->node_count; i++) {
		if (is_listed(&stage->nodes[i]))
			code = list_directory(stage, i, err);
	}
	return code == BV_OK ? bv__stage_gather(stage, err) : code;
}
