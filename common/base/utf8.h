/* utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef ONEBOX_BASE_UTF8_H
#define ONEBOX_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at text[0..size): 1 to 4, or 0 when there is no well-formed one (or size is 0). */
size_t utf8_length(const char *text, size_t size);

/* True when text[0..size) is well-formed throughout. */
bool utf8_valid(const char *text, size_t size);

/* How many bytes of text[0..size) to keep so that they are at most `max` and the last character is whole. */
size_t utf8_cut(const char *text, size_t size, size_t max);

/* Writes the character c and returns its bytes: 1 to 4. */
size_t utf8_encode(uint32_t c, char out[4]);

#endif
