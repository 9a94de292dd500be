/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* grants.c - which host paths a boundary shows, and with which rights. */
#include "grants.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "contract/policy.h"
#include "contract/value.h"
#include "sys.h"

enum { FIRST_CAPACITY = 64, MOUNTS_MAX = 160 };

void bv__grants_init(struct bv_grants *grants, struct bv_arena *arena)
{
	*grants = (struct bv_grants){.arena = arena};
}

/* Room for one more element; the old array stays behind in the arena. */
static void *grow(struct bv_grants *grants, void *items, size_t count, size_t *capacity,
		  size_t element_bytes)
{
	size_t larger = *capacity ? *capacity * 2 : FIRST_CAPACITY;
	void *copy;

	if (count < *capacity)
		return items;
	copy = bv_arena_array(grants->arena, larger, element_bytes);
	if (copy == NULL) {
		grants->full = true;
		return NULL;
	}
	if (count > 0)
		memcpy(copy, items, count * element_bytes);
	*capacity = larger;
	return copy;
}

void bv__grants_put(struct bv_grants *grants, const struct bv_seen *seen, struct bv_str dest,
		    uint32_t rights, bool map_owner)
{
	struct bv_grant *items = grow(grants, grants->items, grants->count, &grants->capacity,
				      sizeof(*grants->items));

	if (items == NULL)
		return;
	grants->items = items;
	items[grants->count++] = (struct bv_grant){
		.seen = *seen,
		.dest = dest,
		.rights = rights,
		/* Device file systems know no owner maps, and the nodes granted are everybody's. */
		.map_owner = map_owner && !S_ISCHR(seen->mode),
		.device = S_ISCHR(seen->mode),
	};
}

void bv__grants_link(struct bv_grants *grants, struct bv_str path, struct bv_str target)
{
	struct bv_launch_symlink *links;

	for (size_t i = 0; i < grants->link_count; i++) {
		if (bv_str_equal(grants->links[i].path, path))
			return;
	}
	links = grow(grants, grants->links, grants->link_count, &grants->link_capacity,
		     sizeof(*grants->links));
	if (links == NULL)
		return;
	grants->links = links;
	links[grants->link_count++] = (struct bv_launch_symlink){path, target};
}

static void add_link(void *context, struct bv_str path, struct bv_str target)
{
	bv__grants_link(context, path, target);
}

int bv__grants_follow(struct bv_grants *grants, struct bv_str path, struct bv_seen *ret_seen)
{
	const struct bv_link_sink sink = {add_link, grants};

	return bv__resolve(grants->arena, path, &sink, ret_seen);
}

int bv__grants_add(struct bv_grants *grants, struct bv_str path, uint32_t rights, bool map_owner,
		   struct bv_seen *ret_seen)
{
	const int problem = bv__grants_follow(grants, path, ret_seen);

	if (problem == 0)
		bv__grants_put(grants, ret_seen, ret_seen->path, rights, map_owner);
	return problem;
}

/* ---- settling -------------------------------------------------------------------------------- */

static int by_dest(const void *context, const void *a, const void *b)
{
	(void)context;
	return bv__path_compare(((const struct bv_grant *)a)->dest,
				((const struct bv_grant *)b)->dest);
}

static void join_twins(struct bv_grants *grants)
{
	size_t kept = 0;

	for (size_t i = 0; i < grants->count; i++) {
		struct bv_grant *last = kept > 0 ? &grants->items[kept - 1] : NULL;

		if (last != NULL && bv_str_equal(last->dest, grants->items[i].dest)) {
			last->rights |= grants->items[i].rights;
			last->map_owner |= grants->items[i].map_owner;
			last->image |= grants->items[i].image;
		} else {
			grants->items[kept++] = grants->items[i];
		}
	}
	grants->count = kept;
}

/* The nearest settled grant before `count` that covers `path`: parents come first. */
static const struct bv_grant *nearest(const struct bv_grant *items, size_t count,
				      struct bv_str path)
{
	while (count-- > 0) {
		if (bv_path_covers(items[count].dest, path))
			return &items[count];
	}
	return NULL;
}

enum bv_code bv__grants_settle(struct bv_grants *grants, struct bv_error *err)
{
	const struct bv_any_list list = {grants->items, grants->count};

	if (grants->full || !bv_sort(grants->arena, list, sizeof(*grants->items), by_dest, NULL))
		return bv_fail(err, BV_E_MEMORY, "filesystem", "no memory for the granted paths");
	join_twins(grants);
	for (size_t i = 0; i < grants->count; i++) {
		const struct bv_grant *outer = nearest(grants->items, i, grants->items[i].dest);

		grants->items[i].effective = grants->items[i].rights |
					     (outer != NULL ? outer->effective : 0);
	}
	return BV_OK;
}

