/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wasi.c - fuzzes the functions of WASI: any of them, in any order, with any arguments and memory.
 *
 * The guest has a directory to read and write, one to read and one to write.  Beside them lies what it
 * must not touch; that, and the one to read, have to be afterwards as they were.  Its memory is of
 * exactly its size on the heap, so that the sanitizers see a byte too many.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wasm/wasi/abi.h"
#include "wasm/wasi/wasi.h"

enum {
	MEMORY_SIZE = 1 << 14,
	SLOT_SIZE = 64,
	SLOT_COUNT = 64,
	CALLS_MAX = 64,
	HANDLES = 24,
	STORAGE_BYTES = 1 << 20,
	DEADLINE_NS = 1000000,
};

/* What lies in the first slots of the memory. */
static const char *const texts[] = {
	"a",           "b",         "d",     "d/e",
	"d/e/f",       "a/",        "d/",    ".",
	"..",          "/",         "",      "../outside/secret",
	"d/../a",      "up/secret", "up",    "abs",
	"abs/",        "link",      "link/", "d/e/../../..",
	"./a",         "d//e",      "file",  "fifo",
	"/etc/passwd", "d/.",       "d/..",  "up/..",
	"link/../a",   "x/../y",    "\xff",  "d/e/link",
};

static char base[64];
static struct stat outside_before, secret_before, ro_before, ro_file_before;
static int dirs[3];

static void path_of(char ret[512], const char *name)
{
	snprintf(ret, 512, "%s/%s", base, name);
}

static struct stat look(const char *name)
{
	char path[512];
	struct stat file;

	path_of(path, name);
	bv_assert(lstat(path, &file) == 0);
	return file;
}

static void make_file(const char *name)
{
	char path[512];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	bv_assert(fd >= 0 && write(fd, "secret", 6) == 6 && close(fd) == 0);
}

static int remove_one(const char *path, const struct stat *file, int flag, struct FTW *ftw)
{
	(void)file;
	(void)flag;
	return ftw->level > 0 ? remove(path) : 0;
}

