/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * probe.c - what this machine is and can do, as text for the snapshot.
 *
 * What is cheap is read every time.  What has to be tried is tried by the launcher and remembered,
 * in this process and on disk, under everything it could depend on.  On disk only a machine that has
 * every layer is remembered: a forged file can then make a run fail, but never make a plan weaker.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "contract/canon.h"
#include "budgets.h"
#include "cgroup.h"
#include "facts.h"
#include "ids.h"
#include "spawn.h"
#include "sys.h"

enum {
	PROBE_TIMEOUT_MS =
		30000, /* fifteen mechanisms of at most three seconds on a dying machine, or milliseconds */
	TEXT_MAX = 256,
	GROUP_TIMEOUT_MS = 200,
};

#define NO_CGROUP "none: "

struct probe {
	struct bv_arena *arena;
	struct bv_error *err;
	struct bv_launcher_file launcher;
	struct bv_str facts[BV_FACT_COUNT];
	struct bv_str boot_id;
	uint64_t user_namespace;
	struct bv_probe_memory memory;
};

/* ---- cheap facts ----------------------------------------------------------------------------- */

/* The first line of a small file, or `otherwise` where there is none. */
static struct bv_str read_line(struct bv_arena *arena, const char *path, const char *otherwise)
{
	char text[TEXT_MAX];
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	struct bv_str line = {text, 0};

	if (fd >= 0)
		close(fd);
	while (got > 0 && line.len < (size_t)got && text[line.len] != '\n' &&
	       text[line.len] != '\0')
		line.len++;
	if (line.len == 0)
		return bv_str_from(otherwise);
	return bv_arena_utf8(arena, line);
}

static struct bv_str number(struct probe *probe, uint64_t value)
{
	return bv_arena_format(probe->arena, "%llu", (unsigned long long)value);
}

static struct bv_str private_ids(struct probe *probe)
{
	struct bv_id_range range;

	if (geteuid() != 0)
		return BV_STR("not needed");
	if (!bv__private_ids(&range))
		return BV_STR("none");
	return bv_arena_format(probe->arena, "%u-%u", range.first, range.first + range.count - 1);
}

static uint64_t namespace_of(const char *path)
{
	struct stat seen = {.st_ino = 0};

	(void)stat(path, &seen);
	return seen.st_ino;
}

/*
 * What cannot change while this process lives, unless it enters another user namespace: id maps can
 * be written only once.  A plan is made and started by one process as a rule, and probes twice.
 */
static pthread_mutex_t constant_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t user_namespace; /* 0: nothing is known yet */
	char boot_id[64], ids[64];
} constant;

static bool keep_constant(char *ret_text, struct bv_str text)
{
	if (text.data == NULL || text.len >= sizeof(constant.ids))
		return false;
	memcpy(ret_text, text.data, text.len);
	ret_text[text.len] = '\0';
	return true;
}

static void read_constants(struct probe *probe)
{
	probe->user_namespace = namespace_of("/proc/self/ns/user");
	pthread_mutex_lock(&constant_lock);
	if (probe->user_namespace == 0 || constant.user_namespace != probe->user_namespace) {
		constant.user_namespace = 0;
		if (keep_constant(constant.boot_id,
				  read_line(probe->arena, "/proc/sys/kernel/random/boot_id",
					    "unknown")) &&
		    keep_constant(constant.ids, private_ids(probe)))
			constant.user_namespace = probe->user_namespace;
	}
	probe->boot_id = bv_arena_copy(probe->arena, bv_str_from(constant.boot_id));
	probe->facts[BV_FACT_PRIVATE_IDS] = bv_arena_copy(probe->arena, bv_str_from(constant.ids));
	pthread_mutex_unlock(&constant_lock);
}

static void read_cgroup(struct probe *probe)
{
	struct bv_cgroup_place place;
	struct bv_str *facts = probe->facts;

	bv__cgroup_find(&place);
	facts[BV_FACT_CGROUP] = place.path[0] != '\0'
					? bv_arena_utf8(probe->arena, bv_str_from(place.path))
					: bv_arena_format(probe->arena, NO_CGROUP "%s",
							  place.why_not);
	facts[BV_FACT_CGROUP_CONTROLLERS] = bv_str_from(bv__controllers_text(place.enabled));
}

