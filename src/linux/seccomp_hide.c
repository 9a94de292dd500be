/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_hide.c - refuses what would hide memory, or files without a name, from a launcher that holds a
 * limit by looking.
 *
 * What a process has open is looked at once for all of its threads, and by an ordinary user only while
 * the process lets its own user see it.
 */
#include "linux/seccomp_filter.h"

#include <errno.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "linux/seccomp_rules.h"

enum {
	CLOSE_RANGE_CALL = 436, /* of every architecture; Linux 5.9 */
	UNSHARE_TABLE = 2,      /* CLOSE_RANGE_UNSHARE */
	DUMPABLE = 1,           /* SUID_DUMP_USER */
};

bool bv_seccomp_forbids_hiding(const struct bv_launch_limits *limits)
{
	return limits->has_resident_bytes ||
	       (limits->has_storage && limits->storage.places.count > 0);
}

enum bv_code bv_seccomp_refuse_hiding(struct sock_filter *insns, size_t capacity, size_t *count,
				      struct bv_error *err)
{
	enum { CLONE = 7, UNSHARE = 10, CLOSE_RANGE = 12, PRCTL = 14, REFUSE = 18, REST };

	/* Little-endian: the lower half of an argument, which is all that the kernel takes of these. */
#define LOAD(member)                                                                               \
	{                                                                                          \
		BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offsetof(struct seccomp_data, member)    \
	}
#define JUMP(at, comparison, value, then, otherwise)                                               \
	{                                                                                          \
		BPF_JMP | (comparison) | BPF_K, (uint8_t)((then) - (at)-1),                        \
			(uint8_t)((otherwise) - (at)-1), (value)                                   \
	}
	const struct sock_filter refuse[REST] = {
		LOAD(arch),
		JUMP(1, BPF_JEQ, BV_NATIVE_ARCH, 2, REST),
		LOAD(nr),
		JUMP(3, BPF_JEQ, SYS_clone, CLONE, 4),
		JUMP(4, BPF_JEQ, SYS_unshare, UNSHARE, 5),
		JUMP(5, BPF_JEQ, CLOSE_RANGE_CALL, CLOSE_RANGE, 6),
		JUMP(6, BPF_JEQ, SYS_prctl, PRCTL, REST),
		/* A thread with descriptors of its own. */
		LOAD(args[0]),
		JUMP(8, BPF_JSET, CLONE_THREAD, 9, REST),
		JUMP(9, BPF_JSET, CLONE_FILES, REST, REFUSE),
		LOAD(args[0]),
		JUMP(11, BPF_JSET, CLONE_FILES, REFUSE, REST),
		LOAD(args[2]),
		JUMP(13, BPF_JSET, UNSHARE_TABLE, REFUSE, REST),
		LOAD(args[0]),
		JUMP(15, BPF_JEQ, PR_SET_DUMPABLE, 16, REST),
		LOAD(args[1]),
		JUMP(17, BPF_JEQ, DUMPABLE, REST, REFUSE),
		{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
	};
#undef LOAD
#undef JUMP

	return bv__seccomp_put_before(refuse, REST, insns, capacity, count, err);
}
