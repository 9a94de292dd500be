/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is done with an open file or stream. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHARGE_SHIFT = 2 }; /* a unit for four bytes moved */

uint8_t wasi_filetype(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return WASI_FILETYPE_REGULAR_FILE;
	case S_IFDIR:
		return WASI_FILETYPE_DIRECTORY;
	case S_IFLNK:
		return WASI_FILETYPE_SYMBOLIC_LINK;
	case S_IFCHR:
		return WASI_FILETYPE_CHARACTER_DEVICE;
	case S_IFBLK:
		return WASI_FILETYPE_BLOCK_DEVICE;
	case S_IFSOCK:
		return WASI_FILETYPE_SOCKET_STREAM;
	default: /* the standard has no FIFO */
		return WASI_FILETYPE_UNKNOWN;
	}
}

static uint64_t to_ns(struct timespec time)
{
	/* The standard has nothing before 1970. */
	return time.tv_sec < 0 ? 0 : (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void wasi_filestat_put(uint8_t to[WASI_SIZE_FILESTAT], const struct stat *from)
{
	memset(to, 0, WASI_SIZE_FILESTAT);
	wasi_put64(to, (uint64_t)from->st_dev);
	wasi_put64(to + 8, (uint64_t)from->st_ino);
	to[16] = wasi_filetype(from->st_mode);
	wasi_put64(to + 24, (uint64_t)from->st_nlink);
	wasi_put64(to + 32, (uint64_t)from->st_size);
	wasi_put64(to + 40, to_ns(from->st_atim));
	wasi_put64(to + 48, to_ns(from->st_mtim));
	wasi_put64(to + 56, to_ns(from->st_ctim));
}

uint32_t wasi_fd_filestat_get(struct wasi_call *call)
{
	struct wasi_entry *entry;
	struct stat file;
	uint8_t *to;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_FILESTAT_GET,
					WASI_ACCESS_READ, &entry);

	if (error)
		return error;
	if (!wasi_range(call, wasi_arg32(call, 1), WASI_SIZE_FILESTAT, &to))
		return WASI_EFAULT;
	if (entry->kind == WASI_KIND_STREAM) {
		/* What the streams are on the host is none of the guest's business. */
		memset(to, 0, WASI_SIZE_FILESTAT);
		to[16] = call->wasi->streams[entry->stream].filetype;
		return WASI_SUCCESS;
	}
	if (fstat(entry->fd, &file) != 0)
		return wasi_errno_of(call, entry, NULL);
	wasi_filestat_put(to, &file);
	return WASI_SUCCESS;
}

uint32_t wasi_fd_filestat_set_times(struct wasi_call *call)
{
	struct wasi_entry *entry;
	struct timespec times[2];
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_FILESTAT_SET_TIMES,
					WASI_ACCESS_WRITE, &entry);

	if (!error)
		error = wasi_times(call->wasi, wasi_arg64(call, 1), wasi_arg64(call, 2),
				   wasi_arg32(call, 3), times);
	/* By descriptor, and a directory's is O_PATH, which futimens does not take. */
	if (!error && utimensat(entry->fd, "", times, AT_EMPTY_PATH) != 0)
		error = wasi_errno_of(call, entry, NULL);
	return error;
}

/* ---- reading ----------------------------------------------------------------------------------- */

