/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `bvisor journal`: what ran, whether the record of it is whole, and showing it to others. */
#include "table.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SHORT_ID = 12, MICROS = 1000000 };

static int fail(const struct bv_error *error)
{
	cli_say_error("journal", error);
	return error->code == BV_E_INTEGRITY ? CLI_EXIT_FALSE : CLI_EXIT_REFUSED;
}

/* ---- Opening --------------------------------------------------------------------------------- */

int cli_journal_open(const struct cli_request *request, bool read_only,
		     struct bv_journal **ret_journal)
{
	const struct bv_journal_options options = {
		.path = cli_journal_path(request),
		.key_path = request->journal_key,
		.read_only = read_only,
		.keep_values = request->journal_values,
		.leave_lost = request->command == CLI_JOURNAL_RECOVER,
	};
	struct bv_error error = {0};

	if (bv_journal_open(&options, ret_journal, &error) == BV_OK)
		return 0;
	cli_say_error(request->command & (CLI_RUN | CLI_WASM) ? "refused" : "journal", &error);
	return -1;
}

const char *cli_journal_path(const struct cli_request *request)
{
	const char *usual = request->journal ? NULL : getenv("BVISOR_JOURNAL");

	return request->journal ? request->journal : usual && *usual ? usual : NULL;
}

bool cli_journal_none(const struct cli_request *request)
{
	const char *path = cli_journal_path(request);

	return path && strcmp(path, "none") == 0;
}

/* ---- Progress -------------------------------------------------------------------------------- */

/* A line on a terminal that is written over, and wiped at the end. */
struct progress {
	const char *what;
	bool shown;
	struct timespec since;
};

static bool on_progress(void *context, uint64_t done, uint64_t total)
{
	enum { WIDTH = 40 };
	struct progress *progress = context;
	struct timespec now;
	char bar[WIDTH + 1], line[128];
	size_t filled;
	int len;

	if (!isatty(STDERR_FILENO) || total == 0)
		return true;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	/* What is over within a moment needs no bar. */
	if (progress->since.tv_sec == 0)
		progress->since = now;
	if (now.tv_sec - progress->since.tv_sec < 1 && done < total)
		return true;
	filled = (size_t)(done < total ? done * WIDTH / total : WIDTH);
	memset(bar, '#', filled);
	memset(bar + filled, '.', WIDTH - filled);
	bar[WIDTH] = '\0';
	len = snprintf(line, sizeof line, "\r%s [%s] %3u %%", progress->what, bar,
		       (unsigned int)(done < total ? done * 100 / total : 100));
	if (len > 0)
		(void)cli_write_all(STDERR_FILENO, line, (size_t)len); /* only for the eye */
	progress->shown = true;
	return true;
}

static void end_progress(const struct progress *progress)
{
	static const char wipe[] = "\r\033[K";

	if (progress->shown)
		(void)cli_write_all(STDERR_FILENO, wipe, sizeof wipe - 1);
}

/* ---- ls -------------------------------------------------------------------------------------- */

static void put_time(uint64_t micros, char ret_text[32])
{
	const time_t seconds = (time_t)(micros / MICROS);
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) ||
	    strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		(void)snprintf(ret_text, 32, "?");
}

static void put_exit(const struct bv_journal_attempt *attempt, char ret_text[32])
{
	switch ((enum bv_exit_kind)attempt->exit_kind) {
	case BV_EXITED_CODE:
		(void)snprintf(ret_text, 32, "code %d", attempt->exit_number);
		break;
	case BV_EXITED_SIGNAL:
		(void)snprintf(ret_text, 32, "signal %d", attempt->exit_number);
		break;
	case BV_EXITED_NOT_STARTED:
		(void)snprintf(ret_text, 32, "not executed");
		break;
	case BV_EXITED_UNKNOWN:
		ret_text[0] = '\0';
		break;
	}
}

