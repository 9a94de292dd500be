/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* host.c - the parts of the Linux host that need no launcher: paths, grants, images, facts, memory. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/support.h"
#include "linux/facts.h"
#include "linux/grants.h"
#include "linux/ids.h"
#include "linux/image.h"
#include "linux/probe.h"
#include "linux/resolve.h"
#include "linux/stream.h"
#include "linux/sys.h"
#include "linux/trees.h"
#include "test.h"

static struct bv_arena arena;
static char scratch[64];

static void begin(void)
{
	static uint8_t memory[4 << 20];

	bv_arena_init(&arena, memory, sizeof(memory));
	strcpy(scratch, "/tmp/bvisor-host-XXXXXX");
	EXPECT(mkdtemp(scratch) != NULL);
}

static void end(void)
{
	char command[128];

	EXPECT(strncmp(scratch, "/tmp/bvisor-host-", 17) == 0);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", scratch);
	EXPECT(system(command) == 0);
}

static struct bv_str at(const char *name)
{
	return bv_arena_format(&arena, "%s/%s", scratch, name);
}

static void touch(const char *name)
{
	int fd = open(at(name).data, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	EXPECT(fd >= 0);
	close(fd);
}

/* ---- resolve --------------------------------------------------------------------------------- */

static int links_met;

static void count_link(void *context, struct bv_str path, struct bv_str target)
{
	(void)context;
	(void)path;
	(void)target;
	links_met++;
}

TEST(a_path_resolves_through_its_links)
{
	const struct bv_link_sink sink = {count_link, NULL};
	struct bv_seen seen;
	struct stat real;

	begin();
	EXPECT(mkdir(at("dir").data, 0755) == 0 && mkdir(at("dir/sub").data, 0755) == 0);
	touch("dir/sub/file");
	EXPECT(symlink("dir", at("rel").data) == 0 && symlink(at("rel").data, at("abs").data) == 0);
	EXPECT(symlink("../sub/file", at("dir/up").data) != 0 ||
	       symlink("sub/../sub/file", at("dir/odd").data) == 0);
	EXPECT_INT(bv__resolve(&arena, at("abs/sub/file"), &sink, &seen), 0);
	EXPECT_STR(seen.path.data, at("dir/sub/file").data);
	EXPECT_INT(links_met, 2);
	EXPECT(stat(at("dir/sub/file").data, &real) == 0);
	EXPECT(seen.device == real.st_dev && seen.inode == real.st_ino && S_ISREG(seen.mode));
	EXPECT_INT(bv__resolve(&arena, at("dir/odd"), NULL, &seen), 0);
	EXPECT_STR(seen.path.data, at("dir/sub/file").data);
	EXPECT_INT(bv__resolve(&arena, BV_STR("/"), NULL, &seen), 0);
	EXPECT_STR(seen.path.data, "/");
	EXPECT_INT(bv__resolve(&arena, BV_STR("//../.././"), NULL, &seen), 0);
	EXPECT_STR(seen.path.data, "/");
	end();
}

TEST(a_path_that_leads_nowhere_says_why)
{
	struct bv_seen seen;
	char *longest = malloc(5000);

	begin();
	touch("file");
	EXPECT(symlink("loop", at("loop").data) == 0 && symlink("gone", at("dangling").data) == 0);
	EXPECT_INT(bv__resolve(&arena, at("nothing/there"), NULL, &seen), ENOENT);
	EXPECT_INT(bv__resolve(&arena, at("dangling"), NULL, &seen), ENOENT);
	EXPECT_INT(bv__resolve(&arena, at("loop"), NULL, &seen), ELOOP);
	EXPECT_INT(bv__resolve(&arena, at("file/below"), NULL, &seen), ENOTDIR);
	memset(longest, 'x', 5000);
	longest[0] = '/';
	EXPECT_INT(bv__resolve(&arena, (struct bv_str){longest, 5000}, NULL, &seen), ENAMETOOLONG);
	EXPECT_INT(bv__resolve(&arena, (struct bv_str){longest, 300}, NULL, &seen), ENAMETOOLONG);
	EXPECT_INT(bv__resolve(&arena, (struct bv_str){"/a\0b", 4}, NULL, &seen), EINVAL);
	free(longest);
	end();
}

/* "!": whole, "k": the kernel's, "?": not known, "": fit. */
static const char *unfit(const char *mountinfo, const char *path)
{
	const char *why = bv__mounts_unfit(&arena, bv_str_from(mountinfo), bv_str_from(path));

	if (why == NULL)
		return "";
	return strstr(why, "host's / ") != NULL ? "!" : strstr(why, "/proc") != NULL ? "k" : "?";
}

#define MOUNTED(device, root, point, type)                                                         \
	"2 1 " device " " root " " point " rw shared:1 - " type " source rw\n"

TEST(a_tree_is_unfit_for_what_is_mounted_in_it_whatever_its_name)
{
	static const char table[] = MOUNTED("0:1", "/", "/", "rootfs")
		MOUNTED("8:1", "/os", "/", "ext4") MOUNTED("0:5", "/", "/proc", "proc")
			MOUNTED("0:6", "/", "/dev", "tmpfs") MOUNTED("8:1", "/", "/disk", "ext4")
				MOUNTED("8:1", "/os/home", "/home", "ext4")
					MOUNTED("0:5", "/", "/jail/a\\040b/proc", "proc")
						MOUNTED("0:7", "/", "/jail/data", "tmpfs")
							MOUNTED("0:6", "/shm", "/shm", "tmpfs");

	begin();
	EXPECT_STR(unfit(table, "/home"), "");
	EXPECT_STR(unfit(table, "/home/user"), "");
	EXPECT_STR(unfit(table, "/usr"), "");
	EXPECT_STR(unfit(table, "/jail/data"), "");
	EXPECT_STR(unfit(table, "/jail/a"), "");
	EXPECT_STR(unfit(table, "/processes"), "");
	EXPECT_STR(unfit(table, "/"), "!");
	EXPECT_STR(unfit(table, "/proc/self"), "k");
	EXPECT_STR(unfit(table, "/sys/kernel"), "k");
	EXPECT_STR(unfit(table, "/jail"), "k");
	EXPECT_STR(unfit(table, "/jail/a b/proc/1"), "k");
	EXPECT_STR(unfit(table, "/shm"), "k");
	/* The disk that / is a directory of. */
	EXPECT_STR(unfit(table, "/disk"), "!");
	EXPECT_STR(unfit(table, "/disk/os"), "!");
	EXPECT_STR(unfit(table, "/disk/other"), "");
	EXPECT_STR(unfit(table, "/disk/os/home"), "");
	end();
}

TEST(a_tree_is_unfit_where_its_mounts_are_not_known)
{
	begin();
	EXPECT_STR(unfit("nonsense\n", "/home"), "?");
	EXPECT_STR(unfit(MOUNTED("8:1", "/", "/", "ext4") "2 1 8:1\n", "/home"), "?");
	/* In a changed root that is no mount, one below could be of it. */
	EXPECT_STR(unfit(MOUNTED("8:1", "/", "/home/x", "ext4"), "/home"), "?");
	EXPECT_STR(unfit(MOUNTED("8:1", "/", "/home/x", "ext4"), "/home/x/y"), "");
	end();
}

TEST(parents_sort_before_children_and_dashes)
{
	EXPECT(bv__path_compare(BV_STR("/a"), BV_STR("/a/b")) < 0);
	EXPECT(bv__path_compare(BV_STR("/a/b"), BV_STR("/a-b")) < 0);
	EXPECT(bv__path_compare(BV_STR("/a-b"), BV_STR("/a")) > 0);
	EXPECT(bv__path_compare(BV_STR("/"), BV_STR("/a")) < 0);
	EXPECT_INT(bv__path_compare(BV_STR("/a"), BV_STR("/a")), 0);
}

/* ---- grants ---------------------------------------------------------------------------------- */

static void put(struct bv_grants *grants, const char *path, uint32_t rights, mode_t mode)
{
	const struct bv_seen seen = {.path = bv_str_from(path),
				     .device = 1,
				     .inode = grants->count + 2,
				     .mode = mode};

	bv__grants_put(grants, &seen, seen.path, rights, true);
}

static const struct bv_launch_mount *find_mount(const struct bv_launch_root *root, const char *dest)
{
	for (size_t i = 0; i < root->mounts.count; i++) {
		if (bv_str_is(root->mounts.items[i].dest, dest))
			return &root->mounts.items[i];
	}
	return NULL;
}

TEST(nested_grants_get_only_the_mounts_they_need)
{
	const struct bv_layers layers = {.namespaces = true, .landlock = true, .landlock_abi = 7};
	struct bv_launch_root root = {.tmp_bytes = 0};
	struct bv_launch_rule_list rules = {NULL, 0};
	struct bv_grants grants;
	struct bv_error err = {.code = BV_OK};

	begin();
	bv__grants_init(&grants, &arena);
	put(&grants, "/work/out", BV_RIGHT_WRITE, S_IFDIR);
	put(&grants, "/work", BV_RIGHT_READ, S_IFDIR);
	put(&grants, "/work/in", BV_RIGHT_READ, S_IFDIR);
	put(&grants, "/usr/lib", BV_RIGHT_READ | BV_RIGHT_MAP, S_IFDIR);
	put(&grants, "/usr/lib/ld.so", BV_RIGHT_READ | BV_RIGHT_EXECUTE, S_IFREG);
	put(&grants, "/work-other", BV_RIGHT_EXECUTE, S_IFDIR);
	EXPECT_INT(bv__grants_settle(&grants, &err), BV_OK);
	EXPECT_INT(bv__grants_to_root(&grants, &layers, false, &root, &rules, &err), BV_OK);
	EXPECT_UINT(root.mounts.count, 4);
	EXPECT(!find_mount(&root, "/work")->writable && !find_mount(&root, "/work")->executable);
	EXPECT(find_mount(&root, "/work/out")->writable &&
	       !find_mount(&root, "/work/out")->executable);
	EXPECT(find_mount(&root, "/work/in") == NULL);
	EXPECT(find_mount(&root, "/usr/lib")->executable &&
	       !find_mount(&root, "/usr/lib")->writable);
	EXPECT((find_mount(&root, "/usr/lib")->access & BV_LANDLOCK_EXECUTE) == 0);
	/* The interpreter is shown already; only the right to execute it has to be added. */
	EXPECT(find_mount(&root, "/usr/lib/ld.so") == NULL);
	EXPECT_UINT(rules.count, 1);
	EXPECT_STR(rules.items[0].path.data, "/usr/lib/ld.so");
	EXPECT_UINT(rules.items[0].access, BV_LANDLOCK_EXECUTE | BV_LANDLOCK_READ_FILE);
	EXPECT(find_mount(&root, "/work-other")->executable);
	end();
}

TEST(whatever_may_be_written_is_staged_and_nothing_else)
{
	const struct bv_layers layers = {.namespaces = true, .landlock = true, .landlock_abi = 7};
	struct bv_launch_root root = {.tmp_bytes = 0};
	struct bv_launch_rule_list rules = {NULL, 0};
	struct bv_grants grants;
	struct bv_error err = {.code = BV_OK};

	begin();
	bv__grants_init(&grants, &arena);
	put(&grants, "/in", BV_RIGHT_READ, S_IFDIR);
	put(&grants, "/out", BV_RIGHT_WRITE, S_IFDIR);
	put(&grants, "/out/tools", BV_RIGHT_EXECUTE, S_IFDIR);
	put(&grants, "/out/readable", BV_RIGHT_READ, S_IFREG);
	put(&grants, "/out/program", BV_RIGHT_READ | BV_RIGHT_EXECUTE, S_IFREG);
	put(&grants, "/dev/null", BV_RIGHT_READ | BV_RIGHT_WRITE, S_IFCHR);
	EXPECT_INT(bv__grants_settle(&grants, &err), BV_OK);
	EXPECT_INT(bv__grants_to_root(&grants, &layers, true, &root, &rules, &err), BV_OK);
	EXPECT_UINT(root.mounts.count, 5);
	EXPECT(!find_mount(&root, "/in")->has_staged &&
	       !find_mount(&root, "/dev/null")->has_staged);
	EXPECT(find_mount(&root, "/out")->staged && find_mount(&root, "/out/tools")->staged);
	/* Shown apart to be executed, and so the host's own: then it is not for writing. */
	EXPECT(!find_mount(&root, "/out/program")->has_staged &&
	       !find_mount(&root, "/out/program")->writable);
	/* A rule for the host's file would not be about the one in the overlay. */
	EXPECT_UINT(rules.count, 0);
	EXPECT_UINT(root.rules.count, 1);
	EXPECT_STR(root.rules.items[0].path.data, "/out/readable");
	EXPECT_UINT(root.rules.items[0].access, BV_LANDLOCK_READ_FILE);
	end();
}

TEST(rights_become_the_landlock_rights_of_their_abi)
{
	const uint64_t write = bv__landlock_access(BV_RIGHT_WRITE, S_IFDIR, 7);

	EXPECT_UINT(bv__landlock_access(BV_RIGHT_READ, S_IFDIR, 7),
		    BV_LANDLOCK_READ_FILE | BV_LANDLOCK_READ_DIR);
	EXPECT_UINT(bv__landlock_access(BV_RIGHT_READ, S_IFREG, 7), BV_LANDLOCK_READ_FILE);
	EXPECT((write & BV_LANDLOCK_TRUNCATE) != 0 && (write & BV_LANDLOCK_REFER) != 0);
	EXPECT((write & (BV_LANDLOCK_READ_FILE | BV_LANDLOCK_READ_DIR | BV_LANDLOCK_EXECUTE)) == 0);
	EXPECT((write & (BV_LANDLOCK_MAKE_CHAR | BV_LANDLOCK_MAKE_BLOCK | BV_LANDLOCK_MAKE_SOCK |
			 BV_LANDLOCK_MAKE_FIFO)) == 0);
	EXPECT((bv__landlock_access(BV_RIGHT_WRITE, S_IFDIR, 2) & BV_LANDLOCK_TRUNCATE) == 0);
	EXPECT((bv__landlock_access(BV_RIGHT_WRITE, S_IFDIR, 1) & BV_LANDLOCK_REFER) == 0);
	EXPECT_UINT(bv__landlock_access(BV_RIGHT_MAP, S_IFDIR, 7), 0);
	EXPECT((bv__landlock_access(BV_RIGHT_READ, S_IFCHR, 7) & BV_LANDLOCK_IOCTL_DEV) != 0);
	EXPECT_UINT(bv__landlock_access(7, S_IFDIR, 0), 0);
}

TEST(the_same_place_granted_twice_is_one_grant)
{
	struct bv_grants grants;
	struct bv_error err = {.code = BV_OK};

	begin();
	bv__grants_init(&grants, &arena);
	for (int i = 0; i < 300; i++)
		put(&grants, i % 2 ? "/a" : "/a/b", i % 2 ? BV_RIGHT_READ : BV_RIGHT_WRITE,
		    S_IFDIR);
	EXPECT_INT(bv__grants_settle(&grants, &err), BV_OK);
	EXPECT_UINT(grants.count, 2);
	EXPECT_UINT(grants.items[1].effective, BV_RIGHT_READ | BV_RIGHT_WRITE);
	EXPECT(bv__grants_cover(&grants, BV_STR("/a/b/c")) == &grants.items[1]);
	EXPECT(bv__grants_cover(&grants, BV_STR("/ab")) == NULL);
	end();
}

/* ---- images ---------------------------------------------------------------------------------- */

struct memory_file {
	const uint8_t *data;
	size_t size;
};

static size_t read_memory(void *context, uint64_t offset, void *data, size_t size_bytes)
{
	const struct memory_file *file = context;
	size_t count;

	if (offset >= file->size)
		return 0;
	count = file->size - (size_t)offset < size_bytes ? file->size - (size_t)offset : size_bytes;
	memcpy(data, file->data + offset, count);
	return count;
}

static struct bv_image parse(const void *data, size_t size)
{
	struct memory_file file = {data, size};
	const struct bv_image_source source = {read_memory, &file};
	struct bv_image image;

	EXPECT_INT(bv__image_parse(&arena, &source, &image), 0);
	return image;
}

TEST(a_script_line_is_read_as_the_kernel_reads_it)
{
	struct bv_image image;

	begin();
	image = parse("#!/bin/sh\n", 10);
	EXPECT_INT(image.kind, BV_IMAGE_SCRIPT);
	EXPECT_STR(image.interpreter.data, "/bin/sh");
	EXPECT_STR(image.argument.data, "");
	image = parse("#! \t/usr/bin/env  -S python3 -u \t\nrest", 38);
	EXPECT_STR(image.interpreter.data, "/usr/bin/env");
	EXPECT_STR(image.argument.data, "-S python3 -u");
	image = parse("#!/no/newline", 13);
	EXPECT_STR(image.interpreter.data, "/no/newline");
	image = parse("#!", 2);
	EXPECT_INT(image.kind, BV_IMAGE_SCRIPT);
	EXPECT_STR(image.interpreter.data, "");
	EXPECT_INT(parse("#", 1).kind, BV_IMAGE_UNKNOWN);
	EXPECT_INT(parse("", 0).kind, BV_IMAGE_UNKNOWN);
	end();
}

TEST(an_elf_file_names_its_interpreter)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr parts[2];
		char name[32];
	} file;
	struct bv_image image;

	begin();
	memset(&file, 0, sizeof(file));
	memcpy(file.header.e_ident, ELFMAG, SELFMAG);
	file.header.e_ident[EI_CLASS] = ELFCLASS64;
	file.header.e_phoff = sizeof(file.header);
	file.header.e_phentsize = sizeof(Elf64_Phdr);
	file.header.e_phnum = 2;
	EXPECT_INT(parse(&file, sizeof(file)).kind, BV_IMAGE_STATIC);
	file.parts[1].p_type = PT_INTERP;
	file.parts[1].p_offset = offsetof(__typeof__(file), name);
	file.parts[1].p_filesz = 12;
	memcpy(file.name, "/lib/ld.so.1", 12);
	/* Not terminated: the kernel refuses it, and so nothing is granted. */
	EXPECT_INT(parse(&file, sizeof(file)).kind, BV_IMAGE_UNKNOWN);
	file.parts[1].p_filesz = 13;
	image = parse(&file, sizeof(file));
	EXPECT_INT(image.kind, BV_IMAGE_DYNAMIC);
	EXPECT_STR(image.interpreter.data, "/lib/ld.so.1");
	file.parts[1].p_filesz = UINT64_MAX;
	EXPECT_INT(parse(&file, sizeof(file)).kind, BV_IMAGE_UNKNOWN);
	file.parts[1].p_filesz = 13;
	file.parts[1].p_offset = UINT64_MAX - 5;
	EXPECT_INT(parse(&file, sizeof(file)).kind, BV_IMAGE_UNKNOWN);
	file.header.e_phnum = 65535;
	file.parts[1].p_type = 0;
	EXPECT_INT(parse(&file, sizeof(file)).kind, BV_IMAGE_UNKNOWN);
	file.header.e_phentsize = 3;
	EXPECT_INT(parse(&file, sizeof(file)).kind, BV_IMAGE_UNKNOWN);
	end();
}

