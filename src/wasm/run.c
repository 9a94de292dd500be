/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * run.c - bvisor-wasm-run: runs code that bvisor-wasm-compile made, once.
 *
 * The host starts it as the workload of an ordinary boundary.  It has no compiler in it, reads
 * nothing of the host's but the descriptors it is given, and locks itself further before the guest's
 * first instruction (lock.h).  Its environment and the arguments behind "--" are the guest's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "lock.h"
#include "options.h"
#include "result.h"

static struct options options;
static struct wasm_result *result; /* shared with the host */
static struct engine_guest *guest;
static struct wasi *wasi;

/* ---- the end --------------------------------------------------------------------------------- */

static void note_usage(void)
{
	if (guest == NULL)
		return;
	result->fuel_used = engine_runtime.fuel_used(guest);
	result->memory_bytes = engine_runtime.memory_bytes(guest);
}

static void note_calls(void)
{
	struct wasi_report report;

	if (wasi == NULL)
		return;
	wasi_observe(wasi, &report);
	result->calls = report.calls;
	result->storage_bytes = report.storage_peak_bytes;
	result->storage_reached = report.storage_reached;
	result->denied_calls = report.denied_calls;
}

static _Noreturn void refuse(const char *what, const char *why)
{
	(void)snprintf(result->message, sizeof result->message, "%s%s%s", what,
		       why[0] != '\0' ? ": " : "", why);
	result->end = WASM_END_REFUSED;
	result->stage = WASM_STAGE_ENDED;
	_exit(WASM_EXIT_HELPER);
}

/*
 * A timer has run out.  The guest is not asked: whatever it does, and in whatever function of the
 * host it waits, the process ends here.
 */
static void on_timer(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	note_usage();
	note_calls();
	result->end = (uint32_t)info->si_value.sival_int;
	result->stage = WASM_STAGE_ENDED;
	_exit(WASM_EXIT_STOPPED);
}

static void set_timer(clockid_t clock, uint64_t micros, enum wasm_end end)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec when = {.it_value = {.tv_sec = (time_t)(micros / 1000000),
					       .tv_nsec = (long)(micros % 1000000) * 1000}};
	struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	timer_t timer;

	if (micros == 0)
		return;
	event.sigev_value.sival_int = (int)end;
	if (sigaction(SIGALRM, &action, NULL) != 0 || timer_create(clock, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &when, NULL) != 0)
		refuse("no timer can be had", strerror(errno));
}

/* At once: who is killed in the next moment can say no more. */
static void note_denied(const struct wasi_denial *denial, size_t index)
{
	struct wasm_denied *denied;

	if (index >= WASM_RESULT_DENIED)
		return;
	denied = &result->denied[index];
	denied->count = denial->count;
	if (index < result->denied_count)
		return;
	(void)snprintf(denied->function, sizeof denied->function, "%s", denial->function);
	(void)snprintf(denied->path, sizeof denied->path, "%s", denial->path);
	denied->reason = (uint32_t)denial->reason;
	result->denied_count = (uint32_t)index + 1;
}

static enum wasm_end end_of(const struct engine_outcome *outcome)
{
	struct wasi_report report;

	switch (outcome->end) {
	case ENGINE_ENDED_NOT:
	case ENGINE_ENDED_REFUSED:
		return WASM_END_REFUSED;
	case ENGINE_ENDED_RETURN:
		return WASM_END_RETURN;
	case ENGINE_ENDED_EXIT:
		return WASM_END_EXIT;
	case ENGINE_ENDED_FUEL:
		return WASM_END_FUEL;
	case ENGINE_ENDED_STACK:
		return WASM_END_STACK;
	case ENGINE_ENDED_TRAP:
		break;
	}
	wasi_observe(wasi, &report);
	return report.expired ? WASM_END_WALL : WASM_END_TRAP;
}

