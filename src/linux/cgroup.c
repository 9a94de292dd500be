/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* cgroup.c - the control group of one run: made, read, killed, removed. */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn.h"
#include "sys.h"

#define LEAF_PREFIX "run-"

enum {
	LEAF_RANDOM_BYTES = 16,
	MAKE_TRIES = 4,
	TEXT_MAX = 4096,
};

static int open_group(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- made ------------------------------------------------------------------------------------ */

static bool random_name(char *ret_name, size_t size)
{
	unsigned char bytes[LEAF_RANDOM_BYTES];
	size_t at = sizeof(LEAF_PREFIX) - 1;

	if (size < at + 2 * sizeof(bytes) + 1 ||
	    bv_sys_getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return false;
	memcpy(ret_name, LEAF_PREFIX, at);
	for (size_t i = 0; i < sizeof(bytes); i++, at += 2)
		(void)snprintf(ret_name + at, 3, "%02x", bytes[i]);
	return true;
}

/*
 * Makes a leaf and takes its lock.  A sweep that came between the two has removed it again, or holds
 * the lock to do so: then another name is drawn.
 */
static int make_leaf(const char *place, struct bv_cgroup *ret_group)
{
	char name[64];

	for (int i = 0; i < MAKE_TRIES; i++) {
		int length;

		if (!random_name(name, sizeof(name)))
			return -1;
		length = snprintf(ret_group->path, sizeof(ret_group->path), "%s/%s", place, name);
		if (length < 0 || (size_t)length >= sizeof(ret_group->path)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		/* Nobody else may open it, and so lock it. */
		if (mkdir(ret_group->path, 0700) != 0)
			return -1;
		ret_group->fd = open_group(AT_FDCWD, ret_group->path);
		if (ret_group->fd >= 0 && flock(ret_group->fd, LOCK_SH | LOCK_NB) == 0 &&
		    faccessat(ret_group->fd, "cgroup.procs", F_OK, 0) == 0)
			return 0;
		if (ret_group->fd >= 0)
			close(ret_group->fd);
		ret_group->fd = -1;
		(void)rmdir(ret_group->path);
	}
	errno = EAGAIN;
	return -1;
}

static int put_number(int fd, const char *file, uint64_t number)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return bv__group_put(fd, file, text);
}

/* What the kernel does not know cannot be missing: swap accounting and zswap are options of a kernel. */
static int put_where_known(int fd, const char *file, const char *text)
{
	return bv__group_put(fd, file, text) == 0 || errno == ENOENT ? 0 : -1;
}

static int put_limits(int fd, const struct bv_cgroup_limits *limits)
{
	if (limits->tasks != UINT64_MAX && put_number(fd, "pids.max", limits->tasks) != 0)
		return -1;
	if (limits->memory_bytes == UINT64_MAX)
		return 0;
	if (put_number(fd, "memory.max", limits->memory_bytes) != 0 ||
	    put_where_known(fd, "memory.swap.max", "0") != 0 ||
	    put_where_known(fd, "memory.zswap.max", "0") != 0)
		return -1;
	/* Whoever is over the limit takes all with it: half a program is nobody's wish. */
	return bv__group_put(fd, "memory.oom.group", "1");
}

/* Once a process and place is often enough: nobody else's leaves can appear by our doing. */
static void sweep_once(const char *place)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char swept[PATH_MAX];

	pthread_mutex_lock(&lock);
	if (strcmp(swept, place) != 0 && strlen(place) < sizeof(swept)) {
		memcpy(swept, place, strlen(place) + 1);
		(void)bv__cgroup_sweep(place);
	}
	pthread_mutex_unlock(&lock);
}

enum bv_code bv__cgroup_make(const char *place, const struct bv_cgroup_limits *limits,
			     struct bv_cgroup *ret_group, struct bv_error *err)
{
	enum bv_code code;

	ret_group->fd = -1;
	sweep_once(place);
	if (make_leaf(place, ret_group) != 0)
		return bv__fail_errno(err, BV_E_SYSTEM, "cgroup", "no control group can be made");
	if (put_limits(ret_group->fd, limits) == 0)
		return BV_OK;
	code = bv__fail_errno(err, BV_E_SYSTEM, "cgroup",
			      "the control group does not take its limits");
	(void)bv__cgroup_remove(ret_group, 0);
	return code;
}

/* ---- killed, removed ------------------------------------------------------------------------- */

int bv__cgroup_kill(int group_fd)
{
	return bv__group_kill(group_fd);
}

/* Waits until no member lives.  Zombies do not count. */
static bool await_empty(int fd, int timeout_ms)
{
	struct pollfd changed = {.fd = openat(fd, "cgroup.events", O_RDONLY | O_CLOEXEC),
				 .events = POLLPRI};
	bool empty = false;

	while (changed.fd >= 0) {
		char text[256];
		ssize_t got = pread(changed.fd, text, sizeof(text) - 1, 0);
		uint64_t populated = 1;

		text[got > 0 ? got : 0] = '\0';
		empty = bv__group_number(text, "populated", &populated) && populated == 0;
		if (empty || timeout_ms <= 0)
			break;
		/* In slices, because the event may have come between the read and the poll. */
		(void)poll(&changed, 1, timeout_ms < 20 ? timeout_ms : 20);
		timeout_ms -= 20;
	}
	if (changed.fd >= 0)
		close(changed.fd);
	return empty;
}

static bool remove_leaf(int fd, const char *path, int timeout_ms)
{
	if (rmdir(path) == 0 || errno == ENOENT)
		return true;
	(void)bv__group_kill(fd);
	return await_empty(fd, timeout_ms) && (rmdir(path) == 0 || errno == ENOENT);
}

bool bv__cgroup_remove(struct bv_cgroup *group, int timeout_ms)
{
	bool gone;

	if (group->fd < 0)
		return true;
	gone = remove_leaf(group->fd, group->path, timeout_ms);
	/* With the lock: where it could not be removed the next sweep tries again. */
	close(group->fd);
	group->fd = -1;
	return gone;
}

int bv__cgroup_sweep(const char *place)
{
	DIR *dir = opendir(place);
	int count = 0;

	if (dir == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char path[PATH_MAX];
		int fd;

		if (strncmp(entry->d_name, LEAF_PREFIX, sizeof(LEAF_PREFIX) - 1) != 0 ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", place, entry->d_name) >=
			    sizeof(path))
			continue;
		fd = open_group(AT_FDCWD, path);
		if (fd < 0)
			continue;
		/* Host and launcher share a lock on a leaf in use; whoever gets it alone is the only holder. */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && remove_leaf(fd, path, 200))
			count++;
		close(fd);
	}
	closedir(dir);
	return count;
}

