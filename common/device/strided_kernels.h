/* strided_kernels.h - what strided_passes.c uses of strided_body.h. Not for use outside strided*.c.
 *
 * A tile is up to 4x4 outputs. Along a side it has nine coefficients: five of the odd part (points 0, a, -a, b,
 * infinity) and four of the even part. All even coefficients have the same factor, so there are six factors:
 * 81 products of 36 matrices. Layouts, in floats:
 *   V, Y  [3][channels/16][tile][37][16]: coefficient i (along rows) and j lies in part i / 3, line i % 3 * 9 + j,
 *         so that the matrix products of winograd_kernels.h serve
 *   U     [k block][36][c * width + 16]
 *   M     [81][tiles * width + 16]
 */
#ifndef ONEBOX_DEVICE_STRIDED_KERNELS_H
#define ONEBOX_DEVICE_STRIDED_KERNELS_H

#include "device/winograd_kernels.h"

enum { SIDE_COEFS = 9, STRIDED_COEFS = 81 };

/* Transforms of the tile whose top left output is (y, x) in planes [h][w][16]: source [2 oh][2 ow] for the
 * forward pass, gradient [oh][ow] for the other two. `part` is the distance of V's parts. */
typedef void strided_input_tile(const float *plane, int oh, int ow, int y, int x, float *v, ptrdiff_t part);
typedef void strided_output_tile(const float *m, ptrdiff_t coef_step, const winograd_store *to, int oh, int ow, int y,
                                 int x);

/* As winograd_filter_gradient, of one copy. */
typedef void strided_filter_gradient(float *oihw, int channels, int k, int c, const float *u, ptrdiff_t coef_step,
                                     int width);

/* Sizes are outputs along a tile's side. The products are those of winograd_fp32. */
typedef struct strided_kernels {
    strided_input_tile *(*source)(int size_y, int size_x);    /* of x, for y and the weights */
    strided_input_tile *(*spread)(int size_y, int size_x);    /* of dy, for dx */
    strided_input_tile *(*gradient)(int size_y, int size_x);  /* of dy, for the weights */
    strided_output_tile *(*forward)(int size_y, int size_x);  /* makes y */
    strided_output_tile *(*backward)(int size_y, int size_x); /* makes dx */
    winograd_filter *filter;
    strided_filter_gradient *filter_gradient;
} strided_kernels;
extern const strided_kernels strided_sse2, strided_avx2, strided_avx512, strided_neon;

#endif
