/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* files.c - what is granted can be used as granted, and nothing else can be reached. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "confine.h"

static void grant(struct bv_spec *spec, unsigned int grants, const char *path)
{
	struct bv_error err = {.code = BV_OK};

	EXPECT_THAT(bv_spec_grant(spec, grants, path, &err) == BV_OK, "%s", err.message);
}

/* "verb path: ok", or with an errno; in a buffer used in turn. */
static const char *went(const char *verb, const char *path, int sys_errno)
{
	static char lines[8][400];
	static unsigned int next;
	char *line = lines[next++ % 8];

	if (sys_errno == 0)
		(void)snprintf(line, 400, "%s %s: ok", verb, path);
	else
		(void)snprintf(line, 400, "%s %s: %d", verb, path, sys_errno);
	return line;
}

/* Where there is a private root, what was not granted is not there; else it is forbidden. */
static int hidden(const struct place *place)
{
	return place->bare ? EACCES : ENOENT;
}

/*
 * Without Landlock a mount that can be written can be read too.  Then the plan must not have called
 * it enforced: whoever demands that is refused.  Else the line must be there.
 */
static void expect_unreadable(const struct place *place, const struct ran *ran, const char *granted,
			      const char *line)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_spec *spec;

	if (place->bare || landlock_abi() > 0) {
		EXPECT_SAID(ran, line);
		return;
	}
	spec = guest_spec(place, "exit", "0", NULL);
	grant(spec, BV_GRANT_WRITE, granted);
	EXPECT_INT(bv_spec_require_enforced(spec, NULL, &err), BV_OK);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_E_MINIMUM);
	EXPECT_THAT(strstr(err.message, "without Landlock") != NULL, "%s", err.message);
}

EVERYWHERE(two_read_roots_and_two_write_roots_behave_and_a_fifth_is_out_of_reach)
{
	const char *read1 = make_dir(place, "read1"), *read2 = make_dir(place, "read2");
	const char *write1 = make_dir(place, "write1"), *write2 = make_dir(place, "write2");
	const char *secret, *file1 = make_file(place, "read1/file", "one\n"), *file2;
	const char *new1 = in_place(place, "write1/new"), *new2 = in_place(place, "write2/new");
	struct bv_spec *spec;
	struct ran ran;

	(void)make_dir(place, "other");
	secret = make_file(place, "other/secret", "SECRET\n");
	file2 = make_file(place, "read2/file", "two\n");
	spec = guest_spec(place, "read", file1, ",", "read", file2, ",", "create", new1, ",",
			  "create", new2, ",", "read", secret, ",", "write", secret, "spoilt", ",",
			  "write", file1, "spoilt", ",", "list", in_place(place, "other"), NULL);
	grant(spec, BV_GRANT_READ, read1);
	grant(spec, BV_GRANT_READ, read2);
	grant(spec, BV_GRANT_WRITE, write1);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, write2);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "content one");
	EXPECT_SAID(&ran, "content two");
	EXPECT_SAID(&ran, went("create", new1, 0));
	EXPECT_SAID(&ran, went("create", new2, 0));
	EXPECT(file_holds(new1, "new\n") && file_holds(new2, "new\n"));
	EXPECT_SAID(&ran, went("read", secret, hidden(place)));
	/* A private root is read-only where nothing was granted. */
	EXPECT(!said(&ran, went("write", secret, 0)));
	EXPECT_SAID(&ran, went("list", in_place(place, "other"), hidden(place)));
	EXPECT_SAID(&ran, went("write", file1, place->bare ? EACCES : EROFS));
	EXPECT(file_holds(secret, "SECRET\n") && file_holds(file1, "one\n"));
	EXPECT(strstr(ran.out, "SECRET") == NULL);
}

/* The same deeds without bvisor: what is refused above is refused by it and by nothing else. */
EVERYWHERE(the_secret_is_readable_outside)
{
	char command[600], text[600] = "";
	const char *secret = make_file(place, "secret", "SECRET\n");
	FILE *guest;

	(void)snprintf(command, sizeof(command), "'%s' read '%s'", place->guest, secret);
	guest = popen(command, "re");
	EXPECT(guest != NULL && fread(text, 1, sizeof(text) - 1, guest) > 0 && pclose(guest) == 0);
	EXPECT(strstr(text, "content SECRET\n") == text);
}

