/* cpu_kernels_body.h - the code of cpu_kernels.h, compiled once per instruction set. The including file
 * defines TABLE (the table's name), TABLE_TEXT (its printed name) and BLOCK (channels of a block, one or two
 * vectors), and BF16 for blocked tensors in bf16. */
#include "device/cpu_kernels.h"

#include "base/random.h"

#include <math.h>
#include <string.h>

#include <omp.h>

/* The part [from, end) of `count` items that the calling thread takes: parts follow each other, and their sizes
 * differ by at most one. The team may be smaller than was asked for (OMP_THREAD_LIMIT, a parallel region
 * around), so its own size counts. */
typedef struct part {
    int thread;
    size_t from, end;
} part;

static inline part part_of(size_t count)
{
    const size_t thread = (size_t)omp_get_thread_num(), team = (size_t)omp_get_num_threads();
    return (part){(int)thread, count * thread / team, count * (thread + 1) / team};
}

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
#define LANES _Pragma("omp simd") for (size_t j = 0; j < BLOCK; j++)

#define PARALLEL _Pragma("omp parallel num_threads(threads)")

static void normalize(const float *input, int n, int hw, const float mean[3], const float std[3],
                      void *result, int threads)
{
    number *out = result;
    size_t pixels = (size_t)hw;
    PARALLEL
    {
        const part mine = part_of((size_t)n);
        for (size_t i = mine.from; i < mine.end; i++)
            for (size_t c = 0; c < 3; c++) {
                const float *x = input + i * pixels * 3 + c;
                number *y = out + (i * 3 + c) * pixels;
                const float shift = mean[c], scale = 1 / std[c];
                for (size_t p = 0; p < pixels; p++)
                    y[p] = put((x[3 * p] - shift) * scale);
            }
    }
}

/* ---------------------------------------------------------------- batch norm
 *
 * Blocked tensors are walked as planes (channel block, picture), channel block slowest. Each thread takes a
 * contiguous range of planes and adds its sums (float within a plane, double across planes) into its own row
 * of `partial`; the rows are added in thread order. Flat tensors are small: one thread does them in double.
 */

typedef struct sums {
    double a[BLOCK], b[BLOCK];
} sums;

static inline int blocks_of(int c)
{
    return (c + BLOCK - 1) / BLOCK;
}

/* First channel-wise sums of x - shift and its square: a shifted one-pass variance, exact enough when the
 * shift (the running mean) is near the mean (Chan, Golub and LeVeque 1983). */
static void plane_moments(const number *restrict x, size_t hw, const float shift[BLOCK], sums *s)
{
    float a[2][BLOCK] = {{0}}, b[2][BLOCK] = {{0}};
    size_t p = 0;
    for (; p + 2 <= hw; p += 2)
        for (int u = 0; u < 2; u++)
            for (int j = 0; j < BLOCK; j++) {
                float d = get(x[(p + (size_t)u) * BLOCK + (size_t)j]) - shift[j];
                a[u][j] += d;
                b[u][j] += d * d;
            }
    for (; p < hw; p++)
        for (int j = 0; j < BLOCK; j++) {
            float d = get(x[p * BLOCK + (size_t)j]) - shift[j];
            a[0][j] += d;
            b[0][j] += d * d;
        }
    for (int j = 0; j < BLOCK; j++) {
        s->a[j] += (double)a[0][j] + (double)a[1][j];
        s->b[j] += (double)b[0][j] + (double)b[1][j];
    }
}