static void read_facts(struct probe *probe)
{
	struct bv_arena *arena = probe->arena;
	struct bv_str *facts = probe->facts;
	struct rlimit files = {0, 0};
	struct utsname name;
	int mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);

	(void)getrlimit(RLIMIT_NOFILE, &files);
	if (uname(&name) != 0)
		name.machine[0] = name.release[0] = '\0';
	facts[BV_FACT_APPARMOR] = read_line(arena, "/proc/self/attr/current", "none");
	facts[BV_FACT_APPARMOR_USERNS] = read_line(
		arena, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "absent");
	facts[BV_FACT_ARCH] = bv_arena_copy(arena, bv_str_from(name.machine));
	read_cgroup(probe);
	facts[BV_FACT_CPUS] = number(probe, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	facts[BV_FACT_GID] = number(probe, getegid());
	facts[BV_FACT_KERNEL] = bv_arena_copy(arena, bv_str_from(name.release));
	facts[BV_FACT_LANDLOCK_ABI] = number(probe, (uint64_t)bv_sys_landlock_abi());
	facts[BV_FACT_MAX_USERNS] = read_line(arena, "/proc/sys/user/max_user_namespaces",
					      "absent");
	facts[BV_FACT_MEMORY] = number(probe, (uint64_t)sysconf(_SC_PHYS_PAGES) *
						      (uint64_t)sysconf(_SC_PAGESIZE));
	facts[BV_FACT_NOFILE_HARD] = number(probe, files.rlim_max);
	facts[BV_FACT_OUTER_SECCOMP] = number(probe, mode > 0 ? (uint64_t)mode : 0);
	facts[BV_FACT_PID_MAX] = read_line(arena, "/proc/sys/kernel/pid_max", "0");
	facts[BV_FACT_UID] = number(probe, geteuid());
	facts[BV_FACT_UNPRIVILEGED_USERNS] = read_line(arena,
						       "/proc/sys/kernel/unprivileged_userns_clone",
						       "absent");
}

/* ---- what the findings depend on ------------------------------------------------------------- */

static void put_number(struct bv_hash *hash, uint64_t value)
{
	bv_hash_update(hash, &value, sizeof(value));
}

/* Both C libraries have it, and neither declares it. */
extern int capget(struct __user_cap_header_struct *header, struct __user_cap_data_struct *data);

static void put_capabilities(struct bv_hash *hash)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof(data));
	(void)capget(&header, data);
	bv_hash_update(hash, data, sizeof(data));
}

static void make_key(struct probe *probe)
{
	static const enum bv_fact of[] = {BV_FACT_APPARMOR,
					  BV_FACT_APPARMOR_USERNS,
					  BV_FACT_ARCH,
					  BV_FACT_CGROUP,
					  BV_FACT_CGROUP_CONTROLLERS,
					  BV_FACT_GID,
					  BV_FACT_KERNEL,
					  BV_FACT_LANDLOCK_ABI,
					  BV_FACT_MAX_USERNS,
					  BV_FACT_OUTER_SECCOMP,
					  BV_FACT_PRIVATE_IDS,
					  BV_FACT_UID,
					  BV_FACT_UNPRIVILEGED_USERNS};
	const struct stat *file = &probe->launcher.seen;
	struct bv_hash hash;

	bv_hash_init(&hash);
	bv_hash_update(&hash, probe->boot_id.data, probe->boot_id.len);
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		put_number(&hash, probe->facts[of[i]].len);
		bv_hash_update(&hash, probe->facts[of[i]].data, probe->facts[of[i]].len);
	}
	put_number(&hash, probe->user_namespace);
	put_number(&hash, namespace_of("/proc/self/ns/mnt"));
	put_number(&hash, namespace_of("/proc/self/ns/pid"));
	put_capabilities(&hash);
	put_number(&hash, (uint64_t)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	/* A file that was written to has another change time, and nobody but root can set that. */
	put_number(&hash, file->st_dev);
	put_number(&hash, file->st_ino);
	put_number(&hash, (uint64_t)file->st_size);
	put_number(&hash, (uint64_t)file->st_mtim.tv_sec);
	put_number(&hash, (uint64_t)file->st_mtim.tv_nsec);
	put_number(&hash, (uint64_t)file->st_ctim.tv_sec);
	put_number(&hash, (uint64_t)file->st_ctim.tv_nsec);
	bv_hash_final(&hash, &probe->memory.key);
}

