/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* v2_limits.c - decides when to look, what has been reached, and what becomes of the run then. */
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "contract/budget.h"
#include "linux/cgroup.h"
#include "linux/sys.h"
#include "sampler.h"

enum {
	MICROSECOND_NS = 1000,
	MILLISECOND_NS = 1000000,
	/* A run that is shorter costs no look, unless a limit depends on it. */
	FIRST_LOOK_NS = 10 * MILLISECOND_NS,
	FIRST_LIMITED_NS = 2 * MILLISECOND_NS,
	/* What is only to be told, not held, is looked at so often. */
	WITNESS_NS = 50 * MILLISECOND_NS,
	SHORTEST_NS = MILLISECOND_NS,
	/* Looking takes at most a twentieth of one processor; while a limit is at stake, a fourth. */
	SHARE = 20,
	SHARE_AT_STAKE = 4,
	/* What is assumed that a tree can fill between two usual looks: nearer to its limit it is watched
	 * more closely. */
	NEAR_BYTES = 64 << 20,
	WITNESS_LEAST_BYTES = 1 << 20,
	/* What may have been counted twice is counted again so often. */
	DOUBTS_MAX = 2,
	PAGE_BYTES = 4096,
	TEXT_BYTES = 4096,
};

struct limits {
	struct bv_launch_limits asked;
	struct sampler_place place;
	struct sampler sampler;
	bool looks; /* the sampler can be used */
	uint64_t processors;
	uint64_t group_base_us; /* what the group had used when the program began */

	/* By launch_now_ns; 0: never. */
	uint64_t wall_at, cpu_at, look_at, witness_at, files_at, exact_at, kill_at;

	/* Memory when it was last counted exactly, and what the quick count said then. */
	bool has_exact;
	uint64_t exact_bytes, most_bytes;
	unsigned int doubts;    /* how often in a row it was too much, and perhaps counted twice */
	uint64_t counting_most; /* the quick count when the count under way began */
	uint64_t seen_most;     /* the quick count of the last look */
	uint64_t grown;         /* and by what it grew till then */

	uint32_t reached; /* set over enum bv_dimension */
	struct bv_record_usage usage;
};

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return bv_add(a, b, &sum) ? sum : UINT64_MAX;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t nanoseconds(uint64_t micros)
{
	uint64_t ns;

	return bv_mul(micros, MICROSECOND_NS, &ns) ? ns : UINT64_MAX;
}

static void raise_to(uint64_t *peak, uint64_t value)
{
	if (value > *peak)
		*peak = value;
}

static bool samples_cpu(const struct launch *launch)
{
	return launch->limits->asked.has_cpu_micros && launch->group_fd < 0;
}

/* Whether something is held by looking. */
static bool is_sampled(const struct launch *launch)
{
	const struct bv_launch_limits *asked = &launch->limits->asked;

	return samples_cpu(launch) || asked->has_resident_bytes || asked->has_process_count ||
	       launch_storage_is_sampled(launch);
}

/* What looking costs: the time of this process, not that in which others had the processor. */
uint64_t launch_own_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000U + (uint64_t)used.tv_nsec;
}

/* ---- before ---------------------------------------------------------------------------------- */

/* Those the workload could use, which may be more than this process may. */
static uint64_t count_processors(void)
{
	char text[TEXT_BYTES];
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY | O_CLOEXEC);
	const ssize_t size = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	const uint64_t count = size > 0 ? sample_processors(text, (size_t)size) : 0;
	const long configured = sysconf(_SC_NPROCESSORS_CONF);

	if (fd >= 0)
		close(fd);
	if (count > 0)
		return count;
	return configured > 0 ? (uint64_t)configured : 1;
}

