/* winograd_tiles_body.h - tile transforms between planes [h][w][16] and coefficients. The including file
 * (winograd_fp32_avx512.c, winograd_mixed_bf16_avx512.c, winograd_bf16_avx512.c) has defined what `number` is
 * and how it is loaded and stored: load_pixel, load_inside, store_pixel, stream_pixel, store_line,
 * store_pair. */
#include <math.h>

ALWAYS_INLINE void store_coefs(const int size_x, float *v, const vec row[6])
{
    UNROLL(j, 6)
        if (has_point(size_x, j))
            store_line(v + j * LINE_WORDS, row[j]);
}

/* Six coefficients of row i of a tile for the weights' gradient. Pairs share a word, so the first one of a
 * pair also writes the zeros that it hasn't. */
ALWAYS_INLINE void store_pairs(const int size_y, const int size_x, int i, float *v, const vec row[6], bool second)
{
    UNROLL(j, 6) {
        if (has_point(size_y, i) && has_point(size_x, j))
            store_pair(v + (i * 6 + j) * 16, row[j], second);
        else if (PAIRED && !second)
            store_pair(v + (i * 6 + j) * 16, _mm512_setzero_ps(), second);
    }
}

/* V = B^T d B. Columns first (t[column][coefficient]), then rows. `pairs`: for the weights' gradient. */
ALWAYS_INLINE void input_tile(const int size_y, const int size_x, const bool border, const bool pairs,
                              const number *plane, int h, int w, int y, int x, float *v, bool second)
{
    const number *window = plane + ((ptrdiff_t)(y - 1) * w + x - 1) * 16;
    const ptrdiff_t line = (ptrdiff_t)w * 16;
    vec t[6][6];
    UNROLL(j, size_x + 2) {
        vec d[6];
        UNROLL(i, size_y + 2)
            if (border)
                d[i] = load_inside(window + i * line + j * 16,
                                   (unsigned)(y - 1 + i) < (unsigned)h && (unsigned)(x - 1 + j) < (unsigned)w);
            else
                d[i] = load_pixel(window + i * line + j * 16);
        input_1d(size_y, t[j], d);
    }
    UNROLL(i, 6)
        if (has_point(size_y, i) || (PAIRED && pairs)) {
            vec d[6], row[6];
            if (has_point(size_y, i)) {
                UNROLL(j, size_x + 2)
                    d[j] = t[j][i];
                input_1d(size_x, row, d);
            }
            if (pairs)
                store_pairs(size_y, size_x, i, v, row, second);
            else
                store_coefs(size_x, v + i * 6 * LINE_WORDS, row);
        }
}

/* Y = A dY A^T. */
ALWAYS_INLINE void gradient_tile(const int size_y, const int size_x, const number *plane, int h, int w, int y, int x,
                                 float *v, bool second)
{
    const number *window = plane + ((ptrdiff_t)y * w + x) * 16;
    const ptrdiff_t line = (ptrdiff_t)w * 16;
    vec t[4][6];
    UNROLL(j, size_x) {
        vec d[4];
        UNROLL(i, size_y)
            if ((size_y == 2 && i) || (size_x == 2 && j)) /* a tile of one row or column */
                d[i] = load_inside(window + i * line + j * 16, y + i < h && x + j < w);
            else
                d[i] = load_pixel(window + i * line + j * 16);
        gradient_1d(size_y, t[j], d);
    }
    UNROLL(i, 6)
        if (has_point(size_y, i) || PAIRED) {
            vec d[4], row[6];
            if (has_point(size_y, i)) {
                UNROLL(j, size_x)
                    d[j] = t[j][i];
                gradient_1d(size_x, row, d);
            }
            store_pairs(size_y, size_x, i, v, row, second);
        }
}

/* What is gathered on the way out. */
enum { NO_SUMS, FORWARD_SUMS, BACKWARD_SUMS };

