/* A plot is drawn from the data outwards: the range of each axis from the points that are shown, round ticks inside the
 * range, the room that tick texts and labels take off the cell, and then, in this order, grid, lines, marks of phases,
 * legend, frame and labels. An axis holds its range in values, or in their logarithms to base 10, and on_axis maps a
 * value to 0 .. 1. Points that cannot be shown (no number, or not above 0 on a logarithmic axis) are never usable.
 */
#include "render/plot.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const figure_colour palette[] = {
    {0.12, 0.47, 0.71}, {0.90, 0.45, 0.05}, {0.17, 0.58, 0.17}, {0.80, 0.15, 0.16}, {0.55, 0.39, 0.72},
    {0.52, 0.33, 0.29}, {0.83, 0.42, 0.70}, {0.45, 0.45, 0.45}, {0.65, 0.66, 0.10}, {0.09, 0.67, 0.75},
};
static const double tick_points = 9, label_points = 10, title_points = 11;

/* ---------------------------------------------------------------- ticks */

int plot_ticks(double low, double high, int wanted, bool whole, double ticks[PLOT_TICKS_MAX], double *step)
{
    double rough = (high - low) / wanted, power = pow(10, floor(log10(rough)));
    const double steps[] = {1, 2, 5, 10};
    *step = 10 * power;
    for (size_t i = 0; i < 4; i++)
        if (steps[i] * power >= rough * 0.8) {
            *step = steps[i] * power;
            break;
        }
    if (whole && *step < 1)
        *step = 1;
    double slack = *step * 1e-9;
    int count = 0;
    for (double k = ceil((low - slack) / *step); k * *step <= high + slack && count < PLOT_TICKS_MAX; k++)
        ticks[count++] = k == 0 ? 0 : k * *step;
    return count;
}

int plot_log_ticks(double low, double high, double ticks[PLOT_TICKS_MAX])
{
    const double factors[] = {1, 2, 5};
    double decades = log10(high) - log10(low), every = ceil(decades / 10);
    size_t kinds = decades > 3 ? 1 : 3;
    int count = 0;
    for (double k = floor(log10(low) / every) * every; k <= log10(high) + 1e-9; k += every)
        for (size_t i = 0; i < kinds; i++) {
            double t = factors[i] * pow(10, k);
            if (t >= low * (1 - 1e-9) && t <= high * (1 + 1e-9) && count < PLOT_TICKS_MAX)
                ticks[count++] = t;
        }
    return count;
}

void plot_tick_text(double value, double step, char *text, size_t size)
{
    double largest = fmax(fabs(value), step);
    if (largest >= 1e6 || step < 1e-5) {
        snprintf(text, size, "%.3g", value);
        return;
    }
    int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    snprintf(text, size, "%.*f", decimals, value);
}

static void log_tick_text(double value, char *text, size_t size)
{
    snprintf(text, size, value >= 0.9e-3 && value < 1e4 ? "%g" : "%.0e", value);
    char *zero = strstr(text, "e-0");
    if (!zero)
        zero = strstr(text, "e+0");
    if (zero) /* 1e-05 -> 1e-5 */
        memmove(zero + 2, zero + 3, strlen(zero + 3) + 1);
}

/* ---------------------------------------------------------------- axes */

typedef struct axis {
    double low, high; /* of the values, or of their logarithms */
    bool log;
    double ticks[PLOT_TICKS_MAX], step;
    int tick_count;
} axis;

static bool usable(double v, bool logarithmic)
{
    return isfinite(v) && fabs(v) < 1e300 && (!logarithmic || v > 1e-300);
}

/* What the drawing functions share. */
typedef struct sheet {
    figure *f;
    const plot *p;
    figure_rect in; /* the frame of the plot */
    axis x, y;
} sheet;

static double on_axis(const axis *a, double v)
{
    return ((a->log ? log10(v) : v) - a->low) / (a->high - a->low);
}

static void axis_include(axis *a, double v)
{
    double t = a->log ? log10(v) : v;
    a->low = fmin(a->low, t);
    a->high = fmax(a->high, t);
}

