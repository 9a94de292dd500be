/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * base.c - text, digests, memory and errors, without an operating system or a C library.
 */
#include "base.h"

#include <stdarg.h>

/* Every object of ours fits: none asks for more than a 64-bit integer or a pointer does. */
enum { ARENA_ALIGNMENT = 16 };

void bv_arena_init(struct bv_arena *arena, void *base, size_t size_bytes)
{
	size_t skew = 0;

	if (base != NULL)
		skew = (ARENA_ALIGNMENT - (uintptr_t)base % ARENA_ALIGNMENT) % ARENA_ALIGNMENT;
	if (skew > size_bytes)
		skew = size_bytes;
	*arena = (struct bv_arena){(uint8_t *)base + skew, size_bytes - skew, 0};
}

void *bv_arena_alloc(struct bv_arena *arena, size_t size_bytes)
{
	const size_t padded_bytes = (size_bytes + ARENA_ALIGNMENT - 1) &
				    ~(size_t)(ARENA_ALIGNMENT - 1);
	uint8_t *start;

	if (padded_bytes < size_bytes || padded_bytes > arena->size - arena->used)
		return NULL;

	start = arena->base + arena->used;
	arena->used += padded_bytes;
	__builtin_memset(start, 0, size_bytes);
	return start;
}

void *bv_arena_array(struct bv_arena *arena, size_t count, size_t element_bytes)
{
	if (element_bytes != 0 && count > SIZE_MAX / element_bytes)
		return NULL;
	return bv_arena_alloc(arena, count * element_bytes);
}

struct bv_str bv_arena_copy(struct bv_arena *arena, struct bv_str text)
{
	char *copy = NULL;

	if (text.len < SIZE_MAX)
		copy = bv_arena_alloc(arena, text.len + 1);
	if (copy == NULL)
		return (struct bv_str){NULL, 0};
	if (text.len != 0)
		__builtin_memcpy(copy, text.data, text.len);
	return (struct bv_str){copy, text.len};
}

/* ---- formatting ------------------------------------------------------------------------------ */

/* Counts past the end without writing, like struct bv_writer. */
struct format_out {
	char *data;
	size_t len;
	size_t capacity;
};

static void put_byte(struct format_out *out, char byte)
{
	if (out->len < out->capacity)
		out->data[out->len] = byte;
	out->len++;
}

static void put_unsigned(struct format_out *out, unsigned long long value, unsigned int base)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (count != 0)
		put_byte(out, digits[--count]);
}

static void put_signed(struct format_out *out, int value)
{
	if (value < 0) {
		put_byte(out, '-');
		put_unsigned(out, 0ull - (unsigned long long)(long long)value, 10);
	} else {
		put_unsigned(out, (unsigned long long)value, 10);
	}
}

static void put_text(struct format_out *out, const char *text, size_t limit)
{
	if (text == NULL)
		text = "(null)";
	for (size_t i = 0; i < limit && text[i] != '\0'; i++)
		put_byte(out, text[i]);
}

static bool format_next(const char **format, const char *wanted)
{
	size_t len = 0;

	while (wanted[len] != '\0') {
		if ((*format)[len] != wanted[len])
			return false;
		len++;
	}
	*format += len;
	return true;
}

static void format_into(struct format_out *out, const char *format, va_list args)
{
	while (*format != '\0') {
		if (*format != '%')
			put_byte(out, *format++);
		else if (format_next(&format, "%%"))
			put_byte(out, '%');
		else if (format_next(&format, "%s"))
			put_text(out, va_arg(args, const char *), SIZE_MAX);
		else if (format_next(&format, "%.*s")) {
			const int limit = va_arg(args, int);

			put_text(out, va_arg(args, const char *), limit < 0 ? 0 : (size_t)limit);
		} else if (format_next(&format, "%d"))
			put_signed(out, va_arg(args, int));
		else if (format_next(&format, "%u"))
			put_unsigned(out, va_arg(args, unsigned int), 10);
		else if (format_next(&format, "%zu"))
			put_unsigned(out, va_arg(args, size_t), 10);
		else if (format_next(&format, "%llu"))
			put_unsigned(out, va_arg(args, unsigned long long), 10);
		else if (format_next(&format, "%llx"))
			put_unsigned(out, va_arg(args, unsigned long long), 16);
		else if (format_next(&format, "%c"))
			put_byte(out, (char)va_arg(args, int));
		else
			bv_assert(false);
	}
}

