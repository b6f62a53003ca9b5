/* warp.h - rotation as OpenCV 4.6's warpAffine does it, with its fixed-point positions.
 *
 * Positions are sums of two rounded parts, one per column and one per row, in 1/1024 pixel. Nearest
 * resampling rounds them to whole pixels, linear resampling to 1/32 pixel, so weights are multiples of
 * 1/1024. (OpenCV 5 no longer rounds linear positions; 4.6 is the rule here.)
 */
#ifndef ONEBOX_IMAGE_WARP_H
#define ONEBOX_IMAGE_WARP_H

#include "base/error.h"

#include <stdint.h>

/* The map from target to source pixels of a rotation by `degrees` (positive: counter-clockwise as seen) about
 * (width div 2, height div 2): source x = m[0] x + m[1] y + m[2], source y = m[3] x + m[4] y + m[5]. It is
 * the forward matrix inverted in OpenCV's order of operations. */
void warp_rotation(double degrees, int height, int width, double m[6]);

/* The two parts of a position: column x adds dx[x], dy[x]; row y starts at warp_row_x/y; both in 1/1024
 * pixel, rounded half to even. `bias` is 512 for nearest (then >> 10), 16 for linear (then >> 5). */
void warp_columns(const double m[6], int width, int *dx, int *dy);
int warp_row_x(const double m[6], int y, int bias);
int warp_row_y(const double m[6], int y, int bias);

/* Linear, border reflected with the edge pixel doubled (dcba|abcd|dcba); float32, 3 channels, target of the
 * same size, no overlap. columns: room for 2 * width ints. Pixels are moved four floats at a time: source and
 * target must have room for one more float behind their last pixel (its value does not matter). */
void warp_linear(const float *source, int height, int width, const double m[6], float *target, int *columns);

#endif
