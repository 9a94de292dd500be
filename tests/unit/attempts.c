/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "attempts.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codes.h"
#include "contract/canon.h"
#include "contract/report.h"
#include "journal_faults.h"

struct scratch scratch;
static struct bv_error err;

void scratch_remove(void)
{
	char command[128];

	(void)snprintf(command, sizeof command, "rm -rf %s", scratch.dir);
	(void)!system(command); /* what is left lies in /tmp */
}

void scratch_make(void)
{
	(void)snprintf(scratch.dir, sizeof scratch.dir, "/tmp/bvisor-kept.XXXXXX");
	EXPECT(mkdtemp(scratch.dir) != NULL);
	(void)atexit(scratch_remove);
	(void)snprintf(scratch.path, sizeof scratch.path, "%s/j.db", scratch.dir);
}

struct bv_journal *open_scratch_journal(void)
{
	struct bv_journal *journal = NULL;

	OK(bv__journal_open(&(struct bv__journal_options){.path = scratch.path, .busy_ms = 200},
			    &journal, &err));
	return journal;
}

struct bv_digest attempt_id(unsigned int number)
{
	struct bv_digest digest = {{7}};

	memcpy(digest.bytes + 4, &number, sizeof number);
	return digest;
}

void append_attempt(struct bv_journal *journal, unsigned int number,
		    const struct bv_staged_artifact_list *artifacts,
		    const struct bv_kept_event *kept)
{
	static uint8_t memory[4 << 20];
	const struct bv_digest id = attempt_id(number);
	const struct bv_started_event started = {.plan = {.schema_version = 1,
							  .backend = BV_STR("inert")},
						 .has_attempt = true,
						 .attempt = id};
	struct bv_request_event request = {.program = BV_STR("/bin/true"),
					   .backend = BV_STR("inert"),
					   .host_version = BV_STR("0")};
	struct bv_report_body body = {.schema_version = 1,
				      .backend = BV_STR("inert"),
				      .profile = {.backend = BV_STR("inert")},
				      .artifacts = *artifacts,
				      .has_attempt = true,
				      .attempt = id};
	struct bv_report_event report;
	struct bv_arena arena;

	bv_arena_init(&arena, memory, sizeof memory);
	bv__host_place(&arena, &request.place);
	OK(bv_report_seal(&arena, &body, &report.report, &err));

	const struct bv__entry entries[] = {
		{BV_EVENT_STARTED, bv_canon_bytes(&arena, &bv_started_event_type, &started)},
		{BV_EVENT_REQUEST, bv_canon_bytes(&arena, &bv_request_event_type, &request)},
		{BV_EVENT_REPORT, bv_canon_bytes(&arena, &bv_report_event_type, &report)},
		{BV_EVENT_KEPT, bv_canon_bytes(&arena, &bv_kept_event_type, kept)}};
	struct bv__append append = {.attempt = id, .entries = entries, .count = 4, .durable = true};

	OK(bv__journal_append(journal, &append, &err));
}

unsigned int entries_in(const char *directory, const char *prefix)
{
	DIR *stream = opendir(directory);
	const struct dirent *entry;
	unsigned int count = 0;

	EXPECT(stream != NULL);
	while ((entry = readdir(stream)) != NULL)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			 strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(stream);
	return count;
}

const char *text_in(const char *file)
{
	static char text[64];
	ssize_t got;
	int fd = open(file, O_RDONLY | O_NOFOLLOW);

	if (fd < 0)
		return "-";
	got = read(fd, text, sizeof text - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

bool killed_at(unsigned long n, void (*act)(struct bv_journal *))
{
	pid_t child = fork();
	int status;

	EXPECT(child >= 0);
	if (child == 0) {
		struct bv_journal *journal = open_scratch_journal();

		faults.operations = 0;
		faults.kill_at = n;
		act(journal);
		_exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child);
	EXPECT(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
	return WIFEXITED(status);
}
