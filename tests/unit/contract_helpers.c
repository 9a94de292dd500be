/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_helpers.c - memory, hex, specs and random values for the tests of src/contract. */
#include "contract_helpers.h"

#include <stdlib.h>

static uint8_t memory[32 << 20];
static struct bv_arena arena;

struct bv_arena *arena_reset(void)
{
	bv_arena_init(&arena, memory, sizeof memory);
	return &arena;
}

struct bv_arena *arena_now(void)
{
	return arena.base == NULL ? arena_reset() : &arena;
}

static void *make(size_t count, size_t element_bytes)
{
	void *items = bv_arena_array(arena_now(), count, element_bytes);

	EXPECT(items != NULL);
	return items;
}

static unsigned int nibble(char digit)
{
	const bool decimal = digit >= '0' && digit <= '9';

	EXPECT_THAT(decimal || (digit >= 'a' && digit <= 'f'), "'%c' is no hex digit", digit);
	return (unsigned int)(decimal ? digit - '0' : digit - 'a' + 10);
}

struct bv_str unhex(const char *hex)
{
	const size_t len = strlen(hex) / 2;
	char *bytes = make(len + 1, 1);

	EXPECT_UINT(strlen(hex) % 2, 0);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	return (struct bv_str){bytes, len};
}

const char *hex_of(const void *data, size_t size_bytes)
{
	const uint8_t *bytes = data;
	char *hex = make(2 * size_bytes + 1, 1);

	for (size_t i = 0; i < size_bytes; i++) {
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return hex;
}

struct bv_str bytes_of(const struct bv_type *type, const void *value)
{
	const struct bv_str bytes = bv_canon_bytes(arena_now(), type, value);

	EXPECT(bytes.data != NULL);
	return bytes;
}

void decode_ok(const struct bv_type *type, struct bv_str bytes, void *ret_value)
{
	struct bv_error err = {.code = BV_OK};
	const enum bv_code code = bv_canon_decode(arena_now(), type, bytes.data, bytes.len,
						  ret_value, &err);

	EXPECT_THAT(code == BV_OK, "%s does not decode: %s: %s: %s", type->name, bv_code_name(code),
		    err.where, err.message);
}

/* ---- specs ----------------------------------------------------------------------------------- */

struct bv_boundary_spec spec_launch(void)
{
	struct bv_boundary_spec spec = {
		.workload = {.tag = BV_WORKLOAD_PROCESS, .u.process = {.exe = S("/bin/true")}},
	};

	spec_add_control(&spec, control_of(BV_CONTROL_LAUNCH));
	return spec;
}

void spec_add_capability(struct bv_boundary_spec *spec, struct bv_capability capability)
{
	struct bv_capability *items = make(spec->capabilities.count + 1, sizeof *items);

	for (size_t i = 0; i < spec->capabilities.count; i++)
		items[i] = spec->capabilities.items[i];
	items[spec->capabilities.count++] = capability;
	spec->capabilities.items = items;
}

void spec_add_control(struct bv_boundary_spec *spec, struct bv_host_control control)
{
	struct bv_host_control *items = make(spec->controls.count + 1, sizeof *items);

	for (size_t i = 0; i < spec->controls.count; i++)
		items[i] = spec->controls.items[i];
	items[spec->controls.count++] = control;
	spec->controls.items = items;
}

struct bv_capability cap_files(enum bv_fs_access access, const char *root)
{
	struct bv_str *roots = make(1, sizeof *roots);

	roots[0] = bv_str_from(root);
	return (struct bv_capability){
		.tag = BV_CAP_FILESYSTEM,
		.u.filesystem = {.access = access,
				 .scope.roots = {roots, root == NULL ? 0 : 1},
				 .recursive = true},
	};
}

struct bv_capability cap_network_none(void)
{
	return (struct bv_capability){.tag = BV_CAP_NETWORK};
}

struct bv_capability cap_spawn(enum bv_spawn_policy policy)
{
	return (struct bv_capability){.tag = BV_CAP_CHILD_SPAWN, .u.spawn = {policy}};
}

struct bv_capability cap_env(size_t count, const struct bv_env_entry *entries)
{
	struct bv_env_entry *copy = make(count, sizeof *copy);

	for (size_t i = 0; i < count; i++)
		copy[i] = entries[i];
	return (struct bv_capability){
		.tag = BV_CAP_ENVIRONMENT,
		.u.environment.policy = {.tag = BV_ENV_EXACT, .u.entries = {copy, count}},
	};
}

struct bv_capability cap_fds(size_t count, const uint32_t *fds)
{
	uint32_t *copy = make(count, sizeof *copy);

	for (size_t i = 0; i < count; i++)
		copy[i] = fds[i];
	return (struct bv_capability){
		.tag = BV_CAP_INHERITED_FDS,
		.u.fds.policy = {.tag = BV_FDS_ONLY, .u.fds = {copy, count}},
	};
}

struct bv_env_entry env_literal(struct bv_str name, struct bv_str value)
{
	return (struct bv_env_entry){name, {.tag = BV_ENV_LITERAL, .u.literal = value}};
}

struct bv_host_control control_of(enum bv_host_control_tag tag)
{
	return (struct bv_host_control){.tag = tag};
}

struct bv_host_control control_capture(bool out, bool err, bool in)
{
	return (struct bv_host_control){.tag = BV_CONTROL_CAPTURE,
					.u.capture.streams = {out, err, in}};
}

void spec_budgets(struct bv_boundary_spec *spec, uint64_t limit, enum bv_min_guarantee guarantee)
{
	const struct bv_budget_request request = {.limit = limit, .guarantee = guarantee};

	spec->budgets = (struct bv_budget_requirements){
		true,    request, true,    request, true,    request, true,
		request, true,    request, true,    request, true,    request,
	};
}

/* ---- random values --------------------------------------------------------------------------- */

/* splitmix64. */
uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_next(random) % limit;
}

