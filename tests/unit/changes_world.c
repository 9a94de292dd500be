/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The value that describes the changes is written here by hand, as docs/reference has it. */
#include "changes_world.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bvisor/journal.h>

#include "contract/canon.h"
#include "journal/blobs.h"
#include "linux/stage.h"

struct bv_error err;
char host[96];

enum { NODES = 11, OPEN = 6 };

/* host/
 *   changed   "before" -> "after"      gone      removed
 *   made/     new, with `in`, "inner"  link      new, to "made/in"
 *   taken/    there before, with `more`, "more"
 *   marked    mode 0600 -> 0640        open/     mode 0700 -> 0755, with `new` */
static const struct {
	const char *name, *text, *target;
	int parent;
	enum bv_delta_type type;
	int kind; /* -1: the same */
	bool merged;
} wanted[NODES] = {
	{"", NULL, NULL, -1, BV_DELTA_DIRECTORY, -1, true},
	{"changed", "after", NULL, 0, BV_DELTA_FILE, BV_DELTA_MODIFIED, false},
	{"gone", NULL, NULL, 0, BV_DELTA_FILE, BV_DELTA_REMOVED, false},
	{"link", NULL, "made/in", 0, BV_DELTA_SYMLINK, BV_DELTA_ADDED, false},
	{"made", NULL, NULL, 0, BV_DELTA_DIRECTORY, BV_DELTA_ADDED, false},
	{"marked", NULL, NULL, 0, BV_DELTA_FILE, BV_DELTA_ATTRIBUTES, false},
	{"open", NULL, NULL, 0, BV_DELTA_DIRECTORY, BV_DELTA_ATTRIBUTES, true},
	{"taken", NULL, NULL, 0, BV_DELTA_DIRECTORY, -1, true},
	{"in", "inner", NULL, 4, BV_DELTA_FILE, BV_DELTA_ADDED, false},
	{"new", "fresh", NULL, 6, BV_DELTA_FILE, BV_DELTA_ADDED, false},
	{"more", "more", NULL, 7, BV_DELTA_FILE, BV_DELTA_ADDED, false},
};

