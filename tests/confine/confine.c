/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* confine.c - runs the guest confined, as root and as a user, with namespaces and without. */
#include "confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "contract/canon.h"
#include "linux/cgroup.h"

enum { SKIPPED = 77, BUFFERS = 16, WORDS_MAX = 64 };
enum { MOUNT_SETATTR = 442, LANDLOCK_CREATE_RULESET = 444 };

/* ---- places ---------------------------------------------------------------------------------- */

static void copy_program(const char *from, const char *to)
{
	char block[65536];
	int in = from != NULL ? open(from, O_RDONLY | O_CLOEXEC) : -1;
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);

	EXPECT_THAT(in >= 0 && out >= 0, "cannot copy %s to %s", from ? from : "(unset)", to);
	for (ssize_t got; (got = read(in, block, sizeof(block))) > 0;)
		EXPECT(write(out, block, (size_t)got) == got);
	EXPECT(fchmod(out, 0755) == 0);
	close(in);
	close(out);
}

static void remove_tree(const char *path)
{
	char command[256];

	/* Only ever what mkdtemp made above. */
	EXPECT(strncmp(path, "/var/tmp/bvisor-confine-", 24) == 0);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
	EXPECT(system(command) == 0);
}

int landlock_abi(void)
{
	/* The flag asks for the version alone. */
	long abi = syscall(LANDLOCK_CREATE_RULESET, NULL, 0, 1);

	return abi > 0 ? (int)abi : 0;
}

bool has_sealed_memory_files(void)
{
	const unsigned int noexec_seal = 8;
	int fd = memfd_create("test", MFD_CLOEXEC | noexec_seal);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* 0, or the errno of making the namespaces that a place with namespaces is made of. */
static int try_namespaces(void)
{
	int status = 0;
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			      CLONE_NEWUTS | CLONE_NEWCGROUP) == 0
			      ? 0
			      : errno);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

const char *place_lacks(bool bare)
{
	static char why[80];
	int error;

	if (bare) {
		if (landlock_abi() >= BARE_LANDLOCK_ABI)
			return NULL;
		(void)snprintf(why, sizeof(why),
			       "no landlock that can hold files alone (ABI %d, needs %d)",
			       landlock_abi(), BARE_LANDLOCK_ABI);
		return why;
	}
	/* Nothing to set attributes of: another error than that there is no such call. */
	if (syscall(MOUNT_SETATTR, -1, "", 0, NULL, 0) != 0 && errno == ENOSYS)
		return "no userns worth having: no mount_setattr (Linux 5.12)";
	error = try_namespaces();
	if (error == 0)
		return NULL;
	(void)snprintf(why, sizeof(why), "no userns: %s", strerror(error));
	return why;
}

const char *staging_lacks(void)
{
	/* A file of a tmpfs that the kernel has mounted for itself. */
	int fd = memfd_create("test", MFD_CLOEXEC);
	bool kept = fsetxattr(fd, "user.test", "", 0, 0) == 0;

	close(fd);
	return place_lacks(false) != NULL ? place_lacks(false)
	       : kept                     ? NULL
					  : "no overlay: tmpfs has no user attributes (Linux 6.6)";
}

static _Noreturn void be_in(const struct place *place, place_fn *body)
{
	if (place->user) {
		EXPECT(setgroups(0, NULL) == 0);
		EXPECT(setresgid(TEST_UID, TEST_UID, TEST_UID) == 0);
		EXPECT(setresuid(TEST_UID, TEST_UID, TEST_UID) == 0);
		/* The change took it away, and with it this process's own files in /proc. */
		EXPECT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
	}
	EXPECT(chdir("/") == 0);
	/* What a probe finds is remembered there, out of the way of whoever runs the tests. */
	EXPECT(setenv("XDG_RUNTIME_DIR", place->dir, 1) == 0);
	body(place);
	_exit(0);
}

/* ---- delegated control groups ---------------------------------------------------------------- */

static bool delegates; /* whether the places of this test get a control group */

