#include "report/html.h"

#include "base/digest.h"
#include "base/file.h"
#include "image/picture_file.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put_bytes(html *h, const char *bytes, size_t size)
{
    if (!h->e->code)
        text_append_bytes(&h->page, bytes, size, h->e);
}

void html_raw(html *h, const char *markup)
{
    put_bytes(h, markup, strlen(markup));
}

/* ---------------------------------------------------------------- text */

/* Length of the UTF-8 character at text[0..size), 0 when there is none (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF). */
static size_t utf8_length(const unsigned char *text, size_t size)
{
    unsigned char c = text[0];
    if (c < 0x80)
        return 1;
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && text[1] < 0xa0) || (c == 0xf0 && text[1] < 0x90);
    bool outside = (c == 0xed && text[1] > 0x9f) || (c == 0xf4 && text[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

void html_text(html *h, const char *text, size_t size)
{
    for (size_t i = 0; i < size && !h->e->code;) {
        const char *reference = NULL;
        size_t length = utf8_length((const unsigned char *)text + i, size - i);
        switch (text[i]) {
        case '&':
            reference = "&amp;";
            break;
        case '<':
            reference = "&lt;";
            break;
        case '>':
            reference = "&gt;";
            break;
        case '"':
            reference = "&quot;";
            break;
        case '\'':
            reference = "&#39;";
            break;
        default:
            if (length == 0 || text[i] == 0x7f ||
                ((unsigned char)text[i] < 0x20 && text[i] != '\n' && text[i] != '\t'))
                reference = REPLACEMENT;
        }
        if (reference)
            put_bytes(h, reference, strlen(reference));
        else
            put_bytes(h, text + i, length);
        i += length ? length : 1;
    }
}

void html_put(html *h, const char *markup, ...)
{
    va_list args;
    va_start(args, markup);
    while (*markup && !h->e->code) {
        size_t plain = strcspn(markup, "%");
        put_bytes(h, markup, plain);
        markup += plain;
        if (!*markup)
            break;
        char number[24];
        if (strncmp(markup, "%zu", 3) == 0) {
            put_bytes(h, number, (size_t)snprintf(number, sizeof number, "%zu", va_arg(args, size_t)));
            markup += 3;
            continue;
        }
        if (markup[1] == 's') {
            const char *text = va_arg(args, const char *);
            html_text(h, text, strlen(text));
        } else if (markup[1] == 'd') {
            put_bytes(h, number, (size_t)snprintf(number, sizeof number, "%d", va_arg(args, int)));
        } else {
            put_bytes(h, "%", 1);
        }
        markup += 2;
    }
    va_end(args);
}

/* ---------------------------------------------------------------- links */

int html_encode_path(text_buffer *out, const char *path, error *e)
{
    int code = text_append(out, e, "%s", "");
    for (; *path && !code; path++) {
        unsigned char c = (unsigned char)*path;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain || strchr("-._~/", c))
            code = text_append_bytes(out, path, 1, e);
        else
            code = text_append(out, e, "%%%02X", c);
    }
    return code;
}

void html_link(html *h, const char *name, const char *label)
{
    text_buffer encoded = {0};
    if (!h->e->code && !html_encode_path(&encoded, name, h->e))
        html_put(h, "<a href=\"%s%s\">%s</a>", h->base, encoded.data, label ? label : name);
    text_free(&encoded);
}

char *html_path(html *h, const char *name)
{
    text_buffer path = {0};
    if (h->e->code || text_append(&path, h->e, "%s%s", h->directory, name)) {
        text_free(&path);
        return NULL;
    }
    return path.data;
}

/* ---------------------------------------------------------------- pictures */

static void embed(html *h, const file_view *file, const char *alternative)
{
    picture_info info;
    picture pixels = {0}; /* decoded only to know that it can be */
    if (picture_decode(&pixels, file->data, file->size, file->path, &info, h->e))
        return;
    picture_free(&pixels);
    bool png = file->size > 4 && memcmp(file->data, "\x89PNG", 4) == 0;
    html_put(h, "<img alt=\"%s\" width=\"%d\" height=\"%d\" src=\"data:image/%s;base64,", alternative,
             info.width, info.height, png ? "png" : "jpeg");
    if (!h->e->code) {
        base64_add(&h->page, file->data, file->size);
        text_done(&h->page, h->e);
    }
    html_put(h, "\">\n");
}

void html_picture(html *h, const char *name, const char *alternative)
{
    file_view file;
    char *path = html_path(h, name);
    if (path && !file_open(&file, path, h->e)) {
        embed(h, &file, alternative);
        file_close(&file);
    }
    free(path);
}
