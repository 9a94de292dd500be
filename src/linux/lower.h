/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lower.h - turns an admitted plan into the launch plan of one run on this machine, now.
 *
 * Everything a plan leaves open is decided here: which inodes the paths mean, which interpreter the
 * program needs, which user it becomes.  What was decided is told as facts.
 */
#ifndef BV_LINUX_LOWER_H
#define BV_LINUX_LOWER_H

#include "contract/backend.h"
#include "grants.h"

/* Where the files are that the run is to leave; path of length 0: none were asked for. */
struct bv_lowered_output {
	struct bv_str path;  /* below the root */
	struct bv_seen root; /* the granted directory of the host it lies in */
	uint32_t mount;      /* with `staged`: which mount that is */
	bool staged;         /* the files are in what is kept apart, not in that directory */
	uint64_t limit_bytes;
};

struct bv_lowered {
	struct bv_layers layers;
	struct bv_launch_body2 body;

	/* Why the program cannot be executed, known before anything is started: then `body` is of no
	 * use.  0 where nothing is known to stand in the way. */
	int exe_errno;
	struct bv_str exe; /* as the caller wrote it */
	/* An interpreter the program names and the host does not have; length 0: none. */
	struct bv_str missing_interpreter;

	bool captures_stdout, captures_stderr, captures_stdin;
	bool stdin_relay, terminal;
	uint64_t capture_limit, output_limit;
	struct bv_lowered_output output;

	struct bv_observed_fact_list observed;
};

/*
 * `arena` holds the result, and with it the values of secrets: the caller wipes it.  Fails only for
 * what is wrong with the request on this machine; a program that is not there is a result.
 */
enum bv_code bv__lower(struct bv_arena *arena, const struct bv_boundary_plan *plan,
		       const struct bv_backend_options *options, struct bv_lowered *ret_lowered,
		       struct bv_error *err);

/* Digests the work, once nothing is added to it any more. */
void bv__lower_seal(struct bv_lowered *lowered);

/* ---- shared by lower*.c ---------------------------------------------------------------------- */

struct bv_lowering_state {
	struct bv_arena *arena;
	const struct bv_boundary_plan *plan;
	const struct bv_backend_options *options;
	const struct bv_execution_options *execution; /* never NULL */
	struct bv_lowered *out;
	struct bv_grants grants;
	size_t observed_capacity;
	struct bv_str cwd_default; /* length 0: none */
	struct bv_str *denied;     /* canonical */
	size_t denied_count;
	uint64_t tmp_bytes, tmp_inodes; /* 0: the default */
	uint64_t longest_file;          /* of those there already that may be written to */
	bool wants_tmp;                 /* the plan promises a private /tmp */
	bool no_tmp;                    /* and this run cannot have one that is written to */
	struct bv_error *err;
};

/* Remembers a fact; a full arena shows at the end. */
void bv__lower_observe(struct bv_lowering_state *state, const char *kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* lower_files.c: roots, runtime set, denied paths, working directory. */
enum bv_code bv__lower_files(struct bv_lowering_state *state);

/* lower_own.c: denies bvisor's own files; refuses grants below which they cannot be denied. */
void bv__lower_deny_own(struct bv_lowering_state *state);
enum bv_code bv__lower_keep_own(struct bv_lowering_state *state);
/* lower_storage.c: whether directories are staged, and the sizes of the boundary's own file systems. */
bool bv__lower_stages(const struct bv_lowering_state *state);
enum bv_code bv__lower_storage(struct bv_lowering_state *state);
/* The inodes that go with a limit in bytes. */
uint64_t bv__storage_inodes(uint64_t bytes);

/* lower_growth.c: places of the host that may be written to, under a limit on storage. */
enum bv_code bv__lower_growth(struct bv_lowering_state *state);

/* lower_output.c: where the files are that the run is to leave. */
enum bv_code bv__lower_output(struct bv_lowering_state *state);

/* lower_exec.c: arguments, environment, descriptors, limits. */
enum bv_code bv__lower_exec(struct bv_lowering_state *state);

/* The value of PATH the program will have; a default where it has none. */
struct bv_str bv__lower_search_path(const struct bv_boundary_plan *plan);

/* lower_program.c: the program and its interpreters, after what the caller granted. */
enum bv_code bv__lower_program(struct bv_lowering_state *state);

#endif
