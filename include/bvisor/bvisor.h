/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bvisor.h - run a program nobody trusts inside an explicit boundary.
 *
 *     struct bv_spec *spec = bv_spec_new();
 *     bv_spec_program(spec, "/usr/bin/python3", 1, (const char *const[]){"task.py"}, &err);
 *     bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, "/srv/work", &err);
 *     bv_run_confined(spec, &report, &err);
 *
 * Every object is opaque, made and freed by the functions here, and used by one thread at a time;
 * different objects may be used by different threads.  Strings passed in are copied.  A `const
 * char *` or pointer returned is borrowed from the object and lives until the object is freed.
 * Functions that can fail return an enum bv_code and fill `err` (error.h).  The library never
 * prints, never exits, installs no signal handler and leaves no thread behind.
 *
 * Clean as C99 and as C++11.
 */
#ifndef BVISOR_BVISOR_H
#define BVISOR_BVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bvisor/error.h>
#include <bvisor/journal.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BVISOR_VERSION "0.1.0"

/* The version of the library that is linked, as BVISOR_VERSION is of the header. */
BV_API const char *bv_version(void);

/* ---- Spec: what the caller asks for -------------------------------------------------------- */

struct bv_spec;

/*
 * A spec that asks for the safest useful boundary: launch, kill and capture of standard output and
 * error, no network, no inherited descriptor, an empty environment, processes allowed within the
 * boundary, empty standard input, no limit.  NULL when there is no memory.
 */
BV_API struct bv_spec *bv_spec_new(void);
BV_API void bv_spec_free(struct bv_spec *spec);

/* Canonical MessagePack (docs/reference/schema.md) or JSON in; a strict reader for both. */
BV_API enum bv_code bv_spec_from_bytes(const void *data, size_t size_bytes,
				       struct bv_spec **ret_spec, struct bv_error *err);
BV_API enum bv_code bv_spec_from_json(const char *text, size_t size_bytes,
				      struct bv_spec **ret_spec, struct bv_error *err);

/* Text or bytes out: malloc'd, freed by the caller with bv_free. */
BV_API enum bv_code bv_spec_to_json(const struct bv_spec *spec, char **ret_text,
				    struct bv_error *err);
BV_API enum bv_code bv_spec_to_bytes(const struct bv_spec *spec, void **ret_data,
				     size_t *ret_size_bytes, struct bv_error *err);

/* The program and its arguments, argv[0] left out.  A path without '/' is not searched: resolve it first. */
BV_API enum bv_code bv_spec_program(struct bv_spec *spec, const char *path, size_t arg_count,
				    const char *const *args, struct bv_error *err);

/*
 * A WebAssembly module instead, which speaks WASI preview 1; binary or text.  It sees the directories
 * that are granted, under their own paths, and nothing else of the host; granting a file, execution or
 * a descriptor is refused.  A plan pins the module by its digest: one that changes afterwards is not run.
 */
BV_API enum bv_code bv_spec_wasm(struct bv_spec *spec, const char *path, size_t arg_count,
				 const char *const *args, struct bv_error *err);

enum bv_wasm {
	BV_USE_WASM_COMPILED,    /* to machine code, before it runs; kept for the next run */
	BV_USE_WASM_INTERPRETED, /* in a process where no memory is ever executable, and much slower */
};
BV_API enum bv_code bv_spec_wasm_engine(struct bv_spec *spec, enum bv_wasm engine,
					struct bv_error *err);

/* The most it may execute, in the engine's unit: the same module uses the same, every time. */
BV_API enum bv_code bv_spec_wasm_fuel(struct bv_spec *spec, uint64_t units, struct bv_error *err);

/* Clocks, random bytes and the spelling of NaN the same in every run (default: the host's). */
BV_API enum bv_code bv_spec_wasm_deterministic(struct bv_spec *spec, bool deterministic,
					       struct bv_error *err);

enum bv_grant {
	BV_GRANT_READ = 1,
	BV_GRANT_WRITE = 2, /* create, change, remove; implies neither reading nor executing */
	BV_GRANT_EXECUTE =
		4, /* execute and map as code, which includes reading files, not listing them */
};

