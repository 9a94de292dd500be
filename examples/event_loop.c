/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * event_loop.c - libbvisor in a program that has a loop of its own: two runs at once, their output
 * as it comes, and a kill.
 *
 *     cc -std=c99 event_loop.c $(pkg-config --cflags --libs bvisor) -o event_loop
 *     ./event_loop
 *
 * One run counts, and ends by itself.  The other would go on for ever, and is killed when the first
 * has ended and it has been heard itself.  Nothing here blocks but poll().
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <bvisor/bvisor.h>

struct job {
	const char *name;
	const char *script;
	struct bv_run *run;
	enum bv_run_state state;
	unsigned long bytes;
	int killed;
};

static ptrdiff_t take_output(void *context, enum bv_stream stream, const void *data, size_t size)
{
	struct job *job = (struct job *)context;

	(void)stream;
	if (job->bytes == 0)
		printf("%s: first output: %.*s", job->name, (int)size, (const char *)data);
	job->bytes += (unsigned long)size;
	return (ptrdiff_t)size; /* all of it; fewer would make the workload wait */
}

static int fail(const struct job *job, const struct bv_error *err)
{
	fprintf(stderr, "event_loop: %s: %s: %s\n", job->name, err->where, err->message);
	return -1;
}

static int start(struct job *job)
{
	const char *args[2];
	struct bv_run_options options;
	struct bv_error err;
	struct bv_spec *spec = bv_spec_new();
	struct bv_plan *plan = NULL;
	int status = 0;

	memset(&err, 0, sizeof err);
	memset(&options, 0, sizeof options);
	options.output = take_output;
	options.context = job;
	args[0] = "-c";
	args[1] = job->script;
	if (spec == NULL)
		return -1;
	if (bv_spec_program(spec, "/bin/sh", 2, args, &err) != BV_OK ||
	    bv_plan_make(spec, NULL, &plan, &err) != BV_OK ||
	    bv_run_start(plan, &options, &job->run, &err) != BV_OK)
		status = fail(job, &err);
	/* The run has copies of all it needs. */
	bv_plan_free(plan);
	bv_spec_free(spec);
	return status;
}

/* Called when the run's descriptor is readable, and once at the start. */
static int step(struct job *job)
{
	struct bv_error err;
	struct bv_report *report = NULL;

	memset(&err, 0, sizeof err);
	if (bv_run_step(job->run, &job->state, &err) != BV_OK)
		return fail(job, &err);
	if (job->state != BV_RUN_ENDED)
		return 0;
	if (bv_run_finish(job->run, &report, &err) != BV_OK)
		return fail(job, &err);
	printf("%s: it %s after %lu bytes of output\n", job->name, bv_report_summary(report),
	       job->bytes);
	bv_report_free(report);
	return 0;
}

static int loop(struct job *jobs, size_t count)
{
	size_t i, alive = count;

	for (i = 0; i < count; i++) {
		if (step(&jobs[i]) != 0)
			return -1;
	}
	while (alive > 0) {
		struct pollfd fds[2];

		for (i = 0; i < count; i++) {
			fds[i].fd = jobs[i].state == BV_RUN_ENDED ? -1 : bv_run_fd(jobs[i].run);
			fds[i].events = POLLIN;
			fds[i].revents = 0;
		}
		/* A real program waits for its own sockets and timers here too. */
		if (poll(fds, (nfds_t)count, -1) < 0)
			return -1;
		alive = 0;
		for (i = 0; i < count; i++) {
			if (fds[i].revents != 0 && step(&jobs[i]) != 0)
				return -1;
			alive += jobs[i].state != BV_RUN_ENDED;
		}
		if (jobs[0].state == BV_RUN_ENDED && jobs[1].bytes > 0 && !jobs[1].killed) {
			jobs[1].killed = 1;
			if (bv_run_kill(jobs[1].run, NULL) != BV_OK)
				return -1;
		}
	}
	return 0;
}

int main(void)
{
	struct job jobs[2];
	int status;

	memset(jobs, 0, sizeof jobs);
	jobs[0].name = "counter";
	jobs[0].script = "i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); echo $i; done";
	jobs[1].name = "endless";
	jobs[1].script = "while :; do echo again; done";
	status = start(&jobs[0]) == 0 && start(&jobs[1]) == 0 ? loop(jobs, 2) : -1;
	/* Kills what still runs. */
	bv_run_free(jobs[0].run);
	bv_run_free(jobs[1].run);
	return status == 0 ? 0 : 1;
}
