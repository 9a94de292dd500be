/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* transcript.c - holds what the launcher says to the protocol of records.h. */
#include "transcript.h"

#include <string.h>

#include "contract/budget.h"

#define WHERE "launcher"

static size_t payload_size(uint32_t type)
{
	switch ((enum bv_record_type)type) {
	case BV_RECORD_STATE:
		return sizeof(struct bv_record_state);
	case BV_RECORD_REFUSAL:
		return sizeof(struct bv_record_refusal);
	case BV_RECORD_FAULT:
		return sizeof(struct bv_record_fault);
	case BV_RECORD_INSTALLED:
		return sizeof(struct bv_record_installed);
	case BV_RECORD_EXEC:
		return 0;
	case BV_RECORD_DENIED:
		return sizeof(struct bv_record_denied);
	case BV_RECORD_EXIT:
		return sizeof(struct bv_record_exit);
	case BV_RECORD_LIMIT:
		return sizeof(struct bv_record_limit);
	case BV_RECORD_USAGE:
		return sizeof(struct bv_record_usage);
	case BV_RECORD_STORAGE:
		return sizeof(struct bv_record_storage);
	}
	return SIZE_MAX;
}

void bv__transcript_init(struct bv_transcript *transcript)
{
	*transcript = (struct bv_transcript){.phase = BV_PHASE_SETUP};
}

static enum bv_code out_of_order(const struct bv_transcript *transcript, const char *what,
				 struct bv_error *err)
{
	return bv_fail(err, BV_E_LAUNCHER, WHERE, "the launcher said %s after %s", what,
		       transcript->started ? bv__launcher_state_name(transcript->state)
					   : "nothing");
}

static bool is_terminal(enum bv_launcher_state state)
{
	return state >= BV_STATE_EXEC_SUCCEEDED;
}

static enum bv_code accept_state(struct bv_transcript *transcript,
				 const struct bv_record_state *record, struct bv_error *err)
{
	const enum bv_launcher_state state = (enum bv_launcher_state)record->state;
	bool legal;

	if (record->state >= BV_STATE_COUNT || record->reserved != 0)
		return bv_fail(err, BV_E_LAUNCHER, WHERE,
			       "the launcher named a state that does not exist");
	if (transcript->phase == BV_PHASE_CONCLUDED)
		legal = state == transcript->closing && !is_terminal(transcript->state);
	else if (!transcript->started)
		legal = state == BV_STATE_LAUNCHER_STARTED;
	else if (state == BV_STATE_READY_TO_EXEC)
		/* Nothing may be executed that the host has not looked at. */
		legal = transcript->state == state - 1 && transcript->released;
	else
		/* The terminal states follow their record, but for success, which precedes it. */
		legal = state < BV_STATE_SETUP_REFUSED && transcript->state == state - 1;
	if (!legal)
		return out_of_order(transcript, bv__launcher_state_name(record->state), err);
	transcript->started = true;
	transcript->state = state;
	if (transcript->phase == BV_PHASE_CONCLUDED)
		transcript->phase = BV_PHASE_OVER;
	return BV_OK;
}

static enum bv_code accept_refusal(struct bv_transcript *transcript,
				   const struct bv_record_refusal *record, struct bv_error *err)
{
	if (record->reason >= BV_REFUSAL_COUNT || record->reserved != 0 ||
	    memchr(record->detail, '\0', sizeof(record->detail)) == NULL)
		return bv_fail(err, BV_E_LAUNCHER, WHERE, "the launcher refused without a reason");
	if (transcript->phase != BV_PHASE_SETUP || !transcript->started ||
	    transcript->state >= BV_STATE_CHILD_CREATED)
		return out_of_order(transcript, "a refusal", err);
	transcript->phase = BV_PHASE_CONCLUDED;
	transcript->closing = BV_STATE_SETUP_REFUSED;
	return BV_OK;
}

static enum bv_code accept_fault(struct bv_transcript *transcript,
				 const struct bv_record_fault *record, struct bv_error *err)
{
	if (record->step >= BV_STEP_COUNT || record->reserved != 0 || record->sys_errno < 0)
		return bv_fail(err, BV_E_LAUNCHER, WHERE,
			       "the launcher named a step that does not exist");
	if ((transcript->phase != BV_PHASE_SETUP && transcript->phase != BV_PHASE_INSTALLED) ||
	    !transcript->started || is_terminal(transcript->state))
		return out_of_order(transcript, "a fault", err);
	transcript->phase = BV_PHASE_CONCLUDED;
	transcript->closing = BV_STATE_SETUP_FAULTED;
	return BV_OK;
}

