/* kernels.cu - the kernels of kernels.h. Written in what C and CUDA C++ have in common: nvcc compiles it for
 * the GPU; the C compiler compiles the same text for a stand-in that runs every thread of a launch on the
 * host, one after the other. That is why no thread waits for another here: sums are made by one launch for
 * the parts and another for the whole. */
#include "device/kernels.h"

#include <math.h>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define KERNEL(name, type) static __global__ void __launch_bounds__(256) name(const type a)
#define LAUNCH(name, type, grid, block, stream, args)                                                        \
    (name<<<(grid), (block), 0, (stream)>>>(args), cudaGetLastError())
#endif

/* The same with a name that is itself a macro's. */
#define KERNEL_OF(name, type) KERNEL(name, type)

enum { BLOCK = 256 };

/* This thread's share of 0 .. count-1. */
#define EACH(i, count)                                                                                       \
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (count);                              \
         i += (size_t)gridDim.x * blockDim.x)

static unsigned blocks(size_t count)
{
    const size_t most = 1 << 16, n = (count + BLOCK - 1) / BLOCK;
    return (unsigned)(n < 1 ? 1 : n > most ? most : n);
}

/* ---------------------------------------------------------------- 16-bit numbers */

static __device__ __forceinline__ uint32_t bits_of(float v)
{
    union {
        float f;
        uint32_t u;
    } both;
    both.f = v;
    return both.u;
}

static __device__ __forceinline__ float float_of(uint32_t u)
{
    union {
        float f;
        uint32_t u;
    } both;
    both.u = u;
    return both.f;
}

static __device__ __forceinline__ float load_bf16(uint16_t v)
{
    return float_of((uint32_t)v << 16);
}

/* To nearest, ties to even; NaN stays NaN. */
static __device__ __forceinline__ uint16_t store_bf16(float v)
{
    uint32_t u = bits_of(v);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 64);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

static __device__ __forceinline__ float load_fp16(uint16_t v)
{
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(v));
#else
    uint32_t sign = (uint32_t)(v & 0x8000u) << 16, exponent = v >> 10 & 31u, fraction = v & 1023u;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {
        float small = (float)fraction * 0x1p-24f;
        return sign ? -small : small;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
#endif
}

static __device__ __forceinline__ uint16_t store_fp16(float v)
{
#ifdef __CUDA_ARCH__
    return __half_as_ushort(__float2half_rn(v));
#else
    uint32_t u = bits_of(v), sign = u >> 16 & 0x8000u, rest = u & 0x7fffffffu;
    if (rest > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (rest >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x38800000u) { /* below 2^-14: adding 1/2 leaves multiples of 2^-24, rounded to even */
        float shifted = float_of(rest) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000u));
    }
    return (uint16_t)(sign | (rest - 0x38000000u + 0xfffu + (rest >> 13 & 1)) >> 13);
#endif
}

static __device__ __forceinline__ float load_small(const void *p, size_t i, int type)
{
    uint16_t v = ((const uint16_t *)p)[i];
    return type == NUMBER_BF16 ? load_bf16(v) : load_fp16(v);
}

static __device__ __forceinline__ void store_small(void *p, size_t i, int type, float v)
{
    ((uint16_t *)p)[i] = type == NUMBER_BF16 ? store_bf16(v) : store_fp16(v);
}

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

typedef struct args_dropout {
    const float *x;
    float *y;
    size_t count;
    double limit;
    uint64_t seed, key;
    float scale;
    uint32_t step;
} args_dropout;

typedef struct args_bias {
    float *y;
    const float *x;
    size_t n, features;
} args_bias;

typedef struct args_fold {
    const float *weights, *weight, *bias, *mean, *var;
    void *folded, *folded_bias;
    size_t k, each;
} args_fold;

typedef struct args_params {
    kernel_params p;
    float step_size[7];
    int first_group;
} args_params;

typedef struct args_scale {
    kernel_scale *scale;
} args_scale;

