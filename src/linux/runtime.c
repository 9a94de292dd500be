/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * runtime.c - the host files that ordinary programs need in order to start at all.
 *
 * Libraries and their data may be read and mapped, not executed.  Of /etc there is only what the C
 * library, TLS libraries and the links of /usr/bin look for, and nothing that says who uses this
 * machine.  The report lists what was granted, and `--runtime none` leaves all of it out.
 */
#include "runtime.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const struct {
	const char *path;
	enum bv_runtime_set from; /* the smallest set that has it */
	uint32_t rights;
} entries[] = {
	/* Where everything below /usr is granted, the entries inside it cost nothing more. */
	{"/usr", BV_RUNTIME_SYSTEM, BV_RIGHT_READ | BV_RIGHT_EXECUTE},
	{"/bin", BV_RUNTIME_SYSTEM, BV_RIGHT_READ | BV_RIGHT_EXECUTE},
	{"/sbin", BV_RUNTIME_SYSTEM, BV_RIGHT_READ | BV_RIGHT_EXECUTE},
	{"/nix/store", BV_RUNTIME_SYSTEM, BV_RIGHT_READ | BV_RIGHT_EXECUTE},
	{"/gnu/store", BV_RUNTIME_SYSTEM, BV_RIGHT_READ | BV_RIGHT_EXECUTE},
	{"/run/current-system/sw", BV_RUNTIME_SYSTEM, BV_RIGHT_READ | BV_RIGHT_EXECUTE},

	{"/usr/lib", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/usr/lib32", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/usr/lib64", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/usr/libx32", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/usr/local/lib", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/usr/share", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/lib", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/lib32", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/lib64", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/libx32", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/nix/store", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},
	{"/gnu/store", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ | BV_RIGHT_MAP},

	{"/etc/alternatives", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/ld.so.cache", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/localtime", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/nsswitch.conf", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/ssl/certs", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/ssl/openssl.cnf", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/pki/tls/certs", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/pki/ca-trust/extracted", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/crypto-policies/back-ends", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/ld-musl-x86_64.path", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
	{"/etc/ld-musl-aarch64.path", BV_RUNTIME_LIBRARIES, BV_RIGHT_READ},
};

bool bv__runtime_add(struct bv_grants *grants, enum bv_runtime_set set)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct bv_seen seen;
		int problem;

		if (set < entries[i].from)
			continue;
		problem = bv__grants_add(grants, bv_str_from(entries[i].path), entries[i].rights,
					 false, &seen);
		if (problem == ENOMEM)
			return false;
	}
	return !grants->full;
}

bool bv__devices_add(struct bv_grants *grants, bool terminal)
{
	static const struct {
		const char *path;
		bool terminal;
	} nodes[] = {
		{"/dev/full", false},    {"/dev/null", false}, {"/dev/tty", true},
		{"/dev/urandom", false}, {"/dev/zero", false},
	};
	static const struct {
		const char *path, *target;
	} links[] = {
		/* The same generator since Linux 5.6, but for waiting at boot. */
		{"/dev/random", "urandom"},
		{"/dev/fd", "/proc/self/fd"},
		{"/dev/stdin", "/proc/self/fd/0"},
		{"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"},
		/* The private /tmp bounds both. */
		{"/dev/shm", "/tmp/.shm"},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct bv_seen seen;
		int problem;

		if (nodes[i].terminal && !terminal)
			continue;
		problem = bv__resolve(grants->arena, bv_str_from(nodes[i].path), NULL, &seen);
		if (problem == ENOMEM)
			return false;
		/* In a container without devices something else may stand there: then it is not shown. */
		if (problem == 0 && S_ISCHR(seen.mode))
			bv__grants_put(grants, &seen, bv_str_from(nodes[i].path),
				       BV_RIGHT_READ | BV_RIGHT_WRITE, false);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		bv__grants_link(grants, bv_str_from(links[i].path), bv_str_from(links[i].target));
	return !grants->full;
}
