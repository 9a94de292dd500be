/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* run.c - a run from start to finish: the compiler's boundary, where it is needed, then the guest's. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"
#include "cache.h"
#include "contract/hash.h"
#include "linux/backend.h"
#include "linux/spawn.h"
#include "memory.h"

enum { ARENA_BYTES = 16 << 20 /* address space; pages are taken as they are used */ };

static struct bv__wasm_run *own(struct bv_backend_run *run)
{
	return (struct bv__wasm_run *)(void *)run;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- what outlives the caller's call ----------------------------------------------------------- */

/* Secrets are the caller's only until it gets the run; the guest's boundary may start later. */
static enum bv_code keep_secrets(struct bv__wasm_run *run, struct bv_error *err)
{
	const struct bv_backend_options *options = &run->options;
	struct bv_backend_secret *kept = bv_arena_array(&run->arena, options->secret_count,
							sizeof *kept);

	for (size_t i = 0; kept != NULL && i < options->secret_count; i++) {
		const struct bv_backend_secret *secret = &options->secrets[i];
		void *value = bv_arena_alloc(&run->arena, secret->size_bytes + 1);

		kept[i] = (struct bv_backend_secret){bv_arena_copy(&run->arena, secret->name),
						     value, secret->size_bytes};
		if (value == NULL || kept[i].name.data == NULL)
			kept = NULL;
		else
			memcpy(value, secret->value, secret->size_bytes);
	}
	if (kept == NULL)
		return bv_fail(err, BV_E_MEMORY, "launch", "no memory for a run");
	run->options.secrets = kept;
	return BV_OK;
}

static void forget_secrets(struct bv__wasm_run *run)
{
	for (size_t i = 0; i < run->options.secret_count; i++)
		explicit_bzero((void *)(uintptr_t)run->options.secrets[i].value,
			       run->options.secrets[i].size_bytes);
	run->options.secrets = NULL;
	run->options.secret_count = 0;
}

/* The cache is bvisor's own memory: a guest that is granted a home directory does not get it. */
static enum bv_code keep_own_files(struct bv__wasm_run *run, struct bv_error *err)
{
	const size_t count = run->options.own_file_count;
	struct bv_str *files = bv_arena_array(&run->arena, count + 1, sizeof *files);
	char path[PATH_MAX];

	if (files == NULL)
		return bv_fail(err, BV_E_MEMORY, "launch", "no memory for a run");
	if (count > 0)
		memcpy(files, run->options.own_files, count * sizeof *files);
	run->options.own_files = files;
	if (bv__wasm_cache_directory(path) && access(path, F_OK) == 0) {
		files[count] = bv_arena_copy(&run->arena, bv_str_from(path));
		run->options.own_file_count++;
	}
	return BV_OK;
}

static enum bv_code prepare(struct bv__wasm_run *run, struct bv_error *err)
{
	void *room = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	enum bv_code code;

	if (room == MAP_FAILED)
		return bv__fail_errno(err, BV_E_SYSTEM, "launch", "no memory for a run");
	bv_arena_init(&run->arena, room, ARENA_BYTES);
	(void)madvise(room, ARENA_BYTES, MADV_DONTDUMP);
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll_fd < 0)
		return bv__fail_errno(err, BV_E_SYSTEM, "launch", "no descriptor for a run");
	code = keep_secrets(run, err);
	return code == BV_OK ? keep_own_files(run, err) : code;
}

/* ---- a boundary ------------------------------------------------------------------------------ */

static enum bv_code watch(struct bv__wasm_run *run, struct bv_error *err)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->native->fd(run->under), &event) != 0)
		return bv__fail_errno(err, BV_E_SYSTEM, "launch", "the run cannot be watched");
	return BV_OK;
}

static void leave(struct bv__wasm_run *run)
{
	if (run->under == NULL)
		return;
	(void)epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, run->native->fd(run->under), NULL);
	run->native->free_run(run->under);
	run->under = NULL;
}

static enum bv_code make_result(struct bv__wasm_run *run, struct bv_error *err)
{
	close_fd(&run->result_fd);
	run->result_fd = bv__memory_file("bvisor-wasm-result", WASM_RESULT_BYTES);
	return run->result_fd >= 0
		       ? BV_OK
		       : bv__fail_errno(err, BV_E_SYSTEM, "launch", "no memory for a result");
}

