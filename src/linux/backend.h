/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* backend.h - the backend that confines native programs on Linux. */
#ifndef BV_LINUX_BACKEND_H
#define BV_LINUX_BACKEND_H

#include "contract/backend.h"

const struct bv_backend *bv__backend_linux(void);

/* Whether such a run could start now, as far as that is known without starting anything. */
enum bv_code bv__run_check(const struct bv_boundary_plan *plan,
			   const struct bv_backend_options *options, struct bv_error *err);

#endif
