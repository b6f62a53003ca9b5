/* json_text.h - strings and numbers of JSON (RFC 8259), for the readers and writers of all files that hold some. */
#ifndef ONEBOX_BASE_JSON_TEXT_H
#define ONEBOX_BASE_JSON_TEXT_H

#include "base/text.h"

/* at: behind an opening quote. Returns the closing quote, or `end` when there is none. */
const char *json_string_end(const char *at, const char *end);

/* Decodes text[0..size), what stands between two quotes, into out[0..size], NUL-terminated (decoding never
 * lengthens a text). *length is the result's. Returns NULL, or what is wrong as a phrase: a control character, bytes
 * that are not UTF-8, an unknown escape, half of a surrogate pair, a NUL. */
const char *json_decode(const char *text, size_t size, char *out, size_t *length);

/* The same without the result, and without a look at escapes: what must not stand raw between two quotes. */
const char *json_bad_string(const char *text, size_t size);

/* True when text[0..size) is a number, and nothing else, in JSON's grammar. */
bool json_number_valid(const char *text, size_t size);

/* Adds a C string with its quotes; control characters, '"' and '\\' are escaped, the rest stays as it is. */
void json_add_string(text_buffer *out, const char *text);

#endif
