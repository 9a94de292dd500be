/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stdin, stdout and stderr.  They may be pipes that are shared with others, so their O_NONBLOCK is not
 * ours to set: nothing is read or written before poll says that it will not wait, and a pipe that
 * would is never given more than it surely takes.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* POLLOUT of a pipe, terminal or socket is worth at least this much (pipe(7): PIPE_BUF). */
enum { SURE_BYTES = 4096 };

void wasi_stream_open(struct wasi *wasi, unsigned int stream, int fd)
{
	struct wasi_stream *to = &wasi->streams[stream];
	struct stat file;
	int flags;

	*to = (struct wasi_stream){.filetype = WASI_FILETYPE_UNKNOWN};
	if (fd < 0 || fstat(fd, &file) != 0)
		return;
	flags = fcntl(fd, F_GETFL);
	to->pipe = S_ISFIFO(file.st_mode);
	to->whole = (flags >= 0 && (flags & O_NONBLOCK)) || S_ISREG(file.st_mode);
	/* A file that was redirected is a stream all the same: it is read on from where it stands. */
	to->filetype = S_ISREG(file.st_mode) ? WASI_FILETYPE_UNKNOWN : wasi_filetype(file.st_mode);
}

/* Waits until the deadline at most, or not at all; then *ret_events may be 0. */
static uint32_t wait_for(struct wasi_call *call, int fd, short events, bool may_wait,
			 short *ret_events)
{
	const uint64_t deadline = call->wasi->deadline_ns;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		const uint64_t now = wasi_now(CLOCK_MONOTONIC);
		const uint64_t left = may_wait && deadline > now ? deadline - now : 0;
		const struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000),
						 .tv_nsec = (long)(left % 1000000000)};
		const int count = ppoll(&poll_fd, 1, may_wait && !deadline ? NULL : &timeout, NULL);

		if (count < 0 && errno != EINTR)
			return wasi_errno_from(errno);
		*ret_events = count > 0 ? poll_fd.revents : 0;
		if (count > 0 || !may_wait)
			return WASI_SUCCESS;
		/* After a signal as after the time: what it meant is for whoever sent it. */
		if (wasi_expired(call))
			return WASI_EINTR;
	}
}

uint32_t wasi_stream_read(struct wasi_call *call, struct wasi_entry *entry,
			  struct wasi_buffers *buffers, uint64_t *ret_bytes)
{
	const bool may_wait = !(entry->flags & WASI_FDFLAG_NONBLOCK);

	*ret_bytes = 0;
	if (entry->fd < 0 || buffers->total_bytes == 0)
		return WASI_SUCCESS;
	for (;;) {
		short events;
		ssize_t got;
		uint32_t error = wait_for(call, entry->fd, POLLIN, may_wait, &events);

		if (error)
			return error;
		if (!events)
			return WASI_EAGAIN;
		got = readv(entry->fd, buffers->items, buffers->count);
		if (got >= 0) {
			call->wasi->streams[entry->stream].seen.bytes += (uint64_t)got;
			*ret_bytes = (uint64_t)got;
			return WASI_SUCCESS;
		}
		/* Somebody else took it. */
		if (errno != EINTR && (errno != EAGAIN || !may_wait))
			return wasi_errno_from(errno);
		if (wasi_expired(call))
			return WASI_EINTR;
	}
}

/* One write that does not wait. */
static uint32_t write_some(struct wasi_entry *entry, const struct wasi_stream *stream, short events,
			   const struct wasi_buffers *buffers, size_t *ret_bytes)
{
	ssize_t put;

	*ret_bytes = 0;
	/* Nobody reads it any more: SIGPIPE, which whoever runs us ignores, does not even arise. */
	if (stream->pipe && (events & POLLERR))
		return WASI_EPIPE;
	if (stream->whole) {
		put = writev(entry->fd, buffers->items, buffers->count);
	} else {
		const struct iovec *first = &buffers->items[0];

		put = write(entry->fd, first->iov_base,
			    first->iov_len < SURE_BYTES ? first->iov_len : SURE_BYTES);
	}
	if (put < 0)
		return errno == EINTR || errno == EAGAIN ? WASI_SUCCESS : wasi_errno_from(errno);
	*ret_bytes = (size_t)put;
	return WASI_SUCCESS;
}

/* Everything, unless something comes between: then what went before counts. */
static uint32_t deliver(struct wasi_call *call, struct wasi_entry *entry,
			struct wasi_buffers *buffers, size_t *ret_bytes)
{
	const struct wasi_stream *stream = &call->wasi->streams[entry->stream];
	const bool may_wait = !(entry->flags & WASI_FDFLAG_NONBLOCK);
	size_t total = 0;
	uint32_t error = WASI_SUCCESS;

	while (!error && buffers->total_bytes > 0) {
		size_t put = 0;
		short events = 0;

		error = wait_for(call, entry->fd, POLLOUT, may_wait, &events);
		if (!error && !events)
			error = WASI_EAGAIN;
		if (!error)
			error = write_some(entry, stream, events, buffers, &put);
		wasi_buffers_skip(buffers, put);
		total += put;
		if (!error && put == 0 && wasi_expired(call))
			error = WASI_EINTR;
	}
	*ret_bytes = total;
	return total > 0 ? WASI_SUCCESS : error;
}

uint32_t wasi_stream_write(struct wasi_call *call, struct wasi_entry *entry,
			   struct wasi_buffers *buffers, uint64_t *ret_bytes)
{
	struct wasi_stream_report *seen = &call->wasi->streams[entry->stream].seen;
	const uint64_t delivered = seen->bytes - seen->dropped_bytes;
	const uint64_t limit = call->wasi->limits.output_bytes;
	const uint64_t room = entry->fd < 0 || delivered >= limit ? 0 : limit - delivered;
	const size_t wanted = buffers->total_bytes;
	size_t put = 0;
	uint32_t error;

	wasi_buffers_cut(buffers, room < wanted ? (size_t)room : wanted);
	const size_t deliverable = buffers->total_bytes;
	error = deliver(call, entry, buffers, &put);
	*ret_bytes = put;
	if (error)
		return error;
	/* Past the limit a guest goes on as if all had been taken. */
	if (put == deliverable) {
		seen->dropped_bytes += wanted - deliverable;
		*ret_bytes = wanted;
	}
	seen->bytes += *ret_bytes;
	return WASI_SUCCESS;
}
