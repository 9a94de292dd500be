/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* attest.c - reads back from the kernel what the launcher says it installed. */
#include "attest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum {
	FILE_MAX = 256
		   << 10, /* a mountinfo of 160 grants with submounts; longer ones are not judged */
	EVIDENCE_MAX = 16,
	LAYERS_MAX = 8,
};

struct attest {
	struct bv_arena *arena;
	const struct bv_lowered *lowered;
	int dir; /* /proc/<pid> */
	struct bv_attestation_list *list;
	struct bv_error *err;
	enum bv_code code;
};

/* A whole file of /proc/<pid>, in the arena; data NULL when it cannot be read. */
static struct bv_str read_proc(struct bv_arena *arena, int dir, const char *name)
{
	size_t capacity = 4096, used = 0;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char *text = fd >= 0 ? bv_arena_alloc(arena, capacity) : NULL;

	while (text != NULL) {
		ssize_t got = read(fd, text + used, capacity - used);
		char *larger;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got < 0)
				text = NULL;
			break;
		}
		used += (size_t)got;
		if (used < capacity)
			continue;
		capacity *= 2;
		larger = capacity <= FILE_MAX ? bv_arena_alloc(arena, capacity) : NULL;
		if (larger != NULL)
			memcpy(larger, text, used);
		text = larger;
	}
	if (fd >= 0)
		close(fd);
	return (struct bv_str){text, text != NULL ? used : 0};
}

/* ---- one layer's result ---------------------------------------------------------------------- */

static struct bv_attestation *begin(struct attest *attest, const char *layer)
{
	struct bv_attestation *attestation = &attest->list->items[attest->list->count];

	bv_assert(attest->list->count < LAYERS_MAX);
	attest->list->count++;
	*attestation = (struct bv_attestation){.layer = bv_str_from(layer), .holds = true};
	attestation->evidence.items = bv_arena_array(attest->arena, EVIDENCE_MAX,
						     sizeof(struct bv_text_pair));
	return attestation;
}

/* Evidence is a map: inserted in key order. */
static void add(struct bv_attestation *attestation, const char *key, struct bv_str value)
{
	struct bv_text_map *map = &attestation->evidence;
	size_t at = map->count;

	if (map->items == NULL || map->count == EVIDENCE_MAX || value.data == NULL)
		return;
	while (at > 0 && bv_str_compare(map->items[at - 1].key, bv_str_from(key)) > 0) {
		map->items[at] = map->items[at - 1];
		at--;
	}
	map->items[at] = (struct bv_text_pair){bv_str_from(key), value};
	map->count++;
}

static void broken(struct attest *attest, struct bv_attestation *attestation, const char *what)
{
	attestation->holds = false;
	if (attest->code != BV_OK)
		return;
	attest->code = bv_fail(attest->err, BV_E_LAUNCHER, "attestation",
			       "the layer '%.*s' is not as planned: %s",
			       (int)attestation->layer.len, attestation->layer.data, what);
}

/* ---- privileges ------------------------------------------------------------------------------ */

struct bv_str bv__status_field(struct bv_str status, const char *name)
{
	const size_t name_len = strlen(name);
	size_t at = 0;

	while (at < status.len) {
		const char *line = status.data + at;
		const char *end = memchr(line, '\n', status.len - at);
		const size_t line_len = end != NULL ? (size_t)(end - line) : status.len - at;

		if (line_len > name_len && memcmp(line, name, name_len) == 0 &&
		    line[name_len] == ':') {
			struct bv_str value = {line + name_len + 1, line_len - name_len - 1};

			while (value.len > 0 && (value.data[0] == '\t' || value.data[0] == ' ')) {
				value.data++;
				value.len--;
			}
			while (value.len > 0 && value.data[value.len - 1] == ' ')
				value.len--;
			return value;
		}
		at += line_len + 1;
	}
	return (struct bv_str){"", 0};
}

/* As text for people: the kernel separates ids by tabs. */
static struct bv_str spaced(struct bv_arena *arena, struct bv_str value)
{
	struct bv_str copy = bv_arena_copy(arena, value);

	for (size_t i = 0; i < copy.len; i++) {
		if (copy.data[i] == '\t')
			((char *)(uintptr_t)copy.data)[i] = ' ';
	}
	return copy;
}

