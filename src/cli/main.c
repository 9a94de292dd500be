/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The command line's front: which command, and nothing else before it is known. */
#include "cli.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary; /* NULL: not for people */
} commands[] = {
	{"run", cli_run, "run a program inside a boundary, exit with its status"},
	{"plan", cli_plan, "what would be enforced, how, or why not; runs nothing"},
	{"wasm", cli_wasm, "run a WebAssembly module inside a boundary"},
	{"doctor", cli_doctor, "this machine's support table, each cell tried for real"},
	{"report", cli_report, "read or verify what a run reported"},
	{"journal", cli_journal, "what ran, whether its record is whole, showing it to others"},
	{"artifacts", cli_artifacts, "what runs left behind, and what becomes of it"},
	{"__probe", cli_probe, NULL},
};

enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static int help(FILE *stream)
{
	fprintf(stream,
		"Usage: bvisor COMMAND ...\n\n"
		"Runs a program nobody trusts inside an explicit boundary, and reports the truth about it.\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (commands[i].summary)
			fprintf(stream, "  %-9s  %s\n", commands[i].name, commands[i].summary);
	}
	fprintf(stream, "\nbvisor COMMAND --help says more.  For a start:\n\n"
			"  bvisor doctor\n"
			"  bvisor run --read . --wall 10s -- python3 task.py\n");
	return stream == stdout ? cli_close_stdout(CLI_EXIT_OK) : CLI_EXIT_REFUSED;
}

/*
 * A standard stream that is closed would be the next file we open.  Opened the wrong way round,
 * it still answers as a closed one does.
 */
static void fill_standard_streams(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO
							? O_WRONLY
							: O_RDONLY); /* then it stays closed */
	}
}

static int unknown(const char *name)
{
	static const char *const later[] = {"learn"};

	for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
		if (strcmp(name, later[i]) == 0) {
			cli_say("'%s' is not available yet", name);
			cli_remedy("see bvisor --help for what is");
			return CLI_EXIT_REFUSED;
		}
	}
	cli_say("there is no command '%s'", name);
	if (strchr(name, '/') || access(name, X_OK) == 0)
		cli_remedy("to run a program, write bvisor run -- %s", name);
	else
		cli_remedy("bvisor --help lists the commands");
	return CLI_EXIT_REFUSED;
}

int main(int argc, char **argv)
{
	fill_standard_streams();
	if (argc < 2)
		return help(stderr);
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return help(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		printf("bvisor %s\n", bv_version());
		return cli_close_stdout(CLI_EXIT_OK);
	}
	return unknown(argv[1]);
}
