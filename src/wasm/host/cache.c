/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cache.c - compiled modules, kept for the next run. */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/hash.h"
#include "linux/spawn.h"
#include "memory.h"

#define KEY_NAME "key"

struct header {
	char magic[8];
	struct bv_digest key;
	uint64_t size_bytes;
	struct bv_digest mac; /* over all before it, and the code */
};

static const char magic[8] = "BVWASM1";

/* ---- the directory --------------------------------------------------------------------------- */

bool bv__wasm_cache_directory(char ret_path[PATH_MAX])
{
	const char *named = secure_getenv("BVISOR_CACHE"), *base = secure_getenv("XDG_CACHE_HOME"),
		   *home = secure_getenv("HOME");
	int len;

	if (named != NULL && strcmp(named, "none") == 0)
		return false;
	if (named != NULL && named[0] == '/')
		len = snprintf(ret_path, PATH_MAX, "%s/wasm", named);
	else if (base != NULL && base[0] == '/')
		len = snprintf(ret_path, PATH_MAX, "%s/bvisor/wasm", base);
	else if (home != NULL && home[0] == '/')
		len = snprintf(ret_path, PATH_MAX, "%s/.cache/bvisor/wasm", home);
	else
		return false;
	return len > 0 && len < PATH_MAX - 80;
}

static void make_directories(const char *path)
{
	char above[PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		memcpy(above, path, (size_t)(slash - path));
		above[slash - path] = '\0';
		(void)mkdir(above, 0700); /* there already, or the last one fails too */
	}
	(void)mkdir(path, 0700);
}

/* Ours alone, or not at all: who may write there decides what is run. */
static bool is_ours(int fd, mode_t kind)
{
	struct stat seen;

	return fstat(fd, &seen) == 0 && (seen.st_mode & S_IFMT) == kind &&
	       seen.st_uid == geteuid() && (seen.st_mode & 077) == 0;
}

