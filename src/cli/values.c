/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers as people write them: 256M, 10s, 32.  Whole numbers only, so nothing is ever rounded. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

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
	{"d", 86400ULL * 1000000},
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
		"is not a duration; write a whole number and its unit (us, ms, s, m, h, d) as in 10s",
		ret_micros);
}

const char *cli_parse_count(const char *text, uint64_t *ret_count)
{
	return parse(text, counts, "is not a count; write a whole number as in 32", ret_count);
}

static bool parse_moment(const char *text, struct tm *ret_parts)
{
	int used = 0, seconds = 0;
	struct tm parts = {0};

	if (sscanf(text, "%4d-%2d-%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &used) !=
	    3)
		return false;
	text += used;
	used = 0;
	if (*text == 'T') {
		if (sscanf(text, "T%2d:%2d%n", &parts.tm_hour, &parts.tm_min, &used) != 2)
			return false;
		text += used;
		used = 0;
		if (sscanf(text, ":%2d%n", &seconds, &used) == 1)
			text += used;
		parts.tm_sec = seconds;
	}
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	*ret_parts = parts;
	return *text == '\0' || strcmp(text, "Z") == 0;
}

const char *cli_parse_time(const char *text, uint64_t *ret_unix_micros)
{
	static const char complaint[] =
		"is not a time; write 2026-11-27, 2026-11-27T08:30 (UTC), or how long ago as in 90d or 2h";
	struct tm parts, back;
	struct timespec now;
	uint64_t ago;
	time_t seconds;

	if (parse_moment(text, &parts)) {
		back = parts;
		seconds = timegm(&back);
		/* The 30th of February is somewhere else, and not what was meant. */
		if (seconds < 0 || back.tm_mday != parts.tm_mday || back.tm_mon != parts.tm_mon ||
		    back.tm_hour != parts.tm_hour || back.tm_min != parts.tm_min)
			return complaint;
		*ret_unix_micros = (uint64_t)seconds * 1000000;
		return NULL;
	}
	if (parse(text, durations, complaint, &ago) != NULL)
		return complaint;
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	*ret_unix_micros = (uint64_t)now.tv_sec * 1000000;
	if (ago >= *ret_unix_micros)
		return "is longer ago than there were computers";
	*ret_unix_micros -= ago;
	return NULL;
}
