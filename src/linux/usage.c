/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * usage.c - how much of the host's storage some places take.
 *
 * Each directory is opened by its path below the place, without following anything: a tree that is
 * rearranged meanwhile makes a round miss a part, and never reach elsewhere.  However deep it is, one path
 * and one descriptor are all that is held.
 */
#include "usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"

enum {
	BLOCK_BYTES = 512,
	MET_FIRST = 1 << 10,
	MET_MOST = 1 << 23, /* beyond, a file counts at each meeting */
	ENTRIES_A_TIME = 64,
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void bv__usage_init(struct bv_usage_walk *walk, const int *places, size_t place_count)
{
	*walk = (struct bv_usage_walk){.places = places, .place_count = place_count};
}

static void stop_listing(struct bv_usage_walk *walk)
{
	if (walk->listing != NULL)
		closedir(walk->listing);
	walk->listing = NULL;
}

void bv__usage_clear(struct bv_usage_walk *walk)
{
	stop_listing(walk);
	free(walk->pending.text);
	free(walk->met.items);
	*walk = (struct bv_usage_walk){.places = NULL};
}

void bv__usage_begin(struct bv_usage_walk *walk)
{
	stop_listing(walk);
	walk->found = (struct bv_usage_sum){0};
	walk->unseen[0] = '\0';
	walk->next_place = 0;
	walk->pending.bytes = 0;
	walk->met.count = 0;
	if (walk->met.items != NULL)
		memset(walk->met.items, 0, walk->met.capacity * sizeof(*walk->met.items));
}

/* ---- what was met ---------------------------------------------------------------------------- */

/* Its place in the table, or the empty one where it belongs. */
static struct bv_usage_file *find_met(const struct bv_usage_met *met, const struct stat *seen)
{
	const uint64_t mixed = ((uint64_t)seen->st_ino ^ (uint64_t)seen->st_dev << 32) *
			       UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(mixed >> 32) & (met->capacity - 1);

	while (met->items[at].inode != 0 && (met->items[at].inode != (uint64_t)seen->st_ino ||
					     met->items[at].device != (uint64_t)seen->st_dev))
		at = (at + 1) & (met->capacity - 1);
	return &met->items[at];
}

/* Never more than half full. */
static bool grow_met(struct bv_usage_met *met)
{
	const size_t capacity = met->capacity == 0 ? MET_FIRST : 4 * met->capacity;
	struct bv_usage_met larger = {calloc(capacity, sizeof(*met->items)), met->count, capacity};

	if (larger.items == NULL)
		return false;
	for (size_t i = 0; i < met->capacity; i++) {
		const struct stat seen = {.st_dev = met->items[i].device,
					  .st_ino = met->items[i].inode};

		if (met->items[i].inode != 0)
			*find_met(&larger, &seen) = met->items[i];
	}
	free(met->items);
	*met = larger;
	return true;
}

enum bv_usage_progress bv__usage_add(struct bv_usage_walk *walk, const struct stat *seen)
{
	struct bv_usage_met *met = &walk->met;
	struct bv_usage_file *file;

	if (2 * met->count >= met->capacity && met->capacity < MET_MOST && !grow_met(met))
		return BV_USAGE_NO_MEMORY;
	if (2 * met->count < met->capacity && seen->st_ino != 0) {
		file = find_met(met, seen);
		if (file->inode != 0)
			return BV_USAGE_MORE;
		*file = (struct bv_usage_file){seen->st_dev, seen->st_ino};
		met->count++;
	}
	walk->found.inodes++;
	walk->found.bytes += (uint64_t)seen->st_blocks * BLOCK_BYTES;
	if (S_ISREG(seen->st_mode) && (uint64_t)seen->st_size > walk->found.longest_bytes)
		walk->found.longest_bytes = (uint64_t)seen->st_size;
	return BV_USAGE_MORE;
}

/* ---- what cannot be looked at ---------------------------------------------------------------- */

/* What has gone or was replaced meanwhile is nobody's loss. */
static bool is_gone(int problem)
{
	return problem == ENOENT || problem == ENOTDIR || problem == ELOOP || problem == ESTALE;
}

/* Whether whoever is this user could put something into the directory, perhaps after a chmod. */
static bool may_change(const struct bv_usage_walk *walk, const char *path)
{
	struct stat seen;

	if (geteuid() == 0 || fstatat(walk->place, path, &seen, AT_SYMLINK_NOFOLLOW) != 0)
		return true;
	return seen.st_uid == geteuid() || faccessat(walk->place, path, W_OK, AT_EACCESS) == 0;
}

static void miss(struct bv_usage_walk *walk, const char *path, int problem)
{
	if (is_gone(problem) || (problem == EACCES && !may_change(walk, path)))
		return;
	if (walk->found.unseen++ == 0)
		(void)snprintf(walk->unseen, sizeof(walk->unseen), "%.200s: %s", path,
			       strerror(problem));
}

/* ---- directories ----------------------------------------------------------------------------- */

static const struct bv_open_how below = {
	.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	.resolve = BV_RESOLVE_BENEATH | BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
};

/* Whether the file system holds anything, and does not only show what the kernel knows. */
static bool is_stored(int fd)
{
	static const uint32_t made_up[] = {
		0x9fa0,     /* proc */
		0x62656572, /* sysfs */
		0x27e0eb,   /* cgroup */
		0x63677270, /* cgroup2 */
		0x1cd1,     /* devpts */
		0x64626720, /* debugfs */
		0x74726163, /* tracefs */
		0x73636673, /* securityfs */
		0xcafe4a11, /* bpf */
		0x19800202, /* mqueue */
	};
	struct statfs seen;

	if (fstatfs(fd, &seen) != 0)
		return true;
	for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++) {
		if ((uint32_t)seen.f_type == made_up[i])
			return false;
	}
	return true;
}

