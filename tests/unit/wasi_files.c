/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wasi_files.c - open files and directories: contents, attributes, rights, listings, limits. */
#include "wasi_guest.h"

#include <dirent.h>

enum { LIST_AT = 36864, LIST_BYTES = 16384 };

static uint32_t open_rw(struct guest *guest, const char *path, uint32_t oflags)
{
	uint32_t fd = 0;

	EXPECT_INT(guest_open_file(guest, RW, path, oflags, WRITE_RIGHTS, &fd), 0);
	return fd;
}

static void write_all(struct guest *guest, uint32_t fd, const char *text)
{
	uint32_t put;

	EXPECT_INT(guest_write(guest, fd, text, &put), 0);
	EXPECT_UINT(put, strlen(text));
}

static uint64_t seek(struct guest *guest, uint32_t fd, int64_t offset, uint32_t whence)
{
	EXPECT_INT(CALL(guest, "fd_seek", fd, (uint64_t)offset, whence, RESULT), 0);
	return guest_get64(guest, RESULT);
}

/* ---- contents ------------------------------------------------------------------------------------ */

TEST(a_file_is_written_and_read)
{
	struct guest guest;
	char text[64];
	uint32_t fd;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	EXPECT_UINT(fd, FIRST_FREE);
	write_all(&guest, fd, "hello, world");
	EXPECT_STR(guest_content(&guest, "rw/file"), "hello, world");
	EXPECT_UINT(seek(&guest, fd, 7, WASI_WHENCE_SET), 7);
	EXPECT_INT(guest_read(&guest, fd, 64, text), 0);
	EXPECT_STR(text, "world");
	EXPECT_INT(guest_read(&guest, fd, 64, text), 0);
	EXPECT_STR(text, "");
	EXPECT_UINT(seek(&guest, fd, -5, WASI_WHENCE_END), 7);
	EXPECT_UINT(seek(&guest, fd, -7, WASI_WHENCE_CUR), 0);
	EXPECT_INT(CALL(&guest, "fd_seek", fd, (uint64_t)-1, WASI_WHENCE_CUR, RESULT), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_seek", fd, 0, 3, RESULT), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_tell", fd, RESULT), 0);
	EXPECT_UINT(guest_get64(&guest, RESULT), 0);
	EXPECT_INT(CALL(&guest, "fd_close", fd), 0);
	EXPECT_INT(CALL(&guest, "fd_close", fd), WASI_EBADF);
	EXPECT_INT(guest_read(&guest, fd, 64, text), WASI_EBADF);
	EXPECT_UINT(guest_report(&guest).written_bytes, 12);
	EXPECT_UINT(guest_report(&guest).read_bytes, 5);
	guest_close(&guest);
}

