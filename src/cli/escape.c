/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Control characters shown, not obeyed: a program nobody trusts must not be able to retitle, paste
 * into or overwrite lines of the terminal it is watched from.
 */
#include "streams.h"

#include <string.h>

static const char hex[] = "0123456789ABCDEF";

static size_t show_byte(unsigned char byte, char *out)
{
	memcpy(out, (const char[4]){'<', hex[byte >> 4], hex[byte & 15], '>'}, 4);
	return 4;
}

static size_t show_caret(unsigned char byte, char *out)
{
	out[0] = '^';
	out[1] = (char)(byte ^ 0x40);
	return 2;
}

/* Bytes of the UTF-8 sequence `first` begins; 0 when none begins with it. */
static size_t sequence_length(unsigned char first)
{
	return first >= 0xc2 && first <= 0xdf   ? 2
	       : first >= 0xe0 && first <= 0xef ? 3
	       : first >= 0xf0 && first <= 0xf4 ? 4
						: 0;
}

/* Whether `byte` can be the next of the sequence held: shortest form, no surrogate, at most U+10FFFF. */
static bool continues(const struct cli_escape *escape, unsigned char byte)
{
	unsigned char first = escape->held[0];

	if (byte < 0x80 || byte > 0xbf)
		return false;
	if (escape->held_count > 1)
		return true;
	return !(first == 0xe0 && byte < 0xa0) && !(first == 0xed && byte > 0x9f) &&
	       !(first == 0xf0 && byte < 0x90) && !(first == 0xf4 && byte > 0x8f);
}

/* What is held turned out to be no character (or a lone CR). */
static size_t show_held(struct cli_escape *escape, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < escape->held_count; i++) {
		used += escape->held[i] == '\r' ? show_caret('\r', out + used)
						: show_byte(escape->held[i], out + used);
	}
	escape->held_count = 0;
	return used;
}

static size_t show_fresh(struct cli_escape *escape, unsigned char byte, char *out)
{
	if (byte == '\r' || sequence_length(byte) > 0) {
		escape->held[0] = byte;
		escape->held_count = 1;
		return 0;
	}
	if (byte >= 0x80)
		return show_byte(byte, out);
	if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f)
		return show_caret(byte, out);
	out[0] = (char)byte;
	return 1;
}

static size_t show(struct cli_escape *escape, unsigned char byte, char *out)
{
	unsigned char first = escape->held[0];
	size_t used;

	if (escape->held_count == 0)
		return show_fresh(escape, byte, out);
	if (first == '\r' && byte == '\n') {
		escape->held_count = 0;
		memcpy(out, "\r\n", 2);
		return 2;
	}
	if (first == '\r' || !continues(escape, byte)) {
		used = show_held(escape, out);
		return used + show_fresh(escape, byte, out + used);
	}
	escape->held[escape->held_count++] = byte;
	if (escape->held_count < sequence_length(first))
		return 0;
	escape->held_count = 0;
	if (first == 0xc2 && byte < 0xa0) {
		memcpy(out,
		       (const char[8]){'<', 'U', '+', '0', '0', hex[byte >> 4], hex[byte & 15],
				       '>'},
		       8);
		return 8;
	}
	memcpy(out, escape->held, sequence_length(first));
	return sequence_length(first);
}

size_t cli_escape(struct cli_escape *escape, const unsigned char *in, size_t in_bytes,
		  size_t *ret_used, char *out, size_t out_bytes)
{
	size_t written = 0, used = 0;

	while (used < in_bytes && out_bytes - written >= CLI_ESCAPE_WORST)
		written += show(escape, in[used++], out + written);
	*ret_used = used;
	return written;
}

size_t cli_escape_end(struct cli_escape *escape, char *out)
{
	return show_held(escape, out);
}
