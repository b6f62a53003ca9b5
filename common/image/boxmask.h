/* boxmask.h - how a box follows its picture through the geometric stages Scale, Flip, Rotate and NoCrop.
 *
 * The reference recipe draws the box as a mask, sends the mask through the stage and reads the box off again,
 * in every stage separately:
 *   1. the four numbers are whole (labels.h accepts no others);
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

#include "base/box.h"

/* One stage each; height x width is the picture before the stage. */
box box_resize(box b, int height, int width, int target_height, int target_width);
box box_flip(box b, int height, int width); /* mirrored left to right */
box box_pass(box b, int height, int width); /* a flip or rotation that was not taken */
/* m as warp_rotation gives it: it maps a point of the target to one of the source. */
box box_rotate(box b, int height, int width, const double m[6]);

/* The validation path: a raw box of a height x width picture through Scale (shorter side to size) and NoCrop
 * (squashed to size x size). */
box box_validation(box raw, int height, int width, int size);

#endif
