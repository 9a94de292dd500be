/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * compile.c - bvisor-wasm-compile: turns a module into code.
 *
 * A module is a program for the compiler too, and some take it minutes or gigabytes: so it runs in a
 * boundary of its own, with no file, no network and limits of its own.  The code goes into the memory
 * file it was given; whether it is right is nobody's to know, which is why it only ever runs confined.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine.h"
#include "lock.h"
#include "options.h"
#include "result.h"

static struct wasm_result *result; /* shared with the host */

static _Noreturn void end(enum wasm_end how, const char *message)
{
	(void)snprintf(result->message, sizeof result->message, "%s", message);
	result->end = (uint32_t)how;
	result->stage = WASM_STAGE_ENDED;
	_exit(how == WASM_END_RETURN ? 0 : WASM_EXIT_HELPER);
}

static void write_all(int fd, const uint8_t *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t wrote = write(fd, data + at, size - at);

		if (wrote < 0 && errno != EINTR)
			end(WASM_END_REFUSED, "the code is too large");
		if (wrote > 0)
			at += (size_t)wrote;
	}
}

int main(int argc, char **argv)
{
	struct options options;
	struct engine_target target;
	char message[ENGINE_MESSAGE_BYTES] = "";
	const uint8_t *module;
	uint8_t *code = NULL;
	size_t code_size = 0;
	struct stat seen;
	void *page;
	char **args;

	if (!options_read(argc, argv, &options, &args))
		return WASM_EXIT_HELPER;
	page = mmap(NULL, WASM_RESULT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, options.result_fd,
		    0);
	if (page == MAP_FAILED)
		return WASM_EXIT_HELPER;
	result = page;
	result->magic = WASM_RESULT_MAGIC;
	if (fstat(options.module_fd, &seen) != 0 || seen.st_size == 0)
		end(WASM_END_REFUSED, "the module is empty");
	module = mmap(NULL, (size_t)seen.st_size, PROT_READ, MAP_PRIVATE, options.module_fd, 0);
	if (module == MAP_FAILED)
		end(WASM_END_REFUSED, "the module cannot be read");
	/* It makes code, and runs none of it. */
	if (lock_code(LOCK_PRETENDS) != 0)
		end(WASM_END_REFUSED, "executable memory cannot be refused");
	target = (struct engine_target){options.interpreted, options.deterministic};
	if (!engine_compiler.compile(&target, module, (size_t)seen.st_size, &code, &code_size,
				     message))
		end(WASM_END_REFUSED, message);
	write_all(options.code_fd, code, code_size);
	result->code_bytes = code_size;
	end(WASM_END_RETURN, "");
}
