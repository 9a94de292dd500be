/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * profile.c - facts to verdicts.
 *
 * One function a world.  A cell is Enforced only where the kernel refuses the forbidden act whatever
 * the workload does; tests/confine commits each of them.  Evidence is claimed only where the report
 * really carries it: DeniedAttempts where the filter tells the launcher, MechanismAttestation where
 * the host reads the mechanism back from /proc before it lets the workload run.
 */
#include "facts.h"

#include "budgets.h"
#include "contract/support.h"

/* A page: less holds nothing. */
enum { STORAGE_LEAST_BYTES = 4096 };

#define CLAIM(name) (1u << BV_CLAIM_##name)

static void cell(struct bv_profile *profile, enum bv_requirement_kind kind,
		 enum bv_enforcement enforcement, const char *primitive, uint32_t evidence)
{
	profile->ceiling[kind] = (struct bv_verdict){enforcement, evidence};
	profile->primitive[kind] = primitive;
	profile->reason[kind] = "";
	profile->remedy[kind] = "";
}

static void why(struct bv_profile *profile, enum bv_requirement_kind kind, const char *reason,
		const char *remedy)
{
	profile->reason[kind] = reason;
	profile->remedy[kind] = remedy;
}

static void absent(struct bv_profile *profile, enum bv_requirement_kind kind, const char *reason,
		   const char *remedy)
{
	cell(profile, kind, BV_UNSUPPORTED, "none", 0);
	why(profile, kind, reason, remedy);
}

/* ---- why there are no namespaces ------------------------------------------------------------- */

struct excuse {
	const char *reason, *remedy;
};

static struct excuse no_namespaces(const struct bv_profile_snapshot *snapshot,
				   const struct bv_execution_options *execution)
{
	if (execution != NULL && execution->has_without &&
	    (execution->without & 1u << BV_LAYER_NAMESPACES) != 0)
		return (struct excuse){"namespaces are left out on request",
				       "drop 'without namespaces'"};
	if (bv__fact_number(snapshot, BV_FACT_APPARMOR_USERNS) != 0)
		return (struct excuse){
			"AppArmor forbids user namespaces to programs without a profile of their own",
			"install an AppArmor profile with 'userns,' for the launcher, or set "
			"kernel.apparmor_restrict_unprivileged_userns=0"};
	if (bv_str_is(bv__fact_text(snapshot, BV_FACT_MAX_USERNS), "0"))
		return (struct excuse){
			"user namespaces are switched off (user.max_user_namespaces is 0)",
			"set user.max_user_namespaces to a number above 0"};
	if (bv_str_is(bv__fact_text(snapshot, BV_FACT_UNPRIVILEGED_USERNS), "0"))
		return (struct excuse){
			"user namespaces are for root alone (kernel.unprivileged_userns_clone is 0)",
			"set kernel.unprivileged_userns_clone=1, or run as root"};
	if (!bv_str_is(bv__fact_text(snapshot, BV_FACT_OUTER_SECCOMP), "0"))
		return (struct excuse){
			"an outer sandbox's system call filter forbids user namespaces",
			"let the outer sandbox allow clone and unshare with CLONE_NEWUSER, and mounts in them"};
	if (bv_str_is(bv__fact_text(snapshot, BV_FACT_NAMESPACES), "no: ENOSYS at mount_setattr"))
		return (struct excuse){
			"this kernel is too old to make a private root of mounts (mount_setattr)",
			"use Linux 5.12 or newer"};
	return (struct excuse){
		"user namespaces cannot be used here; the fact 'namespaces' says where it fails",
		"use a kernel with CONFIG_USER_NS and allow user namespaces to this user"};
}

/* Why the kernel does not hold a limit of the whole tree. */
static struct excuse no_group(const struct bv_profile_snapshot *snapshot)
{
	static const char remedy[] =
		"run it under 'systemd-run --user --scope -p Delegate=yes', or name a control group of "
		"yours in BVISOR_CGROUP";

