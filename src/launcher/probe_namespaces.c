/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe_namespaces.c - namespaces, and what can be done only in them: a private root, no network, a
 * limit of tasks, executable memfds forbidden, owners mapped on mounts.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/ids.h"

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return written;
}
/* ---- inside fresh namespaces ----------------------------------------------------------------- */

/* As the real boundary does it: root maps a private id, anyone else themselves. */
static const char *map_ids(pid_t pid)
{
	const unsigned int uid = geteuid(), gid = getegid();
	const bool root = uid == 0;
	struct bv_id_range private_ids = {0, 0};
	char path[64], text[64];

	if (root && !bv__private_ids(&private_ids)) {
		errno = 0;
		return "finding an id that is nobody's";
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	snprintf(text, sizeof(text), "%u %u 1\n", root ? PROBE_INSIDE_ID : uid,
		 root ? private_ids.first : uid);
	if (!write_text(path, text))
		return "writing uid_map";
	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	if (!root && !write_text(path, "deny"))
		return "writing setgroups";
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	snprintf(text, sizeof(text), "%u %u 1\n", root ? PROBE_INSIDE_ID : gid,
		 root ? private_ids.first : gid);
	return write_text(path, text) ? NULL : "writing gid_map";
}

static const char *take_ids(void)
{
	if (bv_sys_setgroups(0, NULL) != 0 || bv_sys_setresgid(PROBE_INSIDE_ID) != 0 ||
	    bv_sys_setresuid(PROBE_INSIDE_ID) != 0)
		return "taking the mapped ids";
	return NULL;
}

const char *probe_in_namespaces(uint64_t flags, bool ids, probe_fn *inside)
{
	static struct probe_result result;
	const bool root = geteuid() == 0;
	int gate[2], answer[2], pidfd = -1;
	const char *step;
	pid_t pid;
	char byte = 0;

	if (pipe2(gate, O_CLOEXEC) != 0 || pipe2(answer, O_CLOEXEC) != 0)
		return "making a pipe";
	pid = bv_sys_fork(flags, -1, &pidfd);
	if (pid < 0)
		return "clone";
	if (pid == 0) {
		close(gate[1]);
		step = read(gate[0], &byte, 1) == 1 ? NULL : "waiting for the id maps";
		if (step == NULL && ids && root)
			step = take_ids();
		if (step == NULL)
			step = inside();
		probe_report(answer[1], step);
		_exit(0);
	}
	close(answer[1]);
	step = map_ids(pid);
	if (step != NULL) {
		int saved = errno;

		(void)kill(pid, SIGKILL);
		(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
		errno = saved;
		return step;
	}
	if (write(gate[1], &byte, 1) != 1)
		return "releasing the child";
	probe_collect(answer[0], pid, &result);
	errno = result.sys_errno;
	return result.step[0] != '\0' ? result.step : NULL;
}

int probe_new_fs(const char *type, unsigned int attributes)
{
	int fs = bv_sys_fsopen(type, BV_FSOPEN_CLOEXEC);
	int mounted;

	if (fs < 0)
		return -1;
	if (bv_sys_fsconfig(fs, BV_FSCONFIG_CMD_CREATE, NULL, NULL) != 0)
		return -1;
	mounted = bv_sys_fsmount(fs, BV_FSMOUNT_CLOEXEC, attributes);
	close(fs);
	return mounted;
}

static const char *attach(int from, int root, const char *path)
{
	if (bv_sys_move_mount(from, "", root, path, BV_MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return "move_mount";
	close(from);
	return NULL;
}

/* A private root in miniature: tmpfs, a cloned tree of the host, proc, and no way back. */
static const char *build_root(void)
{
	const struct bv_mount_attr locked = {.attr_set = BV_MOUNT_ATTR_RDONLY |
							 BV_MOUNT_ATTR_NOSUID};
	const char *step;
	int root, proc, tree;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return "making mounts private";
	/* Cloned first: once the new root lies on top, the host's paths are out of sight. */
	tree = bv_sys_open_tree(AT_FDCWD, "/dev/null", BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return "open_tree";
	if (bv_sys_mount_setattr(tree, "", BV_AT_EMPTY_PATH | BV_AT_RECURSIVE, &locked) != 0)
		return "mount_setattr";
	root = probe_new_fs("tmpfs", BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV);
	if (root < 0)
		return "mounting tmpfs";
	if (bv_sys_move_mount(root, "", AT_FDCWD, "/", BV_MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return "move_mount";
	if (mkdirat(root, "proc", 0755) != 0 || mknodat(root, "file", S_IFREG | 0600, 0) != 0)
		return "making mount points";
	step = attach(tree, root, "file");
	if (step != NULL)
		return step;
	proc = probe_new_fs("proc",
			    BV_MOUNT_ATTR_NOSUID | BV_MOUNT_ATTR_NODEV | BV_MOUNT_ATTR_NOEXEC);
	if (proc < 0)
		return "mounting proc";
	step = attach(proc, root, "proc");
	if (step != NULL)
		return step;
	if (fchdir(root) != 0 || bv_sys_pivot_root(".", ".") != 0)
		return "pivot_root";
	return umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 ? NULL : "leaving the old root";
}

static const char *build_boundary(void)
{
	const char *step = build_root();

	if (step != NULL)
		return step;
	return sethostname("probe", 5) == 0 ? NULL : "sethostname";
}

const char *probe_namespaces(void)
{
	return probe_in_namespaces(PROBE_NAMESPACES, true, build_boundary);
}

/* In a network namespace of our own even the loopback address leads nowhere. */
static const char *find_no_network(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
					    .sin_port = htons(9),
					    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* A kernel without IPv4, or an outer filter, reaches nothing either. */
	if (fd < 0)
		return NULL;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
	    errno != ENETUNREACH) {
		errno = 0;
		return "finding no network inside";
	}
	return NULL;
}

const char *probe_netns(void)
{
	return probe_in_namespaces(PROBE_NAMESPACES | BV_CLONE_NEWNET, true, find_no_network);
}

/* Two tasks allowed, this one included: a first child fits whatever else the user runs, a second does not. */
static const char *fork_to_the_limit(void)
{
	const struct rlimit two = {2, 2};
	int held[2], pidfd = -1;
	char byte;
	pid_t first, second;

	if (pipe2(held, O_CLOEXEC) != 0 || setrlimit(RLIMIT_NPROC, &two) != 0)
		return "setting the limit";
	first = bv_sys_fork(0, -1, &pidfd);
	if (first == 0) {
		close(held[1]);
		_exit(read(held[0], &byte, 1) == 0 ? 0 : 1);
	}
	if (first < 0)
		return "a task below the limit";
	second = bv_sys_fork(0, -1, &pidfd);
	if (second == 0)
		_exit(0);
	errno = 0;
	return second < 0 ? NULL : "refusing a task above the limit";
}

const char *probe_nproc(void)
{
	return probe_in_namespaces(PROBE_NAMESPACES, true, fork_to_the_limit);
}

static const char *forbid_executable_memfds(void)
{
	int fd, proc = probe_new_fs("proc", 0);

	if (proc < 0)
		return "mounting proc";
	fd = openat(proc, "sys/vm/memfd_noexec", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return "opening the switch";
	if (write(fd, "2", 1) != 1)
		return "writing the switch";
	fd = bv_sys_memfd_create("probe", BV_MFD_EXEC);
	errno = 0;
	return fd < 0 ? NULL : "refusing an executable memfd";
}

const char *probe_memfd_noexec(void)
{
	/* Ids are not taken: the switch belongs to the kernel's user 0. */
	return probe_in_namespaces(PROBE_NAMESPACES, false, forbid_executable_memfds);
}

/* ---- identity-mapped mounts, root only ------------------------------------------------------- */

const char *probe_map_owner(int tree, int userns)
{
	const struct bv_mount_attr attr = {.attr_set = BV_MOUNT_ATTR_IDMAP,
					   .userns_fd = (uint64_t)userns};

	return bv_sys_mount_setattr(tree, "", BV_AT_EMPTY_PATH, &attr) == 0 ? NULL
									    : "mount_setattr";
}

const char *probe_make_idmap(int *ret_userns)
{
	struct bv_id_range private_ids;
	int gate[2], pidfd = -1;
	char path[64], map[128], byte;
	const char *step = NULL;
	pid_t pid;

	if (geteuid() != 0) {
		errno = EPERM;
		return "being root";
	}
	if (!bv__private_ids(&private_ids)) {
		errno = 0;
		return "finding an id that is nobody's";
	}
	/* As the boundary maps owners: 0 is the workload's, everyone else stays who they are. */
	snprintf(map, sizeof(map), "0 %u 1\n1 1 %u\n%u %u %u\n", private_ids.first,
		 private_ids.first - 1, private_ids.first + 1, private_ids.first + 1,
		 4294967294U - private_ids.first);

	if (pipe2(gate, O_CLOEXEC) != 0)
		return "making a pipe";
	pid = bv_sys_fork(BV_CLONE_NEWUSER, -1, &pidfd);
	if (pid < 0)
		return "clone";
	if (pid == 0) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
	}
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
	if (!write_text(path, map))
		step = "writing uid_map";
	snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
	if (step == NULL && !write_text(path, map))
		step = "writing gid_map";
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	*ret_userns = open(path, O_RDONLY | O_CLOEXEC);
	if (step == NULL && *ret_userns < 0)
		step = "opening the namespace";
	close(gate[1]);
	(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
	return step;
}

/* File systems that could let a look at their mount point wait for a server. */
static bool is_remote(const char *type)
{
	static const char *const types[] = {"autofs", "nfs", "cifs", "smb", "fuse", "9p", "ceph"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strncmp(type, types[i], strlen(types[i])) == 0)
			return true;
	}
	return false;
}

/*
 * Whether some file system here can map owners: the one of the root folder cannot in a container,
 * where what is granted often lies on another.  One that cannot is left unmapped at the launch.
 */
const char *probe_idmap(void)
{
	const struct mntent *mount;
	int userns = -1, tree;
	const char *step = probe_make_idmap(&userns);
	FILE *mounts;

	if (step != NULL)
		return step;
	mounts = setmntent("/proc/self/mounts", "re");
	if (mounts == NULL)
		return "reading the list of mounts";
	step = "finding a mount";
	while ((mount = getmntent(mounts)) != NULL) {
		if (is_remote(mount->mnt_type))
			continue;
		tree = bv_sys_open_tree(AT_FDCWD, mount->mnt_dir,
					BV_OPEN_TREE_CLONE | BV_OPEN_TREE_CLOEXEC);
		step = tree < 0 ? "open_tree" : probe_map_owner(tree, userns);
		if (step == NULL)
			break;
		if (tree >= 0)
			close(tree);
	}
	return step;
}

const char *probe_idmap_tmpfs(void)
{
	int userns = -1, tree;
	const char *step = probe_make_idmap(&userns);

	if (step != NULL)
		return step;
	tree = probe_new_fs("tmpfs", 0);
	if (tree < 0)
		return "mounting tmpfs";
	return probe_map_owner(tree, userns);
}