static void list_json(struct cli_listing *listing, const struct bv_journal_attempt *attempt)
{
	static const char *const kinds[] = {"unknown", "code", "signal", "not-executed"};

	printf("%s{\"attempt\":\"%s\",\"started_unix_micros\":%llu,", listing->count ? ",\n" : "",
	       attempt->id, (unsigned long long)attempt->started_unix_micros);
	if (attempt->ended_unix_micros)
		printf("\"ended_unix_micros\":%llu,",
		       (unsigned long long)attempt->ended_unix_micros);
	printf("\"outcome\":\"%s\",\"exit\":\"%s\",\"exit_number\":%d,\"program\":",
	       attempt->outcome, kinds[attempt->exit_kind], attempt->exit_number);
	cli_print_json_text(attempt->program);
	if (attempt->idempotency_key[0]) {
		printf(",\"idempotency_key\":");
		cli_print_json_text(attempt->idempotency_key);
	}
	putchar('}');
}

static bool list_one(void *context, const struct bv_journal_attempt *attempt)
{
	struct cli_listing *listing = context;
	char id[SHORT_ID + 1], when[32], how[32];
	const char *const cells[] = {when, id, attempt->outcome, how, attempt->program};
	const bool bad = strcmp(attempt->outcome, "NeedsPerson") == 0 ||
			 strcmp(attempt->outcome, "RolledBack") == 0;

	if (listing->json) {
		list_json(listing, attempt);
	} else {
		(void)snprintf(id, sizeof id, "%s", attempt->id);
		put_time(attempt->started_unix_micros, when);
		put_exit(attempt, how);
		cli_table_row(&listing->table, bad ? CLI_TABLE_WEAK : CLI_TABLE_PLAIN, cells);
	}
	listing->count++;
	return true;
}

static int ls(const struct cli_request *request, struct bv_journal *journal)
{
	static const char *const head[] = {"STARTED", "ATTEMPT", "OUTCOME", "EXIT", "PROGRAM"};
	const struct bv_journal_filter filter = {
		.since_unix_micros = request->since,
		.until_unix_micros = request->until,
		.outcome = request->outcome,
		.program = request->program,
		.most = request->last,
	};
	struct cli_listing listing = cli_listing_begin(request->json, 5, head);
	struct bv_error error = {0};
	enum bv_code code;

	code = bv_journal_list(journal, &filter, list_one, &listing, &error);
	cli_listing_end(&listing);
	return cli_close_stdout(code == BV_OK ? CLI_EXIT_OK : fail(&error));
}

/* ---- show ------------------------------------------------------------------------------------ */

static bool show_one(void *context, const struct bv_journal_record *record)
{
	uint64_t *count = context;
	char when[32];

	put_time(record->at_unix_micros, when);
	printf("%s{\"seq\":%llu,\"kind\":\"%s\",\"at\":\"%s\",\"attempt\":\"%s\",\"hash\":\"%s\",\"contents\":%s}",
	       (*count)++ ? ",\n" : "", (unsigned long long)record->seq, record->kind, when,
	       record->attempt, record->hash, record->json ? record->json : "null");
	return true;
}

static int show_records(const struct cli_request *request, const struct bv_journal *journal)
{
	struct bv_error error = {0};
	uint64_t count = 0;
	enum bv_code code;

	putchar('[');
	code = bv_journal_records(journal, request->operand_count ? request->operands[0] : NULL,
				  show_one, &count, &error);
	puts("]");
	return cli_close_stdout(code == BV_OK ? CLI_EXIT_OK : fail(&error));
}

static int show_text(const struct cli_request *request, const struct bv_journal *journal)
{
	struct bv_report *report = NULL;
	struct bv_error error = {0};
	char *text = NULL;
	enum bv_code code = bv_journal_report(journal, request->operands[0], &report, &error);

	if (code == BV_OK)
		code = bv_report_to_text(report, &text, &error);
	if (code == BV_OK)
		(void)fputs(text, stdout); /* cli_close_stdout looks at what became of it */
	bv_free(text);
	bv_report_free(report);
	if (code == BV_E_STATE && !error.remedy[0])
		cli_say("journal: %s has no report to show; --json shows its records",
			request->operands[0]);
	else if (code != BV_OK)
		return cli_close_stdout(fail(&error));
	return cli_close_stdout(code == BV_OK ? CLI_EXIT_OK : CLI_EXIT_REFUSED);
}

