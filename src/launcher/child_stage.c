/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * child_stage.c - keeps what is written to a granted directory apart from it (async-signal-safe zone,
 * see child.c).
 *
 * A staged directory is an overlay: below lies the host's directory, read-only, above a directory of one
 * private tmpfs, whose size is all that may be stored.  The overlay holds both itself.  The tmpfs is
 * mounted where /proc is mounted afterwards, so that nothing inside can name it.
 */
#include "boundary.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/sys.h"

#define STAGE_PLACE "proc"
#define STAGE_TMP "proc/tmp"

enum {
	STAGE_ATTRIBUTES = BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV | BV_MOUNT_ATTR_NOEXEC,
};

int child_stage_open(const struct child_plan *plan, int root)
{
	int fs = child_new_fs("tmpfs", "0755", plan->stage_size, plan->stage_inodes,
			      STAGE_ATTRIBUTES);

	/* The overlays' options name their directories from here. */
	if (fs < 0 || child_attach(root, fs, STAGE_PLACE, true) != 0 || fchdir(root) != 0)
		child_fail(plan, BV_STEP_STAGE, UINT32_MAX);
	return fs;
}

int child_stage_tmp(int root)
{
	const struct bv_mount_attr attr = {.attr_set = STAGE_ATTRIBUTES};
	int tmp;

	if (mkdirat(root, STAGE_TMP, 0700) != 0 || fchmodat(root, STAGE_TMP, 01777, 0) != 0)
		return -1;
	tmp = bv_sys_open_tree(root, STAGE_TMP, BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC);
	if (tmp < 0 || bv_sys_mount_setattr(tmp, "", BV_AT_EMPTY_PATH, &attr) != 0)
		return -1;
	return tmp;
}

/* `lower`, `upper` and `work` are paths from the current directory. */
static int child_new_overlay(const struct child_stage *stage, unsigned int attributes)
{
	int fs = bv_sys_fsopen("overlay", BV_FSOPEN_CLOEXEC);
	int mounted = -1;

	if (fs < 0)
		return -1;
	/* Whoever is no root of the host may keep what an overlay must remember in user attributes alone.
	 * An index would need to decode file handles, which is root's too. */
	if (bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "lowerdir", stage->lower) == 0 &&
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "upperdir", stage->upper) == 0 &&
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "workdir", stage->work) == 0 &&
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_STRING, "index", "off") == 0 &&
	    bv_sys_fsconfig(fs, BV_FSCONFIG_SET_FLAG, "userxattr", NULL) == 0 &&
	    bv_sys_fsconfig(fs, BV_FSCONFIG_CMD_CREATE, NULL, NULL) == 0)
		mounted = bv_sys_fsmount(fs, BV_FSMOUNT_CLOEXEC, attributes);
	close(fs);
	return mounted;
}

/*
 * The top of the merged directory has owner and rights of the upper one, which is the workload's.  Where
 * the host's is somebody else's, the workload gets the rights it has there.
 */
static mode_t child_stage_mode(const struct child_plan *plan, const struct stat *host)
{
	const mode_t sticky = host->st_mode & 01000;
	mode_t rights = host->st_mode & 7;

	if (host->st_uid == plan->uid)
		return host->st_mode & 01777;
	if (host->st_gid == plan->gid)
		rights = host->st_mode >> 3 & 7;
	return sticky | rights << 6 | rights << 3 | rights;
}

int child_stage_over(const struct child_plan *plan, int root, const struct child_mount *mount,
		     int tree)
{
	const struct child_stage *stage = mount->stage;
	struct stat host;
	int overlay;

	if (fstat(tree, &host) != 0 || mkdirat(root, stage->dir, 0755) != 0 ||
	    mkdirat(root, stage->upper, 0700) != 0 || mkdirat(root, stage->work, 0700) != 0 ||
	    fchmodat(root, stage->upper, child_stage_mode(plan, &host), 0) != 0 ||
	    child_attach(root, tree, stage->lower, true) != 0)
		return -1;
	overlay = child_new_overlay(stage, (unsigned int)mount->attributes);
	close(tree);
	return overlay;
}
