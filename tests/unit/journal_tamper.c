/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What somebody does to a journal who has no key: each alteration there is a name for, forged records and
 * signatures, flipped bits.
 */
#include "journal_world.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/canon.h"

static sqlite3 *open_database(void)
{
	sqlite3 *db = NULL;

	EXPECT(sqlite3_open(scratch.path, &db) == SQLITE_OK);
	return db;
}

static void execute(sqlite3 *db, const char *sql)
{
	char *message = NULL;

	EXPECT_THAT(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql,
		    message);
}

static int add_text(void *to, int count, char **texts, char **names)
{
	(void)count;
	(void)names;
	strcat(to, texts[0]);
	strcat(to, ";");
	return 0;
}

/* Past the triggers, which are put back: nothing but the change itself is to show. */
static void alter(const char *sql)
{
	sqlite3 *db = open_database();
	char triggers[2048] = "";

	EXPECT(sqlite3_exec(db, "SELECT sql FROM sqlite_schema WHERE type='trigger'", add_text,
			    triggers, NULL) == SQLITE_OK);
	execute(db, "DROP TRIGGER event_kept; DROP TRIGGER event_unchanged");
	execute(db, sql);
	execute(db, triggers);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
}

static void execute_alone(const char *sql)
{
	sqlite3 *db = open_database();

	execute(db, sql);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
}

static bool alters(const char *sql)
{
	sqlite3 *db = open_database();
	bool done = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
	EXPECT(sqlite3_close(db) == SQLITE_OK);
	return done;
}

static void copy_journal(const char *from, const char *to)
{
	char command[320];

	(void)snprintf(command, sizeof command,
		       "cd %s && rm -f %s-wal %s-shm && for s in '' -wal; do [ ! -e %s$s ] || cp "
		       "%s$s %s$s; done",
		       scratch.dir, to, to, from, from, to);
	EXPECT_INT(system(command), 0);
}

/* Closed, with one whole attempt in it. */
static void make_journal_of_one(void)
{
	struct bv_journal *journal;

	new_place();
	journal = open_journal();
	run_attempt(journal, 1);
	bv__journal_close(journal);
}

TEST(records_cannot_be_changed_or_deleted_by_statement)
{
	make_journal_of_one();
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
	 "INSERT INTO event SELECT 16, attempt, kind, version, at_us, payload, payload_digest, prev, hash FROM event WHERE seq=10"},
	{"a record put in between",
	 "UPDATE event SET seq=seq+1000 WHERE seq>4; UPDATE event SET seq=seq-999 WHERE seq>1000; INSERT INTO event SELECT 5, attempt, kind, version, at_us, payload, payload_digest, prev, hash FROM event WHERE seq=16"},
	{"an attempt's outcome in the table", "UPDATE attempt SET outcome=2 WHERE seq=1"},
	{"an attempt's program in the table",
	 "UPDATE attempt SET program='/bin/false' WHERE seq=1"},
	{"an attempt left out of the table", "DELETE FROM attempt WHERE seq=6"},
	{"an attempt too many in the table",
	 "INSERT INTO attempt SELECT randomblob(32), 99, 0, 0, 2, 0, 0, 0, 'x', NULL, plan_id, request FROM attempt WHERE seq=1"},
	{"the contents of a report taken out", "UPDATE event SET payload=NULL WHERE seq=4"},
	{"the contents of an attempt taken out",
	 "UPDATE event SET payload=NULL WHERE seq BETWEEN 1 AND 4"},
	{"the contents of a signature taken out", "UPDATE event SET payload=NULL WHERE seq=10"},
	{"the last signature left out", "DELETE FROM event WHERE seq=15"},
	{"a huge record", "UPDATE event SET payload=zeroblob(200000000) WHERE seq=4"},
	{"a state there is none of", "UPDATE attempt SET state=77 WHERE seq=1"},
	{"the end of another journal", "ATTACH 'other.db' AS other; DELETE FROM event WHERE seq>5;"
				       "INSERT INTO event SELECT * FROM other.event WHERE seq>5"},
	{"the beginning of another journal",
	 "ATTACH 'other.db' AS other; DELETE FROM event WHERE seq<=5;"
	 "INSERT INTO event SELECT * FROM other.event WHERE seq<=5"},
	{"all records of another journal",
	 "ATTACH 'other.db' AS other; DELETE FROM event; DELETE FROM attempt;"
	 "INSERT INTO event SELECT * FROM other.event;"
	 "INSERT INTO attempt SELECT * FROM other.attempt"},
	{"another store", "UPDATE meta SET value=randomblob(16)"},
};

