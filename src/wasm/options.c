/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* options.c - what the host tells a helper. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { FD, FLAG, NUMBER };

static const struct {
	const char *name;
	enum kind kind;
	size_t offset;
} known[] = {
	{"code", FD, offsetof(struct options, code_fd)},
	{"module", FD, offsetof(struct options, module_fd)},
	{"result", FD, offsetof(struct options, result_fd)},
	{"interpreted", FLAG, offsetof(struct options, interpreted)},
	{"deterministic", FLAG, offsetof(struct options, deterministic)},
	{"memory", NUMBER, offsetof(struct options, memory_bytes)},
	{"fuel", NUMBER, offsetof(struct options, fuel)},
	{"wall", NUMBER, offsetof(struct options, wall_micros)},
	{"cpu", NUMBER, offsetof(struct options, cpu_micros)},
	{"clock", NUMBER, offsetof(struct options, clock_ns)},
	{"seed", NUMBER, offsetof(struct options, seed)},
	{"handles", NUMBER, offsetof(struct options, handles)},
	{"storage", NUMBER, offsetof(struct options, storage_bytes)},
};

/* By the bits of enum wasi_access. */
static const char *const accesses[] = {"", "read", "write", "both"};

static bool set(struct options *options, const char *name, size_t len, const char *value)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		char *field = (char *)options + known[i].offset;
		char *end;
		unsigned long long number;

		if (strlen(known[i].name) != len || memcmp(known[i].name, name, len) != 0)
			continue;
		number = strtoull(value, &end, 10);
		if (value[0] == '\0' || *end != '\0')
			return false;
		switch (known[i].kind) {
		case FD:
			*(int *)(void *)field = (int)number;
			break;
		case FLAG:
			*(bool *)(void *)field = number != 0;
			break;
		case NUMBER:
			*(uint64_t *)(void *)field = number;
			break;
		}
		return true;
	}
	return false;
}

/* "name=/work read=/srv/work": the name comes first. */
static bool preopen(struct options *options, const char *key, size_t len, const char *value,
		    const char **name)
{
	if (len == 4 && memcmp(key, "name", 4) == 0) {
		*name = value;
		return true;
	}
	for (unsigned int access = 1; access < 4; access++) {
		if (strlen(accesses[access]) != len || memcmp(accesses[access], key, len) != 0)
			continue;
		if (options->preopen_count == OPTIONS_PREOPENS_MAX)
			return false;
		options->preopens[options->preopen_count++] = (struct option_preopen){
			*name != NULL ? *name : value, value, access};
		*name = NULL;
		return true;
	}
	return false;
}

bool options_read(int argc, char **argv, struct options *ret_options, char ***ret_args)
{
	const char *name = NULL;

	*ret_options = (struct options){.code_fd = -1, .module_fd = -1, .result_fd = -1};
	for (int i = 1; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		size_t len;

		if (strcmp(argv[i], "--") == 0) {
			*ret_args = argv + i + 1;
			return true;
		}
		len = equals != NULL ? (size_t)(equals - argv[i]) : 0;
		if (equals == NULL || (!set(ret_options, argv[i], len, equals + 1) &&
				       !preopen(ret_options, argv[i], len, equals + 1, &name))) {
			(void)fprintf(stderr, "%s: bvisor does not know '%s'\n", argv[0], argv[i]);
			return false;
		}
	}
	(void)fprintf(stderr, "%s is a part of bvisor and is started by it: use bvisor wasm\n",
		      argc > 0 ? argv[0] : "this");
	return false;
}
