/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* guest_use.h - the guest uses things up: processor time and memory, in every way there is. */
#ifndef BV_TEST_GUEST_USE_H
#define BV_TEST_GUEST_USE_H

#include <stdbool.h>

/* False for a verb that is none of these.  Those that burn do not end by themselves. */
bool do_use(const char *verb, const char *word);
bool do_use_at(const char *verb, const char *word, const char *other);

#endif
