/* winograd_tiles_body.h - tile transforms between planes [h][w][16] and coefficients. The including file
 * (winograd_fp32_body.h, winograd_mixed_body.h, winograd_bf16_body.h) has defined what `number` is and how it is
 * loaded and stored: load_pixel, load_inside, store_pixel, stream_pixel, store_line, store_pair.
 *
 * A tile is transformed in parts of VEC_LANES channels, from channel `at` of the 16 on. */
#include <math.h>

ALWAYS_INLINE void store_coefs(const int size_x, float *v, int at, const vec row[6])
{
    UNROLL(j, 6)
        if (has_point(size_x, j))
            store_line(v + j * LINE_WORDS, at, row[j]);
}

/* Six coefficients of row i of a tile for the weights' gradient. Pairs share a word, so the first one of a
 * pair also writes the zeros that it hasn't. */
ALWAYS_INLINE void store_pairs(const int size_y, const int size_x, int i, float *v, const vec row[6], bool second)
{
    UNROLL(j, 6) {
        if (has_point(size_y, i) && has_point(size_x, j))
            store_pair(v + (i * 6 + j) * 16, row[j], second);
        else if (PAIRED && !second)
            store_pair(v + (i * 6 + j) * 16, vec_zero(), second);
    }
}

/* V = B^T d B. Columns first (t[column][coefficient]), then rows. `pairs`: for the weights' gradient. */
ALWAYS_INLINE void input_tile(const int size_y, const int size_x, const bool border, const bool pairs,
                              const number *plane, int h, int w, int y, int x, float *v, bool second, int at)
{
    const number *window = plane + ((ptrdiff_t)(y - 1) * w + x - 1) * 16 + at;
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
                store_pairs(size_y, size_x, i, v + at, row, second);
            else
                store_coefs(size_x, v + i * 6 * LINE_WORDS, at, row);
        }
}

/* Y = A dY A^T. */
ALWAYS_INLINE void gradient_tile(const int size_y, const int size_x, const number *plane, int h, int w, int y, int x,
                                 float *v, bool second, int at)
{
    const number *window = plane + ((ptrdiff_t)y * w + x) * 16 + at;
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
            store_pairs(size_y, size_x, i, v + at, row, second);
        }
}

/* Whole cache lines go past the caches, so the parts of a pixel are put together before (but NEON has no such
 * stores). */
enum { STAGED = VEC_LANES < 16 && VEC_REGISTERS == 16 };

ALWAYS_INLINE void stream_tile(const int size_y, const int size_x, number *plane, int h, int w, int y, int x,
                               const number *staged)
{
    UNROLL(i, size_y)
        UNROLL(j, size_x)
            if (y + i < h && x + j < w)
                UNROLL(part, 16 / VEC_LANES)
                    stream_pixel(plane + ((ptrdiff_t)(y + i) * w + x + j) * 16 + part * VEC_LANES,
                                 load_pixel(staged + (i * 4 + j) * 16 + part * VEC_LANES));
}

/* What is gathered on the way out. */
enum { NO_SUMS, FORWARD_SUMS, BACKWARD_SUMS };

