/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* `bvisor run`: one workload, its streams, the caller's signals, and an honest exit status. */
#include "changes.h"
#include "options.h"
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct session {
	const struct cli_request *request;
	struct bv_run *run;
	struct bv_journal *journal; /* NULL: none */
	struct cli_source source;
	struct cli_sink sinks[2]; /* by enum bv_stream */
	struct cli_output report;
	unsigned int interrupts, orders;
	int fatal_signal; /* that ended us, and so the workload */
	sigset_t unblocked;
};

static struct session session; /* large, and of which there is one */

/* ---- Signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t arrived[32];

static void note_signal(int number)
{
	if (arrived[number] < 2)
		arrived[number]++;
}

static const int watched[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};

/* Blocked except while we wait, so that none falls between looking and waiting. */
static void watch_signals(sigset_t *ret_unblocked)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t blocked;

	(void)sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
		struct sigaction note = {.sa_handler = note_signal}, before;

		/* nohup, or `&` in a script: what our caller ignores stays ignored. */
		if (sigaction(watched[i], NULL, &before) == 0 && before.sa_handler == SIG_IGN)
			continue;
		(void)sigaction(watched[i], &note, NULL); /* cannot fail for these */
		(void)sigaddset(&blocked, watched[i]);
	}
	(void)sigaction(SIGPIPE, &ignore, NULL); /* a reader that left is told by EPIPE */
	(void)sigprocmask(SIG_BLOCK, &blocked, ret_unblocked);
}

static void unwatch_signals(const sigset_t *unblocked)
{
	struct sigaction usual = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
		struct sigaction now;

		if (sigaction(watched[i], NULL, &now) == 0 && now.sa_handler == note_signal)
			(void)sigaction(watched[i], &usual, NULL);
	}
	(void)sigprocmask(SIG_SETMASK, unblocked, NULL);
}

static bool take_signal(int number)
{
	bool here = arrived[number] > 0;

	if (here)
		arrived[number]--;
	return here;
}

static void take_terminal(const struct session *s)
{
	if (s->request->terminal && s->source.fd == STDIN_FILENO && isatty(STDIN_FILENO))
		(void)cli_term_raw(STDIN_FILENO); /* if it cannot be, keys arrive line by line */
}

static void pause_with_workload(struct session *s)
{
	/* Its main process at least; what the workload wants to run on anyway, the limits end. */
	(void)bv_run_signal(s->run, SIGSTOP, NULL);
	cli_term_restore();
	(void)raise(SIGSTOP);
	take_terminal(s);
	(void)bv_run_signal(s->run, SIGCONT, NULL);
}

/*
 * To whoever wants the program gone it gets its grace, if it has one; who insists has it killed.  An
 * error here is told again by the next step.
 */
static void order(struct session *s, int number)
{
	s->fatal_signal = number;
	if (s->orders++ == 0)
		(void)bv_run_stop(s->run, NULL);
	else
		(void)bv_run_kill(s->run, NULL);
}

static void handle_signals(struct session *s)
{
	static const int interrupting[] = {SIGINT, SIGQUIT}, ending[] = {SIGTERM, SIGHUP};

	for (size_t i = 0; i < 2; i++) {
		while (take_signal(interrupting[i])) {
			/* Once is a request; twice is an order. */
			if (s->interrupts++ > 0) {
				order(s, interrupting[i]);
				continue;
			}
			s->fatal_signal = interrupting[i];
			(void)bv_run_signal(s->run, interrupting[i], NULL);
		}
		while (take_signal(ending[i]))
			order(s, ending[i]);
	}
	while (take_signal(SIGWINCH)) {
		unsigned short rows = 0, columns = 0;

		cli_term_size(&rows, &columns);
		if (s->request->terminal && rows && columns)
			(void)bv_run_resize(s->run, rows, columns,
					    NULL); /* a wrong size is no reason to stop */
	}
	while (take_signal(SIGTSTP))
		pause_with_workload(s);
}

/* ---- Streams --------------------------------------------------------------------------------- */

static ptrdiff_t output(void *context, enum bv_stream stream, const void *data, size_t size_bytes)
{
	struct session *s = context;

	return cli_sink_take(&s->sinks[stream], data, size_bytes);
}

