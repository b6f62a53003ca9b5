/* winograd.c - who is served, the tiling of pictures, and how the work is cut into blocks. The passes are in
 * winograd_passes.c. */
#include "device/winograd.h"
#include "device/winograd_plan.h"

bool winograd_supported(const winograd_shape *s)
{
#if defined(__x86_64__)
    return (s->numbers == WINOGRAD_FP32 || __builtin_cpu_supports("avx512bf16")) &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && s->c >= 16 &&
           s->k >= 16 && s->c % 16 == 0 && s->k % 16 == 0 && s->n >= 1 && s->h >= 1 && s->w >= 1;
#else
    (void)s;
    return false;
#endif
}
