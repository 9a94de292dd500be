/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * files.c - where a journal's files are, and whose.
 *
 * Whoever can write one of them, or put another in its place, can tell whoever opens the journal what to
 * kill and what to write where: recovery does what the records say.  So all of them have to be the
 * opener's own, and every directory on the way to them the opener's or root's.
 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as many as the kernel follows */

static const char elsewhere[] = "name another with --journal PATH, or do without: --journal none";

static enum bv_code fail_path(struct bv_error *err, const char *what, const char *path)
{
	const int sys_errno = errno;
	enum bv_code code = bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere, "%s '%s'", what,
					   path);

	if (err != NULL)
		err->sys_errno = sys_errno;
	return code;
}

enum bv_code bv__files_missing(const char *path, struct bv_error *err)
{
	return bv_fail_remedy(err, BV_E_JOURNAL, "journal",
			      "runs make it; --journal PATH names another",
			      "there is no journal at '%s'", path);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Where others may rename, a file that was looked at is not the one that is opened next. */
static enum bv_code check_directory(const char *directory, struct bv_error *err)
{
	struct stat seen;

	if (stat(directory, &seen) != 0)
		return fail_path(err, "there is no directory", directory);
	if (!S_ISDIR(seen.st_mode))
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "'%s', on the way to the journal, is no directory",
				      directory);
	if (seen.st_uid != geteuid() && seen.st_uid != 0)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "'%s', on the way to the journal, is another user's",
				      directory);
	/* Where it is sticky they may not: what lies in it is looked at too, and not theirs. */
	if ((seen.st_mode & 02) != 0 && (seen.st_mode & S_ISVTX) == 0)
		return bv_fail_remedy(
			err, BV_E_JOURNAL, "journal",
			"chmod o-w it, or name another with --journal PATH",
			"anybody may write the directory '%s', on the way to the journal",
			directory);
	return BV_OK;
}

struct walk {
	char *at;            /* a directory that was looked at, without links, of PATH_MAX bytes */
	char rest[PATH_MAX]; /* what is still to go */
	unsigned int links;
};

static enum bv_code too_long(struct bv_error *err)
{
	return bv_fail(err, BV_E_ARGUMENT, "journal", "the path of the journal is too long");
}

/* Takes the first name off what is to go; false at the end. */
static bool next_name(struct walk *walk, char ret_name[PATH_MAX])
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	const size_t len = strcspn(start, "/");

	memcpy(ret_name, start, len);
	ret_name[len] = '\0';
	memmove(walk->rest, start + len, strlen(start + len) + 1);
	return len > 0;
}

/* A link is as good as whose it is: they choose where it leads. */
static enum bv_code follow(struct walk *walk, const char *link, const struct stat *seen,
			   struct bv_error *err)
{
	char target[2 * PATH_MAX];
	const ssize_t len = readlink(link, target, PATH_MAX);

	if (len < 0)
		return fail_path(err, "there is no directory", link);
	if (seen->st_uid != geteuid() && seen->st_uid != 0)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "the link '%s', on the way to the journal, is another user's",
				      link);
	if (++walk->links > LINKS_MAX)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "there are too many links on the way to '%s'", link);
	(void)snprintf(target + len, sizeof target - (size_t)len, "/%s", walk->rest);
	if (strlen(target) >= sizeof walk->rest)
		return too_long(err);
	(void)snprintf(walk->rest, sizeof walk->rest, "%s", target);
	if (target[0] == '/')
		(void)snprintf(walk->at, PATH_MAX, "/");
	return BV_OK;
}

/* Goes to `name`, and makes it, for its owner alone, if it is missing. */
static enum bv_code step(struct walk *walk, const char *name, struct bv_error *err)
{
	char next[2 * PATH_MAX];
	struct stat seen;
	bool there;

