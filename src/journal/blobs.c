/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * blobs.c - the files beside the journal that hold what runs left.
 *
 * A file is written under a name of its attempt, synced, and renamed to its digest: what has a digest
 * for a name is whole.  Writing the same bytes twice replaces a file by its equal, and mends it.
 */
#include "blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "contract/canon.h"
#include "database.h"

enum {
	BLOCK_BYTES = 128 << 10,
	SYNCED_ONE_BY_ONE = 32, /* beyond that the whole file system is the cheaper */
	NAME_SIZE = 80,
	REMOVED_AT_ONCE = 4096, /* digests in one record */
	LOCK_WAIT_MS = 5,
};

/* ---- the directory --------------------------------------------------------------------------- */

static enum bv_code fail(struct bv_error *err, const char *what)
{
	const int sys_errno = errno;
	enum bv_code code = sys_errno == ENOSPC || sys_errno == EDQUOT
				    ? bv_fail_remedy(err, BV_E_JOURNAL, "blobs",
						     "free some space where the journal is",
						     "%s: there is no room beside the journal",
						     what)
				    : bv_fail(err, BV_E_JOURNAL, "blobs", "%s", what);

	if (err != NULL)
		err->sys_errno = sys_errno;
	return code;
}

static const char *directory_of(const struct bv_journal *journal)
{
	return journal->files[BV_JOURNAL_BLOBS];
}

static enum bv_code open_directory(const struct bv_journal *journal, int *ret_dir,
				   struct bv_error *err)
{
	struct stat seen;
	int dir = open(directory_of(journal), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 || fstat(dir, &seen) != 0) {
		if (dir >= 0)
			close(dir);
		return fail(err, "the directory of kept bytes beside the journal cannot be opened");
	}
	*ret_dir = dir;
	return BV_OK;
}

enum bv_code bv__blobs_prepare(const struct bv_journal *journal, struct bv_error *err)
{
	const char *path = directory_of(journal);
	char above[PATH_MAX];
	struct stat seen;
	int dir;

	if (mkdir(path, 0700) == 0) {
		(void)snprintf(above, sizeof above, "%s", path);
		dir = open(dirname(above), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || fsync(dir) != 0) {
			if (dir >= 0)
				close(dir);
			return fail(err, "no directory for kept bytes can be made durable");
		}
		close(dir);
	} else if (errno != EEXIST) {
		return fail(err, "no directory for kept bytes can be made beside the journal");
	}
	if (lstat(path, &seen) != 0)
		return fail(err, "the directory of kept bytes cannot be looked at");
	if (!S_ISDIR(seen.st_mode) || (seen.st_mode & 022) != 0 || seen.st_uid != geteuid())
		return bv_fail_remedy(err, BV_E_JOURNAL, "blobs",
				      "move it away, or name another journal with --journal PATH",
				      "'%s' is not a directory that its owner alone may write",
				      path);
	return BV_OK;
}

/* Waits as long as for another writer of the database. */
static enum bv_code lock(const struct bv_journal *journal, int dir, int how, struct bv_error *err)
{
	const struct timespec moment = {0, LOCK_WAIT_MS * 1000000L};

	for (unsigned int waited = 0; flock(dir, how | LOCK_NB) != 0; waited += LOCK_WAIT_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(err, "the directory of kept bytes cannot be locked");
		if (waited >= journal->busy_ms)
			return bv_fail_remedy(
				err, BV_E_BUSY, "blobs", "wait for it to finish",
				"another program is at the bytes kept beside the journal");
		(void)nanosleep(&moment, NULL); /* interrupted is as good */
	}
	return BV_OK;
}

static void digest_name(const struct bv_digest *digest, char ret_name[NAME_SIZE])
{
	bv_digest_hex(digest, ret_name);
}

static void passing_name(const struct bv_digest *attempt, size_t number, char ret_name[NAME_SIZE])
{
	char hex[65];

	bv_digest_hex(attempt, hex);
	(void)snprintf(ret_name, NAME_SIZE, ".new-%.32s-%zu", hex, number);
}

