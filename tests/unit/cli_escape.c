/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What a program prints, on the way to a terminal. */
#include "test.h"

#include <stdlib.h>

#include "cli/streams.h"

/* `step` bytes at a time: where a chunk ends must not matter. */
static const char *shown(const char *text, size_t size, size_t step)
{
	static char out[4096];
	struct cli_escape escape = {.held_count = 0};
	size_t len = 0;

	for (size_t at = 0; at < size;) {
		size_t part = size - at < step ? size - at : step, used = 0;

		len += cli_escape(&escape, (const unsigned char *)text + at, part, &used, out + len,
				  sizeof out - len - 64);
		at += used;
	}
	len += cli_escape_end(&escape, out + len);
	out[len] = '\0';
	return out;
}

static void expect(const char *text, size_t size, const char *wanted)
{
	for (size_t step = 1; step <= size + 1; step++)
		EXPECT_STR(shown(text, size, step), wanted);
}

#define EXPECT_SHOWN(text, wanted) expect(text, sizeof(text) - 1, wanted)

TEST(text_passes_unchanged)
{
	EXPECT_SHOWN("plain\ttext\n", "plain\ttext\n");
	EXPECT_SHOWN("line\r\nline\r\n", "line\r\nline\r\n");
	EXPECT_SHOWN("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		     "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	EXPECT_SHOWN("\xc2\xa0\xef\xbf\xbf\xf4\x8f\xbf\xbf",
		     "\xc2\xa0\xef\xbf\xbf\xf4\x8f\xbf\xbf");
}

TEST(control_characters_are_shown)
{
	EXPECT_SHOWN("\033[2J", "^[[2J");
	EXPECT_SHOWN("\0\001\007\010\013\014\016\037\177", "^@^A^G^H^K^L^N^_^?");
	EXPECT_SHOWN("\302\233m\302\235", "<U+009B>m<U+009D>");
}

TEST(a_lone_return_overwrites_nothing)
{
	EXPECT_SHOWN("good\rbad", "good^Mbad");
	EXPECT_SHOWN("\r", "^M");
	EXPECT_SHOWN("\r\r\n", "^M\r\n");
	EXPECT_SHOWN("\r\033", "^M^[");
}

TEST(what_is_not_utf_8_is_shown_byte_by_byte)
{
	EXPECT_SHOWN("\x9b", "<9B>");
	EXPECT_SHOWN("\xff\xfe\xc0\xc1\xf5", "<FF><FE><C0><C1><F5>");
	EXPECT_SHOWN("\xc3", "<C3>");
	EXPECT_SHOWN("\xc3\033", "<C3>^[");
	EXPECT_SHOWN("\xe2\x82", "<E2><82>");
	EXPECT_SHOWN("\xe2\x82\xc3\xa4", "<E2><82>\xc3\xa4");
	/* Overlong, surrogate, beyond Unicode: what a lax terminal may read as a control character. */
	EXPECT_SHOWN("\xe0\x82\x9b", "<E0><82><9B>");
	EXPECT_SHOWN("\xf0\x80\x82\x9b", "<F0><80><82><9B>");
	EXPECT_SHOWN("\xed\xa0\x80", "<ED><A0><80>");
	EXPECT_SHOWN("\xf4\x90\x80\x80", "<F4><90><80><80>");
}

TEST(no_two_bytes_and_no_garbage_make_a_control_character)
{
	static const char telling[] = "\x1b\x9b\xc2\x80\xe2\x82\xf0\r";
	unsigned int state = 1;
	char text[8];

	for (int round = 0; round < 200000; round++) {
		const char *out;

		for (size_t i = 0; i < sizeof text; i++) {
			state = state * 1103515245 + 12345;
			/* Half of them from where sequences and controls are. */
			text[i] = (state >> 16) & 1 ? telling[state >> 17 & 7]
						    : (char)(state >> 20);
		}
		out = shown(text, sizeof text, 1 + (size_t)round % 8);
		for (const char *p = out; *p; p++) {
			unsigned char c = (unsigned char)*p;

			EXPECT(c >= 0x20 || c == '\n' || c == '\t' || (c == '\r' && p[1] == '\n'));
			EXPECT(c != 0x7f);
			EXPECT(!(c == 0xc2 && (unsigned char)p[1] < 0xa0));
		}
	}
}

TEST(output_never_exceeds_its_room)
{
	struct cli_escape escape = {.held_count = 0};
	const unsigned char in[64] = {0};
	char out[CLI_ESCAPE_WORST + 8];
	size_t used = 99;

	EXPECT_UINT(cli_escape(&escape, in, sizeof in, &used, out, CLI_ESCAPE_WORST - 1), 0);
	EXPECT_UINT(used, 0);
	EXPECT(cli_escape(&escape, in, sizeof in, &used, out, sizeof out) <= sizeof out);
	EXPECT(used > 0 && used < sizeof in);
}
