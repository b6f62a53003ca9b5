/* The kernels of strided_body.h for AVX2 and FMA. */
#define TABLE strided_avx2
#include "device/strided_body.h"
