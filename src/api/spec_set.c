/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is put into a spec.
 *
 * A setter first makes room for all it adds, because making room moves the whole value; only then
 * it takes pointers into it.
 */
#include "api.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contract/value.h"

/* ---- Room ------------------------------------------------------------------------------------ */

enum { SLACK_BYTES = 4096 }; /* list heads, alignment, one new capability or control */

static enum bv_code make_room(struct bv_spec *spec, size_t bytes, struct bv_error *err)
{
	struct bv_arena larger = {0};
	struct bv_boundary_spec moved;
	size_t size = spec->arena.size;
	enum bv_code code;

	if (bytes > BV_OBJECT_MOST_BYTES)
		return bv_fail(err, BV_E_MEMORY, "", "a spec may not take more than %d bytes",
			       BV_OBJECT_MOST_BYTES);
	bytes += SLACK_BYTES;
	if (spec->arena.size - spec->arena.used >= bytes)
		return BV_OK;
	while (size < 2 * spec->arena.used + bytes)
		size *= 2;
	if (size > BV_OBJECT_MOST_BYTES)
		return bv_fail(err, BV_E_MEMORY, "", "a spec may not take more than %d bytes",
			       BV_OBJECT_MOST_BYTES);
	code = bv__memory_map(&larger, size, err);
	if (code == BV_OK)
		code = bv_value_copy(&larger, &bv_boundary_spec_type, &spec->value, &moved, err);
	if (code != BV_OK) {
		bv__memory_unmap(&larger);
		return code;
	}
	bv__memory_unmap(&spec->arena);
	spec->arena = larger;
	spec->value = moved;
	return BV_OK;
}

/* Room for one more; the old elements are copied, so growth by one must stay rare or short. */
static void *one_more(struct bv_arena *arena, const void *items, size_t count, size_t element_bytes)
{
	void *more = bv_arena_array(arena, count + 1, element_bytes);

	bv_assert(more != NULL); /* make_room saw to it */
	if (count > 0)
		memcpy(more, items, count * element_bytes);
	return more;
}

#define APPEND(arena, list)                                                                        \
	((list)->items = one_more(arena, (list)->items, (list)->count, sizeof *(list)->items),     \
	 &(list)->items[(list)->count++])

static size_t list_bytes(size_t count, size_t element_bytes)
{
	return (count + 1) * element_bytes;
}

struct bv_str bv__spec_keep(struct bv_spec *spec, struct bv_str text)
{
	struct bv_str copy = bv_arena_copy(&spec->arena, text);

	bv_assert(copy.data != NULL); /* make_room saw to it */
	return copy;
}

static enum bv_code refuse_null(struct bv_error *err, const char *what)
{
	return bv_fail(err, BV_E_ARGUMENT, what, "this argument is NULL");
}

/* The one capability of this kind; added as `fresh` where there is none. */
static struct bv_capability *capability(struct bv_spec *spec, const struct bv_capability *fresh)
{
	struct bv_capability_list *list = &spec->value.capabilities;
	struct bv_capability *added;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].tag == fresh->tag)
			return &list->items[i];
	}
	added = APPEND(&spec->arena, list);
	*added = *fresh;
	return added;
}

static size_t capabilities_bytes(const struct bv_spec *spec)
{
	return list_bytes(spec->value.capabilities.count, sizeof(struct bv_capability));
}

static struct bv_execution_options *execution(struct bv_spec *spec)
{
	if (!spec->value.has_execution)
		spec->value.execution = (struct bv_execution_options){0};
	spec->value.has_execution = true;
	return &spec->value.execution;
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static bool has_dots(const char *path)
{
	for (const char *part = path; part; part = strchr(part, '/')) {
		part += strspn(part, "/");
		size_t len = strcspn(part, "/");

		if ((len == 1 || len == 2) && strncmp(part, "..", len) == 0)
			return true;
	}
	return false;
}

static enum bv_code refuse_path(struct bv_error *err, const char *where, const char *path)
{
	enum bv_code code = bv_fail_remedy(err, BV_E_SYSTEM, where, "name a path that exists",
					   "the path '%.*s' cannot be resolved", 160, path);