/* Several buffers, some empty; at an offset the position stays. */
TEST(positioned_calls_leave_the_position)
{
	const uint32_t list[] = {8192, 2, 0, 0, 8194, 3};
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	write_all(&guest, fd, "0123456789");
	memcpy(guest.memory + 8192, "ABCDE", 5);
	memcpy(guest.memory + 4096, list, sizeof(list));
	EXPECT_INT(CALL(&guest, "fd_pwrite", fd, 4096, 3, 2, RESULT), 0);
	EXPECT_UINT(guest_get32(&guest, RESULT), 5);
	EXPECT_STR(guest_content(&guest, "rw/file"), "01ABCDE789");
	EXPECT_INT(CALL(&guest, "fd_pread", fd, 4096, 3, 6, RESULT), 0);
	EXPECT_UINT(guest_get32(&guest, RESULT), 4);
	EXPECT_BYTES(guest.memory + 8192, 5, "E789E", 5);
	EXPECT_UINT(seek(&guest, fd, 0, WASI_WHENCE_CUR), 10);
	EXPECT_INT(CALL(&guest, "fd_pread", fd, 4096, 3, 1ULL << 63, RESULT), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_pwrite", fd, 4096, 3, UINT64_MAX, RESULT), WASI_EINVAL);
	guest_close(&guest);
}

TEST(one_call_moves_a_bounded_amount)
{
	enum { BIG = 3 * WASI_IO_BYTES_MAX };
	struct guest guest;
	uint32_t fd;
	const uint32_t list[] = {8192, BIG};

	guest_open(&guest, NULL);
	free(guest.memory);
	guest.memory_bytes = 8192 + BIG;
	guest.memory = calloc(1, 8192 + BIG);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	memcpy(guest.memory + 4096, list, sizeof(list));
	EXPECT_INT(CALL(&guest, "fd_write", fd, 4096, 1, RESULT), 0);
	EXPECT_UINT(guest_get32(&guest, RESULT), WASI_IO_BYTES_MAX);
	EXPECT_UINT(guest.charge, 1000 + WASI_IO_BYTES_MAX / 4);
	EXPECT_INT(CALL(&guest, "fd_write", fd, 4096, WASI_IOVECS_MAX + 1, RESULT), WASI_EINVAL);
	guest_close(&guest);
}

TEST(appending_stays_at_the_end_until_it_is_switched_off)
{
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	guest_make(&guest, "rw/file", "old");
	EXPECT_INT(CALL(&guest, "path_open", RW, 0, TEXT(&guest, "file"), 0, WRITE_RIGHTS, 0,
			WASI_FDFLAG_APPEND, RESULT),
		   0);
	fd = guest_get32(&guest, RESULT);
	seek(&guest, fd, 0, WASI_WHENCE_SET);
	write_all(&guest, fd, "+new");
	EXPECT_STR(guest_content(&guest, "rw/file"), "old+new");
	EXPECT_INT(CALL(&guest, "fd_fdstat_get", fd, RESULT), 0);
	EXPECT_UINT(guest_get32(&guest, RESULT) >> 16, WASI_FDFLAG_APPEND);
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_flags", fd, WASI_FDFLAG_NONBLOCK), 0);
	seek(&guest, fd, 0, WASI_WHENCE_SET);
	write_all(&guest, fd, "OLD");
	EXPECT_STR(guest_content(&guest, "rw/file"), "OLD+new");
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_flags", fd, WASI_FDFLAG_SYNC), WASI_ENOTSUP);
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_flags", fd, 1 << 5), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_flags", RW, WASI_FDFLAG_APPEND), WASI_EINVAL);
	guest_close(&guest);
}

