/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.h - `bvisor-linux-launcher --probe`: tries this machine instead of asking it.
 */
#ifndef BV_LAUNCHER_PROBE_H
#define BV_LAUNCHER_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "linux/sys.h"

/*
 * Tries every mechanism the backend may count on, each in a process thrown away afterwards, and
 * writes the canonical struct bv_probe_facts to descriptor 1.  A fact is "yes", or "no: " and the
 * step that failed with its error.  Returns the launcher's exit code.
 */
int bv_launcher_probe(void);

/* ---- shared by probe*.c ---------------------------------------------------------------------- */

enum {
	PROBE_INSIDE_ID = 1000,
	PROBE_NAMESPACES = BV_CLONE_NEWUSER | BV_CLONE_NEWNS | BV_CLONE_NEWPID | BV_CLONE_NEWIPC |
			   BV_CLONE_NEWUTS | BV_CLONE_NEWCGROUP,
};

/* What a try says: NULL when it worked, else the step that failed, with errno. */
typedef const char *probe_fn(void);

/* Runs `inside` in new namespaces, after its ids are mapped, and passes on what it says. */
const char *probe_in_namespaces(uint64_t flags, bool ids, probe_fn *inside);
int probe_new_fs(const char *type, unsigned int attributes);
/* A user namespace that maps owner 0 to the private id, held by descriptor; and what is mapped by it. */
const char *probe_make_idmap(int *ret_userns);
const char *probe_map_owner(int tree, int userns);

/* probe_overlay.c: whether what is written to a directory can be kept apart from it. */
const char *probe_overlay(void);

#endif
