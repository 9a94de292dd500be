/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * replay.c - feeds files to a fuzz target: each as it is, cut short at every length and with every
 * byte changed in three ways.  Prints TAP, a line a file; a broken promise ends the program.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 1 << 16 };

static const uint8_t changes[] = {0x01, 0x80, 0xff};

/* Each call gets a block of exactly its size, so that the sanitizers see a byte too many. */
static void feed(const uint8_t *data, size_t size_bytes)
{
	uint8_t *copy = malloc(size_bytes ? size_bytes : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size_bytes);
	bv_fuzz_one(copy, size_bytes);
	free(copy);
}

static void feed_around(uint8_t *data, size_t size_bytes)
{
	for (size_t len = 0; len <= size_bytes; len++)
		feed(data, len);
	for (size_t at = 0; at < size_bytes; at++) {
		for (size_t i = 0; i < sizeof(changes); i++) {
			data[at] ^= changes[i];
			feed(data, size_bytes);
			data[at] ^= changes[i];
		}
	}
}

int main(int argc, char **argv)
{
	static uint8_t data[FILE_SIZE_MAX];

	printf("TAP version 13\n1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		size_t size_bytes;

		if (!file) {
			printf("not ok %d - %s cannot be read\n", i, argv[i]);
			continue;
		}
		size_bytes = fread(data, 1, sizeof(data), file);
		(void)fclose(file); /* only read from */
		feed_around(data, size_bytes);
		printf("ok %d - %s\n", i,
		       strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i]);
		fflush(stdout);
	}
	return argc > 1 ? 0 : 1;
}
