/* vector.h for AVX-512 with BF16. */
#define VECTOR_NAME "AVX512_BF16"
#define VECTOR_THERE (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl"))
#include "vector_body.h"
#ifndef VEC_BF16
#error "the compiler's options lack BF16"
#endif