EVERYWHERE(a_write_root_can_neither_be_read_nor_executed)
{
	const char *dir = make_dir(place, "in"), *file = make_file(place, "in/file", "content\n");
	const char *tool = in_place(place, "in/tool");
	struct bv_spec *spec;
	struct ran ran;

	EXPECT(link(place->guest, tool) == 0 || errno == EPERM);
	spec = guest_spec(place, "read", file, ",", "list", dir, ",", "write", file, "more\n", ",",
			  "exec", file, ",", "map", file, ",", "truncate", file, ",", "unlink",
			  file, NULL);
	EXPECT(chmod(file, 0777) == 0);
	grant(spec, BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	expect_unreadable(place, &ran, dir, went("read", file, EACCES));
	expect_unreadable(place, &ran, dir, went("list", dir, EACCES));
	EXPECT_SAID(&ran, went("exec", file, EACCES));
	EXPECT_SAID(&ran, went("write", file, 0));
	EXPECT_SAID(&ran, went("truncate", file, 0));
	EXPECT_SAID(&ran, went("unlink", file, 0));
	EXPECT(!file_exists(file));
}

EVERYWHERE(a_read_root_cannot_be_executed_nor_changed)
{
	const char *dir = make_dir(place, "in"),
		   *file = make_file(place, "in/file", "#!/nowhere\n");
	struct bv_spec *spec;
	struct ran ran;

	EXPECT(chmod(file, 0777) == 0 && chmod(dir, 0777) == 0);
	spec = guest_spec(place, "exec", file, ",", "map", file, ",", "truncate", file, ",",
			  "unlink", file, ",", "mkdir", in_place(place, "in/new"), ",", "read",
			  file, NULL);
	grant(spec, BV_GRANT_READ, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("read", file, 0));
	EXPECT_SAID(&ran, went("exec", file, EACCES));
	EXPECT(!said(&ran, went("truncate", file, 0)) && !said(&ran, went("unlink", file, 0)));
	EXPECT(file_holds(file, "#!/nowhere\n") && !file_exists(in_place(place, "in/new")));
	/* Landlock does not bound mapping, and the plan of a bare run says so. */
	if (!place->bare)
		EXPECT_SAID(&ran, went("map", file, EPERM));
}

EVERYWHERE(an_executable_root_can_be_executed)
{
	const char *dir = make_dir(place, "in"), *tool = in_place(place, "in/tool");
	char command[600];
	struct bv_spec *spec;
	struct ran ran;

	(void)snprintf(command, sizeof(command), "cp '%s' '%s' && chmod 755 '%s'", place->guest,
		       tool, tool);
	EXPECT(system(command) == 0);
	spec = guest_spec(place, "exec", tool, NULL);
	grant(spec, BV_GRANT_EXECUTE, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("exec", tool, 0));
	/* The same without the grant. */
	ran = run_guest(place, "exec", tool, NULL);
	EXPECT_SAID(&ran, went("exec", tool, hidden(place)));
}

EVERYWHERE(a_file_can_be_granted_alone)
{
	const char *one = make_file(place, "one", "first\n"),
		   *two = make_file(place, "two", "second\n");
	const char *three = make_file(place, "three", "third\n");
	struct bv_spec *spec = guest_spec(place, "read", one, ",", "write", one, "x", ",", "write",
					  two, "more\n", ",", "read", two, ",", "read", three,
					  NULL);
	struct ran ran;

	grant(spec, BV_GRANT_READ, one);
	grant(spec, BV_GRANT_WRITE, two);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "content first");
	EXPECT(!said(&ran, went("write", one, 0)));
	EXPECT_SAID(&ran, went("write", two, 0));
	expect_unreadable(place, &ran, two, went("read", two, EACCES));
	EXPECT_SAID(&ran, went("read", three, hidden(place)));
	EXPECT(file_holds(one, "first\n") && file_holds(two, "second\nmore\n"));
}

