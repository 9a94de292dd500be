/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * report.c - the facts of an ended run, as they were seen.
 *
 * Nothing is inferred: what was not measured is said to be unknown, and a program that never ran has
 * neither an exit nor usage.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "contract/budget.h"
#include "contract/report.h"
#include "contract/support.h"
#include "contract/value.h"
#include "run.h"
#include "seccomp_filter.h"

enum { TEXT_MAX = 1024, OWN_FACTS_MAX = 20, SECCOMP_ROOM = BV_SECCOMP_PROGRAM_MAX + 32 };

struct reporting {
	const struct bv_backend_run *run;
	struct bv_arena *arena;
	struct bv_report_body *body;
	bool full;
};

static struct bv_str format(struct reporting *reporting, const char *text, ...)
	__attribute__((format(printf, 2, 3)));

static struct bv_str format(struct reporting *reporting, const char *text, ...)
{
	char buffer[TEXT_MAX];
	struct bv_str result;
	va_list args;

	va_start(args, text);
	(void)vsnprintf(buffer, sizeof(buffer), text, args);
	va_end(args);
	/* Paths may hold any bytes; a report is UTF-8. */
	result = bv_arena_utf8(reporting->arena, bv_str_from(buffer));
	reporting->full |= result.data == NULL;
	return result.data != NULL ? result : BV_STR("");
}

/* ---- why it never ran ------------------------------------------------------------------------ */

static void set_failure(struct reporting *reporting, enum bv_outcome outcome, const char *step,
			int sys_errno, struct bv_str message)
{
	reporting->body->outcome = outcome;
	reporting->body->has_exec_failure = true;
	reporting->body->exec_failure = (struct bv_exec_failure){bv_str_from(step), sys_errno,
								 message};
}

static void set_stopped(struct reporting *reporting, enum bv_dimension dimension)
{
	reporting->body->outcome = dimension == BV_DIMENSION_WALL ? BV_OUTCOME_TIMEOUT
								  : BV_OUTCOME_KILLED;
	reporting->body->has_stopped_by = true;
	reporting->body->stopped_by = (enum bv_limit)dimension;
}

static void report_exec_errno(struct reporting *reporting, int sys_errno)
{
	const struct bv_lowered *lowered = &reporting->run->lowered;
	struct bv_str message = format(reporting, "cannot execute '%.*s': %s",
				       (int)lowered->exe.len, lowered->exe.data,
				       strerror(sys_errno));

	/* The kernel says "no such file" of the program when it is the interpreter that is missing. */
	if (sys_errno == ENOENT && lowered->missing_interpreter.len > 0)
		message = format(reporting,
				 "cannot execute '%.*s': its interpreter '%.*s' does not exist",
				 (int)lowered->exe.len, lowered->exe.data,
				 (int)lowered->missing_interpreter.len,
				 lowered->missing_interpreter.data);
	set_failure(reporting, BV_OUTCOME_FAILED, "exec", sys_errno, message);
}

/* Which of many a step was about: the path of a mount, a mask, a rule. */
static struct bv_str subject_of(const struct bv_backend_run *run)
{
	const struct bv_launch_work *work = &run->lowered.body.work;
	const size_t index = run->fault.index;

	switch ((enum bv_step)run->fault.step) {
	case BV_STEP_MOUNT_BIND:
		if (index < work->root.mounts.count)
			return work->root.mounts.items[index].dest;
		if (index - work->root.mounts.count < work->root.masked.count)
			return work->root.masked.items[index - work->root.mounts.count];
		break;
	case BV_STEP_MOUNT_DEV:
		if (index < work->root.symlinks.count)
			return work->root.symlinks.items[index].path;
		break;
	case BV_STEP_LANDLOCK:
		if (index < work->landlock.rules.count)
			return work->landlock.rules.items[index].path;
		break;
	case BV_STEP_CWD:
		return work->exec.cwd;
	default:
		break;
	}
	return BV_STR("");
}

