/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Who writes at once: locks, threads, processes. */
#include "journal_world.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "journal_faults.h"

TEST(a_locked_journal_is_busy_and_says_so)
{
	struct bv_journal *journal;
	sqlite3 *other = NULL;
	const struct bv_digest id = attempt_id(1);

	new_place();
	journal = open_with(100, false);
	run_attempt(journal, 7);
	EXPECT(sqlite3_open(scratch.path, &other) == SQLITE_OK);
	EXPECT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
	FAILS(put(journal, &id, BV_EVENT_STARTED, started(&id), true), BV_E_BUSY);
	EXPECT(err.remedy[0] != '\0');
	/* Readers do not wait. */
	EXPECT_UINT(count_whole(), 5);
	EXPECT(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
	EXPECT(sqlite3_close(other) == SQLITE_OK);
	/* And it is no poison. */
	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), true));
	bv__journal_close(journal);
}

enum { THREADS = 8, EACH = 10 };
static struct bv_journal *shared;

static void *run_many(void *first)
{
	static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

	for (unsigned int i = 0; i < EACH; i++) {
		const struct bv_digest id = attempt_id(*(unsigned int *)first + i);
		struct bv_str texts[2];

		pthread_mutex_lock(&making);
		texts[0] = started(&id);
		texts[1] = report_of(&id);
		pthread_mutex_unlock(&making);
		if (put(shared, &id, BV_EVENT_STARTED, texts[0], true) != BV_OK ||
		    put(shared, &id, BV_EVENT_REPORT, texts[1], true) != BV_OK)
			return first;
	}
	return NULL;
}

TEST(threads_that_write_at_once_share_a_sync)
{
	unsigned int first[THREADS];
	pthread_t threads[THREADS];
	unsigned long before;

	new_place();
	shared = open_journal();
	before = faults.syncs;
	/* However fast this disk is: others come while one is on its way. */
	faults.sync_us = 5000;
	for (unsigned int i = 0; i < THREADS; i++) {
		first[i] = 1 + i * EACH;
		EXPECT(pthread_create(&threads[i], NULL, run_many, &first[i]) == 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		void *failed = &failed;

		EXPECT(pthread_join(threads[i], &failed) == 0 && failed == NULL);
	}
	fprintf(stderr, "%d appends, %lu syncs\n", THREADS * EACH * 2, faults.syncs - before);
	EXPECT(faults.syncs - before < THREADS * EACH);
	bv__journal_close(shared);
	EXPECT(count_whole() >= THREADS * EACH * 2);
}

TEST_WITHIN(processes_that_write_at_once_lose_nothing, 120)
{
	pid_t children[4];

	new_place();
	bv__journal_close(open_journal());
	for (unsigned int i = 0; i < 4; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct bv_journal *journal = open_journal();

			for (unsigned int j = 0; j < 10; j++)
				run_attempt(journal, 1000 * (i + 1) + j);
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		int status = -1;

		EXPECT(waitpid(children[i], &status, 0) == children[i] && status == 0);
	}
	EXPECT_UINT(count_whole(), 4 * 10 * 5);
}
