/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the commands that name a workload have in common: its spec, which may only be written out. */
#include "options.h"

static int print_spec(const struct cli_request *request)
{
	struct bv_error error = {0};
	char *text = NULL;

	if (bv_spec_to_json(request->spec, &text, &error) != BV_OK) {
		cli_say_error(NULL, &error);
		return CLI_EXIT_REFUSED;
	}
	(void)fputs(text, stdout); /* cli_close_stdout looks at what became of it */
	bv_free(text);
	return cli_close_stdout(CLI_EXIT_OK);
}

int cli_workload_command(enum cli_command command, int argc, char **argv,
			 int (*act)(struct cli_request *request))
{
	struct cli_request request;
	int status = cli_request_read(command, argc, argv, &request);

	if (status != -1)
		return status;
	/* A spec may be written without the program it is for. */
	if (!request.print_spec || request.operand_count)
		status = cli_request_program(&request);
	if (status == -1)
		status = request.print_spec ? print_spec(&request) : act(&request);
	cli_request_clear(&request);
	return status;
}
