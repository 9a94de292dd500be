/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_tasks.c - counts tasks before they are made, where the kernel cannot count them for us.
 *
 * An ordinary user's limit of tasks counts everything that runs as that user.  So the filter asks
 * for every task, and here it is let through or refused like one over such a limit (EAGAIN).  Who is
 * let through is not there yet: a caller counts for two until it asks again, or some time has passed.
 */
#include "limits.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "linux/seccomp_filter.h"
#include "linux/sys.h"
#include "sampler.h"

enum {
	MILLISECOND_NS = 1000000,
	/* Time for a task that was let through to be there, on a busy machine too. */
	BIRTH_NS = 50 * MILLISECOND_NS,
	AGAIN_NS = 2 * MILLISECOND_NS,
	SHARE = 4, /* counting takes at most a fourth of one processor, and then delays who asks */
	UNBORN_MAX = 256,
	CONTINUE = 1, /* SECCOMP_USER_NOTIF_FLAG_CONTINUE, Linux 5.5 */
};

/* There is one launch in a process. */
static struct {
	uint64_t known;   /* at the last count */
	uint64_t granted; /* since then, and not seen by it */
	struct unborn {
		uint32_t caller;
		uint64_t ns;
	} unborn[UNBORN_MAX]; /* oldest first */
	size_t unborn_count;

	bool holding; /* a call that waits for its answer */
	struct seccomp_notif held;
	uint64_t again_at, count_at;
} tasks = {.known = 1};

bool launch_counts_tasks(const struct launch *launch)
{
	return launch->work->has_limits && launch->work->limits.has_process_count &&
	       launch->work->seccomp.notify;
}

static void forget_unborn(size_t index)
{
	tasks.unborn_count--;
	memmove(&tasks.unborn[index], &tasks.unborn[index + 1],
		(tasks.unborn_count - index) * sizeof(tasks.unborn[0]));
}

static void answer(struct launch *launch, int error)
{
	struct seccomp_notif_resp reply = {
		.id = tasks.held.id,
		.error = -error,
		.flags = error == 0 ? CONTINUE : 0,
	};

	tasks.holding = false;
	/* ENOENT: the caller is gone and needs no answer. */
	if (bv_sys_ioctl(launch->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &reply) != 0 || error != 0)
		return;
	tasks.granted++;
	if (tasks.unborn_count == UNBORN_MAX)
		forget_unborn(0);
	tasks.unborn[tasks.unborn_count++] = (struct unborn){tasks.held.pid, launch_now_ns()};
}

/* Answers the call that waits, or says when to try again. */
static void decide(struct launch *launch)
{
	const uint64_t limit = launch->work->limits.process_count, now = launch_now_ns();
	struct sampler *sampler;
	uint64_t began, cost;

	/* Nobody gets away from a tree that is being killed by multiplying: who asks waits, and dies so. */
	if (launch->killed || launch->main_ended) {
		tasks.again_at = UINT64_MAX;
		return;
	}
	while (tasks.unborn_count > 0 && now - tasks.unborn[0].ns > BIRTH_NS)
		forget_unborn(0);
	if (tasks.known + tasks.granted < limit) {
		answer(launch, 0);
		return;
	}
	if (now < tasks.count_at) {
		tasks.again_at = tasks.count_at;
		return;
	}
	began = launch_own_ns();
	sampler = launch_sampler(launch);
	if (sampler == NULL || !sampler_count(sampler, &tasks.known)) {
		answer(launch, EAGAIN);
		return;
	}
	cost = launch_own_ns() - began;
	tasks.granted = tasks.unborn_count;
	tasks.count_at = now + cost * SHARE;
	launch_saw_tasks(launch, tasks.known);
	if (tasks.known + tasks.granted < limit) {
		answer(launch, 0);
	} else if (tasks.known < limit) {
		tasks.again_at = tasks.count_at > now + AGAIN_NS ? tasks.count_at : now + AGAIN_NS;
	} else {
		launch_refused_task(launch);
		answer(launch, EAGAIN);
	}
}

bool launch_answer_task(struct launch *launch, const struct seccomp_notif *call)
{
	if (!launch_counts_tasks(launch) ||
	    !bv_seccomp_makes_task(&launch->work->seccomp, &call->data))
		return false;
	/* Who asks again has what it asked for before. */
	for (size_t i = tasks.unborn_count; i-- > 0;) {
		if (tasks.unborn[i].caller == call->pid)
			forget_unborn(i);
	}
	tasks.holding = true;
	tasks.held = *call;
	decide(launch);
	return true;
}

uint64_t launch_tasks_at(void)
{
	return tasks.holding ? tasks.again_at : 0;
}

void launch_tasks_step(struct launch *launch)
{
	if (tasks.holding && launch_now_ns() >= tasks.again_at)
		decide(launch);
}
