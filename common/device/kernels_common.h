/* kernels_common.h - what all .cu files share: how a kernel and its launch are written, the loop over a launch's work,
 * and 16-bit numbers.
 *
 * Kernels are written in what C and CUDA C++ have in common: nvcc compiles them for the GPU; the C compiler compiles
 * the same text for a stand-in that runs every thread of a launch on the host, one after the other. That is why no
 * thread waits for another here: sums are made by one launch for the parts and another for the whole.
 */
#ifndef ONEBOX_DEVICE_KERNELS_COMMON_H
#define ONEBOX_DEVICE_KERNELS_COMMON_H

#include "device/kernels.h"

#include <math.h>

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define KERNEL(name, type) static __global__ void __launch_bounds__(256) name(const type a)
#define LAUNCH(name, type, grid, block, stream, args) (name<<<(grid), (block), 0, (stream)>>>(args), cudaGetLastError())
#endif

/* The same with a name that is itself a macro's. */
#define KERNEL_OF(name, type) KERNEL(name, type)

enum { BLOCK = 256 };

/* This thread's share of 0 .. count-1. */
#define EACH(i, count)                                                                                                 \
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += (size_t)gridDim.x * blockDim.x)

static unsigned blocks(size_t count)
{
    const size_t most = 1 << 16, n = (count + BLOCK - 1) / BLOCK;
    return (unsigned)(n < 1 ? 1 : n > most ? most : n);
}

/* ---------------------------------------------------------------- 16-bit numbers */

static __device__ __forceinline__ uint32_t bits_of(float v)
{
    union {
        float f;
        uint32_t u;
    } both;
    both.f = v;
    return both.u;
}

static __device__ __forceinline__ float float_of(uint32_t u)
{
    union {
        float f;
        uint32_t u;
    } both;
    both.u = u;
    return both.f;
}

static __device__ __forceinline__ float load_bf16(uint16_t v)
{
    return float_of((uint32_t)v << 16);
}

/* To nearest, ties to even; NaN stays NaN. */
static __device__ __forceinline__ uint16_t store_bf16(float v)
{
    uint32_t u = bits_of(v);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 64);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

static __device__ __forceinline__ float load_fp16(uint16_t v)
{
#ifdef __CUDA_ARCH__
    return __half2float(__ushort_as_half(v));
#else
    uint32_t sign = (uint32_t)(v & 0x8000u) << 16, exponent = v >> 10 & 31u, fraction = v & 1023u;
    if (exponent == 31)
        return float_of(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {
        float small = (float)fraction * 0x1p-24f;
        return sign ? -small : small;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
#endif
}

static __device__ __forceinline__ uint16_t store_fp16(float v)
{
#ifdef __CUDA_ARCH__
    return __half_as_ushort(__float2half_rn(v));
#else
    uint32_t u = bits_of(v), sign = u >> 16 & 0x8000u, rest = u & 0x7fffffffu;
    if (rest > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (rest >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x38800000u) { /* below 2^-14: adding 1/2 leaves multiples of 2^-24, rounded to even */
        float shifted = float_of(rest) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000u));
    }
    return (uint16_t)(sign | (rest - 0x38000000u + 0xfffu + (rest >> 13 & 1)) >> 13);
#endif
}

static __device__ __forceinline__ float load_small(const void *p, size_t i, number_type type)
{
    uint16_t v = ((const uint16_t *)p)[i];
    return type == NUMBER_BF16 ? load_bf16(v) : load_fp16(v);
}

static __device__ __forceinline__ void store_small(void *p, size_t i, number_type type, float v)
{
    ((uint16_t *)p)[i] = type == NUMBER_BF16 ? store_bf16(v) : store_fp16(v);
}

#endif
