/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * inert.c - runs the program as it is, under a report that says nothing was confined.
 *
 * It holds two things only: that the program is started and its end told, and that its output is
 * captured.  Whatever else a spec asks for is refused, so nobody takes it for a boundary.
 */
#include "backends.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "contract/budget.h"
#include "contract/report.h"
#include "contract/support.h"
#include "linux/stream.h"
#include "linux/sys.h"

enum {
	STREAM_COUNT = 2,
	CAPTURE_BYTES = 1 << 20, /* kept of each stream where the spec does not say */
	PUMP_BYTES = 1 << 20,    /* of each stream in one step */
	STACK_BYTES = 32 << 10,  /* of the child until it execs */
};

struct bv_backend_run {
	const struct bv_boundary_plan *plan;
	struct bv_backend_options options;
	enum bv_backend_state state;

	int epoll_fd, wake_fd, stdin_fd, pid_fd;
	pid_t pid; /* 0 once reaped */
	bool capture_stdout, capture_stderr, killed, stdin_full;
	bool watched[STREAM_COUNT];
	struct bv_stream streams[STREAM_COUNT];

	uint64_t started_unix_micros, started_ns, ended_ns;
	int status;
	struct rusage usage;
	int exec_errno; /* 0: it was executed */
	const char *exec_step;
};

static enum bv_code fail_errno(struct bv_error *err, const char *what)
{
	const int saved = errno;

	bv_fail(err, BV_E_SYSTEM, "inert", "%s: %s", what, strerror(saved));
	if (err != NULL)
		err->sys_errno = saved;
	return BV_E_SYSTEM;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0, 0};

	(void)clock_gettime(clock, &now); /* cannot fail for these clocks */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- probe and profile ----------------------------------------------------------------------- */

static enum bv_code inert_probe(void *self, struct bv_arena *arena,
				struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	struct bv_text_pair *facts = bv_arena_array(arena, 2, sizeof *facts);

	(void)self;
	if (facts == NULL)
		return bv_fail(err, BV_E_MEMORY, "profile", "no memory for the probe");
	facts[0] = (struct bv_text_pair){BV_STR("confinement"), BV_STR("none")};
	facts[1] = (struct bv_text_pair){BV_STR("reference"), BV_STR("inert")};
	*ret_snapshot = (struct bv_profile_snapshot){.backend = BV_STR("inert"),
						     .probed = {facts, 2}};
	bv_profile_hold_no_budget(&ret_snapshot->budget);
	return BV_OK;
}

static void inert_profile(void *self, const struct bv_profile_snapshot *snapshot,
			  const struct bv_execution_options *execution,
			  struct bv_profile *ret_profile)
{
	const char *obstacle = NULL;

	(void)self;
	(void)snapshot;
	for (size_t kind = 0; kind < BV_KIND_COUNT; kind++) {
		ret_profile->ceiling[kind] = (struct bv_verdict){.enforcement = BV_UNSUPPORTED};
		ret_profile->primitive[kind] = "none/no-confinement";
		ret_profile->reason[kind] = "this backend confines nothing";
		ret_profile->remedy[kind] = "use the backend of this platform";
	}
	ret_profile->primitive[BV_KIND_CAPTURE] = "host_pipe";
	ret_profile->ceiling[BV_KIND_CAPTURE] = (struct bv_verdict){
		BV_ENFORCED, 1u << BV_CLAIM_CAPTURED_STREAMS};
	ret_profile->reason[BV_KIND_CAPTURE] = ret_profile->remedy[BV_KIND_CAPTURE] = "";

