/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The public library through its public header, with the backends that need no privileges. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <bvisor/bvisor.h>

static struct bv_error err;

#define OK(call) EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err.where, err.message)

static struct bv_spec *new_spec(void)
{
	struct bv_spec *spec = bv_spec_new();

	EXPECT(spec != NULL);
	return spec;
}

static struct bv_spec *spec_of(const char *json)
{
	struct bv_spec *spec = NULL;

	OK(bv_spec_from_json(json, strlen(json), &spec, &err));
	return spec;
}

/* What the inert backend can do: launch and capture, and nothing held. */
static struct bv_spec *inert_spec(const char *script)
{
	static const char json[] =
		"{\"workload\":{\"Process\":{\"exe\":\"/bin/sh\",\"args\":[]}},\"capabilities\":[],"
		"\"controls\":[\"LaunchWorkload\",{\"CaptureStreams\":{\"streams\":"
		"{\"stdout\":true,\"stderr\":true,\"stdin\":false}}}],\"budgets\":{},"
		"\"evidence\":{\"require_captured_streams\":true,\"require_exit_status\":true}}";
	struct bv_spec *spec = spec_of(json);

	OK(bv_spec_program(spec, "/bin/sh", 2, (const char *const[]){"-c", script}, &err));
	return spec;
}

static char *json_of(const struct bv_spec *spec)
{
	char *text = NULL;

	OK(bv_spec_to_json(spec, &text, &err));
	return text;
}

static struct bv_run *start(struct bv_spec *spec, const struct bv_run_options *options)
{
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	OK(bv_plan_make(spec, "inert", &plan, &err));
	OK(bv_run_start(plan, options, &run, &err));
	/* Both were copied. */
	bv_plan_free(plan);
	bv_spec_free(spec);
	return run;
}

static struct bv_report *finish(struct bv_run *run)
{
	enum bv_run_state state = BV_RUN_STARTING;
	struct bv_report *report = NULL;

	while (state != BV_RUN_ENDED) {
		OK(bv_run_step(run, &state, &err));
		if (state != BV_RUN_ENDED)
			OK(bv_run_wait(run, -1, &err));
	}
	OK(bv_run_finish(run, &report, &err));
	return report;
}

/* ---- Specs ----------------------------------------------------------------------------------- */

TEST(a_new_spec_asks_for_the_safe_things)
{
	struct bv_spec *spec = new_spec();
	char *text = json_of(spec);

	EXPECT(strstr(text, "\"DenyAll\"") != NULL);
	EXPECT(strstr(text, "\"InheritedFds\"") != NULL);
	EXPECT(strstr(text, "\"Filesystem\"") != NULL);
	EXPECT(strstr(text, "\"LaunchWorkload\"") != NULL);
	EXPECT(strstr(text, "\"Kill\"") != NULL);
	EXPECT(bv_spec_program_path(spec) == NULL);
	bv_free(text);
	bv_spec_free(spec);
	bv_spec_free(NULL);
}

TEST(a_spec_grows_with_what_is_put_into_it)
{
	enum { COUNT = 3000 };
	static const char *args[COUNT];
	struct bv_spec *spec = new_spec(), *again = NULL;
	char path[64], *text, *text_again;

	for (int i = 0; i < COUNT; i++)
		args[i] =
			"an argument that is not very short, so that memory is used up by many of them";
	OK(bv_spec_program(spec, "/bin/true", COUNT, args, &err));
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(path, sizeof path, "/srv/%d", i);
		OK(bv_spec_grant(spec, BV_GRANT_READ, path, &err));
		OK(bv_spec_deny(spec, path, &err));
	}
	text = json_of(spec);
	EXPECT(strstr(text, "\"/srv/0\"") != NULL && strstr(text, "\"/srv/2999\"") != NULL);
	OK(bv_spec_from_json(text, strlen(text), &again, &err));
	text_again = json_of(again);
	EXPECT_STR(text_again, text);
	bv_free(text);
	bv_free(text_again);
	bv_spec_free(spec);
	bv_spec_free(again);
}

