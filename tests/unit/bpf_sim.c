/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bpf_sim.c - a seccomp program, one instruction after the other.  Written from the description of
 * classic BPF, not from the compiler's output, so that it does not share the compiler's mistakes.
 */
#include "bpf_sim.h"

#include <string.h>

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
};

static bool load_data(const struct seccomp_data *data, uint32_t offset, uint32_t *ret_value)
{
	if (offset % 4 != 0 || offset > sizeof *data - 4)
		return false;
	memcpy(ret_value, (const uint8_t *)data + offset, 4);
	return true;
}

static bool compute(struct machine *m, uint16_t operation, uint32_t operand)
{
	switch (operation) {
	case BPF_ADD:
		m->a += operand;
		return true;
	case BPF_SUB:
		m->a -= operand;
		return true;
	case BPF_MUL:
		m->a *= operand;
		return true;
	case BPF_DIV:
		if (operand == 0)
			return false;
		m->a /= operand;
		return true;
	case BPF_AND:
		m->a &= operand;
		return true;
	case BPF_OR:
		m->a |= operand;
		return true;
	case BPF_XOR:
		m->a ^= operand;
		return true;
	case BPF_LSH:
		m->a = operand < 32 ? m->a << operand : 0;
		return true;
	case BPF_RSH:
		m->a = operand < 32 ? m->a >> operand : 0;
		return true;
	case BPF_NEG:
		m->a = 0 - m->a;
		return true;
	}
	return false;
}

static bool compare(uint16_t operation, uint32_t a, uint32_t operand, bool *ret_holds)
{
	switch (operation) {
	case BPF_JEQ:
		*ret_holds = a == operand;
		return true;
	case BPF_JGT:
		*ret_holds = a > operand;
		return true;
	case BPF_JGE:
		*ret_holds = a >= operand;
		return true;
	case BPF_JSET:
		*ret_holds = (a & operand) != 0;
		return true;
	}
	return false;
}

/* Loads, stores and moves. */
static bool transfer(struct machine *m, const struct sock_filter *insn,
		     const struct seccomp_data *data)
{
	switch (insn->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return load_data(data, insn->k, &m->a);
	case BPF_LD | BPF_IMM:
		m->a = insn->k;
		return true;
	case BPF_LDX | BPF_IMM:
		m->x = insn->k;
		return true;
	case BPF_LD | BPF_MEM:
		m->a = m->memory[insn->k % BPF_MEMWORDS];
		return insn->k < BPF_MEMWORDS;
	case BPF_LDX | BPF_MEM:
		m->x = m->memory[insn->k % BPF_MEMWORDS];
		return insn->k < BPF_MEMWORDS;
	case BPF_ST:
		m->memory[insn->k % BPF_MEMWORDS] = m->a;
		return insn->k < BPF_MEMWORDS;
	case BPF_STX:
		m->memory[insn->k % BPF_MEMWORDS] = m->x;
		return insn->k < BPF_MEMWORDS;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		return true;
	case BPF_MISC | BPF_TXA:
		m->a = m->x;
		return true;
	}
	return false;
}

struct bpf_result bpf_sim_run(const struct sock_filter *insns, size_t count,
			      const struct seccomp_data *data)
{
	struct machine m = {0};
	struct bpf_result result = {0};

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *insn = &insns[at];
		const uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m.x : insn->k;
		bool holds = false;

		result.steps++;
		switch (BPF_CLASS(insn->code)) {
		case BPF_RET:
			result.valid = insn->code == (BPF_RET | BPF_K) ||
				       insn->code == (BPF_RET | BPF_A);
			result.action = BPF_RVAL(insn->code) == BPF_A ? m.a : insn->k;
			return result;
		case BPF_ALU:
			if (!compute(&m, BPF_OP(insn->code), operand))
				return result;
			break;
		case BPF_JMP:
			if (insn->code == (BPF_JMP | BPF_JA)) {
				if (insn->k >= count)
					return result;
				at += insn->k;
				break;
			}
			if (!compare(BPF_OP(insn->code), m.a, operand, &holds))
				return result;
			at += holds ? insn->jt : insn->jf;
			break;
		default:
			if (!transfer(&m, insn, data))
				return result;
		}
	}
	return result;
}

bool bpf_sim_check(const struct sock_filter *insns, size_t count)
{
	if (count == 0 || count > BPF_MAXINSNS || BPF_CLASS(insns[count - 1].code) != BPF_RET)
		return false;
	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *insn = &insns[at];
		const size_t left = count - at - 1;

		if (insn->code == (BPF_LD | BPF_W | BPF_ABS) &&
		    (insn->k % 4 != 0 || insn->k >= sizeof(struct seccomp_data)))
			return false;
		if (insn->code == (BPF_JMP | BPF_JA) && insn->k >= left)
			return false;
		if (BPF_CLASS(insn->code) == BPF_JMP && insn->code != (BPF_JMP | BPF_JA) &&
		    (insn->jt >= left || insn->jf >= left))
			return false;
	}
	return true;
}

bool bpf_sim_constant_allow(const struct sock_filter *insns, size_t count, uint32_t arch,
			    uint32_t number)
{
	const struct seccomp_data data = {.nr = (int)number, .arch = arch};
	uint32_t a = 0;

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *insn = &insns[at];
		bool holds = false;

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (insn->k != offsetof(struct seccomp_data, nr) &&
			    insn->k != offsetof(struct seccomp_data, arch))
				return false;
			(void)load_data(&data, insn->k, &a); /* both lie inside */
			break;
		case BPF_RET | BPF_K:
			return insn->k == SECCOMP_RET_ALLOW;
		case BPF_JMP | BPF_JA:
			at += insn->k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			(void)compare(BPF_OP(insn->code), a, insn->k,
				      &holds); /* these four it knows */
			at += holds ? insn->jt : insn->jf;
			break;
		default:
			return false;
		}
	}
	return false;
}
