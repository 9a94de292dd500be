/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "journal_world.h"

#include <sqlite3.h>
#include <unistd.h>

#include "contract/canon.h"
#include "contract/report.h"

struct bv_error err;
struct bv_arena arena;

void new_place(void)
{
	static uint8_t memory[4 << 20];

	scratch_make();
	bv_arena_init(&arena, memory, sizeof memory);
}

struct bv_journal *open_with(unsigned int busy_ms, bool read_only)
{
	struct bv_journal *journal = NULL;

	OK(bv__journal_open(&(struct bv__journal_options){.path = scratch.path,
							  .read_only = read_only,
							  .busy_ms = busy_ms},
			    &journal, &err));
	return journal;
}

struct bv_journal *open_journal(void)
{
	return open_with(0, false);
}

struct bv_str started(const struct bv_digest *id)
{
	const struct bv_started_event event = {.plan = {.schema_version = 1,
							.backend = BV_STR("inert")},
					       .has_attempt = true,
					       .attempt = *id};

	return bv_canon_bytes(&arena, &bv_started_event_type, &event);
}

struct bv_str request(const char *key, const struct bv_host_process *host)
{
	struct bv_request_event event = {.program = BV_STR("/bin/true"),
					 .backend = BV_STR("inert"),
					 .host_version = BV_STR("0"),
					 .has_idempotency_key = key != NULL};

	bv__host_place(&arena, &event.place);
	event.host = *host;
	if (key != NULL)
		event.idempotency_key = bv_str_from(key);
	return bv_canon_bytes(&arena, &bv_request_event_type, &event);
}

struct bv_host_process here(void)
{
	return (struct bv_host_process){(uint32_t)getpid(), bv__process_start_ticks(getpid())};
}

struct bv_str report_of(const struct bv_digest *id)
{
	struct bv_report_body body = {.schema_version = 1,
				      .backend = BV_STR("inert"),
				      .profile = {.backend = BV_STR("inert")},
				      .outcome = BV_OUTCOME_COMPLETED,
				      .has_attempt = true,
				      .attempt = *id};
	struct bv_report_event event;

	OK(bv_report_seal(&arena, &body, &event.report, &err));
	return bv_canon_bytes(&arena, &bv_report_event_type, &event);
}

enum bv_code put(struct bv_journal *journal, const struct bv_digest *id, uint16_t kind,
		 struct bv_str payload, bool durable)
{
	const struct bv__entry entry = {kind, payload};
	struct bv__append append = {.attempt = *id,
				    .entries = &entry,
				    .count = 1,
				    .durable = durable};

	EXPECT(payload.data != NULL);
	return bv__journal_append(journal, &append, &err);
}

void start_attempt(struct bv_journal *journal, unsigned int number)
{
	const struct bv_digest id = attempt_id(number);
	const struct bv_host_process host = here();

	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), false));
	OK(put(journal, &id, BV_EVENT_REQUEST, request(NULL, &host), false));
}

struct bv_str bound_to(int pid)
{
	struct bv_host_process process = {(uint32_t)pid, bv__process_start_ticks(pid)};
	struct bv_bound_event event = {.processes = {&process, pid > 0}};

	bv__host_place(&arena, &event.place);
	return bv_canon_bytes(&arena, &bv_bound_event_type, &event);
}

void run_attempt(struct bv_journal *journal, unsigned int number)
{
	const struct bv_digest id = attempt_id(number);

	start_attempt(journal, number);
	OK(put(journal, &id, BV_EVENT_BOUND, bound_to(0), true));
	OK(put(journal, &id, BV_EVENT_REPORT, report_of(&id), true));
}

enum bv_code verify(const struct bv_journal *journal, struct bv__verified *ret_found)
{
	return bv__journal_verify(journal, &(struct bv__verify_options){0}, ret_found, &err);
}

uint64_t count_whole(void)
{
	struct bv_journal *journal = open_with(0, true);
	struct bv__verified found;

	OK(verify(journal, &found));
	bv__journal_close(journal);
	return found.records;
}

enum bv__attempt_state state_of(unsigned int number)
{
	struct bv_journal *journal = open_with(0, true);
	const struct bv_digest id = attempt_id(number);
	struct bv__attempt attempt;
	char hex[65];

	bv_digest_hex(&id, hex);
	OK(bv__journal_find(journal, hex, &attempt, &err));
	bv__journal_close(journal);
	return attempt.state;
}

void empty_the_log(void)
{
	sqlite3 *db = NULL;

	EXPECT(sqlite3_open(scratch.path, &db) == SQLITE_OK &&
	       sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
}
