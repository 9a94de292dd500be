/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.c - tries this machine instead of asking it.
 *
 * A version number or a switch in /proc says what the kernel could do; an outer sandbox, a security
 * module or a container may still refuse it.  So every mechanism is really used, in the order the
 * boundary itself uses it, by a process that is thrown away.  The text of a "no" names the step,
 * because that is what tells a missing kernel feature from a forbidden one.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mntent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/canon.h"
#include "group.h"
#include "launcher.h"
#include "linux/cgroup.h"
#include "linux/ids.h"
#include "linux/sys.h"

enum {
	PROBE_STEP_SIZE = 64,
	PROBE_TIMEOUT_MS = 3000,
};

struct probe_result {
	int sys_errno;
	char step[PROBE_STEP_SIZE]; /* empty: it worked */
};

static void probe_report(int fd, const char *step)
{
	struct probe_result result = {.sys_errno = errno};

	if (step != NULL)
		strncpy(result.step, step, sizeof(result.step) - 1);
	/* A reader that is gone has stopped caring. */
	if (write(fd, &result, sizeof(result)) < 0)
		_exit(1);
}

static void probe_says(struct probe_result *result, int sys_errno, const char *step)
{
	*result = (struct probe_result){.sys_errno = sys_errno};
	strncpy(result->step, step, sizeof(result->step) - 1);
}

/* Reads what a thrown away process says; one that dies, hangs or says nothing has failed. */
static void probe_collect(int fd, pid_t pid, struct probe_result *ret_result)
{
	struct pollfd ready = {fd, POLLIN, 0};
	int status = 0;
	int polled;

	do {
		polled = poll(&ready, 1, PROBE_TIMEOUT_MS);
	} while (polled < 0 && errno == EINTR);
	if (polled <= 0)
		probe_says(ret_result, ETIMEDOUT, "answering at all");
	else if (read(fd, ret_result, sizeof(*ret_result)) != (ssize_t)sizeof(*ret_result))
		probe_says(ret_result, 0, "surviving it");
	ret_result->step[PROBE_STEP_SIZE - 1] = '\0';
	(void)kill(pid, SIGKILL);
	(void)bv_sys_wait4(pid, &status, __WALL, NULL);
}

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

static const char *try_namespaces(void)
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

static const char *try_netns(void)
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

static const char *try_nproc(void)
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

static const char *try_memfd_noexec(void)
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
static const char *try_idmap(void)
{
	const char *step;
	const struct mntent *mount;
	int userns = -1, tree;
	FILE *mounts;

	if (geteuid() != 0) {
		errno = EPERM;
		return "being root";
	}
	step = probe_make_idmap(&userns);
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

static const char *try_idmap_tmpfs(void)
{
	const char *step;
	int userns = -1, tree;

	if (geteuid() != 0) {
		errno = EPERM;
		return "being root";
	}
	step = probe_make_idmap(&userns);
	if (step != NULL)
		return step;
	tree = probe_new_fs("tmpfs", 0);
	if (tree < 0)
		return "mounting tmpfs";
	return probe_map_owner(tree, userns);
}

/* ---- seccomp and Landlock -------------------------------------------------------------------- */

/* Does `action` to getpriority(2), which nothing here needs, and lets everything else through. */
static int filter_getpriority(uint32_t action, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return bv_sys_seccomp_filter(flags, &program);
}

static const char *try_seccomp(void)
{
	if (filter_getpriority(SECCOMP_RET_ERRNO | EXDEV, 0) < 0)
		return "loading a filter";
	errno = 0;
	if (getpriority(PRIO_PROCESS, 0) >= 0 || errno != EXDEV)
		return "being refused by it";
	return NULL;
}

/* The child of a filtered process: its call must come back with the answer given to the listener. */
static _Noreturn void make_the_call(void)
{
	errno = 0;
	_exit(getpriority(PRIO_PROCESS, 0) < 0 && errno == EXDEV ? 0 : 1);
}

static const char *answer_one(int listener)
{
	struct seccomp_notif request;
	struct seccomp_notif_resp response;

	memset(&request, 0, sizeof(request));
	if (bv_sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
		return "receiving a notification";
	memset(&response, 0, sizeof(response));
	response.id = request.id;
	response.error = -EXDEV;
	return bv_sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0 ? NULL
										: "answering it";
}

static const char *try_seccomp_notify(void)
{
	int listener = filter_getpriority(SECCOMP_RET_USER_NOTIF, BV_SECCOMP_FLAG_NEW_LISTENER);
	int pidfd = -1, status = -1;
	const char *step;
	pid_t pid;

	if (listener < 0)
		return "loading a filter with a listener";
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid < 0)
		return "fork";
	if (pid == 0)
		make_the_call();
	step = answer_one(listener);
	if (step != NULL)
		return step;
	errno = 0;
	if (bv_sys_wait4(pid, &status, __WALL, NULL) != pid || status != 0)
		return "the answer reaching the caller";
	return NULL;
}

static const char *try_landlock(void)
{
	const int abi = bv_sys_landlock_abi();
	const struct bv_landlock_ruleset_attr attr = bv_landlock_known(abi);
	int fd, ruleset = bv_sys_landlock_create_ruleset(&attr, abi);

	if (ruleset < 0)
		return "creating a ruleset";
	/* Without this the refusal below would prove nothing. */
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "reading a file before";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    bv_sys_landlock_restrict_self(ruleset, 0) != 0)
		return "entering the ruleset";
	if (open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) {
		errno = 0;
		return "being refused by it";
	}
	return NULL;
}

