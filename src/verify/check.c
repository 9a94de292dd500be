/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* check.c - one pass over an export, in memory for one record at a time. */
#include "check.h"

#include <sodium/crypto_sign_ed25519.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "contract/canon.h"
#include "contract/report.h"

enum {
	HEADER_BYTES = 72,
	ENVELOPE_BYTES = 152,
	PAYLOAD_MAX = 64 << 20,
	SCRATCH_BYTES = 256 << 20, /* of a decoded record */
};

struct record {
	uint64_t seq, at_us;
	struct bv_digest attempt, payload_digest, prev, hash;
	uint16_t kind, version;
	uint8_t *payload; /* NULL: removed, or left out of a proof */
	size_t payload_bytes;
};

struct check {
	bv__export_read_fn read;
	void *context;
	const struct bv__export_options *options;
	struct bv__export_found *found;
	struct bv_hash file;
	struct bv_arena scratch;
	uint8_t *payload;
	size_t payload_capacity;
	uint64_t to_sign;    /* the last record that a signature has to follow */
	uint64_t report_seq; /* where the report that is looked for was found; 0: not yet */
	struct bv_error *err;
};

/* ---- reading --------------------------------------------------------------------------------- */

static enum bv_code fail(struct check *check, enum bv_code code, const char *what)
{
	return bv_fail(check->err, code, "export", "%s", what);
}

static enum bv_code wrong(struct check *check, uint64_t seq, const char *what)
{
	char where[32];

	(void)snprintf(where, sizeof where, "record %llu", (unsigned long long)seq);
	return bv_fail(check->err, BV_E_INTEGRITY, where, "%s", what);
}

static enum bv_code take_unhashed(struct check *check, void *data, size_t size_bytes)
{
	uint8_t *to = data;

	while (size_bytes > 0) {
		const ptrdiff_t got = check->read(check->context, to, size_bytes);

		if (got < 0)
			return fail(check, BV_E_SYSTEM, "it cannot be read");
		if (got == 0)
			return fail(check, BV_E_INTEGRITY, "it ends in the middle: it was cut off");
		to += got;
		size_bytes -= (size_t)got;
	}
	return BV_OK;
}

static enum bv_code take(struct check *check, void *data, size_t size_bytes)
{
	enum bv_code code = take_unhashed(check, data, size_bytes);

	if (code == BV_OK)
		bv_hash_update(&check->file, data, size_bytes);
	return code;
}

static uint64_t number(const uint8_t *digits, int bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | digits[i];
	return value;
}

static void digest(const uint8_t *bytes, struct bv_digest *ret_digest)
{
	memcpy(ret_digest->bytes, bytes, 32);
}

static enum bv_code take_payload(struct check *check, struct record *record, size_t size_bytes)
{
	if (size_bytes > PAYLOAD_MAX)
		return wrong(check, record->seq, "it is larger than any record can be");
	if (size_bytes > check->payload_capacity || check->payload == NULL) {
		free(check->payload);
		check->payload = malloc(size_bytes + 1);
		check->payload_capacity = size_bytes;
		if (check->payload == NULL)
			return fail(check, BV_E_MEMORY, "there is no memory for a record");
	}
	record->payload = check->payload;
	record->payload_bytes = size_bytes;
	return take(check, check->payload, size_bytes);
}

static enum bv_code take_record(struct check *check, struct record *ret_record)
{
	uint8_t bytes[ENVELOPE_BYTES];
	enum bv_code code = take(check, bytes, sizeof bytes);
	uint64_t size_bytes;

	if (code != BV_OK)
		return code;
	*ret_record = (struct record){.seq = number(bytes, 8),
				      .kind = (uint16_t)number(bytes + 40, 2),
				      .version = (uint16_t)number(bytes + 42, 2),
				      .at_us = number(bytes + 44, 8)};
	digest(bytes + 8, &ret_record->attempt);
	digest(bytes + 52, &ret_record->payload_digest);
	digest(bytes + 84, &ret_record->prev);
	digest(bytes + 116, &ret_record->hash);
	size_bytes = number(bytes + 148, 4);
	return size_bytes == UINT32_MAX ? BV_OK
					: take_payload(check, ret_record, (size_t)size_bytes);
}

