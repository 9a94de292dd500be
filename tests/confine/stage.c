/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* stage.c - what is written to staged directories is kept apart, told truly, and carried over whole. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "staging.h"

/* ---- what comes of it --------------------------------------------------------------------------------- */

static const char fixture[] =
	"umask 022; mkdir -p dir/sub deep/a/b/c empty tree/x/y swap full; "
	"echo one >one; echo two >two; echo three >three; echo keep >keep; echo mode >mode; "
	"echo time >time; echo inner >dir/inner; echo sub >dir/sub/file; echo c >deep/a/b/c/file; "
	"echo t >tree/x/y/t; ln -s one link; ln -s dir dirlink; echo s >swap/s; echo plain >plain; "
	"printf %5000s x >long; echo full >full/a; echo full >full/b; chmod 750 full; "
	"touch -d '2001-02-03 04:05:06.789' old";

static const char script[] =
	"set -e; umask 022; echo changed >one; rm two; printf more >>three; chmod 640 mode; "
	"touch -d '2002-03-04 05:06:07.5' time; echo new >new; mkdir -p made/of/many; "
	"echo x >made/of/many/x; ln -s ../one made/link; rm link; ln -s three link; rm -r dir; "
	"mkdir dir; echo other >dir/other; rm -r tree; echo 'no tree' >tree; rm plain; "
	"mkdir plain; echo in >plain/in; rm -r swap; ln -s one swap; mv long longer; "
	"echo f >deep/a/b/c/file; echo g >deep/a/b/g; rmdir empty; chmod 700 full; rm full/a; "
	"mv full/b full/c; rm dirlink; mkdir dirlink; mkdir -m 500 closed; mkdir secret; "
	"echo s >secret/s; chmod 000 secret/s; chmod 000 secret; truncate -s 5M sparse; "
	"echo end >>sparse; touch -d '2001-02-03' new; chmod 444 new; mkdir -m 1777 sticky; "
	"ln new linked; : >nothing; cp -a old older; mv old oldest";

STAGED(every_kind_of_change_comes_through_as_without_a_boundary)
{
	const char *dir = make_dir(place, "in"), *copy = in_place(place, "copy");
	struct staged staged;

	if (place->bare)
		return;
	shell("cd '%s' && { %s; }", dir, fixture);
	shell("cp -a '%s' '%s' && cp -a '%s' '%s.before'", dir, copy, dir, copy);
	shell("cd '%s' && { %s; }", copy, script);
	staged = run_script(place, dir, script);
	/* The host sees nothing of it yet. */
	shell("chmod 755 '%s.before'", copy);
	expect_same(dir, in_place(place, "copy.before"));
	SURE(bv_changes_commit(staged.changes, err));
	shell("chmod 755 '%s/secret' '%s/secret'; chmod 444 '%s/secret/s' '%s/secret/s'", dir, copy,
	      dir, copy);
	expect_same(dir, copy);
	shell("test \"$(cd '%s' && stat -c '%%Y %%n' new time older oldest)\" = "
	      "\"$(cd '%s' && stat -c '%%Y %%n' new time older oldest)\"",
	      dir, copy);
	EXPECT(!has_leftovers(dir));
	forget(&staged);
}

