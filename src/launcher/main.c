/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bvisor-linux-launcher: builds one boundary as a sealed plan says and executes the workload in it.
 *
 * Started by a host with four descriptor numbers in its environment (spec/linux.md 2.6, 3.1) and
 * nothing else.  Here it finds its control channel, makes its own process safe, and reads the plan;
 * the version in the plan's envelope decides which protocol goes on.  Descriptors 1 and 2 are the
 * workload's: nothing is ever written to them, but for the one line below when there is no channel.
 */
#include "launcher/group.h"
#include "launcher/launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/probe.h"
#include "launcher/v1.h"
#include "linux/sys.h"

#define ENV_CONTROL "BVISOR_CONTROL_FD"
#define ENV_PLAN "BVISOR_LAUNCH_PLAN_FD"
#define ENV_ERROR "BVISOR_ERROR_FD"
#define ENV_ERROR_READ "BVISOR_ERROR_READ_FD"

/* Decimal, blanks around it allowed.  0, 1 and 2 are the workload's and never a channel. */
static int fd_from_env(const char *name)
{
	const char *text = getenv(name);
	long number = 0;

	if (text == NULL)
		return -1;
	text += strspn(text, " \t\r\n");
	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (*text - '0');
		if (number > INT_MAX)
			return -1;
	}
	if (text[strspn(text, " \t\r\n")] != '\0' || number < 3)
		return -1;
	return (int)number;
}

static bool adopt_control(struct bv_launcher *launcher)
{
	struct stat seen;
	int type = 0;
	socklen_t size = sizeof(type);

	launcher->control_fd = fd_from_env(ENV_CONTROL);
	if (launcher->control_fd < 0 || fstat(launcher->control_fd, &seen) != 0 ||
	    !S_ISSOCK(seen.st_mode))
		return false;
	if (getsockopt(launcher->control_fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
		return false;
	launcher->packets = type == SOCK_SEQPACKET;
	return launcher->packets || type == SOCK_STREAM;
}

int bv_launcher_task_count(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int count = 0;

	if (tasks == NULL)
		return -1;
	for (const struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
		if (entry->d_name[0] != '.')
			count++;
	}
	closedir(tasks);
	return count;
}

/* 0, or -1 with errno.  Whatever the host ignored, blocked or left closed is not handed on. */
static int settle_process(const struct bv_launcher *launcher)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	/* The plan holds secrets; nobody of the same user shall read them out of this process. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -1;
	if (bv_sys_reset_signals() != 0 || sigaction(SIGPIPE, &ignore, NULL) != 0)
		return -1;
	/* Otherwise a descriptor of ours could become the workload's standard input. */
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	}
	return fcntl(launcher->control_fd, F_SETFD, FD_CLOEXEC);
}

/* The name of the first variable that is missing, malformed, or names a channel twice; or NULL. */
static const char *adopt_channels(struct bv_launcher *launcher)
{
	launcher->plan_fd = fd_from_env(ENV_PLAN);
	if (launcher->plan_fd < 0 || launcher->plan_fd == launcher->control_fd)
		return ENV_PLAN;
	if (launcher->packets) {
		launcher->group_fd = fd_from_env(BV_ENV_CGROUP);
		return (getenv(BV_ENV_CGROUP) != NULL && launcher->group_fd < 0) ||
				       (launcher->group_fd >= 0 &&
					(launcher->group_fd == launcher->control_fd ||
					 launcher->group_fd == launcher->plan_fd))
			       ? BV_ENV_CGROUP
			       : NULL;
	}
	launcher->error_fd = fd_from_env(ENV_ERROR);
	if (launcher->error_fd < 0 || launcher->error_fd == launcher->control_fd ||
	    launcher->error_fd == launcher->plan_fd)
		return ENV_ERROR;
	launcher->error_read_fd = fd_from_env(ENV_ERROR_READ);
	if (launcher->error_read_fd < 0 || launcher->error_read_fd == launcher->control_fd ||
	    launcher->error_read_fd == launcher->plan_fd ||
	    launcher->error_read_fd == launcher->error_fd)
		return ENV_ERROR_READ;
	return NULL;
}

