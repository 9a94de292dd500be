/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * storage.c - what the boundary's own file systems may hold, and what granted directories may grow by.
 *
 * How much there is on the host is asked of the files there; each deed that is stopped goes
 * through where there is no limit.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

/* ---- the limit on storage: held by sizes ------------------------------------------------------- */

enum { MIB = 1 << 20 };

static struct bv_spec *limited(struct bv_spec *spec, uint64_t bytes)
{
	SURE(bv_spec_budget(spec, BV_BUDGET_WALL,
			    40 * UINT64_C(1000000) * (uint64_t)test_patience(), err));
	if (bytes != 0)
		SURE(bv_spec_budget(spec, BV_BUDGET_STORAGE, bytes, err));
	return spec;
}

static const struct bv_budget_witness *witness_of(const struct ran *ran)
{
	return &ran->report.body.budget.storage_bytes;
}

static void expect_reached(const struct ran *ran, uint64_t limit, uint64_t usage)
{
	EXPECT_UINT(witness_of(ran)->admitted_limit, limit);
	EXPECT_INT(witness_of(ran)->supplied_guarantee.tag, BV_GUARANTEE_HARD);
	EXPECT_UINT(witness_of(ran)->observed_usage, usage);
	EXPECT_INT(witness_of(ran)->finding, BV_FINDING_LIMIT_REACHED);
}

EVERYWHERE(the_limit_is_all_that_its_own_file_systems_hold)
{
	struct ran ran;

	if (place->bare)
		return;
	ran = run_spec(limited(guest_spec(place, "fill", "/tmp/one", "2097152", ",", "fill",
					  "/dev/shm/two", "4096", NULL),
			       MIB));
	EXPECT_SAID(&ran, line("filled /tmp/one 1048576 then %d", ENOSPC));
	EXPECT_SAID(&ran, line("filled /dev/shm/two 0 then %d", ENOSPC));
	EXPECT_STR(ran.outcome, "Completed");
	expect_reached(&ran, MIB, MIB);
	EXPECT_STR(evidence(&ran, "root", "tmp_bytes"), "1048576");
	/* What is given back is not forgotten. */
	ran = run_spec(limited(guest_spec(place, "fill", "/tmp/one", "524288", ",", "sleep", "100",
					  ",", "unlink", "/tmp/one", NULL),
			       MIB));
	EXPECT_UINT(witness_of(&ran)->observed_usage, 524288);
	EXPECT_INT(witness_of(&ran)->finding, BV_FINDING_WITHIN_LIMIT);
	/* Without a limit the same deed goes on, and is told all the same. */
	ran = run_spec(limited(guest_spec(place, "fill", "/tmp/one", "2097152", NULL), 0));
	EXPECT_SAID(&ran, "filled /tmp/one 2097152");
	EXPECT_UINT(witness_of(&ran)->observed_usage, 2097152);
	EXPECT_INT(witness_of(&ran)->finding, BV_FINDING_NO_LIMIT);
}

EVERYWHERE(the_limit_bounds_inodes_too)
{
	struct ran ran;

	if (place->bare)
		return;
	ran = run_spec(limited(guest_spec(place, "empties", "/tmp", "3000", NULL), 8 * MIB));
	EXPECT_SAID(&ran, line("made /tmp 2048 then %d", ENOSPC));
	expect_reached(&ran, 8 * MIB, 0);
}

EVERYWHERE(a_tmp_smaller_than_the_limit_is_not_the_limit)
{
	struct bv_spec *spec = limited(guest_spec(place, "fill", "/tmp/one", "2097152", NULL),
				       4 * MIB);
	struct ran ran;

	if (place->bare)
		return;
	SURE(bv_spec_tmp(spec, MIB, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, line("filled /tmp/one 1048576 then %d", ENOSPC));
	EXPECT_UINT(witness_of(&ran)->observed_usage, MIB);
	EXPECT_INT(witness_of(&ran)->finding, BV_FINDING_WITHIN_LIMIT);
}

EVERYWHERE(what_is_staged_and_tmp_together_keep_to_the_limit)
{
	const char *work = make_dir(place, "work");
	struct bv_spec *spec = limited(guest_spec(place, "fill", "/tmp/one", "524288", ",", "fill",
						  in_place(place, "work/two"), "2097152", NULL),
				       MIB);
	struct bv_error why = {.code = BV_OK};
	struct ran ran;

	SURE(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, work, err));
	SURE(bv_spec_stage(spec, true, err));
	SURE(bv_spec_require_enforced(spec, NULL, err));
	if (place->bare || staging_lacks() != NULL) {
		struct bv_plan *plan = NULL;

		EXPECT(bv_plan_make(spec, "linux", &plan, &why) != BV_OK);
		return;
	}
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "filled /tmp/one 524288");
	EXPECT_SAID(&ran, line("filled %s 524288 then %d", in_place(place, "work/two"), ENOSPC));
	expect_reached(&ran, MIB, MIB);
	EXPECT(!file_exists(in_place(place, "work/two")));
}

