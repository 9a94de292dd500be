/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * spawn.c - finds the launcher, knows it by its digest, and starts it without copying its host.
 *
 * The child shares this memory while the caller's thread waits, so it may do nothing but set up
 * descriptors and exec: a large or multithreaded host pays for neither page tables nor locks.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__GLIBC__) && defined(__PIC__)
#include <dlfcn.h>
#endif

#include "contract/hash.h"
#include "sys.h"

#define LAUNCHER_NAME "bvisor-linux-launcher"
#define ENV_LAUNCHER "BVISOR_LAUNCHER_BIN"

enum {
	SPAWN_STACK_BYTES = 16 << 10,
	LAUNCHER_SIZE_MAX = 64 << 20,
	OVERFLOW_ID = 65534,
};

enum bv_code bv__fail_errno(struct bv_error *err, enum bv_code code, const char *where,
			    const char *what)
{
	const int saved = errno;

	bv_fail(err, code, where, "%s: %s", what, strerror(saved));
	if (err != NULL)
		err->sys_errno = saved;
	return code;
}

bool bv__write_all(int fd, const void *data, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes;) {
		ssize_t wrote = write(fd, (const char *)data + at, size_bytes - at);

		if (wrote < 0 && errno != EINTR)
			return false;
		if (wrote > 0)
			at += (size_t)wrote;
	}
	return true;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The directory of `file` with `name` behind it; false when it does not fit. */
static bool beside(const char *file, size_t file_len, const char *name, char *ret_path)
{
	size_t dir_len = file_len;

	while (dir_len > 0 && file[dir_len - 1] != '/')
		dir_len--;
	if (dir_len == 0 || dir_len + strlen(name) + 1 > PATH_MAX)
		return false;
	memmove(ret_path, file, dir_len);
	memcpy(ret_path + dir_len, name, strlen(name) + 1);
	return true;
}

