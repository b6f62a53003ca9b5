/* box.h - rectangles given by inclusive corners, row first: (y1, x1, y2, x2).
 *
 * A box one pixel high has y1 == y2. Pixels are counted from 0. The annotation files of COCO hold
 * (x, y, width, height) instead; box_from_xywh and box_to_xywh are the two conversions, and the +1 between
 * "last pixel" and "number of pixels" lives in this module only.
 */
#ifndef ONEBOX_VOC_BOX_H
#define ONEBOX_VOC_BOX_H

#include <stdbool.h>
#include <stdint.h>

/* Whole pixels, as annotated. y1 <= y2 and x1 <= x2 unless box_is_empty. */
typedef struct box {
    int32_t y1, x1, y2, x2;
} box;

/* The same corners with fractions, as predicted. */
typedef struct box_real {
    double y1, x1, y2, x2;
} box_real;

/* (x, y, width, height), as COCO writes it and as plotting libraries want it. */
typedef struct box_xywh {
    double x, y, width, height;
} box_xywh;

/* hw_bb: (y, x, y + height - 1, x + width - 1). Whole numbers only: the fields are taken as they are. */
box box_from_xywh(int32_t x, int32_t y, int32_t width, int32_t height);

/* bb_hw: (x1, y1, x2 - x1 + 1, y2 - y1 + 1); the +1 stays for predicted boxes too. */
box_xywh box_to_xywh(box_real b);

/* The whole-pixel box of a fractional (x, y, width, height): the pixels it touches,
 * (floor y, floor x, ceil(y + height) - 1, ceil(x + width) - 1), clamped to a height x width picture. Equal
 * to box_from_xywh for whole numbers inside the picture. *clamped tells whether anything was cut off. The
 * result can be empty. All arguments finite. */
box box_from_real_xywh(box_xywh b, int32_t picture_height, int32_t picture_width, bool *clamped);

box_real box_to_real(box b);

/* y2 < y1 or x2 < x1. */
bool box_is_empty(box b);

/* Inside 0 .. height-1, 0 .. width-1 and not empty. */
bool box_fits(box b, int32_t height, int32_t width);

/* Corners moved into 0 .. height-1, 0 .. width-1. */
box_real box_clamp(box_real b, int32_t height, int32_t width);

/* What "largest" means: (y2 - y1) * (x2 - x1) on the inclusive corners, that is (height-1) * (width-1),
 * *without* +1. Not the number of pixels. */
int64_t box_score(box b);

/* Intersection over union, corners inclusive: a side is y2 - y1 + 1 long. 0 when they do not meet or one of
 * them is empty. */
double box_iou(box_real a, box_real b);

#endif
