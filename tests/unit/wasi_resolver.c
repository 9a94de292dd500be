/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wasi_resolver.c - random paths, resolved three ways.
 *
 * The guest works in one tree, plain calls of the host do the same in a twin of it.  A walker of our
 * own, made of lstat and readlink on absolute names and of nothing that the resolver uses, says of
 * each path whether it leaves the tree on its way.  Then the guest must be refused and nothing may
 * have happened; otherwise it must get what the plain call gets, errno and file, and both trees must
 * stay alike.  realpath() has to agree about where a path ends.  Beside the guest's tree lies another
 * that must be at the end as it was.
 *
 * BVISOR_WASI_PATHS says how many paths (5000; `make test-all` takes 100000).
 */
#include "wasi_guest.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>

enum { ROUND = 400, LINKS_MAX = 40, WALK_MAX = 4096 };

static uint64_t state;

static unsigned int pick(unsigned int count)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)((state >> 20) % count);
}

/* ---- the walker ------------------------------------------------------------------------------------ */

struct walk {
	bool escapes;
	int error; /* of the host; 0 when it gets to the end */
	char at[PATH_MAX * 2];
};

static bool is_dir(const char *path)
{
	struct stat file;

	return lstat(path, &file) == 0 && S_ISDIR(file.st_mode);
}

/* Takes the first component of `rest` into `name`; `rest` is what is behind its slashes. */
static bool next(char *rest, char name[NAME_MAX + 1], bool *ret_slash)
{
	const size_t len = strcspn(rest, "/");

	if (rest[0] == '\0')
		return false;
	memcpy(name, rest, len);
	name[len] = '\0';
	*ret_slash = rest[len] == '/';
	memmove(rest, rest + len + strspn(rest + len, "/"),
		strlen(rest + len + strspn(rest + len, "/")) + 1);
	return true;
}

static void step(struct walk *walk, const char *root, char rest[WALK_MAX], bool follow, int *links)
{
	char name[NAME_MAX + 1], target[WALK_MAX];
	struct stat file;
	bool slash;
	size_t len = strlen(walk->at);
	ssize_t got;

	(void)next(rest, name, &slash);
	if (!is_dir(walk->at)) {
		walk->error = ENOTDIR;
	} else if (strcmp(name, "..") == 0) {
		walk->escapes = strcmp(walk->at, root) == 0;
		*strrchr(walk->at, '/') = '\0';
	} else if (strcmp(name, ".") != 0) {
		snprintf(walk->at + len, sizeof(walk->at) - len, "/%s", name);
		if (lstat(walk->at, &file) != 0) {
			walk->error = errno;
		} else if (S_ISLNK(file.st_mode) && (rest[0] || slash || follow)) {
			got = readlink(walk->at, target, sizeof(target) - 1);
			EXPECT(got > 0);
			target[got] = '\0';
			walk->at[len] = '\0';
			walk->escapes = target[0] == '/';
			if (++*links > LINKS_MAX)
				walk->error = ELOOP;
			if (slash || rest[0])
				strcat(target, "/");
			strcat(target, rest);
			strcpy(rest, target);
		} else if ((slash || rest[0]) && !S_ISDIR(file.st_mode)) {
			walk->error = ENOTDIR;
		}
	}
}

static struct walk walk_path(const char *root, const char *path, bool follow)
{
	struct walk walk = {.escapes = path[0] == '/'};
	char rest[WALK_MAX];
	int links = 0;

	snprintf(walk.at, sizeof(walk.at), "%s", root);
	snprintf(rest, sizeof(rest), "%s", path);
	while (!walk.error && !walk.escapes && rest[0])
		step(&walk, root, rest, follow, &links);
	return walk;
}

/* The way to where a name is made or removed: its parent, or the whole of what ends in dots. */
static struct walk walk_parent(const char *root, const char *path)
{
	char parent[WALK_MAX];
	size_t end = strlen(path);
	size_t begin;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path[begin - 1] != '/';)
		begin--;
	if (end == 0 || (end - begin == 1 && path[begin] == '.') ||
	    (end - begin == 2 && memcmp(path + begin, "..", 2) == 0))
		return walk_path(root, path, true);
	snprintf(parent, sizeof(parent), "%.*s", (int)begin, path);
	return walk_path(root, parent, true);
}

