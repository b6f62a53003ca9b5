/* The kernels of strided_body.h for NEON. */
#define TABLE strided_neon
#include "device/strided_body.h"
