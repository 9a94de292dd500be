/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wire.h - a protocol 1 frame written by hand, byte by byte, for the launcher's tests.
 *
 * On purpose not the contract's encoder: what the launcher accepts is held against the
 * specification (and its golden vectors), not against our other half.
 */
#ifndef BV_TEST_WIRE_H
#define BV_TEST_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	WIRE_BYTES_MAX = 2 << 20,
	WIRE_HEADER_BYTES = 46,
	WIRE_ENTRIES_MAX = 8,
	WIRE_SLOTS_MAX = 48,
	WIRE_TEXTS_MAX = 64,
};

/* Other spellings of a plan, all of which the reference accepts or rejects and we refuse. */
enum wire_twist {
	TWIST_NONE,
	TWIST_TRAILING_BYTE,
	TWIST_BODY_AS_ARRAY,
	TWIST_DIGEST_AS_BIN,
	TWIST_UNKNOWN_KEY,
	TWIST_UNKNOWN_KEY_IN_REQUEST,
	TWIST_REQUEST_AS_ARRAY,
	TWIST_REQUEST_NIL,
	TWIST_LONG_INTEGER,
	TWIST_LONG_STRING,
	TWIST_LONG_MAP,
	TWIST_ENUM_AS_NUMBER,
	TWIST_UNKNOWN_ROLE,
	TWIST_DUPLICATE_KEY,
	TWIST_MISSING_KEY,
	TWIST_NEGATIVE_INTEGER,
	TWIST_INTEGER_TOO_LARGE,
	TWIST_KEYS_SWAPPED,
	TWIST_BOOL_AS_NUMBER,
	TWIST_NOT_UTF8,
	TWIST_COUNT,
};

struct wire_text {
	const char *data;
	size_t len;
};

struct wire_entry {
	const char *id;
	uint32_t version;
	uint8_t phase_code;
	bool zero_digests; /* as hosts of 0.9 sent them */
};

struct wire_slot {
	uint32_t index;
	const char *role;
	const char *kind;
	bool writable;
};

struct wire_plan {
	uint8_t attempt_id, plan_id, h_a, h_p; /* each 32 times */
	const uint8_t *h_l;                    /* NULL: the right one */
	struct wire_entry entries[WIRE_ENTRIES_MAX];
	size_t entry_count;
	struct wire_slot slots[WIRE_SLOTS_MAX];
	size_t slot_count;
	struct wire_text argv[WIRE_TEXTS_MAX];
	size_t argc;
	struct wire_text names[WIRE_TEXTS_MAX], values[WIRE_TEXTS_MAX];
	size_t env_count;
	uint32_t exe_slot;
	bool user_namespace, network_namespace, seccomp;
	bool deny_new_tasks, deny_inet_sockets;
	enum wire_twist twist;
};

struct wire {
	uint8_t *data; /* WIRE_BYTES_MAX of them, from malloc */
	size_t len;
};

void wire_open(struct wire *wire);
void wire_close(struct wire *wire);

/* Each starts from an empty wire. */
void wire_target(struct wire *wire, const struct wire_plan *plan);
void wire_lowering(struct wire *wire, const struct wire_plan *plan);
void wire_body(struct wire *wire, const struct wire_plan *plan);

/* Puts the header with the right length and digest before what is there. */
void wire_frame(struct wire *wire);

void wire_hash(const void *data, size_t size_bytes, uint8_t ret_digest[32]);

/* "0aff" to bytes; returns their number. */
size_t wire_unhex(const char *hex, uint8_t *ret_data, size_t capacity);

#endif
