/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cache.h - compiled modules, kept for the next run.
 *
 * Only the host writes here, and what it reads it believes only under its own key.  Even then the
 * code is run where a module's code always is: a cache saves time and decides nothing.  Whatever is
 * wrong with it is answered by compiling again.
 */
#ifndef BV_WASM_HOST_CACHE_H
#define BV_WASM_HOST_CACHE_H

#include <limits.h>

#include "contract/base.h"

enum {
	BV_WASM_CACHE_ENTRIES = 256,
	BV_WASM_CACHE_BYTES = 512 << 20,
	BV_WASM_CODE_MAX = 256 << 20, /* of one module */
};

/* BVISOR_CACHE, else where caches lie; false: there is none, or none is wanted ("none"). */
bool bv__wasm_cache_directory(char ret_path[PATH_MAX]);

/* The code in a sealed memory file, or -1. */
int bv__wasm_cache_read(const struct bv_digest *key);

/* `code_fd` is a sealed memory file.  Best effort. */
void bv__wasm_cache_write(const struct bv_digest *key, int code_fd, size_t size_bytes);

struct bv__wasm_cache_entry {
	char name[65];
	uint64_t size_bytes;
	int64_t used_unix_seconds;
};

/* The oldest first, at most `capacity`; how many there are.  A cache that is not there is empty. */
size_t bv__wasm_cache_list(struct bv__wasm_cache_entry *entries, size_t capacity);

/* Removes all of them and the key; how many. */
size_t bv__wasm_cache_clear(void);

#endif