static int finish(const struct engine_outcome *outcome)
{
	note_usage();
	note_calls();
	result->end = end_of(outcome);
	result->exit_code = outcome->exit_code;
	(void)snprintf(result->message, sizeof result->message, "%s", outcome->message);
	result->stage = WASM_STAGE_ENDED;
	switch ((enum wasm_end)result->end) {
	case WASM_END_RETURN:
		return 0;
	case WASM_END_EXIT:
		return (int)(outcome->exit_code & 0xff);
	case WASM_END_REFUSED:
		return WASM_EXIT_HELPER;
	default:
		return WASM_EXIT_STOPPED;
	}
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void map_result(void)
{
	void *page = mmap(NULL, WASM_RESULT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			  options.result_fd, 0);

	/* Nobody to tell but by the exit code. */
	if (page == MAP_FAILED)
		_exit(WASM_EXIT_HELPER);
	result = page;
	result->magic = WASM_RESULT_MAGIC;
	close(options.result_fd);
}

static void load_code(void)
{
	const struct engine_target target = {options.interpreted, options.deterministic};
	char message[ENGINE_MESSAGE_BYTES] = "";
	struct stat seen;
	void *code = MAP_FAILED;

	if (fstat(options.code_fd, &seen) == 0 && seen.st_size > 0)
		code = mmap(NULL, (size_t)seen.st_size, PROT_READ, MAP_PRIVATE, options.code_fd, 0);
	if (code == MAP_FAILED)
		refuse("the code cannot be read", "");
	if (!engine_runtime.load(&target, code, (size_t)seen.st_size, &guest, message))
		refuse("the code cannot be loaded", message);
	(void)munmap(code, (size_t)seen.st_size);
	close(options.code_fd);
	result->stage = WASM_STAGE_LOADED;
}

static void open_preopens(struct wasi_preopen *preopens, struct lock_root *roots)
{
	for (size_t i = 0; i < options.preopen_count; i++) {
		const struct option_preopen *given = &options.preopens[i];
		const int fd = open(given->path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			refuse(given->path, strerror(errno));
		preopens[i] = (struct wasi_preopen){given->name, fd, given->access};
		roots[i] = (struct lock_root){fd, (given->access & WASI_ACCESS_READ) != 0,
					      (given->access & WASI_ACCESS_WRITE) != 0};
	}
}

static uint64_t deadline_of(uint64_t micros)
{
	struct timespec now;

	if (micros == 0)
		return 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + micros * 1000;
}

static size_t count_of(char *const *list)
{
	size_t count = 0;

	while (list[count] != NULL)
		count++;
	return count;
}

static void open_wasi(const struct wasi_preopen *preopens, char *const *args)
{
	const struct wasi_config config = {
		.args = (const char *const *)args,
		.arg_count = count_of(args),
		.env = (const char *const *)environ,
		.env_count = count_of(environ),
		.preopens = preopens,
		.preopen_count = options.preopen_count,
		.stream_fds = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO},
		.deadline_ns = deadline_of(options.wall_micros),
		.deterministic = options.deterministic,
		.clock_ns = options.clock_ns,
		.seed = options.seed,
		.limits = {.handles = options.handles,
			   .storage_bytes = options.storage_bytes,
			   .entries = WASI_UNLIMITED,
			   .output_bytes = WASI_UNLIMITED},
		.on_denied = note_denied,
	};
	struct bv_error error = {0};

	if (wasi_open(&config, &wasi, &error) != BV_OK)
		refuse("the guest's surroundings cannot be made", error.message);
}

int main(int argc, char **argv)
{
	static struct wasi_preopen preopens[OPTIONS_PREOPENS_MAX];
	static struct lock_root roots[OPTIONS_PREOPENS_MAX];
	struct engine_outcome outcome;
	struct engine_limits limits;
	char **args;

	if (!options_read(argc, argv, &options, &args))
		return WASM_EXIT_HELPER;
	map_result();
	/* Interpreted code is data: then no memory has ever to become executable. */
	if (options.interpreted && lock_code(LOCK_KILLS) != 0)
		refuse("executable memory cannot be refused", strerror(errno));
	load_code();
	open_preopens(preopens, roots);
	open_wasi(preopens, args);
	set_timer(CLOCK_MONOTONIC, options.wall_micros, WASM_END_WALL);
	set_timer(CLOCK_PROCESS_CPUTIME_ID, options.cpu_micros, WASM_END_CPU);
	if (lock_all(roots, options.preopen_count) != 0)
		refuse("the helper cannot be locked", strerror(errno));
	result->stage = WASM_STAGE_LOCKED;
	limits = (struct engine_limits){options.memory_bytes, options.fuel};
	engine_runtime.run(guest, &limits, wasi, &outcome);
	/* What the C library still holds is nobody's any more. */
	_exit(finish(&outcome));
}
