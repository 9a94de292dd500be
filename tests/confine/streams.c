/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* streams.c - what the program is given and what it says: environment, descriptors, streams. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "contract/hash.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

static int count_lines(const char *text, const char *prefix)
{
	int count = 0;

	for (const char *line = text; *line != '\0';) {
		count += strncmp(line, prefix, strlen(prefix)) == 0;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return count;
}

/* ---- environment ----------------------------------------------------------------------------- */

EVERYWHERE(the_environment_is_exactly_what_was_declared)
{
	struct bv_spec *spec = guest_spec(place, "env", NULL);
	struct ran ran;

	EXPECT(setenv("PLANTED", "in the host", 1) == 0);
	SURE(bv_spec_env(spec, "ONE", "1", err));
	SURE(bv_spec_env(spec, "EMPTY", "", err));
	SURE(bv_spec_env(spec, "ODD", "a=b c\nd", err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "env ONE=1");
	EXPECT_SAID(&ran, "env EMPTY=");
	EXPECT(strstr(ran.out, "env ODD=a=b c\nd\n") != NULL);
	EXPECT_INT(count_lines(ran.out, "env "), 3);
	ran = run_guest(place, "env", NULL);
	EXPECT_INT(count_lines(ran.out, "env "), 0);
}

EVERYWHERE(a_secret_reaches_the_program_and_nobody_else)
{
	static const char value[] = "correct horse battery staple";
	struct bv_spec *spec = guest_spec(place, "env", NULL);
	struct bv_plan *plan = NULL;
	char *json = NULL;
	struct ran ran;

	SURE(bv_spec_secret(spec, "TOKEN", value, sizeof(value) - 1, err));
	SURE(bv_plan_make(spec, "linux", &plan, err));
	SURE(bv_plan_to_json(plan, &json, err));
	EXPECT(strstr(json, value) == NULL && strstr(json, "TOKEN") != NULL);
	bv_free(json);
	bv_plan_free(plan);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "env TOKEN=correct horse battery staple");
	EXPECT(!report_contains(&ran, value));
	EXPECT(report_contains(&ran, "TOKEN"));
}

EVERYWHERE(no_signal_is_blocked_or_ignored)
{
	sigset_t blocked;
	struct ran ran;

	EXPECT(signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGINT, SIG_IGN) != SIG_ERR &&
	       signal(SIGCHLD, SIG_IGN) != SIG_ERR && signal(40, SIG_IGN) != SIG_ERR);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	EXPECT(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	ran = run_guest(place, "ignored", NULL);
	EXPECT_SAID(&ran, "ignored or blocked 0");
	/* A host that lets the kernel reap its children still gets the truth. */
	EXPECT_STR(ran.outcome, "Completed");
}

/* ---- descriptors ----------------------------------------------------------------------------- */

EVERYWHERE(no_descriptor_of_the_host_is_inherited)
{
	int planted[] = {10, 11, 99, 100, 101, 255, 512, 900};
	struct ran ran;

	for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		/* Not close-on-exec: a careless host. */
		int fd = open("/etc/passwd", O_RDONLY);

		EXPECT(fd >= 0 && dup2(fd, planted[i]) == planted[i]);
		close(fd);
	}
	ran = run_guest(place, "fds", NULL);
	EXPECT_SAID(&ran, "fd 0");
	EXPECT_SAID(&ran, "fd 1");
	EXPECT_SAID(&ran, "fd 2");
	EXPECT_INT(count_lines(ran.out, "fd "), 3);
}

