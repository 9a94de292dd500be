/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a protocol 1 launch lets its workload do: the Landlock ruleset and the system call filter.
 *
 * Both are finished here, before the child exists; the child only enters them.  A policy that was
 * asked for and cannot be made is a refusal, and so is a request that no entry would carry out.
 */
#include "launcher/v1.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/sys.h"

/* ---- Landlock ------------------------------------------------------------------------------------- */

static const uint64_t read_rights = BV_LANDLOCK_EXECUTE | BV_LANDLOCK_READ_FILE |
				    BV_LANDLOCK_READ_DIR;
/* Nobody needs to make device nodes, and who could, could name any disk. */
static const uint64_t never_granted = BV_LANDLOCK_MAKE_CHAR | BV_LANDLOCK_MAKE_BLOCK;

static bool is_root(const struct bv_slot *slot)
{
	return slot->role == BV_ROLE_READ_ROOT || slot->role == BV_ROLE_WRITE_ROOT;
}

static size_t count_roots(const struct bv_slot_list *table)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++)
		count += is_root(&table->items[i]);
	return count;
}

static int add_root(struct bv_v1_launch *launch, int ruleset_fd, const struct bv_slot *slot,
		    uint64_t handled)
{
	const uint64_t rights = slot->role == BV_ROLE_READ_ROOT ? read_rights
								: handled & ~never_granted;

	if (bv_sys_landlock_add_path(ruleset_fd, (int)slot->slot_index, rights) != 0)
		return bv__v1_refuse_number(
			launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
			"Landlock takes no such root, which must be a directory: "
			"slot ",
			slot->slot_index);
	return 0;
}

int bv__v1_make_ruleset(struct bv_v1_launch *launch)
{
	const struct bv_slot_list *table = &launch->body->descriptor_table;
	const int abi = bv_sys_landlock_abi();
	struct bv_landlock_ruleset_attr attr = {0, 0, 0};
	int fd, code = 0;

	launch->child.ruleset_fd = -1;
	if (!launch->actions.landlock) {
		/* As the reference has it: the entry decides, and its own control test leaves just
		 * the entry out.  Said aloud, because a root looks like a boundary. */
		if (count_roots(table) > 0)
			bv__v1_note(launch->transcript,
				    "roots=declared_without_landlock unconfined");
		return 0;
	}
	if (abi < BV_V1_LANDLOCK_ABI_FLOOR)
		return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_MISSING_PRIMITIVE,
					    "this kernel cannot deny truncation (Landlock ABI 3, "
					    "Linux 6.2); its ABI is ",
					    abi);
	if (count_roots(table) == 0)
		return bv__v1_refuse(
			launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
			"Landlock without a root would deny even the executable; declare "
			"ReadRoot or WriteRoot slots");
	attr.handled_access_fs = bv_landlock_known(abi).handled_access_fs &
				 ((BV_LANDLOCK_IOCTL_DEV << 1) - 1);
	fd = bv_sys_landlock_create_ruleset(&attr, abi);
	if (fd < 0)
		return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
					    "the kernel makes no Landlock ruleset: errno ", errno);
	for (size_t i = 0; i < table->count && code == 0; i++) {
		if (is_root(&table->items[i]))
			code = add_root(launch, fd, &table->items[i], attr.handled_access_fs);
	}
	launch->child.ruleset_fd = fd; /* born close-on-exec */
	return code;
}

