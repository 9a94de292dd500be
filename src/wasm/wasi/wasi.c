/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The table of functions, and what a guest begins with. */
#include "wasi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/*
 * What a call costs in fuel, before what it moves: about what its system calls take, in instructions of
 * a guest.  A loop of calls ends like any other, and what a path costs does not depend on the host.
 */
enum { CHARGE_PLAIN = 100, CHARGE_CALL = 1000, CHARGE_PATH = 4000, CHARGE_SYNC = 20000 };

/* clang-format off */
const struct wasi_function wasi_functions[] = {
	{"args_get", "ii", true, wasi_args_get, CHARGE_PLAIN},
	{"args_sizes_get", "ii", true, wasi_args_sizes_get, CHARGE_PLAIN},
	{"environ_get", "ii", true, wasi_environ_get, CHARGE_PLAIN},
	{"environ_sizes_get", "ii", true, wasi_environ_sizes_get, CHARGE_PLAIN},
	{"clock_res_get", "ii", true, wasi_clock_res_get, CHARGE_PLAIN},
	{"clock_time_get", "iIi", true, wasi_clock_time_get, CHARGE_PLAIN},
	{"fd_advise", "iIIi", true, wasi_fd_advise, CHARGE_CALL},
	{"fd_allocate", "iII", true, wasi_fd_allocate, CHARGE_PATH},
	{"fd_close", "i", true, wasi_fd_close, CHARGE_CALL},
	{"fd_datasync", "i", true, wasi_fd_datasync, CHARGE_SYNC},
	{"fd_fdstat_get", "ii", true, wasi_fd_fdstat_get, CHARGE_PLAIN},
	{"fd_fdstat_set_flags", "ii", true, wasi_fd_fdstat_set_flags, CHARGE_CALL},
	{"fd_fdstat_set_rights", "iII", true, wasi_fd_fdstat_set_rights, CHARGE_PLAIN},
	{"fd_filestat_get", "ii", true, wasi_fd_filestat_get, CHARGE_CALL},
	{"fd_filestat_set_size", "iI", true, wasi_fd_filestat_set_size, CHARGE_PATH},
	{"fd_filestat_set_times", "iIIi", true, wasi_fd_filestat_set_times, CHARGE_CALL},
	{"fd_pread", "iiiIi", true, wasi_fd_pread, CHARGE_CALL},
	{"fd_prestat_dir_name", "iii", true, wasi_fd_prestat_dir_name, CHARGE_PLAIN},
	{"fd_prestat_get", "ii", true, wasi_fd_prestat_get, CHARGE_PLAIN},
	{"fd_pwrite", "iiiIi", true, wasi_fd_pwrite, CHARGE_CALL},
	{"fd_read", "iiii", true, wasi_fd_read, CHARGE_CALL},
	{"fd_readdir", "iiiIi", true, wasi_fd_readdir, CHARGE_CALL},
	{"fd_renumber", "ii", true, wasi_fd_renumber, CHARGE_CALL},
	{"fd_seek", "iIii", true, wasi_fd_seek, CHARGE_CALL},
	{"fd_sync", "i", true, wasi_fd_sync, CHARGE_SYNC},
	{"fd_tell", "ii", true, wasi_fd_tell, CHARGE_CALL},
	{"fd_write", "iiii", true, wasi_fd_write, CHARGE_CALL},
	{"path_create_directory", "iii", true, wasi_path_create_directory, CHARGE_PATH},
	{"path_filestat_get", "iiiii", true, wasi_path_filestat_get, CHARGE_PATH},
	{"path_filestat_set_times", "iiiiIIi", true, wasi_path_filestat_set_times, CHARGE_PATH},
	{"path_link", "iiiiiii", true, wasi_path_link, CHARGE_PATH},
	{"path_open", "iiiiiIIii", true, wasi_path_open, CHARGE_PATH},
	{"path_readlink", "iiiiii", true, wasi_path_readlink, CHARGE_PATH},
	{"path_remove_directory", "iii", true, wasi_path_remove_directory, CHARGE_PATH},
	{"path_rename", "iiiiii", true, wasi_path_rename, CHARGE_PATH},
	{"path_symlink", "iiiii", true, wasi_path_symlink, CHARGE_PATH},
	{"path_unlink_file", "iii", true, wasi_path_unlink_file, CHARGE_PATH},
	{"poll_oneoff", "iiii", true, wasi_poll_oneoff, CHARGE_CALL},
	{"proc_exit", "i", false, wasi_proc_exit, CHARGE_PLAIN},
	{"proc_raise", "i", true, wasi_proc_raise, CHARGE_PLAIN},
	{"random_get", "ii", true, wasi_random_get, CHARGE_CALL},
	{"sched_yield", "", true, wasi_sched_yield, CHARGE_CALL},
	{"sock_accept", "iii", true, wasi_sock_accept, CHARGE_PLAIN},
	{"sock_recv", "iiiiii", true, wasi_sock_recv, CHARGE_PLAIN},
	{"sock_send", "iiiii", true, wasi_sock_send, CHARGE_PLAIN},
	{"sock_shutdown", "ii", true, wasi_sock_shutdown, CHARGE_PLAIN},
};
/* clang-format on */

