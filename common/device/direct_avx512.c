/* direct_body.h for processors with AVX-512. */
#define DIRECT_TABLE direct_avx512
#include "device/direct_body.h"
