/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* seccomp_oracle_generic.c - the oracle for aarch64 and riscv64, which share their numbers. */
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#define __ARCH_WANT_SYS_CLONE3
#define __ARCH_WANT_MEMFD_SECRET
#include <asm-generic/unistd.h>
#include <stdbool.h>
#include <stdint.h>

static bool knows(uint32_t number)
{
	return number <= 243 || (number >= 260 && number <= 294) ||
	       (number >= 424 && number <= 471);
}

#define ORACLE oracle_aarch64
#define ORACLE_KNOWS(number) knows(number)
#include "seccomp_oracle_body.h"

struct expectation oracle_riscv64(const struct bv_launch_seccomp *launch, uint32_t number,
				  const uint64_t args[6])
{
	if (number == 258 || number == 259) /* riscv_hwprobe, riscv_flush_icache */
		return allowed;
	if (number == __NR_renameat)
		return denied(ENOSYS);
	return oracle_aarch64(launch, number, args);
}
