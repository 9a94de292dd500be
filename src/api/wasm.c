/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* WebAssembly: the code that is kept. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "wasm/host/cache.h"

size_t bv_wasm_cache_list(struct bv_wasm_code *ret_entries, size_t capacity)
{
	struct bv__wasm_cache_entry *entries = calloc(2 * BV_WASM_CACHE_ENTRIES, sizeof *entries);
	size_t count;

	if (!entries)
		return 0;
	count = bv__wasm_cache_list(entries, 2 * BV_WASM_CACHE_ENTRIES);
	for (size_t i = 0; i < count && i < capacity; i++) {
		memcpy(ret_entries[i].name, entries[i].name, sizeof ret_entries[i].name);
		ret_entries[i].size_bytes = entries[i].size_bytes;
		ret_entries[i].used_unix_seconds = entries[i].used_unix_seconds;
	}
	free(entries);
	return count;
}

size_t bv_wasm_cache_clear(void)
{
	return bv__wasm_cache_clear();
}
