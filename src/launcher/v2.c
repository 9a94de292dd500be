/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2.c - protocol 2: verifies the plan, carries it out and tells the host what happens as it
 * happens (records.h).  Nothing is trusted before it is checked, and every path ends in exactly one
 * of EXIT, FAULT or REFUSAL.
 */
#include "v2.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "contract/canon.h"
#include "contract/frame.h"
#include "launcher.h"
#include "linux/sys.h"

/* Room for the decoded plan; untouched pages cost nothing. */
enum { LAUNCH_ARENA_BYTES = 64 << 20 };

uint64_t launch_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void launch_send_fd(struct launch *launch, enum bv_record_type type, const void *payload,
		    size_t size_bytes, int fd)
{
	struct bv_record_header header = {
		.type = type,
		.size_bytes = (uint32_t)size_bytes,
		.sequence = launch->sequence++,
		.monotonic_ns = launch_now_ns(),
	};
	struct iovec parts[2] = {{&header, sizeof(header)},
				 {(void *)(uintptr_t)payload, size_bytes}};
	struct msghdr packet = {.msg_iov = parts, .msg_iovlen = size_bytes ? 2 : 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;

	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control.space);
	}
	while (sendmsg(launch->control_fd, &packet, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

void launch_send(struct launch *launch, enum bv_record_type type, const void *payload,
		 size_t size_bytes)
{
	launch_send_fd(launch, type, payload, size_bytes, -1);
}

void launch_state(struct launch *launch, enum bv_launcher_state state)
{
	const struct bv_record_state record = {.state = state};

	launch_send(launch, BV_RECORD_STATE, &record, sizeof(record));
}

void launch_fault(struct launch *launch, enum bv_step step, int sys_errno, uint32_t index)
{
	const struct bv_record_fault record = {.step = step,
					       .sys_errno = sys_errno,
					       .index = index};

	if (launch->faulted)
		return;
	launch->faulted = true;
	launch_send(launch, BV_RECORD_FAULT, &record, sizeof(record));
	launch_state(launch, BV_STATE_SETUP_FAULTED);
}

void launch_refuse(struct launch *launch, enum bv_launcher_refusal reason, const char *detail)
{
	struct bv_record_refusal record = {.reason = reason};
	size_t length = strlen(detail);

	memcpy(record.detail, detail,
	       length < sizeof(record.detail) ? length : sizeof(record.detail) - 1);
	launch_send(launch, BV_RECORD_REFUSAL, &record, sizeof(record));
	launch_state(launch, BV_STATE_SETUP_REFUSED);
}

/* The digest the plan claims for its work is the digest of the work it carries. */
static bool work_matches(const struct bv_launch_body2 *body)
{
	struct bv_digest digest;

	bv_canon_hash(&bv_launch_work_type, &body->work, &digest);
	return bv_digest_equal(&digest, &body->h_l);
}

/* Standard streams and inherited descriptors are there, and none of them is ours. */
static bool handles_are_open(const struct launch *launch, int plan_fd)
{
	struct stat seen;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &seen) != 0)
			return false;
	}
	for (size_t i = 0; i < launch->work->exec.fds.count; i++) {
		uint32_t fd = launch->work->exec.fds.items[i];

		if (fstat((int)fd, &seen) != 0 || (int)fd == plan_fd ||
		    (int)fd == launch->control_fd || (int)fd == launch->group_fd)
			return false;
	}
	return true;
}

/* The control group is there exactly when the plan has one, and is the one the host made. */
static bool group_matches(const struct launch *launch)
{
	struct stat seen;

	if (!launch->work->has_group || launch->group_fd < 0)
		return !launch->work->has_group && launch->group_fd < 0;
	return fcntl(launch->group_fd, F_SETFD, FD_CLOEXEC) == 0 &&
	       fstat(launch->group_fd, &seen) == 0 && seen.st_dev == launch->work->group.device &&
	       seen.st_ino == launch->work->group.inode;
}

