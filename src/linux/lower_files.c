/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lower_files.c - which files the run sees: roots, runtime set, denied paths.
 */
#include "lower.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "contract/policy.h"
#include "runtime.h"
#include "sys.h"
#include "trees.h"

enum { KEY_FILES = 2 };

static enum bv_code refuse_path(struct bv_lowering_state *state, const char *where,
				struct bv_str path, int problem, const char *remedy)
{
	bv_fail_remedy(state->err, BV_E_INVALID_POLICY, where, remedy, "'%.*s' cannot be used: %s",
		       (int)(path.len < 160 ? path.len : 160), path.data, strerror(problem));
	if (state->err != NULL)
		state->err->sys_errno = problem;
	return BV_E_INVALID_POLICY;
}

/* ---- roots ----------------------------------------------------------------------------------- */

static uint32_t rights_of(enum bv_fs_access access)
{
	switch (access) {
	case BV_FS_READ:
		return BV_RIGHT_READ;
	case BV_FS_WRITE:
		return BV_RIGHT_WRITE;
	case BV_FS_READ_WRITE:
		return BV_RIGHT_READ | BV_RIGHT_WRITE;
	case BV_FS_EXECUTE:
		return BV_RIGHT_EXECUTE;
	}
	bv_assert(false);
	return 0;
}

static const char *access_text(uint32_t rights)
{
	static const char *const texts[8] = {
		"nothing", "read",          "write",          "read, write",
		"execute", "read, execute", "write, execute", "read, write, execute",
	};

	return texts[rights & 7];
}

/* What a boundary has of its own, and no host's can replace. */
static bool is_private(struct bv_str path)
{
	return bv_str_is(path, "/proc") || bv_str_is(path, "/dev") || bv_str_is(path, "/sys") ||
	       bv_str_is(path, "/tmp");
}

/* Whoever may write to control groups lifts its own limits, and leaves its own. */
static bool reaches_groups(const struct bv_lowering_state *state, const struct bv_seen *seen,
			   uint32_t rights)
{
	return (rights & BV_RIGHT_WRITE) != 0 && state->out->layers.group &&
	       bv__cgroup_shown_by(seen->path);
}

/* A WebAssembly guest is given directories; below some it would find its own process, and memory to write. */
static enum bv_code check_guests(struct bv_lowering_state *state, struct bv_str path,
				 const struct bv_seen *seen)
{
	const char *why;

	if (!S_ISDIR(seen->mode))
		return bv_fail_remedy(
			state->err, BV_E_INVALID_POLICY, "capabilities",
			"grant the directory it lies in",
			"'%.*s' is not a directory, and WebAssembly guests are given directories",
			(int)(path.len < 100 ? path.len : 100), path.data);
	why = bv__tree_unfit(state->arena, seen);
	if (why == NULL)
		return BV_OK;
	return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "capabilities",
			      "grant the directories it needs, one by one",
			      "'%.*s' cannot be granted to a WebAssembly guest: %s",
			      (int)(path.len < 80 ? path.len : 80), path.data, why);
}

/* Names were looked at when the plan was made; here it is known where links lead. */
static enum bv_code check_reserved(struct bv_lowering_state *state, struct bv_str place)
{
	if (!state->options->beneath || !bv_path_is_shown_root(place))
		return BV_OK;
	return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "controls", "choose another place",
			      BV_SHOWN_ROOT_REFUSED);
}

