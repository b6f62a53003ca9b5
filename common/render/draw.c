/* A picture in its place of a figure, and marks on it. Boxes are drawn first, the earliest on top, then all labels over
 * them. Where a label goes is decided without drawing (draw_place_labels): each label in turn takes the first of a list
 * of places that covers none of the labels before it, or else the place that covers least; when some found no place at
 * their boxes, draw_labels tries again with smaller letters.
 */
#include "render/draw.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const double box_white = 2, box_black = 4, label_outline = 1; /* points */

/* ---------------------------------------------------------------- the picture */

draw_view draw_place(figure_rect cell, int width, int height)
{
    double scale = fmin(cell.width / width, cell.height / height);
    draw_view v = {.scale = scale, .width = width, .height = height};
    v.area.width = width * scale;
    v.area.height = height * scale;
    v.area.x = cell.x + (cell.width - v.area.width) / 2;
    v.area.y = cell.y + (cell.height - v.area.height) / 2;
    return v;
}

int draw_picture(figure *f, draw_view view, const picture *p, error *e)
{
    const uint8_t *rgb = p->pixels;
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, view.width, view.height);
    int code = figure_cairo_failed(image, NULL, e);
    if (code) {
        cairo_surface_destroy(image);
        return code;
    }
    unsigned char *data = cairo_image_surface_get_data(image);
    int stride = cairo_image_surface_get_stride(image);
    for (int y = 0; y < view.height; y++) {
        uint32_t *row = (uint32_t *)(void *)(data + (ptrdiff_t)y * stride);
        for (int x = 0; x < view.width; x++, rgb += 3)
            row[x] = (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
    }
    cairo_surface_mark_dirty(image);
    cairo_save(f->cr);
    cairo_rectangle(f->cr, view.area.x, view.area.y, view.area.width, view.area.height);
    cairo_clip(f->cr);
    cairo_translate(f->cr, view.area.x, view.area.y);
    cairo_scale(f->cr, view.scale, view.scale);
    cairo_set_source_surface(f->cr, image, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(f->cr), view.scale == 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_BEST);
    cairo_pattern_set_extend(cairo_get_source(f->cr), CAIRO_EXTEND_PAD);
    cairo_paint(f->cr);
    cairo_restore(f->cr);
    code = figure_cairo_failed(image, f->cr, e);
    cairo_surface_destroy(image);
    return code;
}

/* ---------------------------------------------------------------- boxes */

/* The rectangle of a mark in the figure: a whole coordinate is a pixel's centre. Without a box, the picture's
 * corner. */
static figure_rect mark_rect(draw_view v, const draw_mark *m)
{
    if (!m->has_box)
        return (figure_rect){v.area.x, v.area.y, 0, 0};
    const box_xywh b = box_to_xywh(m->box);
    return (figure_rect){v.area.x + (b.x + 0.5) * v.scale, v.area.y + (b.y + 0.5) * v.scale, b.width * v.scale,
                         b.height * v.scale};
}

/* A line's place: the middle of a figure pixel, so that it is sharp; far outside the picture (where nothing
 * is drawn) no further than cairo can count; and never lost at the edge of a sheet of `size` pixels. */
static double line_at(double x, double start, double length, double half, int size)
{
    x = fmax(fmin(x, start + length + 100), start - 100);
    if (x > start - 2 && x < start + length + 2)
        x = fmax(fmin(x, size - half), half);
    return floor(x) + 0.5;
}

static void draw_box(figure *f, draw_view v, figure_rect r, figure_colour colour)
{
    double half = box_white / 2 * f->point;
    double x1 = line_at(r.x, v.area.x, v.area.width, half, f->width);
    double x2 = line_at(r.x + r.width, v.area.x, v.area.width, half, f->width);
    double y1 = line_at(r.y, v.area.y, v.area.height, half, f->height);
    double y2 = line_at(r.y + r.height, v.area.y, v.area.height, half, f->height);
    cairo_rectangle(f->cr, x1, y1, x2 - x1, y2 - y1);
    cairo_set_line_join(f->cr, CAIRO_LINE_JOIN_MITER);
    cairo_set_line_width(f->cr, box_black * f->point);
    figure_set_colour(f, FIGURE_BLACK);
    cairo_stroke_preserve(f->cr);
    cairo_set_line_width(f->cr, box_white * f->point);
    figure_set_colour(f, colour);
    cairo_stroke(f->cr);
}

