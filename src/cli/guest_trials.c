/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The acts doctor has committed by a WebAssembly guest.
 *
 * A guest is never free: without a host it can do nothing.  So its control is itself, granted what it
 * is otherwise refused, or without the limit: what it does not do then is held by that alone.
 */
#include "lab.h"

#include <string.h>

static enum bv_code grant(struct bv_spec *spec, const struct cli_lab *lab, const char *where,
			  unsigned int access, struct bv_error *err)
{
	char path[256];

	cli_lab_expand(lab, where, path, sizeof path);
	return bv_spec_grant(spec, access, path, err);
}

#define GRANT(name, where, access)                                                                 \
	static enum bv_code name(struct bv_spec *spec, const struct cli_lab *lab,                  \
				 struct bv_error *err)                                             \
	{                                                                                          \
		return grant(spec, lab, where, access, err);                                       \
	}

GRANT(outside, "%o", BV_GRANT_READ | BV_GRANT_WRITE)
GRANT(write_readable, "%r", BV_GRANT_WRITE)
GRANT(write_only, "%d/writable", BV_GRANT_WRITE)
GRANT(read_and_write, "%d/writable", BV_GRANT_READ | BV_GRANT_WRITE)
GRANT(common_tmp, "/tmp", BV_GRANT_READ | BV_GRANT_WRITE)
GRANT(all, "%d", BV_GRANT_READ | BV_GRANT_WRITE)

#define LIMIT(name, call)                                                                          \
	static enum bv_code name(struct bv_spec *spec, const struct cli_lab *lab,                  \
				 struct bv_error *err)                                             \
	{                                                                                          \
		(void)lab;                                                                         \
		return call;                                                                       \
	}

LIMIT(wall, bv_spec_budget(spec, BV_BUDGET_WALL, 200000, err))
LIMIT(cpu, bv_spec_budget(spec, BV_BUDGET_CPU, 300000, err))
LIMIT(fuel, bv_spec_wasm_fuel(spec, 100000, err))
LIMIT(memory, bv_spec_budget(spec, BV_BUDGET_MEMORY, 64 << 20, err))
LIMIT(handles, bv_spec_budget(spec, BV_BUDGET_HANDLES, 32, err))
LIMIT(storage, bv_spec_budget(spec, BV_BUDGET_STORAGE, 1 << 20, err))
LIMIT(private_tmp, bv_spec_tmp(spec, 4 << 20, err))

static enum bv_code variable(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	return bv_spec_env(spec, "GIVEN", lab->token, err);
}

static enum bv_code planted(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	return bv_spec_env(spec, "BVISOR_DOCTOR_PLANTED", lab->token, err);
}

static enum bv_code stage(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	(void)lab;
	return bv_spec_stage(spec, true, err);
}

static enum bv_code expose(struct bv_spec *spec, const struct cli_lab *lab, struct bv_error *err)
{
	char path[256];

	cli_lab_expand(lab, "%r", path, sizeof path);
	return bv_spec_expose(spec, path, "/shown", BV_GRANT_READ, err);
}

static enum bv_code expose_both(struct bv_spec *spec, const struct cli_lab *lab,
				struct bv_error *err)
{
	char path[256];

	cli_lab_expand(lab, "%r", path, sizeof path);
	return bv_spec_expose(spec, path, "/shown", BV_GRANT_READ | BV_GRANT_WRITE, err);
}

