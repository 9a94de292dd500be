/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * recover.c - settles the attempts whose host did not live to tell how they ended.
 *
 * What was found is written down before it is touched, what was done after, and with it the
 * verdict: an attempt has one end.  A process is known by its number, its start and the boot, never
 * by its number alone.
 */
#include "blobs.h"
#include "database.h"
#include "dispose.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/canon.h"
#include "linux/cgroup.h"
#include "linux/sys.h"

enum {
	ENDING_MS = 5000, /* a killed process that takes longer hangs in the kernel */
	FOUND_MAX = 64,   /* processes, groups and directories of one attempt */
};

/* ---- who lives ------------------------------------------------------------------------------- */

static size_t read_text(const char *path, char *ret_text, size_t size_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret_text, size_bytes - 1);

	if (fd >= 0)
		close(fd);
	ret_text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

uint64_t bv__process_start_ticks(int pid)
{
	char path[64], text[1024];
	const char *at;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
	(void)read_text(path, text, sizeof text);
	/* After the name, which may hold anything, comes the state: one that is dead and not yet waited
	 * for does nothing any more.  The start is the twentieth field from there. */
	at = strrchr(text, ')');
	if (at == NULL || strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0)
		return 0;
	for (int field = 0; at != NULL && field < 20; field++)
		at = strchr(at + 1, ' ');
	return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

void bv__host_place(struct bv_arena *arena, struct bv_host_place *ret_place)
{
	char text[64];
	struct stat st;
	size_t len = read_text("/proc/sys/kernel/random/boot_id", text, sizeof text);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	ret_place->boot_id = bv_arena_copy(arena, (struct bv_str){text, len});
	ret_place->pid_namespace = stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

enum host { HOST_LIVES, HOST_GONE, HOST_GONE_WITH_THE_BOOT, HOST_OUT_OF_SIGHT };

static enum host look_for(const struct bv_host_place *here, const struct bv_host_place *there,
			  const struct bv_host_process *process)
{
	if (!bv_str_equal(here->boot_id, there->boot_id))
		return here->boot_id.len != 0 ? HOST_GONE_WITH_THE_BOOT : HOST_OUT_OF_SIGHT;
	if (here->pid_namespace != there->pid_namespace)
		return HOST_OUT_OF_SIGHT;
	if (process->start_ticks == 0)
		return HOST_OUT_OF_SIGHT;
	return bv__process_start_ticks((int)process->pid) == process->start_ticks ? HOST_LIVES
										  : HOST_GONE;
}

/* ---- one attempt ----------------------------------------------------------------------------- */

struct lost {
	struct bv_journal *journal;
	struct bv_arena *arena;
	struct bv__attempt attempt;
	struct bv_request_event request;
	struct bv_bound_event bound;
	bool has_request, has_bound, has_intent;
	const char *reason;
	struct bv_swept swept[FOUND_MAX];
	size_t swept_count, failed;
};

static enum bv_code take_record(void *context, const struct bv__record *record,
				struct bv_error *err)
{
	struct lost *lost = context;

	switch (record->kind) {
	case BV_EVENT_REQUEST:
		lost->has_request = true;
		return bv_canon_decode(lost->arena, &bv_request_event_type, record->payload,
				       record->payload_bytes, &lost->request, err);
	case BV_EVENT_BOUND:
		lost->has_bound = true;
		return bv_canon_decode(lost->arena, &bv_bound_event_type, record->payload,
				       record->payload_bytes, &lost->bound, err);
	case BV_EVENT_RECOVERY_INTENT:
		lost->has_intent = true;
		return BV_OK;
	default:
		return BV_OK;
	}
}

static void note(struct lost *lost, const char *kind, struct bv_str reference, const char *result,
		 bool failed)
{
	if (lost->swept_count == FOUND_MAX)
		return;
	lost->swept[lost->swept_count++] = (struct bv_swept){bv_str_from(kind), reference,
							     bv_arena_copy(lost->arena,
									   bv_str_from(result))};
	lost->failed += failed;
}

static struct bv_str name_of(struct lost *lost, const struct bv_host_process *process)
{
	return bv_arena_format(lost->arena, "pid:%u start:%llu", (unsigned int)process->pid,
			       (unsigned long long)process->start_ticks);
}

/* Kills one process if it is still the one that was recorded, and waits for its end. */
static void end_process(struct lost *lost, const struct bv_host_process *process)
{
	const struct bv_str name = name_of(lost, process);
	const int pid = (int)process->pid;
	struct pollfd ending = {.fd = bv_sys_pidfd_open(pid), .events = POLLIN};

	/* Looked at with the descriptor in hand: from here on the number cannot become another's. */
	if (ending.fd < 0 || bv__process_start_ticks(pid) != process->start_ticks) {
		note(lost, "process", name,
		     ending.fd < 0 && errno != ESRCH ? strerror(errno) : "gone",
		     ending.fd < 0 && errno != ESRCH);
	} else if (bv_sys_pidfd_send_signal(ending.fd, SIGKILL) != 0 && errno != ESRCH) {
		note(lost, "process", name, strerror(errno), true);
	} else {
		const bool ended = poll(&ending, 1, ENDING_MS) == 1;

		note(lost, "process", name, ended ? "killed" : "killed, and does not end", !ended);
	}
	if (ending.fd >= 0)
		close(ending.fd);
}

/* Its control group, with whoever is in it: the linux part knows which groups nobody holds. */
static void end_group(struct lost *lost, struct bv_str path)
{
	char leaf[PATH_MAX], place[PATH_MAX];
	bool there;

	if (path.len == 0 || path.len >= sizeof leaf || path.data[0] != '/')
		return;
	(void)snprintf(leaf, sizeof leaf, "%.*s", (int)path.len, path.data);
	(void)snprintf(place, sizeof place, "%s", leaf);
	there = access(leaf, F_OK) == 0;
	if (there)
		(void)bv__cgroup_sweep(dirname(place)); /* what became of it is looked at */
	if (there && access(leaf, F_OK) == 0)
		note(lost, "group", path, "it is still there", true);
	else
		note(lost, "group", path, there ? "removed" : "gone", false);
}

/* Bytes of an attempt that no record names: its report, which would have, was never written. */
static void drop_half_written(struct lost *lost)
{
	const size_t dropped = bv__blobs_drop(lost->journal, &lost->attempt.id);

	if (dropped > 0)
		note(lost, "bytes", bv_arena_format(lost->arena, "%zu files not yet kept", dropped),
		     "removed", false);
}

static struct bv_str encode(struct lost *lost, const struct bv_type *type, const void *value)
{
	return bv_canon_bytes(lost->arena, type, value);
}

static enum bv_code append(struct lost *lost, const struct bv__entry *entries, size_t count,
			   struct bv_error *err)
{
	struct bv__append append = {.attempt = lost->attempt.id,
				    .entries = entries,
				    .count = count,
				    .durable = true};

	for (size_t i = 0; i < count; i++) {
		if (entries[i].payload.data == NULL)
			return bv_fail(err, BV_E_MEMORY, "journal", "no memory for recovery");
	}
	return bv__journal_append(lost->journal, &append, err);
}

/* What may still be there, before anything is done to it. */
static enum bv_code write_intent(struct lost *lost, struct bv_error *err)
{
	struct bv_quarantine_record found[FOUND_MAX];
	struct bv_recovery_intent_event intent = {.reason = bv_str_from(lost->reason),
						  .found = {found, 0}};
	struct bv__entry entry = {.kind = BV_EVENT_RECOVERY_INTENT};

	if (lost->has_intent)
		return BV_OK;
	for (size_t i = 0; lost->has_bound && i < lost->bound.processes.count && i < FOUND_MAX; i++)
		found[intent.found.count++] = (struct bv_quarantine_record){
			BV_STR("process"), name_of(lost, &lost->bound.processes.items[i])};
	for (size_t i = 0;
	     lost->has_bound && i < lost->bound.groups.count && intent.found.count < FOUND_MAX; i++)
		found[intent.found.count++] = (struct bv_quarantine_record){
			BV_STR("group"), lost->bound.groups.items[i]};
	entry.payload = encode(lost, &bv_recovery_intent_event_type, &intent);
	return append(lost, &entry, 1, err);
}

static enum bv_code write_verdict(struct lost *lost, struct bv_error *err)
{
	struct bv_quarantine_record taken[FOUND_MAX];
	struct bv_recovery_result_event result = {
		.reason = bv_str_from(lost->reason),
		.executed = lost->attempt.state == BV_ATTEMPT_BOUND,
		.swept = {lost->swept, lost->swept_count},
	};
	struct bv_recovery_event verdict = {
		.plan_id = lost->attempt.plan_id,
		.classification = BV_RECOVERY_ROLLED_BACK,
		.quarantined = {taken, 0},
		.has_attempt = true,
		.attempt = lost->attempt.id,
	};
	struct bv__entry entries[2] = {{.kind = BV_EVENT_RECOVERY_RESULT},
				       {.kind = BV_EVENT_RECOVERY}};

	for (size_t i = 0; i < lost->swept_count; i++) {
		if (!bv_str_is(lost->swept[i].result, "gone"))
			taken[verdict.quarantined.count++] = (struct bv_quarantine_record){
				lost->swept[i].kind, lost->swept[i].reference};
	}
	entries[0].payload = encode(lost, &bv_recovery_result_event_type, &result);
	entries[1].payload = encode(lost, &bv_recovery_event_type, &verdict);
	return append(lost, entries, 2, err);
}

static enum bv_code settle(struct lost *lost, bv__recovered_fn fn, void *context,
			   struct bv_error *err)
{
	const bool executed = lost->attempt.state == BV_ATTEMPT_BOUND;
	struct bv_error error = {.code = BV_OK};
	enum bv_code code = write_intent(lost, &error);

	for (size_t i = 0; code == BV_OK && lost->has_bound && i < lost->bound.processes.count; i++)
		end_process(lost, &lost->bound.processes.items[i]);
	for (size_t i = 0; code == BV_OK && lost->has_bound && i < lost->bound.groups.count; i++)
		end_group(lost, lost->bound.groups.items[i]);
	if (code == BV_OK)
		drop_half_written(lost);
	/* What could not be ended is tried again the next time: it has no verdict until then. */
	if (code == BV_OK && lost->failed == 0)
		code = write_verdict(lost, &error);
	/* Another process settled it meanwhile. */
	if (code == BV_E_STATE)
		return BV_OK;
	if (code != BV_OK) {
		if (err != NULL)
			*err = error;
		return code;
	}
	if (fn != NULL)
		fn(context,
		   &(struct bv__recovered){lost->attempt.id, BV_RECOVERY_ROLLED_BACK, executed,
					   lost->reason, lost->swept_count, lost->failed});
	return BV_OK;
}

static enum bv_code look_at(struct lost *lost, const struct bv_host_place *here,
			    bv__recovered_fn fn, void *context, struct bv_error *err)
{
	enum bv_code code = bv__journal_records(lost->journal, &lost->attempt.id, 0, 0, take_record,
						lost, err);

	if (code != BV_OK)
		return code;
	if (!lost->has_request)
		return bv_fail(err, BV_E_JOURNAL, "journal", "an attempt has no record 'request'");
	switch (look_for(here, &lost->request.place, &lost->request.host)) {
	case HOST_LIVES:
	case HOST_OUT_OF_SIGHT:
		return BV_OK;
	case HOST_GONE:
		lost->reason = "its host ended without telling how it ended";
		break;
	case HOST_GONE_WITH_THE_BOOT:
		lost->reason = "the machine was started anew";
		/* And so nothing of it can be left, and no number means anything. */
		lost->has_bound = false;
		break;
	}
	return settle(lost, fn, context, err);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The ids of the attempts without an end; malloc'd. */
static enum bv_code find_open(struct bv_journal *journal, struct bv__attempt **ret_attempts,
			      size_t *ret_count, bool *ret_decisions, struct bv_error *err)
{
	BV_FINALIZE sqlite3_stmt *rows = NULL;
	sqlite3 *db = NULL;
	size_t capacity = 0;
	enum bv_code code = bv__database_read(journal, &db, err);
	int status;

	*ret_attempts = NULL;
	*ret_count = 0;
	if (code != BV_OK)
		return code;
	status = sqlite3_prepare_v2(db,
				    "SELECT " BV__ATTEMPT_COLUMNS " FROM attempt WHERE state < 2",
				    -1, &rows, NULL);
	while (code == BV_OK && (status == SQLITE_OK || status == SQLITE_ROW)) {
		status = sqlite3_step(rows);
		if (status != SQLITE_ROW)
			break;
		if (*ret_count == capacity) {
			struct bv__attempt *more;

			capacity = capacity == 0 ? 16 : capacity * 2;
			more = realloc(*ret_attempts, capacity * sizeof *more);
			if (more == NULL) {
				code = bv_fail(err, BV_E_MEMORY, "journal",
					       "no memory for recovery");
				break;
			}
			*ret_attempts = more;
		}
		if (bv__column_attempt(rows, &(*ret_attempts)[*ret_count]))
			++*ret_count;
		else
			code = bv__sql_fail(NULL, SQLITE_CORRUPT, "an attempt is malformed", err);
	}
	if (code == BV_OK && status != SQLITE_DONE)
		code = bv__sql_fail(db, status, "the journal cannot be read", err);
	sqlite3_finalize(rows); /* before its database; told above */
	rows = NULL;
	/* Here, because looking costs nothing on a connection that is there. */
	*ret_decisions = bv__kept_any_open(db);
	(void)sqlite3_close(db); /* only read from */
	return code;
}

enum bv_code bv__journal_recover(struct bv_journal *journal, bv__recovered_fn fn, void *context,
				 struct bv_error *err)
{
	struct bv__attempt *attempts;
	struct bv_host_place here;
	struct bv_arena arena, rest;
	bool decisions = false;
	size_t count;
	enum bv_code code = find_open(journal, &attempts, &count, &decisions, err);

	if (code == BV_OK && decisions)
		code = bv__dispose_recover(journal, fn, context, err);
	/* Nothing to do costs nothing more. */
	if (code != BV_OK || count == 0) {
		free(attempts);
		return code;
	}
	code = bv__scratch_map(&arena, err);
	if (code != BV_OK) {
		free(attempts);
		return code;
	}
	bv__host_place(&arena, &here);
	rest = arena;
	for (size_t i = 0; i < count && code == BV_OK; i++) {
		struct lost lost = {.journal = journal, .attempt = attempts[i]};

		arena.used = rest.used;
		lost.arena = &arena;
		code = look_at(&lost, &here, fn, context, err);
	}
	bv__scratch_unmap(&arena);
	free(attempts);
	return code;
}

enum bv_code bv__journal_resolve(struct bv_journal *journal, const struct bv_digest *attempt,
				 struct bv_str note_text, struct bv_error *err)
{
	const struct bv_resolution_event resolution = {.principal = (uint32_t)geteuid(),
						       .note = note_text};
	struct bv__attempt found;
	struct bv_arena arena;
	char hex[65];
	enum bv_code code;

	bv_digest_hex(attempt, hex);
	code = bv__journal_find(journal, hex, &found, err);
	if (code == BV_OK)
		code = bv__scratch_map(&arena, err);
	if (code != BV_OK)
		return code;
	code = bv__dispose_resolve(journal, &found,
				   bv_canon_bytes(&arena, &bv_resolution_event_type, &resolution),
				   note_text, err);
	bv__scratch_unmap(&arena);
	return code;
}
