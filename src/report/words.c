/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requirements, amounts and endings in words. */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "contract/support.h"

void bv__put(struct bv_writer *writer, const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	bv_assert(len >= 0 &&
		  (size_t)len < sizeof text); /* what may be long goes through bv__put_plain */
	bv_put_raw(writer, text, (size_t)len);
}

void bv__put_plain(struct bv_writer *writer, struct bv_str text)
{
	for (size_t at = 0; at < text.len;) {
		uint32_t code_point = 0;
		size_t len = bv_utf8_next(text, at, &code_point);
		/* Controls, and what turns the direction of the text after it. */
		bool harmless = len > 0 && code_point >= 0x20 &&
				!(code_point >= 0x7f && code_point < 0xa0) &&
				!(code_point >= 0x202a && code_point <= 0x202e) &&
				!(code_point >= 0x2066 && code_point <= 0x2069);

		if (harmless)
			bv_put_raw(writer, text.data + at, len);
		else
			bv_put_raw(writer, "?", 1);
		at += len > 0 ? len : 1;
	}
}

static void put_list(struct bv_writer *writer, const struct bv_str_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			bv__put(writer, ", ");
		bv__put_plain(writer, list->items[i]);
	}
}

static void put_environment(struct bv_writer *writer, const struct bv_env_entry_list *entries)
{
	if (entries->count == 0)
		bv__put(writer, "empty");
	for (size_t i = 0; i < entries->count; i++) {
		if (i > 0)
			bv__put(writer, ", ");
		bv__put_plain(writer, entries->items[i].name);
		if (entries->items[i].source.tag == BV_ENV_SECRET_LEASE)
			bv__put(writer, " (secret)");
		else if (entries->items[i].source.tag == BV_ENV_WITHHELD)
			bv__put(writer, " (value not kept)");
	}
}

static void put_capability(struct bv_writer *writer, const struct bv_capability *capability)
{
	static const char *const accesses[] = {
		[BV_FS_READ] = "read",
		[BV_FS_WRITE] = "write",
		[BV_FS_READ_WRITE] = "read and write",
		[BV_FS_EXECUTE] = "execute",
	};
	const struct bv_fs_capability *filesystem = &capability->u.filesystem;

	switch (capability->tag) {
	case BV_CAP_FILESYSTEM:
		if (filesystem->scope.roots.count == 0) {
			bv__put(writer, "no roots");
			return;
		}
		bv__put(writer, "%s%s ", accesses[filesystem->access],
			filesystem->recursive ? "" : " (not below)");
		put_list(writer, &filesystem->scope.roots);
		return;
	case BV_CAP_NETWORK:
		for (size_t i = 0; capability->u.network.policy.tag == BV_NET_ALLOW_LIST &&
				   i < capability->u.network.policy.u.peers.count;
		     i++) {
			const struct bv_net_dest *peer = &capability->u.network.policy.u.peers
								  .items[i];

			bv__put(writer, "%s", i > 0 ? ", " : "");
			bv__put_plain(writer, peer->host);
			bv__put(writer, ":%u", (unsigned int)peer->port);
		}
		return;
	case BV_CAP_CHILD_SPAWN:
		return;
	case BV_CAP_ENVIRONMENT:
		put_environment(writer, &capability->u.environment.policy.u.entries);
		return;
	case BV_CAP_INHERITED_FDS:
		for (size_t i = 0; capability->u.fds.policy.tag == BV_FDS_ONLY &&
				   i < capability->u.fds.policy.u.fds.count;
		     i++)
			bv__put(writer, "%s%u", i > 0 ? ", " : "",
				capability->u.fds.policy.u.fds.items[i]);
		return;
	}
}

static void put_streams(struct bv_writer *writer, const struct bv_std_streams *streams)
{
	const char *comma = "";

	if (streams->stdout_stream) {
		bv__put(writer, "stdout");
		comma = ", ";
	}
	if (streams->stderr_stream) {
		bv__put(writer, "%sstderr", comma);
		comma = ", ";
	}
	if (streams->stdin_stream)
		bv__put(writer, "%sstdin", comma);
}

