/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reading a command line, --help and "did you mean", all from the table of flags. */
#include "options.h"

#include <stdlib.h>
#include <string.h>

struct command_text {
	enum cli_command command;
	const char *name, *usage, *summary, *examples;
};

static const struct command_text texts[] = {
	{CLI_RUN, "run", "bvisor run [flags] -- PROGRAM [ARG...]",
	 "Runs a program inside a boundary and exits with its status.  It may touch what the flags\n"
	 "grant and nothing else: no other file, no network, no variable, no descriptor.  Whatever\n"
	 "this machine cannot hold is refused before anything runs.",
	 "  bvisor run -- /usr/bin/id\n"
	 "  bvisor run --read . --write out --wall 10s -- python3 task.py\n"
	 "  bvisor run --runtime system --tty -- sh\n"
	 "  bvisor run --require enforced --report run.json -- ./tool <input >output\n"
	 "\n"
	 "Exit status: the program's own; 128+n if signal n killed it; 124 at the wall limit;\n"
	 "125 refused, or bvisor failed; 126 cannot be executed; 127 not found.\n"
	 "A pipe or file on standard input is read even if the program never asks; in a loop that\n"
	 "reads from the same file, say --stdin none.\n"
	 "BVISOR_JOURNAL=PATH or none stands for --journal where that is not given.\n"},
	{CLI_PLAN, "plan", "bvisor plan [flags] -- PROGRAM [ARG...]",
	 "Says what would be enforced, by what, and with what evidence, or why it is refused.\n"
	 "Runs nothing.  Takes the flags of run.",
	 "  bvisor plan --read . -- python3 task.py\n"
	 "  bvisor plan --json --memory 256M -- ./tool\n"
	 "\n"
	 "Exit status: 0 if it would run; 125 refused; 126 cannot be executed; 127 not found.\n"},
	{CLI_WASM, "wasm", "bvisor wasm [flags] MODULE [ARG...]",
	 "Runs a WebAssembly module (WASI preview 1; binary or text) inside a boundary and exits with its\n"
	 "status.  It sees the directories that are granted, under their own paths, and no other file;\n"
	 "no network, no variable, no descriptor.  The engine itself runs inside a boundary of run's,\n"
	 "so that a flaw in it leads no further.  Compiled code is kept for the next run.",
	 "  bvisor wasm --read . tool.wasm input.txt\n"
	 "  bvisor wasm --read in --write out --wall 10s --fuel 1000000000 tool.wasm\n"
	 "  bvisor wasm --engine pulley --deterministic tool.wat\n"
	 "  bvisor wasm --plan --read . tool.wasm\n"
	 "  bvisor wasm cache ls | bvisor wasm cache clear\n"
	 "\n"
	 "Exit status: the module's own; 134 if it trapped; 124 at the wall limit; 137 at another\n"
	 "limit, fuel included; 125 refused, not a module, or bvisor failed.\n"},
	{CLI_WASM_CACHE_LS, "wasm cache ls", "bvisor wasm cache ls [flags]",
	 "Lists the compiled code that is kept, the longest unused first.",
	 "  bvisor wasm cache ls\n"
	 "\n"
	 "BVISOR_CACHE=DIR keeps it elsewhere, BVISOR_CACHE=none keeps nothing.\n"},
	{CLI_WASM_CACHE_CLEAR, "wasm cache clear", "bvisor wasm cache clear [flags]",
	 "Removes all compiled code that is kept; it is compiled again when it is needed.",
	 "  bvisor wasm cache clear\n"},
	{CLI_DOCTOR, "doctor", "bvisor doctor [flags]",
	 "Tries on this machine, for real, what each requirement forbids: once free, where the act\n"
	 "must succeed, and once inside the boundary, where it must not.  Everything it touches it\n"
	 "made itself.",
	 "  bvisor doctor\n"
	 "  bvisor doctor --json >support.json\n"
	 "  bvisor doctor --without namespaces\n"
	 "\n"
	 "Exit status: 0 if everything claimed holds; 1 if something claimed does not; 125 bvisor failed.\n"},
	{CLI_REPORT_SHOW, "report show", "bvisor report show [flags] FILE",
	 "Shows a report for people.  FILE is canonical or JSON; - is standard input.",
	 "  bvisor report show run.json\n"
	 "  bvisor report show --json run.report | jq .body.exit\n"},
	{CLI_REPORT_VERIFY, "report verify", "bvisor report verify [flags] FILE",
	 "Recomputes the seal of a report.  With --proof and --public-key, shows also that it is in\n"
	 "a journal, under a signature.",
	 "  bvisor report verify run.json\n"
	 "  bvisor report verify run.report --proof proof.bvj --public-key journal.db.key.pub\n"
	 "\n"
	 "Exit status: 0 if the seal is right; 1 if it is not; 125 if FILE is no report.\n"},
	{CLI_JOURNAL_LS, "journal ls", "bvisor journal ls [flags]",
	 "Lists the attempts of a journal, the newest first.",
	 "  bvisor journal ls --since 24h --outcome Failed\n"
	 "  bvisor journal ls --json --program python | jq '.[].attempt'\n"},
	{CLI_JOURNAL_SHOW, "journal show", "bvisor journal show [flags] ATTEMPT",
	 "Shows the report of an attempt, of which the first digits suffice; with --json, all its\n"
	 "records, or those of the whole journal.",
	 "  bvisor journal show 9e40b0d4\n"
	 "  bvisor journal show 9e40b0d4 --report run.report\n"},
	{CLI_JOURNAL_VERIFY, "journal verify", "bvisor journal verify [flags]",
	 "Recomputes every hash, signature and seal, and where each attempt stands.",
	 "  bvisor journal verify --public-key auditors/journal.pub --anchor auditors/last-week\n"
	 "\n"
	 "Exit status: 0 if all of it holds; 1 if not, and it says where; 125 if it cannot be read.\n"},
	{CLI_JOURNAL_EXPORT, "journal export", "bvisor journal export [flags] FILE",
	 "Writes the journal as one file that bvisor-verify checks on any machine, with the public\n"
	 "key alone; with --attempt, only what proves the report of one attempt.  - is standard output.",
	 "  bvisor journal export everything.bvj\n"
	 "  bvisor journal export --attempt 9e40b0d4 proof.bvj\n"},
	{CLI_JOURNAL_ANCHOR, "journal anchor", "bvisor journal anchor [flags]",
	 "Writes the last signature as one line.  Kept where the journal's writer cannot reach, it\n"
	 "shows later whether anything up to then was cut off or put back.",
	 "  bvisor journal anchor | ssh elsewhere 'cat >>anchors'\n"},
	{CLI_JOURNAL_RECOVER, "journal recover", "bvisor journal recover [flags]",
	 "Ends what hosts that died have left running, and records it; every run does so too before\n"
	 "it starts.  Lists what needs a person.",
	 "  bvisor journal recover\n"
	 "  bvisor journal recover --resolve 9e40b0d4 --note 'files checked by hand'\n"
	 "\n"
	 "Exit status: 0; 1 if something could not be ended; 125 if the journal cannot be used.\n"},
	{CLI_JOURNAL_GC, "journal gc", "bvisor journal gc --until TIME [flags]",
	 "Removes the contents of attempts that had ended before TIME.  Hashes and times stay, so\n"
	 "that the rest verifies as before; the journal says that it was done, and by whom.\n"
	 "Their idempotency keys stay used: the same request is refused, for want of its report.",
	 "  bvisor journal gc --until 90d\n"},
	{CLI_ARTIFACTS_LS, "artifacts ls", "bvisor artifacts ls [flags] [ATTEMPT]",
	 "Lists what an attempt left, or without ATTEMPT everything that waits for a decision.",
	 "  bvisor run --write out --output out -- make dist\n"
	 "  bvisor artifacts ls\n"},
	{CLI_ARTIFACTS_SHOW, "artifacts show", "bvisor artifacts show [flags] ATTEMPT [NAME]",
	 "Writes the bytes of an artifact; /stdout and /stderr are those of run --keep-output.  Without\n"
	 "NAME, lists the staged changes that wait for a decision.",
	 "  bvisor artifacts show 9e40b0d4 report.txt | less\n"
	 "\n"
	 "Exit status: 0; 1 if the bytes were altered; 125 if there are none.\n"},
	{CLI_ARTIFACTS_COMMIT, "artifacts commit",
	 "bvisor artifacts commit [flags] ATTEMPT [NAME...] [--to DIR]",
	 "Writes artifacts into a directory that is there: those named, or all that are undecided.\n"
	 "The decision is recorded before anything is written.  Files that are there stay, and none\n"
	 "is committed, unless --replace is given.\n"
	 "Without --to, makes staged changes (run --stage --commit later) where they were made: those\n"
	 "at or below the paths named, or all.  What the host changed meanwhile is not written over.",
	 "  bvisor artifacts commit 9e40b0d4 --to /srv/results\n"
	 "  bvisor artifacts commit 9e40b0d4 src/main.c\n"
	 "  bvisor artifacts commit 9e40b0d4 report.txt --to . --replace\n"},
	{CLI_ARTIFACTS_DIFF, "artifacts diff", "bvisor artifacts diff [flags] ATTEMPT [PATH...]",
	 "Shows line by line what staged changes would make of the host's files: of all, or of those\n"
	 "at or below the paths named.  Control characters are spelled out.",
	 "  bvisor artifacts diff 9e40b0d4 src/main.c\n"},
	{CLI_ARTIFACTS_DISCARD, "artifacts discard",
	 "bvisor artifacts discard [flags] ATTEMPT [NAME...]",
	 "Removes what was kept of an attempt: what is named, or all that is undecided.",
	 "  bvisor artifacts discard 9e40b0d4\n"},
};

