/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The chain: its bytes, and what may follow what. */
#include "journal_world.h"

#include "contract/canon.h"

TEST(the_chain_is_what_the_format_says)
{
	const uint8_t store[BV_STORE_BYTES] = {1, 2,  3,  4,  5,  6,  7,  8,
					       9, 10, 11, 12, 13, 14, 15, 16};
	struct bv__record record = {.seq = 0x0102030405060708,
				    .attempt = attempt_id(5),
				    .kind = 0xe002,
				    .version = 1,
				    .at_us = 0x1112131415161718,
				    .payload_digest = attempt_id(6)};
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

	new_place();
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
	const struct bv_digest one = attempt_id(1), two = attempt_id(2);
	struct bv_journal *journal;
	struct bv_recovery_event verdict = {.classification = BV_RECOVERY_ROLLED_BACK};
	struct bv_str rolled_back;

	new_place();
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
