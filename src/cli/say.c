/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What bvisor says itself.  Everything here may quote a path, an argument or a line that somebody
 * hostile chose, so no control character is ever passed on.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void cli_plain(const char *text, char *ret_text, size_t size_bytes)
{
	size_t used = 0;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		/* C1 controls are two bytes of UTF-8 whose second is 0x80-0x9f; a terminal obeys them. */
		bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;

		if (used + 3 > size_bytes)
			break;
		if (*p < 0x20 || *p == 0x7f || c1) {
			ret_text[used++] = '?';
			p += c1;
		} else {
			ret_text[used++] = (char)*p;
		}
	}
	ret_text[used] = '\0';
}

static bool quiet;

void cli_be_quiet(void)
{
	quiet = true;
}

static void say(const char *prefix, const char *format, va_list args)
{
	char raw[1280], line[1280];
	int len = snprintf(line, sizeof line, "%s", prefix);
	size_t used = (size_t)len;

	if (quiet)
		return;
	(void)vsnprintf(raw, sizeof raw, format, args);
	cli_plain(raw, line + used, sizeof line - used - 1);
	used = strlen(line);
	line[used++] = '\n';
	/* One write, so that lines of several bvisors on one terminal do not mix; and if standard
	 * error is gone there is no one left to tell. */
	(void)cli_write_all(STDERR_FILENO, line, used);
}

void cli_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("bvisor: ", format, args);
	va_end(args);
}

void cli_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("        ", format, args);
	va_end(args);
}

void cli_remedy(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("        remedy: ", format, args);
	va_end(args);
}

void cli_say_error(const char *what, const struct bv_error *error)
{
	const char *reason = error->sys_errno ? strerror(error->sys_errno) : "";
	bool told = error->sys_errno == 0 || strstr(error->message, reason) != NULL;

	cli_say("%s%s%s%s%s%s%s%s", what ? what : "", what ? ": " : "", error->message,
		told ? "" : ": ", told ? "" : reason, error->where[0] ? " (" : "", error->where,
		error->where[0] ? ")" : "");
	if (error->remedy[0])
		cli_remedy("%s", error->remedy);
}

void cli_say_errno(const char *what, int sys_errno)
{
	cli_say("%s: %s", what, strerror(sys_errno));
}

bool cli_wants_colour(FILE *stream)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return (!no_colour || !*no_colour) && !(term && strcmp(term, "dumb") == 0) &&
	       isatty(fileno(stream));
}

int cli_close_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	cli_say_errno("standard output", errno);
	return CLI_EXIT_REFUSED;
}