/* Grants a file or directory tree; `path` is made absolute against the current directory. */
BV_API enum bv_code bv_spec_grant(struct bv_spec *spec, unsigned int grants, const char *path,
				  struct bv_error *err);

/* Takes a path out of reach although a grant covers it. */
BV_API enum bv_code bv_spec_deny(struct bv_spec *spec, const char *path, struct bv_error *err);

/* Shows `source` at the absolute path `dest` inside, for reading, or reading and writing. */
BV_API enum bv_code bv_spec_expose(struct bv_spec *spec, const char *source, const char *dest,
				   unsigned int grants, struct bv_error *err);

BV_API enum bv_code bv_spec_env(struct bv_spec *spec, const char *name, const char *value,
				struct bv_error *err);

/*
 * A variable whose value is `size_bytes` at `value`, which is copied into memory that is wiped on
 * free.  Only `name` enters plan, report and JSON.
 */
BV_API enum bv_code bv_spec_secret(struct bv_spec *spec, const char *name, const void *value,
				   size_t size_bytes, struct bv_error *err);

enum bv_spawn { BV_SPAWN_NONE, BV_SPAWN_THREADS, BV_SPAWN_PROCESSES };
BV_API enum bv_code bv_spec_spawn(struct bv_spec *spec, enum bv_spawn spawn, struct bv_error *err);

/* Descriptor `fd` of this process, kept open in the workload under the same number; 3 or above. */
BV_API enum bv_code bv_spec_inherit_fd(struct bv_spec *spec, int fd, struct bv_error *err);

enum bv_budget {
	BV_BUDGET_WALL,      /* microseconds */
	BV_BUDGET_CPU,       /* microseconds, whole tree */
	BV_BUDGET_MEMORY,    /* bytes, whole tree */
	BV_BUDGET_PROCESSES, /* live tasks */
	BV_BUDGET_HANDLES,   /* open descriptors */
	BV_BUDGET_STORAGE,   /* bytes of what it stores, and an inode for each 4096 of them */
	BV_BUDGET_NETWORK,   /* bytes */
	BV_BUDGET_COUNT,
};
BV_API enum bv_code bv_spec_budget(struct bv_spec *spec, enum bv_budget budget, uint64_t limit,
				   struct bv_error *err);

BV_API enum bv_code bv_spec_cwd(struct bv_spec *spec, const char *path, struct bv_error *err);

enum bv_runtime { BV_USE_RUNTIME_NONE, BV_USE_RUNTIME_LIBRARIES, BV_USE_RUNTIME_SYSTEM };
BV_API enum bv_code bv_spec_runtime(struct bv_spec *spec, enum bv_runtime runtime,
				    struct bv_error *err);

/* Standard input is relayed from bv_run_input() instead of being empty. */
BV_API enum bv_code bv_spec_stdin(struct bv_spec *spec, bool relay, struct bv_error *err);

/* A private pseudo-terminal for all three standard streams. */
BV_API enum bv_code bv_spec_terminal(struct bv_spec *spec, bool terminal, struct bv_error *err);

/* Bytes kept of each stream (default 1 MiB), and bytes passed on at all (default: no limit). */
BV_API enum bv_code bv_spec_capture_limit(struct bv_spec *spec, uint64_t size_bytes,
					  struct bv_error *err);
BV_API enum bv_code bv_spec_output_limit(struct bv_spec *spec, uint64_t size_bytes,
					 struct bv_error *err);

/* Refuse whatever would be held more weakly than Enforced: every requirement, or one kind ("Filesystem"). */
BV_API enum bv_code bv_spec_require_enforced(struct bv_spec *spec, const char *kind_or_null,
					     struct bv_error *err);

/* Leave a layer out on purpose: "namespaces", "netns", "landlock".  The plan says what is weaker. */
BV_API enum bv_code bv_spec_without(struct bv_spec *spec, const char *layer, struct bv_error *err);

/* A private /tmp of at most `size_bytes`; 0 leaves the size to the backend. */
BV_API enum bv_code bv_spec_tmp(struct bv_spec *spec, uint64_t size_bytes, struct bv_error *err);