const struct bv_grant *bv__grants_cover(const struct bv_grants *grants, struct bv_str path)
{
	return nearest(grants->items, grants->count, path);
}

/* ---- to the launch plan ---------------------------------------------------------------------- */

uint64_t bv__landlock_access(uint32_t rights, uint32_t mode, int abi)
{
	uint64_t access = 0;

	if (rights & BV_RIGHT_READ)
		access |= BV_LANDLOCK_READ_FILE | BV_LANDLOCK_READ_DIR;
	/* The kernel opens a program for reading, and what is mapped as code can be read there. */
	if (rights & BV_RIGHT_EXECUTE)
		access |= BV_LANDLOCK_EXECUTE | BV_LANDLOCK_READ_FILE;
	/* Sockets, FIFOs and devices are ways to talk, not data: none of them may be made in a host's
	 * directory.  The private /tmp has the first two. */
	if (rights & BV_RIGHT_WRITE)
		access |= BV_LANDLOCK_WRITE_FILE | BV_LANDLOCK_TRUNCATE | BV_LANDLOCK_MAKE_REG |
			  BV_LANDLOCK_MAKE_DIR | BV_LANDLOCK_MAKE_SYM | BV_LANDLOCK_REMOVE_FILE |
			  BV_LANDLOCK_REMOVE_DIR | BV_LANDLOCK_REFER;
	if (S_ISCHR(mode) && access != 0)
		access |= BV_LANDLOCK_IOCTL_DEV;
	if (!S_ISDIR(mode))
		access &= BV_LANDLOCK_READ_FILE | BV_LANDLOCK_WRITE_FILE | BV_LANDLOCK_TRUNCATE |
			  BV_LANDLOCK_EXECUTE | BV_LANDLOCK_IOCTL_DEV;
	return access & bv_landlock_known(abi).handled_access_fs;
}

static uint32_t outer_rights(const struct bv_grants *grants, size_t index)
{
	const struct bv_grant *outer = nearest(grants->items, index, grants->items[index].dest);

	return outer != NULL ? outer->effective : 0;
}

/* What a rule for this grant has to add to those of the grants around it; 0 for no rule. */
static uint64_t rule_access(const struct bv_grants *grants, size_t index, int abi)
{
	const struct bv_grant *grant = &grants->items[index];
	const uint64_t wanted = bv__landlock_access(grant->rights, grant->seen.mode, abi);

	if ((wanted & ~bv__landlock_access(outer_rights(grants, index), grant->seen.mode, abi)) ==
	    0)
		return 0;
	return wanted;
}

static void put_rule(const struct bv_grant *grant, uint64_t access,
		     struct bv_launch_rule_list *rules)
{
	rules->items[rules->count++] = (struct bv_launch_rule){
		.path = grant->seen.path,
		.device = grant->seen.device,
		.inode = grant->seen.inode,
		.access = access,
	};
}

static void put_inner_rule(const struct bv_grant *grant, uint64_t access,
			   struct bv_launch_root *root)
{
	root->has_rules = true;
	root->rules.items[root->rules.count++] = (struct bv_launch_inner_rule){
		.path = grant->dest,
		.access = access,
	};
}

static struct bv_launch_mount mount_of(const struct bv_grant *grant, bool idmap)
{
	return (struct bv_launch_mount){
		.source = grant->seen.path,
		.dest = grant->dest,
		.device = grant->seen.device,
		.inode = grant->seen.inode,
		.directory = S_ISDIR(grant->seen.mode),
		.writable = (grant->effective & BV_RIGHT_WRITE) != 0 || grant->device,
		.executable = (grant->effective & (BV_RIGHT_EXECUTE | BV_RIGHT_MAP)) != 0,
		.node = grant->device,
		.idmapped = grant->map_owner && idmap,
	};
}

/*
 * What is staged is a directory, and everything in it that is shown from there.  A file that has to be shown
 * apart, because it is a program, is the host's own, and so not for writing.
 */
static enum bv_code stage_mount(const struct bv_grant *grant, struct bv_launch_mount *mount,
				struct bv_error *err)
{
	if (!mount->writable || mount->node)
		return BV_OK;
	if (mount->directory) {
		mount->has_staged = mount->staged = true;
		return BV_OK;
	}
	if ((grant->rights & BV_RIGHT_WRITE) != 0)
		return bv_fail_remedy(err, BV_E_INVALID_POLICY, "execution.stage",
				      "grant the directory it lies in",
				      "'%.*s' is a file, and only directories can be staged",
				      (int)(mount->dest.len < 120 ? mount->dest.len : 120),
				      mount->dest.data);
	mount->writable = false;
	return BV_OK;
}

