/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_denied.c - answers the calls the filter hands over, always with a refusal, and counts them.
 *
 * The answer never lets a call continue: what the arguments point at may change under our eyes.
 */
#include "v2.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "linux/seccomp_filter.h"
#include "linux/sys.h"

/* The slot of this kind of call; the last one takes all that found no room. */
static struct bv_record_denied *find_slot(struct launch *launch, uint32_t arch, uint32_t number, bool *ret_first)
{
	size_t i;

	for (i = 0; i < launch->denied_count; i++) {
		if (launch->denied[i].arch == arch && launch->denied[i].number == number)
			return &launch->denied[i];
	}
	if (i == LAUNCH_DENIED_MAX)
		return &launch->denied[LAUNCH_DENIED_MAX - 1];
	*ret_first = true;
	launch->denied_count++;
	launch->denied[i] = (struct bv_record_denied){.arch = arch, .number = number};
	if (i == LAUNCH_DENIED_MAX - 1)
		launch->denied[i].arch = launch->denied[i].number = ~0U;
	return &launch->denied[i];
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
	memset(&answer, 0, sizeof(answer));
	answer.id = call.id;
	answer.error = -bv_seccomp_errno(&launch->work->seccomp, &call.data);
	bv_assert(answer.error < 0);
	/* ENOENT again means the caller is gone and needs no answer. */
	(void)bv_sys_ioctl(launch->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);

	slot = find_slot(launch, call.data.arch, (uint32_t)call.data.nr, &first);
	slot->count++;
	if (first) {
		for (int i = 0; i < 6; i++)
			slot->args[i] = call.data.args[i];
		launch_send(launch, BV_RECORD_DENIED, slot, sizeof(*slot));
	}
}

void launch_send_denied_totals(struct launch *launch)
{
	for (size_t i = 0; i < launch->denied_count; i++) {
		if (launch->denied[i].count > 1)
			launch_send(launch, BV_RECORD_DENIED, &launch->denied[i], sizeof(launch->denied[i]));
	}
}
