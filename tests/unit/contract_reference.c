/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* contract_reference.c - forms of the reference that only its vectors need. */
#include "contract_reference.h"

#include <stdio.h>

/* ---- CanonicalPolicy -------------------------------------------------------------------------- */

static void put_big_endian(struct bv_writer *writer, uint64_t value, size_t count)
{
	for (size_t i = count; i-- > 0;)
		bv_put_raw(writer, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

static void put_long_text(struct bv_writer *writer, struct bv_str text)
{
	put_big_endian(writer, text.len, 8);
	bv_put_raw(writer, text.data, text.len);
}

static int order_u32(const void *context, const void *a, const void *b)
{
	(void)context;
	return (*(const uint32_t *)a > *(const uint32_t *)b) -
	       (*(const uint32_t *)a < *(const uint32_t *)b);
}

static int order_names(const void *context, const void *a, const void *b)
{
	(void)context;
	return bv_str_compare(((const struct bv_env_entry *)a)->name,
			      ((const struct bv_env_entry *)b)->name);
}

static void put_fds(struct bv_writer *writer, const struct bv_fd_policy *policy)
{
	struct bv_u32_list fds = policy->u.fds;
	size_t unique = 0;

	put_big_endian(writer, 0x0100u | (policy->tag == BV_FDS_ONLY), 2);
	if (policy->tag == BV_FDS_NONE)
		return;
	EXPECT(bv_sort(arena_now(), bv_load_list(&fds), sizeof fds.items[0], order_u32, NULL));
	for (size_t i = 0; i < fds.count; i++)
		if (i == 0 || fds.items[i] != fds.items[unique - 1])
			fds.items[unique++] = fds.items[i];
	put_big_endian(writer, unique, 8);
	for (size_t i = 0; i < unique; i++)
		put_big_endian(writer, fds.items[i], 4);
}

static void put_env(struct bv_writer *writer, const struct bv_env_policy *policy)
{
	const struct bv_env_entry_list entries = policy->u.entries;

	put_big_endian(writer, 0x0300, 2);
	put_big_endian(writer, entries.count, 8);
	EXPECT(bv_sort(arena_now(), bv_load_list(&entries), sizeof entries.items[0], order_names,
		       NULL));
	for (size_t i = 0; i < entries.count; i++) {
		const struct bv_env_source *source = &entries.items[i].source;
		const bool lease = source->tag == BV_ENV_SECRET_LEASE;

		put_long_text(writer, entries.items[i].name);
		put_big_endian(writer, lease, 1);
		put_long_text(writer, lease ? source->u.lease : source->u.literal);
	}
}

static void put_net(struct bv_writer *writer, const struct bv_net_policy *policy)
{
	const struct bv_net_dest_list peers = policy->u.peers;
	size_t unique = 0;

	put_big_endian(writer, 0x0400u | (policy->tag == BV_NET_ALLOW_LIST), 2);
	if (policy->tag == BV_NET_DENY_ALL)
		return;
	EXPECT(bv_value_sort(arena_now(), &bv_net_dest_type, peers.items, peers.count));
	for (size_t i = 0; i < peers.count; i++)
		if (i == 0 || bv_value_compare(&bv_net_dest_type, &peers.items[i],
					       &peers.items[unique - 1]) != 0)
			peers.items[unique++] = peers.items[i];
	put_big_endian(writer, unique, 8);
	for (size_t i = 0; i < unique; i++) {
		put_long_text(writer, peers.items[i].host);
		put_big_endian(writer, peers.items[i].port, 2);
	}
}

struct bv_str reference_policy(const struct bv_capability *capability)
{
	struct bv_writer writer = {.data = bv_arena_alloc(arena_now(), 4096), .capacity = 4096};
	struct bv_capability copy;

	EXPECT_OK(bv_value_copy(arena_now(), &bv_capability_type, capability, &copy, err));
	switch (copy.tag) {
	case BV_CAP_INHERITED_FDS:
		put_fds(&writer, &copy.u.fds.policy);
		break;
	case BV_CAP_CHILD_SPAWN:
		put_big_endian(&writer, 0x0200u | (unsigned int)copy.u.spawn.policy, 2);
		break;
	case BV_CAP_ENVIRONMENT:
		put_env(&writer, &copy.u.environment.policy);
		break;
	case BV_CAP_NETWORK:
		put_net(&writer, &copy.u.network.policy);
		break;
	case BV_CAP_FILESYSTEM:
		test_fail(__FILE__, __LINE__, "filesystem capabilities have no such form");
	}
	EXPECT(writer.len <= writer.capacity);
	return (struct bv_str){(const char *)writer.data, writer.len};
}

/* ---- debug text ------------------------------------------------------------------------------ */

static char text[8192];
static size_t text_len;

static void say(const char *what)
{
	const size_t len = strlen(what);

	EXPECT(text_len + len < sizeof text);
	memcpy(text + text_len, what, len + 1);
	text_len += len;
}

static void debug(const struct bv_type *type, const uint8_t *value);

/* "bv_net_dest" is NetDest there. */
static void say_type_name(const struct bv_type *type)
{
	bool upper = true;

	for (const char *at = type->name + 3; *at != '\0'; at++) {
		const char letter[2] = {(char)(upper && *at >= 'a' ? *at - 32 : *at), '\0'};

		upper = *at == '_';
		if (!upper)
			say(letter);
	}
}

/* Only ASCII without anything to escape: that is all the rows hold. */
static void say_string(struct bv_str string)
{
	for (size_t i = 0; i < string.len; i++)
		EXPECT(string.data[i] >= ' ' && string.data[i] < 0x7f && string.data[i] != '"' &&
		       string.data[i] != '\\');
	say("\"");
	say(bv_arena_copy(arena_now(), string).data);
	say("\"");
}

static void debug_scalar(enum bv_scalar scalar, const void *memory)
{
	char number[24];

	if (scalar == BV_SCALAR_str) {
		say_string(*(const struct bv_str *)memory);
	} else if (scalar == BV_SCALAR_bool) {
		say(*(const bool *)memory ? "true" : "false");
	} else {
		snprintf(number, sizeof number, "%llu",
			 (unsigned long long)bv_load_scalar(scalar, memory));
		say(number);
	}
}

static void debug_list(const struct bv_row *row, const void *memory)
{
	const struct bv_any_list list = bv_load_list(memory);

	say("[");
	for (size_t i = 0; i < list.count; i++) {
		const uint8_t *element = (const uint8_t *)list.items + i * bv_row_element_size(row);

		say(i == 0 ? "" : ", ");
		if (row->shape == BV_SHAPE_SCALARS)
			debug_scalar(row->scalar, element);
		else
			debug(row->type, element);
	}
	say("]");
}

static void debug_content(const struct bv_row *row, const uint8_t *value)
{
	const uint8_t *memory = value + row->offset;

	if (row->shape == BV_SHAPE_SCALAR)
		debug_scalar(row->scalar, memory);
	else if (row->shape == BV_SHAPE_LIST || row->shape == BV_SHAPE_SCALARS)
		debug_list(row, memory);
	else
		debug(row->type, memory);
}

static void debug_fields(const struct bv_type *type, const uint8_t *value)
{
	bool first = true;

	say(" { ");
	for (size_t i = 0; i < type->row_count; i++) {
		/* What the reference does not have is absent in its values. */
		if (!bv_row_present(&type->rows[i], value))
			continue;
		say(first ? "" : ", ");
		first = false;
		say(type->rows[i].wire);
		say(": ");
		debug_content(&type->rows[i], value);
	}
	say(" }");
}

static void debug(const struct bv_type *type, const uint8_t *value)
{
	const struct bv_row *row;

	if (type->form == BV_FORM_RECORD) {
		say_type_name(type);
		debug_fields(type, value);
		return;
	}
	row = &type->rows[bv_load_u32(value)];
	say(row->wire);
	if (type->form == BV_FORM_ENUM || row->shape == BV_SHAPE_UNIT)
		return;
	/* Our record behind a variant is the reference's variant with fields. */
	if (row->shape == BV_SHAPE_NEST && row->type->form == BV_FORM_RECORD) {
		debug_fields(row->type, value + row->offset);
		return;
	}
	say("(");
	if (strcmp(row->wire, "SecretLease") == 0)
		say("SecretRef(");
	debug_content(row, value);
	say(strcmp(row->wire, "SecretLease") == 0 ? "))" : ")");
}

const char *reference_debug(const struct bv_type *type, const void *value)
{
	text_len = 0;
	text[0] = '\0';
	debug(type, value);
	return text;
}

/* ---- inert ----------------------------------------------------------------------------------- */

static enum bv_code inert_probe(void *self, struct bv_arena *arena,
				struct bv_profile_snapshot *ret_snapshot, struct bv_error *err)
{
	static struct bv_text_pair facts[] = {{S("confinement"), S("none")},
					      {S("reference"), S("inert")}};

	(void)self;
	(void)arena;
	(void)err;
	*ret_snapshot = (struct bv_profile_snapshot){.backend = S("inert"), .probed = {facts, 2}};
	bv_profile_hold_no_budget(&ret_snapshot->budget);
	return BV_OK;
}

static void inert_profile(void *self, const struct bv_profile_snapshot *snapshot,
			  const struct bv_execution_options *execution,
			  struct bv_profile *ret_profile)
{
	(void)self;
	(void)snapshot;
	(void)execution;
	memset(ret_profile, 0, sizeof *ret_profile);
	for (size_t kind = 0; kind < BV_KIND_COUNT; kind++)
		ret_profile->ceiling[kind].enforcement = BV_UNSUPPORTED;
	ret_profile->ceiling[BV_KIND_LAUNCH] = (struct bv_verdict){BV_ENFORCED,
								   1u << BV_CLAIM_TERMINAL_OUTCOME};
	ret_profile->ceiling[BV_KIND_CAPTURE] = (struct bv_verdict){
		BV_ENFORCED, 1u << BV_CLAIM_CAPTURED_STREAMS};
}

static bool inert_runs(void *self, const struct bv_workload *workload)
{
	(void)self;
	return workload->tag == BV_WORKLOAD_PROCESS;
}

struct bv_backend reference_inert(void)
{
	return (struct bv_backend){.id = "inert",
				   .probe = inert_probe,
				   .profile = inert_profile,
				   .runs = inert_runs};
}
