/* JSON's strings and numbers, apart from the files that they stand in: a string is first held to what may stand between
 * two quotes (json_bad_string), then decoded in one pass that never writes more bytes than it reads; numbers are only
 * checked, since text_double reads them. Writing escapes as little as RFC 8259 allows, and 0x7f. */
#include "base/json_text.h"

#include "base/utf8.h"

#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------- reading */

const char *json_string_end(const char *at, const char *end)
{
    for (const char *from = at;;) {
        const char *quote = memchr(from, '"', (size_t)(end - from));
        if (!quote)
            return end;
        const char *slash = quote;
        while (slash > at && slash[-1] == '\\')
            slash--;
        if ((quote - slash) % 2 == 0)
            return quote;
        from = quote + 1;
    }
}

const char *json_bad_string(const char *text, size_t size)
{
    unsigned char high = 0;
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20)
            return "a control character";
        high |= (unsigned char)text[i];
    }
    return high < 0x80 || utf8_valid(text, size) ? NULL : "bytes that are not UTF-8";
}

/* Four hexadecimal digits at p; UINT32_MAX when they are not there. */
static uint32_t hex4(const char *p, const char *end)
{
    uint32_t value = 0;
    if (end - p < 4)
        return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)p[i]))
            return UINT32_MAX;
        value = value << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }
    return value;
}

/* \uXXXX, or two of them for a surrogate pair, behind the "\u" at *p; moves behind it. NULL or what is wrong. */
static const char *decode_unicode(const char **p, const char *end, uint32_t *c)
{
    *c = hex4(*p, end);
    if (*c == UINT32_MAX)
        return "'\\u' without four hexadecimal digits";
    *p += 4;
    if (*c >= 0xd800 && *c < 0xdc00) {
        bool pair = end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u';
        uint32_t low = pair ? hex4(*p + 2, end) : 0;
        if (low < 0xdc00 || low > 0xdfff)
            return "half of a surrogate pair";
        *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
        *p += 6;
    } else if (*c >= 0xdc00 && *c < 0xe000) {
        return "half of a surrogate pair";
    }
    return *c ? NULL : "a NUL character";
}

const char *json_decode(const char *text, size_t size, char *out, size_t *length)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *wrong = json_bad_string(text, size);
    const char *p = text, *end = text + size;
    char *at = out;
    while (p < end && !wrong) {
        if (*p != '\\') {
            *at++ = *p++;
            continue;
        }
        const char *which = end - p < 2 ? NULL : memchr(from, p[1], sizeof from - 1);
        uint32_t c;
        if (which) {
            *at++ = to[which - from];
            p += 2;
        } else if (end - p < 2 || p[1] != 'u') {
            wrong = "an unknown escape";
        } else {
            p += 2;
            wrong = decode_unicode(&p, end, &c);
            if (!wrong)
                at += utf8_encode(c, at);
        }
    }
    *at = 0;
    *length = (size_t)(at - out);
    return wrong;
}

/* Moves over digits; false when there is none. */
static bool skip_digits(const char **p, const char *end)
{
    const char *start = *p;
    while (*p < end && **p >= '0' && **p <= '9')
        ++*p;
    return *p > start;
}

bool json_number_valid(const char *text, size_t size)
{
    const char *p = text, *end = text + size;
    p += p < end && *p == '-';
    if (p < end && *p == '0')
        p++;
    else if (!skip_digits(&p, end))
        return false;
    if (p < end && *p == '.') {
        p++;
        if (!skip_digits(&p, end))
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        return skip_digits(&p, end) && p == end;
    }
    return p == end;
}

/* ---------------------------------------------------------------- writing */

void json_add_string(text_buffer *out, const char *text)
{
    text_add_bytes(out, "\"", 1);
    while (*text) {
        size_t plain = 0; /* what stays as it is */
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != 0x7f && text[plain] != '"' && text[plain] != '\\')
            plain++;
        text_add_bytes(out, text, plain);
        text += plain;
        if (*text == '"' || *text == '\\')
            text_add(out, "\\%c", *text);
        else if (*text == '\n')
            text_add_bytes(out, "\\n", 2);
        else if (*text)
            text_add(out, "\\u%04x", (unsigned)*text);
        text += *text != 0;
    }
    text_add_bytes(out, "\"", 1);
}
