/* winograd.h - 3x3 stride-1 pad-1 convolutions by Winograd's F(4x4, 3x3).
 *
 * Activations are nChw16c (N, C/16, H, W, 16); weights and weight gradients are PyTorch's OIHW outside and
 * whatever suits inside. Channel counts are multiples of 16; any height, width and batch. All work runs on
 * OpenMP threads; for a given thread count the order of every sum is fixed, so results repeat bit for bit.
 * Source: Lavin and Gray, arXiv 1509.09308 (algorithm); blocking after Jia et al., PPoPP 2018.
 */
#ifndef ONEBOX_DEVICE_WINOGRAD_H
#define ONEBOX_DEVICE_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

/* Sums, weights outside and the weights' gradient are fp32 in all. */
typedef enum winograd_numbers {
    WINOGRAD_FP32,  /* activations, their gradients and the factors of products */
    WINOGRAD_MIXED, /* activations and gradients in bf16, factors in fp32: as exact as such tensors allow */
    WINOGRAD_BF16   /* all in bf16: products at twice the rate; the factors' rounding makes 1 % of a result */
} winograd_numbers;

typedef struct winograd_shape {
    const struct instructions *on; /* whose kernels */
    int n;                         /* batch */
    int c, k;                      /* input and output channels */
    int h, w;                      /* spatial size, the same in and out */
    winograd_numbers numbers;
} winograd_shape;

/* True when there are kernels for these instructions and numbers, and the channel counts are served. */
bool winograd_supported(const winograd_shape *s);

/* Transformed weights: how many floats, and the transform from OIHW [k][c][3][3]. winograd_weights_forward
 * serves winograd_forward; winograd_weights_backward (flipped, channels exchanged) serves
 * winograd_backward_data. u must be 64-byte aligned. */
size_t winograd_weight_floats(const winograd_shape *s);
void winograd_weights_forward(const winograd_shape *s, const float *oihw, float *u, int threads);
void winograd_weights_backward(const winograd_shape *s, const float *oihw, float *u, int threads);

/* Work area shared by all calls with these threads: floats needed (64-byte aligned by the caller, contents
 * free). */
size_t winograd_scratch_floats(const winograd_shape *s, int threads);

/* What happens to the results before they are stored, in this order; all may be absent. */
typedef struct winograd_epilogue {
    const float *bias; /* [k], added, or NULL */
    const void *add;   /* a tensor like dst, added, or NULL; may be dst itself (in place) */
    bool relu;
    /* For a batch norm behind a forward pass (without the above): sums over pixels and pictures of r - center
     * and of its square go to sums[0..k) and sums[k..2k). */
    double *sums;        /* [2][k] or NULL */
    const float *center; /* [k] */
    /* For a batch norm (and ReLU) in front, in a backward pass (`bias` and `relu` absent): results are set to
     * zero where mask <= 0, and the sums are those of r and of r * (x - center). */
    const void *mask; /* a tensor like dst: the values behind the ReLU; NULL: no ReLU */
    const void *x;    /* a tensor like dst, or NULL: the sums are those of the forward pass */
} winograd_epilogue;

/* dst[n,k,h,w] = epilogue(conv(src[n,c,h,w], weights)). */
void winograd_forward(const winograd_shape *s, const void *src, const float *u, void *dst,
                      const winograd_epilogue *epilogue, float *scratch, int threads);

/* dsrc[n,c,h,w] = epilogue(gradient from ddst[n,k,h,w]); the epilogue's k is c here. */
void winograd_backward_data(const winograd_shape *s, const void *ddst, const float *u_backward, void *dsrc,
                            const winograd_epilogue *epilogue, float *scratch, int threads);

/* dw OIHW [k][c][3][3] (overwritten) from src and ddst. */
void winograd_backward_weights(const winograd_shape *s, const void *src, const void *ddst, float *dw, float *scratch,
                               int threads);

#endif
