/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * image.h - what else the kernel needs in order to execute a file.
 */
#ifndef BV_LINUX_IMAGE_H
#define BV_LINUX_IMAGE_H

#include "contract/base.h"

enum bv_image_kind {
	BV_IMAGE_UNKNOWN, /* not readable, or no format we know: the kernel will say */
	BV_IMAGE_STATIC,  /* an ELF file that needs nothing */
	BV_IMAGE_DYNAMIC, /* an ELF file with a program interpreter */
	BV_IMAGE_SCRIPT,  /* "#!" */
};

struct bv_image {
	enum bv_image_kind kind;
	struct bv_str interpreter; /* of DYNAMIC and SCRIPT; as written in the file */
	struct bv_str argument;    /* of SCRIPT, may be empty */
};

/* Reads the head of the file behind `path`.  Strings live in the arena.  0, or ENOMEM. */
int bv__image_read(struct bv_arena *arena, const char *path, struct bv_image *ret_image);

/* The same from memory, for what lies in the first bytes; `more` reads the rest, NULL for none. */
struct bv_image_source {
	/* Up to `size_bytes` at `offset`; how many there were. */
	size_t (*read)(void *context, uint64_t offset, void *data, size_t size_bytes);
	void *context;
};
int bv__image_parse(struct bv_arena *arena, const struct bv_image_source *source,
		    struct bv_image *ret_image);

#endif
