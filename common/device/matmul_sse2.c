/* matmul.h for processors with SSE2. */
#define MATMUL matmul_sse2
#include "device/matmul_body.h"
