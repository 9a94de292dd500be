/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe_memory.c - remembers between processes what the launcher found when it tried.
 *
 * Trying takes as long as several runs.  The file lives where it is gone after a reboot, in a
 * directory that nobody else may enter, a newer key in place of an older one.  It is believed only when it is ours alone,
 * whole, and of exactly this key.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/hash.h"
#include "sys.h"

static const char magic[8] = {'B', 'V', 'P', 'R', 'O', 'B', 'E', '1'};

/* What the file begins with; all bytes, so nothing of it is padding. */
struct file_header {
	char magic[8];
	uint8_t key[32];
	uint8_t launcher[32];
	uint8_t digest[32]; /* of the launcher's digest and the facts */
};

enum { NAME_SIZE = 48 };

static void file_name(const struct bv_digest *key, char *ret_name)
{
	char hex[65];

	bv_digest_hex(key, hex);
	memcpy(ret_name, "probe-", 6);
	/* One digit: sixteen files at the most, however many launchers and machines pass by. */
	ret_name[6] = hex[0];
	ret_name[7] = '\0';
}

static void digest_of(const struct bv_probe_memory *memory, uint8_t ret_digest[32])
{
	struct bv_digest digest;
	struct bv_hash hash;

	bv_hash_init(&hash);
	bv_hash_update(&hash, memory->launcher.bytes, sizeof(memory->launcher.bytes));
	bv_hash_update(&hash, memory->facts, memory->facts_bytes);
	bv_hash_final(&hash, &digest);
	memcpy(ret_digest, digest.bytes, 32);
}

/* The directory, if it is ours and nobody else may enter it. */
static int open_directory(const char *path, bool make)
{
	struct stat seen;
	int fd;

	if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
		return -1;
	fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &seen) != 0 || seen.st_uid != geteuid() || (seen.st_mode & 077) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool read_file(int fd, const struct bv_digest *key, struct bv_probe_memory *ret_memory)
{
	uint8_t data[sizeof(struct file_header) + sizeof(ret_memory->facts)];
	struct file_header header;
	uint8_t digest[32];
	struct stat seen;
	ssize_t got;

	if (fstat(fd, &seen) != 0 || !S_ISREG(seen.st_mode) || seen.st_uid != geteuid() ||
	    (seen.st_mode & 077) != 0)
		return false;
	got = read(fd, data, sizeof(data));
	if (got <= (ssize_t)sizeof(header) || seen.st_size != got)
		return false;
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.magic, magic, sizeof(magic)) != 0 ||
	    memcmp(header.key, key->bytes, 32) != 0)
		return false;
	ret_memory->facts_bytes = (size_t)got - sizeof(header);
	memcpy(ret_memory->facts, data + sizeof(header), ret_memory->facts_bytes);
	memcpy(ret_memory->launcher.bytes, header.launcher, 32);
	ret_memory->key = *key;
	digest_of(ret_memory, digest);
	return memcmp(header.digest, digest, 32) == 0;
}

bool bv__probe_recall(const char *directory, const struct bv_digest *key,
		      struct bv_probe_memory *ret_memory)
{
	char name[NAME_SIZE];
	int dir = open_directory(directory, false);
	bool found = false;
	int fd;

	if (dir < 0)
		return false;
	file_name(key, name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		found = read_file(fd, key, ret_memory);
		close(fd);
	}
	close(dir);
	return found;
}

void bv__probe_remember(const char *directory, const struct bv_probe_memory *memory)
{
	uint8_t data[sizeof(struct file_header) + sizeof(memory->facts)];
	char name[NAME_SIZE], fresh[NAME_SIZE];
	struct file_header header;
	uint64_t salt = 0;
	size_t size_bytes;
	int fd, dir = open_directory(directory, true);

	if (dir < 0)
		return;
	memcpy(header.magic, magic, sizeof(magic));
	memcpy(header.key, memory->key.bytes, 32);
	memcpy(header.launcher, memory->launcher.bytes, 32);
	digest_of(memory, header.digest);
	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), memory->facts, memory->facts_bytes);
	size_bytes = sizeof(header) + memory->facts_bytes;

	file_name(&memory->key, name);
	(void)bv_sys_getrandom(&salt, sizeof(salt), 0);
	memcpy(fresh, ".new-", 5);
	for (size_t i = 0; i < 16; i++)
		fresh[5 + i] = "0123456789abcdef"[salt >> (4 * i) & 15];
	fresh[21] = '\0';
	fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		/* Nothing is lost but time when this fails: the next process tries again. */
		if (write(fd, data, size_bytes) != (ssize_t)size_bytes ||
		    renameat(dir, fresh, dir, name) != 0)
			(void)unlinkat(dir, fresh, 0);
		close(fd);
	}
	close(dir);
}