TEST(sizes_are_set_and_space_allocated)
{
	struct guest guest;
	struct stat file;
	uint32_t fd;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	write_all(&guest, fd, "0123456789");
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 4), 0);
	EXPECT_STR(guest_content(&guest, "rw/file"), "0123");
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 1ULL << 63), WASI_EFBIG);
	EXPECT_INT(CALL(&guest, "fd_allocate", fd, 0, 0), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_allocate", fd, UINT64_MAX, 2), WASI_EFBIG);
	EXPECT_INT(CALL(&guest, "fd_allocate", fd, 2, 98), 0);
	EXPECT(stat(guest_path(&guest, "rw/file"), &file) == 0 && file.st_size == 100);
	EXPECT_INT(CALL(&guest, "fd_sync", fd), 0);
	EXPECT_INT(CALL(&guest, "fd_datasync", fd), 0);
	EXPECT_INT(CALL(&guest, "fd_sync", RW), 0);
	for (uint64_t advice = 0; advice < WASI_ADVICE_COUNT; advice++)
		EXPECT_INT(CALL(&guest, "fd_advise", fd, 0, 10, advice), 0);
	EXPECT_INT(CALL(&guest, "fd_advise", fd, 0, 10, WASI_ADVICE_COUNT), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_advise", fd, UINT64_MAX, 10, 0), WASI_EINVAL);
	guest_close(&guest);
}

TEST(attributes_are_those_of_the_host_and_times_are_set)
{
	struct guest guest;
	struct stat file;
	uint32_t fd;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	write_all(&guest, fd, "12345");
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", fd, 7000000001, 9000000002,
			WASI_FSTFLAG_ATIM | WASI_FSTFLAG_MTIM),
		   0);
	EXPECT(stat(guest_path(&guest, "rw/file"), &file) == 0);
	EXPECT(file.st_atim.tv_sec == 7 && file.st_atim.tv_nsec == 1);
	EXPECT(file.st_mtim.tv_sec == 9 && file.st_mtim.tv_nsec == 2);
	EXPECT_INT(CALL(&guest, "fd_filestat_get", fd, RESULT), 0);
	EXPECT_UINT(guest_get64(&guest, RESULT), file.st_dev);
	EXPECT_UINT(guest_get64(&guest, RESULT + 8), file.st_ino);
	EXPECT_UINT(guest.memory[RESULT + 16], WASI_FILETYPE_REGULAR_FILE);
	EXPECT_UINT(guest_get64(&guest, RESULT + 24), 1);
	EXPECT_UINT(guest_get64(&guest, RESULT + 32), 5);
	EXPECT_UINT(guest_get64(&guest, RESULT + 40), 7000000001);
	EXPECT_UINT(guest_get64(&guest, RESULT + 48), 9000000002);
	EXPECT_INT(CALL(&guest, "path_filestat_set_times", RW, 0, TEXT(&guest, "file"), 0,
			3000000000, WASI_FSTFLAG_MTIM),
		   0);
	EXPECT(stat(guest_path(&guest, "rw/file"), &file) == 0);
	EXPECT(file.st_atim.tv_sec == 7 && file.st_mtim.tv_sec == 3);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", RW, 0, 0, WASI_FSTFLAG_MTIM_NOW), 0);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", fd, 0, 0,
			WASI_FSTFLAG_MTIM | WASI_FSTFLAG_MTIM_NOW),
		   WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", fd, 0, 0,
			WASI_FSTFLAG_ATIM | WASI_FSTFLAG_ATIM_NOW),
		   WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", fd, 0, 0, 16), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "path_filestat_get", RW, 2, TEXT(&guest, "file"), RESULT),
		   WASI_EINVAL);
	guest_close(&guest);
}

TEST(what_open_is_asked_for_is_done_or_refused)
{
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	guest_make(&guest, "rw/file", "content");
	EXPECT_INT(guest_open_file(&guest, RW, "none", 0, READ_RIGHTS, &fd), WASI_ENOENT);
	EXPECT_INT(guest_open_file(&guest, RW, "file", WASI_OFLAG_CREAT | WASI_OFLAG_EXCL,
				   WRITE_RIGHTS, &fd),
		   WASI_EEXIST);
	EXPECT_INT(guest_open_file(&guest, RW, "file", WASI_OFLAG_DIRECTORY, 0, &fd), WASI_ENOTDIR);
	EXPECT_INT(guest_open_file(&guest, RW, "x", WASI_OFLAG_CREAT | WASI_OFLAG_DIRECTORY, 0,
				   &fd),
		   WASI_EINVAL);
	EXPECT_INT(guest_open_file(&guest, RW, "file", 16, 0, &fd), WASI_EINVAL);
	EXPECT_INT(guest_open_file(&guest, RW, ".", WASI_OFLAG_DIRECTORY, WRITE_RIGHTS, &fd),
		   WASI_EISDIR);
	EXPECT_INT(CALL(&guest, "path_open", RW, 2, TEXT(&guest, "file"), 0, 0, 0, 0, RESULT),
		   WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "path_open", RW, 0, TEXT(&guest, "file"), 0, 0, 0, 32, RESULT),
		   WASI_EINVAL);
	EXPECT_STR(guest_content(&guest, "rw/file"), "content");
	EXPECT_INT(guest_open_file(&guest, RW, "file", WASI_OFLAG_TRUNC, 0, &fd), 0);
	EXPECT_STR(guest_content(&guest, "rw/file"), "");
	EXPECT_INT(guest_open_file(&guest, fd, "x", 0, 0, &fd), WASI_ENOTDIR);
	EXPECT_INT(guest_open_file(&guest, 99, "x", 0, 0, &fd), WASI_EBADF);
	/* O_EXCL follows nothing, O_CREAT alone does. */
	EXPECT(symlink("target", guest_path(&guest, "rw/dangling")) == 0);
	EXPECT_INT(guest_open_file(&guest, RW, "dangling", WASI_OFLAG_CREAT | WASI_OFLAG_EXCL, 0,
				   &fd),
		   WASI_EEXIST);
	EXPECT_INT(guest_open_file(&guest, RW, "dangling", WASI_OFLAG_CREAT, 0, &fd), 0);
	EXPECT(guest_exists(&guest, "rw/target"));
	guest_close(&guest);
}