/* The guest's: from here on it is the run that the caller asked for. */
static enum bv_code start_guest(struct bv__wasm_run *run, struct bv_error *err)
{
	struct bv_launcher_file helper;
	enum bv_code code = make_result(run, err);

	if (code == BV_OK)
		code = bv__helper_open(BV_WASM_RUN_HELPER, &helper, err);
	if (code != BV_OK)
		return code;
	bv__launcher_close(&helper);
	code = bv__wasm_plan_run(run, helper.path, err);
	if (code == BV_OK)
		code = run->native->start(run->native->self, &run->inner, &run->options,
					  &run->under, err);
	forget_secrets(run);
	if (code == BV_OK)
		code = watch(run, err);
	if (code == BV_OK && run->input_ended) {
		size_t taken = 0;

		/* It ended before there was anybody to tell. */
		code = run->native->input(run->under, NULL, 0, &taken, err);
	}
	/* Nobody can be left who runs and is not watched. */
	if (code != BV_OK)
		leave(run);
	run->phase = code == BV_OK ? BV_WASM_RUNNING : BV_WASM_OVER;
	return code;
}

static enum bv_code make_files(struct bv__wasm_run *run, struct bv_error *err)
{
	run->code_fd = bv__memory_file("bvisor-wasm-code", BV_WASM_CODE_MAX);
	if (run->code_fd < 0)
		return bv__fail_errno(err, BV_E_SYSTEM, "launch", "no memory for code");
	return make_result(run, err);
}

/*
 * What is wrong with the request is said before anything is compiled for it.  Either helper will do: they lie
 * side by side, and neither is started.
 */
static enum bv_code check_guest(struct bv__wasm_run *run, const char *helper, struct bv_error *err)
{
	const enum bv_code code = bv__wasm_plan_run(run, helper, err);

	return code == BV_OK ? bv__run_check(&run->inner, &run->options, err) : code;
}

static enum bv_code start_compiler(struct bv__wasm_run *run, const char *helper,
				   struct bv_error *err)
{
	/* Nothing of it is the caller's: neither output nor secrets, and nobody records it. */
	const struct bv_backend_options options = {
		.attempt = run->options.attempt,
		.own_files = run->options.own_files,
		.own_file_count = run->options.own_file_count,
	};
	enum bv_code code;

	run->compile_began_ns = now_ns();
	code = make_files(run, err);
	if (code == BV_OK)
		code = check_guest(run, helper, err);
	if (code == BV_OK)
		code = bv__wasm_plan_compile(run, helper, err);
	if (code == BV_OK)
		code = run->native->start(run->native->self, &run->inner, &options, &run->under,
					  err);
	if (code == BV_OK)
		code = watch(run, err);
	run->phase = BV_WASM_COMPILING;
	return code;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Whatever the code depends on: module, engine, what it was compiled for, and by which compiler. */
static void make_key(struct bv__wasm_run *run, const struct bv_launcher_file *compiler)
{
	const struct bv_wasm_workload *wasm = &run->plan->workload.u.wasm;
	const uint64_t parts[] = {
		wasm->has_engine && wasm->engine == BV_WASM_INTERPRETED,
		wasm->has_deterministic && wasm->deterministic,
		compiler->seen.st_dev,
		compiler->seen.st_ino,
		(uint64_t)compiler->seen.st_size,
		(uint64_t)compiler->seen.st_ctim.tv_sec,
		(uint64_t)compiler->seen.st_ctim.tv_nsec,
	};
	static const char domain[] = "bvisor wasm code 1 " BV_WASM_ENGINE;
	struct bv_hash hash;

	bv_hash_init(&hash);
	bv_hash_update(&hash, domain, sizeof domain);
	bv_hash_update(&hash, run->module.digest.bytes, sizeof run->module.digest.bytes);
	bv_hash_update(&hash, parts, sizeof parts);
	bv_hash_final(&hash, &run->key);
}

static enum bv_code read_module(struct bv__wasm_run *run, struct bv_error *err)
{
	const struct bv_wasm_workload *wasm = &run->plan->workload.u.wasm;
	enum bv_code code = bv__wasm_module_read(wasm->module_ref.data, &run->module, err);

