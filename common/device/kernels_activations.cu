/* kernels_activations.cu - the kernels on activations: batch norm, ReLU, pooling, flattening, and batch norms folded
 * into convolutions. Those that exist for each number type are in kernels_typed.h. */
#include "device/kernels_common.h"
#include "graph/graph.h"

#include <string.h>

/* ---------------------------------------------------------------- arguments (without padding) */

typedef struct args_normalize {
    const float *input;
    size_t pixels;
    float mean[3], scale[3];
    void *out;
} args_normalize;

typedef struct args_elements {
    const void *a, *b;
    void *y;
    size_t count;
} args_elements;

typedef struct args_bias_act {
    void *y;
    const void *bias, *z;
    size_t count, channels, relu;
} args_bias_act;

/* Of all kernels of batch norms, each of which uses a part of it. */
typedef struct args_norm {
    const void *x, *add, *dy0, *dy1;
    const void *mask; /* backward: what came out of the ReLU, or NULL */
    void *y, *dx, *dadd;
    float *dweight, *dbias;
    kernel_norm n;
    double *sums;          /* [2][slices][channels] */
    float *partial;        /* [2][groups][channels] */
    size_t groups, slices; /* rows of `partial` and of `sums` */
    size_t lanes, count;   /* threads that share the work, and numbers in x */
    double inverse_rows;
} args_norm;

typedef struct args_pool {
    const void *x;
    void *y;
    uint16_t *where;
    kernel_pool shape;
} args_pool;

typedef struct args_spread {
    void *values;
    float *flat;
    int32_t *where;
    size_t n, c, hw;
} args_spread;

typedef struct args_upsample {
    const void *x, *add;
    void *y;
    size_t c, w, count; /* width and numbers of the smaller tensor */
} args_upsample;

typedef struct args_fold {
    const float *weights, *own, *weight, *bias, *mean, *var;
    void *folded, *folded_bias;
    size_t k, each;
} args_fold;

/* ---------------------------------------------------------------- kernels for each number type */

#define NAME(x) x##_float
#define NUMBER float
#define LOAD(p, i) ((p)[i])
#define STORE(p, i, v) ((p)[i] = (v))
#include "device/kernels_typed.h"

#define NAME(x) x##_bf16
#define NUMBER uint16_t
#define LOAD(p, i) load_bf16((p)[i])
#define STORE(p, i, v) ((p)[i] = store_bf16(v))
#include "device/kernels_typed.h"

#define NAME(x) x##_fp16
#define NUMBER uint16_t
#define LOAD(p, i) load_fp16((p)[i])
#define STORE(p, i, v) ((p)[i] = store_fp16(v))
#include "device/kernels_typed.h"