EVERYWHERE(a_root_inside_a_root_adds_its_rights_and_no_more)
{
	const char *outer = make_dir(place, "outer"), *inner = make_dir(place, "outer/inner");
	const char *beside = in_place(place, "outer/new"),
		   *inside = in_place(place, "outer/inner/new");
	struct bv_spec *spec = guest_spec(place, "create", beside, ",", "create", inside, ",",
					  "read", inside, NULL);
	struct ran ran;

	grant(spec, BV_GRANT_READ, outer);
	grant(spec, BV_GRANT_WRITE, inner);
	ran = run_spec(spec);
	EXPECT(!file_exists(beside));
	EXPECT_SAID(&ran, went("create", inside, 0));
	/* The outer root grants reading to all that lies below it. */
	EXPECT_SAID(&ran, went("read", inside, 0));
	EXPECT(file_holds(inside, "new\n"));
}

EVERYWHERE(a_root_named_by_a_link_is_there_under_both_names)
{
	const char *real = make_dir(place, "real"),
		   *file = make_file(place, "real/file", "through\n");
	const char *name = in_place(place, "link"), *by_link = in_place(place, "link/file");
	struct bv_spec *spec;
	struct ran ran;

	EXPECT(symlink("real", name) == 0);
	spec = guest_spec(place, "read", by_link, ",", "read", file, NULL);
	grant(spec, BV_GRANT_READ, name);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("read", by_link, 0));
	EXPECT_SAID(&ran, went("read", file, 0));
	/* The report names what was granted, not only what it was called. */
	EXPECT(find_fact(&ran, "granted_root") != NULL);
	EXPECT(strstr(find_fact(&ran, "granted_root")->detail.data, real) != NULL);
}

EVERYWHERE(a_link_out_of_a_root_leads_nowhere)
{
	const char *dir = make_dir(place, "in"), *secret, *trap = in_place(place, "in/trap");
	struct bv_spec *spec;
	struct ran ran;

	(void)make_dir(place, "other");
	secret = make_file(place, "other/secret", "SECRET\n");
	EXPECT(symlink(secret, trap) == 0);
	spec = guest_spec(place, "read", trap, ",", "symlink", secret, in_place(place, "in/own"),
			  ",", "read", in_place(place, "in/own"), ",", "rename",
			  in_place(place, "in/own"), in_place(place, "other/own"), ",", "link",
			  secret, in_place(place, "in/hard"), NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	EXPECT(strstr(ran.out, "SECRET") == NULL);
	EXPECT_SAID(&ran, went("read", trap, hidden(place)));
	EXPECT_SAID(&ran, went("read", in_place(place, "in/own"), hidden(place)));
	EXPECT(!file_exists(in_place(place, "other/own")) &&
	       !file_exists(in_place(place, "in/hard")));
}

EVERYWHERE(files_it_makes_belong_to_whoever_granted_the_place)
{
	const char *dir = make_dir(place, "out"), *file = in_place(place, "out/new"),
		   *sub = in_place(place, "out/sub");
	struct bv_spec *spec = guest_spec(place, "create", file, ",", "mkdir", sub, NULL);
	struct stat seen;

	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	(void)umask(027);
	(void)run_spec(spec);
	EXPECT(stat(file, &seen) == 0);
	/* Without namespaces nothing maps owners, and root's workload is a stranger. */
	if (place->bare && geteuid() == 0) {
		EXPECT(seen.st_uid >= 2147000000u);
		return;
	}
	EXPECT_UINT(seen.st_uid, geteuid());
	EXPECT_UINT(seen.st_gid, getegid());
	EXPECT_UINT(seen.st_mode & 07777, 0640);
	EXPECT(stat(sub, &seen) == 0 && seen.st_uid == geteuid());
}

EVERYWHERE(a_callers_private_file_can_be_used_when_it_is_granted)
{
	const char *dir = make_dir(place, "mine"),
		   *file = make_file(place, "mine/file", "private\n");
	struct bv_spec *spec;
	struct ran ran;

	if (place->bare && geteuid() == 0)
		return;
	EXPECT(chmod(file, 0600) == 0 && chmod(dir, 0700) == 0);
	spec = guest_spec(place, "read", file, ",", "write", file, "more\n", ",", "chmod", file,
			  NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "content private");
	EXPECT_SAID(&ran, went("write", file, 0));
	EXPECT_SAID(&ran, went("chmod", file, 0));
	EXPECT(file_holds(file, "private\nmore\n"));
}

/* sysfs is one: what everybody may read there still can be, and the report names it. */
EVERYWHERE(a_file_system_that_cannot_map_owners_can_be_granted_all_the_same)
{
	const char *dir = "/sys/kernel/mm/transparent_hugepage";
	const char *file = "/sys/kernel/mm/transparent_hugepage/enabled";
	struct bv_spec *spec = guest_spec(place, "read", file, NULL);
	struct ran ran;
	bool told = false;

	SKIP_UNLESS(file_exists(file), "no transparent huge pages in this kernel");
	grant(spec, BV_GRANT_READ, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("read", file, 0));
	for (size_t i = 0; i < ran.report.body.attestations.count; i++) {
		const struct bv_attestation *layer = &ran.report.body.attestations.items[i];

		for (size_t e = 0; e < layer->evidence.count; e++)
			told |= bv_str_is(layer->evidence.items[e].key, "owners not mapped") &&
				bv_str_is(layer->evidence.items[e].value, dir);
	}
	EXPECT(told == (geteuid() == 0 && !place->bare));
}

/* It would belong to the caller, root perhaps, and whoever executes it outside would be that. */
EVERYWHERE(no_file_can_be_made_set_user_id)
{
	const char *dir = make_dir(place, "in"), *file = make_file(place, "in/file", "program\n");
	const char *made = in_place(place, "in/made"), *kept = in_place(place, "in/kept");
	struct bv_spec *spec = guest_spec(place, "create", kept, ",", "set-id", kept, ",", "set-id",
					  file, ",", "create-set-id", made, NULL);
	struct stat seen;
	struct ran ran;

	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("set-id", kept, EPERM));
	EXPECT_SAID(&ran, went("set-id", file, EPERM));
	EXPECT_SAID(&ran, went("create-set-id", made, EPERM));
	EXPECT(stat(kept, &seen) == 0 && (seen.st_mode & 06000) == 0);
	EXPECT(stat(file, &seen) == 0 && (seen.st_mode & 06000) == 0);
	EXPECT(!file_exists(made));
}