static int show(const struct cli_request *request, struct bv_journal *journal)
{
	struct bv_report *report = NULL;
	struct bv_error error = {0};
	int status = CLI_EXIT_OK;
	struct cli_output output;
	void *data = NULL;
	size_t size = 0;

	if (!request->operand_count && (!request->json || request->report_path)) {
		cli_say("journal show: no attempt is named");
		cli_remedy("bvisor journal ls lists them; --json alone shows all records");
		return CLI_EXIT_REFUSED;
	}
	if (!request->report_path)
		return request->json ? show_records(request, journal) : show_text(request, journal);
	/* The sealed bytes, as --report would have written them. */
	if (bv_journal_report(journal, request->operands[0], &report, &error) != BV_OK ||
	    bv_report_to_bytes(report, &data, &size, &error) != BV_OK) {
		bv_report_free(report);
		return fail(&error);
	}
	if (cli_output_open(request->report_path, &output) != 0 ||
	    cli_output_write(&output, data, size) != 0)
		status = CLI_EXIT_REFUSED;
	bv_free(data);
	bv_report_free(report);
	return status;
}

/* ---- verify ---------------------------------------------------------------------------------- */

/* A key or an anchor is given as such, or as a file that holds it. */
static int read_line(const char *given, const char *what, struct cli_bytes *ret_bytes)
{
	if (cli_read_file(given, 4096, ret_bytes) != 0)
		return -1;
	ret_bytes->data[strcspn(ret_bytes->data, "\r\n")] = '\0';
	if (ret_bytes->data[0])
		return 0;
	cli_say("%s: holds no %s", given, what);
	return -1;
}

static bool is_hex_key(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdefABCDEF") == 64;
}

static void tell_verified(const struct cli_request *request,
			  const struct bv_journal_verified *found)
{
	if (request->json) {
		printf("{\"verified\":true,\"records\":%llu,\"attempts\":%llu,\"anchors\":%llu,"
		       "\"anchored_record\":%llu,\"removed\":%llu,\"clock_steps\":%llu,"
		       "\"files\":%llu,\"file_bytes\":%llu,\"head\":\"%s\",\"public_key\":\"%s\"}\n",
		       (unsigned long long)found->records, (unsigned long long)found->attempts,
		       (unsigned long long)found->anchors, (unsigned long long)found->anchored_seq,
		       (unsigned long long)found->removed, (unsigned long long)found->clock_steps,
		       (unsigned long long)found->blobs, (unsigned long long)found->blob_bytes,
		       found->head, found->public_key);
		return;
	}
	if (request->quiet)
		return;
	printf("verified: %llu records of %llu attempts; signatures: %llu, the last over record %llu\n",
	       (unsigned long long)found->records, (unsigned long long)found->attempts,
	       (unsigned long long)found->anchors, (unsigned long long)found->anchored_seq);
	if (found->blobs)
		printf("files kept beside it, each read: %llu, %llu bytes\n",
		       (unsigned long long)found->blobs, (unsigned long long)found->blob_bytes);
	if (found->removed)
		printf("contents removed by decision: %llu records\n",
		       (unsigned long long)found->removed);
	if (found->clock_steps)
		printf("the clock went back between records: %llu times\n",
		       (unsigned long long)found->clock_steps);
	printf("head: %s\n", found->head);
	if (found->public_key[0])
		printf("key:  %s%s\n", found->public_key,
		       request->public_key
			       ? ""
			       : " (as the journal says; --public-key holds it to yours)");
	if (found->records > found->anchored_seq + (found->anchors > 0))
		printf("not signed yet, and anybody's to change until then: %llu records\n",
		       (unsigned long long)(found->records - found->anchored_seq -
					    (found->anchors > 0)));
	if (!request->anchor)
		printf("not seen without an anchor kept elsewhere: records cut off after a signature,\n"
		       "or the whole journal put back to an earlier state of itself\n");
}

