/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_watch.c - the launcher's loop beside a living boundary.
 *
 * It ends when the first process is gone and nothing of the tree is left; whatever kills the host
 * reaches us as the end of the control channel and kills the tree.
 */
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "group.h"
#include "linux/cgroup.h"
#include "linux/sys.h"

enum {
	WATCH_CONTROL,
	WATCH_HOST,
	WATCH_CHANNEL,
	WATCH_EXEC,
	WATCH_LISTENER,
	WATCH_FIRST,
	WATCH_COUNT
};
enum { HUNTING_ROUNDS = 8, REAPED_A_ROUND = 64 };

void launch_kill(struct launch *launch)
{
	launch->killed = true;
	/* What is to be killed may keep every processor busy, and the host waits a second; root's alone may. */
	if (setpriority(PRIO_PROCESS, 0, -20) != 0)
		errno = 0;
	(void)bv_sys_kill_child(launch->first_pid, launch->first_pidfd);
	/* PID 1's death is everyone's; in a group that is so without one. */
	if (launch->group_fd >= 0)
		(void)bv__group_kill(launch->group_fd);
}

/* Receives one message and the descriptors it may carry.  The size, 0 at the end, -1 with errno. */
static ssize_t receive(int fd, void *data, size_t size_bytes, int ret_fds[BOUNDARY_FDS_MAX])
{
	struct iovec part = {data, size_bytes};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(BOUNDARY_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr packet = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control.space)};
	ssize_t got = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&packet) : NULL;

	for (int i = 0; i < BOUNDARY_FDS_MAX; i++)
		ret_fds[i] = -1;
	if (header != NULL && header->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return got;
}

