/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_tasks.c - asks the launcher before a task is made.
 *
 * Where the kernel's own limit of tasks would count everything else of the user too, the launcher
 * counts.  The only calls it ever lets continue are these: what they do is said by their registers
 * alone, which nobody can change while they wait.
 */
#include "linux/seccomp_filter.h"

#include <linux/sched.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "linux/seccomp_rules.h"

enum {
	NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET,
};

/* Newer architectures have clone alone. */
#if defined(SYS_fork) && defined(SYS_vfork)
#define CALL_FORK SYS_fork
#define CALL_VFORK SYS_vfork
#else
#define CALL_FORK UINT32_MAX
#define CALL_VFORK UINT32_MAX
#endif

bool bv_seccomp_makes_task(const struct bv_launch_seccomp *launch, const struct seccomp_data *data)
{
	const uint32_t number = (uint32_t)data->nr;

	return data->arch == BV_NATIVE_ARCH &&
	       (number == SYS_clone || number == CALL_FORK || number == CALL_VFORK) &&
	       bv_seccomp_judge(launch, data).allowed;
}

enum bv_code bv_seccomp_ask_for_tasks(const struct bv_launch_seccomp *launch,
				      struct sock_filter *insns, size_t capacity, size_t *count,
				      struct bv_error *err)
{
	enum { ASK = 9, REST };
	/* Where only threads may be made, the program behind refuses the rest. */
	const bool threads = launch->spawn == BV_SPAWN_ALLOW_THREADS;
	const int process = threads ? REST : ASK;

#define LOAD(member)                                                                               \
	{                                                                                          \
		BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, member)              \
	}
#define JUMP(at, comparison, value, then, otherwise)                                               \
	{                                                                                          \
		BPF_JMP | (comparison) | BPF_K, (uint8_t)((then) - (at)-1),                        \
			(uint8_t)((otherwise) - (at)-1), (value)                                   \
	}
	const struct sock_filter ask[REST] = {
		LOAD(arch),
		JUMP(1, BPF_JEQ, BV_NATIVE_ARCH, 2, REST),
		LOAD(nr),
		JUMP(3, BPF_JEQ, CALL_FORK, process, 4),
		JUMP(4, BPF_JEQ, CALL_VFORK, process, 5),
		JUMP(5, BPF_JEQ, SYS_clone, 6, REST),
		/* Little-endian: the lower half, which is all that the kernel takes for flags. */
		LOAD(args),
		JUMP(7, BPF_JSET, NEW_NAMESPACES, REST, 8),
		JUMP(8, BPF_JSET, CLONE_THREAD, ASK, threads ? REST : ASK),
		{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
	};
#undef LOAD
#undef JUMP

	if (launch->spawn == BV_SPAWN_DENY_NEW_TASKS)
		return BV_OK;
	return bv__seccomp_put_before(ask, REST, insns, capacity, count, err);
}
