/* box.h - the rectangle around an object, in the one form that every room uses: corners (y1, x1, y2, x2), row first.
 *
 * Corners are inclusive and pixels are counted from 0: a box one pixel high has y1 == y2. The types:
 *   box        whole pixels: annotations, labels, and what the stages of the training path make of them (boxmask.h)
 *   box_real   corners with fractions: predictions, in own pixels or in the square frame of the network
 *   box_xywh   (x, y, width, height): COCO's files, and what render prints
 *   float[4]   y1, x1, y2, x2 as a row of a batch: the targets of a network
 * The +1 between "last pixel" and "number of pixels" lives in this module only.
 */
#ifndef ONEBOX_BASE_BOX_H
#define ONEBOX_BASE_BOX_H

#include <stdbool.h>
#include <stdint.h>

/* y1 <= y2 and x1 <= x2 unless box_is_empty. */
typedef struct box {
    int32_t y1, x1, y2, x2;
} box;

typedef struct box_real {
    double y1, x1, y2, x2;
} box_real;

typedef struct box_xywh {
    double x, y, width, height;
} box_xywh;

/* (x1, y1, x2 - x1 + 1, y2 - y1 + 1); the +1 stays for predicted boxes too. */
box_xywh box_to_xywh(box_real b);

/* The whole-pixel box of a fractional (x, y, width, height): the pixels it touches,
 * (floor y, floor x, ceil(y + height) - 1, ceil(x + width) - 1), clamped to a height x width picture. Whole
 * numbers inside the picture: (y, x, y + height - 1, x + width - 1). *clamped tells whether anything was cut off. The
 * result can be empty. All arguments finite. */
box box_from_real_xywh(box_xywh b, int32_t picture_height, int32_t picture_width, bool *clamped);

/* The upright box around `b` turned about its middle. */
box_xywh box_around_rotated(box_xywh b, double degrees);

box_real box_to_real(box b);

/* A row of a batch, and back. */
void box_to_floats(box_real b, float row[4]);
box_real box_from_floats(const float row[4]);

/* y2 < y1 or x2 < x1. */
bool box_is_empty(box b);

/* Inside 0 .. height-1, 0 .. width-1 and not empty. */
bool box_fits(box b, int32_t height, int32_t width);

/* What "largest" means: (y2 - y1) * (x2 - x1) on the inclusive corners, that is (height-1) * (width-1),
 * *without* +1. Not the number of pixels. */
int64_t box_score(box b);

/* Intersection over union, corners inclusive: a side is y2 - y1 + 1 long. 0 when they do not meet or one of
 * them is empty. */
double box_iou(box_real a, box_real b);

#endif
