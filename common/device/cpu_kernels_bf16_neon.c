/* The kernels of cpu_kernels.h for blocked tensors in bf16, for processors with NEON and BF16. */
#define TABLE cpu_kernels_bf16_neon
#define TABLE_TEXT "neon bf16"
#define BLOCK 16
#define BF16
#include "device/cpu_kernels_body.h"
