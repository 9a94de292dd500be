/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * poison.c - what a flaw in the engine would come to: native code of an attacker's choice.
 *
 *   poison ENTRY CODE    overwrites the code of a cached module, under the cache's own key, with CODE
 *   poison run CODE      runs CODE here, without any wall: the control
 *
 * CODE is a flat binary that runs from its first byte.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <elf.h>

#include "wasm/host/cache.h"
#include "wasm/host/memory.h"

static unsigned char code[1 << 16];
static size_t code_size;

static int fail(const char *what)
{
	fprintf(stderr, "poison: %s\n", what);
	return 1;
}

static bool read_code(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, code, sizeof code);

	if (fd >= 0)
		close(fd);
	code_size = got > 0 ? (size_t)got : 0;
	return code_size > 0;
}

/* Wherever a call lands, it slides into the code at the end. */
static bool fill(unsigned char *text, size_t size)
{
	if (size < code_size)
		return false;
	memset(text, 0x90, size - code_size);
	memcpy(text + size - code_size, code, code_size);
	return true;
}

/* Compiled modules are ELF files; `.text` holds the machine code. */
static bool patch(unsigned char *image, size_t size)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)(void *)image;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(void *)(image + header->e_shoff);
	const char *names = (const char *)image + sections[header->e_shstrndx].sh_offset;

	for (unsigned int i = 0; i < header->e_shnum; i++)
		if (strcmp(names + sections[i].sh_name, ".text") == 0 &&
		    sections[i].sh_offset + sections[i].sh_size <= size)
			return fill(image + sections[i].sh_offset, sections[i].sh_size);
	return false;
}

static int poison(const char *name)
{
	struct bv_digest key;
	struct stat seen;
	int old, fresh;
	unsigned char *image;

	for (size_t i = 0; i < sizeof key.bytes; i++)
		if (sscanf(name + 2 * i, "%2hhx", &key.bytes[i]) != 1)
			return fail("no entry has that name");
	old = bv__wasm_cache_read(&key);
	if (old < 0 || fstat(old, &seen) != 0)
		return fail("there is no such entry");
	fresh = bv__memory_file("poison", (uint64_t)seen.st_size);
	image = mmap(NULL, (size_t)seen.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fresh, 0);
	if (image == MAP_FAILED || pread(old, image, (size_t)seen.st_size, 0) != seen.st_size)
		return fail("the entry cannot be read");
	if (!patch(image, (size_t)seen.st_size))
		return fail("the entry has no code, or too little");
	(void)munmap(image, (size_t)seen.st_size);
	if (!bv__memory_seal(fresh))
		return fail("the poison cannot be sealed");
	char path[PATH_MAX];

	if (!bv__wasm_cache_directory(path))
		return fail("there is no cache");
	(void)snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", name);
	(void)unlink(path);
	bv__wasm_cache_write(&key, fresh, (size_t)seen.st_size);
	return 0;
}

static int run_here(void)
{
	void *room = mmap(NULL, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return fail("no executable memory");
	memcpy(room, code, code_size);
	((void (*)(void))(uintptr_t)room)();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 3 || !read_code(argv[2]))
		return fail("usage: poison ENTRY|run CODE");
	return strcmp(argv[1], "run") == 0 ? run_here() : poison(argv[1]);
}