	ret_profile->primitive[BV_KIND_LAUNCH] = "host_spawn";
	if (execution != NULL && execution->has_terminal)
		obstacle = "it makes no terminal for the workload";
	else if (execution != NULL && execution->has_deny)
		obstacle = "it cannot keep a path out of reach";
	else if (execution != NULL && execution->has_syscalls)
		obstacle = "it filters no system calls";
	else if (execution != NULL && execution->has_grace_micros)
		obstacle = "it kills at once, without a grace";
	if (obstacle != NULL) {
		ret_profile->reason[BV_KIND_LAUNCH] = obstacle;
		return;
	}
	ret_profile->ceiling[BV_KIND_LAUNCH] = (struct bv_verdict){
		BV_ENFORCED, 1u << BV_CLAIM_TERMINAL_OUTCOME | 1u << BV_CLAIM_RESOURCE_USAGE};
	ret_profile->reason[BV_KIND_LAUNCH] = ret_profile->remedy[BV_KIND_LAUNCH] = "";
}

/* What passes through standard input is not recorded. */
static struct bv_verdict inert_classify(void *self, const struct bv_requirement *requirement,
					const struct bv_profile *profile)
{
	(void)self;
	if (requirement->tag == BV_REQ_HOST_CONTROL &&
	    requirement->u.control.tag == BV_CONTROL_CAPTURE &&
	    requirement->u.control.u.capture.streams.stdin_stream)
		return (struct bv_verdict){.enforcement = BV_UNSUPPORTED};
	return bv_verdict_ceiling(requirement, profile);
}

static bool inert_runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	return workload->tag == BV_WORKLOAD_PROCESS;
}

/* ---- the child ------------------------------------------------------------------------------- */

/* Shares memory with its parent, which waits: it only sets up descriptors, and execs. */
struct child {
	int fds[3];
	const char *cwd; /* NULL: stay */
	char **argv;
	int failed_errno;
	const char *failed_step;
};

static int child_fails(struct child *child, const char *step)
{
	child->failed_errno = errno;
	child->failed_step = step;
	return 127;
}

static int child_run(void *argument)
{
	static char *const no_environment[] = {NULL};
	struct child *child = argument;

	(void)setsid(); /* fails only for a leader of a group, which a new child is not */
	for (int fd = 0; fd < 3; fd++)
		if (dup2(child->fds[fd], fd) < 0)
			return child_fails(child, "streams");
	if (bv_sys_reset_signals() != 0)
		return child_fails(child, "signals");
	if (child->cwd != NULL && chdir(child->cwd) != 0)
		return child_fails(child, "cwd");
	execve(child->argv[0], child->argv, no_environment);
	return child_fails(child, "exec");
}

static enum bv_code spawn(struct bv_backend_run *run, struct child *child, struct bv_error *err)
{
	char *stack = malloc(STACK_BYTES);
	sigset_t all, before;

	if (stack == NULL)
		return bv_fail(err, BV_E_MEMORY, "inert", "no memory for a child");
	/* A handler of the host must not run in the child, in the host's memory. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	run->started_unix_micros = clock_ns(CLOCK_REALTIME) / 1000;
	run->started_ns = clock_ns(CLOCK_MONOTONIC);
	run->pid = bv_sys_spawn(child_run, child, stack, STACK_BYTES, &run->pid_fd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	free(stack);
	if (run->pid < 0) {
		run->pid = 0;
		return fail_errno(err, "no process can be created");
	}
	run->exec_errno = child->failed_errno;
	run->exec_step = child->failed_step;
	return BV_OK;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Out of the way of 0, 1 and 2, which a host may have closed. */
static int lift(int fd)
{
	int lifted;

	if (fd < 0 || fd > 2)
		return fd;
	lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return lifted;
}

static bool open_pipe(int *ret_read_fd, int *ret_write_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) != 0)
		return false;
	*ret_read_fd = lift(fds[0]);
	*ret_write_fd = lift(fds[1]);
	return *ret_read_fd >= 0 && *ret_write_fd >= 0;
}

