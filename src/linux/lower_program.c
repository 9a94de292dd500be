/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lower_program.c - the program, and what executing it takes.
 *
 * The caller names the program, but the program names its interpreter, and nobody trusts it: what
 * comes in by that way is no more than anyone on this machine may read and execute anyway.
 */
#include "lower.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "contract/policy.h"
#include "image.h"

enum {
	INTERPRETERS_MAX = 5, /* the kernel follows as many */
	OTHERS_SEARCH = 0001,
	OTHERS_USE = 0005,
};

/* The program `name` as env(1) would find it; length 0 when it would not. */
static struct bv_str find_in_path(struct bv_lowering_state *state, struct bv_str name)
{
	struct bv_str path = bv__lower_search_path(state->plan);
	size_t at = 0;

	if (memchr(name.data, '/', name.len) != NULL)
		return name;
	while (at <= path.len) {
		size_t end = at;
		struct bv_str candidate;
		struct stat seen;

		while (end < path.len && path.data[end] != ':')
			end++;
		candidate = bv_arena_format(state->arena, "%.*s/%.*s", (int)(end - at),
					    path.data + at, (int)name.len, name.data);
		if (candidate.data != NULL && candidate.data[0] == '/' &&
		    stat(candidate.data, &seen) == 0 && S_ISREG(seen.st_mode) &&
		    (seen.st_mode & 0111) != 0)
			return candidate;
		at = end + 1;
	}
	return (struct bv_str){"", 0};
}

static struct bv_str next_word(struct bv_str *rest)
{
	struct bv_str word = {rest->data, 0};

	while (word.len < rest->len && rest->data[word.len] != ' ' && rest->data[word.len] != '\t')
		word.len++;
	*rest = (struct bv_str){rest->data + word.len, rest->len - word.len};
	while (rest->len > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t')) {
		rest->data++;
		rest->len--;
	}
	return word;
}

/*
 * "#!/usr/bin/env [-S] [NAME=VALUE]... python3": env is only the way to the real interpreter.
 * Length 0 when the script names none, and where there are options whose words would be taken for it.
 */
static struct bv_str behind_env(struct bv_lowering_state *state, const struct bv_image *script)
{
	const char *base = strrchr(script->interpreter.data, '/');
	struct bv_str rest = script->argument;

	if (base == NULL || strcmp(base, "/env") != 0)
		return (struct bv_str){"", 0};
	while (rest.len > 0) {
		const struct bv_str word = next_word(&rest);

		if (bv_str_is(word, "-S") || bv_str_is(word, "-i") || bv_str_is(word, "-") ||
		    word.len == 0)
			continue;
		if (word.data[0] == '-')
			break;
		if (memchr(word.data, '=', word.len) == NULL)
			return find_in_path(state, word);
	}
	return (struct bv_str){"", 0};
}

/* Whether everybody on this machine may read and execute it: a file, below directories open to all. */
static bool is_open_to_all(struct bv_lowering_state *state, const struct bv_seen *seen)
{
	char *path = bv_arena_alloc(state->arena, seen->path.len + 1);
	struct stat above;

	if (path == NULL || !S_ISREG(seen->mode) || (seen->mode & OTHERS_USE) != OTHERS_USE ||
	    bv_path_covers(BV_STR("/proc"), seen->path))
		return false;
	memcpy(path, seen->path.data, seen->path.len + 1);
	for (size_t len = seen->path.len; len > 1;) {
		while (len > 1 && path[len - 1] != '/')
			len--;
		path[len > 1 ? --len : 1] = '\0';
		if (lstat(path, &above) != 0 || !S_ISDIR(above.st_mode) ||
		    (above.st_mode & OTHERS_SEARCH) == 0)
			return false;
	}
	return true;
}

/* Whether the caller granted it anyway. */
static bool is_named(const struct bv_lowering_state *state, const struct bv_seen *seen)
{
	const uint32_t needed = BV_RIGHT_READ | BV_RIGHT_EXECUTE;
	uint32_t rights = 0;

	for (size_t i = 0; i < state->grants.count; i++) {
		const struct bv_grant *grant = &state->grants.items[i];

		if (bv_str_equal(grant->dest, grant->seen.path) &&
		    bv_path_covers(grant->dest, seen->path))
			rights |= grant->rights;
	}
	return (rights & needed) == needed;
}

