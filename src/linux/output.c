/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* output.c - finds the files of the output directory and hands each to whoever keeps it. */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "spawn.h"
#include "sys.h"

static const struct bv_open_how below = {
	.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	.resolve = BV_RESOLVE_BENEATH | BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS |
		   BV_RESOLVE_NO_XDEV,
};

static enum bv_code no_memory(struct bv_error *err)
{
	return bv_fail(err, BV_E_MEMORY, "artifacts", "no memory for so many files");
}

/* ---- before ---------------------------------------------------------------------------------- */

enum bv_code bv__output_begin(const struct bv_lowered *lowered, struct bv_output **ret_output,
			      struct bv_error *err)
{
	static const struct bv_open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};
	const struct bv_lowered_output *wanted = &lowered->output;
	struct bv_output *output;
	struct stat seen;

	*ret_output = NULL;
	if (wanted->path.len == 0)
		return BV_OK;
	output = calloc(1, sizeof *output);
	if (output == NULL)
		return no_memory(err);
	output->root_fd = -1;
	output->limit_bytes = wanted->limit_bytes;
	output->path = strndup(wanted->path.data, wanted->path.len);
	if (output->path == NULL) {
		bv__output_free(output);
		return no_memory(err);
	}
	if (!wanted->staged) {
		/* Held from before the run on: what is done to names meanwhile leads nowhere else. */
		output->root_fd = bv_sys_openat2(AT_FDCWD, wanted->root.path.data, &how);
		if (output->root_fd < 0 || fstat(output->root_fd, &seen) != 0 ||
		    seen.st_dev != wanted->root.device || seen.st_ino != wanted->root.inode) {
			bv__output_free(output);
			return bv_fail_remedy(
				err, BV_E_SYSTEM, "execution.output_dir", "run it again",
				"the directory for artifacts cannot be read, or changed "
				"since the plan was made");
		}
	}
	*ret_output = output;
	return BV_OK;
}

void bv__output_free(struct bv_output *output)
{
	if (output == NULL)
		return;
	for (size_t i = 0; i < output->count; i++)
		free(output->files[i].name);
	for (size_t i = 0; i < output->left_count; i++)
		free(output->left[i].name);
	if (output->root_fd >= 0)
		close(output->root_fd);
	free(output->files);
	free(output->left);
	free(output->path);
	free(output);
}

/* ---- what is left out -------------------------------------------------------------------------- */

static void leave_out(struct bv_output *output, const char *name, enum bv_left_out_cause cause)
{
	const size_t room = 3 * strlen(name) + 64;
	struct bv_arena arena;
	char *memory;

	if (output->left == NULL)
		output->left = calloc(BV_OUTPUT_LEFT_OUT_NAMED, sizeof *output->left);
	memory = output->left != NULL && output->left_count < BV_OUTPUT_LEFT_OUT_NAMED
			 ? malloc(room)
			 : NULL;
	if (memory == NULL) {
		output->left_more++;
		return;
	}
	bv_arena_init(&arena, memory, room);
	output->left[output->left_count++] = (struct bv_output_left){
		strdup(bv_arena_utf8(&arena, bv_str_from(name)).data), cause};
	free(memory);
	if (output->left[output->left_count - 1].name == NULL) {
		output->left_count--;
		output->left_more++;
	}
}

/* ---- what is there ----------------------------------------------------------------------------- */

/* Directories still to be looked at. */
struct walk {
	struct bv_output *output;
	char **paths;
	size_t count, capacity, looked_at;
};

static bool push(struct walk *walk, char *path)
{
	if (walk->count == walk->capacity) {
		const size_t capacity = walk->capacity == 0 ? 64 : 2 * walk->capacity;
		char **larger = realloc(walk->paths, capacity * sizeof *larger);

		if (larger == NULL)
			return false;
		walk->paths = larger;
		walk->capacity = capacity;
	}
	walk->paths[walk->count++] = path;
	return true;
}

static bool add_file(struct bv_output *output, char *name, const struct stat *seen)
{
	if (output->count == output->capacity) {
		const size_t capacity = output->capacity == 0 ? 64 : 2 * output->capacity;
		struct bv_output_file *larger = realloc(output->files, capacity * sizeof *larger);

		if (larger == NULL)
			return false;
		output->files = larger;
		output->capacity = capacity;
	}
	output->files[output->count++] = (struct bv_output_file){
		.name = name,
		.device = seen->st_dev,
		.inode = seen->st_ino,
		.links = seen->st_nlink,
		.size_bytes = (uint64_t)seen->st_size,
		.mode = seen->st_mode & 0777,
	};
	return true;
}

