/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stream.c - one output stream of the workload: read, digested, kept up to a bound, passed on. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT_FIRST_BYTES = 4096 };

enum bv_code bv__stream_init(struct bv_stream *stream, int number, uint64_t capture_limit,
			     uint64_t output_limit, struct bv_error *err)
{
	memset(stream, 0, sizeof(*stream));
	stream->fd = -1;
	stream->number = number;
	stream->capture_limit = capture_limit < output_limit ? capture_limit : output_limit;
	stream->output_limit = output_limit;
	bv_hash_init(&stream->hash);
	stream->buffer = malloc(BV_STREAM_BUFFER_BYTES);
	if (stream->buffer == NULL)
		return bv_fail(err, BV_E_MEMORY, "streams", "no memory for a stream's buffer");
	return BV_OK;
}

void bv__stream_clear(struct bv_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream->kept);
	free(stream->buffer);
	memset(stream, 0, sizeof(*stream));
	stream->fd = -1;
}

/* Keeps the beginning of the stream.  Without memory for more, what is kept ends there. */
static void keep(struct bv_stream *stream, const uint8_t *data, size_t size_bytes)
{
	uint64_t room = stream->capture_limit - stream->kept_bytes;
	size_t taken = size_bytes < room ? size_bytes : (size_t)room;

	if (taken == 0)
		return;
	if (stream->kept_bytes + taken > stream->kept_capacity) {
		size_t capacity = stream->kept_capacity ? stream->kept_capacity : KEPT_FIRST_BYTES;
		uint8_t *larger;

		while (capacity < stream->kept_bytes + taken)
			capacity *= 2;
		larger = realloc(stream->kept, capacity);
		if (larger == NULL) {
			stream->capture_limit = stream->kept_bytes;
			return;
		}
		stream->kept = larger;
		stream->kept_capacity = capacity;
	}
	memcpy(stream->kept + stream->kept_bytes, data, taken);
	stream->kept_bytes += taken;
}

static void ended(struct bv_stream *stream, bool complete)
{
	close(stream->fd);
	stream->fd = -1;
	stream->complete = complete;
}

void bv__stream_give_up(struct bv_stream *stream)
{
	if (stream->fd >= 0)
		ended(stream, false);
}

/* Offers the pending bytes to the caller; whatever is not wanted is dropped. */
static void forward(struct bv_stream *stream, bv_backend_output_fn output, void *context)
{
	stream->paused = false;
	while (stream->pending_from < stream->pending_to && output != NULL && !stream->deaf) {
		const size_t left = stream->pending_to - stream->pending_from;
		const ptrdiff_t taken = output(context, stream->number,
					       stream->buffer + stream->pending_from, left);

		if (taken < 0) {
			stream->deaf = true;
			/* The workload shall see the broken pipe its writer would have seen: yes | head. */
			if (!stream->terminal)
				bv__stream_give_up(stream);
		} else if (taken == 0) {
			stream->paused = true;
			return;
		} else {
			/* A caller that claims more than it was offered is the caller's fault, not ours. */
			size_t count = (size_t)taken < left ? (size_t)taken : left;

			stream->pending_from += count;
			stream->forwarded_bytes += count;
		}
	}
	stream->pending_from = stream->pending_to = 0;
}

/* Counts, digests and keeps what was just read; leaves pending what is to be passed on. */
static void take_in(struct bv_stream *stream, size_t size_bytes)
{
	const uint64_t room = stream->output_limit > stream->total_bytes
				      ? stream->output_limit - stream->total_bytes
				      : 0;

	bv_hash_update(&stream->hash, stream->buffer, size_bytes);
	stream->pending_from = 0;
	stream->pending_to = size_bytes < room ? size_bytes : (size_t)room;
	keep(stream, stream->buffer, stream->pending_to);
	stream->total_bytes += size_bytes;
}

bool bv__stream_pump(struct bv_stream *stream, size_t budget_bytes, bv_backend_output_fn output,
		     void *context)
{
	size_t done_bytes = 0;

	forward(stream, output, context);
	while (stream->fd >= 0 && !stream->paused && done_bytes < budget_bytes) {
		ssize_t got = read(stream->fd, stream->buffer, BV_STREAM_BUFFER_BYTES);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return false;
		if (got <= 0) {
			/* The last slave of a pseudo-terminal closing reads as EIO. */
			ended(stream, got == 0 || (stream->terminal && errno == EIO));
			return false;
		}
		take_in(stream, (size_t)got);
		done_bytes += (size_t)got;
		forward(stream, output, context);
	}
	return stream->fd >= 0 && !stream->paused;
}

bool bv__stream_done(const struct bv_stream *stream)
{
	return stream->fd < 0 && stream->pending_from == stream->pending_to;
}

void bv__stream_digests(const struct bv_stream *stream, struct bv_digest *ret_all,
			struct bv_digest *ret_kept)
{
	bv_hash_final(&stream->hash, ret_all);
	bv_hash_bytes(stream->kept, stream->kept_bytes, ret_kept);
}
