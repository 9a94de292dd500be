/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wasi_filter.c - WASI under a filter of those system calls that wasi_system_calls names. */
#include "wasi_guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const struct {
	const char *name;
	int number;
} numbers[] = {
#define CALL_OF(name)                                                                              \
	{                                                                                          \
#name, SYS_##name                                                                  \
	}
	CALL_OF(clock_getres), CALL_OF(clock_gettime), CALL_OF(close),      CALL_OF(fadvise64),
	CALL_OF(fallocate),    CALL_OF(fcntl),         CALL_OF(fdatasync),  CALL_OF(fstat),
	CALL_OF(fsync),        CALL_OF(ftruncate),     CALL_OF(getdents64), CALL_OF(getrandom),
	CALL_OF(linkat),       CALL_OF(lseek),         CALL_OF(mkdirat),    CALL_OF(newfstatat),
	CALL_OF(openat2),      CALL_OF(ppoll),         CALL_OF(preadv),     CALL_OF(pwritev),
	CALL_OF(readlinkat),   CALL_OF(readv),         CALL_OF(renameat2),  CALL_OF(sched_yield),
	CALL_OF(symlinkat),    CALL_OF(unlinkat),      CALL_OF(utimensat),  CALL_OF(write),
	CALL_OF(writev),
};

/* Kills the process at any call but those of the list, and what malloc and an end need. */
static void allow_only_the_list(void)
{
	static const int others[] = {SYS_brk, SYS_mmap, SYS_munmap, SYS_exit_group,
				     SYS_rt_sigreturn};
	struct sock_filter filter[128] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = {.len = 1, .filter = filter};

	for (size_t i = 0; wasi_system_calls[i]; i++) {
		size_t at = 0;

		while (at < sizeof(numbers) / sizeof(numbers[0]) &&
		       strcmp(numbers[at].name, wasi_system_calls[i]) != 0)
			at++;
		EXPECT_THAT(at < sizeof(numbers) / sizeof(numbers[0]), "%s", wasi_system_calls[i]);
		filter[program.len++] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)numbers[at].number, 0, 1);
		filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
								     SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		filter[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								     (unsigned int)others[i], 0, 1);
		filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
								     SECCOMP_RET_ALLOW);
	}
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
							     SECCOMP_RET_KILL_PROCESS);
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void use_everything(struct guest *guest)
{
	const uint32_t list[] = {8192, 4};
	uint32_t fd;

	memcpy(guest->memory + 4096, list, sizeof(list));
	EXPECT_INT(guest_open_file(guest, RW, "f", WASI_OFLAG_CREAT, WRITE_RIGHTS, &fd), 0);
	CALL(guest, "fd_write", fd, 4096, 1, RESULT);
	CALL(guest, "fd_pwrite", fd, 4096, 1, 8, RESULT);
	CALL(guest, "fd_pread", fd, 4096, 1, 8, RESULT);
	CALL(guest, "fd_read", fd, 4096, 1, RESULT);
	CALL(guest, "fd_seek", fd, 0, 0, RESULT);
	CALL(guest, "fd_write", 1, 4096, 1, RESULT);
	CALL(guest, "fd_read", 0, 4096, 1, RESULT);
	CALL(guest, "fd_sync", fd);
	CALL(guest, "fd_datasync", fd);
	CALL(guest, "fd_sync", RW);
	CALL(guest, "fd_advise", fd, 0, 1, 1);
	CALL(guest, "fd_allocate", fd, 0, 9);
	CALL(guest, "fd_filestat_set_size", fd, 9);
	CALL(guest, "fd_filestat_set_times", fd, 9, 9, 5);
	CALL(guest, "fd_filestat_get", fd, RESULT);
	CALL(guest, "fd_fdstat_set_flags", fd, 1);
	CALL(guest, "fd_readdir", RW, 8192, 4096, 0, RESULT);
	EXPECT_INT(CALL(guest, "path_create_directory", RW, TEXT(guest, "d")), 0);
	EXPECT_INT(CALL(guest, "path_symlink", TEXT(guest, "../f"), RW, TEXT(guest, "d/l")), 0);
	EXPECT_INT(CALL(guest, "path_readlink", RW, TEXT(guest, "d/l"), 8192, 9, RESULT), 0);
	EXPECT_INT(CALL(guest, "path_link", RW, 0, TEXT(guest, "f"), RW, TEXT(guest, "h")), 0);
	EXPECT_INT(CALL(guest, "path_rename", RW, TEXT(guest, "h"), RW, TEXT(guest, "i")), 0);
	EXPECT_INT(CALL(guest, "path_filestat_get", RW, 1, TEXT(guest, "d/l"), RESULT), 0);
	EXPECT_INT(CALL(guest, "path_filestat_set_times", RW, 0, TEXT(guest, "d/l"), 1, 1, 5), 0);
	EXPECT_INT(CALL(guest, "path_unlink_file", RW, TEXT(guest, "i")), 0);
	EXPECT_INT(CALL(guest, "path_unlink_file", RW, TEXT(guest, "d/l")), 0);
	EXPECT_INT(CALL(guest, "path_remove_directory", RW, TEXT(guest, "d")), 0);
	CALL(guest, "random_get", 8192, 9);
	CALL(guest, "clock_time_get", 0, 0, RESULT);
	CALL(guest, "clock_res_get", 2, RESULT);
	CALL(guest, "sched_yield");
	memset(guest->memory + 4096, 0, 96);
	EXPECT_INT(CALL(guest, "poll_oneoff", 4096, 8192, 2, RESULT), 0);
	EXPECT_INT(CALL(guest, "fd_renumber", fd, 1), 0);
	EXPECT_INT(CALL(guest, "fd_close", 1), 0);
}

TEST(no_other_system_calls_are_made_than_those_listed)
{
	struct wasi_config config = guest_config();
	struct guest guest;
	int in[2], status;
	pid_t child;

	EXPECT(pipe2(in, O_CLOEXEC) == 0 && write(in[1], "12345678", 8) == 8);
	config.stream_fds[0] = in[0];
	config.stream_fds[1] = in[1];
	guest_open(&guest, &config);
	child = fork();
	EXPECT(child >= 0);
	if (child == 0) {
		allow_only_the_list();
		use_everything(&guest);
		wasi_close(guest.wasi);
		_exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child);
	EXPECT_INT(status, 0);
	guest_close(&guest);
}
