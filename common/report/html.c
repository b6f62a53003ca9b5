/* The page grows as text in memory. Whatever comes from a file passes html_text, the one place that escapes, or
 * html_encode_path for links; markup is what the code itself writes. The first failure stays in h->e, and nothing is
 * added after it. */
#include "report/html.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/utf8.h"
#include "image/picture_file.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put_bytes(html *h, const char *bytes, size_t size)
{
    if (!h->e->code)
        text_add_bytes(&h->page, bytes, size);
}

void html_raw(html *h, const char *markup)
{
    put_bytes(h, markup, strlen(markup));
}

/* ---------------------------------------------------------------- text */

/* What stands for a character that cannot stand for itself; NULL for others. `length` is 0 where there is no UTF-8. */
static const char *reference_for(char c, size_t length)
{
    static const char special[] = "&<>\"'";
    static const char *const references[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    const char *at = c ? strchr(special, c) : NULL;
    if (at)
        return references[at - special];
    return length == 0 || c == 0x7f || ((unsigned char)c < 0x20 && c != '\n' && c != '\t') ? REPLACEMENT : NULL;
}

void html_text(html *h, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t length = utf8_length(text + i, size - i);
        const char *reference = reference_for(text[i], length);
        put_bytes(h, reference ? reference : text + i, reference ? strlen(reference) : length);
        i += length ? length : 1;
    }
}

void html_put(html *h, const char *markup, ...)
{
    va_list args;
    va_start(args, markup);
    while (*markup) {
        size_t plain = strcspn(markup, "%");
        put_bytes(h, markup, plain);
        markup += plain;
        char number[24];
        if (strncmp(markup, "%zu", 3) == 0) {
            put_bytes(h, number, (size_t)snprintf(number, sizeof number, "%zu", va_arg(args, size_t)));
            markup += 3;
        } else if (strncmp(markup, "%d", 2) == 0) {
            put_bytes(h, number, (size_t)snprintf(number, sizeof number, "%d", va_arg(args, int)));
            markup += 2;
        } else if (strncmp(markup, "%s", 2) == 0) {
            const char *text = va_arg(args, const char *);
            html_text(h, text, strlen(text));
            markup += 2;
        } else if (*markup) { /* "%%" */
            put_bytes(h, "%", 1);
            markup += 2;
        }
    }
    va_end(args);
}

/* ---------------------------------------------------------------- links */

void html_encode_path(text_buffer *out, const char *path)
{
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        text_add(out, isalnum(c) || strchr("-._~/", c) ? "%c" : "%%%02X", c);
    }
}

void html_link(html *h, const char *name, const char *label)
{
    text_buffer encoded = {0};
    html_encode_path(&encoded, name);
    if (!h->e->code && !text_done(&encoded, h->e))
        html_put(h, "<a href=\"%s%s\">%s</a>", h->base, encoded.data, label ? label : name);
    text_free(&encoded);
}

void html_anchor(const char *name, char anchor[64])
{
    size_t n = 0;
    for (; n < 63 && name[n]; n++)
        anchor[n] = isalnum((unsigned char)name[n]) || strchr("-.", name[n]) ? name[n] : '_';
    anchor[n] = 0;
}

char *html_path(html *h, const char *name)
{
    return h->e->code ? NULL : path_join(h->directory, name, h->e);
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
    html_put(h, "<img alt=\"%s\" width=\"%d\" height=\"%d\" src=\"data:image/%s;base64,", alternative, info.width,
             info.height, png ? "png" : "jpeg");
    if (!h->e->code)
        base64_add(&h->page, file->data, file->size);
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
