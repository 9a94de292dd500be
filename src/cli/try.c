/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One act of doctor, committed free and committed confined. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_MS = 6000, OUTPUT_MAX = 16384, ARGS = 4 };

struct expanded {
	char text[ARGS][256];
	const char *list[ARGS + 1]; /* as argv has it, ends with NULL */
	size_t count;
	char where[256];
};

static void expand(const struct cli_lab *lab, const struct cli_trial *trial,
		   const char *const *list, struct expanded *ret_args)
{
	*ret_args = (struct expanded){.count = 0};
	for (size_t i = 0; i < ARGS && list[i]; i++) {
		cli_lab_expand(lab, list[i], ret_args->text[i], sizeof ret_args->text[i]);
		ret_args->list[i] = ret_args->text[i];
		ret_args->count++;
	}
	cli_lab_expand(lab, trial->where, ret_args->where, sizeof ret_args->where);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_ready(const char *output, size_t size_bytes)
{
	return size_bytes >= 6 && memcmp(output, "ready\n", 6) == 0;
}

/* Free only: who holds the lock is then a process of ours, in our own numbering. */
static void kill_lock_holder(const struct cli_lab *lab)
{
	char path[256], text[32] = "";
	int fd;

	cli_lab_expand(lab, "%w/lock", path, sizeof path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof text - 1) > 0 && atoi(text) > 1)
		(void)kill((pid_t)atoi(text),
			   SIGKILL); /* gone by itself after some seconds otherwise */
	(void)close(fd);             /* only read from */
}

/* Reads until the end of the output, or until it is ready to be killed. */
static size_t read_output(int fd, bool kills, char *output)
{
	uint64_t end = now_ms() + LONGEST_MS;
	size_t used = 0;

	while (used < OUTPUT_MAX && now_ms() < end) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&waiting, 1, 100) <= 0)
			continue;
		n = read(fd, output + used, OUTPUT_MAX - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		if (kills && is_ready(output, used))
			break;
	}
	return used;
}

static pid_t spawn(const char *self, const struct expanded *args, int out)
{
	const char *argv[ARGS + 3] = {self, "__probe"};
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	memcpy(argv + 2, args->list, sizeof args->list);
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	/* Out of memory here fails the spawn, or the control. */
	(void)posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	(void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, self, &actions, NULL, (char **)(uintptr_t)argv, environ) != 0)
		pid = -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static enum cli_found try_probe(struct cli_lab *lab, const struct cli_trial *trial)
{
	static char output[OUTPUT_MAX];
	struct cli_went went = {.output = output};
	struct expanded args;
	char self[256];
	int pipe_fds[2], status = 0;
	bool happened;

	cli_lab_reset(lab);
	expand(lab, trial, trial->guest ? trial->probe : trial->args, &args);
	cli_lab_expand(lab, "%d/bvisor", self, sizeof self);
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return CLI_NOT_TRIED;

	pid_t pid = spawn(self, &args, pipe_fds[1]);

	(void)close(pipe_fds[1]); /* ours; the end of the output is when theirs are closed */
	if (pid < 0) {
		(void)close(pipe_fds[0]);
		return CLI_NOT_TRIED;
	}
	went.output_bytes = read_output(pipe_fds[0], trial->kills, output);
	(void)close(pipe_fds[0]); /* only read from */
	if (trial->kills)
		(void)kill(pid, SIGKILL); /* a child not yet waited for */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	went.status = WIFSIGNALED(status) ? CLI_EXIT_SIGNAL + WTERMSIG(status)
					  : WEXITSTATUS(status);
	happened = trial->happened(lab, args.where, &went);
	kill_lock_holder(lab);
	return happened ? CLI_HAPPENED : CLI_HELD;
}

struct confined {
	char output[OUTPUT_MAX];
	size_t used;
};

static ptrdiff_t take(void *context, enum bv_stream stream, const void *data, size_t size_bytes)
{
	struct confined *confined = context;
	size_t room = sizeof confined->output - confined->used;

	if (stream == BV_STDOUT) {
		memcpy(confined->output + confined->used, data,
		       size_bytes < room ? size_bytes : room);
		confined->used += size_bytes < room ? size_bytes : room;
	}
	return (ptrdiff_t)size_bytes;
}

static enum bv_code ask(const struct cli_lab *lab, const struct cli_trial *trial,
			const struct expanded *args, const char *layer, bool free,
			struct bv_spec *spec, struct bv_error *err)
{
	enum bv_code (*const more)(struct bv_spec *, const struct cli_lab *,
				   struct bv_error *) = free ? trial->control : trial->ask;
	const char *argv[ARGS + 1] = {"__probe"};
	char self[256], work[256], readable[256];
	enum bv_code code;

	cli_lab_expand(lab, trial->guest ? "%d/guest.wat" : "%d/bvisor", self, sizeof self);
	cli_lab_expand(lab, "%w", work, sizeof work);
	cli_lab_expand(lab, "%r", readable, sizeof readable);
	memcpy(argv + 1, args->list, ARGS * sizeof *argv);
	code = trial->guest ? bv_spec_wasm(spec, self, args->count, argv + 1, err)
			    : bv_spec_program(spec, self, args->count + 1, argv, err);
	if (code == BV_OK)
		code = bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, work, err);
	if (code == BV_OK)
		code = bv_spec_grant(spec, BV_GRANT_READ, readable, err);
	if (code == BV_OK && layer)
		code = bv_spec_without(spec, layer, err);
	if (code == BV_OK && more)
		code = more(spec, lab, err);
	return code;
}

