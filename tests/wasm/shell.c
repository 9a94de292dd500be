/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * shell.c - the attacker's code: one act, and what came of it on standard output.
 *
 * Compiled to a flat binary with -DACT=NAME, -DSECRET, -DINSIDE and -DVICTIM; no C library.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define KEEP static inline __attribute__((always_inline))

KEEP long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

KEEP long open_with(const char *path, long flags)
{
	struct open_how how = {.flags = (unsigned long long)flags};

	return call(SYS_openat2, AT_FDCWD, (long)path, (long)&how, sizeof how, 0, 0);
}

KEEP void say(const char *text, long size)
{
	call(SYS_write, 1, (long)text, size, 0, 0, 0);
}

#define SAY(text)                                                                                  \
	do {                                                                                       \
		static const char said[] = text "\n";                                              \
		say(said, sizeof said - 1);                                                        \
	} while (0)

KEEP void show(long fd)
{
	char data[64];
	long got = call(SYS_read, fd, (long)data, sizeof data, 0, 0, 0);

	if (got > 0)
		say(data, got);
}

enum act {
	hello,
	inside,
	secret,
	write_out,
	old_open,
	network,
	signal_out,
	execute,
	new_code,
	trace
};

__attribute__((section(".text.first"))) void first(void)
{
	long result = 0;

	SAY("attacker runs");
	switch ((enum act)ACT) {
	case hello:
		break;
	case inside:
		result = open_with(INSIDE, O_RDONLY);
		if (result >= 0)
			show(result);
		break;
	case secret:
		result = open_with(SECRET, O_RDONLY);
		if (result >= 0)
			show(result);
		break;
	case write_out:
		result = open_with(SECRET, O_WRONLY | O_TRUNC);
		break;
	case old_open:
		result = call(SYS_open, (long)SECRET, O_RDONLY, 0, 0, 0, 0);
		break;
	case network:
		result = call(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0);
		break;
	case signal_out:
		result = call(SYS_kill, VICTIM, 9, 0, 0, 0, 0);
		break;
	case execute:
		result = call(SYS_execve, (long)"/bin/sh", 0, 0, 0, 0, 0);
		break;
	case new_code:
		result = call(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (result < -4095 || result > 0)
			result = 0;
		break;
	case trace:
		result = call(SYS_ptrace, 16, VICTIM, 0, 0, 0, 0);
		break;
	}
	if (result >= 0)
		SAY("done");
	else
		SAY("refused");
	call(SYS_exit_group, 0, 0, 0, 0, 0, 0);
}
