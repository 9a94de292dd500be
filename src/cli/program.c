/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which file a program's name means, with the caller's own PATH: the workload has none unless it
 * is given one.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum found { FOUND_NOTHING, FOUND_UNUSABLE, FOUND };

static enum found look(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return FOUND_NOTHING;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? FOUND : FOUND_UNUSABLE;
}

static int refuse(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		cli_say_errno(path, errno);
	else if (S_ISDIR(st.st_mode))
		cli_say("%s: cannot be executed: it is a directory", path);
	else if (!S_ISREG(st.st_mode))
		cli_say("%s: cannot be executed: it is not a regular file", path);
	else {
		cli_say("%s: cannot be executed: permission denied", path);
		cli_remedy(
			"make it executable with chmod +x, or name the interpreter to run it with");
	}
	return CLI_EXIT_NOT_EXECUTABLE;
}

static int search(const char *name, char **ret_path)
{
	const char *path = getenv("PATH");
	char *unusable = NULL;

	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	for (const char *end; path; path = *end ? end + 1 : NULL) {
		end = strchrnul(path, ':');
		/* An empty entry means the current directory, to execvp and so here. */
		size_t len = (size_t)(end - path);
		char *candidate = malloc(len + strlen(name) + 3);

		if (!candidate)
			break;
		(void)sprintf(candidate, "%.*s/%s", len ? (int)len : 1, len ? path : ".", name);
		enum found found = look(candidate);

		if (found == FOUND) {
			free(unusable);
			*ret_path = candidate;
			return 0;
		}
		if (found == FOUND_UNUSABLE && !unusable)
			unusable = candidate;
		else
			free(candidate);
	}
	if (unusable) {
		int status = refuse(unusable);

		free(unusable);
		return status;
	}
	cli_say("%s: not found in PATH", name);
	cli_remedy("check the spelling, or give the program's path with a '/' in it");
	return CLI_EXIT_NOT_FOUND;
}

int cli_find_program(const char *name, char **ret_path)
{
	if (!*name) {
		cli_say("the program's name is empty");
		cli_remedy("name a program after --");
		return CLI_EXIT_NOT_FOUND;
	}
	if (!strchr(name, '/'))
		return search(name, ret_path);
	switch (look(name)) {
	case FOUND_NOTHING:
		cli_say_errno(name, errno);
		return errno == EACCES ? CLI_EXIT_NOT_EXECUTABLE : CLI_EXIT_NOT_FOUND;
	case FOUND_UNUSABLE:
		return refuse(name);
	case FOUND:
		break;
	}
	*ret_path = strdup(name);
	return *ret_path ? 0 : CLI_EXIT_REFUSED;
}
