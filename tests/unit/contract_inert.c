/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * contract_inert.c - the inert backend, which really runs programs, from plan to sealed report.
 *
 * A program of its own: it needs a kernel, the rest of the contract's tests do not.
 */
#include "contract_helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "contract/json.h"
#include "contract/report.h"

enum { STEP_LIMIT = 200000 };

struct sink {
	size_t room; /* bytes it takes before it says "not now"; SIZE_MAX: all */
	size_t got;
	unsigned int refusals;
	bool gone;
};

static ptrdiff_t take(void *context, int stream, const void *data, size_t size_bytes)
{
	struct sink *sink = context;
	const size_t taken = size_bytes < sink->room ? size_bytes : sink->room;

	(void)data;
	EXPECT(stream == 0 || stream == 1);
	if (sink->gone)
		return -1;
	if (taken == 0)
		sink->refusals++;
	if (sink->room != SIZE_MAX)
		sink->room -= taken;
	sink->got += taken;
	return (ptrdiff_t)taken;
}

static struct bv_boundary_plan plan_of(const char *exe, size_t arg_count, const char *const *args)
{
	struct bv_boundary_spec spec = spec_launch();
	struct bv_str *copy = bv_arena_array(arena_now(), arg_count, sizeof *copy);
	struct bv_boundary_plan plan;

	for (size_t i = 0; i < arg_count; i++)
		copy[i] = bv_str_from(args[i]);
	spec.workload.u.process = (struct bv_process_workload){bv_str_from(exe), {copy, arg_count}};
	spec_add_control(&spec, control_capture(true, true, false));
	spec.evidence = (struct bv_evidence_requirements){true, true};
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_stdin_source = true,
						       .stdin_source = {.tag = BV_STDIN_RELAY}};
	EXPECT_OK(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err));
	return plan;
}

static struct bv_boundary_plan plan_sh(const char *script)
{
	return plan_of("/bin/sh", 2, (const char *const[]){"-c", script});
}

static struct bv_backend_run *start(const struct bv_boundary_plan *plan, struct sink *sink)
{
	const struct bv_backend_options options = {.output = sink == NULL ? NULL : take,
						   .context = sink};
	struct bv_backend_run *run = NULL;

	EXPECT_OK(bv_inert_backend.start(NULL, plan, &options, &run, err));
	return run;
}

/* Waits for the descriptor before each step, as a host would: it must never sleep through the end. */
static void run_to_end(struct bv_backend_run *run)
{
	enum bv_backend_state state = BV_BACKEND_STARTING;

	for (int i = 0; state != BV_BACKEND_ENDED; i++) {
		struct pollfd poll_fd = {.fd = bv_inert_backend.fd(run), .events = POLLIN};

		EXPECT(i < STEP_LIMIT);
		if (i != 0)
			EXPECT_THAT(poll(&poll_fd, 1, 20000) == 1,
				    "nothing to do for 20 s, and the run has not ended");
		EXPECT_OK(bv_inert_backend.step(run, &state, err));
	}
}

static struct bv_report_body finish(struct bv_backend_run *run)
{
	struct bv_boundary_report report;
	struct bv_report_body body;

	EXPECT_OK(bv_inert_backend.finish(run, arena_now(), &body, err));
	EXPECT_OK(bv_report_seal(arena_now(), &body, &report, err));
	EXPECT_OK(bv_report_check(arena_now(), &report, err));
	return report.body;
}

static struct bv_report_body run_sh(const char *script)
{
	const struct bv_boundary_plan plan = plan_sh(script);
	struct bv_backend_run *run = start(&plan, NULL);
	struct bv_report_body body;

	run_to_end(run);
	body = finish(run);
	bv_inert_backend.free_run(run);
	return body;
}

