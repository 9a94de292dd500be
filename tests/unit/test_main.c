/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * test_main.c - runs the registered tests, each in its own child, and prints TAP.
 *
 * Uses the C library alone, so that the same file runs natively, statically linked for another
 * machine under an emulator, and under the sanitizers.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MESSAGE_BYTES = 3000, /* below PIPE_BUF: each arrives whole */
	EXIT_FAILED = 1,
	EXIT_SKIPPED = 77,
	/* What a test left behind may be dying already; this long it gets to finish. */
	LEFTOVER_GRACE_MS = 2000,
};

static struct test_case *first;
static struct test_case **tail = &first;
static int message_fd = -1;

void test_register(struct test_case *test)
{
	*tail = test;
	tail = &test->next;
}

int test_patience(void)
{
	const char *text = getenv("BVISOR_TEST_PATIENCE");
	const int patience = text ? atoi(text) : 1;

	return patience < 1 ? 1 : patience > 100 ? 100 : patience;
}

static void send_message(const char *text)
{
	size_t len = strlen(text);

	/* The exit status says the same if the reader is gone. */
	ssize_t n = write(message_fd, text, len < MESSAGE_BYTES ? len : MESSAGE_BYTES);

	(void)n;
}

void test_fail(const char *file, int line, const char *format, ...)
{
	char text[MESSAGE_BYTES];
	va_list args;
	int used = snprintf(text, sizeof text, "F%s:%d: ", file, line);

	va_start(args, format);
	if (used > 0 && (size_t)used < sizeof text)
		(void)vsnprintf(text + used, sizeof text - (size_t)used, format, args);
	va_end(args);
	send_message(text);
	_exit(EXIT_FAILED);
}

/* Whether the comma-separated `list` has a word that `text` has too, or is "all". */
static bool must_run(const char *list, const char *text)
{
	while (list && *list) {
		size_t len = strcspn(list, ",");

		if (len == 3 && strncmp(list, "all", 3) == 0)
			return true;
		for (const char *p = text; len && *p; p++)
			if (strncmp(p, list, len) == 0)
				return true;
		list += len;
		list += *list == ',';
	}
	return false;
}

void test_skip(const char *file, int line, const char *why)
{
	char text[MESSAGE_BYTES];

	if (must_run(getenv("BVISOR_MUST_RUN"), why))
		test_fail(file, line, "must run here (BVISOR_MUST_RUN), but: %s", why);
	(void)snprintf(text, sizeof text, "S%s\n", why);
	send_message(text);
	_exit(EXIT_SKIPPED);
}

void test_expect_str(const char *file, int line, const char *text, const char *actual,
		     const char *expected)
{
	if (actual && expected ? strcmp(actual, expected) == 0 : actual == expected)
		return;
	test_fail(file, line, "%s is %s%s%s, expected %s%s%s", text, actual ? "\"" : "",
		  actual ? actual : "NULL", actual ? "\"" : "", expected ? "\"" : "",
		  expected ? expected : "NULL", expected ? "\"" : "");
}

/* Sixteen bytes from `from`, as hex. */
static void hex_at(const unsigned char *data, size_t size_bytes, size_t from, char ret_hex[64])
{
	size_t used = 0;

	ret_hex[0] = '\0';
	for (size_t i = from; i < size_bytes && i < from + 16; i++)
		used += (size_t)snprintf(ret_hex + used, 64 - used, "%02x ", data[i]);
}

void test_expect_bytes(const char *file, int line, const char *text, const void *actual,
		       size_t actual_bytes, const void *expected, size_t expected_bytes)
{
	const unsigned char *a = actual;
	const unsigned char *e = expected;
	const size_t shorter = actual_bytes < expected_bytes ? actual_bytes : expected_bytes;
	char actual_hex[64];
	char expected_hex[64];
	size_t at = 0;

	while (at < shorter && a[at] == e[at])
		at++;
	if (at == actual_bytes && at == expected_bytes)
		return;
	hex_at(a, actual_bytes, at, actual_hex);
	hex_at(e, expected_bytes, at, expected_hex);
	test_fail(file, line, "%s has %zu bytes, expected %zu; from byte %zu: %s expected: %s",
		  text, actual_bytes, expected_bytes, at, actual_hex, expected_hex);
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
	const struct timespec span = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&span, NULL); /* cut short is fine: the callers look again */
}

/* Kills what the test left in our care (we are the subreaper); returns how many there were. */
static int kill_children(void)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	int count = 0;
	int pid;

	if (!children)
		return 0; /* this kernel does not list them; the process group was killed already */
	while (fscanf(children, "%d", &pid) == 1) {
		(void)kill(pid, SIGKILL); /* gone meanwhile is fine */
		count++;
	}
	(void)fclose(children);
	return count;
}

