/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* lower_exec.c - what the program is given: arguments, environment, descriptors, limits. */
#include "lower.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FDS_MAX = 64,
	/* The launcher decodes the plan within four times this, and copies every text once more. */
	VECTOR_BYTES_MAX = 1 << 20,
	UMASK_INHERITED = 01000,
	NPROC_SLACK = 16,
	SECOND_US = 1000000,
	DATA_LEAST_BYTES = 1 << 30,
};

static const struct bv_env_entry_list *find_environment(const struct bv_boundary_plan *plan)
{
	static const struct bv_env_entry_list empty;

	for (size_t i = 0; i < plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &plan->admitted.items[i].requirement;

		if (requirement->tag == BV_REQ_CAPABILITY &&
		    requirement->u.capability.tag == BV_CAP_ENVIRONMENT)
			return &requirement->u.capability.u.environment.policy.u.entries;
	}
	return &empty;
}

struct bv_str bv__lower_search_path(const struct bv_boundary_plan *plan)
{
	const struct bv_env_entry_list *entries = find_environment(plan);

	for (size_t i = 0; i < entries->count; i++) {
		if (bv_str_is(entries->items[i].name, "PATH") &&
		    entries->items[i].source.tag == BV_ENV_LITERAL)
			return entries->items[i].source.u.literal;
	}
	/* execvp(3) without one. */
	return BV_STR("/bin:/usr/bin");
}

/* The value of one variable; data NULL when it is a secret nobody gave. */
static struct bv_str value_of(const struct bv_lowering_state *state,
			      const struct bv_env_source *source)
{
	switch (source->tag) {
	case BV_ENV_LITERAL:
		return source->u.literal;
	case BV_ENV_SECRET_LEASE:
		for (size_t i = 0; i < state->options->secret_count; i++) {
			const struct bv_backend_secret *secret = &state->options->secrets[i];

			if (bv_str_equal(secret->name, source->u.lease))
				return (struct bv_str){secret->value, secret->size_bytes};
		}
		break;
	case BV_ENV_WITHHELD: /* no plan that was admitted holds one */
		break;
	}
	return (struct bv_str){NULL, 0};
}

static enum bv_code lower_environment(struct bv_lowering_state *state, size_t *bytes)
{
	const struct bv_env_entry_list *entries = find_environment(state->plan);
	struct bv_str_list *envp = &state->out->body.work.exec.envp;

	envp->items = bv_arena_array(state->arena, entries->count, sizeof(*envp->items));
	for (size_t i = 0; envp->items != NULL && i < entries->count; i++) {
		const struct bv_env_entry *entry = &entries->items[i];
		const struct bv_str value = value_of(state, &entry->source);
		char *text;

		if (value.data == NULL && value.len == 0 && entry->source.tag == BV_ENV_WITHHELD)
			return bv_fail(state->err, BV_E_ARGUMENT, "environment",
				       "the plan does not hold the value of a variable");
		if (value.data == NULL && value.len == 0 &&
		    entry->source.tag == BV_ENV_SECRET_LEASE)
			return bv_fail_remedy(state->err, BV_E_ARGUMENT, "environment",
					      "give its value with the run",
					      "nobody gave the secret '%.*s'",
					      (int)entry->source.u.lease.len,
					      entry->source.u.lease.data);
		if (value.data != NULL && memchr(value.data, '\0', value.len) != NULL)
			return bv_fail(state->err, BV_E_ARGUMENT, "environment",
				       "the value of '%.*s' holds a NUL", (int)entry->name.len,
				       entry->name.data);
		text = bv_arena_alloc(state->arena, entry->name.len + 1 + value.len + 1);
		if (text == NULL)
			break;
		memcpy(text, entry->name.data, entry->name.len);
		text[entry->name.len] = '=';
		if (value.data != NULL)
			memcpy(text + entry->name.len + 1, value.data, value.len);
		envp->items[envp->count++] = (struct bv_str){text, entry->name.len + 1 + value.len};
		*bytes += entry->name.len + value.len + 2;
	}
	if (envp->count != entries->count)
		return bv_fail(state->err, BV_E_MEMORY, "environment",
			       "no memory for the environment");
	return BV_OK;
}