/* The range of the points that are drawn, with a margin; 0 to 1 when there are none. */
static void axis_range(axis *a, const plot *p, bool is_x, double margin)
{
    a->low = HUGE_VAL;
    a->high = -HUGE_VAL;
    bool others = false;
    for (size_t i = 0; i < p->line_count; i++)
        others = others || (!p->lines[i].faint && p->lines[i].count > 1);
    for (size_t i = 0; i < p->line_count; i++) {
        const plot_line *l = &p->lines[i];
        if (!is_x && l->faint && others)
            continue;
        for (size_t k = 0; k < l->count; k++)
            if (usable(l->x[k], p->log_x) && usable(l->y[k], false))
                axis_include(a, is_x ? l->x[k] : l->y[k]);
    }
    for (size_t i = 0; is_x && i < p->phase_count; i++)
        if (usable(p->phases[i].x, p->log_x))
            axis_include(a, p->phases[i].x);
    if (a->low > a->high) {
        a->low = 0;
        a->high = 1;
    }
    double size = a->high - a->low;
    if (size <= fmax(fabs(a->low), fabs(a->high)) * 1e-9) /* one value: a range around it */
    {
        size = a->log ? 1 : fmax(fabs(a->low), 1) * 0.1;
        margin = 0.5;
    }
    a->low -= size * margin;
    a->high += size * margin;
}

static void axis_ticks(axis *a, int wanted, bool whole)
{
    if (!a->log) {
        a->tick_count = plot_ticks(a->low, a->high, wanted < 2 ? 2 : wanted, whole, a->ticks, &a->step);
        return;
    }
    a->step = 0;
    a->tick_count = plot_log_ticks(pow(10, a->low), pow(10, a->high), a->ticks);
    if (a->tick_count < 2) { /* less than a decade without 1, 2, 5: linear ticks serve */
        a->tick_count =
            plot_ticks(pow(10, a->low), pow(10, a->high), wanted < 2 ? 2 : wanted, false, a->ticks, &a->step);
        while (a->tick_count && a->ticks[0] <= 0)
            memmove(a->ticks, a->ticks + 1, (size_t)--a->tick_count * sizeof *a->ticks);
    }
}

static void tick_text(const axis *a, int i, char *text, size_t size)
{
    if (a->step > 0)
        plot_tick_text(a->ticks[i], a->step, text, size);
    else
        log_tick_text(a->ticks[i], text, size);
}

/* ---------------------------------------------------------------- drawing */

static void segment(figure *f, double x1, double y1, double x2, double y2)
{
    cairo_move_to(f->cr, x1, y1);
    cairo_line_to(f->cr, x2, y2);
    cairo_stroke(f->cr);
}

static double sharp(double x)
{
    return floor(x) + 0.5;
}

static void draw_axes(const sheet *s)
{
    figure *f = s->f;
    const figure_rect in = s->in;
    const axis *x = &s->x, *y = &s->y;
    char text[48];
    figure_font(f, tick_points, false);
    double above = figure_text_above(f);
    cairo_set_line_width(f->cr, 1);
    double last = -HUGE_VAL; /* right end of the last tick's text: texts never touch */
    for (int i = 0; i < x->tick_count; i++) {
        double at = sharp(in.x + on_axis(x, x->ticks[i]) * in.width);
        figure_set_colour(f, (figure_colour){0.88, 0.88, 0.88});
        segment(f, at, in.y, at, in.y + in.height);
        tick_text(x, i, text, sizeof text);
        double half = figure_text_width(f, text) / 2;
        if (at - half < last + above * 0.6)
            continue;
        last = at + half;
        figure_set_colour(f, FIGURE_BLACK);
        figure_text(f, at, in.y + in.height + above + 7, ALIGN_CENTRE, text);
    }
    for (int i = 0; i < y->tick_count; i++) {
        double at = sharp(in.y + (1 - on_axis(y, y->ticks[i])) * in.height);
        figure_set_colour(f, (figure_colour){0.88, 0.88, 0.88});
        segment(f, in.x, at, in.x + in.width, at);
        tick_text(y, i, text, sizeof text);
        figure_set_colour(f, FIGURE_BLACK);
        figure_text(f, in.x - 7, at + above / 2, ALIGN_RIGHT, text);
    }
}