EVERYWHERE(exactly_the_named_descriptors_are_inherited)
{
	const char *file = make_file(place, "file", "by descriptor\n");
	struct bv_spec *spec = guest_spec(place, "fds", ",", "read", "/dev/fd/7", NULL);
	int fd = open(file, O_RDONLY | O_CLOEXEC), other = open(file, O_RDONLY);
	struct ran ran;

	EXPECT(fd >= 0 && other >= 0 && dup3(fd, 7, O_CLOEXEC) == 7 && dup2(fd, 300) == 300 &&
	       dup2(other, 8) == 8);
	SURE(bv_spec_inherit_fd(spec, 7, err));
	SURE(bv_spec_inherit_fd(spec, 300, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "fd 7");
	EXPECT_SAID(&ran, "fd 300");
	EXPECT_INT(count_lines(ran.out, "fd "), 5);
}

EVERYWHERE(a_descriptor_that_is_not_open_is_refused)
{
	struct bv_spec *spec = guest_spec(place, "fds", NULL);
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	SURE(bv_spec_inherit_fd(spec, 77, err));
	SURE(bv_plan_make(spec, "linux", &plan, err));
	EXPECT_INT(bv_run_start(plan, NULL, &run, &why), BV_E_ARGUMENT);
	EXPECT(why.remedy[0] != '\0');
}

/* With one of those the workload could walk up and around the private root. */
EVERYWHERE(a_descriptor_of_a_directory_is_refused)
{
	struct bv_spec *spec = guest_spec(place, "fds", NULL);
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	int fd = open("/", O_RDONLY | O_CLOEXEC);

	EXPECT(fd >= 0 && dup2(fd, 79) == 79);
	SURE(bv_spec_inherit_fd(spec, 79, err));
	SURE(bv_plan_make(spec, "linux", &plan, err));
	EXPECT_INT(bv_run_start(plan, NULL, &run, &why), BV_E_INVALID_POLICY);
	EXPECT(why.remedy[0] != '\0' && close(79) == 0);
}

/* A host that runs out of descriptors is told so, and nothing is left half started. */
EVERYWHERE(a_host_without_descriptors_is_told)
{
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_error err = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	struct rlimit few;
	int highest = open("/", O_PATH | O_CLOEXEC), lowest_free = open("/", O_PATH | O_CLOEXEC);

	close(lowest_free);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
	EXPECT(getrlimit(RLIMIT_NOFILE, &few) == 0);
	for (int room = 0; room < 40; room++) {
		enum bv_code code;

		few.rlim_cur = (rlim_t)highest + (rlim_t)room;
		EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
		run = NULL;
		code = bv_run_start(plan, NULL, &run, &err);
		few.rlim_cur = few.rlim_max < 1024 ? few.rlim_max : 1024;
		EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
		EXPECT_THAT(code == BV_OK || err.message[0] != '\0', "no message with room for %d",
			    room);
		bv_run_free(run);
		int next = open("/", O_PATH | O_CLOEXEC);

		EXPECT_THAT(next == lowest_free,
			    "with room for %d the next descriptor is %d, not %d (%s)", room, next,
			    lowest_free, err.message);
		close(next);
	}
	EXPECT_INT(count_processes(place->guest), 0);
}

/* ---- streams --------------------------------------------------------------------------------- */

EVERYWHERE(standard_input_is_empty)
{
	struct ran ran = run_guest(place, "stdin", NULL);

	EXPECT_SAID(&ran, "stdin 0 bytes sum 0");
}

EVERYWHERE(what_is_fed_arrives_whole)
{
	static char data[300000];
	unsigned long long sum = 0;
	struct bv_spec *spec = guest_spec(place, "stdin", NULL);
	struct bv_run *run;
	struct ran ran;
	char line[100];

	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] = (char)('a' + i % 23);
		sum = sum * 31 + (unsigned char)data[i];
	}
	SURE(bv_spec_stdin(spec, true, err));
	run = start_spec(spec, NULL);
	for (size_t at = 0; at < sizeof(data);) {
		size_t taken = 0;

		SURE(bv_run_input(run, data + at, sizeof(data) - at, &taken, err));
		at += taken;
		/* When less than all was taken the run's descriptor must become readable again. */
		EXPECT_THAT(taken > 0 || !await_end(run, 20), "the run ended early");
	}
	SURE(bv_run_input(run, NULL, 0, &(size_t){0}, err));
	EXPECT(await_end(run, 20000));
	ran = finish_run(run);
	(void)snprintf(line, sizeof(line), "stdin %zu bytes sum %llu", sizeof(data), sum);
	EXPECT_SAID(&ran, line);
}

