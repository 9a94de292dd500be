/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * policy_capabilities.c - the policy gate on what the workload may touch.
 */
#include "policy_gate.h"
#include "value.h"

/* ---- environment ----------------------------------------------------------------------------- */

static enum bv_code gate_env_name(struct bv__gate *gate, const struct bv_path *path,
				  struct bv_str name)
{
	if (name.len == 0)
		return bv__refuse(gate, path, "name the variable",
				  "an environment variable without a name");
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] == '=' || name.data[i] == '\0')
			return bv__refuse(gate, path, "choose a name without it",
					  "the name of an environment variable holds %s",
					  name.data[i] == '=' ? "a '='" : "a NUL byte");
	return BV_OK;
}

static enum bv_code gate_env_value(struct bv__gate *gate, const struct bv_path *path,
				   const struct bv_env_source *source, uint64_t *total_bytes)
{
	const bool lease = source->tag == BV_ENV_SECRET_LEASE;
	const struct bv_str text = lease ? source->u.lease : source->u.literal;

	if (source->tag == BV_ENV_WITHHELD)
		return bv__refuse(
			gate, path, "write its value, or name a secret",
			"the value of an environment variable was withheld from this text");
	*total_bytes += text.len;
	if (lease && text.len == 0)
		return bv__refuse(gate, path, "name the secret", "a secret without a name");
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0')
			return bv__refuse(gate, path, "",
					  "the value of an environment variable holds a NUL byte");
	return BV_OK;
}

static int order_entries(const void *context, const void *a, const void *b)
{
	(void)context;
	return bv_str_compare(((const struct bv_env_entry *)a)->name,
			      ((const struct bv_env_entry *)b)->name);
}

static enum bv_code gate_environment(struct bv__gate *gate, const struct bv_path *up,
				     struct bv_env_policy *policy)
{
	const struct bv_path capability = {up, "Environment", 0}, top = {&capability, "policy", 0};
	const struct bv_path table = {&top, "Exact", 0};
	struct bv_env_entry_list *entries = &policy->u.entries;
	uint64_t total_bytes = 0; /* cannot wrap: the texts are in memory */

	if (entries->count > BV_LIMIT_ENV_ENTRIES)
		return bv__refuse(gate, &table, "", "%zu environment variables, and %d is the most",
				  entries->count, BV_LIMIT_ENV_ENTRIES);
	for (size_t i = 0; i < entries->count; i++) {
		const struct bv_env_entry *entry = &entries->items[i];
		const struct bv_path path = {&table, NULL, i};
		enum bv_code code = gate_env_name(gate, &(struct bv_path){&path, "name", 0},
						  entry->name);

		if (code != BV_OK)
			return code;
		for (size_t j = 0; j < i; j++)
			if (bv_str_equal(entries->items[j].name, entry->name))
				return bv__refuse(gate, &path, "give it one value",
						  "the environment variable '%.*s' is there twice",
						  (int)(entry->name.len < 64 ? entry->name.len
									     : 64),
						  entry->name.data);
		total_bytes += entry->name.len;
		code = gate_env_value(gate, &(struct bv_path){&path, "source", 0}, &entry->source,
				      &total_bytes);
		if (code != BV_OK)
			return code;
	}
	if (total_bytes > BV_LIMIT_ENV_BYTES)
		return bv__refuse(gate, &table, "",
				  "an environment of %llu bytes, and %d is the most",
				  (unsigned long long)total_bytes, BV_LIMIT_ENV_BYTES);
	if (!bv_sort(gate->arena, bv_load_list(entries), sizeof entries->items[0], order_entries,
		     NULL))
		return bv__gate_memory(gate);
	return BV_OK;
}

/* ---- network --------------------------------------------------------------------------------- */

static enum bv_code gate_peer(struct bv__gate *gate, const struct bv_path *path,
			      const struct bv_net_dest *peer)
{
	const struct bv_path host = {path, "host", 0};
	enum bv_code code = bv__gate_text(gate, &host, peer->host);

	if (code != BV_OK)
		return code;
	if (peer->host.len > 253)
		return bv__refuse(gate, &host, "", "longer than any host name");
	for (size_t i = 0; i < peer->host.len; i++)
		if ((uint8_t)peer->host.data[i] <= ' ' || peer->host.data[i] == 0x7f)
			return bv__refuse(gate, &host, "write the name or address alone",
					  "a host name holds a space or a control character");
	if (peer->port == 0)
		return bv__refuse(gate, (&(struct bv_path){path, "port", 0}),
				  "name a port from 1 to 65535", "no peer listens on port 0");
	return BV_OK;
}

static enum bv_code gate_network(struct bv__gate *gate, const struct bv_path *up,
				 struct bv_net_policy *policy)
{
	const struct bv_path capability = {up, "Network", 0}, top = {&capability, "policy", 0};
	const struct bv_path list = {&top, "AllowList", 0};
	struct bv_net_dest_list *peers = &policy->u.peers;

