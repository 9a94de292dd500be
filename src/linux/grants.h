/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * grants.h - which host paths a boundary shows, and with which rights, on the way to a launch plan.
 *
 * A grant only ever adds: what lies below two granted roots has the rights of both.  Mounts cannot
 * say everything (they know no "write but not read"), Landlock rules neither (they do not bound
 * mapping a file as code), so each grant becomes a mount, a rule, both, or nothing where an outer
 * grant already says it all.
 */
#ifndef BV_LINUX_GRANTS_H
#define BV_LINUX_GRANTS_H

#include "facts.h"
#include "resolve.h"

enum bv_right {
	BV_RIGHT_READ = 1,
	BV_RIGHT_WRITE = 2,
	BV_RIGHT_EXECUTE = 4,
	BV_RIGHT_MAP = 8, /* as code, which EXECUTE includes: for libraries */
};

struct bv_grant {
	struct bv_seen seen; /* the host's */
	struct bv_str dest;  /* where it appears */
	uint32_t rights;
	uint32_t effective; /* with those of the grants it lies below */
	bool map_owner;     /* owner 0 becomes the workload's user */
	bool device;        /* a device node that may be opened */
	bool image;         /* the program itself, which the launcher knows by device and inode */
};

struct bv_grants {
	struct bv_arena *arena;
	struct bv_grant *items;
	size_t count, capacity;
	struct bv_launch_symlink *links;
	size_t link_count, link_capacity;
	bool full; /* of memory */
};

void bv__grants_init(struct bv_grants *grants, struct bv_arena *arena);

/* Follows `path`, remembering the links.  0 or an errno. */
int bv__grants_follow(struct bv_grants *grants, struct bv_str path, struct bv_seen *ret_seen);

/* Follows `path` and grants the place it leads to, remembering the links.  0 or an errno. */
int bv__grants_add(struct bv_grants *grants, struct bv_str path, uint32_t rights, bool map_owner,
		   struct bv_seen *ret_seen);

/* Grants what was seen already, shown at `dest`. */
void bv__grants_put(struct bv_grants *grants, const struct bv_seen *seen, struct bv_str dest,
		    uint32_t rights, bool map_owner);
void bv__grants_link(struct bv_grants *grants, struct bv_str path, struct bv_str target);

/* The grant whose dest is or lies above `path`, the nearest; NULL.  After bv__grants_settle. */
const struct bv_grant *bv__grants_cover(const struct bv_grants *grants, struct bv_str path);

/* Sorts parents first, joins what was granted twice, and works out the effective rights. */
enum bv_code bv__grants_settle(struct bv_grants *grants, struct bv_error *err);

/* Landlock rights of an access; `abi` bounds them to what this kernel knows. */
uint64_t bv__landlock_access(uint32_t rights, uint32_t mode, int abi);

/* For a private root: mounts, links, and the Landlock rules that no mount carries.  With `stage` no
 * directory that may be written to is the host's own. */
enum bv_code bv__grants_to_root(const struct bv_grants *grants, const struct bv_layers *layers,
				bool stage, struct bv_launch_root *root,
				struct bv_launch_rule_list *rules, struct bv_error *err);

/* Without one: Landlock rules for the host's own tree. */
enum bv_code bv__grants_to_rules(const struct bv_grants *grants, const struct bv_layers *layers,
				 struct bv_launch_rule_list *rules, struct bv_error *err);

#endif
