/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* input.c - feeds the workload's standard input, and tells its terminal how large it is. */
#include "run.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "spawn.h"

/*
 * write(2) to a pipe whose reader is gone raises SIGPIPE, which is the caller's signal and not ours
 * to spend: it is blocked for this thread, and one that we caused is taken back.
 */
static ssize_t write_quietly(int fd, const void *data, size_t size_bytes)
{
	const struct timespec at_once = {0, 0};
	sigset_t pipe_signal, before, pending;
	bool was_pending;
	ssize_t wrote;
	int saved;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigemptyset(&pending);
	(void)sigpending(&pending);
	was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	do {
		wrote = write(fd, data, size_bytes);
	} while (wrote < 0 && errno == EINTR);
	saved = errno;
	if (wrote < 0 && saved == EPIPE && !was_pending)
		(void)sigtimedwait(&pipe_signal, NULL, &at_once);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return wrote;
}

static void close_input(struct bv_backend_run *run)
{
	if (run->input_fd >= 0)
		close(run->input_fd);
	run->input_fd = -1;
	run->input_watched = false;
}

/* Makes the run's descriptor readable once there is room again. */
static enum bv_code watch_for_room(struct bv_backend_run *run, struct bv_error *err)
{
	struct epoll_event event = {.events = EPOLLOUT, .data = {.u32 = BV_WATCH_INPUT}};
	struct bv_error failed = {.code = BV_OK};

	if (run->input_watched)
		return BV_OK;
	if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->input_fd, &event) == 0) {
		run->input_watched = true;
		return BV_OK;
	}
	/* The rest would never come, and the program wait for it. */
	bv__fail_errno(&failed, BV_E_SYSTEM, "stdin", "its input cannot be watched for room");
	bv__run_break_off(run, &failed);
	if (err != NULL)
		*err = failed;
	return failed.code;
}

static enum bv_code end_input(struct bv_backend_run *run)
{
	static const char end_of_file =
		4; /* Ctrl-D, which a terminal's line discipline makes one of */

	if (run->lowered.terminal && run->input_fd >= 0)
		(void)write_quietly(run->input_fd, &end_of_file, 1);
	else
		close_input(run);
	return BV_OK;
}

enum bv_code bv__run_input(struct bv_backend_run *run, const void *data, size_t size_bytes,
			   size_t *ret_taken_bytes, struct bv_error *err)
{
	ssize_t wrote;

	*ret_taken_bytes = 0;
	if (!run->lowered.stdin_relay && !run->lowered.terminal)
		return bv_fail_remedy(err, BV_E_STATE, "stdin", "ask for a relayed standard input",
				      "standard input of this run is empty");
	if (data == NULL)
		return end_input(run);
	/* A workload that closed its standard input, or is gone, wants none of it: that is no error. */
	if (run->input_fd < 0) {
		*ret_taken_bytes = size_bytes;
		return BV_OK;
	}
	wrote = size_bytes > 0 ? write_quietly(run->input_fd, data, size_bytes) : 0;
	if (wrote < 0 && errno != EAGAIN) {
		close_input(run);
		*ret_taken_bytes = size_bytes;
		return BV_OK;
	}
	if (wrote > 0) {
		bv_hash_update(&run->input_hash, data, (size_t)wrote);
		run->input_bytes += (uint64_t)wrote;
		*ret_taken_bytes = (size_t)wrote;
	}
	return *ret_taken_bytes < size_bytes ? watch_for_room(run, err) : BV_OK;
}

bool bv__run_input_ready(struct bv_backend_run *run)
{
	struct pollfd room = {run->input_fd, POLLOUT, 0};

	if (run->state == BV_BACKEND_ENDED || run->input_fd < 0)
		return false;
	return poll(&room, 1, 0) == 1;
}

enum bv_code bv__run_resize(struct bv_backend_run *run, uint16_t rows, uint16_t columns,
			    struct bv_error *err)
{
	const struct winsize size = {.ws_row = rows, .ws_col = columns};

	if (run->terminal_fd < 0)
		return bv_fail(err, BV_E_STATE, "terminal", "this run has no terminal");
	if (ioctl(run->terminal_fd, TIOCSWINSZ, &size) != 0)
		return bv__fail_errno(err, BV_E_SYSTEM, "terminal", "its size cannot be set");
	return BV_OK;
}