static bool watch(struct bv_backend_run *run, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool set_nonblocking(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0; /* of a new pipe: nothing else was set */
}

static enum bv_code open_streams(struct bv_backend_run *run, struct child *child,
				 struct bv_error *err)
{
	const struct bv_execution_options *execution = &run->plan->execution;
	const uint64_t output_limit = execution->has_output_limit_bytes
					      ? execution->output_limit_bytes
					      : UINT64_MAX;
	const uint64_t capture_limit = execution->has_capture_limit_bytes
					       ? execution->capture_limit_bytes
					       : CAPTURE_BYTES;
	const bool captured[STREAM_COUNT] = {run->capture_stdout, run->capture_stderr};

	for (int i = 0; i < STREAM_COUNT; i++) {
		enum bv_code code = bv__stream_init(&run->streams[i], i,
						    captured[i] ? capture_limit : 0, output_limit,
						    err);

		if (code != BV_OK)
			return code;
		if (!open_pipe(&run->streams[i].fd, &child->fds[1 + i]) ||
		    !set_nonblocking(run->streams[i].fd))
			return fail_errno(err, "no pipe can be made");
	}
	if (execution->has_stdin_source && execution->stdin_source.tag == BV_STDIN_RELAY) {
		if (!open_pipe(&child->fds[0], &run->stdin_fd) || !set_nonblocking(run->stdin_fd))
			return fail_errno(err, "no pipe can be made");
	} else {
		child->fds[0] = lift(open("/dev/null", O_RDONLY | O_CLOEXEC));
		if (child->fds[0] < 0)
			return fail_errno(err, "/dev/null cannot be opened");
	}
	return BV_OK;
}

static enum bv_code open_watches(struct bv_backend_run *run, struct bv_error *err)
{
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run->epoll_fd < 0 || run->wake_fd < 0 || !watch(run, run->wake_fd, EPOLLIN) ||
	    !watch(run, run->pid_fd, EPOLLIN))
		return fail_errno(err, "nothing can be waited for");
	for (int i = 0; i < STREAM_COUNT; i++) {
		run->watched[i] = watch(run, run->streams[i].fd, EPOLLIN);
		if (!run->watched[i])
			return fail_errno(err, "nothing can be waited for");
	}
	return BV_OK;
}

static char **make_argv(const struct bv_process_workload *process)
{
	char **argv = calloc(process->args.count + 2, sizeof *argv);

	if (argv == NULL)
		return NULL;
	/* Strings of a plan are NUL-terminated, and the policy gate lets none hold a NUL. */
	argv[0] = (char *)(uintptr_t)process->exe.data;
	for (size_t i = 0; i < process->args.count; i++)
		argv[1 + i] = (char *)(uintptr_t)process->args.items[i].data;
	return argv;
}

static void inert_free(struct bv_backend_run *run)
{
	const int fds[] = {run == NULL ? -1 : run->epoll_fd, run == NULL ? -1 : run->wake_fd,
			   run == NULL ? -1 : run->stdin_fd, run == NULL ? -1 : run->pid_fd};

	if (run == NULL)
		return;
	if (run->pid > 0) {
		(void)kill(-run->pid, SIGKILL); /* its group may be gone already */
		(void)kill(run->pid, SIGKILL);
		(void)bv_sys_wait4(run->pid, &run->status, __WALL, NULL);
	}
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (int i = 0; i < STREAM_COUNT; i++)
		bv__stream_clear(&run->streams[i]);
	free(run);
}

static void find_capture(struct bv_backend_run *run)
{
	for (size_t i = 0; i < run->plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &run->plan->admitted.items[i]
								    .requirement;

		if (bv_kind_of(requirement) != BV_KIND_CAPTURE)
			continue;
		run->capture_stdout = requirement->u.control.u.capture.streams.stdout_stream;
		run->capture_stderr = requirement->u.control.u.capture.streams.stderr_stream;
	}
}

static enum bv_code inert_start(void *self, const struct bv_boundary_plan *plan,
				const struct bv_backend_options *options,
				struct bv_backend_run **ret_run, struct bv_error *err)
{
	struct child child = {.fds = {-1, -1, -1}};
	struct bv_backend_run *run = calloc(1, sizeof *run);
	enum bv_code code;

