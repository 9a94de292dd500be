/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * guest.c - the workload of the confinement tests: does what its arguments say and tells how it went.
 *
 *     guest read /etc/passwd , write /tmp/x hello , exit 3
 *
 * One line for each deed: "read /etc/passwd: ok" or "read /etc/passwd: 13" with the errno.  Static, so
 * that it needs nothing but itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "guest_doors.h"
#include "guest_use.h"

extern char **environ;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	char line[8192];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof(line) - 1)
		len = (int)sizeof(line) - 2;
	line[len++] = '\n';
	if (write(1, line, (size_t)len) != len)
		_exit(99);
}

/* How a call went: 0, or -1 with errno. */
static void told(const char *verb, const char *what, int result)
{
	if (result >= 0)
		say("%s %s: ok", verb, what);
	else
		say("%s %s: %d", verb, what, errno);
}

static int try_read(const char *path)
{
	char data[512];
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, data, sizeof(data));
	close(fd);
	if (got > 0)
		say("content %.*s", (int)strcspn(data, "\n"), data);
	return got < 0 ? -1 : 0;
}

static int try_write(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0666);
	ssize_t wrote;

	if (fd < 0)
		return -1;
	wrote = write(fd, text, strlen(text));
	close(fd);
	return wrote < 0 ? -1 : 0;
}

static int try_list(const char *path)
{
	DIR *dir = opendir(path);

	if (dir == NULL)
		return -1;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (entry->d_name[0] != '.')
			say("entry %s", entry->d_name);
	}
	closedir(dir);
	return 0;
}

/* Its status, or the errno of execve by way of status 200 + errno. */
static int try_exec(char *path)
{
	char *const argv[] = {path, NULL}, *const envp[] = {NULL};
	pid_t pid = fork();
	int status = 0;

	if (pid < 0)
		return -1;
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (null >= 0)
			dup2(null, 1);
		execve(path, argv, envp);
		_exit(200 + (errno < 50 ? errno : 50));
	}
	if (waitpid(pid, &status, 0) < 0)
		return -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= 200) {
		errno = WEXITSTATUS(status) - 200;
		return -1;
	}
	return 0;
}

static int try_map_code(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *code = fd >= 0 ? mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0)
			     : MAP_FAILED;

	return code == MAP_FAILED ? -1 : 0;
}

static void show_fds(void)
{
	for (int fd = 0; fd < 70000; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			say("fd %d", fd);
	}
}

static void show_ignored(void)
{
	sigset_t blocked;
	int count = 0;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < 65; number++) {
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
			count++;
		if (sigismember(&blocked, number) == 1)
			count++;
	}
	say("ignored or blocked %d", count);
}

static void flood(unsigned long long size_bytes)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	while (size_bytes > 0) {
		size_t want = size_bytes < sizeof(block) ? (size_t)size_bytes : sizeof(block);
		ssize_t wrote = write(1, block, want);

		if (wrote <= 0)
			_exit(98);
		size_bytes -= (unsigned long long)wrote;
	}
}

static void read_input(void)
{
	unsigned long long total = 0, sum = 0;
	unsigned char data[4096];

	for (ssize_t got; (got = read(0, data, sizeof(data))) > 0;
	     total += (unsigned long long)got) {
		for (ssize_t i = 0; i < got; i++)
			sum = sum * 31 + data[i];
	}
	say("stdin %llu bytes sum %llu", total, sum);
}

/* Lineages whose every process makes the next one and ends: whoever looks for one finds it gone. */
static void storm(int lineages)
{
	const time_t end = time(NULL) + 5;

	prctl(PR_SET_NAME, "bvisor-storm", 0, 0, 0);
	for (int i = 0; i < lineages; i++) {
		if (fork() != 0)
			continue;
		setsid();
		while (time(NULL) < end) {
			if (fork() > 0)
				_exit(0);
		}
		_exit(0);
	}
	pause();
}

