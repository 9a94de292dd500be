/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What changed in a file, line by line: the fewest lines removed and added that lead from one to the
 * other (Myers' greedy algorithm), shown with three lines around them.
 *
 * Both sides may be the workload's.  Every line is shown so that it hides nothing.
 */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

#include "changes.h"

enum {
	LINES_MAX = 50000,
	EDITS_MAX = 2000, /* more is another file; memory grows with the square */
	CONTEXT = 3,
	SHOWN_LINE_BYTES = 4096,
};

struct line {
	const char *text;
	size_t len;
};

struct side {
	struct line *lines;
	size_t count;
	bool cut; /* its last line has no end */
};

static bool split(const struct cli_bytes *bytes, struct side *ret_side)
{
	size_t count = 0;

	for (size_t i = 0; i < bytes->size_bytes; i++)
		count += bytes->data[i] == '\n';
	*ret_side = (struct side){calloc(count + 2, sizeof *ret_side->lines), 0, false};
	if (!ret_side->lines || count >= LINES_MAX)
		return false;
	for (size_t at = 0; at < bytes->size_bytes;) {
		const char *end = memchr(bytes->data + at, '\n', bytes->size_bytes - at);
		const size_t len = end ? (size_t)(end - bytes->data) - at : bytes->size_bytes - at;

		ret_side->lines[ret_side->count++] = (struct line){bytes->data + at, len};
		ret_side->cut = !end;
		at += len + 1;
	}
	return true;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* ---- the fewest edits -------------------------------------------------------------------------- */

struct walk {
	const struct side *old, *new;
	int *reached[EDITS_MAX +
		     1]; /* by number of edits, then by diagonal: how far on the old side */
	char *marks;     /* '-' by line of the old side, '+' by line of the new behind it */
};

/* How far one gets on diagonal `k` with `d` edits. */
static int step(const struct walk *walk, int d, int k)
{
	const int *before = d > 0 ? walk->reached[d - 1] : NULL;
	size_t x, y;
	int from = 0;

	/* before[i] is of diagonal i - d + 1. */
	if (d > 0 && (k == -d || (k != d && before[k - 1 + d - 1] < before[k + 1 + d - 1])))
		from = before[k + 1 + d - 1];
	else if (d > 0)
		from = before[k - 1 + d - 1] + 1;
	if (from - k < 0)
		return from;
	x = (size_t)from;
	y = (size_t)(from - k);
	while (x < walk->old->count &&
	       y < walk->new->count &&same(&walk->old->lines[x], &walk->new->lines[y])) {
		x++;
		y++;
	}
	return (int)x;
}

/* The number of edits, or -1 when there are too many, or no memory. */
static int search(struct walk *walk)
{
	const int n = (int)walk->old->count, m = (int)walk->new->count;

	for (int d = 0; d <= EDITS_MAX; d++) {
		walk->reached[d] = calloc(2 * (size_t)d + 1, sizeof(int));
		if (!walk->reached[d])
			return -1;
		for (int k = -d; k <= d; k += 2) {
			const int x = step(walk, d, k);

			walk->reached[d][k + d] = x;
			if (x >= n && x - k >= m)
				return d;
		}
	}
	return -1;
}

/* Back from the end, marking what was removed and added. */
static void mark(const struct walk *walk, int d)
{
	int x = (int)walk->old->count, y = (int)walk->new->count;

	for (; d > 0; d--) {
		const int *before = walk->reached[d - 1];
		const int k = x - y;
		const bool down = k == -d ||
				  (k != d && before[k - 1 + d - 1] < before[k + 1 + d - 1]);
		const int from = before[(down ? k + 1 : k - 1) + d - 1];

		if (down)
			walk->marks[walk->old->count + (size_t)(from - (k + 1))] = '+';
		else
			walk->marks[from] = '-';
		x = from;
		y = from - (down ? k + 1 : k - 1);
	}
}

/* ---- showing ----------------------------------------------------------------------------------- */

static void put_line(char sign, const struct line *line)
{
	char raw[SHOWN_LINE_BYTES / 4], shown[SHOWN_LINE_BYTES];
	const size_t len = line->len < sizeof raw ? line->len : sizeof raw - 1;

	if (len > 0)
		memcpy(raw, line->text, len);
	raw[len] = '\0';
	cli_show_name(raw, shown, sizeof shown);
	printf("%c%s%s\n", sign, shown, len < line->len ? "..." : "");
}

/* One row of the result: a line of the old side, of the new, or of both. */
struct row {
	char sign;
	const struct line *line;
};

static size_t lay_out(const struct walk *walk, struct row *rows)
{
	size_t x = 0, y = 0, count = 0;

	while (x < walk->old->count || y < walk->new->count) {
		if (x < walk->old->count && walk->marks[x] == '-')
			rows[count++] = (struct row){'-', &walk->old->lines[x++]};
		else if (y < walk->new->count && walk->marks[walk->old->count + y] == '+')
			rows[count++] = (struct row){'+', &walk->new->lines[y++]};
		else {
			rows[count++] = (struct row){' ', &walk->old->lines[x++]};
			y++;
		}
	}
	return count;
}

static void put_rows(const struct row *rows, size_t count)
{
	size_t shown = 0; /* rows before this one are */
	size_t old_line = 1, new_line = 1, next = 0;

	while (next < count) {
		size_t first, last;

		while (next < count && rows[next].sign == ' ')
			next++;
		if (next == count)
			break;
		first = next > shown + CONTEXT ? next - CONTEXT : shown;
		/* On until there are so many unchanged ones that the next change is another place. */
		for (last = next; next < count && next <= last + 2 * CONTEXT; next++)
			last = rows[next].sign != ' ' ? next : last;
		last = last + CONTEXT < count ? last + CONTEXT : count - 1;
		for (; shown < first; shown++) {
			old_line += rows[shown].sign != '+';
			new_line += rows[shown].sign != '-';
		}
		printf("@@ -%zu +%zu @@\n", old_line, new_line);
		for (; shown <= last; shown++) {
			put_line(rows[shown].sign, rows[shown].line);
			old_line += rows[shown].sign != '+';
			new_line += rows[shown].sign != '-';
		}
		next = shown > next ? shown : next;
	}
}

static bool is_binary(const struct cli_bytes *bytes)
{
	return bytes->data && memchr(bytes->data, '\0', bytes->size_bytes) != NULL;
}

void cli_diff(const struct cli_bytes *old, const struct cli_bytes *new)
{
	struct side sides[2] = {{NULL, 0, false}, {NULL, 0, false}};
	struct walk walk = {.old = &sides[0], .new = &sides[1]};
	struct row *rows = NULL;
	bool fits = !is_binary(old) && !is_binary(new) && split(old, &sides[0]) &&
		    split(new, &sides[1]);
	/* Where one side is empty there is nothing to search for. */
	const bool plain = fits && (sides[0].count == 0 || sides[1].count == 0);
	const int edits = plain ? 0 : fits ? search(&walk) : -1;

	if (edits >= 0) {
		walk.marks = calloc(sides[0].count + sides[1].count + 1, 1);
		rows = calloc(sides[0].count + sides[1].count + 1, sizeof *rows);
	}
	if (walk.marks && rows) {
		if (plain)
			memset(walk.marks, sides[0].count ? '-' : '+',
			       sides[0].count + sides[1].count);
		mark(&walk, edits);
		put_rows(rows, lay_out(&walk, rows));
		if (sides[0].cut != sides[1].cut)
			printf("\\ the last line of the %s has no end\n",
			       sides[0].cut ? "host's" : "new one");
	} else {
		printf("%s: %zu bytes before, %zu now\n",
		       is_binary(old) || is_binary(new) ? "binary" : "too different to show",
		       old->size_bytes, new->size_bytes);
	}
	for (int d = 0; d <= EDITS_MAX && walk.reached[d]; d++)
		free(walk.reached[d]);
	free(walk.marks);
	free(rows);
	free(sides[0].lines);
	free(sides[1].lines);
}