static bool device_stores(struct bv_usage_walk *walk, int fd)
{
	const size_t most = sizeof(walk->devices) / sizeof(walk->devices[0]);
	struct stat seen;
	bool stores;

	if (fstat(fd, &seen) != 0)
		return true;
	for (size_t i = 0; i < walk->device_count; i++) {
		if (walk->devices[i].device == (uint64_t)seen.st_dev)
			return walk->devices[i].stores;
	}
	stores = is_stored(fd);
	if (walk->device_count < most)
		walk->devices[walk->device_count++] = (struct bv_usage_device){seen.st_dev, stores};
	return stores;
}

static void list(struct bv_usage_walk *walk)
{
	const int fd = bv_sys_openat2(walk->place, walk->path, &below);

	if (fd < 0) {
		miss(walk, walk->path, errno);
		return;
	}
	if (!device_stores(walk, fd)) {
		close(fd);
		return;
	}
	walk->listing = fdopendir(fd);
	if (walk->listing == NULL) {
		miss(walk, walk->path, errno);
		close(fd);
	}
}

static enum bv_usage_progress push(struct bv_usage_walk *walk, const char *name)
{
	const size_t outer = strlen(walk->path), inner = strlen(name), need = outer + inner + 2;
	char *text;

	if (need > sizeof(walk->path)) {
		miss(walk, walk->path, ENAMETOOLONG);
		return BV_USAGE_MORE;
	}
	if (walk->pending.capacity - walk->pending.bytes < need) {
		const size_t wanted = 2 * walk->pending.capacity + need;

		text = realloc(walk->pending.text, wanted);
		if (text == NULL)
			return BV_USAGE_NO_MEMORY;
		walk->pending.text = text;
		walk->pending.capacity = wanted;
	}
	/* Read from its end, so the NUL is in front. */
	text = walk->pending.text + walk->pending.bytes;
	text[0] = '\0';
	memcpy(text + 1, walk->path, outer);
	text[1 + outer] = '/';
	memcpy(text + 2 + outer, name, inner);
	walk->pending.bytes += need;
	return BV_USAGE_MORE;
}

static bool pop(struct bv_usage_walk *walk)
{
	size_t start = walk->pending.bytes;

	if (start == 0)
		return false;
	while (walk->pending.text[start - 1] != '\0')
		start--;
	memcpy(walk->path, walk->pending.text + start, walk->pending.bytes - start);
	walk->path[walk->pending.bytes - start] = '\0';
	walk->pending.bytes = start - 1;
	return true;
}

static enum bv_usage_progress count_entry(struct bv_usage_walk *walk, const char *name)
{
	enum bv_usage_progress progress;
	struct stat seen;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return BV_USAGE_MORE;
	if (fstatat(dirfd(walk->listing), name, &seen, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) !=
	    0) {
		miss(walk, walk->path, errno);
		return BV_USAGE_MORE;
	}
	progress = bv__usage_add(walk, &seen);
	if (progress == BV_USAGE_MORE && S_ISDIR(seen.st_mode))
		progress = push(walk, name);
	return progress;
}

static enum bv_usage_progress read_some(struct bv_usage_walk *walk)
{
	enum bv_usage_progress progress = BV_USAGE_MORE;

	for (int i = 0; i < ENTRIES_A_TIME && progress == BV_USAGE_MORE; i++) {
		const struct dirent *entry = (errno = 0, readdir(walk->listing));

		if (entry == NULL) {
			if (errno != 0)
				miss(walk, walk->path, errno);
			stop_listing(walk);
			return BV_USAGE_MORE;
		}
		progress = count_entry(walk, entry->d_name);
	}
	return progress;
}

static enum bv_usage_progress begin_place(struct bv_usage_walk *walk)
{
	enum bv_usage_progress progress;
	struct stat seen;

	walk->place = walk->places[walk->next_place++];
	memcpy(walk->path, ".", 2);
	if (fstat(walk->place, &seen) != 0) {
		miss(walk, walk->path, errno);
		return BV_USAGE_MORE;
	}
	progress = bv__usage_add(walk, &seen);
	if (progress == BV_USAGE_MORE && S_ISDIR(seen.st_mode))
		list(walk);
	return progress;
}

enum bv_usage_progress bv__usage_step(struct bv_usage_walk *walk, uint64_t until_ns)
{
	enum bv_usage_progress progress = BV_USAGE_MORE;

	while (progress == BV_USAGE_MORE) {
		if (walk->listing != NULL)
			progress = read_some(walk);
		else if (pop(walk))
			list(walk);
		else if (walk->next_place < walk->place_count)
			progress = begin_place(walk);
		else
			return BV_USAGE_WHOLE;
		if (now_ns() >= until_ns)
			break;
	}
	return progress;
}