/* ---- trying ---------------------------------------------------------------------------------- */

static bool read_answer(int fd, struct bv_probe_memory *memory)
{
	memory->facts_bytes = 0;
	for (;;) {
		struct pollfd ready = {fd, POLLIN, 0};
		ssize_t got;

		if (poll(&ready, 1, PROBE_TIMEOUT_MS) == 0 ||
		    memory->facts_bytes == sizeof(memory->facts))
			return false;
		got = read(fd, memory->facts + memory->facts_bytes,
			   sizeof(memory->facts) - memory->facts_bytes);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		memory->facts_bytes += (size_t)got;
	}
}

/* A group for the launcher to try; what stands in its way shows as the launcher's "no". */
static bool make_trial_group(struct probe *probe, struct bv_cgroup *ret_group)
{
	const struct bv_cgroup_limits none = {UINT64_MAX, UINT64_MAX};
	const struct bv_str place = probe->facts[BV_FACT_CGROUP];

	return place.data != NULL && place.len > 0 && place.data[0] == '/' &&
	       bv__cgroup_make(place.data, &none, ret_group, NULL) == BV_OK;
}

static enum bv_code try_machine(struct probe *probe)
{
	char name[] = "bvisor-linux-launcher", mode[] = "--probe";
	char group_env[] = "BVISOR_CGROUP_FD=3";
	char *const argv[] = {name, mode, NULL};
	char *envp[] = {NULL, NULL};
	struct bv_cgroup group = {.fd = -1};
	struct bv_spawn spawn = {.exe_fd = probe->launcher.fd,
				 .argv = argv,
				 .envp = envp,
				 .fd_count = 3};
	int null = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
	int answer[2] = {-1, -1}, pidfd = -1, status = -1;
	enum bv_code code = BV_OK;
	bool whole = false;
	pid_t pid = -1;

	if (null < 0 || pipe2(answer, O_CLOEXEC) != 0) {
		code = bv__fail_errno(probe->err, BV_E_SYSTEM, "probe",
				      "a pipe to the launcher cannot be made");
	} else {
		spawn.fds[0] = (struct bv_spawn_fd){null, 0};
		spawn.fds[1] = (struct bv_spawn_fd){answer[1], 1};
		spawn.fds[2] = (struct bv_spawn_fd){null, 2};
		if (make_trial_group(probe, &group)) {
			spawn.fds[spawn.fd_count++] = (struct bv_spawn_fd){group.fd, 3};
			envp[0] = group_env;
		}
		code = bv__spawn(&spawn, &pid, &pidfd, probe->err);
	}
	if (answer[1] >= 0)
		close(answer[1]);
	if (code == BV_OK) {
		whole = read_answer(answer[0], &probe->memory);
		if (!whole)
			(void)bv_sys_pidfd_send_signal(pidfd, SIGKILL);
		/* A host that ignores SIGCHLD gets no status; what was answered is checked either way. */
		if (bv_sys_wait4(pid, &status, __WALL, NULL) != pid)
			status = 0;
		close(pidfd);
		if (!whole || status != 0)
			code = bv_fail(probe->err, BV_E_LAUNCHER, "probe",
				       "the launcher '%s' did not answer the probe",
				       probe->launcher.path);
	}
	(void)bv__cgroup_remove(&group, GROUP_TIMEOUT_MS);
	if (answer[0] >= 0)
		close(answer[0]);
	if (null >= 0)
		close(null);
	return code;
}

static enum bv_code take_findings(struct probe *probe)
{
	struct bv_probe_facts found;
	enum bv_code code = bv_canon_decode(probe->arena, &bv_probe_facts_type, probe->memory.facts,
					    probe->memory.facts_bytes, &found, NULL);

