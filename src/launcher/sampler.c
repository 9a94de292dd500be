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
		.processors = place->processors,
		.init_fd = -1,
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
	for (int i = 0; i < SAMPLE_TABLES; i++)
		sampler->tables[i].fd = place->table_fds[i];
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

/* Where there are none left that live, its first thread is as good as any. */
static void path_of(const struct sampler_member *member, pid_t thread, const char *name,
		    char path[SAMPLER_PATH_BYTES])
{
	if (thread != 0)
		(void)snprintf(path, SAMPLER_PATH_BYTES, "%d/task/%d/%s", (int)member->pid,
			       (int)thread, name);
	else
		(void)snprintf(path, SAMPLER_PATH_BYTES, "%d/%s", (int)member->pid, name);
}

static void close_file(struct sampler *sampler, struct sampler_member *member,
		       enum sample_file file)
{
	if (member->fds[file] < 0)
		return;
	close(member->fds[file]);
	sampler->fds_left++;
	member->fds[file] = -1;
}

/* The youngest of its threads, which is the last to be gone again when one only begets the next; 0. */
static pid_t find_youngest(const struct sampler *sampler, const struct sampler_member *member)
{
	char path[SAMPLER_PATH_BYTES];
	const struct dirent *entry;
	pid_t youngest = 0;
	DIR *tasks;
	int fd;

	path_of(member, 0, "task", path);
	fd = openat(sampler->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tasks = fd >= 0 ? fdopendir(fd) : NULL;
	while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			youngest = (pid_t)strtol(entry->d_name, NULL, 10);
	}
	if (tasks != NULL)
		closedir(tasks);
	return youngest == member->pid ? 0 : youngest;
}

/* The pages that are to be seen by a thread of it; 0 where it is gone. */
static uint64_t pages_by(const struct sampler *sampler, const struct sampler_member *member,
			 pid_t thread)
{
	char path[SAMPLER_PATH_BYTES], data[SAMPLER_FILE_BYTES];
	struct sample_stat stat;
	size_t size;

	path_of(member, thread, "stat", path);
	size = sampler_read_at(sampler, path, data, sizeof(data));
	return sample_stat(data, size, &stat) ? stat.pages : 0;
}

/* A process lives on without its first thread; all that has no memory then is what is seen by that one. */
static void find_living(struct sampler *sampler, struct sampler_member *member)
{
	enum { TRIES = 4 };
	pid_t living = member->living;

	for (int i = 0; i < TRIES; i++) {
		const uint64_t pages = living != 0 ? pages_by(sampler, member, living) : 0;

		if (pages > 0) {
			member->pages = pages;
			break;
		}
		living = find_youngest(sampler, member);
	}
	if (living != member->living)
		close_file(sampler, member, SAMPLE_FILE_STATUS);
	member->living = living;
}

int sampler_open(struct sampler *sampler, struct sampler_member *member, const char *name)
{
	char path[SAMPLER_PATH_BYTES];
	int fd;

	path_of(member, member->living, name, path);
	fd = openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || member->living == 0)
		return fd;
	find_living(sampler, member);
	path_of(member, member->living, name, path);
	return openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

static size_t read_all(int fd, char *data, size_t capacity)
{
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

size_t sampler_read_at(const struct sampler *sampler, const char *path, char *data, size_t capacity)
{
	return read_all(openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC), data, capacity);
}

size_t sampler_read(struct sampler *sampler, struct sampler_member *member, const char *name,
		    char *data, size_t capacity)
{
	return read_all(sampler_open(sampler, member, name), data, capacity);
}

size_t sampler_read_kept(struct sampler *sampler, struct sampler_member *member,
			 enum sample_file file, char *data)
{
	int fd = member->fds[file];
	char path[SAMPLER_PATH_BYTES];
	ssize_t got;

