/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* groups.c - every run has a control group of its own, holds by it, and leaves none behind. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <sys/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "linux/cgroup.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

/* Where this place makes its groups, and with what. */
static struct bv_cgroup_place groups;

static void find_groups(void)
{
	bv__cgroup_find(&groups);
	EXPECT_THAT(groups.path[0] == '/', "%s", groups.why_not);
}

/* How many leaves there are; `ret_members` of them all, as the kernel lists them. */
static int count_leaves(int *ret_members)
{
	DIR *dir = opendir(groups.path);
	int count = 0;

	EXPECT(dir != NULL);
	*ret_members = 0;
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char path[PATH_MAX], text[4096];
		int fd;

		if (strncmp(entry->d_name, "run-", 4) != 0)
			continue;
		count++;
		(void)snprintf(path, sizeof(path), "%.3000s/%s", groups.path, entry->d_name);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (bv__group_get(fd, "cgroup.procs", text, sizeof(text)) > 0) {
			for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
				++*ret_members;
		}
		close(fd);
	}
	closedir(dir);
	return count;
}

static bool no_leaf_within(int timeout_ms)
{
	int members;

	for (int waited = 0; waited <= timeout_ms; waited += 20) {
		if (count_leaves(&members) == 0)
			return true;
		(void)poll(NULL, 0, 20);
	}
	return false;
}

static const char *mark_of(const struct place *place)
{
	static char mark[64];

	(void)snprintf(mark, sizeof(mark), "group-mark-%d-%d", (int)getpid(), place->user);
	return mark;
}

static bool all_gone(const char *mark)
{
	for (int i = 0; i < 100 && count_processes(mark) > 0; i++)
		(void)poll(NULL, 0, 20);
	return count_processes(mark) == 0;
}

static const struct bv_attestation *find_attestation(const struct ran *ran, const char *layer)
{
	const struct bv_attestation_list *list = &ran->report.body.attestations;

	for (size_t i = 0; i < list->count; i++) {
		if (bv_str_is(list->items[i].layer, layer))
			return &list->items[i];
	}
	return NULL;
}

static const char *evidence_of(const struct bv_attestation *attestation, const char *key)
{
	for (size_t i = 0; attestation != NULL && i < attestation->evidence.count; i++) {
		if (bv_str_is(attestation->evidence.items[i].key, key))
			return attestation->evidence.items[i].value.data;
	}
	return NULL;
}

static pid_t only_child(void)
{
	char path[64], text[256];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	EXPECT(bv__group_get(AT_FDCWD, path, text, sizeof(text)) > 0);
	return (pid_t)atoi(text);
}

/* ---- lifetime -------------------------------------------------------------------------------- */

DELEGATED(a_run_has_a_group_of_its_own_and_leaves_none)
{
	struct bv_run *run;
	struct ran ran;
	int members = 0;

	find_groups();
	run = start_spec(guest_spec(place, "daemon", "30", ",", "fork", ",", "out", "up\n", ",",
				    "sleep", "300", NULL),
			 &gathering);
	await_output(run, "up");
	EXPECT_INT(count_leaves(&members), 1);
	/* The daemon, the main process and, with namespaces, PID 1. */
	EXPECT_THAT(members >= (place->bare ? 2 : 3), "%d members", members);
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Completed");
	EXPECT(find_attestation(&ran, "control_group") != NULL &&
	       find_attestation(&ran, "control_group")->holds);
	EXPECT(strncmp(evidence_of(find_attestation(&ran, "control_group"), "path"), groups.path,
		       strlen(groups.path)) == 0);
	/* The daemon is not among the living, and the host has seen that. */
	EXPECT(find_attestation(&ran, "end") != NULL && find_attestation(&ran, "end")->holds);
	EXPECT(no_leaf_within(2000));
}

DELEGATED(runs_at_once_have_a_group_each)
{
	struct bv_run *runs[4];
	int members;

	find_groups();
	for (int i = 0; i < 4; i++)
		runs[i] = start_spec(guest_spec(place, "out", "up\n", ",", "sleep", "300", NULL),
				     &gathering);
	for (int i = 0; i < 4; i++)
		await_output(runs[i], "up");
	EXPECT_INT(count_leaves(&members), 4);
	for (int i = 0; i < 4; i++) {
		EXPECT(await_end(runs[i], 10000));
		(void)finish_run(runs[i]);
	}
	EXPECT(no_leaf_within(2000));
}