static enum bv_code check_root(struct bv_lowering_state *state, struct bv_str path,
			       const struct bv_seen *seen, uint32_t rights)
{
	if (reaches_groups(state, seen, rights))
		return bv_fail_remedy(
			state->err, BV_E_INVALID_POLICY, "capabilities",
			"grant it for reading, or the directories beside the control groups",
			"'%.*s' granted for writing would let the program change its own control group",
			(int)(path.len < 160 ? path.len : 160), path.data);
	if (S_ISSOCK(seen->mode) || S_ISBLK(seen->mode))
		return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "capabilities",
				      "grant files and directories",
				      "'%.*s' is a %s, which would lead out of the boundary",
				      (int)(path.len < 160 ? path.len : 160), path.data,
				      S_ISSOCK(seen->mode) ? "socket" : "disk");
	if (state->out->layers.namespaces && bv_path_covers(BV_STR("/proc"), seen->path))
		return bv_fail_remedy(
			state->err, BV_E_INVALID_POLICY, "capabilities", "drop this root",
			"'%.*s' is the host's, and the boundary has a /proc of its own",
			(int)(path.len < 160 ? path.len : 160), path.data);
	return BV_OK;
}

/*
 * The host's whole tree cannot be mounted over a root that has its own /dev, /proc and /tmp: what
 * stands in it is granted one by one.  What appears there later is not seen.
 */
static enum bv_code grant_everything(struct bv_lowering_state *state, uint32_t rights)
{
	DIR *root = opendir("/");
	enum bv_code code = BV_OK;

	if (root == NULL)
		return refuse_path(state, "capabilities", BV_STR("/"), errno,
				   "grant the directories in it");
	for (const struct dirent *entry; code == BV_OK && (entry = readdir(root)) != NULL;) {
		struct bv_str path = bv_arena_format(state->arena, "/%s", entry->d_name);
		struct bv_seen seen;

		if (entry->d_name[0] == '.' &&
		    (entry->d_name[1] == '\0' || strcmp(entry->d_name, "..") == 0))
			continue;
		if (path.data == NULL) {
			state->grants.full = true;
			break;
		}
		/* A link that leads nowhere, or a directory nobody may look at, grants nothing. */
		if (!is_private(path) &&
		    bv__grants_add(&state->grants, path, rights, true, &seen) == 0)
			code = check_root(state, path, &seen, rights);
	}
	closedir(root);
	bv__lower_observe(state, "granted_root",
			  "/ %s: all that stands in it now but /dev, /proc, /sys and /tmp",
			  access_text(rights));
	return code;
}

static enum bv_code grant_root(struct bv_lowering_state *state, struct bv_str path, uint32_t rights)
{
	struct bv_seen seen;
	enum bv_code code = BV_OK;
	const int problem = bv__grants_follow(&state->grants, path, &seen);

	if (problem != 0)
		return refuse_path(state, "capabilities", path, problem,
				   "name a file or directory that is there");
	if (state->options->beneath)
		code = check_guests(state, path, &seen);
	if (code == BV_OK)
		code = check_reserved(state, seen.path);
	if (code != BV_OK)
		return code;
	/* By where the path leads: a link to / means all that stands in it, too. */
	if (state->out->layers.namespaces && seen.path.len == 1)
		return grant_everything(state, rights);
	/* The boundary's own is there anyway. */
	if (state->out->layers.namespaces &&
	    (bv_str_is(seen.path, "/proc") || bv_str_is(seen.path, "/dev")))
		return BV_OK;
	bv__grants_put(&state->grants, &seen, seen.path, rights, true);
	code = check_root(state, path, &seen, rights);
	if (code != BV_OK)
		return code;
	if (state->cwd_default.len == 0 && S_ISDIR(seen.mode) &&
	    rights == (BV_RIGHT_READ | BV_RIGHT_WRITE))
		state->cwd_default = seen.path;
	bv__lower_observe(state, "granted_root", "%.*s %s, device %llu inode %llu%s%.*s",
			  (int)seen.path.len, seen.path.data, access_text(rights),
			  (unsigned long long)seen.device, (unsigned long long)seen.inode,
			  bv_str_equal(seen.path, path) ? "" : ", asked for as ",
			  bv_str_equal(seen.path, path) ? 0 : (int)path.len, path.data);
	return BV_OK;
}

