/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wasi_streams.c - stdin, stdout, stderr, waiting, clocks, and the deadline of it all. */
#include "wasi_guest.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

enum { SUBSCRIPTIONS_AT = 8192, EVENTS_AT = 12288, MS = 1000000 };

static uint64_t now_ns(void)
{
	struct timespec now;

	EXPECT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A guest with pipes: what we write is `in[1]`, what we read `out[0]`. */
struct piped {
	struct guest guest;
	int in[2], out[2];
	struct wasi_config config;
};

static void open_piped(struct piped *piped, uint64_t deadline_ms)
{
	piped->config = guest_config();
	EXPECT(pipe2(piped->in, O_CLOEXEC) == 0 && pipe2(piped->out, O_CLOEXEC) == 0);
	piped->config.stream_fds[0] = piped->in[0];
	piped->config.stream_fds[1] = piped->out[1];
	piped->config.stream_fds[2] = piped->out[1];
	if (deadline_ms)
		piped->config.deadline_ns = now_ns() + deadline_ms * MS;
}

static void put64(struct guest *guest, uint32_t at, uint64_t value)
{
	for (uint32_t i = 0; i < 8; i++)
		guest->memory[at + i] = (uint8_t)(value >> (i * 8));
}

static void subscribe_clock(struct guest *guest, uint32_t index, uint32_t clock, uint64_t timeout,
			    uint32_t flags)
{
	const uint32_t at = SUBSCRIPTIONS_AT + index * WASI_SIZE_SUBSCRIPTION;

	memset(guest->memory + at, 0, WASI_SIZE_SUBSCRIPTION);
	put64(guest, at, 1000 + index);
	put64(guest, at + 16, clock);
	put64(guest, at + 24, timeout);
	guest->memory[at + 40] = (uint8_t)flags;
}

static void subscribe_fd(struct guest *guest, uint32_t index, uint32_t fd, uint8_t type)
{
	const uint32_t at = SUBSCRIPTIONS_AT + index * WASI_SIZE_SUBSCRIPTION;

	memset(guest->memory + at, 0, WASI_SIZE_SUBSCRIPTION);
	put64(guest, at, 1000 + index);
	guest->memory[at + 8] = type;
	put64(guest, at + 16, fd);
}

/* Returns how many events. */
static uint32_t poll_for(struct guest *guest, uint32_t count)
{
	EXPECT_INT(CALL(guest, "poll_oneoff", SUBSCRIPTIONS_AT, EVENTS_AT, count, RESULT), 0);
	return guest_get32(guest, RESULT);
}

static uint32_t event_of(const struct guest *guest, uint32_t place, uint32_t *ret_error)
{
	const uint32_t at = EVENTS_AT + place * WASI_SIZE_EVENT;

	*ret_error = guest_get32(guest, at + 8) & 0xffff;
	return (uint32_t)guest_get64(guest, at) - 1000;
}

/* ---- streams --------------------------------------------------------------------------------------- */

TEST(streams_carry_what_is_written)
{
	struct piped piped;
	char text[64];
	uint32_t put;

	open_piped(&piped, 0);
	guest_open(&piped.guest, &piped.config);
	EXPECT(write(piped.in[1], "input", 5) == 5);
	EXPECT_INT(guest_read(&piped.guest, 0, 3, text), 0);
	EXPECT_STR(text, "inp");
	EXPECT_INT(guest_read(&piped.guest, 0, 60, text), 0);
	EXPECT_STR(text, "ut");
	EXPECT(close(piped.in[1]) == 0);
	EXPECT_INT(guest_read(&piped.guest, 0, 60, text), 0);
	EXPECT_STR(text, "");
	EXPECT_INT(guest_write(&piped.guest, 1, "out", &put), 0);
	EXPECT_INT(guest_write(&piped.guest, 2, "err", &put), 0);
	EXPECT(read(piped.out[0], text, 64) == 6 && memcmp(text, "outerr", 6) == 0);
	EXPECT_INT(guest_write(&piped.guest, 0, "x", &put), WASI_ENOTCAPABLE);
	EXPECT_INT(guest_read(&piped.guest, 1, 9, text), WASI_ENOTCAPABLE);
	EXPECT_INT(CALL(&piped.guest, "fd_seek", 1, 0, 0, RESULT), WASI_ESPIPE);
	EXPECT_INT(CALL(&piped.guest, "fd_tell", 0, RESULT), WASI_ESPIPE);
	EXPECT_INT(CALL(&piped.guest, "fd_filestat_get", 1, RESULT), 0);
	EXPECT_UINT(guest_get64(&piped.guest, RESULT + 8), 0);
	EXPECT_UINT(guest_report(&piped.guest).streams[0].bytes, 5);
	EXPECT_UINT(guest_report(&piped.guest).streams[1].bytes, 3);
	EXPECT_UINT(guest_report(&piped.guest).streams[2].bytes, 3);
	guest_close(&piped.guest);
}

TEST(streams_that_are_not_there_end_and_swallow)
{
	struct guest guest;
	char text[8];
	uint32_t put;

	guest_open(&guest, NULL);
	EXPECT_INT(guest_read(&guest, 0, 4, text), 0);
	EXPECT_STR(text, "");
	EXPECT_INT(guest_write(&guest, 1, "gone", &put), 0);
	EXPECT_UINT(put, 4);
	EXPECT_UINT(guest_report(&guest).streams[1].bytes, 4);
	EXPECT_UINT(guest_report(&guest).streams[1].dropped_bytes, 4);
	guest_close(&guest);
}

TEST(output_past_its_limit_is_dropped_and_counted)
{
	struct piped piped;
	char text[64];
	uint32_t put;

	open_piped(&piped, 0);
	piped.config.limits.output_bytes = 6;
	guest_open(&piped.guest, &piped.config);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(guest_write(&piped.guest, 1, "1234", &put), 0);
		EXPECT_UINT(put, 4);
	}
	EXPECT(read(piped.out[0], text, 64) == 6 && memcmp(text, "123412", 6) == 0);
	EXPECT_UINT(guest_report(&piped.guest).streams[1].bytes, 12);
	EXPECT_UINT(guest_report(&piped.guest).streams[1].dropped_bytes, 6);
	/* Each has its own. */
	EXPECT_INT(guest_write(&piped.guest, 2, "err", &put), 0);
	EXPECT(read(piped.out[0], text, 64) == 3);
	guest_close(&piped.guest);
}

