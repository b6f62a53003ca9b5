/* The kernels of winograd_fp32_body.h for NEON. */
#define TABLE winograd_fp32_neon
#include "device/winograd_fp32_body.h"
