/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* storage.c - what the boundary's own file systems may hold, and that this is all of it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

static const char *line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In a buffer used in turn. */
static const char *line(const char *format, ...)
{
	static char lines[8][400];
	static unsigned int next;
	char *text = lines[next++ % 8];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, 400, format, args);
	va_end(args);
	return text;
}

/* What the guest says unconfined: the control of everything below. */
static bool says_free(const struct place *place, const char *deed, const char *wanted)
{
	char command[600], text[4096] = "";
	FILE *guest;

	(void)snprintf(command, sizeof(command), "'%s' %s", place->guest, deed);
	guest = popen(command, "re");
	EXPECT(guest != NULL && fread(text, 1, sizeof(text) - 1, guest) > 0 && pclose(guest) == 0);
	return strstr(text, wanted) != NULL;
}

static const char *evidence(const struct ran *ran, const char *layer, const char *key)
{
	const struct bv_attestation_list *attested = &ran->report.body.attestations;

	for (size_t i = 0; i < attested->count; i++) {
		const struct bv_attestation *one = &attested->items[i];

		for (size_t e = 0; bv_str_is(one->layer, layer) && e < one->evidence.count; e++) {
			if (bv_str_is(one->evidence.items[e].key, key))
				return one->evidence.items[e].value.data;
		}
	}
	return "";
}

EVERYWHERE(exactly_the_size_of_tmp_fits_in_it)
{
	struct bv_spec *spec = guest_spec(place, "fill", "/tmp/one", "524288", ",", "fill",
					  "/tmp/two", "2097152", ",", "fill", "/dev/shm/three",
					  "4096", ",", "unlink", "/tmp/one", ",", "fill",
					  "/dev/shm/four", "2097152", NULL);
	struct ran ran;

	if (place->bare)
		return;
	EXPECT(says_free(place, line("fill '%s' 2097152", in_place(place, "free")),
			 line("filled %s 2097152\n", in_place(place, "free"))));
	SURE(bv_spec_tmp(spec, 1 << 20, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "filled /tmp/one 524288");
	EXPECT_SAID(&ran, line("filled /tmp/two 524288 then %d", ENOSPC));
	/* Shared memory is no way around it, and what is given back can be used again. */
	EXPECT_SAID(&ran, line("filled /dev/shm/three 0 then %d", ENOSPC));
	EXPECT_SAID(&ran, line("filled /dev/shm/four 524288 then %d", ENOSPC));
	EXPECT_STR(evidence(&ran, "root", "tmp_bytes"), "1048576");
	EXPECT(!file_exists("/tmp/one") && !file_exists("/tmp/two"));
}

EVERYWHERE(exactly_as_many_files_fit_into_tmp_as_were_asked_for)
{
	struct bv_spec *spec = guest_spec(place, "empties", "/tmp", "500", ",", "mkdir", "/tmp/dir",
					  ",", "symlink", "x", "/tmp/link", ",", "fill",
					  "/dev/shm/file", "1", NULL);
	struct ran ran;

	if (place->bare)
		return;
	SURE(bv_spec_tmp(spec, 1 << 20, err));
	SURE(bv_spec_tmp_inodes(spec, 100, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, line("made /tmp 100 then %d", ENOSPC));
	EXPECT_SAID(&ran, line("mkdir /tmp/dir: %d", ENOSPC));
	EXPECT_SAID(&ran, line("symlink /tmp/link: %d", ENOSPC));
	EXPECT_SAID(&ran, line("filled /dev/shm/file 0 then %d", ENOSPC));
	EXPECT_STR(evidence(&ran, "root", "tmp_inodes"), "102");
	/* Without such a limit the same deed goes on. */
	spec = guest_spec(place, "empties", "/tmp", "500", NULL);
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "made /tmp 500");
}

EVERYWHERE(a_workload_cannot_enlarge_its_tmp)
{
	struct bv_spec *spec = guest_spec(place, "enlarge", "/tmp", ",", "umount", "/tmp", ",",
					  "fill", "/tmp/file", "2097152", NULL);
	struct ran ran;

	if (place->bare)
		return;
	SURE(bv_spec_tmp(spec, 1 << 20, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, line("enlarge /tmp: %d", EPERM));
	EXPECT_SAID(&ran, line("umount /tmp: %d", EPERM));
	EXPECT_SAID(&ran, line("filled /tmp/file 1048576 then %d", ENOSPC));
}

EVERYWHERE(holes_cost_nothing_and_reserved_bytes_do)
{
	struct bv_spec *spec = guest_spec(place, "sparse", "/tmp/holes", "1073741824", ",",
					  "allocate", "/tmp/too-much", "1048577", ",", "allocate",
					  "/tmp/all", "1048576", ",", "fill", "/tmp/more", "1",
					  NULL);
	struct ran ran;

	if (place->bare)
		return;
	SURE(bv_spec_tmp(spec, 1 << 20, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "sparse /tmp/holes: ok");
	EXPECT_SAID(&ran, line("allocate /tmp/too-much: %d", ENOSPC));
	EXPECT_SAID(&ran, "allocate /tmp/all: ok");
	EXPECT_SAID(&ran, line("filled /tmp/more 0 then %d", ENOSPC));
}

EVERYWHERE(a_tmp_that_holds_nothing_is_refused)
{
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;

	if (place->bare)
		return;
	SURE(bv_spec_tmp(spec, 100, err));
	SURE(bv_plan_make(spec, "linux", &plan, err));
	EXPECT_INT(bv_run_start(plan, NULL, &run, &why), BV_E_INVALID_POLICY);
	EXPECT(strstr(why.message, "page") != NULL && why.remedy[0] != '\0');
}
