/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * backends.h - the backends that confine nothing: one to compare with, one that simulates, two that
 * refuse.
 */
#ifndef BV_BACKENDS_H
#define BV_BACKENDS_H

#include "contract/backend.h"

/* Runs the program as it is and says so: what any boundary is measured against. */
extern const struct bv_backend bv_inert_backend;

/* Runs nothing and claims everything, for tests and for looking at plans.  See sim.h for lies. */
extern const struct bv_backend bv_sim_backend;

/* Hold nothing on this platform, and say that. */
extern const struct bv_backend bv_macos_backend;
extern const struct bv_backend bv_windows_backend;

#endif