/* ---------------------------------------------------------------- labels */

static figure_rect keep_inside(figure_rect r, figure_rect area)
{
    r.x = fmax(fmin(r.x, area.x + area.width - r.width), area.x);
    r.y = fmax(fmin(r.y, area.y + area.height - r.height), area.y);
    return r;
}

static double overlap(figure_rect a, figure_rect b)
{
    double w = fmin(a.x + a.width, b.x + b.width) - fmax(a.x, b.x);
    double h = fmin(a.y + a.height, b.y + b.height) - fmax(a.y, b.y);
    return w > 0 && h > 0 ? w * h : 0;
}

/* Tries one place; the best so far is the one that covers least of the labels placed before. */
typedef struct label_search {
    const draw_label *placed;
    size_t count;
    figure_rect best;
    double covered; /* by best, square pixels */
} label_search;

static bool try_place(label_search *s, figure_rect r)
{
    double covered = 0;
    for (size_t i = 0; i < s->count; i++)
        covered += overlap(r, s->placed[i].area);
    if (covered < s->covered) {
        s->covered = covered;
        s->best = r;
    }
    return s->covered == 0;
}

/* At the box: inside its corners, then above, below and beside it. */
static bool place_at_box(label_search *s, draw_view view, figure_rect r, double w, double h, double inset)
{
    const double left = r.x + inset, right = r.x + r.width - inset - w;
    const double top = r.y + inset, bottom = r.y + r.height - inset - h;
    const double corners[][2] = {{left, top},
                                 {left, r.y - inset - h}, /* above the box */
                                 {right, top},            /* its other corners */
                                 {left, bottom},
                                 {right, bottom},
                                 {left, r.y + r.height + inset}, /* below it */
                                 {r.x + r.width + inset, top},   /* beside it */
                                 {r.x - inset - w, top},
                                 {r.x + r.width + inset, bottom},
                                 {r.x - inset - w, bottom}};
    for (size_t k = 0; k < COUNT(corners); k++)
        if (try_place(s, keep_inside((figure_rect){corners[k][0], corners[k][1], w, h}, view.area)))
            return true;
    return false;
}

/* Without a box: in the picture's corner, one label below the other. */
static bool place_in_corner(label_search *s, draw_view view, double w, double h, double inset)
{
    figure_rect at = {view.area.x + inset, view.area.y + inset, w, h};
    for (; at.y + h <= view.area.y + view.area.height; at.y += h)
        if (try_place(s, keep_inside(at, view.area)))
            return true;
    return false;
}

/* Around the corner in growing rings. */
static bool place_around(label_search *s, draw_view view, figure_rect r, double w, double h, double inset)
{
    for (int ring = 1; ring < 40; ring++)
        for (int turn = 0; turn < 16; turn++) {
            double angle = turn * acos(0) / 4, far = ring * h / 2;
            figure_rect at = {r.x + inset + far * cos(angle), r.y + inset + far * sin(angle), w, h};
            if (try_place(s, keep_inside(at, view.area)))
                return true;
        }
    return false;
}

size_t draw_place_labels(draw_view view, const draw_mark *marks, size_t count, const double *widths, double height,
                         double inset, draw_label *places)
{
    size_t astray = 0;
    for (size_t i = 0; i < count; i++) {
        places[i] = (draw_label){0};
        if (widths[i] <= 0)
            continue;
        figure_rect r = mark_rect(view, &marks[i]);
        label_search s = {.placed = places, .count = i, .covered = HUGE_VAL};
        bool found = marks[i].has_box ? place_at_box(&s, view, r, widths[i], height, inset)
                                      : place_in_corner(&s, view, widths[i], height, inset);
        places[i].astray = !found && marks[i].has_box;
        if (!found)
            place_around(&s, view, r, widths[i], height, inset);
        places[i].area = s.best;
        astray += places[i].astray;
    }
    return astray;
}

