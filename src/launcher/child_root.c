/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * child_root.c - builds the private root and enters it (async-signal-safe zone, see child.c).
 *
 * The root is a small tmpfs that holds nothing but mount points and symbolic links and ends up
 * read-only; everything visible is mounted into it.  Sources are opened in this mount namespace and
 * compared with what the host saw, so a path swapped in between is refused, not followed.
 */
#include "boundary.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/sys.h"

enum { PATH_LIMIT = 4096 };

/* Mount points, and the texts of long links, a page each. */
#define ROOT_SIZE "4m"
#define ROOT_INODES "16384"

static const struct bv_open_how through_no_link = {
	.flags = O_PATH | O_CLOEXEC,
	.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
};
static const struct bv_open_how inside_root = {
	.flags = O_PATH | O_CLOEXEC,
	.resolve = BV_RESOLVE_IN_ROOT | BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
};

int child_open_tree(const struct child_mount *mount, int idmap_fd)
{
	/* Private, or what is mounted below it here would appear on the host.  Of a staged directory this is
	 * what is read where nothing was changed yet. */
	const struct bv_mount_attr attr = {
		.attr_set = mount->stage != NULL ? BV_MOUNT_ATTR_RDONLY | BV_MOUNT_ATTR_NOSUID |
							   BV_MOUNT_ATTR_NODEV
						 : mount->attributes,
		.propagation = MS_PRIVATE,
	};
	/* Changes are kept apart for one file system, and the host saw no other below. */
	const unsigned int depth = mount->stage != NULL ? 0 : BV_AT_RECURSIVE;
	struct stat seen;
	int source = bv_sys_openat2(AT_FDCWD, mount->source, &through_no_link);
	int tree = -1;
	int saved;

	if (source < 0)
		return -1;
	if (fstat(source, &seen) != 0)
		goto close_source;
	if (seen.st_dev != mount->device || seen.st_ino != mount->inode ||
	    S_ISDIR(seen.st_mode) != mount->directory) {
		errno = ESTALE;
		goto close_source;
	}
	tree = bv_sys_open_tree(source, "",
				BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC | BV_AT_EMPTY_PATH |
					depth);
	if (tree < 0)
		goto close_source;
	if (idmap_fd >= 0) {
		/* Submounts of other filesystems may not support it, so only the grant's own mount is mapped. */
		const struct bv_mount_attr map = {.attr_set = BV_MOUNT_ATTR_IDMAP,
						  .userns_fd = (uint64_t)idmap_fd};

		/*
		 * EINVAL is a file system that cannot.  Its files stay those of strangers to the workload,
		 * which can then do less with them; the host sees it and says so (attest.c).
		 */
		if (bv_sys_mount_setattr(tree, "", BV_AT_EMPTY_PATH, &map) != 0 && errno != EINVAL)
			goto close_tree;
	}
	if (bv_sys_mount_setattr(tree, "", BV_AT_EMPTY_PATH | depth, &attr) != 0)
		goto close_tree;
	close(source);
	return tree;

close_tree:
	saved = errno;
	close(tree);
	errno = saved;
close_source:
	saved = errno;
	close(source);
	errno = saved;
	return -1;
}

/* Makes the directories above `path` below `root`; what is there already is left alone. */
static int child_make_parents(int root, const char *path)
{
	char prefix[PATH_LIMIT];
	size_t length = strlen(path);

	if (length >= sizeof(prefix)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(prefix, path, length + 1);
	for (size_t i = 1; i < length; i++) {
		if (prefix[i] != '/')
			continue;
		prefix[i] = '\0';
		if (mkdirat(root, prefix, 0755) != 0 && errno != EEXIST && errno != EROFS &&
		    errno != EACCES)
			return -1;
		prefix[i] = '/';
	}
	return 0;
}

/* The place to mount on, made where it is missing.  Never through a symbolic link. */
static int child_make_target(int root, const char *path, bool directory)
{
	int target = bv_sys_openat2(root, path, &inside_root);

	if (target >= 0 || errno != ENOENT)
		return target;
	if (child_make_parents(root, path) != 0)
		return -1;
	if (directory) {
		if (mkdirat(root, path, 0755) != 0 && errno != EEXIST)
			return -1;
	} else if (mknodat(root, path, S_IFREG | 0644, 0) != 0 && errno != EEXIST) {
		return -1;
	}
	return bv_sys_openat2(root, path, &inside_root);
}

int child_attach(int root, int tree, const char *path, bool directory)
{
	int target = child_make_target(root, path, directory);
	int result;

	if (target < 0)
		return -1;
	result = bv_sys_move_mount(tree, "", target, "",
				   BV_MOVE_MOUNT_F_EMPTY_PATH | BV_MOVE_MOUNT_T_EMPTY_PATH);
	close(target);
	return result;
}

int child_new_fs(const char *type, const char *mode, const char *size, const char *inodes,
		 unsigned int attributes)
{
	int fs = bv_sys_fsopen(type, BV_FSOPEN_CLOEXEC);
	int mounted = -1;

	if (fs < 0)
		return -1;
	if ((mode == NULL || bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "mode", mode) == 0) &&
	    (size == NULL || bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "size", size) == 0) &&
	    (inodes == NULL ||
	     bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "nr_inodes", inodes) == 0) &&
	    bv_sys_fsconfig(fs, BV_FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
		mounted = bv_sys_fsmount(fs, BV_FSMOUNT_CLOEXEC, attributes);
	close(fs);
	return mounted;
}

