/* boxmask.h - how a box follows its picture through the geometric stages Scale, Flip, Rotate and NoCrop.
 *
 * The reference recipe draws the box as a mask, sends the mask through the stage and reads the box off again,
 * in every stage separately:
 *   1. the four numbers are cut to whole numbers (towards zero);
 *   2. rows y1 .. y2-1 and columns x1 .. x2-1 are set: the end is EXCLUSIVE; what lies outside is cut off;
 *   3. the mask passes the stage: nearest resampling, zeros from outside;
 *   4. the new box is first row, first column, last row, last column of what is set: INCLUSIVE;
 *   5. nothing set: the box is 0,0,0,0 and stays so.
 * So a box loses a row below and a column at the right in every stage, even in one that does nothing. That is
 * what the published figures were trained on, and it is kept. The functions here give the same integers
 * without drawing: the set rows and columns are intervals whose ends are found by bisection of the same
 * expressions that would place each pixel.
 */
#ifndef ONEBOX_IMAGE_BOXMASK_H
#define ONEBOX_IMAGE_BOXMASK_H

#include <stdbool.h>

/* Corners in pixels, row first, inclusive as labels have them. */
typedef struct pixel_box {
    int y1, x1, y2, x2;
} pixel_box;

/* Step 1 for a box that isn't whole yet. Numbers beyond the range of int, and NaN, become 0. */
pixel_box box_truncate(const float box[4]);

/* One stage each; height x width is the picture before the stage. */
pixel_box box_resize(pixel_box b, int height, int width, int target_height, int target_width);
pixel_box box_flip(pixel_box b, int height, int width); /* mirrored left to right */
pixel_box box_pass(pixel_box b, int height, int width); /* a flip or rotation that was not taken */
/* m as warp_rotation gives it. */
pixel_box box_rotate(pixel_box b, int height, int width, const double m[6]);

/* The validation path: a raw box of a height x width picture through Scale (shorter side to size) and NoCrop
 * (squashed to size x size). */
pixel_box box_validation(pixel_box raw, int height, int width, int size);

#endif
