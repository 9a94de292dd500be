/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * cgroup_find.c - finds where this process may make control groups.
 *
 * Nothing is taken from a fixed path: the hierarchy is found in mountinfo, this process in
 * /proc/self/cgroup, and what may be used is tried.  Groups that belong to others are never touched.
 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "contract/policy.h"

#define ENV_CGROUP "BVISOR_CGROUP"
#define PLACE_NAME "bvisor"
#define CALLERS_NAME "callers"
#define OWN_MARK "user.bvisor.delegate"

enum {
	CGROUP2_MAGIC = 0x63677270,
	MOUNTINFO_MAX = 1 << 20,
	TEXT_MAX = 4096,
	MOVE_ROUNDS = 16,
};

static const struct {
	enum bv_controller bit;
	const char *name, *enable;
} controllers[] = {
	{BV_CONTROLLER_CPU, "cpu", "+cpu"},
	{BV_CONTROLLER_MEMORY, "memory", "+memory"},
	{BV_CONTROLLER_PIDS, "pids", "+pids"},
};

enum { CONTROLLER_COUNT = sizeof(controllers) / sizeof(controllers[0]) };

const char *bv__controllers_text(unsigned int set)
{
	static const char *const texts[BV_CONTROLLERS_ALL + 1] = {
		"none", "cpu",      "memory",      "cpu memory",
		"pids", "cpu pids", "memory pids", "cpu memory pids",
	};

	return texts[set & BV_CONTROLLERS_ALL];
}

/* ---- what /proc says ------------------------------------------------------------------------- */

void bv__mountinfo_unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
		    from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* id parent major:minor ROOT POINT options [optional...] - TYPE source options */
static bool next_cgroup2(char **save_line, char *text, const char **ret_root,
			 const char **ret_point)
{
	for (char *line = strtok_r(text, "\n", save_line); line != NULL;
	     line = strtok_r(NULL, "\n", save_line)) {
		char *type = strstr(line, " - "), *save_field = NULL, *fields[5];
		int count = 0;

		if (type == NULL || strncmp(type, " - cgroup2 ", 11) != 0)
			continue;
		for (char *field = strtok_r(line, " ", &save_field); field != NULL && count < 5;
		     field = strtok_r(NULL, " ", &save_field))
			fields[count++] = field;
		if (count < 5)
			continue;
		bv__mountinfo_unescape(fields[3]);
		bv__mountinfo_unescape(fields[4]);
		*ret_root = fields[3];
		*ret_point = fields[4];
		return true;
	}
	return false;
}

bool bv__cgroup2_mount(char *text, const char **ret_root, const char **ret_point)
{
	char *save = NULL;

	return next_cgroup2(&save, text, ret_root, ret_point);
}

const char *bv__cgroup2_own(char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "0::/", 4) == 0)
			return line + 3;
	}
	return NULL;
}

static bool ends_in(const char *text, const char *end)
{
	const size_t text_length = strlen(text), length = strlen(end);

	return text_length > length && strcmp(text + text_length - length, end) == 0;
}