static void report_fault(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	const struct bv_str subject = subject_of(run);
	const int sys_errno = run->fault.sys_errno;
	struct bv_str message;

	/* The boundary's own first steps are paid for by the group too. */
	if (bv__run_out_of_memory(run) && run->plan->budgets.has_resident_bytes) {
		set_failure(reporting, BV_OUTCOME_KILLED, bv__step_name(run->fault.step), ENOMEM,
			    format(reporting,
				   "the memory limit of %llu bytes is too small to start it",
				   (unsigned long long)
					   run->plan->budgets.resident_bytes.effective_limit));
		set_stopped(reporting, BV_DIMENSION_RESIDENT);
		return;
	}
	if (run->fault.step == BV_STEP_EXEC && sys_errno != ESTALE) {
		report_exec_errno(reporting, sys_errno);
		return;
	}
	/* Killed while it was being set up: nobody's fault. */
	if (run->fault.step == BV_STEP_SUPERVISE && sys_errno == 0 && run->kill_asked) {
		reporting->body->outcome = BV_OUTCOME_KILLED;
		return;
	}
	message = format(reporting, "cannot %s%s%.*s%s: %s", bv__step_text(run->fault.step),
			 subject.len ? " '" : "", (int)subject.len, subject.data,
			 subject.len ? "'" : "",
			 sys_errno == ESTALE ? "it changed since the plan was made"
			 : sys_errno != 0    ? strerror(sys_errno)
					     : "it ended without saying why");
	set_failure(reporting,
		    sys_errno == 0 || sys_errno == ENOMEM || sys_errno == EAGAIN
			    ? BV_OUTCOME_SUPERVISOR_FAULT
			    : BV_OUTCOME_UNSUPPORTED,
		    bv__step_name(run->fault.step), sys_errno, message);
}

/* ---- how it ended ---------------------------------------------------------------------------- */

/* Killed by the kernel at its own limit of each process, which stands behind the launcher's. */
static bool is_out_of_cpu(const struct bv_backend_run *run)
{
	const struct bv_admitted_budgets *budgets = &run->plan->budgets;

	return budgets->has_cpu_micros && run->usage.cpu_us >= budgets->cpu_micros.effective_limit;
}

/* Who ended it, where that was not the program itself. */
static void report_end(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	const bool shot = WIFSIGNALED(run->exit.status) && WTERMSIG(run->exit.status) == SIGKILL;
	/* A SIGKILL of ours, or one of its own in the same moment: the limit had passed either way.  With a
	 * grace it was told to end, and how it did so is its own. */
	const bool ended = (shot && run->exit.killed) || bv__run_grace_ns(run) > 0;

	if (run->has_limit && ended)
		set_stopped(reporting, (enum bv_dimension)run->limit.dimension);
	else if (run->wall_fired && shot && run->exit.killed)
		set_stopped(reporting, BV_DIMENSION_WALL);
	else if ((shot && run->exit.killed) || run->stop_asked)
		reporting->body->outcome = BV_OUTCOME_KILLED;
	else if (shot && bv__run_out_of_memory(run))
		set_stopped(reporting, BV_DIMENSION_RESIDENT);
	else if (shot && is_out_of_cpu(run))
		set_stopped(reporting, BV_DIMENSION_CPU);
}

static void report_exit(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	struct bv_report_body *body = reporting->body;
	const int status = run->exit.status;

	body->has_exit = true;
	body->outcome = BV_OUTCOME_FAILED;
	if (WIFEXITED(status)) {
		body->exit = (struct bv_exit_status){.tag = BV_EXIT_CODE,
						     .u.code = WEXITSTATUS(status)};
		if (WEXITSTATUS(status) == 0)
			body->outcome = BV_OUTCOME_COMPLETED;
	} else {
		body->exit = (struct bv_exit_status){.tag = BV_EXIT_SIGNAL,
						     .u.signal = WTERMSIG(status)};
		body->has_core_dumped = true;
		body->core_dumped = WCOREDUMP(status);
		if (WTERMSIG(status) == SIGSYS)
			body->outcome = BV_OUTCOME_DENIED;
	}
	report_end(reporting);
}

static void report_outcome(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;

	if (run->lowered.exe_errno != 0) {
		report_exec_errno(reporting, run->lowered.exe_errno);
	} else if (run->broken.message[0] != '\0') {
		reporting->body->outcome = BV_OUTCOME_SUPERVISOR_FAULT;
		/* Once it was released it may have run, and what ran is not made unhappened. */
		if (!run->transcript.released)
			set_failure(reporting, BV_OUTCOME_SUPERVISOR_FAULT, run->broken.where,
				    run->broken.sys_errno,
				    format(reporting, "%s", run->broken.message));
	} else if (run->has_refusal) {
		set_failure(reporting, BV_OUTCOME_UNSUPPORTED, "plan", 0,
			    format(reporting, "the launcher refused the plan (%s): %s",
				   bv__launcher_refusal_name(run->refusal.reason),
				   run->refusal.detail));
	} else if (run->has_fault) {
		report_fault(reporting);
	} else {
		report_exit(reporting);
	}
}

