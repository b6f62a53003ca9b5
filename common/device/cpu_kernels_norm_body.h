/* cpu_kernels_norm_body.h - batch norm, a part of cpu_kernels_body.h.
 *
 * Blocked tensors are walked as planes (channel block, picture), channel block slowest. Each plane has a row of
 * `partial` for its sums (float within a plane, double across planes); the rows of a channel block are added in the
 * order of the pictures, so the result does not depend on threads. Flat tensors are small: one thread does them in
 * double.
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
        s->a[j] = (double)a[0][j] + (double)a[1][j];
        s->b[j] = (double)b[0][j] + (double)b[1][j];
    }
}

/* x * scale + shift (+ add) (relu) over one plane. */
static void plane_affine(const number *restrict x, const number *add, number *y, size_t hw, const float scale[BLOCK],
                         const float shift[BLOCK], bool relu)
{
    float s[BLOCK], t[BLOCK];
    memcpy(s, scale, sizeof s);
    memcpy(t, shift, sizeof t);
    float floor_value = relu ? 0 : -INFINITY;
    if (add)
        for (size_t p = 0; p < hw; p++)
            LANES(j) {
                float v = get(x[p * BLOCK + j]) * s[j] + t[j] + get(add[p * BLOCK + j]);
                y[p * BLOCK + j] = put(v < floor_value ? floor_value : v); /* keeps NaN */
            }
    else
        for (size_t p = 0; p < hw; p++)
            LANES(j) {
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

/* Adds the rows of one channel block's planes. */
static sums total_of(const sums *partial, size_t n, size_t block)
{
    sums total = {{0}, {0}};
    for (size_t picture = 0; picture < n; picture++)
        for (int j = 0; j < BLOCK; j++) {
            total.a[j] += partial[block * n + picture].a[j];
            total.b[j] += partial[block * n + picture].b[j];
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
    b->running_var[channel] = (float)(keep * (double)b->running_var[channel] + (double)b->momentum * unbiased);
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
        PLANES(i, planes)
        {
            const size_t block = i / n, picture = i % n;
            float shift[BLOCK];
            load_channels(b->running_mean, b->c, (int)block, shift);
            plane_moments(x + (picture * (size_t)blocks + block) * hw * BLOCK, hw, shift, &partial[i]);
        }
        PIECES(block, (size_t)blocks) {
            const sums s = total_of(partial, n, block);
            for (int j = 0; j < BLOCK && (int)block * BLOCK + j < b->c; j++)
                save_statistics(b, (int)block * BLOCK + j, s.a[j], s.b[j], (double)n * (double)hw);
        }
    }
    PLANES(i, planes)
    {
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

/* Sums over one plane of g and g * xhat, where g is dy masked by y > 0. */
static void plane_gradient_sums(const number *restrict dy0, const number *restrict dy1, const number *restrict x,
                                const number *restrict y, size_t hw, const float mean[BLOCK],
                                const float inverse_std[BLOCK], sums *s)
{
    float a[BLOCK] = {0}, b[BLOCK] = {0}, m[BLOCK];
    memcpy(m, mean, sizeof m);
#define SUM_LOOP(gradient)                                                                                             \
    for (size_t p = 0; p < hw; p++)                                                                                    \
        for (size_t j = 0; j < BLOCK; j++) {                                                                           \
            size_t i = p * BLOCK + j;                                                                                  \
            float g = gradient;                                                                                        \
            a[j] += g;                                                                                                 \
            b[j] += g * (get(x[i]) - m[j]);                                                                            \
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
        s->a[j] = (double)a[j];
        s->b[j] = (double)b[j] * (double)inverse_std[j];
    }
}

/* dx = k * (g - ga - (x - mean) * gb): k = weight * inverse_std, ga and gb carry the means of g and of
 * g*xhat. */
static void plane_gradient(const number *dy0, const number *dy1, const number *x, const number *y, size_t hw,
                           const float k[BLOCK], const float ga[BLOCK], const float gb[BLOCK], const float mean[BLOCK],
                           number *dx, number *dadd)
{
    float kk[BLOCK], aa[BLOCK], bb[BLOCK], mm[BLOCK];
    memcpy(kk, k, sizeof kk);
    memcpy(aa, ga, sizeof aa);
    memcpy(bb, gb, sizeof bb);
    memcpy(mm, mean, sizeof mm);
    for (size_t p = 0; p < hw; p++) {
        float g[BLOCK];
        size_t at = p * BLOCK;
        LANES(j)
            g[j] = get(dy0[at + j]);
        if (dy1)
            LANES(j)
                g[j] += get(dy1[at + j]);
        if (y)
            LANES(j)
                g[j] = get(y[at + j]) > 0 ? g[j] : 0;
        if (dadd)
            LANES(j)
                dadd[at + j] = put(g[j]);
        if (dx)
            LANES(j)
                dx[at + j] = put(kk[j] * (g[j] - aa[j] - (get(x[at + j]) - mm[j]) * bb[j]));
    }
}

#ifndef BF16
static void flat_backward(const batchnorm *b, const float *dy0, const float *dy1, const float *x, const float *y,
                          float *dweight, float *dbias, float *dx, float *dadd)
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
                dx[i] = (float)((double)b->weight[c] * (double)b->inverse_std[c] * (g - mean_g - xhat * mean_gx));
        }
    }
}

#endif

/* The gradients of weight and bias: sums over all planes. */
static void gradient_sums(const batchnorm *b, const number *dy0, const number *dy1, const number *x, const number *y,
                          float *dweight, float *dbias)
{
    int blocks = blocks_of(b->c), threads = b->threads;
    size_t n = (size_t)b->n, planes = (size_t)blocks * n, hw = (size_t)b->hw;
    sums *partial = (sums *)(void *)b->partial;
    PLANES(i, planes)
    {
        size_t block = i / n, at = ((i % n) * (size_t)blocks + block) * hw * BLOCK;
        float mean[BLOCK], inverse_std[BLOCK];
        load_channels(b->mean, b->c, (int)block, mean);
        load_channels(b->inverse_std, b->c, (int)block, inverse_std);
        plane_gradient_sums(dy0 + at, dy1 ? dy1 + at : NULL, x + at, y ? y + at : NULL, hw, mean, inverse_std,
                            &partial[i]);
    }
    PIECES(block, (size_t)blocks) {
        const sums s = total_of(partial, n, block);
        for (size_t j = 0; j < BLOCK && block * BLOCK + j < (size_t)b->c; j++) {
            dbias[block * BLOCK + j] = (float)s.a[j];
            dweight[block * BLOCK + j] = (float)s.b[j];
        }
    }
}

static void batchnorm_backward(const batchnorm *b, const void *gradient0, const void *gradient1, const void *source,
                               const void *result, float *dweight, float *dbias, void *source_gradient,
                               void *addend_gradient)
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
    PLANES(i, planes)
    {
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

static void channel_sums(const void *source, int n, int c, int pixels, float *result, float *partial, int threads)
{
    const number *x = source;
    sums *parts = (sums *)(void *)partial;
    const size_t blocks = (size_t)blocks_of(c), pictures = (size_t)n, hw = (size_t)pixels;
    PLANES(i, blocks * pictures)
    {
        const number *plane = x + (i % pictures * blocks + i / pictures) * hw * BLOCK;
        float a[2][BLOCK] = {{0}};
        for (size_t p = 0; p < hw; p++)
            for (size_t j = 0; j < BLOCK; j++)
                a[p % 2][j] += get(plane[p * BLOCK + j]);
        for (int j = 0; j < BLOCK; j++) {
            parts[i].a[j] = (double)a[0][j] + (double)a[1][j];
            parts[i].b[j] = 0;
        }
    }
    for (size_t block = 0; block < blocks; block++) {
        const sums s = total_of(parts, pictures, block);
        for (size_t j = 0; j < BLOCK && block * BLOCK + j < (size_t)c; j++)
            result[block * BLOCK + j] = (float)s.a[j];
    }
}
