/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tables that fit their content, coloured only for a terminal. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

void cli_table_begin(struct cli_table *table, FILE *stream, size_t columns)
{
	*table = (struct cli_table){.stream = stream, .columns = columns};
}

static struct cli_table_line *add(struct cli_table *table, enum cli_table_look look)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 32;
		struct cli_table_line *bigger = realloc(table->lines, capacity * sizeof *bigger);

		if (!bigger) {
			table->failed = true;
			return NULL;
		}
		table->lines = bigger;
		table->capacity = capacity;
	}
	table->lines[table->count] = (struct cli_table_line){.look = look};
	return &table->lines[table->count++];
}

/* Made harmless, because a path may hold anything. */
static char *copy(struct cli_table *table, const char *text)
{
	size_t size = strlen(text) + 4;
	char *plain = malloc(size);

	if (plain)
		cli_plain(text, plain, size);
	else
		table->failed = true;
	return plain;
}

void cli_table_row(struct cli_table *table, enum cli_table_look look, const char *const *cells)
{
	struct cli_table_line *line = add(table, look);

	for (size_t i = 0; line && i < table->columns; i++)
		line->cells[i] = copy(table, cells[i]);
}

void cli_table_note(struct cli_table *table, const char *text)
{
	struct cli_table_line *line = add(table, CLI_TABLE_NOTE);

	if (line)
		line->cells[0] = copy(table, text);
}

/* Columns on a terminal, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static void print_note(FILE *stream, const char *text)
{
	enum { INDENT = 4, WIDEST = 96 };
	size_t used = INDENT;

	fprintf(stream, "%*s", INDENT, "");
	while (*text) {
		size_t len = strcspn(text, " ");

		if (used > INDENT && used + 1 + len > WIDEST) {
			fprintf(stream, "\n%*s", INDENT, "");
			used = INDENT;
		} else if (used > INDENT) {
			fputc(' ', stream);
			used++;
		}
		fprintf(stream, "%.*s", (int)len, text);
		used += len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', stream);
}

static void print_row(const struct cli_table *table, const struct cli_table_line *line,
		      const size_t *widths, bool colour)
{
	static const char *const codes[] = {
		[CLI_TABLE_HEAD] = "\033[1m",  [CLI_TABLE_PLAIN] = "",
		[CLI_TABLE_GOOD] = "\033[32m", [CLI_TABLE_WEAK] = "\033[33m",
		[CLI_TABLE_BAD] = "\033[31m",  [CLI_TABLE_NOTE] = "",
	};
	size_t last = table->columns;

	while (last > 1 && line->cells[last - 1][0] == '\0')
		last--;
	for (size_t i = 0; i < last; i++) {
		/* The verdict carries the colour, and the words carry the meaning without it. */
		bool coloured = colour && (line->look == CLI_TABLE_HEAD || i == 1);
		size_t padding = i + 1 < last ? widths[i] - width(line->cells[i]) + 2 : 0;

		fprintf(table->stream, "%s%s%s%*s", coloured ? codes[line->look] : "",
			line->cells[i], coloured ? "\033[0m" : "", (int)padding, "");
	}
	fputc('\n', table->stream);
}

void cli_table_end(struct cli_table *table)
{
	size_t widths[CLI_TABLE_COLUMNS] = {0};
	bool colour = cli_wants_colour(table->stream);

	for (size_t i = 0; !table->failed && i < table->count; i++) {
		for (size_t c = 0; table->lines[i].look != CLI_TABLE_NOTE && c < table->columns;
		     c++) {
			size_t w = width(table->lines[i].cells[c]);

			widths[c] = w > widths[c] ? w : widths[c];
		}
	}
	for (size_t i = 0; i < table->count; i++) {
		if (table->failed)
			;
		else if (table->lines[i].look == CLI_TABLE_NOTE)
			print_note(table->stream, table->lines[i].cells[0]);
		else
			print_row(table, &table->lines[i], widths, colour);
		for (size_t c = 0; c < table->columns; c++)
			free(table->lines[i].cells[c]);
	}
	if (table->failed)
		cli_say("there is no memory for the table");
	free(table->lines);
}

struct cli_listing cli_listing_begin(bool json, size_t columns, const char *const *head)
{
	struct cli_listing listing = {.json = json};

	if (json) {
		putchar('[');
	} else {
		cli_table_begin(&listing.table, stdout, columns);
		cli_table_row(&listing.table, CLI_TABLE_HEAD, head);
	}
	return listing;
}

void cli_listing_end(struct cli_listing *listing)
{
	if (listing->json)
		puts("]");
	else
		cli_table_end(&listing->table);
}

void cli_print_json_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}
