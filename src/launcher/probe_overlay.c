/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe_overlay.c - tries whether what is written to a directory can be kept apart from it.
 *
 * Mounting alone proves little: before Linux 6.6 tmpfs has no user attributes, and then a directory
 * that was removed cannot be made again.  So the acts that need whiteouts, copies and opaque
 * directories are done, on a lower directory of our own and, for root, above the host's with owners mapped.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int host_tree = -1; /* of the host's root, owners mapped; -1 where that is not done */

static bool make_file(int dir, const char *path)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool made = fd >= 0 && write(fd, "x", 1) == 1;

	if (fd >= 0)
		close(fd);
	return made;
}

static int new_overlay(const char *lower, const char *upper, const char *work)
{
	int fs = bv_sys_fsopen("overlay", BV_FSOPEN_CLOEXEC);

	if (fs < 0 || bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "lowerdir", lower) != 0 ||
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "upperdir", upper) != 0 ||
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "workdir", work) != 0 ||
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "index", "off") != 0 ||
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_FLAG, "userxattr", NULL) != 0 ||
	    bv_sys_fsconfig(fs, BV_FSCONFIG_CMD_CREATE, NULL, NULL) != 0)
		return -1;
	return bv_sys_fsmount(fs, BV_FSMOUNT_CLOEXEC, BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV);
}

static bool is_missing(int dir, const char *path)
{
	struct stat seen;

	return fstatat(dir, path, &seen, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

/* `overlay` lies over lower/{file,dir/inner,moved}. */
static const char *change(int overlay)
{
	char opaque = 0;
	int fd;

	if (unlinkat(overlay, "file", 0) != 0 || !is_missing(overlay, "file"))
		return "removing a file";
	if (!make_file(overlay, "file"))
		return "making a file where one was";
	fd = openat(overlay, "dir/inner", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return "writing to a file";
	close(fd);
	if (unlinkat(overlay, "dir/inner", 0) != 0 || unlinkat(overlay, "dir", AT_REMOVEDIR) != 0)
		return "removing a directory";
	if (mkdirat(overlay, "dir", 0700) != 0 || !is_missing(overlay, "dir/inner"))
		return "making a directory where one was";
	if (getxattr("upper/dir", "user.overlay.opaque", &opaque, 1) != 1 || opaque != 'y')
		return "reading that it is another";
	/* Refused where a program has to copy instead; never done by half. */
	if (renameat(overlay, "moved", overlay, "away") != 0 && errno != EXDEV)
		return "renaming a directory";
	if (is_missing(AT_FDCWD, "lower/file") || is_missing(AT_FDCWD, "lower/dir/inner") ||
	    is_missing(AT_FDCWD, "lower/moved")) {
		errno = 0;
		return "leaving the lower directory alone";
	}
	return NULL;
}

/* What root's workload sees of root's files must be its own, above them as without. */
static const char *look_through_owner_map(int root)
{
	struct stat below, above;
	int overlay;

	if (mkdirat(root, "host", 0700) != 0 ||
	    bv_sys_move_mount(host_tree, "", root, "host", BV_MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return "moving the host's directory";
	overlay = new_overlay("host", "upper2", "work2");
	if (overlay < 0)
		return "mounting above mapped owners";
	if (fstatat(host_tree, "usr", &below, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (fstatat(overlay, "usr", &above, AT_SYMLINK_NOFOLLOW) != 0 ||
	     above.st_uid != below.st_uid || above.st_gid != below.st_gid)) {
		errno = 0;
		return "seeing mapped owners";
	}
	return NULL;
}

static const char *keep_apart(void)
{
	static const char *const dirs[] = {"lower", "upper",     "work",       "upper2",
					   "work2", "lower/dir", "lower/moved"};
	int root, overlay;
	const char *step;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return "making mounts private";
	root = probe_new_fs("tmpfs", BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV);
	if (root < 0 ||
	    bv_sys_move_mount(root, "", AT_FDCWD, "/", BV_MOVE_MOUNT_F_EMPTY_PATH) != 0 ||
	    fchdir(root) != 0)
		return "mounting tmpfs";
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (mkdirat(root, dirs[i], 0700) != 0)
			return "making directories";
	}
	if (!make_file(root, "lower/file") || !make_file(root, "lower/dir/inner"))
		return "making files";
	overlay = new_overlay("lower", "upper", "work");
	if (overlay < 0)
		return "mounting an overlay";
	step = change(overlay);
	return step != NULL || host_tree < 0 ? step : look_through_owner_map(root);
}

const char *probe_overlay(void)
{
	int userns = -1;

	/* Where owners cannot be mapped root's workload is a stranger to root's files in any case. */
	if (geteuid() == 0 && probe_make_idmap(&userns) == NULL) {
		host_tree = bv_sys_open_tree(AT_FDCWD, "/",
					     BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC);
		if (host_tree >= 0 && probe_map_owner(host_tree, userns) != NULL) {
			close(host_tree);
			host_tree = -1;
		}
	}
	return probe_in_namespaces(PROBE_NAMESPACES, true, keep_apart);
}
