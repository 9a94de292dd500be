/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * stage.h - what a run wrote to staged directories: looked at, committed or forgotten.
 *
 * The changes lie in directories of a tmpfs that only we hold any more, as an overlay leaves them: a
 * character device 0/0 where something was removed, an attribute at a directory that hides the host's.
 * Their names and contents are the workload's and believed in nothing: no link is followed, nothing but
 * files, directories and links is ever carried over, and nothing leaves the granted directory.
 *
 * Whether somebody else changed the host's side meanwhile is told by change times, which nobody can
 * set: what would be replaced or removed must not have one from after the run began.
 */
#ifndef BV_LINUX_STAGE_H
#define BV_LINUX_STAGE_H

#include <sys/stat.h>
#include <time.h>

#include "contract/types.h"

enum {
	BV_STAGE_PATH_SIZE = 4096, /* the longest path the kernel takes, with its NUL */
	BV_STAGE_NO_NODE = 0xffffffff,
	BV_STAGE_DIGEST_BYTES_MAX = 1 << 30, /* of one file; holes cost the workload nothing */
};

enum bv_stage_kind {
	BV_STAGE_SAME, /* on the way to a change, or looked at and found the same */
	BV_STAGE_ADDED,
	BV_STAGE_MODIFIED,
	BV_STAGE_REMOVED,
	BV_STAGE_REPLACED, /* by something of another type, or by another directory */
	BV_STAGE_ATTRIBUTES,
	BV_STAGE_KIND_COUNT,
};

enum bv_stage_type { BV_STAGE_FILE, BV_STAGE_DIRECTORY, BV_STAGE_SYMLINK, BV_STAGE_OTHER };

/* Why a change is not committed. */
enum bv_stage_problem {
	BV_STAGE_FINE,
	BV_STAGE_SPECIAL,  /* a device, FIFO or socket */
	BV_STAGE_SET_ID,   /* a program that would run as its owner or group */
	BV_STAGE_TOO_LONG, /* no path the kernel takes leads to it */
	BV_STAGE_CONFLICT, /* the host's changed since the run began */
};

struct bv_stage_node {
	uint64_t size_bytes; /* of a file */
	uint64_t host_inode; /* of what a commit found to be as it was */
	uint32_t parent;     /* BV_STAGE_NO_NODE: a root */
	uint32_t name;       /* offset in `names` */
	uint32_t first, count;
	uint32_t temporary; /* number of the name it was prepared under; 0: none */
	uint16_t root;
	uint16_t mode; /* permissions */
	uint8_t kind, type, problem;
	bool merged; /* a directory whose entries are to be seen together with the host's */
	bool opaque; /* and hide those */
	bool left;   /* not chosen: it stays undecided */
	/* A directory with changes of its entries, which an earlier commit may have put there in part: that it
	 * is from after the run began then says nothing, and its rights are looked at instead. */
	bool entered;
};

struct bv_stage_root {
	char *path;   /* of the host */
	int host_fd;  /* held since before the run */
	int upper_fd; /* -1 until it is listed */
	uint32_t mount;
};

/* Of a new file or link what is in it; of a directory of the host's that gets other rights those it had. */
struct bv_stage_content {
	struct bv_digest digest;
	bool known;
};

/* What only the file system knows, of changes whose file system is gone. */
struct bv_stage_saved {
	struct timespec modified;
	const char *target;              /* of a link */
	struct bv_text_pair *attributes; /* names and values, any bytes */
	size_t attribute_count;
};

struct bv_stage {
	struct bv_stage_root *roots;
	size_t root_count;
	/* Whatever has a change time from then on changed during the run. */
	struct timespec began;
	int64_t clock_ns; /* how far the clock of change times is ahead of one that cannot be set */

	struct bv_stage_node *nodes;
	uint32_t node_count, node_capacity;
	char *names;
	size_t names_bytes, names_capacity;
	uint32_t *changes; /* nodes, in the order of their paths */
	size_t change_count;
	size_t kinds[BV_STAGE_KIND_COUNT];
	uint64_t size_bytes;               /* of added and modified files */
	uint32_t token;                    /* of temporary names */
	struct bv_stage_content *contents; /* by node; NULL until bv__stage_digest */
	bool committed;

	/* Restored from a value: by node, and where contents are read.  NULL: from the file system. */
	struct bv_stage_saved *saved;
	struct bv_arena saved_memory;
	int (*open_content)(void *context, const struct bv_digest *digest);
	void *content_context;
};

/*
 * Opens the host's side of every staged mount and remembers the time; to be called right before the
 * launcher is started.  `ret_stage` is NULL where nothing is staged.
 */
enum bv_code bv__stage_begin(const struct bv_launch_root *root, struct bv_stage **ret_stage,
			     struct bv_error *err);
void bv__stage_free(struct bv_stage *stage); /* NULL is fine; what was not committed is forgotten */

/* Looks at what was written; `storage_fd` is the file system that the launcher handed back. */
enum bv_code bv__stage_list(struct bv_stage *stage, int storage_fd, struct bv_error *err);

/* Once, the digests of all contents, but of those too long or not to be read. */
enum bv_code bv__stage_digest(struct bv_stage *stage, struct bv_error *err);

