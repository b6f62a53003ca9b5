/* The kernels of winograd_bf16_body.h for NEON with BF16. */
#define TABLE winograd_bf16_neon
#include "device/winograd_bf16_body.h"