EVERYWHERE(a_denied_path_is_out_of_reach_below_a_granted_root)
{
	const char *dir = make_dir(place, "in"), *folder = make_dir(place, "in/folder");
	const char *file = make_file(place, "in/file", "DENIED\n"),
		   *deep = make_file(place, "in/folder/deep", "DENIED\n");
	const char *open_file = make_file(place, "in/open", "open\n");
	struct bv_spec *spec = guest_spec(place, "read", file, ",", "read", deep, ",", "list",
					  folder, ",", "write", file, "x", ",", "create",
					  in_place(place, "in/folder/new"), ",", "read", open_file,
					  NULL);
	struct bv_plan *plan = NULL;
	struct bv_error err = {.code = BV_OK};
	struct ran ran;

	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	EXPECT(bv_spec_deny(spec, file, &err) == BV_OK &&
	       bv_spec_deny(spec, folder, &err) == BV_OK);
	if (place->bare) {
		/* Landlock cannot take out again what lies below a root, so the plan is refused. */
		EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_E_UNSUPPORTED);
		EXPECT(err.remedy[0] != '\0');
		return;
	}
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "content open");
	EXPECT(strstr(ran.out, "DENIED") == NULL);
	EXPECT(!said(&ran, went("read", file, 0)) && !said(&ran, went("read", deep, 0)));
	EXPECT(file_holds(file, "DENIED\n") && !file_exists(in_place(place, "in/folder/new")));
}

