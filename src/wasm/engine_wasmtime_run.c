/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* engine_wasmtime_run.c - Wasmtime's half that runs code: imports, limits, fuel, how it ended. */
#include "engine_wasmtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_MAX = 16 };

struct engine_guest {
	wasm_engine_t *engine;
	wasmtime_module_t *module;
	wasmtime_store_t *store;
	wasmtime_context_t *context;
	struct wasi *wasi;
	uint64_t fuel;
	bool has_memory;
	wasmtime_memory_t memory;
	wasmtime_func_t start;
	bool exited;
	uint32_t exit_code;
};

/* What one imported function is called with. */
struct import {
	struct engine_guest *guest;
	const struct wasi_function *function;
};

/* ---- imports --------------------------------------------------------------------------------- */

static wasm_trap_t *charge(wasmtime_context_t *context, uint64_t units)
{
	uint64_t left = 0;

	wasmtime_error_t *error = wasmtime_context_get_fuel(context, &left);

	if (!error)
		error = wasmtime_context_set_fuel(context, left > units ? left - units : 0);
	if (error)
		wasmtime_error_delete(error);
	return error || left < units ? wasmtime_trap_new_code(WASMTIME_TRAP_CODE_OUT_OF_FUEL)
				     : NULL;
}

static wasm_trap_t *call_import(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
				size_t count)
{
	const struct import *import = env;
	struct engine_guest *guest = import->guest;
	wasmtime_context_t *context = wasmtime_caller_context(caller);
	uint64_t args[PARAMS_MAX] = {0};
	struct wasi_call call = {.wasi = guest->wasi, .args = args};
	uint32_t result;
	wasm_trap_t *trap;

	for (size_t i = 0; import->function->params[i] != '\0' && i < count; i++)
		args[i] = import->function->params[i] == 'I' ? (uint64_t)values[i].i64
							     : (uint32_t)values[i].i32;
	if (guest->has_memory) {
		call.memory.data = wasmtime_memory_data(context, &guest->memory);
		call.memory.size = wasmtime_memory_data_size(context, &guest->memory);
	}
	result = wasi_invoke(import->function, &call);
	trap = charge(context, call.charge);
	if (trap)
		return trap;
	if (call.exited) {
		guest->exited = true;
		guest->exit_code = call.exit_code;
	}
	if (call.exited || call.expired)
		return wasmtime_trap_new("ended", 5);
	if (import->function->returns)
		values[0].i32 = (int32_t)result;
	return NULL;
}

static wasm_functype_t *type_of(const struct wasi_function *function)
{
	wasm_valtype_t *params[PARAMS_MAX], *result = wasm_valtype_new(WASM_I32);
	wasm_valtype_vec_t ins, outs;
	size_t count = strlen(function->params);

	for (size_t i = 0; i < count; i++)
		params[i] = wasm_valtype_new(function->params[i] == 'I' ? WASM_I64 : WASM_I32);
	wasm_valtype_vec_new(&ins, count, params);
	wasm_valtype_vec_new(&outs, function->returns ? 1 : 0, &result);
	if (!function->returns)
		wasm_valtype_delete(result);
	return wasm_functype_new(&ins, &outs);
}

