/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * base.h - the few things every part of bvisor shares: text, digests, memory, errors.
 *
 * Freestanding: nothing here needs an operating system or a C library.
 */
#ifndef BV_CONTRACT_BASE_H
#define BV_CONTRACT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bvisor/error.h>

/* Ours is the formatter, so what a platform's own printf may lack does not matter. */
#if defined(__MINGW32__)
#define BV_FORMAT(format_index, first) __attribute__((format(gnu_printf, format_index, first)))
#else
#define BV_FORMAT(format_index, first) __attribute__((format(printf, format_index, first)))
#endif

/* UTF-8 text of known length, not NUL-terminated unless a function says so; borrowed. */
struct bv_str {
	const char *data;
	size_t len;
};

#define BV_STR(literal) ((struct bv_str){(literal), sizeof(literal) - 1})

struct bv_digest {
	uint8_t bytes[32];
};

struct bv_str_list {
	struct bv_str *items;
	size_t count;
};

struct bv_u32_list {
	uint32_t *items;
	size_t count;
};

struct bv_digest_list {
	struct bv_digest *items;
	size_t count;
};

struct bv_text_pair {
	struct bv_str key;
	struct bv_str value;
};

/* Sorted by key, bytewise, no key twice. */
struct bv_text_map {
	struct bv_text_pair *items;
	size_t count;
};

/*
 * Memory handed out in order and given back all at once.  The caller owns `base`; when it is used
 * up bv_arena_alloc returns NULL and the caller of that fails with BV_E_MEMORY.  Zeroed.
 */
struct bv_arena {
	uint8_t *base;
	size_t size;
	size_t used;
};

void bv_arena_init(struct bv_arena *arena, void *base, size_t size_bytes);
void *bv_arena_alloc(struct bv_arena *arena, size_t size_bytes);
void *bv_arena_array(struct bv_arena *arena, size_t count, size_t element_bytes);

/* A NUL-terminated copy (the NUL is not counted). data NULL when the arena is full. */
struct bv_str bv_arena_copy(struct bv_arena *arena, struct bv_str text);

/* printf into the arena: %s %.*s %d %u %zu %llu %llx %c %% only; NUL-terminated. */
struct bv_str bv_arena_format(struct bv_arena *arena, const char *format, ...) BV_FORMAT(2, 3);

struct bv_str bv_str_from(const char *text);
bool bv_str_equal(struct bv_str a, struct bv_str b);
bool bv_str_is(struct bv_str a, const char *text);
int bv_str_compare(struct bv_str a, struct bv_str b); /* bytewise, shorter prefix first */

/*
 * The code point at `at`, which is inside `text`, and how many bytes it takes; 0 when what stands
 * there is not UTF-8.
 */
size_t bv_utf8_next(struct bv_str text, size_t at, uint32_t *ret_code_point);
bool bv_utf8_valid(struct bv_str text);

/* A NUL-terminated copy with U+FFFD for every byte that is not UTF-8: file names may be anything. */
struct bv_str bv_arena_utf8(struct bv_arena *arena, struct bv_str bytes);

/* How many letters must change to get from one to the other; SIZE_MAX for long texts. */
size_t bv_text_distance(struct bv_str a, struct bv_str b);

bool bv_digest_equal(const struct bv_digest *a, const struct bv_digest *b);
void bv_digest_hex(const struct bv_digest *digest, char ret_hex[65]);

/* Sums and products of numbers others sent: false on overflow, then *ret is untouched. */
bool bv_add(uint64_t a, uint64_t b, uint64_t *ret);
bool bv_mul(uint64_t a, uint64_t b, uint64_t *ret);

/*
 * Fills `err` (which may be NULL) and returns `code`, so the two never disagree.  Same conversions
 * as bv_arena_format; control bytes become '?'.  bv_fail_remedy adds how to mend it.
 */
enum bv_code bv_fail(struct bv_error *err, enum bv_code code, const char *where, const char *format,
		     ...) BV_FORMAT(4, 5);
enum bv_code bv_fail_remedy(struct bv_error *err, enum bv_code code, const char *where,
			    const char *remedy, const char *format, ...) BV_FORMAT(5, 6);

/* What we promise ourselves.  Stays on in releases: a boundary that is wrong must not run. */
#define bv_assert(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
