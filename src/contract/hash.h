/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hash.h - BLAKE3, the only hash of bvisor: without a key, and once with one.
 */
#ifndef BV_CONTRACT_HASH_H
#define BV_CONTRACT_HASH_H

#include "base.h"

/* Room for the official code's state, so that only hash.c needs its header. */
struct bv_hash {
	_Alignas(16) uint8_t state[1920];
};

void bv_hash_init(struct bv_hash *hash);
/* Of who has the key nobody else can make the digest: for what is read back from where others write. */
void bv_hash_init_keyed(struct bv_hash *hash, const struct bv_digest *key);
void bv_hash_update(struct bv_hash *hash, const void *data, size_t size_bytes);
void bv_hash_final(const struct bv_hash *hash, struct bv_digest *ret_digest);

void bv_hash_bytes(const void *data, size_t size_bytes, struct bv_digest *ret_digest);
void bv_hash_str(struct bv_str text, struct bv_digest *ret_digest);

#endif