	if (policy->tag == BV_NET_DENY_ALL)
		return BV_OK;
	if (peers->count > BV_LIMIT_PEERS)
		return bv__refuse(gate, &list, "", "%zu peers, and %d is the most", peers->count,
				  BV_LIMIT_PEERS);
	for (size_t i = 0; i < peers->count; i++) {
		enum bv_code code = gate_peer(gate, &(struct bv_path){&list, NULL, i},
					      &peers->items[i]);

		if (code != BV_OK)
			return code;
	}
	if (!bv_value_sort(gate->arena, &bv_net_dest_type, peers->items, peers->count))
		return bv__gate_memory(gate);
	for (size_t i = 1; i < peers->count; i++)
		if (bv_value_compare(&bv_net_dest_type, &peers->items[i - 1], &peers->items[i]) ==
		    0)
			return bv__refuse(gate, &list, "name it once",
					  "the peer %.*s:%u is there twice",
					  (int)(peers->items[i].host.len < 64
							? peers->items[i].host.len
							: 64),
					  peers->items[i].host.data,
					  (unsigned int)peers->items[i].port);
	if (peers->count == 0)
		*policy = (struct bv_net_policy){.tag = BV_NET_DENY_ALL};
	return BV_OK;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int order_fds(const void *context, const void *a, const void *b)
{
	const uint32_t fd_a = *(const uint32_t *)a, fd_b = *(const uint32_t *)b;

	(void)context;
	return (fd_a > fd_b) - (fd_a < fd_b);
}

static enum bv_code gate_fds(struct bv__gate *gate, const struct bv_path *up,
			     struct bv_fd_policy *policy)
{
	const struct bv_path capability = {up, "InheritedFds", 0}, top = {&capability, "policy", 0};
	const struct bv_path list = {&top, "Only", 0};
	struct bv_u32_list *fds = &policy->u.fds;

	if (policy->tag == BV_FDS_NONE)
		return BV_OK;
	if (fds->count > BV_LIMIT_FDS)
		return bv__refuse(gate, &list, "", "%zu descriptors, and %d is the most",
				  fds->count, BV_LIMIT_FDS);
	for (size_t i = 0; i < fds->count; i++) {
		const struct bv_path path = {&list, NULL, i};

		if (fds->items[i] < 3)
			return bv__refuse(gate, &path, "leave it out: 0, 1 and 2 are always there",
					  "descriptor %u is a standard stream", fds->items[i]);
		if (fds->items[i] > INT32_MAX)
			return bv__refuse(gate, &path, "", "%u is no descriptor", fds->items[i]);
	}
	if (!bv_sort(gate->arena, bv_load_list(fds), sizeof fds->items[0], order_fds, NULL))
		return bv__gate_memory(gate);
	for (size_t i = 1; i < fds->count; i++)
		if (fds->items[i - 1] == fds->items[i])
			return bv__refuse(gate, &list, "name it once",
					  "descriptor %u is there twice", fds->items[i]);
	if (fds->count == 0)
		*policy = (struct bv_fd_policy){.tag = BV_FDS_NONE};
	return BV_OK;
}

/* ---- the list -------------------------------------------------------------------------------- */

static enum bv_code gate_capability(struct bv__gate *gate, const struct bv_path *path,
				    struct bv_capability *capability)
{
	switch (capability->tag) {
	case BV_CAP_FILESYSTEM: /* gathered afterwards */
	case BV_CAP_CHILD_SPAWN:
		return BV_OK;
	case BV_CAP_NETWORK:
		return gate_network(gate, path, &capability->u.network.policy);
	case BV_CAP_ENVIRONMENT:
		return gate_environment(gate, path, &capability->u.environment.policy);
	case BV_CAP_INHERITED_FDS:
		return gate_fds(gate, path, &capability->u.fds.policy);
	}
	bv_assert(false);
	return BV_E_INVALID_POLICY;
}

static enum bv_code refuse_second(struct bv__gate *gate, const struct bv_path *path,
				  const struct bv_capability *first,
				  const struct bv_capability *second)
{
	const char *name = bv_name_of(&bv_capability_type, (uint32_t)first->tag);

	if (bv_value_compare(&bv_capability_type, first, second) == 0)
		return bv__refuse(gate, path, "say it once", "%s is there twice", name);
	return bv__refuse(gate, path, "choose one of them, or merge them",
			  "%s is there twice, and the two contradict", name);
}

/* Everything but the filesystem; that is gathered into the same list by bv__gate_filesystem. */
enum bv_code bv__gate_capabilities(struct bv__gate *gate)
{
	struct bv_capability_list given = gate->normal->capabilities,
				  *kept = &gate->normal->capabilities;
	const struct bv_capability *first[5] = {NULL};
	const struct bv_path top = {NULL, "capabilities", 0};

	_Static_assert(BV_CAP_INHERITED_FDS < sizeof first / sizeof first[0], "one for each tag");

	if (given.count > SIZE_MAX - BV__FILESYSTEM_CAPABILITIES)
		return bv__gate_memory(gate);
	*kept = (struct bv_capability_list){
		.items = bv_arena_array(gate->arena, given.count + BV__FILESYSTEM_CAPABILITIES,
					sizeof given.items[0]),
	};
	if (kept->items == NULL)
		return bv__gate_memory(gate);

	for (size_t i = 0; i < given.count; i++) {
		struct bv_capability *capability = &given.items[i];
		const struct bv_path path = {&top, NULL, i};
		enum bv_code code;

		if (capability->tag == BV_CAP_FILESYSTEM)
			continue;
		code = gate_capability(gate, &path, capability);
		if (code == BV_OK && first[capability->tag] != NULL)
			code = refuse_second(gate, &path, first[capability->tag], capability);
		if (code != BV_OK)
			return code;
		first[capability->tag] = capability;
		kept->items[kept->count++] = *capability;
	}
	return BV_OK;
}