int launch_limits_prepare(struct launch *launch)
{
	struct limits *limits = bv_arena_alloc(launch->arena, sizeof(*limits));
	char path[64];

	if (limits == NULL) {
		errno = ENOMEM;
		return -1;
	}
	*limits = (struct limits){.place = {.inside = launch->plan.namespaces,
					    .proc_fd = -1,
					    .stored_fds = {-1, -1},
					    .table_fds = {-1, -1, -1}}};
	if (launch->work->has_limits)
		limits->asked = launch->work->limits;
	launch->limits = limits;
	launch->plan.tables = limits->asked.has_resident_bytes;
	if (limits->asked.has_cpu_micros)
		limits->processors = count_processors();
	if (launch_storage_prepare(launch) != 0)
		return -1;
	if (launch->plan.namespaces || !is_sampled(launch))
		return 0;
	/* Without it descendants cannot be found (CONFIG_PROC_CHILDREN): then better not at all. */
	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	return access(path, R_OK);
}

void launch_limits_take(struct launch *launch, const int view[VIEW_COUNT])
{
	struct sampler_place *place = &launch->limits->place;

	place->proc_fd = view[VIEW_PROC];
	place->stored_fds[0] = view[VIEW_TMP];
	place->stored_fds[1] = view[VIEW_STAGE];
	place->table_fds[SAMPLE_SEGMENTS] = view[VIEW_SEGMENTS];
	place->table_fds[SAMPLE_QUEUES] = view[VIEW_QUEUES];
	place->table_fds[SAMPLE_SEMAPHORES] = view[VIEW_SEMAPHORES];
}

/* ---- reaching a limit ------------------------------------------------------------------------ */

void launch_stop(struct launch *launch)
{
	struct limits *limits = launch->limits;
	const uint64_t grace = limits->asked.grace_micros;

	if (limits->kill_at != 0)
		return;
	if (grace == 0 || !launch->executed || launch->main_ended ||
	    bv_sys_pidfd_send_signal(launch->workload_pidfd, SIGTERM) != 0) {
		launch_kill(launch);
		return;
	}
	/* A stopped program can only clean up once it goes on. */
	(void)bv_sys_pidfd_send_signal(launch->workload_pidfd, SIGCONT);
	limits->kill_at = plus(launch_now_ns(), nanoseconds(grace));
}

void launch_reach(struct launch *launch, enum bv_dimension dimension, uint64_t usage)
{
	const struct bv_record_limit record = {.dimension = dimension, .usage = usage};
	struct limits *limits = launch->limits;

	if (limits->reached >> dimension & 1)
		return;
	limits->reached |= 1U << dimension;
	launch_send(launch, BV_RECORD_LIMIT, &record, sizeof(record));
	/* Out of time one can still clean up; what else has run out is needed for cleaning up. */
	if (dimension == BV_DIMENSION_WALL || dimension == BV_DIMENSION_CPU)
		launch_stop(launch);
	else
		launch_kill(launch);
}

/* ---- processor time of a group --------------------------------------------------------------- */

static bool read_group_us(const struct launch *launch, uint64_t *ret_us)
{
	char text[TEXT_BYTES];

	return bv__group_get(launch->group_fd, "cpu.stat", text, sizeof(text)) > 0 &&
	       bv__group_number(text, "usage_usec", ret_us);
}

/* The limit cannot be reached before all processors have worked for what is left of it. */
static uint64_t earliest_ns(const struct limits *limits, uint64_t used_us)
{
	const uint64_t left = nanoseconds(minus(limits->asked.cpu_micros, used_us)) /
			      limits->processors;

	return left > SHORTEST_NS ? left : SHORTEST_NS;
}

static void check_group_cpu(struct launch *launch, uint64_t now)
{
	struct limits *limits = launch->limits;
	uint64_t used;

	if (!read_group_us(launch, &used)) {
		/* Nothing may go on that cannot be held. */
		limits->usage.blind = 1;
		launch_kill(launch);
		return;
	}
	used = minus(used, limits->group_base_us);
	raise_to(&limits->usage.cpu_us, used);
	if (used >= limits->asked.cpu_micros)
		launch_reach(launch, BV_DIMENSION_CPU, used);
	limits->cpu_at = plus(now, earliest_ns(limits, used));
}

/* ---- memory ---------------------------------------------------------------------------------- */

/*
 * The kernel counts resident pages by processor and adds up roughly: a limit is not found exceeded
 * for what may be its rounding.
 */