enum bv_syscalls {
	BV_USE_SYSCALLS_BASELINE, /* all but those no run gets */
	BV_USE_SYSCALLS_STRICT,   /* only those ordinary programs need */
};
/* Which system calls there are (default: the baseline); docs/seccomp.md lists both. */
BV_API enum bv_code bv_spec_syscalls(struct bv_spec *spec, enum bv_syscalls syscalls,
				     struct bv_error *err);
/* And of at most `inodes` files, directories and links; 0 leaves their number to the backend. */
BV_API enum bv_code bv_spec_tmp_inodes(struct bv_spec *spec, uint64_t inodes, struct bv_error *err);

/*
 * Keeps what is written to granted directories apart from them, in at most BV_BUDGET_STORAGE bytes
 * (256 MiB where there is no such limit).  Nothing reaches the host unless it is committed, see below.
 */
BV_API enum bv_code bv_spec_stage(struct bv_spec *spec, bool stage, struct bv_error *err);
/* Lists what changed in staged directories, with digests, in the report. */
BV_API enum bv_code bv_spec_delta(struct bv_spec *spec, bool delta, struct bv_error *err);

/*
 * The regular files below the directory `path` (inside; it has to be granted for writing) are the
 * run's artifacts as they are at the end: in its report with their digests, and kept beside its
 * journal, which it needs, until somebody decides about them (journal.h).  At most 4096 of them
 * and `limit_bytes` together, 0 being 1 GiB; what is more, and everything that is no regular file
 * or has a name elsewhere too, is left out, and the report says so.  Without bv_spec_stage the
 * files also stay where they were written.  NULL: none.
 */
BV_API enum bv_code bv_spec_output(struct bv_spec *spec, const char *path, uint64_t limit_bytes,
				   struct bv_error *err);

/*
 * When elapsed or processor time is up, and on bv_run_stop: SIGTERM to the main process first, and
 * the kill so much later.  0, and without this: killed at once.  An hour at most.
 */
BV_API enum bv_code bv_spec_grace(struct bv_spec *spec, uint64_t micros, struct bv_error *err);

/* The program's or module's path as given, made absolute; NULL while there is none. */
BV_API const char *bv_spec_program_path(const struct bv_spec *spec);

/* ---- Support: what this machine can hold ----------------------------------------------------- */

struct bv_support;

/*
 * Probes the machine and says, for every requirement and budget, how strongly it could be held.
 * `spec` may be NULL; of it only the layers left out count.  A promise of the backend, which
 * `bvisor doctor` puts to the test.
 */
BV_API enum bv_code bv_support_probe(const char *backend, const struct bv_spec *spec,
				     struct bv_support **ret_support, struct bv_error *err);
BV_API void bv_support_free(struct bv_support *support);

struct bv_support_row {
	const char *requirement; /* "Filesystem", or "Budget wall" */
	const char *verdict;     /* "Enforced", "Mediated" or "Unsupported" */
	const char *mechanism;
	const char *evidence; /* claims, comma separated; may be empty */
	const char *reason;   /* why it, or some of it, is weaker than Enforced; may be empty */
	const char *remedy;   /* what would mend that; may be empty */
};
BV_API size_t bv_support_row_count(const struct bv_support *support);
BV_API struct bv_support_row bv_support_row(const struct bv_support *support, size_t index);

/* Raw facts of the probe, in name order. */
BV_API size_t bv_support_fact_count(const struct bv_support *support);
BV_API const char *bv_support_fact(const struct bv_support *support, size_t index,
				   const char **ret_value);

/* ---- Plan: what would be enforced, how, or why not ------------------------------------------ */

struct bv_plan;

/*
 * Probes the machine and decides; runs nothing.  `backend` is "linux", "wasm", "inert", "sim",
 * "macos" or "windows"; NULL is this platform's own for the workload.  A refusal is a code other than BV_OK and `err` says
 * which part of the spec, what is wrong and how to mend it.
 */
BV_API enum bv_code bv_plan_make(const struct bv_spec *spec, const char *backend,
				 struct bv_plan **ret_plan, struct bv_error *err);
BV_API void bv_plan_free(struct bv_plan *plan);

