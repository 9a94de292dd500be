/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* options.h - what the host tells a helper, as NAME=VALUE arguments; the guest's are behind "--". */
#ifndef BV_WASM_OPTIONS_H
#define BV_WASM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_PREOPENS_MAX = 128 };

struct option_preopen {
	const char *name, *path;
	unsigned int access; /* of enum wasi_access */
};

struct options {
	int code_fd;   /* of the run helper: what it runs; of the compile helper: where it writes */
	int module_fd; /* of the compile helper */
	int result_fd;
	bool interpreted, deterministic;
	uint64_t memory_bytes, fuel;
	uint64_t wall_micros, cpu_micros; /* 0: none */
	uint64_t clock_ns, seed;
	uint64_t handles, storage_bytes;
	struct option_preopen preopens[OPTIONS_PREOPENS_MAX];
	size_t preopen_count;
};

/* False, and a line on standard error: bvisor itself is wrong. */
bool options_read(int argc, char **argv, struct options *ret_options, char ***ret_args);

#endif