static void put_control(struct bv_writer *writer, struct bv_arena *arena,
			const struct bv_host_control *control)
{
	switch (control->tag) {
	case BV_CONTROL_CAPTURE:
		put_streams(writer, &control->u.capture.streams);
		return;
	case BV_CONTROL_TEMP_ROOT:
		if (control->u.temp_root.has_size_bytes)
			bv__put_plain(writer, bv__text_amount(arena, BV_DIMENSION_STORAGE,
							      control->u.temp_root.size_bytes));
		if (control->u.temp_root.has_inodes)
			bv__put(writer, "%s%llu files",
				control->u.temp_root.has_size_bytes ? ", " : "",
				(unsigned long long)control->u.temp_root.inodes);
		return;
	case BV_CONTROL_EXPOSE_PATH:
		bv__put_plain(writer, control->u.expose.source);
		bv__put(writer, " at ");
		bv__put_plain(writer, control->u.expose.dest);
		return;
	case BV_CONTROL_COMMIT_ARTIFACT:
		bv__put(writer, "%s",
			bv_name_of(&bv_commit_durability_type, control->u.commit.durability));
		return;
	case BV_CONTROL_KILL:
		bv__put(writer, "%s",
			bv_name_of(&bv_kill_guarantee_type, control->u.kill.guarantee));
		return;
	case BV_CONTROL_LAUNCH:
	case BV_CONTROL_DISCARD_ARTIFACT:
	case BV_CONTROL_LIST_OUTPUTS:
		return;
	}
}

/* Written twice: measured, then into memory of that size. */
struct bv_str bv__text_make(struct bv_arena *arena,
			    void (*put)(struct bv_writer *, struct bv_arena *, const void *),
			    const void *what)
{
	struct bv_writer writer = {0};

	put(&writer, arena, what);

	size_t size = writer.len;
	char *text = bv_arena_alloc(arena, size + 1);

	if (!text)
		return (struct bv_str){NULL, 0};
	writer = (struct bv_writer){.data = (uint8_t *)text, .capacity = size};
	put(&writer, arena, what);
	text[size] = '\0';
	return (struct bv_str){text, size};
}

void bv__put_requirement(struct bv_writer *writer, struct bv_arena *arena,
			 const struct bv_requirement *requirement)
{
	switch (requirement->tag) {
	case BV_REQ_CAPABILITY:
		put_capability(writer, &requirement->u.capability);
		return;
	case BV_REQ_HOST_CONTROL:
		put_control(writer, arena, &requirement->u.control);
		return;
	}
}

static void put_requirement(struct bv_writer *writer, struct bv_arena *arena, const void *what)
{
	bv__put_requirement(writer, arena, what);
}

struct bv_str bv__text_requirement(struct bv_arena *arena, const struct bv_requirement *requirement)
{
	return bv__text_make(arena, put_requirement, requirement);
}

/* ---- Amounts --------------------------------------------------------------------------------- */

struct unit {
	uint64_t factor;
	const char *name;
};

static const struct unit times[] = {
	{3600000000, "h"}, {60000000, "min"}, {1000000, "s"}, {1000, "ms"}, {1, "us"}};
static const struct unit sizes[] = {
	{1ULL << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "bytes"}};

static struct bv_str in_units(struct bv_arena *arena, const struct unit *units, uint64_t amount)
{
	while (units->factor > 1 && (amount == 0 || amount % units->factor != 0))
		units++;
	return bv_arena_format(arena, "%llu %s", (unsigned long long)(amount / units->factor),
			       units->name);
}

struct bv_str bv__text_amount(struct bv_arena *arena, enum bv_dimension dimension, uint64_t amount)
{
	switch (dimension) {
	case BV_DIMENSION_WALL:
	case BV_DIMENSION_CPU:
		return in_units(arena, times, amount);
	case BV_DIMENSION_RESIDENT:
	case BV_DIMENSION_STORAGE:
	case BV_DIMENSION_NETWORK:
		return in_units(arena, sizes, amount);
	case BV_DIMENSION_PROCESSES:
	case BV_DIMENSION_HANDLES:
	case BV_DIMENSION_COUNT:
		break;
	}
	return bv_arena_format(arena, "%llu", (unsigned long long)amount);
}

const char *bv__text_left_out(enum bv_left_out_cause cause)
{
	switch (cause) {
	case BV_LEFT_SPECIAL:
		return "a device, FIFO or socket";
	case BV_LEFT_LINK:
		return "a symbolic link, and none is followed";
	case BV_LEFT_SHARED:
		return "it has a name elsewhere too";
	case BV_LEFT_NAME:
		return "its name is not UTF-8, or too long";
	case BV_LEFT_LIMIT:
		return "more than is kept";
	case BV_LEFT_CHANGED:
		return "it changed while it was read";
	case BV_LEFT_UNREADABLE:
		return "it cannot be read";
	case BV_LEFT_STORAGE:
		return "it cannot be kept: is the disk of the journal full?";
	}
	return "";
}

