/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * store.c - works a journal for tools that watch it from outside.
 *
 *   store make FILE                an empty journal, its log put into the database
 *   store run FILE ATTEMPTS        records that many attempts; a line ACK for all that is durable
 *   store run-unsynced FILE N      the same with a disk that syncs nothing: the control
 *   store keep FILE ATTEMPTS       as run, with two files kept of each attempt
 *   store keep-unnamed FILE N      the same where names of files are not synced: the control
 *   store recover FILE             opens, settles, verifies; "records=N" counts what was acknowledged
 *   store fill FILE RECORDS        that many records, many in a transaction
 *   store verify FILE              time and memory of verifying
 *   store bench FILE THREADS N     attempts a second, each made durable as a run's is
 *   store raw FILE THREADS N       SQLite alone: as many commits of one row, and bare syncs
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../unit/journal_faults.h"
#include "contract/canon.h"
#include "contract/report.h"
#include "journal/blobs.h"
#include "journal/journal.h"

static struct bv_error err;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "store: %s: %s\n", what, err.message);
	exit(1);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct bv_journal *open_journal(const char *path)
{
	struct bv_journal *journal = NULL;

	if (bv__journal_open(&(struct bv__journal_options){.path = path}, &journal, &err) != BV_OK)
		die("open");
	return journal;
}

/* ---- attempts -------------------------------------------------------------------------------- */

enum { MEMORY_BYTES = 256 << 10 };

struct worker {
	struct bv_journal *journal;
	unsigned long attempts;
	bool tells, keeps;
	uint8_t memory[MEMORY_BYTES];
	struct bv_arena arena;
};

static void put(struct worker *worker, const struct bv_digest *id, const struct bv__entry *entries,
		size_t count, bool durable)
{
	struct bv__append append = {.attempt = *id,
				    .entries = entries,
				    .count = count,
				    .durable = durable};

	if (bv__journal_append(worker->journal, &append, &err) != BV_OK)
		die("append");
	if (durable && worker->tells && write(STDOUT_FILENO, "ACK\n", 4) != 4)
		die("tell");
}

/* As large as a plain run's: the plan and the report say what the machine is. */
static struct bv_str filler(struct bv_arena *arena, size_t size_bytes)
{
	char *text = bv_arena_alloc(arena, size_bytes);

	memset(text, 'x', size_bytes);
	return (struct bv_str){text, size_bytes};
}

/* Two files of the attempt, on stable storage; the record of them. */
static struct bv_str keep_files(struct worker *worker, const struct bv_digest *id,
				struct bv__blobs *blobs)
{
	struct bv_kept_blob kept[2];
	const struct bv_kept_event event = {{kept, 2}};

	if (bv__blobs_begin(worker->journal, id, blobs, &err) != BV_OK)
		die("begin");
	for (size_t i = 0; i < 2; i++) {
		struct bv__blob blob;

		/* Another one in each attempt. */
		if (bv__blobs_put(blobs, id->bytes + i, 30, &blob, &err) != BV_OK)
			die("keep");
		kept[i] = (struct bv_kept_blob){i == 0 ? BV_STR("one") : BV_STR("two"), blob.digest,
						blob.size_bytes};
	}
	if (bv__blobs_seal(blobs, &err) != BV_OK)
		die("seal");
	return bv_canon_bytes(&worker->arena, &bv_kept_event_type, &event);
}

