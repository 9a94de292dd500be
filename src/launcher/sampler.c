/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* sampler.c - finds the members of the boundary and reads what each of them uses. */
#include "sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/base.h"
#include "linux/sys.h"

enum {
	/* Address space for so many; it is taken as they come. */
	MEMBERS_MAX = 1 << 16,
	/* Read at one look, which then takes a tenth of a second: whatever else is due waits for it. */
	READ_MAX = 1 << 11,
	PATH_BYTES = 64,
	FILE_BYTES = 4096,
	LIST_BYTES = 1 << 16,
	FDS_RESERVED = 64, /* for everything else this process does */
};

static const char *const file_names[SAMPLE_FILE_COUNT] = {"stat", "status", "schedstat"};

static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return bv_add(a, b, &sum) ? sum : UINT64_MAX;
}

/* ---- where to look --------------------------------------------------------------------------- */

static void *map(size_t bytes)
{
	void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return room == MAP_FAILED ? NULL : room;
}

static uint64_t device_of_memory_files(void)
{
	int fd = bv_sys_memfd_create("bvisor", 1 /* MFD_CLOEXEC */);
	struct stat seen = {.st_dev = 0};

	if (fd >= 0) {
		(void)fstat(fd, &seen);
		close(fd);
	}
	return seen.st_dev;
}

int sampler_init(struct sampler *sampler, const struct sampler_place *place)
{
	struct rlimit files = {1024, 1024};
	struct stat own, store = {.st_dev = 0};

	*sampler = (struct sampler){
		.proc_fd = place->proc_fd,
		.main = place->main,
		.init_fd = -1,
		.segments_fd = place->segments_fd,
		.tick_ns = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK),
		.look_ns = place->now_ns,
		.members = map(MEMBERS_MAX * sizeof(*sampler->members)),
		.spare = map(MEMBERS_MAX * sizeof(*sampler->members)),
		.pids = map(MEMBERS_MAX * sizeof(*sampler->pids)),
		.files = {.items = map(SAMPLER_FILES_MAX * sizeof(*sampler->files.items))},
		.found = {.items = map(SAMPLER_FILES_MAX * sizeof(*sampler->files.items))},
		.memory_device = device_of_memory_files(),
	};
	if (sampler->members == NULL || sampler->spare == NULL || sampler->pids == NULL ||
	    sampler->files.items == NULL || sampler->found.items == NULL)
		return -1;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur > FDS_RESERVED)
		sampler->fds_left = files.rlim_cur > MEMBERS_MAX
					    ? MEMBERS_MAX
					    : (int)files.rlim_cur - FDS_RESERVED;
	for (int i = 0; i < SAMPLER_STORES; i++) {
		sampler->stored_fds[i] = place->stored_fds[i];
		if (place->stored_fds[i] >= 0 && fstat(place->stored_fds[i], &store) == 0)
			sampler->stored_devices[i] = store.st_dev;
	}
	/* Standard streams are closed here, but three descriptors or more are always open. */
	sampler->directories_count = stat("/proc/self/fd", &own) == 0 && own.st_size > 0;
	if (place->inside) {
		/* A descriptor of a mount only leads somewhere; one to be read is opened through it. */
		int listed = openat(place->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		sampler->listing = listed >= 0 ? fdopendir(listed) : NULL;
		sampler->init_fd = openat(place->proc_fd, "1/stat", O_RDONLY | O_CLOEXEC);
		return sampler->listing != NULL && sampler->init_fd >= 0 ? 0 : -1;
	}
	sampler->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return sampler->proc_fd >= 0 ? 0 : -1;
}

/* ---- files of members ------------------------------------------------------------------------ */