static uint64_t rounding_bytes(const struct sampler *sampler)
{
	const uint64_t processors = (uint64_t)sysconf(_SC_NPROCESSORS_CONF);
	const uint64_t batch = processors > 16 ? 2 * processors : 32;

	return sampler->count * batch * processors * PAGE_BYTES;
}

/*
 * The quick count has pages of several processes once for each, so it is never too low.  Between two
 * exact counts there is no more than the last one, what the quick count grew by, and a page for
 * every page that was asked for since: thus a large process that has forked need not be counted
 * page by page again and again.
 */
static void check_memory(struct launch *launch, uint64_t now)
{
	struct limits *limits = launch->limits;
	struct sampler *sampler = &limits->sampler;
	const uint64_t limit = limits->asked.has_resident_bytes ? limits->asked.resident_bytes
								: UINT64_MAX;
	const uint64_t most = sampler_memory_most(sampler), peak = limits->usage.memory_bytes;
	const bool alone = sampler->count <= 1 && most == sampler->memory_bytes;
	uint64_t bound = most, asked_for = UINT64_MAX, exact, at_most;

	/* While a count is under way new faults are those since it began, and no bound follows from them. */
	if (limits->has_exact && !sampler->counting &&
	    bv_mul(sampler->new_faults, PAGE_BYTES, &asked_for))
		bound = plus(plus(limits->exact_bytes, asked_for), minus(most, limits->most_bytes));
	if (bound > most)
		bound = most;
	if (alone && (most <= limit || minus(most, rounding_bytes(sampler)) > limit)) {
		exact = at_most = most;
		sampler->new_faults = 0;
		sampler->counting = false;
		limits->counting_most = most;
	} else if (now < limits->exact_at ||
		   (limits->has_exact && bound <= limit &&
		    bound <= plus(peak, peak / 4 + WITNESS_LEAST_BYTES))) {
		/* A witness may be off by a fourth: nobody wants a program slowed down for its sake. */
		return;
	} else {
		const uint64_t began = launch_own_ns();
		bool whole;

		if (!sampler->counting)
			limits->counting_most = most;
		whole = sampler_memory_exact(sampler, &exact, &at_most);
		limits->exact_at = launch_now_ns() +
				   (launch_own_ns() - began) *
					   (bound > limit ? SHARE_AT_STAKE - 1 : SHARE - 1);
		/* The part is as much as it is. */
		if (!whole && exact <= limit)
			return;
	}
	/* Then nothing follows from this count, nor from the one before, whose faults are forgotten. */
	limits->has_exact = exact <= limit || limits->doubts == DOUBTS_MAX ||
			    !sampler_may_count_twice(sampler, exact - limit);
	limits->doubts = limits->has_exact ? 0 : limits->doubts + 1;
	if (!limits->has_exact)
		return;
	limits->exact_bytes = at_most;
	limits->most_bytes = limits->counting_most;
	raise_to(&limits->usage.memory_bytes, exact);
	if (exact > limit)
		launch_reach(launch, BV_DIMENSION_RESIDENT, exact);
}

/* ---- a look ---------------------------------------------------------------------------------- */

/* A tree that may fill what is left before two more looks, by what it grew since the last one. */
static bool fills_up(const struct limits *limits)
{
	return limits->asked.has_resident_bytes &&
	       plus(limits->seen_most, plus(limits->grown, limits->grown)) >
		       limits->asked.resident_bytes;
}

/* How long after a look that cost so much the next one is due. */
static uint64_t pause_ns(const struct launch *launch, uint64_t cost_ns)
{
	const struct limits *limits = launch->limits;
	const struct bv_launch_limits *asked = &limits->asked;
	const uint64_t share = fills_up(limits) ? SHARE_AT_STAKE : SHARE;
	uint64_t pause = is_sampled(launch) ? nanoseconds(asked->interval_micros) : WITNESS_NS;

	if (asked->has_resident_bytes &&
	    plus(sampler_memory_most(&limits->sampler), NEAR_BYTES) > asked->resident_bytes &&
	    pause > SHORTEST_NS)
		pause = SHORTEST_NS;
	if (asked->has_process_count && !launch_counts_tasks(launch) &&
	    limits->sampler.tasks > asked->process_count / 2 && pause > SHORTEST_NS)
		pause = SHORTEST_NS;
	if (samples_cpu(launch)) {
		const uint64_t earliest = earliest_ns(limits, limits->usage.cpu_us);

		if (pause > earliest)
			pause = earliest;
	}
	return pause > cost_ns * (share - 1) ? pause : cost_ns * (share - 1);
}

