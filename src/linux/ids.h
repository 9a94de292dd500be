/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * ids.h - user and group ids that belong to nobody.
 */
#ifndef BV_LINUX_IDS_H
#define BV_LINUX_IDS_H

#include "contract/base.h"

/* The same numbers serve as user and as group ids. */
struct bv_id_range {
	uint32_t first;
	uint32_t count;
};

/*
 * The ids a root caller may give to boundaries: mapped in this user namespace, never 0, and above
 * what accounts and containers use where the map reaches that far.  False where there are none, as
 * for a "root" that is mapped alone.
 */
bool bv__private_ids(struct bv_id_range *ret_range);

/* "FIRST-LAST", as a snapshot has it.  False for any other text. */
bool bv__private_ids_of(struct bv_str text, struct bv_id_range *ret_range);

/* The same from the text of a uid_map or gid_map. */
bool bv__private_ids_in(const char *map, struct bv_id_range *ret_range);

#endif