/* A grandchild in a session of its own that keeps standard output open. */
static void leave_daemon(unsigned int seconds)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		return;
	if (fork() == 0) {
		setsid();
		signal(SIGHUP, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		if (fork() == 0) {
			close(ready[0]);
			if (write(ready[1], "r", 1) != 1)
				_exit(1);
			sleep(seconds);
			say("daemon lived on");
			_exit(0);
		}
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		say("daemon left");
}

/* Forks until it is refused or `most` live at once; the children wait for our death. */
static void fork_many(int most)
{
	int held[2], count = 1;
	char byte;

	if (pipe(held) != 0)
		return;
	while (count < most) {
		pid_t pid = fork();

		if (pid == 0) {
			close(held[1]);
			_exit(read(held[0], &byte, 1) == 0 ? 0 : 1);
		}
		if (pid < 0) {
			say("tasks %d then %d", count, errno);
			/* Long enough for whoever looks from time to time. */
			usleep(300000);
			break;
		}
		count++;
	}
	if (count == most)
		say("tasks %d", count);
	close(held[1]);
	while (wait(NULL) > 0)
		;
}

static void *do_nothing(void *argument)
{
	return argument;
}

static int try_thread(void)
{
	pthread_t thread;
	int problem = pthread_create(&thread, NULL, do_nothing, NULL);

	if (problem != 0) {
		errno = problem;
		return -1;
	}
	return pthread_join(thread, NULL);
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : (int)waitpid(pid, NULL, 0);
}

/* ---- network and neighbours ------------------------------------------------------------------ */

static int try_connect(const struct sockaddr *address, socklen_t size, int type)
{
	int fd = socket(address->sa_family, type, 0);
	int result;

	if (fd < 0)
		return -1;
	result = connect(fd, address, size);
	if (result == 0 && send(fd, "hello", 5, MSG_NOSIGNAL) != 5)
		result = -1;
	close(fd);
	return result;
}

static int try_inet(const char *port, int type)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons((uint16_t)atoi(port)),
					    .sin_addr = {htonl(INADDR_LOOPBACK)}};

	return try_connect((const struct sockaddr *)&address, sizeof(address), type);
}

/* '@' begins an abstract name. */
static socklen_t unix_address(const char *name, struct sockaddr_un *address)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strncpy(address->sun_path, name, sizeof(address->sun_path) - 1);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

static int try_unix(const char *name, int type)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(name, &address);

	return try_connect((const struct sockaddr *)&address, size, type);
}

/* The way around a filter of socket(2): one of a connected pair is sent elsewhere. */
static int try_pair(const char *name)
{
	struct sockaddr_un address;
	socklen_t size = unix_address(name, &address);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0)
		return -1;
	return sendto(pair[0], "hello", 5, MSG_NOSIGNAL, (const struct sockaddr *)&address, size) ==
			       5
		       ? 0
		       : -1;
}

static int try_local_pair(void)
{
	int pair[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return -1;
	return write(pair[0], "x", 1) == 1 && read(pair[1], &byte, 1) == 1 ? 0 : -1;
}

static void show_processes(void)
{
	DIR *proc = opendir("/proc");
	int count = 0;

	if (proc == NULL) {
		say("processes: %d", errno);
		return;
	}
	for (const struct dirent *entry; (entry = readdir(proc)) != NULL;)
		count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
	closedir(proc);
	say("processes %d", count);
}

static void show_terminal(void)
{
	struct winsize size = {0, 0, 0, 0};
	int fd = open("/dev/tty", O_RDWR);

	say("terminal %d %d %d", isatty(0), isatty(1), isatty(2));
	say("controlling: %s", fd >= 0 ? "yes" : "no");
	if (ioctl(0, TIOCGWINSZ, &size) == 0)
		say("size %d %d", size.ws_row, size.ws_col);
	say("session %s", getsid(0) == getpid() ? "own" : "other");
}

static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught = number;
}

static void await_signal(int number)
{
	struct sigaction action = {.sa_handler = catch};

	sigaction(number, &action, NULL);
	say("waiting");
	for (int i = 0; i < 1000 && caught == 0; i++)
		usleep(10000);
	say("caught %d", (int)caught);
}

