/* kernels.h - the GPU device's own kernels: everything but convolutions and matrix products. Private to
 * common/device.
 *
 * The .cu files hold the bodies; nvcc compiles them, or the C compiler for a stand-in that runs launches on the host.
 * Each function queues its work on `stream` and returns the launch's status. Pointers are device memory unless said
 * otherwise. Activations are NHWC in one of three number types; flat values [N][F], parameters, gradients and
 * statistics are float. Sums have a fixed order, so equal input gives equal bytes.
 */
#ifndef ONEBOX_DEVICE_KERNELS_H
#define ONEBOX_DEVICE_KERNELS_H

#include <cuda_runtime.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum number_type { NUMBER_FLOAT, NUMBER_BF16, NUMBER_FP16 } number_type;

/* [0,1] float RGB pixels -> (x - mean) / std. mean, std: host, three numbers. */
cudaError_t kernel_normalize(cudaStream_t stream, number_type type, const float *input, size_t pixels,
                             const float *mean, const float *std, void *out);

cudaError_t kernel_relu(cudaStream_t stream, number_type type, const void *x, void *y, size_t count);
cudaError_t kernel_relu_backward(cudaStream_t stream, number_type type, const void *dy, const void *y, void *dx,
                                 size_t count); /* dx may be dy */
cudaError_t kernel_add(cudaStream_t stream, number_type type, const void *a, const void *b, void *y,
                       size_t count); /* y may be a */

/* y = relu?(y + bias + z?) over rows x channels; bias in the type of y. */
cudaError_t kernel_bias_act(cudaStream_t stream, number_type type, void *y, const void *bias, const void *z,
                            size_t rows, size_t channels, int relu);

/* A batch norm over rows x channels (rows = N*H*W). */
typedef struct kernel_norm {
    number_type type; /* of x, y and their gradients */
    int flat;         /* flat values (float), few rows: in double, with one launch */
    size_t rows, channels;
    int stored; /* running statistics instead of the batch's */
    int relu;   /* a ReLU follows (behind the addition, if there is one) */
    float eps, momentum;
    const float *weight, *bias;
    float *running_mean, *running_var; /* moved unless stored; the variance that goes in is the unbiased one */
    float *mean, *inverse_std;         /* written forward, read backward */
    void *work;                        /* kernel_norm_work bytes */
} kernel_norm;

size_t kernel_norm_work(size_t rows, size_t channels);
/* y = relu?(norm(x) * weight + bias + add?) */
cudaError_t kernel_norm_forward(cudaStream_t stream, const kernel_norm *n, const void *x, const void *add, void *y);
/* dy = dy0 + dy1? is the gradient of y; with relu it counts where y > 0. Writes the gradients of weight and
 * bias, of x (dx, NULL or even x) and of the added tensor (dadd, NULL or even dy0). */
cudaError_t kernel_norm_backward(cudaStream_t stream, const kernel_norm *n, const void *dy0, const void *dy1,
                                 const void *x, const void *y, float *dweight, float *dbias, void *dx, void *dadd);

/* sums[c] = sum of x over the rows; `work` as of a batch norm. */
cudaError_t kernel_channel_sums(cudaStream_t stream, number_type type, const void *x, size_t rows, size_t channels,
                                float *sums, void *work);

/* Max-pooling; `where` keeps the place of the (first) maximum within each window, one per output. */
typedef struct kernel_pool {
    number_type type;
    int n, c, h, w, oh, ow, kernel, stride, padding; /* kernel <= 255 */
} kernel_pool;
cudaError_t kernel_pool_forward(cudaStream_t stream, const kernel_pool *p, const void *x, void *y, uint16_t *where);
cudaError_t kernel_pool_backward(cudaStream_t stream, const kernel_pool *p, const void *dy, const uint16_t *where,
                                 void *dx);

/* y [N][2H][2W][C] = x [N][H][W][C], each number four times, + add?; y may be add. Backward the sums of four. */
cudaError_t kernel_upsample(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c, size_t h,
                            size_t w, const void *add, void *y);