static bool is_staged(const struct bv_launch_mount *mount)
{
	return mount->has_staged && mount->staged;
}

/* The mount around it, if that already shows the grant as it should be; NULL. */
static const struct bv_launch_mount *shown_by(const struct bv_launch_root *root,
					      const struct bv_launch_mount *mount, bool image)
{
	for (size_t i = root->mounts.count; i-- > 0;) {
		const struct bv_launch_mount *outer = &root->mounts.items[i];

		if (!bv_path_covers(outer->dest, mount->dest))
			continue;
		/* What an overlay shows has another device number. */
		if (is_staged(outer) && image)
			return NULL;
		/* The same place of the host must be what appears there. */
		return outer->writable == mount->writable &&
				       outer->executable == mount->executable &&
				       outer->node == mount->node &&
				       (outer->idmapped || !mount->idmapped) &&
				       bv_str_equal(outer->source, outer->dest) &&
				       bv_str_equal(mount->source, mount->dest)
			       ? outer
			       : NULL;
	}
	return NULL;
}

/* Links inside a mount are there already. */
static void put_links(const struct bv_grants *grants, struct bv_launch_root *root)
{
	for (size_t i = 0; i < grants->link_count; i++) {
		bool shown = false;

		for (size_t m = 0; m < root->mounts.count && !shown; m++)
			shown = bv_path_covers(root->mounts.items[m].dest, grants->links[i].path);
		if (!shown)
			root->symlinks.items[root->symlinks.count++] = grants->links[i];
	}
}

static enum bv_code refuse_count(struct bv_error *err)
{
	return bv_fail_remedy(err, BV_E_INVALID_POLICY, "filesystem",
			      "grant a directory above several of them",
			      "more than %d separate places would have to be shown",
			      (int)MOUNTS_MAX);
}

enum bv_code bv__grants_to_root(const struct bv_grants *grants, const struct bv_layers *layers,
				bool stage, struct bv_launch_root *root,
				struct bv_launch_rule_list *rules, struct bv_error *err)
{
	root->mounts.items = bv_arena_array(grants->arena, grants->count,
					    sizeof(*root->mounts.items));
	root->symlinks.items = bv_arena_array(grants->arena, grants->link_count,
					      sizeof(*root->symlinks.items));
	root->rules.items = bv_arena_array(grants->arena, grants->count,
					   sizeof(*root->rules.items));
	rules->items = bv_arena_array(grants->arena, grants->count, sizeof(*rules->items));
	if (root->mounts.items == NULL || root->symlinks.items == NULL ||
	    root->rules.items == NULL || rules->items == NULL)
		return bv_fail(err, BV_E_MEMORY, "filesystem", "no memory for the granted paths");
	for (size_t i = 0; i < grants->count; i++) {
		struct bv_launch_mount mount = mount_of(&grants->items[i], layers->idmap);
		const uint64_t access = rule_access(grants, i, layers->landlock_abi);
		const struct bv_launch_mount *outer;

		outer = shown_by(root, &mount, grants->items[i].image);
		if (outer != NULL) {
			if (access != 0 && is_staged(outer))
				put_inner_rule(&grants->items[i], access, root);
			else if (access != 0)
				put_rule(&grants->items[i], access, rules);
			continue;
		}
		if (root->mounts.count == MOUNTS_MAX)
			return refuse_count(err);
		if (stage) {
			const enum bv_code code = stage_mount(&grants->items[i], &mount, err);

			if (code != BV_OK)
				return code;
		}
		mount.access = access;
		root->mounts.items[root->mounts.count++] = mount;
	}
	put_links(grants, root);
	return BV_OK;
}

enum bv_code bv__grants_to_rules(const struct bv_grants *grants, const struct bv_layers *layers,
				 struct bv_launch_rule_list *rules, struct bv_error *err)
{
	rules->items = bv_arena_array(grants->arena, grants->count, sizeof(*rules->items));
	if (rules->items == NULL)
		return bv_fail(err, BV_E_MEMORY, "filesystem", "no memory for the granted paths");
	for (size_t i = 0; i < grants->count; i++) {
		const uint64_t access = rule_access(grants, i, layers->landlock_abi);

		if (access != 0)
			put_rule(&grants->items[i], access, rules);
	}
	return BV_OK;
}
