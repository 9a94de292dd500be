/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cgroup_systemd.c - asks the user's own systemd about one of its units.
 *
 * By its command: a bus library would be linked into every program of ours for one question that is
 * asked once in the life of a scope.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "spawn.h"
#include "sys.h"

enum { ANSWER_TIMEOUT_MS = 3000, VARIABLE_MAX = 512 };

/* NAME=VALUE of a variable of ours, or "" when it is not set or too long. */
static char *variable(const char *name, char text[VARIABLE_MAX])
{
	const char *value = secure_getenv(name);

	if (value == NULL ||
	    (size_t)snprintf(text, VARIABLE_MAX, "%s=%s", name, value) >= VARIABLE_MAX)
		text[0] = '\0';
	return text;
}

static bool says_yes(int fd)
{
	char answer[16];
	size_t used = 0;

	while (used < sizeof(answer) - 1) {
		struct pollfd ready = {fd, POLLIN, 0};
		ssize_t got;

		if (poll(&ready, 1, ANSWER_TIMEOUT_MS) <= 0)
			return false;
		got = read(fd, answer + used, sizeof(answer) - 1 - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
	}
	answer[used] = '\0';
	return strcmp(answer, "yes\n") == 0;
}

bool bv__systemd_delegates(const char *unit)
{
	char name[256], runtime[VARIABLE_MAX], bus[VARIABLE_MAX];
	const char *const words[] = {"systemctl", "--user", "show", "--property=Delegate",
				     "--value",   "--",     name,   NULL};
	char *envp[] = {variable("XDG_RUNTIME_DIR", runtime),
			variable("DBUS_SESSION_BUS_ADDRESS", bus), NULL};
	struct bv_spawn spawn = {.argv = (char *const *)words, .envp = envp, .fd_count = 3};
	int answer[2] = {-1, -1}, pidfd = -1;
	bool yes = false;
	pid_t pid;
	int null = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);

	spawn.exe_fd = openat(AT_FDCWD, "/usr/bin/systemctl", O_RDONLY | O_CLOEXEC);
	if (runtime[0] != '\0' && null >= 0 && spawn.exe_fd >= 0 && strlen(unit) < sizeof(name) &&
	    pipe2(answer, O_CLOEXEC) == 0) {
		memcpy(name, unit, strlen(unit) + 1);
		spawn.fds[0] = (struct bv_spawn_fd){null, 0};
		spawn.fds[1] = (struct bv_spawn_fd){answer[1], 1};
		spawn.fds[2] = (struct bv_spawn_fd){null, 2};
		if (bv__spawn(&spawn, &pid, &pidfd, NULL) == BV_OK) {
			close(answer[1]);
			answer[1] = -1;
			yes = says_yes(answer[0]);
			(void)bv_sys_kill_child(pid, pidfd);
			(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
			close(pidfd);
		}
	}
	for (int i = 0; i < 2; i++) {
		if (answer[i] >= 0)
			close(answer[i]);
	}
	if (spawn.exe_fd >= 0)
		close(spawn.exe_fd);
	if (null >= 0)
		close(null);
	return yes;
}
