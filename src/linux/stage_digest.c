/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stage_digest.c - what was written to staged files, and the rights directories had, as digests. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/hash.h"
#include "stage.h"

enum { BLOCK_BYTES = 128 << 10 };

bool bv__stage_digest_fd(int fd, struct bv_digest *ret_digest)
{
	char *block = malloc(BLOCK_BYTES);
	struct bv_hash hash;
	off_t at = 0;
	ssize_t got = -1;

	bv_hash_init(&hash);
	while (block != NULL &&
	       ((got = pread(fd, block, BLOCK_BYTES, at)) > 0 || (got < 0 && errno == EINTR))) {
		if (got < 0)
			continue;
		bv_hash_update(&hash, block, (size_t)got);
		at += got;
	}
	free(block);
	bv_hash_final(&hash, ret_digest);
	return got == 0;
}

static bool digest_file(int dir, const char *name, struct bv_digest *ret_digest)
{
	int fd = bv__stage_open_own(dir, name, 0);
	const bool known = fd >= 0 && bv__stage_digest_fd(fd, ret_digest);

	if (fd >= 0)
		close(fd);
	return known;
}

static bool digest_link(int dir, const char *name, struct bv_digest *ret_digest)
{
	char target[BV_STAGE_PATH_SIZE];
	const ssize_t len = readlinkat(dir, name, target, sizeof target);

	if (len < 0)
		return false;
	bv_hash_bytes(target, (size_t)len, ret_digest);
	return true;
}

/* Of rights that the host gave since the run began nothing is known: nobody saw what they were before. */
static bool digest_directory(const struct bv_stage *stage, uint32_t index,
			     struct bv_digest *ret_digest)
{
	int fd = bv__stage_open_host(stage, index, false);
	struct stat seen;
	const bool known = fd >= 0 && bv__stage_digest_rights(fd, ret_digest) &&
			   fstat(fd, &seen) == 0 && !bv__stage_is_new(stage, &seen.st_ctim);

	if (fd >= 0)
		close(fd);
	return known;
}

static void digest_change(const struct bv_stage *stage, uint32_t index,
			  struct bv_stage_content *ret_content)
{
	const struct bv_stage_node *node = &stage->nodes[index];
	const char *name = bv__stage_name(stage, index);
	int dir;

	if (node->type == BV_STAGE_DIRECTORY) {
		ret_content->known = node->merged &&
				     digest_directory(stage, index, &ret_content->digest);
		return;
	}
	if (node->type != BV_STAGE_SYMLINK &&
	    (node->type != BV_STAGE_FILE || node->size_bytes > BV_STAGE_DIGEST_BYTES_MAX))
		return;
	dir = bv__stage_open_upper(stage, node->parent);
	ret_content->known = dir >= 0 && (node->type == BV_STAGE_FILE
						  ? digest_file(dir, name, &ret_content->digest)
						  : digest_link(dir, name, &ret_content->digest));
	if (dir >= 0)
		close(dir);
}

enum bv_code bv__stage_digest(struct bv_stage *stage, struct bv_error *err)
{
	if (stage->contents != NULL)
		return BV_OK;
	stage->contents = calloc((size_t)stage->node_count + 1, sizeof *stage->contents);
	if (stage->contents == NULL)
		return bv_fail(err, BV_E_MEMORY, "changes", "no memory to look at so many changes");
	for (size_t i = 0; i < stage->change_count; i++) {
		const uint32_t index = stage->changes[i];
		const struct bv_stage_node *node = &stage->nodes[index];

		if (node->kind != BV_STAGE_REMOVED && node->parent != BV_STAGE_NO_NODE &&
		    node->problem != BV_STAGE_TOO_LONG)
			digest_change(stage, index, &stage->contents[index]);
	}
	return BV_OK;
}