	if (code == BV_E_MEMORY)
		return bv_fail(probe->err, code, "probe",
			       "no memory for the facts of this machine");
	if (code != BV_OK)
		return bv_fail_remedy(probe->err, BV_E_LAUNCHER, "probe",
				      "install bvisor and its launcher together",
				      "'%s' does not answer as a launcher does",
				      probe->launcher.path);
	for (size_t i = 0; i < found.facts.count; i++) {
		for (int fact = 0; fact < BV_FACT_COUNT; fact++) {
			if (bv__fact_kind((enum bv_fact)fact) == BV_FACT_TRIED &&
			    bv_str_is(found.facts.items[i].key, bv__fact_name((enum bv_fact)fact)))
				probe->facts[fact] = found.facts.items[i].value;
		}
	}
	for (int fact = 0; fact < BV_FACT_COUNT; fact++) {
		if (probe->facts[fact].len == 0)
			return bv_fail(probe->err, BV_E_LAUNCHER, "probe",
				       "the launcher did not try '%s'",
				       bv__fact_name((enum bv_fact)fact));
	}
	return BV_OK;
}

/* Only what could not be better is remembered on disk; see the top of this file. */
static bool has_every_layer(const struct probe *probe)
{
	static const enum bv_fact layers[] = {BV_FACT_NAMESPACES,     BV_FACT_NETNS,
					      BV_FACT_LANDLOCK,       BV_FACT_SECCOMP_FILTER,
					      BV_FACT_SECCOMP_NOTIFY, BV_FACT_NPROC,
					      BV_FACT_ATTEST};

	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		if (!bv_str_is(probe->facts[layers[i]], "yes"))
			return false;
	}
	/* A group that could not be joined may be joined another time. */
	return probe->facts[BV_FACT_CGROUP].data[0] != '/' ||
	       bv_str_is(probe->facts[BV_FACT_CGROUP_JOIN], "yes");
}

bool bv__probe_directory(char ret_path[PATH_MAX])
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	struct bv_arena arena;
	struct bv_str path;

	bv_arena_init(&arena, ret_path, PATH_MAX);
	if (geteuid() == 0)
		path = BV_STR("/run/bvisor");
	else if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < PATH_MAX - 64)
		path = bv_arena_format(&arena, "%s/bvisor", runtime);
	else
		path = bv_arena_format(&arena, "/tmp/bvisor-%u", (unsigned int)geteuid());
	if (path.data == NULL)
		return false;
	memmove(ret_path, path.data, path.len + 1);
	return true;
}

/* ---- remembered in this process -------------------------------------------------------------- */

static pthread_mutex_t recent_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bv_probe_memory recent; /* facts_bytes 0: none */

static bool recall_recent(struct bv_probe_memory *memory)
{
	bool found;

	pthread_mutex_lock(&recent_lock);
	found = recent.facts_bytes > 0 && bv_digest_equal(&recent.key, &memory->key);
	if (found)
		*memory = recent;
	pthread_mutex_unlock(&recent_lock);
	return found;
}

static void remember_recent(const struct bv_probe_memory *memory)
{
	pthread_mutex_lock(&recent_lock);
	recent = *memory;
	pthread_mutex_unlock(&recent_lock);
}

/*
 * The whole of the last probe, for as long as nobody could tell the difference: a command plans and
 * starts within a millisecond, and what it read the first time is what it would read again.
 */
enum { MOMENT_NS = 10000000 };
static struct {
	uint64_t at_ns; /* 0: none */
	uint64_t self;  /* who this process is, as far as it can change itself at once */
	struct stat launcher;
	struct bv_digest digest;
	char facts[BV_FACT_COUNT][256];
} moment;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t self_now(void)
{
	const int seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
	const int no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);

	return (uint64_t)geteuid() << 32 | (uint64_t)(uint32_t)getpid() << 4 |
	       (uint64_t)(seccomp > 0) << 1 | (uint64_t)(no_new_privs > 0);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool recall_moment(struct probe *probe)
{
	bool found;

	pthread_mutex_lock(&recent_lock);
	found = moment.at_ns != 0 && now_ns() - moment.at_ns < MOMENT_NS &&
		moment.self == self_now() && is_same_file(&moment.launcher, &probe->launcher.seen);
	for (int fact = 0; found && fact < BV_FACT_COUNT; fact++) {
		probe->facts[fact] = bv_arena_copy(probe->arena, bv_str_from(moment.facts[fact]));
		found = probe->facts[fact].data != NULL;
	}
	probe->memory.launcher = moment.digest;
	pthread_mutex_unlock(&recent_lock);
	return found;
}