static enum bv_code refuse_interpreter(struct bv_lowering_state *state, struct bv_str path)
{
	return bv_fail_remedy(
		state->err, BV_E_INVALID_POLICY, "workload",
		"grant it for reading and executing, if the program may have it",
		"the program names '%.*s' as its interpreter, which is no file that everybody "
		"may read and execute",
		(int)(path.len < 160 ? path.len : 160), path.data);
}

static enum bv_code grant_needs_of(struct bv_lowering_state *state, struct bv_str path,
				   unsigned int depth);

static enum bv_code grant_interpreter(struct bv_lowering_state *state, struct bv_str path,
				      unsigned int depth)
{
	struct bv_seen seen;

	/* A relative one is looked for where the program runs; what lies there is granted or not. */
	if (path.len == 0 || path.data[0] != '/')
		return BV_OK;
	if (bv__resolve(state->arena, path, NULL, &seen) != 0) {
		if (state->out->missing_interpreter.len == 0)
			state->out->missing_interpreter = path;
		return BV_OK;
	}
	if (!is_named(state, &seen) && !is_open_to_all(state, &seen))
		return refuse_interpreter(state, path);
	if (bv__grants_add(&state->grants, path, BV_RIGHT_READ | BV_RIGHT_EXECUTE, false, &seen) !=
	    0)
		return refuse_interpreter(state, path);
	bv__lower_observe(state, "interpreter", "%.*s, device %llu inode %llu", (int)seen.path.len,
			  seen.path.data, (unsigned long long)seen.device,
			  (unsigned long long)seen.inode);
	return grant_needs_of(state, seen.path, depth);
}

/* Grants whatever executing `path` needs beside it. */
static enum bv_code grant_needs_of(struct bv_lowering_state *state, struct bv_str path,
				   unsigned int depth)
{
	struct bv_image image;
	enum bv_code code;

	if (depth == INTERPRETERS_MAX)
		return BV_OK;
	if (bv__image_read(state->arena, path.data, &image) != 0) {
		state->grants.full = true;
		return BV_OK;
	}
	switch (image.kind) {
	case BV_IMAGE_UNKNOWN:
	case BV_IMAGE_STATIC:
		return BV_OK;
	case BV_IMAGE_DYNAMIC:
		/* The kernel follows an ELF file's interpreter, and never that one's. */
		return grant_interpreter(state, image.interpreter, INTERPRETERS_MAX);
	case BV_IMAGE_SCRIPT:
		code = grant_interpreter(state, image.interpreter, depth + 1);
		image.interpreter = behind_env(state, &image);
		if (code == BV_OK && image.interpreter.len > 0)
			code = grant_interpreter(state, image.interpreter, depth + 1);
		return code;
	}
	bv_assert(false);
	return BV_OK;
}

/* An owner map is worth a mount only for a file that others may not execute anyway. */
static int grant_program(struct bv_lowering_state *state, struct bv_str path,
			 struct bv_seen *ret_seen)
{
	struct bv_grants *grants = &state->grants;
	int problem = bv__grants_add(grants, path, BV_RIGHT_READ | BV_RIGHT_EXECUTE, false,
				     ret_seen);

	if (problem == 0 && grants->count > 0) {
		grants->items[grants->count - 1].map_owner = (ret_seen->mode & OTHERS_USE) !=
							     OTHERS_USE;
		grants->items[grants->count - 1].image = true;
	}
	return problem;
}

enum bv_code bv__lower_program(struct bv_lowering_state *state)
{
	struct bv_launch_exec *exec = &state->out->body.work.exec;
	struct bv_str path = bv__absolute(state->arena, state->plan->workload.u.process.exe);
	struct bv_seen seen;

	state->out->exe = state->plan->workload.u.process.exe;
	if (path.data == NULL) {
		state->out->exe_errno = errno;
		return BV_OK;
	}
	state->out->exe_errno = grant_program(state, path, &seen);
	if (state->out->exe_errno != 0)
		return BV_OK;
	if (!S_ISREG(seen.mode)) {
		/* What execve(2) says to directories and devices. */
		state->out->exe_errno = EACCES;
		return BV_OK;
	}
	exec->path = path;
	exec->device = seen.device;
	exec->inode = seen.inode;
	bv__lower_observe(state, "executable", "%.*s, device %llu inode %llu", (int)seen.path.len,
			  seen.path.data, (unsigned long long)seen.device,
			  (unsigned long long)seen.inode);
	return grant_needs_of(state, seen.path, 0);
}