	if (err)
		err->sys_errno = errno;
	return code;
}

/*
 * Absolute, and without "." and "..", which the kernel resolves because a link may stand before
 * them.  The last name stays as it is: a program may look at what it was called.
 */
static enum bv_code absolute(const char *path, const char *where, char ret_path[2 * PATH_MAX],
			     struct bv_error *err)
{
	char dir[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	size_t dir_bytes = (size_t)(last - path);

	if (!*path)
		return bv_fail_remedy(err, BV_E_ARGUMENT, where, "name a file or directory",
				      "the path is empty");
	if (strlen(path) >= PATH_MAX)
		return bv_fail(err, BV_E_ARGUMENT, where,
			       "the path is longer than any path can be");
	if (!has_dots(path)) {
		if (*path != '/' && (!getcwd(real, sizeof real) || real[0] != '/'))
			return refuse_path(err, where, ".");
		(void)snprintf(ret_path, 2 * PATH_MAX, "%s%s%s", *path == '/' ? "" : real,
			       *path == '/' ? "" : "/", path);
		return BV_OK;
	}
	if (has_dots(last) || !*last) {
		if (!realpath(path, ret_path))
			return refuse_path(err, where, path);
		return BV_OK;
	}
	memcpy(dir, path, dir_bytes);
	dir[dir_bytes] = '\0';
	if (!realpath(dir, real))
		return refuse_path(err, where, path);
	(void)snprintf(ret_path, 2 * PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, last);
	return BV_OK;
}

/* ---- Workload -------------------------------------------------------------------------------- */

enum bv_code bv__spec_begin_program(struct bv_spec *spec, const char *path, size_t arg_count,
				    const char *const *args, char *ret_whole, struct bv_error *err)
{
	size_t bytes = 0;
	enum bv_code code;

	if (!spec || !path || (arg_count > 0 && !args))
		return refuse_null(err, "program");
	code = absolute(path, "program", ret_whole, err);
	if (code != BV_OK)
		return code;
	for (size_t i = 0; i < arg_count; i++)
		bytes += strlen(args[i]) + 1 + sizeof(struct bv_str);
	return make_room(spec, bytes + strlen(ret_whole), err);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static struct bv_fs_capability *filesystem(struct bv_spec *spec, enum bv_fs_access access)
{
	struct bv_capability_list *list = &spec->value.capabilities;
	struct bv_capability *added;

	for (size_t i = 0; i < list->count; i++) {
		struct bv_fs_capability *found = &list->items[i].u.filesystem;

		if (list->items[i].tag == BV_CAP_FILESYSTEM && found->access == access &&
		    found->recursive)
			return found;
	}
	added = APPEND(&spec->arena, list);
	*added = (struct bv_capability){
		.tag = BV_CAP_FILESYSTEM,
		.u.filesystem = {.access = access,
				 .recursive = true,
				 .confinement = BV_FS_DECLARED_ROOTS_ONLY},
	};
	return &added->u.filesystem;
}

enum bv_code bv_spec_grant(struct bv_spec *spec, unsigned int grants, const char *path,
			   struct bv_error *err)
{
	static const enum bv_fs_access accesses[] = {BV_FS_READ, BV_FS_WRITE, BV_FS_EXECUTE};
	char whole[2 * PATH_MAX];
	enum bv_code code;

	if (!spec || !path)
		return refuse_null(err, "path");
	if (grants == 0 || grants > (BV_GRANT_READ | BV_GRANT_WRITE | BV_GRANT_EXECUTE))
		return bv_fail(err, BV_E_ARGUMENT, "grants",
			       "this is no combination of BV_GRANT_ values");
	code = absolute(path, "path", whole, err);
	for (unsigned int i = 0; code == BV_OK && i < 3; i++) {
		struct bv_str_list *roots;

		if (!(grants & (1U << i)))
			continue;
		/* The longest list of roots bounds the one that is added to. */
		code = make_room(spec, capabilities_bytes(spec) + strlen(whole), err);
		if (code != BV_OK)
			break;
		roots = &filesystem(spec, accesses[i])->scope.roots;
		code = make_room(spec,
				 list_bytes(roots->count, sizeof *roots->items) + strlen(whole),
				 err);
		if (code != BV_OK)
			break;
		roots = &filesystem(spec, accesses[i])->scope.roots; /* it may have moved */
		*APPEND(&spec->arena, roots) = bv__spec_keep(spec, bv_str_from(whole));
	}
	return code;
}

enum bv_code bv_spec_deny(struct bv_spec *spec, const char *path, struct bv_error *err)
{
	char whole[2 * PATH_MAX];
	enum bv_code code;

	if (!spec || !path)
		return refuse_null(err, "path");
	code = absolute(path, "path", whole, err);
	if (code == BV_OK)
		code = make_room(spec,
				 list_bytes(execution(spec)->deny.count, sizeof(struct bv_str)) +
					 strlen(whole),
				 err);
	if (code != BV_OK)
		return code;
	execution(spec)->has_deny = true;
	*APPEND(&spec->arena, &execution(spec)->deny) = bv__spec_keep(spec, bv_str_from(whole));
	return BV_OK;
}

enum bv_code bv_spec_cwd(struct bv_spec *spec, const char *path, struct bv_error *err)
{
	char whole[2 * PATH_MAX];
	enum bv_code code;

	if (!spec || !path)
		return refuse_null(err, "path");
	code = absolute(path, "path", whole, err);
	if (code == BV_OK)
		code = make_room(spec, strlen(whole), err);
	if (code != BV_OK)
		return code;
	execution(spec)->has_cwd = true;
	execution(spec)->cwd = bv__spec_keep(spec, bv_str_from(whole));
	return BV_OK;
}

enum bv_code bv_spec_runtime(struct bv_spec *spec, enum bv_runtime runtime, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_runtime = true;
	switch (runtime) {
	case BV_USE_RUNTIME_NONE:
		execution(spec)->runtime = BV_RUNTIME_NONE;
		return BV_OK;
	case BV_USE_RUNTIME_LIBRARIES:
		execution(spec)->runtime = BV_RUNTIME_LIBRARIES;
		return BV_OK;
	case BV_USE_RUNTIME_SYSTEM:
		execution(spec)->runtime = BV_RUNTIME_SYSTEM;
		return BV_OK;
	}
	return bv_fail(err, BV_E_ARGUMENT, "runtime", "this is no enum bv_runtime");
}

enum bv_code bv_spec_syscalls(struct bv_spec *spec, enum bv_syscalls syscalls, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_syscalls = true;
	switch (syscalls) {
	case BV_USE_SYSCALLS_BASELINE:
		execution(spec)->syscalls = BV_SYSCALLS_BASELINE;
		return BV_OK;
	case BV_USE_SYSCALLS_STRICT:
		execution(spec)->syscalls = BV_SYSCALLS_STRICT;
		return BV_OK;
	}
	return bv_fail(err, BV_E_ARGUMENT, "syscalls", "this is no enum bv_syscalls");
}

/* The one control of this kind, added where there is none; room must have been made. */
static struct bv_host_control *control(struct bv_spec *spec, enum bv_host_control_tag tag)
{
	struct bv_host_control_list *list = &spec->value.controls;
	struct bv_host_control *added;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].tag == tag)
			return &list->items[i];
	}
	added = APPEND(&spec->arena, list);
	*added = (struct bv_host_control){.tag = tag};
	return added;
}