	if (bv__fact_text(snapshot, BV_FACT_CGROUP).data[0] != '/')
		return (struct excuse){
			"no control group can be made here; the fact 'cgroup' says why", remedy};
	if (!bv__fact_holds(snapshot, BV_FACT_CGROUP_JOIN))
		return (struct excuse){
			"no process can be born in a control group here; the fact 'cgroup_join' says why",
			remedy};
	return (struct excuse){
		"the control groups here lack the controller; the fact 'cgroup_controllers' has the others",
		"boot with cgroup v2 alone, and delegate cpu, memory and pids"};
}

/* ---- the same in both worlds ----------------------------------------------------------------- */

static void common_cells(const struct bv_layers *layers, struct bv_profile *profile)
{
	const uint32_t denied = layers->notify ? CLAIM(DENIED_ATTEMPTS) : 0;
	const uint32_t attested = layers->attest ? CLAIM(MECHANISM_ATTESTATION) : 0;

	/* The filter belongs to the launch, because no run is without it. */
	cell(profile, BV_KIND_LAUNCH, BV_ENFORCED,
	     layers->strict ? "launcher+seccomp_strict" : "launcher+seccomp_baseline",
	     CLAIM(TERMINAL_OUTCOME) | CLAIM(RESOURCE_USAGE));
	cell(profile, BV_KIND_CAPTURE, BV_ENFORCED, "relay_pipe", CLAIM(CAPTURED_STREAMS));
	cell(profile, BV_KIND_ENVIRONMENT, BV_ENFORCED, "explicit_env", 0);
	cell(profile, BV_KIND_FDS_NONE, BV_ENFORCED, "close_range", attested);
	cell(profile, BV_KIND_FDS_ONLY, BV_ENFORCED, "close_range", attested);
	cell(profile, BV_KIND_SPAWN_DENY, BV_ENFORCED, "seccomp", denied);
	cell(profile, BV_KIND_SPAWN_THREADS, BV_ENFORCED, "seccomp", denied);
	absent(profile, BV_KIND_NETWORK_ALLOW_LIST, "bvisor has no broker for single peers yet",
	       "ask for no network at all");
}

/* ---- what is written, kept apart --------------------------------------------------------------- */

static void stage_cells(const struct bv_layers *layers,
			const struct bv_execution_options *execution, const struct excuse *excuse,
			struct bv_profile *profile)
{
	static const enum bv_requirement_kind kinds[] = {BV_KIND_COMMIT_ARTIFACT,
							 BV_KIND_DISCARD_ARTIFACT,
							 BV_KIND_LIST_OUTPUTS};
	const bool staged = execution != NULL && execution->has_stage && execution->stage;
	const bool collected = execution != NULL && execution->has_output_dir;
	const uint32_t claims = (collected ? CLAIM(ARTIFACT_LINEAGE) : 0) |
				(staged && execution->has_delta && execution->delta
					 ? CLAIM(FILESYSTEM_DELTA)
					 : 0);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		cell(profile, kinds[i], BV_ENFORCED, staged ? "overlay" : "kept_copy", claims);
		if (!staged && collected)
			continue;
		if (!staged)
			absent(profile, kinds[i],
			       "nothing is kept apart, and no directory for artifacts is named",
			       "ask for staging (--stage), or for artifacts (--output DIR)");
		else if (!layers->namespaces)
			absent(profile, kinds[i], excuse->reason, excuse->remedy);
		else if (!layers->overlay)
			absent(profile, kinds[i],
			       "overlay file systems do not work here as they must; the fact 'overlay' says where it fails",
			       "use Linux 6.6 or newer with overlayfs, or grant a copy of the directory");
	}
}

/* ---- with namespaces ------------------------------------------------------------------------- */

/* Mounts know reading or nothing, so some grants are weaker than the cell; bv__linux_classify has them. */
static void why_without_landlock(const struct bv_execution_options *execution,
				 struct bv_profile *profile)
{
	const bool on_request = execution != NULL && execution->has_without &&
				(execution->without & 1u << BV_LAYER_LANDLOCK) != 0;

	why(profile, BV_KIND_FILESYSTEM,
	    "without Landlock a root granted for writing or execution alone can be read too, and pipes can be "
	    "made in roots granted for writing",
	    on_request ? "drop 'without landlock'"
		       : "use a kernel with Landlock switched on (lsm=...,landlock)");
}