const size_t wasi_function_count = sizeof(wasi_functions) / sizeof(wasi_functions[0]);

const char *const wasi_system_calls[] = {
	"clock_getres", "clock_gettime", "close",      "fadvise64",  "fallocate",  "fcntl",
	"fdatasync",    "fstat",         "fsync",      "ftruncate",  "getdents64", "getrandom",
	"linkat",       "lseek",         "mkdirat",    "newfstatat", "openat2",    "ppoll",
	"preadv",       "pwritev",       "readlinkat", "readv",      "renameat2",  "sched_yield",
	"symlinkat",    "unlinkat",      "utimensat",  "write",      "writev",     NULL,
};

const struct wasi_function *wasi_function_find(const char *name)
{
	for (size_t i = 0; i < wasi_function_count; i++) {
		if (strcmp(wasi_functions[i].name, name) == 0)
			return &wasi_functions[i];
	}
	return NULL;
}

uint32_t wasi_invoke(const struct wasi_function *function, struct wasi_call *call)
{
	call->charge = function->charge;
	call->exited = false;
	call->exit_code = 0;
	call->expired = false;
	call->wasi->current = function;
	call->wasi->seen.calls++;
	return function->call(call);
}

/* ---- what a guest begins with -------------------------------------------------------------------- */

/* Sizes are 32 bits wide in the guest, and so is what they add up to with their pointers. */
enum { STRINGS_BYTES_MAX = 1 << 30 };

static enum bv_code copy_strings(const char *const *items, size_t count, struct wasi_strings *ret,
				 struct bv_error *err)
{
	size_t size_bytes = 0;

	for (size_t i = 0; i < count; i++) {
		size_bytes += strlen(items[i]) + 1;
		if (size_bytes + i * 4 > STRINGS_BYTES_MAX)
			return bv_fail(err, BV_E_ARGUMENT, "wasi",
				       "too many arguments or variables");
	}
	ret->text = malloc(size_bytes ? size_bytes : 1);
	if (!ret->text)
		return bv_fail(err, BV_E_MEMORY, "wasi", "no memory for arguments and variables");
	for (size_t i = 0; i < count; i++) {
		const size_t len = strlen(items[i]) + 1;

		memcpy(ret->text + ret->text_bytes, items[i], len);
		ret->text_bytes += len;
	}
	ret->count = count;
	return BV_OK;
}

static void open_streams(struct wasi *wasi, const struct wasi_config *config)
{
	for (unsigned int i = 0; i < WASI_STREAM_COUNT; i++) {
		wasi_stream_open(wasi, i, config->stream_fds[i]);
		wasi->entries[i] = (struct wasi_entry){
			.kind = WASI_KIND_STREAM,
			.access = WASI_ACCESS_READ | WASI_ACCESS_WRITE,
			.fd = config->stream_fds[i] < 0 ? -1 : config->stream_fds[i],
			.stream = i,
			.rights = i == WASI_STDIN ? WASI_RIGHTS_INPUT : WASI_RIGHTS_OUTPUT,
			.listing = {.fd = -1},
		};
		wasi_entry_added(wasi, i);
	}
}

