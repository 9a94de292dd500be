/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.h - `bvisor-linux-launcher --probe`: tries this machine instead of asking it.
 */
#ifndef BV_LAUNCHER_PROBE_H
#define BV_LAUNCHER_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "linux/sys.h"

/*
 * Tries every mechanism the backend may count on, each in a process thrown away afterwards, and
 * writes the canonical struct bv_probe_facts to descriptor 1.  A fact is "yes", or "no: " and the
 * step that failed with its error.  Returns the launcher's exit code.
 */
int bv_launcher_probe(void);

/* ---- shared by probe*.c ---------------------------------------------------------------------- */

enum {
	PROBE_STEP_SIZE = 64,
	PROBE_TIMEOUT_MS = 3000,
	PROBE_INSIDE_ID = 1000,
	PROBE_NAMESPACES = BV_CLONE_NEWUSER | BV_CLONE_NEWNS | BV_CLONE_NEWPID | BV_CLONE_NEWIPC |
			   BV_CLONE_NEWUTS | BV_CLONE_NEWCGROUP,
};

/* What a try says: NULL when it worked, else the step that failed, with errno. */
typedef const char *probe_fn(void);

struct probe_result {
	int sys_errno;
	char step[PROBE_STEP_SIZE]; /* empty: it worked */
};

/* Written to `fd` by the process that is thrown away, with errno; NULL: it worked. */
void probe_report(int fd, const char *step);
/* Reads what a thrown away process says; one that dies, hangs or says nothing has failed. */
void probe_collect(int fd, pid_t pid, struct probe_result *ret_result);

/* Runs `inside` in new namespaces, after its ids are mapped, and passes on what it says. */
const char *probe_in_namespaces(uint64_t flags, bool ids, probe_fn *inside);
int probe_new_fs(const char *type, unsigned int attributes);
/* A user namespace that maps owner 0 to the private id, held by descriptor; and what is mapped by it. */
const char *probe_make_idmap(int *ret_userns);
const char *probe_map_owner(int tree, int userns);

/* probe_calls.c */
probe_fn probe_attest, probe_cgroup_join, probe_clone3, probe_close_range, probe_landlock,
	probe_memfd_seals, probe_openat2, probe_pidfd, probe_seccomp, probe_seccomp_notify,
	probe_subreaper;
/* probe_namespaces.c */
probe_fn probe_idmap, probe_idmap_tmpfs, probe_memfd_noexec, probe_namespaces, probe_netns,
	probe_nproc;
/* probe_overlay.c: whether what is written to a directory can be kept apart from it. */
probe_fn probe_overlay;

#endif
