/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sampler.h - looks at everything that lives in the boundary: how many there are, what they use.
 *
 * With namespaces PID 1's own /proc lists exactly the members; without, they are the descendants of
 * this process, which is their subreaper.  PID 1 and this process are not counted: they are ours.
 *
 * What is seen is as old as the look, so every number is one that was really used, and what comes and
 * goes between two looks can be missed.  Memory that several processes have counts once: see
 * sample_memory.c.
 */
#ifndef BV_LAUNCHER_SAMPLER_H
#define BV_LAUNCHER_SAMPLER_H

#include <dirent.h>

#include "sample.h"

/* What a look is for: each costs one more file of every process. */
enum {
	SAMPLE_CPU = 1,
	SAMPLE_MEMORY = 2,
	SAMPLE_HANDLES = 4,
};

/* Memory files told apart; beyond, each descriptor of one counts for itself. */
enum { SAMPLER_FILES_MAX = 1 << 10 };
enum { SAMPLER_STORES = 2 };

enum sample_file { SAMPLE_FILE_STAT, SAMPLE_FILE_STATUS, SAMPLE_FILE_SCHED, SAMPLE_FILE_COUNT };

struct sampler_member {
	pid_t pid;
	/* Kept open, which halves the cost of a look, and never lead to a later process of the same number;
	 * -1: not open. */
	int fds[SAMPLE_FILE_COUNT];
	uint32_t looks;
	uint32_t threads;
	/* A thread by which its memory and descriptors are to be seen: its first has ended, and shows
	 * none; 0 */
	pid_t living;
	pid_t parent;
	char state;       /* at the last look */
	uint32_t running; /* and how many processors it had then, in thousandths */
	uint64_t start;
	uint64_t cpu_ns, waited_ns;
	uint64_t faults, pages;
	struct sample_status memory;
	/* It has its parent's memory, not some of its own (vfork): nothing of it counts. */
	bool borrows, lends;
	/* When it was counted page by page. */
	uint32_t round;
	struct sample_share share;
	uint64_t twice;
};

struct sampler {
	int proc_fd;  /* the /proc that knows the members by `pid` */
	DIR *listing; /* of proc_fd, where it holds nobody but members and PID 1; else NULL */
	pid_t main;   /* never reaped here */
	int init_fd;  /* PID 1's stat; -1 */
	/* The boundary's own file systems: what is stored there is memory; -1 */
	int stored_fds[SAMPLER_STORES];
	/* System V IPC; a table may take several looks. */
	struct sampler_table {
		int fd; /* -1 */
		uint64_t
			bytes; /* of the last whole round, or of this one so far where that is more */
		uint64_t found;
		char rest[512]; /* a line that was cut off */
		size_t rest_size;
	} tables[SAMPLE_TABLES];
	bool directories_count; /* the size of /proc/<pid>/fd is a number of descriptors (Linux 6.2) */
	uint64_t memory_device; /* where memory files live */
	uint64_t stored_devices[SAMPLER_STORES];
	uint64_t tick_ns, processors;
	int fds_left; /* that may be kept open */

	struct sampler_member *members, *spare; /* ascending */
	size_t count;
	size_t turn; /* of which member it is to be read first */
	pid_t *pids;
	size_t pid_count;
	uint64_t listed_tasks; /* threads of those listed; without namespaces alone */

	/* ---- this look ---- */
	uint64_t look_ns;  /* when it began */
	uint64_t since_ns; /* the look before it */
	uint64_t tasks;
	uint64_t cpu_ns; /* of the living */
	uint64_t waited_ns;
	uint64_t memory_bytes; /* what all have, pages of several counted for each */
	uint64_t new_faults;   /* since memory was counted exactly */

	uint64_t handles; /* the most that one process had at any look */

	/* ---- of those that are gone ---- */
	uint64_t gone_ns;     /* as last seen */
	uint64_t gone_likely; /* what they probably came to in the end */
	uint64_t missed;      /* at this look: listed, but gone before they could be read */
	/* Of those that were met for the first time: how many, and their processors, in thousandths. */
	uint64_t met, met_running;

	/* ---- memory files ---- */
	struct sampler_files {
		struct sampler_file {
			uint64_t inode, bytes;
		} * items;
		size_t count;
		uint64_t bytes;
	} files, found; /* as of the last whole round, and of the one under way */
	struct sampler_round {
		pid_t pid; /* where it goes on */
		long place;
	} files_round;