static int open_source(const struct cli_request *request, struct cli_source *source)
{
	source->fd = -1;
	source->opened = source->finished = false;
	source->start = source->end = 0;
	switch (request->input) {
	case CLI_STDIN_NONE:
		break;
	case CLI_STDIN_FILE:
		source->fd = open(request->input_path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (source->fd < 0) {
			cli_say_errno(request->input_path, errno);
			return -1;
		}
		source->opened = true;
		break;
	case CLI_STDIN_RELAY:
		source->fd = STDIN_FILENO;
		break;
	case CLI_STDIN_DEFAULT:
		/* A terminal is the workload's only as a private one. */
		if (request->terminal || !isatty(STDIN_FILENO))
			source->fd = STDIN_FILENO;
		break;
	}
	/* Nothing to relay: end of file at once, without a pipe. */
	source->finished = source->fd < 0;
	return 0;
}

static int open_streams(struct session *s)
{
	const struct cli_request *request = s->request;
	bool escapes = !request->raw && !request->terminal;

	s->report.dir = s->report.fd = -1;
	if (open_source(request, &s->source) != 0)
		return -1;
	if (cli_sink_open(&s->sinks[BV_STDOUT], STDOUT_FILENO, request->output_path, escapes) !=
		    0 ||
	    cli_sink_open(&s->sinks[BV_STDERR], STDERR_FILENO, request->error_path, escapes) != 0)
		return -1;
	return request->report_path ? cli_output_open(request->report_path, &s->report) : 0;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void wait_for_something(struct session *s)
{
	/* First, because the step may have found that there is room again. */
	cli_source_feed(&s->source, s->run, false);

	struct pollfd fds[4] = {
		{.fd = bv_run_fd(s->run), .events = POLLIN},
		{.fd = cli_source_wants(&s->source) ? s->source.fd : -1, .events = POLLIN},
		{.fd = s->sinks[0].full ? s->sinks[0].fd : -1, .events = POLLOUT},
		{.fd = s->sinks[1].full ? s->sinks[1].fd : -1, .events = POLLOUT},
	};
	bool resume = false;

	if (ppoll(fds, 4, NULL, &s->unblocked) < 0)
		return; /* a signal */
	if (fds[1].revents != 0)
		cli_source_feed(&s->source, s->run, true);
	for (size_t i = 0; i < 2; i++) {
		if (fds[2 + i].revents == 0)
			continue;
		cli_sink_flush(&s->sinks[i]);
		resume |= !s->sinks[i].full;
	}
	if (resume)
		bv_run_resume(s->run);
}

static enum bv_code loop(struct session *s, struct bv_error *error)
{
	enum bv_run_state state = BV_RUN_STARTING;

	for (;;) {
		enum bv_code code = bv_run_step(s->run, &state, error);

		if (code != BV_OK || state == BV_RUN_ENDED)
			return code;
		/* The step may have been told of room for it, and nothing tells a second time. */
		cli_source_feed(&s->source, s->run, false);
		wait_for_something(s);
		handle_signals(s);
	}
}

/* ---- The end --------------------------------------------------------------------------------- */

static int write_report(struct session *s, const struct bv_report *report)
{
	const char *path = s->request->report_path;
	size_t len = path ? strlen(path) : 0;
	bool json = s->request->json || (len > 5 && strcmp(path + len - 5, ".json") == 0);
	struct bv_error error = {0};
	enum bv_code code;
	void *data = NULL;
	size_t size = 0;
	int status;

	if (!path && !json)
		return 0;
	if (json) {
		char *text = NULL;

		code = bv_report_to_json(report, &text, &error);
		size = text ? strlen(text) : 0;
		data = text;
	} else {
		code = bv_report_to_bytes(report, &data, &size, &error);
	}
	if (code != BV_OK) {
		cli_say_error("report", &error);
		return -1;
	}
	status = path ? cli_output_write(&s->report, data, size)
		      : cli_write_all(STDERR_FILENO, data, size);
	bv_free(data);
	return status;
}

static void say_summary(const struct session *s, const struct bv_report *report)
{
	cli_say("%s %s", bv_spec_program_path(s->request->spec), bv_report_summary(report));
}

static int status_of_not_started(const struct session *s, const struct bv_report *report)
{
	const char *message = NULL;
	int sys_errno = 0;
	const char *step = bv_report_exec_failure(report, &sys_errno, &message);
	const char *program = bv_spec_program_path(s->request->spec);

	if (!step) {
		cli_say("%s", bv_report_summary(report));
		return CLI_EXIT_REFUSED;
	}
	cli_say("%s: %s", program, message);
	if (strcmp(step, "exec") != 0)
		return CLI_EXIT_REFUSED;
	switch (sys_errno) {
	case ENOENT:
		if (access(program, F_OK) != 0)
			return CLI_EXIT_NOT_FOUND;
		cli_remedy(
			"its interpreter, named in its first line or its ELF header, is missing: "
			"install it, or grant it with --exec and --read");
		break;
	case ENOEXEC:
		cli_remedy(
			"it is neither a program for this machine nor a script with a first line like #!/bin/sh");
		break;
	case EACCES:
		cli_remedy(
			"it, or its interpreter, lacks execute permission or lies on a noexec mount");
		break;
	default:
		break;
	}
	return CLI_EXIT_NOT_EXECUTABLE;
}

static int status_of(const struct session *s, const struct bv_report *report)
{
	const char *outcome = bv_report_outcome(report);
	int number = 0;

	if (strcmp(outcome, "SupervisorFault") == 0 || strcmp(outcome, "Unsupported") == 0) {
		const char *message = NULL;

		if (bv_report_exec_failure(report, &number, &message))
			cli_say("nothing ran: %s", message);
		else
			cli_say("%s", bv_report_summary(report));
		return CLI_EXIT_REFUSED;
	}
	if (strcmp(outcome, "Timeout") == 0) {
		say_summary(s, report);
		return CLI_EXIT_WALL_LIMIT;
	}
	/* Whatever it exited with in its grace: nobody may take it for having finished. */
	if (bv_report_limit(report)) {
		say_summary(s, report);
		return CLI_EXIT_SIGNAL + SIGKILL;
	}
	/* The filter ended it, or a caller: an exit status alone would look like its own doing. */
	if (strcmp(outcome, "Denied") == 0 || (strcmp(outcome, "Killed") == 0 && !s->fatal_signal))
		say_summary(s, report);
	switch (bv_report_exit(report, &number)) {
	case BV_EXITED_CODE:
		return number & 0xff;
	case BV_EXITED_SIGNAL:
		return CLI_EXIT_SIGNAL + number;
	case BV_EXITED_NOT_STARTED:
		return status_of_not_started(s, report);
	case BV_EXITED_UNKNOWN:
		break;
	}
	say_summary(s, report);
	/* A guest that trapped ended as a native program ends that aborts. */
	return strcmp(outcome, "Failed") == 0 ? CLI_EXIT_SIGNAL + SIGABRT : CLI_EXIT_REFUSED;
}

/* What was staged; -1 when it was to be committed and was not. */
static int settle(const struct session *s, const struct bv_report *report)
{
	struct bv_changes *changes = NULL;
	struct bv_error error = {0};
	int number = -1, status;
	enum bv_code code = bv_run_changes(s->run, &changes, &error);

	if (code == BV_E_STATE) {
		if (s->request->commit_given)
			cli_say("--commit: nothing is staged");
		return 0;
	}
	if (code != BV_OK) {
		cli_say_error("changes", &error);
		return -1;
	}
	status = cli_changes_settle(changes, s->request->commit,
				    bv_report_exit(report, &number) == BV_EXITED_CODE &&
					    number == 0,
				    s->fatal_signal == 0 && !s->request->quiet,
				    s->journal ? bv_run_attempt(s->run) : NULL);
	bv_changes_free(changes);
	return status;
}

/* What it left: where to find it, and what was left out. */
static void tell_artifacts(const struct session *s, const struct bv_report *report)
{
	enum { SHOWN_MAX = 20, SHOWN_NAME_BYTES = 1024 };
	const size_t kept = bv_report_artifact_count(report),
		     left = bv_report_left_out_count(report);

	if (!s->request->artifacts_dir && kept + left == 0)
		return;
	if (kept > 0)
		cli_say("%zu %s kept: bvisor artifacts ls %.12s", kept,
			kept == 1 ? "artifact" : "artifacts", bv_run_attempt(s->run));
	else
		cli_say("no artifact was left");
	for (size_t i = 0; i < left && i < SHOWN_MAX; i++) {
		const char *name, *why;
		char shown[SHOWN_NAME_BYTES];

		bv_report_left_out(report, i, &name, &why);
		if (!name)
			break;
		cli_show_name(name, shown, sizeof shown);
		cli_note("  left out    %s: %s", shown, why);
	}
	if (left > SHOWN_MAX)
		cli_note("  and %zu more left out; the report names them", left - SHOWN_MAX);
}

static int end(struct session *s)
{
	static const char *const names[] = {"standard output", "standard error"};
	struct bv_report *report = NULL;
	struct bv_error error = {0};
	int status, kept;

	if (bv_run_finish(s->run, &report, &error) != BV_OK) {
		cli_say_error(NULL, &error);
		return CLI_EXIT_REFUSED;
	}
	/* The tree is gone: from here on a signal may simply end us. */
	unwatch_signals(&s->unblocked);
	kept = write_report(s, report);
	for (size_t i = 0; i < 2; i++) {
		const char *path = i == 0 ? s->request->output_path : s->request->error_path;

		cli_sink_end(&s->sinks[i]);
		if (s->sinks[i].sys_errno == 0)
			continue;
		/* Output that got lost is our failure, whatever the program says. */
		cli_say_errno(path ? path : names[i], s->sinks[i].sys_errno);
		kept = -1;
	}
	if (bv_run_repeated(s->run))
		cli_say("not run again: attempt %.12s was this request, and ended then",
			bv_run_attempt(s->run));
	status = status_of(s, report);
	tell_artifacts(s, report);
	if (settle(s, report) != 0)
		kept = -1;
	bv_report_free(report);
	return kept != 0 ? CLI_EXIT_REFUSED : status;
}

/* Dies of the signal that ended the run, so that the shell that waits for us stops too. */
static void end_as_signalled(const struct session *s, int status)
{
	const struct rlimit no_core = {0, 0};
	int number = s->fatal_signal;
	bool ordered = number == SIGTERM || number == SIGHUP || s->interrupts > 1;

	/* A workload that took the interrupt and ended in its own way is not interrupted. */
	if (number == 0 || status == CLI_EXIT_REFUSED ||
	    !(ordered || status == CLI_EXIT_SIGNAL + number))
		return;
	(void)setrlimit(RLIMIT_CORE, &no_core); /* SIGQUIT was not about us */
	(void)raise(number);
}

static int run(struct session *s)
{
	struct bv_run_options options = {.output = output, .context = s};
	struct bv_error error = {0};
	struct bv_plan *plan = NULL;
	int status = CLI_EXIT_REFUSED;

	if (open_streams(s) != 0)
		return CLI_EXIT_REFUSED;
	/* What cannot be recorded is not started. */
	if (!cli_journal_none(s->request) && cli_journal_open(s->request, false, &s->journal) != 0)
		return CLI_EXIT_REFUSED;
	options.journal = s->journal;
	options.idempotency_key = s->request->idempotency_key;
	options.keep_output = s->request->keep_output;
	if (bv_spec_stdin(s->request->spec, s->source.fd >= 0 && !s->request->terminal, &error) !=
		    BV_OK ||
	    bv_plan_make(s->request->spec, s->request->backend, &plan, &error) != BV_OK) {
		cli_say_error("refused", &error);
		if (s->journal)
			(void)bv_journal_refused(s->journal, bv_spec_program_path(s->request->spec),
						 &error, NULL); /* refused it is, recorded or not */
		return CLI_EXIT_REFUSED;
	}
	if (s->request->terminal)
		cli_term_size(&options.terminal_rows, &options.terminal_columns);
	watch_signals(&s->unblocked);
	if (bv_run_start(plan, &options, &s->run, &error) != BV_OK) {
		cli_say_error("refused", &error);
		goto out;
	}
	take_terminal(s);
	if (loop(s, &error) == BV_OK) {
		cli_term_restore();
		status = end(s);
		/* Nothing of the program is left, and the process ends here: freeing would only wait for the
		 * launcher, which waits for the kernel to take namespaces down. */
	} else {
		cli_term_restore();
		cli_say_error("failed", &error);
		bv_run_free(s->run);
	}
	unwatch_signals(&s->unblocked);
	end_as_signalled(s, status);
out:
	bv_plan_free(plan);
	return status;
}

int cli_run_request(struct cli_request *request)
{
	int status;

	session.request = request;
	status = run(&session);
	cli_output_close(&session.report);
	return status;
}

int cli_run(int argc, char **argv)
{
	return cli_workload_command(CLI_RUN, argc, argv, cli_run_request);
}
