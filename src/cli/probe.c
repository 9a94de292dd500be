/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * `bvisor __probe ACT ARG...`: the acts doctor has committed, free and confined.
 *
 * Each tries one thing and exits 0 if its own calls succeeded, 1 if they did not; doctor does not
 * believe it but looks at what became of the world.  Nothing here lives longer than a few seconds.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST_S = 5 }; /* the alarm of every probe */

static int failed(void)
{
	fprintf(stderr, "%s\n", strerror(errno));
	return 1;
}

static int put(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);

	if (fd < 0 || cli_write_all(fd, text, strlen(text)) != 0)
		return failed();
	return close(fd) == 0 ? 0 : failed();
}

static int read_act(char **args)
{
	char data[256];
	int fd = open(args[0], O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof data);

	if (n < 0)
		return failed();
	return cli_write_all(STDOUT_FILENO, data, (size_t)n) == 0 ? 0 : failed();
}

static int append_act(char **args)
{
	return put(args[0], O_APPEND, "written by a probe\n");
}

static int create_act(char **args)
{
	return put(args[0], O_CREAT | O_EXCL, "created by a probe\n");
}

static int chmod_act(char **args)
{
	return chmod(args[0], 0) == 0 ? 0 : failed();
}

static int stat_act(char **args)
{
	struct stat st;

	if (stat(args[0], &st) != 0)
		return failed();
	printf("size %lld\n", (long long)st.st_size);
	return 0;
}

static int exec_act(char **args)
{
	static char probe[] = "__probe", echo[] = "echo";

	(void)execv(args[0], (char *[]){args[0], probe, echo, args[1], NULL});
	return failed();
}

static int echo_act(char **args)
{
	printf("%s\n", args[0]);
	return 0;
}

static int both_act(char **args)
{
	printf("%s\n", args[0]);
	fprintf(stderr, "%s\n", args[1]);
	return 0;
}

/* Lends the pipe behind standard output our page, which is seldom done; a write does without. */
static int splice_act(char **args)
{
	const struct iovec part = {args[0], strlen(args[0])};

	return vmsplice(STDOUT_FILENO, &part, 1, 0) == (ssize_t)part.iov_len ? 0 : failed();
}

static int exit_act(char **args)
{
	return atoi(args[0]);
}

static int die_act(char **args)
{
	(void)raise(atoi(args[0]));
	return 1;
}

static int send_to(int type, const struct sockaddr *address, socklen_t size_bytes)
{
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, address, size_bytes) != 0 ||
	    send(fd, "probe", 5, MSG_NOSIGNAL) != 5)
		return failed();
	return 0;
}

static int inet_act(int type, const char *port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return send_to(type, (const struct sockaddr *)&address, sizeof address);
}

static int tcp_act(char **args)
{
	return inet_act(SOCK_STREAM, args[0]);
}

static int udp_act(char **args)
{
	return inet_act(SOCK_DGRAM, args[0]);
}

/* A leading '@' stands for the NUL of the abstract names. */
static int unix_act(char **args)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(args[0]);

	if (len >= sizeof address.sun_path)
		return 1;
	memcpy(address.sun_path, args[0], len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	return send_to(SOCK_STREAM, (const struct sockaddr *)&address,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static int fork_act(char **args)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return failed();
	if (pid == 0)
		_exit(create_act(args));
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

static void *thread_body(void *path)
{
	(void)create_act(&(char *){path});
	return NULL;
}

static int thread_act(char **args)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, thread_body, args[0]);
	if (errno != 0)
		return failed();
	return pthread_join(thread, NULL) == 0 ? 0 : 1;
}

static _Noreturn void wait_for_the_end(void)
{
	for (;;)
		(void)pause();
}

/* Holds a lock as long as it lives: doctor sees by it whether anybody is left. */
static int hold(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		return failed();
	return 0;
}

static int daemon_act(char **args)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		return failed();

	pid_t pid = fork();

	if (pid < 0)
		return failed();
	if (pid == 0) {
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)alarm(LONGEST_S);
		if (hold(args[0]) != 0)
			_exit(1);
		for (int number = 1; number < 32; number++)
			(void)signal(number, number == SIGALRM ? SIG_DFL : SIG_IGN);
		(void)cli_write_all(ready[1], "r", 1);
		(void)close(ready[1]);
		for (int fd = 0; fd <= STDERR_FILENO; fd++)
			(void)close(fd);
		wait_for_the_end();
	}
	(void)waitpid(pid, NULL, 0);
	(void)close(ready[1]);
	/* Not before the daemon stands. */
	return read(ready[0], &byte, 1) == 1 ? 0 : 1;
}

/* A tree that does not want to go: daemon and all, waiting for the kill. */
static int linger_act(char **args)
{
	if (daemon_act(args) != 0)
		return 1;
	for (int number = 1; number < 32; number++)
		(void)signal(number, number == SIGALRM ? SIG_DFL : SIG_IGN);
	(void)cli_write_all(STDOUT_FILENO, "ready\n", 6);
	wait_for_the_end();
}

static int signal_act(char **args)
{
	return kill((pid_t)atoi(args[0]), SIGUSR1) == 0 ? 0 : failed();
}

static char remembered[64];