TEST(bytes_and_json_of_a_spec_are_the_same_spec)
{
	struct bv_spec *spec = new_spec(), *again = NULL;
	void *bytes = NULL;
	size_t size = 0;
	char *a, *b;

	OK(bv_spec_program(spec, "/bin/true", 0, NULL, &err));
	OK(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE | BV_GRANT_EXECUTE, "/srv", &err));
	OK(bv_spec_env(spec, "A", "1", &err));
	OK(bv_spec_budget(spec, BV_BUDGET_NETWORK, UINT64_MAX, &err));
	OK(bv_spec_tmp(spec, 1 << 20, &err));
	OK(bv_spec_expose(spec, "/srv", "/shown", BV_GRANT_READ, &err));
	OK(bv_spec_without(spec, "netns", &err));
	OK(bv_spec_require_enforced(spec, "Filesystem", &err));
	OK(bv_spec_to_bytes(spec, &bytes, &size, &err));
	OK(bv_spec_from_bytes(bytes, size, &again, &err));
	a = json_of(spec);
	b = json_of(again);
	EXPECT_STR(a, b);
	EXPECT(bv_spec_from_bytes(bytes, size - 1, &again, &err) != BV_OK);
	bv_free(a);
	bv_free(b);
	bv_free(bytes);
	bv_spec_free(spec);
	bv_spec_free(again);
}

static const char *program_as(const char *path)
{
	static char kept[2 * PATH_MAX];
	struct bv_spec *spec = new_spec();

	OK(bv_spec_program(spec, path, 0, NULL, &err));
	(void)snprintf(kept, sizeof kept, "%s", bv_spec_program_path(spec));
	bv_spec_free(spec);
	return kept;
}

TEST(paths_become_absolute_and_lose_their_dots)
{
	EXPECT_INT(chdir("/usr"), 0);
	EXPECT_STR(program_as("/bin/true"), "/bin/true");
	EXPECT_STR(program_as("bin/true"), "/usr/bin/true");
	EXPECT_STR(program_as("./bin/true"), "/usr/bin/true");
	EXPECT_STR(program_as("lib/../bin/true"), "/usr/bin/true");
	EXPECT_STR(program_as("../usr/bin/./true"), "/usr/bin/true");
	EXPECT_STR(program_as("/../true"), "/true");
	EXPECT_STR(program_as("."), "/usr");
	EXPECT_STR(program_as("bin/.."), "/usr");
	EXPECT_STR(program_as("..."), "/usr/...");
}

TEST(a_link_before_dots_is_followed_as_the_kernel_does)
{
	char dir[] = "/tmp/bv-api-XXXXXX", link[64], path[96];

	EXPECT(mkdtemp(dir) != NULL);
	(void)snprintf(link, sizeof link, "%s/link", dir);
	EXPECT_INT(symlink("/usr/bin", link), 0);
	(void)snprintf(path, sizeof path, "%s/../bin/true", link);
	EXPECT_STR(program_as(path), "/usr/bin/true");
	(void)snprintf(path, sizeof path, "%s/true", link);
	EXPECT_STR(program_as(path), path);
	EXPECT_INT(unlink(link), 0);
	EXPECT_INT(rmdir(dir), 0);
}

