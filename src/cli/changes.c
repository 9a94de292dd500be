/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Staged changes, shown and decided upon.
 *
 * Their names are the workload's and meant to be read by somebody who then says yes or no: what is on the
 * screen has to be what is committed.
 */
#include "changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff.h"
#include "streams.h"

enum {
	SHOWN_MAX = 200, /* more than anybody reads before saying yes */
	SHOWN_NAME_BYTES = 1024,
};

/* ---- Names ------------------------------------------------------------------------------------- */

/* Marks that turn the direction of writing, and line ends of Unicode: three bytes of UTF-8. */
static bool misleads(const char *text)
{
	static const char *const marks[] = {
		"\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa",
		"\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae", "\xe2\x81\xa6",
		"\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9", "\xd8\x9c",
	};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (strncmp(text, marks[i], strlen(marks[i])) == 0)
			return true;
	}
	return false;
}

static size_t spell(unsigned char byte, char *out)
{
	static const char hex[] = "0123456789ABCDEF";

	if (byte < 0x20) {
		out[0] = '^';
		out[1] = (char)(byte ^ 0x40);
		return 2;
	}
	memcpy(out, (const char[4]){'<', hex[byte >> 4], hex[byte & 15], '>'}, 4);
	return 4;
}

void cli_show_name(const char *name, char *ret_text, size_t size_bytes)
{
	char plain[CLI_ESCAPE_WORST * 64];
	struct cli_escape escape = {0};
	size_t used = 0, at = 0, len = strlen(name), written;

	/* In pieces: what the escaping holds back comes with the next one. */
	do {
		size_t taken = 0, skipped = 0;

		written = cli_escape(&escape, (const unsigned char *)name + at, len - at, &taken,
				     plain, sizeof plain - 2 * CLI_ESCAPE_WORST);
		at += taken;
		if (at == len)
			written += cli_escape_end(&escape, plain + written);
		plain[written] = '\0';
		for (size_t i = 0; i < written && used + 16 < size_bytes; i++) {
			unsigned char byte = (unsigned char)plain[i];

			if (skipped == 0 && byte >= 0x80 && misleads(plain + i))
				skipped = byte == 0xd8 ? 2 : 3;
			if (skipped > 0 || byte < 0x20) {
				used += spell(byte, ret_text + used);
				skipped -= skipped > 0;
			} else {
				ret_text[used++] = (char)byte;
			}
		}
	} while (at < len && used + 16 < size_bytes);
	if (used + 16 >= size_bytes) {
		memcpy(ret_text + used, "...", 3);
		used += 3;
	}
	ret_text[used] = '\0';
}

/* ---- Showing ----------------------------------------------------------------------------------- */

static const char *kind_name(enum bv_change_kind kind)
{
	switch (kind) {
	case BV_CHANGE_ADDED:
		return "added";
	case BV_CHANGE_MODIFIED:
		return "modified";
	case BV_CHANGE_REMOVED:
		return "removed";
	case BV_CHANGE_REPLACED:
		return "replaced";
	case BV_CHANGE_ATTRIBUTES:
		return "attributes";
	}
	return "";
}

static void show_one(const struct bv_change *change)
{
	static const char *const marks[] = {
		[BV_CHANGED_FILE] = "",
		[BV_CHANGED_DIRECTORY] = "/",
		[BV_CHANGED_LINK] = " (link)",
		[BV_CHANGED_OTHER] = "",
	};
	char name[SHOWN_NAME_BYTES], rest[64] = "";

	cli_show_name(change->path, name, sizeof name);
	if (change->kind == BV_CHANGE_ATTRIBUTES)
		(void)snprintf(rest, sizeof rest, ", mode %03o", change->mode & 0777);
	else if (change->type == BV_CHANGED_FILE && change->kind != BV_CHANGE_REMOVED)
		(void)snprintf(rest, sizeof rest, ", %llu %s",
			       (unsigned long long)change->size_bytes,
			       change->size_bytes == 1 ? "byte" : "bytes");
	cli_note("  %-10s  %s%s%s%s%s", kind_name(change->kind), name, marks[change->type], rest,
		 change->problem[0] ? "; not committed: " : "", change->problem);
}

