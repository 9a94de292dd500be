/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * contract_properties.c - what holds for every value of every type, tried on random ones.
 *
 * BVISOR_SEED=<number> repeats a failure; the number is in its message.
 */
#include "contract_helpers.h"

#include "contract/json.h"

enum { ROUNDS = 60, MUTATIONS = 40, VALUE_BYTES = 8192 };

static uint64_t seed;

/* Calls `check` for values of every type, with an empty arena each time. */
static void for_random_values(uint64_t otherwise,
			      void (*check)(struct random *random, const struct bv_type *type,
					    const void *value))
{
	struct random random = {random_seed(otherwise)};
	static _Alignas(16) uint8_t value[VALUE_BYTES];

	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; bv_types[i] != NULL; i++) {
			EXPECT(bv_types[i]->size_bytes <= sizeof value);
			seed = random.state;
			arena_reset();
			random_value(&random, bv_types[i], value);
			check(&random, bv_types[i], value);
		}
}

static void check_round_trip(struct random *random, const struct bv_type *type, const void *value)
{
	static _Alignas(16) uint8_t decoded[VALUE_BYTES], copy[VALUE_BYTES];
	const struct bv_str bytes = bytes_of(type, value);
	struct bv_str again;

	(void)random;
	EXPECT_OK(bv_value_check(type, value, BV_E_ARGUMENT, err));
	decode_ok(type, bytes, decoded);
	EXPECT_THAT(bv_value_compare(type, value, decoded) == 0, "%s, seed %llu", type->name,
		    (unsigned long long)seed);
	again = bytes_of(type, decoded);
	EXPECT_BYTES(again.data, again.len, bytes.data, bytes.len);

	EXPECT_OK(bv_value_copy(arena_now(), type, value, copy, err));
	again = bytes_of(type, copy);
	EXPECT_BYTES(again.data, again.len, bytes.data, bytes.len);
}

TEST(decoding_what_was_encoded_gives_the_same_value_and_bytes)
{
	for_random_values(1, check_round_trip);
}

static void check_json(struct random *random, const struct bv_type *type, const void *value)
{
	static _Alignas(16) uint8_t decoded[VALUE_BYTES];
	const struct bv_str bytes = bytes_of(type, value);

	(void)random;
	for (int style = 0; style < 2; style++) {
		const struct bv_str text = bv_json_text(arena_now(), type, value,
							(enum bv_json_style)style);
		struct bv_error failure = {.code = BV_OK};
		struct bv_str again;

		EXPECT(text.data != NULL);
		EXPECT_THAT(bv_json_decode(arena_now(), type, text.data, text.len, decoded,
					   &failure) == BV_OK,
			    "%s, seed %llu: %s: %s", type->name, (unsigned long long)seed,
			    failure.where, failure.message);
		again = bytes_of(type, decoded);
		EXPECT_BYTES(again.data, again.len, bytes.data, bytes.len);
		for (size_t i = 0; i < text.len; i++)
			EXPECT_THAT((uint8_t)text.data[i] >= ' ' || text.data[i] == '\n',
				    "%s has a control byte in its JSON", type->name);
	}
}

TEST(json_loses_nothing)
{
	for_random_values(2, check_json);
}

static void check_order(struct random *random, const struct bv_type *type, const void *value)
{
	static _Alignas(16) uint8_t b[VALUE_BYTES], c[VALUE_BYTES];
	const struct bv_str bytes = bytes_of(type, value);
	struct bv_str bytes_b;
	int ab, bc, ac;

	random_value(random, type, b);
	random_value(random, type, c);
	bytes_b = bytes_of(type, b);
	ab = bv_value_compare(type, value, b);
	bc = bv_value_compare(type, b, c);
	ac = bv_value_compare(type, value, c);
	EXPECT_INT(bv_value_compare(type, value, value), 0);
	EXPECT_INT(bv_value_compare(type, b, value), -ab);
	EXPECT_THAT((ab == 0) == bv_str_equal(bytes, bytes_b), "%s, seed %llu", type->name,
		    (unsigned long long)seed);
	/* Transitive: a <= b <= c makes a <= c, and the other way round. */
	EXPECT_THAT(!(ab <= 0 && bc <= 0) || ac <= 0, "%s, seed %llu", type->name,
		    (unsigned long long)seed);
	EXPECT_THAT(!(ab >= 0 && bc >= 0) || ac >= 0, "%s, seed %llu", type->name,
		    (unsigned long long)seed);
}

