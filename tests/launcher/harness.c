/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The host of protocol 1, as far as the launcher can tell: see harness.h. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum {
	CLOSE_RANGE_CLOEXEC_ = 4,
	SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
	PLACEMENTS_MAX = WIRE_SLOTS_MAX + STRANGERS_MAX + 8,
};

static const char *beside(const char *variable, const char *name, char *space)
{
	const char *set = getenv(variable);
	ssize_t got;
	char *slash;

	if (set != NULL && *set != '\0')
		return set;
	got = readlink("/proc/self/exe", space, 4000);
	EXPECT(got > 0);
	space[got] = '\0';
	slash = strrchr(space, '/');
	snprintf(slash + 1, 4096 - (size_t)(slash + 1 - space), "%s", name);
	return space;
}

static const char *launcher_path(void)
{
	static char space[4096];

	return beside("BVISOR_LAUNCHER_BIN", "bvisor-linux-launcher", space);
}

const char *probe_path(void)
{
	static char space[4096];

	return beside("BVISOR_PROBE_BIN", "launcher-probe", space);
}

static const char *wrap_path(void)
{
	static char space[4096];

	return beside("BVISOR_WRAP_BIN", "launcher-wrap", space);
}

/* ---- making a launch ------------------------------------------------------------------------------- */

void launch_init(struct launch *launch)
{
	memset(launch, 0, sizeof(*launch));
	launch->plan.attempt_id = 7;
	launch->plan.plan_id = 1;
	launch->plan.h_a = 2;
	launch->plan.h_p = 3;
	launch->plan.exe_slot = EXE_SLOT;
	launch->seals = SEALS;
	launch->stdin_fd = -1;
	launch->error_read_fd = -1;
	launch_entry(launch, "linux.ambient.scrub.v1", 3);
	launch_entry(launch, "linux.exec.v1", 5);
	launch_slot_path(launch, EXE_SLOT, "TargetExe", probe_path());
	launch_args(launch, "probe", NULL);
}

void launch_clear(struct launch *launch)
{
	for (size_t i = 0; i < launch->plan.slot_count; i++) {
		if (launch->slot_fds[i] >= 0)
			close(launch->slot_fds[i]);
	}
}

/* In the host compiler's order: scrub, landlock, seccomp, exec (1.6). */
void launch_entry(struct launch *launch, const char *id, uint8_t phase_code)
{
	struct wire_plan *plan = &launch->plan;
	size_t at = plan->entry_count++;

	while (at > 0 && (plan->entries[at - 1].phase_code > phase_code ||
			  (plan->entries[at - 1].phase_code == phase_code &&
			   strcmp(plan->entries[at - 1].id, id) > 0))) {
		plan->entries[at] = plan->entries[at - 1];
		at--;
	}
	plan->entries[at] = (struct wire_entry){.id = id, .version = 1, .phase_code = phase_code};
}

void launch_landlock(struct launch *launch)
{
	launch_entry(launch, "linux.landlock.apply.v1", 4);
}

void launch_seccomp(struct launch *launch, bool deny_new_tasks, bool deny_inet_sockets)
{
	launch_entry(launch, "linux.seccomp.apply.v1", 4);
	launch->plan.seccomp = true;
	launch->plan.deny_new_tasks = deny_new_tasks;
	launch->plan.deny_inet_sockets = deny_inet_sockets;
}

void launch_slot(struct launch *launch, uint32_t index, const char *role, const char *kind,
		 bool writable, int fd)
{
	struct wire_plan *plan = &launch->plan;

	EXPECT(plan->slot_count < WIRE_SLOTS_MAX);
	launch->slot_fds[plan->slot_count] = fd;
	plan->slots[plan->slot_count++] = (struct wire_slot){index, role, kind, writable};
}

void launch_slot_path(struct launch *launch, uint32_t index, const char *role, const char *path)
{
	struct stat seen;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	EXPECT_THAT(fd >= 0 && fstat(fd, &seen) == 0, "cannot open %s: %s", path, strerror(errno));
	launch_slot(launch, index, role, S_ISDIR(seen.st_mode) ? "Directory" : "Regular", false,
		    fd);
}