/* To the end, but not for ever, and killed when the trial says so. */
static enum bv_code run(struct bv_run *run, bool kills, const struct confined *confined,
			struct bv_error *err)
{
	uint64_t end = now_ms() + LONGEST_MS;
	enum bv_run_state state = BV_RUN_STARTING;
	enum bv_code code = bv_run_step(run, &state, err);

	while (code == BV_OK && state != BV_RUN_ENDED) {
		if ((kills && is_ready(confined->output, confined->used)) || now_ms() > end) {
			kills = false;
			end += LONGEST_MS;
			code = bv_run_kill(run, err);
		}
		if (code == BV_OK)
			code = bv_run_wait(run, 100, err);
		if (code == BV_OK)
			code = bv_run_step(run, &state, err);
	}
	return code;
}

static void read_exit(const struct bv_report *report, struct cli_went *went)
{
	int number = 0;

	switch (bv_report_exit(report, &number)) {
	case BV_EXITED_CODE:
		went->status = number;
		break;
	case BV_EXITED_SIGNAL:
		went->status = CLI_EXIT_SIGNAL + number;
		break;
	case BV_EXITED_UNKNOWN:
		/* A guest that a limit ended ran, and has no exit. */
		went->status = bv_report_limit(report) ? -2 : -1;
		break;
	case BV_EXITED_NOT_STARTED:
		went->status = -1;
		break;
	}
}

static bool is_enforced(const struct bv_plan *plan, const char *requirement)
{
	for (size_t i = 0; i < bv_plan_row_count(plan); i++) {
		const struct bv_plan_row row = bv_plan_row(plan, i);

		if (strcmp(row.requirement, requirement) == 0 &&
		    strcmp(row.verdict, "Enforced") != 0)
			return false;
	}
	return true;
}

/* What was staged, if anything was: counted, and committed where the trial says so. */
static enum bv_code settle(struct bv_run *run, const struct cli_trial *trial, struct cli_went *went,
			   struct bv_error *err)
{
	struct bv_changes *changes = NULL;
	enum bv_code code = bv_run_changes(run, &changes, err);

	if (code == BV_E_STATE)
		return BV_OK;
	if (code == BV_OK)
		went->changes = bv_changes_count(changes);
	if (code == BV_OK && trial->commits)
		code = bv_changes_commit(changes, err);
	bv_changes_free(changes);
	return code;
}

static enum cli_found try_inside(struct cli_lab *lab, const struct cli_trial *trial,
				 const char *backend, const char *layer, bool free,
				 bool *ret_enforced, struct bv_error *err)
{
	static struct confined confined;
	const struct bv_run_options options = {.output = take, .context = &confined};
	enum cli_found found = CLI_REFUSED;
	struct bv_spec *spec = bv_spec_new();
	struct bv_plan *plan = NULL;
	struct bv_run *handle = NULL;
	struct bv_report *report = NULL;
	struct cli_went went = {.output = confined.output};
	struct expanded args;

	cli_lab_reset(lab);
	expand(lab, trial, trial->args, &args);
	confined.used = 0;
	*ret_enforced = true;
	if (spec && ask(lab, trial, &args, layer, free, spec, err) == BV_OK &&
	    bv_plan_make(spec, backend, &plan, err) == BV_OK &&
	    bv_run_start(plan, &options, &handle, err) == BV_OK &&
	    run(handle, trial->kills && !free, &confined, err) == BV_OK &&
	    bv_run_finish(handle, &report, err) == BV_OK &&
	    settle(handle, trial, &went, err) == BV_OK) {
		read_exit(report, &went);
		went.output_bytes = confined.used;
		found = trial->happened(lab, args.where, &went) ? CLI_HAPPENED : CLI_HELD;
		*ret_enforced = is_enforced(plan, trial->requirement);
		if (went.status == -1 && err) {
			/* Never executed: that nothing happened says nothing. */
			const char *message = NULL;
			int sys_errno;

			(void)bv_report_exec_failure(report, &sys_errno, &message);
			*err = (struct bv_error){.code = BV_E_LAUNCHER};
			(void)snprintf(err->message, sizeof err->message, "%s",
				       message ? message : bv_report_summary(report));
			found = CLI_REFUSED;
		}
	}
	bv_report_free(report);
	bv_run_free(handle);
	bv_plan_free(plan);
	bv_spec_free(spec);
	return found;
}

enum cli_found cli_try_confined(struct cli_lab *lab, const struct cli_trial *trial,
				const char *backend, const char *layer, bool *ret_enforced,
				struct bv_error *err)
{
	return try_inside(lab, trial, backend, layer, false, ret_enforced, err);
}

enum cli_found cli_try_free(struct cli_lab *lab, const struct cli_trial *trial)
{
	struct bv_error error;
	enum cli_found found;
	bool enforced;

	if (trial->only_inside)
		return CLI_HAPPENED;
	if (!trial->guest || trial->probe[0])
		return try_probe(lab, trial);
	found = try_inside(lab, trial, NULL, NULL, true, &enforced, &error);
	return found == CLI_REFUSED ? CLI_NOT_TRIED : found;
}