/* A result that cannot be told means that nothing is done. */
TEST(without_room_for_the_result_nothing_happens)
{
	struct guest guest;
	uint32_t fd;
	const uint32_t list[] = {8192, 4};

	guest_open(&guest, NULL);
	EXPECT_INT(CALL(&guest, "path_open", RW, 0, TEXT(&guest, "new"), WASI_OFLAG_CREAT, 0, 0, 0,
			MEMORY_SIZE - 3),
		   WASI_EFAULT);
	EXPECT(!guest_exists(&guest, "rw/new"));
	guest_make(&guest, "rw/file", "content");
	fd = open_rw(&guest, "file", 0);
	memcpy(guest.memory + 4096, list, sizeof(list));
	memcpy(guest.memory + 8192, "1234", 4);
	EXPECT_INT(CALL(&guest, "fd_write", fd, 4096, 1, MEMORY_SIZE - 3), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "fd_read", fd, 4096, 1, MEMORY_SIZE - 3), WASI_EFAULT);
	EXPECT_UINT(seek(&guest, fd, 0, WASI_WHENCE_CUR), 0);
	EXPECT_STR(guest_content(&guest, "rw/file"), "content");
	guest_close(&guest);
}

/* ---- rights, numbers ------------------------------------------------------------------------------- */

TEST(rights_are_dropped_for_good_and_inherited)
{
	struct guest guest;
	char text[8];
	uint32_t fd, put;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_rights", fd, WASI_RIGHT_FD_READ, 0), 0);
	EXPECT_INT(guest_write(&guest, fd, "x", &put), WASI_ENOTCAPABLE);
	EXPECT_INT(CALL(&guest, "fd_seek", fd, 0, 0, RESULT), WASI_ENOTCAPABLE);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 0), WASI_ENOTCAPABLE);
	EXPECT_INT(guest_read(&guest, fd, 4, text), 0);
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_rights", fd, WASI_RIGHT_FD_WRITE, 0),
		   WASI_ENOTCAPABLE);
	/* What is not opened for writing has no right to change, whatever was asked for. */
	EXPECT_INT(guest_open_file(&guest, RW, "file", 0,
				   READ_RIGHTS | WASI_RIGHT_FD_FILESTAT_SET_SIZE |
					   WASI_RIGHT_FD_ALLOCATE,
				   &fd),
		   0);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 9), WASI_ENOTCAPABLE);
	EXPECT_INT(CALL(&guest, "fd_allocate", fd, 0, 9), WASI_ENOTCAPABLE);
	/* Of a directory: what is opened through it can have no more. */
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_rights", RW, WASI_RIGHTS_DIRECTORY, READ_RIGHTS), 0);
	EXPECT_INT(guest_open_file(&guest, RW, "file", 0, WRITE_RIGHTS, &fd), WASI_ENOTCAPABLE);
	EXPECT_INT(guest_open_file(&guest, RW, "file", 0, READ_RIGHTS, &fd), 0);
	EXPECT_INT(CALL(&guest, "fd_fdstat_get", fd, RESULT), 0);
	EXPECT_UINT(guest.memory[RESULT], WASI_FILETYPE_REGULAR_FILE);
	EXPECT_UINT(guest_get64(&guest, RESULT + 8), READ_RIGHTS & WASI_RIGHTS_FILE);
	EXPECT_INT(CALL(&guest, "fd_fdstat_set_rights", RW, WASI_RIGHT_PATH_OPEN, 0), 0);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "d")), WASI_ENOTCAPABLE);
	EXPECT_INT(guest_open_file(&guest, RW, "file", WASI_OFLAG_CREAT, 0, &fd), WASI_ENOTCAPABLE);
	EXPECT_INT(guest_open_file(&guest, RW, "file", WASI_OFLAG_TRUNC, 0, &fd), WASI_ENOTCAPABLE);
	/* What the guest gave up itself is no denial. */
	EXPECT_UINT(guest_report(&guest).denied_calls, 0);
	guest_close(&guest);
}