TEST(exit_codes_come_back_as_they_are)
{
	for (int code = 0; code < 256; code += code < 3 ? 1 : 63) {
		const char *script = bv_arena_format(arena_reset(), "exit %d", code).data;
		const struct bv_report_body body = run_sh(script);

		EXPECT(body.has_exit && body.exit.tag == BV_EXIT_CODE);
		EXPECT_INT(body.exit.u.code, code);
		EXPECT_UINT(body.outcome, code == 0 ? BV_OUTCOME_COMPLETED : BV_OUTCOME_FAILED);
		EXPECT(body.has_usage && body.usage.has_wall_micros && body.usage.wall_micros > 0);
		EXPECT_UINT(body.budget.wall_micros.finding, BV_FINDING_NO_LIMIT);
		EXPECT_UINT(body.budget.network_bytes.finding, BV_FINDING_UNAVAILABLE);
	}
}

TEST(a_signal_of_its_own_is_failure_and_a_kill_of_ours_is_killed)
{
	const struct bv_report_body body = run_sh("kill -TERM $$");
	const struct bv_boundary_plan plan = plan_sh("exec sleep 100");
	struct bv_backend_run *run;
	struct bv_report_body killed;

	EXPECT_UINT(body.exit.tag, BV_EXIT_SIGNAL);
	EXPECT_INT(body.exit.u.signal, SIGTERM);
	EXPECT_UINT(body.outcome, BV_OUTCOME_FAILED);
	run = start(&plan, NULL);
	EXPECT_OK(bv_inert_backend.kill(run, err));
	run_to_end(run);
	killed = finish(run);
	bv_inert_backend.free_run(run);
	EXPECT_INT(killed.exit.u.signal, SIGKILL);
	EXPECT_UINT(killed.outcome, BV_OUTCOME_KILLED);
}

TEST(a_signal_reaches_the_program)
{
	const struct bv_boundary_plan plan = plan_sh(
		"trap 'exit 42' USR1; echo ready; while :; do sleep 0.05; done");
	struct sink sink = {.room = SIZE_MAX};
	struct bv_backend_run *run = start(&plan, &sink);
	enum bv_backend_state state;
	struct bv_report_body body;

	while (sink.got == 0) {
		struct pollfd poll_fd = {.fd = bv_inert_backend.fd(run), .events = POLLIN};

		EXPECT(poll(&poll_fd, 1, 20000) == 1);
		EXPECT_OK(bv_inert_backend.step(run, &state, err));
	}
	EXPECT_OK(bv_inert_backend.signal(run, SIGUSR1, err));
	run_to_end(run);
	body = finish(run);
	bv_inert_backend.free_run(run);
	EXPECT_INT(body.exit.u.code, 42);
}

TEST(what_could_not_be_executed_says_which_step_and_why)
{
	static const struct {
		const char *exe, *cwd, *step;
		int sys_errno;
	} cases[] = {
		{"/no/such/program", NULL, "exec", ENOENT},
		{"/etc/passwd", NULL, "exec", EACCES},
		{"/bin/sh", "/no/such/directory", "cwd", ENOENT},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bv_boundary_plan plan = plan_of(cases[i].exe, 0, NULL);
		struct bv_backend_run *run;
		struct bv_report_body body;

		plan.execution.has_cwd = cases[i].cwd != NULL;
		plan.execution.cwd = bv_str_from(cases[i].cwd == NULL ? "" : cases[i].cwd);
		run = start(&plan, NULL);
		run_to_end(run);
		body = finish(run);
		bv_inert_backend.free_run(run);
		EXPECT(body.has_exec_failure && !body.has_exit);
		EXPECT_STR(body.exec_failure.step.data, cases[i].step);
		EXPECT_INT(body.exec_failure.sys_errno, cases[i].sys_errno);
		EXPECT_UINT(body.outcome, BV_OUTCOME_FAILED);
		EXPECT_STR(body.observed.items[0].kind.data, "workload_launch_failed");
	}
}

