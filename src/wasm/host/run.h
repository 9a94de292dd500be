/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * run.h - one run of a module: first the compiler, where no code is kept, then the code, each as the
 * workload of a boundary of the Linux backend.
 */
#ifndef BV_WASM_HOST_RUN_H
#define BV_WASM_HOST_RUN_H

#include "contract/backend.h"
#include "module.h"
#include "wasm/result.h"

#define BV_WASM_RUN_HELPER "bvisor-wasm-run"
#define BV_WASM_COMPILE_HELPER "bvisor-wasm-compile"

enum bv__wasm_phase {
	BV_WASM_COMPILING,
	BV_WASM_RUNNING,
	BV_WASM_OVER, /* it never ran: the compiler's boundary is the last there was, or none could start */
};

/* What a struct bv_backend_run of ours is. */
struct bv__wasm_run {
	const struct bv_backend *native;
	const struct bv_boundary_plan *plan; /* of the caller */
	struct bv_backend_options options;
	struct bv_arena arena; /* mapped for this run alone; values of secrets are in it */
	struct bv_boundary_plan inner;
	struct bv_backend_run
		*under; /* of the native backend; NULL: not started, or it could not */
	enum bv__wasm_phase phase;
	int epoll_fd;

	struct bv__wasm_module module;
	struct bv_digest key;
	int code_fd, result_fd;
	uint64_t code_bytes;
	bool from_cache;
	uint64_t compile_began_ns, compile_ns;
	bool input_ended, kill_asked;
	uint64_t guest_memory_bytes;

	bool has_result; /* and it is well-formed */
	struct wasm_result result;
};

/* inner.c: the plans of the boundaries that the helpers run in. */
enum bv_code bv__wasm_plan_compile(struct bv__wasm_run *run, const char *helper,
				   struct bv_error *err);
enum bv_code bv__wasm_plan_run(struct bv__wasm_run *run, const char *helper, struct bv_error *err);

/* The limit of the guest's memory within one of all its process has. */
uint64_t bv__wasm_guest_memory(const struct bv_boundary_plan *plan);

/* result.c: what the helper left, copied and checked. */
void bv__wasm_take_result(struct bv__wasm_run *run);

/* report.c */
enum bv_code bv__wasm_finish(struct bv__wasm_run *run, struct bv_arena *arena,
			     struct bv_report_body *ret_body, struct bv_error *err);

#endif
