/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * attest.h - reads back from the kernel what the launcher says it installed.
 *
 * The workload's process stands still between its last layer and its program.  What /proc says of
 * it then is what the program will run under: nothing after it adds authority.
 */
#ifndef BV_LINUX_ATTEST_H
#define BV_LINUX_ATTEST_H

#include "cgroup.h"
#include "contract/types.h"
#include "linux/records.h"
#include "lower.h"

/*
 * Looks at the process and compares with the launch plan.  A layer that is not as planned is
 * reported with `holds` false, and named in `err` with BV_E_LAUNCHER; the list is filled all the same.
 */
enum bv_code bv__attest(struct bv_arena *arena, const struct bv_lowered *lowered,
			const struct bv_cgroup *group, const struct bv_record_installed *installed,
			struct bv_attestation_list *ret_list, struct bv_error *err);

/* ---- parts, for tests ------------------------------------------------------------------------ */

/* The value behind "Name:\t" in the text of a status file; length 0 when there is none. */
struct bv_str bv__status_field(struct bv_str status, const char *name);

/* A line of a mountinfo text; it points into the text, and into the arena it was read with. */
struct bv_mount_line {
	struct bv_str id, parent;
	struct bv_str device;  /* "major:minor" */
	struct bv_str root;    /* which directory of its file system is mounted; unescaped */
	struct bv_str point;   /* where; unescaped */
	struct bv_str options; /* of the mount, not of its file system */
	struct bv_str type;    /* of its file system */
};

/* Takes the next line off `mountinfo`; false at its end, and where it cannot be read. */
bool bv__mountinfo_next(struct bv_arena *arena, struct bv_str *mountinfo,
			struct bv_mount_line *ret_mount);

/* What a mountinfo text shows against the planned root; NULL, or what is wrong, in words. */
const char *bv__mounts_wrong(struct bv_arena *arena, struct bv_str mountinfo,
			     const struct bv_launch_root *root, size_t *ret_count);

/* Whether a text of /proc/<pid>/net/dev has no device but the loopback. */
bool bv__only_loopback(struct bv_str devices);

/* Whether the "0::" line of a cgroup text ends in the leaf's name, which is random. */
bool bv__is_member(struct bv_str cgroup, const char *leaf_path);

/*
 * The planned mounts whose owners should be mapped and are not, comma separated: their file systems
 * cannot.  Empty as a rule; NULL data without memory.
 */
struct bv_str bv__mounts_unmapped(struct bv_arena *arena, struct bv_str mountinfo,
				  const struct bv_launch_root *root);

/* What a limits text shows against the planned limits; NULL, or the name of the wrong one. */
const char *bv__limits_wrong(struct bv_str limits, const struct bv_launch_rlimit_list *planned);

#endif