static unsigned int open_on_host(void)
{
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");

	EXPECT(dir != NULL);
	while (readdir(dir))
		count++;
	EXPECT(closedir(dir) == 0);
	return count;
}

/* GHSA-3p27-qvp9-27qf: what lay under the number must be closed. */
TEST(renumbering_closes_what_was_there)
{
	struct guest guest;
	unsigned int before;
	char text[8];
	uint32_t from, to;

	guest_open(&guest, NULL);
	from = open_rw(&guest, "from", WASI_OFLAG_CREAT);
	write_all(&guest, from, "from");
	to = open_rw(&guest, "to", WASI_OFLAG_CREAT);
	before = open_on_host();
	EXPECT_INT(CALL(&guest, "fd_renumber", from, to), 0);
	EXPECT_UINT(open_on_host(), before - 1);
	EXPECT_INT(CALL(&guest, "fd_close", from), WASI_EBADF);
	seek(&guest, to, 0, WASI_WHENCE_SET);
	EXPECT_INT(guest_read(&guest, to, 4, text), 0);
	EXPECT_STR(text, "from");
	EXPECT_INT(CALL(&guest, "fd_renumber", to, from), WASI_EBADF);
	EXPECT_INT(CALL(&guest, "fd_renumber", to, to), 0);
	EXPECT_INT(CALL(&guest, "fd_renumber", to, 1), 0);
	/* Over and over, through a directory that stays. */
	before = open_on_host();
	for (int i = 0; i < 1000; i++) {
		from = open_rw(&guest, "to", 0);
		EXPECT_INT(CALL(&guest, "fd_renumber", from, 2), 0);
	}
	EXPECT_UINT(open_on_host(), before + 1);
	EXPECT_INT(CALL(&guest, "fd_renumber", 1, RO), 0);
	EXPECT_INT(CALL(&guest, "fd_prestat_get", RO, RESULT), WASI_EBADF);
	guest_close(&guest);
}

TEST(preopened_directories_have_the_names_given)
{
	struct guest guest;

	guest_open(&guest, NULL);
	EXPECT_INT(CALL(&guest, "fd_prestat_get", RO, RESULT), 0);
	EXPECT_UINT(guest.memory[RESULT], 0);
	EXPECT_UINT(guest_get32(&guest, RESULT + 4), 2);
	EXPECT_INT(CALL(&guest, "fd_prestat_dir_name", RO, 8192, 1), WASI_ENAMETOOLONG);
	EXPECT_INT(CALL(&guest, "fd_prestat_dir_name", RO, 8192, 10), 0);
	EXPECT_BYTES(guest.memory + 8192, 3, "ro", 3);
	EXPECT_INT(CALL(&guest, "fd_prestat_get", 0, RESULT), WASI_EBADF);
	EXPECT_INT(CALL(&guest, "fd_prestat_get", FIRST_FREE, RESULT), WASI_EBADF);
	EXPECT_INT(CALL(&guest, "fd_close", RO), 0);
	EXPECT_INT(CALL(&guest, "fd_prestat_get", RO, RESULT), WASI_EBADF);
	guest_close(&guest);
}