/* ---- adding ---------------------------------------------------------------------------------- */

enum bv_code bv__blobs_begin(const struct bv_journal *journal, const struct bv_digest *attempt,
			     struct bv__blobs *ret_blobs, struct bv_error *err)
{
	int dir = -1;
	enum bv_code code = open_directory(journal, &dir, err);

	*ret_blobs = (struct bv__blobs){.journal = journal, .attempt = *attempt, .dir = -1};
	if (code == BV_OK)
		code = lock(journal, dir, LOCK_SH, err);
	if (code != BV_OK) {
		if (dir >= 0)
			close(dir);
		return code;
	}
	ret_blobs->dir = dir;
	return BV_OK;
}

static bool grow(struct bv__blobs *blobs)
{
	struct bv__blob *larger;
	const size_t capacity = blobs->capacity == 0 ? 16 : 2 * blobs->capacity;

	if (blobs->count < blobs->capacity)
		return true;
	larger = realloc(blobs->items, capacity * sizeof *larger);
	if (larger == NULL)
		return false;
	blobs->items = larger;
	blobs->capacity = capacity;
	return true;
}

static bool is_zero(const uint8_t *block, size_t size_bytes)
{
	return size_bytes == 0 || (block[0] == 0 && memcmp(block, block + 1, size_bytes - 1) == 0);
}