	(void)self;
	if (run == NULL)
		return bv_fail(err, BV_E_MEMORY, "inert", "no memory for a run");
	run->plan = plan;
	run->options = *options;
	run->epoll_fd = run->wake_fd = run->stdin_fd = run->pid_fd = -1;
	run->streams[0].fd = run->streams[1].fd = -1;
	find_capture(run);

	if (options->gate != NULL) {
		/* Nothing is held here, and so nothing is there yet that could be named. */
		code = options->gate(options->context,
				     &(struct bv_backend_bound){{0}, {NULL, 0}, {NULL, 0}}, err);
		if (code != BV_OK) {
			inert_free(run);
			return code;
		}
	}
	child.cwd = plan->execution.has_cwd ? plan->execution.cwd.data : NULL;
	child.argv = make_argv(&plan->workload.u.process);
	code = child.argv == NULL
		       ? bv_fail(err, BV_E_MEMORY, "inert", "no memory for the arguments")
		       : open_streams(run, &child, err);
	if (code == BV_OK)
		code = spawn(run, &child, err);
	for (int i = 0; i < 3; i++)
		if (child.fds[i] >= 0)
			close(child.fds[i]);
	free(child.argv);
	if (code == BV_OK)
		code = open_watches(run, err);
	if (code != BV_OK) {
		inert_free(run);
		return code;
	}
	*ret_run = run;
	return BV_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static int inert_fd(struct bv_backend_run *run)
{
	return run->epoll_fd;
}

static void reap(struct bv_backend_run *run)
{
	if (run->pid == 0 ||
	    bv_sys_wait4(run->pid, &run->status, __WALL | WNOHANG, &run->usage) != run->pid)
		return;
	run->ended_ns = clock_ns(CLOCK_MONOTONIC);
	run->pid = 0;
	close(run->pid_fd); /* which takes it out of the epoll as well */
	run->pid_fd = -1;
}

/* A stream the caller does not want now must not keep the descriptor readable. */
static void pump(struct bv_backend_run *run, int i)
{
	struct bv_stream *stream = &run->streams[i];
	const bool more = bv__stream_pump(stream, PUMP_BYTES, run->options.output,
					  run->options.context);
	const bool wanted = stream->fd >= 0 && !stream->paused;

	/* What the workload wrote is in the pipe by now; who else still holds the other end may for ever. */
	if (run->pid == 0 && wanted && !more)
		bv__stream_give_up(stream);
	else if (wanted && !run->watched[i])
		run->watched[i] = watch(run, stream->fd, EPOLLIN);
	else if (!wanted && stream->fd >= 0 && run->watched[i])
		run->watched[i] = epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL) != 0;
}

static enum bv_code inert_step(struct bv_backend_run *run, enum bv_backend_state *ret_state,
			       struct bv_error *err)
{
	uint64_t wakes;

	(void)err;
	(void)!read(run->wake_fd, &wakes, sizeof wakes); /* empty it, if there was anything */
	if (run->state == BV_BACKEND_STARTING)
		run->state = BV_BACKEND_RUNNING;
	if (run->state == BV_BACKEND_RUNNING) {
		reap(run); /* first, so that what it wrote before it ended is still pumped */
		for (int i = 0; i < STREAM_COUNT; i++)
			pump(run, i);
		if (run->pid == 0 && bv__stream_done(&run->streams[0]) &&
		    bv__stream_done(&run->streams[1]))
			run->state = BV_BACKEND_ENDED;
	}
	*ret_state = run->state;
	return BV_OK;
}

static void inert_resume(struct bv_backend_run *run)
{
	const uint64_t one = 1;

	(void)!write(run->wake_fd, &one, sizeof one); /* full means it is awake already */
}

/* Writes without a SIGPIPE for the host, whose handlers are its own business. */
static ssize_t write_quietly(int fd, const void *data, size_t size_bytes)
{
	const struct timespec now = {0, 0};
	sigset_t pipe_signal, before, pending;
	ssize_t written;
	int saved;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	written = write(fd, data, size_bytes);
	saved = errno;
	if (written < 0 && saved == EPIPE && sigismember(&pending, SIGPIPE) == 0)
		(void)sigtimedwait(&pipe_signal, NULL, &now); /* the one just raised */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return written;
}