static void run_one(struct worker *worker)
{
	struct bv_arena *arena = &worker->arena;
	struct bv_digest id;
	struct bv_started_event started = {.plan = {.schema_version = 1,
						    .backend = BV_STR("store")},
					   .has_attempt = true};
	struct bv_request_event request = {.program = BV_STR("/bin/true"),
					   .backend = BV_STR("store"),
					   .host_version = BV_STR("0")};
	struct bv_bound_event bound = {.processes = {NULL, 0}};
	struct bv_observed_fact fact = {.kind = BV_STR("filler")};
	struct bv_report_body body = {.schema_version = 1,
				      .backend = BV_STR("store"),
				      .profile = {.backend = BV_STR("store")},
				      .observed = {&fact, 1},
				      .has_attempt = true};
	struct bv_report_event report;
	struct bv__entry ended[2];
	struct bv__blobs blobs;

	bv_arena_init(arena, worker->memory, sizeof worker->memory);
	if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
		die("random");
	bv__host_place(arena, &request.place);
	bound.place = request.place;
	request.host = (struct bv_host_process){(uint32_t)getpid(),
						bv__process_start_ticks(getpid())};
	started.attempt = body.attempt = id;
	started.plan.backend = filler(arena, 4000);
	fact.detail = filler(arena, 4000);
	put(worker, &id,
	    (const struct bv__entry[]){
		    {BV_EVENT_STARTED, bv_canon_bytes(arena, &bv_started_event_type, &started)},
		    {BV_EVENT_REQUEST, bv_canon_bytes(arena, &bv_request_event_type, &request)}},
	    2, false);
	put(worker, &id,
	    &(const struct bv__entry){BV_EVENT_BOUND,
				      bv_canon_bytes(arena, &bv_bound_event_type, &bound)},
	    1, true);
	if (bv_report_seal(arena, &body, &report.report, &err) != BV_OK)
		die("seal");
	ended[0] = (struct bv__entry){BV_EVENT_REPORT,
				      bv_canon_bytes(arena, &bv_report_event_type, &report)};
	if (worker->keeps)
		ended[1] = (struct bv__entry){BV_EVENT_KEPT, keep_files(worker, &id, &blobs)};
	put(worker, &id, ended, worker->keeps ? 2 : 1, true);
	if (worker->keeps)
		bv__blobs_end(&blobs);
}

static void *work(void *context)
{
	struct worker *worker = context;

	for (unsigned long i = 0; i < worker->attempts; i++)
		run_one(worker);
	return NULL;
}

static int run(const char *path, unsigned long attempts, bool keeps)
{
	static struct worker worker;

	worker.journal = open_journal(path);
	worker.attempts = attempts;
	worker.tells = true;
	worker.keeps = keeps;
	work(&worker);
	bv__journal_close(worker.journal);
	return 0;
}

static int make(const char *path)
{
	sqlite3 *db = NULL;

	bv__journal_close(open_journal(path));
	/* A plain connection, which on closing puts the log into the database. */
	return sqlite3_open(path, &db) != SQLITE_OK ||
	       sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) != SQLITE_OK ||
	       sqlite3_close(db) != SQLITE_OK;
}

static enum bv_code count_acknowledged(void *context, const struct bv__record *record,
				       struct bv_error *unused)
{
	(void)unused;
	*(unsigned long *)context += record->kind == BV_EVENT_BOUND ||
				     record->kind == BV_EVENT_REPORT;
	return BV_OK;
}

static int recover(const char *path)
{
	struct bv_journal *journal = open_journal(path);
	struct bv__verified found;
	unsigned long count = 0;

	/* The attempts' host is another boot's as far as anyone can tell: they are settled. */
	if (bv__journal_recover(journal, NULL, NULL, &err) != BV_OK)
		die("recover");
	if (bv__journal_verify(journal, &(struct bv__verify_options){0}, &found, &err) != BV_OK)
		die("verify");
	if (bv__journal_records(journal, NULL, 0, 0, count_acknowledged, &count, &err) != BV_OK)
		die("count");
	bv__journal_close(journal);
	printf("records=%lu\n", count);
	return 0;
}

/* ---- how long, how large --------------------------------------------------------------------- */

static int fill(const char *path, unsigned long records)
{
	enum { TOGETHER = 1000 };
	static struct bv__entry entries[TOGETHER];
	struct bv_journal *journal = open_journal(path);
	const struct bv_recovery_intent_event intent = {.reason = BV_STR("to fill it")};
	static struct worker worker;

	worker.journal = journal;
	while (records > 0) {
		struct bv_digest id;
		struct bv_started_event started = {.plan = {.schema_version = 1}};
		const size_t count = records < TOGETHER ? records : TOGETHER;

		bv_arena_init(&worker.arena, worker.memory, sizeof worker.memory);
		if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
			die("random");
		entries[0] = (struct bv__entry){BV_EVENT_STARTED,
						bv_canon_bytes(&worker.arena,
							       &bv_started_event_type, &started)};
		for (size_t i = 1; i < count; i++)
			entries[i] = (struct bv__entry){
				BV_EVENT_RECOVERY_INTENT,
				bv_canon_bytes(&worker.arena, &bv_recovery_intent_event_type,
					       &intent)};
		put(&worker, &id, entries, count, false);
		records -= count;
	}
	bv__journal_close(journal);
	return 0;
}