static enum bv_code open_preopen(struct wasi *wasi, const struct wasi_preopen *preopen,
				 const char *name, struct bv_error *err)
{
	const unsigned int all = WASI_ACCESS_READ | WASI_ACCESS_WRITE;
	struct wasi_entry *entry;
	struct stat file;
	uint32_t fd;

	if (!name[0] || strlen(name) >= PATH_MAX || !bv_utf8_valid(bv_str_from(name)))
		return bv_fail(err, BV_E_ARGUMENT, "wasi.preopens",
			       "a directory's name must be UTF-8 and not empty");
	if (preopen->access == 0 || (preopen->access & ~all))
		return bv_fail(err, BV_E_ARGUMENT, "wasi.preopens",
			       "'%s' may be neither read nor written", name);
	if (fstat(preopen->dir_fd, &file) != 0 || !S_ISDIR(file.st_mode))
		return bv_fail(err, BV_E_ARGUMENT, "wasi.preopens", "'%s' is not a directory",
			       name);
	if (wasi_entry_new(wasi, &fd, &entry) != WASI_SUCCESS)
		return bv_fail(err, BV_E_ARGUMENT, "wasi.limits.handles",
			       "no handle is left for the directory '%s'", name);
	*entry = (struct wasi_entry){
		.kind = WASI_KIND_DIRECTORY,
		.access = preopen->access,
		.fd = preopen->dir_fd,
		.rights = WASI_RIGHTS_DIRECTORY,
		.rights_inheriting = WASI_RIGHTS_FILE | WASI_RIGHTS_DIRECTORY,
		.preopen_name = name,
		.path = strdup(name),
		.dev = file.st_dev,
		.ino = file.st_ino,
		.root_dev = file.st_dev,
		.root_ino = file.st_ino,
		.listing = {.fd = -1},
	};
	wasi_entry_added(wasi, fd);
	return BV_OK;
}

static enum bv_code open_preopens(struct wasi *wasi, const struct wasi_config *config,
				  struct bv_error *err)
{
	enum bv_code code = BV_OK;
	size_t at = 0;

	for (size_t i = 0; i < config->preopen_count && code == BV_OK; i++) {
		const char *name = wasi->names.text + at;

		code = open_preopen(wasi, &config->preopens[i], name, err);
		at += strlen(name) + 1;
	}
	return code;
}

static enum bv_code copy_names(struct wasi *wasi, const struct wasi_config *config,
			       struct bv_error *err)
{
	const char *names[WASI_HANDLES_MAX];

	if (config->preopen_count > WASI_HANDLES_MAX)
		return bv_fail(err, BV_E_ARGUMENT, "wasi.preopens", "too many directories");
	for (size_t i = 0; i < config->preopen_count; i++)
		names[i] = config->preopens[i].name;
	return copy_strings(names, config->preopen_count, &wasi->names, err);
}

static enum bv_code fill(struct wasi *wasi, const struct wasi_config *config, struct bv_error *err)
{
	enum bv_code code;

	wasi->limits = config->limits;
	if (wasi->limits.handles > WASI_HANDLES_MAX)
		wasi->limits.handles = WASI_HANDLES_MAX;
	if (wasi->limits.handles < WASI_STREAM_COUNT)
		return bv_fail(err, BV_E_ARGUMENT, "wasi.limits.handles",
			       "the three streams alone take three handles");
	wasi->deadline_ns = config->deadline_ns;
	wasi->on_denied = config->on_denied;
	wasi->deterministic = config->deterministic;
	wasi->clock_ns = config->clock_ns;
	wasi->random_state = config->seed;
	wasi->entries = calloc((size_t)wasi->limits.handles, sizeof(*wasi->entries));
	if (!wasi->entries)
		return bv_fail(err, BV_E_MEMORY, "wasi", "no memory for the table of handles");
	code = copy_strings(config->args, config->arg_count, &wasi->args, err);
	if (code == BV_OK)
		code = copy_strings(config->env, config->env_count, &wasi->env, err);
	if (code == BV_OK)
		code = copy_names(wasi, config, err);
	if (code != BV_OK)
		return code;
	open_streams(wasi, config);
	return open_preopens(wasi, config, err);
}

enum bv_code wasi_open(const struct wasi_config *config, struct wasi **ret, struct bv_error *err)
{
	struct wasi *wasi = calloc(1, sizeof(*wasi));
	enum bv_code code;

	if (!wasi)
		return bv_fail(err, BV_E_MEMORY, "wasi", "no memory");
	code = fill(wasi, config, err);
	if (code != BV_OK) {
		wasi_close(wasi);
		return code;
	}
	*ret = wasi;
	return BV_OK;
}

void wasi_close(struct wasi *wasi)
{
	if (!wasi)
		return;
	for (uint32_t i = 0; i < wasi->entry_count; i++) {
		if (wasi->entries[i].kind != WASI_KIND_FREE)
			wasi_entry_clear(wasi, &wasi->entries[i]);
	}
	free(wasi->entries);
	free(wasi->args.text);
	free(wasi->env.text);
	free(wasi->names.text);
	free(wasi);
}

void wasi_observe(const struct wasi *wasi, struct wasi_report *ret)
{
	*ret = wasi->seen;
	for (unsigned int i = 0; i < WASI_STREAM_COUNT; i++)
		ret->streams[i] = wasi->streams[i].seen;
	ret->denials = wasi->denials;
}
