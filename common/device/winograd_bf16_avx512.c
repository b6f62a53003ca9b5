/* The kernels of winograd_bf16_body.h for AVX-512 with BF16. */
#define TABLE winograd_bf16_avx512
#include "device/winograd_bf16_body.h"