/* The host is a process of its own here, so that it can be killed. */
static pid_t host_of(const struct place *place, const char *mark, pid_t *ret_launcher)
{
	struct {
		pid_t launcher;
	} said;
	int ready[2];
	pid_t host;

	EXPECT(pipe(ready) == 0);
	host = fork();
	EXPECT(host >= 0);
	if (host == 0) {
		struct bv_run *run = start_spec(guest_spec(place, "daemon", "30", ",", "out",
							   "up\n", ",", "sleep", "30000", ",",
							   "out", mark, NULL),
						&gathering);

		await_output(run, "up");
		said.launcher = only_child();
		EXPECT(write(ready[1], &said, sizeof(said)) == (ssize_t)sizeof(said));
		(void)await_end(run, 60000);
		_exit(0);
	}
	close(ready[1]);
	EXPECT(read(ready[0], &said, sizeof(said)) == (ssize_t)sizeof(said));
	close(ready[0]);
	*ret_launcher = said.launcher;
	return host;
}

DELEGATED(a_killed_host_leaves_no_group)
{
	const char *mark = mark_of(place);
	pid_t launcher, host;

	find_groups();
	host = host_of(place, mark, &launcher);
	EXPECT(kill(host, SIGKILL) == 0 && waitpid(host, NULL, 0) == host);
	EXPECT(all_gone(mark));
	EXPECT(no_leaf_within(2000));
}

/*
 * Host and launcher at once: without a PID namespace the tree lives on, which shows that it is the
 * sweep at the next start that ends it.
 */
DELEGATED(what_host_and_launcher_left_is_swept_at_the_next_start)
{
	const char *mark = mark_of(place);
	pid_t launcher, host;
	struct ran ran;
	int members;

	find_groups();
	host = host_of(place, mark, &launcher);
	EXPECT(kill(host, SIGSTOP) == 0 && kill(launcher, SIGSTOP) == 0);
	EXPECT(kill(launcher, SIGKILL) == 0 && kill(host, SIGKILL) == 0);
	EXPECT(waitpid(host, NULL, 0) == host);
	(void)poll(NULL, 0, 300);
	EXPECT_INT(count_leaves(&members), 1);
	if (place->bare)
		EXPECT(count_processes(mark) >= 1);
	ran = run_guest(place, "exit", "0", NULL);
	EXPECT_STR(ran.outcome, "Completed");
	EXPECT(all_gone(mark));
	EXPECT(no_leaf_within(2000));
}

/* What the attestation of the end stands on. */
DELEGATED(the_kernel_says_who_is_in_a_leaf)
{
	const struct bv_cgroup_limits unlimited = {UINT64_MAX, UINT64_MAX};
	struct bv_cgroup leaf;
	pid_t child, first;
	char pid[32];

	(void)place;
	find_groups();
	SURE(bv__cgroup_make(groups.path, &unlimited, &leaf, err));
	EXPECT_INT(bv__cgroup_count(leaf.fd, &first), 0);
	child = fork();
	EXPECT(child >= 0);
	if (child == 0) {
		(void)poll(NULL, 0, 30000);
		_exit(0);
	}
	(void)snprintf(pid, sizeof(pid), "%d", (int)child);
	EXPECT_INT(bv__group_put(leaf.fd, "cgroup.procs", pid), 0);
	EXPECT_INT(bv__cgroup_count(leaf.fd, &first), 1);
	EXPECT_INT(first, child);
	EXPECT_INT(bv__cgroup_kill(leaf.fd), 0);
	EXPECT_INT(waitpid(child, NULL, 0), child);
	EXPECT_INT(bv__cgroup_count(leaf.fd, &first), 0);
	EXPECT_INT(first, 0);
	EXPECT(bv__cgroup_remove(&leaf, 1000));
}

