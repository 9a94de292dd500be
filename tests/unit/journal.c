/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The journal from inside: the chain, what may follow what, what shows, and what a failing disk does. */
#include "codes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/canon.h"
#include "contract/report.h"
#include "journal/journal.h"
#include "journal_faults.h"

static struct bv_error err;
static char dir[64], path[96];
static uint8_t memory[4 << 20];
static struct bv_arena arena;

/* ---- a journal and things to put into it ------------------------------------------------------ */

static void remove_all(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", dir);
	(void)!system(command); /* what is left lies in /tmp */
}

static void new_directory(void)
{
	(void)snprintf(dir, sizeof dir, "/tmp/bvisor-journal.XXXXXX");
	EXPECT(mkdtemp(dir) != NULL);
	(void)snprintf(path, sizeof path, "%s/j.db", dir);
	(void)atexit(remove_all);
	bv_arena_init(&arena, memory, sizeof memory);
}

static struct bv_journal *open_with(unsigned int busy_ms, bool read_only)
{
	struct bv_journal *journal = NULL;

	OK(bv__journal_open(&(struct bv__journal_options){.path = path,
							  .read_only = read_only,
							  .busy_ms = busy_ms},
			    &journal, &err));
	return journal;
}

static struct bv_journal *open_journal(void)
{
	return open_with(0, false);
}

static struct bv_digest digest_of(unsigned int number)
{
	struct bv_digest digest = {{0}};

	memcpy(digest.bytes, &number, sizeof number);
	digest.bytes[31] = 1;
	return digest;
}

static struct bv_str started(const struct bv_digest *id)
{
	const struct bv_started_event event = {.plan = {.schema_version = 1,
							.backend = BV_STR("inert")},
					       .has_attempt = true,
					       .attempt = *id};

	return bv_canon_bytes(&arena, &bv_started_event_type, &event);
}

static struct bv_str request(const char *key, const struct bv_host_process *host)
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

static struct bv_host_process here(void)
{
	return (struct bv_host_process){(uint32_t)getpid(), bv__process_start_ticks(getpid())};
}

static struct bv_str report_of(const struct bv_digest *id)
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

static enum bv_code put(struct bv_journal *journal, const struct bv_digest *id, uint16_t kind,
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

static void start_attempt(struct bv_journal *journal, unsigned int number)
{
	const struct bv_digest id = digest_of(number);
	const struct bv_host_process host = here();

	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), false));
	OK(put(journal, &id, BV_EVENT_REQUEST, request(NULL, &host), false));
}

static struct bv_str bound_to(int pid)
{
	struct bv_host_process process = {(uint32_t)pid, bv__process_start_ticks(pid)};
	struct bv_bound_event event = {.processes = {&process, pid > 0}};

	bv__host_place(&arena, &event.place);
	return bv_canon_bytes(&arena, &bv_bound_event_type, &event);
}

static void run_attempt(struct bv_journal *journal, unsigned int number)
{
	const struct bv_digest id = digest_of(number);

	start_attempt(journal, number);
	OK(put(journal, &id, BV_EVENT_BOUND, bound_to(0), true));
	OK(put(journal, &id, BV_EVENT_REPORT, report_of(&id), true));
}

static enum bv_code verify(const struct bv_journal *journal, struct bv__verified *ret_found)
{
	return bv__journal_verify(journal, &(struct bv__verify_options){0}, ret_found, &err);
}

static uint64_t count_whole(void)
{
	struct bv_journal *journal = open_with(0, true);
	struct bv__verified found;

	OK(verify(journal, &found));
	bv__journal_close(journal);
	return found.records;
}

static enum bv__attempt_state state_of(unsigned int number)
{
	struct bv_journal *journal = open_with(0, true);
	const struct bv_digest id = digest_of(number);
	struct bv__attempt attempt;
	char hex[65];

	bv_digest_hex(&id, hex);
	OK(bv__journal_find(journal, hex, &attempt, &err));
	bv__journal_close(journal);
	return attempt.state;
}

/* ---- the chain -------------------------------------------------------------------------------- */

