/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * reconcile.h - what is right for an artifact, given what was recorded and what is there: pure.
 *
 * The table of spec/wasm-sim-host.md 3.4 as 3.5 corrects it: lost bytes are seen, what failed is not
 * believed where the bytes are at their destination, and a change after the end is not undone.
 */
#ifndef BV_JOURNAL_RECONCILE_H
#define BV_JOURNAL_RECONCILE_H

#include "contract/types.h"

enum bv__at_target { BV_TARGET_NOTHING, BV_TARGET_SAME, BV_TARGET_OTHER, BV_TARGET_COUNT };

struct bv__reality {
	bool decided; /* else `action` means nothing */
	enum bv_disposition_action action;
	bool applied, failed; /* what was recorded of that decision */
	bool kept;            /* the bytes are there, and what they were */
	enum bv__at_target target;
	bool replace; /* whatever was at the target was to give way */
};

enum bv__reconciled {
	BV_RECONCILE_SETTLED, /* nothing to do */
	BV_RECONCILE_PROMOTE, /* carry the commit out */
	BV_RECONCILE_APPLIED, /* it was carried out: say so */
	BV_RECONCILE_DISCARD, /* remove, and say so */
	BV_RECONCILE_FAILED,  /* it cannot be carried out: say so */
	BV_RECONCILE_REFUSE,  /* a person has to look */
};

enum bv__reconciled bv__reconcile(const struct bv__reality *reality, const char **ret_reason);

#endif
