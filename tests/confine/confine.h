/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * confine.h - runs the guest confined, as root and as a user, with namespaces and without.
 *
 *     EVERYWHERE(an_exit_code_comes_back)
 *     {
 *             struct ran ran = run_guest(place, "exit", "7", NULL);
 *             EXPECT_INT(ran.number, 7);
 *     }
 *
 * Every place has a directory of its own that the workload can reach; what a test plants beside it
 * is outside the boundary.  Needs BVISOR_LAUNCHER_BIN and BVISOR_GUEST_BIN.
 */
#ifndef BV_TEST_CONFINE_H
#define BV_TEST_CONFINE_H

#include <bvisor/bvisor.h>
#include <sys/types.h>

#include "contract/types.h"
#include "test.h"

struct place {
	const char *name; /* "user without namespaces" */
	bool user;        /* uid 12345, else root */
	bool bare;        /* without namespaces */
	char dir[128];    /* empty, belongs to whoever runs bvisor */
	char guest[128];
};

enum { TEST_UID = 12345 };

typedef void place_fn(const struct place *place);
/* In every place that this machine can hold. */
void everywhere(place_fn *body);
/* In one of them, whether or not this machine can hold it. */
void in_one_place(bool user, bool bare, place_fn *body);

/*
 * Why this machine cannot hold such a place; NULL where it can.  Asked of the kernel and not of
 * bvisor, as whoever calls it; places.c holds bvisor to the same answer.
 */
const char *place_lacks(bool bare);

/* The oldest Landlock that can keep files from being cut short. */
enum { BARE_LANDLOCK_ABI = 3 };
int landlock_abi(void);
/* Whether this kernel can seal a memory file against being executed (Linux 6.3); others get none inside. */
bool has_sealed_memory_files(void);
/* Why what is written in a place with namespaces cannot be kept apart here; NULL where it can. */
const char *staging_lacks(void);
/* Whether the kernel itself holds what this enum bv_controller is for, for runs of this process. */
bool kernel_controls(unsigned int controller);

#define EVERYWHERE(name) EVERYWHERE_WITHIN(name, TEST_TIMEOUT_S)
#define EVERYWHERE_WITHIN(name, seconds)                                                           \
	static void body_##name(const struct place *place);                                        \
	TEST_WITHIN(name, seconds)                                                                 \
	{                                                                                          \
		everywhere(body_##name);                                                           \
	}                                                                                          \
	static void body_##name(const struct place *place)

/*
 * The same with a control group delegated to the user places too, as systemd would do it, and the
 * place's process in it.  Where this machine has none the test is skipped.
 */
void everywhere_delegated(place_fn *body);

#define DELEGATED(name)                                                                            \
	static void body_##name(const struct place *place);                                        \
	TEST(name)                                                                                 \
	{                                                                                          \
		everywhere_delegated(body_##name);                                                 \
	}                                                                                          \
	static void body_##name(const struct place *place)

/* ---- files of a place ------------------------------------------------------------------------ */

/* `dir`/`name`, in one of several buffers that are used in turn. */
const char *in_place(const struct place *place, const char *name);
/* A directory the workload may use once it is granted. */
const char *make_dir(const struct place *place, const char *name);
const char *make_file(const struct place *place, const char *name, const char *content);
/* Whether the file holds exactly that; false where there is none. */
bool file_holds(const char *path, const char *content);
bool file_exists(const char *path);

/* ---- runs ------------------------------------------------------------------------------------ */

struct ran {
	struct bv_report *handle;
	struct bv_boundary_report report; /* the sealed bytes, read back */
	const char *outcome;
	enum bv_exit_kind kind;
	int number;
	const char *out; /* NUL-terminated */
	size_t out_bytes;
};

/* A spec that runs the guest with these words (up to a NULL), and nothing of the runtime set. */
struct bv_spec *guest_spec(const struct place *place, ...) __attribute__((sentinel));
struct bv_spec *program_spec(const struct place *place, const char *program, size_t arg_count,
			     const char *const *args);

/* Plans, runs to the end, frees the spec.  Any failure of bvisor itself fails the test. */
struct ran run_spec(struct bv_spec *spec);
struct ran run_guest(const struct place *place, ...) __attribute__((sentinel));

/* In steps: for what has to be done while it runs. */
struct bv_run *start_spec(struct bv_spec *spec, const struct bv_run_options *options);
/* Options whose output await_output looks at. */
extern const struct bv_run_options gathering;
/* Steps until what came so far holds `text`, or fails after ten seconds. */
void await_output(struct bv_run *run, const char *text);
/*
 * Steps until `run` ended, at most `timeout_ms`; false if it did not.  A second or more only guards
 * against hanging, and is longer where BVISOR_TEST_PATIENCE says so.
 */
bool await_end(struct bv_run *run, int timeout_ms);
struct ran finish_run(struct bv_run *run);

/* Whether the output has that line. */
bool said(const struct ran *ran, const char *line);
#define EXPECT_SAID(ran, line)                                                                     \
	EXPECT_THAT(said(ran, line), "expected the line '%s' in:\n%.1500s", line, (ran)->out)

/* A fact of the report, the first of that kind; NULL. */
const struct bv_observed_fact *find_fact(const struct ran *ran, const char *kind);
const struct bv_denied_attempt *find_denied(const struct ran *ran, const char *call);
/* Whether these bytes occur anywhere in the sealed report. */
bool report_contains(const struct ran *ran, const char *text);

/* Live processes whose arguments have `mark`, zombies left out. */
int count_processes(const char *mark);
/* Calls `found` for each of them; how many there were. */
int each_process(const char *mark, void (*found)(pid_t pid));
/* For what a boundary without namespaces is known to leave behind. */
void kill_processes(const char *mark);

#endif
