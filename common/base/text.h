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

/* Splits a buffer into lines. A last line without a newline counts; "\r\n" ends a line too (the '\r' is
 * dropped). text_line returns false at the end. The line points into the buffer and is not NUL-terminated. */
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

/* True when field holds exactly the C string. */
bool text_is(text_field field, const char *string);

/* A NUL-terminated copy; the caller frees it. */
char *text_copy(const char *text, size_t size, error *e);

/* The entry of words[0..count) with the smallest edit distance to `word`, for "did you mean"; NULL when none
 * is near (distance above 1 + length/3). */
const char *text_nearest(const char *word, const char *const *words, size_t count);

/* A growing string for building output in memory. Zero-initialise; data is NUL-terminated after any call. */
typedef struct text_buffer {
    char *data;
    size_t size, capacity;
} text_buffer;
int text_append(text_buffer *b, error *e, const char *format, ...) __attribute__((format(printf, 3, 4)));
int text_append_bytes(text_buffer *b, const void *data, size_t size, error *e);
void text_free(text_buffer *b);

#endif
