/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What passes between the caller's streams and the workload.  Nothing here waits: while we wait,
 * nobody would watch the limits.
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A pipe or terminal is opened once more for ourselves, because O_NONBLOCK on the caller's own
 * would surprise everybody who shares it.
 */
static void open_again(struct cli_sink *sink)
{
	char path[32];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", sink->fd);
	int again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (again < 0)
		return; /* no /proc, or another user's terminal: then it is looked at before each write */
	sink->fd = again;
	sink->opened = true;
	sink->kind = CLI_SINK_PLAIN;
}

int cli_sink_open(struct cli_sink *sink, int fd, const char *path, bool escapes)
{
	struct stat st;

	/* Not the whole struct: `pending` is large, and pages of it that are never used cost nothing. */
	sink->fd = fd;
	sink->opened = sink->closed = sink->gone = sink->full = false;
	sink->escape.held_count = 0;
	sink->pending_start = sink->pending_end = 0;
	sink->sys_errno = 0;
	if (path) {
		sink->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
		if (sink->fd < 0) {
			cli_say_errno(path, errno);
			return -1;
		}
		sink->opened = true;
	}
	sink->kind = CLI_SINK_SHARED;
	sink->escapes = false;
	if (fstat(sink->fd, &st) != 0 || (fcntl(sink->fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
		/* Closed, or what main put in its place: no fault until something is lost by it. */
		sink->closed = true;
	} else if (S_ISREG(st.st_mode)) {
		sink->kind = CLI_SINK_PLAIN;
	} else if (S_ISSOCK(st.st_mode)) {
		sink->kind = CLI_SINK_SOCKET;
	} else {
		sink->escapes = escapes && S_ISCHR(st.st_mode) && isatty(sink->fd);
		open_again(sink);
	}
	return 0;
}

/* Bytes written; 0 when there is no room now; -1 when there never will be. */
static ptrdiff_t write_some(struct cli_sink *sink, const char *data, size_t size_bytes)
{
	ssize_t n;

	do {
		if (sink->kind == CLI_SINK_SOCKET) {
			n = send(sink->fd, data, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
		} else if (sink->kind == CLI_SINK_PLAIN) {
			n = write(sink->fd, data, size_bytes);
		} else {
			struct pollfd room = {.fd = sink->fd, .events = POLLOUT};

			if (poll(&room, 1, 0) <= 0)
				return 0;
			n = write(sink->fd, data, size_bytes < PIPE_BUF ? size_bytes : PIPE_BUF);
		}
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	sink->gone = true;
	if (errno != EPIPE && errno != ECONNRESET)
		sink->sys_errno = errno;
	return -1;
}

void cli_sink_flush(struct cli_sink *sink)
{
	while (!sink->gone && sink->pending_start < sink->pending_end) {
		ptrdiff_t n = write_some(sink, sink->pending + sink->pending_start,
					 sink->pending_end - sink->pending_start);

		if (n <= 0)
			break;
		sink->pending_start += (size_t)n;
	}
	sink->full = !sink->gone && sink->pending_start < sink->pending_end;
}

static ptrdiff_t take_escaped(struct cli_sink *sink, const unsigned char *data, size_t size_bytes)
{
	size_t taken = 0;

	while (taken < size_bytes) {
		size_t used;

		cli_sink_flush(sink);
		if (sink->gone)
			return -1;
		if (sink->full)
			break;
		sink->pending_start = 0;
		sink->pending_end = cli_escape(&sink->escape, data + taken, size_bytes - taken,
					       &used, sink->pending,
					       sizeof sink->pending - CLI_ESCAPE_WORST);
		taken += used;
	}
	cli_sink_flush(sink);
	return sink->gone && taken == 0 ? -1 : (ptrdiff_t)taken;
}

ptrdiff_t cli_sink_take(struct cli_sink *sink, const void *data, size_t size_bytes)
{
	const char *bytes = data;
	size_t taken = 0;

	if (sink->closed) {
		sink->gone = true;
		sink->sys_errno = EBADF;
	}
	if (sink->gone)
		return -1;
	if (sink->escapes)
		return take_escaped(sink, data, size_bytes);
	while (taken < size_bytes) {
		ptrdiff_t n = write_some(sink, bytes + taken, size_bytes - taken);

		if (n < 0 && taken == 0)
			return -1;
		if (n <= 0)
			break;
		taken += (size_t)n;
	}
	sink->full = !sink->gone && taken < size_bytes;
	return (ptrdiff_t)taken;
}

void cli_sink_end(struct cli_sink *sink)
{
	if (sink->escapes && !sink->gone) {
		/* `take_escaped` left room for it. */
		sink->pending_end += cli_escape_end(&sink->escape,
						    sink->pending + sink->pending_end);
		for (cli_sink_flush(sink); sink->full; cli_sink_flush(sink)) {
			struct pollfd room = {.fd = sink->fd, .events = POLLOUT};

			if (poll(&room, 1, -1) < 0 && errno == EINTR)
				break; /* a signal: the caller has lost patience */
		}
	}
	if (sink->opened && close(sink->fd) != 0 && sink->sys_errno == 0)
		sink->sys_errno = errno;
	sink->opened = false;
}

bool cli_source_wants(const struct cli_source *source)
{
	return source->fd >= 0 && source->start == source->end;
}

void cli_source_feed(struct cli_source *source, struct bv_run *run, bool readable)
{
	size_t taken = 0;

	if (readable && cli_source_wants(source)) {
		ssize_t n = read(source->fd, source->data, sizeof source->data);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		source->start = 0;
		source->end = n > 0 ? (size_t)n : 0;
		if (n <= 0) {
			/* Unreadable is as good as ended; what was read before is delivered all the same. */
			if (source->opened)
				(void)close(source->fd);
			source->fd = -1;
		}
	}
	while (source->start < source->end) {
		if (bv_run_input(run, source->data + source->start, source->end - source->start,
				 &taken, NULL) != BV_OK) {
			/* It reads no more: neither do we. */
			source->start = source->end;
			source->fd = -1;
			source->finished = true;
			return;
		}
		if (taken == 0)
			return;
		source->start += taken;
	}
	if (source->fd < 0 && !source->finished) {
		source->finished = true;
		(void)bv_run_input(run, NULL, 0, &taken,
				   NULL); /* nothing to do if the workload is gone */
	}
}
