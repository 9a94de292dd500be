/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * v2_growth.c - looks at what places of the host grow by.
 *
 * A look goes through all of it, so it is paced by what it costs.  In between stands what takes no time to
 * ask: how much free space the file systems have lost since the last look began.  Others lose and give
 * back space too, so that alone convicts nobody; but it says when to look at once.
 *
 * While a look goes on files come and go, and one that was counted may have made room for another that
 * is: what is over the limit at one look is so only if the file system has lost as much, or if it is so
 * at the next look too.
 */
#include "storage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "linux/sys.h"
#include "linux/usage.h"
#include "sampler.h"

enum {
	MILLISECOND_NS = 1000000,
	MICROSECOND_NS = 1000,
	PART_NS = 5 * MILLISECOND_NS,
	PAUSE_NS = 50 * MILLISECOND_NS,
	/* Where no free space is told, it is looked more often instead. */
	PAUSE_UNTOLD_NS = 5 * MILLISECOND_NS,
	/* The host waits a second for what it had killed. */
	LAST_LOOK_NS = 800 * MILLISECOND_NS,
	LAST_LOOK_KILLED_NS = 300 * MILLISECOND_NS,
	/* Of one processor: a twentieth, and half while the limit is at stake. */
	SHARE = 20,
	SHARE_AT_STAKE = 2,
	DESCRIPTORS_A_TIME = 1 << 10,
	DEVICES_MAX = 32,
};

/* A file system that some of the places lie in. */
struct device {
	uint64_t number;
	int fd;
	bool tells;                         /* what is free */
	uint64_t first_bytes, first_inodes; /* free when the program began */
	uint64_t free_bytes, free_inodes;   /* free when the last whole look began */
	uint64_t now_bytes, now_inodes, at_bytes,
		at_inodes; /* now; when the look under way began */
};

struct growth {
	const struct bv_launch_storage *asked;
	int *places;
	size_t place_count;
	struct device devices[DEVICES_MAX];
	size_t device_count;

	struct bv_usage_walk walk;
	struct sampler_round round;
	bool walking, descriptors_done;
	uint64_t cost_ns;            /* of the look under way */
	uint64_t walk_at, urgent_at; /* when the next may begin, and where the limit is at stake */
	uint64_t walked_at;          /* when the last one ended */
	uint64_t walks, longest_ns;
	bool was_over, was_unseen;
	struct growth_sum known;
};

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return bv_add(a, b, &sum) ? sum : UINT64_MAX;
}

/* ---- before ---------------------------------------------------------------------------------- */

static int open_place(const struct bv_launch_place *place)
{
	static const struct bv_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = BV_RESOLVE_NO_SYMLINKS | BV_RESOLVE_NO_MAGICLINKS,
	};
	const int fd = bv_sys_openat2(AT_FDCWD, place->path.data, &how);
	struct stat seen;

	if (fd < 0)
		return -1;
	if (fstat(fd, &seen) == 0 && seen.st_dev == place->device && seen.st_ino == place->inode)
		return fd;
	close(fd);
	errno = ESTALE;
	return -1;
}

/* More file systems than there is room for are looked at without being asked what is free. */
static void add_device(struct growth *growth, int fd)
{
	struct stat seen;

	if (fstat(fd, &seen) != 0 || growth->device_count == DEVICES_MAX)
		return;
	for (size_t i = 0; i < growth->device_count; i++) {
		if (growth->devices[i].number == (uint64_t)seen.st_dev)
			return;
	}
	growth->devices[growth->device_count++] = (struct device){.number = seen.st_dev, .fd = fd};
}

struct growth *growth_new(struct bv_arena *arena, const struct bv_launch_storage *asked)
{
	struct growth *growth = bv_arena_alloc(arena, sizeof(*growth));
	int *places = bv_arena_array(arena, asked->places.count + asked->fds.count,
				     sizeof(*places));

