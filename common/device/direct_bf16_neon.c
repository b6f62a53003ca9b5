/* direct_body.h for processors with NEON and BF16. */
#define DIRECT_TABLE direct_bf16_neon
#define DIRECT_BF16
#include "device/direct_body.h"
