/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * frame.c - fuzzes the envelope around a launch body.
 *
 * What is accepted has to seal to the same header; and since no fuzzer finds a digest by itself,
 * the rest of the input is also sealed and opened as a body.
 */
#include "fuzz.h"

#include <string.h>

#include "contract/frame.h"

enum { FRAME_SIZE = 1 << 16 };

static void open_and_compare(const uint8_t *data, size_t size_bytes)
{
	uint8_t header[BV_FRAME_HEADER_SIZE];
	struct bv_frame frame;

	if (bv_frame_open(data, size_bytes, &frame) != BV_FRAME_OK)
		return;
	bv_assert(frame.body == data + BV_FRAME_HEADER_SIZE);
	bv_assert(frame.body_bytes == size_bytes - BV_FRAME_HEADER_SIZE);
	bv_assert(bv_frame_seal(frame.version, frame.body, frame.body_bytes, header));
	bv_assert(memcmp(header, data, sizeof(header)) == 0);
}

void bv_fuzz_one(const uint8_t *data, size_t size_bytes)
{
	static uint8_t sealed[FRAME_SIZE];
	const size_t room = sizeof(sealed) - BV_FRAME_HEADER_SIZE;
	const size_t body_bytes = size_bytes < room ? size_bytes : room;
	struct bv_frame frame;

	open_and_compare(data, size_bytes);
	if (body_bytes)
		memcpy(sealed + BV_FRAME_HEADER_SIZE, data, body_bytes);
	bv_assert(bv_frame_seal(1, sealed + BV_FRAME_HEADER_SIZE, body_bytes, sealed));
	bv_assert(bv_frame_open(sealed, BV_FRAME_HEADER_SIZE + body_bytes, &frame) == BV_FRAME_OK);
	/* Any other length, and any changed byte, is refused. */
	bv_assert(bv_frame_open(sealed, BV_FRAME_HEADER_SIZE + body_bytes - 1, &frame) !=
		  BV_FRAME_OK);
	sealed[body_bytes % BV_FRAME_HEADER_SIZE] ^= 1;
	bv_assert(bv_frame_open(sealed, BV_FRAME_HEADER_SIZE + body_bytes, &frame) != BV_FRAME_OK);
}