static void show_all(struct bv_changes *changes)
{
	size_t count = bv_changes_count(changes);

	cli_say("%zu %s staged, %llu bytes:", count, count == 1 ? "change" : "changes",
		(unsigned long long)bv_changes_size(changes));
	for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
		struct bv_change change = bv_changes_at(changes, i);

		show_one(&change);
	}
	if (count > SHOWN_MAX)
		cli_note("  and %zu more", count - SHOWN_MAX);
}

/* ---- Deciding ---------------------------------------------------------------------------------- */

/* A terminal that can be asked: the user's own, whatever standard input is. */
static int open_terminal(void)
{
	return isatty(STDERR_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1;
}

enum wish { DISCARD, COMMIT, KEEP };

/* Anything but a plain yes, or later, is a no. */
static enum wish ask(int terminal, size_t count, bool may_keep)
{
	char question[80], answer[16];
	int len = snprintf(question, sizeof question, "bvisor: commit %s %zu %s? [y/N%s] ",
			   count == 1 ? "this" : "these", count, count == 1 ? "change" : "changes",
			   may_keep ? "/later" : "");
	ssize_t got;

	if (cli_write_all(terminal, question, (size_t)len) != 0)
		return DISCARD;
	do {
		got = read(terminal, answer, sizeof answer - 1);
	} while (got < 0 && errno == EINTR);
	if (got <= 0)
		return may_keep ? KEEP : DISCARD;
	answer[got] = '\0';
	answer[strcspn(answer, "\r\n")] = '\0';
	if (may_keep && (strcmp(answer, "l") == 0 || strcmp(answer, "later") == 0))
		return KEEP;
	return strcmp(answer, "y") == 0 || strcmp(answer, "Y") == 0 || strcmp(answer, "yes") == 0
		       ? COMMIT
		       : DISCARD;
}

int cli_changes_commit(struct bv_changes *changes)
{
	struct bv_error error = {0};
	size_t count = bv_changes_count(changes), left_out = 0;

	if (bv_changes_commit(changes, &error) != BV_OK) {
		cli_say_error("not committed", &error);
		for (size_t i = 0; error.code == BV_E_CONFLICT && i < count; i++) {
			struct bv_change change = bv_changes_at(changes, i);

			if (change.problem[0])
				show_one(&change);
		}
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		left_out += bv_changes_at(changes, i).problem[0] != '\0';
	if (left_out > 0)
		cli_say("committed, but for %zu of them", left_out);
	else
		cli_say("committed");
	return 0;
}

static int keep_all(struct bv_changes *changes, const char *attempt)
{
	struct bv_error error = {0};

	if (bv_changes_keep(changes, &error) != BV_OK) {
		cli_say_error("not kept, and so lost", &error);
		return -1;
	}
	cli_say("kept: bvisor artifacts commit %.12s, or discard", attempt);
	return 0;
}

static int discard_all(struct bv_changes *changes, const char *why)
{
	struct bv_error error = {0};

	/* Gone they are in any case; what may be missing is the record of it. */
	if (bv_changes_discard(changes, &error) != BV_OK) {
		cli_say_error("discarded, and not recorded", &error);
		return -1;
	}
	cli_say("discarded%s", why);
	return 0;
}

/* What is to become of them, and why it is no commit where one might be expected. */
static enum wish wish_of(enum cli_commit commit, bool ended_well, bool may_ask, bool may_keep,
			 size_t count, const char **ret_why)
{
	enum wish wish;
	int terminal;

	*ret_why = "";
	switch (commit) {
	case CLI_COMMIT_ALWAYS:
		return COMMIT;
	case CLI_COMMIT_OK:
		*ret_why = ": the program did not exit with 0";
		return ended_well ? COMMIT : DISCARD;
	case CLI_COMMIT_NEVER:
		return DISCARD;
	case CLI_COMMIT_LATER:
		return KEEP;
	case CLI_COMMIT_ASK:
		break;
	}
	terminal = may_ask ? open_terminal() : -1;
	if (terminal < 0) {
		*ret_why = ": there is no terminal to ask on (--commit decides beforehand)";
		return may_keep ? KEEP : DISCARD;
	}
	wish = ask(terminal, count, may_keep);
	(void)close(terminal); /* nothing was kept back */
	return wish;
}

int cli_changes_settle(struct bv_changes *changes, enum cli_commit commit, bool ended_well,
		       bool may_ask, const char *attempt)
{
	const size_t count = bv_changes_count(changes);
	const char *why;

	if (count == 0) {
		if (commit == CLI_COMMIT_ASK)
			cli_say("nothing was changed");
		return 0;
	}
	show_all(changes);
	switch (wish_of(commit, ended_well, may_ask, attempt != NULL, count, &why)) {
	case COMMIT:
		return cli_changes_commit(changes);
	case KEEP:
		return keep_all(changes, attempt);
	case DISCARD:
		break;
	}
	return discard_all(changes, why);
}

void cli_changes_list(struct bv_changes *changes)
{
	const size_t count = bv_changes_count(changes);

	for (size_t i = 0; i < count; i++) {
		const struct bv_change change = bv_changes_at(changes, i);
		char name[SHOWN_NAME_BYTES];

		cli_show_name(change.path, name, sizeof name);
		printf("%-10s  %s%s%s\n", kind_name(change.kind), name,
		       change.problem[0] ? "; not committed: " : "", change.problem);
	}
}

/* ---- Line by line ------------------------------------------------------------------------------ */

enum { DIFF_BYTES_MAX = 8 << 20 };

/* What `fd`, which it closes, has; empty where there is nothing, or too much of it. */
static struct cli_bytes read_some(int fd, bool *ret_whole)
{
	struct cli_bytes bytes = {malloc(DIFF_BYTES_MAX + 1), 0};
	ssize_t got = fd >= 0 ? 1 : 0;

	while (bytes.data && got > 0 && bytes.size_bytes <= DIFF_BYTES_MAX) {
		got = read(fd, bytes.data + bytes.size_bytes,
			   DIFF_BYTES_MAX + 1 - bytes.size_bytes);
		if (got > 0)
			bytes.size_bytes += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	*ret_whole = bytes.data && got == 0 && bytes.size_bytes <= DIFF_BYTES_MAX;
	if (fd >= 0)
		(void)close(fd); /* only read from */
	return bytes;
}

static void diff_one(struct bv_changes *changes, size_t index, const struct bv_change *change)
{
	const int host = change->kind == BV_CHANGE_ADDED
				 ? -1
				 : open(change->path,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct cli_bytes old, new;
	bool whole[2];
	int fd = -1;

	if (change->kind != BV_CHANGE_REMOVED)
		(void)bv_changes_open(changes, index, &fd,
				      NULL); /* then there is nothing to show */
	old = read_some(host, &whole[0]);
	new = read_some(fd, &whole[1]);
	if (whole[0] && whole[1])
		cli_diff(&old, &new);
	else
		printf("too long to show\n");
	free(old.data);
	free(new.data);
}

static bool is_wanted(const char *path, char *const *paths, size_t count)
{
	bool wanted = count == 0;

	for (size_t i = 0; !wanted && i < count; i++) {
		const size_t len = strlen(paths[i]);

		wanted = strncmp(path, paths[i], len) == 0 &&
			 (path[len] == '\0' || path[len] == '/');
	}
	return wanted;
}

size_t cli_changes_diff(struct bv_changes *changes, char *const *paths, size_t count)
{
	const size_t all = bv_changes_count(changes);
	size_t shown = 0;

	for (size_t i = 0; i < all; i++) {
		const struct bv_change change = bv_changes_at(changes, i);
		char name[SHOWN_NAME_BYTES];

		if (!is_wanted(change.path, paths, count))
			continue;
		shown++;
		cli_show_name(change.path, name, sizeof name);
		printf("%-10s  %s\n", kind_name(change.kind), name);
		if (change.type == BV_CHANGED_FILE && change.kind != BV_CHANGE_ATTRIBUTES)
			diff_one(changes, i, &change);
	}
	return shown;
}
