/* cpu_kernels.h - the memory-bound operations of the CPU device: everything but convolution and matrix products.
 * Private to common/device.
 *
 * Compiled once for each instruction set from cpu_kernels_body.h; instructions.h picks a table by processor.
 * There are two layouts:
 *
 *     blocked  [N][ceil(C/B)][H*W][B]  oneDNN's nChw8c or nChw16c, B = table->block; channels past C hold zeros
 *     flat     [N][F]                  plain rows
 *
 * All functions use OpenMP with up to `threads` threads, on which no result depends.
 *
 * Blocked tensors (const void * below) are fp32 or, in the table for it, bf16; arithmetic is fp32 in both.
 * The bf16 table has the functions for blocked tensors only: what is flat goes to an fp32 table.
 */
#ifndef ONEBOX_DEVICE_CPU_KERNELS_H
#define ONEBOX_DEVICE_CPU_KERNELS_H

#include "device/conv_shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A batch norm over channels: sizes, parameters (c floats each) and what the forward pass saves for the
 * backward. */
typedef struct batchnorm {
    int n, c, hw; /* hw = 1 and flat = true for [N][C] */
    bool flat;
    bool stored; /* use the running statistics instead of the batch's, and leave them alone */
    bool relu;   /* a ReLU follows (behind the addition, if there is one) */
    float eps, momentum;
    const float *weight, *bias;
    float *running_mean, *running_var;
    float *mean, *inverse_std; /* written forward, read backward */
    const double *sums; /* [2][c] gathered by the convolution beside it, or NULL. Forward: sums of x - running_mean
                           and of its square. Backward: sums of dy and of dy * (x - mean); dy is summed and masked
                           already, so dy1 is NULL and y is not read */
    float *partial;     /* work area: n * 2 * round_up(c, 16) doubles, seen as floats; not where flat */
    int threads;
} batchnorm;

typedef struct cpu_kernels {
    const char *name;
    int block;

    /* NHWC [0,1] (3 channels) -> (x - mean) / std, plain NCHW. */
    void (*normalize)(const float *input, int n, int hw, const float mean[3], const float std[3], void *out,
                      int threads);

    /* y = relu?(norm(x) * weight + bias + add?). y may be add, not x. */
    void (*batchnorm_forward)(const batchnorm *b, const void *x, const void *add, void *y);
    /* dy = dy0 + dy1? is the gradient of y; with relu it counts where y > 0. Writes the gradients of weight
     * and bias, of x (dx, which may be x itself or NULL) and, when asked for, of the added tensor (dadd,
     * which may be dy0). */
    void (*batchnorm_backward)(const batchnorm *b, const void *dy0, const void *dy1, const void *x, const void *y,
                               float *dweight, float *dbias, void *dx, void *dadd);

    /* sums[c] = sum of x over pictures and pixels; `partial` as of a batch norm. */
    void (*channel_sums)(const void *x, int n, int c, int hw, float *sums, float *partial, int threads);

    /* dx may be dy, y may be a */
    void (*relu_forward)(const void *x, void *y, size_t count, int threads);
    void (*relu_backward)(const void *dy, const void *y, void *dx, size_t count, int threads);
    void (*add)(const void *a, const void *b, void *y, size_t count, int threads);

    /* Max-pooling, blocked -> blocked; padding never wins. `where` (maxpool_place_bytes) holds, for each number of y,
     * the place of the maximum in its window, ky * kernel + kx: the first one in that order. A NaN is no maximum; where
     * nothing is larger than -FLT_MAX that is the value, at the first place inside. Forward `where` may be NULL.
     * Backward each gradient goes to that place; all of dx is written. */
    void (*maxpool_forward)(const conv_shape *s, const void *x, void *y, void *where, int threads);
    void (*maxpool_backward)(const conv_shape *s, const void *dy, const void *where, void *dx, int threads);

    /* y [N,C,2H,2W] = x [N,C,H,W], each number four times, + add?; y may be add. Backward the sums of four. */
    void (*upsample_forward)(const void *x, int n, int c, int h, int w, const void *add, void *y, int threads);
    void (*upsample_backward)(const void *dy, int n, int c, int h, int w, void *dx, int threads);

    /* blocked -> flat [N][2C]: maxima, then averages; `where` [N][C] holds the pixel of each maximum (the
     * first). */
    void (*concatpool_forward)(const void *x, int n, int c, int hw, float *y, int32_t *where, int threads);
    void (*concatpool_backward)(const float *dy, int n, int c, int hw, const int32_t *where, void *dx, int threads);

    /* blocked <-> flat [N][C*H*W] */
    void (*flatten)(const void *x, int n, int c, int hw, float *y, int threads);
    void (*unflatten)(const float *y, int n, int c, int hw, void *x, int threads);

    /* y = kept ? x / (1-p) : 0 with the mask rule of plan_forward; the backward pass is the same call. y may
     * be x. */
    void (*dropout)(const float *x, float *y, size_t count, float p, uint64_t seed, uint64_t stream, uint64_t step,
                    int threads);

    void (*add_bias)(float *y, const float *bias, int n, int features, int threads);
    void (*bias_gradient)(const float *dy, float *dbias, int n, int features);

    /* Adam as written at model_adam_step; step_size = lr sqrt(1-b2^t)/(1-b1^t). */
    void (*adam)(float *p, const float *g, float *m, float *v, size_t count, float step_size, int threads);
} cpu_kernels;

/* Bytes of the places of maxima: one for each number of y, or four where the window is larger than 16 x 16. */
static inline size_t maxpool_place_bytes(const conv_shape *s, int block)
{
    const size_t channels = (size_t)((s->c + block - 1) / block * block);
    return (size_t)s->n * channels * (size_t)s->oh * (size_t)s->ow * (s->kernel <= 16 ? 1 : sizeof(float));
}

/* The tables, by instruction set. */
extern const cpu_kernels cpu_kernels_sse2, cpu_kernels_avx2, cpu_kernels_avx512, cpu_kernels_neon;

/* Those for blocked tensors in bf16 (blocks of 16). */
extern const cpu_kernels cpu_kernels_bf16_avx512, cpu_kernels_bf16_neon;

#endif