/* ---- the chain ------------------------------------------------------------------------------- */

static const char chain_domain[] = "bvisor.journal.v1";
static const char anchor_domain[] = "bvisor.anchor.v1";

static void write_number(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, value >>= 8)
		to[i] = (uint8_t)value;
}

static void genesis(const uint8_t store[16], struct bv_digest *ret_hash)
{
	uint8_t preimage[sizeof chain_domain + 16];

	memcpy(preimage, chain_domain, sizeof chain_domain);
	memcpy(preimage + sizeof chain_domain, store, 16);
	bv_hash_bytes(preimage, sizeof preimage, ret_hash);
}

static void hash_record(const uint8_t store[16], const struct record *record,
			struct bv_digest *ret_hash)
{
	uint8_t preimage[sizeof chain_domain + 16 + 8 + 32 + 2 + 2 + 8 + 32 + 32];
	uint8_t *at = preimage;

	memcpy(at, chain_domain, sizeof chain_domain);
	at += sizeof chain_domain;
	memcpy(at, store, 16);
	write_number(at + 16, record->seq, 8);
	memcpy(at + 24, record->attempt.bytes, 32);
	write_number(at + 56, record->kind, 2);
	write_number(at + 58, record->version, 2);
	write_number(at + 60, record->at_us, 8);
	memcpy(at + 68, record->payload_digest.bytes, 32);
	memcpy(at + 100, record->prev.bytes, 32);
	bv_hash_bytes(preimage, sizeof preimage, ret_hash);
}

/* ---- contents -------------------------------------------------------------------------------- */

static enum bv_code decode(struct check *check, const struct record *record,
			   const struct bv_type *type, void *ret_value)
{
	check->scratch.used = 0;
	if (bv_canon_decode(&check->scratch, type, record->payload, record->payload_bytes,
			    ret_value, NULL) != BV_OK)
		return wrong(check, record->seq, "its contents cannot be read");
	return BV_OK;
}

static enum bv_code check_anchor(struct check *check, const struct record *record)
{
	uint8_t message[sizeof anchor_domain + 16 + 8 + 8 + 32 + 32];
	uint8_t signature[crypto_sign_ed25519_BYTES];
	uint8_t *at = message + sizeof anchor_domain;
	struct bv_anchor_event anchor;
	enum bv_code code = decode(check, record, &bv_anchor_event_type, &anchor);

	if (code != BV_OK)
		return code;
	if (!bv_digest_equal(&anchor.head, &record->prev))
		return wrong(check, record->seq, "the anchor is about another record");
	if (!bv_digest_equal(&anchor.public_key, check->options->public_key))
		return wrong(check, record->seq, "the anchor is signed with another key");
	memcpy(message, anchor_domain, sizeof anchor_domain);
	memcpy(at, check->found->store, 16);
	write_number(at + 16, record->seq - 1, 8);
	write_number(at + 24, record->at_us, 8);
	memcpy(at + 32, record->prev.bytes, 32);
	memcpy(at + 64, check->options->public_key->bytes, 32);
	memcpy(signature, anchor.signature_r.bytes, 32);
	memcpy(signature + 32, anchor.signature_s.bytes, 32);
	if (crypto_sign_ed25519_verify_detached(signature, message, sizeof message,
						check->options->public_key->bytes) != 0)
		return wrong(check, record->seq, "the signature of the anchor is wrong");
	check->found->anchors++;
	check->found->anchored_seq = record->seq - 1;
	return BV_OK;
}

static enum bv_code check_report(struct check *check, const struct record *record)
{
	struct bv_report_event event;
	enum bv_code code = decode(check, record, &bv_report_event_type, &event);

