/* The kernels of cpu_kernels.h for processors with NEON. */
#define TABLE cpu_kernels_neon
#define TABLE_TEXT "neon"
#define BLOCK 16
#include "device/cpu_kernels_body.h"
