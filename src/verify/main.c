/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bvisor-verify - checks an exported journal, or the proof of one report, on a machine without
 * bvisor, with the public key alone.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/json.h"
#include "contract/report.h"

enum { YES = 0, NO = 1, FAILED = 2, FILE_MAX = 64 << 20 };

static const char usage[] =
	"Usage: bvisor-verify --public-key FILE|HEX [--whole] [--anchor FILE] [--report FILE] EXPORT\n"
	"\n"
	"Checks what `bvisor journal export` wrote: every hash, every signature, every report's seal.\n"
	"  --public-key  whose signatures count: 64 hexadecimal digits, or a file that holds them\n"
	"  --whole       it must begin with the journal's first record\n"
	"  --anchor      a line of `bvisor journal anchor`, kept where nobody could change it\n"
	"  --report      a report that must be in it, under a signature\n"
	"EXPORT - is standard input.  Exit status: 0 it holds; 1 it does not; 2 it could not be read.\n";

static int say(int status, const char *what, const char *why)
{
	fprintf(stderr, "bvisor-verify: %s: %s\n", what, why);
	return status;
}

/* Reads a small file whole, with a NUL behind; malloc'd. */
static char *read_file(const char *path, size_t *ret_size_bytes)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t size = 0, got = 1;

	while (file && got > 0 && size < FILE_MAX) {
		char *more = realloc(text, size + 65537);

		if (!more)
			break;
		text = more;
		got = fread(text + size, 1, 65536, file);
		size += got;
		text[size] = '\0';
	}
	if (!file || ferror(file) || got > 0) {
		(void)say(FAILED, path, errno ? strerror(errno) : "is too large");
		free(text);
		text = NULL;
	}
	if (file)
		(void)fclose(file); /* only read from */
	*ret_size_bytes = size;
	return text;
}

static bool read_key(const char *given, struct bv_digest *ret_key)
{
	size_t size;
	char *text;
	bool read;

	if (strlen(given) == 64 && bv__digest_read(given, ret_key))
		return true;
	text = read_file(given, &size);
	read = text && bv__digest_read(text, ret_key);
	if (text && !read)
		(void)say(FAILED, given, "is not a public key: 64 hexadecimal digits");
	free(text);
	return read;
}

/* The body hash of a report, which must be right. */
static bool read_report(const char *path, struct bv_digest *ret_hash)
{
	size_t size, room = 256 << 20;
	char *text = read_file(path, &size);
	void *memory = text ? malloc(room) : NULL;
	struct bv_error error = {.message = "there is no memory for it"};
	struct bv_boundary_report report;
	enum bv_code code = BV_E_MEMORY;
	struct bv_arena arena;

	if (memory) {
		bv_arena_init(&arena, memory, room);
		code = strchr(" \t\r\n{", text[0])
			       ? bv_json_decode(&arena, &bv_boundary_report_type, text, size,
						&report, &error)
			       : bv_canon_decode(&arena, &bv_boundary_report_type, text, size,
						 &report, &error);
		if (code == BV_OK)
			code = bv_report_check(&arena, &report, &error);
	}
	if (code == BV_OK)
		*ret_hash = report.body_hash;
	else if (text)
		(void)say(NO, path, error.message);
	free(memory);
	free(text);
	return code == BV_OK;
}

static ptrdiff_t read_export(void *context, void *data, size_t size_bytes)
{
	ptrdiff_t got;

	do {
		got = read(*(int *)context, data, size_bytes);
	} while (got < 0 && errno == EINTR);
	return got;
}

/* Records are small and reads are not free. */
struct buffered {
	int fd;
	size_t start, end;
	char bytes[65536];
};

static ptrdiff_t read_buffered(void *context, void *data, size_t size_bytes)
{
	struct buffered *buffered = context;
	size_t part = buffered->end - buffered->start;

	if (part == 0) {
		const ptrdiff_t got = read_export(&buffered->fd, buffered->bytes,
						  sizeof buffered->bytes);

		if (got <= 0)
			return got;
		buffered->start = 0;
		buffered->end = part = (size_t)got;
	}
	if (part > size_bytes)
		part = size_bytes;
	memcpy(data, buffered->bytes + buffered->start, part);
	buffered->start += part;
	return (ptrdiff_t)part;
}