TEST(the_derived_order_is_an_order_and_equal_means_equal_bytes)
{
	for_random_values(3, check_order);
}

/* Every pair of sets of four claims, as the lists of their members in order. */
TEST(sets_are_ordered_like_lists_with_the_shorter_first)
{
	for (uint32_t a = 0; a < 16; a++)
		for (uint32_t b = 0; b < 16; b++) {
			const struct bv_budget_request request_a = {.evidence = a};
			const struct bv_budget_request request_b = {.evidence = b};
			char list_a[5] = "", list_b[5] = "";
			int expected;

			for (unsigned int i = 0; i < 4; i++) {
				const char letter[2] = {(char)('a' + i), '\0'};

				strcat(list_a, (a >> i & 1) != 0 ? letter : "");
				strcat(list_b, (b >> i & 1) != 0 ? letter : "");
			}
			expected = strcmp(list_a, list_b);
			EXPECT_INT(bv_value_compare(&bv_budget_request_type, &request_a,
						    &request_b),
				   (expected > 0) - (expected < 0));
		}
}

/* Whatever a damaged input decodes to encodes to exactly that input. */
static void expect_refused_or_same(const struct bv_type *type, const uint8_t *data,
				   size_t size_bytes)
{
	static _Alignas(16) uint8_t decoded[VALUE_BYTES];
	struct bv_error err = {.code = BV_OK};
	struct bv_str again;

	if (bv_canon_decode(arena_now(), type, data, size_bytes, decoded, &err) != BV_OK) {
		EXPECT(err.code == BV_E_DECODE || err.code == BV_E_NOT_CANONICAL ||
		       err.code == BV_E_MEMORY);
		EXPECT(err.message[0] != '\0');
		return;
	}
	again = bytes_of(type, decoded);
	EXPECT_BYTES(again.data, again.len, data, size_bytes);
}

static void check_damage(struct random *random, const struct bv_type *type, const void *value)
{
	const struct bv_str bytes = bytes_of(type, value);
	uint8_t *damaged = bv_arena_alloc(arena_now(), bytes.len + 1);

	EXPECT(damaged != NULL);
	for (int i = 0; i < MUTATIONS; i++) {
		const size_t used = arena_now()->used;
		const size_t at = (size_t)random_below(random, bytes.len);

		memcpy(damaged, bytes.data, bytes.len);
		damaged[at] ^= (uint8_t)(1u << random_below(random, 8));
		expect_refused_or_same(type, damaged, bytes.len);

		memcpy(damaged, bytes.data, bytes.len);
		damaged[at] = (uint8_t)(0xc0 + random_below(random, 0x40)); /* markers */
		expect_refused_or_same(type, damaged, bytes.len);

		memmove(damaged, bytes.data, at);
		memcpy(damaged + at, bytes.data + at + 1, bytes.len - at - 1);
		expect_refused_or_same(type, damaged, bytes.len - 1);

		memcpy(damaged, bytes.data, at);
		damaged[at] = (uint8_t)random_next(random);
		memcpy(damaged + at + 1, bytes.data + at, bytes.len - at);
		expect_refused_or_same(type, damaged, bytes.len + 1);
		arena_now()->used = used;
	}
}

TEST_WITHIN(damaged_bytes_are_refused_or_are_another_value_in_its_own_spelling, 180)
{
	for_random_values(4, check_damage);
}

static void check_ends(struct random *random, const struct bv_type *type, const void *value)
{
	static _Alignas(16) uint8_t decoded[VALUE_BYTES];
	const struct bv_str bytes = bytes_of(type, value);
	uint8_t *longer = bv_arena_alloc(arena_now(), bytes.len + 1);
	const size_t used = arena_now()->used;
	/* Every prefix of a short value, some of a long one. */
	const size_t stride = 1 + bytes.len / 64;

	memcpy(longer, bytes.data, bytes.len);
	longer[bytes.len] = (uint8_t)random_next(random);
	EXPECT_STR(bv_code_name(bv_canon_decode(arena_now(), type, longer, bytes.len + 1, decoded,
						NULL)),
		   "decode-error");
	for (size_t len = 0; len < bytes.len; len += stride) {
		arena_now()->used = used;
		EXPECT_THAT(bv_canon_decode(arena_now(), type, longer, len, decoded, NULL) ==
				    BV_E_DECODE,
			    "%s cut to %zu of %zu bytes, seed %llu", type->name, len, bytes.len,
			    (unsigned long long)seed);
	}
}