TEST(no_alteration_goes_unseen)
{
	struct bv_journal *journal;
	struct bv__verified found;

	new_place();
	EXPECT(chdir(scratch.dir) == 0);
	for (unsigned int turn = 0; turn < 2; turn++) {
		journal = open_journal();
		for (unsigned int i = 1; i <= 3; i++)
			run_attempt(journal, i);
		bv__journal_close(journal);
		if (turn == 0) {
			copy_journal("j.db", "other.db");
			EXPECT_INT(system("rm -r j.db j.db-* j.db.*"), 0);
		}
	}
	copy_journal("j.db", "whole.db");
	/* The control: as it is, it verifies. */
	EXPECT_UINT(count_whole(), 15);
	for (size_t i = 0; i < sizeof alterations / sizeof *alterations; i++) {
		copy_journal("whole.db", "j.db");
		alter(alterations[i].sql);
		journal = open_with(0, true);
		EXPECT_THAT(verify(journal, &found) == BV_E_INTEGRITY, "%s went unseen (%s)",
			    alterations[i].what, bv_code_name(err.code));
		EXPECT(strstr(err.message, "tables") == NULL);
		bv__journal_close(journal);
	}
}

/* Without the key, records can be cut off or the journal put back; an anchor elsewhere shows both. */
TEST(what_was_cut_off_shows_with_an_anchor_kept_elsewhere_alone)
{
	struct bv__verify_options with = {.anchor_seq = 14};
	struct bv_journal *journal;
	struct bv__verified found;

	new_place();
	journal = open_journal();
	for (unsigned int i = 1; i <= 3; i++)
		run_attempt(journal, i);
	OK(verify(journal, &found));
	bv__journal_close(journal);
	EXPECT_UINT(found.anchored_seq, 14);
	{
		sqlite3 *db = NULL;
		sqlite3_stmt *row = NULL;

		EXPECT(sqlite3_open(scratch.path, &db) == SQLITE_OK &&
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
	alter("DELETE FROM event WHERE seq>10; DELETE FROM attempt WHERE seq>10");
	journal = open_with(0, true);
	OK(verify(journal, &found));
	FAILS(bv__journal_verify(journal, &with, &found, &err), BV_E_INTEGRITY);
	bv__journal_close(journal);
}

/* As docs/format.md says: what attempts write before they end is nobody's word until a signature covers it. */
TEST(what_no_signature_covers_yet_can_be_left_out_unseen)
{
	struct bv_journal *journal;
	struct bv__verified found;

	new_place();
	journal = open_journal();
	run_attempt(journal, 1);
	start_attempt(journal, 2);
	OK(verify(journal, &found));
	EXPECT_UINT(found.records, 7);
	EXPECT_UINT(found.anchored_seq, 4);
	bv__journal_close(journal);
	alter("DELETE FROM event WHERE seq>5; DELETE FROM attempt WHERE seq>5");
	EXPECT_UINT(count_whole(), 5);
	/* Control: one record more, and it shows. */
	alter("DELETE FROM event WHERE seq>4");
	journal = open_with(0, true);
	FAILS(verify(journal, &found), BV_E_INTEGRITY);
	bv__journal_close(journal);
}

/* ---- what was added --------------------------------------------------------------------------- */

TEST(no_other_table_trigger_or_view_is_taken)
{
	static const char *const parts[] = {
		"CREATE TRIGGER swallow BEFORE INSERT ON event BEGIN SELECT raise(IGNORE); END",
		"CREATE TABLE more(a)",
		"CREATE INDEX more ON event(kind)",
		"CREATE VIEW more AS SELECT * FROM event",
		"DROP TRIGGER event_kept",
		"DROP INDEX event_once",
		"ALTER TABLE attempt RENAME TO was; CREATE VIEW attempt AS SELECT * FROM was",
	};
	struct bv_journal *journal;
	struct bv__verified found;

	make_journal_of_one();
	copy_journal("j.db", "whole.db");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		copy_journal("whole.db", "j.db");
		EXPECT_THAT(alters(parts[i]), "%s", parts[i]);
		FAILS(bv__journal_open(&(struct bv__journal_options){.path = scratch.path},
				       &journal, &err),
		      BV_E_JOURNAL);
		EXPECT_THAT(strstr(err.message, "other tables") != NULL, "%s: %s", parts[i],
			    err.message);
		journal = open_with(0, true);
		FAILS(verify(journal, &found), BV_E_INTEGRITY);
		bv__journal_close(journal);
	}
	copy_journal("whole.db", "j.db");
	bv__journal_close(open_journal());
	/* One from before there were artifacts gets their table, and one whose making was cut short the rest. */
	EXPECT(alters("DROP INDEX kept_open"));
	bv__journal_close(open_journal());
	EXPECT(alters("DROP TABLE kept"));
	bv__journal_close(open_journal());
	EXPECT_UINT(count_whole(), 5);
}

/* It counts for nothing: how fast an answer comes, and never which. */
TEST(what_the_planner_knows_is_nobody_elses_table)
{
	struct bv_journal *journal;
	struct bv__verified found;

	make_journal_of_one();
	EXPECT(alters("PRAGMA optimize; ANALYZE"));
	/* Whatever is in it. */
	EXPECT(alters("UPDATE sqlite_stat1 SET stat='0 0 0 unordered noskipscan sz=9'"));
	journal = open_journal();
	run_attempt(journal, 2);
	OK(verify(journal, &found));
	EXPECT_UINT(found.records, 10);
	bv__journal_close(journal);
	/* And what is foreign is named. */
	EXPECT(alters("CREATE TABLE \"other\x1b\"(a)"));
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = scratch.path}, &journal, &err),
	      BV_E_JOURNAL);
	EXPECT_THAT(strstr(err.message, ": 'other?' is not one of them") != NULL, "%s",
		    err.message);
}

