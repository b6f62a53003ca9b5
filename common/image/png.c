/* PNG behind codec.h, by libpng.
 *
 * libpng reports an error by a callback that must not return; ours jumps back to `guarded`. All that a function changes
 * between setjmp and the jump is in a png_job that belongs to its caller, so it keeps its value (C11 7.13.2.1 promises
 * that for nothing else but volatile variables). What libpng complains of is the picture's fault, unless our allocator
 * was refused memory or our writer could not write. */
#include "image/codec.h"
#include "image/exif.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <png.h>

typedef struct png_job {
    png_structp png;
    png_infop head;
    const char *name;
    jmp_buf back;
    char text[200]; /* what libpng complained of */
    int warnings;
    bool truncated, refused; /* the file ended early; memory was refused */
    int code;                /* of a failure that is not libpng's */
    error *e;
    /* reading */
    const uint8_t *data;
    size_t size, at;
    picture *to;
    picture_info *info;
    png_bytepp rows;
    /* writing */
    const picture *from;
    FILE *stream;
    int write_error; /* errno */
} png_job;

static void on_error(png_structp png, png_const_charp message)
{
    png_job *j = png_get_error_ptr(png);
    snprintf(j->text, sizeof j->text, "%s", message);
    longjmp(j->back, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    png_job *j = png_get_error_ptr(png);
    if (j->warnings++ == 0 && j->info)
        snprintf(j->info->warning, sizeof j->info->warning, "%s", message);
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t size)
{
    png_job *j = png_get_mem_ptr(png);
    void *p = malloc(size);
    if (!p)
        j->refused = true;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

/* Runs `work`; false when libpng jumped out of it. */
static bool guarded(png_job *j, void (*work)(png_job *))
{
    if (setjmp(j->back))
        return false;
    work(j);
    return true;
}

/* ---------------------------------------------------------------- reading */

static void on_read(png_structp png, png_bytep to, size_t n)
{
    png_job *j = png_get_io_ptr(png);
    if (n > j->size - j->at) {
        j->truncated = true;
        png_error(png, "the file ends early");
    }
    memcpy(to, j->data + j->at, n);
    j->at += n;
}

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The eXIf chunk may stand before or behind the pixels, so the chunks are walked here, for the probe too. */
static int stored_orientation(const uint8_t *data, size_t size)
{
    for (size_t at = 8; size - at >= 12;) {
        size_t n = big32(data + at);
        if (n > size - at - 12)
            break;
        if (memcmp(data + at + 4, "eXIf", 4) == 0)
            return exif_orientation(data + at + 8, n);
        at += n + 12;
    }
    return 1;
}

int png_orientation(const char *path, int *orientation, error *e)
{
    enum { EXIF_MAX = 1 << 16 };
    uint8_t head[8], *exif = mem_zero(EXIF_MAX, 1, "a picture's head", e);
    const int fd = exif ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    *orientation = 1;
    if (fd < 0) {
        free(exif);
        return exif ? fail_open(e, path) : ERR_SYSTEM;
    }
    for (off_t at = 8; pread(fd, head, sizeof head, at) == sizeof head; at += 12 + (off_t)big32(head)) {
        if (memcmp(head + 4, "eXIf", 4) != 0)
            continue;
        const size_t n = big32(head) < EXIF_MAX ? big32(head) : EXIF_MAX;
        const ssize_t got = pread(fd, exif, n, at + 8);
        *orientation = got > 0 ? exif_orientation(exif, (size_t)got) : 1;
        break;
    }
    close(fd);
    free(exif);
    return 0;
}

/* Everything to three bytes a pixel. */
static void ask_for_rgb(png_structp png, png_infop head)
{
    int colour = png_get_color_type(png, head), depth = png_get_bit_depth(png, head);
    if (depth == 16)
        png_set_strip_16(png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_GRAY_ALPHA)
        png_set_gray_to_rgb(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, head);
}

static void read_pixels(png_job *j)
{
    const size_t stride = 3 * (size_t)j->info->width, height = (size_t)j->info->height;
    ask_for_rgb(j->png, j->head);
    if (png_get_rowbytes(j->png, j->head) != stride)
        png_error(j->png, "an unexpected pixel layout");
    j->code = picture_new(j->to, j->info->width, j->info->height, j->e);
    if (j->code)
        return;
    j->rows = mem_zero(height, sizeof *j->rows, "picture rows", j->e);
    if (!j->rows) {
        j->code = ERR_SYSTEM;
        return;
    }
    for (size_t y = 0; y < height; y++)
        j->rows[y] = j->to->pixels + stride * y;
    png_read_image(j->png, j->rows);
    png_read_end(j->png, NULL);
    j->info->warnings = j->warnings;
}

static void read_png(png_job *j)
{
    j->head = png_create_info_struct(j->png);
    if (!j->head)
        png_error(j->png, "no memory");
    png_set_read_fn(j->png, j, on_read);
    png_set_user_limits(j->png, PICTURE_MAX_SIDE, PICTURE_MAX_SIDE);
    png_set_chunk_malloc_max(j->png, 8 << 20);
    png_set_chunk_cache_max(j->png, 128);
    png_read_info(j->png, j->head);
    const png_uint_32 width = png_get_image_width(j->png, j->head), height = png_get_image_height(j->png, j->head);
    j->info->width = (int)width;
    j->info->height = (int)height;
    j->info->orientation = stored_orientation(j->data, j->size);
    j->code = picture_limits(width, height, j->name, j->e);
    if (!j->code && j->to)
        read_pixels(j);
}

int png_read(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info, error *e)
{
    png_job j = {.name = name, .e = e, .data = data, .size = size, .to = p, .info = info};
    j.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning, &j, on_malloc, on_free);
    if (!j.png)
        return fail_memory(e, 0, "libpng");
    if (!guarded(&j, read_png))
        j.code = j.refused
                     ? fail(e, ERR_SYSTEM, "%s: out of memory in libpng", name)
                     : fail(e, ERR_INPUT, "%s: %s PNG: %s", name, j.truncated ? "a truncated" : "a damaged", j.text);
    png_destroy_read_struct(&j.png, &j.head, NULL);
    free(j.rows);
    return j.code;
}

/* ---------------------------------------------------------------- writing */

static void on_write(png_structp png, png_bytep from, size_t n)
{
    png_job *j = png_get_io_ptr(png);
    if (fwrite(from, 1, n, j->stream) == n)
        return;
    j->write_error = errno;
    png_error(png, "the file cannot be written");
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void write_png(png_job *j)
{
    const picture *p = j->from;
    j->head = png_create_info_struct(j->png);
    if (!j->head)
        png_error(j->png, "no memory");
    png_set_write_fn(j->png, j, on_write, on_flush);
    png_set_IHDR(j->png, j->head, (png_uint_32)p->width, (png_uint_32)p->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(j->png, j->head);
    for (int y = 0; y < p->height; y++)
        png_write_row(j->png, p->pixels + 3 * (size_t)p->width * (size_t)y);
    png_write_end(j->png, j->head);
}

int png_write(const picture *p, FILE *stream, const char *name, error *e)
{
    png_job j = {.name = name, .e = e, .from = p, .stream = stream};
    j.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    if (!j.png)
        return fail_memory(e, 0, "libpng");
    if (!guarded(&j, write_png))
        j.code = fail(e, ERR_SYSTEM, "%s: cannot write: %s", name, j.write_error ? strerror(j.write_error) : j.text);
    png_destroy_write_struct(&j.png, &j.head);
    return j.code;
}

void png_versions(char *text, size_t size)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "libpng %s\n", PNG_LIBPNG_VER_STRING);
}
