/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* backend.h - the backend that confines native programs on Linux. */
#ifndef BV_LINUX_BACKEND_H
#define BV_LINUX_BACKEND_H

#include "contract/backend.h"

const struct bv_backend *bv__backend_linux(void);

#endif