TEST(a_reader_that_is_gone_is_an_error_not_the_end)
{
	struct piped piped;
	uint32_t put;

	open_piped(&piped, 0);
	guest_open(&piped.guest, &piped.config);
	EXPECT(close(piped.out[0]) == 0);
	signal(SIGPIPE, SIG_DFL); /* it must not even arise */
	EXPECT_INT(guest_write(&piped.guest, 1, "x", &put), WASI_EPIPE);
	guest_close(&piped.guest);
}

/* ---- the deadline ---------------------------------------------------------------------------------- */

TEST_WITHIN(no_wait_is_longer_than_the_deadline, 20)
{
	struct piped piped;
	const uint64_t begin = now_ns();
	static char full[10001];
	char text[8];
	uint32_t put, error;

	open_piped(&piped, 300);
	guest_open(&piped.guest, &piped.config);
	/* A pipe nobody reads, which the last write finds nearly full. */
	memset(full, 'x', sizeof(full) - 1);
	do
		error = guest_write(&piped.guest, 1, full, &put);
	while (error == 0 && now_ns() - begin < (uint64_t)5000 * MS);
	EXPECT_INT(error, WASI_EINTR);
	EXPECT(piped.guest.expired);
	EXPECT(now_ns() - begin >= 290 * (uint64_t)MS);
	/* Afterwards nothing waits any more: not for a writer, not for a clock. */
	EXPECT_INT(guest_read(&piped.guest, 0, 4, text), WASI_EINTR);
	subscribe_clock(&piped.guest, 0, WASI_CLOCK_MONOTONIC, UINT64_MAX, 0);
	EXPECT_INT(CALL(&piped.guest, "poll_oneoff", SUBSCRIPTIONS_AT, EVENTS_AT, 1, RESULT),
		   WASI_EINTR);
	subscribe_fd(&piped.guest, 0, 0, WASI_EVENT_FD_READ);
	EXPECT_INT(CALL(&piped.guest, "poll_oneoff", SUBSCRIPTIONS_AT, EVENTS_AT, 1, RESULT),
		   WASI_EINTR);
	EXPECT_INT(CALL(&piped.guest, "random_get", 0, 100), WASI_EINTR);
	EXPECT(now_ns() - begin < (uint64_t)3000 * MS * (uint64_t)test_patience());
	EXPECT(guest_report(&piped.guest).expired);
	guest_close(&piped.guest);
}

static void *interrupt(void *thread)
{
	for (int i = 0; i < 40; i++) {
		usleep(5000);
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	}
	return NULL;
}

static void nothing(int number)
{
	(void)number;
}