static const struct command_text *text_of(enum cli_command command)
{
	const struct command_text *text = texts;

	while (text->command != command)
		text++;
	return text;
}

void cli_help(enum cli_command command)
{
	const struct command_text *text = text_of(command);
	const char *group = NULL;

	printf("Usage: %s\n\n%s\n", text->usage, text->summary);
	for (const struct cli_flag *flag = cli_flags; flag->name; flag++) {
		char left[64];

		if (!flag->help || !(flag->commands & command))
			continue;
		if (group != flag->group)
			printf("\n%s\n", flag->group);
		group = flag->group;
		(void)snprintf(left, sizeof left, "%s%s%s", flag->name, flag->value ? " " : "",
			       flag->value ? flag->value : "");
		if (strlen(left) > 24)
			printf("  %s\n  %-24s  %s\n", left, "", flag->help);
		else
			printf("  %-24s  %s\n", left, flag->help);
	}
	printf("\nExamples\n%s", text->examples);
}

/* Edits (insert, remove, replace, swap neighbours) between two names; long ones count as far apart. */
static unsigned int distance(const char *a, const char *b)
{
	enum { MOST = 24 };
	size_t m = strlen(a), n = strlen(b);
	unsigned int d[MOST + 1][MOST + 1];

	if (m > MOST || n > MOST)
		return MOST;
	for (unsigned int i = 0; i <= m; i++)
		d[i][0] = i;
	for (unsigned int j = 0; j <= n; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= m; i++) {
		for (size_t j = 1; j <= n; j++) {
			unsigned int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[m][n];
}

const struct cli_flag *cli_nearest_flag(enum cli_command command, const char *written)
{
	const struct cli_flag *nearest = NULL;
	size_t len = strcspn(written, "=");
	char name[32], habit[36];
	unsigned int best = 3; /* two slips are a slip; three are another word */

	if (len >= sizeof name)
		return NULL;
	(void)snprintf(name, sizeof name, "%.*s", (int)len, written);
	(void)snprintf(habit, sizeof habit, " %s ", name);
	for (const struct cli_flag *flag = cli_flags; flag->name; flag++) {
		unsigned int d;

		if (!flag->help || !(flag->commands & command))
			continue;
		if (strstr(flag->habits, habit))
			return flag;
		d = distance(name, flag->name);
		/* A beginning that was cut short is near too. */
		if (len > 4 && strncmp(flag->name, name, len) == 0)
			d = 1;
		if (d < best && d < len - 1) {
			best = d;
			nearest = flag;
		}
	}
	return nearest;
}

static void refuse_unknown(enum cli_command command, const char *written)
{
	const struct cli_flag *nearest = cli_nearest_flag(command, written);

	cli_say("%s: there is no flag '%.*s'", text_of(command)->name, (int)strcspn(written, "="),
		written);
	if (nearest)
		cli_remedy("did you mean %s?", nearest->name);
	else
		cli_remedy("bvisor %s --help lists the flags; the program's own come after --",
			   text_of(command)->name);
}

static const struct cli_flag *find(enum cli_command command, const char *written)
{
	size_t len = strcspn(written, "=");

	for (const struct cli_flag *flag = cli_flags; flag->name; flag++) {
		if ((flag->commands & command) && strlen(flag->name) == len &&
		    strncmp(flag->name, written, len) == 0)
			return flag;
	}
	return NULL;
}

struct entry {
	const struct cli_flag *flag;
	const char *value;
};

/* One flag and its value out of argv; 0, or -1 after saying what is wrong. */
static int read_entry(enum cli_command command, char **argv, int argc, int *index,
		      struct entry *ret_entry)
{
	const char *written = argv[*index];
	const struct cli_flag *flag = find(command, written);
	const char *equals = strchr(written, '=');

	if (!flag) {
		refuse_unknown(command, written);
		return -1;
	}
	if (flag->instead) {
		cli_say("%s: is not available yet", flag->name);
		cli_remedy("%s", flag->instead);
		return -1;
	}
	if (!flag->value && equals) {
		cli_say("%s: takes no value", flag->name);
		cli_remedy("write %s alone", flag->name);
		return -1;
	}
	if (flag->value && !equals) {
		/* "--wall -- prog" forgot the value; no value of ours is "--". */
		if (*index + 1 >= argc || strcmp(argv[*index + 1], "--") == 0) {
			cli_say("%s: its value is missing", flag->name);
			cli_remedy("write %s %s", flag->name, flag->value);
			return -1;
		}
		*index += 1;
	}
	*ret_entry = (struct entry){flag, !flag->value ? NULL : equals ? equals + 1 : argv[*index]};
	*index += 1;
	return 0;
}

static int load_spec(struct cli_request *request)
{
	struct cli_bytes text = {0};
	struct bv_error error = {0};
	struct bv_spec *spec = NULL;

	if (cli_read_file(request->spec_path, CLI_SPEC_MAX_BYTES, &text) != 0)
		return -1;

	enum bv_code code = bv_spec_from_json(text.data, text.size_bytes, &spec, &error);

	cli_bytes_wipe(&text);
	if (code != BV_OK) {
		cli_say_error(request->spec_path, &error);
		return -1;
	}
	bv_spec_free(request->spec);
	request->spec = spec;
	return 0;
}

/* The spec file first, wherever it stands, because the other flags add to it. */
static int apply(struct cli_request *request, const struct entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(entries[i].flag->name, "--quiet") == 0)
			cli_be_quiet();
		if (strcmp(entries[i].flag->name, "--spec") == 0 &&
		    entries[i].flag->take(request, entries[i].flag, entries[i].value) != 0)
			return -1;
	}
	if (request->spec_path && load_spec(request) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (entries[i].flag->take(request, entries[i].flag, entries[i].value) != 0)
			return -1;
	}
	return 0;
}

