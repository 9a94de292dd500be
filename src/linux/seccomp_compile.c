/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * seccomp_compile.c - writes the BPF program of a policy.
 *
 * The program is written from its end to its beginning, because BPF only jumps forward: what an
 * instruction jumps to is then always written already, and its distance known.  A conditional jump
 * skips at most 255 instructions: what lies farther away gets a stand-in on the way, a copy of the
 * return or an unconditional jump, which the kernel follows when it looks for certain permissions.
 */
#include <stddef.h>
#include <string.h>

#include "linux/seccomp_rules.h"

enum {
	NOWHERE = 0, /* no position: the program ends behind its last return */
	REACH = 255, /* instructions a conditional jump can skip */
};

struct run {
	uint16_t first;
	uint8_t rule;
};

struct emitter {
	bool notify;
	struct sock_filter *insns;
	size_t capacity;
	size_t start; /* the program so far is insns[start .. capacity) */
	bool full;
	/* Where an outcome or a check can be jumped to; counted from the end of the program. */
	size_t outcome_at[BV_OUTCOME_COUNT];
	size_t check_at[BV_CHECK_COUNT];
	struct run runs[BV_SYSCALL_LIMIT + 1];
};

/*
 * Positions are counted from the end, so that they stay right while the program grows.  When there
 * is no more room the rest is written nowhere, and nobody runs what there is.
 */
static size_t emit(struct emitter *e, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (e->start == 0) {
		e->full = true;
		return e->capacity;
	}
	e->insns[--e->start] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
	return e->capacity - e->start;
}

/* How far the next instruction to be written is from `target`. */
static size_t distance(const struct emitter *e, size_t target)
{
	return e->capacity - e->start - target;
}

/*
 * A position as good as `target`, which a conditional jump reaches even with one more instruction
 * in between: that of the other target's stand-in.
 */
static size_t emit_stand_in(struct emitter *e, size_t target)
{
	const size_t skipped = distance(e, target);
	const struct sock_filter *insn = &e->insns[e->capacity - target];

	if (skipped < REACH || e->full)
		return target;
	if (BPF_CLASS(insn->code) == BPF_RET)
		return emit(e, insn->code, 0, 0, insn->k);
	return emit(e, BPF_JMP | BPF_JA, 0, 0, (uint32_t)skipped);
}

static size_t emit_branch(struct emitter *e, uint16_t comparison, uint32_t k, size_t then,
			  size_t otherwise)
{
	then = emit_stand_in(e, then);
	otherwise = emit_stand_in(e, otherwise);
	bv_assert(e->full || (distance(e, then) <= REACH && distance(e, otherwise) <= REACH));
	return emit(e, (uint16_t)(BPF_JMP | comparison | BPF_K), (uint8_t)distance(e, then),
		    (uint8_t)distance(e, otherwise), k);
}

