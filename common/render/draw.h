/* draw.h - a picture with boxes and labels on it.
 *
 * The rules: a picture keeps its shape and has no axes; a box is an unfilled rectangle, a white line of 2
 * points over a black one of 4; a label is bold white text with a black outline of 1 point whose top left
 * corner sits at the box's corner, or at the picture's corner (0, 0) when there is no box. Pixel centres have
 * whole coordinates. A box (y1, x1, y2, x2) is the rectangle at (x1, y1) of size (x2 - x1 + 1, y2 - y1 + 1).
 *
 * A label stays readable: it is cut to the picture's width, kept inside the picture, and moved along its box
 * when it would cover another label. Labels without a box stand one below the other.
 */
#ifndef ONEBOX_RENDER_DRAW_H
#define ONEBOX_RENDER_DRAW_H

#include "base/box.h"
#include "base/error.h"
#include "render/figure.h"
#include "image/picture.h"

#include <stdbool.h>
#include <stddef.h>

#define DRAW_LABEL_POINTS 14.0       /* labels */
#define DRAW_LABEL_POINTS_LARGE 16.0 /* of the one box of a largest-object picture */

#define DRAW_WHITE FIGURE_WHITE                       /* what is annotated or predicted */
#define DRAW_TRUTH ((figure_colour){0.45, 1.0, 0.25}) /* the truth beside a prediction */

/* A box, a label or both. */
typedef struct draw_mark {
    bool has_box;
    box_real box;      /* in the picture's pixels */
    const char *label; /* NULL: none. Any bytes; borrowed */
    figure_colour colour;
} draw_mark;

/* Where a picture lies in a figure. */
typedef struct draw_view {
    figure_rect area;  /* the picture's edges, in the figure */
    double scale;      /* figure pixels in a picture pixel */
    int width, height; /* the picture's pixels */
} draw_view;

/* The largest place for a width x height picture inside `cell`, in its middle. */
draw_view draw_place(figure_rect cell, int width, int height);

/* Draws the picture, which is view.width x view.height. */
int draw_picture(figure *f, draw_view view, const picture *p, error *e);

/* Draws the boxes, then all labels over them, at `label_points`. Earlier marks come first: their boxes are on
 * top and their labels keep their places. When a label finds no free place at its box, all of the picture's
 * labels become smaller, down to half; if that does not help, a thin line leads from the label to its box. */
int draw_marks(figure *f, draw_view view, const draw_mark *marks, size_t count, double label_points, error *e);

/* Draws the marks on the picture at its own size and writes it to `path` (figure_save: .jpg, .jpeg or PNG);
 * lines and letters grow with large pictures. For `predict --save-pictures`. */
int draw_save(const picture *p, const draw_mark *marks, size_t count, const char *path, error *e);

/* All three: the picture in the middle of `cell`, and the marks on it. */
int draw_marked(figure *f, figure_rect cell, const picture *p, const draw_mark *marks, size_t count,
                double label_points, error *e);

/* Where a label goes. */
typedef struct draw_label {
    figure_rect area;
    bool astray; /* not at its box; a label without a box never is */
} draw_label;

/* Places the labels without drawing: widths[i] is the width of mark i's text (0: no label), `height` that of
 * all, `inset` the distance from the box's line. Returns how many are astray. Used by draw_marks; for tests. */
size_t draw_place_labels(draw_view view, const draw_mark *marks, size_t count, const double *widths, double height,
                         double inset, draw_label *places);

#endif