struct bv_str bv_arena_format(struct bv_arena *arena, const char *format, ...)
{
	struct format_out out = {NULL, 0, 0};
	va_list args;

	va_start(args, format);
	format_into(&out, format, args);
	va_end(args);

	out.capacity = out.len;
	out.len = 0;
	out.data = bv_arena_alloc(arena, out.capacity + 1);
	if (out.data == NULL)
		return (struct bv_str){NULL, 0};

	va_start(args, format);
	format_into(&out, format, args);
	va_end(args);
	return (struct bv_str){out.data, out.len};
}

/* ---- text ------------------------------------------------------------------------------------ */

struct bv_str bv_str_from(const char *text)
{
	size_t len = 0;

	/* Not strlen: this must link without a C library. */
	while (text != NULL && text[len] != '\0')
		len++;
	return (struct bv_str){text, len};
}

bool bv_str_equal(struct bv_str a, struct bv_str b)
{
	return a.len == b.len && (a.len == 0 || __builtin_memcmp(a.data, b.data, a.len) == 0);
}

bool bv_str_is(struct bv_str a, const char *text)
{
	return bv_str_equal(a, bv_str_from(text));
}

int bv_str_compare(struct bv_str a, struct bv_str b)
{
	const size_t shorter = a.len < b.len ? a.len : b.len;
	const int order = shorter == 0 ? 0 : __builtin_memcmp(a.data, b.data, shorter);

	if (order != 0)
		return order < 0 ? -1 : 1;
	return (a.len > b.len) - (a.len < b.len);
}

/* Length of the sequence that starts with `lead`, and the smallest code point it may hold. */
static size_t utf8_sequence(uint8_t lead, uint32_t *ret_bits, uint32_t *ret_least)
{
	if (lead < 0x80) {
		*ret_bits = lead;
		*ret_least = 0;
		return 1;
	}
	if ((lead & 0xe0) == 0xc0) {
		*ret_bits = lead & 0x1f;
		*ret_least = 0x80;
		return 2;
	}
	if ((lead & 0xf0) == 0xe0) {
		*ret_bits = lead & 0x0f;
		*ret_least = 0x800;
		return 3;
	}
	if ((lead & 0xf8) == 0xf0) {
		*ret_bits = lead & 0x07;
		*ret_least = 0x10000;
		return 4;
	}
	return 0;
}

