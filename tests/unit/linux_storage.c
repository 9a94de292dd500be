/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * linux_storage.c - what directories take up, counted as du(1) counts it; and who holds a limit on storage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/budgets.h"
#include "linux/facts.h"
#include "linux/usage.h"
#include "test.h"

enum { SOMEBODY = 12345 };

static char dir[64];

/* ---- a tree to count ------------------------------------------------------------------------- */

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A command of the shell in the directory. */
static void run(const char *format, ...)
{
	char words[800], command[1000];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	(void)snprintf(command, sizeof(command), "cd '%s' && { %s; }", dir, words);
	EXPECT_THAT(system(command) == 0, "%s", command);
}

static void begin(void)
{
	(void)snprintf(dir, sizeof(dir), "/var/tmp/bv-usage-XXXXXX");
	EXPECT(mkdtemp(dir) != NULL);
}

static void end(void)
{
	run("chmod -R u+rwx . && rm -rf '%s'", dir);
}

static unsigned long long du(const char *flags)
{
	unsigned long long number = 0;
	char command[200];
	FILE *pipe;

	(void)snprintf(command, sizeof(command), "du -s %s '%s'", flags, dir);
	pipe = popen(command, "re");
	EXPECT(pipe != NULL && fscanf(pipe, "%llu", &number) == 1 && pclose(pipe) == 0);
	return number;
}

/* All of it at once, or a little at a time. */
static struct bv_usage_sum count(const int *places, size_t place_count, bool in_parts)
{
	enum bv_usage_progress progress;
	struct bv_usage_walk walk;
	struct bv_usage_sum found;
	unsigned int parts = 0;

	bv__usage_init(&walk, places, place_count);
	for (int round = 0; round < 2; round++) {
		bv__usage_begin(&walk);
		do {
			progress = bv__usage_step(&walk, in_parts ? 0 : UINT64_MAX);
			parts++;
		} while (progress == BV_USAGE_MORE);
		EXPECT_INT(progress, BV_USAGE_WHOLE);
	}
	EXPECT(in_parts ? parts > 4 : parts == 2);
	found = walk.found;
	bv__usage_clear(&walk);
	return found;
}

static struct bv_usage_sum count_dir(void)
{
	const int place = open(dir, O_PATH | O_CLOEXEC);
	struct bv_usage_sum found, again;

	EXPECT(place >= 0);
	found = count(&place, 1, false);
	again = count(&place, 1, true);
	EXPECT(found.bytes == again.bytes && found.inodes == again.inodes &&
	       found.unseen == again.unseen);
	close(place);
	return found;
}

static void expect_as_du(void)
{
	const struct bv_usage_sum found = count_dir();

	EXPECT_UINT(found.bytes, du("-B1"));
	EXPECT_UINT(found.inodes, du("--inodes"));
	EXPECT_UINT(found.unseen, 0);
}

TEST(a_tree_is_counted_as_du_counts_it)
{
	begin();
	expect_as_du();
	run("mkdir -p a/b c && head -c 300000 /dev/zero >a/b/file && mkfifo c/pipe && : >c/empty");
	expect_as_du();
	/* Names of one file, links, holes. */
	run("ln a/b/file c/again && ln -s /usr outside && truncate -s 1G c/holes");
	expect_as_du();
	EXPECT_UINT(count_dir().longest_bytes, 1 << 30);
	run("mkdir many && cd many && seq 3000 | xargs touch && seq 3001 3300 | xargs mkdir");
	expect_as_du();
	run("rm -rf many");
	expect_as_du();
	end();
}

TEST(a_deep_tree_is_counted_and_one_too_deep_is_said_to_be)
{
	struct bv_usage_sum found;

	begin();
	run("i=0; while [ $i -lt 400 ]; do mkdir deeper; cd deeper; i=$((i+1)); done; echo x >end");
	expect_as_du();
	run("i=0; while [ $i -lt 700 ]; do cd -P deeper 2>/dev/null || { mkdir deeper && cd -P deeper; }; "
	    "i=$((i+1)); done; echo x >end");
	found = count_dir();
	EXPECT(found.unseen > 0);
	run("find . -depth -delete; true");
	end();
}

