/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Everything protocol 1 decides from the bytes of the plan alone.
 *
 * The reference is lenient here and lets requests fall silently; this refuses whatever it would not
 * carry out.  What its host sends, and the order in which it finds fault, stay the same.
 */
#include "launcher/v1.h"

#include <string.h>

#include "contract/canon.h"
#include "contract/frame.h"

enum {
	PHASE_FD_HYGIENE = 3,
	PHASE_POLICY_INSTALL = 4,
	PHASE_LAUNCH = 5,
};

int bv__v1_decode(struct bv_v1_launch *launch, struct bv_launch_body *body)
{
	struct bv_v1_transcript *transcript = launch->transcript;
	const struct bv_str frame = launch->launcher->frame;
	struct bv_frame opened;
	struct bv_error error = {.code = BV_OK};
	enum bv_frame_reject reject;

	if (!launch->launcher->sealed)
		return bv__v1_refuse(
			transcript, BV_REFUSAL_PLAN_INVALID,
			"the plan is not a memory file with all four seals; add F_SEAL_SEAL, "
			"SHRINK, GROW and WRITE before it is handed over");
	if (frame.len > BV_LAUNCHER_FRAME_MAX)
		return bv__v1_refuse_number(transcript, BV_REFUSAL_PLAN_INVALID,
					    "the plan is longer than this many bytes: ",
					    BV_LAUNCHER_FRAME_MAX);
	reject = bv_frame_open(frame.data, frame.len, &opened);
	if (reject == BV_FRAME_OK && opened.version != 1)
		reject = BV_FRAME_UNSUPPORTED_VERSION;
	if (reject != BV_FRAME_OK) {
		bv__v1_note_text(transcript, "envelope=", bv_frame_reject_name(reject));
		return bv__v1_refuse(transcript, BV_REFUSAL_PLAN_INVALID,
				     "the plan's envelope is not one of protocol 1");
	}
	if (bv_canon_decode(&launch->arena, &bv_launch_body_type, opened.body, opened.body_bytes,
			    body, &error) != BV_OK) {
		bv__v1_note_text(transcript, "where: ", error.where);
		return bv__v1_refuse(transcript, BV_REFUSAL_PLAN_INVALID, error.message);
	}
	launch->body = body;
	return 0;
}

int bv__v1_check_identity(struct bv_v1_launch *launch)
{
	struct bv_digest lowering;

	bv_canon_hash(&bv_lowering_type, &launch->body->lowering, &lowering);
	if (!bv_digest_equal(&lowering, &launch->body->h_l))
		return bv__v1_refuse(
			launch->transcript, BV_REFUSAL_IDENTITY_MISMATCH,
			"h_l is not the digest of the lowering; the host must hash what "
			"it sends");
	return 0;
}

static bool is_singleton(enum bv_slot_role role)
{
	return role != BV_ROLE_READ_ROOT && role != BV_ROLE_WRITE_ROOT;
}

static int check_duplicates(struct bv_v1_launch *launch)
{
	const struct bv_slot_list *table = &launch->body->descriptor_table;
	uint32_t roles = 0;

	if (table->count > BV_V1_SLOTS_MAX)
		return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_PLAN_INVALID,
					    "the descriptor table has more slots than ",
					    BV_V1_SLOTS_MAX);
	for (size_t i = 0; i < table->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (table->items[j].slot_index == table->items[i].slot_index)
				return bv__v1_refuse_number(
					launch->transcript, BV_REFUSAL_PLAN_INVALID,
					"the descriptor table declares twice slot ",
					table->items[i].slot_index);
		}
	}
	for (size_t i = 0; i < table->count; i++) {
		const uint32_t bit = 1U << table->items[i].role;

		if (is_singleton(table->items[i].role) && (roles & bit) != 0)
			return bv__v1_refuse_number(
				launch->transcript, BV_REFUSAL_PLAN_INVALID,
				"the descriptor table gives a role for one slot "
				"again, to slot ",
				table->items[i].slot_index);
		roles |= bit;
	}
	return 0;
}

/* Descriptors 0 to 2 pass to the workload as they are, so only a statement about them can be meant. */
static bool is_own_stream(const struct bv_slot *slot)
{
	return (slot->slot_index == 0 && slot->role == BV_ROLE_STDIN) ||
	       (slot->slot_index == 1 && slot->role == BV_ROLE_STDOUT) ||
	       (slot->slot_index == 2 && slot->role == BV_ROLE_STDERR);
}

static int check_numbers(struct bv_v1_launch *launch)
{
	const struct bv_slot_list *table = &launch->body->descriptor_table;
	const struct bv_launcher *launcher = launch->launcher;
	bool exe_declared = false;

	for (size_t i = 0; i < table->count; i++) {
		const struct bv_slot *slot = &table->items[i];
		const uint32_t channels[] = {(uint32_t)launcher->control_fd,
					     (uint32_t)launcher->plan_fd,
					     (uint32_t)launcher->error_fd,
					     (uint32_t)launcher->error_read_fd};

		if (slot->slot_index < 3 && !is_own_stream(slot))
			return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_PLAN_INVALID,
						    "the workload's own stream cannot be slot ",
						    slot->slot_index);
		for (size_t k = 0; k < sizeof(channels) / sizeof(channels[0]); k++) {
			if (slot->slot_index == channels[k])
				return bv__v1_refuse_number(launch->transcript,
							    BV_REFUSAL_PLAN_INVALID,
							    "a channel has the number of slot ",
							    slot->slot_index);
		}
		if (slot->slot_index == launch->body->target.exe_slot &&
		    slot->role == BV_ROLE_TARGET_EXE)
			exe_declared = true;
	}
	if (!exe_declared)
		return bv__v1_refuse_number(launch->transcript, BV_REFUSAL_PLAN_INVALID,
					    "exe_slot names no slot declared as TargetExe: ",
					    launch->body->target.exe_slot);
	return 0;
}