	if (code != BV_OK)
		return code;
	if (wasm->has_digest && !bv_digest_equal(&wasm->digest, &run->module.digest))
		return bv_fail_remedy(err, BV_E_PLAN, "workload", "plan again",
				      "the module '%.*s' changed since the plan was made", 160,
				      wasm->module_ref.data);
	return BV_OK;
}

static enum bv_code begin(struct bv__wasm_run *run, struct bv_error *err)
{
	struct bv_launcher_file compiler;
	enum bv_code code = prepare(run, err);

	if (code == BV_OK)
		code = read_module(run, err);
	if (code == BV_OK)
		code = bv__helper_open(BV_WASM_COMPILE_HELPER, &compiler, err);
	if (code != BV_OK)
		return code;
	bv__launcher_close(&compiler);
	make_key(run, &compiler);
	run->code_fd = bv__wasm_cache_read(&run->key);
	run->from_cache = run->code_fd >= 0;
	return run->from_cache ? start_guest(run, err) : start_compiler(run, compiler.path, err);
}

enum bv_code bv__wasm_start(void *self, const struct bv_boundary_plan *plan,
			    const struct bv_backend_options *options,
			    struct bv_backend_run **ret_run, struct bv_error *err)
{
	struct bv__wasm_run *run = calloc(1, sizeof *run);
	enum bv_code code;

	(void)self;
	if (run == NULL)
		return bv_fail(err, BV_E_MEMORY, "launch", "no memory for a run");
	run->native = bv__backend_linux();
	run->plan = plan;
	run->options = *options;
	run->options.beneath = true;
	run->epoll_fd = run->module.fd = run->code_fd = run->result_fd = -1;
	code = begin(run, err);
	if (code != BV_OK) {
		bv__wasm_free((struct bv_backend_run *)(void *)run);
		return code;
	}
	*ret_run = (struct bv_backend_run *)(void *)run;
	return BV_OK;
}

/* ---- the compiler has ended ------------------------------------------------------------------- */

/* Of what it says only the size is believed, and that within the file there is. */
static bool take_code(struct bv__wasm_run *run)
{
	const uint64_t size = run->result.code_bytes;

	if (!run->has_result || run->result.end != WASM_END_RETURN || size == 0 ||
	    size > BV_WASM_CODE_MAX || ftruncate(run->code_fd, (off_t)size) != 0 ||
	    !bv__memory_seal(run->code_fd))
		return false;
	run->code_bytes = size;
	return true;
}

static enum bv_code finish_compiling(struct bv__wasm_run *run, struct bv_error *err)
{
	run->compile_ns = now_ns() - run->compile_began_ns;
	bv__wasm_take_result(run);
	if (run->kill_asked || !take_code(run)) {
		run->phase = BV_WASM_OVER;
		return BV_OK;
	}
	leave(run);
	bv__wasm_cache_write(&run->key, run->code_fd, run->code_bytes);
	return start_guest(run, err);
}

enum bv_code bv__wasm_step(struct bv_backend_run *opaque, enum bv_backend_state *ret_state,
			   struct bv_error *err)
{
	struct bv__wasm_run *run = own(opaque);
	enum bv_code code;

