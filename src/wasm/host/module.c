/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* module.c - the file of a module. */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/hash.h"
#include "memory.h"

static enum bv_code refuse(struct bv_error *err, const char *path, const char *what, int sys_errno)
{
	bv_fail_remedy(err, BV_E_WORKLOAD, "workload", "name a WebAssembly module, .wasm or .wat",
		       "the module '%.*s' %s%s%s", 160, path, what, sys_errno != 0 ? ": " : "",
		       sys_errno != 0 ? strerror(sys_errno) : "");
	if (err != NULL)
		err->sys_errno = sys_errno;
	return BV_E_WORKLOAD;
}

/* From here on the file may change as it likes. */
static enum bv_code copy(int from, const char *path, struct bv__wasm_module *module,
			 struct bv_error *err)
{
	void *data;
	enum bv_code code = BV_OK;

	module->fd = bv__memory_file("bvisor-wasm-module", module->size_bytes);
	if (module->fd < 0)
		return refuse(err, path, "cannot be kept in memory", errno);
	data = mmap(NULL, module->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, module->fd, 0);
	if (data == MAP_FAILED)
		return refuse(err, path, "cannot be kept in memory", errno);
	if (bv__read_all(from, data, module->size_bytes))
		bv_hash_bytes(data, module->size_bytes, &module->digest);
	else
		code = refuse(err, path, "cannot be read", errno);
	(void)munmap(data, module->size_bytes);
	if (code == BV_OK && !bv__memory_seal(module->fd))
		code = refuse(err, path, "cannot be sealed", errno);
	return code;
}

enum bv_code bv__wasm_module_read(const char *path, struct bv__wasm_module *ret_module,
				  struct bv_error *err)
{
	/* A pipe with a name must not make us wait. */
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat seen;
	enum bv_code code;

	ret_module->fd = -1;
	if (fd < 0)
		return refuse(err, path, "cannot be opened", errno);
	if (fstat(fd, &seen) != 0 || !S_ISREG(seen.st_mode))
		code = refuse(err, path, "is not a regular file", 0);
	else if (seen.st_size == 0)
		code = refuse(err, path, "is empty", 0);
	else if (seen.st_size > BV_WASM_MODULE_MAX)
		code = refuse(err, path, "is larger than 256 MiB", 0);
	else {
		ret_module->size_bytes = (uint64_t)seen.st_size;
		code = copy(fd, path, ret_module, err);
	}
	close(fd);
	if (code != BV_OK && ret_module->fd >= 0) {
		close(ret_module->fd);
		ret_module->fd = -1;
	}
	return code;
}