static enum bv_code temp_root(struct bv_spec *spec, struct bv_temp_root_control **ret_control,
			      struct bv_error *err)
{
	enum bv_code code;

	if (!spec)
		return refuse_null(err, "spec");
	code = make_room(spec,
			 list_bytes(spec->value.controls.count, sizeof(struct bv_host_control)),
			 err);
	if (code != BV_OK)
		return code;
	*ret_control = &control(spec, BV_CONTROL_TEMP_ROOT)->u.temp_root;
	(*ret_control)->visibility = BV_VIEW_PRIVATE;
	return BV_OK;
}

enum bv_code bv_spec_tmp(struct bv_spec *spec, uint64_t size_bytes, struct bv_error *err)
{
	struct bv_temp_root_control *tmp = NULL;
	enum bv_code code = temp_root(spec, &tmp, err);

	if (code != BV_OK)
		return code;
	tmp->has_size_bytes = size_bytes != 0;
	tmp->size_bytes = size_bytes;
	return BV_OK;
}

enum bv_code bv_spec_tmp_inodes(struct bv_spec *spec, uint64_t inodes, struct bv_error *err)
{
	struct bv_temp_root_control *tmp = NULL;
	enum bv_code code = temp_root(spec, &tmp, err);

	if (code != BV_OK)
		return code;
	tmp->has_inodes = inodes != 0;
	tmp->inodes = inodes;
	return BV_OK;
}