/* ---- single calls ---------------------------------------------------------------------------- */

static const char *try_clone3(void)
{
	int pidfd = -1;
	struct bv_clone_args args = {.flags = BV_CLONE_PIDFD,
				     .pidfd = (uint64_t)(uintptr_t)&pidfd,
				     .exit_signal = SIGCHLD};
	pid_t pid = bv_sys_clone3(&args);

	if (pid < 0)
		return "clone3";
	if (pid == 0)
		_exit(0);
	(void)bv_sys_wait4(pid, NULL, __WALL, NULL);
	return NULL;
}

static const char *try_pidfd(void)
{
	int pidfd = -1;
	pid_t pid = bv_sys_clone(BV_CLONE_PIDFD, &pidfd);
	struct pollfd ended;

	if (pid < 0)
		return "clone with CLONE_PIDFD";
	if (pid == 0) {
		pause();
		_exit(0);
	}
	if (bv_sys_pidfd_send_signal(pidfd, SIGKILL) != 0)
		return "pidfd_send_signal";
	ended = (struct pollfd){pidfd, POLLIN, 0};
	errno = 0;
	return poll(&ended, 1, PROBE_TIMEOUT_MS / 2) == 1 ? NULL : "polling a pidfd";
}

static const char *try_close_range(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 100);

	if (fd < 0)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || bv_sys_close_range((unsigned int)fd, (unsigned int)fd, 0) != 0)
		return "close_range";
	errno = 0;
	return fcntl(fd, F_GETFD) < 0 ? NULL : "closing by it";
}

static const char *try_openat2(void)
{
	const struct bv_open_how how = {.flags = O_PATH | O_CLOEXEC,
					.resolve = BV_RESOLVE_NO_MAGICLINKS};

	return bv_sys_openat2(AT_FDCWD, "/", &how) >= 0 ? NULL : "openat2";
}

static const char *try_memfd_seals(void)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd = bv_sys_memfd_create("probe", 3 | BV_MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = bv_sys_memfd_create("probe", 3);
	if (fd < 0)
		return "memfd_create";
	return fcntl(fd, F_ADD_SEALS, seals) == 0 ? NULL : "sealing";
}

