/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* wasi_paths.c - paths: nothing leads out, and what is granted is all there is. */
#include "wasi_guest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/sysmacros.h>
#include <time.h>

/* ---- out of the directory ------------------------------------------------------------------------ */

static const char *const escapes[] = {
	"../outside/secret",
	"./../outside/secret",
	"sub/../../outside/secret",
	"..",
	"../",
	"sub/..//../outside/secret",
	"/etc/passwd",
	"//etc/passwd",
	"/",
	"up/secret",
	"absolute",
	"absolute-dir/secret",
	"up",
	"chain/secret",
	"sub/../up/secret",
	"up/",
	"absolute-dir/",
	"absolute-dir/../outside/secret",
	"up/../rw/file",
	"../rw/file",
	"../../../../../../../etc/passwd",
};

/* Links as only the host can make them, and the control: the host's own calls do follow them. */
static void make_links(struct guest *guest)
{
	char target[64];

	EXPECT(mkdir(guest_path(guest, "rw/sub"), 0755) == 0);
	guest_make(guest, "rw/file", "inside");
	EXPECT(symlink("../outside", guest_path(guest, "rw/up")) == 0);
	EXPECT(symlink("up", guest_path(guest, "rw/chain")) == 0);
	snprintf(target, sizeof(target), "%s/outside/secret", guest->base);
	EXPECT(symlink(target, guest_path(guest, "rw/absolute")) == 0);
	snprintf(target, sizeof(target), "%s/outside", guest->base);
	EXPECT(symlink(target, guest_path(guest, "rw/absolute-dir")) == 0);
	EXPECT_STR(guest_content(guest, "rw/chain/secret"), "secret");
	EXPECT_STR(guest_content(guest, "rw/absolute"), "secret");
	EXPECT_STR(guest_content(guest, "rw/../outside/secret"), "secret");
}

TEST(no_path_leads_out_of_its_directory)
{
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	make_links(&guest);
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		const char *path = escapes[i];

		EXPECT_THAT(guest_open_file(&guest, RW, path, 0, READ_RIGHTS, &fd) == WASI_EPERM,
			    "open %s", path);
		EXPECT_THAT(CALL(&guest, "path_filestat_get", RW, WASI_LOOKUP_FOLLOW,
				 TEXT(&guest, path), RESULT) == WASI_EPERM,
			    "stat %s", path);
		EXPECT_THAT(CALL(&guest, "path_filestat_set_times", RW, WASI_LOOKUP_FOLLOW,
				 TEXT(&guest, path), 0, 0, WASI_FSTFLAG_MTIM) == WASI_EPERM,
			    "set_times %s", path);
		EXPECT_THAT(guest_open_file(&guest, RW, path, WASI_OFLAG_TRUNC, WRITE_RIGHTS,
					    &fd) == WASI_EPERM,
			    "truncate %s", path);
		EXPECT_THAT(guest_open_file(&guest, RW, path, WASI_OFLAG_DIRECTORY, 0, &fd) ==
				    WASI_EPERM,
			    "open directory %s", path);
	}
	EXPECT(guest_denied(&guest, "path_open", "rw/../outside/secret", WASI_DENIED_OUTSIDE));
	EXPECT(guest_denied(&guest, "path_filestat_get", "rw/up/secret", WASI_DENIED_OUTSIDE));
	EXPECT_STR(guest_content(&guest, "outside/secret"), "secret");
	guest_close(&guest);
}

