/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `bvisor report`: read and verify what a run reported. */
#include "options.h"

#include <string.h>

static int read_report(const char *path, struct bv_report **ret_report)
{
	struct cli_bytes bytes = {0};
	struct bv_error error = {0};
	int status = 0;

	if (cli_read_file(path, CLI_REPORT_MAX_BYTES, &bytes) != 0)
		return -1;
	if (bv_report_read(bytes.data, bytes.size_bytes, ret_report, &error) != BV_OK) {
		cli_say_error(path, &error);
		status = -1;
	}
	cli_bytes_wipe(&bytes);
	return status;
}

static int show(const struct cli_request *request, const struct bv_report *report)
{
	struct bv_error error = {0};
	char *text = NULL;
	enum bv_code code = request->json ? bv_report_to_json(report, &text, &error)
					  : bv_report_to_text(report, &text, &error);

	if (code != BV_OK) {
		cli_say_error(request->operands[0], &error);
		return CLI_EXIT_REFUSED;
	}
	(void)fputs(text, stdout); /* cli_close_stdout looks at what became of it */
	bv_free(text);
	/* Shown all the same, because one wants to see what was tampered with; but never silently. */
	if (bv_report_verify(report, &error) != BV_OK) {
		cli_say_error(request->operands[0], &error);
		return cli_close_stdout(CLI_EXIT_FALSE);
	}
	return cli_close_stdout(CLI_EXIT_OK);
}

/* With a proof: also that the report is in a journal, under a signature of that key. */
static int verify_proof(const struct cli_request *request, const struct bv_report *report)
{
	struct cli_bytes proof = {0};
	struct bv_error error = {0};
	char key[65];
	enum bv_code code;

	if (!request->proof || !request->public_key) {
		cli_say("report verify: %s is missing",
			request->proof ? "--public-key" : "--proof");
		cli_remedy("a proof counts with the public key of the journal alone: give both");
		return CLI_EXIT_REFUSED;
	}
	if (!cli_public_key(request, key) ||
	    cli_read_file(request->proof, CLI_REPORT_MAX_BYTES, &proof) != 0)
		return CLI_EXIT_REFUSED;
	code = bv_report_verify_proof(report, proof.data, proof.size_bytes, key, &error);
	cli_bytes_wipe(&proof);
	if (code != BV_OK) {
		cli_say_error(request->proof, &error);
		return CLI_EXIT_FALSE;
	}
	if (!request->quiet && !request->json)
		printf("proven: it is in the journal, and signed\n");
	return CLI_EXIT_OK;
}

static int verify(const struct cli_request *request, const struct bv_report *report)
{
	struct bv_error error = {0};
	enum bv_code code = bv_report_verify(report, &error);
	int proven = CLI_EXIT_OK;

	if (code == BV_OK && (request->proof || request->public_key))
		proven = verify_proof(request, report);
	if (proven != CLI_EXIT_OK)
		return proven;

	if (request->json)
		printf("{\"verified\":%s,\"body_hash\":\"%s\"}\n", code == BV_OK ? "true" : "false",
		       bv_report_hash(report));
	else if (code == BV_OK && !request->quiet)
		printf("verified: %s\n", bv_report_hash(report));
	if (code != BV_OK)
		cli_say_error(request->operands[0], &error);
	return cli_close_stdout(code == BV_OK ? CLI_EXIT_OK : CLI_EXIT_FALSE);
}

static int with_report(enum cli_command command, int argc, char **argv)
{
	struct cli_request request;
	struct bv_report *report = NULL;
	int status;

	/* The file may come before the flags. */
	if (argc > 1 && (argv[0][0] != '-' || argv[0][1] == '\0')) {
		char *file = argv[0];

		memmove(argv, argv + 1, (size_t)(argc - 1) * sizeof *argv);
		argv[argc - 1] = file;
	}
	status = cli_request_read(command, argc, argv, &request);
	if (status != -1)
		return status;
	if (request.operand_count != 1) {
		cli_say("report: %d files are named", request.operand_count);
		cli_remedy("name one, or - for standard input");
		status = CLI_EXIT_REFUSED;
	} else if (read_report(request.operands[0], &report) != 0) {
		status = CLI_EXIT_REFUSED;
	} else {
		status = command == CLI_REPORT_SHOW ? show(&request, report)
						    : verify(&request, report);
	}
	bv_report_free(report);
	cli_request_clear(&request);
	return status;
}

int cli_report(int argc, char **argv)
{
	const char *what = argc > 0 ? argv[0] : "";

	if (strcmp(what, "show") == 0)
		return with_report(CLI_REPORT_SHOW, argc - 1, argv + 1);
	if (strcmp(what, "verify") == 0)
		return with_report(CLI_REPORT_VERIFY, argc - 1, argv + 1);
	if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
		cli_help(CLI_REPORT_SHOW);
		putchar('\n');
		cli_help(CLI_REPORT_VERIFY);
		return cli_close_stdout(CLI_EXIT_OK);
	}
	if (strcmp(what, "html") == 0) {
		cli_say("report html: is not available yet");
		cli_remedy("use report show, or report show --json");
	} else {
		cli_say("report: '%s' is not something to do with a report", what);
		cli_remedy("use bvisor report show FILE or bvisor report verify FILE");
	}
	return CLI_EXIT_REFUSED;
}