static int draw_phases(const sheet *s, error *e)
{
    figure *f = s->f;
    const figure_rect in = s->in;
    const axis *x = &s->x;
    const plot *p = s->p;
    const double dashes[] = {5, 4};
    figure_font(f, tick_points, false);
    for (size_t i = 0; i < p->phase_count; i++) {
        const plot_phase *phase = &p->phases[i];
        if (!usable(phase->x, p->log_x))
            continue;
        double at = fmax(0, on_axis(x, phase->x)), next = 1;
        if (at > 1)
            continue;
        for (size_t k = 0; k < p->phase_count; k++)
            if (usable(p->phases[k].x, p->log_x) && p->phases[k].x > phase->x)
                next = fmin(next, on_axis(x, p->phases[k].x));
        double left = sharp(in.x + at * in.width);
        figure_set_colour(f, (figure_colour){0.45, 0.45, 0.45});
        cairo_set_dash(f->cr, dashes, 2, 0);
        segment(f, left, in.y, left, in.y + in.height);
        cairo_set_dash(f->cr, NULL, 0, 0);
        char *name = figure_fit_text(f, phase->name, (next - at) * in.width - 6, e);
        if (!name)
            return ERR_SYSTEM;
        if (figure_text_width(f, name) < (next - at) * in.width)
            figure_text(f, left + 3, in.y - 5, ALIGN_LEFT, name);
        free(name);
    }
    return 0;
}

/* Where point k of the line stands; false for one that cannot be shown. */
static bool point_at(const sheet *s, const plot_line *l, size_t k, double *x, double *y)
{
    if (!usable(l->x[k], s->p->log_x) || !usable(l->y[k], false))
        return false;
    *x = s->in.x + on_axis(&s->x, l->x[k]) * s->in.width;
    *y = s->in.y + (1 - fmax(fmin(on_axis(&s->y, l->y[k]), 100), -100)) * s->in.height;
    return true;
}

static void line_style(figure *f, const plot_line *l)
{
    figure_colour c = palette[(size_t)l->colour % COUNT(palette)];
    cairo_set_source_rgba(f->cr, c.red, c.green, c.blue, l->faint ? 0.35 : 1);
    cairo_set_line_width(f->cr, (l->faint ? 0.8 : 1.5) * f->point);
}

static void draw_line(const sheet *s, const plot_line *l)
{
    cairo_t *cr = s->f->cr;
    double x, y;
    bool on = false;
    line_style(s->f, l);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    for (size_t k = 0; k < l->count; k++) {
        bool good = point_at(s, l, k, &x, &y);
        if (good && on)
            cairo_line_to(cr, x, y);
        else if (good)
            cairo_move_to(cr, x, y);
        on = good;
        if (k % 4096 == 4095 && on) { /* long paths are slow in cairo */
            cairo_stroke(cr);
            cairo_move_to(cr, x, y);
        }
    }
    cairo_stroke(cr);
    for (size_t k = 0; l->dots && k < l->count; k++)
        if (point_at(s, l, k, &x, &y)) {
            cairo_new_sub_path(cr);
            cairo_arc(cr, x, y, 2 * s->f->point, 0, 4 * acos(0));
            cairo_fill(cr);
        }
}

/* How many points of the lines lie under `r`. */
static size_t points_under(const sheet *s, figure_rect r)
{
    size_t count = 0;
    double x, y;
    for (size_t i = 0; i < s->p->line_count; i++)
        for (size_t k = 0; k < s->p->lines[i].count; k++)
            count += point_at(s, &s->p->lines[i], k, &x, &y) && x > r.x - 5 && x < r.x + r.width + 5 && y > r.y - 5 &&
                     y < r.y + r.height + 5;
    return count;
}