/* Takes the name over. */
static enum bv_code take_entry(struct walk *walk, int dir, const char *entry, char *name,
			       struct bv_error *err)
{
	struct bv_output *output = walk->output;
	struct stat seen;
	bool taken = true;

	if (fstatat(dir, entry, &seen, AT_SYMLINK_NOFOLLOW) != 0) {
		leave_out(output, name, BV_LEFT_UNREADABLE);
		taken = false;
	} else if (S_ISDIR(seen.st_mode)) {
		/* Only for its rights to be mended: it is opened by its path in its turn. */
		const int own = output->own ? bv__stage_open_own(dir, entry, O_DIRECTORY) : -1;

		if (own >= 0)
			close(own);
		if (!push(walk, name))
			return no_memory(err);
		return BV_OK;
	} else if (S_ISCHR(seen.st_mode) && seen.st_rdev == makedev(0, 0) && output->own) {
		taken = false; /* an overlay's mark for what was removed */
	} else if (!S_ISREG(seen.st_mode)) {
		leave_out(output, name, S_ISLNK(seen.st_mode) ? BV_LEFT_LINK : BV_LEFT_SPECIAL);
		taken = false;
	} else if (!bv_utf8_valid(bv_str_from(name))) {
		leave_out(output, name, BV_LEFT_NAME);
		taken = false;
	} else if (output->count == BV_OUTPUT_FILES_MAX) {
		leave_out(output, name, BV_LEFT_LIMIT);
		taken = false;
	}
	if (taken && add_file(output, name, &seen))
		return BV_OK;
	free(name);
	return taken ? no_memory(err) : BV_OK;
}

/* The name below the output directory of an entry of `above`; malloc'd. */
static char *join(const char *above, const char *entry)
{
	const size_t len = strlen(above) + strlen(entry) + 2;
	char *name = malloc(len);

	if (name != NULL)
		(void)snprintf(name, len, "%s%s%s", above, above[0] != '\0' ? "/" : "", entry);
	return name;
}

static int open_below(const struct bv_output *output, const char *name)
{
	char path[PATH_MAX];
	const int len = snprintf(path, sizeof path, "%s%s%s", output->path,
				 name[0] != '\0' ? "/" : "", name);

	if (len < 0 || (size_t)len >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return bv_sys_openat2(output->root_fd, path, &below);
}

static enum bv_code look_into(struct walk *walk, const char *above, struct bv_error *err)
{
	int fd = open_below(walk->output, above);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	enum bv_code code = BV_OK;

	if (stream == NULL) {
		const int why = errno;

		if (fd >= 0)
			close(fd);
		/* The directory itself need not be there; what was found in it was there. */
		if (above[0] != '\0' || why != ENOENT)
			leave_out(walk->output, above[0] != '\0' ? above : ".",
				  why == ENAMETOOLONG              ? BV_LEFT_NAME
				  : why == ELOOP || why == ENOTDIR ? BV_LEFT_LINK
								   : BV_LEFT_UNREADABLE);
		return BV_OK;
	}
	while (code == BV_OK && (errno = 0, entry = readdir(stream)) != NULL) {
		char *name;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (++walk->looked_at > BV_OUTPUT_LOOKED_AT_MAX)
			break;
		name = join(above, entry->d_name);
		code = name != NULL ? take_entry(walk, dirfd(stream), entry->d_name, name, err)
				    : no_memory(err);
	}
	closedir(stream);
	return code;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct bv_output_file *)a)->name,
		      ((const struct bv_output_file *)b)->name);
}

static enum bv_code find_files(struct bv_output *output, struct bv_error *err)
{
	struct walk walk = {.output = output};
	char *first = strdup("");
	enum bv_code code = BV_OK;

	if (first == NULL || !push(&walk, first)) {
		free(first);
		return no_memory(err);
	}
	while (code == BV_OK && walk.count > 0) {
		char *path = walk.paths[--walk.count];

		if (walk.looked_at <= BV_OUTPUT_LOOKED_AT_MAX)
			code = look_into(&walk, path, err);
		else
			leave_out(output, path, BV_LEFT_LIMIT);
		free(path);
	}
	for (size_t i = 0; i < walk.count; i++)
		free(walk.paths[i]);
	free(walk.paths);
	if (walk.looked_at > BV_OUTPUT_LOOKED_AT_MAX)
		leave_out(output, ".", BV_LEFT_LIMIT);
	if (output->count > 1)
		qsort(output->files, output->count, sizeof *output->files, by_name);
	return code;
}