static enum bv_code accept_installed(struct bv_transcript *transcript,
				     const struct bv_record_installed *record, struct bv_error *err)
{
	if (record->workload_pid <= 1 || record->init_pid < 0 || record->init_pid == 1 ||
	    record->init_pid == record->workload_pid)
		return bv_fail(err, BV_E_LAUNCHER, WHERE,
			       "the launcher named a process that cannot be the workload");
	if (transcript->phase != BV_PHASE_SETUP || !transcript->started ||
	    transcript->state != BV_STATE_CONFINEMENT_PHASE_RESOLVED)
		return out_of_order(transcript, "that the layers are installed", err);
	transcript->phase = BV_PHASE_INSTALLED;
	return BV_OK;
}

/* Each only once, and none that this launcher does not hold. */
static enum bv_code accept_limit(struct bv_transcript *transcript,
				 const struct bv_record_limit *record, struct bv_error *err)
{
	if ((record->dimension > BV_DIMENSION_PROCESSES &&
	     record->dimension != BV_DIMENSION_STORAGE) ||
	    record->reserved != 0)
		return bv_fail(err, BV_E_LAUNCHER, WHERE,
			       "the launcher named a limit that it does not hold");
	if (transcript->phase != BV_PHASE_EXECUTED || transcript->reached >> record->dimension & 1)
		return out_of_order(transcript, "that a limit was reached", err);
	transcript->reached |= 1U << record->dimension;
	return BV_OK;
}

static enum bv_code accept_late(struct bv_transcript *transcript, const struct bv_record *record,
				struct bv_error *err)
{
	if (record->header.type == BV_RECORD_EXEC) {
		if (transcript->phase != BV_PHASE_INSTALLED ||
		    transcript->state != BV_STATE_EXEC_SUCCEEDED)
			return out_of_order(transcript, "that the program runs", err);
		transcript->phase = BV_PHASE_EXECUTED;
		return BV_OK;
	}
	if (record->header.type == BV_RECORD_DENIED) {
		/* The filter may deny the program's first call before the launcher has seen the exec. */
		if (!transcript->released || transcript->phase > BV_PHASE_EXECUTED ||
		    record->u.denied.count == 0)
			return out_of_order(transcript, "that a call was denied", err);
		return BV_OK;
	}
	if (record->header.type == BV_RECORD_LIMIT)
		return accept_limit(transcript, &record->u.limit, err);
	if (record->header.type == BV_RECORD_USAGE) {
		if (transcript->phase != BV_PHASE_EXECUTED || record->u.usage.blind > 1 ||
		    record->u.usage.reserved != 0)
			return out_of_order(transcript, "what was used", err);
		transcript->phase = BV_PHASE_MEASURED;
		return BV_OK;
	}
	if (record->header.type == BV_RECORD_STORAGE) {
		if (transcript->phase != BV_PHASE_EXECUTED || transcript->stored ||
		    record->u.storage.full > (BV_STORAGE_TMP_FULL | BV_STORAGE_STAGE_FULL) ||
		    record->u.storage.unfinished > 1 || record->u.storage.hidden > 1 ||
		    record->u.storage.reserved != 0)
			return out_of_order(transcript, "what was stored", err);
		transcript->stored = true;
		return BV_OK;
	}
	if (transcript->phase != BV_PHASE_MEASURED || record->u.exit.killed > 1)
		return out_of_order(transcript, "that the workload ended", err);
	transcript->phase = BV_PHASE_OVER;
	return BV_OK;
}

static enum bv_code check_header(const struct bv_transcript *transcript,
				 const struct bv_record_header *header, size_t size_bytes,
				 struct bv_error *err)
{
	const size_t wanted = payload_size(header->type);

	if (wanted == SIZE_MAX)
		return bv_fail(err, BV_E_LAUNCHER, WHERE, "a record of unknown type %u",
			       header->type);
	if (header->size_bytes != wanted || size_bytes != sizeof(*header) + wanted)
		return bv_fail(err, BV_E_LAUNCHER, WHERE,
			       "a record of type %u with %zu bytes, not %zu", header->type,
			       size_bytes, sizeof(*header) + wanted);
	if (header->sequence != transcript->next_sequence)
		return bv_fail(err, BV_E_LAUNCHER, WHERE, "record %llu came where %llu was due",
			       (unsigned long long)header->sequence,
			       (unsigned long long)transcript->next_sequence);
	if (header->monotonic_ns < transcript->last_ns)
		return bv_fail(err, BV_E_LAUNCHER, WHERE,
			       "a record from before the one it follows");
	if (transcript->phase == BV_PHASE_OVER)
		return bv_fail(err, BV_E_LAUNCHER, WHERE, "a record after the last one");
	return BV_OK;
}