int cli_request_read(enum cli_command command, int argc, char **argv,
		     struct cli_request *ret_request)
{
	struct cli_request request = {.command = command, .spec = bv_spec_new()};
	struct entry *entries = calloc((size_t)argc + 1, sizeof *entries);
	size_t count = 0;
	int index = 0, status = 0;

	if (!entries || !request.spec) {
		cli_say("there is no memory");
		status = CLI_EXIT_REFUSED;
	}
	while (status == 0 && index < argc && argv[index][0] == '-' && argv[index][1] != '\0') {
		if (strcmp(argv[index], "--") == 0) {
			index++;
			break;
		}
		if (strcmp(argv[index], "--help") == 0 || strcmp(argv[index], "-h") == 0) {
			cli_help(command);
			status = cli_close_stdout(CLI_EXIT_OK);
			goto done;
		}
		if (read_entry(command, argv, argc, &index, &entries[count]) != 0)
			status = CLI_EXIT_REFUSED;
		else
			count++;
	}
	if (status == 0 && apply(&request, entries, count) != 0)
		status = CLI_EXIT_REFUSED;
	if (status == 0 && request.commit_given && !request.stage && !request.spec_path) {
		cli_say("--commit: nothing is staged");
		cli_remedy("add --stage, or leave --commit out");
		status = CLI_EXIT_REFUSED;
	}
	if (status == 0 && request.commit == CLI_COMMIT_LATER && cli_journal_none(&request)) {
		cli_say("--commit later: there is no journal to keep changes for");
		cli_remedy("name one with --journal PATH, or decide with always, ok or never");
		status = CLI_EXIT_REFUSED;
	}
	if (status == 0)
		status = -1;
done:
	free(entries);
	if (status != -1) {
		cli_request_clear(&request);
		return status;
	}
	request.operands = argv + index;
	request.operand_count = argc - index;
	*ret_request = request;
	return -1;
}

