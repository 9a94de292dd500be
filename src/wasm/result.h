/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * result.h - what a helper leaves for the host, in memory that both have mapped.
 *
 * The helper shares its process with what it runs, so the host believes none of it further than a
 * workload's own words: it copies the page once, checks every field, and says who said it.
 */
#ifndef BV_WASM_RESULT_H
#define BV_WASM_RESULT_H

#include <stdint.h>

enum {
	WASM_RESULT_MAGIC = 0x31535742, /* "BWS1" */
	WASM_RESULT_TEXT = 256,
	WASM_RESULT_DENIED = 64,
	WASM_RESULT_BYTES = 64 << 10,

	/* Exit codes of the helpers where it is not the guest's own. */
	WASM_EXIT_HELPER = 125, /* it could not be set up */
	WASM_EXIT_STOPPED =
		124, /* fuel, a timer, or a trap ended the guest; the result says which */
};

enum wasm_stage {
	WASM_STAGE_NONE,
	WASM_STAGE_LOADED, /* code is mapped, nothing has run */
	WASM_STAGE_LOCKED, /* and nothing more can be mapped as code */
	WASM_STAGE_ENDED,
};

enum wasm_end {
	WASM_END_NONE,
	WASM_END_RETURN,
	WASM_END_EXIT,
	WASM_END_TRAP,
	WASM_END_FUEL,
	WASM_END_STACK,
	WASM_END_WALL,
	WASM_END_CPU,
	WASM_END_REFUSED, /* the module cannot be run here, or not compiled */
	WASM_END_COUNT,
};

struct wasm_denied {
	char function[32];
	char path[WASM_RESULT_TEXT];
	uint64_t count;
	uint32_t reason; /* enum wasi_denial_reason */
	uint32_t unused;
};

struct wasm_result {
	uint32_t magic;
	uint32_t stage;
	uint32_t end;
	uint32_t exit_code;
	uint64_t fuel_used;
	uint64_t memory_bytes; /* of the guest's memory: it never shrinks */
	uint64_t calls;        /* of functions of WASI */
	uint64_t storage_bytes;
	uint64_t code_bytes;   /* of the compiler: how much code it made */
	uint64_t denied_calls; /* with those the list has no room for */
	uint32_t denied_count;
	uint32_t storage_reached;
	char message[WASM_RESULT_TEXT];
	struct wasm_denied denied[WASM_RESULT_DENIED];
};

#endif
