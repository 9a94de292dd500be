/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hash.c - the official BLAKE3 code behind our names, so that nothing else includes it.
 */
#include "hash.h"

#include <blake3.h>

_Static_assert(sizeof(blake3_hasher) <= sizeof(struct bv_hash), "the state fits");

static blake3_hasher *state_of(struct bv_hash *hash)
{
	return (blake3_hasher *)(void *)hash->state;
}

void bv_hash_init(struct bv_hash *hash)
{
	blake3_hasher_init(state_of(hash));
}

void bv_hash_init_keyed(struct bv_hash *hash, const struct bv_digest *key)
{
	blake3_hasher_init_keyed(state_of(hash), key->bytes);
}

void bv_hash_update(struct bv_hash *hash, const void *data, size_t size_bytes)
{
	if (size_bytes != 0)
		blake3_hasher_update(state_of(hash), data, size_bytes);
}

void bv_hash_final(const struct bv_hash *hash, struct bv_digest *ret_digest)
{
	blake3_hasher_finalize((const blake3_hasher *)(const void *)hash->state, ret_digest->bytes,
			       sizeof ret_digest->bytes);
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
