/* matmul.h for processors with AVX2. */
#define MATMUL matmul_avx2
#include "device/matmul_body.h"
