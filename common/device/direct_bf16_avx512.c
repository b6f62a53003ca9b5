/* direct_body.h for processors with AVX-512 and AVX512_BF16. */
#define DIRECT_TABLE direct_bf16_avx512
#define DIRECT_BF16
#include "device/direct_body.h"
