/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sample_memory.c - what all members together hold of the machine's memory.
 *
 * Counted are anonymous and shared memory, what of it is swapped out, page tables, memory files and
 * System V segments whether mapped or not, System V semaphores and messages, and what the private
 * root's filesystem holds.  Not counted is what the kernel can take back or charges to nobody we can ask: file pages, and buffers
 * of pipes and sockets, with the memory files that only lie in such a buffer.
 */
#include "sampler.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "contract/base.h"

enum {
	TABLE_BYTES = 1 << 14,
	TABLE_BYTES_A_TIME = 1 << 17,
	BLOCK_BYTES = 512,
	/* A process may have so many that looking at all of them would make everything else late. */
	DESCRIPTORS_A_TIME = 1 << 10,
	EXACT_NS = 50000000,
};

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return bv_add(a, b, &sum) ? sum : UINT64_MAX;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- memory that need not be mapped ---------------------------------------------------------- */

static bool has_file(const struct sampler_files *files, uint64_t inode)
{
	for (size_t i = 0; i < files->count; i++) {
		if (files->items[i].inode == inode)
			return true;
	}
	return false;
}

/*
 * A memory file is called so, whatever else it is called; nothing else is asked for its size, for
 * whose answer we might have to wait (a file of a network, of a daemon).
 */
static void add_file(void *context, int dir, const char *name)
{
	static const char prefix[] = "/memfd:";
	struct sampler *sampler = context;
	struct sampler_files *found = &sampler->found;
	char target[sizeof(prefix) - 1];
	struct stat seen;
	uint64_t bytes;

	if (readlinkat(dir, name, target, sizeof(target)) != (ssize_t)sizeof(target) ||
	    memcmp(target, prefix, sizeof(target)) != 0 || fstatat(dir, name, &seen, 0) != 0 ||
	    seen.st_dev != sampler->memory_device || has_file(found, seen.st_ino))
		return;
	bytes = (uint64_t)seen.st_blocks * BLOCK_BYTES;
	if (found->count < SAMPLER_FILES_MAX)
		found->items[found->count++] = (struct sampler_file){seen.st_ino, bytes};
	found->bytes = plus(found->bytes, bytes);
}

void sampler_find_files(struct sampler *sampler)
{
	const struct sampler_files last = sampler->files;

	if (!sampler_each_descriptor(sampler, &sampler->files_round, DESCRIPTORS_A_TIME, add_file,
				     sampler))
		return;
	/* A whole round. */
	sampler->files = sampler->found;
	sampler->found = (struct sampler_files){.items = last.items};
	sampler->files_round = (struct sampler_round){0, 0};
}

/* Goes on where the last look stopped: thousands of objects may not make everything else late. */
static void read_table(struct sampler_table *table, enum sample_table which)
{
	static char data[TABLE_BYTES];
	size_t looked_at = 0;

	while (looked_at < TABLE_BYTES_A_TIME) {
		size_t size = table->rest_size, whole;
		ssize_t got;

		memcpy(data, table->rest, size);
		got = read(table->fd, data + size, sizeof(data) - size);
		if (got <= 0) {
			/* A whole round. */
			table->bytes = table->found;
			table->found = table->rest_size = 0;
			(void)lseek(table->fd, 0, SEEK_SET);
			return;
		}
		looked_at += (size_t)got;
		size += (size_t)got;
		for (whole = size; whole > 0 && data[whole - 1] != '\n';)
			whole--;
		table->found = plus(table->found, sample_table(which, data, whole));
		/* No line is so long. */
		table->rest_size = size - whole <= sizeof(table->rest) ? size - whole : 0;
		memcpy(table->rest, data + whole, table->rest_size);
	}
	if (table->found > table->bytes)
		table->bytes = table->found;
}

void sampler_read_tables(struct sampler *sampler)
{
	for (int i = 0; i < SAMPLE_TABLES; i++) {
		if (sampler->tables[i].fd >= 0)
			read_table(&sampler->tables[i], (enum sample_table)i);
	}
}

