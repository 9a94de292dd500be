/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Chooses what to do with a journal, opens it, and does it. */
#include "verbs.h"

#include <stdlib.h>
#include <string.h>

/* Operands may come before the flags: they go behind them. */
static int put_flags_first(int argc, char **argv)
{
	char **sorted;
	int operands = 0;

	while (operands < argc && (argv[operands][0] != '-' || argv[operands][1] == '\0'))
		operands++;
	if (operands == 0 || operands == argc)
		return 0;
	sorted = calloc((size_t)argc, sizeof *sorted);
	if (!sorted) {
		cli_say("there is no memory");
		return -1;
	}
	memcpy(sorted, argv + operands, (size_t)(argc - operands) * sizeof *sorted);
	memcpy(sorted + argc - operands, argv, (size_t)operands * sizeof *sorted);
	memcpy(argv, sorted, (size_t)argc * sizeof *sorted);
	free(sorted);
	return 0;
}

static int act(const struct cli_noun *noun, const struct cli_verb *verb, int argc, char **argv)
{
	struct cli_request request;
	struct bv_journal *journal = NULL;
	int status;

	if (put_flags_first(argc, argv) != 0)
		return CLI_EXIT_REFUSED;
	status = cli_request_read(verb->command, argc, argv, &request);
	if (status != -1)
		return status;
	status = CLI_EXIT_REFUSED;
	if (request.operand_count < verb->least || request.operand_count > verb->most) {
		cli_say("%s %s: %d operands are given", noun->name, verb->name,
			request.operand_count);
		cli_remedy("bvisor %s %s --help shows how it is used", noun->name, verb->name);
	} else if (cli_journal_none(&request)) {
		cli_say("%s %s: --journal none names no journal", noun->name, verb->name);
		cli_remedy("name one with --journal PATH");
	} else if (cli_journal_open(&request, !verb->writes, &journal) == 0) {
		status = verb->act(&request, journal);
	}
	bv_journal_close(journal);
	cli_request_clear(&request);
	return status;
}

static void name_verbs(const struct cli_noun *noun, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < noun->verb_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 i == 0                      ? ""
					 : i + 1 == noun->verb_count ? " or "
								     : ", ",
					 noun->verbs[i].name);
}

int cli_act(const struct cli_noun *noun, int argc, char **argv)
{
	const char *what = argc > 0 ? argv[0] : "";
	char names[256];

	for (size_t i = 0; i < noun->verb_count; i++) {
		if (strcmp(what, noun->verbs[i].name) == 0)
			return act(noun, &noun->verbs[i], argc - 1, argv + 1);
	}
	if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
		for (size_t i = 0; i < noun->verb_count; i++) {
			if (i > 0)
				putchar('\n');
			cli_help(noun->verbs[i].command);
		}
		return cli_close_stdout(CLI_EXIT_OK);
	}
	name_verbs(noun, names, sizeof names);
	cli_say("%s: '%s' is not something to do with %s", noun->name, what, noun->things);
	cli_remedy("use %s; bvisor %s --help says more", names, noun->name);
	return CLI_EXIT_REFUSED;
}