/* ---- held by looking --------------------------------------------------------------------------- */

static struct {
	uint64_t bytes, inodes;
} taken;

static int add_taken(const char *path, const struct stat *seen, int what, struct FTW *at)
{
	(void)path, (void)what, (void)at;
	taken.bytes += (uint64_t)seen->st_blocks * 512;
	taken.inodes++;
	return 0;
}

/* What a file or a directory of the host takes up, with all in it. */
static uint64_t bytes_in(const char *path)
{
	taken.bytes = taken.inodes = 0;
	EXPECT(nftw(path, add_taken, 16, FTW_PHYS) == 0);
	return taken.bytes;
}

static uint64_t inodes_in(const char *path)
{
	(void)bytes_in(path);
	return taken.inodes;
}

static struct bv_spec *in_work(const struct place *place, struct bv_spec *spec, uint64_t bytes)
{
	SURE(bv_spec_grant(spec, BV_GRANT_READ | BV_GRANT_WRITE, in_place(place, "work"), err));
	return limited(spec, bytes);
}

static void expect_ended(const struct ran *ran)
{
	EXPECT_THAT(ran->report.body.has_stopped_by, "%s", bv_report_summary(ran->handle));
	EXPECT_INT(ran->report.body.stopped_by, BV_LIMIT_STORAGE);
	EXPECT_STR(ran->outcome, "Killed");
	EXPECT_INT(ran->number, 9);
	EXPECT_INT(witness_of(ran)->supplied_guarantee.tag, BV_GUARANTEE_MEDIATED);
	EXPECT_THAT(witness_of(ran)->finding == BV_FINDING_LIMIT_REACHED ||
			    witness_of(ran)->finding == BV_FINDING_MEDIATED_OVERSHOOT,
		    "finding %d, used %llu", (int)witness_of(ran)->finding,
		    (unsigned long long)witness_of(ran)->observed_usage);
}

/* Five times the limit. */
enum { LIMIT = 8 * MIB, MUCH = 40 * MIB };

EVERYWHERE_WITHIN(what_a_granted_directory_grows_by_is_held, 150)
{
	const char *work = make_dir(place, "work");
	const char *many = line("made %s %d", work, MUCH / 8192);
	uint64_t bytes, before;
	struct ran ran;

	make_file(place, "work/before", "here already\n");
	before = bytes_in(work);
	ran = run_spec(in_work(place,
			       guest_spec(place, "smalls", work, line("%d", MUCH / 8192), NULL),
			       LIMIT));
	expect_ended(&ran);
	EXPECT(!said(&ran, many));
	bytes = bytes_in(work) - before;
	EXPECT_THAT(bytes > LIMIT / 2 && bytes < 4 * LIMIT, "%llu bytes were written",
		    (unsigned long long)bytes);
	EXPECT(witness_of(&ran)->observed_usage > LIMIT);
	EXPECT(find_fact(&ran, "storage_places") != NULL && find_fact(&ran, "storage") != NULL);
	EXPECT(file_holds(in_place(place, "work/before"), "here already\n"));
}

EVERYWHERE_WITHIN(without_a_limit_it_grows, 150)
{
	const char *work = make_dir(place, "work");
	struct ran ran = run_spec(
		in_work(place, guest_spec(place, "smalls", work, line("%d", MUCH / 8192), NULL),
			0));

	EXPECT_SAID(&ran, line("made %s %d", work, MUCH / 8192));
	EXPECT(bytes_in(work) >= MUCH);
	/* Nobody looked, so nobody knows. */
	EXPECT_INT(witness_of(&ran)->finding, BV_FINDING_UNAVAILABLE);
}

