/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wasi_calls.c - the table, the guest's memory, and what a process is given. */
#include "wasi_guest.h"

/* Every function of the standard and its signature, written down a second time. */
static const char *const standard[][2] = {
	{"args_get", "ii"},
	{"args_sizes_get", "ii"},
	{"environ_get", "ii"},
	{"environ_sizes_get", "ii"},
	{"clock_res_get", "ii"},
	{"clock_time_get", "iIi"},
	{"fd_advise", "iIIi"},
	{"fd_allocate", "iII"},
	{"fd_close", "i"},
	{"fd_datasync", "i"},
	{"fd_fdstat_get", "ii"},
	{"fd_fdstat_set_flags", "ii"},
	{"fd_fdstat_set_rights", "iII"},
	{"fd_filestat_get", "ii"},
	{"fd_filestat_set_size", "iI"},
	{"fd_filestat_set_times", "iIIi"},
	{"fd_pread", "iiiIi"},
	{"fd_prestat_get", "ii"},
	{"fd_prestat_dir_name", "iii"},
	{"fd_pwrite", "iiiIi"},
	{"fd_read", "iiii"},
	{"fd_readdir", "iiiIi"},
	{"fd_renumber", "ii"},
	{"fd_seek", "iIii"},
	{"fd_sync", "i"},
	{"fd_tell", "ii"},
	{"fd_write", "iiii"},
	{"path_create_directory", "iii"},
	{"path_filestat_get", "iiiii"},
	{"path_filestat_set_times", "iiiiIIi"},
	{"path_link", "iiiiiii"},
	{"path_open", "iiiiiIIii"},
	{"path_readlink", "iiiiii"},
	{"path_remove_directory", "iii"},
	{"path_rename", "iiiiii"},
	{"path_symlink", "iiiii"},
	{"path_unlink_file", "iii"},
	{"poll_oneoff", "iiii"},
	{"proc_exit", "i"},
	{"proc_raise", "i"},
	{"sched_yield", ""},
	{"random_get", "ii"},
	{"sock_accept", "iii"},
	{"sock_recv", "iiiiii"},
	{"sock_send", "iiiii"},
	{"sock_shutdown", "ii"},
};

TEST(the_table_is_the_standards)
{
	EXPECT_UINT(wasi_function_count, 46);
	EXPECT_UINT(sizeof(standard) / sizeof(standard[0]), 46);
	for (size_t i = 0; i < wasi_function_count; i++) {
		const struct wasi_function *function = wasi_function_find(standard[i][0]);

		EXPECT_THAT(function != NULL, "%s", standard[i][0]);
		EXPECT_STR(function->params, standard[i][1]);
		EXPECT_INT(function->returns, strcmp(function->name, "proc_exit") != 0);
		EXPECT(function->charge > 0);
	}
	EXPECT(wasi_function_find("fd_reads") == NULL);
	EXPECT_UINT(WASI_ENOTCAPABLE, 76);
	EXPECT_UINT(WASI_EINVAL, 28);
}

/* ---- memory ---------------------------------------------------------------------------------------- */

/* Whatever is all ones, or at the very end: an errno, and the sanitizers have nothing to say. */
TEST(no_argument_reaches_outside_the_memory)
{
	static const uint64_t values[] = {0,          MEMORY_SIZE - 1, MEMORY_SIZE, 0x7fffffff,
					  0x80000000, UINT32_MAX,      UINT64_MAX};
	enum { VALUES = sizeof(values) / sizeof(values[0]) };
	struct wasi_config config = guest_config();
	struct guest guest;

	config.deadline_ns = 1; /* long past: nothing waits */
	guest_open(&guest, &config);
	for (size_t i = 0; i < wasi_function_count; i++) {
		const struct wasi_function *function = &wasi_functions[i];
		const size_t count = strlen(function->params);

		for (size_t round = 0; round < (size_t)VALUES * VALUES * 4; round++) {
			uint64_t args[16];

			for (size_t at = 0; at < count; at++) {
				const size_t pick = round / (at % 2 ? VALUES : 1) +
						    at * (round / 49);

				args[at] = values[pick % VALUES];
				if (function->params[at] == 'i')
					args[at] = (uint32_t)args[at];
			}
			if (count > 0 && round % 2)
				args[0] = round % 6; /* a descriptor that is there */
			guest_invoke(&guest, function->name, count, args);
		}
	}
	EXPECT_UINT(guest_report(&guest).calls, wasi_function_count * VALUES * VALUES * 4);
	guest_close(&guest);
}

