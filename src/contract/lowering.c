/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lowering.c - schedules of primitives.
 */
#include "lowering.h"
#include "canon.h"
#include "value.h"

const char *bv_phase_name(enum bv_phase phase)
{
	switch (phase) {
	case BV_PHASE_NAMESPACE_CREATE:
		return "NamespaceCreate";
	case BV_PHASE_FS_SETUP:
		return "FsSetup";
	case BV_PHASE_PRIVILEGE_DROP:
		return "PrivilegeDrop";
	case BV_PHASE_FD_HYGIENE:
		return "FdHygiene";
	case BV_PHASE_POLICY_INSTALL:
		return "PolicyInstall";
	case BV_PHASE_LAUNCH:
		return "Launch";
	case BV_PHASE_OBSERVE:
		return "Observe";
	case BV_PHASE_TEARDOWN:
		return "Teardown";
	}
	bv_assert(false);
	return "";
}

/* ---- digests --------------------------------------------------------------------------------- */

void bv_primitive_param_digest(struct bv_digest *ret_digest)
{
	struct bv_hash_writer hasher;

	bv_hash_writer_open(&hasher);
	bv_put_map(&hasher.writer, 2);
	bv_put_str(&hasher.writer, BV_STR("domain"));
	bv_put_str(&hasher.writer, BV_STR("bvisor.primitive-params.v1"));
	bv_put_str(&hasher.writer, BV_STR("params"));
	bv_put_nil(&hasher.writer);
	bv_hash_writer_close(&hasher, ret_digest);
}

/* A list as a set: sorted, each once. */
static bool put_sorted(struct bv_arena *scratch, struct bv_writer *writer,
		       const struct bv_str_list *list)
{
	struct bv_str *sorted = bv_arena_array(scratch, list->count, sizeof list->items[0]);
	size_t unique = 0;

	if (sorted == NULL)
		return false;
	if (list->count != 0)
		__builtin_memcpy(sorted, list->items, list->count * sizeof sorted[0]);
	if (!bv_str_sort(scratch, sorted, list->count))
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (i == 0 || !bv_str_equal(sorted[i], sorted[unique - 1]))
			sorted[unique++] = sorted[i];
	bv_put_array(writer, unique);
	for (size_t i = 0; i < unique; i++)
		bv_put_str(writer, sorted[i]);
	return true;
}

static void put_covers(struct bv_writer *writer, uint32_t covers)
{
	size_t count = 0;

	for (uint32_t rest = covers; rest != 0; rest &= rest - 1)
		count++;
	bv_put_array(writer, count);
	for (uint32_t kind = 0; kind < bv_requirement_kind_type.row_count; kind++)
		if ((covers >> kind & 1) != 0)
			bv_put_str(writer,
				   bv_str_from(bv_name_of(&bv_requirement_kind_type, kind)));
}

enum bv_code bv_primitive_digest(struct bv_arena *scratch, const struct bv_primitive *primitive,
				 struct bv_digest *ret_digest, struct bv_error *err)
{
	const size_t used = scratch->used;
	struct bv_hash_writer hasher;
	struct bv_writer *writer = &hasher.writer;
	bool fits;

	bv_hash_writer_open(&hasher);
	bv_put_map(writer, 7);
	bv_put_str(writer, BV_STR("domain"));
	bv_put_str(writer, BV_STR("bvisor.primitive-decl.v1"));
	bv_put_str(writer, BV_STR("id"));
	bv_put_str(writer, primitive->id);
	bv_put_str(writer, BV_STR("version"));
	bv_put_unsigned(writer, primitive->version);
	bv_put_str(writer, BV_STR("phase"));
	bv_put_unsigned(writer, primitive->phase);
	bv_put_str(writer, BV_STR("covers"));
	put_covers(writer, primitive->covers);
	bv_put_str(writer, BV_STR("prerequisites"));
	fits = put_sorted(scratch, writer, &primitive->prerequisites);
	bv_put_str(writer, BV_STR("conflicts"));
	fits = fits && put_sorted(scratch, writer, &primitive->conflicts);
	bv_hash_writer_close(&hasher, ret_digest);
	scratch->used = used;
	if (!fits)
		return bv_fail(err, BV_E_MEMORY, "", "no memory to sort the lists of a primitive");
	return BV_OK;
}

