/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * run_one.c - the shortest use of libbvisor: one program, one call, one honest report.
 *
 *     cc -std=c99 run_one.c $(pkg-config --cflags --libs bvisor) -o run_one
 *     ./run_one /usr/bin/python3 -c 'print(6 * 7)'
 *
 * The program may read the system's libraries and nothing else: no file of yours, no network, no
 * variable.  Exits as it did.
 */
#include <stdio.h>
#include <string.h>

#include <bvisor/bvisor.h>

static int refused(const struct bv_error *err)
{
	fprintf(stderr, "run_one: %s: %s", err->where, err->message);
	fprintf(stderr, err->remedy[0] ? "; %s\n" : "%s\n", err->remedy);
	return 125;
}

static int tell(const struct bv_report *report)
{
	const void *output;
	size_t size;
	int number = 0;
	enum bv_exit_kind kind = bv_report_exit(report, &number);

	output = bv_report_output(report, BV_STDOUT, &size);
	if (size > 0)
		fwrite(output, 1, size, stdout);
	fprintf(stderr, "run_one: it %s (report %.16s...)\n", bv_report_summary(report),
		bv_report_hash(report));
	return kind == BV_EXITED_CODE ? number : kind == BV_EXITED_SIGNAL ? 128 + number : 126;
}

int main(int argc, char **argv)
{
	struct bv_error err;
	struct bv_report *report = NULL;
	struct bv_spec *spec = bv_spec_new();
	int status;

	memset(&err, 0, sizeof err);
	if (argc < 2 || spec == NULL) {
		fprintf(stderr, "usage: run_one PROGRAM [ARG...]\n");
		bv_spec_free(spec);
		return 125;
	}
	if (bv_spec_program(spec, argv[1], (size_t)argc - 2, (const char *const *)argv + 2, &err) !=
		    BV_OK ||
	    bv_spec_budget(spec, BV_BUDGET_WALL, 10 * 1000000, &err) != BV_OK ||
	    bv_run_confined(spec, &report, &err) != BV_OK)
		status = refused(&err);
	else
		status = tell(report);
	bv_report_free(report);
	bv_spec_free(spec);
	return status;
}