static void spin(double seconds)
{
	struct timespec start, now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 <
		 seconds);
}

static int open_many(int most)
{
	int count = 0;

	while (count < most && open("/dev/null", O_RDONLY) >= 0)
		count++;
	say("opened %d", count);
	return 0;
}

/* Touches so many MiB and keeps them. */
static int take_memory(int mebibytes)
{
	const size_t size = (size_t)mebibytes << 20;
	char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return -1;
	for (size_t at = 0; at < size; at += 4096)
		data[at] = 1;
	return 0;
}

/* So many in this process and as many in a child, at the same time. */
static int take_memory_twice(int mebibytes)
{
	int done[2];
	char byte = 0;

	if (pipe(done) != 0)
		return -1;
	if (fork() == 0) {
		if (take_memory(mebibytes) == 0)
			(void)!write(done[1], &byte, 1);
		pause();
	}
	close(done[1]);
	return take_memory(mebibytes) == 0 && read(done[0], &byte, 1) == 1 ? 0 : -1;
}

/* ---- storage ----------------------------------------------------------------------------------- */

/* How far something went, and what stopped it. */
static void say_until(const char *verb, const char *path, unsigned long long count, int stopped)
{
	if (stopped != 0)
		say("%s %s %llu then %d", verb, path, count, stopped);
	else
		say("%s %s %llu", verb, path, count);
}

static void fill(const char *path, unsigned long long most)
{
	static char block[4096];
	unsigned long long size_bytes = 0;
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	int stopped = fd < 0 ? errno : 0;

	signal(SIGXFSZ, SIG_IGN);
	memset(block, 'x', sizeof(block));
	while (stopped == 0 && size_bytes < most) {
		ssize_t wrote = write(fd, block, sizeof(block));

		if (wrote < 0)
			stopped = errno;
		else
			size_bytes += (unsigned long long)wrote;
	}
	if (fd >= 0)
		close(fd);
	say_until("filled", path, size_bytes, stopped);
}

/* Files of `size_bytes` each, `most` of them. */
static void make_many(const char *dir, unsigned long long most, size_t size_bytes)
{
	static char block[8192];
	unsigned long long count = 0;
	int stopped = 0;

	while (stopped == 0 && count < most) {
		char path[4096];
		int fd;

		(void)snprintf(path, sizeof(path), "%s/%llu", dir, count);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
		if (fd < 0 || write(fd, block, size_bytes) != (ssize_t)size_bytes)
			stopped = errno;
		else
			count++;
		if (fd >= 0)
			close(fd);
	}
	say_until("made", dir, count, stopped);
}

/* Held open and without a name: found in no directory. */
static void fill_unlinked(const char *path, unsigned long long most)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0666), stopped = fd < 0 ? errno : 0;
	static char block[65536];
	unsigned long long size_bytes = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (fd >= 0)
		unlink(path);
	while (stopped == 0 && size_bytes < most) {
		ssize_t wrote = write(fd, block, sizeof(block));

		if (wrote < 0)
			stopped = errno;
		else
			size_bytes += (unsigned long long)wrote;
		if (size_bytes % (8 << 20) == 0)
			usleep(20000);
	}
	say_until("held", path, size_bytes, stopped);
}

/* By a descriptor it was given. */
static void pour(int fd, unsigned long long most)
{
	static char block[65536];
	unsigned long long size_bytes = 0;
	char number[16];
	int stopped = 0;

	signal(SIGXFSZ, SIG_IGN);
	while (stopped == 0 && size_bytes < most) {
		ssize_t wrote = write(fd, block, sizeof(block));

		if (wrote < 0)
			stopped = errno;
		else
			size_bytes += (unsigned long long)wrote;
	}
	(void)snprintf(number, sizeof(number), "%d", fd);
	say_until("poured", number, size_bytes, stopped);
}

static int allocate(const char *path, unsigned long long size_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0666), result;

	if (fd < 0)
		return -1;
	result = fallocate(fd, 0, 0, (off_t)size_bytes);
	close(fd);
	return result;
}

