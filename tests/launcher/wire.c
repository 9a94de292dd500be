/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Writes protocol 1 plans byte by byte: see wire.h. */
#include "wire.h"

#include <blake3.h>
#include <stdlib.h>
#include <string.h>

void wire_open(struct wire *wire)
{
	wire->data = malloc(WIRE_BYTES_MAX);
	wire->len = 0;
	if (wire->data == NULL)
		abort();
}

void wire_close(struct wire *wire)
{
	free(wire->data);
	wire->data = NULL;
}

static void put(struct wire *wire, const void *data, size_t len)
{
	if (len > WIRE_BYTES_MAX - wire->len)
		abort();
	if (len > 0)
		memcpy(wire->data + wire->len, data, len);
	wire->len += len;
}

static void put_byte(struct wire *wire, unsigned int byte)
{
	const uint8_t one = (uint8_t)byte;

	put(wire, &one, 1);
}

static void put_big_endian(struct wire *wire, uint64_t value, int bytes)
{
	while (bytes-- > 0)
		put_byte(wire, (unsigned int)(value >> (8 * bytes) & 0xff));
}

static void put_number(struct wire *wire, uint64_t value)
{
	if (value < 0x80) {
		put_byte(wire, (unsigned int)value);
	} else if (value <= 0xff) {
		put_byte(wire, 0xcc);
		put_big_endian(wire, value, 1);
	} else if (value <= 0xffff) {
		put_byte(wire, 0xcd);
		put_big_endian(wire, value, 2);
	} else if (value <= 0xffffffff) {
		put_byte(wire, 0xce);
		put_big_endian(wire, value, 4);
	} else {
		put_byte(wire, 0xcf);
		put_big_endian(wire, value, 8);
	}
}

static void put_text(struct wire *wire, const char *data, size_t len)
{
	if (len < 32) {
		put_byte(wire, 0xa0 | (unsigned int)len);
	} else if (len <= 0xff) {
		put_byte(wire, 0xd9);
		put_big_endian(wire, len, 1);
	} else if (len <= 0xffff) {
		put_byte(wire, 0xda);
		put_big_endian(wire, len, 2);
	} else {
		put_byte(wire, 0xdb);
		put_big_endian(wire, len, 4);
	}
	put(wire, data, len);
}

static void put_key(struct wire *wire, const char *key)
{
	put_text(wire, key, strlen(key));
}

static void put_map(struct wire *wire, size_t count)
{
	put_byte(wire, 0x80 | (unsigned int)count);
}

static void put_array(struct wire *wire, size_t count)
{
	if (count < 16) {
		put_byte(wire, 0x90 | (unsigned int)count);
		return;
	}
	put_byte(wire, 0xdc);
	put_big_endian(wire, count, 2);
}

static void put_bool(struct wire *wire, bool value)
{
	put_byte(wire, value ? 0xc3 : 0xc2);
}

static void put_digest(struct wire *wire, const uint8_t digest[32])
{
	put_array(wire, 32);
	for (size_t i = 0; i < 32; i++)
		put_number(wire, digest[i]);
}

static void put_same_digest(struct wire *wire, uint8_t byte)
{
	uint8_t digest[32];

	memset(digest, byte, sizeof(digest));
	put_digest(wire, digest);
}

