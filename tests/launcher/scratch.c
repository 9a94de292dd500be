/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Directories for the launcher's tests, and what the tests ask of this machine: see harness.h. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

static void copy_file(const char *from, const char *to)
{
	char data[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	ssize_t got;

	EXPECT_THAT(in >= 0 && out >= 0, "cannot copy %s to %s: %s", from, to, strerror(errno));
	while ((got = read(in, data, sizeof(data))) > 0)
		EXPECT(write(out, data, (size_t)got) == got);
	close(in);
	EXPECT(close(out) == 0);
}

void scratch_open(struct scratch *scratch)
{
	strcpy(scratch->dir, "/tmp/bv-launcher-XXXXXX");
	EXPECT(mkdtemp(scratch->dir) != NULL);
	EXPECT(mkdir(scratch_path(scratch, "ro"), 0755) == 0);
	EXPECT(mkdir(scratch_path(scratch, "rw"), 0755) == 0);
	EXPECT(mkdir(scratch_path(scratch, "out"), 0755) == 0);
	copy_file(probe_path(), scratch_path(scratch, "ro/probe"));
}

static int remove_one(const char *path, const struct stat *seen, int type, struct FTW *ftw)
{
	(void)seen;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_close(const struct scratch *scratch)
{
	nftw(scratch->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const struct scratch *scratch, const char *name)
{
	static char spaces[8][SCRATCH_PATH_BYTES * 2];
	static unsigned int next;
	char *space = spaces[next++ % 8];

	snprintf(space, sizeof(spaces[0]), "%s/%s", scratch->dir, name);
	return space;
}

void scratch_write(const struct scratch *scratch, const char *name, const char *text,
		   unsigned int mode)
{
	const char *path = scratch_path(scratch, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	EXPECT_THAT(fd >= 0, "cannot create %s: %s", path, strerror(errno));
	EXPECT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	EXPECT(fchmod(fd, mode) == 0);
	EXPECT(close(fd) == 0);
}

const char *scratch_read(const struct scratch *scratch, const char *name)
{
	static char text[4096];
	int fd = open(scratch_path(scratch, name), O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return NULL;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got < 0)
		return NULL;
	text[got] = '\0';
	return text;
}

/* One that is dead and waits to be reaped, by whomever, is gone. */
bool process_exists(pid_t pid)
{
	char path[64], text[512];
	const char *state;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return false;
	text[got] = '\0';
	state = strrchr(text, ')');
	return state != NULL && state[2] != 'Z' && state[2] != 'X';
}

bool process_gone(pid_t pid)
{
	const struct timespec pause = {0, 5000000};

	for (int i = 0; i < 200; i++) {
		if (!process_exists(pid))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

bool userns_works(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	return abi > 0 ? (int)abi : 0;
}
