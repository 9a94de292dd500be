/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * launcher_sample.c - the launcher reads /proc, where a workload writes its own name.
 *
 * Every reader gets its text without a byte behind it, so that a look beyond the end is seen by the
 * sanitizers, and cut off at every length.
 */
#include "launcher/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

/* A copy that ends where memory does. */
static char *exact(const char *text, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	EXPECT(copy != NULL);
	memcpy(copy, text, size);
	return copy;
}

/* ---- stat ------------------------------------------------------------------------------------ */

/* Fields of proc(5) from the third on, each with its own value. */
static const char rest[] =
	" R 2 3 4 5 -1 4194304 1000 1001 20 21 7 8 30 40 20 0 5 0 12345 999424 244 "
	"18446744073709551615 1 2 3 4 5 6 7 8 9 0 0 0 17 1 0 0 0 0 0 1 2 3 4 5 6 7 0\n";

static void expect_stat_named(const char *name, size_t name_size)
{
	char text[1024];
	struct sample_stat stat;
	size_t size = (size_t)snprintf(text, sizeof(text), "4711 (");
	char *copy;

	memcpy(text + size, name, name_size);
	size += name_size;
	size += (size_t)snprintf(text + size, sizeof(text) - size, ")%s", rest);
	copy = exact(text, size);
	EXPECT_THAT(sample_stat(copy, size, &stat), "not read: %.*s", (int)size, text);
	free(copy);
	EXPECT_INT(stat.state, 'R');
	EXPECT_UINT(stat.faults, 1020);
	EXPECT_UINT(stat.ticks, 15);
	EXPECT_UINT(stat.waited_ticks, 70);
	EXPECT_UINT(stat.threads, 5);
	EXPECT_UINT(stat.start, 12345);
	EXPECT_UINT(stat.pages, 244);
	EXPECT_INT(stat.parent, 2);
}

