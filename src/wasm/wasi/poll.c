/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* poll_oneoff: waits for streams and clocks, at most until the deadline. */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { CHARGE_SUBSCRIPTION = 100 };

struct subscription {
	uint64_t userdata;
	uint8_t type;
	bool done; /* it has an event: */
	uint32_t error;
	uint64_t bytes;
	uint16_t flags;
	uint64_t due_ns; /* of a clock, by the clock that is waited by */
	int polled;      /* of a stream, where among those */
};

struct waiting {
	struct wasi_call *call;
	struct subscription items[WASI_SUBSCRIPTIONS_MAX];
	uint32_t count;
	struct pollfd fds[WASI_SUBSCRIPTIONS_MAX];
	nfds_t fd_count;
	bool any_done;
	bool any_clock;
	uint64_t due_ns; /* the earliest */
};

/* The clock that is waited by: CLOCK_MONOTONIC, or the guest's own where that is made up. */
static uint64_t now_of(const struct waiting *waiting)
{
	const struct wasi *wasi = waiting->call->wasi;

	return wasi->deterministic ? wasi->clock_ns : wasi_now(CLOCK_MONOTONIC);
}

static void finish(struct waiting *waiting, struct subscription *item, uint32_t error)
{
	item->done = true;
	item->error = error;
	waiting->any_done = true;
}

static void add_clock(struct waiting *waiting, struct subscription *item, const uint8_t *from)
{
	const struct wasi *wasi = waiting->call->wasi;
	const uint32_t clock = wasi_get32(from + 16);
	const uint64_t timeout = wasi_get64(from + 24);
	const uint64_t now = now_of(waiting);
	uint64_t left = timeout;

	if (clock != WASI_CLOCK_REALTIME && clock != WASI_CLOCK_MONOTONIC) {
		finish(waiting, item, WASI_ENOTSUP);
		return;
	}
	if (wasi_get16(from + 40) & WASI_SUBSCRIPTION_ABSTIME) {
		const uint64_t clock_now = clock == WASI_CLOCK_REALTIME && !wasi->deterministic
						   ? wasi_now(CLOCK_REALTIME)
						   : now;

		left = timeout > clock_now ? timeout - clock_now : 0;
	}
	if (!bv_add(now, left, &item->due_ns))
		item->due_ns = UINT64_MAX;
	if (!waiting->any_clock || item->due_ns < waiting->due_ns)
		waiting->due_ns = item->due_ns;
	waiting->any_clock = true;
}

/* What is left to read of a file. */
static uint64_t left_of(int fd)
{
	struct stat file;
	const off_t at = lseek(fd, 0, SEEK_CUR);

	if (at < 0 || fstat(fd, &file) != 0 || file.st_size < at)
		return 0;
	return (uint64_t)(file.st_size - at);
}

static void add_descriptor(struct waiting *waiting, struct subscription *item, const uint8_t *from)
{
	const bool reads = item->type == WASI_EVENT_FD_READ;
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(waiting->call, wasi_get32(from + 16),
					WASI_RIGHT_POLL_FD_READWRITE |
						(reads ? WASI_RIGHT_FD_READ : WASI_RIGHT_FD_WRITE),
					reads ? WASI_ACCESS_READ : WASI_ACCESS_WRITE, &entry);

	if (error) {
		finish(waiting, item, error);
	} else if (entry->kind == WASI_KIND_STREAM && entry->fd >= 0) {
		item->polled = (int)waiting->fd_count;
		waiting->fds[waiting->fd_count++] = (struct pollfd){.fd = entry->fd,
								    .events = reads ? POLLIN
										    : POLLOUT};
	} else {
		/* A file is always ready, and so is a stream that is not there. */
		item->bytes = entry->kind == WASI_KIND_FILE && reads ? left_of(entry->fd) : 0;
		item->flags = entry->kind == WASI_KIND_STREAM && reads ? WASI_EVENT_HANGUP : 0;
		finish(waiting, item, WASI_SUCCESS);
	}
}

static uint32_t add(struct waiting *waiting, const uint8_t *from)
{
	struct subscription *item = &waiting->items[waiting->count++];

	*item = (struct subscription){.userdata = wasi_get64(from), .type = from[8], .polled = -1};
	switch (item->type) {
	case WASI_EVENT_CLOCK:
		add_clock(waiting, item, from);
		return WASI_SUCCESS;
	case WASI_EVENT_FD_READ:
	case WASI_EVENT_FD_WRITE:
		add_descriptor(waiting, item, from);
		return WASI_SUCCESS;
	default:
		return WASI_EINVAL;
	}
}

