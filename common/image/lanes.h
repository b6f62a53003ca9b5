/* lanes.h - vectors of four floats for the loops over pixels: one pixel of three channels and a passenger, or
 * four values of a row. The compiler's own vector types, so this is plain C for gcc and clang on any
 * processor, and the results are those of scalar float32 arithmetic. */
#ifndef ONEBOX_IMAGE_LANES_H
#define ONEBOX_IMAGE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef float float4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t int4 __attribute__((vector_size(16), aligned(4), may_alias));

/* Need no alignment. */
static inline float4 load4(const float *p)
{
    return *(const float4 *)p;
}

static inline void store4(float *p, float4 v)
{
    *(float4 *)p = v;
}

/* value/255 of n bytes, correctly rounded. */
static inline void floats_from_bytes(const uint8_t *restrict bytes, float *restrict floats, size_t n)
{
    typedef uint8_t byte16 __attribute__((vector_size(16)));
    typedef uint16_t short8 __attribute__((vector_size(16)));
    const byte16 none = {0};
    const short8 zero = {0};
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        byte16 v;
        memcpy(&v, bytes + i, 16);
        /* zeros between the bytes, twice, make whole numbers of 32 bits */
        short8 low = (short8)__builtin_shufflevector(v, none, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        short8 high =
            (short8)__builtin_shufflevector(v, none, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const int4 quarters[4] = {(int4)__builtin_shufflevector(low, zero, 0, 8, 1, 9, 2, 10, 3, 11),
                                  (int4)__builtin_shufflevector(low, zero, 4, 12, 5, 13, 6, 14, 7, 15),
                                  (int4)__builtin_shufflevector(high, zero, 0, 8, 1, 9, 2, 10, 3, 11),
                                  (int4)__builtin_shufflevector(high, zero, 4, 12, 5, 13, 6, 14, 7, 15)};
        for (size_t k = 0; k < 4; k++)
            store4(floats + i + 4 * k, __builtin_convertvector(quarters[k], float4) / 255.0f);
    }
    for (; i < n; i++)
        floats[i] = (float)bytes[i] / 255.0f;
}

#endif
