/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * harness.h - plays the host of launcher protocol 1 (spec/linux.md 2.5-2.9): seals the plan, puts
 * descriptors at their numbers, starts the launcher, collects transcript and output.
 *
 * BVISOR_LAUNCHER_BIN names the launcher, BVISOR_PROBE_BIN and BVISOR_WRAP_BIN the two helpers; by
 * default all lie beside the test program.
 */
#ifndef BV_TEST_HARNESS_H
#define BV_TEST_HARNESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "wire.h"

enum {
	EXE_SLOT = 10,
	STRANGERS_MAX = 16,
	WRAP_MAX = 16,
	OUTCOME_TEXT_BYTES = 16 << 10,
	OUTCOME_OUT_BYTES = 512 << 10,
	LAUNCH_DEADLINE_MS = 30000,
	SCRATCH_PATH_BYTES = 64,
};

struct stranger {
	int number;
	int fd;
};

struct launch {
	struct wire_plan plan;
	int slot_fds[WIRE_SLOTS_MAX]; /* parallel to plan.slots; -1: declared, not handed over */

	/* Deviations from a good host. */
	const uint8_t *frame; /* these bytes instead of the plan's */
	size_t frame_bytes;
	int seals; /* all four */
	bool plan_is_pipe;
	bool plan_write_only;
	bool control_is_pipe;
	bool control_is_packets;
	const char *control_text, *plan_text, *error_text,
		*error_read_text; /* "": variable left out */
	int control_number;       /* 0: where it belongs */
	int error_read_fd;        /* something else than a pipe; -1: the pipe */
	bool ignore_signals;
	bool close_stdin;

	int stdin_fd; /* -1: /dev/null */
	struct stranger strangers[STRANGERS_MAX];
	size_t stranger_count;
	const char *wrap[WRAP_MAX]; /* arguments of the wrapper the launcher is started through */
	size_t wrap_count;
};

struct running {
	pid_t pid;
	int control_fd, out_fd, err_fd;
};

struct outcome {
	char transcript[OUTCOME_TEXT_BYTES];
	size_t transcript_bytes;
	char out[OUTCOME_OUT_BYTES];
	size_t out_bytes;
	char err[OUTCOME_TEXT_BYTES];
	size_t err_bytes;
	int status; /* of the launcher, as waitpid gives it */
};

/* Scrub and exec of the probe at EXE_SLOT; everything as a good host has it. */
void launch_init(struct launch *launch);
/* Closes the descriptors that launch_init and launch_slot_path opened. */
void launch_clear(struct launch *launch);

void launch_entry(struct launch *launch, const char *id, uint8_t phase_code);
void launch_landlock(struct launch *launch);
void launch_seccomp(struct launch *launch, bool deny_new_tasks, bool deny_inet_sockets);
void launch_slot(struct launch *launch, uint32_t index, const char *role, const char *kind,
		 bool writable, int fd);
void launch_slot_path(struct launch *launch, uint32_t index, const char *role, const char *path);
void launch_exe(struct launch *launch, const char *path);
/* NULL-terminated lists of texts that outlive the launch. */
void launch_args(struct launch *launch, ...) __attribute__((sentinel));
void launch_env(struct launch *launch, const char *name, const char *value);
void launch_stranger(struct launch *launch, int number, int fd);
void launch_wrap(struct launch *launch, ...) __attribute__((sentinel));

void launch_start(const struct launch *launch, struct running *running, struct outcome *outcome);
/* Reads until the transcript has this line; the test fails when it does not come. */
void launch_await(struct running *running, struct outcome *outcome, const char *line);
void launch_finish(struct running *running, struct outcome *outcome);
void launch_run(const struct launch *launch, struct outcome *outcome);

bool outcome_has_line(const struct outcome *outcome, const char *line);
bool outcome_has_text(const struct outcome *outcome, const char *text);
bool outcome_out_has(const struct outcome *outcome, const char *text);
const char *outcome_last_line(const struct outcome *outcome);
/* The states without notes: "LauncherStarted IdentityVerified ..." in a static buffer. */
const char *outcome_states(const struct outcome *outcome);
int outcome_terminals(const struct outcome *outcome);
/* The launcher's exit code, or -1 when a signal ended it. */
int outcome_exit(const struct outcome *outcome);
/* From the mechanism note; 0 when there is none. */
pid_t outcome_child(const struct outcome *outcome);

/* These end the test with the whole transcript when something else came. */
void expect_success(const struct outcome *outcome);
void expect_refused(const struct outcome *outcome, const char *states, const char *reason);
void expect_faulted(const struct outcome *outcome, const char *states);

/* A directory of its own: ro/ with a copy of the probe and input, rw/, out/. */
struct scratch {
	char dir[SCRATCH_PATH_BYTES];
};

void scratch_open(struct scratch *scratch);
void scratch_close(const struct scratch *scratch);
/* "<dir>/<name>" in one of eight static buffers. */
const char *scratch_path(const struct scratch *scratch, const char *name);
void scratch_write(const struct scratch *scratch, const char *name, const char *text,
		   unsigned int mode);
/* What is in the file, or NULL when there is none; in a static buffer. */
const char *scratch_read(const struct scratch *scratch, const char *name);

const char *probe_path(void);
bool process_exists(pid_t pid);
/* Waits at most a second for it to be gone. */
bool process_gone(pid_t pid);
bool userns_works(void);
int landlock_abi(void);

#endif