TEST(the_chain_is_what_the_format_says)
{
	const uint8_t store[BV_STORE_BYTES] = {1, 2,  3,  4,  5,  6,  7,  8,
					       9, 10, 11, 12, 13, 14, 15, 16};
	struct bv__record record = {.seq = 0x0102030405060708,
				    .attempt = digest_of(5),
				    .kind = 0xe002,
				    .version = 1,
				    .at_us = 0x1112131415161718,
				    .payload_digest = digest_of(6)};
	uint8_t preimage[18 + 16 + 8 + 32 + 2 + 2 + 8 + 32 + 32] = "bvisor.journal.v1";
	static const uint8_t numbers[] = {1, 2, 3, 4, 5, 6, 7, 8},
			     times[] = {0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18};
	struct bv_digest hash, expected;

	bv__chain_genesis(store, &record.prev);
	memcpy(preimage + 18, store, 16);
	bv_hash_bytes(preimage, 34, &expected);
	EXPECT(bv_digest_equal(&record.prev, &expected));
	memcpy(preimage + 34, numbers, 8);
	memcpy(preimage + 42, record.attempt.bytes, 32);
	memcpy(preimage + 74, "\xe0\x02\x00\x01", 4);
	memcpy(preimage + 78, times, 8);
	memcpy(preimage + 86, record.payload_digest.bytes, 32);
	memcpy(preimage + 118, record.prev.bytes, 32);
	bv_hash_bytes(preimage, sizeof preimage, &expected);
	bv__chain_hash(store, &record, &hash);
	EXPECT(bv_digest_equal(&hash, &expected));
}

TEST(records_survive_reopening_and_verify)
{
	struct bv__verified found;
	struct bv_journal *journal;

	new_directory();
	for (unsigned int i = 1; i <= 3; i++) {
		journal = open_journal();
		run_attempt(journal, i);
		bv__journal_close(journal);
	}
	journal = open_journal();
	OK(verify(journal, &found));
	EXPECT_UINT(found.records, 15);
	EXPECT_UINT(found.attempts, 3);
	EXPECT_UINT(found.anchors, 3);
	EXPECT_UINT(found.anchored_seq, 14);
	bv__journal_close(journal);
	EXPECT_INT(state_of(2), BV_ATTEMPT_REPORTED);
}

TEST(an_attempt_has_one_start_one_report_and_one_end)
{
	const struct bv_digest one = digest_of(1), two = digest_of(2);
	struct bv_journal *journal;
	struct bv_recovery_event verdict = {.classification = BV_RECOVERY_ROLLED_BACK};
	struct bv_str rolled_back;

	new_directory();
	rolled_back = bv_canon_bytes(&arena, &bv_recovery_event_type, &verdict);
	journal = open_journal();
	FAILS(put(journal, &one, BV_EVENT_REPORT, report_of(&one), true), BV_E_STATE);
	FAILS(put(journal, &one, BV_EVENT_BOUND, bound_to(0), true), BV_E_STATE);
	start_attempt(journal, 1);
	FAILS(put(journal, &one, BV_EVENT_STARTED, started(&one), true), BV_E_STATE);
	OK(put(journal, &one, BV_EVENT_BOUND, bound_to(0), true));
	FAILS(put(journal, &one, BV_EVENT_BOUND, bound_to(0), true), BV_E_STATE);
	OK(put(journal, &one, BV_EVENT_REPORT, report_of(&one), true));
	FAILS(put(journal, &one, BV_EVENT_REPORT, report_of(&one), true), BV_E_STATE);
	FAILS(put(journal, &one, BV_EVENT_RECOVERY, rolled_back, true), BV_E_STATE);
	start_attempt(journal, 2);
	OK(put(journal, &two, BV_EVENT_RECOVERY, rolled_back, true));
	FAILS(put(journal, &two, BV_EVENT_REPORT, report_of(&two), true), BV_E_STATE);
	FAILS(put(journal, &two, BV_EVENT_RECOVERY, rolled_back, true), BV_E_STATE);
	bv__journal_close(journal);
	/* What was refused left nothing. */
	EXPECT_UINT(count_whole(), 5 + 4);
}

/* ---- what shows ------------------------------------------------------------------------------- */

static void alter(const char *sql)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	EXPECT(sqlite3_open(path, &db) == SQLITE_OK);
	EXPECT_THAT(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql,
		    message);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
}

static bool alters(const char *sql)
{
	sqlite3 *db = NULL;
	bool done;

	EXPECT(sqlite3_open(path, &db) == SQLITE_OK);
	done = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	return done;
}

static void copy_journal(const char *from, const char *to)
{
	char command[320];

	(void)snprintf(command, sizeof command,
		       "cd %s && rm -f %s-wal %s-shm && for s in '' -wal; do [ ! -e %s$s ] || cp "
		       "%s$s %s$s; done",
		       dir, to, to, from, from, to);
	EXPECT_INT(system(command), 0);
}