/* What is left can be listed, committed and discarded, and a plan must hold all three. */
static void settle_outputs(struct bv_spec *spec)
{
	static const enum bv_host_control_tag wanted[] = {BV_CONTROL_LIST_OUTPUTS,
							  BV_CONTROL_COMMIT_ARTIFACT,
							  BV_CONTROL_DISCARD_ARTIFACT};
	const struct bv_execution_options *options = execution(spec);
	struct bv_host_control_list *list = &spec->value.controls;
	const bool any = options->stage || options->has_output_dir;
	size_t kept = 0;

	for (size_t i = 0; any && i < sizeof wanted / sizeof *wanted; i++)
		control(spec, wanted[i])->u.commit.durability = BV_COMMIT_DURABLE;
	for (size_t i = 0; !any && i < list->count; i++) {
		if (list->items[i].tag != wanted[0] && list->items[i].tag != wanted[1] &&
		    list->items[i].tag != wanted[2])
			list->items[kept++] = list->items[i];
	}
	if (!any)
		list->count = kept;
}

static enum bv_code make_room_for_controls(struct bv_spec *spec, size_t more, struct bv_error *err)
{
	const struct bv_host_control_list *list = &spec->value.controls;

	return make_room(spec, more + 3 * list_bytes(list->count + 3, sizeof *list->items), err);
}

enum bv_code bv_spec_stage(struct bv_spec *spec, bool stage, struct bv_error *err)
{
	enum bv_code code;

	if (!spec)
		return refuse_null(err, "spec");
	code = make_room_for_controls(spec, 0, err);
	if (code != BV_OK)
		return code;
	execution(spec)->has_stage = stage;
	execution(spec)->stage = stage;
	settle_outputs(spec);
	return BV_OK;
}

enum bv_code bv_spec_delta(struct bv_spec *spec, bool delta, struct bv_error *err)
{
	enum bv_code code;

	if (!spec)
		return refuse_null(err, "spec");
	code = make_room(spec, 0, err);
	if (code != BV_OK)
		return code;
	execution(spec)->has_delta = delta;
	execution(spec)->delta = delta;
	return BV_OK;
}

enum bv_code bv_spec_output(struct bv_spec *spec, const char *path, uint64_t limit_bytes,
			    struct bv_error *err)
{
	char whole[2 * PATH_MAX];
	enum bv_code code = BV_OK;

	if (!spec)
		return refuse_null(err, "spec");
	if (path)
		code = absolute(path, "output", whole, err);
	if (code == BV_OK)
		code = make_room_for_controls(spec, path ? strlen(whole) + 1 : 0, err);
	if (code != BV_OK)
		return code;
	execution(spec)->has_output_dir = path != NULL;
	if (path)
		execution(spec)->output_dir = bv__spec_keep(spec, bv_str_from(whole));
	execution(spec)->has_output_dir_limit_bytes = path && limit_bytes;
	execution(spec)->output_dir_limit_bytes = limit_bytes;
	settle_outputs(spec);
	return BV_OK;
}