/* ---- read ------------------------------------------------------------------------------------ */

static bool read_number(int fd, const char *file, const char *key, uint64_t *ret_number)
{
	char text[TEXT_MAX];

	return bv__group_get(fd, file, text, sizeof(text)) > 0 &&
	       bv__group_number(text, key, ret_number);
}

void bv__cgroup_read(int group_fd, struct bv_cgroup_counters *ret)
{
	ret->has_cpu_micros = read_number(group_fd, "cpu.stat", "usage_usec", &ret->cpu_micros);
	ret->has_memory_peak = read_number(group_fd, "memory.peak", "", &ret->memory_peak);
	ret->has_oom_kills = read_number(group_fd, "memory.events", "oom_kill", &ret->oom_kills);
	ret->has_tasks_peak = read_number(group_fd, "pids.peak", "", &ret->tasks_peak);
	ret->has_tasks_refused = read_number(group_fd, "pids.events", "max", &ret->tasks_refused);
}

int bv__cgroup_count(int group_fd, pid_t *ret_first)
{
	char text[4096];
	int count = 0;

	*ret_first = 0;
	if (bv__group_get(group_fd, "cgroup.procs", text, sizeof(text)) < 0)
		return -1;
	for (const char *line = text; *line != '\0'; line++) {
		if (count++ == 0)
			*ret_first = (pid_t)atoi(line);
		line = strchr(line, '\n');
		if (line == NULL)
			break;
	}
	return count;
}
