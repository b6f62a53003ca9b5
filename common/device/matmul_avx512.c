/* matmul.h for processors with AVX-512. */
#define MATMUL matmul_avx512
#include "device/matmul_body.h"