static size_t emit_load(struct emitter *e, size_t offset)
{
	return emit(e, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static uint32_t action_of(const struct emitter *e, uint8_t outcome)
{
	const struct bv_seccomp_verdict *verdict = &bv__seccomp_outcomes[outcome];

	if (verdict->allowed)
		return SECCOMP_RET_ALLOW;
	if (outcome == BV_OUTCOME_KILL)
		return SECCOMP_RET_KILL_PROCESS;
	if (e->notify && verdict->told)
		return SECCOMP_RET_USER_NOTIF;
	return SECCOMP_RET_ERRNO | (uint32_t)verdict->sys_errno;
}

/* The first of the outcomes that are the same to the kernel, all of them being one under notify. */
static uint8_t find_like(const struct emitter *e, uint8_t outcome)
{
	const uint32_t action = action_of(e, outcome);
	uint8_t like = 0;

	while (action_of(e, like) != action)
		like++;
	return like;
}

/* Outcomes that are the same to the kernel share their return instruction. */
static size_t emit_outcome(struct emitter *e, uint8_t outcome)
{
	const uint8_t like = find_like(e, outcome);

	if (e->outcome_at[like] == NOWHERE)
		e->outcome_at[like] = emit(e, BPF_RET | BPF_K, 0, 0, action_of(e, like));
	return e->outcome_at[like];
}

/* Where a step goes on: at a later step, written already, or at an outcome. */
static size_t find_target(struct emitter *e, const size_t step_at[BV_CHECK_STEPS], uint8_t go)
{
	if (go & BV_RULE_INDIRECT)
		return step_at[go & ~BV_RULE_INDIRECT];
	return emit_outcome(e, go);
}

/* Last step first, last case of a step first. */
static size_t emit_check(struct emitter *e, const struct bv_seccomp_check *check)
{
	size_t step_at[BV_CHECK_STEPS] = {0};

	for (size_t i = check->step_count; i-- > 0;) {
		const struct bv_seccomp_step *step = &check->steps[i];
		/* Little-endian: the upper half of an argument lies behind the lower. */
		const size_t half = 2U * step->argument + (step->high ? 1 : 0);
		size_t at = find_target(e, step_at, step->otherwise);

		for (size_t j = step->case_count; j-- > 0;)
			at = emit_branch(e, BPF_JEQ, step->cases[j].value,
					 find_target(e, step_at, step->cases[j].go), at);
		if (step->mask != UINT32_MAX)
			emit(e, BPF_ALU | BPF_AND | BPF_K, 0, 0, step->mask);
		step_at[i] = emit_load(e, offsetof(struct seccomp_data, args) +
						  half * sizeof(uint32_t));
	}
	return step_at[0];
}

static size_t emit_rule(struct emitter *e, uint8_t rule)
{
	const uint8_t check = rule & (uint8_t)~BV_RULE_INDIRECT;

	if (!(rule & BV_RULE_INDIRECT))
		return emit_outcome(e, rule);
	if (e->check_at[check] == NOWHERE)
		e->check_at[check] = emit_check(e, &bv__seccomp_checks[check]);
	return e->check_at[check];
}

/* A binary search over runs[from .. to]; the accumulator holds the number. */
static size_t emit_search(struct emitter *e, size_t from, size_t to)
{
	const size_t middle = from + (to - from + 1) / 2;
	size_t below, above;

	if (from == to)
		return emit_rule(e, e->runs[from].rule);
	above = emit_search(e, middle, to);
	below = emit_search(e, from, middle - 1);
	return emit_branch(e, BPF_JGE, e->runs[middle].first, above, below);
}

static size_t find_runs(struct emitter *e, const uint8_t rules[BV_SYSCALL_LIMIT])
{
	size_t count = 0;

	for (size_t i = 0; i <= BV_SYSCALL_LIMIT; i++) {
		/* The last is everything above what the table knows. */
		uint8_t rule = i < BV_SYSCALL_LIMIT ? rules[i] : BV_OUTCOME_UNKNOWN_ENOSYS;

		if (!(rule & BV_RULE_INDIRECT))
			rule = find_like(e, rule);
		if (count == 0 || e->runs[count - 1].rule != rule)
			e->runs[count++] = (struct run){(uint16_t)i, rule};
	}
	return count;
}

enum bv_code bv__seccomp_write(const struct bv_seccomp_arch *arch, bool notify,
			       const uint8_t rules[BV_SYSCALL_LIMIT], struct sock_filter *insns,
			       size_t capacity, size_t *ret_count, struct bv_error *err)
{
	const size_t room = capacity < BV_SECCOMP_PROGRAM_MAX ? capacity : BV_SECCOMP_PROGRAM_MAX;
	struct emitter e = {.notify = notify, .insns = insns, .capacity = room, .start = room};
	size_t native, foreign, kill;

	native = emit_search(&e, 0, find_runs(&e, rules) - 1);
	/* There are always several runs, so the search begins with the branch just written. */
	bv_assert(e.full || distance(&e, native) == 0);
	native = emit_load(&e, offsetof(struct seccomp_data, nr));
	foreign = emit_outcome(&e, BV_OUTCOME_FOREIGN_ENOSYS);
	kill = emit_outcome(&e, BV_OUTCOME_KILL);
	foreign = emit_branch(&e, BPF_JEQ, arch->compat, foreign, kill);
	emit_branch(&e, BPF_JEQ, arch->arch, native, foreign);
	emit_load(&e, offsetof(struct seccomp_data, arch));
	if (e.full)
		return bv_fail(err, BV_E_MEMORY, "seccomp",
			       "the filter needs more than %zu instructions", room);

	memmove(insns, insns + e.start, (room - e.start) * sizeof *insns);
	*ret_count = room - e.start;
	return BV_OK;
}

enum bv_code bv__seccomp_compile_for(uint32_t arch, const struct bv_launch_seccomp *launch,
				     struct sock_filter *insns, size_t capacity, size_t *ret_count,
				     struct bv_error *err)
{
	const struct bv_seccomp_arch *known = bv__seccomp_find_arch(arch);
	uint8_t rules[BV_SYSCALL_LIMIT];
	enum bv_code code;

	bv_assert(known != NULL);
	code = bv__seccomp_make_rules(known, launch, rules, err);
	if (code != BV_OK)
		return code;
	return bv__seccomp_write(known, launch->notify, rules, insns, capacity, ret_count, err);
}

enum bv_code bv_seccomp_compile(const struct bv_launch_seccomp *launch, struct sock_filter *insns,
				size_t capacity, size_t *ret_count, struct bv_error *err)
{
	return bv__seccomp_compile_for(BV_NATIVE_ARCH, launch, insns, capacity, ret_count, err);
}

enum bv_code bv__seccomp_put_before(const struct sock_filter *first, size_t first_count,
				    struct sock_filter *insns, size_t capacity, size_t *count,
				    struct bv_error *err)
{
	if (*count + first_count > capacity)
		return bv_fail(err, BV_E_MEMORY, "seccomp",
			       "the filter needs more than %zu instructions", capacity);
	memmove(insns + first_count, insns, *count * sizeof(*insns));
	memcpy(insns, first, first_count * sizeof(*insns));
	*count += first_count;
	return BV_OK;
}