static int write_at(int fd, const uint8_t *data, size_t size_bytes, off_t at)
{
	for (size_t done = 0; done < size_bytes;) {
		const ssize_t wrote = pwrite(fd, data + done, size_bytes - done, at + (off_t)done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return -1;
		done += (size_t)wrote;
	}
	return 0;
}

static enum bv_code pour(int from, int to, uint64_t most, uint8_t *block, struct bv__blob *blob,
			 struct bv_error *err)
{
	struct bv_hash hash;
	uint64_t size = 0;

	bv_hash_init(&hash);
	for (;;) {
		const ssize_t got = pread(from, block, BLOCK_BYTES, (off_t)size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			const int sys_errno = errno;

			(void)bv_fail(err, BV_E_SYSTEM, "blobs", "the file cannot be read");
			if (err != NULL)
				err->sys_errno = sys_errno;
			return BV_E_SYSTEM;
		}
		if (got == 0)
			break;
		if ((uint64_t)got > most - size)
			return bv_fail(err, BV_E_STATE, "blobs",
				       "the file is longer than %llu bytes",
				       (unsigned long long)most);
		bv_hash_update(&hash, block, (size_t)got);
		if (to >= 0 && !is_zero(block, (size_t)got) &&
		    write_at(to, block, (size_t)got, (off_t)size) != 0)
			return fail(err, "bytes cannot be kept");
		size += (uint64_t)got;
	}
	if (to >= 0 && ftruncate(to, (off_t)size) != 0)
		return fail(err, "bytes cannot be kept");
	bv_hash_final(&hash, &blob->digest);
	blob->size_bytes = size;
	return BV_OK;
}

enum bv_code bv__blob_pour(int from, int to, uint64_t most, struct bv__blob *ret_blob,
			   struct bv_error *err)
{
	uint8_t *block = malloc(BLOCK_BYTES);
	enum bv_code code = block != NULL ? pour(from, to, most, block, ret_blob, err)
					  : bv_fail(err, BV_E_MEMORY, "blobs",
						    "no memory to copy a file");

	free(block);
	return code;
}

static enum bv_code open_passing(struct bv__blobs *blobs, char name[NAME_SIZE], int *ret_fd,
				 struct bv_error *err)
{
	if (!grow(blobs))
		return bv_fail(err, BV_E_MEMORY, "blobs", "no memory to keep so many files");
	passing_name(&blobs->attempt, blobs->count, name);
	*ret_fd = openat(blobs->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0600);
	return *ret_fd >= 0 ? BV_OK : fail(err, "bytes cannot be kept");
}

/* Counts it in, or takes away what was begun. */
static enum bv_code end_passing(struct bv__blobs *blobs, const char *name, int to,
				const struct bv__blob *blob, enum bv_code code)
{
	close(to);
	if (code == BV_OK)
		blobs->items[blobs->count++] = *blob;
	else
		(void)unlinkat(blobs->dir, name, 0); /* a leftover is dropped with its attempt */
	return code;
}

enum bv_code bv__blobs_copy(struct bv__blobs *blobs, int fd, uint64_t most,
			    struct bv__blob *ret_blob, struct bv_error *err)
{
	char name[NAME_SIZE];
	int to = -1;
	enum bv_code code = open_passing(blobs, name, &to, err);

	if (code != BV_OK)
		return code;
	code = bv__blob_pour(fd, to, most, ret_blob, err);
	return end_passing(blobs, name, to, ret_blob, code);
}

enum bv_code bv__blobs_put(struct bv__blobs *blobs, const void *data, size_t size_bytes,
			   struct bv__blob *ret_blob, struct bv_error *err)
{
	char name[NAME_SIZE];
	int to = -1;
	enum bv_code code = open_passing(blobs, name, &to, err);

	if (code != BV_OK)
		return code;
	bv_hash_bytes(data, size_bytes, &ret_blob->digest);
	ret_blob->size_bytes = size_bytes;
	if (write_at(to, data, size_bytes, 0) != 0)
		code = fail(err, "bytes cannot be kept");
	return end_passing(blobs, name, to, ret_blob, code);
}

static int sync_one(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const int result = fd >= 0 ? fdatasync(fd) : -1;
	const int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return result;
}

enum bv_code bv__blobs_seal(struct bv__blobs *blobs, struct bv_error *err)
{
	const bool one_by_one = blobs->count <= SYNCED_ONE_BY_ONE;
	char passing[NAME_SIZE], name[NAME_SIZE];

	for (size_t i = 0; one_by_one && i < blobs->count; i++) {
		passing_name(&blobs->attempt, i, passing);
		if (sync_one(blobs->dir, passing) != 0)
			return fail(err, "kept bytes cannot be made durable");
	}
	if (!one_by_one && syncfs(blobs->dir) != 0)
		return fail(err, "kept bytes cannot be made durable");
	for (size_t i = 0; i < blobs->count; i++) {
		passing_name(&blobs->attempt, i, passing);
		digest_name(&blobs->items[i].digest, name);
		if (renameat(blobs->dir, passing, blobs->dir, name) != 0)
			return fail(err, "kept bytes cannot be named");
	}
	if (blobs->count > 0 && fsync(blobs->dir) != 0)
		return fail(err, "kept bytes cannot be made durable");
	blobs->sealed = true;
	return BV_OK;
}

void bv__blobs_end(struct bv__blobs *blobs)
{
	char name[NAME_SIZE];

	for (size_t i = 0; blobs->dir >= 0 && !blobs->sealed && i < blobs->count; i++) {
		passing_name(&blobs->attempt, i, name);
		(void)unlinkat(blobs->dir, name, 0); /* a leftover is dropped with its attempt */
	}
	if (blobs->dir >= 0)
		close(blobs->dir); /* and with it the lock */
	free(blobs->items);
	*blobs = (struct bv__blobs){.dir = -1};
}

/* ---- reading --------------------------------------------------------------------------------- */

enum bv_code bv__blob_open(const struct bv_journal *journal, const struct bv_digest *digest,
			   int *ret_fd, struct bv_error *err)
{
	char name[NAME_SIZE];
	struct stat seen;
	int dir = -1, fd;
	enum bv_code code = open_directory(journal, &dir, err);

	if (code != BV_OK)
		return code;
	digest_name(digest, name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close(dir);
	if (fd < 0 || fstat(fd, &seen) != 0 || !S_ISREG(seen.st_mode)) {
		const int sys_errno = errno;

		if (fd >= 0)
			close(fd);
		(void)bv_fail(err, BV_E_INTEGRITY, "blobs", "the kept bytes %.*s... are missing",
			      16, name);
		if (err != NULL)
			err->sys_errno = fd < 0 ? sys_errno : 0;
		return BV_E_INTEGRITY;
	}
	*ret_fd = fd;
	return BV_OK;
}

enum bv_code bv__blob_check(const struct bv_journal *journal, const struct bv_digest *digest,
			    uint64_t size_bytes, struct bv_error *err)
{
	struct bv__blob found;
	char hex[65];
	int fd = -1;
	enum bv_code code = bv__blob_open(journal, digest, &fd, err);

	if (code != BV_OK)
		return code;
	code = bv__blob_pour(fd, -1, size_bytes, &found, err);
	close(fd);
	bv_digest_hex(digest, hex);
	if (code == BV_E_SYSTEM)
		return bv_fail(err, BV_E_INTEGRITY, "blobs",
			       "the kept bytes %.*s... cannot be read", 16, hex);
	if (code == BV_E_STATE || (code == BV_OK && (found.size_bytes != size_bytes ||
						     !bv_digest_equal(&found.digest, digest))))
		return bv_fail(err, BV_E_INTEGRITY, "blobs", "the kept bytes %.*s... were altered",
			       16, hex);
	return code;
}

/* Removes one unless something else is the same bytes.  The caller wrote down that it goes. */
enum bv_code bv__blob_discard(const struct bv_journal *journal, const struct bv_digest *digest,
			      struct bv_error *err)
{
	char name[NAME_SIZE];
	sqlite3 *db = NULL;
	bool refers = true;
	int dir = -1;
	enum bv_code code = open_directory(journal, &dir, err);

	if (code != BV_OK)
		return code;
	code = lock(journal, dir, LOCK_EX, err);
	if (code == BV_OK)
		code = bv__database_read(journal, &db, err);
	if (code == BV_OK)
		code = bv__kept_refers(db, digest, &refers, err);
	digest_name(digest, name);
	if (code == BV_OK && !refers && unlinkat(dir, name, 0) != 0 && errno != ENOENT)
		code = fail(err, "kept bytes cannot be removed");
	(void)sqlite3_close(db); /* only read from */
	close(dir);
	return code;
}

/* ---- deciding -------------------------------------------------------------------------------- */

enum bv_code bv__blobs_decide_alone(const struct bv_journal *journal, bool wait, int *ret_lock,
				    struct bv_error *err)
{
	int dir = -1, fd;
	enum bv_code code = open_directory(journal, &dir, err);

	if (code != BV_OK)
		return code;
	fd = openat(dir, ".deciding", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	close(dir);
	if (fd < 0)
		return fail(err, "decisions about kept bytes cannot take turns");
	if (wait)
		code = lock(journal, fd, LOCK_EX, err);
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		code = BV_E_BUSY;
	if (code != BV_OK) {
		close(fd);
		return code;
	}
	*ret_lock = fd;
	return BV_OK;
}

/* ---- removing -------------------------------------------------------------------------------- */

static bool digest_of_name(const char *name, struct bv_digest *ret_digest)
{
	if (strlen(name) != 64 || strspn(name, "0123456789abcdef") != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		unsigned int byte;

		if (sscanf(name + 2 * i, "%2x", &byte) != 1)
			return false;
		ret_digest->bytes[i] = (uint8_t)byte;
	}
	return true;
}

/* Written down before it is done: nothing that was kept goes without a trace. */
static enum bv_code write_removed(struct bv_journal *journal, struct bv_digest *digests,
				  size_t count, uint64_t bytes, struct bv_error *err)
{
	const struct bv_removed_event event = {.principal = (uint32_t)geteuid(),
					       .blobs = {digests, count},
					       .size_bytes = bytes};
	struct bv__entry entry = {.kind = BV_EVENT_REMOVED};
	struct bv__append append = {.entries = &entry, .count = 1, .durable = true};
	struct bv_arena arena;
	enum bv_code code = bv__scratch_map(&arena, err);

	if (code != BV_OK)
		return code;
	entry.payload = bv_canon_bytes(&arena, &bv_removed_event_type, &event);
	code = entry.payload.data != NULL
		       ? bv__journal_append(journal, &append, err)
		       : bv_fail(err, BV_E_MEMORY, "blobs", "no memory for a record");
	bv__scratch_unmap(&arena);
	return code;
}

struct sweep {
	struct bv_journal *journal;
	sqlite3 *db;
	int dir;
	struct bv_digest *found; /* REMOVED_AT_ONCE of them */
	size_t count;
	uint64_t bytes, total, total_bytes;
};

static enum bv_code remove_found(struct sweep *sweep, struct bv_error *err)
{
	char name[NAME_SIZE];
	enum bv_code code = write_removed(sweep->journal, sweep->found, sweep->count, sweep->bytes,
					  err);

	for (size_t i = 0; code == BV_OK && i < sweep->count; i++) {
		digest_name(&sweep->found[i], name);
		if (unlinkat(sweep->dir, name, 0) != 0 && errno != ENOENT)
			code = fail(err, "kept bytes cannot be removed");
		else
			sweep->total++;
	}
	if (code == BV_OK) {
		sweep->total_bytes += sweep->bytes;
		sweep->bytes = 0;
		sweep->count = 0;
	}
	return code;
}

static enum bv_code sweep_all(struct sweep *sweep, DIR *stream, struct bv_error *err)
{
	const struct dirent *entry;
	enum bv_code code = BV_OK;

	while (code == BV_OK && (errno = 0, entry = readdir(stream)) != NULL) {
		struct bv_digest digest;
		struct stat seen;
		bool live = true;

		/* Nobody is writing while we hold the lock: half written, and never named by a record. */
		if (strncmp(entry->d_name, ".new-", 5) == 0)
			(void)unlinkat(sweep->dir, entry->d_name, 0); /* the next sweep finds it */
		if (!digest_of_name(entry->d_name, &digest))
			continue;
		code = bv__kept_refers(sweep->db, &digest, &live, err);
		if (code != BV_OK || live)
			continue;
		sweep->found[sweep->count++] = digest;
		if (fstatat(sweep->dir, entry->d_name, &seen, AT_SYMLINK_NOFOLLOW) == 0)
			sweep->bytes += (uint64_t)seen.st_size;
		if (sweep->count == REMOVED_AT_ONCE)
			code = remove_found(sweep, err);
	}
	if (code == BV_OK && sweep->count > 0)
		code = remove_found(sweep, err);
	return code;
}

enum bv_code bv__blobs_sweep(struct bv_journal *journal, uint64_t *ret_count, uint64_t *ret_bytes,
			     struct bv_error *err)
{
	struct sweep sweep = {.journal = journal, .dir = -1};
	DIR *stream = NULL;
	enum bv_code code = open_directory(journal, &sweep.dir, err);

	*ret_count = *ret_bytes = 0;
	if (code != BV_OK)
		return code;
	code = lock(journal, sweep.dir, LOCK_EX, err);
	if (code == BV_OK) {
		code = bv__database_read(journal, &sweep.db, err);
	}
	if (code == BV_OK) {
		sweep.found = calloc(REMOVED_AT_ONCE, sizeof *sweep.found);
		stream = fdopendir(dup(sweep.dir));
		code = sweep.found != NULL && stream != NULL
			       ? sweep_all(&sweep, stream, err)
			       : bv_fail(err, BV_E_MEMORY, "blobs", "no memory to look for bytes");
	}
	if (stream != NULL)
		closedir(stream);
	free(sweep.found);
	(void)sqlite3_close(sweep.db); /* only read from */
	close(sweep.dir);
	*ret_count = sweep.total;
	*ret_bytes = sweep.total_bytes;
	return code;
}

size_t bv__blobs_drop(const struct bv_journal *journal, const struct bv_digest *attempt)
{
	char hex[65], prefix[NAME_SIZE];
	const struct dirent *entry;
	size_t dropped = 0;
	DIR *stream;

	bv_digest_hex(attempt, hex);
	(void)snprintf(prefix, sizeof prefix, ".new-%.32s-", hex);
	stream = opendir(directory_of(journal));
	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
		    unlinkat(dirfd(stream), entry->d_name, 0) == 0)
			dropped++;
	}
	if (stream != NULL)
		closedir(stream);
	return dropped;
}