/* Where this process may make control groups for a user of the tests; empty: nowhere. */
static void find_parent_group(char *ret_path, size_t size)
{
	struct bv_cgroup_place place;

	bv__cgroup_find(&place);
	(void)snprintf(ret_path, size, "%s", place.path);
}

bool kernel_controls(unsigned int controller)
{
	struct bv_cgroup_place place;

	bv__cgroup_find(&place);
	return (place.enabled & controller) != 0;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%.3000s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	EXPECT_THAT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		    "cannot write '%s' to %s: %s", text, path, strerror(errno));
	close(fd);
}

/* A group that belongs to the user, and this process in a child of it: what Delegate=yes gives. */
static void enter_delegated_group(const char *group)
{
	static const char *const given[] = {"cgroup.procs", "cgroup.threads",
					    "cgroup.subtree_control", "inner",
					    "inner/cgroup.procs"};
	char path[PATH_MAX];

	EXPECT_THAT(mkdir(group, 0755) == 0, "%s: %s", group, strerror(errno));
	(void)snprintf(path, sizeof(path), "%.3000s/inner", group);
	EXPECT(mkdir(path, 0755) == 0);
	write_file(path, "cgroup.procs", "0");
	EXPECT(chown(group, TEST_UID, TEST_UID) == 0);
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		(void)snprintf(path, sizeof(path), "%.3000s/%s", group, given[i]);
		EXPECT(chown(path, TEST_UID, TEST_UID) == 0);
	}
}

/* Empty groups only: what stays in them is a test that failed.  What was killed takes a moment to end. */
static void remove_group(const char *group)
{
	static const char *const below[] = {"/bvisor/callers", "/bvisor", "/inner", ""};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		int tries = 100 * test_patience();

		(void)snprintf(path, sizeof(path), "%.3000s%s", group, below[i]);
		while (rmdir(path) != 0 && errno == EBUSY && tries-- > 0)
			usleep(20000);
		EXPECT_THAT(!file_exists(path), "%s is left: %s", path, strerror(errno));
	}
}

/* For `everywhere`: the body that a place is left for. */
static place_fn *body_of_place;

static void unless_impossible(const struct place *place)
{
	const char *lack = place_lacks(place->bare);

	if (lack != NULL) {
		fprintf(stderr, "# not in this place: %s: %s\n", place->name, lack);
		_exit(SKIPPED);
	}
	body_of_place(place);
}

/* Runs one place in a child, because ids cannot be taken back; its exit status. */
static int visit(struct place *place, const char *base, place_fn *body)
{
	char parent[PATH_MAX], group[PATH_MAX] = "";
	int status = 0;
	pid_t pid;

	if (delegates && geteuid() == 0) {
		find_parent_group(parent, sizeof(parent));
		(void)snprintf(group, sizeof(group), "%.3000s/test-%d", parent, (int)getpid());
	}
	(void)snprintf(place->dir, sizeof(place->dir), "%s/%s%s", base,
		       place->user ? "user" : "root", place->bare ? "-bare" : "");
	(void)snprintf(place->guest, sizeof(place->guest), "%s/guest", base);
	EXPECT(mkdir(place->dir, 0755) == 0);
	if (place->user)
		EXPECT(chown(place->dir, TEST_UID, TEST_UID) == 0);
	pid = fork();
	EXPECT(pid >= 0);
	if (pid == 0) {
		if (group[0] != '\0' && place->user)
			enter_delegated_group(group);
		else if (group[0] != '\0')
			/* Out of the way of whatever else root runs on this machine. */
			EXPECT(mkdir(group, 0755) == 0 && setenv("BVISOR_CGROUP", group, 1) == 0);
		be_in(place, body);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	if (group[0] != '\0')
		remove_group(group);
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SKIPPED))
		return WEXITSTATUS(status);
	fprintf(stderr, "# it was in this place: %s\n", place->name);
	return 1;
}