static enum bv_code lower_arguments(struct bv_lowering_state *state, size_t *bytes)
{
	const struct bv_process_workload *process = &state->plan->workload.u.process;
	struct bv_str_list *argv = &state->out->body.work.exec.argv;

	argv->items = bv_arena_array(state->arena, process->args.count + 1, sizeof(*argv->items));
	if (argv->items == NULL)
		return bv_fail(state->err, BV_E_MEMORY, "workload", "no memory for the arguments");
	argv->items[argv->count++] = process->exe;
	for (size_t i = 0; i < process->args.count; i++) {
		argv->items[argv->count++] = process->args.items[i];
		*bytes += process->args.items[i].len + 1;
	}
	return BV_OK;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static enum bv_code lower_fds(struct bv_lowering_state *state)
{
	struct bv_u32_list *fds = &state->out->body.work.exec.fds;
	const struct bv_u32_list *wanted = NULL;
	struct stat seen;

	for (size_t i = 0; i < state->plan->admitted.count; i++) {
		const struct bv_requirement *requirement = &state->plan->admitted.items[i]
								    .requirement;

		if (requirement->tag == BV_REQ_CAPABILITY &&
		    requirement->u.capability.tag == BV_CAP_INHERITED_FDS &&
		    requirement->u.capability.u.fds.policy.tag == BV_FDS_ONLY)
			wanted = &requirement->u.capability.u.fds.policy.u.fds;
	}
	if (wanted == NULL || wanted->count == 0)
		return BV_OK;
	if (wanted->count > FDS_MAX)
		return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "capabilities.fds",
				      "inherit fewer",
				      "more than %d descriptors are to be inherited", (int)FDS_MAX);
	fds->items = bv_arena_array(state->arena, wanted->count, sizeof(*fds->items));
	if (fds->items == NULL)
		return bv_fail(state->err, BV_E_MEMORY, "capabilities.fds",
			       "no memory for the descriptors");
	memcpy(fds->items, wanted->items, wanted->count * sizeof(*fds->items));
	fds->count = wanted->count;
	qsort(fds->items, fds->count, sizeof(*fds->items), by_number);
	for (size_t i = 0; i < fds->count; i++) {
		if (fds->items[i] < 3 || fds->items[i] > 65535 ||
		    (i > 0 && fds->items[i] == fds->items[i - 1]))
			return bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "capabilities.fds",
					      "name each once, from 3 on",
					      "descriptor %u cannot be inherited", fds->items[i]);
		if (fstat((int)fds->items[i], &seen) == 0 &&
		    (S_ISDIR(seen.st_mode) || S_ISBLK(seen.st_mode)))
			return bv_fail_remedy(
				state->err, BV_E_INVALID_POLICY, "capabilities.fds",
				"grant the path instead",
				"descriptor %u is a %s, which would lead out of the boundary",
				fds->items[i], S_ISDIR(seen.st_mode) ? "directory" : "disk");
		if (fcntl((int)fds->items[i], F_GETFD) < 0)
			return bv_fail_remedy(state->err, BV_E_ARGUMENT, "capabilities.fds",
					      "open it before the run starts",
					      "descriptor %u is not open", fds->items[i]);
	}
	return BV_OK;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void bounded_limit(struct bv_launch_rlimit_list *list, unsigned int resource,
			  const struct rlimit *caller, uint64_t soft, uint64_t hard)
{
	if (hard > caller->rlim_max)
		hard = caller->rlim_max;
	if (soft > hard)
		soft = hard;
	list->items[list->count++] = (struct bv_launch_rlimit){resource, soft, hard};
}

/*
 * Nobody can be given more than the host has.  A macro, because the C libraries disagree on the type
 * of a resource's number and each takes its own constants.
 */
#define put_limit(list, resource, soft, hard)                                                      \
	do {                                                                                       \
		struct rlimit caller_ = {RLIM_INFINITY, RLIM_INFINITY};                            \
		(void)getrlimit(resource, &caller_);                                               \
		bounded_limit(list, resource, &caller_, soft, hard);                               \
	} while (0)

/*
 * What the kernel holds of each process stands behind what the launcher holds of all: a launcher that
 * comes late finds at most so much.  Far enough away never to be felt by a program within its limits.
 */
