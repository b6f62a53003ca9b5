/* The kernels of cpu_kernels.h for processors with SSE2. */
#define TABLE cpu_kernels_sse2
#define TABLE_TEXT "sse2"
#define BLOCK 16
#include "device/cpu_kernels_body.h"
