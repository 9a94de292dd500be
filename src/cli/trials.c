/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The acts doctor has committed, one row each, and how it sees from outside what became of them. */
#include "lab.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Oracles --------------------------------------------------------------------------------- */

bool cli_was_said(struct cli_lab *lab, const char *text, const struct cli_went *went)
{
	(void)lab;
	return memmem(went->output, went->output_bytes, text, strlen(text)) != NULL;
}

bool cli_exists(struct cli_lab *lab, const char *path, const struct cli_went *went)
{
	struct stat st;

	(void)lab;
	(void)went;
	return lstat(path, &st) == 0;
}

/* A signal takes a moment to be handled. */
static bool appears(struct cli_lab *lab, const char *path, const struct cli_went *went)
{
	for (int i = 0; i < 10 && !cli_exists(lab, path, went); i++)
		(void)poll(NULL, 0, 10);
	return cli_exists(lab, path, went);
}

/* Every file that is looked at starts with these ten bytes. */
bool cli_grew(struct cli_lab *lab, const char *path, const struct cli_went *went)
{
	struct stat st;

	(void)lab;
	(void)went;
	return stat(path, &st) == 0 && st.st_size != (off_t)strlen("untouched\n");
}

static bool has_no_mode(struct cli_lab *lab, const char *path, const struct cli_went *went)
{
	struct stat st;

	(void)lab;
	(void)went;
	return stat(path, &st) == 0 && (st.st_mode & 0777) == 0;
}

bool cli_is_stored_whole(struct cli_lab *lab, const char *path, const struct cli_went *went)
{
	struct stat st;

	(void)lab;
	(void)went;
	return stat(path, &st) == 0 && st.st_size == 8 << 20;
}

static bool are_more_than_eight(struct cli_lab *lab, const char *dir, const struct cli_went *went)
{
	char path[256];
	int count = 0;

	(void)lab;
	(void)went;
	for (int i = 0; i < 64; i++) {
		(void)snprintf(path, sizeof path, "%s/%d", dir, i);
		count += access(path, F_OK) == 0;
	}
	return count > 8;
}

bool cli_was_contacted(struct cli_lab *lab, const char *which, const struct cli_went *went)
{
	int listener = *which == 't'   ? lab->tcp
		       : *which == 'u' ? lab->udp
		       : *which == 'a' ? lab->abstract_socket
				       : lab->path_socket;
	char byte;
	int fd;

	(void)went;
	if (listener == lab->udp)
		return recv(listener, &byte, 1, MSG_DONTWAIT) > 0;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return false;
	(void)close(fd); /* nothing was sent */
	return true;
}

/* A lock lives as long as whoever took it. */
static bool is_locked(struct cli_lab *lab, const char *path, const struct cli_went *went)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	bool locked;

	(void)lab;
	(void)went;
	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_EX | LOCK_NB) != 0;
	(void)close(fd); /* nothing was written */
	return locked;
}

bool cli_is_listed(struct cli_lab *lab, const char *where, const struct cli_went *went)
{
	(void)lab;
	(void)where;
	return went->changes == 1;
}

bool cli_has_status(struct cli_lab *lab, const char *status, const struct cli_went *went)
{
	(void)lab;
	return went->status == atoi(status);
}

/* ---- What else a trial asks for -------------------------------------------------------------- */

static enum bv_code spawn_none(struct bv_spec *spec, const struct cli_lab *lab,
			       struct bv_error *err)
{
	(void)lab;
	return bv_spec_spawn(spec, BV_SPAWN_NONE, err);
}

static enum bv_code spawn_threads(struct bv_spec *spec, const struct cli_lab *lab,
				  struct bv_error *err)
{
	(void)lab;
	return bv_spec_spawn(spec, BV_SPAWN_THREADS, err);
}

static enum bv_code variable(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	return bv_spec_env(spec, "GIVEN", lab->token, err);
}

