/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* backend.h - the backend that runs WebAssembly modules: WASI inside a boundary of the Linux backend. */
#ifndef BV_WASM_HOST_BACKEND_H
#define BV_WASM_HOST_BACKEND_H

#include "contract/backend.h"

/* What this build has an engine for: name and version, as they stand in plans and reports. */
#ifndef BV_WASM_ENGINE
#define BV_WASM_ENGINE "none"
#endif

const struct bv_backend *bv__backend_wasm(void);

/* run.c: its functions. */
enum bv_code bv__wasm_start(void *self, const struct bv_boundary_plan *plan,
			    const struct bv_backend_options *options,
			    struct bv_backend_run **ret_run, struct bv_error *err);
int bv__wasm_fd(struct bv_backend_run *run);
enum bv_code bv__wasm_step(struct bv_backend_run *opaque, enum bv_backend_state *ret_state,
			   struct bv_error *err);
enum bv_code bv__wasm_input(struct bv_backend_run *opaque, const void *data, size_t size_bytes,
			    size_t *ret_taken_bytes, struct bv_error *err);
bool bv__wasm_input_ready(struct bv_backend_run *opaque);
void bv__wasm_resume(struct bv_backend_run *opaque);
enum bv_code bv__wasm_resize(struct bv_backend_run *opaque, uint16_t rows, uint16_t columns,
			     struct bv_error *err);
enum bv_code bv__wasm_signal(struct bv_backend_run *opaque, int signal_number,
			     struct bv_error *err);
enum bv_code bv__wasm_kill(struct bv_backend_run *opaque, struct bv_error *err);
enum bv_code bv__wasm_stop(struct bv_backend_run *opaque, struct bv_error *err);
enum bv_code bv__wasm_report(struct bv_backend_run *opaque, struct bv_arena *arena,
			     struct bv_report_body *ret_body, struct bv_error *err);
const void *bv__wasm_output(struct bv_backend_run *opaque, int stream, size_t *ret_size_bytes);
enum bv_code bv__wasm_take_stage(struct bv_backend_run *opaque, struct bv_stage **ret_stage,
				 struct bv_error *err);
void bv__wasm_free(struct bv_backend_run *opaque);

#endif