/* ---- random trees and paths ------------------------------------------------------------------------ */

static const char *const names[] = {"a", "b", "c", "l", "m"};

static void random_path(char ret[WALK_MAX])
{
	const unsigned int count = 1 + pick(6);

	ret[0] = '\0';
	if (pick(40) == 0)
		strcat(ret, "/");
	for (unsigned int i = 0; i < count; i++) {
		const unsigned int what = pick(20);

		strcat(ret, what < 4 ? ".." : what < 6 ? "." : names[pick(5)]);
		if (i + 1 < count || pick(8) == 0)
			strcat(ret, pick(6) == 0 ? "//" : "/");
	}
}

static void random_target(char ret[WALK_MAX])
{
	static const char *const nasty[] = {"/",          "/etc",  "..",
					    "../outside", "../..", "../outside/d",
					    "a/../..",    "../rw", "../rw/a",
					    "l",          ".",     "m/../../outside"};

	if (pick(2))
		strcpy(ret, nasty[pick(12)]);
	else
		random_path(ret);
}

struct world {
	struct guest guest;
	char root[128]; /* the guest's tree; its twin: */
	char twin[128];
	int twin_fd;
};

static void clear_tree(const char *root)
{
	char command[256];

	snprintf(command, sizeof(command), "find '%s' -mindepth 1 -delete", root);
	EXPECT(system(command) == 0);
}