static int verify(const char *path)
{
	struct bv_journal *journal = NULL;
	struct bv__verified found;
	struct rusage usage;
	double start = seconds();

	if (bv__journal_open(&(struct bv__journal_options){.path = path, .read_only = true},
			     &journal, &err) != BV_OK)
		die("open");
	if (bv__journal_verify(journal, &(struct bv__verify_options){0}, &found, &err) != BV_OK)
		die("verify");
	bv__journal_close(journal);
	getrusage(RUSAGE_SELF, &usage);
	printf("records=%llu seconds=%.2f cpu=%.2f kib=%ld\n", (unsigned long long)found.records,
	       seconds() - start,
	       (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec * 1e-6 +
		       (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec * 1e-6,
	       usage.ru_maxrss);
	return 0;
}

static int bench(const char *path, unsigned long threads, unsigned long each)
{
	struct bv_journal *journal = open_journal(path);
	struct worker *workers = calloc(threads, sizeof *workers);
	pthread_t *ids = calloc(threads, sizeof *ids);
	double start = seconds(), took;
	unsigned long syncs = faults.syncs;

	for (unsigned long i = 0; i < threads; i++) {
		workers[i].journal = journal;
		workers[i].attempts = each;
		if (pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
			die("thread");
	}
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	took = seconds() - start;
	printf("attempts=%lu seconds=%.2f per_second=%.0f syncs_per_attempt=%.2f\n", threads * each,
	       took, (double)(threads * each) / took,
	       (double)(faults.syncs - syncs) / (double)(threads * each));
	bv__journal_close(journal);
	return 0;
}

struct raw {
	const char *path;
	unsigned long each;
};

static void *raw_commits(void *context)
{
	const struct raw *raw = context;
	sqlite3 *db = NULL;

	if (sqlite3_open(raw->path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL,
			 NULL) != SQLITE_OK)
		die("raw");
	sqlite3_busy_timeout(db, 60000);
	for (unsigned long i = 0; i < raw->each; i++) {
		if (sqlite3_exec(db,
				 "BEGIN IMMEDIATE; INSERT INTO t VALUES(randomblob(4000)); COMMIT",
				 NULL, NULL, NULL) != SQLITE_OK)
			die("raw");
	}
	sqlite3_close(db);
	return NULL;
}

static int raw(const char *path, unsigned long threads, unsigned long each)
{
	struct raw one = {path, each};
	pthread_t *ids = calloc(threads, sizeof *ids);
	sqlite3 *db = NULL;
	double start;
	char *page = calloc(1, 4096);
	int fd;

	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA journal_mode=WAL; CREATE TABLE t(x)", NULL, NULL, NULL) !=
		    SQLITE_OK)
		die("raw");
	start = seconds();
	for (unsigned long i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, raw_commits, &one);
	for (unsigned long i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("commits=%lu per_second=%.0f\n", threads * each,
	       (double)(threads * each) / (seconds() - start));
	sqlite3_close(db);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	start = seconds();
	for (unsigned long i = 0; i < each; i++) {
		if (write(fd, page, 4096) != 4096 || fdatasync(fd) != 0)
			die("sync");
	}
	printf("syncs=%lu per_second=%.0f\n", each, (double)each / (seconds() - start));
	close(fd);
	free(page);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	const unsigned long first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	const unsigned long second = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;

	if (strcmp(what, "make") == 0)
		return make(argv[2]);
	if (strcmp(what, "run-unsynced") == 0)
		faults.no_sync = true;
	if (strcmp(what, "run") == 0 || strcmp(what, "run-unsynced") == 0)
		return run(argv[2], first, false);
	if (strcmp(what, "keep-unnamed") == 0)
		faults.no_directory_sync = true;
	if (strcmp(what, "keep") == 0 || strcmp(what, "keep-unnamed") == 0)
		return run(argv[2], first, true);
	if (strcmp(what, "recover") == 0)
		return recover(argv[2]);
	if (strcmp(what, "fill") == 0)
		return fill(argv[2], first);
	if (strcmp(what, "verify") == 0)
		return verify(argv[2]);
	if (strcmp(what, "bench") == 0)
		return bench(argv[2], first, second);
	if (strcmp(what, "raw") == 0)
		return raw(argv[2], first, second);
	fprintf(stderr, "store: see the top of tests/journal/store.c\n");
	return 2;
}