static bool all_zero(struct bv_str hex)
{
	for (size_t i = 0; i < hex.len; i++) {
		if (hex.data[i] != '0')
			return false;
	}
	return hex.len > 0;
}

/* "1000\t1000\t1000\t1000": real, effective, saved and file system id are all the planned one. */
static bool all_are(struct bv_str ids, uint32_t wanted)
{
	char text[64];
	int count = 0;

	if (ids.len >= sizeof(text))
		return false;
	memcpy(text, ids.data, ids.len);
	text[ids.len] = '\0';
	for (char *next = text, *end; *next != '\0'; next = end) {
		const unsigned long id = strtoul(next, &end, 10);

		if (end == next || id != wanted)
			return false;
		count++;
	}
	return count == 4;
}

static void attest_privileges(struct attest *attest)
{
	static const char *const names[] = {
		"NoNewPrivs", "CapInh", "CapPrm", "CapEff",  "CapAmb",          "CapBnd",
		"Uid",        "Gid",    "Groups", "Seccomp", "Seccomp_filters", "Threads"};
	const struct bv_launch_work *work = &attest->lowered->body.work;
	struct bv_attestation *attestation = begin(attest, "privileges");
	const struct bv_str status = read_proc(attest->arena, attest->dir, "status");
	uint32_t uid = geteuid(), gid = getegid();

	if (work->has_namespaces) {
		uid = work->namespaces.uid_outside;
		gid = work->namespaces.gid_outside;
	} else if (work->has_drop_to_uid) {
		uid = work->drop_to_uid;
		gid = work->drop_to_gid;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add(attestation, names[i],
		    spaced(attest->arena, bv__status_field(status, names[i])));
	if (!bv_str_is(bv__status_field(status, "NoNewPrivs"), "1"))
		broken(attest, attestation, "new privileges can be gained");
	for (size_t i = 1; i <= 4; i++) {
		if (!all_zero(bv__status_field(status, names[i])))
			broken(attest, attestation, "capabilities are left");
	}
	/* Whatever it may spawn later, it starts alone. */
	if (!bv_str_is(bv__status_field(status, "Threads"), "1"))
		broken(attest, attestation, "it has more than one thread");
	/* 2 is a filter.  How many lie upon each other depends on who runs us. */
	if (!bv_str_is(bv__status_field(status, "Seccomp"), "2"))
		broken(attest, attestation, "there is no system call filter");
	/* Without a namespace of its own an ordinary user cannot empty the bounding set; with no
	 * capability and no way to gain one it bounds nothing. */
	if ((work->has_namespaces || attest->lowered->layers.root) &&
	    !all_zero(bv__status_field(status, "CapBnd")))
		broken(attest, attestation, "capabilities could be gained");
	if (uid == 0 || !all_are(bv__status_field(status, "Uid"), uid))
		broken(attest, attestation, "it runs as another user");
	if (gid == 0 || !all_are(bv__status_field(status, "Gid"), gid))
		broken(attest, attestation, "it runs as another group");
	if (attest->lowered->layers.root && bv__status_field(status, "Groups").len > 0)
		broken(attest, attestation, "groups of the host's user 0 are left");
}

/* ---- namespaces ------------------------------------------------------------------------------ */

bool bv__only_loopback(struct bv_str devices)
{
	size_t at = 0, count = 0;

	while (at < devices.len) {
		const char *line = devices.data + at;
		const char *end = memchr(line, '\n', devices.len - at);
		const size_t len = end != NULL ? (size_t)(end - line) : devices.len - at;
		const char *colon = memchr(line, ':', len);

		at += len + 1;
		if (colon == NULL)
			continue; /* the two lines of the heading */
		while (*line == ' ')
			line++;
		if (colon - line != 2 || memcmp(line, "lo", 2) != 0)
			return false;
		count++;
	}
	return count <= 1;
}

/* A network namespace without a way out has the loopback device at the most. */
static void attest_devices(struct attest *attest, struct bv_attestation *attestation)
{
	const struct bv_str devices = read_proc(attest->arena, attest->dir, "net/dev");

	if (devices.data == NULL)
		broken(attest, attestation, "its network devices cannot be read");
	else if (!bv__only_loopback(devices))
		broken(attest, attestation, "it has a network device");
	else
		add(attestation, "net_devices", BV_STR("none but lo"));
}

static void attest_namespaces(struct attest *attest)
{
	static const char *const names[] = {"cgroup", "ipc", "mnt", "pid", "user", "uts", "net"};
	const struct bv_launch_work *work = &attest->lowered->body.work;
	struct bv_attestation *attestation;

	if (!work->has_namespaces)
		return;
	attestation = begin(attest, "namespaces");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[32], own[32];
		struct stat theirs, ours;

		if (strcmp(names[i], "net") == 0 && !work->namespaces.network)
			continue;
		(void)snprintf(path, sizeof(path), "ns/%s", names[i]);
		(void)snprintf(own, sizeof(own), "/proc/self/ns/%s", names[i]);
		if (fstatat(attest->dir, path, &theirs, 0) != 0 || stat(own, &ours) != 0) {
			broken(attest, attestation, "a namespace cannot be looked at");
			continue;
		}
		add(attestation, names[i],
		    bv_arena_format(attest->arena, "%llu", (unsigned long long)theirs.st_ino));
		if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev)
			broken(attest, attestation, "it shares a namespace with the host");
	}
	if (work->namespaces.network)
		attest_devices(attest, attestation);
}

