/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* engine_wasmtime.h - what compiling and running must agree upon. */
#ifndef BV_WASM_ENGINE_WASMTIME_H
#define BV_WASM_ENGINE_WASMTIME_H

#include <wasm.h>
#include <wasmtime.h>

#include "engine.h"

/* The same for every caller, or code compiled by one is refused by the other; NULL and a message. */
wasm_engine_t *wasmtime__engine_new(const struct engine_target *target, char *ret_message);

/* What the engine says, in ENGINE_MESSAGE_BYTES. */
void wasmtime__copy_text(const char *text, size_t size, char *ret_message);
/* Takes the error. */
void wasmtime__say(wasmtime_error_t *error, char *ret_message);

#endif