static enum bv_code inherit(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	return bv_spec_inherit_fd(spec, lab->planted_fd, err);
}

static enum bv_code inherit_other(struct bv_spec *spec, const struct cli_lab *lab,
				  struct bv_error *err)
{
	return bv_spec_inherit_fd(spec, lab->tcp, err);
}

static enum bv_code private_tmp(struct bv_spec *spec, const struct cli_lab *lab,
				struct bv_error *err)
{
	(void)lab;
	return bv_spec_tmp(spec, 4 << 20, err);
}

static enum bv_code write_only(struct bv_spec *spec, const struct cli_lab *lab,
			       struct bv_error *err)
{
	char path[256];

	cli_lab_expand(lab, "%d/writable", path, sizeof path);
	return bv_spec_grant(spec, BV_GRANT_WRITE, path, err);
}

static enum bv_code expose(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	char path[256];

	cli_lab_expand(lab, "%r", path, sizeof path);
	return bv_spec_expose(spec, path, "/shown", BV_GRANT_READ, err);
}

static enum bv_code strict(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	(void)lab;
	return bv_spec_syscalls(spec, BV_USE_SYSCALLS_STRICT, err);
}

static enum bv_code stage(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	(void)lab;
	return bv_spec_stage(spec, true, err);
}

#define LIMIT(name, dimension, limit)                                                              \
	static enum bv_code name(struct bv_spec *spec, const struct cli_lab *lab,                  \
				 struct bv_error *err)                                             \
	{                                                                                          \
		(void)lab;                                                                         \
		return bv_spec_budget(spec, dimension, limit, err);                                \
	}

LIMIT(limit_wall, BV_BUDGET_WALL, 200000)
LIMIT(limit_cpu, BV_BUDGET_CPU, 300000)
LIMIT(limit_memory, BV_BUDGET_MEMORY, 64 << 20)
LIMIT(limit_processes, BV_BUDGET_PROCESSES, 8)
LIMIT(limit_handles, BV_BUDGET_HANDLES, 32)
LIMIT(limit_storage, BV_BUDGET_STORAGE, 1 << 20)
LIMIT(limit_network, BV_BUDGET_NETWORK, 0)

/* ---- The table ------------------------------------------------------------------------------- */

#define FORBIDDEN .allowed = false
#define ALLOWED .allowed = true

