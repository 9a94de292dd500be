/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * output.h - the files a run left in the directory that was named for them.
 *
 * Looked at once nothing of the run is left.  Names and contents are the workload's: no link is
 * followed, nothing but regular files is opened, and whatever is left out is told with the reason.
 */
#ifndef BV_LINUX_OUTPUT_H
#define BV_LINUX_OUTPUT_H

#include "contract/backend.h"
#include "lower.h"
#include "stage.h"

enum {
	BV_OUTPUT_FILES_MAX = 4096,
	BV_OUTPUT_LOOKED_AT_MAX = 65536, /* of everything that lies there */
	BV_OUTPUT_LEFT_OUT_NAMED = 256,
};

struct bv_output_file {
	char *name; /* below the directory */
	uint64_t device, inode, links, size_bytes;
	uint32_t mode;
	struct bv_digest content;
	bool kept;
};

struct bv_output_left {
	char *name; /* UTF-8 */
	enum bv_left_out_cause cause;
};

struct bv_output {
	int root_fd; /* where the boundary's files are; -1 until known */
	char *path;  /* the directory below that; "." for itself */
	bool own;    /* nobody's but ours: rights may be changed to read it */
	uint64_t limit_bytes;

	struct bv_output_file *files; /* by name, once collected */
	size_t count, capacity;
	struct bv_output_left *left;
	size_t left_count;
	uint64_t left_more;
	bool collected;
};

/* Before the run; `ret_output` is NULL where no directory was named. */
enum bv_code bv__output_begin(const struct bv_lowered *lowered, struct bv_output **ret_output,
			      struct bv_error *err);
void bv__output_free(struct bv_output *output);

/*
 * After it, once.  With staged directories the files are found in what was written apart, of which
 * `storage_fd` is the file system.  A directory that is not there has no files.
 */
enum bv_code bv__output_collect(struct bv_output *output, const struct bv_lowered *lowered,
				const struct bv_stage *stage,
				const struct bv_backend_options *options, struct bv_error *err);

#endif
