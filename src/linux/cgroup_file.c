/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cgroup_file.c - the small files of a control group, for host and launcher alike. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"

ssize_t bv__group_get(int group_fd, const char *file, char *text, size_t size_bytes)
{
	int fd = openat(group_fd, file, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (fd < 0)
		return -1;
	while (used + 1 < size_bytes) {
		ssize_t got = read(fd, text + used, size_bytes - 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			const int saved = errno;

			close(fd);
			errno = saved;
			return -1;
		}
		if (got == 0)
			break;
		used += (size_t)got;
	}
	close(fd);
	text[used] = '\0';
	return (ssize_t)used;
}

int bv__group_put(int group_fd, const char *file, const char *text)
{
	const size_t length = strlen(text);
	int fd = openat(group_fd, file, O_WRONLY | O_CLOEXEC);
	ssize_t put;
	int saved;

	if (fd < 0)
		return -1;
	do {
		put = write(fd, text, length);
	} while (put < 0 && errno == EINTR);
	saved = errno;
	close(fd);
	errno = saved;
	return put == (ssize_t)length ? 0 : -1;
}

bool bv__group_number(const char *text, const char *key, uint64_t *ret_number)
{
	const size_t length = strlen(key);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || (length > 0 && line[length] != ' '))
			continue;
		*ret_number = strtoull(line + length, &end, 10);
		return end != line + length;
	}
	return false;
}

/* Until 5.14 is the oldest supported: a frozen group cannot fork past its killer. */
static int kill_frozen(int group_fd)
{
	char text[65536];
	ssize_t got;

	if (bv__group_put(group_fd, "cgroup.freeze", "1") != 0)
		return -1;
	got = bv__group_get(group_fd, "cgroup.procs", text, sizeof(text));
	for (char *next = text; got > 0;) {
		char *end;
		long pid = strtol(next, &end, 10);

		if (end == next)
			break;
		next = end;
		if (pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
	}
	return bv__group_put(group_fd, "cgroup.freeze", "0");
}

int bv__group_kill(int group_fd)
{
	if (bv__group_put(group_fd, "cgroup.kill", "1") == 0)
		return 0;
	return errno == ENOENT ? kill_frozen(group_fd) : -1;
}
