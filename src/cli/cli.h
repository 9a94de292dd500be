/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cli.h - what the files of the command line share.
 *
 * The command line is a caller of include/bvisor like any other; nothing here reaches past it.
 * It is started for every run, so nothing is initialised before it is needed.
 */
#ifndef BV_CLI_H
#define BV_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <bvisor/bvisor.h>

/* Part of the product (design.md 5): scripts rely on them. */
enum cli_exit {
	CLI_EXIT_OK = 0,
	CLI_EXIT_FALSE = 1, /* a report that does not verify, a machine where doctor found a hole */
	CLI_EXIT_WALL_LIMIT = 124,
	CLI_EXIT_REFUSED = 125,
	CLI_EXIT_NOT_EXECUTABLE = 126,
	CLI_EXIT_NOT_FOUND = 127,
	CLI_EXIT_SIGNAL = 128, /* plus the signal's number */
};

int cli_run(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_wasm(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_journal(int argc, char **argv);
int cli_artifacts(int argc, char **argv);
int cli_probe(int argc, char **argv);

/* ---- say.c: what bvisor says itself, always on stderr and never with raw control characters ---- */

void cli_be_quiet(void); /* --quiet: say nothing from here on */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2))); /* a line below */
void cli_remedy(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "bvisor: WHAT: MESSAGE (WHERE)", and on a second line how to mend it.  `what` may be NULL. */
void cli_say_error(const char *what, const struct bv_error *error);

/* The same for what the kernel refused: "bvisor: WHAT: No such file or directory". */
void cli_say_errno(const char *what, int sys_errno);

/* Text of others made harmless for a terminal; cut where `size_bytes` ends. */
void cli_plain(const char *text, char *ret_text, size_t size_bytes);

/* Whether `stream` wants colour: a terminal, and the user did not object. */
bool cli_wants_colour(FILE *stream);

/* Flushes stdout; an output that could not be written is a failure, not silence. */
int cli_close_stdout(int status);

/* ---- values.c: numbers as people write them ---------------------------------------------------- */

/* Each returns NULL, or what is wrong with the text in words that follow the flag's name. */
const char *cli_parse_size(const char *text, uint64_t *ret_bytes);
const char *cli_parse_duration(const char *text, uint64_t *ret_micros);
const char *cli_parse_count(const char *text, uint64_t *ret_count);
/* A day or moment in UTC as in 2026-11-27 or 2026-11-27T08:30, or how long ago as in 90d or 2h. */
const char *cli_parse_time(const char *text, uint64_t *ret_unix_micros);

/* ---- files.c ------------------------------------------------------------------------------------ */

struct cli_bytes {
	char *data; /* NUL-terminated; the NUL is not counted */
	size_t size_bytes;
};

enum {
	CLI_SPEC_MAX_BYTES = 4 << 20,
	CLI_SECRET_MAX_BYTES = 128 << 10,
	CLI_REPORT_MAX_BYTES = 64 << 20
};

/* Reads the whole of a file ("-" is standard input), refusing more than `max_bytes`. */
int cli_read_file(const char *path, size_t max_bytes, struct cli_bytes *ret_bytes);
void cli_bytes_wipe(struct cli_bytes *bytes);

/*
 * A file to be written after the workload is gone.  Its directory is opened before, so that
 * nothing the workload does to names can lead the writing elsewhere, and the file appears whole or
 * not at all.
 */
struct cli_output {
	const char *path;
	const char *name; /* in the directory */
	int dir;          /* -1: `fd` is written directly */
	int fd;
};

int cli_output_open(const char *path, struct cli_output *ret_output);
int cli_output_write(struct cli_output *output, const void *data, size_t size_bytes);
void cli_output_close(struct cli_output *output);

int cli_write_all(int fd, const void *data, size_t size_bytes);

/* ---- program.c: which file a program's name means ---------------------------------------------- */

/* 0 and the path (malloc'd), or CLI_EXIT_NOT_FOUND or CLI_EXIT_NOT_EXECUTABLE after saying why. */
int cli_find_program(const char *name, char **ret_path);

#endif