static int peek_act(char **args)
{
	char data[sizeof remembered];
	const struct iovec here = {data, sizeof data};
	const struct iovec there = {(void *)(uintptr_t)strtoull(args[1], NULL, 16), sizeof data};
	ssize_t n = process_vm_readv((pid_t)atoi(args[0]), &here, 1, &there, 1, 0);

	if (n < 0)
		return failed();
	return cli_write_all(STDOUT_FILENO, data, (size_t)n);
}

static const char *touched_path;

static void touch(int number)
{
	/* In a handler: one system call after the other, and who asked looks for the file. */
	int fd = open(touched_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	(void)number;
	if (fd >= 0)
		(void)close(fd);
}

/* Outside the boundary: something to be signalled and looked into. */
static int victim_act(char **args)
{
	/* Whoever ends doctor ends this. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)snprintf(remembered, sizeof remembered, "%s", args[1]);
	touched_path = args[0];
	(void)signal(SIGUSR1, touch);
	printf("%llx\n", (unsigned long long)(uintptr_t)remembered);
	(void)fflush(stdout);
	(void)alarm(60);
	wait_for_the_end();
}

static int environ_act(char **args)
{
	(void)args;
	for (char **entry = environ; *entry; entry++)
		printf("%s\n", *entry);
	return 0;
}

static int fds_act(char **args)
{
	char data[256];

	(void)args;
	for (int fd = 3; fd < 1024; fd++) {
		ssize_t n = pread(fd, data, sizeof data, 0);

		if (n > 0)
			(void)cli_write_all(STDOUT_FILENO, data, (size_t)n);
	}
	return 0;
}

/* ---- What the budgets hold ------------------------------------------------------------------- */

static int sleep_act(char **args)
{
	(void)poll(NULL, 0, atoi(args[0]));
	return echo_act(args + 1);
}

static int spin_act(char **args)
{
	struct timespec used = {0};

	while (used.tv_sec * 1000 + used.tv_nsec / 1000000 < atoi(args[0]))
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return echo_act(args + 1);
}

static int memory_act(char **args)
{
	size_t size = (size_t)atoi(args[1]) << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return failed();
	for (size_t i = 0; i < size; i += 4096)
		memory[i] = 1;
	return create_act(args);
}

/* Children that live at once; each leaves a file. */
static int forks_act(char **args)
{
	int count = atoi(args[1]), gate[2];

	if (pipe(gate) != 0)
		return failed();
	for (int i = 0; i < count; i++) {
		char path[512], byte;
		pid_t pid = fork();

		if (pid != 0)
			continue;
		(void)snprintf(path, sizeof path, "%s/%d", args[0], i);
		(void)close(gate[1]);
		(void)create_act(&(char *){path});
		_exit((int)read(gate[0], &byte, 1));
	}
	(void)poll(NULL, 0, 200);
	(void)close(gate[1]);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return 0;
}

/* Descriptors that are open at once, told by what it can still reach through the last of them. */
static int handles_act(char **args)
{
	int count = atoi(args[1]), last = -1;

	for (int i = 0; i < count; i++) {
		int fd = open(args[0], O_WRONLY | O_APPEND | O_CLOEXEC);

		if (fd < 0)
			return failed();
		last = fd;
	}
	return cli_write_all(last, "many\n", 5);
}

static int store_act(char **args)
{
	static char block[1 << 16];
	int fd = open(args[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	(void)signal(SIGXFSZ, SIG_IGN);
	if (fd < 0)
		return failed();
	memset(block, 'x', sizeof block);
	for (int i = 0; i < atoi(args[1]) * 16; i++) {
		if (cli_write_all(fd, block, sizeof block) != 0)
			return failed();
	}
	return 0;
}

static const struct {
	const char *name;
	int arg_count;
	int (*commit)(char **args);
} acts[] = {
	{"append", 1, append_act}, {"both", 2, both_act},       {"chmod", 1, chmod_act},
	{"create", 1, create_act}, {"daemon", 1, daemon_act},   {"die", 1, die_act},
	{"echo", 1, echo_act},     {"environ", 0, environ_act}, {"exec", 2, exec_act},
	{"exit", 1, exit_act},     {"fds", 0, fds_act},         {"fork", 1, fork_act},
	{"forks", 2, forks_act},   {"handles", 2, handles_act}, {"linger", 1, linger_act},
	{"memory", 2, memory_act}, {"peek", 2, peek_act},       {"read", 1, read_act},
	{"signal", 1, signal_act}, {"sleep", 2, sleep_act},     {"spin", 2, spin_act},
	{"splice", 1, splice_act}, {"stat", 1, stat_act},       {"store", 2, store_act},
	{"tcp", 1, tcp_act},       {"thread", 1, thread_act},   {"udp", 1, udp_act},
	{"unix", 1, unix_act},     {"victim", 2, victim_act},
};

int cli_probe(int argc, char **argv)
{
	(void)alarm(LONGEST_S);
	for (size_t i = 0; argc > 0 && i < sizeof acts / sizeof *acts; i++) {
		if (strcmp(argv[0], acts[i].name) == 0 && argc - 1 == acts[i].arg_count) {
			int status = acts[i].commit(argv + 1);

			return fflush(stdout) == 0 ? status : 1;
		}
	}
	cli_say("__probe: is a part of bvisor doctor, not for people");
	return CLI_EXIT_REFUSED;
}