static uint32_t read_file(struct wasi_call *call, struct wasi_entry *entry, uint64_t offset,
			  bool positioned, struct wasi_buffers *buffers, uint64_t *ret_bytes)
{
	const ssize_t got = positioned ? preadv(entry->fd, buffers->items, buffers->count,
						(off_t)offset)
				       : readv(entry->fd, buffers->items, buffers->count);

	if (got < 0)
		return wasi_errno_of(call, entry, NULL);
	call->wasi->seen.read_bytes += (uint64_t)got;
	*ret_bytes = (uint64_t)got;
	return WASI_SUCCESS;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* Where a write would end. */
static uint32_t end_of_write(const struct wasi_entry *entry, const struct stat *file,
			     uint64_t offset, bool positioned, size_t size_bytes, uint64_t *ret)
{
	if (entry->flags & WASI_FDFLAG_APPEND) {
		offset = (uint64_t)file->st_size;
	} else if (!positioned) {
		const off_t at = lseek(entry->fd, 0, SEEK_CUR);

		if (at < 0)
			return wasi_errno_from(errno);
		offset = (uint64_t)at;
	}
	return bv_add(offset, size_bytes, ret) ? WASI_SUCCESS : WASI_EFBIG;
}

static uint32_t write_file(struct wasi_call *call, struct wasi_entry *entry, uint64_t offset,
			   bool positioned, struct wasi_buffers *buffers, uint64_t *ret_bytes)
{
	struct stat before, after;
	uint64_t end = 0;
	ssize_t put;
	uint32_t error;

	if (fstat(entry->fd, &before) != 0)
		return wasi_errno_of(call, entry, NULL);
	error = end_of_write(entry, &before, offset, positioned, buffers->total_bytes, &end);
	if (!error)
		error = wasi_storage_check(call->wasi, &before, end, buffers->total_bytes);
	if (error)
		return error;
	put = positioned ? pwritev(entry->fd, buffers->items, buffers->count, (off_t)offset)
			 : writev(entry->fd, buffers->items, buffers->count);
	if (put < 0)
		return wasi_errno_of(call, entry, NULL);
	if (fstat(entry->fd, &after) == 0)
		wasi_storage_changed(call->wasi, &before, &after, (uint64_t)put);
	call->wasi->seen.written_bytes += (uint64_t)put;
	*ret_bytes = (uint64_t)put;
	return WASI_SUCCESS;
}

/* ---- the four calls ---------------------------------------------------------------------------- */

/* One direction of passing bytes, for a stream and for a file. */
struct transfer {
	uint64_t right;
	unsigned int access;
	uint32_t (*stream)(struct wasi_call *call, struct wasi_entry *entry,
			   struct wasi_buffers *buffers, uint64_t *ret_bytes);
	uint32_t (*file)(struct wasi_call *call, struct wasi_entry *entry, uint64_t offset,
			 bool positioned, struct wasi_buffers *buffers, uint64_t *ret_bytes);
};

static const struct transfer reading = {WASI_RIGHT_FD_READ, WASI_ACCESS_READ, wasi_stream_read,
					read_file};
static const struct transfer writing = {WASI_RIGHT_FD_WRITE, WASI_ACCESS_WRITE, wasi_stream_write,
					write_file};

static uint32_t pass(struct wasi_call *call, const struct transfer *transfer, uint64_t offset,
		     bool positioned, uint32_t result)
{
	struct wasi_buffers buffers;
	struct wasi_entry *entry;
	uint64_t passed = 0;
	uint8_t *room;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0),
					transfer->right | (positioned ? WASI_RIGHT_FD_SEEK : 0),
					transfer->access, &entry);

	if (!error)
		error = wasi_buffers_get(call, wasi_arg32(call, 1), wasi_arg32(call, 2), &buffers);
	if (error)
		return error;
	if (offset > INT64_MAX)
		return WASI_EINVAL;
	/* Before anything is passed: what a guest cannot be told of would be lost. */
	if (!wasi_range(call, result, 4, &room))
		return WASI_EFAULT;
	if (entry->kind == WASI_KIND_STREAM)
		error = transfer->stream(call, entry, &buffers, &passed);
	else
		error = transfer->file(call, entry, offset, positioned, &buffers, &passed);
	if (error)
		return error;
	call->charge += passed >> CHARGE_SHIFT;
	return wasi_store32(call, result, (uint32_t)passed);
}

uint32_t wasi_fd_read(struct wasi_call *call)
{
	return pass(call, &reading, 0, false, wasi_arg32(call, 3));
}

uint32_t wasi_fd_pread(struct wasi_call *call)
{
	return pass(call, &reading, wasi_arg64(call, 3), true, wasi_arg32(call, 4));
}

uint32_t wasi_fd_write(struct wasi_call *call)
{
	return pass(call, &writing, 0, false, wasi_arg32(call, 3));
}

uint32_t wasi_fd_pwrite(struct wasi_call *call)
{
	return pass(call, &writing, wasi_arg64(call, 3), true, wasi_arg32(call, 4));
}

/* ---- size -------------------------------------------------------------------------------------- */

/* Makes a file at least, or exactly, `size` long. */
static uint32_t resize(struct wasi_call *call, struct wasi_entry *entry, uint64_t offset,
		       uint64_t size_bytes, bool allocate)
{
	struct stat before, after;
	uint64_t end;
	uint32_t error;

	if (!bv_add(offset, size_bytes, &end) || end > INT64_MAX)
		return WASI_EFBIG;
	if (fstat(entry->fd, &before) != 0)
		return wasi_errno_of(call, entry, NULL);
	error = wasi_storage_check(call->wasi, &before, end, allocate ? size_bytes : 0);
	if (error)
		return error;
	if ((allocate ? fallocate(entry->fd, 0, (off_t)offset, (off_t)size_bytes)
		      : ftruncate(entry->fd, (off_t)end)) != 0)
		return wasi_errno_of(call, entry, NULL);
	if (fstat(entry->fd, &after) == 0)
		wasi_storage_changed(call->wasi, &before, &after, allocate ? size_bytes : 0);
	if (allocate)
		call->charge += size_bytes >> CHARGE_SHIFT;
	return WASI_SUCCESS;
}