enum bv_code bv_spec_expose(struct bv_spec *spec, const char *source, const char *dest,
			    unsigned int grants, struct bv_error *err)
{
	struct bv_host_control_list *list;
	char whole[2 * PATH_MAX];
	enum bv_code code;

	if (!spec || !source || !dest)
		return refuse_null(err, "path");
	if (grants != BV_GRANT_READ && grants != BV_GRANT_WRITE &&
	    grants != (BV_GRANT_READ | BV_GRANT_WRITE))
		return bv_fail(err, BV_E_ARGUMENT, "grants",
			       "a path is shown for reading, for writing, or both");
	if (*dest != '/')
		return bv_fail_remedy(err, BV_E_ARGUMENT, "dest", "write it from / on",
				      "the place '%.*s' to show it at is not absolute", 80, dest);
	code = absolute(source, "source", whole, err);
	list = &spec->value.controls;
	if (code == BV_OK)
		code = make_room(spec,
				 list_bytes(list->count, sizeof *list->items) + strlen(whole) +
					 strlen(dest),
				 err);
	if (code != BV_OK)
		return code;
	*APPEND(&spec->arena, list) = (struct bv_host_control){
		.tag = BV_CONTROL_EXPOSE_PATH,
		.u.expose =
			{
				.source = bv__spec_keep(spec, bv_str_from(whole)),
				.dest = bv__spec_keep(spec, bv_str_from(dest)),
				.access = grants == BV_GRANT_READ    ? BV_FS_READ
					  : grants == BV_GRANT_WRITE ? BV_FS_WRITE
								     : BV_FS_READ_WRITE,
				.view = BV_VIEW_PRIVATE,
			},
	};
	return BV_OK;
}

/* ---- Environment ----------------------------------------------------------------------------- */

static struct bv_env_entry_list *environment(struct bv_spec *spec)
{
	const struct bv_capability fresh = {.tag = BV_CAP_ENVIRONMENT,
					    .u.environment.policy.tag = BV_ENV_EXACT};

	return &capability(spec, &fresh)->u.environment.policy.u.entries;
}

/* The variable's entry, new or old; room for `bytes` is left. */
static enum bv_code variable(struct bv_spec *spec, const char *name, size_t bytes,
			     struct bv_env_entry **ret_entry, struct bv_error *err)
{
	struct bv_env_entry_list *entries;
	enum bv_code code;

	if (!*name || strchr(name, '='))
		return bv_fail_remedy(err, BV_E_ARGUMENT, "name", "give the name alone, as in HOME",
				      "'%.*s' is not the name of a variable", 80, name);
	code = make_room(spec, capabilities_bytes(spec), err);
	if (code != BV_OK)
		return code;
	entries = environment(spec);
	code = make_room(spec,
			 list_bytes(entries->count, sizeof *entries->items) + strlen(name) + bytes,
			 err);
	if (code != BV_OK)
		return code;
	entries = environment(spec); /* it may have moved */
	for (size_t i = 0; i < entries->count; i++) {
		if (bv_str_is(entries->items[i].name, name)) {
			*ret_entry = &entries->items[i];
			return BV_OK;
		}
	}
	*ret_entry = APPEND(&spec->arena, entries);
	**ret_entry = (struct bv_env_entry){.name = bv__spec_keep(spec, bv_str_from(name))};
	return BV_OK;
}

enum bv_code bv_spec_env(struct bv_spec *spec, const char *name, const char *value,
			 struct bv_error *err)
{
	struct bv_env_entry *entry;
	enum bv_code code;

	if (!spec || !name || !value)
		return refuse_null(err, "variable");
	code = variable(spec, name, strlen(value), &entry, err);
	if (code == BV_OK)
		entry->source = (struct bv_env_source){
			.tag = BV_ENV_LITERAL,
			.u.literal = bv__spec_keep(spec, bv_str_from(value))};
	return code;
}

enum bv_code bv_spec_secret(struct bv_spec *spec, const char *name, const void *value,
			    size_t size_bytes, struct bv_error *err)
{
	struct bv_env_entry *entry;
	enum bv_code code;

	if (!spec || !name || (!value && size_bytes > 0))
		return refuse_null(err, "secret");
	if (size_bytes > 0 && memchr(value, '\0', size_bytes))
		return bv_fail_remedy(err, BV_E_ARGUMENT, "value",
				      "encode it, for instance in base64",
				      "a NUL byte cannot be passed in a variable");
	code = variable(spec, name, strlen(name), &entry, err);
	if (code != BV_OK)
		return code;
	/* A spec that was read names its secrets; one made here calls them like the variable. */
	if (entry->source.tag != BV_ENV_SECRET_LEASE || entry->source.u.lease.len == 0)
		entry->source = (struct bv_env_source){.tag = BV_ENV_SECRET_LEASE,
						       .u.lease = bv__spec_keep(spec,
										bv_str_from(name))};
	return bv__secrets_put(&spec->secrets, entry->source.u.lease, value, size_bytes, err);
}

