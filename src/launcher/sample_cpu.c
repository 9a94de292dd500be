/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sample_cpu.c - what the members use of the processors, and what those that are gone used.
 *
 * Of those that live for shorter than the time between two looks only some are met, each the more
 * likely the longer it ran: one that was met running stands for a whole interval.
 */
#include "sampler.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contract/base.h"

enum {
	ALL = 1000, /* thousandths of a processor */
	/* Of a process with more, so many are looked at, others each time. */
	THREADS_A_TIME = 16,
};

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return bv_add(a, b, &sum) ? sum : UINT64_MAX;
}

/* How much of a processor a thread had that was met running, for it may have had to share it. */
static uint32_t share_of(char state, uint64_t ran, uint64_t waited)
{
	const uint64_t thousandth = plus(ran, waited) / ALL + 1;

	return state == 'R' ? (uint32_t)(ran / thousandth) : 0;
}

struct thread_sum {
	uint64_t ran;
	uint64_t running;
	uint32_t count;
};

/*
 * A thread has a directory of its own in /proc too, which is not listed.  Looking into the one below
 * the process instead would make the end of every thread several times as expensive to the program.
 */
static void add_thread(const struct sampler *sampler, const struct sampler_member *member,
		       const char *thread, char *data, struct thread_sum *sum)
{
	char path[SAMPLER_PATH_BYTES + NAME_MAX];
	struct sample_stat stat;
	uint64_t ran, waited;
	size_t size;

	(void)snprintf(path, sizeof(path), "%s/stat", thread);
	size = sampler_read_at(sampler, path, data, SAMPLER_FILE_BYTES);
	/* The number may be another's by now. */
	if (!sample_stat(data, size, &stat) || stat.parent != member->parent)
		return;
	(void)snprintf(path, sizeof(path), "%s/schedstat", thread);
	size = sampler_read_at(sampler, path, data, SAMPLER_FILE_BYTES);
	if (!sample_schedstat(data, size, &ran, &waited))
		return;
	sum->count++;
	sum->ran = plus(sum->ran, ran);
	sum->running += share_of(stat.state, ran, waited);
}

/* Its first thread may sleep, or have ended, while others work. */
static void read_threads(const struct sampler *sampler, struct sampler_member *member, char *data)
{
	enum { DOTS = 2 };
	struct thread_sum sum = {0};
	char path[SAMPLER_PATH_BYTES];
	const struct dirent *entry;
	DIR *tasks;
	int fd;

	(void)snprintf(path, sizeof(path), "%d/task", (int)member->pid);
	fd = openat(sampler->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tasks = fd >= 0 ? fdopendir(fd) : NULL;
	if (tasks == NULL)
		return;
	if (member->threads > THREADS_A_TIME)
		seekdir(tasks,
			(long)(sampler->look_ns / 1000 % (member->threads - THREADS_A_TIME + 1)) +
				DOTS);
	while (sum.count < THREADS_A_TIME && (entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] != '.')
			add_thread(sampler, member, entry->d_name, data, &sum);
	}
	closedir(tasks);
	if (sum.ran > member->cpu_ns)
		member->cpu_ns = sum.ran;
	if (sum.count > 0 && member->threads > sum.count)
		sum.running = sum.running * member->threads / sum.count;
	member->running = sum.running > UINT32_MAX ? UINT32_MAX : (uint32_t)sum.running;
}

void sampler_read_cpu(struct sampler *sampler, struct sampler_member *member, char *data)
{
	size_t size;
	uint64_t ran, waited;

	member->running = 0;
	if (member->threads > 1) {
		read_threads(sampler, member, data);
	} else {
		/* Exact to the nanosecond, where stat counts in hundredths of a second; but of one thread. */
		size = sampler_read_kept(sampler, member, SAMPLE_FILE_SCHED, data);
		if (!sample_schedstat(data, size, &ran, &waited))
			return;
		if (ran > member->cpu_ns)
			member->cpu_ns = ran;
		member->running = share_of(member->state, ran, waited);
	}
	if (member->looks == 1) {
		sampler->met++;
		sampler->met_running = plus(sampler->met_running, member->running);
	}
}

void sampler_bury_cpu(struct sampler *sampler, const struct sampler_member *member)
{
	const uint64_t interval = sampler->since_ns;
	uint64_t rest = interval / ALL * member->running;

	if (member->looks > 1 || (member->running > 0 && member->cpu_ns > interval))
		rest = member->cpu_ns + rest / 2;
	sampler->gone_ns = plus(sampler->gone_ns, member->cpu_ns);
	sampler->gone_likely = plus(sampler->gone_likely, rest);
}

/*
 * Whoever was listed and gone before it could be read ran as much as others on the average, where any
 * were met.  Together they had no more processors than there are.
 */
void sampler_share_processors(struct sampler *sampler)
{
	const uint64_t mean = sampler->met > 0 ? sampler->met_running / sampler->met : ALL;
	const uint64_t most = sampler->processors * ALL;
	uint64_t running = 0, missed = sampler->missed * mean;

	for (size_t i = 0; i < sampler->count; i++)
		running += sampler->members[i].running;
	for (size_t i = 0; i < sampler->count && running > most; i++) {
		struct sampler_member *member = &sampler->members[i];

		member->running = (uint32_t)(member->running * most / running);
	}
	if (missed > (running > most ? 0 : most - running))
		missed = running > most ? 0 : most - running;
	sampler->gone_likely = plus(sampler->gone_likely, sampler->since_ns / ALL * missed);
}

uint64_t sampler_reaped_ns(const struct sampler *sampler)
{
	struct sample_stat stat;
	struct rusage usage;
	uint64_t ns = 0;
	char data[SAMPLER_FILE_BYTES];
	ssize_t got;

	if (sampler->init_fd < 0) {
		if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
			return 0;
		return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) *
			       1000000000U +
		       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) *
			       1000U;
	}
	got = pread(sampler->init_fd, data, sizeof(data), 0);
	if (got > 0 && sample_stat(data, (size_t)got, &stat))
		(void)bv_mul(stat.waited_ticks, sampler->tick_ns, &ns);
	return ns;
}

uint64_t sampler_cpu_ns(const struct sampler *sampler)
{
	uint64_t gone = sampler->gone_ns;

	/* A likely sum counts only where it cannot be chance: where children are waited for it errs by a
	 * few hundredths, and the exact count is there. */
	if (sampler->gone_likely / 5 * 4 > plus(sampler->waited_ns, 100000000U) &&
	    sampler->gone_likely > gone)
		gone = sampler->gone_likely;
	if (sampler->waited_ns > gone)
		gone = sampler->waited_ns;
	return plus(sampler->cpu_ns, gone);
}
