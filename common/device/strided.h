/* strided.h - 3x3 convolutions of stride 2 and padding 1 on an even number of rows and columns, fp32.
 *
 * The odd and the even rows (and columns) of the source are separate signals: along a line
 *     y[i] = g1 e[i] + (g0 o[i - 1] + g2 o[i]),   e[i] = x[2 i], o[i] = x[2 i + 1].
 * The bracket has two taps and stride 1: Winograd's F(4, 2) makes four outputs of five products. With the
 * four products of the even part that is nine for four outputs instead of twelve, in two dimensions 81
 * instead of 144. Backward the same holds: odd source pixels get g2 dy[i] + g0 dy[i + 1], even ones g1 dy[i].
 *
 * Layouts, work area, determinism and epilogue are those of winograd.h.
 */
#ifndef ONEBOX_DEVICE_STRIDED_H
#define ONEBOX_DEVICE_STRIDED_H

#include "device/winograd.h"

typedef struct strided_shape {
    const struct instructions *on; /* whose kernels */
    int n;                         /* batch */
    int c, k;                      /* input and output channels */
    int oh, ow;                    /* spatial size of the output; that of the input is twice this */
} strided_shape;

/* True when there are kernels for these instructions, and these channel counts (multiples of 16) are served. */
bool strided_supported(const strided_shape *s);

/* As the functions of the same names in winograd.h. In a backward pass the epilogue's tensors are like dsrc. */
size_t strided_weight_floats(const strided_shape *s);
void strided_weights_forward(const strided_shape *s, const float *oihw, float *u, int threads);
void strided_weights_backward(const strided_shape *s, const float *oihw, float *u, int threads);
size_t strided_scratch_floats(const strided_shape *s, int threads);
void strided_forward(const strided_shape *s, const float *src, const float *u, float *dst,
                     const winograd_epilogue *epilogue, float *scratch, int threads);
void strided_backward_data(const strided_shape *s, const float *ddst, const float *u_backward, float *dsrc,
                           const winograd_epilogue *epilogue, float *scratch, int threads);
void strided_backward_weights(const strided_shape *s, const float *src, const float *ddst, float *dw, float *scratch,
                              int threads);

#endif
