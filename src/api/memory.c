/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory of the objects, and the bytes that leave them. */
#include "api.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "contract/json.h"

enum bv_code bv__memory_map(struct bv_arena *arena, size_t size_bytes, struct bv_error *err)
{
	void *base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for %zu bytes",
			       size_bytes);
	bv_arena_init(arena, base, size_bytes);
	return BV_OK;
}

void bv__memory_unmap(struct bv_arena *arena)
{
	if (arena->base)
		(void)munmap(arena->base, arena->size); /* cannot fail for what mmap gave */
	*arena = (struct bv_arena){0};
}

enum bv_code bv__memory_make(struct bv_arena *ret_arena,
			     enum bv_code (*make)(struct bv_arena *, void *, struct bv_error *),
			     void *context, struct bv_error *err)
{
	size_t size = BV_OBJECT_FIRST_BYTES;

	for (;;) {
		struct bv_arena arena = {0};
		enum bv_code code = bv__memory_map(&arena, size, err);

		if (code != BV_OK)
			return code;
		code = make(&arena, context, err);
		if (code == BV_OK) {
			*ret_arena = arena;
			return BV_OK;
		}
		bv__memory_unmap(&arena);
		if (code != BV_E_MEMORY || size >= BV_OBJECT_MOST_BYTES)
			return code;
		size *= 4;
	}
}

enum bv_code bv__json_out(const struct bv_type *type, const void *value, char **ret_text,
			  struct bv_error *err)
{
	struct bv_writer writer = {0};
	char *text;

	bv_json_encode(&writer, type, value, BV_JSON_PRETTY);
	text = malloc(writer.len + 2);
	if (!text)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for %zu bytes of text",
			       writer.len);
	writer = (struct bv_writer){.data = (uint8_t *)text, .capacity = writer.len};
	bv_json_encode(&writer, type, value, BV_JSON_PRETTY);
	text[writer.len] = '\n';
	text[writer.len + 1] = '\0';
	*ret_text = text;
	return BV_OK;
}

enum bv_code bv__bytes_out(const struct bv_type *type, const void *value, void **ret_data,
			   size_t *ret_size_bytes, struct bv_error *err)
{
	size_t size = bv_canon_size(type, value);
	struct bv_writer writer = {.data = malloc(size), .capacity = size};

	if (!writer.data)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for %zu bytes", size);
	bv_canon_encode(&writer, type, value);
	*ret_data = writer.data;
	*ret_size_bytes = size;
	return BV_OK;
}