static int run_boundary(struct launch *launch)
{
	enum bv_step step = BV_STEP_BOOT;
	uint32_t index = 0;

	if (launch_guard(launch) != 0 || launch_prepare(launch, &step, &index) != 0 ||
	    launch_spawn(launch, &step) != 0) {
		launch_fault(launch, step, errno, index);
		if (launch->first_pid > 0) {
			launch_kill(launch);
			launch_watch(launch);
		}
		return BV_LAUNCHER_EXIT_FAULTED;
	}
	launch_state(launch, BV_STATE_CHILD_CREATED);
	launch_watch(launch);
	return launch->executed ? BV_LAUNCHER_EXIT_OK : BV_LAUNCHER_EXIT_FAULTED;
}

static int refuse(struct launch *launch, enum bv_launcher_refusal reason, const char *detail)
{
	launch_refuse(launch, reason, detail);
	return BV_LAUNCHER_EXIT_REFUSED;
}

/* Decodes and verifies; BV_LAUNCHER_EXIT_OK when the boundary may be built. */
static int verify(struct launch *launch, struct bv_launcher *launcher, struct bv_launch_body2 *body)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_frame frame;
	enum bv_frame_reject reject;
	const char *wrong;

	if (!launcher->sealed)
		return refuse(launch, BV_REFUSAL_HANDLE_MISMATCH,
			      "the plan is not a sealed memory file");
	reject = bv_frame_open(launcher->frame.data, launcher->frame.len, &frame);
	if (reject != BV_FRAME_OK)
		return refuse(launch, BV_REFUSAL_PLAN_INVALID, bv_frame_reject_name(reject));
	if (frame.version != 2)
		return refuse(launch, BV_REFUSAL_PLAN_INVALID,
			      "a packet channel speaks protocol 2 alone");
	if (bv_canon_decode(launch->arena, &bv_launch_body2_type, frame.body, frame.body_bytes,
			    body, &err) != BV_OK)
		return refuse(launch, BV_REFUSAL_PLAN_INVALID, err.message);
	bv_launcher_forget_frame(launcher);
	launch->work = &body->work;
	if (!work_matches(body))
		return refuse(launch, BV_REFUSAL_IDENTITY_MISMATCH,
			      "h_l is not the digest of the work");
	launch_state(launch, BV_STATE_IDENTITY_VERIFIED);
	wrong = launch_check(&body->work);
	if (wrong != NULL)
		return refuse(launch, BV_REFUSAL_PLAN_INVALID, wrong);
	launch_state(launch, BV_STATE_PLAN_VERIFIED);
	if (!handles_are_open(launch, launcher->plan_fd))
		return refuse(launch, BV_REFUSAL_HANDLE_MISMATCH,
			      "a declared descriptor is not open");
	if (!group_matches(launch))
		return refuse(launch, BV_REFUSAL_HANDLE_MISMATCH,
			      "the control group is not the one of the plan");
	/* It holds secret values, and nothing needs it any more. */
	close(launcher->plan_fd);
	launch_state(launch, BV_STATE_HANDLES_VERIFIED);
	return BV_LAUNCHER_EXIT_OK;
}

int bv_launcher_v2(struct bv_launcher *launcher)
{
	struct bv_arena arena;
	struct launch launch = {.control_fd = launcher->control_fd,
				.arena = &arena,
				.group_fd = launcher->group_fd,
				.channel_fd = -1,
				.exec_read_fd = -1,
				.idmap_fd = -1,
				.host_pidfd = -1,
				.first_pidfd = -1,
				.workload_pidfd = -1,
				.listener_fd = -1};
	struct bv_launch_body2 body;
	void *room;
	int verdict;

	launch_state(&launch, BV_STATE_LAUNCHER_STARTED);
	room = mmap(NULL, LAUNCH_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (launcher->boot_errno != 0 || room == MAP_FAILED) {
		launch_fault(&launch, launcher->boot_step,
			     launcher->boot_errno ? launcher->boot_errno : errno, 0);
		return BV_LAUNCHER_EXIT_FAULTED;
	}
	bv_arena_init(&arena, room, LAUNCH_ARENA_BYTES);
	verdict = verify(&launch, launcher, &body);
	if (verdict == BV_LAUNCHER_EXIT_OK)
		verdict = run_boundary(&launch);
	launch_leave(&launch);
	return verdict;
}
