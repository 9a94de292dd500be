/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Starts the launcher on a worse machine: each argument takes something away, the last one is the
 * program.
 *
 *     wrap syscall:435:38 kill:112 ro-proc many-tasks PROGRAM
 *
 * syscall:N:E answers system call N with errno E; kill:N kills who calls it; ro-proc makes /proc read-only; many-tasks makes
 * /proc/self/task list many.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "wrap: %s: %s\n", what, strerror(errno));
	exit(124);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

/* As root a mount namespace will do; anybody else needs a user namespace around it. */
static void enter_mount_namespace(void)
{
	static int entered;
	char map[64];
	const unsigned int uid = geteuid(), gid = getegid();

	if (entered++)
		return;
	if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) != 0)
		die("unshare");
	if (uid != 0) {
		snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		put("/proc/self/uid_map", map);
		put("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		put("/proc/self/gid_map", map);
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		die("make mounts private");
}

static void make_proc_read_only(void)
{
	enter_mount_namespace();
	if (mount("/proc", "/proc", NULL, MS_BIND | MS_REC, NULL) != 0)
		die("bind /proc");
	if (mount(NULL, "/proc", NULL,
		  MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0 &&
	    mount(NULL, "/proc", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
		die("remount /proc");
}

/* Any directory with more than one entry will do, and this mount is seen by this process alone. */
static void list_many_tasks(void)
{
	enter_mount_namespace();
	if (mount("/usr", "/proc/self/task", NULL, MS_BIND | MS_REC, NULL) != 0)
		die("bind over /proc/self/task");
}

static void answer_syscall(unsigned int number, unsigned int action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {4, code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		die("seccomp");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc - 1; i++) {
		unsigned int a, b;

		if (sscanf(argv[i], "syscall:%u:%u", &a, &b) == 2) {
			answer_syscall(a, SECCOMP_RET_ERRNO | b);
		} else if (sscanf(argv[i], "kill:%u", &a) == 1) {
			answer_syscall(a, SECCOMP_RET_KILL_PROCESS);
		} else if (strcmp(argv[i], "ro-proc") == 0) {
			make_proc_read_only();
		} else if (strcmp(argv[i], "many-tasks") == 0) {
			list_many_tasks();
		} else {
			fprintf(stderr, "wrap: what is '%s'?\n", argv[i]);
			return 124;
		}
	}
	if (argc < 2)
		return 124;
	execve(argv[argc - 1], argv + argc - 1, environ);
	die(argv[argc - 1]);
}