static void close_all(const int fds[BOUNDARY_FDS_MAX])
{
	for (int i = 0; i < BOUNDARY_FDS_MAX; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

/* The PID a pidfd stands for, in our PID namespace, which is the host's; 0 when it is gone. */
static pid_t pid_of(int pidfd)
{
	char path[64], data[256];
	const char *line;
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	got = read(fd, data, sizeof(data) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	data[got] = '\0';
	line = strstr(data, "Pid:");
	return line != NULL ? (pid_t)strtol(line + 4, NULL, 10) : 0;
}

static void tell_installed(struct launch *launch)
{
	struct bv_record_installed record = {.init_pid = launch->plan.namespaces ? launch->first_pid
										 : 0};

	record.workload_pid = launch->plan.namespaces ? pid_of(launch->workload_pidfd)
						      : launch->first_pid;
	for (int state = BV_STATE_IDENTITY_PHASE_RESOLVED;
	     state <= BV_STATE_CONFINEMENT_PHASE_RESOLVED; state++)
		launch_state(launch, (enum bv_launcher_state)state);
	launch_send(launch, BV_RECORD_INSTALLED, &record, sizeof(record));
}

/* `which` is a set over enum boundary_view, and `fds` has those in order. */
static void take_view(struct launch *launch, uint32_t which, const int *fds)
{
	int view[VIEW_COUNT];

	for (unsigned int i = 0; i < VIEW_COUNT; i++)
		view[i] = which >> i & 1 ? *fds++ : -1;
	launch_keep_storage(launch, view);
	launch_limits_take(launch, view);
}

static void on_channel(struct launch *launch)
{
	struct boundary_message message;
	int fds[BOUNDARY_FDS_MAX];

	if (receive(launch->channel_fd, &message, sizeof(message), fds) !=
	    (ssize_t)sizeof(message)) {
		close_all(fds);
		close(launch->channel_fd);
		launch->channel_fd = -1;
		return;
	}
	switch ((enum boundary_message_type)message.type) {
	case BOUNDARY_FAULT:
		launch_fault(launch, (enum bv_step)message.step, message.sys_errno, message.index);
		break;
	case BOUNDARY_WORKLOAD:
		launch->workload_pidfd = fds[0];
		take_view(launch, message.index, fds + 1);
		if (launch->installed)
			tell_installed(launch);
		return;
	case BOUNDARY_INSTALLED:
		/* The workload may be faster than PID 1, which names it. */
		launch->installed = true;
		if (launch->workload_pidfd >= 0)
			tell_installed(launch);
		break;
	case BOUNDARY_LISTENER:
		launch->listener_fd = fds[0];
		return;
	case BOUNDARY_MAIN_EXIT:
		launch->end_ns = launch_now_ns();
		launch->main_ended = true;
		launch->main_status = message.status;
		break;
	case BOUNDARY_TREE_GONE:
		launch->tree_gone = true;
		launch->usage = message.usage;
		break;
	}
	close_all(fds);
}

static bool is_readable(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&ready, 1, 0) > 0 && ready.revents != 0;
}

/* A time, then end of file: the program runs.  A fault came over the channel before the end. */
static void read_exec(struct launch *launch)
{
	struct boundary_about about;
	ssize_t got = read(launch->exec_read_fd, &about, sizeof(about));

	if (got == (ssize_t)sizeof(about)) {
		/* A failed exec may be told over the channel before this is looked at. */
		if (!launch->faulted)
			launch_state(launch, BV_STATE_READY_TO_EXEC);
		launch->exec_ns = about.now_ns;
		return;
	}
	if (got < 0 && errno == EINTR)
		return;
	close(launch->exec_read_fd);
	launch->exec_read_fd = -1;
	/* A child that failed wrote its fault before it closed this, so it is here to be read. */
	while (launch->channel_fd >= 0) {
		struct pollfd ready = {.fd = launch->channel_fd, .events = POLLIN};

		if (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLIN))
			break;
		on_channel(launch);
	}
	if (got == 0 && launch->exec_ns != 0 && !launch->faulted) {
		launch->executed = true;
		launch_state(launch, BV_STATE_EXEC_SUCCEEDED);
		launch_send(launch, BV_RECORD_EXEC, NULL, 0);
		launch_limits_start(launch);
	}
}

static void on_exec(struct launch *launch)
{
	/* Both, if both are there: a command that came after them is about a program that runs. */
	do {
		read_exec(launch);
	} while (is_readable(launch->exec_read_fd));
}

static void on_control(struct launch *launch)
{
	struct bv_command command;
	const char go = 'g';
	int fds[BOUNDARY_FDS_MAX];
	ssize_t got = receive(launch->control_fd, &command, sizeof(command), fds);

	close_all(fds);
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* The host is gone, or does not speak our language: either way nothing may go on. */
	if (got != (ssize_t)sizeof(command)) {
		launch_kill(launch);
		launch->control_fd = -1;
		return;
	}
	switch ((enum bv_command_type)command.type) {
	case BV_COMMAND_RELEASE:
		if (launch->channel_fd >= 0)
			(void)send(launch->channel_fd, &go, 1, MSG_NOSIGNAL);
		return;
	case BV_COMMAND_KILL:
		break;
	case BV_COMMAND_SIGNAL:
		if (launch->workload_pidfd >= 0 && launch->executed)
			(void)bv_sys_pidfd_send_signal(launch->workload_pidfd, command.argument);
		return;
	case BV_COMMAND_STOP:
		launch_stop(launch);
		return;
	}
	launch_kill(launch);
}

/*
 * A tree that outruns us.  Under a root caller it has a user id of its own, and one call kills
 * everything of a user at once; for that we become the user, whom Landlock keeps from killing us.
 * Not done without need: ids are drawn by chance, and another run might have drawn the same.
 */
static void kill_user(const struct launch *launch)
{
	if (!launch->work->has_drop_to_uid ||
	    !(launch->work->landlock.scoped & BV_LANDLOCK_SCOPE_SIGNAL))
		return;
	/* With any capability left this would be everything there is. */
	if (bv_sys_setresuid(launch->work->drop_to_uid) == 0 && bv_sys_drop_capabilities() == 0)
		(void)kill(-1, SIGKILL);
}

/*
 * Without a PID namespace orphans come to us as their subreaper: each round kills and reaps all
 * children there are.  A tree that forks faster than we kill is bounded by its process limit, and
 * by the host, which kills us last.
 */
void launch_kill_orphans(const struct launch *launch)
{
	char path[64], list[4096];
	int rounds = 0;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if (launch->group_fd >= 0)
		(void)bv__group_kill(launch->group_fd);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = fd >= 0 ? read(fd, list, sizeof(list) - 1) : -1;
		char *next = list;

		if (fd >= 0)
			close(fd);
		/* Waiting for children nobody killed would be waiting for ever. */
		if (got < 0)
			return;
		list[got] = '\0';
		for (;;) {
			char *end;
			long pid = strtol(next, &end, 10);

			if (end == next)
				break;
			next = end;
			if (pid > 1)
				(void)kill((pid_t)pid, SIGKILL);
		}
		if (bv_sys_wait4(-1, NULL, __WALL, NULL) < 0)
			return;
		for (int i = 0;
		     i < REAPED_A_ROUND && bv_sys_wait4(-1, NULL, __WALL | WNOHANG, NULL) > 0; i++)
			;
		if (++rounds == HUNTING_ROUNDS)
			kill_user(launch);
	}
}

static void answer_what_is_left(struct launch *launch)
{
	while (launch->listener_fd >= 0) {
		struct pollfd ready = {.fd = launch->listener_fd, .events = POLLIN};

		if (poll(&ready, 1, 0) <= 0 || !(ready.revents & POLLIN))
			break;
		launch_answer_denied(launch);
	}
}

