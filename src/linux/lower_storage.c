/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lower_storage.c - how much the boundary's own file systems may hold, and which directories are staged.
 *
 * A limit on storage bounds all of it together: /tmp with shared memory, and what is written to staged
 * directories.  One file system holds both, unless /tmp was given a size of its own.
 */
#include "lower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "contract/policy.h"

enum {
	TMP_DEFAULT_BYTES = 64 << 20,
	STAGE_DEFAULT_BYTES = 256 << 20,
	BYTES_PER_INODE =
		4096, /* one for each page that fits: small files are bounded by bytes first */
	INODES_LEAST = 1024,
	INODES_MOST = 1 << 20, /* each takes a kilobyte of the kernel's memory */
	INODES_OF_TMP = 2,     /* /tmp itself, and shared memory */
	INODES_OF_STAGED = 5,  /* the directories an overlay is made of */
};

bool bv__lower_stages(const struct bv_lowering_state *state)
{
	return state->execution->has_stage && state->execution->stage;
}

static bool is_staged(const struct bv_launch_mount *mount)
{
	return mount->has_staged && mount->staged;
}

/* ---- whether a directory can be staged -------------------------------------------------------- */

static enum bv_code refuse_stage(struct bv_lowering_state *state, struct bv_str path,
				 const char *remedy, const char *why)
{
	return bv_fail_remedy(state->err, BV_E_UNSUPPORTED, "execution.stage", remedy,
			      "'%.*s' cannot be staged: %s", (int)(path.len < 100 ? path.len : 100),
			      path.data, why);
}

/* Whether a file system can lie below, and says by its change times what others changed meanwhile. */
static const char *unfit_file_system(const char *path)
{
	static const struct {
		uint32_t magic;
		const char *why;
	} unfit[] = {
		{0x6969, "NFS keeps another machine's time"},
		{0x517b, "SMB keeps another machine's time"},
		{0xff534d42, "SMB keeps another machine's time"},
		{0xfe534d42, "SMB keeps another machine's time"},
		{0x00c36400, "Ceph keeps another machine's time"},
		{0x5346414f, "AFS keeps another machine's time"},
		{0x6b414653, "AFS keeps another machine's time"},
		{0x73757245, "Coda keeps another machine's time"},
		{0x01021997, "9P keeps another machine's time"},
		{0x01161970, "GFS2 keeps other machines' times"},
		{0x7461636f, "OCFS2 keeps other machines' times"},
		{0x65735546, "FUSE may keep any time"},
		{0x4d44, "an overlay cannot lie above FAT"},
		{0x2011bab0, "an overlay cannot lie above exFAT"},
	};
	struct statfs seen;

	if (statfs(path, &seen) != 0)
		return "it cannot be looked at";
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
		if ((uint32_t)seen.f_type == unfit[i].magic)
			return unfit[i].why;
	}
	return NULL;
}

/* The mount point of a line of mountinfo, unescaped in place; NULL where there is none. */
static char *mount_point(char *line)
{
	char *word = line, *out;

	for (int i = 0; i < 4 && word != NULL; i++)
		word = (word = strchr(word, ' ')) != NULL ? word + 1 : NULL;
	if (word == NULL)
		return NULL;
	out = word;
	for (const char *at = word; *at != '\0' && *at != ' '; out++) {
		if (at[0] == '\\' && at[1] != '\0' && at[2] != '\0' && at[3] != '\0') {
			*out = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			*out = *at++;
		}
	}
	*out = '\0';
	return word;
}

/* Changes are kept apart for one file system alone, and what lies below a mount point is nobody's business. */
static enum bv_code check_mounts_below(struct bv_lowering_state *state)
{
	const struct bv_launch_mount_list *mounts = &state->out->body.work.root.mounts;
	FILE *table = fopen("/proc/self/mountinfo", "re");
	enum bv_code code = BV_OK;
	size_t capacity = 0;
	char *line = NULL;

