/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * error_doc.c - prints docs/reference/errors.md from the codes of include/bvisor/error.h.
 *
 * `make docs` writes the file; a test holds the committed one to it.
 */
#include <stdio.h>

#include <bvisor/error.h>

static const struct {
	const char *constant, *name, *meaning;
} rows[] = {
#define BV_ERROR_ROW(code, name, meaning) {#code, name, meaning},
	BV_ERRORS(BV_ERROR_ROW)
#undef BV_ERROR_ROW
};

int main(void)
{
	printf("# Error codes\n\n"
	       "Made from `include/bvisor/error.h` by `make docs`; do not edit.\n\n"
	       "A function that fails returns one of these and fills a `struct bv_error`: the code, the\n"
	       "kernel's error number if it had a part in it, `where` (the part of the input or the layer at\n"
	       "fault, such as `capabilities[2].Filesystem.scope.roots[0]`), `message` (what is wrong) and\n"
	       "`remedy` (how to mend it; may be empty). Numbers and names never change; new ones come at the\n"
	       "end.\n\n"
	       "| number | constant | name | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		printf("| %zu | `%s` | `%s` | %s |\n", i, rows[i].constant, rows[i].name,
		       rows[i].meaning);
	printf("\nThe first failure answers. A spec is judged in this order: the policy gate\n"
	       "(`invalid-policy`, `budget-invalid`), workload against backend (`workload-incompatible`), one\n"
	       "probe, every requirement (`unsupported`), evidence (`evidence-unsatisfiable`), the minimum\n"
	       "enforcement of requirements (`minimum-enforcement`), budgets (`budget-refused`), the minimum\n"
	       "enforcement of budgets (`minimum-enforcement`). Just before a run: `plan-invalid` for a plan\n"
	       "that was altered or made for another backend, `profile-insufficient` for a machine that\n"
	       "changed since.\n");
	return 0;
}
