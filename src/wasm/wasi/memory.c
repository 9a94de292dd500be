/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The guest's memory.  Offsets and lengths of the guest are 32 bits wide and are added as 64, against
 * the size the memory has during this call; nothing else in this folder computes with them.
 */
#include "internal.h"

#include <string.h>

bool wasi_range(const struct wasi_call *call, uint64_t offset, uint64_t size_bytes, uint8_t **ret)
{
	static uint8_t nowhere;
	const struct wasi_memory *memory = &call->memory;
	uint64_t end;

	if (!bv_add(offset, size_bytes, &end) || end > (memory->data ? memory->size : 0))
		return false;
	/* No bytes are somewhere too: even adding 0 to a NULL that a guest without memory has is undefined. */
	*ret = memory->data ? memory->data + offset : &nowhere;
	return true;
}

uint16_t wasi_get16(const uint8_t *from)
{
	return (uint16_t)(from[0] | from[1] << 8);
}

uint32_t wasi_get32(const uint8_t *from)
{
	return (uint32_t)wasi_get16(from) | (uint32_t)wasi_get16(from + 2) << 16;
}

uint64_t wasi_get64(const uint8_t *from)
{
	return (uint64_t)wasi_get32(from) | (uint64_t)wasi_get32(from + 4) << 32;
}

void wasi_put16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)value;
	to[1] = (uint8_t)(value >> 8);
}

void wasi_put32(uint8_t *to, uint32_t value)
{
	wasi_put16(to, (uint16_t)value);
	wasi_put16(to + 2, (uint16_t)(value >> 16));
}

void wasi_put64(uint8_t *to, uint64_t value)
{
	wasi_put32(to, (uint32_t)value);
	wasi_put32(to + 4, (uint32_t)(value >> 32));
}

uint32_t wasi_store32(const struct wasi_call *call, uint32_t offset, uint32_t value)
{
	uint8_t *to;

	if (!wasi_range(call, offset, 4, &to))
		return WASI_EFAULT;
	wasi_put32(to, value);
	return WASI_SUCCESS;
}

uint32_t wasi_store64(const struct wasi_call *call, uint32_t offset, uint64_t value)
{
	uint8_t *to;

	if (!wasi_range(call, offset, 8, &to))
		return WASI_EFAULT;
	wasi_put64(to, value);
	return WASI_SUCCESS;
}

uint32_t wasi_text(const struct wasi_call *call, uint32_t offset, uint32_t size_bytes,
		   char ret[PATH_MAX])
{
	uint8_t *from;

	if (!wasi_range(call, offset, size_bytes, &from))
		return WASI_EFAULT;
	if (size_bytes == 0)
		return WASI_ENOENT;
	if (size_bytes >= PATH_MAX)
		return WASI_ENAMETOOLONG;
	memcpy(ret, from, size_bytes);
	ret[size_bytes] = '\0';
	/* The standard's strings are UTF-8, and no path has a NUL in it. */
	if (memchr(ret, 0, size_bytes) || !bv_utf8_valid((struct bv_str){ret, size_bytes}))
		return WASI_EILSEQ;
	return WASI_SUCCESS;
}

uint32_t wasi_buffers_get(const struct wasi_call *call, uint32_t offset, uint32_t count,
			  struct wasi_buffers *ret)
{
	uint8_t *list;

	ret->count = 0;
	ret->total_bytes = 0;
	if (count > WASI_IOVECS_MAX)
		return WASI_EINVAL;
	if (!wasi_range(call, offset, (uint64_t)count * WASI_SIZE_IOVEC, &list))
		return WASI_EFAULT;
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t base = wasi_get32(list + (size_t)i * WASI_SIZE_IOVEC);
		size_t size_bytes = wasi_get32(list + (size_t)i * WASI_SIZE_IOVEC + 4);
		uint8_t *data;

		/* All are checked, also behind what this call will move. */
		if (!wasi_range(call, base, size_bytes, &data))
			return WASI_EFAULT;
		if (size_bytes > WASI_IO_BYTES_MAX - ret->total_bytes)
			size_bytes = WASI_IO_BYTES_MAX - ret->total_bytes;
		if (size_bytes == 0)
			continue;
		ret->items[ret->count++] = (struct iovec){data, size_bytes};
		ret->total_bytes += size_bytes;
	}
	return WASI_SUCCESS;
}

void wasi_buffers_skip(struct wasi_buffers *buffers, size_t size_bytes)
{
	int at = 0;

	bv_assert(size_bytes <= buffers->total_bytes);
	buffers->total_bytes -= size_bytes;
	while (at < buffers->count && size_bytes >= buffers->items[at].iov_len)
		size_bytes -= buffers->items[at++].iov_len;
	buffers->count -= at;
	memmove(buffers->items, buffers->items + at,
		(size_t)buffers->count * sizeof(buffers->items[0]));
	if (size_bytes > 0) {
		buffers->items[0].iov_base = (uint8_t *)buffers->items[0].iov_base + size_bytes;
		buffers->items[0].iov_len -= size_bytes;
	}
}

void wasi_buffers_cut(struct wasi_buffers *buffers, size_t size_bytes)
{
	size_t total = 0;
	int count = 0;

	while (count < buffers->count && total < size_bytes) {
		struct iovec *item = &buffers->items[count++];

		if (item->iov_len > size_bytes - total)
			item->iov_len = size_bytes - total;
		total += item->iov_len;
	}
	buffers->count = count;
	buffers->total_bytes = total;
}