static int open_file(const struct sampler *sampler, pid_t pid, const char *name)
{
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	return openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

size_t sampler_read(const struct sampler *sampler, pid_t pid, const char *name, char *data,
		    size_t capacity)
{
	int fd = open_file(sampler, pid, name);
	size_t size = 0;

	if (fd < 0)
		return 0;
	while (size < capacity) {
		ssize_t got = read(fd, data + size, capacity - size);

		if (got <= 0)
			break;
		size += (size_t)got;
	}
	close(fd);
	return size;
}

/* The same by a descriptor that is kept where there is room for it. */
static size_t read_kept(struct sampler *sampler, struct sampler_member *member,
			enum sample_file file, char *data)
{
	int fd = member->fds[file];
	ssize_t got;

	if (fd < 0)
		fd = open_file(sampler, member->pid, file_names[file]);
	if (fd < 0)
		return 0;
	got = pread(fd, data, FILE_BYTES, 0);
	if (member->fds[file] < 0 && sampler->fds_left > 0) {
		member->fds[file] = fd;
		sampler->fds_left--;
	} else if (member->fds[file] < 0) {
		close(fd);
	}
	return got > 0 ? (size_t)got : 0;
}

static void close_files(struct sampler *sampler, struct sampler_member *member)
{
	for (int file = 0; file < SAMPLE_FILE_COUNT; file++) {
		if (member->fds[file] < 0)
			continue;
		close(member->fds[file]);
		sampler->fds_left++;
		member->fds[file] = -1;
	}
}

/* ---- who is there ---------------------------------------------------------------------------- */

static void add_pid(struct sampler *sampler, pid_t pid)
{
	if (sampler->pid_count < MEMBERS_MAX)
		sampler->pids[sampler->pid_count] = pid;
	sampler->pid_count++;
}

/* PID 1's own /proc. */
static bool list_inside(struct sampler *sampler)
{
	const struct dirent *entry;

	rewinddir(sampler->listing);
	for (errno = 0; (entry = readdir(sampler->listing)) != NULL; errno = 0) {
		long pid;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		pid = strtol(entry->d_name, NULL, 10);
		if (pid > 1)
			add_pid(sampler, (pid_t)pid);
	}
	return errno == 0;
}

static void add_children_of(struct sampler *sampler, const char *path)
{
	static char list[LIST_BYTES];
	int fd = openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC);
	size_t kept = 0;
	ssize_t got;

	while (fd >= 0 && (got = read(fd, list + kept, sizeof(list) - kept)) > 0) {
		const char *at = list, *end = list + kept + (size_t)got, *whole = end;
		uint64_t pid;

		/* A number may be cut off where the read ended; the next one brings the rest. */
		while (whole > list && whole[-1] != ' ')
			whole--;
		while (sample_next(&at, whole, &pid))
			add_pid(sampler, (pid_t)pid);
		kept = (size_t)(end - whole);
		memmove(list, whole, kept);
	}
	if (fd >= 0)
		close(fd);
}

