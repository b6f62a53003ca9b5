/* kernels_activations.cu - the kernels on activations: batch norm, ReLU, pooling, flattening, and batch norms folded
 * into convolutions. Those that exist for each number type are in kernels_typed.h. */
#include "device/kernels_common.h"
#include "graph/graph.h"

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

typedef struct args_norm_sums {
    const void *x, *dy0, *dy1, *y;
    const float *mean;
    float *partial; /* [2][groups][channels] */
    size_t lanes, channels, count;
} args_norm_sums;

typedef struct args_norm_reduce {
    const float *partial;
    double *sums; /* [2][slices][channels] */
    size_t groups, slices, channels;
} args_norm_reduce;

typedef struct args_norm_finish {
    const double *sums;
    size_t slices, channels, rows;
    float eps, momentum;
    float *running_mean, *running_var, *mean, *inverse_std;
    float *dweight, *dbias;
} args_norm_finish;

typedef struct args_norm_apply {
    const void *x, *add;
    void *y;
    const float *weight, *bias, *mean, *inverse_std;
    size_t lanes, channels, count, relu;
} args_norm_apply;

typedef struct args_norm_gradient {
    const void *dy0, *dy1, *y, *x;
    void *dx, *dadd;
    const float *weight, *mean, *inverse_std, *dweight, *dbias;
    size_t lanes, channels, count;
    float inverse_rows;
    int stored;
} args_norm_gradient;

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