/* ---- the private root ------------------------------------------------------------------------ */

enum { OVERLAY_MAGIC = 0x794c7630, TMPFS_MAGIC = 0x01021994 };

/* What the kernel says of the file system at `path` of the workload's root; NULL, or what is wrong. */
static const char *size_wrong(const struct attest *attest, struct bv_str path, uint32_t magic,
			      uint64_t bytes, uint64_t inodes)
{
	const struct bv_str inside = bv_arena_format(attest->arena, "root%.*s", (int)path.len,
						     path.data);
	struct statfs seen;
	int fd = inside.data != NULL ? openat(attest->dir, inside.data, O_PATH | O_CLOEXEC) : -1;
	const char *wrong = NULL;

	if (fd < 0 || fstatfs(fd, &seen) != 0)
		wrong = "a file system that may be written to cannot be looked at";
	else if ((uint32_t)seen.f_type != magic)
		wrong = "a file system that may be written to is another than planned";
	else if ((uint64_t)seen.f_blocks * (uint64_t)seen.f_bsize != bytes ||
		 (uint64_t)seen.f_files != inodes)
		wrong = "a file system that may be written to has another size";
	if (fd >= 0)
		close(fd);
	return wrong;
}

static struct bv_str decimal(const struct attest *attest, uint64_t number)
{
	return bv_arena_format(attest->arena, "%llu", (unsigned long long)number);
}

static const char *attest_sizes(struct attest *attest, struct bv_attestation *attestation)
{
	const struct bv_launch_root *root = &attest->lowered->body.work.root;
	const bool together = root->has_stage && root->stage.holds_tmp;
	bool covered = false; /* /tmp was granted itself */
	const char *wrong = NULL;

	for (size_t i = 0; i < root->mounts.count && !covered; i++)
		covered = bv_str_is(root->mounts.items[i].dest, "/tmp");
	if (!covered && (together || root->tmp_bytes != 0)) {
		const uint64_t bytes = together ? root->stage.size_bytes : root->tmp_bytes;
		const uint64_t inodes = together ? root->stage.inodes : root->tmp_inodes;

		wrong = size_wrong(attest, BV_STR("/tmp"), TMPFS_MAGIC, bytes, inodes);
		add(attestation, "tmp_bytes", decimal(attest, bytes));
		add(attestation, "tmp_inodes", decimal(attest, inodes));
	}
	/* An overlay tells of the file system above. */
	for (size_t i = 0; wrong == NULL && i < root->mounts.count; i++) {
		if (root->mounts.items[i].has_staged && root->mounts.items[i].staged)
			wrong = size_wrong(attest, root->mounts.items[i].dest, OVERLAY_MAGIC,
					   root->stage.size_bytes, root->stage.inodes);
	}
	if (root->has_stage) {
		add(attestation, "staged_bytes", decimal(attest, root->stage.size_bytes));
		add(attestation, "staged_inodes", decimal(attest, root->stage.inodes));
	}
	return wrong;
}

