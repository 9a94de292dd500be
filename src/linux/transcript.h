/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * transcript.h - holds what the launcher says to the protocol of records.h, packet by packet.
 *
 * The launcher is ours, but a broken or replaced one must not be able to make a report say what did
 * not happen: a packet of the wrong size, type, sequence or order ends the run as a supervisor
 * fault.  Pure: no system call.
 */
#ifndef BV_LINUX_TRANSCRIPT_H
#define BV_LINUX_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "contract/base.h"
#include "linux/records.h"

enum bv_transcript_phase {
	BV_PHASE_SETUP,     /* until every layer but the filter is in place */
	BV_PHASE_INSTALLED, /* the host is to look and to release */
	BV_PHASE_EXECUTED,
	BV_PHASE_MEASURED,  /* nothing but EXIT may follow */
	BV_PHASE_CONCLUDED, /* EXIT, REFUSAL or FAULT was said; nothing but its state may follow */
	BV_PHASE_OVER,
};

struct bv_transcript {
	enum bv_transcript_phase phase;
	bool started;  /* a first state was said */
	bool released; /* set by the host when it sends BV_COMMAND_RELEASE */
	bool stored;   /* what was stored was said */
	enum bv_launcher_state state;
	uint32_t reached;               /* limits said to be, a set over enum bv_dimension */
	enum bv_launcher_state closing; /* the only state that may follow in BV_PHASE_CONCLUDED */
	uint64_t next_sequence;
	uint64_t last_ns;
};

struct bv_record {
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

void bv__transcript_init(struct bv_transcript *transcript);

/* Takes one packet.  BV_E_LAUNCHER when it is not a record that may come now. */
enum bv_code bv__transcript_accept(struct bv_transcript *transcript, const void *packet,
				   size_t size_bytes, struct bv_record *ret_record,
				   struct bv_error *err);

/* "ReadyToExec"; "?" for a number that is none. */
const char *bv__launcher_state_name(uint32_t state);
const char *bv__launcher_refusal_name(uint32_t reason);
/* "mount-bind" and "show a granted path". */
const char *bv__step_name(uint32_t step);
const char *bv__step_text(uint32_t step);

#endif
