/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * run.h - one run: what the host holds of it from start to report.
 */
#ifndef BV_LINUX_RUN_H
#define BV_LINUX_RUN_H

#include <sys/types.h>

#include "cgroup.h"
#include "contract/backend.h"
#include "lower.h"
#include "output.h"
#include "stage.h"
#include "stream.h"
#include "transcript.h"

enum {
	BV_RUN_STREAMS = 2,
	BV_SIGNAL_LAST = 64,
};

/* What an epoll event is about; a stream's is BV_WATCH_STREAM + its number. */
enum bv_watch {
	BV_WATCH_CONTROL,
	BV_WATCH_LAUNCHER,
	BV_WATCH_TIMER,
	BV_WATCH_INPUT,
	BV_WATCH_STREAM
};

struct bv_backend_run {
	const struct bv_boundary_plan *plan;
	struct bv_backend_options options;
	struct bv_arena arena; /* mapped for this run alone */
	struct bv_lowered lowered;
	enum bv_backend_state state;
	uint64_t started_unix_micros;

	struct bv_cgroup group; /* fd -1: none */
	struct bv_cgroup_counters counters;
	const char *left; /* in the group after the end, in words; NULL: not looked at */
	bool is_empty;    /* but for PID 1 */

	int epoll_fd;
	int timer_fd;
	int control_fd;     /* -1 once the launcher has closed it */
	int launcher_pidfd; /* -1 once it was reaped */
	int input_fd;       /* write end of standard input, or the terminal; -1 */
	int terminal_fd;    /* for its size; -1 */
	int stage_fd; /* the file system of staged directories, once nothing runs any more; -1 */
	pid_t launcher_pid;
	int launcher_status; /* as wait4(2) gives it */

	struct bv_transcript transcript;
	struct bv_stream streams[BV_RUN_STREAMS];
	bool watched[BV_RUN_STREAMS]; /* is in the epoll set */
	bool resumed;
	bool input_watched;
	uint64_t input_bytes;
	struct bv_hash input_hash;

	/* CLOCK_MONOTONIC nanoseconds; 0: not set. */
	uint64_t setup_deadline, wall_deadline, kill_deadline, drain_deadline;
	uint64_t
		deaf_deadline; /* a launcher that has not ended by then is killed; 0: it is not late */
	uint64_t timer_set;    /* what the timer is set to; 0: nothing */
	bool wall_fired;
	bool kill_asked, stop_asked;
	uint64_t early_signals; /* asked for before the program ran; bit n - 1 is signal n */

	/* What was said and seen. */
	bool has_refusal, has_fault, has_exec, has_exit, has_storage;
	struct bv_record_refusal refusal;
	struct bv_record_fault fault;
	struct bv_record_installed installed;
	struct bv_record_exit exit;
	struct bv_record_storage storage;
	struct bv_record_denied *denied; /* in the arena, at most BV_DENIED_KINDS_MAX */
	size_t denied_count, denied_capacity;
	bool has_limit, has_usage;
	struct bv_record_limit limit; /* the first that was reached */
	struct bv_record_usage usage;
	struct bv_attestation_list attestations;
	struct bv_stage *stage; /* NULL: nothing is staged, or it was taken */
	bool stage_listed;
	struct bv_output *output;     /* NULL: no directory was named for artifacts */
	struct bv_error output_error; /* why they could not be collected; code BV_OK: they were */
	struct bv_error
		stage_error; /* why what was written could not be listed; code BV_OK: it was */

	/* The first thing that was wrong with bvisor itself; message empty: nothing. */
	struct bv_error broken;
};

/* start.c: lowers, builds the channels and starts the launcher.  The run is stepped afterwards. */
enum bv_code bv__run_start(void *self, const struct bv_boundary_plan *plan,
			   const struct bv_backend_options *options,
			   struct bv_backend_run **ret_run, struct bv_error *err);

/* run.c */
enum bv_code bv__run_watch(struct bv_backend_run *run, struct bv_error *err);
enum bv_code bv__run_step(struct bv_backend_run *run, enum bv_backend_state *ret_state,
			  struct bv_error *err);
int bv__run_fd(struct bv_backend_run *run);
void bv__run_resume(struct bv_backend_run *run);
enum bv_code bv__run_signal(struct bv_backend_run *run, int signal_number, struct bv_error *err);
enum bv_code bv__run_kill(struct bv_backend_run *run, struct bv_error *err);
enum bv_code bv__run_stop(struct bv_backend_run *run, struct bv_error *err);
const void *bv__run_output(struct bv_backend_run *run, int stream, size_t *ret_size_bytes);
void bv__run_free(struct bv_backend_run *run);

/* input.c */
enum bv_code bv__run_input(struct bv_backend_run *run, const void *data, size_t size_bytes,
			   size_t *ret_taken_bytes, struct bv_error *err);
bool bv__run_input_ready(struct bv_backend_run *run);
enum bv_code bv__run_resize(struct bv_backend_run *run, uint16_t rows, uint16_t columns,
			    struct bv_error *err);

/* report.c */
enum bv_code bv__run_finish(struct bv_backend_run *run, struct bv_arena *arena,
			    struct bv_report_body *ret_body, struct bv_error *err);

/* report_left.c: looks at what was left, once; puts it into a report, false when the arena is full. */
void bv__run_collect(struct bv_backend_run *run);
bool bv__run_report_left(const struct bv_backend_run *run, struct bv_arena *arena,
			 struct bv_report_body *body);

/* witness.c */
void bv__run_witness(const struct bv_backend_run *run, struct bv_budget_witnesses *ret_witnesses);

/* Whether the kernel killed for want of memory in the run's group. */
bool bv__run_out_of_memory(const struct bv_backend_run *run);

/* Ends a run that went wrong on our side; the first reason stays. */
void bv__run_break_off(struct bv_backend_run *run, const struct bv_error *why);

/* Nanoseconds from SIGTERM to the kill. */
uint64_t bv__run_grace_ns(const struct bv_backend_run *run);
/* What was staged, listed, which is the caller's from then on; after bv__run_finish. */
enum bv_code bv__run_take_stage(struct bv_backend_run *run, struct bv_stage **ret_stage,
				struct bv_error *err);

uint64_t bv__now_ns(void);

#endif
