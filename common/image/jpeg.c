/* JPEG behind codec.h, by libjpeg-turbo.
 *
 * libjpeg reports an error by a callback that must not return; ours jumps back to `guarded`. All that a function
 * changes between setjmp and the jump is in a jpeg_job that belongs to its caller, so it keeps its value (C11
 * 7.13.2.1 promises that for nothing else but volatile variables). What libjpeg complains of is the picture's
 * fault, unless it was refused memory or could not write. Its warnings are counted; a file that ends early, which
 * it would fill up with grey, is an error here, unless nothing but the end marker is missing. */
#include "image/codec.h"
#include "image/exif.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct jpeg_job {
    struct jpeg_error_mgr base; /* first: libjpeg hands out pointers to it */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    bool truncated, complete; /* a progressive one has all of its scans, as far as can be told */
    int number;               /* errno when libjpeg gave up */
    char text[JMSG_LENGTH_MAX];
    int code; /* of a failure that is not libjpeg's */
    const char *name;
    error *e;
    /* reading */
    struct jpeg_decompress_struct reading;
    const uint8_t *data;
    size_t size;
    picture *to;
    picture_info *info;
    uint8_t *inks; /* a row of four inks a pixel; NULL without them */
    /* writing */
    struct jpeg_compress_struct writing;
    const picture *from;
    FILE *stream;
    int quality;
} jpeg_job;

static void on_error(j_common_ptr c)
{
    jpeg_job *j = (jpeg_job *)c->err;
    j->number = errno;
    c->err->format_message(c, j->text);
    longjmp(j->back, 1);
}

static void on_message(j_common_ptr c, int level)
{
    jpeg_job *j = (jpeg_job *)c->err;
    if (level >= 0)
        return;
    if (c->err->msg_code == JWRN_JPEG_EOF) {
        j->truncated = true;
        snprintf(j->text, sizeof j->text, "the file ends early");
        longjmp(j->back, 1);
    }
    if (c->err->num_warnings++ == 0 && j->info) {
        char text[JMSG_LENGTH_MAX];
        c->err->format_message(c, text);
        snprintf(j->info->warning, sizeof j->info->warning, "%.127s", text);
    }
}

static void on_print(j_common_ptr c)
{
    (void)c;
}

/* A few hundred bytes can announce thousands of scans over a huge picture. */
static void on_progress(j_common_ptr c)
{
    jpeg_job *j = (jpeg_job *)c->err;
    if (((j_decompress_ptr)c)->input_scan_number > 500) {
        snprintf(j->text, sizeof j->text, "more than 500 scans");
        longjmp(j->back, 1);
    }
}

static void job_init(jpeg_job *j)
{
    jpeg_std_error(&j->base);
    j->base.error_exit = on_error;
    j->base.emit_message = on_message;
    j->base.output_message = on_print;
    j->progress.progress_monitor = on_progress;
}

/* Runs `work`; false when libjpeg jumped out of it. */
static bool guarded(jpeg_job *j, void (*work)(jpeg_job *))
{
    if (setjmp(j->back))
        return false;
    work(j);
    return true;
}

/* ---------------------------------------------------------------- reading */