TEST(a_guest_without_memory_gets_faults)
{
	struct guest guest;
	uint8_t *memory;

	guest_open(&guest, NULL);
	memory = guest.memory;
	guest.memory = NULL;
	guest.memory_bytes = 0;
	EXPECT_INT(CALL(&guest, "random_get", 0, 1), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "fd_prestat_get", RW, 0), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, 0, 1), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "args_sizes_get", 0, 4), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "random_get", 0, 0), 0);
	EXPECT_INT(CALL(&guest, "sched_yield"), 0);
	guest.memory = memory;
	guest_close(&guest);
}

/* ---- what a process is given ------------------------------------------------------------------------ */

TEST(arguments_and_environment_are_exact)
{
	static const char *const args[] = {"guest", "", "two words"};
	static const char *const env[] = {"A=1", "B="};
	struct wasi_config config = guest_config();
	struct guest guest;

	config.args = args;
	config.arg_count = 3;
	config.env = env;
	config.env_count = 2;
	guest_open(&guest, &config);
	EXPECT_INT(CALL(&guest, "args_sizes_get", 0, 4), 0);
	EXPECT_UINT(guest_get32(&guest, 0), 3);
	EXPECT_UINT(guest_get32(&guest, 4), 17);
	EXPECT_INT(CALL(&guest, "args_get", 8192, 8300), 0);
	EXPECT_UINT(guest_get32(&guest, 8192), 8300);
	EXPECT_UINT(guest_get32(&guest, 8196), 8306);
	EXPECT_UINT(guest_get32(&guest, 8200), 8307);
	EXPECT_BYTES(guest.memory + 8300, 17, "guest\0\0two words", 17);
	EXPECT_INT(CALL(&guest, "environ_sizes_get", 0, 4), 0);
	EXPECT_UINT(guest_get32(&guest, 0), 2);
	EXPECT_UINT(guest_get32(&guest, 4), 7);
	EXPECT_INT(CALL(&guest, "environ_get", 8192, 8300), 0);
	EXPECT_BYTES(guest.memory + 8300, 7, "A=1\0B=", 7);
	EXPECT_INT(CALL(&guest, "args_get", 8192, MEMORY_SIZE - 16), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "args_get", MEMORY_SIZE - 8, 0), WASI_EFAULT);
	guest_close(&guest);
}

TEST(a_guest_without_arguments_has_none)
{
	struct guest guest;

	guest_open(&guest, NULL);
	EXPECT_INT(CALL(&guest, "args_sizes_get", 0, 4), 0);
	EXPECT_UINT(guest_get64(&guest, 0), 0);
	EXPECT_INT(CALL(&guest, "environ_sizes_get", 0, 4), 0);
	EXPECT_UINT(guest_get64(&guest, 0), 0);
	EXPECT_INT(CALL(&guest, "environ_get", MEMORY_SIZE, MEMORY_SIZE), 0);
	guest_close(&guest);
}

TEST(the_end_is_the_engines_to_make)
{
	struct guest guest;

	guest_open(&guest, NULL);
	CALL(&guest, "proc_exit", 300);
	EXPECT(guest.exited);
	EXPECT_UINT(guest.exit_code, 300);
	EXPECT_INT(CALL(&guest, "proc_raise", 9), WASI_ENOTSUP);
	EXPECT(!guest.exited);
	EXPECT_INT(CALL(&guest, "sched_yield"), 0);
	guest_close(&guest);
}

TEST(random_bytes_are_random)
{
	struct guest guest;

	guest_open(&guest, NULL);
	EXPECT_INT(CALL(&guest, "random_get", 8192, 64), 0);
	memcpy(guest.memory + 16384, guest.memory + 8192, 64);
	EXPECT_INT(CALL(&guest, "random_get", 8192, 64), 0);
	EXPECT(memcmp(guest.memory + 16384, guest.memory + 8192, 64) != 0);
	EXPECT_INT(CALL(&guest, "random_get", 0, MEMORY_SIZE), 0);
	EXPECT_UINT(guest.charge, 1000 + MEMORY_SIZE / 4);
	EXPECT_INT(CALL(&guest, "random_get", 1, MEMORY_SIZE), WASI_EFAULT);
	EXPECT_INT(CALL(&guest, "random_get", 1, UINT32_MAX), WASI_EFAULT);
	guest_close(&guest);
}

