/* vector_sse2.h - vector.h for SSE2, which every x86-64 processor has. */
#ifndef ONEBOX_DEVICE_VECTOR_SSE2_H
#define ONEBOX_DEVICE_VECTOR_SSE2_H

#include <emmintrin.h>

typedef __m128 vec;
enum { VEC_LANES = 4, VEC_REGISTERS = 16 };

ALWAYS_INLINE vec vec_zero(void)
{
    return _mm_setzero_ps();
}
ALWAYS_INLINE vec vec_set1(float a)
{
    return _mm_set1_ps(a);
}
ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm_load_ps(p);
}
ALWAYS_INLINE vec vec_loadu(const float *p)
{
    return _mm_loadu_ps(p);
}
ALWAYS_INLINE vec vec_load_if(const float *p, bool inside)
{
    return inside ? _mm_loadu_ps(p) : _mm_setzero_ps();
}
ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm_store_ps(p, x);
}
ALWAYS_INLINE void vec_storeu(float *p, vec x)
{
    _mm_storeu_ps(p, x);
}
ALWAYS_INLINE void vec_stream(float *p, vec x)
{
    _mm_stream_ps(p, x);
}
ALWAYS_INLINE void vec_stream_end(void)
{
    _mm_sfence();
}
ALWAYS_INLINE vec vec_add(vec x, vec y)
{
    return _mm_add_ps(x, y);
}
ALWAYS_INLINE vec vec_sub(vec x, vec y)
{
    return _mm_sub_ps(x, y);
}
ALWAYS_INLINE vec vec_mul(vec x, vec y)
{
    return _mm_mul_ps(x, y);
}
ALWAYS_INLINE vec vec_fma(vec x, vec y, vec sum)
{
    sum = _mm_add_ps(sum, _mm_mul_ps(x, y));
    __asm__("" : "+x"(sum)); /* else gcc puts off whole chains of sums, and all their factors wait in memory */
    return sum;
}
ALWAYS_INLINE vec vec_fnma(vec x, vec y, vec sum)
{
    return _mm_sub_ps(sum, _mm_mul_ps(x, y));
}
ALWAYS_INLINE vec vec_max(vec least, vec x)
{
    return _mm_max_ps(least, x); /* the second one when there is a NaN */
}
ALWAYS_INLINE vec vec_where_less(vec a, vec b, vec x, vec y)
{
    const __m128 less = _mm_cmplt_ps(a, b);
    return _mm_or_ps(_mm_and_ps(less, x), _mm_andnot_ps(less, y));
}
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    return _mm_and_ps(_mm_cmpeq_ps(a, b), x);
}
ALWAYS_INLINE vec vec_where_byte(const uint8_t *p, uint8_t a, vec x)
{
    int bytes;
    memcpy(&bytes, p, sizeof bytes);
    const __m128i equal = _mm_cmpeq_epi8(_mm_cvtsi32_si128(bytes), _mm_set1_epi8((char)a)),
                  pairs = _mm_unpacklo_epi8(equal, equal);
    return _mm_and_ps(_mm_castsi128_ps(_mm_unpacklo_epi16(pairs, pairs)), x);
}
ALWAYS_INLINE void vec_store_u8(uint8_t *p, vec x)
{
    const __m128i i = _mm_cvttps_epi32(x), u = _mm_packs_epi32(i, i);
    const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(u, u));
    memcpy(p, &bytes, sizeof bytes);
}
ALWAYS_INLINE vec vec_where_positive(vec m, vec x)
{
    return _mm_and_ps(_mm_cmpgt_ps(m, _mm_setzero_ps()), x);
}

ALWAYS_INLINE void vec_transpose(vec r[4])
{
    _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
}

#endif
