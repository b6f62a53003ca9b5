/* kernels_flat.cu - the kernels of the head's flat layers, in float: dropout, and a linear layer's biases. */
#include "device/kernels_common.h"

typedef struct args_dropout {
    const float *x;
    float *y;
    size_t count;
    double limit;
    uint64_t seed, key;
    float scale;
    uint32_t step;
} args_dropout;

typedef struct args_bias {
    float *y;
    const float *x;
    size_t n, features;
} args_bias;

/* Philox4x32-10 as in base/random.h: counter (index, key), key `seed`. */
static __device__ __forceinline__ void philox(uint64_t seed, uint64_t key, uint64_t index, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)key, c3 = (uint32_t)(key >> 32),
             k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

KERNEL(dropout, args_dropout)
{
    EACH(q, (a.count + 3) / 4) {
        uint32_t word[4];
        philox(a.seed, a.key, (uint64_t)a.step << 32 | q, word);
        for (size_t j = 0; j < 4 && 4 * q + j < a.count; j++)
            a.y[4 * q + j] = (double)word[j] >= a.limit ? a.x[4 * q + j] * a.scale : 0;
    }
}

cudaError_t kernel_dropout(cudaStream_t stream, const float *x, float *y, size_t count, float p, uint64_t seed,
                           uint64_t key, uint64_t step)
{
    args_dropout args = {x, y, count, (double)p * 4294967296.0, seed, key, 1 / (1 - p), (uint32_t)step};
    return LAUNCH(dropout, args_dropout, blocks((count + 3) / 4), BLOCK, stream, args);
}

KERNEL(add_bias, args_bias)
{
    EACH(i, a.n * a.features) {
        a.y[i] += a.x[i % a.features];
    }
}

KERNEL(bias_gradient, args_bias)
{
    EACH(f, a.features) {
        double sum = 0;
        for (size_t i = 0; i < a.n; i++)
            sum += (double)a.x[i * a.features + f];
        a.y[f] = (float)sum;
    }
}

cudaError_t kernel_add_bias(cudaStream_t stream, float *y, const float *bias, size_t n, size_t features)
{
    args_bias args = {y, bias, n, features};
    return LAUNCH(add_bias, args_bias, blocks(n * features), BLOCK, stream, args);
}

cudaError_t kernel_bias_gradient(cudaStream_t stream, const float *dy, float *dbias, size_t n, size_t features)
{
    args_bias args = {dbias, dy, n, features};
    return LAUNCH(bias_gradient, args_bias, blocks(features), BLOCK, stream, args);
}
