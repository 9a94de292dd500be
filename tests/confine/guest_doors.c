/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * guest_doors.c - system calls that lead out, each made so that it works where nobody refuses it.
 *
 * What they open is closed again or dies with the process; none of it outlives a run without a
 * boundary.
 */
#include "guest_doors.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int through_x32(void)
{
	return (int)syscall(0x40000000L + SYS_getppid);
}

/* getppid of i386, through the door of i386. */
static int through_i386(void)
{
#ifdef __x86_64__
	long result = 64;

	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	if ((int)result >= 0)
		return 0;
	errno = -(int)result;
#else
	errno = ENOSYS;
#endif
	return -1;
}

static int through_io_uring(void)
{
	uint32_t parameters[30] = {0};

	return (int)syscall(425, 1, parameters);
}

/* A byte typed into a terminal: the one that was given, or one made for it. */
static int through_tiocsti(void)
{
	struct termios raw;
	int fd = 0, waiting = 0;
	char byte = 'x';

	if (!isatty(0)) {
		const int master = posix_openpt(O_RDWR | O_NOCTTY);

		if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
			return -1;
		fd = open(ptsname(master), O_RDWR | O_NOCTTY);
		if (fd < 0)
			return -1;
	}
	if (tcgetattr(fd, &raw) != 0)
		return -1;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw) != 0 || ioctl(fd, TIOCSTI, &byte) != 0)
		return -1;
	/* It must have arrived. */
	return ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 1 ? 0 : -1;
}

static int through_personality(void)
{
	if (personality(ADDR_NO_RANDOMIZE) == -1)
		return -1;
	return personality(0xffffffff) == ADDR_NO_RANDOMIZE ? 0 : -1;
}

static int through_namespace(void)
{
	const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static int through_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int through_keys(void)
{
	/* KEYCTL_GET_KEYRING_ID of the process's own ring, made where there is none. */
	return (int)syscall(SYS_keyctl, 0, -2, 1, 0, 0);
}

/* Newer than the filter knows; without one the kernel says that it knows none either. */
static int through_future(void)
{
	return (int)syscall(1000);
}

static int through_queue(void)
{
	const int id = msgget(IPC_PRIVATE, 0600);

	return id < 0 ? -1 : msgctl(id, IPC_RMID, NULL);
}

static int through_aio(void)
{
	unsigned long context = 0;

	if (syscall(SYS_io_setup, 1, &context) != 0)
		return -1;
	return (int)syscall(SYS_io_destroy, context);
}

static int through_vmsplice(void)
{
	char bytes[] = "bytes";
	const struct iovec part = {bytes, 5};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	return vmsplice(ends[1], &part, 1, 0) == 5 ? 0 : -1;
}

static int through_scheduler(void)
{
	const struct sched_param none = {0};

	return sched_setscheduler(0, SCHED_BATCH, &none);
}

static int through_timing(void)
{
	return prctl(PR_GET_TIMING, 0, 0, 0, 0);
}

/* A program that drops everything, run by the kernel for each packet. */
static int through_socket_filter(void)
{
	const struct {
		uint16_t code;
		uint8_t jt, jf;
		uint32_t k;
	} drop = {6, 0, 0, 0};
	const struct {
		uint16_t count;
		const void *program;
	} filter = {1, &drop};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	return setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

int guest_door(const char *name)
{
	static const struct {
		const char *name;
		int (*open)(void);
	} doors[] = {
		{"x32", through_x32},
		{"i386", through_i386},
		{"io_uring", through_io_uring},
		{"tiocsti", through_tiocsti},
		{"personality", through_personality},
		{"namespace", through_namespace},
		{"netlink", through_netlink},
		{"keys", through_keys},
		{"future", through_future},
		{"queue", through_queue},
		{"aio", through_aio},
		{"vmsplice", through_vmsplice},
		{"scheduler", through_scheduler},
		{"timing", through_timing},
		{"socket-filter", through_socket_filter},
	};

	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		if (strcmp(doors[i].name, name) == 0)
			return doors[i].open();
	}
	errno = EBADRQC;
	return -1;
}

void guest_calls(int first, int count)
{
	for (int number = first; number < first + count; number++)
		(void)syscall(number, -1L, -1L, -1L, -1L, -1L, -1L); /* refused, as it is hoped */
}
