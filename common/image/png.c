#include "image/codec.h"
#include "image/exif.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/* What libpng's callbacks need. */
typedef struct source {
    const uint8_t *data;
    size_t size, at;
    int warnings;
    bool truncated;
    char text[200];
    jmp_buf back;
} source;

static void on_error(png_structp png, png_const_charp message)
{
    source *s = png_get_error_ptr(png);
    snprintf(s->text, sizeof s->text, "%s", message);
    longjmp(s->back, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    source *s = png_get_error_ptr(png);
    (void)message;
    s->warnings++;
}

static void on_read(png_structp png, png_bytep to, size_t n)
{
    source *s = png_get_io_ptr(png);
    if (n > s->size - s->at) {
        s->truncated = true;
        png_error(png, "the file ends early");
    }
    memcpy(to, s->data + s->at, n);
    s->at += n;
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

/* Everything to three bytes a pixel. */
static void ask_for_rgb(png_structp png, png_infop info)
{
    int colour = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
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
    png_read_update_info(png, info);
}

int png_read(picture *p, const uint8_t *data, size_t size, const char *name, picture_info *info, error *e)
{
    source s = {.data = data, .size = size};
    png_infop head = NULL;
    png_bytepp volatile rows = NULL;
    volatile int code = 0;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
    if (!png)
        return fail_memory(e, 0, "libpng");
    if (setjmp(s.back)) {
        code = fail(e, ERR_INPUT, "%s: %s PNG: %s", name, s.truncated ? "a truncated" : "a damaged", s.text);
        goto end;
    }
    head = png_create_info_struct(png);
    if (!head)
        png_error(png, "no memory");
    png_set_read_fn(png, &s, on_read);
    png_set_user_limits(png, PICTURE_MAX_SIDE, PICTURE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 128);
    png_read_info(png, head);
    info->width = (int)png_get_image_width(png, head);
    info->height = (int)png_get_image_height(png, head);
    info->orientation = stored_orientation(data, size);
    code = picture_limits(png_get_image_width(png, head), png_get_image_height(png, head), name, e);
    if (code || !p)
        goto end;
    ask_for_rgb(png, head);
    const size_t stride = 3 * (size_t)info->width;
    if (png_get_rowbytes(png, head) != stride)
        png_error(png, "an unexpected pixel layout");
    code = picture_new(p, info->width, info->height, e);
    if (!code) {
        rows = mem_zero((size_t)info->height, sizeof *rows, "picture rows", e);
        code = rows ? 0 : ERR_SYSTEM;
    }
    if (code)
        goto end;
    for (int y = 0; y < info->height; y++)
        rows[y] = p->pixels + stride * (size_t)y;
    png_read_image(png, rows);
    png_read_end(png, NULL);
    info->warnings = s.warnings;
end:
    png_destroy_read_struct(&png, &head, NULL);
    free(rows);
    return code;
}

int png_write(const picture *p, FILE *stream, const char *name, error *e)
{
    source s = {0};
    png_infop head = NULL;
    volatile int code = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning);
    if (!png)
        return fail_memory(e, 0, "libpng");
    if (setjmp(s.back)) {
        code = fail(e, ERR_SYSTEM, "%s: cannot write: %s", name, s.text);
        goto end;
    }
    head = png_create_info_struct(png);
    if (!head)
        png_error(png, "no memory");
    png_init_io(png, stream);
    png_set_IHDR(png, head, (png_uint_32)p->width, (png_uint_32)p->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, head);
    for (int y = 0; y < p->height; y++)
        png_write_row(png, p->pixels + 3 * (size_t)p->width * (size_t)y);
    png_write_end(png, head);
end:
    png_destroy_write_struct(&png, &head);
    return code;
}

void png_versions(char *text, size_t size)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "libpng %s\n", PNG_LIBPNG_VER_STRING);
}
