/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * image.c - what else the kernel needs in order to execute a file.
 *
 * Reads exactly as much of a file as the kernel does, and believes none of it: the file may be the
 * caller's, and what it names is granted only after it has been resolved like any other path.
 */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum {
	SCRIPT_LINE_MAX = 256, /* BINPRM_BUF_SIZE since Linux 5.1 */
	HEADERS_MAX = 128,     /* program headers looked at; real files have about a dozen */
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct bv_str trimmed(struct bv_str text)
{
	while (text.len > 0 && is_blank(text.data[0])) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* "#!interpreter argument with blanks" */
static int parse_script(struct bv_arena *arena, const char *head, size_t head_bytes,
			struct bv_image *ret_image)
{
	const char *end = memchr(head, '\n', head_bytes);
	struct bv_str line = {head + 2, (end ? (size_t)(end - head) : head_bytes) - 2};
	const char *nul = memchr(line.data, '\0', line.len);
	size_t name = 0;

	if (nul != NULL)
		line.len = (size_t)(nul - line.data);
	line = trimmed(line);
	while (name < line.len && !is_blank(line.data[name]))
		name++;
	ret_image->kind = BV_IMAGE_SCRIPT;
	ret_image->interpreter = bv_arena_copy(arena, (struct bv_str){line.data, name});
	ret_image->argument = bv_arena_copy(arena, trimmed((struct bv_str){line.data + name,
									   line.len - name}));
	return ret_image->interpreter.data && ret_image->argument.data ? 0 : ENOMEM;
}

static int read_interpreter(struct bv_arena *arena, const struct bv_image_source *source,
			    uint64_t offset, uint64_t size_bytes, struct bv_image *ret_image)
{
	char name[PATH_MAX];

	/* The kernel's own bounds; it refuses anything else with ENOEXEC. */
	if (size_bytes < 2 || size_bytes > sizeof(name) ||
	    source->read(source->context, offset, name, (size_t)size_bytes) != size_bytes ||
	    name[size_bytes - 1] != '\0') {
		ret_image->kind = BV_IMAGE_UNKNOWN;
		return 0;
	}
	ret_image->kind = BV_IMAGE_DYNAMIC;
	ret_image->interpreter = bv_arena_copy(arena, bv_str_from(name));
	return ret_image->interpreter.data ? 0 : ENOMEM;
}

static int parse_elf64(struct bv_arena *arena, const struct bv_image_source *source,
		       const Elf64_Ehdr *header, struct bv_image *ret_image)
{
	ret_image->kind = BV_IMAGE_STATIC;
	for (uint64_t i = 0; i < header->e_phnum && i < HEADERS_MAX; i++) {
		Elf64_Phdr part;

		if (header->e_phentsize != sizeof(part) ||
		    source->read(source->context, header->e_phoff + i * sizeof(part), &part,
				 sizeof(part)) != sizeof(part)) {
			ret_image->kind = BV_IMAGE_UNKNOWN;
			return 0;
		}
		if (part.p_type == PT_INTERP)
			return read_interpreter(arena, source, part.p_offset, part.p_filesz,
						ret_image);
	}
	return 0;
}

static int parse_elf32(struct bv_arena *arena, const struct bv_image_source *source,
		       const Elf32_Ehdr *header, struct bv_image *ret_image)
{
	ret_image->kind = BV_IMAGE_STATIC;
	for (uint64_t i = 0; i < header->e_phnum && i < HEADERS_MAX; i++) {
		Elf32_Phdr part;

		if (header->e_phentsize != sizeof(part) ||
		    source->read(source->context, header->e_phoff + i * sizeof(part), &part,
				 sizeof(part)) != sizeof(part)) {
			ret_image->kind = BV_IMAGE_UNKNOWN;
			return 0;
		}
		if (part.p_type == PT_INTERP)
			return read_interpreter(arena, source, part.p_offset, part.p_filesz,
						ret_image);
	}
	return 0;
}

int bv__image_parse(struct bv_arena *arena, const struct bv_image_source *source,
		    struct bv_image *ret_image)
{
	union {
		char bytes[SCRIPT_LINE_MAX];
		Elf64_Ehdr elf64;
		Elf32_Ehdr elf32;
	} head;
	size_t got = source->read(source->context, 0, head.bytes, sizeof(head.bytes));

	*ret_image = (struct bv_image){.kind = BV_IMAGE_UNKNOWN};
	if (got >= 2 && memcmp(head.bytes, "#!", 2) == 0)
		return parse_script(arena, head.bytes, got, ret_image);
	if (got < sizeof(head.elf32) || memcmp(head.bytes, ELFMAG, SELFMAG) != 0)
		return 0;
	/* A file of the other byte order cannot run here, so its numbers need no swapping. */
	if (head.bytes[EI_CLASS] == ELFCLASS32)
		return parse_elf32(arena, source, &head.elf32, ret_image);
	if (head.bytes[EI_CLASS] == ELFCLASS64 && got >= sizeof(head.elf64))
		return parse_elf64(arena, source, &head.elf64, ret_image);
	return 0;
}

static size_t read_at(void *context, uint64_t offset, void *data, size_t size_bytes)
{
	const int fd = *(const int *)context;
	ssize_t got;

	if (offset > INT64_MAX)
		return 0;
	do {
		got = pread(fd, data, size_bytes, (off_t)offset);
	} while (got < 0 && errno == EINTR);
	return got > 0 ? (size_t)got : 0;
}

int bv__image_read(struct bv_arena *arena, const char *path, struct bv_image *ret_image)
{
	/* Not blocking: the "executable" may turn out to be a FIFO. */
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const struct bv_image_source source = {read_at, &fd};
	int problem;

	*ret_image = (struct bv_image){.kind = BV_IMAGE_UNKNOWN};
	if (fd < 0)
		return 0;
	problem = bv__image_parse(arena, &source, ret_image);
	close(fd);
	return problem;
}