struct arguments {
	const char *public_key, *anchor, *report, *export_path;
	bool whole;
};

static bool read_arguments(int argc, char **argv, struct arguments *ret)
{
	for (int i = 1; i < argc; i++) {
		const char **where = strcmp(argv[i], "--public-key") == 0 ? &ret->public_key
				     : strcmp(argv[i], "--anchor") == 0   ? &ret->anchor
				     : strcmp(argv[i], "--report") == 0   ? &ret->report
									  : NULL;

		if (where) {
			if (++i == argc)
				return false;
			*where = argv[i];
		} else if (strcmp(argv[i], "--whole") == 0) {
			ret->whole = true;
		} else if (ret->export_path || (argv[i][0] == '-' && argv[i][1] != '\0')) {
			return false;
		} else {
			ret->export_path = argv[i];
		}
	}
	return ret->export_path && ret->public_key;
}

static int tell(const struct arguments *arguments, const struct bv__export_found *found)
{
	char head[65], attempt[65];

	bv_digest_hex(&found->head, head);
	bv_digest_hex(&found->attempt, attempt);
	printf("verified: records %llu to %llu; signatures: %llu, the last over record %llu\n",
	       (unsigned long long)found->first,
	       (unsigned long long)(found->first + found->records - 1),
	       (unsigned long long)found->anchors, (unsigned long long)found->anchored_seq);
	if (arguments->report)
		printf("the report is that of attempt %s\n", attempt);
	if (found->removed)
		printf("without contents: %llu records\n", (unsigned long long)found->removed);
	if (found->first + found->records > found->anchored_seq + 2)
		printf("not signed yet, and anybody's to change until then: %llu records\n",
		       (unsigned long long)(found->first + found->records - found->anchored_seq -
					    2));
	printf("head: %s\n", head);
	if (!found->whole)
		printf("a part: what came before record %llu is not in it\n",
		       (unsigned long long)found->first);
	if (!arguments->anchor)
		printf("not seen without an anchor kept elsewhere: that later records were left out\n");
	return fflush(stdout) == 0 ? YES : say(FAILED, "standard output", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct buffered input = {.fd = STDIN_FILENO};
	struct arguments arguments = {.public_key = NULL};
	struct bv__export_options options = {.public_key = NULL};
	struct bv__anchor_line line;
	struct bv__export_found found;
	struct bv_digest key, report;
	struct bv_error error = {.code = BV_OK};
	enum bv_code code;

	if (!read_arguments(argc, argv, &arguments)) {
		const bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;

		fputs(usage, asked ? stdout : stderr);
		return asked ? YES : FAILED;
	}
	if (!read_key(arguments.public_key, &key))
		return FAILED;
	options.public_key = &key;
	options.whole = arguments.whole;
	if (arguments.anchor) {
		size_t size;
		char *text = read_file(arguments.anchor, &size);
		const bool read = text && bv__anchor_line_read(text, &line);

		free(text);
		if (!read)
			return say(FAILED, arguments.anchor, "is not an anchor");
		options.anchor_seq = line.seq;
		options.anchor_hash = &line.hash;
	}
	if (arguments.report) {
		if (!read_report(arguments.report, &report))
			return NO;
		options.report = &report;
	}
	if (strcmp(arguments.export_path, "-") != 0)
		input.fd = open(arguments.export_path, O_RDONLY | O_CLOEXEC);
	if (input.fd < 0)
		return say(FAILED, arguments.export_path, strerror(errno));
	code = bv__export_check(read_buffered, &input, &options, &found, &error);
	if (code == BV_OK && arguments.anchor && memcmp(found.store, line.store, 16) != 0)
		return say(NO, arguments.anchor, "is of another journal");
	if (code == BV_OK)
		return tell(&arguments, &found);
	fprintf(stderr, "bvisor-verify: %s: %s: %s\n", arguments.export_path, error.where,
		error.message);
	return code == BV_E_INTEGRITY || code == BV_E_DECODE ? NO : FAILED;
}
