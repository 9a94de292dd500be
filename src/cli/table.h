/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* table.h - tables and JSON text for people's and programs' eyes. */
#ifndef BV_CLI_TABLE_H
#define BV_CLI_TABLE_H

#include "cli.h"

enum cli_table_look {
	CLI_TABLE_HEAD,
	CLI_TABLE_PLAIN,
	CLI_TABLE_GOOD,
	CLI_TABLE_WEAK,
	CLI_TABLE_BAD,
	CLI_TABLE_NOTE
};

enum { CLI_TABLE_COLUMNS = 6 };

struct cli_table_line {
	enum cli_table_look look;
	char *cells[CLI_TABLE_COLUMNS]; /* a note has only the first */
};

/* Collected first, because no column's width is known before the last row. */
struct cli_table {
	FILE *stream;
	size_t columns;
	struct cli_table_line *lines;
	size_t count, capacity;
	bool failed; /* no memory: said at the end */
};

void cli_table_begin(struct cli_table *table, FILE *stream, size_t columns);
void cli_table_row(struct cli_table *table, enum cli_table_look look, const char *const *cells);
void cli_table_note(struct cli_table *table,
		    const char *text); /* below the last row, indented, wrapped */
void cli_table_end(struct cli_table *table);

/* A table, or an array of JSON objects: what asks for one writes a comma before all but the first. */
struct cli_listing {
	struct cli_table table;
	bool json;
	uint64_t count;
};

/* To standard output; `head` has as many cells as there are columns. */
struct cli_listing cli_listing_begin(bool json, size_t columns, const char *const *head);
void cli_listing_end(struct cli_listing *listing);

/* A JSON string, quotes included. */
void cli_print_json_text(const char *text);

#endif
