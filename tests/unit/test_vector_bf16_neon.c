/* vector.h for NEON with BF16. */
#include <asm/hwcap.h>
#include <sys/auxv.h>
#define VECTOR_NAME "NEON with BF16"
#define VECTOR_THERE (getauxval(AT_HWCAP2) & HWCAP2_BF16)
#include "vector_body.h"
#ifndef VEC_BF16
#error "the compiler's options lack BF16"
#endif