/*
 * Reads the plan from its current offset to its end.  0, or -1 with errno.  What is not a memory
 * file with all four seals is left unread (`sealed` stays false): it could change under us, or
 * never end.
 */
static int read_plan(struct bv_launcher *launcher)
{
	const int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	const size_t ceiling = BV_LAUNCHER_FRAME_MAX + 1;
	int seals = fcntl(launcher->plan_fd, F_GET_SEALS);
	size_t len = 0;
	char *data;

	if (seals < 0 && errno == EBADF)
		return -1;
	if (seals < 0 || (seals & wanted) != wanted)
		return 0;
	data = mmap(NULL, ceiling, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (data == MAP_FAILED)
		return -1;
	while (len < ceiling) {
		ssize_t got = read(launcher->plan_fd, data + len, ceiling - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	launcher->frame = (struct bv_str){data, len};
	launcher->sealed = true;
	return 0;
}

void bv_launcher_forget_frame(struct bv_launcher *launcher)
{
	if (launcher->frame.data == NULL)
		return;
	explicit_bzero((void *)(uintptr_t)launcher->frame.data, launcher->frame.len);
	/* It was mapped whole, whatever its length. */
	(void)munmap((void *)(uintptr_t)launcher->frame.data, BV_LAUNCHER_FRAME_MAX + 1);
	launcher->frame = (struct bv_str){NULL, 0};
}

/* Bytes 8 and 9 of the envelope, little-endian (spec/linux.md 1.1). */
static bool is_version_2(struct bv_str frame)
{
	return frame.len >= 10 && memcmp(frame.data, "BVZLNCH1", 8) == 0 && frame.data[8] == 2 &&
	       frame.data[9] == 0;
}

static int boot_packets(struct bv_launcher *launcher)
{
	launcher->boot_step = BV_STEP_BOOT;
	if (settle_process(launcher) != 0) {
		launcher->boot_errno = errno;
	} else if (bv_launcher_task_count() != 1) {
		launcher->boot_errno = EBUSY;
	} else if (adopt_channels(launcher) != NULL) {
		launcher->boot_errno = EINVAL;
	} else if (read_plan(launcher) != 0) {
		launcher->boot_step = BV_STEP_PLAN;
		launcher->boot_errno = errno;
	}
	if (launcher->boot_errno == 0 && launcher->sealed && !is_version_2(launcher->frame)) {
		struct bv_v1_transcript transcript = {launcher->control_fd, -1};

		return bv_launcher_v1(launcher, &transcript);
	}
	return bv_launcher_v2(launcher);
}

static int boot_lines(struct bv_launcher *launcher)
{
	struct bv_v1_transcript transcript = {launcher->control_fd, -1};
	const char *culprit;
	int tasks;

	if (settle_process(launcher) != 0) {
		int saved = errno;

		bv__v1_state(&transcript, BV_STATE_LAUNCHER_STARTED);
		return bv__v1_fault_errno(&transcript, saved);
	}
	bv__v1_state(&transcript, BV_STATE_LAUNCHER_STARTED);
	tasks = bv_launcher_task_count();
	if (tasks != 1)
		return bv__v1_fault_tasks(&transcript, tasks);
	culprit = adopt_channels(launcher);
	if (culprit != NULL)
		return bv__v1_fault_text(&transcript, "missing or malformed fd env var ", culprit);
	if (read_plan(launcher) != 0)
		return bv__v1_fault_errno(&transcript, errno);
	return bv_launcher_v1(launcher, &transcript);
}

int main(int argc, char **argv)
{
	static const char no_channel[] = "bvisor-linux-launcher: no usable control channel fd\n";
	struct bv_launcher launcher = {.control_fd = -1,
				       .plan_fd = -1,
				       .error_fd = -1,
				       .error_read_fd = -1,
				       .group_fd = -1};

	if (argc == 2 && strcmp(argv[1], "--probe") == 0)
		return bv_launcher_probe();
	if (!adopt_control(&launcher)) {
		/* The only words ever for standard error; there is nowhere else to say it. */
		ssize_t said = write(STDERR_FILENO, no_channel, sizeof(no_channel) - 1);

		(void)said;
		return BV_LAUNCHER_EXIT_FAULTED;
	}
	return launcher.packets ? boot_packets(&launcher) : boot_lines(&launcher);
}