/* What the host does before it lets a workload run: look at its descriptors and namespaces. */
static const char *try_attest(void)
{
	struct bv_id_range private_ids;
	const bool root = geteuid() == 0;
	char path[64], target[64], byte = 0;
	int ready[2], pidfd = -1;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return "making a pipe";
	if (root && !bv__private_ids(&private_ids)) {
		errno = 0;
		return "finding an id that is nobody's";
	}
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid < 0)
		return "fork";
	if (pid == 0) {
		/* As the workload is then: someone else's, and dumpable again. */
		if ((root && (bv_sys_setresgid(private_ids.first) != 0 ||
			      bv_sys_setresuid(private_ids.first) != 0)) ||
		    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ||
		    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0 || write(ready[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		errno = 0;
		return "becoming the private id";
	}
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if (open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0)
		return "reading /proc/<pid>/fd";
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return readlink(path, target, sizeof(target)) > 0 ? NULL : "reading /proc/<pid>/ns";
}

/* The descriptor the host says is a group to try; -1. */
static int trial_group(void)
{
	const char *text = getenv(BV_ENV_CGROUP);

	return text != NULL && text[0] == '3' && text[1] == '\0' && fcntl(3, F_GETFD) >= 0 ? 3 : -1;
}

/* As a run does it: born in the group, seen in it, its time counted, all of it killed in one act. */
static const char *try_cgroup_join(void)
{
	const int group = trial_group();
	char text[4096], member[32];
	struct pollfd ended;
	uint64_t micros;
	int pidfd = -1;
	pid_t pid;

	if (group < 0) {
		errno = ENOENT;
		return "finding a control group";
	}
	pid = group_fork(0, group, &pidfd);
	if (pid < 0)
		return "being born in it";
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(member, sizeof(member), "%d\n", (int)pid);
	errno = 0;
	if (bv__group_get(group, "cgroup.procs", text, sizeof(text)) <= 0 ||
	    strcmp(text, member) != 0)
		return "being a member";
	if (bv__group_get(group, "cpu.stat", text, sizeof(text)) <= 0 ||
	    !bv__group_number(text, "usage_usec", &micros))
		return "its clock (cpu.stat)";
	if (bv__group_kill(group) != 0)
		return "killing it";
	ended = (struct pollfd){pidfd, POLLIN, 0};
	errno = 0;
	return poll(&ended, 1, PROBE_TIMEOUT_MS / 2) == 1 ? NULL : "its end";
}

static const char *try_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? NULL : "prctl";
}

/* In name order, as the facts are. */
static const struct {
	const char *name;
	probe_fn *run;
} probes[] = {
	{"attest", try_attest},
	{"cgroup_join", try_cgroup_join},
	{"clone3", try_clone3},
	{"close_range", try_close_range},
	{"idmap", try_idmap},
	{"idmap_tmpfs", try_idmap_tmpfs},
	{"landlock", try_landlock},
	{"memfd_noexec", try_memfd_noexec},
	{"memfd_seals", try_memfd_seals},
	{"namespaces", try_namespaces},
	{"netns", try_netns},
	{"nproc", try_nproc},
	{"openat2", try_openat2},
	{"overlay", probe_overlay},
	{"pidfd", try_pidfd},
	{"seccomp_filter", try_seccomp},
	{"seccomp_notify", try_seccomp_notify},
	{"subreaper", try_subreaper},
};

enum { PROBE_COUNT = sizeof(probes) / sizeof(probes[0]) };

static void probe_run(probe_fn *run, struct probe_result *ret_result)
{
	int answer[2], pidfd = -1;
	pid_t pid;

	if (pipe2(answer, O_CLOEXEC) != 0) {
		probe_says(ret_result, errno, "making a pipe");
		return;
	}
	pid = bv_sys_fork(0, -1, &pidfd);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(answer[0]);
		errno = 0;
		probe_report(answer[1], run());
		_exit(0);
	}
	close(answer[1]);
	if (pid < 0)
		probe_says(ret_result, errno, "fork");
	else
		probe_collect(answer[0], pid, ret_result);
	if (pidfd >= 0)
		close(pidfd);
	close(answer[0]);
}

/* musl names no error numbers; these are the ones a refusal comes with. */
static const char *errno_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{EPERM, "EPERM"},           {ENOENT, "ENOENT"}, {EAGAIN, "EAGAIN"},
		{ENOMEM, "ENOMEM"},         {EACCES, "EACCES"}, {EBUSY, "EBUSY"},
		{EINVAL, "EINVAL"},         {ENOSPC, "ENOSPC"}, {ENOSYS, "ENOSYS"},
		{EOPNOTSUPP, "EOPNOTSUPP"}, {EUSERS, "EUSERS"}, {ETIMEDOUT, "ETIMEDOUT"},
		{EXDEV, "EXDEV"},           {ENODEV, "ENODEV"}, {EROFS, "EROFS"},
		{EFAULT, "EFAULT"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == number)
			return names[i].name;
	}
	return NULL;
}

static struct bv_str fact_text(struct bv_arena *arena, const struct probe_result *result)
{
	const char *name = errno_name(result->sys_errno);

	if (result->step[0] == '\0')
		return BV_STR("yes");
	if (result->sys_errno == 0)
		return bv_arena_format(arena, "no: failed at %s", result->step);
	if (name == NULL)
		return bv_arena_format(arena, "no: errno %d at %s", result->sys_errno,
				       result->step);
	return bv_arena_format(arena, "no: %s at %s", name, result->step);
}

int bv_launcher_probe(void)
{
	static uint8_t memory[16384];
	struct bv_text_pair pairs[PROBE_COUNT];
	struct bv_probe_facts facts = {.facts = {pairs, PROBE_COUNT}};
	struct bv_arena arena;
	struct bv_str bytes;

	bv_arena_init(&arena, memory, sizeof(memory));
	/* A host that ignores SIGCHLD hands that on, and then nothing could be waited for. */
	if (bv_sys_reset_signals() != 0)
		return BV_LAUNCHER_EXIT_FAULTED;
	for (size_t i = 0; i < PROBE_COUNT; i++) {
		struct probe_result result;

		probe_run(probes[i].run, &result);
		pairs[i] = (struct bv_text_pair){bv_str_from(probes[i].name),
						 fact_text(&arena, &result)};
	}
	bytes = bv_canon_bytes(&arena, &bv_probe_facts_type, &facts);
	if (bytes.data == NULL)
		return BV_LAUNCHER_EXIT_FAULTED;
	for (size_t at = 0; at < bytes.len;) {
		ssize_t wrote = write(1, bytes.data + at, bytes.len - at);

		if (wrote < 0)
			return BV_LAUNCHER_EXIT_FAULTED;
		at += (size_t)wrote;
	}
	return BV_LAUNCHER_EXIT_OK;
}