/* Found at more than this, a tree is killed: where it has to ask, that is only for want of an answer. */
static uint64_t most_tasks_of(const struct launch *launch)
{
	const struct bv_launch_limits *asked = &launch->limits->asked;

	if (!asked->has_process_count)
		return UINT64_MAX;
	return launch_counts_tasks(launch)
		       ? plus(asked->process_count, asked->process_count / 8 + 16)
		       : asked->process_count;
}

static void take_look(struct launch *launch, unsigned int what)
{
	struct limits *limits = launch->limits;
	const struct bv_launch_limits *asked = &limits->asked;
	struct sampler *sampler = &limits->sampler;
	const uint64_t now = launch_now_ns();
	const uint64_t most_tasks = most_tasks_of(launch);

	if (!sampler_look(sampler, what, most_tasks, now)) {
		limits->usage.blind = is_sampled(launch);
		if (is_sampled(launch))
			launch_kill(launch);
		return;
	}
	limits->usage.looks++;
	raise_to(&limits->usage.longest_us, sampler->since_ns / MICROSECOND_NS);
	raise_to(&limits->usage.tasks, sampler->tasks);
	raise_to(&limits->usage.handles, sampler->handles);
	if (sampler->tasks > most_tasks) {
		launch_reach(launch, BV_DIMENSION_PROCESSES, sampler->tasks);
		return;
	}
	if (what & SAMPLE_MEMORY) {
		sampler_read_tables(sampler);
		limits->grown = minus(sampler_memory_most(sampler), limits->seen_most);
		limits->seen_most = sampler_memory_most(sampler);
		if (asked->has_resident_bytes && now >= limits->files_at) {
			const uint64_t began = launch_own_ns();

			sampler_find_files(sampler);
			limits->files_at = now + (launch_own_ns() - began) * (SHARE - 1);
		}
		check_memory(launch, now);
	}
	/* Whoever is killed together with PID 1 is not waited for, and was seen at least. */
	if (launch->group_fd < 0)
		raise_to(&limits->usage.cpu_us, sampler_cpu_ns(sampler) / MICROSECOND_NS);
	if (samples_cpu(launch) && limits->usage.cpu_us >= asked->cpu_micros &&
	    limits->kill_at == 0)
		launch_reach(launch, BV_DIMENSION_CPU, limits->usage.cpu_us);
}

struct sampler *launch_sampler(struct launch *launch)
{
	struct limits *limits = launch->limits;

	if (limits->looks)
		return &limits->sampler;
	limits->place.main = launch->first_pid;
	limits->place.processors = limits->processors;
	limits->place.now_ns = launch->exec_ns;
	limits->looks = sampler_init(&limits->sampler, &limits->place) == 0;
	return limits->looks ? &limits->sampler : NULL;
}

void launch_saw_tasks(struct launch *launch, uint64_t count)
{
	raise_to(&launch->limits->usage.tasks, count);
}

void launch_refused_task(struct launch *launch)
{
	launch->limits->usage.tasks_refused++;
}

static void look(struct launch *launch, uint64_t now)
{
	struct limits *limits = launch->limits;
	const uint64_t exact_at = limits->exact_at, began = launch_own_ns();
	unsigned int what = samples_cpu(launch) ? SAMPLE_CPU : 0;
	uint64_t cost;

	if (launch_sampler(launch) == NULL) {
		limits->look_at = 0;
		limits->usage.blind = is_sampled(launch);
		if (is_sampled(launch))
			launch_kill(launch);
		return;
	}
	if (limits->asked.has_resident_bytes)
		what |= SAMPLE_MEMORY;
	if (now >= limits->witness_at)
		what |= SAMPLE_MEMORY | SAMPLE_HANDLES;
	take_look(launch, what);
	launch_storage_look(launch);
	cost = launch_own_ns() - began;
	/* Counting pages has a measure of its own. */
	if (limits->exact_at != exact_at && cost > MILLISECOND_NS)
		cost = MILLISECOND_NS;
	limits->look_at = now + pause_ns(launch, cost);
	if (what & SAMPLE_HANDLES)
		limits->witness_at = now + (cost * (SHARE - 1) > WITNESS_NS ? cost * (SHARE - 1)
									    : WITNESS_NS);
}