static void remember_moment(const struct probe *probe)
{
	pthread_mutex_lock(&recent_lock);
	moment.at_ns = now_ns();
	moment.self = self_now();
	moment.launcher = probe->launcher.seen;
	moment.digest = probe->memory.launcher;
	for (int fact = 0; fact < BV_FACT_COUNT; fact++) {
		const struct bv_str text = probe->facts[fact];

		if (text.len >= sizeof(moment.facts[fact]))
			moment.at_ns = 0;
		else
			memcpy(moment.facts[fact], text.data, text.len + 1);
	}
	pthread_mutex_unlock(&recent_lock);
}

static enum bv_code find_findings(struct probe *probe)
{
	_Alignas(16) char directory[PATH_MAX];
	const struct bv_digest key = probe->memory.key;
	const bool has_directory = bv__probe_directory(directory);
	enum bv_code code;

	if (recall_recent(&probe->memory))
		return take_findings(probe);
	/* Any error here only means that it is tried again. */
	if (has_directory && bv__probe_recall(directory, &key, &probe->memory)) {
		struct bv_error *err = probe->err;

		probe->err = NULL;
		code = take_findings(probe);
		probe->err = err;
		if (code == BV_OK && has_every_layer(probe)) {
			remember_recent(&probe->memory);
			return BV_OK;
		}
	}
	probe->memory.key = key;
	code = bv__launcher_digest(&probe->launcher, &probe->memory.launcher, probe->err);
	if (code == BV_OK)
		code = try_machine(probe);
	if (code == BV_OK)
		code = take_findings(probe);
	if (code != BV_OK)
		return code;
	remember_recent(&probe->memory);
	if (has_directory && has_every_layer(probe))
		bv__probe_remember(directory, &probe->memory);
	return BV_OK;
}

/* ---- the snapshot ---------------------------------------------------------------------------- */

static enum bv_code make_snapshot(struct probe *probe, struct bv_profile_snapshot *ret_snapshot)
{
	struct bv_text_pair *pairs = bv_arena_array(probe->arena, BV_FACT_COUNT, sizeof(*pairs));
	char hex[65];

	bv_digest_hex(&probe->memory.launcher, hex);
	probe->facts[BV_FACT_LAUNCHER] = bv_arena_copy(probe->arena, bv_str_from(hex));
	if (pairs == NULL)
		return bv_fail(probe->err, BV_E_MEMORY, "probe",
			       "no memory for the facts of this machine");
	for (int fact = 0; fact < BV_FACT_COUNT; fact++) {
		if (probe->facts[fact].data == NULL)
			return bv_fail(probe->err, BV_E_MEMORY, "probe",
				       "no memory for the facts of this machine");
		pairs[fact] = (struct bv_text_pair){bv_str_from(bv__fact_name((enum bv_fact)fact)),
						    probe->facts[fact]};
		bv_assert(fact == 0 || bv_str_compare(pairs[fact - 1].key, pairs[fact].key) < 0);
	}
	*ret_snapshot = (struct bv_profile_snapshot){.backend = BV_STR("linux"),
						     .probed = {.items = pairs,
								.count = BV_FACT_COUNT}};
	bv__linux_budgets(NULL, ret_snapshot, NULL, &ret_snapshot->budget);
	return BV_OK;
}

enum bv_code bv__linux_probe(void *self, struct bv_arena *arena,
			     struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	struct probe probe = {.arena = arena, .err = err};
	enum bv_code code = bv__launcher_open(&probe.launcher, err);

	(void)self;
	if (code != BV_OK)
		return code;
	if (!recall_moment(&probe)) {
		read_facts(&probe);
		read_constants(&probe);
		make_key(&probe);
		/* Until its digest is known; no fact may be empty. */
		probe.facts[BV_FACT_LAUNCHER] = BV_STR("?");
		code = find_findings(&probe);
		if (code == BV_OK)
			remember_moment(&probe);
	}
	bv__launcher_close(&probe.launcher);
	return code == BV_OK ? make_snapshot(&probe, ret_snapshot) : code;
}