TEST(streams_are_captured_apart_digested_and_bounded)
{
	struct bv_boundary_plan plan = plan_sh("printf out; printf error >&2");
	struct bv_backend_run *run;
	struct bv_report_body body;
	struct bv_digest digest;
	const void *kept;
	size_t kept_bytes;

	plan.execution.has_capture_limit_bytes = true;
	plan.execution.capture_limit_bytes = 4;
	run = start(&plan, NULL);
	run_to_end(run);
	body = finish(run);
	EXPECT_UINT(body.streams.count, 2);
	EXPECT_UINT(body.streams.items[0].total_bytes, 3);
	EXPECT_UINT(body.streams.items[1].total_bytes, 5);
	EXPECT_UINT(body.streams.items[1].kept_bytes, 4);
	EXPECT(body.streams.items[0].complete && body.streams.items[1].complete);
	bv_hash_str(BV_STR("error"), &digest);
	EXPECT(bv_digest_equal(&body.streams.items[1].content_hash, &digest));
	bv_hash_str(BV_STR("erro"), &digest);
	EXPECT(bv_digest_equal(&body.streams.items[1].kept_hash, &digest));
	kept = bv_inert_backend.output(run, 1, &kept_bytes);
	EXPECT_BYTES(kept, kept_bytes, "erro", 4);
	EXPECT_STR(body.captured.stdout_ref.data, "inline:3b");
	EXPECT_STR(body.observed.items[1].detail.data,
		   "captured 3 stdout byte(s), 4 stderr byte(s)");
	bv_inert_backend.free_run(run);
}

TEST(input_is_relayed_until_it_ends)
{
	const struct bv_boundary_plan plan = plan_sh("wc -c");
	struct bv_backend_run *run = start(&plan, NULL);
	static char data[1 << 20];
	size_t sent = 0, kept_bytes;
	enum bv_backend_state state;
	const char *kept;

	memset(data, 'x', sizeof data);
	while (sent < sizeof data) {
		struct pollfd poll_fd = {.fd = bv_inert_backend.fd(run), .events = POLLIN};
		size_t taken;

		EXPECT_OK(
			bv_inert_backend.input(run, data + sent, sizeof data - sent, &taken, err));
		sent += taken;
		/* More than a pipe holds: the descriptor says when there is room again. */
		if (sent < sizeof data) {
			EXPECT(poll(&poll_fd, 1, 20000) == 1);
			EXPECT_OK(bv_inert_backend.step(run, &state, err));
		}
	}
	EXPECT(bv_inert_backend.input_ready(run));
	EXPECT_OK(bv_inert_backend.input(run, NULL, 0, &sent, err));
	EXPECT(!bv_inert_backend.input_ready(run));
	run_to_end(run);
	kept = bv_inert_backend.output(run, 0, &kept_bytes);
	EXPECT_BYTES(kept, kept_bytes, "1048576\n", 8);
	bv_inert_backend.free_run(run);
}

TEST(input_for_a_program_that_reads_none_is_dropped_without_a_signal)
{
	const struct bv_boundary_plan plan = plan_sh("exec <&-; sleep 0.2");
	struct bv_backend_run *run = start(&plan, NULL);
	static const char data[4096];
	size_t taken;

	signal(SIGPIPE, SIG_DFL); /* would end this test */
	for (int i = 0; i < 100 && bv_inert_backend.input_ready(run); i++) {
		const struct timespec pause = {0, 10000000};

		EXPECT_OK(bv_inert_backend.input(run, data, sizeof data, &taken, err));
		nanosleep(&pause, NULL);
	}
	EXPECT(!bv_inert_backend.input_ready(run));
	run_to_end(run);
	bv_inert_backend.free_run(run);
}

TEST(a_reader_that_pauses_holds_the_program_back_and_costs_no_cpu)
{
	const struct bv_boundary_plan plan = plan_sh("head -c 3000000 /dev/zero");
	struct sink sink = {.room = 10};
	struct bv_backend_run *run = start(&plan, &sink);
	enum bv_backend_state state;
	struct bv_report_body body;
	unsigned int wakes = 0;

	/* Once it has paused, the descriptor must fall silent. */
	for (int i = 0; i < 50; i++) {
		struct pollfd poll_fd = {.fd = bv_inert_backend.fd(run), .events = POLLIN};

		if (poll(&poll_fd, 1, 20) == 1) {
			wakes++;
			EXPECT_OK(bv_inert_backend.step(run, &state, err));
			EXPECT_UINT(state, BV_BACKEND_RUNNING);
		}
	}
	EXPECT_UINT(sink.got, 10);
	EXPECT_THAT(wakes < 10, "%u wakes while nothing could be done", wakes);
	sink.room = SIZE_MAX;
	bv_inert_backend.resume(run);
	run_to_end(run);
	body = finish(run);
	EXPECT_UINT(body.streams.items[0].total_bytes, 3000000);
	EXPECT_UINT(sink.got, 3000000);
	EXPECT_UINT(body.streams.items[0].kept_bytes, 1 << 20);
	bv_inert_backend.free_run(run);
}

