/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* transcript.c - the host takes the launcher's word only in the order the protocol allows. */
#include "linux/transcript.h"

#include <string.h>

#include "contract/budget.h"
#include "test.h"

struct packet {
	struct bv_record_header header;
	union {
		struct bv_record_state state;
		struct bv_record_refusal refusal;
		struct bv_record_fault fault;
		struct bv_record_installed installed;
		struct bv_record_denied denied;
		struct bv_record_exit exit;
		struct bv_record_limit limit;
		struct bv_record_usage usage;
		struct bv_record_storage storage;
	} u;
};

static size_t payload_of(enum bv_record_type type)
{
	const struct packet *none = NULL;

	switch (type) {
	case BV_RECORD_STATE:
		return sizeof(none->u.state);
	case BV_RECORD_REFUSAL:
		return sizeof(none->u.refusal);
	case BV_RECORD_FAULT:
		return sizeof(none->u.fault);
	case BV_RECORD_INSTALLED:
		return sizeof(none->u.installed);
	case BV_RECORD_EXEC:
		return 0;
	case BV_RECORD_DENIED:
		return sizeof(none->u.denied);
	case BV_RECORD_EXIT:
		return sizeof(none->u.exit);
	case BV_RECORD_LIMIT:
		return sizeof(none->u.limit);
	case BV_RECORD_USAGE:
		return sizeof(none->u.usage);
	case BV_RECORD_STORAGE:
		return sizeof(none->u.storage);
	}
	return 0;
}

/* One packet of a script: states are their number, the rest 100 + their type. */
enum {
	REFUSAL = 100 + BV_RECORD_REFUSAL,
	FAULT = 100 + BV_RECORD_FAULT,
	INSTALLED = 100 + BV_RECORD_INSTALLED,
	EXEC = 100 + BV_RECORD_EXEC,
	DENIED = 100 + BV_RECORD_DENIED,
	EXIT = 100 + BV_RECORD_EXIT,
	USAGE = 100 + BV_RECORD_USAGE,
	LIMIT = 100 + BV_RECORD_LIMIT, /* the first of them; the others follow it */
	STORAGE = 100 + BV_RECORD_STORAGE,
	RELEASE = 200, /* what the host does */
	END = -1,
};

/* clang-format off */
static const int whole_run[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, INSTALLED, RELEASE, 9, 10, EXEC, DENIED,
				DENIED, STORAGE, USAGE, EXIT, END};
static const int limited_run[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, INSTALLED, RELEASE, 9, 10, EXEC, LIMIT,
				  DENIED, USAGE, EXIT, END};
/* clang-format on */
static const int refused[] = {0, 1, REFUSAL, 11, END};
static const int refused_at_once[] = {0, REFUSAL, 11, END};
static const int faulted[] = {0, 1, 2, 3, 4, FAULT, 12, END};
static const int failed_exec[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, INSTALLED, RELEASE, 9, FAULT, 12, END};
static const int failed_exec_early[] = {0, 1, 2,         3,       4,     5,  6,
					7, 8, INSTALLED, RELEASE, FAULT, 12, END};
static const int *const legal[] = {whole_run, limited_run, refused,          refused_at_once,
				   faulted,   failed_exec, failed_exec_early};

static struct packet packet_of(int what, uint64_t sequence)
{
	struct packet packet;
	const enum bv_record_type type = what < 100 ? BV_RECORD_STATE
						    : (enum bv_record_type)(what - 100);

	memset(&packet, 0, sizeof(packet));
	packet.header = (struct bv_record_header){type, (uint32_t)payload_of(type), sequence,
						  1000 + sequence};
	if (type == BV_RECORD_STATE)
		packet.u.state.state = (uint32_t)what;
	else if (type == BV_RECORD_INSTALLED)
		packet.u.installed = (struct bv_record_installed){4711, 4710};
	else if (type == BV_RECORD_DENIED)
		packet.u.denied.count = 1;
	else if (type == BV_RECORD_FAULT)
		packet.u.fault.step = BV_STEP_EXEC;
	return packet;
}

static enum bv_code say(struct bv_transcript *transcript, const struct packet *packet)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_record record;
	const enum bv_code code = bv__transcript_accept(transcript, packet,
							sizeof(packet->header) +
								packet->header.size_bytes,
							&record, &err);

	if (code != BV_OK) {
		EXPECT_INT(code, BV_E_LAUNCHER);
		EXPECT(err.message[0] != '\0');
	}
	return code;
}

/* Plays a script up to `count` steps; how many packets were taken. */
static size_t play(struct bv_transcript *transcript, const int *script, size_t count)
{
	uint64_t sequence = 0;
	size_t at = 0;

	bv__transcript_init(transcript);
	for (; at < count && script[at] != END; at++) {
		struct packet packet;

		if (script[at] == RELEASE) {
			transcript->released = true;
			continue;
		}
		packet = packet_of(script[at], sequence++);
		if (say(transcript, &packet) != BV_OK)
			break;
	}
	return at;
}

