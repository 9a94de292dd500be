/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* engine_wasmtime_config.c - Wasmtime, set up one way for both helpers. */
#include "engine_wasmtime.h"

#include <string.h>

/*
 * One line of it.  What the engine says of a trap begins with where the guest was, of which only its
 * author could make something; the cause is behind that.
 */
void wasmtime__copy_text(const char *text, size_t size, char *ret_message)
{
	static const char cause[] = "Caused by:";
	const char *found = memmem(text, size, cause, sizeof cause - 1);
	size_t length = 0;

	if (found) {
		size -= (size_t)(found - text) + sizeof cause - 1;
		text = found + sizeof cause - 1;
	}
	for (size_t i = 0; i < size && length < ENGINE_MESSAGE_BYTES - 1; i++) {
		const bool blank = text[i] <= ' ' && text[i] >= 0;

		if (!blank)
			ret_message[length++] = text[i];
		else if (length > 0 && ret_message[length - 1] != ' ')
			ret_message[length++] = ' ';
	}
	while (length > 0 && ret_message[length - 1] == ' ')
		length--;
	ret_message[length] = '\0';
}

void wasmtime__say(wasmtime_error_t *error, char *ret_message)
{
	wasm_name_t text;

	wasmtime_error_message(error, &text);
	wasmtime__copy_text(text.data, text.size, ret_message);
	wasm_byte_vec_delete(&text);
	wasmtime_error_delete(error);
}

/* What WASI preview 1 guests are made of; what is newer, or needs more of the engine, is left out. */
static void choose_features(wasm_config_t *config)
{
	/* One memory: then its limit is the limit of all. */
	wasmtime_config_wasm_multi_memory_set(config, false);
	wasmtime_config_wasm_memory64_set(config, false);
	wasmtime_config_wasm_relaxed_simd_set(config, false);
	wasmtime_config_wasm_tail_call_set(config, true);
	wasmtime_config_wasm_wide_arithmetic_set(config, false);
	wasmtime_config_wasm_custom_page_sizes_set(config, false);
	wasmtime_config_wasm_simd_set(config, true);
	wasmtime_config_wasm_bulk_memory_set(config, true);
	wasmtime_config_wasm_multi_value_set(config, true);
}

wasm_engine_t *wasmtime__engine_new(const struct engine_target *target, char *ret_message)
{
	wasm_config_t *config = wasm_config_new();
	wasmtime_error_t *error;

	choose_features(config);
	wasmtime_config_consume_fuel_set(config, true);
	wasmtime_config_max_wasm_stack_set(config, ENGINE_STACK_BYTES);
#ifdef WASMTIME_FEATURE_COMPILER
	wasmtime_config_cranelift_nan_canonicalization_set(config, target->deterministic);
	wasmtime_config_cranelift_opt_level_set(config, WASMTIME_OPT_LEVEL_SPEED);
#endif
	/* Data is copied into the memory: an image of it would need a file of its own after the lock. */
	wasmtime_config_memory_init_cow_set(config, false);
	wasmtime_config_native_unwind_info_set(config, false);
	/* The baseline of the architecture: code in the cache is right on every machine that has the cache. */
	error = wasmtime_config_target_set(config, target->interpreted
							   ? "pulley64"
							   : "x86_64-unknown-linux-gnu");
	if (error) {
		wasmtime__say(error, ret_message);
		wasm_config_delete(config);
		return NULL;
	}
	return wasm_engine_new_with_config(config);
}