uint64_t random_seed(uint64_t otherwise)
{
	const char *text = getenv("BVISOR_SEED");

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Lengths around every boundary of the encoding, mostly short. */
static size_t random_length(struct random *random)
{
	static const size_t edges[] = {0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 255, 256, 300};

	if (random_below(random, 4) != 0)
		return (size_t)random_below(random, 4);
	return edges[random_below(random, sizeof edges / sizeof edges[0])];
}

static struct bv_str random_text(struct random *random)
{
	static const char *const pieces[] = {
		"a",
		"Z",
		"/",
		"\"",
		"\\",
		"\n",
		"\t",
		"\x01",
		"\x1f",
		"\x7f",
		"\xc2\x80",
		"\xc3\xa9",
		"\xe2\x80\xae",
		"\xef\xbf\xbd",
		"\xef\xbb\xbf",
		"\xf0\x9f\x98\x80",
		"\xf4\x8f\xbf\xbf",
		"\xed\x9f\xbf",
		"\xe2\x80\xa8",
		"u0041",
		"=",
		" ",
	};
	const size_t count = random_length(random);
	char *text = make(4 * count + 1, 1);
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t choice = random_below(random, 1 + sizeof pieces / sizeof pieces[0]);
		const char *piece = choice == 0 ? "" : pieces[choice - 1];

		if (choice == 0)
			text[len++] = '\0';
		if (len + strlen(piece) > 4 * count)
			break;
		memcpy(text + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return (struct bv_str){text, len};
}

static uint64_t random_integer(struct random *random)
{
	static const uint64_t edges[] = {
		0,
		1,
		31,
		32,
		127,
		128,
		255,
		256,
		32767,
		32768,
		65535,
		65536,
		INT32_MAX,
		UINT32_MAX,
		UINT64_C(1) << 32,
		UINT64_C(1) << 53,
		UINT64_MAX - 1,
		UINT64_MAX,
	};

	if (random_below(random, 3) == 0)
		return random_next(random) >> random_below(random, 64);
	return edges[random_below(random, sizeof edges / sizeof edges[0])];
}

static void random_scalar(struct random *random, enum bv_scalar scalar, void *memory_)
{
	const uint64_t bits = random_integer(random);

	switch (scalar) {
	case BV_SCALAR_u8:
		*(uint8_t *)memory_ = (uint8_t)bits;
		return;
	case BV_SCALAR_u16:
		*(uint16_t *)memory_ = (uint16_t)bits;
		return;
	case BV_SCALAR_u32:
		*(uint32_t *)memory_ = (uint32_t)bits;
		return;
	case BV_SCALAR_u64:
		*(uint64_t *)memory_ = bits;
		return;
	case BV_SCALAR_i32:
		*(int32_t *)memory_ = (int32_t)(uint32_t)(random_below(random, 2) == 0 ? bits
										       : ~bits);
		return;
	case BV_SCALAR_bool:
		*(bool *)memory_ = (bits & 1) != 0;
		return;
	case BV_SCALAR_str:
		*(struct bv_str *)memory_ = random_text(random);
		return;
	case BV_SCALAR_digest:
		for (size_t i = 0; i < 32; i++)
			((struct bv_digest *)memory_)->bytes[i] = (uint8_t)random_next(random);
		return;
	}
}

static void random_texts(struct random *random, struct bv_text_map *ret_map)
{
	const size_t count = (size_t)random_below(random, 5);

	ret_map->items = make(count, sizeof ret_map->items[0]);
	ret_map->count = 0;
	while (ret_map->count < count) {
		const struct bv_str key = random_text(random);
		size_t at = ret_map->count;

		while (at != 0 && bv_str_compare(ret_map->items[at - 1].key, key) > 0)
			at--;
		if (at != 0 && bv_str_equal(ret_map->items[at - 1].key, key))
			return;
		memmove(&ret_map->items[at + 1], &ret_map->items[at],
			(ret_map->count - at) * sizeof ret_map->items[0]);
		ret_map->items[at] = (struct bv_text_pair){key, random_text(random)};
		ret_map->count++;
	}
}

static void random_list(struct random *random, const struct bv_row *row, void *memory_)
{
	/* Long lists only of what is small, or values would never end. */
	const size_t count = row->shape == BV_SHAPE_SCALARS && random_below(random, 8) == 0
				     ? 15 + (size_t)random_below(random, 3)
				     : (size_t)random_below(random, 3);
	const size_t element_bytes = bv_row_element_size(row);
	const struct bv_any_list list = {make(count, element_bytes), count};

	for (size_t i = 0; i < count; i++) {
		uint8_t *element = (uint8_t *)list.items + i * element_bytes;

		if (row->shape == BV_SHAPE_SCALARS)
			random_scalar(random, row->scalar, element);
		else
			random_value(random, row->type, element);
	}
	memcpy(memory_, &list, sizeof list);
}

static void random_content(struct random *random, const struct bv_row *row, uint8_t *value)
{
	uint8_t *member = value + row->offset;

	switch (row->shape) {
	case BV_SHAPE_UNIT:
		return;
	case BV_SHAPE_SCALAR:
		random_scalar(random, row->scalar, member);
		return;
	case BV_SHAPE_ENUM:
	case BV_SHAPE_NEST:
		random_value(random, row->type, member);
		return;
	case BV_SHAPE_SET:
		bv_store_u32(member,
			     (uint32_t)random_below(random, UINT64_C(1) << row->type->row_count));
		return;
	case BV_SHAPE_LIST:
	case BV_SHAPE_SCALARS:
	case BV_SHAPE_ENUMS:
		random_list(random, row, member);
		return;
	case BV_SHAPE_TEXTS:
		random_texts(random, (struct bv_text_map *)(void *)member);
		return;
	}
}

void random_value(struct random *random, const struct bv_type *type, void *ret_value)
{
	memset(ret_value, 0, type->size_bytes);
	if (type->form == BV_FORM_ENUM || type->form == BV_FORM_UNION) {
		const uint32_t tag = (uint32_t)random_below(random, type->row_count);

		bv_store_u32(ret_value, tag);
		if (type->form == BV_FORM_UNION)
			random_content(random, &type->rows[tag], ret_value);
		return;
	}
	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];

		if (row->presence != BV_PRESENCE_MUST && random_below(random, 2) == 0)
			continue;
		bv_row_set_present(row, ret_value);
		random_content(random, row, ret_value);
	}
}