/* A leaf in use is locked: a sweep in the meantime lets it be. */
DELEGATED(a_sweep_spares_what_is_in_use)
{
	struct bv_run *run;
	struct ran ran;
	int members;

	find_groups();
	run = start_spec(guest_spec(place, "out", "up\n", ",", "sleep", "300", NULL), &gathering);
	await_output(run, "up");
	EXPECT_INT(bv__cgroup_sweep(groups.path), 0);
	EXPECT_INT(count_leaves(&members), 1);
	EXPECT(await_end(run, 10000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Completed");
}

DELEGATED(a_kill_takes_a_tree_that_left_its_parent)
{
	const char *mark = mark_of(place);
	struct bv_run *run;
	struct ran ran;

	find_groups();
	run = start_spec(guest_spec(place, "daemon", "30", ",", "daemon", "30", ",", "daemon", "30",
				    ",", "out", "up\n", ",", "sleep", "30000", ",", "out", mark,
				    NULL),
			 &gathering);
	await_output(run, "up");
	EXPECT(count_processes(mark) >= 4);
	SURE(bv_run_kill(run, err));
	EXPECT(await_end(run, 5000));
	ran = finish_run(run);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT(all_gone(mark));
}

/* In a group with members of its own, they are moved for it once: and found there ever after. */
DELEGATED(what_is_found_is_found_again)
{
	struct bv_cgroup_place again;

	(void)place;

	find_groups();
	for (int i = 0; i < 3; i++) {
		bv__cgroup_find(&again);
		EXPECT_STR(again.path, groups.path);
		EXPECT_UINT(again.enabled, groups.enabled);
	}
}

/* ---- out of reach ---------------------------------------------------------------------------- */

DELEGATED(a_workload_can_neither_leave_its_group_nor_change_it)
{
	char procs[PATH_MAX], told[PATH_MAX + 64];
	struct ran ran;
	int fd;

	find_groups();
	(void)snprintf(procs, sizeof(procs), "%.3000s/cgroup.procs", groups.path);
	/* The control: whoever runs bvisor may write there. */
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	EXPECT(fd >= 0);
	close(fd);
	ran = run_guest(place, "write", procs, "0", NULL);
	(void)snprintf(told, sizeof(told), "write %.3000s: %d", procs,
		       place->bare ? EACCES : ENOENT);
	EXPECT_SAID(&ran, told);
}

DELEGATED(control_groups_granted_for_writing_are_refused)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	struct bv_spec *spec;

	find_groups();
	spec = guest_spec(place, "exit", "0", NULL);
	SURE(bv_spec_grant(spec, BV_GRANT_WRITE, groups.path, err));
	SURE(bv_plan_make(spec, "linux", &plan, err));
	EXPECT_INT(bv_run_start(plan, NULL, &run, &why), BV_E_INVALID_POLICY);
	EXPECT(strstr(why.message, "control group") != NULL);
	bv_plan_free(plan);
	bv_spec_free(spec);
	/* Reading them is nobody's harm. */
	spec = guest_spec(place, "exit", "0", NULL);
	SURE(bv_spec_grant(spec, BV_GRANT_READ, groups.path, err));
	EXPECT_STR(run_spec(spec).outcome, "Completed");
}

/* Wherever a hierarchy is mounted, and however wide the grant. */
DELEGATED(the_whole_tree_with_control_groups_in_it_is_refused)
{
	struct bv_error why = {.code = BV_OK};
	const char *mounted = make_dir(place, "groups");
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	struct bv_spec *spec;

	if (geteuid() != 0) /* mounting takes root */
		return;
	find_groups();
	EXPECT(unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	spec = guest_spec(place, "exit", "0", NULL);
	SURE(bv_spec_grant(spec, BV_GRANT_WRITE, "/", err));
	/* The control; without namespaces / is not granted entry by entry, and /sys lies in it. */
	if (!place->bare)
		EXPECT_STR(run_spec(spec).outcome, "Completed");
	EXPECT(mount("none", mounted, "cgroup2", 0, NULL) == 0);
	spec = guest_spec(place, "exit", "0", NULL);
	SURE(bv_spec_grant(spec, BV_GRANT_WRITE, "/", err));
	SURE(bv_plan_make(spec, "linux", &plan, err));
	EXPECT_INT(bv_run_start(plan, NULL, &run, &why), BV_E_INVALID_POLICY);
	EXPECT_THAT(strstr(why.message, "control group") != NULL, "%s", why.message);
	EXPECT(umount2(mounted, MNT_DETACH) == 0);
}

DELEGATED(a_directory_that_is_no_group_is_not_replaced_by_a_guess)
{
	struct bv_cgroup_place found;
	struct ran ran;

	EXPECT(setenv("BVISOR_CGROUP", place->dir, 1) == 0);
	bv__cgroup_find(&found);
	EXPECT_STR(found.path, "");
	EXPECT(strstr(found.why_not, "BVISOR_CGROUP") != NULL);
	ran = run_guest(place, "exit", "0", NULL);
	EXPECT(find_attestation(&ran, "control_group") == NULL);
}

/* ---- limits of the kernel's ------------------------------------------------------------------ */

static void need(unsigned int controller)
{
	find_groups();
	SKIP_UNLESS((groups.enabled & controller) != 0,
		    controller == BV_CONTROLLER_MEMORY ? "no memory controller is delegated here"
						       : "no pids controller is delegated here");
}

DELEGATED(memory_of_the_whole_tree_is_held_by_the_kernel)
{
	const struct bv_budget_witness *witness;
	struct bv_spec *spec;
	struct ran ran;

	need(BV_CONTROLLER_MEMORY);
	/* The control: under a limit that is high enough it is had. */
	spec = guest_spec(place, "memory", "48", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, 128 << 20, err));
	ran = run_spec(spec);
	witness = &ran.report.body.budget.resident_bytes;
	EXPECT_SAID(&ran, "memory 48: ok");
	EXPECT_INT(witness->finding, BV_FINDING_WITHIN_LIMIT);
	EXPECT_THAT(witness->observed_usage > 40 << 20 && witness->observed_usage <= 128 << 20,
		    "%llu bytes", (unsigned long long)witness->observed_usage);
	EXPECT_STR(evidence_of(find_attestation(&ran, "control_group"), "memory.max"), "134217728");
	spec = guest_spec(place, "memory-twice", "24", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, 128 << 20, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "memory-twice 24: ok");
	/* Two processes, each of which is within it. */
	spec = guest_spec(place, "memory-twice", "24", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, 32 << 20, err));
	/* There the files are not, whatever the limits are. */
	if (!place->bare)
		SURE(bv_spec_require_enforced(spec, NULL, err));
	ran = run_spec(spec);
	witness = &ran.report.body.budget.resident_bytes;
	EXPECT_INT(witness->finding, BV_FINDING_LIMIT_REACHED);
	EXPECT_INT(witness->supplied_guarantee.tag, BV_GUARANTEE_HARD);
	EXPECT_THAT(witness->observed_usage <= 32 << 20, "%llu bytes",
		    (unsigned long long)witness->observed_usage);
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT(!said(&ran, "memory-twice 24: ok"));
}