TEST(records_cannot_be_changed_or_deleted_by_statement)
{
	struct bv_journal *journal;

	new_directory();
	journal = open_journal();
	run_attempt(journal, 1);
	bv__journal_close(journal);
	EXPECT(!alters("DELETE FROM event WHERE seq=2"));
	EXPECT(!alters("UPDATE event SET at_us=1 WHERE seq=2"));
	EXPECT(!alters("UPDATE event SET payload=x'00' WHERE seq=2"));
	EXPECT(!alters("INSERT INTO event SELECT seq+100, attempt, kind, version, at_us, payload,"
		       " payload_digest, prev, hash FROM event WHERE kind=57346"));
	/* The control: contents may go. */
	EXPECT(alters("UPDATE event SET payload=NULL WHERE seq=2"));
}

/* Each is done to a copy of a whole journal of 15 records whose triggers are gone. */
static const struct {
	const char *what, *sql;
} alterations[] = {
	{"a bit of the contents",
	 "UPDATE event SET payload=CAST(substr(payload,1,20)||x'00'||substr(payload,22) AS BLOB) WHERE seq=4"},
	{"contents and digest",
	 "UPDATE event SET payload=x'80', payload_digest=x'0000000000000000000000000000000000000000000000000000000000000000' WHERE seq=2"},
	{"the attempt", "UPDATE event SET attempt=zeroblob(32) WHERE seq=2"},
	{"the kind", "UPDATE event SET kind=57605 WHERE seq=3"},
	{"the version", "UPDATE event SET version=2 WHERE seq=3"},
	{"the time", "UPDATE event SET at_us=at_us+1 WHERE seq=3"},
	{"the digest", "UPDATE event SET payload_digest=zeroblob(32) WHERE seq=3"},
	{"the link", "UPDATE event SET prev=zeroblob(32) WHERE seq=3"},
	{"the hash", "UPDATE event SET hash=zeroblob(32) WHERE seq=3"},
	{"a record left out", "DELETE FROM event WHERE seq=7"},
	{"a record left out and the rest moved up",
	 "DELETE FROM event WHERE seq=7; UPDATE event SET seq=seq-1 WHERE seq>7"},
	{"the first record left out", "DELETE FROM event WHERE seq=1"},
	{"two records swapped",
	 "UPDATE event SET seq=1000 WHERE seq=4; UPDATE event SET seq=4 WHERE seq=5; UPDATE event SET seq=5 WHERE seq=1000"},
	{"a record twice",
	 "DROP INDEX event_once; INSERT INTO event SELECT 16, attempt, kind, version, at_us, payload, payload_digest, prev, hash FROM event WHERE seq=9"},
	{"a record put in between",
	 "DROP INDEX event_once; UPDATE event SET seq=seq+1000 WHERE seq>4; UPDATE event SET seq=seq-999 WHERE seq>1000; INSERT INTO event SELECT 5, attempt, kind, version, at_us, payload, payload_digest, prev, hash FROM event WHERE seq=15"},
	{"an attempt's outcome in the table", "UPDATE attempt SET outcome=2 WHERE seq=1"},
	{"an attempt's program in the table",
	 "UPDATE attempt SET program='/bin/false' WHERE seq=1"},
	{"an attempt left out of the table", "DELETE FROM attempt WHERE seq=6"},
	{"an attempt too many in the table",
	 "INSERT INTO attempt SELECT randomblob(32), 99, 0, 0, 2, 0, 0, 0, 'x', NULL, plan_id, request FROM attempt WHERE seq=1"},
	{"another store", "UPDATE meta SET value=randomblob(16)"},
};

TEST(no_alteration_goes_unseen)
{
	struct bv_journal *journal;
	struct bv__verified found;

	new_directory();
	journal = open_journal();
	for (unsigned int i = 1; i <= 3; i++)
		run_attempt(journal, i);
	bv__journal_close(journal);
	alter("DROP TRIGGER event_kept; DROP TRIGGER event_unchanged");
	copy_journal("j.db", "whole.db");
	/* The control: as it is, it verifies. */
	EXPECT_UINT(count_whole(), 15);
	for (size_t i = 0; i < sizeof alterations / sizeof *alterations; i++) {
		copy_journal("whole.db", "j.db");
		alter(alterations[i].sql);
		journal = open_with(0, true);
		EXPECT_THAT(verify(journal, &found) == BV_E_INTEGRITY, "%s went unseen (%s)",
			    alterations[i].what, bv_code_name(err.code));
		bv__journal_close(journal);
	}
}