TEST(what_lies_in_two_places_is_counted_once)
{
	char inner[100], file[120];
	struct bv_usage_sum found;
	int places[3];

	begin();
	run("mkdir in && head -c 50000 /dev/zero >in/file");
	(void)snprintf(inner, sizeof(inner), "%s/in", dir);
	(void)snprintf(file, sizeof(file), "%s/in/file", dir);
	places[0] = open(file, O_PATH | O_CLOEXEC);
	places[1] = open(inner, O_PATH | O_CLOEXEC);
	places[2] = open(dir, O_PATH | O_CLOEXEC);
	found = count(places, 3, false);
	/* The inner directory's files were counted with the first place, and itself with the second. */
	EXPECT_UINT(found.bytes, du("-B1"));
	EXPECT_UINT(found.inodes, 3);
	end();
}

/* Whoever may write to a directory may hide in it what it writes, and whoever may not, may not. */
TEST(what_cannot_be_looked_into_is_said_to_be)
{
	SKIP_UNLESS(geteuid() == 0, "root is needed to become somebody else");
	begin();
	EXPECT(chmod(dir, 0777) == 0);
	run("mkdir -m 700 roots && mkdir -m 733 drop && echo x >roots/file");
	EXPECT(setegid(SOMEBODY) == 0 && seteuid(SOMEBODY) == 0);
	EXPECT_UINT(count_dir().unseen, 1); /* drop */
	run("mkdir mine && echo x >mine/file");
	EXPECT_UINT(count_dir().unseen, 1);
	EXPECT(seteuid(0) == 0);
	run("chmod 000 mine && chown %d mine", SOMEBODY);
	EXPECT(seteuid(SOMEBODY) == 0);
	EXPECT_UINT(count_dir().unseen, 2);
	EXPECT(seteuid(0) == 0);
	EXPECT_UINT(count_dir().unseen, 0);
	expect_as_du();
	end();
}

TEST(what_the_kernel_makes_up_is_not_stored)
{
	const int place = open("/proc/self", O_PATH | O_CLOEXEC);

	EXPECT_UINT(count(&place, 1, false).inodes, 1);
	close(place);
}

/* ---- who holds the limit --------------------------------------------------------------------- */

static struct bv_text_pair pairs[BV_FACT_COUNT];

/* A machine that has everything, but for `lacks`. */
static struct bv_profile_snapshot machine(enum bv_fact lacks)
{
	for (int fact = 0; fact < BV_FACT_COUNT; fact++)
		pairs[fact] = (struct bv_text_pair){bv_str_from(bv__fact_name((enum bv_fact)fact)),
						    fact == (int)lacks
							    ? BV_STR("no: EPERM at trying")
						    : fact == BV_FACT_MEMORY ? BV_STR("1000000")
						    : bv__fact_kind((enum bv_fact)fact) ==
								    BV_FACT_TRIED
							    ? BV_STR("yes")
							    : BV_STR("1")};
	return (struct bv_profile_snapshot){.backend = BV_STR("linux"),
					    .probed = {pairs, BV_FACT_COUNT}};
}

static struct bv_str root = {"/work", 5};
static uint32_t seven = 7;

static struct bv_capability files(enum bv_fs_access access)
{
	return (struct bv_capability){
		.tag = BV_CAP_FILESYSTEM,
		.u.filesystem = {.access = access,
				 .recursive = true,
				 .scope = {.roots = {&root, 1}}},
	};
}

struct choice {
	enum bv_fact lacks; /* BV_FACT_COUNT: nothing */
	struct bv_capability capability;
	struct bv_host_control control;
	bool stage, no_namespaces;
	enum bv_enforcement wanted;
};