	if (growth == NULL || places == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	*growth = (struct growth){.asked = asked, .places = places};
	for (size_t i = 0; i < asked->places.count; i++) {
		places[growth->place_count] = open_place(&asked->places.items[i]);
		if (places[growth->place_count] < 0)
			return NULL;
		add_device(growth, places[growth->place_count++]);
	}
	for (size_t i = 0; i < asked->fds.count; i++) {
		places[growth->place_count] = (int)asked->fds.items[i];
		add_device(growth, places[growth->place_count++]);
	}
	bv__usage_init(&growth->walk, growth->places, growth->place_count);
	return growth;
}

/* ---- what is free ---------------------------------------------------------------------------- */

static void ask_devices(struct growth *growth)
{
	for (size_t i = 0; i < growth->device_count; i++) {
		struct device *device = &growth->devices[i];
		struct statfs seen;

		device->tells = fstatfs(device->fd, &seen) == 0 && seen.f_blocks > 0;
		if (!device->tells)
			continue;
		device->now_bytes = (uint64_t)seen.f_bfree * (uint64_t)seen.f_bsize;
		device->now_inodes = seen.f_ffree;
	}
}

static struct growth_sum lost(const struct growth *growth, bool since_start)
{
	struct growth_sum sum = {0, 0};

	for (size_t i = 0; i < growth->device_count; i++) {
		const struct device *device = &growth->devices[i];

		sum.bytes = plus(sum.bytes,
				 minus(since_start ? device->first_bytes : device->free_bytes,
				       device->now_bytes));
		sum.inodes = plus(sum.inodes,
				  minus(since_start ? device->first_inodes : device->free_inodes,
					device->now_inodes));
	}
	return sum;
}

static bool all_tell(const struct growth *growth)
{
	for (size_t i = 0; i < growth->device_count; i++) {
		if (!growth->devices[i].tells)
			return false;
	}
	return true;
}

void growth_start(struct growth *growth, uint64_t now)
{
	ask_devices(growth);
	for (size_t i = 0; i < growth->device_count; i++) {
		struct device *device = &growth->devices[i];

		device->first_bytes = device->free_bytes = device->now_bytes;
		device->first_inodes = device->free_inodes = device->now_inodes;
	}
	growth->walked_at = now;
	growth->walk_at = now + PAUSE_NS;
	growth->urgent_at = now;
}

/* ---- files without a name -------------------------------------------------------------------- */

struct finding {
	struct growth *growth;
	const struct sampler *sampler;
	bool failed;
};

static bool has_device(const struct growth *growth, uint64_t number)
{
	for (size_t i = 0; i < growth->device_count; i++) {
		if (growth->devices[i].number == number)
			return true;
	}
	for (size_t i = 0; i < growth->walk.device_count; i++) {
		if (growth->walk.devices[i].device == number)
			return true;
	}
	return false;
}

/* Only a descriptor whose file has no name is asked for more: others might be of what does not answer. */
static void add_nameless(void *context, int dir, const char *name)
{
	static const char suffix[] = " (deleted)";
	const size_t length = sizeof(suffix) - 1;
	struct finding *finding = context;
	char target[PATH_MAX];
	const ssize_t got = readlinkat(dir, name, target, sizeof(target));
	struct stat seen;

	/* What has a name too long for the answer may have none as well. */
	if (got < 0 ? errno != ENAMETOOLONG
		    : (size_t)got < sizeof(target) &&
			      ((size_t)got < length ||
			       memcmp(target + got - length, suffix, length) != 0))
		return;
	if (fstatat(dir, name, &seen, 0) != 0 || !S_ISREG(seen.st_mode) || seen.st_nlink != 0 ||
	    !has_device(finding->growth, seen.st_dev))
		return;
	finding->failed |= bv__usage_add(&finding->growth->walk, &seen) == BV_USAGE_NO_MEMORY;
}

static enum bv_usage_progress look_at_descriptors(struct growth *growth, struct launch *launch)
{
	struct sampler *sampler = launch_sampler(launch);
	struct finding finding = {growth, sampler, false};

