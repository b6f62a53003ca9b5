/* winograd_tiles_avx512.c - tile transforms between planes [h][w][16] and coefficients. */
#include "device/winograd_avx512.h"
#include "device/winograd_kernels.h"

#include <math.h>

ALWAYS_INLINE vec load_pixel(const float *pixel, bool inside)
{
    return _mm512_maskz_loadu_ps(inside ? (__mmask16)0xffff : (__mmask16)0, pixel);
}

ALWAYS_INLINE void store_coefs(const int size_x, float *v, const vec row[6])
{
    UNROLL for (int j = 0; j < 6; j++) if (has_point(size_x, j)) _mm512_store_ps(v + j * 16, row[j]);
}

/* V = B^T d B. Columns first (t[column][coefficient]), then rows. */
ALWAYS_INLINE void input_tile(const int size_y, const int size_x, const bool border, const float *plane,
                              int h, int w, int y, int x, float *v)
{
    const float *window = plane + ((ptrdiff_t)(y - 1) * w + x - 1) * 16;
    const ptrdiff_t line = (ptrdiff_t)w * 16;
    vec t[6][6];
    UNROLL for (int j = 0; j < size_x + 2; j++)
    {
        vec d[6];
        UNROLL for (int i = 0; i < size_y + 2; i++) if (border) d[i] =
            load_pixel(window + i * line + j * 16,
                       (unsigned)(y - 1 + i) < (unsigned)h && (unsigned)(x - 1 + j) < (unsigned)w);
        else d[i] = _mm512_loadu_ps(window + i * line + j * 16);
        input_1d(size_y, t[j], d);
    }
    UNROLL for (int i = 0; i < 6; i++) if (has_point(size_y, i))
    {
        vec d[6], row[6];
        UNROLL for (int j = 0; j < size_x + 2; j++) d[j] = t[j][i];
        input_1d(size_x, row, d);
        store_coefs(size_x, v + i * 6 * 16, row);
    }
}

/* Y = A dY A^T. */
ALWAYS_INLINE void gradient_tile(const int size_y, const int size_x, const float *plane, int h, int w, int y,
                                 int x, float *v)
{
    const float *window = plane + ((ptrdiff_t)y * w + x) * 16;
    const ptrdiff_t line = (ptrdiff_t)w * 16;
    vec t[4][6];
    UNROLL for (int j = 0; j < size_x; j++)
    {
        vec d[4];
        UNROLL for (int i = 0; i < size_y;
                    i++) if ((size_y == 2 && i) || (size_x == 2 && j)) /* a tile of one row or column */
            d[i] = load_pixel(window + i * line + j * 16, y + i < h && x + j < w);
        else d[i] = _mm512_loadu_ps(window + i * line + j * 16);
        gradient_1d(size_y, t[j], d);
    }
    UNROLL for (int i = 0; i < 6; i++) if (has_point(size_y, i))
    {
        vec d[4], row[6];
        UNROLL for (int j = 0; j < size_x; j++) d[j] = t[j][i];
        gradient_1d(size_x, row, d);
        store_coefs(size_x, v + i * 6 * 16, row);
    }
}

/* What is gathered on the way out. */
enum { NO_SUMS, FORWARD_SUMS, BACKWARD_SUMS };