STAGED(changes_are_told_as_they_are)
{
	const char *dir = make_dir(place, "in");
	struct staged staged;

	if (place->bare)
		return;
	shell("cd '%s' && { %s; }", dir, fixture);
	staged = run_script(place, dir, script);
	expect_change(&staged, dir, "one", BV_CHANGE_MODIFIED, BV_CHANGED_FILE);
	expect_change(&staged, dir, "two", BV_CHANGE_REMOVED, BV_CHANGED_FILE);
	expect_change(&staged, dir, "three", BV_CHANGE_MODIFIED, BV_CHANGED_FILE);
	expect_change(&staged, dir, "mode", BV_CHANGE_ATTRIBUTES, BV_CHANGED_FILE);
	expect_change(&staged, dir, "time", BV_CHANGE_ATTRIBUTES, BV_CHANGED_FILE);
	expect_change(&staged, dir, "new", BV_CHANGE_ADDED, BV_CHANGED_FILE);
	expect_change(&staged, dir, "made/of/many", BV_CHANGE_ADDED, BV_CHANGED_DIRECTORY);
	expect_change(&staged, dir, "made/link", BV_CHANGE_ADDED, BV_CHANGED_LINK);
	expect_change(&staged, dir, "link", BV_CHANGE_MODIFIED, BV_CHANGED_LINK);
	expect_change(&staged, dir, "dir", BV_CHANGE_REPLACED, BV_CHANGED_DIRECTORY);
	expect_change(&staged, dir, "dir/inner", BV_CHANGE_REMOVED, BV_CHANGED_FILE);
	expect_change(&staged, dir, "dir/sub", BV_CHANGE_REMOVED, BV_CHANGED_DIRECTORY);
	expect_change(&staged, dir, "tree", BV_CHANGE_REPLACED, BV_CHANGED_FILE);
	expect_change(&staged, dir, "plain", BV_CHANGE_REPLACED, BV_CHANGED_DIRECTORY);
	expect_change(&staged, dir, "swap", BV_CHANGE_REPLACED, BV_CHANGED_LINK);
	expect_change(&staged, dir, "empty", BV_CHANGE_REMOVED, BV_CHANGED_DIRECTORY);
	expect_change(&staged, dir, "full", BV_CHANGE_ATTRIBUTES, BV_CHANGED_DIRECTORY);
	EXPECT_UINT(find_change(&staged, dir, "secret").mode, 0);
	EXPECT_UINT(find_change(&staged, dir, "new").size_bytes, 4);
	/* Untouched, or on the way. */
	for (size_t i = 0; i < bv_changes_count(staged.changes); i++) {
		const char *path = bv_changes_at(staged.changes, i).path + strlen(dir);

		EXPECT_THAT(strcmp(path, "/keep") != 0 && strcmp(path, "/deep") != 0 &&
				    strcmp(path, "/deep/a") != 0,
			    "%s did not change", path);
	}
	forget(&staged);
}

STAGED(what_is_not_committed_leaves_no_trace)
{
	const char *dir = make_dir(place, "in");
	struct staged staged;

	if (place->bare)
		return;
	shell("cd '%s' && { %s; }", dir, fixture);
	shell("cp -a '%s' '%s'", dir, in_place(place, "before"));
	shell("cd '%s' && find . -printf '%%p %%i %%T@ %%C@\\n' | sort >'%s'", dir,
	      in_place(place, "stamps"));
	staged = run_script(place, dir, script);
	EXPECT(bv_changes_count(staged.changes) > 20);
	forget(&staged);
	expect_same(dir, in_place(place, "before"));
	shell("cd '%s' && find . -printf '%%p %%i %%T@ %%C@\\n' | sort | cmp - '%s'", dir,
	      in_place(place, "stamps"));
}

STAGED(a_staged_run_sees_its_own_writes_and_the_host_does_not)
{
	const char *dir = make_dir(place, "in"), *file = make_file(place, "in/file", "before\n");
	struct bv_run *run;
	struct staged staged;

	if (place->bare)
		return;
	run = start_spec(script_spec(place, dir, "echo after >file; cat file; echo said; read x"),
			 &gathering);
	await_output(run, "after\nsaid");
	EXPECT(file_holds(file, "before\n"));
	EXPECT(await_end(run, 20000));
	staged = finish(run);
	EXPECT(file_holds(file, "before\n"));
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT(file_holds(file, "after\n"));
	forget(&staged);
}

