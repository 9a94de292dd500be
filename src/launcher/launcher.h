/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * launcher.h - what main.c hands to the protocols.
 *
 * main.c finds the control channel, brings the process into a known state and reads the plan; then
 * the plan's own version decides who goes on.  Both protocols return the launcher's exit code, and
 * only once nothing is left for it to do.
 */
#ifndef BV_LAUNCHER_LAUNCHER_H
#define BV_LAUNCHER_LAUNCHER_H

#include <stdbool.h>

#include "contract/base.h"
#include "linux/records.h"

enum {
	BV_LAUNCHER_EXIT_OK = 0,
	BV_LAUNCHER_EXIT_REFUSED = 3,
	BV_LAUNCHER_EXIT_FAULTED = 4,
};

/*
 * Ceiling of a frame.  The kernel takes at most 6 MiB of arguments and environment
 * (three quarters of _STK_LIM), so a larger plan could not be executed anyway.
 */
enum { BV_LAUNCHER_FRAME_MAX = 16 << 20 };

struct bv_launcher {
	int control_fd;
	int plan_fd;

	/*
	 * Protocol 1's pipe for errors, as its host numbered it.  Never read or written: the
	 * launcher makes its own (spec/linux.md G-01).  -1 under protocol 2.
	 */
	int error_fd;
	int error_read_fd;

	/* The run's control group under protocol 2; -1: none. */
	int group_fd;

	/* The control channel keeps packets apart, so the host speaks records.h: protocol 2. */
	bool packets;

	/* The four seals are on the plan; without them it was not even read. */
	bool sealed;

	/*
	 * The whole frame, header included; untrusted.  Private writable memory, to be wiped.  One
	 * byte longer than BV_LAUNCHER_FRAME_MAX if the plan is longer than that.
	 */
	struct bv_str frame;

	/* Under protocol 2 a boot that failed is told by bv_launcher_v2; 0 when it did not fail. */
	enum bv_step boot_step;
	int boot_errno;
};

struct bv_v1_transcript;

/* Anything that is not a version 2 frame on a packet channel; refuses what is not version 1. */
int bv_launcher_v1(struct bv_launcher *launcher, struct bv_v1_transcript *transcript);

/* A version 2 frame on a packet channel, or a boot that failed there (boot_errno, or not sealed). */
int bv_launcher_v2(struct bv_launcher *launcher);

/* Entries of /proc/self/task, or -1 with errno. */
int bv_launcher_task_count(void);

/* Overwrites the frame and gives its memory back; for as soon as nobody needs the plan any more. */
void bv_launcher_forget_frame(struct bv_launcher *launcher);

#endif
