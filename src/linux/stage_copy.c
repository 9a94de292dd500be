/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stage_copy.c - what is in a file, and whom it lets in, given to another. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "stage.h"

enum { ACL_BYTES_MAX = 64 << 10 };

static int copy_range(char *block, int from, int to, off_t at, off_t end)
{
	while (at < end) {
		const size_t want = end - at < BV_STAGE_COPY_BYTES ? (size_t)(end - at)
								   : (size_t)BV_STAGE_COPY_BYTES;
		const ssize_t got = pread(from, block, want, at);
		ssize_t wrote;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -1 : 0;
		wrote = pwrite(to, block, (size_t)got, at);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		at += wrote;
	}
	return 0;
}

int bv__stage_copy_content(char *block, int from, int to, off_t size)
{
	off_t at = 0;

	if (ftruncate(to, size) != 0)
		return -1;
	while (at < size) {
		const off_t data = lseek(from, at, SEEK_DATA);
		off_t hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -1;
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || copy_range(block, from, to, data, hole) != 0)
			return -1;
		at = hole;
	}
	return 0;
}

int bv__stage_keep_access_list(int dir, const char *name, int to)
{
	static const char attribute[] = "system.posix_acl_access";
	char path[64], *value;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), result = 0;
	ssize_t got;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	value = malloc(ACL_BYTES_MAX);
	got = value != NULL ? getxattr(path, attribute, value, ACL_BYTES_MAX) : -1;
	if (value == NULL)
		result = -1;
	else if (got >= 0)
		result = fsetxattr(to, attribute, value, (size_t)got, 0);
	free(value);
	close(fd);
	return result;
}
