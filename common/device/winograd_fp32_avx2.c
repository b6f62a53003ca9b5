/* The kernels of winograd_fp32_body.h for AVX2 and FMA. */
#define TABLE winograd_fp32_avx2
#include "device/winograd_fp32_body.h"