/* ---- the loop's part ------------------------------------------------------------------------- */

void launch_limits_start(struct launch *launch)
{
	struct limits *limits = launch->limits;
	const struct bv_launch_limits *asked = &limits->asked;

	if (asked->has_wall_micros)
		limits->wall_at = plus(launch->exec_ns, nanoseconds(asked->wall_micros));
	/* What PID 1 spent on the boundary is not the program's. */
	if (launch->group_fd >= 0 && !read_group_us(launch, &limits->group_base_us))
		limits->usage.blind = asked->has_cpu_micros;
	if (asked->has_cpu_micros && launch->group_fd >= 0)
		limits->cpu_at = plus(launch->exec_ns, earliest_ns(limits, 0));
	if (asked->interval_micros != 0)
		limits->look_at = launch->exec_ns +
				  (is_sampled(launch) ? FIRST_LIMITED_NS : FIRST_LOOK_NS);
	launch_storage_start(launch);
}

static void earlier(uint64_t *earliest, uint64_t at)
{
	if (at != 0 && at < *earliest)
		*earliest = at;
}

int64_t launch_limits_idle_ns(const struct launch *launch)
{
	const struct limits *limits = launch->limits;
	const uint64_t now = launch_now_ns();
	uint64_t earliest = UINT64_MAX;

	if (!launch->executed || launch->killed || launch->main_ended)
		return -1;
	if (limits->kill_at == 0) {
		earlier(&earliest, limits->wall_at);
		earlier(&earliest, limits->cpu_at);
	}
	earlier(&earliest, limits->kill_at);
	earlier(&earliest, limits->look_at);
	earlier(&earliest, launch_storage_at(launch));
	earlier(&earliest, launch_tasks_at());
	if (earliest >= INT64_MAX)
		return -1;
	return earliest > now ? (int64_t)(earliest - now) : 0;
}

void launch_limits_step(struct launch *launch)
{
	struct limits *limits = launch->limits;
	const uint64_t now = launch_now_ns();

	if (!launch->executed || launch->killed || launch->main_ended)
		return;
	if (limits->kill_at != 0 && now >= limits->kill_at) {
		launch_kill(launch);
		return;
	}
	if (limits->kill_at == 0 && limits->wall_at != 0 && now >= limits->wall_at)
		launch_reach(launch, BV_DIMENSION_WALL, (now - launch->exec_ns) / MICROSECOND_NS);
	if (limits->kill_at == 0 && limits->cpu_at != 0 && now >= limits->cpu_at && !launch->killed)
		check_group_cpu(launch, now);
	if (limits->look_at != 0 && now >= limits->look_at && !launch->killed)
		look(launch, now);
	if (!launch->killed && !launch_storage_step(launch, now)) {
		limits->usage.blind = 1;
		launch_kill(launch);
	}
	launch_tasks_step(launch);
}

void launch_send_usage(struct launch *launch)
{
	struct bv_record_usage *usage = &launch->limits->usage;
	uint64_t used;

	raise_to(&usage->cpu_us, plus(launch->usage.user_us, launch->usage.system_us));
	if (launch->group_fd >= 0 && read_group_us(launch, &used))
		usage->cpu_us = minus(used, launch->limits->group_base_us);
	/* The program had itself and what it was given, whether anyone looked or not. */
	raise_to(&usage->tasks, 1);
	raise_to(&usage->handles, 3 + launch->work->exec.fds.count);
	launch_send(launch, BV_RECORD_USAGE, usage, sizeof(*usage));
}
