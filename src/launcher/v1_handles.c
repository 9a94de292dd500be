/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The descriptors of a protocol 1 launch: are they what the plan declares, and which are strangers.
 *
 * A slot's index is its number here.  Only looked at, never opened: what the host handed over is
 * all the authority there is.
 */
#include "launcher/v1.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/sys.h"

static mode_t kind_mode(enum bv_slot_file_kind kind)
{
	switch (kind) {
	case BV_SLOT_DIRECTORY:
		return S_IFDIR;
	case BV_SLOT_REGULAR:
		return S_IFREG;
	case BV_SLOT_SOCKET:
		return S_IFSOCK;
	case BV_SLOT_PIPE:
		return S_IFIFO;
	}
	return 0;
}

/*
 * The reference's host marks the write end close-on-exec, so it is usually closed by now, and we
 * use neither.  But a number that is open as something else is a plan that was put together wrong.
 */
int bv__v1_check_channels(struct bv_v1_launch *launch)
{
	const int fds[] = {launch->launcher->error_fd, launch->launcher->error_read_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct stat seen;

		if (fds[i] < 0 || fstat(fds[i], &seen) != 0)
			continue;
		if (!S_ISFIFO(seen.st_mode) && !S_ISSOCK(seen.st_mode))
			return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
						    "an error channel is neither pipe nor socket: "
						    "descriptor ",
						    fds[i]);
	}
	return 0;
}

static int check_slot(struct bv_v1_launch *launch, const struct bv_slot *slot)
{
	/* Above it is no descriptor: one that is not open. */
	const int fd = slot->slot_index <= INT_MAX ? (int)slot->slot_index : -1;
	struct stat seen;
	int flags;
	bool writable;

	if (fstat(fd, &seen) != 0)
		return bv__v1_fault_errno(launch->transcript, errno);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return bv__v1_fault_errno(launch->transcript, errno);
	if ((seen.st_mode & S_IFMT) != kind_mode(slot->expected.kind))
		return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
					    "not the declared kind of file is slot ", fd);
	if (slot->expected.kind == BV_SLOT_SOCKET || slot->expected.kind == BV_SLOT_PIPE)
		return 0;
	writable = (flags & O_ACCMODE) == O_WRONLY || (flags & O_ACCMODE) == O_RDWR;
	if (writable != slot->expected.writable)
		return bv__v1_refuse_number(
			launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
			writable ? "open for writing, but not declared so, is slot "
				 : "declared writable, but not open so, is slot ",
			fd);
	return 0;
}

/*
 * An interpreter opens its script again through /dev/fd, so a script's descriptor has to survive
 * exec; a program's must not.  One we cannot read is taken for a program: as a script it fails.
 */
static int prepare_exe(int fd)
{
	char start[2] = {0, 0};
	ssize_t got = pread(fd, start, sizeof(start), 0);
	const bool script = got == 2 && start[0] == '#' && start[1] == '!';

	return fcntl(fd, F_SETFD, script ? 0 : FD_CLOEXEC);
}

int bv__v1_check_handles(struct bv_v1_launch *launch)
{
	const struct bv_slot_list *table = &launch->body->descriptor_table;

	launch->cgroup_fd = -1;
	for (size_t i = 0; i < table->count; i++) {
		const struct bv_slot *slot = &table->items[i];
		int code = check_slot(launch, slot);

		if (code != 0)
			return code;
		if (slot->role == BV_ROLE_CGROUP_DIR)
			launch->cgroup_fd = (int)slot->slot_index;
		if (slot->role != BV_ROLE_TARGET_EXE)
			continue;
		if (slot->expected.kind != BV_SLOT_REGULAR)
			return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_HANDLE_MISMATCH,
						    "the executable must be a regular file: slot ",
						    slot->slot_index);
		launch->child.exe_fd = (int)slot->slot_index;
		if (prepare_exe(launch->child.exe_fd) != 0)
			return bv__v1_fault_errno(launch->transcript, errno);
	}
	return 0;
}

static bool is_kept(const struct bv_v1_child_plan *child, int fd)
{
	return fd <= 2 || fd == child->go_fd || fd == child->status_fd || fd == child->exe_fd ||
	       fd == child->ruleset_fd;
}

/* One pass over /proc/self/fd: counts the strangers, and stores them when there is a list. */
static ssize_t walk_strangers(const struct bv_v1_child_plan *child, int *list, size_t capacity)
{
	DIR *open_fds = opendir("/proc/self/fd");
	size_t count = 0;

	if (open_fds == NULL)
		return -1;
	for (const struct dirent *entry; (entry = readdir(open_fds)) != NULL;) {
		int fd = 0;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		for (const char *digit = entry->d_name; *digit != '\0'; digit++)
			fd = fd * 10 + (*digit - '0');
		if (is_kept(child, fd) || fd == dirfd(open_fds))
			continue;
		if (list != NULL && count < capacity)
			list[count] = fd;
		count++;
	}
	closedir(open_fds);
	return (ssize_t)count;
}

/* Kernels before 5.9, and filters of container engines that do not know close_range. */
int bv__v1_list_strangers(struct bv_v1_launch *launch)
{
	ssize_t count, stored;
	int *list;

	if (bv_sys_close_range(~0U, ~0U, 0) == 0)
		return 0;
	count = walk_strangers(&launch->child, NULL, 0);
	if (count < 0)
		return bv__v1_fault_errno(launch->transcript, errno);
	list = bv_arena_array(&launch->arena, (size_t)count + 1, sizeof(*list));
	if (list == NULL)
		return bv__v1_fault_errno(launch->transcript, ENOMEM);
	stored = walk_strangers(&launch->child, list, (size_t)count);
	if (stored != count)
		return bv__v1_fault_errno(launch->transcript, stored < 0 ? errno : EBADF);
	launch->child.close_list = list;
	launch->child.close_count = (size_t)count;
	return 0;
}