/* A directory below which places are, with what is tested where every user may run it. */
static void make_base(char *base)
{
	static const struct {
		const char *variable, *name;
	} programs[] = {{"BVISOR_LAUNCHER_BIN", "launcher"},
			{"BVISOR_GUEST_BIN", "guest"},
			{"BVISOR_FAKE_BIN", "fake"}};
	char path[64];

	EXPECT_THAT(getenv("BVISOR_LAUNCHER_BIN") != NULL && getenv("BVISOR_GUEST_BIN") != NULL,
		    "BVISOR_LAUNCHER_BIN and BVISOR_GUEST_BIN must name what is tested");
	EXPECT(mkdtemp(base) != NULL && chmod(base, 0755) == 0);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (getenv(programs[i].variable) == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", base, programs[i].name);
		copy_program(getenv(programs[i].variable), path);
		EXPECT(setenv(programs[i].variable, path, 1) == 0);
	}
}

static const struct place all_places[] = {
	{.name = "root with namespaces"},
	{.name = "root without namespaces", .bare = true},
	{.name = "user with namespaces", .user = true},
	{.name = "user without namespaces", .user = true, .bare = true},
};

enum { PLACES = sizeof(all_places) / sizeof(all_places[0]) };

void everywhere(place_fn *body)
{
	char base[] = "/var/tmp/bvisor-confine-XXXXXX";
	const bool root = geteuid() == 0;
	int visited = 0, worst = 0;

	body_of_place = body;
	make_base(base);
	for (size_t i = 0; i < PLACES && worst != 1; i++) {
		struct place place = all_places[i];
		int status;

		/* An ordinary user is only ever that one. */
		if (!root && !place.user)
			continue;
		place.user = place.user && root;
		status = visit(&place, base, unless_impossible);
		visited += status == 0;
		worst = status == 1 ? 1 : worst;
	}
	remove_tree(base);
	if (worst == 1)
		_exit(1);
	if (visited == 0)
		SKIP("this machine can hold no place: neither landlock alone nor userns");
}

void in_one_place(bool user, bool bare, place_fn *body)
{
	char base[] = "/var/tmp/bvisor-confine-XXXXXX";
	const bool root = geteuid() == 0;
	int status;

	SKIP_UNLESS(user || root, "not root");
	make_base(base);
	for (size_t i = 0; i < PLACES; i++) {
		struct place place = all_places[i];

		if (place.user != user || place.bare != bare)
			continue;
		place.user = place.user && root;
		status = visit(&place, base, body);
		remove_tree(base);
		if (status != 0)
			_exit(status);
	}
}

void everywhere_delegated(place_fn *body)
{
	char parent[PATH_MAX];

	find_parent_group(parent, sizeof(parent));
	SKIP_UNLESS(parent[0] != '\0', "no control group can be made here");
	delegates = true;
	everywhere(body);
}

/* ---- files ----------------------------------------------------------------------------------- */

const char *in_place(const struct place *place, const char *name)
{
	static char buffers[BUFFERS][256];
	static unsigned int next;
	char *path = buffers[next++ % BUFFERS];

	(void)snprintf(path, 256, "%s/%s", place->dir, name);
	return path;
}

const char *make_dir(const struct place *place, const char *name)
{
	const char *path = in_place(place, name);

	EXPECT(mkdir(path, 0755) == 0);
	/* Without namespaces root's workload is a stranger to root's files. */
	if (place->bare && geteuid() == 0)
		EXPECT(chmod(path, 0777) == 0);
	return path;
}

