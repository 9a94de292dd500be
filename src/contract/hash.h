/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hash.h - BLAKE3 without key or context: the only hash of bvisor.
 */
#ifndef BV_CONTRACT_HASH_H
#define BV_CONTRACT_HASH_H

#include "base.h"

/* Room for the official code's state, so that only hash.c needs its header. */
struct bv_hash {
	_Alignas(16) uint8_t state[1920];
};

void bv_hash_init(struct bv_hash *hash);
void bv_hash_update(struct bv_hash *hash, const void *data, size_t size_bytes);
void bv_hash_final(const struct bv_hash *hash, struct bv_digest *ret_digest);

void bv_hash_bytes(const void *data, size_t size_bytes, struct bv_digest *ret_digest);
void bv_hash_str(struct bv_str text, struct bv_digest *ret_digest);

#endif
