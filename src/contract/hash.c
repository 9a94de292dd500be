/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hash.c - the official BLAKE3 code behind our names, so that nothing else includes it.
 */
#include "hash.h"

void bv_hash_init(struct bv_hash *hash)
{
	blake3_hasher_init(&hash->state);
}

void bv_hash_update(struct bv_hash *hash, const void *data, size_t size_bytes)
{
	if (size_bytes != 0)
		blake3_hasher_update(&hash->state, data, size_bytes);
}

void bv_hash_final(const struct bv_hash *hash, struct bv_digest *ret_digest)
{
	blake3_hasher_finalize(&hash->state, ret_digest->bytes, sizeof ret_digest->bytes);
}

void bv_hash_bytes(const void *data, size_t size_bytes, struct bv_digest *ret_digest)
{
	struct bv_hash hash;

	bv_hash_init(&hash);
	bv_hash_update(&hash, data, size_bytes);
	bv_hash_final(&hash, ret_digest);
}

void bv_hash_str(struct bv_str text, struct bv_digest *ret_digest)
{
	bv_hash_bytes(text.data, text.len, ret_digest);
}