/* ---- keeping ----------------------------------------------------------------------------------- */

/*
 * A file with a name elsewhere may be one that the workload could name and not read: then reading it
 * with our rights would hand its contents out.
 */
static bool is_shared(const struct bv_output *output, const struct bv_output_file *file)
{
	uint64_t names = 0;

	for (size_t i = 0; file->links > 1 && i < output->count; i++)
		names += output->files[i].inode == file->inode &&
			 output->files[i].device == file->device;
	return file->links > 1 && names < file->links;
}

static int open_file(const struct bv_output *output, const char *name)
{
	const char *slash = strrchr(name, '/');
	char above[PATH_MAX] = "";
	int dir, fd, saved;

	if (slash != NULL && (size_t)(slash - name) >= sizeof above) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (slash != NULL) {
		memcpy(above, name, (size_t)(slash - name));
		above[slash - name] = '\0';
	}
	dir = open_below(output, above);
	if (dir < 0)
		return -1;
	name = slash != NULL ? slash + 1 : name;
	fd = output->own
		     ? bv__stage_open_own(dir, name, 0)
		     : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	saved = errno;
	close(dir);
	errno = saved;
	return fd;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool unchanged(const struct stat *before, const struct stat *after)
{
	return before->st_size == after->st_size && same_time(&before->st_mtim, &after->st_mtim) &&
	       same_time(&before->st_ctim, &after->st_ctim);
}

static enum bv_left_out_cause cause_of(enum bv_code code)
{
	return code == BV_E_STATE    ? BV_LEFT_CHANGED
	       : code == BV_E_SYSTEM ? BV_LEFT_UNREADABLE
				     : BV_LEFT_STORAGE;
}

/* True when it was kept; else the cause. */
static bool keep_file(struct bv_output *output, struct bv_output_file *file,
		      const struct bv_backend_options *options, enum bv_left_out_cause *ret_cause)
{
	struct stat before, after;
	uint64_t size = 0;
	enum bv_code code;
	int fd;

	if (is_shared(output, file)) {
		*ret_cause = BV_LEFT_SHARED;
		return false;
	}
	*ret_cause = BV_LEFT_LIMIT;
	if (file->size_bytes > output->limit_bytes)
		return false;
	fd = open_file(output, file->name);
	*ret_cause = BV_LEFT_UNREADABLE;
	if (fd < 0)
		return false;
	*ret_cause = BV_LEFT_CHANGED;
	if (fstat(fd, &before) != 0 || !S_ISREG(before.st_mode) || before.st_ino != file->inode ||
	    before.st_dev != file->device || (uint64_t)before.st_size != file->size_bytes) {
		close(fd);
		return false;
	}
	code = options->keep != NULL ? options->keep(options->context, fd, file->size_bytes,
						     &file->content, &size, NULL)
				     : BV_E_JOURNAL;
	if (code != BV_OK)
		*ret_cause = cause_of(code);
	else if (size == file->size_bytes && fstat(fd, &after) == 0 && unchanged(&before, &after))
		file->kept = true;
	close(fd);
	if (file->kept)
		output->limit_bytes -= size;
	return file->kept;
}

static enum bv_code open_staged(struct bv_output *output, const struct bv_lowered *lowered,
				const struct bv_stage *stage, struct bv_error *err)
{
	for (size_t i = 0; i < stage->root_count; i++) {
		if (stage->roots[i].mount != lowered->output.mount || stage->roots[i].upper_fd < 0)
			continue;
		output->own = true;
		output->root_fd = openat(stage->roots[i].upper_fd, ".",
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (output->root_fd >= 0)
			return BV_OK;
	}
	return bv_fail(err, BV_E_SYSTEM, "artifacts", "what was written cannot be looked at");
}

enum bv_code bv__output_collect(struct bv_output *output, const struct bv_lowered *lowered,
				const struct bv_stage *stage,
				const struct bv_backend_options *options, struct bv_error *err)
{
	enum bv_code code = BV_OK;

	if (output->collected)
		return BV_OK;
	output->collected = true;
	if (lowered->output.staged)
		code = open_staged(output, lowered, stage, err);
	if (code == BV_OK)
		code = find_files(output, err);
	for (size_t i = 0; code == BV_OK && i < output->count; i++) {
		enum bv_left_out_cause cause;

		if (!keep_file(output, &output->files[i], options, &cause))
			leave_out(output, output->files[i].name, cause);
	}
	return code;
}