	if (table == NULL)
		return bv_fail(state->err, BV_E_SYSTEM, "execution.stage",
			       "the mounts of this machine cannot be listed");
	while (code == BV_OK && getline(&line, &capacity, table) >= 0) {
		const char *point = mount_point(line);
		const struct bv_str path = bv_str_from(point != NULL ? point : "");

		for (size_t i = 0; code == BV_OK && i < mounts->count; i++) {
			const struct bv_str source = mounts->items[i].source;

			if (is_staged(&mounts->items[i]) && path.len > source.len &&
			    bv_path_covers(source, path))
				code = refuse_stage(
					state, source,
					"grant what lies beside the mount, or unmount it",
					"another file system is mounted in it");
		}
	}
	free(line);
	fclose(table);
	return code;
}

/* The same place of the host staged under two names would be committed twice. */
static bool is_seen_twice(const struct bv_launch_mount *one, const struct bv_launch_mount *other)
{
	const size_t above = one->source.len == 1 ? 0 : one->source.len;
	const size_t rest = other->source.len - above;

	if (!bv_path_covers(one->source, other->source))
		return false;
	/* Shown below the other as it lies below it: then it is cut out there. */
	return other->dest.len != one->dest.len + rest || !bv_path_covers(one->dest, other->dest) ||
	       memcmp(other->dest.data + one->dest.len, other->source.data + above, rest) != 0;
}

static enum bv_code check_staged(struct bv_lowering_state *state)
{
	const struct bv_launch_mount_list *mounts = &state->out->body.work.root.mounts;

	for (size_t i = 0; i < mounts->count; i++) {
		const struct bv_launch_mount *mount = &mounts->items[i];
		const char *why = is_staged(mount) ? unfit_file_system(mount->source.data) : NULL;

		if (why != NULL)
			return refuse_stage(state, mount->source,
					    "grant a copy of it on a disk of this machine", why);
		for (size_t k = 0; is_staged(mount) && k < mounts->count; k++) {
			if (k != i && is_staged(&mounts->items[k]) &&
			    is_seen_twice(mount, &mounts->items[k]))
				return refuse_stage(state, mounts->items[k].source,
						    "show it at one place, for writing",
						    "it could be written to at two places");
		}
	}
	return check_mounts_below(state);
}

/* ---- sizes ------------------------------------------------------------------------------------- */

uint64_t bv__storage_inodes(uint64_t bytes)
{
	const uint64_t inodes = bytes / BYTES_PER_INODE;

	return inodes < INODES_LEAST ? INODES_LEAST : inodes > INODES_MOST ? INODES_MOST : inodes;
}

/* Directories and files that are made in /tmp to mount on: not the workload's. */
static uint64_t mount_points_in_tmp(const struct bv_launch_root *root)
{
	uint64_t count = 0;

	for (size_t i = 0; i < root->mounts.count; i++) {
		const struct bv_str dest = root->mounts.items[i].dest;

		if (dest.len <= 4 || !bv_path_covers(BV_STR("/tmp"), dest))
			continue;
		for (size_t at = 4; at < dest.len; at++)
			count += dest.data[at] == '/';
	}
	return count;
}

/* tmpfs counts in pages, and takes 0 for no limit. */
static enum bv_code to_pages(struct bv_lowering_state *state, const char *where, uint64_t *bytes)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	*bytes -= *bytes % page;
	if (*bytes != 0)
		return BV_OK;
	return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, where, "raise it",
			      "less than a page of %llu bytes holds nothing",
			      (unsigned long long)page);
}

struct sizes {
	uint64_t tmp, stage; /* bytes; stage 0: nothing is staged */
	bool together;
};

/* /tmp alone, unless it was given a size. */
static uint64_t tmp_size(const struct bv_lowering_state *state, uint64_t limit)
{
	/* What places of the host may grow by is no reason to let it fill the machine's memory. */
	const bool whole = limit != UINT64_MAX && !state->out->layers.writes_host &&
			   state->tmp_inodes == 0;

	if (state->tmp_bytes != 0)
		return state->tmp_bytes;
	return whole || limit < TMP_DEFAULT_BYTES ? limit : TMP_DEFAULT_BYTES;
}

