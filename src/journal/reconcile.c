/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "reconcile.h"

static enum bv__reconciled say(enum bv__reconciled what, const char *why, const char **ret_reason)
{
	*ret_reason = why;
	return what;
}

static enum bv__reconciled promote(const struct bv__reality *r, const char **ret_reason)
{
	if (r->failed)
		return r->target == BV_TARGET_SAME
			       ? say(BV_RECONCILE_REFUSE,
				     "its commit is recorded as failed, and it is at its destination",
				     ret_reason)
			       : BV_RECONCILE_SETTLED;
	/* What others do to it afterwards is theirs to do. */
	if (r->applied)
		return BV_RECONCILE_SETTLED;
	switch (r->target) {
	case BV_TARGET_SAME:
		return say(BV_RECONCILE_APPLIED, "it was in its place already", ret_reason);
	case BV_TARGET_OTHER:
		if (!r->replace)
			return say(BV_RECONCILE_REFUSE, "something else is at its destination",
				   ret_reason);
		break;
	case BV_TARGET_NOTHING:
	case BV_TARGET_COUNT:
		break;
	}
	return r->kept ? say(BV_RECONCILE_PROMOTE, "its commit was carried out", ret_reason)
		       : say(BV_RECONCILE_FAILED, "the kept bytes are missing", ret_reason);
}

enum bv__reconciled bv__reconcile(const struct bv__reality *r, const char **ret_reason)
{
	static const char *const nowhere[] = {
		[BV_DISPOSE_RETAIN] = "it was to be retained, and is at a destination",
		[BV_DISPOSE_DISCARD] = "it was to be discarded, and is at a destination",
		[BV_DISPOSE_REFUSE] = "it was refused, and is at a destination",
	};

	*ret_reason = "";
	if (r->decided && r->action == BV_DISPOSE_PROMOTE)
		return promote(r, ret_reason);
	/* Without a decision to commit there is no destination that it may be at. */
	if (r->target == BV_TARGET_SAME)
		return say(BV_RECONCILE_REFUSE,
			   r->decided ? nowhere[r->action]
				      : "nobody decided to commit it, and it is at a destination",
			   ret_reason);
	if (r->decided && r->action == BV_DISPOSE_DISCARD)
		return r->applied || r->failed
			       ? BV_RECONCILE_SETTLED
			       : say(BV_RECONCILE_DISCARD, "it was discarded", ret_reason);
	return r->kept ? BV_RECONCILE_SETTLED
		       : say(BV_RECONCILE_REFUSE, "the kept bytes are missing", ret_reason);
}