/* An index that lacks a row hides it from whoever asks by it: here, that a key was used. */
TEST(an_index_that_hides_a_row_shows)
{
	const struct bv_digest id = attempt_id(1);
	const struct bv_host_process host = here();
	struct bv_journal *journal;
	struct bv__attempt attempt;
	struct bv__verified found;
	bool there;

	new_place();
	journal = open_journal();
	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), false));
	OK(put(journal, &id, BV_EVENT_REQUEST, request("pay-1", &host), true));
	bv__journal_close(journal);
	/* Under another condition for a while, the index does not follow what is written. */
	execute_alone("UPDATE attempt SET idem_key=NULL");
	execute_alone("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
		      " sql=replace(sql, 'IS NOT NULL', '< 0') WHERE name='attempt_key'");
	execute_alone("UPDATE attempt SET idem_key='pay-1'");
	execute_alone("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
		      " sql=replace(sql, '< 0', 'IS NOT NULL') WHERE name='attempt_key'");
	journal = open_with(0, true);
	OK(bv__journal_find_key(journal, "pay-1", &there, &attempt, &err));
	EXPECT(!there); /* hidden indeed */
	FAILS(verify(journal, &found), BV_E_INTEGRITY);
	EXPECT(strstr(err.message, "pages are damaged") != NULL);
	bv__journal_close(journal);
}

TEST(a_key_whose_attempt_cannot_be_read_is_not_free)
{
	const struct bv_digest id = attempt_id(1);
	const struct bv_host_process host = here();
	struct bv_journal *journal;
	struct bv__attempt attempt;
	bool there;

	new_place();
	journal = open_journal();
	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), false));
	OK(put(journal, &id, BV_EVENT_REQUEST, request("pay-1", &host), true));
	OK(bv__journal_find_key(journal, "pay-1", &there, &attempt, &err));
	EXPECT(there);
	alter("UPDATE attempt SET request=x'00'");
	FAILS(bv__journal_find_key(journal, "pay-1", &there, &attempt, &err), BV_E_JOURNAL);
	bv__journal_close(journal);
}

