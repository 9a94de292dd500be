/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * wasm.c - work for bench/wasm, compiled natively and to WebAssembly from the same source.
 *
 *   wasm KERNEL    runs one and prints a number that depends on all of it
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not inlined into itself, which gcc does ten levels deep: this is about calls. */
__attribute__((noinline)) static uint64_t fib(unsigned int n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t run_fib(void)
{
	return fib(38);
}

static uint64_t run_sieve(void)
{
	enum { COUNT = 20000000 };
	uint8_t *composite = calloc(COUNT, 1);
	uint64_t primes = 0;

	for (uint32_t i = 2; i < COUNT; i++) {
		if (composite[i])
			continue;
		primes++;
		for (uint64_t k = (uint64_t)i * i; k < COUNT; k += i)
			composite[k] = 1;
	}
	free(composite);
	return primes;
}

static uint64_t run_matmul(void)
{
	enum { SIZE = 400 };
	static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];
	double sum = 0;

	for (int i = 0; i < SIZE; i++)
		for (int k = 0; k < SIZE; k++) {
			a[i][k] = i + k;
			b[i][k] = i - k;
		}
	for (int round = 0; round < 4; round++)
		for (int i = 0; i < SIZE; i++)
			for (int k = 0; k < SIZE; k++)
				for (int j = 0; j < SIZE; j++)
					c[i][j] += a[i][k] * b[k][j];
	for (int i = 0; i < SIZE; i++)
		sum += c[i][SIZE - 1 - i];
	return (uint64_t)(int64_t)sum;
}

static uint32_t turn(uint32_t x, int by)
{
	return x >> by | x << (32 - by);
}

/* The rounds of SHA-256 over a message that is made up as it goes. */
static uint64_t run_sha256(void)
{
	uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	uint32_t w[64];

	for (uint32_t block = 0; block < 1000000; block++) {
		uint32_t s[8];

		for (uint32_t i = 0; i < 16; i++)
			w[i] = block * 2654435761U + i;
		for (int i = 16; i < 64; i++)
			w[i] = w[i - 16] + w[i - 7] +
			       (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) +
			       (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(s, state, sizeof s);
		for (uint32_t i = 0; i < 64; i++) {
			uint32_t t = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
				     ((s[4] & s[5]) ^ (~s[4] & s[6])) + w[i] + i * 0x9e3779b9U;
			uint32_t u = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
				     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

			memmove(s + 1, s, 7 * sizeof *s);
			s[4] += t;
			s[0] = t + u;
		}
		for (int i = 0; i < 8; i++)
			state[i] += s[i];
	}
	return (uint64_t)state[0] << 32 | state[7];
}

static uint64_t run_hashmap(void)
{
	enum { SLOTS = 1 << 21 };
	uint64_t *keys = calloc(SLOTS, sizeof *keys), *values = calloc(SLOTS, sizeof *values);
	uint64_t x = 88172645463325252U, sum = 0;

	for (int i = 0; i < 4000000; i++) {
		uint64_t key, slot;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		key = x % 1000003 + 1;
		for (slot = key * 0x9e3779b97f4a7c15U >> 43;
		     keys[slot % SLOTS] && keys[slot % SLOTS] != key;)
			slot++;
		keys[slot % SLOTS] = key;
		sum += values[slot % SLOTS]++;
	}
	free(keys);
	free(values);
	return sum;
}

struct node {
	struct node *next;
	int16_t data;
};

/* Lists, a state machine and a checksum, as CoreMark mixes them. */
static uint64_t run_mix(void)
{
	static struct node nodes[1024];
	static const char text[] = "5012,1.5e+3,-874,0x7f,+122,abc,3.14159,-1e-5,";
	uint16_t crc = 0xffff;
	uint64_t seen = 0;

	for (int round = 0; round < 20000; round++) {
		struct node *head = NULL;
		int state = 0;

		for (int i = 0; i < 1024; i++) {
			nodes[i].data = (int16_t)(round * 31 + i * 7);
			nodes[i].next = head;
			head = &nodes[i];
		}
		for (struct node *node = head, *last = NULL, *next; node; node = next) {
			next = node->next;
			node->next = last;
			last = node;
			crc = (uint16_t)(crc ^ (uint16_t)node->data);
			for (int bit = 0; bit < 2; bit++)
				crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
		}
		for (size_t i = 0; i < sizeof text; i++) {
			switch (text[i]) {
			case ',':
				seen += (uint64_t)state;
				state = 0;
				break;
			case '+':
			case '-':
				state = state == 0 ? 1 : 5;
				break;
			case '.':
				state = state < 3 ? 3 : 5;
				break;
			case 'e':
				state = state == 3 ? 4 : 5;
				break;
			default:
				state = text[i] >= '0' && text[i] <= '9' ? (state ? state : 2) : 5;
			}
		}
	}
	return seen << 16 | crc;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint64_t (*run)(void);
	} kernels[] = {{"fib", run_fib},       {"sieve", run_sieve},     {"matmul", run_matmul},
		       {"sha256", run_sha256}, {"hashmap", run_hashmap}, {"mix", run_mix}};

	for (size_t i = 0; argc == 2 && i < sizeof kernels / sizeof *kernels; i++)
		if (strcmp(argv[1], kernels[i].name) == 0) {
			printf("%016llx\n", (unsigned long long)kernels[i].run());
			return 0;
		}
	return argc == 1 ? 0 : 2;
}
