/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_doc.c - prints docs/seccomp.md from the rows of src/linux/seccomp_*.def.
 *
 * `make docs` writes the file; a test holds the committed one to it.
 */
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
};

static const char head[] =
	"# The system call filter\n"
	"\n"
	"Made from `src/linux/seccomp_baseline.def` and `src/linux/seccomp_policy.def` by `make docs`; do\n"
	"not edit it here.\n"
	"\n"
	"Every workload runs under one seccomp filter, whatever its spec asks for.  A spec can only add to\n"
	"what is denied.  The filter allows by default, because programs nobody has seen yet must run; it\n"
	"is a second wall behind namespaces and Landlock, and the first for what these do not cover: the\n"
	"kernel's rarely used doors.\n"
	"\n"
	"- A call gets an errno, never a signal: programs that try something and can do without it go on.\n"
	"  `EPERM` is for what a user could have been allowed, `ENOSYS` for facilities that programs look\n"
	"  for and that a kernel may have been built without.\n"
	"- A number this bvisor does not know is `ENOSYS`, between the known ones too.  A call that a later\n"
	"  kernel adds is therefore refused until somebody has judged it.\n"
	"- Calls through another ABI of the same machine (`int 0x80`, x32, 32-bit ARM) are all `ENOSYS`,\n"
	"  because there the same number means something else.  32-bit programs do not run.  A call of an\n"
	"  architecture the machine cannot have kills the process.\n"
	"- Arguments are compared in the width the kernel reads them: what a program puts into the upper\n"
	"  half of a register hides nothing.\n"
	"- Where the launcher is told of denials, the kernel hands them over (`SECCOMP_RET_USER_NOTIF`); it\n"
	"  answers with the same errno and counts.  It never lets a call continue.  When the launcher is\n"
	"  gone the kernel answers `ENOSYS`.  A workload cannot set a filter with a listener of its own: the\n"
	"  newest filter that asks is the one whose listener is asked, and it could let the call pass.\n"
	"- A denied call costs a few microseconds.  An allowed one costs eleven instructions of BPF at most,\n"
	"  and from Linux 5.11 none of them: the kernel finds out at installation which numbers are allowed\n"
	"  for certain and does not run the filter for them.  What is left is the kernel's own price for\n"
	"  having any filter, and some 40 microseconds at launch.\n"
	"\n"
	"## What it costs programs\n"
	"\n"
	"Debuggers and tracers (ptrace), `perf`, containers in containers, browsers with a sandbox of their own\n"
	"(namespaces), 32-bit programs, LeakSanitizer (ptrace) and programs that insist on io_uring do not\n"
	"work.  Programs that ask for the list of network interfaces (netlink) get an error.  Without\n"
	"namespaces, `fakeroot` and PostgreSQL (System V IPC) do not work, nor can a program pin or slow a\n"
	"thread by its id; without sockets neither do programs that talk to their own helpers over them.\n"
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
	"a second time, one in `tests/unit/seccomp_live.c`, which tries it; then `make docs`.  For calls of a\n"
	"newer kernel, `tools/gen-syscalls` first.\n";

static void print_rows(const struct row *rows, size_t count, const char *condition)
{
	printf("\n| call | errno | when | why |\n|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++)
		if (condition == NULL || strcmp(rows[i].condition, condition) == 0)
			printf("| `%s` | %s | %s | %s |\n", rows[i].call, rows[i].errors,
			       rows[i].when ? rows[i].when : "always", rows[i].why);
}

int main(void)
{
	printf("%s\n## The baseline: denied in every run\n", head);
	print_rows(baseline, sizeof baseline / sizeof baseline[0], NULL);
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		printf("\n## %s\n", sections[i].title);
		print_rows(policy, sizeof policy / sizeof policy[0], sections[i].condition);
	}
	return 0;
}
