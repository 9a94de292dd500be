/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * frame.c - sealing and opening envelopes.
 */
#include "frame.h"

/* The one place of bvisor where integers are little-endian. */
enum { MAGIC_AT = 0, VERSION_AT = 8, LENGTH_AT = 10, DIGEST_AT = 14 };

static const uint8_t magic[8] = {'B', 'V', 'Z', 'L', 'N', 'C', 'H', '1'};

bool bv_frame_seal(uint16_t version, const void *body, size_t body_bytes,
		   uint8_t ret_header[BV_FRAME_HEADER_SIZE])
{
	struct bv_digest digest;

	if ((uint64_t)body_bytes > UINT32_MAX)
		return false;

	bv_hash_bytes(body, body_bytes, &digest);
	__builtin_memcpy(ret_header + MAGIC_AT, magic, sizeof magic);
	for (size_t i = 0; i < 2; i++)
		ret_header[VERSION_AT + i] = (uint8_t)(version >> (8 * i));
	for (size_t i = 0; i < 4; i++)
		ret_header[LENGTH_AT + i] = (uint8_t)(body_bytes >> (8 * i));
	__builtin_memcpy(ret_header + DIGEST_AT, digest.bytes, sizeof digest.bytes);
	return true;
}

enum bv_frame_reject bv_frame_open(const void *data, size_t size_bytes, struct bv_frame *ret_frame)
{
	const uint8_t *header = data;
	struct bv_digest digest;
	uint64_t length = 0;

	if (size_bytes < BV_FRAME_HEADER_SIZE)
		return BV_FRAME_TRUNCATED;
	if (__builtin_memcmp(header + MAGIC_AT, magic, sizeof magic) != 0)
		return BV_FRAME_BAD_MAGIC;
	ret_frame->version = (uint16_t)(header[VERSION_AT] | header[VERSION_AT + 1] << 8);
	if (ret_frame->version != 1 && ret_frame->version != 2)
		return BV_FRAME_UNSUPPORTED_VERSION;
	for (size_t i = 0; i < 4; i++)
		length |= (uint64_t)header[LENGTH_AT + i] << (8 * i);
	if (length != (uint64_t)size_bytes - BV_FRAME_HEADER_SIZE)
		return BV_FRAME_LENGTH_MISMATCH;
	bv_hash_bytes(header + BV_FRAME_HEADER_SIZE, (size_t)length, &digest);
	if (__builtin_memcmp(header + DIGEST_AT, digest.bytes, sizeof digest.bytes) != 0)
		return BV_FRAME_DIGEST_MISMATCH;

	ret_frame->digest = digest;
	ret_frame->body = header + BV_FRAME_HEADER_SIZE;
	ret_frame->body_bytes = (size_t)length;
	return BV_FRAME_OK;
}

const char *bv_frame_reject_name(enum bv_frame_reject reject)
{
	static const char *const names[] = {
#define BV_FRAME_ROW(constant, name) name,
		BV_FRAME_REJECTS(BV_FRAME_ROW)
#undef BV_FRAME_ROW
	};

	bv_assert((size_t)reject < sizeof names / sizeof names[0]);
	return names[reject];
}
