/* html.h - writing one HTML page into memory, with everything that comes from files escaped.
 *
 * The functions return nothing: the first failure is kept in *h->e and the later calls do nothing, so the
 * code that writes a page reads like the page. Check e->code at the end.
 */
#ifndef ONEBOX_REPORT_HTML_H
#define ONEBOX_REPORT_HTML_H

#include "base/text.h"

typedef struct html {
    text_buffer page;
    error *e;
    const char *directory; /* where the linked files are, for opening them; "" or with a '/' at the end */
    const char *base;      /* the same as the page sees it, percent-encoded; "" or with a '/' at the end */
} html;

/* Appends markup. %s is a C string that is escaped; %d an int, %zu a size_t, %% a percent sign; nothing else
 * is known. */
void html_put(html *h, const char *markup, ...) __attribute__((format(printf, 2, 3)));

/* Appends markup as it is. */
void html_raw(html *h, const char *markup);

/* Appends text with & < > " ' as references. Bytes that are no UTF-8 and control characters other than line
 * feeds and tabs become U+FFFD, so that no file name can break the page. */
void html_text(html *h, const char *text, size_t size);

/* <a href>NAME</a>, to the file h->directory + name. `label` NULL: the name. */
void html_link(html *h, const char *name, const char *label);

/* <img> of the PNG or JPEG file h->directory + name, embedded as a data: URI with its width and height. A
 * file that isn't there, or can't be decoded, is ERR_INPUT. */
void html_picture(html *h, const char *name, const char *alternative);

/* "name" appended to h->directory; the caller frees it. NULL on failure. */
char *html_path(html *h, const char *name);

/* Percent-encodes a path for href (letters, digits, "-._~/" stay). Appended to out. */
int html_encode_path(text_buffer *out, const char *path, error *e);

#endif
