/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * api.h - what stands behind the opaque objects of bvisor.h.
 */
#ifndef BV_API_API_H
#define BV_API_API_H

#include <bvisor/bvisor.h>

#include "contract/backend.h"
#include "contract/canon.h"
#include "journal/blobs.h"
#include "journal/journal.h"

/* ---- memory.c ---------------------------------------------------------------------------------- */

/* How much one object may take; a spec at every one of its limits fits several times. */
enum { BV_OBJECT_FIRST_BYTES = 1 << 20, BV_OBJECT_MOST_BYTES = 256 << 20 };
enum { BV_RECORD_SCRATCH_BYTES = 64 << 20 }; /* address space for what a journal is given */

/* Pages that cost nothing until they are used; given back by bv__memory_unmap. */
enum bv_code bv__memory_map(struct bv_arena *arena, size_t size_bytes, struct bv_error *err);
void bv__memory_unmap(struct bv_arena *arena);

/*
 * For what is made in one go: calls `make` with ever larger arenas until it is not BV_E_MEMORY.
 * On failure nothing is left mapped.
 */
enum bv_code bv__memory_make(struct bv_arena *ret_arena,
			     enum bv_code (*make)(struct bv_arena *, void *, struct bv_error *),
			     void *context, struct bv_error *err);

/* JSON and canonical bytes, malloc'd; the text ends with a newline. */
enum bv_code bv__json_out(const struct bv_type *type, const void *value, char **ret_text,
			  struct bv_error *err);
enum bv_code bv__bytes_out(const struct bv_type *type, const void *value, void **ret_data,
			   size_t *ret_size_bytes, struct bv_error *err);

/* ---- secrets.c --------------------------------------------------------------------------------- */

/* Values of secrets: in pages of their own, kept out of core dumps and swap where that is allowed. */
struct bv__secret {
	struct bv__secret *next;
	void *value;
	size_t size_bytes;
	char name[]; /* the lease */
};

struct bv__secrets {
	struct bv__secret *first;
};

/* Adds a copy, in place of an older value of that name. */
enum bv_code bv__secrets_put(struct bv__secrets *secrets, struct bv_str name, const void *value,
			     size_t size_bytes, struct bv_error *err);
enum bv_code bv__secrets_copy(const struct bv__secrets *from, struct bv__secrets *ret_copy,
			      struct bv_error *err);
const struct bv__secret *bv__secrets_find(const struct bv__secrets *secrets, struct bv_str name);
void bv__secrets_wipe(struct bv__secrets *secrets);

/* ---- the objects ------------------------------------------------------------------------------- */

struct bv_spec {
	struct bv_arena arena; /* `value` lives there; rebuilt in a larger one when it is full */
	struct bv_boundary_spec value;
	struct bv__secrets secrets;
};

struct bv_plan {
	struct bv_arena arena;
	struct bv_boundary_plan value;
	const struct bv_backend *backend;
	struct bv__secrets secrets;
	char id[65];
	struct bv_plan_row *rows;
	size_t row_count;
};

struct bv_support {
	struct bv_arena arena;
	struct bv_profile_snapshot snapshot;
	struct bv_support_row rows[BV_KIND_COUNT + BV_BUDGET_COUNT];
};

struct bv_report {
	struct bv_arena arena;
	struct bv_boundary_report value;
	struct bv_str summary;
	char hash[65];
	void *output[2]; /* by enum bv_stream; NULL for a report read back */
	size_t output_bytes[2];
};

/* "wall", "cpu", "memory", "processes", "handles", "storage", "network". */
const char *bv__budget_name(enum bv_budget budget);

/* ---- spec_set.c -------------------------------------------------------------------------------- */

/* Room for a program's path and arguments; `ret_whole`, of 2 * PATH_MAX, has the path made absolute. */
enum bv_code bv__spec_begin_program(struct bv_spec *spec, const char *path, size_t arg_count,
				    const char *const *args, char *ret_whole, struct bv_error *err);
/* A copy in the room that was made. */
struct bv_str bv__spec_keep(struct bv_spec *spec, struct bv_str text);

/* ---- changes.c --------------------------------------------------------------------------------- */

/* Takes the stage over; NULL when there is no memory, and then the caller has it still.  `journal`
 * NULL: what is decided is not recorded. */
struct bv_changes *bv__changes_new(struct bv_stage *stage, struct bv_journal *journal,
				   const struct bv_digest *attempt,
				   const struct bv_digest *plan_id);
void bv__changes_drop(struct bv_stage *stage);

/* ---- backends.c -------------------------------------------------------------------------------- */

/* NULL is this platform's own.  BV_E_UNKNOWN_BACKEND names those there are. */
enum bv_code bv__backend_find(const char *name, const struct bv_backend **ret_backend,
			      struct bv_error *err);

/* ---- record.c ---------------------------------------------------------------------------------- */

/* One run's place in a journal. */
struct bv__recording {
	struct bv_journal *journal; /* NULL: nowhere, and then nothing here does anything */
	const char *key;            /* of idempotency; NULL: none */
	struct bv_digest attempt, request;
	struct bv__reserve reserve;
	struct bv__blobs blobs; /* what it left, on the way to be kept; dir -1: nothing yet */
	bool keeps_output;      /* captured streams too */
	bool started, ended;
	bool repeated; /* an earlier run of that key was found; `attempt` is its */
};

/* Before anything is made.  Survives this process; the gate makes it survive the machine. */
enum bv_code bv__record_start(struct bv__recording *recording, const struct bv_boundary_plan *plan,
			      struct bv_arena *arena, struct bv_error *err);
/* Before the program may run. */
enum bv_code bv__record_gate(struct bv__recording *recording, const struct bv_backend_bound *bound,
			     struct bv_error *err);
/* Before a report is sealed: takes values out that the journal does not keep. */
enum bv_code bv__record_withhold(const struct bv__recording *recording, struct bv_arena *arena,
				 struct bv_report_body *body, struct bv_error *err);
/* Keeps a file the program left; the errors are those of bv_backend_options.keep. */
enum bv_code bv__record_keep(struct bv__recording *recording, int fd, uint64_t most,
			     struct bv_digest *ret_content, uint64_t *ret_size_bytes,
			     struct bv_error *err);
/*
 * Before the caller has the report.  When it fails, the report is kept in a file if at all possible.
 * What was left is on stable storage before, and recorded with it; when only that fails, the report
 * is recorded all the same.
 */
enum bv_code bv__record_report(struct bv__recording *recording, struct bv_arena *arena,
			       const struct bv_report *report, struct bv_error *err);
/* The program or module, as asked for. */
struct bv_str bv__record_program(const struct bv_boundary_plan *plan);
/* A request that was refused before it was recorded as started. */
enum bv_code bv__record_refusal(struct bv_journal *journal, struct bv_str program,
				const struct bv_error *why, struct bv_error *err);
/* The run ends without a report. */
void bv__record_abandon(struct bv__recording *recording, const struct bv_boundary_plan *plan,
			const char *reason);

/* ---- report.c ---------------------------------------------------------------------------------- */

/* Fills what is derived from `value`. */
enum bv_code bv__report_finish(struct bv_report *report, struct bv_error *err);

#endif
