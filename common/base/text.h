/* text.h - numbers, lines and fields of text files. Always the C locale, whatever LC_ALL says: no program of
 * this project calls setlocale. */
#ifndef ONEBOX_BASE_TEXT_H
#define ONEBOX_BASE_TEXT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* The whole of text[0..size) must be the number; false otherwise (empty, trailing text, out of range, NaN,
 * infinity). */
bool text_int(const char *text, size_t size, int64_t min, int64_t max, int64_t *value);
bool text_double(const char *text, size_t size, double *value);

/* Splits a buffer into lines. A byte order mark of UTF-8 at its start is passed over. A last line without a newline
 * counts; "\r\n" ends a line too (the '\r' is dropped). text_line returns false at the end. The line points into the
 * buffer and is not NUL-terminated. */
typedef struct text_lines {
    const char *at, *end;
    size_t number; /* of the line last returned, from 1 */
} text_lines;
text_lines text_lines_of(const char *data, size_t size);
bool text_line(text_lines *lines, const char **line, size_t *size);

/* A piece of text inside a buffer. */
typedef struct text_field {
    const char *text;
    size_t size;
} text_field;

/* Splits line[0..size) at `separator` into at most `max` fields; returns how many there are (counted beyond
 * max). */
size_t text_split(const char *line, size_t size, char separator, text_field *fields, size_t max);

/* Blanks are what XML and JSON count as such: ' ', '\t', '\r', '\n'. text_trimmed leaves those around the field out;
 * text_trimmed_end only those behind it, for names of files, which may begin with one. */
bool text_is_blank(char c);
text_field text_trimmed(text_field field);
text_field text_trimmed_end(text_field field);

/* True when field holds exactly the C string. */
bool text_is(text_field field, const char *string);

/* True when text ends in `ending`; with _any_case "A.JPG" ends in ".jpg" too. */
bool text_ends_with(const char *text, const char *ending);
bool text_ends_with_any_case(const char *text, const char *ending);

/* A NUL-terminated copy; the caller frees it. */
char *text_copy(const char *text, size_t size, error *e);

/* The entry of words[0..count) with the smallest edit distance to `word`, for "did you mean"; NULL when none
 * is near (distance above 1 + length/3). */
const char *text_nearest(const char *word, const char *const *words, size_t count);

/* ---- building text in memory */

/* A growing string. Zero-initialise it, add to it, ask text_done once at the end whether all went well: after
 * memory was refused the functions that add do nothing, so that the code that builds a text reads like the text.
 * The caller frees it with text_free. */
typedef struct text_buffer {
    char *data; /* NUL-terminated after any call that succeeded */
    size_t size, capacity;
    size_t refused; /* bytes that could not be had; 0: no failure */
} text_buffer;
void text_add(text_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(text_buffer *b, const void *data, size_t size);

/* Adds the text with each %XX as the byte that it means (RFC 3986, section 2.1). False, with nothing added, when there
 * is none in it or when one means a control character. */
bool text_add_percent_decoded(text_buffer *b, const char *text, size_t size);

/* 0, and data is a string (of no bytes when nothing was added); or ERR_SYSTEM when memory was refused. */
int text_done(text_buffer *b, error *e);
void text_free(text_buffer *b);

/* ---- text in error lines */

/* How many bytes of a text from a file to show: at most 80, and no part of a character.
 *     fail(e, ERR_INPUT, "'%.*s' is not a number", text_shown(f), f.text); */
int text_shown(text_field f);

/* A few of many names: "a.jpg, b.jpg, c.jpg, ..." of those added; `count` is how many they were.
 * Zero-initialise. At most 180 bytes of each are kept. */
typedef struct text_names {
    char text[600];
    size_t count;
} text_names;
void text_names_add(text_names *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "64x3x7x7" of the sides of a tensor; "a scalar" when it has none. */
void text_shape(char *text, size_t size, int dims, const uint64_t *shape);

#endif
