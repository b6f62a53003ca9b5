/* conv.h - one convolution of a plan of the CPU with the algorithm chosen for it. Private to common/device.
 *
 * The choice is by rule, from shape and processor alone, so that runs repeat bit for bit. With algorithm auto or
 * winograd, where there is a kernel for it:
 *
 *     3x3, stride 1, padding 1, at least 4x4 pixels                           F(4x4, 3x3)            winograd.h
 *     3x3, stride 2, padding 1, even input, output at least 4x4, fp32 only    F(4, 2) on odd rows    strided.h
 *     everything else                                                         direct                 direct.h
 *
 * But all are oneDNN's, direct (onednn.h), with algorithm onednn, and with auto in bf16 on a processor with matrix
 * tiles (AMX_BF16), whose products outrun any saving, if oneDNN is there.
 *
 * Tensors in bf16 go through Winograd with factors in bf16, except in the forward passes of a training, which keep
 * what the transforms make in fp32: rounding that as well has an error of 1 % in each layer, where bf16 tensors
 * alone have 0.2 %, and with it the mean accuracy of three detectors was below its range (SPEED.md).
 */
#ifndef ONEBOX_DEVICE_CONV_H
#define ONEBOX_DEVICE_CONV_H

#include "device/device.h"
#include "device/instructions.h"
#include "device/onednn.h"

typedef struct conv conv;

typedef struct conv_options {
    conv_algorithm algorithm;
    const instructions *on; /* whose kernels */
    int threads;
    bool bf16;        /* activations and their gradients, products; sums, weights' gradients and bias in fp32 */
    bool training;    /* the plan trains, if perhaps not this layer */
    bool plain_input; /* the network's input, plain NCHW */
    bool bias;        /* forward with bias, and add and relu as below */
    bool add, relu;
    bool backward_weights; /* will be asked for */
    bool backward_data;
} conv_options;

/* `d`: computes it, or NULL: kernels of our own. */
conv *conv_create(onednn *d, const conv_shape *s, const conv_options *options, error *e);
void conv_free(conv *c);

/* Whether it is computed by Winograd: F(4x4, 3x3), or F(4, 2) for stride 2. */
bool conv_is_winograd(const conv *c);

/* Work area for any of the calls below, in floats (64-byte aligned). */
size_t conv_scratch_floats(const conv *c);

/* Packed weights for CONV_FORWARD and CONV_BACKWARD_DATA: size, layout number (equal numbers may share one
 * packed copy) and the packing from OIHW. */
size_t conv_packed_floats(const conv *c, conv_pass pass);
int conv_packed_format(const conv *c, conv_pass pass);
int conv_pack(conv *c, conv_pass pass, const float *oihw, float *packed, error *e);

/* What is gathered for the batch norm behind a forward pass, or in front of a backward pass: see
 * winograd_epilogue. Backward it may also be `add` alone. */
typedef struct conv_sums {
    double *sums; /* [2][channels] or NULL */
    const float *center;
    const void *add, *mask, *x; /* backward; add and mask may be NULL, add may be dsrc */
} conv_sums;

/* Whether the passes below take conv_sums: else they must be NULL. */
bool conv_gathers(const conv *c);

/* dst = relu?(conv(src) + bias + add?). bias and add only with options->bias; add may be dst; sums only
 * without. */
int conv_forward(conv *c, const void *src, const float *packed, const float *bias, const void *add, void *dst,
                 const conv_sums *sums, float *scratch, error *e);
int conv_backward_data(conv *c, const void *ddst, const float *packed, void *dsrc, const conv_sums *sums,
                       float *scratch, error *e);
int conv_backward_weights(conv *c, const void *src, const void *ddst, float *dw_oihw, float *scratch, error *e);

#endif
