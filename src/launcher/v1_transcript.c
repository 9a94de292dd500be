/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Protocol 1's transcript: lines of text on the control channel, a state bare, a note behind "# ".
 *
 * Write errors are ignored on purpose: the host may be gone, and the launch must end the same way
 * whether somebody listens or not.
 */
#include "launcher/v1.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static const char *const state_names[BV_STATE_COUNT] = {
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

static const char *const refusal_names[BV_REFUSAL_COUNT] = {
	[BV_REFUSAL_MISSING_PRIMITIVE] = "MissingPrimitive",
	[BV_REFUSAL_IDENTITY_MISMATCH] = "IdentityMismatch",
	[BV_REFUSAL_PLAN_INVALID] = "PlanInvalid",
	[BV_REFUSAL_HANDLE_MISMATCH] = "HandleMismatch",
};

struct line {
	char text[512];
	size_t len;
};

/* The last byte is kept for the newline. */
static void line_put(struct line *line, const char *text)
{
	for (; *text != '\0' && line->len < sizeof(line->text) - 1; text++)
		line->text[line->len++] = *text;
}

static void line_put_printable(struct line *line, const char *text)
{
	for (; *text != '\0' && line->len < sizeof(line->text) - 1; text++)
		line->text[line->len++] = *text >= 0x20 && *text < 0x7f ? *text : '?';
}

static void line_put_number(struct line *line, int64_t number)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0);
	if (number < 0)
		digits[--at] = '-';
	line_put(line, digits + at);
}

static void line_send(struct bv_v1_transcript *transcript, struct line *line)
{
	size_t sent = 0;

	line->text[line->len++] = '\n';
	while (sent < line->len) {
		ssize_t got = send(transcript->fd, line->text + sent, line->len - sent,
				   MSG_NOSIGNAL);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		sent += (size_t)got;
	}
}

bool bv__v1_ended(const struct bv_v1_transcript *transcript)
{
	return transcript->state >= BV_STATE_EXEC_SUCCEEDED;
}

void bv__v1_state(struct bv_v1_transcript *transcript, enum bv_launcher_state state)
{
	struct line line = {.len = 0};

	bv_assert(!bv__v1_ended(transcript));
	bv_assert((int)state == transcript->state + 1 || state == BV_STATE_SETUP_REFUSED ||
		  state == BV_STATE_SETUP_FAULTED);
	transcript->state = (int)state;
	line_put(&line, state_names[state]);
	line_send(transcript, &line);
}

void bv__v1_note(struct bv_v1_transcript *transcript, const char *text)
{
	bv__v1_note_text(transcript, text, "");
}

void bv__v1_note_number(struct bv_v1_transcript *transcript, const char *text, int64_t number)
{
	struct line line = {.len = 0};

	line_put(&line, "# ");
	line_put(&line, text);
	line_put_number(&line, number);
	line_send(transcript, &line);
}

void bv__v1_note_text(struct bv_v1_transcript *transcript, const char *text, const char *value)
{
	struct line line = {.len = 0};

	line_put(&line, "# ");
	line_put(&line, text);
	line_put_printable(&line, value);
	line_send(transcript, &line);
}

/* The reason comes immediately before the state; hosts ignore a note they do not know, `why`. */
static int refuse(struct bv_v1_transcript *transcript, enum bv_launcher_refusal reason,
		  struct line *why)
{
	line_send(transcript, why);
	bv__v1_note_text(transcript, "refusal=", refusal_names[reason]);
	bv__v1_state(transcript, BV_STATE_SETUP_REFUSED);
	return BV_LAUNCHER_EXIT_REFUSED;
}

int bv__v1_refuse(struct bv_v1_transcript *transcript, enum bv_launcher_refusal reason,
		  const char *why)
{
	struct line line = {.len = 0};

	line_put(&line, "# why: ");
	line_put_printable(&line, why);
	return refuse(transcript, reason, &line);
}

int bv__v1_refuse_number(struct bv_v1_transcript *transcript, enum bv_launcher_refusal reason,
			 const char *why, int64_t number)
{
	struct line line = {.len = 0};

	line_put(&line, "# why: ");
	line_put_printable(&line, why);
	line_put_number(&line, number);
	return refuse(transcript, reason, &line);
}

/* A fault's note comes after the state, unlike a refusal's. */
static int fault(struct bv_v1_transcript *transcript, struct line *note)
{
	bv__v1_state(transcript, BV_STATE_SETUP_FAULTED);
	line_send(transcript, note);
	return BV_LAUNCHER_EXIT_FAULTED;
}

int bv__v1_fault_text(struct bv_v1_transcript *transcript, const char *text, const char *value)
{
	struct line line = {.len = 0};

	line_put(&line, "# fault: ");
	line_put(&line, text);
	line_put_printable(&line, value);
	return fault(transcript, &line);
}

int bv__v1_fault_errno(struct bv_v1_transcript *transcript, int sys_errno)
{
	struct line line = {.len = 0};

	line_put(&line, "# fault: launcher OS fault: ");
	line_put(&line, strerror(sys_errno));
	line_put(&line, " (os error ");
	line_put_number(&line, sys_errno);
	line_put(&line, ")");
	return fault(transcript, &line);
}

int bv__v1_fault_tasks(struct bv_v1_transcript *transcript, int tasks)
{
	struct line line = {.len = 0};

	if (tasks < 0)
		return bv__v1_fault_errno(transcript, errno);
	line_put(&line, "# fault: launcher is not single-threaded: ");
	line_put_number(&line, tasks);
	line_put(&line, " tasks");
	return fault(transcript, &line);
}