#define LAUNCH_TYPED(type, name, args_type, count, stream, args)                                                       \
    ((type) == NUMBER_FLOAT  ? LAUNCH(name##_float, args_type, blocks(count), BLOCK, stream, args)                     \
     : (type) == NUMBER_BF16 ? LAUNCH(name##_bf16, args_type, blocks(count), BLOCK, stream, args)                      \
                             : LAUNCH(name##_fp16, args_type, blocks(count), BLOCK, stream, args))

cudaError_t kernel_normalize(cudaStream_t stream, number_type type, const float *input, size_t pixels,
                             const float *mean, const float *std, void *out)
{
    args_normalize args = {input, pixels, {0}, {0}, out};
    for (int i = 0; i < 3; i++) {
        args.mean[i] = mean[i];
        args.scale[i] = 1 / std[i];
    }
    return LAUNCH_TYPED(type, normalize, args_normalize, pixels, stream, args);
}

cudaError_t kernel_relu(cudaStream_t stream, number_type type, const void *x, void *y, size_t count)
{
    args_elements args = {x, NULL, y, count};
    return LAUNCH_TYPED(type, relu, args_elements, count, stream, args);
}

cudaError_t kernel_relu_backward(cudaStream_t stream, number_type type, const void *dy, const void *y, void *dx,
                                 size_t count)
{
    args_elements args = {dy, y, dx, count};
    return LAUNCH_TYPED(type, relu_backward, args_elements, count, stream, args);
}

cudaError_t kernel_add(cudaStream_t stream, number_type type, const void *a, const void *b, void *y, size_t count)
{
    args_elements args = {a, b, y, count};
    return LAUNCH_TYPED(type, add, args_elements, count, stream, args);
}

cudaError_t kernel_bias_act(cudaStream_t stream, number_type type, void *y, const void *bias, const void *z,
                            size_t rows, size_t channels, int relu)
{
    args_bias_act args = {y, bias, z, rows * channels, channels, (size_t)relu};
    return LAUNCH_TYPED(type, bias_act, args_bias_act, rows * channels, stream, args);
}

/* ---------------------------------------------------------------- batch norm */

/* [2][groups][channels] -> [2][slices][channels], in double. */
KERNEL(norm_reduce, args_norm)
{
    EACH(i, 2 * a.slices * a.n.channels) {
        size_t which = i / (a.slices * a.n.channels), slice = i / a.n.channels % a.slices, c = i % a.n.channels;
        double sum = 0;
        for (size_t g = slice; g < a.groups; g += a.slices)
            sum += (double)a.partial[(which * a.groups + g) * a.n.channels + c];
        a.sums[i] = sum;
    }
}

static __device__ __forceinline__ double slice_total(const args_norm *a, size_t which, size_t c)
{
    double sum = 0;
    for (size_t s = 0; s < a->slices; s++)
        sum += a->sums[(which * a->slices + s) * a->n.channels + c];
    return sum;
}

/* Mean and deviation from sums around the running mean; moves the running statistics. */
KERNEL(norm_finish, args_norm)
{
    EACH(c, a.n.channels) {
        double count = (double)a.n.rows, d = slice_total(&a, 0, c) / count;
        double variance = slice_total(&a, 1, c) / count - d * d;
        if (variance < 0)
            variance = 0;
        double mean = (double)a.n.running_mean[c] + d, keep = 1 - (double)a.n.momentum;
        double unbiased = count > 1 ? variance * count / (count - 1) : variance;
        a.n.mean[c] = (float)mean;
        a.n.inverse_std[c] = (float)(1 / sqrt(variance + (double)a.n.eps));
        a.n.running_mean[c] = (float)(keep * (double)a.n.running_mean[c] + (double)a.n.momentum * mean);
        a.n.running_var[c] = (float)(keep * (double)a.n.running_var[c] + (double)a.n.momentum * unbiased);
    }
}

KERNEL(norm_stored, args_norm)
{
    EACH(c, a.n.channels) {
        a.n.mean[c] = a.n.running_mean[c];
        a.n.inverse_std[c] = (float)(1 / sqrt((double)a.n.running_var[c] + (double)a.n.eps));
    }
}

KERNEL(norm_finish_gradient, args_norm)
{
    EACH(c, a.n.channels) {
        a.dbias[c] = (float)slice_total(&a, 0, c);
        a.dweight[c] = (float)(slice_total(&a, 1, c) * (double)a.n.inverse_std[c]);
    }
}

KERNEL(finish_channel_sums, args_norm)
{
    EACH(c, a.n.channels) {
        a.dbias[c] = (float)slice_total(&a, 0, c);
    }
}

/* Flat values have few rows: one thread for each feature, all in double. */
KERNEL(flat_norm, args_norm)
{
    const float *x = (const float *)a.x, *add = (const float *)a.add;
    float *y = (float *)a.y;
    EACH(c, a.n.channels) {
        double running = (double)a.n.running_mean[c], mean = running, variance = (double)a.n.running_var[c];
        if (!a.n.stored) {
            double sum = 0, square = 0, count = (double)a.n.rows, keep = 1 - (double)a.n.momentum;
            for (size_t i = c; i < a.count; i += a.n.channels) {
                double d = (double)x[i] - running;
                sum += d;
                square += d * d;
            }
            mean = running + sum / count;
            double biased = square / count - sum / count * (sum / count);
            biased = biased < 0 ? 0 : biased;
            double unbiased = count > 1 ? biased * count / (count - 1) : biased;
            a.n.running_mean[c] = (float)(keep * running + (double)a.n.momentum * mean);
            a.n.running_var[c] = (float)(keep * variance + (double)a.n.momentum * unbiased);
            variance = biased;
        }
        a.n.mean[c] = (float)mean;
        a.n.inverse_std[c] = (float)(1 / sqrt(variance + (double)a.n.eps));
        for (size_t i = c; i < a.count; i += a.n.channels) {
            float v = (x[i] - a.n.mean[c]) * a.n.inverse_std[c] * a.n.weight[c] + a.n.bias[c];
            if (add)
                v += add[i];
            y[i] = a.n.relu && v < 0 ? 0 : v;
        }
    }
}

static __device__ __forceinline__ double flat_gradient(const args_norm *a, size_t i)
{
    const float *dy0 = (const float *)a->dy0, *dy1 = (const float *)a->dy1, *mask = (const float *)a->mask;
    if (mask && !(mask[i] > 0))
        return 0;
    return (double)dy0[i] + (dy1 ? (double)dy1[i] : 0);
}

KERNEL(flat_norm_backward, args_norm)
{
    const float *x = (const float *)a.x;
    float *dx = (float *)a.dx, *dadd = (float *)a.dadd;
    EACH(c, a.n.channels) {
        double sum = 0, product = 0, mean = (double)a.n.mean[c], inverse = (double)a.n.inverse_std[c];
        for (size_t i = c; i < a.count; i += a.n.channels) {
            double g = flat_gradient(&a, i);
            sum += g;
            product += g * ((double)x[i] - mean) * inverse;
        }
        a.dbias[c] = (float)sum;
        a.dweight[c] = (float)product;
        sum = a.n.stored ? 0 : sum / (double)a.n.rows;
        product = a.n.stored ? 0 : product / (double)a.n.rows;
        for (size_t i = c; i < a.count; i += a.n.channels) {
            double g = flat_gradient(&a, i), xhat = ((double)x[i] - mean) * inverse;
            if (dadd)
                dadd[i] = (float)g;
            if (dx)
                dx[i] = (float)((double)a.n.weight[c] * inverse * (g - sum - xhat * product));
        }
    }
}

enum { SUM_LANES = 1 << 17, APPLY_LANES = 1 << 18 };

/* How many rows are worked on at a time: by shape alone, so that sums keep their order on every GPU. */
static size_t groups_of(size_t rows, size_t channels, size_t lanes)
{
    size_t groups = lanes / channels;
    return groups < 1 ? 1 : groups > rows ? rows : groups;
}

static size_t slices_of(size_t groups)
{
    const size_t most = 32;
    return groups < most ? groups : most;
}

size_t kernel_norm_work(size_t rows, size_t channels)
{
    size_t groups = groups_of(rows, channels, SUM_LANES);
    return 2 * channels * (groups * sizeof(float) + slices_of(groups) * sizeof(double)) + 256;
}

/* The double sums lie first in n->work, the float parts behind them. */
static args_norm norm_args(const kernel_norm *n)
{
    args_norm a = {0};
    a.n = *n;
    a.groups = groups_of(n->rows, n->channels, SUM_LANES);
    a.slices = slices_of(a.groups);
    a.sums = (double *)n->work;
    a.partial = (float *)(a.sums + 2 * a.slices * n->channels);
    a.lanes = a.groups * n->channels;
    a.count = n->rows * n->channels;
    a.inverse_rows = 1 / (double)n->rows;
    return a;
}

static cudaError_t add_parts(cudaStream_t stream, args_norm a)
{
    return LAUNCH(norm_reduce, args_norm, blocks(2 * a.slices * a.n.channels), BLOCK, stream, a);
}

cudaError_t kernel_norm_forward(cudaStream_t stream, const kernel_norm *n, const void *x, const void *add, void *y)
{
    args_norm a = norm_args(n);
    a.x = x;
    a.add = add;
    a.y = y;
    if (n->flat)
        return LAUNCH(flat_norm, args_norm, blocks(n->channels), BLOCK, stream, a);
    cudaError_t status;
    if (n->stored) {
        status = LAUNCH(norm_stored, args_norm, blocks(n->channels), BLOCK, stream, a);
    } else {
        status = LAUNCH_TYPED(n->type, moments, args_norm, a.lanes, stream, a);
        if (status == cudaSuccess)
            status = add_parts(stream, a);
        if (status == cudaSuccess)
            status = LAUNCH(norm_finish, args_norm, blocks(n->channels), BLOCK, stream, a);
    }
    if (status != cudaSuccess)
        return status;
    a.lanes = groups_of(n->rows, n->channels, APPLY_LANES) * n->channels;
    return LAUNCH_TYPED(n->type, norm_apply, args_norm, a.lanes, stream, a);
}

cudaError_t kernel_norm_backward(cudaStream_t stream, const kernel_norm *n, const void *dy0, const void *dy1,
                                 const void *x, const void *y, float *dweight, float *dbias, void *dx, void *dadd)
{
    args_norm a = norm_args(n);
    a.x = x;
    a.dy0 = dy0;
    a.dy1 = dy1;
    a.mask = n->relu ? y : NULL;
    a.dweight = dweight;
    a.dbias = dbias;
    a.dx = dx;
    a.dadd = dadd;
    if (n->flat)
        return LAUNCH(flat_norm_backward, args_norm, blocks(n->channels), BLOCK, stream, a);
    cudaError_t status = LAUNCH_TYPED(n->type, norm_gradient_sums, args_norm, a.lanes, stream, a);
    if (status == cudaSuccess)
        status = add_parts(stream, a);
    if (status == cudaSuccess)
        status = LAUNCH(norm_finish_gradient, args_norm, blocks(n->channels), BLOCK, stream, a);
    if (status != cudaSuccess || (!dx && !dadd))
        return status;
    a.lanes = groups_of(n->rows, n->channels, APPLY_LANES) * n->channels;
    return LAUNCH_TYPED(n->type, norm_gradient, args_norm, a.lanes, stream, a);
}

cudaError_t kernel_channel_sums(cudaStream_t stream, number_type type, const void *x, size_t rows, size_t channels,
                                float *sums, void *work)
{
    kernel_norm shape;
    memset(&shape, 0, sizeof shape);
    shape.rows = rows;
    shape.channels = channels;
    shape.work = work;
    args_norm a = norm_args(&shape);
    a.x = x;
    a.dbias = sums;
    cudaError_t status = LAUNCH_TYPED(type, channel_sums, args_norm, a.lanes, stream, a);
    if (status == cudaSuccess)
        status = add_parts(stream, a);
    if (status == cudaSuccess)
        status = LAUNCH(finish_channel_sums, args_norm, blocks(channels), BLOCK, stream, a);
    return status;
}

/* ---------------------------------------------------------------- pooling, upsampling, flattening */

cudaError_t kernel_pool_forward(cudaStream_t stream, const kernel_pool *p, const void *x, void *y, uint16_t *where)
{
    args_pool args = {x, y, where, *p};
    size_t count = (size_t)p->n * (size_t)p->c * (size_t)p->oh * (size_t)p->ow;
    return LAUNCH_TYPED(p->type, pool_forward, args_pool, count, stream, args);
}

cudaError_t kernel_pool_backward(cudaStream_t stream, const kernel_pool *p, const void *dy, const uint16_t *where,
                                 void *dx)
{
    args_pool args = {dy, dx, (uint16_t *)where, *p};
    size_t count = (size_t)p->n * (size_t)p->c * (size_t)p->h * (size_t)p->w;
    return LAUNCH_TYPED(p->type, pool_backward, args_pool, count, stream, args);
}

cudaError_t kernel_upsample(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c, size_t h,
                            size_t w, const void *add, void *y)
{
    args_upsample args = {x, add, y, c, w, n * c * h * w};
    return LAUNCH_TYPED(type, upsample, args_upsample, 4 * args.count, stream, args);
}

cudaError_t kernel_upsample_backward(cudaStream_t stream, number_type type, const void *dy, size_t n, size_t c,
                                     size_t h, size_t w, void *dx)
{
    args_upsample args = {dy, NULL, dx, c, w, n * c * h * w};
    return LAUNCH_TYPED(type, upsample_backward, args_upsample, args.count, stream, args);
}

cudaError_t kernel_concatpool(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c, size_t hw,
                              float *y, int32_t *where)
{
    args_spread args = {(void *)x, y, where, n, c, hw};
    return LAUNCH_TYPED(type, concatpool, args_spread, n * c, stream, args);
}

cudaError_t kernel_concatpool_backward(cudaStream_t stream, number_type type, const float *dy, size_t n, size_t c,
                                       size_t hw, const int32_t *where, void *dx)
{
    args_spread args = {dx, (float *)dy, (int32_t *)where, n, c, hw};
    return LAUNCH_TYPED(type, concatpool_backward, args_spread, n * hw * c, stream, args);
}

cudaError_t kernel_flatten(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c, size_t hw,
                           float *y)
{
    args_spread args = {(void *)x, y, NULL, n, c, hw};
    return LAUNCH_TYPED(type, flatten, args_spread, n * hw * c, stream, args);
}

cudaError_t kernel_unflatten(cudaStream_t stream, number_type type, const float *y, size_t n, size_t c, size_t hw,
                             void *x)
{
    args_spread args = {x, (float *)y, NULL, n, c, hw};
    return LAUNCH_TYPED(type, unflatten, args_spread, n * hw * c, stream, args);
}

/* ---------------------------------------------------------------- folding */

cudaError_t kernel_fold(cudaStream_t stream, number_type type, const float *weights, const float *own, size_t k,
                        size_t each, const float *weight, const float *bias, const float *mean, const float *var,
                        void *folded, void *folded_bias)
{
    args_fold args = {weights, own, weight, bias, mean, var, folded, folded_bias, k, each};
    return LAUNCH_TYPED(type, fold, args_fold, k * each, stream, args);
}