	if (code != BV_OK)
		return code;
	if (bv_report_check(&check->scratch, &event.report, NULL) != BV_OK)
		return wrong(check, record->seq, "the report's seal does not hold");
	if (!event.report.body.has_attempt ||
	    !bv_digest_equal(&event.report.body.attempt, &record->attempt))
		return wrong(check, record->seq, "the report is of another attempt");
	if (check->options->report != NULL &&
	    bv_digest_equal(&event.report.body_hash, check->options->report)) {
		check->report_seq = record->seq;
		check->found->attempt = record->attempt;
	}
	return BV_OK;
}

/* What an attempt writes before its end; all else is signed as it is written. */
static bool stands_unsigned(uint16_t kind)
{
	return kind == BV_EVENT_STARTED || kind == BV_EVENT_REQUEST || kind == BV_EVENT_BOUND ||
	       kind == BV_EVENT_RECOVERY_INTENT;
}

static enum bv_code check_record(struct check *check, const struct record *record)
{
	const struct bv__export_options *options = check->options;
	struct bv__export_found *found = check->found;
	struct bv_digest hash;

	if (record->seq != found->first + found->records)
		return wrong(check, record->seq,
			     "records before it are missing, or it is out of place");
	if (!bv_digest_equal(&record->prev, &found->head))
		return wrong(check, record->seq, "it does not follow the record before it");
	hash_record(found->store, record, &hash);
	if (!bv_digest_equal(&hash, &record->hash))
		return wrong(check, record->seq, "its hash does not recompute");
	if (record->version != 1)
		return wrong(check, record->seq, "its version is not known");
	if (options->anchor_seq == record->seq && options->anchor_hash != NULL &&
	    !bv_digest_equal(options->anchor_hash, &record->hash))
		return wrong(check, record->seq,
			     "it is another than the anchor kept elsewhere says");
	found->records++;
	found->head = record->hash;
	if (!stands_unsigned(record->kind) && record->kind != BV_EVENT_ANCHOR)
		check->to_sign = record->seq;
	if (record->payload == NULL && record->kind == BV_EVENT_ANCHOR)
		return wrong(check, record->seq, "the contents of a signature are missing");
	if (record->payload == NULL) {
		found->removed++;
		return BV_OK;
	}
	bv_hash_bytes(record->payload, record->payload_bytes, &hash);
	if (!bv_digest_equal(&hash, &record->payload_digest))
		return wrong(check, record->seq, "its contents were altered");
	if (record->kind == BV_EVENT_ANCHOR)
		return check_anchor(check, record);
	return record->kind == BV_EVENT_REPORT ? check_report(check, record) : BV_OK;
}

/* ---- the file -------------------------------------------------------------------------------- */

static enum bv_code check_header(struct check *check)
{
	struct bv__export_found *found = check->found;
	uint8_t bytes[HEADER_BYTES];
	struct bv_digest first;
	enum bv_code code = take(check, bytes, sizeof bytes);

	if (code != BV_OK || memcmp(bytes, "bvisor-journal\0\1", 16) != 0)
		return fail(check, BV_E_DECODE,
			    "this is no export of a bvisor journal, or of a newer one");
	memcpy(found->store, bytes + 16, 16);
	found->first = number(bytes + 32, 8);
	digest(bytes + 40, &found->head);
	genesis(found->store, &first);
	found->whole = found->first == 1;
	if (found->first == 0 || (found->whole && !bv_digest_equal(&found->head, &first)))
		return fail(check, BV_E_INTEGRITY,
			    "it does not begin as the journal it names does");
	return BV_OK;
}

static enum bv_code check_end(struct check *check)
{
	uint8_t bytes[40], extra;
	struct bv_digest sum, said;
	enum bv_code code = take(check, bytes, sizeof bytes);

