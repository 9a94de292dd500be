/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_oracle_x86_64.c - the oracle for the numbers of x86_64. */
#ifdef __x86_64__
#include <asm/unistd_64.h>
#include <stdbool.h>
#include <stdint.h>

static bool knows(uint32_t number)
{
	return number <= 336 || (number >= 424 && number <= 471);
}

#define ORACLE oracle_x86_64
#define ORACLE_KNOWS(number) knows(number)
#include "seccomp_oracle_body.h"
#else
typedef int nothing_to_compile;
#endif
