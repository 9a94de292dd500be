/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Specs: made, read, written.  What is put into them is in spec_set.c. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

#include "contract/json.h"
#include "contract/value.h"

/* Everything a spec of ours starts from; bvisor.h says why. */
static enum bv_code make_default(struct bv_spec *spec, struct bv_error *err)
{
	static struct bv_capability capabilities[] = {
		{.tag = BV_CAP_FILESYSTEM,
		 .u.filesystem = {.access = BV_FS_READ,
				  .recursive = true,
				  .confinement = BV_FS_DECLARED_ROOTS_ONLY}},
		{.tag = BV_CAP_NETWORK, .u.network.policy.tag = BV_NET_DENY_ALL},
		{.tag = BV_CAP_CHILD_SPAWN, .u.spawn.policy = BV_SPAWN_ALLOW_DESCENDANTS},
		{.tag = BV_CAP_ENVIRONMENT, .u.environment.policy.tag = BV_ENV_EXACT},
		{.tag = BV_CAP_INHERITED_FDS, .u.fds.policy.tag = BV_FDS_NONE},
	};
	static struct bv_host_control controls[] = {
		{.tag = BV_CONTROL_LAUNCH},
		{.tag = BV_CONTROL_CAPTURE,
		 .u.capture.streams = {.stdout_stream = true, .stderr_stream = true}},
		{.tag = BV_CONTROL_KILL,
		 .u.kill = {.target = BV_KILL_RUN_TREE, .guarantee = BV_KILL_BEST_EFFORT}},
	};
	const struct bv_boundary_spec value = {
		.workload = {.tag = BV_WORKLOAD_PROCESS},
		.capabilities = {capabilities, sizeof capabilities / sizeof *capabilities},
		.controls = {controls, sizeof controls / sizeof *controls},
		.evidence = {.require_captured_streams = true, .require_exit_status = true},
	};

	return bv_value_copy(&spec->arena, &bv_boundary_spec_type, &value, &spec->value, err);
}

struct bv_spec *bv_spec_new(void)
{
	struct bv_spec *spec = calloc(1, sizeof *spec);

	if (spec && bv__memory_map(&spec->arena, BV_OBJECT_FIRST_BYTES, NULL) == BV_OK &&
	    make_default(spec, NULL) == BV_OK)
		return spec;
	bv_spec_free(spec);
	return NULL;
}

void bv_spec_free(struct bv_spec *spec)
{
	if (!spec)
		return;
	bv__secrets_wipe(&spec->secrets);
	bv__memory_unmap(&spec->arena);
	free(spec);
}

struct decoding {
	const void *data;
	size_t size_bytes;
	bool json;
	struct bv_boundary_spec *spec;
};

static enum bv_code decode(struct bv_arena *arena, void *context, struct bv_error *err)
{
	const struct decoding *decoding = context;

	if (decoding->json)
		return bv_json_decode(arena, &bv_boundary_spec_type, decoding->data,
				      decoding->size_bytes, decoding->spec, err);
	return bv_canon_decode(arena, &bv_boundary_spec_type, decoding->data, decoding->size_bytes,
			       decoding->spec, err);
}

static enum bv_code read_spec(const void *data, size_t size_bytes, bool json,
			      struct bv_spec **ret_spec, struct bv_error *err)
{
	struct bv_spec *spec;
	struct decoding decoding = {data, size_bytes, json, NULL};
	enum bv_code code;

	if (!data || !ret_spec)
		return bv_fail(err, BV_E_ARGUMENT, "", "there is nothing to read a spec from");
	spec = calloc(1, sizeof *spec);
	if (!spec)
		return bv_fail(err, BV_E_MEMORY, "", "there is no memory for a spec");
	decoding.spec = &spec->value;
	code = bv__memory_make(&spec->arena, decode, &decoding, err);
	if (code != BV_OK) {
		bv_spec_free(spec);
		return code;
	}
	*ret_spec = spec;
	return BV_OK;
}

enum bv_code bv_spec_from_bytes(const void *data, size_t size_bytes, struct bv_spec **ret_spec,
				struct bv_error *err)
{
	return read_spec(data, size_bytes, false, ret_spec, err);
}

enum bv_code bv_spec_from_json(const char *text, size_t size_bytes, struct bv_spec **ret_spec,
			       struct bv_error *err)
{
	return read_spec(text, size_bytes, true, ret_spec, err);
}

/* Text that is not UTF-8 can be put into a spec, but not written. */
static enum bv_code check_writable(const struct bv_spec *spec, struct bv_error *err)
{
	return bv_value_check(&bv_boundary_spec_type, &spec->value, BV_E_INVALID_POLICY, err);
}

enum bv_code bv_spec_to_json(const struct bv_spec *spec, char **ret_text, struct bv_error *err)
{
	enum bv_code code = check_writable(spec, err);

	return code == BV_OK ? bv__json_out(&bv_boundary_spec_type, &spec->value, ret_text, err)
			     : code;
}

enum bv_code bv_spec_to_bytes(const struct bv_spec *spec, void **ret_data, size_t *ret_size_bytes,
			      struct bv_error *err)
{
	enum bv_code code = check_writable(spec, err);

	return code == BV_OK ? bv__bytes_out(&bv_boundary_spec_type, &spec->value, ret_data,
					     ret_size_bytes, err)
			     : code;
}

const char *bv_spec_program_path(const struct bv_spec *spec)
{
	const struct bv_workload *workload = &spec->value.workload;
	const struct bv_str path = workload->tag == BV_WORKLOAD_PROCESS
					   ? workload->u.process.exe
					   : workload->u.wasm.module_ref;

	return path.len == 0 ? NULL
			     : path.data; /* decoders, copies and setters all end it with a NUL */
}
