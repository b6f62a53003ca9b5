/* vector_avx2.h - vector.h for AVX2 with FMA. */
#ifndef ONEBOX_DEVICE_VECTOR_AVX2_H
#define ONEBOX_DEVICE_VECTOR_AVX2_H

#include <immintrin.h>

typedef __m256 vec;
enum { VEC_LANES = 8, VEC_REGISTERS = 16 };

ALWAYS_INLINE vec vec_zero(void)
{
    return _mm256_setzero_ps();
}
ALWAYS_INLINE vec vec_set1(float a)
{
    return _mm256_set1_ps(a);
}
ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm256_load_ps(p);
}
ALWAYS_INLINE vec vec_loadu(const float *p)
{
    return _mm256_loadu_ps(p);
}
ALWAYS_INLINE vec vec_load_if(const float *p, bool inside)
{
    return inside ? _mm256_loadu_ps(p) : _mm256_setzero_ps();
}
ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm256_store_ps(p, x);
}
ALWAYS_INLINE void vec_storeu(float *p, vec x)
{
    _mm256_storeu_ps(p, x);
}
ALWAYS_INLINE void vec_stream(float *p, vec x)
{
    _mm256_stream_ps(p, x);
}
ALWAYS_INLINE void vec_stream_end(void)
{
    _mm_sfence();
}
ALWAYS_INLINE vec vec_add(vec x, vec y)
{
    return _mm256_add_ps(x, y);
}
ALWAYS_INLINE vec vec_sub(vec x, vec y)
{
    return _mm256_sub_ps(x, y);
}
ALWAYS_INLINE vec vec_mul(vec x, vec y)
{
    return _mm256_mul_ps(x, y);
}
ALWAYS_INLINE vec vec_fma(vec x, vec y, vec sum)
{
    return _mm256_fmadd_ps(x, y, sum);
}
ALWAYS_INLINE vec vec_fnma(vec x, vec y, vec sum)
{
    return _mm256_fnmadd_ps(x, y, sum);
}
ALWAYS_INLINE vec vec_max(vec least, vec x)
{
    return _mm256_max_ps(least, x); /* the second one when there is a NaN */
}
ALWAYS_INLINE vec vec_where_less(vec a, vec b, vec x, vec y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ), x);
}
ALWAYS_INLINE vec vec_where_byte(const uint8_t *p, uint8_t a, vec x)
{
    const __m128i equal = _mm_cmpeq_epi8(_mm_loadu_si64(p), _mm_set1_epi8((char)a));
    return _mm256_and_ps(_mm256_castsi256_ps(_mm256_cvtepi8_epi32(equal)), x);
}
ALWAYS_INLINE void vec_store_u8(uint8_t *p, vec x)
{
    const __m256i i = _mm256_cvttps_epi32(x);
    const __m128i u = _mm_packus_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storeu_si64(p, _mm_packus_epi16(u, u));
}
ALWAYS_INLINE vec vec_where_positive(vec m, vec x)
{
    return _mm256_and_ps(_mm256_cmp_ps(m, _mm256_setzero_ps(), _CMP_GT_OQ), x);
}

ALWAYS_INLINE void vec_transpose(vec r[8])
{
    vec t[8], a[8];
    UNROLL(i, 4) { /* pairs of rows, floats interleaved */
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    UNROLL(i, 2) { /* a[4 i + j]: rows 4 i .. 4 i + 3 of columns j and j + 4 */
        a[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        a[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        a[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        a[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
    UNROLL(j, 4) { /* the two halves of the rows put together */
        r[j] = _mm256_permute2f128_ps(a[j], a[4 + j], 0x20);
        r[4 + j] = _mm256_permute2f128_ps(a[j], a[4 + j], 0x31);
    }
}

#endif
