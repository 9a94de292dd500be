/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* engine_wasmtime_compile.c - Wasmtime's half that turns modules into code. */
#include "engine_wasmtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A module begins with a NUL, text never does. */
static bool is_text(const uint8_t *data, size_t size)
{
	return size > 0 && data[0] != '\0';
}

static bool compile_binary(wasm_engine_t *engine, const uint8_t *data, size_t size,
			   uint8_t **ret_code, size_t *ret_code_size, char *ret_message)
{
	wasmtime_module_t *module = NULL;
	wasm_byte_vec_t code;
	wasmtime_error_t *error = wasmtime_module_new(engine, data, size, &module);

	if (!error) {
		error = wasmtime_module_serialize(module, &code);
		wasmtime_module_delete(module);
	}
	if (error) {
		wasmtime__say(error, ret_message);
		return false;
	}
	*ret_code = (uint8_t *)code.data;
	*ret_code_size = code.size;
	return true;
}

static bool compile(const struct engine_target *target, const uint8_t *data, size_t size,
		    uint8_t **ret_code, size_t *ret_code_size, char *ret_message)
{
	wasm_engine_t *engine = wasmtime__engine_new(target, ret_message);
	wasm_byte_vec_t binary = {0, NULL};
	bool made;

	if (!engine)
		return false;
	if (is_text(data, size)) {
		wasmtime_error_t *error = wasmtime_wat2wasm((const char *)data, size, &binary);

		if (error) {
			wasmtime__say(error, ret_message);
			wasm_engine_delete(engine);
			return false;
		}
		data = (const uint8_t *)binary.data;
		size = binary.size;
	}
	made = compile_binary(engine, data, size, ret_code, ret_code_size, ret_message);
	if (binary.data)
		wasm_byte_vec_delete(&binary);
	wasm_engine_delete(engine);
	return made;
}

const struct engine engine_compiler = {
	.name = "wasmtime",
	.version = WASMTIME_VERSION,
	.compile = compile,
};