/* The cover would go along, and something else could be put in its place. */
EVERYWHERE(no_directory_above_a_denied_path_can_be_moved_away)
{
	const char *dir = make_dir(place, "in"), *outer = make_dir(place, "in/outer"), *inner,
		   *denied, *other;
	struct bv_error err = {.code = BV_OK};
	struct bv_spec *spec;
	struct ran ran;

	if (place->bare)
		return;
	inner = make_dir(place, "in/outer/inner");
	denied = make_dir(place, "in/outer/inner/denied");
	other = make_file(place, "in/outer/other", "DENIED\n");
	spec = guest_spec(place, "move-away", denied, ",", "move-away", inner, ",", "move-away",
			  outer, ",", "create", in_place(place, "in/outer/inner/new"), NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	EXPECT(bv_spec_deny(spec, denied, &err) == BV_OK &&
	       bv_spec_deny(spec, other, &err) == BV_OK);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("move-away", denied, EBUSY));
	EXPECT_SAID(&ran, went("move-away", inner, EBUSY));
	EXPECT_SAID(&ran, went("move-away", outer, EBUSY));
	EXPECT(file_exists(in_place(place, "in/outer/inner/new")) && file_exists(denied));
}

/* Later runs believe it, so it is denied even where the directory above it is granted. */
EVERYWHERE(what_bvisor_remembers_cannot_be_written_by_a_workload)
{
	const char *runtime, *memory, *forged;
	struct bv_spec *spec;
	struct ran ran;

	/* Root's memory is in /run, which no test grants. */
	if (place->bare || geteuid() == 0)
		return;
	runtime = make_dir(place, "runtime");
	EXPECT(chmod(runtime, 0700) == 0 && setenv("XDG_RUNTIME_DIR", runtime, 1) == 0);
	memory = in_place(place, "runtime/bvisor");
	forged = in_place(place, "runtime/bvisor/forged");
	EXPECT(file_exists(memory) || mkdir(memory, 0700) == 0);
	spec = guest_spec(place, "create", forged, ",", "move-away", memory, ",", "create",
			  in_place(place, "runtime/open"), NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, runtime);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("create", forged, EACCES));
	EXPECT_SAID(&ran, went("move-away", memory, EBUSY));
	EXPECT(file_exists(in_place(place, "runtime/open")) && !file_exists(forged));
}

