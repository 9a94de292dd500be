/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* memory.c - files in memory. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/sys.h"

int bv__memory_file(const char *name, uint64_t size_bytes)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = bv_sys_memfd_create(name, flags | BV_MFD_NOEXEC_SEAL);

	/* Until 6.3 is the oldest kernel: the flag is unknown before. */
	if (fd < 0 && errno == EINVAL)
		fd = bv_sys_memfd_create(name, flags);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)size_bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0)
		return fd;
	close(fd);
	return -1;
}

bool bv__memory_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}

bool bv__read_all(int fd, void *data, size_t size_bytes)
{
	for (size_t at = 0; at < size_bytes;) {
		ssize_t got = read(fd, (char *)data + at, size_bytes - at);

		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		if (got > 0)
			at += (size_t)got;
	}
	return true;
}