TEST_WITHIN(signals_do_not_end_a_wait, 20)
{
	const struct sigaction action = {.sa_handler = nothing};
	struct piped piped;
	pthread_t self = pthread_self(), other;
	const uint64_t begin = now_ns();
	uint32_t error;

	open_piped(&piped, 10000);
	guest_open(&piped.guest, &piped.config);
	EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
	EXPECT(pthread_create(&other, NULL, interrupt, &self) == 0);
	subscribe_clock(&piped.guest, 0, WASI_CLOCK_MONOTONIC, 100 * (uint64_t)MS, 0);
	EXPECT_UINT(poll_for(&piped.guest, 1), 1);
	EXPECT_UINT(event_of(&piped.guest, 0, &error), 0);
	EXPECT(now_ns() - begin >= 100 * (uint64_t)MS);
	EXPECT(pthread_join(other, NULL) == 0);
	guest_close(&piped.guest);
}

/* ---- poll_oneoff ----------------------------------------------------------------------------------- */

TEST(polling_tells_what_is_ready)
{
	struct piped piped;
	uint32_t fd, error;

	open_piped(&piped, 10000);
	guest_open(&piped.guest, &piped.config);
	EXPECT_INT(guest_open_file(&piped.guest, RO, "file", 0,
				   ALL_RIGHTS & ~(uint64_t)WASI_RIGHT_FD_WRITE, &fd),
		   0);
	subscribe_fd(&piped.guest, 0, 0, WASI_EVENT_FD_READ);
	subscribe_clock(&piped.guest, 1, WASI_CLOCK_MONOTONIC, 5 * MS, 0);
	EXPECT_UINT(poll_for(&piped.guest, 2), 1);
	EXPECT_UINT(event_of(&piped.guest, 0, &error), 1);
	EXPECT_UINT(error, 0);
	EXPECT(write(piped.in[1], "x", 1) == 1);
	subscribe_clock(&piped.guest, 1, WASI_CLOCK_REALTIME, UINT64_MAX, 1);
	EXPECT_UINT(poll_for(&piped.guest, 2), 1);
	EXPECT_UINT(event_of(&piped.guest, 0, &error), 0);
	/* A file is ready, what is no descriptor is said of it alone, an old time is past. */
	subscribe_fd(&piped.guest, 1, fd, WASI_EVENT_FD_READ);
	subscribe_fd(&piped.guest, 2, 77, WASI_EVENT_FD_READ);
	subscribe_fd(&piped.guest, 3, 1, WASI_EVENT_FD_WRITE);
	subscribe_fd(&piped.guest, 4, fd, WASI_EVENT_FD_WRITE);
	subscribe_clock(&piped.guest, 5, WASI_CLOCK_REALTIME, 1, 1);
	subscribe_clock(&piped.guest, 6, WASI_CLOCK_PROCESS_CPUTIME, 1, 0);
	EXPECT_UINT(poll_for(&piped.guest, 7), 7);
	EXPECT_UINT(event_of(&piped.guest, 1, &error), 1);
	EXPECT_UINT(guest_get64(&piped.guest, EVENTS_AT + WASI_SIZE_EVENT + 16), 9);
	(void)event_of(&piped.guest, 2, &error);
	EXPECT_UINT(error, WASI_EBADF);
	(void)event_of(&piped.guest, 4, &error);
	EXPECT_UINT(error, WASI_EROFS);
	(void)event_of(&piped.guest, 6, &error);
	EXPECT_UINT(error, WASI_ENOTSUP);
	guest_close(&piped.guest);
}

/* CVE-2026-54914 of another engine: the count is the guest's, so is where the events go. */
TEST(polling_checks_how_many_and_where)
{
	static const uint32_t counts[] = {0, WASI_SUBSCRIPTIONS_MAX + 1, 0x05555556, 0x08000000,
					  UINT32_MAX};
	struct guest guest;

	guest_open(&guest, NULL);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		EXPECT_INT(CALL(&guest, "poll_oneoff", SUBSCRIPTIONS_AT, EVENTS_AT, counts[i],
				RESULT),
			   WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "poll_oneoff", MEMORY_SIZE - 47, EVENTS_AT, 1, RESULT),
		   WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "poll_oneoff", SUBSCRIPTIONS_AT, MEMORY_SIZE - 31, 1, RESULT),
		   WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "poll_oneoff", SUBSCRIPTIONS_AT, EVENTS_AT, 1, MEMORY_SIZE - 3),
		   WASI_EFAULT);
	guest.memory[SUBSCRIPTIONS_AT + 8] = 3;
	EXPECT_INT(CALL(&guest, "poll_oneoff", SUBSCRIPTIONS_AT, EVENTS_AT, 1, RESULT),
		   WASI_EINVAL);
	/* Events over their own subscriptions: all were read before. */
	for (uint32_t i = 0; i < WASI_SUBSCRIPTIONS_MAX; i++)
		subscribe_clock(&guest, i, WASI_CLOCK_MONOTONIC, 0, 0);
	EXPECT_INT(CALL(&guest, "poll_oneoff", SUBSCRIPTIONS_AT, SUBSCRIPTIONS_AT,
			WASI_SUBSCRIPTIONS_MAX, RESULT),
		   0);
	EXPECT_UINT(guest_get32(&guest, RESULT), WASI_SUBSCRIPTIONS_MAX);
	for (uint32_t i = 0; i < WASI_SUBSCRIPTIONS_MAX; i++)
		EXPECT_UINT(guest_get64(&guest, SUBSCRIPTIONS_AT + i * WASI_SIZE_EVENT), 1000 + i);
	guest_close(&guest);
}