static void report_usage(struct reporting *reporting)
{
	const struct bv_record_exit *exit = &reporting->run->exit;
	uint64_t rss_bytes = UINT64_MAX;

	if (!reporting->run->has_exit)
		return;
	(void)bv_mul(exit->max_rss_kib, 1024, &rss_bytes);
	reporting->body->has_usage = true;
	reporting->body->usage = (struct bv_usage){
		.has_wall_micros = true,
		.wall_micros = exit->wall_ns / 1000,
		.has_user_micros = true,
		.user_micros = exit->user_us,
		.has_system_micros = true,
		.system_micros = exit->system_us,
		.has_max_rss_bytes = true,
		.max_rss_bytes = rss_bytes,
		.has_minor_faults = true,
		.minor_faults = exit->minor_faults,
		.has_major_faults = true,
		.major_faults = exit->major_faults,
		.has_voluntary_switches = true,
		.voluntary_switches = exit->voluntary_switches,
		.has_involuntary_switches = true,
		.involuntary_switches = exit->involuntary_switches,
	};
}

/* ---- streams --------------------------------------------------------------------------------- */

static void put_stream(struct reporting *reporting, const char *name,
		       const struct bv_stream *stream)
{
	struct bv_stream_record *record = &reporting->body->streams
						   .items[reporting->body->streams.count++];

	*record = (struct bv_stream_record){
		.name = bv_str_from(name),
		.total_bytes = stream->total_bytes,
		.kept_bytes = stream->kept_bytes,
		.forwarded_bytes = stream->forwarded_bytes,
		.complete = stream->complete,
	};
	bv__stream_digests(stream, &record->content_hash, &record->kept_hash);
}

static void report_streams(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	struct bv_report_body *body = reporting->body;

	body->streams.items = bv_arena_array(reporting->arena, 3, sizeof(*body->streams.items));
	if (body->streams.items == NULL) {
		reporting->full = true;
		return;
	}
	/* Of a program that was never started there is nothing to say. */
	if (run->streams[0].buffer == NULL)
		return;
	if (run->lowered.captures_stdout) {
		put_stream(reporting, "stdout", &run->streams[0]);
		body->captured.has_stdout_ref = true;
		body->captured.stdout_ref = format(reporting, "inline:%zub",
						   run->streams[0].kept_bytes);
	}
	/* On a terminal both are one stream, and it is called stdout. */
	if (run->lowered.captures_stderr && !run->lowered.terminal) {
		put_stream(reporting, "stderr", &run->streams[1]);
		body->captured.has_stderr_ref = true;
		body->captured.stderr_ref = format(reporting, "inline:%zub",
						   run->streams[1].kept_bytes);
	}
	if (run->lowered.captures_stdin) {
		struct bv_stream_record *record = &body->streams.items[body->streams.count++];

		*record = (struct bv_stream_record){.name = BV_STR("stdin"),
						    .total_bytes = run->input_bytes,
						    .complete = true};
		bv_hash_final(&run->input_hash, &record->content_hash);
		bv_hash_bytes("", 0, &record->kept_hash);
	}
	body->has_streams = body->streams.count != 0;
}

/* ---- requirements and what they refused ------------------------------------------------------ */

static void report_requirements(struct reporting *reporting)
{
	struct bv_report_body *body = reporting->body;

	body->admitted = reporting->run->plan->admitted;
	/* A requirement was held only if there was something to hold it against. */
	if (reporting->run->has_exec && !bv_report_held(reporting->arena, body))
		reporting->full = true;
}

static const struct bv_requirement *find_requirement(const struct bv_boundary_plan *plan,
						     enum bv_seccomp_origin origin)
{
	const struct bv_requirement *launch = NULL;