static int stored_orientation(const struct jpeg_decompress_struct *d)
{
    static const uint8_t mark[] = {'E', 'x', 'i', 'f', 0, 0};
    for (jpeg_saved_marker_ptr m = d->marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > sizeof mark && memcmp(m->data, mark, sizeof mark) == 0)
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

/* Of a progressive JPEG: has every coefficient been refined to its last bit? */
static bool all_bits_there(const struct jpeg_decompress_struct *d)
{
    for (int c = 0; d->progressive_mode && c < d->num_components; c++)
        for (int i = 0; i < DCTSIZE2; i++)
            if (d->coef_bits[c][i] != 0)
                return false;
    return true;
}

static void read_pixels(jpeg_job *j)
{
    struct jpeg_decompress_struct *d = &j->reading;
    picture *p = j->to;
    const bool four = d->num_components == 4;
    j->code = picture_new(p, j->info->width, j->info->height, j->e);
    if (j->code)
        return;
    d->out_color_space = four ? JCS_CMYK : JCS_RGB;
    if (four) {
        j->inks = mem_zero((size_t)p->width, 4, "a picture row", j->e);
        if (!j->inks) {
            j->code = ERR_SYSTEM;
            return;
        }
    }
    jpeg_start_decompress(d);
    while (d->output_scanline < d->output_height) {
        uint8_t *row = p->pixels + 3 * (size_t)p->width * d->output_scanline;
        JSAMPROW rows[1] = {four ? j->inks : row};
        if (jpeg_read_scanlines(d, rows, 1) == 1 && four)
            inks_to_rgb(j->inks, row, p->width, d->saw_Adobe_marker);
    }
    j->complete = all_bits_there(d);
    jpeg_finish_decompress(d);
    j->info->warnings = (int)j->base.num_warnings;
}

static void read_jpeg(jpeg_job *j)
{
    struct jpeg_decompress_struct *d = &j->reading;
    jpeg_create_decompress(d);
    d->progress = &j->progress;
    jpeg_mem_src(d, j->data, j->size);
    jpeg_save_markers(d, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(d, TRUE);
    j->info->width = (int)d->image_width;
    j->info->height = (int)d->image_height;
    j->info->orientation = stored_orientation(d);
    j->code = picture_limits(d->image_width, d->image_height, j->name, j->e);
    if (!j->code && j->to)
        read_pixels(j);
}

static int read_bytes(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info,
                      bool *truncated, error *e)
{
    jpeg_job j = {.name = name, .e = e, .data = data, .size = size, .to = p, .info = info};
    job_init(&j);
    j.reading.err = &j.base;
    if (!guarded(&j, read_jpeg))
        j.code = j.base.msg_code == JERR_OUT_OF_MEMORY
                     ? fail(e, ERR_SYSTEM, "%s: out of memory in libjpeg", name)
                     : fail(e, ERR_INPUT, "%s: %s JPEG: %s", name, j.truncated ? "a truncated" : "a damaged", j.text);
    *truncated = j.truncated || !j.complete;
    jpeg_destroy_decompress(&j.reading);
    free(j.inks);
    return j.code;
}

/* Once more with an end marker behind the bytes. If libjpeg has nothing to warn of then, all pixels are there. */
static bool lacks_end_alone(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info)
{
    error refused = {0};
    bool truncated;
    uint8_t *whole = mem_room(size + 2, "a picture file", &refused);
    if (!whole)
        return false;
    memcpy(whole, data, size);
    memcpy(whole + size, (const uint8_t[]){0xff, 0xd9}, 2);
    picture_free(p);
    const bool good =
        !read_bytes(p, whole, size + 2, name, info, &truncated, &refused) && !truncated && !info->warnings;
    free(whole);
    if (good) {
        info->warnings = 1;
        snprintf(info->warning, sizeof info->warning, "its end marker is missing, but all of its pixels are there");
    }
    return good;
}

int jpeg_read(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info, error *e)
{
    error own = {0};
    bool truncated = false;
    int code = read_bytes(p, data, size, name, info, &truncated, &own);
    if (!code || (truncated && p && lacks_end_alone(p, data, size, name, info)))
        return 0;
    return fail(e, code, "%s", own.text);
}

/* ---------------------------------------------------------------- writing */

static void write_jpeg(jpeg_job *j)
{
    struct jpeg_compress_struct *c = &j->writing;
    const picture *p = j->from;
    jpeg_create_compress(c);
    jpeg_stdio_dest(c, j->stream);
    c->image_width = (JDIMENSION)p->width;
    c->image_height = (JDIMENSION)p->height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, j->quality, TRUE);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW rows[1] = {p->pixels + 3 * (size_t)p->width * c->next_scanline};
        jpeg_write_scanlines(c, rows, 1);
    }
    jpeg_finish_compress(c);
}

int jpeg_write(const picture *p, FILE *stream, int quality, const char *name, error *e)
{
    jpeg_job j = {.name = name, .e = e, .from = p, .stream = stream, .quality = quality};
    job_init(&j);
    j.writing.err = &j.base;
    if (!guarded(&j, write_jpeg))
        j.code = fail(e, ERR_SYSTEM, "%s: cannot write: %s", name,
                      j.base.msg_code == JERR_FILE_WRITE ? strerror(j.number) : j.text);
    jpeg_destroy_compress(&j.writing);
    return j.code;
}

#define STRING_(x) #x
#define STRING(x) STRING_(x)

void jpeg_versions(char *text, size_t size)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "libjpeg-turbo %s\n", STRING(LIBJPEG_TURBO_VERSION));
}
