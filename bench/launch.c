/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What it costs to start a program, by itself and through each of several sandboxes.
 *
 *   launch [-n ROUNDS] [-w WARMUP] [-o FILE.tsv] <VARIANTS
 *
 * Standard input names the variants, one a line: NAME, BASE and the command line, separated by
 * tabs.  BASE is the name of the variant it is divided by.  All run in turn within one round, in an
 * order that is shuffled anew for each round, so that whatever else the machine does falls on all
 * of them alike.  A variant that does not exit with 0 every time ends the bench: a sandbox that
 * refused would look fast.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_VARIANTS = 64, MAX_ARGS = 128 };

struct variant {
	char *name, *base;
	char *argv[MAX_ARGS];
	double *wall_us; /* one a round */
	double cpu_us;   /* sum over rounds: all processes that were waited for */
	double faults;
};

static struct variant variants[MAX_VARIANTS];
static size_t variant_count;

static void die(const char *what, const char *which)
{
	(void)fprintf(stderr, "launch: %s: %s\n", which, what);
	exit(1);
}

static void read_variants(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&line, &room, stdin)) > 0) {
		struct variant *v = &variants[variant_count];
		size_t argc = 0;

		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		if (!*line || *line == '#')
			continue;
		if (variant_count == MAX_VARIANTS)
			die("too many variants", line);
		char *rest = strdup(line);

		if (!rest)
			die("no memory", line);
		v->name = strsep(&rest, "\t");
		v->base = strsep(&rest, "\t");
		while (rest && argc < MAX_ARGS - 1)
			v->argv[argc++] = strsep(&rest, "\t");
		if (argc == 0 || rest)
			die("a variant is NAME, BASE and a command line of 1 to 127 words", line);
		variant_count++;
	}
	free(line);
	if (variant_count == 0)
		die("no variant on standard input", "stdin");
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double spent_us(const struct rusage *use)
{
	return (double)(use->ru_utime.tv_sec + use->ru_stime.tv_sec) * 1e6 +
	       (double)(use->ru_utime.tv_usec + use->ru_stime.tv_usec);
}

/* Starts the variant, waits for its end and returns how long both took together. */
static double run_once(struct variant *v, const posix_spawn_file_actions_t *quiet)
{
	struct rusage use;
	double start = now_us();
	pid_t pid;
	int status;
	int error = posix_spawnp(&pid, v->argv[0], quiet, NULL, v->argv, environ);

	if (error)
		die(strerror(error), v->argv[0]);
	while (wait4(pid, &status, 0, &use) < 0) {
		if (errno != EINTR)
			die(strerror(errno), v->name);
	}

	double wall = now_us() - start;

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr,
			      "launch: %s: ended with wait status 0x%x instead of exit code 0\n",
			      v->name, (unsigned int)status);
		exit(1);
	}
	v->cpu_us += spent_us(&use);
	v->faults += (double)use.ru_minflt;
	return wall;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double quantile(const double *sorted, size_t count, double q)
{
	double at = q * (double)(count - 1);
	size_t low = (size_t)at;

	if (low + 1 == count)
		return sorted[low];
	return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

/* xorshift, and always the same seed: a bench can be run again as it was. */
static uint64_t next_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void shuffle(size_t *order)
{
	for (size_t i = variant_count; i > 1; i--) {
		size_t j = (size_t)(next_random() % i), swapped = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swapped;
	}
}

static void run_all(size_t warmup, size_t rounds)
{
	posix_spawn_file_actions_t quiet;
	size_t order[MAX_VARIANTS] = {0};

	if (posix_spawn_file_actions_init(&quiet) ||
	    posix_spawn_file_actions_addopen(&quiet, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ||
	    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0))
		die("no memory", "file actions");
	for (size_t i = 0; i < variant_count; i++) {
		order[i] = i;
		variants[i].wall_us = calloc(rounds, sizeof(double));
		if (!variants[i].wall_us)
			die("no memory", variants[i].name);
		for (size_t n = 0; n < warmup; n++)
			(void)run_once(&variants[i], &quiet);
		variants[i].cpu_us = variants[i].faults = 0;
	}
	for (size_t round = 0; round < rounds; round++) {
		shuffle(order);
		for (size_t i = 0; i < variant_count; i++)
			variants[order[i]].wall_us[round] = run_once(&variants[order[i]], &quiet);
	}
	(void)posix_spawn_file_actions_destroy(&quiet);
}

static const struct variant *find(const char *name)
{
	for (size_t i = 0; i < variant_count; i++) {
		if (strcmp(variants[i].name, name) == 0)
			return &variants[i];
	}
	die("names a base that is no variant", name);
	return NULL;
}

static void print_results(FILE *table, size_t rounds)
{
	printf("%-34s %9s %9s %9s %9s %8s %8s %8s\n", "microseconds, and times the base", "quarter",
	       "median", "3/4", "best", "ratio", "cpu", "faults");
	for (size_t i = 0; i < variant_count; i++)
		qsort(variants[i].wall_us, rounds, sizeof(double), compare);
	if (table)
		(void)fprintf(
			table,
			"variant\tbase\trounds\tq1_us\tmedian_us\tq3_us\tmin_us\tratio\tcpu_us\tfaults\n");
	for (size_t i = 0; i < variant_count; i++) {
		const struct variant *v = &variants[i];
		double q1 = quantile(v->wall_us, rounds, 0.25),
		       median = quantile(v->wall_us, rounds, 0.5);
		double q3 = quantile(v->wall_us, rounds, 0.75);
		double ratio = median / quantile(find(v->base)->wall_us, rounds, 0.5);
		double cpu = v->cpu_us / (double)rounds, faults = v->faults / (double)rounds;

		printf("%-34s %9.0f %9.0f %9.0f %9.0f %7.2fx %8.0f %8.0f\n", v->name, q1, median,
		       q3, v->wall_us[0], ratio, cpu, faults);
		if (table)
			(void)fprintf(table,
				      "%s\t%s\t%zu\t%.1f\t%.1f\t%.1f\t%.1f\t%.3f\t%.1f\t%.1f\n",
				      v->name, v->base, rounds, q1, median, q3, v->wall_us[0],
				      ratio, cpu, faults);
	}
}

static size_t number(const char *text, const char *flag)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > 1000000)
		die("is no sensible number", flag);
	return value;
}

int main(int argc, char **argv)
{
	size_t rounds = 200, warmup = 5;
	FILE *table = NULL;
	int option;

	while ((option = getopt(argc, argv, "n:w:o:")) != -1) {
		if (option == 'n')
			rounds = number(optarg, "-n");
		else if (option == 'w')
			warmup = number(optarg, "-w");
		else if (option == 'o')
			table = fopen(optarg, "we");
		else
			return 1;
		if (option == 'o' && !table)
			die(strerror(errno), optarg);
	}
	if (rounds == 0)
		die("at least one round is needed", "-n");
	read_variants();
	run_all(warmup, rounds);
	print_results(table, rounds);
	return table && fclose(table) != 0;
}
