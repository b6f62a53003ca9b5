/* matmul.h for processors with NEON. */
#define MATMUL matmul_neon
#include "device/matmul_body.h"
