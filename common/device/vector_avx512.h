/* vector_avx512.h - vector.h for AVX-512 (F, BW, DQ, VL), and for AVX512_BF16. */
#ifndef ONEBOX_DEVICE_VECTOR_AVX512_H
#define ONEBOX_DEVICE_VECTOR_AVX512_H

#include <immintrin.h>

typedef __m512 vec;
enum { VEC_LANES = 16, VEC_REGISTERS = 32 };

ALWAYS_INLINE vec vec_zero(void)
{
    return _mm512_setzero_ps();
}
ALWAYS_INLINE vec vec_set1(float a)
{
    return _mm512_set1_ps(a);
}
ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm512_load_ps(p);
}
ALWAYS_INLINE vec vec_loadu(const float *p)
{
    return _mm512_loadu_ps(p);
}
ALWAYS_INLINE vec vec_load_if(const float *p, bool inside)
{
    return _mm512_maskz_loadu_ps(inside ? (__mmask16)0xffff : (__mmask16)0, p);
}
ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm512_store_ps(p, x);
}
ALWAYS_INLINE void vec_storeu(float *p, vec x)
{
    _mm512_storeu_ps(p, x);
}
ALWAYS_INLINE void vec_stream(float *p, vec x)
{
    _mm512_stream_ps(p, x);
}
ALWAYS_INLINE void vec_stream_end(void)
{
    _mm_sfence();
}
ALWAYS_INLINE vec vec_add(vec x, vec y)
{
    return _mm512_add_ps(x, y);
}
ALWAYS_INLINE vec vec_sub(vec x, vec y)
{
    return _mm512_sub_ps(x, y);
}
ALWAYS_INLINE vec vec_mul(vec x, vec y)
{
    return _mm512_mul_ps(x, y);
}
ALWAYS_INLINE vec vec_fma(vec x, vec y, vec sum)
{
    return _mm512_fmadd_ps(x, y, sum);
}
ALWAYS_INLINE vec vec_fnma(vec x, vec y, vec sum)
{
    return _mm512_fnmadd_ps(x, y, sum);
}
ALWAYS_INLINE vec vec_max(vec least, vec x)
{
    return _mm512_max_ps(least, x); /* the second one when there is a NaN */
}
ALWAYS_INLINE vec vec_where_less(vec a, vec b, vec x, vec y)
{
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), x);
}
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), x);
}
ALWAYS_INLINE vec vec_where_byte(const uint8_t *p, uint8_t a, vec x)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i_u *)(const void *)p);
    return _mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(bytes, _mm_set1_epi8((char)a)), x);
}
ALWAYS_INLINE void vec_store_u8(uint8_t *p, vec x)
{
    _mm_storeu_si128((__m128i_u *)(void *)p, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(x)));
}
ALWAYS_INLINE vec vec_where_positive(vec m, vec x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(m, _mm512_setzero_ps(), _CMP_GT_OQ), x);
}

ALWAYS_INLINE void vec_transpose(vec r[16])
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

#ifdef __AVX512BF16__
#define VEC_BF16

ALWAYS_INLINE vec vec_load_bf16(const uint16_t *p)
{
    const __m256i x = _mm256_loadu_si256((const __m256i_u *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
ALWAYS_INLINE vec vec_load_bf16_if(const uint16_t *p, bool inside)
{
    const __m256i x = _mm256_maskz_loadu_epi16(inside ? (__mmask16)0xffff : (__mmask16)0, p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}
ALWAYS_INLINE void vec_store_bf16(uint16_t *p, vec x)
{
    _mm256_storeu_si256((__m256i_u *)(void *)p, (__m256i)_mm512_cvtneps_pbh(x));
}
ALWAYS_INLINE void vec_stream_bf16(uint16_t *p, vec x)
{
    _mm256_stream_si256((__m256i *)(void *)p, (__m256i)_mm512_cvtneps_pbh(x));
}
ALWAYS_INLINE vec vec_words_low(vec low)
{
    return _mm512_castsi512_ps(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(low)));
}
ALWAYS_INLINE vec vec_words_high(vec words, vec high)
{
    const __m512i x = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(high));
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_slli_epi32(x, 16), _mm512_castps_si512(words)));
}
ALWAYS_INLINE vec vec_words(vec low, vec high)
{
    return vec_words_high(vec_words_low(low), high);
}
ALWAYS_INLINE vec vec_dot_bf16(vec x, vec y, vec sum)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y);
}
#endif

#endif