TEST(a_reader_that_is_gone_is_a_broken_pipe)
{
	const struct bv_boundary_plan plan = plan_sh("exec head -c 3000000 /dev/zero");
	struct sink sink = {.gone = true};
	struct bv_backend_run *run = start(&plan, &sink);
	struct bv_report_body body;

	run_to_end(run);
	body = finish(run);
	bv_inert_backend.free_run(run);
	EXPECT_UINT(body.exit.tag, BV_EXIT_SIGNAL);
	EXPECT_INT(body.exit.u.signal, SIGPIPE);
	EXPECT_UINT(body.streams.items[0].forwarded_bytes, 0);
	EXPECT(!body.streams.items[0].complete);
}

TEST(a_descendant_that_keeps_the_streams_open_does_not_keep_the_run)
{
	const struct bv_boundary_plan plan = plan_sh("sleep 5 & echo $!");
	struct bv_backend_run *run = start(&plan, NULL);
	struct bv_report_body body;
	size_t kept_bytes;
	const char *kept;

	run_to_end(run);
	body = finish(run);
	EXPECT_UINT(body.outcome, BV_OUTCOME_COMPLETED);
	EXPECT(!body.streams.items[0].complete);
	EXPECT(body.streams.items[0].total_bytes > 1);
	kept = bv_inert_backend.output(run, 0, &kept_bytes);
	EXPECT(kept_bytes > 1 && kept_bytes < 16);
	/* Nothing is confined, so it lives on; this test cleans up after it. */
	EXPECT_INT(kill((pid_t)strtol(
				bv_arena_copy(arena_now(), (struct bv_str){kept, kept_bytes}).data,
				NULL, 10),
			SIGKILL),
		   0);
	bv_inert_backend.free_run(run);
}

TEST(the_environment_is_empty_and_no_standard_stream_is_the_host_s)
{
	const struct bv_boundary_plan plan = plan_of("/usr/bin/env", 0, NULL);
	struct bv_backend_run *run;
	size_t kept_bytes;

	setenv("SECRET_OF_THE_HOST", "1", 1);
	run = start(&plan, NULL);
	run_to_end(run);
	EXPECT(bv_inert_backend.output(run, 0, &kept_bytes) != NULL);
	EXPECT_UINT(kept_bytes, 0);
	bv_inert_backend.free_run(run);
}

TEST(a_host_without_standard_streams_can_run_too)
{
	const struct bv_boundary_plan plan = plan_sh("cat; echo out; echo error >&2");
	struct bv_backend_run *run;
	struct bv_report_body body;
	size_t taken;
	int saved[3];

	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		close(fd);
	}
	run = start(&plan, NULL);
	EXPECT_OK(bv_inert_backend.input(run, "in\n", 3, &taken, err));
	EXPECT_OK(bv_inert_backend.input(run, NULL, 0, &taken, err));
	run_to_end(run);
	body = finish(run);
	bv_inert_backend.free_run(run);
	for (int fd = 0; fd < 3; fd++)
		dup2(saved[fd], fd);
	EXPECT_UINT(body.streams.items[0].total_bytes, 7);
	EXPECT_UINT(body.streams.items[1].total_bytes, 6);
}

