/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * baseline.c - stands in for BLAKE3's blake3_dispatch.c in the launcher.
 *
 * The original asks the processor what it can do.  Under a hypervisor every CPUID traps, 5 us a
 * time and three of them before the first byte is hashed, in a program that hashes a few kilobytes
 * and starts in a millisecond.  So only what every processor of the architecture has is used: SSE2
 * on x86-64, the portable code elsewhere.  Library and command, which hash the launcher's whole file
 * and output by the gigabyte, link the original.
 */
#include <blake3_impl.h>

#if defined(__x86_64__)
#define BASELINE(function) function##_sse2
enum { LANES = 4 };
#else
#define BASELINE(function) function##_portable
enum { LANES = 1 };
#endif

void blake3_compress_in_place(uint32_t cv[8], const uint8_t block[BLAKE3_BLOCK_LEN],
			      uint8_t block_len, uint64_t counter, uint8_t flags)
{
	BASELINE(blake3_compress_in_place)(cv, block, block_len, counter, flags);
}

void blake3_compress_xof(const uint32_t cv[8], const uint8_t block[BLAKE3_BLOCK_LEN],
			 uint8_t block_len, uint64_t counter, uint8_t flags, uint8_t out[64])
{
	BASELINE(blake3_compress_xof)(cv, block, block_len, counter, flags, out);
}

void blake3_hash_many(const uint8_t *const *inputs, size_t num_inputs, size_t blocks,
		      const uint32_t key[8], uint64_t counter, bool increment_counter,
		      uint8_t flags, uint8_t flags_start, uint8_t flags_end, uint8_t *out)
{
	BASELINE(blake3_hash_many)
	(inputs, num_inputs, blocks, key, counter, increment_counter, flags, flags_start, flags_end,
	 out);
}

size_t blake3_simd_degree(void)
{
	return LANES;
}