const char *cli_public_key(const struct cli_request *request, char ret_text[65])
{
	struct cli_bytes bytes = {0};
	bool read = is_hex_key(request->public_key);

	if (read) {
		(void)snprintf(ret_text, 65, "%s", request->public_key);
	} else if (read_line(request->public_key, "public key", &bytes) == 0) {
		read = is_hex_key(bytes.data);
		(void)snprintf(ret_text, 65, "%s", bytes.data);
		if (!read)
			cli_say("%s: does not hold the 64 hexadecimal digits of a public key",
				request->public_key);
	}
	cli_bytes_wipe(&bytes);
	return read ? ret_text : NULL;
}

static int verify(const struct cli_request *request, struct bv_journal *journal)
{
	struct progress progress = {.what = "verifying"};
	struct bv_journal_verify_options options = {.progress = on_progress, .context = &progress};
	struct bv_journal_verified found;
	struct cli_bytes anchor = {0};
	struct bv_error error = {0};
	char key[65];
	int status = CLI_EXIT_OK;

	if (request->public_key) {
		options.public_key = cli_public_key(request, key);
		if (!options.public_key)
			return CLI_EXIT_REFUSED;
	}
	if (request->anchor && read_line(request->anchor, "anchor", &anchor) != 0)
		return CLI_EXIT_REFUSED;
	options.anchor = anchor.data;
	if (bv_journal_verify(journal, &options, &found, &error) == BV_OK) {
		end_progress(&progress);
		tell_verified(request, &found);
	} else {
		end_progress(&progress);
		if (request->json)
			printf("{\"verified\":false,\"good_records\":%llu}\n",
			       (unsigned long long)found.records);
		status = fail(&error);
	}
	cli_bytes_wipe(&anchor);
	return cli_close_stdout(status);
}

/* ---- export, anchor -------------------------------------------------------------------------- */

static int export_to(const struct cli_request *request, struct bv_journal *journal)
{
	const char *path = request->operands[0];
	const bool standard_output = strcmp(path, "-") == 0;
	struct progress progress = {.what = "exporting"};
	struct bv_error error = {0};
	enum bv_code code;
	int fd = standard_output
			 ? STDOUT_FILENO
			 : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		cli_say_errno(path, errno);
		if (errno == EEXIST)
			cli_remedy("name a file that is not there yet");
		return CLI_EXIT_REFUSED;
	}
	code = bv_journal_export(journal, fd, request->attempt, on_progress, &progress, &error);
	end_progress(&progress);
	if (code == BV_OK && !standard_output && fsync(fd) != 0) {
		code = BV_E_SYSTEM;
		error = (struct bv_error){.code = code, .sys_errno = errno};
		(void)snprintf(error.message, sizeof error.message,
			       "'%.200s' cannot be made durable", path);
	}
	if (!standard_output)
		(void)close(fd); /* fsync has told the truth already */
	if (code == BV_OK)
		return CLI_EXIT_OK;
	if (!standard_output)
		(void)unlink(path); /* half an export is none */
	return fail(&error);
}

static int anchor(const struct cli_request *request, struct bv_journal *journal)
{
	struct bv_error error = {0};
	char *line = NULL;

	(void)request;
	if (bv_journal_anchor(journal, &line, &error) != BV_OK)
		return fail(&error);
	(void)fputs(line, stdout); /* cli_close_stdout looks at what became of it */
	bv_free(line);
	return cli_close_stdout(CLI_EXIT_OK);
}

/* ---- recover, gc ----------------------------------------------------------------------------- */

struct recovering {
	bool json, quiet;
	uint64_t count, failed;
};

static void tell_recovered(void *context, const struct bv_journal_recovered *recovered)
{
	struct recovering *recovering = context;

	if (recovering->json)
		printf("%s{\"attempt\":\"%s\",\"verdict\":\"%s\",\"reason\":\"%s\",\"executed\":%s,"
		       "\"swept\":%zu,\"failed\":%zu}",
		       recovering->count ? ",\n" : "", recovered->attempt, recovered->verdict,
		       recovered->reason, recovered->executed ? "true" : "false", recovered->swept,
		       recovered->failed);
	else if (!recovering->quiet)
		printf("%.*s %s: %s; %s\n", SHORT_ID, recovered->attempt, recovered->verdict,
		       recovered->reason,
		       recovered->executed ? "its program may have run" : "its program never ran");
	recovering->count++;
	recovering->failed += recovered->failed;
}