static enum bv_code grant_exposed(struct bv_lowering_state *state,
				  const struct bv_expose_path_control *expose)
{
	const struct bv_str dest = expose->dest.len == 1 ? BV_STR(BV_SHOWN_ROOT) : expose->dest;
	struct bv_seen seen;
	const int problem = bv__resolve(state->arena, expose->source, NULL, &seen);
	enum bv_code code = BV_OK;

	if (problem != 0)
		return refuse_path(state, "controls", expose->source, problem,
				   "name a file or directory that is there");
	if (state->options->beneath)
		code = check_guests(state, expose->source, &seen);
	if (code == BV_OK)
		code = check_reserved(state, expose->dest);
	if (code == BV_OK)
		code = check_root(state, expose->source, &seen, rights_of(expose->access));
	if (code != BV_OK)
		return code;
	for (size_t i = 0; i < 3; i++) {
		static const char *const own[] = {"/proc", "/dev", "/sys"};

		if (bv_path_covers(bv_str_from(own[i]), expose->dest))
			return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "controls",
					      "choose another place",
					      "nothing can be shown below %s", own[i]);
	}
	bv__grants_put(&state->grants, &seen, dest, rights_of(expose->access), true);
	bv__lower_observe(state, "exposed_path", "%.*s at %.*s %s, device %llu inode %llu",
			  (int)seen.path.len, seen.path.data, (int)expose->dest.len,
			  expose->dest.data, access_text(rights_of(expose->access)),
			  (unsigned long long)seen.device, (unsigned long long)seen.inode);
	return BV_OK;
}

/* Whether it is the host's file of that name, and not one shown under another. */
static bool is_exposed(const struct bv_grant *grant)
{
	return !bv_str_equal(grant->dest, grant->seen.path);
}

static bool is_same_file(const struct bv_grant *one, const struct bv_grant *other)
{
	return one->seen.device == other->seen.device && one->seen.inode == other->seen.inode;
}

/*
 * Grants of one place are joined, and then each has the rights of both: that place must be one file.  Only
 * now it is known where links lead; the names alone were compared when the plan was made.
 */
static enum bv_code check_places(struct bv_lowering_state *state)
{
	const struct bv_grants *grants = &state->grants;

	for (size_t i = 0; i < grants->count; i++) {
		const struct bv_grant *shown = &grants->items[i];

		for (size_t k = 0; is_exposed(shown) && k < grants->count; k++)
			if (bv_str_equal(shown->dest, grants->items[k].dest) &&
			    !is_same_file(shown, &grants->items[k]))
				return bv_fail_remedy(
					state->err, BV_E_INVALID_POLICY, "controls",
					"choose another place",
					"'%.*s' and '%.*s' would be shown at one place",
					(int)(shown->seen.path.len < 70 ? shown->seen.path.len
									: 70),
					shown->seen.path.data,
					(int)(grants->items[k].seen.path.len < 70
						      ? grants->items[k].seen.path.len
						      : 70),
					grants->items[k].seen.path.data);
	}
	return BV_OK;
}

static enum bv_code grant_roots(struct bv_lowering_state *state)
{
	enum bv_code code = BV_OK;

	for (size_t i = 0; code == BV_OK && i < state->plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &state->plan->admitted.items[i]
								    .requirement;

		if (requirement->tag == BV_REQ_HOST_CONTROL &&
		    requirement->u.control.tag == BV_CONTROL_EXPOSE_PATH) {
			code = grant_exposed(state, &requirement->u.control.u.expose);
		} else if (requirement->tag == BV_REQ_CAPABILITY &&
			   requirement->u.capability.tag == BV_CAP_FILESYSTEM) {
			const struct bv_fs_capability *files = &requirement->u.capability.u
									.filesystem;

			for (size_t r = 0; code == BV_OK && r < files->scope.roots.count; r++)
				code = grant_root(state, files->scope.roots.items[r],
						  rights_of(files->access));
		}
	}
	for (size_t i = 0; code == BV_OK && i < state->grants.link_count; i++)
		code = check_reserved(state, state->grants.links[i].path);
	return code == BV_OK ? check_places(state) : code;
}