/* Y = A^T M A, then the epilogue. */
/* long: one piece of code for the compiler to keep a tile in registers */
ALWAYS_INLINE void output_tile(const int size_y, const int size_x, const bool with_add, const int sums,
                               const bool stream, const float *m, ptrdiff_t coef_step, const winograd_store *to, int h,
                               int w, int y, int x, int lane, number *staged)
{
    const vec bias = to->bias ? vec_loadu(to->bias + lane) : vec_zero();
    const vec least = vec_set1(to->relu ? 0.0f : -INFINITY);
    const vec center = sums ? vec_loadu(to->center + lane) : vec_zero();
    /* without these tensors nothing is loaded from their places */
    const vec unmasked = vec_set1(to->mask ? 0.0f : 1.0f);
    number *plane = to->plane;
    const number *addend = to->add ? to->add : plane, *mask = to->mask ? to->mask : plane, *before = to->x;
    vec first = sums ? vec_loadu(to->sums + lane) : vec_zero(),
        second = sums ? vec_loadu(to->sums + 16 + lane) : vec_zero();
    const ptrdiff_t start = ((ptrdiff_t)y * w + x) * 16 + lane, line = (ptrdiff_t)w * 16;
    vec t[6][4];
    UNROLL(j, 6)
        if (has_point(size_x, j)) {
            vec d[6];
            UNROLL(i, 6)
                if (has_point(size_y, i))
                    d[i] = vec_load(m + (i * 6 + j) * coef_step + lane);
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
                r = vec_add(r, bias);
                if (with_add)
                    r = vec_add(r, load_pixel(addend + at));
                r = vec_max(least, r); /* a NaN stays one */
            } else if (sums == FORWARD_SUMS) {
                const vec d0 = vec_sub(r, center);
                first = vec_add(first, d0);
                second = vec_fma(d0, d0, second);
            } else {
                r = vec_add(r, load_inside(addend + at, to->add));
                r = vec_where_positive(vec_add(load_inside(mask + at, to->mask), unmasked), r);
                first = vec_add(first, r);
                second = vec_fma(r, vec_sub(load_pixel(before + at), center), second);
            }
            if (stream && STAGED)
                store_pixel(staged + (i * 4 + j) * 16 + lane, r);
            else if (stream)
                stream_pixel(plane + at, r);
            else
                store_pixel(plane + at, r);
        }
    }
    if (sums) {
        vec_storeu(to->sums + lane, first);
        vec_storeu(to->sums + 16 + lane, second);
    }
}

/* For each part of the channels. */
#define PARTS(at) for (int at = 0; at < 16; at += VEC_LANES)

#define OUTPUT(Y, X, ADD, SUMS, STREAM)                                                                                \
    PARTS(at)                                                                                                          \
    output_tile(Y, X, ADD, SUMS, STREAM, m, coef_step, to, h, w, y, x, at, staged)
#define OUTPUTS(Y, X, ADD, SUMS)                                                                                       \
    if (to->stream) {                                                                                                  \
        OUTPUT(Y, X, ADD, SUMS, true);                                                                                 \
        if (STAGED)                                                                                                    \
            stream_tile(Y, X, to->plane, h, w, y, x, staged);                                                          \
    } else                                                                                                             \
        OUTPUT(Y, X, ADD, SUMS, false)

#define TILE_KERNELS(Y, X)                                                                                             \
    static void input_##Y##X(const void *plane, int h, int w, int y, int x, float *v)                                  \
    {                                                                                                                  \
        if (y >= 1 && x >= 1 && y + Y < h && x + X < w)                                                                \
            PARTS(at)                                                                                                  \
        input_tile(Y, X, false, false, plane, h, w, y, x, v, false, at);                                               \
        else PARTS(at) input_tile(Y, X, true, false, plane, h, w, y, x, v, false, at);                                 \
    }                                                                                                                  \
    static void source_##Y##X(const void *plane, int h, int w, int y, int x, float *v, bool second)                    \
    {                                                                                                                  \
        if (y >= 1 && x >= 1 && y + Y < h && x + X < w)                                                                \
            PARTS(at)                                                                                                  \
        input_tile(Y, X, false, true, plane, h, w, y, x, v, second, at);                                               \
        else PARTS(at) input_tile(Y, X, true, true, plane, h, w, y, x, v, second, at);                                 \
    }                                                                                                                  \
    static void gradient_##Y##X(const void *plane, int h, int w, int y, int x, float *v, bool second)                  \
    {                                                                                                                  \
        PARTS(at)                                                                                                      \
        gradient_tile(Y, X, plane, h, w, y, x, v, second, at);                                                         \
    }                                                                                                                  \
    static void output_##Y##X(const float *m, ptrdiff_t coef_step, const winograd_store *to, int h, int w, int y,      \
                              int x)                                                                                   \
    {                                                                                                                  \
        number staged[16 * 16] __attribute__((aligned(64)));                                                           \
        if (to->x) {                                                                                                   \
            OUTPUTS(Y, X, true, BACKWARD_SUMS);                                                                        \
        } else if (to->sums) {                                                                                         \
            OUTPUTS(Y, X, false, FORWARD_SUMS);                                                                        \
        } else if (to->add) {                                                                                          \
            OUTPUTS(Y, X, true, NO_SUMS);                                                                              \
        } else {                                                                                                       \
            OUTPUTS(Y, X, false, NO_SUMS);                                                                             \
        }                                                                                                              \
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
