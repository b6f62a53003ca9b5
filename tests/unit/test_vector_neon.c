/* vector.h for NEON. */
#define VECTOR_NAME "NEON"
#define VECTOR_THERE true
#include "vector_body.h"