EVERYWHERE_WITHIN(a_single_file_is_stopped_by_the_kernel_at_the_limit, 150)
{
	const char *work = make_dir(place, "work"), *file = in_place(place, "work/file");
	const char *free_file = in_place(place, "work/free");
	struct ran ran = run_spec(
		in_work(place, guest_spec(place, "fill", file, line("%d", MUCH), NULL), LIMIT));

	(void)work;
	/* Whoever comes first. */
	EXPECT(said(&ran, line("filled %s %d then %d", file, LIMIT, EFBIG)) ||
	       ran.report.body.has_stopped_by);
	EXPECT(bytes_in(file) <= LIMIT + 65536);
	EXPECT(witness_of(&ran)->finding == BV_FINDING_LIMIT_REACHED ||
	       witness_of(&ran)->finding == BV_FINDING_MEDIATED_OVERSHOOT);
	ran = run_spec(
		in_work(place, guest_spec(place, "fill", free_file, line("%d", MUCH), NULL), 0));
	EXPECT_SAID(&ran, line("filled %s %d", free_file, MUCH));
}

EVERYWHERE_WITHIN(inodes_of_a_granted_directory_are_held, 150)
{
	const char *work = make_dir(place, "work");
	struct ran ran = run_spec(
		in_work(place, guest_spec(place, "empties", work, "200000", NULL), LIMIT));
	const uint64_t inodes = inodes_in(work);

	expect_ended(&ran);
	EXPECT_THAT(inodes > LIMIT / 4096 && inodes < 100000, "%llu inodes",
		    (unsigned long long)inodes);
}

/* Each within the limit, all together not, no directory has them, and the process would not be looked into. */
EVERYWHERE_WITHIN(files_without_a_name_count, 150)
{
	make_dir(place, "work");
	for (int limit = LIMIT; limit >= 0; limit -= LIMIT) {
		struct bv_spec *spec = guest_spec(place, "hide", ",", "hold",
						  in_place(place, "work/one"), "6291456", ",",
						  "hold", in_place(place, "work/two"), "6291456",
						  ",", "sleep", "2000", ",", "out",
						  "went through\n", NULL);
		struct ran ran = run_spec(in_work(place, spec, (uint64_t)limit));

		EXPECT_SAID(&ran, limit == 0 ? "hidden" : "in sight");
		EXPECT_INT(said(&ran, "went through"), limit == 0);
		if (limit != 0)
			expect_ended(&ran);
	}
}

/* Files of the host that are written to by descriptor. */
EVERYWHERE_WITHIN(files_that_are_inherited_count, 150)
{
	static const int numbers[] = {7, 8};

	make_dir(place, "beside");
	for (int limit = LIMIT; limit >= 0; limit -= LIMIT) {
		struct bv_spec *spec = guest_spec(place, "pour", "7", "6291456", ",", "pour", "8",
						  "6291456", ",", "sleep", "2000", ",", "out",
						  "went through\n", NULL);
		struct ran ran;

		for (size_t i = 0; i < 2; i++) {
			const int fd = open(in_place(place, i ? "beside/two" : "beside/one"),
					    O_WRONLY | O_CREAT | O_TRUNC, 0600);

			EXPECT(fd >= 0 && dup2(fd, numbers[i]) == numbers[i]);
			close(fd);
			SURE(bv_spec_inherit_fd(spec, numbers[i], err));
		}
		ran = run_spec(limited(spec, (uint64_t)limit));
		EXPECT_INT(said(&ran, "went through"), limit == 0);
		if (limit != 0)
			expect_ended(&ran);
		EXPECT(bytes_in(in_place(place, "beside")) > LIMIT);
	}
}

EVERYWHERE(tmp_and_a_granted_directory_count_together)
{
	const char *work = make_dir(place, "work");
	struct ran ran;

	(void)work;
	if (place->bare)
		return;
	ran = run_spec(in_work(place,
			       guest_spec(place, "fill", "/tmp/one", "6291456", ",", "fill",
					  in_place(place, "work/two"), "6291456", ",", "sleep",
					  "2000", ",", "out", "went through\n", NULL),
			       LIMIT));
	EXPECT(!said(&ran, "went through"));
	expect_ended(&ran);
}

/* ---- what is no growth ------------------------------------------------------------------------- */

static void expect_within(const struct ran *ran, uint64_t least, uint64_t most)
{
	EXPECT_STR(ran->outcome, "Completed");
	EXPECT_INT(witness_of(ran)->finding, BV_FINDING_WITHIN_LIMIT);
	EXPECT_THAT(witness_of(ran)->observed_usage >= least &&
			    witness_of(ran)->observed_usage <= most,
		    "%llu bytes used", (unsigned long long)witness_of(ran)->observed_usage);
}