static enum bv_code choose_sizes(struct bv_lowering_state *state, bool staged,
				 struct sizes *ret_sizes)
{
	const struct bv_admitted_budgets *budgets = &state->plan->budgets;
	const bool own = state->tmp_bytes != 0 || state->tmp_inodes != 0;
	const uint64_t limit = budgets->has_storage_bytes ? budgets->storage_bytes.effective_limit
							  : UINT64_MAX;
	const uint64_t tmp = tmp_size(state, limit);
	uint64_t stage = budgets->has_storage_bytes ? limit : STAGE_DEFAULT_BYTES;
	enum bv_code code;

	if (tmp > limit)
		return bv_fail_remedy(
			state->err, BV_E_INVALID_POLICY, "budgets.storage_bytes",
			"raise the limit, or make /tmp smaller",
			"the private /tmp of %llu bytes is larger than the limit of %llu",
			(unsigned long long)tmp, (unsigned long long)limit);
	if (staged && own && budgets->has_storage_bytes) {
		if (tmp == limit)
			return bv_fail_remedy(
				state->err, BV_E_INVALID_POLICY, "budgets.storage_bytes",
				"raise the limit, or make /tmp smaller",
				"the private /tmp alone may take all of the limit, and nothing is left to stage in");
		stage -= tmp;
	}
	*ret_sizes = (struct sizes){.tmp = tmp, .stage = stage, .together = staged && !own};
	code = to_pages(state, "controls", &ret_sizes->tmp);
	if (code == BV_OK)
		code = to_pages(state, "budgets.storage_bytes", &ret_sizes->stage);
	if (!staged)
		ret_sizes->stage = 0;
	return code;
}

static void observe_storage(struct bv_lowering_state *state, const struct sizes *sizes,
			    uint64_t inodes)
{
	const struct bv_launch_mount_list *mounts = &state->out->body.work.root.mounts;

	for (size_t i = 0; i < mounts->count; i++) {
		const struct bv_launch_mount *mount = &mounts->items[i];

		if (is_staged(mount))
			bv__lower_observe(
				state, "staged_root",
				"%.*s: what is written there is kept apart, in %llu bytes "
				"and %llu inodes for all",
				(int)mount->source.len, mount->source.data,
				(unsigned long long)sizes->stage, (unsigned long long)inodes);
	}
}

enum bv_code bv__lower_storage(struct bv_lowering_state *state)
{
	struct bv_launch_root *root = &state->out->body.work.root;
	struct sizes sizes = {0};
	uint64_t staged = 0, inodes;
	enum bv_code code;

	for (size_t i = 0; i < root->mounts.count; i++)
		staged += is_staged(&root->mounts.items[i]);
	code = staged != 0 ? check_staged(state) : BV_OK;
	if (code == BV_OK)
		code = choose_sizes(state, staged != 0, &sizes);
	if (code != BV_OK)
		return code;
	root->tmp_bytes = state->no_tmp ? 0 : sizes.together ? sizes.stage : sizes.tmp;
	root->tmp_inodes = (state->tmp_inodes != 0 ? state->tmp_inodes
						   : bv__storage_inodes(sizes.tmp)) +
			   INODES_OF_TMP + mount_points_in_tmp(root);
	if (staged == 0)
		return BV_OK;
	inodes = bv__storage_inodes(sizes.stage);
	root->has_stage = true;
	root->stage = (struct bv_launch_stage){
		.size_bytes = sizes.stage,
		.inodes = inodes + 1 + staged * INODES_OF_STAGED,
		.holds_tmp = sizes.together,
	};
	if (sizes.together)
		root->stage.inodes += INODES_OF_TMP + mount_points_in_tmp(root);
	observe_storage(state, &sizes, inodes);
	return BV_OK;
}
