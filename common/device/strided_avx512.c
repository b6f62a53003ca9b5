/* The kernels of strided_body.h for AVX-512. */
#define TABLE strided_avx512
#include "device/strided_body.h"