/* Without the key, records can be cut off or the journal put back; an anchor elsewhere shows both. */
TEST(what_was_cut_off_shows_with_an_anchor_kept_elsewhere_alone)
{
	struct bv__verify_options with = {.anchor_seq = 14};
	struct bv_journal *journal;
	struct bv__verified found;

	new_directory();
	journal = open_journal();
	for (unsigned int i = 1; i <= 3; i++)
		run_attempt(journal, i);
	OK(verify(journal, &found));
	bv__journal_close(journal);
	EXPECT_UINT(found.anchored_seq, 14);
	{
		sqlite3 *db = NULL;
		sqlite3_stmt *row = NULL;

		EXPECT(sqlite3_open(path, &db) == SQLITE_OK &&
		       sqlite3_prepare_v2(db, "SELECT hash FROM event WHERE seq=14", -1, &row,
					  NULL) == SQLITE_OK &&
		       sqlite3_step(row) == SQLITE_ROW);
		memcpy(with.anchor_hash.bytes, sqlite3_column_blob(row, 0), 32);
		sqlite3_finalize(row);
		sqlite3_close(db);
	}
	journal = open_with(0, true);
	OK(bv__journal_verify(journal, &with, &found, &err));
	bv__journal_close(journal);
	alter("DROP TRIGGER event_kept; DELETE FROM event WHERE seq>10;"
	      "DELETE FROM attempt WHERE seq>10");
	journal = open_with(0, true);
	OK(verify(journal, &found));
	FAILS(bv__journal_verify(journal, &with, &found, &err), BV_E_INTEGRITY);
	bv__journal_close(journal);
}

TEST(a_signature_by_another_key_or_over_another_head_does_not_hold)
{
	const uint8_t store[BV_STORE_BYTES] = {9}, other[BV_STORE_BYTES] = {8};
	struct bv_digest head = digest_of(1), wanted;
	struct bv__signer signer = {0}, forger = {0};
	struct bv_anchor_event anchor, forged;
	struct bv_digest *half;
	char key[128];

	new_directory();
	(void)snprintf(key, sizeof key, "%s/a.key", dir);
	OK(bv__signer_load(key, &signer, &err));
	wanted = signer.public_key;
	OK(bv__signer_load(key, &signer, &err));
	EXPECT(bv_digest_equal(&wanted, &signer.public_key));
	(void)snprintf(key, sizeof key, "%s/b.key", dir);
	OK(bv__signer_load(key, &forger, &err));
	bv__anchor_sign(&signer, store, 7, 8, &head, &anchor);
	EXPECT(bv__anchor_holds(store, 7, 8, &anchor));
	EXPECT(!bv__anchor_holds(other, 7, 8, &anchor));
	EXPECT(!bv__anchor_holds(store, 6, 8, &anchor));
	EXPECT(!bv__anchor_holds(store, 7, 9, &anchor));
	bv__anchor_sign(&forger, store, 7, 8, &head, &forged);
	forged.public_key = signer.public_key;
	EXPECT(!bv__anchor_holds(store, 7, 8, &forged));
	for (int bit = 0; bit < 512; bit++) {
		forged = anchor;
		half = bit < 256 ? &forged.signature_r : &forged.signature_s;
		half->bytes[bit / 8 % 32] ^= (uint8_t)(1 << bit % 8);
		EXPECT(!bv__anchor_holds(store, 7, 8, &forged));
	}
}

static enum bv_code hash_record(void *context, const struct bv__record *record,
				struct bv_error *unused)
{
	struct bv_hash *hash = context;

	(void)unused;
	bv_hash_update(hash, record->hash.bytes, 32);
	if (record->payload != NULL)
		bv_hash_update(hash, record->payload, record->payload_bytes);
	return BV_OK;
}

/* What a reader of the journal is shown. */
static bool shown(struct bv_digest *ret_digest, bool *ret_verified)
{
	struct bv_journal *journal = NULL;
	struct bv__verified found;
	struct bv_hash hash;
	bool read;

	*ret_verified = false;
	if (bv__journal_open(&(struct bv__journal_options){.path = path, .read_only = true},
			     &journal, &err) != BV_OK)
		return false;
	bv_hash_init(&hash);
	read = bv__journal_records(journal, NULL, 0, 0, hash_record, &hash, &err) == BV_OK;
	bv_hash_final(&hash, ret_digest);
	*ret_verified = verify(journal, &found) == BV_OK;
	bv__journal_close(journal);
	return read;
}