struct bv_plan_row {
	const char *requirement; /* "Filesystem", or "Budget wall" */
	const char *detail;      /* what exactly: "read /srv/a, write /srv/b" */
	const char *verdict;     /* "Enforced" or "Mediated" */
	const char *mechanism;
	const char *evidence; /* claims, comma separated; may be empty */
};
BV_API size_t bv_plan_row_count(const struct bv_plan *plan);
BV_API struct bv_plan_row bv_plan_row(const struct bv_plan *plan, size_t index);
BV_API const char *bv_plan_id(const struct bv_plan *plan); /* 64 hex digits */
BV_API const char *bv_plan_backend(const struct bv_plan *plan);
BV_API enum bv_code bv_plan_to_json(const struct bv_plan *plan, char **ret_text,
				    struct bv_error *err);
BV_API enum bv_code bv_plan_to_bytes(const struct bv_plan *plan, void **ret_data,
				     size_t *ret_size_bytes, struct bv_error *err);

/* ---- Run: start, watch, kill, finish --------------------------------------------------------- */

struct bv_run;
struct bv_report;

enum bv_stream { BV_STDOUT, BV_STDERR };

/*
 * Called from bv_run_step with output as it arrives.  Returns how many bytes were taken, 0 when
 * none can be taken now (call bv_run_resume when they can), -1 when none ever will be: then the
 * stream is closed and the workload sees a broken pipe.
 */
typedef ptrdiff_t (*bv_output_fn)(void *context, enum bv_stream stream, const void *data,
				  size_t size_bytes);

struct bv_run_options {
	bv_output_fn output; /* NULL: captured only */
	void *context;
	unsigned short terminal_rows, terminal_columns; /* 0: 24 x 80 */
	/*
	 * Where the run is recorded; NULL: nowhere.  The attempt is durable before the program can run,
	 * the report before bv_run_finish hands it out; and it leaves out literal environment values
	 * unless the journal keeps them.
	 */
	struct bv_journal *journal;
	/*
	 * With a journal: the caller's name for this request, at most 200 bytes.  A second start with the
	 * same name runs nothing: it gives the first one's report.  BV_E_CONFLICT when it asks for
	 * something else, BV_E_BUSY while the first still runs, BV_E_STATE when that was lost.
	 */
	const char *idempotency_key;
	bool keep_output; /* with a journal: captured output is kept beside it, for bv_artifacts_read */
};

/*
 * Probes again, refuses if the machine changed or the plan's id does not recompute, then starts.
 * `options` may be NULL.  Plan and secrets are copied; `plan` may be freed at once.
 */
BV_API enum bv_code bv_run_start(const struct bv_plan *plan, const struct bv_run_options *options,
				 struct bv_run **ret_run, struct bv_error *err);

/* The attempt's random id, 64 hex digits: of the first attempt when nothing was run again. */
BV_API const char *bv_run_attempt(const struct bv_run *run);

/* Whether this start found an earlier one of its idempotency key, and ran nothing. */
BV_API bool bv_run_repeated(const struct bv_run *run);

/* A descriptor that polls readable whenever bv_run_step has something to do.  Borrowed. */
BV_API int bv_run_fd(const struct bv_run *run);

enum bv_run_state { BV_RUN_STARTING, BV_RUN_RUNNING, BV_RUN_ENDED };

/* Does what can be done now, without waiting.  Once BV_RUN_ENDED, call bv_run_finish. */
BV_API enum bv_code bv_run_step(struct bv_run *run, enum bv_run_state *ret_state,
				struct bv_error *err);

/* Waits, at most `timeout_ms` (-1: for ever), until bv_run_step has something to do. */
BV_API enum bv_code bv_run_wait(struct bv_run *run, int timeout_ms, struct bv_error *err);

/*
 * Feeds standard input of a relayed or terminal run; takes what fits.  NULL data: end of input.
 * When less than all was taken, bv_run_fd polls readable once more fits; try again after that step.
 */
BV_API enum bv_code bv_run_input(struct bv_run *run, const void *data, size_t size_bytes,
				 size_t *ret_taken_bytes, struct bv_error *err);

/* Whether bv_run_input would take something now. */
BV_API bool bv_run_input_ready(const struct bv_run *run);
BV_API void bv_run_resume(struct bv_run *run); /* output can be taken again */
BV_API enum bv_code bv_run_resize(struct bv_run *run, unsigned short rows, unsigned short columns,
				  struct bv_error *err);

