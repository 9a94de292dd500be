/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * support.c - kinds and the lattice of verdicts.
 */
#include "support.h"
#include "schema.h"

static enum bv_requirement_kind kind_of_spawn(enum bv_spawn_policy policy)
{
	switch (policy) {
	case BV_SPAWN_DENY_NEW_TASKS:
		return BV_KIND_SPAWN_DENY;
	case BV_SPAWN_ALLOW_THREADS:
		return BV_KIND_SPAWN_THREADS;
	case BV_SPAWN_ALLOW_DESCENDANTS:
		return BV_KIND_SPAWN_DESCENDANTS;
	}
	bv_assert(false);
	return BV_KIND_SPAWN_DENY;
}

static enum bv_requirement_kind kind_of_capability(const struct bv_capability *capability)
{
	switch (capability->tag) {
	case BV_CAP_FILESYSTEM:
		return BV_KIND_FILESYSTEM;
	case BV_CAP_NETWORK:
		return capability->u.network.policy.tag == BV_NET_DENY_ALL
			       ? BV_KIND_NETWORK_DENY_ALL
			       : BV_KIND_NETWORK_ALLOW_LIST;
	case BV_CAP_CHILD_SPAWN:
		return kind_of_spawn(capability->u.spawn.policy);
	case BV_CAP_ENVIRONMENT:
		return BV_KIND_ENVIRONMENT;
	case BV_CAP_INHERITED_FDS:
		return capability->u.fds.policy.tag == BV_FDS_NONE ? BV_KIND_FDS_NONE
								   : BV_KIND_FDS_ONLY;
	}
	bv_assert(false);
	return BV_KIND_FILESYSTEM;
}

static enum bv_requirement_kind kind_of_control(const struct bv_host_control *control)
{
	switch (control->tag) {
	case BV_CONTROL_LAUNCH:
		return BV_KIND_LAUNCH;
	case BV_CONTROL_CAPTURE:
		return BV_KIND_CAPTURE;
	case BV_CONTROL_TEMP_ROOT:
		return BV_KIND_TEMP_ROOT;
	case BV_CONTROL_EXPOSE_PATH:
		return BV_KIND_EXPOSE_PATH;
	case BV_CONTROL_COMMIT_ARTIFACT:
		return BV_KIND_COMMIT_ARTIFACT;
	case BV_CONTROL_DISCARD_ARTIFACT:
		return BV_KIND_DISCARD_ARTIFACT;
	case BV_CONTROL_KILL:
		return BV_KIND_KILL;
	case BV_CONTROL_LIST_OUTPUTS:
		return BV_KIND_LIST_OUTPUTS;
	}
	bv_assert(false);
	return BV_KIND_LAUNCH;
}

enum bv_requirement_kind bv_kind_of(const struct bv_requirement *requirement)
{
	switch (requirement->tag) {
	case BV_REQ_CAPABILITY:
		return kind_of_capability(&requirement->u.capability);
	case BV_REQ_HOST_CONTROL:
		return kind_of_control(&requirement->u.control);
	}
	bv_assert(false);
	return BV_KIND_FILESYSTEM;
}

const char *bv_kind_name(enum bv_requirement_kind kind)
{
	return bv_name_of(&bv_requirement_kind_type, kind);
}

const char *bv_enforcement_name(enum bv_enforcement enforcement)
{
	return bv_name_of(&bv_enforcement_type, enforcement);
}

unsigned int bv_enforcement_strength(enum bv_enforcement enforcement)
{
	switch (enforcement) {
	case BV_ENFORCED:
		return 2;
	case BV_MEDIATED:
		return 1;
	case BV_UNSUPPORTED:
		return 0;
	}
	bv_assert(false);
	return 0;
}

unsigned int bv_guarantee_strength(enum bv_min_guarantee guarantee)
{
	switch (guarantee) {
	case BV_MIN_MEDIATED:
		return 1;
	case BV_MIN_ENFORCED:
		return 2;
	}
	bv_assert(false);
	return 2;
}

enum bv_enforcement bv_enforcement_meet(enum bv_enforcement a, enum bv_enforcement b)
{
	return bv_enforcement_strength(a) <= bv_enforcement_strength(b) ? a : b;
}

struct bv_verdict bv_verdict_meet(struct bv_verdict a, struct bv_verdict b)
{
	return (struct bv_verdict){
		.enforcement = bv_enforcement_meet(a.enforcement, b.enforcement),
		.evidence = a.evidence & b.evidence,
	};
}

struct bv_verdict bv_verdict_ceiling(const struct bv_requirement *requirement,
				     const struct bv_profile *profile)
{
	if (requirement->tag == BV_REQ_CAPABILITY &&
	    requirement->u.capability.tag == BV_CAP_FILESYSTEM &&
	    !requirement->u.capability.u.filesystem.recursive)
		return (struct bv_verdict){.enforcement = BV_UNSUPPORTED};
	return profile->ceiling[bv_kind_of(requirement)];
}

struct bv_str bv_evidence_text(struct bv_arena *arena, uint32_t evidence)
{
	struct bv_str text = bv_arena_copy(arena, BV_STR(""));

	for (uint32_t claim = 0; text.data != NULL && claim < bv_evidence_claim_type.row_count;
	     claim++)
		if ((evidence >> claim & 1) != 0)
			text = bv_arena_format(arena, "%s%s%s", text.data,
					       text.len == 0 ? "" : ", ",
					       bv_name_of(&bv_evidence_claim_type, claim));
	return text;
}

static const char *grade_of_control(const struct bv_host_control *control)
{
	switch (control->tag) {
	case BV_CONTROL_LAUNCH:
	case BV_CONTROL_CAPTURE:
	case BV_CONTROL_DISCARD_ARTIFACT:
	case BV_CONTROL_LIST_OUTPUTS:
		return "";
	case BV_CONTROL_TEMP_ROOT:
		return bv_name_of(&bv_path_view_type, control->u.temp_root.visibility);
	case BV_CONTROL_EXPOSE_PATH:
		return bv_name_of(&bv_path_view_type, control->u.expose.view);
	case BV_CONTROL_COMMIT_ARTIFACT:
		return bv_name_of(&bv_commit_durability_type, control->u.commit.durability);
	case BV_CONTROL_KILL:
		return bv_name_of(&bv_kill_guarantee_type, control->u.kill.guarantee);
	}
	bv_assert(false);
	return "";
}

const char *bv_grade_text(const struct bv_requirement *requirement)
{
	const struct bv_capability *capability = &requirement->u.capability;

	if (requirement->tag == BV_REQ_HOST_CONTROL)
		return grade_of_control(&requirement->u.control);
	if (capability->tag != BV_CAP_FILESYSTEM)
		return "";
	if (!capability->u.filesystem.recursive)
		return "recursive false";
	return bv_name_of(&bv_fs_access_type, capability->u.filesystem.access);
}
