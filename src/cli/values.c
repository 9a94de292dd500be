/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers as people write them: 256M, 10s, 32.  Whole numbers only, so nothing is ever rounded. */
#include "cli.h"

#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{"", 1},           {"B", 1},
	{"K", 1ULL << 10}, {"KiB", 1ULL << 10},
	{"M", 1ULL << 20}, {"MiB", 1ULL << 20},
	{"G", 1ULL << 30}, {"GiB", 1ULL << 30},
	{"T", 1ULL << 40}, {"TiB", 1ULL << 40},
	{NULL, 0},
};

static const struct unit durations[] = {
	{"us", 1},
	{"ms", 1000},
	{"s", 1000000},
	{"m", 60ULL * 1000000},
	{"min", 60ULL * 1000000},
	{"h", 3600ULL * 1000000},
	{NULL, 0},
};

static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static const char *parse(const char *text, const struct unit *units, const char *complaint,
			 uint64_t *ret_value)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return "is too large";
		value = value * 10 + digit;
	}
	if (p == text)
		return complaint;
	for (; units->name; units++) {
		if (strcmp(p, units->name) != 0)
			continue;
		if (value > UINT64_MAX / units->factor)
			return "is too large";
		*ret_value = value * units->factor;
		return NULL;
	}
	return complaint;
}

const char *cli_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse(
		text, sizes,
		"is not a size; write a whole number of bytes, or with K, M, G or T as in 256M",
		ret_bytes);
}

const char *cli_parse_duration(const char *text, uint64_t *ret_micros)
{
	return parse(
		text, durations,
		"is not a duration; write a whole number and its unit (us, ms, s, m, h) as in 10s",
		ret_micros);
}

const char *cli_parse_count(const char *text, uint64_t *ret_count)
{
	return parse(text, counts, "is not a count; write a whole number as in 32", ret_count);
}
