/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What doctor tries things on.  All of it is made here and gone afterwards. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *path;
	mode_t mode;
} folders[] = {{"%d", 0755}, {"%w", 0777}, {"%w/many", 0777},
	       {"%r", 0755}, {"%o", 0777}, {"%d/writable", 0777}};

/* Open to everybody, so that what holds is the boundary and not the owner. */
static const struct {
	const char *path, *content;
	mode_t mode;
} contents[] = {
	{"%o/secret", "%t\n", 0644},        {"%o/victim", "untouched\n", 0666},
	{"%r/file", "%t\n", 0666},          {"%r/log", "untouched\n", 0666},
	{"%w/log", "untouched\n", 0666},    {"%w/lock", "", 0666},
	{"%d/writable/file", "%t\n", 0666},
};

static const char *const leftovers[] = {"%o/new", "%o/signalled", "%w/new", "%w/big", "/tmp/%t"};

void cli_lab_expand(const struct cli_lab *lab, const char *text, char *ret_text, size_t size_bytes)
{
	char number[24];
	size_t used = 0;

	for (; *text && used + 1 < size_bytes; text++) {
		const char *put = number, *tail = "";

		number[0] = *text;
		number[1] = '\0';
		if (*text == '%' && text[1]) {
			text++;
			switch (*text) {
			case 'd':
				put = lab->dir;
				break;
			case 'w':
				put = lab->dir;
				tail = "/work";
				break;
			case 'r':
				put = lab->dir;
				tail = "/readable";
				break;
			case 'o':
				put = lab->dir;
				tail = "/outside";
				break;
			case 't':
				put = lab->token;
				break;
			case 's':
				put = lab->abstract;
				break;
			case 'a':
				put = lab->victim_address;
				break;
			case 'p':
				(void)snprintf(number, sizeof number, "%u", lab->tcp_port);
				break;
			case 'u':
				(void)snprintf(number, sizeof number, "%u", lab->udp_port);
				break;
			case 'v':
				(void)snprintf(number, sizeof number, "%ld", (long)lab->victim);
				break;
			default:
				break;
			}
		}
		used += (size_t)snprintf(ret_text + used, size_bytes - used, "%s%s", put, tail);
	}
	ret_text[used < size_bytes ? used : size_bytes - 1] = '\0';
}

static int write_content(const struct cli_lab *lab, size_t index)
{
	char path[256], content[128];

	cli_lab_expand(lab, contents[index].path, path, sizeof path);
	cli_lab_expand(lab, contents[index].content, content, sizeof content);
	/* Made anew and never followed: the folder is open to everybody, and we may be root. */
	(void)unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;

	int status = cli_write_all(fd, content, strlen(content));

	if (fchmod(fd, contents[index].mode) != 0)
		status = -1;
	return close(fd) == 0 ? status : -1;
}

static void remove_many(const struct cli_lab *lab)
{
	char path[256];

	for (int i = 0; i < 64; i++) {
		(void)snprintf(path, sizeof path, "%s/work/many/%d", lab->dir, i);
		(void)unlink(path); /* most are not there */
	}
}

/* What failed attempts left unread must not count for the next. */
static void drain(int listener, bool stream)
{
	char byte;

	for (;;) {
		int fd = stream ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;

		if (fd >= 0)
			(void)close(fd);
		else if (stream || recv(listener, &byte, 1, MSG_DONTWAIT) < 0)
			return;
	}
}

void cli_lab_reset(struct cli_lab *lab)
{
	char path[256];

	for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
		cli_lab_expand(lab, leftovers[i], path, sizeof path);
		(void)unlink(path); /* most are not there */
	}
	remove_many(lab);
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++)
		(void)write_content(lab, i); /* told by the control, which then fails */
	drain(lab->tcp, true);
	drain(lab->udp, false);
	drain(lab->abstract_socket, true);
	drain(lab->path_socket, true);
}

/* A copy where everybody may execute it, wherever bvisor itself is kept. */
static int copy_self(const struct cli_lab *lab, const char *where)
{
	char path[256];
	struct stat st;
	off_t done = 0;

	cli_lab_expand(lab, where, path, sizeof path);
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	int status = from < 0 || to < 0 || fstat(from, &st) != 0 ? -1 : 0;

	while (status == 0 && done < st.st_size) {
		if (sendfile(to, from, &done, (size_t)(st.st_size - done)) <= 0)
			status = -1;
	}
	if (status == 0)
		status = fchmod(to, 0755);
	if (from >= 0)
		(void)close(from); /* only read from */
	if (to >= 0 && close(to) != 0)
		status = -1;
	return status;
}

