/* The kernels of cpu_kernels.h for blocked tensors in bf16, for processors with AVX512. */
#define TABLE cpu_kernels_bf16_avx512
#define TABLE_TEXT "avx512 bf16"
#define BLOCK 16
#define BF16
#include "device/cpu_kernels_body.h"