/* ---- listings -------------------------------------------------------------------------------------- */

struct names {
	char seen[512];
	unsigned int count;
	uint64_t cookie; /* of the last whole one */
	bool at_end;
};

/* One call; every whole entry that is "fNNN" is ticked off. */
static void list_some(struct guest *guest, uint32_t fd, uint32_t size_bytes, struct names *names)
{
	uint32_t used, at = 0;

	EXPECT_INT(CALL(guest, "fd_readdir", fd, LIST_AT, size_bytes, names->cookie, RESULT), 0);
	used = guest_get32(guest, RESULT);
	EXPECT(used <= size_bytes);
	while (used - at >= WASI_SIZE_DIRENT) {
		const uint32_t len = guest_get32(guest, LIST_AT + at + 16);
		const char *name = (const char *)guest->memory + LIST_AT + at + WASI_SIZE_DIRENT;

		if (used - at - WASI_SIZE_DIRENT < len)
			break;
		if (name[0] == 'f') {
			EXPECT_UINT(guest->memory[LIST_AT + at + 20], WASI_FILETYPE_REGULAR_FILE);
			EXPECT_UINT(len, 4);
			names->seen[(name[1] - '0') * 100 + (name[2] - '0') * 10 + name[3] - '0']++;
		} else {
			EXPECT_UINT(guest->memory[LIST_AT + at + 20], WASI_FILETYPE_DIRECTORY);
		}
		names->count++;
		names->cookie = guest_get64(guest, LIST_AT + at);
		at += WASI_SIZE_DIRENT + len;
	}
	names->at_end = used < size_bytes;
}

static void make_many(struct guest *guest, unsigned int count)
{
	char name[32];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "rw/f%03u", i);
		guest_make(guest, name, "");
	}
}

TEST(a_directory_is_listed_whole_through_any_buffer)
{
	static const uint32_t sizes[] = {28, 29, 60, 100, 256, 1000, 4096, 5000, LIST_BYTES};
	struct guest guest;

	guest_open(&guest, NULL);
	make_many(&guest, 500);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct names names = {0};

		while (!names.at_end) {
			const unsigned int before = names.count;

			list_some(&guest, RW, sizes[i], &names);
			EXPECT(names.at_end || names.count > before);
		}
		EXPECT_UINT(names.count, 502);
		for (int at = 0; at < 500; at++)
			EXPECT_THAT(names.seen[at] == 1, "f%03d %d times", at, names.seen[at]);
	}
	EXPECT_INT(CALL(&guest, "fd_readdir", RW, LIST_AT, 100, 1ULL << 63, RESULT), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "fd_readdir", RW, LIST_AT, 0, 0, RESULT), 0);
	EXPECT_INT(CALL(&guest, "fd_readdir", 0, LIST_AT, 100, 0, RESULT), WASI_ENOTDIR);
	guest_close(&guest);
}

/* As `rm -r` does it: between two calls, what was listed is removed. */
TEST(a_cookie_holds_while_entries_are_removed)
{
	struct guest guest;
	struct names names = {0};
	char name[16];

	guest_open(&guest, NULL);
	make_many(&guest, 500);
	while (!names.at_end) {
		struct names before = names;

		list_some(&guest, RW, 700, &names);
		for (int i = 0; i < 500; i++) {
			snprintf(name, sizeof(name), "f%03d", i);
			if (names.seen[i] > before.seen[i])
				EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, name)),
					   0);
		}
	}
	for (int i = 0; i < 500; i++)
		EXPECT_THAT(names.seen[i] == 1, "f%03d %d times", i, names.seen[i]);
	/* An old cookie is still answered, and the beginning is looked at anew. */
	list_some(&guest, RW, 700, &names);
	names = (struct names){0};
	list_some(&guest, RW, 700, &names);
	EXPECT_UINT(names.count, 2);
	guest_close(&guest);
}