typedef struct args_scale_output {
    const kernel_scale *scale;
    float *gradient;
    size_t count;
} args_scale_output;

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
    EACH(i, 2 * a.slices * a.channels)
    {
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
    EACH(c, a.channels)
    {
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
    EACH(c, a.channels)
    {
        a.mean[c] = a.running_mean[c];
        a.inverse_std[c] = (float)(1 / sqrt((double)a.running_var[c] + (double)a.eps));
    }
}

KERNEL(norm_finish_gradient, args_norm_finish)
{
    EACH(c, a.channels)
    {
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
    EACH(c, a.channels)
    {
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
    EACH(c, a.channels)
    {
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
    args_flat_norm a = {NULL,
                        NULL,
                        NULL,
                        NULL,
                        NULL,
                        NULL,
                        NULL,
                        NULL,
                        n->weight,
                        n->bias,
                        n->running_mean,
                        n->running_var,
                        n->mean,
                        n->inverse_std,
                        NULL,
                        NULL,
                        n->rows,
                        n->channels,
                        (size_t)n->relu,
                        (size_t)n->stored,
                        n->eps,
                        n->momentum};
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
static cudaError_t norm_sums(cudaStream_t stream, const kernel_norm *n, size_t groups)
{
    size_t slices = slices_of(groups);
    double *sums = (double *)n->work;
    args_norm_reduce args = {(const float *)(sums + 2 * slices * n->channels), sums, groups, slices,
                             n->channels};
    return LAUNCH(norm_reduce, args_norm_reduce, blocks(2 * slices * n->channels), BLOCK, stream, args);
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
    size_t count = n->rows * n->channels, groups = groups_of(n->rows, n->channels, SUM_LANES),
           slices = slices_of(groups);
    args_norm_finish finish = {
        (const double *)n->work, slices,         n->channels, n->rows,        n->eps, n->momentum,
        n->running_mean,         n->running_var, n->mean,     n->inverse_std, NULL,   NULL};
    cudaError_t status;
    if (n->stored) {
        status = LAUNCH(norm_stored, args_norm_finish, blocks(n->channels), BLOCK, stream, finish);
    } else {
        size_t lanes = groups * n->channels;
        args_norm_sums sums = {x,
                               NULL,
                               NULL,
                               NULL,
                               n->running_mean,
                               (float *)((double *)n->work + 2 * slices * n->channels),
                               lanes,
                               n->channels,
                               count};
        status = LAUNCH_TYPED(n->type, moments, args_norm_sums, lanes, stream, sums);
        if (status == cudaSuccess)
            status = norm_sums(stream, n, groups);
        if (status == cudaSuccess)
            status = LAUNCH(norm_finish, args_norm_finish, blocks(n->channels), BLOCK, stream, finish);
    }
    if (status != cudaSuccess)
        return status;
    size_t lanes = groups_of(n->rows, n->channels, APPLY_LANES) * n->channels;
    args_norm_apply apply = {x,     add,         y,     n->weight,      n->bias, n->mean, n->inverse_std,
                             lanes, n->channels, count, (size_t)n->relu};
    return LAUNCH_TYPED(n->type, norm_apply, args_norm_apply, lanes, stream, apply);
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
    size_t count = n->rows * n->channels, groups = groups_of(n->rows, n->channels, SUM_LANES),
           slices = slices_of(groups), lanes = groups * n->channels;
    const void *mask = n->relu ? y : NULL;
    args_norm_sums sums = {x,     dy0,         dy1,
                           mask,  n->mean,     (float *)((double *)n->work + 2 * slices * n->channels),
                           lanes, n->channels, count};
    cudaError_t status = LAUNCH_TYPED(n->type, norm_gradient_sums, args_norm_sums, lanes, stream, sums);
    if (status == cudaSuccess)
        status = norm_sums(stream, n, groups);
    if (status != cudaSuccess)
        return status;
    args_norm_finish finish = {
        (const double *)n->work, slices,  n->channels, n->rows, n->eps, n->momentum, NULL, NULL, NULL,
        n->inverse_std,          dweight, dbias};
    status = LAUNCH(norm_finish_gradient, args_norm_finish, blocks(n->channels), BLOCK, stream, finish);
    if (status != cudaSuccess || (!dx && !dadd))
        return status;
    lanes = groups_of(n->rows, n->channels, APPLY_LANES) * n->channels;
    args_norm_gradient args = {dy0,         dy1,     mask,
                               x,           dx,      dadd,
                               n->weight,   n->mean, n->inverse_std,
                               dweight,     dbias,   lanes,
                               n->channels, count,   (float)(1 / (double)n->rows),
                               n->stored};
    return LAUNCH_TYPED(n->type, norm_gradient, args_norm_gradient, lanes, stream, args);
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

/* ---------------------------------------------------------------- flat layers */

/* Philox4x32-10 as in base/random.h: counter (index, key), key `seed`. */
static __device__ __forceinline__ void philox(uint64_t seed, uint64_t key, uint64_t index, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)key,
             c3 = (uint32_t)(key >> 32), k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

KERNEL(dropout, args_dropout)
{
    EACH(q, (a.count + 3) / 4)
    {
        uint32_t word[4];
        philox(a.seed, a.key, (uint64_t)a.step << 32 | q, word);
        for (size_t j = 0; j < 4 && 4 * q + j < a.count; j++)
            a.y[4 * q + j] = (double)word[j] >= a.limit ? a.x[4 * q + j] * a.scale : 0;
    }
}

cudaError_t kernel_dropout(cudaStream_t stream, const float *x, float *y, size_t count, float p,
                           uint64_t seed, uint64_t key, uint64_t step)
{
    args_dropout args = {x, y, count, (double)p * 4294967296.0, seed, key, 1 / (1 - p), (uint32_t)step};
    return LAUNCH(dropout, args_dropout, blocks((count + 3) / 4), BLOCK, stream, args);
}

KERNEL(add_bias, args_bias)
{
    EACH(i, a.n * a.features)
    {
        a.y[i] += a.x[i % a.features];
    }
}

KERNEL(bias_gradient, args_bias)
{
    EACH(f, a.features)
    {
        double sum = 0;
        for (size_t i = 0; i < a.n; i++)
            sum += (double)a.x[i * a.features + f];
        a.y[f] = (float)sum;
    }
}

cudaError_t kernel_add_bias(cudaStream_t stream, float *y, const float *bias, size_t n, size_t features)
{
    args_bias args = {y, bias, n, features};
    return LAUNCH(add_bias, args_bias, blocks(n * features), BLOCK, stream, args);
}

cudaError_t kernel_bias_gradient(cudaStream_t stream, const float *dy, float *dbias, size_t n,
                                 size_t features)
{
    args_bias args = {dbias, dy, n, features};
    return LAUNCH(bias_gradient, args_bias, blocks(features), BLOCK, stream, args);
}

cudaError_t kernel_fold(cudaStream_t stream, number_type type, const float *weights, size_t k, size_t each,
                        const float *weight, const float *bias, const float *mean, const float *var,
                        void *folded, void *folded_bias)
{
    args_fold args = {weights, weight, bias, mean, var, folded, folded_bias, k, each};
    return LAUNCH_TYPED(type, fold, args_fold, k * each, stream, args);
}

/* ---------------------------------------------------------------- all parameters */

/* A block for each piece. */
#define PIECES(i)                                                                                            \
    const kernel_piece piece = a.p.pieces[blockIdx.x];                                                       \
    for (size_t i = piece.offset + threadIdx.x; i < piece.offset + piece.count; i += blockDim.x)

KERNEL(adam, args_params)
{
    const float b1 = 0.9f, b2 = 0.999f, c1 = (float)(1 - 0.9), c2 = (float)(1 - 0.999), eps = 1e-8f;
    if (a.p.scale && a.p.scale->bad)
        return;
    PIECES(i)
    {
        if (piece.group < a.first_group)
            return;
        float g = a.p.gradients[i], m = b1 * a.p.first[i] + c1 * g, v = b2 * a.p.second[i] + c2 * g * g;
        float p = a.p.params[i] - a.step_size[piece.group] * m / (sqrtf(v) + eps);
        a.p.first[i] = m;
        a.p.second[i] = v;
        a.p.params[i] = p;
        if (piece.small && a.p.type != NUMBER_FLOAT)
            store_small(a.p.small_params, i, a.p.type, p);
    }
}

KERNEL(copy_params, args_params)
{
    PIECES(i)
    {
        if (!piece.small)
            return;
        store_small(a.p.small_params, i, a.p.type, a.p.params[i]);
    }
}

KERNEL(finish_gradients, args_params)
{
    float inverse = a.p.scale ? 1 / a.p.scale->scale : 1;
    PIECES(i)
    {
        if (piece.group < a.first_group)
            return;
        float g = piece.small ? load_small(a.p.small_gradients, i, a.p.type) : a.p.gradients[i];
        g *= inverse;
        a.p.gradients[i] = g;
        if (a.p.scale && !(g - g == 0))
            atomicOr(&a.p.scale->bad, 1);
    }
}

KERNEL(next_scale, args_scale)
{
    kernel_scale *s = a.scale;
    if (threadIdx.x > 0)
        return;
    if (s->bad) {
        s->scale = s->scale > 1 ? s->scale / 2 : 1;
        s->good_steps = 0;
    } else if (++s->good_steps == 1000) {
        s->scale = s->scale < 0x1p24f ? s->scale * 2 : s->scale;
        s->good_steps = 0;
    }
}

KERNEL(scale_output, args_scale_output)
{
    EACH(i, a.count)
    {
        a.gradient[i] *= a.scale->scale;
    }
}

KERNEL(forget_bad, args_scale)
{
    if (threadIdx.x == 0)
        a.scale->bad = 0;
}

static args_params params_of(const kernel_params *p, int first_group)
{
    args_params args;
    args.p = *p;
    for (int i = 0; i < 7; i++)
        args.step_size[i] = 0;
    args.first_group = first_group;
    return args;
}

cudaError_t kernel_adam(cudaStream_t stream, const kernel_params *p, const float *step_size, int groups,
                        int first_group)
{
    args_params args = params_of(p, first_group);
    for (int i = 0; i < groups && i < 7; i++)
        args.step_size[i] = step_size[i];
    cudaError_t status = LAUNCH(adam, args_params, p->piece_count, BLOCK, stream, args);
    if (status != cudaSuccess || !p->scale)
        return status;
    args_scale scale = {p->scale};
    return LAUNCH(next_scale, args_scale, 1, 1, stream, scale);
}

cudaError_t kernel_copy_params(cudaStream_t stream, const kernel_params *p)
{
    args_params args = params_of(p, 0);
    return LAUNCH(copy_params, args_params, p->piece_count, BLOCK, stream, args);
}

cudaError_t kernel_finish_gradients(cudaStream_t stream, const kernel_params *p, int first_group)
{
    args_params args = params_of(p, first_group);
    if (p->scale) {
        args_scale scale = {p->scale};
        cudaError_t status = LAUNCH(forget_bad, args_scale, 1, 1, stream, scale);
        if (status != cudaSuccess)
            return status;
    }
    return LAUNCH(finish_gradients, args_params, p->piece_count, BLOCK, stream, args);
}

cudaError_t kernel_scale_output(cudaStream_t stream, const kernel_scale *scale, float *gradient, size_t count)
{
    args_scale_output args = {scale, gradient, count};
    return LAUNCH(scale_output, args_scale_output, blocks(count), BLOCK, stream, args);
}