static void attest_root(struct attest *attest)
{
	const struct bv_launch_work *work = &attest->lowered->body.work;
	struct bv_attestation *attestation;
	struct bv_str mountinfo, unmapped;
	const char *wrong;
	size_t count;

	if (!work->has_root)
		return;
	attestation = begin(attest, "root");
	mountinfo = read_proc(attest->arena, attest->dir, "mountinfo");
	wrong = bv__mounts_wrong(attest->arena, mountinfo, &work->root, &count);
	add(attestation, "mounts", bv_arena_format(attest->arena, "%zu", count));
	unmapped = bv__mounts_unmapped(attest->arena, mountinfo, &work->root);
	if (unmapped.len > 0)
		add(attestation, "owners not mapped", unmapped);
	if (wrong == NULL)
		wrong = attest_sizes(attest, attestation);
	if (wrong != NULL)
		broken(attest, attestation, wrong);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Whether descriptor `name` of the process goes away at exec. */
static bool is_cloexec(const struct attest *attest, const char *name)
{
	char path[300], text[256];
	const char *flags;
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "fdinfo/%s", name);
	fd = openat(attest->dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	flags = strstr(text, "flags:");
	return flags != NULL && (strtoul(flags + 6, NULL, 8) & O_CLOEXEC) != 0;
}

static bool is_declared(const struct attest *attest, long number)
{
	const struct bv_u32_list *fds = &attest->lowered->body.work.exec.fds;

	if (number <= 2)
		return true;
	for (size_t i = 0; i < fds->count; i++) {
		if (fds->items[i] == (uint32_t)number)
			return true;
	}
	return false;
}

static void attest_descriptors(struct attest *attest)
{
	struct bv_attestation *attestation = begin(attest, "descriptors");
	const size_t wanted = 3 + attest->lowered->body.work.exec.fds.count;
	int fd = openat(attest->dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	size_t declared = 0, closing = 0;

	if (list == NULL) {
		if (fd >= 0)
			close(fd);
		broken(attest, attestation, "they cannot be listed");
		return;
	}
	for (const struct dirent *entry; (entry = readdir(list)) != NULL;) {
		char *end;
		const long number = strtol(entry->d_name, &end, 10);

		if (end == entry->d_name)
			continue;
		/* A declared one that exec closed would be authority less, not more, and of some files the
		 * kernel says so wrongly: it shows the flags they were opened with. */
		if (is_declared(attest, number))
			declared++;
		else if (is_cloexec(attest, entry->d_name))
			closing++;
		else
			broken(attest, attestation, "one is open that nobody declared");
	}
	closedir(list);
	add(attestation, "declared_and_open", bv_arena_format(attest->arena, "%zu", declared));
	add(attestation, "closed_by_exec", bv_arena_format(attest->arena, "%zu", closing));
	if (declared != wanted)
		broken(attest, attestation, "a declared one is missing");
}

/* ---- limits ---------------------------------------------------------------------------------- */

static const char *limit_title(uint32_t resource)
{
	static const struct {
		uint32_t resource;
		const char *title;
	} titles[] = {
		{RLIMIT_CORE, "Max core file size"},
		{RLIMIT_MEMLOCK, "Max locked memory"},
		{RLIMIT_MSGQUEUE, "Max msgqueue size"},
		{RLIMIT_NICE, "Max nice priority"},
		{RLIMIT_RTPRIO, "Max realtime priority"},
		{RLIMIT_STACK, "Max stack size"},
		{RLIMIT_NOFILE, "Max open files"},
		{RLIMIT_NPROC, "Max processes"},
		{RLIMIT_CPU, "Max cpu time"},
		{RLIMIT_DATA, "Max data size"},
		{RLIMIT_FSIZE, "Max file size"},
	};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		if (titles[i].resource == resource)
			return titles[i].title;
	}
	return NULL;
}

static bool limit_is(const char **text, const char *end, uint64_t wanted)
{
	uint64_t value = 0;

	while (*text < end && **text == ' ')
		++*text;
	if ((size_t)(end - *text) >= 9 && memcmp(*text, "unlimited", 9) == 0) {
		*text += 9;
		return wanted == (uint64_t)RLIM_INFINITY;
	}
	while (*text < end && **text >= '0' && **text <= '9')
		value = value * 10 + (uint64_t)(*(*text)++ - '0');
	return value == wanted;
}

const char *bv__limits_wrong(struct bv_str limits, const struct bv_launch_rlimit_list *planned)
{
	for (size_t i = 0; i < planned->count; i++) {
		const char *title = limit_title(planned->items[i].resource);
		const char *found = NULL, *end = limits.data + limits.len;

		if (title == NULL)
			return "an unknown limit";
		for (const char *line = limits.data; line < end && found == NULL;) {
			const char *next = memchr(line, '\n', (size_t)(end - line));

			if ((size_t)(end - line) > strlen(title) &&
			    memcmp(line, title, strlen(title)) == 0)
				found = line + strlen(title);
			line = next != NULL ? next + 1 : end;
		}
		if (found == NULL || !limit_is(&found, end, planned->items[i].soft) ||
		    !limit_is(&found, end, planned->items[i].hard))
			return title;
	}
	return NULL;
}

static void attest_limits(struct attest *attest)
{
	const struct bv_launch_rlimit_list *planned = &attest->lowered->body.work.rlimits;
	struct bv_attestation *attestation = begin(attest, "limits");
	const struct bv_str limits = read_proc(attest->arena, attest->dir, "limits");
	const char *wrong = limits.data != NULL ? bv__limits_wrong(limits, planned)
						: "they cannot be read";

	for (size_t i = 0; i < planned->count; i++) {
		const char *title = limit_title(planned->items[i].resource);

		if (title != NULL && planned->items[i].hard == (uint64_t)RLIM_INFINITY)
			add(attestation, title + 4, BV_STR("unlimited"));
		else if (title != NULL)
			add(attestation, title + 4,
			    bv_arena_format(attest->arena, "%llu",
					    (unsigned long long)planned->items[i].hard));
	}
	if (wrong != NULL)
		broken(attest, attestation, wrong);
}

/* ---- the control group ----------------------------------------------------------------------- */

bool bv__is_member(struct bv_str cgroup, const char *leaf_path)
{
	const struct bv_str leaf = bv_str_from(strrchr(leaf_path, '/'));
	size_t at = 0;

	while (at < cgroup.len) {
		const char *line = cgroup.data + at;
		const char *end = memchr(line, '\n', cgroup.len - at);
		const size_t len = end != NULL ? (size_t)(end - line) : cgroup.len - at;

		if (len > 3 + leaf.len && memcmp(line, "0::", 3) == 0)
			return memcmp(line + len - leaf.len, leaf.data, leaf.len) == 0;
		at += len + 1;
	}
	return false;
}

/* A limit of the leaf as the kernel has it, without the end of line. */
static struct bv_str group_limit(struct attest *attest, const struct bv_cgroup *group,
				 const char *file)
{
	char text[64];
	const ssize_t got = bv__group_get(group->fd, file, text, sizeof(text));

	if (got <= 0)
		return (struct bv_str){NULL, 0};
	return bv_arena_copy(attest->arena, (struct bv_str){text, (size_t)got - 1});
}

static void attest_group(struct attest *attest, const struct bv_cgroup *group)
{
	static const char *const limits[] = {"memory.max", "memory.swap.max", "memory.oom.group",
					     "pids.max"};
	struct bv_attestation *attestation;

	if (!attest->lowered->body.work.has_group)
		return;
	attestation = begin(attest, "control_group");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		add(attestation, limits[i], group_limit(attest, group, limits[i]));
	add(attestation, "path", bv_arena_utf8(attest->arena, bv_str_from(group->path)));
	if (!bv__is_member(read_proc(attest->arena, attest->dir, "cgroup"), group->path))
		broken(attest, attestation, "the workload is not a member");
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum bv_code bv__attest(struct bv_arena *arena, const struct bv_lowered *lowered,
			const struct bv_cgroup *group, const struct bv_record_installed *installed,
			struct bv_attestation_list *ret_list, struct bv_error *err)
{
	struct attest attest = {
		.arena = arena, .lowered = lowered, .list = ret_list, .err = err, .code = BV_OK};
	char path[32];

	ret_list->count = 0;
	ret_list->items = bv_arena_array(arena, LAYERS_MAX, sizeof(*ret_list->items));
	if (ret_list->items == NULL)
		return bv_fail(err, BV_E_MEMORY, "attestation",
			       "no memory to look at the workload");
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)installed->workload_pid);
	attest.dir = openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (attest.dir < 0)
		return bv_fail(err, BV_E_LAUNCHER, "attestation",
			       "the workload cannot be looked at");
	attest_privileges(&attest);
	attest_namespaces(&attest);
	attest_root(&attest);
	attest_descriptors(&attest);
	attest_limits(&attest);
	attest_group(&attest, group);
	close(attest.dir);
	return attest.code;
}