void put_text(const char *name, const char *text)
{
	char file[256];
	FILE *stream;

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	stream = fopen(file, "w");
	EXPECT(stream != NULL && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

const char *text_at(const char *name)
{
	char file[256];

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	return text_in(file);
}

const char *link_at(const char *name)
{
	static char target[64];
	char file[256];
	ssize_t len;

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	len = readlink(file, target, sizeof target - 1);
	target[len > 0 ? len : 0] = '\0';
	return target;
}

static void fill_nodes(struct bv_change_node nodes[NODES])
{
	for (size_t i = 0; i < NODES; i++) {
		nodes[i] = (struct bv_change_node){
			.name = bv_str_from(wanted[i].name),
			.type = wanted[i].type,
			.mode = wanted[i].type == BV_DELTA_DIRECTORY ? 0755 : 0640,
			.merged = wanted[i].merged,
			.modified_s = 1000000000,
			.has_parent = wanted[i].parent >= 0,
			.parent = (uint32_t)(wanted[i].parent >= 0 ? wanted[i].parent : 0),
			.has_kind = wanted[i].kind >= 0,
			.kind = (enum bv_delta_kind)(wanted[i].kind >= 0 ? wanted[i].kind : 0),
			.has_target = wanted[i].target != NULL,
		};
		if (wanted[i].target != NULL)
			nodes[i].target = bv_str_from(wanted[i].target);
		if (wanted[i].text == NULL)
			continue;
		nodes[i].size_bytes = strlen(wanted[i].text);
		nodes[i].has_content_hash = true;
		bv_hash_bytes(wanted[i].text, strlen(wanted[i].text), &nodes[i].content_hash);
	}
}

/* As a run remembers those of a directory that it gives others. */
static void put_rights(const char *name, struct bv_change_node *ret_node)
{
	char file[256];
	int fd;

	(void)snprintf(file, sizeof file, "%s/%s", host, name);
	fd = open(file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(fd >= 0 && bv__stage_digest_rights(fd, &ret_node->content_hash));
	ret_node->has_content_hash = true;
	close(fd);
}

static void keep_set(struct bv_journal *journal, const struct bv_change_set *set)
{
	static uint8_t memory[1 << 20];
	const struct bv_digest id = attempt_id(1);
	const struct bv_staged_artifact_list none = {NULL, 0};
	struct bv_kept_blob kept[NODES + 1];
	struct bv_kept_event event = {{kept, 0}};
	struct bv__blobs blobs;
	struct bv__blob blob;
	struct bv_arena arena;
	struct bv_str bytes;

	bv_arena_init(&arena, memory, sizeof memory);
	bytes = bv_canon_bytes(&arena, &bv_change_set_type, set);
	OK(bv__blobs_begin(journal, &id, &blobs, &err));
	OK(bv__blobs_put(&blobs, bytes.data, bytes.len, &blob, &err));
	kept[event.blobs.count++] = (struct bv_kept_blob){BV_STR("/changes"), blob.digest,
							  blob.size_bytes};
	for (size_t i = 0; i < NODES; i++) {
		if (wanted[i].text == NULL)
			continue;
		OK(bv__blobs_put(&blobs, wanted[i].text, strlen(wanted[i].text), &blob, &err));
		kept[event.blobs.count++] = (struct bv_kept_blob){
			bv_arena_format(&arena, "/changes/%zu", i), blob.digest, blob.size_bytes};
	}
	OK(bv__blobs_seal(&blobs, &err));
	append_attempt(journal, 1, &none, &event);
	bv__blobs_end(&blobs);
}

/* The host as it was, and what somebody may make of it. */
void begin_changes(void)
{
	struct bv_journal *journal;
	struct bv_change_node nodes[NODES];
	struct bv_change_root root = {.path = {host, 0}};
	struct bv_change_set set = {.roots = {&root, 1}, .nodes = {nodes, NODES}};
	struct timespec now, boot;
	char file[256];
	struct stat seen;

	scratch_make();
	(void)snprintf(host, sizeof host, "%s/host", scratch.dir);
	(void)snprintf(file, sizeof file, "%s/taken", host);
	EXPECT(mkdir(host, 0755) == 0 && mkdir(file, 0755) == 0);
	(void)snprintf(file, sizeof file, "%s/open", host);
	EXPECT(mkdir(file, 0700) == 0);
	put_text("changed", "before");
	put_text("marked", "as it is");
	(void)snprintf(file, sizeof file, "%s/marked", host);
	EXPECT(chmod(file, 0600) == 0);
	put_text("gone", "old");
	/* What was there was there before. */
	(void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	EXPECT(stat(host, &seen) == 0);
	root = (struct bv_change_root){bv_str_from(host), seen.st_dev, seen.st_ino};
	EXPECT(clock_gettime(CLOCK_REALTIME, &now) == 0 &&
	       clock_gettime(CLOCK_BOOTTIME, &boot) == 0);
	set.began_s = (uint64_t)now.tv_sec;
	set.began_ns = (uint32_t)now.tv_nsec;
	set.clock_ns = (uint64_t)((now.tv_sec - boot.tv_sec) * 1000000000L + now.tv_nsec -
				  boot.tv_nsec);
	(void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	fill_nodes(nodes);
	put_rights("open", &nodes[OPEN]);
	journal = open_scratch_journal();
	keep_set(journal, &set);
	bv__journal_close(journal);
}

struct bv_changes *changes_of(struct bv_journal *journal)
{
	const struct bv_digest id = attempt_id(1);
	struct bv_changes *changes = NULL;
	char hex[65];

	bv_digest_hex(&id, hex);
	if (bv_journal_changes(journal, hex, &changes, &err) != BV_OK)
		return NULL;
	return changes;
}
