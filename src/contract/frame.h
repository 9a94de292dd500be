/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * frame.h - the envelope around a launch body: magic, version, length, BLAKE3, then the body.
 *
 * The digest finds damage, not forgery: it has no key.  What protects the bytes is the sealed file
 * they are handed over in.
 */
#ifndef BV_CONTRACT_FRAME_H
#define BV_CONTRACT_FRAME_H

#include "hash.h"

enum { BV_FRAME_HEADER_SIZE = 46 };

/* In the order they are looked for. */
#define BV_FRAME_REJECTS(X)                                                                        \
	X(BV_FRAME_OK, "")                                                                         \
	X(BV_FRAME_TRUNCATED, "Truncated")                                                         \
	X(BV_FRAME_BAD_MAGIC, "BadMagic")                                                          \
	X(BV_FRAME_UNSUPPORTED_VERSION, "UnsupportedVersion")                                      \
	X(BV_FRAME_LENGTH_MISMATCH, "LengthMismatch")                                              \
	X(BV_FRAME_DIGEST_MISMATCH, "DigestMismatch")

enum bv_frame_reject {
#define BV_FRAME_ROW(constant, name) constant,
	BV_FRAME_REJECTS(BV_FRAME_ROW)
#undef BV_FRAME_ROW
};

struct bv_frame {
	uint16_t
		version; /* 1 or 2; of a rejected frame, what was found, from UNSUPPORTED_VERSION on */
	const uint8_t *body; /* inside the frame */
	size_t body_bytes;
	struct bv_digest digest;
};

/* False when the body is longer than the header can say (4 GiB): then nothing was written. */
bool bv_frame_seal(uint16_t version, const void *body, size_t body_bytes,
		   uint8_t ret_header[BV_FRAME_HEADER_SIZE]);

/* Body and length of the result are set only for BV_FRAME_OK. */
enum bv_frame_reject bv_frame_open(const void *data, size_t size_bytes, struct bv_frame *ret_frame);

const char *bv_frame_reject_name(enum bv_frame_reject reject);

#endif