TEST(nothing_is_made_moved_or_removed_outside)
{
	static const char *const there[] = {
		"../outside/new", "up/new", "absolute-dir/new", "sub/../../outside/new", "/tmp/new",
		"chain/new",      "/"};
	static const char *const victims[] = {"/", "../outside/secret", "up/secret",
					      "absolute-dir/secret"};
	struct guest guest;
	struct stat before, after;
	uint32_t fd;

	guest_open(&guest, NULL);
	make_links(&guest);
	EXPECT(stat(guest_path(&guest, "outside"), &before) == 0);
	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		const char *path = there[i];

		EXPECT_THAT(guest_open_file(&guest, RW, path, WASI_OFLAG_CREAT, WRITE_RIGHTS,
					    &fd) == WASI_EPERM,
			    "%s", path);
		EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, path)),
			   WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "file"), RW,
				TEXT(&guest, path)),
			   WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "file"), RW,
				TEXT(&guest, path)),
			   WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, "file"), RW,
				TEXT(&guest, path)),
			   WASI_EPERM);
	}
	for (size_t i = 0; i < sizeof(victims) / sizeof(victims[0]); i++) {
		const char *path = victims[i];

		EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, path)), WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_remove_directory", RW, TEXT(&guest, path)),
			   WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, path), RW,
				TEXT(&guest, "stolen")),
			   WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, path), RW,
				TEXT(&guest, "stolen")),
			   WASI_EPERM);
		EXPECT_INT(CALL(&guest, "path_readlink", RW, TEXT(&guest, path), 0, 100, RESULT),
			   WASI_EPERM);
	}
	EXPECT(stat(guest_path(&guest, "outside"), &after) == 0);
	EXPECT(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
	       before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
	EXPECT(!guest_exists(&guest, "rw/stolen"));
	EXPECT_STR(guest_content(&guest, "outside/secret"), "secret");
	EXPECT_STR(guest_content(&guest, "rw/file"), "inside");
	guest_close(&guest);
}

/* The directory is the one the guest names, though more of the tree is its own. */
TEST(a_directory_opened_below_another_is_left_by_no_path)
{
	struct guest guest;
	uint32_t sub, fd;

	guest_open(&guest, NULL);
	make_links(&guest);
	EXPECT_INT(guest_open_file(&guest, RW, "sub", WASI_OFLAG_DIRECTORY,
				   ALL_RIGHTS & ~(uint64_t)WASI_RIGHT_FD_WRITE, &sub),
		   0);
	EXPECT_INT(guest_open_file(&guest, sub, "../file", 0, READ_RIGHTS, &fd), WASI_EPERM);
	EXPECT(guest_denied(&guest, "path_open", "rw/sub/../file", WASI_DENIED_OUTSIDE));
	/* Control: from above it is there. */
	EXPECT_INT(guest_open_file(&guest, RW, "sub/../file", 0, READ_RIGHTS, &fd), 0);
	guest_close(&guest);
}

TEST(links_that_stay_inside_are_followed)
{
	struct guest guest;
	char text[64];
	uint32_t fd;

	guest_open(&guest, NULL);
	guest_make(&guest, "rw/file", "inside");
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "sub")), 0);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "../file"), RW,
			TEXT(&guest, "sub/link")),
		   0);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "sub"), RW, TEXT(&guest, "other")), 0);
	EXPECT_INT(guest_open_file(&guest, RW, "other/link", 0, READ_RIGHTS, &fd), 0);
	EXPECT_INT(guest_read(&guest, fd, 64, text), 0);
	EXPECT_STR(text, "inside");
	/* Not followed, it is what it is. */
	EXPECT_INT(CALL(&guest, "path_open", RW, 0, TEXT(&guest, "sub/link"), 0, 0, 0, 0, RESULT),
		   WASI_ELOOP);
	EXPECT_INT(CALL(&guest, "path_filestat_get", RW, 0, TEXT(&guest, "other"), RESULT), 0);
	EXPECT_INT(guest.memory[RESULT + 16], WASI_FILETYPE_SYMBOLIC_LINK);
	EXPECT_INT(CALL(&guest, "path_filestat_get", RW, 0, TEXT(&guest, "other/"), RESULT), 0);
	EXPECT_INT(guest.memory[RESULT + 16], WASI_FILETYPE_DIRECTORY);
	EXPECT_INT(CALL(&guest, "path_readlink", RW, TEXT(&guest, "sub/link"), 8192, 100, RESULT),
		   0);
	EXPECT_BYTES(guest.memory + 8192, guest_get32(&guest, RESULT), "../file", 7);
	EXPECT_UINT(guest_report(&guest).denied_calls, 0);
	guest_close(&guest);
}