const char *bv__text_dimension(enum bv_dimension dimension)
{
	static const char *const names[] = {
		[BV_DIMENSION_WALL] = "wall",       [BV_DIMENSION_CPU] = "cpu",
		[BV_DIMENSION_RESIDENT] = "memory", [BV_DIMENSION_PROCESSES] = "processes",
		[BV_DIMENSION_HANDLES] = "handles", [BV_DIMENSION_STORAGE] = "storage",
		[BV_DIMENSION_NETWORK] = "network",
	};

	return names[dimension];
}

/* What was measured need not be exact for people: three digits, in the largest unit that fits. */
static struct bv_str nearly(struct bv_arena *arena, const struct unit *units, uint64_t amount)
{
	while (units->factor > 1 && amount < units->factor)
		units++;

	uint64_t whole = amount / units->factor;
	uint64_t tenths = (amount % units->factor) / (units->factor / 10 + (units->factor < 10));

	if (units->factor == 1 || whole >= 100)
		return bv_arena_format(arena, "%llu %s", (unsigned long long)whole, units->name);
	return bv_arena_format(arena, "%llu.%llu %s", (unsigned long long)whole,
			       (unsigned long long)(tenths > 9 ? 9 : tenths), units->name);
}

struct bv_str bv__text_measured(struct bv_arena *arena, enum bv_dimension dimension,
				uint64_t amount)
{
	switch (dimension) {
	case BV_DIMENSION_WALL:
	case BV_DIMENSION_CPU:
		return nearly(arena, times, amount);
	case BV_DIMENSION_RESIDENT:
	case BV_DIMENSION_STORAGE:
	case BV_DIMENSION_NETWORK:
		return nearly(arena, sizes, amount);
	case BV_DIMENSION_PROCESSES:
	case BV_DIMENSION_HANDLES:
	case BV_DIMENSION_COUNT:
		break;
	}
	return bv__text_amount(arena, dimension, amount);
}

/* ---- Endings --------------------------------------------------------------------------------- */

