/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * runtime.h - the host files that ordinary programs need in order to start at all.
 */
#ifndef BV_LINUX_RUNTIME_H
#define BV_LINUX_RUNTIME_H

#include "grants.h"

/* Adds the set; what the host does not have is left out.  False when the arena is full. */
bool bv__runtime_add(struct bv_grants *grants, enum bv_runtime_set set);

/* The few device nodes and links of a /dev; `terminal` adds /dev/tty. */
bool bv__devices_add(struct bv_grants *grants, bool terminal);

#endif
