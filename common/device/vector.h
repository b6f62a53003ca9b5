/* vector.h - the vectors of floats that the kernels of the CPU device are written in. Private to common/device.
 *
 * One set of functions for every instruction set that a file is compiled for; a file that includes this header is
 * compiled once for each of them (the suffix of its name says for which, see the Makefile):
 *
 *     suffix          instructions                    VEC_LANES  registers
 *     _sse2           SSE2                                    4         16
 *     _avx2           AVX2, FMA                               8         16
 *     _avx512         AVX-512 F, BW, DQ, VL                  16         32
 *     _bf16_avx512    the same and AVX512_BF16               16         32
 *     _neon           NEON of ARMv8                           4         32
 *     _bf16_neon      the same and BF16                       4         32
 *
 * What each function does, on every lane by itself:
 *
 *     vec_zero()  vec_set1(a)             0; a
 *     vec_load(p)  vec_store(p, x)        p aligned to VEC_LANES floats; ..._u: any p
 *     vec_stream(p, x)                    stores past the caches where the processor can; p aligned; ends with
 *                                         vec_stream_end() before another thread reads
 *     vec_load_if(p, inside)              the same as vec_loadu, or 0 with nothing read
 *     vec_add(x, y)  vec_sub  vec_mul     x + y ...
 *     vec_fma(x, y, sum)                  sum + x y, rounded once where there is FMA, else twice
 *     vec_fnma(x, y, sum)                 sum - x y
 *     vec_max(least, x)                   the larger one; x where either is NaN
 *     vec_where_positive(m, x)            x where m > 0, else 0
 *     vec_where_less(a, b, x, y)          x where a < b, else y (also where one is NaN)
 *     vec_where_equal(a, b, x)            x where a = b, else 0
 *     vec_store_u8(p, x)                  whole numbers below 256 as bytes; any p
 *     vec_where_byte(p, a, x)             x where the byte at p is a, else 0; any p
 *     vec_transpose(r)                    VEC_LANES vectors as the rows of a square matrix, in place
 *
 * With VEC_BF16 (AVX512_BF16, BF16 of ARM) there are also numbers in bf16, the upper halves of floats, rounded to
 * nearest even, and words: 32 bits that hold two of them, the first in the lower half, kept in a vec as bits:
 *
 *     vec_load_bf16(p)  vec_store_bf16(p, x)  vec_load_bf16_if  vec_stream_bf16    p: VEC_LANES numbers, any p
 *                                                                                 (stream: aligned)
 *     vec_words(low, high)                words of two vectors, rounded
 *     vec_words_low(low)                  the same with 0 in the upper halves
 *     vec_words_high(words, high)         words with `high` put into upper halves that are 0
 *     vec_dot_bf16(x, y, sum)             sum + x.low y.low + x.high y.high; words x and y
 */
#ifndef ONEBOX_DEVICE_VECTOR_H
#define ONEBOX_DEVICE_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A loop over 0 .. count - 1 that the compiler unrolls. */
#ifdef __clang__
#define UNROLL(i, count) _Pragma("clang loop unroll(full)") for (int i = 0; i < (count); i++)
#else
#define UNROLL(i, count) _Pragma("GCC unroll 36") for (int i = 0; i < (count); i++)
#endif
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Asks for the cache line at p; p may lie outside of any memory. */
ALWAYS_INLINE void prefetch(const void *p)
{
    __builtin_prefetch(p, 0, 3);
}

#if defined(__AVX512F__)
#include "device/vector_avx512.h"
#elif defined(__AVX2__)
#include "device/vector_avx2.h"
#elif defined(__SSE2__)
#include "device/vector_sse2.h"
#elif defined(__ARM_NEON)
#include "device/vector_neon.h"
#else
#error "no vectors for this processor: x86-64 and ARM64 are known"
#endif

#endif