/* What never ran is not passed off as done: the table is anybody's, the signed records are not. */
TEST(that_a_key_was_used_is_believed_of_signed_records_alone)
{
	static const char *const lies[] = {
		"UPDATE attempt SET idem_key='pay-2' WHERE seq=1",
		"UPDATE attempt SET request=randomblob(32) WHERE seq=1",
		"UPDATE attempt SET state=2 WHERE seq=6",
		("UPDATE event SET payload=CAST(replace(payload, 'pay-1', 'pay-2') AS BLOB) WHERE seq=2;"
		 "UPDATE attempt SET idem_key='pay-2' WHERE seq=1"),
		"UPDATE event SET payload=NULL WHERE seq=5",
	};
	const struct bv_digest ids[] = {attempt_id(1), attempt_id(2)};
	const struct bv_host_process host = here();
	struct bv__attempt attempt;
	struct bv_journal *journal;
	char hex[65];

	new_place();
	journal = open_journal();
	for (unsigned int i = 0; i < 2; i++) {
		OK(put(journal, &ids[i], BV_EVENT_STARTED, started(&ids[i]), false));
		OK(put(journal, &ids[i], BV_EVENT_REQUEST,
		       request(i == 0 ? "pay-1" : "pay-3", &host), false));
		OK(put(journal, &ids[i], BV_EVENT_BOUND, bound_to(0), true));
		if (i == 0)
			OK(put(journal, &ids[i], BV_EVENT_REPORT, report_of(&ids[i]), true));
	}
	bv__journal_close(journal);
	copy_journal("j.db", "whole.db");
	for (size_t i = 0; i <= sizeof lies / sizeof *lies; i++) {
		copy_journal("whole.db", "j.db");
		journal = open_journal(); /* which looks at the last records itself */
		if (i > 0)
			alter(lies[i - 1]);
		bv_digest_hex(&ids[i == 3], hex);
		OK(bv__journal_find(journal, hex, &attempt, &err));
		EXPECT_THAT((bv__attempt_prove(journal, &attempt, &err) == BV_OK) == (i == 0),
			    "lie %zu", i);
		bv__journal_close(journal);
	}
}

/* ---- forged ----------------------------------------------------------------------------------- */

/* A record as whoever has no key can write it: everything fits but the signature. */
static void forge(const struct bv_digest *attempt, uint16_t kind, struct bv_str payload)
{
	struct bv__record record = {.attempt = *attempt,
				    .kind = kind,
				    .version = 1,
				    .at_us = bv__now_us(),
				    .payload = (const uint8_t *)payload.data,
				    .payload_bytes = payload.len};
	sqlite3 *db = open_database();
	sqlite3_stmt *row = NULL;
	uint8_t store[BV_STORE_BYTES];

	EXPECT(sqlite3_prepare_v2(db,
				  "SELECT seq, hash, (SELECT value FROM meta) FROM event"
				  " ORDER BY seq DESC LIMIT 1",
				  -1, &row, NULL) == SQLITE_OK &&
	       sqlite3_step(row) == SQLITE_ROW);
	record.seq = (uint64_t)sqlite3_column_int64(row, 0) + 1;
	memcpy(record.prev.bytes, sqlite3_column_blob(row, 1), 32);
	memcpy(store, sqlite3_column_blob(row, 2), sizeof store);
	sqlite3_finalize(row);
	bv_hash_bytes(record.payload, record.payload_bytes, &record.payload_digest);
	bv__chain_hash(store, &record, &record.hash);
	EXPECT(sqlite3_prepare_v2(db, "INSERT INTO event VALUES(?,?,?,1,?,?,?,?,?)", -1, &row,
				  NULL) == SQLITE_OK);
	sqlite3_bind_int64(row, 1, (sqlite3_int64)record.seq);
	sqlite3_bind_blob(row, 2, record.attempt.bytes, 32, SQLITE_STATIC);
	sqlite3_bind_int(row, 3, kind);
	sqlite3_bind_int64(row, 4, (sqlite3_int64)record.at_us);
	sqlite3_bind_blob64(row, 5, payload.data, payload.len, SQLITE_STATIC);
	sqlite3_bind_blob(row, 6, record.payload_digest.bytes, 32, SQLITE_STATIC);
	sqlite3_bind_blob(row, 7, record.prev.bytes, 32, SQLITE_STATIC);
	sqlite3_bind_blob(row, 8, record.hash.bytes, 32, SQLITE_STATIC);
	EXPECT(sqlite3_step(row) == SQLITE_DONE);
	sqlite3_finalize(row);
	EXPECT(sqlite3_close(db) == SQLITE_OK);
}