	/* ---- memory page by page: a round may take several looks ---- */
	bool counting;
	uint32_t round;
	pid_t counting_pid;
	struct sample_share counted; /* by all that were there at some time of the round */
	uint64_t counted_twice;
};

/* Where to look.  Takes the descriptors over, also when it fails: -1 with errno. */
struct sampler_place {
	bool inside; /* with namespaces: then proc_fd is PID 1's */
	int proc_fd;
	int stored_fds[SAMPLER_STORES], table_fds[SAMPLE_TABLES];
	pid_t main;
	uint64_t now_ns;
	uint64_t processors; /* that the members could use; for SAMPLE_CPU alone */
};
int sampler_init(struct sampler *sampler, const struct sampler_place *place);

/*
 * Looks once.  With more than `most_tasks` processes it only counts them; of very many it reads some
 * at each look, in turn.  False when the members cannot be told any more.
 */
bool sampler_look(struct sampler *sampler, unsigned int what, uint64_t most_tasks, uint64_t now_ns);

/* How many tasks there are now, without looking at what they use.  Without namespaces alone. */
bool sampler_count(struct sampler *sampler, uint64_t *ret_tasks);

/*
 * Processor time of all that live and lived, from two counts of which the larger is true: what was
 * waited for and what was seen.  Children that nobody waits for (SIGCHLD ignored) are in the second
 * alone, and there only as often as looks happened to meet them.
 */
uint64_t sampler_cpu_ns(const struct sampler *sampler);

/*
 * Calls `found` for the open descriptors of all members, as names in the directory `dir`, about `most` of
 * them, from where the round stands; begun with a round of zeros.  True once all were met.
 */
bool sampler_each_descriptor(struct sampler *sampler, struct sampler_round *round, int most,
			     void (*found)(void *context, int dir, const char *name),
			     void *context);

/* Looks through the tables of System V IPC, some hundred lines at a time. */
void sampler_read_tables(struct sampler *sampler);

/* Looks through open descriptors for memory files, a number of them at a time. */
void sampler_find_files(struct sampler *sampler);

/* All that counts as memory, but pages of several processes for each of them: at least what there is. */
uint64_t sampler_memory_most(const struct sampler *sampler);

/*
 * Page by page, for a twentieth of a second or one process more; begins `new_faults` anew.  True when
 * all were counted.  Meanwhile some end, and others are then left with larger shares, so two sums
 * come of it: what there is at least, and at most.
 */
bool sampler_memory_exact(struct sampler *sampler, uint64_t *ret_least, uint64_t *ret_most);

/*
 * Whether a child has `bytes` or more, and about as much as its parent.  After vfork the parent goes on
 * a moment before the child, in exec or at its end, has let go of the memory that is theirs together.
 */
bool sampler_may_count_twice(const struct sampler *sampler, uint64_t bytes);

/* ---- for sample_memory.c and sample_cpu.c ---------------------------------------------------- */

enum { SAMPLER_PATH_BYTES = 64, SAMPLER_FILE_BYTES = 4096 };

/* The member of that number; NULL. */
struct sampler_member *sampler_find(const struct sampler *sampler, pid_t pid);

/* Opens a file or directory of a member that shows its memory or descriptors; -1. */
int sampler_open(struct sampler *sampler, struct sampler_member *member, const char *name);

/* Reads such a file; its length, 0 where it cannot be read. */
size_t sampler_read(struct sampler *sampler, struct sampler_member *member, const char *name,
		    char *data, size_t capacity);

/* Reads a file of /proc by its path there. */
size_t sampler_read_at(const struct sampler *sampler, const char *path, char *data,
		       size_t capacity);

/* The same by a descriptor that is kept where there is room for it. */
size_t sampler_read_kept(struct sampler *sampler, struct sampler_member *member,
			 enum sample_file file, char *data);

/* What a member used till now, and how many processors it has. */
void sampler_read_cpu(struct sampler *sampler, struct sampler_member *member, char *data);

/* Takes into account what a member that is gone used, and probably used after it was last seen. */
void sampler_bury_cpu(struct sampler *sampler, const struct sampler_member *member);

/* Once all members are read. */
void sampler_share_processors(struct sampler *sampler);

/* What orphans used that were reaped for the tree, by PID 1 or by us. */
uint64_t sampler_reaped_ns(const struct sampler *sampler);

#endif