static bool tell_waiting(void *context, const struct bv_journal_attempt *attempt)
{
	uint64_t *count = context;

	printf("%.*s %s\n", SHORT_ID, attempt->id, attempt->program);
	++*count;
	return true;
}

/* The journal was opened without settling anything, so that what is settled is told here. */
static int recover(const struct cli_request *request, struct bv_journal *journal)
{
	static const struct bv_journal_filter waiting = {.outcome = "NeedsPerson"};
	struct recovering recovering = {.json = request->json, .quiet = request->quiet};
	struct bv_error error = {0};
	uint64_t count = 0;
	enum bv_code code;

	if (request->attempt) {
		code = bv_journal_resolve(journal, request->attempt,
					  request->note ? request->note : "", &error);
		return code == BV_OK ? CLI_EXIT_OK : fail(&error);
	}
	if (request->json)
		putchar('[');
	code = bv_journal_recover(journal, tell_recovered, &recovering, &error);
	if (request->json)
		puts("]");
	if (code == BV_OK && !request->json && !request->quiet) {
		if (recovering.count == 0)
			printf("nothing was lost\n");
		code = bv_journal_list(journal, &waiting, tell_waiting, &count, &error);
		if (count > 0)
			printf("the %llu above need a person: look with bvisor journal show --json, then\n"
			       "bvisor journal recover --resolve ATTEMPT --note TEXT\n",
			       (unsigned long long)count);
	}
	if (code != BV_OK)
		return cli_close_stdout(fail(&error));
	return cli_close_stdout(recovering.failed ? CLI_EXIT_FALSE : CLI_EXIT_OK);
}

static int gc(const struct cli_request *request, struct bv_journal *journal)
{
	struct bv_error error = {0};
	uint64_t attempts = 0, files = 0, bytes = 0;

	if (!request->until) {
		cli_say("journal gc: nothing says which records may go");
		cli_remedy(
			"write --until TIME: attempts that had ended before it lose their contents");
		return CLI_EXIT_REFUSED;
	}
	if (bv_journal_prune(journal, request->until, &attempts, &error) != BV_OK ||
	    bv_journal_sweep(journal, &files, &bytes, &error) != BV_OK)
		return fail(&error);
	if (request->json)
		printf("{\"attempts\":%llu,\"files\":%llu,\"bytes\":%llu}\n",
		       (unsigned long long)attempts, (unsigned long long)files,
		       (unsigned long long)bytes);
	else if (!request->quiet)
		printf("contents of %llu attempts were removed; their hashes stay\n"
		       "kept files nothing refers to were removed: %llu, %llu bytes\n",
		       (unsigned long long)attempts, (unsigned long long)files,
		       (unsigned long long)bytes);
	return cli_close_stdout(CLI_EXIT_OK);
}

/* ---- which ----------------------------------------------------------------------------------- */

int cli_journal(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{"ls", CLI_JOURNAL_LS, 0, 0, false, ls},
		{"show", CLI_JOURNAL_SHOW, 0, 1, false, show},
		{"verify", CLI_JOURNAL_VERIFY, 0, 0, false, verify},
		{"export", CLI_JOURNAL_EXPORT, 1, 1, false, export_to},
		{"anchor", CLI_JOURNAL_ANCHOR, 0, 0, false, anchor},
		{"recover", CLI_JOURNAL_RECOVER, 0, 0, true, recover},
		{"gc", CLI_JOURNAL_GC, 0, 0, true, gc},
	};
	static const struct cli_noun noun = {"journal", "a journal", verbs,
					     sizeof verbs / sizeof *verbs};

	return cli_act(&noun, argc, argv);
}
