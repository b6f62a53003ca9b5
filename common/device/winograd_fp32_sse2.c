/* The kernels of winograd_fp32_body.h for SSE2. */
#define TABLE winograd_fp32_sse2
#include "device/winograd_fp32_body.h"