static void child_add_rule(const struct child_plan *plan, int fd, uint64_t access, uint32_t index)
{
	if (plan->ruleset_fd >= 0 && access != 0 &&
	    bv_sys_landlock_add_path(plan->ruleset_fd, fd, access) != 0)
		child_fail(plan, BV_STEP_LANDLOCK, index);
}

static void child_bind_all(const struct child_plan *plan, int root)
{
	for (size_t i = 0; i < plan->mount_count; i++) {
		const struct child_mount *mount = &plan->mounts[i];
		int tree = mount->tree_fd >= 0 ? mount->tree_fd : child_open_tree(mount, -1);

		if (tree >= 0 && mount->stage != NULL) {
			tree = child_stage_over(plan, root, mount, tree);
			if (tree < 0)
				child_fail(plan, BV_STEP_STAGE, (uint32_t)i);
		}
		if (tree < 0 || child_attach(root, tree, mount->dest, mount->directory) != 0)
			child_fail(plan, BV_STEP_MOUNT_BIND, (uint32_t)i);
		child_add_rule(plan, tree, mount->access, (uint32_t)i);
		close(tree);
	}
}

/* Rights on what lies in a staged directory: a rule for the host's file would not be about it. */
static void child_add_inner_rules(const struct child_plan *plan, int root)
{
	for (size_t i = 0; i < plan->rule_count; i++) {
		int place = bv_sys_openat2(root, plan->rules[i].path, &inside_root);

		if (place < 0)
			child_fail(plan, BV_STEP_STAGE, (uint32_t)i);
		child_add_rule(plan, place, plan->rules[i].access, (uint32_t)i);
		close(place);
	}
}

/*
 * A file system of its own, or a part of that of staged directories: nothing else uses up its size and
 * its inodes.  POSIX shared memory lives there too, so that one size bounds both.
 */
static void child_make_tmp(const struct child_plan *plan, int root, int view[VIEW_COUNT])
{
	const unsigned int attributes = BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV |
					BV_MOUNT_ATTR_NOEXEC;
	int tmp = plan->tmp_size == NULL ? child_stage_tmp(root)
					 : child_new_fs("tmpfs", "1777", plan->tmp_size,
							plan->tmp_inodes, attributes);

	if (tmp < 0 || mkdirat(tmp, ".shm", 0700) != 0 || fchmodat(tmp, ".shm", 01777, 0) != 0 ||
	    child_attach(root, tmp, "tmp", true) != 0)
		child_fail(plan, BV_STEP_MOUNT_TMP, 0);
	child_add_rule(plan, tmp, plan->tmp_access, 0);
	if (plan->tmp_size != NULL)
		view[VIEW_TMP] = tmp;
	else
		close(tmp);
}