	for (size_t i = 0; i < plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &plan->admitted.items[i].requirement;
		const enum bv_requirement_kind kind = bv_kind_of(requirement);

		if (origin == BV_SECCOMP_SPAWN &&
		    (kind == BV_KIND_SPAWN_DENY || kind == BV_KIND_SPAWN_THREADS ||
		     kind == BV_KIND_SPAWN_DESCENDANTS))
			return requirement;
		if (origin == BV_SECCOMP_NETWORK &&
		    (kind == BV_KIND_NETWORK_DENY_ALL || kind == BV_KIND_NETWORK_ALLOW_LIST))
			return requirement;
		if (kind == BV_KIND_LAUNCH)
			launch = requirement;
	}
	/* What no spec can have was refused because it was launched by bvisor at all. */
	return launch;
}

static void report_denied(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	struct bv_report_body *body = reporting->body;
	const struct bv_launch_seccomp *filter = &run->lowered.body.work.seccomp;

	body->denied.items = bv_arena_array(reporting->arena, run->denied_count,
					    sizeof(*body->denied.items));
	if (body->denied.items == NULL) {
		reporting->full = true;
		return;
	}
	for (size_t i = 0; i < run->denied_count; i++) {
		const struct bv_record_denied *denied = &run->denied[i];
		struct seccomp_data call = {.nr = (int)denied->number, .arch = denied->arch};
		const struct bv_requirement *requirement;
		struct bv_seccomp_verdict verdict;
		const char *why;

		for (int a = 0; a < 6; a++)
			call.args[a] = denied->args[a];
		verdict = bv_seccomp_judge(filter, &call);
		requirement = find_requirement(run->plan, verdict.allowed ? BV_SECCOMP_UNKNOWN
									  : verdict.origin);
		if (requirement == NULL)
			continue;
		why = bv_seccomp_why(filter, &call);
		body->denied.items[body->denied.count++] = (struct bv_denied_attempt){
			.requirement = *requirement,
			.detail = format(reporting,
					 "%s (%s %u)%s%s, first with 0x%llx, 0x%llx, 0x%llx",
					 bv_syscall_name(denied->arch, denied->number),
					 bv_syscall_abi(denied->arch, denied->number),
					 denied->number, why[0] != '\0' ? ": " : "", why,
					 (unsigned long long)denied->args[0],
					 (unsigned long long)denied->args[1],
					 (unsigned long long)denied->args[2]),
			.has_count = true,
			.count = denied->count,
			.has_source = true,
			.source = BV_SOURCE_LAUNCHER,
		};
	}
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void put_fact(struct reporting *reporting, const char *kind, enum bv_fact_source source,
		     struct bv_str detail)
{
	struct bv_observed_fact_list *facts = &reporting->body->observed;

	facts->items[facts->count++] = (struct bv_observed_fact){.kind = bv_str_from(kind),
								 .detail = detail,
								 .has_source = true,
								 .source = source};
}

static void put_filter_fact(struct reporting *reporting)
{
	const struct bv_launch_seccomp *seccomp = &reporting->run->lowered.body.work.seccomp;
	struct sock_filter program[SECCOMP_ROOM];
	struct bv_digest digest;
	size_t count = 0;
	char hex[65];

	if (bv_seccomp_compile(seccomp, program, BV_SECCOMP_PROGRAM_MAX, &count, NULL) != BV_OK)
		return;
	/* As the launcher does where it counts tasks. */
	if (reporting->run->lowered.body.work.limits.has_process_count && seccomp->notify &&
	    bv_seccomp_ask_for_tasks(seccomp, program, SECCOMP_ROOM, &count, NULL) != BV_OK)
		return;
	if (bv_seccomp_forbids_hiding(&reporting->run->lowered.body.work.limits) &&
	    bv_seccomp_refuse_hiding(program, SECCOMP_ROOM, &count, NULL) != BV_OK)
		return;
	bv_hash_bytes(program, count * sizeof(program[0]), &digest);
	bv_digest_hex(&digest, hex);
	put_fact(reporting, "seccomp_program", BV_SOURCE_HOST,
		 format(reporting, "%zu instructions, blake3=%s", count, hex));
}

static void put_stage_fact(struct reporting *reporting)
{
	const struct bv_stage *stage = reporting->run->stage;

	if (stage == NULL)
		return;
	put_fact(
		reporting, "staged_changes", BV_SOURCE_HOST,
		reporting->run->stage_error.code != BV_OK
			? format(reporting, "unknown: %s", reporting->run->stage_error.message)
			: format(reporting,
				 "%zu: %zu added, %zu modified, %zu removed, %zu replaced, %zu with other "
				 "attributes; %llu bytes",
				 stage->change_count, stage->kinds[BV_STAGE_ADDED],
				 stage->kinds[BV_STAGE_MODIFIED], stage->kinds[BV_STAGE_REMOVED],
				 stage->kinds[BV_STAGE_REPLACED], stage->kinds[BV_STAGE_ATTRIBUTES],
				 (unsigned long long)stage->size_bytes));
}

static void put_output_fact(struct reporting *reporting)
{
	const struct bv_output *output = reporting->run->output;
	uint64_t bytes = 0;
	size_t kept = 0;

	if (output == NULL)
		return;
	for (size_t i = 0; i < output->count; i++) {
		kept += output->files[i].kept;
		bytes += output->files[i].kept ? output->files[i].size_bytes : 0;
	}
	put_fact(reporting, "artifacts", BV_SOURCE_HOST,
		 reporting->run->output_error.code != BV_OK
			 ? format(reporting, "unknown: %s", reporting->run->output_error.message)
			 : format(reporting, "%zu kept, %llu bytes; %zu left out", kept,
				  (unsigned long long)bytes,
				  output->left_count + (size_t)output->left_more));
}

/* How exactly a limit on storage was watched. */
static void put_storage_fact(struct reporting *reporting)
{
	const struct bv_record_storage *storage = &reporting->run->storage;

	if (!reporting->run->has_storage || !reporting->run->plan->budgets.has_storage_bytes)
		return;
	put_fact(
		reporting, "storage", BV_SOURCE_LAUNCHER,
		format(reporting,
		       "at most %llu bytes and %llu inodes seen; places of the host looked through %llu times, "
		       "at most %llu us apart%s%s",
		       (unsigned long long)storage->peak_bytes,
		       (unsigned long long)storage->peak_inodes, (unsigned long long)storage->walks,
		       (unsigned long long)storage->longest_us,
		       storage->unfinished ? ", and not at the end, which would have taken too long"
					   : "",
		       storage->hidden ? "; ended for a directory that could not be looked into"
				       : ""));
}

/* Once; a report may be asked for twice. */
static void list_stage(struct bv_backend_run *run)
{
	if (run->stage == NULL || run->stage_listed)
		return;
	run->stage_listed = true;
	/* A program that never ran changed nothing; one whose launcher was killed took it along. */
	if (!run->has_exec)
		return;
	if (run->stage_fd < 0)
		bv_fail(&run->stage_error, BV_E_LAUNCHER, "changes",
			"what was written is gone: the launcher did not hand it over");
	else
		(void)bv__stage_list(run->stage, run->stage_fd, &run->stage_error);
}

enum bv_code bv__run_take_stage(struct bv_backend_run *run, struct bv_stage **ret_stage,
				struct bv_error *err)
{
	if (run->stage == NULL || !run->stage_listed)
		return bv_fail(err, BV_E_STATE, "changes",
			       run->stage == NULL ? "nothing was staged, or it was taken already"
						  : "the run was not finished");
	if (run->stage_error.code != BV_OK) {
		if (err != NULL)
			*err = run->stage_error;
		return run->stage_error.code;
	}
	*ret_stage = run->stage;
	run->stage = NULL;
	return BV_OK;
}

static void report_facts(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	const struct bv_observed_fact_list *lowered = &run->lowered.observed;
	struct bv_observed_fact_list *facts = &reporting->body->observed;
	const struct bv_str launcher = bv__fact_text(&run->plan->profile, BV_FACT_LAUNCHER);

	facts->items = bv_arena_array(reporting->arena, lowered->count + OWN_FACTS_MAX,
				      sizeof(*facts->items));
	if (facts->items == NULL) {
		reporting->full = true;
		return;
	}
	if (lowered->count > 0)
		memcpy(facts->items, lowered->items, lowered->count * sizeof(*facts->items));
	facts->count = lowered->count;
	put_fact(reporting, "launcher_identity", BV_SOURCE_HOST,
		 format(reporting, "blake3=%.*s", (int)launcher.len, launcher.data));
	if (run->lowered.exe_errno != 0)
		return;
	put_filter_fact(reporting);
	put_stage_fact(reporting);
	put_output_fact(reporting);
	if (run->transcript.started)
		put_fact(reporting, "launcher_state", BV_SOURCE_LAUNCHER,
			 format(reporting, "%s", bv__launcher_state_name(run->transcript.state)));
	if (run->has_exec)
		put_fact(reporting, "workload_launched", BV_SOURCE_LAUNCHER,
			 format(reporting, "%.*s", (int)run->lowered.exe.len,
				run->lowered.exe.data));
	if (run->broken.message[0] != '\0')
		put_fact(reporting, "supervisor_fault", BV_SOURCE_HOST,
			 format(reporting, "%s", run->broken.message));
	if (run->transcript.released && !run->has_exit && run->broken.message[0] != '\0')
		put_fact(reporting, "workload_fate", BV_SOURCE_HOST,
			 run->has_exec
				 ? BV_STR("unknown: it was running when bvisor failed")
				 : BV_STR("unknown: it may have been running when bvisor failed"));
	if (run->has_usage)
		put_fact(reporting, "looks", BV_SOURCE_LAUNCHER,
			 format(reporting, "%llu, at most %llu us apart",
				(unsigned long long)run->usage.looks,
				(unsigned long long)run->usage.longest_us));
	put_storage_fact(reporting);
	if (!run->lowered.layers.attest)
		put_fact(reporting, "attestation_unavailable", BV_SOURCE_HOST,
			 BV_STR("this host may not look at processes of other users"));
}

/* Of the end, where the host can see it itself: who was left in the group. */
static void attest_end(const struct bv_backend_run *run, struct bv_arena *arena,
		       struct bv_attestation *ret_end)
{
	struct bv_text_pair *evidence = bv_arena_array(arena, 1, sizeof(*evidence));

	*ret_end = (struct bv_attestation){.layer = BV_STR("end"), .holds = run->is_empty};
	if (evidence == NULL)
		return;
	*evidence = (struct bv_text_pair){BV_STR("left"), bv_str_from(run->left)};
	ret_end->evidence.items = evidence;
	ret_end->evidence.count = 1;
}

static void report_attestations(struct reporting *reporting)
{
	const struct bv_backend_run *run = reporting->run;
	const struct bv_attestation_list *attested = &run->attestations;
	struct bv_attestation_list *list = &reporting->body->attestations;

	if (attested->count == 0)
		return;
	reporting->body->has_attestations = true;
	*list = *attested;
	if (!run->has_exit || run->left == NULL)
		return;
	list->items = bv_arena_array(reporting->arena, attested->count + 1, sizeof(*list->items));
	if (list->items == NULL) {
		reporting->full = true;
		return;
	}
	memcpy(list->items, attested->items, attested->count * sizeof(*list->items));
	attest_end(run, reporting->arena, &list->items[list->count++]);
}

enum bv_code bv__run_finish(struct bv_backend_run *run, struct bv_arena *arena,
			    struct bv_report_body *ret_body, struct bv_error *err)
{
	struct bv_report_body body = {
		.schema_version = BV_REPORT_SCHEMA_VERSION,
		.plan_id = run->plan->plan_id,
		.backend = run->plan->backend,
		.profile = run->plan->profile,
		.has_attempt = true,
		.attempt = run->options.attempt,
		.has_started_unix_micros = true,
		.started_unix_micros = run->started_unix_micros,
	};
	struct reporting reporting = {run, arena, &body, false};

	if (run->state != BV_BACKEND_ENDED)
		return bv_fail(err, BV_E_STATE, "run", "the run has not ended");
	list_stage(run);
	bv__run_collect(run);
	report_outcome(&reporting);
	report_usage(&reporting);
	bv__run_witness(run, &body.budget);
	report_streams(&reporting);
	report_requirements(&reporting);
	report_denied(&reporting);
	report_facts(&reporting);
	report_attestations(&reporting);
	if (reporting.full || !bv__run_report_left(run, arena, &body))
		return bv_fail(err, BV_E_MEMORY, "report", "no memory for a report");
	/* Much of it lives with the plan and the run, and a report outlives both. */
	return bv_value_copy(arena, &bv_report_body_type, &body, ret_body, err);
}