static void close_stdin(struct bv_backend_run *run)
{
	if (run->stdin_fd >= 0)
		close(run->stdin_fd);
	run->stdin_fd = -1;
	run->stdin_full = false;
}

static enum bv_code inert_input(struct bv_backend_run *run, const void *data, size_t size_bytes,
				size_t *ret_taken_bytes, struct bv_error *err)
{
	ssize_t written;

	*ret_taken_bytes = 0;
	if (!run->plan->execution.has_stdin_source)
		return bv_fail(err, BV_E_STATE, "stdin", "this run takes no input");
	if (data == NULL || run->stdin_fd < 0) {
		close_stdin(run);
		*ret_taken_bytes = size_bytes; /* nobody reads it any more */
		return BV_OK;
	}
	written = write_quietly(run->stdin_fd, data, size_bytes);
	if (written < 0 && errno == EAGAIN)
		written = 0;
	if (written < 0 && errno == EPIPE) {
		close_stdin(run);
		*ret_taken_bytes = size_bytes;
		return BV_OK;
	}
	if (written < 0)
		return fail_errno(err, "standard input cannot be written");
	*ret_taken_bytes = (size_t)written;
	if ((size_t)written < size_bytes) {
		struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT,
					    .data.fd = run->stdin_fd};

		if (epoll_ctl(run->epoll_fd, EPOLL_CTL_MOD, run->stdin_fd, &event) != 0 &&
		    epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->stdin_fd, &event) != 0)
			return fail_errno(err, "standard input cannot be watched");
	}
	return BV_OK;
}

static bool inert_input_ready(struct bv_backend_run *run)
{
	return run->stdin_fd >= 0 && run->state != BV_BACKEND_ENDED;
}

static enum bv_code inert_resize(struct bv_backend_run *run, uint16_t rows, uint16_t columns,
				 struct bv_error *err)
{
	(void)run;
	(void)rows;
	(void)columns;
	return bv_fail(err, BV_E_STATE, "terminal", "this run has no terminal");
}

static enum bv_code inert_signal(struct bv_backend_run *run, int signal_number,
				 struct bv_error *err)
{
	if (run->pid == 0)
		return bv_fail(err, BV_E_STATE, "inert", "the program has ended");
	if (bv_sys_pidfd_send_signal(run->pid_fd, signal_number) != 0)
		return fail_errno(err, "the program cannot be signalled");
	return BV_OK;
}

static enum bv_code inert_kill(struct bv_backend_run *run, struct bv_error *err)
{
	if (run->pid == 0)
		return BV_OK;
	run->killed = true;
	(void)kill(-run->pid,
		   SIGKILL); /* what it started may have left its group: nothing is confined here */
	return inert_signal(run, SIGKILL, err);
}

static const void *inert_output(struct bv_backend_run *run, int stream, size_t *ret_size_bytes)
{
	const bool captured = stream == 0 ? run->capture_stdout : run->capture_stderr;

	*ret_size_bytes = 0;
	if (stream < 0 || stream >= STREAM_COUNT || !captured)
		return NULL;
	*ret_size_bytes = run->streams[stream].kept_bytes;
	return run->streams[stream].kept == NULL ? (const void *)"" : run->streams[stream].kept;
}

/* ---- the report ------------------------------------------------------------------------------ */