static void namespace_cells(const struct bv_layers *layers,
			    const struct bv_execution_options *execution,
			    struct bv_profile *profile)
{
	const uint32_t denied = layers->notify ? CLAIM(DENIED_ATTEMPTS) : 0;
	const uint32_t attested = layers->attest ? CLAIM(MECHANISM_ATTESTATION) : 0;

	cell(profile, BV_KIND_FILESYSTEM, BV_ENFORCED,
	     layers->landlock ? "private_root+landlock" : "private_root", attested);
	if (!layers->landlock)
		why_without_landlock(execution, profile);
	if (layers->netns)
		cell(profile, BV_KIND_NETWORK_DENY_ALL, BV_ENFORCED, "empty_netns+seccomp",
		     denied | attested);
	else
		cell(profile, BV_KIND_NETWORK_DENY_ALL, BV_ENFORCED, "seccomp_no_sockets", denied);
	cell(profile, BV_KIND_SPAWN_DESCENDANTS, BV_ENFORCED,
	     layers->group ? "pid_namespace+cgroup" : "pid_namespace", attested);
	cell(profile, BV_KIND_KILL, BV_ENFORCED,
	     layers->group ? "pid_namespace+cgroup_kill" : "pid_namespace", attested);
	cell(profile, BV_KIND_TEMP_ROOT, BV_ENFORCED, "private_tmpfs", attested);
	cell(profile, BV_KIND_EXPOSE_PATH, BV_ENFORCED, "bind_mount", attested);
}

/* ---- without --------------------------------------------------------------------------------- */

static void filesystem_without(const struct bv_layers *layers,
			       const struct bv_execution_options *execution,
			       const struct excuse *excuse, struct bv_profile *profile)
{
	if (layers->landlock_abi < 3) {
		absent(profile, BV_KIND_FILESYSTEM,
		       layers->landlock_abi == 0
			       ? "there are neither namespaces nor Landlock"
			       : "there are no namespaces, and Landlock before ABI 3 lets files be cut short",
		       excuse->remedy);
		return;
	}
	/* Landlock only ever adds rights: what lies below a granted root cannot be taken out again. */
	if (execution != NULL && execution->has_deny && execution->deny.count > 0) {
		absent(profile, BV_KIND_FILESYSTEM,
		       "without namespaces a path below a granted root cannot be denied",
		       "grant the paths beside it one by one, or allow namespaces");
		return;
	}
	cell(profile, BV_KIND_FILESYSTEM, BV_MEDIATED, "landlock", 0);
	why(profile, BV_KIND_FILESYSTEM,
	    "Landlock alone leaves names and metadata of other files visible, metadata of the caller's own files "
	    "changeable, and files mappable as code",
	    excuse->remedy);
}

/* Members of a group cannot leave it, and all of them die in one act; else they are hunted. */
static void lifetime_without(const struct bv_layers *layers, const struct excuse *excuse,
			     struct bv_profile *profile)
{
	const uint32_t attested = layers->attest ? CLAIM(MECHANISM_ATTESTATION) : 0;

	if (layers->group && layers->landlock) {
		cell(profile, BV_KIND_SPAWN_DESCENDANTS, BV_ENFORCED, "cgroup", attested);
		cell(profile, BV_KIND_KILL, BV_ENFORCED, "cgroup_kill", attested);
		return;
	}
	cell(profile, BV_KIND_SPAWN_DESCENDANTS, BV_MEDIATED, "subreaper", 0);
	why(profile, BV_KIND_SPAWN_DESCENDANTS,
	    "without a PID namespace descendants are hunted down one by one after the main process ended",
	    excuse->remedy);
	cell(profile, BV_KIND_KILL, BV_MEDIATED, "subreaper", 0);
	why(profile, BV_KIND_KILL,
	    "without a PID namespace a kill is repeated until nothing is left, not one act",
	    excuse->remedy);
}