void launch_exe(struct launch *launch, const char *path)
{
	close(launch->slot_fds[0]);
	launch->slot_fds[0] = open(path, O_RDONLY | O_CLOEXEC);
	EXPECT_THAT(launch->slot_fds[0] >= 0, "cannot open %s: %s", path, strerror(errno));
}

void launch_args(struct launch *launch, ...)
{
	va_list args;

	va_start(args, launch);
	for (const char *text; (text = va_arg(args, const char *)) != NULL;) {
		EXPECT(launch->plan.argc < WIRE_TEXTS_MAX);
		launch->plan.argv[launch->plan.argc++] = (struct wire_text){text, strlen(text)};
	}
	va_end(args);
}

void launch_env(struct launch *launch, const char *name, const char *value)
{
	struct wire_plan *plan = &launch->plan;

	EXPECT(plan->env_count < WIRE_TEXTS_MAX);
	plan->names[plan->env_count] = (struct wire_text){name, strlen(name)};
	plan->values[plan->env_count++] = (struct wire_text){value, strlen(value)};
}

void launch_stranger(struct launch *launch, int number, int fd)
{
	EXPECT(launch->stranger_count < STRANGERS_MAX);
	launch->strangers[launch->stranger_count++] = (struct stranger){number, fd};
}

void launch_wrap(struct launch *launch, ...)
{
	va_list args;

	va_start(args, launch);
	for (const char *text; (text = va_arg(args, const char *)) != NULL;) {
		EXPECT(launch->wrap_count < WRAP_MAX);
		launch->wrap[launch->wrap_count++] = text;
	}
	va_end(args);
}

/* ---- starting ---------------------------------------------------------------------------------------- */

