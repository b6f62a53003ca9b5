/* direct_body.h for processors with NEON. */
#define DIRECT_TABLE direct_neon
#include "device/direct_body.h"