TEST(what_lies_above_is_not_even_told_by_its_number)
{
	struct guest guest;
	struct stat above, own;
	uint32_t at = 0;

	guest_open(&guest, NULL);
	EXPECT(stat(guest.base, &above) == 0 && stat(guest_path(&guest, "rw"), &own) == 0);
	EXPECT_INT(CALL(&guest, "fd_readdir", RW, LIST_AT, 100, 0, RESULT), 0);
	for (int i = 0; i < 2; i++) {
		EXPECT_UINT(guest_get64(&guest, LIST_AT + at + 8), own.st_ino);
		at += WASI_SIZE_DIRENT + guest_get32(&guest, LIST_AT + at + 16);
	}
	EXPECT(above.st_ino != own.st_ino);
	guest_close(&guest);
}

/* ---- limits ---------------------------------------------------------------------------------------- */

TEST(handles_are_limited)
{
	struct wasi_config config = guest_config();
	struct guest guest;
	uint32_t fd;

	config.limits.handles = 8;
	guest_open(&guest, &config);
	open_rw(&guest, "a", WASI_OFLAG_CREAT);
	fd = open_rw(&guest, "b", WASI_OFLAG_CREAT);
	EXPECT_INT(guest_open_file(&guest, RW, "c", WASI_OFLAG_CREAT, 0, &fd), WASI_EMFILE);
	/* Refused before anything was made. */
	EXPECT(!guest_exists(&guest, "rw/c"));
	EXPECT(guest_report(&guest).handles_reached);
	EXPECT_UINT(guest_report(&guest).handles_peak, 8);
	EXPECT_INT(CALL(&guest, "fd_close", 0), 0);
	EXPECT_INT(guest_open_file(&guest, RW, "c", WASI_OFLAG_CREAT, 0, &fd), 0);
	EXPECT_UINT(fd, 0);
	guest_close(&guest);
}

/* Writes blocks of 4 KiB until refused; returns how many went. */
static unsigned int fill(struct guest *guest, uint32_t fd, uint32_t *ret_error)
{
	static char block[4097];
	unsigned int count = 0;
	uint32_t put;

	memset(block, 'x', 4096);
	while ((*ret_error = guest_write(guest, fd, block, &put)) == 0 && count < 10000)
		count++;
	return count;
}

TEST(storage_is_limited_by_what_is_occupied)
{
	struct wasi_config config = guest_config();
	struct guest guest;
	struct stat file;
	uint32_t fd, other, error;

	config.limits.storage_bytes = 256 << 10;
	guest_open(&guest, &config);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	EXPECT(fill(&guest, fd, &error) <= 64);
	EXPECT_INT(error, WASI_ENOSPC);
	EXPECT(guest_report(&guest).storage_reached);
	EXPECT(stat(guest_path(&guest, "rw/file"), &file) == 0);
	EXPECT(file.st_size >= 200 << 10 && file.st_size <= 256 << 10);
	EXPECT_UINT(guest_report(&guest).storage_bytes, (uint64_t)file.st_blocks * 512);
	/* No way around: another file, a size, an allocation, a write far behind the end. */
	other = open_rw(&guest, "other", WASI_OFLAG_CREAT);
	EXPECT(fill(&guest, other, &error) <= 1);
	EXPECT_INT(error, WASI_ENOSPC);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", other, 1 << 20), WASI_ENOSPC);
	EXPECT_INT(CALL(&guest, "fd_allocate", other, 0, 1 << 20), WASI_ENOSPC);
	seek(&guest, other, 1 << 30, WASI_WHENCE_SET);
	EXPECT_UINT(fill(&guest, other, &error), 0);
	/* What is given up is there again: cut short, or removed and closed. */
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 0), 0);
	seek(&guest, fd, 0, WASI_WHENCE_SET);
	EXPECT(fill(&guest, fd, &error) >= 48);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "file")), 0);
	seek(&guest, other, 0, WASI_WHENCE_SET);
	EXPECT(fill(&guest, other, &error) <= 1); /* it is still open, and still there */
	EXPECT_INT(CALL(&guest, "fd_close", fd), 0);
	seek(&guest, other, 0, WASI_WHENCE_SET);
	EXPECT(fill(&guest, other, &error) >= 48);
	guest_close(&guest);
}

