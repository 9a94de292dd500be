/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * path.c - paths as text.
 */
#include "path.h"

enum { DEPTH_LIMIT = 32 }; /* the deepest type has fewer; a test measures it */

static size_t append(char *text, size_t size_bytes, size_t len, const char *what)
{
	for (; *what != '\0' && len + 1 < size_bytes; what++)
		text[len++] = *what;
	return len;
}

static size_t append_index(char *text, size_t size_bytes, size_t len, size_t index)
{
	char digits[24];
	size_t at = sizeof digits;

	digits[--at] = '\0';
	digits[--at] = ']';
	do {
		digits[--at] = (char)('0' + index % 10);
		index /= 10;
	} while (index != 0);
	digits[--at] = '[';
	return append(text, size_bytes, len, digits + at);
}

void bv__path_text(const struct bv_path *path, char *ret_text, size_t size_bytes)
{
	const struct bv_path *steps[DEPTH_LIMIT];
	size_t depth = 0, len = 0;

	for (; path != NULL; path = path->up) {
		bv_assert(depth < DEPTH_LIMIT);
		steps[depth++] = path;
	}
	while (depth != 0) {
		const struct bv_path *step = steps[--depth];

		if (step->name == NULL) {
			len = append_index(ret_text, size_bytes, len, step->index);
			continue;
		}
		if (len != 0)
			len = append(ret_text, size_bytes, len, ".");
		len = append(ret_text, size_bytes, len, step->name);
	}
	ret_text[len] = '\0';
}