static void lower_backstops(const struct bv_lowering_state *state,
			    struct bv_launch_rlimit_list *list)
{
	const struct bv_launch_limits *limits = &state->out->body.work.limits;
	const uint64_t cpus = bv__fact_number(&state->plan->profile, BV_FACT_CPUS);
	uint64_t most;

	if (limits->has_cpu_micros && bv_mul(limits->grace_micros, cpus ? cpus : 1, &most) &&
	    bv_add(limits->cpu_micros, most, &most)) {
		most = most / SECOND_US + 2;
		put_limit(list, RLIMIT_CPU, most, most);
	}
	/* Counts what may be written, touched or not, and so needs room. */
	if (limits->has_resident_bytes && bv_mul(limits->resident_bytes, 4, &most)) {
		if (most < DATA_LEAST_BYTES)
			most = DATA_LEAST_BYTES;
		put_limit(list, RLIMIT_DATA, most, most);
	}
	/* Of a single file: one that is there already may grow by the limit too. */
	if (limits->has_storage && limits->storage.places.count + limits->storage.fds.count > 0 &&
	    bv_add(limits->storage.limit_bytes, state->longest_file, &most))
		put_limit(list, RLIMIT_FSIZE, most, most);
}

static enum bv_code lower_limits(struct bv_lowering_state *state)
{
	const struct bv_admitted_budgets *budgets = &state->plan->budgets;
	const struct bv_layers *layers = &state->out->layers;
	struct bv_launch_rlimit_list *list = &state->out->body.work.rlimits;

	list->items = bv_arena_array(state->arena, 12, sizeof(*list->items));
	if (list->items == NULL)
		return bv_fail(state->err, BV_E_MEMORY, "budgets", "no memory for the limits");
	/* One byte: neither a file nor a program that core_pattern names gets a core. */
	put_limit(list, RLIMIT_CORE, 1, 1);
	put_limit(list, RLIMIT_MEMLOCK, 64 << 10, 64 << 10);
	put_limit(list, RLIMIT_MSGQUEUE, 819200, 819200);
	put_limit(list, RLIMIT_NICE, 0, 0);
	put_limit(list, RLIMIT_RTPRIO, 0, 0);
	put_limit(list, RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
	if (budgets->has_handle_count)
		put_limit(list, RLIMIT_NOFILE, budgets->handle_count.effective_limit,
			  budgets->handle_count.effective_limit);
	else
		put_limit(list, RLIMIT_NOFILE, 1024, 65536);
	lower_backstops(state, list);
	if (budgets->has_process_count && (layers->namespaces || layers->root)) {
		/* The boundary's own PID 1 is the same user, and counts. */
		const uint64_t own = layers->namespaces ? 1 : 0;
		uint64_t limit = budgets->process_count.effective_limit;

		if (!bv_add(limit, own, &limit) ||
		    /* Only a second lock where the group holds them: its refusals are counted. */
		    (layers->group_pids && !bv_add(limit, NPROC_SLACK, &limit)))
			limit = RLIM_INFINITY;
		put_limit(list, RLIMIT_NPROC, limit, limit);
	}
	return BV_OK;
}

enum bv_code bv__lower_exec(struct bv_lowering_state *state)
{
	struct bv_launch_exec *exec = &state->out->body.work.exec;
	size_t bytes = 0;
	enum bv_code code = lower_arguments(state, &bytes);

	if (code == BV_OK)
		code = lower_environment(state, &bytes);
	if (code == BV_OK && bytes > VECTOR_BYTES_MAX)
		code = bv_fail_remedy(state->err, BV_E_INVALID_POLICY, "workload",
				      "pass long data in a file",
				      "arguments and environment are longer than 1 MiB");
	if (code == BV_OK)
		code = lower_fds(state);
	if (code == BV_OK)
		code = bv__lower_growth(state);
	if (code == BV_OK)
		code = lower_limits(state);
	exec->terminal = state->out->terminal;
	/* The caller's own, so that files come out with the permissions the caller's always have.  To
	 * read it here would be to change it, for all threads of the host. */
	exec->umask = UMASK_INHERITED;
	return code;
}