enum bv_code bv__transcript_accept(struct bv_transcript *transcript, const void *packet,
				   size_t size_bytes, struct bv_record *ret_record,
				   struct bv_error *err)
{
	struct bv_record record;
	enum bv_code code;

	if (size_bytes < sizeof(record.header) || size_bytes > sizeof(record))
		return bv_fail(err, BV_E_LAUNCHER, WHERE, "a packet of %zu bytes is no record",
			       size_bytes);
	memset(&record, 0, sizeof(record));
	memcpy(&record.header, packet, sizeof(record.header));
	memcpy(&record.u, (const char *)packet + sizeof(record.header),
	       size_bytes - sizeof(record.header));
	code = check_header(transcript, &record.header, size_bytes, err);
	if (code != BV_OK)
		return code;
	switch ((enum bv_record_type)record.header.type) {
	case BV_RECORD_STATE:
		code = accept_state(transcript, &record.u.state, err);
		break;
	case BV_RECORD_REFUSAL:
		code = accept_refusal(transcript, &record.u.refusal, err);
		break;
	case BV_RECORD_FAULT:
		code = accept_fault(transcript, &record.u.fault, err);
		break;
	case BV_RECORD_INSTALLED:
		code = accept_installed(transcript, &record.u.installed, err);
		break;
	case BV_RECORD_EXEC:
	case BV_RECORD_DENIED:
	case BV_RECORD_EXIT:
	case BV_RECORD_LIMIT:
	case BV_RECORD_USAGE:
	case BV_RECORD_STORAGE:
		code = accept_late(transcript, &record, err);
		break;
	}
	if (code != BV_OK)
		return code;
	transcript->next_sequence++;
	transcript->last_ns = record.header.monotonic_ns;
	*ret_record = record;
	return BV_OK;
}

const char *bv__launcher_state_name(uint32_t state)
{
	static const char *const names[BV_STATE_COUNT] = {
		[BV_STATE_LAUNCHER_STARTED] = "LauncherStarted",
		[BV_STATE_IDENTITY_VERIFIED] = "IdentityVerified",
		[BV_STATE_PLAN_VERIFIED] = "PlanVerified",
		[BV_STATE_HANDLES_VERIFIED] = "HandlesVerified",
		[BV_STATE_CHILD_CREATED] = "ChildCreated",
		[BV_STATE_IDENTITY_PHASE_RESOLVED] = "IdentityPhaseResolved",
		[BV_STATE_VISIBILITY_PHASE_RESOLVED] = "VisibilityPhaseResolved",
		[BV_STATE_AMBIENT_AUTHORITY_PHASE_RESOLVED] = "AmbientAuthorityPhaseResolved",
		[BV_STATE_CONFINEMENT_PHASE_RESOLVED] = "ConfinementPhaseResolved",
		[BV_STATE_READY_TO_EXEC] = "ReadyToExec",
		[BV_STATE_EXEC_SUCCEEDED] = "ExecSucceeded",
		[BV_STATE_SETUP_REFUSED] = "SetupRefused",
		[BV_STATE_SETUP_FAULTED] = "SetupFaulted",
	};

	return state < BV_STATE_COUNT ? names[state] : "?";
}

const char *bv__launcher_refusal_name(uint32_t reason)
{
	static const char *const names[BV_REFUSAL_COUNT] = {
		[BV_REFUSAL_MISSING_PRIMITIVE] = "MissingPrimitive",
		[BV_REFUSAL_IDENTITY_MISMATCH] = "IdentityMismatch",
		[BV_REFUSAL_PLAN_INVALID] = "PlanInvalid",
		[BV_REFUSAL_HANDLE_MISMATCH] = "HandleMismatch",
	};

	return reason < BV_REFUSAL_COUNT ? names[reason] : "?";
}

const char *bv__step_name(uint32_t step)
{
	static const char *const names[BV_STEP_COUNT] = {
#define BV_STEP_ROW(constant, name, text) name,
		BV_STEPS(BV_STEP_ROW)
#undef BV_STEP_ROW
	};

	return step < BV_STEP_COUNT ? names[step] : "?";
}

const char *bv__step_text(uint32_t step)
{
	static const char *const texts[BV_STEP_COUNT] = {
#define BV_STEP_ROW(constant, name, text) text,
		BV_STEPS(BV_STEP_ROW)
#undef BV_STEP_ROW
	};

	return step < BV_STEP_COUNT ? texts[step] : "?";
}