/* x * scale + shift (+ add) (relu) over one plane. */
static void plane_affine(const number *restrict x, const number *add, number *y, size_t hw,
                         const float scale[BLOCK], const float shift[BLOCK], bool relu)
{
    float s[BLOCK], t[BLOCK];
    memcpy(s, scale, sizeof s);
    memcpy(t, shift, sizeof t);
    float floor_value = relu ? 0 : -INFINITY;
    if (add)
        for (size_t p = 0; p < hw; p++)
            LANES
            {
                float v = get(x[p * BLOCK + j]) * s[j] + t[j] + get(add[p * BLOCK + j]);
                y[p * BLOCK + j] = put(v < floor_value ? floor_value : v); /* keeps NaN */
            }
    else
        for (size_t p = 0; p < hw; p++)
            LANES
            {
                float v = get(x[p * BLOCK + j]) * s[j] + t[j];
                y[p * BLOCK + j] = put(v < floor_value ? floor_value : v); /* keeps NaN */
            }
}

/* Copies channels [block*BLOCK, …) of a c-float vector, zeros past the end. */
static void load_channels(const float *v, int c, int block, float out[BLOCK])
{
    for (int j = 0; j < BLOCK; j++) {
        int channel = block * BLOCK + j;
        out[j] = v && channel < c ? v[channel] : 0;
    }
}

/* Adds the threads' rows of `partial` for one channel block; rows of threads that did not run are zero. */
static sums total_of(const sums *partial, int blocks, int block, int threads)
{
    sums total = {{0}, {0}};
    for (int t = 0; t < threads; t++) {
        const sums *s = &partial[(size_t)t * (size_t)blocks + (size_t)block];
        for (int j = 0; j < BLOCK; j++) {
            total.a[j] += s->a[j];
            total.b[j] += s->b[j];
        }
    }
    return total;
}

/* Turns sums of (x - running_mean) into the saved mean and inverse deviation of `channel`, and moves the
 * running statistics (the variance stored there is the unbiased one). */
static void save_statistics(const batchnorm *b, int channel, double sum, double square, double count)
{
    double d = sum / count, variance = square / count - d * d;
    if (variance < 0)
        variance = 0;
    double mean = (double)b->running_mean[channel] + d;
    b->mean[channel] = (float)mean;
    b->inverse_std[channel] = (float)(1 / sqrt(variance + (double)b->eps));
    double unbiased = count > 1 ? variance * count / (count - 1) : variance;
    double keep = 1 - (double)b->momentum;
    b->running_mean[channel] = (float)(keep * (double)b->running_mean[channel] + (double)b->momentum * mean);
    b->running_var[channel] =
        (float)(keep * (double)b->running_var[channel] + (double)b->momentum * unbiased);
}

static void stored_statistics(const batchnorm *b)
{
    for (int c = 0; c < b->c; c++) {
        b->mean[c] = b->running_mean[c];
        b->inverse_std[c] = (float)(1 / sqrt((double)b->running_var[c] + (double)b->eps));
    }
}

#ifndef BF16
static void flat_forward(const batchnorm *b, const float *x, const float *add, float *y)
{
    size_t features = (size_t)b->c;
    if (b->stored)
        stored_statistics(b);
    else
        for (int c = 0; c < b->c; c++) {
            double sum = 0, square = 0;
            for (int i = 0; i < b->n; i++) {
                double d = (double)x[(size_t)i * features + (size_t)c] - (double)b->running_mean[c];
                sum += d;
                square += d * d;
            }
            save_statistics(b, c, sum, square, b->n);
        }
    for (size_t i = 0; i < (size_t)b->n; i++)
        for (size_t c = 0; c < features; c++) {
            float v = (x[i * features + c] - b->mean[c]) * b->inverse_std[c] * b->weight[c] + b->bias[c];
            if (add)
                v += add[i * features + c];
            y[i * features + c] = b->relu && v < 0 ? 0 : v;
        }
}

#endif

