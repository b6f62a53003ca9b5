#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_int(const char *text, size_t size, int64_t min, int64_t max, int64_t *value)
{
    char copy[32], *end;
    if (size == 0 || size >= sizeof copy || !(isdigit((unsigned char)text[0]) || text[0] == '-'))
        return false;
    memcpy(copy, text, size);
    copy[size] = 0;
    errno = 0;
    long long v = strtoll(copy, &end, 10);
    if (errno || end != copy + size || !isdigit((unsigned char)copy[size - 1]) || v < min || v > max)
        return false;
    *value = v;
    return true;
}

bool text_double(const char *text, size_t size, double *value)
{
    char copy[64], *end;
    if (size == 0 || size >= sizeof copy || memchr(text, 0, size))
        return false;
    for (size_t i = 0; i < size; i++) /* no hexadecimal, "inf", "nan" or leading blanks */
        if (!strchr("0123456789+-.eE", text[i]))
            return false;
    memcpy(copy, text, size);
    copy[size] = 0;
    double v = strtod(copy, &end);
    if (end != copy + size || !isfinite(v))
        return false;
    *value = v;
    return true;
}

text_lines text_lines_of(const char *data, size_t size)
{
    return (text_lines){data, data ? data + size : NULL, 0};
}

bool text_line(text_lines *lines, const char **line, size_t *size)
{
    if (!lines->at || lines->at >= lines->end)
        return false;
    const char *start = lines->at;
    const char *stop = memchr(start, '\n', (size_t)(lines->end - start));
    lines->at = stop ? stop + 1 : lines->end;
    if (!stop)
        stop = lines->end;
    if (stop > start && stop[-1] == '\r')
        stop--;
    lines->number++;
    *line = start;
    *size = (size_t)(stop - start);
    return true;
}

size_t text_split(const char *line, size_t size, char separator, text_field *fields, size_t max)
{
    size_t count = 0;
    const char *end = line + size;
    for (;;) {
        const char *stop = memchr(line, separator, (size_t)(end - line));
        if (count < max)
            fields[count] = (text_field){line, (size_t)((stop ? stop : end) - line)};
        count++;
        if (!stop)
            return count;
        line = stop + 1;
    }
}

bool text_is(text_field field, const char *string)
{
    return strlen(string) == field.size && memcmp(field.text, string, field.size) == 0;
}

char *text_copy(const char *text, size_t size, error *e)
{
    char *copy = mem_zero(size + 1, 1, "text", e);
    if (copy && size)
        memcpy(copy, text, size);
    return copy;
}

static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(a), m = strlen(b);
    if (n >= 64 || m >= 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[m];
}

const char *text_nearest(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t distance = 2 + strlen(word) / 3;
    for (size_t i = 0; i < count; i++) {
        size_t d = edit_distance(word, words[i]);
        if (d < distance) {
            distance = d;
            best = words[i];
        }
    }
    return best;
}

int text_append_bytes(text_buffer *b, const void *data, size_t size, error *e)
{
    int code = mem_grow(&b->data, &b->capacity, b->size + size + 1, 1, "text", e);
    if (code)
        return code;
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = 0;
    return 0;
}

int text_append(text_buffer *b, error *e, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    int code = n < 0 ? fail(e, ERR_SYSTEM, "cannot format text") : 0;
    if (!code)
        code = mem_grow(&b->data, &b->capacity, b->size + (size_t)n + 1, 1, "text", e);
    if (!code) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
    return code;
}

void text_free(text_buffer *b)
{
    free(b->data);
    *b = (text_buffer){0};
}
