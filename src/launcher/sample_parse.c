/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* sample_parse.c - reads what the files of /proc say, whatever the workload wrote into them. */
#include "sample.h"

#include <string.h>

#include "contract/base.h"

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return bv_add(a, b, &sum) ? sum : UINT64_MAX;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A decimal number at `*at`, left behind it; too large is the largest. */
static bool take_number(const char **at, const char *end, uint64_t *ret_number)
{
	const char *p = *at;
	uint64_t number = 0;

	if (p == end || !is_digit(*p))
		return false;
	for (; p < end && is_digit(*p); p++) {
		if (!bv_mul(number, 10, &number) ||
		    !bv_add(number, (uint64_t)(*p - '0'), &number)) {
			number = UINT64_MAX;
			while (p < end && is_digit(*p))
				p++;
			break;
		}
	}
	*at = p;
	*ret_number = number;
	return true;
}

static bool take_hex(const char **at, const char *end, uint64_t *ret_number)
{
	const char *p = *at;
	uint64_t number = 0;

	for (; p < end; p++) {
		if (is_digit(*p))
			number = number << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			number = number << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	if (p == *at)
		return false;
	*at = p;
	*ret_number = number;
	return true;
}

static void skip_blanks(const char **at, const char *end)
{
	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\n'))
		(*at)++;
}

bool sample_next(const char **at, const char *end, uint64_t *ret_number)
{
	skip_blanks(at, end);
	return take_number(at, end, ret_number);
}

/* ---- stat ------------------------------------------------------------------------------------ */

bool sample_stat(const char *text, size_t size, struct sample_stat *ret_stat)
{
	/* Counted behind the state; what is between these is of no interest. */
	enum {
		PARENT = 1,
		MINOR = 7,
		MAJOR = 9,
		USER = 11,
		SYSTEM,
		CHILD_USER,
		CHILD_SYSTEM,
		THREADS = 17,
		START = 19,
		PAGES = 21
	};
	uint64_t fields[PAGES + 1] = {0};
	const char *end = text + size, *at = NULL;

	/* The name stands in parentheses and may hold some itself; behind the last are numbers alone. */
	for (const char *p = end; p > text && at == NULL; p--)
		at = p[-1] == ')' ? p : NULL;
	if (at == NULL || end - at < 3 || at[0] != ' ')
		return false;
	ret_stat->state = at[1];
	at += 2;
	for (size_t i = 1; i <= PAGES; i++) {
		skip_blanks(&at, end);
		/* A priority may be negative; none of those used can be. */
		if (at < end && *at == '-')
			at++;
		if (!take_number(&at, end, &fields[i]))
			return false;
	}
	ret_stat->faults = plus(fields[MINOR], fields[MAJOR]);
	ret_stat->ticks = plus(fields[USER], fields[SYSTEM]);
	ret_stat->waited_ticks = plus(fields[CHILD_USER], fields[CHILD_SYSTEM]);
	ret_stat->threads = fields[THREADS] > UINT32_MAX ? UINT32_MAX : (uint32_t)fields[THREADS];
	ret_stat->start = fields[START];
	ret_stat->pages = fields[PAGES];
	ret_stat->parent = fields[PARENT] > INT32_MAX ? 0 : (pid_t)fields[PARENT];
	return true;
}

/* ---- "Name:   123 kB" ------------------------------------------------------------------------ */

/* Whether the line is about `name`; then how many bytes it says. */
static bool take_kilobytes(const char *line, const char *end, const char *name, uint64_t *ret_bytes)
{
	const size_t len = strlen(name);
	const char *at = line + len;
	uint64_t kilobytes;

	if ((size_t)(end - line) <= len || memcmp(line, name, len) != 0 || *at != ':')
		return false;
	at++;
	if (!sample_next(&at, end, &kilobytes))
		return false;
	if (!bv_mul(kilobytes, 1024, ret_bytes))
		*ret_bytes = UINT64_MAX;
	return true;
}

static const char *end_of_line(const char *line, const char *end)
{
	const char *found = memchr(line, '\n', (size_t)(end - line));

	return found != NULL ? found : end;
}

void sample_status(const char *text, size_t size, struct sample_status *ret_status)
{
	const char *end = text + size;

	*ret_status = (struct sample_status){0};
	/* A newline in a process's name is escaped by the kernel, so no name begins a line of its own. */
	for (const char *line = text; line < end;) {
		const char *stop = end_of_line(line, end);

		if (!take_kilobytes(line, stop, "RssAnon", &ret_status->anonymous) &&
		    !take_kilobytes(line, stop, "RssShmem", &ret_status->shared) &&
		    !take_kilobytes(line, stop, "VmPTE", &ret_status->tables))
			(void)take_kilobytes(line, stop, "VmSwap", &ret_status->swapped);
		line = stop < end ? stop + 1 : end;
	}
}

bool sample_rollup(const char *text, size_t size, struct sample_share *ret_share)
{
	const char *end = text + size;
	uint64_t anonymous = 0, shared = 0, swapped = 0;
	bool has_anonymous = false, has_shared = false;

	for (const char *line = text; line < end;) {
		const char *stop = end_of_line(line, end);

		has_anonymous |= take_kilobytes(line, stop, "Pss_Anon", &anonymous);
		has_shared |= take_kilobytes(line, stop, "Pss_Shmem", &shared);
		(void)take_kilobytes(line, stop, "SwapPss", &swapped);
		line = stop < end ? stop + 1 : end;
	}
	*ret_share = (struct sample_share){plus(anonymous, swapped), shared};
	return has_anonymous && has_shared;
}

enum sample_map_line sample_map_line(const char *line, size_t size, struct sample_map *map)
{
	const char *at = line, *end = line + size;
	uint64_t from, major, minor;

	/* A path's newline is escaped too. */
	if (take_kilobytes(line, end, "Pss", &map->bytes))
		return SAMPLE_MAP_SHARE;
	if (take_kilobytes(line, end, "Anonymous", &map->bytes))
		return SAMPLE_MAP_ANONYMOUS;
	if (!take_hex(&at, end, &from) || at == end || *at != '-')
		return SAMPLE_MAP_OTHER;
	/* "from-to rwxp offset major:minor inode path" */
	for (int blanks = 0; blanks < 3 && at < end; at++)
		blanks += *at == ' ';
	if (!take_hex(&at, end, &major) || at == end || *at++ != ':' ||
	    !take_hex(&at, end, &minor) || !sample_next(&at, end, &map->inode))
		return SAMPLE_MAP_OTHER;
	map->device_major = (uint32_t)major;
	map->device_minor = (uint32_t)minor;
	return SAMPLE_MAP_BEGINS;
}

/* ---- the others ------------------------------------------------------------------------------ */

bool sample_schedstat(const char *text, size_t size, uint64_t *ret_ran, uint64_t *ret_waited)
{
	const char *at = text, *end = text + size;

	return sample_next(&at, end, ret_ran) && sample_next(&at, end, ret_waited);
}

/* What one of its objects holds, by the numbers of its line. */
static uint64_t table_bytes(enum sample_table table, const uint64_t *columns)
{
	enum { RESIDENT = 14, SWAPPED = 15, BYTES = 3, MESSAGES = 4, SEMAPHORES = 3 };
	/* What the kernel takes for each object, message and semaphore beside what is in it. */
	enum { OBJECT_BYTES = 256, MESSAGE_BYTES = 64, SEMAPHORE_BYTES = 64 };
	uint64_t each = 0;

	switch (table) {
	case SAMPLE_SEGMENTS:
		return plus(columns[RESIDENT], columns[SWAPPED]);
	case SAMPLE_QUEUES:
		if (!bv_mul(columns[MESSAGES], MESSAGE_BYTES, &each))
			return UINT64_MAX;
		return plus(OBJECT_BYTES, plus(columns[BYTES], each));
	case SAMPLE_SEMAPHORES:
		if (!bv_mul(columns[SEMAPHORES], SEMAPHORE_BYTES, &each))
			return UINT64_MAX;
		return plus(OBJECT_BYTES, each);
	case SAMPLE_TABLES:
		break;
	}
	return 0;
}

uint64_t sample_table(enum sample_table table, const char *text, size_t size)
{
	enum { COLUMNS = 16 };
	static const size_t needed[SAMPLE_TABLES] = {
		[SAMPLE_SEGMENTS] = COLUMNS, [SAMPLE_QUEUES] = 5, [SAMPLE_SEMAPHORES] = 4};
	const char *end = text + size;
	uint64_t sum = 0;

	if (table >= SAMPLE_TABLES)
		return 0;
	/* The first line names the columns, and so begins with no number. */
	for (const char *line = text, *stop; line < end; line = stop + 1) {
		uint64_t columns[COLUMNS] = {0};
		const char *at = line;
		size_t count = 0;

		stop = end_of_line(line, end);
		if (stop == end)
			break;
		for (; count < COLUMNS; count++) {
			skip_blanks(&at, stop);
			if (at < stop && *at == '-')
				at++;
			if (!take_number(&at, stop, &columns[count]))
				break;
		}
		if (count >= needed[table])
			sum = plus(sum, table_bytes(table, columns));
	}
	return sum;
}

uint64_t sample_processors(const char *text, size_t size)
{
	const char *at = text, *end = text + size;
	uint64_t first, last, count = 0;

	while (take_number(&at, end, &first)) {
		last = first;
		if (at < end && *at == '-') {
			at++;
			if (!take_number(&at, end, &last) || last < first)
				return 0;
		}
		count = plus(count, last - first + 1);
		if (at == end || *at != ',')
			return count;
		at++;
	}
	return 0;
}