EVERYWHERE(a_denied_path_that_could_be_made_is_refused)
{
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	const char *dir = make_dir(place, "in"), *missing = in_place(place, "in/not/there");
	struct bv_error err = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	if (place->bare)
		return;
	grant(spec, BV_GRANT_READ, dir);
	EXPECT(bv_spec_deny(spec, missing, &err) == BV_OK);
	EXPECT_INT(run_spec(spec).number, 0);
	spec = guest_spec(place, "exit", "0", NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	EXPECT(bv_spec_deny(spec, missing, &err) == BV_OK &&
	       bv_plan_make(spec, "linux", &plan, &err) == BV_OK);
	EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	EXPECT(strstr(err.message, "not/there") != NULL && err.remedy[0] != '\0');
}

EVERYWHERE(a_path_can_be_shown_elsewhere)
{
	struct bv_error err = {.code = BV_OK};
	const char *dir = make_dir(place, "in");
	struct bv_spec *spec = guest_spec(place, "list", "/", NULL);

	(void)dir;
	/* The tests of the command line show a path elsewhere; here only what is never shown. */
	grant(spec, BV_GRANT_READ, "/proc");
	(void)run_spec(spec);
	spec = guest_spec(place, "list", "/", NULL);
	if (!place->bare) {
		struct bv_run *run = NULL;
		struct bv_plan *plan = NULL;

		grant(spec, BV_GRANT_READ, "/proc/self");
		EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
		EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	}
}

EVERYWHERE(a_root_that_is_not_there_is_refused_by_name)
{
	struct bv_error err = {.code = BV_OK};
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	grant(spec, BV_GRANT_READ, in_place(place, "nothing"));
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
	EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	EXPECT(strstr(err.message, "nothing") != NULL && err.sys_errno == ENOENT &&
	       err.remedy[0] != '\0');
}

EVERYWHERE(a_host_socket_in_a_granted_directory_cannot_be_connected_to)
{
	const char *dir = make_dir(place, "in"), *name = in_place(place, "in/socket");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct bv_spec *spec;
	struct ran ran;

	EXPECT(strlen(name) < sizeof(address.sun_path));
	strcpy(address.sun_path, name);
	EXPECT(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listen(listener, 5) == 0 && chmod(name, 0777) == 0);
	spec = guest_spec(place, "unix", name, NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	EXPECT(!said(&ran, went("unix", name, 0)));
	EXPECT(accept(listener, NULL, NULL) < 0 && errno == EAGAIN);
	/* A socket itself cannot be granted. */
	spec = guest_spec(place, "unix", name, NULL);
	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, name);
	{
		struct bv_error err = {.code = BV_OK};
		struct bv_plan *plan = NULL;
		struct bv_run *run = NULL;

		EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
		EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	}
}

/* Bound by way of a link, as /var/run is one to /run, or from a working directory. */
EVERYWHERE(a_host_socket_with_another_name_cannot_be_connected_to_either)
{
	const char *dir = make_dir(place, "in"), *through = in_place(place, "through");
	const char *names[] = {in_place(place, "through/socket"), "relative"};

	EXPECT(symlink(dir, through) == 0 && chdir(dir) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *name = in_place(place, i == 0 ? "in/socket" : "in/relative");
		int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		struct bv_spec *spec = guest_spec(place, "unix", name, NULL);
		struct ran ran;

		EXPECT(strlen(names[i]) < sizeof(address.sun_path));
		strcpy(address.sun_path, names[i]);
		EXPECT(listener >= 0 &&
		       bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
		EXPECT(listen(listener, 5) == 0 && chmod(name, 0777) == 0);
		grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
		ran = run_spec(spec);
		EXPECT(!said(&ran, went("unix", name, 0)));
		EXPECT(accept(listener, NULL, NULL) < 0 && errno == EAGAIN);
		EXPECT(close(listener) == 0 && unlink(name) == 0);
	}
	EXPECT(chdir("/") == 0 && unlink(through) == 0);
}

EVERYWHERE(no_pipe_can_be_made_in_a_granted_directory)
{
	const char *dir = make_dir(place, "in"), *name = in_place(place, "in/pipe");
	struct bv_spec *spec = guest_spec(place, "mkfifo", name, NULL);
	struct ran ran;

	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	/* It is Landlock that knows pipes; SECURITY.md says so, and what the plan says. */
	if (landlock_abi() > 0)
		EXPECT_SAID(&ran, went("mkfifo", name, EACCES));
	EXPECT(file_exists(name) == (landlock_abi() == 0));
}

EVERYWHERE(the_private_tmp_is_private_and_bounded)
{
	char name[64];
	struct bv_error err = {.code = BV_OK};
	struct bv_spec *spec;
	struct ran ran;

	if (place->bare)
		return;
	(void)snprintf(name, sizeof(name), "/tmp/confine-%d", (int)getpid());
	spec = guest_spec(place, "create", name, ",", "read", name, ",", "mkfifo", "/tmp/fifo", ",",
			  "exec", name, NULL);
	EXPECT(bv_spec_tmp(spec, 1 << 20, &err) == BV_OK);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("create", name, 0));
	EXPECT_SAID(&ran, went("read", name, 0));
	EXPECT_SAID(&ran, went("mkfifo", "/tmp/fifo", 0));
	EXPECT_SAID(&ran, went("exec", name, EACCES));
	EXPECT(!file_exists(name));
}

EVERYWHERE(tmp_itself_can_be_granted)
{
	char dir[] = "/tmp/bvisor-confine-XXXXXX", file[64], beside[64];
	struct bv_spec *spec;
	struct ran ran;

	EXPECT(mkdtemp(dir) != NULL && chmod(dir, 0777) == 0);
	(void)snprintf(file, sizeof(file), "%s/new", dir);
	(void)snprintf(beside, sizeof(beside), "%s-beside", dir);
	spec = guest_spec(place, "create", beside, ",", "create", file, ",", "read", file, NULL);
	grant(spec, BV_GRANT_READ, "/tmp");
	grant(spec, BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("create", beside, place->bare ? EACCES : EROFS));
	EXPECT_SAID(&ran, went("create", file, 0));
	EXPECT_SAID(&ran, went("read", file, 0));
	EXPECT(file_holds(file, "new\n") && !file_exists(beside));
	EXPECT(unlink(file) == 0 && rmdir(dir) == 0);
}

/* Below the private /tmp a root would inherit what may be done in it. */
EVERYWHERE(a_write_root_below_tmp_cannot_be_read_either)
{
	char dir[] = "/tmp/bvisor-confine-XXXXXX", file[64];
	struct bv_error err = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	struct bv_spec *spec;
	struct ran ran;

	EXPECT(mkdtemp(dir) != NULL && chmod(dir, 0777) == 0);
	(void)snprintf(file, sizeof(file), "%s/new", dir);
	spec = guest_spec(place, "create", file, ",", "read", file, NULL);
	grant(spec, BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("create", file, 0));
	expect_unreadable(place, &ran, dir, went("read", file, EACCES));
	EXPECT(file_holds(file, "new\n"));
	/* It is Landlock that hands the rights of /tmp down. */
	if (!place->bare && landlock_abi() > 0) {
		spec = guest_spec(place, "exit", "0", NULL);
		grant(spec, BV_GRANT_WRITE, dir);
		EXPECT(bv_spec_tmp(spec, 1 << 20, &err) == BV_OK);
		EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
		EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	}
	EXPECT(unlink(file) == 0 && rmdir(dir) == 0);
}

EVERYWHERE(the_working_directory_is_the_first_root_to_work_in)
{
	const char *dir = make_dir(place, "work");
	struct bv_error err = {.code = BV_OK};
	char line[300];
	struct bv_spec *spec = guest_spec(place, "cwd", NULL);
	struct ran ran;

	grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir);
	ran = run_spec(spec);
	(void)snprintf(line, sizeof(line), "cwd %s", dir);
	EXPECT_SAID(&ran, line);
	ran = run_guest(place, "cwd", NULL);
	EXPECT_SAID(&ran, "cwd /");
	if (place->bare)
		return;
	spec = guest_spec(place, "cwd", NULL);
	EXPECT(bv_spec_cwd(spec, dir, &err) == BV_OK);
	{
		struct bv_plan *plan = NULL;
		struct bv_run *run = NULL;

		EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
		EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	}
}

