/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "journal_faults.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct faults faults;

/* Found by SQLite's shared library before the C library's. */
int fdatasync(int fildes);
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset);
int ftruncate64(int fd, off64_t length);
int fsync(int fd);
int syncfs(int fd);
int renameat(int from_dir, const char *from, int to_dir, const char *to);
int unlinkat(int fd, const char *name, int flag);
int clock_gettime(clockid_t clock_id, struct timespec *tp);

static void operation(void)
{
	if (__atomic_add_fetch(&faults.operations, 1, __ATOMIC_SEQ_CST) == faults.kill_at)
		(void)kill(getpid(), SIGKILL);
}

int fdatasync(int fildes)
{
	operation();
	if (faults.fail_sync_errno != 0) {
		errno = faults.fail_sync_errno;
		return -1;
	}
	__atomic_add_fetch(&faults.syncs, 1, __ATOMIC_SEQ_CST);
	if (faults.sync_us > 0)
		(void)usleep(faults.sync_us);
	if (faults.no_sync)
		return 0;
	return (int)syscall(SYS_fdatasync, fildes);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
	operation();
	if (faults.fail_write_errno != 0) {
		errno = faults.fail_write_errno;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, buf, n, offset);
}

int ftruncate64(int fd, off64_t length)
{
	operation();
	return (int)syscall(SYS_ftruncate, fd, length);
}

int fsync(int fd)
{
	operation();
	if (faults.no_directory_sync)
		return 0;
	return (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	operation();
	return (int)syscall(SYS_syncfs, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	operation();
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int unlinkat(int fd, const char *name, int flag)
{
	operation();
	return (int)syscall(SYS_unlinkat, fd, name, flag);
}

int clock_gettime(clockid_t clock_id, struct timespec *tp)
{
	int status = (int)syscall(SYS_clock_gettime, clock_id, tp);

	if (clock_id == CLOCK_REALTIME)
		tp->tv_sec += faults.clock_offset_s;
	return status;
}