/* The same in both: directories, files, and links as only a host makes them. */
static void plant(struct world *world)
{
	char path[WALK_MAX], target[WALK_MAX];

	clear_tree(world->root);
	clear_tree(world->twin);
	for (int i = 0; i < 60; i++) {
		const char *const roots[] = {world->root, world->twin};
		const unsigned int kind = pick(3);

		/* Parents that are not there, or lead elsewhere, are what walk says. */
		random_path(path);
		random_target(target);
		if (walk_parent(world->root, path).escapes)
			continue;
		for (int tree = 0; tree < 2; tree++) {
			char full[WALK_MAX * 2];
			int fd;

			snprintf(full, sizeof(full), "%s/%s", roots[tree], path);
			if (kind == 0) {
				(void)!mkdir(full, 0755);
			} else if (kind == 1) {
				(void)!symlink(target, full);
			} else if (!walk_path(roots[tree], path, true).escapes) {
				fd = open(full, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
				if (fd >= 0)
					EXPECT(close(fd) == 0);
			}
		}
	}
}

/* ---- comparing ------------------------------------------------------------------------------------- */

static uint32_t standard_of(int host)
{
	switch (host) {
	case 0:
		return WASI_SUCCESS;
	case ENOENT:
		return WASI_ENOENT;
	case ENOTDIR:
		return WASI_ENOTDIR;
	case EEXIST:
		return WASI_EEXIST;
	case ELOOP:
		return WASI_ELOOP;
	case EISDIR:
		return WASI_EISDIR;
	case ENOTEMPTY:
		return WASI_ENOTEMPTY;
	case EINVAL:
		return WASI_EINVAL;
	case EBUSY:
		return WASI_EBUSY;
	case EPERM:
		return WASI_EPERM;
	default:
		test_fail(__FILE__, __LINE__, "the host answers %s", strerror(host));
	}
}

static int errno_of(int result)
{
	return result < 0 ? errno : 0;
}

static void compare(const char *what, const char *path, uint32_t got, uint32_t expected)
{
	EXPECT_THAT(got == expected, "%s %s: %u, expected %u (state %llx)", what, path, got,
		    expected, (unsigned long long)state);
}

/* What asks: by the file itself, in the guest's own tree. */
static void ask(struct world *world, const char *path, bool follow)
{
	struct guest *guest = &world->guest;
	const struct walk walk = walk_path(world->root, path, follow);
	char full[WALK_MAX * 2], real[PATH_MAX];
	struct stat file;
	uint32_t error = CALL(guest, "path_filestat_get", RW, follow, TEXT(guest, path), RESULT);

	snprintf(full, sizeof(full), "%s/%s", world->root, path);
	if (walk.escapes) {
		compare("stat", path, error, WASI_EPERM);
		return;
	}
	compare("stat", path, error,
		standard_of(errno_of(follow ? stat(full, &file) : lstat(full, &file))));
	compare("walk", path, error, standard_of(walk.error));
	if (error)
		return;
	EXPECT_UINT(guest_get64(guest, RESULT + 8), file.st_ino);
	EXPECT_UINT(guest_get64(guest, RESULT), file.st_dev);
	if (follow) {
		EXPECT(realpath(full, real) != NULL);
		EXPECT_STR(walk.at, real);
		EXPECT_THAT(strncmp(real, world->root, strlen(world->root)) == 0, "%s is %s", path,
			    real);
	}
}

static void ask_link(struct world *world, const char *path)
{
	struct guest *guest = &world->guest;
	const struct walk walk = walk_path(world->root, path, false);
	char target[WALK_MAX];
	uint32_t error = CALL(guest, "path_readlink", RW, TEXT(guest, path), 32768, WALK_MAX,
			      RESULT);
	ssize_t got;

	if (walk.escapes) {
		compare("readlink", path, error, WASI_EPERM);
		return;
	}
	char full[WALK_MAX * 2];

	snprintf(full, sizeof(full), "%s/%s", world->root, path);
	got = readlink(full, target, sizeof(target));
	compare("readlink", path, error, standard_of(errno_of((int)got)));
	if (!error)
		EXPECT_BYTES(guest->memory + 32768, guest_get32(guest, RESULT), target,
			     (size_t)got);
}

/* What opens, and perhaps makes: the twin is done the same to. */
static void open_both(struct world *world, const char *path)
{
	struct guest *guest = &world->guest;
	const bool follow = pick(2);
	const uint32_t oflags = pick(4) ? pick(2) * WASI_OFLAG_CREAT
					: WASI_OFLAG_CREAT | WASI_OFLAG_EXCL;
	const int flags = O_RDONLY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW) |
			  (oflags & WASI_OFLAG_CREAT ? O_CREAT : 0) |
			  (oflags & WASI_OFLAG_EXCL ? O_EXCL : 0);
	const bool excl = oflags & WASI_OFLAG_EXCL;
	const struct walk walk = excl ? walk_parent(world->root, path)
				      : walk_path(world->root, path, follow);
	uint32_t error = CALL(guest, "path_open", RW, follow, TEXT(guest, path), oflags,
			      WASI_RIGHT_FD_READ, 0, 0, RESULT);
	int fd;

	if (!error)
		EXPECT_INT(CALL(guest, "fd_close", guest_get32(guest, RESULT)), 0);
	if (walk.escapes) {
		compare("open", path, error, WASI_EPERM);
		return;
	}
	fd = openat(world->twin_fd, path, flags, 0644);
	/* A file with a slash behind it is not made; Linux says so before it looks, we after. */
	if ((oflags & WASI_OFLAG_CREAT) && path[strlen(path) - 1] == '/') {
		EXPECT_THAT(error != 0 && fd < 0, "open %s", path);
		return;
	}
	compare("open", path, error, standard_of(errno_of(fd)));
	if (fd >= 0)
		EXPECT(close(fd) == 0);
}

static void change_one(struct world *world, const char *path)
{
	struct guest *guest = &world->guest;
	const struct walk walk = walk_parent(world->root, path);
	const unsigned int what = pick(3);
	static const char *const calls[] = {"path_create_directory", "path_unlink_file",
					    "path_remove_directory"};
	const uint32_t error = CALL(guest, calls[what], RW, TEXT(guest, path));
	int result;

	if (walk.escapes) {
		compare(calls[what], path, error, WASI_EPERM);
		return;
	}
	result = what == 0 ? mkdirat(world->twin_fd, path, 0755)
			   : unlinkat(world->twin_fd, path, what == 2 ? AT_REMOVEDIR : 0);
	compare(calls[what], path, error, standard_of(errno_of(result)));
}