TEST(freeing_a_run_ends_its_program)
{
	const struct bv_boundary_plan plan = plan_sh("echo $$; exec sleep 100");
	struct sink sink = {.room = SIZE_MAX};
	struct bv_backend_run *run = start(&plan, &sink);
	enum bv_backend_state state;
	size_t kept_bytes;
	pid_t pid;

	while (sink.got == 0)
		EXPECT_OK(bv_inert_backend.step(run, &state, err));
	pid = (pid_t)strtol((const char *)bv_inert_backend.output(run, 0, &kept_bytes), NULL, 10);
	EXPECT(pid > 1);
	bv_inert_backend.free_run(run);
	EXPECT(kill(pid, 0) != 0 && errno == ESRCH);
	bv_inert_backend.free_run(NULL);
}

TEST(everything_it_does_not_hold_is_refused)
{
	const struct {
		struct bv_capability capability;
		const char *where;
	} cases[] = {
		{cap_files(BV_FS_READ, "/a"), "Filesystem"},
		{cap_network_none(), "NetworkDenyAll"},
		{cap_spawn(BV_SPAWN_ALLOW_DESCENDANTS), "ChildSpawnAllowDescendants"},
		{cap_env(0, NULL), "Environment"},
		{{.tag = BV_CAP_INHERITED_FDS}, "InheritedFdsNone"},
	};
	struct bv_boundary_plan plan;
	struct bv_boundary_spec spec;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		spec = spec_launch();
		spec_add_capability(&spec, cases[i].capability);
		EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
			     BV_E_UNSUPPORTED, cases[i].where, "this backend confines nothing");
	}
	spec = spec_launch();
	spec_add_control(&spec, control_capture(true, false, true));
	EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
		     BV_E_UNSUPPORTED, "CaptureStreams", "inert cannot hold CaptureStreams");
	spec = spec_launch();
	spec.has_execution = true;
	spec.execution = (struct bv_execution_options){.has_terminal = true, .terminal = true};
	EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
		     BV_E_UNSUPPORTED, "LaunchWorkload", "no terminal");
	spec.execution = (struct bv_execution_options){.has_syscalls = true,
						       .syscalls = BV_SYSCALLS_STRICT};
	EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
		     BV_E_UNSUPPORTED, "LaunchWorkload", "filters no system calls");
	spec.execution = (struct bv_execution_options){.has_grace_micros = true,
						       .grace_micros = 1000000};
	EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
		     BV_E_UNSUPPORTED, "LaunchWorkload", "without a grace");
	spec = spec_launch();
	spec.workload = (struct bv_workload){.tag = BV_WORKLOAD_WASM,
					     .u.wasm = {.module_ref = S("m")}};
	EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
		     BV_E_WORKLOAD, "workload", "inert cannot run a Wasm");
	spec = spec_launch();
	spec_budgets(&spec, 64, BV_MIN_MEDIATED);
	EXPECT_FAILS(bv_plan_boundary(&bv_inert_backend, &spec, arena_now(), &plan, err),
		     BV_E_BUDGET_REFUSED, "budgets.wall_micros", "inert cannot hold this limit");
}

TEST(its_snapshot_is_the_reference_s_and_every_finding_says_unconfined)
{
	struct bv_profile_snapshot snapshot;
	struct bv_digest digest;
	const struct bv_report_body body = run_sh("exit 0");
	char hex[65];

	EXPECT_OK(bv_inert_backend.probe(NULL, arena_now(), &snapshot, err));
	bv_canon_hash(&bv_profile_snapshot_type, &snapshot, &digest);
	bv_digest_hex(&digest, hex);
	EXPECT_STR(hex, "91fdcbb435e7fa418b21b740a6df4819983788edd7176da13ba382f28d964748");
	EXPECT_UINT(body.findings.count, 4);
	EXPECT_UINT(body.findings.items[0].tag, BV_FINDING_REQUIREMENT_ADMITTED);
	EXPECT_UINT(body.findings.items[3].tag, BV_FINDING_NO_CONFINEMENT);
	EXPECT_STR(body.admitted.items[0].mechanism.data, "inert:host_spawn:Enforced");
	EXPECT_STR(body.admitted.items[1].mechanism.data, "inert:host_pipe:Enforced");
}
