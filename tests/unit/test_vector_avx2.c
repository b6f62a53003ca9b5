/* vector.h for AVX2 with FMA. */
#define VECTOR_NAME "AVX2"
#define VECTOR_THERE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#include "vector_body.h"
