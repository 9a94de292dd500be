/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.h - what this machine is and can do, as text for the snapshot.
 */
#ifndef BV_LINUX_PROBE_H
#define BV_LINUX_PROBE_H

#include <limits.h>

#include "contract/backend.h"

/* Where what was tried is remembered between processes; false where there is no good place. */
bool bv__probe_directory(char ret_path[PATH_MAX]);

/* The probe of struct bv_backend. */
enum bv_code bv__linux_probe(void *self, struct bv_arena *arena,
			     struct bv_profile_snapshot *ret_snapshot, struct bv_error *err);

/*
 * What the launcher found when it tried, remembered under `key`: whatever the findings could depend
 * on is digested into it.  Both are best effort; a file that is not ours, damaged or of another key
 * is as good as none.  `directory` is made where it is missing.
 */
struct bv_probe_memory {
	struct bv_digest key;
	struct bv_digest launcher;
	uint8_t facts[4096]; /* canonical struct bv_probe_facts */
	size_t facts_bytes;
};

bool bv__probe_recall(const char *directory, const struct bv_digest *key,
		      struct bv_probe_memory *ret_memory);
void bv__probe_remember(const char *directory, const struct bv_probe_memory *memory);

#endif