static int listen_inet(int type, unsigned int *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&address, size) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 8) != 0) ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int listen_unix(const struct cli_lab *lab, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[sizeof address.sun_path];

	cli_lab_expand(lab, name, path, sizeof path);
	size_t len = strlen(path);

	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;

	mode_t mask = umask(0); /* anybody may connect: what holds is to be the boundary */
	int status = bind(fd, (const struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));

	(void)umask(mask);
	if (status != 0 || listen(fd, 8) != 0) {
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	return fd;
}

static int start_victim(struct cli_lab *lab)
{
	static char probe[] = "__probe", victim[] = "victim";
	posix_spawn_file_actions_t actions;
	char self[128], path[128];
	int out[2];

	cli_lab_expand(lab, "%d/bvisor", self, sizeof self);
	cli_lab_expand(lab, "%o/signalled", path, sizeof path);
	if (pipe2(out, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&actions) != 0)
		return -1;
	(void)posix_spawn_file_actions_adddup2(&actions, out[1],
					       STDOUT_FILENO); /* out of memory fails the spawn */
	errno = posix_spawn(&lab->victim, self, &actions, NULL,
			    (char *[]){self, probe, victim, path, lab->token, NULL}, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(out[1]);
	ssize_t n = errno ? -1 : read(out[0], lab->victim_address, sizeof lab->victim_address - 1);

	(void)close(out[0]);
	if (n <= 0)
		return -1;
	lab->victim_address[strcspn(lab->victim_address, "\n")] = '\0';
	return 0;
}

static int fail(const char *what)
{
	cli_say("doctor: %s: %s", what, strerror(errno));
	cli_remedy("point TMPDIR to a directory where files can be made and executed");
	return -1;
}

/* And where the code of it is kept, so that each trial need not compile it. */
static int write_guest(const struct cli_lab *lab)
{
	char path[256];
	int fd, status;

	cli_lab_expand(lab, "%d/cache", path, sizeof path);
	if (setenv("BVISOR_CACHE", path, 1) != 0)
		return -1;
	cli_lab_expand(lab, "%d/guest.wat", path, sizeof path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	status = cli_write_all(fd, cli_guest, strlen(cli_guest));
	return close(fd) == 0 ? status : -1;
}

static void remove_guest(const struct cli_lab *lab)
{
	static const char *const folders_of_cache[] = {"%d/cache/wasm", "%d/cache"};
	char path[256];

	(void)bv_wasm_cache_clear(); /* what is left, rmdir shows */
	for (size_t i = 0; i < sizeof folders_of_cache / sizeof *folders_of_cache; i++) {
		cli_lab_expand(lab, folders_of_cache[i], path, sizeof path);
		(void)rmdir(path); /* there only where a guest was run */
	}
	cli_lab_expand(lab, "%d/guest.wat", path, sizeof path);
	(void)unlink(path);
}

int cli_lab_open(struct cli_lab *lab)
{
	const char *tmp = getenv("TMPDIR");
	uint64_t random[2] = {0};
	char path[256];

	*lab = (struct cli_lab){
		.tcp = -1, .udp = -1, .abstract_socket = -1, .path_socket = -1, .planted_fd = -1};
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return fail("random bytes");
	(void)snprintf(lab->token, sizeof lab->token, "TOKEN-%016llx",
		       (unsigned long long)random[0]);
	(void)snprintf(lab->abstract, sizeof lab->abstract, "@bvisor-%016llx",
		       (unsigned long long)random[1]);
	if (snprintf(lab->dir, sizeof lab->dir, "%s/bvisor-doctor.XXXXXX",
		     tmp && *tmp ? tmp : "/tmp") >= (int)sizeof lab->dir) {
		lab->dir[0] = '\0';
		errno = ENAMETOOLONG;
		return fail("TMPDIR");
	}
	if (!mkdtemp(lab->dir)) {
		lab->dir[0] = '\0';
		return fail("a directory to work in");
	}
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		cli_lab_expand(lab, folders[i].path, path, sizeof path);
		/* chmod, because the umask may have taken something away. */
		if ((i > 0 && mkdir(path, 0700) != 0) || chmod(path, folders[i].mode) != 0)
			return fail(path);
	}
	if (write_guest(lab) != 0)
		return fail("a WebAssembly guest");
	if (copy_self(lab, "%d/bvisor") != 0 || copy_self(lab, "%w/tool") != 0)
		return fail("a copy of bvisor");
	lab->tcp = listen_inet(SOCK_STREAM, &lab->tcp_port);
	lab->udp = listen_inet(SOCK_DGRAM, &lab->udp_port);
	lab->abstract_socket = listen_unix(lab, "%s");
	lab->path_socket = listen_unix(lab, "%d/socket");
	if (lab->tcp < 0 || lab->udp < 0 || lab->abstract_socket < 0 || lab->path_socket < 0)
		return fail("something to be reached over the network");
	cli_lab_reset(lab);
	if (start_victim(lab) != 0)
		return fail("a process to be signalled");
	cli_lab_expand(lab, "%o/secret", path, sizeof path);
	lab->planted_fd = open(path,
			       O_RDONLY); /* without O_CLOEXEC: a descriptor somebody forgot */
	return lab->planted_fd < 0 || setenv("BVISOR_DOCTOR_PLANTED", lab->token, 1) != 0
		       ? fail(path)
		       : 0;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
}

void cli_lab_close(struct cli_lab *lab)
{
	static const char *const files[] = {"%d/bvisor", "%w/tool", "%d/socket"};
	char path[256];

	if (lab->victim > 0) {
		(void)kill(lab->victim, SIGKILL); /* a child of ours, not yet waited for */
		(void)waitpid(lab->victim, NULL, 0);
	}
	close_if_open(lab->planted_fd);
	cli_lab_reset(lab);
	close_if_open(lab->tcp);
	close_if_open(lab->udp);
	close_if_open(lab->abstract_socket);
	close_if_open(lab->path_socket);
	if (!lab->dir[0])
		return;
	remove_guest(lab);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		cli_lab_expand(lab, files[i], path, sizeof path);
		(void)unlink(path); /* what is left, rmdir shows */
	}
	for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
		cli_lab_expand(lab, contents[i].path, path, sizeof path);
		(void)unlink(path);
	}
	for (size_t i = sizeof folders / sizeof *folders; i-- > 0;) {
		cli_lab_expand(lab, folders[i].path, path, sizeof path);
		if (rmdir(path) != 0 && errno != ENOENT)
			cli_say("doctor: %s could not be removed: %s", path, strerror(errno));
	}
}