/* Every so many bits of the file: either it shows, or nothing that is read has changed. */
TEST_WITHIN(no_flipped_bit_changes_what_is_shown_unseen, 300)
{
	const char *few = getenv("BVISOR_ALL_BITS");
	const size_t step = few ? 64 + 1 : 8 * 256 + 1;
	struct bv_digest whole, now;
	struct bv_journal *journal;
	bool verified;
	size_t seen = 0, harmless = 0;
	uint8_t byte;
	struct stat st;
	int fd;

	new_directory();
	journal = open_journal();
	for (unsigned int i = 1; i <= 3; i++)
		run_attempt(journal, i);
	bv__journal_close(journal);
	alter("PRAGMA wal_checkpoint(TRUNCATE)");
	EXPECT(shown(&whole, &verified) && verified);
	fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT(fd >= 0 && fstat(fd, &st) == 0);
	for (size_t bit = 0; bit < (size_t)st.st_size * 8; bit += step) {
		EXPECT(pread(fd, &byte, 1, (off_t)(bit / 8)) == 1);
		byte ^= (uint8_t)(1 << bit % 8);
		EXPECT(pwrite(fd, &byte, 1, (off_t)(bit / 8)) == 1);
		if (!shown(&now, &verified) || !verified)
			seen++;
		else if (bv_digest_equal(&now, &whole))
			harmless++;
		else
			test_fail(__FILE__, __LINE__, "bit %zu changed what is shown, unseen", bit);
		byte ^= (uint8_t)(1 << bit % 8);
		EXPECT(pwrite(fd, &byte, 1, (off_t)(bit / 8)) == 1);
	}
	close(fd);
	EXPECT(shown(&now, &verified) && verified && bv_digest_equal(&now, &whole));
	fprintf(stderr, "%zu flips seen, %zu of what nothing reads\n", seen, harmless);
	EXPECT(seen > harmless / 4 && seen > 10);
}

/* ---- writers ---------------------------------------------------------------------------------- */

TEST(a_locked_journal_is_busy_and_says_so)
{
	struct bv_journal *journal;
	sqlite3 *other = NULL;
	const struct bv_digest id = digest_of(1);

	new_directory();
	journal = open_with(100, false);
	run_attempt(journal, 7);
	EXPECT(sqlite3_open(path, &other) == SQLITE_OK);
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
		const struct bv_digest id = digest_of(*(unsigned int *)first + i);
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

	new_directory();
	shared = open_journal();
	before = faults.syncs;
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

	new_directory();
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

/* ---- a disk that fails ------------------------------------------------------------------------ */

TEST(after_a_failed_sync_nothing_is_called_durable)
{
	const struct bv_digest one = digest_of(1), two = digest_of(2);
	struct bv_journal *journal;

	new_directory();
	journal = open_journal();
	run_attempt(journal, 9);
	faults.fail_sync_errno = EIO;
	FAILS(put(journal, &one, BV_EVENT_STARTED, started(&one), true), BV_E_JOURNAL);
	faults.fail_sync_errno = 0;
	/* The disk is well again, and still nobody knows what is on it. */
	FAILS(put(journal, &two, BV_EVENT_STARTED, started(&two), true), BV_E_JOURNAL);
	EXPECT(strstr(err.message, "failed before") != NULL);
	bv__journal_close(journal);
	/* A new start looks for itself. */
	journal = open_journal();
	OK(put(journal, &two, BV_EVENT_STARTED, started(&two), true));
	bv__journal_close(journal);
}

TEST(a_failed_write_poisons_and_a_full_disk_does_not)
{
	const struct bv_digest one = digest_of(1), two = digest_of(2);
	struct bv_journal *journal;

	new_directory();
	journal = open_journal();
	run_attempt(journal, 9);
	faults.fail_write_errno = ENOSPC;
	FAILS(put(journal, &one, BV_EVENT_STARTED, started(&one), true), BV_E_JOURNAL);
	EXPECT(strstr(err.message, "full") != NULL);
	faults.fail_write_errno = 0;
	OK(put(journal, &one, BV_EVENT_STARTED, started(&one), true));
	faults.fail_write_errno = EIO;
	FAILS(put(journal, &two, BV_EVENT_STARTED, started(&two), true), BV_E_JOURNAL);
	faults.fail_write_errno = 0;
	FAILS(put(journal, &two, BV_EVENT_STARTED, started(&two), true), BV_E_JOURNAL);
	bv__journal_close(journal);
	EXPECT_UINT(count_whole(), 6);
}

TEST(the_report_has_room_on_a_full_disk)
{
	const struct bv_digest id = digest_of(1), next = digest_of(2);
	struct bv__entry entry = {.kind = BV_EVENT_REPORT};
	struct bv__reserve reserve = {-1}, none = {-1};
	struct bv__append append = {
		.attempt = id, .entries = &entry, .count = 1, .durable = true, .reserve = &reserve};
	struct bv_journal *journal;
	char filler[96];
	int fd;

	new_directory();
	if (mount("tmpfs", dir, "tmpfs", 0, "size=2m") != 0)
		SKIP("cannot mount a small disk here");
	journal = open_journal();
	start_attempt(journal, 1);
	OK(put(journal, &id, BV_EVENT_BOUND, bound_to(0), true));
	OK(bv__reserve_take(journal, BV_JOURNAL_RESERVE, &reserve, &err));
	(void)snprintf(filler, sizeof filler, "%s/filler", dir);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0);
	memset(memory + sizeof memory / 2, 'x', 65536);
	while (write(fd, memory + sizeof memory / 2, 65536) > 0) {
	}
	while (write(fd, memory + sizeof memory / 2, 1) > 0) {
	}
	/* No room to keep for another: it is not started. */
	FAILS(bv__reserve_take(journal, BV_JOURNAL_RESERVE, &none, &err), BV_E_JOURNAL);
	EXPECT(err.remedy[0] != '\0');
	FAILS(put(journal, &next, BV_EVENT_STARTED, started(&next), true), BV_E_JOURNAL);
	entry.payload = report_of(&id);
	OK(bv__journal_append(journal, &append, &err));
	close(fd);
	bv__journal_close(journal);
	EXPECT_INT(state_of(1), BV_ATTEMPT_REPORTED);
	EXPECT(umount2(dir, MNT_DETACH) == 0);
}

