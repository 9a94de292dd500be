/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * backend.h - what the planner and the runner ask of a backend.
 *
 * A backend observes and enforces; it never hashes a report and never writes a journal.
 */
#ifndef BV_CONTRACT_BACKEND_H
#define BV_CONTRACT_BACKEND_H

#include "types.h"

/* The order of the fields of every budget record, and the order in which limits are judged. */
enum bv_dimension {
	BV_DIMENSION_WALL,
	BV_DIMENSION_CPU,
	BV_DIMENSION_RESIDENT,
	BV_DIMENSION_PROCESSES,
	BV_DIMENSION_HANDLES,
	BV_DIMENSION_STORAGE,
	BV_DIMENSION_NETWORK,
	BV_DIMENSION_COUNT,
};

struct bv_verdict {
	enum bv_enforcement enforcement;
	uint32_t evidence; /* set over enum bv_evidence_claim: bit n is claim n */
};

enum { BV_KIND_COUNT = BV_KIND_LIST_OUTPUTS + 1 };

/* What one machine can hold, and by what.  `primitive` is the middle part of a mechanism string. */
struct bv_profile {
	struct bv_verdict ceiling[BV_KIND_COUNT];
	const char *primitive[BV_KIND_COUNT];
	/* Why a cell is weaker than Enforced and what would mend it; static text, "" where it is not. */
	const char *reason[BV_KIND_COUNT];
	const char *remedy[BV_KIND_COUNT];
	/* The same of the budgets, by enum bv_dimension; NULL is "". */
	const char *budget_reason[BV_DIMENSION_COUNT];
	const char *budget_remedy[BV_DIMENSION_COUNT];
	/* Below this a limit lets no program start here, whatever the spec. */
	uint64_t budget_least[BV_DIMENSION_COUNT];
};

enum bv_backend_state { BV_BACKEND_STARTING, BV_BACKEND_RUNNING, BV_BACKEND_ENDED };

/* Same meaning as bv_output_fn of bvisor.h; stream 0 is stdout, 1 stderr. */
typedef ptrdiff_t (*bv_backend_output_fn)(void *context, int stream, const void *data,
					  size_t size_bytes);

struct bv_backend_secret {
	struct bv_str name; /* the lease */
	const void *value;
	size_t size_bytes;
};

/* Processes of a boundary that stands, before anything of the workload has run. */
struct bv_backend_bound {
	int32_t processes
		[3]; /* launcher, the boundary's init, the workload; 0 where there is none */
	struct bv_str_list groups;      /* control groups made for it */
	struct bv_str_list directories; /* and directories */
};

struct bv_backend_options {
	bv_backend_output_fn output;
	void *context;
	uint16_t terminal_rows, terminal_columns;
	const struct bv_backend_secret *secrets;
	size_t secret_count;
	struct bv_digest attempt; /* random, made by the caller */
	/* NULL, or called once with `context` before the workload can run; an error keeps it from that. */
	enum bv_code (*gate)(void *context, const struct bv_backend_bound *bound,
			     struct bv_error *err);
	/*
	 * Keeps what can be read from `fd`, at most so many bytes, and says what it was; with `context`.
	 * BV_E_SYSTEM: it cannot be read; BV_E_STATE: it is longer; anything else: it cannot be kept.
	 * NULL: nothing can be.
	 */
	enum bv_code (*keep)(void *context, int fd, uint64_t most, struct bv_digest *ret_content,
			     uint64_t *ret_size_bytes, struct bv_error *err);
	/*
	 * The workload is a helper of bvisor itself that opens files by openat2 and no other way, for a guest
	 * that is given directories: none in which the host's /, or what the kernel keeps in /proc, /dev and
	 * /sys, is to be seen.
	 */
	bool beneath;
	/* Files of bvisor itself that no workload may reach. */
	const struct bv_str *own_files;
	size_t own_file_count;
};

struct bv_backend_run; /* each backend's own */
struct bv_stage;       /* of src/linux/stage.h */

struct bv_backend {
	const char *id;
	void *self;

	/* Raw facts and budgets of this machine now.  Strings live in `arena`. */
	enum bv_code (*probe)(void *self, struct bv_arena *arena,
			      struct bv_profile_snapshot *ret_snapshot, struct bv_error *err);

	/* Facts to verdicts: deterministic, no system call.  `execution` (may be NULL) holds the layers the
	 * caller leaves out, which weaken the profile. */
	void (*profile)(void *self, const struct bv_profile_snapshot *snapshot,
			const struct bv_execution_options *execution,
			struct bv_profile *ret_profile);

	/* The budgets this spec (NULL: any) can have here: what it grants and leaves out decides with the
	 * machine who holds a limit.  Deterministic, no system call; strings live as long as the snapshot's.
	 * NULL: those of the snapshot. */
	void (*budgets)(void *self, const struct bv_profile_snapshot *snapshot,
			const struct bv_boundary_spec *spec, struct bv_budget_profile *ret_budgets);

	/* One requirement against the profile: looks at the grade, not the kind alone.  NULL: the ceiling. */
	struct bv_verdict (*classify)(void *self, const struct bv_requirement *requirement,
				      const struct bv_profile *profile);

	/* Whether this backend can run that kind of workload at all. */
	bool (*runs)(void *self, const struct bv_workload *workload);

	/* Execution.  NULL where a backend never executes.  The plan outlives the run. */
	enum bv_code (*start)(void *self, const struct bv_boundary_plan *plan,
			      const struct bv_backend_options *options,
			      struct bv_backend_run **ret_run, struct bv_error *err);
	int (*fd)(struct bv_backend_run *run);
	enum bv_code (*step)(struct bv_backend_run *run, enum bv_backend_state *ret_state,
			     struct bv_error *err);
	enum bv_code (*input)(struct bv_backend_run *run, const void *data, size_t size_bytes,
			      size_t *ret_taken_bytes, struct bv_error *err);
	bool (*input_ready)(struct bv_backend_run *run);
	void (*resume)(struct bv_backend_run *run);
	enum bv_code (*resize)(struct bv_backend_run *run, uint16_t rows, uint16_t columns,
			       struct bv_error *err);
	enum bv_code (*signal)(struct bv_backend_run *run, int signal_number, struct bv_error *err);
	enum bv_code (*kill)(struct bv_backend_run *run, struct bv_error *err);
	/* The facts of an ended run, unsealed; lives in `arena`. */
	enum bv_code (*finish)(struct bv_backend_run *run, struct bv_arena *arena,
			       struct bv_report_body *ret_body, struct bv_error *err);
	/* Bytes kept of a stream; borrowed until free_run. */
	const void *(*output)(struct bv_backend_run *run, int stream, size_t *ret_size_bytes);
	void (*free_run)(struct bv_backend_run *run);
	/* As kill, but with the grace of the plan.  NULL: kill. */
	enum bv_code (*stop)(struct bv_backend_run *run, struct bv_error *err);
	/* What a finished run wrote to staged directories, the caller's from then on.  NULL where a backend
	 * stages nothing. */
	enum bv_code (*take_stage)(struct bv_backend_run *run, struct bv_stage **ret_stage,
				   struct bv_error *err);
};

#endif
