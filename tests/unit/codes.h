/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* codes.h - what is expected of calls that fill `err`, which the test has. */
#ifndef BV_TEST_CODES_H
#define BV_TEST_CODES_H

#include "test.h"

#define OK(call) EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err.where, err.message)
#define FAILS(call, wanted)                                                                        \
	do {                                                                                       \
		const enum bv_code code_ = (call);                                                 \
		EXPECT_THAT(code_ == (wanted), "%s is %s (%s), expected %s", #call,                \
			    bv_code_name(code_), err.message, bv_code_name(wanted));               \
	} while (0)

#endif
