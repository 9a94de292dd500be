/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.h - `bvisor-linux-launcher --probe`: tries this machine instead of asking it.
 */
#ifndef BV_LAUNCHER_PROBE_H
#define BV_LAUNCHER_PROBE_H

/*
 * Tries every mechanism the backend may count on, each in a process thrown away afterwards, and
 * writes the canonical struct bv_probe_facts to descriptor 1.  A fact is "yes", or "no: " and the
 * step that failed with its error.  Returns the launcher's exit code.
 */
int bv_launcher_probe(void);

#endif