const char *make_file(const struct place *place, const char *name, const char *content)
{
	const char *path = in_place(place, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	EXPECT_THAT(fd >= 0, "cannot make %s", path);
	EXPECT(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	if (place->bare && geteuid() == 0)
		EXPECT(fchmod(fd, 0666) == 0);
	close(fd);
	return path;
}

bool file_exists(const char *path)
{
	struct stat seen;

	return lstat(path, &seen) == 0;
}

bool file_holds(const char *path, const char *content)
{
	char data[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, data, sizeof(data));
	close(fd);
	return got == (ssize_t)strlen(content) && memcmp(data, content, (size_t)got) == 0;
}

/* ---- specs ----------------------------------------------------------------------------------- */

#define MUST(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK};                                            \
		struct bv_error *err = &err_;                                                      \
		enum bv_code code_ = (call);                                                       \
		EXPECT_THAT(code_ == BV_OK, "%s: %s: %s: %s", #call, bv_code_name(code_),          \
			    err_.where, err_.message);                                             \
	} while (0)

struct bv_spec *program_spec(const struct place *place, const char *program, size_t arg_count,
			     const char *const *args)
{
	struct bv_spec *spec = bv_spec_new();

	EXPECT(spec != NULL);
	MUST(bv_spec_program(spec, program, arg_count, args, err));
	MUST(bv_spec_runtime(spec, BV_USE_RUNTIME_NONE, err));
	if (place->bare)
		MUST(bv_spec_without(spec, "namespaces", err));
	return spec;
}

static struct bv_spec *spec_of(const struct place *place, va_list words)
{
	const char *args[WORDS_MAX];
	size_t count = 0;

	for (const char *word; (word = va_arg(words, const char *)) != NULL;) {
		EXPECT(count < WORDS_MAX);
		args[count++] = word;
	}
	return program_spec(place, place->guest, count, args);
}

struct bv_spec *guest_spec(const struct place *place, ...)
{
	struct bv_spec *spec;
	va_list words;

	va_start(words, place);
	spec = spec_of(place, words);
	va_end(words);
	return spec;
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct bv_run *start_spec(struct bv_spec *spec, const struct bv_run_options *options)
{
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	MUST(bv_plan_make(spec, "linux", &plan, err));
	MUST(bv_run_start(plan, options, &run, err));
	bv_plan_free(plan);
	bv_spec_free(spec);
	return run;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool await_end(struct bv_run *run, int timeout_ms)
{
	const int64_t until = now_ms() +
			      (timeout_ms >= 1000 ? timeout_ms * test_patience() : timeout_ms);
	enum bv_run_state state = BV_RUN_STARTING;

	for (;;) {
		int64_t left = until - now_ms();

		MUST(bv_run_step(run, &state, err));
		if (state == BV_RUN_ENDED)
			return true;
		if (left <= 0)
			return false;
		MUST(bv_run_wait(run, (int)left, err));
	}
}

/* What `options.output` gathers for await_output. */
static char gathered[1 << 16];
static size_t gathered_bytes;

static ptrdiff_t gather(void *context, enum bv_stream stream, const void *data, size_t size_bytes)
{
	(void)context;
	if (stream == BV_STDOUT && gathered_bytes + size_bytes < sizeof(gathered)) {
		memcpy(gathered + gathered_bytes, data, size_bytes);
		gathered_bytes += size_bytes;
		gathered[gathered_bytes] = '\0';
	}
	return (ptrdiff_t)size_bytes;
}

const struct bv_run_options gathering = {.output = gather};

void await_output(struct bv_run *run, const char *text)
{
	const int64_t until = now_ms() + 10000 * test_patience();

	while (strstr(gathered, text) == NULL) {
		enum bv_run_state state;

		MUST(bv_run_step(run, &state, err));
		EXPECT_THAT(state != BV_RUN_ENDED || strstr(gathered, text) != NULL,
			    "the run ended without saying '%s': %s", text, gathered);
		EXPECT_THAT(now_ms() < until, "the run does not say '%s'", text);
		if (strstr(gathered, text) == NULL)
			MUST(bv_run_wait(run, 100, err));
	}
}

/* The sealed bytes, decoded strictly: what any reader of the report gets. */
static void read_back(struct ran *ran)
{
	enum { ROOM = 8 << 20 };
	struct bv_arena arena;
	void *data = NULL;
	size_t size_bytes = 0;

	MUST(bv_report_verify(ran->handle, err));
	MUST(bv_report_to_bytes(ran->handle, &data, &size_bytes, err));
	bv_arena_init(&arena, malloc(ROOM), ROOM);
	MUST(bv_canon_decode(&arena, &bv_boundary_report_type, data, size_bytes, &ran->report,
			     err));
	bv_free(data);
}

struct ran finish_run(struct bv_run *run)
{
	struct ran ran = {.handle = NULL};
	const void *out;
	char *copy;

	MUST(bv_run_finish(run, &ran.handle, err));
	bv_run_free(run);
	ran.outcome = bv_report_outcome(ran.handle);
	ran.kind = bv_report_exit(ran.handle, &ran.number);
	out = bv_report_output(ran.handle, BV_STDOUT, &ran.out_bytes);
	copy = malloc(ran.out_bytes + 1);
	EXPECT(copy != NULL);
	if (ran.out_bytes > 0)
		memcpy(copy, out, ran.out_bytes);
	copy[ran.out_bytes] = '\0';
	ran.out = copy;
	read_back(&ran);
	return ran;
}

struct ran run_spec(struct bv_spec *spec)
{
	struct bv_run *run = start_spec(spec, NULL);

	EXPECT_THAT(await_end(run, 40000), "the run does not end");
	return finish_run(run);
}

struct ran run_guest(const struct place *place, ...)
{
	struct bv_spec *spec;
	va_list words;

	va_start(words, place);
	spec = spec_of(place, words);
	va_end(words);
	return run_spec(spec);
}

/* ---- what came of it ------------------------------------------------------------------------- */

bool said(const struct ran *ran, const char *line)
{
	const size_t len = strlen(line);

	for (const char *at = ran->out; (at = strstr(at, line)) != NULL; at++) {
		if ((at == ran->out || at[-1] == '\n') && (at[len] == '\n' || at[len] == '\0'))
			return true;
	}
	return false;
}

const struct bv_observed_fact *find_fact(const struct ran *ran, const char *kind)
{
	for (size_t i = 0; i < ran->report.body.observed.count; i++) {
		if (bv_str_is(ran->report.body.observed.items[i].kind, kind))
			return &ran->report.body.observed.items[i];
	}
	return NULL;
}

const struct bv_denied_attempt *find_denied(const struct ran *ran, const char *call)
{
	for (size_t i = 0; i < ran->report.body.denied.count; i++) {
		const struct bv_denied_attempt *denied = &ran->report.body.denied.items[i];

		if (strncmp(denied->detail.data, call, strlen(call)) == 0)
			return denied;
	}
	return NULL;
}

bool report_contains(const struct ran *ran, const char *text)
{
	void *data = NULL;
	size_t size_bytes = 0;
	bool found;

	MUST(bv_report_to_bytes(ran->handle, &data, &size_bytes, err));
	found = memmem(data, size_bytes, text, strlen(text)) != NULL;
	bv_free(data);
	return found;
}

static bool is_live_with(const char *pid, const char *mark)
{
	char path[300], data[8192];
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	/* A zombie has no arguments any more. */
	got = read(fd, data, sizeof(data));
	close(fd);
	return got > 0 && memmem(data, (size_t)got, mark, strlen(mark)) != NULL;
}

int each_process(const char *mark, void (*found)(pid_t pid))
{
	DIR *proc = opendir("/proc");
	char own[16];
	int count = 0;

	EXPECT(proc != NULL);
	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	for (const struct dirent *entry; (entry = readdir(proc)) != NULL;) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    strcmp(entry->d_name, own) == 0 || !is_live_with(entry->d_name, mark))
			continue;
		count++;
		if (found != NULL)
			found((pid_t)atoi(entry->d_name));
	}
	closedir(proc);
	return count;
}

int count_processes(const char *mark)
{
	return each_process(mark, NULL);
}

static void kill_one(pid_t pid)
{
	(void)kill(pid, SIGKILL);
}

void kill_processes(const char *mark)
{
	(void)each_process(mark, kill_one);
}