static int check_target(struct bv_v1_launch *launch)
{
	const struct bv_launch_target *target = &launch->body->target;

	if (target->argv.count == 0)
		return bv__v1_refuse(launch->transcript, BV_REFUSAL_PLAN_INVALID,
				     "argv is empty; its first element is the program's name");
	for (size_t i = 0; i < target->envp.count; i++) {
		const struct bv_str name = target->envp.items[i].name;

		if (name.len == 0 || memchr(name.data, '=', name.len) != NULL)
			return bv__v1_refuse_number(
				launch->transcript, BV_REFUSAL_PLAN_INVALID,
				"a variable's name is empty or has a '=' in it, "
				"in envp at index ",
				(int64_t)i);
	}
	return 0;
}

/*
 * Id and phase alone say what an entry is.  Its version, its digests and the order are not looked
 * at: hosts of 0.9 send zero digests, and the id carries the version that counts.
 */
static bool classify(const struct bv_lowering_entry *entry, struct bv_v1_actions *actions)
{
	const struct {
		const char *id;
		uint8_t phase_code;
		bool *action;
	} served[] = {
		{"linux.ambient.scrub.v1", PHASE_FD_HYGIENE, &actions->scrub},
		{"linux.landlock.apply.v1", PHASE_POLICY_INSTALL, &actions->landlock},
		{"linux.seccomp.apply.v1", PHASE_POLICY_INSTALL, &actions->seccomp},
		{"linux.exec.v1", PHASE_LAUNCH, &actions->exec},
	};

	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		if (entry->phase_code == served[i].phase_code &&
		    bv_str_is(entry->id, served[i].id)) {
			*served[i].action = true;
			return true;
		}
	}
	return false;
}

static int check_schedule(struct bv_v1_launch *launch)
{
	const struct bv_lowering_entry_list *entries = &launch->body->lowering.entries;

	for (size_t i = 0; i < entries->count; i++) {
		if (!classify(&entries->items[i], &launch->actions))
			return bv__v1_refuse_number(
				launch->transcript, BV_REFUSAL_MISSING_PRIMITIVE,
				"this launcher has no such action in that phase: "
				"lowering entry ",
				(int64_t)i);
	}
	if (!launch->actions.exec)
		return bv__v1_refuse(
			launch->transcript, BV_REFUSAL_MISSING_PRIMITIVE,
			"the lowering executes nothing; it needs linux.exec.v1 in phase 5");
	return 0;
}

int bv__v1_check_plan(struct bv_v1_launch *launch)
{
	int code = check_duplicates(launch);

	return code != 0 ? code : check_schedule(launch);
}

int bv__v1_check_requests(struct bv_v1_launch *launch)
{
	const struct bv_launch_target *target = &launch->body->target;

	if (!launch->actions.scrub)
		return bv__v1_refuse(
			launch->transcript, BV_REFUSAL_PLAN_INVALID,
			"the lowering closes nothing; it needs linux.ambient.scrub.v1 in "
			"phase 3");
	if (target->has_network_namespace && !target->has_user_namespace) {
		bv__v1_note(launch->transcript,
			    "network_namespace=requested_without_userns fail_closed");
		return bv__v1_fault_text(launch->transcript,
					 "a network namespace needs a user namespace; request both",
					 "");
	}
	return 0;
}

int bv__v1_check_beyond_reference(struct bv_v1_launch *launch)
{
	int code = check_numbers(launch);

	return code != 0 ? code : check_target(launch);
}

static const char *join(struct bv_arena *arena, struct bv_str name, struct bv_str value)
{
	char *text = bv_arena_alloc(arena, name.len + value.len + 2);

	if (text == NULL)
		return NULL;
	memcpy(text, name.data, name.len);
	text[name.len] = '=';
	memcpy(text + name.len + 1, value.data, value.len);
	return text; /* the arena's memory is zero */
}

static bool has_nul(struct bv_str text)
{
	return memchr(text.data, '\0', text.len) != NULL;
}

int bv__v1_make_vectors(struct bv_v1_launch *launch)
{
	const struct bv_launch_target *target = &launch->body->target;
	const char **argv = bv_arena_array(&launch->arena, target->argv.count + 1,
					   sizeof(const char *));
	const char **envp = bv_arena_array(&launch->arena, target->envp.count + 1,
					   sizeof(const char *));
	static const char nul[] =
		"an argument or a variable holds a NUL byte, which no program can be given";
	static const char full[] = "no memory for arguments and environment";

	if (argv == NULL || envp == NULL)
		return bv__v1_fault_text(launch->transcript, full, "");
	for (size_t i = 0; i < target->argv.count; i++) {
		if (has_nul(target->argv.items[i]))
			return bv__v1_fault_text(launch->transcript, nul, "");
		argv[i] = target->argv.items[i].data;
	}
	for (size_t i = 0; i < target->envp.count; i++) {
		const struct bv_name_value *variable = &target->envp.items[i];

		if (has_nul(variable->name) || has_nul(variable->value))
			return bv__v1_fault_text(launch->transcript, nul, "");
		envp[i] = join(&launch->arena, variable->name, variable->value);
		if (envp[i] == NULL)
			return bv__v1_fault_text(launch->transcript, full, "");
	}
	/* execve promises not to write through them. */
	launch->child.argv = (char *const *)(uintptr_t)argv;
	launch->child.envp = (char *const *)(uintptr_t)envp;
	return 0;
}
