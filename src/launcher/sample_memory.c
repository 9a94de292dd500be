/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sample_memory.c - what all members together hold of the machine's memory.
 *
 * Counted are anonymous and shared memory, what of it is swapped out, page tables, memory files and
 * System V segments whether mapped or not, and what the private root's filesystem holds.  Not
 * counted is what the kernel can take back or charges to nobody we can ask: file pages, and buffers
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
#include <unistd.h>

#include "contract/base.h"

enum { FILES_MAX = 1 << 14, PATH_BYTES = 64, TABLE_BYTES = 1 << 16, BLOCK_BYTES = 512 };

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

static struct sampler_file *find_file(const struct sampler *sampler, uint64_t inode)
{
	for (size_t i = 0; i < sampler->file_count; i++) {
		if (sampler->files[i].inode == inode)
			return &sampler->files[i];
	}
	return NULL;
}

static void add_file(struct sampler *sampler, const struct stat *seen)
{
	if (seen->st_dev != sampler->memory_device || !S_ISREG(seen->st_mode) ||
	    find_file(sampler, seen->st_ino) != NULL)
		return;
	if (sampler->file_count < FILES_MAX)
		sampler->files[sampler->file_count++] = (struct sampler_file){
			seen->st_ino, (uint64_t)seen->st_blocks * BLOCK_BYTES};
	sampler->files_bytes = plus(sampler->files_bytes, (uint64_t)seen->st_blocks * BLOCK_BYTES);
}

void sampler_find_files(struct sampler *sampler)
{
	sampler->file_count = 0;
	sampler->files_bytes = 0;
	for (size_t i = 0; i < sampler->count; i++) {
		char path[PATH_BYTES];
		struct stat seen;
		DIR *dir;
		int fd;

		(void)snprintf(path, sizeof(path), "%d/fd", (int)sampler->members[i].pid);
		fd = openat(sampler->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		dir = fd >= 0 ? fdopendir(fd) : NULL;
		for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
			/* Follows to the file itself, whatever it is called, and opens nothing. */
			if (entry->d_name[0] != '.' &&
			    fstatat(dirfd(dir), entry->d_name, &seen, 0) == 0)
				add_file(sampler, &seen);
		}
		if (dir != NULL)
			closedir(dir);
	}
}

static uint64_t segments_bytes(const struct sampler *sampler)
{
	static char table[TABLE_BYTES];
	size_t size = 0;

	if (sampler->segments_fd < 0)
		return 0;
	while (size < sizeof(table)) {
		ssize_t got = pread(sampler->segments_fd, table + size, sizeof(table) - size,
				    (off_t)size);

		if (got <= 0)
			break;
		size += (size_t)got;
	}
	return sample_segments(table, size);
}

static uint64_t stored_bytes(const struct sampler *sampler)
{
	struct statfs seen;
	uint64_t bytes;

	if (sampler->tmp_fd < 0 || fstatfs(sampler->tmp_fd, &seen) != 0 || seen.f_bsize <= 0 ||
	    !bv_mul(minus(seen.f_blocks, seen.f_bfree), (uint64_t)seen.f_bsize, &bytes))
		return 0;
	return bytes;
}

static uint64_t unmapped_bytes(const struct sampler *sampler)
{
	return plus(sampler->files_bytes, plus(segments_bytes(sampler), stored_bytes(sampler)));
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

	if (sampler->tmp_fd >= 0 && device == sampler->tmp_device)
		return true;
	if (device != sampler->memory_device)
		return false;
	/* A memory file can be called so too, but then it is found as one. */
	return find_file(sampler, map->inode) != NULL ||
	       (sampler->segments_fd >= 0 &&
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
static uint64_t counted_twice(const struct sampler *sampler, pid_t pid)
{
	static char data[1 << 16];
	struct maps maps = {.sampler = sampler};
	char path[PATH_BYTES];
	size_t kept = 0;
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "%d/smaps", (int)pid);
	fd = openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC);
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

uint64_t sampler_memory_exact(struct sampler *sampler)
{
	static char data[4096];
	const uint64_t unmapped = unmapped_bytes(sampler);
	uint64_t anonymous = 0, shared = 0, twice = 0;

	sampler->new_faults = 0;
	for (size_t i = 0; i < sampler->count; i++) {
		const struct sampler_member *member = &sampler->members[i];
		const struct sample_status *memory = &member->memory;
		struct sample_share share;
		size_t size = 0;

		if (memory->anonymous + memory->shared + memory->swapped > 0)
			size = sampler_read(sampler, member->pid, "smaps_rollup", data,
					    sizeof(data));
		/* Where it may not be read, or has ended meanwhile: nothing is taken for shared. */
		if (!sample_rollup(data, size, &share))
			share = (struct sample_share){plus(memory->anonymous, memory->swapped),
						      memory->shared};
		anonymous = plus(anonymous, plus(share.anonymous, memory->tables));
		shared = plus(shared, share.shared);
		/* Shared memory swapped out is in nobody's share, so it is there if it counts at all. */
		if (share.shared > 0 && unmapped > 0)
			twice = plus(twice, counted_twice(sampler, member->pid));
	}
	twice = least(twice, least(shared, unmapped));
	return plus(plus(anonymous, unmapped), shared - twice);
}