const char *bv__text_signal(int number)
{
	/* Numbers differ between architectures, names do not; but reports are read anywhere, so these
	 * are the numbers nearly all of them share. */
	static const char *const names[] = {
		[1] = "SIGHUP",   [2] = "SIGINT",   [3] = "SIGQUIT",    [4] = "SIGILL",
		[5] = "SIGTRAP",  [6] = "SIGABRT",  [7] = "SIGBUS",     [8] = "SIGFPE",
		[9] = "SIGKILL",  [10] = "SIGUSR1", [11] = "SIGSEGV",   [12] = "SIGUSR2",
		[13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM",   [16] = "SIGSTKFLT",
		[24] = "SIGXCPU", [25] = "SIGXFSZ", [26] = "SIGVTALRM", [27] = "SIGPROF",
		[29] = "SIGIO",   [30] = "SIGPWR",  [31] = "SIGSYS",
	};

	return number > 0 && (size_t)number < sizeof names / sizeof *names && names[number]
		       ? names[number]
		       : "";
}

static void put_trap(struct bv_writer *writer, struct bv_arena *arena, const void *what)
{
	(void)arena;
	bv__put(writer, "%s", "trapped: ");
	bv__put_plain(writer, *(const struct bv_str *)what);
}

/* A guest that trapped has no exit, and no signal either. */
static struct bv_str trap_text(struct bv_arena *arena, const struct bv_report_body *body)
{
	for (size_t i = 0; i < body->observed.count; i++)
		if (bv_str_is(body->observed.items[i].kind, "wasm_trap"))
			return bv__text_make(arena, put_trap, &body->observed.items[i].detail);
	return bv_arena_format(arena, "ended in a way that is not known");
}

static struct bv_str exit_text(struct bv_arena *arena, const struct bv_report_body *body)
{
	const char *name;

	if (!body->has_exit)
		return trap_text(arena, body);
	switch (body->exit.tag) {
	case BV_EXIT_CODE:
		return bv_arena_format(arena, "exited with code %d", body->exit.u.code);
	case BV_EXIT_SIGNAL:
		break;
	}
	name = bv__text_signal(body->exit.u.signal);
	return bv_arena_format(arena, "was killed by signal %d%s%s%s%s", body->exit.u.signal,
			       *name ? " (" : "", name, *name ? ")" : "",
			       body->has_core_dumped && body->core_dumped ? " and dumped core"
									  : "");
}

/* What it used, where that says more than the limit itself. */
static struct bv_str used_text(struct bv_arena *arena, enum bv_dimension dimension,
			       const struct bv_budget_witness *witness)
{
	if (dimension == BV_DIMENSION_WALL || witness->finding == BV_FINDING_UNAVAILABLE)
		return BV_STR("");
	/* A limit on storage is one of files too, and what cannot be seen is too much. */
	if (dimension == BV_DIMENSION_STORAGE && witness->observed_usage < witness->admitted_limit)
		return bv_arena_format(
			arena, " (used %s, but too many files, or some out of sight)",
			bv__text_measured(arena, dimension, witness->observed_usage).data);
	return bv_arena_format(arena, " (used %s)",
			       bv__text_measured(arena, dimension, witness->observed_usage).data);
}

/* How it went on where it was let to. */
static struct bv_str grace_text(struct bv_arena *arena, const struct bv_report_body *body)
{
	if (!body->has_exit || (body->exit.tag == BV_EXIT_SIGNAL && body->exit.u.signal == 9))
		return BV_STR("");
	return bv_arena_format(arena, ", and %s", exit_text(arena, body).data);
}

static struct bv_str limit_text(struct bv_arena *arena, const struct bv_report_body *body)
{
	struct bv_budget_witnesses witnesses =
		body->budget; /* bv_budget_witness_in gives no const */
	const enum bv_dimension dimension = body->has_stopped_by &&
							    body->stopped_by != BV_LIMIT_FUEL
						    ? (enum bv_dimension)body->stopped_by
						    : BV_DIMENSION_WALL;
	const struct bv_budget_witness *witness = bv_budget_witness_in(&witnesses, dimension);
	const char *grace = grace_text(arena, body).data;

	/* None of the seven budgets. */
	if (body->has_stopped_by && body->stopped_by == BV_LIMIT_FUEL)
		return bv_arena_format(arena, "was stopped when its fuel was used up");
	if (!body->has_stopped_by && body->outcome != BV_OUTCOME_TIMEOUT)
		return bv_arena_format(arena, "was killed by its caller%s", grace);
	/* No report of ours lacks it; others may. */
	if (witness->admitted_limit == UINT64_MAX)
		return bv_arena_format(arena, "was stopped at the %s limit%s",
				       bv__text_dimension(dimension), grace);
	return bv_arena_format(arena, "was stopped at the %s limit of %s%s%s%s",
			       bv__text_dimension(dimension),
			       bv__text_amount(arena, dimension, witness->admitted_limit).data,
			       used_text(arena, dimension, witness).data, grace,
			       body->has_exec_failure ? " before it could start" : "");
}

/* Quoted texts may hold anything: `bv_arena_format` would pass it on. */
struct quoted {
	const char *before;
	struct bv_str text;
	const char *between;
	struct bv_str more;
	const char *after;
};

static void put_quoted(struct bv_writer *writer, struct bv_arena *arena, const void *what)
{
	const struct quoted *quoted = what;

	(void)arena;
	bv__put(writer, "%s", quoted->before);
	bv__put_plain(writer, quoted->text);
	bv__put(writer, "%s", quoted->between);
	bv__put_plain(writer, quoted->more);
	bv__put(writer, "%s", quoted->after);
}

static struct bv_str failure_text(struct bv_arena *arena, const struct bv_report_body *body)
{
	const struct quoted quoted = {
		.before = "could not be executed: ",
		.text = body->exec_failure.message,
		.between = " (",
		.more = body->exec_failure.step,
		.after = ")",
	};

	return bv__text_make(arena, put_quoted, &quoted);
}

struct bv_str bv__text_summary(struct bv_arena *arena, const struct bv_report_body *body)
{
	const struct bv_observed_fact_list *observed = &body->observed;
	struct quoted fault = {.before = "bvisor failed", .between = "", .after = ""};

	switch (body->outcome) {
	case BV_OUTCOME_COMPLETED:
		return exit_text(arena, body);
	case BV_OUTCOME_FAILED:
		return body->has_exec_failure ? failure_text(arena, body) : exit_text(arena, body);
	case BV_OUTCOME_TIMEOUT:
	case BV_OUTCOME_KILLED:
		return limit_text(arena, body);
	case BV_OUTCOME_DENIED:
		return bv_arena_format(arena, "was killed by SIGSYS, the filter's or its own");
	case BV_OUTCOME_UNSUPPORTED:
		return bv_arena_format(arena, "was refused by the backend; nothing ran");
	case BV_OUTCOME_SUPERVISOR_FAULT:
		break;
	}
	if (body->has_exec_failure) {
		fault.before = "bvisor failed: ";
		fault.text = body->exec_failure.message;
	} else if (observed->count > 0) {
		/* Where nothing says that it was it, what was seen last is what led here. */
		fault.before = "bvisor failed: ";
		fault.text = observed->items[observed->count - 1].detail;
		for (size_t i = 0; i < observed->count; i++) {
			if (bv_str_is(observed->items[i].kind, "supervisor_fault"))
				fault.text = observed->items[i].detail;
		}
	}
	return bv__text_make(arena, put_quoted, &fault);
}