STAGED(committed_files_belong_to_the_caller)
{
	const char *dir = make_dir(place, "in");
	struct staged staged;
	struct stat seen;

	if (place->bare)
		return;
	(void)make_file(place, "in/old", "x\n");
	staged = run_script(place, dir, "mkdir d; echo x >d/new; echo y >>old; ln -s x d/l");
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT(lstat(in_place(place, "in/d/new"), &seen) == 0);
	EXPECT_UINT(seen.st_uid, geteuid());
	EXPECT_UINT(seen.st_gid, getegid());
	EXPECT(lstat(in_place(place, "in/d/l"), &seen) == 0 && seen.st_uid == geteuid());
	EXPECT(lstat(in_place(place, "in/old"), &seen) == 0 && seen.st_uid == geteuid());
	EXPECT(lstat(in_place(place, "in/d"), &seen) == 0 && seen.st_uid == geteuid());
	forget(&staged);
}

/* ---- what is never carried over ------------------------------------------------------------------------ */

STAGED(pipes_and_sockets_are_named_and_stay_out)
{
	const char *dir = make_dir(place, "in"), *fifo = in_place(place, "in/fifo");
	struct bv_spec *spec;
	struct staged staged;

	if (place->bare)
		return;
	/* Landlock would not let it be made at all. */
	spec = script_spec(place, dir, "mkdir d && mkfifo fifo d/fifo && echo x >file");
	SURE(bv_spec_without(spec, "landlock", err));
	staged = run_staged(spec);
	EXPECT_INT(staged.status, 0);
	EXPECT_INT(find_change(&staged, dir, "fifo").type, BV_CHANGED_OTHER);
	EXPECT(strstr(find_change(&staged, dir, "fifo").problem, "FIFO") != NULL);
	EXPECT(strstr(find_change(&staged, dir, "d/fifo").problem, "FIFO") != NULL);
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT(!file_exists(fifo) && !file_exists(in_place(place, "in/d/fifo")));
	EXPECT(file_holds(in_place(place, "in/file"), "x\n") &&
	       file_exists(in_place(place, "in/d")));
	forget(&staged);
	/* The control: the same without a boundary. */
	shell("cd '%s' && mkfifo fifo", dir);
	EXPECT(file_exists(fifo));
}

STAGED(a_set_user_id_program_is_never_carried_over)
{
	const char *dir = make_dir(place, "in"), *tool = make_file(place, "in/tool", "tool\n");
	struct staged staged;
	struct stat before, after;

	if (place->bare)
		return;
	EXPECT(chmod(tool, 04755) == 0 && stat(tool, &before) == 0);
	staged = run_script(place, dir, "touch -d 2001-02-03 tool; cp tool copy; true");
	EXPECT(strstr(find_change(&staged, dir, "tool").problem, "owner") != NULL);
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT(stat(tool, &after) == 0 && after.st_ino == before.st_ino &&
	       after.st_mtim.tv_sec == before.st_mtim.tv_sec);
	EXPECT(stat(in_place(place, "in/copy"), &after) == 0 && (after.st_mode & 06000) == 0);
	forget(&staged);
}

/* ---- names --------------------------------------------------------------------------------------------- */

STAGED(names_of_any_bytes_are_carried_over_as_they_are)
{
	static const char *const names[] = {
		"new\nline",
		"tab\there",
		"\033[31mred",
		"\xff\xfe bytes",
		"-rf",
		"...",
		" ",
		("\xe2\x80\xae"
		 "reversed"),
		"quote'\"",
		"back\\slash",
		"*",
		("\xc2\x9b"
		 "31m"),
	};
	const char *dir = make_dir(place, "in");
	struct staged staged;

	if (place->bare)
		return;
	staged = run_script(
		place, dir,
		"for n in 'new\\nline' 'tab\\there' '\\033[31mred' '\\377\\376 bytes' '-rf' ... ' ' "
		"'\\342\\200\\256reversed' \"quote'\\\"\" 'back\\\\slash' '*' '\\302\\23331m' "
		"\"$(printf %0255d 0)\"; do "
		"n=$(printf \"%b.\" \"$n\"); n=${n%.}; mkdir -- \"$n\" && echo x >\"$n/$n\" || exit 1; done");
	EXPECT_UINT(bv_changes_count(staged.changes), 2 * (1 + sizeof(names) / sizeof(names[0])));
	SURE(bv_changes_commit(staged.changes, err));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[1024];

		(void)snprintf(path, sizeof(path), "%s/%s/%s", dir, names[i], names[i]);
		EXPECT_THAT(file_holds(path, "x\n"), "lost: %s", names[i]);
	}
	EXPECT(!has_leftovers(dir));
	forget(&staged);
}

