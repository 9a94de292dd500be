/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* guest_use.c - the guest uses things up: processor time and memory, in every way there is. */
#include "guest_use.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, SHORT_MS = 20, HOLD_MS = 300, GIVE_UP_S = 40 };

/* In one piece: several processes may say it at once. */
static void say(const char *text)
{
	if (dprintf(1, "%s\n", text) < 0)
		_exit(99);
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- processor time -------------------------------------------------------------------------- */

static void burn_ms(int64_t ms)
{
	const int64_t end = clock_ms(CLOCK_PROCESS_CPUTIME_ID) + ms;

	while (clock_ms(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

static _Noreturn void burn(void)
{
	/* Whatever is not stopped from outside ends here. */
	alarm(GIVE_UP_S);
	for (;;)
		burn_ms(1000);
}

static void *burn_beside(void *unused)
{
	(void)unused;
	burn();
}

static void burn_threads(int count)
{
	pthread_t thread;

	for (int i = 0; i < count; i++)
		pthread_create(&thread, NULL, burn_beside, NULL);
	pause();
}

static void burn_processes(int count)
{
	for (int i = 0; i < count; i++) {
		if (fork() == 0)
			burn();
	}
}

/* In sessions of their own, with nobody above them but who adopts orphans. */
static void burn_daemons(int count)
{
	for (int i = 0; i < count; i++) {
		if (fork() != 0)
			continue;
		setsid();
		if (fork() == 0)
			burn();
		_exit(0);
	}
}

/* One generation after the other; their end shows at a pipe, for nobody need wait for them. */
static void burn_short(int count)
{
	const int64_t end = clock_ms(CLOCK_MONOTONIC) + GIVE_UP_S * 1000;

	while (clock_ms(CLOCK_MONOTONIC) < end) {
		int alive[2];
		char byte;

		if (pipe(alive) != 0)
			return;
		for (int i = 0; i < count; i++) {
			if (fork() == 0) {
				burn_ms(SHORT_MS);
				_exit(0);
			}
		}
		close(alive[1]);
		(void)!read(alive[0], &byte, 1);
		close(alive[0]);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void burn_unwaited(int count)
{
	const struct sigaction nobody_waits = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

	sigaction(SIGCHLD, &nobody_waits, NULL);
	burn_short(count);
}

struct beside {
	int64_t used_us; /* by all, by their own clocks */
	int64_t most_us;
};

static int64_t own_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void *burn_a_moment(void *shared)
{
	enum { MOMENT_US = 800 };
	struct beside *beside = shared;

	while (own_us() < MOMENT_US)
		;
	__atomic_fetch_add(&beside->used_us, own_us(), __ATOMIC_RELAXED);
	_exit(0);
}

/* Their first thread sleeps, another works for less than a look takes to come, and nobody waits. */
static void burn_beside_sleepers(int seconds)
{
	enum { PARENTS = 8 };
	const struct sigaction nobody_waits = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
	struct beside *beside = mmap(NULL, sizeof(*beside), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const int64_t most_us = (int64_t)seconds * 1000000;
	bool first = true;

	alarm(GIVE_UP_S);
	sigaction(SIGCHLD, &nobody_waits, NULL);
	for (int i = 1; i < PARENTS && first; i++)
		first = fork() != 0;
	while (__atomic_load_n(&beside->used_us, __ATOMIC_RELAXED) < most_us) {
		pthread_t thread;
		const pid_t child = fork();

		if (child == 0) {
			if (pthread_create(&thread, NULL, burn_a_moment, beside) != 0)
				_exit(1);
			pause();
		}
		waitpid(child, NULL, 0);
	}
	say("burnt");
	_exit(0);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static char *map_memory(size_t bytes, int flags, int fd)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void touch(char *memory, size_t bytes)
{
	for (size_t at = 0; memory != NULL && at < bytes; at += PAGE)
		memory[at] = (char)at;
}

static void fill(int mib)
{
	for (int i = 0; i < mib; i++)
		touch(map_memory(MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1), MIB);
	usleep(HOLD_MS * 1000);
	say("filled");
}

/* Each of them little, all together much: and none of them ends before all have had it for a while. */
static void fill_processes(int mib)
{
	enum { PARTS = 16 };
	int filled[2], over[2], count = 0;
	char byte = 0;

	if (pipe(filled) != 0 || pipe(over) != 0)
		return;
	for (int i = 0; i < PARTS; i++) {
		const pid_t pid = fork();

		if (pid == 0) {
			close(over[1]);
			for (int part = 0; part < mib / PARTS; part++)
				touch(map_memory(MIB, MAP_PRIVATE | MAP_ANONYMOUS, -1), MIB);
			/* The second ends when the parent says so, by closing it. */
			_exit(write(filled[1], &byte, 1) != 1 || read(over[0], &byte, 1) != 0);
		}
		count += pid > 0;
	}
	for (int i = 0; i < count; i++)
		if (read(filled[0], &byte, 1) != 1)
			return;
	usleep(HOLD_MS * 1000);
	close(over[1]);
	while (wait(NULL) > 0)
		;
	say("filled");
}

/* All of them have all of it, and there is only one. */
static void fill_shared(int mib)
{
	const size_t bytes = (size_t)mib * MIB;
	char *memory = map_memory(bytes, MAP_SHARED | MAP_ANONYMOUS, -1);

	touch(memory, bytes);
	for (int i = 0; i < 6; i++) {
		if (fork() == 0) {
			touch(memory, bytes);
			usleep(HOLD_MS * 1000);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	say("filled");
}

/* A fork is a copy of everything and costs nothing, until someone writes. */
static void fill_fork(int mib, bool write_all)
{
	const size_t bytes = (size_t)mib * MIB;
	char *memory = map_memory(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	touch(memory, bytes);
	for (int i = 0; i < 6; i++) {
		if (fork() == 0) {
			if (write_all)
				touch(memory, bytes);
			usleep(HOLD_MS * 1000);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	say("filled");
}

static int live_for(void *life)
{
	usleep(*(const useconds_t *)life);
	_exit(0);
}

/* What vfork(2) and posix_spawn(3) do: no copy, and the caller waits for its end. */
static pid_t borrow_memory(useconds_t life)
{
	static char stack[65536] __attribute__((aligned(16)));

	return clone(live_for, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &life);
}

/* Copies that come and go all the time, each at its own: there is never more than one. */
static void fill_fork_often(int mib, bool by_vfork)
{
	const size_t bytes = (size_t)mib * MIB;
	const int64_t end = clock_ms(CLOCK_MONOTONIC) + 1500;
	char *memory = map_memory(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	unsigned int turn = 0;

	touch(memory, bytes);
	while (clock_ms(CLOCK_MONOTONIC) < end) {
		const useconds_t life = 500 * (1 + turn++ * 7 % 23);

		if (by_vfork)
			(void)borrow_memory(life);
		else if (fork() == 0)
			(void)live_for(&(useconds_t){life});
		if (turn % 4 == 0)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		if (turn % 8 == 0)
			usleep(2000);
	}
	while (wait(NULL) > 0)
		;
	say("filled");
}

static void write_mib(int fd, int mib)
{
	static char block[MIB];

	memset(block, 'x', sizeof(block));
	for (int i = 0; fd >= 0 && i < mib; i++) {
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block)) {
			say("full");
			return;
		}
	}
	usleep(HOLD_MS * 1000);
	say(fd >= 0 ? "filled" : "no file");
}

/* Nothing of it is ever mapped. */
static void fill_memory_file(int mib)
{
	write_mib(memfd_create("fill", MFD_CLOEXEC), mib);
}

/* From whoever is not root and looks into /proc. */
static void fill_hidden(int mib)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	say(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? "hidden" : "in sight");
	fill_memory_file(mib);
}

static void *fill_own_table(void *mib)
{
	say(unshare(CLONE_FILES) == 0 ? "hidden" : "in sight");
	fill_memory_file(*(const int *)mib);
	_exit(0);
}

/* What one thread has open the first one has not. */
static void fill_beside(int mib)
{
	static int much;
	pthread_t thread;

	much = mib;
	if (pthread_create(&thread, NULL, fill_own_table, &much) == 0)
		pause();
}

static void *fill_and_end(void *mib)
{
	fill(*(const int *)mib);
	_exit(0);
}

/* A process without its first thread, which is the one that most of /proc tells of. */
static void fill_without_first_thread(int mib)
{
	static int much;
	pthread_t thread;

	much = mib;
	if (pthread_create(&thread, NULL, fill_and_end, &much) != 0)
		return;
	pthread_exit(NULL);
}

/* The kernel's own memory, as far as System V has a limit of it. */
static void fill_semaphores(int mib)
{
	enum { A_SET = 32000, SEMAPHORE_BYTES = 64 };

	for (int64_t left = (int64_t)mib * MIB; left > 0; left -= A_SET * SEMAPHORE_BYTES) {
		if (semget(IPC_PRIVATE, A_SET, IPC_CREAT | 0600) < 0) {
			say("no semaphores");
			return;
		}
	}
	usleep(HOLD_MS * 1000);
	say("filled");
}

static void fill_queues(int mib)
{
	enum { MESSAGE = 8192, MESSAGES = 2 };
	static struct {
		long type;
		char text[MESSAGE];
	} message = {.type = 1};

	for (int64_t left = (int64_t)mib * MIB; left > 0; left -= MESSAGE * MESSAGES) {
		const int queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

		for (int i = 0; i < MESSAGES; i++) {
			if (msgsnd(queue, &message, MESSAGE, IPC_NOWAIT) != 0) {
				say("no queue");
				return;
			}
		}
	}
	usleep(HOLD_MS * 1000);
	say("filled");
}

/* Mapped only for as long as it takes to fill it. */
static bool make_segment(size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
	char *memory = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;

	if (id < 0 || memory == (void *)-1)
		return false;
	touch(memory, bytes);
	shmdt(memory);
	return true;
}

static void fill_segment(int mib)
{
	if (!make_segment((size_t)mib * MIB)) {
		say("no segment");
		return;
	}
	usleep(HOLD_MS * 1000);
	say("filled");
}

/* Those that are large come last in a table that is longer than anybody reads at once. */
static void fill_last_segments(int mib)
{
	enum { SMALL = 1000, PART = 8 };
	bool made = true;

	for (int i = 0; i < SMALL && made; i++)
		made = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600) >= 0;
	for (int i = 0; i < mib && made; i += PART)
		made = make_segment((size_t)PART * MIB);
	usleep(HOLD_MS * 1000);
	say(made ? "filled" : "no segment");
}

/* The file and its mapping are one. */
static void fill_mapped(const char *path, int mib)
{
	const size_t bytes = (size_t)mib * MIB;
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
		say("no file");
		return;
	}
	touch(map_memory(bytes, MAP_SHARED, fd), bytes);
	usleep(HOLD_MS * 1000);
	say("filled");
}

/* ---- being told to end ----------------------------------------------------------------------- */

static const char *to_clean;

static void clean_up(int number)
{
	(void)number;
	if (unlink(to_clean) == 0)
		_exit(7);
	_exit(8);
}

static void await_end(const char *path, bool burning)
{
	const struct sigaction action = {.sa_handler = clean_up};

	to_clean = path;
	sigaction(SIGTERM, &action, NULL);
	say("working");
	if (burning)
		burn();
	sleep(GIVE_UP_S);
}

static void fill_much(int number)
{
	(void)number;
	fill(4000);
}

static void fill_at_end(void)
{
	const struct sigaction action = {.sa_handler = fill_much};

	sigaction(SIGTERM, &action, NULL);
	say("working");
	sleep(GIVE_UP_S);
}

static void defy_end(void)
{
	signal(SIGTERM, SIG_IGN);
	say("working");
	/* A signal that is not ignored would cut it short. */
	for (int i = 0; i < GIVE_UP_S; i++)
		sleep(1);
}

/* ---- by name --------------------------------------------------------------------------------- */

static bool do_burn(const char *verb, int count)
{
	if (strcmp(verb, "burn-threads") == 0)
		burn_threads(count);
	else if (strcmp(verb, "burn-processes") == 0)
		burn_processes(count);
	else if (strcmp(verb, "burn-daemons") == 0)
		burn_daemons(count);
	else if (strcmp(verb, "burn-stopped") == 0) {
		burn_processes(count);
		raise(SIGSTOP);
	} else if (strcmp(verb, "burn-short") == 0)
		burn_short(count);
	else if (strcmp(verb, "burn-unwaited") == 0)
		burn_unwaited(count);
	else if (strcmp(verb, "burn-beside-sleepers") == 0)
		burn_beside_sleepers(count);
	else
		return false;
	pause();
	return true;
}

static bool do_fill(const char *verb, int mib)
{
	if (strcmp(verb, "fill") == 0)
		fill(mib);
	else if (strcmp(verb, "fill-processes") == 0)
		fill_processes(mib);
	else if (strcmp(verb, "fill-shared") == 0)
		fill_shared(mib);
	else if (strcmp(verb, "fill-fork") == 0)
		fill_fork(mib, false);
	else if (strcmp(verb, "fill-fork-written") == 0)
		fill_fork(mib, true);
	else if (strcmp(verb, "fill-fork-often") == 0)
		fill_fork_often(mib, false);
	else if (strcmp(verb, "fill-vfork-often") == 0)
		fill_fork_often(mib, true);
	else if (strcmp(verb, "fill-memory-file") == 0)
		fill_memory_file(mib);
	else if (strcmp(verb, "fill-segment") == 0)
		fill_segment(mib);
	else if (strcmp(verb, "fill-last-segments") == 0)
		fill_last_segments(mib);
	else if (strcmp(verb, "fill-hidden") == 0)
		fill_hidden(mib);
	else if (strcmp(verb, "fill-beside") == 0)
		fill_beside(mib);
	else if (strcmp(verb, "fill-semaphores") == 0)
		fill_semaphores(mib);
	else if (strcmp(verb, "fill-queues") == 0)
		fill_queues(mib);
	else if (strcmp(verb, "fill-without-first-thread") == 0)
		fill_without_first_thread(mib);
	else
		return false;
	return true;
}

bool do_use(const char *verb, const char *word)
{
	if (do_burn(verb, atoi(word)) || do_fill(verb, atoi(word)))
		return true;
	if (strcmp(verb, "clean-up") == 0)
		await_end(word, false);
	else if (strcmp(verb, "clean-up-burning") == 0)
		await_end(word, true);
	else if (strcmp(verb, "fill-at-end") == 0)
		fill_at_end();
	else if (strcmp(verb, "call-itself") == 0)
		prctl(PR_SET_NAME, word, 0, 0, 0);
	else if (strcmp(verb, "defy-end") == 0)
		defy_end();
	else
		return false;
	return true;
}

bool do_use_at(const char *verb, const char *word, const char *other)
{
	if (strcmp(verb, "fill-file") == 0)
		write_mib(open(word, O_WRONLY | O_CREAT, 0600), atoi(other));
	else if (strcmp(verb, "fill-mapped") == 0)
		fill_mapped(word, atoi(other));
	else
		return false;
	return true;
}