static uint64_t tables_bytes(const struct sampler *sampler)
{
	uint64_t sum = 0;

	for (int i = 0; i < SAMPLE_TABLES; i++)
		sum = plus(sum, sampler->tables[i].bytes);
	return sum;
}

static uint64_t stored_bytes(const struct sampler *sampler)
{
	uint64_t sum = 0;

	for (int i = 0; i < SAMPLER_STORES; i++) {
		struct statfs seen;
		uint64_t bytes;

		if (sampler->stored_fds[i] >= 0 && fstatfs(sampler->stored_fds[i], &seen) == 0 &&
		    seen.f_bsize > 0 &&
		    bv_mul(minus(seen.f_blocks, seen.f_bfree), (uint64_t)seen.f_bsize, &bytes))
			sum = plus(sum, bytes);
	}
	return sum;
}

static uint64_t unmapped_bytes(const struct sampler *sampler)
{
	return plus(sampler->files.bytes, plus(tables_bytes(sampler), stored_bytes(sampler)));
}

uint64_t sampler_memory_most(const struct sampler *sampler)
{
	return plus(sampler->memory_bytes, unmapped_bytes(sampler));
}

/* ---- page by page ---------------------------------------------------------------------------- */

/* Whether what this line begins maps something that unmapped_bytes counts. */
static bool is_counted(const struct sampler *sampler, const struct sample_map *map,
		       const char *line, size_t size)
{
	static const char segment[] = "/SYSV";
	const uint64_t device = makedev(map->device_major, map->device_minor);

	/* Through an overlay a file has another device, and then counts twice where it is mapped. */
	for (int i = 0; i < SAMPLER_STORES; i++) {
		if (sampler->stored_fds[i] >= 0 && device == sampler->stored_devices[i])
			return true;
	}
	if (device != sampler->memory_device)
		return false;
	/* A memory file can be called so too, but then it is found as one. */
	return has_file(&sampler->files, map->inode) ||
	       (sampler->tables[SAMPLE_SEGMENTS].fd >= 0 &&
		memmem(line, size, segment, sizeof(segment) - 1) != NULL);
}

/* Line by line, because there is no end to how many things a process may map. */
struct maps {
	const struct sampler *sampler;
	struct sample_map map;
	bool counted;
	uint64_t share, bytes;
};

static void take_map_line(struct maps *maps, const char *line, size_t size)
{
	switch (sample_map_line(line, size, &maps->map)) {
	case SAMPLE_MAP_BEGINS:
		maps->counted = is_counted(maps->sampler, &maps->map, line, size);
		break;
	case SAMPLE_MAP_SHARE:
		maps->share = maps->map.bytes;
		break;
	case SAMPLE_MAP_ANONYMOUS:
		/* Comes after the share; pages that were copied on writing are no part of the file. */
		if (maps->counted)
			maps->bytes = plus(maps->bytes, minus(maps->share, maps->map.bytes));
		break;
	case SAMPLE_MAP_OTHER:
		break;
	}
}

/* How much of one process's share of shared memory unmapped_bytes counts as well. */
static uint64_t counted_twice(struct sampler *sampler, struct sampler_member *member)
{
	static char data[1 << 16];
	struct maps maps = {.sampler = sampler};
	const int fd = sampler_open(sampler, member, "smaps");
	size_t kept = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, data + kept, sizeof(data) - kept)) > 0) {
		const char *line = data, *end = data + kept + (size_t)got;
		const char *stop;

		while ((stop = memchr(line, '\n', (size_t)(end - line))) != NULL) {
			take_map_line(&maps, line, (size_t)(stop - line));
			line = stop + 1;
		}
		/* A line longer than the buffer is none that counts. */
		kept = line == data && end == data + sizeof(data) ? 0 : (size_t)(end - line);
		memmove(data, line, kept);
	}
	if (fd >= 0)
		close(fd);
	return maps.bytes;
}