static int open_directory(bool make)
{
	char path[PATH_MAX];
	int fd;

	if (!bv__wasm_cache_directory(path))
		return -1;
	if (make)
		make_directories(path);
	fd = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !is_ours(fd, S_IFDIR)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A file without a name yet. */
static int make_file(int directory)
{
	return openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static bool name_file(int directory, int fd, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) == 0;
}

static int open_file(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && !is_ours(fd, S_IFREG)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- the key --------------------------------------------------------------------------------- */

static bool read_key(int directory, struct bv_digest *ret_key)
{
	int fd = open_file(directory, KEY_NAME);
	bool whole = fd >= 0 && bv__read_all(fd, ret_key->bytes, sizeof ret_key->bytes);

	if (fd >= 0)
		close(fd);
	return whole;
}

static bool make_key(int directory, struct bv_digest *ret_key)
{
	int fd = make_file(directory);
	bool made = fd >= 0 &&
		    getrandom(ret_key->bytes, sizeof ret_key->bytes, 0) ==
			    (ssize_t)sizeof ret_key->bytes &&
		    bv__write_all(fd, ret_key->bytes, sizeof ret_key->bytes) && fsync(fd) == 0 &&
		    name_file(directory, fd, KEY_NAME);

	if (fd >= 0)
		close(fd);
	/* Somebody was quicker: theirs counts. */
	return made || read_key(directory, ret_key);
}

static void make_mac(const struct bv_digest *secret, const struct header *header, const void *code,
		     struct bv_digest *ret_mac)
{
	struct bv_hash hash;

	bv_hash_init_keyed(&hash, secret);
	bv_hash_update(&hash, header, offsetof(struct header, mac));
	bv_hash_update(&hash, code, header->size_bytes);
	bv_hash_final(&hash, ret_mac);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Copies the code out, and only then looks at it: what was checked is what is handed on. */
static int take_code(int fd, const struct header *header, const struct bv_digest *secret)
{
	int code = bv__memory_file("bvisor-wasm-code", header->size_bytes);
	struct bv_digest mac;
	void *data;
	bool good;

	if (code < 0)
		return -1;
	data = mmap(NULL, header->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, code, 0);
	if (data == MAP_FAILED) {
		close(code);
		return -1;
	}
	good = bv__read_all(fd, data, header->size_bytes);
	if (good) {
		make_mac(secret, header, data, &mac);
		good = bv_digest_equal(&mac, &header->mac);
	}
	(void)munmap(data, header->size_bytes);
	if (good && bv__memory_seal(code))
		return code;
	close(code);
	return -1;
}

int bv__wasm_cache_read(const struct bv_digest *key)
{
	int directory = open_directory(false), fd = -1, code = -1;
	struct bv_digest secret;
	struct header header;
	char name[65];

	if (directory < 0)
		return -1;
	bv_digest_hex(key, name);
	if (read_key(directory, &secret))
		fd = open_file(directory, name);
	if (fd >= 0 && bv__read_all(fd, &header, sizeof header) &&
	    memcmp(header.magic, magic, sizeof magic) == 0 && bv_digest_equal(&header.key, key) &&
	    header.size_bytes > 0 && header.size_bytes <= BV_WASM_CODE_MAX)
		code = take_code(fd, &header, &secret);
	/* What was used last goes last; that it could not be noted harms nobody. */
	if (code >= 0)
		(void)futimens(fd, (const struct timespec[2]){{.tv_nsec = UTIME_NOW},
							      {.tv_nsec = UTIME_NOW}});
	else if (fd >= 0)
		(void)unlinkat(directory, name, 0);
	if (fd >= 0)
		close(fd);
	close(directory);
	return code;
}

/* ---- listing --------------------------------------------------------------------------------- */

static bool is_entry_name(const char *name)
{
	return strlen(name) == 64 && strspn(name, "0123456789abcdef") == 64;
}

static int by_use(const void *a, const void *b)
{
	const struct bv__wasm_cache_entry *x = a, *y = b;

	if (x->used_unix_seconds != y->used_unix_seconds)
		return x->used_unix_seconds < y->used_unix_seconds ? -1 : 1;
	return strcmp(x->name, y->name);
}

static size_t list(int directory, struct bv__wasm_cache_entry *entries, size_t capacity)
{
	int copy = fcntl(directory, F_DUPFD_CLOEXEC, 3);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	size_t count = 0;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return 0;
	}
	rewinddir(dir);
	for (const struct dirent *entry; count < capacity && (entry = readdir(dir)) != NULL;) {
		struct stat seen;

		if (!is_entry_name(entry->d_name) ||
		    fstatat(directory, entry->d_name, &seen, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		memcpy(entries[count].name, entry->d_name, 65);
		entries[count].size_bytes = (uint64_t)seen.st_size;
		entries[count++].used_unix_seconds = seen.st_mtime;
	}
	closedir(dir);
	qsort(entries, count, sizeof *entries, by_use);
	return count;
}

size_t bv__wasm_cache_list(struct bv__wasm_cache_entry *entries, size_t capacity)
{
	int directory = open_directory(false);
	size_t count;

	if (directory < 0)
		return 0;
	count = list(directory, entries, capacity);
	close(directory);
	return count;
}

size_t bv__wasm_cache_clear(void)
{
	struct bv__wasm_cache_entry entries[BV_WASM_CACHE_ENTRIES];
	int directory = open_directory(false);
	size_t removed = 0, before;

	if (directory < 0)
		return 0;
	do {
		size_t count = list(directory, entries, BV_WASM_CACHE_ENTRIES);

		before = removed;
		for (size_t i = 0; i < count; i++)
			removed += unlinkat(directory, entries[i].name, 0) == 0;
	} while (removed > before);
	(void)unlinkat(directory, KEY_NAME, 0);
	close(directory);
	return removed;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Makes room for one more, of the size. */
static void evict(int directory, uint64_t size_bytes)
{
	struct bv__wasm_cache_entry entries[2 * BV_WASM_CACHE_ENTRIES];
	size_t count = list(directory, entries, sizeof entries / sizeof *entries);
	uint64_t total = size_bytes;

	for (size_t i = 0; i < count; i++)
		total += entries[i].size_bytes;
	for (size_t i = 0;
	     i < count && (count - i >= BV_WASM_CACHE_ENTRIES || total > BV_WASM_CACHE_BYTES);
	     i++) {
		if (unlinkat(directory, entries[i].name, 0) == 0)
			total -= entries[i].size_bytes;
	}
}

static bool write_entry(int directory, const struct header *header, const void *code)
{
	int fd = make_file(directory);
	char name[65];
	bool made;

	if (fd < 0)
		return false;
	bv_digest_hex(&header->key, name);
	/* One that is there already was found wanting, or somebody was quicker with the same. */
	made = bv__write_all(fd, header, sizeof *header) &&
	       bv__write_all(fd, code, header->size_bytes) &&
	       (name_file(directory, fd, name) ||
		(unlinkat(directory, name, 0) == 0 && name_file(directory, fd, name)));
	close(fd);
	return made;
}

void bv__wasm_cache_write(const struct bv_digest *key, int code_fd, size_t size_bytes)
{
	struct header header = {.key = *key, .size_bytes = size_bytes};
	int directory = open_directory(true);
	struct bv_digest secret;
	void *code;

	if (directory < 0)
		return;
	memcpy(header.magic, magic, sizeof magic);
	code = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE, code_fd, 0);
	if (code != MAP_FAILED) {
		if (make_key(directory, &secret)) {
			evict(directory, size_bytes + sizeof header);
			make_mac(&secret, &header, code, &header.mac);
			(void)write_entry(directory, &header, code); /* then it is compiled again */
		}
		(void)munmap(code, size_bytes);
	}
	close(directory);
}
