#include "image/codec.h"
#include "image/exif.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

/* What libjpeg's callbacks need. `base` comes first: libjpeg hands out pointers to it. */
typedef struct handler {
    struct jpeg_error_mgr base;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    bool truncated;
    char text[JMSG_LENGTH_MAX];
} handler;

static void on_error(j_common_ptr c)
{
    handler *h = (handler *)c->err;
    c->err->format_message(c, h->text);
    longjmp(h->back, 1);
}

static void on_message(j_common_ptr c, int level)
{
    handler *h = (handler *)c->err;
    if (level >= 0)
        return;
    if (c->err->msg_code == JWRN_JPEG_EOF) {
        h->truncated = true;
        snprintf(h->text, sizeof h->text, "the file ends early");
        longjmp(h->back, 1);
    }
    c->err->num_warnings++;
}

static void on_print(j_common_ptr c)
{
    (void)c;
}

/* A few hundred bytes can announce thousands of scans over a huge picture. */
static void on_progress(j_common_ptr c)
{
    handler *h = (handler *)c->err;
    if (((j_decompress_ptr)c)->input_scan_number > 500) {
        snprintf(h->text, sizeof h->text, "more than 500 scans");
        longjmp(h->back, 1);
    }
}

static void handler_init(handler *h)
{
    *h = (handler){.truncated = false};
    jpeg_std_error(&h->base);
    h->base.error_exit = on_error;
    h->base.emit_message = on_message;
    h->base.output_message = on_print;
    h->progress.progress_monitor = on_progress;
}

static int stored_orientation(const struct jpeg_decompress_struct *d)
{
    static const uint8_t mark[] = {'E', 'x', 'i', 'f', 0, 0};
    for (jpeg_saved_marker_ptr m = d->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > sizeof mark &&
            memcmp(m->data, mark, sizeof mark) == 0)
            return exif_orientation(m->data + sizeof mark, m->data_length - sizeof mark);
    return 1;
}

/* Four inks to light. With an Adobe marker the stored numbers are inverted: 255 is no ink. */
static void inks_to_rgb(const uint8_t *inks, uint8_t *rgb, int width, bool inverted)
{
    const int flip = inverted ? 0 : 255;
    for (int x = 0; x < width; x++, inks += 4, rgb += 3) {
        int k = inks[3] ^ flip;
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(k - ((255 - (inks[c] ^ flip)) * k >> 8));
    }
}

static int read_rows(struct jpeg_decompress_struct *d, picture *p, uint8_t *inks)
{
    while (d->output_scanline < d->output_height) {
        uint8_t *row = p->pixels + 3 * (size_t)p->width * d->output_scanline;
        JSAMPROW rows[1] = {inks ? inks : row};
        if (jpeg_read_scanlines(d, rows, 1) == 1 && inks)
            inks_to_rgb(inks, row, p->width, d->saw_Adobe_marker);
    }
    return 0;
}

int jpeg_read(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info, error *e)
{
    handler h;
    struct jpeg_decompress_struct d = {0};
    uint8_t *volatile inks = NULL;
    volatile int code = 0;
    handler_init(&h);
    d.err = &h.base;
    if (setjmp(h.back)) {
        code = fail(e, ERR_INPUT, "%s: %s JPEG: %s", name, h.truncated ? "a truncated" : "a damaged", h.text);
        goto end;
    }
    jpeg_create_decompress(&d);
    d.progress = &h.progress;
    jpeg_mem_src(&d, data, size);
    jpeg_save_markers(&d, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&d, TRUE);
    info->width = (int)d.image_width;
    info->height = (int)d.image_height;
    info->orientation = stored_orientation(&d);
    code = picture_limits(d.image_width, d.image_height, name, e);
    if (code || !p)
        goto end;
    code = picture_new(p, info->width, info->height, e);
    if (code)
        goto end;
    d.out_color_space = d.num_components == 4 ? JCS_CMYK : JCS_RGB;
    if (d.num_components == 4) {
        inks = mem_zero((size_t)p->width, 4, "a picture row", e);
        if (!inks) {
            code = ERR_SYSTEM;
            goto end;
        }
    }
    jpeg_start_decompress(&d);
    read_rows(&d, p, inks);
    jpeg_finish_decompress(&d);
    info->warnings = (int)h.base.num_warnings;
end:
    jpeg_destroy_decompress(&d);
    free(inks);
    return code;
}

int jpeg_write(const picture *p, FILE *stream, int quality, const char *name, error *e)
{
    handler h;
    struct jpeg_compress_struct c = {0};
    volatile int code = 0;
    handler_init(&h);
    c.err = &h.base;
    if (setjmp(h.back)) {
        code = fail(e, ERR_SYSTEM, "%s: cannot write: %s", name, h.text);
        goto end;
    }
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, stream);
    c.image_width = (JDIMENSION)p->width;
    c.image_height = (JDIMENSION)p->height;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, quality, TRUE);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW rows[1] = {p->pixels + 3 * (size_t)p->width * c.next_scanline};
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
end:
    jpeg_destroy_compress(&c);
    return code;
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)

void jpeg_versions(char *text, size_t size)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "libjpeg-turbo %s\n", STRING(LIBJPEG_TURBO_VERSION));
}
