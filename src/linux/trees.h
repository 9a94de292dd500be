/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* trees.h - what else is to be seen in a directory of the host. */
#ifndef BV_LINUX_TREES_H
#define BV_LINUX_TREES_H

#include "resolve.h"

/*
 * Why a guest that must find nothing but files cannot be given the directory: the host's root, or
 * something of the kernel's, is in it, or it in that.  NULL: nothing is in the way.  By whatever name, link
 * or mount it is reached; what is mounted later is not seen.
 */
const char *bv__tree_unfit(struct bv_arena *arena, const struct bv_seen *seen);

/* The same of a mountinfo text and a canonical path. */
const char *bv__mounts_unfit(struct bv_arena *arena, struct bv_str mountinfo, struct bv_str path);

#endif
