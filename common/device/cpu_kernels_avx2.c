/* The kernels of cpu_kernels.h for processors with AVX2. */
#define TABLE cpu_kernels_avx2
#define TABLE_TEXT "avx2"
#define BLOCK 16
#include "device/cpu_kernels_body.h"