void bv_schedule_digest(const struct bv_schedule *schedule, struct bv_digest *ret_digest)
{
	struct bv_hash_writer hasher;
	struct bv_writer *writer = &hasher.writer;

	bv_hash_writer_open(&hasher);
	bv_put_map(writer, 2);
	bv_put_str(writer, BV_STR("domain"));
	bv_put_str(writer, BV_STR("bvisor.lowering.v1"));
	bv_put_str(writer, BV_STR("entries"));
	bv_put_array(writer, schedule->count);
	for (size_t i = 0; i < schedule->count; i++) {
		const struct bv_schedule_entry *entry = &schedule->entries[i];

		bv_put_map(writer, 5);
		bv_put_str(writer, BV_STR("id"));
		bv_put_str(writer, entry->id);
		bv_put_str(writer, BV_STR("version"));
		bv_put_unsigned(writer, entry->version);
		bv_put_str(writer, BV_STR("phase"));
		bv_put_unsigned(writer, entry->phase);
		bv_put_str(writer, BV_STR("param_digest"));
		bv_put_digest(writer, &entry->param_digest);
		bv_put_str(writer, BV_STR("decl_digest"));
		bv_put_digest(writer, &entry->decl_digest);
	}
	bv_hash_writer_close(&hasher, ret_digest);
}

/* ---- compiling ------------------------------------------------------------------------------- */

struct node {
	const struct bv_primitive *primitive;
	bool done;
};

struct compiler {
	struct node *nodes; /* sorted by id */
	size_t count;
	struct bv_error *err;
};

static int order_ids(const void *context, const void *a, const void *b)
{
	(void)context;
	return bv_str_compare(((const struct node *)a)->primitive->id,
			      ((const struct node *)b)->primitive->id);
}