/* No path leads there, and so nothing outside could use it. */
STAGED(what_lies_too_deep_is_named_and_stays_out)
{
	static const char *const deepen =
		"n=$(printf %0200d 0); i=0; while [ $i -lt 60 ]; do mkdir $n && cd -P $n || exit 1; "
		"i=$((i+1)); done; echo x >bottom";
	const char *dir = make_dir(place, "in");
	struct staged staged;
	size_t problems = 0;

	if (place->bare)
		return;
	staged = run_staged(script_spec(place, dir, deepen));
	EXPECT(bv_changes_count(staged.changes) >= 19 && bv_changes_count(staged.changes) < 62);
	for (size_t i = 0; i < bv_changes_count(staged.changes); i++)
		problems += strstr(bv_changes_at(staged.changes, i).problem, "too long") != NULL;
	EXPECT_UINT(problems, 1);
	SURE(bv_changes_commit(staged.changes, err));
	forget(&staged);
	shell("test $(find '%s' -type d | wc -l) -gt 18 && rm -rf '%s'", dir, dir);
}

/* ---- leading it elsewhere -------------------------------------------------------------------------------- */

STAGED(no_link_leads_a_commit_out_of_its_directory)
{
	const char *dir = make_dir(place, "in"), *outside = make_dir(place, "outside");
	const char *victim = make_file(place, "outside/victim", "untouched\n");
	char text[1024];
	struct staged staged;

	if (place->bare)
		return;
	shell("mkdir '%s/d' && echo x >'%s/d/f'", dir, dir);
	/* Directories become links to the victim's, and links are written through. */
	(void)snprintf(text, sizeof(text),
		       "rm -r d; ln -s '%s' d; ln -s '%s' l; mkdir e; ln -s '%s/victim' e/victim; "
		       "ln -s ../outside/victim up",
		       outside, outside, outside);
	staged = run_script(place, dir, text);
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT(file_holds(victim, "untouched\n"));
	shell("test \"$(ls '%s')\" = victim && test -L '%s/d' && test -L '%s/e/victim'", outside,
	      dir, dir);
	forget(&staged);
}

STAGED(a_directory_swapped_for_a_link_before_the_commit_is_not_followed)
{
	const char *dir = make_dir(place, "in"), *outside = make_dir(place, "outside");
	struct bv_error why = {.code = BV_OK};
	struct staged staged;

	if (place->bare)
		return;
	shell("mkdir '%s/d' && echo x >'%s/d/f'", dir, dir);
	(void)make_file(place, "outside/f", "untouched\n");
	staged = run_script(place, dir, "echo y >d/f; echo z >d/new");
	shell("mv '%s/d' '%s/moved' && ln -s '%s' '%s/d'", dir, dir, outside, dir);
	EXPECT_INT(bv_changes_commit(staged.changes, &why), BV_E_CONFLICT);
	EXPECT(file_holds(in_place(place, "outside/f"), "untouched\n"));
	EXPECT(file_holds(in_place(place, "in/moved/f"), "x\n"));
	EXPECT(!file_exists(in_place(place, "outside/new")) && !has_leftovers(place->dir));
	forget(&staged);
}

/* ---- what others changed meanwhile ------------------------------------------------------------------------ */

