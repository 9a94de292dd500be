/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stage_compare.c - whether what lies above differs from what lies below, and attributes. */
#include "stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "contract/hash.h"

enum {
	BLOCK_BYTES = 128 << 10,
	/* A file with holes that is longer than this is not read to be compared: it may be as long as it likes. */
	SPARSE_BYTES_MAX = 16 << 20,
	LIST_BYTES_MAX = 64 << 10, /* the kernel's own limit */
	VALUE_BYTES_MAX = 64 << 10,
};

static ssize_t read_block(int fd, char *data, off_t at)
{
	size_t have = 0;

	while (have < BLOCK_BYTES) {
		const ssize_t got = pread(fd, data + have, BLOCK_BYTES - have, at + (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

bool bv__stage_same_content(int upper_fd, const struct stat *upper, int host_fd,
			    const struct stat *host)
{
	const bool sparse = (uint64_t)upper->st_blocks * 512 < (uint64_t)upper->st_size;
	char *blocks;
	bool same = true;

	if (upper->st_size != host->st_size || (sparse && upper->st_size > SPARSE_BYTES_MAX))
		return false;
	blocks = malloc(2 * (size_t)BLOCK_BYTES);
	if (blocks == NULL)
		return false;
	for (off_t at = 0; same && at < upper->st_size; at += BLOCK_BYTES) {
		const ssize_t ours = read_block(upper_fd, blocks, at);
		const ssize_t theirs = read_block(host_fd, blocks + BLOCK_BYTES, at);

		same = ours > 0 && ours == theirs &&
		       memcmp(blocks, blocks + BLOCK_BYTES, (size_t)ours) == 0;
	}
	free(blocks);
	return same;
}

/* ---- attributes ------------------------------------------------------------------------------------ */

/* The overlay's own are no part of the file. */
bool bv__stage_is_user_attribute(const char *name)
{
	return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0;
}

bool bv__stage_has_mark(int fd, const char *name, char wanted)
{
	char value[256];
	const ssize_t got = fgetxattr(fd, name, value, sizeof(value));

	return wanted == 0 ? got >= 0 : got == 1 && value[0] == wanted;
}

/* The names, each with its NUL; the size, 0 where there are none or the file system knows none. */
static size_t list_attributes(int fd, char *names)
{
	const ssize_t got = flistxattr(fd, names, LIST_BYTES_MAX);

	return got > 0 ? (size_t)got : 0;
}

static bool same_value(const char *name, int upper_fd, int host_fd, char *values)
{
	const ssize_t one = fgetxattr(upper_fd, name, values, VALUE_BYTES_MAX);
	const ssize_t other = fgetxattr(host_fd, name, values + VALUE_BYTES_MAX, VALUE_BYTES_MAX);

	return one >= 0 && one == other &&
	       memcmp(values, values + VALUE_BYTES_MAX, (size_t)one) == 0;
}

static size_t count_user_attributes(const char *names, size_t bytes)
{
	size_t count = 0;

	for (const char *at = names; at < names + bytes; at += strlen(at) + 1)
		count += bv__stage_is_user_attribute(at);
	return count;
}

bool bv__stage_same_attributes(int upper_fd, int host_fd)
{
	char *memory = malloc((size_t)LIST_BYTES_MAX + 2 * (size_t)VALUE_BYTES_MAX);
	size_t bytes, ours;
	bool same;

	if (memory == NULL)
		return false;
	bytes = list_attributes(host_fd, memory);
	ours = count_user_attributes(memory, bytes);
	bytes = list_attributes(upper_fd, memory);
	same = count_user_attributes(memory, bytes) == ours;
	for (const char *at = memory; same && at < memory + bytes; at += strlen(at) + 1)
		same = !bv__stage_is_user_attribute(at) ||
		       same_value(at, upper_fd, host_fd, memory + LIST_BYTES_MAX);
	free(memory);
	return same;
}

static int copy_one(int from_fd, int to_fd, const char *name, char *value)
{
	const ssize_t got = fgetxattr(from_fd, name, value, VALUE_BYTES_MAX);

	return got < 0 ? -1 : fsetxattr(to_fd, name, value, (size_t)got, 0);
}

int bv__stage_copy_attributes(int from_fd, int to_fd)
{
	char *memory = malloc((size_t)LIST_BYTES_MAX + (size_t)VALUE_BYTES_MAX);
	size_t bytes;
	int result = 0;

	if (memory == NULL)
		return -1;
	bytes = list_attributes(to_fd, memory);
	for (const char *at = memory; result == 0 && at < memory + bytes; at += strlen(at) + 1) {
		char none;

		/* Too long to fit is there too. */
		if (bv__stage_is_user_attribute(at) && fgetxattr(from_fd, at, &none, 0) < 0)
			result = fremovexattr(to_fd, at);
	}
	bytes = list_attributes(from_fd, memory);
	for (const char *at = memory; result == 0 && at < memory + bytes; at += strlen(at) + 1) {
		if (bv__stage_is_user_attribute(at))
			result = copy_one(from_fd, to_fd, at, memory + LIST_BYTES_MAX);
	}
	free(memory);
	return result;
}

static const struct bv_text_pair *find_saved(const struct bv_stage_saved *saved, const char *name)
{
	for (size_t i = 0; i < saved->attribute_count; i++) {
		if (bv_str_is(saved->attributes[i].key, name))
			return &saved->attributes[i];
	}
	return NULL;
}

int bv__stage_put_attributes(const struct bv_stage_saved *saved, int to_fd)
{
	char *memory = malloc(LIST_BYTES_MAX);
	int result = memory == NULL ? -1 : 0;
	const size_t bytes = memory != NULL ? list_attributes(to_fd, memory) : 0;

	for (const char *at = memory; result == 0 && at < memory + bytes; at += strlen(at) + 1) {
		if (bv__stage_is_user_attribute(at) && find_saved(saved, at) == NULL)
			result = fremovexattr(to_fd, at);
	}
	for (size_t i = 0; result == 0 && i < saved->attribute_count; i++)
		result = fsetxattr(to_fd, saved->attributes[i].key.data,
				   saved->attributes[i].value.data, saved->attributes[i].value.len,
				   0);
	free(memory);
	return result;
}

bool bv__stage_has_attributes(const struct bv_stage_saved *saved, int fd)
{
	char *memory = malloc((size_t)LIST_BYTES_MAX + (size_t)VALUE_BYTES_MAX);
	bool same = memory != NULL && count_user_attributes(memory, list_attributes(fd, memory)) ==
					      saved->attribute_count;

	for (size_t i = 0; same && i < saved->attribute_count; i++) {
		const struct bv_text_pair *pair = &saved->attributes[i];
		const ssize_t got = fgetxattr(fd, pair->key.data, memory + LIST_BYTES_MAX,
					      VALUE_BYTES_MAX);

		same = got >= 0 && (size_t)got == pair->value.len &&
		       memcmp(memory + LIST_BYTES_MAX, pair->value.data, pair->value.len) == 0;
	}
	free(memory);
	return same;
}

/* Access lists count: a mode that is set anew sets their mask. */
static bool is_right(const char *name)
{
	return bv__stage_is_user_attribute(name) || strncmp(name, "system.posix_acl_", 17) == 0;
}

bool bv__stage_digest_rights(int fd, struct bv_digest *ret_digest)
{
	char *memory = malloc((size_t)LIST_BYTES_MAX + (size_t)VALUE_BYTES_MAX);
	char *value = memory != NULL ? memory + LIST_BYTES_MAX : NULL;
	const size_t bytes = memory != NULL ? list_attributes(fd, memory) : 0;
	struct stat seen;
	struct bv_hash hash;
	bool fine = memory != NULL && fstat(fd, &seen) == 0;

	bv_hash_init(&hash);
	if (fine) {
		const uint32_t whose[] = {seen.st_mode, seen.st_uid, seen.st_gid};

		bv_hash_update(&hash, whose, sizeof whose);
	}
	for (const char *at = memory; fine && at < memory + bytes; at += strlen(at) + 1) {
		const ssize_t got = is_right(at) ? fgetxattr(fd, at, value, VALUE_BYTES_MAX) : 0;
		const uint32_t size_bytes = (uint32_t)got;

		fine = got >= 0;
		if (!fine || !is_right(at))
			continue;
		bv_hash_update(&hash, at, strlen(at) + 1);
		bv_hash_update(&hash, &size_bytes, sizeof size_bytes);
		bv_hash_update(&hash, value, (size_t)got);
	}
	bv_hash_final(&hash, ret_digest);
	free(memory);
	return fine;
}