static void batchnorm_forward(const batchnorm *b, const void *source, const void *addend, void *result)
{
    const number *x = source, *add = addend;
    number *y = result;
#ifndef BF16
    if (b->flat) {
        flat_forward(b, x, add, y);
        return;
    }
#endif
    int blocks = blocks_of(b->c), threads = b->threads;
    size_t planes = (size_t)blocks * (size_t)b->n, hw = (size_t)b->hw, n = (size_t)b->n;
    sums *partial = (sums *)(void *)b->partial;
    if (b->stored) {
        stored_statistics(b);
    } else if (b->sums) {
        for (int c = 0; c < b->c; c++)
            save_statistics(b, c, b->sums[c], b->sums[b->c + c], (double)n * (double)hw);
    } else {
        memset(partial, 0, sizeof *partial * (size_t)blocks * (size_t)threads);
        PARALLEL
        {
            const part mine = part_of(planes);
            for (size_t i = mine.from; i < mine.end; i++) {
                size_t block = i / n, picture = i % n;
                float shift[BLOCK];
                load_channels(b->running_mean, b->c, (int)block, shift);
                plane_moments(x + (picture * (size_t)blocks + block) * hw * BLOCK, hw, shift,
                              &partial[(size_t)mine.thread * (size_t)blocks + block]);
            }
        }
        for (int block = 0; block < blocks; block++) {
            sums s = total_of(partial, blocks, block, threads);
            for (int j = 0; j < BLOCK && block * BLOCK + j < b->c; j++)
                save_statistics(b, block * BLOCK + j, s.a[j], s.b[j], (double)n * (double)hw);
        }
    }
    PARALLEL
    {
        const part mine = part_of(planes);
        for (size_t i = mine.from; i < mine.end; i++) {
            size_t block = i / n, at = ((i % n) * (size_t)blocks + block) * hw * BLOCK;
            float scale[BLOCK] = {0}, shift[BLOCK] = {0};
            for (size_t j = 0; j < BLOCK && block * BLOCK + j < (size_t)b->c; j++) {
                size_t c = block * BLOCK + j;
                scale[j] = b->weight[c] * b->inverse_std[c];
                shift[j] = b->bias[c] - b->mean[c] * scale[j];
            }
            plane_affine(x + at, add ? add + at : NULL, y + at, hw, scale, shift, b->relu);
        }
    }
}

/* Sums over one plane of g and g * xhat, where g is dy masked by y > 0. */
static void plane_gradient_sums(const number *restrict dy0, const number *restrict dy1,
                                const number *restrict x, const number *restrict y, size_t hw,
                                const float mean[BLOCK], const float inverse_std[BLOCK], sums *s)
{
    float a[BLOCK] = {0}, b[BLOCK] = {0}, m[BLOCK];
    memcpy(m, mean, sizeof m);
#define SUM_LOOP(gradient)                                                                                   \
    for (size_t p = 0; p < hw; p++)                                                                          \
        for (size_t j = 0; j < BLOCK; j++) {                                                                 \
            size_t i = p * BLOCK + j;                                                                        \
            float g = gradient;                                                                              \
            a[j] += g;                                                                                       \
            b[j] += g * (get(x[i]) - m[j]);                                                                  \
        }
    if (y && dy1)
        SUM_LOOP(get(y[i]) > 0 ? get(dy0[i]) + get(dy1[i]) : 0)
    else if (y)
        SUM_LOOP(get(y[i]) > 0 ? get(dy0[i]) : 0)
    else if (dy1)
        SUM_LOOP(get(dy0[i]) + get(dy1[i]))
    else
        SUM_LOOP(get(dy0[i]))
#undef SUM_LOOP
    for (int j = 0; j < BLOCK; j++) {
        s->a[j] += (double)a[j];
        s->b[j] += (double)b[j] * (double)inverse_std[j];
    }
}

/* dx = k * (g - ga - (x - mean) * gb): k = weight * inverse_std, ga and gb carry the means of g and of
 * g*xhat. */