EVERYWHERE(the_whole_tree_can_be_granted_for_reading)
{
	const char *file = make_file(place, "file", "seen\n");
	struct bv_spec *spec = guest_spec(place, "read", file, ",", "read", "/etc/passwd", ",",
					  "write", file, "x", NULL);
	struct ran ran;

	grant(spec, BV_GRANT_READ, "/");
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("read", file, 0));
	EXPECT_SAID(&ran, went("read", "/etc/passwd", 0));
	EXPECT(file_holds(file, "seen\n"));
}

/* It was planned, and then refused by the launcher. */
EVERYWHERE(a_link_to_the_whole_tree_grants_what_it_leads_to)
{
	struct bv_spec *spec = guest_spec(place, "read", "/etc/passwd", NULL);
	struct ran ran;
	char link[256];

	(void)snprintf(link, sizeof(link), "%s/rootlink", place->dir);
	EXPECT(symlink("/", link) == 0);
	grant(spec, BV_GRANT_READ, link);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, went("read", "/etc/passwd", 0));
}

/* Joined, what may be read would have been written to. */
EVERYWHERE(two_directories_are_not_shown_at_one_place_whatever_link_leads_there)
{
	const char *low = make_dir(place, "low"), *high = make_dir(place, "high");
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_error err = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	char link[256];

	if (place->bare) /* nothing is shown elsewhere */
		return;
	(void)snprintf(link, sizeof(link), "%s/link", place->dir);
	EXPECT(symlink(high, link) == 0);
	EXPECT_INT(bv_spec_expose(spec, low, high, BV_GRANT_READ, &err), BV_OK);
	grant(spec, BV_GRANT_WRITE, link);
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &err), BV_OK);
	EXPECT_INT(bv_run_start(plan, NULL, &run, &err), BV_E_INVALID_POLICY);
	EXPECT_THAT(strstr(err.message, "at one place") != NULL, "%s", err.message);
}