static int nibble(char digit)
{
	return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

size_t wire_unhex(const char *hex, uint8_t *ret_data, size_t capacity)
{
	size_t count = 0;

	for (; hex[0] != '\0' && hex[1] != '\0' && count < capacity; hex += 2)
		ret_data[count++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
	return count;
}

void wire_hash(const void *data, size_t size_bytes, uint8_t ret_digest[32])
{
	blake3_hasher hasher;

	blake3_hasher_init(&hasher);
	blake3_hasher_update(&hasher, data, size_bytes);
	blake3_hasher_finalize(&hasher, ret_digest, 32);
}

/* Spec 1.14: digests of the four actions' declarations, and of the parameters they do not have. */
static const struct {
	const char *id;
	const char *digest;
} declarations[] = {
	{"linux.ambient.scrub.v1",
	 "55c68f81a7ecbb3830712622c2b5490fad03ed33501aa8e9b5c297c4de4896c8"},
	{"linux.landlock.apply.v1",
	 "76132118bf6908e42884ac30b996cdd39b53f276f9eabe282ffadf280752afd9"},
	{"linux.seccomp.apply.v1",
	 "ca52aa781e56a889c9999827298f7e47873e62a13dc962a44f22c79a7bdce213"},
	{"linux.exec.v1", "080aad718b052e719d56d6f6cd7c708ddee95a5f18804dcc476fd3f741bf51eb"},
};
static const char params[] = "ea3edcc02058275577fc3446d4abc7dc5a2168948e9b20c64306fcb5c2a95610";

static void put_entry(struct wire *wire, const struct wire_entry *entry)
{
	uint8_t param[32] = {0}, declaration[32] = {0};

	if (!entry->zero_digests) {
		wire_unhex(params, param, sizeof(param));
		for (size_t i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
			if (strcmp(declarations[i].id, entry->id) == 0)
				wire_unhex(declarations[i].digest, declaration,
					   sizeof(declaration));
		}
	}
	put_map(wire, 5);
	put_key(wire, "id");
	put_text(wire, entry->id, strlen(entry->id));
	put_key(wire, "version");
	put_number(wire, entry->version);
	put_key(wire, "phase_code");
	put_number(wire, entry->phase_code);
	put_key(wire, "param_digest");
	put_digest(wire, param);
	put_key(wire, "decl_digest");
	put_digest(wire, declaration);
}

static void put_lowering(struct wire *wire, const struct wire_plan *plan)
{
	put_map(wire, 1);
	put_key(wire, "entries");
	put_array(wire, plan->entry_count);
	for (size_t i = 0; i < plan->entry_count; i++)
		put_entry(wire, &plan->entries[i]);
}

static void put_slot(struct wire *wire, const struct wire_slot *slot, enum wire_twist twist)
{
	put_map(wire, 3);
	put_key(wire, "slot_index");
	if (twist == TWIST_NEGATIVE_INTEGER)
		put_byte(wire, 0xff);
	else if (twist == TWIST_INTEGER_TOO_LARGE)
		put_number(wire, 0x100000000 + slot->index);
	else if (twist == TWIST_LONG_INTEGER)
		put_byte(wire, 0xcc), put_byte(wire, slot->index);
	else
		put_number(wire, slot->index);
	put_key(wire, "role");
	if (twist == TWIST_ENUM_AS_NUMBER)
		put_number(wire, 2);
	else if (twist == TWIST_UNKNOWN_ROLE)
		put_key(wire, "targetexe");
	else
		put_text(wire, slot->role, strlen(slot->role));
	put_key(wire, "expected");
	put_map(wire, 2);
	put_key(wire, "kind");
	put_text(wire, slot->kind, strlen(slot->kind));
	put_key(wire, "writable");
	if (twist == TWIST_BOOL_AS_NUMBER)
		put_number(wire, slot->writable);
	else
		put_bool(wire, slot->writable);
}

static void put_user_namespace(struct wire *wire, const struct wire_plan *plan)
{
	put_key(wire, "user_namespace");
	switch (plan->twist) {
	case TWIST_UNKNOWN_KEY_IN_REQUEST:
		put_map(wire, 1);
		put_key(wire, "strict");
		put_bool(wire, true);
		break;
	case TWIST_REQUEST_AS_ARRAY:
		put_array(wire, 0);
		break;
	case TWIST_REQUEST_NIL:
		put_byte(wire, 0xc0);
		break;
	default:
		put_map(wire, 0);
	}
}

static void put_target(struct wire *wire, const struct wire_plan *plan)
{
	put_map(wire, 3U + plan->user_namespace + plan->network_namespace + plan->seccomp);
	put_key(wire, "argv");
	put_array(wire, plan->argc);
	for (size_t i = 0; i < plan->argc; i++) {
		if (i == 0 && plan->twist == TWIST_LONG_STRING) {
			put_byte(wire, 0xd9);
			put_byte(wire, (unsigned int)plan->argv[i].len);
			put(wire, plan->argv[i].data, plan->argv[i].len);
		} else if (i == 0 && plan->twist == TWIST_NOT_UTF8) {
			put_text(wire, "\xc3\x28", 2);
		} else {
			put_text(wire, plan->argv[i].data, plan->argv[i].len);
		}
	}
	put_key(wire, "envp");
	put_array(wire, plan->env_count);
	for (size_t i = 0; i < plan->env_count; i++) {
		put_array(wire, 2);
		put_text(wire, plan->names[i].data, plan->names[i].len);
		put_text(wire, plan->values[i].data, plan->values[i].len);
	}
	put_key(wire, "exe_slot");
	put_number(wire, plan->exe_slot);
	if (plan->user_namespace)
		put_user_namespace(wire, plan);
	if (plan->network_namespace) {
		put_key(wire, "network_namespace");
		put_map(wire, 0);
	}
	if (plan->seccomp) {
		put_key(wire, "seccomp");
		put_map(wire, 2);
		put_key(wire, "deny_new_tasks");
		put_bool(wire, plan->deny_new_tasks);
		put_key(wire, "deny_inet_sockets");
		put_bool(wire, plan->deny_inet_sockets);
	}
}

void wire_target(struct wire *wire, const struct wire_plan *plan)
{
	wire->len = 0;
	put_target(wire, plan);
}

void wire_lowering(struct wire *wire, const struct wire_plan *plan)
{
	wire->len = 0;
	put_lowering(wire, plan);
}

static void put_h_l(struct wire *wire, const struct wire_plan *plan)
{
	uint8_t digest[32];

	if (plan->h_l != NULL) {
		memcpy(digest, plan->h_l, sizeof(digest));
	} else {
		struct wire lowering;

		wire_open(&lowering);
		put_lowering(&lowering, plan);
		wire_hash(lowering.data, lowering.len, digest);
		wire_close(&lowering);
	}
	put_digest(wire, digest);
}

static void put_opening(struct wire *wire, enum wire_twist twist)
{
	switch (twist) {
	case TWIST_LONG_MAP:
		put_byte(wire, 0xde);
		put_big_endian(wire, 8, 2);
		break;
	case TWIST_UNKNOWN_KEY:
	case TWIST_DUPLICATE_KEY:
		put_map(wire, 9);
		break;
	case TWIST_MISSING_KEY:
		put_map(wire, 7);
		break;
	default:
		put_map(wire, 8);
	}
}

static void put_identities(struct wire *wire, const struct wire_plan *plan)
{
	put_key(wire, "attempt_id");
	if (plan->twist == TWIST_DIGEST_AS_BIN) {
		put_byte(wire, 0xc4);
		put_byte(wire, 32);
		for (size_t i = 0; i < 32; i++)
			put_byte(wire, plan->attempt_id);
	} else {
		put_same_digest(wire, plan->attempt_id);
	}
	if (plan->twist == TWIST_KEYS_SWAPPED) {
		put_key(wire, "h_a");
		put_same_digest(wire, plan->h_a);
	}
	put_key(wire, "plan_id");
	put_same_digest(wire, plan->plan_id);
	if (plan->twist == TWIST_DUPLICATE_KEY) {
		put_key(wire, "plan_id");
		put_same_digest(wire, plan->plan_id);
	}
	if (plan->twist != TWIST_KEYS_SWAPPED) {
		put_key(wire, "h_a");
		put_same_digest(wire, plan->h_a);
	}
	if (plan->twist != TWIST_MISSING_KEY) {
		put_key(wire, "h_p");
		put_same_digest(wire, plan->h_p);
	}
}

/* The same values without keys, as the reference's decoder would take them too. */
static void put_body_as_array(struct wire *wire, const struct wire_plan *plan)
{
	put_array(wire, 8);
	put_same_digest(wire, plan->attempt_id);
	put_same_digest(wire, plan->plan_id);
	put_same_digest(wire, plan->h_a);
	put_same_digest(wire, plan->h_p);
	put_h_l(wire, plan);
	put_lowering(wire, plan);
	put_array(wire, plan->slot_count);
	for (size_t i = 0; i < plan->slot_count; i++)
		put_slot(wire, &plan->slots[i], TWIST_NONE);
	put_target(wire, plan);
}

void wire_body(struct wire *wire, const struct wire_plan *plan)
{
	wire->len = 0;
	if (plan->twist == TWIST_BODY_AS_ARRAY) {
		put_body_as_array(wire, plan);
		return;
	}
	put_opening(wire, plan->twist);
	put_identities(wire, plan);
	put_key(wire, "h_l");
	put_h_l(wire, plan);
	put_key(wire, "lowering");
	put_lowering(wire, plan);
	put_key(wire, "descriptor_table");
	put_array(wire, plan->slot_count);
	for (size_t i = 0; i < plan->slot_count; i++)
		put_slot(wire, &plan->slots[i], i == 0 ? plan->twist : TWIST_NONE);
	put_key(wire, "target");
	put_target(wire, plan);
	if (plan->twist == TWIST_UNKNOWN_KEY) {
		put_key(wire, "mount_namespace");
		put_map(wire, 0);
	}
	if (plan->twist == TWIST_TRAILING_BYTE)
		put_byte(wire, 0xc0);
}

void wire_frame(struct wire *wire)
{
	const uint16_t version = 1;
	const uint32_t len = (uint32_t)wire->len;

	if (WIRE_HEADER_BYTES > WIRE_BYTES_MAX - wire->len)
		abort();
	memmove(wire->data + WIRE_HEADER_BYTES, wire->data, wire->len);
	memcpy(wire->data, "BVZLNCH1", 8);
	for (size_t i = 0; i < 2; i++)
		wire->data[8 + i] = (uint8_t)(version >> (8 * i));
	for (size_t i = 0; i < 4; i++)
		wire->data[10 + i] = (uint8_t)(len >> (8 * i));
	wire_hash(wire->data + WIRE_HEADER_BYTES, wire->len, wire->data + 14);
	wire->len += WIRE_HEADER_BYTES;
}
