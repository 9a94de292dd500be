/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* reach.c - the network, the neighbours and new tasks are out of reach, and attempts are told. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"

#define SURE(call)                                                                                 \
	do {                                                                                       \
		struct bv_error err_ = {.code = BV_OK}, *err = &err_;                              \
		EXPECT_THAT((call) == BV_OK, "%s: %s: %s", #call, err_.where, err_.message);       \
	} while (0)

struct listeners {
	int tcp, udp, path, path_dgram, abstract, abstract_dgram;
	char tcp_port[8], udp_port[8];
	char path_name[200], dgram_name[200], abstract_name[100], abstract_dgram_name[100];
};

static int inet_listener(int type, char port[8])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	EXPECT(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
	EXPECT(type == SOCK_DGRAM || listen(fd, 8) == 0);
	EXPECT(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	(void)snprintf(port, 8, "%d", ntohs(address.sin_port));
	return fd;
}

static int unix_listener(int type, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	EXPECT(strlen(name) < sizeof(address.sun_path));
	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	EXPECT_THAT(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0, "cannot bind %s",
		    name);
	EXPECT(type == SOCK_DGRAM || listen(fd, 8) == 0);
	if (name[0] != '@')
		EXPECT(chmod(name, 0777) == 0);
	return fd;
}

/* Short names: the directory of a place is nearly as long as a socket's name may be. */
static void open_listeners(const struct place *place, struct listeners *all)
{
	(void)place;
	(void)snprintf(all->path_name, sizeof(all->path_name), "/tmp/bvr-%d-s", (int)getpid());
	(void)snprintf(all->dgram_name, sizeof(all->dgram_name), "/tmp/bvr-%d-d", (int)getpid());
	(void)snprintf(all->abstract_name, sizeof(all->abstract_name), "@bvr-%d-s", (int)getpid());
	(void)snprintf(all->abstract_dgram_name, sizeof(all->abstract_dgram_name), "@bvr-%d-d",
		       (int)getpid());
	all->tcp = inet_listener(SOCK_STREAM, all->tcp_port);
	all->udp = inet_listener(SOCK_DGRAM, all->udp_port);
	all->path = unix_listener(SOCK_STREAM, all->path_name);
	all->path_dgram = unix_listener(SOCK_DGRAM, all->dgram_name);
	all->abstract = unix_listener(SOCK_STREAM, all->abstract_name);
	all->abstract_dgram = unix_listener(SOCK_DGRAM, all->abstract_dgram_name);
}

/* How many of them somebody contacted. */
static int contacts(const struct listeners *all)
{
	const int streams[] = {all->tcp, all->path, all->abstract};
	const int datagrams[] = {all->udp, all->path_dgram, all->abstract_dgram};
	int count = 0;
	char byte;

	for (int i = 0; i < 3; i++) {
		int fd = accept(streams[i], NULL, NULL);

		count += fd >= 0;
		if (fd >= 0)
			close(fd);
		while (recv(datagrams[i], &byte, 1, 0) > 0)
			count++;
	}
	return count;
}

static void close_listeners(const struct listeners *all)
{
	(void)unlink(all->path_name);
	(void)unlink(all->dgram_name);
}

EVERYWHERE(no_listener_of_the_host_is_contacted)
{
	struct listeners all;
	struct ran ran;
	char command[1200];

	open_listeners(place, &all);
	ran = run_guest(place, "tcp", all.tcp_port, ",", "udp", all.udp_port, ",", "unix",
			all.path_name, ",", "unix-dgram", all.dgram_name, ",", "unix",
			all.abstract_name, ",", "unix-dgram", all.abstract_dgram_name, ",",
			"pair-to", all.dgram_name, ",", "pair-to", all.abstract_dgram_name, ",",
			"pair", NULL);
	EXPECT_INT(contacts(&all), 0);
	EXPECT_THAT(strstr(ran.out, "tcp") != NULL && strstr(ran.out, "pair-to") != NULL,
		    "it did not try: %s", ran.out);
	/* Connected local pairs are harmless, and many programs need them. */
	EXPECT_SAID(&ran, "pair : ok");
	/* The control: the same deeds outside reach all of them. */
	(void)snprintf(
		command, sizeof(command),
		"'%s' tcp %s , udp %s , unix %s , unix-dgram %s , unix %s , unix-dgram %s , pair-to %s , pair-to %s "
		">/dev/null",
		place->guest, all.tcp_port, all.udp_port, all.path_name, all.dgram_name,
		all.abstract_name, all.abstract_dgram_name, all.dgram_name,
		all.abstract_dgram_name);
	EXPECT(system(command) == 0);
	EXPECT_INT(contacts(&all), 8);
	close_listeners(&all);
}

/* Its own mount namespace but the host's network namespace: then the filter alone holds. */
EVERYWHERE(without_a_network_namespace_no_listener_is_contacted_either)
{
	struct bv_error why = {.code = BV_OK};
	struct listeners all;
	struct bv_spec *spec;

	if (place->bare)
		return;
	open_listeners(place, &all);
	spec = guest_spec(place, "tcp", all.tcp_port, ",", "udp", all.udp_port, ",", "unix",
			  all.abstract_name, ",", "unix-dgram", all.abstract_dgram_name, ",",
			  "pair-to", all.abstract_dgram_name, NULL);
	EXPECT_INT(bv_spec_without(spec, "netns", &why), BV_OK);
	(void)run_spec(spec);
	EXPECT_INT(contacts(&all), 0);
	close_listeners(&all);
}

EVERYWHERE(no_neighbour_can_be_signalled_or_traced)
{
	char pid_text[16], line[64];
	int ready[2], status;
	char byte;
	struct ran ran;
	pid_t victim;

	EXPECT(pipe2(ready, O_CLOEXEC) == 0);
	victim = fork();
	if (victim == 0) {
		EXPECT(write(ready[1], "r", 1) == 1);
		for (;;)
			pause();
	}
	EXPECT(victim > 0 && read(ready[0], &byte, 1) == 1);
	(void)snprintf(pid_text, sizeof(pid_text), "%d", (int)victim);
	ran = run_guest(place, "kill", pid_text, ",", "ptrace", pid_text, NULL);
	EXPECT(!said(&ran, "ptrace : ok"));
	(void)snprintf(line, sizeof(line), "kill %s: ok", pid_text);
	EXPECT(!said(&ran, line));
	EXPECT_THAT(waitpid(victim, &status, WNOHANG) == 0, "the neighbour was killed");
	EXPECT(kill(victim, SIGKILL) == 0 && waitpid(victim, NULL, 0) == victim);
	/* It was told who tried. */
	EXPECT(find_denied(&ran, "ptrace") != NULL);
	EXPECT_UINT(find_denied(&ran, "ptrace")->count, 1);
}

EVERYWHERE(other_processes_are_not_seen)
{
	struct ran ran = run_guest(place, "processes", ",", "read", "/proc/1/cmdline", NULL);

	if (place->bare) {
		EXPECT(strstr(ran.out, "processes: ") != NULL);
	} else {
		/* Itself and the boundary's own PID 1. */
		EXPECT_SAID(&ran, "processes 2");
	}
}

/* keyctl(2) is denied; what /proc tells of the caller's keys is covered. */
EVERYWHERE(names_of_the_callers_keys_are_not_told)
{
	struct ran ran;

	if (place->bare || geteuid() == 0 || access("/proc/keys", R_OK) != 0)
		return;
	ran = run_guest(place, "read", "/proc/version", ",", "read", "/proc/keys", ",", "read",
			"/proc/key-users", NULL);
	EXPECT_SAID(&ran, "read /proc/version: ok");
	EXPECT_SAID(&ran, "read /proc/keys: 13");
	EXPECT_SAID(&ran, "read /proc/key-users: 13");
}

EVERYWHERE(tasks_follow_the_policy)
{
	struct bv_spec *spec = guest_spec(place, "fork", ",", "thread", NULL);
	struct ran ran;

	SURE(bv_spec_spawn(spec, BV_SPAWN_NONE, err));
	ran = run_spec(spec);
	EXPECT(!said(&ran, "fork : ok") && !said(&ran, "thread : ok"));
	EXPECT(find_denied(&ran, "clone") != NULL);
	EXPECT_INT(find_denied(&ran, "clone")->requirement.u.capability.tag, BV_CAP_CHILD_SPAWN);

	spec = guest_spec(place, "fork", ",", "thread", NULL);
	SURE(bv_spec_spawn(spec, BV_SPAWN_THREADS, err));
	ran = run_spec(spec);
	EXPECT(!said(&ran, "fork : ok"));
	EXPECT_SAID(&ran, "thread : ok");

	spec = guest_spec(place, "fork", ",", "thread", NULL);
	SURE(bv_spec_spawn(spec, BV_SPAWN_PROCESSES, err));
	ran = run_spec(spec);
	EXPECT_SAID(&ran, "fork : ok");
	EXPECT_SAID(&ran, "thread : ok");
	EXPECT(find_denied(&ran, "clone") == NULL);
}

EVERYWHERE(denied_calls_are_counted_and_named)
{
	struct ran ran = run_guest(place, "ptrace", "1", ",", "ptrace", "1", ",", "ptrace", "1",
				   NULL);
	const struct bv_denied_attempt *denied = find_denied(&ran, "ptrace");

	EXPECT(denied != NULL);
	EXPECT_UINT(denied->count, 3);
	EXPECT_INT(denied->source, BV_SOURCE_LAUNCHER);
	/* And a run that tries nothing has nothing told of it. */
	ran = run_guest(place, "out", "quiet", NULL);
	EXPECT_UINT(ran.report.body.denied.count, 0);
}

EVERYWHERE(it_runs_as_nobody_of_the_host)
{
	struct ran ran = run_guest(place, "ids", NULL);
	const struct bv_observed_fact *fact = find_fact(&ran, "workload_user");

	EXPECT(fact != NULL);
	EXPECT(strstr(ran.out, "ids 0 ") == NULL);
	if (geteuid() != 0) {
		char line[40];

		(void)snprintf(line, sizeof(line), "ids %u %u", geteuid(), getegid());
		EXPECT_SAID(&ran, line);
	} else {
		EXPECT(strncmp(fact->detail.data, "uid 2147", 8) == 0);
	}
}

/* What the plan claims is what the run does: everything can be asked to be enforced, or is refused. */
EVERYWHERE(requiring_enforcement_runs_or_refuses)
{
	struct bv_spec *spec = guest_spec(place, "exit", "0", NULL);
	struct bv_error why = {.code = BV_OK};
	struct bv_plan *plan = NULL;
	enum bv_code code;

	SURE(bv_spec_grant(spec, BV_GRANT_READ, place->dir, err));
	SURE(bv_spec_require_enforced(spec, NULL, err));
	code = bv_plan_make(spec, "linux", &plan, &why);
	EXPECT_INT(code, place->bare ? BV_E_MINIMUM : BV_OK);
	if (code == BV_OK)
		EXPECT_STR(run_spec(spec).outcome, "Completed");
}