/* The changes as a value; after bv__stage_digest.  Lives in `arena`; BV_E_MEMORY when it is full. */
enum bv_code bv__stage_describe(const struct bv_stage *stage, struct bv_arena *arena,
				struct bv_change_set *ret_set, struct bv_error *err);
/*
 * And back, without those that are in their places already.  Contents are opened by their digests.
 * BV_E_CONFLICT when a staged directory is another one now.
 */
enum bv_code bv__stage_restore(const struct bv_change_set *set,
			       int (*open_content)(void *context, const struct bv_digest *digest),
			       void *context, struct bv_stage **ret_stage, struct bv_error *err);

/*
 * Chooses what is committed, by the numbers of changes; with a directory what is below it, and with
 * anything the new directories it lies in.  How many that could be committed are not chosen.
 */
enum bv_code bv__stage_choose(struct bv_stage *stage, const bool *chosen, size_t *ret_left,
			      struct bv_error *err);

enum bv_delta_kind bv__stage_delta_kind(const struct bv_stage_node *node);
enum bv_delta_type bv__stage_delta_type(const struct bv_stage_node *node);

/* The host's path of a node; cut, with a '?' for what is missing, where it is longer than that. */
void bv__stage_host_path(const struct bv_stage *stage, uint32_t node,
			 char ret_path[2 * BV_STAGE_PATH_SIZE]);

/*
 * Makes all changes on the host that have no problem: files and directories appear whole, nothing is
 * removed before everything new is in its place, and all of it is on stable storage at the end.
 * BV_E_CONFLICT, before anything is written, when something changed on the host since the run began:
 * then those changes have BV_STAGE_CONFLICT.
 */
enum bv_code bv__stage_commit(struct bv_stage *stage, struct bv_error *err);

/* ---- shared by stage*.c ------------------------------------------------------------------------ */

/* The path of a node below its root, "." for a root itself; false when it is too long.  With
 * `temporary` under the names things were prepared under. */
bool bv__stage_path(const struct bv_stage *stage, uint32_t node, bool temporary,
		    char ret_path[BV_STAGE_PATH_SIZE]);
const char *bv__stage_name(const struct bv_stage *stage, uint32_t node);

/* A directory of the tree by its node, without following anything.  -1 with errno. */
int bv__stage_open_upper(const struct bv_stage *stage, uint32_t node);
int bv__stage_open_host(const struct bv_stage *stage, uint32_t node, bool temporary);

/* Opens something of the workload's for reading, whatever rights it left on it. */
int bv__stage_open_own(int dir, const char *name, int flags);

/* Whether `changed` is from after the run began. */
bool bv__stage_is_new(const struct bv_stage *stage, const struct timespec *changed);
int64_t bv__stage_clock(void);

/* Nothing to look for on the way: the next node in path order, BV_STAGE_NO_NODE at the end. */
uint32_t bv__stage_next(const struct bv_stage *stage, uint32_t node);

/* BV_STAGE_NO_NODE when there is no memory. */
uint32_t bv__stage_add_node(struct bv_stage *stage, uint32_t parent, uint16_t root,
			    const char *name);
/* Lists the nodes that are changes, in the order of their paths. */
enum bv_code bv__stage_gather(struct bv_stage *stage, struct bv_error *err);

/* stage_digest.c: of all a descriptor gives from its start on; false when it cannot be read. */
bool bv__stage_digest_fd(int fd, struct bv_digest *ret_digest);

/* stage_copy.c: 0, or -1 with errno.  Holes stay holes, because their length is the workload's to choose;
 * `block` is room for BV_STAGE_COPY_BYTES. */
enum { BV_STAGE_COPY_BYTES = 128 << 10 };
int bv__stage_copy_content(char *block, int from, int to, off_t size);
/* Whom the host's file `dir`/`name` lets in beside its owner stays let in to `to`. */
int bv__stage_keep_access_list(int dir, const char *name, int to);

/* stage_saved.c */
void bv__stage_free_saved(struct bv_stage *stage);
void bv__stage_forget_done(struct bv_stage *stage);

/* stage_compare.c: descriptors of two regular files; attributes count owner's rights, time and "user." ones. */
bool bv__stage_same_content(int upper_fd, const struct stat *upper, int host_fd,
			    const struct stat *host);
bool bv__stage_same_attributes(int upper_fd, int host_fd);
/* Makes the "user." attributes of `to_fd` those of `from_fd`.  0, or -1 with errno. */
int bv__stage_copy_attributes(int from_fd, int to_fd);
/* The same from what was saved. */
int bv__stage_put_attributes(const struct bv_stage_saved *saved, int to_fd);
/* Whether they are just these. */
bool bv__stage_has_attributes(const struct bv_stage_saved *saved, int fd);
/* Of whose a directory is, and of all that setting its rights could take from it. */
bool bv__stage_digest_rights(int fd, struct bv_digest *ret_digest);
bool bv__stage_is_user_attribute(const char *name);
bool bv__stage_has_mark(int fd, const char *name, char wanted); /* of the overlay; 0: any value */

/* stage_tree.c: below directories of the host. */
int bv__stage_remove_tree(int dir, const char *name);
/* 1 if something below `dir`/`name`, that itself included if `top`, is new; 0; -1 with errno. */
int bv__stage_tree_changed(const struct bv_stage *stage, int dir, const char *name, bool top);

#endif