/* Y = A^T M A, then the epilogue. */
/* long: one piece of code for the compiler to keep a tile in registers */
ALWAYS_INLINE void output_tile(const int size_y, const int size_x, const bool with_add, const int sums,
                               const bool stream, const float *m, ptrdiff_t coef_step, const winograd_store *to, int h,
                               int w, int y, int x)
{
    const vec bias = to->bias ? _mm512_loadu_ps(to->bias) : _mm512_setzero_ps();
    const vec least = set1(to->relu ? 0.0f : -INFINITY);
    const vec center = sums ? _mm512_loadu_ps(to->center) : _mm512_setzero_ps();
    /* without these tensors nothing is loaded from their places */
    const __mmask16 all = to->mask ? 0 : 0xffff;
    number *plane = to->plane;
    const number *addend = to->add ? to->add : plane, *mask = to->mask ? to->mask : plane, *before = to->x;
    vec first = sums ? _mm512_loadu_ps(to->sums) : _mm512_setzero_ps(),
        second = sums ? _mm512_loadu_ps(to->sums + 16) : _mm512_setzero_ps();
    const ptrdiff_t start = ((ptrdiff_t)y * w + x) * 16, line = (ptrdiff_t)w * 16;
    vec t[6][4];
    UNROLL(j, 6)
        if (has_point(size_x, j)) {
            vec d[6];
            UNROLL(i, 6)
                if (has_point(size_y, i))
                    d[i] = _mm512_load_ps(m + (i * 6 + j) * coef_step);
            output_1d(size_y, t[j], d);
        }
    UNROLL(i, size_y) {
        if (size_y == 2 && y + i >= h)
            break;
        vec d[6], row[4];
        UNROLL(j, 6)
            if (has_point(size_x, j))
                d[j] = t[j][i];
        output_1d(size_x, row, d);
        UNROLL(j, size_x) {
            if (size_x == 2 && x + j >= w)
                break;
            const ptrdiff_t at = start + i * line + j * 16;
            vec r = row[j];
            if (sums == NO_SUMS) {
                r = add(r, bias);
                if (with_add)
                    r = add(r, load_pixel(addend + at));
                r = _mm512_max_ps(least, r); /* a NaN stays one */
            } else if (sums == FORWARD_SUMS) {
                const vec d0 = sub(r, center);
                first = add(first, d0);
                second = _mm512_fmadd_ps(d0, d0, second);
            } else {
                r = add(r, load_inside(addend + at, to->add));
                const vec behind = load_inside(mask + at, to->mask);
                const __mmask16 counts = _mm512_cmp_ps_mask(behind, _mm512_setzero_ps(), _CMP_GT_OQ);
                r = _mm512_maskz_mov_ps((__mmask16)(counts | all), r);
                first = add(first, r);
                second = _mm512_fmadd_ps(r, sub(load_pixel(before + at), center), second);
            }
            if (stream)
                stream_pixel(plane + at, r);
            else
                store_pixel(plane + at, r);
        }
    }
    if (sums) {
        _mm512_storeu_ps(to->sums, first);
        _mm512_storeu_ps(to->sums + 16, second);
    }
}

#define OUTPUT(Y, X, ADD, SUMS)                                                                                        \
    (to->stream ? output_tile(Y, X, ADD, SUMS, true, m, coef_step, to, h, w, y, x)                                     \
                : output_tile(Y, X, ADD, SUMS, false, m, coef_step, to, h, w, y, x))

#define TILE_KERNELS(Y, X)                                                                                             \
    static void input_##Y##X(const void *plane, int h, int w, int y, int x, float *v)                                  \
    {                                                                                                                  \
        if (y >= 1 && x >= 1 && y + Y < h && x + X < w)                                                                \
            input_tile(Y, X, false, false, plane, h, w, y, x, v, false);                                               \
        else                                                                                                           \
            input_tile(Y, X, true, false, plane, h, w, y, x, v, false);                                                \
    }                                                                                                                  \
    static void source_##Y##X(const void *plane, int h, int w, int y, int x, float *v, bool second)                    \
    {                                                                                                                  \
        if (y >= 1 && x >= 1 && y + Y < h && x + X < w)                                                                \
            input_tile(Y, X, false, true, plane, h, w, y, x, v, second);                                               \
        else                                                                                                           \
            input_tile(Y, X, true, true, plane, h, w, y, x, v, second);                                                \
    }                                                                                                                  \
    static void gradient_##Y##X(const void *plane, int h, int w, int y, int x, float *v, bool second)                  \
    {                                                                                                                  \
        gradient_tile(Y, X, plane, h, w, y, x, v, second);                                                             \
    }                                                                                                                  \
    static void output_##Y##X(const float *m, ptrdiff_t coef_step, const winograd_store *to, int h, int w, int y,      \
                              int x)                                                                                   \
    {                                                                                                                  \
        if (to->x)                                                                                                     \
            OUTPUT(Y, X, true, BACKWARD_SUMS);                                                                         \
        else if (to->sums)                                                                                             \
            OUTPUT(Y, X, false, FORWARD_SUMS);                                                                         \
        else if (to->add)                                                                                              \
            OUTPUT(Y, X, true, NO_SUMS);                                                                               \
        else                                                                                                           \
            OUTPUT(Y, X, false, NO_SUMS);                                                                              \
    }

TILE_KERNELS(4, 4)
TILE_KERNELS(4, 3)
TILE_KERNELS(4, 2)
TILE_KERNELS(3, 4)
TILE_KERNELS(3, 3)
TILE_KERNELS(3, 2)
TILE_KERNELS(2, 4)
TILE_KERNELS(2, 3)
TILE_KERNELS(2, 2)

static winograd_input_tile *input_kernel(int size_y, int size_x)
{
    static winograd_input_tile *const kernels[3][3] = {
        {input_22, input_23, input_24}, {input_32, input_33, input_34}, {input_42, input_43, input_44}};
    return kernels[size_y - 2][size_x - 2];
}

static winograd_pair_tile *source_kernel(int size_y, int size_x)
{
    static winograd_pair_tile *const kernels[3][3] = {
        {source_22, source_23, source_24}, {source_32, source_33, source_34}, {source_42, source_43, source_44}};
    return kernels[size_y - 2][size_x - 2];
}

static winograd_pair_tile *gradient_kernel(int size_y, int size_x)
{
    static winograd_pair_tile *const kernels[3][3] = {{gradient_22, gradient_23, gradient_24},
                                                      {gradient_32, gradient_33, gradient_34},
                                                      {gradient_42, gradient_43, gradient_44}};
    return kernels[size_y - 2][size_x - 2];
}

static winograd_output_tile *output_kernel(int size_y, int size_x)
{
    static winograd_output_tile *const kernels[3][3] = {
        {output_22, output_23, output_24}, {output_32, output_33, output_34}, {output_42, output_43, output_44}};
    return kernels[size_y - 2][size_x - 2];
}
