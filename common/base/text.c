/* Text as files and error lines need it: numbers that must be the whole field, lines, fields, the nearest word,
 * and text that is built in memory. Nothing here depends on a locale, nothing reads past the size it is given, and
 * no text needs a NUL at its end unless it is a C string. Building remembers the first refusal of memory in the
 * buffer and does nothing more. */
#include "base/text.h"

#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    const bool marked = size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;
    return (text_lines){data ? data + (marked ? 3 : 0) : NULL, data ? data + size : NULL, 0};
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

bool text_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

text_field text_trimmed_end(text_field field)
{
    while (field.size && text_is_blank(field.text[field.size - 1]))
        field.size--;
    return field;
}

text_field text_trimmed(text_field field)
{
    for (field = text_trimmed_end(field); field.size && text_is_blank(*field.text); field.size--)
        field.text++;
    return field;
}

bool text_is(text_field field, const char *string)
{
    return strlen(string) == field.size && memcmp(field.text, string, field.size) == 0;
}

bool text_ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

bool text_ends_with_any_case(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcasecmp(text + n - m, ending) == 0;
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

/* ---------------------------------------------------------------- building */

/* Room for `size` more bytes and the NUL; false, now and in all later calls, when it is refused. */
static bool make_room(text_buffer *b, size_t size)
{
    if (!b->refused && mem_grow(&b->data, &b->capacity, b->size + size + 1, 1, "text", NULL))
        b->refused = b->size + size + 1;
    return !b->refused;
}

void text_add_bytes(text_buffer *b, const void *data, size_t size)
{
    if (!make_room(b, size))
        return;
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    b->data[b->size] = 0;
}

void text_add(text_buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0) /* more than INT_MAX bytes */
        b->refused = INT_MAX;
    else if (make_room(b, (size_t)n))
        b->size += (size_t)vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool text_add_percent_decoded(text_buffer *b, const char *text, size_t size)
{
    const size_t before = b->size;
    bool any = false, fine = true;
    for (size_t i = 0; i < size; i++) {
        const int high = text[i] == '%' && size - i > 2 ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        const char c = low >= 0 ? (char)(high * 16 + low) : text[i];
        if (low >= 0) {
            any = true;
            fine = fine && (unsigned char)c >= 0x20 && c != 0x7f;
            i += 2;
        }
        text_add_bytes(b, &c, 1);
    }
    if (!any || !fine)
        b->size = before;
    return any && fine;
}

int text_done(text_buffer *b, error *e)
{
    text_add_bytes(b, "", 0);
    return b->refused ? fail_memory(e, b->refused, "text") : 0;
}

void text_free(text_buffer *b)
{
    free(b->data);
    *b = (text_buffer){0};
}

/* ---------------------------------------------------------------- in error lines */

int text_shown(text_field f)
{
    return (int)utf8_cut(f.text, f.size, 80);
}

void text_names_add(text_names *n, const char *format, ...)
{
    size_t used = strlen(n->text);
    char name[181];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (n->count < 3)
        snprintf(n->text + used, sizeof n->text - used, "%s%s", n->count ? ", " : "", name);
    else if (n->count == 3)
        snprintf(n->text + used, sizeof n->text - used, ", ...");
    n->count++;
}

void text_shape(char *text, size_t size, int dims, const uint64_t *shape)
{
    size_t n = 0;
    snprintf(text, size, "a scalar");
    for (int i = 0; i < dims && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%" PRIu64, i ? "x" : "", shape[i]);
}