/* ---- denied paths, working directory --------------------------------------------------------- */

/* Where a path that is not there would be, with the links above it followed. */
static struct bv_str place_of_missing(struct bv_lowering_state *state, struct bv_str path)
{
	struct bv_str parent = path;
	struct bv_seen seen;

	do {
		while (parent.len > 0 && parent.data[--parent.len] != '/')
			;
	} while (parent.len > 0 && bv__resolve(state->arena, parent, NULL, &seen) != 0);
	if (parent.len == 0 || seen.path.len == 1)
		return path;
	return bv_arena_format(state->arena, "%.*s%.*s", (int)seen.path.len, seen.path.data,
			       (int)(path.len - parent.len), path.data + parent.len);
}

/* What is not there cannot be covered, and tells nothing; but nobody may make it either. */
static enum bv_code check_missing(struct bv_lowering_state *state)
{
	for (size_t i = 0; state->execution->has_deny && i < state->execution->deny.count; i++) {
		const struct bv_str denied = state->execution->deny.items[i];
		const struct bv_grant *grant;
		struct bv_seen seen;
		struct bv_str place;

		if (bv__resolve(state->arena, denied, NULL, &seen) == 0)
			continue;
		place = place_of_missing(state, denied);
		if (place.data == NULL) {
			state->grants.full = true;
			break;
		}
		for (size_t g = 0; g < state->grants.count; g++) {
			grant = &state->grants.items[g];
			if ((grant->effective & BV_RIGHT_WRITE) != 0 &&
			    bv_path_covers(grant->seen.path, place))
				return bv_fail_remedy(
					state->err, BV_E_INVALID_POLICY, "execution.deny",
					"make it first, empty, or do not grant writing around it",
					"'%.*s' is denied and not there, and may be made where '%.*s' is written",
					(int)(denied.len < 80 ? denied.len : 80), denied.data,
					(int)(grant->seen.path.len < 80 ? grant->seen.path.len
									: 80),
					grant->seen.path.data);
		}
	}
	return BV_OK;
}

/* Where the denied paths lead, before anything is granted below them. */
static enum bv_code resolve_denied(struct bv_lowering_state *state)
{
	static const struct bv_str_list none = {NULL, 0};
	const struct bv_str_list *denied = state->execution->has_deny ? &state->execution->deny
								      : &none;

	if (denied->count == 0 && !state->out->layers.namespaces)
		return BV_OK;
	if (!state->out->layers.namespaces)
		return bv_fail_remedy(
			state->err, BV_E_UNSUPPORTED, "execution.deny",
			"grant the paths beside it one by one, or allow namespaces",
			"without namespaces a path below a granted root cannot be denied");
	state->denied = bv_arena_array(state->arena,
				       denied->count + 1 + state->options->own_file_count,
				       sizeof(*state->denied));
	if (state->denied == NULL)
		return bv_fail(state->err, BV_E_MEMORY, "execution.deny",
			       "no memory for the denied paths");
	bv__lower_deny_own(state);
	for (size_t i = 0; i < denied->count; i++) {
		struct bv_seen seen;
		const int problem = bv__resolve(state->arena, denied->items[i], NULL, &seen);

		/* check_missing looks at these, once it is known what may be written. */
		if (problem == ENOENT || problem == ENOTDIR)
			continue;
		if (problem != 0)
			return refuse_path(state, "execution.deny", denied->items[i], problem,
					   "name a path that can be looked at");
		bv__lower_observe(state, "denied_path", "%.*s", (int)seen.path.len, seen.path.data);
		state->denied[state->denied_count++] = seen.path;
	}
	return BV_OK;
}

