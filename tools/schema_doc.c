/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * schema_doc.c - prints docs/reference/schema.md from the descriptors of src/contract/schema.def.
 *
 * `make docs` writes the file; a test holds the committed one to it.
 */
#include <stdio.h>
#include <string.h>

#include "contract/schema.h"

static const char *const scalar_names[] = {
	[BV_SCALAR_u8] = "u8",    [BV_SCALAR_u16] = "u16",       [BV_SCALAR_u32] = "u32",
	[BV_SCALAR_u64] = "u64",  [BV_SCALAR_i32] = "i32",       [BV_SCALAR_bool] = "bool",
	[BV_SCALAR_str] = "text", [BV_SCALAR_digest] = "digest",
};

/* "bv_boundary_plan" is "boundary_plan" to a reader. */
static const char *short_name(const struct bv_type *type)
{
	return strncmp(type->name, "bv_", 3) == 0 ? type->name + 3 : type->name;
}

static void print_type_link(const char *before, const struct bv_type *type)
{
	printf("%s[%s](#%s)", before, short_name(type), short_name(type));
}

static void print_shape(const struct bv_row *row)
{
	switch (row->shape) {
	case BV_SHAPE_UNIT:
		printf("-");
		return;
	case BV_SHAPE_SCALAR:
		printf("%s", scalar_names[row->scalar]);
		return;
	case BV_SHAPE_SCALARS:
		printf("list of %s", scalar_names[row->scalar]);
		return;
	case BV_SHAPE_ENUM:
	case BV_SHAPE_NEST:
		print_type_link("", row->type);
		return;
	case BV_SHAPE_SET:
		print_type_link("set of ", row->type);
		return;
	case BV_SHAPE_LIST:
	case BV_SHAPE_ENUMS:
		print_type_link("list of ", row->type);
		return;
	case BV_SHAPE_TEXTS:
		printf("map of text to text");
		return;
	}
}

static const char *presence_text(enum bv_presence presence)
{
	switch (presence) {
	case BV_PRESENCE_MUST:
		return "always";
	case BV_PRESENCE_NIL:
		return "or nil";
	case BV_PRESENCE_EXTRA:
		return "or left out";
	}
	return "";
}

static void print_type(const struct bv_type *type)
{
	static const char *const forms[] = {
		[BV_FORM_ENUM] = "one of these names",
		[BV_FORM_UNION] =
			"one of these: the name alone, or a map of the name to its content",
		[BV_FORM_RECORD] = "a map with these keys in this order",
		[BV_FORM_TUPLE] = "an array of these in this order",
	};
	const bool fields = type->form == BV_FORM_RECORD || type->form == BV_FORM_TUPLE;

	printf("\n## %s\n\n%s\n\n", short_name(type), type->doc);
	if (type->row_count == 0) {
		printf("An empty map.\n");
		return;
	}
	printf("Written as %s:\n\n", forms[type->form]);
	printf(type->form == BV_FORM_ENUM ? "| name | meaning |\n|---|---|\n"
	       : fields ? "| key | value | present | meaning |\n|---|---|---|---|\n"
			: "| name | content | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < type->row_count; i++) {
		const struct bv_row *row = &type->rows[i];

		printf("| `%s` |", row->wire);
		if (type->form != BV_FORM_ENUM) {
			printf(" ");
			print_shape(row);
			printf(" |");
		}
		if (fields)
			printf(" %s |", presence_text(row->presence));
		printf(" %s |\n", row->doc);
	}
}

int main(void)
{
	printf("# Every value bvisor reads, writes and hashes\n\n"
	       "Made from `src/contract/schema.def` by `make docs`; do not edit it here.\n\n"
	       "The canonical form is MessagePack with one spelling for every value: keys in the order given,\n"
	       "integers and lengths in their shortest form, a digest as an array of 32 integers, a set as an\n"
	       "array of names in the order of its type, no floats, no binary strings, no extensions.  The\n"
	       "reader refuses everything else.\n\n"
	       "JSON has the same names and the same structure.  There a digest is 64 lower-case hex digits, and\n"
	       "what is absent has no key, or null where the canonical form keeps the key.\n");
	for (size_t i = 0; bv_types[i]; i++)
		print_type(bv_types[i]);
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
