/* vector.h for AVX-512. */
#define VECTOR_NAME "AVX-512"
#define VECTOR_THERE                                                                                                   \
    (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&  \
     __builtin_cpu_supports("avx512vl"))
#include "vector_body.h"