TEST(what_cannot_be_meant_is_refused_with_an_argument_error)
{
	struct bv_spec *spec = new_spec();

	EXPECT_INT(bv_spec_program(spec, "", 0, NULL, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_program(spec, NULL, 0, NULL, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_grant(spec, 0, "/", &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_grant(spec, 8, "/", &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_grant(spec, BV_GRANT_READ, "no/../such", &err), BV_E_SYSTEM);
	EXPECT_INT(err.sys_errno, ENOENT);
	EXPECT_INT(bv_spec_env(spec, "", "x", &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_env(spec, "A=B", "x", &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_secret(spec, "A", "a\0b", 3, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_inherit_fd(spec, 2, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_budget(spec, BV_BUDGET_COUNT, 1, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_spawn(spec, (enum bv_spawn)9, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_runtime(spec, (enum bv_runtime)9, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_syscalls(spec, (enum bv_syscalls)9, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_syscalls(NULL, BV_USE_SYSCALLS_STRICT, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_require_enforced(spec, "filesystem", &err), BV_E_ARGUMENT);
	EXPECT_STR(err.remedy, "did you mean Filesystem?");
	EXPECT_INT(bv_spec_without(spec, "everything", &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_expose(spec, "/srv", "relative", BV_GRANT_READ, &err), BV_E_ARGUMENT);
	EXPECT_INT(bv_spec_grant(spec, BV_GRANT_READ, NULL, NULL), BV_E_ARGUMENT);
	bv_spec_free(spec);
}

TEST(a_variable_set_twice_has_the_last_value)
{
	struct bv_spec *spec = new_spec();
	char *text;

	OK(bv_spec_env(spec, "A", "first", &err));
	OK(bv_spec_secret(spec, "A", "hidden", 6, &err));
	OK(bv_spec_env(spec, "A", "last", &err));
	text = json_of(spec);
	EXPECT(strstr(text, "first") == NULL && strstr(text, "last") != NULL &&
	       strstr(text, "hidden") == NULL);
	bv_free(text);
	bv_spec_free(spec);
}

TEST(text_that_is_not_utf_8_can_be_neither_written_nor_planned)
{
	struct bv_spec *spec = new_spec();
	struct bv_plan *plan = NULL;
	char *text = NULL;

	OK(bv_spec_program(spec, "/bin/true", 1, (const char *const[]){"\xff"}, &err));
	EXPECT_INT(bv_spec_to_json(spec, &text, &err), BV_E_INVALID_POLICY);
	EXPECT_INT(bv_plan_make(spec, "sim", &plan, &err), BV_E_INVALID_POLICY);
	bv_spec_free(spec);
}

/* ---- Plans ----------------------------------------------------------------------------------- */

TEST(a_plan_has_a_row_for_all_that_is_held)
{
	struct bv_spec *spec = new_spec();
	struct bv_plan *plan = NULL;
	bool files = false, wall = false;

	OK(bv_spec_program(spec, "/bin/true", 0, NULL, &err));
	OK(bv_spec_grant(spec, BV_GRANT_READ, "/srv/b", &err));
	OK(bv_spec_grant(spec, BV_GRANT_WRITE, "/srv/a", &err));
	OK(bv_spec_budget(spec, BV_BUDGET_WALL, 30 * 1000000, &err));
	OK(bv_plan_make(spec, "sim", &plan, &err));
	for (size_t i = 0; i < bv_plan_row_count(plan); i++) {
		struct bv_plan_row row = bv_plan_row(plan, i);

		EXPECT(*row.requirement && *row.verdict && row.detail && row.mechanism &&
		       row.evidence);
		files |= strcmp(row.requirement, "Filesystem") == 0 &&
			 strstr(row.detail, "/srv/a") && strstr(row.detail, "/srv/b");
		if (strcmp(row.requirement, "Budget wall") == 0) {
			EXPECT_STR(row.detail, "30 s");
			wall = true;
		}
	}
	EXPECT(files && wall);
	EXPECT_STR(bv_plan_row(plan, 1000).requirement, "");
	EXPECT_UINT(strlen(bv_plan_id(plan)), 64);
	EXPECT_STR(bv_plan_backend(plan), "sim");
	bv_plan_free(plan);
	bv_spec_free(spec);
}

TEST(a_plan_fits_whatever_a_spec_may_hold)
{
	struct bv_spec *spec = new_spec();
	struct bv_plan *plan = NULL;
	char path[1200];

	OK(bv_spec_program(spec, "/bin/true", 0, NULL, &err));
	memset(path, 'a', sizeof path);
	for (int i = 0; i < 4000; i++) {
		(void)snprintf(path, sizeof path, "/%04d", i);
		memset(path + 5, 'x', 200);
		path[205] = '/';
		memset(path + 206, 'y', 200);
		path[406] = '\0';
		OK(bv_spec_grant(spec, BV_GRANT_READ, path, &err));
	}
	OK(bv_plan_make(spec, "sim", &plan, &err));
	EXPECT(strlen(bv_plan_row(plan, 0).detail) > 1000000);
	bv_plan_free(plan);
	bv_spec_free(spec);
}

TEST(an_unknown_backend_is_named)
{
	struct bv_spec *spec = new_spec();
	struct bv_plan *plan = NULL;

	EXPECT_INT(bv_plan_make(spec, "nosuch", &plan, &err), BV_E_UNKNOWN_BACKEND);
	EXPECT(strstr(err.message, "nosuch") && strstr(err.remedy, "linux"));
	bv_spec_free(spec);
}

TEST(a_support_table_has_every_requirement_and_budget)
{
	struct bv_support *support = NULL;
	const char *value = NULL;

	OK(bv_support_probe("sim", NULL, &support, &err));
	EXPECT_UINT(bv_support_row_count(support), 24);
	EXPECT_STR(bv_support_row(support, 0).requirement, "Filesystem");
	EXPECT_STR(bv_support_row(support, 23).requirement, "Budget network");
	EXPECT_STR(bv_support_row(support, 24).requirement, "");
	EXPECT(bv_support_fact_count(support) > 0);
	EXPECT(bv_support_fact(support, 0, &value) != NULL && value != NULL);
	EXPECT(bv_support_fact(support, 10000, &value) == NULL);
	bv_support_free(support);
	bv_support_free(NULL);
}

/* ---- Runs ------------------------------------------------------------------------------------ */

TEST(a_run_tells_how_it_ended_and_what_it_said)
{
	struct bv_run *run = start(inert_spec("echo out; echo err >&2; exit 3"), NULL);
	struct bv_report *report = finish(run);
	const void *data;
	size_t size;
	int number = 0;

	EXPECT_INT(bv_report_exit(report, &number), BV_EXITED_CODE);
	EXPECT_INT(number, 3);
	EXPECT_STR(bv_report_outcome(report), "Failed");
	EXPECT_STR(bv_report_summary(report), "exited with code 3");
	data = bv_report_output(report, BV_STDOUT, &size);
	EXPECT_BYTES(data, size, "out\n", 4);
	data = bv_report_output(report, BV_STDERR, &size);
	EXPECT_BYTES(data, size, "err\n", 4);
	OK(bv_report_verify(report, &err));
	bv_run_free(run);
	bv_report_free(report);
}

TEST(calls_out_of_order_are_refused)
{
	struct bv_run *run = start(inert_spec("exit 0"), NULL);
	struct bv_report *report = NULL;
	size_t taken;

	EXPECT_INT(bv_run_finish(run, &report, &err), BV_E_STATE);
	report = finish(run);
	EXPECT_INT(bv_run_signal(run, SIGINT, &err), BV_E_STATE);
	EXPECT_INT(bv_run_input(run, "x", 1, &taken, &err), BV_E_STATE);
	EXPECT_INT(bv_run_resize(run, 1, 1, &err), BV_E_STATE);
	EXPECT(!bv_run_input_ready(run));
	OK(bv_run_kill(run, &err));
	OK(bv_run_wait(run, -1, &err));
	bv_run_free(run);
	bv_report_free(report);
}

TEST(freeing_a_run_kills_what_still_runs)
{
	char path[] = "/tmp/bv-api-XXXXXX", script[128];
	int fd = mkstemp(path);
	enum bv_run_state state;
	struct bv_run *run;

	EXPECT(fd >= 0);
	(void)snprintf(script, sizeof script, "exec 9>%s; flock 9; echo held; exec sleep 50", path);
	run = start(inert_spec(script), NULL);
	for (int i = 0; i < 100 && flock(fd, LOCK_EX | LOCK_NB) == 0; i++) {
		EXPECT_INT(flock(fd, LOCK_UN), 0);
		OK(bv_run_step(run, &state, &err));
		EXPECT_INT(poll(NULL, 0, 50), 0);
	}
	EXPECT(flock(fd, LOCK_EX | LOCK_NB) != 0);
	bv_run_free(run);
	EXPECT_INT(flock(fd, LOCK_EX | LOCK_NB), 0);
	EXPECT_INT(unlink(path), 0);
}

struct sink {
	size_t taken;
	unsigned int calls;
	bool full;
};

static ptrdiff_t take_slowly(void *context, enum bv_stream stream, const void *data, size_t size)
{
	struct sink *sink = context;

	(void)stream;
	for (size_t i = 0; i < size; i++)
		EXPECT(((const char *)data)[i] == 'x');
	sink->calls++;
	sink->full = sink->calls % 3 == 0;
	if (sink->full)
		return 0;
	size = size > 1000 ? 1000 : size;
	sink->taken += size;
	return (ptrdiff_t)size;
}

TEST(a_slow_caller_gets_every_byte)
{
	struct sink sink = {0};
	const struct bv_run_options options = {.output = take_slowly, .context = &sink};
	struct bv_run *run = start(inert_spec("head -c 300000 /dev/zero | tr '\\0' x"), &options);
	enum bv_run_state state = BV_RUN_STARTING;

	while (state != BV_RUN_ENDED) {
		OK(bv_run_step(run, &state, &err));
		if (sink.full) {
			sink.full = false;
			bv_run_resume(run);
		} else if (state != BV_RUN_ENDED) {
			OK(bv_run_wait(run, 1000, &err));
		}
	}
	EXPECT_UINT(sink.taken, 300000);
	bv_run_free(run);
}

TEST(a_backend_that_runs_nothing_says_so)
{
	struct bv_spec *spec = inert_spec("exit 0");
	struct bv_plan *plan = NULL;

	EXPECT_INT(bv_plan_make(spec, "macos", &plan, &err), BV_E_UNSUPPORTED);
	EXPECT(*err.message && *err.remedy);
	bv_spec_free(spec);
}

TEST(a_secret_without_a_value_keeps_the_run_from_starting)
{
	struct bv_spec *spec = new_spec(), *read = NULL;
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	char *text;

	OK(bv_spec_program(spec, "/bin/true", 0, NULL, &err));
	OK(bv_spec_secret(spec, "TOKEN", "s3cret", 6, &err));
	text = json_of(spec);
	EXPECT(strstr(text, "s3cret") == NULL);
	OK(bv_spec_from_json(text, strlen(text), &read, &err));
	OK(bv_plan_make(read, "sim", &plan, &err));
	EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_ARGUMENT);
	EXPECT(strstr(err.message, "TOKEN") && *err.remedy);
	bv_plan_free(plan);
	OK(bv_spec_secret(read, "TOKEN", "s3cret", 6, &err));
	OK(bv_plan_make(read, "sim", &plan, &err));
	OK(bv_run_start(plan, NULL, &run, &err));
	bv_run_free(run);
	bv_plan_free(plan);
	bv_free(text);
	bv_spec_free(spec);
	bv_spec_free(read);
}

/* ---- Reports --------------------------------------------------------------------------------- */

TEST(a_report_read_back_is_the_report)
{
	struct bv_run *run = start(inert_spec("echo out; exit 3"), NULL);
	struct bv_report *report = finish(run), *again = NULL, *from_bytes = NULL;
	char *text = NULL, *text_again = NULL, *words = NULL;
	void *bytes = NULL;
	size_t size = 0;

	OK(bv_report_to_json(report, &text, &err));
	OK(bv_report_to_bytes(report, &bytes, &size, &err));
	OK(bv_report_read(text, strlen(text), &again, &err));
	OK(bv_report_read(bytes, size, &from_bytes, &err));
	OK(bv_report_verify(again, &err));
	OK(bv_report_verify(from_bytes, &err));
	EXPECT_STR(bv_report_hash(again), bv_report_hash(report));
	OK(bv_report_to_json(from_bytes, &text_again, &err));
	EXPECT_STR(text_again, text);
	OK(bv_report_to_text(again, &words, &err));
	EXPECT(strstr(words, "exited with code 3") && strstr(words, bv_report_hash(report)));
	EXPECT(bv_report_output(again, BV_STDOUT, &size) == NULL && size == 0);
	bv_free(text);
	bv_free(text_again);
	bv_free(words);
	bv_free(bytes);
	bv_report_free(again);
	bv_report_free(from_bytes);
	bv_report_free(report);
	bv_run_free(run);
}

TEST(no_changed_byte_of_a_report_verifies)
{
	struct bv_run *run = start(inert_spec("echo out"), NULL);
	struct bv_report *report = finish(run);
	unsigned char *bytes = NULL;
	size_t size = 0;

	OK(bv_report_to_bytes(report, (void **)&bytes, &size, &err));
	for (size_t i = 0; i < size; i++) {
		struct bv_report *forged = NULL;

		bytes[i] ^= 1;
		EXPECT_THAT(bv_report_read(bytes, size, &forged, &err) != BV_OK ||
				    bv_report_verify(forged, &err) != BV_OK,
			    "byte %zu", i);
		bv_report_free(forged);
		bytes[i] ^= 1;
	}
	bv_free(bytes);
	bv_report_free(report);
	bv_run_free(run);
}

TEST(what_is_no_report_is_not_read)
{
	struct bv_report *report = NULL;

	EXPECT_INT(bv_report_read("", 0, &report, &err), BV_E_DECODE);
	EXPECT_INT(bv_report_read("{", 1, &report, &err), BV_E_DECODE);
	EXPECT_INT(bv_report_read("{}", 2, &report, &err), BV_E_DECODE);
	EXPECT_INT(bv_report_read("\x82", 1, &report, &err), BV_E_DECODE);
	EXPECT_INT(bv_report_read(NULL, 0, &report, &err), BV_E_ARGUMENT);
	EXPECT(report == NULL);
}