static void plane_gradient(const number *dy0, const number *dy1, const number *x, const number *y, size_t hw,
                           const float k[BLOCK], const float ga[BLOCK], const float gb[BLOCK],
                           const float mean[BLOCK], number *dx, number *dadd)
{
    float kk[BLOCK], aa[BLOCK], bb[BLOCK], mm[BLOCK];
    memcpy(kk, k, sizeof kk);
    memcpy(aa, ga, sizeof aa);
    memcpy(bb, gb, sizeof bb);
    memcpy(mm, mean, sizeof mm);
    for (size_t p = 0; p < hw; p++) {
        float g[BLOCK];
        size_t at = p * BLOCK;
        LANES
        g[j] = get(dy0[at + j]);
        if (dy1)
            LANES
        g[j] += get(dy1[at + j]);
        if (y)
            LANES
        g[j] = get(y[at + j]) > 0 ? g[j] : 0;
        if (dadd)
            LANES
        dadd[at + j] = put(g[j]);
        if (dx)
            LANES
        dx[at + j] = put(kk[j] * (g[j] - aa[j] - (get(x[at + j]) - mm[j]) * bb[j]));
    }
}

#ifndef BF16
static void flat_backward(const batchnorm *b, const float *dy0, const float *dy1, const float *x,
                          const float *y, float *dweight, float *dbias, float *dx, float *dadd)
{
    size_t features = (size_t)b->c;
    for (size_t c = 0; c < features; c++) {
        double sum = 0, product = 0;
        for (size_t i = c; i < (size_t)b->n * features; i += features) {
            double g = (double)dy0[i] + (dy1 ? (double)dy1[i] : 0);
            if (b->relu && !(y[i] > 0))
                g = 0;
            sum += g;
            product += g * ((double)x[i] - (double)b->mean[c]) * (double)b->inverse_std[c];
        }
        dbias[c] = (float)sum;
        dweight[c] = (float)product;
        double mean_g = b->stored ? 0 : sum / b->n, mean_gx = b->stored ? 0 : product / b->n;
        for (size_t i = c; i < (size_t)b->n * features; i += features) {
            double g = (double)dy0[i] + (dy1 ? (double)dy1[i] : 0);
            if (b->relu && !(y[i] > 0))
                g = 0;
            double xhat = ((double)x[i] - (double)b->mean[c]) * (double)b->inverse_std[c];
            if (dadd)
                dadd[i] = (float)g;
            if (dx)
                dx[i] =
                    (float)((double)b->weight[c] * (double)b->inverse_std[c] * (g - mean_g - xhat * mean_gx));
        }
    }
}

#endif

/* The gradients of weight and bias: sums over all planes. */
static void gradient_sums(const batchnorm *b, const number *dy0, const number *dy1, const number *x,
                          const number *y, float *dweight, float *dbias)
{
    int blocks = blocks_of(b->c), threads = b->threads;
    size_t n = (size_t)b->n, planes = (size_t)blocks * n, hw = (size_t)b->hw;
    sums *partial = (sums *)(void *)b->partial;
    memset(partial, 0, sizeof *partial * (size_t)blocks * (size_t)threads);
    PARALLEL
    {
        const part mine = part_of(planes);
        for (size_t i = mine.from; i < mine.end; i++) {
            size_t block = i / n, at = ((i % n) * (size_t)blocks + block) * hw * BLOCK;
            float mean[BLOCK], inverse_std[BLOCK];
            load_channels(b->mean, b->c, (int)block, mean);
            load_channels(b->inverse_std, b->c, (int)block, inverse_std);
            plane_gradient_sums(dy0 + at, dy1 ? dy1 + at : NULL, x + at, y ? y + at : NULL, hw, mean,
                                inverse_std, &partial[(size_t)mine.thread * (size_t)blocks + block]);
        }
    }
    for (int block = 0; block < blocks; block++) {
        sums s = total_of(partial, blocks, block, threads);
        for (int j = 0; j < BLOCK && block * BLOCK + j < b->c; j++) {
            dbias[block * BLOCK + j] = (float)s.a[j];
            dweight[block * BLOCK + j] = (float)s.b[j];
        }
    }
}

