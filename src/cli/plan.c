/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `bvisor plan`: what would be enforced, by what, with what evidence; or why not. */
#include "options.h"
#include "table.h"

#include <string.h>
#include <unistd.h>

static int print_table(const struct bv_plan *plan)
{
	struct cli_table table;

	cli_table_begin(&table, stdout, 4);
	cli_table_row(&table, CLI_TABLE_HEAD,
		      (const char *[]){"REQUIREMENT", "VERDICT", "MECHANISM", "EVIDENCE"});
	for (size_t i = 0; i < bv_plan_row_count(plan); i++) {
		struct bv_plan_row row = bv_plan_row(plan, i);

		cli_table_row(&table,
			      strcmp(row.verdict, "Enforced") == 0 ? CLI_TABLE_GOOD
								   : CLI_TABLE_WEAK,
			      (const char *[]){row.requirement, row.verdict, row.mechanism,
					       row.evidence});
		if (row.detail && *row.detail)
			cli_table_note(&table, row.detail);
	}
	printf("plan %s on backend %s\n\n", bv_plan_id(plan), bv_plan_backend(plan));
	cli_table_end(&table);
	return cli_close_stdout(CLI_EXIT_OK);
}

static int print_json(const struct bv_plan *plan)
{
	struct bv_error error = {0};
	char *text = NULL;

	if (bv_plan_to_json(plan, &text, &error) != BV_OK) {
		cli_say_error(NULL, &error);
		return CLI_EXIT_REFUSED;
	}
	(void)fputs(text, stdout); /* cli_close_stdout looks at what became of it */
	bv_free(text);
	return cli_close_stdout(CLI_EXIT_OK);
}

static int refused(const struct cli_request *request, const struct bv_error *error)
{
	if (request->json) {
		printf("{\"refused\":{\"code\":");
		cli_print_json_text(bv_code_name(error->code));
		printf(",\"where\":");
		cli_print_json_text(error->where);
		printf(",\"message\":");
		cli_print_json_text(error->message);
		printf(",\"remedy\":");
		cli_print_json_text(error->remedy);
		printf("}}\n");
		(void)cli_close_stdout(0); /* it is 125 either way */
	} else {
		cli_say_error("refused", error);
	}
	return CLI_EXIT_REFUSED;
}

int cli_plan_request(struct cli_request *request)
{
	struct bv_error error = {0};
	struct bv_plan *plan = NULL;
	int status;

	/* As run would have it, so that both have the same plan. */
	if (bv_spec_stdin(request->spec, !request->terminal && !isatty(STDIN_FILENO), &error) !=
	    BV_OK) {
		cli_say_error(NULL, &error);
		return CLI_EXIT_REFUSED;
	}
	if (bv_plan_make(request->spec, request->backend, &plan, &error) != BV_OK)
		status = refused(request, &error);
	else
		status = request->json ? print_json(plan) : print_table(plan);
	bv_plan_free(plan);
	return status;
}

int cli_plan(int argc, char **argv)
{
	return cli_workload_command(CLI_PLAN, argc, argv, cli_plan_request);
}