void cli_request_clear(struct cli_request *request)
{
	bv_spec_free(request->spec);
	request->spec = NULL;
}

static int put_program(struct cli_request *request)
{
	struct bv_error error = {0};
	char *path = NULL;
	/* A spec's own program is looked at too, so that 126 and 127 mean the same. */
	int status = cli_find_program(request->operand_count ? request->operands[0]
							     : bv_spec_program_path(request->spec),
				      &path);

	if (status == 0 && request->operand_count &&
	    bv_spec_program(request->spec, path, (size_t)request->operand_count - 1,
			    (const char *const *)request->operands + 1, &error) != BV_OK) {
		cli_say_error(NULL, &error);
		status = CLI_EXIT_REFUSED;
	}
	free(path);
	return status;
}

static int put_module(struct cli_request *request)
{
	struct bv_error error = {0};

	/* A guest makes no tasks; the plan may say so. */
	if (bv_spec_spawn(request->spec, BV_SPAWN_NONE, &error) == BV_OK &&
	    (request->operand_count == 0 ||
	     bv_spec_wasm(request->spec, request->operands[0], (size_t)request->operand_count - 1,
			  (const char *const *)request->operands + 1, &error) == BV_OK))
		return 0;
	cli_say_error(NULL, &error);
	return CLI_EXIT_REFUSED;
}

int cli_request_program(struct cli_request *request)
{
	const bool module = request->command == CLI_WASM;
	struct bv_error error = {0};
	int status;

	if (request->operand_count == 0 && !bv_spec_program_path(request->spec)) {
		cli_say("%s: no %s is named", text_of(request->command)->name,
			module ? "module" : "program");
		cli_remedy("write it after the flags: %s", text_of(request->command)->usage);
		return CLI_EXIT_REFUSED;
	}
	status = module ? put_module(request) : put_program(request);
	/* People expect to start where they are, if the program can be there at all. */
	if (status == 0 && !request->cwd_given && request->cwd_granted && !request->spec_path &&
	    bv_spec_cwd(request->spec, ".", &error) != BV_OK) {
		cli_say_error(NULL, &error);
		status = CLI_EXIT_REFUSED;
	}
	return status ? status : -1;
}
