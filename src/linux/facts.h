/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * facts.h - the raw facts of a snapshot, read back as what they decide.
 *
 * A snapshot holds text, because people and hashes read it.  Whatever decides a verdict or a launch
 * is taken from there and from nowhere else, so that a plan means the same wherever it is read.
 */
#ifndef BV_LINUX_FACTS_H
#define BV_LINUX_FACTS_H

#include "contract/backend.h"

/* Names of the facts, in order.  The second column says where each comes from. */
#define BV_FACTS(X)                                                                                \
	X(BV_FACT_APPARMOR, "apparmor", BV_FACT_READ)                                              \
	X(BV_FACT_APPARMOR_USERNS, "apparmor_restrict_unprivileged_userns", BV_FACT_READ)          \
	X(BV_FACT_ARCH, "arch", BV_FACT_READ)                                                      \
	X(BV_FACT_ATTEST, "attest", BV_FACT_TRIED)                                                 \
	X(BV_FACT_CGROUP, "cgroup", BV_FACT_READ)                                                  \
	X(BV_FACT_CGROUP_CONTROLLERS, "cgroup_controllers", BV_FACT_READ)                          \
	X(BV_FACT_CGROUP_JOIN, "cgroup_join", BV_FACT_TRIED)                                       \
	X(BV_FACT_CLONE3, "clone3", BV_FACT_TRIED)                                                 \
	X(BV_FACT_CLOSE_RANGE, "close_range", BV_FACT_TRIED)                                       \
	X(BV_FACT_CPUS, "cpus", BV_FACT_READ)                                                      \
	X(BV_FACT_GID, "gid", BV_FACT_READ)                                                        \
	X(BV_FACT_IDMAP, "idmap", BV_FACT_TRIED)                                                   \
	X(BV_FACT_IDMAP_TMPFS, "idmap_tmpfs", BV_FACT_TRIED)                                       \
	X(BV_FACT_KERNEL, "kernel", BV_FACT_READ)                                                  \
	X(BV_FACT_LANDLOCK, "landlock", BV_FACT_TRIED)                                             \
	X(BV_FACT_LANDLOCK_ABI, "landlock_abi", BV_FACT_READ)                                      \
	X(BV_FACT_LAUNCHER, "launcher", BV_FACT_READ)                                              \
	X(BV_FACT_MAX_USERNS, "max_user_namespaces", BV_FACT_READ)                                 \
	X(BV_FACT_MEMFD_NOEXEC, "memfd_noexec", BV_FACT_TRIED)                                     \
	X(BV_FACT_MEMFD_SEALS, "memfd_seals", BV_FACT_TRIED)                                       \
	X(BV_FACT_MEMORY, "memory_bytes", BV_FACT_READ)                                            \
	X(BV_FACT_NAMESPACES, "namespaces", BV_FACT_TRIED)                                         \
	X(BV_FACT_NETNS, "netns", BV_FACT_TRIED)                                                   \
	X(BV_FACT_NOFILE_HARD, "nofile_hard", BV_FACT_READ)                                        \
	X(BV_FACT_NPROC, "nproc", BV_FACT_TRIED)                                                   \
	X(BV_FACT_OPENAT2, "openat2", BV_FACT_TRIED)                                               \
	X(BV_FACT_OUTER_SECCOMP, "outer_seccomp", BV_FACT_READ)                                    \
	X(BV_FACT_OVERLAY, "overlay", BV_FACT_TRIED)                                               \
	X(BV_FACT_PID_MAX, "pid_max", BV_FACT_READ)                                                \
	X(BV_FACT_PIDFD, "pidfd", BV_FACT_TRIED)                                                   \
	X(BV_FACT_PRIVATE_IDS, "private_ids", BV_FACT_READ)                                        \
	X(BV_FACT_SECCOMP_FILTER, "seccomp_filter", BV_FACT_TRIED)                                 \
	X(BV_FACT_SECCOMP_NOTIFY, "seccomp_notify", BV_FACT_TRIED)                                 \
	X(BV_FACT_SUBREAPER, "subreaper", BV_FACT_TRIED)                                           \
	X(BV_FACT_UID, "uid", BV_FACT_READ)                                                        \
	X(BV_FACT_UNPRIVILEGED_USERNS, "unprivileged_userns_clone", BV_FACT_READ)

enum bv_fact {
#define BV_FACT_ROW(constant, name, source) constant,
	BV_FACTS(BV_FACT_ROW)
#undef BV_FACT_ROW
		BV_FACT_COUNT
};

enum bv_fact_kind {
	BV_FACT_READ,  /* cheap: read every time */
	BV_FACT_TRIED, /* by the launcher, once a boot */
};

const char *bv__fact_name(enum bv_fact fact);
enum bv_fact_kind bv__fact_kind(enum bv_fact fact);

/* The text of a fact; length 0 when the snapshot has none. */
struct bv_str bv__fact_text(const struct bv_profile_snapshot *snapshot, enum bv_fact fact);
/* Whether it is "yes". */
bool bv__fact_holds(const struct bv_profile_snapshot *snapshot, enum bv_fact fact);
/* A decimal fact; 0 where it is none. */
uint64_t bv__fact_number(const struct bv_profile_snapshot *snapshot, enum bv_fact fact);

/* ---- what the facts and the caller's choices make of a run ----------------------------------- */

/* The layers of a run: the two worlds of design.md 4, and what is in them. */
struct bv_layers {
	bool namespaces; /* a private root and everything that comes with it */
	bool netns;
	bool landlock;
	bool notify; /* denials are told to the launcher */
	bool attest; /* the host can look at the workload before it runs */
	int landlock_abi;
	bool root; /* the caller is user 0 */
	bool idmap;
	bool strict; /* the strict set of system calls was asked for */
	bool group;  /* a control group of its own, killed in one act, its processor time counted */
	bool group_memory, group_pids; /* which also bounds these */
	bool overlay; /* what is written to a granted directory can be kept apart from it */
	/* Files of the host themselves may be written to; known of a spec or a plan alone (budgets.h). */
	bool writes_host;
};

/* `execution` may be NULL. */
struct bv_layers bv__layers_of(const struct bv_profile_snapshot *snapshot,
			       const struct bv_execution_options *execution);

/* What bvisor itself cannot do without and this machine lacks, in words; NULL when nothing is missing. */
const char *bv__fact_missing(const struct bv_profile_snapshot *snapshot);

/* profile.c */
void bv__linux_profile(void *self, const struct bv_profile_snapshot *snapshot,
		       const struct bv_execution_options *execution,
		       struct bv_profile *ret_profile);
struct bv_verdict bv__linux_classify(void *self, const struct bv_requirement *requirement,
				     const struct bv_profile *profile);

#endif