TEST(a_link_that_would_lead_out_is_not_made)
{
	static const struct {
		const char *target, *link;
		uint32_t error;
	} rows[] = {
		{"/etc/passwd", "l", WASI_EPERM},
		{"/", "l", WASI_EPERM},
		{"..", "l", WASI_EPERM},
		{"../x", "l", WASI_EPERM},
		{"./../x", "l", WASI_EPERM},
		{"../../x", "a/l", WASI_EPERM},
		{"x/../../y", "l", WASI_EPERM},
		{"x/..", "l", WASI_EPERM}, /* x may become a link to somewhere above */
		/* a/here is a link to ".": three steps up are one too many, whatever is written. */
		{"../../../x", "a/here/here/b/l", WASI_EPERM},
		{"../../x", "a/b/l", 0},
		{"..", "a/m", 0},
		{"x/y", "m", 0},
		{".", "n", 0},
		{"..x", "o", 0},
		{"", "p", WASI_ENOENT},
	};
	struct guest guest;

	guest_open(&guest, NULL);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "a")), 0);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "a/b")), 0);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "."), RW, TEXT(&guest, "a/here")), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint32_t error = CALL(&guest, "path_symlink", TEXT(&guest, rows[i].target),
					    RW, TEXT(&guest, rows[i].link));
		char name[64];

		EXPECT_THAT(error == rows[i].error, "%s -> %s: %u", rows[i].link, rows[i].target,
			    error);
		snprintf(name, sizeof(name), "rw/%s", rows[i].link);
		EXPECT_THAT(guest_exists(&guest, name) == (error == 0), "%s", name);
	}
	guest_close(&guest);
}

/* ---- strange paths --------------------------------------------------------------------------------- */

TEST(strange_paths_are_answered_not_followed)
{
	static char longest[5000], component[400];
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	memset(longest, 'a', sizeof(longest) - 1);
	memset(component, 'b', sizeof(component) - 1);
	EXPECT_INT(guest_open_file(&guest, RW, "", 0, READ_RIGHTS, &fd), WASI_ENOENT);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "")), WASI_ENOENT);
	EXPECT_INT(guest_open_file(&guest, RW, longest, 0, READ_RIGHTS, &fd), WASI_ENAMETOOLONG);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, component)),
		   WASI_ENAMETOOLONG);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "\xff\xfe")),
		   WASI_EILSEQ);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, guest_text(&guest, "a\001b"), 3), 0);
	guest.memory[4096] = 'a';
	guest.memory[4097] = 0;
	guest.memory[4098] = 'b';
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, 4096, 3), WASI_EILSEQ);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "missing/x")),
		   WASI_ENOENT);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, ".")), WASI_EEXIST);
	EXPECT_INT(CALL(&guest, "path_remove_directory", RW, TEXT(&guest, ".")), WASI_EINVAL);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "d")), 0);
	EXPECT_INT(CALL(&guest, "path_remove_directory", RW, TEXT(&guest, "d/..")), WASI_ENOTEMPTY);
	EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, "d/.."), RW, TEXT(&guest, "x")),
		   WASI_EBUSY);
	EXPECT(guest_exists(&guest, "rw/d"));
	guest_close(&guest);
}

TEST(a_slash_at_the_end_wants_a_directory)
{
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	guest_make(&guest, "rw/file", "x");
	EXPECT(symlink("file", guest_path(&guest, "rw/to-file")) == 0);
	EXPECT(symlink("dir", guest_path(&guest, "rw/to-dir")) == 0);
	EXPECT_INT(CALL(&guest, "path_create_directory", RW, TEXT(&guest, "dir/")), 0);
	EXPECT_INT(guest_open_file(&guest, RW, "dir//", 0, 0, &fd), 0);
	EXPECT_INT(guest_open_file(&guest, RW, "file/", 0, READ_RIGHTS, &fd), WASI_ENOTDIR);
	EXPECT_INT(guest_open_file(&guest, RW, "to-file/", 0, READ_RIGHTS, &fd), WASI_ENOTDIR);
	EXPECT_INT(guest_open_file(&guest, RW, "new/", WASI_OFLAG_CREAT, WRITE_RIGHTS, &fd),
		   WASI_EISDIR);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "file/")), WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "dir/")), WASI_EISDIR);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "to-dir/")), WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_remove_directory", RW, TEXT(&guest, "to-dir/")),
		   WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "x"), RW, TEXT(&guest, "l/")),
		   WASI_ENOENT);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "x"), RW, TEXT(&guest, "file/")),
		   WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "x"), RW, TEXT(&guest, "dir/")),
		   WASI_EEXIST);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "file"), RW, TEXT(&guest, "l/")),
		   WASI_ENOENT);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "file/"), RW, TEXT(&guest, "l")),
		   WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "to-dir/"), RW, TEXT(&guest, "l")),
		   WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, "file"), RW, TEXT(&guest, "f/")),
		   WASI_ENOTDIR);
	EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, "dir/"), RW, TEXT(&guest, "d/")),
		   0);
	EXPECT_INT(CALL(&guest, "path_remove_directory", RW, TEXT(&guest, "d/")), 0);
	EXPECT_INT(CALL(&guest, "path_readlink", RW, TEXT(&guest, "file"), 0, 9, RESULT),
		   WASI_EINVAL);
	guest_close(&guest);
}

