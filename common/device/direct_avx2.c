/* direct_body.h for processors with AVX2 and FMA. */
#define DIRECT_TABLE direct_avx2
#include "device/direct_body.h"