TEST(no_cut_or_flipped_image_does_harm)
{
	uint8_t data[4096];
	struct memory_file file = {data, 0};
	const struct bv_image_source source = {read_memory, &file};
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	begin();
	EXPECT(fd >= 0);
	got = read(fd, data, sizeof(data));
	EXPECT(got > 500);
	for (size_t size = 0; size < 700; size++) {
		struct bv_image image;

		file.size = size;
		arena.used = 0;
		(void)bv__image_parse(&arena, &source, &image);
	}
	file.size = (size_t)got;
	for (size_t i = 0; i < 700 * 8; i++) {
		struct bv_image image;

		data[i / 8] ^= (uint8_t)(1 << i % 8);
		arena.used = 0;
		(void)bv__image_parse(&arena, &source, &image);
		data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	end();
}

/* ---- ids ------------------------------------------------------------------------------------- */

TEST(private_ids_lie_in_the_map_and_are_never_0)
{
	struct bv_id_range range;

	EXPECT(bv__private_ids_in("         0          0 4294967295\n", &range));
	EXPECT(range.first >= 2147000000u && range.count > 100000 &&
	       range.first + range.count <= 2147483647u);
	EXPECT(bv__private_ids_in("0 1000 1\n1 100000 65536\n", &range));
	EXPECT(range.first > 1 && range.first + range.count <= 65537);
	EXPECT(!bv__private_ids_in("0 0 1\n", &range));
	EXPECT(!bv__private_ids_in("0 1000 1\n", &range));
	EXPECT(!bv__private_ids_in("", &range));
	EXPECT(!bv__private_ids_in("nonsense\n", &range));
	EXPECT(bv__private_ids_in("0 0 2\n", &range) && range.first == 1 && range.count == 1);
	/* Numbers that do not fit are passed over. */
	EXPECT(!bv__private_ids_in("99999999999999999999 0 5\n", &range));
	EXPECT(!bv__private_ids_in("4294967290 0 4294967295\n", &range) ||
	       range.first >= 4294967290u);
}

/* ---- facts and verdicts ---------------------------------------------------------------------- */

struct machine {
	struct bv_text_pair pairs[BV_FACT_COUNT];
	struct bv_profile_snapshot snapshot;
};

/* A machine that has everything; the named facts are replaced. */
static struct machine *make_machine(const char *const (*changes)[2], size_t change_count)
{
	static struct machine machine;

	for (int fact = 0; fact < BV_FACT_COUNT; fact++) {
		const char *name = bv__fact_name((enum bv_fact)fact);
		const char *value = bv__fact_kind((enum bv_fact)fact) == BV_FACT_TRIED ? "yes"
										       : "1";

		if (fact == BV_FACT_LANDLOCK_ABI)
			value = "7";
		if (fact == BV_FACT_OUTER_SECCOMP || fact == BV_FACT_APPARMOR_USERNS)
			value = "0";
		if (fact == BV_FACT_UID)
			value = "1000";
		for (size_t i = 0; i < change_count; i++) {
			if (strcmp(changes[i][0], name) == 0)
				value = changes[i][1];
		}
		machine.pairs[fact] = (struct bv_text_pair){bv_str_from(name), bv_str_from(value)};
	}
	machine.snapshot = (struct bv_profile_snapshot){.backend = BV_STR("linux"),
							.probed = {machine.pairs, BV_FACT_COUNT}};
	return &machine;
}

static struct bv_profile profile_of(const struct machine *machine,
				    const struct bv_execution_options *execution)
{
	struct bv_profile profile;

	bv__linux_profile(NULL, &machine->snapshot, execution, &profile);
	for (int kind = 0; kind < BV_KIND_COUNT; kind++) {
		EXPECT(profile.primitive[kind] != NULL && profile.reason[kind] != NULL &&
		       profile.remedy[kind] != NULL);
		/*
		 * A weak cell says why, and how to mend it; a strong one has nothing to excuse, unless
		 * some grants are weaker than it.
		 */
		EXPECT_THAT((profile.ceiling[kind].enforcement == BV_ENFORCED &&
			     strcmp(profile.primitive[kind], "private_root") != 0) ==
				    (profile.reason[kind][0] == '\0'),
			    "%s: '%s'", bv_kind_name((enum bv_requirement_kind)kind),
			    profile.reason[kind]);
		EXPECT((profile.reason[kind][0] == '\0') == (profile.remedy[kind][0] == '\0'));
	}
	return profile;
}

TEST(a_whole_machine_enforces_what_bvisor_can)
{
	const struct bv_profile profile = profile_of(make_machine(NULL, 0), NULL);

	EXPECT_INT(profile.ceiling[BV_KIND_FILESYSTEM].enforcement, BV_ENFORCED);
	EXPECT_INT(profile.ceiling[BV_KIND_NETWORK_DENY_ALL].enforcement, BV_ENFORCED);
	EXPECT_INT(profile.ceiling[BV_KIND_KILL].enforcement, BV_ENFORCED);
	EXPECT_INT(profile.ceiling[BV_KIND_NETWORK_ALLOW_LIST].enforcement, BV_UNSUPPORTED);
}

TEST(without_namespaces_the_reason_is_the_machines_own)
{
	static const struct {
		const char *changes[2][2];
		const char *word;
	} rows[] = {
		{{{"namespaces", "no: EPERM at writing uid_map"},
		  {"apparmor_restrict_unprivileged_userns", "1"}},
		 "AppArmor"},
		{{{"namespaces", "no: ENOSPC at clone"}, {"max_user_namespaces", "0"}},
		 "max_user_namespaces"},
		{{{"namespaces", "no: EPERM at clone"}, {"unprivileged_userns_clone", "0"}},
		 "unprivileged_userns_clone"},
		{{{"namespaces", "no: EPERM at clone"}, {"outer_seccomp", "2"}}, "outer sandbox"},
		{{{"namespaces", "no: EINVAL at clone"}, {"kernel", "6"}}, "cannot be used here"},
		{{{"namespaces", "no: ENOSYS at mount_setattr"}, {"kernel", "5.10"}}, "too old"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bv_profile profile = profile_of(make_machine(rows[i].changes, 2),
							     NULL);

		EXPECT_INT(profile.ceiling[BV_KIND_FILESYSTEM].enforcement, BV_MEDIATED);
		EXPECT_INT(profile.ceiling[BV_KIND_TEMP_ROOT].enforcement, BV_UNSUPPORTED);
		EXPECT_THAT(strstr(profile.reason[BV_KIND_FILESYSTEM], "Landlock alone") != NULL,
			    "%s", profile.reason[BV_KIND_FILESYSTEM]);
		EXPECT_THAT(strstr(profile.reason[BV_KIND_TEMP_ROOT], rows[i].word) != NULL, "%s",
			    profile.reason[BV_KIND_TEMP_ROOT]);
	}
}

TEST(an_old_landlock_alone_bounds_no_files)
{
	static const char *const changes[][2] = {{"namespaces", "no: EPERM at clone"},
						 {"landlock_abi", "2"}};
	const struct bv_profile profile = profile_of(make_machine(changes, 2), NULL);

	EXPECT_INT(profile.ceiling[BV_KIND_FILESYSTEM].enforcement, BV_UNSUPPORTED);
	EXPECT_INT(profile.ceiling[BV_KIND_NETWORK_DENY_ALL].enforcement, BV_ENFORCED);
}

TEST(a_machine_without_filters_runs_nothing)
{
	static const char *const changes[][2] = {
		{"seccomp_filter", "no: EINVAL at loading a filter"}};
	const struct bv_profile profile = profile_of(make_machine(changes, 1), NULL);

	for (int kind = 0; kind < BV_KIND_COUNT; kind++)
		EXPECT_INT(profile.ceiling[kind].enforcement, BV_UNSUPPORTED);
}

TEST(layers_left_out_weaken_their_cells_alone)
{
	const struct bv_execution_options no_netns = {.has_without = true,
						      .without = 1u << BV_LAYER_NETWORK_NAMESPACE};
	const struct bv_execution_options no_landlock = {.has_without = true,
							 .without = 1u << BV_LAYER_LANDLOCK};
	struct bv_profile profile = profile_of(make_machine(NULL, 0), &no_netns);
	struct bv_requirement write = {.tag = BV_REQ_CAPABILITY};

	EXPECT_STR(profile.primitive[BV_KIND_NETWORK_DENY_ALL], "seccomp_no_sockets");
	EXPECT_STR(profile.primitive[BV_KIND_FILESYSTEM], "private_root+landlock");
	profile = profile_of(make_machine(NULL, 0), &no_landlock);
	EXPECT_STR(profile.primitive[BV_KIND_FILESYSTEM], "private_root");
	/* A mount cannot be written to without being readable. */
	write.u.capability.tag = BV_CAP_FILESYSTEM;
	write.u.capability.u.filesystem = (struct bv_fs_capability){.access = BV_FS_WRITE,
								    .recursive = true};
	EXPECT_INT(bv__linux_classify(NULL, &write, &profile).enforcement, BV_MEDIATED);
	write.u.capability.u.filesystem.access = BV_FS_READ_WRITE;
	EXPECT_INT(bv__linux_classify(NULL, &write, &profile).enforcement, BV_ENFORCED);
	write.u.capability.u.filesystem.recursive = false;
	EXPECT_INT(bv__linux_classify(NULL, &write, &profile).enforcement, BV_UNSUPPORTED);
}

TEST(an_atomic_kill_needs_a_pid_namespace_or_a_control_group)
{
	static const char *const changes[][2] = {{"namespaces", "no: EPERM at clone"},
						 {"cgroup_join", "no: EACCES at being born in it"}};
	struct bv_requirement kill = {.tag = BV_REQ_HOST_CONTROL,
				      .u.control = {.tag = BV_CONTROL_KILL}};
	struct bv_profile profile = profile_of(make_machine(NULL, 0), NULL);

	kill.u.control.u.kill.guarantee = BV_KILL_ATOMIC;
	EXPECT_INT(bv__linux_classify(NULL, &kill, &profile).enforcement, BV_ENFORCED);
	profile = profile_of(make_machine(changes, 1), NULL);
	EXPECT_INT(bv__linux_classify(NULL, &kill, &profile).enforcement, BV_ENFORCED);
	profile = profile_of(make_machine(changes, 2), NULL);
	EXPECT_INT(bv__linux_classify(NULL, &kill, &profile).enforcement, BV_UNSUPPORTED);
	kill.u.control.u.kill.guarantee = BV_KILL_BEST_EFFORT;
	EXPECT_INT(bv__linux_classify(NULL, &kill, &profile).enforcement, BV_MEDIATED);
}

/* ---- what is remembered ---------------------------------------------------------------------- */

TEST(what_a_probe_found_is_remembered_for_its_key_alone)
{
	struct bv_probe_memory memory, back;
	struct bv_digest other;

	begin();
	memset(&memory, 0, sizeof(memory));
	memset(&memory.key, 7, sizeof(memory.key));
	memset(&memory.launcher, 8, sizeof(memory.launcher));
	memset(&other, 9, sizeof(other));
	memcpy(memory.facts, "some facts", 10);
	memory.facts_bytes = 10;
	bv__probe_remember(at("mem").data, &memory);
	EXPECT(bv__probe_recall(at("mem").data, &memory.key, &back));
	EXPECT(bv_digest_equal(&back.launcher, &memory.launcher));
	EXPECT_BYTES(back.facts, back.facts_bytes, "some facts", 10);
	EXPECT(!bv__probe_recall(at("mem").data, &other, &back));
	EXPECT(!bv__probe_recall(at("elsewhere").data, &memory.key, &back));
	end();
}

static void find_memory(char *ret_path, size_t size)
{
	char command[128];
	FILE *list;

	(void)snprintf(command, sizeof(command), "echo %s/mem/probe-*", scratch);
	list = popen(command, "re");
	EXPECT(list != NULL && fgets(ret_path, (int)size, list) != NULL && pclose(list) == 0);
	ret_path[strcspn(ret_path, "\n")] = '\0';
}

TEST(a_damaged_or_foreign_memory_is_none)
{
	struct bv_probe_memory memory, back;
	char path[256];
	struct stat seen;
	int fd;

	begin();
	memset(&memory, 0, sizeof(memory));
	memcpy(memory.facts, "some facts", 10);
	memory.facts_bytes = 10;
	bv__probe_remember(at("mem").data, &memory);
	find_memory(path, sizeof(path));
	EXPECT(stat(path, &seen) == 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT(fd >= 0);
	for (off_t i = 0; i < seen.st_size; i++) {
		uint8_t byte;

		EXPECT(pread(fd, &byte, 1, i) == 1);
		byte ^= 1;
		EXPECT(pwrite(fd, &byte, 1, i) == 1);
		EXPECT_THAT(!bv__probe_recall(at("mem").data, &memory.key, &back),
			    "byte %lld may be changed", (long long)i);
		byte ^= 1;
		EXPECT(pwrite(fd, &byte, 1, i) == 1);
	}
	EXPECT(bv__probe_recall(at("mem").data, &memory.key, &back));
	EXPECT(ftruncate(fd, seen.st_size - 1) == 0);
	EXPECT(!bv__probe_recall(at("mem").data, &memory.key, &back));
	bv__probe_remember(at("mem").data, &memory);
	EXPECT(bv__probe_recall(at("mem").data, &memory.key, &back));
	/* Others may read it, or enter the directory: then they may have written, too. */
	EXPECT(chmod(path, 0644) == 0 && !bv__probe_recall(at("mem").data, &memory.key, &back));
	EXPECT(chmod(path, 0600) == 0 && bv__probe_recall(at("mem").data, &memory.key, &back));
	EXPECT(chmod(at("mem").data, 0755) == 0 &&
	       !bv__probe_recall(at("mem").data, &memory.key, &back));
	close(fd);
	end();
}

/* ---- streams --------------------------------------------------------------------------------- */

TEST(a_stream_without_memory_for_more_keeps_its_beginning)
{
	struct bv_stream stream;
	int ends[2];

	EXPECT(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
	EXPECT_INT(bv__stream_init(&stream, 0, 10, 100, NULL), BV_OK);
	stream.fd = ends[0];
	EXPECT(write(ends[1], "0123456789abcdef", 16) == 16);
	EXPECT(!bv__stream_pump(&stream, 1 << 20, NULL, NULL));
	EXPECT(!bv__stream_done(&stream));
	close(ends[1]);
	EXPECT(!bv__stream_pump(&stream, 1 << 20, NULL, NULL));
	EXPECT(bv__stream_done(&stream) && stream.complete);
	EXPECT_UINT(stream.total_bytes, 16);
	EXPECT_BYTES(stream.kept, stream.kept_bytes, "0123456789", 10);
	bv__stream_clear(&stream);
}