/* Writes `value` to a switch that counts for this PID or user namespace alone. */
static void child_set_switch(int proc, const char *path, const char *value)
{
	int fd = openat(proc, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* A second lock on a door the filter closes. */
	if (write(fd, value, strlen(value)) < 0)
		errno = 0;
	close(fd);
}

static void child_make_proc(const struct child_plan *plan, int root, int view[VIEW_COUNT])
{
	int proc = child_new_fs("proc", NULL, NULL, NULL,
				BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV | BV_MOUNT_ATTR_NOEXEC);

	if (proc < 0 || child_attach(root, proc, "proc", true) != 0)
		child_fail(plan, BV_STEP_MOUNT_PROC, 0);
	child_set_switch(proc, "sys/user/max_user_namespaces", "0");
	child_add_rule(plan, proc, plan->proc_access, 0);
	/* A kernel without System V IPC has no such files, and nothing to see either. */
	if (plan->tables) {
		view[VIEW_SEGMENTS] = openat(proc, "sysvipc/shm", O_RDONLY | O_CLOEXEC);
		view[VIEW_QUEUES] = openat(proc, "sysvipc/msg", O_RDONLY | O_CLOEXEC);
		view[VIEW_SEMAPHORES] = openat(proc, "sysvipc/sem", O_RDONLY | O_CLOEXEC);
	}
	view[VIEW_PROC] = proc;
}

static void child_make_links(const struct child_plan *plan, int root)
{
	for (size_t i = 0; i < plan->link_count; i++) {
		const struct child_link *link = &plan->links[i];

		if (child_make_parents(root, link->path) != 0 ||
		    (symlinkat(link->target, root, link->path) != 0 && errno != EEXIST))
			child_fail(plan, BV_STEP_MOUNT_DEV, (uint32_t)i);
	}
}

/* An empty directory without permissions, or a device node that may not be opened. */
static int child_make_cover(int root, bool directory)
{
	const struct bv_mount_attr attr = {.attr_set = BV_MOUNT_ATTR_RDONLY | BV_MOUNT_ATTR_NOSUID |
						       BV_MOUNT_ATTR_NODEV | BV_MOUNT_ATTR_NOEXEC};
	int cover;

	if (directory)
		return child_new_fs("tmpfs", "0000", "4096", "2", (unsigned int)attr.attr_set);
	cover = bv_sys_open_tree(root, "dev/null", BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC);
	if (cover >= 0 && bv_sys_mount_setattr(cover, "", BV_AT_EMPTY_PATH, &attr) != 0)
		return -1;
	return cover;
}

/* Whether the first `length` bytes of masked path `index` can be renamed, being no place of a mount yet. */
static bool child_can_move(const struct child_plan *plan, size_t index, size_t length)
{
	const char *path = plan->masked[index];
	bool writable = false;

	/* Parents come first, so the last that covers it is the mount it lies in. */
	for (size_t i = 0; i < plan->mount_count; i++) {
		const size_t outer = strlen(plan->mounts[i].dest);

		if (outer > length || memcmp(plan->mounts[i].dest, path, outer) != 0 ||
		    path[outer] != '/')
			continue;
		if (outer == length)
			return false;
		writable = !(plan->mounts[i].attributes & BV_MOUNT_ATTR_RDONLY);
	}
	for (size_t i = 0; writable && i < index; i++) {
		const char *earlier = plan->masked[i];

		if (strlen(earlier) > length && memcmp(earlier, path, length) == 0 &&
		    earlier[length] == '/')
			return false;
	}
	return writable;
}

/*
 * A cover moves along when a directory above it is renamed, and then something else could be put
 * where the denied path was.  What is mounted on cannot be renamed, so each is mounted on itself.
 */
static void child_pin_parents(const struct child_plan *plan, int root, size_t index)
{
	const char *path = plan->masked[index];
	char prefix[PATH_LIMIT];

	for (size_t i = 1; path[i] != '\0' && i < sizeof(prefix); i++) {
		int place, tree;

		if (path[i] != '/' || !child_can_move(plan, index, i))
			continue;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		place = child_make_target(root, prefix, true);
		tree = place < 0 ? -1
				 : bv_sys_open_tree(place, "",
						    BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC |
							    BV_AT_EMPTY_PATH | BV_AT_RECURSIVE);
		if (tree < 0 ||
		    bv_sys_move_mount(tree, "", place, "",
				      BV_MOVE_MOUNT_F_EMPTY_PATH | BV_MOVE_MOUNT_T_EMPTY_PATH) != 0)
			child_fail(plan, BV_STEP_MOUNT_BIND, (uint32_t)(plan->mount_count + index));
		close(tree);
		close(place);
	}
}

/* Covers each denied path; the host saw it there. */
static void child_mask(const struct child_plan *plan, int root)
{
	for (size_t i = 0; i < plan->masked_count; i++) {
		struct stat seen;
		bool directory = fstatat(root, plan->masked[i], &seen, AT_SYMLINK_NOFOLLOW) != 0 ||
				 S_ISDIR(seen.st_mode);
		int cover = child_make_cover(root, directory);

		child_pin_parents(plan, root, i);

		if (cover < 0 || child_attach(root, cover, plan->masked[i], directory) != 0)
			child_fail(plan, BV_STEP_MOUNT_BIND, (uint32_t)(plan->mount_count + i));
		close(cover);
	}
}

static void child_enter(const struct child_plan *plan, int root)
{
	const struct bv_mount_attr read_only = {.attr_set = BV_MOUNT_ATTR_RDONLY};

	if (bv_sys_mount_setattr(root, "", BV_AT_EMPTY_PATH, &read_only) != 0 ||
	    fchdir(root) != 0 || bv_sys_pivot_root(".", ".") != 0)
		child_fail(plan, BV_STEP_PIVOT, 0);
	/* The old root now lies on top of the new one; taking it away leaves no way back. */
	if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		child_fail(plan, BV_STEP_PIVOT, 1);
}

void child_build_root(const struct child_plan *plan, int ret_view[VIEW_COUNT])
{
	int root;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		child_fail(plan, BV_STEP_MOUNT_PRIVATE, 0);
	root = child_new_fs("tmpfs", "0755", ROOT_SIZE, ROOT_INODES,
			    BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV);
	if (root < 0 || bv_sys_move_mount(root, "", AT_FDCWD, "/", BV_MOVE_MOUNT_F_EMPTY_PATH) != 0)
		child_fail(plan, BV_STEP_MOUNT_ROOT, 0);
	if (plan->stage_size != NULL)
		ret_view[VIEW_STAGE] = child_stage_open(plan, root);
	child_make_tmp(plan, root, ret_view);
	child_bind_all(plan, root);
	child_add_inner_rules(plan, root);
	child_make_proc(plan, root, ret_view);
	child_make_links(plan, root);
	child_mask(plan, root);
	child_add_rule(plan, root, plan->root_access, 0);
	child_enter(plan, root);
	close(root);
}