TEST(a_guest_that_must_not_wait_is_told_to_come_again)
{
	struct piped piped;
	char text[8];

	open_piped(&piped, 0);
	guest_open(&piped.guest, &piped.config);
	EXPECT_INT(CALL(&piped.guest, "fd_fdstat_set_flags", 0, WASI_FDFLAG_NONBLOCK), 0);
	EXPECT_INT(guest_read(&piped.guest, 0, 4, text), WASI_EAGAIN);
	EXPECT(!(fcntl(piped.in[0], F_GETFL) & O_NONBLOCK)); /* the pipe is not ours */
	EXPECT(write(piped.in[1], "y", 1) == 1);
	EXPECT_INT(guest_read(&piped.guest, 0, 4, text), 0);
	EXPECT_STR(text, "y");
	guest_close(&piped.guest);
}

/* ---- clocks ---------------------------------------------------------------------------------------- */

static uint64_t clock_of(struct guest *guest, uint32_t clock)
{
	EXPECT_INT(CALL(guest, "clock_time_get", clock, 0, RESULT), 0);
	return guest_get64(guest, RESULT);
}

TEST(clocks_are_the_hosts)
{
	struct guest guest;
	struct timespec now;
	uint64_t before = now_ns(), told;

	guest_open(&guest, NULL);
	told = clock_of(&guest, WASI_CLOCK_MONOTONIC);
	EXPECT(told >= before && told <= now_ns());
	EXPECT(clock_gettime(CLOCK_REALTIME, &now) == 0);
	told = clock_of(&guest, WASI_CLOCK_REALTIME) / 1000000000;
	EXPECT(told >= (uint64_t)now.tv_sec && told <= (uint64_t)now.tv_sec + 30);
	EXPECT(clock_of(&guest, WASI_CLOCK_PROCESS_CPUTIME) > 0);
	EXPECT(clock_of(&guest, WASI_CLOCK_THREAD_CPUTIME) > 0);
	EXPECT_INT(CALL(&guest, "clock_time_get", 4, 0, RESULT), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "clock_res_get", WASI_CLOCK_MONOTONIC, RESULT), 0);
	EXPECT(guest_get64(&guest, RESULT) > 0);
	EXPECT_INT(CALL(&guest, "clock_res_get", 9, RESULT), WASI_EINVAL);
	guest_close(&guest);
}

TEST_WITHIN(a_deterministic_guest_sees_the_same_time_and_chance, 20)
{
	uint8_t seen[2][64];
	uint64_t told[2][2];

	for (int run = 0; run < 2; run++) {
		struct wasi_config config = guest_config();
		struct guest guest;
		uint32_t error;

		config.deterministic = true;
		config.clock_ns = 946684800000000000;
		config.seed = 7;
		guest_open(&guest, &config);
		EXPECT_INT(CALL(&guest, "random_get", 8192, 61), 0);
		memcpy(seen[run], guest.memory + 8192, 64);
		told[run][0] = clock_of(&guest, WASI_CLOCK_REALTIME);
		/* An hour, at once. */
		subscribe_clock(&guest, 0, WASI_CLOCK_MONOTONIC, 3600000000000, 0);
		EXPECT_UINT(poll_for(&guest, 1), 1);
		EXPECT_UINT(event_of(&guest, 0, &error), 0);
		told[run][1] = clock_of(&guest, WASI_CLOCK_PROCESS_CPUTIME);
		guest_close(&guest);
	}
	EXPECT_BYTES(seen[0], 64, seen[1], 64);
	EXPECT(memcmp(told[0], told[1], sizeof(told[0])) == 0);
	EXPECT_UINT(told[0][0], 946684800000000000);
	EXPECT_UINT(told[0][1], 946684800000000000 + 3600000000000 + 1000);
	/* And another seed gives other bytes. */
	struct wasi_config config = guest_config();
	struct guest guest;

	config.deterministic = true;
	config.seed = 8;
	guest_open(&guest, &config);
	EXPECT_INT(CALL(&guest, "random_get", 8192, 61), 0);
	EXPECT(memcmp(seen[0], guest.memory + 8192, 61) != 0);
	guest_close(&guest);
}
