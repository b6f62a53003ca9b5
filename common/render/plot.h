/* plot.h - line plots: a linear or logarithmic x axis, ticks at round numbers, a grid, a legend, a title, labels, and
 * marks where phases begin.
 */
#ifndef ONEBOX_RENDER_PLOT_H
#define ONEBOX_RENDER_PLOT_H

#include "base/error.h"
#include "render/figure.h"

#include <stdbool.h>
#include <stddef.h>

/* Points joined by straight lines. A point that is no number (NaN, infinite, or <= 0 on the logarithmic axis)
 * is left out and interrupts the line. Borrowed. */
typedef struct plot_line {
    const char *name; /* in the legend; NULL: none */
    const double *x, *y;
    size_t count;
    int colour; /* 0, 1, 2 …: one of ten, in turn */
    bool dots;  /* a dot at each point */
    bool faint; /* thin and pale: behind the others, and not deciding the y range when others do */
} plot_line;

/* Something begins at x: a dashed vertical line, its name at the top of the plot. Borrowed. */
typedef struct plot_phase {
    double x;
    char *name;
} plot_phase;

typedef struct plot {
    const char *title, *x_label, *y_label; /* NULL: none */
    bool log_x;
    bool whole_x; /* x counts something: ticks at whole numbers only */
    const plot_line *lines;
    size_t line_count;
    const plot_phase *phases;
    size_t phase_count;
} plot;

enum { PLOT_TICKS_MAX = 24 };

/* Draws the plot, its labels included, inside `cell`. */
int plot_draw(figure *f, figure_rect cell, const plot *p, error *e);

/* Round tick values in [low, high] (1, 2 or 5 times a power of ten apart; about `wanted` of them; at least 1
 * apart when `whole`). Returns their number; *step is the distance. low < high. */
int plot_ticks(double low, double high, int wanted, bool whole, double ticks[PLOT_TICKS_MAX], double *step);

/* The same on a logarithmic axis: powers of ten, and 2 and 5 times those when there are few. 0 < low < high. */
int plot_log_ticks(double low, double high, double ticks[PLOT_TICKS_MAX]);

/* A tick's text: plain decimals for ticks `step` apart ("0.25", "120", "1e+06"). */
void plot_tick_text(double value, double step, char *text, size_t size);

#endif
