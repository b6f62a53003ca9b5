/* instructions.c - the table of instructions.h, and what this processor has. */
#include "device/instructions.h"

#include <string.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

typedef struct candidate {
    instructions kernels;
    bool (*here)(void); /* whether this processor has what the kernels need */
} candidate;

#if defined(__x86_64__)
static bool always(void)
{
    return true;
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx512_bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

/* The best first. */
static const candidate candidates[] = {
    {{"avx512 bf16",
      &cpu_kernels_avx512,
      &cpu_kernels_bf16_avx512,
      {&winograd_kernels_fp32, &winograd_kernels_mixed, &winograd_kernels_bf16},
      matmul_avx512},
     has_avx512_bf16},
    {{"avx512", &cpu_kernels_avx512, NULL, {&winograd_kernels_fp32, NULL, NULL}, matmul_avx512}, has_avx512},
    {{"avx2", &cpu_kernels_avx2, NULL, {NULL, NULL, NULL}, matmul_avx2}, has_avx2},
    {{"sse2", &cpu_kernels_sse2, NULL, {NULL, NULL, NULL}, matmul_sse2}, always},
};
#else
#error "no kernels for this processor: see vector.h"
#endif

const instructions *instructions_choose(const char *limit)
{
    const size_t count = sizeof candidates / sizeof candidates[0];
    size_t first = 0;
    for (size_t i = 0; limit && i < count; i++)
        if (strcmp(candidates[i].kernels.name, limit) == 0)
            first = i;
    while (!candidates[first].here())
        first++;
    return &candidates[first].kernels;
}
