/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* staging.c - see staging.h. */
#include "staging.h"

#include <stdarg.h>

/* ---- doing it ----------------------------------------------------------------------------------- */

void shell(const char *format, ...)
{
	char command[8192];
	va_list args;

	va_start(args, format);
	EXPECT(vsnprintf(command, sizeof(command), format, args) < (int)sizeof(command));
	va_end(args);
	EXPECT_THAT(system(command) == 0, "failed: %s", command);
}

struct bv_spec *script_spec(const struct place *place, const char *dir, const char *script)
{
	const char *args[] = {"-c", script};
	struct bv_spec *spec = program_spec(place, "/bin/sh", 2, args);

	SURE(bv_spec_runtime(spec, BV_USE_RUNTIME_SYSTEM, err));
	SURE(bv_spec_env(spec, "PATH", "/usr/bin:/bin", err));
	SURE(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, dir, err));
	SURE(bv_spec_cwd(spec, dir, err));
	SURE(bv_spec_stage(spec, true, err));
	return spec;
}

struct staged finish(struct bv_run *run)
{
	struct staged staged = {.status = -1};

	SURE(bv_run_finish(run, &staged.report, err));
	SURE(bv_run_changes(run, &staged.changes, err));
	bv_run_free(run);
	(void)bv_report_exit(staged.report, &staged.status);
	return staged;
}

struct staged run_staged(struct bv_spec *spec)
{
	struct bv_run *run = start_spec(spec, NULL);

	EXPECT_THAT(await_end(run, 50000), "the run does not end");
	return finish(run);
}

struct staged run_script(const struct place *place, const char *dir, const char *script)
{
	struct staged staged = run_staged(script_spec(place, dir, script));
	size_t size = 0;
	const char *complaints = bv_report_output(staged.report, BV_STDERR, &size);

	EXPECT_THAT(staged.status == 0, "status %d: %.*s", staged.status, (int)size, complaints);
	return staged;
}

void forget(struct staged *staged)
{
	bv_changes_free(staged->changes);
	bv_report_free(staged->report);
}

/* ---- looking at it --------------------------------------------------------------------------------- */

char *manifest(const char *dir)
{
	enum { ROOM = 8 << 20 };
	char command[1024], *text = malloc(ROOM);
	size_t len;
	FILE *out;

	(void)snprintf(command, sizeof(command),
		       "cd '%s' && { find . -mindepth 1 -printf '%%P\\t%%y\\t%%m\\t%%l\\n'; "
		       "find . -type f -exec cksum {} +; } | LC_ALL=C sort",
		       dir);
	out = popen(command, "re");
	EXPECT(out != NULL && text != NULL);
	len = fread(text, 1, ROOM - 1, out);
	EXPECT(pclose(out) == 0);
	text[len] = '\0';
	return text;
}

void expect_same(const char *one, const char *other)
{
	char *first = manifest(one), *second = manifest(other);

	if (strcmp(first, second) != 0) {
		FILE *file = fopen("/tmp/bvisor-manifests", "w");

		if (file != NULL) {
			fprintf(file, "--- %s\n%s--- %s\n%s", one, first, other, second);
			fclose(file);
		}
	}
	EXPECT_THAT(strcmp(first, second) == 0, "%s and %s differ", one, other);
	free(first);
	free(second);
}

struct bv_change find_change(struct staged *staged, const char *dir, const char *name)
{
	char path[8192];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (size_t i = 0; i < bv_changes_count(staged->changes); i++) {
		struct bv_change change = bv_changes_at(staged->changes, i);

		if (strcmp(change.path, path) == 0)
			return change;
	}
	EXPECT_THAT(false, "no change of %s is listed", path);
	return (struct bv_change){.path = NULL};
}

void expect_change(struct staged *staged, const char *dir, const char *name,
		   enum bv_change_kind kind, enum bv_change_type type)
{
	const struct bv_change change = find_change(staged, dir, name);

	EXPECT_THAT(change.kind == kind && change.type == type, "%s: kind %d, type %d", name,
		    (int)change.kind, (int)change.type);
	EXPECT_STR(change.problem, "");
}

bool has_leftovers(const char *dir)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "! find '%s' -name '.bvisor-*' | grep -q .", dir);
	return system(command) != 0;
}