/* ---- access ---------------------------------------------------------------------------------------- */

TEST(a_directory_to_read_is_not_written)
{
	static const uint32_t oflags[] = {WASI_OFLAG_CREAT, WASI_OFLAG_TRUNC,
					  WASI_OFLAG_CREAT | WASI_OFLAG_EXCL};
	struct guest guest;
	struct stat before, after;
	uint32_t fd, put;

	guest_open(&guest, NULL);
	EXPECT(stat(guest_path(&guest, "ro/file"), &before) == 0);
	for (size_t i = 0; i < sizeof(oflags) / sizeof(oflags[0]); i++)
		EXPECT_INT(guest_open_file(&guest, RO, "file", oflags[i], 0, &fd), WASI_EROFS);
	EXPECT_INT(guest_open_file(&guest, RO, "file", 0, WRITE_RIGHTS, &fd), WASI_EROFS);
	EXPECT(guest_denied(&guest, "path_open", "ro/file", WASI_DENIED_WRITE));
	/* For reading, with all that could be abused: to append, to set size and times. */
	EXPECT_INT(CALL(&guest, "path_open", RO, 0, TEXT(&guest, "file"), 0,
			ALL_RIGHTS & ~(uint64_t)WASI_RIGHT_FD_WRITE, 0, WASI_FDFLAG_APPEND, RESULT),
		   0);
	fd = guest_get32(&guest, RESULT);
	EXPECT_INT(guest_write(&guest, fd, "x", &put), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 0), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "fd_allocate", fd, 0, 1 << 20), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", fd, 1, 1,
			WASI_FSTFLAG_ATIM | WASI_FSTFLAG_MTIM),
		   WASI_EROFS);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_times", RO, 1, 1, WASI_FSTFLAG_MTIM), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_filestat_set_times", RO, 0, TEXT(&guest, "file"), 1, 1,
			WASI_FSTFLAG_MTIM),
		   WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RO, TEXT(&guest, "file")), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_remove_directory", RO, TEXT(&guest, "file")), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_create_directory", RO, TEXT(&guest, "d")), WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_symlink", TEXT(&guest, "x"), RO, TEXT(&guest, "l")),
		   WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_link", RO, 0, TEXT(&guest, "file"), RO, TEXT(&guest, "l")),
		   WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_rename", RO, TEXT(&guest, "file"), RW, TEXT(&guest, "f")),
		   WASI_EROFS);
	EXPECT_STR(guest_content(&guest, "ro/file"), "read-only");
	EXPECT(stat(guest_path(&guest, "ro/file"), &after) == 0);
	EXPECT(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)) == 0);
	/* Control: the same in the directory that may be written. */
	EXPECT_INT(guest_open_file(&guest, RW, "file", WASI_OFLAG_CREAT, WRITE_RIGHTS, &fd), 0);
	EXPECT_INT(guest_write(&guest, fd, "x", &put), 0);
	EXPECT_INT(CALL(&guest, "fd_filestat_set_size", fd, 0), 0);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "file")), 0);
	guest_close(&guest);
}