/* Sends a signal to the workload's main process (SIGINT for Ctrl-C). */
BV_API enum bv_code bv_run_signal(struct bv_run *run, int signal_number, struct bv_error *err);

/* Kills the whole tree.  The run still has to be stepped to its end and finished. */
BV_API enum bv_code bv_run_kill(struct bv_run *run, struct bv_error *err);

/*
 * As bv_run_kill, but with the grace of bv_spec_grace: the main process gets SIGTERM and the tree is
 * killed when the grace is over.  A second call changes nothing; bv_run_kill still kills at once.
 */
BV_API enum bv_code bv_run_stop(struct bv_run *run, struct bv_error *err);

/* Seals the report of an ended run.  BV_E_STATE before. */
BV_API enum bv_code bv_run_finish(struct bv_run *run, struct bv_report **ret_report,
				  struct bv_error *err);

/* Kills what still runs, waits for it, frees. */
BV_API void bv_run_free(struct bv_run *run);

/* Plans with this platform's backend, runs to the end, seals. */
BV_API enum bv_code bv_run_confined(const struct bv_spec *spec, struct bv_report **ret_report,
				    struct bv_error *err);

/* ---- WebAssembly: code kept for the next run --------------------------------------------------- */

struct bv_wasm_code {
	char name[65]; /* a digest of all that the code was made from */
	uint64_t size_bytes;
	int64_t used_unix_seconds;
};

/*
 * What is kept below BVISOR_CACHE, or where this user's caches lie; the longest unused first, at most
 * `capacity`.  How many there are.
 */
BV_API size_t bv_wasm_cache_list(struct bv_wasm_code *ret_entries, size_t capacity);

/* Removes all of it; how many.  They are compiled again when they are needed. */
BV_API size_t bv_wasm_cache_clear(void);

/* ---- Changes: what was written to staged directories ------------------------------------------ */

struct bv_changes;

/*
 * What a finished run of a spec with bv_spec_stage changed, in the order of paths; at most once.
 * BV_E_STATE where nothing was staged.  The run may be freed before it.
 */
BV_API enum bv_code bv_run_changes(struct bv_run *run, struct bv_changes **ret_changes,
				   struct bv_error *err);

/* Frees, and with it forgets, what was not committed. */
BV_API void bv_changes_free(struct bv_changes *changes);

enum bv_change_kind {
	BV_CHANGE_ADDED,
	BV_CHANGE_MODIFIED,
	BV_CHANGE_REMOVED,
	BV_CHANGE_REPLACED,   /* by another type of file, or a directory by another one */
	BV_CHANGE_ATTRIBUTES, /* permissions, time or extended attributes alone */
};

enum bv_change_type {
	BV_CHANGED_FILE,
	BV_CHANGED_DIRECTORY,
	BV_CHANGED_LINK,
	BV_CHANGED_OTHER, /* a device, FIFO or socket */
};

struct bv_change {
	enum bv_change_kind kind;
	enum bv_change_type type; /* of what was removed, where it was */
	const char *path; /* of the host; may hold any byte but NUL; lives until the next call */
	uint64_t size_bytes;
	unsigned int mode;
	const char *problem; /* why it is never committed; empty where it is */
};
BV_API size_t bv_changes_count(const struct bv_changes *changes);
BV_API uint64_t bv_changes_size(const struct bv_changes *changes); /* bytes of new files */
BV_API struct bv_change bv_changes_at(struct bv_changes *changes, size_t index);

/*
 * Opens what a file that was added or changed holds now, for reading: the caller's to close.
 * BV_E_STATE for what is no such file.  The bytes are the workload's.
 */
BV_API enum bv_code bv_changes_open(struct bv_changes *changes, size_t index, int *ret_fd,
				    struct bv_error *err);

/*
 * Chooses for bv_changes_commit those at these paths of the host, and below; with `count` 0 all.  The
 * new directories something lies in go with it.  BV_E_ARGUMENT when nothing changed at one of them.
 */
BV_API enum bv_code bv_changes_choose(struct bv_changes *changes, const char *const *paths,
				      size_t count, struct bv_error *err);