	if (strcmp(name, ".") == 0)
		return BV_OK;
	if (strcmp(name, "..") == 0) {
		(void)dirname(walk->at);
		return BV_OK;
	}
	(void)snprintf(next, sizeof next, "%s/%s", strcmp(walk->at, "/") == 0 ? "" : walk->at,
		       name);
	if (strlen(next) >= PATH_MAX)
		return too_long(err);
	there = lstat(next, &seen) == 0;
	if (!there && errno == ENOENT && mkdir(next, 0700) != 0 && errno != EEXIST)
		return fail_path(err, "no directory for the journal can be made at", next);
	if (!there && lstat(next, &seen) != 0)
		return fail_path(err, "there is no directory", next);
	if (S_ISLNK(seen.st_mode))
		return follow(walk, next, &seen, err);
	(void)snprintf(walk->at, PATH_MAX, "%s", next);
	return BV_OK;
}

/*
 * Finds the directory `path` without links, and makes what is missing of it.  Every directory that a name is
 * looked up in on the way, and so every one above, is the caller's own or root's: nobody else can have it
 * lead to another place, and nothing is made in anybody else's.
 */
static enum bv_code make_way(const char *path, char ret_real[PATH_MAX], struct bv_error *err)
{
	struct walk walk = {.at = ret_real};
	char from[PATH_MAX] = "", name[PATH_MAX];
	enum bv_code code;
	int len;

	(void)snprintf(ret_real, PATH_MAX, "/");
	if (path[0] != '/' && getcwd(from, sizeof from) == NULL)
		return fail_path(err, "there is no directory", path);
	len = snprintf(walk.rest, sizeof walk.rest, "%s/%s", from, path);
	if (len < 0 || len >= PATH_MAX)
		return too_long(err);
	code = check_directory(ret_real, err);
	while (code == BV_OK && next_name(&walk, name)) {
		code = step(&walk, name, err);
		if (code == BV_OK)
			code = check_directory(ret_real, err);
	}
	return code;
}

/* Where two machines could each believe to be the only writer. */
static bool is_remote(const char *directory)
{
	static const uint32_t remote[] = {NFS_SUPER_MAGIC,
					  SMB_SUPER_MAGIC,
					  0xff534d42U /* CIFS */,
					  0xfe534d42U /* SMB2 */,
					  AFS_SUPER_MAGIC,
					  CODA_SUPER_MAGIC,
					  V9FS_MAGIC,
					  0x00c36400U /* Ceph */};
	struct statfs fs;

	if (statfs(directory, &fs) != 0)
		return false; /* what is wrong with it, opening will say */
	for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
		if ((uint32_t)fs.f_type == remote[i])
			return true;
	}
	return false;
}

/* Every later name is made from these, so that a change of directory does not move the journal. */
enum bv_code bv__files_name(struct bv_journal *journal, const struct bv__journal_options *options,
			    struct bv_error *err)
{
	static const char *const suffixes[BV_JOURNAL_FILES] = {"", "-wal", "-shm", ".blobs",
							       ".key"};
	char directory[PATH_MAX], name[PATH_MAX], real[PATH_MAX];
	enum bv_code code = BV_OK;

	if (options->path == NULL || options->path[0] == '\0' ||
	    strlen(options->path) >= PATH_MAX - 16)
		return bv_fail(err, BV_E_ARGUMENT, "journal", "the path of the journal is %s",
			       options->path == NULL || options->path[0] == '\0' ? "empty"
										 : "too long");
	(void)snprintf(name, sizeof name, "%s", options->path);
	(void)snprintf(directory, sizeof directory, "%s", dirname(name));
	if (!options->read_only)
		code = make_way(directory, real, err);
	else if (realpath(directory, real) == NULL)
		code = errno == ENOENT ? bv__files_missing(options->path, err)
				       : fail_path(err, "there is no directory", directory);
	if (code != BV_OK)
		return code;
	if (is_remote(real))
		return bv_fail_remedy(
			err, BV_E_JOURNAL, "journal", "keep it on a disk of this machine",
			"'%s' is on a network file system, whose locks cannot be relied on",
			options->path);
	(void)snprintf(name, sizeof name, "%s", options->path);
	for (int i = 0; i < BV_JOURNAL_FILES; i++) {
		const int len = snprintf(journal->files[i], PATH_MAX, "%s/%s%s", real,
					 basename(name), suffixes[i]);

		if (len < 0 || len >= PATH_MAX)
			return too_long(err);
	}
	if (options->key_path != NULL)
		(void)snprintf(journal->files[BV_JOURNAL_KEY], PATH_MAX, "%s", options->key_path);
	return BV_OK;
}