	if (sampler == NULL)
		return BV_USAGE_NO_MEMORY;
	growth->descriptors_done = sampler_each_descriptor(sampler, &growth->round,
							   DESCRIPTORS_A_TIME, add_nameless,
							   &finding);
	return finding.failed ? BV_USAGE_NO_MEMORY : BV_USAGE_MORE;
}

/* ---- a look ---------------------------------------------------------------------------------- */

static void begin_look(struct growth *growth)
{
	growth->walking = true;
	growth->descriptors_done = false;
	growth->round = (struct sampler_round){0, 0};
	growth->cost_ns = 0;
	for (size_t i = 0; i < growth->device_count; i++) {
		growth->devices[i].at_bytes = growth->devices[i].now_bytes;
		growth->devices[i].at_inodes = growth->devices[i].now_inodes;
	}
	bv__usage_begin(&growth->walk);
}

static struct growth_sum found(const struct growth *growth)
{
	return (struct growth_sum){
		minus(growth->walk.found.bytes, growth->asked->base_bytes),
		minus(growth->walk.found.inodes, growth->asked->base_inodes),
	};
}

static bool is_over(const struct growth *growth, struct growth_sum own, struct growth_sum grown)
{
	return plus(own.bytes, grown.bytes) > growth->asked->limit_bytes ||
	       grown.inodes > growth->asked->limit_inodes;
}

static void note_look(struct growth *growth, uint64_t now)
{
	growth->walking = false;
	growth->walks++;
	if (now - growth->walked_at > growth->longest_ns)
		growth->longest_ns = now - growth->walked_at;
	growth->walked_at = now;
}

static enum growth_verdict end_look(struct growth *growth, struct growth_sum own)
{
	const uint64_t now = launch_now_ns();
	const uint64_t pause = all_tell(growth) ? PAUSE_NS : PAUSE_UNTOLD_NS;
	const struct growth_sum grown = found(growth), since_start = lost(growth, true);
	const bool over = is_over(growth, own, grown);
	const bool unseen = growth->walk.found.unseen > 0;
	const bool sure = growth->was_over ||
			  since_start.bytes > minus(growth->asked->limit_bytes, own.bytes) ||
			  since_start.inodes > growth->asked->limit_inodes;
	const bool hidden = unseen && growth->was_unseen;

	note_look(growth, now);
	for (size_t i = 0; i < growth->device_count; i++) {
		growth->devices[i].free_bytes = growth->devices[i].at_bytes;
		growth->devices[i].free_inodes = growth->devices[i].at_inodes;
	}
	growth->walk_at = now + (growth->cost_ns * (SHARE - 1) > pause
					 ? growth->cost_ns * (SHARE - 1)
					 : pause);
	growth->urgent_at = now + growth->cost_ns * (SHARE_AT_STAKE - 1);
	growth->was_over = over;
	growth->was_unseen = unseen;
	if (unseen || (over && !sure))
		growth->walk_at = growth->urgent_at;
	if (!over || sure)
		growth->known = grown;
	if (over && sure)
		return GROWTH_OVER;
	return hidden ? GROWTH_HIDDEN : GROWTH_RESTS;
}

static bool is_at_stake(const struct growth *growth, struct growth_sum own)
{
	const struct growth_sum since = lost(growth, false);

	return plus(plus(own.bytes, growth->known.bytes), since.bytes) >
		       growth->asked->limit_bytes ||
	       plus(growth->known.inodes, since.inodes) > growth->asked->limit_inodes;
}

enum growth_verdict growth_step(struct growth *growth, struct launch *launch, struct growth_sum own)
{
	const uint64_t now = launch_now_ns(), began = launch_own_ns();
	enum bv_usage_progress progress;

	ask_devices(growth);
	if (!growth->walking) {
		if (now < growth->walk_at && (now < growth->urgent_at || !is_at_stake(growth, own)))
			return GROWTH_RESTS;
		begin_look(growth);
	}
	progress = growth->descriptors_done ? bv__usage_step(&growth->walk, now + PART_NS)
					    : look_at_descriptors(growth, launch);
	growth->cost_ns += launch_own_ns() - began;
	if (progress == BV_USAGE_NO_MEMORY)
		return GROWTH_BLIND;
	/* What was met so far may be too much already. */
	if (progress == BV_USAGE_WHOLE || is_over(growth, own, found(growth)))
		return end_look(growth, own);
	return GROWTH_GOES_ON;
}

void growth_finish(struct growth *growth, bool killed, struct bv_record_storage *record)
{
	const uint64_t until = launch_now_ns() + (killed ? LAST_LOOK_KILLED_NS : LAST_LOOK_NS);

	bv__usage_begin(&growth->walk);
	if (bv__usage_step(&growth->walk, until) == BV_USAGE_WHOLE) {
		note_look(growth, launch_now_ns());
		growth->known = found(growth);
	} else {
		record->unfinished = 1;
	}
	record->walks = growth->walks;
	record->longest_us = growth->longest_ns / MICROSECOND_NS;
	bv__usage_clear(&growth->walk);
}

struct growth_sum growth_known(const struct growth *growth)
{
	return growth->known;
}
