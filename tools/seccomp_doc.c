/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_doc.c - prints docs/seccomp.md from the rows of src/linux/seccomp_*.def.
 *
 * `make docs` writes the file; a test holds the committed one to it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct row {
	const char *condition; /* NULL: always */
	const char *call;
	const char *errors;
	const char *when; /* NULL: whatever its arguments */
	const char *why;
};

static const struct row baseline[] = {
#define BV_DENY(call, error, why) {NULL, #call, #error, NULL, why},
#define BV_DENY_WHEN(call, error, when, why) {NULL, #call, #error, when, why},
#include "linux/seccomp_baseline.def"
#undef BV_DENY
#undef BV_DENY_WHEN
};

static const struct row policy[] = {
#define BV_DENY_FOR(condition, origin, call, error, why) {#condition, #call, #error, NULL, why},
#define BV_CHECK_FOR(condition, origin, call, check, errors, when, why)                            \
	{#condition, #call, errors, when, why},
#include "linux/seccomp_policy.def"
#undef BV_DENY_FOR
#undef BV_CHECK_FOR
};

static const struct row strict_checks[] = {
#define BV_STRICT_WHEN(call, check, errors, when, why) {NULL, #call, errors, when, why},
#include "linux/seccomp_strict.def"
};

static const struct row strict_denials[] = {
#define BV_STRICT_DENY(call, error, why) {NULL, #call, #error, NULL, why},
#include "linux/seccomp_strict.def"
};

/* In the order of the file: a group's title, or a call of it. */
static const struct {
	bool title;
	const char *text;
} strict_calls[] = {
#define BV_STRICT_GROUP(title) {true, title},
#define BV_STRICT(call) {false, #call},
#include "linux/seccomp_strict.def"
};

static const char *const strict_requests[] = {
#define BV_STRICT_REQUEST(name, number) #name,
#include "linux/seccomp_strict.def"
};

static const char *const strict_options[] = {
#define BV_STRICT_OPTION(name, number) #name,
#include "linux/seccomp_strict.def"
};

static const struct {
	const char *condition;
	const char *title;
} sections[] = {
	{"ALWAYS", "In every run, without being a denial"},
	{"SPAWN_NONE", "Spawn policy `DenyNewTasks`"},
	{"SPAWN_THREADS", "Spawn policy `AllowThreadsWithinBoundary`"},
	{"SOCKETS_NONE", "No sockets (no network namespace, or no private root)"},
	{"SOCKETS_LOCAL", "Local sockets (network namespace and private root)"},
	{"SHARED", "No PID and IPC namespaces"},
	{"NOT_BENEATH", "always, but for the WebAssembly helper"},
};

static const char head[] =
	"# The system call filter\n"
	"\n"
	"Made from `src/linux/seccomp_baseline.def`, `seccomp_policy.def` and `seccomp_strict.def` by\n"
	"`make docs`; do not edit it here.\n"
	"\n"
	"Every workload runs under one seccomp filter, whatever its spec asks for.  A spec can only add to\n"
	"what is denied.  It is a second wall behind namespaces and Landlock, and the first for what these\n"
	"do not cover: the kernel's rarely used doors.\n"
	"\n"
	"- **baseline** (the default, `--syscalls baseline`) allows what it does not list as denied, because\n"
	"  programs nobody has seen yet must run.\n"
	"- **strict** (`--syscalls strict`, `bv_spec_syscalls`, `execution.syscalls` of a spec) allows what it\n"
	"  lists, and denies what else there is: less kernel for an attacker to try, and now and then a\n"
	"  program that misses something.  Everything the baseline denies stays denied, with the same errno,\n"
	"  and so does what the run's spawn and socket policies take away.\n"
	"\n"
	"Plan and report say which is in force: in the mechanism of `LaunchWorkload`, and among the facts of\n"
	"the report as `syscalls`.\n"
	"\n"
	"- A call gets an errno, never a signal: programs that try something and can do without it go on.\n"
	"  `EPERM` is for what a user could have been allowed, `ENOSYS` for facilities that programs look\n"
	"  for and that a kernel may have been built without.  The strict set answers a request of `ioctl`, an\n"
	"  option of `prctl` or of a socket as a kernel does that never heard of it.\n"
	"- A number this bvisor does not know is `ENOSYS`, between the known ones too.  A call that a later\n"
	"  kernel adds is therefore refused until somebody has judged it.\n"
	"- Calls through another ABI of the same machine (`int 0x80`, x32, 32-bit ARM) are all `ENOSYS`,\n"
	"  because there the same number means something else.  32-bit programs do not run.  A call of an\n"
	"  architecture the machine cannot have kills the process.\n"
	"- Arguments are compared in the width the kernel reads them: what a program puts into the upper\n"
	"  half of a register hides nothing.\n"
	"- Where the launcher is told of denials, the kernel hands them over (`SECCOMP_RET_USER_NOTIF`); it\n"
	"  answers with the same errno and counts, each call by name, and those without a name together.  It\n"
	"  never lets a call continue.  When the launcher is gone the kernel answers `ENOSYS`.  A filter that a\n"
	"  workload puts on itself may refuse a call first: then nobody is told of it, and it is not made\n"
	"  either.  A workload cannot set a filter with a listener of its own: the\n"
	"  newest filter that asks is the one whose listener is asked, and it could let the call pass.\n"
	"- A denied call costs some tens of microseconds where it is told, else less than one.  An allowed one\n"
	"  costs eleven instructions of BPF at most (strict: thirteen), and from Linux 5.11 none of them: the\n"
	"  kernel finds out at installation which numbers are allowed for certain and does not run the filter\n"
	"  for them.  What is left is the kernel's own price for having any filter, and some 40 microseconds\n"
	"  at launch (strict: half as much again).  Calls that are judged by their arguments (`ioctl`, `openat`, `clone`, ...) run it.\n"
	"- Where a limit on memory or storage is held by looking (`docs/limits.md`), nobody may hide what it has\n"
	"  open: these are refused with `EPERM`, without being told or counted: `prctl` with `PR_SET_DUMPABLE`\n"
	"  and anything but 1, `unshare` with `CLONE_FILES`, `close_range` with `CLOSE_RANGE_UNSHARE`, and a `clone` with\n"
	"  `CLONE_THREAD` but without `CLONE_FILES`.  An allowed call then costs seven instructions more.\n"
	"- Two numbers that only the kernel's own probes use (`uretprobe`, `uprobe`) it serves from Linux 6.14\n"
	"  on whatever a filter says; made by anybody else they kill the caller.\n"
	"\n"
	"## What it costs programs\n"
	"\n"
	"Debuggers and tracers (ptrace), `perf`, containers in containers, browsers with a sandbox of their own\n"
	"(namespaces), 32-bit programs, LeakSanitizer (ptrace) and programs that insist on io_uring do not\n"
	"work.  Programs that ask for the list of network interfaces (netlink) get an error.  Without\n"
	"namespaces, `fakeroot` and PostgreSQL (System V IPC) do not work, nor can a program pin or slow a\n"
	"thread by its id; without sockets neither do programs that talk to their own helpers over them.\n"
	"\n"
	"The strict set is enough for shells and coreutils, compilers and make, git, Python, Perl, Node, Go and\n"
	"Java, as far as `tests/programs` has them work.  Beyond the above, databases (System V memory,\n"
	"asynchronous files), real-time and `ionice` scheduling, `sync`, Wine and whoever lists network\n"
	"interfaces with `ioctl` miss something there; the report of such a run names the call.\n"
	"\n"
	"## What it does not hold\n"
	"\n"
	"Without a PID namespace and before Landlock's signal scope (Linux 6.12), `kill` of a single process of\n"
	"the same user, and the ways around it (`tgkill`, `pidfd_send_signal`, `F_SETOWN`), are not held by this\n"
	"filter: it cannot know whose a number is.  Paths and the memory behind pointers are out of its\n"
	"sight altogether.\n"
	"\n"
	"## To add or remove a row\n"
	"\n"
	"One line in `src/linux/seccomp_baseline.def`, one in `tests/unit/seccomp_oracle_body.h`, which says it\n"
	"a second time, one in `tests/unit/seccomp_live.c`, which tries it; then `make docs`.  For the strict\n"
	"set: `src/linux/seccomp_strict.def`, `tests/unit/seccomp_oracle_strict.h`, and for what it does without\n"
	"`tests/unit/seccomp_live_strict.c`.  For calls of a newer kernel, `tools/gen-syscalls` first: each is\n"
	"out of the strict set, and the tests fail, until it has its line.  `tools/mutate-seccomp` shows that no\n"
	"line can be wrong unnoticed.\n";

static void print_rows(const struct row *rows, size_t count, const char *condition)
{
	printf("\n| call | errno | when | why |\n|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++)
		if (condition == NULL || strcmp(rows[i].condition, condition) == 0)
			printf("| `%s` | %s | %s | %s |\n", rows[i].call, rows[i].errors,
			       rows[i].when ? rows[i].when : "always", rows[i].why);
}

static void print_names(const char *title, const char *const *names, size_t count)
{
	printf("\n%s:", title);
	for (size_t i = 0; i < count; i++)
		printf("%s `%s`", i == 0 ? "" : ",", names[i]);
	printf(".\n");
}

static void print_strict(void)
{
	const char *comma = "";

	printf("\n## The strict set: allowed, as far as the rest of this page lets them be\n\n"
	       "| for | calls |\n|---|---|");
	for (size_t i = 0; i < sizeof strict_calls / sizeof strict_calls[0]; i++) {
		if (strict_calls[i].title)
			printf("%s\n| %s | ", i == 0 ? "" : " |", strict_calls[i].text);
		else
			printf("%s`%s`", comma, strict_calls[i].text);
		comma = strict_calls[i].title ? "" : ", ";
	}
	printf(" |\n");
	print_names("Requests of `ioctl`", strict_requests,
		    sizeof strict_requests / sizeof strict_requests[0]);
	print_names("Options of `prctl`", strict_options,
		    sizeof strict_options / sizeof strict_options[0]);
	printf("\n## The strict set: denied beyond the baseline\n");
	print_rows(strict_checks, sizeof strict_checks / sizeof strict_checks[0], NULL);
	print_rows(strict_denials, sizeof strict_denials / sizeof strict_denials[0], NULL);
}

int main(void)
{
	printf("%s\n## The baseline: denied in every run\n", head);
	print_rows(baseline, sizeof baseline / sizeof baseline[0], NULL);
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		printf("\n## %s\n", sections[i].title);
		print_rows(policy, sizeof policy / sizeof policy[0], sections[i].condition);
	}
	print_strict();
	return 0;
}
