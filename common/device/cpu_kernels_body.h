/* cpu_kernels_body.h - the code of cpu_kernels.h, compiled once per instruction set. The including file
 * defines TABLE (the table's name), TABLE_TEXT (its printed name) and BLOCK (channels of a block, one or two
 * vectors), and BF16 for blocked tensors in bf16. */
#include "device/cpu_kernels.h"

#include "base/random.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* An element of a blocked tensor. A bf16 is the upper half of a float; put rounds to nearest even. */
#ifdef BF16
typedef uint16_t number;

static inline float get(number x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline number put(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (number)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
#else
typedef float number;

static inline float get(number x)
{
    return x;
}

static inline number put(float x)
{
    return x;
}
#endif

/* The channels of one block: same-index operations, so that overlapping arguments are safe. */
#define LANES(j) _Pragma("omp simd") for (size_t j = 0; j < BLOCK; j++)

/* Work is handed out in pieces of about PIECE_BYTES, as threads get free, so that one whose core is taken away does not
 * hold up the others. Where pieces meet in a sum, each is summed on its own, and these sums are added in order. */
enum { PIECE_BYTES = 1 << 17, PIECE = PIECE_BYTES / (int)sizeof(number) };

#define PIECES(at, count)                                                                                              \
    _Pragma("omp parallel for schedule(dynamic) num_threads(threads)") for (size_t at = 0; at < (count); at++)

/* The same for `planes` planes of hw pixels and a block of channels, some of them at a time where they are small. */
#define PLANES(at, planes)                                                                                             \
    const size_t together = hw * BLOCK < PIECE ? PIECE / (hw * BLOCK) : 1;                                             \
    _Pragma("omp parallel for schedule(dynamic, together) num_threads(threads)") for (size_t at = 0; at < (planes);    \
                                                                                      at++)

static void normalize(const float *input, int n, int hw, const float mean[3], const float std[3], void *result,
                      int threads)
{
    number *out = result;
    size_t pixels = (size_t)hw;
    PIECES(plane, (size_t)n * 3) {
        const size_t c = plane % 3;
        const float *x = input + plane / 3 * pixels * 3 + c;
        number *y = out + plane * pixels;
        const float shift = mean[c], scale = 1 / std[c];
        for (size_t p = 0; p < pixels; p++)
            y[p] = put((x[3 * p] - shift) * scale);
    }
}

#include "device/cpu_kernels_norm_body.h"
#include "device/cpu_kernels_pool_body.h"

/* ---------------------------------------------------------------- elementwise */

/* A loop over [0, count). */
#define ELEMENTS(body)                                                                                                 \
    PIECES(piece, (count + PIECE - 1) / PIECE) {                                                                       \
        const size_t end = (piece + 1) * PIECE < count ? (piece + 1) * PIECE : count;                                  \
        for (size_t i = piece * PIECE; i < end; i++)                                                                   \
            body;                                                                                                      \
    }

static void relu_forward(const void *source, void *result, size_t count, int threads)
{
    const number *x = source;
    number *y = result;
    ELEMENTS(y[i] = get(x[i]) < 0 ? 0 : x[i])
}

static void relu_backward(const void *gradient, const void *result, void *source_gradient, size_t count, int threads)
{
    const number *dy = gradient, *y = result;
    number *dx = source_gradient;
    ELEMENTS(dx[i] = get(y[i]) > 0 ? dy[i] : 0)
}

static void add(const void *first, const void *second, void *sum, size_t count, int threads)
{
    const number *a = first, *b = second;
    number *y = sum;
    ELEMENTS(y[i] = put(get(a[i]) + get(b[i])))
}

#ifndef BF16
static void adam(float *restrict p, const float *restrict g, float *restrict m, float *restrict v, size_t count,
                 float step_size, int threads)
{
    const float b1 = 0.9f, b2 = 0.999f, c1 = (float)(1 - 0.9), c2 = (float)(1 - 0.999), eps = 1e-8f;
    ELEMENTS({
        float gradient = g[i];
        m[i] = b1 * m[i] + c1 * gradient;
        v[i] = b2 * v[i] + c2 * gradient * gradient;
        p[i] -= step_size * m[i] / (sqrtf(v[i]) + eps);
    })
}

/* Blocks index .. index + 15 of philox_block, in order: 64 words. */
static void philox_16(uint64_t seed, uint64_t stream, uint64_t index, uint32_t words[64])
{
    uint32_t c0[16], c1[16], c2[16], c3[16];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (size_t i = 0; i < 16; i++) {
        c0[i] = (uint32_t)(index + i);
        c1[i] = (uint32_t)((index + i) >> 32);
        c2[i] = (uint32_t)stream;
        c3[i] = (uint32_t)(stream >> 32);
    }
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < 16; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)p1;
            c3[i] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (size_t i = 0; i < 16; i++) {
        words[4 * i] = c0[i];
        words[4 * i + 1] = c1[i];
        words[4 * i + 2] = c2[i];
        words[4 * i + 3] = c3[i];
    }
}

static void dropout(const float *x, float *y, size_t count, float p, uint64_t seed, uint64_t stream, uint64_t step,
                    int threads)
{
    float scale = 1 / (1 - p);
    double limit = ceil((double)p * 4294967296.0); /* the least word that keeps; may be 2^32 */
    uint32_t least = limit < 4294967296.0 ? (uint32_t)limit : UINT32_MAX;
    size_t groups = (count + 63) / 64;
#pragma omp parallel for schedule(dynamic, PIECE / 64) num_threads(threads)
    for (size_t g = 0; g < groups; g++) {
        uint32_t words[64];
        size_t end = count - 64 * g < 64 ? count - 64 * g : 64;
        philox_16(seed, stream, step << 32 | 16 * g, words);
        for (size_t i = 0; i < end; i++)
            y[64 * g + i] = words[i] >= least ? x[64 * g + i] * scale : 0;
    }
}

#endif

/* ---------------------------------------------------------------- between the layouts */

static void concatpool_forward(const void *source, int n, int c, int pixels, float *y, int32_t *where, int threads)
{
    const number *x = source;
    const size_t hw = (size_t)pixels, channels = (size_t)c, blocks = (size_t)blocks_of(c);
    PLANES(at, (size_t)n * blocks)
    {
        const size_t i = at / blocks, block = at % blocks;
        const number *plane = x + at * hw * BLOCK;
        for (size_t j = 0; j < BLOCK && block * BLOCK + j < channels; j++) {
            const size_t channel = block * BLOCK + j;
            float best = get(plane[j]);
            int32_t place = 0;
            double sum = 0;
            for (size_t p = 0; p < hw; p++) {
                float v = get(plane[p * BLOCK + j]);
                sum += (double)v;
                if (v > best) {
                    best = v;
                    place = (int32_t)p;
                }
            }
            y[i * 2 * channels + channel] = best;
            y[i * 2 * channels + channels + channel] = (float)(sum / pixels);
            if (where)
                where[i * channels + channel] = place;
        }
    }
}

static void concatpool_backward(const float *dy, int n, int c, int pixels, const int32_t *where, void *gradient,
                                int threads)
{
    number *dx = gradient;
    const size_t hw = (size_t)pixels, channels = (size_t)c, blocks = (size_t)blocks_of(c);
    PLANES(at, (size_t)n * blocks)
    {
        const size_t i = at / blocks, first = at % blocks * BLOCK;
        number *plane = dx + at * hw * BLOCK;
        float average[BLOCK] = {0};
        for (size_t j = 0; j < BLOCK && first + j < channels; j++)
            average[j] = dy[i * 2 * channels + channels + first + j] / (float)pixels;
        for (size_t p = 0; p < hw; p++)
            LANES(j)
                plane[p * BLOCK + j] = put(average[j]);
        for (size_t j = 0; j < BLOCK && first + j < channels; j++) {
            number *place = &plane[(size_t)where[i * channels + first + j] * BLOCK + j];
            *place = put(average[j] + dy[i * 2 * channels + first + j]);
        }
    }
}

static void flatten(const void *source, int n, int c, int pixels, float *y, int threads)
{
    const number *x = source;
    const size_t hw = (size_t)pixels, channels = (size_t)c, blocks = (size_t)blocks_of(c);
    PLANES(at, (size_t)n * blocks)
    {
        const number *from = x + at * hw * BLOCK;
        const size_t first = at % blocks * BLOCK;
        float *to = y + (at / blocks * channels + first) * hw;
        for (size_t j = 0; j < BLOCK && first + j < channels; j++, to += hw)
            for (size_t p = 0; p < hw; p++)
                to[p] = get(from[p * BLOCK + j]);
    }
}

static void unflatten(const float *y, int n, int c, int pixels, void *result, int threads)
{
    number *x = result;
    const size_t hw = (size_t)pixels, channels = (size_t)c, blocks = (size_t)blocks_of(c);
    PLANES(at, (size_t)n * blocks)
    {
        number *to = x + at * hw * BLOCK;
        const size_t first = at % blocks * BLOCK;
        const float *from = y + (at / blocks * channels + first) * hw;
        for (size_t j = 0; j < BLOCK; j++)
            for (size_t p = 0; p < hw; p++)
                to[p * BLOCK + j] = put(first + j < channels ? from[j * hw + p] : 0);
    }
}

#ifndef BF16
static void add_bias(float *y, const float *bias, int n, int features, int threads)
{
    (void)threads;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < features; j++)
            y[(size_t)i * (size_t)features + (size_t)j] += bias[j];
}

static void bias_gradient(const float *dy, float *dbias, int n, int features)
{
    for (int j = 0; j < features; j++) {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)dy[(size_t)i * (size_t)features + (size_t)j];
        dbias[j] = (float)sum;
    }
}

#endif

const cpu_kernels TABLE = {
    .name = TABLE_TEXT,
    .block = BLOCK,
    .normalize = normalize,
    .batchnorm_forward = batchnorm_forward,
    .batchnorm_backward = batchnorm_backward,
    .channel_sums = channel_sums,
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .add = add,
    .maxpool_forward = maxpool_forward,
    .maxpool_backward = maxpool_backward,
    .upsample_forward = upsample_forward,
    .upsample_backward = upsample_backward,
    .concatpool_forward = concatpool_forward,
    .concatpool_backward = concatpool_backward,
    .flatten = flatten,
    .unflatten = unflatten,
#ifndef BF16
    .dropout = dropout,
    .add_bias = add_bias,
    .bias_gradient = bias_gradient,
    .adam = adam,
#endif
};