/* The place of an id among the nodes; false when it is not there. */
static bool find(const struct compiler *compiler, struct bv_str id, size_t *ret_index)
{
	size_t low = 0, high = compiler->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const int order = bv_str_compare(compiler->nodes[middle].primitive->id, id);

		if (order == 0) {
			*ret_index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static enum bv_code refuse(const struct compiler *compiler, const struct bv_primitive *primitive,
			   const char *what, const struct bv_primitive *other)
{
	char where[BV_WHERE_SIZE];
	size_t len = 0;

	for (; len < primitive->id.len && len + 1 < sizeof where; len++)
		where[len] = primitive->id.data[len];
	where[len] = '\0';
	return bv_fail(compiler->err, BV_E_ARGUMENT, where, "this primitive %s%.*s", what,
		       (int)(other == NULL        ? 0
			     : other->id.len < 64 ? other->id.len
						  : 64),
		       other == NULL ? "" : other->id.data);
}

static enum bv_code check_conflicts(const struct compiler *compiler)
{
	for (size_t i = 0; i < compiler->count; i++) {
		const struct bv_primitive *primitive = compiler->nodes[i].primitive;

		for (size_t j = 0; j < primitive->conflicts.count; j++) {
			size_t other;

			if (!find(compiler, primitive->conflicts.items[j], &other))
				continue;
			return refuse(compiler, compiler->nodes[i < other ? i : other].primitive,
				      "conflicts with ",
				      compiler->nodes[i < other ? other : i].primitive);
		}
	}
	return BV_OK;
}

static enum bv_code check_prerequisites(const struct compiler *compiler)
{
	for (size_t i = 0; i < compiler->count; i++) {
		const struct bv_primitive *primitive = compiler->nodes[i].primitive;

		for (size_t j = 0; j < primitive->prerequisites.count; j++) {
			const struct bv_primitive absent = {
				.id = primitive->prerequisites.items[j]};
			size_t other;

			if (!find(compiler, absent.id, &other))
				return refuse(compiler, primitive,
					      "needs what is not there: ", &absent);
			if (compiler->nodes[other].primitive->phase > primitive->phase)
				return refuse(compiler, primitive, "needs one of a later phase: ",
					      compiler->nodes[other].primitive);
		}
	}
	return BV_OK;
}

static bool is_ready(const struct compiler *compiler, size_t index)
{
	const struct bv_str_list *needed = &compiler->nodes[index].primitive->prerequisites;
	size_t other;

	for (size_t i = 0; i < needed->count; i++)
		if (!find(compiler, needed->items[i], &other) || !compiler->nodes[other].done)
			return false;
	return true;
}

/* The first in (phase, id) of those whose prerequisites are done; the nodes are in id order. */
static bool next_ready(const struct compiler *compiler, size_t *ret_index)
{
	bool found = false;

	for (size_t i = 0; i < compiler->count; i++)
		if (!compiler->nodes[i].done && is_ready(compiler, i) &&
		    (!found || compiler->nodes[i].primitive->phase <
				       compiler->nodes[*ret_index].primitive->phase)) {
			*ret_index = i;
			found = true;
		}
	return found;
}

static enum bv_code refuse_cycle(struct bv_arena *arena, const struct compiler *compiler)
{
	struct bv_str names = {"", 0};

	for (size_t i = 0; i < compiler->count; i++)
		if (!compiler->nodes[i].done)
			names = bv_arena_format(arena, "%s%s%.*s",
						names.data == NULL ? "" : names.data,
						names.len == 0 ? "" : ", ",
						(int)compiler->nodes[i].primitive->id.len,
						compiler->nodes[i].primitive->id.data);
	return bv_fail(compiler->err, BV_E_ARGUMENT, "", "these primitives wait for each other: %s",
		       names.data == NULL ? "" : names.data);
}

enum bv_code bv_schedule_compile(struct bv_arena *arena, const struct bv_primitive *primitives,
				 size_t count, struct bv_schedule *ret_schedule,
				 struct bv_error *err)
{
	struct compiler compiler = {.count = count, .err = err};
	struct bv_schedule schedule = {bv_arena_array(arena, count, sizeof schedule.entries[0]), 0};
	enum bv_code code;

	compiler.nodes = bv_arena_array(arena, count, sizeof compiler.nodes[0]);
	if (schedule.entries == NULL || compiler.nodes == NULL)
		return bv_fail(err, BV_E_MEMORY, "", "no memory for %zu primitives", count);
	for (size_t i = 0; i < count; i++)
		compiler.nodes[i].primitive = &primitives[i];
	if (!bv_sort(arena, (struct bv_any_list){compiler.nodes, count}, sizeof compiler.nodes[0],
		     order_ids, NULL))
		return bv_fail(err, BV_E_MEMORY, "", "no memory for %zu primitives", count);

	for (size_t i = 1; i < count; i++)
		if (bv_str_equal(compiler.nodes[i - 1].primitive->id,
				 compiler.nodes[i].primitive->id))
			return refuse(&compiler, compiler.nodes[i].primitive, "is there twice",
				      NULL);
	code = check_conflicts(&compiler);
	if (code == BV_OK)
		code = check_prerequisites(&compiler);
	if (code != BV_OK)
		return code;

	while (schedule.count < count) {
		struct bv_schedule_entry *entry = &schedule.entries[schedule.count];
		size_t index = 0;

		if (!next_ready(&compiler, &index))
			return refuse_cycle(arena, &compiler);
		compiler.nodes[index].done = true;
		schedule.count++;
		entry->id = compiler.nodes[index].primitive->id;
		entry->version = compiler.nodes[index].primitive->version;
		entry->phase = compiler.nodes[index].primitive->phase;
		bv_primitive_param_digest(&entry->param_digest);
		code = bv_primitive_digest(arena, compiler.nodes[index].primitive,
					   &entry->decl_digest, err);
		if (code != BV_OK)
			return code;
	}
	*ret_schedule = schedule;
	return BV_OK;
}
