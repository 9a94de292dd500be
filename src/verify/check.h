/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * check.h - checks an exported journal by docs/format.md alone.
 *
 * Shares no code with src/journal, so that a mistake there is seen here.
 */
#ifndef BV_VERIFY_CHECK_H
#define BV_VERIFY_CHECK_H

#include "contract/event.h"

/* Reads up to `size_bytes`; how many, 0 at the end, -1 on failure. */
typedef ptrdiff_t (*bv__export_read_fn)(void *context, void *data, size_t size_bytes);

struct bv__export_options {
	const struct bv_digest *public_key; /* every signature must be of it */
	const struct bv_digest *report;     /* NULL, or a body_hash that must be in it and signed */
	/* An anchor kept elsewhere: record `anchor_seq` must have this hash.  0: none. */
	uint64_t anchor_seq;
	const struct bv_digest *anchor_hash;
	bool whole; /* it has to begin with the journal's first record */
};

struct bv__export_found {
	uint8_t store[16];
	bool whole; /* from the first record on */
	uint64_t first, records, removed, anchors;
	uint64_t anchored_seq; /* the last record under a signature; 0: none */
	struct bv_digest head;
	struct bv_digest attempt; /* of the report that was looked for */
};

/* BV_E_INTEGRITY, `where` naming the record; BV_E_DECODE for what is no export; BV_E_SYSTEM. */
enum bv_code bv__export_check(bv__export_read_fn read, void *context,
			      const struct bv__export_options *options,
			      struct bv__export_found *ret_found, struct bv_error *err);

/* "bvisor-anchor 1 ..." as `bvisor journal anchor` writes it; false when it is none. */
struct bv__anchor_line {
	uint8_t store[16];
	uint64_t seq;
	struct bv_digest hash;
};
bool bv__anchor_line_read(const char *text, struct bv__anchor_line *ret_line);

/* 64 hexadecimal digits. */
bool bv__digest_read(const char *text, struct bv_digest *ret_digest);

#endif
