/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * resolve.h - what a host path means: the place it leads to, and the links on the way.
 *
 * A private root repeats the links, so that the path the caller wrote works inside as well.  The
 * place is looked at once, without following anything, and its identity goes into the launch plan:
 * the launcher refuses whatever has taken its place since.
 */
#ifndef BV_LINUX_RESOLVE_H
#define BV_LINUX_RESOLVE_H

#include "contract/base.h"

struct bv_seen {
	struct bv_str path; /* canonical: absolute, no link, no "." or ".."; NUL-terminated */
	uint64_t device, inode;
	uint32_t mode, uid, gid;
};

/* Told of every symbolic link met: where it is (canonical but for its last part) and its text. */
struct bv_link_sink {
	void (*add)(void *context, struct bv_str path, struct bv_str target);
	void *context;
};

/*
 * Follows `path`, which must be absolute.  Returns 0 or an errno: ELOOP after 40 links, ESTALE if
 * the place changed under the look, ENOMEM when the arena is full.  `sink` may be NULL.
 */
int bv__resolve(struct bv_arena *arena, struct bv_str path, const struct bv_link_sink *sink,
		struct bv_seen *ret_seen);

/* `path` itself, or against the current directory; "." and ".." stay.  data NULL: errno says why. */
struct bv_str bv__absolute(struct bv_arena *arena, struct bv_str path);

/* Parents before children: '/' sorts before every other byte. */
int bv__path_compare(struct bv_str a, struct bv_str b);

#endif