TEST(a_journal_on_a_medium_that_cannot_be_written_is_read)
{
	struct bv_journal *journal = NULL;

	new_directory();
	journal = open_journal();
	run_attempt(journal, 1);
	bv__journal_close(journal);
	alter("PRAGMA wal_checkpoint(TRUNCATE)");
	if (mount(dir, dir, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
		SKIP("cannot mount here");
	EXPECT_UINT(count_whole(), 5);
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = path}, &journal, &err),
	      BV_E_JOURNAL);
	EXPECT(umount2(dir, MNT_DETACH) == 0);
}

/* A clock that steps back is told, and breaks nothing. */
TEST(a_clock_that_steps_back_is_no_damage)
{
	const struct bv_digest id = digest_of(1);
	struct bv_journal *journal;
	struct bv__verified found;

	new_directory();
	journal = open_journal();
	run_attempt(journal, 9);
	faults.clock_offset_s = -86400;
	start_attempt(journal, 1);
	OK(put(journal, &id, BV_EVENT_BOUND, bound_to(0), true));
	faults.clock_offset_s = 0;
	OK(put(journal, &id, BV_EVENT_REPORT, report_of(&id), true));
	OK(verify(journal, &found));
	EXPECT_UINT(found.clock_steps, 1);
	bv__journal_close(journal);
}

/* ---- recovery --------------------------------------------------------------------------------- */

static unsigned int told;

static void count_recovered(void *context, const struct bv__recovered *recovered)
{
	(void)context;
	(void)recovered;
	told++;
}

TEST(a_live_host_is_left_alone_and_a_dead_one_is_settled_once)
{
	const struct bv_digest two = digest_of(2), three = digest_of(3);
	struct bv_host_process dead = {.start_ticks = 1};
	struct bv_journal *journal;
	struct bv__verified before, after;
	pid_t left = fork();

	if (left == 0) {
		for (;;)
			pause();
	}
	new_directory();
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
	const struct bv_digest id = digest_of(2);
	struct bv_host_process dead = {(uint32_t)getpid(), 1}, other;
	struct bv_bound_event event = {.processes = {&other, 1}};
	struct bv_journal *journal;
	pid_t bystander = fork();
	int status = 0;

	if (bystander == 0) {
		for (;;)
			pause();
	}
	new_directory();
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
