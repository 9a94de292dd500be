/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * export.c - fuzzes what checks an exported journal (src/verify).
 *
 * The first byte chooses: whether the bytes are taken as they are or get their hashes mended first, so that
 * what lies behind those is reached; whether the beginning has to be there; whether an anchor and a report
 * are looked for.  Signatures count as good unless their first byte is zero: nobody could fuzz one.
 *
 * An answer is always given, and what is taken is taken to its last byte: with any other byte changed it is
 * refused.
 */
#include "fuzz.h"

#include <sodium/crypto_sign_ed25519.h>
#include <string.h>

#include "contract/hash.h"
#include "verify/check.h"

enum {
	HEADER_BYTES = 72,
	RECORD_BYTES = 153, /* with its letter, without contents */
	END_BYTES = 73,
	INPUT_MAX = 1 << 15,
};

/* Of the key that the corpus was signed with. */
static const struct bv_digest public_key = {{0x3e, 0xe2, 0xa8, 0xa7, 0x28, 0x3c, 0xb2, 0xfd,
					     0x72, 0x89, 0x43, 0xda, 0xa1, 0x27, 0xef, 0x09,
					     0xe4, 0x83, 0x07, 0x1a, 0x8b, 0x4b, 0xc6, 0x99,
					     0xba, 0x45, 0x22, 0xf0, 0x9b, 0x14, 0xcf, 0xde}};

int crypto_sign_ed25519_verify_detached(const unsigned char *signature,
					const unsigned char *message,
					unsigned long long message_bytes, const unsigned char *key)
{
	(void)message;
	(void)message_bytes;
	(void)key;
	return signature[0] != 0 ? 0 : -1;
}

struct input {
	const uint8_t *data;
	size_t size_bytes, at, step;
};

static ptrdiff_t give(void *context, void *to, size_t size_bytes)
{
	struct input *input = context;
	size_t part = input->size_bytes - input->at;

	part = part < size_bytes ? part : size_bytes;
	part = part < input->step ? part : input->step;
	memcpy(to, input->data + input->at, part);
	input->at += part;
	return (ptrdiff_t)part;
}

static size_t contents_of(const uint8_t *record, size_t room)
{
	const size_t size = (size_t)record[149] << 24 | (size_t)record[150] << 16 |
			    (size_t)record[151] << 8 | record[152];

	return size == UINT32_MAX ? 0 : size <= room ? size : room;
}

/* Puts in what a record's hashes have to be, in front of and within it. */
static void mend_record(uint8_t *record, size_t contents, const uint8_t *store, uint8_t head[32])
{
	static const char domain[18] = "bvisor.journal.v1";
	uint8_t preimage[18 + 16 + 52 + 32 + 32];
	struct bv_digest digest;

	if (record[149] != 0xff) {
		bv_hash_bytes(record + RECORD_BYTES, contents, &digest);
		memcpy(record + 53, digest.bytes, 32);
	}
	memcpy(record + 85, head, 32);
	memcpy(preimage, domain, sizeof domain);
	memcpy(preimage + 18, store, 16);
	memcpy(preimage + 34, record + 1, 52);
	memcpy(preimage + 86, record + 53, 32);
	memcpy(preimage + 118, head, 32);
	bv_hash_bytes(preimage, sizeof preimage, &digest);
	memcpy(record + 117, digest.bytes, 32);
	memcpy(head, digest.bytes, 32);
}

static void mend(uint8_t *data, size_t size_bytes)
{
	struct bv_digest digest;
	uint8_t head[32];
	size_t at = HEADER_BYTES;

	if (size_bytes < HEADER_BYTES)
		return;
	memcpy(head, data + 40, 32);
	while (size_bytes - at >= RECORD_BYTES && data[at] == 'R') {
		const size_t contents = contents_of(data + at, size_bytes - at - RECORD_BYTES);

		mend_record(data + at, contents, data + 16, head);
		at += RECORD_BYTES + contents;
	}
	if (size_bytes - at < END_BYTES)
		return;
	memcpy(data + at + 9, head, 32);
	bv_hash_bytes(data, at + 41, &digest);
	memcpy(data + at + 41, digest.bytes, 32);
}

static enum bv_code check(const uint8_t *data, size_t size_bytes, uint8_t choice)
{
	static const struct bv_digest some = {{1}};
	const struct bv__export_options options = {
		.public_key = &public_key,
		.whole = (choice & 2) != 0,
		.report = (choice & 4) != 0 ? &some : NULL,
		.anchor_seq = (choice & 8) != 0 ? 3 : 0,
		.anchor_hash = &some,
	};
	struct input input = {data, size_bytes, 0, (choice & 16) != 0 ? 7 : SIZE_MAX};
	struct bv_error err = {.code = BV_OK};
	struct bv__export_found found;
	const enum bv_code code = bv__export_check(give, &input, &options, &found, &err);

	bv_assert(code == BV_OK ? input.at == size_bytes : err.code == code && err.message[0] != 0);
	bv_assert(code == BV_OK || code == BV_E_INTEGRITY || code == BV_E_DECODE);
	bv_assert(code != BV_OK ||
		  (found.anchors > 0 && found.records >= found.removed + found.anchors));
	return code;
}

void bv_fuzz_one(const uint8_t *data, size_t size_bytes)
{
	static uint8_t copy[INPUT_MAX];
	size_t at;

	if (size_bytes < 2 || size_bytes > INPUT_MAX)
		return;
	memcpy(copy, data + 1, --size_bytes);
	if ((data[0] & 1) != 0)
		mend(copy, size_bytes);
	if (check(copy, size_bytes, data[0]) != BV_OK)
		return;
	at = ((size_t)data[1 + size_bytes / 2] << 8 | data[size_bytes]) % size_bytes;
	copy[at] ^= 1;
	bv_assert(check(copy, size_bytes, data[0]) != BV_OK);
}
