/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * pty ROWSxCOLUMNS STEP... -- PROGRAM ARG...
 *
 * Runs a program on a terminal of its own and plays its user:
 *
 *     wait:TEXT      until TEXT has come since the last wait
 *     send:TEXT      types it; \r \n and \xNN are understood
 *     size:RxC       resizes the terminal
 *     sleep:MS
 *     modes          notes whether the terminal is raw: prints "[raw]" or "[cooked]"
 *
 * What the program wrote goes to standard output; the status is the program's, 128 and the signal
 * if one killed it, 99 when a wait took longer than ten seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { FAILED = 98, TOO_LATE = 99, MOST = 1 << 20, PATIENCE_MS = 10000 };

static char seen[MOST];
static size_t seen_len, waited_len;
static int master;

static void fail(const char *what)
{
	perror(what);
	exit(FAILED);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads for a while; false at the end of the terminal. */
static int take(int timeout_ms)
{
	struct pollfd waiting = {.fd = master, .events = POLLIN};
	ssize_t n;

	if (poll(&waiting, 1, timeout_ms) <= 0)
		return 1;
	if (seen_len == MOST)
		fail("too much output");
	n = read(master, seen + seen_len, MOST - seen_len);
	if (n <= 0)
		return 0;
	if (write(STDOUT_FILENO, seen + seen_len, (size_t)n) != n)
		fail("write");
	seen_len += (size_t)n;
	return 1;
}

static void wait_for(const char *text)
{
	long end = now_ms() + PATIENCE_MS;
	char *found;

	while (!(found = memmem(seen + waited_len, seen_len - waited_len, text, strlen(text)))) {
		if (now_ms() > end || !take(100)) {
			fprintf(stderr, "pty: '%s' did not come\n", text);
			exit(TOO_LATE);
		}
	}
	waited_len = (size_t)(found - seen) + strlen(text);
}

static void type(const char *text)
{
	for (; *text; text++) {
		char c = *text;

		if (c == '\\' && text[1] == 'n') {
			c = '\n';
			text++;
		} else if (c == '\\' && text[1] == 'r') {
			c = '\r';
			text++;
		} else if (c == '\\' && text[1] == 'x') {
			char hex[3] = {text[2], text[3], '\0'};

			c = (char)strtol(hex, NULL, 16);
			text += 3;
		}
		if (write(master, &c, 1) != 1)
			fail("type");
	}
}

static struct winsize size_of(const char *text)
{
	struct winsize size = {0};

	if (sscanf(text, "%hux%hu", &size.ws_row, &size.ws_col) != 2)
		fail("size");
	return size;
}

static void step(const char *what)
{
	struct winsize size;
	struct termios modes;

	if (strncmp(what, "wait:", 5) == 0) {
		wait_for(what + 5);
	} else if (strncmp(what, "send:", 5) == 0) {
		type(what + 5);
	} else if (strncmp(what, "sleep:", 6) == 0) {
		long end = now_ms() + atol(what + 6);

		while (now_ms() < end && take(10))
			;
	} else if (strncmp(what, "size:", 5) == 0) {
		size = size_of(what + 5);
		if (ioctl(master, TIOCSWINSZ, &size) != 0)
			fail("resize");
	} else if (strcmp(what, "modes") == 0) {
		if (tcgetattr(master, &modes) != 0)
			fail("modes");
		printf("%s\n", modes.c_lflag & ICANON ? "[cooked]" : "[raw]");
		fflush(stdout);
	} else {
		fprintf(stderr, "pty: no step '%s'\n", what);
		exit(FAILED);
	}
}

static pid_t start(struct winsize size, char **argv)
{
	const char *name;
	pid_t pid;

	master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 ||
	    !(name = ptsname(master)))
		fail("terminal");
	if (ioctl(master, TIOCSWINSZ, &size) != 0)
		fail("size");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		setsid();
		int fd = open(name, O_RDWR);

		if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0)
			_exit(FAILED);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		if (fd > 2)
			close(fd);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	int status = 0, first = 2, end = 2;
	pid_t pid;

	alarm(60);
	while (end < argc && strcmp(argv[end], "--") != 0)
		end++;
	if (argc < 4 || end + 1 >= argc) {
		fprintf(stderr, "pty: ROWSxCOLUMNS STEP... -- PROGRAM ARG...\n");
		return FAILED;
	}
	pid = start(size_of(argv[1]), argv + end + 1);
	for (; first < end; first++)
		step(argv[first]);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (!take(50))
			break;
	}
	/* What is still in the terminal's buffer. */
	while (poll(&(struct pollfd){.fd = master, .events = POLLIN}, 1, 0) > 0 && take(0))
		;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
