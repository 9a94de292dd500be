/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The files beside a journal: holes, a directory that is not to be trusted, a disk that fails. */
#include "attempts.h"
#include "codes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/blobs.h"
#include "journal_faults.h"

static struct bv_error err;
static const char *const dir = scratch.dir, *const path = scratch.path;

static struct bv_journal *begin(void)
{
	scratch_make();
	return open_scratch_journal();
}

TEST(a_long_hole_stays_a_hole)
{
	struct bv_journal *journal = begin();
	const struct bv_digest id = attempt_id(1);
	struct bv__blobs blobs;
	struct bv__blob blob;
	struct stat seen;
	char file[256], hex[65];
	int fd;

	(void)snprintf(file, sizeof file, "%s/sparse", dir);
	fd = open(file, O_RDWR | O_CREAT, 0600);
	EXPECT(fd >= 0 && ftruncate(fd, 64 << 20) == 0 && pwrite(fd, "x", 1, 32 << 20) == 1);
	OK(bv__blobs_begin(journal, &id, &blobs, &err));
	FAILS(bv__blobs_copy(&blobs, fd, (64 << 20) - 1, &blob, &err), BV_E_STATE);
	OK(bv__blobs_copy(&blobs, fd, 64 << 20, &blob, &err));
	OK(bv__blobs_seal(&blobs, &err));
	bv__blobs_end(&blobs);
	bv_digest_hex(&blob.digest, hex);
	(void)snprintf(file, sizeof file, "%s.blobs/%s", path, hex);
	EXPECT(stat(file, &seen) == 0 && seen.st_size == 64 << 20);
	EXPECT(seen.st_blocks < 4096);
	(void)snprintf(file, sizeof file, "%s.blobs", path);
	EXPECT_UINT(entries_in(file, ""), 1);
	bv__journal_close(journal);
}

TEST(a_directory_others_may_write_is_not_used)
{
	struct bv_journal *journal = begin();
	char blobs[128];

	bv__journal_close(journal);
	(void)snprintf(blobs, sizeof blobs, "%s.blobs", path);
	EXPECT(chmod(blobs, 0777) == 0);
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = path}, &journal, &err),
	      BV_E_JOURNAL);
	EXPECT(rmdir(blobs) == 0 && symlink("/tmp", blobs) == 0);
	FAILS(bv__journal_open(&(struct bv__journal_options){.path = path}, &journal, &err),
	      BV_E_JOURNAL);
}

TEST(bytes_that_cannot_be_written_are_not_called_kept)
{
	struct bv_journal *journal = begin();
	const struct bv_digest id = attempt_id(1);
	struct bv__blobs blobs;
	struct bv__blob blob;
	char file[256];

	OK(bv__blobs_begin(journal, &id, &blobs, &err));
	faults.fail_write_errno = ENOSPC;
	FAILS(bv__blobs_put(&blobs, "alpha", 5, &blob, &err), BV_E_JOURNAL);
	EXPECT_INT(err.sys_errno, ENOSPC);
	faults.fail_write_errno = 0;
	OK(bv__blobs_put(&blobs, "alpha", 5, &blob, &err));
	faults.fail_sync_errno = EIO;
	FAILS(bv__blobs_seal(&blobs, &err), BV_E_JOURNAL);
	faults.fail_sync_errno = 0;
	bv__blobs_end(&blobs);
	(void)snprintf(file, sizeof file, "%s.blobs", path);
	EXPECT_UINT(entries_in(file, ""), 0);
	bv__journal_close(journal);
}
