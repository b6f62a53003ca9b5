/* The kernels of winograd_mixed_body.h for NEON with BF16. */
#define TABLE winograd_mixed_neon
#include "device/winograd_mixed_body.h"
