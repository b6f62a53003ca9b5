/* strided_body.h - the transforms of strided.h; the including file defines TABLE.
 *
 * F(4, 2) by the same construction as in winograd_transforms.h, with points 0, a, -a, b and infinity, a = 1 and
 * b = 2; M(x) = x (x^2 - a^2)(x - b), N_p the product of (p - q) over the other finite points q:
 *
 *     G     row p: [1  p] / N_p;   infinity: [0 1]
 *     B^T   row p: coefficients of M(x)/(x - p); infinity: those of M(x)
 *     A^T   row j: p^j; infinity: 1 in the last row, else 0
 *
 * F(3, 2) leaves out b, F(2, 2) leaves out -a and b; row p of their B^T is multiplied by the product of
 * (p - q) over the points q left out, so that the filters are shared.
 */
#include "device/strided_kernels.h"
#include "device/winograd_taps.h"
#include "device/winograd_transforms.h"

#include <math.h>

#define PA 1.0f
#define PB 2.0f
#define N_0 (PA * PA * PB)
#define N_PLUS (2 * PA * PA * (PA - PB))
#define N_MINUS (-2 * PA * PA * (PA + PB))
#define N_B (PB * (PB * PB - PA * PA))

/* Both loops over a tile are kept rolled: what they hold is long enough, and there are 45 of them. */
#ifdef __clang__
#define ROLLED(i, count) _Pragma("clang loop unroll(disable)") for (int i = 0; i < (count); i++)
#else
#define ROLLED(i, count) _Pragma("GCC unroll 1") for (int i = 0; i < (count); i++)
#endif

/* Coefficient i exists in tiles of `size` outputs. */
ALWAYS_INLINE bool has_coef(const int size, const int i)
{
    if (i >= 5)
        return i - 5 < size;
    return size == 4 || i == 4 || i < size;
}

/* ---------------------------------------------------------------- along one side */

/* B^T: size + 1 values of the two-tap part to coefficients 0..4. */
ALWAYS_INLINE void two_taps(const int size, vec out[SIDE_COEFS], const vec d[5])
{
    if (size == 4) {
        out[0] = plus(minus(minus(d[3], PB, d[2]), PA * PA, d[1]), PA * PA * PB, d[0]);
        out[1] = minus(plus(d[3], PA - PB, d[2]), PA * PB, d[1]);
        out[2] = plus(minus(d[3], PA + PB, d[2]), PA * PB, d[1]);
        out[3] = minus(d[3], PA * PA, d[1]);
        out[4] = plus(minus(minus(d[4], PB, d[3]), PA * PA, d[2]), PA * PA * PB, d[1]);
    } else if (size == 3) {
        out[0] = scale(-PB, minus(d[2], PA * PA, d[0]));
        out[1] = scale(PA - PB, plus(d[2], PA, d[1]));
        out[2] = scale(-PA - PB, minus(d[2], PA, d[1]));
        out[4] = minus(d[3], PA * PA, d[1]);
    } else {
        out[0] = scale(-PA * PB, minus(d[1], PA, d[0]));
        out[1] = scale(2 * PA * (PA - PB), d[1]);
        out[4] = minus(d[2], PA, d[1]);
    }
}

/* A^T: coefficients 0..4 to `size` values. */
ALWAYS_INLINE void two_taps_out(const int size, vec out[4], const vec m[SIDE_COEFS])
{
    if (size == 2) {
        out[0] = vec_add(m[0], m[1]);
        out[1] = plus(m[4], PA, m[1]);
        return;
    }
    const vec sum = vec_add(m[1], m[2]), dif = vec_sub(m[1], m[2]);
    if (size == 3) {
        out[0] = vec_add(m[0], sum);
        out[1] = scale(PA, dif);
        out[2] = plus(m[4], PA * PA, sum);
    } else {
        out[0] = vec_add(vec_add(m[0], m[3]), sum);
        out[1] = plus(scale(PA, dif), PB, m[3]);
        out[2] = plus(scale(PA * PA, sum), PB * PB, m[3]);
        out[3] = plus(plus(m[4], PA * PA * PA, dif), PB * PB * PB, m[3]);
    }
}

