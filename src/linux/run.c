/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * run.c - watches one run until nothing is left of it.
 *
 * Everything is nonblocking; one epoll descriptor stands for all there is to do.  Whatever goes
 * wrong on our side is remembered once and the tree is killed: a run always comes to an end, and the
 * report says which.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attest.h"
#include "spawn.h"
#include "sys.h"

enum {
	SECOND_NS = 1000000000,
	SETUP_SECONDS = 60,   /* a launcher that says nothing for so long will never say anything */
	DEAF_SECONDS = 4,     /* a slow machine needs more than one for a storm of processes */
	STEP_BYTES = 1 << 20, /* of one stream in one step */
	EVENTS_MAX = 8,
	PACKETS_MAX = 8, /* of the launcher, read in one call */
	GROUP_TIMEOUT_MS =
		1000, /* its members are dead already; this is for the kernel to say so */
};

uint64_t bv__now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static bool watch(struct bv_backend_run *run, int fd, uint32_t events, uint32_t tag)
{
	struct epoll_event event = {.events = events, .data = {.u32 = tag}};

	return epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void unwatch(struct bv_backend_run *run, int fd)
{
	struct epoll_event unused;

	(void)epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, fd, &unused);
}

/* ---- what goes wrong on our side ------------------------------------------------------------- */