TEST(a_process_is_read_whatever_it_calls_itself)
{
	static const char *const names[] = {
		"bash",
		"",
		")",
		"(",
		") R 1 (",
		") Z 0 0 0 0 0 0 ",
		")))))",
		"a b c",
		"\\n",
		") R 1 (1) Z 0",
		"1 2 3 4 5 6 7 8 9",
		"\t\n\v",
		") ",
		")\n R 1",
		"\xff\xfe",
		"4711 (",
		") S",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_stat_named(names[i], strlen(names[i]));
}

/* All bytes a name can have, in all lengths up to the kernel's. */
TEST(random_names_change_nothing)
{
	uint64_t seed = 0x2545f4914f6cdd1du;

	for (int round = 0; round < 20000; round++) {
		char name[64];
		size_t size = (size_t)(round % 64);

		for (size_t i = 0; i < size; i++) {
			static const char likely[] = "() RZ01\n";

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			name[i] = (seed >> 62) ? likely[(seed >> 40) % (sizeof(likely) - 1)]
					       : (char)(seed >> 50);
		}
		expect_stat_named(name, size);
	}
}

TEST(half_a_stat_is_none)
{
	char text[1024];
	const size_t size = (size_t)snprintf(text, sizeof(text), "4711 (a)%s", rest);
	/* Up to the last field that is used. */
	const size_t enough = (size_t)(strstr(text, " 244 ") - text) + 2;
	struct sample_stat stat;

	for (size_t cut = 0; cut < size; cut++) {
		char *copy = exact(text, cut);

		EXPECT_THAT(sample_stat(copy, cut, &stat) == (cut >= enough), "%zu bytes", cut);
		free(copy);
	}
}

TEST(numbers_without_end_are_the_largest)
{
	const char text[] = "1 (a) S 1 1 1 1 1 1 99999999999999999999999999 0 1 0 "
			    "18446744073709551615 18446744073709551615 0 0 20 0 "
			    "99999999999999999 0 77777777777777777777777 0 1";
	struct sample_stat stat;

	EXPECT(sample_stat(text, sizeof(text) - 1, &stat));
	EXPECT_UINT(stat.faults, UINT64_MAX);
	EXPECT_UINT(stat.ticks, UINT64_MAX);
	EXPECT_UINT(stat.threads, UINT32_MAX);
	EXPECT_UINT(stat.start, UINT64_MAX);
}

/* ---- status, smaps_rollup -------------------------------------------------------------------- */

TEST(a_status_is_read_by_its_lines)
{
	/* The kernel writes a newline in a name as two characters. */
	static const char text[] =
		"Name:\tRssAnon:\\nVmSwap: 9 kB\nUmask:\t0022\nState:\tR\n"
		"VmPeak:\t    9000 kB\nVmRSS:\t    5000 kB\nRssAnon:\t     100 kB\n"
		"RssFile:\t    4800 kB\nRssShmem:\t      20 kB\nVmPTE:\t      48 kB\n"
		"VmSwap:\t       3 kB\nThreads:\t1\n";
	struct sample_status status;

	sample_status(text, sizeof(text) - 1, &status);
	EXPECT_UINT(status.anonymous, 100 * 1024);
	EXPECT_UINT(status.shared, 20 * 1024);
	EXPECT_UINT(status.tables, 48 * 1024);
	EXPECT_UINT(status.swapped, 3 * 1024);
	/* A zombie has none of it, and what was read before is not left standing. */
	sample_status("Name:\ta\nState:\tZ\n", 17, &status);
	EXPECT_UINT(status.anonymous + status.shared + status.tables + status.swapped, 0);
	sample_status("RssAnon: 99999999999999999999 kB", 32, &status);
	EXPECT_UINT(status.anonymous, UINT64_MAX);
	for (size_t cut = 0; cut < sizeof(text) - 1; cut++) {
		char *copy = exact(text, cut);

		sample_status(copy, cut, &status);
		EXPECT(status.anonymous <= 100 * 1024);
		free(copy);
	}
}

TEST(a_share_is_told_only_where_kinds_are_told_apart)
{
	static const char text[] = "00400000-7ffd0000 ---p 00000000 00:00 0    [rollup]\n"
				   "Rss:                9000 kB\nPss:                5000 kB\n"
				   "Pss_Dirty:           200 kB\nPss_Anon:            300 kB\n"
				   "Pss_File:           4600 kB\nPss_Shmem:            50 kB\n"
				   "Swap:                 80 kB\nSwapPss:              40 kB\n";
	struct sample_share share;

	EXPECT(sample_rollup(text, sizeof(text) - 1, &share));
	EXPECT_UINT(share.anonymous, 340 * 1024);
	EXPECT_UINT(share.shared, 50 * 1024);
	EXPECT(!sample_rollup("Pss: 5000 kB\nSwapPss: 4 kB\n", 27, &share));
	EXPECT(!sample_rollup("", 0, &share));
}

/* ---- smaps ----------------------------------------------------------------------------------- */

static enum sample_map_line line_of(const char *text, struct sample_map *map)
{
	const size_t size = strlen(text);
	char *copy = exact(text, size);
	enum sample_map_line kind;

	*map = (struct sample_map){0};
	kind = sample_map_line(copy, size, map);
	free(copy);
	return kind;
}

TEST(lines_of_a_map_are_told_apart)
{
	struct sample_map map;

	EXPECT_INT(line_of("7f0a1c000000-7f0a1e000000 rw-s 00000000 00:01 2049      /memfd:Pss: 9 "
			   "kB (deleted)",
			   &map),
		   SAMPLE_MAP_BEGINS);
	EXPECT_UINT(map.device_major, 0);
	EXPECT_UINT(map.device_minor, 1);
	EXPECT_UINT(map.inode, 2049);
	EXPECT_INT(line_of("a-b r--p 00001000 fd:a0 77 /x", &map), SAMPLE_MAP_BEGINS);
	EXPECT_UINT(map.device_major, 0xfd);
	EXPECT_UINT(map.device_minor, 0xa0);
	EXPECT_INT(line_of("00400000-00401000 r--p 00000000 00:00 0 ", &map), SAMPLE_MAP_BEGINS);
	EXPECT_UINT(map.inode, 0);
	EXPECT_INT(line_of("Pss:                  12 kB", &map), SAMPLE_MAP_SHARE);
	EXPECT_UINT(map.bytes, 12 * 1024);
	EXPECT_INT(line_of("Anonymous:             3 kB", &map), SAMPLE_MAP_ANONYMOUS);
	EXPECT_INT(line_of("Pss_Dirty:            12 kB", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("VmFlags: rd wr mr mw", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("abc", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("a-b", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("a-b rw-p 0 00", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("a-b rw-p 0 00:", &map), SAMPLE_MAP_OTHER);
	EXPECT_INT(line_of("a-b rw-p 0 00:01 ", &map), SAMPLE_MAP_OTHER);
}

/* ---- the others ------------------------------------------------------------------------------ */

TEST(segments_are_added_up)
{
	static const char text[] =
		"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  "
		"cuid  cgid      atime      dtime      ctime                   rss                  "
		"swap\n"
		"         0          0   600              67108864     3     3      0  1000  1000  1000"
		"  1000 1764209000 1764209001 1764209000              67108864                  4096\n"
		"-559038737          1  1600                  4096     3     3      1  1000  1000  1000"
		"  1000 1764209000          0 1764209000                  4096                     0\n";

	EXPECT_UINT(sample_table(SAMPLE_SEGMENTS, text, sizeof(text) - 1), 67108864 + 4096 + 4096);
	EXPECT_UINT(sample_table(SAMPLE_SEGMENTS, "", 0), 0);
	/* Cut off where the buffer ended: what is whole counts. */
	EXPECT_UINT(sample_table(SAMPLE_SEGMENTS, text, sizeof(text) - 30), 67108864 + 4096);
}

TEST(queues_and_semaphores_are_added_up)
{
	static const char queues[] =
		"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  "
		"cgid      stime      rtime      ctime\n"
		"         0          0   600       16384          2     3     0     0     0     0     "
		"0 1764209000          0 1764209000\n"
		"         7          1   600           0      16384     3     0     0     0     0     "
		"0 1764209000          0 1764209000\n";
	static const char sets[] =
		"       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
		"ctime\n"
		"         0          0   600      32000     0     0     0     0          0 1764209000\n";

	/* A message that holds nothing takes room all the same. */
	EXPECT_UINT(sample_table(SAMPLE_QUEUES, queues, sizeof(queues) - 1),
		    16384 + 2 * 64 + 16384 * 64 + 2 * 256);
	EXPECT_UINT(sample_table(SAMPLE_SEMAPHORES, sets, sizeof(sets) - 1), 32000 * 64 + 256);
	EXPECT_UINT(sample_table(SAMPLE_SEMAPHORES, "0 0 600\n", 8), 0);
	EXPECT_UINT(sample_table(SAMPLE_SEMAPHORES, "0 0 600 99999999999999999999\n", 29),
		    UINT64_MAX);
}

TEST(processors_are_counted)
{
	EXPECT_UINT(sample_processors("0-1\n", 4), 2);
	EXPECT_UINT(sample_processors("0\n", 2), 1);
	EXPECT_UINT(sample_processors("0-3,6,8-9\n", 10), 7);
	EXPECT_UINT(sample_processors("", 0), 0);
	EXPECT_UINT(sample_processors("\n", 1), 0);
	EXPECT_UINT(sample_processors("3-1\n", 4), 0);
	EXPECT_UINT(sample_processors("0-", 2), 0);
	EXPECT_UINT(sample_processors("0,", 2), 0);
}

TEST(lists_end_where_they_end)
{
	const char text[] = "12 345  6\n";
	const char *at = text, *end = text + sizeof(text) - 1;
	uint64_t number = 0;

	EXPECT(sample_next(&at, end, &number) && number == 12);
	EXPECT(sample_next(&at, end, &number) && number == 345);
	EXPECT(sample_next(&at, end, &number) && number == 6);
	EXPECT(!sample_next(&at, end, &number));
	EXPECT(!sample_next(&at, end, &number));
}

TEST(time_ran_and_time_ready_are_told_apart)
{
	uint64_t ran = 0, ready = 0;

	EXPECT(sample_schedstat("123456789 42 7\n", 15, &ran, &ready));
	EXPECT_UINT(ran, 123456789);
	EXPECT_UINT(ready, 42);
	EXPECT(!sample_schedstat("", 0, &ran, &ready));
	EXPECT(!sample_schedstat("12", 2, &ran, &ready));
}

/* Anything at all: nothing is read beyond the end, and nothing loops. */
TEST(no_text_whatever_does_harm)
{
	uint64_t seed = 88172645463325252u;

	for (int round = 0; round < 50000; round++) {
		static const char likely[] = " \n\t()-:0123456789abcRssAnonPssVmSwapkB/SYSV";
		char text[160];
		const size_t size = (size_t)(round % 160);
		struct sample_status status;
		struct sample_share share;
		struct sample_stat stat;
		struct sample_map map = {0};
		uint64_t one, two;
		char *copy;

		for (size_t i = 0; i < size; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			text[i] = likely[seed % (sizeof(likely) - 1)];
		}
		copy = exact(text, size);
		(void)sample_stat(copy, size, &stat);
		sample_status(copy, size, &status);
		(void)sample_rollup(copy, size, &share);
		(void)sample_map_line(copy, size, &map);
		(void)sample_schedstat(copy, size, &one, &two);
		for (int i = 0; i < SAMPLE_TABLES; i++)
			(void)sample_table((enum sample_table)i, copy, size);
		(void)sample_processors(copy, size);
		free(copy);
	}
}