/* In the corner that covers the fewest points. */
static int draw_legend(const sheet *s, error *e)
{
    figure *f = s->f;
    const figure_rect in = s->in;
    const plot *p = s->p;
    figure_font(f, tick_points, false);
    double above = figure_text_above(f), line = above * 1.7, widest = 0;
    int count = 0;
    for (size_t i = 0; i < p->line_count; i++)
        if (p->lines[i].name) {
            widest = fmax(widest, figure_text_width(f, p->lines[i].name));
            count++;
        }
    if (!count)
        return 0;
    widest = fmin(widest, in.width * 0.6);
    figure_rect box = {0, 0, widest + 44, count * line + 8}, best = box;
    size_t least = SIZE_MAX;
    for (int corner = 0; corner < 4; corner++) {
        box.x = corner % 2 == 0 ? in.x + in.width - box.width - 8 : in.x + 8;
        box.y = corner < 2 ? in.y + 8 : in.y + in.height - box.height - 8;
        size_t under = points_under(s, box);
        if (under < least) {
            least = under;
            best = box;
        }
    }
    cairo_rectangle(f->cr, best.x, best.y, best.width, best.height);
    cairo_set_source_rgba(f->cr, 1, 1, 1, 0.85);
    cairo_fill_preserve(f->cr);
    figure_set_colour(f, (figure_colour){0.8, 0.8, 0.8});
    cairo_set_line_width(f->cr, 1);
    cairo_stroke(f->cr);
    double top = best.y + 4;
    for (size_t i = 0; i < p->line_count; i++) {
        const plot_line *l = &p->lines[i];
        if (!l->name)
            continue;
        line_style(f, l);
        segment(f, best.x + 8, top + line / 2, best.x + 30, top + line / 2);
        char *name = figure_fit_text(f, l->name, widest + 1, e);
        if (!name)
            return ERR_SYSTEM;
        figure_set_colour(f, FIGURE_BLACK);
        figure_text(f, best.x + 36, top + line / 2 + above / 2, ALIGN_LEFT, name);
        free(name);
        top += line;
    }
    return 0;
}

int plot_draw(figure *f, figure_rect cell, const plot *p, error *e)
{
    axis x = {.log = p->log_x}, y = {0};
    axis_range(&x, p, true, 0.02);
    axis_range(&y, p, false, 0.05);
    double line = tick_points * f->point;
    figure_rect in = cell;
    in.y += (p->title ? 2.2 : 0.8) * line + (p->phase_count ? line : 0);
    in.height -= in.y - cell.y + (p->x_label ? 3.6 : 2) * line;
    axis_ticks(&y, (int)(in.height / 45), false);
    figure_font(f, tick_points, false);
    double widest = 0;
    char text[48];
    for (int i = 0; i < y.tick_count; i++) {
        tick_text(&y, i, text, sizeof text);
        widest = fmax(widest, figure_text_width(f, text));
    }
    double left = widest + 12 + (p->y_label ? 1.8 * line : 0);
    in.x += left;
    in.width -= left + line;
    if (in.width < 20 || in.height < 20)
        return fail(e, ERR_USAGE, "the figure is too small for a plot; give a larger --figure");
    axis_ticks(&x, (int)(in.width / 70), p->whole_x);

    const sheet s = {f, p, in, x, y};
    draw_axes(&s);
    cairo_save(f->cr);
    cairo_rectangle(f->cr, in.x, in.y, in.width, in.height);
    cairo_clip(f->cr);
    for (int faint = 1; faint >= 0; faint--)
        for (size_t i = 0; i < p->line_count; i++)
            if (p->lines[i].faint == (faint == 1))
                draw_line(&s, &p->lines[i]);
    cairo_restore(f->cr);
    int code = draw_phases(&s, e);
    if (!code)
        code = draw_legend(&s, e);
    figure_set_colour(f, (figure_colour){0.3, 0.3, 0.3});
    cairo_set_line_width(f->cr, 1);
    cairo_rectangle(f->cr, sharp(in.x), sharp(in.y), floor(in.width), floor(in.height));
    cairo_stroke(f->cr);

    figure_set_colour(f, FIGURE_BLACK);
    figure_font(f, label_points, false);
    if (p->x_label)
        figure_text(f, in.x + in.width / 2, in.y + in.height + 3.2 * line, ALIGN_CENTRE, p->x_label);
    if (p->y_label)
        figure_text_upwards(f, cell.x + line * 0.6, in.y + in.height / 2, p->y_label);
    figure_font(f, title_points, true);
    if (p->title)
        figure_text(f, in.x + in.width / 2, cell.y + 1.1 * line, ALIGN_CENTRE, p->title);
    return code;
}