static void bare_cells(const struct bv_layers *layers, const struct bv_execution_options *execution,
		       const struct excuse *excuse, struct bv_profile *profile)
{
	const uint32_t denied = layers->notify ? CLAIM(DENIED_ATTEMPTS) : 0;

	filesystem_without(layers, execution, excuse, profile);
	cell(profile, BV_KIND_NETWORK_DENY_ALL, BV_ENFORCED, "seccomp_no_sockets", denied);
	lifetime_without(layers, excuse, profile);
	/* Both are mounts and nothing else: what stands in their way is what stands in the namespaces'. */
	absent(profile, BV_KIND_TEMP_ROOT, excuse->reason, excuse->remedy);
	absent(profile, BV_KIND_EXPOSE_PATH, excuse->reason, excuse->remedy);
}

/* What the spec grants decides with the machine (budgets.c); these are for where it is weak. */
static void why_storage(const struct bv_layers *layers, const struct excuse *excuse,
			struct bv_profile *profile)
{
	profile->budget_least[BV_DIMENSION_STORAGE] = STORAGE_LEAST_BYTES;
	profile->budget_reason[BV_DIMENSION_STORAGE] =
		layers->namespaces
			? "what files of the host grow by is only looked at from time to time"
			: excuse->reason;
	profile->budget_remedy[BV_DIMENSION_STORAGE] =
		layers->namespaces
			? "stage what is granted for writing (--stage), and let no descriptors be inherited"
			: excuse->remedy;
}

void bv__linux_profile(void *self, const struct bv_profile_snapshot *snapshot,
		       const struct bv_execution_options *execution, struct bv_profile *ret_profile)
{
	const struct bv_layers layers = bv__layers_of(snapshot, execution);
	const struct excuse excuse = no_namespaces(snapshot, execution);
	const struct excuse group = no_group(snapshot);
	const char *missing = bv__fact_missing(snapshot);

	(void)self;
	common_cells(&layers, ret_profile);
	if (layers.namespaces)
		namespace_cells(&layers, execution, ret_profile);
	else
		bare_cells(&layers, execution, &excuse, ret_profile);
	for (int d = 0; d < BV_DIMENSION_COUNT; d++) {
		const bool weak = bv__holding(snapshot, &layers, (enum bv_dimension)d)
					  .is.enforcement != BV_ENFORCED;

		ret_profile->budget_least[d] = 0;
		ret_profile->budget_reason[d] = weak ? group.reason : "";
		ret_profile->budget_remedy[d] = weak ? group.remedy : "";
	}
	why_storage(&layers, &excuse, ret_profile);
	stage_cells(&layers, execution, &excuse, ret_profile);
	if (missing == NULL)
		return;
	/* Nothing can be started safely here, whatever was asked for. */
	for (int kind = 0; kind < BV_KIND_COUNT; kind++)
		absent(ret_profile, (enum bv_requirement_kind)kind, missing,
		       "use Linux 5.13 or newer outside of other sandboxes, and not as a user 0 that is mapped alone");
}

struct bv_verdict bv__linux_classify(void *self, const struct bv_requirement *requirement,
				     const struct bv_profile *profile)
{
	struct bv_verdict verdict = bv_verdict_ceiling(requirement, profile);
	const struct bv_verdict unsupported = {BV_UNSUPPORTED, 0};

	(void)self;
	if (requirement->tag == BV_REQ_CAPABILITY &&
	    requirement->u.capability.tag == BV_CAP_FILESYSTEM) {
		const enum bv_fs_access access = requirement->u.capability.u.filesystem.access;

		/* A mount is readable or not there; only Landlock can take reading away. */
		if (bv_str_is(bv_str_from(profile->primitive[BV_KIND_FILESYSTEM]),
			      "private_root") &&
		    (access == BV_FS_WRITE || access == BV_FS_EXECUTE) &&
		    verdict.enforcement == BV_ENFORCED)
			verdict.enforcement = BV_MEDIATED;
	}
	if (requirement->tag == BV_REQ_HOST_CONTROL &&
	    requirement->u.control.tag == BV_CONTROL_COMMIT_ARTIFACT &&
	    requirement->u.control.u.commit.durability == BV_COMMIT_ATOMIC)
		return unsupported;
	if (requirement->tag == BV_REQ_HOST_CONTROL &&
	    requirement->u.control.tag == BV_CONTROL_KILL &&
	    requirement->u.control.u.kill.guarantee == BV_KILL_ATOMIC &&
	    verdict.enforcement != BV_ENFORCED)
		return unsupported;
	return verdict;
}
