/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * engine.h - what runs WebAssembly, behind one struct of functions.
 *
 * The two helpers know nothing else of it.  Whatever is left out of a configuration here is the same
 * for every module, because code is only right for the configuration it was compiled with.
 */
#ifndef BV_WASM_ENGINE_H
#define BV_WASM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasi/wasi.h"

enum {
	/* Of the machine's stack; the rest of it is the helper's own. */
	ENGINE_STACK_BYTES = 1 << 20,
	/* Elements of all tables together: 16 bytes each in the helper. */
	ENGINE_TABLE_ELEMENTS = 1 << 20,
	ENGINE_TABLES = 4,
	ENGINE_MESSAGE_BYTES = 256,
};

/* What code is compiled for; part of the key it is cached under. */
struct engine_target {
	bool interpreted;   /* byte code for the interpreter instead of machine code */
	bool deterministic; /* one spelling of every NaN */
};

enum engine_end {
	ENGINE_ENDED_NOT,    /* still running, or it never began */
	ENGINE_ENDED_RETURN, /* _start came back */
	ENGINE_ENDED_EXIT,   /* it called proc_exit */
	ENGINE_ENDED_TRAP,
	ENGINE_ENDED_FUEL,
	ENGINE_ENDED_STACK, /* recursion without end */
	ENGINE_ENDED_REFUSED /* never ran: an import nobody has, no _start, too large from the start */
};

struct engine_outcome {
	enum engine_end end;
	uint32_t exit_code;
	char message[ENGINE_MESSAGE_BYTES]; /* of a trap or refusal */
};

struct engine_limits {
	uint64_t memory_bytes; /* all linear memories together */
	uint64_t fuel;
};

struct engine_guest; /* a module that is ready to run, once */

/* Text of at most ENGINE_MESSAGE_BYTES goes into `ret_message`, NUL-terminated. */
struct engine {
	const char *name;
	const char *version;

	/* Machine code of a module, malloc'd.  The text format is taken too. */
	bool (*compile)(const struct engine_target *target, const uint8_t *data, size_t size,
			uint8_t **ret_code, size_t *ret_code_size, char *ret_message);

	/*
	 * Maps the code: the last time that memory becomes executable, and nothing of the guest has run.
	 * The code was made by `compile` with the same target, and is believed: whoever runs it holds it.
	 */
	bool (*load)(const struct engine_target *target, const uint8_t *code, size_t code_size,
		     struct engine_guest **ret_guest, char *ret_message);

	/* Instantiates it, start function included, and calls _start. */
	void (*run)(struct engine_guest *guest, const struct engine_limits *limits,
		    struct wasi *wasi, struct engine_outcome *ret_outcome);

	/* Both may be called from a signal handler while the guest runs. */
	uint64_t (*fuel_used)(const struct engine_guest *guest);
	uint64_t (*memory_bytes)(const struct engine_guest *guest);
};

/* Only the functions that the program has something for: the run helper has no compiler in it. */
extern const struct engine engine_compiler, engine_runtime;

#endif
