/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * places.c - what this machine can hold, bvisor can hold on it, and says so; and the other way round.
 *
 * The other tests leave out places that this machine cannot hold.  Here each of them is one test, so
 * that it is counted what was left out, and why; and that bvisor neither refuses without need nor
 * goes on where it must not.
 */
#include <string.h>

#include "confine.h"

static struct bv_support *look(void)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_support *support = NULL;

	EXPECT_THAT(bv_support_probe("linux", NULL, &support, &err) == BV_OK, "%s: %s", err.where,
		    err.message);
	return support;
}

static void runs_here(const struct place *place)
{
	struct ran ran = run_guest(place, "exit", "7", NULL);

	EXPECT_STR(ran.outcome, "Failed");
	EXPECT_INT(ran.number, 7);
}

static void is_refused_by_name(const struct place *place)
{
	struct bv_spec *spec = guest_spec(place, "exit", "7", NULL);
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;

	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_UNSUPPORTED);
	EXPECT(why.message[0] != '\0' && why.remedy[0] != '\0');
}

/* Without namespaces a private temporary directory cannot be; what else is missing has its reason too. */
static void degrades_by_name(const struct place *place)
{
	struct bv_support *support = look();
	bool found = false;

	(void)place;
	for (size_t i = 0; i < bv_support_row_count(support); i++) {
		const struct bv_support_row row = bv_support_row(support, i);

		/* Budgets have no reasons in the table, only in a refusal. */
		if (strcmp(row.verdict, "Enforced") != 0 &&
		    strncmp(row.requirement, "Budget", 6) != 0)
			EXPECT_THAT(row.reason[0] != '\0' && row.remedy[0] != '\0',
				    "%s is %s, and nothing says why or what to do", row.requirement,
				    row.verdict);
		if (strcmp(row.requirement, "TempRoot") == 0)
			found = strcmp(row.verdict, "Unsupported") == 0;
	}
	EXPECT(found);
}

static void look_at(const struct place *place)
{
	const char *lack = place_lacks(place->bare);

	if (lack == NULL) {
		runs_here(place);
		return;
	}
	if (place->bare)
		is_refused_by_name(place);
	else
		degrades_by_name(place);
	SKIP(lack);
}

TEST(root_with_namespaces)
{
	in_one_place(false, false, look_at);
}

TEST(root_without_namespaces)
{
	in_one_place(false, true, look_at);
}

TEST(a_user_with_namespaces)
{
	in_one_place(true, false, look_at);
}

TEST(a_user_without_namespaces)
{
	in_one_place(true, true, look_at);
}