/* ---- Tasks and descriptors ------------------------------------------------------------------- */

enum bv_code bv_spec_spawn(struct bv_spec *spec, enum bv_spawn spawn, struct bv_error *err)
{
	static const enum bv_spawn_policy policies[] = {
		[BV_SPAWN_NONE] = BV_SPAWN_DENY_NEW_TASKS,
		[BV_SPAWN_THREADS] = BV_SPAWN_ALLOW_THREADS,
		[BV_SPAWN_PROCESSES] = BV_SPAWN_ALLOW_DESCENDANTS,
	};
	const struct bv_capability fresh = {.tag = BV_CAP_CHILD_SPAWN};
	enum bv_code code;

	if (!spec)
		return refuse_null(err, "spec");
	if ((unsigned int)spawn >= sizeof policies / sizeof *policies)
		return bv_fail(err, BV_E_ARGUMENT, "spawn", "this is no enum bv_spawn");
	code = make_room(spec, capabilities_bytes(spec), err);
	if (code == BV_OK)
		capability(spec, &fresh)->u.spawn.policy = policies[spawn];
	return code;
}

enum bv_code bv_spec_inherit_fd(struct bv_spec *spec, int fd, struct bv_error *err)
{
	const struct bv_capability fresh = {.tag = BV_CAP_INHERITED_FDS,
					    .u.fds.policy.tag = BV_FDS_NONE};
	struct bv_fd_policy *policy;
	enum bv_code code;

	if (!spec)
		return refuse_null(err, "spec");
	if (fd < 3)
		return bv_fail_remedy(err, BV_E_ARGUMENT, "fd",
				      "pass 3 or above; 0, 1 and 2 are always there",
				      "%d is a standard stream or no descriptor", fd);
	code = make_room(spec, capabilities_bytes(spec), err);
	if (code != BV_OK)
		return code;
	policy = &capability(spec, &fresh)->u.fds.policy;
	if (policy->tag == BV_FDS_NONE)
		*policy = (struct bv_fd_policy){.tag = BV_FDS_ONLY};
	code = make_room(spec, list_bytes(policy->u.fds.count, sizeof *policy->u.fds.items), err);
	if (code != BV_OK)
		return code;
	policy = &capability(spec, &fresh)->u.fds.policy; /* it may have moved */
	for (size_t i = 0; i < policy->u.fds.count; i++) {
		if (policy->u.fds.items[i] == (uint32_t)fd)
			return BV_OK;
	}
	*APPEND(&spec->arena, &policy->u.fds) = (uint32_t)fd;
	return BV_OK;
}

/* ---- Limits ---------------------------------------------------------------------------------- */

enum bv_code bv_spec_budget(struct bv_spec *spec, enum bv_budget budget, uint64_t limit,
			    struct bv_error *err)
{
	struct bv_budget_requirements *budgets = spec ? &spec->value.budgets : NULL;
	const struct bv_budget_request request = {.limit = limit, .guarantee = BV_MIN_MEDIATED};

	if (!spec)
		return refuse_null(err, "spec");
	switch (budget) {
#define LIMIT(constant, member)                                                                    \
	case constant:                                                                             \
		budgets->has_##member = true;                                                      \
		budgets->member = request;                                                         \
		return BV_OK
		LIMIT(BV_BUDGET_WALL, wall_micros);
		LIMIT(BV_BUDGET_CPU, cpu_micros);
		LIMIT(BV_BUDGET_MEMORY, resident_bytes);
		LIMIT(BV_BUDGET_PROCESSES, process_count);
		LIMIT(BV_BUDGET_HANDLES, handle_count);
		LIMIT(BV_BUDGET_STORAGE, storage_bytes);
		LIMIT(BV_BUDGET_NETWORK, network_bytes);
#undef LIMIT
	case BV_BUDGET_COUNT:
		break;
	}
	return bv_fail(err, BV_E_ARGUMENT, "budget", "this is no enum bv_budget");
}