/* 2 size + 1 source pixels, an odd one first. */
ALWAYS_INLINE void source_1d(const int size, vec out[SIDE_COEFS], const vec d[9])
{
    vec odd[5];
    UNROLL(i, size + 1)
        odd[i] = d[2 * i];
    two_taps(size, out, odd);
    UNROLL(i, size)
        out[5 + i] = d[2 * i + 1];
}

/* size + 1 output gradients. */
ALWAYS_INLINE void spread_1d(const int size, vec out[SIDE_COEFS], const vec d[9])
{
    two_taps(size, out, d);
    UNROLL(i, size)
        out[5 + i] = d[i];
}

/* A y: `size` output gradients. */
ALWAYS_INLINE void gradient_side(const int size, vec out[SIDE_COEFS], const vec y[9])
{
    out[0] = y[0];
    out[4] = y[size - 1];
    if (size == 2) {
        out[1] = plus(y[0], PA, y[1]);
    } else {
        const vec even = plus(y[0], PA * PA, y[2]);
        const vec odd = size == 4 ? plus(scale(PA, y[1]), PA * PA * PA, y[3]) : scale(PA, y[1]);
        out[1] = vec_add(even, odd);
        out[2] = vec_sub(even, odd);
        if (size == 4)
            out[3] = plus(plus(plus(y[0], PB, y[1]), PB * PB, y[2]), PB * PB * PB, y[3]);
    }
    UNROLL(i, size)
        out[5 + i] = y[i];
}

/* To `size` outputs. */
ALWAYS_INLINE void forward_1d(const int size, vec out[8], const vec m[SIDE_COEFS])
{
    two_taps_out(size, out, m);
    UNROLL(i, size)
        out[i] = vec_add(out[i], m[5 + i]);
}

/* To 2 size source gradients, an even one first. */
ALWAYS_INLINE void backward_1d(const int size, vec out[8], const vec m[SIDE_COEFS])
{
    vec odd[4];
    two_taps_out(size, odd, m);
    UNROLL(i, size) {
        out[2 * i] = m[5 + i];
        out[2 * i + 1] = odd[i];
    }
}

/* ---------------------------------------------------------------- in */

enum { SOURCE, SPREAD, GRADIENT };

ALWAYS_INLINE void in_1d(const int kind, const int size, vec out[SIDE_COEFS], const vec d[9])
{
    if (kind == SOURCE)
        source_1d(size, out, d);
    else if (kind == SPREAD)
        spread_1d(size, out, d);
    else
        gradient_side(size, out, d);
}

ALWAYS_INLINE void input_tile(const int kind, const int size_y, const int size_x, const float *plane, int oh, int ow,
                              int y, int x, float *v, ptrdiff_t part, int lane)
{
    const int factor = kind == SOURCE ? 2 : 1, back = kind == SOURCE ? 1 : 0;
    const int rows = kind == SOURCE ? 2 * size_y + 1 : kind == SPREAD ? size_y + 1 : size_y;
    const int columns = kind == SOURCE ? 2 * size_x + 1 : kind == SPREAD ? size_x + 1 : size_x;
    const int h = factor * oh, w = factor * ow, top = factor * y - back, left = factor * x - back;
    const float *window = plane + ((ptrdiff_t)top * w + left) * 16 + lane;
    const ptrdiff_t line = (ptrdiff_t)w * 16;
    vec t[9][SIDE_COEFS];
    ROLLED(j, columns) {
        vec d[9];
        UNROLL(i, rows) {
            const bool inside = (unsigned)(top + i) < (unsigned)h && (unsigned)(left + j) < (unsigned)w;
            d[i] = vec_load_if(window + i * line + j * 16, inside);
        }
        in_1d(kind, size_y, t[j], d);
    }
    ROLLED(i, SIDE_COEFS) {
        if (!has_coef(size_y, i))
            continue;
        vec d[9], row[SIDE_COEFS];
        UNROLL(j, columns)
            d[j] = t[j][i];
        in_1d(kind, size_x, row, d);
        float *to = v + i / 3 * part + i % 3 * SIDE_COEFS * 16 + lane;
        UNROLL(j, SIDE_COEFS)
            if (has_coef(size_x, j))
                vec_store(to + j * 16, row[j]);
    }
}

/* ---------------------------------------------------------------- out */