static void batchnorm_backward(const batchnorm *b, const void *gradient0, const void *gradient1,
                               const void *source, const void *result, float *dweight, float *dbias,
                               void *source_gradient, void *addend_gradient)
{
    const number *dy0 = gradient0, *dy1 = gradient1, *x = source, *y = result;
    number *dx = source_gradient, *dadd = addend_gradient;
#ifndef BF16
    if (b->flat) {
        flat_backward(b, dy0, dy1, x, y, dweight, dbias, dx, dadd);
        return;
    }
#endif
    int blocks = blocks_of(b->c), threads = b->threads;
    size_t n = (size_t)b->n, planes = (size_t)blocks * n, hw = (size_t)b->hw;
    if (!b->relu || b->sums)
        y = NULL;
    if (b->sums) {
        for (int c = 0; c < b->c; c++) {
            dbias[c] = (float)b->sums[c];
            dweight[c] = (float)(b->sums[b->c + c] * (double)b->inverse_std[c]);
        }
        if (dadd == dy0)
            dadd = NULL;
    } else {
        gradient_sums(b, dy0, dy1, x, y, dweight, dbias);
    }
    if (!dx && !dadd)
        return;
    double count = (double)n * (double)hw;
    PARALLEL
    {
        const part mine = part_of(planes);
        for (size_t i = mine.from; i < mine.end; i++) {
            size_t block = i / n, at = ((i % n) * (size_t)blocks + block) * hw * BLOCK;
            float k[BLOCK] = {0}, ga[BLOCK] = {0}, gb[BLOCK] = {0}, mean[BLOCK];
            load_channels(b->mean, b->c, (int)block, mean);
            for (size_t j = 0; j < BLOCK && block * BLOCK + j < (size_t)b->c; j++) {
                size_t c = block * BLOCK + j;
                k[j] = b->weight[c] * b->inverse_std[c];
                if (!b->stored) {
                    ga[j] = (float)((double)dbias[c] / count);
                    gb[j] = (float)((double)dweight[c] / count * (double)b->inverse_std[c]);
                }
            }
            plane_gradient(dy0 + at, dy1 ? dy1 + at : NULL, x + at, y ? y + at : NULL, hw, k, ga, gb, mean,
                           dx ? dx + at : NULL, dadd ? dadd + at : NULL);
        }
    }
}

/* ---------------------------------------------------------------- elementwise */

/* A loop over [0, count), split into contiguous shares. */
#define ELEMENTS(body)                                                                                       \
    PARALLEL                                                                                                 \
    {                                                                                                        \
        const part mine = part_of(count);                                                                    \
        for (size_t i = mine.from; i < mine.end; i++)                                                        \
            body;                                                                                            \
    }

static void relu_forward(const void *source, void *result, size_t count, int threads)
{
    const number *x = source;
    number *y = result;
    ELEMENTS(y[i] = get(x[i]) < 0 ? 0 : x[i])
}

static void relu_backward(const void *gradient, const void *result, void *source_gradient, size_t count,
                          int threads)
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
static void adam(float *restrict p, const float *restrict g, float *restrict m, float *restrict v,
                 size_t count, float step_size, int threads)
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

static void dropout(const float *x, float *y, size_t count, float p, uint64_t seed, uint64_t stream,
                    uint64_t step, int threads)
{
    float scale = 1 / (1 - p);
    double limit = ceil((double)p * 4294967296.0); /* the least word that keeps; may be 2^32 */
    uint32_t least = limit < 4294967296.0 ? (uint32_t)limit : UINT32_MAX;
    size_t groups = (count + 63) / 64;
    PARALLEL
    {
        const part mine = part_of(groups);
        for (size_t g = mine.from; g < mine.end; g++) {
            uint32_t words[64];
            size_t end = count - 64 * g < 64 ? count - 64 * g : 64;
            philox_16(seed, stream, step << 32 | 16 * g, words);
            for (size_t i = 0; i < end; i++)
                y[64 * g + i] = words[i] >= least ? x[64 * g + i] * scale : 0;
        }
    }
}