/* The guest's letters: src/cli/guest.c. */
const struct cli_trial cli_guest_trials[] = {
	{"Filesystem", "read a file outside", .guest = true, .args = {"r", "%o/secret"},
	 .control = outside, .happened = cli_was_said, .where = "%t"},
	{"Filesystem", "read a file outside by way of a directory it has", .guest = true,
	 .args = {"r", "%w/../outside/secret"}, .control = all, .happened = cli_was_said,
	 .where = "%t"},
	{"Filesystem", "see that a file outside exists", .guest = true, .args = {"s", "%o/secret"},
	 .control = outside, .happened = cli_was_said, .where = "size "},
	{"Filesystem", "write to a file outside", .guest = true, .args = {"a", "%o/victim"},
	 .control = outside, .happened = cli_grew, .where = "%o/victim"},
	{"Filesystem", "create a file outside", .guest = true, .args = {"c", "%o/new"},
	 .control = outside, .happened = cli_exists, .where = "%o/new"},
	{"Filesystem", "write below a root granted for reading", .guest = true,
	 .args = {"a", "%r/log"}, .control = write_readable, .happened = cli_grew,
	 .where = "%r/log"},
	{"Filesystem", "read below a root granted for writing", .guest = true,
	 .args = {"r", "%d/writable/file"}, .ask = write_only, .control = read_and_write,
	 .happened = cli_was_said, .where = "%t"},
	{"Filesystem", "read below a root granted for reading", .allowed = true, .guest = true,
	 .args = {"r", "%r/file"}, .happened = cli_was_said, .where = "%t"},
	{"Filesystem", "create below a root granted for writing", .allowed = true, .guest = true,
	 .args = {"c", "%w/new"}, .happened = cli_exists, .where = "%w/new"},
	{"NetworkDenyAll", "reach a Unix socket in a directory it was granted", .guest = true,
	 .args = {"a", "%d/socket"}, .probe = {"unix", "%d/socket"}, .ask = all,
	 .happened = cli_was_contacted, .where = "path"},
	{"Environment", "read a variable it was not given", .guest = true, .args = {"e"},
	 .control = planted, .happened = cli_was_said, .where = "BVISOR_DOCTOR_PLANTED"},
	{"Environment", "read a variable it was given", .allowed = true, .guest = true,
	 .args = {"e"}, .ask = variable, .control = variable, .happened = cli_was_said,
	 .where = "%t"},
	{"InheritedFdsNone", "read a descriptor somebody left open", .guest = true, .args = {"f"},
	 .probe = {"fds"}, .happened = cli_was_said, .where = "%t"},
	{"LaunchWorkload", "tell its exit code", .allowed = true, .guest = true, .args = {"x"},
	 .happened = cli_has_status, .where = "42"},
	{"CaptureStreams", "be heard on standard output", .allowed = true, .guest = true,
	 .args = {"t", "%t"}, .happened = cli_was_said, .where = "%t"},
	{"TempRoot", "leave a file in everybody's /tmp", .guest = true, .args = {"c", "/tmp/%t"},
	 .ask = private_tmp, .control = common_tmp, .happened = cli_exists, .where = "/tmp/%t"},
	{"TempRoot", "use its own /tmp", .allowed = true, .guest = true, .args = {"c", "/tmp/%t"},
	 .ask = private_tmp, .control = private_tmp, .happened = cli_has_status, .where = "0"},
	{"ExposePath", "read what is shown elsewhere", .allowed = true, .guest = true,
	 .args = {"r", "/shown/file"}, .ask = expose, .control = expose, .happened = cli_was_said,
	 .where = "%t"},
	{"ExposePath", "write what is shown for reading", .guest = true,
	 .args = {"a", "/shown/log"}, .ask = expose, .control = expose_both, .happened = cli_grew,
	 .where = "%r/log"},
	{"CommitArtifact", "change a file once that is committed", .allowed = true, .commits = true,
	 .guest = true, .args = {"a", "%w/log"}, .ask = stage, .happened = cli_grew,
	 .where = "%w/log"},
	{"DiscardArtifact", "change a file of a staged directory", .guest = true,
	 .args = {"a", "%w/log"}, .ask = stage, .happened = cli_grew, .where = "%w/log"},
	{"ListOutputs", "have a change of a staged directory listed", .allowed = true,
	 .only_inside = true, .guest = true, .args = {"a", "%w/log"}, .ask = stage,
	 .happened = cli_is_listed, .where = ""},
	{"Kill", "outlive the kill", .guest = true, .kills = true, .args = {"k", "%w/log"},
	 .happened = cli_grew, .where = "%w/log"},
	{"Budget wall", "sleep on past a limit of 200 ms", .guest = true, .args = {"z", "%t"},
	 .ask = wall, .happened = cli_was_said, .where = "%t"},
	{"Budget wall", "compute on past a limit of 200 ms", .guest = true, .args = {"p", "%t"},
	 .ask = wall, .happened = cli_was_said, .where = "%t"},
	{"Budget cpu", "compute on past a limit of 300 ms", .guest = true, .args = {"p", "%t"},
	 .ask = cpu, .happened = cli_was_said, .where = "%t"},
	{"Budget cpu", "compute on when its fuel is used up", .guest = true, .args = {"p", "%t"},
	 .ask = fuel, .happened = cli_was_said, .where = "%t"},
	{"Budget memory", "use 256 MiB under a limit of 64", .guest = true, .args = {"g", "%w/new"},
	 .ask = memory, .happened = cli_exists, .where = "%w/new"},
	{"Budget handles", "have 100 descriptors under a limit of 32", .guest = true,
	 .args = {"h", "%w/log"}, .ask = handles, .happened = cli_grew, .where = "%w/log"},
	{"Budget storage", "store 8 MiB under a limit of 1", .guest = true, .args = {"b", "%w/big"},
	 .ask = storage, .happened = cli_is_stored_whole, .where = "%w/big"},
	{.requirement = NULL},
};