/* Every thread of a process has children of its own. */
static void add_children(struct sampler *sampler, pid_t pid)
{
	enum { LINKS = 2 }; /* beside those of the threads */
	char path[PATH_BYTES + NAME_MAX];
	const struct dirent *entry;
	struct stat seen;
	DIR *tasks = NULL;
	int fd;

	(void)snprintf(path, sizeof(path), "%d/task", (int)pid);
	seen.st_nlink = 0;
	if (fstatat(sampler->proc_fd, path, &seen, 0) != 0 || seen.st_nlink <= LINKS)
		seen.st_nlink = LINKS + 1;
	sampler->listed_tasks += seen.st_nlink - LINKS;
	if (seen.st_nlink > LINKS + 1) {
		fd = openat(sampler->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		tasks = fd >= 0 ? fdopendir(fd) : NULL;
	}
	if (tasks == NULL) {
		(void)snprintf(path, sizeof(path), "%d/task/%d/children", (int)pid, (int)pid);
		add_children_of(sampler, path);
		return;
	}
	while ((entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "%d/task/%s/children", (int)pid, entry->d_name);
		add_children_of(sampler, path);
	}
	closedir(tasks);
}

/*
 * All below this process.  Orphans come to it and would stay as zombies, which count against limits,
 * so those that ended are reaped here.
 */
static bool list_descendants(struct sampler *sampler)
{
	char path[PATH_BYTES];
	size_t kept = 0;

	(void)snprintf(path, sizeof(path), "%d/task/%d/children", (int)getpid(), (int)getpid());
	add_children_of(sampler, path);
	/* The main process is there until the launcher has heard of its end. */
	if (sampler->pid_count == 0)
		return false;
	if (sampler->pid_count > MEMBERS_MAX)
		return true;
	for (size_t i = 0; i < sampler->pid_count; i++) {
		const pid_t pid = sampler->pids[i];

		if (pid == sampler->main || bv_sys_wait4(pid, NULL, __WALL | WNOHANG, NULL) <= 0)
			sampler->pids[kept++] = pid;
	}
	sampler->pid_count = kept;
	for (size_t i = 0; i < sampler->pid_count && sampler->pid_count < MEMBERS_MAX; i++)
		add_children(sampler, sampler->pids[i]);
	return true;
}

static int by_number(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

/* One that is orphaned while we look is met twice. */
static void sort_pids(struct sampler *sampler)
{
	size_t kept = 0;

	qsort(sampler->pids, sampler->pid_count, sizeof(*sampler->pids), by_number);
	for (size_t i = 0; i < sampler->pid_count; i++) {
		if (kept == 0 || sampler->pids[kept - 1] != sampler->pids[i])
			sampler->pids[kept++] = sampler->pids[i];
	}
	sampler->pid_count = kept;
}

/* ---- what each uses -------------------------------------------------------------------------- */

static void read_cpu(struct sampler *sampler, struct sampler_member *member, char *data)
{
	size_t size = read_kept(sampler, member, SAMPLE_FILE_SCHED, data);
	uint64_t ran, ready;

	/* Exact to the nanosecond, where stat counts in hundredths of a second; but of one thread. */
	if (!sample_schedstat(data, size, &ran, &ready) || member->threads > 1)
		return;
	if (ran > member->cpu_ns)
		member->cpu_ns = ran;
	member->ready_ns = ready;
}

static void read_handles(struct sampler *sampler, const struct sampler_member *member)
{
	char path[PATH_BYTES];
	uint64_t count = 0;
	struct stat seen;

	(void)snprintf(path, sizeof(path), "%d/fd", (int)member->pid);
	if (sampler->directories_count) {
		if (fstatat(sampler->proc_fd, path, &seen, 0) == 0 && seen.st_size > 0)
			count = (uint64_t)seen.st_size;
	} else {
		int fd = openat(sampler->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

		for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
			count += entry->d_name[0] != '.';
		if (dir != NULL)
			closedir(dir);
	}
	if (count > sampler->handles)
		sampler->handles = count;
}

/* False when it is gone. */
static bool read_member(struct sampler *sampler, struct sampler_member *member, unsigned int what)
{
	static char data[FILE_BYTES];
	size_t size = read_kept(sampler, member, SAMPLE_FILE_STAT, data);
	struct sample_stat stat;
	uint64_t own_ns, waited_ns;

	if (!sample_stat(data, size, &stat) || (member->looks > 0 && member->start != stat.start))
		return false;
	member->looks++;
	member->start = stat.start;
	member->threads = stat.threads > 0 ? stat.threads : 1;
	member->state = stat.state;
	member->parent = stat.parent;
	member->pages = stat.pages;
	if (bv_mul(stat.ticks, sampler->tick_ns, &own_ns) && own_ns > member->cpu_ns)
		member->cpu_ns = own_ns;
	if (bv_mul(stat.waited_ticks, sampler->tick_ns, &waited_ns))
		member->waited_ns = waited_ns;
	if (stat.faults > member->faults)
		sampler->new_faults = plus(sampler->new_faults, stat.faults - member->faults);
	member->faults = stat.faults;
	if (what & SAMPLE_CPU)
		read_cpu(sampler, member, data);
	if (what & SAMPLE_MEMORY) {
		size = read_kept(sampler, member, SAMPLE_FILE_STATUS, data);
		sample_status(data, size, &member->memory);
	}
	if (what & SAMPLE_HANDLES)
		read_handles(sampler, member);
	return true;
}

struct sampler_member *sampler_find(const struct sampler *sampler, pid_t pid)
{
	size_t low = 0, high = sampler->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (sampler->members[middle].pid == pid)
			return &sampler->members[middle];
		if (sampler->members[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static bool has_same(const struct sample_status *a, const struct sample_status *b)
{
	return a->anonymous == b->anonymous && a->shared == b->shared && a->swapped == b->swapped &&
	       a->tables == b->tables;
}

/*
 * Between vfork and exec parent and child have one memory, and it must not count twice: every program
 * that starts others would seem to have double at times.  The parent waits then, and there is one
 * such child at most.
 */
static void find_borrowers(struct sampler *sampler)
{
	for (size_t i = 0; i < sampler->count; i++)
		sampler->members[i].borrows = sampler->members[i].lends = false;
	for (size_t i = 0; i < sampler->count; i++) {
		struct sampler_member *member = &sampler->members[i];
		struct sampler_member *parent = sampler_find(sampler, member->parent);

		if (parent == NULL || parent->state != 'D' || parent->lends ||
		    !has_same(&member->memory, &parent->memory))
			continue;
		parent->lends = member->borrows = true;
	}
}

static void add_up(struct sampler *sampler)
{
	for (size_t i = 0; i < sampler->count; i++) {
		const struct sampler_member *member = &sampler->members[i];
		const struct sample_status *memory = &member->memory;

		sampler->tasks = plus(sampler->tasks, member->threads);
		sampler->cpu_ns = plus(sampler->cpu_ns, member->cpu_ns);
		sampler->waited_ns = plus(sampler->waited_ns, member->waited_ns);
		if (!member->borrows)
			sampler->memory_bytes = plus(sampler->memory_bytes,
						     plus(plus(memory->anonymous, memory->shared),
							  plus(memory->swapped, memory->tables)));
	}
}

/*
 * What it used after the last look nobody saw.  Of those that live for shorter than the time between
 * two looks only some are met, each the more likely the longer it ran: one that was met running
 * stands for a whole interval, if it did not have to share the processor.
 */
static void bury(struct sampler *sampler, struct sampler_member *member)
{
	const uint64_t interval = sampler->since_ns;
	uint64_t rest = 0;

	if (member->state == 'R' && member->cpu_ns > 0) {
		const uint64_t thousandth = plus(member->cpu_ns, member->ready_ns) / 1000 + 1;

		rest = interval / 1000 * (member->cpu_ns / thousandth);
		if (member->looks > 1 || member->cpu_ns > interval)
			rest = member->cpu_ns + rest / 2;
	} else if (member->looks > 1) {
		rest = member->cpu_ns;
	}
	sampler->gone_ns = plus(sampler->gone_ns, member->cpu_ns);
	sampler->gone_likely = plus(sampler->gone_likely, rest);
	close_files(sampler, member);
}

static void meet(struct sampler *sampler, pid_t pid, const struct sampler_member *known,
		 unsigned int what)
{
	static const struct sampler_member unknown = {.fds = {-1, -1, -1}};
	struct sampler_member *member = &sampler->spare[sampler->count];

	*member = known != NULL ? *known : unknown;
	member->pid = pid;
	if (!read_member(sampler, member, what)) {
		const bool was_known = known != NULL;

		if (was_known)
			bury(sampler, member);
		else
			close_files(sampler, member);
		/* Its number may be another's by now. */
		*member = unknown;
		member->pid = pid;
		if (!was_known || !read_member(sampler, member, what)) {
			close_files(sampler, member);
			return;
		}
	}
	sampler->count++;
}

/* There are too many to read all of them, and it is not this one's turn. */
static void pass_by(struct sampler *sampler, pid_t pid, const struct sampler_member *known)
{
	struct sampler_member *member = &sampler->spare[sampler->count++];

	*member = known != NULL
			  ? *known
			  : (struct sampler_member){.pid = pid, .fds = {-1, -1, -1}, .threads = 1};
}

static void meet_all(struct sampler *sampler, unsigned int what)
{
	struct sampler_member *before = sampler->members;
	const size_t before_count = sampler->count;
	const size_t first = sampler->turn < sampler->pid_count ? sampler->turn : 0;
	size_t old = 0;

	sampler->count = 0;
	sampler->turn = sampler->pid_count > READ_MAX ? first + READ_MAX : 0;
	for (size_t i = 0; i < sampler->pid_count; i++) {
		const pid_t pid = sampler->pids[i];
		const struct sampler_member *known = NULL;

		for (; old < before_count && before[old].pid < pid; old++)
			bury(sampler, &before[old]);
		if (old < before_count && before[old].pid == pid)
			known = &before[old++];
		if (i >= first && i < first + READ_MAX)
			meet(sampler, pid, known, what);
		else
			pass_by(sampler, pid, known);
	}
	for (; old < before_count; old++)
		bury(sampler, &before[old]);
	sampler->members = sampler->spare;
	sampler->spare = before;
}

/* What orphans used that were reaped for the tree, by PID 1 or by us. */
static uint64_t reaped_ns(const struct sampler *sampler)
{
	struct sample_stat stat;
	struct rusage usage;
	uint64_t ns = 0;
	char data[FILE_BYTES];
	ssize_t got;

	if (sampler->init_fd < 0) {
		if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
			return 0;
		return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) *
			       1000000000U +
		       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) *
			       1000U;
	}
	got = pread(sampler->init_fd, data, sizeof(data), 0);
	if (got > 0 && sample_stat(data, (size_t)got, &stat))
		(void)bv_mul(stat.waited_ticks, sampler->tick_ns, &ns);
	return ns;
}

bool sampler_count(struct sampler *sampler, uint64_t *ret_tasks)
{
	size_t listed;

	sampler->pid_count = sampler->listed_tasks = 0;
	if (sampler->listing != NULL || !list_descendants(sampler))
		return false;
	listed = sampler->pid_count;
	if (listed <= MEMBERS_MAX)
		sort_pids(sampler);
	*ret_tasks = sampler->listed_tasks - (listed - sampler->pid_count);
	return true;
}

bool sampler_look(struct sampler *sampler, unsigned int what, uint64_t most_tasks, uint64_t now_ns)
{
	bool listed;

	sampler->since_ns = now_ns - sampler->look_ns;
	sampler->look_ns = now_ns;
	sampler->tasks = sampler->cpu_ns = sampler->memory_bytes = sampler->pid_count = 0;
	sampler->waited_ns = reaped_ns(sampler);
	listed = sampler->listing != NULL ? list_inside(sampler) : list_descendants(sampler);
	if (!listed)
		return false;
	if (sampler->pid_count > most_tasks) {
		sampler->tasks = sampler->pid_count;
		return true;
	}
	if (sampler->pid_count > MEMBERS_MAX)
		return false;
	sort_pids(sampler);
	meet_all(sampler, what);
	find_borrowers(sampler);
	add_up(sampler);
	return true;
}

uint64_t sampler_cpu_ns(const struct sampler *sampler)
{
	uint64_t gone = sampler->gone_ns;

	/* A likely sum counts only where it cannot be chance: where children are waited for it errs by a
	 * few hundredths, and the exact count is there. */
	if (sampler->gone_likely / 5 * 4 > plus(sampler->waited_ns, 100000000U) &&
	    sampler->gone_likely > gone)
		gone = sampler->gone_likely;
	if (sampler->waited_ns > gone)
		gone = sampler->waited_ns;
	return plus(sampler->cpu_ns, gone);
}

/* ---- what each has open ---------------------------------------------------------------------- */

struct visit {
	void (*found)(void *context, int dir, const char *name);
	void *context;
	int left;
};

/* From where the round stands; false when it has looked at enough for once. */
static bool look_through(const struct sampler *sampler, struct sampler_round *round, pid_t pid,
			 struct visit *visit)
{
	const struct dirent *entry;
	char path[PATH_BYTES];
	bool whole = true;
	DIR *dir;
	int fd;

	(void)snprintf(path, sizeof(path), "%d/fd", (int)pid);
	fd = openat(sampler->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL)
		return true;
	if (pid == round->pid)
		seekdir(dir, round->place);
	while (whole && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			visit->found(visit->context, fd, entry->d_name);
		whole = --visit->left > 0;
	}
	round->pid = pid;
	round->place = telldir(dir);
	closedir(dir);
	return whole;
}

bool sampler_each_descriptor(const struct sampler *sampler, struct sampler_round *round, int most,
			     void (*found)(void *context, int dir, const char *name), void *context)
{
	struct visit visit = {found, context, most};

	for (size_t i = 0; i < sampler->count; i++) {
		if (sampler->members[i].pid >= round->pid &&
		    !look_through(sampler, round, sampler->members[i].pid, &visit))
			return false;
	}
	return true;
}