static size_t length_of(const int *script)
{
	size_t count = 0;

	while (script[count] != END)
		count++;
	return count;
}

TEST(every_legal_run_is_taken_to_its_end)
{
	for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
		struct bv_transcript transcript;

		EXPECT_THAT(play(&transcript, legal[i], 100) == length_of(legal[i]),
			    "script %zu stopped", i);
		EXPECT_INT(transcript.phase, BV_PHASE_OVER);
	}
}

/* Whether some legal run goes on with `what` after the first `count` steps of `script`. */
static bool may_follow(const int *script, size_t count, int what)
{
	for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
		if (length_of(legal[i]) > count &&
		    memcmp(legal[i], script, count * sizeof(int)) == 0 && legal[i][count] == what)
			return true;
	}
	return false;
}

/* A fault may strike at any step, a refusal before the child; calls are denied while it runs. */
static bool is_always_possible(const struct bv_transcript *transcript, int what)
{
	if (what == FAULT)
		return transcript->started && transcript->phase <= BV_PHASE_INSTALLED &&
		       transcript->state < BV_STATE_EXEC_SUCCEEDED;
	if (what == REFUSAL)
		return transcript->started && transcript->phase == BV_PHASE_SETUP &&
		       transcript->state < BV_STATE_CHILD_CREATED;
	if (what == DENIED)
		return transcript->released && transcript->phase <= BV_PHASE_EXECUTED;
	if (what == LIMIT)
		return transcript->phase == BV_PHASE_EXECUTED && transcript->reached == 0;
	if (what == USAGE)
		return transcript->phase == BV_PHASE_EXECUTED;
	if (what == EXIT)
		return transcript->phase == BV_PHASE_MEASURED;
	if (what == STORAGE)
		return transcript->phase == BV_PHASE_EXECUTED && !transcript->stored;
	return false;
}

TEST(anything_else_at_any_point_is_a_fault)
{
	static const int everything[] = {0,    1,       2,     3,         4,    5,
					 6,    7,       8,     9,         10,   11,
					 12,   REFUSAL, FAULT, INSTALLED, EXEC, DENIED,
					 EXIT, LIMIT,   USAGE, STORAGE};

	for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
		for (size_t count = 0; count <= length_of(legal[i]); count++) {
			for (size_t w = 0; w < sizeof(everything) / sizeof(everything[0]); w++) {
				struct bv_transcript transcript;
				struct packet packet;
				bool legal_now;

				EXPECT_UINT(play(&transcript, legal[i], count), count);
				legal_now = may_follow(legal[i], count, everything[w]) ||
					    is_always_possible(&transcript, everything[w]);
				packet = packet_of(everything[w], transcript.next_sequence);
				EXPECT_THAT((say(&transcript, &packet) == BV_OK) == legal_now,
					    "script %zu after %zu steps: %d should be %s", i, count,
					    everything[w], legal_now ? "taken" : "refused");
			}
		}
	}
}

/* Every packet of a legal run with one field wrong. */
TEST(a_packet_with_one_thing_wrong_is_a_fault)
{
	for (size_t count = 0; whole_run[count] != END; count++) {
		struct bv_transcript transcript;
		struct packet good, bad;

		if (whole_run[count] == RELEASE)
			continue;
		EXPECT_UINT(play(&transcript, whole_run, count), count);
		good = packet_of(whole_run[count], transcript.next_sequence);
		for (int wrong = 0; wrong < 6; wrong++) {
			struct bv_transcript copy = transcript;
			struct bv_error err = {.code = BV_OK};
			struct bv_record record;
			size_t size;

			bad = good;
			size = sizeof(bad.header) + bad.header.size_bytes;
			if (wrong == 0)
				bad.header.sequence++;
			else if (wrong == 1)
				bad.header.type = 99;
			else if (wrong == 2)
				bad.header.size_bytes += 4;
			else if (wrong == 3)
				size--;
			else if (wrong == 4)
				size++;
			else if (transcript.last_ns > 0)
				bad.header.monotonic_ns = transcript.last_ns - 1;
			else
				continue;
			EXPECT_THAT(bv__transcript_accept(&copy, &bad, size, &record, &err) ==
					    BV_E_LAUNCHER,
				    "step %zu with %d wrong was taken", count, wrong);
		}
		EXPECT(say(&transcript, &good) == BV_OK);
	}
}

static void expect_refused(const int *before, size_t count, const struct packet *packet,
			   const char *what)
{
	struct bv_transcript transcript;
	struct packet copy = *packet;

	EXPECT_UINT(play(&transcript, before, count), count);
	copy.header.sequence = transcript.next_sequence;
	EXPECT_THAT(say(&transcript, &copy) == BV_E_LAUNCHER, "%s was taken", what);
}