/* The boundary is built within the limit, and needs some of it before there is a program. */
DELEGATED(a_memory_limit_too_small_to_start_is_reached)
{
	const struct bv_budget_witness *witness;
	const char *message = NULL;
	struct bv_spec *spec;
	struct ran ran;
	int number = 0;

	need(BV_CONTROLLER_MEMORY);
	spec = guest_spec(place, "exit", "0", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_MEMORY, 32768, err));
	ran = run_spec(spec);
	witness = &ran.report.body.budget.resident_bytes;
	EXPECT_STR(ran.outcome, "Killed");
	EXPECT_THAT(ran.report.body.has_stopped_by &&
			    ran.report.body.stopped_by == BV_LIMIT_RESIDENT,
		    "%s", bv_report_summary(ran.handle));
	EXPECT_INT(witness->finding, BV_FINDING_LIMIT_REACHED);
	/* Without a root to build it may get as far as the program. */
	if (place->bare && ran.kind == BV_EXITED_SIGNAL)
		return;
	EXPECT_INT(ran.kind, BV_EXITED_NOT_STARTED);
	EXPECT(bv_report_exec_failure(ran.handle, &number, &message) != NULL);
	EXPECT_THAT(strstr(message, "too small to start") != NULL, "%s", message);
	EXPECT(strstr(bv_report_summary(ran.handle), "before it could start") != NULL);
}

DELEGATED(tasks_are_held_by_the_kernel_and_refusals_counted)
{
	const struct bv_budget_witness *witness;
	struct bv_spec *spec;
	char line[40];
	struct ran ran;

	need(BV_CONTROLLER_PIDS);
	spec = guest_spec(place, "tasks", "40", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_PROCESSES, 9, err));
	/* There the files are not, whatever the limits are. */
	if (!place->bare)
		SURE(bv_spec_require_enforced(spec, NULL, err));
	ran = run_spec(spec);
	(void)snprintf(line, sizeof(line), "tasks 9 then %d", EAGAIN);
	EXPECT_SAID(&ran, line);
	witness = &ran.report.body.budget.process_count;
	EXPECT_INT(witness->finding, BV_FINDING_LIMIT_REACHED);
	EXPECT_UINT(witness->observed_usage, 9);
	spec = guest_spec(place, "tasks", "7", NULL);
	SURE(bv_spec_budget(spec, BV_BUDGET_PROCESSES, 9, err));
	ran = run_spec(spec);
	witness = &ran.report.body.budget.process_count;
	EXPECT_INT(witness->finding, BV_FINDING_WITHIN_LIMIT);
}
