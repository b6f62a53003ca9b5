/* vector.h for SSE2. */
#define VECTOR_NAME "SSE2"
#define VECTOR_THERE true
#include "vector_body.h"
