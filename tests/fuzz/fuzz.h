/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * fuzz.h - what the fuzz targets share.
 *
 * A target is one file with bv_fuzz_one: bytes in, a trap when a promise is broken.  `make fuzz`
 * links it with libFuzzer (fuzzer.c); `make test` links it with replay.c, which feeds it every file
 * of tests/fuzz/corpus/NAME again, cut short and changed in places.
 */
#ifndef BV_FUZZ_H
#define BV_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "contract/schema.h"

void bv_fuzz_one(const uint8_t *data, size_t size_bytes);

/*
 * What an input's first byte chooses from: the values that come from outside, whole.  Append only:
 * the corpora depend on the places.
 */
static const struct bv_type *const fuzz_types[] = {
	&bv_boundary_spec_type,     &bv_boundary_plan_type, &bv_boundary_report_type,
	&bv_profile_snapshot_type,  &bv_launch_body_type,   &bv_launch_body2_type,
	&bv_started_event_type,     &bv_report_event_type,  &bv_recovery_event_type,
	&bv_disposition_event_type,
};

enum {
	FUZZ_TYPE_COUNT = sizeof fuzz_types / sizeof fuzz_types[0],
	FUZZ_INPUT_MAX = 1 << 16, /* longer ones are not looked at */
};

/* Holds a value of any of them. */
union fuzz_value {
	struct bv_boundary_spec spec;
	struct bv_boundary_plan plan;
	struct bv_boundary_report report;
	struct bv_profile_snapshot snapshot;
	struct bv_launch_body body;
	struct bv_launch_body2 body2;
	struct bv_started_event started;
	struct bv_report_event event;
	struct bv_recovery_event recovery;
	struct bv_disposition_event disposition;
};

#endif