static int make_sparse(const char *path, unsigned long long size_bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0666), result;

	if (fd < 0)
		return -1;
	result = ftruncate(fd, (off_t)size_bytes);
	close(fd);
	return result;
}

static int enlarge(const char *path)
{
	return mount(NULL, path, NULL, MS_REMOUNT, "size=1g,nr_inodes=1000000");
}

/* ---- deeds without, with one, with two words behind them ------------------------------------- */

static bool do_bare(const char *verb)
{
	if (strcmp(verb, "env") == 0) {
		for (char **entry = environ; *entry != NULL; entry++)
			say("env %s", *entry);
	} else if (strcmp(verb, "fds") == 0) {
		show_fds();
	} else if (strcmp(verb, "ignored") == 0) {
		show_ignored();
	} else if (strcmp(verb, "stdin") == 0) {
		read_input();
	} else if (strcmp(verb, "ids") == 0) {
		say("ids %u %u", getuid(), getgid());
	} else if (strcmp(verb, "fork") == 0) {
		told(verb, "", try_fork());
	} else if (strcmp(verb, "thread") == 0) {
		told(verb, "", try_thread());
	} else if (strcmp(verb, "processes") == 0) {
		show_processes();
	} else if (strcmp(verb, "terminal") == 0) {
		show_terminal();
	} else if (strcmp(verb, "pair") == 0) {
		told(verb, "", try_local_pair());
	} else if (strcmp(verb, "cwd") == 0) {
		char here[4096];

		say("cwd %s", getcwd(here, sizeof(here)) != NULL ? here : "?");
	} else if (strcmp(verb, "hide") == 0) {
		/* From whoever is not root and looks into /proc. */
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		say(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? "hidden" : "in sight");
	} else if (strcmp(verb, "umask") == 0) {
		say("umask %03o", (unsigned int)umask(0));
	} else {
		return false;
	}
	return true;
}

static bool do_one(const char *verb, char *word)
{
	struct stat seen;

	if (strcmp(verb, "move-away") == 0) {
		char away[400];

		(void)snprintf(away, sizeof(away), "%s.away", word);
		told(verb, word, rename(word, away));
	} else if (strcmp(verb, "exit") == 0)
		_exit(atoi(word));
	else if (strcmp(verb, "raise") == 0)
		raise(atoi(word));
	else if (strcmp(verb, "read") == 0)
		told(verb, word, try_read(word));
	else if (strcmp(verb, "create") == 0)
		told(verb, word, try_write(word, "new\n", O_CREAT | O_EXCL));
	else if (strcmp(verb, "truncate") == 0)
		told(verb, word, truncate(word, 0));
	else if (strcmp(verb, "unlink") == 0)
		told(verb, word, unlink(word));
	else if (strcmp(verb, "mkdir") == 0)
		told(verb, word, mkdir(word, 0755));
	else if (strcmp(verb, "chmod") == 0)
		told(verb, word, chmod(word, 0600));
	else if (strcmp(verb, "set-id") == 0)
		told(verb, word, chmod(word, 06755));
	else if (strcmp(verb, "create-set-id") == 0)
		told(verb, word, open(word, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 06755));
	else if (strcmp(verb, "stat") == 0)
		told(verb, word, stat(word, &seen));
	else if (strcmp(verb, "list") == 0)
		told(verb, word, try_list(word));
	else if (strcmp(verb, "exec") == 0)
		told(verb, word, try_exec(word));
	else if (strcmp(verb, "map") == 0)
		told(verb, word, try_map_code(word));
	else if (strcmp(verb, "mkfifo") == 0)
		told(verb, word, mkfifo(word, 0600));
	else if (strcmp(verb, "flood") == 0)
		flood(strtoull(word, NULL, 10));
	else if (strcmp(verb, "err") == 0)
		(void)!write(2, word, strlen(word));
	else if (strcmp(verb, "out") == 0)
		(void)!write(1, word, strlen(word));
	else if (strcmp(verb, "daemon") == 0)
		leave_daemon((unsigned int)atoi(word));
	else if (strcmp(verb, "sleep") == 0)
		usleep((useconds_t)atoi(word) * 1000);
	else if (strcmp(verb, "spin") == 0)
		spin(atof(word));
	else if (strcmp(verb, "tasks") == 0)
		fork_many(atoi(word));
	else if (strcmp(verb, "memory") == 0)
		told(verb, word, take_memory(atoi(word)));
	else if (strcmp(verb, "memory-twice") == 0)
		told(verb, word, take_memory_twice(atoi(word)));
	else if (strcmp(verb, "storm") == 0)
		storm(atoi(word));
	else if (strcmp(verb, "open") == 0)
		open_many(atoi(word));
	else if (strcmp(verb, "tcp") == 0)
		told(verb, word, try_inet(word, SOCK_STREAM));
	else if (strcmp(verb, "udp") == 0)
		told(verb, word, try_inet(word, SOCK_DGRAM));
	else if (strcmp(verb, "unix") == 0)
		told(verb, word, try_unix(word, SOCK_STREAM));
	else if (strcmp(verb, "unix-dgram") == 0)
		told(verb, word, try_unix(word, SOCK_DGRAM));
	else if (strcmp(verb, "pair-to") == 0)
		told(verb, word, try_pair(word));
	else if (strcmp(verb, "kill") == 0)
		told(verb, word, kill(atoi(word), SIGKILL));
	else if (strcmp(verb, "ptrace") == 0)
		told(verb, "", (int)syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, atoi(word), 0, 0));
	else if (strcmp(verb, "await") == 0)
		await_signal(atoi(word));
	else if (strcmp(verb, "door") == 0)
		told(verb, word, guest_door(word));
	else if (strcmp(verb, "enlarge") == 0)
		told(verb, word, enlarge(word));
	else if (strcmp(verb, "umount") == 0)
		told(verb, word, umount(word));
	else if (strcmp(verb, "rmdir") == 0)
		told(verb, word, rmdir(word));
	else
		return false;
	return true;
}