/* Y = A^T M A, then the epilogue. */
ALWAYS_INLINE void output_tile(const int size_y, const int size_x, const bool with_add, const int sums,
                               const bool stream, const float *m, ptrdiff_t coef_step,
                               const winograd_store *to, int h, int w, int y, int x)
{
    const vec bias = to->bias ? _mm512_loadu_ps(to->bias) : _mm512_setzero_ps();
    const vec least = set1(to->relu ? 0.0f : -INFINITY);
    const vec center = sums ? _mm512_loadu_ps(to->center) : _mm512_setzero_ps();
    /* without these tensors nothing is loaded from their places */
    const __mmask16 adds = to->add ? 0xffff : 0, masks = to->mask ? 0xffff : 0;
    const float *addend = to->add ? to->add : to->plane, *mask = to->mask ? to->mask : to->plane;
    vec first = sums ? _mm512_loadu_ps(to->sums) : _mm512_setzero_ps(),
        second = sums ? _mm512_loadu_ps(to->sums + 16) : _mm512_setzero_ps();
    const ptrdiff_t start = ((ptrdiff_t)y * w + x) * 16, line = (ptrdiff_t)w * 16;
    vec t[6][4];
    UNROLL for (int j = 0; j < 6; j++) if (has_point(size_x, j))
    {
        vec d[6];
        UNROLL for (int i = 0; i < 6; i++) if (has_point(size_y, i)) d[i] =
            _mm512_load_ps(m + (i * 6 + j) * coef_step);
        output_1d(size_y, t[j], d);
    }
    UNROLL for (int i = 0; i < size_y; i++)
    {
        if (size_y == 2 && y + i >= h)
            break;
        vec d[6], row[4];
        UNROLL for (int j = 0; j < 6; j++) if (has_point(size_x, j)) d[j] = t[j][i];
        output_1d(size_x, row, d);
        UNROLL for (int j = 0; j < size_x; j++)
        {
            if (size_x == 2 && x + j >= w)
                break;
            const ptrdiff_t at = start + i * line + j * 16;
            vec r = row[j];
            if (sums == NO_SUMS) {
                r = add(r, bias);
                if (with_add)
                    r = add(r, _mm512_loadu_ps(addend + at));
                r = _mm512_max_ps(least, r); /* a NaN stays one */
            } else if (sums == FORWARD_SUMS) {
                const vec d0 = sub(r, center);
                first = add(first, d0);
                second = _mm512_fmadd_ps(d0, d0, second);
            } else {
                r = add(r, _mm512_maskz_loadu_ps(adds, addend + at));
                const vec behind = _mm512_maskz_loadu_ps(masks, mask + at);
                const __mmask16 counts = _mm512_cmp_ps_mask(behind, _mm512_setzero_ps(), _CMP_GT_OQ);
                r = _mm512_maskz_mov_ps((__mmask16)(counts | ~masks), r);
                first = add(first, r);
                second = _mm512_fmadd_ps(r, sub(_mm512_loadu_ps(to->x + at), center), second);
            }
            if (stream)
                _mm512_stream_ps(to->plane + at, r);
            else
                _mm512_storeu_ps(to->plane + at, r);
        }
    }
    if (sums) {
        _mm512_storeu_ps(to->sums, first);
        _mm512_storeu_ps(to->sums + 16, second);
    }
}

#define OUTPUT(Y, X, ADD, SUMS)                                                                              \
    (to->stream ? output_tile(Y, X, ADD, SUMS, true, m, coef_step, to, h, w, y, x)                           \
                : output_tile(Y, X, ADD, SUMS, false, m, coef_step, to, h, w, y, x))

#define TILE_KERNELS(Y, X)                                                                                   \
    static void input_##Y##X(const float *plane, int h, int w, int y, int x, float *v)                       \
    {                                                                                                        \
        if (y >= 1 && x >= 1 && y + Y < h && x + X < w)                                                      \
            input_tile(Y, X, false, plane, h, w, y, x, v);                                                   \
        else                                                                                                 \
            input_tile(Y, X, true, plane, h, w, y, x, v);                                                    \
    }                                                                                                        \
    static void gradient_##Y##X(const float *plane, int h, int w, int y, int x, float *v)                    \
    {                                                                                                        \
        gradient_tile(Y, X, plane, h, w, y, x, v);                                                           \
    }                                                                                                        \
    static void output_##Y##X(const float *m, ptrdiff_t coef_step, const winograd_store *to, int h, int w,   \
                              int y, int x)                                                                  \
    {                                                                                                        \
        if (to->x)                                                                                           \
            OUTPUT(Y, X, true, BACKWARD_SUMS);                                                               \
        else if (to->sums)                                                                                   \
            OUTPUT(Y, X, false, FORWARD_SUMS);                                                               \
        else if (to->add)                                                                                    \
            OUTPUT(Y, X, true, NO_SUMS);                                                                     \
        else                                                                                                 \
            OUTPUT(Y, X, false, NO_SUMS);                                                                    \
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

winograd_input_tile *winograd_input_kernel(int size_y, int size_x)
{
    static winograd_input_tile *const kernels[3][3] = {
        {input_22, input_23, input_24}, {input_32, input_33, input_34}, {input_42, input_43, input_44}};
    return kernels[size_y - 2][size_x - 2];
}

winograd_gradient_tile *winograd_gradient_kernel(int size_y, int size_x)
{
    static winograd_gradient_tile *const kernels[3][3] = {{gradient_22, gradient_23, gradient_24},
                                                          {gradient_32, gradient_33, gradient_34},
                                                          {gradient_42, gradient_43, gradient_44}};
    return kernels[size_y - 2][size_x - 2];
}

winograd_output_tile *winograd_output_kernel(int size_y, int size_x)
{
    static winograd_output_tile *const kernels[3][3] = {{output_22, output_23, output_24},
                                                        {output_32, output_33, output_34},
                                                        {output_42, output_43, output_44}};
    return kernels[size_y - 2][size_x - 2];
}