TEST(a_longer_or_a_shorter_input_is_never_accepted)
{
	for_random_values(5, check_ends);
}

static void check_damaged_json(struct random *random, const struct bv_type *type, const void *value)
{
	static _Alignas(16) uint8_t decoded[VALUE_BYTES], again[VALUE_BYTES];
	static const char letters[] = "\"\\{}[]:,ntu0-9.e \n\x80";
	const struct bv_str text = bv_json_text(arena_now(), type, value, BV_JSON_COMPACT);
	char *damaged = bv_arena_copy(arena_now(), text).data == NULL
				? NULL
				: bv_arena_alloc(arena_now(), text.len + 1);

	EXPECT(damaged != NULL);
	for (int i = 0; i < MUTATIONS; i++) {
		const size_t used = arena_now()->used;
		struct bv_error refusal = {.code = BV_OK};

		memcpy(damaged, text.data, text.len);
		damaged[random_below(random, text.len)] =
			letters[random_below(random, sizeof letters - 1)];
		if (bv_json_decode(arena_now(), type, damaged, text.len, decoded, &refusal) ==
		    BV_OK) {
			const struct bv_str bytes = bytes_of(type, decoded);
			const struct bv_str rewritten = bv_json_text(arena_now(), type, decoded,
								     BV_JSON_PRETTY);
			struct bv_str bytes_again;

			EXPECT_OK(bv_json_decode(arena_now(), type, rewritten.data, rewritten.len,
						 again, err));
			bytes_again = bytes_of(type, again);
			EXPECT_BYTES(bytes_again.data, bytes_again.len, bytes.data, bytes.len);
		} else {
			EXPECT_STR(bv_code_name(refusal.code), "decode-error");
			EXPECT_THAT(strncmp(refusal.message, "line ", 5) == 0, "'%s' says no place",
				    refusal.message);
		}
		arena_now()->used = used;
	}
}

TEST_WITHIN(damaged_json_is_refused_with_its_place_or_is_another_value, 180)
{
	for_random_values(6, check_damaged_json);
}

static void check_hash(struct random *random, const struct bv_type *type, const void *value)
{
	const struct bv_str bytes = bytes_of(type, value);
	struct bv_digest direct, of_bytes;

	(void)random;
	bv_canon_hash(type, value, &direct);
	bv_hash_bytes(bytes.data, bytes.len, &of_bytes);
	EXPECT_THAT(bv_digest_equal(&direct, &of_bytes), "%s, seed %llu", type->name,
		    (unsigned long long)seed);
}

TEST(hashing_a_value_is_hashing_its_bytes)
{
	for_random_values(7, check_hash);
}

TEST(sorting_sorts_and_keeps_equals_in_place)
{
	struct random random = {random_seed(8)};

	for (size_t count = 0; count < 70; count++) {
		struct bv_net_dest items[70];
		struct bv_str places[70];

		arena_reset();
		for (size_t i = 0; i < count; i++) {
			/* Equal as values, told apart by where their text lies. */
			places[i] = bv_arena_copy(arena_now(), random_below(&random, 2)
								       ? BV_STR("a")
								       : BV_STR("b"));
			items[i] = (struct bv_net_dest){places[i],
							(uint16_t)random_below(&random, 3)};
		}
		EXPECT(bv_value_sort(arena_now(), &bv_net_dest_type, items, count));
		for (size_t i = 1; i < count; i++) {
			const int order = bv_value_compare(&bv_net_dest_type, &items[i - 1],
							   &items[i]);

			EXPECT(order <= 0);
			EXPECT_THAT(order != 0 || items[i - 1].host.data < items[i].host.data,
				    "equals changed places at %zu of %zu", i, count);
		}
	}
}
