/* standin_kernel.h - put before a .cu file to compile its kernels and launchers as C for the stand-in:
 *     cc -x c -include standin_kernel.h kernels_activations.cu
 *
 * A kernel takes one struct of arguments, called a:
 *     KERNEL(fill, fill_args) { unsigned i = blockIdx.x * blockDim.x + threadIdx.x; … a.values[i] … }
 *     cudaError_t kernel_fill(…) { return LAUNCH(fill, fill_args, grid, block, stream, args); }
 * All threads of all blocks run one after the other: no shared memory, barriers or shuffles.
 */
#ifndef ONEBOX_STANDIN_KERNEL_H
#define ONEBOX_STANDIN_KERNEL_H

#ifndef __CUDACC__

#include "standin.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

static dim3 blockIdx, threadIdx, blockDim, gridDim;

#define KERNEL(name, args_type)                                                                                        \
    static inline void name(args_type a);                                                                              \
    static void name##_on_host(const void *args, unsigned grid, unsigned block)                                        \
    {                                                                                                                  \
        gridDim = (dim3){grid, 1, 1};                                                                                  \
        blockDim = (dim3){block, 1, 1};                                                                                \
        for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)                                                          \
            for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++)                                                  \
                name(*(const args_type *)args);                                                                        \
    }                                                                                                                  \
    static inline void name(args_type a)

#define LAUNCH(name, args_type, grid, block, stream, args)                                                             \
    standin_launch(#name, name##_on_host, &(args), sizeof(args_type), grid, block, stream)

static inline float standin_atomic_add(float *at, float value)
{
    float old = *at;
    *at += value;
    return old;
}
static inline int standin_atomic_or(int *at, int value)
{
    int old = *at;
    *at |= value;
    return old;
}
#define atomicAdd standin_atomic_add
#define atomicOr standin_atomic_or

#endif
#endif