static void reap_all(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* How many processes are still there after the grace time; none is left when it returns. */
static int clear_leftovers(pid_t group)
{
	const long long until_ms = now_ms() + (long long)LEFTOVER_GRACE_MS * test_patience();
	int left = 0;

	for (;;) {
		reap_all();
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return 0;
		if (now_ms() >= until_ms)
			break;
		sleep_ms(5);
	}
	(void)kill(-group, SIGKILL); /* an empty group is the usual case */
	while (waitpid(-1, NULL, WNOHANG) >= 0 && left < 10000) {
		left += kill_children();
		sleep_ms(5);
	}
	return left ? left : 1;
}

static _Noreturn void run_child(const struct test_case *test)
{
	sigset_t none;

	(void)setpgid(0, 0); /* so that a timeout kills what it started as well */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is TAP and nothing else */
	test->run();
	fflush(NULL);
	/* exit, not _exit: the leak checker reports at exit. */
	exit(0);
}

/* False when the time ran out, and then the child is killed and reaped as well. */
static bool wait_child(pid_t pid, unsigned int timeout_s, int *ret_status)
{
	const long long until_ms = now_ms() + (long long)timeout_s * 1000 * test_patience();
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	while (waitpid(pid, ret_status, WNOHANG) != pid) {
		const long long left_ms = until_ms - now_ms();
		struct timespec span = {left_ms / 1000, left_ms % 1000 * 1000000};

		if (left_ms <= 0) {
			(void)kill(-pid, SIGKILL);
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, ret_status, 0);
			return false;
		}
		(void)sigtimedwait(&child, NULL, &span); /* whatever it says, look again */
	}
	return true;
}

static void print_diagnosis(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		printf("# %.*s\n", (int)len, text);
		text += len;
		text += *text == '\n';
	}
}

/* Prints the one TAP line of a test and what went wrong; true unless it failed. */
static bool print_result(unsigned int number, const struct test_case *test, bool in_time,
			 int status, int left, const char *message)
{
	const bool skipped = in_time && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED &&
			     message[0] == 'S';
	const bool passed = in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
			    !message[0] && !left;

	if (skipped) {
		/* Of several processes of one test the first has said why. */
		printf("ok %u - %s # SKIP %.*s\n", number, test->name,
		       (int)strcspn(message + 1, "\n"), message + 1);
		return true;
	}
	printf("%sok %u - %s\n", passed ? "" : "not ", number, test->name);
	if (passed)
		return true;
	if (message[0])
		print_diagnosis(message + 1);
	if (!in_time)
		printf("# not finished after %u s, killed\n",
		       test->timeout_s * (unsigned int)test_patience());
	else if (WIFSIGNALED(status))
		printf("# killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	else if (!message[0] && WEXITSTATUS(status))
		printf("# exited with %d\n", WEXITSTATUS(status));
	if (left)
		printf("# left %d process(es) behind\n", left);
	return false;
}

static bool run_test(unsigned int number, const struct test_case *test)
{
	char message[MESSAGE_BYTES + 1] = "";
	int fds[2];
	int status = 0;
	int left;
	bool in_time;
	pid_t pid;
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0 || fflush(NULL) != 0 || (pid = fork()) < 0) {
		printf("Bail out! cannot start a test: %s\n", strerror(errno));
		exit(EXIT_FAILED);
	}
	if (pid == 0) {
		close(fds[0]);
		message_fd = fds[1];
		run_child(test);
	}
	close(fds[1]);
	in_time = wait_child(pid, test->timeout_s, &status);
	left = clear_leftovers(pid);
	n = read(fds[0], message, MESSAGE_BYTES);
	if (n < 0)
		n = 0; /* nothing was said */
	message[n] = '\0';
	close(fds[0]);
	return print_result(number, test, in_time, status, in_time ? left : 0, message);
}

static bool wanted(const struct test_case *test, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strstr(test->name, argv[i]))
			return true;
	return false;
}

/* The first argument that chooses nothing: a test that was renamed must not go missing unnoticed. */
static const char *find_useless(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct test_case *t = first;

		while (t && !strstr(t->name, argv[i]))
			t = t->next;
		if (!t)
			return argv[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *useless;
	unsigned int count = 0;
	unsigned int number = 0;
	bool passed = true;
	sigset_t child;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (const struct test_case *t = first; t; t = t->next)
			puts(t->name);
		return 0;
	}
	useless = find_useless(argc, argv);
	if (useless) {
		printf("Bail out! no test has '%s' in its name\n", useless);
		return EXIT_FAILED;
	}
	for (const struct test_case *t = first; t; t = t->next)
		count += wanted(t, argc, argv);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);            /* waited for in wait_child */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* without it, leftovers go unnoticed */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%u\n", count);
	for (const struct test_case *t = first; t; t = t->next)
		if (wanted(t, argc, argv))
			passed &= run_test(++number, t);
	return passed ? 0 : EXIT_FAILED;
}