EVERYWHERE(input_nobody_reads_is_no_error)
{
	static char data[200000];
	struct bv_spec *spec = guest_spec(place, "exit", "3", NULL);
	struct bv_run *run;
	struct ran ran;
	sigset_t pending;

	SURE(bv_spec_stdin(spec, true, err));
	run = start_spec(spec, NULL);
	for (int i = 0; i < 200; i++) {
		size_t taken;

		SURE(bv_run_input(run, data, sizeof(data), &taken, err));
		if (await_end(run, 10))
			break;
	}
	/* Writing to the closed pipe raised no signal in its host. */
	EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 0);
	EXPECT(await_end(run, 20000));
	ran = finish_run(run);
	EXPECT_INT(ran.number, 3);
}

EVERYWHERE(both_streams_are_captured_apart_and_digested)
{
	struct ran ran = run_guest(place, "out", "to stdout", ",", "err", "to stderr", NULL);
	const struct bv_stream_record_list *streams = &ran.report.body.streams;
	size_t err_bytes = 0;
	const char *err_data = bv_report_output(ran.handle, BV_STDERR, &err_bytes);
	struct bv_digest digest;

	EXPECT_STR(ran.out, "to stdout");
	EXPECT_BYTES(err_data, err_bytes, "to stderr", 9);
	EXPECT_UINT(streams->count, 2);
	EXPECT(bv_str_is(streams->items[0].name, "stdout") &&
	       bv_str_is(streams->items[1].name, "stderr"));
	EXPECT(streams->items[0].complete && streams->items[1].complete);
	bv_hash_bytes("to stdout", 9, &digest);
	EXPECT(bv_digest_equal(&digest, &streams->items[0].content_hash));
	EXPECT(bv_digest_equal(&digest, &streams->items[0].kept_hash));
	bv_hash_bytes("to stderr", 9, &digest);
	EXPECT(bv_digest_equal(&digest, &streams->items[1].content_hash));
}

static uint64_t forwarded;

static ptrdiff_t count_forwarded(void *context, enum bv_stream stream, const void *data,
				 size_t size_bytes)
{
	(void)context;
	(void)stream;
	(void)data;
	forwarded += size_bytes;
	return (ptrdiff_t)size_bytes;
}

static long resident_kib(void)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "re");
	long kib = 0;

	while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	}
	if (status != NULL)
		fclose(status);
	return kib;
}

