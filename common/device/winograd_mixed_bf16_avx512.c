/* The kernels of winograd_mixed_body.h for AVX-512 with BF16. */
#define TABLE winograd_mixed_avx512
#include "device/winograd_mixed_body.h"