typedef struct args_fold {
    const float *weights, *weight, *bias, *mean, *var;
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

#define LAUNCH_TYPED(type, name, args_type, count, stream, args)                                             \
    ((type) == NUMBER_FLOAT  ? LAUNCH(name##_float, args_type, blocks(count), BLOCK, stream, args)           \
     : (type) == NUMBER_BF16 ? LAUNCH(name##_bf16, args_type, blocks(count), BLOCK, stream, args)            \
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

cudaError_t kernel_relu_backward(cudaStream_t stream, number_type type, const void *dy, const void *y,
                                 void *dx, size_t count)
{
    args_elements args = {dy, y, dx, count};
    return LAUNCH_TYPED(type, relu_backward, args_elements, count, stream, args);
}

cudaError_t kernel_add(cudaStream_t stream, number_type type, const void *a, const void *b, void *y,
                       size_t count)
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
KERNEL(norm_reduce, args_norm_reduce)
{
    EACH(i, 2 * a.slices * a.channels) {
        size_t which = i / (a.slices * a.channels), slice = i / a.channels % a.slices, c = i % a.channels;
        double sum = 0;
        for (size_t g = slice; g < a.groups; g += a.slices)
            sum += (double)a.partial[(which * a.groups + g) * a.channels + c];
        a.sums[i] = sum;
    }
}

static __device__ __forceinline__ double slice_total(const args_norm_finish *a, size_t which, size_t c)
{
    double sum = 0;
    for (size_t s = 0; s < a->slices; s++)
        sum += a->sums[(which * a->slices + s) * a->channels + c];
    return sum;
}

/* Mean and deviation from sums around the running mean; moves the running statistics. */
KERNEL(norm_finish, args_norm_finish)
{
    EACH(c, a.channels) {
        double count = (double)a.rows, d = slice_total(&a, 0, c) / count;
        double variance = slice_total(&a, 1, c) / count - d * d;
        if (variance < 0)
            variance = 0;
        double mean = (double)a.running_mean[c] + d, keep = 1 - (double)a.momentum;
        double unbiased = count > 1 ? variance * count / (count - 1) : variance;
        a.mean[c] = (float)mean;
        a.inverse_std[c] = (float)(1 / sqrt(variance + (double)a.eps));
        a.running_mean[c] = (float)(keep * (double)a.running_mean[c] + (double)a.momentum * mean);
        a.running_var[c] = (float)(keep * (double)a.running_var[c] + (double)a.momentum * unbiased);
    }
}

KERNEL(norm_stored, args_norm_finish)
{
    EACH(c, a.channels) {
        a.mean[c] = a.running_mean[c];
        a.inverse_std[c] = (float)(1 / sqrt((double)a.running_var[c] + (double)a.eps));
    }
}

KERNEL(norm_finish_gradient, args_norm_finish)
{
    EACH(c, a.channels) {
        a.dbias[c] = (float)slice_total(&a, 0, c);
        a.dweight[c] = (float)(slice_total(&a, 1, c) * (double)a.inverse_std[c]);
    }
}

/* Flat values have few rows: one thread for each feature, all in double. */
typedef struct args_flat_norm {
    const float *x, *add, *dy0, *dy1, *y0;
    float *y, *dx, *dadd;
    const float *weight, *bias;
    float *running_mean, *running_var, *mean, *inverse_std, *dweight, *dbias;
    size_t rows, channels, relu, stored;
    float eps, momentum;
} args_flat_norm;

KERNEL(flat_norm, args_flat_norm)
{
    EACH(c, a.channels) {
        double running = (double)a.running_mean[c], mean = running, variance = (double)a.running_var[c];
        if (!a.stored) {
            double sum = 0, square = 0, count = (double)a.rows, keep = 1 - (double)a.momentum;
            for (size_t i = c; i < a.rows * a.channels; i += a.channels) {
                double d = (double)a.x[i] - running;
                sum += d;
                square += d * d;
            }
            mean = running + sum / count;
            double biased = square / count - sum / count * (sum / count);
            biased = biased < 0 ? 0 : biased;
            double unbiased = count > 1 ? biased * count / (count - 1) : biased;
            a.running_mean[c] = (float)(keep * running + (double)a.momentum * mean);
            a.running_var[c] = (float)(keep * variance + (double)a.momentum * unbiased);
            variance = biased;
        }
        a.mean[c] = (float)mean;
        a.inverse_std[c] = (float)(1 / sqrt(variance + (double)a.eps));
        for (size_t i = c; i < a.rows * a.channels; i += a.channels) {
            float v = (a.x[i] - a.mean[c]) * a.inverse_std[c] * a.weight[c] + a.bias[c];
            if (a.add)
                v += a.add[i];
            a.y[i] = a.relu && v < 0 ? 0 : v;
        }
    }
}

static __device__ __forceinline__ double flat_gradient(const args_flat_norm *a, size_t i)
{
    if (a->relu && !(a->y0[i] > 0))
        return 0;
    return (double)a->dy0[i] + (a->dy1 ? (double)a->dy1[i] : 0);
}

KERNEL(flat_norm_backward, args_flat_norm)
{
    EACH(c, a.channels) {
        double sum = 0, product = 0, mean = (double)a.mean[c], inverse = (double)a.inverse_std[c];
        for (size_t i = c; i < a.rows * a.channels; i += a.channels) {
            double g = flat_gradient(&a, i);
            sum += g;
            product += g * ((double)a.x[i] - mean) * inverse;
        }
        a.dbias[c] = (float)sum;
        a.dweight[c] = (float)product;
        sum = a.stored ? 0 : sum / (double)a.rows;
        product = a.stored ? 0 : product / (double)a.rows;
        for (size_t i = c; i < a.rows * a.channels; i += a.channels) {
            double g = flat_gradient(&a, i), xhat = ((double)a.x[i] - mean) * inverse;
            if (a.dadd)
                a.dadd[i] = (float)g;
            if (a.dx)
                a.dx[i] = (float)((double)a.weight[c] * inverse * (g - sum - xhat * product));
        }
    }
}

static args_flat_norm flat_of(const kernel_norm *n)
{
    args_flat_norm a = {0};
    a.weight = n->weight;
    a.bias = n->bias;
    a.running_mean = n->running_mean;
    a.running_var = n->running_var;
    a.mean = n->mean;
    a.inverse_std = n->inverse_std;
    a.rows = n->rows;
    a.channels = n->channels;
    a.relu = (size_t)n->relu;
    a.stored = (size_t)n->stored;
    a.eps = n->eps;
    a.momentum = n->momentum;
    return a;
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

/* The double sums lie first in `work`, the float parts behind them. */
static args_norm_sums sums_of(const kernel_norm *n, size_t groups)
{
    args_norm_sums a = {0};
    a.partial = (float *)((double *)n->work + 2 * slices_of(groups) * n->channels);
    a.lanes = groups * n->channels;
    a.channels = n->channels;
    a.count = n->rows * n->channels;
    return a;
}

static cudaError_t add_parts(cudaStream_t stream, const kernel_norm *n, size_t groups)
{
    args_norm_reduce a = {0};
    a.partial = sums_of(n, groups).partial;
    a.sums = (double *)n->work;
    a.groups = groups;
    a.slices = slices_of(groups);
    a.channels = n->channels;
    return LAUNCH(norm_reduce, args_norm_reduce, blocks(2 * a.slices * a.channels), BLOCK, stream, a);
}

static args_norm_finish finish_of(const kernel_norm *n, size_t groups)
{
    args_norm_finish a = {0};
    a.sums = (const double *)n->work;
    a.slices = slices_of(groups);
    a.channels = n->channels;
    a.rows = n->rows;
    a.eps = n->eps;
    a.momentum = n->momentum;
    a.inverse_std = n->inverse_std;
    return a;
}

cudaError_t kernel_norm_forward(cudaStream_t stream, const kernel_norm *n, const void *x, const void *add,
                                void *y)
{
    if (n->flat) {
        args_flat_norm args = flat_of(n);
        args.x = (const float *)x;
        args.add = (const float *)add;
        args.y = (float *)y;
        return LAUNCH(flat_norm, args_flat_norm, blocks(n->channels), BLOCK, stream, args);
    }
    const size_t groups = groups_of(n->rows, n->channels, SUM_LANES);
    args_norm_finish finish = finish_of(n, groups);
    finish.running_mean = n->running_mean;
    finish.running_var = n->running_var;
    finish.mean = n->mean;
    cudaError_t status;
    if (n->stored) {
        status = LAUNCH(norm_stored, args_norm_finish, blocks(n->channels), BLOCK, stream, finish);
    } else {
        args_norm_sums sums = sums_of(n, groups);
        sums.x = x;
        sums.mean = n->running_mean;
        status = LAUNCH_TYPED(n->type, moments, args_norm_sums, sums.lanes, stream, sums);
        if (status == cudaSuccess)
            status = add_parts(stream, n, groups);
        if (status == cudaSuccess)
            status = LAUNCH(norm_finish, args_norm_finish, blocks(n->channels), BLOCK, stream, finish);
    }
    if (status != cudaSuccess)
        return status;
    args_norm_apply apply = {0};
    apply.x = x;
    apply.add = add;
    apply.y = y;
    apply.weight = n->weight;
    apply.bias = n->bias;
    apply.mean = n->mean;
    apply.inverse_std = n->inverse_std;
    apply.lanes = groups_of(n->rows, n->channels, APPLY_LANES) * n->channels;
    apply.channels = n->channels;
    apply.count = n->rows * n->channels;
    apply.relu = (size_t)n->relu;
    return LAUNCH_TYPED(n->type, norm_apply, args_norm_apply, apply.lanes, stream, apply);
}

cudaError_t kernel_norm_backward(cudaStream_t stream, const kernel_norm *n, const void *dy0, const void *dy1,
                                 const void *x, const void *y, float *dweight, float *dbias, void *dx,
                                 void *dadd)
{
    if (n->flat) {
        args_flat_norm args = flat_of(n);
        args.x = (const float *)x;
        args.dy0 = (const float *)dy0;
        args.dy1 = (const float *)dy1;
        args.y0 = (const float *)y;
        args.dweight = dweight;
        args.dbias = dbias;
        args.dx = (float *)dx;
        args.dadd = (float *)dadd;
        return LAUNCH(flat_norm_backward, args_flat_norm, blocks(n->channels), BLOCK, stream, args);
    }
    const size_t groups = groups_of(n->rows, n->channels, SUM_LANES);
    const void *mask = n->relu ? y : NULL;
    args_norm_sums sums = sums_of(n, groups);
    sums.x = x;
    sums.dy0 = dy0;
    sums.dy1 = dy1;
    sums.y = mask;
    sums.mean = n->mean;
    cudaError_t status = LAUNCH_TYPED(n->type, norm_gradient_sums, args_norm_sums, sums.lanes, stream, sums);
    if (status == cudaSuccess)
        status = add_parts(stream, n, groups);
    if (status != cudaSuccess)
        return status;
    args_norm_finish finish = finish_of(n, groups);
    finish.dweight = dweight;
    finish.dbias = dbias;
    status = LAUNCH(norm_finish_gradient, args_norm_finish, blocks(n->channels), BLOCK, stream, finish);
    if (status != cudaSuccess || (!dx && !dadd))
        return status;
    args_norm_gradient a = {0};
    a.dy0 = dy0;
    a.dy1 = dy1;
    a.y = mask;
    a.x = x;
    a.dx = dx;
    a.dadd = dadd;
    a.weight = n->weight;
    a.mean = n->mean;
    a.inverse_std = n->inverse_std;
    a.dweight = dweight;
    a.dbias = dbias;
    a.lanes = groups_of(n->rows, n->channels, APPLY_LANES) * n->channels;
    a.channels = n->channels;
    a.count = n->rows * n->channels;
    a.inverse_rows = (float)(1 / (double)n->rows);
    a.stored = n->stored;
    return LAUNCH_TYPED(n->type, norm_gradient, args_norm_gradient, a.lanes, stream, a);
}

/* ---------------------------------------------------------------- pooling, flattening */

cudaError_t kernel_pool_forward(cudaStream_t stream, const kernel_pool *p, const void *x, void *y,
                                uint16_t *where)
{
    args_pool args = {x, y, where, *p};
    size_t count = (size_t)p->n * (size_t)p->c * (size_t)p->oh * (size_t)p->ow;
    return LAUNCH_TYPED(p->type, pool_forward, args_pool, count, stream, args);
}

cudaError_t kernel_pool_backward(cudaStream_t stream, const kernel_pool *p, const void *dy,
                                 const uint16_t *where, void *dx)
{
    args_pool args = {dy, dx, (uint16_t *)where, *p};
    size_t count = (size_t)p->n * (size_t)p->c * (size_t)p->h * (size_t)p->w;
    return LAUNCH_TYPED(p->type, pool_backward, args_pool, count, stream, args);
}

cudaError_t kernel_concatpool(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c,
                              size_t hw, float *y, int32_t *where)
{
    args_spread args = {(void *)x, y, where, n, c, hw};
    return LAUNCH_TYPED(type, concatpool, args_spread, n * c, stream, args);
}

cudaError_t kernel_concatpool_backward(cudaStream_t stream, number_type type, const float *dy, size_t n,
                                       size_t c, size_t hw, const int32_t *where, void *dx)
{
    args_spread args = {dx, (float *)dy, (int32_t *)where, n, c, hw};
    return LAUNCH_TYPED(type, concatpool_backward, args_spread, n * hw * c, stream, args);
}

cudaError_t kernel_flatten(cudaStream_t stream, number_type type, const void *x, size_t n, size_t c,
                           size_t hw, float *y)
{
    args_spread args = {(void *)x, y, NULL, n, c, hw};
    return LAUNCH_TYPED(type, flatten, args_spread, n * hw * c, stream, args);
}

cudaError_t kernel_unflatten(cudaStream_t stream, number_type type, const float *y, size_t n, size_t c,
                             size_t hw, void *x)
{
    args_spread args = {x, (float *)y, NULL, n, c, hw};
    return LAUNCH_TYPED(type, unflatten, args_spread, n * hw * c, stream, args);
}

/* ---------------------------------------------------------------- folding */

cudaError_t kernel_fold(cudaStream_t stream, number_type type, const float *weights, size_t k, size_t each,
                        const float *weight, const float *bias, const float *mean, const float *var,
                        void *folded, void *folded_bias)
{
    args_fold args = {0};
    args.weights = weights;
    args.weight = weight;
    args.bias = bias;
    args.mean = mean;
    args.var = var;
    args.folded = folded;
    args.folded_bias = folded_bias;
    args.k = k;
    args.each = each;
    return LAUNCH_TYPED(type, fold, args_fold, k * each, stream, args);
}