static void change_two(struct world *world, const char *path)
{
	struct guest *guest = &world->guest;
	const bool links = pick(2);
	char other[WALK_MAX];
	struct walk from = walk_parent(world->root, path), to;
	uint32_t error;
	int result;

	random_path(other);
	to = walk_parent(world->root, other);
	error = links ? CALL(guest, "path_link", RW, 0, TEXT(guest, path), RW, TEXT(guest, other))
		      : CALL(guest, "path_rename", RW, TEXT(guest, path), RW, TEXT(guest, other));
	if (from.escapes || (!from.error && to.escapes)) {
		compare("from", path, error, WASI_EPERM);
		return;
	}
	if (from.error) {
		compare("from", path, error, standard_of(from.error));
		return;
	}
	/* The kernel would look where a link with a slash behind it leads; ours does not. */
	if (links && path[strlen(path) - 1] == '/') {
		EXPECT_THAT(error != 0, "link %s", path);
		return;
	}
	result = links ? linkat(world->twin_fd, path, world->twin_fd, other, 0)
		       : renameat(world->twin_fd, path, world->twin_fd, other);
	/* Of two reasons to refuse a link, which is told first is nobody's business. */
	if (links && result != 0 && error != 0)
		return;
	compare(links ? "link" : "rename", path, error, standard_of(errno_of(result)));
}

/* Names, kinds and targets of both trees, sorted. */
static void compare_trees(struct world *world)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "a=$(cd '%s' && find . -printf '%%p %%y %%l\\n' | sort) && "
		 "b=$(cd '%s' && find . -printf '%%p %%y %%l\\n' | sort) && [ \"$a\" = \"$b\" ]",
		 world->root, world->twin);
	EXPECT_THAT(system(command) == 0, "the trees differ (state %llx)",
		    (unsigned long long)state);
}

static void fingerprint(struct world *world, char ret[4096])
{
	char command[512];
	FILE *output;

	snprintf(command, sizeof(command),
		 "cd '%s/outside' && find . -printf '%%p %%y %%s %%T@ %%C@ %%n\\n' | sort",
		 world->guest.base);
	output = popen(command, "r");
	EXPECT(output != NULL);
	ret[fread(ret, 1, 4095, output)] = '\0';
	EXPECT(pclose(output) == 0);
}

TEST_WITHIN(random_paths_lead_where_plain_ones_do_or_nowhere, 600)
{
	const char *wanted = getenv("BVISOR_WASI_PATHS");
	const unsigned int count = wanted ? (unsigned int)atoi(wanted) : 5000;
	static char before[4096], after[4096];
	struct world world;
	char path[WALK_MAX];
	unsigned int escaped = 0, inside = 0;

	state = 0x9e3779b97f4a7c15;
	guest_open(&world.guest, NULL);
	EXPECT(mkdir(guest_path(&world.guest, "outside/d"), 0755) == 0);
	snprintf(world.root, sizeof(world.root), "%s/rw", world.guest.base);
	EXPECT(mkdir(guest_path(&world.guest, "twin"), 0755) == 0);
	EXPECT(mkdir(guest_path(&world.guest, "twin/rw"), 0755) == 0);
	snprintf(world.twin, sizeof(world.twin), "%s/twin/rw", world.guest.base);
	world.twin_fd = open(world.twin, O_PATH | O_DIRECTORY | O_CLOEXEC);
	EXPECT(world.twin_fd >= 0);
	fingerprint(&world, before);
	for (unsigned int i = 0; i < count; i++) {
		if (i % ROUND == 0)
			plant(&world);
		random_path(path);
		if (walk_path(world.root, path, true).escapes)
			escaped++;
		else
			inside++;
		switch (pick(6)) {
		case 0:
			ask(&world, path, true);
			break;
		case 1:
			ask(&world, path, false);
			break;
		case 2:
			ask_link(&world, path);
			break;
		case 3:
			open_both(&world, path);
			break;
		case 4:
			change_one(&world, path);
			break;
		default:
			change_two(&world, path);
		}
		if (i % ROUND == ROUND - 1)
			compare_trees(&world);
	}
	fingerprint(&world, after);
	EXPECT_STR(after, before);
	fprintf(stderr, "# %u paths: %u lead out, %u do not\n", count, escaped, inside);
	EXPECT(escaped > count / 10 && inside > count / 10);
	EXPECT(close(world.twin_fd) == 0);
	guest_close(&world.guest);
}