uint32_t wasi_fd_filestat_set_size(struct wasi_call *call)
{
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_FILESTAT_SET_SIZE,
					WASI_ACCESS_WRITE, &entry);

	return error ? error : resize(call, entry, wasi_arg64(call, 1), 0, false);
}

uint32_t wasi_fd_allocate(struct wasi_call *call)
{
	struct wasi_entry *entry;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_ALLOCATE,
					WASI_ACCESS_WRITE, &entry);

	return error ? error : resize(call, entry, wasi_arg64(call, 1), wasi_arg64(call, 2), true);
}

/* ---- position ---------------------------------------------------------------------------------- */

static uint32_t seek(struct wasi_call *call, uint64_t any_of, int64_t offset, uint32_t whence,
		     uint32_t result)
{
	static const int whences[] = {
		[WASI_WHENCE_SET] = SEEK_SET,
		[WASI_WHENCE_CUR] = SEEK_CUR,
		[WASI_WHENCE_END] = SEEK_END,
	};
	struct wasi_entry *entry;
	uint8_t *room;
	off_t at;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), 0, 0, &entry);

	if (error)
		return error;
	/* What C libraries ask to learn that something is a stream. */
	if (entry->kind == WASI_KIND_STREAM)
		return WASI_ESPIPE;
	if (!(entry->rights & any_of))
		return WASI_ENOTCAPABLE;
	if (whence >= sizeof(whences) / sizeof(whences[0]))
		return WASI_EINVAL;
	if (!wasi_range(call, result, 8, &room))
		return WASI_EFAULT;
	at = lseek(entry->fd, (off_t)offset, whences[whence]);
	if (at < 0)
		return wasi_errno_of(call, entry, NULL);
	return wasi_store64(call, result, (uint64_t)at);
}

uint32_t wasi_fd_seek(struct wasi_call *call)
{
	const uint32_t whence = wasi_arg32(call, 2);
	const int64_t offset = (int64_t)wasi_arg64(call, 1);

	const uint64_t tell = whence == WASI_WHENCE_CUR && offset == 0 ? WASI_RIGHT_FD_TELL : 0;

	return seek(call, WASI_RIGHT_FD_SEEK | tell, offset, whence, wasi_arg32(call, 3));
}

uint32_t wasi_fd_tell(struct wasi_call *call)
{
	return seek(call, WASI_RIGHT_FD_SEEK | WASI_RIGHT_FD_TELL, 0, WASI_WHENCE_CUR,
		    wasi_arg32(call, 1));
}

uint32_t wasi_fd_advise(struct wasi_call *call)
{
	static const int advices[WASI_ADVICE_COUNT] = {
		POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
		POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE,
	};
	const uint64_t offset = wasi_arg64(call, 1);
	const uint64_t size_bytes = wasi_arg64(call, 2);
	const uint32_t advice = wasi_arg32(call, 3);
	struct wasi_entry *entry;
	uint64_t end;
	int result;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), WASI_RIGHT_FD_ADVISE, 0, &entry);

	if (error)
		return error;
	if (advice >= WASI_ADVICE_COUNT || !bv_add(offset, size_bytes, &end) || end > INT64_MAX)
		return WASI_EINVAL;
	result = posix_fadvise(entry->fd, (off_t)offset, (off_t)size_bytes, advices[advice]);
	return result == 0 ? WASI_SUCCESS : wasi_errno_from(result);
}

/* ---- to the disk ------------------------------------------------------------------------------- */

static uint32_t sync_call(struct wasi_call *call, uint64_t rights, int (*sync)(int fd))
{
	struct wasi_entry *entry;
	int fd, result;
	uint32_t error = wasi_entry_get(call, wasi_arg32(call, 0), rights, 0, &entry);

	if (error)
		return error;
	fd = entry->fd;
	if (entry->kind == WASI_KIND_DIRECTORY)
		fd = wasi_open_beneath(entry->fd, ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return wasi_errno_of(call, entry, NULL);
	result = sync(fd);
	if (result != 0)
		error = wasi_errno_of(call, entry, NULL);
	if (fd != entry->fd)
		(void)close(fd); /* only read from */
	return error;
}

uint32_t wasi_fd_sync(struct wasi_call *call)
{
	return sync_call(call, WASI_RIGHT_FD_SYNC, fsync);
}

uint32_t wasi_fd_datasync(struct wasi_call *call)
{
	return sync_call(call, WASI_RIGHT_FD_DATASYNC, fdatasync);
}