static uint64_t micros_of(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static void report_end(const struct bv_backend_run *run, struct bv_report_body *body)
{
	body->outcome = BV_OUTCOME_FAILED;
	if (run->exec_errno != 0) {
		body->has_exec_failure = true;
		body->exec_failure.step = bv_str_from(run->exec_step);
		body->exec_failure.sys_errno = run->exec_errno;
		body->exec_failure.message = bv_str_from(strerror(run->exec_errno));
		return;
	}
	body->has_exit = true;
	if (WIFEXITED(run->status)) {
		body->exit = (struct bv_exit_status){.tag = BV_EXIT_CODE,
						     .u.code = WEXITSTATUS(run->status)};
		if (WEXITSTATUS(run->status) == 0)
			body->outcome = BV_OUTCOME_COMPLETED;
		return;
	}
	body->exit = (struct bv_exit_status){.tag = BV_EXIT_SIGNAL,
					     .u.signal = WTERMSIG(run->status)};
	body->has_core_dumped = true;
	body->core_dumped = WCOREDUMP(run->status) != 0;
	if (run->killed && WTERMSIG(run->status) == SIGKILL)
		body->outcome = BV_OUTCOME_KILLED;
}

static void report_usage(const struct bv_backend_run *run, struct bv_report_body *body)
{
	const uint64_t user_micros = micros_of(run->usage.ru_utime),
		       system_micros = micros_of(run->usage.ru_stime);
	const struct bv_measurement wall = {.usage = (run->ended_ns - run->started_ns) / 1000,
					    .mechanism = BV_STR("inert:clock")};
	const struct bv_measurement cpu = {.usage = user_micros + system_micros,
					   .mechanism = BV_STR("inert:rusage")};

	body->has_started_unix_micros = true;
	body->started_unix_micros = run->started_unix_micros;
	bv_budget_witness_none(&run->plan->budgets, &body->budget);
	if (run->exec_errno != 0)
		return;
	bv_budget_witness(&run->plan->budgets, BV_DIMENSION_WALL, &wall, &body->budget);
	bv_budget_witness(&run->plan->budgets, BV_DIMENSION_CPU, &cpu, &body->budget);
	body->has_usage = true;
	body->usage = (struct bv_usage){
		.has_wall_micros = true,
		.wall_micros = wall.usage,
		.has_user_micros = true,
		.user_micros = user_micros,
		.has_system_micros = true,
		.system_micros = system_micros,
		.has_max_rss_bytes = true,
		.max_rss_bytes = (uint64_t)run->usage.ru_maxrss * 1024,
		.has_minor_faults = true,
		.minor_faults = (uint64_t)run->usage.ru_minflt,
		.has_major_faults = true,
		.major_faults = (uint64_t)run->usage.ru_majflt,
		.has_voluntary_switches = true,
		.voluntary_switches = (uint64_t)run->usage.ru_nvcsw,
		.has_involuntary_switches = true,
		.involuntary_switches = (uint64_t)run->usage.ru_nivcsw,
	};
}

static bool report_requirements(const struct bv_backend_run *run, struct bv_arena *arena,
				struct bv_report_body *body)
{
	const struct bv_admitted_requirement_list *admitted = &run->plan->admitted;
	struct bv_boundary_finding *findings = bv_arena_array(arena, 2 * admitted->count,
							      sizeof *findings);

	if (findings == NULL)
		return false;
	for (size_t i = 0; i < admitted->count; i++) {
		findings[2 * i] = (struct bv_boundary_finding){
			.tag = BV_FINDING_REQUIREMENT_ADMITTED,
			.u.admitted = {admitted->items[i].requirement,
				       admitted->items[i].enforcement},
		};
		findings[2 * i + 1] = (struct bv_boundary_finding){
			.tag = BV_FINDING_NO_CONFINEMENT,
			.u.unconfined = {admitted->items[i].requirement},
		};
	}
	body->admitted = *admitted;
	body->findings = (struct bv_boundary_finding_list){findings, 2 * admitted->count};
	return true;
}

static bool report_facts(const struct bv_backend_run *run, struct bv_arena *arena,
			 struct bv_report_body *body)
{
	struct bv_observed_fact *facts = bv_arena_array(arena, 2, sizeof *facts);
	size_t count = 1;

	if (facts == NULL)
		return false;
	facts[0].kind = run->exec_errno == 0 ? BV_STR("workload_launched")
					     : BV_STR("workload_launch_failed");
	facts[0].detail = run->exec_errno == 0
				  ? bv_arena_format(arena, "inert spawned %s (no confinement)",
						    run->plan->workload.u.process.exe.data)
				  : bv_arena_format(arena, "inert could not spawn %s: %s",
						    run->plan->workload.u.process.exe.data,
						    strerror(run->exec_errno));
	if (run->exec_errno == 0 && (run->capture_stdout || run->capture_stderr)) {
		facts[count].kind = BV_STR("stream_captured");
		facts[count++].detail = bv_arena_format(
			arena, "captured %zu stdout byte(s), %zu stderr byte(s)",
			run->streams[0].kept_bytes, run->streams[1].kept_bytes);
	}
	for (size_t i = 0; i < count; i++) {
		facts[i].has_source = true;
		facts[i].source = BV_SOURCE_HOST;
		if (facts[i].detail.data == NULL)
			return false;
	}
	body->observed = (struct bv_observed_fact_list){facts, count};
	return true;
}

static bool report_streams(const struct bv_backend_run *run, struct bv_arena *arena,
			   struct bv_report_body *body)
{
	const bool captured[STREAM_COUNT] = {run->capture_stdout, run->capture_stderr};
	struct bv_stream_record *records = bv_arena_array(arena, STREAM_COUNT, sizeof *records);

	if (records == NULL)
		return false;
	for (int i = 0; i < STREAM_COUNT; i++) {
		const struct bv_stream *stream = &run->streams[i];
		struct bv_str *ref = i == 0 ? &body->captured.stdout_ref
					    : &body->captured.stderr_ref;
		struct bv_stream_record *record = &records[body->streams.count];

		if (!captured[i])
			continue;
		record->name = i == 0 ? BV_STR("stdout") : BV_STR("stderr");
		record->total_bytes = stream->total_bytes;
		record->kept_bytes = stream->kept_bytes;
		record->forwarded_bytes = stream->forwarded_bytes;
		record->complete = stream->complete;
		bv__stream_digests(stream, &record->content_hash, &record->kept_hash);
		body->streams.count++;
		*ref = bv_arena_format(arena, "inline:%zub", stream->kept_bytes);
		if (ref->data == NULL)
			return false;
	}
	body->captured.has_stdout_ref = captured[0];
	body->captured.has_stderr_ref = captured[1];
	body->streams.items = records;
	body->has_streams = body->streams.count != 0;
	return true;
}

static enum bv_code inert_finish(struct bv_backend_run *run, struct bv_arena *arena,
				 struct bv_report_body *ret_body, struct bv_error *err)
{
	enum bv_code code;

	if (run->state != BV_BACKEND_ENDED)
		return bv_fail(err, BV_E_STATE, "inert", "the run has not ended");
	*ret_body = (struct bv_report_body){
		.schema_version = BV_REPORT_SCHEMA_VERSION,
		.plan_id = run->plan->plan_id,
		.backend = run->plan->backend,
		.has_attempt = true,
		.attempt = run->options.attempt,
	};
	code = inert_probe(NULL, arena, &ret_body->profile, err);
	if (code != BV_OK)
		return code;
	report_end(run, ret_body);
	report_usage(run, ret_body);
	if (!report_requirements(run, arena, ret_body) || !report_facts(run, arena, ret_body) ||
	    !report_streams(run, arena, ret_body))
		return bv_fail(err, BV_E_MEMORY, "inert", "no memory for a report");
	return BV_OK;
}

const struct bv_backend bv_inert_backend = {
	.id = "inert",
	.probe = inert_probe,
	.profile = inert_profile,
	.classify = inert_classify,
	.runs = inert_runs,
	.start = inert_start,
	.fd = inert_fd,
	.step = inert_step,
	.input = inert_input,
	.input_ready = inert_input_ready,
	.resume = inert_resume,
	.resize = inert_resize,
	.signal = inert_signal,
	.kill = inert_kill,
	.finish = inert_finish,
	.output = inert_output,
	.free_run = inert_free,
};