const char *bv__budget_name(enum bv_budget budget)
{
	static const char *const names[BV_BUDGET_COUNT] = {
		"wall", "cpu", "memory", "processes", "handles", "storage", "network",
	};

	return names[budget];
}

/* ---- Streams --------------------------------------------------------------------------------- */

enum bv_code bv_spec_stdin(struct bv_spec *spec, bool relay, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_stdin_source = relay;
	execution(spec)->stdin_source = (struct bv_stdin_source){.tag = relay ? BV_STDIN_RELAY
									      : BV_STDIN_EMPTY};
	return BV_OK;
}

enum bv_code bv_spec_terminal(struct bv_spec *spec, bool terminal, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_terminal = terminal;
	execution(spec)->terminal = terminal;
	return BV_OK;
}

enum bv_code bv_spec_capture_limit(struct bv_spec *spec, uint64_t size_bytes, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_capture_limit_bytes = true;
	execution(spec)->capture_limit_bytes = size_bytes;
	return BV_OK;
}

enum bv_code bv_spec_output_limit(struct bv_spec *spec, uint64_t size_bytes, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_output_limit_bytes = true;
	execution(spec)->output_limit_bytes = size_bytes;
	return BV_OK;
}

/* ---- How it is held -------------------------------------------------------------------------- */

enum bv_code bv_spec_require_enforced(struct bv_spec *spec, const char *kind_or_null,
				      struct bv_error *err)
{
	struct bv_kind_minimum_list *minimums;
	uint32_t kind;
	enum bv_code code;

	if (!spec)
		return refuse_null(err, "spec");
	if (!kind_or_null) {
		execution(spec)->has_minimum = true;
		execution(spec)->minimum = BV_MIN_ENFORCED;
		return BV_OK;
	}
	if (!bv_row_find(&bv_requirement_kind_type, bv_str_from(kind_or_null), &kind)) {
		const char *near = bv_row_nearest(&bv_requirement_kind_type,
						  bv_str_from(kind_or_null));
		char remedy[BV_REMEDY_SIZE] = "bvisor doctor lists the requirements";

		if (near)
			(void)snprintf(remedy, sizeof remedy, "did you mean %s?", near);
		return bv_fail_remedy(err, BV_E_ARGUMENT, "kind", remedy,
				      "there is no requirement '%.*s'", 80, kind_or_null);
	}
	minimums = &execution(spec)->minimum_for;
	code = make_room(spec, list_bytes(minimums->count, sizeof *minimums->items), err);
	if (code != BV_OK)
		return code;
	minimums = &execution(spec)->minimum_for;
	execution(spec)->has_minimum_for = true;
	for (size_t i = 0; i < minimums->count; i++) {
		if (minimums->items[i].kind == (enum bv_requirement_kind)kind) {
			minimums->items[i].guarantee = BV_MIN_ENFORCED;
			return BV_OK;
		}
	}
	*APPEND(&spec->arena,
		minimums) = (struct bv_kind_minimum){.kind = (enum bv_requirement_kind)kind,
						     .guarantee = BV_MIN_ENFORCED};
	return BV_OK;
}

enum bv_code bv_spec_grace(struct bv_spec *spec, uint64_t micros, struct bv_error *err)
{
	if (!spec)
		return refuse_null(err, "spec");
	execution(spec)->has_grace_micros = micros != 0;
	execution(spec)->grace_micros = micros;
	return BV_OK;
}

enum bv_code bv_spec_without(struct bv_spec *spec, const char *layer, struct bv_error *err)
{
	static const struct {
		const char *name;
		enum bv_layer layer;
	} layers[] = {
		{"namespaces", BV_LAYER_NAMESPACES},
		{"netns", BV_LAYER_NETWORK_NAMESPACE},
		{"landlock", BV_LAYER_LANDLOCK},
	};

	if (!spec || !layer)
		return refuse_null(err, "layer");
	for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
		if (strcmp(layer, layers[i].name) == 0) {
			execution(spec)->has_without = true;
			execution(spec)->without |= 1U << layers[i].layer;
			return BV_OK;
		}
	}
	return bv_fail_remedy(err, BV_E_ARGUMENT, "layer", "name namespaces, netns or landlock",
			      "'%.*s' is no layer that can be left out", 80, layer);
}