TEST(a_forged_report_never_comes_under_a_signature)
{
	const struct bv_digest forged = attempt_id(8), next = attempt_id(9);
	struct bv_journal *journal, *open;
	struct bv__verified found;

	new_place();
	open = open_journal();
	run_attempt(open, 1);
	/* The control: others write, and what they signed is taken. */
	journal = open_journal();
	run_attempt(journal, 2);
	bv__journal_close(journal);
	run_attempt(open, 3);
	forge(&forged, BV_EVENT_REPORT, report_of(&forged));
	FAILS(put(open, &next, BV_EVENT_STARTED, started(&next), true), BV_E_JOURNAL);
	EXPECT(strstr(err.message, "no signature covers it") != NULL);
	bv__journal_close(open);
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = scratch.path}, &journal, &err),
	      BV_E_JOURNAL);
	journal = open_with(0, true);
	alter("INSERT INTO attempt SELECT CAST(x'0700000008' || zeroblob(27) AS BLOB), 16, started_us, ended_us,"
	      " state, outcome, exit_kind, exit_number, '', NULL, plan_id, request FROM attempt"
	      " WHERE seq=1");
	FAILS(verify(journal, &found), BV_E_INTEGRITY);
	EXPECT(strstr(err.message, "no signature covers it") != NULL);
	bv__journal_close(journal);
}

TEST(a_journal_is_signed_with_one_key)
{
	static const struct bv_digest of_the_store;
	struct bv__verify_options options = {.public_key = NULL};
	struct bv__signer signer = {0}, forger = {0};
	struct bv_anchor_event anchor;
	struct bv__verified found;
	struct bv_journal *journal;
	char key[128], other[160];

	new_place();
	journal = open_journal();
	run_attempt(journal, 1);
	OK(verify(journal, &found));
	(void)snprintf(key, sizeof key, "%s.key", scratch.path);
	OK(bv__signer_load(key, true, &signer, &err));
	(void)snprintf(other, sizeof other, "%s.other", scratch.path);
	OK(bv__signer_load(other, true, &forger, &err));
	bv__journal_close(journal);
	copy_journal("j.db", "whole.db");
	/* Somebody else's key in the place of ours. */
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = scratch.path,
							     .key_path = other},
			       &journal, &err),
	      BV_E_JOURNAL);
	EXPECT(strstr(err.message, "another key") != NULL);
	/* And somebody else's signature. */
	journal = open_journal();
	bv__anchor_sign(&forger, bv__journal_store(journal), 5, bv__now_us(), &found.head, &anchor);
	bv__journal_close(journal);
	forge(&of_the_store, BV_EVENT_ANCHOR,
	      bv_canon_bytes(&arena, &bv_anchor_event_type, &anchor));
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = scratch.path}, &journal, &err),
	      BV_E_JOURNAL);
	journal = open_with(0, true);
	options.public_key = &signer.public_key;
	FAILS(bv__journal_verify(journal, &options, &found, &err), BV_E_INTEGRITY);
	bv__journal_close(journal);
	copy_journal("whole.db", "j.db");
	bv__journal_close(open_journal());
}

TEST(a_signature_by_another_key_or_over_another_head_does_not_hold)
{
	const uint8_t store[BV_STORE_BYTES] = {9}, other[BV_STORE_BYTES] = {8};
	struct bv_digest head = attempt_id(1), wanted;
	struct bv__signer signer = {0}, forger = {0};
	struct bv_anchor_event anchor, forged;
	struct bv_digest *half;
	char key[128];

	new_place();
	(void)snprintf(key, sizeof key, "%s/a.key", scratch.dir);
	OK(bv__signer_load(key, true, &signer, &err));
	wanted = signer.public_key;
	OK(bv__signer_load(key, true, &signer, &err));
	EXPECT(bv_digest_equal(&wanted, &signer.public_key));
	(void)snprintf(key, sizeof key, "%s/b.key", scratch.dir);
	OK(bv__signer_load(key, true, &forger, &err));
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
	if (bv__journal_open(&(struct bv__journal_options){.path = scratch.path, .read_only = true},
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

	new_place();
	journal = open_journal();
	for (unsigned int i = 1; i <= 3; i++)
		run_attempt(journal, i);
	bv__journal_close(journal);
	empty_the_log();
	EXPECT(shown(&whole, &verified) && verified);
	fd = open(scratch.path, O_RDWR | O_CLOEXEC);
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
