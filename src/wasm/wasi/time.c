/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Clocks: the host's, or one that is the same in every run; and the deadline. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

enum { NS_PER_S = 1000000000, TICK_NS = 1000 };

uint64_t wasi_now(clockid_t clock)
{
	struct timespec now;

	/* It cannot fail for the clocks there are. */
	if (clock_gettime(clock, &now) != 0 || now.tv_sec < 0)
		return 0;
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

bool wasi_expired(struct wasi_call *call)
{
	struct wasi *wasi = call->wasi;

	if (wasi->deadline_ns == 0 || wasi_now(CLOCK_MONOTONIC) < wasi->deadline_ns)
		return false;
	wasi->seen.expired = true;
	call->expired = true;
	return true;
}

static bool clock_of(uint32_t clock, clockid_t *ret)
{
	static const clockid_t clocks[] = {
		[WASI_CLOCK_REALTIME] = CLOCK_REALTIME,
		[WASI_CLOCK_MONOTONIC] = CLOCK_MONOTONIC,
		[WASI_CLOCK_PROCESS_CPUTIME] = CLOCK_PROCESS_CPUTIME_ID,
		[WASI_CLOCK_THREAD_CPUTIME] = CLOCK_THREAD_CPUTIME_ID,
	};

	if (clock >= sizeof(clocks) / sizeof(clocks[0]))
		return false;
	*ret = clocks[clock];
	return true;
}

uint32_t wasi_clock_read(struct wasi *wasi, uint32_t clock, uint64_t *ret)
{
	clockid_t host;

	if (!clock_of(clock, &host))
		return WASI_EINVAL;
	if (wasi->deterministic) {
		*ret = wasi->clock_ns;
		/* So that a guest that waits for time to pass sees it pass. */
		wasi->clock_ns += TICK_NS;
	} else {
		*ret = wasi_now(host);
	}
	return WASI_SUCCESS;
}

uint32_t wasi_clock_time_get(struct wasi_call *call)
{
	uint64_t now;
	uint32_t error = wasi_clock_read(call->wasi, wasi_arg32(call, 0), &now);

	/* The precision in args[1] may be ignored. */
	return error ? error : wasi_store64(call, wasi_arg32(call, 2), now);
}

uint32_t wasi_clock_res_get(struct wasi_call *call)
{
	struct timespec resolution;
	clockid_t host;

	if (!clock_of(wasi_arg32(call, 0), &host))
		return WASI_EINVAL;
	if (call->wasi->deterministic)
		return wasi_store64(call, wasi_arg32(call, 1), TICK_NS);
	if (clock_getres(host, &resolution) != 0)
		return wasi_errno_from(errno);
	return wasi_store64(call, wasi_arg32(call, 1),
			    (uint64_t)resolution.tv_sec * NS_PER_S + (uint64_t)resolution.tv_nsec);
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
				 .tv_nsec = (long)(ns % NS_PER_S)};
}

uint32_t wasi_times(struct wasi *wasi, uint64_t atim, uint64_t mtim, uint32_t flags,
		    struct timespec ret[2])
{
	const uint64_t wanted[2] = {atim, mtim};
	const uint32_t set[2] = {WASI_FSTFLAG_ATIM, WASI_FSTFLAG_MTIM};
	const uint32_t set_now[2] = {WASI_FSTFLAG_ATIM_NOW, WASI_FSTFLAG_MTIM_NOW};

	if (flags & ~(uint32_t)WASI_FSTFLAGS_ALL)
		return WASI_EINVAL;
	for (int i = 0; i < 2; i++) {
		if ((flags & set[i]) && (flags & set_now[i]))
			return WASI_EINVAL;
		if (flags & set[i])
			ret[i] = to_timespec(wanted[i]);
		else if (!(flags & set_now[i]))
			ret[i] = (struct timespec){.tv_nsec = UTIME_OMIT};
		else if (wasi->deterministic)
			ret[i] = to_timespec(wasi->clock_ns);
		else
			ret[i] = (struct timespec){.tv_nsec = UTIME_NOW};
	}
	return WASI_SUCCESS;
}