struct meddling {
	const char *script;  /* of the workload */
	const char *meddle;  /* of somebody else, while it runs */
	const char *changed; /* what the commit must name; NULL: it must succeed */
};

static const struct meddling meddlings[] = {
	{"echo mine >one", "echo theirs >one", "one"},
	/* Content and time are as they were; only the change time tells. */
	{"echo mine >one", "t=$(stat -c %y one); cp one x; cat x >one; rm x; touch -d \"$t\" one",
	 "one"},
	{"echo mine >one", "mv three one", "one"},
	{"echo mine >one", "chmod 600 one", "one"},
	{"echo mine >one", "rm one", "one"},
	{"echo mine >fresh", "echo theirs >fresh", "fresh"},
	{"mkdir fresh; echo x >fresh/x", "mkdir fresh", "fresh"},
	{"rm one", "echo theirs >one", "one"},
	{"rm -r deep", "echo theirs >deep/a/b/new", "deep"},
	{"rm -r deep; echo file >deep", "touch deep/a/b/c/file", "deep"},
	{"rm -r dir; mkdir dir; echo x >dir/x", "echo theirs >dir/sub/file", "dir/sub"},
	{"chmod 600 one", "echo theirs >one", "one"},
	{"echo mine >deep/a/b/c/file", "rm -r deep", "deep"},
	{"rm link; ln -s two link", "rm link; ln -s three link", "link"},
	{"rm -r deep/a; echo x >deep/a", "mv deep/a/b/c/file deep/a/b/file", "deep/a"},
	/* Beside it, or the same: no conflict. */
	{"echo mine >one", "echo theirs >three; rm two; mkdir beside", NULL},
	{"rm one", "rm one", NULL},
	{"rm -r deep", "rm -r deep", NULL},
	{"echo mine >deep/a/b/c/file", "echo theirs >deep/a/b/other", NULL},
};

static void meddle(const struct place *place, const struct meddling *meddling, size_t number)
{
	char name[32], text[1024];
	struct bv_error why = {.code = BV_OK};
	struct staged staged;
	struct bv_run *run;
	const char *dir;
	char *before, *after;

	(void)snprintf(name, sizeof(name), "in%zu", number);
	dir = make_dir(place, name);
	shell("cd '%s' && { %s; }", dir, fixture);
	(void)snprintf(text, sizeof(text), "%s; echo done%zu; sleep 20", meddling->script, number);
	run = start_spec(script_spec(place, dir, text), &gathering);
	(void)snprintf(name, sizeof(name), "done%zu\n", number);
	await_output(run, name);
	shell("cd '%s' && { %s; }", dir, meddling->meddle);
	SURE(bv_run_kill(run, err));
	EXPECT(await_end(run, 20000));
	staged = finish(run);
	before = manifest(dir);
	if (meddling->changed == NULL) {
		SURE(bv_changes_commit(staged.changes, err));
	} else {
		EXPECT_THAT(bv_changes_commit(staged.changes, &why) == BV_E_CONFLICT,
			    "'%s' against '%s' was committed", meddling->script, meddling->meddle);
		EXPECT_THAT(strstr(why.message, meddling->changed) != NULL, "%s", why.message);
		/* Nothing at all was written. */
		after = manifest(dir);
		EXPECT_STR(after, before);
		free(after);
	}
	EXPECT(!has_leftovers(dir));
	free(before);
	forget(&staged);
}

STAGED_WITHIN(what_somebody_else_changed_meanwhile_is_not_written_over, 240)
{
	if (place->bare)
		return;
	for (size_t i = 0; i < sizeof(meddlings) / sizeof(meddlings[0]); i++)
		meddle(place, &meddlings[i], i);
}

STAGED(changes_are_committed_once)
{
	const char *dir = make_dir(place, "in");
	struct bv_error why = {.code = BV_OK};
	struct staged staged;

	if (place->bare)
		return;
	staged = run_script(place, dir, "echo x >file");
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT_INT(bv_changes_commit(staged.changes, &why), BV_E_STATE);
	forget(&staged);
}

