/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* options.h - the flags of the commands, and what they ask for once read. */
#ifndef BV_CLI_OPTIONS_H
#define BV_CLI_OPTIONS_H

#include "cli.h"

enum cli_command {
	CLI_RUN = 1,
	CLI_PLAN = 2,
	CLI_DOCTOR = 4,
	CLI_REPORT_SHOW = 8,
	CLI_REPORT_VERIFY = 16,
	CLI_JOURNAL_LS = 32,
	CLI_JOURNAL_SHOW = 64,
	CLI_JOURNAL_VERIFY = 128,
	CLI_JOURNAL_EXPORT = 256,
	CLI_JOURNAL_ANCHOR = 512,
	CLI_JOURNAL_RECOVER = 1024,
	CLI_JOURNAL_GC = 2048,
	CLI_ARTIFACTS_LS = 4096,
	CLI_ARTIFACTS_SHOW = 8192,
	CLI_ARTIFACTS_COMMIT = 16384,
	CLI_ARTIFACTS_DISCARD = 32768,
	CLI_ARTIFACTS_DIFF = 65536,
	CLI_WASM = 1 << 20,
	CLI_WASM_CACHE_LS = 1 << 21,
	CLI_WASM_CACHE_CLEAR = 1 << 22,
};

enum cli_stdin {
	CLI_STDIN_DEFAULT, /* relayed, unless it is a terminal */
	CLI_STDIN_NONE,
	CLI_STDIN_RELAY, /* even from a terminal */
	CLI_STDIN_FILE,
};

/* What becomes of staged changes. */
enum cli_commit {
	CLI_COMMIT_ASK, /* on a terminal; else they are kept, or without a journal discarded */
	CLI_COMMIT_ALWAYS,
	CLI_COMMIT_OK, /* if the program exited with 0 */
	CLI_COMMIT_NEVER,
	CLI_COMMIT_LATER, /* kept beside the journal */
};

/* What one command line asks for.  Strings are borrowed from argv. */
struct cli_request {
	enum cli_command command;
	struct bv_spec *spec; /* owned */
	const char *backend;
	const char *spec_path;
	enum cli_stdin input;
	const char *input_path, *output_path, *error_path, *report_path;
	const char *without; /* the last layer named, for doctor */
	bool terminal, json, quiet, raw, print_spec, plan;
	bool cwd_given, cwd_granted;
	const char *journal; /* --journal; NULL: as BVISOR_JOURNAL says, or the default */
	const char *journal_key, *idempotency_key, *public_key, *anchor;
	const char *outcome, *program, *attempt, *note, *proof;
	bool journal_values;
	uint64_t since, until; /* Unix microseconds; 0: not given */
	uint64_t last;
	const char *to;            /* where artifacts are committed */
	const char *artifacts_dir; /* --output */
	uint64_t artifacts_limit;  /* bytes; 0: the default */
	enum bv_durability durability;
	bool replace, keep_output;
	bool stage, commit_given;
	enum cli_commit commit;
	char **operands; /* what follows the flags: the program and its arguments, or a file */
	int operand_count;
};

/*
 * Reads a command line.  Returns -1 to go on, or the status to exit with: after --help, or after a
 * refusal was said.
 */
int cli_request_read(enum cli_command command, int argc, char **argv,
		     struct cli_request *ret_request);
void cli_request_clear(struct cli_request *request);

/* Puts program and arguments of the operands into the spec; -1, or the status to exit with. */
int cli_request_program(struct cli_request *request);

/* run.c, plan.c: what both do with a request whose program is known. */
int cli_run_request(struct cli_request *request);
int cli_plan_request(struct cli_request *request);

/* workload.c: a command line to its end: what it asks for, and --print-spec or `act`. */
int cli_workload_command(enum cli_command command, int argc, char **argv,
			 int (*act)(struct cli_request *request));

/* journal.c: where the journal is, NULL being the default; whether that is nowhere; opening it. */
const char *cli_journal_path(const struct cli_request *request);
bool cli_journal_none(const struct cli_request *request);
/* --public-key: 64 digits, or a file that holds them.  NULL after saying what is wrong. */
const char *cli_public_key(const struct cli_request *request, char ret_text[65]);
int cli_journal_open(const struct cli_request *request, bool read_only,
		     struct bv_journal **ret_journal);

/* One flag, one row: reading, --help and "did you mean" all come from it. */
struct cli_flag {
	const char *name;
	const char *value;     /* what it takes, for --help; NULL when it takes nothing */
	unsigned int commands; /* set over enum cli_command */
	const char *group;
	const char *help; /* NULL: not listed */
	/* Puts the value into the request; -1 after saying what is wrong. */
	int (*take)(struct cli_request *request, const struct cli_flag *flag, const char *value);
	const char *habits;  /* what other tools call it, blank before and after each */
	const char *instead; /* not NULL: not available yet, and this is what to do */
};

extern const struct cli_flag cli_flags[]; /* ends with a NULL name */

void cli_help(enum cli_command command);

/* The flag nearest to what was written, or NULL when nothing is near. */
const struct cli_flag *cli_nearest_flag(enum cli_command command, const char *written);

#endif