static bool define_imports(struct engine_guest *guest, wasmtime_linker_t *linker, char *ret_message)
{
	for (size_t i = 0; i < wasi_function_count; i++) {
		const struct wasi_function *function = &wasi_functions[i];
		struct import *import = malloc(sizeof *import);
		wasm_functype_t *type;
		wasmtime_error_t *error;

		if (!import || strlen(function->params) > PARAMS_MAX) {
			free(import);
			(void)snprintf(ret_message, ENGINE_MESSAGE_BYTES, "no memory for imports");
			return false;
		}
		*import = (struct import){guest, function};
		type = type_of(function);
		error = wasmtime_linker_define_func_unchecked(linker, WASI_MODULE,
							      strlen(WASI_MODULE), function->name,
							      strlen(function->name), type,
							      call_import, import, free);
		wasm_functype_delete(type);
		if (error) {
			wasmtime__say(error, ret_message);
			return false;
		}
	}
	return true;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Takes the trap. */
static void say_trap(wasm_trap_t *trap, char *ret_message)
{
	wasm_message_t text;

	wasm_trap_message(trap, &text);
	wasmtime__copy_text(text.data, text.size, ret_message);
	wasm_byte_vec_delete(&text);
	wasm_trap_delete(trap);
}

/* Its memory and its first function, by the names that WASI gives them. */
static bool find_exports(struct engine_guest *guest, const wasmtime_instance_t *instance,
			 char *ret_message)
{
	wasmtime_extern_t item;
	wasm_functype_t *type;
	bool plain;

	if (wasmtime_instance_export_get(guest->context, instance, "memory", 6, &item) &&
	    item.kind == WASMTIME_EXTERN_MEMORY) {
		guest->has_memory = true;
		guest->memory = item.of.memory;
	}
	if (!wasmtime_instance_export_get(guest->context, instance, "_start", 6, &item) ||
	    item.kind != WASMTIME_EXTERN_FUNC) {
		(void)snprintf(ret_message, ENGINE_MESSAGE_BYTES,
			       "the module exports no function '_start'");
		return false;
	}
	type = wasmtime_func_type(guest->context, &item.of.func);
	plain = wasm_functype_params(type)->size == 0 && wasm_functype_results(type)->size == 0;
	wasm_functype_delete(type);
	if (!plain)
		(void)snprintf(ret_message, ENGINE_MESSAGE_BYTES,
			       "'_start' takes parameters or has results");
	guest->start = item.of.func;
	return plain;
}

static bool load(const struct engine_target *target, const uint8_t *code, size_t code_size,
		 struct engine_guest **ret_guest, char *ret_message)
{
	static struct engine_guest guest; /* there is one in a process, and it ends with it */
	wasmtime_error_t *error;

	guest.engine = wasmtime__engine_new(target, ret_message);
	if (!guest.engine)
		return false;
	error = wasmtime_module_deserialize(guest.engine, code, code_size, &guest.module);
	if (error) {
		wasmtime__say(error, ret_message);
		return false;
	}
	*ret_guest = &guest;
	return true;
}

/* ---- running --------------------------------------------------------------------------------- */

static int64_t at_most(uint64_t value, int64_t most)
{
	return value > (uint64_t)most ? most : (int64_t)value;
}

static bool make_store(struct engine_guest *guest, const struct engine_limits *limits,
		       char *ret_message)
{
	wasmtime_error_t *error;

	guest->fuel = limits->fuel;
	guest->store = wasmtime_store_new(guest->engine, NULL, NULL);
	guest->context = wasmtime_store_context(guest->store);
	wasmtime_store_limiter(guest->store, at_most(limits->memory_bytes, INT64_MAX),
			       ENGINE_TABLE_ELEMENTS / ENGINE_TABLES, 1, ENGINE_TABLES, 1);
	error = wasmtime_context_set_fuel(guest->context, limits->fuel);
	if (error)
		wasmtime__say(error, ret_message);
	return error == NULL;
}

static void judge_trap(wasm_trap_t *trap, struct engine_outcome *outcome)
{
	wasmtime_trap_code_t code;

	outcome->end = ENGINE_ENDED_TRAP;
	if (wasmtime_trap_code(trap, &code)) {
		if (code == WASMTIME_TRAP_CODE_OUT_OF_FUEL)
			outcome->end = ENGINE_ENDED_FUEL;
		else if (code == WASMTIME_TRAP_CODE_STACK_OVERFLOW)
			outcome->end = ENGINE_ENDED_STACK;
	}
	say_trap(trap, outcome->message);
}

/*
 * How a call into the guest ended; takes both.  A function of ours that ends the guest does so by an
 * error of its own, which the engine hands on.
 */
static void judge(const struct engine_guest *guest, wasmtime_error_t *error, wasm_trap_t *trap,
		  enum engine_end on_error, struct engine_outcome *outcome)
{
	outcome->end = ENGINE_ENDED_RETURN;
	if (trap) {
		judge_trap(trap, outcome);
	} else if (error) {
		outcome->end = on_error;
		wasmtime__say(error, outcome->message);
	}
	if (!guest->exited)
		return;
	outcome->end = ENGINE_ENDED_EXIT;
	outcome->exit_code = guest->exit_code;
	outcome->message[0] = '\0';
}

/* False: `outcome` has why it never came to _start. */
static bool instantiate(struct engine_guest *guest, struct engine_outcome *outcome)
{
	wasmtime_linker_t *linker = wasmtime_linker_new(guest->engine);
	wasmtime_instance_t instance;
	wasm_trap_t *trap = NULL;
	wasmtime_error_t *error;

	outcome->end = ENGINE_ENDED_REFUSED;
	if (!define_imports(guest, linker, outcome->message))
		return false;
	error = wasmtime_linker_instantiate(linker, guest->context, guest->module, &instance,
					    &trap);
	judge(guest, error, trap, ENGINE_ENDED_REFUSED, outcome);
	if (outcome->end != ENGINE_ENDED_RETURN)
		return false;
	outcome->end = ENGINE_ENDED_REFUSED;
	return find_exports(guest, &instance, outcome->message);
}

static void run(struct engine_guest *guest, const struct engine_limits *limits, struct wasi *wasi,
		struct engine_outcome *ret_outcome)
{
	wasm_trap_t *trap = NULL;
	wasmtime_error_t *error;

	*ret_outcome = (struct engine_outcome){.end = ENGINE_ENDED_REFUSED};
	guest->wasi = wasi;
	if (!make_store(guest, limits, ret_outcome->message) || !instantiate(guest, ret_outcome))
		return;
	error = wasmtime_func_call(guest->context, &guest->start, NULL, 0, NULL, 0, &trap);
	judge(guest, error, trap, ENGINE_ENDED_TRAP, ret_outcome);
}

/* Reads what lies in the store: no lock, no allocation. */
static uint64_t fuel_used(const struct engine_guest *guest)
{
	uint64_t left = 0;

	if (!guest->context || wasmtime_context_get_fuel(guest->context, &left) != NULL)
		return 0;
	return guest->fuel - (left < guest->fuel ? left : guest->fuel);
}

static uint64_t memory_bytes(const struct engine_guest *guest)
{
	return guest->has_memory ? wasmtime_memory_data_size(guest->context, &guest->memory) : 0;
}

const struct engine engine_runtime = {
	.name = "wasmtime",
	.version = WASMTIME_VERSION,
	.load = load,
	.run = run,
	.fuel_used = fuel_used,
	.memory_bytes = memory_bytes,
};
