/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `bvisor artifacts`: what runs left, and what becomes of it.
 *
 * Names and contents are the workload's.  Names are shown so that they hide nothing; contents reach a
 * terminal only when somebody insists.
 */
#include "changes.h"
#include "table.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHORT_ID = 12, SHOWN_NAME_BYTES = 1024 };

static int fail(const struct bv_error *error)
{
	cli_say_error("artifacts", error);
	return error->code == BV_E_INTEGRITY ? CLI_EXIT_FALSE : CLI_EXIT_REFUSED;
}

/* ---- ls -------------------------------------------------------------------------------------- */

static void list_json(const struct cli_listing *listing, const struct bv_artifact *artifact)
{
	printf("%s{\"attempt\":\"%s\",\"artifact\":\"%s\",\"content_hash\":\"%s\","
	       "\"size_bytes\":%llu,\"state\":\"%s\",\"undecided\":%s,\"name\":",
	       listing->count ? ",\n" : "", artifact->attempt, artifact->id, artifact->content_hash,
	       (unsigned long long)artifact->size_bytes, artifact->state,
	       artifact->undecided ? "true" : "false");
	cli_print_json_text(artifact->name);
	putchar('}');
}

static bool list_one(void *context, const struct bv_artifact *artifact)
{
	struct cli_listing *listing = context;
	char attempt[SHORT_ID + 1], digest[SHORT_ID + 1], size[32], name[SHOWN_NAME_BYTES];
	const char *const cells[] = {attempt, artifact->state, size, digest, name};

	if (listing->json) {
		list_json(listing, artifact);
	} else {
		(void)snprintf(attempt, sizeof attempt, "%s", artifact->attempt);
		(void)snprintf(digest, sizeof digest, "%s", artifact->content_hash);
		(void)snprintf(size, sizeof size, "%llu", (unsigned long long)artifact->size_bytes);
		cli_show_name(artifact->name, name, sizeof name);
		cli_table_row(&listing->table,
			      strcmp(artifact->state, "Failed") == 0 ? CLI_TABLE_WEAK
								     : CLI_TABLE_PLAIN,
			      cells);
	}
	listing->count++;
	return true;
}

static int ls(const struct cli_request *request, struct bv_journal *journal)
{
	static const char *const head[] = {"ATTEMPT", "STATE", "BYTES", "BLAKE3", "NAME"};
	struct cli_listing listing = cli_listing_begin(request->json, 5, head);
	struct bv_error error = {0};
	enum bv_code code;

	code = bv_artifacts_list(journal, request->operand_count ? request->operands[0] : NULL,
				 list_one, &listing, &error);
	cli_listing_end(&listing);
	return cli_close_stdout(code == BV_OK ? CLI_EXIT_OK : fail(&error));
}

/* ---- changes of staged directories ------------------------------------------------------------ */

static void free_paths(char **paths, size_t count)
{
	for (size_t i = 0; paths && i < count; i++)
		free(paths[i]);
	free(paths);
}

/* Paths as people write them, against the current directory; malloc'd, all of them. */
static char **whole_paths(char *const *given, size_t count)
{
	char **paths = calloc(count + 1, sizeof *paths);
	char cwd[4096];
	bool fine = paths && getcwd(cwd, sizeof cwd);

	for (size_t i = 0; fine && i < count; i++) {
		const bool relative = given[i][0] != '/';
		const size_t room = strlen(given[i]) + sizeof cwd + 2;
		size_t len;

		paths[i] = malloc(room);
		fine = paths[i] != NULL;
		if (!fine)
			break;
		len = (size_t)snprintf(paths[i], room, "%s%s%s", relative ? cwd : "",
				       relative ? "/" : "", given[i]);
		/* "dir/" is the directory. */
		while (len > 1 && paths[i][len - 1] == '/')
			paths[i][--len] = '\0';
	}
	if (fine)
		return paths;
	free_paths(paths, count);
	cli_say("artifacts: there is no memory, or no current directory");
	return NULL;
}

static int commit_changes(const struct cli_request *request, struct bv_journal *journal)
{
	const size_t count = (size_t)request->operand_count - 1;
	char **paths = whole_paths(request->operands + 1, count);
	struct bv_changes *changes = NULL;
	struct bv_error error = {0};
	int status = CLI_EXIT_REFUSED;

	if (!paths)
		return status;
	if (bv_journal_changes(journal, request->operands[0], &changes, &error) != BV_OK ||
	    bv_changes_choose(changes, (const char *const *)paths, count, &error) != BV_OK) {
		status = fail(&error);
		if (error.code == BV_E_STATE)
			cli_remedy("artifacts that are files are committed with --to DIR");
	} else if (cli_changes_commit(changes) == 0) {
		status = CLI_EXIT_OK;
	}
	bv_changes_free(changes);
	free_paths(paths, count);
	return status;
}

