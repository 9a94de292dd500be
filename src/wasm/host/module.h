/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* module.h - the file of a module, read once: what was digested is what is compiled. */
#ifndef BV_WASM_HOST_MODULE_H
#define BV_WASM_HOST_MODULE_H

#include "contract/base.h"

enum { BV_WASM_MODULE_MAX = 256 << 20 };

struct bv__wasm_module {
	int fd; /* a sealed memory file; -1 where only the digest was asked for */
	uint64_t size_bytes;
	struct bv_digest digest;
};

/* `path` is NUL-terminated.  BV_E_WORKLOAD says what is wrong with the file. */
enum bv_code bv__wasm_module_read(const char *path, struct bv__wasm_module *ret_module,
				  struct bv_error *err);

#endif