/* Many small writes into one block are that block, once; and removed it is nothing again. */
TEST(a_block_counts_once)
{
	struct guest guest;
	struct stat file;
	uint32_t fd, put;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	for (int i = 0; i < 500; i++)
		EXPECT_INT(guest_write(&guest, fd, "0123456789", &put), 0);
	EXPECT(stat(guest_path(&guest, "rw/file"), &file) == 0);
	EXPECT_UINT(guest_report(&guest).storage_bytes, (uint64_t)file.st_blocks * 512);
	EXPECT_INT(CALL(&guest, "fd_close", fd), 0);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "file")), 0);
	EXPECT_UINT(guest_report(&guest).storage_bytes, 0);
	EXPECT_UINT(guest_report(&guest).storage_peak_bytes, (uint64_t)file.st_blocks * 512);
	guest_close(&guest);
}

TEST(a_file_counts_until_its_last_name_is_gone)
{
	struct guest guest;
	uint32_t fd, error;
	uint64_t used;

	guest_open(&guest, NULL);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "file"), RW, TEXT(&guest, "l")),
		   0);
	for (int i = 0; i < 100; i++)
		EXPECT_INT(guest_write(&guest, fd,
				       "01234567890123456789012345678901234567890123456789",
				       &error),
			   0);
	EXPECT_INT(CALL(&guest, "fd_close", fd), 0);
	used = guest_report(&guest).storage_bytes;
	EXPECT(used >= 5000);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "file")), 0);
	EXPECT_UINT(guest_report(&guest).storage_bytes, used);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "l")), 0);
	EXPECT_UINT(guest_report(&guest).storage_bytes, 0);
	guest_close(&guest);
}

/* What was there before is no allowance: removing it does not raise the limit. */
TEST(the_files_of_others_are_no_allowance)
{
	struct wasi_config config = guest_config();
	static char big[1 << 20];
	struct guest guest;
	uint32_t fd, error;

	config.limits.storage_bytes = 64 << 10;
	guest_open(&guest, &config);
	memset(big, 'b', sizeof(big) - 1);
	guest_make(&guest, "rw/big", big);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "big")), 0);
	EXPECT_UINT(guest_report(&guest).storage_bytes, 0);
	fd = open_rw(&guest, "file", WASI_OFLAG_CREAT);
	EXPECT(fill(&guest, fd, &error) <= 16);
	EXPECT_INT(error, WASI_ENOSPC);
	guest_close(&guest);
}

TEST(what_is_made_is_limited_in_number)
{
	struct wasi_config config = guest_config();
	struct guest guest;
	uint32_t fd;

	config.limits.entries = 4;
	guest_open(&guest, &config);
	open_rw(&guest, "a", WASI_OFLAG_CREAT);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "d")), 0);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "a"), RW, TEXT(&guest, "l")), 0);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "a"), RW, TEXT(&guest, "h")), 0);
	EXPECT_INT(guest_open_file(&guest, RW, "b", WASI_OFLAG_CREAT, 0, &fd), WASI_ENOSPC);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "e")), WASI_ENOSPC);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "a"), RW, TEXT(&guest, "m")),
		   WASI_ENOSPC);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "a"), RW, TEXT(&guest, "i")),
		   WASI_ENOSPC);
	EXPECT(guest_report(&guest).entries_reached);
	EXPECT_UINT(guest_report(&guest).entries, 4);
	/* Opening what is there makes nothing; removing gives back, so does a rename over another. */
	open_rw(&guest, "a", WASI_OFLAG_CREAT);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "l")), 0);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "a"), RW, TEXT(&guest, "m")), 0);
	EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, "m"), RW, TEXT(&guest, "h")), 0);
	EXPECT_UINT(guest_report(&guest).entries, 3);
	guest_close(&guest);
}
