/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_denied.c - answers the calls the filter hands over, nearly always with a refusal, and counts them.
 *
 * The answer lets no call continue whose arguments point at anything: it may change under our eyes.
 * One kind of call is served instead, by its flags alone: a memory file that cannot be executed.
 * Another is a question, and goes on once it is counted: a new task (v2_tasks.c).
 */
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/seccomp_rules.h"
#include "linux/sys.h"

/*
 * There is one launch in a process; out of `struct launch`, so that a launch without denials does
 * not pay for clearing it.
 */
static struct bv_record_denied denied[BV_DENIED_KINDS_MAX];
static bool has_no_name[BV_DENIED_KINDS_MAX];
static size_t denied_count;

/* Three ABIs, each with what has no name, and one more: so the last slot is never shared. */
_Static_assert(BV_DENIED_KINDS_MAX > 3 * (BV_SYSCALL_ROW_COUNT + 1), "every named call has a slot");

/* The slot of this kind of call; the last one takes all that found no room. */
static struct bv_record_denied *find_slot(uint32_t arch, uint32_t number, bool *ret_first)
{
	const bool nameless = !bv_seccomp_knows(arch, number);
	size_t i;

	for (i = 0; i < denied_count; i++) {
		if (denied[i].arch != arch)
			continue;
		if (denied[i].number == number || (nameless && has_no_name[i]))
			return &denied[i];
	}
	if (i == BV_DENIED_KINDS_MAX)
		return &denied[BV_DENIED_KINDS_MAX - 1];
	*ret_first = true;
	denied_count++;
	denied[i] = (struct bv_record_denied){.arch = arch, .number = number};
	has_no_name[i] = nameless;
	return &denied[i];
}

/* struct seccomp_notif_addfd of linux/seccomp.h; the flag is SECCOMP_ADDFD_FLAG_SEND (Linux 5.14). */
struct add_fd {
	uint64_t id;
	uint32_t flags, source_fd, new_fd, new_fd_flags;
};

enum { ADD_FD_SEND = 2, MEMORY_FILE_CLOEXEC = 1 };

/*
 * memfd_create without MFD_NOEXEC_SEAL: the caller gets a memory file all the same, but one that can
 * never be executed, made here.  False where it asked for execution, or the kernel is before 6.3.
 */
static bool give_memory_file(struct launch *launch, const struct seccomp_notif *call)
{
	const unsigned int flags = (unsigned int)call->data.args[1];
	struct add_fd give = {.id = call->id, .flags = ADD_FD_SEND};
	int fd, result;

	if (call->data.nr != SYS_memfd_create || call->data.arch != BV_NATIVE_ARCH ||
	    (flags & BV_MFD_EXEC))
		return false;
	fd = bv_sys_memfd_create("bvisor", flags | MEMORY_FILE_CLOEXEC | BV_MFD_NOEXEC_SEAL);
	if (fd < 0)
		return false;
	give.source_fd = (uint32_t)fd;
	give.new_fd_flags = flags & MEMORY_FILE_CLOEXEC ? O_CLOEXEC : 0;
	result = bv_sys_ioctl(launch->listener_fd, _IOC(_IOC_WRITE, '!', 3, sizeof(give)), &give);
	close(fd);
	return result >= 0;
}

void launch_answer_denied(struct launch *launch)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp answer;
	struct bv_record_denied *slot;
	bool first = false;

	memset(&call, 0, sizeof(call));
	/* ENOENT: the caller died in between. */
	if (bv_sys_ioctl(launch->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
		return;
	if (launch_answer_task(launch, &call) || give_memory_file(launch, &call))
		return;
	memset(&answer, 0, sizeof(answer));
	answer.id = call.id;
	answer.error = -bv_seccomp_errno(&launch->work->seccomp, &call.data);
	bv_assert(answer.error < 0);
	/* ENOENT again means the caller is gone and needs no answer. */
	(void)bv_sys_ioctl(launch->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);

	slot = find_slot(call.data.arch, (uint32_t)call.data.nr, &first);
	slot->count++;
	if (first) {
		for (int i = 0; i < 6; i++)
			slot->args[i] = call.data.args[i];
		launch_send(launch, BV_RECORD_DENIED, slot, sizeof(*slot));
	}
}

void launch_send_denied_totals(struct launch *launch)
{
	for (size_t i = 0; i < denied_count; i++) {
		if (denied[i].count > 1)
			launch_send(launch, BV_RECORD_DENIED, &denied[i], sizeof(denied[i]));
	}
}
