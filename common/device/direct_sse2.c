/* direct_body.h for processors with SSE2. */
#define DIRECT_TABLE direct_sse2
#include "device/direct_body.h"
