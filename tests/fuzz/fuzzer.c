/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* fuzzer.c - the way into a fuzz target for libFuzzer. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
	bv_fuzz_one(data, size_bytes);
	return 0;
}
