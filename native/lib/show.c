#include "show.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The length of the UTF-8 sequence there and its character; 1 and UINT32_MAX: it is none. */
static size_t next_character(const unsigned char *at, uint32_t *character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *at < 0x80 ? 1 : *at >= 0xf0 && *at < 0xf8 ? 4 : *at >= 0xe0 ? 3 : *at >= 0xc0 ? 2 : 0;
	uint32_t value = length == 1 ? *at : length == 0 || *at >= 0xf8 ? UINT32_MAX : *at & (0x7fu >> length);
	for (size_t i = 1; value != UINT32_MAX && i < length; i++)
		value = (at[i] & 0xc0) == 0x80 ? value << 6 | (at[i] & 0x3f) : UINT32_MAX;
	if (value != UINT32_MAX && (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)))
		value = UINT32_MAX;
	*character = value;
	return value == UINT32_MAX ? 1 : length;
}

static bool is_printable(uint32_t character)
{
	bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
	bool is_mark = character == 0x200e || character == 0x200f || (character >= 0x2028 && character <= 0x202e) ||
		       (character >= 0x2066 && character <= 0x2069);
	return character != UINT32_MAX && !is_control && !is_mark;
}

size_t show_put(char *line, size_t length, size_t size, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *at = (const unsigned char *)text;
	while (*at != 0) {
		uint32_t character;
		size_t count = next_character(at, &character);
		bool is_shown = is_printable(character);
		if (length + (is_shown ? count : 4 * count) > size)
			break;
		for (; count > 0; count--, at++) {
			if (is_shown) {
				line[length++] = (char)*at;
				continue;
			}
			line[length++] = '\\';
			line[length++] = 'x';
			line[length++] = digits[*at >> 4];
			line[length++] = digits[*at & 15];
		}
	}
	return length;
}