static void check_choice(const struct choice *choice, size_t row)
{
	const struct bv_profile_snapshot snapshot = machine(choice->lacks);
	struct bv_capability capability = choice->capability;
	struct bv_host_control control = choice->control;
	const struct bv_boundary_spec spec = {
		.capabilities = {&capability, 1},
		.controls = {&control, 1},
		.has_execution = true,
		.execution = {.has_stage = choice->stage,
			      .stage = choice->stage,
			      .has_without = choice->no_namespaces,
			      .without = 1U << BV_LAYER_NAMESPACES},
	};
	struct bv_profile profile = {.reason = {NULL}};
	struct bv_budget_profile budgets;

	bv__linux_budgets(NULL, &snapshot, &spec, &budgets);
	EXPECT_THAT(budgets.storage_bytes.enforcement == choice->wanted, "row %zu", row);
	EXPECT_THAT(strstr(budgets.storage_bytes.mechanism.data,
			   choice->wanted == BV_ENFORCED ? "tmpfs_size" : "sampled_storage") !=
			    NULL,
		    "row %zu", row);
	/* What a file system in memory holds is memory. */
	if (choice->wanted == BV_ENFORCED)
		EXPECT_UINT(budgets.storage_bytes.available, 1000000);
	bv__linux_profile(NULL, &snapshot, &spec.execution, &profile);
	EXPECT(profile.budget_reason[BV_DIMENSION_STORAGE][0] != '\0' &&
	       profile.budget_remedy[BV_DIMENSION_STORAGE][0] != '\0');
	EXPECT_UINT(profile.budget_least[BV_DIMENSION_STORAGE], 4096);
}

TEST(storage_is_enforced_exactly_where_nothing_of_the_host_is_written_to)
{
	const struct bv_host_control shown = {
		.tag = BV_CONTROL_EXPOSE_PATH,
		.u.expose = {.source = root, .dest = root, .access = BV_FS_READ_WRITE},
	};
	const struct bv_host_control shown_to_read = {
		.tag = BV_CONTROL_EXPOSE_PATH,
		.u.expose = {.source = root, .dest = root, .access = BV_FS_READ},
	};
	const struct bv_capability inherits = {
		.tag = BV_CAP_INHERITED_FDS,
		.u.fds.policy = {.tag = BV_FDS_ONLY, .u.fds = {&seven, 1}},
	};
	const struct bv_host_control launch = {.tag = BV_CONTROL_LAUNCH};
	const enum bv_fact all = BV_FACT_COUNT;
	const struct choice choices[] = {
		{all, files(BV_FS_READ), launch, false, false, BV_ENFORCED},
		{all, files(BV_FS_EXECUTE), shown_to_read, false, false, BV_ENFORCED},
		{all, files(BV_FS_WRITE), launch, false, false, BV_MEDIATED},
		{all, files(BV_FS_READ_WRITE), launch, false, false, BV_MEDIATED},
		{all, files(BV_FS_READ), shown, false, false, BV_MEDIATED},
		{all, files(BV_FS_READ_WRITE), shown, true, false, BV_ENFORCED},
		{all, inherits, launch, false, false, BV_MEDIATED},
		{all, inherits, launch, true, false, BV_MEDIATED},
		{all, files(BV_FS_READ), launch, false, true, BV_MEDIATED},
		{all, files(BV_FS_READ_WRITE), launch, true, true, BV_MEDIATED},
		{BV_FACT_NAMESPACES, files(BV_FS_READ), launch, false, false, BV_MEDIATED},
		{BV_FACT_OVERLAY, files(BV_FS_READ_WRITE), launch, true, false, BV_MEDIATED},
		{BV_FACT_OVERLAY, files(BV_FS_READ), launch, false, false, BV_ENFORCED},
	};

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		check_choice(&choices[i], i);
}