	if (code != BV_OK)
		return code;
	bv_hash_final(&check->file, &sum);
	code = take_unhashed(check, said.bytes, sizeof said.bytes);
	if (code != BV_OK)
		return code;
	if (number(bytes, 8) != check->found->records ||
	    memcmp(bytes + 8, check->found->head.bytes, 32) != 0 || !bv_digest_equal(&sum, &said))
		return fail(check, BV_E_INTEGRITY, "its end does not fit the rest");
	if (check->read(check->context, &extra, 1) != 0)
		return fail(check, BV_E_INTEGRITY, "something follows its end");
	return BV_OK;
}

static enum bv_code check_all(struct check *check)
{
	enum bv_code code = check_header(check);

	while (code == BV_OK) {
		struct record record;
		uint8_t tag;

		code = take(check, &tag, 1);
		if (code == BV_OK && tag == 'E')
			return check_end(check);
		if (code == BV_OK && tag != 'R')
			code = fail(check, BV_E_INTEGRITY, "something is in it that is no record");
		if (code == BV_OK)
			code = take_record(check, &record);
		if (code == BV_OK)
			code = check_record(check, &record);
	}
	return code;
}

static enum bv_code check_wanted(struct check *check)
{
	const struct bv__export_options *options = check->options;
	const struct bv__export_found *found = check->found;

	if (found->anchors == 0)
		return fail(check, BV_E_INTEGRITY, "nothing in it is signed");
	if (check->to_sign > found->anchored_seq)
		return wrong(check, check->to_sign,
			     "it is of a kind that is signed, and no signature covers it");
	if (options->whole && !found->whole)
		return fail(check, BV_E_INTEGRITY, "it is a part: its beginning is left out");
	if (options->anchor_seq != 0 && found->first + found->records <= options->anchor_seq)
		return fail(check, BV_E_INTEGRITY, "it ends before the anchor kept elsewhere");
	if (options->report != NULL && check->report_seq == 0)
		return fail(check, BV_E_INTEGRITY, "the report is not in it");
	if (options->report != NULL && check->report_seq > found->anchored_seq)
		return fail(check, BV_E_INTEGRITY, "no signature covers the report");
	return BV_OK;
}

enum bv_code bv__export_check(bv__export_read_fn read, void *context,
			      const struct bv__export_options *options,
			      struct bv__export_found *ret_found, struct bv_error *err)
{
	struct check check = {read, context, options, ret_found, .err = err};
	/* Pages are taken as they are used. */
	void *room = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	enum bv_code code;

	*ret_found = (struct bv__export_found){.first = 0};
	if (room == MAP_FAILED)
		return fail(&check, BV_E_MEMORY, "there is no memory to check it in");
	bv_arena_init(&check.scratch, room, SCRATCH_BYTES);
	bv_hash_init(&check.file);
	code = check_all(&check);
	if (code == BV_OK)
		code = check_wanted(&check);
	free(check.payload);
	(void)munmap(room, SCRATCH_BYTES); /* cannot fail for what mmap gave */
	return code;
}

/* ---- text ------------------------------------------------------------------------------------ */

static bool read_hex(const char *text, size_t bytes, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned int value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1 ||
		    strspn(text + 2 * i, "0123456789abcdefABCDEF") < 2)
			return false;
		ret_bytes[i] = (uint8_t)value;
	}
	return true;
}

bool bv__digest_read(const char *text, struct bv_digest *ret_digest)
{
	return strlen(text) >= 64 && read_hex(text, 32, ret_digest->bytes) &&
	       strspn(text + 64, " \r\n") == strlen(text + 64);
}

bool bv__anchor_line_read(const char *text, struct bv__anchor_line *ret_line)
{
	char store[33], hash[65];
	unsigned long long seq;

	if (sscanf(text, "bvisor-anchor 1 %32s %llu %64s", store, &seq, hash) != 3 ||
	    strlen(store) != 32 || !read_hex(store, 16, ret_line->store) ||
	    !bv__digest_read(hash, &ret_line->hash) || seq == 0)
		return false;
	ret_line->seq = seq;
	return true;
}