static bool is_denied(const struct bv_lowering_state *state, struct bv_str path)
{
	for (size_t i = 0; i < state->denied_count; i++) {
		if (bv_path_covers(state->denied[i], path))
			return true;
	}
	return false;
}

/* Covers `denied` wherever a grant shows it. */
static enum bv_code mask_one(struct bv_lowering_state *state, struct bv_str denied,
			     struct bv_str_list *masked)
{
	for (size_t i = 0; i < state->grants.count; i++) {
		const struct bv_grant *grant = &state->grants.items[i];
		const size_t outer = grant->seen.path.len == 1 ? 0 : grant->seen.path.len;
		struct bv_str cover;

		if (bv_path_covers(denied, grant->seen.path))
			return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "execution.deny",
					      "deny less, or grant less",
					      "'%.*s' is denied, and '%.*s' in it is granted",
					      (int)(denied.len < 80 ? denied.len : 80), denied.data,
					      (int)(grant->seen.path.len < 80 ? grant->seen.path.len
									      : 80),
					      grant->seen.path.data);
		if (!bv_path_covers(grant->seen.path, denied))
			continue;
		cover = bv_arena_format(state->arena, "%.*s%.*s", (int)grant->dest.len,
					grant->dest.data, (int)(denied.len - outer),
					denied.data + outer);
		if (cover.data == NULL) {
			state->grants.full = true;
			return BV_OK;
		}
		masked->items[masked->count++] = cover;
	}
	return BV_OK;
}

static void drop_repeated(struct bv_str_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		bool repeated = false;

		for (size_t k = 0; k < kept && !repeated; k++)
			repeated = bv_str_equal(list->items[k], list->items[i]);
		if (!repeated)
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

/*
 * The names of the caller's keys are in there for whoever has its user id, in a namespace of its own
 * too; a root caller's workload has an id that owns none.
 */
static void mask_keys(struct bv_lowering_state *state, struct bv_str_list *masked)
{
	static const char *const files[KEY_FILES] = {"/proc/keys", "/proc/key-users"};

	for (size_t i = 0; i < KEY_FILES; i++) {
		if (state->out->layers.namespaces && !state->out->layers.root &&
		    access(files[i], F_OK) == 0)
			masked->items[masked->count++] = bv_str_from(files[i]);
	}
}

static enum bv_code mask_denied(struct bv_lowering_state *state)
{
	struct bv_str_list *masked = &state->out->body.work.root.masked;
	enum bv_code code;

	code = check_missing(state);
	if (code != BV_OK)
		return code;
	masked->items = bv_arena_array(state->arena,
				       state->denied_count * state->grants.count + KEY_FILES,
				       sizeof(*masked->items));
	if (masked->items == NULL)
		return bv_fail(state->err, BV_E_MEMORY, "execution.deny",
			       "no memory for the denied paths");
	for (size_t i = 0; code == BV_OK && i < state->denied_count; i++)
		code = mask_one(state, state->denied[i], masked);
	drop_repeated(masked);
	mask_keys(state, masked);
	return code;
}

/* Whether a directory of that name will be there: shown, or made to hold something shown. */
static bool will_exist(const struct bv_lowering_state *state, struct bv_str path)
{
	static const char *const own[] = {"/", "/tmp", "/proc", "/dev"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		if (bv_str_is(path, own[i]))
			return true;
	}
	if (bv__grants_cover(&state->grants, path) != NULL)
		return true;
	for (size_t i = 0; i < state->grants.count; i++) {
		if (bv_path_covers(path, state->grants.items[i].dest))
			return true;
	}
	return false;
}

static enum bv_code choose_cwd(struct bv_lowering_state *state)
{
	struct bv_launch_exec *exec = &state->out->body.work.exec;
	struct bv_seen seen;

	exec->cwd = state->cwd_default.len > 0 ? state->cwd_default : BV_STR("/");
	if (!state->execution->has_cwd)
		return BV_OK;
	exec->cwd = state->execution->cwd;
	if (bv__resolve(state->arena, exec->cwd, NULL, &seen) == 0)
		exec->cwd = seen.path;
	if (state->out->layers.namespaces && !will_exist(state, exec->cwd))
		return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "execution.cwd",
				      "grant it, for example with --read or --write",
				      "the working directory '%.*s' is not visible inside",
				      (int)(exec->cwd.len < 160 ? exec->cwd.len : 160),
				      exec->cwd.data);
	return BV_OK;
}

