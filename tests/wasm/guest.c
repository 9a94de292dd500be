/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * guest.c - a guest made by clang and wasi-libc: what it is told to do, in order, one line each.
 *
 *   args | env | in | exit N | read PATH | write PATH TEXT | list PATH | trunc PATH | link OLD NEW |
 *   symlink TEXT NEW | rename OLD NEW | rm PATH | time | random | sleep MS | flood BYTES | grow | spin
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void say(const char *what, const char *path, int failed)
{
	printf("%s %s: %s\n", what, path, failed ? strerror(errno) : "ok");
}

static void read_file(const char *path)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (got < 0)
		say("read", path, 1);
	else
		printf("read %s: %.*s\n", path, (int)strcspn(text, "\n"), text);
	if (fd >= 0)
		close(fd);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	say("write", path, fd < 0 || write(fd, text, strlen(text)) < 0);
	if (fd >= 0)
		close(fd);
}

static void list(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int count = 0;

	if (dir == NULL) {
		say("list", path, 1);
		return;
	}
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	printf("list %s: %u\n", path, count);
}

static void flood(long bytes)
{
	static char block[65536];

	memset(block, 'x', sizeof block);
	for (long sent = 0; sent < bytes;) {
		ssize_t wrote = write(1, block, sizeof block);

		if (wrote < 0)
			exit(9);
		sent += wrote;
	}
}

static void grow(void)
{
	size_t pages = 0;

	while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1) {
		char *end = (char *)(__builtin_wasm_memory_size(0) * 65536);

		memset(end - 16 * 65536, 1, 16 * 65536);
		pages += 16;
	}
	printf("grow: refused after %zu KiB\n", pages * 64);
}

static void sleep_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
	printf("slept\n");
}

static int one(char **argv)
{
	const char *what = argv[0];

	if (strcmp(what, "read") == 0)
		return read_file(argv[1]), 2;
	if (strcmp(what, "write") == 0)
		return write_file(argv[1], argv[2]), 3;
	if (strcmp(what, "list") == 0)
		return list(argv[1]), 2;
	if (strcmp(what, "trunc") == 0)
		return say("trunc", argv[1], truncate(argv[1], 0) != 0), 2;
	if (strcmp(what, "link") == 0)
		return say("link", argv[1], link(argv[1], argv[2]) != 0), 3;
	if (strcmp(what, "symlink") == 0)
		return say("symlink", argv[1], symlink(argv[1], argv[2]) != 0), 3;
	if (strcmp(what, "rename") == 0)
		return say("rename", argv[1], rename(argv[1], argv[2]) != 0), 3;
	if (strcmp(what, "rm") == 0)
		return say("rm", argv[1], unlink(argv[1]) != 0), 2;
	if (strcmp(what, "sleep") == 0)
		return sleep_ms(atol(argv[1])), 2;
	if (strcmp(what, "flood") == 0)
		return flood(atol(argv[1])), 2;
	if (strcmp(what, "exit") == 0)
		exit(atoi(argv[1]));
	return 0;
}

static int plain(const char *what)
{
	if (strcmp(what, "env") == 0) {
		for (char **entry = environ; *entry; entry++)
			printf("env %s\n", *entry);
	} else if (strcmp(what, "in") == 0) {
		char text[256];

		while (fgets(text, sizeof text, stdin))
			printf("in %s", text);
	} else if (strcmp(what, "time") == 0) {
		printf("time %lld\n", (long long)time(NULL));
	} else if (strcmp(what, "random") == 0) {
		unsigned char bytes[8];

		printf("random %d", getentropy(bytes, sizeof bytes));
		for (unsigned int i = 0; i < sizeof bytes; i++)
			printf("%02x", bytes[i]);
		printf("\n");
	} else if (strcmp(what, "grow") == 0) {
		grow();
	} else if (strcmp(what, "spin") == 0) {
		for (volatile unsigned int i = 0;; i++)
			;
	} else {
		return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 1; i < argc;) {
		int taken;

		if (strcmp(argv[i], "args") == 0) {
			for (int k = 0; k < argc; k++)
				printf("arg %s\n", argv[k]);
			return 0;
		}
		taken = plain(argv[i]);
		if (taken == 0)
			taken = one(argv + i);
		if (taken == 0) {
			fprintf(stderr, "guest: what is '%s'?\n", argv[i]);
			return 2;
		}
		i += taken;
	}
	return 0;
}
