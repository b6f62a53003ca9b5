/* The kernels of strided_body.h for SSE2. */
#define TABLE strided_sse2
#include "device/strided_body.h"
