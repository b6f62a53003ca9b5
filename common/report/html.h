/* html.h - writing one HTML page into memory, with everything that comes from files escaped.
 *
 * The functions return nothing: the first failure is kept in *h->e and the later calls add nothing, so that the code
 * that writes a page reads like the page. At the end, text_done(&h.page, e) says whether all is in it.
 */
#ifndef ONEBOX_REPORT_HTML_H
#define ONEBOX_REPORT_HTML_H

#include "base/text.h"

typedef struct html {
    text_buffer page;
    error *e;
    const char *directory; /* where the linked files are, for opening them; "" is the current one */
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

/* <a href>NAME</a>, to the file `name` of h->directory. `label` NULL: the name. */
void html_link(html *h, const char *name, const char *label);

/* A name as an anchor of the page: letters, digits, '-' and '.'; other bytes become '_'. Cut at 63 bytes. */
void html_anchor(const char *name, char anchor[64]);

/* <img> of the PNG or JPEG file `name` of h->directory, embedded as a data: URI, with its width and height. ERR_INPUT
 * when the file is not there or cannot be decoded. */
void html_picture(html *h, const char *name, const char *alternative);

/* The file `name` of h->directory; the caller frees it. NULL after a failure. */
char *html_path(html *h, const char *name);

/* Percent-encodes a path for href (letters, digits, "-._~/" stay). Appended to out. */
void html_encode_path(text_buffer *out, const char *path);

#endif