static void empty(const char *name)
{
	char path[512];

	path_of(path, name);
	bv_assert(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void remove_base(void)
{
	empty("");
	(void)rmdir(base); /* nobody reads the result of a fuzzer's end */
}

static void make_base(void)
{
	static const char *const names[] = {"rw", "ro", "wo", "outside"};
	char path[512];

	(void)signal(SIGPIPE, SIG_IGN);
	strcpy(base, "/tmp/bvisor-fuzz-wasi-XXXXXX");
	bv_assert(mkdtemp(base));
	for (int i = 0; i < 4; i++) {
		path_of(path, names[i]);
		bv_assert(mkdir(path, 0755) == 0);
		if (i < 3)
			dirs[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	make_file("outside/secret");
	make_file("ro/file");
	outside_before = look("outside");
	secret_before = look("outside/secret");
	ro_before = look("ro");
	ro_file_before = look("ro/file");
	(void)atexit(remove_base);
}

/* The same beginning for every input, with links as only the host can make them. */
static void make_contents(void)
{
	char path[512], target[128];

	empty("rw");
	empty("wo");
	make_file("rw/file");
	make_file("wo/file");
	path_of(path, "rw/up");
	bv_assert(symlink("../outside", path) == 0);
	path_of(path, "rw/abs");
	snprintf(target, sizeof(target), "%s/outside", base);
	bv_assert(symlink(target, path) == 0);
	path_of(path, "rw/fifo");
	bv_assert(mkfifo(path, 0666) == 0);
}

static bool same(const struct stat *a, struct stat b)
{
	return a->st_ino == b.st_ino && a->st_size == b.st_size && a->st_nlink == b.st_nlink &&
	       a->st_mode == b.st_mode && a->st_mtim.tv_sec == b.st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b.st_mtim.tv_nsec && a->st_ctim.tv_sec == b.st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

/* ---- from bytes to calls ---------------------------------------------------------------------------- */

struct input {
	const uint8_t *data;
	size_t left;
	uint32_t last_text_bytes;
};

static uint64_t take(struct input *input, size_t size_bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size_bytes && input->left > 0; i++, input->left--)
		value |= (uint64_t)*input->data++ << (8 * i);
	return value;
}

/* Mostly something that has a meaning: a small number, a text, its length. */
static uint64_t take_argument(struct input *input, char kind)
{
	const uint8_t how = (uint8_t)take(input, 1);

	if (how < 64)
		return how & 31;
	if (how < 112)
		return input->last_text_bytes;
	if (how < 112 + SLOT_COUNT) {
		const size_t slot = how - 112U;

		input->last_text_bytes = slot < sizeof(texts) / sizeof(texts[0])
						 ? (uint32_t)strlen(texts[slot])
						 : 24;
		return slot * SLOT_SIZE;
	}
	if (how < 192)
		return kind == 'i' ? UINT32_MAX - (how & 15) : UINT64_MAX;
	if (how < 224)
		return take(input, 2) & (MEMORY_SIZE - 1);
	return take(input, kind == 'i' ? 4 : 8);
}

static void poke(struct input *input, uint8_t *memory)
{
	const size_t at = (size_t)take(input, 2) & (MEMORY_SIZE - 1);
	const size_t size_bytes = (size_t)take(input, 1);

	for (size_t i = 0; i < size_bytes && at + i < MEMORY_SIZE; i++)
		memory[at + i] = (uint8_t)take(input, 1);
}

static void one_call(struct input *input, struct wasi *wasi, uint8_t *memory)
{
	const size_t index = (size_t)take(input, 1) % (wasi_function_count + 4);
	const struct wasi_function *function = &wasi_functions[index];
	uint64_t args[16];
	struct wasi_call call = {.wasi = wasi, .memory = {memory, MEMORY_SIZE}, .args = args};
	uint32_t error;

	if (index >= wasi_function_count) {
		poke(input, memory);
		return;
	}
	for (size_t i = 0; function->params[i]; i++)
		args[i] = take_argument(input, function->params[i]);
	/* Sometimes a memory that has just been there, or none. */
	if ((take(input, 1) & 31) == 31)
		call.memory = (struct wasi_memory){0};
	error = wasi_invoke(function, &call);
	bv_assert(error < WASI_ERRNO_COUNT);
	bv_assert(call.charge >= function->charge);
	bv_assert(call.exited == (function->returns == false));
}

static void check(const struct wasi *wasi)
{
	struct wasi_report report;

	wasi_observe(wasi, &report);
	bv_assert(report.handles_peak <= HANDLES);
	bv_assert(report.entries <= 32);
	bv_assert(report.denial_count <= WASI_DENIALS_MAX);
	bv_assert(report.denied_calls >= report.denial_count);
	/* What one call can go past it: that many bytes in blocks of their own. */
	bv_assert(report.storage_peak_bytes <= STORAGE_BYTES + (1 << 16));
	bv_assert(same(&outside_before, look("outside")));
	bv_assert(same(&secret_before, look("outside/secret")));
	bv_assert(same(&ro_before, look("ro")));
	bv_assert(same(&ro_file_before, look("ro/file")));
}

static struct wasi *open_guest(const int pipes[2])
{
	static const char *const strings[] = {"guest", "A=1"};
	const struct wasi_preopen preopens[] = {
		{"rw", dirs[0], WASI_ACCESS_READ | WASI_ACCESS_WRITE},
		{"ro", dirs[1], WASI_ACCESS_READ},
		{"wo", dirs[2], WASI_ACCESS_WRITE},
	};
	struct timespec now;
	struct wasi *wasi;

	bv_assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	const struct wasi_config config = {
		.args = strings,
		.arg_count = 1,
		.env = strings + 1,
		.env_count = 1,
		.preopens = preopens,
		.preopen_count = 3,
		.stream_fds = {pipes[0], pipes[1], -1},
		.deadline_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec +
			       DEADLINE_NS,
		.deterministic = true,
		.limits = {HANDLES, STORAGE_BYTES, 32, 1 << 12},
	};
	bv_assert(wasi_open(&config, &wasi, NULL) == BV_OK);
	return wasi;
}

void bv_fuzz_one(const uint8_t *data, size_t size_bytes)
{
	struct input input = {.data = data, .left = size_bytes};
	uint8_t *memory = calloc(1, MEMORY_SIZE);
	struct wasi *wasi;
	int pipes[2], lowest;

	if (!base[0])
		make_base();
	make_contents();
	lowest = dup(0);
	bv_assert(memory && lowest >= 0 && close(lowest) == 0 && pipe2(pipes, O_CLOEXEC) == 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		memcpy(memory + i * SLOT_SIZE, texts[i], strlen(texts[i]));
	wasi = open_guest(pipes);
	for (int i = 0; i < CALLS_MAX && input.left > 0; i++)
		one_call(&input, wasi, memory);
	check(wasi);
	wasi_close(wasi);
	bv_assert(close(pipes[0]) == 0 && close(pipes[1]) == 0);
	free(memory);
	/* Whatever was opened is closed again. */
	bv_assert(dup(0) == lowest && close(lowest) == 0);
}