/* From a label that found no place at its box to the box's corner. */
static void draw_leader(figure *f, figure_rect label, figure_rect marked, figure_colour colour)
{
    double x = fmax(fmin(marked.x, label.x + label.width), label.x);
    double y = fmax(fmin(marked.y, label.y + label.height), label.y);
    for (int black = 1; black >= 0; black--) {
        cairo_move_to(f->cr, x, y);
        cairo_line_to(f->cr, marked.x, marked.y);
        cairo_set_line_width(f->cr, (black ? 2 : 1) * f->point);
        figure_set_colour(f, black ? FIGURE_BLACK : colour);
        cairo_stroke(f->cr);
    }
}

/* The labels' texts and widths in the selected font. */
static int measure_labels(figure *f, draw_view view, const draw_mark *marks, size_t count, char **texts, double *widths,
                          error *e)
{
    double edge = label_outline * f->point;
    for (size_t i = 0; i < count; i++) {
        free(texts[i]);
        texts[i] = NULL;
        widths[i] = 0;
        if (!marks[i].label)
            continue;
        texts[i] = figure_fit_text(f, marks[i].label, view.area.width - 2 * edge, e);
        if (!texts[i])
            return ERR_SYSTEM;
        if (texts[i][0])
            widths[i] = figure_text_width(f, texts[i]) + 2 * edge;
    }
    return 0;
}

static int draw_labels(figure *f, draw_view view, const draw_mark *marks, size_t count, double points, error *e)
{
    char **texts = mem_zero(count, sizeof *texts, "labels", e);
    double *widths = mem_zero(count, sizeof *widths, "labels", e);
    draw_label *places = mem_zero(count, sizeof *places, "labels", e);
    int code = texts && widths && places ? 0 : ERR_SYSTEM;
    double edge = label_outline * f->point, above = 0;
    const double sizes[] = {1, 0.8, 0.64, 0.5}; /* a crowd gets smaller letters */
    for (size_t k = 0; k < COUNT(sizes) && !code; k++) {
        figure_font(f, points * sizes[k], true);
        above = figure_text_above(f);
        code = measure_labels(f, view, marks, count, texts, widths, e);
        if (!code && draw_place_labels(view, marks, count, widths, above + figure_text_below(f) + 2 * edge,
                                       box_black / 2 * f->point, places) == 0)
            break;
    }
    for (size_t i = 0; i < count && !code; i++)
        if (widths[i] > 0 && places[i].astray)
            draw_leader(f, places[i].area, mark_rect(view, &marks[i]), marks[i].colour);
    for (size_t i = 0; i < count && !code; i++)
        if (widths[i] > 0)
            figure_text_outlined(f, places[i].area.x + edge, places[i].area.y + edge + above, texts[i], marks[i].colour,
                                 label_outline);
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
    free(widths);
    free(places);
    return code;
}

int draw_marks(figure *f, draw_view view, const draw_mark *marks, size_t count, double label_points, error *e)
{
    double margin = box_black / 2 * f->point + fmin(view.scale, 4); /* for lines on the picture's edge */
    cairo_save(f->cr);
    cairo_rectangle(f->cr, view.area.x - margin, view.area.y - margin, view.area.width + 2 * margin,
                    view.area.height + 2 * margin);
    cairo_clip(f->cr);
    for (size_t i = count; i-- > 0;)
        if (marks[i].has_box)
            draw_box(f, view, mark_rect(view, &marks[i]), marks[i].colour);
    int code = count ? draw_labels(f, view, marks, count, label_points, e) : 0;
    cairo_restore(f->cr);
    return code;
}

int draw_marked(figure *f, figure_rect cell, const picture *p, const draw_mark *marks, size_t count,
                double label_points, error *e)
{
    draw_view view = draw_place(cell, p->width, p->height);
    int code = draw_picture(f, view, p, e);
    return code ? code : draw_marks(f, view, marks, count, label_points, e);
}

int draw_save(const picture *p, const draw_mark *marks, size_t count, const char *path, error *e)
{
    int side = p->width < p->height ? p->width : p->height;
    double grow = fmax(side / 333.0, 0.6); /* a VOC picture's short side is about 333 */
    figure f;
    if (figure_open_pixels(&f, p->width, p->height, grow * FIGURE_DPI / 72, e))
        return fail_context(e, "%s", path);
    int code = draw_marked(&f, figure_inside(&f, 0), p, marks, count, DRAW_LABEL_POINTS, e);
    if (!code)
        code = figure_save(&f, path, e);
    figure_close(&f);
    return code;
}
