/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * contract_reference.h - forms of the reference that bvisor does not use, for its vectors.
 */
#ifndef BV_CONTRACT_REFERENCE_H
#define BV_CONTRACT_REFERENCE_H

#include "contract_helpers.h"

/* CanonicalPolicy bytes (spec/contract.md 3.6.9) of any capability but the filesystem's. */
struct bv_str reference_policy(const struct bv_capability *capability);

/* How the reference prints a value for debugging (3.4): enough of it for findings. */
const char *reference_debug(const struct bv_type *type, const void *value);

/* A backend that holds launch and capture and no budget (9.1), and runs nothing. */
struct bv_backend reference_inert(void);

#endif