EVERYWHERE_WITHIN(a_gibibyte_of_output_is_bounded_in_memory, 240)
{
	const struct bv_run_options options = {.output = count_forwarded};
	const uint64_t gibibyte = UINT64_C(1) << 30;
	struct bv_run *run;
	struct ran ran;
	long before;

	/* One place shows it; the pipe is the same in all of them. */
	if (place->bare != place->user)
		return;
	before = resident_kib();
	forwarded = 0;
	run = start_spec(guest_spec(place, "flood", "1073741824", NULL), &options);
	EXPECT(await_end(run, 200000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Completed");
	EXPECT_UINT(ran.report.body.streams.items[0].total_bytes, gibibyte);
	EXPECT_UINT(ran.report.body.streams.items[0].forwarded_bytes, gibibyte);
	EXPECT_UINT(ran.report.body.streams.items[0].kept_bytes, 1 << 20);
	EXPECT_UINT(forwarded, gibibyte);
	EXPECT_THAT(resident_kib() - before < 32 << 10, "the host grew by %ld KiB",
		    resident_kib() - before);
}

EVERYWHERE(limits_of_capture_and_output_hold)
{
	const struct bv_run_options options = {.output = count_forwarded};
	struct bv_spec *spec = guest_spec(place, "flood", "100000", NULL);
	const struct bv_stream_record *out;
	struct bv_run *run;
	struct ran ran;

	SURE(bv_spec_capture_limit(spec, 1000, err));
	SURE(bv_spec_output_limit(spec, 50000, err));
	forwarded = 0;
	run = start_spec(spec, &options);
	EXPECT(await_end(run, 20000));
	ran = finish_run(run);
	out = &ran.report.body.streams.items[0];
	EXPECT_UINT(out->total_bytes, 100000);
	EXPECT_UINT(out->forwarded_bytes, 50000);
	EXPECT_UINT(out->kept_bytes, 1000);
	EXPECT_UINT(ran.out_bytes, 1000);
	EXPECT_UINT(forwarded, 50000);
	EXPECT(out->complete);
}

/* Takes seven bytes at a time, and only every other time it is asked. */
static ptrdiff_t take_slowly(void *context, enum bv_stream stream, const void *data,
			     size_t size_bytes)
{
	int *turn = context;

	(void)stream;
	(void)data;
	if (++*turn % 2 != 0)
		return 0;
	size_bytes = size_bytes < 7 ? size_bytes : 7;
	forwarded += size_bytes;
	return (ptrdiff_t)size_bytes;
}

EVERYWHERE(a_slow_reader_loses_nothing)
{
	int turn = 0;
	const struct bv_run_options options = {.output = take_slowly, .context = &turn};
	enum bv_run_state state = BV_RUN_STARTING;
	struct bv_run *run = start_spec(guest_spec(place, "flood", "20000", NULL), &options);
	struct ran ran;

	forwarded = 0;
	for (int i = 0; i < 20000 && state != BV_RUN_ENDED; i++) {
		SURE(bv_run_step(run, &state, err));
		if (state == BV_RUN_ENDED)
			break;
		bv_run_resume(run);
		SURE(bv_run_wait(run, 1000, err));
	}
	EXPECT_INT(state, BV_RUN_ENDED);
	EXPECT_UINT(forwarded, 20000);
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Completed");
	EXPECT(ran.report.body.streams.items[0].complete);
}

static ptrdiff_t take_nothing_ever(void *context, enum bv_stream stream, const void *data,
				   size_t size_bytes)
{
	(void)context;
	(void)stream;
	(void)data;
	(void)size_bytes;
	return -1;
}

EVERYWHERE(a_reader_that_left_is_a_broken_pipe)
{
	const struct bv_run_options options = {.output = take_nothing_ever};
	struct bv_run *run = start_spec(guest_spec(place, "flood", "100000000", NULL), &options);
	struct ran ran;

	EXPECT(await_end(run, 20000));
	ran = finish_run(run);
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran.number, SIGPIPE);
	EXPECT(!ran.report.body.streams.items[0].complete);
}

/* ---- terminal -------------------------------------------------------------------------------- */

EVERYWHERE(without_a_terminal_there_is_none)
{
	struct ran ran = run_guest(place, "terminal", NULL);

	EXPECT_SAID(&ran, "terminal 0 0 0");
	EXPECT_SAID(&ran, "controlling: no");
	EXPECT_SAID(&ran, "session own");
}

EVERYWHERE(a_private_terminal_has_a_size_and_is_the_controlling_one)
{
	const struct bv_run_options options = {.terminal_rows = 33, .terminal_columns = 77};
	struct bv_spec *spec = guest_spec(place, "terminal", NULL);
	struct bv_run *run;
	struct ran ran;

	SURE(bv_spec_terminal(spec, true, err));
	run = start_spec(spec, &options);
	EXPECT(await_end(run, 20000));
	ran = finish_run(run);
	/* A terminal ends its lines with \r\n. */
	EXPECT(strstr(ran.out, "terminal 1 1 1\r\n") != NULL);
	EXPECT(strstr(ran.out, "controlling: yes\r\n") != NULL);
	EXPECT(strstr(ran.out, "size 33 77\r\n") != NULL);
	EXPECT_STR(ran.outcome, "Completed");
}

EVERYWHERE(ctrl_c_on_the_private_terminal_interrupts_the_program)
{
	struct bv_spec *spec = guest_spec(place, "out", "ready\n", ",", "sleep", "20000", NULL);
	struct bv_run *run;
	struct ran ran;
	size_t taken;

	SURE(bv_spec_terminal(spec, true, err));
	run = start_spec(spec, &gathering);
	await_output(run, "ready");
	SURE(bv_run_input(run, "\003", 1, &taken, err));
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_INT(ran.kind, BV_EXITED_SIGNAL);
	EXPECT_INT(ran.number, SIGINT);
}
