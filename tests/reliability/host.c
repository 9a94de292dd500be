/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * host.c - a long-lived host that uses the library for many runs: its memory, descriptors, threads
 * and children do not grow with them.
 *
 *   host [RUNS]
 *
 * The slope of its resident memory, in KiB a thousand runs, is that between the least it had in the
 * second and in the last quarter: what an allocator takes once at some time is none, nor what it has
 * for a moment.
 */
#include <bvisor/bvisor.h>
#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARM_UP = 400, SLOPE_MAX_KIB = 1, PAGE_KIB = 4, SHORT_RUNS = 2000, STEP_PAGES = 24 };

static int tests, failures;

static void row(bool passed, const char *name, const char *detail)
{
	tests++;
	failures += !passed;
	printf("%s %d - %s\n# %s\n", passed ? "ok" : "not ok", tests, name, detail);
	fflush(stdout);
}

static long resident_kib(void)
{
	long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL || fscanf(file, "%ld %ld", &size, &resident) != 2)
		resident = -1;
	if (file != NULL)
		fclose(file);
	return resident * PAGE_KIB;
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir != NULL && readdir(dir) != NULL)
		count++;
	if (dir != NULL)
		closedir(dir);
	return count;
}

static bool has_children(void)
{
	char path[64], text[64];
	FILE *file;
	bool any;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	file = fopen(path, "re");
	any = file != NULL && fgets(text, sizeof(text), file) != NULL;
	if (file != NULL)
		fclose(file);
	return any;
}

/* Every other kind of end: fine, a code, no such program, a limit, a refused plan, freed while it runs. */
static const char *run_one(int number)
{
	static const char *const programs[] = {"/bin/true",  "/bin/false", "/nonexistent",
					       "/bin/sleep", "/bin/true",  "/bin/sleep"};
	static const char *const outcomes[] = {"Completed", "Failed", "Failed",
					       "Timeout",   NULL,     NULL};
	const int kind = number % 6;
	const char *args[] = {"5"};
	struct bv_error err = {.code = BV_OK};
	struct bv_spec *spec = bv_spec_new();
	struct bv_report *report = NULL;
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	const char *wrong = NULL;
	enum bv_code code;

	code = bv_spec_program(spec, programs[kind], kind == 3 || kind == 5 ? 1 : 0, args, &err);
	if (code == BV_OK)
		code = bv_spec_runtime(spec, BV_USE_RUNTIME_SYSTEM, &err);
	if (code == BV_OK && kind == 3)
		code = bv_spec_budget(spec, BV_BUDGET_WALL, 20000, &err);
	if (code == BV_OK && kind == 4)
		code = bv_spec_inherit_fd(spec, 900, &err);
	if (code != BV_OK) {
		wrong = "a spec was refused";
	} else if (kind == 5) {
		if (bv_plan_make(spec, "linux", &plan, &err) != BV_OK ||
		    bv_run_start(plan, NULL, &run, &err) != BV_OK)
			wrong = "a run could not be started";
		bv_run_free(run);
		bv_plan_free(plan);
	} else {
		code = bv_run_confined(spec, &report, &err);
		if (kind == 4)
			wrong = code == BV_OK ? "a closed descriptor was inherited" : NULL;
		else if (code != BV_OK)
			wrong = "a run was refused";
		else if (strcmp(bv_report_outcome(report), outcomes[kind]) != 0)
			wrong = bv_report_outcome(report);
		bv_report_free(report);
	}
	if (wrong != NULL)
		printf("# run %d: %s: %s: %s\n", number, wrong, err.where, err.message);
	bv_spec_free(spec);
	return wrong;
}

/* The least there was in each quarter. */
struct quarters {
	long least_kib[4];
};

static int run_all(int runs, struct quarters *ret_quarters)
{
	int bad = 0;

	*ret_quarters = (struct quarters){{LONG_MAX, LONG_MAX, LONG_MAX, LONG_MAX}};
	for (int i = 0; i < runs; i++) {
		long *least = &ret_quarters->least_kib[(long)i * 4 / runs], now;

		bad += run_one(i) != NULL;
		now = resident_kib();
		if (now < *least)
			*least = now;
	}
	return bad;
}

int main(int argc, char **argv)
{
	const int runs = argc > 1 ? atoi(argv[1]) : 300;
	const char *wrong = NULL;
	struct quarters memory;
	long grown, slope;
	int descriptors, threads, bad;
	char detail[160];

	printf("TAP version 13\n");
	for (int i = 0; i < WARM_UP; i++)
		wrong = run_one(i) != NULL ? "in the warm-up" : wrong;
	descriptors = count_entries("/proc/self/fd");
	threads = count_entries("/proc/self/task");
	bad = run_all(runs, &memory);
	grown = memory.least_kib[3] - memory.least_kib[1];
	slope = grown * 1000 / (runs / 2);
	snprintf(detail, sizeof(detail), "%d of %d otherwise; %s", bad, runs, wrong ? wrong : "");
	row(bad == 0 && wrong == NULL, "every run ends as it should", detail);
	snprintf(detail, sizeof(detail), "%ld, %ld, %ld, %ld KiB: %ld KiB a thousand runs",
		 memory.least_kib[0], memory.least_kib[1], memory.least_kib[2], memory.least_kib[3],
		 slope);
	/* A step over a few hundred runs is no slope: ten thousand show it. */
	row(slope < SLOPE_MAX_KIB || (runs < SHORT_RUNS && grown <= STEP_PAGES * PAGE_KIB),
	    "resident memory does not grow with runs", detail);
	snprintf(detail, sizeof(detail), "%d, then %d", descriptors,
		 count_entries("/proc/self/fd"));
	row(count_entries("/proc/self/fd") == descriptors, "descriptors do not grow", detail);
	row(count_entries("/proc/self/task") == threads, "no thread is left behind", "");
	row(!has_children(), "no child is left behind", "");
	printf("1..%d\n", tests);
	return failures == 0 ? 0 : 1;
}
