/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Reading files whole and writing them whole. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int cli_write_all(int fd, const void *data, size_t size_bytes)
{
	const char *p = data;

	while (size_bytes > 0) {
		ssize_t n = write(fd, p, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

void cli_bytes_wipe(struct cli_bytes *bytes)
{
	if (bytes->data)
		explicit_bzero(bytes->data, bytes->size_bytes);
	free(bytes->data);
	*bytes = (struct cli_bytes){0};
}

/* Grows by hand: realloc would leave copies of a secret behind. */
static bool grow(struct cli_bytes *bytes, size_t *capacity)
{
	size_t wanted = *capacity * 2;
	char *bigger = malloc(wanted + 1);

	if (!bigger)
		return false;
	if (bytes->data) {
		memcpy(bigger, bytes->data, bytes->size_bytes);
		explicit_bzero(bytes->data, bytes->size_bytes);
		free(bytes->data);
	}
	bytes->data = bigger;
	*capacity = wanted;
	return true;
}

static int read_all(int fd, const char *path, size_t max_bytes, struct cli_bytes *bytes)
{
	size_t capacity = 4096;

	for (;;) {
		if (!bytes->data || bytes->size_bytes == capacity) {
			if (!grow(bytes, &capacity)) {
				cli_say_errno(path, ENOMEM);
				return -1;
			}
		}
		ssize_t n = read(fd, bytes->data + bytes->size_bytes, capacity - bytes->size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			cli_say_errno(path, errno);
			return -1;
		}
		if (n == 0)
			break;
		bytes->size_bytes += (size_t)n;
		if (bytes->size_bytes > max_bytes) {
			cli_say("%s: is larger than %zu bytes", path, max_bytes);
			cli_remedy("check that this is the file you mean");
			return -1;
		}
	}
	bytes->data[bytes->size_bytes] = '\0';
	return 0;
}

int cli_read_file(const char *path, size_t max_bytes, struct cli_bytes *ret_bytes)
{
	struct cli_bytes bytes = {0};
	bool standard_input = strcmp(path, "-") == 0;
	int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		cli_say_errno(path, errno);
		return -1;
	}
	int status = read_all(fd, path, max_bytes, &bytes);

	if (!standard_input)
		(void)close(fd); /* only read from */
	if (status != 0) {
		cli_bytes_wipe(&bytes);
		return -1;
	}
	*ret_bytes = bytes;
	return 0;
}

int cli_output_open(const char *path, struct cli_output *ret_output)
{
	struct cli_output output = {.path = path, .dir = -1, .fd = -1};
	const char *slash = strrchr(path, '/');
	struct stat st;

	output.name = slash ? slash + 1 : path;
	if (!*output.name) {
		cli_say("%s: is a directory", path);
		cli_remedy("name a file in it");
		return -1;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A pipe, a terminal, /dev/stderr: there is no name to replace. */
		output.fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	} else if (!slash) {
		output.dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		char *dir = strndup(path, (size_t)(slash - path) + 1);

		if (dir)
			output.dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		free(dir);
	}
	if (output.fd < 0 && output.dir < 0) {
		cli_say_errno(path, errno);
		return -1;
	}
	if (output.dir >= 0 && faccessat(output.dir, ".", W_OK, 0) != 0) {
		cli_say("%s: cannot be written: its directory: %s", path, strerror(errno));
		cli_output_close(&output);
		return -1;
	}
	*ret_output = output;
	return 0;
}

static int replace(struct cli_output *output, const void *data, size_t size_bytes)
{
	char temporary[64];
	uint64_t random = 0;

	/* A name the workload cannot have taken in advance to keep the report from being written. */
	if (getrandom(&random, sizeof random, 0) < 0)
		return -1;
	(void)snprintf(temporary, sizeof temporary, ".bvisor-%016llx", (unsigned long long)random);
	int fd = openat(output->dir, temporary,
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);

	if (fd < 0)
		return -1;
	/* Durable before it has its name: a reader never sees a torn report, not even after a crash. */
	int status = cli_write_all(fd, data, size_bytes);

	if (status == 0)
		status = fsync(fd);
	if (status == 0)
		status = renameat(output->dir, temporary, output->dir, output->name);

	int kept = errno;

	(void)close(fd); /* fsync has told the truth already */
	if (status != 0)
		(void)unlinkat(output->dir, temporary, 0); /* the first error is the one to tell */
	errno = kept;
	return status;
}

int cli_output_write(struct cli_output *output, const void *data, size_t size_bytes)
{
	int status = output->dir >= 0 ? replace(output, data, size_bytes)
				      : cli_write_all(output->fd, data, size_bytes);

	if (status != 0)
		cli_say("%s: the report could not be written: %s", output->path, strerror(errno));
	return status;
}

void cli_output_close(struct cli_output *output)
{
	if (output->dir >= 0)
		(void)close(output->dir); /* nothing was written through it */
	if (output->fd >= 0)
		(void)close(output->fd); /* write has told the truth already */
	output->dir = output->fd = -1;
}
