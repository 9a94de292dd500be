/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Arguments, environment, random bytes, the end; and sockets, of which there are none. */
#include "internal.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "linux/sys.h"

enum { RANDOM_CHUNK_BYTES = 65536, CHARGE_SHIFT = 2 };

static uint32_t put_strings(struct wasi_call *call, const struct wasi_strings *strings)
{
	const uint32_t text_at = wasi_arg32(call, 1);
	uint8_t *pointers, *text;
	size_t at = 0;

	if (!wasi_range(call, wasi_arg32(call, 0), (uint64_t)strings->count * 4, &pointers) ||
	    !wasi_range(call, text_at, strings->text_bytes, &text))
		return WASI_EFAULT;
	for (size_t i = 0; i < strings->count; i++) {
		wasi_put32(pointers + i * 4, text_at + (uint32_t)at);
		at += strlen(strings->text + at) + 1;
	}
	/* Last: where the two overlap, the text is right at least. */
	if (strings->text_bytes)
		memcpy(text, strings->text, strings->text_bytes);
	call->charge += strings->text_bytes >> CHARGE_SHIFT;
	return WASI_SUCCESS;
}

static uint32_t put_sizes(struct wasi_call *call, const struct wasi_strings *strings)
{
	uint32_t error = wasi_store32(call, wasi_arg32(call, 0), (uint32_t)strings->count);

	return error ? error
		     : wasi_store32(call, wasi_arg32(call, 1), (uint32_t)strings->text_bytes);
}

uint32_t wasi_args_get(struct wasi_call *call)
{
	return put_strings(call, &call->wasi->args);
}

uint32_t wasi_args_sizes_get(struct wasi_call *call)
{
	return put_sizes(call, &call->wasi->args);
}

uint32_t wasi_environ_get(struct wasi_call *call)
{
	return put_strings(call, &call->wasi->env);
}

uint32_t wasi_environ_sizes_get(struct wasi_call *call)
{
	return put_sizes(call, &call->wasi->env);
}

uint32_t wasi_proc_exit(struct wasi_call *call)
{
	call->exited = true;
	call->exit_code = wasi_arg32(call, 0);
	return WASI_SUCCESS;
}

uint32_t wasi_proc_raise(struct wasi_call *call)
{
	(void)call; /* no signal is any use to it */
	return WASI_ENOTSUP;
}

uint32_t wasi_sched_yield(struct wasi_call *call)
{
	(void)call;
	(void)sched_yield(); /* it cannot fail on Linux */
	return WASI_SUCCESS;
}

/* SplitMix64: every value once, and the same from the same seed.  No secret is made of it. */
static uint64_t next_random(struct wasi *wasi)
{
	uint64_t value = wasi->random_state += 0x9e3779b97f4a7c15;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
	value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
	return value ^ (value >> 31);
}

static void fill_from_seed(struct wasi *wasi, uint8_t *to, size_t size_bytes)
{
	while (size_bytes > 0) {
		const size_t part = size_bytes < 8 ? size_bytes : 8;
		uint8_t bytes[8];

		wasi_put64(bytes, next_random(wasi));
		memcpy(to, bytes, part);
		to += part;
		size_bytes -= part;
	}
}

uint32_t wasi_random_get(struct wasi_call *call)
{
	size_t left = wasi_arg32(call, 1);
	uint8_t *to;

	if (!wasi_range(call, wasi_arg32(call, 0), left, &to))
		return WASI_EFAULT;
	call->charge += left >> CHARGE_SHIFT;
	/* In pieces: a whole memory full takes seconds, and nothing interrupts this but the deadline. */
	while (left > 0) {
		const size_t part = left < RANDOM_CHUNK_BYTES ? left : RANDOM_CHUNK_BYTES;
		ssize_t got = (ssize_t)part;

		if (wasi_expired(call))
			return WASI_EINTR;
		if (call->wasi->deterministic)
			fill_from_seed(call->wasi, to, part);
		else
			got = bv_sys_getrandom(to, part, 0);
		if (got < 0 && errno != EINTR)
			return wasi_errno_from(errno);
		if (got > 0) {
			to += got;
			left -= (size_t)got;
		}
	}
	return WASI_SUCCESS;
}

/* No descriptor is ever a socket that a guest may use as one. */
static uint32_t no_socket(struct wasi_call *call)
{
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &entry);

	wasi_denied(call, WASI_DENIED_NETWORK, NULL, NULL);
	return error ? error : WASI_ENOTSOCK;
}

uint32_t wasi_sock_accept(struct wasi_call *call)
{
	return no_socket(call);
}

uint32_t wasi_sock_recv(struct wasi_call *call)
{
	return no_socket(call);
}

uint32_t wasi_sock_send(struct wasi_call *call)
{
	return no_socket(call);
}

uint32_t wasi_sock_shutdown(struct wasi_call *call)
{
	return no_socket(call);
}