TEST(there_are_no_sockets)
{
	struct guest guest;

	guest_open(&guest, NULL);
	EXPECT_INT(CALL(&guest, "sock_accept", RW, 0, RESULT), WASI_ENOTSOCK);
	EXPECT_INT(CALL(&guest, "sock_recv", 0, 0, 0, 0, RESULT, RESULT + 4), WASI_ENOTSOCK);
	EXPECT_INT(CALL(&guest, "sock_send", 1, 0, 0, 0, RESULT), WASI_ENOTSOCK);
	EXPECT_INT(CALL(&guest, "sock_shutdown", 99, 0), WASI_EBADF);
	EXPECT(guest_denied(&guest, "sock_accept", "", WASI_DENIED_NETWORK));
	EXPECT_UINT(guest_report(&guest).denied_calls, 4);
	guest_close(&guest);
}

/* ---- denials ---------------------------------------------------------------------------------------- */

TEST(denials_are_all_counted_and_the_first_listed)
{
	struct guest guest;
	struct wasi_report report;
	char path[400], name[32];

	guest_open(&guest, NULL);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "../x%d", i / 2);
		EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, name)), WASI_EPERM);
	}
	report = guest_report(&guest);
	EXPECT_UINT(report.denied_calls, 100);
	EXPECT_UINT(report.denial_count, 50);
	EXPECT_UINT(report.denials[0].count, 2);
	EXPECT_STR(report.denials[49].path, "rw/../x49");
	/* A long path is cut, and not in the middle of a character. */
	strcpy(path, "../");
	while (strlen(path) < 390)
		strcat(path, "\xe2\x82\xac/");
	EXPECT_INT(CALL(&guest, "path_filestat_get", RW, 0, TEXT(&guest, path), RESULT),
		   WASI_EPERM);
	report = guest_report(&guest);
	EXPECT_UINT(strlen(report.denials[50].path), 254);
	for (int i = 100; i < 300; i++) {
		snprintf(name, sizeof(name), "../x%d", i);
		EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, name)), WASI_EPERM);
	}
	report = guest_report(&guest);
	EXPECT_UINT(report.denial_count, WASI_DENIALS_MAX);
	EXPECT_UINT(report.denied_calls, 301);
	for (int i = 0; i < WASI_DENIAL_REASON_COUNT; i++)
		EXPECT(wasi_denial_reason_name((enum wasi_denial_reason)i)[0] != '?');
	guest_close(&guest);
}

TEST(what_the_kernel_refuses_is_a_denial_too)
{
	struct guest guest;
	uint32_t fd;

	SKIP_UNLESS(geteuid() == 0, "needs root to become somebody else");
	guest_open(&guest, NULL);
	guest_make(&guest, "rw/file", "x");
	EXPECT(chmod(guest_path(&guest, "rw/file"), 0600) == 0);
	EXPECT_INT(guest_open_file(&guest, RW, "file", 0, READ_RIGHTS, &fd), 0);
	EXPECT(seteuid(65534) == 0);
	EXPECT_INT(guest_open_file(&guest, RW, "file", 0, READ_RIGHTS, &fd), WASI_EACCES);
	EXPECT(guest_denied(&guest, "path_open", "rw/file", WASI_DENIED_HOST));
	EXPECT(seteuid(0) == 0);
	guest_close(&guest);
}

/* ---- configuration ---------------------------------------------------------------------------------- */

TEST(a_wrong_configuration_is_refused)
{
	struct wasi_config config = guest_config();
	struct bv_error err = {0};
	struct wasi *wasi = NULL;
	struct wasi_preopen preopen = {"d", 0, WASI_ACCESS_READ};
	int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	config.preopens = &preopen;
	config.preopen_count = 1;
	preopen.dir_fd = file;
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	EXPECT_STR(err.message, "'d' is not a directory");
	preopen.dir_fd = dir;
	preopen.access = 0;
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	preopen.access = 4;
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	preopen.access = WASI_ACCESS_READ;
	preopen.name = "";
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	preopen.name = "\xff";
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	preopen.name = "d";
	config.limits.handles = 3;
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	config.limits.handles = 2;
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_E_ARGUMENT);
	EXPECT(wasi == NULL);
	config.limits.handles = 4;
	EXPECT_INT(wasi_open(&config, &wasi, &err), BV_OK);
	wasi_close(wasi);
	wasi_close(NULL);
	EXPECT(close(dir) == 0 && close(file) == 0);
}