/* The epilogue of winograd.h for one pixel at `at` of the plane. */
ALWAYS_INLINE void finish(const winograd_store *to, ptrdiff_t at, vec r, vec center, vec *first, vec *second)
{
    float *plane = to->plane;
    if (to->add)
        r = vec_add(r, vec_loadu((const float *)to->add + at));
    if (to->x) {
        if (to->mask)
            r = vec_where_positive(vec_loadu((const float *)to->mask + at), r);
        *first = vec_add(*first, r);
        *second = vec_fma(r, vec_sub(vec_loadu((const float *)to->x + at), center), *second);
    } else if (to->sums) {
        const vec d = vec_sub(r, center);
        *first = vec_add(*first, d);
        *second = vec_fma(d, d, *second);
    }
    if (to->relu)
        r = vec_max(vec_zero(), r);    /* a NaN stays one */
    if (to->stream && VEC_LANES == 16) /* whole cache lines only */
        vec_stream(plane + at, r);
    else
        vec_storeu(plane + at, r);
}

ALWAYS_INLINE void output_tile(const bool backward, const int size_y, const int size_x, const float *m,
                               ptrdiff_t coef_step, const winograd_store *to, int oh, int ow, int y, int x, int lane)
{
    const int factor = backward ? 2 : 1, rows = factor * size_y, columns = factor * size_x;
    const int h = factor * oh, w = factor * ow, top = factor * y, left = factor * x;
    const vec bias = to->bias ? vec_loadu(to->bias + lane) : vec_zero();
    const vec center = to->sums ? vec_loadu(to->center + lane) : vec_zero();
    vec first = to->sums ? vec_loadu(to->sums + lane) : vec_zero(),
        second = to->sums ? vec_loadu(to->sums + 16 + lane) : vec_zero();
    vec t[SIDE_COEFS][8];
    ROLLED(j, SIDE_COEFS) {
        if (!has_coef(size_x, j))
            continue;
        vec d[SIDE_COEFS];
        UNROLL(i, SIDE_COEFS)
            if (has_coef(size_y, i))
                d[i] = vec_load(m + (i * SIDE_COEFS + j) * coef_step + lane);
        if (backward)
            backward_1d(size_y, t[j], d);
        else
            forward_1d(size_y, t[j], d);
    }
    const int end_y = rows < h - top ? rows : h - top, end_x = columns < w - left ? columns : w - left;
    ROLLED(i, end_y) {
        vec d[SIDE_COEFS], row[8];
        UNROLL(j, SIDE_COEFS)
            if (has_coef(size_x, j))
                d[j] = t[j][i];
        if (backward)
            backward_1d(size_x, row, d);
        else
            forward_1d(size_x, row, d);
        ROLLED(j, end_x)
            finish(to, ((ptrdiff_t)(top + i) * w + left + j) * 16 + lane, vec_add(row[j], bias), center, &first,
                   &second);
    }
    if (to->sums) {
        vec_storeu(to->sums + lane, first);
        vec_storeu(to->sums + 16 + lane, second);
    }
}

/* ---------------------------------------------------------------- a function for each size */

#define INPUT(NAME, KIND, Y, X)                                                                                        \
    static void NAME##_##Y##X(const float *plane, int oh, int ow, int y, int x, float *v, ptrdiff_t part)              \
    {                                                                                                                  \
        for (int lane = 0; lane < 16; lane += VEC_LANES)                                                               \
            input_tile(KIND, Y, X, plane, oh, ow, y, x, v, part, lane);                                                \
    }
#define OUTPUT(NAME, BACKWARD, Y, X)                                                                                   \
    static void NAME##_##Y##X(const float *m, ptrdiff_t coef_step, const winograd_store *to, int oh, int ow, int y,    \
                              int x)                                                                                   \
    {                                                                                                                  \
        for (int lane = 0; lane < 16; lane += VEC_LANES)                                                               \
            output_tile(BACKWARD, Y, X, m, coef_step, to, oh, ow, y, x, lane);                                         \
    }
#define TILE_KERNELS(Y, X)                                                                                             \
    INPUT(source, SOURCE, Y, X)                                                                                        \
    INPUT(spread, SPREAD, Y, X)                                                                                        \
    INPUT(gradient, GRADIENT, Y, X)                                                                                    \
    OUTPUT(forward, false, Y, X)                                                                                       \
    OUTPUT(backward, true, Y, X)