/* What has come since, of streams and clocks. */
static void collect(struct waiting *waiting)
{
	const uint64_t now = now_of(waiting);

	for (uint32_t i = 0; i < waiting->count; i++) {
		struct subscription *item = &waiting->items[i];
		const short events = item->polled >= 0 ? waiting->fds[item->polled].revents : 0;

		if (events) {
			/* At least; how many more only a read tells. */
			item->bytes = events & (POLLIN | POLLOUT) ? 1 : 0;
			item->flags = events & (POLLHUP | POLLERR) ? WASI_EVENT_HANGUP : 0;
			finish(waiting, item, events & POLLNVAL ? WASI_EBADF : WASI_SUCCESS);
		} else if (item->type == WASI_EVENT_CLOCK && !item->done && item->due_ns <= now) {
			finish(waiting, item, WASI_SUCCESS);
		}
	}
}

/* How long to wait now: NULL is for ever. */
static const struct timespec *time_left(const struct waiting *waiting, struct timespec *room)
{
	const struct wasi *wasi = waiting->call->wasi;
	const uint64_t now = wasi_now(CLOCK_MONOTONIC);
	uint64_t until = wasi->deadline_ns ? wasi->deadline_ns : UINT64_MAX;

	/* A clock that is made up is not waited for. */
	if (waiting->any_done || (waiting->any_clock && wasi->deterministic))
		until = 0;
	else if (waiting->any_clock && waiting->due_ns < until)
		until = waiting->due_ns;
	if (until == UINT64_MAX)
		return NULL;
	*room = (struct timespec){0};
	if (until > now) {
		room->tv_sec = (time_t)((until - now) / 1000000000);
		room->tv_nsec = (long)((until - now) % 1000000000);
	}
	return room;
}

static uint32_t wait_for_any(struct waiting *waiting)
{
	struct wasi *wasi = waiting->call->wasi;
	struct timespec room;

	for (;;) {
		const int count = ppoll(waiting->fds, waiting->fd_count, time_left(waiting, &room),
					NULL);

		if (count < 0 && errno != EINTR)
			return wasi_errno_from(errno);
		if (count < 0) {
			/* Nothing was looked at: what stands there is from before. */
			for (nfds_t i = 0; i < waiting->fd_count; i++)
				waiting->fds[i].revents = 0;
		}
		if (count == 0 && !waiting->any_done && wasi->deterministic && waiting->any_clock &&
		    waiting->due_ns > wasi->clock_ns)
			wasi->clock_ns = waiting->due_ns;
		collect(waiting);
		if (waiting->any_done)
			return WASI_SUCCESS;
		if (wasi_expired(waiting->call))
			return WASI_EINTR;
	}
}

static uint32_t put_events(const struct waiting *waiting, uint8_t *to)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < waiting->count; i++) {
		const struct subscription *item = &waiting->items[i];
		uint8_t *event = to + (size_t)count * WASI_SIZE_EVENT;

		if (!item->done)
			continue;
		memset(event, 0, WASI_SIZE_EVENT);
		wasi_put64(event, item->userdata);
		wasi_put16(event + 8, (uint16_t)item->error);
		event[10] = item->type;
		wasi_put64(event + 16, item->bytes);
		wasi_put16(event + 24, item->flags);
		count++;
	}
	return count;
}

uint32_t wasi_poll_oneoff(struct wasi_call *call)
{
	const uint32_t count = wasi_arg32(call, 2);
	struct waiting waiting = {.call = call};
	uint8_t *from, *to, *room;
	uint32_t error = WASI_SUCCESS;

	if (count == 0 || count > WASI_SUBSCRIPTIONS_MAX)
		return WASI_EINVAL;
	if (!wasi_range(call, wasi_arg32(call, 0), (uint64_t)count * WASI_SIZE_SUBSCRIPTION,
			&from) ||
	    !wasi_range(call, wasi_arg32(call, 1), (uint64_t)count * WASI_SIZE_EVENT, &to) ||
	    !wasi_range(call, wasi_arg32(call, 3), 4, &room))
		return WASI_EFAULT;
	call->charge += (uint64_t)count * CHARGE_SUBSCRIPTION;
	/* All are read before the first event is written: the two may overlap. */
	for (uint32_t i = 0; i < count && !error; i++)
		error = add(&waiting, from + (size_t)i * WASI_SIZE_SUBSCRIPTION);
	if (!error)
		error = wait_for_any(&waiting);
	return error ? error : wasi_store32(call, wasi_arg32(call, 3), put_events(&waiting, to));
}