/* What is left of the members is written down at them, for some of them will end meanwhile. */
static void count_member(struct sampler *sampler, struct sampler_member *member, bool unmapped)
{
	static char data[4096];
	const struct sample_status *memory = &member->memory;
	size_t size = 0;

	member->round = sampler->round;
	member->share = (struct sample_share){0, 0};
	member->twice = 0;
	if (member->borrows)
		return;
	if (memory->anonymous + memory->shared + memory->swapped > 0)
		size = sampler_read(sampler, member, "smaps_rollup", data, sizeof(data));
	/* Where it may not be read, or has ended meanwhile: nothing is taken for shared. */
	if (!sample_rollup(data, size, &member->share))
		member->share = (struct sample_share){plus(memory->anonymous, memory->swapped),
						      memory->shared};
	member->share.anonymous = plus(member->share.anonymous, memory->tables);
	/* Shared memory swapped out is in nobody's share, so it is there if it counts at all. */
	if (member->share.shared > 0 && unmapped)
		member->twice = counted_twice(sampler, member);
	sampler->counted.anonymous = plus(sampler->counted.anonymous, member->share.anonymous);
	sampler->counted.shared = plus(sampler->counted.shared, member->share.shared);
	sampler->counted_twice = plus(sampler->counted_twice, member->twice);
}

/* Still there, and still with what it had: it has not ended, and not become another program. */
static bool is_still_there(struct sampler *sampler, struct sampler_member *member)
{
	char data[1024];
	const size_t size = sampler_read(sampler, member, "stat", data, sizeof(data));
	struct sample_stat stat;

	/* A thread has a start of its own, and the number of its process is not given to another. */
	return sample_stat(data, size, &stat) &&
	       (member->living != 0 || stat.start == member->start) &&
	       stat.pages >= member->pages / 2 && stat.pages > 0;
}

static uint64_t sum_of(const struct sample_share *share, uint64_t twice, uint64_t unmapped)
{
	return plus(plus(share->anonymous, unmapped),
		    share->shared - least(twice, least(share->shared, unmapped)));
}

/* Whoever ended during the round has left its share to others, who may have been counted after that. */
static uint64_t sum_of_remaining(struct sampler *sampler, uint64_t unmapped)
{
	struct sample_share share = {0, 0};
	uint64_t twice = 0;

	for (size_t i = 0; i < sampler->count; i++) {
		struct sampler_member *member = &sampler->members[i];

		if (member->round != sampler->round || !is_still_there(sampler, member))
			continue;
		share.anonymous = plus(share.anonymous, member->share.anonymous);
		share.shared = plus(share.shared, member->share.shared);
		twice = plus(twice, member->twice);
	}
	return sum_of(&share, twice, unmapped);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

bool sampler_memory_exact(struct sampler *sampler, uint64_t *ret_least, uint64_t *ret_most)
{
	const uint64_t unmapped = unmapped_bytes(sampler), began = clock_ns();
	bool whole = true;

	if (!sampler->counting) {
		sampler->counting = true;
		sampler->round++;
		sampler->counting_pid = 0;
		sampler->counted = (struct sample_share){0, 0};
		sampler->counted_twice = sampler->new_faults = 0;
	}
	for (size_t i = 0; i < sampler->count && whole; i++) {
		if (sampler->members[i].pid <= sampler->counting_pid)
			continue;
		count_member(sampler, &sampler->members[i], unmapped > 0);
		sampler->counting_pid = sampler->members[i].pid;
		whole = i + 1 == sampler->count || clock_ns() - began < EXACT_NS;
	}
	sampler->counting = !whole;
	*ret_least = sum_of_remaining(sampler, unmapped);
	*ret_most = sum_of(&sampler->counted, sampler->counted_twice, unmapped);
	return whole;
}