/*
 * Makes all that are chosen real but those with a problem.  Each file appears whole or not at all,
 * nothing is removed before everything new is in its place, and at the end all of it is on stable
 * storage.  Nothing is written, and BV_E_CONFLICT returned, when something that would be replaced or
 * removed changed on the host since the run began: then `problem` tells which.
 *
 * With a journal the decision is durable before anything is written, and its outcome after; the
 * journal has to outlive the changes.  When it fails they are kept as by bv_changes_keep, if at all
 * possible.  Once per object: for more, bv_journal_changes again.
 */
BV_API enum bv_code bv_changes_commit(struct bv_changes *changes, struct bv_error *err);

/* Keeps them beside the journal, for bv_journal_changes.  BV_E_STATE without one. */
BV_API enum bv_code bv_changes_keep(struct bv_changes *changes, struct bv_error *err);

/* Forgets them, and with a journal records that.  bv_changes_free alone leaves no record. */
BV_API enum bv_code bv_changes_discard(struct bv_changes *changes, struct bv_error *err);

/* ---- Report ------------------------------------------------------------------------------------ */

BV_API void bv_report_free(struct bv_report *report);

/* "Completed", "Failed", "Timeout", "Killed", "Denied", "Unsupported" or "SupervisorFault". */
BV_API const char *bv_report_outcome(const struct bv_report *report);

/* The end in one sentence for people: "exited with code 3", "stopped at the wall limit of 10 s". */
BV_API const char *bv_report_summary(const struct bv_report *report);

/* The limit that ended it, as "wall" or "memory"; NULL when none did. */
BV_API const char *bv_report_limit(const struct bv_report *report);

/* Files in the output directory: kept, and left out. */
BV_API size_t bv_report_artifact_count(const struct bv_report *report);
BV_API size_t bv_report_left_out_count(const struct bv_report *report);
/* One that was left out, and why in a few words; `ret_name` NULL for those that are only counted. */
BV_API void bv_report_left_out(const struct bv_report *report, size_t index, const char **ret_name,
			       const char **ret_why);

enum bv_exit_kind { BV_EXITED_UNKNOWN, BV_EXITED_CODE, BV_EXITED_SIGNAL, BV_EXITED_NOT_STARTED };
/* How the main process ended, and its code or signal number. */
BV_API enum bv_exit_kind bv_report_exit(const struct bv_report *report, int *ret_number);

/* Why it was never executed: step and errno; NULL step when it was. */
BV_API const char *bv_report_exec_failure(const struct bv_report *report, int *ret_errno,
					  const char **ret_message);

/* The bytes kept of a stream; not part of a report read back from a file (then NULL, 0). */
BV_API const void *bv_report_output(const struct bv_report *report, enum bv_stream stream,
				    size_t *ret_size_bytes);

BV_API const char *bv_report_hash(const struct bv_report *report); /* body_hash, 64 hex digits */
BV_API enum bv_code bv_report_to_json(const struct bv_report *report, char **ret_text,
				      struct bv_error *err);
BV_API enum bv_code bv_report_to_text(const struct bv_report *report, char **ret_text,
				      struct bv_error *err);
BV_API enum bv_code bv_report_to_bytes(const struct bv_report *report, void **ret_data,
				       size_t *ret_size_bytes, struct bv_error *err);

/* Reads canonical bytes or JSON, without believing them: call bv_report_verify. */
BV_API enum bv_code bv_report_read(const void *data, size_t size_bytes,
				   struct bv_report **ret_report, struct bv_error *err);

/* BV_E_INTEGRITY when body_hash does not recompute. */
BV_API enum bv_code bv_report_verify(const struct bv_report *report, struct bv_error *err);

/*
 * Whether `proof`, an export of bv_journal_export, shows that this very report is in a journal whose
 * signatures are of `public_key` (64 hex digits).  BV_E_INTEGRITY when it does not.
 */
BV_API enum bv_code bv_report_verify_proof(const struct bv_report *report, const void *proof,
					   size_t size_bytes, const char *public_key,
					   struct bv_error *err);

/* Frees what a function here said bv_free frees.  NULL is fine. */
BV_API void bv_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
