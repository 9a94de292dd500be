/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* streams.h - what passes between the caller's streams and the workload, without ever waiting. */
#ifndef BV_CLI_STREAMS_H
#define BV_CLI_STREAMS_H

#include "cli.h"

/* ---- escape.c: control characters shown, not obeyed ------------------------------------------- */

/* What may belong to a character that has not come whole yet. */
struct cli_escape {
	unsigned char held[4];
	size_t held_count;
};

enum { CLI_ESCAPE_WORST = 32 }; /* room that one byte, with what is held, may need at most */

/*
 * Rewrites `in` so that a terminal shows it and obeys nothing but newline, tab and CR LF: "^[" for
 * escape, "<U+009B>" for a C1 control, "<FF>" for what is not UTF-8.  Returns the bytes written to
 * `out`; stops early when fewer than CLI_ESCAPE_WORST bytes of room are left.
 */
size_t cli_escape(struct cli_escape *escape, const unsigned char *in, size_t in_bytes,
		  size_t *ret_used, char *out, size_t out_bytes);

/* What is held at the end of the stream; at most CLI_ESCAPE_WORST bytes. */
size_t cli_escape_end(struct cli_escape *escape, char *out);

/* ---- streams.c --------------------------------------------------------------------------------- */

enum cli_sink_kind {
	CLI_SINK_PLAIN, /* never waits: a regular file, or a descriptor of our own that does not block */
	CLI_SINK_SOCKET, /* asked each time not to wait */
	CLI_SINK_SHARED, /* shared with others, so its mode is left alone: looked at before each small write */
};

/* Where one stream of the workload goes. */
struct cli_sink {
	int fd;
	bool opened; /* by us */
	enum cli_sink_kind kind;
	bool escapes;
	bool closed;   /* never was open */
	bool gone;     /* nothing can ever be written again */
	int sys_errno; /* why, unless the reader just left */
	bool full;     /* waiting for room */
	struct cli_escape escape;
	char pending[16384]; /* escaped, not yet written */
	size_t pending_start, pending_end;
};

/* `path` may be NULL: `fd`, one of ours.  -1 after saying why it cannot be opened. */
int cli_sink_open(struct cli_sink *sink, int fd, const char *path, bool escapes);

/* As bv_output_fn. */
ptrdiff_t cli_sink_take(struct cli_sink *sink, const void *data, size_t size_bytes);

/* Writes what is pending, if it can be written now. */
void cli_sink_flush(struct cli_sink *sink);

/* Writes all that is pending, waiting for room. */
void cli_sink_end(struct cli_sink *sink);

/* The workload's standard input. */
struct cli_source {
	int fd; /* -1: none, or at its end */
	bool opened;
	char data[16384];
	size_t start, end;
	bool finished; /* and the run was told */
};

/* Moves what can be moved now; call when `fd` was readable or the run may take more. */
void cli_source_feed(struct cli_source *source, struct bv_run *run, bool readable);

/* Whether there is room to read more. */
bool cli_source_wants(const struct cli_source *source);

/* ---- term.c ------------------------------------------------------------------------------------- */

/* Lets every key reach the workload's own terminal.  Undone by cli_term_restore, also at exit. */
int cli_term_raw(int fd);
void cli_term_restore(void);
void cli_term_size(unsigned short *ret_rows, unsigned short *ret_columns);

#endif