EVERYWHERE(what_was_there_before_is_no_growth)
{
	const char *work = make_dir(place, "work"), *file = in_place(place, "work/large");
	struct ran ran;

	(void)work;
	make_file(place, "work/large", "");
	EXPECT(chmod(file, 0666) == 0);
	EXPECT(system(line("head -c %d /dev/zero >'%s'", 4 * LIMIT, file)) == 0);
	/* A file larger than the limit may grow too. */
	ran = run_spec(
		in_work(place,
			guest_spec(place, "fill", file, "1048576", ",", "sleep", "150", NULL),
			LIMIT));
	EXPECT_SAID(&ran, line("filled %s 1048576", file));
	expect_within(&ran, MIB, MIB + 65536);
}

EVERYWHERE(other_names_holes_and_what_is_removed_again_are_no_growth)
{
	const char *work = make_dir(place, "work"), *one = in_place(place, "work/one");
	const char *two = in_place(place, "work/two");
	struct ran ran = run_spec(
		in_work(place,
			guest_spec(place, "fill", one, "5242880", ",", "link", one, two, ",",
				   "sleep", "150", ",", "rename", one, in_place(place, "work/x"),
				   ",", "unlink", in_place(place, "work/x"), ",", "unlink", two,
				   ",", "fill", one, "5242880", ",", "sleep", "150", ",", "unlink",
				   one, ",", "sparse", two, "6291456", ",", "fill", one, "5242880",
				   ",", "sleep", "150", NULL),
			LIMIT));

	(void)work;
	EXPECT_SAID(&ran, line("link %s: ok", one));
	expect_within(&ran, 5 * MIB, 5 * MIB + 65536);
}

/* ---- what cannot be held ----------------------------------------------------------------------- */

static void expect_refused(struct bv_spec *spec, enum bv_code wanted, const char *word)
{
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	struct bv_run *run = NULL;
	enum bv_code code = bv_plan_make(spec, "linux", &plan, &why);

	if (code == BV_OK)
		code = bv_run_start(plan, NULL, &run, &why);
	EXPECT_THAT(code == wanted, "%d: %s", (int)code, why.message);
	EXPECT_THAT(strstr(why.message, word) != NULL && why.remedy[0] != '\0', "%s", why.message);
	bv_plan_free(plan);
	bv_spec_free(spec);
}

/* Only root sees through the rights that a workload gives to its files. */
EVERYWHERE(what_is_put_out_of_sight_ends_the_run)
{
	const char *work = make_dir(place, "work"), *dir = in_place(place, "work/dir");
	struct ran ran = run_spec(
		in_work(place,
			guest_spec(place, "mkdir", dir, ",", "fill", in_place(place, "work/dir/f"),
				   "4096", ",", "chmod", dir, ",", "sleep", "2000", ",", "out",
				   "went through\n", NULL),
			LIMIT));

	(void)work;
	EXPECT_INT(said(&ran, "went through"), geteuid() == 0);
	if (geteuid() == 0) {
		EXPECT_STR(ran.outcome, "Completed");
		return;
	}
	expect_ended(&ran);
	EXPECT(strstr(find_fact(&ran, "storage")->detail.data, "could not be looked into") != NULL);
	/* And where it is so from the beginning, nothing begins. */
	expect_refused(in_work(place, guest_spec(place, "exit", "0", NULL), LIMIT),
		       BV_E_UNSUPPORTED, "./dir");
	EXPECT(chmod(dir, 0700) == 0);
}

EVERYWHERE(a_limit_that_cannot_be_is_refused)
{
	struct bv_spec *spec;

	make_dir(place, "work");
	expect_refused(limited(guest_spec(place, "exit", "0", NULL), 4095), BV_E_BUDGET_REFUSED,
		       "below 4096");
	expect_refused(in_work(place, guest_spec(place, "exit", "0", NULL), 100),
		       BV_E_BUDGET_REFUSED, "below 4096");
	expect_refused(in_work(place, guest_spec(place, "exit", "0", NULL), UINT64_C(1) << 60),
		       BV_E_BUDGET_REFUSED, "all that the file systems");
	spec = in_work(place, guest_spec(place, "exit", "0", NULL), LIMIT);
	SURE(bv_spec_require_enforced(spec, NULL, err));
	expect_refused(spec, BV_E_MINIMUM, place->bare ? "" : "only looked at");
	if (place->bare)
		return;
	/* It would be memory, and there is not so much. */
	expect_refused(limited(guest_spec(place, "exit", "0", NULL), UINT64_C(1) << 50),
		       BV_E_BUDGET_REFUSED, "above");
	spec = limited(guest_spec(place, "exit", "0", NULL), LIMIT);
	SURE(bv_spec_tmp(spec, 2 * LIMIT, err));
	expect_refused(spec, BV_E_INVALID_POLICY, "larger than the limit");
}
