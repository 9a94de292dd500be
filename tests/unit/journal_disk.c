/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Disks that fail, are full or cannot be written, and a clock that steps back. */
#include "journal_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "journal_faults.h"

TEST(after_a_failed_sync_nothing_is_called_durable)
{
	const struct bv_digest one = attempt_id(1), two = attempt_id(2);
	struct bv_journal *journal;

	new_place();
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
	const struct bv_digest one = attempt_id(1), two = attempt_id(2);
	struct bv_journal *journal;

	new_place();
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

TEST(a_used_up_quota_is_a_full_disk)
{
	const struct bv_digest id = attempt_id(1);
	struct bv__entry entries[1] = {{.kind = BV_EVENT_STARTED}};
	struct bv__reserve reserve = {-1};
	struct bv__append append = {.attempt = id,
				    .entries = entries,
				    .count = 1,
				    .durable = true,
				    .reserve = &reserve};
	struct bv_journal *journal;

	new_place();
	journal = open_journal();
	entries[0].payload = started(&id);
	OK(bv__reserve_take(journal, 4096, &reserve, &err));
	faults.fail_write_errno = EDQUOT;
	FAILS(bv__journal_append(journal, &append, &err), BV_E_JOURNAL);
	/* What was kept free was given up for it. */
	EXPECT_INT(reserve.fd, -1);
	faults.fail_write_errno = 0;
	OK(put(journal, &id, BV_EVENT_STARTED, started(&id), true));
	bv__journal_close(journal);
}

/* Somebody tidies up under a run: what is written after that is in files nobody will find. */
TEST(a_journal_that_is_gone_from_its_place_takes_no_report)
{
	static const char *const names[] = {"", "-wal"};
	static const char *const ways[] = {
		"rm \"$FILE\"", "mv \"$FILE\" \"$FILE.aside\"",
		"cp \"$FILE\" \"$FILE.new\" && mv \"$FILE.new\" \"$FILE\""};

	for (size_t i = 0; i < 2; i++) {
		for (size_t way = 0; way < 3; way++) {
			const struct bv_digest id = attempt_id(1);
			struct bv_journal *journal;
			char file[128];

			new_place();
			journal = open_journal();
			start_attempt(journal, 1);
			OK(put(journal, &id, BV_EVENT_BOUND, bound_to(0), true));
			(void)snprintf(file, sizeof file, "%s%s", scratch.path, names[i]);
			EXPECT(setenv("FILE", file, 1) == 0);
			EXPECT_INT(system(ways[way]), 0);
			FAILS(put(journal, &id, BV_EVENT_REPORT, report_of(&id), true),
			      BV_E_JOURNAL);
			EXPECT(strstr(err.message, "moved, replaced or removed") != NULL);
			bv__journal_close(journal);
			scratch_remove();
		}
	}
}

TEST(the_report_has_room_on_a_full_disk)
{
	const struct bv_digest id = attempt_id(1), next = attempt_id(2);
	struct bv__entry entry = {.kind = BV_EVENT_REPORT};
	struct bv__reserve reserve = {-1}, none = {-1};
	struct bv__append append = {
		.attempt = id, .entries = &entry, .count = 1, .durable = true, .reserve = &reserve};
	struct bv_journal *journal;
	static char block[65536];
	char filler[96];
	int fd;

	new_place();
	if (mount("tmpfs", scratch.dir, "tmpfs", 0, "size=2m") != 0)
		SKIP("cannot mount a small disk here");
	journal = open_journal();
	start_attempt(journal, 1);
	OK(put(journal, &id, BV_EVENT_BOUND, bound_to(0), true));
	OK(bv__reserve_take(journal, BV_JOURNAL_RESERVE, &reserve, &err));
	(void)snprintf(filler, sizeof filler, "%s/filler", scratch.dir);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	EXPECT(fd >= 0);
	while (write(fd, block, sizeof block) > 0) {
	}
	while (write(fd, block, 1) > 0) {
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
	EXPECT(umount2(scratch.dir, MNT_DETACH) == 0);
}

TEST(a_journal_on_a_medium_that_cannot_be_written_is_read)
{
	struct bv_journal *journal = NULL;

	new_place();
	journal = open_journal();
	run_attempt(journal, 1);
	bv__journal_close(journal);
	empty_the_log();
	if (mount(scratch.dir, scratch.dir, NULL, MS_BIND, NULL) != 0 ||
	    mount(NULL, scratch.dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
		SKIP("cannot mount here");
	EXPECT_UINT(count_whole(), 5);
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = scratch.path}, &journal, &err),
	      BV_E_JOURNAL);
	EXPECT(umount2(scratch.dir, MNT_DETACH) == 0);
}

/* A clock that steps back is told, and breaks nothing. */
TEST(a_clock_that_steps_back_is_no_damage)
{
	const struct bv_digest id = attempt_id(1);
	struct bv_journal *journal;
	struct bv__verified found;

	new_place();
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
