/* winograd_bf16_pixels.h - how winograd_tiles_body.h loads and stores the pixels of tensors in bf16. */
#include <stdint.h>

typedef uint16_t number;

/* The upper half of a float is a bf16. */
ALWAYS_INLINE vec widen(__m256i x)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

ALWAYS_INLINE __m256i narrow(vec x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}

ALWAYS_INLINE vec load_pixel(const number *pixel)
{
    return widen(_mm256_loadu_si256((const __m256i_u *)(const void *)pixel));
}

ALWAYS_INLINE vec load_inside(const number *pixel, bool inside)
{
    return widen(_mm256_maskz_loadu_epi16(inside ? (__mmask16)0xffff : (__mmask16)0, pixel));
}

ALWAYS_INLINE void store_pixel(number *pixel, vec x)
{
    _mm256_storeu_si256((__m256i_u *)(void *)pixel, narrow(x));
}

ALWAYS_INLINE void stream_pixel(number *pixel, vec x)
{
    _mm256_stream_si256((__m256i *)(void *)pixel, narrow(x));
}
