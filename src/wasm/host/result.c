/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* result.c - what a helper left, which may be anything. */
#include <string.h>
#include <unistd.h>

#include "run.h"

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool is_whole(const struct wasm_result *result)
{
	if (result->magic != WASM_RESULT_MAGIC || result->end >= WASM_END_COUNT ||
	    result->stage > WASM_STAGE_ENDED || result->denied_count > WASM_RESULT_DENIED ||
	    !is_text(result->message, sizeof result->message))
		return false;
	for (uint32_t i = 0; i < result->denied_count; i++) {
		const struct wasm_denied *denied = &result->denied[i];

		if (!is_text(denied->function, sizeof denied->function) ||
		    !is_text(denied->path, sizeof denied->path))
			return false;
	}
	return true;
}

void bv__wasm_take_result(struct bv__wasm_run *run)
{
	/* Read, not mapped: the helper could cut the file short. */
	run->has_result = pread(run->result_fd, &run->result, sizeof run->result, 0) ==
				  (ssize_t)sizeof run->result &&
			  is_whole(&run->result);
	if (!run->has_result)
		memset(&run->result, 0, sizeof run->result);
}
