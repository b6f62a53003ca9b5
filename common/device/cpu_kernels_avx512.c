/* The kernels of cpu_kernels.h for processors with AVX512. */
#define TABLE cpu_kernels_avx512
#define TABLE_TEXT "avx512"
#define BLOCK 16
#include "device/cpu_kernels_body.h"
