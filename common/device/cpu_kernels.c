/* cpu_kernels.c - picks the kernels for this processor. */
#include "device/cpu_kernels.h"

#include <string.h>

const cpu_kernels *cpu_kernels_choose(const char *limit)
{
    int level = 2;
    if (limit && strcmp(limit, "sse2") == 0)
        level = 0;
    else if (limit && strcmp(limit, "avx2") == 0)
        level = 1;
    __builtin_cpu_init();
    if (level >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return &cpu_kernels_avx512;
    if (level >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &cpu_kernels_avx2;
    return &cpu_kernels_sse2;
}