static void command(struct bv_backend_run *run, enum bv_command_type type, int argument)
{
	const struct bv_command packet = {type, argument};

	if (run->control_fd < 0)
		return;
	/* A launcher that is gone is seen by its pidfd; one that does not listen is killed at the deadline. */
	(void)send(run->control_fd, &packet, sizeof(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Kills the tree by the launcher; if that takes longer than a second, by its group too, and at last the launcher. */
static void kill_tree(struct bv_backend_run *run)
{
	if (run->launcher_pidfd < 0)
		return;
	command(run, BV_COMMAND_KILL, 0);
	/* It may have been set later, for a grace that is over now. */
	if (run->kill_deadline == 0 || run->kill_deadline > bv__now_ns() + SECOND_NS)
		run->kill_deadline = bv__now_ns() + SECOND_NS;
}

void bv__run_break_off(struct bv_backend_run *run, const struct bv_error *why)
{
	if (run->broken.message[0] == '\0')
		run->broken = *why;
	kill_tree(run);
}

/* ---- records --------------------------------------------------------------------------------- */

uint64_t bv__run_grace_ns(const struct bv_backend_run *run)
{
	/* An hour at most, so it does not overflow. */
	return run->lowered.body.work.limits.grace_micros * 1000;
}

/* The caller's word, last of all: what it has to write down first is written down. */
static enum bv_code open_gate(struct bv_backend_run *run,
			      const struct bv_record_installed *installed, struct bv_error *err)
{
	struct bv_str group = bv_str_from(run->group.path);
	const struct bv_backend_bound bound = {.processes = {run->launcher_pid, installed->init_pid,
							     installed->workload_pid},
					       .groups = {&group, run->group.fd >= 0}};

	if (run->options.gate == NULL)
		return BV_OK;
	return run->options.gate(run->options.context, &bound, err);
}

static void take_installed(struct bv_backend_run *run, const struct bv_record_installed *installed)
{
	struct bv_error err = {.code = BV_OK};

	run->installed = *installed;
	/* It is being killed, and what is looked at may already be half gone. */
	if (run->kill_asked)
		return;
	if (run->lowered.layers.attest &&
	    bv__attest(&run->arena, &run->lowered, &run->group, installed, &run->attestations,
		       &err) != BV_OK) {
		/* Never released: the program does not run under less than was planned. */
		bv__run_break_off(run, &err);
		return;
	}
	if (open_gate(run, installed, &err) != BV_OK) {
		bv__run_break_off(run, &err);
		return;
	}
	run->transcript.released = true;
	command(run, BV_COMMAND_RELEASE, 0);
}

static void take_exec(struct bv_backend_run *run, uint64_t exec_ns)
{
	const struct bv_admitted_budgets *budgets = &run->plan->budgets;
	uint64_t limit_ns;

	run->has_exec = true;
	run->setup_deadline = 0;
	run->state = BV_BACKEND_RUNNING;
	for (int number = 1; number <= BV_SIGNAL_LAST; number++) {
		if (run->early_signals & UINT64_C(1) << (number - 1))
			command(run, BV_COMMAND_SIGNAL, number);
	}
	if (!budgets->has_wall_micros)
		return;
	/* The launcher holds it, whether we step or not.  This is for a launcher that does not. */
	if (!bv_mul(budgets->wall_micros.effective_limit, 1000, &limit_ns) ||
	    !bv_add(limit_ns, bv__run_grace_ns(run) + SECOND_NS, &limit_ns) ||
	    !bv_add(exec_ns, limit_ns, &run->wall_deadline))
		run->wall_deadline = 0; /* longer than any machine stays up */
}

static bool grow_denied(struct bv_backend_run *run)
{
	const size_t capacity = run->denied_capacity == 0 ? 16 : run->denied_capacity * 2;
	struct bv_record_denied *larger = bv_arena_array(&run->arena, capacity, sizeof(*larger));

	if (larger == NULL)
		return false;
	if (run->denied_count > 0)
		memcpy(larger, run->denied, run->denied_count * sizeof(*larger));
	run->denied = larger;
	run->denied_capacity = capacity;
	return true;
}

static void take_denied(struct bv_backend_run *run, const struct bv_record_denied *denied)
{
	struct bv_error err;

	for (size_t i = 0; i < run->denied_count; i++) {
		if (run->denied[i].arch == denied->arch &&
		    run->denied[i].number == denied->number) {
			run->denied[i].count = denied->count;
			return;
		}
	}
	if (run->denied_count == BV_DENIED_KINDS_MAX)
		return; /* the launcher tells no more kinds apart */
	if (run->denied_count == run->denied_capacity && !grow_denied(run)) {
		bv_fail(&err, BV_E_MEMORY, "denied", "no memory for what was denied");
		bv__run_break_off(run, &err);
		return;
	}
	run->denied[run->denied_count++] = *denied;
}

static void take_limit(struct bv_backend_run *run, const struct bv_record_limit *limit)
{
	uint64_t *deadline = &run->kill_deadline;

	if (!run->has_limit)
		run->limit = *limit;
	run->has_limit = true;
	/* The launcher kills; if that takes too long, so do we. */
	if (*deadline == 0)
		*deadline = bv__now_ns() + bv__run_grace_ns(run) + 2 * (uint64_t)SECOND_NS;
}

static void take_usage(struct bv_backend_run *run, const struct bv_record_usage *usage)
{
	struct bv_error err = {.code = BV_OK};

	run->has_usage = true;
	run->usage = *usage;
	if (!usage->blind || run->has_limit)
		return;
	bv_fail(&err, BV_E_LAUNCHER, "launcher",
		"the launcher could no longer see what the program uses, and ended it");
	if (run->broken.message[0] == '\0')
		run->broken = err;
}

static void take_record(struct bv_backend_run *run, const struct bv_record *record)
{
	switch ((enum bv_record_type)record->header.type) {
	case BV_RECORD_STATE:
		break;
	case BV_RECORD_REFUSAL:
		run->has_refusal = true;
		run->refusal = record->u.refusal;
		break;
	case BV_RECORD_FAULT:
		run->has_fault = true;
		run->fault = record->u.fault;
		break;
	case BV_RECORD_INSTALLED:
		take_installed(run, &record->u.installed);
		break;
	case BV_RECORD_EXEC:
		take_exec(run, record->header.monotonic_ns);
		break;
	case BV_RECORD_DENIED:
		take_denied(run, &record->u.denied);
		break;
	case BV_RECORD_EXIT:
		run->has_exit = true;
		run->exit = record->u.exit;
		run->wall_deadline = 0;
		run->drain_deadline = bv__now_ns() + SECOND_NS;
		break;
	case BV_RECORD_LIMIT:
		take_limit(run, &record->u.limit);
		break;
	case BV_RECORD_USAGE:
		take_usage(run, &record->u.usage);
		break;
	case BV_RECORD_STORAGE:
		run->has_storage = true;
		run->storage = record->u.storage;
		break;
	}
}

static void close_control(struct bv_backend_run *run)
{
	close(run->control_fd);
	run->control_fd = -1;
}

/* All but PID 1, which still takes the namespaces down, is dead and reaped before the end is told. */
static void look_at_rest(struct bv_backend_run *run)
{
	pid_t first;
	const int count = bv__cgroup_count(run->group.fd, &first);

	if (count < 0)
		return;
	run->is_empty = count == 0 || (count == 1 && first == run->installed.init_pid);
	run->left = count == 0 ? "nobody" : run->is_empty ? "PID 1, ending" : "processes";
}

/* After its last record the launcher has nothing to do but to remove the group, and end. */
static void take_leave(struct bv_backend_run *run)
{
	if (run->group.fd >= 0) {
		bv__cgroup_read(run->group.fd, &run->counters);
		look_at_rest(run);
	}
	if (run->control_fd >= 0)
		close_control(run);
	if (run->kill_deadline == 0)
		run->kill_deadline = bv__now_ns() + SECOND_NS;
}

static void take_packet(struct bv_backend_run *run, const void *packet, size_t size_bytes, int fd)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_record record;

	/* After the first violation nothing it says counts; it is only waited for. */
	if (run->broken.code == BV_E_LAUNCHER) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (bv__transcript_accept(&run->transcript, packet, size_bytes, &record, &err) == BV_OK &&
	    fd >= 0 && record.header.type != BV_RECORD_STORAGE)
		bv_fail(&err, BV_E_LAUNCHER, "launcher",
			"the launcher sent a descriptor with a record that has none");
	if (err.code != BV_OK) {
		if (fd >= 0)
			close(fd);
		bv__run_break_off(run, &err);
	} else {
		if (fd >= 0)
			run->stage_fd = fd;
		take_record(run, &record);
	}
	if (run->transcript.phase == BV_PHASE_OVER)
		take_leave(run);
}

union packet_control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

/* The descriptor a packet carried, or -1. */
static int descriptor_of(struct msghdr *packet)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(packet);
	int fd = -1;

	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static void read_control(struct bv_backend_run *run)
{
	/* One byte more than any record, so that one too long is seen to be. */
	uint8_t packets[PACKETS_MAX][sizeof(struct bv_record) + 1];
	union packet_control controls[PACKETS_MAX];
	struct mmsghdr messages[PACKETS_MAX];
	struct iovec parts[PACKETS_MAX];
	int count = PACKETS_MAX;

	while (run->control_fd >= 0 && count == PACKETS_MAX) {
		for (int i = 0; i < PACKETS_MAX; i++) {
			parts[i] = (struct iovec){packets[i], sizeof(packets[i])};
			messages[i] = (struct mmsghdr){
				.msg_hdr = {.msg_iov = &parts[i],
					    .msg_iovlen = 1,
					    .msg_control = &controls[i],
					    .msg_controllen = sizeof(controls[i].space)}};
		}
		count = recvmmsg(run->control_fd, messages, PACKETS_MAX,
				 MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
		if (count < 0 && errno == EINTR) {
			count = PACKETS_MAX;
			continue;
		}
		if (count < 0 && errno != EAGAIN)
			close_control(run);
		for (int i = 0; i < count && run->control_fd >= 0; i++) {
			/* An empty packet is the end: no record is. */
			if (messages[i].msg_len == 0)
				close_control(run);
			else
				take_packet(run, packets[i], messages[i].msg_len,
					    descriptor_of(&messages[i].msg_hdr));
		}
	}
}

/* ---- the launcher's end, timers -------------------------------------------------------------- */

static void reap_launcher(struct bv_backend_run *run)
{
	const pid_t got = bv_sys_wait4(run->launcher_pid, &run->launcher_status, __WALL | WNOHANG,
				       NULL);
	struct bv_error err;

	if (got == 0)
		return;
	/* A caller that ignores SIGCHLD, or waits for any child, has taken the status away.  What counts
	 * comes over the control channel. */
	if (got < 0)
		run->launcher_status = 0;
	unwatch(run, run->launcher_pidfd);
	close(run->launcher_pidfd);
	run->launcher_pidfd = -1;
	run->setup_deadline = run->wall_deadline = run->kill_deadline = 0;
	/* Killed, it may have left members behind; ended by itself, it has not. */
	if (run->group.fd >= 0 && run->transcript.phase != BV_PHASE_OVER)
		(void)bv__cgroup_kill(run->group.fd);
	/* What it said last is still in the channel. */
	read_control(run);
	run->setup_deadline = run->wall_deadline = run->kill_deadline = 0;
	run->drain_deadline = bv__now_ns() + SECOND_NS;
	if (run->transcript.phase == BV_PHASE_OVER || run->broken.message[0] != '\0')
		return;
	bv_fail(&err, BV_E_LAUNCHER, "launcher", "the launcher ended without saying how (%s %d)",
		WIFSIGNALED(run->launcher_status) ? "signal" : "code",
		WIFSIGNALED(run->launcher_status) ? WTERMSIG(run->launcher_status)
						  : WEXITSTATUS(run->launcher_status));
	run->broken = err;
}

static bool any_paused(const struct bv_backend_run *run)
{
	return run->streams[0].paused || run->streams[1].paused;
}

/* The launcher is late.  While it may only be slow it alone can say how the program ended. */
static void kill_late(struct bv_backend_run *run, uint64_t now)
{
	if (run->group.fd >= 0)
		(void)bv__cgroup_kill(run->group.fd);
	run->kill_deadline = 0;
	if (run->launcher_pidfd < 0)
		return;
	if (run->deaf_deadline == 0)
		run->deaf_deadline = now + (uint64_t)DEAF_SECONDS * SECOND_NS;
	if (run->transcript.released && now < run->deaf_deadline)
		run->kill_deadline = run->deaf_deadline;
	else /* Its death is the death of the tree: everything in it is told to die with its parent. */
		(void)bv_sys_kill_child(run->launcher_pid, run->launcher_pidfd);
}

static void on_deadlines(struct bv_backend_run *run)
{
	const uint64_t now = bv__now_ns();
	struct bv_error err;

	if (run->setup_deadline != 0 && now >= run->setup_deadline) {
		run->setup_deadline = 0;
		bv_fail(&err, BV_E_LAUNCHER, "launcher",
			"the launcher took longer than %d s to start the program",
			(int)SETUP_SECONDS);
		bv__run_break_off(run, &err);
	}
	if (run->wall_deadline != 0 && now >= run->wall_deadline) {
		run->wall_deadline = 0;
		run->wall_fired = true;
		kill_tree(run);
	}
	if (run->kill_deadline != 0 && now >= run->kill_deadline)
		kill_late(run, now);
	/* The tree is dead and whatever still holds a pipe is not ours to wait for; but a caller that
	 * is slow to take what was written loses nothing. */
	if (run->drain_deadline != 0 && now >= run->drain_deadline && !any_paused(run)) {
		run->drain_deadline = 0;
		for (int i = 0; i < BV_RUN_STREAMS; i++)
			bv__stream_give_up(&run->streams[i]);
	}
}

static void earlier(uint64_t *earliest, uint64_t deadline)
{
	if (deadline != 0 && (*earliest == 0 || deadline < *earliest))
		*earliest = deadline;
}

static void arm_timer(struct bv_backend_run *run, bool at_once)
{
	struct itimerspec when = {.it_value = {0, 0}};
	uint64_t earliest = 0;

	earlier(&earliest, run->setup_deadline);
	earlier(&earliest, run->wall_deadline);
	earlier(&earliest, run->kill_deadline);
	if (!any_paused(run))
		earlier(&earliest, run->drain_deadline);
	if (at_once)
		earliest = 1;
	if (earliest == run->timer_set)
		return;
	run->timer_set = earliest;
	when.it_value.tv_sec = (time_t)(earliest / SECOND_NS);
	when.it_value.tv_nsec = (long)(earliest % SECOND_NS);
	(void)timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ---- streams --------------------------------------------------------------------------------- */

/*
 * Watches a stream exactly while something can be read from it and passed on.  False: it should be
 * watched and cannot be, so what it brings would be lost without a word.
 */
static bool rewatch(struct bv_backend_run *run, int number)
{
	struct bv_stream *stream = &run->streams[number];
	const bool wanted = stream->fd >= 0 && !stream->paused;

	if (wanted == run->watched[number])
		return true;
	/* A stream that was closed has left the set by itself. */
	if (!wanted && stream->fd >= 0)
		unwatch(run, stream->fd);
	run->watched[number] = wanted && watch(run, stream->fd, EPOLLIN,
					       (uint32_t)(BV_WATCH_STREAM + number));
	return run->watched[number] == wanted;
}

static bool pump(struct bv_backend_run *run, int number)
{
	struct bv_stream *stream = &run->streams[number];
	const int fd = stream->fd;
	bool more = bv__stream_pump(stream, STEP_BYTES, run->options.output, run->options.context);
	struct bv_error err = {.code = BV_OK};

	if (fd >= 0 && stream->fd < 0)
		run->watched[number] = false;
	if (!rewatch(run, number)) {
		bv__fail_errno(&err, BV_E_SYSTEM, "streams", "its output cannot be watched");
		bv__run_break_off(run, &err);
	}
	return more;
}

/* ---- the step -------------------------------------------------------------------------------- */

int bv__run_fd(struct bv_backend_run *run)
{
	return run->epoll_fd;
}

enum bv_code bv__run_watch(struct bv_backend_run *run, struct bv_error *err)
{
	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (run->epoll_fd < 0 || run->timer_fd < 0 ||
	    !watch(run, run->timer_fd, EPOLLIN, BV_WATCH_TIMER))
		return bv__fail_errno(err, BV_E_SYSTEM, "launch", "the run cannot be watched");
	if (run->launcher_pidfd < 0) {
		/* Nothing was started: the first step ends it. */
		arm_timer(run, true);
		return BV_OK;
	}
	if (!watch(run, run->control_fd, EPOLLIN, BV_WATCH_CONTROL) ||
	    !watch(run, run->launcher_pidfd, EPOLLIN, BV_WATCH_LAUNCHER))
		return bv__fail_errno(err, BV_E_SYSTEM, "launch", "the run cannot be watched");
	for (int i = 0; i < BV_RUN_STREAMS; i++) {
		if (!rewatch(run, i))
			return bv__fail_errno(err, BV_E_SYSTEM, "launch",
					      "the run cannot be watched");
	}
	run->setup_deadline = bv__now_ns() + (uint64_t)SETUP_SECONDS * SECOND_NS;
	arm_timer(run, false);
	return BV_OK;
}

static void on_event(struct bv_backend_run *run, uint32_t tag)
{
	uint64_t expirations;

	switch (tag) {
	case BV_WATCH_CONTROL:
		read_control(run);
		break;
	case BV_WATCH_LAUNCHER:
		if (run->launcher_pidfd >= 0)
			reap_launcher(run);
		break;
	case BV_WATCH_TIMER:
		if (read(run->timer_fd, &expirations, sizeof(expirations)) < 0)
			errno = 0; /* somebody set it anew in between */
		run->timer_set = 0;
		break;
	case BV_WATCH_INPUT:
		/* There is room again; bv__run_input_ready says so, and watching on would not end. */
		if (run->input_fd >= 0)
			unwatch(run, run->input_fd);
		run->input_watched = false;
		break;
	default:
		(void)pump(run, (int)(tag - BV_WATCH_STREAM));
	}
}

enum bv_code bv__run_step(struct bv_backend_run *run, enum bv_backend_state *ret_state,
			  struct bv_error *err)
{
	struct epoll_event events[EVENTS_MAX];
	int count;

	(void)err;
	if (run->state == BV_BACKEND_ENDED) {
		*ret_state = run->state;
		return BV_OK;
	}
	count = epoll_wait(run->epoll_fd, events, EVENTS_MAX, 0);
	for (int i = 0; i < count; i++)
		on_event(run, events[i].data.u32);
	if (run->resumed) {
		run->resumed = false;
		for (int i = 0; i < BV_RUN_STREAMS; i++) {
			if (run->streams[i].paused)
				(void)pump(run, i);
		}
	}
	on_deadlines(run);
	/* Once the tree is gone the launcher only waits for its namespaces to go; so it is left to that
	 * until the run is freed. */
	if ((run->launcher_pidfd < 0 || run->has_exit) && bv__stream_done(&run->streams[0]) &&
	    bv__stream_done(&run->streams[1]))
		run->state = BV_BACKEND_ENDED;
	arm_timer(run, false);
	*ret_state = run->state;
	return BV_OK;
}

void bv__run_resume(struct bv_backend_run *run)
{
	run->resumed = true;
	arm_timer(run, true);
}

enum bv_code bv__run_signal(struct bv_backend_run *run, int signal_number, struct bv_error *err)
{
	if (signal_number < 1 || signal_number > BV_SIGNAL_LAST)
		return bv_fail(err, BV_E_ARGUMENT, "signal", "there is no signal %d",
			       signal_number);
	if (run->state == BV_BACKEND_ENDED)
		return bv_fail(err, BV_E_STATE, "signal", "the run has ended");
	/* The launcher signals the program alone; until it says that it runs there is none. */
	if (run->has_exec)
		command(run, BV_COMMAND_SIGNAL, signal_number);
	else
		run->early_signals |= UINT64_C(1) << (signal_number - 1);
	return BV_OK;
}

enum bv_code bv__run_kill(struct bv_backend_run *run, struct bv_error *err)
{
	(void)err;
	if (run->state == BV_BACKEND_ENDED || run->has_exit)
		return BV_OK;
	run->kill_asked = true;
	kill_tree(run);
	arm_timer(run, false);
	return BV_OK;
}

enum bv_code bv__run_stop(struct bv_backend_run *run, struct bv_error *err)
{
	if (bv__run_grace_ns(run) == 0)
		return bv__run_kill(run, err);
	if (run->state == BV_BACKEND_ENDED || run->has_exit || run->stop_asked)
		return BV_OK;
	run->kill_asked = run->stop_asked = true;
	/* The launcher knows best whether there is a program yet that can be told. */
	command(run, BV_COMMAND_STOP, 0);
	if (run->kill_deadline == 0)
		run->kill_deadline = bv__now_ns() + bv__run_grace_ns(run) + SECOND_NS;
	arm_timer(run, false);
	return BV_OK;
}

const void *bv__run_output(struct bv_backend_run *run, int stream, size_t *ret_size_bytes)
{
	const bool captured = stream == 0 ? run->lowered.captures_stdout
					  : run->lowered.captures_stderr;

	*ret_size_bytes = 0;
	if (stream < 0 || stream >= BV_RUN_STREAMS || !captured ||
	    run->streams[stream].buffer == NULL)
		return NULL;
	*ret_size_bytes = run->streams[stream].kept_bytes;
	return run->streams[stream].kept != NULL ? (const void *)run->streams[stream].kept : "";
}

/* Whether the process ended within the time. */
static bool ended_within(int pidfd, int timeout_ms)
{
	struct pollfd ended = {pidfd, POLLIN, 0};
	int polled;

	do {
		polled = poll(&ended, 1, timeout_ms);
	} while (polled < 0 && errno == EINTR);
	return polled == 1;
}

/* Leaves nothing behind: the tree first, for a second by its launcher, then with it. */
static void end_launcher(struct bv_backend_run *run)
{
	if (run->launcher_pidfd < 0)
		return;
	/* Nobody reads what it says any more, so it must not wait for room to say it. */
	if (run->control_fd >= 0)
		close_control(run);
	if (!ended_within(run->launcher_pidfd, 1000))
		(void)bv_sys_kill_child(run->launcher_pid, run->launcher_pidfd);
	(void)bv_sys_wait4(run->launcher_pid, &run->launcher_status, __WALL, NULL);
	close(run->launcher_pidfd);
	run->launcher_pidfd = -1;
}

void bv__run_free(struct bv_backend_run *run)
{
	if (run == NULL)
		return;
	end_launcher(run);
	(void)bv__cgroup_remove(&run->group, GROUP_TIMEOUT_MS);
	for (int i = 0; i < BV_RUN_STREAMS; i++)
		bv__stream_clear(&run->streams[i]);
	if (run->control_fd >= 0)
		close(run->control_fd);
	if (run->input_fd >= 0)
		close(run->input_fd);
	if (run->terminal_fd >= 0)
		close(run->terminal_fd);
	if (run->stage_fd >= 0)
		close(run->stage_fd);
	bv__stage_free(run->stage);
	bv__output_free(run->output);
	if (run->timer_fd >= 0)
		close(run->timer_fd);
	if (run->epoll_fd >= 0)
		close(run->epoll_fd);
	if (run->arena.base != NULL) {
		explicit_bzero(run->arena.base, run->arena.used);
		(void)munmap(run->arena.base, run->arena.size);
	}
	free(run);
}
