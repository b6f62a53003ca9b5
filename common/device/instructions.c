/* instructions.c - the table of instructions.h, and what this processor has. */
#include "device/instructions.h"

#include "device/direct_kernels.h"

#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

typedef struct candidate {
    instructions kernels;
    bool (*here)(void); /* whether this processor has what the kernels need */
} candidate;

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
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
    {.kernels = {.name = "avx512 bf16",
                 .flat = &cpu_kernels_avx512,
                 .bf16 = &cpu_kernels_bf16_avx512,
                 .winograd = {&winograd_fp32_avx512, &winograd_mixed_avx512, &winograd_bf16_avx512},
                 .strided = &strided_avx512,
                 .matmul = matmul_avx512,
                 .direct = {&direct_avx512, &direct_bf16_avx512}},
     .here = has_avx512_bf16},
    {.kernels = {.name = "avx512",
                 .flat = &cpu_kernels_avx512,
                 .winograd = {&winograd_fp32_avx512},
                 .strided = &strided_avx512,
                 .matmul = matmul_avx512,
                 .direct = {&direct_avx512}},
     .here = has_avx512},
    {.kernels = {.name = "avx2",
                 .flat = &cpu_kernels_avx2,
                 .winograd = {&winograd_fp32_avx2},
                 .strided = &strided_avx2,
                 .matmul = matmul_avx2,
                 .direct = {&direct_avx2}},
     .here = has_avx2},
    {.kernels = {.name = "sse2",
                 .flat = &cpu_kernels_sse2,
                 .winograd = {&winograd_fp32_sse2},
                 .strided = &strided_sse2,
                 .matmul = matmul_sse2,
                 .direct = {&direct_sse2}},
     .here = always},
};
#elif defined(__aarch64__)
static bool has_neon_bf16(void)
{
    const unsigned long bf16 = 1ul << 14; /* HWCAP2_BF16 of Linux */
    return getauxval(AT_HWCAP2) & bf16;
}

static const candidate candidates[] = {
    {.kernels = {.name = "neon bf16",
                 .flat = &cpu_kernels_neon,
                 .bf16 = &cpu_kernels_bf16_neon,
                 .winograd = {&winograd_fp32_neon, &winograd_mixed_neon, &winograd_bf16_neon},
                 .strided = &strided_neon,
                 .matmul = matmul_neon,
                 .direct = {&direct_neon, &direct_bf16_neon}},
     .here = has_neon_bf16},
    {.kernels = {.name = "neon",
                 .flat = &cpu_kernels_neon,
                 .winograd = {&winograd_fp32_neon},
                 .strided = &strided_neon,
                 .matmul = matmul_neon,
                 .direct = {&direct_neon}},
     .here = always},
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

bool instructions_have_amx(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & 1u << 22;
#else
    return false;
#endif
}
