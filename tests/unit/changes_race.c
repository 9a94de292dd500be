/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Somebody puts another file in the place of one whose attributes are being committed, after each single look
 * that the commit takes at it.  Whatever the moment, the other file is neither opened nor changed.
 *
 * This program's own openat, fstatat, fstat and fchmod take the place of the C library's; after each that is
 * about the name, or about the file that is to change, the accomplice may act.
 */
#include "changes_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	const char *name;  /* below the directory; NULL: nobody is about */
	ino_t ours, other; /* what is to change, and what must not */
	unsigned long looks, act_at;
	void (*act)(void);
	bool opened_other;
} accomplice;

/* ---- looks --------------------------------------------------------------------------------------- */

int fstat64(int fd, struct stat64 *buf);
int fstatat64(int fd, const char *file, struct stat64 *buf, int flag);
int openat64(int fd, const char *file, int oflag, ...);
int open64(const char *file, int oflag, ...);
int fchmod(int fd, mode_t mode);

static void look(void)
{
	const int saved = errno;

	if (++accomplice.looks == accomplice.act_at)
		accomplice.act();
	errno = saved;
}

static ino_t inode_of(int fd)
{
	struct stat seen;

	return syscall(SYS_fstat, fd, &seen) == 0 ? seen.st_ino : 0;
}

static bool is_named(const char *name)
{
	return accomplice.name != NULL && strcmp(name, accomplice.name) == 0;
}

static void look_at_fd(int fd)
{
	const int saved = errno;

	if (accomplice.name != NULL && inode_of(fd) == accomplice.ours)
		look();
	errno = saved;
}

static int note_opened(int fd, int flags)
{
	if (fd >= 0 && (flags & O_PATH) == 0 && accomplice.name != NULL &&
	    inode_of(fd) == accomplice.other)
		accomplice.opened_other = true;
	return fd;
}

int fstat64(int fd, struct stat64 *buf)
{
	const int status = (int)syscall(SYS_fstat, fd, buf);

	look_at_fd(fd);
	return status;
}

int fstatat64(int fd, const char *file, struct stat64 *buf, int flag)
{
	const int status = (int)syscall(SYS_newfstatat, fd, file, buf, flag);

	if (is_named(file))
		look();
	return status;
}

static mode_t mode_in(int flags, va_list rest)
{
	return (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
}

int openat64(int fd, const char *file, int oflag, ...)
{
	va_list rest;
	int opened;

	va_start(rest, oflag);
	opened = (int)syscall(SYS_openat, fd, file, oflag, mode_in(oflag, rest));
	va_end(rest);
	opened = note_opened(opened, oflag);
	if (is_named(file))
		look();
	return opened;
}

int open64(const char *file, int oflag, ...)
{
	va_list rest;
	int opened;

	va_start(rest, oflag);
	opened = (int)syscall(SYS_openat, AT_FDCWD, file, oflag, mode_in(oflag, rest));
	va_end(rest);
	return note_opened(opened, oflag);
}

int fchmod(int fd, mode_t mode)
{
	const int status = (int)syscall(SYS_fchmod, fd, mode);

	look_at_fd(fd);
	return status;
}

/* ---- swaps --------------------------------------------------------------------------------------- */

static char place[256], aside[256], other[256];

static void move_the_other_there(void)
{
	EXPECT(rename(place, aside) == 0 && rename(other, place) == 0);
}

static void link_to_the_other(void)
{
	EXPECT(rename(place, aside) == 0 && symlink(other, place) == 0);
}

static void name_the_other_so(void)
{
	EXPECT(rename(place, aside) == 0 && link(other, place) == 0);
}

static void put_a_fifo_there(void)
{
	struct stat seen;

	EXPECT(rename(place, aside) == 0 && mkfifo(place, 0700) == 0 && lstat(place, &seen) == 0);
	accomplice.other = seen.st_ino;
}

static void take_it_away(void)
{
	EXPECT(rename(place, aside) == 0);
}

/* Every moment of one way; how often it was a conflict, and how often it came too late to matter. */
static void race(const char *name, bool is_directory, void (*act)(void),
		 unsigned int *ret_conflicts, unsigned int *ret_late)
{
	const mode_t wanted = is_directory ? 0755 : 0640;

	*ret_conflicts = *ret_late = 0;
	for (unsigned long moment = 1;; moment++) {
		struct bv_changes *changes;
		struct bv_journal *journal;
		struct stat before, after;
		enum bv_code code;
		bool acted;

		begin_changes();
		(void)snprintf(place, sizeof place, "%s/%s", host, name);
		(void)snprintf(aside, sizeof aside, "%s/aside", scratch.dir);
		(void)snprintf(other, sizeof other, "%s/other", scratch.dir);
		EXPECT(is_directory ? mkdir(other, 0700) == 0
				    : close(open(other, O_CREAT | O_WRONLY, 0700)) == 0);
		EXPECT(stat(place, &before) == 0 && stat(other, &after) == 0);
		journal = open_scratch_journal();
		changes = changes_of(journal);
		EXPECT(changes != NULL);
		accomplice.ours = before.st_ino;
		accomplice.other = after.st_ino;
		accomplice.looks = 0;
		accomplice.act_at = moment;
		accomplice.act = act;
		accomplice.opened_other = false;
		accomplice.name = name;
		code = bv_changes_commit(changes, &err);
		accomplice.name = NULL;
		acted = accomplice.looks >= moment;
		/* A directory that is gone when all is done cannot be synced, and that is told. */
		EXPECT_THAT(code == BV_OK || (acted && code == BV_E_CONFLICT) ||
				    (acted && is_directory && code == BV_E_SYSTEM &&
				     strstr(err.message, "stable storage") != NULL),
			    "after look %lu: %s: %s", moment, bv_code_name(code), err.message);
		EXPECT_THAT(is_directory || !accomplice.opened_other,
			    "after look %lu the other file was opened", moment);
		/* Wherever it is now, and it may be what `place` leads to. */
		EXPECT(!acted || act == take_it_away || stat(place, &after) == 0);
		EXPECT_THAT(!acted || act == take_it_away || (after.st_mode & 0777) == 0700,
			    "after look %lu the other got mode %o", moment, after.st_mode & 0777);
		EXPECT(stat(acted ? aside : place, &after) == 0 && after.st_ino == before.st_ino);
		EXPECT(code != BV_OK || (after.st_mode & 0777) == wanted);
		bv_changes_free(changes);
		bv__journal_close(journal);
		scratch_remove();
		if (!acted)
			break;
		*(code == BV_E_CONFLICT ? ret_conflicts : ret_late) += 1;
		EXPECT(moment < 1000);
	}
}

static void race_in_all_ways(const char *name, bool is_directory)
{
	void (*const ways[])(void) = {move_the_other_there, link_to_the_other, put_a_fifo_there,
				      take_it_away, name_the_other_so};

	for (size_t i = 0; i < sizeof ways / sizeof *ways - is_directory; i++) {
		unsigned int conflicts, late;

		race(name, is_directory, ways[i], &conflicts, &late);
		fprintf(stderr, "%s, way %zu: %u conflicts, %u too late to matter\n", name, i,
			conflicts, late);
		/* It came between the looks, and it came after the last. */
		EXPECT(conflicts >= (is_directory ? 1 : 2) && late >= 1);
	}
}

TEST_WITHIN(no_other_file_gets_the_attributes_that_are_committed, 120)
{
	race_in_all_ways("marked", false);
}

TEST_WITHIN(no_other_directory_gets_the_attributes_that_are_committed, 120)
{
	race_in_all_ways("open", true);
}
