/* The sheet is a cairo image surface in RGB24 (a pixel is 0x00RRGGBB in the machine's byte order) at 100 dots an inch.
 * Whatever could differ between machines is switched off: text is drawn without hinting, with one font, and its height
 * comes from the font's size, not from the letters. The picture is turned into plain RGB only when it is saved, by the
 * same writers that all pictures use.
 */
#include "render/figure.h"

#include "base/text.h"
#include "base/utf8.h"
#include "image/picture_file.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE_MAX = 32767, /* cairo's limit for an image surface */
    JPEG_QUALITY = 95,
};

/* ---------------------------------------------------------------- the sheet */

int figure_cairo_failed(cairo_surface_t *surface, cairo_t *cr, error *e)
{
    cairo_surface_flush(surface);
    cairo_status_t status = cairo_surface_status(surface);
    if (status == CAIRO_STATUS_SUCCESS && cr)
        status = cairo_status(cr);
    if (status == CAIRO_STATUS_SUCCESS)
        return 0;
    return fail(e, ERR_SYSTEM, "cannot draw: %s", cairo_status_to_string(status));
}

int figure_open_pixels(figure *f, int width, int height, double point, error *e)
{
    *f = (figure){.width = width, .height = height, .point = point};
    if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
        return fail(e, ERR_INPUT, "a drawing of %d x %d pixels is not possible: a side has 1 to %d", width, height,
                    SIDE_MAX);
    f->surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    f->cr = cairo_create(f->surface);
    int code = figure_cairo_failed(f->surface, f->cr, e);
    if (code) {
        figure_close(f);
        return code;
    }
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(f->cr, options);
    cairo_font_options_destroy(options);
    figure_set_colour(f, FIGURE_WHITE);
    cairo_paint(f->cr);
    return 0;
}

int figure_open(figure *f, double width, double height, error *e)
{
    *f = (figure){0};
    if (!(width > 0 && height > 0 && width <= 300 && height <= 300))
        return fail(e, ERR_USAGE, "a figure of %g x %g inches is not possible: a side has more than 0 and at most 300",
                    width, height);
    int w = (int)lround(width * FIGURE_DPI), h = (int)lround(height * FIGURE_DPI);
    return figure_open_pixels(f, w > 0 ? w : 1, h > 0 ? h : 1, FIGURE_DPI / 72, e);
}

void figure_close(figure *f)
{
    if (f->cr)
        cairo_destroy(f->cr);
    if (f->surface)
        cairo_surface_destroy(f->surface);
    *f = (figure){0};
}

void figure_set_colour(figure *f, figure_colour c)
{
    cairo_set_source_rgb(f->cr, c.red, c.green, c.blue);
}

static uint32_t *pixel_row(const figure *f, int y)
{
    cairo_surface_flush(f->surface);
    unsigned char *row =
        cairo_image_surface_get_data(f->surface) + (ptrdiff_t)y * cairo_image_surface_get_stride(f->surface);
    return (uint32_t *)(void *)row;
}

figure_rect figure_cell(figure_rect area, int rows, int columns, int index, double gap)
{
    double width = (area.width - gap * (columns - 1)) / columns;
    double height = (area.height - gap * (rows - 1)) / rows;
    int row = index / columns, column = index % columns;
    return (figure_rect){area.x + column * (width + gap), area.y + row * (height + gap), width, height};
}

figure_rect figure_inside(const figure *f, double margin)
{
    return (figure_rect){margin, margin, f->width - 2 * margin, f->height - 2 * margin};
}

int figure_trim(figure *f, int margin, error *e)
{
    int left = f->width, right = -1, top = f->height, bottom = -1;
    int code = figure_cairo_failed(f->surface, f->cr, e);
    if (code)
        return code;
    for (int y = 0; y < f->height; y++) {
        const uint32_t *row = pixel_row(f, y);
        for (int x = 0; x < f->width; x++)
            if ((row[x] & 0xffffff) != 0xffffff) {
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y;
            }
    }
    if (right < 0)
        return 0;
    left = left > margin ? left - margin : 0;
    top = top > margin ? top - margin : 0;
    right = right + margin < f->width ? right + margin : f->width - 1;
    bottom = bottom + margin < f->height ? bottom + margin : f->height - 1;
    figure cut;
    code = figure_open_pixels(&cut, right - left + 1, bottom - top + 1, f->point, e);
    if (code)
        return code;
    for (int y = 0; y < cut.height; y++)
        memcpy(pixel_row(&cut, y), pixel_row(f, top + y) + left, (size_t)cut.width * sizeof(uint32_t));
    cairo_surface_mark_dirty(cut.surface);
    figure_close(f);
    *f = cut;
    return 0;
}

