/* The kernels of winograd_fp32_body.h for AVX-512. */
#define TABLE winograd_fp32_avx512
#include "device/winograd_fp32_body.h"
