/* figure.h - a white sheet to draw on, measured in inches at 100 dots an inch, and text on it (cairo).
 *
 * Positions are pixels from the top left corner; type and lines are given in points (1/72 inch), so one point
 * is 100/72 pixels. Text is DejaVu Sans (package fonts-dejavu-core), without hinting, so that the same figure
 * gives the same bytes everywhere cairo and zlib are the same.
 *
 * Drawing functions return nothing: cairo remembers its first failure, and figure_save reports it.
 */
#ifndef ONEBOX_RENDER_FIGURE_H
#define ONEBOX_RENDER_FIGURE_H

#include "base/error.h"

#include <cairo/cairo.h>
#include <stdbool.h>

#define FIGURE_DPI 100.0

typedef struct figure {
    cairo_surface_t *surface;
    cairo_t *cr;
    int width, height; /* pixels */
    double point;      /* pixels in a point */
} figure;

typedef struct figure_rect {
    double x, y, width, height; /* pixels */
} figure_rect;

typedef struct figure_colour {
    double red, green, blue; /* 0 to 1 */
} figure_colour;

#define FIGURE_WHITE ((figure_colour){1, 1, 1})
#define FIGURE_BLACK ((figure_colour){0, 0, 0})

/* Opens a white figure of width x height inches, each above 0 and at most 300. Every successful open is
 * followed by figure_close. */
int figure_open(figure *f, double width, double height, error *e);

/* The same in pixels (1 to 32767 a side), for drawing on a picture at its own size; lines and type become
 * larger with `point` pixels in a point. */
int figure_open_pixels(figure *f, int width, int height, double point, error *e);
void figure_close(figure *f); /* safe on a zeroed figure */

/* ERR_USAGE when the name ends in that of a picture format which figure_save cannot write, such as .gif. */
int figure_check_name(const char *path, error *e);

/* cairo never fails at once: it remembers its first error, and draws nothing from then on. ERR_SYSTEM when it
 * did so for the surface (its pending work done) or for `cr`, which draws on it and may be NULL. */
int figure_cairo_failed(cairo_surface_t *surface, cairo_t *cr, error *e);

/* Writes the figure whole or not at all: JPEG (quality 95) when the name ends in .jpg or .jpeg, otherwise PNG
 * (8-bit RGB). "-" writes PNG to standard output. */
int figure_save(figure *f, const char *path, error *e);

/* Cuts the sheet down to what is not white plus `margin` pixels around, as notebooks show their figures. */
int figure_trim(figure *f, int margin, error *e);

/* Cell number `index` (row by row, from 0) of rows x columns equal cells of `area`, `gap` pixels apart. */
figure_rect figure_cell(figure_rect area, int rows, int columns, int index, double gap);

/* The whole sheet less `margin` pixels on each side. */
figure_rect figure_inside(const figure *f, double margin);

void figure_set_colour(figure *f, figure_colour c);

/* ---- text ---- */

typedef enum figure_align { ALIGN_LEFT, ALIGN_CENTRE, ALIGN_RIGHT } figure_align;

/* Selects the font of the calls below: `size` in points. */
void figure_font(figure *f, double size, bool bold);

/* Width in pixels of one line in the selected font, and the heights above and below the base line that
 * letters of all words share. */
double figure_text_width(figure *f, const char *text);
double figure_text_above(const figure *f);
double figure_text_below(const figure *f);

/* One line whose base line is at y and whose left end, middle or right end is at x, in the current colour. */
void figure_text(figure *f, double x, double y, figure_align align, const char *text);

/* The same turned to read upwards, its middle at (x, y). */
void figure_text_upwards(figure *f, double x, double y, const char *text);

/* The same as figure_text (left end at x) in `colour` over a black outline of `outline` points. */
void figure_text_outlined(figure *f, double x, double y, const char *text, figure_colour colour, double outline);

/* A copy of `text` that can be drawn in `width` pixels of the selected font: bytes that are no UTF-8 and
 * control characters become '?', and what does not fit is cut and ends in an ellipsis. The caller frees it. */
char *figure_fit_text(figure *f, const char *text, double width, error *e);

/* cairo's line for --version, as program.h wants them. */
void figure_libraries(char *text, size_t size);

#endif
