/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lint.h - told to the analyzer before each file: what a failure returns.
 *
 * It looks at one file at a time, so it believes that bv_fail might return BV_OK, and then finds
 * values unset that are set.
 */
#include "contract/base.h"

#define bv_fail(err, code, ...) ((void)bv_fail(err, code, __VA_ARGS__), (code))
#define bv_fail_remedy(err, code, ...) ((void)bv_fail_remedy(err, code, __VA_ARGS__), (code))

#ifdef BV_LINT_LINUX
#include "linux/spawn.h"
#define bv__fail_errno(err, code, ...) ((void)bv__fail_errno(err, code, __VA_ARGS__), (code))
#endif