static bool do_two(const char *verb, const char *word, const char *other)
{
	if (strcmp(verb, "write") == 0)
		told(verb, word, try_write(word, other, O_CREAT | O_APPEND));
	else if (strcmp(verb, "rename") == 0)
		told(verb, word, rename(word, other));
	else if (strcmp(verb, "link") == 0)
		told(verb, word, link(word, other));
	else if (strcmp(verb, "symlink") == 0)
		told(verb, other, symlink(word, other));
	else if (strcmp(verb, "fill") == 0)
		fill(word, strtoull(other, NULL, 10));
	else if (strcmp(verb, "hold") == 0)
		fill_unlinked(word, strtoull(other, NULL, 10));
	else if (strcmp(verb, "pour") == 0)
		pour(atoi(word), strtoull(other, NULL, 10));
	else if (strcmp(verb, "empties") == 0)
		make_many(word, strtoull(other, NULL, 10), 0);
	else if (strcmp(verb, "smalls") == 0)
		make_many(word, strtoull(other, NULL, 10), 5000);
	else if (strcmp(verb, "allocate") == 0)
		told(verb, word, allocate(word, strtoull(other, NULL, 10)));
	else if (strcmp(verb, "sparse") == 0)
		told(verb, word, make_sparse(word, strtoull(other, NULL, 10)));
	else if (strcmp(verb, "calls") == 0) {
		guest_calls(atoi(word), atoi(other));
		told(verb, word, 0);
	} else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	int at = 1;

	while (at < argc) {
		int end = at;
		bool known;

		while (end < argc && strcmp(argv[end], ",") != 0)
			end++;
		known = end - at == 1 ? do_bare(argv[at])
			: end - at == 2
				? do_one(argv[at], argv[at + 1]) || do_use(argv[at], argv[at + 1])
			: end - at == 3 ? do_two(argv[at], argv[at + 1], argv[at + 2]) ||
						  do_use_at(argv[at], argv[at + 1], argv[at + 2])
					: false;
		if (!known) {
			say("guest: no such deed: %s", argv[at]);
			return 97;
		}
		at = end + 1;
	}
	return 0;
}