TEST(payloads_that_cannot_be_are_faults)
{
	struct packet packet = packet_of(INSTALLED, 0);

	packet.u.installed.workload_pid = 0;
	expect_refused(whole_run, 9, &packet, "a workload without a pid");
	packet.u.installed = (struct bv_record_installed){-1, 0};
	expect_refused(whole_run, 9, &packet, "a negative pid");
	packet.u.installed = (struct bv_record_installed){1, 0};
	expect_refused(whole_run, 9, &packet, "init as the workload");
	packet.u.installed = (struct bv_record_installed){77, 77};
	expect_refused(whole_run, 9, &packet, "PID 1 as its own workload");
	packet = packet_of(13, 0);
	expect_refused(whole_run, 4, &packet, "a fourteenth state");
	packet = packet_of(REFUSAL, 0);
	packet.u.refusal.reason = BV_REFUSAL_COUNT;
	expect_refused(whole_run, 1, &packet, "an unknown reason");
	packet = packet_of(REFUSAL, 0);
	memset(packet.u.refusal.detail, 'x', sizeof(packet.u.refusal.detail));
	expect_refused(whole_run, 1, &packet, "a text without an end");
	packet = packet_of(FAULT, 0);
	packet.u.fault.step = BV_STEP_COUNT;
	expect_refused(whole_run, 5, &packet, "an unknown step");
	packet = packet_of(FAULT, 0);
	packet.u.fault.sys_errno = -5;
	expect_refused(whole_run, 5, &packet, "a negative errno");
	packet = packet_of(EXIT, 0);
	packet.u.exit.killed = 2;
	expect_refused(whole_run, 17, &packet, "killed twice");
	packet = packet_of(USAGE, 0);
	packet.u.usage.blind = 2;
	expect_refused(whole_run, 16, &packet, "blind twice");
	packet = packet_of(USAGE, 0);
	packet.u.usage.reserved = 1;
	expect_refused(whole_run, 16, &packet, "usage of something else");
	packet = packet_of(LIMIT, 0);
	packet.u.limit.dimension = BV_DIMENSION_HANDLES;
	expect_refused(whole_run, 14, &packet, "a limit of the kernel's");
	packet.u.limit.dimension = BV_DIMENSION_COUNT + 25;
	expect_refused(whole_run, 14, &packet, "a limit that is none");
	packet = packet_of(LIMIT, 0);
	packet.u.limit.reserved = 1;
	expect_refused(whole_run, 14, &packet, "half a limit");
	packet = packet_of(LIMIT, 0);
	expect_refused(limited_run, 15, &packet, "the same limit again");
	packet = packet_of(DENIED, 0);
	packet.u.denied.count = 0;
	expect_refused(whole_run, 14, &packet, "denied never");
}

TEST(nothing_is_executed_that_was_not_released)
{
	static const int unreleased[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, INSTALLED, END};
	struct packet packet = packet_of(9, 0);

	expect_refused(unreleased, 10, &packet, "ReadyToExec before the release");
}

/* Random packets after random prefixes: never taken as an exit, an exec or an installation out of turn. */
TEST(random_packets_never_reach_a_later_phase)
{
	uint64_t seed = 0x9e3779b97f4a7c15u;

	for (int round = 0; round < 200000; round++) {
		uint8_t noise[sizeof(struct packet) + 8];
		struct bv_transcript transcript;
		struct bv_error err = {.code = BV_OK};
		struct bv_record record;
		size_t size;

		for (size_t i = 0; i < sizeof(noise); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			/* Mostly small numbers, so that some headers look right. */
			noise[i] = (uint8_t)((seed >> 40) % 3 == 0 ? seed >> 56 : 0);
		}
		size = (size_t)(seed >> 33) % sizeof(noise);
		(void)play(&transcript, whole_run, (size_t)(seed >> 50) % 9);
		if (bv__transcript_accept(&transcript, noise, size, &record, &err) == BV_OK)
			EXPECT(transcript.phase == BV_PHASE_SETUP ||
			       transcript.phase == BV_PHASE_CONCLUDED);
	}
}

TEST(names_are_there_for_every_number_and_for_none)
{
	for (uint32_t step = 0; step < BV_STEP_COUNT; step++)
		EXPECT(strcmp(bv__step_name(step), "?") != 0 &&
		       strcmp(bv__step_text(step), "?") != 0);
	for (uint32_t state = 0; state < BV_STATE_COUNT; state++)
		EXPECT(strcmp(bv__launcher_state_name(state), "?") != 0);
	for (uint32_t reason = 0; reason < BV_REFUSAL_COUNT; reason++)
		EXPECT(strcmp(bv__launcher_refusal_name(reason), "?") != 0);
	EXPECT_STR(bv__step_name(BV_STEP_COUNT), "?");
	EXPECT_STR(bv__launcher_state_name(1000), "?");
	EXPECT_STR(bv__launcher_refusal_name(~0u), "?");
}