TILE_KERNELS(2, 2)
TILE_KERNELS(2, 3)
TILE_KERNELS(2, 4)
TILE_KERNELS(3, 2)
TILE_KERNELS(3, 3)
TILE_KERNELS(3, 4)
TILE_KERNELS(4, 2)
TILE_KERNELS(4, 3)
TILE_KERNELS(4, 4)

#define CHOICE(TYPE, NAME)                                                                                             \
    static TYPE *NAME##_kernel(int size_y, int size_x)                                                                 \
    {                                                                                                                  \
        static TYPE *const kernels[3][3] = {                                                                           \
            {NAME##_22, NAME##_23, NAME##_24}, {NAME##_32, NAME##_33, NAME##_34}, {NAME##_42, NAME##_43, NAME##_44}};  \
        return kernels[size_y - 2][size_x - 2];                                                                        \
    }
CHOICE(strided_input_tile, source)
CHOICE(strided_input_tile, spread)
CHOICE(strided_input_tile, gradient)
CHOICE(strided_output_tile, forward)
CHOICE(strided_output_tile, backward)

/* ---------------------------------------------------------------- filters */

/* G: taps in the order in which the two-tap part reads them, the middle one apart. */
ALWAYS_INLINE void filter_side(vec out[6], vec first, vec middle, vec second)
{
    out[0] = scale(1 / N_0, first);
    out[1] = scale(1 / N_PLUS, plus(first, PA, second));
    out[2] = scale(1 / N_MINUS, minus(first, PA, second));
    out[3] = scale(1 / N_B, plus(first, PB, second));
    out[4] = second;
    out[5] = middle;
}

/* G^T. */
ALWAYS_INLINE void filter_gradient_side(vec out[3], const vec u[6])
{
    const vec a = scale(1 / N_PLUS, u[1]), b = scale(1 / N_MINUS, u[2]), c = scale(1 / N_B, u[3]);
    out[0] = plus(vec_add(vec_add(a, b), c), 1 / N_0, u[0]);
    out[1] = u[5];
    out[2] = plus(plus(u[4], PB, c), PA, vec_sub(a, b));
}

static void filter_block(const float *oihw, int channels, int k, int c, bool backward, float *u, ptrdiff_t coef_step,
                         int width)
{
    float taps[BLOCK_TAPS * 16] __attribute__((aligned(64)));
    load_block(oihw, channels, k, c, backward, taps);
    for (int at = 0; at < 16 * 16; at += VEC_LANES) {
        const int channel = at / 16, lane = at % 16;
        vec t[3][6];
        UNROLL(j, 3) {
            vec g[3];
            UNROLL(i, 3)
                g[i] = vec_load(taps + (channel * 9 + i * 3 + j) * 16 + lane);
            filter_side(t[j], g[0], g[1], g[2]);
        }
        UNROLL(i, 6) {
            vec out[6];
            filter_side(out, t[0][i], t[1][i], t[2][i]);
            UNROLL(j, 6)
                vec_store(u + (i * 6 + j) * coef_step + channel * width + lane, out[j]);
        }
    }
}

static void filter_gradient_block(float *oihw, int channels, int k, int c, const float *u, ptrdiff_t coef_step,
                                  int width)
{
    float taps[BLOCK_TAPS * 16] __attribute__((aligned(64)));
    for (int at = 0; at < 16 * 16; at += VEC_LANES) {
        const int channel = at / 16, lane = at % 16;
        vec t[6][3];
        UNROLL(j, 6) {
            vec d[6];
            UNROLL(i, 6)
                d[i] = vec_load(u + (i * 6 + j) * coef_step + channel * width + lane);
            filter_gradient_side(t[j], d);
        }
        UNROLL(i, 3) {
            vec out[3];
            const vec d[6] = {t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i]};
            filter_gradient_side(out, d);
            UNROLL(j, 3)
                vec_store(taps + (channel * 9 + i * 3 + j) * 16 + lane, out[j]);
        }
    }
    store_block(oihw, channels, k, c, taps);
}

const strided_kernels TABLE = {
    .source = source_kernel,
    .spread = spread_kernel,
    .gradient = gradient_kernel,
    .forward = forward_kernel,
    .backward = backward_kernel,
    .filter = filter_block,
    .filter_gradient = filter_gradient_block,
};