cudaError_t kernel_upsample_backward(cudaStream_t stream, number_type type, const void *dy, size_t n, size_t c,
                                     size_t h, size_t w, void *dx);

/* [N][HW][C] -> flat [N][2C]: maxima, then averages. `where` [N][C]: pixel of the (first) maximum, or NULL.
 */
cudaError_t kernel_concatpool(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c, size_t hw,
                              float *y, int32_t *where);
cudaError_t kernel_concatpool_backward(cudaStream_t stream, number_type type, const float *dy, size_t n, size_t c,
                                       size_t hw, const int32_t *where, void *dx);

/* [N][HW][C] <-> flat [N][C*HW] */
cudaError_t kernel_flatten(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c, size_t hw,
                           float *y);
cudaError_t kernel_unflatten(cudaStream_t stream, number_type type, const float *y, size_t n, size_t c, size_t hw,
                             void *x);

/* y = kept ? x / (1-p) : 0 by the mask rule of plan_forward; the backward pass is the same call. y may be x.
 */
cudaError_t kernel_dropout(cudaStream_t stream, const float *x, float *y, size_t count, float p, uint64_t seed,
                           uint64_t key, uint64_t step);

/* y[n][f] += bias[f]; dbias[f] = sum over n of dy[n][f] */
cudaError_t kernel_add_bias(cudaStream_t stream, float *y, const float *bias, size_t n, size_t features);
cudaError_t kernel_bias_gradient(cudaStream_t stream, const float *dy, float *dbias, size_t n, size_t features);

/* Convolution weights [K][...], `each` floats per output channel, times the batch norm behind them, and the
 * bias that is left of it, both in `type`. `own`: the convolution's bias, or NULL. */
cudaError_t kernel_fold(cudaStream_t stream, number_type type, const float *weights, const float *own, size_t k,
                        size_t each, const float *weight, const float *bias, const float *mean, const float *var,
                        void *folded, void *folded_bias);

/* ---- all parameters in one launch
 *
 * Parameters, gradients and moments are flat arrays of one layout; a table of pieces says what lies where. */
enum { PIECE_FLOATS = 4096 };
typedef struct kernel_piece {
    uint64_t offset; /* in floats */
    uint32_t count;  /* at most PIECE_FLOATS */
    int16_t group;
    int16_t small; /* in the 16-bit precisions; bits below */
} kernel_piece;
enum {
    SMALL_COPY = 1,     /* computed with a 16-bit copy (weights and biases of convolutions) */
    SMALL_GRADIENT = 2, /* its gradient is made in 16 bits (weights of convolutions) */
};

/* The loss scale of fp16, on the device; it starts at 1024. Non-finite gradients: the Adam step is left out
 * and the scale halved; 1000 steps without: doubled. */
typedef struct kernel_scale {
    float scale;
    int bad; /* the last backward pass gave a gradient that is not finite */
    int good_steps;
} kernel_scale;

typedef struct kernel_params {
    number_type type; /* of the 16-bit copies; NUMBER_FLOAT: there are none */
    uint32_t piece_count;
    const kernel_piece *pieces;
    float *params, *gradients, *first, *second;
    void *small_params, *small_gradients;
    kernel_scale *scale; /* NULL: none */
} kernel_params;

/* Adam as written at model_adam_step; step_size[group] (host) = lr sqrt(1-b2^t)/(1-b1^t). Renews the copies.
 */
cudaError_t kernel_adam(cudaStream_t stream, const kernel_params *p, const float *step_size, int groups,
                        int first_group);
/* 16-bit copies of the parameters. */
cudaError_t kernel_copy_params(cudaStream_t stream, const kernel_params *p);
/* Gradients of groups >= first_group made float and divided by the scale; notes those that are not finite. */
cudaError_t kernel_finish_gradients(cudaStream_t stream, const kernel_params *p, int first_group);
/* d(loss)/d(output) times the scale, in place. */
cudaError_t kernel_scale_output(cudaStream_t stream, const kernel_scale *scale, float *gradient, size_t count);

#ifdef __cplusplus
}
#endif

#endif
