/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a system call costs here: one line a kind of call, its name and nanoseconds.
 *
 * getppid is allowed whatever its arguments; FIONREAD is an ioctl, which the filter judges by one; ptrace
 * is refused to every run, and told.
 */
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int ends[2];

static void ask_parent(void)
{
	(void)syscall(SYS_getppid);
}

static void ask_pipe(void)
{
	int waiting;

	(void)ioctl(ends[0], FIONREAD, &waiting);
}

/* An impossible request: without a filter it does nothing either. */
static void trace(void)
{
	(void)syscall(SYS_ptrace, -1L, 0, 0, 0);
}

static double now_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(const char *name, void (*call)(void), int count, clockid_t clock)
{
	double start;

	for (int i = 0; i < count / 10; i++)
		call();
	start = now_ns(clock);
	for (int i = 0; i < count; i++)
		call();
	printf("%s\t%.1f\n", name, (now_ns(clock) - start) / count);
}

int main(void)
{
	if (pipe(ends) != 0)
		return 1;
	/* Its own time, whatever else the machine does; but who is told is another process. */
	measure("getppid", ask_parent, 200000, CLOCK_PROCESS_CPUTIME_ID);
	measure("FIONREAD", ask_pipe, 200000, CLOCK_PROCESS_CPUTIME_ID);
	measure("ptrace", trace, 2000, CLOCK_MONOTONIC);
	return 0;
}
