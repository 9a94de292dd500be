/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * fake.c - a launcher that lies, dies and stalls, as the first argument of the workload tells it to.
 *
 * Asked to probe it hands over to the real launcher beside it, so that plans are made as ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "contract/canon.h"
#include "contract/frame.h"
#include "linux/records.h"

static int control;
static uint64_t sequence;

static void say(enum bv_record_type type, const void *payload, size_t size_bytes)
{
	struct {
		struct bv_record_header header;
		uint8_t payload[512];
	} packet;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	packet.header = (struct bv_record_header){type, (uint32_t)size_bytes, sequence++,
						  (uint64_t)now.tv_sec * 1000000000u +
							  (uint64_t)now.tv_nsec};
	if (size_bytes > 0)
		memcpy(packet.payload, payload, size_bytes);
	if (send(control, &packet, sizeof(packet.header) + size_bytes, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void say_states(uint32_t first, uint32_t last)
{
	for (uint32_t state = first; state <= last; state++) {
		const struct bv_record_state record = {state, 0};

		say(BV_RECORD_STATE, &record, sizeof(record));
	}
}

static void say_installed(int32_t workload, int32_t init)
{
	const struct bv_record_installed record = {workload, init};

	say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_CONFINEMENT_PHASE_RESOLVED);
	say(BV_RECORD_INSTALLED, &record, sizeof(record));
}

static void say_exit(int32_t status)
{
	const struct bv_record_usage usage = {.tasks = 1, .handles = 3};
	const struct bv_record_exit record = {.status = status};

	say(BV_RECORD_USAGE, &usage, sizeof(usage));
	say(BV_RECORD_EXIT, &record, sizeof(record));
}

static void say_run(void)
{
	say_states(BV_STATE_READY_TO_EXEC, BV_STATE_EXEC_SUCCEEDED);
	say(BV_RECORD_EXEC, NULL, 0);
}

static void say_fault(uint32_t step)
{
	const struct bv_record_fault record = {.step = step, .sys_errno = EPERM};

	say(BV_RECORD_FAULT, &record, sizeof(record));
	say_states(BV_STATE_SETUP_FAULTED, BV_STATE_SETUP_FAULTED);
}

static void say_text(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

/* Whether the host lets the "workload" go on. */
static int is_released(void)
{
	struct bv_command command;

	return recv(control, &command, sizeof(command), 0) == (ssize_t)sizeof(command) &&
	       command.type == BV_COMMAND_RELEASE;
}

/* Until it is killed; a minute at most, should the host have died. */
static void stall(void)
{
	sleep(60);
}

static void play(const char *script)
{
	static const char noise[] = "this is no record, but it is long enough to hold a header";

	if (strcmp(script, "crash") == 0) {
		say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_HANDLES_VERIFIED);
		raise(SIGSEGV);
	} else if (strcmp(script, "stall") == 0) {
		stall();
	} else if (strcmp(script, "noise") == 0) {
		(void)send(control, noise, sizeof(noise), MSG_NOSIGNAL);
		stall();
	} else if (strcmp(script, "early-exec") == 0) {
		say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_CONFINEMENT_PHASE_RESOLVED);
		say_run();
		say_exit(0);
	} else if (strcmp(script, "early-exit") == 0) {
		say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_CHILD_CREATED);
		say_exit(0);
	} else if (strcmp(script, "unconfined") == 0) {
		/* Points at itself, with nothing installed. */
		say_installed((int32_t)getpid(), 0);
		if (is_released()) {
			say_text("RELEASED\n");
			say_run();
			say_exit(0);
		}
	} else if (strcmp(script, "nobody") == 0) {
		say_installed(4194303, 4194302);
		if (is_released())
			say_text("RELEASED\n");
	} else if (strcmp(script, "refuse") == 0) {
		struct bv_record_refusal record = {.reason = BV_REFUSAL_PLAN_INVALID,
						   .detail = "no mood for it"};

		say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_IDENTITY_VERIFIED);
		say(BV_RECORD_REFUSAL, &record, sizeof(record));
		say_states(BV_STATE_SETUP_REFUSED, BV_STATE_SETUP_REFUSED);
	} else if (strcmp(script, "fault") == 0) {
		say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_CHILD_CREATED);
		say_fault(BV_STEP_MOUNT_BIND);
	} else if (strcmp(script, "linger") == 0) {
		/* Has said its last word, and holds the streams all the same. */
		say_states(BV_STATE_LAUNCHER_STARTED, BV_STATE_HANDLES_VERIFIED);
		say_fault(BV_STEP_CLONE);
		stall();
	}
	/* "silent" and whatever else: ends without a word. */
}

/* The first argument behind argv[0] in the plan. */
static const char *read_script(void)
{
	enum { ROOM = 4 << 20 };
	static uint8_t room[ROOM], data[1 << 20];
	static struct bv_launch_body2 body;
	struct bv_arena arena;
	struct bv_frame frame;
	const char *plan = getenv("BVISOR_LAUNCH_PLAN_FD");
	ssize_t got = plan != NULL ? read(atoi(plan), data, sizeof(data)) : -1;

	bv_arena_init(&arena, room, ROOM);
	if (got <= 0 || bv_frame_open(data, (size_t)got, &frame) != BV_FRAME_OK ||
	    frame.version != 2 ||
	    bv_canon_decode(&arena, &bv_launch_body2_type, frame.body, frame.body_bytes, &body,
			    NULL) != BV_OK ||
	    body.work.exec.argv.count < 2)
		return "silent";
	return body.work.exec.argv.items[1].data;
}

static void hand_over(char **argv)
{
	char path[4096];
	ssize_t got = readlink("/proc/self/exe", path, sizeof(path) - 16);
	char *const envp[] = {NULL};

	if (got <= 0)
		_exit(1);
	while (got > 0 && path[got - 1] != '/')
		got--;
	memcpy(path + got, "launcher", sizeof("launcher"));
	execve(path, argv, envp);
	_exit(1);
}

int main(int argc, char **argv)
{
	const char *number = getenv("BVISOR_CONTROL_FD");
	sigset_t none;

	if (argc == 2)
		hand_over(argv);
	if (number == NULL)
		return 1;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_DUMPABLE, 1);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	control = atoi(number);
	play(read_script());
	return 0;
}