TEST(a_directory_to_write_is_not_read)
{
	struct guest guest;
	char text[64];
	uint32_t fd, put;

	guest_open(&guest, NULL);
	EXPECT_INT(guest_open_file(&guest, WO, "file", 0, READ_RIGHTS, &fd), WASI_EACCES);
	EXPECT_INT(guest_open_file(&guest, WO, "file", 0, WASI_RIGHT_FD_READ, &fd), WASI_EACCES);
	EXPECT(guest_denied(&guest, "path_open", "wo/file", WASI_DENIED_READ));
	EXPECT_INT(guest_open_file(&guest, WO, "file", 0, WASI_RIGHT_FD_WRITE, &fd), 0);
	EXPECT_INT(guest_read(&guest, fd, 64, text), WASI_EACCES);
	EXPECT_INT(CALL(&guest, "fd_filestat_get", fd, RESULT), WASI_EACCES);
	EXPECT_INT(CALL(&guest, "fd_readdir", WO, 8192, 4096, 0, RESULT), WASI_EACCES);
	EXPECT_INT(CALL(&guest, "path_filestat_get", WO, 0, TEXT(&guest, "file"), RESULT),
		   WASI_EACCES);
	EXPECT_INT(CALL(&guest, "path_readlink", WO, TEXT(&guest, "file"), 0, 9, RESULT),
		   WASI_EACCES);
	EXPECT_INT(guest_write(&guest, fd, "W", &put), 0);
	EXPECT_STR(guest_content(&guest, "wo/file"), "Write-only");
	EXPECT_INT(guest_open_file(&guest, WO, "file", WASI_OFLAG_TRUNC, WASI_RIGHT_FD_WRITE, &fd),
		   0);
	EXPECT_STR(guest_content(&guest, "wo/file"), "");
	guest_close(&guest);
}

/* GHSA-4ch3-9j33-3pmj: a second name must not make a file readable, or writable. */
TEST(no_name_in_another_directory_changes_what_is_allowed)
{
	struct guest guest;
	uint32_t sub;

	guest_open(&guest, NULL);
	guest_make(&guest, "rw/mine", "mine");
	EXPECT_INT(CALL(&guest, "path_link", WO, 0, TEXT(&guest, "file"), RW, TEXT(&guest, "l")),
		   WASI_EXDEV);
	EXPECT_INT(CALL(&guest, "path_rename", WO, TEXT(&guest, "file"), RW, TEXT(&guest, "l")),
		   WASI_EXDEV);
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "mine"), WO, TEXT(&guest, "l")),
		   WASI_EXDEV);
	EXPECT_INT(CALL(&guest, "path_link", RO, 0, TEXT(&guest, "file"), RW, TEXT(&guest, "l")),
		   WASI_EROFS);
	EXPECT_INT(CALL(&guest, "path_rename", RW, TEXT(&guest, "mine"), RO, TEXT(&guest, "l")),
		   WASI_EROFS);
	EXPECT(guest_denied(&guest, "path_link", "rw/l", WASI_DENIED_ACROSS));
	EXPECT(guest_denied(&guest, "path_rename", "ro/l", WASI_DENIED_WRITE));
	EXPECT(!guest_exists(&guest, "rw/l") && !guest_exists(&guest, "wo/l"));
	EXPECT_STR(guest_content(&guest, "wo/file"), "write-only");
	/* Inherited: a directory below has what the one above has. */
	EXPECT_INT(CALL(&guest, "path_create_directory", WO, TEXT(&guest, "sub")), 0);
	EXPECT_INT(guest_open_file(&guest, WO, "sub", WASI_OFLAG_DIRECTORY,
				   ALL_RIGHTS &
					   ~(uint64_t)(WASI_RIGHT_FD_WRITE | WASI_RIGHT_FD_READ |
						       WASI_RIGHT_FD_READDIR),
				   &sub),
		   0);
	EXPECT_INT(CALL(&guest, "path_rename", sub, TEXT(&guest, "../file"), RW, TEXT(&guest, "l")),
		   WASI_EPERM);
	EXPECT_INT(CALL(&guest, "path_rename", WO, TEXT(&guest, "file"), sub, TEXT(&guest, "f")),
		   0);
	EXPECT_INT(CALL(&guest, "path_link", sub, 0, TEXT(&guest, "f"), RW, TEXT(&guest, "l")),
		   WASI_EXDEV);
	EXPECT_INT(CALL(&guest, "path_filestat_get", sub, 0, TEXT(&guest, "f"), RESULT),
		   WASI_EACCES);
	guest_close(&guest);
}

