/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * blobs.h - bytes kept beside the journal, each once, in a file named by its digest.
 *
 * They lie in the directory JOURNAL.blobs, its owner's alone.  They are on stable storage before any
 * record names them, and are only removed after a record named them as removed.  Whoever adds some
 * holds the directory's lock shared until the record is written; who removes some holds it alone.
 */
#ifndef BV_JOURNAL_BLOBS_H
#define BV_JOURNAL_BLOBS_H

#include "journal.h"

/* Bytes on their way in; for one thread. */
struct bv__blobs {
	const struct bv_journal *journal;
	struct bv_digest attempt; /* part of the names until they have their own */
	int dir;                  /* -1: nothing was begun */
	struct bv__blob *items;
	size_t count, capacity;
	bool sealed;
};

struct bv__blob {
	struct bv_digest digest;
	uint64_t size_bytes;
};

enum bv_code bv__blobs_begin(const struct bv_journal *journal, const struct bv_digest *attempt,
			     struct bv__blobs *ret_blobs, struct bv_error *err);

/*
 * Copies a file from its start to its end.  BV_E_SYSTEM when it cannot be read, BV_E_STATE when it
 * has more than `most` bytes, BV_E_JOURNAL when it cannot be written; then nothing of it is kept.
 */
enum bv_code bv__blobs_copy(struct bv__blobs *blobs, int fd, uint64_t most,
			    struct bv__blob *ret_blob, struct bv_error *err);
enum bv_code bv__blobs_put(struct bv__blobs *blobs, const void *data, size_t size_bytes,
			   struct bv__blob *ret_blob, struct bv_error *err);

/* Gives them their names, durably.  To be followed by the record, and that by bv__blobs_end. */
enum bv_code bv__blobs_seal(struct bv__blobs *blobs, struct bv_error *err);
void bv__blobs_end(struct bv__blobs *blobs);

/* Opens one for reading.  BV_E_INTEGRITY when it is not there, or no regular file. */
enum bv_code bv__blob_open(const struct bv_journal *journal, const struct bv_digest *digest,
			   int *ret_fd, struct bv_error *err);

/* Reads all of it.  BV_E_INTEGRITY when it is not what it is named for. */
enum bv_code bv__blob_check(const struct bv_journal *journal, const struct bv_digest *digest,
			    uint64_t size_bytes, struct bv_error *err);

/*
 * Copies what `from` has, at most so many bytes, into the empty `to`, or with -1 nowhere, and says
 * what it was.  Errors as of bv__blobs_copy.  What is all zeros becomes a hole.
 */
enum bv_code bv__blob_pour(int from, int to, uint64_t most, struct bv__blob *ret_blob,
			   struct bv_error *err);

/* Removes one unless something else is the same bytes.  The caller wrote down that it goes. */
enum bv_code bv__blob_discard(const struct bv_journal *journal, const struct bv_digest *digest,
			      struct bv_error *err);

/*
 * Only one process at a time decides and carries out, so that whoever has the lock knows that the
 * one whose decision is not settled is dead.  BV_E_BUSY; without `wait` at once, `err` untouched.
 * Close the descriptor to let go.
 */
enum bv_code bv__blobs_decide_alone(const struct bv_journal *journal, bool wait, int *ret_lock,
				    struct bv_error *err);

/* Removes those nothing refers to, after writing down which.  BV_E_BUSY while others add some. */
enum bv_code bv__blobs_sweep(struct bv_journal *journal, uint64_t *ret_count, uint64_t *ret_bytes,
			     struct bv_error *err);

/* Removes what an attempt that is lost had half written; how many that were. */
size_t bv__blobs_drop(const struct bv_journal *journal, const struct bv_digest *attempt);

/* Makes the directory if it is missing, and holds it to be its owner's alone. */
enum bv_code bv__blobs_prepare(const struct bv_journal *journal, struct bv_error *err);

#endif
