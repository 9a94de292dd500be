/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is settled of attempts whose host is gone, and what is left alone. */
#include "journal_world.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/canon.h"

static unsigned int told;

static void count_recovered(void *context, const struct bv__recovered *recovered)
{
	(void)context;
	(void)recovered;
	told++;
}

TEST(a_live_host_is_left_alone_and_a_dead_one_is_settled_once)
{
	const struct bv_digest two = attempt_id(2), three = attempt_id(3);
	struct bv_host_process dead = {.start_ticks = 1};
	struct bv_journal *journal;
	struct bv__verified before, after;
	pid_t left = fork();

	if (left == 0) {
		for (;;)
			pause();
	}
	new_place();
	journal = open_journal();
	start_attempt(journal, 1);
	OK(put(journal, &two, BV_EVENT_STARTED, started(&two), false));
	dead.pid = (uint32_t)getpid(); /* the number is taken again, by another process */
	OK(put(journal, &two, BV_EVENT_REQUEST, request(NULL, &dead), false));
	OK(put(journal, &two, BV_EVENT_BOUND, bound_to(left), true));
	OK(put(journal, &three, BV_EVENT_STARTED, started(&three), false));
	OK(put(journal, &three, BV_EVENT_REQUEST, request(NULL, &dead), true));
	OK(bv__journal_recover(journal, count_recovered, NULL, &err));
	EXPECT_UINT(told, 2);
	EXPECT_INT(state_of(1), BV_ATTEMPT_STARTED);
	EXPECT_INT(state_of(2), BV_ATTEMPT_ROLLED_BACK);
	EXPECT_INT(state_of(3), BV_ATTEMPT_ROLLED_BACK);
	{
		int status = 0;

		EXPECT(waitpid(left, &status, 0) == left && WIFSIGNALED(status) &&
		       WTERMSIG(status) == SIGKILL);
	}
	OK(verify(journal, &before));
	OK(bv__journal_recover(journal, count_recovered, NULL, &err));
	OK(verify(journal, &after));
	EXPECT_UINT(told, 2);
	EXPECT_UINT(after.records, before.records);
	bv__journal_close(journal);
}

TEST(a_process_that_took_a_dead_ones_number_is_not_killed)
{
	const struct bv_digest id = attempt_id(2);
	struct bv_host_process dead = {(uint32_t)getpid(), 1}, other;
	struct bv_bound_event event = {.processes = {&other, 1}};
	struct bv_journal *journal;
	pid_t bystander = fork();
	int status = 0;

	if (bystander == 0) {
		for (;;)
			pause();
	}
	new_place();
	other = (struct bv_host_process){(uint32_t)bystander,
					 bv__process_start_ticks(bystander) - 1};
	bv__host_place(&arena, &event.place);
	journal = open_journal();
	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), false));
	OK(put(journal, &id, BV_EVENT_REQUEST, request(NULL, &dead), false));
	OK(put(journal, &id, BV_EVENT_BOUND, bv_canon_bytes(&arena, &bv_bound_event_type, &event),
	       true));
	OK(bv__journal_recover(journal, NULL, NULL, &err));
	EXPECT_INT(state_of(2), BV_ATTEMPT_ROLLED_BACK);
	EXPECT_INT(waitpid(bystander, &status, WNOHANG), 0);
	EXPECT(kill(bystander, SIGKILL) == 0 && waitpid(bystander, &status, 0) == bystander);
	bv__journal_close(journal);
}

/* Of two who recover at once, one comes too late: it writes nothing. */
TEST(recovery_adds_nothing_to_what_has_ended)
{
	const struct bv_digest id = attempt_id(1);
	const struct bv_recovery_intent_event intent = {.reason = BV_STR("late")};
	struct bv_journal *journal;
	uint64_t before;

	new_place();
	journal = open_journal();
	run_attempt(journal, 1);
	before = count_whole();
	FAILS(put(journal, &id, BV_EVENT_RECOVERY_INTENT,
		  bv_canon_bytes(&arena, &bv_recovery_intent_event_type, &intent), true),
	      BV_E_STATE);
	EXPECT_UINT(count_whole(), before);
	bv__journal_close(journal);
}
