/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What recovery makes of an artifact, for every combination of what was recorded and what is there. */
#include "test.h"

#include "journal/reconcile.h"

/* Written from spec/wasm-sim-host.md 3.5 alone, as sentences about what has to hold. */
static bool is_right(const struct bv__reality *r, enum bv__reconciled verdict)
{
	const bool commits = r->decided && r->action == BV_DISPOSE_PROMOTE;
	const bool open = !r->applied && !r->failed;

	if (r->target == BV_TARGET_SAME && (!commits || r->failed))
		return verdict == BV_RECONCILE_REFUSE; /* I-3, R-3, R-6 */
	if (commits && !open)
		return verdict == BV_RECONCILE_SETTLED; /* 10, 10', 13 */
	if (commits && r->target == BV_TARGET_SAME)
		return verdict == BV_RECONCILE_APPLIED; /* 9, 9' */
	if (commits && r->target == BV_TARGET_OTHER && !r->replace)
		return verdict == BV_RECONCILE_REFUSE; /* I-4 */
	if (commits)
		return verdict ==
		       (r->kept ? BV_RECONCILE_PROMOTE : BV_RECONCILE_FAILED); /* 8, 8' */
	if (r->decided && r->action == BV_DISPOSE_DISCARD)
		return verdict == (open ? BV_RECONCILE_DISCARD : BV_RECONCILE_SETTLED); /* 11 */
	return verdict == (r->kept ? BV_RECONCILE_SETTLED : BV_RECONCILE_REFUSE);       /* 7', 12 */
}

TEST(reconciliation_is_right_for_every_combination)
{
	unsigned int rows = 0;

	for (unsigned int bits = 0; bits < 5 * 2 * 2 * 2 * 2 * BV_TARGET_COUNT; bits++) {
		unsigned int rest = bits;
		struct bv__reality r = {.decided = rest % 5 != 4,
					.action = (enum bv_disposition_action)(rest % 5 % 4)};
		const char *why;

		rest /= 5;
		r.applied = rest % 2;
		r.failed = rest / 2 % 2;
		r.kept = rest / 4 % 2;
		r.replace = rest / 8 % 2;
		r.target = (enum bv__at_target)(rest / 16);
		EXPECT_THAT(is_right(&r, bv__reconcile(&r, &why)),
			    "row %u: decided %d action %d applied %d failed %d kept %d replace %d "
			    "target %d gives %d",
			    bits, r.decided, r.action, r.applied, r.failed, r.kept, r.replace,
			    r.target, bv__reconcile(&r, &why));
		rows++;
	}
	EXPECT_UINT(rows, 240);
}