const struct cli_trial cli_trials[] = {
	{"Filesystem", "read a file outside", FORBIDDEN, .args = {"read", "%o/secret"},
	 .happened = cli_was_said, .where = "%t"},
	{"Filesystem", "see that a file outside exists", FORBIDDEN, .args = {"stat", "%o/secret"},
	 .happened = cli_was_said, .where = "size "},
	{"Filesystem", "write to a file outside", FORBIDDEN, .args = {"append", "%o/victim"},
	 .happened = cli_grew, .where = "%o/victim"},
	{"Filesystem", "create a file outside", FORBIDDEN, .args = {"create", "%o/new"},
	 .happened = cli_exists, .where = "%o/new"},
	{"Filesystem", "change the mode of a file outside", FORBIDDEN,
	 .args = {"chmod", "%o/victim"}, .happened = has_no_mode, .where = "%o/victim"},
	{"Filesystem", "write below a root granted for reading", FORBIDDEN,
	 .args = {"append", "%r/log"}, .happened = cli_grew, .where = "%r/log"},
	{"Filesystem", "read below a root granted for writing", FORBIDDEN,
	 .args = {"read", "%d/writable/file"}, .ask = write_only, .happened = cli_was_said,
	 .where = "%t"},
	{"Filesystem", "execute below a root granted for reading and writing", FORBIDDEN,
	 .args = {"exec", "%w/tool", "%t"}, .happened = cli_was_said, .where = "%t"},
	{"Filesystem", "read below a root granted for reading", ALLOWED,
	 .args = {"read", "%r/file"}, .happened = cli_was_said, .where = "%t"},
	{"Filesystem", "create below a root granted for writing", ALLOWED,
	 .args = {"create", "%w/new"}, .happened = cli_exists, .where = "%w/new"},

	{"NetworkDenyAll", "reach a TCP port of this machine", FORBIDDEN, .args = {"tcp", "%p"},
	 .happened = cli_was_contacted, .where = "tcp"},
	{"NetworkDenyAll", "send a UDP packet to this machine", FORBIDDEN, .args = {"udp", "%u"},
	 .happened = cli_was_contacted, .where = "udp"},
	{"NetworkDenyAll", "reach an abstract Unix socket", FORBIDDEN, .args = {"unix", "%s"},
	 .happened = cli_was_contacted, .where = "abstract"},
	{"NetworkDenyAll", "reach a Unix socket outside", FORBIDDEN, .args = {"unix", "%d/socket"},
	 .happened = cli_was_contacted, .where = "path"},

	{"ChildSpawnDenyNewTasks", "make a process", FORBIDDEN, .args = {"fork", "%w/new"},
	 .ask = spawn_none, .happened = cli_exists, .where = "%w/new"},
	{"ChildSpawnDenyNewTasks", "make a thread", FORBIDDEN, .args = {"thread", "%w/new"},
	 .ask = spawn_none, .happened = cli_exists, .where = "%w/new"},
	{"ChildSpawnAllowThreads", "make a process", FORBIDDEN, .args = {"fork", "%w/new"},
	 .ask = spawn_threads, .happened = cli_exists, .where = "%w/new"},
	{"ChildSpawnAllowThreads", "make a thread", ALLOWED, .args = {"thread", "%w/new"},
	 .ask = spawn_threads, .happened = cli_exists, .where = "%w/new"},
	{"ChildSpawnAllowDescendants", "make a process", ALLOWED, .args = {"fork", "%w/new"},
	 .happened = cli_exists, .where = "%w/new"},
	{"ChildSpawnAllowDescendants", "leave a daemon behind", FORBIDDEN,
	 .args = {"daemon", "%w/lock"}, .happened = is_locked, .where = "%w/lock"},
	{"ChildSpawnAllowDescendants", "signal a process outside", FORBIDDEN,
	 .args = {"signal", "%v"}, .happened = appears, .where = "%o/signalled"},
	{"ChildSpawnAllowDescendants", "read the memory of a process outside", FORBIDDEN,
	 .args = {"peek", "%v", "%a"}, .happened = cli_was_said, .where = "%t"},

	{"Environment", "read a variable it was not given", FORBIDDEN, .args = {"environ"},
	 .happened = cli_was_said, .where = "BVISOR_DOCTOR_PLANTED"},
	{"Environment", "read a variable it was given", ALLOWED, .args = {"environ"},
	 .ask = variable, .happened = cli_was_said, .where = "%t"},
	{"InheritedFdsNone", "read a descriptor somebody left open", FORBIDDEN, .args = {"fds"},
	 .happened = cli_was_said, .where = "%t"},
	{"InheritedFdsOnly", "read a descriptor it was not given", FORBIDDEN, .args = {"fds"},
	 .ask = inherit_other, .happened = cli_was_said, .where = "%t"},
	{"InheritedFdsOnly", "read a descriptor it was given", ALLOWED, .args = {"fds"},
	 .ask = inherit, .happened = cli_was_said, .where = "%t"},

	{"LaunchWorkload", "tell its exit code", ALLOWED, .args = {"exit", "42"},
	 .happened = cli_has_status, .where = "42"},
	{"LaunchWorkload", "tell which signal killed it", ALLOWED, .args = {"die", "10"},
	 .happened = cli_has_status, .where = "138"},
	{"LaunchWorkload", "speak by a system call that --syscalls strict leaves out", FORBIDDEN,
	 .args = {"splice", "%t"}, .ask = strict, .happened = cli_was_said, .where = "%t"},
	{"CaptureStreams", "be heard on standard output", ALLOWED, .args = {"both", "%t", "x"},
	 .happened = cli_was_said, .where = "%t"},
	{"TempRoot", "leave a file in everybody's /tmp", FORBIDDEN, .args = {"create", "/tmp/%t"},
	 .ask = private_tmp, .happened = cli_exists, .where = "/tmp/%t"},
	{"TempRoot", "use its own /tmp", ALLOWED, .args = {"create", "/tmp/%t"}, .ask = private_tmp,
	 .happened = cli_has_status, .where = "0"},
	{"TempRoot", "store 8 MiB in a /tmp of 4", FORBIDDEN, .args = {"store", "/tmp/%t", "8"},
	 .ask = private_tmp, .happened = cli_has_status, .where = "0"},
	{"ExposePath", "read what is shown elsewhere", ALLOWED, .only_inside = true,
	 .args = {"read", "/shown/file"}, .ask = expose, .happened = cli_was_said, .where = "%t"},
	{"ExposePath", "write what is shown for reading", FORBIDDEN, .only_inside = true,
	 .args = {"append", "/shown/log"}, .ask = expose, .happened = cli_grew, .where = "%r/log"},
	{"CommitArtifact", "change a file once that is committed", ALLOWED, .commits = true,
	 .args = {"append", "%w/log"}, .ask = stage, .happened = cli_grew, .where = "%w/log"},
	{"DiscardArtifact", "change a file of a staged directory", FORBIDDEN,
	 .args = {"append", "%w/log"}, .ask = stage, .happened = cli_grew, .where = "%w/log"},
	{"ListOutputs", "have a change of a staged directory listed", ALLOWED, .only_inside = true,
	 .args = {"append", "%w/log"}, .ask = stage, .happened = cli_is_listed, .where = ""},
	{"Kill", "outlive the kill", FORBIDDEN, .kills = true, .args = {"linger", "%w/lock"},
	 .happened = is_locked, .where = "%w/lock"},

	{"Budget wall", "run on past a limit of 200 ms", FORBIDDEN, .args = {"sleep", "800", "%t"},
	 .ask = limit_wall, .happened = cli_was_said, .where = "%t"},
	{"Budget cpu", "compute on past a limit of 300 ms", FORBIDDEN,
	 .args = {"spin", "800", "%t"}, .ask = limit_cpu, .happened = cli_was_said, .where = "%t"},
	{"Budget memory", "use 256 MiB under a limit of 64", FORBIDDEN,
	 .args = {"memory", "%w/new", "256"}, .ask = limit_memory, .happened = cli_exists,
	 .where = "%w/new"},
	{"Budget processes", "have 24 processes under a limit of 8", FORBIDDEN,
	 .args = {"forks", "%w/many", "24"}, .ask = limit_processes,
	 .happened = are_more_than_eight, .where = "%w/many"},
	{"Budget handles", "have 100 descriptors under a limit of 32", FORBIDDEN,
	 .args = {"handles", "%w/log", "100"}, .ask = limit_handles, .happened = cli_grew,
	 .where = "%w/log"},
	{"Budget storage", "store 8 MiB under a limit of 1", FORBIDDEN,
	 .args = {"store", "%w/big", "8"}, .ask = limit_storage, .happened = cli_is_stored_whole,
	 .where = "%w/big"},
	{"Budget storage", "store 8 MiB in its own /tmp under a limit of 1", FORBIDDEN,
	 .args = {"store", "/tmp/%t", "8"}, .ask = limit_storage, .happened = cli_has_status,
	 .where = "0"},
	{"Budget network", "send under a limit of nothing", FORBIDDEN, .args = {"tcp", "%p"},
	 .ask = limit_network, .happened = cli_was_contacted, .where = "tcp"},
	{.requirement = NULL},
};