/* ---- sockets --------------------------------------------------------------------------------- */

/*
 * A host socket that lies in a granted directory can be connected to across every namespace.  Where
 * one is bound there now, the workload gets no sockets at all.  One bound later by a program of the
 * host is that program's invitation, like any file it would read.
 *
 * The list has the names they were bound by: a link on the way is followed, and a name that begins
 * in some program's working directory could be anywhere.
 */
static bool shows_socket(const struct bv_lowering_state *state, const char *name)
{
	struct bv_seen seen;
	struct bv_str path = bv_str_from(name);

	if (name[0] == '/' && bv__resolve(state->arena, path, NULL, &seen) == 0)
		path = seen.path;
	for (size_t i = 0; i < state->grants.count; i++) {
		const struct bv_grant *grant = &state->grants.items[i];

		if (grant->map_owner && S_ISDIR(grant->seen.mode) &&
		    (name[0] != '/' || bv_path_covers(grant->seen.path, path)))
			return true;
	}
	return false;
}

static bool grants_hold_socket(const struct bv_lowering_state *state)
{
	bool directories = false, found;
	char line[512];
	FILE *list;

	for (size_t i = 0; i < state->grants.count && !directories; i++)
		directories = state->grants.items[i].map_owner &&
			      S_ISDIR(state->grants.items[i].seen.mode);
	if (!directories)
		return false;
	list = fopen("/proc/net/unix", "re");
	found = list == NULL || fgets(line, sizeof(line), list) == NULL; /* the columns' names */
	while (!found && fgets(line, sizeof(line), list) != NULL) {
		int name_at = 0;

		/* Seven columns, and a name where there is one; '@' begins one that is no path. */
		(void)sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %n", &name_at);
		line[strcspn(line, "\n")] = '\0';
		if (name_at > 0 && line[name_at] != '\0' && line[name_at] != '@')
			found = shows_socket(state, line + name_at);
	}
	if (list != NULL)
		fclose(list);
	return found;
}

static void choose_sockets(struct bv_lowering_state *state)
{
	struct bv_launch_work *work = &state->out->body.work;

	work->seccomp.sockets = BV_SOCKETS_NONE;
	if (!state->out->layers.netns) {
		bv__lower_observe(state, "sockets",
				  "none: there is no network namespace to keep them in");
	} else if ((bv_landlock_known(state->out->layers.landlock_abi).handled_access_fs &
		    BV_LANDLOCK_RESOLVE_UNIX) == 0 &&
		   grants_hold_socket(state)) {
		bv__lower_observe(state, "sockets",
				  "none: a socket of the host lies in a granted directory");
	} else {
		work->seccomp.sockets = BV_SOCKETS_LOCAL;
		bv__lower_observe(state, "sockets", "local, in an empty network namespace");
	}
}

/*
 * The private /tmp may be read and written, and Landlock hands that down to whatever is shown below
 * it.  A root there that must not be read would be readable, so such a run has no /tmp to write to.
 */
static enum bv_code check_tmp(struct bv_lowering_state *state)
{
	const struct bv_grant *strict = NULL;