/* ---- filter --------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define FILTER_ARCH AUDIT_ARCH_RISCV64
#else
#error "no filter for this architecture: find its AUDIT_ARCH_ value and check the call numbers below"
#endif

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#define SYS_io_uring_enter 426
#define SYS_io_uring_register 427
#endif

enum { X32_BIT = 0x40000000 };

static void emit(struct bv_v1_launch *launch, struct sock_filter instruction)
{
	bv_assert(launch->program.len < BV_V1_FILTER_MAX);
	launch->filter[launch->program.len++] = instruction;
}

static void emit_load(struct bv_v1_launch *launch, size_t offset)
{
	emit(launch, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void emit_jump(struct bv_v1_launch *launch, uint16_t test, uint32_t value, uint8_t yes,
		      uint8_t no)
{
	emit(launch,
	     (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test | BPF_K), value, yes, no));
}

static void emit_return(struct bv_v1_launch *launch, uint32_t action)
{
	emit(launch, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void emit_deny(struct bv_v1_launch *launch, uint32_t number)
{
	emit_jump(launch, BPF_JEQ, number, 0, 1);
	emit_return(launch, SECCOMP_RET_ERRNO | EPERM);
}

static void emit_prologue(struct bv_v1_launch *launch)
{
	emit_load(launch, offsetof(struct seccomp_data, arch));
	emit_jump(launch, BPF_JEQ, FILTER_ARCH, 1, 0);
	emit_return(launch, SECCOMP_RET_KILL_PROCESS);
	emit_load(launch, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	/* The same calls under other numbers, which no rule below would match. */
	emit_jump(launch, BPF_JGE, X32_BIT, 0, 1);
	emit_return(launch, SECCOMP_RET_ERRNO | ENOSYS);
#endif
}

/*
 * A pair of connected stream sockets leads nowhere else, and event loops of many languages need
 * one.  A datagram socket of a pair can be connected anew, to a socket of the host.  The caller has
 * loaded the number; afterwards something else is loaded, so this comes last.
 */
static void emit_socketpair(struct bv_v1_launch *launch)
{
	const size_t domain = offsetof(struct seccomp_data, args[0]);
	const size_t type = offsetof(struct seccomp_data, args[1]);

	emit_jump(launch, BPF_JEQ, SYS_socketpair, 0, 7);
	emit_load(launch, domain);
	emit_jump(launch, BPF_JEQ, AF_UNIX, 0, 4);
	emit_load(launch, type);
	/* Above the type proper are SOCK_CLOEXEC and SOCK_NONBLOCK. */
	emit(launch, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf));
	emit_jump(launch, BPF_JEQ, SOCK_STREAM, 2, 0);
	emit_jump(launch, BPF_JEQ, SOCK_SEQPACKET, 1, 0);
	emit_return(launch, SECCOMP_RET_ERRNO | EPERM);
}

int bv__v1_make_filter(struct bv_v1_launch *launch)
{
	const struct bv_launch_target *target = &launch->body->target;
	const struct bv_seccomp_request *request = &target->seccomp;

	if (launch->actions.seccomp != target->has_seccomp)
		return bv__v1_refuse(
			launch->transcript, BV_REFUSAL_MISSING_PRIMITIVE,
			target->has_seccomp
				? "target.seccomp asks for a filter, but the lowering has "
				  "no linux.seccomp.apply.v1"
				: "linux.seccomp.apply.v1 needs target.seccomp to say what "
				  "to deny");
	if (!launch->actions.seccomp)
		return 0;
	if (!request->deny_new_tasks && !request->deny_inet_sockets)
		return bv__v1_refuse(launch->transcript, BV_REFUSAL_MISSING_PRIMITIVE,
				     "target.seccomp denies nothing; leave it and its action out");

	launch->program = (struct sock_fprog){.len = 0, .filter = launch->filter};
	emit_prologue(launch);
	if (request->deny_new_tasks) {
		emit_deny(launch, SYS_clone);
		emit_deny(launch, SYS_clone3);
#if defined(SYS_fork)
		emit_deny(launch, SYS_fork);
		emit_deny(launch, SYS_vfork);
#endif
	}
	if (request->deny_inet_sockets) {
		emit_deny(launch, SYS_socket);
		/* io_uring can make and connect sockets without a system call of that name. */
		emit_deny(launch, SYS_io_uring_setup);
		emit_deny(launch, SYS_io_uring_enter);
		emit_deny(launch, SYS_io_uring_register);
		emit_socketpair(launch);
	}
	emit_return(launch, SECCOMP_RET_ALLOW);
	launch->child.filter = &launch->program;
	return 0;
}