static char *read_proc(const char *path)
{
	char *text = malloc(MOUNTINFO_MAX);

	if (text != NULL && bv__group_get(AT_FDCWD, path, text, MOUNTINFO_MAX) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

bool bv__cgroup_shown_by(struct bv_str granted)
{
	char *mounts = read_proc("/proc/self/mountinfo"), *save = NULL;
	const char *root, *point;
	bool shown = mounts == NULL; /* who cannot know does not say no */

	for (char *text = mounts; text != NULL && !shown; text = NULL) {
		while (!shown && next_cgroup2(&save, text, &root, &point)) {
			const struct bv_str place = bv_str_from(point);

			shown = bv_path_covers(granted, place) || bv_path_covers(place, granted);
			text = NULL;
		}
	}
	free(mounts);
	return shown;
}

/* Where the hierarchy is mounted and which directory in it is this process's own. */
struct hierarchy {
	char point[PATH_MAX];
	char own[PATH_MAX]; /* empty: outside of what is mounted */
};

static bool find_hierarchy(struct hierarchy *ret)
{
	char *mounts = read_proc("/proc/self/mountinfo"), *self = read_proc("/proc/self/cgroup");
	const char *root, *point, *own = self != NULL ? bv__cgroup2_own(self) : NULL;
	bool found = mounts != NULL && bv__cgroup2_mount(mounts, &root, &point) &&
		     strlen(point) < sizeof(ret->point);

	if (found) {
		const size_t root_length = strcmp(root, "/") == 0 ? 0 : strlen(root);

		memcpy(ret->point, point, strlen(point) + 1);
		ret->own[0] = '\0';
		/* "/.." leads above a cgroup namespace, where there is nothing to be had. */
		if (own != NULL && strstr(own, "/..") == NULL &&
		    strncmp(own, root, root_length) == 0 &&
		    (own[root_length] == '/' || own[root_length] == '\0') &&
		    (size_t)snprintf(ret->own, sizeof(ret->own), "%s%s", point,
				     strcmp(own + root_length, "/") == 0
					     ? ""
					     : own + root_length) >= sizeof(ret->own))
			ret->own[0] = '\0';
	}
	free(mounts);
	free(self);
	/* Where an earlier look moved us to: what it found is to be found again. */
	if (found && ends_in(ret->own, "/" PLACE_NAME "/" CALLERS_NAME))
		ret->own[strlen(ret->own) - strlen("/" PLACE_NAME "/" CALLERS_NAME)] = '\0';
	return found;
}

/* ---- one group ------------------------------------------------------------------------------- */

static int open_dir(const char *path)
{
	return openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static unsigned int read_controllers(int fd, const char *file)
{
	char text[TEXT_MAX], *save = NULL;
	unsigned int set = 0;

	if (bv__group_get(fd, file, text, sizeof(text)) < 0)
		return 0;
	for (char *word = strtok_r(text, " \n", &save); word != NULL;
	     word = strtok_r(NULL, " \n", &save)) {
		for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
			if (strcmp(word, controllers[i].name) == 0)
				set |= controllers[i].bit;
		}
	}
	return set;
}

/* One by one, because one that is refused must not take the others with it. */
static unsigned int enable(int fd)
{
	const unsigned int missing = read_controllers(fd, "cgroup.controllers") &
				     ~read_controllers(fd, "cgroup.subtree_control");

	for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
		/* What comes of it is read back below. */
		if ((missing & controllers[i].bit) != 0)
			(void)bv__group_put(fd, "cgroup.subtree_control", controllers[i].enable);
	}
	return read_controllers(fd, "cgroup.subtree_control");
}

static bool has_members(int fd)
{
	char text[64];

	return bv__group_get(fd, "cgroup.procs", text, sizeof(text)) != 0;
}

/* Whether the rule holds for it that only empty groups hand controllers on; the root is exempt. */
static bool is_bound(int fd)
{
	return has_members(fd) && faccessat(fd, "cgroup.type", F_OK, 0) == 0;
}

/* Whether whoever runs this may make groups in it, and move itself about there. */
static bool may_use(int fd)
{
	return faccessat(fd, ".", W_OK, AT_EACCESS) == 0 &&
	       faccessat(fd, "cgroup.procs", W_OK, AT_EACCESS) == 0 &&
	       faccessat(fd, "cgroup.subtree_control", W_OK, AT_EACCESS) == 0;
}

static bool belongs_to_us(int fd)
{
	struct stat seen;

	return fstat(fd, &seen) == 0 && seen.st_uid == geteuid();
}

/* Moves every member into `place`/callers, so that the group above may hand controllers on. */
static void move_members(int group_fd, int place_fd)
{
	int callers;

	if (mkdirat(place_fd, CALLERS_NAME, 0755) != 0 && errno != EEXIST)
		return;
	callers = openat(place_fd, CALLERS_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* They may fork while they are moved; whoever may not be moved stays, and then nothing is enabled. */
	for (int round = 0; callers >= 0 && round < MOVE_ROUNDS && has_members(group_fd); round++) {
		char text[TEXT_MAX], *save = NULL;

		if (bv__group_get(group_fd, "cgroup.procs", text, sizeof(text)) <= 0)
			break;
		for (char *pid = strtok_r(text, "\n", &save); pid != NULL;
		     pid = strtok_r(NULL, "\n", &save))
			(void)bv__group_put(callers, "cgroup.procs", pid);
	}
	if (callers >= 0)
		close(callers);
}

/*
 * Makes `path`/bvisor, with what controllers it can have.  `move`: members of `path` may be moved
 * for that.  False when there is none to be had.
 */
static bool settle(const char *path, bool move, struct bv_cgroup_place *ret)
{
	int group = open_dir(path), place = -1;
	bool made = false;

	if (group < 0 || (size_t)snprintf(ret->path, sizeof(ret->path), "%s/" PLACE_NAME, path) >=
				 sizeof(ret->path))
		goto out;
	if (mkdirat(group, PLACE_NAME, 0755) != 0 && errno != EEXIST)
		goto out;
	place = openat(group, PLACE_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0 || !belongs_to_us(place) || !may_use(place))
		goto out;
	if (move && is_bound(group) &&
	    read_controllers(group, "cgroup.controllers") !=
		    read_controllers(group, "cgroup.subtree_control"))
		move_members(group, place);
	/* With members of its own some controllers could be enabled all the same, and would make its
	 * children groups of threads, which take no process. */
	if (!is_bound(group))
		(void)enable(group);
	ret->enabled = enable(place);
	made = true;
out:
	if (!made)
		ret->path[0] = '\0';
	if (place >= 0)
		close(place);
	if (group >= 0)
		close(group);
	return made;
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Cuts the last part off; false at `top`. */
static bool go_up(char *path, const char *top)
{
	char *slash = strrchr(path, '/');

	if (strcmp(path, top) == 0 || slash == NULL || slash == path)
		return false;
	*slash = '\0';
	return strlen(path) >= strlen(top);
}

/* A group that hands on all it has, or can do so at once. */
static bool is_ready(int fd)
{
	const unsigned int has = read_controllers(fd, "cgroup.controllers");

	return has != 0 &&
	       (read_controllers(fd, "cgroup.subtree_control") == has || !has_members(fd));
}

/*
 * What systemd marks with Delegate=yes: trusted.delegate since 236, for everyone to read user.delegate.
 * A user's own manager sets neither (252), so it is asked, and the answer is kept there as ours.
 */
static bool is_delegated(const char *path)
{
	static const char *const names[] = {"trusted.delegate", "user.delegate", OWN_MARK};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char value[8] = "";

		if (getxattr(path, names[i], value, sizeof(value) - 1) == 1 && value[0] == '1')
			return true;
	}
	if (geteuid() == 0 || strstr(path, "/user@") == NULL ||
	    !bv__systemd_delegates(strrchr(path, '/') + 1))
		return false;
	/* Not kept, it is asked again. */
	(void)setxattr(path, OWN_MARK, "1", 1, 0);
	return true;
}

static bool is_unit(const char *path)
{
	return ends_in(path, ".slice") || ends_in(path, ".scope") || ends_in(path, ".service");
}

/*
 * A unit of systemd's is systemd's to arrange, whoever owns it, unless it is delegated; and what is
 * delegated to a user's own manager is that manager's.
 */
static bool is_free(const char *path)
{
	if (!is_unit(path))
		return true;
	return !ends_in(path, ".slice") && strncmp(strrchr(path, '/') + 1, "user@", 5) != 0 &&
	       is_delegated(path);
}

/* What can be done with the group at `path`. */
struct candidate {
	bool ours, free, ready;
};

static struct candidate look_at(const char *path)
{
	int fd = open_dir(path);
	struct candidate found = {.ours = fd >= 0 && belongs_to_us(fd)};

	found.free = found.ours && may_use(fd) && is_free(path);
	found.ready = found.free && is_ready(fd);
	if (fd >= 0)
		close(fd);
	return found;
}

static void find_for_user(const struct hierarchy *hierarchy, struct bv_cgroup_place *ret)
{
	char path[PATH_MAX], nearest[PATH_MAX] = "";

	ret->why_not = "no control group is delegated to this user";
	memcpy(path, hierarchy->own, sizeof(path));
	do {
		const struct candidate found = look_at(path);

		if (!found.ours)
			break;
		if (found.ready && settle(path, false, ret) && ret->enabled != 0)
			return;
		if (found.free && nearest[0] == '\0')
			memcpy(nearest, path, sizeof(nearest));
		/* Above it is somebody else's, even where it is the same user's. */
		if (found.free && is_unit(path))
			break;
	} while (go_up(path, hierarchy->point));
	/* Its own group, emptied into a child; else any that can at least be killed and counted. */
	if (nearest[0] != '\0')
		(void)settle(nearest, strcmp(nearest, hierarchy->own) == 0, ret);
}

static void find_for_root(const struct hierarchy *hierarchy, struct bv_cgroup_place *ret)
{
	char path[PATH_MAX];

	memcpy(path, hierarchy->own, sizeof(path));
	while (path[0] != '\0') {
		if (is_delegated(path) && is_free(path) &&
		    settle(path, strcmp(path, hierarchy->own) == 0, ret))
			return;
		if (!go_up(path, hierarchy->point))
			break;
	}
	ret->why_not = "the control group file system cannot be written to here";
	(void)settle(hierarchy->point, false, ret);
}

static void find_named(const char *named, struct bv_cgroup_place *ret)
{
	struct statfs seen;
	char path[PATH_MAX];

	ret->why_not = "the directory that " ENV_CGROUP " names is no control group (version 2)";
	if (realpath(named, path) == NULL || statfs(path, &seen) != 0 ||
	    seen.f_type != CGROUP2_MAGIC)
		return;
	ret->why_not = "the control group that " ENV_CGROUP " names is not ours to use";
	(void)settle(path, true, ret);
}

void bv__cgroup_find(struct bv_cgroup_place *ret_place)
{
	const char *named = secure_getenv(ENV_CGROUP);
	struct hierarchy hierarchy;

	*ret_place = (struct bv_cgroup_place){.why_not = "there is no control group file system "
							 "(version 2) here"};
	if (named != NULL && named[0] != '\0') {
		/* A name that was given and is wrong must not be replaced by a guess. */
		find_named(named, ret_place);
		return;
	}
	if (!find_hierarchy(&hierarchy))
		return;
	if (geteuid() == 0)
		find_for_root(&hierarchy, ret_place);
	else if (hierarchy.own[0] != '\0')
		find_for_user(&hierarchy, ret_place);
	else
		ret_place->why_not =
			"this process is in no control group that can be seen from here";
}