#endif

/* ---------------------------------------------------------------- between the layouts */

static void concatpool_forward(const void *source, int n, int c, int hw, float *y, int32_t *where,
                               int threads)
{
    const number *x = source;
    int blocks = blocks_of(c);
    PARALLEL
    {
        const part mine = part_of((size_t)n);
        for (size_t i = mine.from; i < mine.end; i++)
            for (int block = 0; block < blocks; block++) {
                const number *plane = x + (i * (size_t)blocks + (size_t)block) * (size_t)hw * BLOCK;
                for (int j = 0; j < BLOCK && block * BLOCK + j < c; j++) {
                    size_t channel = (size_t)(block * BLOCK + j);
                    float best = get(plane[j]);
                    int32_t at = 0;
                    double sum = 0;
                    for (int p = 0; p < hw; p++) {
                        float v = get(plane[p * BLOCK + j]);
                        sum += (double)v;
                        if (v > best) {
                            best = v;
                            at = p;
                        }
                    }
                    y[i * 2 * (size_t)c + channel] = best;
                    y[i * 2 * (size_t)c + (size_t)c + channel] = (float)(sum / hw);
                    if (where)
                        where[i * (size_t)c + channel] = at;
                }
            }
    }
}

static void concatpool_backward(const float *dy, int n, int c, int hw, const int32_t *where, void *gradient,
                                int threads)
{
    number *dx = gradient;
    int blocks = blocks_of(c);
    PARALLEL
    {
        const part mine = part_of((size_t)n);
        for (size_t i = mine.from; i < mine.end; i++)
            for (int block = 0; block < blocks; block++) {
                number *plane = dx + (i * (size_t)blocks + (size_t)block) * (size_t)hw * BLOCK;
                float average[BLOCK] = {0};
                for (int j = 0; j < BLOCK && block * BLOCK + j < c; j++)
                    average[j] = dy[i * 2 * (size_t)c + (size_t)(c + block * BLOCK + j)] / (float)hw;
                for (int p = 0; p < hw; p++)
                    LANES plane[(size_t)p * BLOCK + j] = put(average[j]);
                for (int j = 0; j < BLOCK && block * BLOCK + j < c; j++) {
                    size_t channel = (size_t)(block * BLOCK + j);
                    number *at = &plane[where[i * (size_t)c + channel] * BLOCK + j];
                    *at = put(average[j] + dy[i * 2 * (size_t)c + channel]);
                }
            }
    }
}

static void flatten(const void *source, int n, int c, int hw, float *y, int threads)
{
    const number *x = source;
    int blocks = blocks_of(c);
    PARALLEL
    {
        const part mine = part_of((size_t)n);
        for (size_t i = mine.from; i < mine.end; i++)
            for (int channel = 0; channel < c; channel++) {
                const number *from =
                    x + (i * (size_t)blocks + (size_t)(channel / BLOCK)) * (size_t)hw * BLOCK;
                float *to = y + (i * (size_t)c + (size_t)channel) * (size_t)hw;
                for (int p = 0; p < hw; p++)
                    to[p] = get(from[p * BLOCK + channel % BLOCK]);
            }
    }
}

static void unflatten(const float *y, int n, int c, int hw, void *result, int threads)
{
    number *x = result;
    int blocks = blocks_of(c);
    PARALLEL
    {
        const part mine = part_of((size_t)n);
        for (size_t i = mine.from; i < mine.end; i++)
            for (int channel = 0; channel < blocks * BLOCK; channel++) {
                number *to = x + (i * (size_t)blocks + (size_t)(channel / BLOCK)) * (size_t)hw * BLOCK;
                const float *from = y + (i * (size_t)c + (size_t)channel) * (size_t)hw;
                for (int p = 0; p < hw; p++)
                    to[p * BLOCK + channel % BLOCK] = put(channel < c ? from[p] : 0);
            }
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
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .add = add,
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