/* For builds with the leak checker: what fontconfig keeps until the end is not a leak of ours. */
#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}
const char *__lsan_default_options(void);
const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

/* ---------------------------------------------------------------- saving */

int figure_check_name(const char *path, error *e)
{
    static const char *const others[] = {".avif", ".bmp", ".eps", ".gif", ".heic", ".jp2", ".jxl",  ".pdf",
                                         ".pnm",  ".ppm", ".ps",  ".svg", ".tga",  ".tif", ".tiff", ".webp"};
    for (size_t i = 0; i < COUNT(others); i++)
        if (text_ends_with_any_case(path, others[i]))
            return fail(e, ERR_USAGE, "%s: %s pictures cannot be written: name it .png or .jpg", path, others[i] + 1);
    return 0;
}

int figure_save(figure *f, const char *path, error *e)
{
    int code = figure_cairo_failed(f->surface, f->cr, e);
    if (code)
        return fail_context(e, "%s", path);
    picture p = {0};
    code = picture_new(&p, f->width, f->height, e);
    uint8_t *at = p.pixels;
    for (int y = 0; y < f->height && !code; y++) {
        const uint32_t *row = pixel_row(f, y);
        for (int x = 0; x < f->width; x++) {
            *at++ = (uint8_t)(row[x] >> 16);
            *at++ = (uint8_t)(row[x] >> 8);
            *at++ = (uint8_t)row[x];
        }
    }
    if (!code && (text_ends_with_any_case(path, ".jpg") || text_ends_with_any_case(path, ".jpeg")))
        code = picture_save_jpeg(&p, path, JPEG_QUALITY, e);
    else if (!code)
        code = picture_save_png(&p, path, e);
    picture_free(&p);
    return code;
}

/* ---------------------------------------------------------------- text */

void figure_font(figure *f, double size, bool bold)
{
    cairo_select_font_face(f->cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(f->cr, size * f->point);
}

double figure_text_width(figure *f, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(f->cr, text, &extents);
    return extents.x_advance;
}

/* DejaVu's letters reach 0.76 of the size above the base line (b, d, l) and 0.24 below it (g, p). */
static double font_size(const figure *f)
{
    cairo_matrix_t m;
    cairo_get_font_matrix(f->cr, &m);
    return m.yy;
}

double figure_text_above(const figure *f)
{
    return 0.76 * font_size(f);
}

double figure_text_below(const figure *f)
{
    return 0.24 * font_size(f);
}

void figure_text(figure *f, double x, double y, figure_align align, const char *text)
{
    double width = align == ALIGN_LEFT ? 0 : figure_text_width(f, text);
    cairo_move_to(f->cr, align == ALIGN_LEFT ? x : align == ALIGN_RIGHT ? x - width : x - width / 2, y);
    cairo_show_text(f->cr, text);
    cairo_new_path(f->cr);
}

void figure_text_upwards(figure *f, double x, double y, const char *text)
{
    cairo_save(f->cr);
    cairo_translate(f->cr, x, y);
    cairo_rotate(f->cr, -acos(0));
    figure_text(f, 0, (figure_text_above(f) - figure_text_below(f)) / 2, ALIGN_CENTRE, text);
    cairo_restore(f->cr);
}

void figure_text_outlined(figure *f, double x, double y, const char *text, figure_colour colour, double outline)
{
    cairo_move_to(f->cr, x, y);
    cairo_text_path(f->cr, text);
    cairo_set_line_join(f->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_width(f->cr, 2 * outline * f->point); /* half of it lies under the letters */
    figure_set_colour(f, FIGURE_BLACK);
    cairo_stroke_preserve(f->cr);
    figure_set_colour(f, colour);
    cairo_fill(f->cr);
}

char *figure_fit_text(figure *f, const char *text, double width, error *e)
{
    const char *ellipsis = "\xe2\x80\xa6";
    size_t size = strnlen(text, 1000); /* longer than any line */
    char *fit = mem_zero(size + 8, 1, "a label", e);
    if (!fit)
        return NULL;
    size_t length = 0;
    for (size_t i = 0; i < size;) {
        size_t n = utf8_length(text + i, size - i);
        if (n == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            fit[length++] = '?';
            i++;
        } else {
            memcpy(fit + length, text + i, n);
            length += n;
            i += n;
        }
    }
    fit[length] = 0;
    while (length > 0 && figure_text_width(f, fit) > width) {
        do
            length--;
        while (length > 0 && ((unsigned char)fit[length] & 0xc0) == 0x80);
        strcpy(fit + length, ellipsis);
    }
    return fit;
}

void figure_libraries(char *text, size_t size)
{
    snprintf(text, size, "cairo %s\n", cairo_version_string());
}