static int plan_memfd(const struct launch *launch)
{
	struct wire wire;
	const uint8_t *data = launch->frame;
	size_t len = launch->frame_bytes;
	int fd = memfd_create("bvisor-linux-launch-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	EXPECT(fd >= 0);
	wire_open(&wire);
	if (data == NULL) {
		wire_body(&wire, &launch->plan);
		wire_frame(&wire);
		data = wire.data;
		len = wire.len;
	}
	EXPECT(write(fd, data, len) == (ssize_t)len);
	wire_close(&wire);
	EXPECT(lseek(fd, 0, SEEK_SET) == 0);
	if (launch->plan_write_only) {
		char path[64];
		int other;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		other = open(path, O_WRONLY | O_CLOEXEC);
		EXPECT(other >= 0);
		/* A writable mapping there is none; the seal forbids writing, not the open mode. */
		EXPECT(fcntl(fd, F_ADD_SEALS, launch->seals) == 0);
		close(fd);
		return other;
	}
	if (launch->seals != 0)
		EXPECT(fcntl(fd, F_ADD_SEALS, launch->seals) == 0);
	if (launch->plan_is_pipe) {
		int ends[2];

		EXPECT(pipe2(ends, O_CLOEXEC) == 0);
		close(ends[1]);
		close(fd);
		return ends[0];
	}
	return fd;
}

struct placement {
	int fd, number;
	bool cloexec;
};

struct spawn {
	struct placement placements[PLACEMENTS_MAX];
	size_t count;
	char variables[4][64];
	char *env[5];
	const char *argv[WRAP_MAX + 4];
	int stdin_fd, out_fd, err_fd;
	bool ignore_signals, close_stdin;
};

static void spawn_place(struct spawn *spawn, int fd, int number, bool cloexec)
{
	EXPECT(spawn->count < PLACEMENTS_MAX);
	spawn->placements[spawn->count++] = (struct placement){fd, number, cloexec};
}

static void spawn_variable(struct spawn *spawn, size_t *env_count, const char *name, int number,
			   const char *instead)
{
	char *space = spawn->variables[*env_count];

	if (instead != NULL && *instead == '\0')
		return;
	if (instead != NULL)
		snprintf(space, sizeof(spawn->variables[0]), "%s=%s", name, instead);
	else
		snprintf(space, sizeof(spawn->variables[0]), "%s=%d", name, number);
	spawn->env[(*env_count)++] = space;
}

static int reset_signal_in_child(int number, void (*handler)(int))
{
	return signal(number, handler) == SIG_ERR ? -1 : 0;
}

/* In the forked child.  Sources are moved above every target first, so that no dup2 hits one. */
static _Noreturn void spawn_exec(struct spawn *spawn)
{
	int above = 3;

	for (size_t i = 0; i < spawn->count; i++) {
		if (spawn->placements[i].number >= above)
			above = spawn->placements[i].number + 1;
	}
	for (size_t i = 0; i < spawn->count; i++) {
		struct placement *place = &spawn->placements[i];

		if (place->fd >= 0)
			place->fd = fcntl(place->fd, F_DUPFD_CLOEXEC, above);
	}
	/* Whatever this test was itself started with is no part of it. */
	if (syscall(SYS_close_range, above, ~0U, CLOSE_RANGE_CLOEXEC_) != 0)
		_exit(119);
	if (dup2(spawn->out_fd, 1) != 1 || dup2(spawn->err_fd, 2) != 2 ||
	    dup2(spawn->stdin_fd, 0) != 0)
		_exit(120);
	if (spawn->close_stdin)
		close(0);
	for (int fd = 3; fd < above; fd++)
		close(fd);
	for (size_t i = 0; i < spawn->count; i++) {
		const struct placement *place = &spawn->placements[i];

		if (place->fd >= 0 &&
		    (dup2(place->fd, place->number) != place->number ||
		     fcntl(place->number, F_SETFD, place->cloexec ? FD_CLOEXEC : 0) != 0))
			_exit(121);
	}
	if (spawn->ignore_signals) {
		sigset_t all;

		sigfillset(&all);
		if (reset_signal_in_child(SIGPIPE, SIG_IGN) != 0 ||
		    reset_signal_in_child(SIGINT, SIG_IGN) != 0 ||
		    reset_signal_in_child(SIGCHLD, SIG_IGN) != 0 ||
		    sigprocmask(SIG_SETMASK, &all, NULL) != 0)
			_exit(122);
	}
	execve(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv, spawn->env);
	_exit(123);
}

/* Numbers as 2.6 has them: above every slot, in this order. */
static void spawn_fill(struct spawn *spawn, const struct launch *launch, int plan_fd,
		       int control_fd, const int error_pipe[2])
{
	int highest = 2;
	int control_number;
	size_t env_count = 0;
	size_t argc = 0;

	for (size_t i = 0; i < launch->plan.slot_count; i++) {
		const uint32_t index = launch->plan.slots[i].index;

		if (index < 4096 && (int)index > highest)
			highest = (int)index;
		if (launch->slot_fds[i] >= 0)
			spawn_place(spawn, launch->slot_fds[i], (int)index, false);
	}
	spawn_place(spawn, plan_fd, highest + 1, false);
	control_number = launch->control_number != 0 ? launch->control_number : highest + 2;
	spawn_place(spawn, control_fd, control_number, false);
	/* The reference's bug, kept: the launcher finds this one closed. */
	spawn_place(spawn, error_pipe[1], highest + 3, true);
	spawn_place(spawn, launch->error_read_fd >= 0 ? launch->error_read_fd : error_pipe[0],
		    highest + 4, false);
	for (size_t i = 0; i < launch->stranger_count; i++)
		spawn_place(spawn, launch->strangers[i].fd, launch->strangers[i].number, false);

	spawn_variable(spawn, &env_count, "BVISOR_LAUNCH_PLAN_FD", highest + 1, launch->plan_text);
	spawn_variable(spawn, &env_count, "BVISOR_CONTROL_FD", control_number,
		       launch->control_text);
	spawn_variable(spawn, &env_count, "BVISOR_ERROR_FD", highest + 3, launch->error_text);
	spawn_variable(spawn, &env_count, "BVISOR_ERROR_READ_FD", highest + 4,
		       launch->error_read_text);

	if (launch->wrap_count > 0) {
		spawn->argv[argc++] = wrap_path();
		for (size_t i = 0; i < launch->wrap_count; i++)
			spawn->argv[argc++] = launch->wrap[i];
	}
	spawn->argv[argc] = launcher_path();
	spawn->ignore_signals = launch->ignore_signals;
	spawn->close_stdin = launch->close_stdin;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

void launch_start(const struct launch *launch, struct running *running, struct outcome *outcome)
{
	struct spawn spawn;
	int control[2], out[2], err[2], error_pipe[2];
	int plan_fd = plan_memfd(launch);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	memset(&spawn, 0, sizeof(spawn));
	outcome->transcript_bytes = outcome->out_bytes = outcome->err_bytes = 0;
	outcome->transcript[0] = outcome->out[0] = outcome->err[0] = '\0';
	if (launch->control_is_pipe)
		EXPECT(pipe2(control, O_CLOEXEC) == 0);
	else
		EXPECT(socketpair(AF_UNIX,
				  (launch->control_is_packets ? SOCK_SEQPACKET : SOCK_STREAM) |
					  SOCK_CLOEXEC,
				  0, control) == 0);
	EXPECT(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0 &&
	       pipe2(error_pipe, O_CLOEXEC) == 0 && null_fd >= 0);
	spawn.stdin_fd = launch->stdin_fd >= 0 ? launch->stdin_fd : null_fd;
	spawn.out_fd = out[1];
	spawn.err_fd = err[1];
	spawn_fill(&spawn, launch, plan_fd, control[1], error_pipe);

	running->pid = fork();
	EXPECT(running->pid >= 0);
	if (running->pid == 0)
		spawn_exec(&spawn);
	close_all((const int[]){control[1], out[1], err[1], error_pipe[0], error_pipe[1], plan_fd,
				null_fd},
		  7);
	running->control_fd = control[0];
	running->out_fd = out[0];
	running->err_fd = err[0];
}

/* ---- collecting -------------------------------------------------------------------------------------- */

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads what is there into text, which stays NUL-terminated; closes *fd at its end. */
static void take(int *fd, char *text, size_t capacity, size_t *len)
{
	char spill[65536];
	size_t room = capacity - 1 - *len;
	ssize_t got = room > 0 ? read(*fd, text + *len, room) : read(*fd, spill, sizeof(spill));

	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	EXPECT_THAT(room > 0, "more output than the harness can hold");
	*len += (size_t)got;
	text[*len] = '\0';
}

/* One round.  False when all three have ended. */
static bool collect(struct running *running, struct outcome *outcome, long deadline)
{
	struct pollfd waits[3] = {
		{.fd = running->control_fd, .events = POLLIN},
		{.fd = running->out_fd, .events = POLLIN},
		{.fd = running->err_fd, .events = POLLIN},
	};
	long left = deadline - now_ms();

	if (running->control_fd < 0 && running->out_fd < 0 && running->err_fd < 0)
		return false;
	if (left <= 0 || poll(waits, 3, (int)left) == 0) {
		kill(running->pid, SIGKILL);
		test_fail(__FILE__, __LINE__, "the launcher does not end; so far:\n%s",
			  outcome->transcript);
	}
	if (waits[0].revents != 0)
		take(&running->control_fd, outcome->transcript, sizeof(outcome->transcript),
		     &outcome->transcript_bytes);
	if (waits[1].revents != 0)
		take(&running->out_fd, outcome->out, sizeof(outcome->out), &outcome->out_bytes);
	if (waits[2].revents != 0)
		take(&running->err_fd, outcome->err, sizeof(outcome->err), &outcome->err_bytes);
	return true;
}

void launch_await(struct running *running, struct outcome *outcome, const char *line)
{
	const long deadline = now_ms() + LAUNCH_DEADLINE_MS;

	while (!outcome_has_line(outcome, line)) {
		if (!collect(running, outcome, deadline))
			test_fail(__FILE__, __LINE__, "no '%s' in:\n%s", line, outcome->transcript);
	}
}

void launch_finish(struct running *running, struct outcome *outcome)
{
	const long deadline = now_ms() + LAUNCH_DEADLINE_MS;

	while (collect(running, outcome, deadline))
		;
	EXPECT(waitpid(running->pid, &outcome->status, 0) == running->pid);
}

void launch_run(const struct launch *launch, struct outcome *outcome)
{
	struct running running;

	launch_start(launch, &running, outcome);
	launch_finish(&running, outcome);
}

/* ---- reading the outcome ------------------------------------------------------------------------------- */

bool outcome_has_line(const struct outcome *outcome, const char *line)
{
	const size_t len = strlen(line);

	for (const char *at = outcome->transcript; (at = strstr(at, line)) != NULL; at++) {
		if ((at == outcome->transcript || at[-1] == '\n') && at[len] == '\n')
			return true;
	}
	return false;
}

bool outcome_has_text(const struct outcome *outcome, const char *text)
{
	return strstr(outcome->transcript, text) != NULL;
}

bool outcome_out_has(const struct outcome *outcome, const char *text)
{
	return strstr(outcome->out, text) != NULL;
}

const char *outcome_last_line(const struct outcome *outcome)
{
	static char line[256];
	size_t end = outcome->transcript_bytes;
	size_t start;

	if (end > 0 && outcome->transcript[end - 1] == '\n')
		end--;
	start = end;
	while (start > 0 && outcome->transcript[start - 1] != '\n')
		start--;
	snprintf(line, sizeof(line), "%.*s", (int)(end - start), outcome->transcript + start);
	return line;
}

const char *outcome_states(const struct outcome *outcome)
{
	static char states[1024];
	size_t len = 0;

	states[0] = '\0';
	for (const char *at = outcome->transcript; *at != '\0';) {
		size_t line = strcspn(at, "\n");

		if (at[0] != '#' && len + line + 2 < sizeof(states)) {
			if (len > 0)
				states[len++] = ' ';
			memcpy(states + len, at, line);
			len += line;
			states[len] = '\0';
		}
		at += line + (at[line] == '\n');
	}
	return states;
}

int outcome_terminals(const struct outcome *outcome)
{
	static const char *const terminals[] = {"ExecSucceeded", "SetupRefused", "SetupFaulted"};
	int count = 0;

	for (size_t i = 0; i < 3; i++) {
		for (const char *at = outcome->transcript; (at = strstr(at, terminals[i])) != NULL;
		     at++)
			count++;
	}
	return count;
}

int outcome_exit(const struct outcome *outcome)
{
	return WIFEXITED(outcome->status) ? WEXITSTATUS(outcome->status) : -1;
}

pid_t outcome_child(const struct outcome *outcome)
{
	const char *at = strstr(outcome->transcript, "child_pid=");

	return at == NULL ? 0 : (pid_t)atoi(at + strlen("child_pid="));
}

void expect_success(const struct outcome *outcome)
{
	if (strcmp(outcome_last_line(outcome), "ExecSucceeded") != 0 ||
	    outcome_terminals(outcome) != 1 || outcome_exit(outcome) != 0 ||
	    outcome_has_text(outcome, "errno="))
		test_fail(__FILE__, __LINE__, "expected success, status %#x:\n%s",
			  (unsigned int)outcome->status, outcome->transcript);
}

void expect_refused(const struct outcome *outcome, const char *states, const char *reason)
{
	char ending[128];

	snprintf(ending, sizeof(ending), "# refusal=%s\nSetupRefused\n", reason);
	if (strcmp(outcome_states(outcome), states) != 0 || outcome_terminals(outcome) != 1 ||
	    outcome_exit(outcome) != 3 || !outcome_has_text(outcome, ending) ||
	    outcome_has_text(outcome, "ChildCreated") || outcome->out_bytes != 0 ||
	    outcome->err_bytes != 0)
		test_fail(__FILE__, __LINE__, "expected %s (%s), status %#x:\n%s", states, reason,
			  (unsigned int)outcome->status, outcome->transcript);
}

void expect_faulted(const struct outcome *outcome, const char *states)
{
	if (strcmp(outcome_states(outcome), states) != 0 || outcome_terminals(outcome) != 1 ||
	    outcome_exit(outcome) != 4 || outcome->out_bytes != 0 || outcome->err_bytes != 0)
		test_fail(__FILE__, __LINE__, "expected %s, status %#x:\n%s", states,
			  (unsigned int)outcome->status, outcome->transcript);
}