/* ---- what is no file ------------------------------------------------------------------------------- */

TEST_WITHIN(a_fifo_neither_hangs_nor_opens, 10)
{
	struct guest guest;
	uint32_t fd;

	guest_open(&guest, NULL);
	EXPECT(mkfifo(guest_path(&guest, "rw/fifo"), 0666) == 0);
	EXPECT_INT(guest_open_file(&guest, RW, "fifo", 0, READ_RIGHTS, &fd), WASI_EACCES);
	EXPECT_INT(guest_open_file(&guest, RW, "fifo", WASI_OFLAG_CREAT | WASI_OFLAG_TRUNC,
				   WRITE_RIGHTS, &fd),
		   WASI_EACCES);
	EXPECT(guest_denied(&guest, "path_open", "rw/fifo", WASI_DENIED_KIND));
	EXPECT_INT(CALL(&guest, "path_link", RW, 0, TEXT(&guest, "fifo"), RW, TEXT(&guest, "l")),
		   WASI_EACCES);
	EXPECT_INT(CALL(&guest, "path_filestat_get", RW, 0, TEXT(&guest, "fifo"), RESULT), 0);
	EXPECT_INT(guest.memory[RESULT + 16], WASI_FILETYPE_UNKNOWN);
	EXPECT_INT(CALL(&guest, "path_unlink_file", RW, TEXT(&guest, "fifo")), 0);
	guest_close(&guest);
}

struct exchange {
	char file[64], fifo[64];
	atomic_bool stop;
};

static void *exchange(void *argument)
{
	struct exchange *names = argument;

	while (!atomic_load(&names->stop))
		EXPECT(renameat2(AT_FDCWD, names->file, AT_FDCWD, names->fifo, RENAME_EXCHANGE) ==
		       0);
	return NULL;
}

/* Between being looked at and being opened, which takes some tries to hit. */
TEST_WITHIN(a_file_that_becomes_a_fifo_does_not_hang, 60)
{
	struct exchange names = {.stop = false};
	const time_t end = time(NULL) + 2;
	struct guest guest;
	pthread_t other;
	uint32_t fd, error;
	unsigned int opened = 0, refused = 0;

	guest_open(&guest, NULL);
	guest_make(&guest, "rw/file", "x");
	snprintf(names.file, sizeof(names.file), "%s", guest_path(&guest, "rw/file"));
	snprintf(names.fifo, sizeof(names.fifo), "%s", guest_path(&guest, "rw/fifo"));
	EXPECT(mkfifo(names.fifo, 0666) == 0);
	EXPECT(pthread_create(&other, NULL, exchange, &names) == 0);
	while (time(NULL) < end) {
		error = guest_open_file(&guest, RW, "file", 0, READ_RIGHTS, &fd);
		EXPECT(error == 0 || error == WASI_EACCES);
		if (error == 0)
			EXPECT_INT(CALL(&guest, "fd_close", fd), 0);
		*(error ? &refused : &opened) += 1;
	}
	atomic_store(&names.stop, true);
	EXPECT(pthread_join(other, NULL) == 0);
	EXPECT(opened > 0 && refused > 0);
	guest_close(&guest);
}

TEST(a_device_is_not_opened)
{
	struct guest guest;
	uint32_t fd;
	int control;

	guest_open(&guest, NULL);
	if (mknod(guest_path(&guest, "rw/null"), S_IFCHR | 0666, makedev(1, 3)) != 0) {
		guest_close(&guest);
		SKIP("needs root to make a device node");
	}
	control = open(guest_path(&guest, "rw/null"), O_RDWR);
	if (control >= 0)
		close(control); /* it would open, unless the file system forbids devices */
	EXPECT_INT(guest_open_file(&guest, RW, "null", 0, WRITE_RIGHTS, &fd), WASI_EACCES);
	EXPECT(guest_denied(&guest, "path_open", "rw/null", WASI_DENIED_KIND));
	guest_close(&guest);
}