	if (run->phase == BV_WASM_OVER) {
		*ret_state = BV_BACKEND_ENDED;
		return BV_OK;
	}
	code = run->native->step(run->under, ret_state, err);
	if (code != BV_OK || *ret_state != BV_BACKEND_ENDED)
		goto out;
	if (run->phase == BV_WASM_RUNNING) {
		bv__wasm_take_result(run);
		return BV_OK;
	}
	code = finish_compiling(run, err);
	if (code != BV_OK || run->phase == BV_WASM_OVER)
		return code;
	code = run->native->step(run->under, ret_state, err);
out:
	if (code == BV_OK && run->phase == BV_WASM_COMPILING)
		*ret_state = BV_BACKEND_STARTING;
	return code;
}

/* ---- all the rest is the boundary's ------------------------------------------------------------ */

/* The guest's boundary could not start after its code was made: of that run there is nothing to be had. */
static enum bv_code refuse_over(struct bv_error *err)
{
	return bv_fail(err, BV_E_STATE, "run", "the run could not be started");
}

int bv__wasm_fd(struct bv_backend_run *run)
{
	return own(run)->epoll_fd;
}

enum bv_code bv__wasm_input(struct bv_backend_run *opaque, const void *data, size_t size_bytes,
			    size_t *ret_taken_bytes, struct bv_error *err)
{
	struct bv__wasm_run *run = own(opaque);

	if (run->phase == BV_WASM_RUNNING)
		return run->native->input(run->under, data, size_bytes, ret_taken_bytes, err);
	*ret_taken_bytes = 0;
	run->input_ended |= data == NULL;
	return BV_OK;
}

bool bv__wasm_input_ready(struct bv_backend_run *opaque)
{
	struct bv__wasm_run *run = own(opaque);

	return run->phase == BV_WASM_RUNNING && run->native->input_ready(run->under);
}

void bv__wasm_resume(struct bv_backend_run *opaque)
{
	if (own(opaque)->under != NULL)
		own(opaque)->native->resume(own(opaque)->under);
}

enum bv_code bv__wasm_resize(struct bv_backend_run *opaque, uint16_t rows, uint16_t columns,
			     struct bv_error *err)
{
	struct bv__wasm_run *run = own(opaque);

	if (run->phase == BV_WASM_RUNNING)
		return run->native->resize(run->under, rows, columns, err);
	run->options.terminal_rows = rows;
	run->options.terminal_columns = columns;
	return BV_OK;
}

enum bv_code bv__wasm_signal(struct bv_backend_run *opaque, int signal_number, struct bv_error *err)
{
	if (own(opaque)->under == NULL)
		return refuse_over(err);
	return own(opaque)->native->signal(own(opaque)->under, signal_number, err);
}

enum bv_code bv__wasm_kill(struct bv_backend_run *opaque, struct bv_error *err)
{
	own(opaque)->kill_asked = true;
	/* What was not started is as dead as was wished for. */
	if (own(opaque)->under == NULL)
		return BV_OK;
	return own(opaque)->native->kill(own(opaque)->under, err);
}

enum bv_code bv__wasm_stop(struct bv_backend_run *opaque, struct bv_error *err)
{
	struct bv__wasm_run *run = own(opaque);

	/* Nothing of the guest has run that could want its grace. */
	if (run->phase != BV_WASM_RUNNING)
		return bv__wasm_kill(opaque, err);
	run->kill_asked = true;
	return run->native->stop(run->under, err);
}

enum bv_code bv__wasm_report(struct bv_backend_run *opaque, struct bv_arena *arena,
			     struct bv_report_body *ret_body, struct bv_error *err)
{
	if (own(opaque)->under == NULL)
		return refuse_over(err);
	return bv__wasm_finish(own(opaque), arena, ret_body, err);
}

const void *bv__wasm_output(struct bv_backend_run *opaque, int stream, size_t *ret_size_bytes)
{
	struct bv__wasm_run *run = own(opaque);

	*ret_size_bytes = 0;
	return run->phase == BV_WASM_RUNNING
		       ? run->native->output(run->under, stream, ret_size_bytes)
		       : NULL;
}

enum bv_code bv__wasm_take_stage(struct bv_backend_run *opaque, struct bv_stage **ret_stage,
				 struct bv_error *err)
{
	struct bv__wasm_run *run = own(opaque);

	if (run->phase != BV_WASM_RUNNING)
		return bv_fail(err, BV_E_STATE, "run", "nothing was staged");
	return run->native->take_stage(run->under, ret_stage, err);
}

void bv__wasm_free(struct bv_backend_run *opaque)
{
	struct bv__wasm_run *run = own(opaque);

	leave(run);
	if (run->options.secret_count > 0 && run->arena.base != NULL)
		explicit_bzero(run->arena.base, run->arena.used);
	if (run->arena.base != NULL)
		(void)munmap(run->arena.base, ARENA_BYTES);
	close_fd(&run->epoll_fd);
	close_fd(&run->module.fd);
	close_fd(&run->code_fd);
	close_fd(&run->result_fd);
	free(run);
}