size_t bv_utf8_next(struct bv_str text, size_t at, uint32_t *ret_code_point)
{
	uint32_t code_point, least;
	const size_t len = utf8_sequence((uint8_t)text.data[at], &code_point, &least);

	if (len == 0 || len > text.len - at)
		return 0;
	for (size_t i = 1; i < len; i++) {
		const uint8_t byte = (uint8_t)text.data[at + i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		code_point = code_point << 6 | (byte & 0x3f);
	}
	/* Overlong spellings, surrogates and what lies beyond Unicode have no place in UTF-8. */
	if (code_point < least || code_point > 0x10ffff ||
	    (code_point >= 0xd800 && code_point <= 0xdfff))
		return 0;

	*ret_code_point = code_point;
	return len;
}

bool bv_utf8_valid(struct bv_str text)
{
	uint32_t ignored;

	for (size_t at = 0; at < text.len;) {
		const size_t len = bv_utf8_next(text, at, &ignored);

		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

struct bv_str bv_arena_utf8(struct bv_arena *arena, struct bv_str bytes)
{
	static const char replacement[] = "\xef\xbf\xbd";
	struct format_out out = {NULL, 0, 0};
	uint32_t ignored;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t at = 0; at < bytes.len;) {
			const size_t len = bv_utf8_next(bytes, at, &ignored);

			if (len == 0)
				put_text(&out, replacement, SIZE_MAX);
			for (size_t i = 0; i < len; i++)
				put_byte(&out, bytes.data[at + i]);
			at += len == 0 ? 1 : len;
		}
		if (pass == 0) {
			out.capacity = out.len;
			out.len = 0;
			out.data = bv_arena_alloc(arena, out.capacity + 1);
			if (out.data == NULL)
				return (struct bv_str){NULL, 0};
		}
	}
	return (struct bv_str){out.data, out.len};
}

size_t bv_text_distance(struct bv_str a, struct bv_str b)
{
	enum { LIMIT = 48 };
	uint8_t row[LIMIT + 1];

	if (a.len > LIMIT || b.len > LIMIT)
		return SIZE_MAX;

	for (size_t j = 0; j <= b.len; j++)
		row[j] = (uint8_t)j;
	for (size_t i = 0; i < a.len; i++) {
		uint8_t diagonal = row[0];

		row[0] = (uint8_t)(i + 1);
		for (size_t j = 0; j < b.len; j++) {
			const uint8_t above = row[j + 1];
			uint8_t best = (uint8_t)(diagonal + (a.data[i] != b.data[j]));

			if (above + 1 < best)
				best = (uint8_t)(above + 1);
			if (row[j] + 1 < best)
				best = (uint8_t)(row[j] + 1);
			row[j + 1] = best;
			diagonal = above;
		}
	}
	return row[b.len];
}

/* ---- digests and numbers --------------------------------------------------------------------- */

bool bv_digest_equal(const struct bv_digest *a, const struct bv_digest *b)
{
	return __builtin_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void bv_digest_hex(const struct bv_digest *digest, char ret_hex[65])
{
	for (size_t i = 0; i < sizeof digest->bytes; i++) {
		ret_hex[2 * i] = "0123456789abcdef"[digest->bytes[i] >> 4];
		ret_hex[2 * i + 1] = "0123456789abcdef"[digest->bytes[i] & 15];
	}
	ret_hex[64] = '\0';
}

bool bv_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

bool bv_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
	if (a != 0 && b > UINT64_MAX / a)
		return false;
	*ret = a * b;
	return true;
}

/* ---- errors ---------------------------------------------------------------------------------- */

const char *bv_code_name(enum bv_code code)
{
	static const char *const names[] = {
#define BV_ERROR_ROW(code, name, meaning) name,
		BV_ERRORS(BV_ERROR_ROW)
#undef BV_ERROR_ROW
	};
	const size_t index = (size_t)code;

	return index < sizeof names / sizeof names[0] ? names[index] : "?";
}

/*
 * Ends the text of an error.  It may quote what others sent: control bytes would reach a terminal
 * or break the promise of one line, and half a character would break whoever reads UTF-8.
 */
static void finish_text(struct format_out *out)
{
	const size_t len = out->len < out->capacity ? out->len : out->capacity;
	const struct bv_str text = {out->data, len};
	size_t at = 0;

	while (at < len) {
		uint32_t code_point = 0;
		const size_t sequence = bv_utf8_next(text, at, &code_point);

		if (sequence == 0 && len - at < 4 && out->len > out->capacity)
			break; /* cut by the end of the buffer, or not text at all: drop it */
		if (sequence == 0 || code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0))
			for (size_t i = 0; i < (sequence == 0 ? 1 : sequence); i++)
				out->data[at + i] = '?';
		at += sequence == 0 ? 1 : sequence;
	}
	out->data[at] = '\0';
}

static void copy_text(char *data, size_t size_bytes, const char *text)
{
	struct format_out out = {data, 0, size_bytes - 1};

	put_text(&out, text, SIZE_MAX);
	finish_text(&out);
}

static void fill_error(struct bv_error *err, enum bv_code code, const char *where,
		       const char *remedy, const char *format, va_list args)
{
	struct format_out out = {err->message, 0, sizeof err->message - 1};

	err->code = code;
	err->sys_errno = 0;
	copy_text(err->where, sizeof err->where, where);
	copy_text(err->remedy, sizeof err->remedy, remedy);
	format_into(&out, format, args);
	finish_text(&out);
}

enum bv_code bv_fail(struct bv_error *err, enum bv_code code, const char *where, const char *format,
		     ...)
{
	va_list args;

	if (err != NULL) {
		va_start(args, format);
		fill_error(err, code, where, "", format, args);
		va_end(args);
	}
	return code;
}

enum bv_code bv_fail_remedy(struct bv_error *err, enum bv_code code, const char *where,
			    const char *remedy, const char *format, ...)
{
	va_list args;

	if (err != NULL) {
		va_start(args, format);
		fill_error(err, code, where, remedy, format, args);
		va_end(args);
	}
	return code;
}
