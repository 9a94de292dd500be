/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stream.h - one output stream of the workload: read, digested, kept up to a bound, passed on.
 *
 * Memory is bounded by the capture limit and one buffer, whatever the workload writes.  When the
 * caller cannot take more, nothing more is read, the pipe fills, and the workload waits.
 */
#ifndef BV_LINUX_STREAM_H
#define BV_LINUX_STREAM_H

#include "contract/backend.h"
#include "contract/hash.h"

enum { BV_STREAM_BUFFER_BYTES = 64 << 10 };

struct bv_stream {
	int fd; /* nonblocking read end; -1 once it ended or was given up */
	int number;
	bool terminal; /* the master of a pseudo-terminal: EIO is the end */
	bool complete; /* read to its end */
	bool deaf;     /* the caller takes nothing more, ever */
	bool paused;   /* the caller took less than it was offered */

	uint64_t capture_limit, output_limit;
	uint64_t total_bytes, forwarded_bytes;
	struct bv_hash hash;

	uint8_t *kept;
	size_t kept_bytes, kept_capacity;

	uint8_t *buffer;
	size_t pending_from, pending_to; /* read, but not yet passed on */
};

/* `fd` stays -1 for a stream that is not captured.  BV_E_MEMORY. */
enum bv_code bv__stream_init(struct bv_stream *stream, int number, uint64_t capture_limit,
			     uint64_t output_limit, struct bv_error *err);
void bv__stream_clear(struct bv_stream *stream);

/*
 * Reads and passes on what there is now, at most `budget_bytes`, so that one stream cannot starve
 * the rest.  Returns whether there may be more at once.
 */
bool bv__stream_pump(struct bv_stream *stream, size_t budget_bytes, bv_backend_output_fn output,
		     void *context);

/* Whether nothing is left to read or to pass on. */
bool bv__stream_done(const struct bv_stream *stream);

/* Stops reading although the end was not seen.  What was read is still passed on. */
void bv__stream_give_up(struct bv_stream *stream);

void bv__stream_digests(const struct bv_stream *stream, struct bv_digest *ret_all,
			struct bv_digest *ret_kept);

#endif