/* Root may write everywhere. */
STAGED(a_commit_that_fails_leaves_nothing_behind)
{
	const char *dir = make_dir(place, "in"), *closed;
	struct bv_error why = {.code = BV_OK};
	struct staged staged;
	char *before, *after;

	if (place->bare || geteuid() == 0)
		return;
	closed = make_dir(place, "in/z-closed");
	staged = run_script(place, dir, "mkdir a; echo x >a/x; echo y >b; echo z >z-closed/z");
	EXPECT(chmod(closed, 0555) == 0);
	before = manifest(dir);
	EXPECT_INT(bv_changes_commit(staged.changes, &why), BV_E_SYSTEM);
	EXPECT_INT(why.sys_errno, EACCES);
	EXPECT(strstr(why.message, "z-closed/z") != NULL);
	after = manifest(dir);
	EXPECT_STR(after, before);
	free(before);
	free(after);
	forget(&staged);
}

/* ---- where it can be done, and where it is refused ------------------------------------------------------------ */

static enum bv_code start_code(struct bv_spec *spec, struct bv_error *why)
{
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	enum bv_code code = bv_plan_make(spec, "linux", &plan, why);

	if (code == BV_OK)
		code = bv_run_start(plan, NULL, &run, why);
	bv_plan_free(plan);
	bv_run_free(run);
	bv_spec_free(spec);
	return code;
}

EVERYWHERE(where_it_cannot_be_held_staging_is_refused_in_the_plan)
{
	const char *dir = make_dir(place, "in");
	struct bv_spec *spec = script_spec(place, dir, "true");
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;

	if (!place->bare && staging_lacks() == NULL) {
		SURE(bv_plan_make(spec, "linux", &plan, err));
		return;
	}
	EXPECT_INT(bv_plan_make(spec, "linux", &plan, &why), BV_E_UNSUPPORTED);
	EXPECT(why.message[0] != '\0' && why.remedy[0] != '\0');
}

STAGED(a_file_granted_alone_cannot_be_staged)
{
	const char *file = make_file(place, "file", "x\n");
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_error why = {.code = BV_OK};

	if (place->bare)
		return;
	SURE(bv_spec_grant(spec, BV_GRANT_WRITE, file, err));
	SURE(bv_spec_stage(spec, true, err));
	EXPECT_INT(start_code(spec, &why), BV_E_INVALID_POLICY);
	EXPECT(strstr(why.message, file) != NULL && strstr(why.remedy, "directory") != NULL);
}

STAGED(one_place_cannot_be_staged_twice)
{
	const char *dir = make_dir(place, "in");
	struct bv_error why = {.code = BV_OK};
	struct bv_spec *spec;

	if (place->bare)
		return;
	(void)make_dir(place, "in/sub");
	spec = script_spec(place, dir, "true");
	SURE(bv_spec_expose(spec, in_place(place, "in/sub"), "/shown", BV_GRANT_WRITE, err));
	EXPECT_INT(start_code(spec, &why), BV_E_UNSUPPORTED);
	EXPECT(strstr(why.message, "two places") != NULL);
}

