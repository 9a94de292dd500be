/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The workload of the launcher's tests: a static program that does what it is told, in order, and
 * says on standard output what came of it.  No shell, so that no test depends on which one is
 * installed.
 *
 *     probe copy SECRET EXFIL create ESCAPE text fds exit 7
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FDS_LOOKED_AT = 4096 };

static void result(const char *what, int failed)
{
	printf("%s=%d\n", what, failed ? errno : 0);
	fflush(stdout);
}

static void do_copy(char **args)
{
	char data[4096];
	int from = open(args[0], O_RDONLY | O_CLOEXEC);
	ssize_t got;
	int to;

	result("copy-open", from < 0);
	if (from < 0)
		return;
	got = read(from, data, sizeof(data));
	result("copy-read", got < 0);
	to = open(args[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	result("copy-create", to < 0);
	if (to >= 0 && got > 0)
		result("copy-write", write(to, data, (size_t)got) != got);
	close(from);
	close(to);
}

static void do_create(char **args)
{
	int fd = open(args[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	result("create", fd < 0);
	if (fd >= 0)
		result("create-write", write(fd, args[1], strlen(args[1])) < 0);
	close(fd);
}

static void do_cat(char **args)
{
	char data[65536];
	int fd = open(args[0], O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0) {
		result("cat", 1);
		return;
	}
	while ((got = read(fd, data, sizeof(data))) > 0)
		fwrite(data, 1, (size_t)got, stdout);
	fflush(stdout);
	close(fd);
}

static void do_fds(char **args)
{
	(void)args;
	printf("fds:");
	for (int fd = 0; fd < FDS_LOOKED_AT; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			printf(" %d", fd);
	}
	printf("\n");
	fflush(stdout);
}

static void do_env(char **args)
{
	(void)args;
	for (char **variable = environ; *variable != NULL; variable++)
		printf("env:%s\n", *variable);
	fflush(stdout);
}

static void do_args(char **args)
{
	for (; *args != NULL; args++)
		printf("arg:%s\n", *args);
	fflush(stdout);
	exit(0);
}

static void do_ids(char **args)
{
	(void)args;
	printf("uid=%u gid=%u sid-is-pid=%d\n", (unsigned int)getuid(), (unsigned int)getgid(),
	       getsid(0) == getpid());
	fflush(stdout);
}

static void do_out(char **args)
{
	static char block[4096];
	size_t left = strtoul(args[0], NULL, 10);

	memset(block, args[1][0], sizeof(block));
	while (left > 0) {
		size_t part = left < sizeof(block) ? left : sizeof(block);
		ssize_t put = write(1, block, part);

		if (put <= 0)
			exit(9);
		left -= (size_t)put;
	}
}

/* Exactly these bytes, without a newline. */
static void do_say(char **args)
{
	int fd = atoi(args[0]);

	if (write(fd, args[1], strlen(args[1])) < 0)
		exit(9);
}

static void do_exists(char **args)
{
	struct stat seen;

	result("exists", lstat(args[0], &seen) != 0);
}

/*
 * A character device, /dev/null's numbers; the device 0:0, which needs no capability, so that only
 * Landlock can deny it; then a fifo, for the control.
 */
static void do_mknod(char **args)
{
	result("mknod-char", mknod(args[0], S_IFCHR | 0644, makedev(1, 3)) != 0);
	unlink(args[0]);
	result("mknod-whiteout", mknod(args[0], S_IFCHR | 0644, makedev(0, 0)) != 0);
	unlink(args[0]);
	result("mknod-fifo", mknod(args[0], S_IFIFO | 0644, 0) != 0);
}

/*
 * Every change of a directory there is, below `args[0]`, which has a file "f", an empty directory
 * "d" and a directory "e".  One character each: 0 done, A denied with EACCES, X with EXDEV, ? else.
 */
static void do_changes(char **args)
{
	static const struct sockaddr_un shape = {.sun_family = AF_UNIX};
	struct sockaddr_un name = shape;
	char letters[16];
	size_t count = 0;
	int results[10], errors[10];

	if (chdir(args[0]) != 0)
		exit(9);
	strcpy(name.sun_path, "sock");
#define CHANGE(call)                                                                               \
	do {                                                                                       \
		results[count] = (call);                                                           \
		errors[count++] = errno;                                                           \
	} while (0)
	CHANGE(truncate("f", 0));
	CHANGE(mkdir("new-directory", 0755));
	CHANGE(symlink("f", "new-link"));
	CHANGE(mkfifo("new-fifo", 0644));
	CHANGE(bind(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (const struct sockaddr *)&name,
		    sizeof(name)));
	CHANGE(link("f", "e/new-name"));
	CHANGE(rename("f", "e/f"));
	CHANGE(creat("new-file", 0644) < 0 ? -1 : 0);
	CHANGE(unlink("g"));
	CHANGE(rmdir("d"));
#undef CHANGE
	for (size_t i = 0; i < count; i++)
		letters[i] = results[i] == 0       ? '0'
			     : errors[i] == EACCES ? 'A'
			     : errors[i] == EXDEV  ? 'X'
						   : '?';
	letters[count] = '\0';
	printf("changes:%s\n", letters);
	fflush(stdout);
}

/* TCGETS, which every device but a terminal answers with ENOTTY. */
static void do_ioctl(char **args)
{
	char space[256];
	int fd = open(args[0], O_RDONLY | O_CLOEXEC);

	result("ioctl-open", fd < 0);
	result("ioctl", ioctl(fd, 0x5401, space) != 0);
	close(fd);
}

static void do_link(char **args)
{
	char target[4096];
	ssize_t got = readlink(args[0], target, sizeof(target) - 1);

	if (got < 0) {
		result("link", 1);
		return;
	}
	target[got] = '\0';
	printf("link:%s\n", target);
	fflush(stdout);
}

static void do_sleep(char **args)
{
	const long ms = atol(args[0]);
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void do_exit(char **args)
{
	exit(atoi(args[0]));
}

static void do_signal(char **args)
{
	raise(atoi(args[0]));
}

/* A raw call: number and three arguments.  "newfd" in the result tells nothing but that it worked. */
static void do_syscall(char **args)
{
	unsigned long number = strtoul(args[0], NULL, 0);
	long got = syscall((long)number, strtoul(args[1], NULL, 0), strtoul(args[2], NULL, 0),
			   strtoul(args[3], NULL, 0), 0);

	printf("syscall-%s=%d\n", args[0], got < 0 ? errno : 0);
	fflush(stdout);
}

/* Each domain in turn, as socketpair with the type given. */
static void do_socketpair(char **args)
{
	int pair[2];
	long got = syscall(SYS_socketpair, atoi(args[0]), atoi(args[1]), 0, pair);

	printf("socketpair-%s-%s=%d\n", args[0], args[1], got < 0 ? errno : 0);
	fflush(stdout);
}

static void do_fork(char **args)
{
	pid_t pid;

	(void)args;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(0);
	result("fork", pid < 0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void do_fork_syscall(char **args)
{
	pid_t pid;

	(void)args;
	fflush(stdout);
#if defined(SYS_fork)
	pid = (pid_t)syscall(SYS_fork);
	if (pid == 0)
		_exit(0);
	result("fork-syscall", pid < 0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
#else
	pid = 0;
	printf("fork-syscall=1\n");
#endif
}

static void *thread_body(void *argument)
{
	return argument;
}

static void do_thread(char **args)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, thread_body, NULL);

	(void)args;
	printf("thread=%d\n", error);
	fflush(stdout);
	if (error == 0)
		pthread_join(thread, NULL);
}

/* Leaves a process behind that keeps standard output open for as many milliseconds. */
static void do_linger(char **args)
{
	fflush(stdout);
	if (fork() == 0) {
		do_sleep(args);
		_exit(0);
	}
}

static void do_dispositions(char **args)
{
	(void)args;
	printf("not-default:");
	for (int number = 1; number <= 64; number++) {
		struct sigaction action;

		/* glibc keeps two for itself and will not talk of them. */
		if (number == SIGKILL || number == SIGSTOP || sigaction(number, NULL, &action) != 0)
			continue;
		if (action.sa_handler != SIG_DFL)
			printf(" %d", number);
	}
	printf("\n");
	fflush(stdout);
}

static void do_prctl(char **args)
{
	(void)args;
	printf("no-new-privs=%d securebits=%d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	       prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	fflush(stdout);
}

static const struct {
	const char *name;
	int arg_count;
	void (*run)(char **args);
} acts[] = {
	{"copy", 2, do_copy},
	{"create", 2, do_create},
	{"cat", 1, do_cat},
	{"fds", 0, do_fds},
	{"env", 0, do_env},
	{"args", 0, do_args},
	{"ids", 0, do_ids},
	{"out", 2, do_out},
	{"say", 2, do_say},
	{"exists", 1, do_exists},
	{"mknod", 1, do_mknod},
	{"changes", 1, do_changes},
	{"ioctl", 1, do_ioctl},
	{"link", 1, do_link},
	{"sleep", 1, do_sleep},
	{"exit", 1, do_exit},
	{"signal", 1, do_signal},
	{"syscall", 4, do_syscall},
	{"socketpair", 2, do_socketpair},
	{"fork", 0, do_fork},
	{"fork-syscall", 0, do_fork_syscall},
	{"thread", 0, do_thread},
	{"linger", 1, do_linger},
	{"dispositions", 0, do_dispositions},
	{"prctl", 0, do_prctl},
};

int main(int argc, char **argv)
{
	for (int i = 1; i < argc;) {
		size_t act = 0;

		while (act < sizeof(acts) / sizeof(acts[0]) && strcmp(acts[act].name, argv[i]) != 0)
			act++;
		if (act == sizeof(acts) / sizeof(acts[0]) || argc - i - 1 < acts[act].arg_count) {
			fprintf(stderr, "probe: what is '%s'?\n", argv[i]);
			return 99;
		}
		acts[act].run(argv + i + 1);
		i += 1 + acts[act].arg_count;
	}
	return 0;
}