static int diff(const struct cli_request *request, struct bv_journal *journal)
{
	const size_t count = (size_t)request->operand_count - 1;
	char **paths = whole_paths(request->operands + 1, count);
	struct bv_changes *changes = NULL;
	struct bv_error error = {0};
	int status = CLI_EXIT_OK;

	if (!paths)
		return CLI_EXIT_REFUSED;
	if (bv_journal_changes(journal, request->operands[0], &changes, &error) != BV_OK) {
		status = fail(&error);
	} else if (cli_changes_diff(changes, paths, count) == 0 && count > 0) {
		cli_say("artifacts diff: nothing was changed there");
		status = CLI_EXIT_REFUSED;
	}
	bv_changes_free(changes);
	free_paths(paths, count);
	return cli_close_stdout(status);
}

static int show_changes(const struct cli_request *request, struct bv_journal *journal)
{
	struct bv_changes *changes = NULL;
	struct bv_error error = {0};

	if (bv_journal_changes(journal, request->operands[0], &changes, &error) != BV_OK)
		return fail(&error);
	cli_changes_list(changes);
	bv_changes_free(changes);
	return cli_close_stdout(CLI_EXIT_OK);
}

/* ---- show ------------------------------------------------------------------------------------ */

static int show(const struct cli_request *request, struct bv_journal *journal)
{
	int fd = STDOUT_FILENO;
	struct bv_error error = {0};
	enum bv_code code;

	if (request->operand_count == 1)
		return show_changes(request, journal);
	if (!request->output_path && isatty(STDOUT_FILENO) && !request->raw) {
		cli_say("artifacts show: what a program left does not go to a terminal as it is");
		cli_remedy("write --stdout FILE, put it into a pipe, or insist with --raw");
		return CLI_EXIT_REFUSED;
	}
	if (request->output_path) {
		fd = open(request->output_path,
			  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0) {
			cli_say_errno(request->output_path, errno);
			return CLI_EXIT_REFUSED;
		}
	}
	code = bv_artifacts_read(journal, request->operands[0], request->operands[1], fd, &error);
	if (request->output_path && close(fd) != 0 && code == BV_OK) {
		cli_say_errno(request->output_path, errno);
		return CLI_EXIT_REFUSED;
	}
	if (request->output_path && code != BV_OK)
		(void)unlink(request->output_path); /* half of it is none */
	return code == BV_OK ? CLI_EXIT_OK : fail(&error);
}

/* ---- commit, discard ------------------------------------------------------------------------- */

struct settling {
	bool json, quiet;
	uint64_t count, failed;
};

static void settle_one(void *context, const struct bv_artifact *artifact,
		       const struct bv_error *error)
{
	struct settling *settling = context;
	char name[SHOWN_NAME_BYTES];

	cli_show_name(artifact->name, name, sizeof name);
	if (settling->json) {
		printf("%s{\"artifact\":\"%s\",\"state\":\"%s\",\"name\":",
		       settling->count ? ",\n" : "", artifact->id, artifact->state);
		cli_print_json_text(artifact->name);
		printf(",\"reason\":");
		cli_print_json_text(error ? error->message : "");
		putchar('}');
	} else if (!settling->quiet) {
		printf("%-10s  %s%s%s\n", artifact->state, name, error ? ": " : "",
		       error ? error->message : "");
	}
	settling->count++;
	settling->failed += error != NULL;
}

static int settle(const struct cli_request *request, struct bv_journal *journal)
{
	struct settling settling = {.json = request->json, .quiet = request->quiet};
	const char *const *names = (const char *const *)request->operands + 1;
	const size_t count = (size_t)request->operand_count - 1;
	struct bv_error error = {0};
	enum bv_code code;

	if (request->command == CLI_ARTIFACTS_COMMIT && !request->to)
		return commit_changes(request, journal);
	if (request->json)
		putchar('[');
	if (request->command == CLI_ARTIFACTS_COMMIT) {
		const struct bv_artifacts_order order = {.names = names,
							 .count = count,
							 .directory = request->to,
							 .durability = request->durability,
							 .replace = request->replace};

		code = bv_artifacts_commit(journal, request->operands[0], &order, settle_one,
					   &settling, &error);
	} else {
		code = bv_artifacts_discard(journal, request->operands[0], names, count, settle_one,
					    &settling, &error);
	}
	if (request->json)
		puts("]");
	return cli_close_stdout(code == BV_OK ? CLI_EXIT_OK : fail(&error));
}

/* ---- which ----------------------------------------------------------------------------------- */

int cli_artifacts(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{"ls", CLI_ARTIFACTS_LS, 0, 1, false, ls},
		{"show", CLI_ARTIFACTS_SHOW, 1, 2, false, show},
		{"diff", CLI_ARTIFACTS_DIFF, 1, CLI_ANY_NUMBER, false, diff},
		{"commit", CLI_ARTIFACTS_COMMIT, 1, CLI_ANY_NUMBER, true, settle},
		{"discard", CLI_ARTIFACTS_DISCARD, 1, CLI_ANY_NUMBER, true, settle},
	};
	static const struct cli_noun noun = {"artifacts", "artifacts", verbs,
					     sizeof verbs / sizeof *verbs};

	return cli_act(&noun, argc, argv);
}