static int open_beside_program(char *ret_path)
{
	char program[PATH_MAX];
	ssize_t got = readlink("/proc/self/exe", program, sizeof(program));

	if (got <= 0 || (size_t)got >= sizeof(program) ||
	    !beside(program, (size_t)got, LAUNCHER_NAME, ret_path))
		return -1;
	return openat(AT_FDCWD, ret_path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

static int open_beside_library(char *ret_path)
{
#if defined(__GLIBC__) && defined(__PIC__)
	Dl_info info;

	if (dladdr((const void *)(uintptr_t)bv__launcher_open, &info) != 0 &&
	    info.dli_fname != NULL &&
	    beside(info.dli_fname, strlen(info.dli_fname), LAUNCHER_NAME, ret_path))
		return openat(AT_FDCWD, ret_path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
#endif
	(void)ret_path;
	return -1;
}

static int open_installed(char *ret_path)
{
#ifdef BV_LAUNCHER_PATH
	bv_assert(sizeof(BV_LAUNCHER_PATH) <= PATH_MAX);
	memcpy(ret_path, BV_LAUNCHER_PATH, sizeof(BV_LAUNCHER_PATH));
	return openat(AT_FDCWD, ret_path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
#else
	(void)ret_path;
	return -1;
#endif
}

/*
 * Inside a user namespace the owners that it does not map all look like this one; the host's root,
 * whose files a container is made of, is the usual one among them.
 */
static bool is_outside_owner(uid_t uid)
{
	static const char all[] = "         0          0 4294967295";
	char map[sizeof(all)];
	int fd;
	ssize_t got;

	if (uid != OVERFLOW_ID)
		return false;
	fd = openat(AT_FDCWD, "/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, map, sizeof(map) - 1);
	close(fd);
	return got > 0 &&
	       (got != (ssize_t)sizeof(all) - 1 || memcmp(map, all, sizeof(all) - 1) != 0);
}

/* Whoever may write the file decides what every boundary is. */
static enum bv_code check_owner(const struct bv_launcher_file *file, struct bv_error *err)
{
	const uid_t owner = file->seen.st_uid;

	if (!S_ISREG(file->seen.st_mode))
		return bv_fail(err, BV_E_LAUNCHER, "launcher",
			       "the launcher '%s' is not a regular file", file->path);
	if ((owner != 0 && owner != geteuid() && !is_outside_owner(owner)) ||
	    (file->seen.st_mode & S_IWOTH) != 0)
		return bv_fail_remedy(
			err, BV_E_LAUNCHER, "launcher",
			"make it belong to root or to you, and writable by nobody else",
			"the launcher '%s' can be changed by other users", file->path);
	return BV_OK;
}

enum bv_code bv__launcher_open(struct bv_launcher_file *ret_file, struct bv_error *err)
{
	const char *named = secure_getenv(ENV_LAUNCHER);

	ret_file->fd = -1;
	if (named != NULL && named[0] != '\0') {
		/* A name that was given and is wrong must not be replaced by a guess. */
		if (strlen(named) < sizeof(ret_file->path)) {
			memcpy(ret_file->path, named, strlen(named) + 1);
			ret_file->fd = openat(AT_FDCWD, named, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		}
		if (ret_file->fd < 0)
			return bv_fail_remedy(err, BV_E_LAUNCHER, "launcher",
					      "correct or unset " ENV_LAUNCHER,
					      "the launcher '%s' that " ENV_LAUNCHER
					      " names cannot be opened: %s",
					      named, strerror(errno));
	}
	if (ret_file->fd < 0)
		ret_file->fd = open_beside_program(ret_file->path);
	if (ret_file->fd < 0)
		ret_file->fd = open_beside_library(ret_file->path);
	if (ret_file->fd < 0)
		ret_file->fd = open_installed(ret_file->path);
	if (ret_file->fd < 0)
		return bv_fail_remedy(
			err, BV_E_LAUNCHER, "launcher",
			"install bvisor completely, or name the launcher in " ENV_LAUNCHER,
			"there is no " LAUNCHER_NAME
			" beside this program or where it is installed");
	if (fstat(ret_file->fd, &ret_file->seen) != 0) {
		bv__launcher_close(ret_file);
		return bv__fail_errno(err, BV_E_LAUNCHER, "launcher",
				      "the launcher cannot be looked at");
	}
	if (check_owner(ret_file, err) != BV_OK) {
		bv__launcher_close(ret_file);
		return BV_E_LAUNCHER;
	}
	return BV_OK;
}

enum bv_code bv__helper_open(const char *name, struct bv_launcher_file *ret_file,
			     struct bv_error *err)
{
	struct bv_launcher_file launcher;
	enum bv_code code = bv__launcher_open(&launcher, err);

	ret_file->fd = -1;
	if (code != BV_OK)
		return code;
	bv__launcher_close(&launcher);
	if (beside(launcher.path, strlen(launcher.path), name, ret_file->path))
		ret_file->fd = openat(AT_FDCWD, ret_file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (ret_file->fd < 0)
		return bv_fail(err, BV_E_UNSUPPORTED, name, "there is no %s beside the launcher",
			       name);
	if (fstat(ret_file->fd, &ret_file->seen) != 0)
		code = bv__fail_errno(err, BV_E_LAUNCHER, name, "it cannot be looked at");
	else
		code = check_owner(ret_file, err);
	if (code != BV_OK)
		bv__launcher_close(ret_file);
	return code;
}

void bv__launcher_close(struct bv_launcher_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static enum bv_code check_digest(const struct bv_digest *digest, struct bv_error *err)
{
#ifdef BV_LAUNCHER_DIGEST
	char hex[65];

	bv_digest_hex(digest, hex);
	if (strcmp(hex, BV_LAUNCHER_DIGEST) != 0)
		return bv_fail_remedy(err, BV_E_LAUNCHER, "launcher",
				      "install bvisor and its launcher together",
				      "the launcher is not the one this bvisor was built with");
#else
	(void)digest;
	(void)err;
#endif
	return BV_OK;
}

enum bv_code bv__launcher_digest(const struct bv_launcher_file *file, struct bv_digest *ret_digest,
				 struct bv_error *err)
{
	const size_t size_bytes = (size_t)file->seen.st_size;
	void *data;

	if (file->seen.st_size <= 0 || file->seen.st_size > LAUNCHER_SIZE_MAX)
		return bv_fail(err, BV_E_LAUNCHER, "launcher",
			       "the launcher '%s' cannot be a launcher", file->path);
	data = mmap(NULL, size_bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file->fd, 0);
	if (data == MAP_FAILED)
		return bv__fail_errno(err, BV_E_LAUNCHER, "launcher",
				      "the launcher cannot be read");
	bv_hash_bytes(data, size_bytes, ret_digest);
	(void)munmap(data, size_bytes);
	return check_digest(ret_digest, err);
}

/* ---- the process ----------------------------------------------------------------------------- */

struct child {
	const struct bv_spawn *spawn;
	struct bv_spawn_fd fds[BV_SPAWN_FDS_MAX]; /* `from` beyond every `to` */
	int keep[BV_SPAWN_FDS_MAX + 1];           /* ascending */
	int exe_fd;
	int failed_errno;
};

/* Shares the host's memory: no call below may touch a lock, the heap or a signal handler. */
static int run_child(void *argument)
{
	struct child *child = argument;
	const size_t count = child->spawn->fd_count;
	unsigned int next = 3;

	for (size_t i = 0; i <= count; i++) {
		const unsigned int kept = (unsigned int)child->keep[i];

		if (kept > next && bv_sys_close_range(next, kept - 1, 0) != 0)
			goto fail;
		if (kept >= next)
			next = kept + 1;
	}
	if (bv_sys_close_range(next, ~0U, 0) != 0)
		goto fail;
	for (size_t i = 0; i < count; i++) {
		/* dup2 clears close-on-exec, which all of the originals have. */
		if (dup2(child->fds[i].from, child->fds[i].to) < 0)
			goto fail;
	}
	/* Out of the terminal's reach: Ctrl-C is for the host, which then decides. */
	(void)setsid();
	bv_sys_execveat(child->exe_fd, "", child->spawn->argv, child->spawn->envp,
			BV_AT_EMPTY_PATH);
fail:
	child->failed_errno = errno;
	return 127;
}

static void insert_sorted(int *list, size_t count, int fd)
{
	while (count > 0 && list[count - 1] > fd) {
		list[count] = list[count - 1];
		count--;
	}
	list[count] = fd;
}

/* Copies every descriptor beyond all targets, so that no dup2 hits one that is still needed. */
static bool relocate(struct child *child)
{
	const struct bv_spawn *spawn = child->spawn;
	int beyond = 3;
	size_t i;

	for (i = 0; i < spawn->fd_count; i++) {
		if (spawn->fds[i].to >= beyond)
			beyond = spawn->fds[i].to + 1;
	}
	for (i = 0; i < spawn->fd_count; i++) {
		int moved = fcntl(spawn->fds[i].from, F_DUPFD_CLOEXEC, beyond);

		if (moved < 0)
			return false;
		child->fds[i] = (struct bv_spawn_fd){moved, spawn->fds[i].to};
		insert_sorted(child->keep, i, moved);
	}
	child->exe_fd = fcntl(spawn->exe_fd, F_DUPFD_CLOEXEC, beyond);
	if (child->exe_fd < 0)
		return false;
	insert_sorted(child->keep, spawn->fd_count, child->exe_fd);
	return true;
}

static void close_relocated(const struct child *child)
{
	for (size_t i = 0; i < child->spawn->fd_count; i++) {
		if (child->fds[i].from >= 0)
			close(child->fds[i].from);
	}
	if (child->exe_fd >= 0)
		close(child->exe_fd);
}

enum bv_code bv__spawn(const struct bv_spawn *spawn, pid_t *ret_pid, int *ret_pidfd,
		       struct bv_error *err)
{
	struct child child = {.spawn = spawn, .exe_fd = -1};
	_Alignas(16) unsigned char stack[SPAWN_STACK_BYTES];
	enum bv_code code = BV_OK;
	sigset_t all, before;
	int pidfd = -1;
	pid_t pid;

	bv_assert(spawn->fd_count <= BV_SPAWN_FDS_MAX);
	for (size_t i = 0; i < BV_SPAWN_FDS_MAX; i++)
		child.fds[i].from = -1;
	if (!relocate(&child)) {
		code = bv__fail_errno(err, BV_E_SYSTEM, "launcher",
				      "descriptors cannot be copied for the launcher");
		close_relocated(&child);
		return code;
	}
	/* A handler of the host's must not run in a child that shares its memory. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = bv_sys_spawn(run_child, &child, stack, sizeof(stack), &pidfd);
	if (pid < 0)
		child.failed_errno = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close_relocated(&child);
	if (child.failed_errno != 0) {
		if (pid > 0)
			(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
		if (pidfd >= 0)
			close(pidfd);
		errno = child.failed_errno;
		return bv__fail_errno(err, BV_E_LAUNCHER, "launcher",
				      "the launcher cannot be started");
	}
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return BV_OK;
}