/* Tells the host how it ended, once nothing of the workload is left. */
static void conclude(struct launch *launch)
{
	const struct boundary_usage *usage = &launch->usage;
	struct bv_record_exit record = {
		.status = launch->main_ended ? launch->main_status : SIGKILL,
		.killed = launch->killed,
		.user_us = usage->user_us,
		.system_us = usage->system_us,
		.max_rss_kib = usage->max_rss_kib,
		.minor_faults = usage->minor_faults,
		.major_faults = usage->major_faults,
		.voluntary_switches = usage->voluntary_switches,
		.involuntary_switches = usage->involuntary_switches,
	};

	answer_what_is_left(launch);
	if (!launch->executed) {
		launch_fault(launch, BV_STEP_SUPERVISE, 0, 0);
		return;
	}
	if (launch->end_ns == 0)
		launch->end_ns = launch_now_ns();
	record.wall_ns = launch->end_ns - launch->exec_ns;
	launch_send_denied_totals(launch);
	launch_send_storage(launch);
	launch_send_usage(launch);
	launch_send(launch, BV_RECORD_EXIT, &record, sizeof(record));
}

/* Reaps the first process, and without namespaces all that came back to us. */
static void reap(struct launch *launch)
{
	int status = 0;

	(void)bv_sys_wait4(launch->first_pid, &status, __WALL, NULL);
	if (!launch->plan.namespaces) {
		launch_kill_orphans(launch);
		launch->main_ended = true;
		launch->main_status = status;
	}
	if (!launch->tree_gone)
		child_usage(&launch->usage);
}

static bool is_over(const struct launch *launch, bool first_gone)
{
	if (launch->exec_read_fd >= 0)
		return false;
	/* PID 1 says so while it still takes its namespaces down; if it was killed, it cannot. */
	if (launch->tree_gone && launch->main_ended)
		return true;
	return first_gone && (launch->channel_fd < 0 || !launch->plan.namespaces);
}

static int wait_for(struct pollfd set[WATCH_COUNT], int64_t idle_ns)
{
	const struct timespec idle = {idle_ns / 1000000000, idle_ns % 1000000000};

	return ppoll(set, WATCH_COUNT, idle_ns < 0 ? NULL : &idle, NULL);
}

void launch_watch(struct launch *launch)
{
	launch->host_pidfd = bv_sys_pidfd_open(getppid());
	for (;;) {
		struct pollfd set[WATCH_COUNT] = {
			[WATCH_CONTROL] = {.fd = launch->control_fd, .events = POLLIN},
			[WATCH_HOST] = {.fd = launch->host_pidfd, .events = POLLIN},
			[WATCH_CHANNEL] = {.fd = launch->channel_fd, .events = POLLIN},
			[WATCH_EXEC] = {.fd = launch->exec_read_fd, .events = POLLIN},
			[WATCH_LISTENER] = {.fd = launch_tasks_at() ? -1 : launch->listener_fd,
					    .events = POLLIN},
			[WATCH_FIRST] = {.fd = launch->first_pidfd, .events = POLLIN},
		};

		if (wait_for(set, launch_limits_idle_ns(launch)) < 0 && errno != EINTR)
			launch_kill(launch);
		if (set[WATCH_LISTENER].revents & POLLIN)
			launch_answer_denied(launch);
		else if (set[WATCH_LISTENER].revents != 0) {
			/* Nobody is left under the filter. */
			close(launch->listener_fd);
			launch->listener_fd = -1;
		}
		/* The channel before the exec pipe: a fault precedes the end of file it explains. */
		if (set[WATCH_CHANNEL].revents != 0)
			on_channel(launch);
		if (set[WATCH_EXEC].revents != 0)
			on_exec(launch);
		if (set[WATCH_CONTROL].revents != 0)
			on_control(launch);
		if (set[WATCH_HOST].revents != 0) {
			launch_kill(launch);
			close(launch->host_pidfd);
			launch->host_pidfd = -1;
		}
		if (is_over(launch, set[WATCH_FIRST].revents != 0))
			break;
		/* After all that may have ended it; and whatever else is going on, in every round. */
		launch_limits_step(launch);
	}
	if (launch->tree_gone) {
		conclude(launch);
		reap(launch);
	} else {
		reap(launch);
		conclude(launch);
	}
}

void launch_leave(struct launch *launch)
{
	if (launch->group_fd < 0)
		return;
	/* The host reads the group's counters before it hangs up. */
	while (launch->control_fd >= 0) {
		struct bv_command ignored;
		ssize_t got = recv(launch->control_fd, &ignored, sizeof(ignored), 0);

		if (got == 0 || (got < 0 && errno != EINTR))
			break;
	}
	group_remove(launch->group_fd);
}