	if (fd < 0) {
		path_of(member, file == SAMPLE_FILE_STATUS ? member->living : 0, file_names[file],
			path);
		fd = openat(sampler->proc_fd, path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return 0;
	got = pread(fd, data, SAMPLER_FILE_BYTES, 0);
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
	for (int file = 0; file < SAMPLE_FILE_COUNT; file++)
		close_file(sampler, member, (enum sample_file)file);
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
	char path[SAMPLER_PATH_BYTES + NAME_MAX];
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
	char path[SAMPLER_PATH_BYTES];
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

static void read_handles(struct sampler *sampler, struct sampler_member *member)
{
	int fd = sampler_open(sampler, member, "fd");
	uint64_t count = 0;
	struct stat seen;

	if (fd < 0)
		return;
	if (sampler->directories_count) {
		if (fstat(fd, &seen) == 0 && seen.st_size > 0)
			count = (uint64_t)seen.st_size;
		close(fd);
	} else {
		DIR *dir = fdopendir(fd);

		for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
			count += entry->d_name[0] != '.';
		if (dir != NULL)
			closedir(dir);
	}
	if (count > sampler->handles)
		sampler->handles = count;
}

/* Where no thread was found that could be asked, what it last had is the best that is known. */
static void read_memory(struct sampler *sampler, struct sampler_member *member, char *data)
{
	const size_t size = sampler_read_kept(sampler, member, SAMPLE_FILE_STATUS, data);

	if (size > 0 && (member->pages > 0 || member->threads == 1))
		sample_status(data, size, &member->memory);
}

/* False when it is gone. */
static bool read_member(struct sampler *sampler, struct sampler_member *member, unsigned int what)
{
	static char data[SAMPLER_FILE_BYTES];
	const size_t size = sampler_read_kept(sampler, member, SAMPLE_FILE_STAT, data);
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
	if (stat.pages == 0 && member->threads > 1)
		find_living(sampler, member);
	if (bv_mul(stat.ticks, sampler->tick_ns, &own_ns) && own_ns > member->cpu_ns)
		member->cpu_ns = own_ns;
	if (bv_mul(stat.waited_ticks, sampler->tick_ns, &waited_ns))
		member->waited_ns = waited_ns;
	if (stat.faults > member->faults)
		sampler->new_faults = plus(sampler->new_faults, stat.faults - member->faults);
	member->faults = stat.faults;
	if (what & SAMPLE_CPU)
		sampler_read_cpu(sampler, member, data);
	if (what & SAMPLE_MEMORY)
		read_memory(sampler, member, data);
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

bool sampler_may_count_twice(const struct sampler *sampler, uint64_t bytes)
{
	for (size_t i = 0; i < sampler->count; i++) {
		const struct sampler_member *member = &sampler->members[i];
		const struct sampler_member *parent = sampler_find(sampler, member->parent);
		const uint64_t own = member->memory.anonymous;

		if (parent != NULL && own >= bytes && own >= parent->memory.anonymous / 8 * 7 &&
		    own <= plus(parent->memory.anonymous, parent->memory.anonymous / 8))
			return true;
	}
	return false;
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

static void bury(struct sampler *sampler, struct sampler_member *member)
{
	sampler_bury_cpu(sampler, member);
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
			sampler->missed++;
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
	sampler->missed = 0;
	sampler->waited_ns = sampler_reaped_ns(sampler);
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
	if (what & SAMPLE_CPU)
		sampler_share_processors(sampler);
	find_borrowers(sampler);
	add_up(sampler);
	return true;
}

/* ---- what each has open ---------------------------------------------------------------------- */

struct visit {
	void (*found)(void *context, int dir, const char *name);
	void *context;
	int left;
};

/* From where the round stands; false when it has looked at enough for once. */
static bool look_through(struct sampler *sampler, struct sampler_round *round,
			 struct sampler_member *member, struct visit *visit)
{
	const int fd = sampler_open(sampler, member, "fd");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	bool whole = true;

	if (dir == NULL)
		return true;
	if (member->pid == round->pid)
		seekdir(dir, round->place);
	while (whole && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			visit->found(visit->context, fd, entry->d_name);
		whole = --visit->left > 0;
	}
	round->pid = member->pid;
	round->place = telldir(dir);
	closedir(dir);
	return whole;
}

bool sampler_each_descriptor(struct sampler *sampler, struct sampler_round *round, int most,
			     void (*found)(void *context, int dir, const char *name), void *context)
{
	struct visit visit = {found, context, most};

	for (size_t i = 0; i < sampler->count; i++) {
		if (sampler->members[i].pid >= round->pid &&
		    !look_through(sampler, round, &sampler->members[i], &visit))
			return false;
	}
	return true;
}
