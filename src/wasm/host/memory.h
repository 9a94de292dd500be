/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* memory.h - files in memory, by which host and helpers hand each other bytes. */
#ifndef BV_WASM_HOST_MEMORY_H
#define BV_WASM_HOST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of that size, and never larger; -1 and errno. */
int bv__memory_file(const char *name, uint64_t size_bytes);

/* Nobody changes it any more, its size included. */
bool bv__memory_seal(int fd);

bool bv__read_all(int fd, void *data, size_t size_bytes);

#endif