STAGED(a_directory_with_a_mount_in_it_cannot_be_staged)
{
	const char *dir = make_dir(place, "in"), *sub = make_dir(place, "in/sub");
	struct bv_error why = {.code = BV_OK};

	if (place->bare || geteuid() != 0)
		return;
	EXPECT(unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", sub, "tmpfs", 0, NULL) == 0);
	EXPECT_INT(start_code(script_spec(place, dir, "true"), &why), BV_E_UNSUPPORTED);
	EXPECT(strstr(why.message, "mounted") != NULL);
	EXPECT(umount(sub) == 0);
	EXPECT_INT(start_code(script_spec(place, dir, "true"), &why), BV_OK);
}

STAGED(a_program_in_a_staged_directory_can_be_run)
{
	const char *dir = make_dir(place, "in"), *tool = in_place(place, "in/tool");
	const char *args[] = {"create", in_place(place, "in/new"), ",", "read", tool};
	struct bv_spec *spec;
	struct staged staged;

	if (place->bare)
		return;
	for (int executable = 0; executable < 2; executable++) {
		shell("rm -f '%s' && cp '%s' '%s' && chmod 755 '%s'", tool, place->guest, tool,
		      tool);
		spec = program_spec(place, tool, 5, args);
		SURE(bv_spec_grant(spec,
				   BV_GRANT_READ | BV_GRANT_WRITE |
					   (executable ? BV_GRANT_EXECUTE : 0u),
				   dir, err));
		SURE(bv_spec_stage(spec, true, err));
		staged = run_staged(spec);
		EXPECT_INT(staged.status, 0);
		EXPECT_UINT(bv_changes_count(staged.changes), 1);
		EXPECT(!file_exists(in_place(place, "in/new")));
		forget(&staged);
	}
}

STAGED(grants_in_a_staged_directory_keep_their_meaning)
{
	const char *dir = make_dir(place, "in"), *readable = make_file(place, "in/readable", "r\n");
	const char *other = make_file(place, "in/other", "o\n"), *sub = make_dir(place, "in/sub");
	const char *inner = make_file(place, "in/sub/file", "s\n"),
		   *denied = make_dir(place, "in/denied");
	struct bv_spec *spec;
	struct ran ran;

	if (place->bare)
		return;
	(void)make_file(place, "in/denied/file", "DENIED\n");
	spec = guest_spec(place, "read", readable, ",", "write", readable, "more\n", ",", "read",
			  readable, ",", "read", other, ",", "write", other, "more\n", ",", "read",
			  inner, ",", "write", inner, "more\n", ",", "list", denied, ",", "create",
			  in_place(place, "in/denied/new"), ",", "exec", readable, NULL);
	SURE(bv_spec_grant(spec, BV_GRANT_WRITE, dir, err));
	SURE(bv_spec_grant(spec, BV_GRANT_READ, readable, err));
	SURE(bv_spec_grant(spec, BV_GRANT_READ, sub, err));
	SURE(bv_spec_deny(spec, denied, err));
	SURE(bv_spec_stage(spec, true, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "content r");
	EXPECT(strstr(ran.out, "content o") == NULL && strstr(ran.out, "DENIED") == NULL);
	EXPECT_SAID(&ran, "content s");
	for (int i = 0; i < 3; i++) {
		const char *const paths[] = {readable, other, inner};
		char line[300];

		(void)snprintf(line, sizeof(line), "write %s: ok", paths[i]);
		EXPECT_SAID(&ran, line);
	}
	EXPECT(file_holds(readable, "r\n") && file_holds(other, "o\n") && file_holds(inner, "s\n"));
	EXPECT(!file_exists(in_place(place, "in/denied/new")));
	EXPECT(find_fact(&ran, "staged_root") != NULL && find_fact(&ran, "staged_changes") != NULL);
	EXPECT(strncmp(find_fact(&ran, "staged_changes")->detail.data, "3: 0 added, 3 modified",
		       22) == 0);
}

STAGED(several_directories_are_staged_side_by_side)
{
	const char *one = make_dir(place, "one"), *two = make_dir(place, "two"), *inner;
	char text[1024];
	struct bv_spec *spec;
	struct staged staged;

	if (place->bare)
		return;
	inner = make_dir(place, "one/inner");
	(void)snprintf(text, sizeof(text),
		       "echo 1 >'%s/f'; echo 2 >'%s/f'; echo 3 >'%s/f'; echo 4 >/shown/f", one,
		       inner, two);
	spec = script_spec(place, one, text);
	/* Another mount of its own, because what is in it may be executed too. */
	SURE(bv_spec_grant(spec, BV_GRANT_EXECUTE, inner, err));
	SURE(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, two, err));
	(void)make_dir(place, "three");
	SURE(bv_spec_expose(spec, in_place(place, "three"), "/shown",
			    BV_GRANT_READ | BV_GRANT_WRITE, err));
	staged = run_staged(spec);
	EXPECT_INT(staged.status, 0);
	EXPECT_UINT(bv_changes_count(staged.changes), 4);
	SURE(bv_changes_commit(staged.changes, err));
	EXPECT(file_holds(in_place(place, "one/f"), "1\n") &&
	       file_holds(in_place(place, "one/inner/f"), "2\n") &&
	       file_holds(in_place(place, "two/f"), "3\n") &&
	       file_holds(in_place(place, "three/f"), "4\n"));
	forget(&staged);
}

STAGED(a_program_that_never_ran_changed_nothing)
{
	const char *dir = make_dir(place, "in");
	struct bv_spec *spec = program_spec(place, "/nonexistent/program", 0, NULL);
	struct bv_run *run;
	struct bv_changes *changes = NULL;
	struct bv_report *report = NULL;
	struct bv_error why = {.code = BV_OK};

	if (place->bare)
		return;
	SURE(bv_spec_grant(spec, BV_GRANT_WRITE, dir, err));
	SURE(bv_spec_stage(spec, true, err));
	run = start_spec(spec, NULL);
	EXPECT(await_end(run, 20000));
	SURE(bv_run_finish(run, &report, err));
	EXPECT_INT(bv_run_changes(run, &changes, &why), BV_E_STATE);
	bv_run_free(run);
	/* One that was not staged has none either. */
	run = start_spec(guest_spec(place, "exit", "0", NULL), NULL);
	EXPECT(await_end(run, 20000));
	SURE(bv_run_finish(run, &report, err));
	EXPECT_INT(bv_run_changes(run, &changes, &why), BV_E_STATE);
	bv_run_free(run);
}

/* ---- many ------------------------------------------------------------------------------------------------------ */

STAGED_WITHIN(ten_thousand_files_are_listed_and_committed_within_bounds, 240)
{
	const char *dir = make_dir(place, "in");
	struct rusage before, after;
	struct timespec began, listed, ended;
	struct staged staged;
	struct bv_run *run;

	if (place->bare)
		return;
	run = start_spec(script_spec(place, dir,
				     "i=0; while [ $i -lt 100 ]; do mkdir d$i; cd d$i; "
				     "seq 100 | split -l 1 - file; cd ..; i=$((i+1)); done"),
			 NULL);
	EXPECT(await_end(run, 100000));
	getrusage(RUSAGE_SELF, &before);
	clock_gettime(CLOCK_MONOTONIC, &began);
	staged = finish(run);
	clock_gettime(CLOCK_MONOTONIC, &listed);
	getrusage(RUSAGE_SELF, &after);
	EXPECT_INT(staged.status, 0);
	EXPECT_UINT(bv_changes_count(staged.changes), 100 + 10000);
	EXPECT_THAT(after.ru_maxrss - before.ru_maxrss < 16 << 10, "listing took %ld KiB",
		    after.ru_maxrss - before.ru_maxrss);
	SURE(bv_changes_commit(staged.changes, err));
	clock_gettime(CLOCK_MONOTONIC, &ended);
	printf("# %s: listed in %.3f s with %ld KiB, committed in %.3f s\n", place->name,
	       (double)(listed.tv_sec - began.tv_sec) +
		       (double)(listed.tv_nsec - began.tv_nsec) / 1e9,
	       after.ru_maxrss - before.ru_maxrss,
	       (double)(ended.tv_sec - listed.tv_sec) +
		       (double)(ended.tv_nsec - listed.tv_nsec) / 1e9);
	shell("test $(find '%s' -type f -size 1 | wc -l) = 10000", dir);
	EXPECT(!has_leftovers(dir));
	forget(&staged);
}