	for (size_t i = 0; i < state->grants.count && strict == NULL; i++) {
		const struct bv_grant *grant = &state->grants.items[i];

		if (grant->dest.len > 4 && bv_path_covers(BV_STR("/tmp"), grant->dest) &&
		    (grant->effective & BV_RIGHT_READ) == 0)
			strict = grant;
	}
	if (strict == NULL || !state->out->layers.namespaces || !state->out->layers.landlock)
		return BV_OK;
	if (state->wants_tmp)
		return bv_fail_remedy(
			state->err, BV_E_INVALID_POLICY, "capabilities",
			"grant reading too, or choose a place outside of /tmp",
			"'%.*s' must not be read, and lies in the private /tmp, which may",
			(int)(strict->dest.len < 120 ? strict->dest.len : 120), strict->dest.data);
	state->no_tmp = true;
	bv__lower_observe(state, "tmp", "not writable: a root that must not be read lies in it");
	return BV_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* One fact for each place, though several entries may lead there. */
static void observe_runtime(struct bv_lowering_state *state, size_t from)
{
	const struct bv_grants *grants = &state->grants;

	for (size_t i = from; i < grants->count; i++) {
		const struct bv_grant *grant = &grants->items[i];
		bool repeated = false;

		for (size_t k = from; k < i && !repeated; k++)
			repeated = bv_str_equal(grants->items[k].dest, grant->dest);
		if (!repeated)
			bv__lower_observe(state, "runtime_file", "%.*s %s%s", (int)grant->dest.len,
					  grant->dest.data, access_text(grant->rights),
					  (grant->rights & BV_RIGHT_MAP) != 0 ? ", map" : "");
	}
}

static enum bv_code grant_runtime(struct bv_lowering_state *state)
{
	const enum bv_runtime_set set = state->execution->has_runtime ? state->execution->runtime
								      : BV_RUNTIME_LIBRARIES;
	const size_t before = state->grants.count;
	size_t kept = before;

	if (!bv__runtime_add(&state->grants, set) ||
	    !bv__devices_add(&state->grants, state->out->terminal))
		return bv_fail(state->err, BV_E_MEMORY, "filesystem",
			       "no memory for the runtime files");
	/* What the caller denies is not needed after all. */
	for (size_t i = before; i < state->grants.count; i++) {
		if (!is_denied(state, state->grants.items[i].seen.path))
			state->grants.items[kept++] = state->grants.items[i];
	}
	state->grants.count = kept;
	observe_runtime(state, before);
	return BV_OK;
}

enum bv_code bv__lower_files(struct bv_lowering_state *state)
{
	struct bv_launch_work *work = &state->out->body.work;
	enum bv_code code;

	code = resolve_denied(state);
	if (code == BV_OK)
		code = grant_roots(state);
	if (code == BV_OK)
		code = bv__lower_program(state);
	if (code == BV_OK && state->out->exe_errno == 0)
		code = grant_runtime(state);
	if (code != BV_OK || state->out->exe_errno != 0)
		return code;
	code = bv__grants_settle(&state->grants, state->err);
	if (code == BV_OK)
		code = bv__lower_keep_own(state);
	if (code == BV_OK)
		code = mask_denied(state);
	if (code == BV_OK)
		code = check_tmp(state);
	if (code == BV_OK)
		code = choose_cwd(state);
	if (code != BV_OK)
		return code;
	choose_sockets(state);
	if (!state->out->layers.namespaces && bv__lower_stages(state))
		return bv_fail_remedy(state->err, BV_E_UNSUPPORTED, "execution.stage",
				      "allow namespaces, or grant a copy of the directory",
				      "without namespaces nothing written can be kept apart");
	if (!state->out->layers.namespaces) {
		code = bv__grants_to_rules(&state->grants, &state->out->layers,
					   &work->landlock.rules, state->err);
	} else {
		work->has_root = true;
		code = bv__grants_to_root(&state->grants, &state->out->layers,
					  bv__lower_stages(state), &work->root,
					  &work->landlock.rules, state->err);
		if (code == BV_OK)
			code = bv__lower_storage(state);
	}
	return code == BV_OK ? bv__lower_output(state) : code;
}
