/* winograd_filters_avx512.c - filters in PyTorch's order to coefficients, and coefficients' gradients back.
 *
 * A block is 16 filters by 16 input channels. Its taps are transposed, so that a vector holds one tap of 16 filters;
 * then the transforms of winograd_avx512.h go along both sides. For the backward pass the taps are turned around and
 * the two kinds of channels change places.
 */
#include "device/winograd_avx512.h"
#include "device/winograd_kernels.h"

/* Transposes 16 vectors of 16 floats in place. */
ALWAYS_INLINE void transpose16(vec r[16])
{
    __m512i a[16], t[16];
    UNROLL(i, 8) { /* pairs of rows, floats interleaved */
        const __m512i x = _mm512_castps_si512(r[2 * i]), y = _mm512_castps_si512(r[2 * i + 1]);
        t[2 * i] = _mm512_unpacklo_epi32(x, y);
        t[2 * i + 1] = _mm512_unpackhi_epi32(x, y);
    }
    UNROLL(i, 4) { /* a[4 i + j]: rows 4 i .. 4 i + 3 of columns j, j + 4, j + 8, j + 12 */
        a[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        a[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        a[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        a[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL(j, 4) { /* quarters of the four groups of rows put together */
        const __m512i x = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88);
        const __m512i y = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88);
        const __m512i z = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xdd);
        const __m512i u = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xdd);
        r[j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(x, y, 0x88));
        r[4 + j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(z, u, 0x88));
        r[8 + j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(x, y, 0xdd));
        r[12 + j] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(z, u, 0xdd));
    }
}

/* 16 filters' rows of 16 input channels x 9 taps (rows `step` apart) to taps[input channel][tap][filter]. */
static void load_taps(const float *oihw, ptrdiff_t step, float taps[16 * 9][16])
{
    for (int part = 0; part < 9; part++) {
        vec r[16];
        UNROLL(i, 16)
            r[i] = _mm512_loadu_ps(oihw + i * step + part * 16);
        transpose16(r);
        UNROLL(i, 16)
            _mm512_store_ps(taps[part * 16 + i], r[i]);
    }
}

static void store_taps(float *oihw, ptrdiff_t step, float taps[16 * 9][16])
{
    for (int part = 0; part < 9; part++) {
        vec r[16];
        UNROLL(i, 16)
            r[i] = _mm512_load_ps(taps[part * 16 + i]);
        transpose16(r);
        UNROLL(i, 16)
            _mm512_storeu_ps(oihw + i * step + part * 16, r[i]);
    }
}

/* taps[input channel][tap][filter] to taps[filter][8 - tap][input channel]. */
static void flip_taps(float taps[16 * 9][16])
{
    float flipped[16 * 9][16] __attribute__((aligned(64)));
    for (int tap = 0; tap < 9; tap++) {
        vec r[16];
        UNROLL(i, 16)
            r[i] = _mm512_load_ps(taps[i * 9 + tap]);
        transpose16(r);
        UNROLL(i, 16)
            _mm512_store_ps(flipped[i * 9 + 8 - tap], r[i]);
    }
    for (int i = 0; i < 16 * 9; i++)
        _mm512_store_ps(taps[i], _mm512_load_ps(flipped[i]));
}

void winograd_filter_block(const float *oihw, int channels, int k, int c, bool backward, float *u, ptrdiff_t coef_step,
                           int width)
{
    float taps[16 * 9][16] __attribute__((aligned(64)));
    const ptrdiff_t step = (ptrdiff_t)channels * 9;
    load_taps(oihw + k * step + (ptrdiff_t)c * 9, step, taps);
    if (backward)
        flip_taps(taps);
    for (int channel = 0; channel < 16; channel++) {
        vec t[3][6];
        UNROLL(j, 3) {
            vec g[3];
            UNROLL(i, 3)
                g[i] = _mm512_load_ps(taps[channel * 9 + i * 3 + j]);
            filter_1d(t[j], g);
        }
        UNROLL(i, 6) {
            vec row[6];
            const vec g[3] = {t[0][i], t[1][i], t[2][i]};
            filter_1d(row, g);
            UNROLL(j, 6)
                _mm512_store_ps(u + (i * 6 + j) * coef_step + channel * width, row[j]);
        }
    }
}

/* Two vectors to words of bf16: x in the lower half, rounded to nearest even. */
ALWAYS_INLINE __m512i pair_words(vec x, vec y)
{
    const __m512i half = _mm512_set1_epi32(0x7fff), one = _mm512_set1_epi32(1);
    __m512i a = _mm512_castps_si512(x), b = _mm512_castps_si512(y);
    a = _mm512_add_epi32(_mm512_add_epi32(a, half), _mm512_and_si512(_mm512_srli_epi32(a, 16), one));
    b = _mm512_add_epi32(_mm512_add_epi32(b, half), _mm512_and_si512(_mm512_srli_epi32(b, 16), one));
    return _mm512_or_si512(_mm512_srli_epi32(a, 16), _mm512_and_si512(b, _mm512_set1_epi32((int)0xffff0000u)));
}

void winograd_filter_block_bf16(const float *oihw, int channels, int k, int c, bool backward, float *u,
                                ptrdiff_t coef_step, int width)
{
    enum { ROW = 16 * 16 };
    float block[COEFS * ROW] __attribute__((aligned(64)));
    winograd_filter_block(oihw, channels, k, c, backward, block, ROW, 16);
    for (int coef = 0; coef < COEFS; coef++)
        for (int pair = 0; pair < 8; pair++) {
            const float *from = block + coef * ROW + pair * 32;
            _mm512_store_si512(u + coef * coef_step + pair * width,
                               pair_words(_mm512_load_ps(from), _mm512_load_ps(from + 16)));
        }
}

void winograd_filter_gradient_block(float *oihw, int channels, int k, int c, const float *u, ptrdiff_t coef_step,
                                    int width, int copies, ptrdiff_t copy_step)
{
    float taps[16 * 9][16] __attribute__((aligned(64)));
    for (int channel = 0; channel < 16; channel++) {
        vec t[6][3];
        UNROLL(j, 6) {
            vec d[6];
            UNROLL(i, 6) {
                const float *at = u + (i * 6 + j) * coef_step + channel * width;
                d[i] = _mm512_load_ps(at);
                for (int copy = 1; copy < copies; copy++)
                    d[i] = add(d[i], _mm512_load_ps(at + copy * copy_step));
            }
            filter_gradient_1d(t[j], d);
        }
        UNROLL(i, 3) {
            vec row[3];
            const vec d[6] = {t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i]};
            filter_gradient_1d(row, d);
            UNROLL(j, 3)
                _mm512_store_ps(taps[channel * 9 + i * 3 + j], row[j]);
        }
    }
    const ptrdiff_t step = (ptrdiff_t)channels * 9;
    store_taps(oihw + k * step + (ptrdiff_t)c * 9, step, taps);
}