/* ---- whose ----------------------------------------------------------------------------------- */

/* Makes the empty file, for its owner alone: SQLite gives what it puts beside it the same mode. */
static enum bv_code make_file(const struct bv_journal *journal, const char *directory,
			      struct bv_error *err)
{
	int fd = open(journal->files[0], O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int dir;

	if (fd < 0)
		return errno == EEXIST
			       ? BV_OK
			       : fail_path(err, "no journal can be made at", journal->files[0]);
	/* Nobody can have it locked yet, so closing it gives no lock away. */
	close(fd);
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fsync(dir) != 0) {
		if (dir >= 0)
			close(dir);
		return fail_path(err, "no journal can be made durable at", journal->files[0]);
	}
	close(dir);
	return BV_OK;
}

static enum bv_code check_file(const char *path, bool *ret_there, struct bv_error *err)
{
	struct stat seen;

	*ret_there = lstat(path, &seen) == 0;
	if (!*ret_there)
		return errno == ENOENT ? BV_OK
				       : fail_path(err, "the journal cannot be looked at:", path);
	if (!S_ISREG(seen.st_mode))
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "'%s' is not a regular file", path);
	if (seen.st_uid != geteuid())
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
				      "'%s' is another user's", path);
	/* Under two names it would have two logs, and neither would know of the other. */
	if (seen.st_nlink != 1)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal",
				      "copy it, and use the copy or name another",
				      "'%s' has a second name", path);
	if ((seen.st_mode & 022) != 0)
		return bv_fail_remedy(err, BV_E_JOURNAL, "journal", "chmod 600 it",
				      "others than its owner may write the journal '%s'", path);
	return BV_OK;
}

enum bv_code bv__files_check(const struct bv_journal *journal, struct bv_error *err)
{
	/* The last is from before a journal was in WAL mode; SQLite would play one back. */
	static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
	char directory[PATH_MAX], path[PATH_MAX + 16];
	enum bv_code code;
	bool there;

	(void)snprintf(directory, sizeof directory, "%s", journal->files[0]);
	(void)dirname(directory);
	code = make_file(journal, directory, err);
	for (size_t i = 0; code == BV_OK && i < sizeof suffixes / sizeof *suffixes; i++) {
		(void)snprintf(path, sizeof path, "%s%s", journal->files[0], suffixes[i]);
		code = check_file(path, &there, err);
	}
	return code;
}

enum bv_code bv__files_check_to_read(const struct bv_journal *journal, struct bv_error *err)
{
	struct stat seen;

	/* Opening what is no file can take for ever. */
	for (int i = BV_JOURNAL_DATABASE; i <= BV_JOURNAL_SHM; i++) {
		if (stat(journal->files[i], &seen) != 0) {
			if (i == BV_JOURNAL_DATABASE)
				return bv__files_missing(journal->files[i], err);
		} else if (!S_ISREG(seen.st_mode)) {
			return bv_fail_remedy(err, BV_E_JOURNAL, "journal", elsewhere,
					      "'%s' is not a regular file", journal->files[i]);
		}
	}
	return BV_OK;
}

/* ---- whether they are still there ------------------------------------------------------------- */

void bv__files_note(struct bv_journal *journal)
{
	struct stat seen;

	for (int i = BV_JOURNAL_DATABASE; i <= BV_JOURNAL_WAL; i++) {
		const bool there = stat(journal->files[i], &seen) == 0;

		journal->opened[i].device = there ? (uint64_t)seen.st_dev : 0;
		journal->opened[i].inode = there ? (uint64_t)seen.st_ino : 0;
	}
}

bool bv__files_moved(const struct bv_journal *journal)
{
	struct stat seen;

	for (int i = BV_JOURNAL_DATABASE; i <= BV_JOURNAL_WAL; i++) {
		if (stat(journal->files[i], &seen) != 0 ||
		    journal->opened[i].device != (uint64_t)seen.st_dev ||
		    journal->opened[i].inode != (uint64_t)seen.st_ino)
			return true;
	}
	return false;
}
